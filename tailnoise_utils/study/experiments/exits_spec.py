"""Exits from a well, and moves between wells, under Levy and Brownian noise."""

import math
from dataclasses import dataclass

import numpy as np

from ..exits import theory
from ..exits.landscape import Landscape, SymmetricWell
from ..exits.levy_sde import Visits, exit_times, visits
from ..results import store
from .spec import Drawn, Progress, Row

__all__ = ["ExitSpec", "WellsSpec"]

_QUICK = 10**9  # steps of a particle that `verify` may repeat: less than a minute


@dataclass(frozen=True)
class _Simulated(Drawn):
    """What simulations have in common."""

    def _generator(self) -> np.random.Generator:
        """Of random numbers that no other run has, whatever their common seed."""
        return np.random.default_rng(int(store.digest(self)[:32], 16))


@dataclass(frozen=True)
class ExitSpec(_Simulated):
    """First exits from a symmetric well (:class:`tailnoise_utils.study.exits.landscape.SymmetricWell`).

    Attributes:
        vary: which setting the run belongs to a series of: "half_width", "eps", "height" or "dt".
        alpha: index of the noise.
        half_width: of the well.
        height: of the well.
        eps: scale of the noise.
        dt: time step.
        edge: where the exit is, in half-widths: 1 on the maxima, 1.5 past them.
        shifted: whether the edge is shifted for the time step; at alpha = 2 only.
        particles: how many.
        seed: of the noise.
    """

    vary: str
    alpha: float
    half_width: float
    height: float
    eps: float
    dt: float
    edge: float
    shifted: bool
    particles: int
    seed: int

    def _theory(self) -> dict[str, float]:
        """Mean exit times: in the limit of small noise and, where it is known, exactly."""
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
        """Simulate.

        Args:
            progress: told how much is done.

        Returns:
            Mean exit time with its standard error, standard deviation over mean, and what theory says.
        """
        times = exit_times(
            SymmetricWell(self.half_width, self.height),
            self.edge * self.half_width,
            alpha=self.alpha,
            eps=self.eps,
            dt=self.dt,
            particles=self.particles,
            generator=self._generator(),
            shifted=self.shifted,
        )
        progress(1.0)
        mean, sd, n = times.mean(), times.std(ddof=1), len(times)
        # Influence of each time on sd / mean.
        z = (times - mean) / sd
        influence = sd / mean * ((z**2 - 1) / 2 - (times - mean) / mean)
        return [
            {"quantity": "exit time", "value": mean, "se": sd / math.sqrt(n)},
            {"quantity": "sd / mean", "value": sd / mean, "se": influence.std(ddof=1) / math.sqrt(n)},
            *({"quantity": f"exit time, {name}", "value": value} for name, value in self._theory().items()),
        ]


@dataclass(frozen=True)
class WellsSpec(_Simulated):
    """Moves between the wells of a landscape (:class:`tailnoise_utils.study.exits.landscape.Landscape`), and the time spent in them.

    Attributes:
        minima: of the landscape.
        maxima: between them.
        depths: of the minima.
        alpha: index of the noise.
        eps: its scale.
        dt: time step.
        time: how long each particle is followed.
        particles: how many.
        seed: of the noise.
    """

    minima: tuple[float, ...]
    maxima: tuple[float, ...]
    depths: tuple[float, ...]
    alpha: float
    eps: float
    dt: float
    time: float
    particles: int
    seed: int

    @property
    def quick(self) -> bool:
        """Whether `verify` repeats the run."""
        return self.particles * self.time / self.dt <= _QUICK

    def rows(self, progress: Progress) -> list[Row]:
        """Simulate.

        Args:
            progress: told how much is done.

        Returns:
            Per well (scope, from "well 1" on): rates of moves to the well x beside those of the limiting chain (for
            alpha < 2); the share of time in it beside the chain's stationary law, at alpha = 2 beside Gibbs' law.
        """
        found = visits(
            landscape := Landscape(self.minima, self.maxima, self.depths),
            alpha=self.alpha,
            eps=self.eps,
            dt=self.dt,
            time=self.time,
            particles=self.particles,
            generator=self._generator(),
        )
        progress(1.0)
        if self.alpha == 2:
            return _occupied(found, theory.gibbs_law(landscape, self.eps)) + _moved(found, None)
        chain = theory.generator_matrix(self.minima, self.maxima, self.alpha, self.eps)
        return _occupied(found, theory.stationary_law(chain)) + _moved(found, chain)


def _occupied(found: Visits, law: np.ndarray) -> list[Row]:
    rows = []
    for i, (share, se, limit) in enumerate(zip(*found.occupation(), law, strict=True), 1):
        rows += [
            {"scope": f"well {i}", "quantity": "occupation", "value": share, "se": se},
            {"scope": f"well {i}", "quantity": "occupation, limit", "value": limit},
        ]
    return rows


def _moved(found: Visits, chain: np.ndarray | None) -> list[Row]:
    rows: list[Row] = []
    rates, errors = found.rates()
    for i, j in np.argwhere(~np.eye(len(rates), dtype=bool)):
        at = {"scope": f"well {i + 1}", "x": float(j + 1)}
        rows.append(at | {"quantity": "rate", "value": rates[i, j], "se": errors[i, j]})
        if chain is not None:
            rows.append(at | {"quantity": "rate, limit", "value": chain[i, j]})
    return rows
