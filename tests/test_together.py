"""Networks of several seeds and losses trained together, stacked: the weights, rows and files of runs trained alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tailnoise_utils.__main__ import app
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.specs import DiagnosisSpec
from tailnoise_utils.study.networks import snapshots
from tailnoise_utils.study.networks.snapshots import Snapshots, TrainSpec, train_together

TRAIN = TrainSpec("digits", 200, 20, "fcn", 8, 3, "nll", 20, 0.1, "constant", "random", 12, (0, 6, 12), 0)
SEEDS = [replace(TRAIN, seed=seed) for seed in range(3)]


@pytest.fixture
def results_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def grid(results_in, monkeypatch):
    """Three seeds of a setting and one of another, under the name of a real experiment."""
    specs = tuple(DiagnosisSpec(t, 20, (12,)) for t in (*SEEDS, replace(TRAIN, lr=0.2)))
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: specs)
    return specs


def digest():
    return snapshots.images("digits", 200, 20).digest


def weights(spec, point):
    return torch.cat([w.detach().flatten() for w in Snapshots(spec, digest()).load(point).parameters()])


def test_runs_trained_together_are_those_trained_alone(grid, results_in, monkeypatch):
    alone = runner.run("iterations", "smoke").rows
    wanted = [weights(spec, 6) for spec in SEEDS]
    monkeypatch.setenv("TAILNOISE_RESULTS", str(results_in / "again"))
    monkeypatch.setenv("TAILNOISE_CACHE", str(results_in / "other"))
    calls, stacked, single = [], snapshots.train_stacked, snapshots.train
    monkeypatch.setattr(
        snapshots, "train_stacked", lambda *of, **more: calls.append(more["seeds"]) or stacked(*of, **more)
    )
    monkeypatch.setattr(snapshots, "train", lambda *of, **more: calls.append(more["seed"]) or single(*of, **more))
    together = runner.run("iterations", "smoke", together=True)
    assert calls == [[10**6, 10**6 + 1, 10**6 + 2], 10**6]  # the other setting has one seed
    told = together.rows["quantity"] == "trained together"
    assert together.rows.loc[told, "value"].tolist() == [3.0, 3.0, 3.0]  # and not of the fourth run
    together = together.rows[~told].reset_index(drop=True)
    assert together[["run", "scope", "quantity"]].equals(alone[["run", "scope", "quantity"]])
    # An entry that is zero in one and a rounding error in the other counts much in the published estimate.
    published = alone["quantity"].str.contains("published")
    for which, least in ((published, 0.03), (~published, 1e-3)):
        np.testing.assert_allclose(together.loc[which, "value"], alone.loc[which, "value"], rtol=least, atol=least)
    for spec, found in zip(SEEDS, wanted, strict=True):
        torch.testing.assert_close(weights(spec, 6), found, rtol=1e-5, atol=1e-7)
        assert sorted(path.name for path in Snapshots(spec, digest()).folder.iterdir()) == [
            "0.npz",
            "12.npz",
            "6.npz",
            "end.json",
        ]
        assert Snapshots(spec, digest()).seconds() > 0


def test_killed_in_the_middle_they_go_on_and_end_bit_for_bit_as_unbroken(results_in, monkeypatch):
    train_together(SEEDS, digest())
    whole = [weights(spec, 12) for spec in SEEDS]
    monkeypatch.setenv("TAILNOISE_CACHE", str(results_in / "other"))
    monkeypatch.setattr(snapshots, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(snapshots, "_PAUSE", 4)
    starts, stacked = [], snapshots.train_stacked

    def killed(*of, **more):
        starts.append(more["start"])
        for point, diverged in stacked(*of, **more):
            yield point, diverged
            if point == 8 and len(starts) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(snapshots, "train_stacked", killed)
    with pytest.raises(KeyboardInterrupt):
        train_together(SEEDS, digest())
    assert (Snapshots(SEEDS[1], digest()).folder / "checkpoint.npz").exists()
    train_together(SEEDS, digest())
    assert starts == [0, 8]
    for spec, wanted in zip(SEEDS, whole, strict=True):
        assert torch.equal(weights(spec, 12), wanted)
        assert not (Snapshots(spec, digest()).folder / "checkpoint.npz").exists()


@pytest.mark.parametrize("saves", [4, 5, 7, 10])
def test_killed_between_the_saves_of_one_point_they_stay_together(saves, results_in, monkeypatch):
    train_together(SEEDS, digest())
    whole = [weights(spec, 12) for spec in SEEDS]
    monkeypatch.setenv("TAILNOISE_CACHE", str(results_in / "other"))
    monkeypatch.setattr(snapshots, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(snapshots, "_PAUSE", 4)
    left, save = [saves], Snapshots._save

    def killed(*of):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        save(*of)

    monkeypatch.setattr(Snapshots, "_save", staticmethod(killed))
    with pytest.raises(KeyboardInterrupt):
        train_together(SEEDS, digest())
    assert len({max(Snapshots(spec, digest())._stored()) for spec in SEEDS}) == 2  # some are further than others
    monkeypatch.setattr(Snapshots, "_save", staticmethod(save))
    train_together(SEEDS, digest())
    assert [Snapshots(spec, digest()).together() for spec in SEEDS] == [3, 3, 3]
    for spec, wanted in zip(SEEDS, whole, strict=True):
        assert torch.equal(weights(spec, 12), wanted)


def test_those_that_are_done_are_left_alone(results_in, monkeypatch):
    Snapshots(SEEDS[0], digest()).train(lambda steps: None)
    asked, stacked = [], snapshots.train_stacked
    monkeypatch.setattr(
        snapshots, "train_stacked", lambda *of, **more: asked.append(more["seeds"]) or stacked(*of, **more)
    )
    train_together(SEEDS, digest())
    assert asked == [[10**6 + 1, 10**6 + 2]]
    train_together([*SEEDS, replace(TRAIN, seed=3)], digest())
    assert len(asked) == 1
    assert [Snapshots(spec, digest()).together() for spec in SEEDS] == [1, 2, 2]


def test_checkpoints_are_half_a_minute_apart_and_seconds_are_shared(results_in, monkeypatch):
    now, written, save = [1000.0], [], Snapshots._save
    monkeypatch.setattr(snapshots.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(snapshots, "_PAUSE", 1)
    stacked = snapshots.train_stacked

    def slow(*of, **more):
        for point, diverged in stacked(*of, **more):
            now[0] += 12.0
            yield point, diverged

    def saved(path, model, iteration, seconds):
        if path.name == "checkpoint.npz":
            written.append(iteration)
        save(path, model, iteration, seconds)

    monkeypatch.setattr(snapshots, "train_stacked", slow)
    monkeypatch.setattr(Snapshots, "_save", staticmethod(saved))
    train_together(SEEDS[:2], digest())
    # 12 s a step: of the points 0 to 12 every third is due; at 6 and 12 a snapshot is written instead.
    assert written == [2, 2, 5, 5, 8, 8, 11, 11]
    assert [Snapshots(spec, digest()).seconds() for spec in SEEDS[:2]] == [13 * 12.0 / 2] * 2


def test_networks_with_dropout_are_left_alone(results_in):
    specs = [replace(TRAIN, dataset="digits32", model="cnn", width=2, depth=0, seed=seed) for seed in (0, 1)]
    train_together(specs, snapshots.images("digits32", 200, 20).digest)
    assert not list(results_in.rglob("*.npz"))


def test_one_that_diverges_ends_and_the_others_go_on(results_in, monkeypatch):
    def stacked(*of, snapshots, **more):
        for point in sorted(snapshots):
            yield point, ["", "the loss is nan after 7 iterations" if point > 7 else "", ""]

    monkeypatch.setattr(snapshots, "train_stacked", stacked)
    train_together(SEEDS, digest())
    there = [[Snapshots(spec, digest()).path(point).exists() for point in (0, 6, 12)] for spec in SEEDS]
    assert there == [[True, True, True], [True, True, False], [True, True, True]]
    assert Snapshots(SEEDS[1], digest()).train(lambda steps: None) == "the loss is nan after 7 iterations"
    assert Snapshots(SEEDS[0], digest()).train(lambda steps: None) == ""


def test_what_cannot_be_trained_together_is_refused(grid):
    with pytest.raises(ValueError, match="differ in their seed and loss alone; these differ in more"):
        train_together([TRAIN, replace(TRAIN, lr=0.2)], digest())
    with pytest.raises(ValueError, match="trained together in one process"):
        runner.run("iterations", "smoke", client=object(), together=True)


def test_all_that_differ_in_their_seed_and_loss_alone_are_asked_for(results_in, monkeypatch):
    trains = (*SEEDS[:2], replace(TRAIN, lr=0.2), replace(TRAIN, loss="hinge"))
    specs = tuple(DiagnosisSpec(t, 20, (12,)) for t in trains)
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: specs)
    asked = []
    monkeypatch.setattr(runner, "train_together", lambda specs, sha256: asked.append([(s.loss, s.seed) for s in specs]))
    assert len(runner.run("iterations", "smoke", together=True).runs) == 4
    three = [("nll", 0), ("nll", 1), ("hinge", 0)]
    assert asked == [three, three, [("nll", 0)], three]


def test_networks_of_both_losses_are_trained_together_each_by_its_own(results_in, monkeypatch):
    specs = [TRAIN, replace(TRAIN, loss="hinge")]
    for spec in specs:
        Snapshots(spec, digest()).train(lambda steps: None)
    alone = [weights(spec, 12) for spec in specs]
    assert not torch.allclose(*alone, rtol=1e-2)
    monkeypatch.setenv("TAILNOISE_CACHE", str(results_in / "other"))
    train_together(specs, digest())
    assert [Snapshots(spec, digest()).together() for spec in specs] == [2, 2]
    for spec, wanted in zip(specs, alone, strict=True):
        torch.testing.assert_close(weights(spec, 12), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("words", [[], ["--together"]])
def test_the_command_line_trains_together_where_it_is_told_to(words, results_in, monkeypatch):
    asked = []
    monkeypatch.setattr(runner, "run", lambda *of, **more: asked.append(more["together"]))
    assert CliRunner().invoke(app, ["run", "iterations", *words]).exit_code == 0
    assert asked == [bool(words)]
