"""Figures and tables of the experiments ``fcn_size`` and ``cnn_size``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import DATA, LOSSES
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE

PUBLISHED = "published"


def at_the_end(results: Results) -> pd.DataFrame:
    """alpha^ and accuracy of every run at its last snapshot, on whole networks.

    Args:
        results: of networks of several sizes.

    Returns:
        A line a number: the settings of the run (dataset, loss, width, depth, seed, status), split, `what` ("published": as
        the paper's code has it, in data order; on test images in a random partition; "corrected"; "K1 = 1000" (100 where no
        run has blocks of 1000; where some have, the others have no such line), corrected too; "accuracy"), `value` (1/alpha^ or
        accuracy) and `se`.
    """
    table = results.table()
    last = table["iteration"] == table.groupby("run")["iteration"].transform("max")
    table = table[last & (table["scope"] == "all")]
    joint = table["quantity"] == "1/alpha (joint)"
    K1 = 1000 if (joint & (table["x"] == 1000) & (table["split"] == "train")).any() else 100
    names = {"1/alpha (published, data order)": PUBLISHED, "1/alpha (corrected)": "corrected", "accuracy": "accuracy"}
    what = table["quantity"].map(names)
    what[(table["quantity"] == "1/alpha (published)") & (table["split"] == "test")] = PUBLISHED
    what[joint & (table["x"] == K1)] = f"K1 = {K1}"
    columns = ["run", "dataset", "loss", "width", "depth", "seed", "status", "split", "what", "value", "se"]
    return table.assign(what=what)[what.notna()][columns]


def _conventions(table: pd.DataFrame) -> list[str]:
    """The two that are drawn: the published one, and that at one block length for all sizes."""
    return [PUBLISHED, next(what for what in table["what"].unique() if what.startswith("K1"))]


def mean_and_range(rows: pd.DataFrame, *, by: str = "width", inverse: bool = True) -> pd.DataFrame:
    """Mean over the runs and their range.

    Args:
        rows: of one quantity.
        by: the column against which it is drawn.
        inverse: whether the values are 1/alpha^, of which the mean is taken, and alpha^ is wanted.

    Returns:
        Against `by`: `mean`, `low`, `high`, and the number of `runs`.
    """
    value = rows.groupby(by)["value"]
    found = pd.DataFrame({"mean": value.mean(), "low": value.min(), "high": value.max(), "runs": value.size()})
    if inverse:
        found[["mean", "low", "high"]] = 1 / found[["mean", "high", "low"]].to_numpy()
    return found


def line(axes: plt.Axes, rows: pd.DataFrame, i: int, label: str, *, inverse: bool = True) -> None:
    """Draw means and ranges of the runs that trained as a line, of those that did not as open marks.

    Args:
        axes: where to.
        rows: of one quantity, with the width and status of their run.
        i: number of the colour and mark.
        label: for the legend.
        inverse: as for :func:`mean_and_range`.
    """
    style = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 4, "capsize": 2, "linewidth": 1.2}
    for trained, of in rows.groupby(rows["status"] == "complete"):
        found = mean_and_range(of, inverse=inverse)
        # Where 1/alpha^ changes its sign, as in very small networks, the mean may lie outside.
        bars = [(found["mean"] - found["low"]).clip(0), (found["high"] - found["mean"]).clip(0)]
        more = {} if trained else {"linestyle": "none", "markerfacecolor": "white"}
        axes.errorbar(found.index, found["mean"], bars, **style | more, label=label if trained else None)
    if not (rows["status"] == "complete").any():
        axes.plot([], [], color=COLOURS[i], marker=MARKERS[i], markerfacecolor="white", linestyle="none", label=label)


def _kinds(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Data set and loss of every panel."""
    return list(dict.fromkeys(zip(table["dataset"], table["loss"], strict=True)))


def _of(table: pd.DataFrame, kind: tuple[str, str], what: str, split: str = "train") -> pd.DataFrame:
    """The rows of one panel."""
    chosen = (table["dataset"] == kind[0]) & (table["loss"] == kind[1])
    return table[chosen & (table["what"] == what) & (table["split"] == split)]


def log_width(axes: plt.Axes, table: pd.DataFrame, name: str) -> None:
    """Make the horizontal axis logarithmic, with the sizes that there are, or every other one.

    Args:
        axes: whose.
        table: rows with a width.
        name: of the axis.
    """
    widths = sorted(table["width"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths[:: 1 + (len(widths) > 6)], labels=widths[:: 1 + (len(widths) > 6)])
    axes.minorticks_off()
    axes.set_xlabel(name)


def against_width(results: Results) -> Figure:
    """alpha^ after training against the width of FCNs, a line a depth; marks and bars: mean and range over the seeds.

    Args:
        results: of the experiment ``fcn_size``.

    Returns:
        A row of panels for each data set and loss; left as published, right at one block length. Open marks are of runs
        that did not train.
    """
    table = at_the_end(results)
    kinds, conventions = _kinds(table), _conventions(table)
    size = (9.4, 2.6 * len(kinds) + 0.8)
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(len(kinds), 2, figsize=size, sharex=True, sharey=True, squeeze=False)
        for row, kind in zip(panels, kinds, strict=True):
            for axes, what in zip(row, conventions, strict=True):
                of = _of(table, kind, what)
                for i, (depth, one) in enumerate(of.groupby("depth")):
                    line(axes, one, i, f"depth {depth}")
                axes.set_title(f"{DATA[kind[0]]}, {LOSSES[kind[1]]}; {_words(what)}")
                axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
                axes.xaxis.set_tick_params(labelbottom=True)
                log_width(axes, table, "width (units of a hidden layer)")
        figure.supylabel(r"$\hat\alpha$, all coordinates joint")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    plt.close(figure)
    return figure


def against_filters(results: Results) -> Figure:
    """alpha^ and accuracy of CNNs after training, on both splits, against the number of filters; means and ranges.

    Args:
        results: of the experiment ``cnn_size``.

    Returns:
        A column for each data set and loss; above alpha^, as published and at one block length, below the accuracy. Open
        marks are of runs that did not train.
    """
    table = at_the_end(results)
    kinds, conventions = _kinds(table), _conventions(table)
    size = (max(3.0 * len(kinds), 5.0), 5.6)
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(2, len(kinds), figsize=size, sharex=True, sharey="row", squeeze=False)
        for (index, accuracy), kind in zip(panels.T, kinds, strict=True):
            lines = [(what, split) for what in conventions for split in ("train", "test")]
            for i, (what, split) in enumerate(lines):
                line(index, _of(table, kind, what, split), i, f"{_words(what)}, {split}")
            for i, split in enumerate(("train", "test")):
                line(accuracy, _of(table, kind, "accuracy", split), i, split, inverse=False)
            index.set_title(f"{DATA[kind[0]]}, {LOSSES[kind[1]]}")
            index.axhline(2, color="#555555", linestyle=":", linewidth=1)
            log_width(accuracy, table, "filters")
        panels[0, 0].set_ylabel(r"$\hat\alpha$, all coordinates joint")
        panels[1, 0].set_ylabel("accuracy (share correct)")
        panels[1, 0].set_ylim(0)
        panels[1, 0].legend()
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    plt.close(figure)
    return figure


def _words(what: str) -> str:
    """A convention for a title."""
    return what if what == PUBLISHED else f"$K_1$ = {what.removeprefix('K1 = ')}"


def size_table(results: Results) -> pd.DataFrame:
    """alpha^ and accuracy after training by setting, means over the runs that trained (over all, where none did).

    Args:
        results: of networks of several sizes.

    Returns:
        A line a data set, loss, depth (0 for CNNs) and width; how many runs trained, and for each split the mean accuracy
        and alpha^, of the mean of 1/alpha^, with the standard deviation of alpha^ over the seeds.
    """
    lines = {}
    for setting, of in at_the_end(results).groupby(["dataset", "loss", "depth", "width"], sort=False):
        runs = of.drop_duplicates("run")
        complete = of["status"] == "complete"
        line = {("runs", "that trained"): f"{(runs['status'] == 'complete').sum()} of {len(runs)}"}
        for (split, what), one in (of[complete] if complete.any() else of).groupby(["split", "what"], sort=False):
            value = one["value"] if what == "accuracy" else 1 / one["value"]
            line[split, what] = value.mean() if what == "accuracy" else 1 / one["value"].mean()
            line[split, f"sd ({what})"] = value.std()
        lines[setting] = line
    found = pd.DataFrame.from_dict(lines, orient="index")
    found.index = pd.MultiIndex.from_tuples(found.index, names=["dataset", "loss", "depth", "width"])
    found.columns = pd.MultiIndex.from_tuples(found.columns)
    return found.sort_index()


def trained_table(results: Results) -> pd.DataFrame:
    """How many runs of each size trained.

    Args:
        results: of networks of several sizes.

    Returns:
        A line a data set, loss and depth, a column a width: "2 of 3"; "" where there was no run.
    """
    runs = results.runs.assign(ok=results.runs["status"] == "complete")
    counts = runs.groupby(["dataset", "loss", "depth", "width"])["ok"].agg(["sum", "size"])
    words = counts["sum"].astype(str) + " of " + counts["size"].astype(str)
    return words.unstack("width").fillna("")


def corner_table(results: Results) -> pd.DataFrame:
    """alpha^ after training of the smallest and largest networks, as words.

    Args:
        results: of networks of several sizes.

    Returns:
        The lines of :func:`size_table` at the ends of depth and width (of each depth its largest), with mean and standard
        deviation over the seeds in one word for each convention, and the mean accuracy; of the training images.
    """
    table = size_table(results)
    index = table.index.to_frame(index=False)
    ends = index.groupby(["dataset", "loss", "depth"])["width"].transform
    corner = (index["width"] == ends("min")) | (index["width"] == ends("max"))
    depth = index.groupby(["dataset", "loss"])["depth"].transform
    corner &= (index["depth"] == depth("min")) | (index["depth"] == depth("max"))
    corner |= index["width"] == index["width"].max()
    chosen = table[corner.to_numpy()]
    train = chosen["train"]
    whats = [what for what in train.columns if not what.startswith("sd") and what != "accuracy"]
    whats.sort(key=lambda what: (what != PUBLISHED, what != "corrected"))
    found = {"runs that trained": chosen["runs", "that trained"], "accuracy": train["accuracy"].map("{:.3f}".format)}
    for what in whats:
        pairs = zip(train[what], train[f"sd ({what})"], strict=True)
        found[what] = [_mean_and_sd(mean, sd) for mean, sd in pairs]
    return pd.DataFrame(found, index=chosen.index)


def _mean_and_sd(mean: float, sd: float) -> str:
    """Mean and standard deviation in a word."""
    if pd.isna(mean):
        return "–"
    return f"{mean:.3f}" if pd.isna(sd) else f"{mean:.3f} ± {sd:.3f}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table of settings for a page: data sets and losses by their names, filters where networks have no depth.

    Args:
        table: of :func:`size_table`, :func:`corner_table` or :func:`trained_table`.

    Returns:
        The same numbers.
    """
    index = table.index.to_frame(index=False).replace({"dataset": DATA, "loss": LOSSES})
    found = table.set_axis(pd.MultiIndex.from_frame(index))
    if not index["depth"].any():  # convolutional networks
        found = found.droplevel("depth").rename_axis(index={"width": "filters"}, columns={"width": "filters"})
    return found
