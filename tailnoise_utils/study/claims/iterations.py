"""C7: the dip of alpha^ and what happens at it."""

import pandas as pd

from ..experiments.paper import EARLY
from ..results.reading import CORRECTED, DATA, PUBLISHED, in_data_order
from ..results.store import Results
from .verdict import Cell, Verdict, cell, judge

FALLS = {"mnist": 0.43, "cifar10": 0.31}  # of alpha^ in the paper's Figure 7
_POINTS, _WINDOW, _HIGHER = 0.05, 300, 1.01


def c7(results: Results) -> Verdict:
    """C7: alpha^ falls first; at its lowest the process jumps and the accuracy drops; then all recover.

    The rule: in the network of Figure 7 (FCN 512 x 9) alpha^ falls by half of the paper's fall (.43 on MNIST, .31 on
    CIFAR-10) or more up to iteration 1,500; the training accuracy is furthest below its earlier maximum, by five points or
    more, within 300 iterations of an alpha^ so low, and both recover, alpha^ by half of its fall; the loss is higher there
    than before, by 1 % or more, as where a process jumps. Windows and shares were chosen when the runs were known.
    """
    cells: list[Cell] = []
    for dataset, trainings in _figure7(results).items():
        table, name = pd.DataFrame([_marks(one, dataset) for one in trainings]), DATA[dataset]
        held = table["fall"].ge(FALLS[dataset] / 2) & table["recovers"]
        cells.append(cell(f"{name}: fall of alpha^", table["fall"], held.all(), table["corrected"]))
        near = table["apart"].le(_WINDOW) & table["back"] & table["drop"].ge(_POINTS)
        cells.append(cell(f"{name}: drop of the accuracy", table["drop"], near.all()))
        cells.append(cell(f"{name}: rise of the loss", table["rise"], table["rise"].ge(_HIGHER - 1).all()))
    return judge(c7, cells, "fall, drop, relative rise", ".43 and .31; to chance; a jump", None)


def _figure7(results: Results) -> dict[str, list[pd.DataFrame]]:
    """Return, by data set, the longest training of Figure 7's network of each seed, a row an iteration."""
    runs = results.runs.query("model == 'fcn' and width == 512 and depth == 9 and batch_size == 500")
    rows = in_data_order(results.rows[results.rows["scope"] == "all"]).query("split == 'train' and x != x")
    trainings: dict[str, list[pd.DataFrame]] = {}
    for dataset in FALLS:
        for run in runs[runs["dataset"] == dataset].drop_duplicates("seed")["run"]:  # as they come in the grid
            table = rows[rows["run"] == run].pivot(index="iteration", columns="quantity", values="value")
            trainings.setdefault(dataset, []).append(table)
    return trainings


def _marks(table: pd.DataFrame, dataset: str) -> dict[str, float | bool]:
    """Return the fall of alpha^, the drop of the accuracy, the iterations between (`apart`), the rise of the loss."""
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
        "apart": min(abs(alpha.index[first - alpha >= FALLS[dataset] / 2] - low), default=_WINDOW + 1),
        "back": bool(accuracy.loc[low:].max() >= accuracy.loc[:low].max()),
        "rise": table["loss"][low] / table["loss"].loc[:low].iloc[:-1].min() - 1 if low else 0.0,
    }


def at_the_dip(results: Results) -> tuple[str, str]:
    """Say by tau how heavy the noise of Figure 7's network is at the dip of alpha^, before training and at the end."""
    words, sentences = [], []
    for dataset, (table, *_) in _figure7(results).items():
        tau, dip = table["tail excess"].dropna(), table[PUBLISHED].loc[:EARLY].idxmax()
        words.append((f"{tau[dip]:.2f}", f"{tau.iloc[-1]:.2f}"))
        sentences.append(
            f"{DATA[dataset]}: tau goes from {tau.iloc[0]:.2f} before training to {tau[dip]:.2f} at the dip and "
            f"{tau.iloc[-1]:.2f} at iteration {tau.index[-1]:,}."
        )
    if not words:
        return "not measured", "Not measured."
    at_dip, at_end = map(" and ".join, zip(*words, strict=True))
    return f"tau {at_dip} at the dip, {at_end} at the end", " ".join(sentences)
