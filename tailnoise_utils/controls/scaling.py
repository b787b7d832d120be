r"""How the scale of the noise falls with the batch size: the cleanest test, and the only one that needs several.

The mean gradient of b samples of a stable law has the scale :math:`b^{1/\alpha - 1}`; of finite variance, it tends to
:math:`b^{-1/2}`. The root mean square falls like :math:`b^{-1/2}` by algebra, whatever the law of the samples: it tells
nothing. The mean *logarithm* tells.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from .pooled import Estimate, alive

__all__ = ["implied_alpha", "log_scale"]


def log_scale(
    U: Float[Tensor, "P p"],
    b: int,
    n: int,
    *,
    groups: Mapping[str, Sequence[slice]] | None = None,
    live: Bool[Tensor, " p"] | None = None,
) -> dict[str, Estimate]:
    r"""Mean logarithm of the entries, corrected for sampling without replacement.

    .. math:: \operatorname{mean}_{ij} \ln|U_{ij}| - \tfrac12 \ln c, \qquad
        c = 1 - b/n \text{ if } Pb \ge n, \quad 1 - 1/P \text{ if } Pb \le n

    c is exact in both cases. Samples drawn without replacement give minibatches of variance
    :math:`(1/b - 1/n) S^2`, any two disjoint ones of covariance :math:`-S^2/n`. Less the mean of P disjoint ones this is
    :math:`(1 - 1/P) S^2 / b`, without n; less the full gradient, which the rows' mean is when they are whole partitions
    of the data, :math:`(1 - b/n) S^2 / b`. One whole partition is both.

    Args:
        U: noise matrix, centred: P disjoint minibatches, or the minibatches of several whole partitions.
        b: samples in a minibatch.
        n: samples in the data.
        groups: name to slices of a row.
        live: columns to look at, the same at every b (by default those that are not constant): a unit that is dead in
            all of a few small minibatches comes to life in larger ones.

    Returns:
        For "all" and every group the value and its standard error over the minibatches; a group with nothing alive is
        left out. Exact zeros contribute no logarithm.

    Raises:
        ValueError: b or n out of range, P b above n but no multiple of it, nothing alive.
    """
    P = len(U)
    if not 1 <= b < n:
        raise ValueError(f"b = {b} is not within 1..{n - 1}: a minibatch of all n = {n} samples has no noise")
    if P * b > n and P * b % n:
        raise ValueError(
            f"{P} minibatches of b = {b} are no whole number of partitions of n = {n} samples: give P b = k n"
        )
    if live is None:
        live = alive(U)
    correction = math.log(1 - b / n if P * b >= n else 1 - 1 / P) / 2
    found = {}
    for name, slices in {"all": [slice(0, U.shape[1])], **(groups or {})}.items():
        sums, counts = np.zeros(P), np.zeros(P)
        for part in slices:
            X = U[:, part][:, live[part]]
            logs = X.abs().log_().masked_fill_(X == 0, 0.0)
            sums += logs.sum(1, dtype=torch.float64).cpu().numpy()
            counts += (X != 0).sum(1).cpu().numpy()
        if counts.sum():
            left = (sums.sum() - sums) / (counts.sum() - counts)
            se = math.sqrt((P - 1) ** 2 / P * left.var(ddof=1))
            found[name] = Estimate(float(sums.sum() / counts.sum()) - correction, se)
    return found


def implied_alpha(
    b: Sequence[int] | Float64[np.ndarray, " sizes"], log_scales: Sequence[float] | Float64[np.ndarray, " sizes"]
) -> Float64[np.ndarray, " intervals"]:
    r"""The index that a stable law would need to have for the log-scale to fall as it does.

    .. math:: \hat\alpha = \frac1{1 + \text{slope}}, \qquad
        \text{slope} = \frac{\Delta\, \text{log-scale}}{\Delta \ln b}

    Args:
        b: batch sizes, increasing.
        log_scales: of :func:`log_scale`.

    Returns:
        The index on every interval, never clipped: above 2 where the scale falls faster than :math:`b^{-1/2}`.

    Raises:
        ValueError: fewer than two sizes, sizes that do not increase, or lengths that differ.
    """
    b, log_scales = np.asarray(b, dtype=float), np.asarray(log_scales, dtype=float)
    if b.ndim != 1 or b.shape != log_scales.shape or len(b) < 2:
        raise ValueError(
            f"batch sizes of shape {b.shape}, log-scales of shape {log_scales.shape}: give two or more of each"
        )
    if b[0] <= 0 or not np.all(np.diff(b) > 0):
        raise ValueError(f"batch sizes {b.tolist()} are not positive and increasing: sort them")
    with np.errstate(divide="ignore"):
        return 1 / (1 + np.diff(log_scales) / np.diff(np.log(b)))
