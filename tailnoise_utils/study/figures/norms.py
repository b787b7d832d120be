"""Figures and table of the norms of the noise: the experiment ``noise_histogram``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.store import Results
from ..style import LOOK, figure
from .panels import facets

NORMS = {
    "norm": "gradient noise",
    "norm, Gaussian (same covariance)": "Gaussian, same covariance",
    "norm, Gaussian (independent)": "Gaussian, independent entries",
    "norm, stable (independent)": "stable, independent entries",
}
_COLOURS = dict(zip(NORMS, (LOOK["joint"]["color"], LOOK["Gaussian"]["color"], "#56B4E9", "black"), strict=True))


def _scaled(results: Results) -> pd.DataFrame:
    """Return all norms over the median noise norm of their seed and iteration, as `scaled`, with the name of their law."""
    rows = results.rows[results.rows["quantity"].isin(NORMS)].sort_values("iteration", kind="stable")
    noise = rows[rows["quantity"] == "norm"]
    medians = noise.groupby(["run", "iteration"])["value"].median().rename("median")
    rows = rows.join(medians, on=["run", "iteration"])
    return rows.assign(scaled=rows["value"] / rows["median"], point=rows["iteration"].map("{:,.0f}".format))


@figure
def norm_histograms(results: Results) -> Figure:
    """Draw histograms of the norm of the noise and of its references; the seeds together, each over its median norm."""
    table = _scaled(results)
    bins = np.geomspace(table["scaled"].min() * 0.98, table["scaled"].max() * 1.02, 80)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        axes.hist(rows["scaled"].to_numpy(dtype=float), bins=bins, color=_COLOURS[rows["quantity"].iloc[0]])
        axes.set_xscale("log")

    layout = {"rows": ["quantity"], "columns": ["point"], "title": "iteration {point}", "sharey": False, "legend": 0}
    layout |= {"xlabel": "norm / median\nnoise norm", "ylabel": "count", "height": 1.55, "most": 99}
    # By law; within it iterations stay in their order.
    drawn, panels = facets(
        table.sort_values("quantity", key=lambda names: names.map(list(NORMS).index), kind="stable"), draw, **layout
    )
    for axes, label in zip(panels[:, 0], NORMS.values(), strict=True):
        axes.set_ylabel(label.replace(", ", ",\n"))
    return drawn


@figure
def norm_quantiles(results: Results) -> Figure:
    """Draw quantiles of the noise norm against those of each reference; on the dotted line both laws agree."""
    levels = np.linspace(0.01, 0.99, 99)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        scaled = {name: group["scaled"].to_numpy(dtype=float) for name, group in rows.groupby("quantity")}
        noise = np.quantile(scaled["norm"], levels)
        for quantity, label in list(NORMS.items())[1:]:
            # Each reference over its own median: the question is the shape.
            x = np.quantile(scaled[quantity], levels) / np.median(scaled[quantity])
            axes.plot(x, noise, ".", markersize=4, color=_COLOURS[quantity], label=label)
        axes.axline((0.5, 0.5), (2, 2), color="#555555", linestyle=":")
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
            axis.set_minor_formatter(mpl.ticker.NullFormatter())

    table = _scaled(results)
    layout = {"columns": ["point"], "title": "iteration {point}", "sharex": False, "most": 99, "legend": 2}
    labels = {"xlabel": "reference /\nits median", "ylabel": "noise norm / its median"}
    return facets(table, draw, height=2.8, **labels, **layout)[0]


def norm_table(results: Results) -> pd.DataFrame:
    """Return median norm (over that of the noise) and sd of the log norm; at the end only of runs that trained, if any."""
    table = results.table()
    table = table[table["quantity"].isin(NORMS)]
    untrained = table["status"] != "complete"
    if not untrained.all():
        table = table[~untrained | (table["iteration"] < table["iteration"].max())]
    grouped = table.groupby(["iteration", "seed", "quantity"])["value"]
    median, spread = grouped.median().unstack(), grouped.agg(lambda v: np.log(v).std(ddof=1)).unstack()
    columns = {}
    for quantity, label in NORMS.items():
        columns[label, "median"] = (median[quantity] / median["norm"]).groupby("iteration").mean()
        columns[label, "sd of ln"] = spread[quantity].groupby("iteration").mean()
    return pd.DataFrame(columns)
