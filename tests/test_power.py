"""The power is that of the diagnosis's own tests: the same statistics, the same null law, the size they claim."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tailnoise_utils import diagnosis
from tailnoise_utils.diagnosis import tests as diagnosis_tests
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import power, runner
from tailnoise_utils.study.experiments.power import PowerSpec
from tailnoise_utils.study.figures import power as figures
from tailnoise_utils.study.figures.power import _limit

SPEC = PowerSpec("latent", 1.8, 1.0, 120, 40, 39, 4, seed=5)


def rates(**changes):
    return {row["scope"]: row["value"] for row in replace(SPEC, **changes).rows(lambda share: None)}


def whitened(U):
    Q, S, _ = torch.linalg.svd(U.double(), full_matrices=False)
    return Q, S


@pytest.mark.slow
def test_statistics_are_those_of_the_diagnosis(monkeypatch):
    """To the last digits, once both draw the same directions and halves."""
    for seed, name in enumerate(("random_projections", "leading_projections")):
        function = getattr(diagnosis, name)

        def drawn_alike(G, count, generator, function=function, seed=seed):
            return function(G, count, torch.Generator().manual_seed(seed))

        monkeypatch.setattr(diagnosis_tests, name, drawn_alike)
        monkeypatch.setattr(diagnosis, name, drawn_alike)
    U, _ = SPEC.noise(0)
    G, generator = diagnosis.gram(U), torch.Generator()
    values = power._values(U, G, diagnosis.random_projections(G, power._RANDOM, generator), generator)
    judged = diagnosis.diagnose(U, draws=19).tests
    assert len(values) == len(power._TESTS)
    assert (power._RANDOM, power._LEADING) == (diagnosis_tests._RANDOM, diagnosis_tests._LEADING)
    for value, key in zip(values, power._TESTS.values(), strict=True):
        assert float(value) == pytest.approx(judged[key].value, rel=1e-4), key  # centred once more
    counted = diagnosis.counted(judged).values()
    assert set(counted) == set(power._TESTS.values()) - {("all", "1/alpha (per coordinate)", 3)}


@pytest.mark.parametrize("coordinates", ["independent", "latent"])
def test_the_null_law_is_that_of_the_diagnosis(coordinates):
    """Statistics of twins Z U / sqrt P, one after another, are those that are made at once from W = Z Q."""
    P, draws = 120, 3
    U, _ = replace(SPEC, coordinates=coordinates).noise(1)
    random = diagnosis.random_projections(diagnosis.gram(U), 20, torch.Generator().manual_seed(1))
    identity = torch.eye(P, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    mixing = [diagnosis.gaussian_twin(identity, generator, centre=True) for _ in range(draws)]
    Q, S = whitened(U)
    W = math.sqrt(P) * torch.stack([M @ Q for M in mixing], 1)
    null = power._null(W.float(), Q, S, U, random)

    columns = diagnosis.gaussian_null(
        U,
        lambda X: torch.cat([diagnosis.tail_excess(X)[None], diagnosis.column_inverse(X, (3, 30))]).mean(1),
        draws=19,
        generator=torch.Generator().manual_seed(3),
    )[:draws]
    assert torch.allclose(null[:3], columns.T, atol=1e-4)
    kurtoses = torch.stack([diagnosis.excess_kurtosis(M @ random).mean() for M in mixing])
    assert torch.allclose(null[3], kurtoses, atol=1e-4)


@pytest.mark.parametrize("width", [15, 100])
def test_leading_projections_are_those_of_the_diagnosis(width):
    """In the space of coordinates where these are fewer than minibatches, else in that of minibatches."""
    P = 61  # one row is left over
    U = torch.randn(P, width, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 3, width)
    U[7] *= 20
    Q, S = whitened(U)
    order = torch.randperm(P, generator=torch.Generator().manual_seed(4))[:60]
    expected = diagnosis.leading_projections(diagnosis.gram(U), 10, torch.Generator().manual_seed(4))
    in_order = (Q * S)[order].float()[None].repeat(2, 1, 1)
    kurtosis = power._leading_kurtosis(in_order)
    assert kurtosis.tolist() == pytest.approx([float(diagnosis.excess_kurtosis(expected).mean())] * 2, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("coordinates", ["independent", "latent", "elliptical"])
def test_tests_keep_their_level_and_find_tails(coordinates):
    gaussian = rates(coordinates=coordinates, alpha=2.0, draws=19, replicates=40)
    assert max(gaussian.values()) <= 0.175  # 5 % and 3.6 standard errors
    heavy = rates(coordinates=coordinates, alpha=1.5, draws=19, replicates=10)
    for test in ("tail excess", "random projections", "leading projections"):
        assert heavy[test] == 1, test
    # A Gaussian law with few strong directions has norms that spread, too: what factors share is not always told from it.
    assert heavy["sd of ln norm"] >= (0.5 if coordinates == "latent" else 1)


def test_matrices_give_the_same_numbers_as_ever():
    """Of a small run, when the stored ones, which take half a minute or more, could be had again."""
    tests = SPEC._tests(0).values()
    values = [0.038001822, 0.510020537, 0.532309964, 1.020395952, 0.699012458, 0.275157383]
    assert [test.value for test in tests] == pytest.approx(values, rel=1e-5)
    means = [0.000685170, 0.501699316, 0.490772622, -0.060336604, -0.115307906, 0.169384375]
    assert [test.null for test in tests] == pytest.approx(means, abs=2e-5)


@pytest.mark.slow
def test_more_minibatches_find_more():
    few, many = (rates(alpha=1.95, coordinates="elliptical", P=P, draws=19, replicates=10) for P in (120, 600))
    assert many["tail excess"] > few["tail excess"]
    assert many["leading projections"] >= few["leading projections"]


def test_a_small_share_is_found_less_often():
    assert rates(alpha=1.9, share=0.1, draws=19, replicates=10)["tail excess"] <= 0.3


@pytest.mark.slow
def test_rates_are_counts_with_their_binomial_error():
    shares = []
    rows = SPEC.rows(shares.append)
    assert [row["scope"] for row in rows] == list(power.TESTS)
    assert sum(shares) == pytest.approx(1)
    decisions = np.array([[test.p <= 0.05 for test in SPEC._tests(k).values()] for k in range(SPEC.replicates)])
    assert [row["value"] for row in rows[:-1]] == decisions.mean(0).tolist()
    for row in rows:
        assert row["quantity"] == "rejected"
        assert row["se"] == pytest.approx(math.sqrt(row["value"] * (1 - row["value"]) / 4))


def test_a_conclusion_is_counted_by_its_own_rule(monkeypatch):
    """One of the five tests that count, beyond all of 99 twins."""
    keys = list(power._TESTS.values())
    columns = keys.index(("all", "1/alpha (per coordinate)", 3))
    chosen = iter([(0, 0.01), (0, 0.02), (columns, 0.01), (5, 0.01)])

    def tests(self, replicate):
        at, p = next(chosen)
        return {key: diagnosis.Comparison(1.0, 0.0, 1.0, p if i == at else 0.5) for i, key in enumerate(keys)}

    monkeypatch.setattr(PowerSpec, "_tests", tests)
    assert rates(draws=99)["conclusion"] == 2 / 4  # the first and the last


@pytest.mark.slow
def test_runs_are_deterministic_and_replicates_differ():
    assert SPEC.rows(lambda share: None) == SPEC.rows(lambda share: None)
    (first, _), (again, _), (second, _) = SPEC.noise(0), SPEC.noise(0), SPEC.noise(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    for change in ({"alpha": 1.7}, {"share": 0.1}, {"coordinates": "elliptical"}, {"seed": 6}):
        assert not torch.equal(replace(SPEC, **change).noise(0)[0], first), change


def test_too_few_minibatches_are_refused():
    with pytest.raises(ValueError, match="K1 = 30 is not within"):
        rates(P=58)


@pytest.mark.slow
def test_the_page_says_what_is_stored():
    results = runner.load("power", "laptop")
    rows = results.table()
    table, limits = figures.power_table(results), figures.power_limits(results)
    figure = figures.power_of_tests(results)
    figure.draw_without_rendering()  # or the layout is not applied
    panel = figure.axes[1]
    assert panel.get_title() == "latent, P = 120"
    latent = rows.query("P == 120 and width == 200 and coordinates == 'latent'")
    cells = latent.query("scope != 'per coordinate, K1 = 3'")  # which does not count in a conclusion
    shown = [int(text.get_text()) for text in panel.texts]
    np.testing.assert_allclose(shown, 100 * cells["value"], atol=0.51)  # rows lie by law, then by test, as cells do
    box = figure.get_tightbbox()  # in inches: nothing is cut off, and it fits the page
    assert box.width <= 8.15
    assert box.x0 >= -0.05
    one = latent.query("share == 1 and scope == 'tail excess' and alpha < 2").set_index("alpha")["value"]
    assert limits.loc[("SaS", 120, "latent"), "tail excess"] == f"{one[one >= 0.8].index.max():g}"
    assert set(table.index.get_level_values("P")) == {120, 600}
    size = table.query("alpha == 2")
    assert size.mean(axis=None) == pytest.approx(0.05, abs=0.02)


@pytest.mark.slow
def test_numbers_of_the_page_are_those_of_the_rows():
    results = runner.load("power", "laptop")
    table, numbers = results.table(), figures.numbers(results)
    gaussian = table.query("alpha == 2 and scope != 'per coordinate, K1 = 3'")
    rejected = (gaussian["value"] * gaussian["replicates"]).groupby(gaussian["scope"]).sum() / numbers["gaussian"]
    assert numbers["gaussian"] == gaussian.query("scope == 'conclusion'")["replicates"].sum()
    single = rejected.drop("conclusion")
    levels = [numbers[name] for name in ("level_conclusion", "level_low", "level_high")]
    assert levels == pytest.approx([rejected["conclusion"], single.min(), single.max()])
    few = table.query("P == 120 and width == 200 and scope == 'conclusion' and alpha < 2")
    assert numbers["pure"] == few.query("share == 1")["value"].min()
    assert numbers["tenth"] == few.query("share == 0.1 and coordinates != 'independent'")["value"].max()
    tau = table.query("P == 120 and share == 0.1 and alpha == 1.8 and scope == 'tail excess'")
    tau = tau.set_index(["width", "coordinates"])["value"]
    assert (numbers["narrow"], numbers["wide"]) == (tau[200, "independent"], tau[4096, "independent"])
    assert numbers["wide_dependent"] == max(tau[4096, "latent"], tau[4096, "elliptical"])
    index = table.query("P == 120 and width == 200 and alpha == 1.95 and share == 1")
    assert numbers["index"] == index[index["scope"] == "per coordinate, K1 = 30"]["value"].max()


def test_a_limit_has_no_miss_below_it():
    rates = pd.Series([0.9, 0.85, 0.7, 1.0], index=[1.95, 1.9, 1.8, 1.5])
    assert _limit(rates, 0.7) == "1.95"
    assert _limit(rates, 0.8) == _limit(rates, 0.95) == "1.5"
    assert _limit(rates, 1.1) == "none"


def test_the_grid_asks_what_the_page_says():
    specs = experiments.grid("power", "laptop")
    assert {(s.P, s.draws) for s in specs} == {(120, 99), (600, 99)}
    for P in (120, 600):
        narrow = [s for s in specs if s.P == P and s.width == 200]
        for kind in ("independent", "latent", "elliptical"):
            asked = {(s.alpha, s.share) for s in narrow if s.coordinates == kind}
            wanted = {(alpha, share) for alpha in (1.5, 1.7, 1.8, 1.9, 1.95) for share in (1.0, 0.1)}
            assert asked == wanted | {(2.0, 1.0)}
    assert max(s.width for s in specs) == diagnosis_tests.COLUMNS
    assert all(s.draws >= 19 for s in experiments.grid("power", "smoke"))


@pytest.mark.slow
def test_a_stored_run_can_be_had_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    monkeypatch.setitem(experiments.EXPERIMENTS, "power", lambda profile: (SPEC,))
    runner.run("power", "smoke")
    assert runner.verify("power", "smoke")["difference"].max() == 0
    assert replace(SPEC, replicates=10**6).again(tmp_path) is None
