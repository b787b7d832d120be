r"""A particle in an objective, driven by stable noise: :math:`dW_t = -f'(W_t)\,dt + \varepsilon\,dL_t`, by Euler's scheme.

:math:`E\,e^{i w L_t} = e^{-t |w|^\alpha}`: at alpha = 2, L has the variance 2t, *twice* that of standard Brownian motion:
the diffusion constant is :math:`D = \varepsilon^2` and the stationary density is proportional to :math:`e^{-f / D}`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy.random import Generator

from tailnoise_utils import stable

from .landscape import Landscape, Objective, check_positive

_Places = Float64[np.ndarray, " n"]
BROADIE = 0.5826  # -zeta(1/2) / sqrt(2 pi), the shift of a barrier in standard deviations of a step
_BLOCK = 2**16  # numbers drawn at a time
_STRIDE = 5  # steps from one look at the wells to the next
_CORE = 0.75  # share of the way from a minimum to a maximum that is surely in the well


def euler(
    objective: Objective, start: _Places, *, alpha: float, eps: float, dt: float, rows: int, generator: Generator
) -> Float64[np.ndarray, "rows n"]:
    r"""Return where particles are after each step :math:`W \leftarrow W - f'(W)\,dt + \varepsilon\,dt^{1/\alpha} S`."""
    check_positive(eps=eps, dt=dt)
    path = stable.sample(alpha, (rows, len(start)), sigma=eps * dt ** (1 / alpha), generator=generator)
    x = start
    for row in path:
        row += x
        row -= dt * objective.gradient(x)
        x = row
    return path


def exit_times(
    objective: Objective,
    edge: float,
    *,
    alpha: float,
    eps: float,
    dt: float,
    particles: int,
    generator: Generator,
    shifted: bool = False,
) -> Float64[np.ndarray, " particles"]:
    r"""Return the times at which particles that start at 0 are first seen outside :math:`(-\text{edge}, \text{edge})`.

    An edge that lies :math:`0.5826\,\varepsilon \sqrt{2\,dt}` further inside (`shifted`) makes up for looking once a step,
    under Brownian noise. Source: Broadie, Glasserman and Kou (1997), Mathematical Finance 7, 325-349.
    """
    if shifted and alpha != 2:
        raise ValueError(f"shifted at alpha = {alpha}: the shift of the edge is for Brownian noise, alpha = 2, only")
    check_positive(edge=edge, eps=eps, dt=dt, particles=particles)
    edge -= BROADIE * eps * math.sqrt(2 * dt) * shifted
    if edge <= 0:
        raise ValueError(f"dt = {dt} shifts the edge beyond 0: give a smaller time step")
    times, inside, x, done = np.empty(particles), np.arange(particles), np.zeros(particles), 0
    while len(inside):
        rows = min(max(_BLOCK // len(inside), 1), 1024)
        path = euler(objective, x, alpha=alpha, eps=eps, dt=dt, rows=rows, generator=generator)
        outside = np.abs(path) >= edge
        first, left = outside.argmax(0), outside.any(0)
        times[inside[left]] = (done + 1 + first[left]) * dt
        inside, x, done = inside[~left], path[-1, ~left], done + rows
    return times


@dataclass(frozen=True)
class Visits:
    """How often particles went from well to well, and how long they were where."""

    moves: Int64[np.ndarray, "particles r r"]  # from one well (second axis) to another (third)
    times: Float64[np.ndarray, "particles r"]  # between a move into a well and the move out of it
    shares: Float64[np.ndarray, "particles r"]  # of the time after the first fifth, between the maxima around a minimum

    def rates(self) -> tuple[Float64[np.ndarray, "r r"], Float64[np.ndarray, "r r"]]:
        """Return moves per time in the well they start from, with standard errors; NaN where no time was spent."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = self.moves.sum(0) / self.times.sum(0)[:, None]
            residual = self.moves - rate * self.times[:, :, None]
            n = len(self.times)
            return rate, np.sqrt((residual**2).sum(0) * n / (n - 1)) / self.times.sum(0)[:, None]

    def occupation(self) -> tuple[Float64[np.ndarray, " r"], Float64[np.ndarray, " r"]]:
        """Return the share of time in each well, with standard errors from the spread over the particles."""
        return self.shares.mean(0), self.shares.std(0, ddof=1) / math.sqrt(len(self.shares))


def visits(
    landscape: Landscape, *, alpha: float, eps: float, dt: float, time: float, particles: int, generator: Generator
) -> Visits:
    """Return what particles, equally many from each minimum, do in wells that reach 3/4 of the way to a maximum."""
    m, s, r = np.asarray(landscape.minima), np.asarray(landscape.maxima), len(landscape.minima)
    check_positive(time=time)
    if particles < 2 * r or particles % r:
        raise ValueError(f"particles = {particles}: take a multiple of {r}, the number of wells, from {2 * r} on")
    if time < 10 * _STRIDE * dt:
        raise ValueError(f"time = {time} is below {10 * _STRIDE} steps of dt = {dt}: follow the particles for longer")
    # The gates divide the line into, in turn, a core of a well and the region around a maximum.
    gates = np.stack([m[:-1] + _CORE * (s - m[:-1]), m[1:] - _CORE * (m[1:] - s)], 1).ravel()
    first, looks = r * np.arange(particles), round(time / (_STRIDE * dt))  # first: of a particle in times and shares
    well = np.arange(particles) % r
    moves = np.zeros((particles, r, r), dtype=np.int64)
    times, shares = np.zeros((2, particles * r), dtype=np.int64)
    for look, x in enumerate(_looks(landscape, m[well], looks, alpha=alpha, eps=eps, dt=dt, generator=generator)):
        interval = np.searchsorted(gates, x)
        moved = np.flatnonzero((interval % 2 == 0) & (interval // 2 != well))  # even intervals are the cores
        moves[moved, well[moved], interval[moved] // 2] += 1
        well[moved] = interval[moved] // 2
        times[first + well] += 1
        if 5 * look >= looks:
            shares[first + np.searchsorted(s, x)] += 1
    times, shares = times.reshape(particles, r) * (_STRIDE * dt), shares.reshape(particles, r)
    return Visits(moves, times, shares / shares.sum(1, keepdims=True))


def _looks(objective: Objective, x: _Places, looks: int, **settings: Any) -> Iterator[_Places]:
    """Yield where particles are after every `_STRIDE` steps, `looks` times."""
    most = max(_BLOCK // (len(x) * _STRIDE), 1)
    while looks:
        rows = min(most, looks) * _STRIDE
        path = euler(objective, x, rows=rows, **settings)
        yield from path[_STRIDE - 1 :: _STRIDE]
        looks, x = looks - rows // _STRIDE, path[-1]
