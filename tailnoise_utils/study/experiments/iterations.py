"""Gradient noise along the training of a network."""

from dataclasses import dataclass

from torch import nn

from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.measurement.report import Report
from tailnoise_utils.noise.minibatches import Minibatches

from ..networks import models
from ..networks.train import evaluate
from .spec import Measured, Progress, Row

__all__ = ["DiagnosisSpec", "NoiseSpec"]

# Bytes of a noise matrix up to which it is held, whatever is free: rows must not depend on who else runs.
_MATRIX = 2**31


@dataclass(frozen=True)
class NoiseSpec(Measured):
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

    noise_batch_size: int
    noise_orders: tuple[str, ...]
    noise_mode: str

    @property
    def points(self) -> tuple[int, ...]:
        """All snapshots of the training."""
        return self.train.snapshots

    @property
    def pictures_per_point(self) -> int:
        """Every image once for each order."""
        return len(self.noise_orders) * self.train.n_train

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Measure one snapshot: a pure function of its weights, the data and the settings.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            What a report has for each order (in data order with ", data order" in the quantity), loss and accuracy on both
            splits.
        """
        return _measure(self, model, progress, self.noise_orders, self.noise_mode)


@dataclass(frozen=True)
class DiagnosisSpec(Measured):
    """Train a network and measure its gradient noise, with the diagnosis of alpha^, at some of the snapshots.

    As :class:`NoiseSpec` measures (the same seeds), in one random partition, dropout off; 99 Gaussian twins for the
    tests, at most 2^25 entries of the matrix. In data order there are the tail indices only.

    Attributes:
        noise_batch_size: images in a minibatch when noise is measured.
        points: which snapshots.
    """

    noise_batch_size: int
    points: tuple[int, ...]

    @property
    def pictures_per_point(self) -> int:
        """Every image once in each order."""
        return 2 * self.train.n_train

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Measure one snapshot.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            What a :class:`NoiseSpec` has, and what the diagnosis has.
        """
        return _measure(self, model, progress, ("random", "data"), "eval", diagnosis=True)


def _measure(
    spec: NoiseSpec | DiagnosisSpec,
    model: nn.Module,
    progress: Progress,
    orders: tuple[str, ...],
    mode: str,
    *,
    diagnosis: bool = False,
) -> list[Row]:
    """Loss, accuracy and a report for each order."""
    pictures, loss_fn = spec._images(), models.LOSSES[spec.train.loss]
    loss, accuracy = evaluate(model, loss_fn, pictures.x_test, pictures.y_test)
    rows: list[Row] = [
        {"split": "test", "quantity": "loss", "value": loss},
        {"split": "test", "quantity": "accuracy", "value": accuracy},
    ]
    for order in orders:
        batches = Minibatches(
            pictures.x_train, pictures.y_train, spec.noise_batch_size, order=order, seed=2 * 10**6 + spec.train.seed
        )
        report = measure(
            model,
            loss_fn,
            batches,
            mode=mode,
            seed=3 * 10**6 + spec.train.seed,
            groups=None if order == "random" else {},
            diagnosis=diagnosis and order == "random",
            memory=_MATRIX,
            entries=2**25,
            progress=lambda part: progress(part / len(orders)),
        )
        rows += [row | {"split": "train"} for row in _of_order(report, order)]
    return rows


def _of_order(report: Report, order: str) -> list[Row]:
    """A report's rows; in data order only the tail indices, which say so."""
    if order == "random":
        return report.rows()
    kept = [row for row in report.rows() if "alpha" in row["quantity"] or "K1" in row["quantity"]]
    return [row | {"quantity": row["quantity"].replace(")", ", data order)")} for row in kept]
