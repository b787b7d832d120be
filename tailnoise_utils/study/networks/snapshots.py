"""Train a network once and keep its weights at some points; a killed run goes on and ends bit for bit the same."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..results import files, store
from . import data, models
from .device import chosen_device, kept_in
from .train import Diverged, sgd
from .weights import iteration_of, load_weights, save_weights

CHECKPOINT_SECONDS = 30.0
_SEED = 10**6  # of the order of training and of dropout, before the seed of the run


@dataclass(frozen=True)
class TrainSpec:
    """Train a network of the paper by plain SGD; the order of training and dropout come from 10^6 + `seed`."""

    dataset: str  #: name of the data set
    n_train: int  #: number of training images
    n_test: int  #: number of test images
    model: str  #: ``"fcn"`` or ``"cnn"``
    width: int  #: units of each hidden layer (FCN) or filters (CNN)
    depth: int  #: number of weight matrices (FCN); 0 for the CNN
    loss: str  #: a key of ``models.LOSSES``
    batch_size: int  #: of the training
    lr: float  #: step size
    schedule: str  #: of the step size, ``"constant"`` or ``"halved"``
    order: str  #: of the training images, ``"random"`` or ``"data"``
    iterations: int  #: number of steps
    snapshots: tuple[int, ...]  #: the points at which weights are kept
    seed: int  #: of everything

    def build(self) -> nn.Module:
        """Make the network with its initial weights, where runs are computed."""
        pictures = images(self.dataset, self.n_train, self.n_test)
        if self.model == "fcn":
            size = pictures.x_train[0].numel()
            return models.fcn(size, self.width, self.depth, pictures.classes, seed=self.seed).to(chosen_device())
        if self.model == "cnn":
            network = models.cnn(self.width, pictures.classes, seed=self.seed)
            return network.to(chosen_device(), memory_format=torch.channels_last)  # a fifth faster on the CPU
        raise ValueError(f"unknown model {self.model!r}: the models are fcn, cnn")


@dataclass(frozen=True)
class PaperTrainSpec(TrainSpec):
    """Train as the paper's code does: until every training image is classified correctly, on a schedule of full length."""

    horizon: int  #: steps that the schedule is made for; the run itself ends after ``iterations`` at the latest
    look: int  #: training stops before the first step whose number is a multiple of this and at which the network fits


def images(name: str, n_train: int, n_test: int) -> data.Dataset:
    """Load the first images of each half of a data set where runs are computed; kept between the runs of a grid."""
    return _images(name, n_train, n_test, chosen_device())


@lru_cache(maxsize=1)
def _images(name: str, n_train: int, n_test: int, where: torch.device) -> data.Dataset:
    """Load images to a device."""
    loaded = data.load(name, n_train=n_train, n_test=n_test)
    moved = {key: getattr(loaded, key).to(where) for key in ("x_train", "y_train", "x_test", "y_test")}
    return replace(loaded, **moved)


class Snapshots:
    """The weights of one training run on disk, trained as far as they are asked for."""

    def __init__(self, spec: TrainSpec, data_sha256: str) -> None:
        self.spec = spec
        self.folder = kept_in("snapshots") / store.digest(spec, data=data_sha256)[:16]
        self._end = self.folder / "end.json"  # what became of the training, once it is finished

    def path(self, point: int) -> Path:
        """Return where the weights after `point` steps lie, present or not."""
        return self.folder / f"{point}.npz"

    def train(
        self, progress: Callable[[int], object], each: Callable[[int, nn.Module], object] = lambda point, model: None
    ) -> str:
        """Make what is missing, telling `each` of every snapshot made; return "", or the message that says it diverged."""
        with files.lock(self.folder):  # another process with the same training waits, and finds it done
            for stale in self.folder.glob(".*.part"):
                stale.unlink()
            if self._end.exists():
                progress(self.spec.iterations)
            else:
                self._train(progress, each)
            return self._outcome()["diverged"]

    def _train(self, progress: Callable[[int], object], measure: Callable[[int, nn.Module], object]) -> None:
        """Train from the last weights on disk to the end, and write what became of it."""
        spec = self.spec
        model, start, before = self._resume()
        progress(start)
        began = last_saved = time.monotonic()

        def seconds() -> float:
            return before + time.monotonic() - began

        def each(iteration: int) -> None:
            nonlocal last_saved
            progress(1)
            if time.monotonic() - last_saved >= CHECKPOINT_SECONDS:
                save_weights(self.folder / "checkpoint.npz", model, iteration=iteration, seconds=seconds())
                last_saved = time.monotonic()

        settings = ("batch_size", "lr", "schedule", "order", "iterations", "snapshots", "horizon", "look")
        asked = {name: getattr(spec, name) for name in settings if hasattr(spec, name)}
        pictures = images(spec.dataset, spec.n_train, spec.n_test)
        steps = sgd(model, models.LOSSES[spec.loss], pictures, **asked, seed=_SEED + spec.seed, start=start, each=each)
        point, diverged = max((point for point in spec.snapshots if point <= start), default=0), ""
        try:
            for point in steps:
                if not self.path(point).exists():
                    save_weights(self.path(point), model, iteration=point, seconds=seconds())
                paused = time.monotonic()
                measure(point, model)
                began += time.monotonic() - paused
        except (Diverged, FloatingPointError) as error:  # or finite weights, infinite gradients: it is about to diverge
            diverged = str(error)
        with files.atomic(self._end) as file:
            file.write(json.dumps({"diverged": diverged, "seconds": seconds(), "iterations": point}).encode())
        (self.folder / "checkpoint.npz").unlink(missing_ok=True)

    def _resume(self) -> tuple[nn.Module, int, float]:
        """Load the network at the last point on disk, with its number of steps and the seconds spent until then."""
        model = self.spec.build()
        # A name that begins with a dot belongs to a file that was never finished.
        stored = {iteration_of(path): path for path in self.folder.glob("[!.]*.npz")}
        if not stored:
            return model, 0, 0.0
        point = max(stored)
        return model, point, float(load_weights(stored[point], model)["seconds"])

    def _outcome(self) -> dict[str, Any]:
        """Read what became of the finished training."""
        return json.loads(self._end.read_text())

    def seconds(self) -> float:
        """Return the wall time of the finished training, all its parts together; 0 if there was none."""
        return self._outcome()["seconds"] if self._end.exists() else 0.0

    def iterations(self) -> int | None:
        """Return the last snapshot of the finished training; None if an earlier version trained it."""
        return self._outcome().get("iterations")

    def load(self, point: int) -> nn.Module:
        """Load the network as it was after that many steps."""
        model = self.spec.build()
        load_weights(self.path(point), model)
        return model

    def remove(self) -> None:
        """Delete the weights."""
        shutil.rmtree(self.folder, ignore_errors=True)
