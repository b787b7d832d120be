"""Gradients that would be equal in exact arithmetic, and differ by rounding."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["doubt", "unresolved"]

_MOST = 2e-3  # share of the differences: above what any continuous law has
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


def doubt(shares: Mapping[str, float], dtype: torch.dtype) -> str:
    """Why rounding forbids a conclusion.

    Args:
        shares: unresolved of the whole network, "all", and of its groups; empty where it is not known.
        dtype: of the gradients as they came.

    Returns:
        "" if it does not: the gradients have single precision or more, and of their differences at most two in a thousand
        are unresolved.
    """
    if torch.finfo(dtype).bits < 32:
        return (
            f"gradients in {str(dtype).removeprefix('torch.')} have too few digits for the differences between "
            "minibatches: measure in float32, with model.float() and inputs of that type."
        )
    if not shares.get("all", 0.0) > _MOST:
        return ""
    groups = {name: share for name, share in shares.items() if name != "all"}
    worst = max(groups, key=lambda name: groups[name], default="")
    return (
        f"{shares['all']:.1%} of the differences between minibatches"
        + (f" ({groups[worst]:.1%} in the group {worst!r})" if worst else "")
        + " may be rounding errors, of gradients that would be equal in exact arithmetic, such as counts of a class behind "
        "a dead layer, or sums over much the same samples. tau, single columns, scales and tails take logarithms of them. "
        "Leave layers behind a dead one out, with requires_grad_(False), and measure again."
    )
