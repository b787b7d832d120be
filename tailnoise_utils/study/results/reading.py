"""Which rows a rule looks at."""

import pandas as pd

from ..claims.verdict import WORDS
from .store import Results

__all__ = ["CONVENTIONS", "SETTING", "absent_of", "at_end", "at_start", "fixed_length", "name_of", "of_seeds", "values"]

SETTING = ["model", "dataset", "loss", "width", "depth"]
# As the paper measures: in data order, in its arithmetic; and as we do.
CONVENTIONS = {"published": "1/alpha (published, data order)", "corrected": "1/alpha (corrected)"}
_LENGTH = 1000  # the fixed K1, where the noise is large enough for it


def at_start(results: Results) -> pd.DataFrame:
    """The rows of whole networks before training.

    Args:
        results: of networks that were trained.

    Returns:
        Rows with the settings of their run.
    """
    table = results.table()
    return table[(table["scope"] == "all") & (table["iteration"] == 0)]


def at_end(results: Results) -> pd.DataFrame:
    """The rows of whole networks at the last snapshot, of the runs that trained.

    Args:
        results: of networks that were trained.

    Returns:
        Rows with the settings of their run; none of a run that diverged, or whose training accuracy stayed below twice
        chance.
    """
    table = results.table()
    table = table[(table["scope"] == "all") & (table["status"] == "complete")]
    return table[table["iteration"] == table.groupby("run")["iteration"].transform("max")]


def values(table: pd.DataFrame, quantity: str, x: float | None = None, split: str = "train") -> pd.DataFrame:
    """One quantity, a row a run and snapshot.

    Args:
        table: of `at_start` or `at_end`.
        quantity: its name.
        x: its abscissa; by default rows with none.
        split: of the data.

    Returns:
        The rows, without those that hold no number.
    """
    where = table["x"].isna() if x is None else table["x"] == x
    return table[(table["quantity"] == quantity) & (table["split"] == split) & where & table["value"].notna()]


def fixed_length(table: pd.DataFrame) -> tuple[str, float]:
    """The block length at which networks of different sizes are compared.

    Args:
        table: rows of all networks to compare.

    Returns:
        Quantity and K1: 1000, or else the largest below it that all runs have whose noise was held in memory (others have
        none); NaN if there is none.
    """
    quantity = "1/alpha (joint)"
    joint = table[(table["quantity"] == quantity) & (table["x"] <= _LENGTH)]
    counts = joint.groupby("x")["run"].nunique()
    common = counts[counts == joint["run"].nunique()]
    return quantity, float(common.index.max()) if len(common) else float("nan")


def of_seeds(counts: pd.Series) -> str:
    """How many seeds the settings of a claim have, in words.

    Args:
        counts: of each setting.

    Returns:
        Such as "3 seeds" or "1 to 3 seeds".
    """
    low, high = int(counts.min()), int(counts.max())
    unit = "seed" if high == 1 else "seeds"
    return f"{high} {unit}" if low == high else f"{low} to {high} {unit}"


def name_of(model: str, dataset: str, loss: str = "") -> str:
    """A readable name of a kind of settings.

    Args:
        model: kind of network.
        dataset: name of the data set.
        loss: of the training, "" if any.

    Returns:
        Such as "FCN, MNIST, cross-entropy".
    """
    return ", ".join(WORDS.get(part, part) for part in (model, dataset, loss) if part)


def absent_of(
    found: pd.DataFrame, needed: list[tuple[str, str]], losses: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """What of the needed settings is not there.

    Args:
        found: a row a setting that can be judged, with model, dataset and loss.
        needed: pairs of network kind and data set.
        losses: that each pair needs.

    Returns:
        Pairs of which nothing is there, and the pairs with one loss missing, as names.
    """
    there = set(zip(found["model"], found["dataset"], found["loss"], strict=True))
    pairs = {of[:2] for of in there}
    nothing = [name_of(*pair) for pair in needed if pair not in pairs]
    lost = [name_of(*pair, loss) for pair in needed if pair in pairs for loss in losses if (*pair, loss) not in there]
    return nothing, lost
