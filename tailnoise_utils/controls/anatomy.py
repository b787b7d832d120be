"""The anatomy of alpha^: why it is below 2 at one point, as far as one noise matrix can tell."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..noise import centre
from ._tests import COLUMNS, GROUP_COLUMNS, not_normal, tests_of_columns, tests_of_rows
from .across import Comparison, gram
from .conclusion import conclusion, counted
from .order import PERMUTATIONS, order
from .parts import FEWEST_ROWS, STABLE, Parts, parts
from .pooled import Estimate, TooFew, alive, curve
from .rounding import doubt, unresolved
from .surrogates import sample_columns

__all__ = ["Anatomy", "anatomy"]

FEW = 100  # live coordinates
_FEW_TAILS = 0.01  # share of the live coordinates
_CHANCE = 1e-3  # largest p-value that says that minibatches are no random partition
_SHOWN = 2e-4  # share of unresolved differences
_UNITS = 1024  # of the whole network
_WIDTHS = (9, 11, 7, 7, 7)  # of the report's columns


@dataclass(frozen=True, repr=False)
class Anatomy:
    """Why alpha^ is below 2: parts, tests, and what was looked at.

    Attributes:
        P: number of minibatches.
        p: number of coordinates.
        segments: the coordinates that were looked at, (start, stop) of every run of them, all p if there is one.
        dead_share: share of these that are the same in all minibatches; they take no part.
        unresolved: by scope, share of the differences of pairs of minibatches, in the columns that the tests look at, that
            may be zero but for rounding (:func:`~tailnoise_utils.controls.rounding.unresolved`); empty of noise that was
            centred.
        order: p-value of the minibatches being in an order that says nothing
            (:func:`~tailnoise_utils.controls.order.order`).
        doubt: why nothing is concluded, "" if something is: half precision, unresolved differences, minibatches that are
            no random partition.
        draws: Gaussian surrogates of every test.
        seed: of everything that is drawn.
        groups: names of the groups, in the order in which they were given.
        parts: of 1/alpha^ - 1/2 by scope, "all" and the groups; a group's own K1 is floor(sqrt(K)) of its own entries
            that were looked at.
        curve: pooled 1/alpha^ against K1.
        tests: (scope, quantity, x) to the statistic beside its null distribution.
        control: K1 to mean 1/alpha^_j of the columns of stable surrogates with alpha = 1.5 and its spread.
        stable_T1: mean T1 of the same stable surrogates and its spread.
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
    parts: dict[str, Parts]
    curve: dict[int, Estimate]
    tests: dict[tuple[str, str, int | None], Comparison]
    control: dict[int, Estimate]
    stable_T1: Estimate
    found: dict[tuple[str, str], float]
    problems: dict[str, str]
    seconds: float

    def __repr__(self) -> str:
        taken = sum(stop - start for start, stop in self.segments)
        of = "" if taken == self.p else f" ({taken:,} of them looked at)"
        lines = [
            f"Anatomy of alpha^: P = {self.P} minibatches, p = {self.p:,} coordinates{of},",
            f"  dead {self.dead_share:.1%}. 1/alpha^ - 1/2 as it is (0: alpha^ = 2), the sum of four parts:",
        ]
        whole = self.parts["all"]
        most, share = max(1, round(whole.half * whole.p)), self.unresolved.get("all", 0.0)
        if (live := whole.p) < FEW:
            lines.insert(1, f"  of which only {live} live: few, so that one of them can decide a test;")
        if self.doubt:
            lines.insert(0, "NOTHING CAN BE CONCLUDED from the anatomy that follows: see its last lines.")
        scopes = ("all", *self.groups)
        width = max(map(len, [*scopes, "s.e."]))
        lines.append(f"  {'':{width}} as it is dependence layout scales  tails     K1     T1     p")
        for scope in scopes:
            if scope in self.problems:
                problem = f"  {scope:{width}}  none: {self.problems[scope]}"
                lines.append(fill(problem, 80, subsequent_indent=" " * (width + 4)))
                continue
            one = self.parts[scope]
            estimates = (one.e_0, one.dependence, one.layout, one.scales, one.tails)
            line = (
                "".join(f"{part.value:>+{n}.3f}" for part, n in zip(estimates, _WIDTHS, strict=True)) + f"{one.K1:>7}"
            )
            if test := self.tests.get((scope, "T1", None)):
                line += f"{test.value:>7.3f}{test.p:>6.2g}"
            lines.append(f"  {scope:{width}}{line}")
            if scope == "all":
                errors = "".join(f"{part.se:>{n}.3f}" for part, n in zip(estimates, _WIDTHS, strict=True))
                lines.append(f"  {'s.e.':{width}}{errors}")
        if most <= _FEW_TAILS * live:
            lines.append(
                f"  Half of what tails weigh is of {most:,} of {live:,} live coordinates: tails, and scales with"
            )
            lines.append("  the opposite sign, are of these few and not of the noise as a whole. T1 is of all.")
        if share > _SHOWN:
            lines.append(f"  Of the differences between minibatches {share:.2%} may be rounding errors; they")
            lines.append("  would be in scales, tails and T1.")
        lines += [
            "  dependence: what the coordinates of one minibatch share; layout: the order of",
            "  the parameters; scales: their unequal sizes; tails: heavy tails of single",
            f"  coordinates, the heaviest most; of independent stable noise of index {STABLE} they",
            f"  would be {whole.stable_tails:+.3f}. Each part may be negative. s.e.: standard error over the",
            "  minibatches, of the last three parts only of the shuffle that they need.",
            "  K1: length of a block. T1 looks across the minibatches: 0 for Gaussian noise,",
            "  larger if heavier (p of each layer by itself).",
            f"Across the minibatches, beside {self.draws} Gaussian surrogates (same covariance; mean +-",
            f"  s.d.; p = (1 + those that reach the value) / {self.draws + 1}, so {1 / (self.draws + 1):.2g} or more) and",
            f"  stable ones of index {STABLE} (mean). Heavier tails have larger values:",
            f"{'value':>44}{'Gaussian':>18}{'p':>8}{'stable':>9}",
        ]
        few = f" The network has only {live} live coordinates." if live < FEW else ""
        starred = counted(self.tests).values()
        for key, test in self.tests.items():
            scope, quantity, x = key
            if scope == "all":
                name = quantity + ("" if x is None else f", K1 = {x}") + (" *" if key in starred else "")
                known = {"1/alpha (columns)": self.control.get(x), "T1": self.stable_T1}.get(quantity)
                stable = f"{known.value:9.3f}" if known else ""
                null = f"{test.null:.3f} +- {test.null_sd:.3f}"
                lines.append(f"    {name:32}{test.value:8.3f}{null:>18}{test.p:8.2g}{stable}")
        shares = ", ".join(f"{name} {share:.1%}" for (scope, name), share in self.found.items() if scope == "all")
        lines += [
            "    T1: how far typical entries lie below the s.d. of their coordinate",
            "    1/alpha (columns): of every coordinate by itself, in blocks of K1; the mean",
            "    kurtosis: excess, of the noise along directions; the mean",
            "    sd of ln norm: how much minibatches differ in the size of their noise",
            "    *: counts in the conclusion",
            "  Share found not normal by Anderson and Darling's test (of what is found, up to",
            "  5 % by chance; units: the weights into one neuron):",
            fill(shares, 80, initial_indent="    ", subsequent_indent="    "),
            fill(conclusion(self.tests, self.draws, self.doubt) + few, 80, subsequent_indent="  "),
        ]
        return "\n".join(lines)

    def rows(self) -> list[dict[str, Any]]:
        """The numbers as rows of the results table.

        Returns:
            Records with the keys quantity and value, and scope (a group; absent for the whole network), x, se.
        """
        rows: list[dict[str, Any]] = []
        for scope, one in self.parts.items():
            rows += [_scoped(scope, row) for row in one.rows()]
        for K1, (value, se) in self.curve.items():
            rows.append({"quantity": "1/alpha (pooled)", "x": K1, "value": value, "se": se})
        for (scope, quantity, x), test in self.tests.items():
            place = _scoped(scope, {} if x is None else {"x": x})
            rows.append({"quantity": quantity, "value": test.value, **place})
            rows.append({"quantity": f"{quantity} (Gaussian)", "value": test.null, "se": test.null_sd, **place})
            rows.append({"quantity": f"{quantity} (p)", "value": test.p, **place})
        for K1, (value, se) in self.control.items():
            rows.append({"quantity": f"1/alpha (columns) (stable {STABLE})", "x": K1, "value": value, "se": se})
        for (scope, name), share in self.found.items():
            rows.append(_scoped(scope, {"quantity": f"not normal ({name})", "value": share}))
        taken = sum(stop - start for start, stop in self.segments)
        rows.append({"quantity": "anatomy coordinates", "value": taken})
        if self.unresolved:
            rows.append({"quantity": "anatomy unresolved", "value": self.unresolved["all"]})
        return [*rows, {"quantity": "anatomy dead share", "value": self.dead_share}]


def anatomy(
    U: Float[Tensor, "P p"],
    *,
    groups: Mapping[str, Sequence[slice]] | None = None,
    units: Sequence[slice] = (),
    seed: int = 0,
    draws: int = 99,
    K1: int | None = None,
    max_entries: int = 2**23,
    centred: bool = True,
) -> Anatomy:
    """Take alpha^ apart, and look across the minibatches, where it cannot look.

    Args:
        U: noise matrix, one row a minibatch, on any device; the rows in an order that says nothing (a random partition of
            the data: in data order neighbouring rows may be alike, and all of this means something else).
        groups: name to slices of a row.
        units: slices of a row, one for the incoming weights of each neuron or filter.
        seed: of all permutations, surrogates, directions and samples of coordinates.
        draws: Gaussian surrogates, 19 or more.
        K1: block length of the parts. By default that of the clean estimate of the whole network, floor(sqrt(K)) with K
            its live entries; but where only a part is looked at, a block spans at most a quarter of the live entries of a
            row that were looked at (or floor(sqrt(K)) entries with K all those, if that is more), and `parts` says what it
            is. Of a group floor(sqrt(K)) of its own entries that were looked at.
        max_entries: of the matrix to look at; beyond, a contiguous segment of every layer is taken. All groups together
            have their parts taken from half as many.
        centred: whether the columns of U are centred. Give gradients as they come (False) where they are at hand: their
            differences have all their digits (:func:`~tailnoise_utils.controls.parts.parts`), and noise of whole numbers
            is told, of which nothing is concluded. U itself is not changed.

    Returns:
        The anatomy.

    Raises:
        TooFew: fewer than 16 rows, nothing alive, no column with differences in both halves of the pairs, or `max_entries`
            that do not give every layer one coordinate.
        ValueError: fewer than 19 draws, NaN or infinity, K1 or a slice out of range.
    """
    start = time.perf_counter()
    P, p = U.shape
    if P < FEWEST_ROWS:
        raise TooFew(
            f"P = {P} rows are too few to look across them: take smaller minibatches, for {FEWEST_ROWS} or more"
        )
    if draws < 19:
        raise ValueError(
            f"draws = {draws}: p-values go in steps of 1 / (draws + 1), so take 19 or more, 99 for a result"
        )
    groups = groups or {}
    columns = sample_columns(p, groups, max(1, max_entries // P), seed=seed)
    segments = _runs(columns)
    dtype = U.dtype
    U = U.float() if torch.finfo(dtype).bits < 32 else U
    taken = U if len(columns) == p else torch.cat([U[:, a:b] for a, b in segments], 1)
    mask = alive(taken)
    gradients = taken if bool(mask.all()) else taken[:, mask]
    live = gradients if centred else centre(gradients.clone())
    del taken
    whole_K1 = math.isqrt(P * round(p * len(live[0]) / len(columns)))  # as the clean estimate has it
    longest = max(math.isqrt(live.numel()), len(live[0]) // 4)  # a block spans a small part of a row, sampled or not
    whole = parts(live, K1=K1 or min(whole_K1, longest), seed=seed, gradients=gradients)
    neurons = _units(units, columns, mask.cpu(), seed)
    columns = columns[mask.cpu()]
    members = {name: torch.cat([_within(columns, part) for part in slices]) for name, slices in groups.items()}
    found, problems = {"all": whole}, {}
    for name, own in members.items():
        limit = max_entries // (2 * len(members) * P)
        try:
            own = own[sample_columns(len(own), None, max(1, limit), seed=seed)]
            at = own.to(live.device)
            found[name] = parts(live[:, at], K1=K1, seed=seed, gradients=gradients[:, at])
        except ValueError as error:
            problems[name] = str(error)
    members = {name: own for name, own in members.items() if len(own)}
    generator = torch.Generator().manual_seed(seed)
    picks = {"all": torch.randperm(live.shape[1], generator=generator)[:COLUMNS]}
    for name, own in members.items():
        picks[name] = own[torch.randperm(len(own), generator=generator)[:GROUP_COLUMNS]]
    tests, control, stable_T1 = tests_of_columns(live, gradients, picks, draws, generator)
    G = gram(live).cpu()
    more, shares = tests_of_rows(live, G, members, draws, generator)
    for name, pick in picks.items():
        shares[name, "coordinates"] = not_normal(live[:, pick.to(live.device)])
    if neurons:
        directions = [torch.randn(unit.stop - unit.start, generator=generator).to(live) for unit in neurons]
        along = [live[:, unit] @ direction for unit, direction in zip(neurons, directions, strict=True)]
        shares["all", "units"] = not_normal(torch.stack(along, 1))
    at = {} if centred else {scope: pick.to(live.device) for scope, pick in picks.items()}
    not_resolved = {scope: unresolved(gradients[:, columns]) for scope, columns in at.items()}
    in_order = order(G, seed=seed)
    return Anatomy(
        P=P,
        p=p,
        segments=segments,
        dead_share=1 - float(mask.double().mean()),
        unresolved=not_resolved,
        order=in_order,
        doubt=_partition(in_order) or doubt(not_resolved, dtype),
        draws=draws,
        seed=seed,
        groups=tuple(groups),
        parts=found,
        curve=curve(live),
        tests=tests | more,
        control=control,
        stable_T1=stable_T1,
        found=shares,
        problems=problems,
        seconds=time.perf_counter() - start,
    )


def _partition(p: float) -> str:
    """Why the order of the minibatches forbids a conclusion, "" if it does not."""
    if p > _CHANCE:
        return ""
    return (
        "the minibatches do not look like a random partition of the data: neighbours are more, or less, alike than in any "
        f"of {PERMUTATIONS} random orders (p = {p:.2g}). Shuffle the samples once, cut them into disjoint minibatches, and "
        "measure again."
    )


def _units(
    units: Sequence[slice], columns: Int64[Tensor, " columns"], mask: Bool[Tensor, " columns"], seed: int
) -> list[slice]:
    """Places, among the live columns, of some of the units that are looked at whole and have two live columns or more."""
    if not units:
        return []
    ends = torch.tensor([[unit.start, unit.stop] for unit in units])
    places = torch.searchsorted(columns, ends)
    whole = places.diff(dim=1) == ends.diff(dim=1)
    before = torch.cat([torch.zeros(1, dtype=torch.int64), mask.cumsum(0)])  # live columns before each place
    found = before[places[whole[:, 0]]]
    found = found[found.diff(dim=1)[:, 0] > 1]
    chosen = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))[:_UNITS]
    return [slice(first, last) for first, last in found[chosen].tolist()]


def _runs(columns: Int64[Tensor, " columns"]) -> tuple[tuple[int, int], ...]:
    """Increasing numbers as runs (start, stop)."""
    breaks = (columns.diff() != 1).nonzero().flatten().tolist()
    starts = [0, *(at + 1 for at in breaks)]
    stops = [*breaks, len(columns) - 1]
    return tuple((int(columns[a]), int(columns[b]) + 1) for a, b in zip(starts, stops, strict=True))


def _within(columns: Int64[Tensor, " columns"], part: slice) -> Int64[Tensor, " own"]:
    """Places of the columns that lie in a slice."""
    first, last = torch.searchsorted(columns, torch.tensor([part.start, part.stop])).tolist()
    return torch.arange(first, last)


def _scoped(scope: str, row: dict[str, Any]) -> dict[str, Any]:
    """A record of a group says so."""
    return row if scope == "all" else row | {"scope": scope}
