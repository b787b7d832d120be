"""What one way of doing something costs: a program of its own, so that its memory is its own.

``python -m tailnoise_utils.specs._cost`` reads what to measure as JSON, and prints rows as JSON.
"""

import copy
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import levy_stable
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Samples

from .. import controls, data, snapshots, stable
from ..gradient import gradients
from ..measure import measure
from ..minibatches import Minibatches
from ..noise import centre, noise_matrix, stack
from ..parameters import slices, units
from ..snapshots import TrainSpec
from ..tail_index import mohammadi
from ..train import train, train_stacked
from .cost import STACKED

Work = Callable[[], Any]  # may return a noise matrix, or the published 1/alpha^ of it
_SIDE = 1024  # of the square matrices whose product gives the rate
_ENOUGH = 20.0  # seconds after which nothing is repeated any more
_TOGETHER = 10  # minibatches whose gradients vmap takes at a time
_BYTES = 2**28  # of the gradients of single samples that are there at a time
_INDEX = 1.5  # of the stable samples


@dataclass
class Problem:
    """A network at its initial weights, and minibatches."""

    model: nn.Module
    data: data.Dataset
    batch_size: int
    seed: int

    @property
    def batches(self) -> Minibatches:
        """The partition that all ways measure on, in data order: the published procedure has no other."""
        return Minibatches(self.data.x_train, self.data.y_train, self.batch_size, order="data")

    def noise(self) -> Tensor:
        """The noise matrix."""
        return noise_matrix(self.model, cross_entropy, self.batches)

    def raw(self) -> Tensor:
        """The gradients that it is made of."""
        return stack(gradients(self.model, cross_entropy, self.batches), len(self.batches))


def _training(problem: Problem) -> Work:
    """One epoch of plain SGD, from the initial weights on."""
    of = partial(train, problem.model, cross_entropy, problem.data, batch_size=problem.batch_size, lr=0.1)
    return lambda: list(of(iterations=len(problem.batches), snapshots=(), seed=problem.seed))


def _seeds(problem: Problem, *, stacked: bool) -> Work:
    """One epoch of each of some networks with orders of their own, one after another or together."""
    networks = [copy.deepcopy(problem.model) for _ in range(STACKED)]
    seeds = range(problem.seed, problem.seed + STACKED)
    how = {"batch_size": problem.batch_size, "lr": 0.1, "iterations": len(problem.batches), "snapshots": ()}

    def work() -> None:
        if stacked:
            list(train_stacked(networks, cross_entropy, problem.data, seeds=seeds, **how))
            return
        for network, seed in zip(networks, seeds, strict=True):
            list(train(network, cross_entropy, problem.data, seed=seed, **how))

    return work


def _bare(problem: Problem) -> Work:
    """Forwards and backwards over all minibatches, and nothing kept."""
    batches, weights = list(problem.batches), list(problem.model.parameters())
    problem.model.eval()

    def work() -> None:
        for x, y in batches:
            torch.autograd.grad(cross_entropy(problem.model(x), y), weights)

    return work


def _clean(problem: Problem) -> Work:
    noise = problem.noise()
    return lambda: mohammadi(noise)


def _published(problem: Problem) -> Work:
    noise = problem.noise()
    return lambda: mohammadi(noise, convention="published").inverse


def _anatomy(problem: Problem) -> Work:
    raw = problem.raw()
    return lambda: controls.anatomy(raw, centred=False)


def _anatomy_of_layers(problem: Problem) -> Work:
    raw, model = problem.raw(), problem.model
    return lambda: controls.anatomy(raw, centred=False, groups=slices(model), units=units(model))


def _measure(problem: Problem, **options: Any) -> Work:
    return lambda: measure(problem.model, cross_entropy, problem.batches, **options).published.inverse


class _Images(Samples):
    """Images that are converted and normalised one by one, as torchvision's transforms do."""

    def __init__(self, found: data.Dataset) -> None:
        kind = data.KINDS[found.name]
        self.mean, self.sd = (torch.tensor(of)[:, None, None] for of in (kind.mean, kind.sd))
        self.x = ((found.x_train * self.sd + self.mean) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        self.y = found.y_train.tolist()

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.x[i].squeeze())
        x = torch.from_numpy(np.array(picture, copy=True)).view(*self.x[i].shape).permute(2, 0, 1)
        return x.float().div(255).sub(self.mean).div(self.sd), self.y[i]


def _published_procedure(problem: Problem) -> Work:
    """What the paper's code is said to do: images one by one, all gradients, their noise and its vector all kept."""
    loader = DataLoader(_Images(problem.data), problem.batch_size, shuffle=False)
    problem.model.eval()

    def work() -> float:
        found = []
        for x, y in loader:
            problem.model.zero_grad()
            cross_entropy(problem.model(x), y).backward()
            found.append(torch.cat([w.grad.reshape(-1) for w in problem.model.parameters()]))
        full = sum(found) / len(found)
        noise = [one - full for one in found]
        return mohammadi(torch.cat(noise).view(len(noise), -1), convention="published").inverse

    return work


def _functional(problem: Problem) -> tuple[dict[str, Tensor], Callable[..., dict[str, Tensor]]]:
    """The weights, and the gradient as a function of weights, x and y."""
    model = problem.model.eval()
    weights = {name: w.detach() for name, w in model.named_parameters()}
    return weights, torch.func.grad(lambda w, x, y: cross_entropy(torch.func.functional_call(model, w, (x,)), y))


def _rows_of(found: dict[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten(1) for part in found.values()], 1)


def _vmap(problem: Problem) -> Work:
    """The gradients of some minibatches at a time."""
    weights, gradient = _functional(problem)
    x, y, b = problem.data.x_train, problem.data.y_train, problem.batch_size
    x, y = x.view(-1, b, *x.shape[1:]), y.view(-1, b)
    several = torch.func.vmap(gradient, in_dims=(None, 0, 0))

    def work() -> Tensor:
        chunks = zip(x.split(_TOGETHER), y.split(_TOGETHER), strict=True)
        return centre(torch.cat([_rows_of(several(weights, *chunk)) for chunk in chunks]))

    return work


def _each_sample(problem: Problem) -> Work:
    """The gradient of each sample, averaged over minibatches."""
    weights, gradient = _functional(problem)
    one = torch.func.vmap(lambda w, x, y: gradient(w, x[None], y[None]), in_dims=(None, 0, 0))
    together = max(1, min(problem.batch_size, _BYTES // (4 * sum(w.numel() for w in weights.values()))))

    def mean(x: Tensor, y: Tensor) -> Tensor:
        chunks = zip(x.split(together), y.split(together), strict=True)
        return sum(_rows_of(one(weights, *chunk)).sum(0) for chunk in chunks) / len(x)

    return lambda: centre(torch.stack([mean(x, y) for x, y in problem.batches]))


WAYS: dict[str, Callable[[Problem], Work]] = {
    "training": _training,
    "training, seeds in turn": partial(_seeds, stacked=False),
    "training, seeds stacked": partial(_seeds, stacked=True),
    "bare loop": _bare,
    "noise matrix": lambda problem: problem.noise,
    "alpha^, clean": _clean,
    "alpha^, published": _published,
    "anatomy": _anatomy,
    "anatomy, by layer": _anatomy_of_layers,
    "measure": partial(_measure, method="matrix", anatomy=False),
    "measure, streaming": partial(_measure, method="streaming", anatomy=False),
    "measure, with anatomy": partial(_measure, method="matrix"),
    "published procedure": _published_procedure,
    "vmap over minibatches": _vmap,
    "gradient of each sample": _each_sample,
}


def _plain(size: int, generator: np.random.Generator) -> np.ndarray:
    """The formula of Chambers, Mallows and Stuck as it is printed."""
    v, w = generator.uniform(-np.pi / 2, np.pi / 2, size), generator.exponential(size=size)
    power = (np.cos(v - _INDEX * v) / w) ** ((1 - _INDEX) / _INDEX)
    return np.sin(_INDEX * v) / np.cos(v) ** (1 / _INDEX) * power


SAMPLERS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "SaS samples": lambda size, generator: stable.sample(_INDEX, size, generator=generator),
    "SaS samples, NumPy": _plain,
    "SaS samples, scipy": lambda size, generator: levy_stable.rvs(_INDEX, 0.0, size=size, random_state=generator),
}


def _rate() -> float:
    """Operations a second of a float32 matrix product."""
    square, found = torch.randn(_SIDE, _SIDE), []
    for _ in range(6):
        start = time.perf_counter()
        square @ square
        found.append(time.perf_counter() - start)
    return 2 * _SIDE**3 / median(found[1:])


def _status(key: str) -> int:
    """Bytes that Linux says of this process: ``VmRSS``, in use, or ``VmHWM``, the most since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {key} in /proc/self/status")


def _measured(work: Work, replicates: int) -> Iterator[dict[str, Any]]:
    """Time it, and take the memory of the first time."""
    before = None
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
        before = _status("VmRSS")
    rates, result, spent = [_rate()], None, 0.0
    for k in range(replicates):
        result = None
        start = time.perf_counter()
        result = work()
        took = time.perf_counter() - start
        yield {"quantity": "seconds", "x": float(k), "value": took}
        if k == 0 and before is not None:
            yield {"quantity": "bytes", "value": float(_status("VmHWM") - before)}
        if (spent := spent + took) > _ENOUGH:
            break
    rates.append(_rate())
    yield {"quantity": "flop/s", "value": float(np.mean(rates))}
    if isinstance(result, Tensor):
        result = mohammadi(result, convention="published").inverse
    if isinstance(result, float):
        yield {"quantity": "1/alpha (published)", "value": result}


def main() -> None:
    """Measure one way of what is asked for on the standard input."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    asked = json.load(sys.stdin)
    if "size" in asked:
        sampler, size = SAMPLERS[asked["way"]], asked["size"]
        sampler(100, np.random.default_rng(0))  # libraries are loaded
        work: Work = partial(sampler, size, np.random.default_rng(asked["seed"]))
    else:
        spec = TrainSpec(**asked["train"])
        found = snapshots.images(spec.dataset, spec.n_train, spec.n_test)
        problem = Problem(spec.build(), found, spec.batch_size, spec.seed)
        x, y = next(iter(problem.batches))
        torch.autograd.grad(cross_entropy(problem.model(x), y), list(problem.model.parameters()))  # libraries, too
        work = WAYS[asked["way"]](problem)
    print(json.dumps(list(_measured(work, asked["replicates"]))))


if __name__ == "__main__":
    main()
