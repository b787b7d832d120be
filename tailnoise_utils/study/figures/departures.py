"""Figure and table of the experiment ``departures``."""

import pandas as pd
from matplotlib import pyplot as plt

from ..results.reading import AFTER, BEFORE, DATA, last_snapshot
from ..results.store import Results
from ..style import LOOK, WIDTH, figure
from .panels import ranges


def _departures(runs: pd.DataFrame) -> dict[str, tuple[pd.Series, str]]:
    """Return for each departure its runs, as a mask, and the way of estimating; the first run has the text's settings."""
    first = runs.iloc[0]
    settings = ["schedule", "order", "noise_order", "noise_mode", "batch_size"]

    def differ_in(*names: str) -> pd.Series:
        changed = runs[settings] != first[settings]
        return (changed == [name in names for name in settings]).all(axis=1)

    small = runs.loc[differ_in("batch_size"), "batch_size"].unique().item()
    text = differ_in()
    return {
        "the text": (text, "text"),
        "step size halved twice": (differ_in("schedule"), "text"),
        "measured in data order": (differ_in("noise_order"), "text"),
        "trained and measured in data order": (differ_in("order", "noise_order"), "text"),
        f"b = {small}": (differ_in("batch_size"), "text"),
        "dropout while measuring": (differ_in("noise_mode"), "text"),
        "dead coordinates kept": (text, "text, dead kept"),
        "epsilon in the logarithm": (text, "text, epsilon"),
        "epsilon and dead coordinates": (text, "published"),
        "all of the code": (differ_in("schedule", "order", "noise_order", "batch_size"), "published"),
        "$K_1$ of this book": (text, "corrected"),
    }


def departure_table(results: Results) -> pd.DataFrame:
    """Return alpha^ and its range under each departure, and the change of 1/alpha^ from what the text says."""
    table, lines = results.table(), {}
    for (model, dataset), rows in table.groupby(["model", "dataset"], sort=False):
        runs = results.runs[(results.runs["model"] == model) & (results.runs["dataset"] == dataset)]
        text: dict[str, pd.Series] = {}
        for name, (mask, way) in _departures(runs).items():
            chosen = rows[rows["run"].isin(runs.loc[mask, "run"]) & (rows["quantity"] == f"1/alpha ({way})")]
            for when, at in ((BEFORE, chosen[chosen["iteration"] == 0]), (AFTER, last_snapshot(chosen))):
                inverse = at.set_index("seed")["value"]
                change = inverse - text.setdefault(when, inverse)  # the text comes first
                if len(inverse):
                    numbers = [1 / inverse.mean(), 1 / inverse.max(), 1 / inverse.min(), change.mean(), change.std()]
                    lines[f"{model.upper()}, {DATA[dataset]}", name, when] = numbers
    columns = ["alpha", "low", "high", "change of 1/alpha", "sd of the change"]
    return pd.DataFrame(lines, columns).T.rename_axis(["network", "departure", "when"])


@figure
def departures(results: Results) -> plt.Figure:
    """Draw alpha^ under each departure, all networks on one axis, the largest change last; lines: the text, after."""
    table = departure_table(results).rename(columns={"alpha": "mean"})
    change = table["change of 1/alpha"].abs()
    names = change.groupby(level="departure", sort=False).max().sort_values(kind="stable").index  # the text first
    drawn, axes = plt.subplots(figsize=(WIDTH, 4.6))
    for (network, when), rows in table.groupby(level=["network", "when"], sort=False):
        mark = next({"marker": "o"} | LOOK.get(key, {}) for key, name in DATA.items() if network.endswith(name))
        y = names.get_indexer(rows.index.get_level_values("departure")) + (0.15 if when == AFTER else -0.15)
        style = LOOK["joint"] | mark | LOOK[when.split()[0]] | {"linestyle": "none", "label": f"{network}, {when}"}
        axes.errorbar(rows["mean"], y, xerr=ranges(rows), **style)
    text = table["mean"].xs(("the text", AFTER), level=("departure", "when"))
    for network, alpha in text.items():
        axes.axvline(alpha, color=LOOK["joint"]["color"], linewidth=0.7)
        side = {"ha": "right" if alpha == text.min() else "left", "va": "bottom"}
        axes.annotate(network.replace(", ", "\n"), (alpha, -0.5), **side)
    network, last, _ = change.idxmax()
    for when, side in ((BEFORE, "bottom"), (AFTER, "top")):
        end = (table.loc[(network, last, when), "high"], len(names) - 1)
        axes.annotate(when.split()[0], end, xytext=(6, 0), textcoords="offset points", va=side)
    axes.set_yticks(range(len(names)), labels=names)
    axes.set(ylim=(len(names) - 0.4, -0.5), xlabel=r"$\hat\alpha$")
    return drawn
