"""Figures and numbers of the experiment ``noise_histogram``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.store import Results
from ..style import COLOURS, STYLE

NORMS = {
    "norm": "gradient noise",
    "norm, Gaussian (same covariance)": "Gaussian, same covariance",
    "norm, Gaussian (independent)": "Gaussian, independent entries",
    "norm, stable (independent)": "stable, independent entries",
}


def norm_histograms(results: Results) -> Figure:
    """Histograms of the norm of the noise and of its references, one panel an iteration.

    Args:
        results: of the experiment ``noise_histogram``; the seeds are put together, each divided by its median norm.

    Returns:
        A row of panels for the noise and for each reference, a column an iteration.
    """
    points = _points(results)
    size = (2.7 * len(points) + 0.6, 6.4)
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(len(NORMS), len(points), figsize=size, sharex=True, squeeze=False)
        scaled = {point: _scaled(results, point) for point in points}
        together = np.concatenate([values for of in scaled.values() for values in of.values()])
        bins = np.geomspace(together.min() * 0.98, together.max() * 1.02, 80)
        for i, (row, (quantity, label)) in enumerate(zip(panels, NORMS.items(), strict=True)):
            for axes, point in zip(row, points, strict=True):
                axes.hist(scaled[point][quantity], bins=bins, color=COLOURS[i])
                axes.set_xscale("log")
            row[0].set_ylabel(f"{label}\ncount".replace(", ", ",\n"), fontsize=9)
        for axes, point in zip(panels[0], points, strict=True):
            axes.set_title(f"iteration {point:,}")
        for axes in panels[-1]:
            axes.set_xlabel("norm / median noise norm")
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def norm_quantiles(results: Results) -> Figure:
    """QQ plots: quantiles of the noise norm against those of each reference, one panel an iteration.

    Args:
        results: of the experiment ``noise_histogram``; the seeds are put together, each divided by its median norm.

    Returns:
        One row of panels; on the dotted line both laws agree.
    """
    points, shares = _points(results), np.linspace(0.01, 0.99, 99)
    size = (2.7 * len(points) + 0.6, 3.6)
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(1, len(points), figsize=size, sharey=True, squeeze=False)
        for axes, point in zip(panels[0], points, strict=True):
            values = _scaled(results, point)
            noise = np.quantile(values["norm"], shares)
            for i, (quantity, label) in enumerate(NORMS.items()):
                if quantity != "norm":
                    # Each reference over its own median: the question is the shape.
                    x = np.quantile(values[quantity], shares) / np.median(values[quantity])
                    axes.plot(x, noise, ".", markersize=4, color=COLOURS[i], label=label)
            axes.axline((0.5, 0.5), (2, 2), color="#555555", linestyle=":", linewidth=1)
            axes.set(xscale="log", yscale="log", title=f"iteration {point:,}", xlabel="reference / its median")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
                axis.set_minor_formatter(mpl.ticker.NullFormatter())
        panels[0, 0].set_ylabel("noise norm / its median")
        figure.legend(
            *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(points) - 1)
        )
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def norm_table(results: Results) -> pd.DataFrame:
    """Median norm (over the median noise norm of the seed) and spread of the log norm.

    Args:
        results: of the experiment ``noise_histogram``.

    Returns:
        One row an iteration; columns by law: the median, and the standard deviation of ln(norm), mean over the seeds. A run
        that did not train has no part in the last row, unless none did.
    """
    table = results.table()
    table = table[table["quantity"].isin(NORMS)]
    untrained = table["status"] != "complete"
    if not untrained.all():
        table = table[~untrained | (table["iteration"] < table["iteration"].max())]
    grouped = table.groupby(["iteration", "seed", "quantity"])["value"]
    median, spread = grouped.median(), grouped.agg(lambda v: np.log(v).std(ddof=1))
    frame = {}
    for quantity, label in NORMS.items():
        own = median.xs(quantity, level="quantity")
        noise = median.xs("norm", level="quantity")
        frame[label, "median"] = (own / noise).groupby("iteration").mean()
        frame[label, "sd of ln"] = spread.xs(quantity, level="quantity").groupby("iteration").mean()
    return pd.DataFrame(frame)


def _points(results: Results) -> list[int]:
    """The iterations, in order."""
    return sorted(map(int, results.rows["iteration"].unique()))


def _scaled(results: Results, point: int) -> dict[str, np.ndarray]:
    """All norms at an iteration over the median noise norm of their seed, by quantity."""
    rows = results.rows[(results.rows["iteration"] == point) & results.rows["quantity"].isin(NORMS)]
    medians = rows[rows["quantity"] == "norm"].groupby("run")["value"].median()
    scaled = rows["value"] / rows["run"].map(medians)
    return {quantity: scaled[rows["quantity"] == quantity].to_numpy(dtype=float) for quantity in NORMS}
