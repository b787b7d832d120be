"""Tables and figures of what measuring costs, on made-up seconds."""

import math

import numpy as np
import pandas as pd
import pytest

from tailnoise_utils.study import experiments, figures
from tailnoise_utils.study.experiments import cost_ways
from tailnoise_utils.study.experiments.cost_spec import (
    PARALLEL,
    PASSES,
    SEEDS,
    WAYS,
    CostSpec,
    ImportCostSpec,
    operations,
)
from tailnoise_utils.study.experiments.spec import Measured
from tailnoise_utils.study.results import store


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
    ways = list(cost_ways.WAYS)
    slower = (1.0, 2.0, 0.5)  # all ways alike in a round, at half the rate where they take twice as long

    def seconds(spec, way, k):
        return (1.0 + (ways.index(way) if way in ways else 0)) * slower[k]

    results = made_up(specs, seconds)
    table = figures.cost_table(results)
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


def test_operations_take_the_rate_that_all_ways_of_a_round_had():
    results = made_up(experiments.grid("cost", "laptop")[:1], lambda spec, way, k: 1.0)
    rows = results.rows
    odd = (rows["quantity"] == "flop/s") & (rows["scope"] == "training")
    table = figures.cost_table(results)
    rows.loc[odd, "value"] *= 3
    pd.testing.assert_frame_equal(figures.cost_table(store.Results(rows, results.runs)), table)


def test_one_time_has_no_spread_and_no_memory_is_no_error():
    results = made_up(experiments.grid("cost", "smoke")[:1], lambda spec, way, k: 1.0)
    rows = results.rows
    rows = rows[((rows["x"].isna()) | (rows["x"] == 0)) & (rows["quantity"] != "bytes")]
    table = figures.cost_table(store.Results(rows.reset_index(drop=True), results.runs))
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
    "import tailnoise_utils.measurement.one_call": 2.3,
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
    return figures.cost_targets(store.Results(rows, results.runs), estimators)


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
    assert missed("import tailnoise_utils.measurement.one_call", 1.1) == [15]


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
        table = figures.cost_targets(store.Results(rows, results.runs), estimators)
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
    table = figures.together_table(made_up(specs, lambda spec, way, k: times[k][way == ways[0]]), ways)
    assert list(table.index) == [f"FCN {w} × {d}, MNIST, 20 × 500" for w, d in sizes]
    line, networks = table.loc["FCN 64 × 6, MNIST, 20 × 500"], PASSES[ways[0]]
    assert line[f"{one}, ms"] == pytest.approx(6000 / (20 * networks))
    assert line[f"{other}, ms"] == pytest.approx(3000 / (20 * networks))
    assert line[[f"{one} / {other}", "least", "most"]].tolist() == [2, 1, 4]
    each = operations("fcn", "mnist", 64, 6)[0]
    assert line[f"{other}, × operations"] == pytest.approx(3.0 * 1e9 / (networks * 10_000 * each))
    assert line[f"{other}, MB"] == pytest.approx(24 * operations("fcn", "mnist", 64, 6)[1] / 1e6)


@pytest.mark.parametrize(("width", "depth"), [(16, 2), (64, 6)])
def test_of_several_networks_the_worst_is_named(width, depth):
    def slow(spec, way, k):
        return 2.0 if way.endswith("stacked") and (spec.train.width, spec.train.depth) == (width, depth) else 1.0

    names = list(targets(slow).index)
    assert names[11] == f"training, seeds stacked / its operations (widths 16 to 64): FCN {width} × {depth}"
    assert names[0] == "noise matrix / its operations (FCN 256 × 4)"


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
    figure = figures.cost_growth(
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


def test_in_smoke_what_was_measured_of_two_networks_is_drawn():
    figure = figures.cost_growth(made_up(experiments.grid("cost", "smoke"), lambda spec, way, k: 1.0))
    drawn = [line.get_label() for line in figure.axes[0].lines]
    assert drawn == ["noise matrix", "in proportion", "measure", "measure, streaming"]


def test_samplers_are_compared_with_ours():
    specs = experiments.grid("cost", "smoke")
    results = made_up(specs, lambda spec, way, k: 2.0 + k if "NumPy" in way else 2.0)
    table = figures.sampler_table(results)
    assert table["× ours"].tolist() == [1.0, 1.5]
    assert table["spread"].tolist() == [0.0, 2.0]
    once = results.rows[~(results.rows["x"] > 0)].reset_index(drop=True)
    assert figures.sampler_table(store.Results(once, results.runs))["spread"].isna().all()


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
    table = figures.paper_operations({"CPU": 1e12, "GPU": 1e14}, measured)
    specs = experiments.grid("fcn_size", "constant")
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
        own = {s.train for s in experiments.grid(name, "constant") if isinstance(s, Measured)}
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
