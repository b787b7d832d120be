"""The joint estimate 1/alpha^ (Corollary 2.4 of Mohammadi, Mohammadpour and Ogata 2015; corrected), in pieces that are shared.

The mean logarithm of the entries does not depend on their order: it is taken once for all orders.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from tailnoise_utils.tail_index import logs as entries

__all__ = ["Estimate", "TooFew", "alive", "curve", "jackknifed", "live_columns", "of_rows", "of_shuffled", "row_logs"]

_BASE = 10  # all block lengths of a curve are multiples of it


class TooFew(ValueError):
    """Too few rows, live coordinates or entries to look at: what noise may well be, and no error of a program."""


class Estimate(NamedTuple):
    """A number and its standard error (NaN where there is none)."""

    value: float
    se: float


def curve(U: Float[Tensor, "P p"], *, lengths: tuple[int, ...] | None = None) -> dict[int, Estimate]:
    """The joint estimate 1/alpha^ (corrected) against K1.

    Flat for i.i.d. stable entries; for anything else it moves with K1, and so with the size of the network.

    Args:
        U: noise matrix, on any device.
        lengths: block lengths, multiples of 10; by default 10, 20, 50, 100, ... (1000 among them) as long as there are
            50 blocks or more.

    Returns:
        K1 to 1/alpha^, its standard error by the jackknife over the minibatches.

    Raises:
        ValueError: a length is no multiple of 10 or leaves fewer than two blocks, nothing alive.
    """
    U = live_columns(U)
    K = U.numel()
    if lengths is None:
        lengths = tuple(m * 10**k for k in range(1, 12) for m in (1, 2, 5) if 50 * m * 10**k <= K)
    for K1 in lengths:
        if K1 % _BASE or not _BASE <= K1 <= K // 2:
            raise ValueError(f"K1 = {K1} is no multiple of {_BASE} within {_BASE}..{K // 2} (half of K = {K})")
    logs, flat = row_logs(U), U.reshape(-1)
    base = flat[: K // _BASE * _BASE].view(-1, _BASE).sum(1)
    found = {}
    for K1 in lengths:
        n = K // K1
        Y = base[: n * (K1 // _BASE)].view(n, -1).sum(1)
        found[K1] = jackknifed(Y, flat, K1, logs)[0]
    return found


def live_columns(U: Float[Tensor, "P p"]) -> Float[Tensor, "P live"]:
    """Leave out the columns that are the same in all rows (dead units).

    Args:
        U: noise matrix.

    Returns:
        The matrix itself if there are none, else a copy without them.

    Raises:
        ValueError: nothing is left.
    """
    live = alive(U)
    return U if bool(live.all()) else entries.chosen(U, live)


def alive(U: Float[Tensor, "P p"]) -> Bool[Tensor, " p"]:
    """Which columns are not the same in all rows.

    Args:
        U: noise matrix.

    Returns:
        A mask with at least one true entry.

    Raises:
        TooFew: there is none.
    """
    live = entries.alive(U)
    if not bool(live.any()):
        raise TooFew("nothing is alive: every column of the noise matrix is constant over the minibatches")
    return live


def row_logs(U: Float[Tensor, "P p"]) -> Float64[Tensor, "P 2"]:
    """Sum of ln|entry| without zeros, and how many these are, in every row.

    Args:
        U: noise matrix.

    Returns:
        Both, in float64.
    """
    out = torch.empty(len(U), 2, dtype=torch.float64, device=U.device)
    for found, row in zip(out, U, strict=True):
        pieces = [_sum_of_logs(piece) for piece in row.split(entries.CHUNK)]
        found.copy_(torch.stack(pieces).sum(0))
    return out


def _sum_of_logs(x: Float[Tensor, " n"]) -> Float64[Tensor, " 2"]:
    """Sum of ln|x| without zeros, and how many these are."""
    logs = x.abs().log_()
    total = logs.sum(dtype=torch.float64)
    if bool(torch.isfinite(total)):
        return torch.stack([total, total.new_tensor(len(x))])
    logs = logs[x != 0]
    return torch.stack([logs.sum(dtype=torch.float64), total.new_tensor(len(logs))])


def of_rows(U: Float[Tensor, "P p"], K1: int, logs: Float64[Tensor, "P 2"]) -> tuple[Estimate, float]:
    """1/alpha^ - 1/2 of a matrix read row by row.

    Args:
        U: noise matrix.
        K1: length of a block.
        logs: of :func:`row_logs`; the columns may be in another order there.

    Returns:
        The estimate with its jackknife standard error, and the variance of the mean ln|Y| by the same.
    """
    flat = U.reshape(-1)
    index, variance = jackknifed(flat[: len(flat) // K1 * K1].view(-1, K1).sum(1), flat, K1, logs)
    return Estimate(index.value - 0.5, index.se), variance


def jackknifed(
    Y: Float[Tensor, " K2"], flat: Float[Tensor, " K"], K1: int, logs: Float64[Tensor, "P 2"]
) -> tuple[Estimate, float]:
    """1/alpha^ of block sums, with the jackknife over the rows.

    Args:
        Y: the block sums.
        flat: all entries, row by row.
        K1: length of a block.
        logs: of :func:`row_logs`.

    Returns:
        The estimate with its standard error, and the variance of the mean ln|Y|.

    Raises:
        ValueError: nothing but zeros.
    """
    P, K2 = len(logs), len(Y)
    values = Y.abs().double().log_()
    counts = torch.isfinite(values)
    first = torch.arange(K2, device=Y.device) * K1 // (len(flat) // P)  # the row in which a block begins
    sums = Y.new_zeros(P, 4, dtype=torch.float64)
    sums[:, 0].index_add_(0, first, values.masked_fill(~counts, 0.0))
    sums[:, 1].index_add_(0, first, counts.double())
    sums[:, 2:] = logs
    sums[-1, 2:] -= _sum_of_logs(flat[K1 * K2 :])  # the remainder takes no part
    log_Y, n_Y, log_X, n_X = sums.sum(0).tolist()
    if not n_Y or not n_X:
        raise ValueError(f"all {K2} block sums (K1 = {K1}) are exactly zero: no logarithm to average")
    value = (log_Y / n_Y - log_X / n_X) / math.log(K1)
    left = sums.sum(0) - sums
    Y_left = left[:, 0] / left[:, 1]
    out = (Y_left - left[:, 2] / left[:, 3]) / math.log(K1)
    share = (P - 1) ** 2 / P
    return Estimate(value, math.sqrt(share * float(out.var()))), share * float(Y_left.var())


def of_shuffled(x: Float[Tensor, " K"], K1: int, logs: Float64[Tensor, "rows 2"]) -> tuple[Estimate, float]:
    """1/alpha^ - 1/2 of shuffled entries, whose block sums are as good as independent.

    Args:
        x: the entries.
        K1: length of a block.
        logs: of :func:`row_logs`, in whatever order.

    Returns:
        The estimate with the standard error of the shuffle, and the variance of the mean ln|Y|.
    """
    K2 = len(x) // K1
    values = x[: K1 * K2].view(K2, K1).sum(1).abs().double().log_()
    values = values[torch.isfinite(values)]
    log_X, n_X = (logs.sum(0) - _sum_of_logs(x[K1 * K2 :])).tolist()
    variance = float(values.var()) / len(values)
    value = (float(values.mean()) - log_X / n_X) / math.log(K1) - 0.5
    return Estimate(value, math.sqrt(variance) / math.log(K1)), variance
