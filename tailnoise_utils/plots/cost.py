"""Figures and tables of the experiment ``cost``."""

from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..experiments import EXPERIMENTS, grid
from ..snapshots import TrainSpec
from ..specs._measured import Measured
from ..specs.cost import STACKED, WAYS, operations
from ..store import Results
from ._settings import DATA
from ._style import COLOURS, MARKERS, STYLE, WIDTH

_GROWN = {"parameters": "parameters $p$", "P": "minibatches $P$", "n_train": "images $n$, at one $P$"}


def _times(results: Results) -> pd.DataFrame:
    """One line a network, way and time it was done, with what it costs beside others of the same round."""
    table = results.table()
    keys = ["run", "scope", "x"]
    wide = (
        table[table["quantity"].isin(["seconds", "flop/s"])].set_index([*keys, "quantity"])["value"].unstack("quantity")
    )
    wide = wide.reset_index().sort_values(keys, kind="stable")
    once = table[table["x"].isna()].set_index(["run", "scope", "quantity"])["value"].unstack("quantity").reset_index()
    once = once.reindex(columns=["run", "scope", "bytes", "operations", "1/alpha (published)"])
    runs = results.runs[results.runs["model"].notna()]
    runs = runs[["run", "model", "dataset", "width", "depth", "n_train", "batch_size"]]
    runs = (
        runs.set_index("run").reindex(table["run"].unique()).dropna(how="all").reset_index()
    )  # in the order of the rows
    found = runs.merge(wide, on="run").merge(once, on=["run", "scope"], how="left")
    found["parameters"] = found["run"].map(table[table["quantity"] == "parameters"].set_index("run")["value"])
    found["P"] = found["n_train"] / found["batch_size"]
    size = found["width"].astype(int).astype(str) + found["depth"].map(lambda d: f" × {int(d)}" if d else "")
    batches = found["P"].map(", {:.0f} × ".format) + found["batch_size"].astype(int).astype(str)
    found["network"] = found["model"].str.upper() + " " + size + ", " + found["dataset"].map(DATA) + batches

    def of(way: str, column: str = "seconds") -> pd.Series:
        other = found[found["scope"] == way].set_index(["run", "x"])[column]
        return other.reindex(pd.MultiIndex.from_frame(found[["run", "x"]])).set_axis(found.index)

    found["× operations"] = found["seconds"] * found["flop/s"] / found["operations"]
    found["× bare loop"] = found["seconds"] / of("bare loop")
    found["× noise matrix"] = found["seconds"] / of("noise matrix")
    found["published procedure ×"] = of("published procedure") / found["seconds"]
    found["MB"] = found["bytes"] / 1e6
    found["× 4p bytes"] = found["bytes"] / (4 * found["parameters"])
    # What the bare loop needs is activations and one gradient.
    found["above activations"] = (found["bytes"] - of("bare loop", "bytes")) / (4 * found["parameters"]) + 1
    return found


def _medians(times: pd.DataFrame) -> pd.DataFrame:
    """One line a network and way."""
    ways = {way: i for i, way in enumerate(WAYS)}
    order = times.sort_values("scope", key=lambda of: of.map(ways), kind="stable")
    groups = order.groupby(["run", "network", "scope"], sort=False)
    found = groups.median(numeric_only=True).assign(times=groups.size())
    found["spread"] = (groups["seconds"].max() - groups["seconds"].min()).where(found["times"] > 1)
    found["model"] = groups["model"].first()
    return found.reset_index()


def cost_table(results: Results) -> pd.DataFrame:
    """Seconds and memory of each way, beside counted operations, the bare loop and the parameters.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By network of which all ways were measured (all, if there is none), with P × b images, and way: how often it was
        timed, median seconds, largest less smallest of them (NaN of one); and medians of ratios, each within a round: to
        what the counted operations take at the rate of a matrix product in the same process, to the bare loop, to the
        noise matrix, the published procedure's seconds over them; memory of the first time in MB, and in vectors of p
        float32 numbers; the published 1/alpha^ that came out.
    """
    times = _times(results)
    runs = {run: i for i, run in enumerate(times["run"].unique())}
    found = _medians(times).sort_values("run", key=lambda of: of.map(runs), kind="stable")
    columns = ["times", "seconds", "spread", "× operations", "× bare loop", "× noise matrix", "published procedure ×"]
    table = found.set_index(["network", "scope"])[[*columns, "MB", "× 4p bytes", "1/alpha (published)"]]
    table = table.rename_axis(["network", "way"])
    whole = table["× noise matrix"].groupby("network", sort=False).transform("size") == len(WAYS)
    return table[whole] if whole.any() else table


def cost_targets(results: Results, estimators: Results) -> pd.DataFrame:
    """What was asked of the cost beforehand, and what was measured; each a ratio within one round.

    Args:
        results: of the experiment ``cost`` in a profile with all of its networks.
        estimators: of the experiment ``estimator``.

    Returns:
        By what is compared: what was asked ("≤ 1.15", say), the median over the rounds, the least and the most, and whether
        it is met: "yes", "no", or "too close to say" where rounds differ about it. Of several networks or conventions, the
        one with the worst median.
    """
    times = _times(results)
    small, middle, cnn = "FCN 100 × 3, MNIST, 120 × 500", "FCN 256 × 4, MNIST, 120 × 500", "CNN 64, CIFAR-10, 20 × 500"
    fcn = times[times["model"] == "fcn"]

    def of(network: str, way: str, column: str) -> list[pd.Series]:
        return [times[(times["network"] == network) & (times["scope"] == way)][column]]

    def each(chosen: pd.DataFrame, way: str, column: str) -> list[pd.Series]:
        return [one[column] for _, one in chosen[chosen["scope"] == way].groupby("run")]

    published, matrix = "published procedure ×", "× noise matrix"
    large, wide = fcn[fcn["parameters"] >= 1e6], fcn[fcn["width"] >= 256]
    narrow = fcn[fcn["width"].between(16, 64)]
    asked: list[tuple[str, str, float, list[pd.Series]]] = [
        ("noise matrix / its operations (FCN 256 × 4)", "≤", 1.15, of(middle, "noise matrix", "× operations")),
        ("noise matrix / bare loop (CNN 64)", "≤", 1.15, of(cnn, "noise matrix", "× bare loop")),
        (
            "alpha^ / noise matrix (FCN 256 × 4)",
            "≤",
            0.25,
            [one for way in ("alpha^, clean", "alpha^, published") for one in of(middle, way, matrix)],
        ),
        ("anatomy / noise matrix (FCN 256 × 4)", "≤", 1, of(middle, "anatomy", matrix)),
        ("anatomy with layers and units / noise matrix (FCN 256 × 4)", "≤", 1, of(middle, "anatomy, by layer", matrix)),
        ("published procedure / measure (FCN 100 × 3)", "≥", 20, of(small, "measure", published)),
        (
            "published procedure / measure with anatomy (FCN 100 × 3)",
            "≥",
            20,
            of(small, "measure, with anatomy", published),
        ),
        ("published procedure / measure (FCN 256 × 4)", "≥", 5, of(middle, "measure", published)),
        (
            "published procedure / measure with anatomy (FCN 256 × 4)",
            "≥",
            5,
            of(middle, "measure, with anatomy", published),
        ),
        (
            "memory of streaming above data and activations / 4p bytes (p ≥ 10⁶)",
            "≤",
            5,
            [one[:1] for one in each(large, "measure, streaming", "above activations")],
        ),
        ("training / its operations (width ≥ 256)", "≤", 1.15, each(wide, "training", "× operations")),
        (
            "training, seeds stacked / its operations (widths 16 to 64)",
            "≤",
            1.5,
            each(narrow, "training, seeds stacked", "× operations"),
        ),
        (
            "SaS samples, NumPy / ours",
            "≥",
            2,
            [_rounds(results, "SaS samples, NumPy") / _rounds(results, "SaS samples")],
        ),
        (
            "SaS samples, scipy / ours",
            "≥",
            3,
            [_rounds(results, "SaS samples, scipy") / _rounds(results, "SaS samples")],
        ),
        ("maximum likelihood / slowest other estimate (1000 values)", "≥", 1000, [_likelihood(estimators)]),
        (
            "seconds that importing this package adds to importing torch",
            "≤",
            0.4,
            [_rounds(results, "import tailnoise_utils") - _rounds(results, "import torch")],
        ),
    ]
    lines = {}
    for name, relation, bound, found in asked:
        worst = (max if relation == "≤" else min)(found, key=lambda of: of.median())
        holds = worst.le(bound) if relation == "≤" else worst.ge(bound)
        met = "yes" if holds.all() else "too close to say" if holds.any() else "no"
        lines[name] = (f"{relation} {bound:g}", worst.median(), worst.min(), worst.max(), met)
    columns = ["asked", "measured", "least", "most", "met"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("ratio")


def _rounds(results: Results, way: str) -> pd.Series:
    """Seconds of a way, by round."""
    table = results.table()
    chosen = (table["scope"] == way) & (table["quantity"] == "seconds")
    return table[chosen].set_index("x")["value"]


def _likelihood(results: Results) -> pd.Series:
    """Seconds of maximum likelihood on the same 1000 SaS values over those of the slowest other estimator."""
    table = results.rows.merge(results.runs.drop(columns="seconds"), on="run")
    chosen = (table["quantity"] == "seconds") & (table["law"] == "sas") & (table["size"] == 1000)
    seconds = table[chosen].groupby(["run", "scope"])["value"].median().unstack("scope").dropna()
    return seconds["maximum_likelihood"] / seconds.drop(columns="maximum_likelihood").max(axis=1)


def sampler_table(results: Results) -> pd.DataFrame:
    """Seconds of drawing SaS samples in several ways, and how much longer than ours each takes.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By way: median seconds, largest less smallest of them (NaN of one), and the median of the ratio within a round.
    """
    scopes = results.rows["scope"].unique()
    seconds = pd.DataFrame({way: _rounds(results, way) for way in scopes if way.startswith("SaS")})
    spread = (seconds.max() - seconds.min()).where(seconds.count() > 1)
    ratio = seconds.div(seconds["SaS samples"], axis=0).median()
    return pd.DataFrame({"seconds": seconds.median(), "spread": spread, "× ours": ratio}).rename_axis("way")


def cost_growth(results: Results) -> Figure:
    """Seconds and memory of each way against the parameters, the minibatches and the images, on logarithmic axes.

    Args:
        results: of the experiment ``cost``.

    Returns:
        Two rows, seconds and megabytes, and a column for each of the three; the dotted line grows in proportion.
    """
    wide = _medians(_times(results))
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
        By network, medians over the rounds: milliseconds of a step of one network in turn and stacked, each of them over
        its counted operations, and how much faster stacked is, with the least and the most.
    """
    times = _times(results)
    times = times[times["scope"].isin(["training, seeds in turn", "training, seeds stacked"])]
    times = times.assign(
        ms=times["seconds"] / (times["P"] * STACKED) * 1e3, way=times["scope"].str.removeprefix("training, seeds ")
    )
    each = times.set_index(["network", "x", "way"])[["ms", "× operations"]].unstack("way", sort=False)
    faster = (each["ms", "in turn"] / each["ms", "stacked"]).groupby("network", sort=False)
    table = each.groupby("network", sort=False).median()
    table.columns = [f"{way}, {of}" for of, way in table.columns]
    return table.assign(**{"in turn / stacked": faster.median(), "least": faster.min(), "most": faster.max()})


def paper_operations(rates: Mapping[str, float]) -> pd.DataFrame:
    """Counted operations of the experiments of the profile ``paper`` that train networks.

    Args:
        rates: floating-point operations a second, by what has them.

    Returns:
        By experiment, and for all together with each training once: the number of trainings, operations of training and of
        measuring (the gradients alone: what is done with them takes no products), and hours at each rate.
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
    hours = {f"hours, {of}": (table["training"] + table["measuring"]) / rate / 3600 for of, rate in rates.items()}
    return table.assign(**hours)


def _network(t: TrainSpec) -> tuple[str, str, int, int]:
    return t.model, t.dataset, t.width, t.depth
