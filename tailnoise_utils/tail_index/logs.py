"""Sums of logarithms, and what is done to entries before anything is estimated, in pieces that the cache holds."""

import math

import numpy as np
import torch
from torch import Tensor

CHUNK = 2**17  # entries that are in float64 at a time: 1 MB, which stays in the processor's cache


def all_zero(x: Tensor) -> bool:
    """Tell whether there is nothing but zeros; look no further than the chunk of the first other number."""
    return not any(bool(part.any()) for part in x.split(lines(x)))


def lines(x: Tensor) -> int:
    """Compute how many rows of a matrix, or entries of a sample, to take at a time."""
    return max(1, CHUNK // max(1, math.prod(x.shape[1:])))


def alive(x: Tensor) -> Tensor:
    """Mark the columns of a matrix that are not the same in all rows."""
    mask = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
    for part in x[1:].split(lines(x)):
        differ = part != x[0]
        mask |= differ[0] if len(part) == 1 else differ.any(0)
    return mask


def chosen(x: Tensor, mask: Tensor) -> Tensor:
    """Take a vector, or the columns of a matrix, where a mask is true."""
    if x.device.type == "cpu" and x.dtype is not torch.bfloat16:  # NumPy takes a quarter of torch's time, or less
        return torch.from_numpy(np.compress(mask.numpy(), x.detach().resolve_neg().numpy(), axis=-1))
    return x[..., mask]


def log_sums(x: Tensor, epsilon: float = 0.0) -> Tensor:
    """Sum log(|x| + epsilon) over the last dimension without those that are log 0, and count the others: (..., 2)."""
    positive = x.abs().double().add_(epsilon)
    totals = _products(positive, x.dtype).log().sum(-1)
    counts = torch.full_like(totals, x.shape[-1])
    if not bool((totals > -math.inf).all()):
        counts = (positive != 0).sum(-1).double()
        totals = positive.masked_fill_(positive == 0, 1.0).log_().sum(-1)
    return torch.stack([totals, counts], -1)


def sum_of_logs(x: Tensor, epsilon: float) -> tuple[float, int]:
    """Give the two numbers of `log_sums` of a vector."""
    total, count = log_sums(x, epsilon).tolist()
    return total, int(count)


def _products(positive: Tensor, dtype: torch.dtype) -> Tensor:
    """Multiply float32 numbers by fours or fives, which float64 holds: a quarter of the logarithms, the same sum."""
    fourth, more = divmod(positive.shape[-1], 4)
    if dtype == torch.float64 or fourth < 4:
        return positive
    first, second, third, last, rest = positive.split([*[fourth] * 4, more], -1)
    products = (first * second).mul_(third).mul_(last)
    products[..., :more].mul_(rest)
    return products
