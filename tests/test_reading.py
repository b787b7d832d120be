"""The ends of a training, where runs stop at different steps, and some did not train."""

import pandas as pd
import pytest

from tailnoise_utils.study.results import store
from tailnoise_utils.study.results.reading import (
    AFTER,
    BEFORE,
    at_end,
    at_start,
    ends,
    late,
    untrained,
    with_configurations,
)


@pytest.fixture
def results():
    """Runs of three configurations: both trained, and stopped after 100 and 140 steps; one of two trained; none trained."""
    runs = [
        ("wide 0", 64, "nll", "complete", (0, 50, 100)),
        ("wide 1", 64, "nll", "complete", (0, 50, 140)),
        ("narrow 0", 2, "nll", "complete", (0, 50, 300)),
        ("narrow 1", 2, "nll", "not trained", (0, 50, 300)),
        ("hinge 0", 2, "hinge", "diverged", (0, 50)),
        ("hinge 1", 2, "hinge", "not trained", (0, 50, 300)),
    ]
    rows = [
        {"quantity": "loss", "value": 1.0, "iteration": point, "scope": scope, "split": "train", "run": run}
        for run, *_, points in runs
        for point in points
        for scope in ("all", "linear1")
    ]
    configurations = [
        {"run": run, "model": "fcn", "dataset": "mnist", "loss": loss, "width": width, "depth": 3, "status": status}
        for run, width, loss, status, _ in runs
    ]
    return store.Results(store.to_frame(rows, ""), pd.DataFrame(configurations))


def points(table):
    assert set(table["scope"]) == {"all"}
    return dict(zip(table["run"], table["iteration"], strict=True))


def test_a_run_ends_at_its_own_last_snapshot(results):
    assert points(at_end(results)) == {"wide 0": 100, "wide 1": 140, "narrow 0": 300}
    others = {"narrow 1": 300, "hinge 0": 50, "hinge 1": 300}
    assert points(at_end(results, trained=False)) == points(at_end(results)) | others
    assert points(at_start(results)) == dict.fromkeys(results.runs["run"], 0)


def test_a_configuration_of_which_no_run_trained_is_shown_with_all_its_runs(results):
    table = with_configurations(results)
    assert list(table["configuration"].cat.categories) == [
        "FCN 64 × 3, MNIST, cross-entropy",
        "FCN 2 × 3, MNIST, cross-entropy",
        "FCN 2 × 3, MNIST, hinge",
    ]
    (before, first), (after, last) = ends(table[table["scope"] == "all"]).groupby("when", sort=False)
    assert (before, after) == (BEFORE, AFTER)
    assert points(first) == points(at_start(results))
    assert points(last) == points(at_end(results)) | {"hinge 0": 50, "hinge 1": 300}
    assert untrained(results) == (
        " Left out after training, for they did not leave chance: FCN 2 × 3, MNIST, cross-entropy (1 of 2)."
        " Of these configurations no run left chance, and all are shown: FCN 2 × 3, MNIST, hinge (2 of 2)."
    )


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ((0, 1000, 55_000, 55_001, 65_000), (55_001, 65_000)),
        ((0, 9000, 10_000, 10_001, 20_000), (10_001, 20_000)),
        ((0, 9999, 10_000, 19_998), (10_000, 19_998)),  # of the second half
        ((0, 150, 151, 300), (151, 300)),
        ((0,), ()),
    ],
)
def test_late_values_are_means_over_the_end_of_each_run(points, expected):
    rows = [
        {"quantity": "loss", "value": float(point), "iteration": point, "split": split, "scope": scope, "run": "a"}
        for point in points
        for split in ("train", "test")
        for scope in ("all", "linear1")
    ]
    means = late(store.Results(store.to_frame(rows, ""), pd.DataFrame([{"run": "a", "width": 8}])))
    assert list(means["value"]) == [sum(expected) / len(expected)] * 2 if expected else means.empty
    assert set(means["width"]) <= {8}
