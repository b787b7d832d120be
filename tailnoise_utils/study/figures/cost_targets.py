"""What was asked of the cost beforehand, beside what was measured."""

import pandas as pd

from ..results.store import Results
from .costs import rounds, timed

_INDEX = 1.5  # of the values that maximum likelihood was timed on


def cost_targets(results: Results, estimators: Results) -> pd.DataFrame:
    """What was asked of the cost beforehand, and what was measured.

    Args:
        results: of the experiment ``cost`` in a profile with all of its networks.
        estimators: of the experiment ``estimator``.

    Returns:
        By what is compared: what was asked ("≤ 1.15", say), the number of rounds, the median over them of a ratio within
        each, the least and the most, and whether it is met: "yes", "no", or "too close to say" where rounds differ about
        it. Of several networks or conventions, the one with the worst median, the network named. Estimators were timed one
        after another, each by its median: one number.

    Raises:
        ValueError: something was not measured.
    """
    times = timed(results)
    small, middle, cnn = "FCN 100 × 3, MNIST, 120 × 500", "FCN 256 × 4, MNIST, 120 × 500", "CNN 64, CIFAR-10, 20 × 500"
    fcn = times[times["model"] == "fcn"]

    def of(network: str, way: str, column: str) -> list[pd.Series]:
        return [times[(times["network"] == network) & (times["scope"] == way)][column]]

    def each(chosen: pd.DataFrame, way: str, column: str) -> list[pd.Series]:
        here = chosen[chosen["scope"] == way]
        return [one[column].rename(network) for network, one in here.groupby("network", sort=False)]

    published, matrix = "published procedure ×", "× noise matrix"
    large, wide = fcn[fcn["parameters"] >= 1e6], fcn[fcn["width"] >= 256]
    narrow = fcn[fcn["width"].between(16, 64)]
    asked: list[tuple[str, str, float, list[pd.Series]]] = [
        ("noise matrix / its operations (FCN 256 × 4)", "≤", 1.15, of(middle, "noise matrix", "× operations")),
        ("noise matrix / bare loop (CNN 64)", "≤", 1.15, of(cnn, "noise matrix", "× bare loop")),
        (
            "alpha^ / noise matrix (FCN 256 × 4)",
            "≤",
            0.25,
            [one for way in ("alpha^, clean", "alpha^, published") for one in of(middle, way, matrix)],
        ),
        ("anatomy / noise matrix (FCN 256 × 4)", "≤", 1, of(middle, "anatomy", matrix)),
        ("anatomy with layers and units / noise matrix (FCN 256 × 4)", "≤", 1, of(middle, "anatomy, by layer", matrix)),
        ("published procedure / measure (FCN 100 × 3)", "≥", 20, of(small, "measure", published)),
        (
            "published procedure / measure with anatomy (FCN 100 × 3)",
            "≥",
            20,
            of(small, "measure, with anatomy", published),
        ),
        ("published procedure / measure (FCN 256 × 4)", "≥", 5, of(middle, "measure", published)),
        (
            "published procedure / measure with anatomy (FCN 256 × 4)",
            "≥",
            5,
            of(middle, "measure, with anatomy", published),
        ),
        (
            "memory of streaming above data and activations / 4p bytes (p ≥ 10⁶)",
            "≤",
            5,
            [one[:1] for one in each(large, "measure, streaming", "above activations")],
        ),
        ("training / its operations (width ≥ 256)", "≤", 1.15, each(wide, "training", "× operations")),
        (
            "training, seeds stacked / its operations (widths 16 to 64)",
            "≤",
            1.5,
            each(narrow, "training, seeds stacked", "× operations"),
        ),
        (
            "SaS samples, NumPy / ours",
            "≥",
            2,
            [rounds(results, "SaS samples, NumPy") / rounds(results, "SaS samples")],
        ),
        (
            "SaS samples, scipy / ours",
            "≥",
            3,
            [rounds(results, "SaS samples, scipy") / rounds(results, "SaS samples")],
        ),
        ("maximum likelihood / slowest other estimate (1000 values)", "≥", 1000, [_likelihood(estimators)]),
        (
            "seconds that importing this package or its measure adds to importing torch",
            "≤",
            0.4,
            [
                rounds(results, way) - rounds(results, "import torch")
                for way in ("import tailnoise_utils", "import tailnoise_utils.measurement.one_call")
            ],
        ),
    ]
    lines = {}
    for name, relation, bound, found in asked:
        found = [of.dropna() for of in found]  # rounds that both ways have
        if not found or any(of.empty for of in found):
            raise ValueError(f"the results have no {name!r}; make them anew: the same command with --fresh")
        worst = (max if relation == "≤" else min)(found, key=lambda of: of.median())
        holds = worst.le(bound) if relation == "≤" else worst.ge(bound)
        met = "yes" if holds.all() else "too close to say" if holds.any() else "no"
        if worst.name in set(times["network"]):
            name = f"{name}: {worst.name.split(',')[0]}"
        lines[name] = (f"{relation} {bound:g}", len(worst), worst.median(), worst.min(), worst.max(), met)
    columns = ["asked", "rounds", "measured", "least", "most", "met"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("ratio")


def _likelihood(results: Results) -> pd.Series:
    """Seconds of maximum likelihood on 1000 SaS values of index 1.5 over those of the slowest other estimator."""
    table = results.rows.merge(results.runs.drop(columns="seconds"), on="run")
    table = table[(table["quantity"] == "seconds") & (table["law"] == "sas") & (table["parameter"] == _INDEX)]
    seconds = table[table["size"] == 1000].groupby("scope")["value"].median()
    return pd.Series([seconds["maximum_likelihood"] / seconds.drop("maximum_likelihood").max()])
