"""Figures and tables of the experiment ``cost``."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..experiments import EXPERIMENTS, grid
from ..experiments.cost_spec import PASSES, WAYS, operations
from ..experiments.spec import Measured
from ..networks.snapshots import TrainSpec
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE, WIDTH
from .costs import medians, rounds, timed

_GROWN = {"parameters": "parameters $p$", "P": "minibatches $P$", "n_train": "images $n$, at one $P$"}


def cost_table(results: Results) -> pd.DataFrame:
    """Seconds and memory of each way, beside counted operations, the bare loop and the parameters.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By network of which all ways were measured (all, if there is none), with P × b images, and way: how often it was
        timed, median seconds, largest less smallest of them (NaN of one); and medians of ratios, each within a round: to
        what the counted operations take at the rate of a matrix product (the median over the ways of the round), to the
        bare loop, to the noise matrix, the published procedure's seconds over them; memory of the first time in MB, and in
        vectors of p float32 numbers; the published 1/alpha^ that came out.
    """
    found = medians(timed(results))
    columns = ["times", "seconds", "spread", "× operations", "× bare loop", "× noise matrix", "published procedure ×"]
    table = found.set_index(["network", "scope"])[[*columns, "MB", "× 4p bytes", "1/alpha (published)"]]
    table = table.rename_axis(["network", "way"])
    whole = table["× noise matrix"].groupby("network", sort=False).transform("size") == len(WAYS)
    return table[whole] if whole.any() else table


def sampler_table(results: Results) -> pd.DataFrame:
    """Seconds of drawing SaS samples in several ways, and how much longer than ours each takes.

    Args:
        results: of the experiment ``cost``.

    Returns:
        By way: median seconds, largest less smallest of them (NaN of one), and the median of the ratio within a round.
    """
    scopes = results.rows["scope"].unique()
    seconds = pd.DataFrame({way: rounds(results, way) for way in scopes if way.startswith("SaS")})
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
    wide = medians(timed(results))
    wide = wide[wide["model"] == "fcn"]
    chosen = {
        "parameters": wide[(wide["P"] == 20) & (wide["batch_size"] == 500)],
        "P": wide[(wide["width"] == 100) & (wide["batch_size"] == 500) & (wide["P"] != 20)],
        "n_train": wide[(wide["width"] == 100) & (wide["P"] == 20)],
    }
    if any(of.empty for of in chosen.values()):  # smoke has two networks
        chosen = dict.fromkeys(chosen, wide)
    several = [of.groupby("scope")["run"].nunique().loc[lambda runs: runs > 1].index for of in chosen.values()]
    ways = [way for way in wide["scope"].unique() if all(way in of for of in several)]
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 5.6), sharex="col", sharey="row")
        for panels, (x, of) in zip(axes.T, chosen.items(), strict=True):
            for panel, y in zip(panels, ("seconds", "MB"), strict=True):
                for i, way in enumerate(ways):
                    line = of[of["scope"] == way].sort_values(x)
                    panel.plot(line[x], line[y], marker=MARKERS[i], ms=4, color=COLOURS[i], label=way)
                    if i == 0:
                        proportional = line[y].iloc[-1] * line[x] / line[x].iloc[-1]
                        panel.plot(line[x], proportional, ":", color="0.5", zorder=0, label="in proportion")
                panel.set(xscale="log", yscale="log")
            if x == "P":  # within one decade or two: the numbers themselves
                panels[1].set_xticks(sorted(of[x].unique()), [f"{P:.0f}" for P in sorted(of[x].unique())])
                panels[1].minorticks_off()
            panels[1].set_xlabel(_GROWN[x])
        axes[0, 0].set_ylabel("seconds")
        axes[1, 0].set_ylabel("memory (MB)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    plt.close(figure)
    return figure


def together_table(results: Results, ways: Sequence[str]) -> pd.DataFrame:
    """A training step of an FCN where several are trained, in two ways.

    Args:
        results: of the experiment ``cost``.
        ways: two of the keys of ``PASSES``, as ``SEEDS`` and ``PARALLEL`` are.

    Returns:
        By network, medians over the rounds: milliseconds that each way takes for a step of one network, seconds over what
        its counted operations would take at one thread's rate, memory in MB (of that process alone), and the first one's
        seconds over the second's, with the least and the most.
    """
    times = timed(results)
    times = times[times["scope"].isin(ways)]
    short = {way: way.split(", ")[-1].removeprefix("seeds ") for way in ways}
    ms = times["seconds"] / (times["P"] * times["scope"].map(PASSES)) * 1e3
    times = times.assign(ms=ms, way=times["scope"].map(short))
    each = times.set_index(["network", "x", "way"])[["ms", "× operations", "MB"]].unstack("way", sort=False)
    one, other = short.values()
    each = each[[(of, way) for of in ("ms", "× operations", "MB") for way in (one, other)]]
    ratio = (each["ms", one] / each["ms", other]).groupby("network", sort=False)
    table = each.groupby("network", sort=False).median()
    table.columns = [f"{way}, {of}" for of, way in table.columns]
    return table.assign(**{f"{one} / {other}": ratio.median(), "least": ratio.min(), "most": ratio.max()})


def paper_operations(rates: Mapping[str, float], measured: Results) -> pd.DataFrame:
    """Counted operations of the experiments of the profile ``paper`` that train networks.

    Args:
        rates: floating-point operations a second, by what has them; the first is what `measured` was measured on.
        measured: results of the experiment ``cost``.

    Returns:
        By experiment, and for all together with each training once: the number of trainings, operations of training and of
        measuring (the gradients alone: what is done with them takes no products; once, though a noise matrix that does not
        fit takes them twice), hours at each rate, and, "scaled", hours at the first where each takes as much longer than
        its operations as training and a measurement with the anatomy do in the measured network of the nearest width.
    """
    lines: dict[str, dict[str, float]] = {}
    trained: dict[TrainSpec, int] = {}
    training, measuring = (_longer(measured, way) for way in ("training", "measure, with anatomy"))
    for name in EXPERIMENTS:
        specs = [spec for spec in grid(name, "constant") if isinstance(spec, Measured)]
        each = {spec.train: operations(*_network(spec.train))[0] for spec in specs}
        costs = {t: t.iterations * t.batch_size * count for t, count in each.items()}
        pieces = [(spec.train, len(spec.points) * spec.pictures_per_point * each[spec.train]) for spec in specs]
        if specs:
            lines[name] = {"trainings": len(costs), "training": sum(costs.values())}
            lines[name] |= {"measuring": sum(count for _, count in pieces)}
            longer = {t: training(t) * count for t, count in costs.items()}
            lines[name] |= {"longer": sum(longer.values()) + sum(measuring(t) * count for t, count in pieces)}
            lines[name] |= {"again": sum(count for t, count in longer.items() if t in trained)}
        trained |= costs
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.loc["all"] = table.sum()
    table.loc["all", ["trainings", "training"]] = len(trained), sum(trained.values())
    table.loc["all", "longer"] -= table.loc["all", "again"]
    hours = {f"hours, {of}": (table["training"] + table["measuring"]) / rate / 3600 for of, rate in rates.items()}
    first, rate = next(iter(rates.items()))
    hours[f"hours, {first}, scaled"] = table["longer"] / rate / 3600
    return table.drop(columns=["longer", "again"]).astype({"trainings": int}).assign(**hours)


def _longer(measured: Results, way: str) -> Callable[[TrainSpec], float]:
    """How much longer than its operations something takes, by the measured network of the nearest width."""
    found = medians(timed(measured))
    found = found[found["scope"] == way]

    def of(t: TrainSpec) -> float:
        same = found[found["model"] == t.model] if (found["model"] == t.model).any() else found
        return float(same.loc[np.log(same["width"] / t.width).abs().idxmin(), "× operations"])

    return cache(of)


def _network(t: TrainSpec) -> tuple[str, str, int, int]:
    return t.model, t.dataset, t.width, t.depth
