"""Minibatches that are no random partition of the data are found, and nothing is concluded of them."""

import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from problems import normal, sas
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import diagnosis
from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.measurement.passes import marks, repeated
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.study.networks import data


def inner(U: Tensor) -> Tensor:
    U = U - U.mean(0)
    return U @ U.T


def alike(seed: int) -> Tensor:
    """Correlated columns of unequal scale."""
    return torch.from_numpy(normal((30, 4), seed) @ normal((4, 50), seed + 1000) * 3.0 ** normal(50, seed + 2000))


@pytest.mark.slow
@pytest.mark.parametrize("law", [lambda seed: torch.from_numpy(sas(1.2, (30, 50), seed)), alike])
def test_of_a_random_partition_the_p_values_are_uniform(law: Callable[[int], Tensor]) -> None:
    p_values = torch.tensor([diagnosis.order(inner(law(seed)), permutations=99, seed=seed) for seed in range(400)])
    for level in (0.05, 0.2, 0.5, 0.8):
        error = (level * (1 - level) / 400) ** 0.5
        assert abs(float((p_values <= level).double().mean()) - level) < 3 * error


def test_p_value_is_the_share_of_orders_that_are_as_far_from_their_mean() -> None:
    U = torch.from_numpy(normal((6, 20), 5))
    U[1] += U[0]
    U[4] = 0  # like no other
    U = U - U.mean(0)
    U[4] = 0
    C = torch.nn.functional.normalize(U, dim=1)
    orders = [torch.tensor(order) for order in itertools.permutations(range(6))]
    sums = torch.stack([(C[order[:-1]] * C[order[1:]]).sum() for order in orders])
    far = (sums - sums.mean()).abs()
    exact = float((far >= far[0] * (1 - 1e-9)).double().mean())
    assert 0.05 < exact < 0.95
    assert diagnosis.order(U @ U.T, permutations=20_000, seed=1) == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize("weight", [0.7, -0.7])
def test_neighbours_that_are_alike_or_unlike_are_found(weight: float) -> None:
    X = torch.from_numpy(normal((41, 300), 7))
    assert diagnosis.order(inner(X[1:])) > 0.01
    assert diagnosis.order(inner(X[1:] + weight * X[:-1])) == 0.001


def batches(kind: str) -> list[tuple[Tensor, Tensor]]:
    digits = data.load("digits")
    x, y = digits.x_train, digits.y_train
    if kind == "sorted":
        return list(Minibatches(x[y.argsort()], y.sort().values, 50, order="data"))
    if kind == "overlapping":
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
        return [(x[order[at : at + 100]], y[order[at : at + 100]]) for at in range(0, 1400, 50)]
    drawn = list(Minibatches(x, y, 50, seed=1))
    if kind == "pure":  # each of one class, in a random order
        cut = list(Minibatches(x[y.argsort()], y.sort().values, 50, order="data"))
        return [cut[i] for i in torch.randperm(len(cut), generator=torch.Generator().manual_seed(4))]
    return drawn + drawn[:5] if kind == "repeated" else drawn


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sorted", "overlapping", "repeated", "random", "pure"])
def test_what_is_no_random_partition_gets_no_conclusion(kind: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10))
    report = measure(model, cross_entropy, batches(kind))
    text = " ".join(report.details().split())
    reasons = {
        "sorted": "none, for neighbouring minibatches are more, or less, alike than in any of 999 random orders",
        "repeated": "none, for 14.3% of the samples are in another minibatch too",
        "overlapping": "none, for 48.2% of the samples are in another minibatch too",
    }
    if kind in reasons:
        assert report.conclusion.startswith(reasons[kind])
        assert report.heavier is None
    else:  # minibatches of one class each are not seen, as the docstring says
        assert "if the minibatches are a random partition" in report.conclusion
        assert isinstance(report.heavier, bool)
    assert f"Conclusion: {report.conclusion}" in text
    assert f"Conclusion: {report.conclusion}" in " ".join(repr(report).split())
    assert len(repr(report).splitlines()) <= 10
    assert (report.diagnosis.order <= 1e-3) == (kind in ("sorted", "overlapping"))
    assert ("NOTHING CAN BE CONCLUDED" in text) == (kind not in ("random", "pure"))
    frame = report.to_frame().set_index("quantity")["value"]
    assert frame["diagnosis order (p)"] == report.diagnosis.order
    assert frame["diagnosis in doubt"] == (kind in ("sorted", "overlapping", "repeated"))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gets_no_conclusion(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10)).to(dtype)
    text = " ".join(repr(measure(model, cross_entropy, [(x.to(dtype), y) for x, y in batches("random")])).split())
    assert f"Conclusion: none, for gradients in {str(dtype)[6:]} have too few digits" in text
    assert "measure in float32" in text


@pytest.mark.slow
def test_one_layer_in_half_precision_is_enough() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10).bfloat16())

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return cross_entropy(model[3](model[:3](batch["x"]).bfloat16()).float(), batch["y"])

    report = measure(model, loss, [{"x": x, "y": y} for x, y in batches("random")])
    text = " ".join(repr(report).split())
    assert "Conclusion: none, for gradients in bfloat16 have too few digits" in text


@pytest.mark.parametrize(("p", "doubted"), [(0.001, True), (0.002, False), (0.04, False)])
def test_only_an_order_that_none_of_999_reaches_is_doubted(p: float, doubted: bool, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["tailnoise_utils.diagnosis.assembly"], "order", lambda G, seed: p)
    U = torch.randn(20, 300, generator=torch.Generator().manual_seed(3))
    result = diagnosis.diagnose(U - U.mean(0), draws=19)
    assert result.order == p
    assert bool(result.doubt) == doubted


def test_rows_that_are_all_unlike_have_no_order() -> None:
    assert diagnosis.order(inner(torch.eye(20).double())) == 1


def parted(kind: str, i: int) -> dict[str, Any]:
    """A minibatch of four that holds its numbers in some form."""
    x = torch.arange(12.0).reshape(4, 3) + i
    return {
        "sparse": {"x": x.to_sparse()},
        "not contiguous": {"x": np.asarray(x).T[:, ::2]},
        "objects": {"x": np.array([object()] * 4)},
        "alike in print": {"x": Box(x)},
        "targets": {"x": torch.ones(4, 3), "y": x[:, 0]},
        "conjugate": {"x": torch.complex(x, x).conj()},
        "half": {"x": x.half()},
        "words": {"x": ["a", i, None, b"c"]},
    }[kind]


class Box:
    """Prints its shape, as batches of graphs do."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __repr__(self) -> str:
        return f"Box({tuple(self.x.shape)})"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        *((kind, True) for kind in ("not contiguous", "targets", "conjugate", "half", "words")),
        *((kind, False) for kind in ("sparse", "objects", "alike in print")),
    ],
)
def test_copies_are_counted_where_the_data_can_be_seen(kind: str, seen: bool) -> None:
    model = nn.Linear(3, 1)
    calls = itertools.count()

    def loss(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        return model(torch.full((1, 3), float(next(calls) % 7))).sum()

    for copies in (0, 2):
        minibatches = [parted(kind, 100 * i) for i in range(20)]
        minibatches[18:18] = [parted(kind, 0), parted(kind, 100)][:copies]
        text = measure(model, loss, minibatches, draws=19).conclusion
        assert ("9.1% of the samples are in another minibatch too" in text) == (seen and copies == 2)
        assert ("in another minibatch too" in text) == (seen and copies == 2)


def test_samples_are_known_again_in_any_place() -> None:
    x, y = torch.randn(40, 3, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40)
    first, second = marks((x[:20], y[:20])), marks((x[20:], y[20:]))
    assert len(np.unique(first)) == len(first) == 20
    assert repeated([first, second]) == (0, 40)
    assert repeated([first, second, marks((x[5:15].flip(0), y[5:15].flip(0)))]) == (10, 50)
    assert repeated([marks((torch.cat([x[:20], x[:5]]), torch.cat([y[:20], y[:5]])))]) == (
        0,
        20,
    )  # within one minibatch
    assert repeated([first, marks((x[:20], y[20:]))]) == (0, 40)
    assert repeated([first, None]) == (0, 20)
    assert repeated([None]) == (0, 0)
    assert not np.array_equal(marks({"x": x, "y": y}), marks({"x": x, "y": y.flip(0)}))
    assert len(marks((x, 3))) == len(marks((x, y[:7]))) == 1  # no axis in common: a mark of all
    swapped = marks((y, y + 40)), marks((y + 40, y))
    assert not np.isin(*swapped).any()


@pytest.mark.slow
@pytest.mark.parametrize(("several", "doubted"), [(8, False), (9, True)])
def test_a_hundredth_of_the_samples_may_be_in_several_minibatches(several: int, doubted: bool) -> None:
    x = torch.randn(800, 4, generator=torch.Generator().manual_seed(0))
    x[40 : 40 + several] = x[:several]
    minibatches = [(part, torch.zeros(40)) for part in x.split(40)]
    report = measure(nn.Linear(4, 1), lambda outputs, _: outputs.square().mean(), minibatches, draws=19)
    assert ("of the samples are in another minibatch too" in report.diagnosis.doubt) == doubted
