"""The block estimate of a noise matrix that is never held whole."""

import math

import torch
from torch import Tensor

from ._result import TailIndex
from .blocks import CHUNK, CONVENTIONS, PUBLISHED_EPSILON, block_length, check_size, jackknife, sum_of_logs

__all__ = ["RowBlocks"]


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
        self._seen, self._rows = 0, 0
        self._sums = torch.zeros(P, 4, dtype=torch.float64)
        self._open = torch.zeros(3, dtype=torch.float64)  # of the open block: sum, sum of log|X|, how many count
        self._filled, self._first = 0, 0  # entries of the open block; the row in which it began

    def add(self, *pieces: Tensor) -> None:
        """Take the next row.

        Args:
            pieces: the row, whole or cut into consecutive pieces.

        Raises:
            ValueError: the pieces do not make a row, or all P rows have been seen.
        """
        if sum(len(piece) for piece in pieces) != self.p or self._rows == self.P:
            sizes = [len(piece) for piece in pieces]
            raise ValueError(f"row {self._rows} of {self.P} has pieces of {sizes} entries, not {self.p} in all")
        for piece in pieces:
            for part in piece.split(CHUNK):
                self._feed(part)
        self._rows += 1

    def _feed(self, X: Tensor) -> None:
        """Take the next entries; those beyond the last block do not take part."""
        X = X[: self.K1 * self.K2 - self._seen]
        self._seen += len(X)
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
