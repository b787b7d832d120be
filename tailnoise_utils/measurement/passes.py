"""Passes over the minibatches of a measurement, and the bar that shows them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from torch import nn

from tailnoise_utils.noise.gradient import Loss, gradients

from .marks import Marks, marks, repeated

Progress = Callable[[float], object]


class Bar:
    """Tells the user, on a bar or through a function, how much is done."""

    def __init__(self, progress: bool | Progress, steps: int) -> None:
        self._steps, self._tell, self._bar = steps, progress if callable(progress) else None, None
        if progress is True:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=steps, desc="minibatches")

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        """One more minibatch."""
        if self._bar is not None:
            self._bar.update()
        elif self._tell:
            self._tell(1 / self._steps)


class Work:
    """Passes over the minibatches; keeps what the first one says besides gradients."""

    def __init__(self, model: nn.Module, loss_fn: Loss, batches: Iterable[Any], mode: str, seed: int, bar: Bar) -> None:
        self._arguments = (model, loss_fn, batches, mode, seed)
        self._bar = bar
        self.losses: list[float] = []
        self.samples: int | None = None
        self._hits: int | None = 0
        self._labelled = 0
        self._marks: list[Marks] = []

    def first(self, *, marked: bool = True) -> Iterator[Any]:
        """The gradients of the first pass; marks of the samples are taken where something asks for them."""
        model, loss_fn, batches, mode, seed = self._arguments
        for found in gradients(model, loss_fn, self._marked(batches) if marked else batches, mode=mode, seed=seed):
            self.losses.append(found.loss)
            self.samples = None if found.samples is None else (self.samples or 0) + found.samples
            self._labelled += found.labelled or 0
            self._hits = None if found.hits is None or self._hits is None else self._hits + found.hits
            self._bar.step()
            yield found

    def second(self) -> Iterator[Any]:
        """The gradients once more, of the same data."""
        model, loss_fn, batches, mode, seed = self._arguments
        for found in gradients(model, loss_fn, self._compared(batches), mode=mode, seed=seed):
            self._bar.step()
            yield found

    def repeated(self) -> tuple[int, int]:
        """How many samples of the first pass were in a minibatch before, and how many there are, where it can be seen."""
        return repeated(self._marks)

    def accuracy(self) -> float | None:
        """Share of hits, None where there is no such thing."""
        return None if self._hits is None or not self._labelled else self._hits / self._labelled

    def _marked(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            self._marks.append(marks(batch))
            yield batch

    def _compared(self, batches: Iterable[Any]) -> Iterator[Any]:
        i = -1
        for i, batch in enumerate(batches):
            if i >= len(self._marks) or not np.array_equal(marks(batch), self._marks[i]):
                raise ValueError(f"minibatch {i} of the second pass differs from that of the first: {_WAY_OUT}")
            yield batch
        if i + 1 < len(self._marks):
            raise ValueError(f"the second pass has {i + 1} minibatches, the first had {len(self._marks)}: {_WAY_OUT}")


_WAY_OUT = (
    "the noise is streamed, so the data is gone through twice and has to be the same (a DataLoader "
    "without shuffling or random augmentation, a list, Minibatches); or raise `memory`, or take method='matrix'"
)
