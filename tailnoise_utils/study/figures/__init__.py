"""Figures and tables of the book, a module a topic; here, what the command `show` draws."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from ..results.store import Results
from . import (
    arms,
    batch_size,
    controls,
    cost,
    decomposition,
    departures,
    estimators,
    exits,
    iterations,
    jump,
    norms,
    power,
    sizes,
)
from .few_images import against_events, noise_table

# What `show` draws and prints of an experiment.
SHOWN: dict[str, tuple[Callable[[Results], Figure], Callable[[Results], pd.DataFrame]]] = {
    "iterations": (iterations.along_training, iterations.landmarks),
    "iterations_decomposition": (decomposition.parts_along_training, decomposition.decomposition_table),
    "noise_histogram": (norms.one_iteration, norms.norm_table),
    "decomposition": (decomposition.waterfall, decomposition.decomposition_table),
    "batch_scaling": (batch_size.batch_scaling, batch_size.exponent_table),
    "estimator": (estimators.estimator_efficiency, estimators.means),
    "power": (power.power_of_tests, power.power_table),
    "metastability": (exits.exit_times, exits.slope_table),
    "metastability_limit": (exits.toward_the_limit, exits.rates_by_noise),
    "fcn_size": (sizes.against_width, sizes.late_table),
    "cnn_size": (sizes.against_filters, sizes.late_table),
    "batch_size": (sizes.against_batch_size, sizes.late_table),
    "departures": (departures.departures, departures.departure_table),
    "controls": (controls.flipped_images, controls.short_table),
    "training": (arms.arms, arms.short_table),
    "jump": (jump.drops_along_training, jump.short_table),
    "few_images": (against_events, noise_table),
    "cost": (cost.cost_ratios, cost.cost_table),
}
