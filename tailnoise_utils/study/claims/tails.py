"""Heavy tails, or something else? What the diagnosis says about the noise that a claim is about."""

import numpy as np
import pandas as pd
from scipy import stats

from ..results.reading import CONFIGURATION, at_end, values
from ..results.store import Results
from .batch_size import EXPONENTS, exponents
from .inference import LEVEL, fisher
from .verdict import effects, sentence


def heavy_or_else(*diagnoses: Results) -> str:
    """Say what tests across the minibatches find after training, and how flat alpha^ is in K1.

    Of each configuration the p-values of tau and of the kurtosis of random projections are combined over the seeds (Fisher)
    and counted at a false discovery rate of 5 % over the configurations. Flat in K1 is what a stable law would be: medians
    over the configurations of means over the seeds.
    """
    end = pd.concat([at_end(results) for results in diagnoses]) if diagnoses else pd.DataFrame()
    if end.empty or values(end, "tail excess (p)").empty:
        return "Not measured: no diagnosis of a network that trained."

    def heavier(quantity: str) -> pd.DataFrame:
        p = values(end, quantity).groupby(CONFIGURATION)["value"].agg(fisher)
        return pd.DataFrame({"heavier": stats.false_discovery_control(p.to_numpy()) <= LEVEL})

    tau, projections = heavier("tail excess (p)"), heavier("kurtosis (random projections) (p)")
    heads = {0: "No sign of tails heavier than Gaussian", len(tau): "Heavier than Gaussian"}
    head = heads.get(int(tau["heavier"].sum()), "Heavier than Gaussian in part")
    size = values(end, "tail excess").groupby(CONFIGURATION, as_index=False)["value"].mean()
    lines = effects(tau, {"heavier": "found by tau"}) + effects(size, {"value": "tau"})
    lines += effects(projections, {"heavier": "found by random projections"})
    for name, quantity, lengths in (
        ("alpha^ per coordinate", "1/alpha (per coordinate)", (3.0, 30.0)),
        ("joint alpha^ (flat if stable)", "1/alpha (joint)", (10.0, 1000.0)),
    ):
        medians = [values(end, quantity, K1).groupby(CONFIGURATION)["value"].mean().median() for K1 in lengths]
        if np.isfinite(medians).all():
            words = {f"K1 = {K1:.0f}": 1 / median for K1, median in zip(lengths, medians, strict=True)}
            lines += effects(pd.DataFrame([words]).assign(name=name), {at: f"{at} gives" for at in words}, ("name",))
    return f"{head}: {sentence(lines)}."


def scale_of_norms(results: Results) -> str:
    """Say how much the norms of ``noise_histogram`` spread, compared with those of Gaussian vectors of its covariance."""
    table = results.table()
    table = table[table["status"] == "complete"]

    def spread(quantity: str) -> pd.Series:
        norms = table[table["quantity"] == quantity].groupby(["iteration", "run"])["value"]
        return norms.agg(lambda norm: np.log(norm).std()).groupby("iteration").mean()

    noise, gaussian = spread("norm"), spread("norm, Gaussian (same covariance)")
    if noise.empty:
        return "Not measured: no run trained."
    name = "Spread of ln norm over that of Gaussian vectors with the same covariance"
    ratio = effects(pd.DataFrame({"ratio": noise / gaussian}), {"ratio": name})
    return f"{sentence(ratio)} (1 if the covariance explains all of it)."


def flat_in_b(results: Results) -> str:
    """Say whether the scale of the noise of ``batch_scaling`` falls with one power of b, as that of a stable law would."""
    table = exponents(results).query("when == 'after'")
    if table.empty:
        return "Not measured: no scale of the noise after training."
    lines = effects(table.groupby(CONFIGURATION)[[*EXPONENTS]].mean(), EXPONENTS)
    words = "one number for both if the noise were stable; towards 1/2 if its variance is finite"
    return f"After training: {sentence(lines)} ({words})."
