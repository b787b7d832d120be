"""Estimators from moments of log|X|, from fractional moments and from the empirical characteristic function."""

import math

import numpy as np

from tailnoise_utils import stable

from .result import Sample, TailIndex, as_sample, check_spread, warn_of_shift


def _log_absolute(x: Sample) -> tuple[np.ndarray, int]:
    """Give log|x| of the entries that are not zero, at least 4, and the number of those that are."""
    values = as_sample(x, 4)
    warn_of_shift(values)
    alive = values[values != 0]
    if len(alive) < 4:
        raise ValueError(f"only {len(alive)} of {len(values)} entries are not zero; this estimator needs at least 4")
    return np.log(np.abs(alive)), len(values) - len(alive)


def log_moment(x: Sample) -> TailIndex:
    r"""Estimate the tail index from the variance of the logarithm.

    .. math:: \frac{1}{\hat\alpha^2} = \frac{6}{\pi^2}\,s^2 - \frac12,
        \qquad s^2 = \frac{1}{K-1}\sum_k\bigl(\log|X_k| - \overline{\log|X|}\bigr)^2

    Standard error: delta method from Var(s^2) = (kappa_4 + 2 kappa_2^2) / K, with the cumulants of log|X| of the SaS law
    (:func:`tailnoise_utils.stable.law.log_cumulants`). 1/alpha^2 is unbiased; alpha^ has a bias of order 1/K. Domain:
    0 < alpha <= 2 about zero. Where s^2 <= pi^2/12 no stable law has so little spread: alpha^ is inf, its standard error
    NaN. Exact zeros are left out and counted. Misleading: it looks at small values as much as at large ones, so that a
    spike at zero or unequal scales read as heavy tails (Laplace data: sqrt(2)).

    Source: Ma and Nikias (1995), IEEE Transactions on Signal Processing 43, 2884-2897 (log|SaS| process).

    Args:
        x: a sample, shape (K,), K >= 4.

    Returns:
        The estimate; `info` holds zeros, the number of exact zeros left out.

    Raises:
        ValueError: too few entries (after the zeros are left out), not one-dimensional, NaN or inf, nothing but zeros.

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5):
        ...     print(log_moment(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.443 +- 0.1
        alpha^ = 1.498 +- 0.011
    """
    logs, zeros = _log_absolute(x)
    inverse_square = 6 / math.pi**2 * logs.var(ddof=1) - 0.5
    if inverse_square <= 0:
        return TailIndex.from_inverse(0.0, math.nan, zeros=zeros)
    inverse = math.sqrt(inverse_square)
    k2 = math.pi**2 / 6 * (inverse_square + 0.5)
    k4 = math.pi**4 / 15 * (inverse_square**2 - 1) + math.pi**4 / 8
    variance = max(k4 + 2 * k2**2, 0.0) / len(logs)
    return TailIndex.from_inverse(inverse, 6 / math.pi**2 * math.sqrt(variance) / (2 * inverse), zeros=zeros)


def fractional_moment(x: Sample, order: float = 0.1) -> TailIndex:
    r"""Estimate the tail index from fractional lower-order moments of opposite order.

    With :math:`M_p = \frac1K\sum_k|X_k|^p`, the scale cancels in

    .. math:: \mathrm{E}|X|^p\,\mathrm{E}|X|^{-p} = \frac{2\tan(\pi p/2)}{\alpha\sin(\pi p/\alpha)}
        \quad\Longrightarrow\quad
        \frac{\sin(\pi p/\hat\alpha)}{\pi p/\hat\alpha} = \frac{2\tan(\pi p/2)}{\pi p\,M_p M_{-p}}

    which is solved for p / alpha^ in (0, 1). Standard error: delta method with the exact moments of order 2p and -2p,
    finite for p < min(alpha/2, 1/2). Domain: 2p < alpha <= 2 about zero; bias of order 1/K. If the product is so small
    that no root exists, alpha^ is inf. Exact zeros are left out and counted. Misleading as log_moment (the same as p -> 0).

    Source: Ma and Nikias (1995), IEEE Transactions on Signal Processing 43, 2884-2897; Nikias and Shao (1995).

    Args:
        x: a sample, shape (K,), K >= 4.
        order: the order p, 0.001 <= p < 1/2, below alpha / 2 for a finite variance.

    Returns:
        The estimate; `info` holds order and zeros.

    Raises:
        ValueError: order out of range or not below alpha^ / 2, too few entries, not one-dimensional, NaN or inf, nothing
            but zeros.

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5):
        ...     print(fractional_moment(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.441 +- 0.1
        alpha^ = 1.498 +- 0.011
    """
    if not 1e-3 <= order < 0.5:
        raise ValueError(
            f"order = {order} is outside [0.001, 0.5): the negative moment needs a finite variance, and rounding swamps "
            "smaller orders; try 0.1"
        )
    logs, zeros = _log_absolute(x)
    powers = np.exp(order * (logs - np.median(logs)))  # scaled: the product of the moments does not change
    product = powers.mean() * (1 / powers).mean()
    info = {"order": order, "zeros": zeros}
    sinc = 2 * math.tan(math.pi * order / 2) / (math.pi * order) / product
    if sinc >= 1:
        return TailIndex.from_inverse(0.0, math.nan, **info)
    from scipy.optimize import brentq  # a fifth of a second of import, needed only here

    ratio = brentq(lambda r: np.sinc(r) - sinc, 0.0, 1.0, xtol=1e-14)
    if ratio >= 0.5:
        raise ValueError(
            f"order = {order} is not below alpha^ / 2 = {order / ratio / 2:.3g}: its moments have an infinite "
            f"variance; try order = {max(1e-3, order / ratio / 5):.2g}"
        )
    slope = (math.cos(math.pi * ratio) - sinc) / ratio  # of sinc at the root
    up, down, up2, down2 = (stable.absolute_moment(q * order, min(order / ratio, 2.0)) for q in (1, -1, 2, -2))
    variance = (up2 / up**2 - 1 + down2 / down**2 - 1 + 2 * (1 / (up * down) - 1)) / len(logs)  # of ln(M_p M_-p)
    return TailIndex.from_inverse(ratio / order, sinc * math.sqrt(variance) / (abs(slope) * order), **info)


def koutrouvelis(x: Sample) -> TailIndex:
    r"""Estimate the tail index from a regression on the empirical characteristic function.

    .. math:: \log\bigl(-\log|\hat\varphi(t)|^2\bigr) = \log(2\sigma^\alpha) + \alpha\log|t|,
        \qquad \hat\varphi(t) = \frac1K\sum_k e^{itX_k}

    by ordinary least squares at t = 0.1, 0.2, ..., 1 over half the interquartile range, as Kogon and Williams have it
    (Koutrouvelis' own number of points depends on a table in alpha and K). The standardisation matters in second order
    only: the slope does not depend on the scale.

    Standard error: the slope is a fixed linear form in the log-log values, whose covariance is that of the empirical
    characteristic function, K Cov(Re phi^(s), Re phi^(t)) = [phi(s+t) + phi(s-t)]/2 - phi(s) phi(t), at min(alpha^, 2).
    It rises steeply below 2: at alpha = 2 it is too large by about a quarter at K = 1000 and a tenth at K = 10^4; at
    alpha = 1.5 and K = 100, where alpha^ often exceeds 2, it is too small. Bias of order 1/K, visible below K = 100.
    Domain: 0 < alpha <= 2 about any centre. Misleading where the law is not stable: it then describes the centre (t near
    1 over the scale), not the tail; for finite variance and small t it tends to 2.

    Source: Koutrouvelis (1980), JASA 75, 918-928; Kogon and Williams (1998), in A Practical Guide to Heavy Tails.

    Args:
        x: a sample, shape (K,), K >= 10.

    Returns:
        The estimate; `info` holds points, the number of frequencies.

    Raises:
        ValueError: too few entries, not one-dimensional, NaN or inf, an interquartile range of zero.

    Example:
        >>> from tailnoise_utils import stable
        >>> for size in (10**3, 10**5):
        ...     print(koutrouvelis(stable.sample(1.5, size, generator=np.random.default_rng(0))))
        alpha^ = 1.471 +- 0.056
        alpha^ = 1.495 +- 0.0057
    """
    values = as_sample(x, 10)
    low, high = np.quantile(values, [0.25, 0.75])
    check_spread(values, low, high)
    if not math.isfinite(2 / (high - low)):
        raise ValueError(f"the interquartile range {high - low:g} is too small to divide by; rescale the data")
    t = np.linspace(0.1, 1.0, 10)
    parts = np.array_split(values * (2 / (high - low)), len(values) // 2**16 + 1)
    phi = sum(np.exp(1j * np.outer(t, part)).sum(1) for part in parts)
    modulus = np.abs(phi) / len(values)
    design = np.log(t) - np.log(t).mean()
    form = design / (design @ design)
    log_log = np.log(-2 * np.log(modulus))
    alpha = float(form @ log_log)
    scale_power = math.exp(log_log.mean() - alpha * np.log(t).mean()) / 2  # sigma^alpha
    return TailIndex.from_alpha(alpha, _slope_se(t, form, alpha, scale_power) / math.sqrt(len(values)), points=len(t))


def _slope_se(t: np.ndarray, form: np.ndarray, alpha: float, scale_power: float) -> float:
    """Compute sqrt(K) times the standard error of `form` applied to log(-log|phi^|^2) under the fitted law."""
    alpha, s = min(max(alpha, 1e-3), 2.0), t[:, None]
    phi, phi_sum, phi_difference = (np.exp(-scale_power * np.abs(w) ** alpha) for w in (t, s + t, s - t))
    covariance = (phi_sum + phi_difference) / 2 - phi[:, None] * phi
    gradient = form / (phi * np.log(phi))
    return math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))
