r"""The statistics that the rules share.

Everything is said of :math:`1/\hat\alpha`, which is unbiased where :math:`\hat\alpha` is not.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64
from scipy import stats

from ..results.reading import over_seeds

LEVEL = 0.05
Values = int | float | list[float] | np.ndarray | pd.Series


def holm(p: Values) -> Float64[np.ndarray, " tests"]:
    """Return p-values adjusted by Holm (1979), which scipy has not: no false rejection, under any dependence."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(np.minimum(1.0, (len(p) - np.arange(len(p))) * p[order]))
    return adjusted[np.argsort(order)]


def fisher(p: Values) -> float:
    """Return one p-value for independent tests of one hypothesis, by Fisher (1932); 0 is one below what floats hold."""
    return float(stats.combine_pvalues(np.maximum(p, 1e-300), method="fisher").pvalue)


def means_above(frame: pd.DataFrame, by: list[str], pool: list[str], bound: float) -> pd.DataFrame:
    """Test in each configuration that the mean over its seeds is above a bound: what `over_seeds` returns, and p."""
    tests = over_seeds(frame, by, pool).reset_index()
    return tests.assign(p=above(tests["mean"], tests["se"], tests["df"], bound))


def above(value: Values, se: Values, df: Values, bound: float) -> np.ndarray | float:
    """Test that a mean is above a bound: one-sided p of t; 1 without a standard error, with one of 0 either 0 or 1."""
    value, se = np.asarray(value, dtype=float), np.asarray(se, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stats.t.sf((value - bound) / se, df)
    return np.where(se > 0, p, np.where(se == 0, value <= bound, 1.0))[()]


def equivalence(value: float, se: float, df: int | float, low: float, high: float) -> float:
    """Test that a quantity is within bounds: the larger p of two one-sided t-tests (Schuirmann 1987)."""
    return float(max(above(value, se, df, low), above(-value, se, df, -high)))


def least_squares(
    X: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"] | None = None
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"], int]:
    """Return coefficients of a weighted linear regression, their standard errors and the degrees of freedom of these."""
    n, k = X.shape
    rank = np.linalg.matrix_rank(X)
    if n <= k or rank < k:
        raise ValueError(f"{n} points for {k} coefficients of rank {rank}: give more, and different")
    root = np.sqrt(np.ones(n) if weights is None else weights)
    A = X * root[:, None]
    inverse = np.linalg.inv(A.T @ A)
    coefficients = inverse @ A.T @ (y * root)
    square = np.square(y * root - A @ coefficients).sum() / (n - k)
    return coefficients, np.sqrt(square * np.diag(inverse)), n - k


def intraclass(values: list[Float[np.ndarray, " _"]], bound: float) -> tuple[float, float, float]:
    r"""Compute the intraclass correlation ICC(1): the share of the variance that lies between the groups.

    .. math:: \mathrm{ICC} = \frac{F - 1}{F + k_0 - 1}, \qquad F = \frac{MS_{between}}{MS_{within}}, \qquad
        k_0 = \frac{1}{g - 1} \Bigl( N - \frac{\sum n_i^2}{N} \Bigr)

    If the correlation is rho, :math:`F (1 - \rho) / (1 + (k_0 - 1) \rho)` has the F distribution (exactly, if all groups
    have the same size). Source: Shrout and Fleiss (1979); k_0: Donner (1986), Int. Stat. Review 54, 67-82.

    The result is the correlation, its one-sided 95 % lower bound, and p of the hypothesis that it is `bound` or less.
    """
    sizes = np.array([len(group) for group in values])
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError(f"groups of {sizes.tolist()} values: give two groups or more, of two values or more")
    N, g = sizes.sum(), len(sizes)
    means = np.array([np.mean(group) for group in values])
    grand = (sizes * means).sum() / N
    between = (sizes * (means - grand) ** 2).sum() / (g - 1)
    within = sum(np.square(group - mean).sum() for group, mean in zip(values, means, strict=True)) / (N - g)
    k = (N - np.square(sizes).sum() / N) / (g - 1)
    if within == 0:
        return 1.0, 1.0, 0.0
    F = between / within
    limit = F / stats.f.isf(LEVEL, g - 1, N - g)
    p = stats.f.sf(F * (1 - bound) / (1 + (k - 1) * bound), g - 1, N - g)
    return float((F - 1) / (F + k - 1)), float((limit - 1) / (limit + k - 1)), float(p)
