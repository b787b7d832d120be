"""The joint estimate 1/alpha^ (Corollary 2.4 of Mohammadi, Mohammadpour and Ogata 2015; corrected) of one noise matrix.

The mean logarithm of the entries does not depend on their order: it is taken once for all orders.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from tailnoise_utils.tail_index import logs as entries
from tailnoise_utils.tail_index.blocks import by_row, inverse_index, jackknife
from tailnoise_utils.tail_index.logs import log_sums

_BASE = 10  # all block lengths of a curve are multiples of it


class TooFew(ValueError):
    """Too few rows, live coordinates or entries to look at: what noise may well be, and no error of a program."""


class Estimate(NamedTuple):
    """A number and its standard error (NaN where there is none)."""

    value: float
    se: float


def curve(U: Float[Tensor, "P p"], *, lengths: tuple[int, ...] | None = None) -> dict[int, Estimate]:
    """Compute 1/alpha^ against K1, multiples of 10 that leave 50 blocks: flat for i.i.d. stable entries, for others not."""
    U = live_columns(U)
    K = U.numel()
    if lengths is None:
        lengths = tuple(m * 10**k for k in range(1, 12) for m in (1, 2, 5) if 50 * m * 10**k <= K)
    for K1 in lengths:
        if K1 % _BASE or not _BASE <= K1 <= K // 2:
            raise ValueError(f"K1 = {K1} is no multiple of {_BASE} within {_BASE}..{K // 2} (half of K = {K})")
    logs, tens = row_logs(U), _block_sums(U.reshape(-1), _BASE)
    estimates = {K1: of_rows(U, K1, logs, _block_sums(tens[: K // K1 * K1 // _BASE], K1 // _BASE))[0] for K1 in lengths}
    return {K1: Estimate(excess + 0.5, se) for K1, (excess, se) in estimates.items()}


def live_columns(U: Float[Tensor, "P p"]) -> Float[Tensor, "P live"]:
    """Leave out the columns that are the same in all rows (dead units); the matrix itself where there are none."""
    live = alive(U)
    return U if bool(live.all()) else entries.chosen(U, live)


def alive(U: Float[Tensor, "P p"]) -> Bool[Tensor, " p"]:
    """Mark the columns that are not the same in all rows; refuse a matrix without any."""
    live = entries.alive(U)
    if not bool(live.any()):
        raise TooFew("nothing is alive: every column of the noise matrix is constant over the minibatches")
    return live


def row_logs(U: Float[Tensor, "P p"]) -> Float64[Tensor, "P 2"]:
    """Sum ln|entry| without zeros, and count these terms, in every row."""
    return torch.stack([sum(map(log_sums, row.split(entries.CHUNK))) for row in U])


def of_rows(
    U: Float[Tensor, "P p"], K1: int, logs: Float64[Tensor, "P 2"], Y: Float[Tensor, " K2"] | None = None
) -> tuple[Estimate, float]:
    """Compute 1/alpha^ - 1/2 read row by row (`logs` of any column order), and Var mean ln|Y|: jackknife over rows."""
    flat = U.reshape(-1)
    Y = _block_sums(flat, K1) if Y is None else Y
    by_rows = by_row(log_sums(Y[:, None]), K1, U.shape[1])
    sums = logs.repeat(1, 2)
    sums[:, :2] = 0
    sums[: len(by_rows), :2] = by_rows
    sums[-1, 2:] -= log_sums(flat[K1 * len(Y) :])  # the remainder takes no part
    se, Y_se = jackknife(sums, K1)
    return Estimate(inverse_index(sums.sum(0).tolist(), K1, len(Y)) - 0.5, se), Y_se**2


def of_shuffled(x: Float[Tensor, " K"], K1: int, logs: Float64[Tensor, "rows 2"]) -> tuple[Estimate, float]:
    """Compute 1/alpha^ - 1/2 of shuffled entries and Var mean ln|Y|, as if block sums were independent."""
    Y = log_sums(_block_sums(x, K1)[:, None])
    totals = torch.cat([Y.sum(0), logs.sum(0) - log_sums(x[len(Y) * K1 :])])
    values = Y[Y[:, 1] > 0, 0]
    variance = float(values.var()) / len(values)
    return Estimate(inverse_index(totals.tolist(), K1, len(Y)) - 0.5, math.sqrt(variance) / math.log(K1)), variance


def _block_sums(x: Float[Tensor, " K"], K1: int) -> Float64[Tensor, " K2"]:
    """Sum every K1 consecutive entries; the remainder takes no part."""
    return x[: len(x) // K1 * K1].view(-1, K1).sum(1, dtype=torch.float64)
