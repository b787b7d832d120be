"""What the gap of 1/alpha^ to 1/2 is made of, in each configuration and along training."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..results.reading import AFTER, FITS, ends, with_configurations
from ..results.store import Results
from ..style import MARKERS, PART_COLOURS, figure
from .panels import KINDS, PARTS, errorbars, facets

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
    "gap": ("decomposition: e_0", 0),
    **{part: (f"decomposition: {part}", 0) for part in PARTS},
    "unresolved": ("diagnosis unresolved", 0),
    "tail excess": ("tail excess", 0),
    "norms": ("sd of ln norm", 0),
    **_KURTOSES,
    **{f"not normal, {kind}": (f"not normal ({kind})", 0) for kind in ("coordinates", "units")},
    **{f"not normal, {kind}": (f"not normal ({kind} projections)", 0) for kind in ("random", "leading")},
    "accuracy": ("accuracy", 0),
}
_TESTS = ("tail excess", "norms", "coordinates, 3", "coordinates, 30", *_KURTOSES)  # these have p-values


def of_networks(results: Results) -> pd.DataFrame:
    """Return the rows for whole networks on the training images, with their names."""
    table = with_configurations(results)
    return table[(table["scope"] == "all") & (table["split"] == "train")]


@figure
def waterfall(results: Results) -> plt.Figure:
    """Draw the parts of the gap of each configuration, before and after training: means over seeds, thin lines: range."""
    table = of_networks(results)
    configurations = list(table["configuration"].cat.categories)
    y = np.arange(len(configurations))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        by_seed = rows.pivot_table(index=["configuration", "seed"], columns="quantity", values="value", observed=True)
        groups = by_seed.groupby("configuration", observed=True)
        means, low, high = (groups.agg(how).reindex(configurations) for how in ("mean", "min", "max"))
        up, down = np.zeros(len(y)), np.zeros(len(y))
        for part, colour in PART_COLOURS.items():  # negative ones to the left, tails last
            start, width = up, means[f"decomposition: {part}"].fillna(0).to_numpy()
            axes.barh(y, width, left=np.where(width >= 0, up, down), height=0.7, color=colour, label=part)
            up, down = up + width.clip(0), down + width.clip(None, 0)
        gap, tails = "decomposition: e_0", "decomposition: tails"
        axes.hlines(y, low[gap], high[gap], color="k", linewidth=1.2)
        axes.hlines(y + 0.24, low[tails] + start, high[tails] + start, color="#555555", linewidth=1.2)
        axes.plot(means[gap], y, "k|", markersize=11, markeredgewidth=1.6, label="gap")
        axes.axvline(0, color="#555555", linewidth=0.8)

    layout = {"columns": ["when"], "title": "{when}", "xlabel": _GAP, "legend": 5}
    drawn, panels = facets(ends(table), draw, names=configurations, height=1.2 + 0.27 * len(y), **layout)
    panels[0, 0].set_ylim(len(y) - 0.4, -0.6)
    return drawn


@figure
def parts_along_training(results: Results) -> plt.Figure:
    """Draw the gap and its parts along training: means over the seeds, bars their range."""
    table = of_networks(results)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for (part, colour), marker in zip({"e_0": "k", **PART_COLOURS}.items(), MARKERS, strict=False):
            values = rows[rows["quantity"] == f"decomposition: {part}"]
            style = {"color": colour, "marker": marker, "markersize": 4}
            label = "gap" if part == "e_0" else part
            errorbars(axes, values, by="iteration", inverse=False, label=label, **style)
        axes.axhline(0, color="#555555", linewidth=0.8)
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        axes.set_xlim(-0.1, table["iteration"].max() * 1.3)

    return facets(table, draw, height=1.9, xlabel="iteration", ylabel=_GAP, legend=5, **KINDS)[0]


def decomposition_table(results: Results) -> pd.DataFrame:
    """Return means over the seeds that left chance (if any did), their deviations (", sd") and largest p-values (", p")."""
    table = of_networks(results)
    names = {key: name for name, key in _COLUMNS.items()}
    keys = zip(table["quantity"].str.removesuffix(" (p)"), table["x"].fillna(0), strict=True)
    lines = []
    for when, rows in ends(table.assign(name=[names.get(key) for key in keys])).groupby("when", sort=False):
        is_p = rows["quantity"].str.endswith(" (p)")
        keys = ["configuration", "name"]
        value, p = (group.groupby(keys, observed=True)["value"] for group in (rows[~is_p], rows[is_p]))
        columns = {"": value.mean(), ", sd": value.std(), ", p": p.max()}
        wide = pd.concat([column.unstack().add_suffix(end) for end, column in columns.items()], axis=1)
        lines.append(wide.assign(when=when).set_index("when", append=True))
    order = [column for name in _COLUMNS for column in (name, f"{name}, sd")] + [f"{name}, p" for name in _TESTS]
    means = pd.concat(lines).sort_index(level=0, sort_remaining=False, kind="stable").reindex(columns=order)
    fraction = {"correlation / gap": means["correlation"] / means["gap"]}
    return means.rename_axis(columns=None).assign(**{name: 1 / means[name] for name in _INDICES}, **fraction)


def kinds(table: pd.DataFrame) -> list[pd.Index]:
    """Return what groups the lines of `decomposition_table`: network, data set and loss, whatever the size; and when."""
    sizes = table.index.get_level_values("configuration").astype(str)
    network = sizes.str.replace(r" \d[^,]*", "", n=1, regex=True)
    return [network.rename("network"), table.index.get_level_values("when")]


def kind_table(results: Results) -> pd.DataFrame:
    """Return means of the gap and its parts over the configurations of a kind, and how many of them fit their data."""
    table = decomposition_table(results)
    groups = table.groupby(kinds(table), sort=False)
    means = groups[["gap", *PARTS, "correlation / gap"]].mean()
    return means.assign(fit=groups["accuracy"].agg(lambda accuracy: f"{(accuracy >= FITS).sum()} of {len(accuracy)}"))


def numbers(results: Results) -> dict[str, float]:
    """Return the numbers of the page's text; NaN for networks that the results have not."""
    table = decomposition_table(results)
    names = table.index.get_level_values("configuration").astype(str)
    is_after = table.index.get_level_values("when") == AFTER
    cross, cifar = names.str.contains(" MNIST, cross"), names.str.startswith("FCN") & names.str.contains("CIFAR-10")
    fraction, tails = table["correlation / gap"], table["tails"] / table["gap"]
    fitted = tails[cross & is_after & (table["accuracy"] >= FITS)]
    return {
        "configurations": float(is_after.sum()),
        "dependence_share_before": float(fraction[~is_after].mean()),
        "dependence_share_after": float(fraction[is_after].mean()),
        "dependence_share_least": float(fraction.min()),
        "dependence_share_cifar": float(fraction[cifar].min()),
        "tails_before": float(table.loc[~is_after, "tails"].max()),
        "tails_fitted_low": float(fitted.min()),
        "tails_fitted_high": float(fitted.max()),
        "tails_cifar": float(tails[cifar].max()),
    }
