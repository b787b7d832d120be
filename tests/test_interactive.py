"""Figures with menus: what each trace holds, what shows at first, and, in a browser, what a choice does."""

import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_hex
from test_browser import CHROMIUM, visit
from test_size_figures import ALL, SOME, mean_alpha, paper_grid
from test_size_figures import results_of as at_paper
from test_variation_plots import NAN, TRAIN, alphas, made_up, results_of

from tailnoise_utils.study import experiments
from tailnoise_utils.study.figures import interactive
from tailnoise_utils.study.style import series

pytestmark = pytest.mark.slow

SPECS = experiments.grid("fcn_size", "laptop")


def lost(spec):
    return (spec.train.depth, spec.train.width, spec.train.seed) == (10, 4, 1)


@pytest.fixture(scope="module")
def sizes():
    return interactive.fcn_size(results_of(SPECS, lambda spec: TRAIN, untrained=lost))


def at(dataset, loss, depth, width):
    key = (dataset, loss, depth, width)
    return [s for s in SPECS if (s.train.dataset, s.train.loss, s.train.depth, s.train.width) == key]


def trace_of(figure, meta, name):
    [match] = [trace for trace in figure.data if (list(trace.meta), trace.name) == (meta, name)]
    return match


def menus(figure):
    return [[button.label for button in menu.buttons] for menu in figure.layout.updatemenus]


def test_traces_hold_what_is_stored(sizes):
    assert len(sizes.data) == 2 * 2 * 3 * (4 + 1)
    keys = {
        "published": ("train", "1/alpha (published, data order)", NAN),
        "corrected": ("train", "1/alpha (corrected)", NAN),
        "K1 = 1000": ("train", "1/alpha (joint)", 1000.0),
    }
    for what, key in keys.items():
        trace = trace_of(sizes, ["CIFAR-10", "hinge", "6", what], "depth 6")
        assert list(trace.x) == [4, 16, 64, 256]
        for i, width in enumerate(trace.x):
            mean, low, high = alphas(at("cifar10", "hinge", 6, width), *key)
            assert trace.y[i] == pytest.approx(mean)
            assert trace.error_y.array[i] == pytest.approx(high - mean)
            assert trace.error_y.arrayminus[i] == pytest.approx(mean - low)
            np.testing.assert_allclose(trace.customdata[i][[0, 2, 3]], [3, low, high])


def test_accuracy_is_that_of_the_runs_that_are_drawn(sizes):
    trace = trace_of(sizes, ["MNIST", "cross-entropy", "10", "corrected"], "depth 10")
    kept = [s for s in at("mnist", "nll", 10, 4) if not lost(s)]
    accuracies = [made_up(s, s.points[-1], "train", "accuracy", NAN) for s in kept]
    assert list(trace.customdata[0][:2]) == pytest.approx([2, np.mean(accuracies)])


def test_networks_that_never_left_chance_are_apart(sizes):
    trace = trace_of(sizes, ["MNIST", "hinge", "10", "corrected"], "depth 10, never left chance")
    [only] = [s for s in at("mnist", "hinge", 10, 4) if lost(s)]
    assert (list(trace.x), trace.mode, trace.marker.symbol) == ([4], "markers", "x-thin-open")
    assert trace.showlegend is False  # a legend of two rows would get a scrollbar
    assert trace.y[0] == pytest.approx(alphas([only], "train", "1/alpha (corrected)", NAN)[0])


def test_colours_and_marks_are_those_of_the_figure_beside_it():
    def accuracy(spec):
        return SOME if spec.train.width == 32 and spec.train.seed == 1 else ALL

    figure = interactive.fcn_size(at_paper(paper_grid("fcn_size"), accuracy))
    assert menus(figure)[3] == ["published", "Gaussian twin", "corrected"]
    trace = trace_of(figure, ["MNIST", "cross-entropy", "4", "Gaussian twin"], "depth 4")
    assert list(trace.y) == pytest.approx([mean_alpha(range(3), 1.4, 0.02), mean_alpha(range(3), 1.36, 0.02), 1.34])
    assert trace.marker.symbol == ("square-open", "square", "square")
    look = series([2, 4, 6, 8, 10])[4]
    assert (trace.line.color, look["marker"]) == (to_hex(look["color"]), "s")


def test_what_shows_first_is_the_first_of_every_menu(sizes):
    assert menus(sizes) == [
        ["MNIST", "CIFAR-10"],
        ["cross-entropy", "hinge"],
        ["all", "2", "4", "6", "10"],
        ["published", "K1 = 1000", "corrected"],
    ]
    shown = [trace for trace in sizes.data if trace.visible]
    assert {tuple(trace.meta[i] for i in (0, 1, 3)) for trace in shown} == {("MNIST", "cross-entropy", "published")}
    names = ["depth 2", "depth 4", "depth 6", "depth 10, never left chance", "depth 10"]
    assert [trace.name for trace in shown] == names
    low, high = sizes.layout.yaxis.range
    assert all(low < y < high for trace in sizes.data for y in trace.y)


def test_without_scripts_a_sentence_stands_there(sizes):
    page = interactive.html(sizes, "alpha^ against the width")
    assert "it needs JavaScript" in page
    assert 'aria-label="alpha^ against the width"' in page
    assert page == interactive.html(sizes, "alpha^ against the width")  # the same book each time
    assert 'src="../_static/plotly.min.js"' in page
    assert "http" not in page


def test_experiments_do_without_plotly():
    lines = "import sys; sys.modules['plotly'] = None; import tailnoise_utils.__main__, tailnoise_utils.study.figures"
    subprocess.run([sys.executable, "-c", lines], check=True)


@pytest.mark.xdist_group("book")
@pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="no Chromium here; CI needs it")
def test_every_menu_changes_what_is_drawn(sizes, tmp_path):
    from plotly.offline import get_plotlyjs

    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "plotly.min.js").write_text(get_plotlyjs())
    (tmp_path / "executed").mkdir()
    page = tmp_path / "executed" / "page.html"
    page.write_text(f"<!DOCTYPE html><html><head></head><body>{interactive.html(sizes, 'a figure')}</body></html>")
    tour, failed = visit(tmp_path, ["executed/page.html"], tmp_path / "profile")
    seen = tour["executed/page.html"]
    assert (seen["remote"], seen["complaints"], failed) == ([], [], [])
    assert seen["notices"] == 0
    assert seen["buttons"]
    assert not [title for title in seen["buttons"] if title.startswith("Share")]  # with a server elsewhere
    first, *steps = seen["interactive"]
    shown = [trace for trace in sizes.data if trace.visible]
    marks = sum(len(trace.x) for trace in shown) + sum(trace.mode == "lines+markers" for trace in shown)
    assert first["shown"] == [list(trace.meta) for trace in shown]
    assert len(first["lines"].split(";")) == marks
    chosen = [entries[0] for entries in menus(sizes)]
    for i, (before, after) in enumerate(zip([first, *steps], steps, strict=False)):
        chosen[i] = menus(sizes)[i][-1]  # the last entry of each menu, one after another
        fits = [all(c in ("all", value) for c, value in zip(chosen, trace.meta, strict=True)) for trace in sizes.data]
        assert after["shown"] == [list(t.meta) for t, fit in zip(sizes.data, fits, strict=True) if fit]
        assert after["lines"] != before["lines"]
    assert len(steps) == 4
