"""The grids that vary the size of the network, and what is measured on the test images."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from made_up import tiny

from tailnoise_utils import tail_index
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner, sizes
from tailnoise_utils.study.experiments.iterations import DiagnosisSpec
from tailnoise_utils.study.experiments.sizes import SplitsSpec
from tailnoise_utils.study.networks import data
from tailnoise_utils.study.networks.models import LOSSES

TRAIN = tiny(n_test=110, loss="hinge", batch_size=10, snapshots=(0, 6))
SPLITS = SplitsSpec(TRAIN, 20, (0, 6))


@pytest.fixture
def results_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))


def ordered(specs, *names):
    return [tuple(getattr(spec.train, name) for name in names) for spec in specs]


def test_the_noise_of_the_test_images_is_that_of_their_gradients():
    model, shares = TRAIN.build(), []
    rows = SPLITS.measure(model, shares.append)
    assert sum(shares) == pytest.approx(1)
    images = data.load("digits", n_train=200, n_test=110)
    order = torch.randperm(110, generator=torch.Generator().manual_seed(2 * 10**6 + 1))
    gradients = []
    for chosen in order[:100].view(5, 20):  # ten images do not fill a minibatch
        loss = LOSSES["hinge"](model(images.x_test[chosen]), images.y_test[chosen])
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
    g = torch.stack(gradients).double()
    U = torch.where((g != g[0]).any(0), g - g.mean(0), 0.0).float()
    measured = {(r["quantity"], r.get("x")): r for r in rows if r["split"] == "test"}
    corrected, published = tail_index.mohammadi(U), tail_index.mohammadi(U, convention="published")
    fixed = tail_index.mohammadi(U, K1=1000)
    assert measured["1/alpha (corrected)", None]["value"] == pytest.approx(corrected.inverse, rel=1e-5)
    assert measured["1/alpha (corrected)", None]["se"] == pytest.approx(corrected.inverse_se, rel=1e-4)
    assert measured["1/alpha (published)", None]["value"] == pytest.approx(published.inverse, rel=1e-5)
    assert measured["K1 (published)", None]["value"] == published.info["K1"]
    assert measured["dead share", None]["value"] == corrected.info["dead_share"]
    assert measured["1/alpha (joint)", 1000]["value"] == pytest.approx(fixed.inverse, rel=1e-5)


def test_what_is_measured_of_the_training_images_does_not_change():
    model = TRAIN.build()
    rows = SPLITS.measure(model, lambda share: None)
    plain = DiagnosisSpec(TRAIN, 20, (0, 6)).measure(model, lambda share: None)
    assert rows[: len(plain)] == plain
    assert {row["split"] for row in rows[len(plain) :]} == {"test"}
    keys = Counter((r["split"], r.get("scope"), r["quantity"], r.get("x")) for r in rows)
    assert max(keys.values()) == 1


@pytest.mark.slow
def test_test_images_without_noise_are_said_to_have_none(monkeypatch):
    U = torch.ones(5, 9)
    monkeypatch.setattr(sizes, "noise_matrix", lambda *given: U)
    rows = SPLITS.measure(TRAIN.build(), lambda share: None)
    assert rows[-1] == {"quantity": "nothing alive", "value": 1.0, "split": "test"}
    U[1, 3] = 2.0  # of too few entries for blocks of 1000
    last = SPLITS.measure(TRAIN.build(), lambda share: None)[-1]
    assert (last["quantity"], last["value"]) == ("dead share", pytest.approx(8 / 9))


def test_a_partial_sweep_has_one_seed_of_everything_first():
    specs = experiments.grid("fcn_size", "laptop")
    first = specs[: 64 + 2]
    assert {spec.train.seed for spec in first} == {0}
    configurations = set(ordered(first, "dataset", "width", "depth", "loss"))
    assert len(configurations) == 66
    assert ("cifar10", 1024, 4, "nll") in configurations
    assert {replace(spec.train, seed=0) for spec in specs[66:]} < {spec.train for spec in first}
    assert [spec.train.seed for spec in specs[66:]] == [1] * 64 + [2] * 64
    assert [spec.train.seed for spec in experiments.grid("cnn_size", "laptop")] == [0] * 16 + [1] * 16 + [2] * 16


def test_cnns_that_another_experiment_trains_are_trained_once():
    others = {spec.train for spec in experiments.grid("iterations", "laptop") if spec.train.model == "cnn"}
    assert len(others) == 3
    assert others < {spec.train for spec in experiments.grid("cnn_size", "laptop")}


def test_cnns_are_trained_for_longer_with_cross_entropy():
    specs = experiments.grid("cnn_size", "laptop")
    lengths = {(s.train.loss, s.train.iterations, s.points) for s in specs}
    assert lengths == {("nll", 10_000, (0, 100, 1000, 10_000)), ("hinge", 3000, (0, 100, 1000, 3000))}
    assert {s.train.width for s in specs} == {4, 8, 16, 32}


def test_the_paper_has_as_many_runs_as_it_says():
    fcn, cnn = experiments.grid("fcn_size", "constant"), experiments.grid("cnn_size", "constant")
    assert len(fcn) == 972 == 9 * 9 * 2 * 2 * 3
    assert {spec.train.width for spec in fcn} == {4, 8, 16, 32, 64, 128, 256, 512, 1024}
    assert {spec.train.depth for spec in fcn} == set(range(2, 11))
    assert len(cnn) == 108
    assert {spec.train.width for spec in cnn} == {2, 4, 8, 16, 32, 64, 128, 256, 512}
    assert set(ordered(cnn, "dataset", "n_train")) == {("cifar10", 50_000), ("cifar100", 50_000)}
    for spec in (*fcn, *cnn):
        assert (spec.train.iterations, spec.train.batch_size, spec.noise_batch_size) == (65_000, 500, 500)
        assert spec.points[-1] == 65_000


@pytest.mark.slow
@pytest.mark.xdist_group("book")  # on the worker of the book's tests, which make these results
@pytest.mark.parametrize("experiment", ["fcn_size", "cnn_size"])
def test_smoke_is_measured_to_its_end(experiment, in_smoke):
    results = runner.run(experiment, "smoke")
    assert len(results.runs) == len(experiments.grid(experiment, "smoke"))
    table = results.table()
    assert not results.rows.duplicated(["run", "iteration", "split", "scope", "quantity", "x"]).any()
    last = table[(table["iteration"] == table["iterations"]) & (table["quantity"] == "1/alpha (corrected)")]
    splits = {"train"} if experiment == "fcn_size" else {"train", "test"}
    assert set(last["split"]) == splits
    assert len(last[last["scope"] == "all"]) == len(splits) * len(results.runs)
    assert runner.verify(experiment, "smoke")["difference"].max() == 0
