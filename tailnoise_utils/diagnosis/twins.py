"""The Gaussian twin of a noise matrix in closed form, the same noise with other signs, and the tail excess."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from .per_coordinate import t1

__all__ = ["flip_columns", "tail_excess", "twin_inverse"]

_COLUMNS = 2**14  # taken at a time
_MEAN_LOG_NORMAL = -(np.euler_gamma + np.log(2)) / 2  # E ln|z| of a standard normal z


def twin_inverse(U: Float[Tensor, "P p"], lengths: Sequence[int], *, epsilon: float = 0.0) -> list[float]:
    r"""Compute the mean of 1/alpha^ over the Gaussian twins of a noise matrix, without drawing any.

    A twin is :math:`Z U / \sqrt P`, Z a P x P matrix of independent standard normal numbers: Gaussian noise whose rows
    have the covariance :math:`U^\top U / P`. Read row by row as :func:`~tailnoise_utils.tail_index.mohammadi` does,
    every entry and every block sum of it is normal, so that

    .. math:: E\Bigl[\frac{1}{\hat\alpha}\Big|U\Bigr] = \frac{1}{\ln K_1}
        \Bigl(\frac{1}{K_2}\sum_{\text{blocks}} h(s_Y) - \frac{1}{K}\sum_{ij} h(s_j)\Bigr), \qquad
        h(s) = E \ln(s|z| + \epsilon), \quad z \sim N(0, 1),

    with :math:`s_j^2 = \sum_i U_{ij}^2 / P` and :math:`s_Y^2 = \sum_i (\sum_{j \in Y} U_{ij})^2 / P`; of a block that
    straddles rows, the variances of its pieces add up, for rows of the twin are independent. Equality of 1/alpha^ of U
    and of its twin says that the estimate holds nothing beyond second moments; it is expected of jointly stable rows too.

    Args:
        U: noise matrix, one row a minibatch; without dead columns unless `epsilon` is positive.
        lengths: block lengths K1; what is left over takes no part.
        epsilon: added inside every logarithm.

    Returns:
        The mean of 1/alpha^ at each block length.
    """
    P, p = U.shape
    cuts, first, last, squares = [], [], [], []
    for K1 in lengths:
        end = P * p // K1 * K1
        cuts.append(np.union1d(np.arange(0, end + 1, K1), np.arange(0, end, p)))  # pieces: blocks, cut where a row ends
        first.append(torch.from_numpy(cuts[-1][:-1] % p))
        last.append(torch.from_numpy((cuts[-1][1:] - 1) % p))
        squares.append(np.zeros(len(first[-1])))
    for row in U.cpu():
        sums = row.cumsum(0, dtype=torch.float64)
        for start, stop, total in zip(first, last, squares, strict=True):
            total += (sums[stop] - sums[start] + row[start].double()).square().numpy() / P
    scales = column_squares(U).sqrt().cpu().numpy()
    found = []
    for K1, cut, pieces in zip(lengths, cuts, squares, strict=True):
        blocks = np.add.reduceat(pieces, np.searchsorted(cut, np.arange(0, cut[-1], K1)))
        rows, rest = divmod(int(cut[-1]), p)
        log_X = _logs(scales, epsilon) * rows + _logs(scales[:rest], epsilon)
        found.append(float((_logs(np.sqrt(blocks), epsilon) / len(blocks) - log_X / cut[-1]) / np.log(K1)))
    return found


def column_squares(U: Float[Tensor, "P p"]) -> Float64[Tensor, " p"]:
    """Compute the mean square of every column in float64."""
    return torch.cat([block.double().square().mean(0) for block in U.split(_COLUMNS, 1)])


def _logs(scales: Float64[np.ndarray, " n"], epsilon: float) -> float:
    """Sum E ln(s|z| + epsilon) over scales s."""
    if not epsilon:
        return float(np.log(scales).sum() + len(scales) * _MEAN_LOG_NORMAL)
    with np.errstate(divide="ignore"):
        smooth = np.interp(np.log(scales / epsilon), *_smooth_part())
    return float((np.log(epsilon + scales) + smooth).sum())


@lru_cache
def _smooth_part() -> tuple[np.ndarray, np.ndarray]:
    """Tabulate E ln(1 + r|z|) - ln(1 + r) against ln r: smooth, and constant where either term of the sum is lost."""
    log_r, log_z, step = np.linspace(-40, 40, 4001), *np.linspace(-45, 2.5, 2001, retstep=True)
    z = np.exp(log_z)
    density = np.exp(-np.square(z) / 2) * z * step * np.sqrt(2 / np.pi)  # of ln|z|
    values = [np.log1p(r * z) @ density - np.log1p(r) for r in np.exp(log_r)]
    return log_r, np.array(values)


def flip_columns(U: Float[Tensor, "P p"], seed: int) -> Float[Tensor, "P p"]:
    """Give every column a random sign, in place: independent symmetric components would keep their law.

    Args:
        U: noise matrix.
        seed: of the signs.

    Returns:
        The same matrix.
    """
    signs = torch.randint(2, (U.shape[1],), generator=torch.Generator().manual_seed(seed)).mul_(2).sub_(1)
    return U.mul_(signs.to(U))


def tail_excess(U: Float[Tensor, "P p"]) -> Float64[Tensor, " p"]:
    """Compute the tail excess tau of every column (:func:`~tailnoise_utils.diagnosis.per_coordinate.t1`), a few at a time.

    Args:
        U: noise matrix whose columns are centred; a dead one gives NaN.

    Returns:
        tau of every column.
    """
    return torch.cat([t1(block) for block in U.split(_COLUMNS, 1)])
