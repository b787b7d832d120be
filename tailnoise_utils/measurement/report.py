"""What :func:`tailnoise_utils.measurement.one_call.measure` returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tailnoise_utils.diagnosis import Diagnosis
from tailnoise_utils.diagnosis.decomposition import FEWEST_ROWS
from tailnoise_utils.diagnosis.result import FEW
from tailnoise_utils.tail_index import TailIndex

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["QUANTILES", "Group", "Report", "index_rows"]

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Group:
    """A group of parameters, a layer, say.

    Attributes:
        p: number of its parameters.
        dead_share: share of them whose gradient is the same in all minibatches.
        published: alpha^ as published, None where there is none.
        corrected: alpha^ in the corrected convention, None where there is none.
        problem: why there is none, else "".
    """

    p: int
    dead_share: float
    published: TailIndex | None
    corrected: TailIndex | None
    problem: str


@dataclass(frozen=True, repr=False)
class Report:
    """Gradient noise of one model at one point.

    Attributes:
        P: number of minibatches.
        p: number of trainable parameters.
        samples: number of samples in all, None where batches do not tell.
        mode: ``"eval"`` or ``"train"``.
        method: ``"matrix"`` or ``"streaming"``.
        seed: of dropout masks and of the permutation of the columns.
        published: alpha^ of the paper's arithmetic.
        corrected: alpha^ in the corrected convention.
        permuted: the same after one common random permutation of the columns.
        dead_share: share of the coordinates whose gradient is the same in all minibatches.
        norms: Euclidean norm of each row of the noise matrix, shape (P,).
        loss: mean over the minibatches.
        accuracy: share of samples with the highest score at their label, None where there is no such thing.
        groups: of parameters, by name.
        diagnosis: why alpha^ is below 2, None where it was not made.
        no_diagnosis: why not, else "".
        seconds: wall time of the measurement.
    """

    P: int
    p: int
    samples: int | None
    mode: str
    method: str
    seed: int
    published: TailIndex
    corrected: TailIndex
    permuted: TailIndex
    dead_share: float
    norms: np.ndarray
    loss: float
    accuracy: float | None
    groups: dict[str, Group]
    diagnosis: Diagnosis | None
    no_diagnosis: str
    seconds: float

    def __repr__(self) -> str:
        of = f" of {self.samples // self.P:,} samples ({self.samples:,} in all)" if self.samples else ""
        live = round(self.p * (1 - self.dead_share))
        few = f";\n  only {live} live: few, so that alpha^ says little" if live < FEW else ""
        lines = [
            f"Gradient noise in {self.mode} mode: p = {self.p:,} parameters,",
            f"  P = {self.P} minibatches{of}",
            f"  loss {self.loss:.4g}" + ("" if self.accuracy is None else f", accuracy {self.accuracy:.2%}"),
            f"  dead, with the same gradient in all minibatches: {self.dead_share:.2%} of the parameters" + few,
            f"  norm of the noise of a minibatch: median {np.median(self.norms):.4g}, {self.norms.min():.4g} to "
            f"{self.norms.max():.4g}",
            "Tail index alpha^ of all P x p entries (2: independent Gaussian ones) +- its",
            "  standard error over the minibatches:",
            f"    published  {_value(self.published)}  in the arithmetic of the paper",
            f"    corrected      {_value(self.corrected)}  without the dead, and no epsilon in logarithms",
            f"    permuted   {_value(self.permuted)}  corrected, with the parameters in random order",
        ]
        if self.groups:
            width = max(9, *map(len, self.groups))
            lines.append("  corrected, of each group of parameters:")
            for name, group in self.groups.items():
                found = _value(group.corrected) if group.corrected else f"none ({group.problem})"
                lines.append(f"    {name:{width}}  {found}  p = {group.p:,}, dead {group.dead_share:.1%}")
        if self.P < FEWEST_ROWS:
            rough = 1 / math.sqrt(2 * (self.P - 1))  # of a standard deviation of P normal numbers
            error = "needs 3" if self.P < 3 else f"may be wrong by {rough:.0%} or more"
            lines += [
                f"  P = {self.P} minibatches are few: a standard error {error}, and",
                f"  the tests need {FEWEST_ROWS} at least. Take smaller minibatches, or more data.",
            ]
        lines += [
            "  alpha^ < 2 alone is no evidence of heavy tails: dependence, unequal scales and",
            "  the order of the parameters lower it too (and negative dependence or few",
            "  entries can take it above 2).",
            repr(self.diagnosis)
            if self.diagnosis
            else fill(f"No diagnosis, and no conclusion: {self.no_diagnosis}", 80, subsequent_indent="  "),
        ]
        return "\n".join(lines)

    def rows(self) -> list[dict[str, Any]]:
        """The numbers as rows of the results table.

        Returns:
            Records with the keys quantity and value, and scope (a group; absent for the whole network), x, se.
        """
        rows: list[dict[str, Any]] = []
        for name, index in self._whole():
            rows += index_rows(name, index)
        rows += [{"quantity": "dead share", "value": self.dead_share}, {"quantity": "loss", "value": self.loss}]
        if self.accuracy is not None:
            rows.append({"quantity": "accuracy", "value": self.accuracy})
        for share, norm in zip(QUANTILES, np.quantile(self.norms, QUANTILES), strict=True):
            rows.append({"quantity": "norm quantile", "x": share, "value": float(norm)})
        for scope, group in self.groups.items():
            found = [{"quantity": "dead share", "value": group.dead_share}]
            for name, index in (("published", group.published), ("corrected", group.corrected)):
                found += index_rows(name, index) if index else []
            rows += [row | {"scope": scope} for row in found]
        return rows + (self.diagnosis.rows() if self.diagnosis else [])

    def to_frame(self) -> pd.DataFrame:
        """The same rows as a table, with alpha^ beside 1/alpha^, and whether the diagnosis is in doubt (1) or not (0).

        Returns:
            Columns scope, quantity, x, value, se.
        """
        import pandas as pd

        rows = self.rows()
        for name, index in (
            ("published", self.published),
            ("corrected", self.corrected),
            ("corrected, columns permuted", self.permuted),
        ):
            rows.append({"quantity": f"alpha ({name})", "value": index.alpha, "se": index.se})
        for scope, group in self.groups.items():
            for name, index in (("published", group.published), ("corrected", group.corrected)):
                if index:
                    rows.append({"scope": scope, "quantity": f"alpha ({name})", "value": index.alpha, "se": index.se})
        if self.diagnosis:
            rows.append({"quantity": "diagnosis order (p)", "value": self.diagnosis.order})
            rows.append({"quantity": "diagnosis in doubt", "value": float(bool(self.diagnosis.doubt))})
        blank = {"scope": "all", "x": float("nan"), "se": float("nan")}
        return pd.DataFrame([blank | row for row in rows])[["scope", "quantity", "x", "value", "se"]]

    def _whole(self) -> tuple[tuple[str, TailIndex], ...]:
        """The three estimates for the whole network."""
        return (
            ("published", self.published),
            ("corrected", self.corrected),
            ("corrected, columns permuted", self.permuted),
        )

    def plot(self) -> Figure:
        """Draw alpha^ of the whole network and of the groups, and the norms of the noise.

        Returns:
            A figure of two panels.
        """
        from .drawing import report

        return report(self)


def _value(index: TailIndex) -> str:
    """An estimate for reading."""
    return f"{index.alpha:.3f}" + ("" if math.isnan(index.se) else f" +- {index.se:.3f}")


def index_rows(name: str, index: TailIndex) -> list[dict[str, Any]]:
    """An estimate as rows of the results table.

    Args:
        name: of the convention, or of what else was done.
        index: the estimate.

    Returns:
        Two records, 1/alpha^ with its standard error, and K1.
    """
    return [
        {"quantity": f"1/alpha ({name})", "value": index.inverse, "se": index.inverse_se},
        {"quantity": f"K1 ({name})", "value": index.info["K1"]},
    ]
