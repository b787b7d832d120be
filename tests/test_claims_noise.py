"""Verdicts on C1, C2, C6, C7 and O3 from tables made up for them."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from made_up import jitter, results
from scipy import stats

from tailnoise_utils.study import claims
from tailnoise_utils.study.claims import iterations as phases
from tailnoise_utils.study.claims import norms
from tailnoise_utils.study.results.reading import WORDS
from tailnoise_utils.study.results.store import Results
from tailnoise_utils.tail_index import known_laws

LAWS = ("norm, Gaussian (independent)", "norm, stable (independent)", "norm, Gaussian (same covariance)")


def histogram(noise, *, independent=None, count=150, status="complete", data="cifar10"):
    """Norms of two seeds: of the noise by `noise(generator, count, iteration)`; lognormal ones of every stored law, with
    spreads of .01, .8 (unless `independent` says otherwise) and .15; alpha^ is that of `index`."""
    laws = dict(zip(LAWS, (lognormal(0.01), independent or lognormal(0.8), lognormal(0.15)), strict=True))
    rows, runs = [], []
    for seed in range(2):
        run = {"run": f"r{seed}", "model": "cnn", "dataset": data, "width": 16, "depth": 0, "loss": "nll", "seed": seed}
        runs.append(run | {"status": status})
        generator = np.random.default_rng(seed)
        for point in (0, 10, 20):
            values = {law: 7 * draw(generator, count, point) for law, draw in laws.items()}
            values["norm"] = noise(generator, count, point)
            for quantity, drawn in values.items():
                at = {"run": run["run"], "iteration": point, "quantity": quantity}
                rows += [at | {"x": float(i), "value": value} for i, value in enumerate(drawn)]
            rows.append(
                {"run": run["run"], "iteration": point, "quantity": "1/alpha (corrected)", "value": 1 / index(point)}
            )
    return results(rows, runs)


def index(point):
    return 1.0 if point == 10 else 1.7


def lognormal(spread):
    return lambda generator, count, point: np.exp(spread * generator.standard_normal(count))


def elliptical(generator, count, point):
    scales = np.sqrt(known_laws.positive_stable(index(point) / 2, count, generator))
    return scales * np.exp(0.15 * generator.standard_normal(count))


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(norms, "_DRAWS", 199)


@pytest.mark.slow
@pytest.mark.usefixtures("few_draws")
def test_c1():
    verdict = claims.c1(histogram(elliptical, independent=elliptical))
    assert verdict.verdict == "reproduced"
    assert verdict.p <= 0.02
    verdict = claims.c1(histogram(lognormal(0.8)))
    assert (verdict.verdict, "only for laws as the paper draws them" in verdict.evidence) == ("partly", True)
    verdict = claims.c1(histogram(elliptical))
    assert (verdict.verdict, "only for laws with the covariance of the noise" in verdict.evidence) == ("partly", True)


@pytest.mark.slow
@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("spread", [0.15, 0.3, 2.0])
def test_c1_not_reproduced(spread):
    """Gaussian with the covariance; nearer to the independent stable law, but not like it; heavier than it."""
    verdict = claims.c1(histogram(lognormal(spread)))
    assert verdict.verdict == "not reproduced"
    assert verdict.p > 0.05


@pytest.mark.slow
@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize(("spread", "verdict"), [(1.05, "partly"), (1.4, "not reproduced")])
def test_c1_wants_the_stable_law_within_a_tenth(spread, verdict):
    """Normal laws whose standard deviations are 1.05 / .8 and 1.4 / .8 apart have D = .07 and .13."""
    assert claims.c1(histogram(lognormal(spread), count=1000)).verdict == verdict


@pytest.mark.slow
@pytest.mark.usefixtures("few_draws")
def test_c1_at_all_snapshots_but_the_first():
    def noise(other):
        return lambda generator, count, point: lognormal(0.15 if point == other else 0.8)(generator, count, point)

    assert claims.c1(histogram(noise(0))).verdict == "partly"
    assert claims.c1(histogram(noise(20))).verdict == "not reproduced"


@pytest.mark.parametrize("larger", ["p_gaussian", "p_nearer"])
def test_c1_takes_the_larger_p_value(larger, monkeypatch):
    row = {"iteration": 10, "gaussian": 0.3, "stable": 0.05, "p_gaussian": 0.01, "p_nearer": 0.01, "runs": 2}
    table = pd.DataFrame([row | {"reading": reading, larger: 0.2} for reading in norms._READINGS])
    monkeypatch.setattr(norms, "norm_distances", lambda results: table)
    verdict = claims.c1(histogram(elliptical))
    assert (verdict.verdict, verdict.p) == ("not reproduced", 0.2)


@pytest.mark.parametrize(("stable", "verdict"), [(0.1, "reproduced"), (0.101, "not reproduced")])
def test_c1_a_tenth_is_a_tenth(stable, verdict, monkeypatch):
    row = {"iteration": 10, "gaussian": 0.3, "stable": stable, "p_gaussian": 0.01, "p_nearer": 0.01, "runs": 2}
    table = pd.DataFrame([row | {"reading": reading} for reading in norms._READINGS])
    monkeypatch.setattr(norms, "norm_distances", lambda results: table)
    assert claims.c1(histogram(elliptical)).verdict == verdict


def test_c1_is_about_convolutional_networks():
    cnn = histogram(lognormal(0.8))
    fcn = type(cnn)(cnn.rows, cnn.runs.assign(model="fcn"))
    assert claims.c1(fcn).verdict == claims.NOT_TESTED


def test_c1_not_tested():
    assert claims.c1(histogram(lognormal(0.8), status="not trained")).verdict == claims.NOT_TESTED
    assert claims.c1(histogram(lognormal(0.8), data="digits32")).verdict == claims.NOT_TESTED


def test_distance_is_that_of_kolmogorov_and_smirnov():
    generator = np.random.default_rng(0)
    for m, n in ((1, 1), (7, 30), (50, 20)):
        one = generator.standard_normal((3, m)).round(1)  # with ties
        other = (0.3 + generator.standard_normal((3, n))).round(1)
        expected = [stats.ks_2samp(*pair).statistic for pair in zip(one, other, strict=True)]
        assert norms._distance(one, other) == pytest.approx(expected)


@pytest.mark.slow
def test_the_test_of_the_shape_has_its_level(monkeypatch):
    monkeypatch.setattr(norms, "_DRAWS", 39)
    generator = np.random.default_rng(0)

    def sample():
        drawn = np.exp(0.3 * generator.standard_normal(101))
        return drawn / np.median(drawn)

    p = [norms._compare(sample(), sample(), sample(), generator)["p_gaussian"] for _ in range(200)]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.1


def samples(bias=0.0, ratio=1.0, *, at=None, sizes=(1000, 10_000, 100_000), alphas=(1.0, 1.5, 2.0), replicates=400):
    """Estimates of alpha: `bias` and `ratio` (of the true to the reported error) at one estimator, or at both."""
    rows, runs = [], []
    for alpha in alphas:
        for size in sizes:
            name = f"{alpha}-{size}"
            run = {"run": name, "law": "sas", "parameter": alpha, "size": size, "replicates": replicates, "seed": 0}
            runs.append(run)
            for scope in ("mohammadi", "mohammadi (published)"):
                off = at is None or at == scope
                sd = 2.0 / size**0.5
                measured = {
                    "1/alpha": (1 / alpha + bias * off, sd / replicates**0.5),
                    "sd of 1/alpha": (sd, sd / (2 * (replicates - 1)) ** 0.5),
                    "reported se of 1/alpha": (sd / (ratio if off else 1.0), 0.0),
                }
                row = {"run": name, "split": "", "scope": scope}
                rows += [
                    row | {"quantity": quantity, "value": value, "se": se} for quantity, (value, se) in measured.items()
                ]
    return results(rows, runs)


def test_c2():
    verdict = claims.c2(samples(0.01, 1.03))
    assert verdict.verdict == "reproduced"
    assert verdict.numbers["largest absolute bias of 1/alpha^"] == pytest.approx(0.01)
    assert verdict.numbers["true over reported standard error, corrected"] == pytest.approx(1.03)


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"bias": 0.021}, {"bias": -0.021}, {"ratio": 1.11}, {"ratio": 0.89}])
def test_c2_deviations(change):
    assert claims.c2(samples(**change)).verdict == "not reproduced"
    verdict = claims.c2(samples(**change, at="mohammadi"))
    assert (verdict.verdict, "only for published" in verdict.evidence) == ("partly", True)


@pytest.mark.parametrize(
    "change", [{"sizes": (100, 1000)}, {"alphas": (1.0, 1.5)}, {"replicates": 2}, {"at": "mohammadi", "replicates": 10}]
)
def test_c2_not_tested(change):
    assert claims.c2(samples(**change)).verdict == claims.NOT_TESTED


def test_c2_ignores_small_samples():
    small = samples(0.5, sizes=(1000,))
    large = samples()
    both = results(
        small.rows.to_dict("records") + large.rows[~large.rows["run"].isin(small.runs["run"])].to_dict("records"),
        small.runs.to_dict("records") + large.runs[~large.runs["run"].isin(small.runs["run"])].to_dict("records"),
    )
    assert claims.c2(both).verdict == "reproduced"


def test_c2_ratios_are_averaged_by_their_replicates():
    few, many = samples(0, 1.3, sizes=(10_000,), replicates=401), samples(0, 0.8, sizes=(100_000,), replicates=801)
    verdict = claims.c2(Results(pd.concat([few.rows, many.rows]), pd.concat([few.runs, many.runs])))
    assert verdict.verdict == "reproduced"
    assert verdict.numbers["true over reported standard error, corrected"] == pytest.approx((1.3 * 0.8**2) ** (1 / 3))


def batches(
    slope, *, depths=(2, 4), sizes=(50, 200, 500), trained=(50, 200, 1000), seeds=3, spread=1e-3, lost=(), **more
):
    """alpha^ of 1.25 that moves by `slope(of, quantity, trained at b)` per unit of ln b; trained at 500 and at others."""
    rows, runs = [], []
    for dataset, depth, seed, at in product(
        more.get("data", ("mnist", "cifar10")), depths, range(seeds), (500, *trained)
    ):
        run = {"model": "fcn", "dataset": dataset, "loss": "nll", "width": 64, "depth": depth, "seed": seed}
        name = f"{dataset}-{depth}-{seed}-{at}"
        runs.append(run | {"run": name, "batch_size": at, "status": "not trained" if depth in lost else "complete"})
        for b, quantity in product(
            sizes if at == 500 else (at,), ("1/alpha (published)", "1/alpha (corrected, K1 = 1000)")
        ):
            rise = slope(run, quantity, at != 500) if callable(slope) else slope
            rise += jitter(run | {"q": quantity, "at": at != 500}, 0, spread)
            value = 1 / (1.25 + rise * np.log(b / 500))
            rows.append({"run": name, "iteration": 9, "quantity": quantity, "x": float(b), "value": value})
    return results(rows, runs)


def test_c6():
    verdict = claims.c6(batches(0.01))
    assert verdict.verdict == "reproduced"
    assert verdict.numbers["largest change of alpha^ per unit of ln b, one network, published"] == pytest.approx(
        0.01, abs=3e-3
    )
    assert verdict.numbers["smallest change of alpha^ per unit of ln b, trained at b, K1 = 1000"] == pytest.approx(
        0.01, abs=3e-3
    )
    # A fall is no movement towards 2.
    assert claims.c6(batches(-0.1)).verdict == "reproduced"


@pytest.mark.parametrize(("slope", "spread"), [(0.022, 1e-3), (0.0, 0.1)])
def test_c6_not_reproduced(slope, spread):
    """A rise; a spread over seeds that would hide one."""
    assert claims.c6(batches(slope, spread=spread)).verdict == "not reproduced"


@pytest.mark.parametrize(
    ("rises", "where"),
    [
        (lambda run, quantity, trained: "K1" in quantity, "published"),
        (lambda run, quantity, trained: run["dataset"] == "mnist" and run["depth"] == 2, "CIFAR-10"),
        (lambda run, quantity, trained: trained, "one network"),
        (lambda run, quantity, trained: not trained, "trained at b"),
    ],
)
def test_c6_partly(rises, where):
    verdict = claims.c6(batches(lambda *case: 0.04 * rises(*case)))
    assert (verdict.verdict, f"only for {where}: " in verdict.evidence) == ("partly", True)


@pytest.mark.parametrize(
    ("noisy", "where"),
    [
        (lambda run, quantity, trained: trained, "one network"),
        (lambda run, quantity, trained: "K1" in quantity, "published"),
    ],
)
def test_c6_spread_elsewhere_does_not_count(noisy, where):
    verdict = claims.c6(batches(lambda *case: noisy(*case) * jitter(case[0] | {"rest": case[1:]}, 0, 0.1)))
    assert (verdict.verdict, f"only for {where}: " in verdict.evidence) == ("partly", True)


def test_c6_without_networks_trained_at_other_sizes():
    verdict = claims.c6(batches(0.0, trained=(200,)))
    assert (verdict.verdict, "(not: trained at b)" in verdict.evidence) == ("partly", True)


@pytest.mark.parametrize(
    "change",
    [
        {"depths": (2,)},
        {"sizes": (50, 500)},
        {"sizes": (500, 550, 600)},
        {"seeds": 1},
        {"lost": (4,)},
        {"data": ("digits",)},
    ],
)
def test_c6_not_tested(change):
    assert claims.c6(batches(0.0, **change)).verdict == claims.NOT_TESTED


def training(shape, *, seeds=3, snapshots=24, kinds=(("fcn", "mnist"), ("cnn", "cifar10")), status="complete"):
    """Runs along training: `shape(k, of)` gives 1/alpha^ (published, corrected) and the accuracy at snapshot k."""
    rows, runs = [], []
    iterations = [0, *np.unique(np.geomspace(1, 3000, snapshots - 1).round().astype(int) + np.arange(snapshots - 1))]
    for model, dataset in kinds:
        for seed in range(seeds):
            run = {"model": model, "dataset": dataset, "loss": "nll", "width": 16, "depth": 3, "seed": seed}
            name = f"{model}-{dataset}-{seed}"
            runs.append(run | {"run": name, "status": status})
            for k, iteration in enumerate(iterations):
                published, corrected, accuracy = shape(k, run)
                values = {"1/alpha (published, data order)": published, "1/alpha (corrected)": corrected}
                at = {"run": name, "iteration": int(iteration)}
                for quantity, value in values.items():
                    noise = jitter(run | {"k": k, "q": quantity}, 0, 1e-4)
                    rows.append(at | {"quantity": quantity, "value": value + noise, "se": 2e-3 if k else 1e-3})
                rows.append(at | {"quantity": "accuracy", "value": accuracy + jitter(run | {"k": k}, 0, 1e-3)})
    return results(rows, runs)


def two_phases(k, jump=0.2, fall=0.02, early=0.0, late=0.03, low=10):
    """1/alpha^ rises by `fall` a snapshot up to `low`, then drops by `jump`; the accuracy rises by `early`, then `late`."""
    inverse = 0.6 + fall * min(k, low) - (jump if k > low + 1 else 0.0)
    return inverse, 0.1 + early * min(k, low) + late * max(0, k - low)


def shape(**change):
    def at(k, run):
        inverse, accuracy = two_phases(k, **change)
        return inverse, inverse, accuracy

    return at


@pytest.mark.parametrize("seeds", [3, 5])
def test_c7(seeds):
    verdict = claims.c7(training(shape(), seeds=seeds))
    assert verdict.verdict == "reproduced"
    assert (
        (verdict.tests[["p_fall", "p_jump", "p_accuracy"]] <= 0.05).to_numpy().sum()
        == 3 * verdict.numbers["tests"]
        == 12
    )
    assert verdict.numbers["early fall (p <= .05)"] == verdict.numbers["jump near the minimum (p <= .05)"] == 4


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"fall": 0.0}, "p_fall"),
        ({"jump": 0.01}, "p_jump"),
        ({"late": 0.0}, "p_accuracy"),
        ({"early": 0.04}, "p_accuracy"),
        ({"early": -0.005, "late": 0.0}, "p_accuracy"),
        ({"low": 22}, "p_fall"),
    ],
)
def test_c7_not_reproduced(change, lost):
    """No fall, no jump; an accuracy that does not rise, rose faster before or only stops falling; a late minimum."""
    verdict = claims.c7(training(shape(**change)))
    assert verdict.verdict == "not reproduced"
    assert (verdict.tests[lost] > 0.05).all()


def test_c7_the_fall_has_both_errors_and_the_factor_of_bonferroni():
    row = claims.phases(training(shape(fall=7e-4))).iloc[0]
    z = (1 / row["alpha"] - 1 / row["first"]) / (2e-3**2 + 1e-3**2) ** 0.5
    assert row["p_fall"] == pytest.approx(23 * stats.norm.sf(z))


def test_c7_one_outlying_snapshot_is_no_minimum():
    def outlying(k, run):
        inverse, accuracy = two_phases(k)
        inverse += 0.15 * (k == 3)
        return inverse, inverse, accuracy

    assert claims.c7(training(outlying)).verdict == "reproduced"


def test_c7_the_minimum_is_that_of_a_running_median():
    def outlying(k, run):
        inverse, accuracy = two_phases(k)
        inverse += 0.9 * (k == 3)  # in a mean of three it would count
        return inverse, inverse, accuracy

    assert list(claims.phases(training(outlying))["at"]) == list(claims.phases(training(shape()))["at"])


def test_c7_slopes_of_the_accuracy_are_in_the_logarithm_of_the_iteration():
    """Per iteration it rises faster before the minimum, for snapshots are far apart after it."""
    verdict = claims.c7(training(shape(early=0.005, late=0.03)))
    assert verdict.numbers["accuracy rising faster after it (p <= .05)"] == 4


def test_c7_partly():
    def one_convention(k, run):
        inverse, accuracy = two_phases(k)
        return inverse, 0.6, accuracy

    verdict = claims.c7(training(one_convention))
    assert (verdict.verdict, "only for published" in verdict.evidence) == ("partly", True)

    def one_data_set(k, run):
        inverse, accuracy = two_phases(k, **({} if run["dataset"] == "mnist" else {"late": 0.0}))
        return inverse, inverse, accuracy

    verdict = claims.c7(training(one_data_set))
    assert (verdict.verdict, "only for MNIST" in verdict.evidence) == ("partly", True)


@pytest.mark.parametrize(
    "change", [{"kinds": (("fcn", "mnist"),)}, {"snapshots": 11}, {"status": "not trained"}, {"status": "diverged"}]
)
def test_c7_not_tested(change):
    assert claims.c7(training(shape(), **change)).verdict == claims.NOT_TESTED


@pytest.mark.parametrize(("low", "least", "most", "early"), [(41, 0.3, 0.5, True), (44, 0.5, 0.8, False)])
def test_c7_the_minimum_is_in_the_first_half_of_training(low, least, most, early):
    table = claims.phases(training(shape(low=low, jump=0.3), snapshots=48))
    share = table["at"] / 3046
    assert ((share > least) & (share < most)).all()
    assert ((table["p_fall"] < 0.05) == early).all()


def test_windows_of_the_jump_by_hand():
    steps = np.array([1.0, 2.0, 9.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    # Steps 1, 2, 3 have the largest; so have the windows that begin at 0, 1 and 2.
    assert phases._jump(steps, 2) == pytest.approx(0.3)
    assert phases._jump(steps, 7) == pytest.approx(1.0)
    # At the end two steps are left of the window: into the last snapshot there is one.
    assert phases._jump(steps[::-1].copy(), 10) == pytest.approx(1.0)


def scaling(small=-0.3, large=-0.45, *, only=None, n=60_000, sizes=(10, 100, 1000), spread=1e-3, trained=True):
    """Log-scales with two slopes, in all configurations or in those that `only` names; elsewhere the first throughout."""
    rows, runs = [], []
    for dataset in ("mnist", "cifar10"):
        for loss in ("nll", "hinge"):
            for seed in range(3):
                run = {"model": "fcn", "dataset": dataset, "loss": loss, "width": 16, "depth": 3, "seed": seed}
                name = f"{dataset}-{loss}-{seed}"
                runs.append(run | {"run": name, "n_train": n, "status": "complete" if trained else "not trained"})
                for when, iteration in (("before", 0), ("after", 9)):
                    here = only is None or only in (dataset, loss, when)
                    knots = np.array([0.0, small, small + (large if here else small)]) * np.log(10)
                    scales = np.interp(np.log10(sizes), [1, 2, 3], knots)
                    for b, value in zip(sizes, scales, strict=True):
                        at = {"run": name, "iteration": iteration, "quantity": "log-scale", "x": float(b)}
                        rows.append(at | {"value": value + jitter(run | {"b": b}, iteration, spread)})
    return results(rows, runs)


def test_o3():
    verdict = claims.o3(scaling())
    assert verdict.verdict == "reproduced"
    assert verdict.numbers["scaling exponent from 10 to 100 samples, after training"] == pytest.approx(0.3, abs=0.01)
    assert verdict.numbers["scaling exponent from 100 to 1000, before training"] == pytest.approx(0.45, abs=0.01)


@pytest.mark.parametrize("change", [{"large": -0.3}, {"large": -0.2}, {"large": -0.31, "spread": 0.1}])
def test_o3_not_reproduced(change):
    """One index; one that falls; a rise within the spread over seeds."""
    assert claims.o3(scaling(**change)).verdict == "not reproduced"


@pytest.mark.parametrize("only", ["mnist", "hinge", "after"])
def test_o3_partly(only):
    verdict = claims.o3(scaling(only=only))
    assert (verdict.verdict, f"only for {WORDS.get(only, only)}" in verdict.evidence) == ("partly", True)


@pytest.mark.parametrize("change", [{"n": 9000}, {"sizes": (10, 100)}, {"trained": False}])
def test_o3_not_tested(change):
    assert claims.o3(scaling(**change)).verdict == claims.NOT_TESTED


def test_flat_in_b():
    sentence = claims.flat_in_b(scaling(spread=1e-4))
    assert "from 10 to 100 samples 0.300," in sentence
    assert "from 100 to 1000 0.450 " in sentence
    assert claims.flat_in_b(scaling(trained=False)) == "Not measured: no scale of the noise after training."


def test_spread_of_norms_beside_gaussian_ones():
    sentence = claims.scale_of_norms(histogram(lognormal(0.3), count=4000))
    assert re.search(r"same covariance (1\.9|2\.0)", sentence)
    assert claims.scale_of_norms(histogram(lognormal(0.3), status="diverged")) == "Not measured: no run trained."
