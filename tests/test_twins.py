"""Twins have their law, permutations are uniform, segments are where they should be."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from problems import LN_Z, centred, latent, sas, torch_seed

from tailnoise_utils import diagnosis, stable, tail_index
from tailnoise_utils.diagnosis import twins
from tailnoise_utils.tail_index import known_laws
from tailnoise_utils.tail_index.blocks import PUBLISHED_EPSILON


@pytest.mark.slow
def test_twins_have_their_law():
    U = latent(2.0, 4, 2, rows=30, columns=6)
    covariance = (U.T @ U / 30).double()
    rows = torch.cat([diagnosis.gaussian_twin(U, torch_seed(seed)) for seed in range(2000)]).double()
    assert torch.allclose(rows.T @ rows / len(rows), covariance, atol=float(0.03 * covariance.abs().max()))
    assert float(diagnosis.gaussian_twin(U, torch_seed(0), centre=True).mean(0).abs().max()) < 1e-5
    stable_rows = torch.cat([diagnosis.stable_twin(U, 1.5, torch_seed(seed)) for seed in range(2000)]).double()
    index = tail_index.koutrouvelis(stable_rows[:, 0])
    assert abs(index.alpha - 1.5) < 4 * index.se
    ln_scale = math.log((U[:, 0].abs() ** 1.5).mean()) / 1.5
    assert float(stable_rows[:, 0].abs().log().mean()) - stable.log_cumulants(1.5)[0] == pytest.approx(
        ln_scale, abs=0.03
    )


@pytest.mark.slow
def test_twins_have_the_scale_of_the_noise_and_not_of_one_row_less():
    ones = torch.ones(3, 1)
    for make, alpha in ((diagnosis.gaussian_twin, 2), (lambda U, g: diagnosis.stable_twin(U, 1.5, g), 1.5)):
        rows = torch.cat([make(ones, torch_seed(seed)) for seed in range(1000)]).double().abs().log()
        # Of ones the scale is 1 in the convention of each, of three rows for two larger by 3 / 2 to the 1 / alpha.
        expected = LN_Z if alpha == 2 else stable.log_cumulants(1.5)[0]
        se = float(rows.std()) / math.sqrt(len(rows))
        assert abs(float(rows.mean()) - expected) < 4 * se < math.log(3 / 2) / alpha / 2


def test_twins_that_leave_the_range_of_their_type_are_refused():
    U = torch.ones(30, 4)
    with pytest.raises(ValueError, match=r"alpha = 0\.02: a draw leaves the range of torch\.float32; .*float64"):
        diagnosis.stable_twin(U, 0.02, torch_seed(0))
    assert bool(torch.isfinite(diagnosis.stable_twin(U.double(), 0.02, torch_seed(0))).all())


@pytest.mark.slow
def test_shuffle_makes_every_order_equally_likely(monkeypatch):
    monkeypatch.setattr(twins, "_CHUNK", 3)  # ten entries go through four chunks
    places = np.array(
        [np.argsort(diagnosis.shuffle(torch.arange(10.0), seed).numpy())[[0, 1, 9]] for seed in range(6000)]
    )
    for a, b in ((0, 1), (0, 2)):
        counts = np.zeros((10, 10))
        np.add.at(counts, (places[:, a], places[:, b]), 1)
        assert not counts.diagonal().any()
        assert scipy.stats.chisquare(counts[~np.eye(10, dtype=bool)]).pvalue > 0.001


def test_rows_are_permuted_independently_in_every_column():
    U = torch.arange(20.0).repeat(3000, 1).T.contiguous()
    mixed = diagnosis.permute_within_columns(U, 0)
    assert torch.equal(mixed.sort(0).values, U)
    counts = np.stack([np.bincount(row.int().numpy(), minlength=20) for row in mixed])
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 0.001
    together = np.zeros((20, 20))
    np.add.at(together, (mixed[0, ::2].int().numpy(), mixed[0, 1::2].int().numpy()), 1)
    assert scipy.stats.chisquare(together.ravel()).pvalue > 0.001


def test_blocks_of_columns_are_permuted_with_numbers_of_their_own(monkeypatch):
    U = torch.arange(30.0).repeat(40, 1).T  # not contiguous, as a part of a matrix is
    monkeypatch.setattr(twins, "_PERMUTED", 20)
    mixed = diagnosis.permute_within_columns(U, 0)
    assert mixed.is_contiguous()
    assert not torch.equal(mixed[:, :20], mixed[:, 20:])
    assert torch.equal(mixed, diagnosis.permute_within_columns(U, 0))
    assert not torch.equal(mixed, diagnosis.permute_within_columns(U, 1))


def test_shuffles_have_their_seed(monkeypatch):
    x = torch.arange(40.0)
    for chunk in (2**18, 20):
        monkeypatch.setattr(twins, "_CHUNK", chunk)
        shuffled = [diagnosis.shuffle(x, seed) for seed in (0, 1, 0)]
        assert torch.equal(shuffled[0], shuffled[2])
        assert not torch.equal(shuffled[0], shuffled[1])
        assert torch.equal(shuffled[1].sort().values, x)
    counts = {sum(diagnosis.shuffle(x, seed)[:20] < 20).item() for seed in range(20)}
    assert len(counts) > 2  # how many of a chunk go to a segment is random too


def test_sampled_columns_are_contiguous_in_every_piece():
    groups = {"a": [slice(0, 700), slice(990, 1000)], "b": [slice(700, 980)]}
    columns = diagnosis.sample_columns(1000, groups, 100, seed=3)
    assert len(columns) <= 100
    for start, stop, size in ((0, 700, 70), (700, 980, 28), (980, 990, 1), (990, 1000, 1)):
        piece = columns[(columns >= start) & (columns < stop)]
        assert len(piece) == size
        assert torch.equal(piece, torch.arange(int(piece[0]), int(piece[0]) + size))
    assert not torch.equal(columns, diagnosis.sample_columns(1000, groups, 100, seed=4))
    assert torch.equal(columns, diagnosis.sample_columns(1000, groups, 100, seed=3))
    assert len(diagnosis.sample_columns(1000, groups, 4)) == 4
    assert len(diagnosis.sample_columns(1000, groups, 20)) == 20  # 14, 5, 1 and 1 are one too many
    for seed in range(40):
        columns = diagnosis.sample_columns(20, {"a": [slice(0, 10)]}, 18, seed=seed)
        assert torch.bincount(columns, minlength=20)[[0, 9, 10, 19]].tolist() in (
            [0, 1, 0, 1],
            [0, 1, 1, 0],
            [1, 0, 0, 1],
            [1, 0, 1, 0],
        )
    assert torch.equal(diagnosis.sample_columns(1000, groups, 1000), torch.arange(1000))


def noise(P, p, *seed):
    """Correlated columns of unequal scales."""
    rng = np.random.default_rng(seed)
    return centred(
        rng.standard_normal((P, 4)) @ rng.standard_normal((4, p))
        + rng.standard_t(3, (P, p)) * np.exp(rng.standard_normal(p))
    )


def assert_mean_over_drawn_twins(U, K1, expected, convention, seed, draws=300):
    """Within 4 standard errors of the mean over drawn twins, and these small enough to say something."""
    generator = torch_seed(seed)
    drawn = [
        tail_index.mohammadi(diagnosis.gaussian_twin(U, generator), K1, convention=convention).inverse
        for _ in range(draws)
    ]
    se = np.std(drawn, ddof=1) / math.sqrt(draws)
    assert abs(np.mean(drawn) - expected) < 4 * se
    return se


# Blocks within rows, blocks that straddle two rows with a remainder left over, and blocks longer than a row.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("P", "p", "K1"), [(12, 60, 20), (12, 60, 5), (11, 50, 35), (9, 31, 13), (12, 20, 33), (10, 8, 40)]
)
def test_closed_form_is_the_mean_over_drawn_twins(P, p, K1):
    U = noise(P, p, 1, p)
    [expected] = twins.twin_inverse(U, [K1])
    assert assert_mean_over_drawn_twins(U, K1, expected, "corrected", 2) < 0.016


@pytest.mark.slow
@pytest.mark.parametrize(("P", "p", "K1"), [(12, 60, 20), (10, 42, 35), (12, 20, 40)])
def test_closed_form_knows_the_epsilon_of_the_published_convention(P, p, K1):
    U = noise(P, p, 3, p)
    U[:, ::3] = 0  # dead columns: their logarithm is that of the epsilon, -36
    U[:, 1::3] *= 1e-15  # and these columns are hardly larger
    [expected] = twins.twin_inverse(U, [K1], epsilon=PUBLISHED_EPSILON)
    assert expected > 2
    assert assert_mean_over_drawn_twins(U, K1, expected, "published", 4) < 0.03


def by_definition(U, K1, epsilon):
    """Every entry and block sum of the twin by itself: normal, of the covariance of the rows, by numerical integration."""

    z = np.logspace(-20, 1, 20_001)
    weights = np.gradient(z) * 2 * scipy.stats.norm.pdf(z)

    def log(variance):
        return weights @ np.log(math.sqrt(variance) * z + epsilon) if variance or epsilon else -math.inf

    P, p = U.shape
    S = (U.T.double() @ U.double() / P).numpy()
    places = [divmod(k, p) for k in range(P * p // K1 * K1)]
    log_X = [log(S[j, j]) for _, j in places]
    log_Y = []
    for block in range(len(places) // K1):
        rows = {}
        for i, j in places[block * K1 : (block + 1) * K1]:
            rows.setdefault(i, []).append(j)
        log_Y.append(log(max(0.0, sum(S[np.ix_(js, js)].sum() for js in rows.values()))))
    return (np.mean(log_Y) - np.mean(log_X)) / math.log(K1)


@pytest.mark.parametrize(("P", "p", "K1"), [(4, 24, 6), (5, 12, 7), (6, 10, 23)])
def test_closed_form_is_its_definition(P, p, K1):
    U = noise(P, p, 13, p) * torch.logspace(-4, 4, p)  # the remainder, of the first columns, is unlike the rest
    assert twins.twin_inverse(U, [K1]) == pytest.approx([by_definition(U, K1, 0.0)], rel=1e-5)
    U[:, :p:2] = 0
    U[:, 1 : p // 2 : 2] *= 1e-12 / U[:, 1 : p // 2 : 2].abs().max(0).values
    U[:, :6] = 0  # a block of zeros, where blocks are short and within rows
    assert twins.twin_inverse(U, [K1], epsilon=1e-12) == pytest.approx([by_definition(U, K1, 1e-12)], rel=1e-4)


def test_closed_form_at_several_block_lengths_is_that_at_each():
    U = noise(12, 60, 5)
    for epsilon in (0.0, PUBLISHED_EPSILON):
        several = twins.twin_inverse(U, [20, 50, 7], epsilon=epsilon)
        assert several == [twins.twin_inverse(U, [K1], epsilon=epsilon)[0] for K1 in (20, 50, 7)]
    assert twins.twin_inverse(U, [20]) == pytest.approx(twins.twin_inverse(U, [20], epsilon=1e-12), abs=1e-5)
    assert twins.twin_inverse(1e-9 * U, [20]) == pytest.approx(twins.twin_inverse(U, [20]), rel=1e-6)


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_real_less_twin_is_the_tail_excess_less_that_of_the_block_sums(alpha):
    """An identity for blocks within rows: 1/alpha^ of U less its twin's is (tau - tau_Y) / ln K1."""
    P, K1 = 40, 20
    U = centred(sas(alpha, (P, 600), 6)).double()
    Y = U.view(P, -1, K1).sum(2)
    tau, tau_Y = (float(diagnosis.tail_excess(M).mean()) for M in (U, Y))
    real = tail_index.mohammadi(U, K1).inverse
    assert real - twins.twin_inverse(U, [K1])[0] == pytest.approx((tau - tau_Y) / math.log(K1), abs=1e-9)


def test_random_signs_keep_independent_noise_and_lead_elliptical_noise_to_two():
    """Independent components keep 1/alpha^ = 1/alpha. Of a jointly stable law, correlated, about 1/2 is left."""
    alpha, K1, P, p = 1.4, 100, 60, 4000
    index = tail_index.mohammadi(twins.flip_columns(torch.from_numpy(sas(alpha, (P, p), 7)), 8), K1)
    assert abs(index.inverse - 1 / alpha) < 4 * index.inverse_se < 0.08
    rng = np.random.default_rng(9)
    gaussian = math.sqrt(0.3) * rng.standard_normal((P, 1)) + math.sqrt(0.7) * rng.standard_normal((P, p))
    U = torch.from_numpy(np.sqrt(2 * known_laws.positive_stable(alpha / 2, (P, 1), rng)) * gaussian)
    correlation = math.log1p(99 * 0.3) / 2 / math.log(K1)  # of 100 entries that share 0.3 of their variance
    index = tail_index.mohammadi(U, K1)
    assert abs(index.inverse - 0.5 - correlation) < 4 * index.inverse_se < 0.4
    index = tail_index.mohammadi(twins.flip_columns(U, 8), K1)
    assert abs(index.inverse - 0.5) < 0.03 > 4 * index.inverse_se


def test_signs_are_of_columns_in_place_and_have_their_seed():
    U = noise(7, 4000, 10)
    before = U.clone()
    flipped = twins.flip_columns(U, 11)
    assert flipped is U
    signs = flipped / before
    assert torch.equal(signs, signs[:1].expand_as(signs))
    assert set(signs[0].tolist()) == {-1.0, 1.0}
    assert abs(float(signs[0].mean())) < 4 / 4000**0.5
    assert abs(float((signs[0, 1:] * signs[0, :-1]).mean())) < 4 / 4000**0.5
    assert torch.equal(twins.flip_columns(before.clone(), 11), flipped)
    assert not torch.equal(twins.flip_columns(before.clone(), 12), flipped)
