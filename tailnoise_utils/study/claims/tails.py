"""Heavy tails, or something else? What the diagnosis says about the noise that a claim is about."""

import numpy as np
import pandas as pd

from ..results.reading import SETTING, at_end, values
from ..results.store import Results
from .batch_size import scale_slopes
from .inference import LEVEL, benjamini_hochberg, fisher

__all__ = ["flat_in_b", "heavy_or_else", "scale_of_norms"]


def heavy_or_else(*diagnoses: Results) -> str:
    """The tests across the minibatches, after training, and how flat alpha^ is in K1.

    Of each setting the p-values of tau and of the kurtosis of random projections are combined over the seeds (Fisher) and
    counted at a false discovery rate of 5 % over the settings. Flat in K1 is what a stable law would be: alpha^ of single
    columns at K1 = 3 and at 30, joint alpha^ at K1 = 10 and 1000, medians over the settings of means over the seeds.

    Args:
        diagnoses: results with the diagnosis of networks that were trained.

    Returns:
        Sentences; that nothing was measured, where it was not.
    """
    end = pd.concat([at_end(results) for results in diagnoses]) if diagnoses else pd.DataFrame()
    if end.empty or values(end, "tail excess (p)").empty:
        return "Not measured: no diagnosis of a network that trained."
    counts = {}
    for name in ("tail excess (p)", "kurtosis (random projections) (p)"):
        p = values(end, name).groupby(SETTING)["value"].agg(lambda of: fisher(of.to_numpy()))
        counts[name] = (int((benjamini_hochberg(p.to_numpy()) <= LEVEL).sum()), len(p))
    (found, total), (projected, of_projections) = counts.values()
    heads = {0: "No sign of tails heavier than Gaussian", total: "Heavier than Gaussian"}
    head = heads.get(found, "Heavier than Gaussian in part")
    tau = values(end, "tail excess").groupby(SETTING)["value"].mean()

    def alpha(quantity: str, K1: float) -> float:
        return float(1 / values(end, quantity, K1).groupby(SETTING)["value"].mean().median())

    columns = [alpha("1/alpha (per coordinate)", K1) for K1 in (3.0, 30.0)]
    joint = [alpha("1/alpha (joint)", K1) for K1 in (10.0, 1000.0)]
    words = [
        f"{head}: tau finds it in {found} of {total} settings ({tau.min():.3f} to {tau.max():.3f})",
        f"random projections in {projected} of {of_projections}",
    ]
    if np.isfinite(columns).all():
        words.append(f"alpha^ of single columns is {columns[0]:.2f} at K1 = 3 and {columns[1]:.2f} at 30")
    if np.isfinite(joint).all():
        words.append(f"joint it is {joint[0]:.2f} at K1 = 10 and {joint[1]:.2f} at 1000, where a stable law is flat")
    return "; ".join(words) + "."


def scale_of_norms(results: Results) -> str:
    """How much the norms spread beside those of Gaussian vectors with the covariance of the noise.

    Args:
        results: of the experiment ``noise_histogram``.

    Returns:
        A sentence.
    """
    table = results.table()
    table = table[table["status"] == "complete"]

    def spread(quantity: str) -> pd.Series:
        norms = table[table["quantity"] == quantity]
        return norms.groupby(["iteration", "run"])["value"].agg(lambda of: np.log(of).std()).groupby("iteration").mean()

    own, gaussian = spread("norm"), spread("norm, Gaussian (same covariance)")
    if own.empty:
        return "Not measured: no run trained."
    ratio = own / gaussian
    return (
        f"The logarithm of the norm spreads {ratio.min():.2f} to {ratio.max():.2f} times as much as that of Gaussian "
        "vectors with the same covariance: 1 where dependence explains all of it."
    )


def flat_in_b(results: Results) -> str:
    """Whether the scale of the noise falls with one power of the minibatch size, as that of a stable law would.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        A sentence: the index implied between 10 and 100 samples and between 100 and 1000, over settings after training.
    """
    slopes = scale_slopes(results).query("when == 'after'")
    if slopes.empty:
        return "Not measured: no scale of the noise after training."
    implied = 1 / (1 + slopes.groupby(SETTING)[["small", "large"]].mean())
    small, large = (f"{implied[name].min():.2f} to {implied[name].max():.2f}" for name in ("small", "large"))
    return (
        f"The index that the scale of the noise implies is {small} from 10 to 100 samples and {large} from 100 to 1000, "
        "over the settings of batch_scaling after training: one number for both, if the noise were stable."
    )
