"""C9: exit times and rates of the Levy-driven process against the theory."""

import numpy as np
import pandas as pd

from ..results.store import Results
from .verdict import NOT_TESTED, Verdict

_TOLERANCE = 0.05  # of slopes, and of ratios of rates
_NORMAL = 1.96  # standard errors in half of a 95 % interval
_LEVY_KINDS = {"slope in ln a", "slope in ln eps", "slope in H", "exit rate", "move rate"}
_BROWNIAN_KINDS = {"slope in H / D", "exit rate"}


def exit_runs(results: Results) -> pd.DataFrame:
    """Return the runs of exits, one a line: settings, mean exit time, its standard error, what theory says."""
    table = results.table()
    times = table[table["quantity"] == "exit time"].set_index("run")
    table = table[table["run"].isin(times.index)]
    wide = table.pivot_table(index="run", columns="quantity", values="value", sort=False)
    names = ["vary", "alpha", "half_width", "height", "eps", "dt", "edge", "shifted"]
    return results.runs.set_index("run").reindex(columns=names).join(wide, how="inner").join(times["se"])


def exit_slopes(results: Results) -> pd.DataFrame:
    """Return the slope of the logarithm of the mean exit time for each series of runs in which one setting varies.

    Least squares weighted by the squared inverse standard errors, from which the slope's own error follows. Brownian series
    in width (slope 2 in ln a) and depth are not judged: the prefactor of the exit time changes along them.
    """
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
        lines.append((alpha, series, against, slope, se, expected, alpha < 2 or series == "eps", len(rows)))
    names = ["alpha", "series", "against", "slope", "se", "expected", "judged", "points"]
    return pd.DataFrame(lines, columns=names).astype({"judged": bool})


def _line(x: np.ndarray, y: np.ndarray, se: np.ndarray) -> tuple[float, float]:
    """Return the slope of a weighted least-squares line, and its standard error."""
    weight = 1 / se**2
    from_mean = x - np.average(x, weights=weight)
    square = (weight * from_mean**2).sum()
    if not square > 0:
        return np.nan, np.inf
    return float((weight * from_mean * y).sum() / square), float(square**-0.5)


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


def c9_checks(results: Results) -> pd.DataFrame:
    """Return the checks behind the verdict: outcome, value, expected, and `half` of its 95 % interval, one a line."""
    slopes = exit_slopes(results).query("judged and points >= 3")
    slopes = slopes.assign(kind="slope in " + slopes["against"], what=slopes["series"], value=slopes["slope"])
    ratios = rate_ratios(results).rename(columns={"ratio": "value"})
    ratios = ratios.assign(kind=ratios["kind"] + " rate", expected=1.0)
    checks = pd.concat([part[["alpha", "kind", "what", "value", "se", "expected"]] for part in (slopes, ratios)])
    checks = checks.assign(half=_NORMAL * checks["se"]).drop(columns="se").reset_index(drop=True)
    near = (checks["value"] - checks["expected"]).abs() <= _TOLERANCE + 1e-12  # rounding aside
    imprecise = ~(checks["half"] <= _TOLERANCE)
    return checks.assign(outcome=np.select([imprecise, near], ["undecided", "holds"], "fails"))


def c9(results: Results) -> Verdict:
    """C9: Exit times under Levy noise depend polynomially on the width, not on the depth.

    Under Brownian noise they depend exponentially on the depth. The Levy-driven process spends most of its time in wide
    valleys.

    The rule: Slopes of the logarithm of the mean exit time are those of the theory within .05, rates within 5 %. The last
    part, most of the time in wide valleys, is not judged: at best "partly".

    Levy, for each alpha: the slope of ln T in ln a is alpha, in ln eps -alpha, in H 0; Brownian: in H / D 1. Every exit
    rate and every rate of moves between wells is compared with the theory in absolute time. "Partly" if all of that holds
    for all or some of the noises (the values of alpha, 2 among them), never more; "not reproduced" if it holds for none;
    "not tested at this scale" if a check is absent, or its 95 % interval wider than what it is to decide.
    """
    checks = c9_checks(results)
    alphas, absent = set(checks["alpha"]), []
    for alpha, rows in checks.groupby("alpha"):
        missing = (_LEVY_KINDS if alpha < 2 else _BROWNIAN_KINDS) - set(rows["kind"])
        absent += [f"alpha = {alpha:g}: no {kind}" for kind in sorted(missing)]
    absent += [] if 2.0 in alphas else ["no Brownian noise"]
    absent += [] if alphas - {2.0} else ["no Levy noise"]
    numbers = {name: float((checks["outcome"] == name).sum()) for name in ("holds", "fails", "undecided")}
    off = (checks["value"] - checks["expected"]).abs().groupby(checks["kind"]).max()
    numbers |= {"checks": float(len(checks))} | {f"largest deviation, {kind}": value for kind, value in off.items()}
    evidence = f"{numbers['holds']:.0f} of {len(checks)} checks hold"
    if absent or numbers["undecided"]:
        reasons = [*absent, f"{numbers['undecided']:.0f} intervals are wider than the tolerance"]
        return Verdict("C9", NOT_TESTED, f"{evidence}; {'; '.join(reasons)}.", numbers)
    failed = checks[checks["outcome"] == "fails"]
    verdict = "partly" if alphas - set(failed["alpha"]) else "not reproduced"
    lines = [f"alpha = {c.alpha:g}, {c.kind} ({c.what}): {c.value:.3f}" for c in failed.itertuples()]
    failures = f"Failed: {'; '.join(lines)}." if lines else "None failed."
    return Verdict("C9", verdict, f"{evidence}; time in wide valleys not judged. {failures}", numbers)
