"""Every way gives the same number from the same gradients; time and memory are those of the work; ratios within a round."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch.utils.flop_counter import FlopCounterMode

from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import cost
from tailnoise_utils.study.experiments.cost import CostSpec
from tailnoise_utils.study.figures import cost as figures
from tailnoise_utils.study.results import store
from tailnoise_utils.tail_index import mohammadi

pytestmark = pytest.mark.slow

TINY = CostSpec(tuple(cost.WAYS), 1, "fcn", 6, 2, 20, 16, 1)
PASSES = dict.fromkeys(cost.WAYS, 6) | {
    "measure": 8,
    "measure with diagnosis": 8,
    "measure, streaming": 14,
}  # of 6; two again


@pytest.mark.parametrize("model", ["fcn", "cnn"])
@pytest.mark.parametrize("way", cost.WAYS)
def test_each_way_takes_the_gradients_of_all_minibatches_without_dropout(way, model, monkeypatch):
    spec = replace(TINY, model=model, minibatches=6, width=4)  # too few for a diagnosis, which has products of its own
    drops, forward = [], torch.nn.Dropout.forward
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: drops.append(self.training) or forward(self, x))
    network, batches = spec.problem()
    with FlopCounterMode(display=False) as counted:
        cost.WAYS[way](network, batches)
    with FlopCounterMode(display=False) as expected:
        for x, y in batches:
            torch.nn.functional.cross_entropy(network(x), y).backward()
    assert 6 * counted.get_total_flops() == PASSES[way] * expected.get_total_flops() > 0
    assert not any(drops)


def test_all_ways_to_alpha_give_the_same_one():
    network, batches = TINY.problem()
    expected = mohammadi(cost.WAYS["noise matrix"](network, batches), convention="published")
    assert expected.info["K1"] > 10
    for way in list(cost.WAYS)[2:]:
        assert cost.WAYS[way](network, batches) == pytest.approx(expected.inverse, rel=1e-4)


def test_measuring_is_asked_for_what_it_says(monkeypatch):
    reports, original = [], cost.measure
    monkeypatch.setattr(cost, "measure", lambda *a, **options: reports.append(original(*a, **options)) or reports[-1])
    for way in ("measure", "measure, streaming", "measure with diagnosis"):
        cost.WAYS[way](*TINY.problem())
    assert [report.method for report in reports] == ["matrix", "streaming", "matrix"]
    assert [report.diagnosis is not None for report in reports] == [False, False, True]


def test_rounds_are_interleaved_and_each_time_is_that_of_its_work(monkeypatch):
    done, shares, seconds = [], [], {"a": 2.0, "b": 3.0}
    ways = {name: lambda model, batches, name=name: done.append(name) for name in seconds}
    monkeypatch.setattr(cost, "WAYS", ways)
    monkeypatch.setattr(cost.time, "perf_counter", lambda: sum(map(seconds.get, done)))
    monkeypatch.setattr(CostSpec, "_peaks", lambda self: {})
    monkeypatch.setattr(cost, "_plain_loop", lambda model, batches: None)
    rows = replace(TINY, ways=("a", "b"), rounds=2).rows(shares.append)
    assert done == ["a", "b", "a", "b"]
    assert [(r["scope"], r["x"], r["value"]) for r in rows] == [("a", 0, 2), ("b", 0, 3), ("a", 1, 2), ("b", 1, 3)]
    assert sum(shares) == pytest.approx(1)


def lines_of_a_new_process(*lines):
    """What a process that may be killed, or change how memory is given back, prints and complains of."""
    head = "import os, numpy as np\nfrom test_cost import TINY, cost, replace"
    return subprocess.run(
        [sys.executable, "-c", "\n".join([head, *lines])],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["tests", "."])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_memory_is_the_most_in_use_beyond_what_was_there_and_a_killed_process_is_an_error():
    done = lines_of_a_new_process(
        "cost.WAYS['measure'] = lambda model, batches: (np.ones(2**23), None)[1] or np.ones(2**22)",  # 64 MiB, let go of
        "print(TINY.peak('plain loop'), TINY.peak('measure'))",
        "cost.WAYS['measure'] = lambda model, batches: os.kill(os.getpid(), 9)",
        "replace(TINY, ways=('plain loop', 'measure')).in_forks()",
    )
    nothing, peak = map(float, done.stdout.split())
    assert nothing < 2**22
    assert peak == pytest.approx(2**26, rel=0.05)
    assert "BrokenProcessPool" in done.stderr


def test_a_run_takes_the_memory_of_each_way_in_a_process_of_its_own(monkeypatch):
    ways = ("plain loop", "noise matrix", "published procedure")
    rows = replace(TINY, ways=ways, width=64, batch_size=2, minibatches=40).rows(lambda share: None)  # a matrix of 8 MB
    peaks = {row["scope"]: row["value"] for row in rows if row["quantity"] == "bytes"}
    matrix = 4 * 40 * (784 * 64 + 64 * 10)
    assert tuple(peaks) == ways
    assert peaks["plain loop"] < peaks["noise matrix"]
    assert peaks["noise matrix"] > matrix
    assert peaks["published procedure"] > 3 * matrix
    with pytest.raises(RuntimeError, match=r"(?s)memory of CostSpec.*KeyError: 'by hand'"):
        replace(TINY, ways=("by hand",))._peaks()
    monkeypatch.setattr(cost, "_PEAK", Path("/nowhere"))  # another system than Linux
    assert not TINY._peaks()


def test_the_estimate_of_a_small_network_can_be_had_again(tmp_path):
    spec = replace(TINY, ways=("noise matrix", "measure"))
    estimate = cost.WAYS["measure"](*spec.problem())
    assert spec.again(tmp_path) == [{"scope": "measure", "quantity": "1/alpha (published)", "value": estimate}]
    assert replace(spec, width=101).again(tmp_path) is None


def test_ratios_are_taken_within_a_round():
    specs, frames = experiments.grid("cost", "laptop"), []
    records = [store.run_record(spec, "", 1.0) for spec in specs]
    for spec, record in zip(specs, records, strict=True):
        rows = [
            {"scope": way, "quantity": "seconds", "x": k, "value": (1.0 + i) * slow + (i == 1 and k == 2)}
            for k, slow in enumerate((1, 4, 2))
            for i, way in enumerate(spec.ways)
        ]
        peaks = [{"scope": way, "quantity": "bytes", "value": 3e6 + i} for i, way in enumerate(spec.ways)]
        frames.append(store.to_frame(rows + peaks, record["run"]))
    results = store.Results(store.pd.concat(frames, ignore_index=True), store.pd.DataFrame(records))
    table = figures.cost_table(results)
    networks = [f"FCN {size}, P = 40, b = 500" for size in ("100 × 3", "256 × 4")] + ["CNN 16, P = 20, b = 100"]
    assert list(table.index) == [(network, way) for network in networks for way in cost.WAYS]
    assert table.loc[(networks[-1], "noise matrix")].tolist() == [5, 2, 2, 2.5, 3.000001]
    drawn = figures.cost_ratios(results)
    assert [list(line.get_xdata()) for line in drawn.axes[1].lines] == [table.loc[n, "MB"].tolist() for n in networks]
    assert len(drawn.axes[0].get_yticklabels()) == 6
