"""Tail excess against the images that a coordinate sees: the experiment ``few_images``."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..experiments.few_images import compound_poisson
from ..networks.data import PERMUTED
from ..results.reading import with_configurations
from ..results.store import Results
from ..style import LOOK, WIDTH, figure, series
from .batch_size import exponents

_FEWEST = 10  # coordinates in a bin of a run that is shown
_MANY = 10_000  # from so many images on, a name does not say how many
_JUDGED = 0.3, 2.0  # lower edges of the first and the last bin of events in which the rule is judged
_TAU, _RULE = "tail excess by events", "1 / (12 events) by events"
_BATCHES = 60  # in half of the images, of which the compound Poisson curve is drawn


def _named(results: Results) -> pd.DataFrame:
    """Return the rows of whole networks with a short name, such as "FCN 128 × 3, MNIST"."""
    table = with_configurations(results).query("scope == 'all'")
    name = table["configuration"].astype(str).str.removesuffix(", cross-entropy")
    name += np.where(table["n_train"] < _MANY, table["n_train"].map(" ({:,})".format), "")
    return table.assign(name=name.where(table["planted"] == 0, "planted stable, index " + table["planted"].astype(str)))


def event_table(results: Results) -> pd.DataFrame:
    """Return tau on half of the images by events on the other, and the two curves: means, and range, over the seeds."""
    table = _named(results)
    table = table[table["quantity"].str.endswith("by events")]
    keys = ["name", "dataset", "planted", "iteration", "x"]
    wide = table.pivot_table(index=[*keys, "run"], columns="quantity", values="value", sort=False)
    seeds = wide[wide["coordinates by events"] >= _FEWEST].groupby(keys, sort=False)
    return seeds.mean().assign(low=seeds[_TAU].min(), high=seeds[_TAU].max(), runs=seeds.size())


@figure
def against_events(results: Results, scaling: Results | None = None) -> plt.Figure:
    """Draw tau against events, before training and at its end; and the scaling exponents of ``batch_scaling``."""
    table = event_table(results).reset_index()
    drawn, panels = plt.subplots(1, 1 if scaling is None else 2, figsize=(WIDTH, 5.0), squeeze=False)
    axes, keys = panels[0, 0], ["name", "dataset", "iteration", "last"]
    look = series(table.loc[table["planted"] == 0, "name"].unique())
    table["last"] = table["iteration"] == table.groupby("name")["iteration"].transform("max")
    for (name, dataset, iteration, last), rows in table.groupby(keys, sort=False):
        if iteration and not last:
            continue
        style = look.get(name, {"color": "black"}) | LOOK.get(dataset.removesuffix(PERMUTED), {})
        style |= {"marker": "*", "markersize": 8} if name not in look else LOOK["after" if iteration else "before"]
        bars = [(rows[_TAU] - rows["low"]).clip(0), (rows["high"] - rows[_TAU]).clip(0)]
        shown = {"linestyle": "none", "label": name if last else None, "elinewidth": 0.8, "capsize": 0}
        axes.errorbar(1 / (12 * rows[_RULE]), rows[_TAU], bars, **style | shown)
    events = np.geomspace(0.03, 40, 30)
    axes.plot(events, 1 / (12 * events), color="black", label="1 / (12 events)")
    curve = compound_poisson(events, _BATCHES)
    axes.plot(events, curve, color="#777777", linestyle="--", label="compound Poisson")
    axes.set(xscale="log", yscale="log", ylim=(1e-3, 3), xlabel="images per coordinate and minibatch (events)")
    axes.set_ylabel("tail excess on the other half")
    if scaling is not None:
        exponents(panels[0, 1], scaling)
    for axes in panels.flat:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.2, -0.17))
    return drawn


def noise_table(results: Results) -> pd.DataFrame:
    """Return tau and scaling exponent (b = 10 to 50) of the three noises, and the other rows: means over the seeds."""
    table, keys = _named(results), ["name", "iteration"]
    means = table[table["x"].isna()].pivot_table(index=keys, columns="quantity", values="value", sort=False)
    scales = table[table["x"].isin([10, 50])]
    scales = scales.pivot_table(index=keys, columns=["x", "quantity"], values="value", sort=False)
    exponents = ((scales[10] - scales[50]) / np.log(5)).filter(like="log-scale")
    return means.join(exponents.rename(columns=lambda name: name.replace("log-scale", "exponent")))


def short_table(results: Results) -> pd.DataFrame:
    """Return what the page shows of `noise_table`: the start and the end of each training."""
    noises = [f"{noise}{name}" for noise in ("", "unit norms: ", "cut norms: ") for name in ("tail excess", "exponent")]
    table = _ends(noise_table(results)[[*noises, "images by norm"]].reset_index())
    return table.set_index(["name", "iteration"])


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return the lines at the start and at the end of each training."""
    last = table.groupby("name")["iteration"].transform("max")
    return table[(table["iteration"] == 0) | (table["iteration"] == last)]


def numbers(results: Results) -> dict[str, float]:
    """Return the numbers of the text; NaN for networks that the results have not."""
    noise, events = noise_table(results), event_table(results).reset_index()
    names, stable = noise.index.get_level_values("name"), events[events["planted"] > 0]
    agree = noise["events (correlation of the halves)"].groupby(names.str.startswith("planted"))
    judged = _ends(events[(events["planted"] == 0) & events["x"].between(*_JUDGED)])
    sums = judged[[_TAU, _RULE]].mul(judged["coordinates by events"], axis=0)
    sums = sums.groupby([judged["name"], judged["iteration"] > 0]).agg("sum")
    ratio = (sums[_TAU] / sums[_RULE]).groupby(level="iteration")
    ranges = {"stable": stable[_TAU], "stable_rule": stable[_RULE]}
    ranges |= {"after" if key else "start": values for key, values in ratio}
    ranges |= {"stable_agree" if key else "agree": values for key, values in agree}
    networks = {"mnist": "× 3, MNIST", "cifar": "× 3, CIFAR-10", "small": "× 4, CIFAR-10", "permuted": "permuted MNIST"}
    lines = {key: noise[names.str.contains(name, regex=False)] for key, name in networks.items()}
    rows = {f"{key}_start": line.head(1) for key, line in lines.items()}
    rows |= {f"{key}_end": line.tail(1) for key, line in lines.items()}
    unlike = (lines["mnist"]["loss"] - rows["cifar_end"]["loss"].mean()).abs()
    rows["equal"] = lines["mnist"].loc[unlike.nsmallest(1).index]
    kept = {"tau": "tail excess", "unit": "unit norms: tail excess", "cut": "cut norms: tail excess", "loss": "loss"}
    kept |= {"accuracy": "accuracy", "images": "images by norm", "hill": "1/alpha (Hill, norms)"}
    return {
        "configurations": float((~names.unique().str.startswith("planted")).sum()),
        "seeds": float(results.runs["seed"].nunique()),
        **{f"{key}_{end}": float(getattr(values, end)()) for key, values in ranges.items() for end in ("min", "max")},
        **{f"{key}_{name}": float(line[column].mean()) for key, line in rows.items() for name, column in kept.items()},
    }
