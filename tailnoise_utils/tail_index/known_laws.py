r"""Data whose law is known: SaS samples, and samples that are NOT stable, to see where an estimator misleads.

For i.i.d. entries of finite variance :math:`s^2`, and K1 large enough for the central limit theorem to hold in a block,
the block estimator (Mohammadi's Corollary 2.4, corrected convention) tends to

.. math:: \mathrm{E}\,\frac{1}{\hat\alpha} = \frac12 +
    \frac{\log s - \mathrm{E}\log|X| - (\gamma + \log 2)/2}{\log K_1}

because :math:`\log|Y|` is that of a Gaussian of variance :math:`K_1 s^2`. It reaches 1/2 (alpha = 2) only as K1 grows
without bound; what stands above log K1 is how little the law looks like a Gaussian, not a tail. Correlated entries
replace :math:`K_1 s^2` by the variance of the block sum. Exact zeros, in the published convention, enter with
:math:`\log\epsilon = -36`.

:func:`noise_matrix` draws whole noise matrices: rows that are independent and have one law, coordinates that depend on each
other in a way that is known.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import psi

from tailnoise_utils import stable

from .blocks import PUBLISHED_EPSILON

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


COORDINATES = ("independent", "latent", "elliptical", "grouped")


def noise_matrix(
    coordinates: str,
    alpha: float,
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    share: float = 1.0,
    rank: int | None = 30,
    rho: float = 0.6,
) -> Float64[np.ndarray, "P p"]:
    r"""Independent rows of one symmetric law, not centred; every coordinate SaS(alpha), if its `share` is 1.

    * ``"independent"``: independent coordinates;
    * ``"latent"``: :math:`S A / k^{1/\alpha}`, S of k = `rank` independent SaS factors a row, A loadings that are drawn
      once from N(0, 1): the scales of coordinates differ a little. A block sum has the loadings of one coordinate times
      :math:`\sqrt{K_1}`, in law, so that the joint 1/alpha^ has the mean 1/2 whatever alpha is;
    * ``"elliptical"``: one random scale for a whole row of Gaussian coordinates, which have `rank` Gaussian factors
      or, without one, are independent;
    * ``"grouped"``: groups of ``BLOCK`` neighbours, :math:`\rho^{1/\alpha} S_{\text{group}} + (1-\rho)^{1/\alpha} S_j`; at
      alpha = 2 with the correlation `rho`.

    Args:
        coordinates: how they depend on each other, one of ``COORDINATES``.
        alpha: index, 0 < alpha <= 2.
        shape: rows and columns.
        generator: of all draws.
        share: weight of this noise; the rest is Gaussian noise with the same loadings, of scale 1 as SaS(2).
        rank: number of factors; None is for elliptical coordinates only.
        rho: weight of what a group shares.

    Returns:
        The matrix.

    Raises:
        ValueError: unknown coordinates, no factors for latent ones.
    """
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
            of_group = stable.sample(index, (P, -(-p // BLOCK)), generator=generator).repeat(BLOCK, 1)[:, :p]
            own = stable.sample(index, shape, generator=generator)
            return rho ** (1 / index) * of_group + (1 - rho) ** (1 / index) * own
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
    r"""Positive stable numbers A with :math:`E e^{-tA} = e^{-t^a}`: :math:`\sqrt{2A}` times N(0, 1) is SaS(1) of index 2a.

    Source: Kanter (1975), Annals of Probability 3, 697-707.

    Args:
        index: a, 0 < a <= 1; at 1 every number is 1.
        size: number of draws, or the shape.
        generator: of the draws.

    Returns:
        The draws.
    """
    v, w = generator.uniform(0, np.pi, size), generator.standard_exponential(size)
    return np.sin(index * v) / np.sin(v) ** (1 / index) * (np.sin((1 - index) * v) / w) ** (1 / index - 1)


__all__ = ["BLOCK", "COORDINATES", "LAWS", "Law", "law", "noise_matrix", "positive_stable"]
