"""Densities and paths of the stable laws."""

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils import stable

from ..style import COLOURS, WIDTH, figure


@figure
def densities(alphas: Sequence[float], largest: float = 20.0) -> Figure:
    """Draw densities of SaS(1): near zero, up to `largest` on a log scale, and the tail on two log scales."""
    drawn, panels = plt.subplots(1, 3, figsize=(WIDTH, 3.4))
    ranges = (np.linspace(-5, 5, 401), np.linspace(-largest, largest, 801), np.geomspace(1, 1000, 200))
    for panel, x in zip(panels, ranges, strict=True):
        for i, alpha in enumerate(alphas):
            panel.plot(x, stable.pdf(x, alpha), color=COLOURS[i], label=rf"$\alpha = {alpha:g}$")
        panel.set(xlabel="x (units of σ)")
    centre, log, tail = panels
    centre.set(ylabel="density (1/σ)", title="centre")
    log.set(yscale="log", ylim=(1e-8, 1), title="log scale")
    tail.set(xscale="log", yscale="log", ylim=(1e-10, 1), title=r"tails ($x^{-1-\alpha}$ for $\alpha < 2$)")
    drawn.legend(*centre.get_legend_handles_labels(), loc="outside lower center", ncols=len(alphas))
    return drawn


@figure
def paths(times: np.ndarray, curves: dict[float, np.ndarray]) -> Figure:
    """Draw a panel for each path (alpha -> its values at the times) of the Levy motion; its largest jumps in black."""
    drawn, panels = plt.subplots(1, len(curves), figsize=(WIDTH, 3))
    for i, (panel, (alpha, path)) in enumerate(zip(panels, curves.items(), strict=True)):
        panel.plot(times, path, color=COLOURS[i], linewidth=0.9)
        for jump in np.argsort(np.abs(np.diff(path)))[-3:]:
            panel.plot(times[jump : jump + 2], path[jump : jump + 2], color="black", linewidth=1.8)
        panel.set(xlabel="t", title=rf"$\alpha = {alpha:g}$")
    panels[0].set(ylabel=r"$L^\alpha_t$")
    return drawn
