"""The parts of the joint estimate on noise whose answer is known, and its curve against the block length."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from problems import COLUMNS, LN_Z, P, centred, elliptical, latent, normal, sas, torch_seed

from tailnoise_utils import diagnosis, stable, tail_index
from tailnoise_utils.diagnosis import joint
from tailnoise_utils.tail_index import known_laws


def replicates(make, count, **settings):
    return [diagnosis.decompose(make(seed), seed=seed, **settings) for seed in range(count)]


def mean_and_se(parts, name):
    values = np.array([getattr(one, name).value for one in parts])
    return values.mean(), values.std(ddof=1) / math.sqrt(len(values))


def assert_parts(parts, **expected):
    """Means over replicates as expected, within 4 standard errors and what the K1 -> infinity of a formula leaves."""
    for name, value in expected.items():
        mean, se = mean_and_se(parts, name)
        assert abs(mean - value) < 4 * se + 0.002, (name, mean, se, value)
        assert se < 0.02, (name, se)  # or the comparison says nothing


LAWS = {
    "Gaussian": lambda shape, seed: normal(shape, 7, seed),
    "Gaussian, unequal scales": lambda shape, seed: normal(shape, 7, seed) * np.exp(0.8 * normal(shape[1], 6)),
    "SaS 1.8": lambda shape, seed: sas(1.8, shape, 7, seed),
    "SaS 1.5": lambda shape, seed: sas(1.5, shape, 7, seed),
    "SaS 1.8, unequal scales": lambda shape, seed: sas(1.8, shape, 7, seed) * np.exp(0.8 * normal(shape[1], 6)),
    "Student t 5": lambda shape, seed: np.random.default_rng([12, seed]).standard_t(5, shape),
    "correlated Gaussian": lambda shape, seed: normal((shape[0], 1), 8, seed) + normal(shape, 9, seed),
    "compound Poisson": lambda shape, seed: (
        normal(shape, 7, seed) * np.sqrt(np.random.default_rng([1, seed]).poisson(0.5, shape))
    ),
    "few heavy columns": lambda shape, seed: np.where(
        np.arange(shape[1]) % 100 == 0,
        30 * np.random.default_rng([3, seed]).standard_t(3, shape),
        normal(shape, 2, seed),
    ),
}


@pytest.mark.parametrize("law", LAWS)
def test_scales_and_tails_are_what_their_formulas_say_and_add_up(law):
    U, K1 = centred(LAWS[law]((P, 600), 5)), 240  # no entry is left over
    parts, exact = diagnosis.decompose(U, K1=K1, seed=7), U.double().numpy()
    s = np.sqrt(np.square(exact).mean(0))
    entries = diagnosis.shuffle(diagnosis.permute_within_columns(U, 8).view(-1), 9).double().numpy().reshape(-1, K1)
    sizes = diagnosis.shuffle(torch.from_numpy(s).expand(P, -1).reshape(-1), 9).numpy().reshape(-1, K1)
    norms = np.sqrt(np.square(sizes).sum(1))
    c_P = (math.log(P - 1) + scipy.special.digamma(1 / 2) - scipy.special.digamma((P - 1) / 2)) / 2  # E ln|U_ij| / s_j
    tau, tau_Y = c_P - np.log(np.abs(exact) / s).mean(), LN_Z - np.log(np.abs(entries.sum(1)) / norms).mean()
    J = (np.log(norms).mean() - np.log(s).mean()) / math.log(K1) - 0.5
    assert parts.tau == pytest.approx(tau, abs=1e-4)
    assert parts.tau_Y.value == pytest.approx(tau_Y, abs=1e-4)
    assert parts.tails.value == pytest.approx((tau - tau_Y) / math.log(K1), abs=1e-4)
    assert parts.scales.value == pytest.approx(J - (c_P - LN_Z) / math.log(K1), abs=1e-6)
    assert J >= 0
    total = parts.correlation.value + parts.order.value + parts.scales.value + parts.tails.value
    assert total == pytest.approx(parts.e_0.value, abs=1e-12)
    if law == "SaS 1.5":
        assert not parts.identified
    elif "SaS" not in law and "heavy" not in law:
        assert parts.identified
    rows = {row["quantity"]: row["value"] for row in parts.rows()}
    assert rows["decomposition: tau_Y"] == parts.tau_Y.value


@pytest.mark.parametrize(("tau_Y", "se", "identified"), [(0.02, 0.0, True), (0.03, 0.0, False), (0.03, 0.006, True)])
def test_parts_are_told_apart_where_the_sums_are_a_tenth_as_heavy_as_the_entries(tau_Y, se, identified):
    parts = replace(
        diagnosis.decompose(centred(normal((P, 50), 7))), tau=0.2, tau_Y=diagnosis.joint.Estimate(tau_Y, se)
    )
    assert parts.identified == identified


@pytest.mark.parametrize("rows", [6, P])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_unequal_scales_of_gaussian_noise_are_scales(rows, spread):
    # ln E[s^2] / 2 - E[ln s]; with few rows the s_j are known badly, and that is taken away.
    scales = np.exp(spread * normal(COLUMNS, 6))
    parts = replicates(lambda seed: centred(normal((rows, COLUMNS), 7, seed) * scales), 5, K1=300)
    unequal = (math.log(np.mean(scales**2)) / 2 - np.log(scales).mean()) / math.log(300)
    assert all(abs(one.scales.value - unequal) < 0.002 for one in parts)
    assert abs(mean_and_se(parts, "tails")[0]) < 4 * parts[0].tails.se / math.sqrt(5)


def test_what_changes_no_scale_changes_no_scales():
    U = centred(normal((P, 300), 7) * np.exp(normal(300, 6)))
    parts = diagnosis.decompose(U, seed=1)
    rows, signs = torch.randperm(P, generator=torch_seed(2)), torch.randn(300, generator=torch_seed(3)).sign()
    for other in (U[rows], U * signs, 4 * U):
        again = diagnosis.decompose(other, seed=1)
        assert again.scales.value == pytest.approx(parts.scales.value, abs=1e-6)
        assert again.tau == pytest.approx(parts.tau, abs=1e-6)
    again = diagnosis.decompose(U[:, torch.randperm(300, generator=torch_seed(4))], seed=1)
    assert abs(again.scales.value - parts.scales.value) < 6 * parts.scales.se < 0.1
    assert again.tau == pytest.approx(parts.tau, abs=1e-6)


def test_standard_errors_of_scales_and_tails_are_those_of_the_shuffle():
    U = centred(normal((P, 300), 7) * np.exp(0.8 * normal(300, 6)))
    parts = [diagnosis.decompose(U, seed=100 * seed) for seed in range(40)]
    spread = {name: np.std([getattr(one, name).value for one in parts], ddof=1) for name in ("scales", "tails")}
    assert np.mean([one.scales.se for one in parts]) == pytest.approx(spread["scales"], rel=0.35)
    assert np.mean([one.tails.se for one in parts]) == pytest.approx(spread["tails"], rel=0.35)
    assert parts[0].tau_Y.se == pytest.approx(parts[0].tails.se * math.log(parts[0].K1))


@pytest.mark.slow
def test_sorted_scales_are_layout():
    scales = np.sort(np.exp(0.8 * normal(COLUMNS, 6)))
    parts = replicates(lambda seed: centred(normal((P, COLUMNS), 9, seed) * scales), 10, K1=500)
    # A block in order has scales of about one size, a shuffled one has all of them.
    blocks = np.log(np.mean(scales.reshape(-1, 500) ** 2, axis=1)).mean() / 2 / math.log(500)
    shuffled = math.log(np.mean(scales**2)) / 2 / math.log(500)
    assert blocks - shuffled < -0.05
    unequal = shuffled - np.log(scales).mean() / math.log(500)
    assert_parts(parts, correlation=0, order=blocks - shuffled, scales=unequal, tails=0)
    e_c, se = mean_and_se(parts, "e_c")
    assert e_c > mean_and_se(parts, "e_0")[0] + 0.05 + 4 * se


@pytest.mark.slow
def test_correlation_is_dependence():
    rho = 0.6  # in blocks of 10 columns; K1 a multiple of them

    def make(seed):
        shared = np.repeat(normal((P, COLUMNS // 10), 10, seed), 10, axis=1)
        return centred(math.sqrt(rho) * shared + math.sqrt(1 - rho) * normal((P, COLUMNS), 11, seed))

    parts = replicates(make, 24, K1=200)
    assert_parts(parts, correlation=math.log1p(9 * rho) / 2 / math.log(200), order=0, tails=0, scales=0)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.05, 0.5])
def test_correlation_of_all_columns_is_dependence_and_no_tails(rho):
    def make(seed):
        shared = math.sqrt(rho) * normal((P, 1), 12, seed)
        return centred(shared + math.sqrt(1 - rho) * normal((P, COLUMNS), 13, seed))

    parts = replicates(make, 10)
    assert_parts(parts, order=0, scales=0, tails=0)
    assert mean_and_se(parts, "correlation")[0] > 0.1


@pytest.mark.slow
def test_elliptical_tails_are_hidden_by_dependence_and_seen_as_far_as_the_rows_go():
    # P rows have P scales, however many the entries: for K1 above P the mean of the A_i, P^(2 / alpha - 1) A in law, is
    # all that a block of mixed entries sees. (Not centred: the mean over the rows would be common to all of them.)
    parts = replicates(lambda seed: elliptical(1.5, seed, centre=False), 40)
    seen = (1 / 1.5 - 0.5) * math.log(P) / math.log(parts[0].K1)
    assert_parts(parts, e_0=0, correlation=-seen, order=0, e_1=seen)
    # So do those of factors that all coordinates share.
    generator = np.random.default_rng(18)
    noise = [known_laws.noise_of("latent", 1.5, (P, COLUMNS), generator) for _ in range(24)]
    parts = replicates(lambda seed: torch.from_numpy(noise[seed]).float(), 24, K1=500)
    assert_parts(parts, e_0=0, order=0)
    assert mean_and_se(parts, "correlation")[0] == pytest.approx(-math.log(P) / 6 / math.log(500), abs=0.04)


@pytest.mark.slow
def test_students_tails_are_no_stable_ones():
    make = lambda seed: centred(np.random.default_rng([12, seed]).standard_t(3, (P, COLUMNS)))  # noqa: E731
    parts = {K1: replicates(make, 10, K1=K1) for K1 in (50, 1000)}
    expected = known_laws.law("student").block_inverse(3, 1000, "corrected") - 0.5
    assert mean_and_se(parts[1000], "e_1")[0] == pytest.approx(expected, abs=0.015)
    assert mean_and_se(parts[1000], "tails")[0] == pytest.approx(parts[1000][0].tau / math.log(1000), abs=0.02)
    for name, sign in (("tau_Y", 1), ("scales", 1), ("tails", -1)):  # sums of few entries are heavy-tailed too
        few, many = (sign * mean_and_se(parts[K1], name)[0] for K1 in (50, 1000))
        assert few > (many + 0.01 if name == "tau_Y" else -1), name
    lengths = diagnosis.column_lengths(P)
    inverse = torch.stack([diagnosis.column_inverse(make(seed), lengths).mean(1) for seed in range(4)]).mean(0)
    assert inverse[0] > inverse[-1] + 0.02 > 0.52


def test_e_0_is_the_corrected_estimate_and_dead_columns_do_not_take_part():
    U = centred(sas(1.5, (P, 403), 13))
    U[:, ::7] = 0
    U[5, 3] = 0  # a stray zero
    parts, index = diagnosis.decompose(U), tail_index.mohammadi(U)
    assert parts.e_0.value == pytest.approx(index.inverse - 0.5, rel=1e-5)
    assert parts.e_0.se == pytest.approx(index.inverse_se, rel=0.02)
    alive = U[:, (U != 0).any(0)]
    assert parts.p == alive.shape[1]
    assert parts == diagnosis.decompose(alive)
    assert diagnosis.decompose(1e-6 * U).tails.value == pytest.approx(parts.tails.value, abs=1e-5)


def test_parts_are_the_corrected_estimate_of_the_permuted_entries():
    U = centred(sas(1.5, (P, 50), 36))
    mixed = diagnosis.permute_within_columns(U, 8)
    entries = {"e_pi": mixed.view(-1), "e_1": diagnosis.shuffle(mixed.view(-1), 9)}
    parts = diagnosis.decompose(U, K1=700, seed=7)  # 400 of 6000 entries are left over
    for name, x in entries.items():
        assert getattr(parts, name).value == pytest.approx(tail_index.mohammadi(x, 700).inverse - 0.5, abs=1e-5), name
    assert parts.order.se == pytest.approx(math.hypot(parts.e_pi.se, parts.e_1.se))


@pytest.mark.slow
def test_standard_errors_are_the_spread_over_independent_matrices():
    # Not centred: means over the rows are common to all of them, and where the variance is infinite these count.
    parts = replicates(lambda seed: torch.from_numpy(sas(1.5, (P, COLUMNS), 14, seed)).float(), 64)
    for name in ("e_0", "e_c", "e_pi", "e_1", "correlation", "order"):
        spread = np.std([getattr(one, name).value for one in parts], ddof=1)
        assert np.mean([getattr(one, name).se for one in parts]) == pytest.approx(spread, rel=0.3), name
    k2, K1 = stable.log_cumulants(1.5)[1], parts[0].K1
    expected = math.sqrt(k2 / (P * COLUMNS // K1)) / math.log(K1)  # the closed form for i.i.d. entries
    assert np.std([one.e_1.value for one in parts], ddof=1) == pytest.approx(expected, rel=0.25)


def test_curve_is_the_corrected_estimate_at_every_block_length():
    U = centred(sas(1.5, (P, 333), 15))
    curve = diagnosis.curve(U)
    assert list(curve) == [10, 20, 50, 100, 200, 500]
    for K1, (value, se) in curve.items():
        index = tail_index.mohammadi(U, K1)
        assert value == pytest.approx(index.inverse, rel=1e-5)
        assert se == pytest.approx(index.inverse_se, rel=0.05)


def test_curve_has_fifty_blocks_or_more_at_every_length():
    U = torch.from_numpy(normal((20, 250), 47)).float()
    assert list(diagnosis.curve(U)) == [10, 20, 50, 100]  # 5000 entries: 50 blocks of 100
    assert list(diagnosis.curve(U[:, 1:])) == [10, 20, 50]
    assert list(diagnosis.curve(U, lengths=(2500,))) == [2500]  # two blocks, if asked for
    with pytest.raises(ValueError, match=r"K1 = 2510 is no multiple of 10 within 10\.\.2500"):
        diagnosis.curve(U, lengths=(2510,))


def test_standard_error_of_the_curve_leaves_out_one_row_at_a_time():
    U = torch.from_numpy(sas(1.5, (6, 40), 48)).float()
    U[0, ::3] = U[2, :20] = U[4, 5] = 0  # a whole block of zeros too
    value, se = diagnosis.curve(U, lengths=(20,))[20]  # blocks within rows: what is left is a matrix
    assert value == pytest.approx(tail_index.mohammadi(U, 20).inverse, rel=1e-5)
    left = [tail_index.mohammadi(U[torch.arange(6) != i], 20).inverse for i in range(6)]
    assert se == pytest.approx(math.sqrt(5 / 6 * np.square(left - np.mean(left)).sum()), rel=1e-5)
    parts = diagnosis.decompose(U.repeat(3, 1), K1=20)
    assert parts.e_0.value == pytest.approx(value - 0.5, rel=1e-6)


def test_a_block_belongs_to_the_row_in_which_it_begins():
    U = torch.from_numpy(sas(1.5, (7, 30), 49)).float()
    logs = joint.row_logs(U)
    assert torch.allclose(logs[:, 0], U.double().abs().log().sum(1))
    value, se = diagnosis.curve(U, lengths=(20,))[20]
    ln_Y = U.double().view(-1)[:200].view(10, 20).sum(1).abs().log()  # 10 entries are left over
    rows = np.arange(10) * 20 // 30
    X = torch.where(torch.arange(210) < 200, U.double().view(-1).abs().log(), math.nan).view(7, 30)
    left = [(ln_Y[rows != i].mean() - X[torch.arange(7) != i].nanmean()).item() / math.log(20) for i in range(7)]
    assert value == pytest.approx(float(ln_Y.mean() - X.nanmean()) / math.log(20), rel=1e-5)
    assert se == pytest.approx(math.sqrt(6 / 7 * np.square(left - np.mean(left)).sum()), rel=1e-4)


def test_logs_of_long_rows_are_taken_in_pieces(monkeypatch):
    monkeypatch.setattr(joint.entries, "CHUNK", 7)
    U = torch.from_numpy(normal((3, 40), 50)).float()
    U[1, 10:19] = 0
    sums = joint.row_logs(U)
    assert sums[:, 1].tolist() == [40, 31, 40]
    assert torch.allclose(sums[:, 0], torch.where(U != 0, U.double().abs().log(), 0.0).sum(1))


def test_shuffled_blocks_of_zeros_contribute_no_logarithm():
    x = torch.from_numpy(np.random.default_rng(53).permutation(np.r_[np.zeros(50), normal(51, 54)])).float()
    blocks = x[:100].double().view(50, 2).sum(1)  # one entry is left over
    ln_Y = blocks[blocks != 0].abs().log()
    assert 30 < len(ln_Y) < 45
    (value, se), variance = joint.of_shuffled(x, 2, joint.row_logs(x[None]))
    assert value == pytest.approx(tail_index.mohammadi(x, 2).inverse - 0.5, rel=1e-5)
    assert variance == pytest.approx(float(ln_Y.var()) / len(ln_Y), rel=1e-5)
    assert se == pytest.approx(math.sqrt(variance) / math.log(2))


@pytest.mark.parametrize("shift", [0.7, 5.0])
def test_what_is_not_centred_is_warned_of(shift):
    U = centred(normal((60, 300), 3))
    for statistic in (diagnosis.decompose, diagnosis.tail_excess):
        statistic(U)
        with pytest.warns(UserWarning, match="the means of the columns are not zero"):
            statistic(U + shift)


def test_columns_that_are_constant_are_dead_whatever_their_value():
    U = torch.from_numpy(normal((P, 60), 51)).float()
    U[:, 7:30] = 3.0
    U[:, 40] = 0
    U[P - 1, 40] = 1e-9  # alive in the last row
    alive = torch.cat([U[:, :7], U[:, 30:]], 1)
    assert diagnosis.decompose(U, K1=50) == diagnosis.decompose(alive, K1=50)
    assert diagnosis.curve(U) == diagnosis.curve(alive)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["independent", "latent", "elliptical"])
def test_the_joint_statistic_is_blind_to_tails(kind):
    """Its mean is the same on heavy-tailed noise and on Gaussian noise of the same covariance, 0.167 above 1/2 or not."""
    make = {
        "independent": lambda seed: torch.from_numpy(sas(1.5, (P, 600), 16, seed)).float(),
        "latent": lambda seed: latent(1.5, 20, seed, columns=600),
        "elliptical": lambda seed: elliptical(1.5, seed, columns=600),
    }[kind]
    K1, real, twin = 100, [], []  # blocks within rows
    for seed in range(60):
        U = make(seed)
        real.append(tail_index.mohammadi(U, K1).inverse)
        twin.append(tail_index.mohammadi(diagnosis.gaussian_twin(U, torch_seed(seed)), K1).inverse)
    difference = np.subtract(real, twin)
    se = difference.std(ddof=1) / math.sqrt(60)
    assert abs(difference.mean()) < 4 * se
    assert se < 0.02
    if kind == "independent":
        assert np.mean(twin) > 0.63  # the twin of i.i.d. SaS(1.5): Gaussian, and alpha^ = 1.5


def test_zeros_meet_the_epsilon_as_the_closed_form_says():
    q, K1, size = 0.9, 50, 500_000
    x = known_laws.law("zeros").sample(q, size, np.random.default_rng(17))
    inverse = tail_index.mohammadi(x, K1, convention="published").inverse
    counts = np.arange(1, K1 + 1)
    share = scipy.stats.binom.pmf(counts, K1, 1 - q) / (1 - q**K1)
    ln_eps, ln_Y = math.log(2.2204e-16), np.sum(share * np.log(counts)) / 2 + LN_Z
    extra = q * (LN_Z - ln_eps) + 0.5 * math.log(1 - q) - q**K1 * (ln_Y - ln_eps)
    assert inverse == pytest.approx(0.5 + extra / math.log(K1), abs=0.03)
    assert q**K1 * (ln_Y - ln_eps) / math.log(K1) > 0.04  # the last term is seen
