"""The log-scale of the gradient noise against the minibatch size."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tailnoise_utils import diagnosis
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.noise.matrix import deviation
from tailnoise_utils.noise.parameters import slices

from ..networks import models
from ..networks.train import evaluate
from .minibatches import draw, mean_gradient
from .spec import Measured, Progress, Row

__all__ = ["ScalingSpec"]


@dataclass(frozen=True)
class ScalingSpec(Measured):
    r"""Train a network and follow the log-scale of its gradient noise as the minibatch grows, up to half of the data.

    At each size b some minibatches are drawn from random partitions of the data, of each partition all but the last: the
    noise of all of them adds up to zero (NumPy's generator of [5, the run's seed, b, number of the partition]).

    L(b) is taken (:func:`tailnoise_utils.diagnosis.batch_scaling.log_scale`) over live coordinates, those where the full gradient
    is not exactly zero: the same at all b. If the samples' gradients have a finite variance, :math:`dL/d\ln b \to -1/2`;
    under a stable law of index :math:`\alpha` it is about :math:`1/\alpha - 1` up to b = n/10, exactly what
    :func:`tailnoise_utils.diagnosis.batch_scaling.stable_log_scale` says. Dropout is off.

    Attributes:
        points: which snapshots.
        batch_sizes: the sizes b, each from 1 to half of the training images.
        minibatches: how many of each size, 2 or more.
    """

    points: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    minibatches: tuple[int, ...]

    @property
    def pictures_per_point(self) -> int:
        """Images whose gradient is taken at a snapshot."""
        return self.train.n_train + sum(b * count for b, count in zip(self.batch_sizes, self.minibatches, strict=True))

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """The log-scale at one snapshot.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            Of the whole network and of each layer, per size (`x`), "log-scale" with its standard error over the
            minibatches, and the share of live coordinates; loss and accuracy on the training images.

        Raises:
            ValueError: sizes or a number of minibatches out of range.
            NothingAlive: the full gradient is zero everywhere.
        """
        n, sizes = self.train.n_train, self.batch_sizes
        if len(sizes) != len(self.minibatches) or min(self.minibatches) < 2 or min(sizes) < 1 or max(sizes) > n // 2:
            raise ValueError(
                f"{self.minibatches} minibatches of {sizes}: take 2 or more, of sizes from 1 to half of the {n} images"
            )
        pictures, loss_fn = self._images(), models.LOSSES[self.train.loss]
        loss, accuracy = evaluate(model, loss_fn, pictures.x_train, pictures.y_train)

        def gradient_of(chosen: Int64[Tensor, " b"]) -> Float[Tensor, " p"]:
            g = mean_gradient(model, self.train, pictures, chosen)
            progress(len(chosen) / self.pictures_per_point)
            return g

        centre = gradient_of(torch.arange(n))
        live = centre != 0
        if not bool(live.any()):
            raise NothingAlive("nothing is alive: the full gradient is exactly zero")
        layers = slices(model)
        rows: list[Row] = [{"quantity": "loss", "value": loss}, {"quantity": "accuracy", "value": accuracy}]
        for scope, parts in {"all": [slice(None)], **layers}.items():
            share = float(torch.cat([live[part] for part in parts]).double().mean())
            rows.append({"scope": scope, "quantity": "live share", "value": share})
        for b, count in zip(sizes, self.minibatches, strict=True):
            noise = (deviation(gradient_of(chosen), centre) for chosen in draw(n, b, count, self.train.seed))
            for scope, (value, se) in diagnosis.log_scale(noise, b, n, groups=layers, live=live).items():
                rows.append({"scope": scope, "quantity": "log-scale", "x": b, "value": value, "se": se})
        return [row | {"split": "train"} for row in rows]
