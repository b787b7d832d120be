"""The kinds of runs: frozen settings, and how they become rows.

A spec has `data_sha256()` (of the data it reads, "" if none), `rows(progress)` and `forget()`, which deletes what the
cache keeps for it.
"""

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from . import data, models, stable, store, synthetic, tail_index
from .measure import NothingAlive, measure
from .minibatches import Minibatches
from .noise import noise_matrix
from .report import Report
from .snapshots import Snapshots, TrainSpec, images, load_weights, save_weights
from .train import evaluate

__all__ = ["EstimatorSpec", "NoiseSpec", "NormsSpec", "Row", "Spec"]

Row = dict[str, Any]
_SMALL = 10**6  # bytes of weights that may lie in the repository
Progress = Callable[[float], object]  # told the share of a run that was done since it was last told


@dataclass(frozen=True)
class _Measured:
    """Train a network, then measure each of some snapshots of it.

    A kind of measurement adds its settings, `points` (which snapshots), `passes` (over all minibatches, at a snapshot) and
    `measure`.
    """

    train: TrainSpec
    noise_batch_size: int

    def data_sha256(self) -> str:
        """SHA-256 of the images used."""
        return self._images().digest

    def _images(self) -> data.Dataset:
        return images(self.train.dataset, self.train.n_train, self.train.n_test)

    def _rows_folder(self) -> Path:
        """Where the rows of each snapshot lie until the run is stored."""
        return data.cache_folder() / "rows" / store.digest(self, data=self.data_sha256())[:16]

    def forget(self) -> None:
        """Delete weights and rows from the cache."""
        Snapshots(self.train, self.data_sha256()).remove()
        self.forget_rows()

    def forget_rows(self) -> None:
        """Delete the rows from the cache, once they are stored."""
        shutil.rmtree(self._rows_folder(), ignore_errors=True)

    def rows(self, progress: Progress) -> list[Row]:
        """Train, as far as it has not been done, and measure; killed, it goes on from the last checkpoint.

        Args:
            progress: told how much is done.

        Returns:
            Per snapshot, what `measure` gives. A run that diverged has the snapshots before it did, and a row "diverged"
            with the last of them; where all gradients are equal there is only a row "nothing alive".
        """
        spec, snapshots = self.train, Snapshots(self.train, self.data_sha256())
        P = spec.n_train // self.noise_batch_size
        work = spec.iterations + len(self.points) * self.passes * P  # in gradients of a minibatch
        diverged = bool(snapshots.train(lambda steps: progress(steps / work)))
        rows: list[Row] = []
        for point in self.points:
            if diverged and not snapshots.path(point).exists():
                continue
            share = self.passes * P / work
            path = self._rows_folder() / f"{point}.json"
            if path.exists():
                found = json.loads(path.read_text())
                progress(share)
            else:
                try:
                    found = self.measure(snapshots.load(point), lambda part, share=share: progress(part * share))
                except FloatingPointError:  # finite weights, infinite gradients: it is about to diverge
                    diverged = True
                    break
                except NothingAlive:
                    found = [{"quantity": "nothing alive", "value": 1.0}]
                with store.atomic(path) as file:
                    file.write(json.dumps(found).encode())
            rows += [row | {"iteration": point} for row in found]
        if diverged:
            rows.append({"quantity": "diverged", "value": float(rows[-1]["iteration"]) if rows else 0.0})
        return rows

    def keep(self, rows: list[Row], path: Path) -> None:
        """Keep one snapshot beside the results, the last that is there, if it is small and no run has kept one.

        Args:
            rows: of the run.
            path: where to.
        """
        points = [row["iteration"] for row in rows if "iteration" in row]
        source = Snapshots(self.train, self.data_sha256()).path(max(points, default=0))
        if source.exists() and source.stat().st_size <= _SMALL and not path.exists():
            names = {"spec_digest": store.digest(self), "iteration": max(points)}
            model = self.train.build()
            load_weights(source, model)
            with store.atomic(path) as file:
                save_weights(file, model, **names)

    def again(self, path: Path) -> list[Row] | None:
        """Measure the snapshot kept beside the results again.

        Args:
            path: where it lies.

        Returns:
            Its rows; None if there is none of this run.
        """
        if not path.exists():
            return None
        with np.load(path) as file:
            if str(file["spec_digest"]) != store.digest(self):
                return None
            iteration = int(file["iteration"])
        model = self.train.build()
        load_weights(path, model)
        return [row | {"iteration": iteration} for row in self.measure(model, lambda share: None)]

    def status(self, rows: list[Row]) -> str:
        """What became of a run.

        Args:
            rows: its rows.

        Returns:
            "complete", "diverged", or "not trained": the training accuracy ended below twice chance.
        """
        if any(row["quantity"] == "diverged" for row in rows):
            return "diverged"
        accuracy = [r["value"] for r in rows if (r["quantity"], r.get("split")) == ("accuracy", "train")]
        trained = not self.train.iterations or (accuracy and accuracy[-1] >= 2 / self._images().classes)
        return "complete" if trained else "not trained"


@dataclass(frozen=True)
class NoiseSpec(_Measured):
    """Train a network and measure its gradient noise on the training set at every snapshot.

    Noise is measured over the n_train / noise_batch_size minibatches of each order named: ``"random"``, one random
    partition fixed along the training (seed 2 10^6 + the run's), and ``"data"``, the images as they come. The permutation
    of the columns and dropout masks come from 3 10^6 + the run's seed.

    Attributes:
        train: the training.
        noise_batch_size: images in a minibatch when noise is measured.
        noise_orders: among ``"random"`` and ``"data"``.
        noise_mode: ``"eval"`` (dropout off, as in the paper's code) or ``"train"``.
    """

    noise_orders: tuple[str, ...]
    noise_mode: str

    @property
    def points(self) -> tuple[int, ...]:
        """All snapshots of the training."""
        return self.train.snapshots

    @property
    def passes(self) -> int:
        """One for each order."""
        return len(self.noise_orders)

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Measure one snapshot: a pure function of its weights, the data and the settings.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            What a report has for each order (in data order with ", data order" in the quantity), loss and accuracy on both
            splits.
        """
        pictures, loss_fn = self._images(), models.LOSSES[self.train.loss]
        loss, accuracy = evaluate(model, loss_fn, pictures.x_test, pictures.y_test)
        rows: list[Row] = [
            {"split": "test", "quantity": "loss", "value": loss},
            {"split": "test", "quantity": "accuracy", "value": accuracy},
        ]
        for order in self.noise_orders:
            batches = Minibatches(
                pictures.x_train, pictures.y_train, self.noise_batch_size, order=order, seed=2 * 10**6 + self.train.seed
            )
            report = measure(
                model,
                loss_fn,
                batches,
                mode=self.noise_mode,
                seed=3 * 10**6 + self.train.seed,
                groups=None if order == "random" else {},
                progress=lambda part: progress(part / len(self.noise_orders)),
            )
            rows += [row | {"split": "train"} for row in _of_order(report, order)]
        return rows


def _of_order(report: Report, order: str) -> list[Row]:
    """A report's rows; in data order only the tail indices, which say so."""
    if order == "random":
        return report.rows()
    kept = [row for row in report.rows() if "alpha" in row["quantity"] or "K1" in row["quantity"]]
    return [row | {"quantity": row["quantity"].replace(")", ", data order)")} for row in kept]


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

    def forget(self) -> None:
        """Nothing is kept."""

    forget_rows = forget

    def keep(self, rows: list[Row], path: Path) -> None:
        """Nothing is kept."""

    def again(self, path: Path) -> list[Row] | None:
        """Draw and estimate again, where that is quick.

        Args:
            path: not used.

        Returns:
            The rows; None for a run that takes long.
        """
        quick = self.size * self.replicates <= 10**5 and "maximum_likelihood" not in self.estimators
        return self.rows(lambda share: None) if quick else None

    def status(self, rows: list[Row]) -> str:
        """Always "complete"; `rows` are not looked at."""
        return "complete"

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


@dataclass(frozen=True)
class NormsSpec(_Measured):
    """Train a network and take the norm of its gradient noise over several random partitions, beside references.

    Partition k is drawn with seed 2 10^6 + 1000 k + the run's, the references with 4 10^6 + the run's. Each reference has
    as many norms as there are minibatches in all: of p independent Gaussian entries with the noise's mean square; of p
    independent SaS entries with the clean alpha^ of the first partition and the scale that has the noise's mean log|X| (the
    paper's two); and of Gaussian vectors with the covariance of the first partition, Z U / sqrt(P - 1).

    Attributes:
        points: which snapshots.
        partitions: number of random partitions of the data.
    """

    points: tuple[int, ...]
    partitions: int

    @property
    def passes(self) -> int:
        """One for each partition."""
        return self.partitions

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Norms at one snapshot and their references.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            One row a norm, `x` its number; loss and accuracy; alpha^ and scale of the stable reference.
        """
        pictures, loss_fn = self._images(), models.LOSSES[self.train.loss]
        x, y, seed = pictures.x_train, pictures.y_train, self.train.seed
        loss, accuracy = evaluate(model, loss_fn, x, y)
        norms: list[float] = []
        for k in range(self.partitions):
            batches = Minibatches(x, y, self.noise_batch_size, seed=2 * 10**6 + 1000 * k + seed)
            U = noise_matrix(model, loss_fn, batches)
            norms += U.double().norm(dim=1).tolist()
            progress(1 / self.partitions)
            if k == 0:
                index = tail_index.mohammadi(U)
                live = U[:, (U != 0).any(0)].double()
                references = _norm_references(
                    live, index.alpha, self.partitions, np.random.default_rng(4 * 10**6 + seed)
                )
        rows: list[Row] = [
            {"quantity": "loss", "value": loss},
            {"quantity": "accuracy", "value": accuracy},
            {"quantity": "1/alpha (clean)", "value": index.inverse, "se": index.inverse_se},
        ]
        for name, values in {"norm": np.array(norms), **references}.items():
            rows += [{"quantity": name, "x": float(i), "value": float(value)} for i, value in enumerate(values)]
        return [row | {"split": "train"} for row in rows]


def _norm_references(
    U: Float[Tensor, "P p"], alpha: float, partitions: int, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Norms of noise of known laws with the size of U, as :class:`NormsSpec` says."""
    P, p = U.shape
    count = P * partitions
    Z = generator.standard_normal((count, P)) / math.sqrt(P - 1)
    gram = (U @ U.T).numpy()
    alpha = min(alpha, 2.0)  # a sample of no law beyond
    log_scale = float(U[U != 0].abs().log().mean()) - np.euler_gamma * (1 / alpha - 1)  # E ln|S| = gamma (1/alpha - 1)
    stable_norms = [np.linalg.norm(stable.sample(alpha, p, generator=generator)) for _ in range(count)]
    return {
        "norm, Gaussian (independent)": np.sqrt(float(U.square().mean()) * generator.chisquare(p, count)),
        "norm, stable (independent)": math.exp(log_scale) * np.array(stable_norms),
        "norm, Gaussian (same covariance)": np.sqrt(np.einsum("ip,pq,iq->i", Z, gram, Z)),
    }


Spec = NoiseSpec | NormsSpec | EstimatorSpec
