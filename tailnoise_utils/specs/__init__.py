"""The kinds of runs: frozen settings, and how they become rows.

A spec has `data_sha256()` (of the data it reads, "" if none), `rows(progress)`, `seconds(rows)`, `status(rows)`, `keep` and
`again` (one snapshot beside the results, measured again), and `forget()`, which deletes what the cache keeps for it.
"""

from ._measured import Row
from .estimator import EstimatorSpec
from .noise import AnatomySpec, NoiseSpec
from .norms import NormsSpec
from .power import PowerSpec
from .scaling import ScalingSpec
from .splits import SplitsSpec

__all__ = [
    "AnatomySpec",
    "EstimatorSpec",
    "NoiseSpec",
    "NormsSpec",
    "PowerSpec",
    "Row",
    "ScalingSpec",
    "Spec",
    "SplitsSpec",
]

Spec = NoiseSpec | AnatomySpec | NormsSpec | ScalingSpec | SplitsSpec | EstimatorSpec | PowerSpec
