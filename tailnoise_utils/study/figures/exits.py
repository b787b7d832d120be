"""Exits from one well, moves between wells: `metastability`, `metastability_limit`."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..claims.exits import TOLERANCE, checks, exit_runs, exit_slopes, rate_ratios, rates_by_noise
from ..exits import levy_sde, theory
from ..exits.landscape import Landscape, SymmetricWell
from ..results.store import Results
from ..style import COLOURS, LOOK, MARKERS, WIDTH, figure
from .paper import comparison

_Z = 1.96  # standard errors in half of a 95 % interval
_BROWNIAN = 3  # number of its first colour and marker; those before it are for the Levy noises


def noise_name(alpha: float) -> str:
    """Return what figures and tables call a noise: "α = 1.5", or "Brownian"."""
    return "Brownian" if alpha == 2 else f"α = {alpha:g}"


def _points(panel: plt.Axes, x: Any, y: pd.Series, se: pd.Series, number: int, line: str = "", **style: Any) -> None:
    """Draw points with 95 % intervals in the colour and marker of that number, and a line of that style through them."""
    look = {"fmt": MARKERS[number] + line, "ms": 5, "linewidth": 1, "color": COLOURS[number]}
    panel.errorbar(x, y, _Z * se, **look | style)


def _name_ticks(panel: plt.Axes, values: pd.Series) -> None:
    """Set the ticks of the horizontal axis at the values that occur, as plain numbers."""
    ticks = sorted(set(values))
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.xaxis.set_minor_locator(mpl.ticker.NullLocator())


@figure
def exit_times(results: Results) -> plt.Figure:
    """Draw mean exit times against width, noise and depth, and under Brownian noise against H / D, over the theory."""
    runs = exit_runs(results)
    labels = {"half_width": "half-width a", "eps": "noise ε", "height": "depth H"}
    drawn, panels = plt.subplots(2, 2, figsize=(WIDTH, 6))
    for panel, (vary, label) in zip(panels.flat, labels.items(), strict=False):
        series = runs[(runs["alpha"] < 2) & (runs["vary"] == vary)].sort_values(vary)
        for i, (alpha, rows) in enumerate(series.groupby("alpha")):
            panel.plot(rows[vary], rows["exit time, limit"], color=COLOURS[i], linewidth=1.2)
            _points(panel, rows[vary], rows["exit time"], rows["se"], i, label=noise_name(alpha))
        panel.set(xlabel=label, title=f"Lévy noise, against the {label}")
        panel.set_xscale("linear" if vary == "height" else "log")
        _name_ticks(panel, series[vary])
    panel, brownian = panels[1, 1], runs[(runs["alpha"] == 2) & runs["vary"].isin(["eps", "height"])]
    brownian = brownian.assign(barrier=brownian["height"] / brownian["eps"] ** 2)
    for i, (vary, rows) in enumerate(brownian.sort_values("barrier").groupby("vary"), _BROWNIAN):
        barriers = np.linspace(rows["barrier"].iloc[0], rows["barrier"].max(), 40)
        a, H, eps, edge = rows[["half_width", "height", "eps", "edge"]].iloc[0].astype(float)
        label = f"ε varies (H = {H:g})" if vary == "eps" else f"H varies (D = {eps**2:g})"
        noises = np.sqrt(H / barriers) if vary == "eps" else np.full(len(barriers), eps)
        wells = [(SymmetricWell(a, barrier * eps**2), eps) for barrier, eps in zip(barriers, noises, strict=True)]
        exact = [theory.brownian_exit_time(well, edge * a, eps) for well, eps in wells]
        panel.plot(barriers, exact, color=COLOURS[i], linewidth=1.2)
        panel.plot(barriers, [theory.eyring_kramers(*well) for well in wells], ":", color=COLOURS[i])
        _points(panel, rows["barrier"], rows["exit time"], rows["se"], i, label=label)
    panel.plot([], [], color="black", linewidth=1.2, label="exact mean")
    panel.plot([], [], ":", color="black", label="Eyring–Kramers")
    panel.set(xlabel="barrier H / D", title="Brownian noise, against H / D")
    _name_ticks(panel, brownian["barrier"].round(6))
    panel.legend()
    for panel in panels.flat:
        panel.set(ylabel="mean exit time T", yscale="log", ylim=(8, 2000))
    panels[0, 0].legend()
    return drawn


@figure
def time_step(results: Results) -> plt.Figure:
    """Draw the exit time over its theory against the time step: exact mean (Brownian), limit of small noise (Levy)."""
    runs = exit_runs(results).query("vary == 'dt'").sort_values("dt")
    is_brownian = runs["alpha"] == 2
    exits = {(1.0, False): "on the maximum", (1.0, True): "on it, edge shifted", (1.5, False): "past the maximum"}
    drawn, (brownian, levy) = plt.subplots(1, 2, figsize=(WIDTH, 4), sharey=True)
    noises = ((brownian, "Brownian", "exact mean", is_brownian), (levy, "Lévy", "limit of small ε", ~is_brownian))
    for panel, noise, law, chosen in noises:
        eps = runs.loc[chosen, "eps"].iloc[0]
        panel.axhline(1, color="black", linewidth=0.8)
        panel.set(xlabel="time step dt", xscale="log", title=f"{noise}, ε = {eps:g},\nover the {law}")
        _name_ticks(panel, runs.loc[chosen, "dt"])
    for i, (kind, rows) in enumerate(runs[is_brownian].groupby(["edge", "shifted"]), _BROWNIAN):
        _against_step(brownian, rows, "exit time, exact", i, label=exits[kind], line="-")
    for i, (alpha, series) in enumerate(runs[~is_brownian].groupby("alpha")):
        for edge, rows in series.groupby("edge"):
            style = {"line": "-"} if edge > 1 else {"line": "--"} | LOOK["hollow"]
            label = f"{noise_name(alpha)}, {exits[edge, False]}"
            _against_step(levy, rows, "exit time, limit", i, label=label, **style)
    for panel in (brownian, levy):
        panel.legend(loc="upper left")
    brownian.set_ylabel("mean exit time / theory")
    return drawn


def _against_step(panel: plt.Axes, rows: pd.DataFrame, law: str, number: int, **style: Any) -> None:
    """Draw exit times over a law; points of different lines are moved apart."""
    x = rows["dt"] * 1.025 ** (number % _BROWNIAN - 1)
    _points(panel, x, rows["exit time"] / rows[law], rows["se"] / rows[law], number, **style)


def slope_table(results: Results) -> pd.DataFrame:
    """Return slopes of ln T with their 95 % intervals; `judged` says whether claim C9 rests on them."""
    table = exit_slopes(results)
    varies = table["series"].map({"half_width": "a", "height": "H", "eps": "ε"})
    ends = {"low": table["slope"] - _Z * table["se"], "high": table["slope"] + _Z * table["se"]}
    table = table.assign(noise=table["alpha"].map(noise_name), varies=varies, **ends)
    table["slope of ln T in"] = table["against"].str.replace("eps", "ε")
    return table.set_index(["noise", "varies", "slope of ln T in"])[["slope", "low", "high", "expected", "judged"]]


def _wells(results: Results) -> tuple[Landscape, pd.DataFrame]:
    """Return the wells of all runs between wells, and these runs."""
    runs = results.runs[results.runs["minima"].notna()]
    return Landscape(*(tuple(runs.iloc[0][name]) for name in ("minima", "maxima", "depths"))), runs


@figure
def schematic() -> plt.Figure:
    """Draw what the paper argues with: a narrow and deep well beside a wide and shallow one."""
    wells = Landscape(minima=(-0.8, 1.8), maxima=(0.0,), depths=(1.0, 0.5))
    words = ("narrow and deep:\nBrownian noise stays", "wide and shallow:\nLévy noise stays")
    drawn, axes = plt.subplots(figsize=(WIDTH, 2.6))
    w = np.linspace(-1.9, 4.2, 400)
    axes.plot(w, wells.value(w), color="black")
    for m, depth, text in zip(wells.minima, wells.depths, words, strict=True):
        axes.annotate(text, (m, -depth - 0.08), ha="center", va="top")
        for name, end, place in (("a", (0, 0), (m / 2, 0.05)), ("H", (m, -depth), (m + 0.05, -depth / 2))):
            axes.annotate("", end, (m, 0), arrowprops={"arrowstyle": "<->"})
            axes.annotate(name, place)
    axes.set(xlabel="w", ylabel="f(w)", xticks=[], yticks=[], ylim=(-1.5, 0.7))
    return drawn


@figure
def landscape_and_paths(results: Results) -> plt.Figure:
    """Draw the four wells, and one path through them under Levy and one under Brownian noise, simulated here."""
    wells, runs = _wells(results)
    drawn, (left, *panels) = plt.subplots(1, 3, figsize=(WIDTH, 3.4), sharey=True, width_ratios=[1, 2, 2])
    w = np.linspace(-2.2, 6, 800)
    left.plot(wells.value(w), w, color="black")
    left.set(xlabel="f(w)", ylabel="w", xlim=(-1.2, 2), ylim=(-2.5, 6.5), title="objective")
    for i, (minimum, depth) in enumerate(zip(wells.minima, wells.depths, strict=True), 1):
        left.annotate(str(i), (0.2 - depth, minimum), ha="center", va="center", weight="bold")
    noises = [(1.5, 1500.0, COLOURS[1]), (2.0, 300.0, COLOURS[_BROWNIAN])]
    for panel, (index, time, colour) in zip(panels, noises, strict=True):
        eps, dt = runs.set_index("alpha").loc[index, ["eps", "dt"]].astype(float)
        settings = {"alpha": index, "eps": eps, "dt": dt, "rows": round(time / dt)}
        start, generator = np.array([wells.minima[1]]), np.random.default_rng(0)
        path = levy_sde.euler(wells, start, **settings, generator=generator)[:, 0]
        panel.plot(dt * np.arange(1, len(path) + 1), path, color=colour, linewidth=0.5, rasterized=True)
        panel.set(xlabel="time t", title=f"{noise_name(index)}, ε = {eps:.3g}")
        for top in wells.maxima:
            panel.axhline(top, color="#777777", linestyle=":", linewidth=0.9)
    return drawn


def _over_theory(panel: plt.Axes) -> None:
    """Draw a line at 1, and the 5 % about it that claim C9 allows."""
    panel.axhspan(0.95, 1.05, color="#eeeeee", zorder=0)
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set_ylabel("simulated rate / theory")


@figure
def move_rates(results: Results) -> plt.Figure:
    """Draw rates of moves between wells over those of the generator, twelve pairs of wells for each alpha."""
    groups = list(rate_ratios(results).query("kind == 'move'").groupby("alpha"))
    drawn, panel = plt.subplots(figsize=(WIDTH, 3.8))
    _over_theory(panel)
    for i, (alpha, rows) in enumerate(groups):
        x = np.arange(len(rows)) + 0.2 * (i - (len(groups) - 1) / 2)
        _points(panel, x, rows["ratio"], rows["se"], i, label=noise_name(alpha))
    names = groups[0][1]["what"].str.removeprefix("well ").str.replace(" to ", "→")
    panel.set_xticks(range(len(names)), names)
    panel.set_xlabel("from well → to well")
    panel.grid(visible=False, axis="x")
    drawn.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return drawn


@figure
def toward_the_limit(results: Results) -> plt.Figure:
    """Draw rates between neighbouring wells over the theory against the noise; hollow what has a smaller time step."""
    ratio = rates_by_noise(results).reset_index()
    ratio["start"] = ratio["scope"].str.removeprefix("well ").astype(float)
    neighbours = ratio[(ratio["start"] - ratio["x"]).abs() == 1]
    drawn, panel = plt.subplots(figsize=(WIDTH, 4))
    _over_theory(panel)
    for i, ((start, to), rows) in enumerate(neighbours.groupby(["start", "x"])):
        fine = rows["dt"] < rows["dt"].max()
        rows = rows.assign(at=rows["eps"] * 1.012 ** (i - 2.5) * np.where(fine, 1.09, 1))  # moved apart
        for part, style in ((rows[~fine], {"label": f"{start:g}→{to:g}", "line": "-"}), (rows[fine], LOOK["hollow"])):
            _points(panel, part["at"], part["value"], part["se"], i, **style)
    panel.set(xscale="log", xlabel="noise ε", title=noise_name(results.runs["alpha"].iloc[0]))
    _name_ticks(panel, neighbours["eps"])
    panel.legend(title="from→to", loc="upper left")
    return drawn


def occupation_table(results: Results) -> pd.DataFrame:
    """Return by noise and well its half-width and depth, the share of time in it, the error, and what theory says."""
    table = results.table().set_index(["alpha", "scope"])
    shares, limits = (table[table["quantity"] == name] for name in ("occupation", "occupation, limit"))
    wells, _ = _wells(results)
    number = shares.index.get_level_values("scope").str.removeprefix("well ").astype(int) - 1
    columns = {"half-width": wells.widths[number], "depth": np.array(wells.depths)[number], "share": shares["value"]}
    joined = pd.DataFrame(columns | {"se": shares["se"], "theory": limits["value"]}, shares.index)
    return joined.rename_axis(["noise", "well"]).rename(index=noise_name, level="noise")


@figure
def occupation(results: Results) -> plt.Figure:
    """Draw the share of time in each well, in the order of their half-widths, a panel a noise; theory as black marks."""
    groups = list(occupation_table(results).sort_values("half-width", kind="stable").groupby("noise", sort=False))
    drawn, panels = plt.subplots(1, len(groups), figsize=(WIDTH, 3.8), sharey=True, squeeze=False)
    for i, (panel, (noise, rows)) in enumerate(zip(panels[0], groups, strict=True)):
        x = np.arange(len(rows))
        colour = COLOURS[_BROWNIAN] if noise == noise_name(2.0) else COLOURS[i]
        panel.bar(x, rows["share"], 0.7, yerr=_Z * rows["se"], color=colour, alpha=0.75, label="simulated")
        panel.plot(x, rows["theory"], "_", color="black", ms=22, mew=2, label="theory")
        wells = rows.index.get_level_values("well").str.removeprefix("well ")
        names = [f"{w}\n{a:g}\n{H:g}" for w, a, H in zip(wells, rows["half-width"], rows["depth"], strict=True)]
        panel.set_xticks(x, names)
        panel.set(xlabel="well\nhalf-width\ndepth", title=noise)
        panel.grid(visible=False, axis="x")
    panels[0, 0].set_ylabel("share of time")
    panels[0, 0].legend(loc="upper left")
    return drawn


def beside_theory(results: Results) -> pd.DataFrame:
    """Return, by noise and kind, the largest deviation of the simulation from the theory, and whether C9 allows it."""
    table = checks(results)
    noise = np.where(table["alpha"] == 2, "Brownian noise", "Lévy noise")
    largest = table["off"].groupby([noise, table["kind"]]).agg(lambda off: off.loc[off.abs().idxmax()])
    allowed = (-TOLERANCE, TOLERANCE)
    return comparison((f"{name}: {kind}", allowed, [off], ".3f") for (name, kind), off in largest.items())
