"""The look of every figure: colours by concept, size, `@figure`; what else is common is in ``book.mplstyle``."""

import functools
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

P = ParamSpec("P")

# Okabe and Ito's palette: told apart with any colour vision, and in this order also in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777", "#B8A800", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
# One look a concept, on every page; combine them, as in LOOK["joint"] | LOOK["mnist"] | LOOK["before"].
LOOK = {
    "joint": {"color": "#D55E00"},
    "per coordinate": {"color": "#0072B2"},
    "Gaussian": {"color": "#777777", "linestyle": ":"},  # its twin, or the value of independent Gaussian entries
    "stable": {"color": "black", "linestyle": "-."},
    "before": {"markerfacecolor": "white", "linestyle": "--"},
    "after": {},  # filled
    "hollow": {"markerfacecolor": "white"},
    "mnist": {"marker": "o"},
    "cifar10": {"marker": "s"},
    "cifar100": {"marker": "D"},
}
# What the joint estimate reads is in its colour, what tau reads is in that of the coordinates.
PART_COLOURS = {"correlation": "#D55E00", "order": "#E69F00", "scales": "#009E73", "tails": "#0072B2"}
WIDTH = 6.9  # inches, the column of the book
STYLE = mpl.rc_params_from_file(Path(__file__).with_name("book.mplstyle"), use_default_template=False)
STYLE |= {"axes.prop_cycle": mpl.cycler(color=COLOURS), "figure.figsize": (WIDTH, 4.2)}


def figure(draw: Callable[P, plt.Figure]) -> Callable[P, plt.Figure]:
    """Draw in the style of the book, and close the figure: a notebook shows what its cell returns, once."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> plt.Figure:
        with mpl.rc_context(STYLE):
            drawn = draw(*args, **kwargs)
            for axis in (axis for axes in drawn.axes for axis in (axes.xaxis, axes.yaxis)):
                axis.get_major_ticks(1)  # made now, in this style: the others are copies of it
        plt.close(drawn)
        return drawn

    return styled


def svg_in_notebooks() -> None:
    """Show figures in a notebook as SVG, neither cropped nor scaled; call it once, before the first figure."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats  # notebooks alone have it

    set_matplotlib_formats("svg", bbox_inches=None, facecolor="white")


def series(names: Iterable[Any]) -> dict[Any, dict[str, Any]]:
    """Return colour and mark for an ordered series of lines, such as depths: dark to light, told apart in grey too."""
    names = list(names)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.88, max(len(names), 2)))
    looks = zip(names, colours, itertools.cycle(MARKERS), strict=False)
    return {name: {"color": tuple(colour), "marker": marker} for name, colour, marker in looks}
