"""Figures and tables of the experiment ``metastability``."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import claims, levy_sde
from .. import metastability as theory
from ..landscape import Landscape, SymmetricWell
from ..store import Results
from ._style import COLOURS, MARKERS, STYLE

_Z = 1.96  # of a 95 % interval


def _label(alpha: float) -> str:
    return "Brownian" if alpha == 2 else rf"$\alpha = {alpha:g}$"


def _runs_between_wells(results: Results) -> pd.DataFrame:
    table = results.table()
    return table[table["minima"].notna()]


def wells_of(results: Results) -> Landscape:
    """The landscape of the runs between wells.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        The landscape.
    """
    first = _runs_between_wells(results).iloc[0]
    return Landscape(*(tuple(map(float, first[name])) for name in ("minima", "maxima", "depths")))


def landscape_and_paths(results: Results, alpha: float = 1.5, seed: int = 0) -> Figure:
    """The four wells, and one path through them under Levy and one under Brownian noise, drawn here.

    Args:
        results: of the experiment ``metastability``, for landscape and scales of the noise.
        alpha: index of the Levy noise.
        seed: of the paths.

    Returns:
        Three panels side by side; the level of W is the same axis in all.
    """
    wells, table = wells_of(results), _runs_between_wells(results)
    with mpl.rc_context(STYLE):
        figure, (left, *panels) = plt.subplots(
            1, 3, figsize=(10, 3.8), sharey=True, gridspec_kw={"width_ratios": [1, 2, 2]}
        )
        x = np.linspace(-2.2, 6, 800)
        left.plot(wells.value(x), x, color="black")
        left.set(xlabel="f(w)", ylabel="w", xlim=(-1.4, 2), title="objective")
        for i, (minimum, depth) in enumerate(zip(wells.minima, wells.depths, strict=True), 1):
            left.annotate(str(i), (-depth - 0.03, minimum), ha="right", va="center", weight="bold")
        for panel, index, colour, time in zip(
            panels, (alpha, 2.0), (COLOURS[1], COLOURS[3]), (1500.0, 300.0), strict=True
        ):
            run = table[table["alpha"] == index].iloc[0]
            rng, dt = np.random.default_rng(seed), float(run["dt"])
            settings = {"alpha": index, "eps": float(run["eps"]), "dt": dt, "rows": round(time / dt)}
            path = levy_sde.euler(wells, np.array([wells.minima[1]]), **settings, generator=rng)[:, 0]
            panel.plot(dt * np.arange(1, len(path) + 1), path, color=colour, linewidth=0.5, rasterized=True)
            panel.set(xlabel="t", ylim=(-2.5, 6.5), title=rf"{_label(index)}, $\varepsilon = {run['eps']:.3g}$")
            for top in wells.maxima:
                panel.axhline(top, color="#777777", linestyle=":", linewidth=0.9)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


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
    labels = {"half_width": "half-width a", "eps": r"noise $\varepsilon$", "height": "depth H"}
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(2, 2, figsize=(9, 7))
        for panel, (vary, label) in zip(axes.flat, labels.items(), strict=False):
            for i, (alpha, of) in enumerate(levy[levy["vary"] == vary].groupby("alpha")):
                of = of.sort_values(vary)
                colour = COLOURS[i]
                panel.plot(of[vary], of["exit time, limit"], color=colour, linewidth=1.2)
                at = {"fmt": MARKERS[i], "ms": 5, "color": colour, "label": _label(alpha)}
                panel.errorbar(of[vary], of["exit time"], _Z * of["se"], **at)
            panel.set(xlabel=label, yscale="log", xscale="linear" if vary == "height" else "log", ylim=(8, 2000))
            panel.set_title(f"Lévy noise, against the {label}")
            _name_ticks(panel, levy.loc[levy["vary"] == vary, vary])
        _brownian_exits(axes[1, 1], runs[(runs["alpha"] == 2) & runs["vary"].isin(["eps", "height"])])
        for panel in axes[:, 0]:
            panel.set_ylabel("mean exit time T")
        axes[0, 0].legend()
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def _name_ticks(panel: Axes, values: pd.Series | pd.Index) -> None:
    """Ticks of the horizontal axis at the values that occur, as plain numbers."""
    ticks = sorted(set(values))
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.xaxis.set_minor_locator(mpl.ticker.NullLocator())


def _brownian_exits(panel: Axes, runs: pd.DataFrame) -> None:
    """Exit times against H / D, by series, with the exact mean and the limit."""
    runs = runs.assign(barrier=runs["height"] / runs["eps"] ** 2)
    names = {"eps": r"$\varepsilon$ varies (H = 1)", "height": "H varies (D = 0.2)"}
    for i, (vary, label) in enumerate(names.items()):
        of = runs[runs["vary"] == vary].sort_values("barrier")
        first, last = of.iloc[0], of.iloc[-1]
        x = np.linspace(first["barrier"], last["barrier"], 40)
        height = np.full(40, first["height"]) if vary == "eps" else x * first["eps"] ** 2
        settings = [
            (SymmetricWell(1.0, float(H)), float((H / barrier) ** 0.5)) for H, barrier in zip(height, x, strict=True)
        ]
        exact = [theory.brownian_exit_time(well, 1.5, eps) for well, eps in settings]
        panel.plot(x, exact, color=COLOURS[3 + i], linewidth=1.2)
        panel.plot(x, [theory.eyring_kramers(well, eps) for well, eps in settings], ":", color=COLOURS[3 + i])
        at = {"fmt": MARKERS[3 + i], "ms": 5, "color": COLOURS[3 + i], "label": label}
        panel.errorbar(of["barrier"], of["exit time"], _Z * of["se"], **at)
    panel.plot([], [], color="black", linewidth=1.2, label="exact mean")
    panel.plot([], [], ":", color="black", label="Eyring–Kramers")
    panel.set(xlabel="barrier H / D", yscale="log", ylim=(8, 2000), title="Brownian noise, against H / D")
    panel.legend()


def slope_table(results: Results) -> pd.DataFrame:
    """Slopes of ln T with their 95 % intervals.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a slope; `judged` says whether claim C9 rests on it.
    """
    slopes = claims.exit_slopes(results)
    noise = ["Brownian" if alpha == 2 else f"SaS {alpha:g}" for alpha in slopes["alpha"]]
    varies = slopes["series"].map({"half_width": "a", "height": "H", "eps": "eps"})
    table = slopes.assign(noise=noise, varies=varies, low=slopes["slope"] - _Z * slopes["se"])
    table = table.assign(high=slopes["slope"] + _Z * slopes["se"])
    table = table.rename(columns={"against": "slope of ln T in"})
    return table.set_index(["noise", "varies", "slope of ln T in"])[["slope", "low", "high", "expected", "judged"]]


def move_rates(results: Results) -> Figure:
    """Simulated rates of moves between wells over those of the generator, and the 5 % that claim C9 allows.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        One panel: twelve pairs of wells for each alpha.
    """
    ratios = claims.rate_ratios(results)
    ratios = ratios[ratios["kind"] == "move"]
    with mpl.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(9, 3.8))
        panel.axhspan(0.95, 1.05, color="#eeeeee", zorder=0)
        panel.axhline(1, color="black", linewidth=0.8)
        groups = list(ratios.groupby("alpha"))
        for i, (alpha, of) in enumerate(groups):
            x = np.arange(len(of)) + 0.2 * (i - (len(groups) - 1) / 2)
            at = {"fmt": MARKERS[i], "ms": 4.5, "color": COLOURS[i], "label": _label(alpha)}
            panel.errorbar(x, of["ratio"], _Z * of["se"], **at)
        names = [what.removeprefix("well ").replace(" to ", "→") for what in groups[0][1]["what"]]
        panel.set_xticks(range(len(names)), names)
        panel.set(xlabel="from well → to well", ylabel="simulated rate / theory")
        panel.grid(visible=False, axis="x")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def rates_by_noise(results: Results, more: Results) -> pd.DataFrame:
    """Rates of moves over those of the generator at one alpha, for each scale of the noise.

    Args:
        results: of the experiment ``metastability``.
        more: of the experiment ``metastability_limit``, at one alpha.

    Returns:
        Ratio (value) and its standard error by well (scope), well moved to (x) and eps.
    """
    alpha = float(more.runs["alpha"].iloc[0])
    parts = [of.table() for of in (results, more)]
    table = pd.concat([part[part["minima"].notna() & (part["alpha"] == alpha)] for part in parts])
    keys = ["scope", "x", "eps"]
    rate = table[table["quantity"] == "rate"].set_index(keys)[["value", "se"]]
    return rate.div(table[table["quantity"] == "rate, limit"].set_index(keys)["value"], axis=0).sort_index()


def toward_the_limit(results: Results, more: Results) -> Figure:
    """Rates of moves between neighbouring wells over those of the generator, against the scale of the noise.

    Args:
        results: of the experiment ``metastability``.
        more: of the experiment ``metastability_limit``, at one alpha.

    Returns:
        One panel.
    """
    ratio = rates_by_noise(results, more)
    with mpl.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=(8, 4))
        panel.axhspan(0.95, 1.05, color="#eeeeee", zorder=0)
        panel.axhline(1, color="black", linewidth=0.8)
        pairs = [(i, j) for i, j in ratio.index.droplevel("eps").unique() if abs(int(i.removeprefix("well ")) - j) == 1]
        for i, (scope, to) in enumerate(pairs):
            of = ratio.loc[(scope, to)]
            label = f"{scope.removeprefix('well ')}→{to:g}"
            x = of.index * 1.012 ** (i - (len(pairs) - 1) / 2)  # side by side
            at = {"fmt": MARKERS[i] + "-", "ms": 5, "linewidth": 1, "color": COLOURS[i], "label": label}
            panel.errorbar(x, of["value"], _Z * of["se"], **at)
        panel.set(
            xscale="log",
            xlabel=r"noise $\varepsilon$",
            ylabel="simulated rate / theory",
            title=_label(float(more.runs["alpha"].iloc[0])),
        )
        _name_ticks(panel, ratio.index.get_level_values("eps"))
        panel.legend(title="from→to", loc="upper left")
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def occupation_table(results: Results) -> pd.DataFrame:
    """Share of time in each well, beside the stationary law of the chain, or Gibbs' law for Brownian noise.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a noise and well: alpha, well, half-width, depth, share, se, theory.
    """
    table = _runs_between_wells(results)
    keys = ["alpha", "scope"]
    found = table[table["quantity"] == "occupation"].set_index(keys)[["value", "se"]]
    law = table[table["quantity"] == "occupation, limit"].set_index(keys)["value"].rename("theory")
    joined = found.join(law).rename(columns={"value": "share"}).reset_index().rename(columns={"scope": "well"})
    wells = wells_of(results)
    number = joined["well"].str.removeprefix("well ").astype(int) - 1
    widths, depths = wells.widths[number], np.array(wells.depths)[number]
    return joined.assign(half_width=widths, depth=depths)[
        ["alpha", "well", "half_width", "depth", "share", "se", "theory"]
    ]


def occupation(results: Results) -> Figure:
    """Share of time in each well against its half-width, for each noise, theory as black marks.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        One panel a noise.
    """
    table = occupation_table(results)
    groups = list(table.groupby("alpha"))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(groups), figsize=(2.6 * len(groups) + 0.5, 3.8), sharey=True, squeeze=False)
        for i, (panel, (alpha, of)) in enumerate(zip(axes[0], groups, strict=True)):
            of = of.sort_values("half_width")
            x = np.arange(len(of))
            colour = COLOURS[3] if alpha == 2 else COLOURS[i]
            panel.bar(x, of["share"], 0.7, yerr=_Z * of["se"], color=colour, alpha=0.75, label="simulated")
            panel.plot(x, of["theory"], "_", color="black", ms=22, mew=2, label="theory")
            names = zip(of["well"], of["half_width"], of["depth"], strict=True)
            ticks = [f"{w.removeprefix('well ')}\n{a:g}\n{H:g}" for w, a, H in names]
            panel.set_xticks(x, ticks)
            panel.set(xlabel="well, half-width, depth", title=_label(alpha))
            panel.grid(visible=False, axis="x")
        axes[0, 0].set_ylabel("share of time")
        axes[0, 0].legend(loc="upper left")
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def time_step(results: Results) -> Figure:
    """The exit time over its theory against the time step.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        Two panels: Brownian noise, over the exact mean; Levy noise, over the limit of small noise.
    """
    runs = exit_runs(results).query("vary == 'dt'").sort_values("dt")
    with mpl.rc_context(STYLE):
        figure, (brownian, levy) = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
        kinds = {
            (1.0, False): "on the maximum",
            (1.0, True): "on the maximum, edge shifted",
            (1.5, False): "past the maximum",
        }
        for i, ((edge, shifted), label) in enumerate(kinds.items()):
            of = runs[(runs["alpha"] == 2) & (runs["edge"] == edge) & (runs["shifted"] == shifted)]
            _against_step(brownian, of, "exit time, exact", 3 + i, label)
        colours = {alpha: i for i, alpha in enumerate(sorted(set(runs["alpha"]) - {2.0}))}
        for alpha, i in colours.items():
            for edge, filled in ((1.0, False), (1.5, True)):
                of = runs[(runs["alpha"] == alpha) & (runs["edge"] == edge)]
                label = f"{_label(alpha)}, {kinds[edge, False]}"
                _against_step(levy, of, "exit time, limit", i, label, filled=filled)
        brownian.set(ylabel="mean exit time / theory", title=r"Brownian, $\varepsilon = 0.5$, over the exact mean")
        levy.set(title=r"Lévy, $\varepsilon = 0.1$, over the limit of small $\varepsilon$")
        for panel in (brownian, levy):
            panel.axhline(1, color="black", linewidth=0.8)
            panel.set(xlabel="time step dt", xscale="log")
            _name_ticks(panel, runs.loc[(runs["alpha"] == 2) == (panel is brownian), "dt"])
            panel.legend(loc="upper left", fontsize=8)
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure


def _against_step(panel: Axes, of: pd.DataFrame, by: str, i: int, label: str, *, filled: bool = True) -> None:
    ratio, error = of["exit time"] / of[by], _Z * of["se"] / of[by]
    at = {"fmt": MARKERS[i] + ("-" if filled else "--"), "ms": 5, "color": COLOURS[i], "linewidth": 1, "label": label}
    panel.errorbar(of["dt"], ratio, error, mfc=COLOURS[i] if filled else "white", **at)


def largest_deviations(results: Results) -> pd.DataFrame:
    """What claim C9 was judged on, in short.

    Args:
        results: of the experiment ``metastability``.

    Returns:
        A line a noise and kind of check: how many, how many hold, the largest deviation and the interval of that one.
    """
    checks = claims.c9_checks(results)
    checks = checks.assign(deviation=checks["value"] - checks["expected"])
    rows = []
    for (alpha, kind), of in checks.groupby(["alpha", "kind"]):
        worst = of.loc[of["deviation"].abs().idxmax()]
        noise = "Brownian" if alpha == 2 else f"SaS {alpha:g}"
        held = int((of["outcome"] == "holds").sum())
        undecided = int((of["outcome"] == "undecided").sum())
        rows.append((noise, kind, len(of), held, undecided, worst["deviation"], worst["half"]))
    columns = ["noise", "check", "number", "hold", "undecided", "largest deviation", "95 % interval ±"]
    return pd.DataFrame(rows, columns=columns).set_index(["noise", "check"])
