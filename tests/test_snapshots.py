"""Training until it fits, with the weights kept on disk: killed anywhere, it ends bit for bit as an unbroken one."""

import json
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from tailnoise_utils.study.networks import models, snapshots
from tailnoise_utils.study.networks.snapshots import PaperTrainSpec, Snapshots, images
from tailnoise_utils.study.networks.train import evaluate

PAPER = PaperTrainSpec(
    *("digits", 100, 20, "fcn", 16, 3, "nll", 20, 0.2, "halved", "random", 300, (0, 50, 100, 200, 300), 1),
    horizon=300,
    look=7,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "unbroken"))


def stored(spec=PAPER):
    return Snapshots(spec, images("digits", 100, 20).digest)


def weights(run):
    """The weights of all snapshots, by the number of steps."""
    points = sorted(int(path.stem) for path in run.folder.glob("*.npz"))
    return {point: torch.cat([w.detach().flatten() for w in run.load(point).parameters()]) for point in points}


def test_a_network_is_trained_until_it_fits():
    run, taken, measured = stored(), [], []
    assert run.train(taken.append, lambda point, model: measured.append(point)) == ""
    stop = run.iterations()
    assert 100 < stop < 200
    assert stop % PAPER.look == 0
    assert measured == [0, 50, 100, stop]
    assert list(weights(run)) == [0, 50, 100, stop]
    assert sum(taken) == stop
    pictures = images("digits", 100, 20)
    assert evaluate(run.load(stop), cross_entropy, pictures.x_train, pictures.y_train)[1] == 1.0
    assert run.seconds() > 0
    assert run.train(taken.append) == ""  # nothing is left to do
    assert run.iterations() == stop


@pytest.mark.slow
@pytest.mark.parametrize("killed_after", [1, 50, 93, 105, "at the stop", "before the end is written"])
def test_killed_and_taken_up_again_it_ends_as_an_unbroken_one(killed_after, tmp_path, monkeypatch):
    unbroken = stored()
    unbroken.train(lambda steps: None)
    stop, wanted = unbroken.iterations(), weights(unbroken)
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "broken"))
    monkeypatch.setattr(snapshots, "CHECKPOINT_SECONDS", 0.0)  # a checkpoint after every step
    broken, taken = stored(), []
    limit = stop if killed_after == "at the stop" else killed_after

    def killed(steps):
        taken.append(steps)
        if sum(taken) == limit:
            raise KeyboardInterrupt

    def measure(point, model):
        if point == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.train(killed, measure)
    assert not (broken.folder / "end.json").exists()
    resumed, measured = [], []
    assert broken.train(resumed.append, lambda point, model: measured.append(point)) == ""
    assert resumed[0] > 0 or killed_after == 1
    assert measured[-1] == broken.iterations() == stop
    again = weights(broken)
    assert list(again) == list(wanted) == [0, 50, 100, stop]
    assert all(torch.equal(again[point], wanted[point]) for point in wanted)
    assert not (broken.folder / "checkpoint.npz").exists()


def test_one_that_diverges_ends_at_its_last_snapshot_killed_or_not(tmp_path, monkeypatch):
    spec, step = replace(PAPER, snapshots=(0, 4, 300)), 0

    def loss(outputs, classes):  # no number after 7 steps
        nonlocal step
        step += 1
        return cross_entropy(outputs, classes) * (1.0 if step <= 7 else float("nan"))

    monkeypatch.setitem(models.LOSSES, "nll", loss)
    unbroken = stored(spec)
    message = unbroken.train(lambda steps: None)
    assert message.startswith("the loss is nan after 7 iterations at lr = 0.2")
    assert unbroken.iterations() == 4
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "broken"))
    monkeypatch.setattr(snapshots, "CHECKPOINT_SECONDS", 0.0)  # a checkpoint after every step
    broken, taken, step = stored(spec), [], 0

    def killed(steps):
        taken.append(steps)
        if sum(taken) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.train(killed)
    resumed, step = [], 5  # the steps whose weights were written
    assert broken.train(resumed.append) == message
    assert resumed[0] == 5
    assert broken.iterations() == 4
    assert all(torch.equal(w, weights(unbroken)[point]) for point, w in weights(broken).items())


def test_what_an_earlier_version_finished_is_read():
    run = stored()
    run.folder.mkdir(parents=True)
    (run.folder / "end.json").write_text(json.dumps({"diverged": "", "seconds": 1.5, "together": 3}))
    taken = []
    assert run.train(taken.append) == ""
    assert taken == [300]
    assert run.seconds() == 1.5
    assert run.iterations() is None
