"""The kinds of runs: frozen settings, and how they become rows.

A spec has `data_sha256()` (of the data it reads, "" if none), `rows(progress)`, `seconds()`, `status(rows)`, `sample(rows)`
and `again` (one snapshot beside the results, measured again), `alone()` (one process at a time), and `forget()`, which
deletes what the cache keeps for it.
"""

from ._measured import Row
from .estimator import EstimatorSpec
from .metastability import ExitSpec, WellsSpec
from .noise import AnatomySpec, NoiseSpec
from .norms import NormsSpec
from .power import PowerSpec
from .scaling import ScalingSpec

__all__ = [
    "AnatomySpec",
    "EstimatorSpec",
    "ExitSpec",
    "NoiseSpec",
    "NormsSpec",
    "PowerSpec",
    "Row",
    "ScalingSpec",
    "Spec",
    "WellsSpec",
]

Spec = NoiseSpec | AnatomySpec | NormsSpec | ScalingSpec | EstimatorSpec | PowerSpec | ExitSpec | WellsSpec
