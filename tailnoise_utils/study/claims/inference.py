r"""The statistics that the rules share.

Everything is said of :math:`1/\hat\alpha`, which is unbiased where :math:`\hat\alpha` is not.
"""

import numpy as np
from jaxtyping import Float, Float64
from scipy import stats

__all__ = [
    "LEVEL",
    "above",
    "benjamini_hochberg",
    "equivalence",
    "fisher",
    "holm",
    "intraclass",
    "least_squares",
]

LEVEL = 0.05


def holm(p: list[float] | Float64[np.ndarray, " tests"]) -> Float64[np.ndarray, " tests"]:
    r"""Adjusted p-values that control the probability of any false rejection, under any dependence.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Args:
        p: p-values.

    Returns:
        The adjusted ones in the same order.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(np.minimum(1.0, (len(p) - np.arange(len(p))) * p[order]))
    return adjusted[np.argsort(order)]


def benjamini_hochberg(p: list[float] | Float64[np.ndarray, " tests"]) -> Float64[np.ndarray, " tests"]:
    r"""Adjusted p-values that control the false discovery rate, of independent or positively dependent tests.

    .. math:: \tilde p_{(i)} = \min_{j \ge i} \min(1, m\, p_{(j)} / j)

    Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.

    Args:
        p: p-values.

    Returns:
        The adjusted ones in the same order.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    scaled = np.minimum(1.0, len(p) * p[order] / np.arange(1, len(p) + 1))
    return np.minimum.accumulate(scaled[::-1])[::-1][np.argsort(order)]


def fisher(p: list[float] | Float64[np.ndarray, " tests"]) -> float:
    r"""One p-value for independent tests of one hypothesis: :math:`-2 \sum \ln p_i` is chi-squared of 2m degrees.

    Source: Fisher (1932), Statistical Methods for Research Workers, 4th edition.

    Args:
        p: p-values above 0.

    Returns:
        The combined one.
    """
    return float(stats.chi2.sf(-2 * np.log(p).sum(), 2 * len(p)))


def above(value: float, se: float, df: float | int, bound: float) -> float:
    """One-sided t-test that a mean is above a bound.

    Args:
        value: the mean.
        se: its standard error.
        df: degrees of freedom of that.
        bound: what it is to be above.

    Returns:
        The p-value; 1 where there is no standard error. With a standard error of 0 it is 0 or 1.
    """
    if not se >= 0:
        return 1.0
    if se == 0:
        return float(value <= bound)
    return float(stats.t.sf((value - bound) / se, df))


def equivalence(value: float, se: float, df: float | int, low: float, high: float) -> float:
    """Two one-sided tests that a quantity is within bounds: the larger of both p-values.

    Source: Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.

    Args:
        value: estimate.
        se: its standard error.
        df: degrees of freedom of that, may be infinite.
        low: lower bound.
        high: upper bound.

    Returns:
        The p-value: small if the quantity is within them.
    """
    return max(above(value, se, df, low), above(-value, se, df, -high))


def least_squares(
    X: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"] | None = None
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"], int]:
    """A linear regression.

    Args:
        X: the regressors, a column of ones among them.
        y: what they are to explain.
        weights: inverse variances up to a factor; all the same by default.

    Returns:
        Coefficients, their standard errors from the residuals, and the degrees of freedom of these.

    Raises:
        ValueError: no residual is left to tell an error from, or regressors that depend on each other.
    """
    n, k = X.shape
    if n <= k or np.linalg.matrix_rank(X) < k:
        raise ValueError(
            f"{n} points for {k} coefficients of rank {np.linalg.matrix_rank(X)}: give more, and different"
        )
    root = np.sqrt(np.ones(n) if weights is None else weights)
    A = X * root[:, None]
    inverse = np.linalg.inv(A.T @ A)
    coefficients = inverse @ A.T @ (y * root)
    square = np.square(y * root - A @ coefficients).sum() / (n - k)
    return coefficients, np.sqrt(square * np.diag(inverse)), n - k


def intraclass(values: list[Float[np.ndarray, " _"]], bound: float) -> tuple[float, float, float]:
    r"""Intraclass correlation ICC(1): the share of the variance of single values that lies between the groups.

    .. math:: \mathrm{ICC} = \frac{F - 1}{F + k_0 - 1}, \qquad F = \frac{MS_{between}}{MS_{within}}, \qquad
        k_0 = \frac{1}{g - 1} \Bigl( N - \frac{\sum n_i^2}{N} \Bigr)

    One-way random effects; if the correlation is rho, :math:`F (1 - \rho) / (1 + (k_0 - 1) \rho)` has the F distribution
    (exactly, if all groups have the same size).

    Source: Shrout and Fleiss (1979), Psychological Bulletin 86, 420-428; k_0: Donner (1986), International Statistical
    Review 54, 67-82.

    Args:
        values: of each group, two or more.
        bound: what the correlation is to exceed.

    Returns:
        The correlation, its one-sided 95 % lower bound, and the p-value of the hypothesis that it is `bound` or less.

    Raises:
        ValueError: fewer than two groups, or a group with fewer than two values.
    """
    sizes = np.array([len(of) for of in values])
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError(f"groups of {sizes.tolist()} values: give two groups or more, of two values or more")
    N, g = sizes.sum(), len(sizes)
    means = np.array([np.mean(of) for of in values])
    grand = (sizes * means).sum() / N
    between = (sizes * (means - grand) ** 2).sum() / (g - 1)
    within = sum(np.square(of - mean).sum() for of, mean in zip(values, means, strict=True)) / (N - g)
    k = (N - np.square(sizes).sum() / N) / (g - 1)
    if within == 0:
        return 1.0, 1.0, 0.0
    F = between / within
    limit = F / stats.f.isf(LEVEL, g - 1, N - g)
    p = stats.f.sf(F * (1 - bound) / (1 + (k - 1) * bound), g - 1, N - g)
    return float((F - 1) / (F + k - 1)), float((limit - 1) / (limit + k - 1)), float(p)
