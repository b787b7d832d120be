"""Figure and tables of the experiment ``power``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..experiments.power import TESTS
from ..results.store import Results
from ..style import figure
from .panels import facets

_DARK = 0.6  # rate from which a cell is dark and its number white
_COUNTED = [test for test in TESTS if test != "per coordinate, K1 = 3"]  # in a conclusion; and this


def power_table(results: Results, quantity: str = "value") -> pd.DataFrame:
    """Return the fraction of rejections at the 5 % level (or its error, "se"): a row a law, a column a test."""
    index = ["P", "width", "coordinates", "share", "alpha"]
    return results.table().pivot_table(index=index, columns="scope", values=quantity, sort=False)[list(TESTS)]


def _all_laws(results: Results) -> pd.DataFrame:
    """Return the rates of the tests that count, of the matrices that have every law: those with the fewest columns."""
    table = power_table(results)[_COUNTED]
    return table.xs(results.runs["width"].min(), level="width")


def _stable(share: float) -> str:
    """Return what figures call stable noise of some weight."""
    return "SaS" if share == 1 else f"{100 * share:g} % SaS"


@figure
def power_of_tests(results: Results) -> plt.Figure:
    """Draw rejections (%) as numbers in shaded cells: a line a law, a column a test; panels by P and coordinates."""
    table = _all_laws(results).reset_index()

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        rates = rows[_COUNTED].to_numpy()
        axes.imshow(rates, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (i, j), rate in np.ndenumerate(rates):
            style = {"ha": "center", "va": "center", "color": "white" if rate > _DARK else "black"}
            axes.text(j, i, f"{100 * rate:.0f}", **style)
        axes.set_xticks(range(len(_COUNTED)), _COUNTED, rotation=90)
        laws = zip(rows["share"], rows["alpha"], strict=True)
        names = ["Gaussian" if alpha == 2 else f"{_stable(share)} {alpha:g}" for share, alpha in laws]
        axes.set_yticks(range(len(rates)), names)
        axes.grid(visible=False)
        axes.vlines(np.arange(len(_COUNTED) - 1) + 0.5, -0.5, len(rates) - 0.5, color="white", linewidth=1)
        axes.tick_params(length=0)

    layout = {"rows": ["P"], "columns": ["coordinates"], "title": "{coordinates}, P = {P}", "legend": 0}
    drawn, _ = facets(table, draw, height=3.2, **layout)
    drawn.supxlabel("matrices in which a test finds heavy tails, at the 5 % level (%)")
    return drawn


def power_limits(results: Results, wanted: float = 0.8) -> pd.DataFrame:
    """Return the largest alpha that a test finds, with every smaller one, in a `wanted` fraction of the matrices."""
    rates = _all_laws(results).query("alpha < 2").rename(index=_stable, level="share")
    rates = rates.rename_axis(index={"share": "noise"}).reorder_levels(["noise", "P", "coordinates", "alpha"])
    limits = rates.groupby(level=[0, 1, 2], sort=False).agg(lambda test: _limit(test.droplevel([0, 1, 2]), wanted))
    return limits.rename_axis(columns=None).sort_index(level="noise", ascending=False, sort_remaining=False)


def _limit(rates: pd.Series, wanted: float) -> str:
    """Return the largest alpha down from which each is found often enough."""
    often = rates.sort_index().cummin() >= wanted
    return f"{often.index[often].max():g}" if often.any() else "none"


def numbers(results: Results) -> dict[str, float]:
    """Return the numbers of the page's text: rates of the conclusion and of tau with the fewest minibatches, and others."""
    rates, runs, gaussian = power_table(results), results.runs, results.table().query("alpha == 2")
    matrices = runs.loc[runs["alpha"] == 2, "replicates"].sum()
    level = (gaussian["value"] * gaussian["replicates"]).groupby(gaussian["scope"]).sum()[_COUNTED] / matrices
    few = _all_laws(results).xs(runs["P"].min(), level="P").query("alpha < 2")
    pure, tenth = few.query("share == 1"), few.query("share < 1")
    dependent = tenth.query("coordinates != 'independent'")
    columns = rates.xs((runs["P"].min(), 0.1, 1.8), level=["P", "share", "alpha"])["tail excess"]
    wide = columns.xs(runs["width"].max(), level="width")
    return {
        "matrices": float(runs["replicates"].sum()),
        "columns": float(runs["width"].max()),
        "se": float(power_table(results, "se").max(axis=None)),
        "gaussian": float(matrices),
        "level_low": float(level.drop("conclusion").min()),
        "level_high": float(level.drop("conclusion").max()),
        "level_conclusion": float(level["conclusion"]),
        "pure": float(pure["conclusion"].min()),
        "tenth": float(dependent["conclusion"].max()),
        "index": float(pure.xs(1.95, level="alpha")["per coordinate, K1 = 30"].max()),
        "narrow": float(columns[runs["width"].min(), "independent"]),
        "wide": float(wide["independent"]),
        "wide_dependent": float(wide.drop("independent").max()),
    }
