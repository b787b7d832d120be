"""Each estimator converges to a known truth within its own standard error; conventions, closed forms, edges, errors."""

import math
import warnings
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tailnoise_utils import stable, tail_index
from tailnoise_utils.tail_index import known_laws

FAST = [name for name in tail_index.ESTIMATORS if name not in ("maximum_likelihood", "hill")]


def sas(alpha, size, seed=0):
    return stable.sample(alpha, size, generator=np.random.default_rng(seed))


def z_scores(function, alpha, size, replicates, seed, draw=sas):
    """(1/alpha^ - 1/alpha) over its reported standard error, for independent samples."""
    indices = [function(draw(alpha, size, [seed, i])) for i in range(replicates)]
    return np.array([(index.inverse - 1 / alpha) / index.inverse_se for index in indices])


def assert_standard(z, mean=0.0, sd=1.0, slack=0.0):
    """Mean and sd as expected, within 3 of their standard errors (the sd: and some slack)."""
    n = len(z)
    assert abs(z.mean() - mean) < 3 / math.sqrt(n)
    assert abs(z.std(ddof=1) - sd) < 3 * sd / math.sqrt(2 * n) + slack


# Finds, in two of three cases, a mean that is off by .2 of the standard error or an sd that is off by 14 %; with half as
# many .29 and 20 %. Each estimator has seven chances. The documented exceptions need more.
REPLICATES = 300
EXCEPTIONS = {("mohammadi_order", 1.5): 800, ("koutrouvelis", 2.0): 800}


@lru_cache(maxsize=1)
def samples(alpha):
    """The samples of one index, for all estimators: the tests come in the order of the indices."""
    return [sas(alpha, 10_000, [1, i]) for i in range(max(EXCEPTIONS.values()))]


@pytest.mark.slow
@pytest.mark.xdist_group("z")
@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("alpha", [0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 2.0])
def test_z_scores_on_stable_data(name, alpha):
    # Documented exceptions: the order statistics stand for slightly different quantiles; Koutrouvelis' standard error is
    # too large at alpha = 2, by about a tenth at this size, the more so the smaller alpha^ is.
    mean, sd = {"mohammadi_order": (-0.15, 1.0)}.get(name, (0.0, 1.0))
    if (name, alpha) == ("koutrouvelis", 2.0):
        mean, sd = -0.1, 0.88
    usual = REPLICATES // 2 if name == "mohammadi_order" else REPLICATES  # it takes as long as all others together
    count = EXCEPTIONS.get((name, alpha), usual)
    indices = [tail_index.ESTIMATORS[name](sample) for sample in samples(alpha)[:count]]
    assert_standard(np.array([(index.inverse - 1 / alpha) / index.inverse_se for index in indices]), mean, sd)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mohammadi", "mohammadi_order"])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0])
def test_z_scores_in_the_published_convention(name, alpha):
    mean = -0.15 if name == "mohammadi_order" else 0.0
    function = tail_index.ESTIMATORS[name]
    z = z_scores(lambda x: function(x, convention="published"), alpha, 10_000, REPLICATES // 2, seed=2)
    assert_standard(z, mean)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.5, 0.8, 1.0, 1.2, 1.5])
def test_hill_z_scores_where_its_bias_is_small(alpha):
    # 100 of 10^5: |bias| / se = |D| sqrt(k) k / (2 C K) is below 0.03 up to alpha = 1.5.
    assert_standard(z_scores(lambda x: tail_index.hill(x, k=100), alpha, 10**5, 100, seed=3), slack=0.05)


@pytest.mark.parametrize("alpha", [0.5, 1.5, 3.0])
def test_hill_is_exact_on_pareto_data(alpha):
    def pareto(alpha, size, seed):
        return np.random.default_rng(seed).random(size) ** (-1 / alpha)

    assert_standard(z_scores(lambda x: tail_index.hill(x, k=100), alpha, 1000, 400, seed=4, draw=pareto), slack=0.05)


@pytest.mark.slow
def test_hill_bias_on_stable_data_is_the_documented_one():
    alpha, size, k = 1.7, 20_000, 300
    C = 2 * math.gamma(alpha) * math.sin(math.pi * alpha / 2) / math.pi
    D = -math.gamma(2 * alpha) * math.cos(math.pi * alpha / 2) / math.gamma(alpha)
    inverses = np.array([tail_index.hill(sas(alpha, size, [5, i]), k=k).inverse for i in range(200)])
    bias = alpha * inverses.mean() - 1
    assert bias == pytest.approx(-D * k / (2 * C * size), rel=0.25)  # first order only
    assert bias < -0.05


# Beyond alpha = 1.5 a stable law has no usable power-law tail at this size: Hill's z-scores cannot be standard there, and
# the test above holds it to its documented bias. Maximum likelihood takes a fifth of a second: a few samples must do.
@pytest.mark.slow
def test_maximum_likelihood_is_within_its_standard_error():
    indices = [tail_index.maximum_likelihood(sas(1.5, 60, [6, i])) for i in range(6)]
    for index in indices:
        assert abs(index.alpha - 1.5) < 4 * index.se
        assert index.info["sigma"] == pytest.approx(1.0, abs=0.6)
        assert index.se == pytest.approx(stable.cramer_rao(index.alpha) / math.sqrt(60))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "expected", "sigma"),
    [
        (1.1, 1.2435692, 1.0544538),
        (1.5, 1.3175209, 0.8656113),
        (1.9, 1.9999941, 1.0128009),
        (2.0, 1.9999978, 0.9768122),
    ],
)
def test_maximum_likelihood_is_that_of_scipy(alpha, expected, sigma):
    """scipy 1.17.1, ``levy_stable.fit(x / median, f1=0, floc=0)`` of the same 100 numbers: 8 to 18 seconds each."""
    x = sas(alpha, 100, [3, round(10 * alpha)])
    index = tail_index.maximum_likelihood(x)
    assert index.alpha == pytest.approx(expected, abs=1e-3)
    assert index.info["sigma"] == pytest.approx(sigma, abs=1e-3)

    def likelihood(alpha, sigma):
        return float(np.log(stable.pdf(x, alpha, sigma=sigma)).sum())

    assert likelihood(index.alpha, index.info["sigma"]) >= likelihood(expected, sigma)
    assert tail_index.maximum_likelihood(1e-6 * x).alpha == pytest.approx(index.alpha, abs=1e-5)


@pytest.mark.slow
def test_maximum_likelihood_of_numbers_that_no_gaussian_reaches():
    x = np.r_[sas(2.0, 60), 1e4]
    index = tail_index.maximum_likelihood(x)
    assert 0.5 < index.alpha < 1.95


@pytest.mark.slow
def test_maximum_likelihood_at_its_limit_has_no_standard_error():
    index = tail_index.maximum_likelihood(np.random.default_rng(0).uniform(-1, 1, 100))
    assert index.alpha == 2
    assert math.isnan(index.se)


def published(X, K1):
    """PAPER.md's formula, line by line, as the public code computes it: float32 and an epsilon inside each log."""
    X = torch.as_tensor(X, dtype=torch.float32).reshape(-1)
    K = len(X)
    K2 = K // K1
    Y = torch.stack([X[i * K1 : (i + 1) * K1] for i in range(K2)]).sum(1)
    mean_log_Y = torch.log(torch.abs(Y) + 2.2204e-16).mean()
    mean_log_X = torch.log(torch.abs(X) + 2.2204e-16).mean()
    return float((mean_log_Y - mean_log_X) / math.log(K1))


@pytest.mark.parametrize("shape", [(1000,), (12, 130), (7, 11, 1), (64, 64)])
def test_published_is_the_published_formula_bit_for_bit(shape):
    x = sas(1.3, math.prod(shape)).astype(np.float32).reshape(shape)
    x = x.reshape(shape[:2]) if len(shape) == 3 else x
    x.flat[::9] = 0.0  # dead units meet the epsilon
    K = x.size
    K1 = max(d for d in range(1, math.isqrt(K) + 1) if K % d == 0)
    index = tail_index.mohammadi(x, convention="published")
    assert index.info["K1"] == K1
    assert index.inverse == published(x, K1)


def test_published_order_statistic_is_its_formula():
    x = sas(1.3, 10_000).astype(np.float32)
    Y = torch.as_tensor(x).view(100, 100).sum(1)
    log_Y = torch.log(Y.abs() + 2.2204e-16).sort().values[59]
    log_X = torch.log(torch.as_tensor(x).abs() + 2.2204e-16).sort().values[5999]
    index = tail_index.mohammadi_order(x, k=60, convention="published")
    assert index.inverse == float((log_Y - log_X) / math.log(100))


def test_standard_error_of_the_order_statistic_is_its_formula():
    index = tail_index.mohammadi_order(sas(1.3, 400), k=6)  # K1 = K2 = 20
    q = 6 / 21
    x = stable.ppf((1 + q) / 2, index.alpha)
    expected = math.sqrt(q * (1 - q) / 20) / (2 * x * stable.pdf(x, index.alpha) * math.log(20))
    assert index.alpha < 2
    assert index.inverse_se == pytest.approx(float(expected), rel=1e-10)


def test_log_moment_has_the_unbiased_variance():
    x = sas(1.5, 20)
    logs = np.log(np.abs(x))
    square = 6 / math.pi**2 * np.square(logs - logs.mean()).sum() / 19 - 0.5
    assert tail_index.log_moment(x).inverse == pytest.approx(math.sqrt(square), rel=1e-12)


@pytest.mark.parametrize("shape", [(1000,), (1003,), (10, 101)])
def test_corrected_is_its_definition(shape):
    x = sas(1.3, math.prod(shape)).reshape(shape)
    x.flat[5] = 0.0
    K1 = math.isqrt(x.size)
    used = x.flat[: x.size // K1 * K1]
    log_Y = np.log(np.abs(used.reshape(-1, K1).sum(1)))
    log_X = np.log(np.abs(used[used != 0]))
    index = tail_index.mohammadi(x)
    assert index.inverse == pytest.approx((log_Y.mean() - log_X.mean()) / math.log(K1), rel=1e-13)
    assert (index.info["K1"], index.info["K2"], index.info["zeros"]) == (K1, x.size // K1, 1)


@pytest.mark.parametrize("chunk", [1, 7, 40, 10**6])
@pytest.mark.parametrize("K1", [None, 2, 45])
def test_blocks_go_on_from_one_portion_of_rows_to_the_next(chunk, K1, monkeypatch):
    U = np.random.default_rng(0).standard_normal((30, 13))
    U[:, 0] = 3.0  # the same in all rows
    U[0, 5] = U[:3, 6] = 0.25  # but not everywhere
    expected = tail_index.mohammadi(U[:, 1:].copy(), K1)
    for module in (tail_index.blocks, tail_index.logs):
        monkeypatch.setattr(module, "CHUNK", chunk)
    result = tail_index.mohammadi(U, K1)
    assert result.inverse == pytest.approx(expected.inverse, rel=1e-12)
    assert result.inverse_se == pytest.approx(expected.inverse_se, rel=1e-12)
    assert result.info == expected.info | {"dead_share": 1 - 12 / 13}


@pytest.mark.parametrize("shape", [(40,), (20, 2), (2, 20)])
def test_zeros_at_the_beginning_are_not_all(shape, monkeypatch):
    monkeypatch.setattr(tail_index.logs, "CHUNK", 4)
    x = np.zeros(40)
    x[20:] = np.random.default_rng(0).standard_normal(20)
    assert tail_index.mohammadi(x.reshape(shape)).alpha > 0
    with pytest.raises(ValueError, match="nothing is alive"):
        tail_index.mohammadi(0 * x.reshape(shape))


def test_what_is_not_contiguous_is_read_as_it_looks():
    U = np.random.default_rng(0).standard_normal((30, 20)).astype(np.float32)
    U[:, 3] = 1.0
    for convention in tail_index.CONVENTIONS:
        expected = tail_index.mohammadi(torch.from_numpy(U), convention=convention)
        for other in (torch.from_numpy(U.T.copy()).T, torch._neg_view(torch.from_numpy(-U))):
            assert tail_index.mohammadi(other, convention=convention).inverse == expected.inverse


def test_corrected_drops_dead_columns_and_reports_their_share():
    U = sas(1.3, 600).reshape(6, 100)
    dead = U.copy()
    dead[:, ::4] = 0.0
    index = tail_index.mohammadi(dead)
    assert index.info["dead_share"] == 0.25
    assert index.inverse == tail_index.mohammadi(np.delete(dead, np.s_[::4], axis=1)).inverse


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAST, "hill"])
@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e6])
def test_scale_invariance(name, factor):
    x = sas(1.4, 4000)
    function = tail_index.ESTIMATORS[name]
    assert function(factor * x).inverse == pytest.approx(function(x).inverse, rel=1e-9)


def test_published_is_not_scale_invariant_where_there_are_zeros():
    x = sas(1.4, 4000)
    x[::3] = 0
    small, large = (tail_index.mohammadi(c * x, convention="published").inverse for c in (1.0, 1e4))
    assert large - small == pytest.approx(np.mean(x == 0) * math.log(1e4) / math.log(50), rel=1e-3)


@pytest.mark.slow
def test_torch_and_numpy_agree_and_the_input_is_left_alone():
    x = torch.from_numpy(sas(1.4, 900)).requires_grad_()
    before = x.detach().clone()
    for name in (*FAST, "hill"):
        function = tail_index.ESTIMATORS[name]
        assert function(x).inverse == function(before.numpy()).inverse
    for convention in tail_index.CONVENTIONS:
        tail_index.mohammadi(x.detach().float().view(30, 30), convention=convention)
    assert torch.equal(x.detach(), before)


@pytest.mark.slow
@pytest.mark.parametrize("convention", tail_index.CONVENTIONS)
def test_jackknife_over_rows_is_the_spread_over_independent_matrices(convention):
    # Rows with a common factor and correlated entries: the i.i.d. formula is far off, the jackknife is not.
    generator = np.random.default_rng(7)

    def matrix():
        return generator.standard_normal((40, 1)) + 0.3 * generator.standard_normal((40, 400))

    indices = [tail_index.mohammadi(matrix(), convention=convention) for _ in range(300)]
    inverse = np.array([index.inverse for index in indices])
    reported = np.mean([index.inverse_se for index in indices])
    assert reported == pytest.approx(inverse.std(ddof=1), rel=0.2)
    iid = tail_index.mohammadi(matrix().reshape(-1), convention=convention).inverse_se
    assert abs(math.log(reported / iid)) > math.log(1.5)


def test_jackknife_keeps_the_epsilon_of_the_published_convention():
    U = sas(1.5, 20 * 90).reshape(20, 90)
    U[:, ::5] = 0  # dead units: without the epsilon they would not count
    left_out = []
    for i in range(20):
        X = torch.as_tensor(np.delete(U, i, axis=0)).reshape(-1, 30).double()
        logs = [torch.log(values.abs() + 2.2204e-16).mean() for values in (X.sum(1), X)]
        left_out.append(float(logs[0] - logs[1]) / math.log(30))
    se = math.sqrt(19 / 20 * np.square(left_out - np.mean(left_out)).sum())
    assert tail_index.mohammadi(U, K1=30, convention="published").inverse_se == pytest.approx(se, rel=1e-6)
    assert math.isnan(tail_index.mohammadi(U[:2] - U[:2].mean(0)).inverse_se)


def test_jackknife_is_leaving_one_row_out():
    U = sas(1.5, 20 * 90).reshape(20, 90)  # K1 = 30 cuts rows of 90 into whole blocks
    left_out = [tail_index.mohammadi(np.delete(U, i, axis=0), K1=30).inverse for i in range(20)]
    se = math.sqrt(19 / 20 * np.square(left_out - np.mean(left_out)).sum())
    assert tail_index.mohammadi(U, K1=30).inverse_se == pytest.approx(se, rel=1e-10)


@pytest.mark.slow
def test_values_above_two_are_reported():
    uniform = np.random.default_rng(8).random(10_000) - 0.5
    for name in ("log_moment", "fractional_moment", "mcculloch", "hill"):
        assert tail_index.ESTIMATORS[name](uniform).alpha > 2.2, name
    assert tail_index.log_moment(np.tile([1.0, -1.0], 50)).alpha == math.inf
    assert tail_index.fractional_moment(np.tile([1.0, -1.0], 50)).alpha == math.inf
    alternating = np.tile([1.0, -1.001], 5000) + 1e-5 * uniform
    assert tail_index.mohammadi(alternating).alpha < 0  # block sums smaller than their entries: 1/alpha^ is negative


@pytest.mark.slow
@pytest.mark.parametrize("convention", tail_index.CONVENTIONS)
@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("student", 3.0),
        ("laplace", 1.0),
        ("scale_mixture", 0.5),
        ("correlated", 0.3),
        ("correlated", 0.9),
        ("zeros", 0.05),
    ],
)
def test_closed_forms_on_data_that_are_not_stable(name, parameter, convention):
    law, size = known_laws.law(name), 250_000
    indices = [
        tail_index.mohammadi(law.sample(parameter, size, np.random.default_rng([9, i])), convention=convention)
        for i in range(60)
    ]
    inverse = np.array([index.inverse for index in indices])
    expected = law.block_inverse(parameter, int(indices[0].info["K1"]), convention)
    # 0.004: what is left of the central limit theorem at K1 = 500, largest for Student t with 3 degrees of freedom.
    assert abs(inverse.mean() - expected) < 4 * inverse.std(ddof=1) / math.sqrt(60) + 0.004
    assert abs(expected - 0.5) > 0.003


@pytest.mark.slow
@given(st.integers(4, 400), st.sampled_from(tail_index.CONVENTIONS), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_any_size_gives_a_finite_estimate_or_a_clear_error(size, convention, seed):
    x = sas(1.5, size, seed)
    prime = all(size % d for d in range(2, math.isqrt(size) + 1))
    if convention == "published" and prime:
        with pytest.raises(ValueError, match=f"K = {size} is prime"):
            tail_index.mohammadi(x, convention=convention)
        return
    index = tail_index.mohammadi(x, convention=convention)
    assert math.isfinite(index.inverse)
    assert index.inverse_se > 0
    assert index.info["K1"] * index.info["K2"] <= size
    assert (index.info["K1"] * index.info["K2"] == size) or convention == "corrected"


@given(st.integers(2, 12), st.integers(2, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_any_matrix_gives_the_estimate_of_its_entries_in_order(rows, columns, seed):
    U = sas(1.5, rows * columns, seed).reshape(rows, columns)
    index = tail_index.mohammadi(U)
    assert index.inverse == pytest.approx(tail_index.mohammadi(U.reshape(-1)).inverse, rel=1e-12)
    assert index.info["dead_share"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 15, 16, 17, 18, 19, 1000])
@pytest.mark.parametrize("numbers", ["any", "smallest", "largest", "with zeros"])
def test_logarithms_of_float32_numbers_are_those_of_the_same_in_float64(size, numbers):
    # In float64 every number has a logarithm of its own; in float32 four or five share one.
    x = torch.from_numpy(sas(0.3, 3 * size, size)).float().view(3, size)
    x = {"smallest": x.sign() * 1e-45, "largest": x.sign() * 3.4e38}.get(numbers, x)
    if numbers == "with zeros":
        x[1, ::2] = 0
    for epsilon in (0.0, 1e-16):
        total, count = tail_index.logs.sum_of_logs(x.view(-1), epsilon)
        expected = tail_index.logs.sum_of_logs(x.view(-1).double(), epsilon)
        assert (total, count) == (pytest.approx(expected[0], rel=1e-12), expected[1])
        logs = (x.double().abs() + epsilon).log().nan_to_num(neginf=0)
        assert total == pytest.approx(float(logs.sum()), rel=1e-12)
        totals, counts = tail_index.logs.log_sums(x, epsilon).T
        torch.testing.assert_close(totals, logs.sum(1), rtol=1e-12, atol=0)
        assert counts.tolist() == (x.double().abs() + epsilon > 0).sum(1).tolist()


BAD = {"nan": np.nan, "inf": np.inf}


@pytest.mark.parametrize("name", [*FAST, "hill", "maximum_likelihood"])
def test_errors_of_every_estimator(name):
    function = tail_index.ESTIMATORS[name]
    x = sas(1.5, 100)
    x[[7, 9]] = np.nan
    x[30] = -np.inf
    with pytest.raises(ValueError, match=r"2 NaN and 1 infinite entries, the first at index 7, 9, 30"):
        function(x)
    with pytest.raises(ValueError, match="K = 3 entries are too few"):
        function(np.arange(1.0, 4.0))
    with pytest.raises(ValueError, match="nothing is alive"):
        function(np.zeros(100))


@pytest.mark.parametrize("convention", tail_index.CONVENTIONS)
def test_errors_of_the_block_estimators(convention):
    x = sas(1.5, 100)
    with pytest.raises(ValueError, match=r"K1 = 1 is not an integer in 2\.\.50"):
        tail_index.mohammadi(x, K1=1, convention=convention)
    with pytest.raises(ValueError, match=r"K1 = 51 is not an integer in 2\.\.50"):
        tail_index.mohammadi_order(x, K1=51, convention=convention)
    with pytest.raises(ValueError, match=r"k = 11 is not an integer in 1\.\.K2 = 10"):
        tail_index.mohammadi_order(x, k=11, convention=convention)
    bad = x.reshape(10, 10).copy()
    bad[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"noise matrix .* 1 NaN and 0 infinite entries, the first at index \(3, 4\)"):
        tail_index.mohammadi(bad, convention=convention)
    with pytest.raises(ValueError, match="nothing is alive"):
        tail_index.mohammadi(np.zeros((10, 10)), convention=convention)


def test_what_does_not_fit_a_floating_point_type_is_said():
    x = sas(1.5, 100)
    with pytest.raises(ValueError, match=r"in float32, as published, the sample .* 100 infinite entries"):
        tail_index.mohammadi(np.where(x < 0, -1e39, 1e39), convention="published")
    with pytest.raises(ValueError, match="underflows to zero"):
        tail_index.mohammadi(1e-60 * x, convention="published")
    with pytest.raises(ValueError, match="leave the range of their floating-point type"):
        tail_index.mohammadi(np.where(x < 0, 1e308, 1.1e308))


def test_lists_views_and_other_numbers_are_taken():
    x = sas(1.5, 100)
    for function in (tail_index.mohammadi, tail_index.log_moment, tail_index.hill):
        expected = function(x).inverse
        frozen = x.copy()
        frozen.flags.writeable = False
        assert function(x.tolist()).inverse == function(frozen).inverse == function(x[::-1][::-1]).inverse == expected
        assert function(torch.arange(1, 101)).inverse == function(np.arange(1.0, 101.0)).inverse
        for wrong, message in ((x + 1j, "complex128 have no tail index"), (x > 0, "bool have no tail index")):
            with pytest.raises(ValueError, match=message):
                function(wrong)


def test_other_errors_name_the_way_out():
    x = sas(1.5, 100)
    with pytest.raises(ValueError, match="all 100 entries of the sample equal 1: a constant"):
        tail_index.maximum_likelihood(np.ones(100))
    with pytest.raises(ValueError, match=r"K1 = 30 does not divide K = 100.* 25 and 50"):
        tail_index.mohammadi(x, K1=30, convention="published")
    with pytest.raises(ValueError, match="K = 101 is prime"):
        tail_index.mohammadi(sas(1.5, 101), convention="published")
    with pytest.raises(ValueError, match="nothing is alive"):
        tail_index.mohammadi(np.ones((10, 10)))  # constant over the minibatches
    with pytest.raises(ValueError, match="unknown convention 'paper'; choose one of published, corrected"):
        tail_index.mohammadi(x, convention="paper")
    with pytest.raises(ValueError, match="unknown estimator 'pickands'; choose one of mohammadi, "):
        tail_index.get("pickands")
    with pytest.raises(ValueError, match=r"order = 0.5 is outside \[0.001, 0.5\)"):
        tail_index.fractional_moment(x, order=0.5)
    heavy = sas(0.08, 10**4)
    message = r"order = 0\.1 is not below alpha\^ / 2 = 0\.05\d*: .* try order = 0\.0\d+"
    with pytest.raises(ValueError, match=message):
        tail_index.fractional_moment(heavy)
    assert tail_index.fractional_moment(heavy, order=0.02).alpha == pytest.approx(0.08, abs=0.004)
    with pytest.raises(ValueError, match=r"k = 100 is not an integer in 1\.\.99"):
        tail_index.hill(x, k=100)
    with pytest.raises(ValueError, match="one-dimensional"):
        tail_index.log_moment(x.reshape(10, 10))
    with pytest.raises(ValueError, match="above 2000"):
        tail_index.maximum_likelihood(sas(1.5, 2001))
    mostly_zero = np.where(np.arange(100) % 4 == 0, x, 0.0)
    for name in ("koutrouvelis", "mcculloch"):
        with pytest.raises(ValueError, match=r"interquartile range .* is zero"):
            tail_index.ESTIMATORS[name](mostly_zero)
    with pytest.raises(ValueError, match="order statistic k = 1 of 10 is an exact zero"):
        tail_index.mohammadi_order(mostly_zero, k=1)
    with pytest.raises(ValueError, match="fewer than k"):
        tail_index.hill(mostly_zero, k=40)
    with pytest.raises(ValueError, match="only 3 of 100 entries are not zero"):
        tail_index.log_moment(np.where(np.arange(100) < 3, 1.0, 0.0))


def test_columns_that_are_not_centred_are_seen_in_few_rows_and_exact_zeros_are_no_rounding():
    generator = np.random.default_rng(1)
    with pytest.warns(UserWarning, match="means of the columns are not zero"):
        tail_index.mohammadi(5 + generator.standard_normal((10, 1000)))
    signs = generator.choice([-1.0, 1.0], (20, 500))
    with warnings.catch_warnings(action="error"):
        tail_index.mohammadi(signs)  # sums that are zero by chance


@pytest.mark.parametrize(("share", "warned"), [(0.0, False), (0.01, False), (0.05, True), (0.5, True)])
def test_sums_that_cancel_make_an_estimate_meaningless_from_two_per_cent_on(share, warned):
    generator = np.random.default_rng(2)
    X = generator.standard_normal((1000, 32))
    half = X[: round(1000 * share)]
    half[:, 16:] = -half[:, :16] * (1 + 1e-12 * generator.standard_normal((len(half), 16)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tail_index.mohammadi(X.ravel(), 32)
    messages = [
        f"{share:.0%} of the sums over K1 = 32 entries are rounding errors" in str(one.message) for one in caught
    ]
    assert messages == [True] * warned


def test_what_is_no_noise_about_zero_does_not_pass_without_a_word():
    ones, x = np.ones(100), np.random.default_rng(0).standard_normal(10**4)
    for name, function in tail_index.ESTIMATORS.items():
        with pytest.raises(ValueError, match="all 100 entries of the sample equal 1: a constant has no tail"):
            function(ones)
        hidden = np.ma.array(sas(1.5, 100), mask=np.arange(100) < 7)
        with pytest.raises(ValueError, match=r"7 of the 100 entries are masked.*x\.compressed\(\)"):
            function(hidden)
        nothing_hidden = np.ma.array(hidden.data, mask=False)
        assert function(nothing_hidden).alpha == function(hidden.data).alpha, name
        assert function(hidden.compressed()).info == function(hidden.data[7:]).info
    with pytest.raises(ValueError, match="all 100 entries of the noise matrix equal 1"):
        tail_index.mohammadi(ones.reshape(10, 10), convention="published")
    for mean in (0.5, 5.0):
        for function in (tail_index.log_moment, tail_index.fractional_moment):
            with pytest.warns(UserWarning, match="the mean of the entries is not zero"):
                function(x[:1000] + mean)
        with pytest.warns(UserWarning, match="the mean of the entries is not zero"):
            tail_index.mohammadi(x[:1000] + mean)
        for function in (tail_index.koutrouvelis, tail_index.mcculloch):  # look at no centre
            assert function(x + mean).alpha == pytest.approx(2, abs=0.1)
    with pytest.warns(UserWarning, match="the means of the columns are not zero"):
        tail_index.mohammadi(x[:8000].reshape(16, 500) + 0.7)
    for seed in range(100):  # neighbours that are alike, and one heavy number that all entries of a row share
        neighbours = known_laws.law("correlated").sample(0.6, 1000, np.random.default_rng(seed))
        for quiet in (neighbours, sas(1.0, (30, 1), seed) * x[:50]):
            tail_index.mohammadi(quiet)
    for estimator in (tail_index.mohammadi, tail_index.mohammadi_order):
        for convention in tail_index.CONVENTIONS:
            for shifted in (x + 0.1, x[:100] + 1.0, 1.0 + np.arange(100) % 3):
                with pytest.warns(
                    UserWarning, match=r"the mean of the entries is not zero \(\d+\.\d standard errors\)"
                ):
                    estimator(shifted, convention=convention)
            with pytest.warns(UserWarning, match="the means of the columns are not zero"):
                estimator((x + np.arange(10**4) % 100 - 50).reshape(100, 100), convention=convention)
            assert abs(estimator(x, convention=convention).alpha - 2) < 0.4  # and no warning, which is an error here
            heavy = sas(0.7, (30, 400))
            heavy[:, 0] = np.arange(30) == 3  # a coordinate that one minibatch reaches
            for quiet in (heavy, heavy - heavy.mean(0), heavy.ravel(), np.repeat(heavy[:, :1], 400, 1) + 1e-9 * heavy):
                estimator(quiet, convention=convention)


def test_all_estimators_in_one_table():
    x = stable.sample(1.5, 1000, generator=np.random.default_rng(0))
    table = tail_index.estimate(x).set_index("estimator")
    assert table.columns.tolist() == ["alpha", "se", "note"]
    assert table.index.tolist() == list(tail_index.ESTIMATORS)
    for name, function in tail_index.ESTIMATORS.items():
        index = function(x)
        assert (table.alpha[name], table.se[name]) == (index.alpha, index.se)
        assert abs(index.alpha - 1.5) < 4 * index.se
    assert table.note["mohammadi"] == "for 0 < alpha <= 2 about zero, any K >= 4"
    assert table.note["mcculloch"] == "for 0.2 <= alpha <= 2 about any centre"
    assert table.note.str.startswith("for ").all()


def test_the_table_says_why_there_is_no_estimate_and_what_is_warned_of():
    few = tail_index.estimate([1.0, -2.0, 3.0, -1.5, 0.3]).set_index("estimator")
    assert math.isnan(few.alpha["mcculloch"])
    assert math.isnan(few.se["mcculloch"])
    assert "K = 5 entries are too few: this estimator needs at least 20" in few.note["mcculloch"]
    assert math.isfinite(few.alpha["hill"])
    shifted = np.random.default_rng(0).normal(5, 1, 3000)
    table = tail_index.estimate(shifted).set_index("estimator")
    with pytest.warns(UserWarning, match="the mean of the entries is not zero") as caught:
        tail_index.mohammadi(shifted)
    assert table.note["mohammadi"] == str(caught[0].message)
    assert (table.note[["log_moment", "fractional_moment", "hill"]] == table.note["mohammadi"]).all()
    assert "K = 3000 is above 2000" in table.note["maximum_likelihood"]
    for wrong, message in (
        (np.ones(50), "a constant"),
        (np.ones((5, 5)), "one-dimensional"),
        ([1.0, math.nan] * 9, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            tail_index.estimate(wrong)
