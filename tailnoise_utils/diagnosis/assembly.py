"""The diagnosis of alpha^: why it is below 2 at one point, as far as one noise matrix can tell."""

import math
import time
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tailnoise_utils.noise.matrix import centre
from tailnoise_utils.tail_index.logs import chosen

from .conclusion import doubt, order, order_doubt, unresolved
from .decomposition import decompose
from .joint import TooFew, alive, curve
from .per_coordinate import check_draws, gram
from .result import Diagnosis
from .tests import COLUMNS, GROUP_COLUMNS, not_normal, tests_of_columns, tests_of_rows
from .twins import apart, sample_columns

FEWEST_ROWS = 16  # fewer say little of what is across them
_UNITS = 1024  # most units of the whole network to look at


def diagnose(
    U: Float[Tensor, "P p"],
    *,
    groups: Mapping[str, Sequence[slice]] | None = None,
    layers: Mapping[str, Sequence[slice]] | None = None,
    units: Sequence[slice] = (),
    seed: int = 0,
    draws: int = 99,
    K1: int | None = None,
    max_entries: int = 2**23,
    centred: bool = True,
) -> Diagnosis:
    """Take alpha^ apart, and look across the minibatches, where it cannot look.

    Args:
        U: noise matrix, one row a minibatch, on any device; rows in an order that says nothing (a random partition of the
            data; in data order neighbouring rows may be alike, and all of this means something else).
        groups: name to slices of a row, to be shown; if `layers` are given, no test of the whole network depends on them.
        layers: name to slices of a row; of each, some coordinates are looked at. `groups` by default.
        units: slices of a row, one for the incoming weights of each neuron or filter.
        seed: of all permutations, twins, directions and samples of coordinates.
        draws: Gaussian twins, 19 or more.
        K1: block length of the parts. By default that of the corrected estimate, floor(sqrt(K)) with K the live entries of
            the whole network. Where only some are looked at, it is at most the larger of a quarter of those in a row and
            floor(sqrt(K)) with K all those. Of a group: floor(sqrt(K)) of its own entries that were looked at.
        max_entries: of the matrix to look at; beyond, a contiguous segment of every layer is taken. The parts of all
            groups together are taken from half as many.
        centred: whether U is what is left of gradients that were centred before. Give gradients as they come (False)
            where they are at hand: their differences have all their digits (`column_inverse`), and noise of whole numbers
            is recognised: of it nothing is concluded. U itself is not changed; its columns are centred here, in a copy.

    Returns:
        The diagnosis.

    Raises:
        TooFew: fewer than 16 rows, nothing alive, or `max_entries` that do not give every layer one coordinate.
        ValueError: fewer than 19 draws, NaN or infinity, K1 or a slice out of range.
    """
    start = time.perf_counter()
    P, p = U.shape
    if P < FEWEST_ROWS:
        raise TooFew(
            f"P = {P} minibatches are too few to look across them: take smaller minibatches, for {FEWEST_ROWS} or more"
        )
    check_draws(draws)
    layers = apart(groups if layers is None else layers)
    groups = apart(groups)
    columns = sample_columns(p, layers, max(1, max_entries // P), seed=seed)
    segments = _runs(columns)
    dtype = U.dtype
    U = U.float() if torch.finfo(dtype).bits < 32 else U
    taken = U if len(columns) == p else torch.cat([U[:, a:b] for a, b in segments], 1)
    mask = alive(taken)
    gradients = taken if bool(mask.all()) else chosen(taken, mask)
    live = centre(gradients.clone())
    live /= 2.0 ** math.frexp(float(live.abs().max()))[1]  # squares stay in the range of the type, and all digits stay
    del taken
    network_K1 = math.isqrt(P * round(p * len(live[0]) / len(columns)))  # as the corrected estimate has it
    longest = max(math.isqrt(live.numel()), len(live[0]) // 4)  # a block spans a small part of a row, sampled or not
    network = decompose(live, K1=K1 or min(network_K1, longest), seed=seed)
    neurons = _units(units, columns, mask.cpu(), seed)
    columns = columns[mask.cpu()]
    members, owned = ({name: _within(columns, slices) for name, slices in some.items()} for some in (groups, layers))
    limit = max(1, max_entries // (2 * max(1, len(members)) * P))
    decompositions, problems = {"all": network}, {}
    for name, places in members.items():
        try:
            some = places[sample_columns(len(places), None, limit, seed=seed)].to(live.device)
            decompositions[name] = decompose(live[:, some], K1=K1, seed=seed)
        except ValueError as error:
            problems[name] = str(error)
    members = {name: places for name, places in members.items() if len(places)}
    generator = torch.Generator().manual_seed(seed)
    picks = {"all": torch.randperm(live.shape[1], generator=generator)[:COLUMNS]}
    for name, places in owned.items():
        if len(places):
            picks[name] = places[torch.randperm(len(places), generator=generator)[:GROUP_COLUMNS]]
    if groups != layers:  # the twins of the network's tests are the same, whatever is shown
        picks, shown = {"all": picks["all"]}, torch.Generator().manual_seed(seed + 1)
        for name, places in members.items():
            picks[name] = places[torch.randperm(len(places), generator=shown)[:GROUP_COLUMNS]]
    tests, control, stable_tail_excess = tests_of_columns(live, gradients, picks, draws, generator)
    G = gram(live).cpu()
    row_tests, shares = tests_of_rows(live, G, members, draws, generator)
    for name, pick in picks.items():
        shares[name, "coordinates"] = not_normal(live[:, pick.to(live.device)])
    if neurons:
        directions = [torch.randn(unit.stop - unit.start, generator=generator).to(live) for unit in neurons]
        along = [live[:, unit] @ direction for unit, direction in zip(neurons, directions, strict=True)]
        shares["all", "units"] = not_normal(torch.stack(along, 1))
    not_resolved = {}
    if not centred:
        not_resolved = {scope: unresolved(gradients[:, pick.to(live.device)]) for scope, pick in picks.items()}
    in_order = order(G, seed=seed)
    return Diagnosis(
        P=P,
        p=p,
        segments=segments,
        dead_share=1 - float(mask.double().mean()),
        unresolved=not_resolved,
        order=in_order,
        doubt=order_doubt(in_order) or doubt(not_resolved, dtype),
        draws=draws,
        seed=seed,
        groups=tuple(groups),
        decomposition=decompositions,
        curve=curve(live),
        tests=tests | row_tests,
        control=control,
        stable_tail_excess=stable_tail_excess,
        not_normal=shares,
        problems=problems,
        seconds=time.perf_counter() - start,
    )


def _units(
    units: Sequence[slice], columns: Int64[Tensor, " columns"], mask: Bool[Tensor, " columns"], seed: int
) -> list[slice]:
    """Place among the live columns some of the units that are looked at whole and have two live columns or more."""
    if not units:
        return []
    ends = torch.tensor([[unit.start, unit.stop] for unit in units])
    places = torch.searchsorted(columns, ends)
    complete = places.diff(dim=1) == ends.diff(dim=1)
    before = torch.cat([torch.zeros(1, dtype=torch.int64), mask.cumsum(0)])  # live columns before each place
    usable = before[places[complete[:, 0]]]
    usable = usable[usable.diff(dim=1)[:, 0] > 1]
    order = torch.randperm(len(usable), generator=torch.Generator().manual_seed(seed))[:_UNITS]
    return [slice(first, last) for first, last in usable[order].tolist()]


def _runs(columns: Int64[Tensor, " columns"]) -> tuple[tuple[int, int], ...]:
    """Write increasing numbers as runs (start, stop)."""
    runs = columns.tensor_split((columns.diff() != 1).nonzero().flatten() + 1)
    return tuple((int(run[0]), int(run[-1]) + 1) for run in runs)


def _within(columns: Int64[Tensor, " columns"], slices: Sequence[slice]) -> Int64[Tensor, " places"]:
    """Give the places of the columns that lie in slices."""
    ends = [torch.searchsorted(columns, torch.tensor([part.start, part.stop])).tolist() for part in slices]
    return torch.cat([torch.arange(first, last) for first, last in ends])
