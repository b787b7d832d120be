"""Drawings and tables of the book: one function a figure, from stored results to a matplotlib figure."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from ..results.reading import INDICES
from ..results.store import Results
from . import batch_size, cost, decomposition, departures, estimators, exits, iterations, norms, power, sizes

FIGURES: dict[str, Callable[[Results], Figure]] = {
    "iterations": iterations.iterations,
    "iterations_decomposition": decomposition.parts_along_training,
    "noise_histogram": norms.norm_histograms,
    "decomposition": decomposition.waterfall,
    "batch_scaling": batch_size.batch_scaling,
    "estimator": estimators.estimator_efficiency,
    "power": power.power_of_tests,
    "metastability": exits.exit_times,
    "metastability_limit": exits.toward_the_limit,
    "fcn_size": sizes.against_width,
    "cnn_size": sizes.against_filters,
    "batch_size": batch_size.against_batch_size,
    "departures": departures.departures,
    "cost": cost.cost_ratios,
}
_TABLES: dict[str, Callable[[Results], pd.DataFrame]] = {
    "iterations_decomposition": decomposition.decomposition_table,
    "noise_histogram": norms.norm_table,
    "decomposition": decomposition.decomposition_table,
    "batch_scaling": batch_size.implied_table,
    "power": power.power_table,
    "metastability": exits.slope_table,
    "metastability_limit": exits.rates_by_noise,
    "fcn_size": sizes.size_table,
    "cnn_size": sizes.size_table,
    "batch_size": batch_size.batch_table,
    "departures": departures.departure_table,
    "cost": cost.cost_table,
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
