"""What is measured of a noise matrix, row by row, in memory that does not grow with the number of rows."""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tailnoise_utils.tail_index import TailIndex
from tailnoise_utils.tail_index.blocks import PUBLISHED_EPSILON
from tailnoise_utils.tail_index.logs import CHUNK, chosen, sum_of_logs
from tailnoise_utils.tail_index.streaming import PermutedRowBlocks, RowBlocks

from .report import Group

__all__ = ["Statistics"]

_Blocks = tuple[RowBlocks | str, RowBlocks | str]  # published and corrected, or why there is none


class Statistics:
    """What is measured of the rows of the noise matrix, each seen once.

    Args:
        P: number of rows to come.
        live: which coordinates are not the same in all rows.
        slices: of each group, where its parameters lie in a row, in that order.
        seed: of the permutation of the columns.

    Attributes:
        norms: Euclidean norm of each row seen so far.
    """

    def __init__(self, P: int, live: Bool[Tensor, " p"], slices: dict[str, list[slice]], seed: int) -> None:
        self.norms: list[float] = []
        self._live, self._all = live, bool(live.all())
        p, p_live = len(live), int(live.count_nonzero())
        self._dead = 1 - p_live / p
        self._published = _blocks(P, p, "published")
        self._corrected = RowBlocks(P, p_live)
        self._permuted = PermutedRowBlocks(P, p_live, _order(p_live, seed).to(live.device))
        self._groups = {}
        self._at, self._square = 0, 0.0  # entries of the present row, and the sum of their squares
        cuts = sorted({0, p, *(end for parts in slices.values() for part in parts for end in (part.start, part.stop))})
        self._ends = cuts[1:]
        self._of: list[list[_Blocks]] = [[] for _ in self._ends]  # of the groups that have what lies before each end
        for name, parts in slices.items():
            alive = sum(int(live[part].count_nonzero()) for part in parts)
            size = sum(part.stop - part.start for part in parts)
            own = _blocks(P, size, "published"), _blocks(P, alive, "corrected")
            self._groups[name] = (size, alive, *own)
            for part in parts:
                for groups in self._of[bisect_right(self._ends, part.start) : bisect_left(self._ends, part.stop) + 1]:
                    groups.append(own)

    def add(self, row: Iterable[Tensor]) -> None:
        """Take the next row.

        Args:
            row: of the noise matrix, whole or cut into consecutive pieces, exact zeros where dead; no piece is held while
                the next one is made.
        """
        deque(map(self._take, row), maxlen=0)
        self.norms.append(math.sqrt(self._square))
        self._at, self._square = 0, 0.0

    def _take(self, piece: Float[Tensor, " k"]) -> None:
        """Take the next piece of a row."""
        start = self._at
        self._at = stop = start + len(piece)
        i = bisect_right(self._ends, start)
        while start < stop:
            last = min(self._ends[i], stop)
            own, piece = piece[: last - start], piece[last - start :]
            for x, alive in zip(own.split(CHUNK), self._live[start:last].split(CHUNK), strict=True):
                wide, live = x.double(), x if self._all else chosen(x, alive)
                self._square += float(wide.dot(wide))
                logs, logs_live = sum_of_logs(x, PUBLISHED_EPSILON), sum_of_logs(live, 0.0)
                for published, corrected in ((self._published, self._corrected), *self._of[i]):
                    _feed(published, x, logs)
                    _feed(corrected, live, logs_live)
                self._permuted.add(live, logs_live)
            start, i = last, i + 1

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
            Corrected, corrected with the columns permuted, and the groups.
        """
        corrected, permuted = (_with_info(b.result(), dead_share=self._dead) for b in (self._corrected, self._permuted))
        found = {}
        for name, (size, alive, *blocks) in self._groups.items():
            estimates, problems = zip(*(_result(b) for b in blocks), strict=True)
            problem = "; ".join(dict.fromkeys(filter(None, problems)))
            found[name] = Group(size, 1 - alive / size, *estimates, problem)
        return corrected, permuted, found


def _order(p: int, seed: int) -> Int[Tensor, " p"]:
    """Where each column stands in random order; in 32 bits where that is enough, for it is kept all along."""
    kind = torch.int32 if p < 2**30 else torch.int64
    columns = torch.randperm(p, generator=torch.Generator().manual_seed(seed), dtype=kind)
    order = torch.empty_like(columns)
    for i, part in enumerate(columns.split(CHUNK)):
        order[part.long()] = torch.arange(i * CHUNK, i * CHUNK + len(part), dtype=kind)
    return order


def _blocks(P: int, p: int, convention: str) -> RowBlocks | str:
    """An accumulator, or why there can be none."""
    if not p:
        return "nothing is alive"
    try:
        return RowBlocks(P, p, convention=convention)
    except ValueError as error:
        return str(error)


def _feed(blocks: RowBlocks | str, piece: Tensor, logs: tuple[float, int]) -> None:
    """Add to a row where there is an accumulator."""
    if isinstance(blocks, RowBlocks):
        blocks.add(piece, logs)


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
