r"""Statistics that look down the columns, across the minibatches, where the joint estimate cannot look.

Each is compared with its values on Gaussian twins of the same covariance (:func:`gaussian_null`), since no formula knows
how coordinates depend on each other. A twin has the covariance that was *measured*, of rank below P: where the coordinates
are close to independent, the twins' are less so, their statistics spread more and the test errs on the side of the
Gaussian law.

For the norms this effect is known and taken out (:func:`gaussian_norms`). Of Gaussian rows of covariance :math:`\Sigma`,
:math:`\mathrm{Var} \ln \lVert X \rVert \approx \mathrm{tr}\, \Sigma^2 / (2 (\mathrm{tr}\, \Sigma)^2)`. The measured S is
concentrated on P - 1 directions, which alone would add 1 / (2 (P - 1)), and its square holds fourth powers of the rows, so
that heavy tails would widen their own reference. Both traces are estimated from *different* rows instead, without bias
whatever the law of the rows (the first: Chen, Zhang and Zhong 2010, Journal of the American Statistical Association 105,
810-819). With sums over distinct indices, and :math:`(P)_k = P (P - 1) \cdots (P - k + 1)`,

.. math:: \widehat{\mathrm{tr}\, \Sigma^2} = \frac{\sum G_{ij}^2}{(P)_2} - \frac{2 \sum G_{ij} G_{jk}}{(P)_3}
    + \frac{\sum G_{ij} G_{kl}}{(P)_4}, \qquad \widehat{(\mathrm{tr}\, \Sigma)^2}
    = \frac{\sum \lVert U_i - U_j \rVert^2 \lVert U_k - U_l \rVert^2}{4\, (P)_4} .

The norms are drawn under :math:`a S + (1 - a) (\mathrm{tr} S / p) I`, with a in 0..1 such that the ratio of its traces is
that of the estimates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from tailnoise_utils import stable
from tailnoise_utils.tail_index.result import warn_of_shift

from .twins import gaussian_twin, stable_twin

_CHUNK = 2**14  # columns at a time
_INDICES = np.concatenate([[2, 1.95], np.arange(1.9, 0.95, -0.1)])  # of the ruler
_TINY = 1e-30  # mean squares below it are taken again in float64
Statistic = Callable[[Float[Tensor, "P p"]], Float64[Tensor, "..."]]


@dataclass(frozen=True)
class Comparison:
    """A statistic and its law on Gaussian twins."""

    value: float  # of the noise
    null: float  # mean over the twins
    null_sd: float  # standard deviation over the twins
    p: float  # (1 + number of twins that reach the value) / (1 + number of twins): small for heavy tails


def judge(value: float, null: Float64[Tensor, " draws"]) -> Comparison:
    """Compare a statistic, large for heavy tails, with its values on twins: one-sided; NaN throughout where it is NaN."""
    if math.isnan(value):
        return Comparison(value, math.nan, math.nan, math.nan)
    reached = int((null >= value).sum())
    return Comparison(value, float(null.mean()), float(null.std()), (1 + reached) / (1 + len(null)))


def check_draws(draws: int) -> None:
    """Refuse so few twins that no p-value reaches .05."""
    if draws < 19:
        raise ValueError(
            f"draws = {draws}: p-values go in steps of 1 / (draws + 1), so take 19 or more, 99 for a result"
        )


def gaussian_null(
    U: Float[Tensor, "P p"], statistic: Statistic, *, draws: int = 99, generator: torch.Generator
) -> Float64[Tensor, "draws ..."]:
    """Give a statistic of 19 or more Gaussian twins with centred columns, a draw a row; U may have only some columns."""
    check_draws(draws)
    return torch.stack([statistic(gaussian_twin(U, generator, centre=True)) for _ in range(draws)])


def stable_null(
    U: Float[Tensor, "P p"], statistic: Statistic, *, alpha: float | int, draws: int = 19, generator: torch.Generator
) -> Float64[Tensor, "draws ..."]:
    """Give a statistic of stable twins with centred columns, a draw a row: what it is where the tails are heavy."""
    twins = (stable_twin(U, alpha, generator) for _ in range(draws))
    return torch.stack([statistic(twin.sub_(twin.mean(0))) for twin in twins])


def tail_excess(U: Float[Tensor, "P p"]) -> Float64[Tensor, " p"]:
    r"""Compute how much smaller the typical entry is, relative to its column's standard deviation, than in Gaussian noise.

    .. math:: \tau_j = \tfrac12 \bigl[ \ln(P-1) + \psi(\tfrac12) - \psi(\tfrac{P-1}2) \bigr]
        - \frac1P \sum_i \ln \frac{|U_{ij}|}{s_j}, \qquad s_j^2 = \frac1P \sum_i U_{ij}^2

    Of mean exactly zero for centred Gaussian columns, whatever their scales and covariance: then
    :math:`U_{ij}^2 / (P s_j^2) = (1 - 1/P) B`, B of the beta law (1/2, (P-2)/2), and
    :math:`E \ln B = \psi(1/2) - \psi((P-1)/2)`. Positive for heavier tails. tau is its mean over the columns.

    Args:
        U: noise matrix whose columns are centred and not constant.

    Returns:
        tau_j of every column; exact zeros contribute no logarithm.
    """
    if U.shape[1] > _CHUNK:
        return torch.cat([tail_excess(block) for block in U.split(_CHUNK, 1)])
    warn_of_shift(U)
    squares = U.square().mean(0).double()
    if bool((tiny := squares < _TINY).any()):  # squares of very small entries are beyond float32
        squares[tiny] = U[:, tiny].double().square().mean(0)
    scale = squares.log_() / 2
    return gaussian_mean_log(len(U)) - (mean_logs(U.abs().log_()).double() - scale)


def gaussian_mean_log(P: int) -> float:
    r"""Compute :math:`E \ln(|U_{ij}| / s_j)` of centred Gaussian columns of P rows (see `tail_excess`)."""
    psi = torch.special.digamma(torch.tensor([0.5, (P - 1) / 2], dtype=torch.float64)).tolist()
    return (math.log(P - 1) + psi[0] - psi[1]) / 2


def stable_index(tau: float, P: int) -> float:
    r"""Read tau on its ruler: the index of independent stable noise that has the same tail excess in P rows.

    .. math:: \tau(\alpha) = \tfrac12 \Bigl[ \ln\tfrac nP + \psi(\tfrac12) - \psi(\tfrac n2)
        + E \ln \sum_{i \le n} X_i^2 \Bigr] - E \ln|X|
        - \tfrac1\alpha \ln\bigl[ (\tfrac nP)^\alpha + n P^{-\alpha} \bigr], \qquad n = P - 1,

    X of the SaS law: the last term is what centring does to an entry. That it leaves n rows to the sum of squares is exact
    at 2; at 1.2 tau is .2 % too small for P = 120 and 5 % for P = 16. With Z standard normal,

    .. math:: E \ln \sum_{i \le n} X_i^2 = \int_0^\infty \bigl( e^{-t} - \varphi(t)^n \bigr) \frac{dt}t, \qquad
        \varphi(t) = E e^{-t X^2} = E e^{-(2t)^{\alpha/2} |Z|^\alpha} .

    At P = 120 tau is .05 at 1.95, .10 at 1.9, .22 at 1.8, .64 at 1.5. It measures size; it does not make noise stable.

    Args:
        tau: mean tail excess of the columns.
        P: number of rows.

    Returns:
        The index; 2 where tau is 0 or less, 1 where it is beyond the ruler; NaN below 16 rows, which hardly tell.
    """
    if P < 16 or math.isnan(tau):
        return math.nan
    return float(np.interp(tau, _ruler(P), _INDICES))


@lru_cache
def _ruler(P: int) -> Float64[np.ndarray, " indices"]:
    """Compute tau of the indices of the ruler by sums over an even grid in ln t and in z."""
    n = P - 1
    log_t, step = np.linspace(-60, 8, 681, retstep=True)
    z, dz = np.linspace(0, 9, 300, retstep=True)
    weights = np.exp(-np.square(z) / 2) * dz * math.sqrt(2 / math.pi)
    weights[0] /= 2
    taus = []
    for alpha in _INDICES.tolist():
        phi = np.exp(-np.outer(np.exp((log_t + math.log(2)) * alpha / 2), z**alpha)) @ weights
        log_sum = float((np.exp(-np.exp(log_t)) - phi**n).sum() * step)
        centred = math.log((n / P) ** alpha + n * P**-alpha) / alpha
        log_ratio = stable.log_cumulants(alpha)[0] + centred - (log_sum - math.log(P)) / 2
        taus.append(gaussian_mean_log(P) - log_ratio)
    return np.array(taus)


def column_lengths(P: int) -> tuple[int, ...]:
    """Give those of 2, 3, 5, 10, 15, 20, 30, 50 that P // 2 pair differences have room for."""
    return tuple(K1 for K1 in (2, 3, 5, 10, 15, 20, 30, 50) if K1 <= P // 2)


def column_inverse(U: Float[Tensor, "P p"], lengths: Sequence[int]) -> Float64[Tensor, "lengths p"]:
    r"""Compute the block estimate of every column by itself, on its pair differences :math:`U_{2i-1,j} - U_{2i,j}`.

    For independent stable rows it has the mean 1/alpha at every K1, however coordinates depend on each other; for
    independent rows of finite variance it falls to 1/2 as K1 grows. Centred entries would not do: they sum to zero, and
    sums of many are too small (for Gaussian entries at P = 60 and K1 = 10, alpha^ is 2.15, not 2).

    Source: Corollary 2.4 of Mohammadi, Mohammadpour and Ogata (2015), Metrika 78, 549-561.

    Args:
        U: noise matrix, or gradients, whose differences have more digits; rows in an order that says nothing.
        lengths: block lengths K1; what is left over of P // 2 differences is dropped. One block is enough: the mean over
            the columns counts.

    Returns:
        1/alpha^_j, a block length a row; exact zeros contribute no logarithm (NaN where nothing is left).

    Raises:
        ValueError: a length below 2, or above the number of pair differences.
    """
    pairs = len(U) // 2
    for K1 in lengths:
        if not 2 <= K1 <= pairs:
            raise ValueError(f"K1 = {K1} is not within 2..{pairs}, the pair differences of a column")
    D = U[0 : 2 * pairs : 2] - U[1 : 2 * pairs : 2]
    logs = D.abs().log_()
    inverse = []
    for K1 in lengths:
        n = pairs // K1
        Y = D[: n * K1].view(n, K1, -1).sum(1)
        inverse.append((mean_logs(Y.abs_().log_()).double() - mean_logs(logs[: n * K1]).double()) / math.log(K1))
    return torch.stack(inverse)


def gram(U: Float[Tensor, "P p"]) -> Float64[Tensor, "P P"]:
    """Compute the inner products of the rows: all that norms and projections of the noise and of its twins need."""
    G = U.new_zeros(len(U), len(U), dtype=torch.float64)
    for block in U.split(_CHUNK, 1):
        G += block @ block.T
    return (G + G.T) / 2


def norm_spread(G: Float64[Tensor, "P P"]) -> float:
    """Compute the s.d. of ln||U_i|| from inner products: tails of a whole row, which the joint estimate does not see."""
    squares = G.diagonal()
    return float(squares[squares > 0].log().std() / 2)


def gaussian_norms(
    G: Float64[Tensor, "P P"], p: int, shape: tuple[int, ...], generator: np.random.Generator
) -> Float64[np.ndarray, "*shape"]:
    """Draw norms of Gaussian noise in p coordinates with the covariance behind 4 or more rows (see the module)."""
    P = len(G)
    if P < 4:
        raise ValueError(f"P = {P} rows do not tell how their norms should spread: give 4 or more")
    G = G - G.mean(0) - G.mean(1, keepdim=True) + G.mean()
    trace = float(G.diagonal().sum())
    if not trace > 0:
        raise ValueError("all rows are equal: there is no noise, and no norm to compare")
    G = G / trace
    squares = G.diagonal()
    pairs, chains, apart = _distinct(G - torch.diag(squares))
    trace_of_square = pairs / math.perm(P, 2) - 2 * chains / math.perm(P, 3) + apart / math.perm(P, 4)
    square_of_trace = _distinct(squares + squares[:, None] - 2 * G)[2] / (4 * math.perm(P, 4))
    values = torch.linalg.eigvalsh(G).cpu().numpy()[::-1][: min(P - 1, p)].clip(min=0)
    excess = np.square(values).sum() - 1 / p  # over p equal eigenvalues
    a = math.sqrt(min(1.0, max(0.0, trace_of_square / square_of_trace - 1 / p) / excess)) if excess > 0 else 1.0
    rest = (1 - a) / p
    draws = generator.standard_normal((*shape, len(values))) ** 2 @ (a * values + rest)
    if p > len(values):
        draws += rest * generator.chisquare(p - len(values), shape)
    return np.sqrt(draws * trace / (P - 1))


def _distinct(M: Float64[Tensor, "P P"]) -> tuple[float, float, float]:
    """Sum M_ij^2, M_ij M_jk and M_ij M_kl over distinct indices; M is symmetric and zero on its diagonal."""
    sums, pairs = M.sum(1), float(M.square().sum())
    chains = float(sums.square().sum()) - pairs
    return pairs, chains, float(sums.sum()) ** 2 - 2 * pairs - 4 * chains


def mean_logs(logs: Float[Tensor, "rows p"]) -> Float[Tensor, " p"]:
    """Average the logarithms of every column, without those of zero; NaN where nothing is left."""
    means = logs.mean(0)
    return means if bool(means.isfinite().all()) else logs.where(logs.isfinite(), torch.nan).nanmean(0)
