"""What becomes of a claim: its effect sizes, and the way from its tests to a verdict."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pandas as pd
from scipy import stats

from ..results.reading import WORDS
from .inference import LEVEL, holm

NOT_TESTED = "not tested at this scale"
VERDICTS = ("reproduced", "partly", "not reproduced", NOT_TESTED)

# Claim to what it says and to its rule: read from the docstrings of the rules (see `stated`).
STATEMENTS: dict[str, str] = {}
CRITERIA: dict[str, str] = {}


def stated(rule: Callable) -> tuple[str, str]:
    """Return what a claim says and its rule: the paragraphs of the docstring up to "The rule: ", and that paragraph."""
    paragraphs = [" ".join(text.split()) for text in (inspect.getdoc(rule) or "").split("\n\n")]
    at = next((i for i, text in enumerate(paragraphs) if text.startswith("The rule: ")), None)
    if at is None:
        raise ValueError(f"the docstring of {rule.__name__} has no paragraph that begins with 'The rule: '; add one")
    return " ".join(paragraphs[:at]).partition(": ")[2], paragraphs[at].removeprefix("The rule: ")


@dataclass(frozen=True)
class Effect:
    """One line of a table of effect sizes: a range over `n` configurations, or in how many of them something holds."""

    name: str
    group: str  # "" where it is about all configurations
    low: float
    high: float
    n: int
    counted: bool = False

    def __str__(self) -> str:
        if self.counted:
            return f"{self.name} in {self.low:.0f} of {self.n}"
        low, high = _plain(self.low), _plain(self.high)
        return f"{self.name} {low}" if low == high else f"{self.name} {low} to {high}"

    @property
    def numbers(self) -> dict[str, float]:
        """The values by name."""
        name = f"{self.name}, {self.group}" if self.group else self.name
        if self.counted or self.n == 1:
            return {name: self.low}
        return {f"smallest {name}": self.low, f"largest {name}": self.high}


def _plain(value: float) -> str:
    """Return a number with three significant digits, an integer with all of its own."""
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:#.3g}".rstrip(".")


def effects(frame: pd.DataFrame, names: dict[str, str], by: tuple[str, ...] = ()) -> list[Effect]:
    """Return the effect sizes in some columns (column to name), for each group of rows that agree in `by`."""
    lines = []
    for levels, rows in frame.groupby(list(by), sort=False) if by else [((), frame)]:
        group = ", ".join(WORDS.get(str(level), str(level)) for level in levels)
        for column, name in names.items():
            values = rows[column].dropna()
            counted = values.dtype == bool
            low, high = (values.sum(),) * 2 if counted else (values.min(), values.max())
            lines.append(Effect(name, group, float(low), float(high), len(values), counted))
    return lines


def sentence(lines: list[Effect]) -> str:
    """Return the effect sizes in words, those of a group together, without a full stop."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(str(line))
    return "; ".join(f"{group}: {', '.join(words)}" if group else ", ".join(words) for group, words in groups.items())


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: str  #: its number in the book, a key of ``STATEMENTS``
    verdict: str  #: one of ``VERDICTS``
    evidence: str  #: why, in a sentence or two
    numbers: dict[str, float] = field(default_factory=dict)  #: the effect sizes by name
    p: float | None = None  #: of what the verdict asserts (see `decide`); None where the rule makes no test
    experiments: tuple[str, ...] = ()  #: whose results were judged
    profile: str = ""  #: in which profile
    tails: str = ""  #: heavy tails, or something else? What other measurements say about the same noise
    #: Everything that was tested, a line a test, with p and whether it holds; None where nothing was.
    tests: pd.DataFrame | None = field(default=None, compare=False, repr=False)

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


def judge(
    claim: str, tests: pd.DataFrame, lines: list[Effect], facets: tuple[str, ...] = (), absent: tuple[str, ...] = ()
) -> Verdict:
    """Return the verdict that :func:`decide` makes of the tests, with the effect sizes as its evidence."""
    tests = tests.assign(holds=holding(tests))
    verdict, p, where = decide(tests, facets, absent)
    numbers = {"tests": float(len(tests)), "tests that hold": float(tests["holds"].sum())}
    for line in lines:
        numbers |= line.numbers
    words = sentence(lines)
    evidence = f"Holds {where}: {tests['holds'].sum()} of {len(tests)} tests. {words[:1].upper()}{words[1:]}."
    return Verdict(claim, verdict, evidence, numbers, p, tests=tests)


def holding(tests: pd.DataFrame) -> pd.Series:
    """Return which tests hold: those whose p survives Benjamini and Hochberg at 5 %, or that say so where p is NaN."""
    tested = tests["p"].notna()
    holds = tests["holds"].astype(bool) if "holds" in tests else pd.Series(False, tests.index)
    holds[tested] = stats.false_discovery_control(tests.loc[tested, "p"].to_numpy(float)) <= LEVEL
    return holds


def decide(
    tests: pd.DataFrame, facets: tuple[str, ...] = (), absent: tuple[str, ...] = ()
) -> tuple[str, float | None, str]:
    """Decide from the tests of a claim, one a line, what becomes of it.

    A line holds if its p-value survives Benjamini and Hochberg at .05 over the lines of the claim; a line without a
    p-value holds if its column `holds` says so. "Reproduced": all lines hold, and nothing that the claim needs is absent;
    p is the largest p-value (all lines must hold: the intersection-union test). "Partly": all lines hold, but something
    is absent; or all lines of one level of a facet (one convention, one loss, one data set) hold: p is then the largest
    p-value of the best such level, times the number of levels among which it was the best (Bonferroni). "Not
    reproduced": neither; p is the largest of all.

    The result is the verdict, its p (None without any p-value), and where the claim holds, in words.
    """
    if tests.empty:
        raise ValueError("no tests: a claim that nothing tests is 'not tested at this scale'")
    tests = tests.assign(holds=holding(tests))
    largest = None if tests["p"].isna().all() else float(tests["p"].max())
    if tests["holds"].all():
        if not absent:
            return "reproduced", largest, "everywhere"
        return "partly", largest, f"in all that could be tested (not: {', '.join(absent)})"
    untested = f" (not tested: {', '.join(absent)})" if absent else ""
    divided = [facet for facet in facets if tests[facet].nunique() > 1]
    levels = [(str(level), rows) for facet in divided for level, rows in tests.groupby(facet)]
    kept = {level: rows["p"].max() for level, rows in levels if rows["holds"].all()}
    if not kept:
        return "not reproduced", largest, f"nowhere as a whole{untested}"
    untestable = any(p != p for p in kept.values())  # a level without p-values holds by its `holds` alone
    best = None if untestable else min(1.0, len(levels) * float(min(kept.values())))
    return "partly", best, f"only for {', '.join(WORDS.get(level, level) for level in kept)}{untested}"


def lowered(verdicts: list[Verdict]) -> list[Verdict]:
    """Lower by one each verdict whose p does not survive Holm's procedure at .05 over the claims of a family."""
    family = [v for v in verdicts if v.p is not None and v.verdict != NOT_TESTED]
    adjusted = dict(zip((v.claim for v in family), holm([v.p for v in family]), strict=True))
    result = []
    for v in verdicts:
        if v.verdict in VERDICTS[:2] and adjusted.get(v.claim, 0.0) > LEVEL:
            below = VERDICTS[VERDICTS.index(v.verdict) + 1]
            words = f"{v.evidence} Lowered from {v.verdict!r}: p = {adjusted[v.claim]:.2g} after Holm's correction."
            v = replace(v, verdict=below, evidence=words)
        result.append(v)
    return result
