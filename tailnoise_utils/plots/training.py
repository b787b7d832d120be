"""Figures and numbers of the experiment ``iterations``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..store import Results
from ._style import COLOURS, MARKERS, STYLE


def iterations(results: Results) -> Figure:
    """Loss, accuracy and alpha^ along training; line and band are mean and range over the seeds.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        Three panels above each other.
    """
    rows = results.rows
    with mpl.rc_context(STYLE):
        figure, (loss, accuracy, index) = plt.subplots(3, 1, figsize=(7, 7.5), sharex=True, height_ratios=[1, 1, 1.4])
        for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
            for i, split in enumerate(("train", "test")):
                chosen = rows[(rows["quantity"] == quantity) & (rows["split"] == split)]
                _band(axes, chosen.pivot(index="iteration", columns="run", values="value"), i, split)
            axes.legend(loc="best")
        loss.set(ylabel="loss (nats)", yscale="log")
        accuracy.set(ylabel="accuracy (share correct)")
        for i, name in enumerate(("published", "clean", "clean, columns permuted")):
            chosen = rows[rows["quantity"] == f"1/alpha ({name})"]
            _band(index, 1 / chosen.pivot(index="iteration", columns="run", values="value"), i, name)
        index.axhline(2, color="#555555", linestyle=":", linewidth=1)
        index.annotate("2: i.i.d. Gaussian entries", (1, 2), xytext=(0, -11), textcoords="offset points", fontsize=9)
        index.set(ylabel=r"$\hat\alpha$, all coordinates pooled", xlabel="iteration (SGD steps)", ylim=(None, 2.2))
        index.set_xscale("symlog", linthresh=1, linscale=0.4)
        index.set_xlim(-0.15, rows["iteration"].max() * 1.15)
        index.legend(loc="upper right", ncols=3)
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
        One row a convention; the mean is taken of 1/alpha^ and inverted, the standard deviation is that of alpha^.
    """
    rows = results.rows[results.rows["quantity"].str.startswith("1/alpha (")]
    table = {}
    for quantity, of in rows.groupby("quantity", sort=False):
        record = {}
        for name, iteration in (("first", of["iteration"].min()), ("last", of["iteration"].max())):
            inverse = of.loc[of["iteration"] == iteration, "value"]
            record |= {name: 1 / inverse.mean(), f"sd ({name})": (1 / inverse).std()}
        table[quantity.removeprefix("1/alpha (").removesuffix(")")] = record
    return pd.DataFrame(table).T


def last_value(results: Results, quantity: str, split: str) -> float:
    """Mean over the seeds of a quantity at the last snapshot.

    Args:
        results: of the experiment ``iterations``.
        quantity: which.
        split: train or test.

    Returns:
        The mean.
    """
    rows = results.rows[(results.rows["quantity"] == quantity) & (results.rows["split"] == split)]
    return float(rows.loc[rows["iteration"] == rows["iteration"].max(), "value"].mean())
