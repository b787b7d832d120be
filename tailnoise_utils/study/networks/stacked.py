"""Plain SGD of several networks of one architecture at once, for a GPU that small ones leave idle one by one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.dropout import _DropoutNd

from tailnoise_utils.noise.parameters import trainable

from .data import Dataset
from .steps import ADVICE, check, drawn, step_size

__all__ = ["stackable", "train_stacked"]

_WARM_UP = 3  # steps before the recording, by when whatever a GPU's libraries choose or allocate once is there
_Loss = Callable[[Tensor, Tensor], Tensor]


def train_stacked(
    networks: Sequence[nn.Module],
    loss_fns: Sequence[_Loss],
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
) -> Iterator[tuple[int, list[str]]]:
    """Train networks of one architecture together: parameters stacked, one batched product for all, each its own images.

    The steps of each network are those of :func:`tailnoise_utils.study.networks.train.train` with its loss and seed, up to the rounding of
    the products. On a CUDA device a step is recorded once as a CUDA graph and then replayed, so that the time to start its
    hundred kernels is spent once. No step asks the device for a number: that a loss is infinite is noted there, and read at
    the next pause.

    Args:
        networks: the networks, equal but for their weights, without dropout and buffers (those of batch normalisation).
        loss_fns: mean loss of a minibatch from the model's outputs and the classes, one a network. On a CUDA device
            it must not read values back.
        data: as :func:`~tailnoise_utils.study.networks.train.train`.
        batch_size: as :func:`~tailnoise_utils.study.networks.train.train`.
        lr: as :func:`~tailnoise_utils.study.networks.train.train`.
        iterations: as :func:`~tailnoise_utils.study.networks.train.train`.
        snapshots: as :func:`~tailnoise_utils.study.networks.train.train`.
        seeds: of the shuffling, one a network.
        schedule: as :func:`~tailnoise_utils.study.networks.train.train`.
        order: as :func:`~tailnoise_utils.study.networks.train.train`.
        start: as :func:`~tailnoise_utils.study.networks.train.train`.

    Yields:
        The number of steps taken, at each of ``snapshots`` in ascending order, and for each network "" or, once it has
        diverged, the message of :class:`~tailnoise_utils.study.networks.train.Diverged`: its weights are then of no use, the others go on.

    Raises:
        ValueError: as :func:`~tailnoise_utils.study.networks.train.train`; no networks, another number of losses or seeds than networks,
            or networks that cannot be stacked.
    """
    n, device = len(data.x_train), data.x_train.device
    check(n, batch_size, lr, iterations, snapshots, schedule, order, start)
    for what, given in (("losses", loss_fns), ("seeds", seeds)):
        if len(given) != len(networks):
            raise ValueError(f"{len(given)} {what} for {len(networks)} networks: give one each")
    if not networks:
        raise ValueError("0 networks: give one or more")
    trainable(networks[0])
    if not stackable(networks[0]):
        raise ValueError("networks with dropout or buffers cannot be stacked: train them one by one, with train")
    advice = ADVICE.format(lr, lr / 10)
    stack = _Stack(networks, loss_fns, data.x_train, data.y_train, batch_size, start)
    step = _Replayed(stack.step, device)
    orders = [None if order == "data" else seed for seed in seeds]
    batches = zip(*(drawn(n, batch_size, of, start, device) for of in orders), strict=True)
    done, ended = start, [""] * len(networks)
    for point in sorted({*snapshots, iterations}):
        if point < start:
            continue
        for iteration, batch in zip(range(done, point), batches, strict=False):
            torch.cat(batch, out=stack.chosen)
            stack.lr.fill_(step_size(lr, schedule, iteration, iterations))
            step()
        done = point
        for i, (network, at, loss) in enumerate(zip(networks, stack.at.tolist(), stack.wrong.tolist(), strict=True)):
            stack.unstack(i, network)
            if at >= 0:
                ended[i] = ended[i] or f"the loss is {loss} after {at} iterations {advice}"
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


class _Stack:
    """Networks side by side. A step works on tensors that stay where they are, as a recording of it has to.

    Attributes:
        chosen: indices of the images of the next step, of one network after another.
        lr: step size of the next step.
        at: the step at which the loss of a network was first infinite or NaN, -1 if it never was.
        wrong: that loss.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        loss_fns: Sequence[_Loss],
        x: Shaped[Tensor, "n ..."],
        y: Int64[Tensor, " n"],
        batch_size: int,
        start: int,
    ) -> None:
        one, count = networks[0], len(networks)
        self._losses, self._x, self._y = loss_fns, x, y
        self._weights, _ = stack_module_state(list(networks))
        self._moving = [w for w in self._weights.values() if w.requires_grad]
        self._outputs = vmap(lambda weights, images: functional_call(one, weights, (images,)))
        self._done = torch.tensor(start, device=x.device)
        self.chosen = torch.zeros(count * batch_size, dtype=torch.int64, device=x.device)
        self.lr = torch.zeros((), dtype=torch.float64, device=x.device)  # the weights keep their type beside one number
        self.at = torch.full((count,), -1, device=x.device)
        self.wrong = torch.zeros(count, device=x.device)

    def step(self) -> None:
        """Take the next step of all networks; nothing is asked of the device."""
        images, labels = (of.index_select(0, self.chosen).unflatten(0, (len(self.at), -1)) for of in (self._x, self._y))
        scores = self._outputs(self._weights, images)
        losses = torch.stack([of(*pair) for of, *pair in zip(self._losses, scores, labels, strict=True)])
        gradient = torch.autograd.grad(losses.sum(), self._moving, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            new = ~losses.isfinite() & (self.at < 0)
            self.at.copy_(self._done.where(new, self.at))
            self.wrong.copy_(losses.where(new, self.wrong))
            for w, g in zip(self._moving, gradient, strict=True):
                w.addcmul_(g, self.lr, value=-1)
            self._done += 1

    def unstack(self, i: int, network: nn.Module) -> None:
        """Copy the weights of one of the networks into it."""
        with torch.no_grad():
            for name, w in network.named_parameters():
                w.copy_(self._weights[name][i])


class _Replayed:
    """Something that is done again and again on the same tensors: on a CUDA device recorded once, then replayed."""

    def __init__(self, work: Callable[[], object], device: torch.device) -> None:
        self._work, self._device, self._times = work, device, 0
        self._graph, self._stream = None, _side(device) if device.type == "cuda" else None

    def __call__(self) -> None:
        """Do it."""
        if self._device.type != "cuda":
            self._work()
            return
        with torch.cuda.device(self._device):
            if self._times < _WARM_UP:
                self._aside()
            else:
                if self._graph is None:
                    self._record()
                self._graph.replay()
        self._times += 1

    def _aside(self) -> None:
        """Do it on the stream of the recording: on the default one nothing can be recorded."""
        usual = torch.cuda.current_stream()
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            self._work()
        usual.wait_stream(self._stream)

    def _record(self) -> None:
        """Record it, which does not do it."""
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._work()


@cache
def _side(device: torch.device) -> Any:
    """One stream a device for all recordings: cuBLAS keeps memory for each that it has seen."""
    return torch.cuda.Stream(device)
