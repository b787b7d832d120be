"""What is done to the entries of a sample or matrix before anything is estimated, as many at a time as the cache holds."""

import math

import numpy as np
import torch
from torch import Tensor

CHUNK = 2**17  # entries that are in float64 at a time: 1 MB, which stays in the processor's cache


def all_zero(x: Tensor) -> bool:
    """Whether there is nothing but zeros; it looks no further than to the first other number's chunk."""
    return not any(bool(part.any()) for part in x.split(lines(x)))


def lines(x: Tensor) -> int:
    """How many rows of a matrix, or entries of a sample, to look at at a time."""
    return max(1, CHUNK // max(1, math.prod(x.shape[1:])))


def alive(x: Tensor) -> Tensor:
    """Which columns of a matrix are not the same in all rows, as a mask."""
    found = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
    for part in x[1:].split(lines(x)):
        differ = part != x[0]
        found |= differ[0] if len(part) == 1 else differ.any(0)
    return found


def chosen(x: Tensor, mask: Tensor) -> Tensor:
    """A vector, or the columns of a matrix, where a mask is true."""
    if x.device.type == "cpu" and x.dtype is not torch.bfloat16:  # NumPy takes a quarter of torch's time, or less
        return torch.from_numpy(np.compress(mask.numpy(), x.detach().resolve_neg().numpy(), axis=-1))
    return x[..., mask]


def sum_of_logs(values: Tensor, epsilon: float) -> tuple[float, int]:
    """Sum of log(|values| + epsilon) in float64 without those that are log 0, and how many are left."""
    found = _positive(values, epsilon)
    total = float(_fewer(found, values.dtype).log().sum())
    if total > -math.inf:
        return total, values.numel()
    found = found[found != 0]
    return float(found.log_().sum()), found.numel()


def row_sums_of_logs(values: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The same of every row."""
    found = _positive(values, epsilon)
    total = _fewer(found, values.dtype).log().sum(1)
    if bool((total > -math.inf).all()):
        return total, torch.full_like(total, values.shape[1])
    counts = found != 0
    return found.masked_fill_(~counts, 1.0).log_().sum(1), counts.sum(1).double()


def _positive(values: Tensor, epsilon: float) -> Tensor:
    """|values| + epsilon in float64, a new tensor."""
    return values.abs().double().add_(epsilon)


def _fewer(found: Tensor, dtype: torch.dtype) -> Tensor:
    """Numbers with the same sum of logarithms: of what was float32, whose products float64 holds, those of four or five."""
    fourth, more = divmod(found.shape[-1], 4)
    if dtype == torch.float64 or fourth < 4:
        return found
    first, second, third, last, rest = found.split([*[fourth] * 4, more], -1)
    products = (first * second).mul_(third).mul_(last)
    products[..., :more].mul_(rest)
    return products
