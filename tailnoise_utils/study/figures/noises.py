"""What figures of simulated exits have in common: names of noises, points with intervals, plain ticks."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..style import COLOURS, MARKERS

Z = 1.96  # half of a 95 % interval, in standard errors


def noise_name(alpha: float) -> str:
    """What figures and tables call a noise.

    Args:
        alpha: its index.

    Returns:
        "α = 1.5", or "Brownian".
    """
    return "Brownian" if alpha == 2 else f"α = {alpha:g}"


def points(
    panel: Axes,
    x: np.ndarray | pd.Series,
    y: pd.Series,
    se: pd.Series,
    number: int,
    *,
    label: str | None = None,
    line: str = "",
    hollow: bool = False,
) -> None:
    """Points with 95 % intervals.

    Args:
        panel: where to.
        x: their places.
        y: their heights.
        se: standard errors of the heights.
        number: of colour and marker.
        label: for the legend.
        line: style of the line through them; "" for none.
        hollow: white markers with a coloured rim.
    """
    colour = COLOURS[number]
    style = {"fmt": MARKERS[number] + line, "ms": 5, "linewidth": 1, "color": colour, "label": label}
    panel.errorbar(x, y, Z * se, markerfacecolor="white" if hollow else colour, **style)


def name_ticks(panel: Axes, values: pd.Series) -> None:
    """Ticks of the horizontal axis at the values that occur, as plain numbers.

    Args:
        panel: where to.
        values: with repetitions.
    """
    ticks = sorted(set(values))
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.xaxis.set_minor_locator(mpl.ticker.NullLocator())
