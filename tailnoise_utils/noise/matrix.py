r"""Minibatch gradient noise.

For a loss :math:`f(w)` averaged over :math:`n` samples and :math:`P = n / b` disjoint minibatches of :math:`b` samples,
the noise of minibatch :math:`i` at the weights :math:`w` is :math:`U_i = g_i - \bar g`: the gradient of its own mean
loss less the mean of all :math:`P` of them, which is the full gradient :math:`\nabla f(w)` (Simsekli, Sagun and
Gurbuzbalaban, arXiv:1901.06053).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

from tailnoise_utils.tail_index.logs import CHUNK

from .gradient import Gradient, Loss, gradients
from .minibatches import check_batch_size
from .parameters import trainable
from .torch_state import private_randomness

__all__ = ["centre", "check_count", "count", "noise_matrix", "stack"]


def noise_matrix(
    model: nn.Module, loss_fn: Loss, batches: Iterable[Any], *, mode: str = "eval", seed: int = 0
) -> Float[Tensor, "P p"]:
    r"""Gradient noise of every minibatch at the model's present weights.

    .. math:: U_i = g_i - \frac{1}{P} \sum_{k=1}^{P} g_k, \qquad
        g_i = \nabla_w \frac{1}{b} \sum_{j \in \text{minibatch } i} \ell(w; x_j, y_j)

    The scale is that of the *mean* loss of a minibatch, as SGD steps along it. The mean gradient is formed in float64,
    and a coordinate with the same gradient in all minibatches (a dead unit's weights) gives exact zeros.

    The model is left as :func:`tailnoise_utils.noise.gradient.gradient` found it. Memory: the matrix and one gradient.

    Args:
        model: the network.
        loss_fn: mean loss of a minibatch from the model's outputs and ``y``, such as
            ``torch.nn.functional.cross_entropy``.
        batches: the minibatches, such as :class:`~tailnoise_utils.noise.minibatches.Minibatches` or a
            ``DataLoader``: an iterable that can be gone through again.
        mode: ``"eval"`` or ``"train"``: whether dropout is on, and which statistics batch normalisation takes.
        seed: of the dropout masks.

    Returns:
        The noise, one row a minibatch in the order of ``batches``; a row holds the trainable parameters in the order of
        ``model.parameters()``, each flattened row-major. A parameter that the loss does not reach has zeros.

    Raises:
        ValueError: as :func:`tailnoise_utils.noise.gradient.gradients`; fewer than two minibatches, or an iterator that
            can be gone through only once.
        FloatingPointError: if a gradient holds NaN or infinity.
    """
    with private_randomness(trainable(model)[0].device):  # going through a DataLoader draws from it too
        P = count(batches)
        return centre(stack(gradients(model, loss_fn, batches, mode=mode, seed=seed), P))


def stack(found: Iterable[Gradient], P: int) -> Float[Tensor, "P p"]:
    """Put gradients into a matrix as they come.

    Args:
        found: the gradients; each is emptied.
        P: how many will come.

    Returns:
        The gradients, one row a minibatch.

    Raises:
        ValueError: another number of gradients.
    """
    matrix, i = None, -1
    for i, one in enumerate(found):
        if matrix is None:
            matrix = one.parts[0].new_empty(P, sum(part.numel() for part in one.parts), dtype=one.dtype)
        if i < P:
            one.flat(out=matrix[i])
    check_count(i + 1, P)
    return matrix


def check_count(found: int, P: int) -> None:
    """Refuse minibatches that are more or fewer than they were said to be.

    Args:
        found: how many came.
        P: how many were counted.

    Raises:
        ValueError: the two differ.
    """
    if found != P:
        raise ValueError(
            f"{P} minibatches were counted, but going through them gave {found}: give batches that are the same each time"
        )


def count(batches: Iterable[Any]) -> int:
    """Number of minibatches, by one look through them where they have no length.

    Args:
        batches: the minibatches.

    Returns:
        Their number, P.

    Raises:
        ValueError: no minibatches but one pair of whole arrays, a text, a number, a data set of samples; fewer than two; an
            iterator that can be gone through only once; or a ``DataLoader`` whose last minibatch would be smaller: the
            message names the nearest sizes that divide the data.
    """
    if problem := _problem(batches):
        raise ValueError(
            f"batches, of type {type(batches).__name__}, {problem}: give minibatches of one size, as a list of pairs "
            "(x, y), a DataLoader or Minibatches(x, y, batch_size, seed=0)"
        )
    if isinstance(batches, DataLoader) and batches.batch_size and not batches.drop_last:
        with suppress(TypeError):  # a stream has no length
            _check_loader(len(batches.dataset), batches.batch_size)
    try:
        P = len(batches)
    except TypeError:
        P = sum(1 for _ in batches)
    if P < 2:
        raise ValueError(f"{P} minibatch(es), but noise is a difference between them: give two or more")
    return P


def _problem(batches: Any) -> str:
    """Why this cannot be gone through as minibatches, more than once; "" if it can."""
    if isinstance(batches, Iterator):
        return "can be gone through only once"
    if isinstance(batches, str | bytes | Mapping) or not any(hasattr(batches, x) for x in ("__iter__", "__getitem__")):
        return "holds no minibatches"
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        return "holds samples, not minibatches"
    # Two minibatches without targets look like that too, but their noise is one vector and its negative: no loss.
    if isinstance(batches, tuple | list) and [isinstance(x, Tensor | np.ndarray) for x in batches] == [True, True]:
        return f"is a pair of whole arrays of shapes {tuple(batches[0].shape)} and {tuple(batches[1].shape)}"
    return ""


def _check_loader(n: int, batch_size: int) -> None:
    """Refuse minibatches of different sizes before any gradient is taken."""
    try:
        check_batch_size(n, batch_size, fewest=2)
    except ValueError as error:
        raise ValueError(f"{error}; or leave the others out with drop_last=True") from error


def centre(matrix: Float[Tensor, "P p"]) -> Float[Tensor, "P p"]:
    """Subtract the mean of the rows in place, a block of columns at a time in float64.

    Where a gradient is far smaller than the mean, what is left of it is minus the mean but for the last digits, and few of
    its own are kept: differences between rows are better taken before.

    Args:
        matrix: one gradient a row; the noise afterwards.

    Returns:
        The same matrix.
    """
    width = max(1, CHUNK // len(matrix))
    # One copy for all blocks: on fresh memory for each, page faults cost more than the arithmetic.
    copy = matrix.new_empty(len(matrix), min(width, matrix.shape[1]), dtype=torch.float64)
    for block in matrix.split(width, dim=1):
        rows = copy[:, : block.shape[1]].copy_(block)
        rows -= rows[0].clone()  # exactly zero where all rows agree, and so then is the mean
        rows -= rows.mean(0)
        block.copy_(rows)
    return matrix
