"""Norms of the gradient noise, beside those of known laws: `noise_histogram`."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from tailnoise_utils import diagnosis, stable, tail_index
from tailnoise_utils.noise.matrix import noise_matrix

from .iterations import iterations_grid
from .spec import Measured, Progress, Row
from .trainings import few


@dataclass(frozen=True)
class NormsSpec(Measured):
    """Train a network and take the norm of its gradient noise over several random partitions, beside references.

    Each has as many norms: of p independent Gaussian entries with the noise's mean square; of p independent SaS entries
    with its alpha^ and mean log|X| (the paper's two); of Gaussian vectors with the covariance behind the first partition.
    """

    noise_batch_size: int  #: images in a minibatch when noise is measured
    points: tuple[int, ...]  #: which snapshots
    partitions: int  #: number of random partitions of the data

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return a row a norm (`x` is its number), loss and accuracy, and 1/alpha^ of the stable reference."""
        norms: list[float] = []
        for k in range(self.partitions):
            U = noise_matrix(model, self._loss(), self._batches(partition=k))
            norms += U.double().norm(dim=1).tolist()
            progress(1 / self.partitions)
            if k == 0:
                index, live = tail_index.mohammadi(U), U[:, (U != 0).any(0)].double()
                generator = np.random.default_rng(4 * 10**6 + self.train.seed)
                references = norm_references(live, index.alpha, self.partitions, generator)
        rows = self._performance(model, "train")
        rows.append({"quantity": "1/alpha (corrected)", "value": index.inverse, "se": index.inverse_se})
        for name, values in {"norm": np.array(norms), **references}.items():
            rows += [{"quantity": name, "x": float(i), "value": float(value)} for i, value in enumerate(values)]
        return [row | {"split": "train"} for row in rows]


def norm_references(
    U: Float[Tensor, "P p"], alpha: float, partitions: int, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw norms of noise of known laws with the size of U, as :class:`NormsSpec` says."""
    P, p = U.shape
    count = P * partitions
    alpha = min(alpha, 2.0)  # no stable law has a larger index
    log_scale = float(U[U != 0].abs().log().mean()) - np.euler_gamma * (1 / alpha - 1)  # E ln|S| = gamma (1/alpha - 1)
    stable_norms = [np.linalg.norm(stable.sample(alpha, p, generator=generator)) for _ in range(count)]
    return {
        "norm, Gaussian (independent)": np.sqrt(float(U.square().mean()) * generator.chisquare(p, count)),
        "norm, stable (independent)": math.exp(log_scale) * np.array(stable_norms),
        "norm, Gaussian (same covariance)": diagnosis.gaussian_norms(U @ U.T, p, (count,), generator),
    }


def noise_histogram_grid(profile: str) -> tuple[NormsSpec, ...]:
    """Compare norms of the gradient noise of the CNN of `iterations` (the same trainings) with known laws; 3 seeds."""
    trainings = [spec.train for spec in iterations_grid(profile) if spec.train.model == "cnn"]
    partitions = 2 if profile == "smoke" else 3
    return tuple(NormsSpec(t, t.batch_size, few(t.iterations), partitions) for t in trainings)
