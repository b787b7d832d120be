"""Objectives of one variable, with linear tails for Euler's scheme to survive large jumps: one well, or several."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import scipy  # its parts load when they are first used
from jaxtyping import Float64

_Points = Float64[np.ndarray, "..."]
_NATURAL = math.pi**2 / 2  # curvature at the ends of a half cosine of unit height and length
_CELLS = 4096  # of the table of gradients


def check_positive(**values: float | int) -> None:
    """Refuse what is not a positive number."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value} must be a positive number")


@runtime_checkable
class Objective(Protocol):
    """What the Euler scheme asks of an objective."""

    def gradient(self, x: _Points) -> _Points:
        """Return the derivative f'(x)."""


@dataclass(frozen=True)
class SymmetricWell:
    r"""A well around 0 of half-width a and height H: its two maxima at :math:`\pm a` are H above its minimum.

    .. math:: f(x) = \tfrac H2 \bigl(1 - \cos(\pi x / a)\bigr), \qquad |x| \le \tfrac32 a, \quad \text{the tangent beyond.}
    """

    half_width: float
    height: float

    def __post_init__(self) -> None:
        check_positive(half_width=self.half_width, height=self.height)

    @property
    def curvature(self) -> float:
        """The second derivative at the minimum; at the maxima it is minus this."""
        return _NATURAL * self.height / self.half_width**2

    def value(self, x: _Points) -> _Points:
        """Return the objective f(x)."""
        inside = np.clip(x, -1.5 * self.half_width, 1.5 * self.half_width)
        slope = self.curvature * self.half_width / math.pi
        return self.height / 2 * (1 - np.cos(np.pi / self.half_width * inside)) - slope * np.abs(x - inside)

    def gradient(self, x: _Points) -> _Points:
        """Return the derivative f'(x)."""
        inside = np.clip(x, -1.5 * self.half_width, 1.5 * self.half_width)
        return self.curvature * self.half_width / math.pi * np.sin(np.pi / self.half_width * inside)


@dataclass(frozen=True)
class Landscape:
    r"""Wells side by side, of different widths and depths; their maxima are all at the height 0.

    Between critical points f is a polynomial of degree 5, with the curvature of :class:`SymmetricWell` at minima and the
    geometric mean of its two sides at maxima; each tail is linear from the outer maximum's mirror image on.
    """

    minima: tuple[float, ...]  # ascending
    maxima: tuple[float, ...]  # between them: one fewer
    depths: tuple[float, ...]  # of the minima below 0, positive

    def __post_init__(self) -> None:
        m, s, d = self.minima, self.maxima, self.depths
        if len(m) < 2 or len(s) != len(m) - 1 or len(d) != len(m):
            raise ValueError(
                f"{len(m)} minima, {len(s)} maxima, {len(d)} depths: give two minima or more, a maximum between each "
                "two, and one depth for each minimum"
            )
        if not np.all(np.diff(self._critical) > 0):
            raise ValueError(f"minima {m} and maxima {s} do not alternate in ascending order")
        if not all(depth > 0 for depth in d):
            raise ValueError(f"depths {d}: each must be positive, the maxima being at 0")
        inner = np.linspace(m[0], m[-1], _CELLS)
        well = np.searchsorted(np.asarray(s), inner)
        uphill = np.sign(inner - np.asarray(m)[well])
        if np.any(uphill * self._slope(inner) < -1e-9):
            raise ValueError(
                f"minima {m}, maxima {s}, depths {d}: neighbouring wells differ so much that f would have further "
                "minima; make them more alike"
            )

    @cached_property
    def _critical(self) -> Float64[np.ndarray, " c"]:
        points = np.empty(2 * len(self.minima) - 1)
        points[::2], points[1::2] = self.minima, self.maxima
        return points

    @cached_property
    def _spline(self) -> "scipy.interpolate.BPoly":
        """The objective between its two linear tails."""
        x, depths = self._critical, np.asarray(self.depths)
        gaps = np.diff(x)  # from minimum to maximum, to minimum, ...
        values, curvatures = np.zeros(len(x)), np.empty(len(x))
        values[::2] = -depths
        curvatures[::2] = _NATURAL * depths / self.widths**2
        sides = _NATURAL * depths[[0, *np.repeat(np.arange(1, len(depths) - 1), 2), -1]] / gaps**2
        curvatures[1::2] = -np.sqrt(sides[::2] * sides[1::2])
        outer, sign, length = [0, -1], np.array([-1, 1]), gaps[[0, -1]]
        steep = curvatures[outer] * length
        # With this value the slope is a cubic between an outer minimum and the linear tail.
        high = values[outer] + steep * length / 2 + curvatures[outer] * length**2 / 12
        left, right = x[outer] + sign * length
        first, last = np.stack([high, sign * steep, np.zeros(2)], 1)
        inner = np.stack([values, np.zeros(len(x)), curvatures], 1)
        return scipy.interpolate.BPoly.from_derivatives([left, *x, right], [first, *inner, last])

    @property
    def ends(self) -> tuple[float, float]:
        """The points where the linear tails begin."""
        return float(self._spline.x[0]), float(self._spline.x[-1])

    @property
    def widths(self) -> Float64[np.ndarray, " r"]:
        """Distance of each minimum to its nearest maximum."""
        return np.abs(np.subtract.outer(self.minima, self.maxima)).min(1)

    def _slope(self, x: _Points) -> _Points:
        """Return the derivative f'(x), exactly."""
        return self._spline.derivative()(np.clip(x, *self.ends))

    def value(self, x: _Points) -> _Points:
        """Return the objective f(x)."""
        inside = np.clip(x, *self.ends)
        return self._spline(inside) + self._slope(inside) * (x - inside)

    @cached_property
    def _table(self) -> tuple[float, float, Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        """Left end, cells per unit length, and for each cell constant and slope of the gradient in units of cells."""
        left, right = self.ends
        slopes = self._slope(np.linspace(left, right, _CELLS + 1))
        steps = np.diff(slopes)
        return left, _CELLS / (right - left), slopes[:-1] - np.arange(_CELLS) * steps, steps

    def gradient(self, x: _Points) -> _Points:
        """Return the derivative f'(x), linear between 4097 exact values: within 1e-5 of its largest size."""
        left, density, constants, steps = self._table
        position = np.clip((x - left) * density, 0, _CELLS)
        cell = np.minimum(position.astype(np.intp), _CELLS - 1)
        return constants.take(cell) + steps.take(cell) * position
