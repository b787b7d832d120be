"""The paper's claims and some of our own: does the number recur, and is the noise heavier than Gaussian?

Statements and rules are read from the docstrings of `c1` to `c9` and `o1` to `o3`. They were written after the results
were known; the rules that were fixed beforehand, and their verdicts, are in the book's appendix.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace

from .. import experiments
from ..experiments import runner
from ..results.store import Results
from .batch_size import c6, o3
from .estimators import c2
from .exits import c9
from .iterations import at_the_dip, c7
from .norms import c1, same_covariance
from .sizes import c3, c4a, c4b, c5, c8
from .tails import configurations, heavier, o1, o2, scaling
from .verdict import NO_NOISE, OPEN, VERDICTS, Verdict, judge

_SIZES = ("fcn_size", "cnn_size")

# Claim: its rule and the experiments it judges; what says how heavy the noise in question is, and from which experiments.
RULES: dict[
    str, tuple[Callable[..., Verdict], tuple[str, ...], Callable[..., tuple[str, str]] | None, tuple[str, ...]]
] = {
    "C1": (c1, ("noise_histogram",), same_covariance, ("noise_histogram",)),
    "C2": (c2, ("estimator",), None, ()),
    "C3": (c3, _SIZES, heavier, _SIZES),
    "C4a": (c4a, ("fcn_size",), heavier, ("fcn_size",)),
    "C4b": (c4b, ("fcn_size",), heavier, ("fcn_size",)),
    "C5": (c5, ("cnn_size",), heavier, ("cnn_size",)),
    "C6": (c6, ("batch_size",), scaling, ("batch_scaling",)),
    "C7": (c7, ("iterations",), at_the_dip, ("iterations",)),
    "C8": (c8, _SIZES, heavier, _SIZES),
    "C9": (c9, ("metastability", "metastability_limit"), None, ()),
    "O1": (o1, ("fcn_size",), heavier, ("fcn_size",)),
    "O2": (o2, ("fcn_size",), heavier, ("fcn_size",)),
    "O3": (o3, ("batch_scaling",), scaling, ("batch_scaling",)),
}


def verdicts(profile: str = "book") -> list[Verdict]:
    """Judge every claim by the finished runs of a profile ("book": of `paper`, else, as for what it lacks, of `laptop`)."""
    profiles = ("book", "laptop") if profile == "book" else (experiments.check_profile(profile),)
    names = sorted({name for _, judged, _, others in RULES.values() for name in (*judged, *others)})
    tried = [_stored(names, one) for one in profiles]
    verdicts = []
    for claim, (rule, needed, answer, others) in RULES.items():
        judged = []
        for stored in tried:
            ready = stored.keys() >= {*needed}
            verdict = rule(*(stored[name][1] for name in needed)) if ready else judge(rule, [], "", "")
            used = tuple(dict.fromkeys(stored[name][0] for name in needed if name in stored))
            tails, evidence = NO_NOISE, ""
            if answer:
                have = stored.keys() >= {*others}
                tails, evidence = answer(*(stored[name][1] for name in others)) if have else ("not measured", "")
            more = {"claim": claim, "experiments": needed, "profiles": used, "tails": tails, "evidence": evidence}
            judged.append(replace(verdict, **more))
            if verdict.recurs != OPEN:
                break
        verdicts.append(judged[0] if judged[-1].recurs == OPEN else judged[-1])
    return verdicts


def _stored(names: list[str], profile: str) -> dict[str, tuple[str, Results]]:
    """Return, of the experiments that have finished runs, the profile of these and the results."""
    results = {}
    for name in names:
        with contextlib.suppress(runner.MissingResults):
            if profile == "book":
                results[name] = runner.choose(name, profile)
            else:
                results[name] = profile, runner.stored(name, profile, complete=False)
    return results
