"""The paper's claims and some of our own: a rule on stored rows for each, and two answers.

Does the number recur, and is the noise heavier than Gaussian across the minibatches? Statements and rules are read from the
docstrings of the functions `c1` to `c9` and `o1` to `o3`. They were written after the results were known; the rules that
were fixed beforehand, and their verdicts, are in the book's appendix.
"""

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

Answer = tuple[str, str]  # in a word, and why
_SIZES = ("fcn_size", "cnn_size")

# Claim: its rule and the experiments it judges; what says how heavy the noise in question is, and from which experiments.
RULES: dict[str, tuple[Callable[..., Verdict], tuple[str, ...], Callable[..., Answer] | None, tuple[str, ...]]] = {
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
    """Judge every claim by the finished runs of a profile; "book" is `paper` where it has any, else `laptop`."""
    names = {name for _, judged, _, others in RULES.values() for name in (*judged, *others)}
    stored = {name: one for name in sorted(names) if (one := _stored(name, profile))}
    results = {name: chosen for name, (_, chosen) in stored.items()}
    verdicts = []
    for claim, (rule, needed, answer, others) in RULES.items():
        missing = not results.keys() >= {*needed}
        verdict = judge(rule, [], "", "") if missing else rule(*(results[name] for name in needed))
        tails, evidence = NO_NOISE, ""
        if answer:
            have = results.keys() >= {*others}
            tails, evidence = answer(*(results[name] for name in others)) if have else ("not measured", "Not measured.")
        profiles = tuple(dict.fromkeys(stored[name][0] for name in needed if name in stored))
        more = {"claim": claim, "experiments": needed, "profiles": profiles, "tails": tails, "evidence": evidence}
        verdicts.append(replace(verdict, **more))
    return verdicts


def _stored(experiment: str, profile: str) -> tuple[str, Results] | None:
    """Return the profile and the results of an experiment's finished runs, None if there are none."""
    try:
        if profile == "book":
            return runner.choose(experiment, profile)
        return experiments.check_profile(profile), runner.stored(experiment, profile, complete=False)
    except runner.MissingResults:
        return None
