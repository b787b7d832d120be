"""What is timed is what it says, each way gives the same numbers, and operations and memory are counted right."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import Timeout
from torch.nn.functional import cross_entropy

from tailnoise_utils import data, experiments, files, models, noise, plots, snapshots, stable, store
from tailnoise_utils.minibatches import Minibatches
from tailnoise_utils.specs import CostSpec, SamplerCostSpec, _cost
from tailnoise_utils.specs._measured import Measured
from tailnoise_utils.specs.cost import PASSES, operations
from tailnoise_utils.tail_index import mohammadi

SETTING = snapshots.TrainSpec("digits", 120, 1, "fcn", 6, 3, "nll", 20, 0.1, "constant", "random", 6, (), 1)


@pytest.fixture
def problem():
    images = data.load("digits", n_train=120, n_test=1)
    return _cost.Problem(models.fcn(64, 6, 3, 10, seed=1), images, 20, 1)


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


@pytest.mark.parametrize("way", ["noise matrix", "vmap over minibatches", "gradient of each sample"])
def test_ways_to_the_noise_matrix_give_the_same_one(way, problem, monkeypatch):
    monkeypatch.setattr(_cost, "_TOGETHER", 4)  # of 6 minibatches
    monkeypatch.setattr(_cost, "_BYTES", 7 * 4 * (64 * 6 + 36 + 60))  # 7 samples of 20
    x, y = problem.data.x_train, problem.data.y_train
    expected = noise.noise_matrix(problem.model, cross_entropy, Minibatches(x, y, 20, order="data"))
    found = _cost.WAYS[way](problem)()
    assert found.shape == (6, 480)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "way", ["measure", "measure, streaming", "measure, with anatomy", "published procedure", "alpha^, published"]
)
def test_ways_to_alpha_give_the_same_one(way, problem, monkeypatch):
    # All pixels count and no unit is dead: exact zeros would be rounding errors in one way, and zeros in another.
    problem.data.x_train.add_(0.5)
    problem.model = models.fcn(64, 6, 2, 10, seed=3)
    one_by_one = _cost._Images.__getitem__
    monkeypatch.setattr(
        _cost._Images, "__getitem__", lambda self, i: (one_by_one(self, i)[0] + 0.5, one_by_one(self, i)[1])
    )
    images = _cost._Images(data.load("digits", n_train=120, n_test=1))
    monkeypatch.setattr(_cost, "_Images", lambda found: images)
    expected = mohammadi(problem.noise(), convention="published")
    assert expected.info["K1"] > 10
    assert _cost.WAYS[way](problem)() == pytest.approx(expected.inverse, rel=1e-4)


@pytest.mark.parametrize("name", ["digits", "digits32"])
def test_images_one_by_one_are_the_images(name):
    found = data.load(name, n_train=30, n_test=1)
    one_by_one = _cost._Images(found)
    assert len(one_by_one) == 30
    torch.testing.assert_close(torch.stack([one_by_one[i][0] for i in range(30)]), found.x_train, rtol=0, atol=1e-6)
    assert [one_by_one[i][1] for i in range(30)] == found.y_train.tolist()


def test_training_is_one_epoch(problem, monkeypatch):
    asked = {}

    def train(model, loss, images, **options):
        asked.update(options)
        return iter(())

    monkeypatch.setattr(_cost, "train", train)
    assert _cost.WAYS["training"](problem)() == []
    assert (asked["iterations"], asked["batch_size"], asked["snapshots"], asked["lr"]) == (6, 20, (), 0.1)


@pytest.mark.parametrize("way", ["training, seeds in turn", "training, seeds stacked"])
def test_three_seeds_are_trained_for_an_epoch(way, problem, monkeypatch):
    steps = []

    def each(name, count):
        original = getattr(_cost, name)

        def wrapped(*of, **more):
            return original(*of, **more, each=lambda iteration: steps.append(count))

        monkeypatch.setattr(_cost, name, wrapped)

    each("train", 1)
    each("train_stacked", 3)
    before = [w.clone() for w in problem.model.parameters()]
    _cost.WAYS[way](problem)()
    assert steps == ([1] * 18 if "turn" in way else [3] * 6)
    assert all(torch.equal(w, v) for w, v in zip(problem.model.parameters(), before, strict=True))


@pytest.mark.parametrize("way", _cost.SAMPLERS)
def test_samplers_draw_the_law(way):
    found = np.abs(_cost.SAMPLERS[way](20_000, np.random.default_rng(4)))
    expected = np.abs(stable.sample(1.5, 200_000, generator=np.random.default_rng(5)))
    for q in (0.1, 0.5, 0.9, 0.99):
        assert (found < np.quantile(expected, q)).mean() == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / 20_000))


def test_memory_is_the_most_that_the_work_had(monkeypatch):
    monkeypatch.setattr(_cost, "_SIDE", 64)
    list(_cost._measured(lambda: None, 1))

    def work():
        np.ones(2**23)  # 64 MiB, let go of
        return np.ones(2**22)

    rows = {(row["quantity"], row.get("x")): row["value"] for row in _cost._measured(work, 2)}
    assert rows["bytes", None] == pytest.approx(2**26, rel=0.1)
    assert {key for key in rows if key[0] == "seconds"} == {("seconds", 0.0), ("seconds", 1.0)}
    assert rows["flop/s", None] > 0


def test_what_takes_long_is_not_repeated(monkeypatch):
    monkeypatch.setattr(_cost, "_SIDE", 64)
    monkeypatch.setattr(_cost, "_ENOUGH", 0.0)
    rows = list(_cost._measured(lambda: None, 3))
    assert [row["x"] for row in rows if row["quantity"] == "seconds"] == [0.0]


def test_a_run_measures_each_way_in_a_process_and_counts(tmp_path):
    spec = CostSpec(("measure, streaming", "alpha^, clean"), 2, SETTING)
    done = []
    rows = spec.rows(done.append)
    assert sum(done) == pytest.approx(1)
    found = {(row.get("scope", "all"), row["quantity"], row.get("x")): row["value"] for row in rows}
    assert len(found) == len(rows)
    each, p = operations("fcn", "digits", 6, 3)
    assert found["measure, streaming", "operations", None] == 2 * 120 * each
    assert found["all", "parameters", None] == p == 480
    assert ("alpha^, clean", "operations", None) not in found
    for way in spec.ways:
        assert 0 < found[way, "seconds", 1.0] < 60
        assert found[way, "flop/s", None] > 1e6
        assert found[way, "bytes", None] >= 0
    assert ("measure, streaming", "1/alpha (published)", None) in found
    counted = [row for row in rows if row["quantity"] in ("operations", "parameters")]
    assert spec.again(tmp_path) == counted
    assert spec.data_sha256() == snapshots.images("digits", 120, 1).digest


def test_a_sampler_has_nothing_that_can_be_had_again(tmp_path):
    spec = SamplerCostSpec(("SaS samples",), 1, 1000, 0)
    assert spec.again(tmp_path) is None
    assert {row["quantity"] for row in spec.rows(lambda share: None)} == {"seconds", "bytes", "flop/s"}


def test_a_way_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"(?s)'by hand' ended with exit status 1: .*KeyError: 'by hand'"):
        CostSpec(("by hand",), 1, SETTING).rows(lambda share: None)


def test_two_runs_wait_for_each_other():
    with (
        CostSpec(("measure",), 1, SETTING).alone(),
        pytest.raises(Timeout),
        files.lock(snapshots.kept_in("cost"), timeout=0.0),
    ):
        pass


def test_the_grids_ask_for_ways_that_there_are():
    for profile in experiments.PROFILES:
        specs = experiments.grid("cost", profile)
        assert len(set(specs)) == len(specs)
        for spec in specs:
            assert set(spec.ways) <= set(_cost.WAYS if isinstance(spec, CostSpec) else _cost.SAMPLERS)
    laptop = [spec for spec in experiments.grid("cost", "laptop") if isinstance(spec, CostSpec)]
    assert max(operations(s.train.model, s.train.dataset, s.train.width, s.train.depth)[1] for s in laptop) > 9e6
    assert set(PASSES) < set(_cost.WAYS) == {way for spec in laptop for way in spec.ways}


def made_up(specs, seconds):
    """Results with three times a way: `seconds`(spec, way), half and twice that; a rate of 10^9, and 5 p numbers."""
    frames, records = [], []
    for spec in specs:
        record = store.run_record(spec, "", 1.0, "complete", "cpu")
        rows = list(spec._counted())
        p = rows[-1]["value"] if rows else 0
        for way in spec.ways:
            times = [seconds(spec, way) * factor for factor in (1, 0.5, 2)]
            rows += [{"scope": way, "quantity": "seconds", "x": float(k), "value": t} for k, t in enumerate(times)]
            rows += [{"scope": way, "quantity": "flop/s", "value": 1e9}]
            rows += [{"scope": way, "quantity": "bytes", "value": 20.0 * p}]
        frames.append(store.to_frame(rows, record["run"]))
        records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


def test_the_table_has_medians_and_ratios():
    specs = experiments.grid("cost", "laptop")
    ways = list(_cost.WAYS)
    results = made_up(specs, lambda spec, way: 1.0 + (ways.index(way) if way in ways else 0))
    table = plots.cost_table(results)
    assert list(table.index.unique("network")) == [
        "FCN 100 × 3, MNIST, 120 × 500",
        "FCN 256 × 4, MNIST, 120 × 500",
        "CNN 64, CIFAR-10, 20 × 500",
    ]
    line = table.loc["FCN 256 × 4, MNIST, 120 × 500", "measure, streaming"]
    t = 1.0 + ways.index("measure, streaming")
    assert line["seconds"] == t
    assert line["spread"] == 1.5 * t
    assert line["× operations"] == pytest.approx(t * 1e9 / (2 * 60_000 * operations("fcn", "mnist", 256, 4)[0]))
    assert line["× bare loop"] == t / (1.0 + ways.index("bare loop"))
    assert line["× noise matrix"] == t / (1.0 + ways.index("noise matrix"))
    assert line["published procedure ×"] == (1.0 + ways.index("published procedure")) / t
    assert line["× 4p bytes"] == 5
    assert math.isnan(table.loc["CNN 64, CIFAR-10, 20 × 500", "anatomy"]["× operations"])


# Seconds of made-up ways, by which each target is met or, doubled or halved, missed.
TIMES = {
    "training": 1.1,
    "bare loop": 1.0,
    "noise matrix": 1.12,
    "measure": 1.5,
    "measure, streaming": 3.0,
    "published procedure": 31.0,
    "alpha^, clean": 0.2,
    "alpha^, published": 0.27,
    "anatomy": 1.0,
    "SaS samples": 1.0,
    "SaS samples, NumPy": 2.5,
    "SaS samples, scipy": 3.5,
}


def test_targets_are_ratios_of_the_ways_that_they_name():
    def seconds(spec, way):
        unit = 1.0
        if isinstance(spec, CostSpec):  # what the counted operations take at 10^9 a second
            t = spec.train
            unit = t.n_train * operations(t.model, t.dataset, t.width, t.depth)[0] / 1e9
        return unit * TIMES.get(way, 1.0)

    specs, bare = experiments.grid("cost", "laptop"), {"law": "sas", "size": 1000, "seconds": 7.0}
    times = [("hill", 0.1), ("mohammadi_order", 0.2), ("maximum_likelihood", 300.0)]
    rows = [{"scope": scope, "quantity": "seconds", "value": value} for scope, value in times]
    estimators = store.Results(
        pd.concat([store.to_frame(rows, "a"), store.to_frame([rows[2] | {"value": 1.0}], "b")], ignore_index=True),
        pd.DataFrame([bare | {"run": "a"}, bare | {"run": "b", "size": 100}]),
    )
    table = plots.cost_targets(made_up(specs, seconds), estimators)
    expected = [1.12, 1.12, 0.27 / 1.12, 1 / 1.12, 31 / 1.5, 31 / 1.5, 5, 1.1, 2.5, 3.5, 1500]
    np.testing.assert_allclose(table["measured"], expected)
    assert table["asked"].iloc[[0, 4]].tolist() == ["≤ 1.15", "≥ 20"]
    assert set(table["met"]) == {"yes"}

    def missed(way, factor):
        other = made_up(specs, lambda spec, w: seconds(spec, w) * (factor if w == way else 1))
        met = plots.cost_targets(other, estimators)["met"]
        return [row for row, word in enumerate(met) if word == "no"]

    assert missed("noise matrix", 1.1) == [0, 1]
    assert missed("alpha^, published", 1.1) == [2]
    assert missed("anatomy", 1.2) == [3]
    assert missed("published procedure", 0.9) == [4]
    assert missed("published procedure", 0.2) == [4, 5]
    assert missed("training", 1.1) == [7]
    assert missed("SaS samples", 1.2) == [9]
    assert missed("SaS samples", 1.3) == [8, 9]


def test_seeds_stacked_are_compared_with_seeds_in_turn():
    specs = experiments.grid("cost", "laptop")
    table = plots.stacked_table(made_up(specs, lambda spec, way: 3.0 if "stacked" in way else 6.0))
    assert list(table.index) == [f"FCN {w} × {d}, MNIST" for w in (16, 64, 256) for d in (2, 6)]
    line = table.loc["FCN 64 × 6, MNIST"]
    assert line["in turn, ms"] == pytest.approx(6000 / (20 * 3))
    assert line["stacked, ms"] == pytest.approx(3000 / (20 * 3))
    assert line["in turn / stacked"] == pytest.approx(2)
    each = operations("fcn", "mnist", 64, 6)[0]
    assert line["stacked, × operations"] == pytest.approx(3.0 * 1e9 / (3 * 10_000 * each))


def test_growth_is_drawn_against_each_size():
    specs = experiments.grid("cost", "laptop")
    figure = plots.cost_growth(
        made_up(specs, lambda spec, way: spec.train.width + spec.train.n_train if hasattr(spec, "train") else 1.0)
    )
    drawn = [{line.get_label(): line.get_xydata() for line in axes.lines} for axes in figure.axes]
    p = [operations("fcn", "mnist", *of)[1] for of in ((16, 3), (64, 3), (100, 3), (256, 4), (1024, 4), (1024, 10))]
    xy = drawn[0]["measure"]
    np.testing.assert_allclose(xy[:, 0], p)
    np.testing.assert_allclose(xy[:, 1], [width + 10_000 for width in (16, 64, 100, 256, 1024, 1024)])
    np.testing.assert_allclose(drawn[1]["measure"], [[P, 100 + 500 * P] for P in (15, 30, 60, 120)])
    np.testing.assert_allclose(drawn[2]["measure"], [[20 * b, 100 + 20 * b] for b in (50, 500, 2500)])
    np.testing.assert_allclose(drawn[3]["measure"], [[n, 20 * n / 1e6] for n in p])
    assert len(drawn[0]) == 6 + 1
    np.testing.assert_allclose(drawn[1]["in proportion"][:, 1], [60_100 * P / 120 for P in (15, 30, 60, 120)])


def test_samplers_are_compared_with_ours():
    specs = experiments.grid("cost", "smoke")
    table = plots.sampler_table(made_up(specs, lambda spec, way: 3.0 if "NumPy" in way else 2.0))
    assert table["× ours"].tolist() == [1.0, 1.5]
    assert table["spread"].tolist() == [3.0, 4.5]


def test_the_papers_operations_are_those_of_its_grids():
    table = plots.paper_operations(1e12)
    specs = experiments.grid("fcn_size", "paper")
    each = [operations(s.train.model, s.train.dataset, s.train.width, s.train.depth)[0] for s in specs]
    assert table.loc["fcn_size", "trainings"] == 972
    assert table.loc["fcn_size", "training"] == 65_000 * 500 * sum(each)
    n = {"mnist": 60_000, "cifar10": 50_000}
    once = sum(n[s.train.dataset] * count * len(s.points) for s, count in zip(specs, each, strict=True))
    assert table.loc["fcn_size", "measuring"] == 2 * once  # a random partition, and data order
    assert table.loc["all", "trainings"] < table["trainings"].iloc[:-1].sum()
    trainings = {
        s.train for name in experiments.EXPERIMENTS for s in experiments.grid(name, "paper") if isinstance(s, Measured)
    }
    assert table.loc["all", "trainings"] == len(trainings)
    hours = (table["training"] + table["measuring"]) / 1e12 / 3600
    np.testing.assert_allclose(table["hours"], hours)
    assert 1e17 < table.loc["fcn_size", "training"] < 3e17
