"""C2: the estimator on samples whose index is known."""

import math

import numpy as np
import pandas as pd

from ..results.store import Results
from .inference import LEVEL, equivalence
from .verdict import NOT_TESTED, Verdict, effects, judge

_SIZE = 10**4  # smallest sample
_BIAS = 0.02
_RATIO = (0.9, 1.1)
_ESTIMATORS = {"mohammadi (published)": "published", "mohammadi": "corrected"}


def c2_tests(results: Results) -> pd.DataFrame:
    r"""Test that the block estimator's bias and standard error are within bounds, for samples of 10^4 or more.

    The bias of :math:`1/\hat\alpha`, for each index and size, is to be within .02. The standard error that the estimator
    reports is to be right within 10 %: r, the logarithm of the standard deviation over the replicates over the mean
    reported error, is averaged over all indices and sizes with the weights :math:`1/\mathrm{se}^2`,
    :math:`\mathrm{se}(r) \approx 1/\sqrt{2 (R - 1)}` for R replicates, and tested against ln .9 and ln 1.1.
    The result has a row a test; `least` is the least p-value that its standard error allows.
    """
    table = results.table()
    table = table[(table["law"] == "sas") & (table["size"] >= _SIZE) & table["scope"].isin(_ESTIMATORS)]
    rows = []
    for scope, estimates in table.groupby("scope", sort=False):
        convention = _ESTIMATORS[str(scope)]
        ratios = []
        for (alpha, size, replicates), group in estimates.groupby(["parameter", "size", "replicates"]):
            by = group.set_index("quantity")
            bias, se = by.loc["1/alpha", "value"] - 1 / alpha, by.loc["1/alpha", "se"]
            p, least = (equivalence(value, se, replicates - 1, -_BIAS, _BIAS) for value in (bias, 0.0))
            rows.append((convention, "bias", alpha, size, bias, p, least))
            sd, reported = by.loc["sd of 1/alpha"], by.loc["reported se of 1/alpha"]
            ratios.append((math.log(sd["value"] / reported["value"]), sd["se"] / sd["value"]))
        r, se = np.array(ratios).T
        mean, error = np.average(r, weights=se**-2), (se**-2).sum() ** -0.5
        bounds = np.log(_RATIO)
        p, least = (equivalence(value, error, math.inf, *bounds) for value in (mean, bounds.mean()))
        rows.append((convention, "error", math.nan, math.nan, math.exp(mean), p, least))
    return pd.DataFrame(rows, columns=["convention", "what", "alpha", "size", "value", "p", "least"])


def c2(results: Results) -> Verdict:
    """C2: The estimator recovers alpha on synthetic SaS data.

    The rule: The bias of 1/alpha^ is within .02 for each index and size of 10,000 or more, and the reported standard error
    right within 10 % (two one-sided tests).

    The tests are those of :func:`tailnoise_utils.study.claims.c2_tests`. "Partly": one convention. "Not tested": fewer than
    three indices, a convention without samples of 10^4 or more, or so few of them that no estimate could pass. The samples
    of profile ``laptop`` were there before the rule.
    """
    tests = c2_tests(results)
    if set(tests["convention"]) != set(_ESTIMATORS.values()) or tests["alpha"].nunique() < 3:
        return Verdict("C2", NOT_TESTED, "Fewer than three indices with samples of 10,000 or more in both conventions.")
    if (tests["least"] > LEVEL).any():
        return Verdict("C2", NOT_TESTED, "Too few samples to tell a bias of .02 or an error of 10 % from none.")
    biases = tests[tests["what"] == "bias"].assign(value=lambda rows: rows["value"].abs())
    lines = effects(biases, {"value": "absolute bias of 1/alpha^", "size": "sample size"})
    lines += effects(tests[tests["what"] == "error"], {"value": "true over reported standard error"}, ("convention",))
    return judge("C2", tests, lines, ("convention",))
