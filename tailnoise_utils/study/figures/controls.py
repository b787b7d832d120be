"""The hero of the book and the table of controls: the experiment ``controls``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from tailnoise_utils.diagnosis import stable_index

from ..experiments.controls import pixel_signs
from ..networks import data
from ..results.reading import AFTER, BEFORE, CORRECTED, DATA, PUBLISHED, with_configurations
from ..results.store import Results
from ..style import LOOK, WIDTH, figure
from .panels import facets

_SHOWN = ("half", "checkerboard")  # flips whose images are shown


def control_table(results: Results, quantity: str = CORRECTED) -> pd.DataFrame:
    """Return alpha^ of noise, twin and controls by configuration and time; tau, and the stable index of the same tau."""
    table = with_configurations(results)
    table = table.assign(when=np.where(table["iteration"] == 0, BEFORE, AFTER))
    groups = ["configuration", "when"]
    index = table[table["quantity"] == quantity]
    wide = index.pivot_table(index=groups, columns="scope", values="value", observed=True, sort=False)
    halves = index[index["scope"] == "half"].groupby(groups, observed=True)["value"]
    wide = wide.assign(low=halves.max(), high=halves.min())
    means = table[table["scope"] == "all"].pivot_table(index=groups, columns="quantity", values="value", observed=True)
    alpha = 1 / wide.assign(twin=means[f"twin {quantity}"]).rename(columns={"all": "noise"})
    alpha = alpha.assign(tau=means["tail excess"], accuracy=means["accuracy"])
    sizes = table.groupby(groups, observed=True)[["n_train", "noise_batch_size"]].first().loc[alpha.index]
    P = (sizes["n_train"] // sizes["noise_batch_size"]).tolist()
    return alpha.assign(as_stable=list(map(stable_index, alpha["tau"], P)))


@figure
def flipped_images(results: Results) -> plt.Figure:
    """Draw one image as the network sees it, with two flips, and under each alpha^, published, of the same network."""
    runs = results.runs[(results.runs["model"] == "fcn") & (results.runs["seed"] == 0)]
    dataset = "cifar10" if "cifar10" in set(runs["dataset"]) else runs["dataset"].iloc[0]
    # Neither the network that a flip moves most nor the one that it moves least: of few layers, and wide.
    runs = runs[runs["dataset"] == dataset]
    run = runs.sort_values(["depth", "width"], ascending=[True, False], kind="stable").iloc[0]
    rows = results.rows[(results.rows["run"] == run["run"]) & (results.rows["iteration"] == 0)]
    shape = data.KINDS[dataset].shape
    image = rows[rows["quantity"] == "image"].sort_values("x")["value"].to_numpy().reshape(shape)
    flips = {name: signs.numpy() for name, k, signs in pixel_signs(shape, 1, 8 * 10**6, convolution=False)}
    drawn, panels = plt.subplots(1, 3, figsize=(WIDTH, 2.9))
    titles = ("the image", "half of the pixels flipped", "a checkerboard flipped")
    for axes, name, title in zip(panels, ("all", *_SHOWN), titles, strict=True):
        seen = (1 + image * flips.get(name, 1) / np.abs(image).max()) / 2
        axes.imshow(seen.transpose(1, 2, 0) if len(seen) == 3 else seen[0], cmap="gray", vmin=0, vmax=1)
        index = rows[(rows["scope"] == name) & (rows["quantity"] == PUBLISHED)].sort_values("x")["value"]
        axes.set(title=title, xticks=[], yticks=[])
        axes.set_xlabel(rf"$\hat\alpha$ = {1 / index.iloc[0]:.2f}", fontsize=15, color=LOOK["joint"]["color"])
        axes.grid(visible=False)
    return drawn


@figure
def dumbbells(results: Results) -> plt.Figure:
    """Draw alpha^ of the noise, of its twin and on flipped pixels, and the index that tau reads, a row a configuration."""
    table = control_table(results).reset_index()
    names = list(dict.fromkeys(table["configuration"]))

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        y = rows["configuration"].map(names.index).to_numpy()
        axes.hlines(y, rows["noise"], rows["as_stable"], color="#cccccc", linewidth=2, zorder=1)
        axes.plot(rows["noise"], y, "o", color=LOOK["joint"]["color"], label=r"joint $\hat\alpha$")
        ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "linestyle": "none", "color": "#777777"}
        axes.plot(rows["twin"], y, **ring, label="of its Gaussian twin")
        look = {"color": "#009E73", "linewidth": 5, "label": "random halves of the pixels flipped"}
        axes.hlines(y, rows["low"], rows["high"], **look)
        axes.plot(
            rows["as_stable"], y, "D", color=LOOK["per coordinate"]["color"], label="per coordinate, as stable index"
        )
        axes.axvline(2, **LOOK["Gaussian"])

    layout = {"columns": ["when"], "title": "{when}", "xlabel": r"$\hat\alpha$, corrected", "legend": 2}
    return facets(table, draw, names=names, height=1.0 + 0.27 * len(names), **layout)[0]


def short_table(results: Results) -> pd.DataFrame:
    """Return what the page shows of `control_table`: before training, a line a configuration with cross-entropy."""
    names = {"noise": "noise", "twin": "its twin", "half": "half flipped", "checkerboard": "checkerboard"}
    names |= {"signs": "random signs", "white noise": "white-noise images", "tau": "tail excess"}
    table = control_table(results).xs(BEFORE, level="when").reindex(columns=list(names)).rename(columns=names)
    return table.filter(like="cross-entropy", axis=0)


def numbers(results: Results) -> dict[str, float | str]:
    """Return the numbers of the text, of FCNs of depth 3 and 6 on CIFAR-10, or on digits where there are none."""
    table = control_table(results)
    names = table.index.get_level_values("configuration").astype(str)
    dense = names.str.startswith("FCN")
    chosen = "CIFAR-10" if (dense & names.str.contains("CIFAR-10")).any() else "digits"
    dense &= ~names.str.contains("× 9")
    start = table[dense & names.str.contains(chosen)].xs(BEFORE, level="when")
    before, dense = table.xs(BEFORE, level="when"), table[dense]
    convolution = before.reindex(columns=["conv1", "conv1, half", "conv1, checkerboard"]).mean()
    images = results.table()
    images = images[images["dataset"].map(DATA) == chosen].groupby("quantity")["value"].mean()
    return {
        "count": float(names.nunique()),
        "noise": float(1 / (1 / start["noise"]).mean()),
        "half": float(1 / (1 / start["half"]).mean()),
        "seeds": float(results.runs["seed"].nunique()),
        "white_low": float(dense.xs(BEFORE, level="when")["white noise"].min()),
        "white_high": float(dense.xs(BEFORE, level="when")["white noise"].max()),
        "inputs_low": float(dense["inputs of linear1"].min()),
        "inputs_high": float(dense["inputs of linear1"].max()),
        "twin_gap": float((table["noise"] - table["twin"]).abs().max()),
        "data": chosen,
        **dict(zip(("conv", "conv_half", "conv_board"), convolution.tolist(), strict=True)),
        "form": float(images["1/alpha (images, closed form)"]),
        "images": float(images["1/alpha (images, measured)"]),
    }
