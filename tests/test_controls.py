"""Controls on noise whose answer is known: parts, tests across the minibatches, surrogates, shuffles, scaling, errors."""

import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from tailnoise_utils import controls, stable, synthetic, tail_index
from tailnoise_utils.controls import across, shuffles
from tailnoise_utils.controls.anatomy import _units

P, COLUMNS = 120, 2000
LN_Z = -(np.euler_gamma + math.log(2)) / 2  # E ln|Z|, Z standard normal


def centred(X):
    X = np.asarray(X)
    return torch.from_numpy((X - X.mean(0)).astype(np.float32))


def sas(alpha, shape, *seed):
    return stable.sample(alpha, shape, generator=np.random.default_rng(seed))


def normal(shape, *seed):
    return np.random.default_rng(seed).standard_normal(shape)


def torch_seed(seed):
    return torch.Generator().manual_seed(seed)


def latent(alpha, rank, seed, rows=P, columns=COLUMNS):
    """Every coordinate a mixture of the same few factors; at alpha = 2 Gaussian with a given covariance."""
    return centred(sas(alpha, (rows, rank), 1, seed) @ normal((rank, columns), 2, seed))


def elliptical(alpha, seed, rows=P, columns=COLUMNS, centre=True):
    """SaS rows: one random scale for a whole row of Gaussian numbers."""
    if alpha == 2:
        return centred(normal((rows, columns), 5, seed))
    v, w = np.random.default_rng([3, seed]).uniform(0, np.pi, (rows, 1)), np.random.default_rng([4, seed])
    a = alpha / 2  # Kanter's formula for the positive stable law
    A = np.sin(a * v) / np.sin(v) ** (1 / a) * (np.sin((1 - a) * v) / w.standard_exponential((rows, 1))) ** (1 / a - 1)
    X = np.sqrt(2 * A) * normal((rows, columns), 5, seed)
    return centred(X) if centre else torch.from_numpy(X).float()


def replicates(make, count, **settings):
    return [controls.parts(make(seed), seed=seed, **settings) for seed in range(count)]


def mean_and_se(found, name):
    values = np.array([getattr(one, name).value for one in found])
    return values.mean(), values.std(ddof=1) / math.sqrt(len(values))


def assert_parts(found, **expected):
    """Means over replicates as expected, within 4 standard errors and what the K1 -> infinity of a formula leaves."""
    for name, value in expected.items():
        mean, se = mean_and_se(found, name)
        assert abs(mean - value) < 4 * se + 0.002, (name, mean, se, value)
        assert se < 0.02, (name, se)  # or the comparison says nothing


def offset(alpha, K1):
    """What the error of the scales adds to e_2."""
    return controls.expected_scaled(P, K1, alpha) - 1 / alpha


@pytest.mark.parametrize("tau", [0.0, 0.5])
@pytest.mark.parametrize("alpha", [1.2, 1.5, 1.8, 2.0])
def test_parts_of_independent_noise_are_its_scales_and_its_tails(alpha, tau):
    # Lognormal scales, columns in no order: ln E[s^alpha] / alpha = alpha tau^2 / 2.
    scales = np.exp(tau * normal(COLUMNS, 6))
    found = replicates(lambda seed: centred(sas(alpha, (P, COLUMNS), 7, seed) * scales), 24)
    K1 = found[0].K1
    assert math.isqrt(P * COLUMNS) == K1
    unequal = (math.log(np.mean(scales**alpha)) / alpha - np.log(scales).mean()) / math.log(K1)
    assert_parts(
        found,
        e_0=1 / alpha - 0.5 + unequal,
        e_c=1 / alpha - 0.5 + unequal,
        dependence=0,
        layout=0,
        scales=unequal - offset(alpha, K1),
        tails=1 / alpha - 0.5 + offset(alpha, K1) - offset(2, K1),
    )


def test_reference_of_the_scaled_differences_is_the_documented_one():
    assert controls.expected_scaled(120, 5792) - 0.5 == pytest.approx(0.00494, abs=1e-5)
    for alpha in (1.2, 2.0):
        k2 = stable.log_cumulants(alpha)[1]
        first_order = 1 / alpha + alpha * k2 / (2 * 300 * math.log(1000))
        assert controls.expected_scaled(1200, 1000, alpha) == pytest.approx(first_order, abs=2e-5)


def test_unequal_halves_enter_the_reference():
    found = replicates(lambda seed: centred(normal((18, 4000), 8, seed)), 40)  # 9 pairs: 4 and 5
    mean, se = mean_and_se(found, "tails")
    assert abs(mean) < 4 * se + 0.002
    assert found[0].reference > 0.04
    # The 4 pairs of the first half take their scale from 5, the 5 of the second from 4.
    moments = {m: stable.absolute_moment(-2 / m, 2) ** m for m in (4, 5)}
    exact = (math.log((4 * moments[5] + 5 * moments[4]) / 9) / 2 + stable.log_cumulants(2)[0]) / math.log(found[0].K1)
    assert found[0].reference == pytest.approx(exact, rel=1e-9)


def test_sorted_scales_are_layout():
    scales = np.exp(normal(COLUMNS, 6))
    found = replicates(lambda seed: centred(normal((P, COLUMNS), 9, seed) * np.sort(scales)), 10)
    mixed = replicates(lambda seed: centred(normal((P, COLUMNS), 9, seed) * scales), 10)
    layout, se = mean_and_se(found, "layout")
    assert layout < -0.05 - 4 * se
    assert_parts(found, dependence=0, scales=mean_and_se(mixed, "scales")[0], tails=0)
    e_c, se = mean_and_se(found, "e_c")
    assert e_c > mean_and_se(found, "e_0")[0] + 0.05 + 4 * se


def test_correlation_is_dependence():
    rho = 0.6  # in blocks of 10 columns; K1 a multiple of them

    def make(seed):
        shared = np.repeat(normal((P, COLUMNS // 10), 10, seed), 10, axis=1)
        return centred(math.sqrt(rho) * shared + math.sqrt(1 - rho) * normal((P, COLUMNS), 11, seed))

    found = replicates(make, 24, K1=200)
    assert_parts(found, dependence=math.log1p(9 * rho) / 2 / math.log(200), layout=0, tails=0, scales=-offset(2, 200))


def test_elliptical_tails_are_hidden_by_dependence_and_seen_as_far_as_the_rows_go():
    # P rows have P scales, however many the entries: for K1 above P the mean of the A_i, P^(2 / alpha - 1) A in law, is
    # all that a block of mixed entries sees. (Not centred: the mean over the rows would be common to all of them.)
    found = replicates(lambda seed: elliptical(1.5, seed, centre=False), 40)
    K1 = found[0].K1
    seen = {rows: (1 / 1.5 - 0.5) * math.log(rows) / math.log(K1) for rows in (P, P // 2)}
    assert_parts(found, e_0=0, dependence=-seen[P], layout=0)
    assert mean_and_se(found, "tails")[0] == pytest.approx(seen[P // 2], abs=0.04)
    assert_parts(replicates(lambda seed: elliptical(2.0, seed, centre=False), 10), e_0=0, dependence=0, tails=0)


def test_latent_stable_noise_has_tails_and_dependence():
    found = replicates(lambda seed: latent(1.5, 200, seed), 24)
    mean, se = mean_and_se(found, "tails")
    assert abs(mean - 1 / 6) < 4 * se < 0.1
    gaussian = replicates(lambda seed: latent(2.0, 200, seed), 24)
    assert_parts(gaussian, layout=0, tails=0)


def test_students_tails_are_no_stable_ones():
    make = lambda seed: centred(np.random.default_rng([12, seed]).standard_t(3, (P, COLUMNS)))  # noqa: E731
    found = {K1: replicates(make, 10, K1=K1) for K1 in (50, 1000)}
    expected = synthetic.law("student").block_inverse(3, 1000, "clean") - 0.5
    assert mean_and_se(found[1000], "e_1")[0] == pytest.approx(expected, abs=0.015)
    assert mean_and_se(found[50], "tails")[0] > mean_and_se(found[1000], "tails")[0] + 0.01 > 0.03
    lengths = controls.column_lengths(P)
    inverse = torch.stack([controls.column_inverse(make(seed), lengths).mean(1) for seed in range(4)]).mean(0)
    assert inverse[0] > inverse[-1] + 0.02 > 0.52


def test_e_0_is_the_clean_estimate_and_dead_columns_do_not_take_part():
    U = centred(sas(1.5, (P, 403), 13))
    U[:, ::7] = 0
    U[5, 3] = 0  # a stray zero
    parts, index = controls.parts(U), tail_index.mohammadi(U)
    assert parts.e_0.value == pytest.approx(index.inverse - 0.5, rel=1e-5)
    assert parts.e_0.se == pytest.approx(index.inverse_se, rel=0.02)
    alive = U[:, (U != 0).any(0)]
    assert parts.p == alive.shape[1]
    assert parts == controls.parts(alive)
    assert controls.parts(1e-6 * U).e_2.value == pytest.approx(parts.e_2.value, abs=1e-5)
    total = parts.dependence.value + parts.layout.value + parts.scales.value + parts.tails.value
    assert total == pytest.approx(parts.e_0.value - parts.reference, rel=1e-9)


def test_parts_are_the_clean_estimate_of_the_permuted_entries():
    U = centred(sas(1.5, (P, 50), 36))
    mixed = controls.permute_within_columns(U, 8)
    scaled = controls.scaled_differences(U)
    entries = {
        "e_pi": mixed.view(-1),
        "e_1": controls.shuffle(mixed.view(-1), 9),
        "e_2": controls.shuffle(scaled.view(-1), 10),
    }
    parts = controls.parts(U, K1=700, seed=7)  # 400 of 6000 entries, or 200 of 3000, are left over
    for name, x in entries.items():
        assert getattr(parts, name).value == pytest.approx(tail_index.mohammadi(x, 700).inverse - 0.5, abs=1e-5), name
    D = U[::2] - U[1::2]
    for own, other in ((slice(30), slice(30, 60)), (slice(30, 60), slice(30))):
        assert torch.allclose(scaled[own], D[own] / D[other].abs().log().mean(0).exp(), rtol=1e-4)


def test_standard_errors_are_the_spread_over_independent_matrices():
    # Not centred: means over the rows are common to all of them, and where the variance is infinite these count.
    found = replicates(lambda seed: torch.from_numpy(sas(1.5, (P, COLUMNS), 14, seed)).float(), 64)
    for name in ("e_0", "e_c", "e_pi", "e_1", "e_2", "dependence", "layout", "scales"):
        spread = np.std([getattr(one, name).value for one in found], ddof=1)
        assert np.mean([getattr(one, name).se for one in found]) == pytest.approx(spread, rel=0.3), name
    k2, K1 = stable.log_cumulants(1.5)[1], found[0].K1
    expected = math.sqrt(k2 / (P * COLUMNS // K1)) / math.log(K1)  # the closed form for i.i.d. entries
    assert np.std([one.e_1.value for one in found], ddof=1) == pytest.approx(expected, rel=0.25)


def test_curve_is_the_clean_estimate_at_every_block_length():
    U = centred(sas(1.5, (P, 333), 15))
    found = controls.curve(U)
    assert list(found) == [10, 20, 50, 100, 200, 500]
    for K1, (value, se) in found.items():
        index = tail_index.mohammadi(U, K1)
        assert value == pytest.approx(index.inverse, rel=1e-5)
        assert se == pytest.approx(index.inverse_se, rel=0.05)


@pytest.mark.parametrize("kind", ["independent", "latent", "elliptical"])
def test_the_pooled_statistic_is_blind_to_tails(kind):
    """Its mean is the same on heavy-tailed noise and on Gaussian noise of the same covariance, 0.167 above 1/2 or not."""
    make = {
        "independent": lambda seed: torch.from_numpy(sas(1.5, (P, 600), 16, seed)).float(),
        "latent": lambda seed: latent(1.5, 20, seed, columns=600),
        "elliptical": lambda seed: elliptical(1.5, seed, columns=600),
    }[kind]
    K1, real, surrogate = 100, [], []  # blocks within rows
    for seed in range(60):
        U = make(seed)
        real.append(tail_index.mohammadi(U, K1).inverse)
        surrogate.append(tail_index.mohammadi(controls.gaussian_surrogate(U, torch_seed(seed)), K1).inverse)
    difference = np.subtract(real, surrogate)
    se = difference.std(ddof=1) / math.sqrt(60)
    assert abs(difference.mean()) < 4 * se
    assert se < 0.02
    if kind == "independent":
        assert np.mean(surrogate) > 0.63  # the surrogate of i.i.d. SaS(1.5): Gaussian, and alpha^ = 1.5


def test_zeros_meet_the_epsilon_as_the_closed_form_says():
    q, K1, size = 0.9, 50, 500_000
    x = synthetic.law("zeros").sample(q, size, np.random.default_rng(17))
    found = tail_index.mohammadi(x, K1, convention="published").inverse
    counts = np.arange(1, K1 + 1)
    share = scipy.stats.binom.pmf(counts, K1, 1 - q) / (1 - q**K1)
    ln_eps, ln_Y = math.log(2.2204e-16), np.sum(share * np.log(counts)) / 2 + LN_Z
    extra = q * (LN_Z - ln_eps) + 0.5 * math.log(1 - q) - q**K1 * (ln_Y - ln_eps)
    assert found == pytest.approx(0.5 + extra / math.log(K1), abs=0.03)
    assert q**K1 * (ln_Y - ln_eps) / math.log(K1) > 0.04  # the last term is seen


@pytest.mark.parametrize("rank", [3, 40])
def test_t1_has_mean_zero_for_gaussian_columns_of_any_covariance(rank):
    values = [float(controls.t1(latent(2.0, rank, seed, rows=20)).mean()) for seed in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / 20
    assert np.std(values, ddof=1) / 20 < 0.006  # the constant with P for P - 1 would be off by 0.026


def test_t1_sees_tails():
    for alpha in (1.5, 1.9):
        assert controls.t1(centred(sas(alpha, (P, COLUMNS), 18))).mean() > 0.02
    assert controls.t1(elliptical(1.5, 0)).mean() > 0.1


@pytest.mark.parametrize("alpha", [1.2, 1.5, 1.8, 2.0])
def test_columns_have_the_index_of_their_law_at_every_block_length(alpha):
    lengths = controls.column_lengths(P)
    assert lengths == (2, 3, 5, 10, 15, 20, 30, 50)
    U = centred(sas(alpha, (P, 20_000), 19))
    found = controls.column_inverse(U, lengths)
    se = found.std(1) / math.sqrt(20_000)
    assert bool(((found.mean(1) - 1 / alpha).abs() < 4 * se).all())
    surrogates = controls.stable_null(
        U[:, :50], lambda S: controls.column_inverse(S, lengths).mean(1), alpha=alpha, draws=80, generator=torch_seed(0)
    )
    assert bool(((surrogates.mean(0) - 1 / alpha).abs() < 4 * surrogates.std(0) / math.sqrt(80)).all())


def test_pair_differences_are_needed_because_centred_columns_are_biased():
    U = centred(normal((60, 50_000), 20))
    sums = U.view(6, 10, -1).sum(1).abs().log().mean(0)
    inverse = float((sums - U.abs().log().mean(0)).mean()) / math.log(10)
    assert 1 / inverse == pytest.approx(2.154, abs=0.015)


def test_p_values_are_uniform_under_the_null():
    draws, found = 39, []
    for seed in range(100):
        U = latent(2.0, 3, seed, columns=60)
        generator, G = torch_seed(seed), controls.gram(U)

        def statistic(of, G=G):
            M = controls.gram(of)
            kurtosis = float(controls.excess_kurtosis(of[:, :20]).mean())
            return torch.tensor([float(controls.t1(of).mean()), controls.norm_spread(M), kurtosis]).double()

        null = controls.gaussian_null(U, statistic, draws=draws, generator=generator)
        found.append([controls.judge(float(v), of).p for v, of in zip(statistic(U), null.T, strict=True)])
    smooth = np.array(found) - np.random.default_rng(21).random((100, 3)) / (draws + 1)
    for column in smooth.T:
        assert scipy.stats.kstest(column, "uniform").pvalue > 0.001


def test_null_distributions_have_centred_columns():
    U, settings = latent(2.0, 3, 0, columns=50), {"draws": 19, "generator": torch_seed(0)}
    means = lambda S: S.mean(0).abs().max().double()  # noqa: E731
    assert float(controls.gaussian_null(U, means, **settings).max()) < 1e-5
    assert float(controls.stable_null(U, means, alpha=1.5, **settings).max()) < 1e-3


def test_stray_zeros_contribute_no_logarithm():
    U = centred(normal((P, 3), 35))
    U[0, 0] = U[1, 0] = 0
    logs = np.where(U[:, 0] != 0, np.log(np.abs(U[:, 0].numpy()) + (U[:, 0] == 0).numpy()), np.nan)
    constant = (math.log(P - 1) + scipy.special.psi(0.5) - scipy.special.psi((P - 1) / 2)) / 2
    expected = constant - np.nanmean(logs) + math.log(float(U[:, 0].square().mean())) / 2
    assert float(controls.t1(U)[0]) == pytest.approx(expected, abs=1e-5)
    D = (U[::2, 0] - U[1::2, 0]).numpy().astype(float)
    ln_D, ln_Y = np.log(np.abs(D[D != 0])), np.log(np.abs(D.reshape(-1, 5).sum(1)))
    expected = (ln_Y.mean() - ln_D.mean()) / math.log(5)
    assert float(controls.column_inverse(U, [5])[0, 0]) == pytest.approx(expected, abs=1e-5)


def test_judge_counts_the_surrogates_that_reach_the_value():
    null = torch.arange(99, dtype=torch.float64)
    assert [controls.judge(v, null).p for v in (-1.0, 98.0, 99.0)] == [1.0, 0.02, 0.01]
    assert math.isnan(controls.judge(math.nan, null).p)


def test_spread_of_norms():
    # Positive stable squares: sd of ln|norm| is pi / sqrt 24 * sqrt(4 / alpha^2 - 1) for many independent coordinates.
    for alpha in (1.5, 1.9):
        expected = math.pi / math.sqrt(24) * math.sqrt(4 / alpha**2 - 1)
        for make in (lambda seed: centred(sas(alpha, (P, 5000), 22, seed)), lambda seed: elliptical(alpha, seed)):  # noqa: B023
            spreads = [controls.norm_spread(controls.gram(make(seed))) for seed in range(8)]
            assert np.mean(spreads) == pytest.approx(expected, rel=0.25)
    gaussian = controls.norm_spread(controls.gram(centred(normal((P, 5000), 23))))
    assert gaussian == pytest.approx(math.sqrt(1 / 10_000), rel=0.25)


LAWS = {
    "independent": lambda rng: rng.standard_normal((P, 1000)),
    "decaying": lambda rng: rng.standard_normal((P, 500)) * np.arange(1, 501) ** -0.7,
    "one direction": lambda rng: rng.standard_normal((P, 1)) * np.ones(20) + 0.01 * rng.standard_normal((P, 20)),
    "few coordinates": lambda rng: rng.standard_normal((P, 3)),
}


@pytest.mark.parametrize("law", LAWS)
def test_norms_of_gaussian_noise_have_the_size_of_the_test(law):
    """Under the sample covariance they would never be rejected where directions are many, with p-values near 1."""
    values, nulls, p = [], [], []
    for seed in range(150):
        rng = np.random.default_rng([38, seed])
        U = LAWS[law](rng)
        G = controls.gram(centred(U).double())
        null = np.log(controls.gaussian_norms(G, U.shape[1], (99, P), rng)).std(1, ddof=1)
        found = controls.judge(controls.norm_spread(G), torch.from_numpy(null))
        values, nulls, p = [*values, found.value], [*nulls, found.null], [*p, found.p]
    assert np.mean(nulls) == pytest.approx(np.mean(values), rel=0.015)
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert 0.35 < np.mean(np.array(p) <= 0.5) < 0.65


def test_sums_over_distinct_rows_are_what_they_say():
    M = normal((6, 6), 40)
    M = M + M.T - np.diag(np.diag(M + M.T))
    pairs = sum(M[i, j] ** 2 for i, j in itertools.permutations(range(6), 2))
    chains = sum(M[i, j] * M[j, k] for i, j, k in itertools.permutations(range(6), 3))
    apart = sum(M[i, j] * M[k, m] for i, j, k, m in itertools.permutations(range(6), 4))
    assert across._distinct(torch.from_numpy(M)) == pytest.approx((pairs, chains, apart))


def test_few_rows_tell_how_norms_spread_without_bias():
    """At P = 16 the terms of third and fourth order, and P against P - 1, are no detail."""
    for shape, spread in (((16, 40), 1 / math.sqrt(80)), ((16, 4), None)):
        rng, values, nulls, sizes = np.random.default_rng(41), [], [], []
        for _ in range(400):
            G = controls.gram(centred(rng.standard_normal(shape)).double())
            norms = controls.gaussian_norms(G, shape[1], (50, 16), rng)
            values.append(controls.norm_spread(G))
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
    G = controls.gram(centred(U).double())
    null = np.log(controls.gaussian_norms(G, 1000, (99, P), rng)).std(1, ddof=1)
    assert null.mean() < 0.04  # with the fourth powers of that row: 0.5
    assert controls.norm_spread(G) > 0.2


def test_the_spread_of_a_scale_of_rows_is_found():
    rng = np.random.default_rng(39)
    U = rng.standard_normal((P, 1000)) * np.exp(0.05 * rng.standard_normal((P, 1)))
    found = controls.anatomy(centred(U), draws=39)
    test = found.tests["all", "sd of ln norm", None]
    assert test.p == 1 / 40
    assert test.value == pytest.approx(math.hypot(0.05, 1 / math.sqrt(2000)), rel=0.2)
    assert test.null == pytest.approx(1 / math.sqrt(2000), rel=0.1)


def test_projections_of_elliptical_noise_are_found_and_of_gaussian_noise_are_not():
    for U, share in ((latent(2.0, 10, 0), 0.0), (elliptical(1.5, 0), 1.0)):
        G = controls.gram(U)
        for Y in (
            controls.random_projections(G, 100, torch_seed(0)),
            controls.leading_projections(G, 10, torch_seed(0)),
        ):
            found = controls.discoveries(controls.anderson_darling(Y)[1])
            assert float(found.double().mean()) == pytest.approx(share, abs=0.4)


def test_random_projections_have_the_covariance_of_the_rows():
    G = controls.gram(latent(2.0, 5, 1, rows=12))
    Y = controls.random_projections(G, 200_000, torch_seed(1))
    assert torch.allclose(Y @ Y.T / 200_000, G, atol=float(0.02 * G.abs().max()))


def test_leading_directions_are_fitted_on_the_other_half():
    U = centred(normal((40, 300), 24))
    U[:, :5] *= 30
    found = controls.leading_projections(controls.gram(U), 3, torch_seed(2))
    halves = torch.randperm(40, generator=torch_seed(2)).split(20)
    for block, (fitted, other) in zip(found.split(3, 1), (halves, halves[::-1]), strict=True):
        own = U[fitted] - U[fitted].mean(0)
        _, _, V = torch.linalg.svd(own.double(), full_matrices=False)
        expected = U[other].double() @ V[:3].T
        for a, b in zip(block.T, expected.flip(1).T, strict=True):
            assert abs(float(torch.nn.functional.cosine_similarity(a, b, dim=0))) == pytest.approx(1, abs=1e-4)
    spiked = centred(normal((P, COLUMNS), 25))
    spiked[np.arange(P), np.arange(P)] = (
        1e3  # every row an outlier of its own: directions of the same rows would follow
    )
    leading = controls.leading_projections(controls.gram(spiked), 10, torch_seed(0))
    assert float(controls.excess_kurtosis(leading).mean()) < 1


def test_anderson_darling_is_scipys_and_its_p_values_are_uniform():
    Y = torch.from_numpy(normal((60, 4000), 26))
    A, p = controls.anderson_darling(Y)
    z = np.sort(scipy.stats.zscore(Y[:, 0].numpy(), ddof=1))
    weights = 2 * np.arange(1, 61) - 1
    expected = -60 - np.mean(weights * (scipy.stats.norm.logcdf(z) + scipy.stats.norm.logsf(z[::-1])))
    assert float(A[0]) == pytest.approx(expected * (1 + 0.75 / 60 + 2.25 / 3600), rel=1e-10)
    assert scipy.stats.kstest(p.numpy(), "uniform").statistic < 0.04
    for level in (0.01, 0.05, 0.2):
        assert float((p < level).double().mean()) == pytest.approx(level, rel=0.35)
    assert float(controls.anderson_darling(torch.from_numpy(sas(0.5, (60, 1), 27)))[1]) < 1e-12


def test_discoveries_are_benjamini_and_hochbergs():
    p = torch.from_numpy(np.random.default_rng(28).random(200) ** 3)
    adjusted = scipy.stats.false_discovery_control(p.numpy())
    assert np.array_equal(controls.discoveries(p, 0.05).numpy(), adjusted <= 0.05)
    assert 0 < int(controls.discoveries(p, 0.05).sum()) < 200
    assert bool(controls.discoveries(torch.tensor([0.049]).double()))
    assert not bool(controls.discoveries(torch.tensor([0.051]).double()))


def test_surrogates_have_their_law():
    U = latent(2.0, 4, 2, rows=30, columns=6)
    covariance = (U.T @ U / 30).double()
    rows = torch.cat([controls.gaussian_surrogate(U, torch_seed(seed)) for seed in range(2000)]).double()
    assert torch.allclose(rows.T @ rows / len(rows), covariance, atol=float(0.03 * covariance.abs().max()))
    assert float(controls.gaussian_surrogate(U, torch_seed(0), centre=True).mean(0).abs().max()) < 1e-5
    stable_rows = torch.cat([controls.stable_surrogate(U, 1.5, torch_seed(seed)) for seed in range(2000)]).double()
    index = tail_index.koutrouvelis(stable_rows[:, 0])
    assert abs(index.alpha - 1.5) < 4 * index.se
    ln_scale = math.log((U[:, 0].abs() ** 1.5).mean()) / 1.5
    assert float(stable_rows[:, 0].abs().log().mean()) - stable.log_cumulants(1.5)[0] == pytest.approx(
        ln_scale, abs=0.03
    )


def test_shuffle_makes_every_order_equally_likely(monkeypatch):
    monkeypatch.setattr(shuffles, "_CHUNK", 3)  # ten entries go through four chunks
    places = np.array(
        [np.argsort(controls.shuffle(torch.arange(10.0), seed).numpy())[[0, 1, 9]] for seed in range(6000)]
    )
    for a, b in ((0, 1), (0, 2)):
        counts = np.zeros((10, 10))
        np.add.at(counts, (places[:, a], places[:, b]), 1)
        assert not counts.diagonal().any()
        assert scipy.stats.chisquare(counts[~np.eye(10, dtype=bool)]).pvalue > 0.001


def test_rows_are_permuted_independently_in_every_column():
    U = torch.arange(20.0).repeat(3000, 1).T.contiguous()
    mixed = controls.permute_within_columns(U, 0)
    assert torch.equal(mixed.sort(0).values, U)
    counts = np.stack([np.bincount(row.int().numpy(), minlength=20) for row in mixed])
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 0.001
    together = np.zeros((20, 20))
    np.add.at(together, (mixed[0, ::2].int().numpy(), mixed[0, 1::2].int().numpy()), 1)
    assert scipy.stats.chisquare(together.ravel()).pvalue > 0.001


def test_sampled_columns_are_contiguous_in_every_piece():
    groups = {"a": [slice(0, 700), slice(990, 1000)], "b": [slice(700, 980)]}
    columns = controls.sample_columns(1000, groups, 100, seed=3)
    assert len(columns) <= 100
    for start, stop, size in ((0, 700, 70), (700, 980, 28), (980, 990, 1), (990, 1000, 1)):
        own = columns[(columns >= start) & (columns < stop)]
        assert len(own) == size
        assert torch.equal(own, torch.arange(int(own[0]), int(own[0]) + size))
    assert not torch.equal(columns, controls.sample_columns(1000, groups, 100, seed=4))
    assert torch.equal(columns, controls.sample_columns(1000, groups, 100, seed=3))
    assert len(controls.sample_columns(1000, groups, 4)) == 4
    for seed in range(40):
        columns = controls.sample_columns(20, {"a": [slice(0, 10)]}, 18, seed=seed)
        assert torch.bincount(columns, minlength=20)[[0, 9, 10, 19]].tolist() in (
            [0, 1, 0, 1],
            [0, 1, 1, 0],
            [1, 0, 0, 1],
            [1, 0, 1, 0],
        )
    assert torch.equal(controls.sample_columns(1000, groups, 1000), torch.arange(1000))


GROUPS = {"first": [slice(0, 1500), slice(1990, 2000)], "last": [slice(1500, 1990)]}


def test_anatomy_of_heavy_tailed_noise():
    U = centred(sas(1.5, (P, COLUMNS), 29))
    U[:, ::10] = 0
    found = controls.anatomy(U, groups=GROUPS, seed=1)
    again = controls.anatomy(U, groups=GROUPS, seed=1)
    assert found.rows() == again.rows()
    assert found.dead_share == pytest.approx(0.1)
    assert found.segments == ((0, COLUMNS),)
    assert set(found.parts) == {"all", "first", "last"}
    assert found.parts["all"] == controls.parts(U, seed=1)
    assert found.parts["last"].p == 441
    assert found.parts["last"] == controls.parts(U[:, 1500:1990], seed=1)
    nulls = [found.tests[scope, "T1", None].null for scope in found.parts]
    assert len(set(nulls)) == 3
    for scope in found.parts:
        assert found.tests[scope, "T1", None].p == 0.01
        assert found.tests[scope, "sd of ln norm", None].p == 0.01
        assert found.tests[scope, "1/alpha (columns)", 30].value == pytest.approx(2 / 3, abs=0.1)
    assert found.tests["all", "1/alpha (columns)", 30].null == pytest.approx(0.5, abs=0.02)
    assert found.control[30].value == pytest.approx(2 / 3, abs=0.05)
    assert found.found["all", "coordinates"] > 0.5
    assert found.found["last", "coordinates"] > 0.5
    alone = controls.t1(U[:, torch.arange(COLUMNS) % 10 != 0]).mean()
    assert found.tests["all", "T1", None].value == pytest.approx(
        float(alone), rel=1e-6
    )  # all columns are within the limit
    rows = found.rows()
    assert all({"quantity", "value"} <= set(row) <= {"quantity", "value", "scope", "x", "se"} for row in rows)
    keys = [(row.get("scope"), row["quantity"], row.get("x")) for row in rows]
    assert len(keys) == len(set(keys))
    assert "1/alpha (columns), K1 = 30" in repr(found)


def test_anatomy_of_gaussian_noise_finds_nothing():
    found = controls.anatomy(latent(2.0, 8, 5), groups=GROUPS, draws=39, seed=2)
    assert min(test.p for test in found.tests.values()) > 0.025
    assert max(found.found.values()) < 0.1
    assert abs(found.parts["all"].tails.value) < 0.03


def test_units_are_tested_by_projections_of_their_own_weights():
    U = normal((P, 4000), 40)
    U[:, :1000] *= stable.sample(1.2, (P, 1), generator=np.random.default_rng(41))
    U[:, 1990:1999] = 0  # leaves the last unit one live column
    units = [slice(at, at + 10) for at in range(0, 2000, 10)]
    found = controls.anatomy(centred(U), units=units, groups={"rest": [slice(2000, 4000)]}, draws=19)
    assert found.found["all", "units"] == pytest.approx(100 / 199, abs=0.03)
    assert ("rest", "units") not in found.found
    assert ("all", "units") not in controls.anatomy(centred(U), draws=19).found


def test_only_units_that_are_looked_at_whole_take_part():
    units = [slice(at, at + 10) for at in range(0, 2000, 10)]
    columns = controls.sample_columns(4000, {"first": [slice(0, 2000)]}, 1000, seed=0)
    mask = torch.ones(1000, dtype=torch.bool)
    mask[30:38] = False
    live, looked_at = columns[mask], set(columns.tolist())
    found = [live[place].tolist() for place in _units(units, columns, mask, 0)]
    whole = [range(unit.start, unit.stop) for unit in units if looked_at >= set(range(unit.start, unit.stop))]
    expected = [[at for at in unit if at in set(live.tolist())] for unit in whole]
    assert 45 < len(found) < 50
    assert sorted(found) == [own for own in expected if len(own) > 1]


def test_anatomy_of_a_sample_of_the_coordinates():
    U = centred(normal((P, COLUMNS), 30))
    groups = {"dead": [slice(0, 100)], "alive": [slice(100, COLUMNS)]}
    U[:, :100] = 0
    found = controls.anatomy(U, groups=groups, draws=19, max_entries=P * 500)
    assert sum(stop - start for start, stop in found.segments) == 500
    assert found.dead_share == pytest.approx(0.05)
    assert found.parts["all"].p == 475
    assert math.isqrt(P * 475) == found.parts["all"].K1  # a quarter of a row would be less
    wide = controls.anatomy(centred(normal((20, 20_000), 43)), draws=19, max_entries=20 * 10_000)
    assert wide.parts["all"].p == 10_000
    assert math.isqrt(20 * 20_000) == wide.parts["all"].K1  # that of the whole network
    assert set(found.problems) == {"dead"}
    assert "none:" in repr(found)
    assert "500 of them looked at" in repr(found)


def about_the_mean(X, b, count, rng):
    """Means of minibatches of b samples of random partitions, less the mean of all samples."""
    n = len(X)
    whole = [X[rng.permutation(n)].reshape(n // b, b, -1).mean(1) for _ in range(-(-count // (n // b)))]
    return torch.from_numpy(np.concatenate(whole)[:count] - X.mean(0)).float()


@pytest.mark.parametrize(("b", "count"), [(2, 10), (10, 24), (60, 12), (120, 10)])
def test_log_scale_is_corrected_for_sampling_without_replacement(b, count):
    n, rng = 240, np.random.default_rng(31)
    X = 3 * rng.standard_normal((n, 20_000))
    U = about_the_mean(X, b, count, rng)
    U[:, :50] = 0
    U[0, 60:70] = 0
    groups = {"dead": [slice(0, 50)], "some": [slice(40, 100), slice(200, 10_000)]}
    found = controls.log_scale(iter(U), b, n, groups=groups)
    assert set(found) == {"all", "some"}
    expected = math.log(3 / math.sqrt(b)) + LN_Z
    for value, _ in found.values():
        assert value == pytest.approx(expected, abs=0.02)
    chosen = torch.zeros(20_000, dtype=torch.bool)
    chosen[100:110] = True
    logs = U[:, 100:110].abs().log().mean(1)
    [(value, se)] = controls.log_scale(U, b, n, live=chosen).values()
    assert value == pytest.approx(float(logs.mean()) - math.log(1 - b / n) / 2, abs=1e-5)
    assert se == pytest.approx(float(logs.std()) / math.sqrt(count), rel=1e-4)


def test_what_float32_cannot_hold_counts_as_zero():
    rows = torch.tensor([[1e-50, 2.0], [1e-50, 2.0], [3.0, 2.0]], dtype=torch.float64)
    value = controls.log_scale(rows, 1, 10)["all"].value
    assert value == pytest.approx((5 * math.log(2) + math.log(3)) / 6 - math.log(0.9) / 2, abs=1e-6)


def test_log_scale_does_not_depend_on_the_number_of_minibatches():
    X = np.random.default_rng(36).standard_normal((120, 20_000))
    found = [
        controls.log_scale(about_the_mean(X, 30, count, np.random.default_rng(37)), 30, 120) for count in (2, 4, 40)
    ]
    assert [one["all"].value for one in found] == pytest.approx([math.log(30**-0.5) + LN_Z] * 3, abs=0.02)


@pytest.mark.parametrize("alpha", [1.3, 1.7, 2.0])
def test_implied_alpha_of_a_stable_law(alpha):
    """Nearly its index; exactly what the closed form has, down to half of the data."""
    n, sizes, rng = 3600, [1, 3, 10, 30, 300, 1800], np.random.default_rng(32)
    found = []
    for seed in range(2):
        X = sas(alpha, (n, 2000), 33, seed)
        scales = [controls.log_scale(about_the_mean(X, b, P, rng), b, n)["all"].value for b in sizes]
        found.append(controls.implied_alpha(sizes, scales))
    expected = controls.implied_alpha(sizes, controls.stable_log_scale(sizes, n, alpha))
    assert np.mean(found, axis=0) == pytest.approx(expected, abs=0.03)
    assert expected[:3] == pytest.approx([alpha] * 3, abs=0.06)
    assert alpha < 2 or expected == pytest.approx([2.0] * 5, abs=1e-9)


def test_implied_alpha_is_never_clipped():
    exact = controls.implied_alpha([1, 10, 100], np.log([1, 10**-0.5, 10**-1.5]))
    assert exact[0] == pytest.approx(2)
    assert exact[1] == math.inf or abs(exact[1]) > 1e12


def test_errors_name_the_value_the_limit_and_the_way_out():
    U = centred(normal((P, 50), 34))
    bad = U.clone()
    bad[3, 4] = math.nan
    cases = [
        (lambda: controls.parts(U[:15]), "P = 15 rows are too few.* 16 or more"),
        (lambda: controls.parts(bad), r"1 NaN and 0 infinite entries, the first at index \(3, 4\)"),
        (lambda: controls.parts(0 * U), "nothing is alive"),
        (lambda: controls.parts(U, K1=1), r"K1 = 1 is not within 2\.\.1500"),
        (lambda: controls.parts(U, K1=1501), r"K1 = 1501 is not within 2\.\.1500"),
        (lambda: controls.curve(U, lengths=(15,)), "K1 = 15 is no multiple of 10"),
        (lambda: controls.expected_scaled(15, 100), "P = 15 rows are too few"),
        (lambda: controls.scaled_differences(torch.eye(P)[:, :1] * 0 + 1), "no scales to divide by"),
        (lambda: controls.column_inverse(U, [61]), r"K1 = 61 is not within 2\.\.60"),
        (lambda: controls.gaussian_null(U, controls.t1, draws=18, generator=torch_seed(0)), "draws = 18.* 19 or more"),
        (
            lambda: controls.gaussian_norms(controls.gram(U[:3]).double(), 50, (1,), np.random.default_rng()),
            "P = 3 rows",
        ),
        (
            lambda: controls.gaussian_norms(0 * controls.gram(U), 50, (1,), np.random.default_rng()),
            "all rows are equal",
        ),
        (lambda: controls.anatomy(U[:15]), "P = 15 rows are too few"),
        (lambda: controls.anatomy(U, draws=3), "draws = 3.* 19 or more"),
        (lambda: controls.anatomy(0 * U), "nothing is alive"),
        (lambda: controls.anatomy(U, groups={"x": [slice(40, 51)]}), "group 'x'.* p = 50"),
        (lambda: controls.sample_columns(50, {"x": [slice(3, 5)]}, 2), "limit = 2 is below the 3 pieces"),
        (lambda: controls.stable_surrogate(U, 2.1, torch_seed(0)), "alpha = 2.1"),
        (lambda: controls.anderson_darling(U[:7]), "series of 7 numbers are too short"),
        (lambda: controls.log_scale(U, 5, 5), r"b = 5 is not within 1\.\.4"),
        (
            lambda: controls.log_scale(0 * U, 1, 200),
            "0 minibatches with noise that is not exactly zero: give two or more",
        ),
        (lambda: controls.log_scale(U[:1], 1, 200), "1 minibatches with noise"),
        (lambda: controls.stable_log_scale([1, 5], 200, 1), "alpha = 1 is not within 1 < alpha <= 2"),
        (lambda: controls.stable_log_scale([1, 200], 200, 1.5), r"from 1 to 200 are not within 1\.\.199"),
        (lambda: controls.implied_alpha([1], [0.0]), "two or more of each"),
        (lambda: controls.implied_alpha([2, 1], [0.0, 1.0]), "not positive and increasing"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
