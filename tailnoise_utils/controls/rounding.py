"""Gradients that would be equal in exact arithmetic, and differ by rounding."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["unresolved"]

_ROUNDINGS = 64  # what equal gradients differ by after sums over a minibatch, at most as a rule
_SMALL = 1e-3  # of the median difference of a column


def unresolved(g: Float[Tensor, "P p"]) -> float:
    r"""Share of the pair differences of gradients that are not zero, but may be so by rounding alone.

    Those with :math:`0 < |d_{ij}| \le 64\, \epsilon\, (|g_{2i-1,j}| + |g_{2i,j}|)`, :math:`d_{ij} = g_{2i-1,j} - g_{2i,j}`,
    that are also below a thousandth of the median of their column's differences above that bound, if there are any:
    otherwise they are small because the noise is small beside its mean. Gradients that cancel to next to nothing are not
    seen. Of a continuous law it is below a thousandth. Gradients that are whole
    numbers over the minibatch size, such as the counts of a class, are often equal in exact arithmetic: then it is a half
    to several per cent, their logarithms are of rounding errors, and nothing that takes logarithms can be believed.

    Args:
        g: a gradient a row, *not* centred: where few minibatches reach a coordinate, its other entries are all next to
            minus the mean once it is centred. Its dtype says what rounding is.

    Returns:
        The share.
    """
    pairs = len(g) // 2
    one, other = g[0 : 2 * pairs : 2], g[1 : 2 * pairs : 2]
    size = (one - other).abs()
    bound = _ROUNDINGS * torch.finfo(g.dtype).eps * (one.abs() + other.abs())
    typical = size.where(size > bound, torch.nan).nanmedian(0).values.nan_to_num(torch.inf)
    return float(((size > 0) & (size <= bound) & (size < _SMALL * typical)).double().mean())
