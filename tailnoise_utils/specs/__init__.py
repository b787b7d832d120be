"""The kinds of runs: frozen settings, and how they become rows.

A spec has `data_sha256()` (of the data it reads, "" if none), `device()` (what it is computed on), `rows(progress)`,
`seconds()`, `status(rows)`, `sample(rows)` and `again` (one snapshot beside the results, measured again), `once`
(quantities that no second time gives again), `alone()` (one process at a time), and `forget()`, which deletes what the
cache keeps for it.
"""

from ._measured import Row
from .batch_size import BatchSizeSpec
from .cost import CostSpec, ImportCostSpec, SamplerCostSpec
from .departures import DeparturesSpec
from .estimator import EstimatorSpec
from .metastability import ExitSpec, WellsSpec
from .noise import AnatomySpec, NoiseSpec
from .norms import NormsSpec
from .power import PowerSpec
from .scaling import ScalingSpec
from .splits import SplitsSpec

__all__ = [
    "AnatomySpec",
    "BatchSizeSpec",
    "CostSpec",
    "DeparturesSpec",
    "EstimatorSpec",
    "ExitSpec",
    "ImportCostSpec",
    "NoiseSpec",
    "NormsSpec",
    "PowerSpec",
    "Row",
    "SamplerCostSpec",
    "ScalingSpec",
    "Spec",
    "SplitsSpec",
    "WellsSpec",
]

_Measured = NoiseSpec | AnatomySpec | NormsSpec | ScalingSpec | SplitsSpec | BatchSizeSpec | DeparturesSpec
Spec = _Measured | EstimatorSpec | PowerSpec | ExitSpec | WellsSpec | CostSpec | SamplerCostSpec | ImportCostSpec
