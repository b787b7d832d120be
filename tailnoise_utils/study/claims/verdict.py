"""What becomes of a claim: cells, such as a data set and loss, in each of which a rule holds or not, and a word for all."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..results.reading import name_of, span

OPEN = "cannot be judged here"
VERDICTS = ("holds", "holds partly", "does not hold", OPEN)
NO_NOISE = "not about gradient noise"

Cell = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim; the rule is the docstring of the function of its name."""

    claim: str  #: its number in the book
    statement: str  #: what it says, as we understand the paper
    rule: str  #: what has to hold in a cell
    recurs: str  #: one of ``VERDICTS``, for whether the paper's number recurs
    paper: str  #: the paper's value or range
    unit: str  #: of the values in the cells
    band: tuple[float, float] | None  #: the paper's range in that unit, or the rule's
    cells: pd.DataFrame  #: cell, low, value (median), high, n, holds; and corrected, the range without dead coordinates
    tails: str = ""  #: is the noise heavier than Gaussian across the minibatches? A word or two
    evidence: str = ""  #: for that
    experiments: tuple[str, ...] = ()  #: whose results were judged
    profiles: tuple[str, ...] = ()  #: of them

    @property
    def ours(self) -> str:
        """Our range, the number of values in it, and where the rule fails, if that is not everywhere."""
        if self.cells.empty:
            return "no run that the rule needs"
        words = f"{span(self.cells['low'].min(), self.cells['high'].max())} ({self.cells['n'].sum():,.0f} values)"
        fails = self.cells.loc[~self.cells["holds"], "cell"]
        return words if self.recurs != VERDICTS[1] else f"{words}; not: {'; '.join(fails)}"


def cell(name: str, values: Iterable[float], holds: bool | np.bool_, corrected: Iterable[float] = ()) -> Cell:
    """Return a cell: the range and the median of its values, how many they are, and whether the rule holds."""
    numbers, others = (np.fromiter(some, float) for some in (values, corrected))
    others = others[~np.isnan(others)]
    low, value, high = np.quantile(numbers, (0, 0.5, 1)) if len(numbers) else (np.nan,) * 3
    beside = span(others.min(), others.max()) if len(others) else ""
    columns = {"cell": name, "low": low, "value": value, "high": high, "n": len(numbers), "holds": bool(holds)}
    return columns | {"corrected": beside}


def cells_of(table: pd.DataFrame, by: Sequence[str] = ("model", "dataset", "loss")) -> list[Cell]:
    """Return a cell for each group of rows: of its `value`, whether all of them are as the rule `holds`, `corrected`."""
    groups = table.groupby(list(by), sort=False)
    return [
        cell(name_of(*names), rows["value"], rows["holds"].all(), rows.get("corrected", ())) for names, rows in groups
    ]


def judge(
    rule: Callable, cells: Sequence[Cell], unit: str, paper: str, band: tuple[float, float] | None = None
) -> Verdict:
    """Return "holds" where all cells do, "holds partly" where some do; without any, nothing can be judged."""
    statement, criterion = stated(rule)
    table = pd.DataFrame(cells, columns=["cell", "low", "value", "high", "n", "holds", "corrected"])
    table = table.astype({"holds": bool})
    which = 3 if table.empty else 0 if table["holds"].all() else 1 if table["holds"].any() else 2
    return Verdict(rule.__name__.upper(), statement, criterion, VERDICTS[which], paper, unit, band, table)


def stated(rule: Callable) -> tuple[str, str]:
    """Return what a claim says and its rule: the docstring up to the paragraph that begins "The rule: ", and that one."""
    paragraphs = [" ".join(text.split()) for text in (inspect.getdoc(rule) or "").split("\n\n")]
    rules = [text for text in paragraphs if text.startswith("The rule: ")]
    if len(rules) != 1:
        count = f"{len(rules)} paragraphs that begin 'The rule: '"
        raise ValueError(f"the docstring of {rule.__name__} has {count}; give one")
    statement = " ".join(paragraphs[: paragraphs.index(rules[0])])
    return statement.partition(": ")[2], rules[0].removeprefix("The rule: ")
