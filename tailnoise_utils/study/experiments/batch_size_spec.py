"""The tail index of the gradient noise against the minibatch size."""

from dataclasses import dataclass

import torch
from torch import nn

from tailnoise_utils.noise.matrix import deviation

from ..networks import models
from ..networks.train import evaluate
from .indices import FIXED_K1, indices
from .minibatches import draw, mean_gradient
from .spec import Measured, Progress, Row

__all__ = ["BatchSizeSpec"]


@dataclass(frozen=True)
class BatchSizeSpec(Measured):
    """Train a network and take alpha^ of its gradient noise at some minibatch sizes, of equally many minibatches at each.

    alpha^ depends on the number of minibatches, through K1 and through how well it is known: here that number is the same
    at all sizes b. Minibatches are drawn from random partitions of the data, of each partition all but the last, and
    disjoint within one (NumPy's generator of [5, the run's seed, b, number of the partition]); up to b = n / (P + 1) they
    are of one partition. Noise is about the full gradient, also where the minibatches are fewer than the data. Dropout is
    off.

    Attributes:
        points: which snapshots.
        batch_sizes: the sizes b, each from 1 to half of the training images.
        minibatches: how many of each size, P, 2 or more.
    """

    points: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    minibatches: int

    @property
    def pictures_per_point(self) -> int:
        """Images whose gradient is taken at a snapshot."""
        return self.train.n_train + sum(self.batch_sizes) * self.minibatches

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """The tail indices at one snapshot.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            Per size (`x`) 1/alpha^ and K1 in both conventions and 1/alpha^, corrected, at K1 = 1000; the share of coordinates
            that are the same in all minibatches of that size; loss and accuracy on both splits.

        Raises:
            ValueError: sizes or a number of minibatches out of range.
            NothingAlive: all minibatches of a size have the same gradient.
        """
        n, P = self.train.n_train, self.minibatches
        if P < 2 or min(self.batch_sizes) < 1 or max(self.batch_sizes) > n // 2:
            raise ValueError(
                f"{P} minibatches of {self.batch_sizes}: take 2 or more, of sizes from 1 to half of the {n} images"
            )
        pictures, loss_fn = self._images(), models.LOSSES[self.train.loss]
        rows: list[Row] = []
        halves = {"train": (pictures.x_train, pictures.y_train), "test": (pictures.x_test, pictures.y_test)}
        for split, (x, y) in halves.items():
            values = zip(("loss", "accuracy"), evaluate(model, loss_fn, x, y), strict=True)
            rows += [{"split": split, "quantity": name, "value": value} for name, value in values]
        centre = mean_gradient(model, self.train, pictures, torch.arange(n))
        progress(n / self.pictures_per_point)
        U = centre.new_empty(P, len(centre), dtype=torch.float32)
        for b in self.batch_sizes:
            for row, chosen in zip(U, draw(n, b, P, self.train.seed), strict=True):
                deviation(mean_gradient(model, self.train, pictures, chosen), centre, out=row)
                progress(b / self.pictures_per_point)
            for found in indices(U):
                quantity = f"1/alpha (corrected, K1 = {FIXED_K1})" if "x" in found else found["quantity"]
                rows.append(found | {"split": "train", "quantity": quantity, "x": b})
        return rows
