"""Plain stochastic gradient descent, as the paper trains: no momentum, no weight decay."""

import math
from collections.abc import Callable, Collection, Iterator

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn

from tailnoise_utils.noise.minibatches import check_batch_size
from tailnoise_utils.noise.parameters import trainable
from tailnoise_utils.noise.torch_state import as_found, private_randomness, seed_generators

from .data import Dataset

_CHOICES = {"schedule": ("constant", "halved"), "order": ("random", "data")}
_CHUNK = 1000  # samples evaluated at a time: their activations stay small


class Diverged(RuntimeError):
    """The loss or the weights became infinite or NaN."""


def sgd(
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
    horizon: int | None = None,
    look: int | None = None,
) -> Iterator[int]:
    r"""Train a model in place by :math:`w \leftarrow w - \eta\, g(w)`, pausing at the points where it is to be measured.

    Settings are those of :class:`tailnoise_utils.study.networks.snapshots.PaperTrainSpec`; g is the gradient of the mean
    loss of a minibatch, in training mode. Step t depends on the weights, `seed` and t alone (dropout masks included): a
    run that is taken up again after `start` steps ends bit for bit where an unbroken one does. What comes is the number of
    steps taken, at each of `snapshots` and where training stops: measure the model there, and do not change its weights.
    """
    x, y = data.x_train, data.y_train
    check_batch_size(len(x), batch_size)
    _check(lr, iterations, snapshots, start, schedule=schedule, order=order)
    parameters = trainable(model)
    horizon = iterations if horizon is None else horizon
    if horizon < iterations or (look is not None and look < 1):
        raise ValueError(
            f"horizon = {horizon}, look = {look}: take a horizon of {iterations} or more, a look of 1 or more"
        )
    advice = f"at lr = {lr:g}: try {lr / 10:g} or less"
    device = parameters[0].device
    batches = _minibatches(len(x), batch_size, None if order == "data" else seed, start, x.device)
    done, told = start, -1
    for point in sorted({*snapshots, iterations}):
        if point < start:
            continue
        stopped = False
        with private_randomness(device):
            model.train()
            for iteration, batch in zip(range(done, point), batches, strict=False):
                if stopped := bool(look) and iteration % look == 0 and _fits(model, x, y):
                    break
                seed_generators(seed, iteration, device)
                loss = loss_fn(model(x.index_select(0, batch)), y.index_select(0, batch))
                if not loss.isfinite():
                    raise Diverged(f"the loss is {loss.item()} after {iteration} iterations {advice}")
                gradient = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
                halvings = 0 if schedule == "constant" else 3 * iteration // horizon
                with torch.no_grad():
                    for w, g in zip(parameters, gradient, strict=True):
                        w.sub_(g, alpha=lr / 2**halvings)
                each(iteration + 1)
        done = iteration if stopped else point
        if not all(bool(w.isfinite().all()) for w in parameters):
            raise Diverged(f"some weights are NaN or infinite after {done} iterations {advice}")
        if (stopped or done in snapshots) and done != told:  # it may stop where it has just paused
            told = done
            yield done
        if stopped:
            return


def _check(lr: float | int, iterations: int, snapshots: Collection[int], start: int, **chosen: str) -> None:
    """Refuse settings that do not fit."""
    if not 0 < lr < math.inf:
        raise ValueError(f"lr = {lr}: the step size must be positive and finite, such as 0.1")
    if iterations < 0:
        raise ValueError(f"iterations = {iterations}: take 0 or more")
    if fractions := [point for point in snapshots if point != int(point)]:
        raise ValueError(f"snapshots {fractions} are no whole numbers of iterations: give integers")
    if outside := sorted(point for point in snapshots if not 0 <= point <= iterations):
        raise ValueError(f"snapshots {outside} lie outside the run: take points from 0 to iterations = {iterations}")
    if not 0 <= start <= iterations:
        raise ValueError(f"start = {start} lies outside the run: take 0 to iterations = {iterations}")
    for name, value in chosen.items():
        if value not in _CHOICES[name]:
            raise ValueError(f"unknown {name} {value!r}: take one of {', '.join(_CHOICES[name])}")


def _minibatches(
    n: int, batch_size: int, seed: int | None, start: int, device: torch.device
) -> Iterator[Int64[Tensor, " b"]]:
    """Yield minibatches without end from step `start` on; each epoch permutes the samples anew (seed None: data order)."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)  # on the CPU: the same everywhere
    epoch, first = divmod(start, n // batch_size)
    for _ in range(epoch if generator else 0):
        torch.randperm(n, generator=generator)
    while True:
        samples = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        yield from samples.view(-1, batch_size)[first:].to(device)
        first = 0


@torch.no_grad()
def _fits(model: nn.Module, x: Shaped[Tensor, "n ..."], y: Int64[Tensor, " n"]) -> bool:
    """Tell whether every sample is classified correctly, looking no further than the first chunk with one that is not."""
    with as_found(model):
        model.eval()
        pairs = zip(x.split(_CHUNK), y.split(_CHUNK), strict=True)
        return all(bool((model(inputs).argmax(1) == classes).all()) for inputs, classes in pairs)


@torch.no_grad()
def evaluate(
    model: nn.Module, loss_fn: Callable[[Tensor, Tensor], Tensor], x: Shaped[Tensor, "n ..."], y: Int64[Tensor, " n"]
) -> tuple[float, float]:
    """Compute mean loss and accuracy over all the samples given, in eval mode; the model's mode stays as it was."""
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
