"""What is measured of a noise matrix, row by row, in memory that does not grow with the number of rows."""

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .report import Group
from .tail_index import TailIndex
from .tail_index.blocks import CHUNK
from .tail_index.rows import RowBlocks

__all__ = ["Statistics"]


class Statistics:
    """What is measured of the rows of the noise matrix, each seen once.

    Args:
        P: number of rows to come.
        live: which coordinates are not the same in all rows.
        slices: of each group, where its parameters lie in a row.
        seed: of the permutation of the columns.

    Attributes:
        norms: Euclidean norm of each row seen so far.
    """

    def __init__(self, P: int, live: Bool[Tensor, " p"], slices: dict[str, list[slice]], seed: int) -> None:
        self.norms: list[float] = []
        self._live, self._all = live, bool(live.all())
        p, p_live = len(live), int(live.sum())
        self._dead = 1 - p_live / p
        self._published = _blocks(P, p, "published")
        self._clean, self._permuted = RowBlocks(P, p_live), RowBlocks(P, p_live)
        self._columns = _permuted(live, seed)
        self._slices = slices
        self._groups = {}
        for name, parts in slices.items():
            alive = sum(int(live[part].sum()) for part in parts)
            size = sum(part.stop - part.start for part in parts)
            self._groups[name] = (size, alive, _blocks(P, size, "published"), _blocks(P, alive, "clean"))

    def add(self, row: Float[Tensor, " p"]) -> None:
        """Take the next row.

        Args:
            row: of the noise matrix, exact zeros where dead.
        """
        self.norms.append(math.sqrt(sum(float(wide.dot(wide)) for wide in map(Tensor.double, row.split(CHUNK)))))
        _feed(self._published, row)
        self._clean.add(*self._alive(row, slice(None)))
        self._permuted.add(*(row.index_select(0, columns) for columns in self._columns.split(CHUNK)))
        for name, (_, _, published, clean) in self._groups.items():
            parts = self._slices[name]
            _feed(published, *(row[part] for part in parts))
            _feed(clean, *(piece for part in parts for piece in self._alive(row, part)))

    def _alive(self, row: Float[Tensor, " p"], part: slice) -> list[Tensor]:
        """The live entries of a part of a row, piece by piece."""
        if self._all:
            return [row[part]]
        pieces = zip(row[part].split(CHUNK), self._live[part].split(CHUNK), strict=True)
        if row.device.type == "cpu" and row.dtype is not torch.bfloat16:  # NumPy takes a tenth of the time
            return [torch.from_numpy(x.numpy()[alive.numpy()]) for x, alive in pieces]
        return [x[alive] for x, alive in pieces]

    def published(self) -> TailIndex:
        """The published convention, but summed in float64.

        Returns:
            The estimate for the whole network.

        Raises:
            ValueError: there is none; the message says why.
        """
        if isinstance(self._published, str):
            raise ValueError(self._published)
        return self._published.result()

    def results(self) -> tuple[TailIndex, TailIndex, dict[str, Group]]:
        """The estimates, once all rows have been seen.

        Returns:
            Clean, clean with the columns permuted, and the groups.
        """
        clean, permuted = (_with_info(b.result(), dead_share=self._dead) for b in (self._clean, self._permuted))
        found = {}
        for name, (size, alive, *blocks) in self._groups.items():
            estimates, problems = zip(*(_result(b) for b in blocks), strict=True)
            problem = "; ".join(dict.fromkeys(filter(None, problems)))
            found[name] = Group(size, 1 - alive / size, *estimates, problem)
        return clean, permuted, found


def _permuted(live: Bool[Tensor, " p"], seed: int) -> Int[Tensor, " p_live"]:
    """Where the live coordinates are, in random order; in 32 bits where that is enough, for it is kept all along."""
    kind = torch.int32 if len(live) < 2**31 else torch.int64
    columns = torch.randperm(int(live.sum()), generator=torch.Generator().manual_seed(seed), dtype=kind)
    if not bool(live.all()):
        places, filled = torch.empty_like(columns), 0
        for i, part in enumerate(live.cpu().split(CHUNK)):
            found = part.nonzero().flatten() + i * CHUNK
            places[filled : filled + len(found)] = found
            filled += len(found)
        for part in columns.split(CHUNK):
            part.copy_(places.index_select(0, part))
    return columns.to(live.device)


def _blocks(P: int, p: int, convention: str) -> RowBlocks | str:
    """An accumulator, or why there can be none."""
    if not p:
        return "nothing is alive"
    try:
        return RowBlocks(P, p, convention=convention)
    except ValueError as error:
        return str(error)


def _feed(blocks: RowBlocks | str, *pieces: Tensor) -> None:
    """Add a row where there is an accumulator."""
    if isinstance(blocks, RowBlocks):
        blocks.add(*pieces)


def _result(blocks: RowBlocks | str) -> tuple[TailIndex | None, str]:
    """The estimate, or why there is none."""
    if isinstance(blocks, str):
        return None, blocks
    try:
        return blocks.result(), ""
    except ValueError as error:
        return None, str(error)


def _with_info(index: TailIndex, **more: float) -> TailIndex:
    """The same estimate, with more said about it."""
    return replace(index, info={**index.info, **more})
