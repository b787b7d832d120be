"""Figures of the book in which a reader chooses what is drawn, beside the static ones; they load nothing from elsewhere.

A menu for each choice; plotly's own menus cannot be combined, so each trace says in its `meta` what it belongs to, and a
few lines of script show those that belong to all that is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..results.reading import DATA, INDICES, LOSSES, by_setting
from ..results.store import Results
from ..style import COLOURS
from .sizes import at_the_end, mean_and_range

if TYPE_CHECKING:  # of the book alone: experiments run without it
    import plotly.graph_objects as go

__all__ = ["fcn_size", "html", "iterations"]

ALL = "all"
PLOTLY = "../_static/plotly.min.js"  # seen from the pages of notebooks; the book's build writes it there
_SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "hexagon"]
_START = 0.4  # where iteration 0 stands on a logarithmic axis
_SCRIPT = """
const plot = document.getElementById("{plot_id}");
document.getElementById("{plot_id}-missing").remove();
plot.on("plotly_buttonclicked", () => {
  const chosen = plot.layout.updatemenus.map((menu) => menu.buttons[menu.active ?? 0].label);
  const fits = (of, i) => of === chosen[i] || chosen[i] === "all";
  Plotly.restyle(plot, {visible: plot.data.map((trace) => trace.meta.every(fits))});
});
"""


def html(figure: go.Figure, description: str) -> str:
    """The figure as a part of a page.

    Args:
        figure: of one of the functions of this module; a page has one at most.
        description: what it shows, for those who do not see it.

    Returns:
        HTML; without scripts, or outside the book, a sentence that says so in place of the figure.
    """
    part = figure.to_html(
        full_html=False,
        include_plotlyjs=PLOTLY,
        div_id="interactive",
        post_script=_SCRIPT,
        default_height=f"{figure.layout.height}px",
        config={"displaylogo": False, "showSendToCloud": False},  # without its button that sends the figure elsewhere
    )
    missing = (
        "An interactive figure stands here in the built book; it needs JavaScript. The figure above shows the same."
    )
    return (
        f'<div role="group" aria-label="{description}"><p id="interactive-missing"><em>{missing}</em></p>{part}</div>'
    )


def _figure(traces: Sequence[dict[str, Any]], menus: dict[str, list[str]], layout: dict[str, Any]) -> go.Figure:
    """Traces of which those show at first that fit the first entry of every menu."""
    import plotly.graph_objects as go

    first = [entries[0] for entries in menus.values()]

    def fits(meta: list[str]) -> bool:
        return all(of == chosen or chosen == ALL for of, chosen in zip(meta, first, strict=False))

    places = [i / len(menus) for i in range(len(menus))]
    common = {"xref": "paper", "yref": "paper", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    above = {key: common[key] for key in ("y", "yanchor", "xanchor")}
    headings = [
        common | {"text": f"<b>{name}</b>", "x": x, "yshift": 42, "showarrow": False}
        for x, name in zip(places, menus, strict=True)
    ]
    drop = [
        above
        | {"x": x, "pad": {"b": 12}, "showactive": True}
        | {"buttons": [{"label": entry, "method": "skip"} for entry in entries]}
        for x, entries in zip(places, menus.values(), strict=True)
    ]
    look = {
        "template": "none",
        "font": {"family": "sans-serif", "size": 12},
        "margin": {"l": 60, "r": 15, "t": 85, "b": 60},
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        "hovermode": "closest",
        "updatemenus": drop,
        "annotations": headings,
    }
    return go.Figure([trace | {"visible": fits(trace["meta"])} for trace in traces], look | layout)


def _marks(found: pd.DataFrame, i: int, *, line: bool = True) -> dict[str, Any]:
    """Means and, as bars, ranges; open marks without a line, or a line with full ones."""
    bars = {"array": (found["high"] - found["mean"]).clip(0), "arrayminus": (found["mean"] - found["low"]).clip(0)}
    return {
        "type": "scatter",
        "y": found["mean"],
        "error_y": bars | {"type": "data", "symmetric": False, "thickness": 1, "width": 3},
        "mode": "lines+markers" if line else "markers",
        "line": {"color": COLOURS[i], "width": 1.5},
        "marker": {"symbol": _SYMBOLS[i] + ("" if line else "-open"), "color": COLOURS[i], "size": 7},
    }


def fcn_size(results: Results) -> go.Figure:
    """alpha^ after training against the width; data set, loss, depth and convention are chosen.

    Args:
        results: of the experiment ``fcn_size``.

    Returns:
        The figure; bars are ranges over the seeds, open marks of runs that did not train.
    """
    table = at_the_end(results)
    table = table[table["split"] == "train"]
    conventions = [what for what in dict.fromkeys(table["what"]) if what != "accuracy"]
    conventions.sort(key=lambda what: (what != "published", what != "corrected"))
    accuracy = table[table["what"] == "accuracy"].set_index("run")["value"]
    depths, traces = sorted(set(table["depth"])), []
    keys = ["dataset", "loss", "depth", "what"]
    for (dataset, loss, depth, what), of in table[table["what"] != "accuracy"].groupby(keys, sort=False):
        for trained, rows in of.groupby(of["status"] == "complete"):
            found, i = mean_and_range(rows), depths.index(depth)
            right = accuracy[rows["run"]].groupby(rows.set_index("run")["width"]).mean()
            words = f"depth {depth}" + ("" if trained else ", not trained")
            traces.append(
                _marks(found, i, line=bool(trained))
                | {"x": found.index, "name": words, "meta": [DATA[dataset], LOSSES[loss], str(depth), what]}
                | {"customdata": np.stack([found["runs"], right, found["low"], found["high"]], 1)}
                | {
                    "hovertemplate": "width %{x}: α̂ %{y:.3f} (%{customdata[2]:.3f} to %{customdata[3]:.3f})"
                    "<br>%{customdata[0]} runs, training accuracy %{customdata[1]:.1%}"
                }
            )
    traces.sort(key=lambda trace: (int(trace["meta"][2]), trace["name"]))
    widths = sorted(set(table["width"]))
    menus = {
        "data set": [DATA[name] for name in dict.fromkeys(table["dataset"])],
        "loss": [LOSSES[name] for name in dict.fromkeys(table["loss"])],
        "depth": [ALL, *map(str, depths)],
        "convention": conventions,
    }
    lowest = min(float(np.nanmin(trace["y"])) for trace in traces)
    x = {
        "title": {"text": "width (units of a hidden layer)", "standoff": 8},
        "type": "log",
        "tickvals": widths,
        "ticktext": list(map(str, widths)),
    }
    y = {"title": "α̂, all coordinates joint", "range": [max(lowest, 0) - 0.05, 2.1]}
    two = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 2, "y1": 2, "line": {"dash": "dot", "width": 1}}
    x |= {"range": [np.log10(widths[0] / 1.3), np.log10(widths[-1] * 1.3)]}  # the same whatever is chosen
    return _figure(traces, menus, {"xaxis": x, "yaxis": y, "shapes": [two], "height": 480})


def iterations(results: Results) -> go.Figure:
    """Loss, accuracy and alpha^ along training; network with data set, and convention, are chosen.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        The figure: three panels; bars are ranges over the seeds.
    """
    traces: list[dict[str, Any]] = []
    settings, last = by_setting(results), 1
    for setting, rows in settings.items():
        lines = [(name, "loss", name, "y3", []) for name in ("train", "test")]
        lines += [(name, "accuracy", name, "y2", []) for name in ("train", "test")]
        lines += [(f"α̂, {name}", of, "train", "y", [name]) for name, of in INDICES.items()]
        for i, (name, quantity, split, axis, convention) in enumerate(lines):
            of = rows[(rows["quantity"] == quantity) & (rows["split"] == split)]
            found = mean_and_range(of, by="iteration", inverse=axis == "y")
            traces.append(
                _marks(found, i % 2 if i < 4 else i - 4)
                | {"x": found.index.where(found.index > 0, _START), "yaxis": axis}
                | {"name": name, "legendgroup": name, "showlegend": i not in (2, 3), "meta": [setting, *convention]}
                | {"customdata": np.stack([found.index, found["low"], found["high"]], 1)}
                | {
                    "hovertemplate": "iteration %{customdata[0]}: %{y:.3f} "
                    "(%{customdata[1]:.3f} to %{customdata[2]:.3f})"
                }
            )
            last = max(last, int(found.index.max()))
    ticks = [10**k for k in range(len(str(last)))]
    x = {
        "title": {"text": "iteration (SGD steps)", "standoff": 8},
        "type": "log",
        "anchor": "y",
        "range": [np.log10(0.3), np.log10(last * 1.2)],
    }
    x |= {"tickvals": [_START, *ticks], "ticktext": ["0", *[f"{tick:,}" for tick in ticks]]}
    layout = {
        "xaxis": x,
        "yaxis": {"title": "α̂", "domain": [0, 0.44]},
        "yaxis2": {"title": "accuracy", "domain": [0.5, 0.72], "range": [0, 1.03]},
        "yaxis3": {"title": "loss (nats)", "domain": [0.78, 1], "type": "log"},
        "legend": {"orientation": "h", "x": 0, "y": -0.1, "yanchor": "top"},
        "height": 700,
    }
    menus = {"network, data set": list(settings), "convention": [ALL, *INDICES]}
    return _figure(traces, menus, layout)
