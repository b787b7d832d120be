"""The block estimate of a noise matrix that is never held whole."""

import math

import torch
from jaxtyping import Int
from torch import Tensor

from ._result import TailIndex
from .blocks import CHUNK, CONVENTIONS, PUBLISHED_EPSILON, block_length, check_size, jackknife, sum_of_logs

__all__ = ["PermutedRowBlocks", "RowBlocks"]


class RowBlocks:
    """:func:`mohammadi` of a noise matrix that is seen one row at a time, in memory that does not grow with it.

    The result is that of the whole matrix: a block that straddles two rows is carried over. Only the published
    convention differs, by rounding: it sums in float64 here, in float32 there.

    Args:
        P: number of rows to come.
        p: entries of a row; in the clean convention of its live columns, which the caller chooses.
        K1: length of a block, as in :func:`mohammadi`.
        convention: ``"clean"`` or ``"published"``.

    Raises:
        ValueError: as :func:`mohammadi`, as far as sizes decide it.
    """

    def __init__(self, P: int, p: int, K1: int | None = None, *, convention: str = "clean") -> None:
        if convention not in CONVENTIONS:
            raise ValueError(f"unknown convention {convention!r}; choose one of {', '.join(CONVENTIONS)}")
        check_size(P * p)
        self.P, self.p = P, p
        self.K1 = block_length(P * p, K1, convention)
        self.K2 = P * p // self.K1
        self._epsilon = PUBLISHED_EPSILON if convention == "published" else 0.0
        self._rows, self._in_row = 0, 0  # rows that are complete, entries of the next one
        self._sums = torch.zeros(P, 4, dtype=torch.float64)
        self._open = torch.zeros(3, dtype=torch.float64)  # of the open block: sum, sum of log|X|, how many count
        self._filled, self._first = 0, 0  # entries of the open block; the row in which it began

    @property
    def _left(self) -> int:
        """Entries, from the beginning of this row on, that take part: no more than fill the last block."""
        return self.K1 * self.K2 - self._rows * self.p

    def add(self, piece: Tensor) -> None:
        """Take the next entries of a row; the row ends where it has them all.

        Args:
            piece: the whole row, or what comes next of it.

        Raises:
            ValueError: more entries than the row has left, or all P rows have been seen.
        """
        if not len(piece):
            return
        if self._rows == self.P or self._in_row + len(piece) > self.p:
            raise ValueError(
                f"a piece of {len(piece)} entries does not fit: {self._rows} of {self.P} rows have been seen, and "
                f"{self._in_row} of the {self.p} entries of the next one"
            )
        for part in piece.split(CHUNK):
            self._feed(part)
            self._in_row += len(part)
        if self._in_row == self.p:
            self._end_row()
            self._rows, self._in_row = self._rows + 1, 0

    def _end_row(self) -> None:
        """What is left to do once a row is complete."""

    def _feed(self, X: Tensor) -> None:
        """Take the next entries; those beyond the last block do not take part."""
        X = X[: max(0, self._left - self._in_row)]
        if self._filled:
            head, X = X[: self.K1 - self._filled], X[self.K1 - self._filled :]
            self._carry(head)
        blocks = X[: len(X) // self.K1 * self.K1].view(-1, self.K1)
        if len(blocks):
            self._count(self._rows, blocks.sum(1, dtype=torch.float64), *sum_of_logs(blocks, self._epsilon))
        if len(rest := X[blocks.numel() :]):
            self._first = self._rows
            self._carry(rest)

    def _carry(self, X: Tensor) -> None:
        """Add entries to the open block, and close it once it is full."""
        self._open += torch.tensor(
            [float(X.sum(dtype=torch.float64)), *sum_of_logs(X, self._epsilon)], dtype=torch.float64
        )
        self._filled += len(X)
        if self._filled == self.K1:
            _, log_X, n_X = self._open.tolist()
            self._count(self._first, self._open[:1], log_X, n_X)
            self._open.zero_()
            self._filled = 0

    def _count(self, row: int, Y: Tensor, log_X: float, n_X: int | float) -> None:
        """Book finished blocks to the row in which they begin."""
        self._sums[row] += torch.tensor([*sum_of_logs(Y, self._epsilon), log_X, n_X], dtype=torch.float64)

    def result(self) -> TailIndex:
        """The estimate, once all rows have been seen.

        Returns:
            As :func:`mohammadi` of the matrix; `info` holds K1, K2 and, in the clean convention, zeros.

        Raises:
            ValueError: rows are missing, nothing but zeros, or all block sums are zero.
        """
        if self._rows < self.P:
            raise ValueError(f"{self._rows} of {self.P} rows have been seen: add the others first")
        log_Y, n_Y, log_X, n_X = self._sums.sum(0).tolist()
        if not n_X:
            raise ValueError(f"nothing is alive: all {self.P} x {self.p} entries are exactly zero")
        if not n_Y:
            raise ValueError(f"all {self.K2} block sums (K1 = {self.K1}) are exactly zero: no logarithm to average")
        info: dict[str, float | int] = {"K1": self.K1, "K2": self.K2}
        if not self._epsilon:
            info["zeros"] = self.K1 * self.K2 - int(n_X)
        begun = ((self.K2 - 1) * self.K1) // self.p + 1  # rows in which a block begins
        inverse = (log_Y / n_Y - log_X / n_X) / math.log(self.K1)
        return TailIndex.from_inverse(inverse, jackknife(self._sums[:begun], self.K1), **info)


class PermutedRowBlocks(RowBlocks):
    """The same of a matrix whose columns are permuted, while its rows come as they are: no row is ever put in order.

    An entry is added to the sum of the block that it falls into. (Gathering the row in its new order, from all over the
    memory, takes two to five times as long.)

    Args:
        P: number of rows to come.
        p: entries of a row.
        order: where each entry of a row stands once it is permuted.
        K1: as of :class:`RowBlocks`.

    Raises:
        ValueError: as :class:`RowBlocks`.
    """

    def __init__(self, P: int, p: int, order: Int[Tensor, " p"], K1: int | None = None) -> None:
        super().__init__(P, p, K1)
        self._order = order
        self._Y = torch.zeros(0, dtype=torch.float64)  # sums of the blocks that the present row reaches

    @property
    def _filled_before(self) -> int:
        """Entries that the open block had when this row began."""
        return self._rows * self.p % self.K1

    def _feed(self, X: Tensor) -> None:
        """Add each of the next entries to its block, and their logarithms to the row in which that begins."""
        before, at = self._filled_before, self._order[self._in_row :][: len(X)]
        if not self._in_row:
            self._Y = torch.zeros((before + self.p - 1) // self.K1 + 1, dtype=torch.float64, device=X.device)
        if self._left < self.p:
            X, at = X[at < self._left], at[at < self._left]
        self._Y.index_add_(0, (at + before) // self.K1, X.double())
        logs = self._logs(X)
        if before:
            head = self._logs(X[at < self.K1 - before])
            self._sums[self._first, 2:] += head
            logs -= head
        self._sums[self._rows, 2:] += logs

    def _end_row(self) -> None:
        """Book the blocks that are complete to the rows in which they begin, and keep the sum of the open one."""
        before = self._filled_before
        self._Y[0] += float(self._open[0])
        ended = (before + min(self.p, self._left)) // self.K1
        finished = self._Y[:ended]
        if ended and before:
            self._sums[self._first, :2] += self._logs(finished[:1])
            finished = finished[1:]
        self._sums[self._rows, :2] += self._logs(finished)
        if ended or not before:
            self._first = self._rows
        self._open[0] = self._Y[ended] if ended < len(self._Y) else 0.0

    def _logs(self, values: Tensor) -> Tensor:
        """Sum of log|values| without zeros, and how many are left."""
        return torch.tensor(sum_of_logs(values, self._epsilon), dtype=torch.float64)
