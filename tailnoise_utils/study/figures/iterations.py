"""Figures and numbers of the experiment ``iterations``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import INDICES, by_setting
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE


def iterations(results: Results) -> Figure:
    """Loss, accuracy and alpha^ along training; line and band are mean and range over the seeds.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        One column a network and data set, three panels above each other in each.
    """
    settings = by_setting(results)
    layout = {"sharex": "col", "sharey": "row", "height_ratios": [1, 1, 1.4], "squeeze": False}
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(3, len(settings), figsize=(3.6 * len(settings), 7.5), **layout)
        for (loss, accuracy, index), (title, rows) in zip(panels.T, settings.items(), strict=True):
            loss.set_title(title)
            for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
                for i, split in enumerate(("train", "test")):
                    chosen = rows[(rows["quantity"] == quantity) & (rows["split"] == split)]
                    _band(axes, chosen.pivot(index="iteration", columns="run", values="value"), i, split)
            for i, (name, quantity) in enumerate(INDICES.items()):
                chosen = rows[rows["quantity"] == quantity]
                _band(index, 1 / chosen.pivot(index="iteration", columns="run", values="value"), i, name)
            index.axhline(2, color="#555555", linestyle=":", linewidth=1)
            index.set_xscale("symlog", linthresh=1, linscale=0.4)
            index.set_xlim(-0.15, rows["iteration"].max() * 1.15)
            index.set(xlabel="iteration (SGD steps)")
        loss, accuracy, index = panels[:, 0]
        loss.set(ylabel="loss (nats)", yscale="log")
        loss.legend()
        accuracy.set(ylabel="accuracy (share correct)")
        index.set(ylabel=r"$\hat\alpha$, all coordinates joint", ylim=(None, 2.1))
        index.annotate("2: i.i.d. Gaussian entries", (0.1, 2), xytext=(0, -11), textcoords="offset points", fontsize=9)
        figure.legend(*index.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def _band(axes: plt.Axes, values: pd.DataFrame, i: int, label: str) -> None:
    """The mean of the columns as a line, their range as a band."""
    axes.plot(values.index, values.mean(axis=1), color=COLOURS[i], marker=MARKERS[i], markersize=3.5, label=label)
    axes.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=COLOURS[i], alpha=0.25, linewidth=0)


def first_and_last(results: Results) -> pd.DataFrame:
    """alpha^ at the first and the last snapshot, mean and standard deviation over the seeds.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        One row a setting and convention; the mean is taken of 1/alpha^ and inverted, the standard deviation is that of
        alpha^.
    """
    table = {}
    for setting, rows in by_setting(results).items():
        for name, quantity in INDICES.items():
            of, record = rows[rows["quantity"] == quantity], {}
            for column, iteration in (("first", of["iteration"].min()), ("last", of["iteration"].max())):
                inverse = of.loc[of["iteration"] == iteration, "value"]
                record |= {column: 1 / inverse.mean(), f"sd ({column})": (1 / inverse).std()}
            table[setting, name] = record
    return pd.DataFrame(table).T


def last_value(results: Results, quantity: str, split: str) -> dict[str, float]:
    """Mean over the seeds of a quantity at the last snapshot.

    Args:
        results: of the experiment ``iterations``.
        quantity: which.
        split: train or test.

    Returns:
        The mean, by setting.
    """
    found = {}
    for setting, rows in by_setting(results).items():
        of = rows[(rows["quantity"] == quantity) & (rows["split"] == split)]
        found[setting] = float(of.loc[of["iteration"] == of["iteration"].max(), "value"].mean())
    return found
