"""Networks trained side by side: the steps that each takes alone; what a GPU records, as far as that shows without one."""

import copy
from contextlib import contextmanager

import pytest
import torch
from test_train import SETTINGS, dataset, same, weights
from torch import nn
from torch.nn.functional import cross_entropy

from tailnoise_utils.study.networks import stacked
from tailnoise_utils.study.networks.models import cnn, fcn, linear_hinge
from tailnoise_utils.study.networks.stacked import train_stacked
from tailnoise_utils.study.networks.train import Diverged, train

COMMON = {name: value for name, value in SETTINGS.items() if name != "seed"}


def together(networks: list[nn.Module], seeds: list[int], losses=None, **change: object) -> list[tuple[int, list[str]]]:
    """Train networks together, with the settings of the tests of training alone."""
    losses = losses or [cross_entropy] * len(networks)
    return list(train_stacked(networks, losses, dataset(), seeds=seeds, **COMMON | change))


@pytest.mark.parametrize(
    ("losses", "change"),
    [
        ([cross_entropy] * 3, {}),
        ([linear_hinge] * 3, {}),
        ([cross_entropy, linear_hinge, cross_entropy], {}),
        ([cross_entropy] * 3, {"schedule": "halved", "order": "data"}),
        ([cross_entropy] * 3, {"start": 5}),
    ],
    ids=["plain", "hinge", "both losses", "halved, in data order", "taken up again"],
)
def test_stacked_networks_take_the_steps_that_they_take_alone(losses, change) -> None:
    side_by_side, alone = ([fcn(9, 5, 3, 4, seed=seed) for seed in (1, 2, 3)] for _ in range(2))
    for network in (*side_by_side, *alone):
        network.linear2.weight.requires_grad_(False)
    asked = change | {"iterations": 12, "snapshots": (5, 12)}
    points = together(side_by_side, [11, 12, 13], losses, **asked)
    assert points == [(5, ["", "", ""]), (12, ["", "", ""])]
    for network, other, loss, seed in zip(side_by_side, alone, losses, (11, 12, 13), strict=True):
        before = weights(other)
        list(train(other, loss, dataset(), **COMMON | asked | {"seed": seed}))
        torch.testing.assert_close(weights(network), weights(other), rtol=1e-5, atol=1e-7)
        assert same([network.linear2.weight], [before[1]])
        assert not same(weights(network)[:1], before[:1])


def test_stacked_networks_hold_their_weights_at_each_pause() -> None:
    networks, alone = [fcn(9, 5, 3, 4, seed=s) for s in (1, 2)], fcn(9, 5, 3, 4, seed=2)
    every = COMMON | {"snapshots": range(11)}
    steps = train_stacked(networks, [cross_entropy] * 2, dataset(), seeds=[7, 8], **every)
    for (point, _), other in zip(steps, train(alone, cross_entropy, dataset(), **every | {"seed": 8}), strict=True):
        assert point == other
        torch.testing.assert_close(weights(networks[1]), weights(alone), rtol=1e-5, atol=1e-7)


def test_of_stacked_networks_one_may_diverge_and_the_others_go_on() -> None:
    networks, alone = [fcn(9, 5, 3, 4, seed=seed) for seed in (1, 2)], fcn(9, 5, 3, 4, seed=2)
    with torch.no_grad():
        for w in networks[0].parameters():
            w.mul_(1e12)
    wrong = copy.deepcopy(networks[0])
    points = together(networks, [11, 12], snapshots=(0, 1, 10))
    assert points[0] == (0, ["", ""])
    with pytest.raises(Diverged) as error:
        list(train(wrong, cross_entropy, dataset(), **COMMON | {"seed": 11}))
    assert points[2] == (10, [str(error.value), ""])
    list(train(alone, cross_entropy, dataset(), **COMMON | {"seed": 12}))
    torch.testing.assert_close(weights(networks[1]), weights(alone), rtol=1e-5, atol=1e-7)


def test_the_step_at_which_one_diverged_is_counted_from_the_beginning_of_the_run() -> None:
    network = fcn(9, 5, 3, 4, seed=1)
    with torch.no_grad():
        for w in network.parameters():
            w.mul_(1e12)
    ((_, ended),) = together([copy.deepcopy(network), fcn(9, 5, 3, 4, seed=2)], [11, 12], start=4)
    with pytest.raises(Diverged) as error:
        list(train(network, cross_entropy, dataset(), **COMMON | {"seed": 11, "start": 4}))
    assert ended[0].split(" after ")[1] == str(error.value).split(" after ")[1]


def test_networks_that_cannot_be_stacked_are_refused() -> None:
    with pytest.raises(ValueError, match="networks with dropout or buffers cannot be stacked"):
        together([cnn(2, 4, seed=s) for s in (1, 2)], [1, 2])
    with pytest.raises(ValueError, match="networks with dropout or buffers cannot be stacked"):
        together([nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, 4)) for _ in range(2)], [1, 2])
    with pytest.raises(ValueError, match="1 seeds for 2 networks"):
        together([fcn(9, 5, 3, 4, seed=s) for s in (1, 2)], [1])
    with pytest.raises(ValueError, match="1 losses for 2 networks"):
        together([fcn(9, 5, 3, 4, seed=s) for s in (1, 2)], [1, 2], [cross_entropy])
    with pytest.raises(ValueError, match="0 networks: give one or more"):
        together([], [])
    with pytest.raises(ValueError, match="has no trainable parameter"):
        together([fcn(9, 5, 3, 4, seed=s).requires_grad_(False) for s in (1, 2)], [1, 2])
    with pytest.raises(ValueError, match="the step size must be positive"):
        together([fcn(9, 5, 3, 4, seed=s) for s in (1, 2)], [1, 2], lr=0.0)


def stack_on(device: str, loss) -> stacked._Stack:
    """Two networks side by side."""
    networks = [fcn(9, 5, 3, 4, seed=seed).to(device) for seed in (1, 2)]
    images = dataset()
    return stacked._Stack(networks, [loss] * 2, images.x_train.to(device), images.y_train.to(device), 4, 0)


@pytest.mark.parametrize("loss", [cross_entropy, linear_hinge])
def test_a_step_reads_nothing_back_and_so_can_be_recorded(loss) -> None:
    stack = stack_on("meta", loss)  # a device whose tensors have shapes and no values
    stack.step()
    with pytest.raises(RuntimeError, match="meta tensors"):
        float(stack.wrong[0])


def test_all_steps_work_on_the_same_tensors_which_alone_tell_them_apart(monkeypatch) -> None:
    devices, places, told, done = [], [], [], []

    class Watched(stacked._Replayed):
        def __init__(self, work, device) -> None:
            super().__init__(work, device)
            self.stack = work.__self__
            devices.append(device)

        def __call__(self) -> None:
            of = self.stack
            fixed = [of.chosen, of.lr, of.at, of.wrong, of._done, of._x, of._y, *of._weights.values()]
            places.append([(id(tensor), tensor.data_ptr()) for tensor in fixed])
            told.append((of.chosen.tolist(), float(of.lr)))
            done.append(int(of._done))
            super().__call__()

    monkeypatch.setattr(stacked, "_Replayed", Watched)
    together([fcn(9, 5, 3, 4, seed=s) for s in (1, 2)], [11, 12], schedule="halved", snapshots=(0, 5, 10))
    assert devices == [torch.device("cpu")]
    assert places == [places[0]] * 10
    assert done == list(range(10))
    assert len({tuple(chosen) for chosen, _ in told}) == 10
    assert [lr for _, lr in told] == [0.1] * 4 + [0.05] * 3 + [0.025] * 3


def test_weights_that_are_not_finite_at_a_pause_end_a_network_alone() -> None:
    networks = [fcn(9, 5, 3, 4, seed=s) for s in (1, 2)]
    with torch.no_grad():
        networks[1].linear1.weight[0, 0] = torch.nan
    wrong = copy.deepcopy(networks[1])
    ((_, ended),) = together(networks, [11, 12], iterations=0, snapshots=(0,))
    with pytest.raises(Diverged, match="some weights are NaN or infinite after 0 iterations") as error:
        list(train(wrong, cross_entropy, dataset(), **COMMON | {"seed": 12, "iterations": 0, "snapshots": (0,)}))
    assert ended == ["", str(error.value)]


class Cuda:
    """Stands in for ``torch.cuda``, and notes what is done, on which stream, and what is recorded."""

    def __init__(self) -> None:
        self.stream_now, self.recording, self.device_now, self.made, self.log = "default", None, None, 0, []

    def work(self) -> None:
        assert str(self.device_now) == "cuda:1"
        if self.recording is None:
            self.log.append(f"done on {self.stream_now}")
        else:
            self.recording.held.append("recorded")
            self.log.append(f"recorded on {self.stream_now}")

    def Stream(self, device):
        assert str(device) == "cuda:1"
        self.made += 1
        return Stream(f"another {self.made}", self.log)

    def current_stream(self):
        return Stream(self.stream_now, self.log)

    @contextmanager
    def stream(self, other):
        self.stream_now = other.name
        yield
        self.stream_now = "default"

    @contextmanager
    def device(self, device):
        self.device_now = device
        yield
        self.device_now = None

    @contextmanager
    def graph(self, graph, *, stream):
        self.recording = graph
        with self.stream(stream):
            yield
        self.recording = None

    def CUDAGraph(self):
        return Graph(self.log)


class Stream:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def wait_stream(self, other) -> None:
        self.log.append(f"{self.name} waits for {other.name}")


class Graph:
    def __init__(self, log: list[str]) -> None:
        self.held, self.log = [], log

    def replay(self) -> None:
        self.log.append(f"replayed {len(self.held)}")


def test_on_a_cuda_device_some_steps_are_done_aside_and_then_one_is_recorded_and_replayed(monkeypatch) -> None:
    cuda = Cuda()
    for name in ("Stream", "current_stream", "stream", "device", "graph", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    stacked._side.cache_clear()
    try:
        for _ in range(2):  # one group of networks after another
            cuda.log.clear()
            step = stacked._Replayed(cuda.work, torch.device("cuda:1"))
            for _ in range(6):
                step()
            aside = ["another 1 waits for default", "done on another 1", "default waits for another 1"]
            assert cuda.log == [*aside * 3, "recorded on another 1", *["replayed 1"] * 3]
    finally:
        stacked._side.cache_clear()


def test_elsewhere_each_step_is_done() -> None:
    done = []
    step = stacked._Replayed(lambda: done.append(1), torch.device("cpu"))
    for _ in range(5):
        step()
    assert len(done) == 5
