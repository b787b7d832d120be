"""The estimates of one measurement, from the rows of the noise matrix one by one; memory does not grow with the rows."""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tailnoise_utils.noise.matrix import CHUNK
from tailnoise_utils.tail_index import TailIndex
from tailnoise_utils.tail_index.blocks import PUBLISHED_EPSILON
from tailnoise_utils.tail_index.logs import chosen, sum_of_logs
from tailnoise_utils.tail_index.streaming import PermutedRowBlocks, RowBlocks

from .report import Group

Logs = tuple[float, int]  # a sum of logarithms, and their number


class _Scope:
    """Both estimates of the whole network or of a group; a text in place of one says why there is none."""

    def __init__(self, P: int, size: int, live: int) -> None:
        self.size, self.dead_share = size, 1 - live / size
        self.published = _blocks(P, size, "published")
        self.corrected = _blocks(P, live, "corrected")

    def add(self, entries: Tensor, logs: Logs, live: Tensor, logs_live: Logs) -> None:
        """Take the next entries of a row: all of them, and the live ones."""
        for blocks, taken, taken_logs in ((self.published, entries, logs), (self.corrected, live, logs_live)):
            if isinstance(blocks, RowBlocks):
                blocks.add(taken, taken_logs)

    def group(self) -> Group:
        """Return the estimates, or why there are none."""
        estimates, problems = zip(*map(_result, (self.published, self.corrected)), strict=True)
        return Group(self.size, self.dead_share, *estimates, "; ".join(dict.fromkeys(filter(None, problems))))


class Estimates:
    """Estimates of all entries, of groups and under one permutation, from P rows that are each seen once."""

    def __init__(self, P: int, live: Bool[Tensor, " p"], slices: dict[str, list[slice]], seed: int) -> None:
        self.norms: list[float] = []
        self._live, self._all_live = live, bool(live.all())
        p, p_live = len(live), int(live.count_nonzero())
        self._network = _Scope(P, p, p_live)
        _need(self._network.corrected)
        self._permuted = PermutedRowBlocks(P, p_live, _order(p_live, seed).to(live.device))
        self._groups: dict[str, _Scope] = {}
        self._at, self._square = 0, 0.0  # entries of the present row that were seen, and the sum of their squares
        cuts = {0, p, *(end for parts in slices.values() for part in parts for end in (part.start, part.stop))}
        self._ends = sorted(cuts)[1:]
        self._scopes = [[self._network] for _ in self._ends]  # those that have the entries before each end
        for name, parts in slices.items():
            size = sum(part.stop - part.start for part in parts)
            group = self._groups[name] = _Scope(P, size, sum(int(live[part].count_nonzero()) for part in parts))
            for part in parts:
                for scopes in self._scopes[
                    bisect_right(self._ends, part.start) : bisect_left(self._ends, part.stop) + 1
                ]:
                    scopes.append(group)

    def add(self, row: Iterable[Tensor]) -> None:
        """Take the next row, cut into consecutive pieces, with exact zeros where dead."""
        deque(map(self._take, row), maxlen=0)  # keep no reference to a piece while the next one is made: memory
        self.norms.append(math.sqrt(self._square))
        self._at, self._square = 0, 0.0

    def _take(self, piece: Float[Tensor, " k"]) -> None:
        """Take the next piece of a row."""
        start = self._at
        self._at = stop = start + len(piece)
        i = bisect_right(self._ends, start)
        while start < stop:
            last = min(self._ends[i], stop)
            entries, piece = piece[: last - start], piece[last - start :]
            for x, alive in zip(entries.split(CHUNK), self._live[start:last].split(CHUNK), strict=True):
                wide, live = x.double(), x if self._all_live else chosen(x, alive)
                self._square += float(wide.dot(wide))
                logs, logs_live = sum_of_logs(x, PUBLISHED_EPSILON), sum_of_logs(live, 0.0)
                for scope in self._scopes[i]:
                    scope.add(x, logs, live, logs_live)
                self._permuted.add(live, logs_live)
            start, i = last, i + 1

    def published(self) -> TailIndex:
        """Return the published estimate of all entries, summed in float64, once all rows have been seen."""
        return _need(self._network.published).result()

    def results(self) -> tuple[TailIndex, TailIndex, dict[str, Group]]:
        """Return the corrected estimate, that under the permutation, and the groups, once all rows have been seen."""
        corrected, permuted = (
            replace(index, info=index.info | {"dead_share": self._network.dead_share})
            for index in (_need(self._network.corrected).result(), self._permuted.result())
        )
        return corrected, permuted, {name: scope.group() for name, scope in self._groups.items()}


def _order(p: int, seed: int) -> Int[Tensor, " p"]:
    """Draw where each coordinate stands in random order; in 32 bits where that is enough, because it stays in memory."""
    kind = torch.int32 if p < 2**30 else torch.int64
    columns = torch.randperm(p, generator=torch.Generator().manual_seed(seed), dtype=kind)
    order = torch.empty_like(columns)
    for i, part in enumerate(columns.split(CHUNK)):
        order[part.long()] = torch.arange(i * CHUNK, i * CHUNK + len(part), dtype=kind)
    return order


def _blocks(P: int, p: int, convention: str) -> RowBlocks | str:
    """Make an accumulator, or say why there can be none."""
    if not p:
        return "nothing is alive"
    try:
        return RowBlocks(P, p, convention=convention)
    except ValueError as error:
        return str(error)


def _need(blocks: RowBlocks | str) -> RowBlocks:
    """Refuse to go on where there is no accumulator."""
    if isinstance(blocks, str):
        raise ValueError(blocks)
    return blocks


def _result(blocks: RowBlocks | str) -> tuple[TailIndex | None, str]:
    """Return the estimate, or why there is none."""
    try:
        return _need(blocks).result(), ""
    except ValueError as error:
        return None, str(error)
