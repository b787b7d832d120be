"""Gradients of single samples against one autograd call for each, and how many samples a coordinate sees."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils.noise.gradient import minibatch_gradient
from tailnoise_utils.noise.parameters import trainable
from tailnoise_utils.noise.per_sample import images_per_coordinate, per_sample_gradients, per_sample_norms
from tailnoise_utils.study.networks.models import LOSSES, cnn, fcn

N = 12


def with_biases() -> nn.Module:
    """Biases, a stride, a dilation, a frozen layer, an activation in place, and a linear layer at several places."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        layers = [
            nn.Conv2d(3, 4, (3, 5), stride=(2, 3), padding=(1, 2), dilation=(2, 1)),
            nn.ReLU(inplace=True),
            nn.Linear(11, 6),
            nn.Tanh(),
            nn.Conv2d(4, 2, 3, bias=False),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.LazyLinear(10),
        ]
        model = nn.Sequential(*layers)
        model(torch.zeros(1, 3, 32, 32))
    model[2].weight.requires_grad_(False)
    return model


MODELS = {"fcn": lambda: fcn(3 * 32 * 32, 9, 3, 10, seed=1), "cnn": lambda: cnn(4, 10, seed=3), "biases": with_biases}


def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(N, 3, 32, 32, generator=generator), torch.randint(10, (N,), generator=generator)


def one_by_one(model: nn.Module, loss: str) -> Tensor:
    x, y = samples()
    return torch.stack([minibatch_gradient(model, LOSSES[loss], (x[i : i + 1], y[i : i + 1])).flat() for i in range(N)])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_each_row_is_the_gradient_of_one_sample(name: str, loss: str) -> None:
    model = MODELS[name]().train()
    wanted = one_by_one(model, loss)
    p = sum(w.numel() for w in trainable(model))
    for columns in (torch.arange(p), torch.arange(3, p, 11), torch.arange(p - 5, p), torch.arange(0)):
        rows = per_sample_gradients(model, LOSSES[loss], *samples(), columns)
        torch.testing.assert_close(rows, wanted[:, columns], rtol=1e-4, atol=1e-6 * float(wanted.abs().max()))
    assert wanted.abs().max() > 1e-3
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_norms_are_those_of_the_gradients_of_single_samples(name: str, loss: str) -> None:
    model = MODELS[name]()
    norms = per_sample_norms(model, LOSSES[loss], *samples())
    torch.testing.assert_close(norms, one_by_one(model, loss).double().norm(dim=1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_images_per_coordinate_is_the_ratio_of_squares(name: str) -> None:
    model = MODELS[name]()
    squares = one_by_one(model, "nll").double().square()
    columns = torch.arange(0, squares.shape[1], 3)
    wanted = (squares.sum(0).square() / squares.square().sum(0))[columns]
    for chunk in (500, 5):
        counts = images_per_coordinate(model, cross_entropy, *samples(), columns, chunk=chunk)
        torch.testing.assert_close(counts, wanted, rtol=1e-3, atol=0, equal_nan=True)
    counts = counts[~counts.isnan()]
    assert counts.min() > 1 - 1e-9
    assert counts.max() < N + 1e-9
    assert counts.max() - counts.min() > 2


def mean_output(outputs: Tensor, _: Tensor) -> Tensor:
    """A loss whose gradient by a weight is the mean input."""
    return outputs.sum() / len(outputs)


def test_equal_gradients_count_all_samples_and_a_single_one_counts_one() -> None:
    x = torch.zeros(N, 4)
    x[:, 0] = 2.0  # the same in all samples
    x[5, 1] = -3.0  # one sample has all of the gradient
    x[:, 2] = torch.tensor([1.0, -1.0]).repeat(N // 2)  # of one size, whatever the sign
    counts = images_per_coordinate(nn.Linear(4, 1), mean_output, x, torch.zeros(N, dtype=torch.int64), torch.arange(5))
    assert counts[[0, 1, 2, 4]].tolist() == [N, 1, N, N]  # the last is the bias
    assert counts[3].isnan()


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(3),
        nn.PReLU(),
        nn.Conv2d(3, 3, 3, groups=3),
        nn.Conv2d(3, 3, 3, padding="same"),
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"),
    ],
)
def test_other_layers_are_refused(layer: nn.Module) -> None:
    model = nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(10)).eval()
    model(samples()[0])
    with pytest.raises(ValueError, match=rf"parameters of {type(layer).__name__}: only nn.Linear and nn.Conv2d have"):
        per_sample_gradients(model, cross_entropy, *samples(), torch.arange(4))
    layer.requires_grad_(False)  # what is not trained is no obstacle
    assert per_sample_gradients(model, cross_entropy, *samples(), torch.arange(4)).shape == (N, 4)
