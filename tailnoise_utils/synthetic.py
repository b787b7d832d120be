r"""Data whose law is known: SaS samples, and samples that are NOT stable, to see where an estimator misleads.

For i.i.d. entries of finite variance :math:`s^2`, and K1 large enough for the central limit theorem to hold in a block,
the block estimator (Mohammadi's Corollary 2.4, clean convention) tends to

.. math:: \mathrm{E}\,\frac{1}{\hat\alpha} = \frac12 +
    \frac{\log s - \mathrm{E}\log|X| - (\gamma + \log 2)/2}{\log K_1}

because :math:`\log|Y|` is that of a Gaussian of variance :math:`K_1 s^2`. It reaches 1/2 (alpha = 2) only as K1 grows
without bound; what stands above log K1 is how little the law looks like a Gaussian, not a tail. Correlated entries
replace :math:`K_1 s^2` by the variance of the block sum. Exact zeros, in the published convention, enter with
:math:`\log\epsilon = -36`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import psi

from . import stable
from .tail_index.blocks import PUBLISHED_EPSILON

_MEAN_LOG_GAUSSIAN = -(np.euler_gamma + math.log(2)) / 2  # E log|Z|, Z standard normal

Sampler = Callable[[float, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Law:
    """A law with one parameter.

    Attributes:
        sample: (parameter, size, generator) -> a sample, shape (size,), float64.
        label: what it is, with ``{}`` for the parameter.
        block_inverse: (parameter, K1, convention) -> E 1/alpha^ of :func:`tailnoise_utils.tail_index.mohammadi` for
            large K1 (SaS: for every K1).
    """

    sample: Sampler
    label: str
    block_inverse: Callable[[float, int, str], float]


def _finite_variance(log_sd_ratio: Callable[[float], float]) -> Callable[[float, int, str], float]:
    """E 1/alpha^ from log sd(Y)/sqrt(K1) - E log|X|, whatever the convention (no exact zeros)."""
    return lambda parameter, K1, _: 0.5 + (log_sd_ratio(parameter) + _MEAN_LOG_GAUSSIAN) / math.log(K1)


def _sas(alpha: float, size: int, generator: np.random.Generator) -> np.ndarray:
    return stable.sample(alpha, size, generator=generator)


def _student(df: float, size: int, generator: np.random.Generator) -> np.ndarray:
    return generator.standard_t(df, size)


def _laplace(_: float, size: int, generator: np.random.Generator) -> np.ndarray:
    return generator.laplace(size=size)


def _scale_mixture(tau: float, size: int, generator: np.random.Generator) -> np.ndarray:
    return generator.standard_normal(size) * np.exp(tau * generator.standard_normal(size))


BLOCK = 10  # entries that share a component in `correlated`


def _correlated(rho: float, size: int, generator: np.random.Generator) -> np.ndarray:
    shared = np.repeat(generator.standard_normal(-(-size // BLOCK)), BLOCK)[:size]
    return math.sqrt(rho) * shared + math.sqrt(1 - rho) * generator.standard_normal(size)


def _zeros(share: float, size: int, generator: np.random.Generator) -> np.ndarray:
    return generator.standard_normal(size) * (generator.random(size) >= share)


def _zeros_inverse(share: float, K1: int, convention: str) -> float:
    alive = 0.5 * math.log1p(-share)  # the block sum has fewer terms; no block is all zero once K1 is large
    if convention == "published":
        alive += share * (_MEAN_LOG_GAUSSIAN - math.log(PUBLISHED_EPSILON))
    return 0.5 + alive / math.log(K1)


LAWS = {
    "sas": Law(_sas, "SaS, alpha = {:g}", lambda alpha, *_: 1 / alpha),
    "student": Law(
        _student,
        "Student t, {:g} degrees of freedom",
        _finite_variance(lambda df: 0.5 * (-math.log(df - 2) - psi(0.5) + psi(df / 2))),
    ),
    "laplace": Law(_laplace, "Laplace", _finite_variance(lambda _: 0.5 * math.log(2) + np.euler_gamma)),
    "scale_mixture": Law(
        _scale_mixture,
        "Gaussian, log-normal scales (sd of log {:g})",
        _finite_variance(lambda tau: tau**2 - _MEAN_LOG_GAUSSIAN),
    ),
    "correlated": Law(
        _correlated,
        "Gaussian, blocks of 10 with correlation {:g}",
        _finite_variance(lambda rho: 0.5 * math.log1p((BLOCK - 1) * rho) - _MEAN_LOG_GAUSSIAN),
    ),
    "zeros": Law(_zeros, "Gaussian with a share {:g} of exact zeros", _zeros_inverse),
}


def law(name: str) -> Law:
    """Look a law up by name.

    Args:
        name: a key of ``LAWS``.

    Returns:
        The law.

    Raises:
        ValueError: an unknown name; the message lists the valid ones.
    """
    if name not in LAWS:
        raise ValueError(f"unknown law {name!r}; choose one of {', '.join(LAWS)}")
    return LAWS[name]


__all__ = ["BLOCK", "LAWS", "Law", "law"]
