"""alpha^ and the scale of the gradient noise against the minibatch size: `batch_size` and `batch_scaling`."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tailnoise_utils import diagnosis
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.noise.gradient import minibatch_gradient
from tailnoise_utils.noise.matrix import deviation
from tailnoise_utils.noise.parameters import slices

from .iterations import decomposition_trainings
from .spec import FIXED_K1, Measured, Progress, Row, indices
from .trainings import few, seeds, training

_CHUNK = 1000  # images in one backward pass: larger minibatches are averaged, so that memory does not grow with b


def draw(n: int, b: int, count: int, seed: int) -> Iterator[Int64[Tensor, " b"]]:
    """Yield minibatches of b of n samples: partitions (generator [5, seed, b, its number]) without their last minibatch."""
    drawn, partition = 0, 0  # the noise of all minibatches of a partition would add up to zero
    while drawn < count:
        order = np.random.default_rng([5, seed, b, partition]).permutation(n)
        for start in range(0, min(n // b - 1, count - drawn) * b, b):
            yield torch.from_numpy(order[start : start + b])
        drawn, partition = drawn + n // b - 1, partition + 1


@dataclass(frozen=True)
class BatchSizeSpec(Measured):
    """Train a network and take alpha^ of its noise, about the full gradient, of equally many minibatches a size."""

    points: tuple[int, ...]  #: which snapshots
    batch_sizes: tuple[int, ...]  #: the sizes b, each from 1 to half of the training images
    minibatches: int | tuple[int, ...]  #: how many of each size, P, 2 or more

    def _counts(self) -> tuple[int, ...]:
        """Return how many minibatches there are of each size."""
        one = isinstance(self.minibatches, int)
        return (self.minibatches,) * len(self.batch_sizes) if one else self.minibatches

    def _mean_gradient(self, model: nn.Module, chosen: Int64[Tensor, " b"]) -> Float[Tensor, " p"]:
        """Return the gradient of the mean loss of some training images, dropout off; of many images in float64."""
        (x, y), total = self._split("train"), None
        for part in chosen.to(x.device).split(_CHUNK):
            g = minibatch_gradient(model, self._loss(), (x.index_select(0, part), y.index_select(0, part))).flat()
            if len(part) == len(chosen):
                return g
            g = g.double().mul_(len(part) / len(chosen))
            total = g if total is None else total.add_(g)
        return total

    def _centre(self, model: nn.Module) -> Float[Tensor, " p"]:
        """Return the full gradient; refuse sizes that are none of minibatches, and fewer than two minibatches of a size."""
        n, sizes, counts = self.train.n_train, self.batch_sizes, self._counts()
        if len(sizes) != len(counts) or min(counts) < 2 or min(sizes) < 1 or max(sizes) > n // 2:
            raise ValueError(
                f"{self.minibatches} minibatches of {sizes}: take 2 or more, of sizes from 1 to half of the {n} images"
            )
        return self._mean_gradient(model, torch.arange(n))

    def _noise(
        self, model: nn.Module, centre: Float[Tensor, " p"], progress: Progress
    ) -> Iterator[tuple[int, Iterator[Float[Tensor, " p"]]]]:
        """Yield each size, and the noise of its minibatches, to be taken before the next size."""
        for b, count in zip(self.batch_sizes, self._counts(), strict=True):
            drawn = draw(self.train.n_train, b, count, self.train.seed)
            yield b, (deviation(self._mean_gradient(model, chosen), centre) for chosen in drawn)
            progress(1 / len(self.batch_sizes))

    def matrices(self, model: nn.Module, progress: Progress) -> Iterator[tuple[int, Float[Tensor, "P p"]]]:
        """Yield each size with the noise matrix of its minibatches, which that of the next size overwrites."""
        centre = self._centre(model)
        U = centre.new_empty(self.minibatches, len(centre), dtype=torch.float32)
        for b, noises in self._noise(model, centre, progress):
            for row, noise in zip(U, noises, strict=True):
                row.copy_(noise)
            yield b, U

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return, per size (`x`), what `indices` gives; and loss and accuracy on both splits."""
        rows = self._performance(model, "train") + self._performance(model, "test")
        for b, U in self.matrices(model, progress):
            for row in indices(U):
                quantity = f"1/alpha (corrected, K1 = {FIXED_K1})" if "x" in row else row["quantity"]
                rows.append(row | {"split": "train", "quantity": quantity, "x": b})
        return rows


def batch_size_grid(profile: str) -> tuple[BatchSizeSpec, ...]:
    """Measure FCNs of depth 2 and 4 against the minibatch size, of the training and of the measurement; 3 seeds."""
    datasets, depths, width, P, iterations = ("mnist", "cifar10"), (2, 4), 128, 100, 4000
    trained_at, sizes = (50, 100, 200, 1000), (10, 50, 100, 200, 500, 1000, 2000, 5000)
    if profile == "smoke":
        datasets, depths, width, P, iterations = ("digits",), (2,), 16, 20, 400
        trained_at, sizes = (15, 150), (10, 50, 150)
    if profile == "constant":
        trained_at, iterations = (50, 100, 200, 1000, 2000, 5000), 65_000
    specs = []
    for seed, dataset, depth in product(seeds(profile), datasets, depths):
        size = {"depth": depth, "width": width, "seed": seed}
        settings = size | {"iterations": iterations, "snapshots": few(iterations)}
        t = training("fcn", dataset, profile, **settings)
        specs.append(BatchSizeSpec(t, (0, iterations), (*sizes, t.n_train // 2), P))
        for b in trained_at:
            t = training("fcn", dataset, profile, batch_size=b, **settings)
            specs.append(BatchSizeSpec(t, (iterations,), (b,), P))
    return tuple(specs)


@dataclass(frozen=True)
class ScalingSpec(BatchSizeSpec):
    r"""Train a network and follow the log-scale L of its gradient noise as the minibatch grows, up to half of the data.

    L(b) is taken over coordinates whose full gradient is not exactly zero: the same at all b. If the samples' gradients
    have a finite variance, :math:`dL/d\ln b \to -1/2`; under a stable law it is about :math:`1/\alpha - 1` up to b = n/10.
    """

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return log-scales (`x` is the size) and the live share, of the network and each layer; loss and accuracy."""
        centre = self._centre(model)
        rows = self._performance(model, "train")
        live = centre != 0
        if not bool(live.any()):
            raise NothingAlive("nothing is alive: the full gradient is exactly zero")
        layers = slices(model)
        for scope, parts in {"all": [slice(None)], **layers}.items():
            share = float(torch.cat([live[part] for part in parts]).double().mean())
            rows.append({"scope": scope, "quantity": "live share", "value": share})
        for b, noises in self._noise(model, centre, progress):
            for scope, (value, se) in diagnosis.log_scale(
                noises, b, self.train.n_train, groups=layers, live=live
            ).items():
                rows.append({"scope": scope, "quantity": "log-scale", "x": b, "value": value, "se": se})
        return [row | {"split": "train"} for row in rows]


def batch_scaling_grid(profile: str) -> tuple[ScalingSpec, ...]:
    """Follow the log-scale of the noise against b, before and after training, for networks of `decomposition`; 3 seeds."""
    specs = []
    for t in decomposition_trainings(profile):
        n = t.n_train
        sizes = (*[b for e in range(5) for m in (1, 2, 5) if 3 * (b := m * 10**e) < n], n // 2)
        # 120 of each size; fewer, but 10 at least, where they would be more than twice the data.
        counts = tuple(max(10, min(120, 2 * n // b)) for b in sizes)
        specs.append(ScalingSpec(t, (0, t.iterations), sizes, counts))
    return tuple(specs)
