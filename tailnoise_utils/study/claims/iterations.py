"""C7: the dip of alpha^ and what happens at it."""

import pandas as pd

from ..results.reading import DATA, in_data_order
from ..results.store import Results
from .sizes import CORRECTED, PUBLISHED
from .verdict import Cell, Verdict, cell, judge

FALLS = {"mnist": 0.43, "cifar10": 0.31}  # of alpha^ in the paper's Figure 7
EARLY = 1500  # the paper's dip is before it
_POINTS, _WINDOW, _HIGHER = 0.05, 300, 1.01


def c7(results: Results) -> Verdict:
    """C7: alpha^ falls first; at its lowest the process jumps and the accuracy drops; then all recover.

    The rule: in the network of Figure 7 (FCN 512 x 9) alpha^ falls by half of the paper's fall (.43 on MNIST, .31 on
    CIFAR-10) or more up to iteration 1,500; the training accuracy is furthest below its earlier maximum, by five points or
    more, within 300 iterations of that, and both recover; the loss is higher there than before, as where a process jumps.
    """
    runs = results.runs.query("model == 'fcn' and width == 512 and depth == 9 and batch_size == 500")
    rows = in_data_order(results.rows[results.rows["scope"] == "all"]).query("split == 'train'")
    cells: list[Cell] = []
    for dataset, theirs in FALLS.items():
        longest = runs[(runs["dataset"] == dataset)].drop_duplicates("seed")
        parts = [landmarks_of(rows[rows["run"] == run]) for run in longest["run"]]
        if not parts:
            continue
        table, name = pd.DataFrame(parts), DATA[dataset]
        held = table["fall"].ge(theirs / 2) & table["recovers"]
        cells.append(cell(f"{name}: fall of alpha^", table["fall"], held.all(), table["corrected"]))
        near = table["apart"].le(_WINDOW) & table["back"]
        cells.append(
            cell(f"{name}: drop of the accuracy", table["drop"], bool((near & table["drop"].ge(_POINTS)).all()))
        )
        cells.append(cell(f"{name}: rise of the loss", table["rise"], table["rise"].ge(_HIGHER - 1).all()))
    return judge(c7, cells, "fall, drop, relative rise", ".43 and .31; to chance; a jump", None)


def landmarks_of(rows: pd.DataFrame) -> dict[str, float | bool]:
    """Return the fall of alpha^, the drop of the accuracy below its earlier maximum, and the rise of the loss at it."""
    table = rows[rows["x"].isna()].pivot(index="iteration", columns="quantity", values="value")
    alpha, accuracy = 1 / table[PUBLISHED], table["accuracy"]
    dip, first = alpha.loc[:EARLY].idxmin(), alpha.iloc[0]
    below = accuracy - accuracy.cummax()
    low = below.loc[:EARLY].idxmin()
    corrected = 1 / table[CORRECTED]
    return {
        "fall": first - alpha[dip],
        "corrected": corrected.iloc[0] - corrected.loc[:EARLY].min(),
        "recovers": bool(alpha.loc[dip:].max() >= (first + alpha[dip]) / 2),
        "drop": -below[low],
        "apart": abs(low - dip),
        "back": bool(accuracy.loc[low:].max() >= accuracy.loc[:low].max()),
        "rise": table["loss"][low] / table["loss"].loc[:low].iloc[:-1].min() - 1 if low else 0.0,
    }
