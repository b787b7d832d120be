"""What the book runs: the grid of every experiment in every profile.

Profiles: ``smoke`` (scikit-learn's digits, seconds, computed where it is needed) and ``laptop`` (real data, minutes,
results committed).
"""

from collections.abc import Callable
from typing import Any

from .snapshots import TrainSpec
from .specs import (
    AnatomySpec,
    EstimatorSpec,
    ExitSpec,
    NoiseSpec,
    NormsSpec,
    PowerSpec,
    ScalingSpec,
    Spec,
    WellsSpec,
)

__all__ = ["EXPERIMENTS", "PROFILES", "check_profile", "grid"]

PROFILES = ("smoke", "laptop")
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


def _points(iterations: int, profile: str) -> tuple[int, ...]:
    """0, 1, 2, 3, 5, 7, 10, 20, ... up to the end: dense early, where alpha^ moves; in smoke 0, 1, 10, 100, ..."""
    steps = [m * 10**e for e in range(6) for m in ((1,) if profile == "smoke" else (1, 2, 3, 5, 7))]
    return (0, *[step for step in steps if step < iterations], iterations)


def _training(
    model: str,
    dataset: str,
    profile: str,
    *,
    width: int,
    iterations: int,
    seed: int,
    depth: int = 3,
    loss: str = "nll",
    points: tuple[int, ...] | None = None,
) -> TrainSpec:
    """The paper's settings: b = 500 (50 in smoke), step size 0.1, all images."""
    sizes = {"digits": (1500, 297), "digits32": (1500, 297), "mnist": (60_000, 10_000), "cifar10": (50_000, 9_500)}
    n_train, n_test = sizes[dataset]
    return TrainSpec(
        dataset=dataset,
        n_train=n_train,
        n_test=n_test,
        model=model,
        width=width,
        depth=depth if model == "fcn" else 0,
        loss=loss,
        batch_size=50 if profile == "smoke" else 500,
        lr=0.1,
        schedule="constant",
        order="random",
        iterations=iterations,
        snapshots=points or _points(iterations, profile),
        seed=seed,
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
            {"model": "cnn", "dataset": "cifar10", "width": 16, "iterations": 3_000},
        ]
    trainings = [_training(**of, profile=profile, seed=seed) for of in settings for seed in range(3)]
    return tuple(NoiseSpec(t, t.batch_size, ("random", "data"), "eval") for t in trainings)


def _noise_histogram(profile: str) -> tuple[Spec, ...]:
    """Norms of the gradient noise of the CNN of `iterations` (the same trainings), beside norms of known laws; 3 seeds."""
    trainings = [spec.train for spec in _iterations(profile) if spec.train.model == "cnn"]
    points, partitions = ((0, 60), 2) if profile == "smoke" else ((0, 100, 1000, 3000), 3)
    return tuple(NormsSpec(t, t.batch_size, points, partitions) for t in trainings)


def _anatomy_trainings(profile: str) -> list[TrainSpec]:
    """FCN of two widths and two depths on MNIST and CIFAR-10, CNN on CIFAR-10, both losses; 3 seeds, one after another."""
    if profile == "smoke":
        settings: list[dict[str, Any]] = [{"model": "fcn", "dataset": "digits", "width": 32, "iterations": 400}]
    else:
        settings = [
            {"model": "fcn", "dataset": dataset, "width": width, "depth": depth, "loss": loss, "iterations": 4000}
            for dataset in ("mnist", "cifar10")
            for width in (32, 256)
            for depth in (3, 6)
            for loss in ("nll", "hinge")
        ]
        settings += [
            {"model": "cnn", "dataset": "cifar10", "width": 16, "loss": loss, "iterations": 3000}
            for loss in ("nll", "hinge")
        ]
    # Those of the CNN with cross-entropy are the trainings of `iterations`.
    return [
        _training(
            **of,
            profile=profile,
            points=None if of["model"] == "cnn" and of["loss"] == "nll" else _measured_at(of["iterations"]),
            seed=seed,
        )
        for seed in range(3)
        for of in settings
    ]


def _measured_at(iterations: int) -> tuple[int, ...]:
    """Where the anatomy is taken: before, soon after the start, along, and at the end of training."""
    return (*[point for point in (0, 100, 1000) if point < iterations], iterations)


def _anatomy(profile: str) -> tuple[Spec, ...]:
    """Why alpha^ is below 2, along training."""
    return tuple(AnatomySpec(t, t.batch_size, _measured_at(t.iterations)) for t in _anatomy_trainings(profile))


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
        sizes = [(120, 30, 39, 5, laws), (120, 100, 39, 5, wide)]
    return tuple(
        PowerSpec(kind, *law, P, width, draws, replicates, 0)
        for P, width, draws, replicates, chosen in sizes
        for kind in kinds
        for law in chosen
    )


# Four wells: of medium width; wide and shallow; narrow and deep; of medium width.
_WELLS = {"minima": (-1.0, 1.2, 3.1, 4.7), "maxima": (0.0, 2.4, 3.8), "depths": (0.8, 0.6, 1.0, 0.8)}


def _exits(profile: str, alpha: float) -> list[ExitSpec]:
    """Series of exit times against width, depth, noise and time step, about a = H = 1 and a medium noise."""
    smoke, brownian = profile == "smoke", alpha == 2
    particles = 400 if smoke else 4000 if brownian else 6000
    # Time steps: a fiftieth (Brownian) or a tenth (Levy) of the inverse curvature, 5 H / a^2. D = eps^2 at alpha = 2.
    eps, step = (5**-0.5, 0.004) if brownian else (0.1, 0.02)
    if brownian:
        scales, heights = [barrier**-0.5 for barrier in (3, 4, 5, 6, 7)], (0.6, 0.8, 1.0, 1.2, 1.4)
    else:
        scales, heights = [0.05, 0.07, 0.1, 0.14, 0.2], (0.5, 0.7, 1.0, 1.4, 2.0)
    chosen = slice(0, 3) if smoke else slice(None)  # of the slowest, smoke does without
    series: list[dict[str, Any]] = [
        *({"vary": "half_width", "half_width": a} for a in (0.5, 0.7, 1.0, 1.4, 2.0)[chosen]),
        *({"vary": "height", "height": H} for H in heights[chosen]),
        *({"vary": "eps", "eps": of} for of in (scales if brownian else scales[::-1])[chosen]),
    ]
    specs = []
    for of in series:
        settings = {"half_width": 1.0, "height": 1.0, "eps": eps} | of
        dt = round(step * settings["half_width"] ** 2 / settings["height"], 6)
        specs.append(ExitSpec(alpha=alpha, **settings, dt=dt, edge=1.5, shifted=brownian, particles=particles, seed=0))
    # On the maximum itself, where it matters most how often one looks, and past it.
    steps = (0.04, 0.02, 0.01, 0.005) if smoke or not brownian else (0.04, 0.02, 0.01, 0.005, 0.0025)
    for edge, shifted in ((1.0, False), (1.0, True), (1.5, False)):
        for dt in steps if brownian or not shifted else ():
            noise = 0.5 if brownian else eps
            specs.append(ExitSpec("dt", alpha, 1.0, 1.0, noise, dt, edge, shifted, particles, seed=0))
    return specs


def _metastability(profile: str) -> tuple[Spec, ...]:
    """Exit times from a well, rates between four wells and time spent in them, under Levy and Brownian noise."""
    # Followed for some 60 moves each. The scale of the Levy noise is such that moves are rare for every alpha alike.
    runs = {1.2: (0.0315, 0.02, 9000.0), 1.5: (0.063, 0.02, 12_000.0), 1.8: (0.12, 0.02, 20_000.0)}
    runs[2.0] = (0.2**0.5, 0.005, 3000.0)
    specs: list[Spec] = []
    for alpha, (eps, dt, time) in runs.items():
        if profile == "smoke" and alpha in (1.2, 1.8):
            continue
        specs += _exits(profile, alpha)
        particles = 4000 if alpha < 2 else 1000
        if profile == "smoke":
            particles, time = (400, 2000.0) if alpha < 2 else (200, 500.0)
        specs.append(WellsSpec(**_WELLS, alpha=alpha, eps=eps, dt=dt, time=time, particles=particles, seed=0))
    return tuple(specs)


def _metastability_limit(profile: str) -> tuple[Spec, ...]:
    """Rates between the four wells at the largest alpha: with more and with less noise, and at half the time step."""
    alpha, particles = 1.8, 2000
    runs = [(0.2, 0.02, 8000.0), (0.12, 0.02, 40_000.0), (0.085, 0.02, 40_000.0), (0.06, 0.02, 70_000.0)]
    runs.append((0.12, 0.01, 20_000.0))
    if profile == "smoke":
        alpha, runs, particles = 1.5, [(0.2, 0.02, 200.0), (0.12, 0.02, 400.0), (0.12, 0.01, 400.0)], 400
    return tuple(
        WellsSpec(**_WELLS, alpha=alpha, eps=eps, dt=dt, time=time, particles=particles, seed=1)
        for eps, dt, time in runs
    )


EXPERIMENTS: dict[str, Callable[[str], tuple[Spec, ...]]] = {
    "iterations": _iterations,
    "noise_histogram": _noise_histogram,
    "anatomy": _anatomy,
    "batch_scaling": _batch_scaling,
    "estimator": _estimator_grid,
    "power": _power,
    "metastability": _metastability,
    "metastability_limit": _metastability_limit,
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
    return EXPERIMENTS[experiment](check_profile(profile))


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
