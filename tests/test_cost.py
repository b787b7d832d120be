"""What is timed is what it says, each way gives the same numbers, and operations and memory are counted right."""

import copy
import io
import json
import math
import multiprocessing
import os
import time
import weakref
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from filelock import Timeout
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from tailnoise_utils import noise, stable
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import cost_spec as module
from tailnoise_utils.study.experiments import cost_ways, cost_worker
from tailnoise_utils.study.experiments.cost_spec import (
    PARALLEL,
    PASSES,
    SEEDS,
    WAYS,
    CostSpec,
    ImportCostSpec,
    SamplerCostSpec,
    operations,
)
from tailnoise_utils.study.networks import data, models, snapshots
from tailnoise_utils.study.results import files
from tailnoise_utils.tail_index import mohammadi

SETTING = snapshots.TrainSpec("digits", 120, 1, "fcn", 6, 3, "nll", 20, 0.1, "constant", "random", 6, (), 1)


@pytest.fixture
def problem():
    return cost_ways.Problem(SETTING, data.load("digits", n_train=120, n_test=1))


def test_operations_of_a_fully_connected_network_are_those_of_its_products():
    first, middle, last = 784 * 256, 256 * 256, 256 * 10
    # Forwards and to the weights; and to the inputs, but for those of the first.
    assert operations("fcn", "mnist", 256, 4) == (
        2 * (2 * first + 3 * 2 * middle + 3 * last),
        first + 2 * middle + last,
    )


def test_operations_of_a_convolutional_network_are_those_of_its_positions():
    c, h = 4, 4 * 3
    first = 17 * 17 * 48 * c
    others = 8 * 8 * 25 * c * c + 3 * (3 * 3 * 9 * c * c) + c * h + h * h + h * 100
    p = 49 * c + (25 * c + 1) * c + 3 * (9 * c + 1) * c + (c + 1) * h + (h + 1) * h + (h + 1) * 100
    assert operations("cnn", "cifar100", c, 0) == (2 * (2 * first + 3 * others), p)


@pytest.mark.parametrize("way", sorted(set(PASSES) - {"training, two processes"}))
def test_each_way_takes_the_gradients_that_are_counted(way, problem):
    work = cost_ways.WAYS[way](problem)
    with FlopCounterMode(display=False) as counted:
        work()
    each, _ = operations("fcn", "digits", 6, 3)
    assert counted.get_total_flops() == PASSES[way] * 120 * each


def test_what_is_made_of_the_noise_takes_no_gradient(problem):
    for way in set(WAYS) - set(PASSES) - {"anatomy", "anatomy, by layer"}:
        work = cost_ways.WAYS[way](problem)
        with FlopCounterMode(display=False) as counted:
            work()
        assert not counted.get_total_flops()


@pytest.mark.parametrize("way", ["noise matrix", "vmap over minibatches", "gradient of each sample"])
def test_ways_to_the_noise_matrix_give_the_same_one(way, problem, monkeypatch):
    monkeypatch.setattr(cost_ways, "_TOGETHER", 4)  # of 6 minibatches
    monkeypatch.setattr(cost_ways, "_BYTES", 7 * 4 * (64 * 6 + 36 + 60))  # 7 samples of 20
    mapped, vmap = [], torch.func.vmap
    monkeypatch.setattr(torch.func, "vmap", lambda of, **more: mapped.append(more.get("in_dims")) or vmap(of, **more))
    x, y = problem.data.x_train, problem.data.y_train
    expected = noise.noise_matrix(problem.model, cross_entropy, Minibatches(x, y, 20, order="data"))
    found = cost_ways.WAYS[way](problem)()
    assert found.shape == (6, 480)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)
    assert mapped == ([] if way == "noise matrix" else [(None, 0, 0)])


def test_all_ways_to_the_noise_matrix_of_a_convolutional_network_give_the_same_one():
    setting = replace(SETTING, dataset="digits32", model="cnn", width=4, depth=0)
    problem = cost_ways.Problem(setting, data.load("digits32", n_train=120, n_test=1))
    batches = [(x.double(), y) for x, y in problem.cut]
    expected = noise.noise_matrix(copy.deepcopy(problem.model).double(), cross_entropy, batches).float()
    for way in ("noise matrix", "vmap over minibatches", "gradient of each sample"):
        torch.testing.assert_close(cost_ways.WAYS[way](problem)(), expected, rtol=1e-3, atol=1e-6)


ALPHAS = ["measure", "measure, streaming", "measure, with anatomy", "alpha^, published"]


@pytest.mark.parametrize("way", [*ALPHAS, "published procedure", "published procedure, images in memory"])
def test_ways_to_alpha_give_the_same_one(way, problem, monkeypatch):
    # All pixels count and no unit is dead: exact zeros would be rounding errors in one way, and zeros in another.
    problem.data.x_train.add_(0.5)
    problem.spec = replace(SETTING, depth=2, seed=3)
    one_by_one = cost_ways._Images.__getitem__
    monkeypatch.setattr(
        cost_ways._Images, "__getitem__", lambda self, i: (one_by_one(self, i)[0] + 0.5, one_by_one(self, i)[1])
    )
    images = cost_ways._Images(data.load("digits", n_train=120, n_test=1))
    monkeypatch.setattr(cost_ways, "_Images", lambda found: images)
    expected = mohammadi(problem.noise(), convention="published")
    assert expected.info["K1"] > 10
    assert cost_ways.WAYS[way](problem)() == pytest.approx(expected.inverse, rel=1e-4)


@pytest.mark.parametrize("way", [way for way in PASSES if not way.startswith("training")])
def test_no_unit_is_dropped_but_in_training(way, monkeypatch):
    seen, forward = [], torch.nn.Dropout.forward
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: seen.append(self.training) or forward(self, x))
    setting = replace(SETTING, dataset="digits32", model="cnn", width=4)
    cost_ways.WAYS[way](cost_ways.Problem(setting, data.load("digits32", n_train=120, n_test=1)))()
    assert seen
    assert not any(seen)


def test_the_written_out_estimate_is_the_published_one():
    for shape in ((7, 30), (12, 130), (64, 64)):
        U = torch.from_numpy(stable.sample(1.5, shape[0] * shape[1], generator=np.random.default_rng(0))).float()
        U[::7] = 0
        expected = mohammadi(U.view(shape), convention="published").inverse
        assert cost_ways._two_means(U) == pytest.approx(expected, rel=1e-6)


def test_measuring_is_asked_for_what_it_says(problem, monkeypatch):
    asked = {}
    original = cost_ways.measure

    def measure(*of, **options):
        asked[way] = options, original(*of, **options)
        return asked[way][1]

    monkeypatch.setattr(cost_ways, "measure", measure)
    problem = cost_ways.Problem(replace(SETTING, batch_size=5), problem.data)  # 24 minibatches: enough for an anatomy
    for way in ALPHAS[:3]:
        cost_ways.WAYS[way](problem)()
    assert {way: of[1].method for way, of in asked.items()} == {
        "measure": "matrix",
        "measure, streaming": "streaming",
        "measure, with anatomy": "matrix",
    }
    assert {way: of[1].anatomy is not None for way, of in asked.items()} == dict.fromkeys(ALPHAS[:3], False) | {
        "measure, with anatomy": True
    }
    assert asked["measure, with anatomy"][0] == {"method": "matrix"}  # draws and entries as a user has them


def test_the_parts_are_those_of_the_noise_of_this_network(problem, monkeypatch):
    problem = cost_ways.Problem(replace(SETTING, batch_size=5), problem.data)
    U, own = problem.noise(), {way: cost_ways.WAYS[way](problem)() for way in set(WAYS) - set(PASSES)}
    assert own["alpha^, clean"] == mohammadi(U)
    assert own["alpha^, published"] == mohammadi(U, convention="published").inverse
    assert (own["anatomy"].P, own["anatomy"].p) == (24, 480)
    assert own["anatomy"].groups == ()
    assert len(own["anatomy, by layer"].groups) == 3
    assert ("all", "units") in own["anatomy, by layer"].found
    assert ("all", "units") not in own["anatomy"].found
    asked = []
    monkeypatch.setattr(cost_ways.controls, "anatomy", lambda U, *, centred, **more: asked.append((U, centred)))
    for way in ("anatomy", "anatomy, by layer"):
        cost_ways.WAYS[way](problem)()
    assert all(not centred and torch.equal(G, problem.raw()) for G, centred in asked)  # it takes the mean off itself
    torch.testing.assert_close(problem.raw() - problem.raw().mean(0), U, rtol=1e-4, atol=1e-7)
    assert not torch.allclose(problem.raw(), U, atol=1e-3)


def test_the_published_procedure_takes_every_image_once_and_keeps_three_copies(problem, monkeypatch):
    taken, made, there = [], [], []
    one_by_one, cat = cost_ways._Images.__getitem__, torch.cat
    monkeypatch.setattr(cost_ways._Images, "__getitem__", lambda self, i: taken.append(i) or one_by_one(self, i))

    def counted(parts, *of):
        there.append({ref().data_ptr() for ref in made if ref() is not None} | {part.data_ptr() for part in parts})
        result = cat(parts, *of)
        made.append(weakref.ref(result))
        return result

    monkeypatch.setattr(torch, "cat", counted)
    cost_ways.WAYS["published procedure"](problem)()
    assert taken == list(range(120))
    assert len(there[-1]) == 6 + 6  # gradients and their noise, when the vector of all is made of it
    monkeypatch.setattr(cost_ways, "_Images", None)
    cost_ways.WAYS["published procedure, images in memory"](problem)()
    assert len(there[-1]) == 6 + 6


def test_the_published_procedure_has_the_layout_of_its_own_time():
    spec = replace(SETTING, dataset="digits32", model="cnn", width=4, depth=0)
    problem = cost_ways.Problem(spec, data.load("digits32", n_train=120, n_test=1))
    assert problem.model[0].weight.is_contiguous(memory_format=torch.channels_last)
    seen = []
    register = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, of: seen.append(module.weight.is_contiguous()) if isinstance(module, torch.nn.Conv2d) else None
    )
    try:
        cost_ways.WAYS["published procedure"](problem)()
    finally:
        register.remove()
    assert seen
    assert all(seen)
    assert problem.model[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["digits", "digits32"])
def test_images_one_by_one_are_the_images(name):
    found = data.load(name, n_train=30, n_test=1)
    one_by_one = cost_ways._Images(found)
    assert len(one_by_one) == 30
    torch.testing.assert_close(torch.stack([one_by_one[i][0] for i in range(30)]), found.x_train, rtol=0, atol=1e-6)
    assert [one_by_one[i][1] for i in range(30)] == found.y_train.tolist()


@pytest.mark.parametrize("way", ["training", *SEEDS, "training, two threads"])
def test_training_is_an_epoch_of_networks_of_their_own_each_time(way, problem):
    spec = replace(SETTING, lr=0.03, schedule="halved", loss="hinge")
    problem.spec = spec
    work = cost_ways.WAYS[way](problem)
    expected = []
    for seed in range(1, 1 + PASSES[way]):
        network = replace(spec, seed=seed).build()
        how = {"lr": 0.03, "schedule": "halved", "order": "random", "batch_size": 20, "iterations": 6, "snapshots": ()}
        list(cost_ways.train(network, models.LOSSES["hinge"], problem.data, seed=seed, **how))
        expected.append(torch.cat([w.detach().flatten() for w in network.parameters()]))
    for _ in range(2):  # the second time begins where the first began
        found = [torch.cat([w.detach().flatten() for w in network.parameters()]) for network in work()]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_only_one_way_stacks(problem, monkeypatch):
    monkeypatch.setattr(cost_ways, "train_stacked", None)
    for way in ("training", "training, seeds in turn", "training, two threads"):
        cost_ways.WAYS[way](problem)()
    monkeypatch.undo()
    monkeypatch.setattr(cost_ways, "train", None)
    cost_ways.WAYS["training, seeds stacked"](problem)()


@pytest.mark.parametrize(("way", "threads"), [("training", 1), ("training, two threads", 2)])
def test_only_one_way_has_two_threads(way, threads, problem, monkeypatch):
    before, seen = torch.get_num_threads(), []
    original = cost_ways.train
    monkeypatch.setattr(
        cost_ways, "train", lambda *of, **how: seen.append(torch.get_num_threads()) or original(*of, **how)
    )
    try:
        cost_ways.WAYS[way](problem)()
        assert seen == [threads] * PASSES[way]
        assert torch.get_num_threads() == 1  # the rate is that of one
    finally:
        torch.set_num_threads(before)


def test_two_processes_are_at_work_together_each_with_a_seed_of_its_own(problem, monkeypatch, tmp_path):
    original = cost_ways.train

    def train(network, *of, seed, **how):
        (tmp_path / f"{os.getpid()} {seed}").touch()
        deadline = time.monotonic() + 60
        while len([path for path in tmp_path.iterdir() if "done" not in path.name]) < 2:  # the other one begins, too
            assert time.monotonic() < deadline
        assert torch.get_num_threads() == 1
        yield from original(network, *of, seed=seed, **how)
        (tmp_path / f"{os.getpid()} {seed} done").touch()

    monkeypatch.setattr(cost_ways, "train", train)
    work = cost_ways.WAYS["training, two processes"](problem)
    assert not list(tmp_path.iterdir())  # they wait
    work()
    there = sorted(path.name for path in tmp_path.iterdir())
    work()  # by the same processes
    assert sorted(path.name for path in tmp_path.iterdir()) == there
    processes, seeds = zip(*(name.split()[:2] for name in there), strict=True)
    assert seeds.count("1") == seeds.count("2") == 2
    assert len(set(processes)) == 2
    assert str(os.getpid()) not in processes
    del work  # with which they go
    deadline = time.monotonic() + 60
    while multiprocessing.active_children():
        assert time.monotonic() < deadline


def test_a_process_that_fails_is_an_error(problem, monkeypatch):
    monkeypatch.setattr(cost_ways, "train", None)
    work = cost_ways.WAYS["training, two processes"](problem)
    with pytest.raises(EOFError):
        work()


@pytest.mark.parametrize("way", cost_ways.SAMPLERS)
def test_samplers_draw_the_law(way):
    found = np.abs(cost_ways.SAMPLERS[way](20_000, np.random.default_rng(4)))
    expected = np.abs(stable.sample(1.5, 200_000, generator=np.random.default_rng(5)))
    for q in (0.1, 0.5, 0.9, 0.99):
        assert (found < np.quantile(expected, q)).mean() == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / 20_000))


def rows_of(found):
    return {row["quantity"]: row["value"] for row in found}


def test_the_rate_is_that_of_a_product(monkeypatch):
    now = iter([0.0, 8.0, 10.0, 14.0, 20.0, 24.0, 30.0, 34.0, 40.0, 44.0, 50.0, 54.0])
    monkeypatch.setattr(cost_worker.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(cost_worker, "_SIDE", 100)
    with FlopCounterMode(display=False) as counted:
        rate = cost_worker._rate()
    assert rate == counted.get_total_flops() / 6 / 4.0  # the first one, which takes 8 s, is not counted


def test_time_and_rate_are_those_of_the_work(monkeypatch):
    done = []
    clock = iter([100.0, 107.0])
    rates = iter([1.0, 3.0])
    monkeypatch.setattr(cost_worker, "_rate", lambda: done.append("rate") or next(rates))
    monkeypatch.setattr(cost_worker, "_in_use", lambda: done.append("memory"))
    monkeypatch.setattr(cost_worker.time, "perf_counter", lambda: next(clock))
    found = rows_of(cost_worker._measured(lambda: done.append("work"), 1))
    assert found == {"seconds": 7.0, "flop/s": 2.0}
    assert done == ["rate", "work", "rate"]


def test_memory_is_the_most_that_the_first_time_had():
    def work():
        np.ones(2**23)  # 64 MiB, let go of
        return np.ones(2**22)

    assert rows_of(cost_worker._measured(lambda: None, 0))["bytes"] < 1e6  # of the product that gives the rate, nothing
    assert rows_of(cost_worker._measured(work, 0))["bytes"] == pytest.approx(2**26, rel=0.05)
    assert "bytes" not in rows_of(cost_worker._measured(work, 1))


def test_what_was_free_before_is_not_in_use():
    torch.ones(2**18).clone()  # warm
    parts = [torch.ones(2**16) for _ in range(64)]  # 16 MiB in pieces that the allocator keeps
    del parts
    work = rows_of(cost_worker._measured(lambda: [torch.ones(2**16) for _ in range(64)], 0))
    assert 0.9 < work["bytes"] / 2**24 < 1.3  # not next to nothing, because the pieces were there already


def test_a_noise_matrix_gives_its_number_the_first_time():
    U = torch.from_numpy(stable.sample(1.5, 4000, generator=np.random.default_rng(0))).float().view(20, 200)
    expected = mohammadi(U, convention="published").inverse
    assert rows_of(cost_worker._measured(lambda: U, 0))["1/alpha (published)"] == expected
    assert "1/alpha (published)" not in rows_of(cost_worker._measured(lambda: U, 1))


def test_the_process_measures_once_a_line_with_one_thread(monkeypatch, capsys):
    threads, done = torch.get_num_threads(), []
    work = lambda: done.append(torch.get_num_threads())  # noqa: E731
    monkeypatch.setattr(cost_worker, "_work", lambda asked: done.append(asked) or work)
    try:
        torch.set_num_threads(2)
        cost_worker.main(io.StringIO('{"way": "x"}\nagain\nagain\n'))
    finally:
        torch.set_num_threads(threads)
    first, *rows = capsys.readouterr().out.splitlines()
    assert first == "ready"
    assert [json.loads(line)[0]["x"] for line in rows] == [0.0, 1.0]
    assert done == [{"way": "x"}, 1, 1]


@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_a_way_is_done_once_on_something_small_before_it_is_timed(model, monkeypatch):
    dataset, width, depth = {"fcn": ("digits", 100, 8), "cnn": ("digits32", 24, 0)}[model]
    setting = replace(SETTING, dataset=dataset, model=model, width=width, depth=depth)
    prepared, done, asked = [], [], set()
    original = snapshots.images
    monkeypatch.setattr(snapshots, "images", lambda *of: asked.add(of) or original(*of))

    def way(problem):
        prepared.append(problem)
        if not prepared[1:]:
            assert problem.model.training  # built
        return lambda: done.append(problem)

    monkeypatch.setitem(cost_worker.WAYS, "measure", way)
    work = cost_worker._work({"way": "measure", "train": asdict(setting)})
    small, whole = prepared
    assert "model" in vars(whole)  # it is built before it is timed
    assert done == [small]
    work()
    assert done == [small, whole]
    assert asked == {(dataset, 120, 1)}  # no others take the place of those that are kept
    assert whole.spec == setting
    assert len(whole.data.x_train) == 120
    assert (small.spec.width, small.spec.depth, small.spec.model) == (16, min(depth, 3), model)
    assert [len(x) for x, _ in small.cut] == [2] * 20


@pytest.mark.parametrize(
    ("model", "way"), [("fcn", way) for way in WAYS + SEEDS + PARALLEL] + [("cnn", way) for way in WAYS]
)
def test_every_way_can_be_done_on_something_small(model, way):
    dataset = {"fcn": "digits", "cnn": "digits32"}[model]
    setting = replace(SETTING, dataset=dataset, model=model, width=32)
    cost_ways.WAYS[way](cost_worker._small(cost_ways.Problem(setting, data.load(dataset, n_train=120, n_test=1))))()


def test_ways_take_turns_and_what_takes_long_is_not_repeated(monkeypatch):
    asked = []

    class Process:
        def __init__(self, asked, errors):
            self.way, self.spent = asked["way"], 0.0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def again(self):
            asked.append(self.way)
            self.spent += 20.5 if self.way == "measure" else 19.5
            return [{"quantity": "seconds", "x": 0.0, "value": 1.0}]

    monkeypatch.setattr(module, "_Process", Process)
    monkeypatch.setattr(module.os, "getloadavg", lambda: (1.5, 2.5, 3.5))
    rows = CostSpec(("training", "measure", "bare loop"), 2, SETTING).rows(lambda share: None)
    assert asked == ["training", "measure", "bare loop", "training", "bare loop"]
    assert [row["value"] for row in rows if row["quantity"] == "load"] == [1.5, 1.5, 1.5]


def test_a_run_measures_each_way_in_a_process_and_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_DEVICE", "cuda")  # there is none: the processes stay on the CPU
    monkeypatch.setattr(module, "images", lambda *of: data.load("digits", n_train=120, n_test=1))
    spec = CostSpec(("measure, streaming", "alpha^, clean"), 2, SETTING)
    done = []
    rows = spec.rows(done.append)
    assert sum(done) == pytest.approx(1)
    found = {(row.get("scope", "all"), row["quantity"], row.get("x")): row["value"] for row in rows}
    assert len(found) == len(rows)
    each, p = operations("fcn", "digits", 6, 3)
    assert found["measure, streaming", "operations", None] == 2 * 120 * each
    assert found["all", "parameters", None] == p == 480
    assert found["all", "load", 2.0] >= 0  # after the last round
    assert ("alpha^, clean", "operations", None) not in found
    for way in spec.ways:
        assert 0 < found[way, "seconds", 1.0] < 60
        assert found[way, "flop/s", 1.0] > 1e6
        assert found[way, "bytes", None] >= 0
    assert ("measure, streaming", "1/alpha (published)", None) in found
    counted = [row for row in rows if row["quantity"] in ("operations", "parameters")]
    assert spec.again(tmp_path) == counted
    assert spec.data_sha256() == data.load("digits", n_train=120, n_test=1).digest


@pytest.mark.parametrize(
    "spec", [SamplerCostSpec(("SaS samples",), 1, 1000, 0), ImportCostSpec(("import tailnoise_utils",), 1)]
)
def test_others_have_nothing_that_can_be_had_again(spec, tmp_path):
    assert spec.again(tmp_path) is None
    assert {row["quantity"] for row in spec.rows(lambda share: None)} == {"seconds", "bytes", "flop/s", "load"}


def test_imports_are_of_what_they_say(monkeypatch):
    ran = []
    monkeypatch.setattr(cost_ways.subprocess, "run", lambda command, check: ran.append((command[1:], check)))
    for way in cost_ways.IMPORTS:
        cost_worker._work({"way": way})()
    wanted = ("import torch", "import torch, tailnoise_utils", "import torch, tailnoise_utils.measurement.one_call")
    assert ran == [(["-c", of], True) for of in wanted for _ in range(2)]  # once before it is timed


def test_a_process_keeps_how_long_its_way_has_taken(tmp_path):
    with (tmp_path / "errors").open("w+b") as errors, module._Process({"way": "import torch"}, errors) as process:
        taken = [next(row["value"] for row in process.again() if row["quantity"] == "seconds") for _ in range(2)]
        assert process.spent == pytest.approx(sum(taken))
        assert min(taken) > 0.05


def test_a_way_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"(?s)'by hand' ended with exit status 1: .*KeyError: 'by hand'"):
        CostSpec(("by hand",), 1, SETTING).rows(lambda share: None)


def test_two_runs_wait_for_each_other():
    with (
        CostSpec(("measure",), 1, SETTING).alone(),
        pytest.raises(Timeout),
        files.lock(data.cache_folder() / "cost", timeout=0.0),
    ):
        pass


def test_the_grids_ask_for_ways_that_there_are():
    others = {SamplerCostSpec: cost_ways.SAMPLERS, ImportCostSpec: cost_ways.IMPORTS}
    for profile in experiments.PROFILES:
        specs = experiments.grid("cost", profile)
        assert len(set(specs)) == len(specs)
        for spec in specs:
            assert set(spec.ways) <= set(others.get(type(spec), cost_ways.WAYS))
    laptop = [spec for spec in experiments.grid("cost", "laptop") if isinstance(spec, CostSpec)]
    assert max(operations(s.train.model, s.train.dataset, s.train.width, s.train.depth)[1] for s in laptop) > 9e6
    assert {spec.replicates for spec in laptop} == {3, 9}
    assert all(spec.replicates == 9 for spec in laptop if spec.ways in (SEEDS, PARALLEL))  # which are short
    assert {*WAYS, *SEEDS, *PARALLEL} == set(cost_ways.WAYS) == {way for spec in laptop for way in spec.ways}
