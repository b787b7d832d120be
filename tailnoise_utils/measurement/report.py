"""What :func:`tailnoise_utils.measurement.one_call.measure` returns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tailnoise_utils.diagnosis import Comparison, Diagnosis
from tailnoise_utils.diagnosis.assembly import FEWEST_ROWS
from tailnoise_utils.diagnosis.decomposition import Decomposition
from tailnoise_utils.diagnosis.joint import Estimate
from tailnoise_utils.diagnosis.per_coordinate import stable_index
from tailnoise_utils.diagnosis.result import FEW
from tailnoise_utils.tail_index import TailIndex

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
# The estimates of the whole network: field of the report, and name in tables. The first are stored by the study.
_MEASURED = {"published": "published", "corrected": "corrected", "permuted": "corrected, columns permuted"}
_CONTROLS = {field: field.replace("_", ", ") for field in ("twin", "twin_published", "signs", "signs_published")}
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Group:
    """A group of parameters, such as a layer.

    Attributes:
        p: number of its parameters.
        dead_share: share of them whose gradient is the same in all minibatches.
        published: alpha^ in the paper's arithmetic, or None.
        corrected: alpha^ in the corrected convention, or None.
        problem: why one of them is None, else "".
        meaningless: why one of them means nothing (its block sums cancel exactly), else "".
    """

    p: int
    dead_share: float
    published: TailIndex | None
    corrected: TailIndex | None
    problem: str
    meaningless: str

    def estimates(self) -> list[tuple[str, TailIndex]]:
        """Return the estimates that there are, with their names."""
        both = (("published", self.published), ("corrected", self.corrected))
        return [(name, index) for name, index in both if index]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Report:
    """Gradient noise of one model at one point; printed in ten lines, :meth:`details` has the rest.

    Two reports are equal if all of them is but the wall time; NaN equals NaN.

    Attributes:
        P: number of minibatches.
        p: number of trainable parameters.
        samples: number of samples in all, None where batches do not tell.
        mode: ``"eval"`` or ``"train"``; ``"rows"`` of rows of one's own.
        method: ``"matrix"`` or ``"streaming"``.
        seed: of dropout masks and of the permutation of the coordinates.
        published: alpha^ in the paper's arithmetic.
        corrected: alpha^ in the corrected convention.
        permuted: the same after one common random permutation of the coordinates.
        twin: what `corrected` is on average on Gaussian noise of the same covariance, in closed form
            (:func:`~tailnoise_utils.diagnosis.twins.twin_inverse`); equal for every jointly stable noise.
        twin_published: the same of `published`.
        signs: `corrected` after every coordinate was given a random sign, which tests independence only.
        signs_published: the same of `published`.
        tau: mean tail excess of all live coordinates (:func:`~tailnoise_utils.diagnosis.per_coordinate.tail_excess`).
        meaningless: which of the estimates mean nothing, and why, else "".
        rounding: share of the live coordinates whose noise is rounding errors of zero, NaN where it is unknown.
        dead_share: share of the coordinates whose gradient is the same in all minibatches.
        norms: Euclidean norm of each row of the noise matrix, shape (P,).
        loss: mean over the minibatches, NaN where it is unknown.
        accuracy: share of samples with the highest score at their label, None where labels or scores are missing.
        groups: of parameters, by name.
        diagnosis: why alpha^ is below 2, None if it was not made.
        no_diagnosis: the reason if it was not made, else "".
        seconds: wall time of the measurement.
    """

    P: int
    p: int
    samples: int | None = None
    mode: str
    method: str
    seed: int
    published: TailIndex
    corrected: TailIndex
    permuted: TailIndex
    twin: TailIndex
    twin_published: TailIndex
    signs: TailIndex
    signs_published: TailIndex
    tau: float
    meaningless: str
    rounding: float = math.nan
    dead_share: float
    norms: np.ndarray
    loss: float = math.nan
    accuracy: float | None = None
    groups: dict[str, Group]
    diagnosis: Diagnosis | None
    no_diagnosis: str
    seconds: float

    @property
    def conclusion(self) -> str:
        """What the tests across the minibatches found, in one sentence, or why there are none."""
        if self.diagnosis:
            return self.diagnosis.conclusion
        rough = "" if self.P >= FEWEST_ROWS else f" A standard error {self._error()}."
        return f"none, for {self.no_diagnosis}{rough}"

    @property
    def heavier(self) -> bool | None:
        """Whether a test finds the noise heavier than Gaussian; None where nothing can be concluded."""
        return self.diagnosis.heavier if self.diagnosis else None

    @property
    def tau_p(self) -> float:
        """The p-value of tau on up to 4,096 coordinates against Gaussian twins, NaN without a diagnosis."""
        return self.diagnosis.tests["all", "tail excess", None].p if self.diagnosis else math.nan

    def scalars(self) -> dict[str, float]:
        """Give the numbers of the printed report by name, NaN where they are absent or meaningless; `heavier` is 1 or 0."""
        fields = [field for field in (*_MEASURED, *_CONTROLS) if field != "permuted"]
        values = {field: getattr(self, field).alpha for field in fields}
        values |= {f"{field}_se": getattr(self, field).se for field in fields if "twin" not in field}
        if self.meaningless:
            values |= dict.fromkeys(("corrected", "corrected_se", "published", "published_se"), math.nan)
        values |= {"tau": self.tau, "tau_p": self.tau_p, "tau_index": stable_index(self.tau, self.P)}
        optional = {"accuracy": self.accuracy, "heavier": self.heavier}
        return (
            values
            | {"dead_share": self.dead_share, "rounding": self.rounding, "loss": self.loss}
            | {"norm": float(np.median(self.norms))}
            | {name: math.nan if value is None else float(value) for name, value in optional.items()}
        )

    def to_json(self) -> str:
        """Write the report, for :meth:`from_json`; what JSON has not, such as NaN, is an object that names its type."""
        return json.dumps(_plain(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report that equals the one that :meth:`to_json` wrote; refuse other text with a ValueError."""
        with suppress(KeyError, TypeError):  # of other types, or others of their fields
            if isinstance(report := json.loads(text, object_hook=_made), cls):
                return report
        raise ValueError("this is no report of this version of tailnoise_utils: give what to_json() of one wrote")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Report) and _plain(self, "seconds") == _plain(other, "seconds")

    def __repr__(self) -> str:
        each = f" of {self.samples // self.P:,} samples" if self.samples else ""
        live = round(self.p * (1 - self.dead_share))
        lost = f", {self.rounding:.1%} rounding" if self.rounding > 0 else ""
        few = f" ({live} live: few)" if live < FEW else ""
        rows = self.mode == "rows"
        lines = [
            f"{'Noise' if rows else 'Gradient noise'} ({self.mode}): p = {self.p:,}, P = {self.P:,} "
            + ("rows" if rows else f"minibatches{each}"),
            f"  {self._loss()}, norm {np.median(self.norms):.3g}; {self.dead_share:.2%} of p dead{few}{lost}",
        ]
        said = ("2: i.i.d. Gaussian", "of covariance alone", "correlation removed")
        if self.meaningless:
            said = ("MEANINGLESS (details)", *said[1:])
        names = ("joint alpha^", "its Gaussian twin", "random signs")
        pairs = ((self.corrected, self.published), (self.twin, self.twin_published), (self.signs, self.signs_published))
        for name, (index, published), what in zip(names, pairs, said, strict=True):
            lines.append(f"  {name:17}  {_value(index):16}  (published {published.alpha:.3f})  {what}")
        ruler = stable_index(self.tau, self.P)
        known = f"(as stable {ruler:.2f})" if ruler > 1 else "(below stable 1)"
        known = "(no ruler below 16)" if math.isnan(ruler) else known
        p = "no p" if math.isnan(self.tau_p) else f"p = {self.tau_p:.2g}"
        lines.append(f"  {'tail excess tau':17}  {f'{self.tau:.3f}, {p}':16}  {known:17}  0: Gaussian")
        return "\n".join([*lines, fill(f"Conclusion: {self.conclusion}", 80, subsequent_indent="  ")])

    def estimates(self, fields: dict[str, str] = _MEASURED | _CONTROLS) -> list[tuple[str, TailIndex]]:
        """Return the estimates of these fields with their names in tables."""
        return [(name, getattr(self, field)) for field, name in fields.items()]

    def _loss(self) -> str:
        """Say what the loss and the accuracy are."""
        loss = "unknown" if math.isnan(self.loss) else f"{self.loss:.4g}"
        return f"loss {loss}" + ("" if self.accuracy is None else f", accuracy {self.accuracy:.2%}")

    def _error(self) -> str:
        """Say how rough a standard error of few minibatches is."""
        rough = 1 / math.sqrt(2 * (self.P - 1))  # of a standard deviation of P normal numbers
        return "needs 3" if self.P < 3 else f"may be wrong by {rough:.0%} or more"

    def details(self) -> str:
        """Return all that is known, to be printed: every layer, the decomposition, the tests and what they are."""
        size = f" of {self.samples // self.P:,} samples ({self.samples:,} in all)" if self.samples else ""
        live = round(self.p * (1 - self.dead_share))
        few = f";\n  only {live} live: few, so that alpha^ says little" if live < FEW else ""
        what = "Noise of rows" if self.mode == "rows" else f"Gradient noise in {self.mode} mode"
        lines = [
            f"{what}: p = {self.p:,} parameters,",
            f"  P = {self.P} {'rows' if self.mode == 'rows' else 'minibatches'}{size}",
            f"  {self._loss()}",
            f"  dead, with the same gradient in all minibatches: {self.dead_share:.2%} of the parameters" + few,
            f"  norm of the noise of a minibatch: median {np.median(self.norms):.4g}, {self.norms.min():.4g} to "
            f"{self.norms.max():.4g}",
            "Tail index alpha^ of all P x p entries (2: independent Gaussian ones) +- its",
            "  standard error over the minibatches:",
            f"    published  {_value(self.published)}  in the arithmetic of the paper",
            f"    corrected  {_value(self.corrected)}  without the dead, and no epsilon in logarithms",
            f"    permuted   {_value(self.permuted)}  corrected, with the parameters in random order",
        ]
        if self.meaningless:
            lines.append(fill(self.meaningless, 80, initial_indent="    ", subsequent_indent="    "))
        if self.groups:
            width = max(9, *map(len, self.groups))
            lines.append("  corrected, of each group of parameters:")
            for name, group in self.groups.items():
                value = _value(group.corrected) if group.corrected else f"none ({group.problem})"
                lines.append(f"    {name:{width}}  {value}  p = {group.p:,}, dead {group.dead_share:.1%}")
                if group.meaningless:
                    lines.append(fill(group.meaningless, 80, initial_indent=" " * 6, subsequent_indent=" " * 6))
        if self.P < FEWEST_ROWS:
            lines += [
                f"  P = {self.P} minibatches are few: a standard error {self._error()}, and",
                f"  the tests need {FEWEST_ROWS} at least. Take smaller minibatches, or more data.",
            ]
        lines += [
            "  alpha^ < 2 alone is no evidence of heavy tails: correlation, unequal scales",
            "  and the order of the parameters lower it too. Negative correlation or few",
            "  entries can take it above 2.",
            repr(self.diagnosis)
            if self.diagnosis
            else fill(f"No diagnosis. Conclusion: {self.conclusion}", 80, subsequent_indent="  "),
        ]
        return "\n".join(lines)

    def rows(self) -> list[dict[str, Any]]:
        """Give the numbers as records of the results table: quantity and value, and scope (of a group), x, se if any."""
        rows = [row for name, index in self.estimates(_MEASURED) for row in index_rows(name, index)]
        rows += [{"quantity": "dead share", "value": self.dead_share}, {"quantity": "loss", "value": self.loss}]
        if self.accuracy is not None:
            rows.append({"quantity": "accuracy", "value": self.accuracy})
        for share, norm in zip(QUANTILES, np.quantile(self.norms, QUANTILES), strict=True):
            rows.append({"quantity": "norm quantile", "x": share, "value": float(norm)})
        for scope, group in self.groups.items():
            rows.append({"quantity": "dead share", "value": group.dead_share, "scope": scope})
            rows += [row | {"scope": scope} for name, index in group.estimates() for row in index_rows(name, index)]
        return rows + (self.diagnosis.rows() if self.diagnosis else [])

    def to_frame(self) -> pd.DataFrame:
        """Give the rows as a table (scope, quantity, x, value, se), with alpha^ next to 1/alpha^ and any doubt as 1."""
        import pandas as pd

        rows = self.rows()
        rows += [row for name, index in self.estimates(_CONTROLS) for row in index_rows(name, index)]
        rows += [{"quantity": "tau", "value": self.tau}, {"quantity": "rounding share", "value": self.rounding}]
        for scope, one in {"all": self, **self.groups}.items():
            for name, index in one.estimates():
                rows.append({"scope": scope, "quantity": f"alpha ({name})", "value": index.alpha, "se": index.se})
            if one.meaningless:
                rows.append({"scope": scope, "quantity": "meaningless", "value": 1.0})
        if self.diagnosis:
            rows.append({"quantity": "diagnosis order (p)", "value": self.diagnosis.order})
            rows.append({"quantity": "diagnosis in doubt", "value": float(bool(self.diagnosis.doubt))})
        blank = {"scope": "all", "x": float("nan"), "se": float("nan")}
        return pd.DataFrame([blank | row for row in rows])[["scope", "quantity", "x", "value", "se"]]

    def plot(self) -> Figure:
        """Draw alpha^ of the whole network and of the groups with its standard error, and the norms of the noise."""
        import matplotlib as mpl
        from matplotlib import pyplot as plt

        blue, vermilion = "#0072B2", "#D55E00"
        network = [*self.estimates(_MEASURED), ("Gaussian twin", self.twin), ("random signs", self.signs)]
        points = [(name.replace(", ", ",\n"), index, "o", blue) for name, index in network]
        points += [
            (name, group.corrected, "s", vermilion) for name, group in self.groups.items() if not group.meaningless
        ]
        with mpl.rc_context(STYLE):
            size = (10, max(3.2, 0.9 + 0.28 * len(points)))
            figure, (indices, norms) = plt.subplots(1, 2, figsize=size, width_ratios=[1.4, 1])
            for y, (_, index, marker, colour) in enumerate(points):
                if index and math.isfinite(index.alpha):
                    error = index.se if math.isfinite(index.se) else None
                    indices.errorbar(index.alpha, y, xerr=error, fmt=marker, color=colour, capsize=2)
            indices.set_yticks(range(len(points)), [name for name, *_ in points])
            indices.axhline(len(network) - 0.5, color="#999999", linewidth=0.8)
            indices.axvline(2, color="#555555", linestyle=":", linewidth=1)
            indices.invert_yaxis()
            indices.set_xlabel(r"$\hat\alpha$ ± s.e. (2: i.i.d. Gaussian entries)")
            indices.set_title("whole network; below, groups (corrected)")
            norms.hist(self.norms, bins="auto", color=blue)
            norms.set(xlabel=r"norm of the noise $\|U_i\|$", ylabel="minibatches")
            norms.set_title(f"P = {self.P}, p = {self.p:,}")
        plt.close(figure)  # a notebook shows the value of the cell, and pyplot would show the figure again
        return figure


def index_rows(name: str, index: TailIndex) -> list[dict[str, Any]]:
    """Give an estimate as two rows of the results table: 1/alpha^ with its standard error, and K1."""
    return [
        {"quantity": f"1/alpha ({name})", "value": index.inverse, "se": index.inverse_se},
        {"quantity": f"K1 ({name})", "value": index.info["K1"]},
    ]


def _value(index: TailIndex) -> str:
    """Print an estimate with its standard error."""
    return f"{index.alpha:.3f}" + ("" if math.isnan(index.se) else f" +- {index.se:.3f}")


_TYPES = {kind.__name__: kind for kind in (Comparison, Decomposition, Diagnosis, Estimate, Group, Report, TailIndex)}
_ITEMS = {"dict": dict, "float": float, "ndarray": np.array, "tuple": tuple}  # made of one argument


def _plain(value: Any, skip: str = "") -> Any:
    """Write a value in what JSON has, a field left out."""
    name = type(value).__name__
    if name in _TYPES:
        return {"type": name} | {key: _plain(getattr(value, key), skip) for key in value.__annotations__ if key != skip}
    if isinstance(value, Mapping):
        return {"type": "dict", "items": [[_plain(key), _plain(one, skip)] for key, one in value.items()]}
    if isinstance(value, tuple | np.ndarray):
        return {"type": name, "items": [_plain(one, skip) for one in value]}
    value = value.item() if isinstance(value, np.generic) else value
    return {"type": "float", "items": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _made(record: dict[str, Any]) -> Any:
    """Make what :func:`_plain` wrote as an object."""
    kind = record.pop("type")
    return _ITEMS[kind](record["items"]) if kind in _ITEMS else _TYPES[kind](**record)
