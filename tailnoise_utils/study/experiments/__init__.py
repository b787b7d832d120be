"""What the book runs: the grid of every experiment in every profile.

Profiles: ``smoke`` (digits, seconds, computed where needed), ``laptop`` (hours, results committed), ``paper`` (the paper's
settings, some 45 core-hours), ``full`` (all of its sizes), ``constant`` (65,000 steps of a constant size); else ``laptop``.
"""

from collections.abc import Callable

from .arms import training_grid
from .batch_size import batch_scaling_grid, batch_size_grid
from .controls import controls_grid
from .cost import costs
from .departures import departures_grid
from .estimators import estimator_grid
from .exits import metastability, metastability_limit
from .few_images import few_images_grid
from .iterations import decomposition_grid, iterations_decomposition_grid, iterations_grid
from .jump import jump_grid
from .norms import noise_histogram_grid
from .paper import PAPER
from .power import power_grid
from .sizes import cnn_size_grid, fcn_size_grid
from .spec import Spec

__all__ = ["EXPERIMENTS", "PAPER", "PROFILES", "check_profile", "grid"]

PROFILES = ("smoke", "laptop", "constant", "paper", "full")

EXPERIMENTS: dict[str, Callable[[str], tuple[Spec, ...]]] = {
    "iterations": iterations_grid,
    "iterations_decomposition": iterations_decomposition_grid,
    "noise_histogram": noise_histogram_grid,
    "decomposition": decomposition_grid,
    "batch_scaling": batch_scaling_grid,
    "estimator": estimator_grid,
    "power": power_grid,
    "metastability": metastability,
    "metastability_limit": metastability_limit,
    "fcn_size": fcn_size_grid,
    "cnn_size": cnn_size_grid,
    "batch_size": batch_size_grid,
    "departures": departures_grid,
    "cost": costs,
    "controls": controls_grid,
    "few_images": few_images_grid,
    "jump": jump_grid,
    "training": training_grid,
}


def grid(experiment: str, profile: str) -> tuple[Spec, ...]:
    """Give the runs of an experiment in a profile."""
    if experiment not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {experiment!r}; choose one of {', '.join(EXPERIMENTS)}")
    if (profile := check_profile(profile)) in ("paper", "full") and experiment in PAPER:
        return PAPER[experiment](full=profile == "full")
    return EXPERIMENTS[experiment](profile)


def check_profile(profile: str) -> str:
    """Return the name of a profile; refuse an unknown one with a ValueError that lists the valid ones."""
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    return profile
