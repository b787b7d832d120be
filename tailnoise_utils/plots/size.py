"""Figures and tables of the experiments ``fcn_size`` and ``cnn_size``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..store import Results
from ._settings import DATA, LOSSES
from ._style import COLOURS, MARKERS, STYLE

PUBLISHED = "published"


def at_the_end(results: Results) -> pd.DataFrame:
    """alpha^ and accuracy of every run at its last snapshot, on whole networks.

    Args:
        results: of networks of several sizes.

    Returns:
        A line a number: the settings of the run (dataset, loss, width, depth, seed, status), split, `what` ("published": as
        the paper's code has it, in data order; on test images in a random partition; "clean"; "K1 = 1000" (100 where
        blocks of 1000 are too long for most), clean too; "accuracy"), `value` (1/alpha^, or the accuracy) and `se`.
    """
    table = results.table()
    last = table["iteration"] == table.groupby("run")["iteration"].transform("max")
    table = table[last & (table["scope"] == "all")]
    pooled = table["quantity"] == "1/alpha (pooled)"
    K1 = 1000 if (pooled & (table["x"] == 1000) & (table["split"] == "train")).any() else 100
    names = {"1/alpha (published, data order)": PUBLISHED, "1/alpha (clean)": "clean", "accuracy": "accuracy"}
    what = table["quantity"].map(names)
    what[(table["quantity"] == "1/alpha (published)") & (table["split"] == "test")] = PUBLISHED
    what[pooled & (table["x"] == K1)] = f"K1 = {K1}"
    columns = ["run", "dataset", "loss", "width", "depth", "seed", "status", "split", "what", "value", "se"]
    return table.assign(what=what)[what.notna()][columns]


def _conventions(table: pd.DataFrame) -> list[str]:
    """The two that are drawn: the published one, and that at one block length for all sizes."""
    return [PUBLISHED, next(what for what in table["what"].unique() if what.startswith("K1"))]


def _over_seeds(rows: pd.DataFrame, *, inverse: bool = True) -> pd.DataFrame:
    """Against the width: the mean over the runs (alpha^ from the mean of 1/alpha^) and their range."""
    value = rows.groupby("width")["value"]
    found = pd.DataFrame({"mean": value.mean(), "low": value.min(), "high": value.max(), "runs": value.size()})
    if inverse:
        found[["mean", "low", "high"]] = 1 / found[["mean", "high", "low"]].to_numpy()
    return found


def _line(axes: plt.Axes, rows: pd.DataFrame, i: int, label: str, *, inverse: bool = True) -> None:
    """Means and ranges of the runs that trained as a line, of those that did not as open marks."""
    style = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 4, "capsize": 2, "linewidth": 1.2}
    for trained, of in rows.groupby(rows["status"] == "complete"):
        found = _over_seeds(of, inverse=inverse)
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


def _log_width(axes: plt.Axes, table: pd.DataFrame, name: str) -> None:
    """A logarithmic axis with the sizes that there are, or every other one."""
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
                    _line(axes, one, i, f"depth {depth}")
                axes.set_title(f"{DATA[kind[0]]}, {LOSSES[kind[1]]}; {_words(what)}")
                axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
                axes.xaxis.set_tick_params(labelbottom=True)
                _log_width(axes, table, "width (units of a hidden layer)")
        figure.supylabel(r"$\hat\alpha$, all coordinates pooled")
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
                _line(index, _of(table, kind, what, split), i, f"{_words(what)}, {split}")
            for i, split in enumerate(("train", "test")):
                _line(accuracy, _of(table, kind, "accuracy", split), i, split, inverse=False)
            index.set_title(f"{DATA[kind[0]]}, {LOSSES[kind[1]]}")
            index.axhline(2, color="#555555", linestyle=":", linewidth=1)
            _log_width(accuracy, table, "filters")
        panels[0, 0].set_ylabel(r"$\hat\alpha$, all coordinates pooled")
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
