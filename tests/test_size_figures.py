"""Figures 4, 5 and 6 of the paper: what is drawn and what agrees, from made-up runs whose numbers are known."""

from itertools import product

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from tailnoise_utils.study import experiments
from tailnoise_utils.study.figures import paper, sizes
from tailnoise_utils.study.figures.paper import PALE
from tailnoise_utils.study.results import store
from tailnoise_utils.study.results.reading import PUBLISHED, TWIN, in_data_order, late_values

mpl.use("agg")

CORRECTED = "1/alpha (corrected)"
CLASSES = {"cifar100": 100}
CHANCE, SOME, ALL = 0.1, 0.5, 0.99  # training accuracies


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def alpha_of(spec):
    """The late alpha^ of a run: it falls with the width, by .01 with each layer; seeds differ by .01."""
    t = spec.train
    level = {"mnist": 1.4, "cifar10": 1.15, "cifar100": 1.05}.get(t.dataset, 1.0)
    slope = (2 - t.depth) * 0.01 if t.dataset == "mnist" else 0.0
    return level + slope * np.log2(t.width / 32) + 0.01 * t.seed


def results_of(specs, accuracy=lambda spec: ALL, alpha=alpha_of):
    """Results whose late 1/alpha^ is that of `alpha`; the twin's alpha^ is .02 higher, the corrected .3, on test .04 lower.

    At the paper's settings it is the mean of the last two points, one .1 above it and one below; elsewhere the last point,
    in data order. The accuracy of earlier points is that of chance.
    """
    frames, records = [], []
    for spec in specs:
        end, at_paper, at_b = spec.points[-1], hasattr(spec.train, "horizon"), hasattr(spec, "minibatches")
        points = {0: 5.0, end // 2: 5.0, end - 1: -0.1, end: 0.1} if at_paper else {0: 5.0, end: 0.0}
        x_of = getattr(spec, "batch_sizes", (spec.train.batch_size,)) if at_b else (np.nan,)
        published = PUBLISHED if at_paper or at_b else "1/alpha (published, data order)"
        rows = []
        for point, more in points.items():
            train = {published: 0.0, CORRECTED: 0.3} | ({TWIN: 0.02} if at_paper else {})
            values = {name: 1 / (alpha(spec) + shift) + more for name, shift in train.items()}
            values |= {"tail excess": 0.1 * spec.train.depth, "dead share": 0.2}
            values |= {} if at_paper or at_b else {PUBLISHED: 9.0}  # in random order
            rows += [row(point, "train", name, value, x) for name, value in values.items() for x in x_of]
            reached = accuracy(spec) if point == end else CHANCE / 2
            values = {"dead share": 0.3, "accuracy": reached / 2}
            values |= {} if at_b else {PUBLISHED: 1 / (alpha(spec) - 0.04) + more}
            rows += [row(point, "test", name, value) for name, value in values.items()]
            rows.append(row(point, "train", "accuracy", reached))
        rows += [row(end, "train", PUBLISHED, 1 / (alpha(spec) + 0.1), spec.train.n_train // 2)] * getattr(
            spec, "half", 0
        )
        rows.append({"iteration": end, "split": "train", "scope": "linear1", "quantity": published, "value": 9.0})
        left = accuracy(spec) >= 2 / CLASSES.get(spec.train.dataset, 10)
        record = store.run_record(spec, "0" * 64, 1.0, "complete" if left else "not trained")
        frames.append(store.to_frame(rows, record["run"]))
        records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


def row(point, split, quantity, value, x=np.nan):
    return {"iteration": point, "split": split, "quantity": quantity, "value": value, "x": x}


def paper_grid(experiment, **where):
    grid = experiments.grid(experiment, "paper")
    return [s for s in grid if all(getattr(s.train, name) == value for name, value in where.items())]


def mean_alpha(seeds, alpha, shift=0.0):
    """alpha^ of the mean of 1/alpha^ over seeds that differ by .01."""
    return 1 / np.mean([1 / (alpha + shift + 0.01 * seed) for seed in seeds])


def panel(figure, title):
    [axes] = [axes for axes in figure.axes if axes.get_title() == title]
    return axes


def marks(axes, label):
    """Where the means of a line are, x to y, filled or not."""
    [curve] = [container for container in axes.containers if container.get_label() == label]
    line = curve.lines[0]
    colour = line.get_color()
    same = [c.lines[0] for c in axes.containers if to_hex(c.lines[0].get_color()) == to_hex(colour)]
    filled = {x for one in same if one.get_linestyle() == "None" for x in one.get_xdata()}
    assert line.get_markerfacecolor() == "white"
    return {x: (y, x in filled) for x, y in line.get_xydata()}


def crosses(axes):
    return [tuple(xy) for line in axes.get_lines() if line.get_marker() == "x" for xy in line.get_xydata()]


def bands(axes):
    """The pale ranges, from and to."""
    patches = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == PALE.lower()]
    return [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in patches]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_late_values_are_means_at_the_papers_settings_and_the_last_point_elsewhere():
    [spec, *_] = paper_grid("fcn_size", dataset="mnist")
    [short, *_] = experiments.grid("fcn_size", "laptop")
    for one, name in ((spec, TWIN), (short, CORRECTED)):
        table = late_values(results_of([one])).set_index(["split", "quantity"])["value"]
        assert table["train", PUBLISHED] == pytest.approx(1 / alpha_of(one))
        assert table["test", PUBLISHED] == pytest.approx(1 / (alpha_of(one) - 0.04))
        assert table["train", name] == pytest.approx(1 / (alpha_of(one) + {TWIN: 0.02, CORRECTED: 0.3}[name]))
    assert table["train", "accuracy"] == ALL


@pytest.mark.parametrize(
    ("dataset", "accuracy", "left", "fits"),
    [
        ("mnist", 0.19, 0, 0),
        ("mnist", 0.2, 1, 0),
        ("mnist", 0.94, 1, 0),
        ("mnist", 0.95, 1, 1),
        ("cifar100", 0.02, 1, 0),
    ],
)
def test_who_left_chance_and_who_fits_is_told_by_the_last_accuracy(dataset, accuracy, left, fits):
    [spec, *_] = paper_grid("cnn_size" if dataset == "cifar100" else "fcn_size", dataset=dataset)
    table = late_values(results_of([spec], lambda spec: accuracy))
    assert (set(table["left"]), set(table["fits"])) == ({bool(left)}, {bool(fits)})


def test_of_each_split_the_rows_in_data_order_are_taken():
    named = ("1/alpha (published, data order)", PUBLISHED)
    rows = [row(0, "train", name, value) for name, value in zip(named, (1.0, 2.0), strict=True)]
    table = in_data_order(store.to_frame([*rows, row(0, "test", PUBLISHED, 3.0)], "a"))
    assert table[["split", "quantity", "value"]].to_numpy().tolist() == [
        ["train", PUBLISHED, 1.0],
        ["test", PUBLISHED, 3.0],
    ]


def test_figure_4_at_the_papers_settings():
    def accuracy(spec):
        t = spec.train
        if t.depth == 10:  # at width 32 none leaves chance, at 128 one of three does not fit
            return CHANCE if t.width == 32 else SOME if t.seed == 1 else ALL
        return CHANCE if (t.depth, t.width, t.seed) == (8, 128, 2) else SOME if t.dataset == "cifar10" else ALL

    figure = sizes.against_width(results_of(paper_grid("fcn_size"), accuracy))
    assert len(figure.axes) == 2
    axes = panel(figure, "MNIST, cross-entropy")
    assert marks(axes, "depth 4") == {
        32: (pytest.approx(mean_alpha(range(3), 1.4)), True),
        128: (pytest.approx(mean_alpha(range(3), 1.36)), True),
        512: (pytest.approx(1.32), True),
    }
    assert marks(axes, "depth 8")[128] == (pytest.approx(mean_alpha(range(2), 1.28)), True)  # of those that left chance
    assert marks(axes, "depth 10")[128] == (pytest.approx(mean_alpha(range(3), 1.24)), False)
    assert 32 not in marks(axes, "depth 10")
    expected = [(32, 1.4), (32, 1.41), (32, 1.42), (128, 1.3)]
    assert sorted(crosses(axes)) == [pytest.approx(place) for place in expected]
    twins = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert len(twins) == 5
    np.testing.assert_allclose(twins[1].get_ydata(), [mean_alpha(range(3), a, 0.02) for a in (1.4, 1.36)] + [1.34])
    cifar = panel(figure, "CIFAR-10, cross-entropy")
    assert not any(filled for _, filled in marks(cifar, "depth 4").values())
    assert (bands(axes), bands(cifar)) == ([], [pytest.approx((1.1, 1.2))])
    assert legend(figure)[:3] == ["fits", "left chance, does not fit", "never left chance"]
    assert legend(figure)[3:] == ["Gaussian twin", "the paper's range"]


def test_figure_4_of_the_laptop():
    """Both losses, in data order, without twins."""
    specs = experiments.grid("fcn_size", "laptop")
    figure = sizes.against_width(results_of(specs))
    assert [axes.get_title() for axes in figure.axes] == [
        f"{data}, {loss}" for loss, data in product(("cross-entropy", "hinge"), ("MNIST", "CIFAR-10"))
    ]
    axes = panel(figure, "MNIST, cross-entropy")
    assert list(marks(axes, "depth 4")) == [4, 16, 64, 256, 1024]
    assert marks(axes, "depth 4")[256][0] == pytest.approx(mean_alpha(range(3), 1.34))
    assert legend(figure) == ["fits", "the paper's range"]


def test_figure_5_at_the_papers_settings():
    def accuracy(spec):
        return CHANCE if spec.train.width == 2 and spec.train.dataset == "cifar10" else SOME

    figure = sizes.against_filters(results_of(paper_grid("cnn_size"), accuracy))
    assert len(figure.axes) == 6
    alpha, dead = panel(figure, "CIFAR-10"), figure.axes[4]
    shown = figure.axes[2]
    for label, shift in (("training images", 0.0), ("test images", -0.04)):
        means = [mean_alpha(range(3), 1.15, shift)] * 3 + [1.15 + shift]  # one seed of 32 filters
        lines = [c.lines[0] for c in alpha.containers if c.get_label() == label]
        np.testing.assert_allclose(lines[0].get_xydata(), np.stack([(4, 8, 16, 32), means], 1))
    lines = {line.get_color(): line for line in alpha.get_lines() if line.get_marker() == "None"}
    np.testing.assert_allclose(lines["#8C3A00"].get_ydata(), [mean_alpha(range(3), 1.15, 0.3)] * 3 + [1.45])
    assert lines["#777777"].get_linestyle() == ":"
    np.testing.assert_allclose(lines["#777777"].get_ydata(), [mean_alpha(range(3), 1.15, 0.02)] * 3 + [1.17])
    assert len(crosses(alpha)) == 2 * 3
    assert bands(alpha) == bands(panel(figure, "CIFAR-100")) == [pytest.approx((1.0, 1.1))]
    late = {c.get_label(): c.lines[0].get_xydata()[:, 1] for axes in (shown, dead) for c in axes.containers}
    np.testing.assert_allclose(late["accuracy, train"], (CHANCE / 2 + SOME) / 2)  # of the last two points
    np.testing.assert_allclose(late["dead, test"], 0.3)


def test_figure_5_of_the_laptop_is_of_cross_entropy():
    specs = experiments.grid("cnn_size", "laptop")
    figure = sizes.against_filters(results_of(specs, alpha=lambda spec: 1.0 if spec.train.loss == "nll" else 0.5))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["CIFAR-10", "CIFAR-100"]
    lines = {c.get_label(): c.lines[0] for c in figure.axes[0].containers}
    np.testing.assert_allclose(lines["training images"].get_xydata(), [[width, 1.0] for width in (4, 8, 16, 32)])
    np.testing.assert_allclose(lines["test images"].get_xydata()[:, 1], 0.96)


def test_the_largest_cnn_comes_from_figure_8():
    cnns, others = results_of(paper_grid("cnn_size")), results_of(experiments.grid("iterations", "paper"))
    both = sizes.with_cnn(cnns, others)
    assert len(both.runs) == len(cnns.runs) + 1  # neither FCNs nor the run that is cut short
    assert set(both.runs["width"]) == {2, 4, 8, 16, 32, 64}
    assert list(marks_of(sizes.against_filters(both)))[-1] == 64
    assert "CIFAR-10, 64 filters" in sizes.beside_figure5(both).index
    assert len(sizes.beside_figure5(both)) == 8
    fcns = results_of(paper_grid("iterations", model="fcn"))
    assert list(sizes.with_cnn(cnns, fcns).runs["run"]) == list(cnns.runs["run"])


def marks_of(figure):
    return figure.axes[0].containers[0].lines[0].get_xdata()


def test_figure_6_at_the_papers_settings():
    figure = sizes.against_batch_size(results_of(paper_grid("batch_size")))
    assert [axes.get_title() for axes in figure.axes] == [
        f"{data}, depth {depth}" for data, depth in product(("MNIST", "CIFAR-10"), (2, 4))
    ]
    axes = panel(figure, "MNIST, depth 4")
    measured = (10, 50, 100, 500, 1000, 5000)
    assert marks(axes, "width 128") == {b: (pytest.approx(1.36), True) for b in measured}
    assert marks(axes, "width 32") == {b: (pytest.approx(1.4), True) for b in measured}
    twins = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    np.testing.assert_allclose([line.get_ydata() for line in twins], [[1.42] * 6, [1.38] * 6])
    half = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    np.testing.assert_allclose(half[1].get_xydata(), [[500, 1.36], [30_000, 1.46]])  # measured only


def test_figure_6_of_the_laptop():
    specs = experiments.grid("batch_size", "laptop")
    axes = panel(sizes.against_batch_size(results_of(specs)), "CIFAR-10, depth 2")
    assert list(marks(axes, "width 128")) == [50, 100, 200, 500, 1000]
    [line] = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert list(line.get_xdata()) == [10, 50, 100, 200, 500, 1000, 2000, 5000, 25_000]
    np.testing.assert_allclose(line.get_ydata(), mean_alpha(range(3), 1.15))


def test_beside_figure_4():
    def accuracy(spec):
        t = spec.train
        return {10: CHANCE, 8: SOME}.get(t.depth, ALL) if (t.depth, t.width) != (6, 32) else SOME

    def alpha(spec):
        low = spec.train.dataset == "cifar10" and spec.train.depth == 8
        return 1.05 if low else 2.0 if spec.train.depth == 10 else alpha_of(spec)

    table = sizes.beside_figure4(results_of(paper_grid("fcn_size"), accuracy, alpha))
    assert table.to_numpy().tolist() == [
        ["1.10 to 1.20", "1.05 ± 0.00", "no"],
        ["1.10 to 1.20", "1.16 ± 0.01", "yes"],  # depth 10 never left chance
        ["below 0.000", "0.000 ± 0.000", "no"],
        ["below 0.000", "-0.020 ± 0.000", "yes"],
        ["below 0.000", "-0.010 ± 0.000", "yes"],
    ]
    changes = [f"MNIST, depth {depth}: change of α̂ with twice the width" for depth in (2, 4)]  # fits at two widths
    assert list(table.index[2:]) == [*changes, "MNIST: change of that with each layer"]
    empty = sizes.beside_figure4(results_of(experiments.grid("fcn_size", "smoke")))
    assert set(empty["ours"]) == {"not run"}


def test_beside_figure_5():
    by_width = {2: 0.8, 4: 1.02, 8: 0.9, 16: 1.05, 32: 1.12}
    table = sizes.beside_figure5(
        results_of(paper_grid("cnn_size"), alpha=lambda s: by_width[s.train.width] + s.train.seed / 100)
    )
    assert table.to_numpy().tolist() == [
        ["below 1.00", "0.81 ± 0.01", "yes"],
        ["below 1.00", "1.03 ± 0.01", "no"],
        ["below 1.00", "0.91 ± 0.01", "yes"],
        ["1.00 to 1.10", "1.06 ± 0.01", "yes"],
        ["1.00 to 1.10", "1.12", "no"],
        ["1.00 to 1.10", "1.12", "no"],
        ["0.00", "0.04", "yes"],
    ]
    assert list(table.index[-2:]) == ["CIFAR-100, 32 filters", "CIFAR-10, most filters, training less test images"]


def test_beside_figure_6():
    def alpha(spec):
        t = spec.train
        change = {("mnist", 2, 128): 0.04, ("mnist", 4, 128): -0.06}.get((t.dataset, t.depth, t.width), 0.0)
        return 1.3 + change * (t.batch_size == 5000)

    def accuracy(spec):
        t = spec.train
        return CHANCE if (t.dataset, t.depth, t.width, t.batch_size) == ("cifar10", 4, 32, 10) else ALL

    table = sizes.beside_figure6(results_of(paper_grid("batch_size"), accuracy, alpha))
    assert len(table) == 8
    assert table.loc["MNIST, depth 2, width 128"].tolist() == ["almost constant", "0.040", "yes"]
    assert table.loc["MNIST, depth 4, width 128"].tolist() == ["a small interval", "-0.060", "no"]
    assert table.loc["CIFAR-10, depth 4, width 32"].tolist() == ["a small interval", "0.000", "yes"]  # from b = 50 on
    laptop = sizes.beside_figure6(results_of(experiments.grid("batch_size", "laptop")))
    assert laptop.loc["MNIST, depth 2, width 128"].tolist() == ["almost constant", "0.000 ± 0.000", "yes"]


def test_noise_and_twin_in_words():
    runs = paper_grid("fcn_size", dataset="cifar10", width=32)
    results = results_of(
        runs, lambda spec: CHANCE if spec.train.depth == 10 else ALL, lambda s: 2.0 if s.train.depth < 10 else 1.0
    )
    gap = f"{1 / 2 - 1 / 2.02:.3f}"
    assert f"differ by {gap} (median), {gap} at most" in paper.beside_twin(late_values(results))
    one = results.rows["run"] == results.runs["run"].iloc[0]
    results.rows.loc[one & (results.rows["quantity"] == TWIN), "value"] += 0.3
    assert f"by {gap} (median), {0.3 - (1 / 2 - 1 / 2.02):.3f} at most" in paper.beside_twin(late_values(results))
    laptop = results_of(experiments.grid("fcn_size", "laptop")[:3])
    assert paper.beside_twin(late_values(laptop)) == "The Gaussian twin was not measured in these runs."


def test_tails_beside_alpha():
    def accuracy(spec):
        return {10: CHANCE, 8: SOME}.get(spec.train.depth, ALL)

    axes = sizes.against_tails(results_of(paper_grid("fcn_size"), accuracy)).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines) == {f"{data}, {word}" for data, word in product(("MNIST", "CIFAR-10"), ("fits", "does not fit"))}
    hollow = lines["MNIST, does not fit"]
    assert hollow.get_markerfacecolor() == "white"
    expected = [(mean_alpha(range(3), 1.4, 0.3), 0.8), (mean_alpha(range(3), 1.28, 0.3), 0.8)]
    np.testing.assert_allclose(sorted(map(tuple, hollow.get_xydata())), sorted(expected))
    assert len(lines["MNIST, fits"].get_xdata()) == 2 * 3 + 2


def test_the_table_of_late_values():
    def accuracy(spec):
        return CHANCE if spec.train.seed == 2 else SOME if spec.train.seed else ALL

    table = sizes.late_table(results_of(paper_grid("fcn_size", dataset="mnist", width=32, depth=4), accuracy))
    key = ("mnist", "nll", 4, 32, 500, 500.0)
    for split, left, fits, value in (
        ("train", True, True, 1 / 1.4),
        ("train", True, False, 1 / 1.41),
        ("train", False, False, 1 / 1.42),
        ("test", True, True, 1 / 1.36),
    ):
        assert table.loc[(*key, split, left, fits), PUBLISHED] == pytest.approx(value)
    by_size = sizes.late_table(results_of(paper_grid("batch_size", depth=2, width=32, batch_size=500)))
    assert by_size.index.unique("x").tolist() == [500, 25_000, 30_000]
