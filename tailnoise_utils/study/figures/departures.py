"""Figures and tables of the experiments ``batch_size`` and ``departures``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import AFTER, BEFORE, DATA
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE

_CONVENTIONS = {"published": "1/alpha (published)", "$K_1$ = 1000": "1/alpha (corrected, K1 = 1000)"}
_OWN = "trained at each size"


def batch_table(results: Results) -> pd.DataFrame:
    """alpha^ against the minibatch size of the measurement, at one number of minibatches.

    Args:
        results: of the experiment ``batch_size``.

    Returns:
        A line a data set, depth, kind of training, convention and size b; alpha^, of the mean of 1/alpha^ over the seeds,
        with its range (low, high). Kinds: one size of the training, before and after it, and "trained at each size", after
        training at the very size.
    """
    table = results.table()
    several = table["run"].map(table.groupby("run")["x"].nunique()) > 1
    base = table.loc[several, "batch_size"].unique().item()
    names = {True: f"b = {base}, {BEFORE}", False: f"b = {base}, {AFTER}"}
    kinds = (table["iteration"] == 0).map(names).where(several, _OWN)
    at_base = several & (table["iteration"] > 0) & (table["x"] == base)
    table = pd.concat([table.assign(kind=kinds), table[at_base].assign(kind=_OWN)])
    order = {"kind": [*names.values(), _OWN], "dataset": list(DATA), "convention": list(_CONVENTIONS)}
    table = pd.concat([table[table["quantity"] == of].assign(convention=name) for name, of in _CONVENTIONS.items()])
    table = table.assign(**{column: pd.Categorical(table[column], of) for column, of in order.items()})
    value = table.groupby(["dataset", "depth", "kind", "convention", "x"], observed=True)["value"]
    columns = {"alpha": 1 / value.mean(), "low": 1 / value.max(), "high": 1 / value.min()}
    return pd.DataFrame(columns).rename_axis(index={"x": "b"})


def against_batch_size(results: Results) -> Figure:
    """alpha^ against the minibatch size; marks and bars: mean and range over the seeds.

    Args:
        results: of the experiment ``batch_size``.

    Returns:
        A row of panels for each data set and depth; left as published, right at K1 = 1000.
    """
    table = batch_table(results).reset_index()
    rows = list(dict.fromkeys(zip(table["dataset"], table["depth"], strict=True)))
    with mpl.rc_context(STYLE):
        size = (9.4, 2.6 * len(rows) + 0.8)
        figure, panels = plt.subplots(len(rows), 2, figsize=size, sharex=True, sharey=True, squeeze=False)
        for row, (dataset, depth) in zip(panels, rows, strict=True):
            for axes, name in zip(row, _CONVENTIONS, strict=True):
                of = table[(table["dataset"] == dataset) & (table["depth"] == depth) & (table["convention"] == name)]
                for i, (kind, one) in enumerate(of.groupby("kind", observed=True)):
                    bars = [(one["alpha"] - one["low"]).clip(0), (one["high"] - one["alpha"]).clip(0)]
                    style = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 4, "capsize": 2}
                    axes.errorbar(one["b"], one["alpha"], bars, label=kind, linewidth=1.2, **style)
                axes.set_title(f"{DATA[dataset]}, depth {depth}; {name}")
                axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
                axes.xaxis.set_tick_params(labelbottom=True)
                axes.set(xscale="log", xlabel="minibatch size $b$ (samples)")
        figure.supylabel(r"$\hat\alpha$, all coordinates joint")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    plt.close(figure)
    return figure


def _departures(runs: pd.DataFrame) -> dict[str, tuple[pd.Series, str]]:
    """Name to the runs of a departure and the way of estimating.

    Args:
        runs: of the experiment; the text's settings are those of the first.

    Returns:
        A mask of the runs, and the name of the estimate.
    """
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
    """alpha^ under each departure from the text.

    Args:
        results: of the experiment ``departures``.

    Returns:
        A line a network, departure and time (before or after training): alpha^, of the mean of 1/alpha^ over the seeds,
        with its range (low, high), and the change of 1/alpha^ from the text's, mean and standard deviation over the seeds.
    """
    table, lines = results.table(), {}
    for (model, dataset), of in table.groupby(["model", "dataset"], sort=False):
        runs = results.runs[(results.runs["model"] == model) & (results.runs["dataset"] == dataset)]
        text: dict[str, pd.Series] = {}
        for name, (mask, way) in _departures(runs).items():
            chosen = of[of["run"].isin(runs.loc[mask, "run"]) & (of["quantity"] == f"1/alpha ({way})")]
            for when, point in ((BEFORE, 0), (AFTER, chosen["iteration"].max())):
                inverse = chosen[chosen["iteration"] == point].set_index("seed")["value"]
                change = inverse - text.setdefault(when, inverse)  # the text comes first
                if len(inverse):
                    lines[f"{model.upper()}, {DATA[dataset]}", name, when] = {
                        "alpha": 1 / inverse.mean(),
                        "low": 1 / inverse.max(),
                        "high": 1 / inverse.min(),
                        "change of 1/alpha": change.mean(),
                        "sd of the change": change.std(),
                    }
    found = pd.DataFrame.from_dict(lines, orient="index")
    found.index = pd.MultiIndex.from_tuples(found.index, names=["network", "departure", "when"])
    return found


def departures(results: Results) -> Figure:
    """alpha^ under each departure from the text; marks and bars: mean and range over the seeds.

    Args:
        results: of the experiment ``departures``.

    Returns:
        A panel for each network; the dotted line is the text's, after training.
    """
    table = departure_table(results).reset_index()
    networks, names = list(dict.fromkeys(table["network"])), list(_departures(results.runs))
    with mpl.rc_context(STYLE):
        size = (2.6 + 2.6 * len(networks), 0.8 + 0.34 * len(names))
        figure, panels = plt.subplots(1, len(networks), figsize=size, sharey=True, squeeze=False)
        for axes, network in zip(panels[0], networks, strict=True):
            for i, (when, of) in enumerate(table[table["network"] == network].groupby("when", sort=False)):
                y = of["departure"].map(names.index) + 0.14 * (2 * i - 1)
                bars = [(of["alpha"] - of["low"]).clip(0), (of["high"] - of["alpha"]).clip(0)]
                style = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 4, "capsize": 2, "linestyle": "none"}
                axes.errorbar(of["alpha"], y, xerr=bars, label=when, **style)
            axes.axvline(of["alpha"].iloc[0], color=COLOURS[i], linestyle=":", linewidth=1)
            axes.set(title=network, xlabel=r"$\hat\alpha$")
        panels[0, 0].set_yticks(range(len(names)), labels=names)
        panels[0, 0].invert_yaxis()
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    plt.close(figure)
    return figure
