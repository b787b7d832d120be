"""The kinds of runs: frozen settings, and how they become rows.

A spec has `data_sha256()` (of the data it reads, "" if none), `device()` (what it is computed on), `rows(progress)`,
`seconds()`, `status(rows)`, `sample(rows)` and `again` (one snapshot beside the results, measured again), `once`
(quantities that no second time gives again), `alone()` (one process at a time), and `forget()`, which deletes what the
cache keeps for it.
"""

from .batch_size_spec import BatchSizeSpec
from .cost_spec import CostSpec, ImportCostSpec, SamplerCostSpec
from .departures_spec import DeparturesSpec
from .estimators import EstimatorSpec
from .exits import ExitSpec, WellsSpec
from .iterations import DiagnosisSpec, NoiseSpec
from .norms import NormsSpec
from .power import PowerSpec
from .scaling import ScalingSpec
from .spec import Row
from .splits import SplitsSpec

__all__ = [
    "BatchSizeSpec",
    "CostSpec",
    "DeparturesSpec",
    "DiagnosisSpec",
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

_Measured = NoiseSpec | DiagnosisSpec | NormsSpec | ScalingSpec | SplitsSpec | BatchSizeSpec | DeparturesSpec
Spec = _Measured | EstimatorSpec | PowerSpec | ExitSpec | WellsSpec | CostSpec | SamplerCostSpec | ImportCostSpec
