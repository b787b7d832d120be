"""What the rules share: statistics against examples worked by hand, effect sizes, and how tests become a verdict."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tailnoise_utils.study import claims
from tailnoise_utils.study.claims import inference
from tailnoise_utils.study.claims.verdict import effects, judge, sentence, stated

# Shrout and Fleiss (1979), Table 2: six targets, four judges; BMS = 11.24, WMS = 6.26, ICC(1,1) = .17 (their Table 4).
RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_holm_by_hand():
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04, which must not fall below what is before it.
    assert inference.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert inference.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert inference.holm([]).shape == (0,)


def test_fisher_by_hand():
    # The chi-squared law of 4 degrees has the tail (1 + x/2) e^(-x/2): at e^(-x/2) = .1 x .2.
    assert inference.fisher([0.1, 0.2]) == pytest.approx(0.02 * (1 - math.log(0.02)))
    assert inference.fisher([0.3]) == pytest.approx(0.3)
    assert 0 < inference.fisher([0.0]) < 1e-290


def test_intraclass_of_a_textbook():
    icc, lower, p = inference.intraclass([np.array(ratings, dtype=float) for ratings in RATINGS], 0.0)
    assert icc == pytest.approx(0.17, abs=0.005)
    F = 11.24 / 6.26
    limit = F / stats.f.isf(0.05, 5, 18)
    assert lower == pytest.approx((limit - 1) / (limit + 3), abs=2e-3)
    assert p == pytest.approx(stats.f.sf(F, 5, 18), abs=2e-3)


def test_intraclass_of_unequal_groups():
    # By hand: means 2, 6, 7 of 3, 2, 2 values; grand 32/7; between 33.71/2, within (2 + 2 + 2)/4, k0 = (7 - 17/7)/2.
    groups = [np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0]), np.array([6.0, 8.0])]
    F = (3 * (2 - 32 / 7) ** 2 + 2 * (6 - 32 / 7) ** 2 + 2 * (7 - 32 / 7) ** 2) / 2 / 1.5
    assert inference.intraclass(groups, 0.0)[0] == pytest.approx((F - 1) / (F + 16 / 7 - 1))


def test_the_bound_of_the_intraclass_correlation_has_its_level():
    generator = np.random.default_rng(0)
    bounds = []
    for _ in range(400):
        values = 3 * generator.standard_normal((20, 1)) + generator.standard_normal((20, 3))  # correlation 9 / 10
        bounds.append(inference.intraclass(list(values), 0.9)[1:])
    lower, p = np.array(bounds).T
    assert ((lower >= 0.9) == (p <= 0.05)).all()
    assert 0.02 < (p <= 0.05).mean() < 0.09


def test_intraclass_wants_groups():
    with pytest.raises(ValueError, match=r"groups of \[3, 1\] values: give two groups or more, of two values or more"):
        inference.intraclass([np.ones(3), np.ones(1)], 0.9)
    assert inference.intraclass([np.ones(2), np.zeros(2)], 0.9) == (1.0, 1.0, 0.0)


def test_equivalence_is_the_larger_of_two_tests():
    assert inference.equivalence(0.01, 0.005, math.inf, -0.02, 0.02) == pytest.approx(stats.norm.sf(2))
    assert inference.equivalence(-0.01, 0.005, math.inf, -0.02, 0.02) == pytest.approx(stats.norm.sf(2))
    assert inference.equivalence(0.03, 0.005, math.inf, -0.02, 0.02) > 0.9


def test_above():
    assert inference.above(2.0, 1.0, 3, 0.0) == pytest.approx(stats.t.sf(2, 3))
    assert inference.above(1.0, math.nan, 0, 0.0) == 1.0
    assert inference.above(1.0, 0.0, 2, 0.0) == 0.0
    assert inference.above(0.0, 0.0, 2, 0.0) == 1.0
    several = inference.above([2.0, 1.0, 1.0], [1.0, math.nan, 0.0], [3.0, 0.0, 2.0], 0.0)
    assert several == pytest.approx([stats.t.sf(2, 3), 1.0, 0.0])


def test_least_squares_by_hand():
    # Weights as repeated points: the same line, whatever the errors.
    x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([1.0, 2.5, 2.0, 2.0])
    X = np.stack([np.ones(4), x], 1)
    slopes, errors, df = inference.least_squares(X, y)
    line = stats.linregress(x, y)
    assert slopes == pytest.approx([line.intercept, line.slope])
    assert errors == pytest.approx([line.intercept_stderr, line.stderr])
    assert df == 2
    weighted = inference.least_squares(X[:3], y[:3], np.array([1.0, 1.0, 2.0]))
    assert weighted[0] == pytest.approx(slopes)
    with pytest.raises(ValueError, match="2 points for 2 coefficients"):
        inference.least_squares(X[2:], y[2:])


def test_seeds_are_pooled_where_they_are_few():
    few = (
        [("a", "x", value) for value in (1.0, 2.0, 3.0)]
        + [("b", "x", value) for value in (5.0, 9.0)]
        + [("c", "x", 7.0)]
    )
    many = [("d", "x", value) for value in (0.0, 1.0, 2.0, 3.0, 4.0)] + [("e", "y", 1.0)]
    frame = pd.DataFrame(few + many, columns=["configuration", "kind", "value"])
    means = claims.over_seeds(frame, ["configuration", "kind"], ["kind"]).reset_index("kind", drop=True)
    # Squares 2 + 8 + 0 + 10 over 2 + 1 + 0 + 4 degrees.
    assert means.loc["a", ["mean", "se", "df", "seeds"]].tolist() == pytest.approx([2, (20 / 7 / 3) ** 0.5, 7, 3])
    assert means.loc["c", ["mean", "se", "df", "seeds"]].tolist() == pytest.approx([7, (20 / 7) ** 0.5, 7, 1])
    # Five have an error of their own.
    assert means.loc["d", ["mean", "se", "df", "seeds"]].tolist() == pytest.approx([2, (2.5 / 5) ** 0.5, 4, 5])
    assert math.isnan(means.loc["e", "se"])


SIZES = pd.DataFrame({"data": ["mnist", "mnist", "b"], "alpha": [1.25, 1.5, np.nan], "low": [True, False, True]})


def test_effect_sizes_in_words_and_numbers():
    lines = effects(SIZES, {"alpha": "alpha^", "low": "below 1.4"}, ("data",))[:2] + effects(SIZES, {"low": "low"})
    assert sentence(lines) == "MNIST: alpha^ 1.25 to 1.50, below 1.4 in 1 of 2; low in 2 of 3"
    assert lines[0].numbers == {"smallest alpha^, MNIST": 1.25, "largest alpha^, MNIST": 1.5}
    assert lines[1].numbers | lines[2].numbers == {"below 1.4, MNIST": 1.0, "low": 2.0}
    size = effects(pd.DataFrame({"n": [1e6]}), {"n": "samples"})
    assert (sentence(size), size[0].numbers) == ("samples 1,000,000", {"samples": 1e6})


def test_effect_sizes_are_the_evidence():
    tests = lines(0.01, 0.9, data=["mnist", "b"])
    verdict = judge("C3", tests, effects(tests, {"p": "p"}, ("data",)), ("data",))
    assert verdict.verdict == "partly"
    assert verdict.evidence == "Holds only for MNIST: 1 of 2 tests. MNIST: p 0.0100; b: p 0.900."
    assert verdict.numbers == {"tests": 2.0, "tests that hold": 1.0, "p, MNIST": 0.01, "p, b": 0.9}
    assert verdict.tests["holds"].tolist() == [True, False]


def test_a_statement_and_its_rule_are_read_from_a_docstring():
    def rule():
        """C1: It is so.

        And more.

        The rule: It must be
        so.

        Details.
        """

    assert stated(rule) == ("It is so. And more.", "It must be so.")
    rule.__doc__ = "C1: It is so."
    with pytest.raises(ValueError, match=r"the docstring of rule has no paragraph .* 'The rule: '; add one"):
        stated(rule)


def lines(*p, **columns):
    return pd.DataFrame({"p": p, **columns})


def test_all_lines_must_hold():
    assert claims.decide(lines(0.01, 0.04, data=["a", "b"]), ("data",)) == ("reproduced", 0.04, "everywhere")
    verdict, p, where = claims.decide(lines(0.01, 0.04), (), ("CNN, hinge",))
    assert (verdict, p, where) == ("partly", 0.04, "in all that could be tested (not: CNN, hinge)")


def test_one_level_that_holds_is_partly_and_pays_for_the_choice():
    verdict, p, where = claims.decide(lines(0.01, 0.9, data=["a", "b"], loss=["n", "n"]), ("data", "loss"))
    assert (verdict, p, where) == ("partly", pytest.approx(0.02), "only for a")
    verdict, p, where = claims.decide(
        lines(0.9, 0.9, 0.01, 0.9, data=list("aabb"), loss=list("nmnm")), ("data", "loss")
    )
    assert (verdict, where) == ("not reproduced", "nowhere as a whole")
    assert p == 0.9


def test_the_false_discovery_rate_counts_over_all_lines():
    # .03 is 2 x .03 = .06 beside a line that fails, and holds beside one that does not.
    assert claims.decide(lines(0.03, 0.9, data=["a", "b"]), ("data",))[0] == "not reproduced"
    assert claims.decide(lines(0.03, 0.04, data=["a", "b"]), ("data",))[0] == "reproduced"


def test_lines_without_a_test_say_themselves_whether_they_hold():
    tests = lines(0.01, np.nan, np.nan, holds=[None, True, False], data=["a", "a", "b"])
    assert claims.decide(tests, ("data",)) == ("partly", pytest.approx(0.02), "only for a")
    tests.loc[2, "holds"] = True
    assert claims.decide(tests, ("data",))[:2] == ("reproduced", 0.01)
    tests.loc[1, "holds"] = False
    assert claims.decide(tests, ("data",)) == ("partly", None, "only for b")


def test_no_tests_are_no_verdict():
    with pytest.raises(ValueError, match="no tests"):
        claims.decide(pd.DataFrame({"p": []}))


def verdict_of(claim, verdict, p):
    return claims.Verdict(claim, verdict, "Seen.", p=p)


def test_claims_that_do_not_survive_holm_go_down_by_one():
    family = [
        verdict_of("C1", "reproduced", 0.03),
        verdict_of("C2", "reproduced", 0.001),
        verdict_of("C3", "partly", 0.02),
        verdict_of("C4", "not reproduced", 0.8),
        verdict_of("C5", "partly", None),
        verdict_of("C6", claims.NOT_TESTED, None),
    ]
    judged = claims.lowered(family)
    # Four p-values: .001 x 4, .02 x 3 = .06, .03 x 2 = .06, .8.
    assert [v.verdict for v in judged] == [
        "partly",
        "reproduced",
        "not reproduced",
        "not reproduced",
        "partly",
        claims.NOT_TESTED,
    ]
    assert judged[0].evidence == "Seen. Lowered from 'reproduced': p = 0.06 after Holm's correction."
    assert judged[1] == family[1]
    # What was not tested is not counted: with C3 and C4 untested, .03 stands.
    assert claims.lowered([family[0], family[1], family[4]])[0].verdict == "reproduced"


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="unknown verdict 'true'; choose one of reproduced, partly"):
        claims.Verdict("C9", "true", "")
    with pytest.raises(ValueError, match="unknown claim 'C10'; choose one of C1, C2"):
        claims.Verdict("C10", "partly", "")
    assert claims.Verdict("C8", "partly", "").statement == "alpha^ varies little between seeds."
