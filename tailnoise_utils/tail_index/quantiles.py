"""Estimators from quantiles and extremes, and maximum likelihood as the slow reference."""

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tailnoise_utils import stable

from .result import Sample, TailIndex, as_sample, check_spread, warn_of_shift

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

_MOST_LIKELIHOOD = 2000  # every step of the search needs the density of all entries


def mcculloch(x: Sample) -> TailIndex:
    r"""Estimate the tail index from the ratio of two quantile ranges.

    .. math:: \nu(\hat\alpha) = \frac{\hat x_{.95} - \hat x_{.05}}{\hat x_{.75} - \hat x_{.25}}

    with nu of the SaS law from its distribution function on a grid of 0.2 <= alpha <= 2 (McCulloch printed a table), 2.439
    at alpha = 2. Outside, it is continued linearly in (1/alpha, log nu): alpha^ > 2 for ranges narrower than Gaussian.
    Standard error: delta method with the asymptotic covariance of quantiles, min(p, q) - p q over the densities there.
    Bias of order 1/K. Domain: 0.2 <= alpha <= 2 about any centre. Misleading: nothing beyond the 5 % and 95 % quantiles is
    seen, so not the tail itself (Student t with 3 degrees of freedom looks stable with alpha < 2).

    Source: McCulloch (1986), Communications in Statistics - Simulation and Computation 15, 1109-1136.

    Args:
        x: a sample, shape (K,), K >= 20.

    Returns:
        The estimate; `info` holds nu.

    Raises:
        ValueError: too few entries, not one-dimensional, NaN or inf, an interquartile range of zero.

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5):
        ...     print(mcculloch(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.446 +- 0.059
        alpha^ = 1.493 +- 0.0062
    """
    values = as_sample(x, 20)
    low, q25, q75, high = np.quantile(values, [0.05, 0.25, 0.75, 0.95], method="median_unbiased")
    check_spread(values, q25, q75)
    nu = float((high - low) / (q75 - q25))
    inverse, slope = _invert(math.log(nu))
    sd = float(_curves()[1](min(max(inverse, 0.5), 5.0)))
    return TailIndex.from_inverse(inverse, sd / slope / math.sqrt(len(values)), nu=nu)


@cache
def _curves() -> tuple["CubicSpline", "CubicSpline"]:
    """Compute log nu, and sqrt(K) times the standard deviation of log nu^, as functions of 1/alpha on [0.5, 5]."""
    knots = np.linspace(0.5, 5.0, 91)
    p = np.array([0.05, 0.25, 0.75, 0.95])
    log_nu, sd = [], []
    for alpha in 1 / knots:
        x = stable.ppf(p, alpha)
        wide, narrow = x[3] - x[0], x[2] - x[1]
        gradient = np.array([-1 / wide, 1 / narrow, -1 / narrow, 1 / wide])  # of log(wide / narrow) in x
        density = stable.pdf(x, alpha)
        covariance = (np.minimum.outer(p, p) - np.outer(p, p)) / np.outer(density, density)
        log_nu.append(math.log(wide / narrow))
        sd.append(math.sqrt(gradient @ covariance @ gradient))
    from scipy.interpolate import CubicSpline  # a third of a second of import, needed only here

    return CubicSpline(knots, log_nu), CubicSpline(knots, sd)


def _invert(log_nu: float) -> tuple[float, float]:
    """Find 1 / alpha where the curve has the value `log_nu`, and its slope there; linear beyond both ends."""
    curve, _ = _curves()
    for end in (0.5, 5.0):
        if (log_nu - curve(end)) * (end - 1) >= 0:  # before the first knot or after the last one
            slope = float(curve(end, 1))
            return end + (log_nu - float(curve(end))) / slope, slope
    inverse = float(curve.solve(log_nu, extrapolate=False)[0])
    return inverse, float(curve(inverse, 1))


def hill(x: Sample, k: int | None = None) -> TailIndex:
    r"""Estimate the index of the power-law tail from the k largest absolute values.

    .. math:: \frac{1}{\hat\alpha} = \frac1k\sum_{i=1}^{k}\log\frac{|X|_{(i)}}{|X|_{(k+1)}},
        \qquad |X|_{(1)} \ge |X|_{(2)} \ge \dots

    Standard error alpha^ / sqrt(k). Unbiased in 1/alpha^ for a Pareto tail; a stable law is Pareto only far out,

    .. math:: P(|X| > x) = C x^{-\alpha} (1 + D x^{-\alpha} + \dots), \qquad
        C = \tfrac2\pi\Gamma(\alpha)\sin\tfrac{\pi\alpha}{2}, \quad
        D = -\Gamma(2\alpha)\cos(\tfrac{\pi\alpha}{2}) / \Gamma(\alpha),

    so that the relative bias of 1/alpha^ is about -D k / (2 C K), large at any usable k for alpha near 2, where C -> 0:
    indices above 2 on stable data are common. Domain: any regularly varying tail about zero, of norms too; a
    Gaussian gives a number, growing with K / k, that means nothing.

    Source: Hill (1975), Annals of Statistics 3, 1163-1174; on stable data: McCulloch (1997), Journal of Business and
    Economic Statistics 15, 74-81.

    Args:
        x: a sample, shape (K,), K >= 4.
        k: how many of the largest absolute values, 1 <= k < K; floor(sqrt(K)) by default.

    Returns:
        The estimate; `info` holds k.

    Raises:
        ValueError: k out of range, too few entries, not one-dimensional, NaN or inf, fewer than k + 1 non-zero entries,
            the k + 1 largest all equal.

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5):
        ...     print(hill(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.443 +- 0.26
        alpha^ = 1.436 +- 0.081
    """
    values = np.abs(as_sample(x, 4))
    k = math.isqrt(len(values)) if k is None else k
    if not isinstance(k, int | np.integer) or not 1 <= k < len(values):
        raise ValueError(
            f"k = {k} is not an integer in 1..{len(values) - 1} (K - 1): choose fewer of the largest values"
        )
    top = np.partition(values, len(values) - k - 1)[len(values) - k - 1 :]
    if top[0] == 0:
        raise ValueError(f"fewer than k + 1 = {k + 1} of the {len(values)} entries are not zero: choose a smaller k")
    inverse = float(np.log(top[1:] / top[0]).mean())
    if inverse == 0:
        raise ValueError(
            f"the {k + 1} largest absolute values all equal {top[0]:g}: there is no tail; choose a larger k"
        )
    return TailIndex.from_inverse(inverse, inverse / math.sqrt(k), k=k)


def maximum_likelihood(x: Sample) -> TailIndex:
    r"""Estimate the tail index by maximum likelihood of a symmetric stable law about 0: the reference.

    .. math:: (\hat\alpha, \hat\sigma) = \arg\max_{\alpha, \sigma}\sum_k\log f(X_k; \alpha, \sigma)

    with the density f of :func:`tailnoise_utils.stable.density.pdf`, by Nelder and Mead's simplex in (alpha, ln sigma).
    Standard error from the Fisher information with sigma unknown (:func:`tailnoise_utils.stable.law.cramer_rao`), NaN
    at alpha^ = 2 where the bound degenerates. Efficient: no regular estimator has a smaller asymptotic variance. Domain:
    0.05 <= alpha <= 2 about zero, by construction. Where the model is wrong: the stable law nearest in the
    Kullback-Leibler sense.

    Source: DuMouchel (1973), Annals of Statistics 1, 948-957.

    Args:
        x: a sample, shape (K,), 20 <= K <= 2000.

    Returns:
        The estimate; `info` holds sigma.

    Raises:
        ValueError: too few or too many entries, not one-dimensional, NaN or inf, all equal.
    """
    values = as_sample(x, 20)
    if len(values) > _MOST_LIKELIHOOD:
        raise ValueError(
            f"K = {len(values)} is above {_MOST_LIKELIHOOD}: the density takes minutes there; use a subsample or log_moment"
        )
    warn_of_shift(values)
    scale = float(np.median(np.abs(values)) or np.abs(values).mean())

    def surprise(parameters: np.ndarray) -> float:
        alpha, log_sigma = parameters
        with np.errstate(divide="ignore"):  # a Gaussian density far out is zero
            return -float(np.log(stable.pdf(values / scale, alpha, sigma=math.exp(log_sigma))).mean())

    bounds = ((0.05, 2.0), (None, None))
    from scipy.optimize import minimize  # a fifth of a second of import, needed only here

    fit = minimize(surprise, (1.5, 0.0), method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-6, "fatol": 1e-12})
    alpha, sigma = float(fit.x[0]), scale * math.exp(fit.x[1])
    se = stable.cramer_rao(alpha) / math.sqrt(len(values)) or math.nan
    return TailIndex.from_alpha(alpha, se, sigma=sigma)
