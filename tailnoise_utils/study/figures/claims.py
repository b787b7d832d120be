"""The scorecard: a strip a claim."""

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt

from ..claims import VERDICTS, Verdict
from ..style import COLOURS, WIDTH, figure
from .paper import PALE

# Blue for what holds, orange for what does not, grey where nothing can be said.
_COLOURS = dict(zip(VERDICTS, (COLOURS[0], COLOURS[4], COLOURS[1], "#999999"), strict=True))
_ALPHA = r"$\hat\alpha$"
_NAMED = 8  # cells of a strip up to which they are named


@figure
def strips(judged: Sequence[Verdict]) -> plt.Figure:
    """Draw a strip a claim in its own unit: the range of each cell with its median, and the paper's range as a band."""
    shown = [v for v in judged if v.cells["value"].notna().any()]
    rows = [min(len(v.cells), _NAMED) + 1 for v in shown] or [1]  # an empty figure where nothing could be judged
    settings = {"height_ratios": rows, "figsize": (WIDTH, 0.15 * sum(rows) + 0.5 * len(rows)), "squeeze": False}
    drawn, panels = plt.subplots(len(rows), 1, **settings)
    for axes, v in zip(panels[:, 0], shown, strict=False):
        cells = v.cells.dropna(subset="value")
        y = -np.arange(len(cells))
        ends = [cells["low"].min(), cells["high"].max(), *(v.band or ())]
        ends = [end for end in ends if np.isfinite(end)]
        margin = 0.08 * (max(ends) - min(ends))
        limits = min(ends) - margin, max(ends) + margin
        if v.band:
            axes.axvspan(max(v.band[0], limits[0]), min(v.band[1], limits[1]), color=PALE, linewidth=0, zorder=0)
        axes.hlines(y, cells["low"], cells["high"], color=_COLOURS[v.recurs], linewidth=2)
        for holds, face in ((True, _COLOURS[v.recurs]), (False, "white")):
            which = (cells["holds"] == holds).to_numpy()
            marks = {"marker": "o", "color": _COLOURS[v.recurs], "linestyle": "none", "label": v.claim}
            axes.plot(cells["value"][which], y[which], **marks, markerfacecolor=face)
        names = cells["cell"].str.replace("alpha^", _ALPHA) if len(y) <= _NAMED else []
        axes.set(xlim=limits, ylim=(y.min() - 1, 1))
        axes.set_yticks(y[: len(names)], names)
        axes.tick_params(axis="y", length=0)
        axes.set_title(f"{v.claim}: {v.recurs}", loc="left")
        axes.set_title(v.unit.replace("alpha^", _ALPHA), loc="right")
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
    return drawn
