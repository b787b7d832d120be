"""What an estimator returns, and the checks that all of them make on their input."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

Sample = np.ndarray | Tensor | Sequence[float | int]
LOOKED = 2**20  # entries in which sums are looked at: what cancels, or is shifted, does so everywhere
_IN_MATRIX = 2**16  # the same for the means of columns, which are looked at in every twin
_SHIFTED = 4.9  # standard errors of a sum, or of a sum of signs, if about zero: a chance of 1e-6
_SHIFTED_COLUMNS = 16.0  # the same, squared, as a mean over columns: 1 on average, 0 if centred, P at most
_FEWEST = 10  # rows or columns; of fewer chance alone does it


@dataclass(frozen=True)
class TailIndex:
    """An estimated tail index with its standard error.

    Attributes:
        alpha: the estimate, never clipped: above 2, infinite (``inverse == 0``) or negative where the data say so.
        se: standard error of `alpha` (delta method from `inverse_se` or the reverse).
        inverse: 1 / alpha^, the scale on which the block estimators are unbiased: average this one.
        inverse_se: standard error of `inverse`.
        info: what else the estimator used or counted (block length, order statistic, zeros, dead share, ...).
    """

    alpha: float
    se: float
    inverse: float
    inverse_se: float
    info: Mapping[str, float | int] = field(default_factory=dict)

    @classmethod
    def from_inverse(cls, inverse: float, inverse_se: float, **info: float | int) -> "TailIndex":
        """Build the result from 1 / alpha^; by the delta method sd(alpha^) = sd(1/alpha^) alpha^2, NaN at 0."""
        if not math.isfinite(inverse):
            raise ValueError(
                f"1/alpha^ = {inverse}: sums of the entries leave the range of their floating-point type; rescale the data"
            )
        if not inverse:
            return cls(math.inf, math.nan, 0.0, inverse_se, info)
        return cls(1 / inverse, float(inverse_se / inverse**2), inverse, float(inverse_se), info)

    @classmethod
    def from_alpha(cls, alpha: float, se: float, **info: float | int) -> "TailIndex":
        """Build the result from alpha^; by the delta method sd(1/alpha^) = sd(alpha^) / alpha^2."""
        inverse, inverse_se = (1 / alpha, se / alpha**2) if alpha else (math.inf, math.inf)
        return cls(alpha, se, inverse, inverse_se, info)

    def __str__(self) -> str:
        return f"alpha^ = {self.alpha:.4g} +- {self.se:.2g}"


def as_numbers(x: Sample) -> Tensor:
    """Take an array, a tensor or a list as a tensor of real floats, a view where that can be."""
    if isinstance(x, np.ma.MaskedArray):
        if masked := int(np.ma.getmaskarray(x).sum()):
            raise ValueError(
                f"{masked} of the {x.size} entries are masked, and an estimator would see what is behind the mask: give "
                "x.compressed(), or a matrix without the rows or columns that hold them"
            )
        x = x.data
    try:
        values = x.detach() if isinstance(x, Tensor) else torch.from_numpy(np.require(x, requirements=["C", "W"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"a {type(x).__name__} that is no array of numbers ({error}): give floats") from error
    if values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"entries of type {values.dtype} have no tail index: give real numbers")
    return values if values.is_floating_point() else values.double()


def check_finite(values: Tensor, what: str = "the sample") -> None:
    """Refuse NaN and infinity, saying how many there are and where the first of them stand."""
    # One pass without a mask: a sum is finite only if every entry is (or it overflows, and the mask decides). In pieces: a
    # sum in float64 makes a float64 copy of what it sums.
    if all(bool(torch.isfinite(part.sum(dtype=torch.float64))) for part in values.reshape(-1).split(2**17)):
        return
    bad = ~torch.isfinite(values)
    if count := int(bad.sum()):
        nans = int(torch.isnan(values).sum())
        first = [tuple(i) if values.ndim > 1 else i[0] for i in bad.nonzero()[:3].tolist()]
        raise ValueError(
            f"{what} of shape {tuple(values.shape)} has {nans} NaN and {count - nans} infinite entries, the first at "
            f"index {', '.join(map(str, first))}; an estimate would be meaningless: find where they come from"
        )


def as_sample(x: Sample, at_least: int) -> np.ndarray:
    """Check a one-dimensional sample of finite numbers, at least so many and not all zero; return it in float64."""
    numbers = as_numbers(x)
    if numbers.ndim != 1:
        shape = tuple(numbers.shape)
        raise ValueError(f"this estimator takes a one-dimensional sample, got shape {shape}; flatten it first")
    if len(numbers) < at_least:
        raise ValueError(f"K = {len(numbers)} entries are too few: this estimator needs at least {at_least}")
    check_finite(numbers)
    values = numbers.cpu().double().numpy()
    if not values.any():
        raise ValueError(f"all {len(values)} entries are exactly zero: nothing is alive, there is no tail to measure")
    check_varies(numbers, "the sample")
    return values


def warn_of_shift(x: Tensor | np.ndarray) -> None:
    """Warn where a sample, or the columns of a noise matrix, are not of a law about zero."""
    x, sample = torch.as_tensor(x), x.ndim == 1
    if sample:  # its blocks are rows: what is near may depend on each other
        K1 = math.isqrt(len(x))
        x = x[: min(len(x), LOOKED) // K1 * K1].view(-1, K1)
    X = (x if sample else x[:, :: max(1, x.numel() // _IN_MATRIX)]).double()
    sums, rows = X.sum(1), math.sqrt(len(X))
    in_signs = float(sums.sign().sum().abs()) / rows
    shift = float(sums.sum().abs() / torch.linalg.vector_norm(sums))
    shifted = len(X) >= _FEWEST and (in_signs > _SHIFTED or shift > min(_SHIFTED, 0.95 * rows))
    shifted = shifted and float(sums.mean().square()) > 0.01 * X.shape[1] * float(X.square().mean())
    if not sample and not shifted:
        squares = X.square().sum(0)
        ratio = (X.sum(0).square() / squares)[squares > 0].mean()
        bound = _SHIFTED_COLUMNS if min(X.shape) < _FEWEST else min(_SHIFTED_COLUMNS, len(X) / 2)
        shift, shifted = float(ratio.sqrt()), ratio > bound
    if shifted:
        what = "mean of the entries is" if sample else "means of the columns are"
        warnings.warn(
            f"the {what} not zero ({max(shift, in_signs):.1f} standard errors), which reads as another "
            "tail: subtract the median of a sample, or the mean of every column of a matrix",
            stacklevel=4,
        )


def check_varies(x: Tensor, what: str) -> None:
    """Refuse a number that is repeated, which has no tail: its block sums grow like those of alpha = 1."""
    flat = x.reshape(-1)
    if all(bool((some == flat[0]).all()) for some in (flat[:1000], flat)):
        raise ValueError(
            f"all {len(flat)} entries of {what} equal {float(flat[0]):g}: a constant has no tail; give noise, "
            "with its mean subtracted"
        )


def check_spread(values: np.ndarray, low: float, high: float) -> None:
    """Refuse a sample whose quartiles coincide, saying how many entries have their value."""
    if low == high:
        raise ValueError(
            f"the interquartile range of the {len(values)} entries is zero ({np.mean(values == low):.0%} equal {low:g}): "
            "leave out the exact zeros or use an estimator that counts them"
        )
