"""What each difference between the paper's text and its public code does to the tail index: `departures`."""

from dataclasses import dataclass
from itertools import product
from typing import Any

from torch import nn

from tailnoise_utils.diagnosis.joint import live_columns, of_rows, row_logs
from tailnoise_utils.measurement.report import index_rows
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.tail_index import mohammadi
from tailnoise_utils.tail_index.blocks import largest_divisor

from .spec import Measured, Progress, Row, indices
from .trainings import seeds, training


@dataclass(frozen=True)
class DeparturesSpec(Measured):
    r"""Train and measure as the text says, or with some of the departures of the code, and estimate in the ways of both.

    * "text": no epsilon, dead coordinates left out, K1 the divisor of K that is nearest to :math:`\sqrt K`;
    * "text, dead kept": dead coordinates stay in the blocks, without a logarithm of their own;
    * "text, epsilon": :math:`2.2 \cdot 10^{-16}` added inside the logarithm, in float32, dead coordinates left out;
    * "published": both, as the code has it; "corrected": as "text", with :math:`K_1 = \lfloor\sqrt K\rfloor`.
    """

    noise_batch_size: int  #: images in a minibatch when noise is measured
    noise_order: str  #: ``"random"`` (the partition of a NoiseSpec) or ``"data"``
    noise_mode: str  #: ``"eval"`` (dropout off) or ``"train"``; its masks come from 3 10^6 + the run's seed
    points: tuple[int, ...]  #: which snapshots

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return 1/alpha^ and K1 in each of the ways, the share of dead coordinates, loss and accuracy."""
        batches, masks = self._batches(self.noise_order), 3 * 10**6 + self.train.seed
        U = noise_matrix(model, self._loss(), batches, mode=self.noise_mode, seed=masks)
        rows = self._performance(model, "train") + indices(U)
        live = live_columns(U)
        K1 = largest_divisor(live.numel())
        rows += index_rows("text", mohammadi(live, K1=K1))
        rows += index_rows("text, epsilon", mohammadi(live, K1=K1, convention="published"))
        K1 = largest_divisor(U.numel())
        excess, _ = of_rows(U, K1, row_logs(U))
        rows.append({"quantity": "1/alpha (text, dead kept)", "value": excess.value + 0.5, "se": excess.se})
        rows.append({"quantity": "K1 (text, dead kept)", "value": K1})
        progress(1.0)
        return [row | {"split": "train"} for row in rows]


def departures_grid(profile: str) -> tuple[DeparturesSpec, ...]:
    """Measure alpha^ as the paper's text has it and with each departure of its code, alone and all together; 3 seeds."""
    networks: list[dict[str, Any]] = [
        {"model": "fcn", "dataset": "mnist", "width": 128, "iterations": 3000},
        {"model": "fcn", "dataset": "cifar10", "width": 128, "iterations": 3000},
        {"model": "cnn", "dataset": "cifar10", "width": 16, "iterations": 2000},
    ]
    small = 100  # the batch size that the code has unless told otherwise
    if profile == "smoke":
        networks, small = [{"model": "cnn", "dataset": "digits32", "width": 4, "iterations": 20}], 25
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
    for seed, network in product(seeds(profile), networks):
        points = (0, network["iterations"])
        for changes, order, mode in (*variations, dropout) if network["model"] == "cnn" else variations:
            t = training(**network, profile=profile, seed=seed, snapshots=points, **changes)
            specs.append(DeparturesSpec(t, t.batch_size, order, mode, points))
    return tuple(specs)
