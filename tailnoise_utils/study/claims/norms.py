"""C1: the law of the norm of the noise."""

import numpy as np
import pandas as pd
from jaxtyping import Float64

from tailnoise_utils.tail_index import known_laws

from ..results.reading import at_end, of_seeds
from ..results.store import Results
from .inference import LEVEL
from .verdict import NOT_TESTED, Verdict, decide

__all__ = ["c1", "norm_distances"]

_DRAWS = 999
_FITS = 0.10  # Kolmogorov-Smirnov distance up to which a law looks like another: a tenth of the norms is elsewhere
# Gaussian and stable law of each reading.
_READINGS = {
    "as the paper draws them": ("norm, Gaussian (independent)", "norm, stable (independent)"),
    "with the covariance of the noise": ("norm, Gaussian (same covariance)", "norm, stable (elliptical)"),
}


def norm_distances(results: Results) -> pd.DataFrame:
    r"""How far the norms of the noise are from Gaussian and from stable laws, at every snapshot after the first.

    The norms of all runs that trained are put together, each over the median of its run, and so are those of each law:
    scales are taken out and shapes compared, which is generous to every law. The distance is that of Kolmogorov and
    Smirnov, :math:`D = \sup |F - G|`, at most about 1/2 where medians agree. Monte Carlo, 999 draws:

    * `p_gaussian`, that the noise has the shape of the Gaussian law: the values of both are dealt at random into two
      sets of the same sizes, each divided by its median again, and D taken (with replacement it would reject too rarely);
    * `p_nearer`, that it is no nearer to the stable law: the noise and both laws are drawn again with replacement, each
      from itself, and it is counted how often D to the stable law is not the smaller one.

    The elliptical stable law has the norms :math:`\sqrt{A} \lVert X \rVert`, X Gaussian with the covariance of the noise,
    A positive stable of index alpha^ / 2, alpha^ (corrected) that of the run at the snapshot (2 if above).

    Args:
        results: of the experiment ``noise_histogram``.

    Returns:
        A row a snapshot and a reading (the paper's independent entries, or the covariance of the noise): iteration,
        reading, gaussian and stable (the distances), p_gaussian, p_nearer, runs.
    """
    trained = set(_trained(results)["run"])
    table = results.rows[results.rows["run"].isin(trained) & (results.rows["iteration"] > 0)]
    generator = np.random.default_rng(1)
    rows = []
    for iteration, of in table.groupby("iteration"):
        laws: dict[str, list[np.ndarray]] = {}
        for _, run in of.groupby("run"):
            own = {str(name): part["value"].to_numpy() for name, part in run.groupby("quantity")}
            alpha = min(2.0, 1 / own["1/alpha (corrected)"][0])
            gaussian = own["norm, Gaussian (same covariance)"]
            own["norm, stable (elliptical)"] = gaussian * np.sqrt(
                known_laws.positive_stable(alpha / 2, len(gaussian), generator)
            )
            for name in ("norm", *(law for pair in _READINGS.values() for law in pair)):
                laws.setdefault(name, []).append(own[name] / np.median(own[name]))
        together = {name: np.concatenate(parts) for name, parts in laws.items()}
        for reading, (gaussian, stable) in _READINGS.items():
            found = _compare(together["norm"], together[gaussian], together[stable], generator)
            rows.append({"iteration": iteration, "reading": reading, **found, "runs": of["run"].nunique()})
    return pd.DataFrame(rows)


def _trained(results: Results) -> pd.DataFrame:
    """The runs of the paper's figure that trained: convolutional networks on CIFAR-10."""
    end = at_end(results)
    return end[(end["model"] == "cnn") & (end["dataset"] == "cifar10")]


def _distance(one: Float64[np.ndarray, "*s m"], other: Float64[np.ndarray, "*s n"]) -> Float64[np.ndarray, "*s"]:
    """Kolmogorov and Smirnov's, of samples along the last axis."""
    both = np.concatenate([one, other], axis=-1)
    order = both.argsort(axis=-1)
    steps = np.repeat([1 / one.shape[-1], -1 / other.shape[-1]], [one.shape[-1], other.shape[-1]])
    difference = np.abs(steps[order].cumsum(axis=-1))
    values = np.take_along_axis(both, order, axis=-1)
    last = np.diff(values, axis=-1, append=np.inf) > 0  # of equal values only the last has the whole step
    return np.where(last, difference, 0.0).max(axis=-1)


def _compare(
    noise: Float64[np.ndarray, " m"],
    gaussian: Float64[np.ndarray, " n"],
    stable: Float64[np.ndarray, " n"],
    generator: np.random.Generator,
) -> dict[str, float]:
    """Both distances and their Monte Carlo p-values, of samples whose median is 1."""

    def scaled(drawn: np.ndarray) -> np.ndarray:
        return drawn / np.median(drawn, axis=1, keepdims=True)

    to_gaussian, to_stable = (float(_distance(noise[None], law[None])[0]) for law in (gaussian, stable))
    dealt = generator.permuted(np.tile(np.concatenate([noise, gaussian]), (_DRAWS, 1)), axis=1)
    reached = _distance(*(scaled(part) for part in np.split(dealt, [len(noise)], axis=1))) >= to_gaussian
    drawn = [scaled(generator.choice(of, (_DRAWS, len(of)))) for of in (noise, gaussian, stable)]
    no_nearer = _distance(drawn[0], drawn[2]) >= _distance(drawn[0], drawn[1])
    p_gaussian, p_nearer = ((1 + int(count.sum())) / (1 + _DRAWS) for count in (reached, no_nearer))
    return {"gaussian": to_gaussian, "stable": to_stable, "p_gaussian": p_gaussian, "p_nearer": p_nearer}


def c1(results: Results) -> Verdict:
    """C1: the norm of the noise looks alpha-stable, not Gaussian.

    The rule. At each snapshot after the first, in each of two readings (the independent entries that the paper draws;
    laws with the covariance of the noise), the claim holds if the norms are not of the shape of the Gaussian law's, are
    nearer to the stable law's, and no further from it than D = 0.10 (:func:`tailnoise_utils.study.claims.norm_distances`); p
    is the larger of both p-values, 1 if D to the stable law is above 0.10. "Reproduced": both readings at all
    snapshots; "partly": one reading at all of them. "Not tested": no run of a convolutional network on CIFAR-10 that
    trained.

    The rule was written when four snapshots of trainings of 3000 iterations had been measured and drawn. What it judges now
    are longer trainings of the same kind, made afterwards.

    Args:
        results: of the experiment ``noise_histogram``.

    Returns:
        The verdict.
    """
    if _trained(results).empty:
        return Verdict("C1", NOT_TESTED, "No convolutional network on CIFAR-10 trained.")
    found = norm_distances(results)
    p = found[["p_gaussian", "p_nearer"]].max(axis=1).where(found["stable"] <= _FITS, 1.0)
    verdict, p, where = decide(found.assign(p=p), ("reading",))
    words = []
    for reading, of in found.groupby("reading", sort=False):
        words.append(
            f"{reading}: D = {of['gaussian'].min():.2f} to {of['gaussian'].max():.2f} to the Gaussian law (rejected at "
            f"{(of['p_gaussian'] <= LEVEL).sum()} of {len(of)} snapshots), {of['stable'].min():.2f} to "
            f"{of['stable'].max():.2f} to the stable one"
        )
    numbers = {
        f"D to {law}, {reading}, iteration {row['iteration']}": row[law]
        for (_, row), law in ((item, law) for item in found.iterrows() for law in ("gaussian", "stable"))
        for reading in [row["reading"]]
    }
    evidence = f"Holds {where}. Laws {'; '.join(words)}. {of_seeds(found['runs'])}."
    return Verdict("C1", verdict, evidence, numbers, p)
