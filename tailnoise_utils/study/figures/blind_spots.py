"""Figures of noise whose law is known, from the tables of :mod:`tailnoise_utils.study.experiments.blind_spots`."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..style import LOOK, WIDTH, figure, series
from .panels import PARTS, facets, stack, total

_Z = 1.96  # standard errors of an error bar


@figure
def noise_and_twin(table: pd.DataFrame) -> Figure:
    """Draw means of the joint 1/alpha^ and of tau, of noise and of its Gaussian twin, with 95 % intervals."""
    laws = list(dict.fromkeys(table["law"]))
    panels = {
        "1/alpha": ("what the paper's estimator sees", r"mean of $1/\hat\alpha$, joint", "joint", 0.5),
        "tail excess": ("what tau sees, per coordinate", "mean of tau", "per coordinate", 0),
    }
    drawn, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 1.4 + 0.42 * len(laws)), sharey=True)
    for axes, (quantity, (title, label, concept, gaussian)) in zip((left, right), panels.items(), strict=True):
        twin = LOOK["Gaussian"] | {"marker": "s"}
        looks = {"noise": ("noise", LOOK[concept] | {"marker": "o"}), "twin": ("its Gaussian twin", twin)}
        for shift, (kind, (name, look)) in zip((-0.15, 0.15), looks.items(), strict=True):
            means = table[table["kind"] == kind].groupby("law")[quantity].agg(["mean", "sem"]).reindex(laws)
            style = look | {"linestyle": "none", "label": name}
            axes.errorbar(means["mean"], np.arange(len(laws)) + shift, xerr=_Z * means["sem"], **style)
        axes.axvline(gaussian, **LOOK["Gaussian"])
        axes.set(title=title, xlabel=label)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25 * 6 / len(laws)), ncols=2)
    left.xaxis.set_major_locator(plt.MultipleLocator(0.1))
    left.set_yticks(range(len(laws)), [law.replace(", ", ",\n") for law in laws])
    left.invert_yaxis()
    return drawn


@figure
def known_parts(table: pd.DataFrame) -> Figure:
    """Draw the parts of the gap as measured (filled), above the parts as theory has them (hatched)."""
    laws = list(dict.fromkeys(table["law"]))
    drawn, axes = plt.subplots(figsize=(WIDTH, 1.5 + 0.55 * len(laws)))
    y = np.arange(len(laws))
    for column, shift, height in (("value", -0.14, 0.4), ("truth", 0.24, 0.24)):
        parts = table.pivot_table(index="law", columns="part", values=column).reindex(laws)
        stack(axes, y + shift, parts, height, outline=column == "truth")
        total(axes, parts["e_0"], y + shift, "all of it" if column == "value" else None)
    axes.barh(y[:1], [0], fill=False, edgecolor="#555555", hatch="/////", label="theory")
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(y, laws)
    axes.set(xlabel=r"$1/\hat\alpha - 1/2$")
    axes.invert_yaxis()
    drawn.legend(loc="outside lower center", ncols=6)
    return drawn


def parts_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the parts as texts, "value ± standard error (theory)": a row a law, a column a part."""
    numbers = zip(table["value"], table["se"], table["truth"] + 0.0, strict=True)
    texts = table.assign(
        text=[f"{value:.3f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{se:.3f} ({truth:.3f})" for value, se, truth in numbers]
    )
    laws = list(dict.fromkeys(table["law"]))
    return texts.pivot(index="law", columns="part", values="text").loc[laws, list(PARTS)].rename_axis(columns=None)


@figure
def zero_shares(table: pd.DataFrame) -> Figure:
    """Draw the joint alpha^ against the fraction of exact zeros, measured (marks) and in closed form (lines)."""
    drawn, axes = plt.subplots(figsize=(WIDTH, 3.6))
    groups = table.groupby(["convention", "factor"], sort=False)
    looks = series(groups.groups)
    for (convention, factor), rows in groups:
        look = looks[convention, factor] | (LOOK["joint"] if convention == "corrected" else {})
        label = convention if convention == "corrected" else f"{convention}, loss × {factor:g}"
        axes.plot(rows["share"], 1 / rows["closed"], color=look["color"], linewidth=1)
        axes.plot(rows["share"], 1 / rows["1/alpha"], linestyle="none", label=label, **look)
    axes.plot([], [], color="#555555", linewidth=1, label="closed form")
    axes.set(xlabel="fraction of exact zeros", ylabel=r"$\hat\alpha$, joint", ylim=(0, 2.4))
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.62))
    return drawn


@figure
def block_length_and_order(table: pd.DataFrame) -> Figure:
    """Draw the joint 1/alpha^ against K1, coordinates as listed and in a random order; bars: 95 % intervals."""
    titles = {"listed": "coordinates as listed", "permuted": "in one random order"}
    looks = series(dict.fromkeys(table["law"]))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for law, group in rows.groupby("law", sort=False):
            axes.errorbar(group["K1"], group["value"], _Z * group["se"], label=law, **looks[law])
        axes.axhline(0.5, **LOOK["Gaussian"])
        axes.set_xscale("log")

    layout = {"columns": ["title"], "title": "{title}", "xlabel": r"block length $K_1$", "legend": 2}
    table = table.assign(title=table["order"].map(titles))
    return facets(table, draw, height=3.2, ylabel=r"mean of $1/\hat\alpha$, joint", **layout)[0]
