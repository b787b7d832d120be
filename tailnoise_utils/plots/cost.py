"""Figures and tables of the experiment ``cost``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..experiments import EXPERIMENTS, grid
from ..snapshots import TrainSpec
from ..specs._measured import Measured
from ..specs.cost import operations
from ..store import Results
from ._settings import DATA
from ._style import COLOURS, MARKERS, STYLE, WIDTH

_GROWN = {"parameters": "parameters $p$", "P": "minibatches $P$", "n_train": "images $n$, at one $P$"}


def _medians(results: Results) -> pd.DataFrame:
    """One line a network and way: medians over the times, and how they were spread."""
    table = results.table()
    table = table[table["model"].notna()]
    p = table[table["quantity"] == "parameters"].set_index("run")["value"]
    keys = ["run", "model", "dataset", "width", "depth", "n_train", "batch_size", "scope"]
    found = table[table["scope"] != "all"].groupby([*keys, "quantity"], sort=False)["value"]
    wide = found.median().unstack("quantity").reset_index()
    seconds = table[table["quantity"] == "seconds"].groupby(["run", "scope"])["value"]
    spread = (seconds.max() - seconds.min()).rename("spread").reset_index()
    wide = wide.merge(spread, on=["run", "scope"])
    wide["parameters"], wide["P"] = wide["run"].map(p), wide["n_train"] / wide["batch_size"]
    size = wide["width"].astype(int).astype(str) + wide["depth"].map(lambda d: f" × {int(d)}" if d else "")
    wide["network"] = wide["model"].str.upper() + " " + size + ", " + wide["dataset"].map(DATA)
    return wide


def _compared(results: Results) -> pd.DataFrame:
    """The networks of which all ways were measured, or, if there is none, all."""
    wide = _medians(results)
    whole = wide.groupby("run")["scope"].transform(lambda of: "bare loop" in set(of)).astype(bool)
    return wide[whole] if whole.any() else wide


def cost_table(results: Results) -> pd.DataFrame:
    """Seconds and memory of each way, beside counted operations, the bare loop and the parameters.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By network and way: median seconds; largest less smallest of them; seconds over what the counted operations take at
        the rate of a matrix product in the same process; over the bare loop and over the noise matrix of that network; the
        published procedure's seconds over them; memory in MB, and in vectors of p float32 numbers.
    """
    wide = _compared(results)

    def of(way: str) -> pd.Series:
        return wide["run"].map(wide[wide["scope"] == way].set_index("run")["seconds"])

    columns = {
        "seconds": wide["seconds"],
        "spread": wide["spread"],
        "× operations": wide["seconds"] * wide["flop/s"] / wide["operations"],
        "× bare loop": wide["seconds"] / of("bare loop"),
        "× noise matrix": wide["seconds"] / of("noise matrix"),
        "published procedure ×": of("published procedure") / wide["seconds"],
        "MB": wide["bytes"] / 1e6,
        "× 4p bytes": wide["bytes"] / (4 * wide["parameters"]),
    }
    names = wide["network"] + wide["P"].map(lambda P: f", P = {P:.0f}")
    return pd.DataFrame(columns).set_index(pd.MultiIndex.from_arrays([names, wide["scope"]], names=["network", "way"]))


def sampler_table(results: Results) -> pd.DataFrame:
    """Seconds of drawing SaS samples in several ways, and how much longer than ours each takes.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By way: median seconds, spread, and the ratio.
    """
    table = results.table()
    seconds = table[table["scope"].str.startswith("SaS") & (table["quantity"] == "seconds")]
    found = seconds.groupby("scope", sort=False)["value"].agg(seconds="median", spread=lambda of: of.max() - of.min())
    return found.assign(**{"× ours": found["seconds"] / found["seconds"].iloc[0]})


def cost_growth(results: Results) -> Figure:
    """Seconds and memory of each way against the parameters, the minibatches and the images, on logarithmic axes.

    Args:
        results: of the experiment ``cost``.

    Returns:
        Two rows, seconds and megabytes, and a column for each of the three; the dotted line grows in proportion.
    """
    wide = _medians(results)
    wide = wide[wide["model"] == "fcn"]
    chosen = {
        "parameters": wide[(wide["P"] == 20) & (wide["batch_size"] == 500)],
        "P": wide[(wide["width"] == 100) & (wide["batch_size"] == 500) & (wide["P"] != 20)],
        "n_train": wide[(wide["width"] == 100) & (wide["P"] == 20)],
    }
    if any(of.empty for of in chosen.values()):  # smoke has two networks
        chosen = dict.fromkeys(chosen, wide)
    ways = [way for way in wide["scope"].unique() if all(way in set(of["scope"]) for of in chosen.values())]
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 5.6), sharex="col", sharey="row")
        for panels, (x, of) in zip(axes.T, chosen.items(), strict=True):
            for panel, y, scale in zip(panels, ("seconds", "bytes"), (1.0, 1e6), strict=True):
                for i, way in enumerate(ways):
                    line = of[of["scope"] == way].sort_values(x)
                    panel.plot(line[x], line[y] / scale, marker=MARKERS[i], ms=4, color=COLOURS[i], label=way)
                panel.set(xscale="log", yscale="log")
            panels[1].set_xlabel(_GROWN[x])
        axes[0, 0].set_ylabel("seconds")
        axes[1, 0].set_ylabel("memory (MB)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def paper_operations(rate: float) -> pd.DataFrame:
    """Counted operations of the experiments of the profile ``paper`` that train networks.

    Args:
        rate: floating-point operations a second.

    Returns:
        By experiment, and for all together with each training once: the number of trainings, operations of training and of
        measuring (the gradients alone: what is done with them takes no products), and hours at that rate.
    """
    lines: dict[str, dict[str, float]] = {}
    trained: dict[TrainSpec, int] = {}
    for name in EXPERIMENTS:
        specs = [spec for spec in grid(name, "paper") if isinstance(spec, Measured)]
        each = {spec.train: operations(*_network(spec.train))[0] for spec in specs}
        costs = {t: t.iterations * t.batch_size * count for t, count in each.items()}
        measuring = sum(len(spec.points) * spec.pictures_per_point * each[spec.train] for spec in specs)
        trained |= costs
        if specs:
            lines[name] = {"trainings": len(costs), "training": sum(costs.values()), "measuring": measuring}
    whole = {"trainings": len(trained), "training": sum(trained.values())}
    lines["all"] = whole | {"measuring": sum(line["measuring"] for line in lines.values())}
    table = pd.DataFrame.from_dict(lines, orient="index").astype({"trainings": int})
    return table.assign(hours=(table["training"] + table["measuring"]) / rate / 3600)


def _network(t: TrainSpec) -> tuple[str, str, int, int]:
    return t.model, t.dataset, t.width, t.depth
