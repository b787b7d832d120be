"""Rows of one's own: the numbers of the gradients that they are, and layers by slices or numbers of columns."""

import math
from copy import deepcopy
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import Minibatches, measure, measure_rows, stable
from tailnoise_utils.measurement import NothingAlive, Report


def network() -> tuple[nn.Module, Minibatches]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 9), nn.ReLU(), nn.Linear(9, 2))
        x = torch.randn(600, 20)
    x[:, 3] = 0  # dead coordinates
    return model, Minibatches(x, (x[:, 0] > 0).long(), 20, seed=0)


def row(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """One gradient, by plain backward()."""
    model.zero_grad()
    cross_entropy(model(x), y).backward()
    return torch.cat([w.grad.flatten() for w in model.parameters()])


def assert_same_numbers(one: Report, other: Report, rel: float) -> None:
    for name in ("published", "corrected", "permuted", "twin", "twin_published", "signs", "signs_published"):
        assert getattr(other, name).inverse == pytest.approx(getattr(one, name).inverse, rel=rel), name
        assert getattr(other, name).inverse_se == pytest.approx(getattr(one, name).inverse_se, rel=1e-3, nan_ok=True)
    assert other.tau == pytest.approx(one.tau, rel=1e-4)
    assert {name: group.dead_share for name, group in other.groups.items()} == {
        name: group.dead_share for name, group in one.groups.items()
    }


@pytest.mark.slow
def test_rows_of_gradients_have_the_numbers_of_their_model() -> None:
    model, batches = network()
    report = measure(model, cross_entropy, batches)
    V = torch.stack([row(model, x, y) for x, y in batches])
    before = V.clone()
    layers = {"0": 20 * 9 + 9, "2": slice(20 * 9 + 9, None)}
    for given in (V, V.numpy()):
        rows = measure_rows(given, layers)
        assert_same_numbers(report, rows, 1e-6)
        assert (rows.P, rows.p, rows.dead_share, rows.mode) == (30, V.shape[1], report.dead_share, "rows")
        assert (rows.conclusion, rows.heavier) == (report.conclusion, report.heavier)
        assert rows.diagnosis.decomposition.keys() == {"all", "0", "2"}
        for key, test in report.diagnosis.tests.items():
            assert rows.diagnosis.tests[key].p == pytest.approx(test.p)
    assert torch.equal(V, before)
    lines = repr(rows).splitlines()
    assert len(lines) <= 10
    assert lines[0] == f"Noise (rows): p = {V.shape[1]}, P = 30 rows"
    assert lines[1].startswith("  loss unknown, norm ")
    assert "nan" not in repr(rows) + rows.details()
    assert rows.scalars().keys() == report.scalars().keys()
    assert all(math.isnan(rows.scalars()[name]) for name in ("loss", "accuracy", "rounding"))
    assert [field.name for field in fields(Report) if getattr(rows, field.name) is None] == ["samples", "accuracy"]


@pytest.mark.slow
def test_updates_of_momentum_are_gradients_and_those_of_adam_are_not() -> None:
    """At one state the update of momentum is -lr (g + a constant); that of Adam divides by each coordinate's size."""
    model, batches = network()
    model.double()
    batches = [(x.double(), y) for x, y in batches]
    plain = measure(model, cross_entropy, batches, diagnosis=False)
    reports = []
    for make in (lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9), lambda w: torch.optim.Adam(w, lr=1e-3)):
        optimizer = make(model.parameters())
        for group in optimizer.param_groups:
            lr, group["lr"] = group["lr"], 0.0  # moments of one pass, at these weights
        for x, y in batches:
            row(model, x, y)
            optimizer.step()
        optimizer.param_groups[0]["lr"] = lr
        rows = []
        for x, y in batches:
            one, its = deepcopy((model, optimizer))
            row(one, x, y)
            its.step()
            rows.append(
                torch.cat([(a - b).flatten() for a, b in zip(one.parameters(), model.parameters(), strict=True)])
            )
        reports.append(measure_rows(torch.stack(rows).detach(), diagnosis=False))
    momentum, adam = reports
    assert momentum.corrected.alpha == pytest.approx(plain.corrected.alpha, rel=1e-6)
    assert momentum.tau == pytest.approx(plain.tau, rel=1e-6)
    assert abs(adam.corrected.alpha - plain.corrected.alpha) > 0.02


@pytest.mark.slow
def test_rows_of_known_laws() -> None:
    generator = torch.Generator().manual_seed(0)
    gaussian = measure_rows(torch.randn(60, 2000, generator=generator) + 3)
    heavy = measure_rows(stable.sample(1.5, (60, 2000), generator=generator))
    assert gaussian.corrected.alpha == pytest.approx(2, abs=0.1)
    assert (gaussian.heavier, heavy.heavier) == (False, True)
    walk = measure_rows(torch.randn(60, 2000, generator=generator).cumsum(0))  # a trajectory: neighbours are alike
    assert walk.heavier is None


def test_rows_that_are_no_matrix_are_refused() -> None:
    V = np.random.default_rng(0).normal(size=(20, 12))
    for wrong, layers, message in (
        (V[0], None, r"V has the shape \(12,\): give two rows or more, such as torch.stack\(rows\)"),
        (V[:1], None, r"V has the shape \(1, 12\)"),
        (V[:, :0], None, r"V has the shape \(20, 0\)"),
        (np.where(V > 2, np.nan, V), None, r"V of shape \(20, 12\) has \d+ NaN"),
        (
            V,
            {"a": 5, "b": 8},
            r"layer 'b': slice\(5, 13, None\) is no slice of p = 12 columns: give start < stop <= 12",
        ),
        (V, {"a": slice(3, 3)}, "layer 'a'"),
        (V, {"a": slice(0, 9, 2)}, "layer 'a'"),
        (V, {"a": slice(-4, None)}, "layer 'a'"),
        (V, {"a": 0}, "layer 'a'"),
    ):
        with pytest.raises(ValueError, match=message):
            measure_rows(wrong, layers)
    with pytest.raises(NothingAlive):
        measure_rows(np.ones((20, 12)), diagnosis=False)
    with pytest.raises(ValueError, match="draws = 3"):
        measure_rows(V, draws=3)
    with pytest.raises(TypeError, match="entries"):
        measure_rows(V, entries=1.5)
    groups = measure_rows((100 * V).astype(int), {"a": 5, "b": 3}, diagnosis=False).groups
    assert {name: group.p for name, group in groups.items()} == {"a": 5, "b": 3}
