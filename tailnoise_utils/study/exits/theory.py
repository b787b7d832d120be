r"""Theory of the exits from wells: how long they take under Levy and under Brownian noise, and where a particle stays.

In the convention of :mod:`tailnoise_utils.study.exits.levy_sde` jumps from a minimum to beyond a point at the distance d
come at the rate :math:`C_\alpha\, \varepsilon^\alpha d^{-\alpha}` (:func:`levy_constant`), however high f rises in between;
in the literature, where the Levy density is :math:`|y|^{-1-\alpha}`, :math:`C_\alpha` is :math:`1/\alpha`.
"""

import math
from itertools import pairwise

import numpy as np
import scipy  # its parts load when they are first used
from jaxtyping import Float64

from .landscape import Landscape, SymmetricWell


def levy_constant(alpha: float) -> float:
    r"""Return :math:`C_\alpha = \Gamma(\alpha) \sin(\pi \alpha / 2) / \pi`; it falls to 0 as alpha tends to 2."""
    if not 0 < alpha < 2:
        raise ValueError(f"alpha = {alpha}: jumps need 0 < alpha < 2; for alpha = 2 see eyring_kramers")
    return math.gamma(alpha) * math.sin(math.pi * alpha / 2) / math.pi


def levy_exit_time(alpha: float, half_width: float, eps: float) -> float:
    r"""Return the mean exit time under Levy noise of small eps, :math:`T = a^\alpha / (2 C_\alpha \varepsilon^\alpha)`.

    Source: Imkeller and Pavlyukevich (2006), Stochastic Processes and their Applications 116, 611-642.
    """
    return (half_width / eps) ** alpha / (2 * levy_constant(alpha))


def brownian_exit_time(well: SymmetricWell, edge: float, eps: float) -> float:
    r"""Return the exact mean time from 0 to the edge of (-edge, edge) under Brownian noise; infinity beyond 1e308.

    .. math:: T = \frac1D \int_0^b e^{f(y)/D} \int_0^y e^{-f(z)/D}\,dz\,dy, \qquad D = \varepsilon^2, \quad b = \text{edge}.
    """
    x = np.linspace(0, edge, 20_001)
    exponent = well.value(x) / eps**2
    with np.errstate(over="ignore", invalid="ignore"):
        inner = scipy.integrate.cumulative_simpson(np.exp(-exponent), x=x, initial=0)
        time = scipy.integrate.cumulative_simpson(np.exp(exponent) * inner, x=x)[-1] / eps**2
    return float(time) if math.isfinite(time) else math.inf


def eyring_kramers(well: SymmetricWell, eps: float) -> float:
    r"""Return the mean time over either maximum under Brownian noise of small D, :math:`T = \pi / f''(0)\, e^{H / D}`.

    Half of that over a single maximum; to reach a maximum takes half of T. Source: Kramers (1940), Physica 7, 284-304.
    """
    return math.pi / well.curvature * math.exp(well.height / eps**2)


def generator_matrix(
    minima: tuple[float, ...], maxima: tuple[float, ...], alpha: float, eps: float
) -> Float64[np.ndarray, "r r"]:
    r"""Return the rates of the Markov chain on the wells to which a Levy-driven particle comes close for small eps.

    .. math:: q_{ij} = C_\alpha\, \varepsilon^\alpha \bigl| |s_{j-1} - m_i|^{-\alpha} - |s_j - m_i|^{-\alpha} \bigr|,
        \qquad i \neq j,

    for minima m and the maxima s between them, :math:`s_0 = -\infty`, :math:`s_r = \infty`; rows sum to zero. Source:
    Pavlyukevich (2007), Journal of Physics A 40, 12299-12313.
    """
    m = np.asarray(minima)
    edges = np.r_[-np.inf, maxima, np.inf]
    tails = np.abs(edges - m[:, None]) ** -alpha  # 0 at infinity
    q = levy_constant(alpha) * eps**alpha * np.abs(np.diff(tails, axis=1))
    np.fill_diagonal(q, 0)
    np.fill_diagonal(q, -q.sum(1))
    return q


def stationary_law(q: Float64[np.ndarray, "r r"]) -> Float64[np.ndarray, " r"]:
    """Return the probabilities p with p q = 0 for a generator q: rates off the diagonal, rows that sum to zero."""
    off = q - np.diag(np.diag(q))
    if np.any(off < 0) or not np.allclose(q.sum(1), 0, atol=1e-12 * np.abs(q).max()):
        raise ValueError(f"{q.tolist()} is no generator: rates must not be negative, and rows must sum to zero")
    law = scipy.linalg.null_space(q.T / np.abs(q).max())
    if law.shape[1] != 1:
        raise ValueError(f"the chain has {law.shape[1]} stationary laws: some well cannot be reached from another")
    return law[:, 0] / law.sum()


def gibbs_law(landscape: Landscape, eps: float) -> Float64[np.ndarray, " r"]:
    r"""Return the probabilities of the wells under Brownian noise, in proportion to their integrals of :math:`e^{-f/D}`."""
    left, right = landscape.ends
    lowest = -max(landscape.depths)
    weights = []
    for low, high in pairwise([left, *landscape.maxima, right]):
        x = np.linspace(low, high, 4001)  # even: an adaptive rule can miss a narrow well
        density = np.exp((lowest - landscape.value(x)) / eps**2)
        weights.append(float(scipy.integrate.cumulative_simpson(density, x=x)[-1]))
    for well, end in ((0, left), (-1, right)):  # the linear tails
        at = np.array([end])
        slope = abs(float(landscape.gradient(at)[0]))
        weights[well] += eps**2 / slope * math.exp((lowest - float(landscape.value(at)[0])) / eps**2)
    return np.array(weights) / np.sum(weights)
