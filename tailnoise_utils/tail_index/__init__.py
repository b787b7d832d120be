"""Estimators of the tail index alpha, one function per cited formula.

Each takes a sample (the block estimators also a noise matrix) and returns a :class:`TailIndex`: alpha^ with its standard
error, never clipped. ``ESTIMATORS`` maps names to functions.
"""

from collections.abc import Callable

from .blocks import CONVENTIONS, mohammadi, mohammadi_order
from .moments import fractional_moment, koutrouvelis, log_moment
from .quantiles import hill, maximum_likelihood, mcculloch
from .result import TailIndex

_ALL = (mohammadi, mohammadi_order, log_moment, fractional_moment, koutrouvelis, mcculloch, hill, maximum_likelihood)
ESTIMATORS: dict[str, Callable[..., TailIndex]] = {function.__name__: function for function in _ALL}

__all__ = ["CONVENTIONS", "ESTIMATORS", "TailIndex", *ESTIMATORS, "get"]


def get(name: str) -> Callable[..., TailIndex]:
    """Look an estimator up by name, a key of ``ESTIMATORS``."""
    if name not in ESTIMATORS:
        raise ValueError(f"unknown estimator {name!r}; choose one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]
