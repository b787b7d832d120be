"""Where runs are computed. What a GPU computes cannot be tested here: a device without memory stands in for it."""

import pytest
import torch
from test_experiments import TINY, TRAIN

from tailnoise_utils.study.experiments import spec
from tailnoise_utils.study.networks import data, device, snapshots


def test_runs_are_computed_on_the_cpu_unless_something_else_is_named(monkeypatch):
    for named in ("", "cpu"):
        monkeypatch.setenv("TAILNOISE_DEVICE", named)
        assert device.chosen_device() == torch.device("cpu")
    assert device.name(device.chosen_device()) == "cpu"


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("gpu", "TAILNOISE_DEVICE = 'gpu' is no device: set it to cpu, cuda or cuda:1, say"),
        ("meta", "TAILNOISE_DEVICE = 'meta': runs are computed on cpu or cuda"),
        ("cuda:3", "TAILNOISE_DEVICE = 'cuda:3', but torch sees 3 GPUs here: unset it, or name another"),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, named, problem):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setenv("TAILNOISE_DEVICE", named)
    with pytest.raises(ValueError, match="TAILNOISE_DEVICE") as error:
        device.chosen_device()
    assert str(error.value) == problem


def test_a_gpu_is_asked_for_float32_and_for_the_same_numbers_again(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    for named, index in (("cuda", None), ("cuda:2", 2)):
        monkeypatch.setenv("TAILNOISE_DEVICE", named)
        assert device.chosen_device().index == index
    assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic


def test_network_and_images_go_there_and_what_is_kept_lies_apart(monkeypatch):
    here = snapshots.images("digits", 200, 50)
    for module in (device, snapshots):
        monkeypatch.setattr(module, "chosen_device", lambda: torch.device("meta"))
    there = snapshots.images("digits", 200, 50)
    assert {getattr(there, key).device.type for key in ("x_train", "y_train", "x_test", "y_test")} == {"meta"}
    assert here.x_train.device.type == "cpu"
    assert there.digest == here.digest
    for model in ("fcn", "cnn"):
        built = snapshots.TrainSpec(**vars(TRAIN) | {"model": model}).build()
        assert {w.device.type for w in built.parameters()} == {"meta"}
    assert device.kept_in("rows") == data.cache_folder() / "rows-meta"
    assert snapshots.Snapshots(TRAIN, "0").folder.parent == data.cache_folder() / "snapshots-meta"
    monkeypatch.undo()
    assert snapshots.Snapshots(TRAIN, "0").folder.parent == data.cache_folder() / "snapshots"


@pytest.mark.slow
def test_the_table_of_runs_says_where(monkeypatch):
    assert spec.finish(TINY, lambda share: None).record["device"] == "cpu"
    monkeypatch.setattr(device, "name", lambda where: f"a better {where.type}")
    assert spec.finish(TINY, lambda share: None).record["device"] == "a better cpu"
