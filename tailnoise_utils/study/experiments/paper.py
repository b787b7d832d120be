"""The networks of the paper's figures at the paper's own settings."""

from itertools import product
from typing import Any

from ..networks.snapshots import PaperTrainSpec
from .paper_spec import PaperSpec
from .trainings import training

HORIZON = 65_000


def paper_run(
    model: str, dataset: str, width: int, depth: int, seed: int, *, dense: int = 0, last: int = HORIZON, **more: Any
) -> PaperSpec:
    """Give one run: b = 500, step 0.1 halved at thirds of 65,000 steps, until the network fits (looked at every 100).

    Args:
        model: ``"fcn"`` or ``"cnn"``.
        dataset: name of the data set.
        width: of the layers, or filters.
        depth: of an FCN.
        seed: of the run.
        dense: measured every 100 steps up to here, then every 1,000.
        last: steps after which a run is cut.
        more: `batch_size` of the training, `norms` and `streamed` of the measurement.

    Returns:
        The run.
    """
    norms, streamed = more.pop("norms", False), more.pop("streamed", ())
    points = sorted({*range(0, dense + 1, 100), *range(0, last + 1, 1000), last})
    settings = {"width": width, "seed": seed, "iterations": last, "snapshots": tuple(points), "schedule": "halved"}
    base = training(model, dataset, "paper", depth=depth, **settings | more)
    return PaperSpec(PaperTrainSpec(**vars(base), horizon=HORIZON, look=100), 500, norms, streamed)


def _iterations(*, full: bool) -> tuple[PaperSpec, ...]:
    """Figures 7, 8 and 1: FCN 9 x 512 on MNIST and CIFAR-10, CNN of 64 filters; depths 8 and 10, and b = 100, cut short."""
    sets = ("cifar10", "mnist")
    cut = {"dense": 3000, "last": 3000}
    first = [paper_run("fcn", dataset, 512, 9, 0, dense=3000) for dataset in sets]
    first.append(paper_run("cnn", "cifar10", 64, 0, 0, dense=5000, norms=True))
    first += [paper_run("fcn", dataset, 512, depth, 0, **cut) for depth, dataset in product((8, 10), sets)]
    streamed = (0, 500, 1000, 3000)
    first += [paper_run("fcn", dataset, 512, 9, 0, batch_size=100, streamed=streamed, **cut) for dataset in sets]
    return (*first, *(paper_run("fcn", dataset, 512, 9, seed, dense=3000) for seed in (1, 2) for dataset in sets))


def _fcn_size(*, full: bool) -> tuple[PaperSpec, ...]:
    """Figure 4: widths 32 and 128 at depths 2 to 10, 3 seeds; width 512 at depths 2, 4 and 10 once; MNIST and CIFAR-10."""
    sizes, once = list(product((32, 128), (2, 4, 6, 8, 10))), list(product((512,), (2, 4, 10)))
    if full:
        sizes, once = list(product([2**k for k in range(2, 11)], range(2, 11))), []
    return tuple(
        paper_run("fcn", dataset, width, depth, seed)
        for seed in range(3)
        for (width, depth), dataset in product(sizes + (once if seed == 0 else []), ("mnist", "cifar10"))
    )


def _cnn_size(*, full: bool) -> tuple[PaperSpec, ...]:
    """Figure 5: CNN of 2 to 32 filters on CIFAR-10 and CIFAR-100; up to 16 filters on CIFAR-10 with 3 seeds."""
    sets, filters = ("cifar10", "cifar100"), (2, 4, 8, 16, 32)
    grid = [(*which, 0) for which in product(sets, filters)]
    grid += [("cifar10", width, seed) for seed in (1, 2) for width in filters[:4]]
    if full:
        grid = [(*which, seed) for seed in range(3) for which in product(sets, [2**k for k in range(1, 10)])]
    return tuple(paper_run("cnn", dataset, width, 0, seed) for dataset, width, seed in grid)


PAPER = {"iterations": _iterations, "fcn_size": _fcn_size, "cnn_size": _cnn_size}
