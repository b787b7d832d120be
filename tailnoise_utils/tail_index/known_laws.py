r"""Data whose law is known: SaS samples, and samples that are NOT stable, to see where an estimator misleads.

For i.i.d. entries of finite variance :math:`s^2`, and K1 large enough for the central limit theorem to hold in a block,
:math:`\log|Y|` is that of a Gaussian of variance :math:`K_1 s^2`, so that the block estimator (corrected) tends to

.. math:: \mathrm{E}\,\frac{1}{\hat\alpha} = \frac12 +
    \frac{\log s - \mathrm{E}\log|X| - (\gamma + \log 2)/2}{\log K_1} .

It reaches 1/2 (alpha = 2) only as K1 grows without bound: the numerator measures no tail. Correlated entries replace
:math:`K_1 s^2` by the variance of the block sum; exact zeros (published) enter with :math:`\log\epsilon = -36`.

Noise matrices (:func:`noise_of`) have independent rows of one law and coordinates of a known dependence:

* ``"independent"``: independent coordinates;
* ``"latent"``: :math:`S A / k^{1/\alpha}`, S of k = `rank` independent SaS factors a row, A loadings drawn once from
  N(0, 1). A block sum has in law the loadings of one coordinate times :math:`\sqrt{K_1}`, so that the joint 1/alpha^ has
  the mean 1/2 whatever alpha is;
* ``"elliptical"``: one random scale for a whole row of Gaussian coordinates, independent or with `rank` Gaussian factors;
* ``"grouped"``: groups of ``BLOCK`` neighbours, :math:`\rho^{1/\alpha} S_{\text{group}} + (1-\rho)^{1/\alpha} S_j`; at
  alpha = 2 with the correlation `rho`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import psi

from tailnoise_utils import stable

from .blocks import PUBLISHED_EPSILON

BLOCK = 10  # entries that share a component where coordinates are correlated in groups
COORDINATES = ("independent", "latent", "elliptical", "grouped")
_MEAN_LOG_GAUSSIAN = -(np.euler_gamma + math.log(2)) / 2  # E log|Z|, Z standard normal


@dataclass(frozen=True)
class Law:
    """A law with one parameter."""

    sample: Callable[[float, int, np.random.Generator], np.ndarray]  # of (parameter, size, generator)
    label: str  # what it is, with {} for the parameter
    # E 1/alpha^ of `mohammadi` for large K1 (SaS: for every K1), of (parameter, K1, convention)
    block_inverse: Callable[[float, int, str], float]


def _finite_variance(log_sd_ratio: Callable[[float], float]) -> Callable[[float, int, str], float]:
    """Give E 1/alpha^ from log sd(Y)/sqrt(K1) - E log|X|, whatever the convention (no exact zeros)."""
    return lambda parameter, K1, _: 0.5 + (log_sd_ratio(parameter) + _MEAN_LOG_GAUSSIAN) / math.log(K1)


def _correlated(rho: float, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw Gaussian numbers, `BLOCK` neighbours with the correlation rho."""
    shared = np.repeat(generator.standard_normal(-(-size // BLOCK)), BLOCK)[:size]
    return math.sqrt(rho) * shared + math.sqrt(1 - rho) * generator.standard_normal(size)


def _zeros_inverse(share: float, K1: int, convention: str) -> float:
    """Give E 1/alpha^ of Gaussian numbers with a share of exact zeros."""
    excess = 0.5 * math.log1p(-share)  # the block sum has fewer terms; no block is all zero once K1 is large
    if convention == "published":
        excess += share * (_MEAN_LOG_GAUSSIAN - math.log(PUBLISHED_EPSILON))
    return 0.5 + excess / math.log(K1)


LAWS = {
    "sas": Law(
        lambda alpha, size, generator: stable.sample(alpha, size, generator=generator),
        "SaS, alpha = {:g}",
        lambda alpha, *_: 1 / alpha,
    ),
    "student": Law(
        lambda df, size, generator: generator.standard_t(df, size),
        "Student t, {:g} degrees of freedom",
        _finite_variance(lambda df: 0.5 * (-math.log(df - 2) - psi(0.5) + psi(df / 2))),
    ),
    "laplace": Law(
        lambda _, size, generator: generator.laplace(size=size),
        "Laplace",
        _finite_variance(lambda _: 0.5 * math.log(2) + np.euler_gamma),
    ),
    "scale_mixture": Law(
        lambda tau, size, generator: generator.standard_normal(size) * np.exp(tau * generator.standard_normal(size)),
        "Gaussian, log-normal scales (sd of log {:g})",
        _finite_variance(lambda tau: tau**2 - _MEAN_LOG_GAUSSIAN),
    ),
    "correlated": Law(
        _correlated,
        "Gaussian, blocks of 10 with correlation {:g}",
        _finite_variance(lambda rho: 0.5 * math.log1p((BLOCK - 1) * rho) - _MEAN_LOG_GAUSSIAN),
    ),
    "zeros": Law(
        lambda share, size, generator: generator.standard_normal(size) * (generator.random(size) >= share),
        "Gaussian with a share {:g} of exact zeros",
        _zeros_inverse,
    ),
}


def law(name: str) -> Law:
    """Look a law up by name, a key of ``LAWS``."""
    if name not in LAWS:
        raise ValueError(f"unknown law {name!r}; choose one of {', '.join(LAWS)}")
    return LAWS[name]


def noise_of(
    coordinates: str,
    alpha: float,
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    share: float = 1.0,
    rank: int | None = 30,
    rho: float = 0.6,
) -> Float64[np.ndarray, "P p"]:
    """Draw noise as the module says, not centred: `share` SaS(alpha), the rest Gaussian, of scale 1 as SaS(2)."""
    if coordinates not in COORDINATES:
        raise ValueError(f"unknown coordinates {coordinates!r}; choose one of {', '.join(COORDINATES)}")
    if coordinates == "latent" and not rank:
        raise ValueError("latent coordinates need factors: give a rank")
    P, p = shape
    loadings = generator.standard_normal((rank, p)) if rank and coordinates in ("latent", "elliptical") else None

    def draw(index: float) -> np.ndarray:
        if coordinates == "independent":
            return stable.sample(index, shape, generator=generator)
        if coordinates == "grouped":
            shared = stable.sample(index, (P, -(-p // BLOCK)), generator=generator).repeat(BLOCK, 1)[:, :p]
            single = stable.sample(index, shape, generator=generator)
            return rho ** (1 / index) * shared + (1 - rho) ** (1 / index) * single
        if coordinates == "latent":
            return stable.sample(index, (P, rank), generator=generator) @ loadings / rank ** (1 / index)
        scales = np.sqrt(2 * positive_stable(index / 2, (P, 1), generator))
        if loadings is None:
            return scales * generator.standard_normal(shape)
        return scales * (generator.standard_normal((P, rank)) @ loadings) / math.sqrt(rank)

    noise = draw(alpha)
    return noise if share == 1 else share * noise + (1 - share) * draw(2.0)


def positive_stable(
    index: float, size: int | tuple[int, ...], generator: np.random.Generator
) -> Float64[np.ndarray, "..."]:
    """Draw positive stable A, E exp(-t A) = exp(-t^index): sqrt(2 A) N(0, 1) is SaS(1) of 2 index (Kanter 1975)."""
    v, w = generator.uniform(0, np.pi, size), generator.standard_exponential(size)
    return np.sin(index * v) / np.sin(v) ** (1 / index) * (np.sin((1 - index) * v) / w) ** (1 / index - 1)
