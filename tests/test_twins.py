"""Twins have their law, permutations are uniform, segments are where they should be."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from problems import LN_Z, latent, torch_seed

from tailnoise_utils import diagnosis, stable, tail_index
from tailnoise_utils.diagnosis import shuffles


def test_surrogates_have_their_law():
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


def test_surrogates_have_the_scale_of_the_noise_and_not_of_one_row_less():
    ones = torch.ones(3, 1)
    for make, alpha in ((diagnosis.gaussian_twin, 2), (lambda U, g: diagnosis.stable_twin(U, 1.5, g), 1.5)):
        rows = torch.cat([make(ones, torch_seed(seed)) for seed in range(1000)]).double().abs().log()
        # Of ones the scale is 1 in the convention of each, of three rows for two larger by 3 / 2 to the 1 / alpha.
        expected = LN_Z if alpha == 2 else stable.log_cumulants(1.5)[0]
        se = float(rows.std()) / math.sqrt(len(rows))
        assert abs(float(rows.mean()) - expected) < 4 * se < math.log(3 / 2) / alpha / 2


def test_surrogates_that_leave_the_range_of_their_type_are_refused():
    U = torch.ones(30, 4)
    with pytest.raises(ValueError, match=r"alpha = 0\.02: a draw leaves the range of torch\.float32; .*float64"):
        diagnosis.stable_twin(U, 0.02, torch_seed(0))
    assert bool(torch.isfinite(diagnosis.stable_twin(U.double(), 0.02, torch_seed(0))).all())


def test_shuffle_makes_every_order_equally_likely(monkeypatch):
    monkeypatch.setattr(shuffles, "_CHUNK", 3)  # ten entries go through four chunks
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
    monkeypatch.setattr(shuffles, "_COLUMNS", 20)
    mixed = diagnosis.permute_within_columns(U, 0)
    assert mixed.is_contiguous()
    assert not torch.equal(mixed[:, :20], mixed[:, 20:])
    assert torch.equal(mixed, diagnosis.permute_within_columns(U, 0))
    assert not torch.equal(mixed, diagnosis.permute_within_columns(U, 1))


def test_shuffles_have_their_seed(monkeypatch):
    x = torch.arange(40.0)
    for chunk in (2**18, 20):
        monkeypatch.setattr(shuffles, "_CHUNK", chunk)
        found = [diagnosis.shuffle(x, seed) for seed in (0, 1, 0)]
        assert torch.equal(found[0], found[2])
        assert not torch.equal(found[0], found[1])
        assert torch.equal(found[1].sort().values, x)
    counts = {sum(diagnosis.shuffle(x, seed)[:20] < 20).item() for seed in range(20)}
    assert len(counts) > 2  # how many of a chunk go to a segment is random too


def test_sampled_columns_are_contiguous_in_every_piece():
    groups = {"a": [slice(0, 700), slice(990, 1000)], "b": [slice(700, 980)]}
    columns = diagnosis.sample_columns(1000, groups, 100, seed=3)
    assert len(columns) <= 100
    for start, stop, size in ((0, 700, 70), (700, 980, 28), (980, 990, 1), (990, 1000, 1)):
        own = columns[(columns >= start) & (columns < stop)]
        assert len(own) == size
        assert torch.equal(own, torch.arange(int(own[0]), int(own[0]) + size))
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


def test_every_entry_has_a_sign_of_its_own():
    x = torch.arange(1.0, 20_001.0)
    signs = diagnosis.random_signs(x, 3) / x
    assert set(signs.tolist()) == {-1.0, 1.0}
    assert abs(float(signs.mean())) < 4 / len(x) ** 0.5
    assert abs(float((signs[1:] * signs[:-1]).mean())) < 4 / len(x) ** 0.5
    assert torch.equal(diagnosis.random_signs(x, 3), signs * x)
    assert not torch.equal(diagnosis.random_signs(x, 4), signs * x)
    assert torch.equal(x, torch.arange(1.0, 20_001.0))
