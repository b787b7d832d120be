"""Plain stochastic gradient descent, as the paper trains: no momentum, no weight decay."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.dropout import _DropoutNd

from .data import Dataset
from .gradient import as_found, private_randomness, seed_torch
from .minibatches import check_batch_size
from .parameters import trainable

__all__ = ["ORDERS", "SCHEDULES", "Diverged", "evaluate", "stackable", "train", "train_stacked"]

SCHEDULES = ("constant", "halved")
ORDERS = ("random", "data")
_CHUNK = 1000  # samples evaluated at a time: their activations stay small
_ADVICE = "at lr = {:g}: try {:g} or less"


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
    schedule: str = "constant",
    order: str = "random",
    start: int = 0,
    each: Callable[[int], object] = lambda iteration: None,
) -> Iterator[int]:
    r"""Train a model in place, pausing at the points where it is to be measured.

    One iteration is :math:`w \leftarrow w - \eta\, g(w)`, with :math:`g` the gradient of the mean loss of a minibatch, in
    training mode. Minibatches are drawn without replacement; the training images are shuffled anew for each epoch.

    Step t depends on the weights, `seed` and t alone (dropout masks included: :func:`tailnoise_utils.gradient.seed_torch`),
    so that a run that is taken up again from stored weights ends bit for bit where an unbroken one does.

    Nothing runs until the result is iterated over, and training goes on when the next point is asked for. At a pause
    the model holds the weights of that iteration: measure or copy them, and do not change them.

    Args:
        model: the network.
        loss_fn: mean loss of a minibatch from the model's outputs and the classes.
        data: the data set; its training half is used.
        batch_size: samples in a minibatch; it must divide the number of training images.
        lr: step size :math:`\eta`.
        iterations: number of steps.
        snapshots: the iterations to pause at, 0 (before the first step) to ``iterations``, in any order; those before
            `start` are passed over.
        seed: of the shuffling and of dropout.
        schedule: of the step size, ``"constant"`` or ``"halved"`` (after one and two thirds of the run, as in the paper's
            batch script).
        order: ``"random"``, or ``"data"``: the same minibatches in data order in every epoch, as in the paper's code.
        start: number of steps that the weights in `model` have behind them.
        each: called after every step with the number of steps taken.

    Yields:
        The number of steps taken, at each of ``snapshots`` in ascending order.

    Raises:
        ValueError: for settings that do not fit (when the first point is asked for).
        Diverged: if the loss, or a weight at a snapshot or at the end, is NaN or infinite; what came before stays good.
    """
    x, y = data.x_train, data.y_train
    _check(len(x), batch_size, lr, iterations, snapshots, schedule, order, start)
    advice = _ADVICE.format(lr, lr / 10)
    parameters = trainable(model)

    device = parameters[0].device
    batches = _minibatches(len(x), batch_size, None if order == "data" else seed, start, x.device)
    done = start
    for point in sorted({*snapshots, iterations}):
        if point < start:
            continue
        with private_randomness(device):
            model.train()
            for iteration, batch in zip(range(done, point), batches, strict=False):
                seed_torch(seed, iteration, device)
                loss = loss_fn(model(x.index_select(0, batch)), y.index_select(0, batch))
                if not loss.isfinite():
                    raise Diverged(f"the loss is {loss.item()} after {iteration} iterations {advice}")
                gradient = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
                with torch.no_grad():
                    for w, g in zip(parameters, gradient, strict=True):
                        w.sub_(g, alpha=_step_size(lr, schedule, iteration, iterations))
                each(iteration + 1)
        done = point
        if not all(bool(w.isfinite().all()) for w in parameters):
            raise Diverged(f"some weights are NaN or infinite after {point} iterations {advice}")
        if point in snapshots:
            yield point


def train_stacked(
    networks: Sequence[nn.Module],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    data: Dataset,
    *,
    batch_size: int,
    lr: float | int,
    iterations: int,
    snapshots: Collection[int],
    seeds: Sequence[int],
    schedule: str = "constant",
    order: str = "random",
    start: int = 0,
    each: Callable[[int], object] = lambda iteration: None,
) -> Iterator[tuple[int, list[str]]]:
    """Train networks of one architecture together: parameters stacked, one batched product for all, each its own images.

    The steps of each network are those of :func:`train` with its seed, up to the rounding of the products. It is meant for
    a GPU, which small networks leave idle one by one.

    Args:
        networks: the networks, equal but for their weights, without dropout and buffers (those of batch normalisation).
        loss_fn: as :func:`train`.
        data: as :func:`train`.
        batch_size: as :func:`train`.
        lr: as :func:`train`.
        iterations: as :func:`train`.
        snapshots: as :func:`train`.
        seeds: of the shuffling, one a network.
        schedule: as :func:`train`.
        order: as :func:`train`.
        start: as :func:`train`.
        each: as :func:`train`.

    Yields:
        The number of steps taken, at each of ``snapshots`` in ascending order, and for each network "" or, once it has
        diverged, the message of :class:`Diverged`: its weights are then of no use, the others go on.

    Raises:
        ValueError: as :func:`train`; another number of seeds than networks, or networks that cannot be stacked.
    """
    x, y = data.x_train, data.y_train
    _check(len(x), batch_size, lr, iterations, snapshots, schedule, order, start)
    if len(seeds) != len(networks):
        raise ValueError(f"{len(seeds)} seeds for {len(networks)} networks: give one each")
    if not stackable(networks[0]):
        raise ValueError("networks with dropout or buffers cannot be stacked: train them one by one, with train")
    advice = _ADVICE.format(lr, lr / 10)
    weights, _ = stack_module_state(list(networks))
    moving = [w for w in weights.values() if w.requires_grad]
    outputs = vmap(lambda own, x: functional_call(networks[0], own, (x,)))
    orders = [None if order == "data" else seed for seed in seeds]
    batches = zip(*(_minibatches(len(x), batch_size, of, start, x.device) for of in orders), strict=True)
    done, ended = start, [""] * len(networks)
    at = torch.full((len(networks),), -1, device=x.device)  # the step with the first infinite loss, and that loss
    wrong = torch.zeros(len(networks), device=x.device)
    for point in sorted({*snapshots, iterations}):
        if point < start:
            continue
        for iteration, batch in zip(range(done, point), batches, strict=False):
            chosen = torch.stack(batch)
            scores = outputs(weights, x[chosen])
            losses = torch.stack([loss_fn(*of) for of in zip(scores, y[chosen], strict=True)])
            gradient = torch.autograd.grad(losses.sum(), moving, allow_unused=True, materialize_grads=True)
            with torch.no_grad():
                new = ~losses.isfinite() & (at < 0)
                at, wrong = at.where(~new, iteration), wrong.where(~new, losses)
                for w, g in zip(moving, gradient, strict=True):
                    w.sub_(g, alpha=_step_size(lr, schedule, iteration, iterations))
            each(iteration + 1)
        done = point
        for i, network in enumerate(networks):
            with torch.no_grad():
                for name, w in network.named_parameters():
                    w.copy_(weights[name][i])
            if at[i] >= 0:
                ended[i] = ended[i] or f"the loss is {wrong[i].item()} after {at[i].item()} iterations {advice}"
            elif not all(bool(w.isfinite().all()) for w in network.parameters()):
                ended[i] = ended[i] or f"some weights are NaN or infinite after {point} iterations {advice}"
        if point in snapshots:
            yield point, list(ended)


def stackable(network: nn.Module) -> bool:
    """Whether :func:`train_stacked` takes such networks.

    Args:
        network: one of them.

    Returns:
        Whether it has neither dropout, whose masks would be others than alone, nor buffers.
    """
    return not any(isinstance(module, _DropoutNd) or module._buffers for module in network.modules())


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Shaped[Tensor, "n ..."],
    y: Int64[Tensor, " n"],
) -> tuple[float, float]:
    """Mean loss and accuracy over all the samples given.

    Args:
        model: the network, evaluated in eval mode (and left in the mode it was in); its outputs are one score per class.
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
    with as_found(model):
        model.eval()
        for inputs, classes in zip(x.split(_CHUNK), y.split(_CHUNK), strict=True):
            outputs = model(inputs)
            loss += loss_fn(outputs, classes).item() * len(inputs)
            hits += int((outputs.argmax(1) == classes).sum())
    return loss / len(x), hits / len(x)


def _check(
    n: int,
    batch_size: int,
    lr: float | int,
    iterations: int,
    snapshots: Collection[int],
    schedule: str,
    order: str,
    start: int,
) -> None:
    """Refuse settings that do not fit, n being the number of training images."""
    check_batch_size(n, batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr = {lr}: the step size must be positive and finite, such as 0.1")
    if iterations < 0:
        raise ValueError(f"iterations = {iterations}: take 0 or more")
    outside = sorted(point for point in snapshots if not 0 <= point <= iterations)
    if fractions := [point for point in snapshots if point != int(point)]:
        raise ValueError(f"snapshots {fractions} are no whole numbers of iterations: give integers")
    if outside:
        raise ValueError(f"snapshots {outside} lie outside the run: take points from 0 to iterations = {iterations}")
    if not 0 <= start <= iterations:
        raise ValueError(f"start = {start} lies outside the run: take 0 to iterations = {iterations}")
    for name, value, known in (("schedule", schedule, SCHEDULES), ("order", order, ORDERS)):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}: take one of {', '.join(known)}")


def _step_size(lr: float | int, schedule: str, iteration: int, iterations: int) -> float | int:
    """The step size of a step, after its halvings."""
    return lr if schedule == "constant" else lr / 2 ** (3 * iteration // iterations)


def _minibatches(
    n: int, batch_size: int, seed: int | None, start: int, device: torch.device
) -> Iterator[Int64[Tensor, " b"]]:
    """Give minibatches without end from step `start` on, each epoch a new permutation of the samples (None: data order).

    Permutations are drawn on the CPU: the same everywhere.

    Yields:
        Indices of the samples of one minibatch.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    epoch, first = divmod(start, n // batch_size)
    for _ in range(epoch if generator else 0):
        torch.randperm(n, generator=generator)
    while True:
        samples = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        yield from samples.view(-1, batch_size)[first:].to(device)
        first = 0
