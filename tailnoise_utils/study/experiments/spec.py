"""What all kinds of runs that train and measure a network have in common."""

import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from filelock import Timeout

from tailnoise_utils.measurement.one_call import NothingAlive

from ..networks import data, device
from ..networks.snapshots import Snapshots, TrainSpec, images
from ..networks.weights import load_weights, save_weights
from ..results import files, store

Row = dict[str, Any]
Progress = Callable[[float], object]  # told the share of a run that was done since it was last told
_SMALL = 10**6  # bytes of weights that may lie in the repository


def _rows_of(run: str) -> Path:
    """Where the rows of each snapshot lie until the run of that name is stored."""
    return device.kept_in("rows") / run


def forget_rows(runs: Iterable[str]) -> None:
    """Delete rows of runs from the cache, once they are stored.

    Args:
        runs: their names. What another process reads at the moment stays: it stores them too, and deletes them then.
    """
    for folder in map(_rows_of, runs):
        if folder.exists():
            with suppress(Timeout), files.lock(folder, timeout=0.0):
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Measured:
    """Train a network, then measure each of some snapshots of it.

    A kind of measurement adds its settings, `points` (which snapshots), `pictures_per_point` (images whose gradient is
    taken at a snapshot) and `measure`.
    """

    train: TrainSpec
    once: ClassVar[tuple[str, ...]] = ("seconds",)

    def device(self) -> str:
        """What the run is computed on, here."""
        return device.name(device.device())

    def data_sha256(self) -> str:
        """SHA-256 of the images used."""
        return self._images().digest

    def _images(self) -> data.Dataset:
        return images(self.train.dataset, self.train.n_train, self.train.n_test)

    def _rows_folder(self) -> Path:
        """Where the rows of each snapshot lie until the run is stored."""
        return _rows_of(store.digest(self, data=self.data_sha256())[:16])

    def alone(self) -> AbstractContextManager:
        """Hold this run against other processes: they wait, so that none deletes rows that another one reads."""
        return files.lock(self._rows_folder())

    def forget(self) -> None:
        """Delete weights and rows from the cache."""
        Snapshots(self.train, self.data_sha256()).remove()
        shutil.rmtree(self._rows_folder(), ignore_errors=True)

    def rows(self, progress: Progress) -> list[Row]:
        """Train, as far as it has not been done, and measure; killed, it goes on from the last checkpoint.

        Args:
            progress: told how much is done.

        Returns:
            Per snapshot, what `measure` gives. A run that diverged has the snapshots before it did, and a row "diverged" with
            the last of them; where all gradients are equal there is only a row "nothing alive".
        """
        spec, snapshots = self.train, Snapshots(self.train, self.data_sha256())
        work = spec.iterations * spec.batch_size + len(self.points) * self.pictures_per_point  # in images
        diverged = bool(snapshots.train(lambda steps: progress(steps * spec.batch_size / work)))
        rows: list[Row] = []
        for point in self.points:
            if diverged and not snapshots.path(point).exists():
                continue
            share = self.pictures_per_point / work
            path = self._rows_folder() / f"{point}.json"
            if path.exists():
                found = json.loads(path.read_text())["rows"]
                progress(share)
            else:
                start = time.monotonic()
                try:
                    found = self.measure(snapshots.load(point), lambda part, share=share: progress(part * share))
                except FloatingPointError:  # finite weights, infinite gradients: it is about to diverge
                    diverged = True
                    break
                except NothingAlive:
                    found = [{"quantity": "nothing alive", "value": 1.0}]
                with files.atomic(path) as file:
                    file.write(json.dumps({"rows": found, "seconds": time.monotonic() - start}).encode())
            rows += [row | {"iteration": point} for row in found]
        if diverged:
            rows.append({"quantity": "diverged", "value": float(rows[-1]["iteration"]) if rows else 0.0})
        return rows

    def seconds(self) -> float:
        """Wall time of training and measuring, by all processes that had a part in it, while the rows are there.

        Returns:
            Seconds, whether or not the training was made for another experiment.
        """
        measured = [json.loads(path.read_text())["seconds"] for path in self._rows_folder().glob("[!.]*.json")]
        return Snapshots(self.train, self.data_sha256()).seconds() + sum(measured)

    def sample(self, rows: list[Row]) -> bytes | None:
        """One snapshot to lie beside the results, the last that is there.

        Args:
            rows: of the run.

        Returns:
            The content of an ``.npz`` archive; None where it would be large, or nothing was measured.
        """
        last = max((row["iteration"] for row in rows if "iteration" in row), default=None)
        if last is None:
            return None
        source = Snapshots(self.train, self.data_sha256()).path(last)
        if source.stat().st_size > _SMALL:
            return None
        model, file = self.train.build(), BytesIO()
        load_weights(source, model)
        save_weights(file, model, spec_digest=store.digest(self), iteration=last)
        return file.getvalue()

    def again(self, path: Path) -> list[Row] | None:
        """Measure the snapshot kept beside the results again.

        Args:
            path: where it lies.

        Returns:
            Its rows; None if there is none of this run.
        """
        if not path.exists():
            return None
        with np.load(path) as file:
            if str(file["spec_digest"]) != store.digest(self):
                return None
            iteration = int(file["iteration"])
        model = self.train.build()
        load_weights(path, model)
        return [row | {"iteration": iteration} for row in self.measure(model, lambda share: None)]

    def status(self, rows: list[Row]) -> str:
        """What became of a run.

        Args:
            rows: its rows.

        Returns:
            "complete", "diverged", or "not trained": at the last snapshot the training accuracy is below twice chance, or
            nothing is alive.
        """
        if any(row["quantity"] == "diverged" for row in rows):
            return "diverged"
        last = max((row.get("iteration", 0) for row in rows), default=0)  # a network may die after it has learnt
        at_end = [row for row in rows if row.get("iteration", 0) == last and row.get("split") == "train"]
        accuracy = [row["value"] for row in at_end if row["quantity"] == "accuracy"]
        trained = not self.train.iterations or (accuracy and accuracy[-1] >= 2 / self._images().classes)
        return "complete" if trained else "not trained"
