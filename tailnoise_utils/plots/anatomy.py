"""Figures and tables of the experiment ``anatomy``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..store import Results
from ._style import COLOURS, MARKERS, STYLE
from .training import DATA

PARTS = ("dependence", "layout", "scales", "tails")
_LOSSES = {"nll": "cross-entropy", "hinge": "hinge"}


def with_settings(results: Results, *, losses: bool = True) -> pd.DataFrame:
    """The rows joined with their run and a readable name of the setting.

    Args:
        results: of networks that were trained.
        losses: name the loss too.

    Returns:
        The table, with the column `setting`, such as "FCN 256 x 3, MNIST, hinge"; settings in the order of the runs.
    """
    table = results.table()

    def name(row: pd.Series) -> str:
        size = f"{row['width']} × {row['depth']}" if row["depth"] else f"{row['width']}"
        loss = f", {_LOSSES[row['loss']]}" if losses else ""
        return f"{row['model'].upper()} {size}, {DATA[row['dataset']]}{loss}"

    names = results.runs.set_index("run").apply(name, axis=1)
    setting = table["run"].map(names)
    return table.assign(setting=pd.Categorical(setting, categories=list(dict.fromkeys(names)), ordered=True))


def _ends(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows before training and at the last snapshot of each run."""
    last = table.groupby("run")["iteration"].transform("max")
    return [("before training", table[table["iteration"] == 0]), ("after training", table[table["iteration"] == last])]


def waterfall(results: Results, scope: str = "all") -> Figure:
    r"""How the distance of 1/alpha^ to 1/2 adds up, before and after training; means over the seeds.

    Args:
        results: of the experiment ``anatomy``.
        scope: the whole network, or a layer.

    Returns:
        Two panels, a bar a setting.
    """
    table = with_settings(results)
    table = table[table["scope"] == scope]
    settings = list(table["setting"].cat.remove_unused_categories().cat.categories)
    with mpl.rc_context(STYLE):
        layout = {"sharey": True, "sharex": True}
        figure, panels = plt.subplots(1, 2, figsize=(10, 1.6 + 0.3 * len(settings)), **layout)
        for axes, (title, rows) in zip(panels, _ends(table), strict=True):
            found = rows.pivot_table(index="setting", columns="quantity", values="value", observed=True)
            found = found.reindex(settings)
            y = np.arange(len(settings))
            up, down = np.zeros(len(y)), np.zeros(len(y))
            for part, colour in zip(PARTS, COLOURS, strict=False):
                width = found[f"part {part}"].to_numpy()
                left = np.where(width >= 0, up, down)
                axes.barh(y, width, left=left, height=0.7, color=colour, label=part)
                up, down = up + np.clip(width, 0, None), down + np.clip(width, None, 0)
            axes.plot(found["part e_0"], y, "k|", markersize=11, markeredgewidth=1.6, label="all of it")
            axes.axvline(0, color="#555555", linewidth=0.8)
            axes.set(title=title, xlabel=r"$1/\hat\alpha - 1/2$")
        panels[0].set_yticks(y, settings)
        panels[0].invert_yaxis()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    plt.close(figure)
    return figure


def _grid(table: pd.DataFrame, height: float = 3.0) -> tuple[Figure, dict[tuple[str, str], plt.Axes]]:
    """A panel for each pair of network kind with data, and loss."""
    kinds = list(dict.fromkeys(zip(table["model"], table["dataset"], strict=True)))
    losses = list(dict.fromkeys(table["loss"]))
    size = (4.6 * len(losses) + 0.6, height * len(kinds) + 0.7)
    figure, panels = plt.subplots(len(kinds), len(losses), figsize=size, sharey=True, squeeze=False)
    found = {}
    for i, (model, dataset) in enumerate(kinds):
        for j, loss in enumerate(losses):
            panels[i, j].set_title(f"{model.upper()}, {DATA[dataset]}, {_LOSSES[loss]}")
            found[f"{model} {dataset}", loss] = panels[i, j]
    return figure, found


def _sizes(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The networks of one panel."""
    return [
        (f"{width} × {depth}" if depth else f"{width} filters", of)
        for (width, depth), of in rows.groupby(["width", "depth"])
    ]


def along_training(results: Results, quantity: str = "T1", label: str = "T1", linthresh: float = 0.01) -> Figure:
    """A test across the minibatches along training, with the middle 95 % of its Gaussian surrogates.

    Args:
        results: of the experiment ``anatomy``.
        quantity: the statistic.
        label: of the axis.
        linthresh: up to where the axis is linear.

    Returns:
        A panel for each kind of network, data set and loss; a line a network, points its seeds.
    """
    table = with_settings(results)
    table = table[table["scope"] == "all"]
    with mpl.rc_context(STYLE):
        figure, panels = _grid(table)
        for (kind, loss), axes in panels.items():
            model, dataset = kind.split()
            rows = table[(table["model"] == model) & (table["dataset"] == dataset) & (table["loss"] == loss)]
            for i, (name, of) in enumerate(_sizes(rows)):
                values = of[of["quantity"] == quantity]
                mean = values.groupby("iteration")["value"].mean()
                axes.plot(mean.index, mean, color=COLOURS[i], label=name)
                axes.plot(values["iteration"], values["value"], MARKERS[i], color=COLOURS[i], markersize=4)
            null = rows[rows["quantity"] == f"{quantity} (Gaussian)"].groupby("iteration")[["value", "se"]].mean()
            low, high = null["value"] - 1.96 * null["se"], null["value"] + 1.96 * null["se"]
            axes.fill_between(null.index, low, high, color="#bbbbbb", alpha=0.7, linewidth=0, label="Gaussian")
            axes.set_xscale("symlog", linthresh=100, linscale=0.5)
            axes.set_yscale("symlog", linthresh=linthresh)
            axes.set(xlabel="iteration", xlim=(-8, rows["iteration"].max() * 1.2))
            axes.legend(fontsize=8)
        next(iter(panels.values())).figure.supylabel(label)
    plt.close(figure)
    return figure


def against_block_length(results: Results) -> Figure:
    r"""Pooled 1/alpha^ against K1, before and after training.

    Args:
        results: of the experiment ``anatomy``.

    Returns:
        A panel for each kind of network, data set and loss.
    """
    table = with_settings(results)
    table = table[table["quantity"] == "1/alpha (pooled)"]
    with mpl.rc_context(STYLE):
        figure, panels = _grid(table)
        for (kind, loss), axes in panels.items():
            model, dataset = kind.split()
            rows = table[(table["model"] == model) & (table["dataset"] == dataset) & (table["loss"] == loss)]
            for style, (when, at) in zip(("--", "-"), _ends(rows), strict=True):
                for i, (name, of) in enumerate(_sizes(at)):
                    mean = of.groupby("x")["value"].mean()
                    axes.plot(mean.index, 1 / mean, style, color=COLOURS[i], label=f"{name}, {when}")
            axes.axvline(1000, color="#999999", linewidth=0.8)
            axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
            axes.set(xscale="log", xlabel=r"block length $K_1$")
            axes.legend(fontsize=7)
        figure.supylabel(r"$\hat\alpha$, pooled (clean)")
    plt.close(figure)
    return figure


def column_index(results: Results) -> Figure:
    r"""Mean 1/alpha^_j of single coordinates against K1, beside Gaussian and stable surrogates.

    Args:
        results: of the experiment ``anatomy``.

    Returns:
        A panel for each kind of network, data set and loss; its largest network.
    """
    table = with_settings(results)
    table = table[table["scope"] == "all"]
    with mpl.rc_context(STYLE):
        figure, panels = _grid(table)
        for (kind, loss), axes in panels.items():
            model, dataset = kind.split()
            rows = table[(table["model"] == model) & (table["dataset"] == dataset) & (table["loss"] == loss)]
            name, rows = _sizes(rows)[-1]
            for i, (when, at) in enumerate(_ends(rows)):
                of = at[at["quantity"] == "1/alpha (columns)"]
                mean = of.groupby("x")["value"].mean()
                axes.plot(mean.index, mean, MARKERS[i] + "-", color=COLOURS[i], label=when)
            null = at[at["quantity"] == "1/alpha (columns) (Gaussian)"].groupby("x")[["value", "se"]].mean()
            low, high = null["value"] - 1.96 * null["se"], null["value"] + 1.96 * null["se"]
            axes.fill_between(
                null.index, low, high, color="#bbbbbb", alpha=0.7, linewidth=0, label="Gaussian surrogates"
            )
            stable = at[at["quantity"] == "1/alpha (columns) (stable 1.5)"].groupby("x")["value"].mean()
            axes.plot(stable.index, stable, "^:", color=COLOURS[2], label="stable surrogates, 1.5")
            axes.axhline(0.5, color="#555555", linestyle=":", linewidth=1)
            axes.set(xscale="log", xlabel=r"block length $K_1$", title=f"{axes.get_title()}, {name}")
            axes.set_xticks(mean.index, [f"{K1:g}" for K1 in mean.index])
            axes.set_xticks([], minor=True)
            axes.legend(fontsize=7)
        figure.supylabel(r"mean of $1/\hat\alpha_j$ over coordinates")
    plt.close(figure)
    return figure


def layers(results: Results, setting: str) -> Figure:
    """What every layer of one network carries: the parts, T1 and the share of dead coordinates; means over the seeds.

    Args:
        results: of the experiment ``anatomy``.
        setting: as :func:`with_settings` names it.

    Returns:
        Two panels of parts, before and after training, and one of T1.
    """
    table = with_settings(results)
    table = table[(table["setting"] == setting) & (table["scope"] != "all")]
    names = list(dict.fromkeys(table["scope"]))
    with mpl.rc_context(STYLE):
        figure, (*bars, tests) = plt.subplots(1, 3, figsize=(11, 1.8 + 0.32 * len(names)), sharey=True)
        y = np.arange(len(names))
        for i, (axes, (title, rows)) in enumerate(zip(bars, _ends(table), strict=True)):
            found = rows.pivot_table(index="scope", columns="quantity", values="value").reindex(names)
            up, down = np.zeros(len(y)), np.zeros(len(y))
            for part, colour in zip(PARTS, COLOURS, strict=False):
                width = found[f"part {part}"].fillna(0).to_numpy()
                axes.barh(y, width, left=np.where(width >= 0, up, down), height=0.7, color=colour, label=part)
                up, down = up + np.clip(width, 0, None), down + np.clip(width, None, 0)
            axes.axvline(0, color="#555555", linewidth=0.8)
            axes.set(title=title, xlabel=r"$1/\hat\alpha - 1/2$")
            tests.plot(found["T1"], y, MARKERS[i], color=COLOURS[4 + i], label=f"T1 {title}")
        null = table[table["quantity"] == "T1 (Gaussian)"].groupby("scope")["se"].mean().reindex(names)
        tests.barh(y, 4 * null, left=-2 * null, height=0.7, color="#cccccc", label="Gaussian, ± 2 s.d.")
        tests.set(title="across the minibatches", xlabel="T1")
        bars[0].set_yticks(y, names)
        bars[0].invert_yaxis()
        handles = [axes.get_legend_handles_labels() for axes in (bars[0], tests)]
        figure.legend(*(a + b for a, b in zip(*handles, strict=True)), loc="outside lower center", ncols=7, fontsize=8)
    plt.close(figure)
    return figure


def anatomy_table(results: Results) -> pd.DataFrame:
    """The numbers behind the figures, for whole networks.

    Args:
        results: of the experiment ``anatomy``.

    Returns:
        A row a setting and iteration, means over the seeds: alpha^ (published in data order, clean, and at K1 = 1000, each
        by the mean of 1/alpha^), the four parts, T1 with the largest p-value over the seeds, alpha^_j at K1 = 3 and 30,
        train accuracy.
    """
    table = with_settings(results)
    table = table[(table["scope"] == "all") & (table["split"] == "train")]

    def mean(quantity: str, x: float | None = None) -> pd.Series:
        of = table[(table["quantity"] == quantity) & (table["x"].isna() if x is None else table["x"] == x)]
        return of.groupby(["setting", "iteration"], observed=True)["value"].mean()

    p = table[table["quantity"] == "T1 (p)"].groupby(["setting", "iteration"], observed=True)["value"].max()
    columns = {
        "published": 1 / mean("1/alpha (published, data order)"),
        "clean": 1 / mean("1/alpha (clean)"),
        "K1 = 1000": 1 / mean("1/alpha (pooled)", 1000),
        **{part: mean(f"part {part}") for part in PARTS},
        "T1": mean("T1"),
        "p": p,
        "columns, 3": 1 / mean("1/alpha (columns)", 3),
        "columns, 30": 1 / mean("1/alpha (columns)", 30),
        "accuracy": mean("accuracy"),
    }
    return pd.DataFrame(columns)
