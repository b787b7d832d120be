"""Exits from wells under Levy and Brownian noise."""

from typing import Any

from .exits_spec import ExitSpec, WellsSpec
from .spec import Spec

# Four wells: of medium width; wide and shallow; narrow and deep; of medium width.
_WELLS = {"minima": (-1.0, 1.2, 3.1, 4.7), "maxima": (0.0, 2.4, 3.8), "depths": (0.8, 0.6, 1.0, 0.8)}


def _exits(profile: str, alpha: float) -> list[ExitSpec]:
    """Series of exit times against width, depth, noise and time step, about a = H = 1 and a medium noise."""
    smoke, brownian = profile == "smoke", alpha == 2
    particles = 400 if smoke else 4000 if brownian else 6000
    # Time steps: a fiftieth (Brownian) or a tenth (Levy) of the inverse curvature, 5 H / a^2. D = eps^2 at alpha = 2.
    eps, step = (5**-0.5, 0.004) if brownian else (0.1, 0.02)
    if brownian:
        scales, heights = [barrier**-0.5 for barrier in (3, 4, 5, 6, 7)], (0.6, 0.8, 1.0, 1.2, 1.4)
    else:
        scales, heights = [0.05, 0.07, 0.1, 0.14, 0.2], (0.5, 0.7, 1.0, 1.4, 2.0)
    chosen = slice(0, 3) if smoke else slice(None)  # of the slowest, smoke does without
    series: list[dict[str, Any]] = [
        *({"vary": "half_width", "half_width": a} for a in (0.5, 0.7, 1.0, 1.4, 2.0)[chosen]),
        *({"vary": "height", "height": H} for H in heights[chosen]),
        *({"vary": "eps", "eps": of} for of in (scales if brownian else scales[::-1])[chosen]),
    ]
    specs = []
    for of in series:
        settings = {"half_width": 1.0, "height": 1.0, "eps": eps} | of
        dt = round(step * settings["half_width"] ** 2 / settings["height"], 6)
        specs.append(ExitSpec(alpha=alpha, **settings, dt=dt, edge=1.5, shifted=brownian, particles=particles, seed=0))
    # On the maximum itself, where it matters most how often one looks, and past it.
    steps = (0.04, 0.02, 0.01, 0.005) if smoke or not brownian else (0.04, 0.02, 0.01, 0.005, 0.0025)
    for edge, shifted in ((1.0, False), (1.0, True), (1.5, False)):
        for dt in steps if brownian or not shifted else ():
            noise = 0.5 if brownian else eps
            specs.append(ExitSpec("dt", alpha, 1.0, 1.0, noise, dt, edge, shifted, particles, seed=0))
    return specs


def metastability(profile: str) -> tuple[Spec, ...]:
    """Exit times from a well, rates between four wells and time spent in them, under Levy and Brownian noise."""
    # Followed for some 60 moves each. The scale of the Levy noise is such that moves are rare for every alpha alike.
    runs = {1.2: (0.0315, 0.02, 9000.0), 1.5: (0.063, 0.02, 12_000.0), 1.8: (0.12, 0.02, 20_000.0)}
    runs[2.0] = (0.2**0.5, 0.005, 3000.0)
    specs: list[Spec] = []
    for alpha, (eps, dt, time) in runs.items():
        if profile == "smoke" and alpha in (1.2, 1.8):
            continue
        specs += _exits(profile, alpha)
        particles = 4000 if alpha < 2 else 1000
        if profile == "smoke":
            particles, time = (400, 2000.0) if alpha < 2 else (200, 500.0)
        specs.append(WellsSpec(**_WELLS, alpha=alpha, eps=eps, dt=dt, time=time, particles=particles, seed=0))
    return tuple(specs)


def metastability_limit(profile: str) -> tuple[Spec, ...]:
    """Rates between the four wells at the largest alpha: with more and with less noise, and at half the time step."""
    alpha, particles = 1.8, 2000
    runs = [(0.2, 0.02, 8000.0), (0.12, 0.02, 40_000.0), (0.085, 0.02, 40_000.0), (0.06, 0.02, 70_000.0)]
    runs.append((0.12, 0.01, 20_000.0))
    if profile == "smoke":
        alpha, runs, particles = 1.5, [(0.2, 0.02, 200.0), (0.12, 0.02, 400.0), (0.12, 0.01, 400.0)], 400
    return tuple(
        WellsSpec(**_WELLS, alpha=alpha, eps=eps, dt=dt, time=time, particles=particles, seed=1)
        for eps, dt, time in runs
    )
