r"""Minibatch gradient noise.

For a loss :math:`f(w)` averaged over :math:`n` samples and :math:`P = n / b` disjoint minibatches of :math:`b` samples,
the noise of minibatch :math:`i` at the weights :math:`w` is :math:`U_i = g_i - \bar g`: the gradient of its own mean
loss less the mean of all :math:`P` of them, which is the full gradient :math:`\nabla f(w)` (Simsekli, Sagun and
Gurbuzbalaban, arXiv:1901.06053).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

__all__ = ["check_batch_size", "minibatches", "noise_matrix"]

_BLOCK = 2**17  # entries centred at a time: their float64 copy, 1 MB, stays in the processor's cache


def check_batch_size(n: int, batch_size: int, *, fewest: int = 1) -> None:
    """Check that minibatches of one size make up all the samples.

    Args:
        n: number of samples.
        batch_size: number of samples in a minibatch.
        fewest: least number of minibatches that is of use: 1 to train, 2 to measure noise.

    Raises:
        ValueError: if ``batch_size`` is below 1, does not divide ``n`` or leaves fewer than ``fewest`` minibatches; the
            message names the nearest sizes that will do.
    """
    if n < fewest:
        raise ValueError(f"{n} samples do not make {fewest} minibatches: give {fewest} samples or more")
    if batch_size >= 1 and n % batch_size == 0 and n // batch_size >= fewest:
        return
    sizes = [size for size in range(1, n // fewest + 1) if n % size == 0]
    below = [size for size in sizes if size < batch_size][-1:]
    above = [size for size in sizes if size > batch_size][:1]
    nearest = " or ".join(map(str, below + above))
    if batch_size < 1:
        problem = "is below 1"
    elif batch_size > n:
        problem = f"is larger than the number of samples, {n}"
    elif n % batch_size:
        problem = f"does not divide the number of samples, {n}"
    else:
        problem = f"leaves fewer than {fewest} minibatches of {n} samples"
    raise ValueError(f"batch_size = {batch_size} {problem}: the nearest size that will do is {nearest}")


def minibatches(n: int, batch_size: int, *, order: str = "random", seed: int | None = None) -> Int64[Tensor, "P b"]:
    """Partition the samples into the minibatches over which noise is measured.

    Args:
        n: number of samples.
        batch_size: samples in a minibatch, ``b``; it must divide ``n`` and leave two minibatches or more.
        order: ``"random"``, a seeded permutation of the samples, or ``"data"``, the samples as they come.
        seed: of the permutation; not used in data order. Training with the same seed visits these very minibatches in
            its first epoch, so measure with another one.

    Returns:
        Indices of the samples, one row a minibatch, ``P = n / b``: each of ``0 .. n - 1`` occurs once.

    Raises:
        ValueError: for an unknown order, a random one without a seed, or a ``batch_size`` that does not fit.
    """
    if order not in ("random", "data"):
        raise ValueError(f"unknown order {order!r} of the samples: the orders are random, data")
    check_batch_size(n, batch_size, fewest=2)
    if order == "data":
        return torch.arange(n).view(-1, batch_size)
    if seed is None:
        raise ValueError("seed = None, but a random order needs one: give an integer, or take order='data'")
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed)).view(-1, batch_size)


def noise_matrix(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Shaped[Tensor, "n ..."],
    y: Shaped[Tensor, "targets ..."],
    batches: Int64[Tensor, "P b"],
) -> Float[Tensor, "P p"]:
    r"""Gradient noise of every minibatch at the model's present weights.

    .. math:: U_i = g_i - \frac{1}{P} \sum_{k=1}^{P} g_k, \qquad
        g_i = \nabla_w \frac{1}{b} \sum_{j \in \text{minibatch } i} \ell(w; x_j, y_j)

    The scale is that of the *mean* loss of a minibatch, as SGD steps along it. The mean gradient is formed in float64,
    and a coordinate with the same gradient in all minibatches (a dead unit's weights) gives exact zeros.

    The model is used as it is: in the mode it is in (put a network with dropout or batch normalisation into the mode
    that is meant), and its weights and ``.grad`` are left alone. Memory: the matrix and one gradient.

    Args:
        model: the network.
        loss_fn: mean loss of a minibatch from the model's outputs and ``y``, such as
            ``torch.nn.functional.cross_entropy``.
        x: inputs of all samples.
        y: targets of all samples.
        batches: indices of the samples, one row a minibatch, as `minibatches` gives them.

    Returns:
        The noise, one row a minibatch in the order of ``batches``; a row holds the trainable parameters in the order of
        ``model.parameters()``, each flattened row-major. A parameter that the loss does not reach has zeros.

    Raises:
        ValueError: if inputs and targets differ in number, the minibatches overlap or name samples that are not there,
            there are fewer than two minibatches, no trainable parameter, or none that the loss depends on
            (as inside ``torch.no_grad``).
        FloatingPointError: if a gradient holds NaN or infinity.
    """
    parameters = [w for w in model.parameters() if w.requires_grad]
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no trainable parameter: call requires_grad_() on some")
    if len(batches) < 2:
        raise ValueError(f"{len(batches)} minibatch(es), but noise is a difference between them: give two or more")
    if len(x) != len(y):
        raise ValueError(f"{len(x)} inputs and {len(y)} targets: give one target an input")
    flat = batches.reshape(-1)
    if (
        batches.ndim != 2
        or not flat.numel()
        or flat.min() < 0
        or flat.max() >= len(x)
        or flat.unique().numel() < len(flat)
    ):
        raise ValueError(
            f"batches of shape {tuple(batches.shape)} are not disjoint minibatches of the {len(x)} samples: take them "
            "from noise.minibatches"
        )
    noise = parameters[0].new_empty(len(batches), sum(w.numel() for w in parameters))
    for i, batch in enumerate(batches.to(x.device)):
        loss = loss_fn(model(x.index_select(0, batch)), y.index_select(0, batch))
        if not loss.requires_grad:
            raise ValueError(
                "the loss depends on no trainable parameter: do not detach the outputs, and leave torch.no_grad"
            )
        gradient = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        torch.cat([part.reshape(-1) for part in gradient], out=noise[i])
        if bad := _not_finite(noise[i]):
            raise FloatingPointError(
                f"{bad} of the {noise.shape[1]} entries of the gradient of minibatch {i} are NaN or infinite: "
                "weights or data are not finite, or training has diverged (take an earlier snapshot or a smaller lr)"
            )
    _centre(noise)
    return noise


def _not_finite(gradient: Float[Tensor, " p"]) -> int:
    """Number of entries that are NaN or infinite."""
    if gradient.sum().isfinite():  # one pass and no copy; a sum that overflows is told apart below
        return 0
    return int((~gradient.isfinite()).sum())


def _centre(matrix: Float[Tensor, "P p"]) -> None:
    """Subtract the mean of the rows in place, a block of columns at a time in float64."""
    width = max(1, _BLOCK // len(matrix))
    # One copy for all blocks: on fresh memory for each, page faults cost more than the arithmetic.
    copy = matrix.new_empty(len(matrix), min(width, matrix.shape[1]), dtype=torch.float64)
    for block in matrix.split(width, dim=1):
        rows = copy[:, : block.shape[1]].copy_(block)
        rows -= rows[0].clone()  # exactly zero where all rows agree, and so then is the mean
        rows -= rows.mean(0)
        block.copy_(rows)
