"""What becomes of a claim, and what the claims say."""

from dataclasses import dataclass, field, replace

import pandas as pd

from ..results.reading import WORDS
from .inference import LEVEL, benjamini_hochberg, holm

__all__ = ["CRITERIA", "NOT_TESTED", "STATEMENTS", "VERDICTS", "Verdict", "decide", "lowered"]

NOT_TESTED = "not tested at this scale"
VERDICTS = ("reproduced", "partly", "not reproduced", NOT_TESTED)

# As we understand the paper: a reader who corrects one changes a line here. C are the paper's, O our own.
STATEMENTS = {
    "C1": "The distribution of the norm of the gradient noise looks like an alpha-stable one, not like a Gaussian one.",
    "C2": "The estimator recovers alpha on synthetic SaS data.",
    "C3": "In every setting (networks, sizes, losses, data sets) alpha^ is far below 2.",
    "C4": "FCN on MNIST: alpha^ falls as the network grows, the more the deeper it is; on CIFAR-10 it is about 1.1 to 1.2 "
    "and hardly depends on size.",
    "C5": "CNN: very small networks have the lowest alpha^; beyond them alpha^ stays near 1.0 to 1.1.",
    "C6": "Larger minibatches do not bring alpha^ towards 2.",
    "C7": "Training has two phases: alpha^ falls first, and a jump of the process comes near its minimum, with the "
    "accuracy rising after it.",
    "C8": "alpha^ varies little between seeds.",
    "C9": "Exit times under Levy noise depend polynomially on the width, not on the depth; under Brownian noise "
    "exponentially on the depth; the Levy-driven process spends most of its time in wide valleys.",
    "O1": "Most of 1/alpha^ - 1/2 before training is dependence between coordinates.",
    "O2": "The noise of networks that fit their data (training accuracy of .95 or more) is heavier than Gaussian across "
    "minibatches.",
    "O3": "The noise has no single stable index: the index that its scale implies rises with the minibatch size.",
}

# Each rule in a sentence; the whole of it is in the docstring of the function that applies it.
CRITERIA = {
    "C1": "At each snapshot after the first the norms are nearer to the stable law than to the Gaussian one, no further "
    "than D = .10 from it, and not of the Gaussian shape; with independent entries, and with the noise's covariance.",
    "C2": "The bias of 1/alpha^ is within .02 for each index and size of 10,000 or more, and the reported standard error "
    "right within 10 % (two one-sided tests).",
    "C3": "1/alpha^ is above 1/1.75 in each setting, before and after training (t-tests over the seeds).",
    "C4": "MNIST: 1/alpha^ rises with log2 width at the mean depth, and the more the deeper (regression over the sizes); "
    "CIFAR-10: alpha^ has a mean of 1.05 to 1.25 and a range of .03 or less over the sizes.",
    "C5": "1/alpha^ of the smallest network is above that of the rest (t-test over the seeds), and at all other sizes "
    "alpha^ is 1.0 to 1.1.",
    "C6": "At equally many minibatches and the same K1, alpha^ rises by less than .02 per unit of ln b (t-tests over the "
    "seeds), in one network measured at several b and in networks trained at b.",
    "C7": "alpha^ falls to a minimum in the first half of training, one of the three steps at it is larger than elsewhere "
    "(circular shifts), and the accuracy rises faster after it than before (combined over the seeds by Fisher's method: "
    "in some seed).",
    "C8": "The intraclass correlation of 1/alpha^, settings over seeds, has a lower bound of .9 or more.",
    "C9": "Slopes of the logarithm of the mean exit time are those of the theory within .05, rates within 5 %. The last "
    'part, most of the time in wide valleys, is not judged: at best "partly".',
    "O1": "Before training the part 'correlation' is more than half of 1/alpha^ - 1/2 in each setting (t-tests over the "
    "seeds).",
    "O2": "tau of each setting that fits is larger than that of Gaussian twins (combined over the seeds by Fisher's "
    "method).",
    "O3": "The log-scale falls less steeply from 10 to 100 samples than from 100 to 1000, before and after training "
    "(t-tests over the seeds).",
}


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes:
        claim: its number in the book, a key of ``STATEMENTS``.
        verdict: one of ``VERDICTS``.
        evidence: why, in a sentence or two.
        numbers: what it rests on.
        p: of what the verdict asserts (see :func:`tailnoise_utils.study.claims.decide`); None where the rule makes no test.
        experiments: whose results were judged.
        profile: in which profile.
        tails: heavy tails, or something else? What other measurements say about the same noise.
    """

    claim: str
    verdict: str
    evidence: str
    numbers: dict[str, float] = field(default_factory=dict)
    p: float | None = None
    experiments: tuple[str, ...] = ()
    profile: str = ""
    tails: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"unknown verdict {self.verdict!r}; choose one of {', '.join(VERDICTS)}")
        if self.claim not in STATEMENTS:
            raise ValueError(f"unknown claim {self.claim!r}; choose one of {', '.join(STATEMENTS)}")

    @property
    def statement(self) -> str:
        """What the claim says, as we understand the paper."""
        return STATEMENTS[self.claim]

    @property
    def criterion(self) -> str:
        """The rule that judges it, in a sentence."""
        return CRITERIA[self.claim]


def decide(
    tests: pd.DataFrame, facets: tuple[str, ...] = (), absent: tuple[str, ...] = ()
) -> tuple[str, float | None, str]:
    """From the tests of a claim, one a line, to its verdict.

    A line holds if its p-value survives Benjamini and Hochberg at .05 over the lines of the claim; a line without a
    p-value holds if its column `holds` says so. "Reproduced": all lines hold, and nothing that the claim needs is absent;
    p is the largest p-value (all lines must hold: the intersection-union test). "Partly": all lines hold, but something
    is absent; or all lines of one level of a facet (one convention, one loss, one data set) hold: p is then the largest
    p-value of the best such level, times the number of levels among which it was the best (Bonferroni). "Not
    reproduced": neither; p is the largest of all.

    Args:
        tests: a line a test: p, holds (used where p is NaN), and a column for each facet.
        facets: columns by which a claim can hold partly; those with one level only are of no use.
        absent: what the claim needs and could not be tested.

    Returns:
        The verdict, its p (None without any p-value), and where the claim holds, in words.

    Raises:
        ValueError: no tests at all.
    """
    if tests.empty:
        raise ValueError("no tests: a claim that nothing tests is 'not tested at this scale'")
    tests = tests.copy()
    tested = tests["p"].notna()
    tests["holds"] = tests["holds"].astype(bool) if "holds" in tests else False
    tests.loc[tested, "holds"] = benjamini_hochberg(tests.loc[tested, "p"].to_numpy()) <= LEVEL
    largest = float(tests["p"].max()) if tested.any() else None
    if tests["holds"].all():
        if not absent:
            return "reproduced", largest, "everywhere"
        return "partly", largest, f"in all that could be tested (not: {', '.join(absent)})"
    levels = [
        (WORDS.get(str(level), str(level)), of)
        for facet in facets
        if tests[facet].nunique() > 1
        for level, of in tests.groupby(facet)
    ]
    whole = [(of["p"].max(), level) for level, of in levels if of["holds"].all()]
    untested = f" (not tested: {', '.join(absent)})" if absent else ""
    if not whole:
        return "not reproduced", largest, f"nowhere as a whole{untested}"
    smallest = min(of for of, _ in whole) if all(of == of for of, _ in whole) else None
    p = None if smallest is None else min(1.0, len(levels) * float(smallest))
    return "partly", p, f"only for {', '.join(level for _, level in whole)}{untested}"


def lowered(verdicts: list[Verdict]) -> list[Verdict]:
    """Holm's procedure at .05 over the claims: what does not survive it goes down by one, and says so.

    A verdict "reproduced" becomes "partly", "partly" becomes "not reproduced". Claims that were not tested, or whose rule
    makes no test, have no p-value and are not counted.

    Args:
        verdicts: of one family of claims.

    Returns:
        The verdicts, in the same order.
    """
    family = [v for v in verdicts if v.p is not None and v.verdict != NOT_TESTED]
    adjusted = dict(zip((v.claim for v in family), holm([v.p for v in family]), strict=True))
    found = []
    for v in verdicts:
        if v.verdict in VERDICTS[:2] and adjusted.get(v.claim, 0.0) > LEVEL:
            below = VERDICTS[VERDICTS.index(v.verdict) + 1]
            words = f"{v.evidence} Lowered from {v.verdict!r}: p = {adjusted[v.claim]:.2g} after Holm's correction."
            v = replace(v, verdict=below, evidence=words)
        found.append(v)
    return found
