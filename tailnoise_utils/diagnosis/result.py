"""What a diagnosis is, for reading and as rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from .conclusion import conclude, counted, verdict
from .decomposition import Decomposition
from .joint import Estimate
from .per_coordinate import Comparison
from .twins import STABLE

FEW = 100  # live coordinates
_SHOWN = 2e-4  # share of unresolved differences
_WIDTHS = (9, 12, 7, 7, 7)  # of the columns of the parts
_REPORT = """\
{doubt}Diagnosis of alpha^: P = {self.P} minibatches, p = {self.p:,} coordinates{looked_at},
{few}  dead {self.dead_share:.1%}. 1/alpha^ - 1/2 as it is (0: alpha^ = 2), the sum of four parts:
{parts}{doubtful}{rounding}
  correlation: of coordinates within a minibatch; order: of the parameters;
  scales: their unequal sizes; tails: heavy tails of single coordinates, which
  are (tau - tau_Y) / ln K1. A part may be negative. s.e.: standard error over
  the minibatches, of the last three parts only of the shuffle that they need.
  K1: length of a block. tau looks across the minibatches: 0 for Gaussian noise,
  larger if heavier (p of each layer by itself); tau_Y: of block sums.
Across the minibatches, with {self.draws} Gaussian twins (same covariance; mean +-
  s.d.; p = (1 + those that reach the value) / {values}, so {smallest:.2g} or more) and
  stable ones of index {stable} (mean). Heavier tails have larger values:
{tests}
    tau: how far typical entries lie below the s.d. of their coordinate
    1/alpha (per coordinate): of each by itself, in blocks of K1; the mean
    kurtosis: excess, of the noise along directions; the mean
    sd of ln norm: how much minibatches differ in the size of their noise
    *: counts in the conclusion
  Share found not normal by Anderson and Darling's test (of what is found, up to
  5 % by chance; units: the weights into one neuron):
{shares}
{conclusion}"""
_DOUBTFUL = """
  tau_Y is not small beside tau: sums over a block are heavy-tailed too, and
  scales and tails are not told apart (their sum stands)."""
_ROUNDING = """
  Of the differences between minibatches {share:.2%} may be rounding errors; they
  would be in tau, tails and the index per coordinate."""


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What :func:`~tailnoise_utils.diagnosis.assembly.diagnose` says: parts, tests, and what was looked at.

    Attributes:
        P: number of minibatches.
        p: number of coordinates.
        segments: the coordinates that were looked at, (start, stop) of every run of them, all p if there is one.
        dead_share: share of these that are the same in all minibatches; they take no part.
        unresolved: by scope, share of the pair differences in the tested columns that may be zero up to rounding
            (:func:`~tailnoise_utils.diagnosis.conclusion.unresolved`); empty where the noise was centred.
        order: p-value of the minibatches being in an order that says nothing
            (:func:`~tailnoise_utils.diagnosis.conclusion.order`).
        doubt: why nothing is concluded, "" if something is: half precision, unresolved differences, minibatches that are
            no random partition.
        draws: Gaussian twins of every test.
        seed: of everything that is drawn.
        groups: names of the groups, in the order in which they were given.
        decomposition: of 1/alpha^ - 1/2 by scope: "all" and the groups, each with its own K1.
        curve: joint 1/alpha^ against K1.
        tests: (scope, quantity, x) to the statistic and its null distribution.
        control: K1 to mean 1/alpha^_j of the columns of stable twins with alpha = 1.5 and its spread.
        stable_tail_excess: mean tau of the same stable twins and its spread.
        not_normal: (scope, kind) to the share that is found not normal (Anderson-Darling, false discovery rate .05): of
            coordinates, units (a random projection of the incoming weights of each), random and leading projections.
        problems: scopes without parts, and why.
        seconds: wall time.
    """

    P: int
    p: int
    segments: tuple[tuple[int, int], ...]
    dead_share: float
    unresolved: dict[str, float]
    order: float
    doubt: str
    draws: int
    seed: int
    groups: tuple[str, ...]
    decomposition: dict[str, Decomposition]
    curve: dict[int, Estimate]
    tests: dict[tuple[str, str, int | None], Comparison]
    control: dict[int, Estimate]
    stable_tail_excess: Estimate
    not_normal: dict[tuple[str, str], float]
    problems: dict[str, str]
    seconds: float

    @property
    def conclusion(self) -> str:
        """What the tests found, in one sentence."""
        return conclude(self.tests, self.draws, self.doubt)

    @property
    def heavier(self) -> bool | None:
        """Whether the noise is found heavier than Gaussian; None where nothing is concluded."""
        return verdict(self.tests, self.draws, self.doubt)

    def __repr__(self) -> str:
        network = self.decomposition["all"]
        live = network.p
        share, taken = self.unresolved.get("all", 0.0), sum(stop - start for start, stop in self.segments)
        shares = ", ".join(f"{name} {share:.1%}" for (scope, name), share in self.not_normal.items() if scope == "all")
        conclusion = f"Conclusion: {self.conclusion}"
        doubt = few = ""
        if self.doubt:
            doubt = "NOTHING CAN BE CONCLUDED from the diagnosis that follows: see its last lines.\n"
        if live < FEW:
            few = f"  of which only {live} live: few, so that one of them can decide a test;\n"
            conclusion += f" The network has only {live} live coordinates."
        return _REPORT.format(
            self=self,
            doubt=doubt,
            looked_at="" if taken == self.p else f"\n  ({taken:,} of them looked at)",
            few=few,
            parts="\n".join(self._parts()),
            doubtful="" if network.identified else _DOUBTFUL,
            rounding=_ROUNDING.format(share=share) if share > _SHOWN else "",
            stable=STABLE,
            values=self.draws + 1,
            smallest=1 / (self.draws + 1),
            tests="\n".join(self._tests()),
            shares=fill(shares, 80, initial_indent="    ", subsequent_indent="    "),
            conclusion=fill(conclusion, 80, subsequent_indent="  "),
        )

    def _parts(self) -> Iterator[str]:
        """Print the parts and tau of every scope a line, below those of the network their standard errors."""
        scopes = ("all", *self.groups)
        width = max(map(len, [*scopes, "s.e."]))
        yield f"  {'':{width}} as it is correlation  order scales  tails     K1  tau_Y    tau     p"
        for scope in scopes:
            if scope in self.problems:
                yield fill(f"  {scope:{width}}  none: {self.problems[scope]}", 80, subsequent_indent=" " * (width + 4))
                continue
            one = self.decomposition[scope]
            parts = list(zip((one.e_0, one.correlation, one.order, one.scales, one.tails), _WIDTHS, strict=True))
            test = self.tests.get((scope, "tail excess", None))
            tau = f"{test.value:>7.3f}{test.p:>6.2g}" if test else ""
            yield (
                f"  {scope:{width}}"
                + "".join(f"{part.value:>+{n}.3f}" for part, n in parts)
                + f"{one.K1:>7}{one.tau_Y.value:>7.3f}{tau}"
            )
            if scope == "all":
                errors = "".join(f"{part.se:>{n}.3f}" for part, n in (*parts, (one.tau_Y, 14)))
                yield f"  {'s.e.':{width}}{errors}"

    def _tests(self) -> Iterator[str]:
        """Print every test of the whole network a line."""
        yield f"{'value':>47}{'Gaussian':>16}{'p':>8}{'stable':>9}"
        starred = counted(self.tests).values()
        for key, test in self.tests.items():
            scope, quantity, K1 = key
            if scope == "all":
                name = quantity + ("" if K1 is None else f", K1 = {K1}") + (" *" if key in starred else "")
                null = f"{test.null:.3f} +- {test.null_sd:.3f}"
                known = self.stable_tail_excess if quantity == "tail excess" else self.control.get(K1)
                yield f"    {name:35}{test.value:8.3f}{null:>16}{test.p:8.2g}" + (
                    f"{known.value:9.3f}" if known else ""
                )

    def rows(self) -> list[dict[str, Any]]:
        """Give the numbers as rows of the results table: quantity, value, scope (of a group), x, se where there are any."""
        rows: list[dict[str, Any]] = []
        for scope, one in self.decomposition.items():
            rows += [_scoped(scope, row) for row in one.rows()]
        for K1, (value, se) in self.curve.items():
            rows.append({"quantity": "1/alpha (joint)", "x": K1, "value": value, "se": se})
        for (scope, quantity, x), test in self.tests.items():
            place = _scoped(scope, {} if x is None else {"x": x})
            rows.append({"quantity": quantity, "value": test.value, **place})
            rows.append({"quantity": f"{quantity} (twin)", "value": test.null, "se": test.null_sd, **place})
            rows.append({"quantity": f"{quantity} (p)", "value": test.p, **place})
        for K1, (value, se) in self.control.items():
            rows.append({"quantity": f"1/alpha (per coordinate) (stable {STABLE})", "x": K1, "value": value, "se": se})
        for (scope, name), share in self.not_normal.items():
            rows.append(_scoped(scope, {"quantity": f"not normal ({name})", "value": share}))
        taken = sum(stop - start for start, stop in self.segments)
        rows.append({"quantity": "diagnosis coordinates", "value": taken})
        if self.unresolved:
            rows.append({"quantity": "diagnosis unresolved", "value": self.unresolved["all"]})
        return [*rows, {"quantity": "diagnosis dead share", "value": self.dead_share}]


def _scoped(scope: str, row: dict[str, Any]) -> dict[str, Any]:
    """Add the scope to a record of a group."""
    return row if scope == "all" else row | {"scope": scope}
