r"""Where :math:`1/\hat\alpha - 1/2` comes from: the joint estimate after one property of the noise at a time is destroyed.

e_0
    the noise as it is, dead columns dropped (the corrected convention);
e_c
    after one random permutation of the columns, the same for all rows;
e_pi
    after an independent permutation of the rows in every column: what coordinates share is gone;
e_1
    after a shuffle of all entries: the order of the coordinates is gone too;
e_2
    pair differences :math:`U_{2i-1} - U_{2i}`, each divided by its column's scale, the geometric mean of \|.\| over the
    *other* half of the pairs, all with random signs and shuffled: unequal scales are gone too.

.. math:: \underbrace{e_0 - e_\pi}_{\text{correlation}} + \underbrace{e_\pi - e_1}_{\text{order}}
    + \underbrace{e_1 - (e_2 - r)}_{\text{scales}} + \underbrace{e_2 - r}_{\text{tails}}

with r what e_2 is of Gaussian noise, whatever its scales. The parts add up to e_0; each may be negative. A column's own
standard deviation would not do as its scale: entries over it are bounded by :math:`\sqrt P`, and true tails would be
booked as scales. The error of the scale from the other half does not depend on the entry, and r takes away what it adds.
Given the scales s^ of m pairs, a block sum of SaS differences X / s^ is SaS of scale
:math:`(\sum \hat s^{-\alpha})^{1/\alpha}`; for large K1, e_2 + 1/2 is then (:func:`expected_scaled`)

.. math:: \frac1\alpha + \frac1{\log K_1} \Bigl( \frac1\alpha \ln E\,\hat s^{-\alpha} + E \ln|X| \Bigr), \qquad
    E\,\hat s^{-\alpha} = \bigl( E|X|^{-\alpha/m} \bigr)^m,

about :math:`1/\alpha + \alpha \kappa_2 / (2 m \log K_1)`, :math:`\kappa_2` = Var ln\|X\|. Differences have a symmetric law,
which random signs do not change. Without the signs, correlated coordinates would make the differences of a minibatch large
together and mostly of one sign, and every block would have a share of their sum however they are shuffled.

Scaled columns weigh the same, so that tails are those of a typical column as its *mean square* has them: of columns of
finite variance :math:`\ln \mathrm{mean}_j e^{2 \tau_j} / (2 \ln K_1)` up to what r takes away, with tau_j of
:func:`~tailnoise_utils.diagnosis.per_coordinate.tail_excess`. A few columns with very heavy tails can make most. In e_1
every column weighs by its size: where those columns are small, e_1 lacks what is in tails, and scales are negative. Exact
zeros take no part in the scale of their column; what they do to e_1 is in scales.

The parts see the *marginal* law of the entries. Tails that a whole row has in common (elliptical noise) are in e_2, where
rows are mixed, and come back with the opposite sign as correlation, as far as the rows go. P rows have P scales: for K1
above P such noise of index alpha has a correlation of about :math:`-(1/\alpha - 1/2) \ln P / \ln K_1` and tails of about
:math:`(1/\alpha - 1/2) \ln(P/2) / \ln K_1`.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tailnoise_utils import stable
from tailnoise_utils.tail_index.logs import CHUNK, chosen
from tailnoise_utils.tail_index.result import check_finite

from .joint import Estimate, TooFew, alive, of_rows, of_shuffled, row_logs
from .per_coordinate import mean_logs
from .twins import permute_within_columns, random_signs, shuffle

STABLE = 1.5  # index of the stable law that everything is compared with
FEWEST_ROWS = 16  # below, E s^-alpha converges too slowly in K1 for its closed form (12 rows: off by .01 to .02)


@dataclass(frozen=True)
class Decomposition:
    r"""The joint estimate, taken apart; all values on :math:`1/\hat\alpha - 1/2`.

    Standard errors: of e_0 and e_c by the jackknife over the minibatches; of e_pi, e_1 and e_2 that of the shuffle alone,
    given the minibatches; in `correlation` the mean logarithm of the entries cancels, and its error with it. With
    heavy tails that of e_0 is too small: the jackknife does not see the column means that centring took away from all
    rows. For i.i.d. SaS of 1.8, 1.5 and 1.2 at P = 120 the spread is up to 1.6, 2.9 and 5 times what it is of entries
    that were not centred.

    Attributes:
        P: number of rows.
        p: number of live columns.
        K1: length of a block, the same for all.
        e_0: as it is.
        e_c: columns permuted.
        e_pi: rows permuted independently in every column.
        e_1: all entries shuffled.
        e_2: pair differences over cross-fitted scales, shuffled.
        correlation: e_0 - e_pi.
        order: e_pi - e_1.
        scales: e_1 - tails.
        tails: e_2 - `reference`.
        reference: what e_2 is of Gaussian noise, whatever its scales.
        half: smallest share of the columns that make half of the mean square of the scaled differences, and so of what
            `tails` weighs: somewhat below 1/2 for Gaussian noise, next to 0 where few columns make it.
        stable_tails: `tails` of independent SaS noise of index 1.5, whatever its scales: 1/1.5 - 1/2 and what the error of
            the estimated scales adds at this P and K1; scales have the rest.
    """

    P: int
    p: int
    K1: int
    e_0: Estimate
    e_c: Estimate
    e_pi: Estimate
    e_1: Estimate
    e_2: Estimate
    correlation: Estimate
    order: Estimate
    scales: Estimate
    tails: Estimate
    reference: float
    half: float
    stable_tails: float

    def rows(self) -> list[dict[str, Any]]:
        """Give the numbers as rows of the results table: quantity, value and, where there is one, se."""
        names = ("e_0", "e_c", "e_pi", "e_1", "e_2", "correlation", "order", "scales", "tails")
        rows = [{"quantity": f"decomposition: {name}"} | getattr(self, name)._asdict() for name in names]
        numbers = {
            "e_2 (Gaussian)": self.reference,
            f"tails (stable {STABLE})": self.stable_tails,
            "tails (columns of half)": self.half,
            "K1": self.K1,
            "p": self.p,
        }
        return rows + [{"quantity": f"decomposition: {name}", "value": value} for name, value in numbers.items()]


def decompose(
    U: Float[Tensor, "P p"], *, K1: int | None = None, seed: int = 0, gradients: Float[Tensor, "P p"] | None = None
) -> Decomposition:
    r"""Take the joint estimate apart (see the module).

    Source: this project's own; the estimate is Corollary 2.4 of Mohammadi, Mohammadpour and Ogata (2015),
    :func:`tailnoise_utils.tail_index.mohammadi` in the corrected convention.

    Args:
        U: noise matrix, one row a minibatch, on any device; rows in an order that says nothing (a random partition),
            centred: where coordinates are correlated, a mean that is not zero would be in e_1.
        K1: length of a block, floor(sqrt(K)) by default, K = P p with p the live columns; the same for e_2, which has half
            the entries.
        seed: of the permutations.
        gradients: the same before it was centred, U by default; its differences have all their digits. Where few
            minibatches reach a coordinate with a large gradient, its other entries are all next to minus the mean once it
            is centred, and in float32 little of their own digits is left.

    Returns:
        The parts.

    Raises:
        TooFew: fewer than 16 rows, nothing alive, or no column with differences in both halves of the pairs.
        ValueError: NaN or infinity, K1 out of range.
    """
    P = len(U)
    if P < FEWEST_ROWS:
        raise TooFew(
            f"P = {P} rows are too few: cross-fitted scales need {FEWEST_ROWS} or more, take smaller minibatches"
        )
    check_finite(U, "the noise matrix")
    live = alive(U)
    if not bool(live.all()):
        U, gradients = chosen(U, live), None if gradients is None else chosen(gradients, live)
    p = U.shape[1]
    K = P * p
    largest = P // 2 * p // 2
    K1 = math.isqrt(K) if K1 is None else K1
    if not 2 <= K1 <= largest:
        raise ValueError(
            f"K1 = {K1} is not within 2..{largest}, half of the {P // 2} x {p} pair differences: choose it there"
        )
    log_K1, logs = math.log(K1), row_logs(U)
    e_0, Y_0 = of_rows(U, K1, logs)
    columns = torch.randperm(p, generator=torch.Generator().manual_seed(seed)).to(U.device)
    e_c, _ = of_rows(U.index_select(1, columns), K1, logs)
    mixed = permute_within_columns(U, seed + 1)
    e_pi, Y_pi = of_shuffled(mixed.view(-1), K1, logs)
    e_1, Y_1 = of_shuffled(shuffle(mixed.view(-1), seed + 2), K1, logs)
    del mixed
    scaled = scaled_differences(U if gradients is None else gradients)
    e_2, Y_2 = of_shuffled(shuffle(random_signs(scaled.view(-1), seed + 4), seed + 3), K1, row_logs(scaled))
    reference = expected_scaled(P, K1) - 0.5
    tails = Estimate(e_2.value - reference, e_2.se)

    def difference(one: Estimate, other: Estimate, *variances: float) -> Estimate:
        return Estimate(one.value - other.value, math.sqrt(sum(variances)) / log_K1)

    return Decomposition(
        P=P,
        p=p,
        K1=K1,
        e_0=e_0,
        e_c=e_c,
        e_pi=e_pi,
        e_1=e_1,
        e_2=e_2,
        correlation=difference(e_0, e_pi, Y_0, Y_pi),
        order=difference(e_pi, e_1, Y_pi, Y_1),
        scales=difference(e_1, tails, Y_1, Y_2),
        tails=tails,
        reference=reference,
        half=_half(scaled),
        stable_tails=expected_scaled(P, K1, STABLE) - 0.5 - reference,
    )


def _half(scaled: Float[Tensor, "pairs q"]) -> float:
    """Compute the smallest share of the columns that make half of the sum of squares."""
    squares = scaled.square().sum(0, dtype=torch.float64).sort(descending=True).values.cumsum(0)
    return float((squares < squares[-1] / 2).sum() + 1) / len(squares)


def expected_scaled(P: int, K1: int, alpha: float | int = 2) -> float:
    """Compute the mean of e_2 + 1/2 where pair differences are i.i.d. SaS in every column (see the module)."""
    if P < FEWEST_ROWS:
        raise ValueError(f"P = {P} rows are too few: cross-fitted scales need {FEWEST_ROWS} or more")
    pairs = P // 2
    moment = sum(
        (pairs - m) / pairs * stable.absolute_moment(-alpha / m, alpha) ** m for m in (pairs // 2, pairs - pairs // 2)
    )
    return 1 / alpha + (math.log(moment) / alpha + stable.log_cumulants(alpha)[0]) / math.log(K1)


def scaled_differences(U: Float[Tensor, "P p"]) -> Float[Tensor, "pairs q"]:
    """Divide differences of row pairs by the geometric mean (zeros left out) of their column's in the other half."""
    pairs = len(U) // 2
    out = U.new_empty(pairs, U.shape[1])
    kept = torch.ones(U.shape[1], dtype=torch.bool, device=U.device)
    width = max(1, CHUNK // pairs)
    halves = slice(pairs // 2), slice(pairs // 2, pairs)
    for block, scaled, keep in zip(U.split(width, 1), out.split(width, 1), kept.split(width), strict=True):
        D = block[0 : 2 * pairs : 2] - block[1 : 2 * pairs : 2]
        logs = D.abs().log_()
        for half, other in (halves, halves[::-1]):
            means = mean_logs(logs[other])
            keep &= ~torch.isnan(means)
            scaled[half] = D[half] * means.neg_().exp_()
    if not bool(kept.all()):
        out = chosen(out, kept)
    if not out.numel():
        raise TooFew("no column has differences in both halves of the pairs that are not zero: no scales to divide by")
    return out
