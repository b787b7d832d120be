"""Densities and paths of the stable laws."""

import numpy as np
from matplotlib import pyplot as plt

from tailnoise_utils import stable

from ..style import COLOURS, WIDTH, figure
from .exits import noise_name

_ALPHAS = (1.2, 1.5, 1.8, 2.0)  # in the colours that they have in the figures of exits


@figure
def densities_and_paths() -> plt.Figure:
    """Draw densities of SaS(1), linear and on log scales, and Levy paths with their largest jumps in black."""
    drawn, panels = plt.subplot_mosaic([["centre", "centre", "tail", "tail"], list(_ALPHAS)], figsize=(WIDTH, 5))
    centre, tail, times = np.linspace(-5, 5, 401), np.geomspace(0.5, 100, 200), np.linspace(0, 1, 2001)
    for colour, alpha in zip(COLOURS, _ALPHAS, strict=False):
        panels["centre"].plot(centre, stable.pdf(centre, alpha), color=colour)
        x = tail[stable.pdf(tail, alpha) > 2e-7]
        panels["tail"].plot(x, y := stable.pdf(x, alpha), color=colour)
        panels["tail"].annotate(noise_name(alpha), (x[-1], y[-1]), (4, -3), textcoords="offset points", color=colour)
        path = stable.levy_path(alpha, times, generator=np.random.default_rng([0, int(10 * alpha)]))[0]
        panels[alpha].plot(times, path, color=colour, linewidth=0.9)
        for jump in np.argsort(np.abs(np.diff(path)))[-3:] if alpha < 2 else ():
            panels[alpha].plot(times[jump : jump + 2], path[jump : jump + 2], color="black", linewidth=1.8)
        panels[alpha].set(xlabel="time t", title=noise_name(alpha))
    panels["centre"].set(xlabel="x (units of σ)", title="density (1/σ), centre")
    panels["tail"].set(xlabel="x (units of σ)", title="density (1/σ), tail", xscale="log", yscale="log", ylim=(1e-7, 1))
    panels[_ALPHAS[0]].set_ylabel(r"$L_t$")
    return drawn
