"""Minibatches and the noise matrix, against a naive oracle: one autograd call per sample, averaged in float64."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from tailnoise_utils.models import fcn
from tailnoise_utils.noise import check_batch_size, minibatches, noise_matrix

N, B = 60, 6
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def samples(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Random images and labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, 1, 4, 4, generator=generator).to(dtype)
    return x, torch.randint(3, (N,), generator=generator)


def oracle(model: nn.Module, x: Tensor, y: Tensor, batches: Tensor) -> Tensor:
    """The noise in float64, from one backward pass per sample on a copy in float64."""
    model = copy.deepcopy(model).double()
    per_sample = []
    for image, label in zip(x.double(), y, strict=True):
        model.zero_grad()
        cross_entropy(model(image[None]), label[None]).backward()
        per_sample.append(torch.cat([w.grad.flatten() for w in model.parameters()]))
    g = torch.stack([torch.stack([per_sample[i] for i in batch]).mean(0) for batch in batches.tolist()])
    return g - torch.stack(per_sample).mean(0)  # all samples are in one minibatch each: gbar is the full gradient


@DTYPES
@pytest.mark.parametrize("order", ["random", "data"])
def test_noise_is_that_of_the_oracle(dtype: torch.dtype, order: str) -> None:
    x, y = samples(dtype)
    model = fcn(16, 7, 3, 3, seed=1).to(dtype)
    batches = minibatches(N, B, order=order, seed=2)
    U = noise_matrix(model, cross_entropy, x, y, batches)
    assert U.shape == (N // B, 16 * 7 + 7 * 7 + 7 * 3)
    assert U.dtype == dtype
    assert not U.requires_grad
    wanted = oracle(model, x, y, batches)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-15}[dtype] * wanted.abs().max().item()
    torch.testing.assert_close(U.double(), wanted, rtol=0, atol=8 * tolerance)


@DTYPES
def test_rows_sum_to_zero(dtype: torch.dtype) -> None:
    x, y = samples(dtype)
    U = noise_matrix(fcn(16, 7, 3, 3, seed=1).to(dtype), cross_entropy, x, y, minibatches(N, B, seed=2))
    assert U.abs().max() > 0.01
    assert (U.double().sum(0).abs() <= len(U) * torch.finfo(dtype).eps * U.abs().amax(0)).all()


def test_columns_are_the_parameters_in_order_row_major() -> None:
    x, _ = samples()
    x = x.flatten(1)
    y = torch.randn(N, 2, generator=torch.Generator().manual_seed(3))
    model = nn.Linear(16, 2)
    batches = minibatches(N, B, seed=2)
    g = []
    for batch in batches.numpy():  # by hand: the mean over samples and outputs of (W x + c - y)^2
        X, Y = x.double().numpy()[batch], y.double().numpy()[batch]
        residual = X @ model.weight.detach().double().numpy().T + model.bias.detach().double().numpy() - Y
        g.append(np.concatenate([(residual.T @ X / B).ravel(), residual.mean(0)]))
    U = noise_matrix(model, mse_loss, x, y, batches)
    np.testing.assert_allclose(U.numpy(), np.array(g) - np.mean(g, 0), atol=1e-5)


def test_more_columns_than_one_block_holds() -> None:
    x, y = samples()
    model = fcn(16, 300, 3, 3, seed=1)
    batches = minibatches(N, 1, seed=2)
    U = noise_matrix(model, cross_entropy, x, y, batches)
    assert U.numel() > 40 * 2**17
    torch.testing.assert_close(U.double(), oracle(model, x, y, batches), rtol=0, atol=1e-6)


def test_dead_units_are_exactly_zero() -> None:
    x, y = samples()
    model = fcn(16, 7, 3, 3, seed=1)
    with torch.no_grad():
        model[1].weight[4] = -1  # of positive inputs: unit 4 of the first layer never fires
    U = noise_matrix(model, cross_entropy, x.abs(), y, minibatches(N, B, seed=2))
    first, second, _ = U.split([16 * 7, 7 * 7, 7 * 3], dim=1)
    assert (first.view(-1, 7, 16)[:, 4] == 0).all()
    assert (second.view(-1, 7, 7)[:, :, 4] == 0).all()
    assert (first.view(-1, 7, 16)[:, :4] != 0).any()


@DTYPES
@pytest.mark.parametrize("size", [1, 6, 20])  # 60 minibatches: a plain sum of 60 thirds is not exact
def test_a_gradient_that_is_the_same_everywhere_is_exactly_zero(dtype: torch.dtype, size: int) -> None:
    x, y = samples(dtype)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).to(dtype)  # the mean output's gradient by each bias is 1/3
    U = noise_matrix(model, lambda outputs, _: outputs.mean(), x, y, minibatches(N, size, seed=2))
    assert (U[:, -3:] == 0).all()
    assert (U[:, :-3] != 0).any()


def test_parameters_that_the_loss_does_not_reach_are_zero_and_frozen_ones_absent() -> None:
    x, y = samples()
    model = fcn(16, 7, 3, 3, seed=1)
    model.register_parameter("unused", nn.Parameter(torch.ones(5)))
    model[3].weight.requires_grad_(False)
    batches = minibatches(N, B, seed=2)
    U = noise_matrix(model, cross_entropy, x, y, batches)
    model[3].weight.requires_grad_(True)
    unused, W1, W2, W3 = noise_matrix(model, cross_entropy, x, y, batches).split([5, 16 * 7, 7 * 7, 7 * 3], dim=1)
    assert (unused == 0).all()
    assert (W2 != 0).any()
    assert torch.equal(U, torch.cat([unused, W1, W3], dim=1))


def test_model_and_random_state_are_left_as_found() -> None:
    x, y = samples()
    model = fcn(16, 7, 3, 3, seed=1)
    model[1].weight.grad = torch.full((7, 16), 2.0)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    for training in (True, False):
        model.train(training)
        noise_matrix(model, cross_entropy, x, y, minibatches(N, B, seed=2))
        assert all(layer.training == training for layer in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())
    assert (model[1].weight.grad == 2).all()
    assert [w.grad is None for w in model.parameters()] == [False, True, True]


def test_rows_are_in_the_order_of_the_minibatches() -> None:
    x, y = samples()
    model, batches = fcn(16, 7, 3, 3, seed=1), minibatches(N, B, seed=2)
    U = noise_matrix(model, cross_entropy, x, y, batches)
    torch.testing.assert_close(noise_matrix(model, cross_entropy, x, y, batches.flip(0)), U.flip(0), rtol=0, atol=1e-7)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_located(value: float) -> None:
    x, y = samples()
    x = x.flatten(1)
    x[13, 5] = value
    batches = minibatches(N, B, order="data")
    # The squared error of a linear model: the value spoils its own minibatch, weights and bias alike.
    with pytest.raises(FloatingPointError, match=r"17 of the 17 entries of the gradient of minibatch 2 are NaN or inf"):
        noise_matrix(nn.Linear(16, 1), lambda outputs, _: outputs.square().mean(), x, y, batches)
    # Of the mean output: only the weight of that input.
    with pytest.raises(FloatingPointError, match="1 of the 17 entries of the gradient of minibatch 2"):
        noise_matrix(nn.Linear(16, 1), lambda outputs, _: outputs.mean(), x, y, batches)


def test_large_finite_gradients_pass() -> None:
    x, y = samples()
    x = x.flatten(1)
    x[:, :8] = 1e38  # finite, as is their mean, but the sum over the entries of a gradient overflows
    U = noise_matrix(nn.Linear(16, 1), lambda outputs, _: outputs.mean(), x, y, minibatches(N, 1, order="data"))
    assert U.isfinite().all()


def test_nothing_trainable_is_refused() -> None:
    x, y = samples()
    with pytest.raises(ValueError, match=r"Flatten has no trainable parameter: .*requires_grad_"):
        noise_matrix(nn.Flatten(), cross_entropy, x, y, minibatches(N, B, seed=2))


def test_a_loss_without_gradient_is_refused() -> None:
    x, y = samples()
    with torch.no_grad(), pytest.raises(ValueError, match=r"depends on no trainable parameter: .*no_grad"):
        noise_matrix(fcn(16, 7, 3, 3, seed=1), cross_entropy, x, y, minibatches(N, B, seed=2))


def test_one_minibatch_is_refused() -> None:
    x, y = samples()
    with pytest.raises(ValueError, match=r"1 minibatch\(es\).*two or more"):
        noise_matrix(fcn(16, 7, 3, 3, seed=1), cross_entropy, x, y, torch.arange(N)[None])


@given(st.integers(2, 40), st.integers(1, 40), st.sampled_from(["random", "data"]), st.integers(0, 2**32))
def test_minibatches_are_a_partition(P: int, b: int, order: str, seed: int) -> None:
    batches = minibatches(P * b, b, order=order, seed=seed)
    assert batches.shape == (P, b)
    assert sorted(batches.flatten().tolist()) == list(range(P * b))


def test_order_of_the_samples() -> None:
    assert minibatches(6, 3, order="data").tolist() == [[0, 1, 2], [3, 4, 5]]
    state = torch.get_rng_state()
    first, again, other = minibatches(600, 3, seed=1), minibatches(600, 3, seed=1), minibatches(600, 3, seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.flatten().tolist() != list(range(600))


@pytest.mark.parametrize(
    ("n", "b", "message"),
    [
        (1500, 400, r"batch_size = 400 does not divide the number of samples, 1500: .* 375 or 500$"),
        (1500, 1000, r"batch_size = 1000 does not divide the number of samples, 1500: .* 750$"),
        (1500, 1500, r"batch_size = 1500 leaves fewer than 2 minibatches of 1500 samples: .* 750$"),
        (1500, 1600, r"batch_size = 1600 is larger than the number of samples, 1500: .* 750$"),
        (1501, 80, r"batch_size = 80 does not divide the number of samples, 1501: .* 79$"),
        (13, 5, r"batch_size = 5 does not divide the number of samples, 13: .* 1$"),
        (1500, 0, r"batch_size = 0 is below 1: .* 1$"),
        (1500, -5, r"batch_size = -5 is below 1: .* 1$"),
        (1, 1, r"1 samples do not make 2 minibatches: give 2 samples or more"),
    ],
)
def test_a_size_that_does_not_fit_names_the_nearest_that_do(n: int, b: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        minibatches(n, b, seed=0)


@given(st.integers(1, 300), st.integers(-3, 310), st.integers(1, 3))
def test_nearest_sizes_are_the_nearest_divisors(n: int, b: int, fewest: int) -> None:
    fitting = [d for d in range(1, n + 1) if n % d == 0 and n // d >= fewest]
    if b in fitting:
        check_batch_size(n, b, fewest=fewest)
        return
    with pytest.raises(ValueError, match=r"samples|below") as caught:
        check_batch_size(n, b, fewest=fewest)
    if fitting:
        named = [int(word) for word in str(caught.value).rpartition(" is ")[2].split(" or ")]
        assert named == [d for d in fitting if d < b][-1:] + [d for d in fitting if d > b][:1]


def test_an_unknown_order_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'sorted'.*random, data"):
        minibatches(10, 5, order="sorted", seed=0)


def test_a_random_order_needs_a_seed() -> None:
    with pytest.raises(ValueError, match=r"seed = None.*give an integer, or take order='data'"):
        minibatches(10, 5)


@pytest.mark.parametrize(
    ("batches", "targets", "message"),
    [
        (torch.arange(8).view(2, 4), 9, "8 inputs and 9 targets"),
        (torch.tensor([[0, 1], [1, 2]]), 8, "not disjoint minibatches of the 8 samples"),
        (torch.tensor([[0, 1], [2, 8]]), 8, "not disjoint minibatches of the 8 samples"),
        (torch.zeros(2, 0, dtype=torch.int64), 8, "not disjoint minibatches of the 8 samples"),
    ],
)
def test_samples_and_minibatches_that_do_not_fit_are_refused(batches: torch.Tensor, targets: int, message: str) -> None:
    model = torch.nn.Linear(3, 2)
    x, y = torch.zeros(8, 3), torch.zeros(targets, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        noise_matrix(model, torch.nn.functional.cross_entropy, x, y, batches)
