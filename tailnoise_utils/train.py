"""Plain stochastic gradient descent, as the paper trains: fixed step size, no momentum, no weight decay."""

import math
from collections.abc import Callable, Collection, Iterator
from itertools import islice

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn

from tailnoise_utils.data import Dataset
from tailnoise_utils.minibatches import check_batch_size

__all__ = ["Diverged", "evaluate", "train"]

_CHUNK = 1000  # samples evaluated at a time: their activations stay small


class Diverged(RuntimeError):
    """The loss or the weights became infinite or NaN."""


def train(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    data: Dataset,
    *,
    batch_size: int,
    lr: float | int,
    iterations: int,
    snapshots: Collection[int],
    seed: int,
) -> Iterator[int]:
    r"""Train a model in place, pausing at the points where it is to be measured.

    One iteration is :math:`w \leftarrow w - \eta\, g(w)`, with :math:`g` the gradient of the mean loss of a minibatch.
    Minibatches are drawn without replacement; the training images are shuffled anew for each epoch.

    Nothing runs until the result is iterated over, and training goes on when the next point is asked for. At a pause
    the model holds the weights of that iteration: measure or copy them, and do not change them.

    Args:
        model: the network, used in the mode it is in.
        loss_fn: mean loss of a minibatch from the model's outputs and the classes.
        data: the data set; its training half is used.
        batch_size: samples in a minibatch; it must divide the number of training images.
        lr: step size :math:`\eta`.
        iterations: number of steps.
        snapshots: the iterations to pause at, 0 (before the first step) to ``iterations``, in any order.
        seed: of the shuffling.

    Yields:
        The number of steps taken, at each of ``snapshots`` in ascending order.

    Raises:
        ValueError: for settings that do not fit (when the first point is asked for).
        Diverged: if the loss, or a weight at a snapshot or at the end, is NaN or infinite; what came before stays good.
    """
    x, y = data.x_train, data.y_train
    check_batch_size(len(x), batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr = {lr}: the step size must be positive and finite, such as 0.1")
    if iterations < 0:
        raise ValueError(f"iterations = {iterations}: take 0 or more")
    outside = sorted(point for point in snapshots if not 0 <= point <= iterations)
    if fractions := [point for point in snapshots if point != int(point)]:
        raise ValueError(f"snapshots {fractions} are no whole numbers of iterations: give integers")
    if outside:
        raise ValueError(f"snapshots {outside} lie outside the run: take points from 0 to iterations = {iterations}")
    points = set(snapshots)
    advice = f"at lr = {lr:g}: try {lr / 10:g} or less"

    parameters = [w for w in model.parameters() if w.requires_grad]
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no trainable parameter: call requires_grad_() on some")
    if 0 in points:
        yield 0
    for iteration, batch in enumerate(islice(_shuffled(len(x), batch_size, seed, x.device), iterations), start=1):
        loss = loss_fn(model(x.index_select(0, batch)), y.index_select(0, batch))
        if not loss.isfinite():
            raise Diverged(f"the loss is {loss.item()} after {iteration - 1} iterations {advice}")
        gradient = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            for w, g in zip(parameters, gradient, strict=True):
                w.sub_(g, alpha=lr)
        pause = iteration in points
        if (pause or iteration == iterations) and not all(w.isfinite().all() for w in parameters):
            raise Diverged(f"some weights are NaN or infinite after {iteration} iterations {advice}")
        if pause:
            yield iteration


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Shaped[Tensor, "n ..."],
    y: Int64[Tensor, " n"],
) -> tuple[float, float]:
    """Mean loss and accuracy over all the samples given.

    Args:
        model: the network, used in the mode it is in; its outputs are one score per class.
        loss_fn: mean loss of several samples from the model's outputs and the classes.
        x: inputs.
        y: classes.

    Returns:
        The mean loss, and the share (0 to 1) of samples whose own class has the highest score. Sums are in float64.

    Raises:
        ValueError: if there is no sample.
    """
    if not len(x):
        raise ValueError("0 samples have no mean loss: give one or more")
    loss, hits = 0.0, 0
    for inputs, classes in zip(x.split(_CHUNK), y.split(_CHUNK), strict=True):
        outputs = model(inputs)
        loss += loss_fn(outputs, classes).item() * len(inputs)
        hits += int((outputs.argmax(1) == classes).sum())
    return loss / len(x), hits / len(x)


def _shuffled(n: int, batch_size: int, seed: int, device: torch.device) -> Iterator[Int64[Tensor, " b"]]:
    """Minibatches without end, each epoch a new permutation of the samples, drawn on the CPU: the same everywhere."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(n, generator=generator).view(-1, batch_size).to(device)
