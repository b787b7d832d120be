"""Passes over the minibatches of a measurement, and the bar that shows them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from .gradient import Loss, gradients

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
        self._prints: list[bytes | None] = []

    def first(self) -> Iterator[Any]:
        """The gradients of the first pass."""
        model, loss_fn, batches, mode, seed = self._arguments
        for found in gradients(model, loss_fn, self._printed(batches), mode=mode, seed=seed):
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

    def copies(self) -> int:
        """How many minibatches of the first pass hold the same data as one before them, as far as it can be seen."""
        seen = [mark for mark in self._prints if mark is not None]
        return len(seen) - len(set(seen))

    def accuracy(self) -> float | None:
        """Share of hits, None where there is no such thing."""
        return None if self._hits is None or not self._labelled else self._hits / self._labelled

    def _printed(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            self._prints.append(_fingerprint(batch))
            yield batch

    def _compared(self, batches: Iterable[Any]) -> Iterator[Any]:
        i = -1
        for i, batch in enumerate(batches):
            if i >= len(self._prints) or _fingerprint(batch) != self._prints[i]:
                raise ValueError(f"minibatch {i} of the second pass differs from that of the first: {_WAY_OUT}")
            yield batch
        if i + 1 < len(self._prints):
            raise ValueError(f"the second pass has {i + 1} minibatches, the first had {len(self._prints)}: {_WAY_OUT}")


_WAY_OUT = (
    "the noise does not fit the memory budget, so the data is gone through twice and has to be the same (a DataLoader "
    "without shuffling or random augmentation, a list, Minibatches); or raise `memory`, or take method='matrix'"
)


def _fingerprint(batch: Any) -> bytes | None:
    """BLAKE2b of all that is in a minibatch; None where it holds what cannot be looked into (sparse tensors, objects)."""
    mark = hashlib.blake2b(digest_size=16)
    for leaf in tree.tree_leaves(batch):
        if isinstance(leaf, Tensor):
            if leaf.layout != torch.strided or leaf.is_nested or leaf.is_quantized:
                return None
            content = (
                leaf.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy()
            )
            mark.update(f"{leaf.dtype} {tuple(leaf.shape)}".encode())
        elif isinstance(leaf, np.ndarray) and not leaf.dtype.hasobject:
            content = np.ascontiguousarray(leaf)
            mark.update(f"{leaf.dtype} {leaf.shape}".encode())
        elif leaf is None or isinstance(leaf, str | bytes | bool | int | float | complex):
            content = f"{type(leaf).__name__} {leaf!r}".encode()
        else:
            return None
        mark.update(content)
    return mark.digest()
