"""Figures 4, 5 and 6 of the paper: late alpha^ against the size of networks and of minibatches."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..results.reading import CORRECTED, DATA, PUBLISHED, TWIN, late_values
from ..results.store import Results
from ..style import LOOK, WIDTH, figure, series
from .iterations import ALPHA, LINES, PANELS, lines
from .panels import errorbars, facets, legend_below, mean_and_range
from .paper import PALE, comparison

# What the paper's text claims, as recalled. C4b: FCNs on CIFAR-10. C5: CNNs of more filters than a few. C6: no numbers.
_FCN, _CNN, _FEW = (1.1, 1.2), (1.0, 1.1), 8
_WORDS, _SMALL = {2: "almost constant", 4: "a small interval"}, (-0.05, 0.05)
_RANGE = {"the paper's range": {"color": PALE, "linewidth": 8}}
_TWIN = LINES["Gaussian twin"][3]
_ONE = {"linestyle": "--", "linewidth": 0.8}
_SHOWN = (PUBLISHED, TWIN, CORRECTED, "tail excess", "dead share", "accuracy")


def late_table(results: Results) -> pd.DataFrame:
    """Return late values, means over the seeds that fit, left chance only, or neither; x is the measured b."""
    table = late_values(results).query("quantity in @_SHOWN")
    keys = ["dataset", "loss", "depth", "width", "batch_size", "x", "split", "left", "fits"]
    return table.fillna({"x": table["batch_size"]}).pivot_table("value", keys, "quantity")


def _means(axes: plt.Axes, rows: pd.DataFrame, *, by: str = "width", **look: Any) -> None:
    """Draw alpha^ of networks that left chance as a line."""
    means = mean_and_range(rows[rows["left"]], by=by)["mean"]
    axes.plot(means.index, means, **look)


def _by_fit(
    axes: plt.Axes, rows: pd.DataFrame, label: str, *, by: str = "width", inverse: bool = True, **look: Any
) -> None:
    """Draw means and ranges of networks that left chance, hollow unless all fit; of the others a cross each, apart."""
    left, others = rows[rows["left"]], rows[~rows["left"]]
    fit = left[left.groupby(by)["fits"].transform("all")]
    for shown, more in ((left, {"label": label} | LOOK["hollow"]), (fit, {"linestyle": "none"})):
        errorbars(axes, shown, by=by, inverse=inverse, **look | more)
    look |= {"marker": "x", "linestyle": "none", "label": label if left.empty else None}
    axes.plot(others[by], others["value"] ** (-1 if inverse else 1), **look)


def _curves(axes: plt.Axes, rows: pd.DataFrame, looks: dict[Any, Any], *, by: str, each: str) -> None:
    """Draw alpha^, a curve for each depth or width, and that of the Gaussian twins."""
    for value, group in rows.groupby(each):
        _by_fit(axes, group[group["quantity"] == PUBLISHED], f"{each} {value}", by=by, **looks[value])
        _means(axes, group[group["quantity"] == TWIN], by=by, **_TWIN)


def _legend(drawn: plt.Figure, table: pd.DataFrame, lines: dict[str, dict[str, Any]]) -> None:
    """Say below all panels what marks mean, as far as they occur, and lines: those given (label to look) and the twin."""
    mark, left, fits = {"color": "black", "marker": "o", "linestyle": "none"}, table["left"], table["fits"]
    marks = {"fits": (fits, {}), "left chance, does not fit": (left & ~fits, LOOK["hollow"])}
    marks["never left chance"] = ~left, {"marker": "x"}
    looks = {label: mark | more for label, (which, more) in marks.items() if which.any()}
    looks |= {"Gaussian twin": _TWIN} if TWIN in set(table["quantity"]) else {}
    handles = [plt.Line2D([], [], label=label, **look) for label, look in (looks | lines).items()]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3)


@figure
def against_width(results: Results) -> plt.Figure:
    """Draw Figure 4, alpha^ against the width of FCNs, a curve a depth."""
    table = late_values(results).query("split == 'train' and quantity in [@PUBLISHED, @TWIN]")
    looks = series(sorted(set(table["depth"])))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        if rows["dataset"].iloc[0] == "cifar10":
            axes.axhspan(*_FCN, color=PALE, zorder=0)
        _curves(axes, rows, looks, by="width", each="depth")
        axes.set_xscale("log", base=2)

    layout = {"rows": ["loss"], "columns": ["dataset"], "title": "{dataset}, {loss}", "legend": "direct", "height": 2.9}
    drawn, _ = facets(table, draw, xlabel="width (units of a hidden layer)", ylabel=ALPHA, **layout)
    drawn.axes[0].xaxis.set_major_formatter("{x:.0f}")  # of all: they share it
    _legend(drawn, table, _RANGE)
    return drawn


@figure
def against_tails(results: Results) -> plt.Figure:
    """Draw the mean tail excess of the coordinates of FCNs that left chance against their alpha^, corrected."""
    table = late_table(results).query("split == 'train' and left")
    drawn, axes = plt.subplots(figsize=(WIDTH, 3.8))
    for (dataset, fits), rows in table.groupby(["dataset", "fits"], sort=False):
        look = {"color": "black", "linestyle": "none", "marker": "o"} | LOOK.get(dataset, {})
        look |= {"label": f"{DATA[dataset]}, {'fits' if fits else 'does not fit'}"}
        axes.plot(1 / rows[CORRECTED], rows["tail excess"], **look | ({} if fits else LOOK["hollow"]))
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set(xlabel=ALPHA + ", corrected", ylabel=r"mean tail excess $\tau$ of the coordinates")
    legend_below(drawn, [axes], 4)
    return drawn


@figure
def against_filters(results: Results) -> plt.Figure:
    """Draw Figure 5, alpha^, accuracy and dead coordinates of CNNs against the filters, with cross-entropy."""
    table = lines(late_values(results).query("loss == 'nll'")).query("panel != 'loss'")

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        inverse = rows["panel"].iloc[0] == "alpha"
        if inverse and rows["dataset"].iloc[0].startswith("cifar"):
            axes.axhspan(*_CNN, color=PALE, zorder=0)
        for line, group in rows.groupby("line", sort=False):
            if line in ("Gaussian twin", "corrected"):
                _means(axes, group, **LINES[line][3])
            else:
                _by_fit(axes, group, line, inverse=inverse, marker="o", **LINES[line][3])
        axes.set_xscale("log", base=2)

    layout = {"rows": ["panel"], "columns": ["dataset"], "title": "{dataset}", "sharey": "row", "legend": 0}
    layout["ylabel"] = [PANELS[panel] for panel in table["panel"].unique()]
    drawn, panels = facets(table, draw, height=1.9, height_ratios=[2, 1, 0.8], xlabel="filters", **layout)
    shown = {line: LINES[line][3] for line in ("training images", "test images", "corrected")}
    panels[0, 0].xaxis.set_major_formatter("{x:.0f}")
    _legend(drawn, table, shown | _RANGE)
    return drawn


@figure
def against_batch_size(results: Results) -> plt.Figure:
    """Draw Figure 6, alpha^ of FCNs trained at each b, a curve a width; dashed: networks that are measured at several b."""
    table = late_values(results).query("split == 'train' and quantity in [@PUBLISHED, @TWIN]")
    table["several"] = table.groupby("run")["x"].transform("nunique") > 1
    looks = series(sorted(set(table["width"])))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        _curves(axes, rows[rows["x"] == rows["batch_size"]], looks, by="x", each="width")
        for width, group in rows[rows["several"] & (rows["quantity"] == PUBLISHED)].groupby("width"):
            _means(axes, group, by="x", color=looks[width]["color"], **_ONE)
        axes.set_xscale("log")

    layout = {"rows": ["dataset"], "columns": ["depth"], "title": "{dataset}, depth {depth}", "legend": "direct"}
    table = table.sort_values("depth", kind="stable")
    drawn, _ = facets(table, draw, xlabel="minibatch size $b$ (samples)", ylabel=ALPHA, **layout)
    _legend(drawn, table, {"one network, measured at each $b$": {"color": "black"} | _ONE})
    return drawn


def _published(results: Results) -> pd.DataFrame:
    """Return alpha^, as published, of every network that was trained with cross-entropy, at the b of its training."""
    table = late_values(results).query("quantity == @PUBLISHED and loss == 'nll'")
    return table[table["x"].isna() | (table["x"] == table["batch_size"])].assign(alpha=1 / table["value"])


def _slopes(table: pd.DataFrame, by: list[str], x: str, y: str) -> pd.Series:
    """Return the slope of a line through the points of each group that has two or more."""
    groups = {key: rows for key, rows in table.groupby(by) if rows[x].nunique() > 1}
    index = pd.MultiIndex.from_tuples(groups, names=by)
    return pd.Series([float(np.polyfit(rows[x], rows[y], 1)[0]) for rows in groups.values()], index, dtype=float)


def beside_figure4(results: Results) -> pd.DataFrame:
    """Return the paper's range on CIFAR-10 (left chance) and what it says of the size on MNIST (fits) beside ours."""
    table = _published(results).query("split == 'train'")
    alpha = table.query("dataset == 'cifar10' and left").groupby("seed")["alpha"]
    lines = [("CIFAR-10, smallest α̂", _FCN, alpha.min(), ".2f"), ("CIFAR-10, largest α̂", _FCN, alpha.max(), ".2f")]
    table["log2"], falls = np.log2(table["width"]), (-np.inf, 0.0)
    slopes = _slopes(table.query("dataset == 'mnist' and fits"), ["depth", "seed"], "log2", "alpha")
    for depth, ours in slopes.groupby("depth"):
        lines.append((f"MNIST, depth {depth}: change of α̂ with twice the width", falls, ours, ".3f"))
    deeper = _slopes(slopes.reset_index(name="slope"), ["seed"], "depth", "slope")
    return comparison([*lines, ("MNIST: change of that with each layer", falls, deeper, ".3f")])


def beside_figure5(results: Results) -> pd.DataFrame:
    """Return the paper's ranges for the sizes of CNNs beside ours, and how far training and test images are apart."""
    table, lines = _published(results), []
    train, test = (table[table["split"] == split].set_index("run") for split in ("train", "test"))
    at_end = train["width"] == train.groupby("dataset")["width"].transform("max")
    for (dataset, width), rows in train[(train["dataset"] != "cifar100") | at_end].groupby(["dataset", "width"]):
        name = f"{DATA[dataset]}, {width} filters"
        lines.append((name, (-np.inf, _CNN[0]) if width <= _FEW else _CNN, rows["alpha"], ".2f"))
    largest = train[at_end & (train["dataset"] != "cifar100")]
    apart = largest["alpha"] - test["alpha"].reindex(largest.index)
    return comparison([*lines, ("CIFAR-10, most filters, training less test images", 0.0, apart, ".2f")])


def beside_figure6(results: Results) -> pd.DataFrame:
    """Return how far alpha^ moves from the smallest to the largest b of the training, for which the paper has words."""
    table, lines, words = _published(results).query("left and split == 'train'").sort_values("x"), [], []
    for (dataset, depth, width), rows in table.groupby(["dataset", "depth", "width"]):
        of_seeds = rows.groupby("seed")["alpha"]
        change = (of_seeds.last() - of_seeds.first())[of_seeds.size() > 1]
        lines.append((f"{DATA[dataset]}, depth {depth}, width {width}", _SMALL, change, ".3f"))
        words.append(_WORDS[depth])
    return comparison(lines).assign(paper=words)


def with_cnn(results: Results, others: Results) -> Results:
    """Add the convolutional network that `iterations` trains at the paper's settings and length, if it is finished."""
    runs = others.runs.query("model == 'cnn' and iterations == horizon")
    parts = (results.rows, others.rows[others.rows["run"].isin(runs["run"])]), (results.runs, runs)
    return Results(*(pd.concat(part, ignore_index=True) for part in parts))
