"""Whether the accuracy's drop in the paper's Figure 7 needs noise: gradient descent and SGD look on, `jump`."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.parameters import slices
from tailnoise_utils.noise.torch_state import as_found

from ..networks.curvature import extreme_eigenvalues
from ..networks.snapshots import Snapshots, TrainSpec
from .paper import coordinate_rows, joint_rows
from .spec import Measured, Pair, Progress, Row
from .trainings import seeds, training


@dataclass(frozen=True)
class JumpSpec(Measured):
    """Train by SGD, or by gradient descent (all images in a step, in data order), and look on every few steps.

    At every snapshot: predictions of the first `looked` images; at `points` the ends of the Hessian's spectrum (at the
    start, the dip of the accuracy and the end on all of them too); at `noisy` the joint estimate, its twin and tail excess.
    """

    looked: int  #: images on which all is measured, the first ones
    curved: int  #: images of the Hessian at every point, the first ones
    noise_batch_size: int  #: images in a minibatch when noise is measured
    points: tuple[int, ...]  #: which snapshots have their Hessian measured
    noisy: tuple[int, ...]  #: which of these have their noise measured too

    def _first(self, count: int) -> Pair:
        """Return the first training images and their classes."""
        x, y = self._split("train")
        return x[:count], y[:count]

    def look(self, model: nn.Module) -> list[Row]:
        """Return what the network predicts."""
        x, y = self._first(self.looked)
        with torch.no_grad(), as_found(model):
            outputs = torch.cat([model.eval()(part) for part in x.split(1000)])
        values = predictions(outputs, y) | {"loss": float(self._loss()(outputs, y))}
        return [{"split": "train", "quantity": name, "value": value} for name, value in values.items()]

    def measure(self, model: nn.Module, progress: Progress, count: int = 0) -> list[Row]:
        """Return the ends of the Hessian's spectrum on the first `count` images (0: of `curved`)."""
        count = count or self.curved
        ends = extreme_eigenvalues(model, self._loss(), *self._first(count))
        return [{"split": "train", "quantity": k, "x": float(count), "value": v} for k, v in ends.items()]

    def noise(self, model: nn.Module) -> list[Row]:
        """Return what minibatches show of the noise."""
        U = noise_matrix(model, self._loss(), self._batches(of=self._first(self.looked)))
        rows = joint_rows(U, "", twin=True) + coordinate_rows(U, slices(model, None), "")
        return [row | {"split": "train"} for row in rows]

    def rows(self, progress: Progress) -> list[Row]:
        """Train, looking on, and measure the points; a killed run goes on from the last checkpoint."""
        spec, snapshots = self.train, Snapshots(self.train, self.data_sha256())
        if not self._rows_path(0, "-look").exists():
            snapshots.remove()  # of a run that was stored: what was seen between the points can be seen in no other way

        def look(point: int, model: nn.Module) -> None:
            self._kept(point, lambda: self.look(model), "-look")
            if point not in self.points:
                snapshots.path(point).unlink()

        snapshots.train(lambda steps: progress(steps / spec.iterations / 2), look)
        rows = super().rows(lambda share: progress(share / 2))
        points = sorted({row["iteration"] for row in rows if "iteration" in row})
        seen = [point for point in spec.snapshots if self._rows_path(point, "-look").exists()]
        looks = [row for point in seen for row in self._kept(point, list, "-look")]
        accuracy = np.array([row["value"] for row in looks if row["quantity"] == "accuracy"])
        fall = dict(zip(seen, np.maximum.accumulate(accuracy) - accuracy, strict=True))
        load = snapshots.load
        for point in {points[0], max(points, key=fall.__getitem__), points[-1]} if points else ():
            rows += self._kept(point, lambda point=point: self.measure(load(point), progress, self.looked), "-all")
        for point in {*points} & {*self.noisy}:
            rows += self._kept(point, lambda point=point: self.noise(load(point)), "-noise")
        return looks + rows

    def _everything(self, model: nn.Module, iteration: int) -> list[Row]:
        """Return what a run has of a point, without the Hessian of all images, which takes a minute."""
        rows = self.look(model) + self.measure(model, lambda _: None)
        return rows + (self.noise(model) if iteration in self.noisy else [])

    def repeated(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out the Hessian of all images."""
        of_all = rows["quantity"].str.endswith("eigenvalue") & (rows["x"] == self.looked)
        return super().repeated(rows[~of_all])

    def sample(self, rows: list[Row]) -> bytes | None:
        """Return the weights of the last point, as `Measured` does; a run that diverged was looked at after it."""
        return super().sample([row for row in rows if row.get("iteration") in self.points])


def predictions(outputs: Float[Tensor, "n classes"], y: Int64[Tensor, " n"]) -> dict[str, float]:
    """Give accuracy, how many classes are predicted at all, the share of the commonest, the outputs' root mean square."""
    counts = outputs.argmax(1).bincount().double()
    return {
        "accuracy": float((outputs.argmax(1) == y).double().mean()),
        "predicted classes": float((counts > 0).sum()),
        "commonest prediction": float(counts.max() / len(y)),
        "output size": float(outputs.double().square().mean().sqrt()),
    }


def jump_grid(profile: str) -> tuple[JumpSpec, ...]:
    """Follow Figure 7's drop by gradient descent and SGD: 6,000 images, 3 seeds; once all of MNIST."""
    if profile == "smoke":
        small = {"depth": 3, "width": 32, "lr": 0.5}  # large enough a step for drops
        trains = [_train("digits", 1500, b, seed, 60, 5, **small) for seed in seeds(profile) for b in (1500, 50)]
        return tuple(JumpSpec(train, 500, 200, 50, tuple(range(0, 61, 10)), (0, 60)) for train in trains)
    arms = [(data, 6000, b, k, 1500) for k in range(3) for data in ("mnist", "cifar10") for b in (6000, 500, 100)]
    arms += [("mnist", 60_000, b, 0, 1200) for b in (60_000, 500)]
    specs = []
    for *arm, seed, last in arms:
        hundreds = range(0, last + 1, 100)
        points = tuple(sorted({*hundreds, *range(600, 1201, 20)}))  # finely where the accuracy drops
        train = _train(*arm, seed, last, 10, depth=9, width=512)
        specs.append(JumpSpec(train, 6000, 2000, 100, points, tuple(hundreds)))
    return tuple(specs)


def _train(dataset: str, n: int, b: int, seed: int, last: int, every: int, **more: Any) -> TrainSpec:
    """Give a training on the first n images that is looked at every few steps: with b = n it is gradient descent."""
    more |= {"batch_size": b, "order": "data" if b == n else "random", "seed": seed, "iterations": last}
    return replace(training("fcn", dataset, "", snapshots=tuple(range(0, last + 1, every)), **more), n_train=n)
