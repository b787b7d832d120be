r"""Density, distribution function, quantiles and Fisher information of the symmetric alpha-stable law.

The parametrisation is that of :mod:`tailnoise_utils.stable.law`. By inversion of the characteristic function, for
:math:`\sigma = 1` and :math:`x \ge 0`,

.. math:: f(x) = \frac1\pi \operatorname{Re} \int_0^\infty e^{i x t} e^{-t^\alpha} dt .

On the real axis the integrand oscillates; along the ray :math:`t = s e^{i \varphi}`,
:math:`\varphi = \frac12 \min(\pi, \frac{\pi}{2\alpha})`, both exponentials decay. There
:math:`s = \exp(u - e^{-u}) / \max(1, x)` makes the integrand fall off doubly exponentially to the left, and since it is
analytic in a strip of half-width about :math:`\varphi` around the line of u, the trapezoidal rule reaches rounding
error with 35 to 140 nodes (up to 400 for alpha < 0.3 and x < 1). For :math:`x \ge 1`, :math:`e^{-t^\alpha} - 1` takes
the place of :math:`e^{-t^\alpha}`: as :math:`\int e^{i x t} dt = i/x` is imaginary the real part stays, without the
cancellation in the tail, and the *relative* accuracy holds however far out.

Source: Takahasi and Mori (1974), Publications RIMS 9, 721-741 (the rule); Zolotarev (1986), One-dimensional Stable
Distributions, section 2.2 (the integrals); the rotation is ours.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Complex128, Float64, Real

Numbers = Real[np.ndarray, "..."] | Sequence[float | int] | float | int
_Nodes = Complex128[np.ndarray, "rows nodes"]
_Kernel = Callable[[_Nodes, _Nodes, _Nodes, _Nodes, bool], list[_Nodes]]

_DECAY = 40.0  # terms below exp(-40) of the largest are left out; the step is so small that its error is no larger
_LEAST_ALPHA = 0.05  # below it f(0) or the tail leaves the range of float64
_ROWS = 512  # points treated at a time: some 40,000 complex nodes, which fit the processor's cache


def check_alpha(alpha: float | int) -> float:
    """Return a stable index as a float; refuse one outside (0, 2]."""
    if not 0 < alpha <= 2:
        raise ValueError(f"alpha = {alpha} is outside (0, 2]: take 0 < alpha <= 2 (2 is Gaussian, 1 Cauchy)")
    return float(alpha)


def check_sigma(sigma: float | int) -> float:
    """Return a scale as a float; refuse one that is not positive and finite."""
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma = {sigma} is not a scale: it must be above 0 and finite")
    return float(sigma)


def pdf(x: Numbers, alpha: float | int, *, sigma: float | int = 1.0) -> Float64[np.ndarray, "..."]:
    r"""Compute the density of SaS(sigma).

    Closed forms for alpha = 1 and 2, otherwise the rotated integral of this module. Relative accuracy at x from 0 to
    1e100: better than 1e-12 for 0.05 <= alpha <= 1.8, than 1e-10 up to alpha = 1.99 and for alpha = 2, and about
    4e-13 / (2 - alpha) in between, where the tail beyond the Gaussian core is itself no larger than 2 - alpha (checked
    against the same integral in 45 digits and the power series in 25).

    Args:
        x: points, any shape.
        alpha: index, 0.05 <= alpha <= 2.
        sigma: scale, positive.

    Returns:
        The density in the shape of `x`; 0 at infinity, NaN at NaN.

    Raises:
        ValueError: if alpha or sigma is out of range.
    """
    alpha, sigma = _check_density_alpha(alpha), check_sigma(sigma)
    z = np.abs(np.asarray(x, dtype=float)) / sigma
    if alpha == 1:
        density = np.hypot(1, z) ** -2.0 / math.pi
    elif alpha == 2:
        density = np.exp(-(np.minimum(z, 1e3) ** 2) / 4) / math.sqrt(4 * math.pi)
    else:
        density = _at_finite(_density, z, alpha)
    return np.asarray(density / sigma)


def cdf(x: Numbers, alpha: float | int, *, sigma: float | int = 1.0) -> Float64[np.ndarray, "..."]:
    r"""Compute the distribution function of SaS(sigma).

    .. math:: F(x) = \frac12 + \frac1\pi \int_0^\infty \frac{\sin x t}{t}\, e^{-t^\alpha} dt \quad (\sigma = 1)

    along the ray of this module. For x >= 1 it gives 1 - F(x) directly, so that the lower tail has full *relative*
    accuracy. For the upper tail ask for ``cdf(-x)``, which is 1 - F(x) by symmetry, not for ``1 - cdf(x)``. Accuracy and
    domain as :func:`pdf`.

    Args:
        x: points, any shape.
        alpha: index, 0.05 <= alpha <= 2.
        sigma: scale, positive.

    Returns:
        P(X <= x) in the shape of `x`; NaN at NaN.

    Raises:
        ValueError: if alpha or sigma is out of range.
    """
    alpha, sigma = _check_density_alpha(alpha), check_sigma(sigma)
    z = np.asarray(x, dtype=float) / sigma
    if alpha == 1:
        return np.asarray(np.arctan2(1.0, -z) / math.pi)
    if alpha == 2:
        from scipy.special import ndtr  # its import takes a third of a second

        return np.asarray(ndtr(z / math.sqrt(2)))
    size = np.abs(z)
    part = _at_finite(_distribution, size, alpha)  # F - 1/2 for size < 1, 1 - F beyond
    lower = np.where(size < 1, 0.5 - part, part)
    return np.asarray(np.where(z > 0, np.where(size < 1, 0.5 + part, 1 - part), lower))


def ppf(p: Numbers, alpha: float | int, *, sigma: float | int = 1.0) -> Float64[np.ndarray, "..."]:
    r"""Compute the quantiles of SaS(sigma), the inverse of :func:`cdf`.

    With q = min(p, 1 - p), by Chandrupatla's method for 1 - F = q as an equation in ln x, between the bounds

    .. math:: \frac{1/2 - q}{f(0)} \le x \le 2 \left( (1 + \alpha)\, q \right)^{-1/\alpha}.

    The first holds since f is largest at 0, the second by the truncation inequality for characteristic functions. Where
    the far tail matters give a small p, not one near 1: 1 - p is rounded.

    Args:
        p: probabilities in [0, 1], any shape.
        alpha: index, 0.05 <= alpha <= 2.
        sigma: scale, positive.

    Returns:
        The quantiles in the shape of `p`; minus and plus infinity at 0 and 1.

    Raises:
        ValueError: if alpha, sigma or a probability is out of range.
    """
    alpha, sigma = _check_density_alpha(alpha), check_sigma(sigma)
    p = np.asarray(p, dtype=float)
    bad = p[~((p >= 0) & (p <= 1))]
    if bad.size:
        raise ValueError(f"{bad.size} of {p.size} probabilities are not in [0, 1], the first is {bad[0]}: 0 <= p <= 1")
    q = np.minimum(p, 1 - p)
    if alpha == 2:
        from scipy.special import ndtri

        x = -math.sqrt(2) * ndtri(q)
    else:
        x = np.where(q == 0, np.inf, 0.0)
        inside = (q > 0) & (q < 0.5)
        x[inside] = _upper_quantile(q[inside], alpha)
    return np.asarray(sigma * np.where(p < 0.5, -x, x))


def _upper_quantile(q: Float64[np.ndarray, " n"], alpha: float) -> Float64[np.ndarray, " n"]:
    """Return the x with 1 - F(x) = q, 0 < q < 1/2; infinity where it exceeds the range of float64."""
    low = np.log(0.5 - q) - _log_mode(alpha) - 0.01  # a bound may be rounded to the other side of the root
    high = np.minimum(math.log(2) - (math.log1p(alpha) + np.log(q)) / alpha + 0.01, 709.0)
    from scipy.optimize.elementwise import find_root

    root = find_root(lambda y, q: cdf(-np.exp(y), alpha) - q, (low, high), args=(q,))
    return np.where(cdf(-np.exp(high), alpha) > q, np.inf, np.exp(root.x))


def fisher_information(alpha: float | int) -> Float64[np.ndarray, "2 2"]:
    r"""Compute the Fisher information of one observation about (alpha, ln sigma); the location is known to be 0.

    .. math:: I_{jk} = \int_{-\infty}^{\infty} \frac{\partial_j f\; \partial_k f}{f}\, dx, \qquad
        \partial_{\ln \sigma} f = -(f + x f'), \quad
        \partial_\alpha f = -\frac1\pi \operatorname{Re} \int_0^\infty t^\alpha \ln t\; e^{i x t - t^\alpha} dt,

    by the trapezoidal rule in ln x, with steps halved until nothing changes in the ninth digit. It does not depend on
    sigma. By symmetry nothing is lost if location and skewness are unknown too: both are orthogonal to these two.

    At alpha = 1 there is a closed form, with :math:`\ell = \gamma + \ln 2 - 1`:
    :math:`I_{\alpha\alpha} = \frac12 (\frac{\pi^2}{6} + \ell^2)`, :math:`I_{\alpha, \ln\sigma} = -\frac12 \ell` and
    :math:`I_{\ln\sigma, \ln\sigma} = \frac12`. As :math:`\delta = 2 - \alpha` tends to 0 the information on alpha grows
    like :math:`1 / (4 \delta \ln \delta^{-1})`, since the tail :math:`\delta x^{-3}` is seen beyond
    :math:`x^2 = 4 \ln \delta^{-1}`, and the entry off the diagonal tends to minus infinity too, extremely slowly. At
    alpha = 2 these infinities are returned, with the 2 of a normal scale.

    Source: DuMouchel (1973), Annals of Statistics 1, 948-957, and (1975), Journal of the American Statistical
    Association 70, 386-393; closed form: Matsui and Takemura (2006), Communications in Statistics - Theory and Methods
    35, 149-172.

    Args:
        alpha: index, 0.05 <= alpha <= 2.

    Returns:
        The matrix, rows and columns in the order alpha, ln sigma.

    Raises:
        ValueError: if alpha is out of range.
    """
    alpha = _check_density_alpha(alpha)
    if alpha == 2:
        return np.array([[np.inf, -np.inf], [-np.inf, 2.0]])
    low, high, step = -_DECAY - _log_mode(alpha), min(_DECAY / alpha + 10, 700.0), 0.5
    y = np.arange(low, high, step)
    total, information = np.zeros((2, 2)), np.zeros((2, 2))
    while True:
        xf, by_alpha, slope = _integrate(_scores, np.exp(y), alpha)
        gradient = np.stack([by_alpha, -xf - slope])
        total = total + gradient / xf @ gradient.T
        before, information = information, 2 * step * total
        if np.allclose(before, information, rtol=1e-9, atol=1e-9):
            return information
        y, step = np.arange(low + step / 2, high, step), step / 2


def _check_density_alpha(alpha: float | int) -> float:
    """Return a stable index as a float; refuse one for which the density cannot be computed."""
    if check_alpha(alpha) < _LEAST_ALPHA:
        raise ValueError(
            f"alpha = {alpha} is below {_LEAST_ALPHA}: the law there spans more than float64 holds; samples, moments "
            "and the characteristic function can still be had"
        )
    return float(alpha)


def _log_mode(alpha: float) -> float:
    """Return ln f(0), where f(0) = Gamma(1 + 1/alpha) / pi is the largest value of the density."""
    return math.lgamma(1 + 1 / alpha) - math.log(math.pi)


def _at_finite(kernel: _Kernel, x: Float64[np.ndarray, "..."] | np.float64, alpha: float) -> np.ndarray:
    """Integrate a kernel at points x >= 0 of any shape; 0 at infinity, NaN at NaN."""
    x = np.asarray(x)
    result = np.where(np.isnan(x), x, 0.0)
    finite = np.isfinite(x)
    result[finite] = _integrate(kernel, x[finite], alpha)[0]
    return result


def _integrate(kernel: _Kernel, x: Float64[np.ndarray, " n"], alpha: float) -> Float64[np.ndarray, "m n"]:
    """Compute (1/pi) Re int kernel(t, ln t, t^alpha, i x t, x >= 1) dt/t along the ray, for points 0 <= x < inf."""
    angle = min(math.pi, math.pi / (2 * alpha)) / 2
    step = 2 * math.pi * angle / _DECAY
    first = -math.log(_DECAY / min(alpha, 1))  # s^alpha = exp(-alpha e^-u) is negligible to the left of it
    blocks, values = [], []
    for far in (False, True):
        if far:  # exp(i x t) is negligible to the right of it (t is in units of 1/x)
            last = math.log(_DECAY / math.sin(angle))
        else:  # exp(-t^alpha) is negligible to the right of it
            last = math.log((_DECAY + 3 / alpha) / math.cos(alpha * angle)) / alpha
        u = step * np.arange(math.floor(first / step), math.ceil(last / step) + 2)
        weights = (1 + np.exp(-u)) * step / math.pi
        rows = np.flatnonzero((x >= 1) == far)
        if not len(rows) and (blocks or len(x)):  # all are on the other side
            continue
        for block in np.split(rows, range(_ROWS, len(rows), _ROWS)):
            z = x[block, None]
            log_t = u - np.exp(-u) - np.log(np.maximum(z, 1)) + 1j * angle
            t = np.exp(log_t)
            blocks.append(block)
            values.append([part.real @ weights for part in kernel(t, log_t, np.exp(alpha * log_t), 1j * z * t, far)])
    result = np.empty((len(values[0]), len(x)))
    result[:, np.concatenate(blocks)] = np.concatenate(values, axis=1)
    return result


def _density(t: _Nodes, _log_t: _Nodes, power: _Nodes, ixt: _Nodes, far: bool) -> list[_Nodes]:
    """Return the integrand of f."""
    return [np.exp(ixt) * (np.expm1(-power) if far else np.exp(-power)) * t]


def _distribution(_t: _Nodes, _log_t: _Nodes, power: _Nodes, ixt: _Nodes, far: bool) -> list[_Nodes]:
    """Return the integrand of F - 1/2 for x < 1, and of 1 - F for x >= 1."""
    return [1j * np.exp(ixt) * np.expm1(-power) if far else -1j * np.expm1(ixt) * np.exp(-power)]


def _scores(t: _Nodes, log_t: _Nodes, power: _Nodes, ixt: _Nodes, far: bool) -> list[_Nodes]:
    """Return the integrands of x f, its derivative in alpha and x^2 f'; the factor x keeps them in range far out."""
    (density,) = _density(-1j * ixt, log_t, power, ixt, far)
    return [density, 1j * ixt * np.exp(ixt - power) * power * log_t, density * ixt]
