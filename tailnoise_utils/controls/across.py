r"""Statistics that look down the columns, across the minibatches, where the pooled estimate cannot look.

Each but the norms is compared with its values on Gaussian surrogates of the same covariance (:func:`gaussian_null`), for no
formula knows how coordinates depend on each other. A surrogate has the covariance that was *measured*, of rank below P:
where the coordinates are close to independent, the surrogates' are less so, their statistics spread more and the test errs
on the side of the Gaussian law. Of the norms this is known and taken out (:func:`gaussian_norms`), but rows of very
different size still widen their reference.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from .surrogates import gaussian_surrogate, stable_surrogate

__all__ = [
    "Comparison",
    "column_inverse",
    "column_lengths",
    "gaussian_norms",
    "gaussian_null",
    "gram",
    "judge",
    "norm_spread",
    "stable_null",
    "t1",
]

_CHUNK = 2**14  # columns multiplied at a time
Statistic = Callable[[Float[Tensor, "P p"]], Float64[Tensor, "..."]]


@dataclass(frozen=True)
class Comparison:
    """A statistic beside its law on Gaussian surrogates.

    Attributes:
        value: of the noise.
        null: mean over the surrogates.
        null_sd: standard deviation over the surrogates.
        p: (1 + number of surrogates that reach the value) / (1 + number of surrogates): small for heavy tails.
    """

    value: float
    null: float
    null_sd: float
    p: float


def judge(value: float, null: Float64[Tensor, " draws"]) -> Comparison:
    """Put a statistic beside its null distribution.

    Args:
        value: of the noise; large for heavy tails.
        null: of the surrogates.

    Returns:
        The test, one-sided; NaN throughout where the value is.
    """
    if math.isnan(value):
        return Comparison(value, math.nan, math.nan, math.nan)
    reached = int((null >= value).sum())
    return Comparison(value, float(null.mean()), float(null.std()), (1 + reached) / (1 + len(null)))


def gaussian_null(
    U: Float[Tensor, "P p"], statistic: Statistic, *, draws: int = 99, generator: torch.Generator
) -> Float64[Tensor, "draws ..."]:
    """A statistic on Gaussian surrogates with centred columns.

    Args:
        U: noise matrix; the columns that the statistic looks at are enough.
        statistic: of a matrix; a tensor of any shape.
        draws: number of surrogates, 19 or more: with fewer no p-value reaches .05.
        generator: of the surrogates.

    Returns:
        Its values, a draw a row.

    Raises:
        ValueError: too few draws.
    """
    if draws < 19:
        raise ValueError(
            f"draws = {draws}: p-values go in steps of 1 / (draws + 1), so take 19 or more, 99 for a result"
        )
    return torch.stack([statistic(gaussian_surrogate(U, generator, centre=True)) for _ in range(draws)])


def stable_null(
    U: Float[Tensor, "P p"], statistic: Statistic, *, alpha: float | int, draws: int = 19, generator: torch.Generator
) -> Float64[Tensor, "draws ..."]:
    """A statistic on stable surrogates: what it is where the tails are heavy, the positive control.

    Args:
        U: noise matrix; the columns that the statistic looks at are enough.
        statistic: of a matrix; a tensor of any shape.
        alpha: index of the surrogates.
        draws: number of surrogates.
        generator: of the surrogates.

    Returns:
        Its values, a draw a row; columns are centred, as those of U are.
    """
    found = []
    for _ in range(draws):
        surrogate = stable_surrogate(U, alpha, generator)
        found.append(statistic(surrogate.sub_(surrogate.mean(0))))
    return torch.stack(found)


def t1(U: Float[Tensor, "P p"]) -> Float64[Tensor, " p"]:
    r"""How much smaller the typical entry of a column is, beside its standard deviation, than in a Gaussian column.

    .. math:: T_j = \tfrac12 \bigl[ \ln(P-1) + \psi(\tfrac12) - \psi(\tfrac{P-1}2) \bigr]
        - \frac1P \sum_i \ln \frac{|U_{ij}|}{s_j}, \qquad s_j^2 = \frac1P \sum_i U_{ij}^2

    Exactly of mean zero for Gaussian columns that are centred, whatever their scales and their covariance: then
    :math:`U_{ij}^2 / (P s_j^2) = (1 - 1/P) B`, B of the beta law (1/2, (P-2)/2), and
    :math:`E \ln B = \psi(1/2) - \psi((P-1)/2)`. Positive for heavier tails. T1 is its mean over the columns.

    Args:
        U: noise matrix whose columns are centred and not constant.

    Returns:
        T_j of every column; exact zeros contribute no logarithm.
    """
    P = len(U)
    psi = torch.special.digamma(torch.tensor([0.5, (P - 1) / 2], dtype=torch.float64)).tolist()
    constant = (math.log(P - 1) + psi[0] - psi[1]) / 2
    scale = U.square().mean(0).double().log_() / 2
    return constant - (_mean(U.abs().log_()) - scale)


def column_lengths(P: int) -> tuple[int, ...]:
    """Block lengths for :func:`column_inverse`.

    Args:
        P: number of rows.

    Returns:
        Those of 2, 3, 5, 10, 15, 20, 30, 50 that the P // 2 pair differences have room for.
    """
    return tuple(K1 for K1 in (2, 3, 5, 10, 15, 20, 30, 50) if K1 <= P // 2)


def column_inverse(U: Float[Tensor, "P p"], lengths: Sequence[int]) -> Float64[Tensor, "lengths p"]:
    r"""The block estimate of every column by itself, on its pair differences :math:`U_{2i-1,j} - U_{2i,j}`.

    For independent stable rows it has the mean 1/alpha at every K1, however coordinates depend on each other; for
    independent rows of finite variance it falls to 1/2 as K1 grows. Centred entries would not do: they sum to zero, and
    sums of many of them are too small (for Gaussian entries at P = 60 and K1 = 10, alpha^ is 2.15, not 2).

    Source: Corollary 2.4 of Mohammadi, Mohammadpour and Ogata (2015), Metrika 78, 549-561.

    Args:
        U: noise matrix, rows in an order that says nothing.
        lengths: block lengths K1; what is left over of P // 2 differences is dropped. One block is enough, for it is the
            mean over the columns that counts.

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
    found = []
    for K1 in lengths:
        n = pairs // K1
        Y = D[: n * K1].view(n, K1, -1).sum(1)
        found.append((_mean(Y.abs_().log_()) - _mean(logs[: n * K1])) / math.log(K1))
    return torch.stack(found)


def gram(U: Float[Tensor, "P p"]) -> Float64[Tensor, "P P"]:
    """Inner products of the rows: all that norms and projections of the noise and of its surrogates need.

    Args:
        U: noise matrix.

    Returns:
        :math:`U U^T`.
    """
    G = U.new_zeros(len(U), len(U), dtype=torch.float64)
    for block in U.split(_CHUNK, 1):
        G += block @ block.T
    return (G + G.T) / 2


def norm_spread(G: Float64[Tensor, "P P"]) -> float:
    r"""Standard deviation of :math:`\ln \lVert U_i \rVert` over the minibatches.

    Tails that a whole row shares show here, and nowhere in the pooled estimate.

    Args:
        G: inner products of the rows.

    Returns:
        Its value; rows of exact zeros are left out, NaN if fewer than two are left.
    """
    squares = G.diagonal()
    return float(squares[squares > 0].log().std() / 2)


def gaussian_norms(
    G: Float64[Tensor, "P P"], p: int, shape: tuple[int, ...], generator: np.random.Generator
) -> Float64[np.ndarray, "*shape"]:
    r"""Norms of Gaussian noise with the covariance behind the rows, as far as P of them can tell it.

    The covariance S that n = P - 1 degrees of freedom measure has the right trace, but is concentrated on n directions:
    for Gaussian rows of covariance :math:`\Sigma`

    .. math:: E\,\mathrm{tr}\, S^2 = \frac{n+1}{n}\, \mathrm{tr}\, \Sigma^2 + \frac1n (\mathrm{tr}\, \Sigma)^2, \qquad
        \mathrm{Var} \ln \lVert X \rVert \approx \frac{\mathrm{tr}\, \Sigma^2}{2 (\mathrm{tr}\, \Sigma)^2},

    so that norms under S would spread too much, by 1/(2n) in the variance of their logarithm. Hence they are drawn under
    :math:`a S + (1 - a) (\mathrm{tr} S / p) I`, with a such that the trace of its square is the unbiased estimate of
    :math:`\mathrm{tr}\, \Sigma^2` (but a within 0..1).

    Source of the estimate: Srivastava (2005), Journal of the Japan Statistical Society 35, 251-272.

    Args:
        G: inner products of the rows, centred.
        p: number of coordinates.
        shape: of the result.
        generator: of the norms.

    Returns:
        The norms.
    """
    n = len(G) - 1
    values = torch.linalg.eigvalsh(G).cpu().numpy()[::-1][: min(n, p)].clip(min=0) / n
    trace, square = values.sum(), np.square(values).sum()
    unbiased = n**2 / ((n - 1) * (n + 2)) * (square - trace**2 / n)
    wanted = unbiased / (
        1 - 2 * unbiased / (n * trace**2)
    )  # for this trace, of which E (tr S)^2 = (tr)^2 + 2 tr Sigma^2 / n
    floor = trace**2 / p  # where all p eigenvalues are equal
    a = math.sqrt(min(1.0, max(0.0, wanted - floor) / (square - floor))) if square > floor else 1.0
    rest = (1 - a) * trace / p
    draws = generator.standard_normal((*shape, len(values))) ** 2 @ (a * values + rest)
    if p > len(values):
        draws += rest * generator.chisquare(p - len(values), shape)
    return np.sqrt(draws)


def _mean(logs: Float[Tensor, "rows p"]) -> Float64[Tensor, " p"]:
    """Mean of every column without the logarithms of zero."""
    means = logs.mean(0).double()
    if bool(torch.isfinite(means).all()):
        return means
    finite = torch.isfinite(logs)
    return logs.masked_fill(~finite, 0.0).sum(0).double() / finite.sum(0)
