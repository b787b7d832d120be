"""Figure and table of the departures, from made-up results whose numbers are known."""

import zlib

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from tailnoise_utils.study import experiments, figures
from tailnoise_utils.study.figures import departures
from tailnoise_utils.study.results import store
from tailnoise_utils.study.results.reading import AFTER, BEFORE
from tailnoise_utils.study.style import LOOK

pytestmark = pytest.mark.slow

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def made_up(*key):
    """A number that is like 1/alpha^ and belongs to a run, a point and a quantity."""
    return 0.5 + zlib.crc32(repr(key).encode()) / 2**33


def results_of(specs, quantities, *, untrained=lambda spec: False, points=lambda spec: spec.points):
    """Results as if every spec had been run."""
    frames, records = [], []
    for spec in specs:
        status = "not trained" if untrained(spec) else "complete"
        record = store.run_record(spec, "0" * 64, 1.0, status)
        rows = [
            {
                "iteration": point,
                "split": split,
                "quantity": quantity,
                "x": x,
                "value": made_up(spec, point, split, quantity, x),
            }
            for point in points(spec)
            for split, quantity, x in quantities(spec)
        ]
        frames.append(store.to_frame(rows, record["run"]))
        records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


NAN = float("nan")
TRAIN = [
    ("train", "1/alpha (published, data order)", NAN),
    ("train", "1/alpha (published)", NAN),
    ("train", "1/alpha (corrected)", NAN),
    ("train", "1/alpha (joint)", 1000.0),
    ("train", "1/alpha (joint)", 100.0),
    ("train", "accuracy", NAN),
    ("test", "accuracy", NAN),
]


def alphas(specs, *key):
    """alpha^ of the mean of 1/alpha^, and its lowest and highest."""
    inverse = np.array([made_up(spec, spec.points[-1], *key) for spec in specs])
    return [1 / inverse.mean(), 1 / inverse.max(), 1 / inverse.min()]


def test_departures_are_told_apart():
    specs = experiments.grid("departures", "laptop")
    ways = ("text", "text, epsilon", "text, dead kept", "published", "corrected")
    results = results_of(specs, lambda spec: [("train", f"1/alpha ({way})", NAN) for way in ways])
    table = departures.departure_table(results)
    assert len(table.loc["CNN, CIFAR-10"]) == 2 * 11
    assert len(table.loc["FCN, MNIST"]) == 2 * 10  # no dropout
    cnn = [s for s in specs if s.train.model == "cnn"]
    text = [s for s in cnn if (s.train.schedule, s.train.batch_size) == ("constant", 500)]
    plain = [s for s in text if (s.noise_order, s.noise_mode) == ("random", "eval")]
    everything = [s for s in cnn if (s.train.schedule, s.train.batch_size) == ("halved", 100)]
    for departure, chosen, way in (
        ("the text", plain, "text"),
        ("measured in data order", [s for s in text if (s.noise_order, s.train.order) == ("data", "random")], "text"),
        ("trained and measured in data order", [s for s in text if s.train.order == "data"], "text"),
        ("dropout while measuring", [s for s in text if s.noise_mode == "train"], "text"),
        ("dead coordinates kept", plain, "text, dead kept"),
        ("epsilon and dead coordinates", plain, "published"),
        ("all of the code", everything, "published"),
        ("$K_1$ of this book", plain, "corrected"),
    ):
        assert len(chosen) == 3
        line = table.loc["CNN, CIFAR-10", departure, AFTER]
        key = ("train", f"1/alpha ({way})", NAN)
        assert list(line[["alpha", "low", "high"]]) == pytest.approx(alphas(chosen, *key))
        change = [
            made_up(one, 2000, *key) - made_up(other, 2000, "train", "1/alpha (text)", NAN)
            for one, other in zip(chosen, plain, strict=True)
        ]
        assert line["change of 1/alpha"] == pytest.approx(np.mean(change))
        assert line["sd of the change"] == pytest.approx(np.std(change, ddof=1))
    [axes] = departures.departures(results).axes  # one scale for all networks
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "the text"
    assert table["change of 1/alpha"].abs().groupby("departure").max()[names].is_monotonic_increasing
    points = {bars.get_label(): bars.lines[0] for bars in axes.containers}
    assert len(points) == 2 * 3
    for network, mark in (("FCN, MNIST", "o"), ("FCN, CIFAR-10", "s"), ("CNN, CIFAR-10", "s")):
        for when, fill, shift in ((BEFORE, "white", -0.15), (AFTER, LOOK["joint"]["color"], 0.15)):
            line = points[f"{network}, {when}"]
            assert (line.get_marker(), line.get_markerfacecolor()) == (mark, fill)
            rows = table.loc[network].xs(when, level="when")["alpha"]
            x, y = line.get_xydata().T
            assert dict(zip([names[round(at)] for at in y - shift], x, strict=True)) == pytest.approx(dict(rows))
        text = table.loc[network, "the text", AFTER]["alpha"]
        assert [text, text] in [list(line.get_xdata()) for line in axes.get_lines()]
        assert {t.get_text(): t.xy[0] for t in axes.texts}[network.replace(", ", "\n")] == text


@pytest.mark.parametrize("experiment", experiments.EXPERIMENTS)
def test_every_experiment_has_a_figure(experiment):
    assert all(map(callable, figures.SHOWN[experiment]))
