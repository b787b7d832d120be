"""How alpha^ moves along training, and why it is below 2: `iterations`, `iterations_decomposition`, `decomposition`."""

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

from torch import nn

from tailnoise_utils.measurement.one_call import measure

from ..networks.snapshots import TrainSpec
from .spec import AlongTraining, Measured, Progress, Row
from .trainings import few, finely, seeds, training

# Bytes of a noise matrix up to which it is held, whatever is free: rows must not depend on who else runs.
_MATRIX = 2**31


@dataclass(frozen=True)
class _Noise(Measured):
    """Measure the minibatches of the training set, in one or two orders; what NoiseSpec and DiagnosisSpec share."""

    noise_batch_size: int  #: images in a minibatch when noise is measured
    diagnosed: ClassVar[bool] = False

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return a report's rows for each order (in data order the names say so), loss and accuracy on both splits."""
        rows = self._performance(model, "test")
        for order in self.noise_orders:
            seed, diagnosed = 3 * 10**6 + self.train.seed, self.diagnosed and order == "random"
            settings = {"mode": self.noise_mode, "seed": seed, "memory": _MATRIX, "entries": 2**25}
            settings["progress"] = lambda part: progress(part / len(self.noise_orders))
            if order == "data":
                settings["groups"] = {}
            report = measure(model, self._loss(), self._batches(order), diagnosis=diagnosed, **settings)
            for row in report.rows():
                name = row["quantity"]
                if order == "data":  # the tail indices only, which say so
                    if "alpha" not in name and "K1" not in name:
                        continue
                    name = name.replace(")", ", data order)")
                rows.append(row | {"quantity": name, "split": "train"})
        return rows


@dataclass(frozen=True)
class NoiseSpec(AlongTraining, _Noise):
    """Train a network and measure its gradient noise on the training set at every snapshot, in one or two orders."""

    noise_orders: tuple[str, ...]
    noise_mode: str  #: ``"eval"`` (dropout off, as in the paper's code) or ``"train"``


@dataclass(frozen=True)
class DiagnosisSpec(_Noise):
    """Train a network and measure as `NoiseSpec` does at some snapshots, dropout off, diagnosing the random partition."""

    points: tuple[int, ...]  #: which snapshots
    noise_orders: ClassVar[tuple[str, ...]] = ("random", "data")
    noise_mode: ClassVar[str] = "eval"
    diagnosed: ClassVar[bool] = True


def iterations_grid(profile: str) -> tuple[NoiseSpec, ...]:
    """Follow loss, accuracy and alpha^ along training: FCN on MNIST and CIFAR-10, CNN on CIFAR-10; 3 seeds each."""
    networks: list[dict[str, Any]] = [
        {"model": "fcn", "dataset": "digits", "width": 32, "iterations": 400},
        {"model": "cnn", "dataset": "digits32", "width": 4, "iterations": 60},
    ]
    if profile != "smoke":
        networks = [
            {"model": "fcn", "dataset": "mnist", "width": 128, "iterations": 10_000},
            {"model": "fcn", "dataset": "cifar10", "width": 128, "iterations": 5_000},
            {"model": "cnn", "dataset": "cifar10", "width": 16, "iterations": 10_000},
        ]
        if profile == "laptop":  # finely enough for a jump of alpha^ to be seen
            networks = [settings | {"snapshots": finely(settings["iterations"])} for settings in networks]
    if profile == "constant":
        networks = [settings | {"iterations": 65_000} for settings in networks]
    trainings = [training(**settings, profile=profile, seed=seed) for settings in networks for seed in seeds(profile)]
    return tuple(NoiseSpec(t, t.batch_size, ("random", "data"), "eval") for t in trainings)


def iterations_decomposition_grid(profile: str) -> tuple[DiagnosisSpec, ...]:
    """Diagnose alpha^ at some snapshots of the trainings of `iterations`, for what moves it early in training; 3 seeds."""
    wanted = {0} if profile == "smoke" else {0, 1, 10, 30, 100, 300, 1000, 3000, 10_000}
    trainings = [spec.train for spec in iterations_grid(profile)]
    return tuple(
        DiagnosisSpec(t, t.batch_size, tuple(step for step in t.snapshots if step in wanted | {t.iterations}))
        for t in trainings
    )


def decomposition_trainings(profile: str) -> list[TrainSpec]:
    """Give FCN of two sizes each way on MNIST and CIFAR-10, CNN; both losses (`constant`: cross-entropy); 3 seeds."""
    fcn_steps, cnn_steps, losses = 4000, 3000, ("nll", "hinge")
    if profile == "constant":
        fcn_steps, cnn_steps, losses = 65_000, 65_000, ("nll",)
    fcn = {"model": "fcn", "iterations": fcn_steps, "snapshots": few(fcn_steps)}
    cnn = {"model": "cnn", "iterations": cnn_steps, "dataset": "cifar10", "width": 16}
    networks: list[dict[str, Any]] = [
        fcn | {"dataset": dataset, "width": width, "depth": depth, "loss": loss}
        for dataset, width, depth, loss in product(("mnist", "cifar10"), (32, 256), (3, 6), losses)
    ]
    networks += [cnn | {"loss": loss} | ({"snapshots": few(cnn_steps)} if loss == "hinge" else {}) for loss in losses]
    if profile == "smoke":
        networks = [{"model": "fcn", "dataset": "digits", "width": 32, "iterations": 400, "snapshots": few(400)}]
    return [training(**settings, profile=profile, seed=seed) for seed in seeds(profile) for settings in networks]


def decomposition_grid(profile: str) -> tuple[DiagnosisSpec, ...]:
    """Take apart why alpha^ is below 2 (scales, correlation, tails), along training; 3 seeds."""
    return tuple(DiagnosisSpec(t, t.batch_size, few(t.iterations)) for t in decomposition_trainings(profile))
