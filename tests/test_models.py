"""The fully connected network: its shape, its initial weights, its errors."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from tailnoise_utils.models import fcn


@pytest.mark.parametrize(
    ("inputs", "width", "depth", "classes"), [(784, 128, 3, 10), (64, 32, 2, 10), (5, 4, 10, 3), (1, 1, 2, 1)]
)
def test_weights_are_torchs_own_for_the_seed(inputs: int, width: int, depth: int, classes: int) -> None:
    model = fcn(inputs, width, depth, classes, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        sizes = [inputs] + [width] * (depth - 1) + [classes]
        wanted = [nn.Linear(m, n, bias=False).weight for m, n in pairwise(sizes)]
    found = list(model.parameters())
    assert len(found) == len(wanted) == depth
    assert all(torch.equal(w, v) and w.requires_grad for w, v in zip(found, wanted, strict=True))
    assert sum(w.numel() for w in found) == inputs * width + (depth - 2) * width**2 + width * classes


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
