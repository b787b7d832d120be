"""C6 and O3: what changes with the minibatch size."""

import numpy as np
import pandas as pd

from ..results.reading import BATCH_CONVENTIONS, CONFIGURATION, at_end, at_start
from ..results.store import Results
from .inference import least_squares, means_above
from .verdict import NOT_TESTED, Verdict, effects, judge

_SLOPE = 0.02  # of alpha^ per unit of ln b
_DEPTHS, _DATA = {2, 4}, ("mnist", "cifar10")
_READINGS = ("one network", "trained at b")
_SIZES, _FACTOR = 3, 4  # that a slope needs: so many minibatch sizes, the largest so many times the smallest
_INTERVALS = ((10, 100), (100, 1000))
_LARGE = 10  # a minibatch is small if the data are so many times as large


def batch_slopes(results: Results) -> pd.DataFrame:
    r"""Compute how alpha^ moves with the minibatch size at the same number of minibatches and the same K1.

    Least squares of 1/alpha^ on ln b, times :math:`-\bar\alpha^2`, :math:`1/\bar\alpha` the mean of 1/alpha^ over the
    sizes: the slope of alpha^ itself. In two readings: the noise of one network at several b ("one network"), and the noise
    at b of networks trained at that b, one network a size ("trained at b").
    The result has a row a configuration, seed, reading and convention ("published": K1 is the same at all b) with three
    sizes or more that span a factor of 4 or more: value (the slope), alpha (the mean), sizes (how many b).
    """
    end = at_end(results)  # b is the column x, that of the training is batch_size
    end = end[end["depth"].isin(_DEPTHS) & (end["model"] == "fcn") & (end["split"] == "train")]
    rows = []
    for convention, quantity in BATCH_CONVENTIONS.items():
        measured = end[end["quantity"] == quantity]
        readings = {
            "one network": measured.groupby([*CONFIGURATION, "seed", "run"]),
            "trained at b": measured[measured["x"] == measured["batch_size"]].groupby([*CONFIGURATION, "seed"]),
        }
        for reading, groups in readings.items():
            for names, group in groups:
                b = group["x"].to_numpy()
                if len(np.unique(b)) < _SIZES or b.max() < _FACTOR * b.min():
                    continue
                X = np.stack([np.ones(len(b)), np.log(b) - np.log(b).mean()], 1)
                (level, slope), *_ = least_squares(X, group["value"].to_numpy())
                rows.append(
                    (*names[: len(CONFIGURATION) + 1], reading, convention, -slope / level**2, 1 / level, len(b))
                )
    return pd.DataFrame(rows, columns=[*CONFIGURATION, "seed", "reading", "convention", "value", "alpha", "sizes"])


def c6(results: Results) -> Verdict:
    """C6: Larger minibatches do not bring alpha^ towards 2.

    The rule: At equally many minibatches and the same K1, alpha^ rises by less than .02 per unit of ln b (t-tests over the
    seeds), in one network measured at several b and in networks trained at b.

    It is for FCNs of depth 2 and 4 that trained on MNIST or CIFAR-10, at the last snapshot, in each reading and convention
    of :func:`tailnoise_utils.study.claims.batch_slopes`; variances are pooled over the configurations of a reading and
    convention. A fall does not count against the claim. "Partly": one data set, loss, convention or
    reading, or all, where networks trained at several b are absent. "Not tested": networks of one of the depths, measured
    at several b, are absent, or no configuration has two seeds.
    """
    slopes = batch_slopes(results)
    slopes = slopes[slopes["dataset"].isin(_DATA)]
    depths = {reading: set(slopes.loc[slopes["reading"] == reading, "depth"]) for reading in _READINGS}
    if depths["one network"] != _DEPTHS:
        measured = ", ".join(map(str, sorted(depths["one network"]))) or "none"
        return Verdict("C6", NOT_TESTED, f"Depths with three minibatch sizes or more: {measured}; 2 and 4 are needed.")
    # The slope is below the bound where the opposite slope is above the opposite bound.
    opposite = slopes.assign(value=-slopes["value"])
    variant = ["reading", "convention"]
    tests = means_above(opposite, [*CONFIGURATION, *variant], variant, -_SLOPE)
    if tests["se"].isna().any():
        return Verdict("C6", NOT_TESTED, "No configuration has two seeds.")
    tests["slope"] = -tests["mean"]
    lines = effects(tests, {"slope": "change of alpha^ per unit of ln b"}, ("reading", "convention"))
    lines += effects(slopes, {"sizes": "minibatch sizes", "alpha": "alpha^"}) + effects(tests, {"seeds": "seeds"})
    absent = tuple(reading for reading in _READINGS if depths[reading] != _DEPTHS)
    return judge("C6", tests, lines, ("dataset", "loss", "convention", "reading"), absent)


def exponents(results: Results) -> pd.DataFrame:
    """Compute scaling exponents from 10 to 100 samples and from 100 to 1000, and `value`, by how much they rise."""
    rows = []
    for when, table in (("before", at_start(results)), ("after", at_end(results))):
        scales = table[(table["quantity"] == "log-scale") & (table["n_train"] >= _LARGE * _INTERVALS[-1][1])]
        for names, run in scales.groupby([*CONFIGURATION, "seed"]):
            L = run.set_index("x")["value"]
            if {b for pair in _INTERVALS for b in pair} <= set(L.index):
                small, large = ((L[low] - L[high]) / np.log(high / low) for low, high in _INTERVALS)
                rows.append((*names, when, small, large, large - small))
    return pd.DataFrame(rows, columns=[*CONFIGURATION, "seed", "when", "small", "large", "value"])


EXPONENTS = {"small": "scaling exponent from 10 to 100 samples", "large": "scaling exponent from 100 to 1000"}


def o3(results: Results) -> Verdict:
    """O3: The noise has no single stable index: its scaling exponent rises with the minibatch size.

    The rule: The log-scale falls less steeply from 10 to 100 samples than from 100 to 1000, before and after training
    (t-tests over the seeds).

    Variances are pooled over the configurations of an end. Under a stable law both slopes are the same, or the second is a
    little larger, since its data are finite. "Partly": one data set, loss or end. "Not tested": no data of 10,000 samples
    or more, or no configuration after training. The claim was formed on these very results: the verdict says how sure they
    make it, not that it was predicted.
    """
    table = exponents(results)
    if set(table["when"]) != {"before", "after"}:
        return Verdict("O3", NOT_TESTED, "No log-scales at 10, 100 and 1000 of 10,000 samples or more at both ends.")
    tests = means_above(table, [*CONFIGURATION, "when"], ["when"], 0.0)
    means = table.groupby("when", as_index=False)[[*EXPONENTS]].mean()
    lines = effects(means, EXPONENTS, ("when",)) + effects(tests, {"seeds": "seeds"})
    return judge("O3", tests, lines, ("dataset", "loss", "when"))
