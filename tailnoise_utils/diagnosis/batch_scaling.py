r"""How the scale of the noise falls with the batch size: the cleanest test, and the only one that needs several sizes.

The mean gradient of b samples of a stable law has the scale :math:`b^{1/\alpha - 1}`; of finite variance, it tends to
:math:`b^{-1/2}`. The root mean square falls like :math:`b^{-1/2}` by algebra, whatever the law of the samples. Only the
mean *logarithm* tells. Of n independent SaS samples the full gradient is heavy-tailed too, and not negligible: a
minibatch's samples have weights 1/b - 1/n in the noise, all others -1/n, so that with x = b / n

.. math:: L(b) - L = (1/\alpha - 1) \ln b + \tfrac1\alpha \ln\bigl[ (1 - x)^\alpha + (1 - x) x^{\alpha - 1} \bigr]
    - \tfrac12 \ln(1 - x).

At alpha = 2 the last two terms cancel. Below, the scaling exponent -dL / d ln b is a little smaller than 1 - 1/alpha up to
about n / 10, and larger near n / 2.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from .joint import Estimate
from .twins import apart


def log_scale(
    rows: Iterable[Float[Tensor, " p"]],
    b: int,
    n: int,
    *,
    groups: Mapping[str, Sequence[slice]] | None = None,
    live: Bool[Tensor, " p"] | None = None,
) -> dict[str, Estimate]:
    r"""Compute the mean logarithm of the noise about the full gradient, corrected for sampling without replacement.

    .. math:: L(b) = \operatorname{mean}_{ij} \ln|g_{ij} - \nabla f_j| - \tfrac12 \ln(1 - b/n)

    The mean of b samples drawn without replacement from n has the variance :math:`(1/b - 1/n) S^2`: the last term is exact
    for the standard deviation. About the full gradient the value does not depend on the number of minibatches; about their
    own mean it would (by :math:`\tfrac12 \ln(1 - 1/P)` if they are disjoint).

    Args:
        rows: minibatch gradients less the full gradient, one at a time or as a matrix.
        b: samples in a minibatch.
        n: samples in the data.
        groups: name to slices of a row.
        live: coordinates to look at, all by default. Take the same at every b: a unit that is dead in a few small
            minibatches comes to life in larger ones.

    Returns:
        For "all" and every group the mean over the minibatches and its standard error. Exact zeros contribute no
        logarithm; a group with fewer than two minibatches that have anything else is left out.

    Raises:
        ValueError: b or n out of range, fewer than two minibatches, or nothing but zeros.
    """
    if not 1 <= b < n:
        raise ValueError(f"b = {b} is not within 1..{n - 1}: a minibatch of all n = {n} samples has no noise")
    parts = {"all": [slice(None)], **apart(groups)}
    means: dict[str, list[float]] = {name: [] for name in parts}
    for row in rows:
        sizes = row.abs().float()  # what is below its range counts as zero
        keep = sizes != 0 if live is None else live & (sizes != 0)
        logs = torch.where(keep, sizes.log_(), 0.0)
        for name, slices in parts.items():
            count = sum(int(keep[part].sum()) for part in slices)
            if count:
                total = sum(float(logs[part].sum(dtype=torch.float64)) for part in slices)
                means[name].append(total / count)
    if len(means["all"]) < 2:
        raise ValueError(f"{len(means['all'])} minibatches with noise that is not exactly zero: give two or more")
    shift = math.log1p(-b / n) / 2
    return {
        name: Estimate(float(np.mean(values)) - shift, float(np.std(values, ddof=1)) / math.sqrt(len(values)))
        for name, values in means.items()
        if len(values) > 1
    }


def stable_log_scale(
    b: Sequence[int] | Float64[np.ndarray, " sizes"], n: int, alpha: float | int
) -> Float64[np.ndarray, " sizes"]:
    """Compute L(b) of :func:`log_scale` for SaS samples, 1 < alpha <= 2, up to a constant (formula: see the module)."""
    b = np.asarray(b, dtype=float)
    if not 1 < alpha <= 2:
        raise ValueError(f"alpha = {alpha} is not within 1 < alpha <= 2: averages of heavier samples do not settle")
    if b.min() < 1 or b.max() >= n:
        raise ValueError(f"batch sizes from {b.min():g} to {b.max():g} are not within 1..{n - 1}")
    x = b / n
    factor = np.log((1 - x) ** alpha + (1 - x) * x ** (alpha - 1)) / alpha
    return (1 / alpha - 1) * np.log(b) + factor - np.log1p(-x) / 2


def scaling_exponent(
    b: Sequence[int] | Float64[np.ndarray, " sizes"], log_scales: Sequence[float] | Float64[np.ndarray, " sizes"]
) -> Float64[np.ndarray, " intervals"]:
    """Compute the scaling exponent, minus the slope of the log-scale in ln b, on every interval of batch sizes."""
    b, log_scales = np.asarray(b, dtype=float), np.asarray(log_scales, dtype=float)
    if b.ndim != 1 or b.shape != log_scales.shape or len(b) < 2:
        raise ValueError(
            f"batch sizes of shape {b.shape}, log-scales of shape {log_scales.shape}: give two or more of each"
        )
    if b[0] <= 0 or not np.all(np.diff(b) > 0):
        raise ValueError(f"batch sizes {b.tolist()} are not positive and increasing: sort them")
    return -np.diff(log_scales) / np.diff(np.log(b))
