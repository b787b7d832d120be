"""Figures and tables of the experiment ``cost``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..experiments import EXPERIMENTS, grid
from ..snapshots import TrainSpec
from ..specs._measured import Measured
from ..specs.cost import STACKED, operations
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


def _ratios(results: Results) -> pd.DataFrame:
    """One line a network and way, with the columns of `cost_table` and the parameters."""
    wide = _medians(results)

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
        "parameters": wide["parameters"],
    }
    names = wide["network"] + wide["P"].map(", {:.0f} × ".format) + wide["batch_size"].astype(int).astype(str)
    return pd.DataFrame(columns).set_index(pd.MultiIndex.from_arrays([names, wide["scope"]], names=["network", "way"]))


def cost_table(results: Results) -> pd.DataFrame:
    """Seconds and memory of each way, beside counted operations, the bare loop and the parameters.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By network of which all ways were measured (all, if there is none), with P × b images, and way: median seconds;
        largest less smallest of them; seconds over what the counted operations take at the rate of a matrix product in the
        same process; over the bare loop and over the noise matrix of that network; the published procedure's seconds over
        them; memory in MB, and in vectors of p float32 numbers.
    """
    table = _ratios(results).drop(columns="parameters")
    whole = table["× bare loop"].notna()
    return table[whole] if whole.any() else table


def cost_targets(results: Results, estimators: Results) -> pd.DataFrame:
    """What was asked of the cost beforehand, and what was measured; each a ratio of medians in one run.

    Args:
        results: of the experiment ``cost`` in a profile with all of its networks.
        estimators: of the experiment ``estimator``.

    Returns:
        By what is compared: what was asked ("≤ 1.15", say), the ratio, and whether it is met. Of several networks or
        conventions, the worst.
    """
    table, drawn = _ratios(results), sampler_table(results)["× ours"]
    small, middle, cnn = "FCN 100 × 3, MNIST, 120 × 500", "FCN 256 × 4, MNIST, 120 × 500", "CNN 64, CIFAR-10, 20 × 500"
    wide = table[table.index.get_level_values("network").str.match(r"FCN (256|1024)")]
    streaming = table[table["parameters"] >= 1e6].xs("measure, streaming", level="way")
    alphas = table.loc[middle].loc[["alpha^, clean", "alpha^, published"], "× noise matrix"]
    of, published = table.at, "published procedure ×"
    lines: list[tuple[str, str, float, float]] = [
        ("noise matrix / its operations (FCN 256 × 4)", "≤", 1.15, of[(middle, "noise matrix"), "× operations"]),
        ("noise matrix / bare loop (CNN 64)", "≤", 1.15, of[(cnn, "noise matrix"), "× bare loop"]),
        ("alpha^ / noise matrix (FCN 256 × 4)", "≤", 0.25, alphas.max()),
        ("anatomy / noise matrix (FCN 256 × 4)", "≤", 1, of[(middle, "anatomy"), "× noise matrix"]),
        ("published procedure / measure (FCN 100 × 3)", "≥", 20, of[(small, "measure"), published]),
        ("published procedure / measure (FCN 256 × 4)", "≥", 5, of[(middle, "measure"), published]),
        ("memory of streaming / 4p bytes (p ≥ 10⁶)", "≤", 5, streaming["× 4p bytes"].max()),
        ("training / its operations (width ≥ 256)", "≤", 1.15, wide.xs("training", level="way")["× operations"].max()),
        ("SaS samples, NumPy / ours", "≥", 2, drawn["SaS samples, NumPy"]),
        ("SaS samples, scipy / ours", "≥", 3, drawn["SaS samples, scipy"]),
        ("maximum likelihood / slowest other estimate (1000 values)", "≥", 1000, _likelihood(estimators)),
    ]
    found = pd.DataFrame(lines, columns=["ratio", "relation", "bound", "measured"]).set_index("ratio")
    below, above = found["measured"] <= found["bound"], found["measured"] >= found["bound"]
    met = below.where(found["relation"] == "≤", above).map({True: "yes", False: "no"})
    asked = found["relation"] + " " + found["bound"].map("{:g}".format)
    return pd.DataFrame({"asked": asked, "measured": found["measured"], "met": met})


def _likelihood(results: Results) -> float:
    """Seconds of maximum likelihood on 1000 SaS values over those of the slowest other estimator."""
    table = results.rows.merge(results.runs.drop(columns="seconds"), on="run")
    chosen = (table["quantity"] == "seconds") & (table["law"] == "sas") & (table["size"] == 1000)
    seconds = table[chosen].groupby("scope")["value"].median()
    return float(seconds["maximum_likelihood"] / seconds.drop("maximum_likelihood").max())


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
                    if i == 0:
                        proportional = line[y].iloc[-1] / scale * line[x] / line[x].iloc[-1]
                        panel.plot(line[x], proportional, ":", color="0.5", zorder=0, label="in proportion")
                panel.set(xscale="log", yscale="log")
            panels[1].set_xlabel(_GROWN[x])
        axes[0, 0].set_ylabel("seconds")
        axes[1, 0].set_ylabel("memory (MB)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def stacked_table(results: Results) -> pd.DataFrame:
    """A step of several seeds of an FCN, one after another and stacked.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By network: milliseconds of a step of one network in turn and stacked, each of them over its counted operations,
        and how much faster stacked is.
    """
    wide = _medians(results)
    wide = wide[wide["scope"].isin(["training, seeds in turn", "training, seeds stacked"])]
    wide["ms"] = wide["seconds"] / (wide["P"] * STACKED) * 1e3
    wide["limit"] = wide["seconds"] * wide["flop/s"] / wide["operations"]
    found = wide.assign(way=wide["scope"].str.removeprefix("training, seeds ")).set_index(["network", "way"])
    table = found[["ms", "limit"]].unstack("way", sort=False)
    table.columns = [f"{way}, {'ms' if of == 'ms' else '× operations'}" for of, way in table.columns]
    return table.assign(**{"in turn / stacked": table["in turn, ms"] / table["stacked, ms"]})


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
