"""Drawings and tables of the book: one function a figure, from stored results to a matplotlib figure."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from ..claims.exits import exit_runs
from ..results.reading import DATA, INDICES, LOSSES, provenance_line, statuses, untrained, with_settings
from ..results.store import Results
from . import interactive
from .batch_size import (
    against_batch_size,
    batch_scaling,
    batch_scaling_layers,
    batch_table,
    implied_table,
    log_scales,
)
from .blind_spots import block_length_and_order, known_parts, noise_and_twin, parts_table, zero_shares
from .claims import verdicts
from .cost import call_table, cost_ratios, cost_table
from .decomposition import (
    against_block_length,
    along_training,
    column_index,
    decomposition_against_width,
    decomposition_by_size,
    decomposition_table,
    first_layer_shares,
    layer_table,
    layers,
    parts_along_training,
    waterfall,
    with_spread,
)
from .departures import departure_table, departures
from .estimators import (
    bias_table,
    closed_form_table,
    estimator_efficiency,
    estimator_recovery,
    unstable_laws,
    unstable_table,
)
from .exits import (
    exit_times,
    landscape_and_paths,
    largest_deviations,
    move_rates,
    occupation,
    occupation_table,
    rates_by_noise,
    slope_table,
    time_step,
    toward_the_limit,
)
from .iterations import first_and_last, iterations, last_value
from .laws import densities, paths
from .norms import norm_histograms, norm_quantiles, norm_table
from .power import power_limits, power_of_tests, power_table, power_words
from .sizes import against_filters, against_width, at_the_end, corner_table, readable, size_table, trained_table

FIGURES: dict[str, Callable[[Results], Figure]] = {
    "iterations": iterations,
    "iterations_decomposition": parts_along_training,
    "noise_histogram": norm_histograms,
    "decomposition": waterfall,
    "batch_scaling": batch_scaling,
    "estimator": estimator_efficiency,
    "power": power_of_tests,
    "metastability": exit_times,
    "metastability_limit": toward_the_limit,
    "fcn_size": against_width,
    "cnn_size": against_filters,
    "batch_size": against_batch_size,
    "departures": departures,
    "cost": cost_ratios,
}
_TABLES: dict[str, Callable[[Results], pd.DataFrame]] = {
    "iterations_decomposition": decomposition_table,
    "noise_histogram": norm_table,
    "decomposition": decomposition_table,
    "batch_scaling": implied_table,
    "power": power_table,
    "metastability": slope_table,
    "metastability_limit": rates_by_noise,
    "fcn_size": size_table,
    "cnn_size": size_table,
    "batch_size": batch_table,
    "departures": departure_table,
    "cost": cost_table,
}


def summary(experiment: str, results: Results) -> pd.DataFrame:
    """Return the numbers of an experiment in a small table: that of its page, or means over the seeds."""
    if experiment in _TABLES:
        return _TABLES[experiment](results)
    table = results.table()
    if experiment == "iterations":
        chosen = table[(table["scope"] == "all") & table["quantity"].isin(["loss", "accuracy", *INDICES.values()])]
        columns = ["split", "quantity"]
        return chosen.pivot_table(index=["model", "dataset", "iteration"], columns=columns, values="value", sort=False)
    chosen = table[table["quantity"] == "1/alpha"]
    return chosen.pivot_table(index=["law", "parameter", "size"], columns="scope", values="value")
