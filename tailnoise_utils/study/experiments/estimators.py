"""Estimators of the tail index on samples and noise matrices whose law is known: `estimator`."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from tailnoise_utils import diagnosis, tail_index
from tailnoise_utils.noise.matrix import centre
from tailnoise_utils.tail_index import known_laws

from .spec import Progress, Row, Spec

_FAST = ("mohammadi", "mohammadi (published)", "mohammadi_order", "log_moment", "fractional_moment", "koutrouvelis")
_FAST += ("mcculloch", "hill")
_ADDED: tuple[str, ...] = ()  # estimators added later: a spec each, so that stored runs keep their digests
_SHAPE, _K1 = (120, 1000), 250  # of noise matrices; blocks lie inside rows
_NOISE = {  # law of noise matrices: coordinates, and their index
    "Gaussian, i.i.d.": ("independent", 2.0),
    "Gaussian, correlated in tens": ("grouped", 2.0),
    "SaS 1.5, i.i.d.": ("independent", 1.5),
    "SaS 1.5, latent": ("latent", 1.5),
    "SaS 1.5, elliptical": ("elliptical", 1.5),
}


@dataclass(frozen=True)
class EstimatorSpec(Spec):
    """Apply estimators to independent samples of one synthetic law (:mod:`tailnoise_utils.tail_index.known_laws`)."""

    law: str
    parameter: float
    size: int
    replicates: int
    estimators: tuple[str, ...]
    seed: int

    @property
    def quick(self) -> bool:
        """Tell whether it takes seconds."""
        return self.size * self.replicates <= 10**5 and "maximum_likelihood" not in self.estimators

    def rows(self, progress: Progress) -> list[Row]:
        """Return, per estimator (scope), means and spreads over the replicates, seconds, and the law's closed form."""
        if self.replicates < 2:
            raise ValueError(f"replicates = {self.replicates}: a spread needs 2 or more")
        law = known_laws.law(self.law)
        generator = np.random.default_rng([self.seed, self.size, int(1000 * self.parameter)])
        estimates: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in self.estimators}
        expected: dict[str, float] = {}  # of the block estimator, by closed form
        for _ in range(self.replicates):
            sample = law.sample(self.parameter, self.size, generator)
            for name in self.estimators:
                function, _, convention = name.rstrip(")").partition(" (")
                start = time.perf_counter()
                index = tail_index.get(function)(sample, **{"convention": convention} if convention else {})
                estimates[name].append((index.inverse, index.inverse_se, index.alpha, time.perf_counter() - start))
                if function == "mohammadi":
                    K1 = int(index.info["K1"])
                    expected[name] = law.block_inverse(self.parameter, K1, convention or "corrected")
            progress(1 / self.replicates)
        rows = [{"scope": name, "quantity": "1/alpha, closed form", "value": v} for name, v in expected.items()]
        summaries = {name: _summary(np.array(values)) for name, values in estimates.items()}
        return rows + [row | {"scope": name} for name, summary in summaries.items() for row in summary]


def _summary(values: np.ndarray) -> list[Row]:
    """Give mean and spread over replicates of (1/alpha^, its standard error, alpha^, seconds), shape (replicates, 4)."""
    root = np.sqrt(len(values))
    with np.errstate(invalid="ignore"):  # an infinite alpha^ has no spread: NaN says so
        mean, sd = values.mean(0), values.std(0, ddof=1)
    return [
        {"quantity": "1/alpha", "value": mean[0], "se": sd[0] / root},
        {"quantity": "sd of 1/alpha", "value": sd[0], "se": sd[0] / np.sqrt(2 * (len(values) - 1))},
        {"quantity": "reported se of 1/alpha", "value": mean[1], "se": sd[1] / root},
        {"quantity": "alpha", "value": mean[2], "se": sd[2] / root},
        {"quantity": "sd of alpha", "value": sd[2]},
        {"quantity": "seconds", "value": float(np.median(values[:, 3]))},
    ]


def estimator_grid(profile: str) -> tuple[EstimatorSpec, ...]:
    """Compare bias, spread and time of all estimators on SaS data, and on data that are not stable."""
    if profile == "smoke":
        alphas, replicates, largest = (0.5, 1.0, 1.5, 2.0), {100: 50, 1000: 50, 10_000: 20}, 10_000
    else:
        alphas = (0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0)
        replicates, largest = {100: 1000, 1000: 1000, 10_000: 400, 100_000: 100, 1_000_000: 30}, 1_000_000
    laws = [("sas", alpha) for alpha in alphas]
    others = [("student", 3.0), ("laplace", 1.0), ("scale_mixture", 0.5), ("scale_mixture", 1.0)]
    others += [("correlated", 0.3), ("correlated", 0.9), ("zeros", 0.05), ("zeros", 0.3)]
    samples = [(*law, size, times, 0) for law in laws for size, times in replicates.items()]
    samples += [(*law, size, replicates[size], 1) for law in others for size in (10_000, largest)]
    specs = [EstimatorSpec(*sample, _FAST, seed) for *sample, seed in samples]
    likelihood = {100: 2} if profile == "smoke" else {100: 40, 1000: 8}
    specs += [EstimatorSpec("sas", 1.5, size, times, ("maximum_likelihood",), 2) for size, times in likelihood.items()]
    specs += [EstimatorSpec(*sample, (name,), seed) for name in _ADDED for *sample, seed in samples]
    return tuple(dict.fromkeys(specs))


def with_gaussian_twins(replicates: int = 60, *, seed: int = 0) -> pd.DataFrame:
    """Give joint ``1/alpha`` and ``tail excess`` by law, replicate and kind (noise, or its Gaussian twin)."""
    rows = []
    for i, (law, (coordinates, alpha)) in enumerate(_NOISE.items()):
        for k in range(replicates):
            generator = np.random.default_rng([seed, i, k])
            U = torch.from_numpy(known_laws.noise_of(coordinates, alpha, _SHAPE, generator)).float()
            # Each law has mixing matrices of its own, so that their results are independent.
            mixing = torch.Generator().manual_seed(int(generator.integers(2**62)))
            for kind, X in (("noise", U), ("twin", diagnosis.gaussian_twin(U, mixing))):
                inverse = tail_index.mohammadi(X, _K1).inverse
                tau = float(diagnosis.tail_excess(centre(X)).mean())
                rows.append({"law": law, "replicate": k, "kind": kind, "1/alpha": inverse, "tail excess": tau})
    return pd.DataFrame(rows)
