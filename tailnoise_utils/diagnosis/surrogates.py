r"""Noise of a known law with the covariance structure of given noise, and which coordinates to look at.

Both surrogates are mixtures of the rows of U: whatever the pooled statistic makes of the coordinates (dependence, scales,
order), they keep. In law, a row of :math:`Z U / \sqrt P` given Z is :math:`c_i U_1` for i.i.d. symmetric stable rows, so
that the pooled estimate has the *same mean* on U and on its Gaussian surrogate: see :mod:`tailnoise_utils.diagnosis`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tailnoise_utils import stable

from .joint import TooFew

__all__ = ["gaussian_surrogate", "sample_columns", "stable_surrogate"]

Groups = Mapping[str, Sequence[slice]]


def gaussian_surrogate(
    U: Float[Tensor, "P p"], generator: torch.Generator, *, centre: bool = False
) -> Float[Tensor, "P p"]:
    r"""Gaussian noise of the same covariance: :math:`Z U / \sqrt P`, Z of P x P independent standard normal numbers.

    Given U, its rows are independent :math:`N(0, U^\top U / P)`.

    Args:
        U: noise matrix, on any device.
        generator: of the mixing matrix, on any device; the draws advance it.
        centre: subtract the mean of every column of Z, so that the columns of the surrogate have mean zero as those of U
            have: for the tests across the minibatches.

    Returns:
        The surrogate, where U is.
    """
    P = len(U)
    Z = torch.randn(P, P, generator=generator, device=generator.device, dtype=torch.float64)
    if centre:
        Z -= Z.mean(0)
    return (Z / math.sqrt(P)).to(U) @ U


def stable_surrogate(U: Float[Tensor, "P p"], alpha: float | int, generator: torch.Generator) -> Float[Tensor, "P p"]:
    r"""Stable noise of a similar dependence: :math:`S U / P^{1/\alpha}`, S of P x P independent SaS(1) numbers.

    Given U, its rows are independent and every coordinate is exactly SaS, of scale
    :math:`(\sum_k |U_{kj}|^\alpha / P)^{1/\alpha}`: a positive control for what looks down the columns. At alpha = 2 it is
    the Gaussian surrogate times sqrt 2.

    Args:
        U: noise matrix, on any device.
        alpha: index, 0 < alpha <= 2.
        generator: of the mixing matrix, on any device; the draws advance it.

    Returns:
        The surrogate, where U is; its columns are not centred.

    Raises:
        ValueError: alpha is out of range, or the surrogate leaves the range of the type of U.
    """
    P = len(U)
    S = stable.sample(alpha, (P, P), generator=generator) / P ** (1 / alpha)
    surrogate = S.to(U) @ U
    if not bool(torch.isfinite(surrogate).all()):
        raise ValueError(f"alpha = {alpha}: a draw leaves the range of {U.dtype}; take a larger alpha, or U in float64")
    return surrogate


def sample_columns(p: int, groups: Groups | None, limit: int, *, seed: int = 0) -> Int64[Tensor, " columns"]:
    """Coordinates to look at where all are too many: one contiguous segment of every layer.

    The row is cut wherever a slice of a group begins or ends; every piece gives a segment at a random place, as long as
    its share of the row (one coordinate at least). Within a segment neighbours remain neighbours.

    Args:
        p: number of coordinates.
        groups: name to slices of a row; None for one group.
        limit: most coordinates to take.
        seed: of the places.

    Returns:
        Coordinates in increasing order: all p, if they are within the limit.

    Raises:
        ValueError: a slice is not within the row.
        TooFew: the limit is below the number of pieces.
    """
    cuts = {0, p}
    for name, slices in (groups or {}).items():
        for part in slices:
            if part.step not in (None, 1) or not 0 <= part.start < part.stop <= p:
                raise ValueError(
                    f"group {name!r}: {part} is no slice of a row of p = {p} coordinates: give start < stop"
                )
            cuts |= {part.start, part.stop}
    if p <= limit:
        return torch.arange(p)
    ends = sorted(cuts)
    pieces = list(itertools.pairwise(ends))
    if limit < len(pieces):
        raise TooFew(
            f"limit = {limit} is below the {len(pieces)} pieces of the row: raise it (the entries to look at, over P) or "
            "give fewer groups"
        )
    sizes = [max(1, (stop - start) * limit // p) for start, stop in pieces]
    while (over := sum(sizes) - limit) > 0:  # pieces that were given their one coordinate for less than a share
        largest = sizes.index(max(sizes))
        sizes[largest] -= min(over, sizes[largest] - 1)
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for (start, stop), size in zip(pieces, sizes, strict=True):
        first = start + int(torch.randint(stop - start - size + 1, (1,), generator=generator))
        chosen.append(torch.arange(first, first + size))
    return torch.cat(chosen)
