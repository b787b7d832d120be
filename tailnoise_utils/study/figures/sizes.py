"""Figures and tables of the experiments ``fcn_size`` and ``cnn_size``."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import CONVENTIONS, DATA, LOSSES, at_end, fixed_length
from ..results.store import Results
from ..style import LOOK, figure, series
from .panels import errorbars, facets, legend_below

PUBLISHED = "published"
_CONFIGURATION = ["dataset", "loss", "depth", "width"]


def at_the_end(results: Results) -> pd.DataFrame:
    """Return 1/alpha^, by convention (`what`), and accuracy of every run at its last snapshot, on whole networks."""
    table = at_end(results, trained=False)
    joint, K1 = fixed_length(table)
    names = {quantity: name for name, quantity in CONVENTIONS.items()} | {"accuracy": "accuracy"}
    what = table["quantity"].map(names)
    what[(table["quantity"] == "1/alpha (published)") & (table["split"] == "test")] = PUBLISHED
    what[(table["quantity"] == joint) & (table["x"] == K1)] = f"K1 = {K1:.0f}"
    columns = ["run", "dataset", "loss", "width", "depth", "seed", "status", "split", "what", "value", "se"]
    return table.assign(what=what)[what.notna()][columns]


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    """Return the conventions that are drawn, as titles call them: the published one, then that of one block length."""
    drawn = table[(table["what"] == PUBLISHED) | table["what"].str.startswith("K1")]
    drawn = drawn.sort_values("what", key=lambda what: what != PUBLISHED, kind="stable")
    return drawn.assign(what=drawn["what"].str.replace("K1", "$K_1$"))


def line(axes: plt.Axes, rows: pd.DataFrame, label: str, *, inverse: bool = True, **style: Any) -> None:
    """Draw means and ranges against the width: a line of the runs that trained, open marks of those that did not."""
    complete = rows["status"] == "complete"
    for trained, group in rows.groupby(complete):
        look = style if trained else style | {"linestyle": "none", "markerfacecolor": "white"}
        errorbars(axes, group, label=label if trained or not complete.any() else None, inverse=inverse, **look)


def log_width(axes: plt.Axes, table: pd.DataFrame, most: int = 5) -> None:
    """Make the horizontal axis logarithmic, with ticks at widths that occur, a few at most."""
    widths = sorted(table["width"].unique())
    widths = widths[:: -(-len(widths) // most)]
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, labels=widths)
    axes.minorticks_off()


@figure
def against_width(results: Results) -> Figure:
    """Draw alpha^ after training against the width of FCNs, a line a depth; left as published, right at one K1."""
    table = at_the_end(results)
    table = _drawn(table[table["split"] == "train"])
    looks = series(sorted(set(table["depth"])))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for depth, group in rows.groupby("depth"):
            line(axes, group, f"depth {depth}", **looks[depth])
        axes.axhline(2, **LOOK["Gaussian"])
        log_width(axes, table)

    layout = {"xlabel": "width (units of a hidden layer)", "ylabel": r"$\hat\alpha$, joint", "legend": "direct"}
    layout |= {"rows": ["dataset", "loss"], "columns": ["what"], "title": "{dataset}, {loss}; {what}"}
    return facets(table, draw, height=2.1, most=99, **layout)[0]


@figure
def against_filters(results: Results) -> Figure:
    """Draw alpha^ (as published and at one K1) and accuracy of CNNs on both splits against the number of filters."""
    table = at_the_end(results)
    accuracy = table[table["what"] == "accuracy"]
    table = pd.concat([_drawn(table).assign(panel="index"), accuracy.assign(panel="accuracy")])
    colours = {PUBLISHED: "#E69F00", "accuracy": "#000000"}

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for what, of_what in rows.groupby("what", sort=False):
            for split, group in of_what.sort_values("split", ascending=False).groupby("split", sort=False):
                style = {"color": colours.get(what, LOOK["joint"]["color"]), "marker": "os"[split == "test"]}
                style["linestyle"] = "--" if split == "test" else "-"
                label = split if what == "accuracy" else f"{what}, {split}"
                line(axes, group, label, inverse=what != "accuracy", **style)
        log_width(axes, table)

    layout = {"rows": ["panel"], "columns": ["dataset", "loss"], "title": "{dataset},\n{loss}", "sharey": "row"}
    drawn, panels = facets(table, draw, height=2.5, most=99, xlabel="filters", legend=0, **layout)
    for axes in panels[0]:
        axes.axhline(2, **LOOK["Gaussian"])
    panels[0, 0].set_ylabel(r"$\hat\alpha$, joint")
    panels[1, 0].set(ylabel="accuracy", ylim=0)
    panels[1, 0].legend()
    legend_below(drawn, panels[0], 4)
    return drawn


def size_table(results: Results) -> pd.DataFrame:
    """Return alpha^ (of the mean 1/alpha^), its sd and accuracy by configuration, over the runs that trained."""
    table = at_the_end(results)
    complete = table["status"] == "complete"
    shown = table[complete | ~complete.groupby([table[name] for name in _CONFIGURATION]).transform("any")]
    inverse = shown["what"] != "accuracy"
    shown = shown.assign(alpha=shown["value"].where(~inverse, 1 / shown["value"]))
    groups = shown.groupby([*_CONFIGURATION, "split", "what"], sort=False)
    means = groups["value"].mean()
    means = means.where(means.index.get_level_values("what") == "accuracy", 1 / means).unstack(["split", "what"])
    spreads = groups["alpha"].std().unstack(["split", "what"]).rename(columns="sd ({})".format, level="what")
    order = [(split, name) for split, what in means for name in (what, f"sd ({what})")]
    runs = table.groupby(_CONFIGURATION)["run"].nunique().astype(str)
    trained = table["run"].where(complete).groupby([table[name] for name in _CONFIGURATION]).nunique().astype(str)
    return pd.concat({("runs", "that trained"): trained + " of " + runs}, axis=1).join(means.join(spreads)[order])


def trained_table(results: Results) -> pd.DataFrame:
    """Return how many runs of each size trained, a column a width: "2 of 3"; "" where there was no run."""
    runs = results.runs.assign(ok=results.runs["status"] == "complete")
    counts = runs.groupby(_CONFIGURATION)["ok"].agg(["sum", "size"])
    words = counts["sum"].astype(str) + " of " + counts["size"].astype(str)
    return words.unstack("width").fillna("")


def corner_table(results: Results) -> pd.DataFrame:
    """Return alpha^, mean ± sd over the seeds, of the smallest and largest networks, on the training images."""
    table = size_table(results)
    index = table.index.to_frame(index=False)
    width = index.groupby(["dataset", "loss", "depth"])["width"].transform
    depth = index.groupby(["dataset", "loss"])["depth"].transform
    corner = (index["width"] == width("min")) | (index["width"] == width("max"))
    corner &= (index["depth"] == depth("min")) | (index["depth"] == depth("max"))
    corner |= index["width"] == index["width"].max()
    table = table[corner.to_numpy()]
    train = table["train"]
    whats = [what for what in train.columns if not what.startswith("sd") and what != "accuracy"]
    whats.sort(key=lambda what: (what != PUBLISHED, what != "corrected"))
    columns = {"runs that trained": table["runs", "that trained"], "accuracy": train["accuracy"].map("{:.3f}".format)}
    for what in whats:
        spread = train[f"sd ({what})"].map(" ± {:.3f}".format, na_action="ignore").fillna("")
        columns[what] = (train[what].map("{:.3f}".format) + spread).where(train[what].notna(), "–")
    return pd.DataFrame(columns, index=table.index)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of configurations with data sets and losses by name, and filters where networks have no depth."""
    index = table.index.to_frame(index=False).replace({"dataset": DATA, "loss": LOSSES})
    named = table.set_axis(pd.MultiIndex.from_frame(index))
    if not index["depth"].any():  # convolutional networks
        named = named.droplevel("depth").rename_axis(index={"width": "filters"}, columns={"width": "filters"})
    return named
