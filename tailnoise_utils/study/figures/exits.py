"""How long exits from one well take, and the checks of claim C9: figures and tables of the experiment ``metastability``."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import claims
from ..exits import theory
from ..exits.landscape import SymmetricWell
from ..results.store import Results
from ..style import COLOURS, STYLE
from .noises import Z, name_ticks, noise_name, points

_BROWNIAN = 3  # first of its colours and markers; those before it are for the Levy noises


def exit_runs(results: Results) -> pd.DataFrame:
    """The runs of exits, one a line.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        Settings, mean exit time, its standard error, what theory says.
    """
    table = results.table()
    table = table[table["vary"].notna()]
    wide = table.pivot_table(index="run", columns="quantity", values="value", sort=False)
    error = table[table["quantity"] == "exit time"].set_index("run")["se"].rename("se")
    settings = results.runs.set_index("run")[["vary", "alpha", "half_width", "height", "eps", "dt", "edge", "shifted"]]
    return settings.join(wide, how="inner").join(error)


def exit_times(results: Results) -> Figure:
    """Mean exit times against width, noise and depth, beside the theory, nothing fitted.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        Four panels: Levy noise against width, noise and depth; Brownian noise against H / D.
    """
    runs = exit_runs(results)
    levy = runs[runs["alpha"] < 2]
    labels = {"half_width": "half-width a", "eps": "noise ε", "height": "depth H"}
    with mpl.rc_context(STYLE):
        figure, panels = plt.subplots(2, 2, figsize=(9, 7))
        for panel, (vary, label) in zip(panels.flat, labels.items(), strict=False):
            series = levy[levy["vary"] == vary].sort_values(vary)
            for i, (alpha, of) in enumerate(series.groupby("alpha")):
                panel.plot(of[vary], of["exit time, limit"], color=COLOURS[i], linewidth=1.2)
                points(panel, of[vary], of["exit time"], of["se"], i, label=noise_name(alpha))
            panel.set(xlabel=label, xscale="linear" if vary == "height" else "log")
            panel.set_title(f"Lévy noise, against the {label}")
            name_ticks(panel, series[vary])
        _brownian_exits(panels[1, 1], runs[(runs["alpha"] == 2) & runs["vary"].isin(["eps", "height"])])
        for panel in panels.flat:
            panel.set(ylabel="mean exit time T", yscale="log", ylim=(8, 2000))
        panels[0, 0].legend()
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def _brownian_exits(panel: Axes, runs: pd.DataFrame) -> None:
    """Exit times against H / D, by series, with the exact mean and the limit."""
    runs = runs.assign(barrier=runs["height"] / runs["eps"] ** 2)
    for i, (vary, of) in enumerate(runs.sort_values("barrier").groupby("vary"), _BROWNIAN):
        first = of.iloc[0]
        fixed = f"H = {first['height']:g}" if vary == "eps" else f"D = {first['eps'] ** 2:g}"
        barriers = np.linspace(first["barrier"], of["barrier"].max(), 40)
        heights = np.full(40, first["height"]) if vary == "eps" else barriers * first["eps"] ** 2
        scales = np.sqrt(heights / barriers).tolist()
        wells = [SymmetricWell(first["half_width"], height) for height in heights.tolist()]
        edge = first["edge"] * first["half_width"]
        exact = [theory.brownian_exit_time(well, edge, eps) for well, eps in zip(wells, scales, strict=True)]
        limit = [theory.eyring_kramers(well, eps) for well, eps in zip(wells, scales, strict=True)]
        panel.plot(barriers, exact, color=COLOURS[i], linewidth=1.2)
        panel.plot(barriers, limit, ":", color=COLOURS[i])
        label = f"{'ε' if vary == 'eps' else 'H'} varies ({fixed})"
        points(panel, of["barrier"], of["exit time"], of["se"], i, label=label)
    panel.plot([], [], color="black", linewidth=1.2, label="exact mean")
    panel.plot([], [], ":", color="black", label="Eyring–Kramers")
    panel.set(xlabel="barrier H / D", title="Brownian noise, against H / D")
    name_ticks(panel, runs["barrier"].round(6))
    panel.legend()


def time_step(results: Results) -> Figure:
    """The exit time over its theory against the time step.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        Two panels: Brownian noise, over the exact mean; Levy noise, over the limit of small noise.
    """
    runs = exit_runs(results).query("vary == 'dt'").sort_values("dt")
    is_brownian = runs["alpha"] == 2
    counted = {(1.0, False): "on the maximum", (1.0, True): "on it, edge shifted", (1.5, False): "past the maximum"}
    with mpl.rc_context(STYLE):
        figure, (brownian, levy) = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
        for i, ((edge, shifted), label) in enumerate(counted.items(), _BROWNIAN):
            of = runs[is_brownian & (runs["edge"] == edge) & (runs["shifted"] == shifted)]
            _against_step(brownian, of, "exit time, exact", i, label=label, line="-")
        for i, (alpha, of_noise) in enumerate(runs[~is_brownian].groupby("alpha")):
            for edge, of in of_noise.groupby("edge"):
                style = {"line": "-"} if edge > 1 else {"line": "--", "hollow": True}
                label = f"{noise_name(alpha)}, {counted[edge, False]}"
                _against_step(levy, of, "exit time, limit", i, label=label, **style)
        noises = {brownian: ("Brownian", "exact mean", is_brownian), levy: ("Lévy", "limit of small ε", ~is_brownian)}
        for panel, (noise, law, own) in noises.items():
            panel.axhline(1, color="black", linewidth=0.8)
            eps = runs.loc[own, "eps"].iloc[0]
            panel.set(xlabel="time step dt", xscale="log", title=f"{noise}, ε = {eps:g}, over the {law}")
            name_ticks(panel, runs.loc[own, "dt"])
            panel.legend(loc="upper left", fontsize=8)
        brownian.set_ylabel("mean exit time / theory")
    plt.close(figure)
    return figure


def _against_step(panel: Axes, of: pd.DataFrame, law: str, number: int, **style: Any) -> None:
    """One line, the exit times over a law."""
    x = of["dt"] * 1.025 ** (number % _BROWNIAN - 1)  # side by side
    points(panel, x, of["exit time"] / of[law], of["se"] / of[law], number, **style)


def slope_table(results: Results) -> pd.DataFrame:
    """Slopes of ln T with their 95 % intervals.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a slope; `judged` says whether claim C9 rests on it.
    """
    slopes = claims.exit_slopes(results)
    varies = slopes["series"].map({"half_width": "a", "height": "H", "eps": "ε"})
    table = slopes.assign(noise=slopes["alpha"].map(noise_name), varies=varies)
    table = table.assign(low=table["slope"] - Z * table["se"], high=table["slope"] + Z * table["se"])
    table["slope of ln T in"] = table["against"].str.replace("eps", "ε")
    return table.set_index(["noise", "varies", "slope of ln T in"])[["slope", "low", "high", "expected", "judged"]]


def largest_deviations(results: Results) -> pd.DataFrame:
    """What claim C9 was judged on, in short.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a noise and kind of check: how many, how many hold, the largest deviation and the interval of that one.
    """
    checks = claims.c9_checks(results)
    checks = checks.assign(noise=checks["alpha"].map(noise_name), deviation=checks["value"] - checks["expected"])
    groups = checks.groupby(["noise", "kind"], sort=False)
    worst = checks.loc[groups["deviation"].agg(lambda of: of.abs().idxmax())].set_index(["noise", "kind"])
    counts = pd.DataFrame({"number": groups.size()})
    for outcome in ("holds", "fails", "undecided"):
        counts[outcome] = groups["outcome"].agg(lambda of, outcome=outcome: (of == outcome).sum())
    worst = worst.rename(columns={"deviation": "largest deviation", "half": "95 % interval ±"})
    return counts.join(worst[["largest deviation", "95 % interval ±"]])
