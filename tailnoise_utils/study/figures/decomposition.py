"""What the gap of 1/alpha^ to 1/2 is made of: along training and layer by layer."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils.diagnosis.decomposition import STABLE

from ..results.reading import ends, with_configurations
from ..results.store import Results
from ..style import LOOK, MARKERS, PART_COLOURS, WIDTH, figure
from .panels import (
    KINDS,
    PARTS,
    before_and_after,
    errorbars,
    facets,
    gaussian_band,
    legend_below,
    looks,
    networks,
    stack,
    total,
)

_GAP = r"$1/\hat\alpha - 1/2$"
_INDICES = {
    "published": ("1/alpha (published, data order)", 0),
    "corrected": ("1/alpha (corrected)", 0),
    "K1 = 1000": ("1/alpha (joint)", 1000),
    "coordinates, 3": ("1/alpha (per coordinate)", 3),
    "coordinates, 30": ("1/alpha (per coordinate)", 30),
}
_KURTOSES = {f"kurtosis, {kind}": (f"kurtosis ({kind} projections)", 0) for kind in ("random", "leading")}
# What the tables call a quantity at one x (0 where it has none).
_COLUMNS = {
    **_INDICES,
    **{part: (f"decomposition: {part}", 0) for part in PARTS},
    "columns of half": ("decomposition: tails (columns of half)", 0),
    "unresolved": ("diagnosis unresolved", 0),
    "tail excess": ("tail excess", 0),
    "norms": ("sd of ln norm", 0),
    **_KURTOSES,
    **{f"not normal, {kind}": (f"not normal ({kind})", 0) for kind in ("coordinates", "units")},
    **{f"not normal, {kind}": (f"not normal ({kind} projections)", 0) for kind in ("random", "leading")},
    "accuracy": ("accuracy", 0),
}
_TESTS = ("tail excess", "norms", "coordinates, 3", "coordinates, 30", *_KURTOSES)  # these have p-values
_SHARES = ("columns of half", "unresolved")  # that may be very small


def _of_networks(results: Results) -> pd.DataFrame:
    """Return the rows for whole networks, with their names."""
    table = with_configurations(results)
    return table[table["scope"] == "all"]


def _parts(means: pd.DataFrame) -> pd.DataFrame:
    """Return the parts by their short names."""
    return means.rename(columns=lambda name: name.removeprefix("decomposition: ")).reindex(columns=PARTS)


@figure
def waterfall(results: Results) -> Figure:
    """Draw the parts of the gap of each configuration, before and after training: means over seeds, thin lines: range."""
    table = _of_networks(results)
    table = table[table["split"] == "train"]
    configurations = list(table["configuration"].cat.categories)
    y, last = np.arange(len(configurations)), len(configurations)
    time = pd.concat([rows.assign(when=when) for when, rows in ends(table)])

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        by_seed = rows.pivot_table(index=["configuration", "seed"], columns="quantity", values="value", observed=True)
        groups = by_seed.groupby("configuration", observed=True)
        means, low, high = (groups.agg(how).reindex(configurations) for how in ("mean", "min", "max"))
        parts, gap, tails = _parts(means), "decomposition: e_0", "decomposition: tails"
        stack(axes, y, parts)
        start = parts.clip(lower=0).drop(columns="tails").sum(axis=1)
        axes.hlines(y, low[gap], high[gap], color="k", linewidth=1.2)
        axes.hlines(y + 0.24, low[tails] + start, high[tails] + start, color="#555555", linewidth=1.2)
        total(axes, means[gap], y, "all of it")
        # Independent entries of a stable law have no correlation and no order; what their tails leave is scales.
        stable = means[f"{tails} (stable {STABLE})"].mean()
        law = pd.DataFrame({"scales": [1 / STABLE - 0.5 - stable], "tails": stable}).reindex(columns=PARTS)
        stack(axes, np.array([last]), law, outline=True)
        total(axes, [1 / STABLE - 0.5], [last])
        axes.axvline(0, color="#555555", linewidth=0.8)

    layout = {"columns": ["when"], "title": "{when}", "xlabel": _GAP, "legend": 5}
    drawn, panels = facets(time, draw, height=1.2 + 0.27 * last, **layout)
    panels[0, 0].set_yticks([*y, last], [*configurations, f"independent SαS, α = {STABLE}"])
    panels[0, 0].invert_yaxis()
    return drawn


@figure
def along_training(
    results: Results, quantity: str = "tail excess", label: str = "tail excess", linthresh: float | None = 0.01
) -> Figure:
    """Draw a test along training, points its seeds, over mean and 1.96 standard deviations of its Gaussian twins."""
    table = _of_networks(results)
    look = looks(table)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for name, network in networks(rows):
            values, colour = network[network["quantity"] == quantity], look[name]["color"]
            mean = values.groupby("iteration")["value"].mean()
            axes.plot(mean.index, mean, color=colour, label=name)
            axes.plot(values["iteration"], values["value"], look[name]["marker"], color=colour, markersize=3.5)
            twins = network[network["quantity"] == f"{quantity} (twin)"]
            gaussian_band(axes, twins, "iteration", colour, None)
        axes.fill_between([], [], color="#555555", alpha=0.2, linewidth=0, label="Gaussian twins (of the colour)")
        axes.set_xscale("symlog", linthresh=100, linscale=0.5)
        if linthresh:
            axes.set_yscale("symlog", linthresh=linthresh)
        axes.set_xlim(-8, table["iteration"].max() * 1.2)

    return facets(table, draw, xlabel="iteration", ylabel=label, **KINDS)[0]


@figure
def parts_along_training(results: Results) -> Figure:
    """Draw the gap and its parts along training: means over the seeds, bars their range."""
    table = _of_networks(results)
    table = table[table["split"] == "train"]

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for (part, colour), marker in zip({"e_0": "k", **PART_COLOURS}.items(), MARKERS, strict=False):
            values = rows[rows["quantity"] == f"decomposition: {part}"]
            style = {"color": colour, "marker": marker, "markersize": 4}
            label = "all of it" if part == "e_0" else part
            errorbars(axes, values, by="iteration", inverse=False, label=label, **style)
        axes.axhline(0, color="#555555", linewidth=0.8)
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        axes.set_xlim(-0.1, table["iteration"].max() * 1.3)

    return facets(table, draw, xlabel="iteration", ylabel=_GAP, **KINDS | {"legend": 5})[0]


@figure
def against_block_length(results: Results) -> Figure:
    """Draw the joint alpha^ against K1, before and after training; means over the seeds."""
    table = with_configurations(results)
    table = table[table["quantity"] == "1/alpha (joint)"]
    look = {name: {"color": style["color"], "marker": ""} for name, style in looks(table).items()}

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        before_and_after(axes, rows, look, lambda group: 1 / group.groupby("x")["value"].mean())
        axes.axvline(1000, color="#999999", linewidth=0.8)
        axes.axhline(2, **LOOK["Gaussian"])
        axes.set_xscale("log")

    label = r"$\hat\alpha$, joint (corrected)"
    return facets(table, draw, xlabel=r"block length $K_1$", ylabel=label, legend=4, **KINDS)[0]


@figure
def column_index(results: Results) -> Figure:
    """Draw the mean 1/alpha^_j of single coordinates against K1, with Gaussian twins (band) and stable ones."""
    table = _of_networks(results)
    look = looks(table)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        index = rows["quantity"] == "1/alpha (per coordinate)"
        before_and_after(axes, rows[index], look, lambda group: group.groupby("x")["value"].mean())
        shown = pd.concat([at for _, at in ends(rows)])
        twins = shown[shown["quantity"] == "1/alpha (per coordinate) (twin)"]
        gaussian_band(axes, twins, "x", LOOK["Gaussian"]["color"], "Gaussian twins")
        stable = shown[shown["quantity"] == f"1/alpha (per coordinate) (stable {STABLE})"].groupby("x")["value"].mean()
        axes.plot(stable.index, stable, marker="x", label=f"stable twins, {STABLE}", **LOOK["stable"])
        axes.axhline(0.5, **LOOK["Gaussian"])
        axes.set_xscale("log")
        axes.set_xticks(stable.index, [f"{K1:g}" for K1 in stable.index])
        axes.set_xticks([], minor=True)

    label = r"mean of $1/\hat\alpha_j$ over coordinates"
    return facets(table, draw, xlabel=r"block length $K_1$", ylabel=label, **KINDS)[0]


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Return means of each `name` over the seeds that trained, deviations ("..., sd") and largest p-values ("..., p")."""
    lines = []
    for when, rows in ends(table):
        is_p = rows["quantity"].str.endswith(" (p)")
        value, p = (
            group.groupby(["configuration", "name"], observed=True)["value"] for group in (rows[~is_p], rows[is_p])
        )
        columns = {"": value.mean(), ", sd": value.std(), ", p": p.max()}
        wide = pd.concat([column.unstack().add_suffix(end) for end, column in columns.items()], axis=1)
        lines.append(wide.assign(when=when).set_index("when", append=True))
    return pd.concat(lines).sort_index(level=0, sort_remaining=False, kind="stable")


def decomposition_table(results: Results) -> pd.DataFrame:
    """Return means over the seeds that trained, their deviations ("..., sd") and largest p-values ("..., p")."""
    table = _of_networks(results)
    table = table[table["split"] == "train"]
    names = {key: name for name, key in _COLUMNS.items()}
    keys = zip(table["quantity"].str.removesuffix(" (p)"), table["x"].fillna(0), strict=True)
    order = [column for name in _COLUMNS for column in (name, f"{name}, sd")] + [f"{name}, p" for name in _TESTS]
    means = _means(table.assign(name=[names.get(key) for key in keys])).reindex(columns=order).rename_axis(columns=None)
    return means.assign(**{name: 1 / means[name] for name in _INDICES})


def with_spread(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return columns of `decomposition_table` as "mean ± standard deviation (p)", as far as it has them; "" for NaN."""

    def text(name: str) -> pd.Series:
        if name in _SHARES:
            return table[name].map("{:.2g}".format).where(table[name].notna(), "")
        words = table[name].map("{:.3f}".format)
        if f"{name}, sd" in table:
            words += table[f"{name}, sd"].map(" ± {:.3f}".format)
        if f"{name}, p" in table:
            words += table[f"{name}, p"].map(" ({:.2f})".format)
        return words.where(table[name].notna(), "")

    return pd.DataFrame({name: text(name) for name in names})


@figure
def layers(results: Results, configuration: str) -> Figure:
    """Draw the parts and tau of every layer of one network, before and after training; means over the seeds."""
    table = with_configurations(results)
    table = table[(table["configuration"] == configuration) & (table["scope"] != "all")]
    names = list(dict.fromkeys(table["scope"]))
    y = np.arange(len(names))
    drawn, (*bars, tests) = plt.subplots(1, 3, figsize=(WIDTH, 2.1 + 0.32 * len(names)), sharey=True)
    for axes, (title, rows), time, shift in zip(bars, ends(table), ("before", "after"), (-0.15, 0.15), strict=True):
        means = rows.pivot_table(index="scope", columns="quantity", values="value").reindex(names)
        stack(axes, y, _parts(means))
        axes.axvline(0, color="#555555", linewidth=0.8)
        axes.set(title=title, xlabel=_GAP)
        twins = rows[rows["quantity"] == "tail excess (twin)"].groupby("scope")[["value", "se"]].mean().reindex(names)
        label = "Gaussian, ± 1.96 s.d." if time == "before" else None
        left = twins["value"] - 1.96 * twins["se"]
        tests.barh(y + shift, 3.92 * twins["se"], left=left, height=0.28, color="#cccccc", label=label)
        style = LOOK["per coordinate"] | {"marker": "o"} | LOOK[time] | {"linestyle": "none", "label": f"tau {title}"}
        tests.plot(means["tail excess"], y + shift, **style)
    tests.set(title="across minibatches", xlabel="tail excess")
    bars[0].set_yticks(y, names)
    bars[0].invert_yaxis()
    legend_below(drawn, (bars[0], tests), 4)
    return drawn


def layer_table(results: Results, model: str, quantity: str = "tail excess") -> pd.DataFrame:
    """Return mean, deviation ("..., sd") and largest p-value ("..., p") over the seeds of a statistic of every layer."""
    table = with_configurations(results)
    table = table[(table["model"] == model) & (table["scope"] != "all")]
    chosen = table["quantity"].isin([quantity, f"{quantity} (p)"])
    return _means(table.assign(name=table["scope"])[chosen]).rename_axis(columns="scope")
