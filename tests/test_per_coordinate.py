"""Tests across the minibatches on noise whose answer is known; what the controls refuse."""

import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from problems import COLUMNS, P, centred, elliptical, latent, normal, sas, torch_seed

from tailnoise_utils import diagnosis
from tailnoise_utils.diagnosis import per_coordinate
from tailnoise_utils.noise.matrix import centre


@pytest.mark.slow
@pytest.mark.parametrize("rank", [3, 40])
def test_tail_excess_has_mean_zero_for_gaussian_columns_of_any_covariance(rank):
    values = [float(diagnosis.tail_excess(latent(2.0, rank, seed, rows=20)).mean()) for seed in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / 20
    assert np.std(values, ddof=1) / 20 < 0.006  # the constant with P for P - 1 would be off by 0.026


def test_tail_excess_does_not_depend_on_the_scale_of_a_column():
    U = centred(sas(1.8, (P, 200), 43))
    scales = torch.logspace(-36, 15, 200)
    small = U * scales
    assert torch.allclose(diagnosis.tail_excess(small), diagnosis.tail_excess(U), atol=1e-4)


def test_tail_excess_sees_tails():
    for alpha in (1.5, 1.9):
        assert diagnosis.tail_excess(centred(sas(alpha, (P, COLUMNS), 18))).mean() > 0.02
    assert diagnosis.tail_excess(elliptical(1.5, 0)).mean() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.2, 1.5, 1.8, 2.0])
def test_columns_have_the_index_of_their_law_at_every_block_length(alpha):
    lengths = diagnosis.column_lengths(P)
    assert lengths == (2, 3, 5, 10, 15, 20, 30, 50)
    U = centred(sas(alpha, (P, 20_000), 19))
    inverse = diagnosis.column_inverse(U, lengths)
    se = inverse.std(1) / math.sqrt(20_000)
    assert bool(((inverse.mean(1) - 1 / alpha).abs() < 4 * se).all())
    twins = diagnosis.stable_null(
        U[:, :50],
        lambda S: diagnosis.column_inverse(S, lengths).mean(1),
        alpha=alpha,
        draws=80,
        generator=torch_seed(0),
    )
    assert bool(((twins.mean(0) - 1 / alpha).abs() < 4 * twins.std(0) / math.sqrt(80)).all())


def test_what_is_left_over_of_the_pair_differences_is_dropped():
    U = centred(sas(1.5, (23, 7), 46))  # 11 pairs, and a row too many
    lengths = (2, 3, 4, 6, 11)  # of which 1, 2, 3, 5 and none are left over
    D = [U[2 * i].double() - U[2 * i + 1].double() for i in range(11)]
    for K1, inverse in zip(lengths, diagnosis.column_inverse(U, lengths), strict=True):
        blocks = [D[at : at + K1] for at in range(0, 11 - K1 + 1, K1)]
        ln_Y = sum(sum(block).abs().log() for block in blocks) / len(blocks)
        ln_X = sum(x.abs().log() for block in blocks for x in block) / (K1 * len(blocks))
        assert torch.allclose(inverse, (ln_Y - ln_X) / math.log(K1), atol=1e-5), K1
    assert diagnosis.column_lengths(23) == (2, 3, 5, 10)
    assert diagnosis.column_lengths(20) == (2, 3, 5, 10)
    assert diagnosis.column_lengths(19) == (2, 3, 5)


def test_pair_differences_are_needed_because_centred_columns_are_biased():
    U = centred(normal((60, 50_000), 20))
    sums = U.view(6, 10, -1).sum(1).abs().log().mean(0)
    inverse = float((sums - U.abs().log().mean(0)).mean()) / math.log(10)
    assert 1 / inverse == pytest.approx(2.154, abs=0.015)


@pytest.mark.slow
def test_p_values_are_uniform_under_the_null():
    draws, p = 39, []
    for seed in range(100):
        U = latent(2.0, 3, seed, columns=60)
        generator, G = torch_seed(seed), diagnosis.gram(U)

        def statistic(X, G=G):
            M = diagnosis.gram(X)
            kurtosis = float(diagnosis.excess_kurtosis(X[:, :20]).mean())
            return torch.tensor([float(diagnosis.tail_excess(X).mean()), diagnosis.norm_spread(M), kurtosis]).double()

        null = diagnosis.gaussian_null(U, statistic, draws=draws, generator=generator)
        p.append([diagnosis.judge(float(v), drawn).p for v, drawn in zip(statistic(U), null.T, strict=True)])
    smooth = np.array(p) - np.random.default_rng(21).random((100, 3)) / (draws + 1)
    for column in smooth.T:
        assert scipy.stats.kstest(column, "uniform").pvalue > 0.001


def test_null_distributions_have_centred_columns():
    U, settings = latent(2.0, 3, 0, columns=50), {"draws": 19, "generator": torch_seed(0)}
    means = lambda S: S.mean(0).abs().max().double()  # noqa: E731
    assert float(diagnosis.gaussian_null(U, means, **settings).max()) < 1e-5
    assert float(diagnosis.stable_null(U, means, alpha=1.5, **settings).max()) < 1e-3


def test_stray_zeros_contribute_no_logarithm():
    U = centred(normal((P, 3), 35))
    U[0, 0] = U[1, 0] = 0
    logs = np.where(U[:, 0] != 0, np.log(np.abs(U[:, 0].numpy()) + (U[:, 0] == 0).numpy()), np.nan)
    constant = (math.log(P - 1) + scipy.special.psi(0.5) - scipy.special.psi((P - 1) / 2)) / 2
    expected = constant - np.nanmean(logs) + math.log(float(U[:, 0].square().mean())) / 2
    assert float(diagnosis.tail_excess(U)[0]) == pytest.approx(expected, abs=1e-5)
    D = (U[::2, 0] - U[1::2, 0]).numpy().astype(float)
    ln_D, ln_Y = np.log(np.abs(D[D != 0])), np.log(np.abs(D.reshape(-1, 5).sum(1)))
    expected = (ln_Y.mean() - ln_D.mean()) / math.log(5)
    assert float(diagnosis.column_inverse(U, [5])[0, 0]) == pytest.approx(expected, abs=1e-5)


def counted(dtype, roundings=8.0, b=50, columns=400):
    """Counts of a class over the minibatch size, and the same with a few roundings."""
    rng = np.random.default_rng(50)
    counts = torch.from_numpy(rng.binomial(b, 0.1, (P, columns)) + 0.3).to(dtype) / b
    noise = torch.from_numpy(rng.uniform(-1, 1, counts.shape)).to(dtype)
    return counts, counts * (1 + roundings * torch.finfo(dtype).eps * noise)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_differences_that_may_be_zero_but_for_rounding_are_counted(dtype):
    counts, rounded = counted(dtype)
    equal = float((counts[::2] == counts[1::2]).double().mean())
    assert equal > 0.1
    assert diagnosis.unresolved(counts) == 0  # exact zeros are resolved
    assert diagnosis.unresolved(rounded) == pytest.approx(equal, abs=0.02)  # rounding leaves some of them equal
    late = torch.cat([torch.from_numpy(normal((P, 100), 54)).to(dtype), rounded], 1)
    late[: P // 2] += 1 / 7  # still: all columns and pairs count
    assert diagnosis.unresolved(late) == pytest.approx(equal * 400 / 500, abs=0.02)


@pytest.mark.parametrize("b", [2, 50, 2000])
def test_however_many_differences_are_rounding_they_are_counted(b):
    """At b = 2 two thirds are, and the median of a column is; at b = 2000 few, beside differences that are small, too."""
    counts, rounded = counted(torch.float32, roundings=25, b=b)
    equal = float((counts[::2] == counts[1::2]).double().mean())
    assert diagnosis.unresolved(rounded) == pytest.approx(equal, rel=0.05)
    few = torch.cat([torch.from_numpy(normal((P, 350), 59)).float(), rounded[:, :50]], 1)
    of_few = float((counts[::2, :50] == counts[1::2, :50]).double().mean())
    assert diagnosis.unresolved(few) == pytest.approx(of_few * 50 / 400, rel=0.05)


def test_a_coordinate_of_nothing_but_rounding_is_counted():
    g = torch.from_numpy(1 + 1e-7 * np.random.default_rng(60).integers(-3, 4, (P, 50))).float()
    assert diagnosis.unresolved(g) == pytest.approx(float((g[::2] != g[1::2]).double().mean()))


def test_what_rounding_is_depends_on_the_precision():
    g = torch.from_numpy(1 + 1e-6 * normal((P, 500), 61))
    assert diagnosis.unresolved(g) == 0
    assert diagnosis.unresolved(g.float()) > 0.5


@pytest.mark.parametrize("share", [1e-1, 1e-3, 1e-5])
def test_noise_that_is_small_beside_its_mean_is_resolved(share):
    """As of a regression on features far from zero: differences are small beside the gradients, and real."""
    g = torch.from_numpy(1 + share * normal((P, 2000), 55)).float()
    assert diagnosis.unresolved(g) < 1e-3


@pytest.mark.slow
def test_gradients_keep_the_digits_of_differences_that_centring_takes():
    """Coordinates that one minibatch reaches with a large gradient: in float32 the others are all minus the mean."""
    rng = np.random.default_rng(53)
    g = torch.from_numpy(rng.standard_normal((P, 300)) * 2e-10)
    g[rng.integers(P, size=300), torch.arange(300)] = 1.0
    U = g - g.mean(0)
    exact, parts = diagnosis.decompose(U), diagnosis.decompose(U.float())
    for name in ("e_1", "scales", "tails"):  # take no differences
        assert getattr(parts, name).value == pytest.approx(getattr(exact, name).value, abs=1e-3)
    result = diagnosis.diagnose(
        g.float(), groups={"a": [slice(0, 100)], "b": [slice(100, 300)]}, centred=False, draws=19
    )
    assert result.unresolved == {"all": 0, "a": 0, "b": 0}
    for K1 in (2, 30):
        value = float(diagnosis.column_inverse(U, [K1]).mean())
        assert float(diagnosis.column_inverse(U.float(), [K1]).nanmean()) != pytest.approx(value, rel=0.01)
        assert result.tests["all", "1/alpha (per coordinate)", K1].value == pytest.approx(value, rel=1e-3)
    assert diagnosis.diagnose(U.float(), draws=19).unresolved == {}


@pytest.mark.slow
def test_gradients_have_the_anatomy_of_their_noise():
    """They are centred as the noise is, sampled and in groups; they are not changed; of whole numbers there is none."""
    g = torch.from_numpy(3 + normal((P, 900), 56) * np.linspace(0.1, 3, 900)).float()
    g[:, 100:200] = 0.25  # dead
    settings = {"draws": 19, "max_entries": P * 500, "groups": {"a": [slice(0, 300)], "b": [slice(300, 900)]}}
    before = g.clone()
    result = diagnosis.diagnose(g, centred=False, **settings)
    assert torch.equal(g, before)
    expected = diagnosis.diagnose(centre(g.clone()), **settings)
    for name, one in expected.decomposition.items():
        assert result.decomposition[name].correlation == pytest.approx(one.correlation, abs=1e-6)
        assert result.decomposition[name].tails.value == pytest.approx(one.tails.value, abs=1e-5)
    for key, one in expected.tests.items():
        assert result.tests[key].value == pytest.approx(one.value, abs=1e-5)
        assert result.tests[key].null == pytest.approx(one.null, abs=1e-5)
        assert result.tests[key].p == one.p
    assert result.not_normal == expected.not_normal
    _, rounded = counted(torch.float32)
    rounded[:, :100] = 0.5
    settings |= {"max_entries": P * 250, "groups": {"a": [slice(0, 250)], "b": [slice(250, 400)]}}
    coarse = diagnosis.diagnose(rounded, centred=False, **settings)
    assert coarse.unresolved["all"] == pytest.approx(diagnosis.unresolved(rounded[:, 100:]), abs=0.02)
    assert {"quantity": "diagnosis unresolved", "value": coarse.unresolved["all"]} in coarse.rows()
    assert "none, for" in repr(coarse)


@pytest.mark.slow
def test_rounding_is_counted_in_each_group():
    g = torch.cat([torch.from_numpy(normal((P, 200), 62)).float(), counted(torch.float32, columns=200)[1]], 1)
    result = diagnosis.diagnose(g, groups={"a": [slice(0, 200)], "b": [slice(200, 400)]}, centred=False, draws=19)
    assert result.unresolved["a"] < 1e-3
    assert result.unresolved["b"] == pytest.approx(2 * result.unresolved["all"], rel=0.01)
    assert "in the group 'b')" in result.doubt


def test_judge_counts_the_surrogates_that_reach_the_value():
    null = torch.arange(99, dtype=torch.float64)
    assert [diagnosis.judge(v, null).p for v in (-1.0, 98.0, 99.0)] == [1.0, 0.02, 0.01]
    assert math.isnan(diagnosis.judge(math.nan, null).p)


@pytest.mark.slow
def test_spread_of_norms():
    # Positive stable squares: sd of ln|norm| is pi / sqrt 24 * sqrt(4 / alpha^2 - 1) for many independent coordinates.
    for alpha in (1.5, 1.9):
        expected = math.pi / math.sqrt(24) * math.sqrt(4 / alpha**2 - 1)
        for make in (lambda seed: centred(sas(alpha, (P, 5000), 22, seed)), lambda seed: elliptical(alpha, seed)):  # noqa: B023
            spreads = [diagnosis.norm_spread(diagnosis.gram(make(seed))) for seed in range(8)]
            assert np.mean(spreads) == pytest.approx(expected, rel=0.25)
    gaussian = diagnosis.norm_spread(diagnosis.gram(centred(normal((P, 5000), 23))))
    assert gaussian == pytest.approx(math.sqrt(1 / 10_000), rel=0.25)


LAWS = {
    "independent": lambda rng: rng.standard_normal((P, 1000)),
    "decaying": lambda rng: rng.standard_normal((P, 500)) * np.arange(1, 501) ** -0.7,
    "one direction": lambda rng: rng.standard_normal((P, 1)) * np.ones(20) + 0.01 * rng.standard_normal((P, 20)),
    "few coordinates": lambda rng: rng.standard_normal((P, 3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_norms_of_gaussian_noise_have_the_size_of_the_test(law):
    """Under the sample covariance they would never be rejected where directions are many, with p-values near 1."""
    values, nulls, p = [], [], []
    for seed in range(100):
        rng = np.random.default_rng([38, seed])
        U = LAWS[law](rng)
        G = diagnosis.gram(centred(U).double())
        null = np.log(diagnosis.gaussian_norms(G, U.shape[1], (99, P), rng)).std(1, ddof=1)
        judged = diagnosis.judge(diagnosis.norm_spread(G), torch.from_numpy(null))
        values, nulls, p = [*values, judged.value], [*nulls, judged.null], [*p, judged.p]
    assert np.mean(nulls) == pytest.approx(np.mean(values), rel=0.015)
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert 0.35 < np.mean(np.array(p) <= 0.5) < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_norms_of_gaussian_noise_are_seldom_beyond_all_twins(law):
    """A conclusion asks for p = .01 with 99 twins; few strong directions reach it more often, but not much."""
    beyond = []
    for seed in range(800):
        rng = np.random.default_rng([52, seed])
        U = LAWS[law](rng)[:40]
        G = diagnosis.gram(centred(U).double())
        null = np.log(diagnosis.gaussian_norms(G, U.shape[1], (99, len(U)), rng)).std(1, ddof=1)
        beyond.append(diagnosis.norm_spread(G) > null.max())
    assert 0.002 < np.mean(beyond) <= 0.03


def test_sums_over_distinct_rows_are_what_they_say():
    M = normal((6, 6), 40)
    M = M + M.T - np.diag(np.diag(M + M.T))
    pairs = sum(M[i, j] ** 2 for i, j in itertools.permutations(range(6), 2))
    chains = sum(M[i, j] * M[j, k] for i, j, k in itertools.permutations(range(6), 3))
    apart = sum(M[i, j] * M[k, m] for i, j, k, m in itertools.permutations(range(6), 4))
    assert per_coordinate._distinct(torch.from_numpy(M)) == pytest.approx((pairs, chains, apart))


@pytest.mark.slow
def test_few_rows_tell_how_norms_spread_without_bias():
    """At P = 16 the terms of third and fourth order, and P against P - 1, are no detail."""
    for shape, spread in (((16, 40), 1 / math.sqrt(80)), ((16, 4), None)):
        rng, values, nulls, sizes = np.random.default_rng(41), [], [], []
        for _ in range(400):
            G = diagnosis.gram(centred(rng.standard_normal(shape)).double())
            norms = diagnosis.gaussian_norms(G, shape[1], (50, 16), rng)
            values.append(diagnosis.norm_spread(G))
            nulls.append(np.log(norms).std(1, ddof=1).mean())
            sizes.append(np.square(norms).mean() / float(G.trace() / 15))
        assert np.mean(nulls) == pytest.approx(np.mean(values), rel=0.05)
        assert np.mean(sizes) == pytest.approx(1, rel=0.01)
        if spread:
            assert np.mean(nulls) == pytest.approx(spread, rel=0.1)


def test_one_heavy_row_does_not_widen_its_own_reference():
    rng = np.random.default_rng(42)
    U = rng.standard_normal((P, 1000))
    U[7] *= 20
    G = diagnosis.gram(centred(U).double())
    null = np.log(diagnosis.gaussian_norms(G, 1000, (99, P), rng)).std(1, ddof=1)
    assert null.mean() < 0.04  # with the fourth powers of that row: 0.5
    assert diagnosis.norm_spread(G) > 0.2


@pytest.mark.slow
def test_the_spread_of_a_scale_of_rows_is_found():
    rng = np.random.default_rng(39)
    U = rng.standard_normal((P, 1000)) * np.exp(0.05 * rng.standard_normal((P, 1)))
    result = diagnosis.diagnose(centred(U), draws=39)
    test = result.tests["all", "sd of ln norm", None]
    assert test.p == 1 / 40
    assert test.value == pytest.approx(math.hypot(0.05, 1 / math.sqrt(2000)), rel=0.2)
    assert test.null == pytest.approx(1 / math.sqrt(2000), rel=0.1)


def test_projections_of_elliptical_noise_are_found_and_of_gaussian_noise_are_not():
    for U, share in ((latent(2.0, 10, 0), 0.0), (elliptical(1.5, 0), 1.0)):
        G = diagnosis.gram(U)
        for Y in (
            diagnosis.random_projections(G, 100, torch_seed(0)),
            diagnosis.leading_projections(G, 10, torch_seed(0)),
        ):
            heavy = diagnosis.discoveries(diagnosis.anderson_darling(Y)[1])
            assert float(heavy.double().mean()) == pytest.approx(share, abs=0.4)


def test_random_projections_have_the_covariance_of_the_rows():
    G = diagnosis.gram(latent(2.0, 5, 1, rows=12))
    Y = diagnosis.random_projections(G, 200_000, torch_seed(1))
    assert torch.allclose(Y @ Y.T / 200_000, G, atol=float(0.02 * G.abs().max()))


def test_leading_directions_are_fitted_on_the_other_half():
    U = centred(normal((40, 300), 24))
    U[:, :5] *= 30
    projections = diagnosis.leading_projections(diagnosis.gram(U), 3, torch_seed(2))
    halves = torch.randperm(40, generator=torch_seed(2)).split(20)
    for block, (fitted, other) in zip(projections.split(3, 1), (halves, halves[::-1]), strict=True):
        rows = U[fitted] - U[fitted].mean(0)
        _, _, V = torch.linalg.svd(rows.double(), full_matrices=False)
        expected = U[other].double() @ V[:3].T
        for a, b in zip(block.T, expected.flip(1).T, strict=True):
            assert abs(float(torch.nn.functional.cosine_similarity(a, b, dim=0))) == pytest.approx(1, abs=1e-4)
    spiked = centred(normal((P, COLUMNS), 25))
    spiked[np.arange(P), np.arange(P)] = (
        1e3  # every row an outlier of its own: directions of the same rows would follow
    )
    leading = diagnosis.leading_projections(diagnosis.gram(spiked), 10, torch_seed(0))
    assert float(diagnosis.excess_kurtosis(leading).mean()) < 1


def test_no_more_leading_directions_than_the_noise_has():
    projections = diagnosis.leading_projections(
        diagnosis.gram(latent(2.0, 2, 3, rows=41, columns=50)), 10, torch_seed(0)
    )
    assert projections.shape == (20, 4)  # of 41 minibatches one is left out
    assert bool((projections.std(0) > 0.1).all())


def test_excess_kurtosis_is_scipys():
    Y = torch.from_numpy(5 + sas(1.5, (30, 4), 47)).float()
    assert np.allclose(diagnosis.excess_kurtosis(Y), scipy.stats.kurtosis(Y.double().numpy()), rtol=1e-6)
    assert float(diagnosis.excess_kurtosis(torch.tensor([[-1.0], [1.0]]))) == -2


def test_inner_products_of_long_rows_are_taken_in_pieces(monkeypatch):
    monkeypatch.setattr(per_coordinate, "_CHUNK", 7)
    U = centred(normal((6, 40), 48))
    assert torch.allclose(diagnosis.gram(U), (U @ U.T).double(), atol=1e-4)


def test_rows_of_zeros_have_no_part_in_the_spread_of_norms():
    U = centred(normal((6, 40), 49))
    U[2] = 0
    norms = U[[0, 1, 3, 4, 5]].double().norm(dim=1)
    assert diagnosis.norm_spread(diagnosis.gram(U)) == pytest.approx(float(norms.log().std()), rel=1e-5)


def test_anderson_darling_is_scipys_and_its_p_values_are_uniform():
    Y = torch.from_numpy(normal((60, 4000), 26))
    A, p = diagnosis.anderson_darling(Y)
    z = np.sort(scipy.stats.zscore(Y[:, 0].numpy(), ddof=1))
    weights = 2 * np.arange(1, 61) - 1
    expected = -60 - np.mean(weights * (scipy.stats.norm.logcdf(z) + scipy.stats.norm.logsf(z[::-1])))
    assert float(A[0]) == pytest.approx(expected * (1 + 0.75 / 60 + 2.25 / 3600), rel=1e-10)
    assert scipy.stats.kstest(p.numpy(), "uniform").statistic < 0.04
    for level in (0.01, 0.05, 0.2):
        assert float((p < level).double().mean()) == pytest.approx(level, rel=0.35)
    # Where the tables have their levels: table 4.7 of the same source.
    table = {0.5: 0.341, 0.25: 0.470, 0.15: 0.561, 0.1: 0.631, 0.05: 0.752, 0.025: 0.873, 0.01: 1.035, 0.005: 1.159}
    order = A.argsort()
    levels = np.interp(list(table.values()), A[order].numpy(), p[order].numpy())
    assert levels == pytest.approx(list(table), rel=0.025)
    assert float(p[order].diff().abs().max()) < 0.01  # the pieces of the fit meet
    assert float(diagnosis.anderson_darling(torch.from_numpy(sas(0.5, (60, 1), 27)))[1]) < 1e-12


def test_discoveries_are_benjamini_and_hochbergs():
    p = torch.from_numpy(np.random.default_rng(28).random(200) ** 3)
    adjusted = scipy.stats.false_discovery_control(p.numpy())
    assert np.array_equal(diagnosis.discoveries(p, 0.05).numpy(), adjusted <= 0.05)
    assert 0 < int(diagnosis.discoveries(p, 0.05).sum()) < 200
    assert bool(
        diagnosis.discoveries(torch.tensor([0.03, 0.02, 0.049]).double()).all()
    )  # the last one carries the others
    assert bool(diagnosis.discoveries(torch.tensor([0.049]).double()))
    assert not bool(diagnosis.discoveries(torch.tensor([0.051]).double()))


def test_errors_name_the_value_the_limit_and_the_way_out():
    U = centred(normal((P, 50), 34))
    bad = U.clone()
    bad[3, 4] = math.nan
    cases = [
        (lambda: diagnosis.diagnose(U[:15]), "P = 15 minibatches are too few.* 16 or more"),
        (lambda: diagnosis.decompose(bad), r"1 NaN and 0 infinite entries, the first at index \(3, 4\)"),
        (lambda: diagnosis.decompose(0 * U), "nothing is alive"),
        (lambda: diagnosis.decompose(U, K1=1), r"K1 = 1 is not within 2\.\.3000"),
        (lambda: diagnosis.decompose(U, K1=3001), r"K1 = 3001 is not within 2\.\.3000"),
        (lambda: diagnosis.curve(U, lengths=(15,)), "K1 = 15 is no multiple of 10"),
        (lambda: diagnosis.column_inverse(U, [5, 1]), r"K1 = 1 is not within 2\.\.60"),
        (lambda: diagnosis.column_inverse(U, [61]), r"K1 = 61 is not within 2\.\.60"),
        (
            lambda: diagnosis.gaussian_null(U, diagnosis.tail_excess, draws=18, generator=torch_seed(0)),
            "draws = 18.* 19 or more",
        ),
        (
            lambda: diagnosis.gaussian_norms(diagnosis.gram(U[:3]).double(), 50, (1,), np.random.default_rng()),
            "P = 3 rows",
        ),
        (
            lambda: diagnosis.gaussian_norms(0 * diagnosis.gram(U), 50, (1,), np.random.default_rng()),
            "all rows are equal",
        ),
        (lambda: diagnosis.diagnose(U[:15]), "P = 15 minibatches are too few"),
        (lambda: diagnosis.diagnose(U, draws=3), "draws = 3.* 19 or more"),
        (lambda: diagnosis.diagnose(0 * U), "nothing is alive"),
        (lambda: diagnosis.diagnose(U, groups={"x": [slice(40, 51)]}), "group 'x'.* p = 50"),
        (lambda: diagnosis.sample_columns(50, {"x": [slice(3, 5)]}, 2), "limit = 2 is below the 3 pieces"),
        (lambda: diagnosis.stable_twin(U, 2.1, torch_seed(0)), "alpha = 2.1"),
        (lambda: diagnosis.anderson_darling(U[:7]), "series of 7 numbers are too short"),
        (lambda: diagnosis.log_scale(U, 5, 5), r"b = 5 is not within 1\.\.4"),
        (
            lambda: diagnosis.log_scale(0 * U, 1, 200),
            "0 minibatches with noise that is not exactly zero: give two or more",
        ),
        (lambda: diagnosis.log_scale(U[:1], 1, 200), "1 minibatches with noise"),
        (lambda: diagnosis.stable_log_scale([1, 5], 200, 1), "alpha = 1 is not within 1 < alpha <= 2"),
        (lambda: diagnosis.stable_log_scale([1, 200], 200, 1.5), r"from 1 to 200 are not within 1\.\.199"),
        (lambda: diagnosis.scaling_exponent([1], [0.0]), "two or more of each"),
        (lambda: diagnosis.scaling_exponent([2, 1], [0.0, 1.0]), "not positive and increasing"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
