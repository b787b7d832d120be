"""Estimators of the tail index alpha, one function per cited formula.

Each takes a sample (the block estimators also a noise matrix) and returns a :class:`TailIndex`: alpha^ with its standard
error, never clipped. ``ESTIMATORS`` maps names to functions; :func:`estimate` calls them all.
"""

import math
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from .blocks import CONVENTIONS, mohammadi, mohammadi_order
from .moments import fractional_moment, koutrouvelis, log_moment
from .quantiles import hill, maximum_likelihood, mcculloch
from .result import Sample, TailIndex, as_sample, warn_of_shift

if TYPE_CHECKING:
    import pandas as pd

_ALL = (mohammadi, mohammadi_order, log_moment, fractional_moment, koutrouvelis, mcculloch, hill, maximum_likelihood)
ESTIMATORS: dict[str, Callable[..., TailIndex]] = {function.__name__: function for function in _ALL}

__all__ = ["CONVENTIONS", "ESTIMATORS", "TailIndex", *ESTIMATORS, "estimate", "get"]


def get(name: str) -> Callable[..., TailIndex]:
    """Look an estimator up by name, a key of ``ESTIMATORS``."""
    if name not in ESTIMATORS:
        raise ValueError(f"unknown estimator {name!r}; choose one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def estimate(x: Sample) -> "pd.DataFrame":
    """Estimate the tail index of a sample in every way, in some seconds.

    Args:
        x: a sample about zero, shape (K,).

    Returns:
        A row for each of ``ESTIMATORS``: estimator, alpha, se, and a note. It says why there is no estimate, what the
        estimator warns of, or for which alpha it is made.

    Raises:
        ValueError: too few entries, not one-dimensional, NaN or inf, all equal.

    Example:
        >>> import numpy as np
        >>> table = estimate(np.random.default_rng(0).standard_cauchy(10**5)).set_index("estimator")
        >>> table["alpha"][["mohammadi", "log_moment", "koutrouvelis"]].round(2).tolist()
        [1.0, 1.0, 1.0]
    """
    import pandas as pd

    values = as_sample(x, 4)
    rows = []
    for name, function in ESTIMATORS.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                if function is hill:  # by itself it takes norms without a warning
                    warn_of_shift(values)
                index, note = function(x), ""
            except ValueError as error:
                index, note = TailIndex.from_alpha(math.nan, math.nan), str(error)
        domain = re.search(r"Domain: (.*?)[.;]\s", " ".join((function.__doc__ or "").split()))
        note = note or "; ".join(str(warning.message) for warning in caught) or (f"for {domain[1]}" if domain else "")
        rows.append({"estimator": name, "alpha": index.alpha, "se": index.se, "note": note})
    return pd.DataFrame(rows)
