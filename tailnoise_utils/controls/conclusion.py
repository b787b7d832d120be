"""What the tests across the minibatches say together, in one careful sentence."""

from collections.abc import Mapping

from .across import Comparison

__all__ = ["conclusion", "counted"]

_LEVEL = 0.05  # of all tests together
Tests = Mapping[tuple[str, str, int | None], Comparison]


def counted(tests: Tests) -> dict[str, tuple[str, str, int | None]]:
    """The tests that a conclusion counts: each statistic of the whole network once, at its largest K1.

    Several K1 would be several looks at the same columns; at the largest, noise of finite variance is nearest to 1/2.

    Args:
        tests: (scope, quantity, x) to the statistic beside its null distribution, as in an anatomy.

    Returns:
        Quantity to the key of its test, without those that have no p-value (NaN).
    """
    found: dict[str, tuple[str, str, int | None]] = {}
    for key in sorted(tests, key=lambda key: key[2] or 0):
        if key[0] == "all" and tests[key].p >= 0:  # not where it is NaN
            found[key[1]] = key
    return found


def conclusion(tests: Tests, draws: int) -> str:
    r"""What was found across the minibatches, of the whole network.

    The rule: m tests count (:func:`counted`; 5 as a rule). The noise is called heavier than Gaussian if one of them has
    :math:`p \le 0.05 / m` (Bonferroni), and those that have are named: with 99 surrogates and 5 tests, a statistic beyond
    all its surrogates. So Gaussian noise is called heavier in about 5 % of the reports, as far as surrogates have its
    law. Otherwise the tests cannot tell the noise from Gaussian noise, which does not make it Gaussian.

    Args:
        tests: (scope, quantity, x) to the statistic beside its null distribution, as in an anatomy.
        draws: surrogates of each.

    Returns:
        One sentence: heavier, cannot be told apart, or too few surrogates to say, fewer than 20 m - 1.
    """
    count = {name: tests[key].p for name, key in counted(tests).items()}
    m = len(count)
    if not m:
        return "Conclusion: none, for no test across the minibatches has a p-value."
    each = f"{m} tests (*), each at the level {_LEVEL} / {m}"
    if heavier := [f"{name} (p = {p:.2g})" for name, p in count.items() if p <= _LEVEL / m + 1e-12]:
        return (
            "Conclusion: across the minibatches the noise of the whole network is heavier than Gaussian noise of the same "
            f"covariance by {' and '.join(heavier)}, of {each}; this does not make it stable, nor say how heavy it is."
        )
    if draws < 20 * m - 1:
        return (
            f"Conclusion: none, for with {draws} surrogates no p-value can be below {1 / (draws + 1):.2g}: {each}, need "
            f"draws = {20 * m - 1} or more."
        )
    smallest = min(count, key=lambda name: count[name])
    return (
        f"Conclusion: across the minibatches none of {each}, can tell the noise of the whole network from Gaussian "
        f"noise of the same covariance (smallest p = {count[smallest]:.2g}, {smallest}); the book's page blind_spots shows "
        "what such tests miss."
    )
