"""Exits from a well, and moves between wells, under Levy and Brownian noise."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exits import theory
from ..exits.landscape import Landscape, SymmetricWell
from ..exits.levy_sde import exit_times, visits
from ..results import store
from .spec import Progress, Row, Spec

_QUICK = 10**9  # steps of a particle that `verify` may repeat: less than a minute
# Four wells: of medium width; wide and shallow; narrow and deep; of medium width.
_WELLS = {"minima": (-1.0, 1.2, 3.1, 4.7), "maxima": (0.0, 2.4, 3.8), "depths": (0.8, 0.6, 1.0, 0.8)}


@dataclass(frozen=True)
class _Simulated(Spec):
    """What simulations have in common."""

    def _settings(self) -> dict[str, Any]:
        """Return what each is told, with a generator that no other run shares, whatever their common seed."""
        settings = {name: getattr(self, name) for name in ("alpha", "eps", "dt", "particles")}
        return settings | {"generator": np.random.default_rng(int(store.digest(self)[:32], 16))}


@dataclass(frozen=True)
class ExitSpec(_Simulated):
    """First exits from a symmetric well (:class:`tailnoise_utils.study.exits.landscape.SymmetricWell`)."""

    vary: str  # the setting that varies in the series of this run: "half_width", "eps", "height" or "dt"
    alpha: float  # index of the noise
    half_width: float  # of the well
    height: float
    eps: float  # scale of the noise
    dt: float  # time step
    edge: float  # where the exit is, in half-widths: 1 on the maxima, 1.5 past them
    shifted: bool  # whether the edge is shifted for the time step; at alpha = 2 only
    particles: int
    seed: int

    def _theory(self) -> dict[str, float]:
        """Return mean exit times: in the limit of small noise and, where it is known, exactly."""
        if self.alpha < 2:
            return {"limit": theory.levy_exit_time(self.alpha, self.half_width, self.eps)}
        well = SymmetricWell(self.half_width, self.height)
        on_maximum = 2 if self.edge == 1 else 1  # from there every second particle comes back
        exact = theory.brownian_exit_time(well, self.edge * self.half_width, self.eps)
        return {"limit": theory.eyring_kramers(well, self.eps) / on_maximum, "exact": exact}

    @property
    def quick(self) -> bool:
        """Whether `verify` repeats the run."""
        return self.particles * self._theory()["limit"] / self.dt <= _QUICK

    def rows(self, progress: Progress) -> list[Row]:
        """Return mean exit time and standard deviation over mean, with standard errors, and what theory says."""
        well, edge = SymmetricWell(self.half_width, self.height), self.edge * self.half_width
        times = exit_times(well, edge, shifted=self.shifted, **self._settings())
        progress(1.0)
        mean, sd, n = times.mean(), times.std(ddof=1), len(times)
        z = (times - mean) / sd
        # How much each time moves sd / mean: its standard error follows from their spread.
        influence = sd / mean * ((z**2 - 1) / 2 - (times - mean) / mean)
        return [
            {"quantity": "exit time", "value": mean, "se": sd / math.sqrt(n)},
            {"quantity": "sd / mean", "value": sd / mean, "se": influence.std(ddof=1) / math.sqrt(n)},
            *({"quantity": f"exit time, {name}", "value": value} for name, value in self._theory().items()),
        ]


@dataclass(frozen=True)
class WellsSpec(_Simulated):
    """Moves between the wells of a :class:`tailnoise_utils.study.exits.landscape.Landscape`, and the time spent in them."""

    minima: tuple[float, ...]
    maxima: tuple[float, ...]
    depths: tuple[float, ...]
    alpha: float  # index of the noise
    eps: float  # scale of the noise
    dt: float  # time step
    time: float  # how long each particle is followed
    particles: int
    seed: int

    @property
    def quick(self) -> bool:
        """Whether `verify` repeats the run."""
        return self.particles * self.time / self.dt <= _QUICK

    def rows(self, progress: Progress) -> list[Row]:
        """Return for each well the share of time in it and the rates of moves to each well x, and what theory says."""
        landscape = Landscape(self.minima, self.maxima, self.depths)
        stays = visits(landscape, time=self.time, **self._settings())
        progress(1.0)
        if self.alpha < 2:
            chain = theory.generator_matrix(self.minima, self.maxima, self.alpha, self.eps)
            law = theory.stationary_law(chain)
        else:
            chain, law = None, theory.gibbs_law(landscape, self.eps)
        rows: list[Row] = []
        for i, (share, se, limit) in enumerate(zip(*stays.occupation(), law, strict=True), 1):
            rows.append({"scope": f"well {i}", "quantity": "occupation", "value": share, "se": se})
            rows.append({"scope": f"well {i}", "quantity": "occupation, limit", "value": limit})
        rates, errors = stays.rates()
        for i, j in np.argwhere(~np.eye(len(rates), dtype=bool)):
            move = {"scope": f"well {i + 1}", "x": float(j + 1)}
            rows.append(move | {"quantity": "rate", "value": rates[i, j], "se": errors[i, j]})
            if chain is not None:
                rows.append(move | {"quantity": "rate, limit", "value": chain[i, j]})
        return rows


def _exits(profile: str, alpha: float) -> list[ExitSpec]:
    """Return series of exit times against width, depth, noise and time step, about a = H = 1 and a medium noise."""
    smoke, brownian = profile == "smoke", alpha == 2
    particles = 50 if smoke else 4000 if brownian else 6000
    # Time steps: a fiftieth (Brownian) or a tenth (Levy) of the inverse curvature, 5 H / a^2. D = eps^2 at alpha = 2.
    if brownian:
        eps, step = 5**-0.5, 0.004
        scales, heights = [barrier**-0.5 for barrier in (3, 4, 5, 6, 7)], (0.6, 0.8, 1.0, 1.2, 1.4)
    else:
        eps, step = 0.1, 0.02
        scales, heights = [0.2, 0.14, 0.1, 0.07, 0.05], (0.5, 0.7, 1.0, 1.4, 2.0)
    series = {"half_width": (0.5, 0.7, 1.0, 1.4, 2.0), "height": heights, "eps": scales}
    specs = []
    for vary, values in series.items():
        for value in values[:3] if smoke else values:  # smoke leaves out the slowest
            settings: dict[str, Any] = {"half_width": 1.0, "height": 1.0, "eps": eps, "edge": 1.5} | {vary: value}
            dt = round(step * settings["half_width"] ** 2 / settings["height"], 6)
            specs.append(ExitSpec(vary, alpha, **settings, dt=dt, shifted=brownian, particles=particles, seed=0))
    # On the maximum, where it matters most how often one looks, and past it.
    steps = (0.04, 0.02, 0.01, 0.005, 0.0025)[: 3 if smoke else 5 if brownian else 4]
    noise = 0.5 if brownian else eps
    for edge, shifted in ((1.0, False), (1.0, True), (1.5, False)):
        for dt in steps if brownian or not shifted else ():
            specs.append(ExitSpec("dt", alpha, 1.0, 1.0, noise, dt, edge, shifted, particles, seed=0))
    return specs


def metastability(profile: str) -> tuple[ExitSpec | WellsSpec, ...]:
    """Simulate exits from a well, and moves between four wells, under Levy and Brownian noise."""
    # Followed for some 60 moves each. The scale of the Levy noise is such that moves are rare for every alpha alike.
    runs = {1.2: (0.0315, 0.02, 9000.0), 1.5: (0.063, 0.02, 12_000.0), 1.8: (0.12, 0.02, 20_000.0)}
    runs[2.0] = (0.2**0.5, 0.005, 3000.0)
    specs: list[ExitSpec | WellsSpec] = []
    for alpha, (eps, dt, time) in runs.items():
        if profile == "smoke" and alpha in (1.2, 1.8):
            continue
        specs += _exits(profile, alpha)
        particles = 4000 if alpha < 2 else 1000
        if profile == "smoke":
            particles, time = (100, 1000.0) if alpha < 2 else (100, 200.0)
        specs.append(WellsSpec(**_WELLS, alpha=alpha, eps=eps, dt=dt, time=time, particles=particles, seed=0))
    return tuple(specs)


def metastability_limit(profile: str) -> tuple[WellsSpec, ...]:
    """Simulate moves between the four wells at the largest alpha, with less and less noise, and half the time step."""
    if profile == "smoke":
        alpha, particles = 1.5, 100
        runs = [(0.2, 0.02, 200.0), (0.12, 0.02, 400.0), (0.12, 0.01, 400.0)]
    else:
        alpha, particles = 1.8, 2000
        runs = [(0.2, 0.02, 8000.0), (0.12, 0.02, 40_000.0), (0.085, 0.02, 40_000.0), (0.06, 0.02, 70_000.0)]
        runs.append((0.12, 0.01, 20_000.0))
    return tuple(
        WellsSpec(**_WELLS, alpha=alpha, eps=eps, dt=dt, time=time, particles=particles, seed=1)
        for eps, dt, time in runs
    )
