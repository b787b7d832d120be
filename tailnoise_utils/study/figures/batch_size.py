"""How the scale of the noise falls with the minibatch size: the experiment ``batch_scaling``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from tailnoise_utils.diagnosis import scaling_exponent, stable_log_scale

from ..results.reading import DATA, ends, with_configurations
from ..results.store import Results
from ..style import LOOK, figure
from .panels import band, legend_below

_STABLE = 1.5  # index of the law that is drawn for comparison


def _exponents(scales: pd.DataFrame) -> pd.DataFrame:
    """Return the scaling exponent at the geometric middle of each interval of sizes, from one row a size."""
    b = scales.index.to_numpy()
    exponents = {run: scaling_exponent(b, L.to_numpy()) for run, L in scales.items()}
    return pd.DataFrame(exponents, np.sqrt(b[:-1] * b[1:]))


def _log_scales(results: Results) -> pd.DataFrame:
    """Return the log-scales of whole networks with their names."""
    return with_configurations(results).query("quantity == 'log-scale' and scope == 'all'")


def exponents(axes: plt.Axes, results: Results) -> None:
    """Draw it for FCNs with cross-entropy, a line a data set: means over sizes and seeds, and as a band their range."""
    table = _log_scales(results).query("model == 'fcn' and loss == 'nll'")
    for dataset, rows in table.groupby("dataset", sort=False):
        for when, at in ends(rows).groupby("when", sort=False):
            values = _exponents(at.pivot(index="x", columns="run", values="value"))
            style = LOOK["per coordinate"] | LOOK.get(dataset, {}) | LOOK[when.split()[0]]
            axes.plot(values.mean(axis=1), **style, label=f"{DATA[dataset]}, {when}")
            band(axes, values, style["color"])
    b, n = np.sort(table["x"].unique()), int(table["n_train"].max())
    stable = _exponents(pd.DataFrame(stable_log_scale(b, n, _STABLE), b))
    axes.plot(stable, label=rf"stable law, $\alpha = {_STABLE}$", **LOOK["stable"])
    axes.axhline(0.5, label="1/2: finite variance", **LOOK["Gaussian"])
    axes.set(xscale="log", ylim=(-1.0, 0.75), xlabel="minibatch size $b$ (samples)", ylabel="scaling exponent")


@figure
def batch_scaling(results: Results) -> plt.Figure:
    """Draw the scaling exponent against the minibatch size."""
    drawn, axes = plt.subplots()
    exponents(axes, results)
    legend_below(drawn, [axes], 2)
    return drawn


def exponent_table(results: Results, sizes: tuple[int, ...] = (10, 100, 1000)) -> pd.DataFrame:
    """Return mean and sd over the seeds of the scaling exponents of the intervals that begin at some sizes."""
    lines = {}
    table = ends(_log_scales(results)).sort_values("configuration", kind="stable")
    for names, rows in table.groupby(["configuration", "when"], observed=True, sort=False):
        scales = rows.pivot(index="x", columns="run", values="value")
        exponents = _exponents(scales).set_axis(scales.index[:-1])
        exponents = exponents.loc[list(sizes if set(sizes) <= set(exponents.index) else (5, 10, 50))]
        columns = {"exponent": exponents.mean(axis=1), "sd": exponents.std(axis=1)}
        lines[names] = pd.DataFrame(columns).rename("{:,.0f}".format).stack()
    return pd.DataFrame(lines).T.rename_axis(columns=[None, None])
