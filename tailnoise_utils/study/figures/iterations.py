"""Figure and numbers of the experiment ``iterations``."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import INDICES, by_configuration
from ..results.store import Results
from ..style import LOOK, MARKERS, figure
from .panels import band, facets, legend_below

_PANELS = {"loss": "loss (nats)", "accuracy": "accuracy", "index": r"$\hat\alpha$, joint"}
_COLOURS = {"train": "#000000", "test": "#56B4E9"} | dict(
    zip(INDICES, ("#E69F00", LOOK["joint"]["color"], "#CC79A7"), strict=True)
)


@figure
def iterations(results: Results) -> Figure:
    """Draw loss, accuracy and alpha^ along training, a column a network and data set; bands: the range over the seeds."""
    names = {quantity: name for name, quantity in INDICES.items()}
    order = {name: i for i, name in enumerate((*_PANELS, *_COLOURS))}
    table = pd.concat(
        [rows.assign(configuration=configuration) for configuration, rows in by_configuration(results).items()]
    )
    table = table[table["quantity"].isin(["loss", "accuracy", *names])]
    panel = table["quantity"].where(~table["quantity"].isin(names), "index")
    table = table.assign(panel=panel, line=table["quantity"].map(names).fillna(table["split"]))
    # By panel, then by line; configurations stay in their order.
    table = table.sort_values(["panel", "line"], key=lambda column: column.map(order), kind="stable")

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for i, (name, values) in enumerate(rows.groupby("line", sort=False)):
            runs = values.pivot(index="iteration", columns="run", values="value")
            runs = 1 / runs if name in INDICES else runs
            axes.plot(
                runs.index, runs.mean(axis=1), color=_COLOURS[name], marker=MARKERS[i], markersize=3.5, label=name
            )
            band(axes, runs, _COLOURS[name])
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.set_xlim(-0.15, rows["iteration"].max() * 1.15)

    layout = {
        "rows": ["panel"],
        "columns": ["configuration"],
        "title": "{configuration}",
        "sharex": "col",
        "sharey": "row",
    }
    layout |= {"height_ratios": [1, 1, 1.4], "legend": 0, "most": 99}
    drawn, panels = facets(table, draw, height=2.0, xlabel="iteration (SGD steps)", **layout)
    for axes, label in zip(panels[:, 0], _PANELS.values(), strict=True):
        axes.set_ylabel(label)
    panels[0, 0].set_yscale("log")
    panels[0, 0].legend()
    for index in panels[-1]:
        index.axhline(2, **LOOK["Gaussian"])
    panels[-1, 0].set_ylim(None, 2.1)
    panels[-1, 0].annotate("2: i.i.d. Gaussian entries", (0.1, 2), xytext=(0, -13), textcoords="offset points")
    legend_below(drawn, panels[-1], 3)
    return drawn


def first_and_last(results: Results) -> pd.DataFrame:
    """Return alpha^ (of the mean 1/alpha^) at the first and the last snapshot, and the sd of alpha^ over the seeds."""
    table = {}
    for configuration, rows in by_configuration(results).items():
        for name, quantity in INDICES.items():
            values = rows[rows["quantity"] == quantity].set_index("iteration")["value"]
            for column, iteration in (("first", values.index.min()), ("last", values.index.max())):
                record = table.setdefault((configuration, name), {})
                record |= {column: 1 / values[iteration].mean(), f"sd ({column})": (1 / values[iteration]).std()}
    return pd.DataFrame(table).T


def last_value(results: Results, quantity: str, split: str) -> dict[str, float]:
    """Return the mean over the seeds of a quantity at the last snapshot, by configuration."""
    means = {}
    for configuration, rows in by_configuration(results).items():
        values = rows[(rows["quantity"] == quantity) & (rows["split"] == split)].set_index("iteration")["value"]
        means[configuration] = float(values[values.index == values.index.max()].mean())
    return means


def means(results: Results) -> pd.DataFrame:
    """Return loss, accuracy and 1/alpha^, means over the seeds, by network, data set and iteration."""
    table = results.table()
    chosen = table[(table["scope"] == "all") & table["quantity"].isin(["loss", "accuracy", *INDICES.values()])]
    columns = ["split", "quantity"]
    return chosen.pivot_table(index=["model", "dataset", "iteration"], columns=columns, values="value", sort=False)
