"""C9: exit times and rates of the Levy-driven process against the theory."""

import math

import numpy as np
import pandas as pd

from ..results.store import Results
from .verdict import NOT_TESTED, Verdict

__all__ = ["c9", "c9_checks", "exit_slopes", "rate_ratios"]

_TOLERANCE = 0.05  # of slopes, and of ratios of rates
_NORMAL = 1.96  # a 95 % interval in standard errors


def exit_slopes(results: Results) -> pd.DataFrame:
    r"""Slopes of the logarithm of the mean exit time, one a series of runs in which one setting varies.

    Least squares weighted by the squared inverse standard errors; the slope's own standard error is what these imply.
    Under Brownian noise the prefactor of the exit time is the same throughout a series only where eps varies: there, at
    one width and depth, the slope in H / D is 1. The series in the width (slope 2 in ln a) and in the depth are shown,
    not judged.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a slope: alpha, series, against, slope, se, expected, judged, points.
    """
    table = results.table()
    rows = []
    exits = table[table["quantity"] == "exit time"] if "vary" in table else table.iloc[:0]
    for (alpha, series), of in exits.groupby(["alpha", "vary"]) if len(exits) else ():
        if series == "dt":
            continue
        barrier = of["height"] / of["eps"] ** 2
        kinds = {
            "half_width": ("ln a", np.log(of["half_width"]), alpha, alpha < 2),
            "eps": ("ln eps", np.log(of["eps"]), -alpha, True) if alpha < 2 else ("H / D", barrier, 1.0, True),
            "height": ("H", of["height"], 0.0, True) if alpha < 2 else ("H / D", barrier, 1.0, False),
        }
        against, x, expected, judged = kinds[series]
        slope, se = _line(x.to_numpy(), np.log(of["value"].to_numpy()), (of["se"] / of["value"]).to_numpy())
        line = (alpha, series, against, slope, se, expected, judged, len(of))
        rows.append(line)
    return pd.DataFrame(
        rows, columns=["alpha", "series", "against", "slope", "se", "expected", "judged", "points"]
    ).astype({"judged": bool})


def _line(x: np.ndarray, y: np.ndarray, se: np.ndarray) -> tuple[float, float]:
    """Slope of a weighted least-squares line, and its standard error."""
    weight = 1 / se**2
    from_mean = x - np.average(x, weights=weight)
    square = (weight * from_mean**2).sum()
    if not square > 0:
        return math.nan, math.inf
    return float((weight * from_mean * y).sum() / square), float(square**-0.5)


def rate_ratios(results: Results) -> pd.DataFrame:
    """Simulated rates over those of the theory, in absolute time, nothing fitted.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a rate: alpha; kind, "exit" (one over the mean exit time; theory: the limit of small noise for alpha < 2,
        the exact mean at alpha = 2) or "move" (between two wells; theory: the generator of the limiting chain); what;
        ratio; se.
    """
    table = results.table()
    rows = []
    if "vary" in table:
        exits = table[table["vary"].notna() & (table["vary"] != "dt")]
        for run, of in exits.groupby("run", sort=False):
            at = of.set_index("quantity")
            first = at.iloc[0]
            theory = at.loc["exit time, limit" if first["alpha"] < 2 else "exit time, exact", "value"]
            time = at.loc["exit time"]
            what = f"a = {first['half_width']:g}, H = {first['height']:g}, eps = {first['eps']:.3g}"
            ratio = theory / time["value"]
            rows.append((first["alpha"], "exit", what, ratio, ratio * time["se"] / time["value"], run))
    moves = table[table["quantity"].isin(["rate", "rate, limit"]) & (table["alpha"] < 2)]
    for (run, scope, to), of in moves.groupby(["run", "scope", "x"], sort=False):
        at = of.set_index("quantity")
        limit = at.loc["rate, limit", "value"]
        found = at.loc["rate"]
        what = f"{scope} to {to:g}"
        rows.append((found["alpha"], "move", what, found["value"] / limit, found["se"] / limit, run))
    return pd.DataFrame(rows, columns=["alpha", "kind", "what", "ratio", "se", "run"]).drop(columns="run")


def c9_checks(results: Results) -> pd.DataFrame:
    """Everything that the verdict on C9 rests on, line by line.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a check: alpha, kind, what, value, half (width of the 95 % interval), expected, and the outcome: "holds"
        if the value is within 0.05 of what is expected, "fails" if not, "undecided" if `half` is above 0.05.
    """
    slopes = exit_slopes(results).query("judged")
    slopes = slopes[slopes["points"] >= 3]
    slopes = slopes.assign(kind="slope in " + slopes["against"], what=slopes["series"], value=slopes["slope"])
    ratios = rate_ratios(results).assign(expected=1.0)
    ratios = ratios.assign(kind=ratios["kind"] + " rate", value=ratios["ratio"])
    checks = pd.concat([part[["alpha", "kind", "what", "value", "se", "expected"]] for part in (slopes, ratios)])
    checks = checks.assign(half=_NORMAL * checks["se"]).drop(columns="se").reset_index(drop=True)
    # At the limit itself, 1.05 as it is computed, a value holds.
    near = (checks["value"] - checks["expected"]).abs() <= _TOLERANCE + 1e-12
    outcome = np.where(near, "holds", "fails")
    return checks.assign(outcome=np.where(checks["half"] <= _TOLERANCE, outcome, "undecided"))


_LEVY_KINDS = {"slope in ln a", "slope in ln eps", "slope in H", "exit rate", "move rate"}
_BROWNIAN_KINDS = {"slope in H / D", "exit rate"}


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

    Returns:
        The verdict on results of ``metastability``.
    """
    checks = c9_checks(results)
    found = {float(alpha): set(of["kind"]) for alpha, of in checks.groupby("alpha")}
    absent = [
        f"alpha = {alpha:g}: no {kind}"
        for alpha, kinds in found.items()
        for kind in sorted((_LEVY_KINDS if alpha < 2 else _BROWNIAN_KINDS) - kinds)
    ]
    absent += [] if 2.0 in found else ["no Brownian noise"]
    absent += [] if any(alpha < 2 for alpha in found) else ["no Levy noise"]
    count = checks["outcome"].value_counts()
    numbers = {of: float(count.get(of, 0)) for of in ("holds", "fails", "undecided")}
    numbers |= {"checks": float(len(checks))}
    if len(checks):
        numbers |= {
            f"largest deviation, {kind}": float((of["value"] - of["expected"]).abs().max())
            for kind, of in checks.groupby("kind")
        }
    evidence = f"{numbers['holds']:.0f} of {len(checks)} checks hold"
    if absent or numbers["undecided"]:
        reasons = [*absent, f"{numbers['undecided']:.0f} intervals are wider than the tolerance"]
        return Verdict("C9", NOT_TESTED, f"{evidence}; {'; '.join(reasons)}.", numbers)
    whole = {alpha: bool((of["outcome"] == "holds").all()) for alpha, of in checks.groupby("alpha")}
    verdict = "partly" if any(whole.values()) else "not reproduced"
    failed = checks[checks["outcome"] == "fails"]
    lines = [f"alpha = {c.alpha:g}, {c.kind} ({c.what}): {c.value:.3f}" for c in failed.itertuples()]
    return Verdict(
        "C9",
        verdict,
        f"{evidence}; time in wide valleys not judged. "
        + (f"Failed: {'; '.join(lines)}." if lines else "None failed."),
        numbers,
    )
