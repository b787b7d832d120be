"""Estimators from sums over blocks (Mohammadi, Mohammadpour and Ogata 2015): the ones the paper uses.

If X_1..X_K are i.i.d. SaS(sigma), a sum Y of K1 of them has the law of K1^(1/alpha) X, so that any location functional of
log|Y| exceeds that of log|X| by (log K1) / alpha. Corollary 2.4 takes the mean, Corollary 2.2 an order statistic.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from tailnoise_utils import stable

from .logs import CHUNK, alive, all_zero, chosen, lines, log_sums
from .result import LOOKED, Sample, TailIndex, as_numbers, check_finite, check_varies, warn_of_shift

PUBLISHED_EPSILON = 2.2204e-16
CONVENTIONS = ("published", "corrected")
CANCELLED = 0.02  # share of them that makes an estimate meaningless: 1 / alpha^ is off by about 14 of it over ln K1
_ROUNDING = 1e-5  # of what a sum of independent entries has; of these one in 10^5 is below


def mohammadi(x: Sample, K1: int | None = None, *, convention: str = "corrected") -> TailIndex:
    r"""Estimate the tail index from the mean logarithm of block sums (Corollary 2.4), the estimator of the paper.

    .. math:: \frac{1}{\hat\alpha} = \frac{1}{\log K_1}
        \Bigl(\frac{1}{K_2}\sum_{i=1}^{K_2}\log|Y_i| - \frac{1}{K}\sum_{k=1}^{K}\log|X_k|\Bigr),
        \qquad Y_i = \sum_{k=(i-1)K_1+1}^{iK_1} X_k, \quad K = K_1 K_2

    Two conventions (see the methods page):

    * ``"corrected"``: K1 = floor(sqrt(K)) over the live entries; columns of a matrix that are constant over the rows (dead
      units) are dropped and their share reported; exact zeros contribute no logarithm and are counted; a remainder shorter
      than K1 is dropped; sums in float64. Invariant under scaling of `x`.
    * ``"published"``: everything in float32, row by row; K1 the largest divisor of K not above sqrt(K); 2.2204e-16 added
      inside every logarithm, so that an exact zero counts as -36 and the result depends on the scale of `x`.

    Standard error. For a sample (one dimension), the i.i.d. formula

    .. math:: \mathrm{sd}(1/\hat\alpha) = \sqrt{\kappa_2/K_2} / \log K_1, \qquad
        \kappa_2 = \mathrm{Var}\log|X| = \tfrac{\pi^2}{6}\bigl(\tfrac{1}{\alpha^2}+\tfrac12\bigr),

    too large by 10 to 20 % at alpha = 0.5 and K = 100 and by less than 2 % from K = 10^4 on (it leaves out the variance of
    the mean of log|X| and its covariance with log|Y|). For a matrix, the jackknife over rows, each block counted to the row
    in which it begins; NaN below three rows. It does not assume i.i.d. entries. It speaks of the minibatches that were
    drawn only: the choice of the partition, of the seed and of the order of the columns add to it.

    Bias: none in 1/alpha^ for i.i.d. SaS data (corrected). Domain: 0 < alpha <= 2 about zero, any K >= 4. Misleading where
    entries are not i.i.d. stable: dependence within a block, unequal scales and exact zeros (published) move it below 2
    without heavy tails; heavy tails shared by a whole row (elliptical noise) leave it at 2.

    A warning says so where the data are not of a law about zero (a shift of the mean is added up in every block, which
    reads as alpha near 1), and where sums over blocks cancel but for rounding errors.

    Source: Mohammadi, Mohammadpour and Ogata (2015), Metrika 78, 549-561, Corollary 2.4; arXiv:1901.06053.

    Args:
        x: a sample, shape (K,), or a noise matrix, shape (P, p), one row a minibatch, read row by row.
        K1: length of a block, 2 <= K1 <= K / 2; in the published convention it must divide K.
        convention: ``"corrected"`` or ``"published"``.

    Returns:
        The estimate; `info` holds K1, K2, zeros (stray exact zeros, corrected), dead_share (corrected, matrix).

    Raises:
        ValueError: K too small, K1 out of range or not a divisor, nothing alive, all equal, masked, NaN or inf, unknown
            convention.

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5, 10**7):
        ...     print(mohammadi(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.441 +- 0.14
        alpha^ = 1.464 +- 0.026
        alpha^ = 1.507 +- 0.0062
    """
    blocks = split(x, K1, convention)
    blocks.warn()
    return estimate(blocks)


def estimate(blocks: "Blocks") -> TailIndex:
    """Compute `mohammadi` of entries that were cut into blocks."""
    sums = blocks.sums()
    if blocks.epsilon:  # in the dtype of the entries, operation by operation as published
        log_Y = blocks.rows().sum(1).abs_().add_(blocks.epsilon).log_().mean()
        log_X = blocks.flat.abs().add_(blocks.epsilon).log_().mean()
        inverse = float((log_Y - log_X) / math.log(blocks.K1))
    else:
        totals = sums.sum(0).tolist()
        inverse = inverse_index(totals, blocks.K1, blocks.K2)
        blocks.info["zeros"] = blocks.K1 * blocks.K2 - int(totals[3])
    if blocks.p is None:
        inverse_se = math.sqrt(math.pi**2 / 6 * (inverse**2 + 0.5) / blocks.K2) / math.log(blocks.K1)
    else:
        inverse_se, _ = jackknife(sums, blocks.K1)
    return TailIndex.from_inverse(inverse, inverse_se, **blocks.info)


def mohammadi_order(
    x: Sample, k: int | None = None, K1: int | None = None, *, convention: str = "corrected"
) -> TailIndex:
    r"""Estimate the tail index from order statistics of block sums (Corollary 2.2).

    .. math:: \frac{1}{\hat\alpha} = \frac{(\log|Y|)_{(k)} - (\log|X|)_{(K_1 k)}}{\log K_1}

    with :math:`(\cdot)_{(k)}` the k-th smallest of the K2 block sums and of the K entries: the same quantile of both.
    The conventions are those of :func:`mohammadi`. Less efficient than the mean near alpha = 2 and insensitive to exact
    zeros as long as the chosen quantile is above them.

    Standard error: with g the density of log|X| at its quantile q = k / (K2 + 1),
    :math:`\mathrm{sd}(1/\hat\alpha) = \sqrt{q(1-q)/K_2}\,/\,(g\,\log K_1)` (i.i.d. entries; NaN for a matrix). Bias of
    1/alpha^ about -q / (K2 g log K1), since the two order statistics stand for the quantiles k/(K2+1) and K1 k/(K+1): a
    tenth of the standard error at K = 10^4, a third at K = 100. Domain: 0 < alpha <= 2 about zero;
    misleading as :func:`mohammadi`.

    Source: Mohammadi, Mohammadpour and Ogata (2015), Metrika 78, 549-561, Corollary 2.2.

    Args:
        x: a sample, shape (K,), or a noise matrix, shape (P, p), read row by row.
        k: which block sum, 1 <= k <= K2; the median, ceil(K2 / 2), by default.
        K1: length of a block, as in :func:`mohammadi`.
        convention: ``"corrected"`` or ``"published"``.

    Returns:
        The estimate; `info` holds K1, K2, k and what :func:`mohammadi` counts.

    Raises:
        ValueError: as :func:`mohammadi`; k out of range; the chosen order statistic is an exact zero (corrected).

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5):
        ...     print(mohammadi_order(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.601 +- 0.16
        alpha^ = 1.446 +- 0.026
    """
    blocks = split(x, K1, convention)
    blocks.warn()
    k = math.ceil(blocks.K2 / 2) if k is None else k
    if not isinstance(k, int | np.integer) or not 1 <= k <= blocks.K2:
        raise ValueError(
            f"k = {k} is not an integer in 1..K2 = {blocks.K2} (K1 = {blocks.K1}): choose an existing block sum"
        )
    X = blocks.rows()
    dtype = X.dtype if convention == "published" else torch.float64
    Y_k = X.sum(1, dtype=dtype).abs().kthvalue(k).values
    X_k = X.abs().reshape(-1).kthvalue(blocks.K1 * k).values.to(dtype)
    if convention == "corrected" and not (Y_k and X_k):
        raise ValueError(f"order statistic k = {k} of {blocks.K2} is an exact zero: choose a larger k")
    inverse = float(((Y_k + blocks.epsilon).log() - (X_k + blocks.epsilon).log()) / math.log(blocks.K1))
    inverse_se = math.nan
    if blocks.p is None:
        q = k / (blocks.K2 + 1)
        alpha = 1 / min(max(inverse, 0.5), 20.0)  # where the density can be computed
        x_q = stable.ppf((1 + q) / 2, alpha)
        density = 2 * x_q * stable.pdf(x_q, alpha)
        inverse_se = math.sqrt(q * (1 - q) / blocks.K2) / float(density * math.log(blocks.K1))
    return TailIndex.from_inverse(inverse, inverse_se, **blocks.info, k=k)


@dataclass
class Blocks:
    """The entries that take part, read row by row, cut into K2 blocks of K1; the remainder takes no part."""

    x: Tensor
    live: Tensor | None  # mask of the columns that take part, None for all, and for a sample
    K1: int
    K2: int
    p: int | None  # number of those columns, None for a sample
    epsilon: float
    info: dict[str, float | int]

    @cached_property
    def flat(self) -> Tensor:
        """The entries one after another: a view, or a copy where columns are left out."""
        return (self.x if self.live is None else chosen(self.x, self.live)).reshape(-1)

    def rows(self) -> Tensor:
        """Give the blocks as rows, (K2, K1), a view."""
        return self.flat[: self.K1 * self.K2].view(self.K2, self.K1)

    def warn(self) -> None:
        """Warn where the estimate means nothing: sums that cancel, a sample or columns that are not about zero."""
        X = torch.cat(list(islice(self._portions(), max(1, LOOKED // max(CHUNK, self.K1)))))
        Y = X.sum(1, dtype=torch.float64)
        share = float(cancel(Y, X.abs().sum(1, dtype=torch.float64), self.K1).double().mean())
        if share > CANCELLED:
            warnings.warn(
                f"{share:.0%} of the sums over K1 = {self.K1} entries are rounding errors of zero: the entries cancel, and "
                "the estimate is meaningless. Give another K1, or leave out coordinates that add up to zero",
                stacklevel=3,
            )
        warn_of_shift(self.x if self.live is None else chosen(self.x, self.live))

    def sums(self) -> Tensor:
        """Sum log|Y| and log|X| and count both: four columns, a row for each row of the matrix, or block of a sample."""
        portions = []
        for X in self._portions():
            Y = X.sum(1, keepdim=True, dtype=torch.float64)
            portions.append(torch.cat([log_sums(Y, self.epsilon), log_sums(X, self.epsilon)], 1))
        logs = torch.cat(portions)
        return logs if self.p is None else by_row(logs, self.K1, self.p)

    def _portions(self) -> Iterator[Tensor]:
        """Give as many blocks at a time as the cache holds: fresh memory for all would cost more than the rest."""
        step = max(1, CHUNK // self.K1)
        if self.live is None:
            yield from self.rows().split(step)
            return
        rest = self.x.new_empty(0)
        for part in self.x.split(lines(self.x)):
            rest = torch.cat([rest, chosen(part, self.live).reshape(-1)])
            complete = len(rest) // self.K1
            yield from rest[: complete * self.K1].view(complete, self.K1).split(step)
            rest = rest[complete * self.K1 :]


def cancel(Y: Tensor, sizes: Tensor, K1: int) -> Tensor:
    """Mark the block sums that are rounding errors of zero, but not zero: far below independent entries of these sizes."""
    return (Y != 0) & (Y.abs() < _ROUNDING / math.sqrt(K1) * sizes)


def by_row(logs: Tensor, K1: int, p: int) -> Tensor:
    """Add up the numbers of the blocks that begin in the same row of p entries, up to the row of the last block."""
    first = torch.arange(len(logs), device=logs.device) * K1 // p
    return logs.new_zeros(int(first[-1]) + 1, logs.shape[1]).index_add_(0, first, logs)


def inverse_index(totals: Sequence[float], K1: int, K2: int) -> float:
    """Compute 1 / alpha^ from the sum of log|Y|, its number of terms, the sum of log|X| and its number of terms."""
    log_Y, n_Y, log_X, n_X = totals
    if not n_Y:
        raise ValueError(f"all {K2} block sums (K1 = {K1}) are exactly zero: no logarithm to average")
    return (log_Y / n_Y - log_X / n_X) / math.log(K1)


def jackknife(sums: Tensor, K1: int) -> tuple[float, float]:
    """Compute the standard errors of 1 / alpha^ and of the mean log|Y| from these four sums, leaving out a row each."""
    P = len(sums)
    if P < 3:  # two centred rows are each other's negative: leaving one out changes nothing
        return math.nan, math.nan
    log_Y, n_Y, log_X, n_X = (sums.sum(0) - sums).T
    mean_Y = log_Y / n_Y
    inverse = (mean_Y - log_X / n_X) / math.log(K1)
    squares = [(left_out - left_out.mean()).square().sum() for left_out in (inverse, mean_Y)]
    return float((squares[0] * (P - 1) / P).sqrt()), float((squares[1] * (P - 1) / P).sqrt())


def split(x: Sample, K1: int | None, convention: str) -> Blocks:
    """Check the input, drop what the convention drops, choose K1."""
    x = as_numbers(x)
    if x.ndim not in (1, 2) or (x.ndim == 2 and len(x) < 2):
        raise ValueError(f"expected a sample (K,) or a noise matrix (P >= 2, p), got shape {tuple(x.shape)}")
    what = "the sample" if x.ndim == 1 else "the noise matrix"
    check_finite(x, what)
    if all_zero(x):
        raise ValueError(f"nothing is alive: all entries of {what} of shape {tuple(x.shape)} are exactly zero")
    if x.ndim == 1 or convention == "published":
        check_varies(x, what)
    info: dict[str, float | int] = {}
    live, p = None, x.shape[1] if x.ndim == 2 else None
    if convention == "published":
        x = x.float()
        check_finite(x, f"in float32, as published, {what}")
        if all_zero(x):
            raise ValueError(f"in float32, as published, every entry of {what} underflows to zero; rescale the data")
    elif x.ndim == 2:
        live = alive(x)
        p = int(live.count_nonzero())
        info["dead_share"] = 1 - p / len(live) if len(live) else 1.0
        live = None if p == len(live) else live
    K = x.numel() if p is None else len(x) * p
    if not K:
        raise ValueError("nothing is alive: every column of the noise matrix is constant over the minibatches")
    info["K1"] = K1 = block_length(K, K1, convention)
    info["K2"] = K2 = K // K1
    return Blocks(x, live, K1, K2, p, PUBLISHED_EPSILON if convention == "published" else 0.0, info)


def largest_divisor(K: int) -> int:
    """Find the largest divisor of K that is not above its root, which is also the divisor nearest to the root."""
    return next(d for d in range(math.isqrt(K), 0, -1) if K % d == 0)


def block_length(K: int, K1: int | None, convention: str) -> int:
    """Check the convention, K and K1, or choose K1 as the convention does."""
    if convention not in CONVENTIONS:
        raise ValueError(f"unknown convention {convention!r}; choose one of {', '.join(CONVENTIONS)}")
    if K < 4:
        raise ValueError(
            f"K = {K} entries are too few: two blocks of two are the least; measure more or larger minibatches"
        )
    published = convention == "published"
    if K1 is None:
        K1 = largest_divisor(K) if published else math.isqrt(K)
        if K1 == 1:
            raise ValueError(
                f"K = {K} is prime, so the published rule gives K1 = 1; drop an entry, take another number of minibatches, "
                "or use 'corrected'"
            )
    elif not isinstance(K1, int | np.integer) or not 2 <= K1 <= K // 2:
        raise ValueError(
            f"K1 = {K1} is not an integer in 2..{K // 2} (half of K = {K}); K1 = 1 compares the entries to themselves"
        )
    elif published and K % K1:
        raise ValueError(f"K1 = {K1} does not divide K = {K}, as the published convention needs; {_nearest(K, K1)}")
    return K1


def _nearest(K: int, K1: int) -> str:
    """Name the divisors of K next to K1."""
    divisors = sorted({d for i in range(2, math.isqrt(K) + 1) if K % i == 0 for d in (i, K // i)})
    near = [d for d in divisors if d < K1][-1:] + [d for d in divisors if d > K1][:1]
    return f"the nearest divisors are {' and '.join(map(str, near))}" if near else f"{K} is prime: drop an entry"
