"""What noise does for training: the experiment ``training``."""

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used
from matplotlib import pyplot as plt

from ..experiments.arms import ARMS, INDEPENDENT
from ..networks.data import KINDS
from ..results.reading import last_snapshot, name_of, span, values
from ..results.store import Results
from ..style import LOOK, figure
from .panels import facets

LABELS = {
    "epochs": "SGD, by epochs",
    "batches": "SGD, single draws",
    "gaussian": "Gaussian, as SGD's",
    "gradient": "no noise",
    "independent gaussian": "independent Gaussian",
    "independent stable": "independent stable",
    "clipped stable": "the same, clipped",
    "joint fit": "joint fit, one scale",
    "layer fits": "joint fit, by layer",
    "stable weights": "stable weights, α̂",
    "stable weights 1.7": "stable weights, 1.7",
}
_BY = ["network", "lr", "arm"]
_MEASURED = ["accuracy", "loss", "largest eigenvalue", "tail excess", "norm ratio"]


def runs_at_end(results: Results) -> pd.DataFrame:
    """Return a line a run: test accuracy (chance if it diverged) and more at its last point; the median norm ratio."""
    table, runs = results.table(), results.runs.set_index("run")
    end = last_snapshot(table[table["quantity"] != "diverged"])
    network = [name_of(*pair) for pair in zip(runs["model"], runs["dataset"], strict=True)]
    lines = runs[["lr", "arm", "seed"]].assign(network=network, diverged=runs["status"] == "diverged")
    chance = runs["dataset"].map(lambda name: 1 / KINDS[name].classes)
    lines["accuracy"] = values(end, "accuracy", split="test").set_index("run")["value"]
    lines["accuracy"] = lines["accuracy"].where(~lines["diverged"], chance)
    for name in ("loss", "largest eigenvalue", "tail excess"):
        lines[name] = values(end, name).set_index("run")["value"]
    return lines.assign(**{"norm ratio": values(table, "norm ratio").groupby("run")["value"].median()})


def differences(results: Results, reference: str = "gaussian") -> pd.DataFrame:
    """Return each arm's test accuracy less the reference's, in points, paired by seed, with Student's 95 % intervals."""
    lines = runs_at_end(results)
    wide = lines.pivot(index=["network", "lr", "seed"], columns="arm", values="accuracy").reindex(columns=ARMS)
    paired = (100 * wide.sub(wide[reference], axis=0)).stack().dropna().rename("value").reset_index()
    by = paired.groupby(_BY)["value"]
    means = pd.DataFrame({"mean": by.mean(), "seeds": by.size()})
    half = scipy.stats.t.ppf(0.975, (means["seeds"] - 1).replace(0, np.nan)) * by.sem()
    others = lines.groupby(_BY, sort=False).agg(dict.fromkeys(_MEASURED, "mean") | {"diverged": "sum"})
    means = means.assign(low=means["mean"] - half, high=means["mean"] + half)
    return others.join(means).reset_index()  # also arms that lack a reference


@figure
def arms(results: Results) -> plt.Figure:
    """Draw the test accuracy of the arms less that of the Gaussian one, a panel a network and step size."""
    table = differences(results).sort_values("lr", kind="stable")
    places = {arm: i for i, arm in enumerate(ARMS)}

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        y = rows["arm"].map(places)
        stable = rows["arm"].str.contains("stable|fit")
        for chosen, look in ((stable, LOOK["joint"]), (~stable, {"color": "black"})):
            bars = (rows["mean"] - rows["low"])[chosen].fillna(0)
            axes.errorbar(rows["mean"][chosen], y[chosen], xerr=bars, fmt="o", **look)
        for place, ratio, lost in zip(y, rows["norm ratio"], rows["diverged"], strict=True):
            words = "–" if np.isnan(ratio) else f"{ratio:.{2 if ratio < 10 else 0}f}"
            style = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(words + "†" * bool(lost), (1, place), xycoords=("axes fraction", "data"), **style)
        axes.axvline(0, **LOOK["Gaussian"])
        axes.set_xscale("symlog", linthresh=1, linscale=2)
        axes.set_xticks([-100, -1, 0, 1], ["-100", "-1", "0", "1"])

    layout = {"rows": ["lr"], "columns": ["network"], "title": "{network}\nstep {lr:g}", "legend": 0}
    drawn, panels = facets(table, draw, names=[LABELS[arm] for arm in ARMS], height=3.0, **layout)
    drawn.supxlabel("test accuracy less that of the Gaussian arm, points")
    for axes in panels.flat:
        axes.set_visible(axes.has_data())
    return drawn


def short_table(results: Results) -> pd.DataFrame:
    """Return what the page shows: the arms of fully connected networks at step 0.1, means over the seeds."""
    table = _connected(differences(results)).sort_values("arm", key=lambda arms: arms.map(ARMS.index))
    table = (
        table.sort_values("network", kind="stable", ascending=False).set_index(["network", "arm"]).rename(index=LABELS)
    )
    names = {"accuracy": "test accuracy", "loss": "training loss", "largest eigenvalue": "sharpness"}
    names |= {"norm ratio": "norm over SGD's"}
    return table[["seeds", *_MEASURED, "diverged"]].rename(columns=names)


def numbers(results: Results) -> dict[str, float | str]:
    """Return the numbers of the text: of fully connected networks at step 0.1, in points of test accuracy."""
    groups = {
        "help": ("gradient", ["gaussian"]),
        "law": ("gaussian", ["batches"]),
        "independent": ("gradient", INDEPENDENT[:3]),
        "fit": ("gaussian", INDEPENDENT[3:]),
        "coupled": ("gaussian", ["stable weights", "stable weights 1.7"]),
    }
    table = _connected(differences(results))
    text: dict[str, float | str] = {"networks": " and ".join(table["network"].unique())}
    for name, (reference, chosen) in groups.items():
        table = _connected(differences(results, reference))
        table = table[table["arm"].isin(chosen)]
        ends = {"half": (table["high"] - table["mean"]).max(), "lost": table["diverged"].sum()}
        ends["seeds"] = table["seeds"].min()
        for prefix, column in (("", "mean"), ("norm_", "norm ratio")):
            ends |= {f"{prefix}low": table[column].min(), f"{prefix}high": table[column].max()}
        for dataset in ("mnist", "cifar10") if len(chosen) == 1 else ():
            row = table[table["network"] == name_of("fcn", dataset)].select_dtypes("number").sum(min_count=1)
            ends |= {f"{dataset}_half": row["high"] - row["mean"], f"{dataset}_tau": row["tail excess"]}
            ends |= {dataset: row["mean"], f"{dataset}_seeds": row["seeds"]}
        text |= {f"{name}_{key}": float(value) for key, value in ends.items()}
        text[f"{name}_range"] = span(ends["low"], ends["high"], ".2f")
    return text


def _connected(table: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of fully connected networks at step 0.1."""
    return table[(table["lr"] == 0.1) & table["network"].str.startswith("FCN")]
