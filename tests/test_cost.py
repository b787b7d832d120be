"""What is timed is what it says, each way gives the same numbers, and operations and memory are counted right."""

import io
import json
import math
import multiprocessing
import os
import time
import weakref
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import Timeout
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from tailnoise_utils import data, experiments, files, models, noise, plots, snapshots, stable, store
from tailnoise_utils.minibatches import Minibatches
from tailnoise_utils.specs import CostSpec, ImportCostSpec, SamplerCostSpec, _cost, _ways
from tailnoise_utils.specs import cost as module
from tailnoise_utils.specs._measured import Measured
from tailnoise_utils.specs.cost import PARALLEL, PASSES, SEEDS, WAYS, operations
from tailnoise_utils.tail_index import mohammadi

SETTING = snapshots.TrainSpec("digits", 120, 1, "fcn", 6, 3, "nll", 20, 0.1, "constant", "random", 6, (), 1)


@pytest.fixture
def problem():
    return _ways.Problem(SETTING, data.load("digits", n_train=120, n_test=1))


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
    work = _ways.WAYS[way](problem)
    with FlopCounterMode(display=False) as counted:
        work()
    each, _ = operations("fcn", "digits", 6, 3)
    assert counted.get_total_flops() == PASSES[way] * 120 * each


def test_what_is_made_of_the_noise_takes_no_gradient(problem):
    for way in set(WAYS) - set(PASSES) - {"anatomy", "anatomy, by layer"}:
        work = _ways.WAYS[way](problem)
        with FlopCounterMode(display=False) as counted:
            work()
        assert not counted.get_total_flops()


@pytest.mark.parametrize("way", ["noise matrix", "vmap over minibatches", "gradient of each sample"])
def test_ways_to_the_noise_matrix_give_the_same_one(way, problem, monkeypatch):
    monkeypatch.setattr(_ways, "_TOGETHER", 4)  # of 6 minibatches
    monkeypatch.setattr(_ways, "_BYTES", 7 * 4 * (64 * 6 + 36 + 60))  # 7 samples of 20
    mapped, vmap = [], torch.func.vmap
    monkeypatch.setattr(torch.func, "vmap", lambda of, **more: mapped.append(more.get("in_dims")) or vmap(of, **more))
    x, y = problem.data.x_train, problem.data.y_train
    expected = noise.noise_matrix(problem.model, cross_entropy, Minibatches(x, y, 20, order="data"))
    found = _ways.WAYS[way](problem)()
    assert found.shape == (6, 480)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)
    assert mapped == ([] if way == "noise matrix" else [(None, 0, 0)])


ALPHAS = ["measure", "measure, streaming", "measure, with anatomy", "alpha^, published"]


@pytest.mark.parametrize("way", [*ALPHAS, "published procedure", "published procedure, images in memory"])
def test_ways_to_alpha_give_the_same_one(way, problem, monkeypatch):
    # All pixels count and no unit is dead: exact zeros would be rounding errors in one way, and zeros in another.
    problem.data.x_train.add_(0.5)
    problem.spec = replace(SETTING, depth=2, seed=3)
    one_by_one = _ways._Images.__getitem__
    monkeypatch.setattr(
        _ways._Images, "__getitem__", lambda self, i: (one_by_one(self, i)[0] + 0.5, one_by_one(self, i)[1])
    )
    images = _ways._Images(data.load("digits", n_train=120, n_test=1))
    monkeypatch.setattr(_ways, "_Images", lambda found: images)
    expected = mohammadi(problem.noise(), convention="published")
    assert expected.info["K1"] > 10
    assert _ways.WAYS[way](problem)() == pytest.approx(expected.inverse, rel=1e-4)


@pytest.mark.parametrize("way", [way for way in PASSES if not way.startswith("training")])
def test_no_unit_is_dropped_but_in_training(way, monkeypatch):
    seen, forward = [], torch.nn.Dropout.forward
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: seen.append(self.training) or forward(self, x))
    setting = replace(SETTING, dataset="digits32", model="cnn", width=4)
    _ways.WAYS[way](_ways.Problem(setting, data.load("digits32", n_train=120, n_test=1)))()
    assert seen
    assert not any(seen)


def test_the_written_out_estimate_is_the_published_one():
    for shape in ((7, 30), (12, 130), (64, 64)):
        U = torch.from_numpy(stable.sample(1.5, shape[0] * shape[1], generator=np.random.default_rng(0))).float()
        U[::7] = 0
        expected = mohammadi(U.view(shape), convention="published").inverse
        assert _ways._two_means(U) == pytest.approx(expected, rel=1e-6)


def test_measuring_is_asked_for_what_it_says(problem, monkeypatch):
    asked = {}
    original = _ways.measure

    def measure(*of, **options):
        asked[way] = options, original(*of, **options)
        return asked[way][1]

    monkeypatch.setattr(_ways, "measure", measure)
    problem = _ways.Problem(replace(SETTING, batch_size=5), problem.data)  # 24 minibatches: enough for an anatomy
    for way in ALPHAS[:3]:
        _ways.WAYS[way](problem)()
    assert {way: of[1].method for way, of in asked.items()} == {
        "measure": "matrix",
        "measure, streaming": "streaming",
        "measure, with anatomy": "matrix",
    }
    assert {way: of[1].anatomy is not None for way, of in asked.items()} == dict.fromkeys(ALPHAS[:3], False) | {
        "measure, with anatomy": True
    }
    assert asked["measure, with anatomy"][0] == {"method": "matrix"}  # draws and entries as a user has them


def test_the_parts_are_those_of_the_noise_of_this_network(problem):
    problem = _ways.Problem(replace(SETTING, batch_size=5), problem.data)
    U, own = problem.noise(), {way: _ways.WAYS[way](problem)() for way in set(WAYS) - set(PASSES)}
    assert own["alpha^, clean"] == mohammadi(U)
    assert own["alpha^, published"] == mohammadi(U, convention="published").inverse
    assert (own["anatomy"].P, own["anatomy"].p) == (24, 480)
    assert own["anatomy"].groups == ()
    assert len(own["anatomy, by layer"].groups) == 3
    assert ("all", "units") in own["anatomy, by layer"].found
    assert ("all", "units") not in own["anatomy"].found


def test_the_published_procedure_takes_every_image_once_and_keeps_three_copies(problem, monkeypatch):
    taken, made, there = [], [], []
    one_by_one, cat = _ways._Images.__getitem__, torch.cat
    monkeypatch.setattr(_ways._Images, "__getitem__", lambda self, i: taken.append(i) or one_by_one(self, i))

    def counted(parts, *of):
        there.append({ref().data_ptr() for ref in made if ref() is not None} | {part.data_ptr() for part in parts})
        result = cat(parts, *of)
        made.append(weakref.ref(result))
        return result

    monkeypatch.setattr(torch, "cat", counted)
    _ways.WAYS["published procedure"](problem)()
    assert taken == list(range(120))
    assert len(there[-1]) == 6 + 6  # gradients and their noise, when the vector of all is made of it
    monkeypatch.setattr(_ways, "_Images", None)
    _ways.WAYS["published procedure, images in memory"](problem)()
    assert len(there[-1]) == 6 + 6


def test_the_published_procedure_has_the_layout_of_its_own_time():
    spec = replace(SETTING, dataset="digits32", model="cnn", width=4, depth=0)
    problem = _ways.Problem(spec, data.load("digits32", n_train=120, n_test=1))
    assert problem.model[0].weight.is_contiguous(memory_format=torch.channels_last)
    seen = []
    register = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, of: seen.append(module.weight.is_contiguous()) if isinstance(module, torch.nn.Conv2d) else None
    )
    try:
        _ways.WAYS["published procedure"](problem)()
    finally:
        register.remove()
    assert seen
    assert all(seen)
    assert problem.model[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["digits", "digits32"])
def test_images_one_by_one_are_the_images(name):
    found = data.load(name, n_train=30, n_test=1)
    one_by_one = _ways._Images(found)
    assert len(one_by_one) == 30
    torch.testing.assert_close(torch.stack([one_by_one[i][0] for i in range(30)]), found.x_train, rtol=0, atol=1e-6)
    assert [one_by_one[i][1] for i in range(30)] == found.y_train.tolist()


@pytest.mark.parametrize("way", ["training", *SEEDS, "training, two threads"])
def test_training_is_an_epoch_of_networks_of_their_own_each_time(way, problem):
    spec = replace(SETTING, lr=0.03, schedule="halved", loss="hinge")
    problem.spec = spec
    work = _ways.WAYS[way](problem)
    expected = []
    for seed in range(1, 1 + PASSES[way]):
        network = replace(spec, seed=seed).build()
        how = {"lr": 0.03, "schedule": "halved", "order": "random", "batch_size": 20, "iterations": 6, "snapshots": ()}
        list(_ways.train(network, models.LOSSES["hinge"], problem.data, seed=seed, **how))
        expected.append(torch.cat([w.detach().flatten() for w in network.parameters()]))
    for _ in range(2):  # the second time begins where the first began
        found = [torch.cat([w.detach().flatten() for w in network.parameters()]) for network in work()]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_only_one_way_stacks(problem, monkeypatch):
    monkeypatch.setattr(_ways, "train_stacked", None)
    for way in ("training", "training, seeds in turn", "training, two threads"):
        _ways.WAYS[way](problem)()
    monkeypatch.undo()
    monkeypatch.setattr(_ways, "train", None)
    _ways.WAYS["training, seeds stacked"](problem)()


@pytest.mark.parametrize(("way", "threads"), [("training", 1), ("training, two threads", 2)])
def test_only_one_way_has_two_threads(way, threads, problem, monkeypatch):
    before, seen = torch.get_num_threads(), []
    original = _ways.train
    monkeypatch.setattr(_ways, "train", lambda *of, **how: seen.append(torch.get_num_threads()) or original(*of, **how))
    try:
        _ways.WAYS[way](problem)()
        assert seen == [threads] * PASSES[way]
        assert torch.get_num_threads() == 1  # the rate is that of one
    finally:
        torch.set_num_threads(before)


def test_two_processes_are_at_work_together_each_with_a_seed_of_its_own(problem, monkeypatch, tmp_path):
    original = _ways.train

    def train(network, *of, seed, **how):
        (tmp_path / f"{os.getpid()} {seed}").touch()
        deadline = time.monotonic() + 60
        while len([path for path in tmp_path.iterdir() if "done" not in path.name]) < 2:  # the other one begins, too
            assert time.monotonic() < deadline
        assert torch.get_num_threads() == 1
        yield from original(network, *of, seed=seed, **how)
        (tmp_path / f"{os.getpid()} {seed} done").touch()

    monkeypatch.setattr(_ways, "train", train)
    work = _ways.WAYS["training, two processes"](problem)
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
    monkeypatch.setattr(_ways, "train", None)
    work = _ways.WAYS["training, two processes"](problem)
    with pytest.raises(EOFError):
        work()


@pytest.mark.parametrize("way", _ways.SAMPLERS)
def test_samplers_draw_the_law(way):
    found = np.abs(_ways.SAMPLERS[way](20_000, np.random.default_rng(4)))
    expected = np.abs(stable.sample(1.5, 200_000, generator=np.random.default_rng(5)))
    for q in (0.1, 0.5, 0.9, 0.99):
        assert (found < np.quantile(expected, q)).mean() == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / 20_000))


def rows_of(found):
    return {row["quantity"]: row["value"] for row in found}


def test_the_rate_is_that_of_a_product(monkeypatch):
    now = iter([0.0, 8.0, 10.0, 14.0, 20.0, 24.0, 30.0, 34.0, 40.0, 44.0, 50.0, 54.0])
    monkeypatch.setattr(_cost.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(_cost, "_SIDE", 100)
    with FlopCounterMode(display=False) as counted:
        rate = _cost._rate()
    assert rate == counted.get_total_flops() / 6 / 4.0  # the first one, which takes 8 s, is not counted


def test_time_and_rate_are_those_of_the_work(monkeypatch):
    done = []
    clock = iter([100.0, 107.0])
    rates = iter([1.0, 3.0])
    monkeypatch.setattr(_cost, "_rate", lambda: done.append("rate") or next(rates))
    monkeypatch.setattr(_cost, "_in_use", lambda: done.append("memory"))
    monkeypatch.setattr(_cost.time, "perf_counter", lambda: next(clock))
    found = rows_of(_cost._measured(lambda: done.append("work"), 1))
    assert found == {"seconds": 7.0, "flop/s": 2.0}
    assert done == ["rate", "work", "rate"]


def test_memory_is_the_most_that_the_first_time_had():
    def work():
        np.ones(2**23)  # 64 MiB, let go of
        return np.ones(2**22)

    assert rows_of(_cost._measured(lambda: None, 0))["bytes"] < 1e6  # of the product that gives the rate, nothing
    assert rows_of(_cost._measured(work, 0))["bytes"] == pytest.approx(2**26, rel=0.05)
    assert "bytes" not in rows_of(_cost._measured(work, 1))


def test_what_was_free_before_is_not_in_use():
    torch.ones(2**18).clone()  # warm
    parts = [torch.ones(2**16) for _ in range(64)]  # 16 MiB in pieces that the allocator keeps
    del parts
    work = rows_of(_cost._measured(lambda: [torch.ones(2**16) for _ in range(64)], 0))
    assert 0.9 < work["bytes"] / 2**24 < 1.3  # not next to nothing, because the pieces were there already


def test_a_noise_matrix_gives_its_number_the_first_time():
    U = torch.from_numpy(stable.sample(1.5, 4000, generator=np.random.default_rng(0))).float().view(20, 200)
    expected = mohammadi(U, convention="published").inverse
    assert rows_of(_cost._measured(lambda: U, 0))["1/alpha (published)"] == expected
    assert "1/alpha (published)" not in rows_of(_cost._measured(lambda: U, 1))


def test_the_process_measures_once_a_line_with_one_thread(monkeypatch, capsys):
    threads, done = torch.get_num_threads(), []
    work = lambda: done.append(torch.get_num_threads())  # noqa: E731
    monkeypatch.setattr(_cost, "_work", lambda asked: done.append(asked) or work)
    try:
        torch.set_num_threads(2)
        _cost.main(io.StringIO('{"way": "x"}\nagain\nagain\n'))
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

    monkeypatch.setitem(_cost.WAYS, "measure", way)
    work = _cost._work({"way": "measure", "train": asdict(setting)})
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
    _ways.WAYS[way](_cost._small(_ways.Problem(setting, data.load(dataset, n_train=120, n_test=1))))()


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
            self.spent += 25.0 if self.way == "measure" else 1.0
            return [{"quantity": "seconds", "x": 0.0, "value": 1.0}]

    monkeypatch.setattr(module, "_Process", Process)
    CostSpec(("training", "measure", "bare loop"), 2, SETTING).rows(lambda share: None)
    assert asked == ["training", "measure", "bare loop", "training", "bare loop"]


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
    assert found["all", "load", 1.0] >= 0
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
    monkeypatch.setattr(_ways.subprocess, "run", lambda command, check: ran.append((command[1:], check)))
    for way in _ways.IMPORTS:
        _cost._work({"way": way})()
    wanted = ("import torch", "import torch, tailnoise_utils", "import torch, tailnoise_utils.measure")
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
    others = {SamplerCostSpec: _ways.SAMPLERS, ImportCostSpec: _ways.IMPORTS}
    for profile in experiments.PROFILES:
        specs = experiments.grid("cost", profile)
        assert len(set(specs)) == len(specs)
        for spec in specs:
            assert set(spec.ways) <= set(others.get(type(spec), _ways.WAYS))
    laptop = [spec for spec in experiments.grid("cost", "laptop") if isinstance(spec, CostSpec)]
    assert max(operations(s.train.model, s.train.dataset, s.train.width, s.train.depth)[1] for s in laptop) > 9e6
    assert {spec.replicates for spec in laptop} == {3}
    assert {*WAYS, *SEEDS, *PARALLEL} == set(_ways.WAYS) == {way for spec in laptop for way in spec.ways}


def made_up(specs, seconds):
    """Results with three times a way: `seconds`(spec, way, k); a rate of 10^9 in the first round, half of it, and twice."""
    frames, records = [], []
    for spec in specs:
        record = store.run_record(spec, "", 1.0, "complete", "cpu")
        rows = list(spec._counted())
        p = rows[-1]["value"] if rows else 0
        for way in spec.ways:
            for k, factor in enumerate((1, 0.5, 2)):
                rows += [{"scope": way, "quantity": "seconds", "x": float(k), "value": seconds(spec, way, k)}]
                rows += [{"scope": way, "quantity": "flop/s", "x": float(k), "value": 1e9 * factor}]
            rows += [{"scope": way, "quantity": "bytes", "value": 4.0 * p * (2 if way == "bare loop" else 6)}]
        frames.append(store.to_frame(rows, record["run"]))
        records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


def test_the_table_has_medians_and_ratios_within_rounds():
    specs = experiments.grid("cost", "laptop")
    ways = list(_ways.WAYS)
    slower = (1.0, 2.0, 0.5)  # all ways alike in a round, at half the rate where they take twice as long

    def seconds(spec, way, k):
        return (1.0 + (ways.index(way) if way in ways else 0)) * slower[k]

    results = made_up(specs, seconds)
    table = plots.cost_table(results)
    assert list(table.index.unique("network")) == [
        "FCN 100 × 3, MNIST, 120 × 500",
        "FCN 256 × 4, MNIST, 120 × 500",
        "CNN 64, CIFAR-10, 20 × 500",
    ]
    assert list(table.loc["CNN 64, CIFAR-10, 20 × 500"].index) == list(WAYS)
    line = table.loc["FCN 256 × 4, MNIST, 120 × 500", "measure, streaming"]
    t = 1.0 + ways.index("measure, streaming")
    assert (line["times"], line["seconds"], line["spread"]) == (3, t, 1.5 * t)
    assert line["× operations"] == pytest.approx(t * 1e9 / (2 * 60_000 * operations("fcn", "mnist", 256, 4)[0]))
    assert line["× bare loop"] == t / (1.0 + ways.index("bare loop"))
    assert line["× noise matrix"] == t / (1.0 + ways.index("noise matrix"))
    assert line["published procedure ×"] == (1.0 + ways.index("published procedure")) / t
    assert line["× 4p bytes"] == 6
    assert line["MB"] == pytest.approx(24 * operations("fcn", "mnist", 256, 4)[1] / 1e6)
    assert math.isnan(table.loc["CNN 64, CIFAR-10, 20 × 500", "anatomy"]["× operations"])


def test_one_time_has_no_spread_and_no_memory_is_no_error():
    results = made_up(experiments.grid("cost", "smoke")[:1], lambda spec, way, k: 1.0)
    rows = results.rows
    rows = rows[((rows["x"].isna()) | (rows["x"] == 0)) & (rows["quantity"] != "bytes")]
    table = plots.cost_table(store.Results(rows.reset_index(drop=True), results.runs))
    assert set(table["times"]) == {1}
    assert table[["spread", "MB"]].isna().all(axis=None)


# Seconds of made-up ways, by which each target is met or, a tenth to a half beyond, missed.
TIMES = {
    "training": 1.1,
    "training, seeds in turn": 6.0,
    "training, seeds stacked": 4.2,
    "bare loop": 1.0,
    "noise matrix": 1.12,
    "measure": 1.4,
    "measure, with anatomy": 1.5,
    "measure, streaming": 3.0,
    "published procedure": 31.0,
    "alpha^, clean": 0.2,
    "alpha^, published": 0.27,
    "anatomy": 1.0,
    "anatomy, by layer": 1.1,
    "SaS samples": 1.0,
    "SaS samples, NumPy": 2.5,
    "SaS samples, scipy": 3.5,
    "import torch": 2.0,
    "import tailnoise_utils": 2.1,
    "import tailnoise_utils.measure": 2.3,
}


def targets(change=lambda spec, way, k: 1.0, rates=(1.0, 2.0, 0.5), specs=None, lost=lambda way, k: False):
    """The table, on made-up seconds that are as long as their operations take."""

    def seconds(spec, way, k):
        unit = 1.0
        if isinstance(spec, CostSpec):  # what the counted operations take at 10^9 a second, and at half and twice that
            t = spec.train
            unit = t.n_train * operations(t.model, t.dataset, t.width, t.depth)[0] / 1e9 * rates[k]
        return unit * TIMES.get(way, 1.0) * change(spec, way, k)

    run = {"law": "sas", "seconds": 7.0, "size": 1000, "parameter": 1.5}
    of = {  # each kind of estimator has a run of its own
        "fast": (run, {"hill": 0.1, "mohammadi_order": 0.2}),
        "likelihood": (run, {"maximum_likelihood": 300.0}),
        "small": (run | {"size": 100}, {"maximum_likelihood": 1.0}),
        "other law": (run | {"law": "student"}, {"hill": 9.0}),
        "other index": (run | {"parameter": 0.5}, {"hill": 9.0}),
    }
    frames = [
        store.to_frame([{"scope": name, "quantity": "seconds", "value": value} for name, value in times.items()], key)
        for key, (_, times) in of.items()
    ]
    runs = pd.DataFrame([settings | {"run": key} for key, (settings, _) in of.items()])
    estimators = store.Results(pd.concat(frames, ignore_index=True), runs)
    results = made_up(specs or experiments.grid("cost", "laptop"), seconds)
    kept = [not lost(way, k) for way, k in zip(results.rows["scope"], results.rows["x"], strict=True)]
    rows = results.rows[kept].reset_index(drop=True)
    return plots.cost_targets(store.Results(rows, results.runs), estimators)


def test_targets_are_ratios_of_the_ways_that_they_name():
    table = targets()
    matrix = TIMES["noise matrix"]
    expected = [1.12, 1.12, 0.27 / matrix, 1 / matrix, 1.1 / matrix, 31 / 1.4, 31 / 1.5, 31 / 1.4, 31 / 1.5]
    np.testing.assert_allclose(table["measured"], [*expected, 5, 1.1, 1.4, 2.5, 3.5, 1500, 0.3])
    np.testing.assert_allclose(table["least"].iloc[:5], expected[:5])
    bounds = ["≤ 1.15"] * 2 + ["≤ 0.25", "≤ 1", "≤ 1"] + ["≥ 20"] * 2 + ["≥ 5"] * 2 + ["≤ 5", "≤ 1.15", "≤ 1.5"]
    assert table["asked"].tolist() == [*bounds, "≥ 2", "≥ 3", "≥ 1000", "≤ 0.4"]
    assert table["rounds"].tolist() == [3] * 9 + [1] + [3] * 4 + [1, 3]
    assert set(table["met"]) == {"yes"}

    def missed(way, factor, of=lambda spec: True):
        met = targets(lambda spec, w, k: factor if w == way and of(spec) else 1.0)["met"]
        return [row for row, word in enumerate(met) if word == "no"]

    assert missed("noise matrix", 1.1) == [0, 1]
    assert missed("alpha^, published", 1.1) == [2]
    assert missed("anatomy", 1.2) == [3]
    assert missed("anatomy, by layer", 1.2) == [4]
    assert missed("published procedure", 0.94) == [6]
    assert missed("published procedure", 0.2) == [5, 6, 7, 8]
    assert missed("training", 1.1) == [10]
    assert missed("training", 1.1, lambda spec: spec.train.width < 256) == []
    assert missed("training, seeds stacked", 1.1) == [11]
    assert missed("training, seeds stacked", 1.1, lambda spec: spec.train.width == 256) == []
    assert missed("SaS samples", 1.2) == [13]
    assert missed("SaS samples", 1.3) == [12, 13]
    assert missed("import tailnoise_utils", 1.3) == [15]
    assert missed("import tailnoise_utils.measure", 1.1) == [15]


def test_the_memory_that_counts_is_that_of_large_networks_above_the_bare_loop():
    results = made_up(experiments.grid("cost", "laptop"), lambda spec, way, k: 1.0)
    estimators = store.Results(
        store.to_frame(
            [{"scope": of, "quantity": "seconds", "value": 1.0} for of in ("hill", "maximum_likelihood")], "a"
        ),
        pd.DataFrame([{"run": "a", "law": "sas", "parameter": 1.5, "size": 1000, "seconds": 1.0}]),
    )
    bytes_ = (results.rows["quantity"] == "bytes") & (results.rows["scope"] == "measure, streaming")
    p = results.rows[results.rows["quantity"] == "parameters"].set_index("run")["value"]
    own = results.rows["run"].map(p)
    for chosen, expected in ((own < 1e6, 5.0), (own > 9e6, 7.0)):
        rows = results.rows.copy()
        rows.loc[bytes_ & chosen, "value"] = 32.0 * own[bytes_ & chosen]
        table = plots.cost_targets(store.Results(rows, results.runs), estimators)
        assert table["measured"].iloc[9] == pytest.approx(expected)


def test_rounds_that_differ_about_a_target_are_too_close_to_say():
    table = targets(lambda spec, way, k: 1.2 if way == "bare loop" and k == 1 else 1.0)
    assert table["met"].iloc[1] == "yes"
    table = targets(lambda spec, way, k: 1.1 if way == "noise matrix" and k == 1 else 1.0)
    assert table["met"].iloc[:2].tolist() == ["too close to say"] * 2
    assert table["most"].iloc[0] == pytest.approx(1.12 * 1.1)
    assert table["measured"].iloc[0] == pytest.approx(1.12)


@pytest.mark.parametrize(
    ("ways", "one", "other", "sizes"),
    [
        (SEEDS, "in turn", "stacked", [(16, 2), (16, 6), (64, 2), (64, 6), (256, 2), (256, 6)]),
        (PARALLEL, "two threads", "two processes", [(16, 6), (64, 6), (256, 6), (1024, 4)]),
    ],
)
def test_networks_are_trained_in_two_ways(ways, one, other, sizes):
    specs = experiments.grid("cost", "laptop")
    times = {0: (3.0, 6.0), 1: (4.0, 4.0), 2: (2.0, 8.0)}
    table = plots.together_table(made_up(specs, lambda spec, way, k: times[k][way == ways[0]]), ways)
    assert list(table.index) == [f"FCN {w} × {d}, MNIST, 20 × 500" for w, d in sizes]
    line, networks = table.loc["FCN 64 × 6, MNIST, 20 × 500"], PASSES[ways[0]]
    assert line[f"{one}, ms"] == pytest.approx(6000 / (20 * networks))
    assert line[f"{other}, ms"] == pytest.approx(3000 / (20 * networks))
    assert line[[f"{one} / {other}", "least", "most"]].tolist() == [2, 1, 4]
    each = operations("fcn", "mnist", 64, 6)[0]
    assert line[f"{other}, × operations"] == pytest.approx(3.0 * 1e9 / (networks * 10_000 * each))
    assert line[f"{other}, MB"] == pytest.approx(24 * operations("fcn", "mnist", 64, 6)[1] / 1e6)


def test_a_target_is_judged_on_the_rounds_that_both_ways_have():
    table = targets(lost=lambda way, k: way == "published procedure" and k == 2)
    assert table["rounds"].tolist()[5:9] == [2] * 4
    assert set(table["met"]) == {"yes"}


def test_targets_of_what_was_not_measured_are_not_met():
    specs = [spec for spec in experiments.grid("cost", "laptop") if not isinstance(spec, ImportCostSpec)]
    with pytest.raises(ValueError, match="the results have no 'seconds that importing this package or"):
        targets(specs=specs)
    specs = [s for s in experiments.grid("cost", "laptop") if not (hasattr(s, "train") and s.train.width == 100)]
    with pytest.raises(ValueError, match=r"the results have no 'published procedure / measure \(FCN 100"):
        targets(specs=specs)


def test_growth_is_drawn_against_each_size():
    specs = experiments.grid("cost", "laptop")
    figure = plots.cost_growth(
        made_up(specs, lambda spec, way, k: spec.train.width + spec.train.n_train if hasattr(spec, "train") else 1.0)
    )
    drawn = [{line.get_label(): line.get_xydata() for line in axes.lines} for axes in figure.axes]
    p = [operations("fcn", "mnist", *of)[1] for of in ((16, 3), (64, 3), (100, 3), (256, 4), (1024, 4), (1024, 10))]
    xy = drawn[0]["measure"]
    np.testing.assert_allclose(xy[:, 0], p)
    np.testing.assert_allclose(xy[:, 1], [width + 10_000 for width in (16, 64, 100, 256, 1024, 1024)])
    np.testing.assert_allclose(drawn[1]["measure"], [[P, 100 + 500 * P] for P in (15, 30, 60, 120)])
    np.testing.assert_allclose(drawn[2]["measure"], [[20 * b, 100 + 20 * b] for b in (50, 500, 2500)])
    np.testing.assert_allclose(drawn[3]["measure"], [[n, 24 * n / 1e6] for n in p])
    assert len(drawn[0]) == 7 + 1
    np.testing.assert_allclose(drawn[1]["in proportion"][:, 1], [60_100 * P / 120 for P in (15, 30, 60, 120)])


def test_samplers_are_compared_with_ours():
    specs = experiments.grid("cost", "smoke")
    results = made_up(specs, lambda spec, way, k: 2.0 + k if "NumPy" in way else 2.0)
    table = plots.sampler_table(results)
    assert table["× ours"].tolist() == [1.0, 1.5]
    assert table["spread"].tolist() == [0.0, 2.0]
    once = results.rows[~(results.rows["x"] > 0)].reset_index(drop=True)
    assert plots.sampler_table(store.Results(once, results.runs))["spread"].isna().all()


def test_the_papers_operations_are_those_of_its_grids():
    def seconds(
        spec, way, k
    ):  # training takes 2 times its operations in narrow FCNs, 3 times in wide ones, 5 in the CNN
        t = getattr(spec, "train", None)
        if t is None:
            return 1.0
        unit = PASSES.get(way, 1) * t.n_train * operations(t.model, t.dataset, t.width, t.depth)[0] / 1e9
        return unit * (1.0, 2.0, 0.5)[k] * {"training": longer(t), "measure, with anatomy": 7.0}.get(way, 9.0)

    def longer(t):
        return 5.0 if t.model == "cnn" else 2.0 if t.width < 80 else 3.0

    measured = made_up(experiments.grid("cost", "laptop"), seconds)
    table = plots.paper_operations({"CPU": 1e12, "GPU": 1e14}, measured)
    specs = experiments.grid("fcn_size", "paper")
    each = [operations(s.train.model, s.train.dataset, s.train.width, s.train.depth)[0] for s in specs]
    assert table.loc["fcn_size", "trainings"] == 972
    assert table.loc["fcn_size", "training"] == 65_000 * 500 * sum(each)
    n = {"mnist": 60_000, "cifar10": 50_000}
    once = [n[s.train.dataset] * count * len(s.points) for s, count in zip(specs, each, strict=True)]
    assert table.loc["fcn_size", "measuring"] == 2 * sum(once)  # a random partition, and data order
    pieces = zip(specs, each, once, strict=True)
    slower = sum(longer(s.train) * 65_000 * 500 * count + 7 * 2 * of for s, count, of in pieces)
    assert table.loc["fcn_size", "hours, CPU, scaled"] == pytest.approx(slower / 1e12 / 3600)
    by_hand = 5 * table.loc["cnn_size", "training"] + 7 * table.loc["cnn_size", "measuring"]
    assert table.loc["cnn_size", "hours, CPU, scaled"] == pytest.approx(by_hand / 1e12 / 3600)
    assert table.loc["all", "trainings"] < table["trainings"].iloc[:-1].sum()
    trainings, repeated = set(), 0.0
    for name in experiments.EXPERIMENTS:
        own = {s.train for s in experiments.grid(name, "paper") if isinstance(s, Measured)}
        for t in own & trainings:
            repeated += longer(t) * t.iterations * t.batch_size * operations(t.model, t.dataset, t.width, t.depth)[0]
        trainings |= own
    assert table.loc["all", "trainings"] == len(trainings)
    assert table.loc["all", "measuring"] == table["measuring"].iloc[:-1].sum()
    each_line = table["hours, CPU, scaled"]
    assert each_line["all"] == pytest.approx(each_line.iloc[:-1].sum() - repeated / 1e12 / 3600)
    assert repeated > 0
    hours = (table["training"] + table["measuring"]) / 1e12 / 3600
    np.testing.assert_allclose(table["hours, CPU"], hours)
    np.testing.assert_allclose(table["hours, GPU"], hours / 100)
    assert 1e17 < table.loc["fcn_size", "training"] < 3e17
