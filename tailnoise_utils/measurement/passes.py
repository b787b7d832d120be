"""Passes over the minibatches of a measurement: progress, what the first one tells, and whether the second is the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailnoise_utils.noise.gradient import Gradient
from tailnoise_utils.noise.minibatches import leaves

_TWICE = 2  # minibatches whose gradient is taken again, with other roundings
Progress = Callable[[float], object]
Marks = np.ndarray | None  # int64, one for each sample, or one for the minibatch; None where its content cannot be seen

_WAY_OUT = (
    "the noise is streamed, so the data is gone through twice and has to be the same (a DataLoader "
    "without shuffling or random augmentation, a list, Minibatches); or raise `memory`, or take method='matrix'"
)


@contextmanager
def steps_told(progress: bool | Progress, steps: int) -> Iterator[Callable[[], object]]:
    """Yield what to call after each step: it moves a bar, or tells the user's function the share of the work."""
    if callable(progress):
        yield lambda: progress(1 / steps)
    elif progress:
        from tqdm.auto import tqdm

        with tqdm(total=steps, desc="minibatches") as bar:
            yield bar.update
    else:
        yield lambda: None


class Passes:
    """One or two passes over the minibatches; the first one also keeps losses, hits and marks of the samples."""

    def __init__(self, gradients_of: Callable, batches: Iterable[Any], step: Callable) -> None:
        self._gradients_of, self._batches, self._step = gradients_of, batches, step
        self.losses: list[float] = []
        self.samples: int | None = 0
        self._hits: int | None = 0
        self._labelled = 0
        self.marks: list[Marks] = []
        self.rounding: Tensor | float = 0.0  # how far each entry moves with other roundings, at most

    def first(self, *, marked: bool = True) -> Iterator[Gradient]:
        """Yield the gradients; take marks of the samples if something asks for them."""
        for gradient in self._gradients_of(self._marked() if marked else self._batches, twice=_TWICE):
            self.losses.append(gradient.loss)
            self.samples = None if None in (gradient.samples, self.samples) else self.samples + gradient.samples
            self._labelled += gradient.labelled or 0
            self._hits = None if gradient.hits is None or self._hits is None else self._hits + gradient.hits
            if gradient.rounding is not None:
                self.rounding = gradient.rounding.clamp(min=self.rounding)
            self._step()
            yield gradient

    def second(self) -> Iterator[Gradient]:
        """Yield the gradients once more; refuse other data."""
        for gradient in self._gradients_of(self._compared()):
            self._step()
            yield gradient

    def accuracy(self) -> float | None:
        """Return the share of hits, None where labels or scores are missing."""
        return None if self._hits is None or not self._labelled else self._hits / self._labelled

    def _marked(self) -> Iterator[Any]:
        for batch in self._batches:
            self.marks.append(marks(batch))
            yield batch

    def _compared(self) -> Iterator[Any]:
        i = -1
        for i, batch in enumerate(self._batches):
            if i >= len(self.marks) or not np.array_equal(marks(batch), self.marks[i]):
                raise ValueError(f"minibatch {i} of the second pass differs from that of the first: {_WAY_OUT}")
            yield batch
        if i + 1 < len(self.marks):
            raise ValueError(f"the second pass has {i + 1} minibatches, the first had {len(self.marks)}: {_WAY_OUT}")


def marks(batch: Any) -> Marks:
    """Hash each sample along the first axis of a minibatch's arrays, or all together where they share no such axis."""
    # Python's hashes of the bytes: 64 bits, others in every process.
    contents = [_content(leaf) for leaf in leaves(batch)]
    if any(content is None for content in contents):
        return None
    lengths = {len(content) if isinstance(content, np.ndarray) and content.size else None for content in contents}
    if len(lengths) == 1 and None not in lengths:
        return np.array([hash(tuple(row.tobytes() for row in rows)) for rows in zip(*contents, strict=True)])
    return np.array([hash(tuple(c if isinstance(c, bytes) else c.tobytes() for c in contents))])


def repeated(minibatches: Sequence[Marks]) -> tuple[int, int]:
    """Count the samples that were in an earlier minibatch, and all; a minibatch counts each of its samples once."""
    each = [np.unique(one) for one in minibatches if one is not None]
    total = sum(map(len, each))
    return total - (len(np.unique(np.concatenate(each))) if each else 0), total


def _content(leaf: Any) -> np.ndarray | bytes | None:
    """Return the bytes of a leaf, a row for each sample if it has a first axis; None where they cannot be seen."""
    if isinstance(leaf, Tensor):
        if leaf.layout != torch.strided or leaf.is_nested or leaf.is_quantized:
            return None
        dense = leaf.detach().cpu().resolve_conj().resolve_neg().contiguous()
        leaf = dense.reshape(-1).view(torch.uint8).numpy().reshape(*dense.shape, dense.element_size())
        return leaf if dense.ndim else leaf.tobytes()
    if isinstance(leaf, np.ndarray | np.generic):
        if leaf.dtype.hasobject:
            return None
        return np.ascontiguousarray(leaf)[..., None].view(np.uint8) if leaf.ndim else leaf.tobytes()
    if leaf is None or isinstance(leaf, str | bytes | bool | int | float | complex):
        return f"{type(leaf).__name__} {leaf!r};".encode()
    return None
