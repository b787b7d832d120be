"""Minibatches that are no random partition of the data are found, and nothing is concluded of them."""

import itertools
from collections.abc import Callable

import pytest
import torch
from problems import normal, sas
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import controls, data
from tailnoise_utils.measure import measure
from tailnoise_utils.minibatches import Minibatches


def inner(U: Tensor) -> Tensor:
    U = U - U.mean(0)
    return U @ U.T


def alike(seed: int) -> Tensor:
    """Correlated columns of unequal scale."""
    return torch.from_numpy(normal((30, 4), seed) @ normal((4, 50), seed + 1000) * 3.0 ** normal(50, seed + 2000))


@pytest.mark.parametrize("law", [lambda seed: torch.from_numpy(sas(1.2, (30, 50), seed)), alike])
def test_of_a_random_partition_the_p_values_are_uniform(law: Callable[[int], Tensor]) -> None:
    found = torch.tensor([controls.order(inner(law(seed)), permutations=99, seed=seed) for seed in range(400)])
    for level in (0.05, 0.2, 0.5, 0.8):
        error = (level * (1 - level) / 400) ** 0.5
        assert abs(float((found <= level).double().mean()) - level) < 3 * error


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
    assert controls.order(U @ U.T, permutations=20_000, seed=1) == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize("weight", [0.7, -0.7])
def test_neighbours_that_are_alike_or_unlike_are_found(weight: float) -> None:
    X = torch.from_numpy(normal((41, 300), 7))
    assert controls.order(inner(X[1:])) > 0.01
    assert controls.order(inner(X[1:] + weight * X[:-1])) == 0.001


def batches(kind: str) -> list[tuple[Tensor, Tensor]]:
    digits = data.load("digits")
    x, y = digits.x_train, digits.y_train
    if kind == "sorted":
        return list(Minibatches(x[y.argsort()], y.sort().values, 50, order="data"))
    if kind == "overlapping":
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
        return [(x[order[at : at + 100]], y[order[at : at + 100]]) for at in range(0, 1400, 50)]
    found = list(Minibatches(x, y, 50, seed=1))
    return found + found[:5] if kind == "repeated" else found


@pytest.mark.parametrize("kind", ["sorted", "overlapping", "repeated", "random"])
def test_what_is_no_random_partition_gets_no_conclusion(kind: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10))
    report = measure(model, cross_entropy, batches(kind))
    text = " ".join(repr(report).split())
    reasons = {
        "sorted": "none, for the minibatches are no random partition of the data: neighbours are more, or less, alike",
        "repeated": "none, for 5 of the 35 minibatches hold the same data as one before them",
        "random": "across the minibatches, if they are a random partition of the data,",
    }
    reasons["overlapping"] = reasons["sorted"]
    assert f"Conclusion: {reasons[kind]}" in text
    assert (report.anatomy.order <= 1e-3) == (kind in ("sorted", "overlapping"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gets_no_conclusion(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10)).to(dtype)
    text = " ".join(repr(measure(model, cross_entropy, [(x.to(dtype), y) for x, y in batches("random")])).split())
    assert f"Conclusion: none, for gradients in {str(dtype)[6:]} have too few digits" in text
    assert "measure in float32" in text
