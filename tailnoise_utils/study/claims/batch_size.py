"""C6 and O3: what changes with the minibatch size."""

import numpy as np
import pandas as pd

from ..results.reading import BATCH_CONVENTIONS, SETTING, at_end, at_start, of_seeds, over_seeds
from ..results.store import Results
from .inference import above, least_squares
from .verdict import NOT_TESTED, Verdict, decide

__all__ = ["batch_slopes", "c6", "o3", "scale_slopes"]

_SLOPE = 0.02  # of alpha^ per unit of ln b
_DEPTHS, _DATA = (2, 4), ("mnist", "cifar10")
_READINGS = ("one network", "trained at b")
_SIZES, _FACTOR = 3, 4  # that a slope needs: so many minibatch sizes, the largest so many times the smallest
_INTERVALS = ((10, 100), (100, 1000))
_LARGE = 10  # a minibatch is small beside the data if they are so many times as large


def batch_slopes(results: Results) -> pd.DataFrame:
    r"""How alpha^ moves with the minibatch size at the same number of minibatches and the same K1.

    Least squares of 1/alpha^ on ln b, times :math:`-\bar\alpha^2`, :math:`1/\bar\alpha` the mean of 1/alpha^ over the
    sizes: the slope of alpha^ itself. In two readings: the noise of one network at several b ("one network"), and the noise
    at b of networks trained at that b, one network a size ("trained at b").

    Args:
        results: of the experiment ``batch_size``; b is `x`, that of the training `batch_size`.

    Returns:
        A row a setting, seed, reading and convention ("published": K1 is the same at all b, since the noise has equally
        many entries; "K1 = 1000", corrected) with three sizes or more that span a factor of 4 or more: value (the slope),
        alpha (the mean), sizes (how many b).
    """
    end = at_end(results)
    end = end[end["depth"].isin(_DEPTHS) & (end["model"] == "fcn")]
    rows = []
    for convention, quantity in BATCH_CONVENTIONS.items():
        of = end[(end["quantity"] == quantity) & (end["split"] == "train")]
        readings = {
            "one network": of.groupby([*SETTING, "seed", "run"]),
            "trained at b": of[of["x"] == of["batch_size"]].groupby([*SETTING, "seed"]),
        }
        for reading, groups in readings.items():
            for names, at in groups:
                b = at["x"].to_numpy()
                if len(np.unique(b)) < _SIZES or b.max() < _FACTOR * b.min():
                    continue
                ln_b = np.log(b) - np.log(b).mean()
                X = np.stack([np.ones(len(b)), ln_b], 1)
                (level, slope), *_ = least_squares(X, at["value"].to_numpy())
                rows.append((*names[: len(SETTING) + 1], reading, convention, -slope / level**2, 1 / level, len(b)))
    return pd.DataFrame(rows, columns=[*SETTING, "seed", "reading", "convention", "value", "alpha", "sizes"])


def c6(results: Results) -> Verdict:
    """C6: larger minibatches do not bring alpha^ towards 2.

    The rule, for FCNs of depth 2 and 4 that trained on MNIST or CIFAR-10, at the last snapshot: at the same number of
    minibatches and the same K1, in each reading and convention of :func:`tailnoise_utils.study.claims.batch_slopes`, alpha^
    rises by less than .02 per unit of ln b, by a one-sided t-test over the seeds; with fewer than 5 seeds the variance
    is joint over the settings of a reading and convention. A fall is no movement towards 2 and does not count against
    the claim. "Reproduced": all settings; "partly": all of one data set, loss, convention or reading, or all, where
    networks trained at several b are absent. "Not tested": networks of one of the depths, measured at several b, are
    absent, or no setting has two seeds.

    Args:
        results: of the experiment ``batch_size``.

    Returns:
        The verdict.
    """
    slopes = batch_slopes(results)
    slopes = slopes[slopes["dataset"].isin(_DATA)]
    depths = {reading: set(slopes.loc[slopes["reading"] == reading, "depth"]) for reading in _READINGS}
    if depths["one network"] != set(_DEPTHS):
        there = ", ".join(map(str, sorted(depths["one network"]))) or "none"
        return Verdict("C6", NOT_TESTED, f"Depths with three minibatch sizes or more: {there}; 2 and 4 are needed.")
    keys = [*SETTING, "reading", "convention"]
    tests = over_seeds(slopes, keys, ["reading", "convention"]).reset_index()
    if tests["se"].isna().any():
        return Verdict("C6", NOT_TESTED, "No setting has two seeds.")
    # That the slope is below the bound is that its opposite is above the opposite bound.
    tests["p"] = [above(-m, se, df, -_SLOPE) for m, se, df in zip(tests["mean"], tests["se"], tests["df"], strict=True)]
    absent = tuple(reading for reading, found in depths.items() if found != set(_DEPTHS))
    verdict, p, where = decide(tests, ("dataset", "loss", "convention", "reading"), absent)
    words, numbers = [], {}
    for (reading, convention), of in tests.groupby(["reading", "convention"]):
        low, high = float(of["mean"].min()), float(of["mean"].max())
        numbers |= {f"smallest slope, {reading}, {convention}": low, f"largest slope, {reading}, {convention}": high}
        words.append(f"{low:+.3f} to {high:+.3f} ({reading}, {convention})")
    evidence = (
        f"Holds {where}. alpha^ changes per unit of ln b by {'; '.join(words)}; {slopes['sizes'].min()} to "
        f"{slopes['sizes'].max()} sizes; alpha^ {slopes['alpha'].min():.2f} to {slopes['alpha'].max():.2f}. "
        f"{of_seeds(tests['seeds'])}."
    )
    return Verdict("C6", verdict, evidence, numbers, p)


def scale_slopes(results: Results) -> pd.DataFrame:
    r"""Slopes of the log-scale L(b) against ln b between 10 and 100, and between 100 and 1000 samples.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        A row a run and end ("before", of all runs; "after", of those that trained) whose data are 10,000 samples or more:
        the setting, seed, when, small and large (the slopes), value (the first less the second: above 0 if the implied
        index 1 / (1 + slope) rises).
    """
    rows = []
    for when, table in (("before", at_start(results)), ("after", at_end(results))):
        scales = table[(table["quantity"] == "log-scale") & (table["n_train"] >= _LARGE * _INTERVALS[-1][1])]
        for of, run in scales.groupby([*SETTING, "seed"]):
            L = run.set_index("x")["value"]
            if not {b for pair in _INTERVALS for b in pair} <= set(L.index):
                continue
            small, large = ((L[high] - L[low]) / np.log(high / low) for low, high in _INTERVALS)
            rows.append((*of, when, small, large, small - large))
    return pd.DataFrame(rows, columns=[*SETTING, "seed", "when", "small", "large", "value"])


def o3(results: Results) -> Verdict:
    """O3, our own: no single stable index; the index that the scale implies rises with b.

    The rule. In every setting of ``batch_scaling``, before training and after it (runs that trained), the slope of the
    log-scale between 10 and 100 samples is larger than that between 100 and 1000, by a one-sided t-test over the seeds
    (fewer than 5: variance joint over the settings of an end). Under a stable law both are the same, or the second is
    larger by a little, since its data are finite. "Reproduced": all; "partly": all of one data set, loss or end. "Not
    tested": no data of 10,000 samples or more, or no setting after training.

    The claim was formed on these very results: the verdict says how sure they make it, not that it was predicted.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        The verdict.
    """
    slopes = scale_slopes(results)
    if set(slopes["when"]) != {"before", "after"}:
        return Verdict("O3", NOT_TESTED, "No log-scales at 10, 100 and 1000 of 10,000 samples or more at both ends.")
    tests = over_seeds(slopes, [*SETTING, "when"], ["when"]).reset_index()
    tests["p"] = [above(m, se, df, 0.0) for m, se, df in zip(tests["mean"], tests["se"], tests["df"], strict=True)]
    verdict, p, where = decide(tests, ("dataset", "loss", "when"))
    implied = 1 / (1 + slopes.groupby("when")[["small", "large"]].mean())
    numbers = {f"implied index, {when}, {at}": float(of[at]) for when, of in implied.iterrows() for at in implied}
    words = [
        f"{numbers[f'implied index, {w}, small']:.2f} to {numbers[f'implied index, {w}, large']:.2f} {w} training"
        for w in ("before", "after")
    ]
    evidence = (
        f"Holds {where}. Index implied from 10 to 100 samples and from 100 to 1000, by the mean slope: {'; '.join(words)} "
        f"({len(tests)} settings and ends). {of_seeds(tests['seeds'])}."
    )
    return Verdict("O3", verdict, evidence, numbers, p)
