"""What the tests across the minibatches say together, in one careful sentence."""

from collections.abc import Mapping

from .per_coordinate import Comparison

__all__ = ["conclusion", "counted", "heavier"]

_LEVEL = 0.05  # of all tests together
_LONGEST = 30  # block length, of single columns
Tests = Mapping[tuple[str, str, int | None], Comparison]


def counted(tests: Tests) -> dict[str, tuple[str, str, int | None]]:
    """The tests that a conclusion counts: each statistic of the whole network once, at its largest K1 up to 30.

    Several K1 would be several looks at the same columns. Noise of finite variance is the nearer to 1/2 the larger K1 is,
    but the fewer blocks there are the less a test finds: of 120 x 200 SaS entries of index 1.5 with latent factors 87, 72
    and 53 % at K1 = 3, 30 and 50.

    Args:
        tests: (scope, quantity, x) to the statistic beside its null distribution, as in an diagnosis.

    Returns:
        Quantity to the key of its test, without those that have no p-value (NaN).
    """
    found: dict[str, tuple[str, str, int | None]] = {}
    for key in sorted(tests, key=lambda key: key[2] or 0):
        if key[0] == "all" and (key[2] or 0) <= _LONGEST and tests[key].p >= 0:  # not where it is NaN
            found[key[1]] = key
    return found


def heavier(tests: Tests) -> dict[str, float]:
    r"""The rule of a conclusion: of m tests that count, those with :math:`p \le 0.05 / m` (Bonferroni).

    Args:
        tests: (scope, quantity, x) to the statistic beside its null distribution, as in an diagnosis.

    Returns:
        Quantity to p-value of the tests that find heavier tails than Gaussian noise has.
    """
    count = {name: tests[key].p for name, key in counted(tests).items()}
    return {name: p for name, p in count.items() if p <= _LEVEL / len(count) + 1e-12}


def conclusion(tests: Tests, draws: int, doubt: str = "") -> str:
    r"""What was found across the minibatches, of the whole network.

    The rule: m tests count (:func:`counted`; 5 as a rule). The noise is called heavier than Gaussian if one of them finds
    it so (:func:`heavier`), and those that do are named: with 99 twins and 5 tests, a statistic beyond all its
    twins. So Gaussian noise is called heavier in 5 % of the reports at most, as far as twins have its
    law. Otherwise the tests cannot tell the noise from Gaussian noise, which does not make it Gaussian.

    Args:
        tests: (scope, quantity, x) to the statistic beside its null distribution, as in an diagnosis.
        draws: twins of each.
        doubt: why the tests cannot be asked at all, "" if they can.

    Returns:
        One sentence: heavier, cannot be told apart, or none: for `doubt`, or with too few twins to say, fewer than
        20 m - 1.
    """
    count = {name: tests[key].p for name, key in counted(tests).items()}
    m = len(count)
    if not m:
        return "Conclusion: none, for no test across the minibatches has a p-value."
    if doubt:
        return f"Conclusion: none, for {doubt}"
    across = "Conclusion: across the minibatches, if they are a random partition of the data,"
    each = f"{m} tests (*), each at the level {_LEVEL} / {m}"
    if found := [f"{name} (p = {p:.2g})" for name, p in heavier(tests).items()]:
        return (
            f"{across} the noise of the whole network is heavier than Gaussian noise of the same covariance by "
            f"{_listed(found)}, of {each}; this does not make it stable, nor say how heavy it is."
        )
    if draws < 20 * m - 1:
        return (
            f"Conclusion: none, for with {draws} twins no p-value can be below {1 / (draws + 1):.2g}: {each}, need "
            f"draws = {20 * m - 1} or more."
        )
    smallest = min(count, key=lambda name: count[name])
    return (
        f"{across} none of {each}, can tell the noise of the whole network from Gaussian noise of the same covariance "
        f"(smallest p = {count[smallest]:.2g}, {smallest}); the book's page blind_spots shows what such tests miss."
    )


def _listed(names: list[str]) -> str:
    """A, B and C."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
