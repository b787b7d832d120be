"""What figures of trained networks have in common: names of settings, panels, ends of the training."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.store import Results
from ..style import COLOURS, WIDTH

PARTS = ("correlation", "order", "scales", "tails")
DATA = {
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "digits",
    "digits32": "digits (32 x 32 x 3)",
}
LOSSES = {"nll": "cross-entropy", "hinge": "hinge"}
BEFORE, AFTER = "before training", "after training"


def with_settings(results: Results) -> pd.DataFrame:
    """The rows joined with their run and a readable name of the setting.

    Args:
        results: of networks that were trained.

    Returns:
        The table, with the column `setting`, such as "FCN 256 x 3, MNIST, hinge"; settings in the order of the runs.
    """
    table = results.table()

    def name(row: pd.Series) -> str:
        size = f"{row['width']} × {row['depth']}" if row["depth"] else f"{row['width']}"
        return f"{row['model'].upper()} {size}, {DATA[row['dataset']]}, {LOSSES[row['loss']]}"

    names = results.runs.set_index("run").apply(name, axis=1)
    setting = table["run"].map(names)
    return table.assign(setting=pd.Categorical(setting, categories=list(dict.fromkeys(names)), ordered=True))


def ends(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows before training, of all runs, and at the last snapshot, of those that trained.

    Args:
        table: of :func:`with_settings`.

    Returns:
        Name and rows of both. A setting of which no run trained keeps its runs at the end too.
    """
    last = table["iteration"] == table.groupby("run")["iteration"].transform("max")
    trained = table["status"] == "complete"
    some = trained.groupby(table["setting"], observed=True).transform("any")
    return [(BEFORE, table[table["iteration"] == 0]), (AFTER, table[last & (trained | ~some)])]


def untrained(results: Results, setting: str | None = None) -> str:
    """Which runs did not train, for a caption.

    Args:
        results: of networks that were trained.
        setting: as :func:`with_settings` names it, where only one is shown.

    Returns:
        Sentences; "" if all did.
    """
    table = with_settings(results)
    runs = table.drop_duplicates("run")
    runs = runs if setting is None else runs[runs["setting"] == setting]
    lost = runs[runs["status"] != "complete"]
    counts = lost.groupby("setting", observed=True).size()
    of = runs.groupby("setting", observed=True).size()
    words = {
        " Left out after training, for they did not train: ": counts[counts < of.reindex(counts.index)],
        " Of these settings no run trained, and all are shown: ": counts[counts == of.reindex(counts.index)],
    }
    return "".join(
        start + "; ".join(f"{setting} ({count} of {of[setting]})" for setting, count in some.items()) + "."
        for start, some in words.items()
        if len(some)
    )


def statuses(results: Results) -> str:
    """How many runs ended how.

    Args:
        results: of networks that were trained.

    Returns:
        Such as "7 complete, 2 not trained".
    """
    return ", ".join(f"{count} {name}" for name, count in results.runs["status"].value_counts().items())


def by_setting(results: Results) -> dict[str, pd.DataFrame]:
    """The rows for whole networks, by network and data set.

    Args:
        results: of networks that were trained.

    Returns:
        Name, such as "FCN, MNIST", to rows; fully connected ones first.
    """
    table = results.table()
    table = table[table["scope"] == "all"]
    groups = table.groupby(["model", "dataset"])
    ordered = sorted(groups, key=lambda group: (group[0][0] != "fcn", list(DATA).index(group[0][1])))
    return {f"{model.upper()}, {DATA[name]}": rows for (model, name), rows in ordered}


def by_kind(table: pd.DataFrame, draw: Callable[[plt.Axes, pd.DataFrame], object], *, height: float = 3.0) -> Figure:
    """Draw a panel for each pair of network kind with data, and loss.

    Args:
        table: of :func:`with_settings`.
        draw: told a panel and its rows; not called where there are none.
        height: of a panel.

    Returns:
        The figure, open, with one legend below all panels, where it hides nothing.
    """
    kinds, losses = (
        list(dict.fromkeys(zip(table["model"], table["dataset"], strict=True))),
        list(dict.fromkeys(table["loss"])),
    )
    size = (WIDTH if len(losses) > 1 else 5.2, height * len(kinds) + 1.0)
    figure, panels = plt.subplots(len(kinds), len(losses), figsize=size, sharex=True, sharey=True, squeeze=False)
    for i, (model, dataset) in enumerate(kinds):
        for j, loss in enumerate(losses):
            axes = panels[i, j]
            axes.set_title(f"{model.upper()}, {DATA[dataset]}, {LOSSES[loss]}")
            axes.xaxis.set_tick_params(labelbottom=True)
            of = (table["model"] == model) & (table["dataset"] == dataset) & (table["loss"] == loss)
            if of.any():
                draw(axes, table[of])
    entries = {}
    for axes in panels.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4)
    return figure


def sizes(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The networks of one panel.

    Args:
        rows: of the panel.

    Returns:
        Name and rows, small ones first.
    """
    return [
        (f"{width} × {depth}" if depth else f"{width} filters", of)
        for (width, depth), of in rows.groupby(["width", "depth"])
    ]


def numbers(table: pd.DataFrame) -> dict[str, int]:
    """The networks of a figure by number: of one number, and so of one colour, in all its panels.

    Args:
        table: of all panels.

    Returns:
        Name, as :func:`sizes` has it, to number.
    """
    return {name: i for i, (name, _) in enumerate(sizes(table))}


def gaussian_band(axes: plt.Axes, null: pd.DataFrame, by: str, colour: str, label: str | None) -> None:
    """Mean and 1.96 standard deviations of Gaussian twins; where several settings are given, what covers them all.

    Args:
        axes: where to.
        null: rows of a statistic on twins, value and standard deviation, with their setting.
        by: the column of the horizontal axis.
        colour: of the band.
        label: for the legend.
    """
    keys = list(dict.fromkeys((by, "setting", "iteration")))
    found = null.groupby(keys, observed=True)[["value", "se"]].mean()
    low = (found["value"] - 1.96 * found["se"]).groupby(level=0).min()
    high = (found["value"] + 1.96 * found["se"]).groupby(level=0).max()
    axes.fill_between(low.index, low, high, color=colour, alpha=0.2, linewidth=0, label=label)


def stack(
    axes: plt.Axes, y: np.ndarray, widths: dict[str, np.ndarray], height: float, *, outline: bool = False
) -> None:
    """Stacked horizontal bars, what is negative to the left.

    Args:
        axes: where to.
        y: places of the bars.
        widths: part to its lengths.
        height: of a bar.
        outline: hatched outlines in place of filled bars.
    """
    up, down = np.zeros(len(y)), np.zeros(len(y))
    for (part, width), colour in zip(widths.items(), COLOURS, strict=False):
        style = {"fill": False, "edgecolor": colour, "hatch": "/////"} if outline else {"color": colour, "label": part}
        axes.barh(y, width, left=np.where(width >= 0, up, down), height=height, **style)
        up, down = up + np.clip(width, 0, None), down + np.clip(width, None, 0)
