"""Figures 7 and 8 of the paper, loss, accuracy and alpha^ along training: the experiment ``iterations``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from tailnoise_utils.diagnosis import stable_index

from ..experiments.paper import EARLY
from ..results.reading import CORRECTED, DATA, PUBLISHED, TWIN, in_data_order, late
from ..results.store import Results
from ..style import LOOK, figure
from .panels import band, facets, legend_below
from .paper import PALE, comparison, figure7

ALPHA = r"$\hat\alpha$, joint"
PANELS = {"alpha": ALPHA, "accuracy": "accuracy", "loss": "loss (nats)", "dead": "dead\ncoordinates"}
_PALE = {"color": PALE, "linewidth": 3.5, "zorder": 1}  # the paper's own curves
LINES = {  # line: quantity, split, panel, look
    "training images": (PUBLISHED, "train", "alpha", LOOK["joint"]),
    "test images": (PUBLISHED, "test", "alpha", LOOK["joint"] | {"linestyle": "--"}),
    "Gaussian twin": (TWIN, "train", "alpha", LOOK["Gaussian"] | {"linewidth": 2, "zorder": 3}),
    "corrected": (CORRECTED, "train", "alpha", {"color": "#8C3A00", "linewidth": 0.7}),
} | {
    f"{panel}, {split}": (quantity, split, panel, {"color": "black", "linestyle": "--" if split == "test" else "-"})
    for panel, quantity in {"accuracy": "accuracy", "loss": "loss", "dead": "dead share"}.items()
    for split in ("train", "test")
}
_NETWORK = ["model", "dataset", "width", "depth", "batch_size"]
_DROP = 500  # the accuracy of Figure 7 drops between this and EARLY
# Figure 7, read from the picture, at the tips and ends of its curves: see `figure7`.
_FIGURE7 = {
    "mnist": (1.148, 1.088, 0.72, 1000.0, 0.65, 0.106, (0.88, 0.98), 23_100.0),
    "cifar10": (1.171, 1.124, 0.86, (1000.0, 1300.0), 0.82, 0.096, 1.10, 45_700.0),
}
_LANDMARKS = {
    "α̂ at iteration 100": ".3f",
    "α̂ at iteration 100, test images": ".3f",
    "lowest α̂ up to iteration 1,500": ".2f",
    "at iteration": ",.0f",
    "lowest α̂ up to 1,500, test images": ".2f",
    "lowest accuracy from 500 to 1,500": ".3f",
    "late α̂": ".2f",
    "training ends at": ",.0f",
}


def _networks(results: Results) -> pd.DataFrame:
    """Return the rows of whole networks, measured in data order, with their run and its `name` for titles."""
    runs = results.runs.assign(name=results.runs.apply(_name, axis=1))
    table = in_data_order(results.rows[results.rows["scope"] == "all"])
    return table.merge(runs, on="run", validate="many_to_one")


def _name(run: pd.Series) -> str:
    """Return what a title calls a network, such as "FCN 512 × 9, MNIST"."""
    size = f"{run['width']} × {run['depth']}" if run["depth"] else f"{run['width']} filters"
    return f"{run['model'].upper()} {size}, {DATA[run['dataset']]}"


def _first(runs: pd.DataFrame) -> pd.Series:
    """Mark the runs of the first network of each kind and data set, longest as it comes first in the grid; all seeds."""
    keys = [*_NETWORK, "iterations"]
    first = runs.drop_duplicates(["model", "dataset"]).set_index(keys).index
    return pd.Series(pd.MultiIndex.from_frame(runs[keys]).isin(first), runs.index)


def _is_figure7(run: pd.Series) -> bool:
    """Tell whether a network is that of the paper's Figure 7."""
    return tuple(run[["model", "width", "depth", "batch_size"]]) == ("fcn", 512, 9, 500)


def curves(results: Results) -> pd.DataFrame:
    """Return the rows of `LINES` of the first network of each kind and data set, with the `panel` and `line` of each."""
    table = _networks(results)
    return lines(table[_first(table)])


def lines(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `LINES`, with the `panel` and `line` of each, in the order of the panels."""
    return pd.concat(
        table[(table["quantity"] == quantity) & (table["split"] == split)].assign(panel=panel, line=line)
        for line, (quantity, split, panel, _) in LINES.items()
    )


@figure
def along_training(results: Results) -> plt.Figure:
    """Draw alpha^, accuracy, loss and dead coordinates along training, a column a network; bands: the range over seeds."""
    table, theirs = curves(results), figure7().sort_values("iteration")
    table = table[table["iteration"] > 0]

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        panel, first = rows["panel"].iloc[0], rows.iloc[0]
        of_data = theirs[theirs["dataset"] == first["dataset"]] if _is_figure7(first) else theirs[:0]
        at = of_data["iteration"].unique()  # where a curve hides behind another it is not known, and breaks off
        for split, curve in of_data[of_data["quantity"] == panel].groupby("split", sort=False):
            value = curve.set_index("iteration")["value"].reindex(at)
            dashes = {"linestyle": ":" if split == "test" else "-"}
            axes.plot(at, value, **_PALE | dashes, label=f"the paper's, {split}")
        for line, values in rows.groupby("line", sort=False):
            runs = values.pivot(index="iteration", columns="run", values="value")
            power, look = -1 if panel == "alpha" else 1, LINES[line][3]
            axes.plot(runs.index, runs.mean(axis=1) ** power, **look, label=line if panel == "alpha" else None)
            if runs.shape[1] > 1:
                band(axes, runs**power, look["color"])
        axes.set_xscale("log")

    layout = {"rows": ["panel"], "columns": ["name"], "title": "{name}", "sharex": "col", "sharey": "row", "most": 12}
    layout |= {"height_ratios": [2, 1, 1, 0.6], "legend": 0, "xlabel": "iteration (SGD steps)"}
    drawn, panels = facets(table, draw, height=1.75, ylabel=PANELS.values(), **layout)
    legend_below(drawn, panels[0], 3)
    return drawn


def landmarks(results: Results) -> pd.DataFrame:
    """Return alpha^ of each run at iteration 100, at its dip and late, and its end (one cut short has none)."""
    table, means = _networks(results), late(Results(in_data_order(results.rows), results.runs))
    marks = {}
    for run, rows in table.groupby("run", sort=False):
        value = rows.set_index(["quantity", "split", "iteration"])["value"].sort_index()
        index = 1 / value[PUBLISHED, "train"]
        dip, last, first = index[index.index <= EARLY].idxmin(), index.index.max(), rows.iloc[0]
        early = index.index[index.index >= min(100, last)].min()
        ends = not last == first["iterations"] < first.get("horizon", 0)
        test = 1 / value.get((PUBLISHED, "test"), pd.Series([np.nan], [early]))
        accuracy = value["accuracy", "train"].loc[_DROP:EARLY].min()
        of_run = means.query("run == @run and quantity == '1/alpha (published)' and split == 'train'")["value"]
        marks[run] = [index[early], test[early], index[dip], dip, test.loc[:EARLY].min(), accuracy]
        marks[run] += [1 / of_run.item(), last] if ends else [np.nan, np.nan]
    runs = results.runs.set_index("run")[[*_NETWORK, "iterations", "seed"]]
    return runs.join(pd.DataFrame.from_dict(marks, orient="index", columns=list(_LANDMARKS)))


def beside_figure7(results: Results) -> pd.DataFrame:
    """Return the landmarks of the paper's Figure 7 beside ours, a pair of columns a data set."""
    table, parts = landmarks(results), {}
    for dataset, rows in table[_first(table) & (table["model"] == "fcn")].groupby("dataset", sort=False):
        theirs = _FIGURE7[dataset] if _is_figure7(rows.iloc[0]) else [None] * len(_LANDMARKS)
        lines = zip(_LANDMARKS, theirs, [rows[name] for name in _LANDMARKS], _LANDMARKS.values(), strict=True)
        parts[DATA[dataset]] = comparison(lines)
    return pd.concat(parts, axis=1)


def variants(results: Results) -> pd.DataFrame:
    """Return where alpha^ of each depth and minibatch size of the training starts and dips; Figure 7 in the first lines."""
    table = landmarks(results)
    groups = table[table["model"] == "fcn"].groupby(["dataset", "depth", "batch_size"], sort=False)
    table = groups[[name for name in _LANDMARKS if "test" not in name][:4]].mean()
    return table.rename(DATA, level="dataset")


def against_twin(results: Results) -> dict[str, float]:
    """Return, by data set, alpha^ of noise, twin and corrected at the dip, their largest `gap`, and tau along training.

    `signs` is what random signs of the coordinates take of the gap to Gaussian, corrected.
    """
    of_dataset, table = {}, _networks(results)
    for dataset, network in table[_first(table) & (table["model"] == "fcn")].groupby("dataset"):
        line = lines(network).pivot_table("value", "iteration", "line").reindex(columns=list(LINES))
        plain = network.query("split == 'train' and x != x").pivot_table("value", "iteration", "quantity")
        value = plain.reindex(columns=["tail excess", CORRECTED, f"twin {CORRECTED}", f"signs: {CORRECTED}"])
        tau, corrected, twin, signs = (value[name] for name in value)
        taken = (corrected - signs) / (corrected - 0.5)
        first, b = network.iloc[0], int(network.get("noise_batch_size", network["batch_size"]).iloc[0])
        unseen = network.query("split == 'test' and quantity == 'tail excess'").sort_values("iteration")["value"]
        noise, early = line["training images"], line.loc[:EARLY]
        at = early["training images"].idxmax()
        of_dataset[dataset] = {
            "dip": 1 / noise[at],
            "twin": 1 / line.loc[at, "Gaussian twin"],
            "corrected": 1 / early["corrected"].max(),  # at its own dip, which may be another point
            "corrected_start": 1 / early["corrected"].iloc[0],
            "dead": line.loc[at, "dead, train"],
            "at": at,
            "accuracy": early.loc[_DROP:, "accuracy, train"].min(),
            "start": 1 / noise.iloc[0],
            "later": 1 / noise.loc[EARLY + 1 :].max(),
            "gap": (noise - line["Gaussian twin"]).abs().max(),
            "gap_corrected": (corrected - twin).abs().max(),
            "tau_start": tau.iloc[0],
            "tau_dip": tau[at],
            "tau_end": tau.iloc[-1],
            "as_stable": stable_index(float(tau.iloc[-1]), int(first["n_train"]) // b),
            "as_stable_test": stable_index(float(unseen.iloc[-1]), int(first["n_test"]) // b)
            if len(unseen)
            else np.nan,
            "signs_start": taken.iloc[0],
            "signs_end": taken.iloc[-1],
        }
    numbers = pd.DataFrame(of_dataset).reindex(columns=list(_FIGURE7)).unstack()
    return {f"{dataset}_{name}": float(value) for (dataset, name), value in numbers.items()}
