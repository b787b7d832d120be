"""The figure and the tables of the experiment ``cost``."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.store import Results
from ..style import COLOURS, MARKERS, WIDTH, figure
from .panels import legend_below


def cost_table(results: Results) -> pd.DataFrame:
    """Return by network and way: seconds, their ratio to the plain loop's in the same round, megabytes at the peak."""
    names = {}
    for run in results.runs[results.runs["model"].notna()].itertuples():
        size = f"{run.width:.0f} × {run.depth:.0f}" if run.depth else f"{run.width:.0f}"
        names[run.run] = f"{run.model.upper()} {size}, P = {run.minibatches:.0f}, b = {run.batch_size:.0f}"
    return _times(results, names, "network").rename(columns={"ratio": "× plain loop"})


def call_table(results: Results) -> pd.DataFrame:
    """Return by what is called and way: seconds, and their ratio to the first way's in the same round."""
    runs = results.runs[results.runs["model"].isna()]
    sizes = runs["size"].map(lambda size: f" ({size:,.0f} values)" if size > 1 else "")
    times = _times(results, dict(zip(runs["run"], runs["kind"] + sizes, strict=True)), "what")
    return times.drop(columns="MB").rename(columns={"ratio": "× first"})


def _times(results: Results, names: dict[str, str], level: str) -> pd.DataFrame:
    """Return medians over the rounds of some runs, least and most of the ratio, and the memory."""
    rows = results.rows[results.rows["run"].isin(names)]
    rows = rows.assign(**{level: rows["run"].map(names), "way": rows["scope"]})
    seconds = rows[rows["quantity"] == "seconds"].set_index([level, "way", "x"])["value"]
    first = seconds.groupby([level, "x"]).transform("first")
    each, ratio = (of.groupby([level, "way"], sort=False) for of in (seconds, seconds / first))
    columns = {"seconds": each.median(), "ratio": ratio.median(), "least": ratio.min(), "most": ratio.max()}
    peaks = rows[rows["quantity"] == "bytes"].set_index([level, "way"])["value"]
    return pd.DataFrame(columns).assign(MB=peaks / 1e6)


@figure
def cost_ratios(results: Results) -> Figure:
    """Draw time over the plain loop's (median, least and most), and memory at the peak, of each network and way."""
    table = cost_table(results)
    ways = {way: -i for i, way in enumerate(table.index.unique("way"))}
    drawn, (time, memory) = plt.subplots(1, 2, figsize=(WIDTH, 3.6), sharey=True)
    for i, (network, rows) in enumerate(table.groupby("network", sort=False)):
        y = [ways[way] + 0.2 - 0.2 * i for way in rows.index.get_level_values("way")]
        ratio, style = rows["× plain loop"], {"ls": "", "marker": MARKERS[i], "color": COLOURS[i], "label": network}
        time.errorbar(ratio, y, xerr=[ratio - rows["least"], rows["most"] - ratio], **style)
        memory.plot(rows["MB"], y, **style)
    time.set_yticks(list(ways.values()), list(ways))
    for axes, label in ((time, "time / time of the plain loop"), (memory, "memory at the peak (MB)")):
        axes.set(xscale="log", xlabel=label)
        axes.xaxis.set_major_formatter("{x:g}")
    legend_below(drawn, [memory], 3)
    return drawn
