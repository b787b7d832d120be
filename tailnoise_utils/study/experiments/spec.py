"""What a run is: a frozen spec that makes rows; `Measured`, which those that train a network are built on."""

import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from filelock import Timeout
from jaxtyping import Float
from torch import Tensor, nn

from tailnoise_utils import diagnosis
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.measurement.report import index_rows
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.tail_index import mohammadi

from ..networks import data, device, models
from ..networks.snapshots import Snapshots, TrainSpec, images
from ..networks.train import evaluate
from ..networks.weights import archive, load_weights
from ..results import files, quantities, store
from ..results.reading import FIXED_K1

Row = dict[str, Any]
Pair = tuple[Tensor, Tensor]  # images and their classes
Progress = Callable[[float], object]  # told the share of a run that was done since it was last told
_SMALL = 10**6  # bytes of weights that may lie in the repository


@runtime_checkable
class Spec(Protocol):
    """What the runner and the store need of a run: a frozen dataclass of plain values that makes rows."""

    once: ClassVar[tuple[str, ...]] = ("seconds",)  # quantities that no second time gives again

    def data_sha256(self) -> str:
        """Return the SHA-256 of the data that the run reads, "" if it reads none."""
        return ""

    def device(self) -> str:
        """Return the name of what the run is computed on."""
        return "cpu"

    def rows(self, progress: Progress) -> list[Row]:
        """Make the run."""

    def seconds(self) -> float | None:
        """Return the wall time of all processes that had a part in the run, None where nobody has to remember."""
        return None

    def status(self, rows: list[Row]) -> str:
        """Return what became of the run: "complete", "diverged" or "not trained"."""
        return "complete"

    def sample(self, rows: list[Row]) -> bytes | None:
        """Return the content of a small file that `again` needs beside the results, None if it needs none."""
        return None

    @property
    def quick(self) -> bool:
        """Tell whether the whole run may be made again just to be verified."""
        return False

    def again(self, path: Path) -> list[Row] | None:
        """Return rows of the run, made again, with what `sample` put at `path`; None where that cannot be done soon."""
        return self.rows(lambda share: None) if self.quick else None

    def repeated(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return those of stored rows that `again` gives too."""
        return rows[~rows["quantity"].isin(self.once)]

    def alone(self) -> AbstractContextManager:
        """Hold the run against other processes, where they share something."""
        return nullcontext()

    def forget(self) -> None:
        """Delete what the cache keeps for the run."""


@dataclass(frozen=True)
class Measured(Spec):
    """Train a network, then `measure` some snapshots (`points`): a pure function of weights, data and settings."""

    train: TrainSpec
    once: ClassVar[tuple[str, ...]] = ("seconds", "diverged", "stopped")

    def device(self) -> str:
        """Return the name of what the run is computed on, here."""
        return device.name(device.chosen_device())

    def data_sha256(self) -> str:
        """Return the SHA-256 of the images used."""
        return self._images().digest

    def _images(self) -> data.Dataset:
        return images(self.train.dataset, self.train.n_train, self.train.n_test)

    def _loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        return models.LOSSES[self.train.loss]

    def _split(self, split: str) -> Pair:
        """Return the images of a split and their classes."""
        pictures = self._images()
        return getattr(pictures, f"x_{split}"), getattr(pictures, f"y_{split}")

    def _batches(
        self, order: str = "random", *, split: str = "train", partition: int = 0, of: Pair | None = None
    ) -> Minibatches:
        """Return minibatches of `noise_batch_size` images; random ones have seed 2 10^6 + 1000 partition + the run's."""
        x, y = of or self._split(split)
        seed = 2 * 10**6 + 1000 * partition + self.train.seed
        return Minibatches(x, y, self.noise_batch_size, order=order, seed=seed, drop_last=split == "test")

    def _performance(self, model: nn.Module, split: str) -> list[Row]:
        """Return the loss and the accuracy of a network on the images of a split."""
        loss, accuracy = evaluate(model, self._loss(), *self._split(split))
        return [{"split": split, "quantity": k, "value": v} for k, v in (("loss", loss), ("accuracy", accuracy))]

    def _rows_folder(self) -> Path:
        """Return where the rows of each snapshot lie until the run is stored."""
        return device.kept_in("rows") / store.digest(self, data=self.data_sha256())[:16]

    def alone(self) -> AbstractContextManager:
        """Hold this run against other processes: they wait, so that none deletes rows that another one reads."""
        return files.lock(self._rows_folder())

    def forget(self) -> None:
        """Delete weights and rows from the cache."""
        Snapshots(self.train, self.data_sha256()).remove()
        shutil.rmtree(self._rows_folder(), ignore_errors=True)

    def rows(self, progress: Progress) -> list[Row]:
        """Train, as far as it has not been done, and measure; a killed run goes on from the last checkpoint."""
        spec, snapshots = self.train, Snapshots(self.train, self.data_sha256())
        images_of_point = 2 * spec.n_train  # whose gradient a measurement takes, about
        work = spec.iterations * spec.batch_size + len(self.points) * images_of_point
        share = images_of_point / work
        diverged = bool(snapshots.train(lambda steps: progress(steps * spec.batch_size / work)))
        rows: list[Row] = []

        def tell(part: float) -> None:
            progress(part * share)

        for point in self.points:
            if diverged and not snapshots.path(point).exists():
                continue
            if self._rows_path(point).exists():
                progress(share)
            try:
                rows += self._kept(point, lambda point=point: self.measure(snapshots.load(point), tell))
            except FloatingPointError:  # finite weights, infinite gradients: it is about to diverge
                diverged = True
                break
        if diverged:
            rows.append({"quantity": "diverged", "value": float(rows[-1]["iteration"]) if rows else 0.0})
        return rows

    def _rows_path(self, point: int, name: str = "") -> Path:
        """Return where rows of a snapshot lie, there or not."""
        return self._rows_folder() / f"{point}{name}.json"

    def _kept(self, point: int, measure: Callable[[], list[Row]], name: str = "") -> list[Row]:
        """Return rows of a snapshot from the cache, measured now if they are not there."""
        path = self._rows_path(point, name)
        if not path.exists():
            start = time.monotonic()
            try:
                rows = measure()
            except NothingAlive:
                rows = [{"quantity": "nothing alive", "value": 1.0}]
            quantities.check(rows)
            with files.atomic(path) as file:
                file.write(json.dumps({"rows": rows, "seconds": time.monotonic() - start}).encode())
        return [row | {"iteration": point} for row in json.loads(path.read_text())["rows"]]

    def seconds(self) -> float:
        """Return the wall time of training, though for another experiment, and of measuring, while the rows are there."""
        measured = [json.loads(path.read_text())["seconds"] for path in self._rows_folder().glob("[!.]*.json")]
        return Snapshots(self.train, self.data_sha256()).seconds() + sum(measured)

    def sample(self, rows: list[Row]) -> bytes | None:
        """Return the weights of the last snapshot as an ``.npz`` archive; None if they are large, or nothing is there."""
        last = max((row["iteration"] for row in rows if "iteration" in row), default=None)
        if last is None:
            return None
        model = Snapshots(self.train, self.data_sha256()).load(last)
        content = archive(model, spec_digest=store.digest(self), iteration=last)
        return content if len(content) <= _SMALL else None

    def again(self, path: Path) -> list[Row] | None:
        """Measure the snapshot kept at `path` again; if weights are too large for one, iteration 0, built from the seed."""
        model, iteration = self.train.build(), 0
        if path.exists():
            with np.load(path) as file:
                if str(file["spec_digest"]) != store.digest(self):
                    return None
                iteration = int(file["iteration"])
            load_weights(path, model)
        elif 0 not in self.points or len(archive(model, spec_digest=store.digest(self), iteration=0)) <= _SMALL:
            return None
        return [row | {"iteration": iteration} for row in self._everything(model, iteration)]

    def _everything(self, model: nn.Module, iteration: int) -> list[Row]:
        """Measure all that a run may have of a snapshot."""
        return self.measure(model, lambda share: None)

    def status(self, rows: list[Row]) -> str:
        """Return "diverged", "not trained" (at the end below twice chance, or nothing alive) or "complete"."""
        if any(row["quantity"] == "diverged" for row in rows):
            return "diverged"
        last = max((row.get("iteration", 0) for row in rows), default=0)  # a network may die after it has learnt
        keys = (last, "train", "accuracy")
        at_end = [r["value"] for r in rows if (r.get("iteration", 0), r.get("split"), r["quantity"]) == keys]
        trained = not self.train.iterations or (at_end and at_end[-1] >= 2 / self._images().classes)
        return "complete" if trained else "not trained"


class AlongTraining(Measured):
    """Measure all snapshots of the training."""

    @property
    def points(self) -> tuple[int, ...]:
        """Return which snapshots are measured."""
        return self.train.snapshots


def forget_rows(runs: Iterable[str]) -> None:
    """Delete stored runs' rows from the cache; what another process reads stays: it stores them too, and deletes them."""
    for run in runs:
        folder = device.kept_in("rows") / run
        if folder.exists():
            with suppress(Timeout), files.lock(folder, timeout=0.0):
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Finished:
    """A finished run, complete, so that it can be stored on another machine than the one that computed it."""

    rows: pd.DataFrame  # with the columns of ``store.COLUMNS``
    record: dict[str, Any]  # settings and provenance, of the process that computed
    sample: bytes | None  # the content of a small file with one snapshot's weights


def finish(spec: Spec, progress: Progress) -> Finished:
    """Make a run, or what is missing of it in the cache. Its rows stay there: delete them once they are stored."""
    sha256 = spec.data_sha256()
    start = time.perf_counter()
    rows = spec.rows(progress)
    quantities.check(rows)
    seconds = spec.seconds() or time.perf_counter() - start
    record = store.run_record(spec, sha256, seconds, spec.status(rows), spec.device())
    return Finished(store.to_frame(rows, record["run"]), record, spec.sample(rows))


def indices(U: Float[Tensor, "P p"]) -> list[Row]:
    """Give alpha^ of a noise matrix in both conventions, and corrected at K1 = 1000 where that leaves two blocks."""
    if bool(U.eq(U[0]).all()):
        raise NothingAlive(f"nothing is alive: all {len(U)} minibatches have the same gradient")
    corrected = mohammadi(U)
    rows = index_rows("published", mohammadi(U, convention="published")) + index_rows("corrected", corrected)
    rows.append({"quantity": "dead share", "value": corrected.info["dead_share"]})
    if corrected.info["K1"] * corrected.info["K2"] >= 2 * FIXED_K1:
        value, se = diagnosis.curve(U, lengths=(FIXED_K1,))[FIXED_K1]
        rows.append({"quantity": "1/alpha (joint)", "x": FIXED_K1, "value": value, "se": se})
    return rows
