"""Figures and a table of the experiment ``batch_scaling``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..controls import implied_alpha
from ..store import Results
from ._style import COLOURS, MARKERS, STYLE
from .anatomy import with_settings


def _implied(rows: pd.DataFrame) -> pd.DataFrame:
    """The implied index of every interval: one row its beginning, one column a run."""
    scales = rows.pivot(index="x", columns="run", values="value")
    return pd.DataFrame(
        {run: implied_alpha(scales.index.to_numpy(), column.to_numpy()) for run, column in scales.items()},
        index=scales.index[:-1],
    )


def _middles(sizes: pd.Index) -> np.ndarray:
    """The geometric middle of every interval."""
    b = sizes.to_numpy()
    return np.sqrt(b[:-1] * b[1:])


def _times(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Before and after training, of one setting."""
    return [
        ("before training" if iteration == 0 else f"after {iteration:,} iterations", of)
        for iteration, of in rows.groupby("iteration")
        if iteration in (0, rows["iteration"].max())
    ]


def batch_scaling(results: Results) -> Figure:
    """The log-scale of the noise and the index implied, against the minibatch size.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        Two panels for each setting, above each other.
    """
    table = with_settings(results, losses=False)
    table = table[(table["quantity"] == "log-scale") & (table["scope"] == "all")]
    settings = list(table.groupby("setting", observed=True))
    with mpl.rc_context(STYLE):
        size = (1.2 + 4.2 * len(settings), 6.2)
        figure, panels = plt.subplots(2, len(settings), figsize=size, sharex=True, sharey="row", squeeze=False)
        for (scale, index), (name, rows) in zip(panels.T, settings, strict=True):
            scale.set_title(name)
            for i, (when, of) in enumerate(_times(rows)):
                values = of.pivot(index="x", columns="run", values="value")
                values = values - values.iloc[0]
                style = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 4}
                scale.plot(values.index, values.mean(axis=1), label=when, **style)
                scale.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=COLOURS[i], alpha=0.25)
                found, b = _implied(of), _middles(values.index)
                index.plot(b, found.mean(axis=1), label=when, **style)
                index.fill_between(b, found.min(axis=1), found.max(axis=1), color=COLOURS[i], alpha=0.25)
            b = values.index.to_numpy()
            scale.plot(b, -np.log(b) / 2, ":", color="#555555", linewidth=1, label="slope $-1/2$")
            index.axhline(2, color="#555555", linestyle=":", linewidth=1)
            index.set(xscale="log", xlabel="minibatch size $b$ (samples)")
            scale.legend(fontsize=8)
        panels[0, 0].set_ylabel("$L(b) - L(1)$ (nats)")
        panels[1, 0].set_ylabel(r"implied $\alpha$")
    plt.close(figure)
    return figure


def batch_scaling_layers(results: Results) -> Figure:
    """The index implied, against the minibatch size, layer by layer; means over the seeds.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        A row of panels each for before and after training, a column a setting.
    """
    table = with_settings(results, losses=False)
    table = table[(table["quantity"] == "log-scale") & (table["scope"] != "all")]
    settings = list(table.groupby("setting", observed=True))
    with mpl.rc_context(STYLE):
        size = (1.2 + 4.2 * len(settings), 6.2)
        figure, panels = plt.subplots(2, len(settings), figsize=size, sharex=True, sharey=True, squeeze=False)
        for column, (name, rows) in zip(panels.T, settings, strict=True):
            for axes, (when, of) in zip(column, _times(rows), strict=True):
                for i, (layer, one) in enumerate(of.groupby("scope", sort=False)):
                    style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)], "markersize": 4}
                    found = _implied(one)
                    axes.plot(_middles(pd.Index(sorted(set(one["x"])))), found.mean(axis=1), label=layer, **style)
                axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
                axes.set(xscale="log", title=f"{name}, {when}")
                axes.legend(fontsize=8)
            column[-1].set_xlabel("minibatch size $b$ (samples)")
        figure.supylabel(r"implied $\alpha$")
    plt.close(figure)
    return figure


def implied_table(results: Results) -> pd.DataFrame:
    """The index implied by every interval.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        A row the beginning of an interval; for each setting and time a column of means and one of standard deviations over
        the seeds.
    """
    table = with_settings(results, losses=False)
    table = table[(table["quantity"] == "log-scale") & (table["scope"] == "all")]
    found = {}
    for setting, rows in table.groupby("setting", observed=True):
        for when, of in _times(rows):
            implied = _implied(of)
            found[setting, when, "mean"] = implied.mean(axis=1)
            found[setting, when, "sd"] = implied.std(axis=1)
    table = pd.DataFrame(found)
    table.index = pd.Index([f"{int(b):,}" for b in table.index], name="b")
    return table
