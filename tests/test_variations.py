"""alpha^ against the minibatch size, and under the departures of the public code: against independent computations."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import tiny, whole_columns
from torch.nn.functional import cross_entropy

from tailnoise_utils import tail_index
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import batch_size, runner
from tailnoise_utils.study.experiments.batch_size import BatchSizeSpec, draw
from tailnoise_utils.study.experiments.departures import DeparturesSpec
from tailnoise_utils.study.networks import data
from tailnoise_utils.study.networks.models import cnn
from tailnoise_utils.study.results import store
from tailnoise_utils.tail_index.blocks import largest_divisor

TRAIN = tiny(snapshots=(0, 6))
SIZES = BatchSizeSpec(TRAIN, points=(0, 6), batch_sizes=(4, 20, 100), minibatches=12)
TEXT = DeparturesSpec(TRAIN, 20, "random", "eval", points=(6,))


@pytest.fixture
def results_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))


def gradient_of(model, chosen, spec=TRAIN):
    images = data.load(spec.dataset, n_train=spec.n_train, n_test=spec.n_test)
    loss = cross_entropy(model(images.x_train[chosen]), images.y_train[chosen])
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]).double()


def numbers(rows, x=None):
    return {r["quantity"]: r["value"] for r in rows if r["split"] == "train" and r.get("x") == x}


@pytest.mark.slow
@whole_columns
def test_every_size_is_measured_on_equally_many_minibatches():
    model, shares = TRAIN.build(), []
    rows = SIZES.measure(model, shares.append)
    assert sum(shares) == pytest.approx(1)
    full = gradient_of(model, torch.arange(200))
    K1 = set()
    for b in SIZES.batch_sizes:
        measured = numbers(rows, b)
        g = torch.stack([gradient_of(model, chosen) for chosen in draw(200, b, 12, 1)])
        U = (g - full).float()
        live = (g != g[0]).any(0)
        corrected = tail_index.mohammadi(U[:, live])
        assert measured["1/alpha (corrected)"] == pytest.approx(corrected.inverse, rel=1e-4)
        assert measured["dead share"] == pytest.approx(1 - live.double().mean().item())
        published = tail_index.mohammadi(torch.where(full == 0, 0.0, U), convention="published")
        assert measured["1/alpha (published)"] == pytest.approx(published.inverse, rel=1e-3)
        fixed = tail_index.mohammadi(U[:, live], K1=1000)
        assert measured["1/alpha (corrected, K1 = 1000)"] == pytest.approx(fixed.inverse, rel=1e-4)
        K1.add(measured["K1 (published)"])
    assert len(K1) == 1
    assert "accuracy" in numbers(rows)


def test_the_noise_of_few_minibatches_is_about_the_full_gradient(monkeypatch):
    """Not about their own mean, which would take away the part of the noise that they share."""

    seen = []
    monkeypatch.setattr(batch_size, "indices", lambda U: seen.append(U.clone()) or [])
    model = TRAIN.build()
    replace(SIZES, batch_sizes=(20,), minibatches=2).measure(model, lambda share: None)
    full = gradient_of(model, torch.arange(200))
    expected = torch.stack([gradient_of(model, chosen) - full for chosen in draw(200, 20, 2, 1)])
    torch.testing.assert_close(seen[0].double(), expected, rtol=1e-4, atol=1e-7)
    assert seen[0].mean(0).abs().max() > 1e-3


@pytest.mark.parametrize("change", [{"minibatches": 1}, {"batch_sizes": (0, 5)}, {"batch_sizes": (5, 101)}])
def test_sizes_out_of_range_are_refused(change):
    with pytest.raises(ValueError, match="take 2 or more, of sizes from 1 to half of the 200 images"):
        replace(SIZES, **change).measure(TRAIN.build(), lambda share: None)


def test_the_grid_trains_at_every_size_that_it_measures_there():
    specs = experiments.grid("batch_size", "laptop")
    assert {spec.minibatches for spec in specs} == {100}
    assert {spec.train.depth for spec in specs} == {2, 4}
    trained = {spec.train.batch_size for spec in specs if spec.batch_sizes == (spec.train.batch_size,)}
    assert trained == {50, 100, 200, 1000}
    swept = [spec for spec in specs if len(spec.batch_sizes) > 1]
    assert {spec.train.batch_size for spec in swept} == {500}
    assert all(trained <= set(spec.batch_sizes) for spec in swept)
    assert len(swept) == 2 * 2 * 3


def test_the_ways_of_text_and_code_are_those_of_their_formulas():
    """On noise with a dead unit, by NumPy, in the words of the paper.

    With 9 units no block is exactly the last layer, whose gradients add up to zero: rounding would decide its logarithm.
    """
    text = replace(TEXT, train=replace(TRAIN, width=9))
    model = text.train.build()
    with torch.no_grad():
        model.linear1.weight[0] = 0.0
        model.linear2.weight[:, 0] = 0.0
    measured = numbers(text.measure(model, lambda share: None))
    order = torch.randperm(200, generator=torch.Generator().manual_seed(2 * 10**6 + 1))
    g = torch.stack([gradient_of(model, chosen) for chosen in order.view(10, 20)]).numpy()
    dead = (g == g[0]).all(0)
    U = np.where(dead, 0.0, g - g.mean(0))
    assert measured["dead share"] == pytest.approx(dead.mean())
    assert dead.mean() > 0.1

    def inverse(X, K1, epsilon):
        def log(values):
            values = np.abs(values) + epsilon
            return np.log(values[values > 0]).mean()

        return (log(X.reshape(-1, K1).sum(1)) - log(X)) / math.log(K1)

    def nearest(K):
        return min((d for d in range(2, K) if K % d == 0), key=lambda d: abs(d - math.sqrt(K)))

    K1, K1_all = nearest(U[:, ~dead].size), nearest(U.size)
    assert (measured["K1 (text)"], measured["K1 (text, dead kept)"]) == (K1, K1_all)
    assert measured["K1 (published)"] == K1_all
    assert measured["1/alpha (text)"] == pytest.approx(inverse(U[:, ~dead].ravel(), K1, 0), rel=1e-5)
    assert measured["1/alpha (text, epsilon)"] == pytest.approx(inverse(U[:, ~dead].ravel(), K1, 2.2204e-16), rel=1e-4)
    assert measured["1/alpha (text, dead kept)"] == pytest.approx(inverse(U.ravel(), K1_all, 0), rel=1e-3)
    assert measured["1/alpha (published)"] == pytest.approx(inverse(U.ravel(), K1_all, 2.2204e-16), rel=1e-4)
    assert measured["1/alpha (published)"] > measured["1/alpha (text, dead kept)"] + 0.3  # zeros count as -36
    assert measured["1/alpha (text)"] != measured["1/alpha (text, dead kept)"]


def test_the_rules_of_text_and_code_for_the_block_length_agree():
    for K in range(4, 3000):
        divisors = [d for d in range(1, K + 1) if K % d == 0]
        assert largest_divisor(K) == min(divisors, key=lambda d: (abs(d - math.sqrt(K)), d))


@pytest.mark.slow
@whole_columns
def test_order_size_and_dropout_reach_the_measurement():
    model = TRAIN.build()
    ordered = numbers(replace(TEXT, noise_order="data").measure(model, lambda share: None))
    g = torch.stack([gradient_of(model, chosen) for chosen in torch.arange(200).view(10, 20)])
    U = torch.where((g != g[0]).any(0), g - g.mean(0), 0.0).float()
    assert ordered["1/alpha (corrected)"] == pytest.approx(tail_index.mohammadi(U).inverse, rel=1e-5)
    smaller = numbers(replace(TEXT, noise_batch_size=10).measure(model, lambda share: None))
    assert smaller["K1 (text, dead kept)"] == largest_divisor(20 * len(U[0]))
    trained = replace(TRAIN, dataset="digits32", model="cnn", width=2, depth=0)
    network = cnn(2, 10, seed=1)
    off, on = (
        numbers(replace(TEXT, train=trained, noise_mode=mode).measure(network, lambda share: None))
        for mode in ("eval", "train")
    )
    assert off["loss"] == on["loss"]
    assert off["1/alpha (text)"] != on["1/alpha (text)"]


def test_a_network_without_noise_says_so():
    model = TRAIN.build()
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    for spec in (SIZES, TEXT):
        with pytest.raises(NothingAlive, match="minibatches have the same gradient"):
            spec.measure(model, lambda share: None)


def test_departures_are_made_one_at_a_time_and_all_together():
    specs = [s for s in experiments.grid("departures", "laptop") if s.train.seed == 0 and s.train.model == "cnn"]
    text, others = specs[0], specs[1:]
    plain = store.flat(vars(text) | {"train": vars(text.train)})
    changes = []
    for spec in others:
        settings = store.flat(vars(spec) | {"train": vars(spec.train)})
        changes.append({name: value for name, value in settings.items() if value != plain[name]})
    assert changes == [
        {"schedule": "halved"},
        {"noise_order": "data"},
        {"order": "data", "noise_order": "data"},
        {"batch_size": 100, "noise_batch_size": 100},
        {
            "schedule": "halved",
            "order": "data",
            "noise_order": "data",
            "batch_size": 100,
            "noise_batch_size": 100,
        },
        {"noise_mode": "train"},
    ]
    assert (text.train.schedule, text.train.order, text.noise_order, text.noise_mode) == (
        "constant",
        "random",
        "random",
        "eval",
    )


@pytest.mark.slow
@pytest.mark.xdist_group("book")  # on the worker of the book's tests, which make these results
@pytest.mark.parametrize("experiment", ["batch_size", "departures"])
def test_smoke_is_measured_to_its_end(experiment, in_smoke):
    results = runner.run(experiment, "smoke")
    assert len(results.runs) == len(experiments.grid(experiment, "smoke"))
    assert not results.rows.duplicated(["run", "iteration", "split", "scope", "quantity", "x"]).any()
    table = results.table()
    ends = table[table["iteration"] == table["iterations"]]
    assert set(ends["run"]) == set(results.runs["run"])
    assert runner.verify(experiment, "smoke")["difference"].max() == 0
