"""The figure and the table of the experiment ``cost``."""

import pandas as pd
from matplotlib import pyplot as plt

from ..results.store import Results
from ..style import COLOURS, MARKERS, WIDTH, figure
from .panels import legend_below


def cost_table(results: Results) -> pd.DataFrame:
    """Return by network and way medians over the rounds: seconds, over the plain loop's in the same round; peak MB."""
    names = {}
    for run in results.runs.itertuples():
        size = f"{run.width:.0f} × {run.depth:.0f}" if run.depth else f"{run.width:.0f}"
        names[run.run] = f"{run.model.upper()} {size}, P = {run.minibatches:.0f}, b = {run.batch_size:.0f}"
    rows = results.rows.assign(network=results.rows["run"].map(names), way=results.rows["scope"])
    seconds = rows[rows["quantity"] == "seconds"].set_index(["network", "way", "x"])["value"]
    first = seconds.groupby(["network", "x"]).transform("first")
    each, ratio = (times.groupby(["network", "way"], sort=False) for times in (seconds, seconds / first))
    columns = {"seconds": each.median(), "× plain loop": ratio.median(), "least": ratio.min(), "most": ratio.max()}
    peaks = rows[rows["quantity"] == "bytes"].set_index(["network", "way"])["value"]
    return pd.DataFrame(columns).assign(MB=peaks / 1e6)


@figure
def cost_ratios(results: Results) -> plt.Figure:
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
