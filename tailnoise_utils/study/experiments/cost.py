"""What measuring costs, and how time and memory grow."""

from dataclasses import replace

from .cost_spec import PARALLEL, SEEDS, WAYS, CostSpec, ImportCostSpec, SamplerCostSpec
from .spec import Spec
from .trainings import training

_GROWING = (
    "training",
    "bare loop",
    "noise matrix",
    "measure",
    "measure, streaming",
    "published procedure",
    "vmap over minibatches",
)
_TIMES = 3
_IMPORTS = ("import torch", "import tailnoise_utils", "import tailnoise_utils.measurement.one_call")
_SAMPLERS = ("SaS samples", "SaS samples, NumPy", "SaS samples, scipy")


def cost(profile: str) -> tuple[Spec, ...]:
    """All ways for two FCNs and a CNN; some against p, n and P, up to 10^7 parameters (width 1024, depth 10); seeds."""
    if profile == "smoke":
        ways = ((8, (*_GROWING[:6], "measure, with anatomy")), (64, _GROWING[2:5]), (64, SEEDS), (64, PARALLEL))
        shapes = [("digits", "fcn", width, 3, 20, 16, which) for width, which in ways]
        return *(_spec(*of, replicates=1) for of in shapes), SamplerCostSpec(_SAMPLERS[:2], 1, 10**4, 0)
    of = ("mnist", "fcn")
    shapes = [(*of, 100, 3, 500, 120, WAYS), (*of, 256, 4, 500, 120, WAYS), ("cifar10", "cnn", 64, 0, 500, 20, WAYS)]
    for width, depth in ((16, 3), (64, 3), (256, 4), (1024, 4), (1024, 10)):  # p
        shapes.append((*of, width, depth, 500, 20, _GROWING))
    shapes += [(*of, 100, 3, 500, P, _GROWING) for P in (15, 30, 60)]  # and 120 above
    shapes += [(*of, 100, 3, b, 20, _GROWING) for b in (50, 500, 2500)]  # n, at one P
    shapes += [(*of, width, depth, 500, 20, SEEDS) for width in (16, 64, 256) for depth in (2, 6)]
    shapes += [(*of, width, depth, 500, 20, PARALLEL) for width, depth in ((16, 6), (64, 6), (256, 6), (1024, 4))]
    others = SamplerCostSpec(_SAMPLERS, 7 * _TIMES, 10**6, 0), ImportCostSpec(_IMPORTS, 3 * _TIMES)  # each is short
    return *(
        _spec(*shape, replicates=_TIMES * (3 if shape[-1] in (SEEDS, PARALLEL) else 1)) for shape in shapes
    ), *others


def _spec(
    dataset: str,
    model: str,
    width: int,
    depth: int,
    batch_size: int,
    minibatches: int,
    ways: tuple[str, ...],
    *,
    replicates: int,
) -> CostSpec:
    more = {"width": width, "depth": depth, "batch_size": batch_size, "snapshots": (), "seed": 0}
    t = training(model, dataset, "laptop", iterations=minibatches, **more)
    return CostSpec(ways, replicates, replace(t, n_train=batch_size * minibatches, n_test=1))
