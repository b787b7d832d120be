"""What measuring costs: time in interleaved rounds of one process, peak memory in a process for each way."""

import ctypes
import json
import math
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.tail_index.blocks import PUBLISHED_EPSILON, largest_divisor

from ..networks import data, models
from .spec import Progress, Row, Spec

Batches = list[tuple[Tensor, Tensor]]
_ROOT = Path(__file__).parents[3]
_PEAK = Path("/proc/self/clear_refs")
_M_MMAP_THRESHOLD = -3  # of malloc.h


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
    X = torch.cat(noise)
    K1, epsilon = largest_divisor(len(X)), PUBLISHED_EPSILON
    Y = X.view(-1, K1).sum(1)
    return float((Y.abs() + epsilon).log().mean() - (X.abs() + epsilon).log().mean()) / math.log(K1)


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


@dataclass(frozen=True)
class CostSpec(Spec):
    """Measure the noise of a network at its initial weights in several ways, one after another in each round."""

    ways: tuple[str, ...]  #: their names
    rounds: int  #: how often each is timed
    model: str
    width: int
    depth: int
    batch_size: int
    minibatches: int
    seed: int
    once: ClassVar[tuple[str, ...]] = ("seconds", "bytes")

    def rows(self, progress: Progress) -> list[Row]:
        """Return "seconds" of each way (scope) and round (x), the estimate that it gives, and "bytes" at its peak."""
        rows = [{"scope": way, "quantity": "bytes", "value": peak} for way, peak in self._peaks().items()]
        model, batches = self.problem()
        _plain_loop(model, batches[:1])  # libraries are loaded when they are first used
        for k in range(self.rounds):
            for way in self.ways:
                start = time.perf_counter()
                value = WAYS[way](model, batches)
                rows.append({"scope": way, "quantity": "seconds", "x": float(k), "value": time.perf_counter() - start})
                if k == 0 and isinstance(value, float):
                    rows.append({"scope": way, "quantity": "1/alpha (published)", "value": value})
                del value  # or it would be freed while the next way is timed
                progress(1 / self.rounds / len(self.ways))
        return rows

    def again(self, path: Path) -> list[Row] | None:
        """Return the estimates for a small network, in seconds."""
        if self.model != "fcn" or self.width > 100:
            return None
        problem, estimates = self.problem(), [way for way in self.ways if way not in ("plain loop", "noise matrix")]
        values = {way: WAYS[way](*problem) for way in estimates}
        return [{"scope": way, "quantity": "1/alpha (published)", "value": value} for way, value in values.items()]

    def problem(self) -> tuple[nn.Module, Batches]:
        """Return the network and the minibatches that all ways have: random images of the shape of MNIST or CIFAR-10."""
        generator, n = torch.Generator().manual_seed(self.seed), self.batch_size * self.minibatches
        kind = data.KINDS["mnist" if self.model == "fcn" else "cifar10"]
        x, y = torch.randn(n, *kind.shape, generator=generator), torch.randint(kind.classes, (n,), generator=generator)
        if self.model == "fcn":
            network = models.fcn(x[0].numel(), self.width, self.depth, kind.classes, seed=self.seed)
        else:
            network = models.cnn(self.width, kind.classes, seed=self.seed)
        return network.eval(), list(zip(x.split(self.batch_size), y.split(self.batch_size), strict=True))

    def _peaks(self) -> dict[str, float]:
        """Take the peak of every way in a fork of a new process, which has imported the libraries and no more."""
        if not _PEAK.exists():  # not on Linux
            return {}
        code = "import json, pickle, sys; print(json.dumps(pickle.load(sys.stdin.buffer).in_forks()))"
        done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(self), capture_output=True, cwd=_ROOT)
        if done.returncode:
            raise RuntimeError(f"the memory of {self} could not be taken: {done.stderr.decode()[-2000:]}")
        return json.loads(done.stdout)

    def in_forks(self) -> dict[str, float]:
        """Return the peak of every way, each in a fork of this process; a fork that is killed is an error, not a wait."""
        torch.set_num_threads(1)  # a fork has the calling thread alone, and torch would wait for the others
        peaks = {}
        for way in self.ways:
            with ProcessPoolExecutor(1, get_context("fork")) as fork:
                peaks[way] = fork.submit(self.peak, way).result()
        return peaks

    def peak(self, way: str) -> float:
        """Return the most bytes that a way has in use in this process, beyond those in use before it (Linux only)."""
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 2**16)  # large arrays that are freed are given back at once
        model, batches = self.problem()
        _plain_loop(model, batches[:1])  # the code of the libraries is in use before it, too
        _PEAK.write_text("5")  # count the peak anew
        before = _status("VmRSS")
        WAYS[way](model, batches)
        return _status("VmHWM") - before


def _status(key: str) -> float:
    """Return bytes of this process: ``VmRSS``, in use now, or ``VmHWM``, the most since it was counted anew."""
    return 1024.0 * int(re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def costs(profile: str) -> tuple[CostSpec, ...]:
    """Take time and memory of a measurement for two FCNs and a CNN."""
    networks = [("fcn", 100, 3, 500, 40), ("fcn", 256, 4, 500, 40), ("cnn", 16, 0, 100, 20)]
    if profile == "smoke":
        return (CostSpec(tuple(WAYS), 1, "fcn", 16, 3, 20, 16, 0),)
    return tuple(CostSpec(tuple(WAYS), 3, *network, 0) for network in networks)
