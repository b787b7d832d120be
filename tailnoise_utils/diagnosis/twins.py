r"""What noise is compared with: Gaussian twins by draws and in closed form, stable twins, other signs, other orders.

Twins are mixtures of the rows of U: they keep what the joint estimate makes of the coordinates (correlation, scales,
order). In law, a row of :math:`Z U / \sqrt P` given Z is :math:`c_i U_1` for i.i.d. symmetric stable rows, so that the
joint estimate has the *same mean* on U and on its Gaussian twin: see :mod:`tailnoise_utils.diagnosis`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float64, Int8, Int64
from torch import Tensor

from tailnoise_utils import stable

from .joint import TooFew

STABLE = 1.5  # index of the stable law that noise is compared with
Groups = Mapping[str, Sequence[slice]]
_COLUMNS = 2**14  # taken at a time
_PERMUTED = 2048  # columns permuted at a time: 1 MB at P = 120
_CHUNK = 2**18  # entries shuffled at a time: a megabyte
_MEAN_LOG_NORMAL = -(np.euler_gamma + np.log(2)) / 2  # E ln|z| of a standard normal z


def gaussian_twin(U: Float[Tensor, "P p"], generator: torch.Generator, *, centre: bool = False) -> Float[Tensor, "P p"]:
    r"""Draw Gaussian noise of the same covariance: :math:`Z U / \sqrt P`, Z of P x P independent standard normal numbers.

    Given U, its rows are independent :math:`N(0, U^\top U / P)`.

    Args:
        U: noise matrix, on any device.
        generator: of the mixing matrix, on any device; the draws advance it.
        centre: subtract the mean of every column of Z, so that the columns of the twin have mean zero as those of U
            have: for the tests across the minibatches.

    Returns:
        The twin, where U is.
    """
    P = len(U)
    Z = torch.randn(P, P, generator=generator, device=generator.device, dtype=torch.float64)
    if centre:
        Z -= Z.mean(0)
    return (Z / math.sqrt(P)).to(U) @ U


def stable_twin(U: Float[Tensor, "P p"], alpha: float | int, generator: torch.Generator) -> Float[Tensor, "P p"]:
    r"""Draw stable noise of a similar dependence: :math:`S U / P^{1/\alpha}`, S of P x P independent SaS(1) numbers.

    Given U, its rows are independent and every coordinate is exactly SaS, of scale
    :math:`(\sum_k |U_{kj}|^\alpha / P)^{1/\alpha}`: a positive control for what looks down the columns. At alpha = 2 it is
    the Gaussian twin times sqrt 2.

    Args:
        U: noise matrix, on any device.
        alpha: index, 0 < alpha <= 2.
        generator: of the mixing matrix, on any device; the draws advance it.

    Returns:
        The twin, where U is; its columns are not centred.

    Raises:
        ValueError: alpha is out of range, or the twin leaves the range of the type of U.
    """
    P = len(U)
    S = stable.sample(alpha, (P, P), generator=generator) / P ** (1 / alpha)
    twin = S.to(U) @ U
    if not bool(torch.isfinite(twin).all()):
        raise ValueError(f"alpha = {alpha}: a draw leaves the range of {U.dtype}; take a larger alpha, or U in float64")
    return twin


def twin_inverse(U: Float[Tensor, "P p"], lengths: Sequence[int], *, epsilon: float = 0.0) -> list[float]:
    r"""Compute the mean of 1/alpha^ over the Gaussian twins of a noise matrix, without drawing any.

    Rows of a twin :math:`Z U / \sqrt P` have the covariance :math:`U^\top U / P`. Read row by row as
    :func:`~tailnoise_utils.tail_index.mohammadi` does, every entry and every block sum of it is normal, so that

    .. math:: E\Bigl[\frac{1}{\hat\alpha}\Big|U\Bigr] = \frac{1}{\ln K_1}
        \Bigl(\frac{1}{K_2}\sum_{\text{blocks}} h(s_Y) - \frac{1}{K}\sum_{ij} h(s_j)\Bigr), \qquad
        h(s) = E \ln(s|z| + \epsilon), \quad z \sim N(0, 1),

    with :math:`s_j^2 = \sum_i U_{ij}^2 / P` and :math:`s_Y^2 = \sum_i (\sum_{j \in Y} U_{ij})^2 / P`. Rows of the twin are
    independent: of a block that straddles rows, the variances of its pieces add up. Equality of 1/alpha^ of U and of its
    twin says that the estimate holds nothing beyond second moments; jointly stable rows are expected to have it too.

    Args:
        U: noise matrix, one row a minibatch; without dead columns unless `epsilon` is positive.
        lengths: block lengths K1; what is left over takes no part.
        epsilon: added inside every logarithm.

    Returns:
        The mean of 1/alpha^ at each block length.
    """
    P, p = U.shape
    blocks = TwinBlocks(P, p, lengths)
    for row in U.cpu():
        blocks.add(row)
    scales = root_mean_squares(U).cpu()
    return [blocks.inverse(scales, K1, epsilon=epsilon) for K1 in lengths]


class TwinBlocks:
    """Compute :func:`twin_inverse` of a noise matrix that is seen a row at a time; memory does not grow with the rows.

    Args:
        P: number of rows to come.
        p: entries of a row.
        lengths: block lengths K1.
    """

    def __init__(self, P: int, p: int, lengths: Sequence[int]) -> None:
        self.P, self.p = P, p
        self._cuts, ends = {}, {}
        for K1 in lengths:
            end = P * p // K1 * K1
            cuts = np.union1d(np.arange(0, end + 1, K1), np.arange(0, end, p))  # pieces: blocks, cut where a row ends
            self._cuts[K1], ends[K1] = cuts, (cuts[:-1] % p, (cuts[1:] - 1) % p + 1)
        self._at = np.unique(np.concatenate([places for both in ends.values() for places in both]))
        self._ends = {K1: [torch.from_numpy(np.searchsorted(self._at, x)) for x in both] for K1, both in ends.items()}
        self._sums = torch.zeros(len(self._at), dtype=torch.float64)  # of the present row, up to each of these places
        self._squares = {K1: torch.zeros(len(first), dtype=torch.float64) for K1, (first, _) in ends.items()}
        self._in_row, self._sum = 0, 0.0

    def add(self, piece: Float[Tensor, " k"]) -> None:
        """Take the next entries of a row; a full row ends."""
        if not len(piece):
            return
        first, last = np.searchsorted(self._at, (self._in_row, self._in_row + len(piece)), side="right")
        ends = self._at[first:last] - self._in_row
        starts = np.append(0, ends[ends < len(piece)])
        sums = np.add.reduceat(piece.double().cpu().numpy(), starts).cumsum() + self._sum
        self._sums[first:last] = torch.from_numpy(sums[: len(ends)])
        self._in_row, self._sum = self._in_row + len(piece), float(sums[-1])
        if self._in_row == self.p:
            for K1, (start, stop) in self._ends.items():
                self._squares[K1] += (self._sums[stop] - self._sums[start]).square_().div_(self.P)
            self._in_row, self._sum = 0, 0.0

    def inverse(self, scales: Float64[Tensor, " p"], K1: int, *, epsilon: float = 0.0) -> float:
        """Give the mean of 1/alpha^ over the twins at one block length, once all rows have been seen, with all s_j."""
        cuts, s = self._cuts[K1], scales.numpy()
        blocks = np.sqrt(np.add.reduceat(self._squares[K1].numpy(), np.searchsorted(cuts, np.arange(0, cuts[-1], K1))))
        if not epsilon and not (blocks := blocks[blocks > 0]).size:
            raise ValueError(f"all block sums (K1 = {K1}) are exactly zero: no logarithm to average")
        rows, rest = divmod(int(cuts[-1]), self.p)
        log_X = _logs(s, epsilon) * rows + _logs(s[:rest], epsilon)
        return float((_logs(blocks, epsilon) / len(blocks) - log_X / cuts[-1]) / np.log(K1))


def root_mean_squares(U: Float[Tensor, "P p"]) -> Float64[Tensor, " p"]:
    """Compute the root of the mean square of every column."""
    return torch.cat([block.double().square().mean(0) for block in U.split(_COLUMNS, 1)]).sqrt_()


def _logs(scales: Float64[np.ndarray, " n"], epsilon: float) -> float:
    """Sum E ln(s|z| + epsilon) over scales s."""
    if not epsilon:
        return float(np.log(scales).sum() + len(scales) * _MEAN_LOG_NORMAL)
    with np.errstate(divide="ignore"):
        smooth = np.interp(np.log(scales / epsilon), *_smooth_part())
    return float((np.log(epsilon + scales) + smooth).sum())


@lru_cache
def _smooth_part() -> tuple[np.ndarray, np.ndarray]:
    """Tabulate E ln(1 + r|z|) - ln(1 + r) against ln r: smooth, and constant where either term of the sum is lost."""
    log_r, log_z, step = np.linspace(-40, 40, 4001), *np.linspace(-45, 2.5, 2001, retstep=True)
    z = np.exp(log_z)
    density = np.exp(-np.square(z) / 2) * z * step * np.sqrt(2 / np.pi)  # of ln|z|
    values = [np.log1p(r * z) @ density - np.log1p(r) for r in np.exp(log_r)]
    return log_r, np.array(values)


def flip_columns(U: Float[Tensor, "P p"], seed: int) -> Float[Tensor, "P p"]:
    """Give every column a random sign, in place: independent symmetric components would keep their law."""
    return U.mul_(random_signs(U.shape[1], seed).to(U))


def random_signs(p: int, seed: int) -> Int8[Tensor, " p"]:
    """Draw the sign of every column, in 8 bits, because it stays in memory."""
    signs = torch.randint(2, (p,), generator=torch.Generator().manual_seed(seed), dtype=torch.int8)
    return signs.mul_(2).sub_(1)


def permute_within_columns(U: Float[Tensor, "P p"], seed: int) -> Float[Tensor, "P p"]:
    """Permute the rows independently in every column, in a new matrix: columns keep their values, rows share nothing."""
    out = torch.empty_like(U, memory_format=torch.contiguous_format)
    if U.device.type == "cpu":
        rng = np.random.default_rng(seed)
        for block, mixed in zip(U.split(_PERMUTED, 1), out.split(_PERMUTED, 1), strict=True):
            mixed.copy_(torch.from_numpy(rng.permuted(block.numpy(), axis=0)))
        return out
    generator = torch.Generator(U.device).manual_seed(seed)
    width = max(1, 2**24 // len(U))
    for block, mixed in zip(U.split(width, 1), out.split(width, 1), strict=True):
        keys = torch.rand(block.shape, generator=generator, device=U.device)
        mixed.copy_(block.gather(0, keys.argsort(0)))
    return out


def shuffle(x: Float[Tensor, " K"], seed: int) -> Float[Tensor, " K"]:
    """Permute all entries, every order being equally likely, in a new tensor; CPU and GPU differ in it."""
    if x.device.type != "cpu" or len(x) >= 10**9:  # NumPy's hypergeometric numbers end there
        generator = torch.Generator(x.device).manual_seed(seed)
        return x[torch.randperm(len(x), generator=generator, device=x.device)]
    # Two passes that stay in the processor's cache take a third of the time of one permutation of 2^25 entries: shuffle
    # chunks, deal each out to segments in numbers that are those of a shuffle (multivariate hypergeometric), shuffle these.
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    out = torch.empty_like(x)
    count = math.ceil(len(x) / _CHUNK)
    segments = out.tensor_split(count)
    left = np.array([len(segment) for segment in segments])  # places not yet taken
    filled = np.zeros(count, dtype=np.int64)
    for chunk in x.tensor_split(count):
        shares = rng.multivariate_hypergeometric(left, len(chunk), method="marginals")
        mixed = chunk[torch.randperm(len(chunk), generator=generator)].split(shares.tolist())
        for piece, segment, at, share in zip(mixed, segments, filled.tolist(), shares.tolist(), strict=True):
            segment[at : at + share] = piece
        left -= shares
        filled += shares
    for segment in segments:
        segment.copy_(segment[torch.randperm(len(segment), generator=generator)])
    return out


def apart(groups: Groups | None) -> dict[str, Sequence[slice]]:
    """Call a layer or group "all" by the name "all (layer)", because "all" is the whole network."""
    return {"all (layer)" if name == "all" else name: parts for name, parts in (groups or {}).items()}


def sample_columns(p: int, groups: Groups | None, limit: int, *, seed: int = 0) -> Int64[Tensor, " columns"]:
    """Choose up to `limit` coordinates, increasing: a contiguous segment, at a random place, of every layer (or all p)."""
    cuts = {0, p}
    for name, slices in (groups or {}).items():
        for part in slices:
            if part.step not in (None, 1) or not 0 <= part.start < part.stop <= p:
                raise ValueError(
                    f"group {name!r}: {part} is no slice of a row of p = {p} coordinates: give start < stop"
                )
            cuts |= {part.start, part.stop}  # the row is cut wherever a slice begins or ends
    if p <= limit:
        return torch.arange(p)
    pieces = list(itertools.pairwise(sorted(cuts)))
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
