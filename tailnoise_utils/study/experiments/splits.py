"""Gradient noise over the training and over the test images."""

from dataclasses import dataclass

from torch import nn

from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches

from ..networks import models
from .indices import indices
from .iterations import DiagnosisSpec
from .spec import Progress, Row

__all__ = ["SplitsSpec"]


@dataclass(frozen=True)
class SplitsSpec(DiagnosisSpec):
    """As :class:`DiagnosisSpec`, and the tail indices of the noise over the test images too.

    The test images are cut at random (seed 2 10^6 + the run's, as the training images are) into minibatches of the same
    size; those that do not fill one are left out. There are fewer of them than of the training images, and so fewer
    minibatches: alpha^ of both is compared at one block length.
    """

    @property
    def pictures_per_point(self) -> int:
        """Every training image once in each order, and every test image."""
        return super().pictures_per_point + self.train.n_test

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Measure one snapshot.

        Args:
            model: the network at the snapshot.
            progress: told how much is done.

        Returns:
            What an :class:`DiagnosisSpec` has; on the test images alpha^ in both conventions and, corrected, at K1 = 1000, and
            the share of dead coordinates, or that nothing is alive.
        """
        share = self.train.n_test / self.pictures_per_point
        rows = super().measure(model, lambda part: progress(part * (1 - share)))
        pictures, seed = self._images(), 2 * 10**6 + self.train.seed
        batches = Minibatches(pictures.x_test, pictures.y_test, self.noise_batch_size, seed=seed, drop_last=True)
        try:
            found = indices(noise_matrix(model, models.LOSSES[self.train.loss], batches))
        except NothingAlive:
            found = [{"quantity": "nothing alive", "value": 1.0}]
        progress(share)
        return rows + [row | {"split": "test"} for row in found]
