"""Each verdict on C9 from tables made up for it; what is stored becomes verdicts on all claims."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up import CNN, FCN, indices, results, sized

from tailnoise_utils.study import claims, experiments
from tailnoise_utils.study.claims import exits
from tailnoise_utils.study.results import store

SIZES = {"half_width": (0.5, 1.0, 2.0), "eps": (0.05, 0.1, 0.2), "height": (0.5, 1.0, 2.0)}


def made_up(*, slope=0.0, depth=0.0, rate=1.0, exit_rate=1.0, se=0.01, only=None, alphas=(1.5, 1.8, 2.0), leave_out=()):
    """Results that agree with the theory but for what is asked: at the index `only`, or at all of them."""
    rows, runs = [], []

    def add(settings, measured):
        runs.append({"vary": None} | settings | {"run": str(len(runs))})
        rows.extend({"run": runs[-1]["run"], "split": ""} | row for row in measured)

    for alpha in alphas:
        off = only is None or alpha == only
        for vary, values in SIZES.items():
            for value in values if vary not in leave_out else ():
                settings = {"half_width": 1.0, "height": 1.0, "eps": 0.1 if alpha < 2 else 0.45} | {vary: value}
                if alpha == 2 and vary == "eps":
                    settings["eps"] = (1 / (20 * value + 2)) ** 0.5
                a, barrier = settings["half_width"], settings["height"] / settings["eps"] ** 2
                if alpha < 2:
                    factor = np.pi / (2 * math.gamma(alpha) * np.sin(np.pi * alpha / 2))
                    limit = factor * (a / settings["eps"]) ** alpha
                else:
                    limit = 2 * a**2 * np.exp(barrier)
                lift = depth * settings["height"] if alpha < 2 else slope * barrier
                lift += slope * np.log(a) if alpha < 2 else 0.0
                time = limit / exit_rate * np.exp(lift * off) if off else limit
                exact = {"quantity": "exit time, exact", "value": time * exit_rate if off else limit}
                limit = {"quantity": "exit time, limit", "value": limit}
                measured = [{"quantity": "exit time", "value": time, "se": se * time}, limit, *[exact] * (alpha == 2)]
                add(settings | {"vary": vary, "alpha": alpha}, measured)
        if alpha < 2 and "wells" not in leave_out:
            well = {"scope": "well 1", "x": 2.0}
            moves = {"quantity": "rate", "value": 0.3 * (rate if off else 1.0), "se": 0.3 * se}
            add({"alpha": alpha}, [well | moves, well | {"quantity": "rate, limit", "value": 0.3}])
    return results(rows, runs)


def test_all_as_in_theory_is_partly_for_a_part_is_not_judged():
    verdict = claims.c9(made_up())
    assert verdict.verdict == "partly"
    assert verdict.numbers["fails"] == 0
    assert verdict.numbers["checks"] == verdict.numbers["holds"] == 2 * (3 + 9 + 1) + 1 + 9
    assert max(value for name, value in verdict.numbers.items() if name.startswith("largest")) < 1e-9


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"slope": 0.06}, "slope in ln a"),
        ({"slope": -0.06}, "slope in ln a"),
        ({"depth": 0.06}, "slope in H"),
        ({"rate": 1.06}, "move rate"),
        ({"rate": 0.94}, "move rate"),
        ({"exit_rate": 1.06}, "exit rate"),
    ],
)
def test_a_deviation_at_one_index_is_partly(change, kind):
    verdict = claims.c9(made_up(**change, only=1.8))
    assert verdict.verdict == "partly"
    assert f"alpha = 1.8, {kind}" in verdict.evidence
    assert "alpha = 1.5" not in verdict.evidence


def test_the_brownian_slope_counts_too():
    verdict = claims.c9(made_up(slope=0.06, only=2.0))
    assert verdict.verdict == "partly"
    assert "alpha = 2, slope in H / D (eps)" in verdict.evidence
    assert verdict.numbers["fails"] == 1


@pytest.mark.parametrize("change", [{"slope": 0.04}, {"depth": -0.02}, {"rate": 1.045}, {"exit_rate": 0.955}])
def test_small_deviations_pass(change):
    verdict = claims.c9(made_up(**change))
    assert verdict.verdict == "partly"  # at best: a part of the claim is not judged
    assert "not judged. None failed" in verdict.evidence


def test_deviations_everywhere_are_not_reproduced():
    assert claims.c9(made_up(exit_rate=1.2)).verdict == "not reproduced"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"se": 0.03}, "intervals are wider than the tolerance"),
        ({"alphas": (1.5,)}, "no Brownian noise"),
        ({"alphas": (2.0,)}, "no Levy noise"),
        ({"leave_out": ("height",)}, "alpha = 1.5: no slope in H"),
        ({"leave_out": ("wells",)}, "alpha = 1.8: no move rate"),
    ],
)
def test_what_is_absent_or_imprecise_is_not_tested(change, reason):
    verdict = claims.c9(made_up(**change))
    assert verdict.verdict == "not tested at this scale"
    assert reason in verdict.evidence


def test_an_imprecise_deviation_is_not_a_failure():
    assert claims.c9(made_up(exit_rate=1.2, se=0.1)).verdict == "not tested at this scale"


def test_slopes_are_weighted_and_have_the_error_that_the_weights_imply():
    x, y, se = np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.5, 2.0]), np.array([0.1, 0.2, 0.4])
    design = np.stack([np.ones(3), x], 1) / se[:, None]
    (_, slope), *_ = np.linalg.lstsq(design, y / se, rcond=None)
    assert exits._line(x, y, se) == pytest.approx((slope, np.linalg.inv(design.T @ design)[1, 1] ** 0.5), rel=1e-12)


def test_the_series_in_the_time_step_is_no_slope_and_no_rate():
    plain = made_up()
    settings = {"vary": "dt", "alpha": 1.5, "half_width": 1.0, "height": 1.0, "eps": 0.1, "run": "one more"}
    times = [{"quantity": "exit time", "value": 1.0, "se": 0.01}, {"quantity": "exit time, limit", "value": 9.0}]
    rows = plain.rows.to_dict("records") + [{"run": "one more"} | row for row in times]
    more = results(rows, [*plain.runs.to_dict("records"), settings])
    pd.testing.assert_frame_equal(claims.c9_checks(more), claims.c9_checks(plain))


@pytest.fixture
def stored(monkeypatch):
    """What is stored, in place of files: a dictionary to fill."""
    by_name = {}
    monkeypatch.setattr(claims, "_stored", lambda experiment, profile: by_name.get(experiment))
    return by_name


def test_nothing_stored_is_not_tested(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    verdicts = claims.verdicts("laptop")
    assert [v.claim for v in verdicts] == list(claims.STATEMENTS)
    assert {v.verdict for v in verdicts} == {claims.NOT_TESTED}
    by = {v.claim: v for v in verdicts}
    assert by["C3"].evidence == "Not measured: fcn_size, cnn_size."
    assert (by["C3"].experiments, by["C3"].profile) == (("fcn_size", "cnn_size"), "laptop")
    assert by["C4"].tails == "Not measured: no diagnosis of a network that trained."
    with pytest.raises(ValueError, match="unknown profile 'desktop'"):
        claims.verdicts("desktop")


@pytest.mark.slow
def test_a_part_of_a_grid_is_not_judged(tmp_path, monkeypatch):
    """Of the samples of profile smoke one run is missing."""
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    specs = experiments.grid("estimator", "smoke")
    for spec in specs[:-1]:
        record = store.run_record(spec, "", 1.0)
        store.append(
            store.path_of("estimator", "smoke"),
            store.to_frame([{"quantity": "x", "value": 1.0}], record["run"]),
            record,
        )
    assert {v.claim: v.evidence for v in claims.verdicts("smoke")}["C2"] == "Not measured: estimator."


@pytest.mark.slow
def test_each_claim_gets_its_results(stored):
    stored["metastability"] = made_up()
    quantities = indices(lambda run, iteration: 0.8)
    stored["fcn_size"] = sized(FCN, quantities)
    by = {v.claim: v for v in claims.verdicts("laptop")}
    assert by["C9"].verdict == "partly"
    assert by["C9"].tails == "Not about gradient noise."
    assert by["C3"].evidence == "Not measured: cnn_size."
    assert by["C4"].verdict == "not reproduced"
    assert by["O1"].verdict == claims.NOT_TESTED
    stored["cnn_size"] = sized(CNN, quantities, depths=(0,))
    assert {v.claim: v for v in claims.verdicts("laptop")}["C3"].verdict == "reproduced"


def test_the_second_column_is_about_the_noise_of_the_claim(monkeypatch):
    names = {name for _, needed in claims.RULES.values() for name in needed} | {"iterations_decomposition"}
    stored = {name: store.Results(pd.DataFrame(), pd.DataFrame()) for name in names}
    name_of = {id(table): name for name, table in stored.items()}
    for rule in ("heavy_or_else", "flat_in_b", "scale_of_norms"):
        monkeypatch.setattr(
            claims, rule, lambda *given, rule=rule: f"{rule}: {', '.join(name_of[id(one)] for one in given)}"
        )
    sizes = "heavy_or_else: fcn_size, cnn_size"
    assert {claim: claims._tails(claim, stored) for claim in claims.RULES} == {
        "C1": "scale_of_norms: noise_histogram",
        "C2": "Not about gradient noise.",
        "C3": sizes,
        "C4": "heavy_or_else: fcn_size",
        "C5": "heavy_or_else: cnn_size",
        "C6": "flat_in_b: batch_scaling",
        "C7": "heavy_or_else: iterations_decomposition",
        "C8": sizes,
        "C9": "Not about gradient noise.",
        "O1": "heavy_or_else: fcn_size",
        "O2": "heavy_or_else: fcn_size",
        "O3": "flat_in_b: batch_scaling",
    }


@pytest.mark.parametrize(("slope", "fails"), [(0.049, 0), (0.052, 1)])
def test_five_hundredths_are_allowed(slope, fails):
    assert claims.c9(made_up(slope=slope, only=2.0)).numbers["fails"] == fails


def test_holm_is_over_the_claims_of_the_paper_and_over_ours(stored, monkeypatch):
    def rule(claim, p):
        return (lambda *results: claims.Verdict(claim, "reproduced", "Seen.", p=p)), ()

    rules = {"C1": rule("C1", 0.03), "C2": rule("C2", 0.9), "O1": rule("O1", 0.03)}
    monkeypatch.setattr(claims, "RULES", rules)
    assert [v.verdict for v in claims.verdicts("laptop")] == ["partly", "partly", "reproduced"]
