"""C9: exit times and rates of the Levy-driven process against the theory."""

import numpy as np
import pandas as pd

from ..results.store import Results
from .verdict import Verdict, cell, cells_of, judge

TOLERANCE = 0.05  # of slopes, of rates over the theory's, and of shares of the time


def exit_runs(results: Results) -> pd.DataFrame:
    """Return the runs of exits, one a line: settings, mean exit time, its standard error, what theory says."""
    table = results.table()
    times = table[table["quantity"] == "exit time"].set_index("run")
    table = table[table["run"].isin(times.index)]
    wide = table.pivot_table(index="run", columns="quantity", values="value", sort=False)
    names = ["vary", "alpha", "half_width", "height", "eps", "dt", "edge", "shifted"]
    return results.runs.set_index("run").reindex(columns=names).join(wide, how="inner").join(times["se"])


def exit_slopes(results: Results) -> pd.DataFrame:
    """Return the slope of the logarithm of the mean exit time, weighted least squares, for each series of runs."""
    lines = []
    for (alpha, series), rows in exit_runs(results).query("vary != 'dt'").groupby(["alpha", "vary"]):
        barrier = ("H / D", rows["height"] / rows["eps"] ** 2, 1.0)
        against, x, expected = {
            "half_width": ("ln a", np.log(rows["half_width"]), alpha),
            "eps": ("ln eps", np.log(rows["eps"]), -alpha) if alpha < 2 else barrier,
            "height": ("H", rows["height"], 0.0) if alpha < 2 else barrier,
        }[series]
        time, error = rows["exit time"].to_numpy(), rows["se"].to_numpy()
        slope, se = _line(x.to_numpy(), np.log(time), error / time)
        # Not Brownian ones in width and depth: the prefactor changes along them.
        lines.append((alpha, series, against, slope, se, expected, alpha < 2 or series == "eps", len(rows)))
    names = ["alpha", "series", "against", "slope", "se", "expected", "judged", "points"]
    return pd.DataFrame(lines, columns=names).astype({"judged": bool})


def _line(x: np.ndarray, y: np.ndarray, se: np.ndarray) -> tuple[float, float]:
    """Return the slope of a weighted least-squares line, and its standard error."""
    if not np.ptp(x) > 0:
        return np.nan, np.inf
    (slope, _), covariance = np.polyfit(x, y, 1, w=1 / se, cov="unscaled")
    return float(slope), float(covariance[0, 0] ** 0.5)


def rate_ratios(results: Results) -> pd.DataFrame:
    """Return rates over the theory in absolute time, of exits (at alpha = 2 over the exact mean) and of moves."""
    lines = []
    for _, run in exit_runs(results).query("vary != 'dt'").iterrows():
        ratio = run["exit time, limit" if run["alpha"] < 2 else "exit time, exact"] / run["exit time"]
        what = f"a = {run['half_width']:g}, H = {run['height']:g}, eps = {run['eps']:.3g}"
        lines.append((run["alpha"], "exit", what, ratio, ratio * run["se"] / run["exit time"]))
    moves = results.table().query("quantity in ('rate', 'rate, limit') and alpha < 2")
    for (_, scope, to), rows in moves.groupby(["run", "scope", "x"], sort=False):
        rate, limit = (rows.set_index("quantity").loc[name] for name in ("rate", "rate, limit"))
        ratio, se = rate["value"] / limit["value"], rate["se"] / limit["value"]
        lines.append((rate["alpha"], "move", f"{scope} to {to:g}", ratio, se))
    return pd.DataFrame(lines, columns=["alpha", "kind", "what", "ratio", "se"])


def checks(wells: Results, limit: Results | None = None) -> pd.DataFrame:
    """Return simulation less theory of every slope, rate (`limit`: extrapolated to no noise) and share of the time."""
    slopes = exit_slopes(wells).query("judged and points >= 3")
    parts = [slopes.assign(kind="slopes of exit times", off=slopes["slope"] - slopes["expected"])]
    ratios = rate_ratios(wells)
    ratios = ratios.assign(kind=ratios["kind"] + " rates", off=ratios["ratio"] - 1)
    if limit is not None and len(limit.runs):
        alpha = limit.runs["alpha"].iloc[0]
        ratios = ratios[(ratios["kind"] == "exit rates") | (ratios["alpha"] != alpha)]
        parts.append(pd.DataFrame({"alpha": alpha, "kind": "move rates", "off": without_noise(limit) - 1}))
    table = wells.table().set_index(["alpha", "scope"])
    share, theory = (table.loc[table["quantity"] == name, "value"] for name in ("occupation", "occupation, limit"))
    off = (share - theory).rename("off").reset_index().assign(kind="time in each well")
    return pd.concat([*parts, ratios, off], ignore_index=True)[["alpha", "kind", "off"]].dropna()


def rates_by_noise(results: Results) -> pd.DataFrame:
    """Return rates of moves over those of the generator, with errors, by well (scope), well moved to (x), eps and dt."""
    table = results.table().set_index(["scope", "x", "eps", "dt"])
    rate, limit = (table[table["quantity"] == name] for name in ("rate", "rate, limit"))
    return rate[["value", "se"]].div(limit["value"], axis=0).sort_index()


def without_noise(results: Results) -> np.ndarray:
    """Extrapolate rates of moves over the theory's to no noise, along a line in eps^alpha, at the largest time step."""
    ratio, alpha = rates_by_noise(results).reset_index(), results.runs["alpha"].iloc[0]
    groups = ratio[ratio["dt"] == ratio["dt"].max()].groupby(["scope", "x"])
    lines = [np.polyfit(rows["eps"] ** alpha, rows["value"], 1, w=1 / rows["se"]) for _, rows in groups]
    return np.array([at_zero for _, at_zero in lines])


def c9(wells: Results, limit: Results) -> Verdict:
    """C9: Exit times depend on the width of a well under Levy noise, and exponentially on its depth under Brownian noise.

    The Levy-driven process spends most of its time in wide wells.

    The rule: slopes of the logarithm of the exit time in ln width, ln noise and depth, exit rates, rates of moves and the
    share of the time in each well are those of the theory within .05, rates relatively; rates of moves at the largest index
    are extrapolated to no noise (decided when the others were known), where alone the theory is exact; and the wider half
    of the wells have more than half of the time under Levy noise.
    """
    table = checks(wells, limit)
    noise = ["Brownian" if alpha == 2 else f"alpha = {alpha:g}" for alpha in table["alpha"]]
    cells = cells_of(table.assign(noise=noise, value=table["off"], holds=near(table["off"])), ("noise", "kind"))
    for alpha, share in time_in_wide_wells(wells).drop(2.0, errors="ignore").items():
        cells.append(cell(f"alpha = {alpha:g}, time in the wider half of the wells", (), share > 0.5))
    return judge(c9, cells, "simulation less theory", "the theory", (-TOLERANCE, TOLERANCE))


def time_in_wide_wells(wells: Results) -> pd.Series:
    """Return the share of the time in the wider half of the wells, by index; narrow is where the next maximum is near."""
    shares = {}
    for (run, alpha), rows in wells.table().query("quantity == 'occupation'").groupby(["run", "alpha"]):
        minima, maxima = (wells.runs.set_index("run").loc[run, name] for name in ("minima", "maxima"))
        width = np.abs(np.subtract.outer(minima, maxima)).min(1)
        wide = [f"well {k + 1}" for k in np.argsort(width)[len(width) // 2 :]]
        shares[alpha] = rows.loc[rows["scope"].isin(wide), "value"].sum()
    return pd.Series(shares).sort_index()


def near(off: pd.Series) -> pd.Series:
    """Tell what is as in the theory, rounding aside."""
    return off.abs().le(TOLERANCE + 1e-12)
