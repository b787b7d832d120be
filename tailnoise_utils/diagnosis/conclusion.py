r"""What the tests across the minibatches say together, and when they can say nothing.

Rows of a random partition of the data are exchangeable, whatever their law, also once they are centred. :func:`order` tests
that by the serial correlation of Wald and Wolfowitz (1943), of vectors: :math:`S = \sum_i c_{i,i+1}` with the cosines
:math:`c_{ij} = G_{ij} / \sqrt{G_{ii} G_{jj}}`, and :math:`p = (1 + \#\{|S_\pi - m| \ge |S - m|\}) / (1 + \#\pi)` over
random orders :math:`\pi` of the rows, m the mean of S over all orders. p is small if neighbours are cut from the same
stretch of sorted data, or overlap. It does not see minibatches that are each of one kind (a class, a length, a user) where
neighbours are no more alike than others, nor overlaps of minibatches far apart, nor an order with a longer period.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from .per_coordinate import Comparison

_LEVEL = 0.05  # of all tests together
# Largest block length, per coordinate. Several K1 would be several looks at the same coordinates. Noise of finite variance
# is nearer to 1/2 the larger K1 is, yet with fewer blocks a test finds less: of 120 x 200 SaS entries of index 1.5 with
# latent factors 87, 72 and 53 % at K1 = 3, 30 and 50.
_LONGEST = 30
UNRESOLVED = 2e-3  # share of the differences: above what any continuous law has
_ROUNDINGS = 64  # by how many roundings equal gradients differ after sums over a minibatch, at most as a rule
_SMALL = 1e-3  # of the median difference of a column
_PERMUTATIONS = 999
_CHANCE = 1e-3  # largest p-value that says that minibatches are no random partition
_TIE = 1e-9  # cosines that differ by less are equal up to rounding
Tests = Mapping[tuple[str, str, int | None], Comparison]


def counted(tests: Tests) -> dict[str, tuple[str, str, int | None]]:
    """Choose the tests that count: each statistic of the whole network once, at its largest K1 up to 30; none without p."""
    keys: dict[str, tuple[str, str, int | None]] = {}
    for key in sorted(tests, key=lambda key: key[2] or 0):
        if key[0] == "all" and (key[2] or 0) <= _LONGEST and tests[key].p >= 0:  # not where it is NaN
            keys[key[1]] = key
    return keys


def heavier(tests: Tests) -> dict[str, float]:
    """Give quantity and p-value of the tests that find heavier tails: p <= 0.05 / m of m that count (Bonferroni)."""
    keys = counted(tests)
    return {name: tests[key].p for name, key in keys.items() if tests[key].p <= _LEVEL / len(keys) + 1e-12}


def verdict(tests: Tests, draws: int, doubt: str = "") -> bool | None:
    """Tell whether the noise is found heavier than Gaussian: True, False (not told from it), None (no conclusion)."""
    m = len(counted(tests))
    if doubt or not m:
        return None
    return bool(heavier(tests)) or (False if draws >= 20 * m - 1 else None)


def conclude(tests: Tests, draws: int, doubt: str = "") -> str:
    """Say in one sentence what was found across the minibatches, of the whole network.

    The rule: m tests count (:func:`counted`; 5 as a rule). The noise is called heavier than Gaussian if one of them has
    p <= 0.05 / m (:func:`heavier`), and those that do are named: with 99 twins and 5 tests, a statistic beyond all its
    twins. So Gaussian noise is called heavier in 5 % of the reports at most, as far as twins have its law. Otherwise the
    tests cannot tell the noise from Gaussian noise, which does not make it Gaussian.

    Args:
        tests: (scope, quantity, x) to the statistic and its null distribution, as in a diagnosis.
        draws: twins of each.
        doubt: why the tests cannot be asked at all, "" if they can.

    Returns:
        One sentence: heavier, cannot be told apart, or none (for `doubt`, or with fewer than the 20 m - 1 twins needed).
    """
    p_values = {name: tests[key].p for name, key in counted(tests).items()}
    m, heavy = len(p_values), verdict(tests, draws, doubt)
    if not m:
        return "none, for no test across the minibatches has a p-value."
    if doubt:
        return f"none, for {doubt}"
    each, partition = f"{m} tests, each at the level {_LEVEL} / {m}", "if the minibatches are a random partition"
    if heavy is None:
        return (
            f"none, for with {draws} twins no p-value can be below {1 / (draws + 1):.2g}: {each}, need "
            f"draws = {20 * m - 1} or more."
        )
    if heavy:
        *others, last = names = heavier(tests)
        listed = f"{', '.join(others)} and {last}" if others else last
        p = f"{'=' if len(set(names.values())) == 1 else '<='} {max(names.values()):.2g}"
        return (
            f"heavier than Gaussian noise of the same covariance by {listed} (p {p}), of {each}, {partition}."
            " This does not make it stable."
        )
    smallest = min(p_values, key=lambda name: p_values[name])
    return (
        f"not told from Gaussian noise of the same covariance by {each}, {partition} (smallest p = "
        f"{p_values[smallest]:.2g}, {smallest}). This does not make it Gaussian."
    )


def unresolved(g: Float[Tensor, "P p"]) -> float:
    """Compute the share of the pair differences of gradients, *not* centred, not zero but maybe so by rounding."""
    # Once g is centred, the entries of a coordinate that few minibatches reach are all next to minus the mean. A difference
    # that is small because the noise is small compared with its mean counts only if it is small among its column's others.
    # Gradients that cancel to next to nothing are not seen. Of a continuous law the share is below a thousandth; of whole
    # numbers over the minibatch size, such as counts of a class, a half to several per cent: no logarithm is then believed.
    pairs = len(g) // 2
    one, other = g[0 : 2 * pairs : 2], g[1 : 2 * pairs : 2]
    size = (one - other).abs()
    bound = _ROUNDINGS * torch.finfo(g.dtype).eps * (one.abs() + other.abs())
    typical = size.where(size > bound, torch.nan).nanmedian(0).values.nan_to_num(torch.inf)
    return float(((size > 0) & (size <= bound) & (size < _SMALL * typical)).double().mean())


def doubt(shares: Mapping[str, float], dtype: torch.dtype) -> str:
    """Say why rounding forbids a conclusion, "" if it does not: below single precision, or too many unresolved."""
    if torch.finfo(dtype).bits < 32:
        return (
            f"gradients in {str(dtype).removeprefix('torch.')} have too few digits for the differences between "
            "minibatches: measure in float32, with model.float() and inputs of that type."
        )
    if not shares.get("all", 0.0) > UNRESOLVED:
        return ""
    groups = {name: share for name, share in shares.items() if name != "all"}
    worst = max(groups, key=lambda name: groups[name], default="")
    return (
        f"{shares['all']:.1%} of the differences between minibatches"
        + (f" ({groups[worst]:.1%} in the group {worst!r})" if worst else "")
        + " may be rounding errors of gradients that would be equal. Leave layers behind a dead one out, with "
        "requires_grad_(False), and measure again."
    )


def order(G: Float64[Tensor, "P P"], *, permutations: int = _PERMUTATIONS, seed: int = 0) -> float:
    """Test by permutations if rows are exchangeable, from inner products: the p-value (see the module)."""
    P = len(G)
    size = G.diagonal().clamp(min=0).sqrt()
    cosines = G / torch.where(size > 0, size, torch.inf).outer(torch.where(size > 0, size, torch.inf))
    cosines.fill_diagonal_(0.0)
    generator = torch.Generator().manual_seed(seed)
    orders = torch.stack([torch.arange(P), *(torch.randperm(P, generator=generator) for _ in range(permutations))])
    sums = cosines[orders[:, :-1], orders[:, 1:]].sum(1) - cosines.sum() / P
    observed, others = sums[0].abs(), sums[1:].abs()
    return float((others >= observed - _TIE * P).sum() + 1) / (permutations + 1)


def order_doubt(p: float) -> str:
    """Say why the order of the minibatches forbids a conclusion, "" if p is above .001, the smallest of 999 orders."""
    if p > _CHANCE:
        return ""
    return (
        f"neighbouring minibatches are more, or less, alike than in any of {_PERMUTATIONS} random orders (p = {p:.2g}): "
        "shuffle the samples once, cut them into disjoint minibatches, and measure again."
    )
