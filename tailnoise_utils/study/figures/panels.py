"""What figures of trained networks have in common: names of settings, panels, ends of the training."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import DATA, LOSSES
from ..style import COLOURS, WIDTH

PARTS = ("correlation", "order", "scales", "tails")


def by_kind(table: pd.DataFrame, draw: Callable[[plt.Axes, pd.DataFrame], object], *, height: float = 3.0) -> Figure:
    """Draw a panel for each pair of network kind with data, and loss.

    Args:
        table: of :func:`with_settings`.
        draw: told a panel and its rows; not called where there are none.
        height: of a panel.

    Returns:
        The figure, open, with one legend below all panels, where it hides nothing.
    """
    kinds, losses = (
        list(dict.fromkeys(zip(table["model"], table["dataset"], strict=True))),
        list(dict.fromkeys(table["loss"])),
    )
    size = (WIDTH if len(losses) > 1 else 5.2, height * len(kinds) + 1.0)
    figure, panels = plt.subplots(len(kinds), len(losses), figsize=size, sharex=True, sharey=True, squeeze=False)
    for i, (model, dataset) in enumerate(kinds):
        for j, loss in enumerate(losses):
            axes = panels[i, j]
            axes.set_title(f"{model.upper()}, {DATA[dataset]}, {LOSSES[loss]}")
            axes.xaxis.set_tick_params(labelbottom=True)
            of = (table["model"] == model) & (table["dataset"] == dataset) & (table["loss"] == loss)
            if of.any():
                draw(axes, table[of])
    entries = {}
    for axes in panels.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4)
    return figure


def sizes(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The networks of one panel.

    Args:
        rows: of the panel.

    Returns:
        Name and rows, small ones first.
    """
    return [
        (f"{width} × {depth}" if depth else f"{width} filters", of)
        for (width, depth), of in rows.groupby(["width", "depth"])
    ]


def numbers(table: pd.DataFrame) -> dict[str, int]:
    """The networks of a figure by number: of one number, and so of one colour, in all its panels.

    Args:
        table: of all panels.

    Returns:
        Name, as :func:`sizes` has it, to number.
    """
    return {name: i for i, (name, _) in enumerate(sizes(table))}


def gaussian_band(axes: plt.Axes, null: pd.DataFrame, by: str, colour: str, label: str | None) -> None:
    """Mean and 1.96 standard deviations of Gaussian twins; where several settings are given, what covers them all.

    Args:
        axes: where to.
        null: rows of a statistic on twins, value and standard deviation, with their setting.
        by: the column of the horizontal axis.
        colour: of the band.
        label: for the legend.
    """
    keys = list(dict.fromkeys((by, "setting", "iteration")))
    found = null.groupby(keys, observed=True)[["value", "se"]].mean()
    low = (found["value"] - 1.96 * found["se"]).groupby(level=0).min()
    high = (found["value"] + 1.96 * found["se"]).groupby(level=0).max()
    axes.fill_between(low.index, low, high, color=colour, alpha=0.2, linewidth=0, label=label)


def stack(
    axes: plt.Axes, y: np.ndarray, widths: dict[str, np.ndarray], height: float, *, outline: bool = False
) -> None:
    """Stacked horizontal bars, what is negative to the left.

    Args:
        axes: where to.
        y: places of the bars.
        widths: part to its lengths.
        height: of a bar.
        outline: hatched outlines in place of filled bars.
    """
    up, down = np.zeros(len(y)), np.zeros(len(y))
    for (part, width), colour in zip(widths.items(), COLOURS, strict=False):
        style = {"fill": False, "edgecolor": colour, "hatch": "/////"} if outline else {"color": colour, "label": part}
        axes.barh(y, width, left=np.where(width >= 0, up, down), height=height, **style)
        up, down = up + np.clip(width, 0, None), down + np.clip(width, None, 0)
