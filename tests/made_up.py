"""Made up for the tests: a training that takes no time, and tables of what runs of networks would store."""

import random
from itertools import product

import numpy as np
import pandas as pd
import pytest

from tailnoise_utils.study.networks.snapshots import TrainSpec
from tailnoise_utils.study.results.store import Results

_DIGITS = {"dataset": "digits", "n_train": 200, "n_test": 50, "model": "fcn", "width": 8, "depth": 3, "loss": "nll"}
_STEPS = {
    "batch_size": 20,
    "lr": 0.1,
    "schedule": "constant",
    "order": "random",
    "iterations": 6,
    "snapshots": (0, 3, 6),
}


# Networks so small that blocks are whole columns of the last layer, whose gradients add up to zero over the classes.
whole_columns = pytest.mark.filterwarnings("ignore:.*of the sums over K1 = .* are rounding errors of zero:UserWarning")


def tiny(kind=TrainSpec, **changes):
    """A training of 200 digits in six steps."""
    return kind(**_DIGITS | _STEPS | {"seed": 1} | changes)


FCN = [("fcn", data, loss) for data in ("mnist", "cifar10") for loss in ("nll", "hinge")]
CNN = [("cnn", data, loss) for data in ("cifar10", "cifar100") for loss in ("nll", "hinge")]


def results(rows, runs):
    """Rows completed to the schema, beside their runs."""
    blank = {"iteration": 0, "split": "train", "scope": "all", "x": np.nan, "se": np.nan}
    return Results(pd.DataFrame([blank | row for row in rows]), pd.DataFrame(runs))


def sized(kinds, quantities, *, widths=(4, 16, 64, 256), depths=(2, 4, 6), seeds=3, status=lambda run: "complete"):
    """Runs of all sizes, before training and at iteration 100.

    `quantities(run, iteration)` is a dictionary: name, or (name, x), to value.
    """
    rows, runs = [], []
    for (model, dataset, loss), width, depth, seed in product(kinds, widths, depths, range(seeds)):
        run = {"model": model, "dataset": dataset, "loss": loss, "width": width, "depth": depth, "seed": seed}
        run["run"] = "-".join(map(str, run.values()))
        runs.append(run | {"status": status(run), "n_train": 60_000})
        for iteration in (0, 100):
            for name, value in quantities(run, iteration).items():
                quantity, x = name if isinstance(name, tuple) else (name, np.nan)
                rows.append({"run": run["run"], "iteration": iteration, "quantity": quantity, "x": x, "value": value})
    return results(rows, runs)


def jitter(run, iteration=0, size=1e-3):
    """A small number that differs between runs and is the same every time."""
    word = f"{sorted(run.items())}{iteration}"
    return size * random.Random(word).gauss(0, 1)


def indices(inverse, *, published=0.0, at_1000=0.0):
    """A function for `sized`: 1/alpha^ of both conventions and at K1 = 1000, with what these differ by."""

    def quantities(run, iteration):
        value = inverse(run, iteration) if callable(inverse) else inverse
        return {
            "1/alpha (published, data order)": value + published + jitter(run, iteration),
            "1/alpha (corrected)": value + jitter(run, iteration + 1),
            ("1/alpha (joint)", 1000.0): value + at_1000 + jitter(run, iteration + 2),
            ("1/alpha (joint)", 100.0): value + 0.1,
        }

    return quantities
