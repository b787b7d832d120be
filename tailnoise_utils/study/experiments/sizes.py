"""alpha^ against the size of the network, as the paper varies it: `fcn_size` and `cnn_size`."""

from dataclasses import dataclass
from itertools import product

from torch import nn

from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.noise.matrix import noise_matrix

from .iterations import DiagnosisSpec
from .spec import Progress, Row, indices
from .trainings import few, finely, seeds, training

_LATE = (0, 100, 1000, 10_000, 30_000, 50_000, 65_000)  # of the paper's long runs: alpha^ is averaged late in training
_POWERS = tuple(2**k for k in range(1, 11))


@dataclass(frozen=True)
class SplitsSpec(DiagnosisSpec):
    """Measure as `DiagnosisSpec` does, and tail indices over the test images: fewer minibatches of the same size."""

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return what a `DiagnosisSpec` has, and `indices` on the test images, or that nothing is alive there."""
        share = self.train.n_test / (2 * self.train.n_train + self.train.n_test)
        rows = super().measure(model, lambda part: progress(part * (1 - share)))
        try:
            on_test = indices(noise_matrix(model, self._loss(), self._batches(split="test")))
        except NothingAlive:
            on_test = [{"quantity": "nothing alive", "value": 1.0}]
        progress(share)
        return rows + [row | {"split": "test"} for row in on_test]


def fcn_size_grid(profile: str) -> tuple[DiagnosisSpec, ...]:
    """Measure alpha^ of FCNs against width and depth, MNIST and CIFAR-10, both losses; 3 seeds, one after another."""
    datasets, losses = ("mnist", "cifar10"), ("nll", "hinge")
    widths, depths, iterations, points = (4, 16, 64, 256), (2, 4, 6, 10), 4000, few(4000)
    if profile == "smoke":
        datasets, losses, widths, depths, iterations, points = ("digits",), ("nll",), (4, 16), (2, 4), 100, (100,)
    if profile == "constant":
        widths, depths, iterations, points = _POWERS[1:], tuple(range(2, 11)), 65_000, _LATE
    grid = [(*network, seed) for seed in seeds(profile) for network in product(datasets, losses, depths, widths)]
    if profile == "laptop":  # the paper's largest width once, after the first seed of all others
        first = len(grid) // 3
        grid[first:first] = [(dataset, "nll", 4, 1024, 0) for dataset in datasets]
    specs = []
    for dataset, loss, depth, width, seed in grid:
        settings = {"depth": depth, "width": width, "loss": loss, "snapshots": points, "seed": seed}
        t = training("fcn", dataset, profile, iterations=iterations, **settings)
        specs.append(DiagnosisSpec(t, t.batch_size, points))
    return tuple(specs)


def cnn_size_grid(profile: str) -> tuple[SplitsSpec, ...]:
    """Measure alpha^ and accuracy of CNNs, on both splits, against the filters; CIFAR-10 and -100, both losses; 3 seeds."""
    datasets, losses, filters = ("cifar10", "cifar100"), ("nll", "hinge"), (4, 8, 16, 32)
    # In 3,000 steps most CNNs do not leave chance; with a hinge loss none ever does.
    lengths = {"nll": 10_000, "hinge": 3000}
    if profile == "smoke":
        datasets, losses, filters = ("digits32",), ("nll",), (2, 4)
    if profile == "constant":
        filters = _POWERS[:9]
    specs = []
    for seed, dataset, loss, width in product(seeds(profile), datasets, losses, filters):
        iterations = {"smoke": 60, "constant": 65_000}.get(profile, lengths[loss])
        points = {"smoke": (60,), "constant": _LATE}.get(profile, few(iterations))
        # Snapshots as `iterations` has them: the CNNs that are there too are trained once.
        snapshots = finely(iterations) if (loss, profile) == ("nll", "laptop") else points
        settings = {"width": width, "loss": loss, "snapshots": snapshots, "seed": seed}
        t = training("cnn", dataset, profile, iterations=iterations, **settings)
        specs.append(SplitsSpec(t, t.batch_size, points))
    return tuple(specs)
