"""The paper's claims and some of our own: a rule on stored rows for each, fixed before the runs it judges; the verdicts.

Statements and rules are read from the docstrings of :func:`tailnoise_utils.study.claims.c1` to
:func:`tailnoise_utils.study.claims.c9` and :func:`tailnoise_utils.study.claims.o1` to
:func:`tailnoise_utils.study.claims.o3`. Common to all of them: tests are made on 1/alpha^ and are one-sided; within a claim
at a false discovery rate of 5 % over its configurations, where all must hold for "reproduced" and all of one level of a
facet for "partly" (:func:`tailnoise_utils.study.claims.decide`); over claims by Holm's procedure at 5 %
(:func:`tailnoise_utils.study.claims.lowered`), the paper's claims and ours by themselves. A configuration's own seeds give
its error where there are 5, else variances are pooled over the configurations that the rule names
(:func:`tailnoise_utils.study.results.reading.over_seeds`).
"""

from collections.abc import Callable
from dataclasses import replace

from .. import experiments
from ..experiments import runner
from ..results.reading import over_seeds
from ..results.store import Results
from .batch_size import batch_slopes, c6, o3
from .estimators import c2, c2_tests
from .exits import c9, c9_checks, exit_slopes, rate_ratios
from .iterations import c7, phases
from .norms import c1, norm_distances
from .ours import o1, o2
from .sizes import c3, c4, c5, c8
from .tails import flat_in_b, heavy_or_else, scale_of_norms
from .verdict import CRITERIA, NOT_TESTED, STATEMENTS, VERDICTS, Verdict, decide, lowered, stated

# Claim to its rule, and the experiments whose results it takes, in this order.
RULES: dict[str, tuple[Callable[..., Verdict], tuple[str, ...]]] = {
    "C1": (c1, ("noise_histogram",)),
    "C2": (c2, ("estimator",)),
    "C3": (c3, ("fcn_size", "cnn_size")),
    "C4": (c4, ("fcn_size",)),
    "C5": (c5, ("cnn_size",)),
    "C6": (c6, ("batch_size",)),
    "C7": (c7, ("iterations",)),
    "C8": (c8, ("fcn_size", "cnn_size")),
    "C9": (c9, ("metastability",)),
    "O1": (o1, ("fcn_size",)),
    "O2": (o2, ("fcn_size",)),
    "O3": (o3, ("batch_scaling",)),
}
for _claim, (_rule, _) in RULES.items():
    STATEMENTS[_claim], CRITERIA[_claim] = stated(_rule)


def verdicts(profile: str) -> list[Verdict]:
    """Judge every claim by what is stored; "not tested at this scale" where results are not (all) stored."""
    experiments.check_profile(profile)
    names = {name for _, needed in RULES.values() for name in needed} | {"iterations_decomposition"}
    stored = {name: results for name in sorted(names) if (results := _stored(name, profile)) is not None}
    judged = []
    for claim, (rule, needed) in RULES.items():
        if missing := [name for name in needed if name not in stored]:
            verdict = Verdict(claim, NOT_TESTED, f"Not measured: {', '.join(missing)}.")
        else:
            verdict = rule(*(stored[name] for name in needed))
        judged.append(replace(verdict, experiments=needed, profile=profile, tails=_tails(claim, stored)))
    return [v for family in "CO" for v in lowered([v for v in judged if v.claim.startswith(family)])]


def _stored(experiment: str, profile: str) -> Results | None:
    """Return what is stored of an experiment, if all of it is."""
    try:
        return runner.stored(experiment, profile)
    except runner.MissingResults:
        return None


def _tails(claim: str, stored: dict[str, Results]) -> str:
    """Return what other measurements say of the tails of the noise that a claim is about."""
    if claim in ("C2", "C9"):
        return "Not about gradient noise."
    if claim == "C1":
        return scale_of_norms(stored["noise_histogram"]) if "noise_histogram" in stored else "Not measured."
    if claim in ("C6", "O3"):
        return flat_in_b(stored["batch_scaling"]) if "batch_scaling" in stored else "Not measured."
    needed = ("iterations_decomposition",) if claim == "C7" else RULES[claim][1]
    return heavy_or_else(*(stored[name] for name in needed if name in stored))
