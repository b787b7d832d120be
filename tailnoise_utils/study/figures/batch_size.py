"""How the scale of the noise falls with the minibatch size: the experiment ``batch_scaling``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils.diagnosis import scaling_exponent, stable_log_scale

from ..results.reading import ends, with_configurations
from ..results.store import Results
from ..style import LOOK, figure
from .panels import KINDS, band, before_and_after, facets, looks, networks

_STABLE = 1.5  # index of the law that is drawn for comparison
_SIZE = "minibatch size $b$ (samples)"
_EXPONENTS = (-1.0, 0.75)  # the range of the axis


def _scales(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the log-scale: one row a size, one column a run."""
    return rows.pivot(index="x", columns="run", values="value")


def _exponents(scales: pd.DataFrame) -> pd.DataFrame:
    """Return the scaling exponent at the geometric middle of each interval of sizes, from one row a size."""
    b = scales.index.to_numpy()
    exponents = {run: scaling_exponent(b, L.to_numpy()) for run, L in scales.items()}
    return pd.DataFrame(exponents, np.sqrt(b[:-1] * b[1:]))


def _log_scales(results: Results) -> pd.DataFrame:
    """Return the log-scales with their names."""
    table = with_configurations(results)
    return table[table["quantity"] == "log-scale"]


@figure
def log_scales(results: Results) -> Figure:
    """Draw the log-scale of the noise against the minibatch size, less its first value; means over the seeds."""
    table = _log_scales(results)
    look = looks(table)

    def values(rows: pd.DataFrame) -> pd.Series:
        mean = _scales(rows).mean(axis=1)
        return mean - mean.iloc[0]

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        before_and_after(axes, rows, look, values)
        b, n = np.sort(rows["x"].unique()), int(rows["n_train"].iloc[0])
        axes.plot(b, -np.log(b) / 2, label="slope $-1/2$", **LOOK["Gaussian"])
        stable = stable_log_scale(b, n, _STABLE)
        axes.plot(b, stable - stable[0], label=rf"stable law, $\alpha = {_STABLE}$", **LOOK["stable"])
        axes.set_xscale("log")

    table = table[table["scope"] == "all"]
    return facets(table, draw, xlabel=_SIZE, ylabel="$L(b) - L(1)$ (nats)", **KINDS)[0]


@figure
def batch_scaling(results: Results) -> Figure:
    """Draw the scaling exponent against the minibatch size: means over the seeds, and as a band their range."""
    table = _log_scales(results)
    look = looks(table)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        before_and_after(axes, rows, look, lambda group: _exponents(_scales(group)).mean(axis=1))
        for _, at in ends(rows):
            for name, group in networks(at):
                band(axes, _exponents(_scales(group)), look[name]["color"])
        b, n = np.sort(rows["x"].unique()), int(rows["n_train"].iloc[0])
        stable = _exponents(pd.DataFrame(stable_log_scale(b, n, _STABLE), b))
        axes.plot(stable, label=rf"stable law, $\alpha = {_STABLE}$", **LOOK["stable"])
        axes.axhline(0.5, label="1/2: finite variance", **LOOK["Gaussian"])
        axes.set(xscale="log", ylim=_EXPONENTS)

    table = table[table["scope"] == "all"]
    return facets(table, draw, xlabel=_SIZE, ylabel="scaling exponent", **KINDS)[0]


def exponent_table(results: Results, sizes: tuple[int, ...] = (10, 100, 1000)) -> pd.DataFrame:
    """Return mean and sd over the seeds of the scaling exponents of the intervals that begin at some sizes."""
    table = _log_scales(results)
    lines = {}
    for configuration, rows in table[table["scope"] == "all"].groupby("configuration", observed=True):
        for when, at in ends(rows):
            scales = _scales(at)
            exponents = _exponents(scales).set_axis(scales.index[:-1])
            exponents = exponents.loc[list(sizes if set(sizes) <= set(exponents.index) else (5, 10, 50))]
            columns = {"exponent": exponents.mean(axis=1), "sd": exponents.std(axis=1)}
            lines[configuration, when] = pd.DataFrame(columns).rename("{:,.0f}".format).stack()
    return pd.DataFrame(lines).T.rename_axis(columns=[None, None])
