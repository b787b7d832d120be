"""Figure and table of the layers, of the experiment ``diagnosis``."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..networks import data, models
from ..results.reading import ends, with_settings
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE, WIDTH
from .panels import PARTS, stack


def layers(results: Results, setting: str) -> Figure:
    """What every layer of one network carries: the parts and tau; means over the seeds.

    Args:
        results: of the experiment ``diagnosis``.
        setting: as :func:`with_settings` names it.

    Returns:
        Two panels of parts, before and after training, and one of tau.
    """
    table = with_settings(results)
    table = table[(table["setting"] == setting) & (table["scope"] != "all")]
    names = list(dict.fromkeys(table["scope"]))
    y = np.arange(len(names))
    with mpl.rc_context(STYLE):
        figure, (*bars, tests) = plt.subplots(1, 3, figsize=(WIDTH, 2.1 + 0.32 * len(names)), sharey=True)
        for i, (axes, (title, rows)) in enumerate(zip(bars, ends(table), strict=True)):
            found = rows.pivot_table(index="scope", columns="quantity", values="value").reindex(names)
            stack(axes, y, {part: found[f"decomposition: {part}"].fillna(0).to_numpy() for part in PARTS}, 0.7)
            axes.axvline(0, color="#555555", linewidth=0.8)
            axes.set(title=title, xlabel=r"$1/\hat\alpha - 1/2$")
            at = y + (i - 0.5) * 0.3
            null = (
                rows[rows["quantity"] == "tail excess (twin)"].groupby("scope")[["value", "se"]].mean().reindex(names)
            )
            style = {"height": 0.28, "color": "#cccccc", "label": None if i else "Gaussian, ± 1.96 s.d."}
            tests.barh(at, 3.92 * null["se"], left=null["value"] - 1.96 * null["se"], **style)
            tests.plot(found["tail excess"], at, MARKERS[i], color=COLOURS[4 + i], label=f"tau {title}")
        tests.set(title="across minibatches", xlabel="tail excess")
        bars[0].set_yticks(y, names)
        bars[0].invert_yaxis()
        handles = [axes.get_legend_handles_labels() for axes in (bars[0], tests)]
        figure.legend(*(a + b for a, b in zip(*handles, strict=True)), loc="outside lower center", ncols=4)
    plt.close(figure)
    return figure


def layer_table(results: Results, model: str, quantity: str = "tail excess") -> pd.DataFrame:
    """A statistic of every layer of the networks of one kind, over the seeds (after training, over those that trained).

    Args:
        results: of the experiment ``diagnosis``.
        model: ``"fcn"`` or ``"cnn"``.
        quantity: the statistic.

    Returns:
        A row a setting, before and after training; for each layer the mean over the seeds, their standard deviation
        ("..., sd") and, of a test, the largest p-value ("..., p").
    """
    table = with_settings(results)
    table = table[(table["model"] == model) & (table["scope"] != "all")]
    table = table[table["quantity"].isin([quantity, f"{quantity} (p)"])]
    found = []
    for when, rows in ends(table):
        of = {name: own.groupby(["setting", "scope"], observed=True)["value"] for name, own in rows.groupby("quantity")}
        columns = {"": of[quantity].mean(), ", sd": of[quantity].std()}
        if f"{quantity} (p)" in of:
            columns[", p"] = of[f"{quantity} (p)"].max()
        wide = [values.unstack().add_suffix(end) for end, values in columns.items()]
        found.append(pd.concat(wide, axis=1).assign(when=when).set_index("when", append=True))
    return pd.concat(found).sort_index(level=0, sort_remaining=False, kind="stable")


def first_layer_shares(results: Results) -> pd.Series:
    """Which share of the coordinates of a fully connected network the layer next to the pixels holds.

    Args:
        results: of networks that were trained.

    Returns:
        The shares, by the settings of fully connected networks.
    """
    found = {}
    runs = with_settings(results).drop_duplicates("setting")
    for run in runs[runs["model"] == "fcn"].itertuples():
        kind = data.KINDS[run.dataset]
        model = models.fcn(math.prod(kind.shape), run.width, run.depth, kind.classes, seed=0)
        sizes = [weight.numel() for weight in model.parameters()]
        found[run.setting] = sizes[0] / sum(sizes)
    return pd.Series(found)
