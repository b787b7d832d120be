"""What the book runs: the grid of every experiment in every profile.

Profiles: ``smoke`` (scikit-learn's digits, seconds, computed where it is needed), ``laptop`` (real data, hours, results
committed), ``paper`` (the paper's own settings, some 45 core-hours), ``full`` (the same at every size of the paper, for a
cluster or a GPU) and ``constant`` (65,000 steps of a constant size). Where an experiment has no such form, as in ``laptop``.
"""

from collections.abc import Callable
from typing import Any

from ..networks.snapshots import TrainSpec
from .cost import costs
from .exits import metastability, metastability_limit
from .paper import PAPER
from .sizes import cnn_size, fcn_size
from .specs import AnatomySpec, EstimatorSpec, NoiseSpec, NormsSpec, PowerSpec, ScalingSpec, Spec
from .trainings import few, finely, training
from .variations import batch_size, departures

__all__ = ["EXPERIMENTS", "PROFILES", "check_profile", "grid"]

PROFILES = ("smoke", "laptop", "constant", "paper", "full")
_FAST = (
    "mohammadi",
    "mohammadi (published)",
    "mohammadi_order",
    "log_moment",
    "fractional_moment",
    "koutrouvelis",
    "mcculloch",
    "hill",
)


def _iterations(profile: str) -> tuple[NoiseSpec, ...]:
    """Loss, accuracy and alpha^ along training: FCN on MNIST and CIFAR-10, CNN on CIFAR-10; 3 seeds each."""
    settings: list[dict[str, Any]] = [
        {"model": "fcn", "dataset": "digits", "width": 32, "iterations": 400},
        {"model": "cnn", "dataset": "digits32", "width": 4, "iterations": 60},
    ]
    if profile != "smoke":
        settings = [
            {"model": "fcn", "dataset": "mnist", "width": 128, "iterations": 10_000},
            {"model": "fcn", "dataset": "cifar10", "width": 128, "iterations": 5_000},
            {"model": "cnn", "dataset": "cifar10", "width": 16, "iterations": 10_000},
        ]
        if profile == "laptop":  # finely enough for a jump of alpha^ to be seen
            settings = [of | {"snapshots": finely(of["iterations"])} for of in settings]
    if profile == "constant":
        settings = [of | {"iterations": 65_000} for of in settings]
    trainings = [training(**of, profile=profile, seed=seed) for of in settings for seed in range(3)]
    return tuple(NoiseSpec(t, t.batch_size, ("random", "data"), "eval") for t in trainings)


def _iterations_anatomy(profile: str) -> tuple[Spec, ...]:
    """The anatomy at some snapshots of the trainings of `iterations`, for what moves alpha^ early in training; 3 seeds."""
    specs = []
    for of in _iterations(profile):
        wanted = (0, 1, 10, 30, 100, 300, 1000, 3000, 10_000, of.train.iterations)
        points = tuple(sorted(set(wanted) & set(of.train.snapshots)))
        specs.append(AnatomySpec(of.train, of.noise_batch_size, points))
    return tuple(specs)


def _noise_histogram(profile: str) -> tuple[Spec, ...]:
    """Norms of the gradient noise of the CNN of `iterations` (the same trainings), beside norms of known laws; 3 seeds."""
    trainings = [spec.train for spec in _iterations(profile) if spec.train.model == "cnn"]
    partitions = 2 if profile == "smoke" else 3
    return tuple(NormsSpec(t, t.batch_size, few(t.iterations), partitions) for t in trainings)


def _anatomy_trainings(profile: str) -> list[TrainSpec]:
    """FCN of two sizes each way on MNIST and CIFAR-10, CNN; both losses (`paper`, long: cross-entropy); 3 seeds in turn."""
    fcn_steps, cnn_steps, losses = (
        (65_000, 65_000, ("nll",)) if profile == "constant" else (4000, 3000, ("nll", "hinge"))
    )
    fcn = {"model": "fcn", "iterations": fcn_steps, "snapshots": few(fcn_steps)}
    cnn = {"model": "cnn", "iterations": cnn_steps, "dataset": "cifar10", "width": 16}
    settings: list[dict[str, Any]] = [
        fcn | {"dataset": dataset, "width": width, "depth": depth, "loss": loss}
        for dataset in ("mnist", "cifar10")
        for width in (32, 256)
        for depth in (3, 6)
        for loss in losses
    ]
    settings.append(cnn | {"loss": "nll"})
    if "hinge" in losses:
        settings.append(cnn | {"loss": "hinge", "snapshots": few(cnn_steps)})
    if profile == "smoke":
        settings = [{"model": "fcn", "dataset": "digits", "width": 32, "iterations": 400, "snapshots": few(400)}]
    return [training(**of, profile=profile, seed=seed) for seed in range(3) for of in settings]


def _anatomy(profile: str) -> tuple[Spec, ...]:
    """Why alpha^ is below 2, along training."""
    return tuple(AnatomySpec(t, t.batch_size, few(t.iterations)) for t in _anatomy_trainings(profile))


def _batch_scaling(profile: str) -> tuple[Spec, ...]:
    """The log-scale of the noise against b, before and after training, in the settings of `anatomy`; 3 seeds."""
    specs = []
    for t in _anatomy_trainings(profile):
        n = t.n_train
        sizes = (*[b for e in range(5) for m in (1, 2, 5) if 3 * (b := m * 10**e) < n], n // 2)
        # 120 of each size; fewer, but 10 at least, where they would be more than twice the data.
        counts = tuple(max(10, min(120, 2 * n // b)) for b in sizes)
        specs.append(ScalingSpec(t, (0, t.iterations), sizes, counts))
    return tuple(specs)


def _estimator_grid(profile: str) -> tuple[Spec, ...]:
    """Bias, spread and time of all estimators on SaS data, and on data that are not stable."""
    if profile == "smoke":
        alphas, replicates, largest = (0.5, 1.0, 1.5, 2.0), {100: 50, 1000: 50, 10_000: 20}, 10_000
    else:
        alphas = (0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0)
        replicates, largest = {100: 1000, 1000: 1000, 10_000: 400, 100_000: 100, 1_000_000: 30}, 1_000_000
    laws = [("sas", alpha) for alpha in alphas]
    others = [("student", 3.0), ("laplace", 1.0), ("scale_mixture", 0.5), ("scale_mixture", 1.0)]
    others += [("correlated", 0.3), ("correlated", 0.9), ("zeros", 0.05), ("zeros", 0.3)]
    specs = [EstimatorSpec(*law, size, times, _FAST, 0) for law in laws for size, times in replicates.items()]
    specs += [EstimatorSpec(*law, size, replicates[size], _FAST, 1) for law in others for size in (10_000, largest)]
    likelihood = {100: 2} if profile == "smoke" else {100: 40, 1000: 8}
    specs += [EstimatorSpec("sas", 1.5, size, times, ("maximum_likelihood",), 2) for size, times in likelihood.items()]
    return tuple(dict.fromkeys(specs))


def _power(profile: str) -> tuple[Spec, ...]:
    """The tests of the anatomy on Gaussian and SaS noise, alone and as a tenth beside Gaussian noise."""
    gaussian, kinds = (2.0, 1.0), ("independent", "latent", "elliptical")
    laws = [gaussian, *((alpha, share) for share in (1.0, 0.1) for alpha in (1.95, 1.9, 1.8, 1.7, 1.5))]
    # What more coordinates change is asked of few laws, where it could matter; 4096 are what the anatomy looks at.
    wide = [gaussian, (1.8, 0.1), (1.5, 0.1)]
    sizes = [(120, 200, 99, 100, laws), (120, 4096, 99, 60, wide), (600, 200, 99, 40, laws)]
    if profile == "smoke":
        laws = [(alpha, share) for alpha, share in laws if alpha not in (1.7, 1.9)]
        sizes = [(120, 30, 99, 5, laws), (120, 100, 99, 5, wide)]
    return tuple(
        PowerSpec(kind, *law, P, width, draws, replicates, 0)
        for P, width, draws, replicates, chosen in sizes
        for kind in kinds
        for law in chosen
    )


EXPERIMENTS: dict[str, Callable[[str], tuple[Spec, ...]]] = {
    "iterations": _iterations,
    "iterations_anatomy": _iterations_anatomy,
    "noise_histogram": _noise_histogram,
    "anatomy": _anatomy,
    "batch_scaling": _batch_scaling,
    "estimator": _estimator_grid,
    "power": _power,
    "metastability": metastability,
    "metastability_limit": metastability_limit,
    "fcn_size": fcn_size,
    "cnn_size": cnn_size,
    "batch_size": batch_size,
    "departures": departures,
    "cost": costs,
}


def grid(experiment: str, profile: str) -> tuple[Spec, ...]:
    """The runs of an experiment in a profile.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Returns:
        One spec a run.

    Raises:
        ValueError: an unknown experiment or profile; the message lists the valid ones.
    """
    if experiment not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {experiment!r}; choose one of {', '.join(EXPERIMENTS)}")
    if (profile := check_profile(profile)) in ("paper", "full") and experiment in PAPER:
        return PAPER[experiment](full=profile == "full")
    return EXPERIMENTS[experiment](profile)


def check_profile(profile: str) -> str:
    """Check the name of a profile.

    Args:
        profile: the name.

    Returns:
        The same name.

    Raises:
        ValueError: an unknown profile; the message lists the valid ones.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    return profile
