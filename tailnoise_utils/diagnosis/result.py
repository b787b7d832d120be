"""What a diagnosis is, for reading and as rows."""

from dataclasses import dataclass
from textwrap import fill
from typing import Any

from .conclusion import conclude, counted
from .decomposition import STABLE, Decomposition
from .joint import Estimate
from .per_coordinate import Comparison

FEW = 100  # live coordinates
_FEW_TAILS = 0.01  # share of the live coordinates
_SHOWN = 2e-4  # share of unresolved differences
_WIDTHS = (9, 12, 7, 7, 7)  # of the columns of the parts


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What :func:`~tailnoise_utils.diagnosis.diagnose` says: parts, tests, and what was looked at.

    Attributes:
        P: number of minibatches.
        p: number of coordinates.
        segments: the coordinates that were looked at, (start, stop) of every run of them, all p if there is one.
        dead_share: share of these that are the same in all minibatches; they take no part.
        unresolved: by scope, share of the differences of pairs of minibatches, in the columns that the tests look at, that
            may be zero up to rounding (:func:`~tailnoise_utils.diagnosis.conclusion.unresolved`); empty where the noise
            was centred.
        order: p-value of the minibatches being in an order that says nothing
            (:func:`~tailnoise_utils.diagnosis.conclusion.order`).
        doubt: why nothing is concluded, "" if something is: half precision, unresolved differences, minibatches that are
            no random partition.
        draws: Gaussian twins of every test.
        seed: of everything that is drawn.
        groups: names of the groups, in the order in which they were given.
        decomposition: of 1/alpha^ - 1/2 by scope, "all" and the groups; K1 of a group is floor(sqrt(K)) of its entries that
            were looked at.
        curve: joint 1/alpha^ against K1.
        tests: (scope, quantity, x) to the statistic and its null distribution.
        control: K1 to mean 1/alpha^_j of the columns of stable twins with alpha = 1.5 and its spread.
        stable_tail_excess: mean tau of the same stable twins and its spread.
        found: (scope, kind) to the share that is found not to be normal (Anderson-Darling, false discovery rate .05), of
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
    found: dict[tuple[str, str], float]
    problems: dict[str, str]
    seconds: float

    def __repr__(self) -> str:
        taken = sum(stop - start for start, stop in self.segments)
        looked_at = "" if taken == self.p else f" ({taken:,} of them looked at)"
        lines = [
            f"Diagnosis of alpha^: P = {self.P} minibatches, p = {self.p:,} coordinates{looked_at},",
            f"  dead {self.dead_share:.1%}. 1/alpha^ - 1/2 as it is (0: alpha^ = 2), the sum of four parts:",
        ]
        network = self.decomposition["all"]
        most, share = max(1, round(network.half * network.p)), self.unresolved.get("all", 0.0)
        if (live := network.p) < FEW:
            lines.insert(1, f"  of which only {live} live: few, so that one of them can decide a test;")
        if self.doubt:
            lines.insert(0, "NOTHING CAN BE CONCLUDED from the diagnosis that follows: see its last lines.")
        scopes = ("all", *self.groups)
        width = max(map(len, [*scopes, "s.e."]))
        lines.append(f"  {'':{width}} as it is correlation  order scales  tails     K1     tau     p")
        for scope in scopes:
            if scope in self.problems:
                problem = f"  {scope:{width}}  none: {self.problems[scope]}"
                lines.append(fill(problem, 80, subsequent_indent=" " * (width + 4)))
                continue
            one = self.decomposition[scope]
            estimates = (one.e_0, one.correlation, one.order, one.scales, one.tails)
            line = (
                "".join(f"{part.value:>+{n}.3f}" for part, n in zip(estimates, _WIDTHS, strict=True)) + f"{one.K1:>7}"
            )
            if test := self.tests.get((scope, "tail excess", None)):
                line += f"{test.value:>7.3f}{test.p:>6.2g}"
            lines.append(f"  {scope:{width}}{line}")
            if scope == "all":
                errors = "".join(f"{part.se:>{n}.3f}" for part, n in zip(estimates, _WIDTHS, strict=True))
                lines.append(f"  {'s.e.':{width}}{errors}")
        if most <= _FEW_TAILS * live:
            lines.append(
                f"  Half of what tails weigh is of {most:,} of {live:,} live coordinates: tails, and scales with"
            )
            lines.append("  the opposite sign, are of these few and not of the noise as a whole. tau is of all.")
        if share > _SHOWN:
            lines.append(f"  Of the differences between minibatches {share:.2%} may be rounding errors; they")
            lines.append("  would be in scales, tails and tau.")
        lines += [
            "  correlation: of coordinates within a minibatch; order: of the parameters;",
            "  scales: their unequal sizes; tails: heavy tails of single coordinates, the",
            f"  heaviest most; of independent stable noise of index {STABLE} they",
            f"  would be {network.stable_tails:+.3f}. Each part may be negative. s.e.: standard error over the",
            "  minibatches, of the last three parts only of the shuffle that they need.",
            "  K1: length of a block. tau looks across the minibatches: 0 for Gaussian noise,",
            "  larger if heavier (p of each layer by itself).",
            f"Across the minibatches, with {self.draws} Gaussian twins (same covariance; mean +-",
            f"  s.d.; p = (1 + those that reach the value) / {self.draws + 1}, so {1 / (self.draws + 1):.2g} or more) and",
            f"  stable ones of index {STABLE} (mean). Heavier tails have larger values:",
            f"{'value':>47}{'Gaussian':>16}{'p':>8}{'stable':>9}",
        ]
        few = f" The network has only {live} live coordinates." if live < FEW else ""
        starred = counted(self.tests).values()
        for key, test in self.tests.items():
            scope, quantity, x = key
            if scope == "all":
                name = quantity + ("" if x is None else f", K1 = {x}") + (" *" if key in starred else "")
                known = {"1/alpha (per coordinate)": self.control.get(x), "tail excess": self.stable_tail_excess}.get(
                    quantity
                )
                stable = f"{known.value:9.3f}" if known else ""
                null = f"{test.null:.3f} +- {test.null_sd:.3f}"
                lines.append(f"    {name:35}{test.value:8.3f}{null:>16}{test.p:8.2g}{stable}")
        shares = ", ".join(f"{name} {share:.1%}" for (scope, name), share in self.found.items() if scope == "all")
        lines += [
            "    tau: how far typical entries lie below the s.d. of their coordinate",
            "    1/alpha (per coordinate): of each by itself, in blocks of K1; the mean",
            "    kurtosis: excess, of the noise along directions; the mean",
            "    sd of ln norm: how much minibatches differ in the size of their noise",
            "    *: counts in the conclusion",
            "  Share found not normal by Anderson and Darling's test (of what is found, up to",
            "  5 % by chance; units: the weights into one neuron):",
            fill(shares, 80, initial_indent="    ", subsequent_indent="    "),
            fill(conclude(self.tests, self.draws, self.doubt) + few, 80, subsequent_indent="  "),
        ]
        return "\n".join(lines)

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
        for (scope, name), share in self.found.items():
            rows.append(_scoped(scope, {"quantity": f"not normal ({name})", "value": share}))
        taken = sum(stop - start for start, stop in self.segments)
        rows.append({"quantity": "diagnosis coordinates", "value": taken})
        if self.unresolved:
            rows.append({"quantity": "diagnosis unresolved", "value": self.unresolved["all"]})
        return [*rows, {"quantity": "diagnosis dead share", "value": self.dead_share}]


def _scoped(scope: str, row: dict[str, Any]) -> dict[str, Any]:
    """Add the scope to a record of a group."""
    return row if scope == "all" else row | {"scope": scope}
