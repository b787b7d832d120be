"""The symmetric alpha-stable law: samples against the law, the law against closed forms, series and scipy."""

import inspect
import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import zeta

from tailnoise_utils import stable
from tailnoise_utils.stable import density

ALPHAS = (0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 1.99, 2.0)

# alpha, x, f(x), 1 - F(x), df/dalpha(x), 17 digits. Sums of the convergent power series (in x^-alpha for alpha < 1, in
# x for alpha > 1, the derivative term by term) with mpmath 1.3, working digits raised until the largest term kept 22.
REFERENCE = (
    (0.1, 1e-3, 14.245490216774236, 0.42351068903885137, 61.429138426065157),
    (0.1, 1e30, 4.7327030636119954e-35, 0.0004734959472666981, -2.8167845872920579e-33),
    (0.5, 0.01, 0.63289129265925318, 0.49364634946835968, -2.2681733725440772),
    (0.5, 7.0, 0.0079011820800363816, 0.12982784225243584, 0.0034579356942366111),
    (0.9, 0.6, 0.22401126136144949, 0.32541926004179005, 0.12037035330690231),
    (1.1, 2.0, 0.067801789336888202, 0.13748198712393264, 0.041154709626853621),
    (1.3, 3.0, 0.032190783652541458, 0.06944407802269975, -0.0021170229029767287),
    (1.5, 0.5, 0.26229684035409004, 0.3605957735187284, 0.0051578527113018381),
    (1.5, 8.0, 0.0019064977468556828, 0.0094740847024823567, -0.0051526242074836772),
    (1.8, 5.0, 0.0032653013158332452, 0.0066484730826888237, -0.013305937809499278),
    (1.9, 10.0, 0.00013087000143228326, 0.00064351797815823571, -0.0014816653313932417),
    (1.99, 7.0, 4.1749828358275719e-5, 0.00012042443596708604, -0.004071955951922104),
    (1.9999, 6.0, 3.5548598530677759e-5, 1.2774914036989122e-5, -0.0073535843449019391),
)


def numpy_generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def torch_generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


both_generators = pytest.mark.parametrize("make", [numpy_generator, torch_generator])


class Scripted(np.random.Generator):
    """A generator that returns prescribed uniform and exponential numbers."""

    def __init__(self, uniform, exponential):
        super().__init__(np.random.PCG64(0))
        self.uniforms, self.exponentials = uniform, exponential

    def random(self, out):
        out[:] = self.uniforms

    def standard_exponential(self, out):
        out[:] = self.exponentials


@pytest.mark.slow
@both_generators
@pytest.mark.parametrize("alpha", ALPHAS)
def test_sample_has_the_characteristic_function(make, alpha):
    """Mean of exp(iwX) within its known standard error, real and imaginary part."""
    n, w = 300_000, np.array([0.03, 0.2, 0.7, 1.0, 1.6, 2.5])
    x = np.asarray(stable.sample(alpha, n, generator=make(1)))
    phi, phi2 = stable.characteristic_function(w, alpha), stable.characteristic_function(2 * w, alpha)
    wx = np.outer(w, x)
    real = (np.cos(wx).mean(1) - phi) / np.sqrt(((1 + phi2) / 2 - phi**2) / n)
    imaginary = np.sin(wx).mean(1) / np.sqrt((1 - phi2) / 2 / n)
    assert np.abs([real, imaginary]).max() < 3.6


@pytest.mark.slow
@both_generators
@pytest.mark.parametrize("alpha", ALPHAS)
def test_sample_has_the_distribution_function(make, alpha):
    law = {1.0: stats.cauchy().cdf, 2.0: stats.norm(scale=math.sqrt(2)).cdf}
    x = stable.sample(alpha, 20_000, generator=make(2))
    cdf = law.get(alpha, lambda z: stable.cdf(z, alpha))
    assert stats.kstest(np.asarray(x), cdf).pvalue > 0.01


@pytest.mark.parametrize("alpha", [0.4, 0.9, 1.3, 1.7])
def test_sample_agrees_with_scipy(alpha):
    theirs = stats.levy_stable.rvs(alpha, 0, scale=3.0, size=20_000, random_state=numpy_generator(3))
    ours = stable.sample(alpha, 20_000, sigma=3.0, generator=numpy_generator(4))
    assert stats.ks_2samp(ours, theirs).pvalue > 0.01


def test_sample_is_exact_at_alpha_one_and_two():
    uniform, exponential = numpy_generator(5).random((2, 1000))
    v = math.pi * (uniform - (0.5 - 2.0**-54))
    cauchy = stable.sample(1, 1000, generator=Scripted(uniform, exponential))
    np.testing.assert_allclose(cauchy, np.tan(v), rtol=1e-13, atol=1e-15)
    normal = stable.sample(2, 1000, generator=Scripted(uniform, exponential))
    np.testing.assert_allclose(normal, 2 * np.sin(v) * np.sqrt(exponential), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5, 1.0, 1.5, 2.0])
def test_sample_survives_the_rarest_draws(alpha):
    """Draws at the ends and the middle of their ranges give no NaN, and infinity only for a tiny alpha."""
    ends = [0.0, 2.0**-53, 0.5 - 2.0**-53, 0.5, 1 - 2.0**-52, 1 - 2.0**-53]
    uniform, exponential = np.array(list(itertools.product(ends, [0.0, 5e-324, 1.0, 45.0]))).T
    x = stable.sample(alpha, len(uniform), generator=Scripted(uniform, exponential))
    assert not np.isnan(x).any()
    assert np.isfinite(x).all() == (alpha >= 0.1)
    mirrored = stable.sample(alpha, len(uniform), generator=Scripted(1 - 2.0**-53 - uniform, exponential))
    np.testing.assert_array_equal(mirrored, -x)


def test_sample_beyond_the_range_of_float64():
    """The share of infinities at alpha = 0.01 is the documented one, 8e-4."""
    x = stable.sample(0.01, 10**6, generator=numpy_generator(6))
    assert not np.isnan(x).any()
    assert np.isinf(x).mean() == pytest.approx(math.exp(-7.1), rel=0.1)


@both_generators
def test_sample_scales_with_sigma(make):
    unit = np.asarray(stable.sample(1.3, 1000, generator=make(7)))
    wide = np.asarray(stable.sample(1.3, 1000, sigma=2.5, generator=make(7)))
    np.testing.assert_allclose(wide, 2.5 * unit, rtol=1e-15)


@both_generators
def test_sample_depends_on_the_generator_only(make):
    n = 200_003  # several blocks and a part of one
    threads = torch.get_num_threads()
    draws = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            draws.append(np.asarray(stable.sample(1.4, n, generator=make(8))))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], np.asarray(stable.sample(1.4, n, generator=make(9))))
    assert len(np.unique(draws[0])) == n  # no block twice
    generator = make(8)
    first, second = (np.asarray(stable.sample(1.4, 1000, generator=generator)) for _ in range(2))
    assert not np.isin(first, second).any()


def test_sample_shape_and_kind():
    array = stable.sample(1.5, (3, 4, 5), generator=numpy_generator(10))
    assert isinstance(array, np.ndarray)
    assert array.shape == (3, 4, 5)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array.ravel(), stable.sample(1.5, 60, generator=numpy_generator(10)))
    tensor = stable.sample(1.5, (3, 4), generator=torch_generator(10))
    assert isinstance(tensor, torch.Tensor)
    assert tensor.shape == (3, 4)
    assert tensor.dtype == torch.float64


def test_characteristic_function():
    values = stable.characteristic_function([-1.0, 0.0, 3.0], 1.5, sigma=2)
    np.testing.assert_allclose(values, np.exp([-(2**1.5), 0, -(6**1.5)]))
    np.testing.assert_allclose(stable.characteristic_function(0.7, 2, sigma=3), math.exp(-9 * 0.49))


@pytest.mark.parametrize(("alpha", "x", "f", "tail", "slope"), REFERENCE)
def test_density_and_distribution_against_the_series(alpha, x, f, tail, slope):
    assert float(stable.pdf(x, alpha)) == pytest.approx(f, rel=1e-10, abs=0)
    assert float(stable.cdf(-x, alpha)) == pytest.approx(tail, rel=1e-10, abs=0)
    assert float(stable.ppf(tail, alpha)) == pytest.approx(-x, rel=1e-7 if tail > 0.49 else 1e-9)
    h = 1e-4 if alpha < 1.99 else 1e-5
    by_alpha = (stable.pdf(x, alpha + h) - stable.pdf(x, alpha - h)) / (2 * h)
    assert float(by_alpha) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 0.7, 0.95, 1.05, 1.5, 1.9, 1.99])
def test_density_far_out_follows_the_tail_series(alpha):
    x = np.array([1e12, 1e25, 1e100]) if alpha < 0.5 else np.array([3e4, 1e9, 1e60])
    f, tail = np.zeros_like(x), np.zeros_like(x)
    for k in range(1, 60 if alpha < 1 else 4):
        gammas = math.exp(math.lgamma(alpha * k + 1) - math.lgamma(k + 1))
        c = (-1) ** (k + 1) * gammas * math.sin(k * math.pi * alpha / 2) / math.pi
        f += c * x ** (-alpha * k - 1)
        tail += c / (alpha * k) * x ** (-alpha * k)
    np.testing.assert_allclose(stable.pdf(x, alpha), f, rtol=1e-10)
    np.testing.assert_allclose(stable.cdf(-x, alpha), tail, rtol=1e-10)


@pytest.mark.parametrize("alpha", [0.05, 0.1, *ALPHAS])
def test_density_at_zero(alpha):
    assert float(stable.pdf(0, alpha)) == pytest.approx(math.gamma(1 + 1 / alpha) / math.pi, rel=1e-11)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 1.8, 1.999])
def test_density_near_zero_follows_the_series(alpha):
    x = np.array([0.0, 1e-9, 0.01, 0.3, 0.8])
    f, half = np.zeros_like(x), np.zeros_like(x)
    for k in range(80):
        c = (-1) ** k * math.exp(math.lgamma((2 * k + 1) / alpha) - math.lgamma(2 * k + 1)) / (math.pi * alpha)
        f += c * x ** (2 * k)
        half += c * x ** (2 * k + 1) / (2 * k + 1)
    np.testing.assert_allclose(stable.pdf(x, alpha), f, rtol=1e-12)
    np.testing.assert_allclose(stable.cdf(x, alpha) - 0.5, half, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("alpha", [0.3, 0.8, 1.4, 1.95])
def test_density_and_distribution_agree_with_scipy(alpha):
    x = np.array([-40.0, -3.0, -0.9, 0.1, 1.0, 6.0])
    np.testing.assert_allclose(stable.pdf(x, alpha, sigma=2), stats.levy_stable.pdf(x, alpha, 0, scale=2), rtol=1e-6)
    np.testing.assert_allclose(stable.cdf(x, alpha, sigma=2), stats.levy_stable.cdf(x, alpha, 0, scale=2), rtol=1e-6)


@pytest.mark.parametrize(("alpha", "law"), [(1, stats.cauchy(scale=0.7)), (2, stats.norm(scale=0.7 * math.sqrt(2)))])
def test_closed_forms(alpha, law):
    x = np.array([-1e100, -8.0, -1.0, -1e-10, 0.0, 0.4, 5.0, 30.0, 1e100])
    p = np.array([0.0, 1e-200, 1e-10, 0.3, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(stable.pdf(x, alpha, sigma=0.7), law.pdf(x), rtol=1e-12)
    np.testing.assert_allclose(stable.cdf(x, alpha, sigma=0.7), law.cdf(x), rtol=1e-12)
    np.testing.assert_allclose(stable.ppf(p, alpha, sigma=0.7), law.ppf(p), rtol=1e-10, atol=1e-15)
    for near in (alpha - 1e-9, min(alpha + 1e-9, 2)):  # the integral joins the closed form
        np.testing.assert_allclose(stable.pdf(x[1:-2], near, sigma=0.7), law.pdf(x[1:-2]), rtol=1e-5, atol=1e-11)
        np.testing.assert_allclose(stable.cdf(x[1:-2], near, sigma=0.7), law.cdf(x[1:-2]), rtol=1e-5, atol=1e-11)


@pytest.mark.parametrize("alpha", [0.2, 0.6, 1.0, 1.3, 1.8, 2.0])
def test_density_is_the_derivative_of_the_distribution(alpha):
    x = np.array([-5.0, -1.01, -0.4, 0.02, 0.99, 1.5, 4.0])
    h = 1e-4 * np.abs(x)
    slope = (stable.cdf(x + h, alpha) - stable.cdf(x - h, alpha)) / (2 * h)
    np.testing.assert_allclose(slope, stable.pdf(x, alpha), rtol=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_distribution_is_symmetric_and_scales(alpha):
    x = np.array([[0.0, 0.2], [1.0, 17.0]])
    np.testing.assert_array_equal(stable.pdf(-x, alpha), stable.pdf(x, alpha))
    np.testing.assert_allclose(stable.cdf(-x, alpha) + stable.cdf(x, alpha), 1, rtol=1e-15)
    np.testing.assert_allclose(stable.pdf(3 * x, alpha, sigma=3), stable.pdf(x, alpha) / 3, rtol=1e-12)
    np.testing.assert_allclose(stable.cdf(3 * x, alpha, sigma=3), stable.cdf(x, alpha), rtol=1e-12)
    np.testing.assert_array_equal(stable.cdf([-np.inf, 0.0, np.inf], alpha), [0, 0.5, 1])
    np.testing.assert_array_equal(stable.pdf([-np.inf, np.nan, np.inf], alpha), [0, np.nan, 0])
    assert np.isnan(stable.cdf(np.nan, alpha))
    assert stable.pdf(0.3, alpha).shape == ()
    assert stable.pdf([], alpha).shape == (0,)


def test_density_of_many_points_is_that_of_each():
    x = np.concatenate([numpy_generator(11).standard_cauchy(3000), [0.0, np.inf, 1.0]])
    chosen = slice(None, None, 97)
    np.testing.assert_allclose(stable.pdf(x, 1.6)[chosen], [stable.pdf(z, 1.6) for z in x[chosen]], rtol=1e-12)
    np.testing.assert_allclose(stable.cdf(x, 0.6)[chosen], [stable.cdf(z, 0.6) for z in x[chosen]], rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.9, 1.0, 1.5, 1.99, 2.0])
def test_quantiles_invert_the_distribution(alpha):
    p = np.array([[1e-12, 1e-3, 0.2], [0.49, 0.5, 0.50001], [0.8, 0.999, 1 - 1e-9]])
    x = stable.ppf(p, alpha)
    assert x.shape == p.shape
    assert x[1, 1] == 0
    np.testing.assert_allclose(stable.cdf(x, alpha), p, rtol=1e-11)
    np.testing.assert_allclose(stable.ppf(p, alpha, sigma=4), 4 * x)
    np.testing.assert_array_equal(stable.ppf([0.0, 1.0], alpha), [-np.inf, np.inf])


@pytest.mark.parametrize("alpha", [0.05, 0.9, 1.5, 1.9, 1.99])
def test_quantiles_take_few_steps(alpha, monkeypatch):
    """Interpolation, not bisection alone, which would take over forty."""
    calls = []
    cdf = density.cdf
    monkeypatch.setattr(density, "cdf", lambda *args: calls.append(1) or cdf(*args))
    stable.ppf([1e-9, 0.001, 0.2, 0.4, 0.499, 0.95], alpha)
    assert 2 < len(calls) < 25


def test_quantiles_beyond_the_range_of_float64():
    assert stable.ppf(1e-30, 0.05) == -np.inf


@pytest.mark.parametrize("alpha", [0.6, 1.0, 1.5, 2.0])
def test_levy_path_has_independent_stable_increments(alpha):
    times = np.array([-1.0, 0.5, 0.75, 3.75])
    path = stable.levy_path(alpha, times, sigma=2.0, paths=4000, generator=numpy_generator(12))
    assert path.shape == (4000, 4)
    np.testing.assert_array_equal(path[:, 0], 0)
    steps = np.diff(path) / (2.0 * np.diff(times) ** (1 / alpha))
    for step in steps.T:
        assert stats.kstest(step, lambda z: stable.cdf(z, alpha)).pvalue > 0.01
    assert stats.kstest(path[:, -1] / (2 * 4.75 ** (1 / alpha)), lambda z: stable.cdf(z, alpha)).pvalue > 0.01
    ranks = stats.spearmanr(steps).statistic[np.triu_indices(3, 1)]
    assert np.abs(ranks).max() < 3 / math.sqrt(4000)


def test_levy_path_is_self_similar():
    """L at the times c t has the law of c^(1/alpha) times L at the times t: here the largest |L| along a path."""
    alpha, t = 1.4, np.linspace(0, 1, 20)
    short = stable.levy_path(alpha, t, paths=3000, generator=numpy_generator(13))
    long = stable.levy_path(alpha, 9 * t, paths=3000, generator=numpy_generator(14))
    highest, scaled = np.abs(short).max(1), np.abs(long).max(1) / 9 ** (1 / alpha)
    assert stats.ks_2samp(highest, scaled).pvalue > 0.01


@pytest.mark.parametrize("alpha", [0.3, 0.7, 1.0, 1.6, 2.0])
def test_moments_are_integrals_of_the_density(alpha):
    y = np.arange(-150.0, 250.0 if alpha < 1 else 60.0, 0.02) if alpha < 2 else np.arange(-80.0, 6.0, 0.02)
    weight = 0.02 * 2 * np.exp(y) * stable.pdf(np.exp(y), alpha)
    mean = weight @ y
    c2, c3, c4 = (weight @ (y - mean) ** k for k in (2, 3, 4))
    np.testing.assert_allclose(stable.log_cumulants(alpha), [mean, c2, c3, c4 - 3 * c2**2], rtol=1e-9, atol=1e-9)
    for p in (-0.7, 0.0, alpha / 3):
        assert stable.absolute_moment(p, alpha) == pytest.approx(weight @ np.exp(p * y), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.7, 2.0])
def test_log_cumulants_of_samples(alpha):
    """Unbiased k-statistics of 100 batches: each mean within its standard error."""
    batches = np.log(np.abs(stable.sample(alpha, (100, 10_000), generator=numpy_generator(15))))
    estimates = np.array([[stats.kstat(batch, k) for k in (1, 2, 3, 4)] for batch in batches])
    z = (estimates.mean(0) - stable.log_cumulants(alpha)) / (estimates.std(0, ddof=1) / 10)
    assert np.abs(z).max() < 3
    k1, k2, k3, k4 = stable.log_cumulants(2)
    expected = [-np.euler_gamma / 2, math.pi**2 / 8, -7 * zeta(3) / 4, math.pi**4 / 16]  # ln|N(0, 2)|, by polygammas
    np.testing.assert_allclose([k1, k2, k3, k4], expected, rtol=1e-13)


def test_absolute_moments():
    for p in (0.25, 0.5, 0.99):  # E|X|^p of Cauchy
        assert stable.absolute_moment(p, 1) == pytest.approx(1 / math.cos(math.pi * p / 2))
    assert stable.absolute_moment(1, 1.5) == pytest.approx(2 / math.pi * math.gamma(1 - 1 / 1.5), rel=1e-14)
    assert stable.absolute_moment(1, 2) == pytest.approx(2 / math.sqrt(math.pi), rel=1e-14)
    assert [stable.absolute_moment(p, 2) for p in (2, 4, 6)] == pytest.approx([2, 12, 120])
    x = np.abs(stable.sample(1.5, 10**6, generator=numpy_generator(16))) ** 0.5
    assert x.mean() == pytest.approx(stable.absolute_moment(0.5, 1.5), abs=3 * x.std() / 1000)


def test_fisher_information_of_cauchy():
    """The closed form; 1/2 for ln sigma is classical."""
    shift = np.euler_gamma + math.log(2) - 1
    expected = [[(math.pi**2 / 6 + shift**2) / 2, -shift / 2], [-shift / 2, 0.5]]
    np.testing.assert_allclose(stable.fisher_information(1), expected, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.2, 0.7, 1.5, 1.9, 1.99])
def test_fisher_information_from_differences(alpha):
    """Scores as differences of ln f in alpha and in ln sigma, integrated over ln x."""
    y = np.arange(-70.0, 45 / alpha, 0.02)
    x, h = np.exp(y), min(1e-4, (2 - alpha) / 1000)
    scores = [
        np.log(stable.pdf(x, alpha + h) / stable.pdf(x, alpha - h)) / (2 * h),
        np.log(stable.pdf(x, alpha, sigma=math.exp(h)) / stable.pdf(x, alpha, sigma=math.exp(-h))) / (2 * h),
    ]
    expected = 0.04 * np.einsum("ai,bi,i->ab", scores, scores, x * stable.pdf(x, alpha))
    np.testing.assert_allclose(stable.fisher_information(alpha), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_fisher_information_of_samples():
    """Mean score zero, mean product of scores the information, within their standard errors."""
    n, h, alpha = 20_000, 1e-4, 1.5
    x = stable.sample(alpha, n, generator=numpy_generator(17))
    by_alpha = np.log(stable.pdf(x, alpha + h) / stable.pdf(x, alpha - h)) / (2 * h)
    by_scale = np.log(stable.pdf(x, alpha, sigma=math.exp(h)) / stable.pdf(x, alpha, sigma=math.exp(-h))) / (2 * h)
    information = stable.fisher_information(alpha)
    products = np.stack([by_alpha, by_scale, by_alpha**2, by_alpha * by_scale, by_scale**2])
    expected = [0, 0, information[0, 0], information[0, 1], information[1, 1]]
    z = (products.mean(1) - expected) / (products.std(1) / math.sqrt(n))
    assert np.abs(z).max() < 3


@pytest.mark.slow
def test_fisher_information_at_the_gaussian_end():
    np.testing.assert_array_equal(stable.fisher_information(2), [[np.inf, -np.inf], [-np.inf, 2]])
    near = stable.fisher_information(2 - 1e-6)
    assert near[1, 1] == pytest.approx(2, rel=1e-3)
    ratios = [stable.fisher_information(2 - d)[0, 0] * 4 * d * math.log(1 / d) for d in (1e-3, 1e-5)]
    assert ratios == pytest.approx([1, 1], abs=0.25)  # the leading term, up to double logarithms


def test_cramer_rao():
    assert stable.cramer_rao(1) == pytest.approx(math.sqrt(12) / math.pi)
    for alpha in (0.4, 1.5, 1.95):
        (a, b), (_, c) = stable.fisher_information(alpha)
        assert stable.cramer_rao(alpha) == pytest.approx(1 / math.sqrt(a - b**2 / c))
    assert stable.cramer_rao(2) == 0 < stable.cramer_rao(1.9999) < 0.1


@pytest.mark.parametrize("alpha", [0, -0.5, 2.0001, math.inf, math.nan])
def test_alpha_out_of_range(alpha):
    calls = [
        lambda: stable.check_alpha(alpha),
        lambda: stable.sample(alpha, 3, generator=numpy_generator(0)),
        lambda: stable.characteristic_function(1.0, alpha),
        lambda: stable.pdf(1.0, alpha),
        lambda: stable.cdf(1.0, alpha),
        lambda: stable.ppf(0.3, alpha),
        lambda: stable.levy_path(alpha, [0.0, 1.0], generator=numpy_generator(0)),
        lambda: stable.absolute_moment(0.1, alpha),
        lambda: stable.log_cumulants(alpha),
        lambda: stable.fisher_information(alpha),
        lambda: stable.cramer_rao(alpha),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=rf"alpha = {alpha} is outside \(0, 2\]"):
            call()


def test_alpha_too_small_for_the_density():
    calls = (stable.pdf, stable.cdf, stable.ppf, lambda _, alpha: stable.fisher_information(alpha))
    for call in (*calls, lambda _, alpha: stable.cramer_rao(alpha)):
        with pytest.raises(ValueError, match=r"alpha = 0.01 is below 0.05"):
            call(0.3, 0.01)


@pytest.mark.parametrize("sigma", [0.0, -1, math.inf, math.nan])
def test_sigma_out_of_range(sigma):
    calls = [
        lambda: stable.sample(1.5, 3, sigma=sigma, generator=numpy_generator(0)),
        lambda: stable.characteristic_function(1.0, 1.5, sigma=sigma),
        lambda: stable.pdf(1.0, 1.5, sigma=sigma),
        lambda: stable.cdf(1.0, 1.5, sigma=sigma),
        lambda: stable.ppf(0.3, 1.5, sigma=sigma),
        lambda: stable.levy_path(1.5, [0.0, 1.0], sigma=sigma, generator=numpy_generator(0)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"sigma = {sigma} is not a scale"):
            call()


@pytest.mark.parametrize("size", [0, -3, (4, 0)])
def test_size_out_of_range(size):
    with pytest.raises(ValueError, match="dimension below 1"):
        stable.sample(1.5, size, generator=numpy_generator(0))


@pytest.mark.parametrize("generator", [None, 7])
def test_generator_is_asked_for(generator):
    """Our own message, under the type checks of the tests."""
    with pytest.raises(TypeError, match=f"generator = {generator} is not a random generator"):
        inspect.unwrap(stable.sample)(1.5, 3, generator=generator)
    with pytest.raises(TypeError, match=f"generator = {generator} is not NumPy's"):
        inspect.unwrap(stable.levy_path)(1.5, [0.0, 1.0], generator=generator)


@pytest.mark.parametrize("times", [[0], [[0, 1], [2, 3]], [0, 1, 1], [1, 0.5], [0, math.nan], [0, math.inf]])
def test_times_that_make_no_path(times):
    with pytest.raises(ValueError, match=r"times.*(two times or more|must be finite and increase)"):
        stable.levy_path(1.5, np.array(times), generator=numpy_generator(0))


def test_number_of_paths_out_of_range():
    with pytest.raises(ValueError, match="paths = 0 is below 1"):
        stable.levy_path(1.5, [0.0, 1.0], paths=0, generator=numpy_generator(0))


@pytest.mark.parametrize(("p", "alpha"), [(1.5, 1.5), (-1, 1.5), (1.8, 0.9), (math.nan, 1.5), (-1, 2), (math.inf, 2)])
def test_order_without_a_moment(p, alpha):
    with pytest.raises(ValueError, match=rf"p = {p} at alpha = {alpha:g}: E\|X\|\^p is finite for -1 < p <"):
        stable.absolute_moment(p, alpha)


def test_probabilities_out_of_range():
    with pytest.raises(ValueError, match=r"2 of 4 probabilities are not in \[0, 1\], the first is 1.5"):
        stable.ppf([0.1, 1.5, 0.2, math.nan], 1.5)
