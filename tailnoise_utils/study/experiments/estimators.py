"""Estimators on samples whose law is known."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tailnoise_utils import tail_index
from tailnoise_utils.tail_index import known_laws

from .drawn import Drawn
from .spec import Progress, Row

__all__ = ["EstimatorSpec"]


@dataclass(frozen=True)
class EstimatorSpec(Drawn):
    """Apply estimators to independent samples of one synthetic law (:mod:`tailnoise_utils.tail_index.known_laws`)."""

    law: str
    parameter: float
    size: int
    replicates: int
    estimators: tuple[str, ...]
    seed: int

    @property
    def quick(self) -> bool:
        """Whether it takes seconds."""
        return self.size * self.replicates <= 10**5 and "maximum_likelihood" not in self.estimators

    def rows(self, progress: Progress) -> list[Row]:
        """Draw and estimate.

        Args:
            progress: told how much is done.

        Returns:
            Per estimator (scope): means over the replicates of alpha^, 1/alpha^ and its reported standard error, their
            standard deviations, the median of the seconds, and what the law's closed form says of 1/alpha^.

        Raises:
            ValueError: fewer than two replicates, an unknown law or estimator.
        """
        if self.replicates < 2:
            raise ValueError(f"replicates = {self.replicates}: a spread needs 2 or more")
        law = known_laws.law(self.law)
        generator = np.random.default_rng([self.seed, self.size, int(1000 * self.parameter)])
        found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in self.estimators}
        expected: dict[str, float] = {}  # of the block estimator, by closed form
        for _ in range(self.replicates):
            sample = law.sample(self.parameter, self.size, generator)
            for name in self.estimators:
                function, options = _estimator(name)
                start = time.perf_counter()
                index = function(sample, **options)
                found[name].append((index.inverse, index.inverse_se, index.alpha, time.perf_counter() - start))
                if function is tail_index.mohammadi:
                    convention = options.get("convention", "corrected")
                    expected[name] = law.block_inverse(self.parameter, int(index.info["K1"]), convention)
            progress(1 / self.replicates)
        rows = [{"scope": name, "quantity": "1/alpha, closed form", "value": v} for name, v in expected.items()]
        return rows + [row | {"scope": name} for name, of in found.items() for row in _summary(np.array(of))]


def _estimator(name: str) -> tuple[Callable[..., tail_index.TailIndex], dict[str, str]]:
    """The estimator and options behind a name such as ``mohammadi (published)``."""
    function, _, convention = name.partition(" (")
    return tail_index.get(function), {"convention": convention.rstrip(")")} if convention else {}


def _summary(values: np.ndarray) -> list[Row]:
    """Mean and spread over replicates of (1/alpha^, its standard error, alpha^, seconds), shape (replicates, 4)."""
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
