"""What measuring costs: seconds and memory beside counted operations, and beside other ways to the same numbers."""

import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from ..networks import data, models
from ..networks.snapshots import TrainSpec, images
from ..results import files
from .spec import Drawn, Progress, Row

__all__ = ["PARALLEL", "PASSES", "SEEDS", "WAYS", "CostSpec", "ImportCostSpec", "SamplerCostSpec", "operations"]

_ROOT = Path(__file__).parents[3]
_ENOUGH = 20.0  # seconds after which a way is not timed again
# How often a way takes the gradient of each minibatch, where that is most of what it does.
PASSES = {
    "training": 1,
    "training, seeds in turn": 3,
    "training, seeds stacked": 3,
    "training, two threads": 2,
    "training, two processes": 2,
    "bare loop": 1,
    "noise matrix": 1,
    "measure": 1,
    "measure, streaming": 2,
    "measure, with anatomy": 1,
    "published procedure": 1,
    "published procedure, images in memory": 1,
    "vmap over minibatches": 1,
    "gradient of each sample": 1,
}
SEEDS = ("training, seeds in turn", "training, seeds stacked")
PARALLEL = ("training, two threads", "training, two processes")
WAYS = (
    *(way for way in PASSES if way not in SEEDS + PARALLEL),
    "alpha^, clean",
    "alpha^, published",
    "anatomy",
    "anatomy, by layer",
)


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
    """Each way in a process of its own with one thread (but `PARALLEL`); all of them are timed once, then all again.

    One is at work at a time, the others wait. Nothing keeps other programs away but the rows "load".

    Attributes:
        ways: their names.
        replicates: how often each is timed; fewer where one takes long.
    """

    ways: tuple[str, ...]
    replicates: int
    once: ClassVar[tuple[str, ...]] = ("seconds", "bytes", "flop/s", "load", "1/alpha (published)")

    def alone(self) -> AbstractContextManager:
        """Other runs that measure time on this machine wait; other programs do not."""
        return files.lock(data.cache_folder() / "cost")

    def rows(self, progress: Progress) -> list[Row]:
        """Measure each way.

        Args:
            progress: told how much is done.

        Returns:
            Per way (scope) and time (x): "seconds", and "flop/s" (a float32 matrix product in the same process, mean of
            before and after); "bytes" (the most that the first time had in use, in that process alone, beyond what was
            there before it; Linux only), "1/alpha (published)" where it gives a noise matrix or that number; "load" (mean
            number of processes of the machine that were at work, in the minute before each round and after the last, this
            one among them from the second on); and what is counted.

        Raises:
            RuntimeError: a way failed; the message has the end of what it said.
        """
        found: list[Row] = []
        with ExitStack() as stack:
            running = {}
            for way in self.ways:
                errors = stack.enter_context(tempfile.TemporaryFile())
                running[way] = stack.enter_context(_Process(self._asked() | {"way": way}, errors))
                progress(1 / 2 / len(self.ways))
            for k in range(self.replicates):
                found.append(_load(k))
                for way, process in running.items():
                    if process.spent < _ENOUGH:
                        found += [row | {"scope": way} for row in process.again()]
                    progress(1 / 2 / len(self.ways) / self.replicates)
        return [*found, _load(self.replicates), *self._counted()]

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


def _load(k: int) -> Row:
    """How busy the machine was before round k."""
    return {"scope": "all", "quantity": "load", "x": float(k), "value": os.getloadavg()[0]}


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
        return {"train": asdict(self.train)}

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
        return {"size": self.size, "seed": self.seed}


@dataclass(frozen=True)
class ImportCostSpec(_Timed):
    """What the import of the package costs beside that of torch, each in a new interpreter."""

    def _asked(self) -> dict[str, Any]:
        return {}


class _Process:
    """One way in a process of its own, which waits until it is asked to do it once more.

    Args:
        asked: what it is told.
        errors: a file for what it says of errors.

    Attributes:
        spent: seconds that the way has taken so far.

    Raises:
        RuntimeError: it failed, now or later; the message has the end of what it said.
    """

    def __init__(self, asked: dict[str, Any], errors: IO[bytes]) -> None:
        self._way, self._errors, self.spent = asked["way"], errors, 0.0
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TAILNOISE_DEVICE": "cpu"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, "text": True}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tailnoise_utils.study.experiments.cost_worker"], env=environment, **pipes
        )
        try:
            self._ask(json.dumps(asked))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def again(self) -> list[Row]:
        """Do it once more.

        Returns:
            Its rows.
        """
        rows = json.loads(self._ask("again"))
        self.spent += next(row["value"] for row in rows if row["quantity"] == "seconds")
        return rows

    def _ask(self, line: str) -> str:
        """Give it a line, and wait for the one that it answers."""
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            status = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{self._way!r} ended with exit status {status}: {said}")
        return answer
