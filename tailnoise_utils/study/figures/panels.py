"""What figures have in common: names of configurations, ends of the training, grids of panels, lines with their ranges."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..results.reading import WORDS
from ..style import WIDTH

PARTS = ("correlation", "order", "scales", "tails")
KINDS = {"rows": ("model", "dataset"), "columns": ("loss",), "title": "{model}, {dataset}, {loss}"}  # of networks


def facets(
    table: pd.DataFrame,
    draw: Callable[[plt.Axes, pd.DataFrame], object],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str = "",
    xlabel: str = "",
    ylabel: str | Iterable[str] = "",
    names: Sequence[str] = (),
    height: float = 2.3,
    most: int = 6,
    legend: int | str = 3,
    **layout: Any,
) -> tuple[plt.Figure, np.ndarray]:
    """Draw a grid of panels, one for each combination of some columns; `names` go down their vertical axis from 0 on."""
    keys = (table[[*names]].drop_duplicates().itertuples(index=False) if names else [()] for names in (rows, columns))
    down, across = map(list, keys)
    if len(down) * len(across) > most:
        raise ValueError(f"{len(down)} x {len(across)} panels are more than {most}; draw fewer, or set `most`")
    size = (WIDTH, height * len(down) + 0.8)
    layout = {"figsize": size, "sharex": True, "sharey": True} | layout
    figure, panels = plt.subplots(len(down), len(across), squeeze=False, **layout)
    for (i, j), axes in np.ndenumerate(panels):
        values = dict(zip((*rows, *columns), (*down[i], *across[j]), strict=True))
        of_panel = (table[list(values)] == list(values.values())).all(axis=1)
        axes.set_title(title.format(**{column: WORDS.get(value, value) for column, value in values.items()}))
        if i and axes.get_title() == panels[0, j].get_title():
            axes.set_title("")
        if of_panel.any():
            draw(axes, table[of_panel])
        axes.set_xlabel(xlabel if i == len(down) - 1 else "")
    if isinstance(ylabel, str):
        figure.supylabel(ylabel)
    else:
        for axes, label in zip(panels[:, 0], ylabel, strict=True):
            axes.set_ylabel(label)
    if names:
        panels[0, 0].set_yticks(range(len(names)), names)
        panels[0, 0].invert_yaxis()
    if legend == "direct":
        label_lines(figure, panels[:, -1])
    elif legend:
        legend_below(figure, panels.flat, int(legend))
    return figure, panels


def legend_below(figure: plt.Figure, panels: Iterable[plt.Axes], columns: int) -> None:
    """Put one legend below all panels, where it hides nothing; each label once."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)


def label_lines(figure: plt.Figure, panels: Iterable[plt.Axes], apart: float = 13.0) -> None:
    """Write the label of each line right of its panel, in its colour, at the height of its end or `apart` points off."""
    figure.draw_without_rendering()  # places the ends
    for axes in panels:
        ends = []
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            line = handle[0] if isinstance(handle, tuple) else handle
            points = line.get_xydata()[np.isfinite(line.get_xydata()).all(axis=1)]
            if len(points):
                _, y = axes.transData.transform(points[points[:, 0].argmax()]) - axes.bbox.p0
                ends.append((y * 72 / figure.dpi, label, line.get_color()))
        if not ends:
            continue
        ends.sort(key=lambda end: end[0])
        heights = np.array([height for height, *_ in ends])
        places = np.maximum.accumulate(heights - apart * np.arange(len(ends))) + apart * np.arange(len(ends))
        for place, (_, label, colour) in zip(places + heights.mean() - places.mean(), ends, strict=True):
            style = {"color": colour, "va": "center", "textcoords": "offset points", "annotation_clip": False}
            axes.annotate(label, (1, 0), xycoords="axes fraction", xytext=(4, place), **style)


def mean_and_range(rows: pd.DataFrame, *, by: str | list[str] = "width", inverse: bool = True) -> pd.DataFrame:
    """Return mean and range over the runs, and their number; of alpha^, by the mean of 1/alpha^, if `inverse`."""
    value = rows.groupby(by, observed=True)["value"]
    summary = pd.DataFrame({"mean": value.mean(), "low": value.min(), "high": value.max(), "runs": value.size()})
    if inverse:
        summary[["mean", "low", "high"]] = 1 / summary[["mean", "high", "low"]].to_numpy()
    return summary


def ranges(summary: pd.DataFrame) -> list[pd.Series]:
    """Return the lengths of error bars down to the lowest and up to the highest value."""
    # Where 1/alpha^ changes its sign, as in very small networks, the mean may lie outside.
    return [(summary["mean"] - summary["low"]).clip(0), (summary["high"] - summary["mean"]).clip(0)]


def errorbars(axes: plt.Axes, rows: pd.DataFrame, *, by: str = "width", inverse: bool = True, **style: Any) -> None:
    """Draw means of runs with their range as bars."""
    summary = mean_and_range(rows, by=by, inverse=inverse)
    axes.errorbar(summary.index, summary["mean"], ranges(summary), **style)


def band(axes: plt.Axes, values: pd.DataFrame, colour: Any) -> None:
    """Draw the range of the columns, one a run, as a band."""
    axes.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.22, linewidth=0)
