"""The ways of doing something that ``cost`` measures: each a function that prepares it, and returns what is timed."""

import copy
import math
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import levy_stable
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Samples

from tailnoise_utils import diagnosis, stable
from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise.gradient import Loss, gradients
from tailnoise_utils.noise.matrix import centre, noise_matrix, stack
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.noise.parameters import slices, units
from tailnoise_utils.tail_index import mohammadi

from ..networks import data, models
from ..networks.snapshots import TrainSpec
from ..networks.stacked import train_stacked
from ..networks.train import train
from .cost_spec import PASSES

__all__ = ["IMPORTS", "SAMPLERS", "WAYS", "Problem", "Work"]

Work = Callable[[], Any]  # may return a noise matrix, or the published 1/alpha^ of it
_TOGETHER = 10  # minibatches whose gradients vmap takes at a time
_BYTES = 2**28  # of the gradients of single samples that are there at a time
_INDEX = 1.5  # of the stable samples
_EPSILON = 2.2204e-16  # of the published estimate


@dataclass
class Problem:
    """A network at its initial weights, and minibatches."""

    spec: TrainSpec
    data: data.Dataset

    @cached_property
    def model(self) -> nn.Module:
        """The network."""
        return self.spec.build()

    @property
    def loss(self) -> Loss:
        """Its loss."""
        return models.LOSSES[self.spec.loss]

    @property
    def batches(self) -> Minibatches:
        """The partition that all ways measure on, in data order: the published procedure has no other."""
        return Minibatches(self.data.x_train, self.data.y_train, self.spec.batch_size, order="data")

    @property
    def cut(self) -> list[tuple[Tensor, Tensor]]:
        """The same, as views of the data."""
        b = self.spec.batch_size
        return list(zip(self.data.x_train.split(b), self.data.y_train.split(b), strict=True))

    def noise(self) -> Tensor:
        """The noise matrix."""
        return noise_matrix(self.model, self.loss, self.batches)

    def raw(self) -> Tensor:
        """The gradients that it is made of."""
        return stack(gradients(self.model, self.loss, self.batches), len(self.batches))


def _training(problem: Problem, *, networks: int = 1, stacked: bool = False, threads: int = 1) -> Work:
    """An epoch of networks with seeds of their own, from their initial weights on, one after another or together."""
    spec, images = problem.spec, problem.data
    seeds = range(spec.seed, spec.seed + networks)
    initial = [replace(spec, seed=seed).build() for seed in seeds]
    names = ("batch_size", "lr", "schedule", "order", "iterations")
    how = {name: getattr(spec, name) for name in names} | {"snapshots": ()}

    def work() -> list[nn.Module]:
        trained = copy.deepcopy(initial)
        torch.set_num_threads(threads)
        if stacked:
            list(train_stacked(trained, [problem.loss] * networks, images, seeds=seeds, **how))
        else:
            for network, seed in zip(trained, seeds, strict=True):
                list(train(network, problem.loss, images, seed=seed, **how))
        torch.set_num_threads(1)  # at which the rate is taken
        return trained

    return work


def _training_in_processes(problem: Problem, *, networks: int) -> Work:
    """The same, each network in a process of its own that is there already, all at a time."""
    spec, fork = problem.spec, multiprocessing.get_context("fork")
    ours: list[Connection] = []
    for k in range(networks):
        one = _training(replace(problem, spec=replace(spec, seed=spec.seed + k)))
        here, there = fork.Pipe()
        ours.append(here)
        fork.Process(target=_serve, args=(one, there, ours), daemon=True).start()
        there.close()

    def work() -> None:
        for connection in ours:
            connection.send("again")
        for connection in ours:
            connection.recv()

    return work


def _serve(work: Work, connection: Connection, others: list[Connection]) -> None:
    """Do it whenever the parent asks, until it is gone."""
    for other in others:  # or this process would keep them open
        other.close()
    with suppress(EOFError):
        while connection.recv():
            work()
            connection.send("done")


def _bare(problem: Problem) -> Work:
    """Forwards and backwards over all minibatches, and nothing kept."""
    batches, weights = problem.cut, list(problem.model.parameters())
    problem.model.eval()

    def work() -> None:
        for x, y in batches:
            torch.autograd.grad(problem.loss(problem.model(x), y), weights)

    return work


def _clean(problem: Problem) -> Work:
    noise = problem.noise()
    return lambda: mohammadi(noise)


def _published(problem: Problem) -> Work:
    noise = problem.noise()
    return lambda: mohammadi(noise, convention="published").inverse


def _anatomy(problem: Problem) -> Work:
    raw = problem.raw()
    return lambda: diagnosis.anatomy(raw, centred=False)


def _anatomy_of_layers(problem: Problem) -> Work:
    raw, model = problem.raw(), problem.model
    return lambda: diagnosis.anatomy(raw, centred=False, groups=slices(model), units=units(model))


def _measure(problem: Problem, **options: Any) -> Work:
    return lambda: measure(problem.model, problem.loss, problem.batches, **options).published.inverse


class _Images(Samples):
    """Images that are converted and normalised one by one, as torchvision's transforms do but for their checks."""

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


def _published_procedure(problem: Problem, *, loaded: bool) -> Work:
    """What the paper's code is said to do: images one by one, all gradients, their noise and its vector all kept."""
    loader = problem.cut if loaded else DataLoader(_Images(problem.data), problem.spec.batch_size, shuffle=False)
    model = copy.deepcopy(problem.model).to(memory_format=torch.contiguous_format).eval()

    def work() -> float:
        found = []
        for x, y in loader:
            model.zero_grad()
            problem.loss(model(x), y).backward()
            found.append(torch.cat([w.grad.reshape(-1) for w in model.parameters()]))
        full = sum(found) / len(found)
        noise = [one - full for one in found]
        return _two_means(torch.cat(noise))

    return work


def _two_means(X: Tensor) -> float:
    """The published 1/alpha^ of all entries in one vector."""
    K1 = next(k for k in range(math.isqrt(len(X)), 0, -1) if len(X) % k == 0)
    Y = X.view(-1, K1).sum(1)
    return float((Y.abs() + _EPSILON).log().mean() - (X.abs() + _EPSILON).log().mean()) / math.log(K1)


def _functional(problem: Problem) -> tuple[dict[str, Tensor], Callable[..., dict[str, Tensor]]]:
    """The weights, and the gradient as a function of weights, x and y."""
    model = problem.model.eval()
    weights = {name: w.detach() for name, w in model.named_parameters()}
    return weights, torch.func.grad(lambda w, x, y: problem.loss(torch.func.functional_call(model, w, (x,)), y))


def _rows_of(found: dict[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten(1) for part in found.values()], 1)


def _vmap(problem: Problem) -> Work:
    """The gradients of some minibatches at a time."""
    weights, gradient = _functional(problem)
    x, y, b = problem.data.x_train, problem.data.y_train, problem.spec.batch_size
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
    together = max(1, min(problem.spec.batch_size, _BYTES // (4 * sum(w.numel() for w in weights.values()))))

    def mean(x: Tensor, y: Tensor) -> Tensor:
        chunks = zip(x.split(together), y.split(together), strict=True)
        return sum(_rows_of(one(weights, *chunk)).sum(0) for chunk in chunks) / len(x)

    return lambda: centre(torch.stack([mean(x, y) for x, y in problem.batches]))


WAYS: dict[str, Callable[[Problem], Work]] = {
    "training": _training,
    "training, seeds in turn": partial(_training, networks=PASSES["training, seeds in turn"]),
    "training, seeds stacked": partial(_training, networks=PASSES["training, seeds stacked"], stacked=True),
    "training, two threads": partial(_training, networks=PASSES["training, two threads"], threads=2),
    "training, two processes": partial(_training_in_processes, networks=PASSES["training, two processes"]),
    "bare loop": _bare,
    "noise matrix": lambda problem: problem.noise,
    "alpha^, clean": _clean,
    "alpha^, published": _published,
    "anatomy": _anatomy,
    "anatomy, by layer": _anatomy_of_layers,
    "measure": partial(_measure, method="matrix", anatomy=False),
    "measure, streaming": partial(_measure, method="streaming", anatomy=False),
    "measure, with anatomy": partial(_measure, method="matrix"),
    "published procedure": partial(_published_procedure, loaded=False),
    "published procedure, images in memory": partial(_published_procedure, loaded=True),
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


def _import(of: str) -> None:
    """Import modules in a process of its own."""
    subprocess.run([sys.executable, "-c", f"import {of}"], check=True)


IMPORTS: dict[str, Work] = {
    "import torch": partial(_import, "torch"),
    "import tailnoise_utils": partial(_import, "torch, tailnoise_utils"),
    "import tailnoise_utils.measurement.one_call": partial(_import, "torch, tailnoise_utils.measurement.one_call"),
}
