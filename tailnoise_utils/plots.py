"""Style and drawings of the book's figures: one function a figure, from stored results to a matplotlib figure."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from . import stable, synthetic
from .store import Results

__all__ = [
    "FIGURES",
    "STYLE",
    "bias_table",
    "closed_form_table",
    "densities",
    "estimator_efficiency",
    "estimator_recovery",
    "first_and_last",
    "iterations",
    "last_value",
    "paths",
    "provenance_line",
    "summary",
    "unstable_laws",
]

# Okabe and Ito's palette: told apart with any colour vision, and in this order also in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777", "#B8A800", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_LABELS = {
    "mohammadi": "Mohammadi 2.4 (clean)",
    "mohammadi (published)": "Mohammadi 2.4 (published)",
    "mohammadi_order": "Mohammadi 2.2 (clean)",
    "log_moment": "log-moment",
    "fractional_moment": "fractional moments",
    "koutrouvelis": "Koutrouvelis (c.f.)",
    "mcculloch": "McCulloch (quantiles)",
    "hill": "Hill",
    "maximum_likelihood": "maximum likelihood (scipy)",
}


def provenance_line(results: Results) -> str:
    """One line that says where a figure's numbers came from, for its caption.

    Args:
        results: of one experiment.

    Returns:
        Seeds or replicates, data, versions, processor.
    """
    runs = results.runs
    data = ", ".join(f"{name}, SHA-256 {sha[:8]}" for name, sha in _pairs(runs) if sha) or "synthetic data"
    versions = ", ".join(f"{name} {'/'.join(sorted(set(runs[name])))}" for name in ("torch", "numpy"))
    machine = "/".join(sorted(set(runs["processor"])))
    minutes = runs["seconds"].sum() / 60
    return f"{len(runs)} runs; {data}; {versions}; {machine}, {minutes:.1f} min of computing"


def _pairs(runs: pd.DataFrame) -> list[tuple[str, str]]:
    if "dataset" not in runs:
        return []
    return sorted(set(zip(runs["dataset"], runs["data_sha256"], strict=True)))


def iterations(results: Results) -> Figure:
    """Loss, accuracy and alpha^ along training; line and band are mean and range over the seeds.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        Three panels above each other.
    """
    rows = results.rows
    with mpl.rc_context(STYLE):
        figure, (loss, accuracy, index) = plt.subplots(3, 1, figsize=(7, 7.5), sharex=True, height_ratios=[1, 1, 1.4])
        for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
            for i, split in enumerate(("train", "test")):
                chosen = rows[(rows["quantity"] == quantity) & (rows["split"] == split)]
                _band(axes, chosen.pivot(index="iteration", columns="run", values="value"), i, split)
            axes.legend(loc="best")
        loss.set(ylabel="loss (nats)", yscale="log")
        accuracy.set(ylabel="accuracy (share correct)")
        for i, name in enumerate(("published", "clean", "clean, columns permuted")):
            chosen = rows[rows["quantity"] == f"1/alpha ({name})"]
            _band(index, 1 / chosen.pivot(index="iteration", columns="run", values="value"), i, name)
        index.axhline(2, color="#555555", linestyle=":", linewidth=1)
        index.annotate("2: i.i.d. Gaussian entries", (1, 2), xytext=(0, -11), textcoords="offset points", fontsize=9)
        index.set(ylabel=r"$\hat\alpha$, all coordinates pooled", xlabel="iteration (SGD steps)", ylim=(None, 2.2))
        index.set_xscale("symlog", linthresh=1, linscale=0.4)
        index.set_xlim(-0.15, rows["iteration"].max() * 1.15)
        index.legend(loc="upper right", ncols=3)
    return figure


def _band(axes: plt.Axes, values: pd.DataFrame, i: int, label: str) -> None:
    """The mean of the columns as a line, their range as a band."""
    axes.plot(values.index, values.mean(axis=1), color=COLOURS[i], marker=MARKERS[i], markersize=3.5, label=label)
    axes.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=COLOURS[i], alpha=0.25, linewidth=0)


def densities(alphas: Sequence[float], largest: float = 20.0) -> Figure:
    """Densities of SaS(1) for several alpha: near zero, on a log scale, and the tail on two log scales.

    Args:
        alphas: the indices to show.
        largest: where the middle panel ends.

    Returns:
        Three panels side by side.
    """
    with mpl.rc_context(STYLE):
        figure, (centre, log, tail) = plt.subplots(1, 3, figsize=(10, 3.6))
        ranges = (np.linspace(-5, 5, 401), np.linspace(-largest, largest, 801), np.geomspace(1, 1000, 200))
        for axes, x in zip((centre, log, tail), ranges, strict=True):
            for i, alpha in enumerate(alphas):
                axes.plot(x, stable.pdf(x, alpha), color=COLOURS[i], label=rf"$\alpha = {alpha:g}$")
            axes.set(xlabel="x (units of σ)")
        centre.set(ylabel="density (1/σ)", title="centre")
        log.set(yscale="log", ylim=(1e-8, 1), title="log scale")
        tail.set(xscale="log", yscale="log", ylim=(1e-10, 1), title=r"tails $\propto x^{-1-\alpha}$")
        centre.legend()
    return figure


def paths(times: np.ndarray, curves: dict[float, np.ndarray]) -> Figure:
    """Sample paths of the alpha-stable Levy motion, their largest jumps marked.

    Args:
        times: the points in time, shape (T,).
        curves: alpha -> path, shape (T,).

    Returns:
        One panel a path.
    """
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(curves), figsize=(10, 3.2))
        for i, (panel, (alpha, path)) in enumerate(zip(axes, curves.items(), strict=True)):
            panel.plot(times, path, color=COLOURS[i], linewidth=0.9)
            steps = np.abs(np.diff(path))
            for jump in np.argsort(steps)[-3:]:
                panel.plot(times[jump : jump + 2], path[jump : jump + 2], color="black", linewidth=1.8)
            share = steps.max() / steps.sum()
            panel.set(xlabel="t", title=rf"$\alpha = {alpha:g}$" + f"\nlargest step: {share:.1%} of all")
        axes[0].set(ylabel=r"$L^\alpha_t$")
    return figure


def _fast() -> list[tuple[str, str]]:
    """Names and labels of the estimators that run on every law."""
    return [(name, label) for name, label in _LABELS.items() if name != "maximum_likelihood"]


def _sas(results: Results) -> pd.DataFrame:
    table = results.table()
    return table[table["law"] == "sas"]


def estimator_recovery(results: Results) -> Figure:
    """Mean of estimated less true 1/alpha against alpha, one panel a sample size; bars are two standard errors of the mean.

    Args:
        results: of the experiment ``estimator``.

    Returns:
        Two panels side by side: a small and the largest sample.
    """
    table = _sas(results)
    sizes = (1000, int(table["size"].max()))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
        for panel, size in zip(axes, sizes, strict=True):
            at = table[table["size"] == size]
            for i, (name, label) in enumerate(_fast()):
                mean = at[(at["scope"] == name) & (at["quantity"] == "1/alpha")].set_index("parameter")
                error, alpha = mean["value"] - 1 / mean.index, mean.index + 0.014 * (i - 3.5)
                panel.errorbar(alpha, error, 2 * mean["se"], fmt=MARKERS[i], ms=4, color=COLOURS[i], label=label)
            panel.axhline(0, color="black", linewidth=0.8)
            panel.set(xlabel=r"true $\alpha$", title=f"N = {size:,}")
            panel.set_yscale("symlog", linthresh=0.02)
        axes[0].set(ylabel=r"bias $1/\hat\alpha - 1/\alpha$ (bars: 2 s.e.)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def estimator_efficiency(results: Results, alpha: float = 1.5) -> Figure:
    """Spread of alpha^ against the sample size beside the Cramer-Rao bound, and the time of one estimate.

    Args:
        results: of the experiment ``estimator``.
        alpha: the true index.

    Returns:
        Two panels side by side.
    """
    table = _sas(results)
    at = table[table["parameter"] == alpha]
    with mpl.rc_context(STYLE):
        figure, (spread, time) = plt.subplots(1, 2, figsize=(10, 4.2))
        for i, (name, label) in enumerate(_LABELS.items()):
            for panel, quantity, unit in ((spread, "sd of 1/alpha", alpha**2), (time, "seconds", 1.0)):
                values = at[(at["scope"] == name) & (at["quantity"] == quantity)].sort_values("size")
                panel.plot(values["size"], unit * values["value"], color=COLOURS[i], marker=MARKERS[i], label=label)
        sizes = np.sort(at["size"].unique())
        spread.plot(sizes, stable.cramer_rao(alpha) / np.sqrt(sizes), "k:", label="Cramér-Rao bound")
        spread.set(
            xscale="log",
            yscale="log",
            xlabel="sample size N",
            ylabel=r"sd of $\hat\alpha$ ($\alpha^2$ sd$(1/\hat\alpha)$)",
        )
        time.set(xscale="log", yscale="log", xlabel="sample size N", ylabel="time of one estimate (s)")
        spread.set_title(rf"SaS, $\alpha = {alpha:g}$")
        figure.legend(*spread.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def bias_table(results: Results, alpha: float = 1.5, size: int = 10_000) -> pd.DataFrame:
    """Bias, spread, honesty of the standard error and time of every estimator on SaS samples of one size.

    Args:
        results: of the experiment ``estimator``.
        alpha: the true index.
        size: the sample size.

    Returns:
        One row an estimator, times in milliseconds; `sd / bound` compares with the Cramer-Rao bound.
    """
    table = _sas(results)
    at = table[(table["parameter"] == alpha) & (table["size"] == size)]
    wide = at.pivot(index="scope", columns="quantity", values="value").reindex([n for n, _ in _fast()])
    bias = at[at["quantity"] == "alpha"].set_index("scope").reindex(wide.index)
    frame = {
        "bias of alpha^": wide["alpha"] - alpha,
        "its s.e.": bias["se"],
        "sd of alpha^": wide["sd of alpha"],
        "sd / bound": wide["sd of alpha"] / (stable.cramer_rao(alpha) / np.sqrt(size)),
        "reported s.e. / sd": wide["reported se of 1/alpha"] / wide["sd of 1/alpha"],
        "time (ms)": 1000 * wide["seconds"],
    }
    return pd.DataFrame(frame).rename(index=_LABELS).rename_axis(None)


def closed_form_table(results: Results) -> pd.DataFrame:
    """What the block estimators give on data that are not stable, beside the closed form.

    Args:
        results: of the experiment ``estimator``.

    Returns:
        alpha^ (from the mean of 1/alpha^) and the closed form's, both conventions, at the largest sample size.
    """
    table = results.table()
    table = table[(table["law"] != "sas") & (table["size"] == table["size"].max())]
    frame = {}
    for name, convention in (("mohammadi", "clean"), ("mohammadi (published)", "published")):
        for quantity, label in (("1/alpha", "measured"), ("1/alpha, closed form", "closed form")):
            chosen = table[(table["scope"] == name) & (table["quantity"] == quantity)]
            frame[convention, label] = 1 / chosen.set_index(["law", "parameter"])["value"]
    wide = pd.DataFrame(frame)
    wide.index = [synthetic.law(law).label.format(parameter) for law, parameter in wide.index]
    return wide


def unstable_laws(results: Results) -> Figure:
    """alpha^ of every estimator on data that are not stable; all these laws have finite variance.

    Args:
        results: of the experiment ``estimator``.

    Returns:
        One panel; a short black line where the block estimators' closed form lies.
    """
    table = results.table()
    table = table[table["law"] != "sas"]
    size = int(table["size"].max())
    table = table[table["size"] == size]
    laws = list(dict.fromkeys(zip(table["law"], table["parameter"], strict=True)))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9, 5.2))
        for y, (law, parameter) in enumerate(laws):
            of = table[(table["law"] == law) & (table["parameter"] == parameter)].set_index(["scope", "quantity"])[
                "value"
            ]
            for i, (name, label) in enumerate(_fast()):
                place = y + 0.07 * (i - 3.5)
                # An index above 4 says "not a power law"; the arrow-like edge of the axis shows it, the table has it.
                alpha = 1 / of[name, "1/alpha"] if of[name, "1/alpha"] > 0.25 else 4.0
                axes.plot(alpha, place, MARKERS[i], color=COLOURS[i], label=label if y == 0 else None)
                if (name, "1/alpha, closed form") in of:
                    form = {"color": "black", "markersize": 9, "label": "closed form" if y + i == 0 else None}
                    axes.plot(1 / of[name, "1/alpha, closed form"], place, "|", **form)
        axes.axvline(2, color="#555555", linestyle=":", linewidth=1)
        axes.set_yticks(range(len(laws)), [synthetic.law(law).label.format(p) for law, p in laws])
        axes.set(xlabel=r"$\hat\alpha$ (the right edge stands for 4 and more)", xlim=(0.3, 4.05))
        axes.set_title(f"N = {size:,}; every one of these laws has finite variance", fontsize=10)
        axes.invert_yaxis()
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def first_and_last(results: Results) -> pd.DataFrame:
    """alpha^ at the first and the last snapshot, mean and standard deviation over the seeds.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        One row a convention; the mean is taken of 1/alpha^ and inverted, the standard deviation is that of alpha^.
    """
    rows = results.rows[results.rows["quantity"].str.startswith("1/alpha (")]
    table = {}
    for quantity, of in rows.groupby("quantity", sort=False):
        record = {}
        for name, iteration in (("first", of["iteration"].min()), ("last", of["iteration"].max())):
            inverse = of.loc[of["iteration"] == iteration, "value"]
            record |= {name: 1 / inverse.mean(), f"sd ({name})": (1 / inverse).std()}
        table[quantity.removeprefix("1/alpha (").removesuffix(")")] = record
    return pd.DataFrame(table).T


def last_value(results: Results, quantity: str, split: str) -> float:
    """Mean over the seeds of a quantity at the last snapshot.

    Args:
        results: of the experiment ``iterations``.
        quantity: which.
        split: train or test.

    Returns:
        The mean.
    """
    rows = results.rows[(results.rows["quantity"] == quantity) & (results.rows["split"] == split)]
    return float(rows.loc[rows["iteration"] == rows["iteration"].max(), "value"].mean())


def summary(experiment: str, results: Results) -> pd.DataFrame:
    """The numbers of an experiment in a small table.

    Args:
        experiment: its name.
        results: its results.

    Returns:
        `iterations`: mean over seeds of each quantity by iteration; `estimator`: mean 1/alpha^ by law and estimator.
    """
    table = results.table()
    if experiment == "iterations":
        table["quantity"] = table["quantity"] + ", " + table["split"]
        return table.pivot_table(index="iteration", columns="quantity", values="value")
    chosen = table[table["quantity"] == "1/alpha"]
    return chosen.pivot_table(index=["law", "parameter", "size"], columns="scope", values="value")


FIGURES: dict[str, Callable[[Results], Figure]] = {"iterations": iterations, "estimator": estimator_efficiency}
