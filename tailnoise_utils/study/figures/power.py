"""Figure and tables of the experiment ``power``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..experiments.power import TESTS
from ..results.store import Results
from ..style import figure
from .panels import facets

_DARK = 0.6  # rate from which a cell is dark and its number white
_PLACE = ["P", "width", "coordinates"]


def power_table(results: Results, quantity: str = "value") -> pd.DataFrame:
    """Return the fraction of rejections at the 5 % level (or its error, "se"): a row a law, a column a test."""
    index = [*_PLACE, "share", "alpha"]
    return results.table().pivot_table(index=index, columns="scope", values=quantity, sort=False)[list(TESTS)]


def _stable(share: float) -> str:
    """Return what figures call stable noise of some weight."""
    return "SaS" if share == 1 else f"{100 * share:g} % SaS"


@figure
def power_of_tests(results: Results) -> Figure:
    """Draw rejections (%) as numbers in shaded cells: a line a law, a column a test; panels by matrix and coordinates."""
    table = power_table(results).reset_index()
    heights = table.drop_duplicates(["P", "width", "share", "alpha"]).groupby(["P", "width"], sort=False).size()

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        rates = rows[list(TESTS)].to_numpy()
        axes.imshow(rates, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (i, j), rate in np.ndenumerate(rates):
            style = {"ha": "center", "va": "center", "color": "white" if rate > _DARK else "black"}
            axes.text(j, i, f"{100 * rate:.0f}", fontsize=9, **style)  # a cell has no room for 10 points
        axes.set_xticks(range(len(TESTS)), TESTS, rotation=90)
        laws = zip(rows["share"], rows["alpha"], strict=True)
        names = ["Gaussian" if alpha == 2 else f"{_stable(share)} {alpha:g}" for share, alpha in laws]
        axes.set_yticks(range(len(rates)), names)
        axes.grid(visible=False)
        axes.vlines(np.arange(len(TESTS) - 1) + 0.5, -0.5, len(rates) - 0.5, color="white", linewidth=1)
        axes.tick_params(length=0)

    layout = {"rows": ["P", "width"], "columns": ["coordinates"], "title": "{coordinates}, {P} × {width:,}"}
    layout |= {"sharey": "row", "height_ratios": list(heights), "legend": 0, "most": 99}
    height = 0.25 + (0.24 * heights.sum() + 0.9) / len(heights)
    drawn, _ = facets(table, draw, height=height, **layout)
    drawn.supxlabel("matrices in which a test finds heavy tails, at the 5 % level (%)")
    return drawn


def power_limits(results: Results, wanted: float = 0.8) -> pd.DataFrame:
    """Return the largest alpha found in a `wanted` fraction of the matrices, by noise and test; in brackets the missed."""
    table = power_table(results).query("alpha < 2")
    laws = table.groupby(_PLACE[:2])[TESTS[0]].transform("size")
    rates = table[laws == laws.max()].rename(index=_stable, level="share")
    rates = rates.rename_axis(index={"share": "noise"}).droplevel("width")
    groups = rates.groupby(["noise", "P", "coordinates"], sort=False)
    limits = groups.agg(lambda of_test: _limit(of_test.droplevel([0, 1, 2]), wanted)).rename_axis(columns=None)
    return limits.sort_index(level="noise", ascending=False, sort_remaining=False)


def _limit(rates: pd.Series, wanted: float) -> str:
    """Return the largest alpha that is found often enough, and the smaller ones that are missed."""
    often = rates.index[rates >= wanted]
    if often.empty:
        return "none"
    missed = sorted(rates.index[(rates < wanted) & (rates.index < often.max())], reverse=True)
    return f"{often.max():g}" + (f" (not {', '.join(f'{alpha:g}' for alpha in missed)})" if missed else "")


def power_words(results: Results, test: str, alpha: float, share: float = 1.0, *, wide: bool = False) -> str:
    """Return the rates (%) of a test against one law, a kind of coordinates after the other: "100 / 34 / 44"."""
    rates, runs = 100 * power_table(results)[test], results.runs

    def words(P: int, width: int) -> str:
        chosen = rates.xs((P, width, share, alpha), level=["P", "width", "share", "alpha"])
        return " / ".join(f"{rate:.0f}" for rate in chosen)

    # The smallest matrices; in brackets those with the most rows.
    few, many, narrow, broad = map(int, (*runs["P"].agg(["min", "max"]), *runs["width"].agg(["min", "max"])))
    if wide:
        return words(few, broad)
    return words(few, narrow) + (f" ({words(many, narrow)})" if many > few else "")
