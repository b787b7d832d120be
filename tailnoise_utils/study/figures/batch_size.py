"""Figures and tables of the minibatch size: the experiments ``batch_size`` and ``batch_scaling``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils.diagnosis import scaling_exponent, stable_log_scale

from ..results.reading import AFTER, BATCH_CONVENTIONS, BEFORE, DATA, ends, with_configurations
from ..results.store import Results
from ..style import COLOURS, LOOK, figure, series
from .panels import KINDS, band, before_and_after, facets, looks, mean_and_range, networks, ranges

_CONVENTIONS = {name.replace("K1", "$K_1$"): quantity for name, quantity in BATCH_CONVENTIONS.items()}
_EACH = "trained at each size"
_STABLE = 1.5  # index of the law that is drawn for comparison
_SIZE = "minibatch size $b$ (samples)"
_EXPONENTS = (-1.0, 0.75)  # the range of the axis


def batch_table(results: Results) -> pd.DataFrame:
    """Return alpha^ (of the mean 1/alpha^) and its range over the seeds by data set, depth, kind of training and size b."""
    table = results.table()
    several = table["run"].map(table.groupby("run")["x"].nunique()) > 1
    base = table.loc[several, "batch_size"].unique().item()
    names = {True: f"b = {base}, {BEFORE}", False: f"b = {base}, {AFTER}"}
    kinds = (table["iteration"] == 0).map(names).where(several, _EACH)
    at_base = several & (table["iteration"] > 0) & (table["x"] == base)
    table = pd.concat([table.assign(kind=kinds), table[at_base].assign(kind=_EACH)])
    order = {"kind": [*names.values(), _EACH], "dataset": list(DATA), "convention": list(_CONVENTIONS)}
    convention = table["quantity"].map({quantity: name for name, quantity in _CONVENTIONS.items()})
    table = table.assign(convention=convention)[convention.notna()]
    table = table.assign(**{column: pd.Categorical(table[column], names) for column, names in order.items()})
    summary = mean_and_range(table, by=["dataset", "depth", "kind", "convention", "x"])
    return summary.drop(columns="runs").rename(columns={"mean": "alpha"}).rename_axis(index={"x": "b"})


@figure
def against_batch_size(results: Results) -> Figure:
    """Draw alpha^ against the minibatch size, left as published, right at K1 = 1000; bars: the range over the seeds."""
    table = (
        batch_table(results).reset_index().rename(columns={"alpha": "mean"}).sort_values("convention", kind="stable")
    )
    styles = (LOOK["before"], LOOK["after"], {"color": COLOURS[2], "marker": "^"})
    styles = dict(zip(table["kind"].cat.categories, styles, strict=True))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        mark = LOOK["joint"] | LOOK.get(rows["dataset"].iloc[0], {"marker": "v"})
        for kind, group in rows.groupby("kind", observed=True):
            axes.errorbar(group["b"], group["mean"], ranges(group), label=kind, **mark | styles[kind])
        axes.axhline(2, **LOOK["Gaussian"])
        axes.set_xscale("log")

    layout = {
        "rows": ["dataset", "depth"],
        "columns": ["convention"],
        "title": "{dataset}, depth {depth}; {convention}",
    }
    table = table.sort_values(["dataset", "depth"], kind="stable")
    return facets(table, draw, most=99, xlabel=_SIZE, ylabel=r"$\hat\alpha$, joint", **layout)[0]


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


@figure
def batch_scaling_layers(results: Results, configurations: list[str]) -> Figure:
    """Draw the scaling exponent by layer, a column a configuration, before and after training; means over the seeds."""
    table = _log_scales(results)
    layers = {name: table[(table["scope"] != "all") & (table["configuration"] == name)] for name in configurations}
    table = pd.concat([rows.assign(when=when) for layer in layers.values() for when, rows in ends(layer)])

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        looks = series(dict.fromkeys(rows["scope"]))
        for layer, group in rows.groupby("scope", sort=False):
            axes.plot(_exponents(_scales(group)).mean(axis=1), label=layer, **looks[layer])
        axes.axhline(0.5, **LOOK["Gaussian"])
        axes.set(xscale="log", ylim=_EXPONENTS)

    layout = {"rows": ["when"], "columns": ["configuration"], "title": "{when}", "legend": 0, "most": 99}
    drawn, panels = facets(table, draw, height=2.8, xlabel=_SIZE, ylabel="scaling exponent", **layout)
    for above, axes, configuration in zip(panels[0], panels[-1], configurations, strict=True):
        above.set_title(configuration.replace(", ", ",\n", 1) + "\n" + above.get_title())
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2)
    return drawn


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
