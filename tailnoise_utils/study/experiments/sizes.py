"""alpha^ against the size of the network, as the paper varies it."""

from itertools import product

from .specs import DiagnosisSpec, Spec, SplitsSpec
from .trainings import few, finely, training

_LATE = (0, 100, 1000, 10_000, 30_000, 50_000, 65_000)  # of the paper's long runs: alpha^ is averaged late in training
_POWERS = tuple(2**k for k in range(1, 11))


def fcn_size(profile: str) -> tuple[Spec, ...]:
    """alpha^ of FCNs against width and depth, MNIST and CIFAR-10, both losses; 3 seeds, one after another."""
    datasets, losses = ("mnist", "cifar10"), ("nll", "hinge")
    widths, depths, iterations, points = (4, 16, 64, 256), (2, 4, 6, 10), 4000, few(4000)
    if profile == "smoke":
        datasets, losses, widths, depths, iterations, points = ("digits",), ("nll",), (4, 16), (2, 4), 100, (100,)
    if profile == "constant":
        widths, depths, iterations, points = _POWERS[1:], tuple(range(2, 11)), 65_000, _LATE
    grid = [(*of, seed) for seed in range(3) for of in product(datasets, losses, depths, widths)]
    if profile == "laptop":  # the paper's largest width once, after the first seed of all others
        first = len(grid) // 3
        grid[first:first] = [(dataset, "nll", 4, 1024, 0) for dataset in datasets]
    specs = []
    for dataset, loss, depth, width, seed in grid:
        size = {"depth": depth, "width": width}
        more = {"loss": loss, "iterations": iterations, "snapshots": points, "seed": seed}
        t = training("fcn", dataset, profile, **size, **more)
        specs.append(DiagnosisSpec(t, t.batch_size, points))
    return tuple(specs)


def cnn_size(profile: str) -> tuple[Spec, ...]:
    """alpha^ and accuracy of CNNs, on both splits, against the filters; CIFAR-10 and CIFAR-100, both losses; 3 seeds.

    Args:
        profile: one of ``PROFILES``.

    Returns:
        The grid. In laptop 10,000 iterations with cross-entropy, for in 3,000 most CNNs do not leave chance; 3,000 with a
        hinge loss, with which none does.
    """
    datasets, losses = ("cifar10", "cifar100"), ("nll", "hinge")
    filters, lengths = (4, 8, 16, 32), {"nll": 10_000, "hinge": 3000}
    if profile == "smoke":
        datasets, losses, filters = ("digits32",), ("nll",), (2, 4)
    if profile == "constant":
        filters = _POWERS[:9]
    specs = []
    for seed, dataset, loss, width in product(range(3), datasets, losses, filters):
        iterations = {"smoke": 60, "constant": 65_000}.get(profile, lengths[loss])
        points = {"smoke": (60,), "constant": _LATE}.get(profile, few(iterations))
        # Snapshots as `iterations` has them: the CNNs that are there too are trained once.
        snapshots = finely(iterations) if (loss, profile) == ("nll", "laptop") else points
        more = {"width": width, "loss": loss, "iterations": iterations, "snapshots": snapshots, "seed": seed}
        t = training("cnn", dataset, profile, **more)
        specs.append(SplitsSpec(t, t.batch_size, points))
    return tuple(specs)
