"""The networks, their initial weights, the linear hinge, their errors."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from tailnoise_utils.study.networks.models import cnn, fcn, linear_hinge


@pytest.mark.parametrize(
    ("inputs", "width", "depth", "classes"), [(784, 128, 3, 10), (64, 32, 2, 10), (5, 4, 10, 3), (1, 1, 2, 1)]
)
def test_weights_are_torchs_own_for_the_seed(inputs: int, width: int, depth: int, classes: int) -> None:
    model = fcn(inputs, width, depth, classes, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        sizes = [inputs] + [width] * (depth - 1) + [classes]
        wanted = [nn.Linear(m, n, bias=False).weight for m, n in pairwise(sizes)]
    weights = list(model.parameters())
    assert len(weights) == len(wanted) == depth
    assert all(torch.equal(w, v) and w.requires_grad for w, v in zip(weights, wanted, strict=True))
    assert sum(w.numel() for w in weights) == inputs * width + (depth - 2) * width**2 + width * classes


def test_output_is_that_of_the_formula() -> None:
    model = fcn(12, 5, 4, 3, seed=0)
    x = torch.randn(6, 1, 3, 4, generator=torch.Generator().manual_seed(1))
    values = x.double().numpy().reshape(6, 12)
    *hidden, last = [w.detach().double().numpy() for w in model.parameters()]
    for w in hidden:
        values = (values @ w.T).clip(min=0)
    torch.testing.assert_close(model(x).double(), torch.from_numpy(values @ last.T), rtol=1e-5, atol=1e-6)
    assert (model(x) < 0).any()  # no ReLU on the outputs


def test_the_seed_alone_decides_and_the_global_state_is_untouched() -> None:
    state = torch.get_rng_state()
    first = fcn(9, 8, 3, 2, seed=0)
    torch.rand(3, generator=torch.Generator().manual_seed(5))
    second, third = fcn(9, 8, 3, 2, seed=0), fcn(9, 8, 3, 2, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(w, v) for w, v in zip(first.parameters(), second.parameters(), strict=True))
    assert not any(torch.equal(w, v) for w, v in zip(first.parameters(), third.parameters(), strict=True))


def test_layers_are_weights_and_relu_only() -> None:
    kinds = [type(layer) for layer in fcn(9, 8, 4, 2, seed=0)]
    assert kinds == [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize("depth", [1, 0, -3])
def test_depth_below_two_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth = {depth}: .* 2 weight matrices or more"):
        fcn(9, 8, depth, 2, seed=0)


@pytest.mark.parametrize(
    ("name", "sizes"), [("inputs", (0, 8, 2, 2)), ("width", (9, 0, 2, 2)), ("classes", (9, 8, 2, 0))]
)
def test_sizes_below_one_are_refused(name: str, sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=rf"{name} = 0: take 1 or more"):
        fcn(*sizes, seed=0)


def built_by_torch(c: int, classes: int) -> nn.Sequential:
    """The CNN as PAPER.md words it, layer by layer."""
    h = c * math.floor(1 + math.log2(c))
    return nn.Sequential(
        *(nn.Conv2d(3, c, 4, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(c, c, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *[m for _ in range(3) for m in (nn.Conv2d(c, c, 3, padding=1), nn.ReLU())],
        *(nn.MaxPool2d(3, 2), nn.Flatten(), nn.Dropout(0.5)),
        *(nn.Linear(c, h), nn.ReLU(), nn.Dropout(0.5), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, classes)),
    )


@pytest.mark.parametrize(("filters", "classes"), [(1, 10), (2, 100), (6, 10), (16, 10)])
def test_cnn_is_torchs_own_for_the_seed(filters: int, classes: int) -> None:
    state = torch.get_rng_state()
    model = cnn(filters, classes, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        wanted = built_by_torch(filters, classes)
    pairs = list(zip(model.parameters(), wanted.parameters(), strict=True))
    assert all(torch.equal(w, v) and w.requires_grad for w, v in pairs)
    x = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(model.eval()(x), wanted.eval()(x))
    assert model(x).shape == (5, classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        dropped = model.train()(x)
        torch.manual_seed(8)
        assert torch.equal(dropped, wanted.train()(x))
    if filters > 2:  # below, all units may be dead here
        assert not torch.equal(dropped, model.eval()(x))


@pytest.mark.parametrize("filters", [0, -1])
def test_cnn_without_filters_is_refused(filters: int) -> None:
    with pytest.raises(ValueError, match=rf"filters = {filters}: take 1 or more"):
        cnn(filters, 10, seed=0)


def test_linear_hinge_by_hand() -> None:
    outputs = torch.tensor([[0.5, -2.0, 3.0], [-1.0, 0.0, 1.5]], dtype=torch.float64)
    # Own class: 1 - f; others: 1 + f; nothing below zero.
    wanted = (0.5 + 0 + 4 + 0 + 1 + 0) / 6
    assert linear_hinge(outputs, torch.tensor([0, 2])).item() == pytest.approx(wanted, rel=1e-12)
    loop = [
        max(0.0, 1 - (1 if k == y else -1) * f)
        for row, y in zip(outputs.tolist(), (1, 1), strict=True)
        for k, f in enumerate(row)
    ]
    assert linear_hinge(outputs, torch.tensor([1, 1])).item() == pytest.approx(sum(loop) / 6, rel=1e-12)


@pytest.mark.parametrize("label", [-1, 3])
def test_linear_hinge_refuses_what_is_no_class(label: int) -> None:
    with pytest.raises(ValueError, match=rf"the label {label} is no class: with 3 outputs, the classes are 0 to 2"):
        linear_hinge(torch.zeros(2, 3), torch.tensor([0, label]))
