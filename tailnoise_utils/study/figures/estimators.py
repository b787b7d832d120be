"""Figures and tables of the experiment ``estimator``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils import stable
from tailnoise_utils.tail_index import known_laws

from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE

_LABELS = {
    "mohammadi": "Mohammadi 2.4 (corrected)",
    "mohammadi (published)": "Mohammadi 2.4 (published)",
    "mohammadi_order": "Mohammadi 2.2 (corrected)",
    "log_moment": "log-moment",
    "fractional_moment": "fractional moments",
    "koutrouvelis": "Koutrouvelis (c.f.)",
    "mcculloch": "McCulloch (quantiles)",
    "hill": "Hill",
    "maximum_likelihood": "maximum likelihood (scipy)",
}


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
            panel.set(xlabel=r"true $\alpha$", title=f"N = {size:,} (linear between the dotted lines)")
            panel.set_yscale("symlog", linthresh=0.02)  # linear between the dotted lines
            panel.set_ylim(-0.7, 0.3)
            for edge in (-0.02, 0.02):
                panel.axhline(edge, color="#777777", linewidth=0.6, linestyle=":")
        axes[0].set(ylabel=r"bias $1/\hat\alpha - 1/\alpha$ (bars: 2 s.e.)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def estimator_efficiency(results: Results, alpha: float = 1.5, size: int = 10_000) -> Figure:
    """Spread of alpha^ beside the Cramer-Rao bound, against the sample size and against alpha, and the time it takes.

    Args:
        results: of the experiment ``estimator``.
        alpha: the index of the first and the last panel.
        size: the sample size of the middle panel.

    Returns:
        Three panels side by side.
    """
    table = _sas(results)
    table = table.assign(bound=[stable.cramer_rao(a) / np.sqrt(n) for a, n in table[["parameter", "size"]].to_numpy()])
    sd = table[table["quantity"] == "sd of 1/alpha"].assign(sd=lambda of: of["value"] * of["parameter"] ** 2)
    seconds = table[(table["quantity"] == "seconds") & (table["parameter"] == alpha)]
    with mpl.rc_context(STYLE):
        figure, (spread, ratio, time) = plt.subplots(1, 3, figsize=(11, 4.4))
        for i, (name, label) in enumerate(_LABELS.items()):
            style = {"color": COLOURS[i], "marker": MARKERS[i], "label": label}
            of = sd[sd["scope"] == name]
            against_size = of[of["parameter"] == alpha].sort_values("size")
            spread.plot(against_size["size"], against_size["sd"], **style)
            against_alpha = of[(of["size"] == size) & (of["parameter"] < 2)].sort_values("parameter")
            ratio.plot(against_alpha["parameter"], against_alpha["sd"] / against_alpha["bound"], **style)
            times = seconds[seconds["scope"] == name].sort_values("size")
            time.plot(times["size"], times["value"], **style)
        sizes = np.sort(sd["size"].unique())
        spread.plot(sizes, stable.cramer_rao(alpha) / np.sqrt(sizes), "k:", label="Cramér-Rao bound")
        ratio.axhline(1, color="black", linestyle=":")
        spread.set(xscale="log", yscale="log", xlabel="sample size N", title=rf"SaS, $\alpha = {alpha:g}$")
        spread.set(ylabel=r"sd of $\hat\alpha$ (as $\alpha^2$ sd of $1/\hat\alpha$)")
        ratio.set(yscale="log", xlabel=r"true $\alpha$", ylabel="sd / Cramér-Rao bound", title=f"SaS, N = {size:,}")
        time.set(xscale="log", yscale="log", xlabel="sample size N", ylabel="time of one estimate (s)")
        time.set(title=rf"SaS, $\alpha = {alpha:g}$")
        figure.legend(*spread.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


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
                # Above 4 there is nothing to compare; `unstable_table` has the number.
                alpha = 1 / of[name, "1/alpha"] if of[name, "1/alpha"] > 0.25 else 4.0
                axes.plot(alpha, place, MARKERS[i], color=COLOURS[i], label=label if y == 0 else None)
                if (name, "1/alpha, closed form") in of:
                    form = {"color": "black", "markersize": 9, "label": "closed form" if y + i == 0 else None}
                    axes.plot(1 / of[name, "1/alpha, closed form"], place, "|", **form)
        axes.axvline(2, color="#555555", linestyle=":", linewidth=1)
        axes.set_yticks(range(len(laws)), [known_laws.law(law).label.format(p) for law, p in laws])
        axes.set(xlabel=r"$\hat\alpha$ (the right edge stands for 4 and more)", xlim=(0.3, 4.05))
        axes.set_title(f"N = {size:,}; every one of these laws has finite variance", fontsize=10)
        axes.invert_yaxis()
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
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
    for name, convention in (("mohammadi", "corrected"), ("mohammadi (published)", "published")):
        for quantity, label in (("1/alpha", "measured"), ("1/alpha, closed form", "closed form")):
            chosen = table[(table["scope"] == name) & (table["quantity"] == quantity)]
            frame[convention, label] = 1 / chosen.set_index(["law", "parameter"])["value"]
    wide = pd.DataFrame(frame)
    wide.index = [known_laws.law(law).label.format(parameter) for law, parameter in wide.index]
    return wide


def unstable_table(results: Results) -> pd.DataFrame:
    """alpha^ of every estimator on data that are not stable, as `unstable_laws` draws it.

    Args:
        results: of the experiment ``estimator``.

    Returns:
        One row a law, one column an estimator: the inverse of the mean of 1/alpha^ at the largest sample size.
    """
    table = results.table()
    table = table[(table["law"] != "sas") & (table["size"] == table["size"].max()) & (table["quantity"] == "1/alpha")]
    wide = 1 / table.pivot_table(index=["law", "parameter"], columns="scope", values="value", sort=False)
    wide.index = [known_laws.law(law).label.format(parameter) for law, parameter in wide.index]
    return wide[[name for name, _ in _fast()]].rename(columns=dict(_fast())).rename_axis(columns=None)
