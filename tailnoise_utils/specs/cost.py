"""What measuring costs: seconds and memory beside counted operations, and beside other ways to the same numbers."""

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from .. import data, files, models
from ..snapshots import TrainSpec, images, kept_in
from ._drawn import Drawn
from ._measured import Progress, Row

__all__ = ["PASSES", "STACKED", "CostSpec", "SamplerCostSpec", "operations"]

_ROOT = Path(__file__).parents[2]
# How often a way takes the gradient of each minibatch, where that is most of what it does.
STACKED = 3  # networks that are trained in turn, and together
PASSES = {
    "training": 1,
    "training, seeds in turn": STACKED,
    "training, seeds stacked": STACKED,
    "bare loop": 1,
    "noise matrix": 1,
    "measure": 1,
    "measure, streaming": 2,
    "measure, with anatomy": 1,
    "published procedure": 1,
    "vmap over minibatches": 1,
    "gradient of each sample": 1,
}


@cache
def operations(model: str, dataset: str, width: int, depth: int) -> tuple[int, int]:
    """Floating-point operations of the gradient of one image, forwards and backwards, none for the image's own.

    Those of matrix products and convolutions, a multiplication and an addition counted as two, by torch's own counter on
    shapes alone.

    Args:
        model: ``"fcn"`` or ``"cnn"``.
        dataset: its name.
        width: units of each hidden layer, or filters.
        depth: number of weight matrices of an FCN; of a CNN it is not looked at.

    Returns:
        Their number, and that of the parameters.
    """
    kind = data.KINDS[dataset]
    if model == "fcn":
        network = models.fcn(kind.shape[0] * kind.shape[1] * kind.shape[2], width, depth, kind.classes, seed=0)
    else:
        network = models.cnn(width, kind.classes, seed=0)
    network = network.to("meta")
    x, y = torch.empty(1, *kind.shape, device="meta"), torch.zeros(1, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counted:
        torch.autograd.grad(cross_entropy(network(x), y), list(network.parameters()))
    return counted.get_total_flops(), sum(w.numel() for w in network.parameters())


@dataclass(frozen=True)
class _Timed(Drawn, ABC):
    """Each way in a process of its own with one thread, one after another; two runs on one machine wait for each other.

    Attributes:
        ways: their names.
        replicates: how often each is timed; fewer where one takes long.
    """

    ways: tuple[str, ...]
    replicates: int
    once: ClassVar[tuple[str, ...]] = ("seconds", "bytes", "flop/s", "1/alpha (published)")

    def alone(self) -> AbstractContextManager:
        """Whatever else measures its time here waits."""
        return files.lock(kept_in("cost"))

    def rows(self, progress: Progress) -> list[Row]:
        """Measure each way.

        Args:
            progress: told how much is done.

        Returns:
            Per way (scope): "seconds" of each time (x), "bytes" (the most that its first time had in use beyond what was
            there before it; Linux only), "flop/s" (a float32 matrix product in the same process, before and after),
            "1/alpha (published)" where it gives a noise matrix or that number; and what is counted.
        """
        found: list[Row] = []
        for way in self.ways:
            found += [row | {"scope": way} for row in _in_a_process(self._asked() | {"way": way})]
            progress(1 / len(self.ways))
        return found + self._counted()

    def again(self, path: Path) -> list[Row] | None:
        """What is counted; no time can be had again.

        Args:
            path: not used.

        Returns:
            The rows; None where nothing is counted.
        """
        return self._counted() or None

    @abstractmethod
    def _asked(self) -> dict[str, Any]:
        """What the process is told."""

    def _counted(self) -> list[Row]:
        """Rows that are the same everywhere."""
        return []


@dataclass(frozen=True)
class CostSpec(_Timed):
    """What the measurement of a network costs, at its initial weights, and its parts, and other ways to the same numbers.

    Attributes:
        train: the network, its images and minibatches, and the epoch that "training" takes.
    """

    train: TrainSpec

    def data_sha256(self) -> str:
        """SHA-256 of the images used."""
        return images(self.train.dataset, self.train.n_train, self.train.n_test).digest

    def _asked(self) -> dict[str, Any]:
        return {"train": asdict(self.train), "replicates": self.replicates}

    def _counted(self) -> list[Row]:
        each, p = operations(self.train.model, self.train.dataset, self.train.width, self.train.depth)
        passes = {way: PASSES[way] for way in self.ways if way in PASSES}
        counts = [
            {"scope": way, "quantity": "operations", "value": k * self.train.n_train * each}
            for way, k in passes.items()
        ]
        return [*counts, {"quantity": "parameters", "value": p}]


@dataclass(frozen=True)
class SamplerCostSpec(_Timed):
    """What independent SaS samples cost, beside other ways to draw them.

    Attributes:
        size: number of samples.
        seed: of them.
    """

    size: int
    seed: int

    def _asked(self) -> dict[str, Any]:
        return {"size": self.size, "seed": self.seed, "replicates": self.replicates}


def _in_a_process(asked: dict[str, Any]) -> list[Row]:
    """Rows of one way.

    Returns:
        What the process printed.

    Raises:
        RuntimeError: the process failed; the message has the end of what it said.
    """
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tailnoise_utils.specs._cost"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{asked['way']!r} ended with exit status {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
