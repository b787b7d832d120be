"""The log-scale of the noise against the batch size: of noise whose answer is known, and of a network."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import tiny
from problems import LN_Z, P, sas
from torch.nn.functional import cross_entropy

from tailnoise_utils import diagnosis
from tailnoise_utils.study.experiments import batch_size
from tailnoise_utils.study.experiments.batch_size import ScalingSpec, draw
from tailnoise_utils.study.networks import data

pytestmark = pytest.mark.slow


def about_the_mean(X, b, count, rng):
    """Means of minibatches of b samples of random partitions, less the mean of all samples."""
    n = len(X)
    means = [X[rng.permutation(n)].reshape(n // b, b, -1).mean(1) for _ in range(-(-count // (n // b)))]
    return torch.from_numpy(np.concatenate(means)[:count] - X.mean(0)).float()


@pytest.mark.parametrize(("b", "count"), [(2, 10), (10, 24), (60, 12), (120, 10)])
def test_log_scale_is_corrected_for_sampling_without_replacement(b, count):
    n, rng = 240, np.random.default_rng(31)
    X = 3 * rng.standard_normal((n, 20_000))
    U = about_the_mean(X, b, count, rng)
    U[:, :50] = 0
    U[0, 60:70] = 0
    groups = {"dead": [slice(0, 50)], "some": [slice(40, 100), slice(200, 10_000)]}
    scales = diagnosis.log_scale(iter(U), b, n, groups=groups)
    assert set(scales) == {"all", "some"}
    expected = math.log(3 / math.sqrt(b)) + LN_Z
    for value, _ in scales.values():
        assert value == pytest.approx(expected, abs=0.02)
    chosen = torch.zeros(20_000, dtype=torch.bool)
    chosen[100:110] = True
    logs = U[:, 100:110].abs().log().mean(1)
    [(value, se)] = diagnosis.log_scale(U, b, n, live=chosen).values()
    assert value == pytest.approx(float(logs.mean()) - math.log(1 - b / n) / 2, abs=1e-5)
    assert se == pytest.approx(float(logs.std()) / math.sqrt(count), rel=1e-4)


def test_what_float32_cannot_hold_counts_as_zero():
    rows = torch.tensor([[1e-50, 2.0], [1e-50, 2.0], [3.0, 2.0]], dtype=torch.float64)
    value = diagnosis.log_scale(rows, 1, 10)["all"].value
    assert value == pytest.approx((5 * math.log(2) + math.log(3)) / 6 - math.log(0.9) / 2, abs=1e-6)


def test_log_scale_does_not_depend_on_the_number_of_minibatches():
    X = np.random.default_rng(36).standard_normal((120, 20_000))
    scales = [
        diagnosis.log_scale(about_the_mean(X, 30, count, np.random.default_rng(37)), 30, 120) for count in (2, 4, 40)
    ]
    assert [one["all"].value for one in scales] == pytest.approx([math.log(30**-0.5) + LN_Z] * 3, abs=0.02)


@pytest.mark.parametrize("alpha", [1.3, 1.7, 2.0])
def test_scaling_exponent_of_a_stable_law(alpha):
    """Nearly 1 - 1/alpha; exactly what the closed form has, down to half of the data."""
    n, sizes, rng = 3600, [1, 3, 10, 30, 300, 1800], np.random.default_rng(32)
    exponents = []
    for seed in range(2):
        X = sas(alpha, (n, 2000), 33, seed)
        scales = [diagnosis.log_scale(about_the_mean(X, b, P, rng), b, n)["all"].value for b in sizes]
        exponents.append(diagnosis.scaling_exponent(sizes, scales))
    expected = diagnosis.scaling_exponent(sizes, diagnosis.stable_log_scale(sizes, n, alpha))
    assert np.mean(exponents, axis=0) == pytest.approx(expected, abs=0.03 / alpha**2)
    assert expected[:3] == pytest.approx([1 - 1 / alpha] * 3, abs=0.04)
    assert alpha < 2 or expected == pytest.approx([0.5] * 5, abs=1e-9)


def test_scaling_exponent_by_hand():
    """Never clipped: it may be negative, or that of no law."""
    exponents = diagnosis.scaling_exponent([1, 10, 100, 1000], np.log([1, 10**-0.5, 10**-1.7, 1]))
    assert exponents == pytest.approx([0.5, 1.2, -1.7])


TRAIN = tiny()
SCALING = ScalingSpec(TRAIN, points=(0, 6), batch_sizes=(1, 7, 50, 100), minibatches=(5, 5, 5, 5))


@pytest.mark.parametrize(
    "chunk", [1000, 30]
)  # images at a time: 50 are 30 and 20, the 200 of the full gradient end in 20
def test_the_log_scale_is_that_of_an_oracle(chunk, monkeypatch):
    monkeypatch.setattr(batch_size, "_CHUNK", chunk)
    model, pictures = TRAIN.build(), data.load("digits", n_train=200, n_test=50)
    with torch.no_grad():
        model.linear1.weight[3] = 0  # a dead unit: a row here, a column of the next layer
    told = []
    rows = SCALING.measure(model, told.append)
    assert sum(told) == pytest.approx(1)
    measured = {(r.get("scope"), r.get("x")): r for r in rows if r["quantity"] == "log-scale"}
    assert set(measured) == {(s, b) for s in ("all", "linear1", "linear2", "linear3") for b in SCALING.batch_sizes}
    weights = dict(model.named_parameters())

    def gradient(chosen):
        loss = cross_entropy(model(pictures.x_train[chosen]), pictures.y_train[chosen])
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights.values())]).double()

    full = gradient(torch.arange(200))
    for b in (7, 50, 100):
        logs = torch.stack([(gradient(chosen) - full).abs().log() for chosen in draw(200, b, 5, 1)])[:, full != 0]
        row = measured["all", b]
        assert row["value"] == pytest.approx(logs.mean().item() - math.log(1 - b / 200) / 2, abs=1e-3)
        assert row["se"] == pytest.approx(logs.mean(1).std().item() / 5**0.5, rel=1e-2)
    # Live is what any image has a gradient in.
    live = torch.stack([gradient(torch.tensor([i])) != 0 for i in range(200)]).any(0)
    masks = dict(zip(weights, live.split([w.numel() for w in weights.values()]), strict=True))
    expected = {"all": live, **{name: masks[f"{name}.weight"] for name in ("linear1", "linear2", "linear3")}}
    shares = {r.get("scope", "all"): r["value"] for r in rows if r["quantity"] == "live share"}
    assert shares == pytest.approx({name: mask.double().mean().item() for name, mask in expected.items()})
    assert shares["linear1"] == 7 / 8


def test_every_run_size_and_partition_draws_minibatches_of_its_own():
    one, _, _, next_partition = draw(200, 50, 4, 1)
    others = [next(draw(200, b, 1, seed))[:50] for seed, b in ((2, 50), (1, 60), (1, 100))]
    assert len({tuple(chosen.tolist()) for chosen in (one, next_partition, *others)}) == 5
    assert all(torch.equal(a, b) for a, b in zip(draw(200, 50, 4, 1), draw(200, 50, 4, 1), strict=True))


def test_minibatches_of_a_size_are_disjoint_and_none_is_determined_by_the_others():
    drawn = [chosen.tolist() for chosen in draw(200, 50, 5, 1)]
    assert [len(set(chosen)) for chosen in drawn] == [50] * 5
    assert len({i for chosen in drawn[:3] for i in chosen}) == 150  # three of the four of a partition
    assert len({i for chosen in drawn[3:] for i in chosen}) == 100
    assert len({i for chosen in drawn for i in chosen}) > 150
    halves = [set(chosen.tolist()) for chosen in draw(200, 100, 4, 1)]
    assert all(len(one & other) not in (0, 100) for one in halves for other in halves if one is not other)


def test_the_scale_of_plain_averages_falls_with_the_root_of_the_size():
    """Of 750 of 1500 samples as of 375: the correction for drawing without replacement takes out that they are alike."""
    trained = replace(TRAIN, n_train=1500)
    spec = replace(SCALING, train=trained, batch_sizes=(375, 750), minibatches=(100, 100))
    rows = spec.measure(trained.build(), lambda share: None)
    scales = {r["x"]: r["value"] for r in rows if (r["quantity"], r.get("scope")) == ("log-scale", "all")}
    # -0.79 without the correction; the standard error is about 0.06
    assert (scales[750] - scales[375]) / math.log(2) == pytest.approx(-0.5, abs=0.15)


@pytest.mark.parametrize(("sizes", "minibatches"), [((0, 5), (5, 5)), ((5, 101), (5, 5)), ((5,), (1,)), ((5, 7), (5,))])
def test_sizes_that_do_not_fit_are_refused(sizes, minibatches):
    with pytest.raises(ValueError, match="take 2 or more, of sizes from 1 to half of the 200 images"):
        replace(SCALING, batch_sizes=sizes, minibatches=minibatches).measure(TRAIN.build(), lambda share: None)
