"""How heavy the noise is coordinate by coordinate: tau against the fit, layer by layer, and the index of a coordinate."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.patches import Patch

from ..results.reading import AFTER, BEFORE, DATA, FITS, ends, span, with_configurations
from ..results.store import Results
from ..style import LOOK, WIDTH, figure
from .decomposition import decomposition_table, kinds, of_networks
from .panels import facets, legend_below

RULER = {0.051: 1.95, 0.105: 1.9, 0.22: 1.8, 0.64: 1.5}  #: tau of independent SaS entries in 120 rows, and their index
_LEVEL = 0.01  # the smallest p-value that 99 Gaussian twins can give
_INDEX = "stable index of the same tail excess"
# From below the first tick of the ruler to above the last.
_SHADES = ["#e4ebf2", "#a9c9e2", "#5fa0cc", "#0072B2", "#00304f"]


def _points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds of what was measured of whole networks, at each snapshot."""
    return rows.pivot_table(index=["configuration", "iteration"], columns="quantity", values="value", observed=True)


@figure
def against_accuracy(results: Results) -> plt.Figure:
    """Draw tau of each configuration against its training accuracy, over the widest band of Gaussian twins."""
    table = decomposition_table(results)
    rows = of_networks(results)
    points = _points(rows)
    twins = ends(rows[rows["quantity"] == "tail excess (twin)"])
    twins = twins.groupby(["configuration", "iteration"], observed=True)[["value", "se"]].mean()
    drawn, axes = plt.subplots(figsize=(WIDTH, 4.6))
    band = (twins["value"] - 1.96 * twins["se"]).min(), (twins["value"] + 1.96 * twins["se"]).max()
    axes.axhspan(*band, color=LOOK["Gaussian"]["color"], alpha=0.35, linewidth=0, label="Gaussian twins")
    axes.plot(points["accuracy"], points["tail excess"], ".", color="#9fb8cc", markersize=3.5, label="during training")
    data = table.index.get_level_values("configuration").astype(str).str.split(", ").str[1]
    for when, time in ((BEFORE, "before"), (AFTER, "after")):
        for name, shown in DATA.items():
            chosen = table[(data == shown) & (table.index.get_level_values("when") == when)]
            style = LOOK["per coordinate"] | LOOK.get(name, LOOK["mnist"]) | LOOK[time] | {"linestyle": "none"}
            if len(chosen):
                axes.plot(chosen["accuracy"], chosen["tail excess"], **style, label=f"{shown}, {when}")
    after = table.xs(AFTER, level="when")
    cnn = after.index.astype(str).str.startswith("CNN")
    place = ["accuracy", "tail excess"]
    for rest in (after, after[(after["accuracy"] < FITS) & ~cnn]):  # the heaviest of each
        for name in rest.nlargest(1, "tail excess").index:
            size, _, loss = name.split(", ")
            away = {"textcoords": "offset points", "xytext": (-8, 0), "ha": "right", "va": "center"}
            axes.annotate(f"{size}, {loss}", after.loc[name, place], **away)
    for name in after.index[cnn]:
        away = {"textcoords": "offset points", "xytext": (-4, 5)}
        axes.annotate(f"CNN, {name.split(', ')[2]}", after.loc[name, place], **away)
    axes.set(xlabel="training accuracy", ylabel="tail excess", xlim=(0, 1.03))
    axes.set_ylim(-0.03, max(0.7, 1.05 * points["tail excess"].max()))
    ruler = axes.secondary_yaxis("right")
    ruler.set_yticks([0, *RULER], ["2", *map(str, RULER.values())])
    ruler.set_ylabel(_INDEX)
    legend_below(drawn, [axes], 3)
    return drawn


def layer_table(results: Results) -> pd.DataFrame:
    """Return the mean tau of every layer, numbered from the pixels on, before and after training."""
    table = with_configurations(results)
    table = table[(table["scope"] != "all") & (table["quantity"] == "tail excess")]
    layer = table.groupby("configuration", observed=True)["scope"].transform(lambda names: pd.factorize(names)[0] + 1)
    rows = ends(table.assign(layer=layer))
    return rows.pivot_table("value", ["configuration", "when"], "layer", observed=True, sort=False).sort_index(axis=1)


@figure
def layers(results: Results) -> plt.Figure:
    """Draw tau of every layer of every configuration, before and after training, in the shades of the ruler."""
    table = layer_table(results)
    accuracy = decomposition_table(results)["accuracy"].xs(AFTER, level="when")
    names = list(accuracy.index)
    shades = mpl.colors.ListedColormap(_SHADES)
    edges = mpl.colors.BoundaryNorm([-9, *RULER, 9], len(_SHADES))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        tau = rows.set_index("configuration")[list(table.columns)].reindex(names)
        x, y = np.arange(len(table.columns) + 1) + 0.5, np.arange(len(names) + 1) - 0.5
        axes.pcolormesh(x, y, np.ma.masked_invalid(tau), cmap=shades, norm=edges, edgecolor="white", linewidth=1.5)
        axes.set_xticks(table.columns)
        axes.grid(visible=False)

    layout = {"columns": ["when"], "title": "{when}", "xlabel": "layer", "legend": 0}
    drawn, panels = facets(table.reset_index(), draw, names=names, height=1.4 + 0.23 * len(names), **layout)
    fit = panels[0, -1].secondary_yaxis("right")
    fit.set_yticks(range(len(names)), [f"{value:.2f}" for value in accuracy])
    fit.set_ylabel("training accuracy")
    words = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(RULER)]
    words = [f"below {min(RULER):.2f}", *words, f"above {max(RULER):.2f}"]
    indices = ["2 to 1.95", "1.95 to 1.9", "1.9 to 1.8", "1.8 to 1.5", "below 1.5"]
    labels = [f"{tau} ({index})" for tau, index in zip(words, indices, strict=True)]
    patches = [Patch(color=shade, label=label) for shade, label in zip(_SHADES, labels, strict=True)]
    drawn.legend(handles=patches, title=f"tail excess ({_INDEX})", loc="outside lower center", ncols=3)
    return drawn


def index_table(results: Results) -> pd.DataFrame:
    """Return the range of tau and of the index of a coordinate at two block lengths, over the configurations of a kind."""
    table = decomposition_table(results)
    groups = table.assign(fit=table["accuracy"] >= FITS, beyond=table["tail excess, p"] <= _LEVEL)
    groups = groups.groupby(kinds(table), sort=False)
    names = {"tail excess": "tail excess", "coordinates, 3": "index at K1 = 3", "coordinates, 30": "index at K1 = 30"}
    counts = {name: groups[name].agg(lambda yes: f"{yes.sum()} of {len(yes)}") for name in ("fit", "beyond")}
    ranges = groups[list(names)].agg(lambda some: span(some.min(), some.max(), ".2f")).rename(columns=names)
    return pd.DataFrame({"fit": counts["fit"], "heavier than Gaussian": counts["beyond"]}).join(ranges)


def numbers(results: Results) -> dict[str, float | str]:
    """Return the numbers of the page's text; NaN for networks that the results have not."""
    table = decomposition_table(results)
    layer = layer_table(results).reindex(table.index)
    names = table.index.get_level_values("configuration").astype(str)
    dense, is_after = names.str.startswith("FCN"), table.index.get_level_values("when") == AFTER
    before, after, fits = dense & ~is_after, dense & is_after, table["accuracy"] >= FITS
    cifar = after & names.str.contains("CIFAR-10")
    front, behind = layer[1], layer.drop(columns=1)
    exception = table[after & ~fits].nlargest(1, "tail excess")
    points = _points(of_networks(results).query("model == 'fcn' and 0 < iteration < iterations"))
    groups = {"before": before, "fitted": after & fits, "fcn_cifar": cifar, "cnn": ~dense, "exception": exception.index}
    tau = {name: table.loc[rows, "tail excess"] for name, rows in groups.items()}
    return {
        **{f"tau_{name}_low": float(values.min()) for name, values in tau.items()},
        **{f"tau_{name}_high": float(values.max()) for name, values in tau.items()},
        "tau_on_the_way": float(points.loc[points["accuracy"] < FITS, "tail excess"].max()),
        "configurations": float(is_after.sum()),
        "dense": float(after.sum()),
        "accuracy_fcn_cifar_high": float(table.loc[cifar, "accuracy"].max()),
        "accuracy_exception": float(exception["accuracy"].max()),
        "exception": ", ".join(exception.index.get_level_values("configuration")) or "none",
        "first_before": float(front[before].max()),
        "behind_before": float(behind[before].max(axis=None)),
        "first_is_least": float((front <= behind.min(axis=1))[after].sum()),
        **{f"below_{K1}": float((table.loc[is_after, f"coordinates, {K1}, p"] <= _LEVEL).sum()) for K1 in (3, 30)},
        "norms": float((table.loc[is_after, "norms, p"] <= _LEVEL).sum()),
    }
