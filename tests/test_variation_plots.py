"""Figures and tables of the sizes, minibatch sizes and departures, from made-up results whose numbers are known."""

import zlib
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from tailnoise_utils.study import experiments, figures
from tailnoise_utils.study.figures import batch_size, decomposition, departures, sizes
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
SIZES = ["dataset", "loss", "depth", "width"]
TRAIN = [
    ("train", "1/alpha (published, data order)", NAN),
    ("train", "1/alpha (published)", NAN),
    ("train", "1/alpha (corrected)", NAN),
    ("train", "1/alpha (joint)", 1000.0),
    ("train", "1/alpha (joint)", 100.0),
    ("train", "accuracy", NAN),
    ("test", "accuracy", NAN),
]
TEST = [("test", "1/alpha (published)", NAN), ("test", "1/alpha (corrected)", NAN), ("test", "1/alpha (joint)", 1000.0)]


def alphas(specs, *key):
    """alpha^ of the mean of 1/alpha^, and its lowest and highest."""
    inverse = np.array([made_up(spec, spec.points[-1], *key) for spec in specs])
    return [1 / inverse.mean(), 1 / inverse.max(), 1 / inverse.min()]


def drawn(axes, label):
    """Where the means and the ends of the bars of a line are."""
    [bars] = [container for container in axes.containers if container.get_label() == label]
    line, _, (segments,) = bars.lines
    return line.get_xydata(), np.array(segments.get_segments())[:, :, 1]


def test_the_size_of_fcns_is_drawn_as_stored():
    specs = experiments.grid("fcn_size", "laptop")

    def lost(spec):
        return (spec.train.depth, spec.train.width, spec.train.seed) == (10, 4, 1)

    results = results_of(specs, lambda spec: TRAIN, untrained=lost)
    figure = sizes.against_width(results)
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert len(panels) == 8
    key = ("train", "1/alpha (joint)", 1000.0)
    axes = panels["CIFAR-10, hinge; $K_1$ = 1000"]
    for depth in (2, 10):
        xy, bars = drawn(axes, f"depth {depth}")
        assert list(xy[:, 0]) == [4, 16, 64, 256]
        for (width, mean), bar in zip(xy, bars, strict=True):
            chosen = [
                s
                for s in specs
                if (s.train.dataset, s.train.loss, s.train.depth, s.train.width) == ("cifar10", "hinge", depth, width)
                if not lost(s)
            ]
            np.testing.assert_allclose([mean, *bar], alphas(chosen, *key))
    assert list(drawn(panels["MNIST, cross-entropy; published"], "depth 4")[0][:, 0]) == [4, 16, 64, 256, 1024]
    [open_marks] = [container for container in axes.containers if container.lines[0].get_markerfacecolor() == "white"]
    [only] = [s for s in specs if lost(s) and (s.train.dataset, s.train.loss) == ("cifar10", "hinge")]
    np.testing.assert_allclose(open_marks.lines[0].get_xydata(), [[4, alphas([only], *key)[0]]])
    line = sizes.size_table(results).loc["cifar10", "hinge", 10, 4]
    assert line["runs", "that trained"] == "2 of 3"
    others = [replace(only, train=replace(only.train, seed=seed)) for seed in (0, 2)]
    assert line["train", "K1 = 1000"] == pytest.approx(alphas(others, *key)[0])
    published = alphas(others, "train", "1/alpha (published, data order)", NAN)
    assert line["train", "published"] == pytest.approx(published[0])
    assert line["train", "sd (published)"] == pytest.approx(np.std(published[1:], ddof=1))


def test_the_size_of_cnns_is_drawn_on_both_splits():
    specs = experiments.grid("cnn_size", "laptop")
    figure = sizes.against_filters(results_of(specs, lambda spec: TRAIN + TEST))
    assert len(figure.axes) == 8
    index = next(axes for axes in figure.axes if axes.get_title() == "CIFAR-100,\nhinge")
    chosen = [s for s in specs if (s.train.dataset, s.train.loss, s.train.width) == ("cifar100", "hinge", 8)]
    for split, quantity, label in (
        ("train", "1/alpha (published, data order)", "published"),
        ("test", "1/alpha (published)", "published"),
    ):
        xy, bars = drawn(index, f"{label}, {split}")
        np.testing.assert_allclose([xy[1, 1], *bars[1]], alphas(chosen, split, quantity, NAN))
    xy, _ = drawn(index, "$K_1$ = 1000, test")
    assert xy[1, 1] == pytest.approx(alphas(chosen, "test", "1/alpha (joint)", 1000.0)[0])
    accuracy = figure.axes[figure.axes.index(index) + 4]
    mean = np.mean([made_up(s, s.points[-1], "test", "accuracy", NAN) for s in chosen])
    assert drawn(accuracy, "test")[0][1, 1] == pytest.approx(mean)


def test_the_minibatch_size_is_drawn_for_both_kinds_of_training():
    specs = experiments.grid("batch_size", "laptop")

    def quantities(spec):
        names = ("1/alpha (published)", "1/alpha (corrected, K1 = 1000)")
        return [("train", name, float(b)) for name in names for b in spec.batch_sizes] + TRAIN[-2:]

    results = results_of(specs, quantities)
    table = batch_size.batch_table(results)
    at = [s for s in specs if (s.train.dataset, s.train.depth) == ("cifar10", 4)]
    base = [s for s in at if s.train.batch_size == 500]
    for kind, chosen, b in (
        (f"b = 500, {AFTER}", base, 25_000),
        ("trained at each size", [s for s in at if s.train.batch_size == 50], 50),
        ("trained at each size", base, 500),
    ):
        line = table.loc["cifar10", 4, kind, "published", b]
        assert list(line) == pytest.approx(alphas(chosen, "train", "1/alpha (published)", float(b)))
    before = 1 / np.mean([made_up(s, 0, "train", "1/alpha (published)", 50.0) for s in base])
    assert table.loc["cifar10", 4, f"b = 500, {BEFORE}", "published", 50]["alpha"] == pytest.approx(before)
    rows = table.loc["cifar10", 4, "trained at each size", "$K_1$ = 1000"]
    assert list(rows.index) == [50, 100, 200, 500, 1000]
    axes = next(
        a for a in batch_size.against_batch_size(results).axes if a.get_title() == "CIFAR-10, depth 4; $K_1$ = 1000"
    )
    np.testing.assert_allclose(drawn(axes, "trained at each size")[0][:, 1], rows["alpha"])


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


def test_the_decomposition_is_drawn_against_the_size():
    specs = experiments.grid("fcn_size", "laptop")

    def lost(spec):
        return (spec.train.depth, spec.train.width, spec.train.seed) == (10, 16, 2)

    parts = ("correlation", "order", "scales", "tails")
    names = ["1/alpha (corrected)", "tail excess", "tail excess (twin)", *[f"decomposition: {part}" for part in parts]]
    results = results_of(specs, lambda spec: [("train", name, NAN) for name in names], untrained=lost)
    results.rows.loc[results.rows["quantity"] == "tail excess (twin)", "se"] = 0.5
    figure = decomposition.decomposition_against_width(results)
    assert len(figure.axes) == 6 * 4
    rows = dict(zip([axes.get_ylabel() for axes in figure.axes[::4]], range(6), strict=True))
    assert list(rows) == [r"$\hat\alpha$, corrected", "tail excess", *parts]
    column = [axes.get_title() for axes in figure.axes[:4]].index("CIFAR-10,\nhinge")
    kind = [s for s in specs if (s.train.dataset, s.train.loss) == ("cifar10", "hinge")]
    ten = [s for s in kind if (s.train.depth, s.train.width) == (10, 16) and not lost(s)]
    table = decomposition.decomposition_by_size(results)
    for label, name in (
        ("tail excess", "tail excess"),
        ("scales", "decomposition: scales"),
        ("tails", "decomposition: tails"),
    ):
        mean = np.mean([made_up(s, 4000, "train", name, NAN) for s in ten])
        assert drawn(figure.axes[4 * rows[label] + column], "depth 10")[0][1] == pytest.approx([16, mean])
        assert table.loc[("cifar10", "hinge", 10, 16), label] == pytest.approx(mean)
    alpha = alphas(ten, "train", "1/alpha (corrected)", NAN)[0]
    assert drawn(figure.axes[column], "depth 10")[0][1] == pytest.approx([16, alpha])
    assert table.loc[("cifar10", "hinge", 10, 16), "alpha^ (corrected)"] == pytest.approx(alpha)
    null = [made_up(s, 4000, "train", "tail excess (twin)", NAN) for s in kind if s.train.width == 64]
    [upper, lower] = [
        collection.get_paths()[0].vertices
        for collection in figure.axes[4 + column].collections
        if collection.get_alpha()
    ]
    assert upper[upper[:, 0] == 64, 1].max() == pytest.approx(max(null) + 0.98)
    assert lower[lower[:, 0] == 64, 1].min() == pytest.approx(min(null) - 0.98)


def test_corners_and_runs_that_trained_in_words():
    specs = experiments.grid("fcn_size", "laptop")

    def lost(spec):
        return (spec.train.dataset, spec.train.depth, spec.train.width) == ("mnist", 10, 4) and spec.train.seed < 2

    results = results_of(specs, lambda spec: TRAIN, untrained=lost)
    trained = sizes.trained_table(results)
    assert trained.loc[("mnist", "hinge", 10), 4] == "1 of 3"
    assert trained.loc[("cifar10", "nll", 4), 1024] == "1 of 1"
    assert trained.loc[("cifar10", "nll", 2), 1024] == ""
    table = sizes.corner_table(results)
    assert list(table.columns) == ["runs that trained", "accuracy", "published", "corrected", "K1 = 1000"]
    corners = [(2, 4), (2, 256), (4, 1024), (10, 4), (10, 256)]
    assert list(table.loc["mnist", "nll"].index) == corners
    assert list(table.loc["mnist", "hinge"].index) == [corner for corner in corners if corner != (4, 1024)]
    key = ("train", "1/alpha (corrected)", NAN)
    for depth, width in ((2, 256), (10, 4)):
        shown = [s for s in specs if (s.train.dataset, s.train.loss) == ("mnist", "hinge") and not lost(s)]
        shown = [s for s in shown if (s.train.depth, s.train.width) == (depth, width)]
        alpha = [1 / made_up(s, 4000, *key) for s in shown]
        words = f"{alphas(shown, *key)[0]:.3f}" + (f" ± {np.std(alpha, ddof=1):.3f}" if len(shown) > 1 else "")
        assert table.loc[("mnist", "hinge", depth, width), "corrected"] == words
        accuracy = np.mean([made_up(s, 4000, "train", "accuracy", NAN) for s in shown])
        assert table.loc[("mnist", "hinge", depth, width), "accuracy"] == f"{accuracy:.3f}"


def test_tables_name_things_as_figures_do():
    index = [("mnist", "nll", 2, 4), ("cifar10", "hinge", 10, 16)]
    fcn = pd.DataFrame({"corrected": [1.0, 2.0]}, pd.MultiIndex.from_tuples(index, names=SIZES))
    table = sizes.readable(fcn)
    assert list(table.index) == [("MNIST", "cross-entropy", 2, 4), ("CIFAR-10", "hinge", 10, 16)]
    assert table["corrected"].tolist() == [1.0, 2.0]
    cnn = pd.DataFrame({"corrected": [1.0]}, pd.MultiIndex.from_tuples([("cifar100", "nll", 0, 8)], names=SIZES))
    table = sizes.readable(cnn)
    assert (list(table.index), table.index.names) == (
        [("CIFAR-100", "cross-entropy", 8)],
        ["dataset", "loss", "filters"],
    )
    words = cnn["corrected"].astype(str).unstack("width")
    assert sizes.readable(words).columns.name == "filters"


@pytest.mark.parametrize("experiment", experiments.EXPERIMENTS)
def test_every_experiment_has_a_figure(experiment):
    assert all(map(callable, figures.SHOWN[experiment]))
