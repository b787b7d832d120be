"""Figure and table of the experiment ``departures``."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import AFTER, BEFORE, DATA, last_snapshot
from ..results.store import Results
from ..style import LOOK, figure
from .panels import facets, ranges


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
def departures(results: Results) -> Figure:
    """Draw alpha^ under each departure from the text, before and after training; dotted: as the text has it, after."""
    table = departure_table(results).reset_index().rename(columns={"alpha": "mean"})
    names = list(_departures(results.runs))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for when, time, shift in ((BEFORE, "before", -0.14), (AFTER, "after", 0.14)):
            group = rows[rows["when"] == when]
            style = LOOK["joint"] | {"marker": "o"} | LOOK[time] | {"linestyle": "none", "label": when}
            axes.errorbar(group["mean"], group["departure"].map(names.index) + shift, xerr=ranges(group), **style)
        axes.axvline(group["mean"].iloc[0], color="#555555", linestyle=":")

    layout = {"columns": ["network"], "title": "{network}", "xlabel": r"$\hat\alpha$", "sharex": False}
    drawn, panels = facets(table, draw, height=0.3 * len(names), legend=2, **layout)
    panels[0, 0].set_yticks(range(len(names)), labels=names)
    panels[0, 0].invert_yaxis()
    return drawn
