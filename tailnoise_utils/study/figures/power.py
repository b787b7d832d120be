"""Figure and tables of the experiment ``power``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..experiments.power import TESTS
from ..results.store import Results
from ..style import STYLE, WIDTH

_DARK = 0.6  # rate from which a cell is dark and its number white
_PLACE = ["P", "width", "coordinates"]


def power_table(results: Results, quantity: str = "value") -> pd.DataFrame:
    """Share of rejections at the 5 % level.

    Args:
        results: of the experiment ``power``.
        quantity: ``"value"``, or ``"se"``, its binomial standard error.

    Returns:
        One column a test; one row a law, named by P, width, coordinates, alpha and share: in the order of the grid.
    """
    index = [*_PLACE, "share", "alpha"]
    return results.table().pivot_table(index=index, columns="scope", values=quantity, sort=False)[list(TESTS)]


def _stable(share: float) -> str:
    """Stable noise of some weight, as the figures call it."""
    return "SaS" if share == 1 else f"{100 * share:g} % SaS"


def power_of_tests(results: Results) -> Figure:
    """The share of rejections, in per cent, as a number in a shaded cell.

    Args:
        results: of the experiment ``power``.

    Returns:
        A row of panels for each size of the matrix, a column for each kind of coordinates; in a panel a line a law, a
        column a test.
    """
    table = power_table(results)
    sizes = list(dict.fromkeys(zip(*(table.index.get_level_values(name) for name in _PLACE[:2]), strict=True)))
    kinds = list(dict.fromkeys(table.index.get_level_values("coordinates")))
    heights = [len(table.loc[(*size, kinds[0])]) for size in sizes]
    layout = {"figsize": (WIDTH, 1.7 + 0.24 * sum(heights) + 0.25 * len(sizes)), "sharex": True, "squeeze": False}
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(len(sizes), len(kinds), height_ratios=heights, **layout)
        for row, (P, width) in zip(panels, sizes, strict=True):
            for axes, kind in zip(row, kinds, strict=True):
                rates = table.loc[(P, width, kind)]
                axes.imshow(rates, vmin=0, vmax=1, cmap="Blues", aspect="auto")
                for (i, j), rate in np.ndenumerate(rates.to_numpy()):
                    colour = "white" if rate > _DARK else "black"
                    axes.text(j, i, f"{100 * rate:.0f}", ha="center", va="center", fontsize=9, color=colour)
                axes.set_xticks(range(len(TESTS)), TESTS, rotation=40, ha="right", rotation_mode="anchor")
                names = ["Gaussian" if alpha == 2 else f"{_stable(share)} {alpha:g}" for share, alpha in rates.index]
                axes.set_yticks(range(len(rates)), names if axes is row[0] else [])
                axes.set_title(f"{kind}, {P} × {width:,}", fontsize=10)
                axes.grid(visible=False)
                axes.tick_params(length=0)
        figure.supxlabel("matrices in which a test finds heavy tails, at the 5 % level (%)", fontsize=10)
    plt.close(figure)
    return figure


def power_limits(results: Results, wanted: float = 0.8) -> pd.DataFrame:
    """What size a test that finds nothing could have found: the largest alpha that it finds often enough.

    Args:
        results: of the experiment ``power``.
        wanted: the share of rejections that is enough.

    Returns:
        One column a test; one row a kind of noise ("SaS", or a share of it), P and kind of coordinates, where all laws are
        there. A smaller alpha that is *not* found as often stands in brackets; "none" where no alpha is.
    """
    table = power_table(results).query("alpha < 2")
    counts = table.groupby(_PLACE[:2]).size()
    complete = [size for size, laws in counts.items() if laws == counts.max()]
    found = {}
    for (share, P, width, kind), rates in table.groupby(["share", *_PLACE], sort=False):
        if (P, width) in complete:
            of_alpha = rates.droplevel(["share", *_PLACE])
            found[_stable(share), P, kind] = {test: _limit(of_alpha[test], wanted) for test in TESTS}
    index = pd.MultiIndex.from_tuples(found, names=["noise", "P", "coordinates"])
    return pd.DataFrame(list(found.values()), index=index).sort_index(
        level="noise", ascending=False, sort_remaining=False
    )


def power_words(results: Results, test: str, alpha: float, share: float = 1.0, *, wide: bool = False) -> str:
    """The rates of a test against one law, for the text.

    Args:
        results: of the experiment ``power``.
        test: one of those of :func:`power_table`.
        alpha: of the law.
        share: its weight.
        wide: of the matrices with the most columns, not of those with the fewest rows and columns.

    Returns:
        Per cent of the matrices, a kind of coordinates after the other: "100 / 34 / 44"; in brackets those with the most
        rows, if there are others.
    """
    rates, runs = 100 * power_table(results)[test], results.runs

    def of(P: int, width: int) -> str:
        own = rates.xs((P, width, share, alpha), level=["P", "width", "share", "alpha"])
        return " / ".join(f"{rate:.0f}" for rate in own)

    few, many, narrow, broad = (int(of) for of in (*runs["P"].agg(["min", "max"]), *runs["width"].agg(["min", "max"])))
    if wide:
        return of(few, broad)
    return of(few, narrow) + (f" ({of(many, narrow)})" if many > few else "")


def _limit(rates: pd.Series, wanted: float) -> str:
    """The largest alpha, and the smaller ones that are missed."""
    found = rates.index[rates >= wanted]
    if found.empty:
        return "none"
    missed = sorted(rates.index[(rates < wanted) & (rates.index < found.max())], reverse=True)
    return f"{found.max():g}" + (f" (not {', '.join(f'{alpha:g}' for alpha in missed)})" if missed else "")
