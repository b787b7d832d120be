"""What measuring costs: time in interleaved rounds of one process, peak memory in a process for each way."""

import ctypes
import math
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import stable
from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise.matrix import noise_matrix

from ..networks import data, models
from ..results import files
from .spec import Drawn, Progress, Row

Batches = list[tuple[Tensor, Tensor]]
_ROOT = Path(__file__).parents[3]
_PEAK = Path("/proc/self/clear_refs")  # Linux only
_M_MMAP_THRESHOLD = -3  # of malloc.h
_SHAPES = {"fcn": (1, 28, 28), "cnn": (3, 32, 32)}  # of MNIST and CIFAR-10
_CLASSES = 10
_INDEX = 1.5  # of the stable samples
_EPSILON = 2.2204e-16  # of the published estimate


def _plain_loop(model: nn.Module, batches: Batches) -> None:
    """Go forwards and backwards over all minibatches, and keep nothing."""
    weights = list(model.parameters())
    for x, y in batches:
        torch.autograd.grad(cross_entropy(model(x), y), weights)


def _published_procedure(model: nn.Module, batches: Batches) -> float:
    """Follow the paper's code: keep all gradients, all noise vectors, and one vector of all entries."""
    gradients = []
    for x, y in batches:
        model.zero_grad()
        cross_entropy(model(x), y).backward()
        gradients.append(torch.cat([w.grad.reshape(-1) for w in model.parameters()]))
    mean = sum(gradients) / len(gradients)
    noise = [gradient - mean for gradient in gradients]
    return _published_estimate(torch.cat(noise))


def _published_estimate(X: Tensor) -> float:
    """Return the published 1/alpha^ of the entries of a vector."""
    K1 = next(k for k in range(math.isqrt(len(X)), 0, -1) if len(X) % k == 0)
    Y = X.view(-1, K1).sum(1)
    return float((Y.abs() + _EPSILON).log().mean() - (X.abs() + _EPSILON).log().mean()) / math.log(K1)


def _measure(model: nn.Module, batches: Batches, **options: Any) -> float:
    """Measure as a user does."""
    return measure(model, cross_entropy, batches, **options).published.inverse


WAYS: dict[str, Callable[[nn.Module, Batches], Any]] = {
    "plain loop": _plain_loop,
    "noise matrix": lambda model, batches: noise_matrix(model, cross_entropy, batches),
    "published procedure": _published_procedure,
    "measure": partial(_measure, method="matrix", diagnosis=False),
    "measure, streaming": partial(_measure, method="streaming", diagnosis=False),
    "measure with diagnosis": partial(_measure, method="matrix"),
}


def _numpy_samples(size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw by the formula of Chambers, Mallows and Stuck as it is printed."""
    v, w = generator.uniform(-np.pi / 2, np.pi / 2, size), generator.exponential(size=size)
    power = (np.cos(v - _INDEX * v) / w) ** ((1 - _INDEX) / _INDEX)
    return np.sin(_INDEX * v) / np.cos(v) ** (1 / _INDEX) * power


def _scipy_samples(size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw by scipy."""
    from scipy.stats import levy_stable  # a second of import, needed only here

    return levy_stable.rvs(_INDEX, 0.0, size=size, random_state=generator)


SAMPLERS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "this package": lambda size, generator: stable.sample(_INDEX, size, generator=generator),
    "NumPy": _numpy_samples,
    "scipy": _scipy_samples,
}


def _import(statement: str) -> None:
    """Import modules in a new interpreter."""
    subprocess.run([sys.executable, "-c", statement], cwd=_ROOT, check=True)


@dataclass(frozen=True)
class _Timed(Drawn):
    """Do the same in several ways, one after another in each round; the first way is what the others are compared with."""

    ways: tuple[str, ...]  #: their names
    rounds: int  #: how often each is timed
    once: ClassVar[tuple[str, ...]] = ("seconds", "bytes")
    estimate: ClassVar[str] = ""  # the quantity that a way may return
    quick: ClassVar[bool] = False

    def alone(self) -> AbstractContextManager:
        """Hold this machine against other runs that take the time; other programs are not kept away."""
        return files.lock(data.cache_folder() / "cost")

    def rows(self, progress: Progress) -> list[Row]:
        """Return "seconds" of each way (scope) and round (x), the estimate that it gives, and "bytes" at its peak."""
        rows = self._memory()
        works = self._works()
        for k in range(self.rounds):
            for way, work in works.items():
                start = time.perf_counter()
                value = work()
                rows.append({"scope": way, "quantity": "seconds", "x": float(k), "value": time.perf_counter() - start})
                if k == 0 and isinstance(value, float):
                    rows.append({"scope": way, "quantity": self.estimate, "value": value})
                del value  # or it would be freed while the next way is timed
                progress(1 / self.rounds / len(works))
        return rows

    def _memory(self) -> list[Row]:
        """Take no peak."""
        return []


@dataclass(frozen=True)
class CostSpec(_Timed):
    """Measure the noise of a network at its initial weights, on random images of the shape of MNIST (CNN: CIFAR-10)."""

    model: str
    width: int
    depth: int
    batch_size: int
    minibatches: int
    seed: int
    estimate: ClassVar[str] = "1/alpha (published)"

    def again(self, path: Path) -> list[Row] | None:
        """Return the estimates for a small network, in seconds."""
        if self.model != "fcn" or self.width > 100:
            return None
        values = {way: work() for way, work in self._works().items()}
        rows = [{"scope": way, "quantity": self.estimate, "value": value} for way, value in values.items()]
        return [row for row in rows if isinstance(row["value"], float)]

    def problem(self) -> tuple[nn.Module, Batches]:
        """Return the network and the minibatches that all ways have."""
        generator = torch.Generator().manual_seed(self.seed)
        n, shape = self.batch_size * self.minibatches, _SHAPES[self.model]
        x, y = torch.randn(n, *shape, generator=generator), torch.randint(_CLASSES, (n,), generator=generator)
        if self.model == "fcn":
            network = models.fcn(math.prod(shape), self.width, self.depth, _CLASSES, seed=self.seed)
        else:
            network = models.cnn(self.width, _CLASSES, seed=self.seed)
        return network.eval(), list(zip(x.split(self.batch_size), y.split(self.batch_size), strict=True))

    def _works(self) -> dict[str, Callable[[], Any]]:
        model, batches = self.problem()
        _plain_loop(model, batches[:1])  # libraries are loaded when they are first used
        return {way: partial(WAYS[way], model, batches) for way in self.ways}

    def _memory(self) -> list[Row]:
        """Take each peak in a fork of a new process, which has the libraries and nothing else."""
        if not _PEAK.exists():
            return []
        code = "import pickle, sys; print(*pickle.load(sys.stdin.buffer)())"
        command, work = [sys.executable, "-c", code], pickle.dumps(self.peaks)
        done = subprocess.run(command, input=work, capture_output=True, cwd=_ROOT)
        if done.returncode:
            raise RuntimeError(f"the memory of {self} could not be taken: {done.stderr.decode()[-2000:]}")
        peaks = map(float, done.stdout.split())
        return [{"scope": way, "quantity": "bytes", "value": peak} for way, peak in zip(self.ways, peaks, strict=True)]

    def peaks(self) -> list[int]:
        """Return the peak of every way, each in a fork of this process."""
        torch.set_num_threads(1)  # others do not survive a fork
        with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
            return pool.map(self.peak, self.ways, chunksize=1)

    def peak(self, way: str) -> int:
        """Return the most bytes that a way has in use in this process, beyond those in use before it (Linux only)."""
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 2**16)  # large arrays that are freed are given back at once
        model, batches = self.problem()
        _plain_loop(model, batches[:1])  # the code of the libraries is in use before it, too
        _PEAK.write_text("5")  # count the peak anew
        before = _status("VmRSS")
        WAYS[way](model, batches)
        return _status("VmHWM") - before


@dataclass(frozen=True)
class CallCostSpec(_Timed):
    """Draw samples, or import modules."""

    kind: str  #: ``"samples"`` or ``"imports"``
    size: int  #: number of values
    seed: int  #: of them

    def _works(self) -> dict[str, Callable[[], Any]]:
        if self.kind == "imports":
            return {way: partial(_import, way) for way in self.ways}
        generator = np.random.default_rng(self.seed)
        works = {way: partial(SAMPLERS[way], self.size, generator) for way in self.ways}
        for work in works.values():
            work()  # libraries and tables are loaded when they are first used
        return works


def _status(key: str) -> int:
    """Return bytes of this process: ``VmRSS``, in use now, or ``VmHWM``, the most since it was counted anew."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def costs(profile: str) -> tuple[CostSpec | CallCostSpec, ...]:
    """Time and memory of a measurement for two FCNs and a CNN; time of samples and imports."""
    networks, rounds, size = [("fcn", 100, 3, 500, 40), ("fcn", 256, 4, 500, 40), ("cnn", 16, 0, 100, 20)], 3, 10**6
    if profile == "smoke":
        networks, rounds, size = [("fcn", 16, 3, 20, 16)], 1, 10**4
    calls = [CallCostSpec(tuple(SAMPLERS), 3 * rounds, "samples", size, 0)]
    if profile != "smoke":
        calls.append(CallCostSpec(("import torch", "import tailnoise_utils.measurement"), rounds, "imports", 1, 0))
    return *(CostSpec(tuple(WAYS), rounds, *network, 0) for network in networks), *calls
