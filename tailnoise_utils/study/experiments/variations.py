"""alpha^ against the minibatch size, and under the departures of the public code from the text."""

from itertools import product
from typing import Any

from .specs import BatchSizeSpec, DeparturesSpec, Spec
from .trainings import few, training


def batch_size(profile: str) -> tuple[Spec, ...]:
    """alpha^ of FCNs of depth 2 and 4 against the minibatch size, of the training and of the measurement; 3 seeds."""
    datasets, depths, width, P, iterations = ("mnist", "cifar10"), (2, 4), 128, 100, 4000
    trained_at, sizes = (50, 100, 200, 1000), (10, 50, 100, 200, 500, 1000, 2000, 5000)
    if profile == "smoke":
        datasets, depths, width, P, iterations = ("digits",), (2,), 16, 20, 400
        trained_at, sizes = (15, 150), (10, 50, 150)
    if profile == "constant":
        trained_at, iterations = (50, 100, 200, 1000, 2000, 5000), 65_000
    specs = []
    for seed, dataset, depth in product(range(3), datasets, depths):
        settings = {
            "depth": depth,
            "width": width,
            "iterations": iterations,
            "snapshots": few(iterations),
            "seed": seed,
        }
        t = training("fcn", dataset, profile, **settings)
        specs.append(BatchSizeSpec(t, (0, iterations), (*sizes, t.n_train // 2), P))
        for b in trained_at:
            t = training("fcn", dataset, profile, batch_size=b, **settings)
            specs.append(BatchSizeSpec(t, (iterations,), (b,), P))
    return tuple(specs)


def departures(profile: str) -> tuple[Spec, ...]:
    """alpha^ as the paper's text has it and with each departure of its code, one at a time and all together; 3 seeds."""
    networks: list[dict[str, Any]] = [
        {"model": "fcn", "dataset": "mnist", "width": 128, "iterations": 3000},
        {"model": "fcn", "dataset": "cifar10", "width": 128, "iterations": 3000},
        {"model": "cnn", "dataset": "cifar10", "width": 16, "iterations": 2000},
    ]
    small = 100  # the batch size that the code has unless told otherwise
    if profile == "smoke":
        networks, small = [{"model": "cnn", "dataset": "digits32", "width": 4, "iterations": 20}], 30
    # Of the training, and of the measurement: the order of the images, and dropout.
    variations: list[tuple[dict[str, Any], str, str]] = [
        ({}, "random", "eval"),
        ({"schedule": "halved"}, "random", "eval"),
        ({}, "data", "eval"),
        ({"order": "data"}, "data", "eval"),
        ({"batch_size": small}, "random", "eval"),
        ({"schedule": "halved", "order": "data", "batch_size": small}, "data", "eval"),
    ]
    dropout = ({}, "random", "train")
    specs = []
    for seed, of in product(range(3), networks):
        for changes, order, mode in (*variations, dropout) if of["model"] == "cnn" else variations:
            t = training(**of, profile=profile, seed=seed, snapshots=(0, of["iterations"]), **changes)
            specs.append(DeparturesSpec(t, t.batch_size, order, mode, (0, of["iterations"])))
    return tuple(specs)
