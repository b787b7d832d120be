"""Objectives, the Euler scheme, exit times and moves between wells, against closed forms and oracles."""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.linalg import expm

from tailnoise_utils import stable
from tailnoise_utils.study.exits import levy_sde, theory
from tailnoise_utils.study.exits.landscape import Landscape, SymmetricWell
from tailnoise_utils.study.experiments.exits import ExitSpec, WellsSpec

WELLS = Landscape((-1.0, 1.2, 3.1, 4.7), (0.0, 2.4, 3.8), (0.8, 0.6, 1.0, 0.8))
WELL = SymmetricWell(2.0, 3.0)
# Of `test_runs_between_wells_give_the_same_numbers_as_ever`: those of the moves that occur, and of the four wells.
RATES = [0.0022497187851518562, 0.003875968992248062, 0.00516795865633075, 0.004659108557229383, 0.003106072371486255]
RATES += [0.007765180928715638, 0.002239390885679095]
SHARES = [0.2848828125, 0.239765625, 0.19328125, 0.2820703125]


def rng(seed=0):
    return np.random.default_rng(seed)


@dataclass
class Power:
    """Objectives whose gradient is `rate` times x: none, or the Ornstein-Uhlenbeck process."""

    rate: float

    def gradient(self, x):
        return self.rate * x

    def value(self, x):
        return self.rate * x**2 / 2


def mean_and_error(times):
    return times.mean(), times.std(ddof=1) / len(times) ** 0.5


# Objectives


@pytest.mark.parametrize("objective", [WELL, WELLS])
def test_the_gradient_is_the_derivative_of_the_value(objective):
    x, h = np.linspace(-9, 9, 1001), 1e-4
    slope = (objective.value(x + h) - objective.value(x - h)) / (2 * h)
    np.testing.assert_allclose(objective.gradient(x), slope, atol=5e-5)


@pytest.mark.parametrize("objective", [WELL, WELLS])
def test_the_objective_is_smooth_and_its_tails_are_linear(objective):
    x = np.linspace(-9, 9, 200_001)
    assert np.abs(np.diff(objective.gradient(x))).max() < 20 * 9e-5  # no jump of the gradient
    far = np.array([-1e6, -50.0, 50.0, 1e6])
    left, low, high, right = objective.gradient(far)
    assert left == low
    assert high == right
    assert np.diff(objective.value(far[2:]))[0] == pytest.approx(high * (1e6 - 50), rel=1e-9)


def test_the_well_has_its_width_depth_and_curvature():
    at = np.array([-2.0, 0.0, 2.0])
    np.testing.assert_allclose(WELL.value(at), [3, 0, 3])
    np.testing.assert_allclose(WELL.gradient(at), 0, atol=1e-12)
    h = 1e-4
    curvature = (WELL.gradient(at + h) - WELL.gradient(at - h)) / (2 * h)
    np.testing.assert_allclose(curvature, WELL.curvature * np.array([-1, 1, -1]), rtol=1e-6)
    assert np.all(WELL.gradient(np.array([2.5, 3.0, 4.0])) < 0)  # it goes on downwards


def test_the_landscape_has_its_wells():
    minima, maxima = np.array(WELLS.minima), np.array(WELLS.maxima)
    np.testing.assert_allclose(WELLS.value(minima), -np.array(WELLS.depths), atol=1e-12)
    np.testing.assert_allclose(WELLS.value(maxima), 0, atol=1e-12)
    np.testing.assert_allclose(WELLS.gradient(np.r_[minima, maxima]), 0, atol=5e-5)
    np.testing.assert_allclose(WELLS.widths, [1, 1.2, 0.7, 0.9])
    x = np.linspace(-9, 9, 20_001)
    signs = np.sign(WELLS.gradient(x)[np.abs(WELLS.gradient(x)) > 1e-4])
    assert np.count_nonzero(np.diff(signs)) == 7  # no further critical point
    # Curvatures are the same on both sides of a critical point.
    second = WELLS._spline.derivative(2)
    np.testing.assert_allclose(second(minima), np.pi**2 / 2 * np.array(WELLS.depths) / WELLS.widths**2)
    critical = WELLS._critical
    np.testing.assert_allclose(second(critical - 1e-9), second(critical + 1e-9), atol=1e-5)
    np.testing.assert_allclose(second(np.array(WELLS.ends)), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("wells", "message"),
    [
        (((0.0,), (), (1.0,)), "1 minima, 0 maxima, 1 depths: give two minima or more"),
        (((0.0, 2.0), (1.0,), (1.0,)), "2 minima, 1 maxima, 1 depths"),
        (((0.0, 2.0), (3.0,), (1.0, 1.0)), "do not alternate in ascending order"),
        (((0.0, 2.0), (1.0,), (1.0, 0.0)), "each must be positive"),
        (((0.0, 2.0, 3.0), (1.9, 2.1), (0.1, 9.0, 9.0)), "further minima; make them more alike"),
    ],
)
def test_wells_that_are_none_are_refused(wells, message):
    with pytest.raises(ValueError, match=message):
        Landscape(*wells)
    with pytest.raises(ValueError, match=r"height = 0.0 must be a positive number"):
        SymmetricWell(1.0, 0.0)


# The scheme


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.2, 1.8, 2.0])
def test_ornstein_uhlenbeck_has_the_law_of_the_recursion(alpha):
    """Steps are linear in the noise: the end is shift + SaS of a scale that is a finite sum."""
    n, rows, dt, eps = 40_000, 30, 0.1, 0.7
    path = levy_sde.euler(Power(1.0), np.full(n, 2.0), alpha=alpha, eps=eps, dt=dt, rows=rows, generator=rng())
    assert path.shape == (rows, n)
    for steps in (1, rows):
        shift = 2 * (1 - dt) ** steps
        scale = (eps**alpha * dt * sum((1 - dt) ** (alpha * k) for k in range(steps))) ** (1 / alpha)
        w = 1 / scale
        mean = np.exp(1j * w * (path[steps - 1] - shift)).mean()
        assert mean == pytest.approx(math.exp(-1), abs=4.5 / n**0.5)
    if alpha == 2:
        long = levy_sde.euler(Power(1.0), np.zeros(n), alpha=alpha, eps=eps, dt=dt, rows=100, generator=rng())
        assert long[-1].var() == pytest.approx(2 * eps**2 / (2 - dt), rel=4 * (2 / n) ** 0.5)


def test_the_start_is_left_alone():
    start = np.ones(3)
    levy_sde.euler(WELL, start, alpha=1.5, eps=1.0, dt=0.1, rows=4, generator=rng())
    np.testing.assert_array_equal(start, 1)


# Exit times


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1.2, 1.6])
def test_a_flight_without_a_force_leaves_as_getoor_says(alpha):
    """From the middle of (-a, a): a^alpha / Gamma(1 + alpha), divided by eps^alpha."""
    dt, eps, a = 5e-4, 0.5, 0.6
    times = levy_sde.exit_times(Power(0.0), a, alpha=alpha, eps=eps, dt=dt, particles=10_000, generator=rng())
    mean, se = mean_and_error(times)
    expected = (a / eps) ** alpha / math.gamma(1 + alpha)
    late = alpha * eps * dt ** (1 / alpha) / a  # of a look at every step only
    assert -4 * se < mean - expected < 4 * se + late * expected


def test_brownian_motion_without_a_force_and_the_shift_of_the_edge():
    """(a + shift)^2 / (2 eps^2) as it is looked at in steps, a^2 / (2 eps^2) with the edge shifted."""
    dt, eps, a = 0.01, 0.5, 0.6
    settings = {"alpha": 2.0, "eps": eps, "dt": dt, "particles": 20_000}
    plain, se = mean_and_error(levy_sde.exit_times(Power(0.0), a, **settings, generator=rng()))
    shift = 0.5826 * eps * (2 * dt) ** 0.5
    assert plain == pytest.approx((a + shift) ** 2 / (2 * eps**2), abs=4 * se)
    shifted, se = mean_and_error(levy_sde.exit_times(Power(0.0), a, **settings, shifted=True, generator=rng(1)))
    assert shifted == pytest.approx(a**2 / (2 * eps**2), abs=4 * se)
    assert plain > shifted + 10 * se


@pytest.mark.slow
@pytest.mark.parametrize("edge", [1.0, 1.5])
def test_brownian_exits_take_as_long_as_the_exact_formula_says(edge):
    well, eps = SymmetricWell(1.0, 1.0), 0.55
    times = levy_sde.exit_times(well, edge, alpha=2.0, eps=eps, dt=0.005, particles=6000, shifted=True, generator=rng())
    mean, se = mean_and_error(times)
    assert mean == pytest.approx(theory.brownian_exit_time(well, edge, eps), abs=4 * se)


@pytest.mark.slow
def test_levy_exits_depend_on_width_and_noise_only():
    settings = {"alpha": 1.2, "dt": 0.02, "particles": 4000}
    for a, height, eps in ((1.0, 1.0, 0.06), (1.0, 2.0, 0.06), (1.5, 1.0, 0.06), (1.0, 1.0, 0.12)):
        times = levy_sde.exit_times(SymmetricWell(a, height), 1.5 * a, eps=eps, **settings, generator=rng())
        mean, se = mean_and_error(times)
        expected = math.pi * a**1.2 / (2 * math.gamma(1.2) * math.sin(0.6 * math.pi) * eps**1.2)
        assert theory.levy_exit_time(1.2, a, eps) == pytest.approx(expected, rel=1e-12)
        assert mean == pytest.approx(expected, abs=3 * se + 0.02 * expected)
        assert times.std() == pytest.approx(mean, rel=0.08)  # exponential


def test_the_first_exit_is_the_first(monkeypatch):
    """Two particles on a path that is given: out and back in again counts from the first look outside."""
    path = np.array([[0.5, 0.0], [1.2, 0.1], [0.2, 0.2], [0.1, 3.0], [0.0, 0.0]])

    def euler(objective, start, *, rows, **settings):
        steps = np.zeros((rows, len(start)))
        steps[: len(path)] = path[:, : len(start)]
        return steps

    monkeypatch.setattr(levy_sde, "euler", euler)
    times = levy_sde.exit_times(WELL, 1.0, alpha=1.5, eps=1.0, dt=0.25, particles=2, generator=rng())
    np.testing.assert_array_equal(times, [0.5, 1.0])


def test_exit_times_refuse_what_makes_no_sense():
    settings = {"alpha": 1.5, "eps": 0.1, "dt": 0.01, "particles": 4, "generator": rng()}
    with pytest.raises(ValueError, match=r"shifted at alpha = 1.5: .* for Brownian noise"):
        levy_sde.exit_times(WELL, 1.0, **settings, shifted=True)
    for name in ("eps", "dt"):
        with pytest.raises(ValueError, match=f"{name} = -1.0 must be a positive number"):
            levy_sde.exit_times(WELL, 1.0, **settings | {name: -1.0})
    with pytest.raises(ValueError, match=r"dt = 100.0 shifts the edge beyond 0"):
        levy_sde.exit_times(WELL, 2.0, **settings | {"alpha": 2.0, "dt": 100.0, "eps": 1.0}, shifted=True)


# Theory


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 1.9])
def test_the_constant_makes_the_characteristic_function(alpha):
    """2 alpha C times the integral of (1 - cos y) y^(-1-alpha) is 1; and C is the limit of the tail of SaS(1)."""
    C = theory.levy_constant(alpha)
    near = quad(lambda y: 2 * (math.sin(y / 2) / y) ** 2 if y else 0.5, 0, 1, weight="alg", wvar=(1 - alpha, 0))[0]
    oscillating = quad(lambda y: y ** (-1 - alpha), 1, np.inf, weight="cos", wvar=1.0)[0]
    assert 2 * alpha * C * (near + 1 / alpha - oscillating) == pytest.approx(1, rel=1e-4)
    x = 1e4 ** (1.5 / alpha)
    assert float(stable.cdf(-x, alpha)) * x**alpha == pytest.approx(C, rel=1e-2)


@pytest.mark.parametrize("alpha", [0.0, 2.0, 2.5])
def test_no_constant_without_jumps(alpha):
    with pytest.raises(ValueError, match=r"jumps need 0 < alpha < 2"):
        theory.levy_constant(alpha)


def test_the_exact_brownian_time_is_the_double_integral():
    well, eps, edge = SymmetricWell(1.3, 0.9), 0.5, 1.7
    f, D = (lambda x: float(well.value(np.array([x]))[0])), eps**2
    integral, _ = dblquad(lambda z, y: math.exp((f(y) - f(z)) / D), 0, edge, 0, lambda y: y)
    assert theory.brownian_exit_time(well, edge, eps) == pytest.approx(integral / D, rel=1e-6)
    flat = SymmetricWell(1.0, 1e-9)
    assert theory.brownian_exit_time(flat, 0.8, 0.5) == pytest.approx(0.8**2 / (2 * 0.25), rel=1e-6)
    assert theory.brownian_exit_time(well, edge, 0.01) == math.inf


def test_eyring_kramers_is_its_limit():
    well = SymmetricWell(1.3, 0.9)
    for barrier in (30, 100):
        eps = (0.9 / barrier) ** 0.5
        limit = theory.eyring_kramers(well, eps)
        past = theory.brownian_exit_time(well, 1.5 * 1.3, eps)
        assert past / limit == pytest.approx(1 + 0.5 / barrier, abs=2 / barrier**2)
        assert theory.brownian_exit_time(well, 1.3, eps) / limit == pytest.approx(
            0.5 * (1 + 0.5 / barrier), abs=0.3 / barrier
        )
    assert theory.eyring_kramers(well, 0.9**0.5) == pytest.approx(2 * 1.3**2 / (math.pi * 0.9) * math.e)


@pytest.mark.parametrize("alpha", [0.8, 1.5])
def test_the_generator_integrates_the_levy_measure_over_the_wells(alpha):
    eps = 0.3
    q = theory.generator_matrix(WELLS.minima, WELLS.maxima, alpha, eps)
    np.testing.assert_allclose(q.sum(1), 0, atol=1e-12)
    edges = [-np.inf, *WELLS.maxima, np.inf]
    density = alpha * theory.levy_constant(alpha) * eps**alpha
    for i, m in enumerate(WELLS.minima):
        for j in range(4):
            if i != j:
                rate = density * quad(lambda y, m=m: abs(y - m) ** (-1 - alpha), edges[j], edges[j + 1])[0]
                assert q[i, j] == pytest.approx(rate, rel=1e-6)
    stretched = theory.generator_matrix(
        tuple(2 * np.array(WELLS.minima)), tuple(2 * np.array(WELLS.maxima)), alpha, 2 * eps
    )
    np.testing.assert_allclose(stretched, q, rtol=1e-12)


def test_the_stationary_law_is_the_limit_of_the_chain():
    q = theory.generator_matrix(WELLS.minima, WELLS.maxima, 1.5, 0.3)
    law = theory.stationary_law(q)
    assert law.sum() == pytest.approx(1)
    np.testing.assert_allclose(law @ q, 0, atol=1e-14)
    np.testing.assert_allclose(expm(q * 1e4)[2], law, rtol=1e-9)
    # Two wells: in proportion to their widths to the power alpha.
    two = theory.stationary_law(theory.generator_matrix((-1.0, 3.0), (0.0,), 1.5, 0.01))
    assert two[1] / two[0] == pytest.approx(3**1.5)


@pytest.mark.parametrize(
    ("q", "message"),
    [
        ([[-1, 1, 0], [1, -1, 0], [0, 0, 0]], "the chain has 2 stationary laws"),
        ([[-1, 2], [1, -1]], "is no generator"),
        ([[1, -1], [1, -1]], "is no generator"),
    ],
)
def test_what_is_no_generator_has_no_law(q, message):
    with pytest.raises(ValueError, match=message):
        theory.stationary_law(np.array(q, dtype=float))


def test_gibbs_law_integrates_the_density():
    eps = 0.4
    edges = [-30, *WELLS.maxima, 30]
    density = lambda x: math.exp(-float(WELLS.value(np.array([x]))[0]) / eps**2)  # noqa: E731
    points = sorted([*WELLS.minima, *WELLS.ends])
    weights = []
    for low, high in pairwise(edges):
        weights.append(quad(density, low, high, points=[p for p in points if low < p < high], limit=200)[0])
    np.testing.assert_allclose(theory.gibbs_law(WELLS, eps), np.array(weights) / sum(weights), rtol=1e-6)
    assert theory.gibbs_law(WELLS, 0.1)[2] > 0.999  # the deepest, which is the narrowest


# Moves between wells


def test_moves_and_times_are_counted_as_they_happen(monkeypatch):
    """Dithering on a maximum is no move; a visit to a core is; time is counted where the last core was."""
    two = Landscape((-1.0, 1.0), (0.0,), (1.0, 1.0))
    looks = np.full((20, 4), -1.0)
    looks[5:7, 0] = 0.1  # across the maximum, not in the core, and back
    looks[10:, 1] = 0.3  # in the other core, to stay
    looks[10:, 2] = -5.0
    looks[:, 3] = 1.0
    looks[[3, 8], 3] = -1.0  # two moves away, two back

    monkeypatch.setattr(levy_sde, "_looks", lambda *given, **settings: iter(looks))
    settings = {"alpha": 1.5, "eps": 0.1, "dt": 0.1, "time": 10.0, "particles": 4, "generator": rng()}
    visits = levy_sde.visits(two, **settings)
    # Particles 1 and 3 start in the second well: the first look moves the former to where it is.
    assert visits.moves[:, 0, 1].tolist() == [0, 1, 0, 2]
    assert visits.moves[:, 1, 0].tolist() == [0, 1, 0, 2]
    np.testing.assert_allclose(visits.times, 0.5 * np.array([[20, 0], [10, 10], [20, 0], [2, 18]]))
    np.testing.assert_allclose(visits.shares[:, 1], [2 / 16, 10 / 16, 0, 15 / 16])
    rate, se = visits.rates()
    assert rate[0, 1] == pytest.approx(3 / 26)
    residual = np.array([0, 1, 0, 2]) - rate[0, 1] * visits.times[:, 0]
    assert se[0, 1] == pytest.approx(((residual**2).sum() * 4 / 3) ** 0.5 / 26)
    share, error = visits.occupation()
    assert (share[1], error[1]) == pytest.approx((27 / 64, visits.shares[:, 1].std(ddof=1) / 2))


def test_looks_are_every_fifth_step_and_as_many_as_asked_for():
    settings = {"alpha": 1.5, "eps": 0.1, "dt": 0.01}
    n, looks = 4000, 11  # in several blocks
    places = np.array(list(levy_sde._looks(WELLS, np.zeros(n), looks, **settings, generator=rng())))
    assert places.shape == (looks, n)
    still = Power(1.0)
    decay = np.array(list(levy_sde._looks(still, np.ones(n), 11, **settings | {"eps": 1e-12}, generator=rng())))
    np.testing.assert_allclose(decay[:, 0], 0.99 ** (5 * np.arange(1, 12)), rtol=1e-6)


@pytest.mark.slow
def test_levy_moves_come_at_the_rates_of_the_generator():
    alpha, eps = 1.3, 0.05
    visits = levy_sde.visits(WELLS, alpha=alpha, eps=eps, dt=0.02, time=1000.0, particles=600, generator=rng())
    rate, se = visits.rates()
    q = theory.generator_matrix(WELLS.minima, WELLS.maxima, alpha, eps)
    off = ~np.eye(4, dtype=bool)
    assert np.all(np.abs(rate - q)[off] < (4 * se + 0.04 * q)[off])
    np.testing.assert_allclose(se[off], np.sqrt(rate / visits.times.sum(0)[:, None])[off], rtol=0.2)  # Poisson's
    share, error = visits.occupation()
    np.testing.assert_allclose(share.sum(), 1)
    assert np.all(np.abs(share - theory.stationary_law(q)) < 4 * error + 0.01)


@pytest.mark.slow
def test_brownian_particles_stay_where_gibbs_says():
    eps = 0.6
    visits = levy_sde.visits(WELLS, alpha=2.0, eps=eps, dt=0.005, time=150.0, particles=400, generator=rng())
    share, error = visits.occupation()
    assert np.all(np.abs(share - theory.gibbs_law(WELLS, eps)) < 4 * error + 0.01)


def test_visits_refuse_what_makes_no_sense():
    settings = {"alpha": 1.5, "eps": 0.1, "dt": 0.1, "time": 10.0, "particles": 8, "generator": rng()}
    with pytest.raises(ValueError, match="particles = 6: take a multiple of 4, the number of wells, from 8 on"):
        levy_sde.visits(WELLS, **settings | {"particles": 6})
    with pytest.raises(ValueError, match=r"time = 1.0 is below 50 steps of dt = 0.1"):
        levy_sde.visits(WELLS, **settings | {"time": 1.0})


# Runs


@pytest.mark.slow
def test_an_exit_run_has_the_mean_its_error_and_the_theory():
    spec = ExitSpec("eps", 2.0, 1.0, 1.0, 0.6, 0.02, edge=1.0, shifted=True, particles=300, seed=1)
    rows = {row["quantity"]: row for row in spec.rows(lambda share: None)}
    times = levy_sde.exit_times(
        SymmetricWell(1.0, 1.0),
        1.0,
        alpha=2.0,
        eps=0.6,
        dt=0.02,
        particles=300,
        generator=spec._settings()["generator"],
        shifted=True,
    )
    assert rows["exit time"]["value"] == times.mean()
    assert rows["exit time"]["se"] == pytest.approx(times.std(ddof=1) / 300**0.5, rel=1e-12)
    assert rows["exit time, limit"]["value"] == theory.eyring_kramers(SymmetricWell(1.0, 1.0), 0.6) / 2
    assert rows["exit time, exact"]["value"] == theory.brownian_exit_time(SymmetricWell(1.0, 1.0), 1.0, 0.6)
    draws = rng().choice(times, (2000, 300))
    spread = (draws.std(1, ddof=1) / draws.mean(1)).std()  # bootstrap
    assert rows["sd / mean"]["se"] == pytest.approx(spread, rel=0.1)
    assert spec.again(Path("unused")) == spec.rows(lambda share: None)
    other = ExitSpec("eps", 2.0, 1.0, 1.0, 0.6, 0.02, edge=1.0, shifted=True, particles=300, seed=2)
    assert other.rows(lambda share: None)[0]["value"] != times.mean()


def test_a_run_between_wells_has_rates_shares_and_the_theory():
    spec = WellsSpec(WELLS.minima, WELLS.maxima, WELLS.depths, 1.5, 0.1, 0.02, 20.0, 40, seed=0)
    rows = {(row["quantity"], row["scope"], row.get("x")): row for row in spec.rows(lambda share: None)}
    settings = {"alpha": 1.5, "eps": 0.1, "dt": 0.02, "time": 20.0, "particles": 40}
    visits = levy_sde.visits(WELLS, **settings, generator=spec._settings()["generator"])
    q = theory.generator_matrix(WELLS.minima, WELLS.maxima, 1.5, 0.1)
    rate, se = visits.rates()
    assert rows["rate", "well 3", 1.0]["value"] == rate[2, 0]
    assert rows["rate", "well 2", 3.0]["se"] == se[1, 2]
    assert rows["rate, limit", "well 2", 3.0]["value"] == q[1, 2]
    assert rows["occupation", "well 2", None]["value"] == visits.occupation()[0][1]
    assert rows["occupation, limit", "well 4", None]["value"] == theory.stationary_law(q)[3]
    assert len(rows) == 2 * 12 + 2 * 4
    brownian = WellsSpec(WELLS.minima, WELLS.maxima, WELLS.depths, 2.0, 0.5, 0.01, 10.0, 8, seed=0)
    rows = {(row["quantity"], row["scope"], row.get("x")): row for row in brownian.rows(lambda share: None)}
    assert rows["occupation, limit", "well 1", None]["value"] == theory.gibbs_law(WELLS, 0.5)[0]
    assert not [key for key in rows if key[0] == "rate, limit"]


def test_runs_between_wells_give_the_same_numbers_as_ever():
    """Of a short run, when the stored ones, which take a minute or more, could be had again to the last digit."""
    spec = WellsSpec(WELLS.minima, WELLS.maxima, WELLS.depths, 1.8, 0.2, 0.02, time=80.0, particles=40, seed=1)
    rows = spec.rows(lambda share: None)
    rates = [row["value"] for row in rows if row["quantity"] == "rate" and row["value"]]
    assert rates == pytest.approx(RATES, rel=1e-6)
    shares = [row["value"] for row in rows if row["quantity"] == "occupation"]
    assert shares == pytest.approx(SHARES, rel=1e-6)
