"""Moves between wells and the time spent in them: ``metastability`` and ``metastability_limit``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import claims
from ..exits import levy_sde
from ..exits.landscape import Landscape
from ..results.store import Results
from ..style import COLOURS, STYLE
from .noises import Z, name_ticks, noise_name, points


def _runs_between_wells(results: Results) -> pd.DataFrame:
    return results.runs[results.runs["minima"].notna()]


def _landscape(results: Results) -> Landscape:
    """The wells of all runs."""
    run = _runs_between_wells(results).iloc[0]
    return Landscape(*(tuple(run[name]) for name in ("minima", "maxima", "depths")))


def landscape_and_paths(results: Results, alpha: float = 1.5, seed: int = 0) -> Figure:
    """The four wells, and one path through them under Levy and one under Brownian noise, drawn here.

    Args:
        results: of the experiment ``metastability``, for landscape and scales of the noise.
        alpha: index of the Levy noise.
        seed: of the paths.

    Returns:
        Three panels side by side; the level of W is the same axis in all.
    """
    wells, runs = _landscape(results), _runs_between_wells(results).set_index("alpha")
    kinds = [(alpha, 1500.0, COLOURS[1]), (2.0, 300.0, COLOURS[3])]
    layout = {"figsize": (10, 3.8), "sharey": True, "width_ratios": [1, 2, 2]}
    with mpl.rc_context(STYLE):
        figure, (left, *panels) = plt.subplots(1, 3, **layout)
        w = np.linspace(-2.2, 6, 800)
        left.plot(wells.value(w), w, color="black")
        left.set(xlabel="f(w)", ylabel="w", xlim=(-1.2, 2), ylim=(-2.5, 6.5), title="objective")
        for i, (minimum, depth) in enumerate(zip(wells.minima, wells.depths, strict=True), 1):
            left.annotate(str(i), (0.2 - depth, minimum), ha="center", va="center", weight="bold")
        for panel, (index, time, colour) in zip(panels, kinds, strict=True):
            eps, dt = runs.loc[index, ["eps", "dt"]].astype(float)
            settings = {"alpha": index, "eps": eps, "dt": dt, "rows": round(time / dt)}
            start, rng = np.array([wells.minima[1]]), np.random.default_rng(seed)
            path = levy_sde.euler(wells, start, **settings, generator=rng)[:, 0]
            panel.plot(dt * np.arange(1, len(path) + 1), path, color=colour, linewidth=0.5, rasterized=True)
            panel.set(xlabel="time t", title=f"{noise_name(index)}, ε = {eps:.3g}")
            for top in wells.maxima:
                panel.axhline(top, color="#777777", linestyle=":", linewidth=0.9)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def _over_theory(panel: Axes) -> None:
    """A line at 1, and the 5 % about it that claim C9 allows."""
    panel.axhspan(0.95, 1.05, color="#eeeeee", zorder=0)
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set_ylabel("simulated rate / theory")


def move_rates(results: Results) -> Figure:
    """Simulated rates of moves between wells over those of the generator, and the 5 % that claim C9 allows.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        One panel: twelve pairs of wells for each alpha.
    """
    groups = list(claims.rate_ratios(results).query("kind == 'move'").groupby("alpha"))
    with mpl.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(9, 3.8))
        _over_theory(panel)
        for i, (alpha, of) in enumerate(groups):
            x = np.arange(len(of)) + 0.2 * (i - (len(groups) - 1) / 2)
            points(panel, x, of["ratio"], of["se"], i, label=noise_name(alpha))
        names = groups[0][1]["what"].str.removeprefix("well ").str.replace(" to ", "→")
        panel.set_xticks(range(len(names)), names)
        panel.set_xlabel("from well → to well")
        panel.grid(visible=False, axis="x")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    plt.close(figure)
    return figure


def rates_by_noise(results: Results) -> pd.DataFrame:
    """Rates of moves over those of the generator, at one alpha, for each scale of the noise and time step.

    Args:
        results: of the experiment ``metastability_limit``.

    Returns:
        Ratio (value) and its standard error by well (scope), well moved to (x), eps and dt.
    """
    table = results.table().set_index(["scope", "x", "eps", "dt"])
    rate, limit = (table[table["quantity"] == name] for name in ("rate", "rate, limit"))
    return rate[["value", "se"]].div(limit["value"], axis=0).sort_index()


def toward_the_limit(results: Results) -> Figure:
    """Rates of moves between neighbouring wells over those of the generator, against the scale of the noise.

    Args:
        results: of the experiment ``metastability_limit``.

    Returns:
        One panel; hollow, a little to the right, what was run at a smaller time step.
    """
    ratio = rates_by_noise(results).reset_index()
    ratio = ratio.assign(start=ratio["scope"].str.removeprefix("well ").astype(float))
    neighbours = ratio[(ratio["start"] - ratio["x"]).abs() == 1]
    with mpl.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(8, 4))
        _over_theory(panel)
        for i, ((start, to), of) in enumerate(neighbours.groupby(["start", "x"])):
            x = of["eps"] * 1.012 ** (i - 2.5)  # side by side
            fine = of["dt"] < of["dt"].max()
            line = {"label": f"{start:g}→{to:g}", "line": "-"}
            points(panel, x[~fine], of["value"][~fine], of["se"][~fine], i, **line)
            points(panel, 1.09 * x[fine], of["value"][fine], of["se"][fine], i, hollow=True)
        panel.set(xscale="log", xlabel="noise ε", title=noise_name(results.runs["alpha"].iloc[0]))
        name_ticks(panel, neighbours["eps"])
        panel.legend(title="from→to", loc="upper left")
    plt.close(figure)
    return figure


def occupation_table(results: Results) -> pd.DataFrame:
    """Share of time in each well, beside the stationary law of the chain, or Gibbs' law for Brownian noise.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a noise and well (noise, well): half-width, depth, share, se, theory.
    """
    table = results.table().set_index(["alpha", "scope"])
    found = table[table["quantity"] == "occupation"]
    theory = table[table["quantity"] == "occupation, limit"]["value"]
    wells = _landscape(results)
    number = found.index.get_level_values("scope").str.removeprefix("well ").astype(int) - 1
    columns = {"half-width": wells.widths[number], "depth": np.array(wells.depths)[number], "share": found["value"]}
    columns |= {"se": found["se"], "theory": theory.reindex(found.index)}
    joined = pd.DataFrame(columns, index=found.index).rename_axis(["noise", "well"])
    return joined.rename(index=noise_name, level="noise")


def occupation(results: Results) -> Figure:
    """Share of time in each well, in the order of their half-widths, for each noise; theory as black marks.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        One panel a noise.
    """
    groups = list(occupation_table(results).sort_values("half-width", kind="stable").groupby("noise", sort=False))
    with mpl.rc_context(STYLE):
        layout = {"figsize": (2.6 * len(groups) + 0.5, 3.8), "sharey": True, "squeeze": False}
        figure, panels = plt.subplots(1, len(groups), **layout)
        for i, (panel, (noise, of)) in enumerate(zip(panels[0], groups, strict=True)):
            x = np.arange(len(of))
            colour = COLOURS[3] if noise == noise_name(2.0) else COLOURS[i]
            panel.bar(x, of["share"], 0.7, yerr=Z * of["se"], color=colour, alpha=0.75, label="simulated")
            panel.plot(x, of["theory"], "_", color="black", ms=22, mew=2, label="theory")
            wells = of.index.get_level_values("well").str.removeprefix("well ")
            names = [f"{w}\n{a:g}\n{H:g}" for w, a, H in zip(wells, of["half-width"], of["depth"], strict=True)]
            panel.set_xticks(x, names)
            panel.set(xlabel="well, half-width, depth", title=noise)
            panel.grid(visible=False, axis="x")
        panels[0, 0].set_ylabel("share of time")
        panels[0, 0].legend(loc="upper left")
    plt.close(figure)
    return figure
