"""Figures and tables of the experiment ``estimator``."""

import itertools
from collections.abc import Sized

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from tailnoise_utils import stable
from tailnoise_utils.tail_index import known_laws

from ..results.store import Results
from ..style import COLOURS, LOOK, MARKERS, WIDTH, figure
from .panels import facets, legend_below

_LABELS = {
    "mohammadi": "Mohammadi 2.4 (corrected)",
    "mohammadi (published)": "Mohammadi 2.4 (published)",
    "mohammadi_order": "Mohammadi 2.2 (corrected)",
    "log_moment": "log-moment",
    "fractional_moment": "fractional moments",
    "koutrouvelis": "Koutrouvelis (c.f.)",
    "mcculloch": "McCulloch (quantiles)",
    "hill": "Hill",
    "maximum_likelihood": "maximum likelihood",
}


def _looks(results: Results, *, likelihood: bool = False) -> dict[str, dict[str, str]]:
    """Return colour, mark and label of the estimators that run on every law, and of maximum likelihood if asked for."""
    names = dict.fromkeys([*_LABELS, *results.rows["scope"]])  # an estimator without a label has its own name
    # The tenth has the second mark.
    marks = (MARKERS[(i + i // len(MARKERS)) % len(MARKERS)] for i in itertools.count())
    looks = zip(names, itertools.cycle(COLOURS), marks, strict=False)
    table = {name: {"color": c, "marker": m, "label": _LABELS.get(name, name)} for name, c, m in looks}
    return {name: look for name, look in table.items() if likelihood or name != "maximum_likelihood"}


def _stable_rows(results: Results) -> pd.DataFrame:
    """Return the rows on stable samples."""
    return results.table().query("law == 'sas'")


def _other_laws(results: Results, quantity: str = "1/alpha") -> pd.DataFrame:
    """Return 1/alpha^ on the largest samples that are not stable, or its closed form: rows are laws, columns estimators."""
    table = results.table().query("law != 'sas' and size == size.max() and quantity == @quantity")
    wide = table.pivot(index=["law", "parameter"], columns="scope", values="value")
    wide = wide.reindex(table.set_index(["law", "parameter"]).index.unique())
    return wide.set_axis([known_laws.law(law).label.format(parameter) for law, parameter in wide.index])


def _side_by_side(names: Sized, width: float) -> np.ndarray:
    """Return how far marks of one place stand apart, so that together they take some width."""
    return width * ((np.arange(len(names)) + 0.5) / len(names) - 0.5)


@figure
def estimator_recovery(results: Results) -> plt.Figure:
    """Draw estimated less true 1/alpha against alpha, for 1000 values and the most; bars: two standard errors."""
    table = _stable_rows(results)
    sizes = (1000, int(table["size"].max()))
    table = table[table["size"].isin(sizes) & (table["quantity"] == "1/alpha")].sort_values("size", kind="stable")
    looks = _looks(results)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for shift, (name, look) in zip(_side_by_side(looks, 0.112), looks.items(), strict=True):
            mean = rows[rows["scope"] == name].set_index("parameter")
            error, alpha = mean["value"] - 1 / mean.index, mean.index + shift
            axes.errorbar(alpha, error, 2 * mean["se"], **look | {"linestyle": "none", "capsize": 0})
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_yscale("symlog", linthresh=0.02)  # linear between the dotted lines
        axes.set_ylim(-0.7, 0.3)
        for edge in (-0.02, 0.02):
            axes.axhline(edge, color="#777777", linewidth=0.6, linestyle=":")

    layout = {"columns": ["size"], "title": "N = {size:,}", "xlabel": r"true $\alpha$", "height": 3.8}
    ylabel = [r"bias $1/\hat\alpha - 1/\alpha$ (bars: 2 s.e.)" "\nlinear between the dotted lines"]
    return facets(table, draw, ylabel=ylabel, **layout)[0]


@figure
def estimator_efficiency(results: Results, alpha: float = 1.5, size: int = 10_000) -> plt.Figure:
    """Draw the spread of alpha^ against the sample size and, over the Cramer-Rao bound, against alpha; and the time."""
    table = _stable_rows(results)
    table = table.assign(bound=[stable.cramer_rao(a) / np.sqrt(n) for a, n in table[["parameter", "size"]].to_numpy()])
    sd = table[table["quantity"] == "sd of 1/alpha"].assign(sd=lambda rows: rows["value"] * rows["parameter"] ** 2)
    seconds = table[(table["quantity"] == "seconds") & (table["parameter"] == alpha)]
    drawn, (spread, ratio, time) = plt.subplots(1, 3, figsize=(WIDTH, 4.4))
    for name, look in _looks(results, likelihood=True).items():
        rows = sd[sd["scope"] == name]
        against_size = rows[rows["parameter"] == alpha].sort_values("size")
        spread.plot(against_size["size"], against_size["sd"], **look)
        against_alpha = rows[(rows["size"] == size) & (rows["parameter"] < 2)].sort_values("parameter")
        ratio.plot(against_alpha["parameter"], against_alpha["sd"] / against_alpha["bound"], **look)
        times = seconds[seconds["scope"] == name].sort_values("size")
        time.plot(times["size"], times["value"], **look)
    sizes = np.sort(sd["size"].unique())
    spread.plot(sizes, stable.cramer_rao(alpha) / np.sqrt(sizes), "k:", label="Cramér-Rao bound")
    ratio.axhline(1, color="black", linestyle=":")
    spread.set(title=r"sd of $\hat\alpha$" "\n" rf"($\alpha = {alpha:g}$)", xlabel="sample size N", yscale="log")
    ratio.set(title=f"sd / Cramér-Rao bound\n(N = {size:,})", xlabel=r"true $\alpha$", yscale="log")
    time.set(title="time of one\nestimate (s)", xlabel="sample size N", yscale="log")
    for axes in (spread, time):
        axes.set_xscale("log")
    legend_below(drawn, [spread], 3)
    return drawn


@figure
def unstable_laws(results: Results) -> plt.Figure:
    """Draw alpha^ of every estimator on data of finite variance; black lines: closed form of the block estimators."""
    measured = _other_laws(results)
    closed = _other_laws(results, "1/alpha, closed form").reindex(measured.index)
    drawn, axes = plt.subplots(figsize=(WIDTH, 6.2))
    looks = _looks(results)
    for shift, (name, look) in zip(_side_by_side(looks, 0.72), looks.items(), strict=True):
        y = np.arange(len(measured)) + shift
        # Above 4 there is nothing to compare; `unstable_table` has the number.
        axes.plot(1 / measured[name].clip(lower=0.25), y, **look | {"linestyle": "none"})
        if name in closed:
            axes.plot(1 / closed[name], y, "|", color="black", markersize=9, label="closed form")
    axes.axvline(2, **LOOK["Gaussian"])
    axes.set_yticks(range(len(measured)), [label.replace(", ", ",\n") for label in measured.index])
    axes.set(xlabel=r"$\hat\alpha$ (the right edge stands for 4 and more)", xlim=(0.3, 4.05))
    axes.set_title(f"N = {results.table()['size'].max():,.0f}; all of finite variance")
    axes.invert_yaxis()
    legend_below(drawn, [axes], 3)
    return drawn


@figure
def noise_and_twin(table: pd.DataFrame) -> plt.Figure:
    """Draw means of the joint 1/alpha^ and of tau, of known noise and of its Gaussian twin; bars: two standard errors."""
    laws = list(dict.fromkeys(table["law"]))
    panels = {
        "1/alpha": ("joint", r"mean of $1/\hat\alpha$, joint", "the estimator: the same on both"),
        "tail excess": ("per coordinate", "mean of tau, per coordinate", "tau: zero on the twin"),
    }
    drawn, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), sharey=True)
    for panel, (quantity, (concept, label, title)) in zip(axes, panels.items(), strict=True):
        looks = {"noise": LOOK[concept] | {"marker": "o", "label": f"noise, {concept}"}}
        looks["twin"] = LOOK["Gaussian"] | {"marker": "s", "label": "its Gaussian twin"}
        for shift, (kind, look) in zip((-0.15, 0.15), looks.items(), strict=True):
            means = table[table["kind"] == kind].groupby("law")[quantity].agg(["mean", "sem"]).reindex(laws)
            y = np.arange(len(laws)) + shift
            panel.errorbar(means["mean"], y, xerr=2 * means["sem"], **look | {"linestyle": "none"})
        panel.set(title=title, xlabel=label)
    axes[0].set_yticks(range(len(laws)), [law.replace(", ", ",\n") for law in laws])
    axes[0].invert_yaxis()
    legend_below(drawn, axes, 3)
    return drawn


def bias_table(results: Results, alpha: float = 1.5, size: int = 10_000) -> pd.DataFrame:
    """Return bias, spread, honesty of the standard error and time of every estimator on stable samples of one size."""
    table = _stable_rows(results)
    at = table[(table["parameter"] == alpha) & (table["size"] == size)]
    names = list(_looks(results))
    wide = at.pivot(index="scope", columns="quantity", values="value").reindex(names)
    bias = at[at["quantity"] == "alpha"].set_index("scope").reindex(names)
    columns = {
        "bias of alpha^": wide["alpha"] - alpha,
        "its s.e.": bias["se"],
        "sd of alpha^": wide["sd of alpha"],
        "sd / bound": wide["sd of alpha"] / (stable.cramer_rao(alpha) / np.sqrt(size)),
        "reported s.e. / sd": wide["reported se of 1/alpha"] / wide["sd of 1/alpha"],
        "time (ms)": 1000 * wide["seconds"],
    }
    return pd.DataFrame(columns).rename(index=_LABELS).rename_axis(None)


def closed_form_table(results: Results) -> pd.DataFrame:
    """Return alpha^ of the block estimators on data that are not stable, measured and in closed form, by convention."""
    tables = {"measured": _other_laws(results), "closed form": _other_laws(results, "1/alpha, closed form")}
    names = {"corrected": "mohammadi", "published": "mohammadi (published)"}
    return pd.DataFrame({(c, which): 1 / table[name] for c, name in names.items() for which, table in tables.items()})


def unstable_table(results: Results) -> pd.DataFrame:
    """Return alpha^, of the mean 1/alpha^, on data that are not stable: one row a law, one column an estimator."""
    return 1 / _other_laws(results)[list(_looks(results))].rename(columns=_LABELS).rename_axis(columns=None)


def means(results: Results) -> pd.DataFrame:
    """Return the mean 1/alpha^ by law and size, a column an estimator."""
    chosen = results.table().query("quantity == '1/alpha'").rename(columns={"scope": "mean of 1/alpha^"})
    return chosen.pivot_table(index=["law", "parameter", "size"], columns="mean of 1/alpha^", values="value")
