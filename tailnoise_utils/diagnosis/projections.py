"""Projections of the noise, at random and along leading directions of the other minibatches, and tests of normality.

Projections of very many coordinates are Gaussian by the central limit theorem even where the coordinates are not. What
random ones find is tails that whole rows, or strong coordinates, have. Leading directions are fitted on one half of the
minibatches and look at the other: fitted on the same rows they would follow their outliers.
"""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

_WEAKEST = 1e-6  # smallest eigenvalue, as a share of the largest, that is more than rounding in float32


def random_projections(
    G: Float64[Tensor, "P P"], count: int, generator: torch.Generator
) -> Float64[Tensor, "P directions"]:
    """Project onto random directions, a direction a column: given U these columns are N(0, G), and so drawn, without V."""
    values, vectors = torch.linalg.eigh(G)
    xi = torch.randn(len(G), count, generator=generator, device=generator.device, dtype=torch.float64).to(G)
    return vectors @ (values.clamp(min=0).sqrt()[:, None] * xi)


def leading_projections(
    G: Float64[Tensor, "P P"], count: int, generator: torch.Generator
) -> Float64[Tensor, "half directions"]:
    """Project onto up to `count` principal directions of the other half of the minibatches; halves are random, swapped."""
    P, half = len(G), len(G) // 2
    order = torch.randperm(P, generator=generator, device=generator.device).to(G.device)[: 2 * half]
    projections = []
    for fitted, other in ((order[:half], order[half:]), (order[half:], order[:half])):
        inner = G[fitted][:, fitted]
        inner = inner - inner.mean(0) - inner.mean(1, keepdim=True) + inner.mean()
        values, vectors = torch.linalg.eigh(inner)
        strong = vectors[:, values > _WEAKEST * values[-1]][:, -count:]
        projections.append(G[other][:, fitted] @ strong)
    return torch.cat(projections, 1)


def excess_kurtosis(Y: Float[Tensor, "n series"]) -> Float64[Tensor, " series"]:
    """Compute the fourth central moment over the squared second, less 3, of every column; -6 / (n + 1) if normal."""
    Y = Y.double()
    squares = (Y - Y.mean(0)).square_()
    return squares.square().mean(0) / squares.mean(0).square() - 3


def anderson_darling(
    Y: Float[Tensor, "n series"],
) -> tuple[Float64[Tensor, " series"], Float64[Tensor, " series"]]:
    """Compute Anderson and Darling's statistic and p-value of columns of 8 or more numbers, mean and variance unknown."""
    n = len(Y)
    if n < 8:
        raise ValueError(f"series of {n} numbers are too short for the Anderson-Darling test: give 8 or more")
    A = torch.cat([_statistic(block) for block in Y.split(4096, 1)]) * (1 + 0.75 / n + 2.25 / n**2)
    a = A.clamp(max=13.0)  # from there on the fit of the tail turns upwards again; p is below 1e-30
    p = torch.where(a < 0.2, 1 - torch.exp(-13.436 + 101.14 * a - 223.73 * a**2), 0.0)
    p = torch.where((a >= 0.2) & (a < 0.34), 1 - torch.exp(-8.318 + 42.796 * a - 59.938 * a**2), p)
    p = torch.where((a >= 0.34) & (a < 0.6), torch.exp(0.9177 - 4.279 * a - 1.38 * a**2), p)
    return A, torch.where(a >= 0.6, torch.exp(1.2937 - 5.709 * a + 0.0186 * a**2), p)


def _statistic(Y: Float[Tensor, "n series"]) -> Float64[Tensor, " series"]:
    """Compute Anderson and Darling's A^2 of every column."""
    n = len(Y)
    Y = Y.double()
    z = ((Y - Y.mean(0)) / Y.std(0)).sort(0).values
    below, above = torch.special.log_ndtr(z), torch.special.log_ndtr(-z).flip(0)
    weights = torch.arange(1, 2 * n, 2, dtype=torch.float64, device=Y.device)
    return -n - weights @ (below + above) / n


def discoveries(p: Float64[Tensor, " tests"], level: float = 0.05) -> Bool[Tensor, " tests"]:
    """Mark the tests that reject at a false discovery rate (Benjamini and Hochberg 1995); those without p-value do not."""
    from scipy.stats import false_discovery_control  # a second of import, needed only here

    return torch.from_numpy(false_discovery_control(p.nan_to_num(1.0).cpu().numpy())).to(p.device) <= level
