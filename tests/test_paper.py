"""Networks at the paper's settings: what is measured where, how a run stops, resumes and is verified."""

from dataclasses import replace

import pytest
import torch
from made_up import tiny

from tailnoise_utils import tail_index
from tailnoise_utils.noise.gradient import minibatch_gradient
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import paper, runner, spec
from tailnoise_utils.study.experiments.batch_size import BatchSizeSpec, draw
from tailnoise_utils.study.experiments.paper import PaperBatchSpec, PaperSpec
from tailnoise_utils.study.networks import data
from tailnoise_utils.study.networks.models import LOSSES
from tailnoise_utils.study.networks.snapshots import PaperTrainSpec, Snapshots
from tailnoise_utils.study.networks.train import evaluate

TRAIN = tiny(
    PaperTrainSpec,
    n_train=100,
    width=16,
    schedule="halved",
    iterations=3000,
    snapshots=(0, 50, 150, 3000),
    horizon=3000,
    look=20,
)
PAPER = PaperSpec(TRAIN, noise_batch_size=10, norms=False, streamed=())
SHORT = replace(PAPER, train=replace(TRAIN, iterations=30, snapshots=(0, 10, 20, 30)))
JOINT = [f"1/alpha ({convention}{fixed})" for convention in ("published", "corrected") for fixed in ("", ", K1 = 1000")]


@pytest.fixture
def results_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Rows of a run that stops because the network fits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILNOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return PAPER.rows(lambda share: None)


def values(rows, iteration, split="train"):
    return {
        row["quantity"]: row["value"]
        for row in rows
        if (row["iteration"], row.get("split"), row.get("scope", "all")) == (iteration, split, "all") and "x" not in row
    }


@pytest.mark.slow
def test_a_run_stops_when_the_network_fits_and_its_last_point_is_measured(stopped):
    assert stopped[-1]["quantity"] == "stopped"
    stop = int(stopped[-1]["value"])
    assert stop % 20 == 0
    assert 150 < stop < 3000
    assert sorted({row["iteration"] for row in stopped}) == [0, 50, 150, stop]
    assert values(stopped, stop)["accuracy"] == 1
    assert values(stopped, 150)["accuracy"] < 1
    assert PAPER.status(stopped) == "complete"


@pytest.mark.slow
def test_details_are_taken_at_the_start_the_dip_and_the_end_only(stopped):
    published = {
        row["iteration"]: row["value"]
        for row in stopped
        if (row["quantity"], row.get("split")) == ("1/alpha (published)", "train")
    }
    dip = max(published, key=published.get)
    with_details = {row["iteration"] for row in stopped if row["quantity"] == "signs: 1/alpha (published)"}
    assert with_details == {0, dip, max(published)}
    assert {row["iteration"] for row in stopped if row["quantity"] == "coordinates by events"} == with_details


@pytest.mark.slow
def test_the_dip_is_looked_for_early_where_there_are_points_enough(results_in, monkeypatch):
    def dip_of(rows):
        detailed = {row["iteration"] for row in rows if row["quantity"] == "signs: 1/alpha (published)"}
        return detailed - {0, 30}

    index = {0: 1.0, 10: 1.2, 20: 1.5, 30: 1.1}
    monkeypatch.setattr(
        PaperSpec,
        "measure",
        lambda self, model, progress, point=0: [
            {"quantity": "1/alpha (published)", "split": "train", "value": index[point]}
        ],
    )
    details = [{"quantity": "signs: 1/alpha (published)", "value": 1.0, "split": "train"}]
    monkeypatch.setattr(PaperSpec, "details", lambda self, model: details)
    for early, expected in ((15, {20}), (20, {20}), (10**6, {20})):
        monkeypatch.setattr(paper, "EARLY", early)
        assert dip_of(replace(SHORT, noise_batch_size=early + 100).rows(lambda share: None)) == expected
    index |= {20: 0.9, 10: 1.05, 30: 1.5}  # lowest alpha^ at the end, the early dip at 10
    monkeypatch.setattr(paper, "EARLY", 20)
    assert dip_of(replace(SHORT, noise_batch_size=1).rows(lambda share: None)) == {10}


def test_twins_signs_and_partitions_have_the_rows_of_the_noise_itself(stopped):
    at_start = values(stopped, 0)
    assert set(JOINT) <= set(at_start)
    for prefix in ("twin ", "random partition: ", "random partition: twin ", "drawn twin: ", "signs: "):
        assert {prefix + name for name in JOINT} <= set(at_start), prefix
    for split in ("train", "test"):
        both = values(stopped, 0, split)
        assert {*JOINT, "K1 (published)", "dead share", "tail excess", "norm", "sd of ln norm", "loss"} <= set(both)
        assert both["twin 1/alpha (corrected)"] == pytest.approx(both["1/alpha (corrected)"], abs=0.2)
    assert at_start["drawn twin: 1/alpha (corrected)"] == pytest.approx(at_start["twin 1/alpha (corrected)"], abs=0.05)
    assert at_start["signs: 1/alpha (corrected)"] < at_start["1/alpha (corrected)"]  # signs take correlation away
    layers = {row["scope"] for row in stopped if row["quantity"] == "tail excess" and "scope" in row}
    assert layers == {"all", "linear1", "linear2", "linear3"}


def test_the_published_estimate_is_that_of_minibatches_in_data_order(stopped):
    model, images = TRAIN.build(), data.load("digits", n_train=100, n_test=50)
    at_start = {split: values(stopped, 0, split) for split in ("train", "test")}
    for split in at_start:
        x, y = getattr(images, f"x_{split}"), getattr(images, f"y_{split}")
        U = noise_matrix(model, LOSSES["nll"], Minibatches(x, y, 10, order="data"))
        published = tail_index.mohammadi(U, convention="published")
        assert at_start[split]["1/alpha (published)"] == published.inverse
        assert at_start[split]["K1 (published)"] == published.info["K1"]
        assert at_start[split]["norm"] == pytest.approx(U.double().norm(dim=1).mean().item(), rel=1e-5)
        pair = evaluate(model, LOSSES["nll"], x, y)
        assert (at_start[split]["loss"], at_start[split]["accuracy"]) == pair
    U = noise_matrix(model, LOSSES["nll"], Minibatches(images.x_train, images.y_train, 10, seed=2 * 10**6 + 1))
    again = tail_index.mohammadi(U, convention="published").inverse
    assert at_start["train"]["random partition: 1/alpha (published)"] == again


@pytest.mark.slow
def test_a_killed_run_equals_an_unbroken_one(results_in, monkeypatch):
    unbroken = SHORT.rows(lambda share: None)
    monkeypatch.setenv("TAILNOISE_CACHE", str(results_in / "other"))
    points, original = [], PaperSpec.measure

    def measure(self, model, progress, point=0):
        points.append(point)
        if len(points) == 2:
            raise KeyboardInterrupt
        return original(self, model, progress, point)

    monkeypatch.setattr(PaperSpec, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        SHORT.rows(lambda share: None)
    assert not (Snapshots(SHORT.train, SHORT.data_sha256()).folder / "end.json").exists()
    assert repr(SHORT.rows(lambda share: None)) == repr(unbroken)
    assert points == [0, 10, 10, 20, 30]
    assert unbroken[-1] == {"quantity": "stopped", "value": 30.0, "iteration": 30}


def test_all_norms_are_kept_only_where_they_are_asked_for():
    model, shares = TRAIN.build(), []
    plain = PAPER.measure(model, shares.append)
    assert not [row for row in plain if row["quantity"].startswith("norm (each")]
    kept = replace(PAPER, norms=True).measure(model, shares.append)
    norms, twins = ([row for row in kept if row["quantity"] == name] for name in ("norm (each)", "norm (each, twin)"))
    assert [row["x"] for row in norms] == [row["x"] for row in twins] == list(range(10))
    assert {row["split"] for row in norms + twins} == {"train"}
    assert sum(row["value"] for row in norms) / 10 == pytest.approx(values_at(plain)["norm"])
    others = replace(PAPER, train=replace(TRAIN, seed=2), norms=True).measure(model, shares.append)  # other twins only
    assert [row for row in others if row["quantity"] == "norm (each)"] == norms
    assert not [row for row in others if row["quantity"] == "norm (each, twin)" and row in twins]


def values_at(rows):
    return values([row | {"iteration": 0} for row in rows], 0)


def test_the_trainings_own_minibatches_are_taken_at_streamed_points_only():
    model, spec = TRAIN.build(), replace(PAPER, streamed=(50,))
    assert "1/alpha (published, own b)" not in values_at(spec.measure(model, lambda share: None, 0))
    rows = values_at(spec.measure(model, lambda share: None, 50))
    images = data.load("digits", n_train=100, n_test=50)
    U = noise_matrix(model, LOSSES["nll"], Minibatches(images.x_train, images.y_train, 20, order="data"))
    published = tail_index.mohammadi(U, convention="published").inverse
    assert rows["1/alpha (published, own b)"] == pytest.approx(published, rel=1e-4)
    assert rows["1/alpha (corrected, own b)"] == pytest.approx(tail_index.mohammadi(U).inverse, rel=1e-4)


def test_a_diverged_run_says_so(results_in):
    wild = replace(SHORT, train=replace(SHORT.train, lr=1e30))
    rows = wild.rows(lambda share: None)
    assert rows[-1] == {"quantity": "diverged", "value": 0.0}
    assert wild.status(rows) == "diverged"


@pytest.mark.slow
@pytest.mark.parametrize("small", [10**6, 1000])
def test_verify_measures_the_kept_snapshot_or_iteration_0_again(small, results_in, monkeypatch):
    """Weights that are too large to be kept are built anew from the seed, for every kind of network run."""
    plain = experiments.iterations.NoiseSpec(
        replace(TRAIN, iterations=10, snapshots=(0, 10)), 10, ("random", "data"), "eval"
    )
    monkeypatch.setattr(spec, "_SMALL", small)
    for one, last in ((SHORT, 30), (plain, 10)):
        monkeypatch.setitem(experiments.EXPERIMENTS, "decomposition", lambda profile, one=one: (one,))
        runner.run("decomposition", "smoke")
        again = runner.verify("decomposition", "smoke")
        assert set(again["iteration"]) == {last if small == 10**6 else 0}
        assert len(again) > 20
        assert again["difference"].max() == 0
        path = runner.store.path_of("decomposition", "smoke")
        assert runner.sample_of(path).exists() == (small == 10**6)
        runner.forget(["decomposition"], "smoke")


def test_the_grids_are_those_of_the_papers_figures():
    for profile, sizes in (("paper", (16, 66, 18)), ("full", (16, 486, 54))):
        grids = [experiments.grid(name, profile) for name in ("iterations", "fcn_size", "cnn_size")]
        assert tuple(map(len, grids)) == sizes
        for one in sum(grids, ()):
            assert (one.noise_batch_size, one.train.schedule, one.train.lr) == (500, "halved", 0.1)
            assert (one.train.horizon, one.train.look) == (paper.HORIZON, 100) == (65_000, 100)
            assert one.train.snapshots[0] == 0
            assert one.train.snapshots[-1] == one.train.iterations
            assert set(one.streamed) <= set(one.train.snapshots)
    with_norms = [one.train for one in experiments.grid("iterations", "paper") if one.norms]
    assert [(t.model, t.width, t.iterations) for t in with_norms] == [("cnn", 64, 65_000), ("cnn", 64, 5000)]
    assert {one.train.n_train for one in experiments.grid("cnn_size", "paper")} == {50_000}


def test_a_network_without_noise_says_so():
    model = TRAIN.build()
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    with pytest.raises(paper.NothingAlive, match="nothing is alive: all 10 minibatches have the same gradient"):
        paper.joint_rows(torch.zeros(10, 30), "", twin=True)


def test_minibatches_of_any_size_are_those_of_a_batch_size_spec():
    batch = PaperBatchSpec(**vars(PAPER) | {"noise_batch_size": 20}, minibatches=12, half=True)
    model, done = TRAIN.build(), lambda share: None
    old = BatchSizeSpec(TRAIN, (0,), (20, 50), 12).measure(model, done)
    known = {(row["quantity"], row.get("x")): row["value"] for row in old}
    rows = batch.measure(model, done) + batch.details(model)
    new = {(row["quantity"], row.get("x")): row["value"] for row in rows if row.get("scope", "all") == "all"}
    for b in (20, 50):
        for convention in ("published", "corrected"):
            name = f"1/alpha ({convention})"
            assert new[name, b] == pytest.approx(known[name, b], rel=1e-6)
            assert new[f"twin {name}", b] == pytest.approx(new[name, b], abs=0.2)
    images = data.load("digits", n_train=100, n_test=50)

    def flat(chosen):
        return minibatch_gradient(model, LOSSES["nll"], (images.x_train[chosen], images.y_train[chosen])).flat()

    norms = [float((flat(chosen) - flat(torch.arange(100))).norm()) for chosen in draw(100, 20, 12, 1)]
    assert new["norm", 20] == pytest.approx(sum(norms) / 12, rel=1e-4)
    assert not replace(batch, half=False).details(model)


def test_figure_6_has_65_000_steps_or_100_epochs():
    specs = experiments.grid("batch_size", "paper")
    assert len(specs) == 48
    last = {(s.train.dataset, s.train.batch_size): s.train.iterations for s in specs}
    assert [last["mnist", b] for b in (10, 50, 100, 500, 1000, 5000)] == [65_000, 65_000, 60_000, 12_000, 6000, 1200]
    assert last["cifar10", 5000] == 1000
    assert all(s.train.horizon == 65_000 and s.noise_batch_size == s.train.batch_size for s in specs)
    assert {s.train.batch_size for s in specs if s.half} == {500}


def test_infinite_gradients_end_a_run_as_diverged_and_keep_what_came_before(results_in, monkeypatch):
    original = PaperSpec.measure

    def measure(self, model, progress, point=0):
        if point == 20:
            raise FloatingPointError("infinite gradients")
        return original(self, model, progress, point)

    monkeypatch.setattr(PaperSpec, "measure", measure)
    for _ in range(2):  # and once it is over, the same again
        rows = SHORT.rows(lambda share: None)
        assert {row["iteration"] for row in rows if row["quantity"] == "1/alpha (published)"} == {0, 10}
        assert rows[-1]["quantity"] == "diverged"
        assert SHORT.status(rows) == "diverged"
        assert {row["iteration"] for row in rows if row["quantity"] == "signs: 1/alpha (published)"} <= {0, 10}
