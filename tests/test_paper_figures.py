"""The paper's figures beside ours: what is drawn and what agrees, from made-up runs whose numbers are known."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from tailnoise_utils.diagnosis import stable_index
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import iterations, paper
from tailnoise_utils.study.results import store

mpl.use("agg")

GRID = experiments.grid("iterations", "paper")
POINTS = (0, 100, 900, 1000, 2000, 22_000, 30_000, 40_000)
ALPHA = dict(zip(POINTS, (1.2, 1.1, 0.7, 0.8, 0.6, 0.9, 1.0, 1.25), strict=True))  # dips, and again later
OTHER = {"loss": 2.0, "dead share": 0.1, "norm": 1.0}
ACCURACY = {0: 0.1, 100: 0.2}  # lower than at the dip


def results_of(specs, points=POINTS):
    """Results of PaperSpec runs; seeds differ by .01 in alpha^, the test images' is .1 lower, the twin's .02 higher."""
    frames, records = [], []
    for spec in specs:
        record, seed = store.run_record(spec, "0" * 64, 1.0), spec.train.seed
        rows = []
        for point in (point for point in points if point <= spec.train.iterations):
            alpha = ALPHA[point] + 0.01 * seed
            train = {"1/alpha (published)": 1 / alpha, "twin 1/alpha (published)": 1 / (alpha + 0.02)} | OTHER
            train |= {"1/alpha (corrected)": 1 / (alpha + 0.3), "accuracy": ACCURACY.get(point, 0.3)}
            test = {"1/alpha (published)": 1 / (alpha - 0.1), "loss": 3.0, "accuracy": 0.2, "dead share": 0.1}
            for split, values in {"train": train, "test": test}.items():
                rows += [{"iteration": point, "split": split, "quantity": q, "value": v} for q, v in values.items()]
        rows.append({"iteration": 0, "split": "train", "scope": "linear1", "quantity": "dead share", "value": 0.9})
        frames.append(store.to_frame(rows, record["run"]))
        records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


def specs_of(dataset, model="fcn"):
    return [s for s in GRID if (s.train.model, s.train.dataset, s.train.iterations) == (model, dataset, 65_000)]


@pytest.fixture(scope="module")
def results():
    return results_of(GRID)


def test_the_digitised_curves_go_with_the_values_read_at_their_tips():
    table = paper.figure7()
    assert len(table) == 748
    assert "slide deck" in paper.figure7.__doc__  # where they come from
    for dataset, (start, start_test, lowest, at, lowest_test, accuracy, late, end) in iterations._FIGURE7.items():
        curve = table[table["dataset"] == dataset].set_index(["quantity", "split", "iteration"])["value"].sort_index()
        train, test = curve["alpha", "train"], curve["alpha", "test"]
        assert (train[100], test[100]) == pytest.approx((start, start_test), abs=0.01)
        assert (train.min(), test.min()) == pytest.approx((lowest, lowest_test), abs=0.03)  # the tips are cut off
        assert train.idxmin() in np.atleast_1d(at)
        assert curve["accuracy", "test"].loc[500:1500].min() == pytest.approx(accuracy, abs=0.09)
        assert train.loc[end - 10_000 :].mean() == pytest.approx(np.mean(late), abs=0.01)
        assert end - 1000 < train.index.max() <= end


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (1.0, [1.04], True),
        (1.0, [1.06], False),
        (1.0, [1.04, 1.05, 1.06], False),  # three seeds say how far: 2 sd are .02
        (1.0, [1.0, 1.05, 1.1], True),
        ((0.9, 1.0), [0.95, 1.04], True),  # the mean counts
        ((0.9, 1.0), [1.01], False),
    ],
)
def test_agreement(theirs, ours, expected):
    assert paper.agrees(theirs, ours) is expected


def test_a_comparison_in_words():
    lines = [
        ("seeds", 0.71, [0.70, 0.71, 0.69], ".2f"),
        ("one", (0.88, 0.98), [0.604], ".2f"),
        ("iteration", 1000.0, [920.0], ",.0f"),
        ("iteration too far", 1000.0, [900.0], ",.0f"),
        ("absent", 1.1, [float("nan")], ".2f"),
        ("unknown", None, [1.1], ".1f"),
    ]
    table = paper.comparison(lines)
    assert list(table.columns) == ["paper", "ours", "agrees"]
    assert table.to_numpy().tolist() == [
        ["0.71", "0.70 ± 0.01", "yes"],
        ["0.88 to 0.98", "0.60", "no"],
        ["1,000", "920", "yes"],
        ["1,000", "900", "no"],
        ["1.10", "not run", ""],
        ["–", "1.1", ""],
    ]


def test_only_the_first_network_of_a_kind_is_drawn_with_all_its_seeds(results):
    table = iterations.curves(results)
    assert set(table["name"]) == {"FCN 512 × 9, MNIST", "FCN 512 × 9, CIFAR-10", "CNN 64 filters, CIFAR-10"}
    drawn = table.drop_duplicates("run")
    assert set(drawn["batch_size"]) == {500}
    assert drawn.groupby("name")["seed"].agg(list).to_dict() == {
        "FCN 512 × 9, MNIST": [0, 1, 2],
        "FCN 512 × 9, CIFAR-10": [0, 1, 2],
        "CNN 64 filters, CIFAR-10": [0],
    }
    assert set(table["scope"]) == {"all"}


def test_what_is_drawn_along_training(results):
    axes = iterations.along_training(results_of(specs_of("mnist"))).axes
    assert len(axes) == 4
    lines = {line.get_label(): line for line in axes[0].get_lines()}
    for name, shift in {"training images": 0, "test images": -0.1, "Gaussian twin": 0.02, "corrected": 0.3}.items():
        x, y = lines[name].get_xydata().T
        assert list(x) == list(POINTS[1:])
        mean = [1 / np.mean([1 / (ALPHA[point] + 0.01 * seed + shift) for seed in range(3)]) for point in POINTS[1:]]
        np.testing.assert_allclose(y, mean)
    assert lines["Gaussian twin"].get_linestyle() == ":"
    edges = axes[0].collections[0].get_paths()[0].vertices  # the range of the first line, the training images
    at = edges[edges[:, 0] == 1000, 1]
    assert (at.min(), at.max()) == pytest.approx((0.8, 0.82))
    x, y = lines["the paper's, train"].get_xydata().T
    assert y[x == 1000] == pytest.approx(0.743)
    theirs = axes[1].get_lines()[1].get_xydata()  # sorted: test, train
    assert np.isnan(theirs[(theirs[:, 0] > 700) & (theirs[:, 0] < 1400), 1]).all()  # there it hides behind the other


def test_the_papers_curves_stand_beside_its_own_network_only(results):
    other = results_of([s for s in GRID if s.train.depth == 8])
    assert not [line for line in iterations.along_training(other).axes[0].get_lines() if "paper" in line.get_label()]
    assert set(iterations.beside_figure7(other).xs("paper", axis=1, level=1).to_numpy().ravel()) == {"–"}


def test_landmarks(results):
    marks = iterations.landmarks(results)
    [spec, *_] = specs_of("mnist")
    row = marks.loc[store.digest(spec, data="0" * 64)[:16]]
    values = row[list(iterations._LANDMARKS)].tolist()
    # alpha^ at 100, train and test; the dip up to 1,500, its iteration, on test; accuracy; late, of 30,001 to 40,000
    assert values == pytest.approx([1.1, 1.0, 0.7, 900, 0.6, 0.3, 1.25, 40_000])
    [cut, *_] = [s for s in GRID if s.train.iterations == 3000]
    marks = iterations.landmarks(results_of([cut], points=(*POINTS[:5], 3000)[:5]))
    assert not marks[["late α̂", "training ends at"]].isna().any(axis=None)  # it stopped before 3,000, at 100 %
    ALPHA[3000] = 1.0
    marks = iterations.landmarks(results_of([cut], points=(*POINTS[:5], 3000)))
    assert marks[["late α̂", "training ends at"]].isna().all(axis=None)
    del ALPHA[3000]


def test_beside_figure7():
    table = iterations.beside_figure7(results_of(specs_of("mnist")[:1]))["MNIST"]
    assert table["paper"].tolist() == ["1.148", "1.088", "0.72", "1,000", "0.65", "0.106", "0.88 to 0.98", "23,100"]
    assert table["ours"].tolist() == ["1.100", "1.000", "0.70", "900", "0.60", "0.300", "1.25", "40,000"]
    assert table["agrees"].tolist() == ["yes", "no", "yes", "no", "no", "no", "no", "no"]


def test_networks_that_differ_in_depth_or_minibatch_size_are_told_apart(results):
    table = iterations.variants(results)
    assert len(table) == 2 * 4
    assert table.loc[("MNIST", 9, 500), "at iteration"] == 900
    one = iterations.variants(results_of(specs_of("mnist")))
    assert one["α̂ at iteration 100"].item() == pytest.approx(1.11)  # the mean of three seeds


def test_noise_beside_its_twin():
    results = results_of(specs_of("mnist")[:1])
    tau, last = {0: 0.1, 900: 0.2, POINTS[-1]: 0.9}, POINTS[-1]
    more = [{"iteration": point, "quantity": "tail excess", "value": value} for point, value in tau.items()]
    more += [
        {"iteration": point, "quantity": f"{name}1/alpha (corrected)", "value": value}
        for point, signs in ((0, 0.6), (last, 0.55))
        for name, value in (("twin ", 1 / (ALPHA[point] + 0.3) - 0.01), ("signs: ", signs))
    ]
    more = [row | {"split": "train"} for row in more]
    more += [
        {"iteration": i, "split": "test", "quantity": "tail excess", "value": v} for i, v in ((last, 0.3), (0, 0.9))
    ]
    rows = store.to_frame(more, results.runs["run"].iloc[0])
    results = replace(results, rows=pd.concat([results.rows, rows], ignore_index=True))
    numbers = iterations.against_twin(results)
    expected = {"dip": 0.7, "twin": 0.72, "corrected": 1.0, "dead": 0.1, "start": 1.2, "at": 900, "accuracy": 0.3}
    expected |= {"gap": 1 / 0.6 - 1 / 0.62, "later": 0.6, "gap_corrected": 0.01}
    expected |= {"tau_start": 0.1, "tau_dip": 0.2, "tau_end": 0.9, "as_stable": stable_index(0.9, 120)}
    expected["as_stable_test"] = stable_index(0.3, 20)
    corrected = [1 / (ALPHA[point] + 0.3) for point in (0, last)]
    expected |= {
        f"signs_{when}": (value - signs) / (value - 0.5)
        for when, value, signs in zip(("start", "end"), corrected, (0.6, 0.55), strict=True)
    }
    assert {name: numbers[f"mnist_{name}"] for name in expected} == pytest.approx(expected)
    assert np.isnan([numbers[f"cifar10_{name}"] for name in expected]).all()


def test_what_the_laptop_measures_in_data_order_is_drawn():
    [first, *_] = experiments.grid("iterations", "laptop")
    rows = [
        {"iteration": point, "split": "train", "quantity": name, "value": value}
        for point in (0, 100)
        for name, value in {"1/alpha (published)": 0.5, "1/alpha (published, data order)": 0.8, "loss": 1.0}.items()
    ]
    record = store.run_record(first, "0" * 64, 1.0)
    table = iterations.curves(store.Results(store.to_frame(rows, record["run"]), pd.DataFrame([record])))
    assert table.loc[table["line"] == "training images", "value"].tolist() == [0.8, 0.8]
    assert "Gaussian twin" not in set(table["line"])


def test_a_diverged_run_is_drawn_as_far_as_it_went():
    shorter = results_of(specs_of("mnist")[:1], points=POINTS[:4])
    shorter = replace(shorter, runs=shorter.runs.assign(status="diverged"))
    assert iterations.landmarks(shorter)["training ends at"].tolist() == [1000]


def test_a_page_shows_the_finished_runs_of_paper_else_of_laptop(monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    with pytest.raises(runner.MissingResults):
        runner.choose("iterations", "book")
    for profile, spec in (("laptop", experiments.grid("iterations", "laptop")[3]), ("paper", GRID[1])):
        rows = store.to_frame([{"quantity": "loss", "value": 1.0}], (record := store.run_record(spec, "", 1.0))["run"])
        store.append(store.path_of("iterations", profile), rows, record)
        name, chosen = runner.choose("iterations", "book")
        assert (name, list(chosen.runs["run"])) == (profile, [record["run"]])
        total = len(experiments.grid("iterations", profile))
        words = f"{total - 1} of the {total} runs of `{profile}` are not made yet."
        words += " 16 of the 16 runs of `paper` are not made yet." if profile == "laptop" else ""
        assert runner.missing("iterations", profile) == words
    with pytest.raises(runner.MissingResults):  # a profile that is asked for is shown whole
        runner.choose("iterations", "laptop")
