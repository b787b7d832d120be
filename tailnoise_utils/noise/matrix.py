r"""Minibatch gradient noise.

For a loss :math:`f(w)` averaged over :math:`n` samples and :math:`P = n / b` disjoint minibatches of :math:`b` samples,
the noise of minibatch :math:`i` at the weights :math:`w` is :math:`U_i = g_i - \bar g`: the gradient of its own mean
loss less the mean of all :math:`P` of them, which is the full gradient :math:`\nabla f(w)` (Simsekli, Sagun and
Gurbuzbalaban, arXiv:1901.06053). It is made here and nowhere else: as a matrix by :func:`noise_matrix` and
:func:`centre`, row by row by :func:`mean_and_live` and :func:`noise_pieces`, of any one gradient by :func:`deviation`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

from tailnoise_utils.tail_index.logs import CHUNK

from .gradient import Gradient, Loss, gradients
from .minibatches import check_batch_size
from .parameters import trainable
from .torch_state import private_randomness


def noise_matrix(
    model: nn.Module, loss_fn: Loss, batches: Iterable[Any], *, mode: str = "eval", seed: int = 0
) -> Float[Tensor, "P p"]:
    r"""Compute the gradient noise of every minibatch at the model's present weights.

    .. math:: U_i = g_i - \frac{1}{P} \sum_{k=1}^{P} g_k, \qquad
        g_i = \nabla_w \frac{1}{b} \sum_{j \in \text{minibatch } i} \ell(w; x_j, y_j)

    The scale is that of the *mean* loss of a minibatch, as SGD steps along it. The mean gradient is formed in float64,
    and a coordinate with the same gradient in all minibatches (a dead unit's weights) gives exact zeros.

    The model is left unchanged, as by :func:`tailnoise_utils.noise.gradient.minibatch_gradient`. Memory: the matrix and
    one gradient.

    Args:
        model: the network.
        loss_fn: mean loss of a minibatch from the model's outputs and ``y``, such as
            ``torch.nn.functional.cross_entropy``.
        batches: the minibatches, such as :class:`~tailnoise_utils.noise.minibatches.Minibatches` or a
            ``DataLoader``: an iterable that can be gone through again.
        mode: ``"eval"`` or ``"train"``: whether dropout is on, and which statistics batch normalisation takes.
        seed: of the dropout masks.

    Returns:
        The noise, one row for each minibatch in the order of ``batches``; a row holds the trainable parameters in the order
        of ``model.parameters()``, each flattened row-major. A parameter that the loss does not reach has zeros.

    Raises:
        ValueError: as :func:`tailnoise_utils.noise.gradient.minibatch_gradient`; a loss that cannot be called, is a class
            instead of one of its objects, or says that it sums (an attribute ``reduction`` that is ``"sum"``, as torch's
            losses have it; a function that sums is not noticed); one pair of arrays or a data set of samples in place of
            minibatches, fewer than two or of different sizes, or an iterator that can be gone through only once.
        FloatingPointError: if a gradient holds NaN or infinity.
    """
    with private_randomness(trainable(model)[0].device):  # going through a DataLoader draws from it too
        P = count(batches)
        return centre(stack(gradients(model, loss_fn, batches, mode=mode, seed=seed), P))


def deviation(
    gradient: Float[Tensor, "*rows p"], mean: Float[Tensor, " p"], out: Float[Tensor, "*rows p"] | None = None
) -> Float[Tensor, "*rows p"]:
    """Return the noise of one gradient, or of one in each row: its difference from the mean gradient, in the wider type."""
    return torch.sub(gradient, mean, out=out)


def centre(matrix: Float[Tensor, "P p"]) -> Float[Tensor, "P p"]:
    """Subtract the mean of the rows in place, a block of columns at a time in float64, and return the same matrix."""
    # Rounding leaves few digits of a row that is far smaller than the mean: take differences between rows before this.
    width = max(1, CHUNK // len(matrix))
    # One copy for all blocks: on fresh memory for each, page faults cost more than the arithmetic.
    copy = matrix.new_empty(len(matrix), min(width, matrix.shape[1]), dtype=torch.float64)
    for block in matrix.split(width, dim=1):
        rows = copy[:, : block.shape[1]].copy_(block)
        rows -= rows[0].clone()  # exactly zero where all rows agree, and so then is the mean
        block.copy_(deviation(rows, rows.mean(0), out=rows))
    return matrix


def mean_and_live(arriving: Iterable[Gradient], P: int) -> tuple[Float64[Tensor, " p"], Bool[Tensor, " p"]]:
    """Take the mean of P gradients as they come, and mark the live coordinates: those not the same in all of them."""
    i = -1
    for i, gradient in enumerate(arriving):
        if i == 0:
            first = gradient.flat()
            sums, live = torch.zeros_like(first, dtype=torch.float64), torch.zeros_like(first, dtype=torch.bool)
        else:
            _add(gradient, first, sums, live)
    check_count(i + 1, P)
    for total, x0 in _chunks(sums, first):
        total.div_(P).add_(x0)
    return sums, live


def _add(gradient: Gradient, first: Float[Tensor, " p"], sums: Float64[Tensor, " p"], live: Bool[Tensor, " p"]) -> None:
    """Add a gradient's difference from the first one to the sums, and mark where the two differ."""
    for at, piece in gradient.pieces():
        for x, x0, total, differs in _chunks(piece, first[at], sums[at], live[at]):
            total += x.double() - x0
            differs |= x != x0


def noise_pieces(gradient: Gradient, mean: Float64[Tensor, " p"]) -> Iterator[Float[Tensor, " k"]]:
    """Cut the noise of one gradient into consecutive pieces; it is exactly zero at dead coordinates."""
    dtype = gradient.dtype
    for at, piece in gradient.pieces():
        noise = _noise(piece, mean[at], dtype)
        del piece  # keep no reference to a piece: memory
        yield noise
        del noise


def _noise(piece: Float[Tensor, " k"], mean: Float64[Tensor, " k"], dtype: torch.dtype) -> Float[Tensor, " k"]:
    """Make the noise of a piece in new memory: gradients may share theirs."""
    noise = torch.empty_like(piece, dtype=dtype)
    for out, x, of_mean in _chunks(noise, piece, mean):
        deviation(x, of_mean, out=out)
    return noise


def _chunks(*vectors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Cut vectors of one length into chunks at the same places."""
    return zip(*(vector.split(CHUNK) for vector in vectors), strict=True)


def stack(arriving: Iterable[Gradient], P: int) -> Float[Tensor, "P p"]:
    """Put P gradients into the rows of a matrix as they come; each is emptied."""
    matrix, i = None, -1
    for i, gradient in enumerate(arriving):
        if matrix is None:
            matrix = gradient.parts[0].new_empty(P, sum(part.numel() for part in gradient.parts), dtype=gradient.dtype)
        if i < P:
            gradient.flat(out=matrix[i])
    check_count(i + 1, P)
    return matrix


def check_count(seen: int, P: int) -> None:
    """Refuse minibatches that are more or fewer than were counted."""
    if seen != P:
        raise ValueError(
            f"{P} minibatches were counted, but going through them gave {seen}: give batches that are the same each time"
        )


def count(batches: Iterable[Any]) -> int:
    """Count the minibatches, by one look through them where they have no length; refuse what are none."""
    if problem := _problem(batches):
        raise ValueError(
            f"batches, of type {type(batches).__name__}, {problem}: give minibatches of one size, as a list of pairs "
            "(x, y), a DataLoader or Minibatches(x, y, batch_size, seed=0)"
        )
    if isinstance(batches, DataLoader) and batches.batch_size and not batches.drop_last:
        try:
            check_batch_size(len(batches.dataset), batches.batch_size, fewest=2)
        except TypeError:  # a stream has no length
            pass
        except ValueError as error:
            raise ValueError(f"{error}; or leave the others out with drop_last=True") from error
    try:
        P = len(batches)
    except TypeError:
        P = sum(1 for _ in batches)
    if P < 2:
        raise ValueError(f"{P} minibatch(es), but noise is a difference between them: give two or more")
    return P


def _problem(batches: Any) -> str:
    """Say why this cannot be gone through as minibatches, more than once; "" if it can."""
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
