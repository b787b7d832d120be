r"""The symmetric alpha-stable law SaS(sigma): samples, paths, moments and the bound for its index.

Parametrisation, everywhere in this package: :math:`X \sim \mathrm{SaS}(\sigma)` has the characteristic function

.. math:: E\,e^{i w X} = \exp(-|\sigma w|^\alpha), \qquad 0 < \alpha \le 2, \quad \sigma > 0,

so alpha = 2 is the normal law N(0, 2 sigma^2), of *twice* the variance sigma^2, and alpha = 1 the Cauchy law that has
fallen to half its height at sigma. It is ``scipy.stats.levy_stable(alpha, 0, scale=sigma)``; without skewness, scipy's
parametrisations S0 and S1 agree. Moments of order alpha and above are infinite for alpha < 2. The density and what
follows from it is in :mod:`tailnoise_utils.stable.density`.
"""

import math
from functools import cache

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from .density import Numbers, check_alpha, check_sigma, fisher_information

_BLOCK = 2**16  # draws made at a time on a processor: four arrays of this size fit its cache


def sample(
    alpha: float | int,
    size: int | tuple[int, ...],
    *,
    sigma: float | int = 1.0,
    generator: np.random.Generator | torch.Generator,
) -> Float64[np.ndarray, "..."] | Float64[Tensor, "..."]:
    r"""Draw independent SaS(sigma) numbers by the method of Chambers, Mallows and Stuck.

    With V uniform on (-pi/2, pi/2), W standard exponential and :math:`\beta = 1 - \alpha`,

    .. math:: X = \sigma\, \frac{\sin \alpha V}{\cos V} \left( \frac{\cos \beta V}{W \cos V} \right)^{\beta / \alpha},

    their formula with its three powers gathered into one. No case is special: it is :math:`\sigma \tan V` at alpha = 1
    and :math:`2 \sigma \sin V \sqrt W` at alpha = 2.

    The draws depend on the state of the generator only, not on the number of threads. None is NaN. A number beyond
    1.8e308 becomes infinite: for sigma = 1 never if alpha is 0.1 or more, otherwise with probability about
    exp(-710 alpha) (4e-16 at 0.05, 8e-4 at 0.01).

    Source: Chambers, Mallows and Stuck (1976), Journal of the American Statistical Association 71, 340-344.

    Args:
        alpha: index, 0 < alpha <= 2.
        size: number of draws, or the shape.
        sigma: scale, positive.
        generator: of NumPy or torch; the draws advance it.

    Returns:
        The draws in float64: an array for a NumPy generator, for a torch generator a tensor on its device.

    Raises:
        TypeError: if `generator` is neither (None and a bare seed are refused too: a global state is never used).
        ValueError: if alpha, sigma or a dimension of `size` is out of range.

    Example:
        >>> import numpy as np
        >>> for n in (10**2, 10**4, 10**6):
        ...     x = sample(1.5, n, generator=np.random.default_rng(0))
        ...     print(f"{np.cos(x).mean():.3f} {characteristic_function(1.0, 1.5):.3f}")
        0.277 0.368
        0.362 0.368
        0.369 0.368
    """
    alpha, sigma = check_alpha(alpha), check_sigma(sigma)
    shape = size if isinstance(size, tuple) else (size,)
    if any(length < 1 for length in shape):
        raise ValueError(f"size = {size} has a dimension below 1: draw one number or more")
    if not isinstance(generator, np.random.Generator | torch.Generator):
        raise TypeError(
            f"generator = {generator!r} is not a random generator: "
            "give numpy.random.default_rng(seed) or torch.Generator().manual_seed(seed)"
        )
    if isinstance(generator, torch.Generator) and generator.device.type != "cpu":
        x = torch.empty(shape, dtype=torch.float64, device=generator.device)
        _fill(x, alpha, sigma, generator)
        return x
    array = np.empty(shape)  # NumPy asks for large pages: a quarter less time at 10^7 draws
    x = torch.from_numpy(array)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads gain little on blocks this small, and take ten times as long when busy
    try:
        for block in x.view(-1).split(_BLOCK):
            _fill(block, alpha, sigma, generator)
    finally:
        torch.set_num_threads(threads)
    return array if isinstance(generator, np.random.Generator) else x


def _fill(
    x: Float64[Tensor, "..."], alpha: float, sigma: float, generator: np.random.Generator | torch.Generator
) -> None:
    """Fill a tensor with draws of SaS(sigma)."""
    w, cosine = torch.empty_like(x), torch.empty_like(x)
    if isinstance(generator, np.random.Generator):
        generator.random(out=x.numpy())
        generator.standard_exponential(out=w.numpy())
    else:
        x.uniform_(generator=generator)
        w.uniform_(generator=generator)
        _apply("log1p", w.neg_()).neg_()
    w.clamp_(min=2.0**-54)  # an exact zero, which has probability 2^-53, would divide by zero
    x.sub_(0.5 - 2.0**-54).mul_(math.pi)  # odd multiples of 2^-54 pi, exactly symmetric: never 0 nor +-pi/2
    torch.cos(x, out=cosine)
    power = torch.mul(x, 1 - alpha).cos_().div_(w.mul_(cosine))
    _apply("exp", _apply("log", power).mul_((1 - alpha) / alpha))
    x.mul_(alpha).sin_().div_(cosine).mul_(power).mul_(sigma)


def _apply(name: str, x: Tensor) -> Tensor:
    """Apply a function by name, in place: NumPy's on a processor, where it is faster, torch's elsewhere."""
    if x.device.type == "cpu":
        with np.errstate(over="ignore", under="ignore"):
            getattr(np, name)(x.numpy(), out=x.numpy())
        return x
    return getattr(torch, name)(x, out=x)


def characteristic_function(w: Numbers, alpha: float | int, *, sigma: float | int = 1.0) -> Float64[np.ndarray, "..."]:
    r"""Compute the characteristic function :math:`E\,e^{i w X} = \exp(-|\sigma w|^\alpha)`, which is real.

    Args:
        w: frequencies, any shape.
        alpha: index, 0 < alpha <= 2.
        sigma: scale, positive.

    Returns:
        Its values, in the shape of `w`.

    Raises:
        ValueError: if alpha or sigma is out of range.
    """
    alpha, sigma = check_alpha(alpha), check_sigma(sigma)
    return np.asarray(np.exp(-(np.abs(sigma * np.asarray(w, dtype=float)) ** alpha)))


def levy_path(
    alpha: float | int, times: Numbers, *, sigma: float | int = 1.0, paths: int = 1, generator: np.random.Generator
) -> Float64[np.ndarray, "paths times"]:
    r"""Draw paths of the symmetric alpha-stable Levy motion, exact at the given times.

    Increments are independent, :math:`L_t - L_s \sim \mathrm{SaS}(\sigma (t - s)^{1/\alpha})`, so that
    :math:`E\,e^{i w L_t} = \exp(-t |\sigma w|^\alpha)`; alpha = 2 is Brownian motion of variance 2 sigma^2 t.

    Source: Samorodnitsky and Taqqu (1994), Stable Non-Gaussian Random Processes, section 3.1.

    Args:
        alpha: index, 0 < alpha <= 2.
        times: two or more, strictly increasing, shape (times,).
        sigma: scale at unit time, positive.
        paths: number of independent paths.
        generator: of NumPy; the draws advance it.

    Returns:
        One path a row, each 0 at ``times[0]``.

    Raises:
        TypeError: if `generator` is not NumPy's.
        ValueError: if the times are not finite and strictly increasing, or alpha, sigma or `paths` is out of range.
    """
    t = np.asarray(times, dtype=float)
    if t.ndim != 1 or len(t) < 2:
        raise ValueError(f"times of shape {t.shape} make no path: give a 1-D array of two times or more")
    gaps = np.diff(t)
    increases = (gaps > 0) & np.isfinite(gaps)
    if not increases.all():
        at = int(np.argmin(increases))
        raise ValueError(f"times[{at}] = {t[at]:g}, times[{at + 1}] = {t[at + 1]:g}: times must be finite and increase")
    if paths < 1:
        raise ValueError(f"paths = {paths} is below 1: draw one path or more")
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"generator = {generator!r} is not NumPy's: give numpy.random.default_rng(seed)")
    path = np.zeros((paths, len(t)))
    steps = sample(alpha, (paths, len(gaps)), sigma=sigma, generator=generator)
    np.cumsum(steps * gaps ** (1 / alpha), axis=1, out=path[:, 1:])
    return path


def absolute_moment(p: float | int, alpha: float | int) -> float:
    r"""Compute the fractional absolute moment of SaS(1), finite for -1 < p < alpha (for all p > -1 at alpha = 2).

    .. math:: E|X|^p = \frac{\Gamma(1 - p/\alpha)}{\Gamma(1 - p) \cos(\pi p / 2)}
        = \frac{2^p\, \Gamma(\frac{1+p}{2})\, \Gamma(1 - p/\alpha)}{\sqrt\pi\, \Gamma(1 - p/2)}

    The second form is used: it has no 0/0 at p = 1. For SaS(sigma) multiply by sigma^p.

    Source: Shao and Nikias (1993), Proceedings of the IEEE 81, 986-1010; Zolotarev (1986), One-dimensional Stable
    Distributions, section 2.1.

    Args:
        p: order.
        alpha: index, 0 < alpha <= 2.

    Returns:
        The moment.

    Raises:
        ValueError: if alpha is out of range, or the moment of that order is infinite.
    """
    alpha = check_alpha(alpha)
    top = math.inf if alpha == 2 else alpha
    if not -1 < p < top:
        raise ValueError(f"p = {p} at alpha = {alpha:g}: E|X|^p is finite for -1 < p < {top:g}, choose p in between")
    tails = 0.0 if alpha == 2 else math.lgamma(1 - p / alpha) - math.lgamma(1 - p / 2)
    return float(np.exp(p * math.log(2) + math.lgamma((1 + p) / 2) + tails) / math.sqrt(math.pi))


def log_cumulants(alpha: float | int) -> tuple[float, float, float, float]:
    r"""Compute the first four cumulants of ln|X|, X ~ SaS(1): derivatives at p = 0 of :math:`\ln E|X|^p`.

    .. math::
        k_1 = \gamma \left( \frac1\alpha - 1 \right), \quad
        k_2 = \frac{\pi^2}{6} \left( \frac1{\alpha^2} + \frac12 \right), \quad
        k_3 = 2 \zeta(3) \left( \frac1{\alpha^3} - 1 \right), \quad
        k_4 = \frac{\pi^4}{15} \left( \frac1{\alpha^4} - 1 \right) + \frac{\pi^4}{8},

    with Euler's constant gamma = 0.5772... For SaS(sigma) add ln sigma to k_1 only. All are finite for every alpha.

    Source: Ma and Nikias (1995), IEEE Transactions on Signal Processing 43, 2884-2897 (the first two); the others follow
    from :func:`absolute_moment` by expanding ln Gamma and ln cos.

    Args:
        alpha: index, 0 < alpha <= 2.

    Returns:
        Mean, variance, third and fourth cumulant.

    Raises:
        ValueError: if alpha is out of range.
    """
    a = 1 / check_alpha(alpha)
    return (
        np.euler_gamma * (a - 1),
        math.pi**2 / 6 * (a**2 + 0.5),
        2 * 1.2020569031595942 * (a**3 - 1),  # zeta(3), Apery's constant
        math.pi**4 / 15 * (a**4 - 1) + math.pi**4 / 8,
    )


@cache
def cramer_rao(alpha: float | int) -> float:
    r"""Compute the Cramer-Rao bound: the least standard deviation of an unbiased estimator of alpha, sigma unknown.

    .. math:: \sqrt N\, \operatorname{sd}(\hat\alpha) \ge \sqrt{(I^{-1})_{\alpha\alpha}},

    with the information I of :func:`~tailnoise_utils.stable.density.fisher_information`. This is the bound for N = 1:
    divide it by :math:`\sqrt N`. It is :math:`\sqrt{12} / \pi` at alpha = 1, and falls to 0 as alpha tends to 2, where 0
    is returned: the problem is not regular there, and maximum likelihood converges faster than :math:`1 / \sqrt N`.

    Source: DuMouchel (1973), Annals of Statistics 1, 948-957.

    Args:
        alpha: index, 0.05 <= alpha <= 2.

    Returns:
        The bound for one observation.

    Raises:
        ValueError: if alpha is out of range.
    """
    if alpha == 2:
        return 0.0
    return float(math.sqrt(np.linalg.inv(fisher_information(alpha))[0, 0]))
