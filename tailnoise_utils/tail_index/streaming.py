"""The block estimate of a noise matrix that is never held whole."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from .blocks import PUBLISHED_EPSILON, block_length, cancel, inverse_index, jackknife
from .logs import CHUNK, chosen, sum_of_logs
from .result import LOOKED, TailIndex


class RowBlocks:
    """Compute `mohammadi` of a noise matrix that is seen a row at a time, in memory that does not grow with it.

    The result is that of the whole matrix: a block that straddles two rows is carried over. Only the published
    convention differs, by rounding: it sums in float64 here, in float32 there.

    Args:
        P: number of rows to come.
        p: entries of a row; in the corrected convention of its live columns, which the caller chooses.
        K1: length of a block, as in `mohammadi`.
        convention: ``"corrected"`` or ``"published"``.

    Raises:
        ValueError: as `mohammadi`, as far as sizes decide it.
    """

    def __init__(self, P: int, p: int, K1: int | None = None, *, convention: str = "corrected") -> None:
        self.P, self.p = P, p
        self.K1 = block_length(P * p, K1, convention)
        self.K2 = P * p // self.K1
        self.epsilon = PUBLISHED_EPSILON if convention == "published" else 0.0
        self._rows, self._in_row = 0, 0  # rows that are complete, entries of the next one
        self._sums = np.zeros((P, 4))  # of the blocks that begin in each row, as `jackknife` takes them
        self._Y = torch.zeros(0)  # sums of the blocks that the present row reaches, the open one first
        self._open, self._first = 0.0, 0  # sum of the open block before this row; the row in which it began
        self._sizes, self._open_size = torch.zeros(0), 0.0  # the same of absolute values, in the first rows
        self._cancelled, self._seen = 0, 0

    @property
    def _before(self) -> int:
        """Entries that the open block had before this row."""
        return self._rows * self.p % self.K1

    @property
    def cancelled(self) -> float:
        """Share of the block sums, of those that end in the first rows, that are rounding errors of zero."""
        return self._cancelled / max(1, self._seen)

    @property
    def _left(self) -> int:
        """Entries, from the beginning of this row on, that take part: no more than fill the last block."""
        return self.K1 * self.K2 - self._rows * self.p

    def add(self, piece: Tensor, logs: tuple[float, int] | None = None) -> None:
        """Take the next entries of a row, and what `sum_of_logs` says of them if it is at hand; a full row ends."""
        if not len(piece):
            return
        if self._rows == self.P or self._in_row + len(piece) > self.p:
            raise ValueError(
                f"a piece of {len(piece)} entries does not fit: {self._rows} of {self.P} rows have been seen, and "
                f"{self._in_row} of the {self.p} entries of the next one"
            )
        if not self._in_row:
            reached = (self._before + self.p - 1) // self.K1 + 1
            self._Y = torch.zeros(reached, dtype=torch.float64, device=piece.device)
            self._sizes = torch.zeros_like(self._Y)
        for part in [piece] if logs else piece.split(CHUNK):
            self._feed(part, logs or sum_of_logs(part, self.epsilon))
            self._in_row += len(part)
        if self._in_row == self.p:
            self._end_row()
            self._rows, self._in_row = self._rows + 1, 0

    def _feed(self, X: Tensor, logs: tuple[float, int]) -> None:
        """Add the next entries to the sums of their blocks, their logarithms to the row in which the block begins."""
        self._sum(X, self._Y)
        if self._rows * self.p < LOOKED:
            self._sum(X.abs(), self._sizes)
        if self._left < self.p:
            logs = sum_of_logs(self._among(X, self._left), self.epsilon)
        self._sums[self._rows, 2:] += logs
        if self._before and len(head := self._among(X, min(self._left, self.K1 - self._before))):
            head_logs = sum_of_logs(head, self.epsilon)
            self._sums[self._rows, 2:] -= head_logs
            self._sums[self._first, 2:] += head_logs

    def _sum(self, X: Tensor, Y: Tensor) -> None:
        """Add the next entries to the sums of their blocks."""
        block, filled = divmod(self._before + self._in_row, self.K1)
        if filled:
            head, X = X[: self.K1 - filled], X[self.K1 - filled :]
            Y[block] += head.sum(dtype=torch.float64)
            block += 1
        full = len(X) // self.K1
        Y[block : block + full] = X[: full * self.K1].view(full, self.K1).sum(1, dtype=torch.float64)
        if len(X) > full * self.K1:
            Y[block + full] += X[full * self.K1 :].sum(dtype=torch.float64)

    def _among(self, X: Tensor, n: int) -> Tensor:
        """Take those of the next entries that stand among the first n of the row."""
        return X[: max(0, n - self._in_row)]

    def _end_row(self) -> None:
        """Book the blocks that are complete to the rows in which they begin, and keep the sum of the open one."""
        self._Y[0] += self._open
        ended = (self._before + min(self.p, self._left)) // self.K1
        finished = self._Y[:ended]
        if self._rows * self.p < LOOKED:
            self._sizes[0] += self._open_size
            self._cancelled += int(cancel(finished, self._sizes[:ended], self.K1).sum())
            self._seen += ended
            self._open_size = float(self._sizes[ended]) if ended < len(self._sizes) else 0.0
        if ended and self._before:
            self._sums[self._first, :2] += sum_of_logs(finished[:1], self.epsilon)
            finished = finished[1:]
        self._sums[self._rows, :2] += sum_of_logs(finished, self.epsilon)
        if ended or not self._before:
            self._first = self._rows
        self._open = float(self._Y[ended]) if ended < len(self._Y) else 0.0

    def result(self) -> TailIndex:
        """Give the estimate, as `mohammadi` of the matrix, once all rows have been seen."""
        if self._rows < self.P:
            raise ValueError(f"{self._rows} of {self.P} rows have been seen: add the others first")
        totals = self._sums.sum(0).tolist()
        if not totals[3]:
            raise ValueError(f"nothing is alive: all {self.P} x {self.p} entries are exactly zero")
        info: dict[str, float | int] = {"K1": self.K1, "K2": self.K2}
        if not self.epsilon:
            info["zeros"] = self.K1 * self.K2 - int(totals[3])
        inverse = inverse_index(totals, self.K1, self.K2)
        begun = (self.K2 - 1) * self.K1 // self.p + 1  # rows in which a block begins
        inverse_se, _ = jackknife(torch.from_numpy(self._sums[:begun]), self.K1)
        return TailIndex.from_inverse(inverse, inverse_se, **info)


class PermutedRowBlocks(RowBlocks):
    """Do the same where `order` says at which place of its row each entry stands; on a GPU the last digits may vary."""

    def __init__(self, P: int, p: int, order: Int[Tensor, " columns"], K1: int | None = None) -> None:
        super().__init__(P, p, K1)
        if len(order) != p:
            raise ValueError(f"an order of {len(order)} columns for rows of {p} entries: give one place each")
        self._order = order

    def _places(self, X: Tensor) -> Tensor:
        """Give the places of the next entries."""
        return self._order[self._in_row : self._in_row + len(X)]

    def _sum(self, X: Tensor, Y: Tensor) -> None:
        Y.index_add_(0, (self._places(X) + self._before) // self.K1, X.double())

    def _among(self, X: Tensor, n: int) -> Tensor:
        return chosen(X, self._places(X) < n)
