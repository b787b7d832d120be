"""Whether the order of the minibatches says something, as it must not."""

import torch
from jaxtyping import Float64
from torch import Tensor

__all__ = ["order", "order_doubt"]

_PERMUTATIONS = 999
_CHANCE = 1e-3  # largest p-value that says that minibatches are no random partition
_TIE = 1e-9  # cosines that differ by less are equal but for rounding


def order(G: Float64[Tensor, "P P"], *, permutations: int = _PERMUTATIONS, seed: int = 0) -> float:
    r"""Permutation test of the rows being exchangeable: are neighbours more, or less, alike than other pairs?

    The statistic is :math:`S = \sum_i c_{i,i+1}` with the cosines :math:`c_{ij} = G_{ij} / \sqrt{G_{ii} G_{jj}}`, and
    :math:`p = (1 + \#\{|S_\pi - m| \ge |S - m|\}) / (1 + \#\pi)` over random orders :math:`\pi` of the rows, m the mean
    of S over all orders. Rows of a random partition of the data are exchangeable, whatever their law and also once they are
    centred: of them p is as good as uniform. It is small if neighbours are cut from the same stretch of sorted data, or
    overlap. It sees no more than that: not minibatches that are each of one kind (a class, a length, a user) once
    neighbours are no more alike than others, nor overlaps of minibatches far apart, nor an order with a longer period.

    Source: the serial correlation of Wald and Wolfowitz (1943), of vectors.

    Args:
        G: inner products of the rows of the noise matrix; rows of zeros are like no other.
        permutations: random orders.
        seed: of them.

    Returns:
        The p-value.
    """
    P = len(G)
    size = G.diagonal().clamp(min=0).sqrt()
    cosines = G / torch.where(size > 0, size, torch.inf).outer(torch.where(size > 0, size, torch.inf))
    cosines.fill_diagonal_(0.0)
    generator = torch.Generator().manual_seed(seed)
    orders = torch.stack([torch.arange(P), *(torch.randperm(P, generator=generator) for _ in range(permutations))])
    sums = cosines[orders[:, :-1], orders[:, 1:]].sum(1) - cosines.sum() / P
    own, others = sums[0].abs(), sums[1:].abs()
    return float((others >= own - _TIE * P).sum() + 1) / (permutations + 1)


def order_doubt(p: float) -> str:
    """Why the order of the minibatches forbids a conclusion.

    Args:
        p: p-value of :func:`order`.

    Returns:
        "" if it does not: p is above .001, the smallest of 999 permutations.
    """
    if p > _CHANCE:
        return ""
    return (
        "the minibatches do not look like a random partition of the data: neighbours are more, or less, alike than in any "
        f"of {_PERMUTATIONS} random orders (p = {p:.2g}). Shuffle the samples once, cut them into disjoint minibatches, "
        "and measure again."
    )
