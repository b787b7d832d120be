"""The estimates of one measurement, from the rows of the noise matrix one by one; memory does not grow with the rows."""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from tailnoise_utils.diagnosis.per_coordinate import gaussian_mean_log
from tailnoise_utils.diagnosis.twins import TwinBlocks, apart, random_signs
from tailnoise_utils.tail_index import TailIndex
from tailnoise_utils.tail_index.blocks import CANCELLED, PUBLISHED_EPSILON
from tailnoise_utils.tail_index.logs import CHUNK, chosen, sum_of_logs
from tailnoise_utils.tail_index.streaming import PermutedRowBlocks, RowBlocks

from .report import Group

_LOST = 0.03  # of the s.d. of a coordinate: if other roundings move it by more, it is little else; real noise by 1e-4


class _Scope:
    """The estimates of the whole network or of a group in both conventions; a text in place of one says why."""

    def __init__(self, P: int, live: Bool[Tensor, " p"]) -> None:
        self.size, alive = len(live), int(live.count_nonzero())
        self.dead_share = 1 - alive / self.size
        self._blocks: dict[str, RowBlocks | str] = {}
        for convention, p in (("published", self.size), ("corrected", alive)):
            try:
                if not p:
                    raise ValueError("nothing is alive")
                self._blocks[convention] = RowBlocks(P, p, convention=convention)
            except ValueError as error:
                self._blocks[convention] = str(error)

    def add(self, entries: Tensor, logs: tuple[float, int], live: Tensor, logs_live: tuple[float, int]) -> None:
        """Take the next entries of a row: all of them, and the live ones."""
        for blocks, taken in zip(self._blocks.values(), ((entries, logs), (live, logs_live)), strict=True):
            if isinstance(blocks, RowBlocks):
                blocks.add(*taken)

    def result(self, convention: str) -> TailIndex:
        """Return an estimate, once all rows have been seen."""
        self.K1(convention)  # or why there is none
        return self._blocks[convention].result()

    def group(self) -> Group:
        """Return both estimates, or why there are none."""
        estimates, problems = dict.fromkeys(self._blocks), []
        for convention in estimates:
            try:
                estimates[convention] = self.result(convention)
            except ValueError as error:
                problems.append(str(error))
        problem = "; ".join(dict.fromkeys(problems))
        return Group(self.size, self.dead_share, *estimates.values(), problem, self.meaningless())

    def meaningless(self) -> str:
        """Say which estimates are meaningless, because their block sums cancel; "" if none."""
        shares = {name: one.cancelled for name, one in self._blocks.items() if isinstance(one, RowBlocks)}
        return "; ".join(
            f"{name}: meaningless: {share:.0%} of its sums over K1 = {self.K1(name)} entries are rounding errors of zero"
            for name, share in shares.items()
            if share > CANCELLED
        )

    def K1(self, convention: str) -> int:
        """Return the block length of an estimate."""
        blocks = self._blocks[convention]
        if isinstance(blocks, str):
            raise ValueError(blocks)
        return blocks.K1


class Estimates:
    """Estimates of all entries, also permuted, of other signs and of the twin, and of groups; each row is seen once."""

    def __init__(self, P: int, live: Bool[Tensor, " p"], slices: dict[str, list[slice]], seed: int) -> None:
        self.norms: list[float] = []
        slices = apart(slices)
        self.live, self._all_live = live, bool(live.all())
        self._network = _Scope(P, live)
        p = int(live.count_nonzero())
        self._permuted = PermutedRowBlocks(P, p, _order(p, seed).to(live.device))
        self._signed, self._signs = _Scope(P, live), random_signs(len(live), seed + 1).to(live.device)
        columns = {"published": len(live), "corrected": p}
        self._twins = {name: TwinBlocks(P, size, [self._network.K1(name)]) for name, size in columns.items()}
        self._P, self._logs = P, np.zeros(2)  # sum and number of ln|X| of live entries
        self._column_norms: Tensor | None = None  # of every column
        self._groups = {name: _Scope(P, torch.cat([live[part] for part in parts])) for name, parts in slices.items()}
        cuts = {0, len(live), *(cut for parts in slices.values() for part in parts for cut in (part.start, part.stop))}
        starts, self._ends = sorted(cuts)[:-1], sorted(cuts)[1:]
        self._scopes = [self._scopes_at(start, slices) for start in starts]
        self._at, self._square = 0, 0.0  # entries of the present row that were seen, and the sum of their squares

    def _scopes_at(self, at: int, slices: dict[str, list[slice]]) -> list[_Scope]:
        """Return what a coordinate belongs to: the network, and groups."""
        names = [name for name, parts in slices.items() if any(part.start <= at < part.stop for part in parts)]
        return [self._network, *(self._groups[name] for name in names)]

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
            if self._column_norms is None:
                self._column_norms = piece.new_zeros(
                    len(self.live), dtype=torch.promote_types(piece.dtype, torch.float32)
                )
            columns = (of_all[start:last].split(CHUNK) for of_all in (self.live, self._signs, self._column_norms))
            for x, alive, signs, norms in zip(entries.split(CHUNK), *columns, strict=True):
                wide, live = x.double(), x if self._all_live else chosen(x, alive)
                self._square += float(wide.dot(wide))
                logs, logs_live = sum_of_logs(x, PUBLISHED_EPSILON), sum_of_logs(live, 0.0)
                for scope in self._scopes[i]:
                    scope.add(x, logs, live, logs_live)
                self._permuted.add(live, logs_live)
                torch.hypot(norms, x.to(norms), out=norms)
                signed = x * signs
                live_signed = signed if self._all_live else chosen(signed, alive)
                self._signed.add(signed, logs, live_signed, logs_live)
                self._twins["published"].add(x)
                self._twins["corrected"].add(live)
                self._logs += logs_live
            start, i = last, i + 1

    def published(self) -> TailIndex:
        """Return the published estimate of all entries, summed in float64, once all rows have been seen."""
        return self._network.result("published")

    def results(self) -> dict[str, Any]:
        """Return what a report has of the noise, by its names there, once all rows have been seen."""
        corrected, permuted = (
            replace(index, info=index.info | {"dead_share": self._network.dead_share})
            for index in (self._network.result("corrected"), self._permuted.result())
        )
        scales = (self._column_norms.double() / math.sqrt(self._P)).cpu()
        live = scales[self.live.cpu()]
        return {
            "corrected": corrected,
            "permuted": permuted,
            "twin": self._twin("corrected", live, 0.0),
            "twin_published": self._twin("published", scales, PUBLISHED_EPSILON),
            "signs": self._signed.result("corrected"),
            "signs_published": self._signed.result("published"),
            "tau": gaussian_mean_log(self._P) - float(self._logs[0] / self._logs[1] - live.log().mean()),
            "meaningless": self._network.meaningless(),
            "dead_share": self._network.dead_share,
            "norms": np.array(self.norms),
            "groups": {name: scope.group() for name, scope in self._groups.items()},
        }

    def _twin(self, convention: str, scales: Float64[Tensor, " columns"], epsilon: float) -> TailIndex:
        """Return the mean estimate of the Gaussian twins, which has no standard error."""
        K1 = self._network.K1(convention)
        inverse = self._twins[convention].inverse(scales, K1, epsilon=epsilon)
        return TailIndex.from_inverse(inverse, math.nan, K1=K1)

    def lost(self, rounding: Tensor | float) -> Bool[Tensor, " p"]:
        """Mark the live coordinates that other roundings move so much that their noise is little else."""
        return self.live & (rounding > _LOST / math.sqrt(self._P) * self._column_norms)


def _order(p: int, seed: int) -> Int[Tensor, " p"]:
    """Draw where each coordinate stands in random order; in 32 bits where that is enough, because it stays in memory."""
    kind = torch.int32 if p < 2**30 else torch.int64
    columns = torch.randperm(p, generator=torch.Generator().manual_seed(seed), dtype=kind)
    order = torch.empty_like(columns)
    for i, part in enumerate(columns.split(CHUNK)):
        order[part.long()] = torch.arange(i * CHUNK, i * CHUNK + len(part), dtype=kind)
    return order
