"""Figures of the book in which a reader chooses what is drawn: the script shows the traces whose `meta` fit all menus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from ..results.reading import CORRECTED, DATA, LOSSES, PUBLISHED, TWIN, fixed_length, late_values
from ..results.store import Results
from ..style import MARKERS, series
from .panels import mean_and_range, ranges

if TYPE_CHECKING:  # only the book needs it: experiments run without
    import plotly.graph_objects as go

ALL = "all"
PLOTLY = "../_static/plotly.min.js"  # seen from the pages of notebooks; the book's build writes it there
_SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "hexagon"]
_SYMBOLS = dict(zip(MARKERS, _SHAPES, strict=True))
_DASHES = {"-": "solid", "--": "dash", ":": "dot"}
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
    """Return the figure as a part of a page, at most one a page; without scripts a sentence stands there instead."""
    settings = {"full_html": False, "include_plotlyjs": PLOTLY, "div_id": "interactive", "post_script": _SCRIPT}
    settings["config"] = {"displaylogo": False, "showSendToCloud": False}  # no button that sends the figure elsewhere
    part = figure.to_html(default_height=f"{figure.layout.height}px", **settings)
    missing = (
        "An interactive figure stands here in the built book; it needs JavaScript. The figure above shows the same."
    )
    words = f'<p id="interactive-missing"><em>{missing}</em></p>'
    return f'<div role="group" aria-label="{description}">{words}{part}</div>'


def _figure(traces: Sequence[dict[str, Any]], menus: dict[str, list[str]], layout: dict[str, Any]) -> go.Figure:
    """Return a figure with menus, in which those traces show at first that fit the first entry of every menu."""
    import plotly.graph_objects as go

    first = [entries[0] for entries in menus.values()]
    place = {"y": 1, "yanchor": "bottom", "xanchor": "left"}
    heading = place | {"xref": "paper", "yref": "paper", "yshift": 42, "showarrow": False}
    look: dict[str, Any] = {
        "template": "none",
        "font": {"family": "sans-serif", "size": 13},
        "margin": {"l": 60, "r": 15, "t": 85, "b": 60},
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        "hovermode": "closest",
        "updatemenus": [],
        "annotations": [],
    }
    for i, (name, entries) in enumerate(menus.items()):
        buttons = [{"label": entry, "method": "skip"} for entry in entries]
        x = {"x": i / len(menus)}
        look["updatemenus"].append(place | x | {"pad": {"b": 12}, "showactive": True, "buttons": buttons})
        look["annotations"].append(heading | x | {"text": f"<b>{name}</b>"})
    for trace in traces:
        trace["visible"] = all(chosen in (name, ALL) for name, chosen in zip(trace["meta"], first, strict=False))
    return go.Figure(traces, look | layout)


def _trace(summary: pd.DataFrame, look: dict[str, Any], name: str, meta: list[str]) -> dict[str, Any]:
    """Return means with ranges as bars, in the look that matplotlib gives a line."""
    below, above = ranges(summary)
    colour = mpl.colors.to_hex(look["color"])
    return {
        "type": "scatter",
        "name": name,
        "meta": meta,
        "x": summary.index,
        "y": summary["mean"],
        "error_y": {"array": above, "arrayminus": below, "symmetric": False, "thickness": 1, "width": 3},
        "mode": "lines+markers",
        "line": {"color": colour, "width": 1.5, "dash": _DASHES[look.get("linestyle", "-")]},
        "marker": {"symbol": _SYMBOLS[look.get("marker", "o")], "color": colour, "size": 7},
    }


def fcn_size(results: Results) -> go.Figure:
    """Draw late alpha^ against the width, with marks as in the figure; data set, loss, depth and estimate are chosen."""
    table = late_values(results).query("split == 'train'")
    joint, K1 = fixed_length(table)
    accuracy = table[table["quantity"] == "accuracy"].set_index("run")["value"]
    names = {PUBLISHED: "published", CORRECTED: "corrected", TWIN: "Gaussian twin"}
    names |= {"1/alpha (corrected, K1 = 1000)": "K1 = 1000", joint: f"K1 = {K1:.0f}"}
    table = table[table["x"].isna() | (table["x"] == K1)]
    table = table.assign(what=table["quantity"].map(names)).dropna(subset="what")
    looks, widths = series(sorted(set(table["depth"]))), sorted(set(table["width"]))
    hover = (
        "width %{x}: α̂ %{y:.3f} (%{customdata[2]:.3f} to %{customdata[3]:.3f})"
        "<br>%{customdata[0]} runs, training accuracy %{customdata[1]:.1%}"
    )
    traces = []
    for (dataset, loss, depth, what, left), rows in table.groupby(["dataset", "loss", "depth", "what", "left"]):
        summary = mean_and_range(rows).assign(accuracy=rows["run"].map(accuracy).groupby(rows["width"]).mean())
        trace = _trace(summary, looks[depth], f"depth {depth}", [DATA[dataset], LOSSES[loss], str(depth), what])
        trace |= {"customdata": summary[["runs", "accuracy", "low", "high"]], "hovertemplate": hover}
        hollow = ~rows.groupby("width")["fits"].all()
        trace["marker"]["symbol"] = [trace["marker"]["symbol"] + "-open" * bool(one) for one in hollow]
        if not left:
            trace |= {"name": f"depth {depth}, never left chance", "mode": "markers", "showlegend": False}
            trace["marker"]["symbol"] = "x-thin-open"
        traces.append(trace)
    menus = {
        "data set": [DATA[name] for name in dict.fromkeys(table["dataset"])],
        "loss": [LOSSES[name] for name in dict.fromkeys(table["loss"])],
        "depth": [ALL, *map(str, looks)],
        "estimate": sorted(set(table["what"]), key=lambda what: (what != "published", what)),
    }
    x = {
        "title": {"text": "width (units of a hidden layer)", "standoff": 8},
        "type": "log",
        "tickvals": widths,
        "range": [np.log10(widths[0] / 1.3), np.log10(widths[-1] * 1.3)],  # the same whatever is chosen
    }
    alpha = np.concatenate([trace["y"] for trace in traces])
    y = {"title": "α̂, joint", "range": [float(np.nanmin(alpha)) - 0.05, float(np.nanmax(alpha)) + 0.05]}
    return _figure(traces, menus, {"xaxis": x, "yaxis": y, "height": 480})
