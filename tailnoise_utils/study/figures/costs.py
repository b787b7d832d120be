"""What the tables and figures of ``cost`` share: one line a network, way and round."""

import pandas as pd

from ..experiments.cost_spec import WAYS
from ..results.reading import DATA
from ..results.store import Results

__all__ = ["medians", "rounds", "timed"]


def timed(results: Results) -> pd.DataFrame:
    """What each way costs each time, beside the others of the same round.

    Args:
        results: of the experiment ``cost``.

    Returns:
        A line a network (in the order of the rows), way and round, with the settings, seconds, and ratios to others.
    """
    table = results.table()
    keys = ["run", "scope", "x"]
    wide = table[table["quantity"].isin(["seconds", "flop/s"])].set_index([*keys, "quantity"])["value"]
    wide = wide.unstack("quantity").reset_index().sort_values(keys, kind="stable")
    once = table[table["x"].isna()].set_index(["run", "scope", "quantity"])["value"].unstack("quantity").reset_index()
    once = once.reindex(columns=["run", "scope", "bytes", "operations", "1/alpha (published)"])
    runs = results.runs.set_index("run").reindex(table["run"].unique())
    runs = runs.loc[
        runs["model"].notna(), ["model", "dataset", "width", "depth", "n_train", "batch_size"]
    ].reset_index()
    found = runs.merge(wide, on="run").merge(once, on=["run", "scope"], how="left")
    found["parameters"] = found["run"].map(table[table["quantity"] == "parameters"].set_index("run")["value"])
    found["P"] = found["n_train"] / found["batch_size"]
    size = found["width"].astype(int).astype(str) + found["depth"].map(lambda d: f" × {int(d)}" if d else "")
    batches = found["P"].map(", {:.0f} × ".format) + found["batch_size"].astype(int).astype(str)
    found["network"] = found["model"].str.upper() + " " + size + ", " + found["dataset"].map(DATA) + batches

    def of(way: str, column: str = "seconds") -> pd.Series:
        other = found[found["scope"] == way].set_index(["run", "x"])[column]
        return other.reindex(pd.MultiIndex.from_frame(found[["run", "x"]])).set_axis(found.index)

    # One rate is good to a fifth; the machine's, in a round, is the median of those that all ways had.
    found["× operations"] = found["seconds"] * found.groupby(["run", "x"])["flop/s"].transform("median")
    found["× operations"] /= found["operations"]
    found["× bare loop"] = found["seconds"] / of("bare loop")
    found["× noise matrix"] = found["seconds"] / of("noise matrix")
    found["published procedure ×"] = of("published procedure") / found["seconds"]
    found["MB"] = found["bytes"] / 1e6
    found["× 4p bytes"] = found["bytes"] / (4 * found["parameters"])
    # What the bare loop needs is activations and one gradient.
    found["above activations"] = (found["bytes"] - of("bare loop", "bytes")) / (4 * found["parameters"]) + 1
    return found


def medians(found: pd.DataFrame) -> pd.DataFrame:
    """What each way costs in the middle.

    Args:
        found: of :func:`timed`.

    Returns:
        A line a network (in the same order) and way (in the order of `WAYS`): medians, how many times, spread of seconds.
    """
    runs, ways = ({name: i for i, name in enumerate(of)} for of in (found["run"].unique(), WAYS))
    order = found.assign(_run=found["run"].map(runs), _way=found["scope"].map(ways)).sort_values(["_run", "_way"])
    groups = order.drop(columns=["_run", "_way"]).groupby(["run", "network", "scope"], sort=False)
    middle = groups.median(numeric_only=True).assign(times=groups.size(), model=groups["model"].first())
    middle["spread"] = (groups["seconds"].max() - groups["seconds"].min()).where(middle["times"] > 1)
    return middle.reset_index()


def rounds(results: Results, way: str) -> pd.Series:
    """Seconds of a way that is measured in one run only.

    Args:
        results: of the experiment ``cost``.
        way: its name.

    Returns:
        Seconds by round.
    """
    table = results.table()
    chosen = (table["scope"] == way) & (table["quantity"] == "seconds")
    return table[chosen].set_index("x")["value"]
