"""What is wrong with a minibatch, in place of what torch says of it."""

from typing import Any

import numpy as np
from torch import Tensor


def check_labels(y: Any, outputs: Any, index: int, cause: Exception | None = None) -> None:
    """Refuse labels that are no class."""
    if not (isinstance(y, Tensor) and isinstance(outputs, Tensor) and outputs.ndim > 1) or y.is_floating_point():
        return
    classes = outputs.shape[1]
    bad = (y < 0) | (y >= classes)
    if cause:  # the loss may be one that ignores the label -100
        bad &= y != -100
    if bool(bad.any()):
        raise ValueError(
            f"minibatch {index} has the label {int(y[bad][0])}, which is no class: with {classes} outputs, the classes are "
            f"0 to {classes - 1}"
        ) from cause


def check_arrays(found: Any, index: int, cause: Exception) -> None:
    """Say so where NumPy arrays are what torch failed at."""
    if arrays := [x for x in found if isinstance(x, np.ndarray)]:
        raise ValueError(
            f"minibatch {index} holds a NumPy array of shape {arrays[0].shape} and type {arrays[0].dtype}, but torch takes "
            "tensors: convert with torch.as_tensor(x, dtype=torch.float32), labels with dtype=torch.int64"
        ) from cause


def check_no_pair(batch: Any, loss_fn: Any, index: int, cause: Exception) -> None:
    """Say so where a minibatch that is no pair meets a loss of torch's."""
    if getattr(loss_fn, "__module__", "").startswith("torch.nn"):
        raise ValueError(
            f"minibatch {index}, of type {type(batch).__name__}, is no pair (x, y), so that the loss is called as "
            "loss_fn(model, batch), which a loss of torch's does not take: give pairs, or a function of the two"
        ) from cause
