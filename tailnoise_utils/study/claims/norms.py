"""C1: the law of the norm of the noise."""

import numpy as np
import pandas as pd
from jaxtyping import Float64

from tailnoise_utils.tail_index import known_laws

from ..results.reading import at_end
from ..results.store import Results
from .inference import LEVEL
from .verdict import NOT_TESTED, Verdict, effects, judge

_DRAWS = 999
_FITS = 0.10  # Kolmogorov-Smirnov distance up to which a law looks like another: a tenth of the norms is elsewhere
# Gaussian and stable law of each reading.
_READINGS = {
    "laws as the paper draws them": ("norm, Gaussian (independent)", "norm, stable (independent)"),
    "laws with the covariance of the noise": ("norm, Gaussian (same covariance)", "norm, stable (elliptical)"),
}


def norm_distances(results: Results) -> pd.DataFrame:
    r"""Compute how far the norms of the noise are from Gaussian and stable laws, at every snapshot after the first.

    The norms of all runs that trained are put together, each over the median of its run, and so are those of each law:
    only shapes are compared. The distance is :math:`D = \sup |F - G|` (Kolmogorov and Smirnov). Monte Carlo, 999 draws:

    * `p_gaussian`, that the noise has the shape of the Gaussian law: the values of both are dealt at random into two
      sets of the same sizes, each divided by its median again (with replacement it would reject too rarely);
    * `p_nearer`, that it is no nearer to the stable law: noise and laws are drawn again with replacement, and it is
      counted how often D to the stable law is not the smaller one.

    The elliptical stable law has the norms :math:`\sqrt{A} \lVert X \rVert`, X Gaussian with the covariance of the noise,
    A positive stable of index alpha^ / 2, alpha^ (corrected) that of the run at the snapshot (2 if above).
    The result has a row a snapshot and a reading: the paper's independent entries, or the covariance of the noise.
    """
    trained = set(_trained(results)["run"])
    table = results.rows[results.rows["run"].isin(trained) & (results.rows["iteration"] > 0)]
    generator = np.random.default_rng(1)
    rows = []
    for iteration, snapshot in table.groupby("iteration"):
        scaled: dict[str, list[np.ndarray]] = {}
        for _, run in snapshot.groupby("run"):
            norms = {str(name): part["value"].to_numpy() for name, part in run.groupby("quantity")}
            alpha = min(2.0, 1 / norms["1/alpha (corrected)"][0])
            gaussian = norms["norm, Gaussian (same covariance)"]
            mixing = known_laws.positive_stable(alpha / 2, len(gaussian), generator)
            norms["norm, stable (elliptical)"] = gaussian * np.sqrt(mixing)
            for name in ("norm", *(law for pair in _READINGS.values() for law in pair)):
                scaled.setdefault(name, []).append(norms[name] / np.median(norms[name]))
        joint = {name: np.concatenate(parts) for name, parts in scaled.items()}
        for reading, (gaussian, stable) in _READINGS.items():
            row = _compare(joint["norm"], joint[gaussian], joint[stable], generator)
            rows.append({"iteration": iteration, "reading": reading, **row, "runs": snapshot["run"].nunique()})
    return pd.DataFrame(rows)


def _trained(results: Results) -> pd.DataFrame:
    """Return the runs of the paper's figure that trained: convolutional networks on CIFAR-10."""
    end = at_end(results)
    return end[(end["model"] == "cnn") & (end["dataset"] == "cifar10")]


def _distance(one: Float64[np.ndarray, "*s m"], other: Float64[np.ndarray, "*s n"]) -> Float64[np.ndarray, "*s"]:
    """Compute the distance of Kolmogorov and Smirnov along the last axis: `ks_2samp` takes five times as long."""
    both = np.concatenate([one, other], axis=-1)
    order = both.argsort(axis=-1)
    steps = np.repeat([1 / one.shape[-1], -1 / other.shape[-1]], [one.shape[-1], other.shape[-1]])
    difference = np.abs(steps[order].cumsum(axis=-1))
    values = np.take_along_axis(both, order, axis=-1)
    last = np.diff(values, axis=-1, append=np.inf) > 0  # of equal values only the last has the whole step
    return np.where(last, difference, 0.0).max(axis=-1)


def _compare(
    noise: np.ndarray, gaussian: np.ndarray, stable: np.ndarray, generator: np.random.Generator
) -> dict[str, float]:
    """Compute both distances and their Monte Carlo p-values, of samples whose median is 1."""

    def scaled(drawn: np.ndarray) -> np.ndarray:
        return drawn / np.median(drawn, axis=1, keepdims=True)

    to_gaussian, to_stable = (float(_distance(noise[None], law[None])[0]) for law in (gaussian, stable))
    dealt = generator.permuted(np.tile(np.concatenate([noise, gaussian]), (_DRAWS, 1)), axis=1)
    reached = _distance(*(scaled(part) for part in np.split(dealt, [len(noise)], axis=1))) >= to_gaussian
    drawn = [scaled(generator.choice(sample, (_DRAWS, len(sample)))) for sample in (noise, gaussian, stable)]
    no_nearer = _distance(drawn[0], drawn[2]) >= _distance(drawn[0], drawn[1])
    p_gaussian, p_nearer = ((1 + int(count.sum())) / (1 + _DRAWS) for count in (reached, no_nearer))
    return {"gaussian": to_gaussian, "stable": to_stable, "p_gaussian": p_gaussian, "p_nearer": p_nearer}


def c1(results: Results) -> Verdict:
    """C1: The distribution of the norm of the gradient noise looks like an alpha-stable one, not like a Gaussian one.

    The rule: At each snapshot after the first the norms are nearer to the stable law than to the Gaussian one, no further
    than D = .10 from it, and not of the Gaussian shape; with independent entries, and with the noise's covariance.

    p is the larger of both p-values of :func:`tailnoise_utils.study.claims.norm_distances`, 1 if D to the stable law is
    above 0.10. "Partly": one of the two readings (independent entries, which the paper draws, or the covariance of the
    noise) at all snapshots. "Not tested": no run of a convolutional network on CIFAR-10 that trained. The rule was written
    when four snapshots of trainings of 3000 iterations had been measured and drawn. What it judges now are longer trainings
    of the same kind, made afterwards.
    """
    if _trained(results).empty:
        return Verdict("C1", NOT_TESTED, "No convolutional network on CIFAR-10 trained.")
    tests = norm_distances(results)
    tests["p"] = tests[["p_gaussian", "p_nearer"]].max(axis=1).where(tests["stable"] <= _FITS, 1.0)
    tests["rejected"] = tests["p_gaussian"] <= LEVEL
    names = {"gaussian": "D to the Gaussian law", "rejected": "Gaussian shape rejected"}
    names["stable"] = "D to the stable law"
    lines = effects(tests, names, ("reading",)) + effects(tests, {"runs": "seeds"})
    return judge("C1", tests, lines, ("reading",))
