"""Figures and tables of the experiment ``diagnosis``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils.diagnosis.decomposition import STABLE

from ..results.reading import AFTER, BEFORE, ends, with_settings
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE, WIDTH
from .panels import PARTS, by_kind, gaussian_band, numbers, sizes, stack

_STYLES = {BEFORE: "--", AFTER: "-"}
_INDICES = (
    ("published", "1/alpha (published, data order)", None),
    ("corrected", "1/alpha (corrected)", None),
    ("K1 = 1000", "1/alpha (joint)", 1000),
    ("columns, 3", "1/alpha (per coordinate)", 3),
    ("columns, 30", "1/alpha (per coordinate)", 30),
)
_VALUES = {
    **{part: f"decomposition: {part}" for part in PARTS},
    "columns of half": "decomposition: tails (columns of half)",
    "unresolved": "diagnosis unresolved",
    "tail excess": "tail excess",
    "norms": "sd of ln norm",
    **{f"kurtosis, {kind}": f"kurtosis ({kind} projections)" for kind in ("random", "leading")},
    **{f"not normal, {kind}": f"not normal ({kind})" for kind in ("coordinates", "units")},
    **{f"not normal, {kind}": f"not normal ({kind} projections)" for kind in ("random", "leading")},
    "accuracy": "accuracy",
}
_SHARES = ("columns of half", "unresolved")  # that may be very small
_TESTS = (
    ("tail excess", "tail excess", None),
    ("norms", "sd of ln norm", None),
    *((f"columns, {K1}", "1/alpha (per coordinate)", K1) for K1 in (3, 30)),
    *((f"kurtosis, {kind}", f"kurtosis ({kind} projections)", None) for kind in ("random", "leading")),
)


def waterfall(results: Results) -> Figure:
    r"""How the distance of 1/alpha^ to 1/2 adds up, before and after training; means over the seeds.

    Args:
        results: of the experiment ``diagnosis``.

    Returns:
        Two panels, a bar a setting, with the range over the seeds of the whole and of the tails; below them the bar of
        independent SaS noise of index 1.5, at the number of minibatches and the block lengths of the settings.
    """
    table = with_settings(results)
    table = table[(table["scope"] == "all") & (table["split"] == "train")]
    settings = list(table["setting"].cat.categories)
    y = np.arange(len(settings))
    with mpl.rc_context(STYLE):
        layout = {"sharey": True, "sharex": True}
        figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 2.0 + 0.3 * len(settings)), **layout)
        for axes, (title, rows) in zip(panels, ends(table), strict=True):
            by_seed = rows.pivot_table(index=["setting", "seed"], columns="quantity", values="value", observed=True)
            found = by_seed.groupby("setting", observed=True).mean().reindex(settings)
            stack(axes, y, {part: found[f"decomposition: {part}"].to_numpy() for part in PARTS}, 0.7)
            tails = found["decomposition: tails"].clip(lower=0)
            start = sum(found[f"decomposition: {part}"].clip(lower=0) for part in PARTS) - tails
            for name, at, colour in (("decomposition: e_0", y, "k"), ("decomposition: tails", y + 0.24, "#555555")):
                low, high = (
                    by_seed[name].groupby("setting", observed=True).agg(how).reindex(settings) for how in ("min", "max")
                )
                shift = 0 if name == "decomposition: e_0" else start
                axes.hlines(at, low + shift, high + shift, color=colour, linewidth=1.2)
            axes.plot(found["decomposition: e_0"], y, "k|", markersize=11, markeredgewidth=1.6, label="all of it")
            _stable_bar(axes, len(settings), found)
            axes.axvline(0, color="#555555", linewidth=0.8)
            axes.set(title=title, xlabel=r"$1/\hat\alpha - 1/2$")
        panels[0].set_yticks([*y, len(settings)], [*settings, f"independent SαS, α = {STABLE}"])
        panels[0].invert_yaxis()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    plt.close(figure)
    return figure


def _stable_bar(axes: plt.Axes, y: int, found: pd.DataFrame) -> None:
    """The parts of independent noise of a stable law: no dependence, no layout, tails, and what is left as scales."""
    tails = found[f"decomposition: tails (stable {STABLE})"].mean()
    both = {"scales": 1 / STABLE - 0.5 - tails, "tails": tails}
    widths = {part: np.array([both.get(part, 0.0)]) for part in PARTS}
    stack(axes, np.array([y]), widths, 0.7, outline=True)
    axes.plot([1 / STABLE - 0.5], [y], "k|", markersize=11, markeredgewidth=1.6)


def along_training(
    results: Results, quantity: str = "tail excess", label: str = "tail excess", linthresh: float | None = 0.01
) -> Figure:
    """A test across the minibatches along training, with mean and 1.96 standard deviations of its Gaussian twins.

    Args:
        results: of the experiment ``diagnosis``.
        quantity: the statistic.
        label: of the axis.
        linthresh: up to where the axis is linear, None for all of it.

    Returns:
        A panel for each kind of network, data set and loss; a line and a band a network, points its seeds.
    """
    table = with_settings(results)
    table = table[table["scope"] == "all"]
    number = numbers(table)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for name, of in sizes(rows):
            i, values = number[name], of[of["quantity"] == quantity]
            mean = values.groupby("iteration")["value"].mean()
            axes.plot(mean.index, mean, color=COLOURS[i], label=name)
            axes.plot(values["iteration"], values["value"], MARKERS[i], color=COLOURS[i], markersize=4)
            gaussian_band(axes, of[of["quantity"] == f"{quantity} (Gaussian)"], "iteration", COLOURS[i], None)
        axes.fill_between([], [], color="#555555", alpha=0.2, linewidth=0, label="Gaussian twins (of the colour)")
        axes.set_xscale("symlog", linthresh=100, linscale=0.5)
        if linthresh:
            axes.set_yscale("symlog", linthresh=linthresh)
        axes.set(xlabel="iteration", xlim=(-8, table["iteration"].max() * 1.2))

    with mpl.rc_context(STYLE):
        figure = by_kind(table, draw)
        figure.supylabel(label)
    plt.close(figure)
    return figure


def parts_along_training(results: Results) -> Figure:
    r"""The distance of 1/alpha^ to 1/2 and its parts along training; means over the seeds, bars their range.

    Args:
        results: of runs with the diagnosis at several snapshots.

    Returns:
        A panel for each kind of network, data set and loss, one network in each.
    """
    table = with_settings(results)
    table = table[(table["scope"] == "all") & (table["split"] == "train")]

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for i, part in enumerate(("e_0", *PARTS)):
            found = (
                rows[rows["quantity"] == f"decomposition: {part}"]
                .groupby("iteration")["value"]
                .agg(["mean", "min", "max"])
            )
            bars = np.abs(found[["min", "max"]].sub(found["mean"], axis=0).to_numpy().T)
            style = {"color": "k" if i == 0 else COLOURS[i - 1], "marker": MARKERS[i], "markersize": 4}
            axes.errorbar(found.index, found["mean"], bars, label="all of it" if i == 0 else part, **style)
        axes.axhline(0, color="#555555", linewidth=0.8)
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        axes.set(xlabel="iteration", xlim=(-0.1, table["iteration"].max() * 1.3))

    with mpl.rc_context(STYLE):
        figure = by_kind(table, draw)
        figure.supylabel(r"$1/\hat\alpha - 1/2$")
    plt.close(figure)
    return figure


def against_block_length(results: Results) -> Figure:
    r"""Joint alpha^ against K1, before and after training.

    Args:
        results: of the experiment ``diagnosis``.

    Returns:
        A panel for each kind of network, data set and loss.
    """
    table = with_settings(results)
    table = table[table["quantity"] == "1/alpha (joint)"]
    number = numbers(table)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for when, at in ends(rows):
            for name, of in sizes(at):
                i, mean = number[name], of.groupby("x")["value"].mean()
                label = name if when == AFTER else None
                axes.plot(mean.index, 1 / mean, _STYLES[when], color=COLOURS[i], label=label)
        axes.axvline(1000, color="#999999", linewidth=0.8)
        axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
        axes.set(xscale="log", xlabel=r"block length $K_1$")

    with mpl.rc_context(STYLE):
        figure = by_kind(table, draw)
        figure.supylabel(r"$\hat\alpha$, joint (corrected)")
    plt.close(figure)
    return figure


def column_index(results: Results) -> Figure:
    r"""Mean 1/alpha^_j of single coordinates against K1, beside Gaussian and stable twins.

    Args:
        results: of the experiment ``diagnosis``.

    Returns:
        A panel for each kind of network, data set and loss; a line a network before and one after training, a band that
        covers mean and 1.96 standard deviations of the Gaussian twins of all of them.
    """
    table = with_settings(results)
    table = table[table["scope"] == "all"]
    number = numbers(table)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        index = rows["quantity"] == "1/alpha (per coordinate)"
        for when, at in ends(rows[index]):
            for name, of in sizes(at):
                i, mean = number[name], of.groupby("x")["value"].mean()
                label = name if when == AFTER else None
                style = {"marker": MARKERS[i], "color": COLOURS[i], "markersize": 4, "label": label}
                axes.plot(mean.index, mean, _STYLES[when], **style)
        shown = pd.concat([at for _, at in ends(rows)])
        null = shown[shown["quantity"] == "1/alpha (per coordinate) (Gaussian)"]
        gaussian_band(axes, null, "x", "#555555", "Gaussian twins")
        stable = shown[shown["quantity"] == f"1/alpha (per coordinate) (stable {STABLE})"].groupby("x")["value"].mean()
        axes.plot(stable.index, stable, "k:", marker="x", label=f"stable twins, {STABLE}")
        axes.axhline(0.5, color="#555555", linestyle=":", linewidth=1)
        axes.set(xscale="log", xlabel=r"block length $K_1$")
        axes.set_xticks(stable.index, [f"{K1:g}" for K1 in stable.index])
        axes.set_xticks([], minor=True)

    with mpl.rc_context(STYLE):
        figure = by_kind(table, draw)
        figure.supylabel(r"mean of $1/\hat\alpha_j$ over coordinates")
    plt.close(figure)
    return figure


def decomposition_table(results: Results) -> pd.DataFrame:
    """The numbers behind the figures, for whole networks.

    Args:
        results: of the experiment ``diagnosis``.

    Returns:
        A row a setting, before and after training; means over the seeds (after training, over those that trained): alpha^
        (published in data order, corrected, and at K1 = 1000, each by the mean of 1/alpha^), the four parts, the share of the
        columns that makes half of the tails, the share of unresolved differences, tau, alpha^_j of columns at K1 = 3 and 30,
        spread of the norms, kurtosis of projections, shares found not normal, train accuracy.
        Of tests also the largest p-value over the seeds ("..., p"); of most the standard deviation over the seeds
        ("..., sd"), of an alpha^ that of 1/alpha^.
    """
    table = with_settings(results)
    found = []
    for when, rows in ends(table[(table["scope"] == "all") & (table["split"] == "train")]):

        def of(quantity: str, x: float | int | None = None, how: str = "mean", rows: pd.DataFrame = rows) -> pd.Series:
            chosen = rows[(rows["quantity"] == quantity) & (rows["x"].isna() if x is None else rows["x"] == x)]
            return chosen.groupby("setting", observed=True)["value"].agg(how)

        columns = {}
        for name, quantity, x in _INDICES:
            columns |= {name: 1 / of(quantity, x), f"{name}, sd": of(quantity, x, "std")}
        for name, quantity in _VALUES.items():
            columns |= {name: of(quantity), f"{name}, sd": of(quantity, how="std")}
        for name, quantity, x in _TESTS:
            columns[f"{name}, p"] = of(f"{quantity} (p)", x, "max")
        found.append(pd.DataFrame(columns).assign(when=when).set_index("when", append=True))
    return pd.concat(found).sort_index(level=0, sort_remaining=False, kind="stable")


def with_spread(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Some columns of :func:`decomposition_table` for reading: mean ± standard deviation, p in brackets.

    Args:
        table: of that function.
        names: columns that have both or one of them; others are shown as they are.

    Returns:
        Texts, shares that may be very small without a deviation; "" where there is no number.
    """

    def text(name: str) -> pd.Series:
        if name in _SHARES:
            return table[name].map("{:.2g}".format).where(table[name].notna(), "")
        found = table[name].map("{:.3f}".format)
        if f"{name}, sd" in table:
            found += table[f"{name}, sd"].map(" ± {:.3f}".format)
        if f"{name}, p" in table:
            found += table[f"{name}, p"].map(" ({:.2f})".format)
        return found.where(table[name].notna(), "")

    return pd.DataFrame({name: text(name) for name in names})
