"""What the book runs: a frozen spec per run, how a spec becomes rows, and the grid of every experiment in every profile.

Profiles: ``smoke`` (scikit-learn's digits, seconds, computed where it is needed) and ``laptop`` (real MNIST, minutes,
results committed).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from . import data, noise, synthetic, tail_index
from .models import fcn
from .train import evaluate, train

__all__ = ["EXPERIMENTS", "PROFILES", "EstimatorSpec", "IterationsSpec", "Spec", "check_profile", "grid"]

PROFILES = ("smoke", "laptop")
Row = dict[str, Any]
Progress = Callable[[float], object]  # told the share of a run that was done since it was last told


@dataclass(frozen=True)
class IterationsSpec:
    """Train an FCN by plain SGD and measure its gradient noise on the training set at some iterations.

    The step size is constant; training minibatches are reshuffled every epoch; noise is measured over the n_train/b
    minibatches of the data in order (published convention) and of one random partition (clean convention), both fixed
    along the training. All randomness comes from `seed`, each use with a generator of its own: initial weights from
    `seed` itself, order of training from 10^6 + `seed`, the partition measured on from 2 10^6 + `seed`, the permutation of
    the columns from 3 10^6 + `seed`.
    """

    dataset: str
    n_train: int
    n_test: int
    width: int
    depth: int
    batch_size: int
    lr: float
    iterations: int
    snapshots: tuple[int, ...]
    seed: int

    def data_sha256(self) -> str:
        """SHA-256 of the images used."""
        return _images(self.dataset, self.n_train, self.n_test).digest

    def rows(self, progress: Progress) -> list[Row]:
        """Train and measure.

        Args:
            progress: told how much is done.

        Returns:
            Loss and accuracy (both splits), 1/alpha^ and K1 in both conventions, the share of dead coordinates.
        """
        images = _images(self.dataset, self.n_train, self.n_test)
        model = fcn(images.x_train[0].numel(), self.width, self.depth, images.classes, seed=self.seed)
        ordered = noise.minibatches(self.n_train, self.batch_size, order="data")
        shuffled = noise.minibatches(self.n_train, self.batch_size, seed=2 * 10**6 + self.seed)
        points = train(
            model,
            cross_entropy,
            images,
            batch_size=self.batch_size,
            lr=self.lr,
            iterations=self.iterations,
            snapshots=self.snapshots,
            seed=10**6 + self.seed,
        )
        rows: list[Row] = []
        for iteration in points:
            measured = _performance(model, images) + self._tail_indices(model, images, ordered, shuffled)
            rows += [row | {"iteration": iteration} for row in measured]
            progress(1 / len(self.snapshots))
        return rows

    def _tail_indices(
        self, model: torch.nn.Module, images: data.Dataset, ordered: torch.Tensor, shuffled: torch.Tensor
    ) -> list[Row]:
        """1/alpha^ of the noise on the training set."""
        x, y = images.x_train, images.y_train
        U = noise.noise_matrix(model, cross_entropy, x, y, ordered)
        found = {"published": tail_index.mohammadi(U, convention="published")}
        U = noise.noise_matrix(model, cross_entropy, x, y, shuffled)
        found["clean"] = tail_index.mohammadi(U)
        # One permutation of the columns for all rows, the same at every iteration: alpha^ depends on their order.
        columns = torch.randperm(U.shape[1], generator=torch.Generator().manual_seed(3 * 10**6 + self.seed))
        found["clean, columns permuted"] = tail_index.mohammadi(U[:, columns])
        rows: list[Row] = [{"quantity": "dead share", "value": found["clean"].info["dead_share"]}]
        for name, index in found.items():
            rows.append({"quantity": f"1/alpha ({name})", "value": index.inverse, "se": index.inverse_se})
            rows.append({"quantity": f"K1 ({name})", "value": index.info["K1"]})
        return [row | {"split": "train"} for row in rows]


def _performance(model: torch.nn.Module, images: data.Dataset) -> list[Row]:
    """Loss and accuracy on both splits."""
    rows: list[Row] = []
    for split in ("train", "test"):
        x, y = getattr(images, f"x_{split}"), getattr(images, f"y_{split}")
        loss, accuracy = evaluate(model, cross_entropy, x, y)
        rows += [
            {"split": split, "quantity": "loss", "value": loss},
            {"split": split, "quantity": "accuracy", "value": accuracy},
        ]
    return rows


@lru_cache(maxsize=1)
def _images(name: str, n_train: int, n_test: int) -> data.Dataset:
    """One data set, kept between the runs of a grid."""
    return data.load(name, n_train=n_train, n_test=n_test)


@dataclass(frozen=True)
class EstimatorSpec:
    """Apply estimators to independent samples of one synthetic law (:mod:`tailnoise_utils.synthetic`)."""

    law: str
    parameter: float
    size: int
    replicates: int
    estimators: tuple[str, ...]
    seed: int

    def data_sha256(self) -> str:
        """Nothing is read."""
        return ""

    def rows(self, progress: Progress) -> list[Row]:
        """Draw and estimate.

        Args:
            progress: told how much is done.

        Returns:
            Per estimator (scope): means over the replicates of alpha^, 1/alpha^ and its reported standard error, their
            standard deviations, the median of the seconds, and what the law's closed form says of 1/alpha^.

        Raises:
            ValueError: fewer than two replicates, an unknown law or estimator.
        """
        if self.replicates < 2:
            raise ValueError(f"replicates = {self.replicates}: a spread needs 2 or more")
        law = synthetic.law(self.law)
        generator = np.random.default_rng([self.seed, self.size, int(1000 * self.parameter)])
        found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in self.estimators}
        expected: dict[str, float] = {}  # of the block estimator, by closed form
        for _ in range(self.replicates):
            sample = law.sample(self.parameter, self.size, generator)
            for name in self.estimators:
                function, options = _estimator(name)
                start = time.perf_counter()
                index = function(sample, **options)
                found[name].append((index.inverse, index.inverse_se, index.alpha, time.perf_counter() - start))
                if function is tail_index.mohammadi:
                    convention = options.get("convention", "clean")
                    expected[name] = law.block_inverse(self.parameter, int(index.info["K1"]), convention)
            progress(1 / self.replicates)
        rows = [{"scope": name, "quantity": "1/alpha, closed form", "value": v} for name, v in expected.items()]
        return rows + [row | {"scope": name} for name, of in found.items() for row in _summary(np.array(of))]


def _estimator(name: str) -> tuple[Callable[..., tail_index.TailIndex], dict[str, str]]:
    """The estimator and options behind a name such as ``mohammadi (published)``."""
    function, _, convention = name.partition(" (")
    return tail_index.get(function), {"convention": convention.rstrip(")")} if convention else {}


def _summary(values: np.ndarray) -> list[Row]:
    """Mean and spread over replicates of (1/alpha^, its standard error, alpha^, seconds), shape (replicates, 4)."""
    root = np.sqrt(len(values))
    with np.errstate(invalid="ignore"):  # an infinite alpha^ has no spread: NaN says so
        mean, sd = values.mean(0), values.std(0, ddof=1)
    return [
        {"quantity": "1/alpha", "value": mean[0], "se": sd[0] / root},
        {"quantity": "sd of 1/alpha", "value": sd[0], "se": sd[0] / np.sqrt(2 * (len(values) - 1))},
        {"quantity": "reported se of 1/alpha", "value": mean[1], "se": sd[1] / root},
        {"quantity": "alpha", "value": mean[2], "se": sd[2] / root},
        {"quantity": "sd of alpha", "value": sd[2]},
        {"quantity": "seconds", "value": float(np.median(values[:, 3]))},
    ]


Spec = IterationsSpec | EstimatorSpec
_FAST = (
    "mohammadi",
    "mohammadi (published)",
    "mohammadi_order",
    "log_moment",
    "fractional_moment",
    "koutrouvelis",
    "mcculloch",
    "hill",
)


def _iterations(profile: str) -> tuple[Spec, ...]:
    """Loss, accuracy and alpha^ of an FCN along training, 3 seeds."""
    digits = {"dataset": "digits", "n_train": 1500, "n_test": 297, "width": 32, "batch_size": 50, "iterations": 400}
    mnist = {
        "dataset": "mnist",
        "n_train": 60_000,
        "n_test": 10_000,
        "width": 128,
        "batch_size": 500,
        "iterations": 10_000,
    }
    settings = digits if profile == "smoke" else mnist
    steps = [m * 10**e for e in range(5) for m in (1, 2, 3, 5, 7)]
    snapshots = (0, *[step for step in steps if step < settings["iterations"]], settings["iterations"])
    return tuple(IterationsSpec(**settings, depth=3, lr=0.1, snapshots=snapshots, seed=seed) for seed in range(3))


def _estimator_grid(profile: str) -> tuple[Spec, ...]:
    """Bias, spread and time of all estimators on SaS data, and on data that are not stable."""
    if profile == "smoke":
        alphas, replicates, largest = (0.5, 1.0, 1.5, 2.0), {100: 50, 1000: 50, 10_000: 20}, 10_000
    else:
        alphas = (0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0)
        replicates, largest = {100: 1000, 1000: 1000, 10_000: 400, 100_000: 100, 1_000_000: 30}, 1_000_000
    laws = [("sas", alpha) for alpha in alphas]
    others = [("student", 3.0), ("laplace", 1.0), ("scale_mixture", 0.5), ("scale_mixture", 1.0)]
    others += [("correlated", 0.3), ("correlated", 0.9), ("zeros", 0.05), ("zeros", 0.3)]
    specs = [EstimatorSpec(*law, size, times, _FAST, 0) for law in laws for size, times in replicates.items()]
    specs += [EstimatorSpec(*law, size, replicates[size], _FAST, 1) for law in others for size in (10_000, largest)]
    likelihood = {100: 2} if profile == "smoke" else {100: 40, 1000: 8}
    specs += [EstimatorSpec("sas", 1.5, size, times, ("maximum_likelihood",), 2) for size, times in likelihood.items()]
    return tuple(dict.fromkeys(specs))


EXPERIMENTS: dict[str, Callable[[str], tuple[Spec, ...]]] = {"iterations": _iterations, "estimator": _estimator_grid}


def grid(experiment: str, profile: str) -> tuple[Spec, ...]:
    """The runs of an experiment in a profile.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Returns:
        One spec a run.

    Raises:
        ValueError: an unknown experiment or profile; the message lists the valid ones.
    """
    if experiment not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {experiment!r}; choose one of {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[experiment](check_profile(profile))


def check_profile(profile: str) -> str:
    """Check the name of a profile.

    Args:
        profile: the name.

    Returns:
        The same name.

    Raises:
        ValueError: an unknown profile; the message lists the valid ones.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    return profile
