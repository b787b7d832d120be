"""Settings of the trainings that the experiments have in common."""

from typing import Any

from ..networks.snapshots import TrainSpec

_SIZES = {
    "digits": (1500, 297),
    "digits32": (1000, 297),
    "mnist": (60_000, 10_000),
    "cifar10": (50_000, 9_500),
    "cifar100": (20_000, 10_000),
}


def training(model: str, dataset: str, profile: str, *, iterations: int, depth: int = 3, **more: Any) -> TrainSpec:
    """Give a training with b = 500 (50 in smoke), step 0.1, cross-entropy, the points of `along`, unless `more` differs."""
    n_train, n_test = _SIZES[dataset]  # all images, of CIFAR-100 a part
    if dataset == "cifar100" and profile in ("constant", "paper", "full"):
        n_train = 50_000
    settings: dict[str, Any] = {"dataset": dataset, "n_train": n_train, "n_test": n_test, "iterations": iterations}
    settings |= {"model": model, "depth": depth if model == "fcn" else 0, "loss": "nll", "lr": 0.1}
    settings |= {"batch_size": 50 if profile == "smoke" else 500, "schedule": "constant", "order": "random"}
    settings |= {"snapshots": along(iterations, profile)}
    return TrainSpec(**settings | more)


def seeds(profile: str) -> range:
    """Give 0, 1, 2; in smoke 0, 1."""
    return range(2 if profile == "smoke" else 3)


def along(iterations: int, profile: str) -> tuple[int, ...]:
    """Give 0, 1, 2, 3, 5, 7, 10, 20, ... up to the end: dense early, where alpha^ moves; in smoke 0, 1, 10, 100, ..."""
    steps = [m * 10**e for e in range(6) for m in ((1,) if profile == "smoke" else (1, 2, 3, 5, 7))]
    return (0, *[step for step in steps if step < iterations], iterations)


def finely(iterations: int) -> tuple[int, ...]:
    """Give the points of `along`, every 100 steps up to 2000, and every 500 after them."""
    more = (*range(100, 2000, 100), *range(2000, iterations, 500))
    return tuple(sorted({*along(iterations, "laptop"), *(step for step in more if step < iterations)}))


def few(iterations: int) -> tuple[int, ...]:
    """Give the points of the diagnosis: before, soon after the start, along, and at the end of training."""
    return (*[point for point in (0, 100, 1000, 10_000) if point < iterations], iterations)
