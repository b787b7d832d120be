"""Figures of the stable laws."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils import stable

from ..style import COLOURS, STYLE


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
        tail.set(xscale="log", yscale="log", ylim=(1e-10, 1), title=r"tails ($\propto x^{-1-\alpha}$ for $\alpha < 2$)")
        centre.legend()
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
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
            panel.set(xlabel="t", title=rf"$\alpha = {alpha:g}$")
        axes[0].set(ylabel=r"$L^\alpha_t$")
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure
