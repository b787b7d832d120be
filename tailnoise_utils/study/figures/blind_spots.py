"""Figures of noise whose law is known, from the tables of :mod:`tailnoise_utils.study.experiments.blind_spots`."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..style import COLOURS, MARKERS, STYLE, WIDTH
from .decomposition import PARTS

_WIDE = 1.96  # standard errors of an error bar


def noise_and_twin(table: pd.DataFrame) -> Figure:
    r"""Mean of the joint 1/alpha^ and of tau, on noise and on its Gaussian twin.

    Args:
        table: of :func:`tailnoise_utils.study.experiments.blind_spots.twins`.

    Returns:
        Two panels, a line a law; bars are 95 % intervals of the mean.
    """
    laws = list(dict.fromkeys(table["law"]))
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 1.5 + 0.42 * len(laws)), sharey=True)
        for axes, quantity in zip(panels, ("1/alpha", "tail excess"), strict=True):
            for i, (kind, label) in enumerate((("noise", "noise"), ("twin", "its Gaussian twin"))):
                found = table[table["kind"] == kind].groupby("law")[quantity].agg(["mean", "sem"]).reindex(laws)
                y = np.arange(len(laws)) + 0.3 * (i - 0.5)
                style = {"color": COLOURS[i], "fmt": MARKERS[i], "markersize": 6, "capsize": 3, "label": label}
                axes.errorbar(found["mean"], y, xerr=_WIDE * found["sem"], **style)
        panels[0].set(title="what the paper's estimator sees", xlabel=r"mean of $1/\hat\alpha$, joint")
        panels[1].set(title="what tau sees, down the columns", xlabel="mean of tau")
        for axes, start in zip(panels, (0.5, 0), strict=True):
            axes.axvline(start, color="#555555", linestyle=":", linewidth=1)
        panels[0].xaxis.set_major_locator(mpl.ticker.MultipleLocator(0.05))
        panels[0].set_yticks(range(len(laws)), laws)
        panels[0].invert_yaxis()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    plt.close(figure)
    return figure


def known_parts(table: pd.DataFrame) -> Figure:
    r"""The parts of 1/alpha^ - 1/2 as measured, above the parts as theory has them.

    Args:
        table: of :func:`tailnoise_utils.study.experiments.blind_spots.known_parts`.

    Returns:
        Stacked bars, two a law.
    """
    laws = list(dict.fromkeys(table["law"]))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, 1.5 + 0.55 * len(laws)))
        y = np.arange(len(laws))
        for column, offset, height in (("value", -0.14, 0.4), ("truth", 0.24, 0.24)):
            found = table.pivot_table(index="law", columns="part", values=column).reindex(laws)
            up, down = np.zeros(len(y)), np.zeros(len(y))
            for part, colour in zip(PARTS, COLOURS, strict=False):
                width = found[part].to_numpy()
                left = np.where(width >= 0, up, down)
                style = {"color": colour, "label": part} if column == "value" else {"fill": False, "edgecolor": colour}
                hatch = None if column == "value" else "/////"
                axes.barh(y + offset, width, left=left, height=height, hatch=hatch, **style)
                up, down = up + np.clip(width, 0, None), down + np.clip(width, None, 0)
            label = "all of it" if column == "value" else None
            axes.plot(found["e_0"], y + offset, "k|", markersize=11, markeredgewidth=1.6, label=label)
        axes.barh(y[:1], [0], fill=False, edgecolor="#555555", hatch="/////", label="theory")
        axes.axvline(0, color="#555555", linewidth=0.8)
        axes.set_yticks(y, laws)
        axes.set(xlabel=r"$1/\hat\alpha - 1/2$")
        axes.invert_yaxis()
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    plt.close(figure)
    return figure


def parts_table(table: pd.DataFrame) -> pd.DataFrame:
    """The parts as measured and as theory has them, for reading.

    Args:
        table: of :func:`tailnoise_utils.study.experiments.blind_spots.known_parts`.

    Returns:
        Texts, "value ± standard error (theory)": a row a law, a column a part.
    """
    numbers = zip(table["value"], table["se"], table["truth"] + 0.0, strict=True)
    texts = table.assign(
        text=[f"{value:.3f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{se:.3f} ({truth:.3f})" for value, se, truth in numbers]
    )
    laws = list(dict.fromkeys(table["law"]))
    return texts.pivot(index="law", columns="part", values="text").loc[laws, list(PARTS)].rename_axis(columns=None)


def zero_shares(table: pd.DataFrame) -> Figure:
    r"""The joint alpha^ against the share of exact zeros, measured and in closed form.

    Args:
        table: of :func:`tailnoise_utils.study.experiments.blind_spots.zeros`.

    Returns:
        One panel; a line for each convention and factor on the loss.
    """
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.5, 3.6))
        for i, ((convention, factor), rows) in enumerate(table.groupby(["convention", "factor"], sort=False)):
            label = convention if convention == "corrected" else f"{convention}, loss × {factor:g}"
            axes.plot(rows["share"], 1 / rows["closed"], color=COLOURS[i], linewidth=1)
            axes.plot(rows["share"], 1 / rows["1/alpha"], MARKERS[i], color=COLOURS[i], label=label)
        axes.plot([], [], color="#555555", linewidth=1, label="closed form")
        axes.set(xlabel="share of exact zeros", ylabel=r"$\hat\alpha$, joint", ylim=(0, 2.4))
        axes.legend(loc="center right", bbox_to_anchor=(1, 0.62))
    plt.close(figure)
    return figure


def block_length_and_order(table: pd.DataFrame) -> Figure:
    r"""The joint 1/alpha^ against K1, coordinates as listed and in a random order.

    Args:
        table: of :func:`tailnoise_utils.study.experiments.blind_spots.block_lengths`.

    Returns:
        Two panels, one an order; a line a law.
    """
    titles = {"listed": "coordinates as listed", "permuted": "in one random order"}
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.9), sharey=True)
        for axes, (order, title) in zip(panels, titles.items(), strict=True):
            own = table[table["order"] == order]
            for i, (law, rows) in enumerate(own.groupby("law", sort=False)):
                style = {"fmt": MARKERS[i] + "-", "color": COLOURS[i], "capsize": 3, "label": law}
                axes.errorbar(rows["K1"], rows["value"], yerr=_WIDE * rows["se"], **style)
            axes.axhline(0.5, color="#555555", linestyle=":", linewidth=1)
            axes.set(xscale="log", xlabel=r"block length $K_1$", title=title)
        panels[0].set_ylabel(r"mean of $1/\hat\alpha$, joint")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    plt.close(figure)
    return figure
