"""Minibatches and the noise matrix, against a naive oracle: one autograd call per sample, averaged in float64."""

import copy
from collections.abc import Callable
from itertools import chain, count

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from tailnoise_utils.noise.gradient import minibatch_gradient
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches, check_batch_size
from tailnoise_utils.noise.torch_state import seed_generators
from tailnoise_utils.study.networks.models import LOSSES, cnn, fcn, linear_hinge

N, B = 60, 6
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def samples(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Random images and labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, 1, 4, 4, generator=generator).to(dtype)
    return x, torch.randint(3, (N,), generator=generator)


def oracle(
    model: nn.Module, batches: Minibatches, loss_fn: Callable = cross_entropy, *, dropout: bool = False
) -> Tensor:
    """The noise in float64, from one backward pass per sample on a copy in float64.

    With dropout on, each sample has the masks that the network itself draws from the seed of its minibatch.
    """
    model, naive = copy.deepcopy(model), copy.deepcopy(model).double().eval()
    masks: list[Tensor] = []
    places = count()
    for name, module in model.named_modules():
        if dropout and isinstance(module, nn.Dropout):
            naive.set_submodule(name, Masked(masks, next(places)))
            module.register_forward_hook(
                lambda _, inputs, output: masks.append((output.detach() / inputs[0].detach()).nan_to_num().double())
            )
    g, all_of_them = [], []
    for i, (x, y) in enumerate(batches):
        if dropout:
            masks.clear()
            seed_generators(5, i)
            model.train()(x)
        gradients = []
        for j, (image, label) in enumerate(zip(x.double(), y, strict=True)):
            naive.zero_grad()
            for module in naive.modules():
                module.sample = j
            loss_fn(naive(image[None]), label[None]).backward()
            gradients.append(torch.cat([w.grad.flatten() for w in naive.parameters()]))
        g.append(torch.stack(gradients).mean(0))
        all_of_them += gradients
    # Every sample is in one minibatch, so gbar is the full gradient.
    return torch.stack(g) - torch.stack(all_of_them).mean(0)


class Masked(nn.Module):
    """Dropout with the mask at one place of a list, a row for each sample."""

    def __init__(self, masks: list[Tensor], place: int) -> None:
        super().__init__()
        self.masks, self.place, self.sample = masks, place, 0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.masks[self.place][self.sample]


@DTYPES
@pytest.mark.parametrize("order", ["random", "data"])
def test_noise_is_that_of_the_oracle(dtype: torch.dtype, order: str) -> None:
    x, y = samples(dtype)
    model = fcn(16, 7, 3, 3, seed=1).to(dtype)
    batches = Minibatches(x, y, B, order=order, seed=2)
    U = noise_matrix(model, cross_entropy, batches)
    assert U.shape == (N // B, 16 * 7 + 7 * 7 + 7 * 3)
    assert U.dtype == dtype
    assert not U.requires_grad
    wanted = oracle(model, batches)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-15}[dtype] * wanted.abs().max().item()
    torch.testing.assert_close(U.double(), wanted, rtol=0, atol=8 * tolerance)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("network", ["fcn", "fcn with dropout", "cnn"])
def test_both_networks_and_losses_with_dropout_on_and_off(network: str, mode: str, loss: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(12, 3, 32, 32, generator=generator), torch.randint(10, (12,), generator=generator)
    model = cnn(4, 10, seed=3) if network == "cnn" else fcn(3 * 32 * 32, 6, 3, 10, seed=1)
    if network == "fcn with dropout":
        model.relu1 = nn.Sequential(nn.ReLU(), nn.Dropout(0.3))
    batches = Minibatches(x, y, 3, seed=2)
    torch.manual_seed(11)  # what the global state is must not matter
    U = noise_matrix(model, LOSSES[loss], batches, mode=mode, seed=5)
    wanted = oracle(model, batches, LOSSES[loss], dropout=mode == "train" and network != "fcn")
    assert wanted.abs().max() > 1e-3
    torch.testing.assert_close(U.double(), wanted, rtol=0, atol=1e-5 * wanted.abs().max().item())


def test_batch_normalisation_is_per_minibatch_in_train_mode_and_fixed_in_eval_mode() -> None:
    x, y = samples()
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
    with torch.no_grad():
        for w in model.parameters():
            w.copy_(torch.randn(w.shape, generator=torch.Generator().manual_seed(w.numel())))
        model[2].running_mean.fill_(0.3)
    batches = Minibatches(x, y, B, seed=2)
    for mode in ("train", "eval"):
        U = noise_matrix(model, cross_entropy, batches, mode=mode)
        g = []
        for images, labels in batches:  # samples of a minibatch depend on each other: one pass for each minibatch
            naive = copy.deepcopy(model).double().train(mode == "train")
            cross_entropy(naive(images.double()), labels).backward()
            g.append(torch.cat([w.grad.flatten() for w in naive.parameters()]))
        wanted = torch.stack(g) - torch.stack(g).mean(0)
        torch.testing.assert_close(U.double(), wanted, rtol=0, atol=1e-5)


def test_dropout_masks_are_a_function_of_the_seed_and_the_minibatch() -> None:
    x, y = samples()
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 40), nn.Dropout(0.5), nn.Linear(40, 3))
    batches = list(Minibatches(x, y, B, seed=2))
    first, again, other = (noise_matrix(model, cross_entropy, batches, mode="train", seed=s) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    one, two, three = (
        minibatch_gradient(model, cross_entropy, batches[0], mode="train", seed=1, index=i).flat() for i in (0, 1, 0)
    )
    assert torch.equal(one, three)
    assert not torch.equal(one, two)


def test_seeds_of_neighbouring_steps_have_nothing_in_common() -> None:
    with torch.random.fork_rng(devices=[]):
        draws = []
        for seed, index in ((0, 0), (0, 1), (1, 0), (1, 10), (11, 0), (0, 10), (-1, 0)):
            seed_generators(seed, index)
            draws.append(torch.rand(1000))
    assert torch.corrcoef(torch.stack(draws)).fill_diagonal_(0).abs().max() < 0.15


@DTYPES
def test_rows_sum_to_zero(dtype: torch.dtype) -> None:
    x, y = samples(dtype)
    U = noise_matrix(fcn(16, 7, 3, 3, seed=1).to(dtype), cross_entropy, Minibatches(x, y, B, seed=2))
    assert U.abs().max() > 0.01
    # Rounding is that of the gradients, which may be far larger than the noise of their coordinate.
    assert (U.double().sum(0).abs() <= len(U) * torch.finfo(dtype).eps * U.abs().max()).all()


def test_columns_are_the_parameters_in_order_row_major() -> None:
    x, _ = samples()
    x = x.flatten(1)
    y = torch.randn(N, 2, generator=torch.Generator().manual_seed(3))
    model = nn.Linear(16, 2)
    batches = Minibatches(x, y, B, seed=2)
    g = []
    for batch in batches.indices.numpy():  # by hand: the mean over samples and outputs of (W x + c - y)^2
        X, Y = x.double().numpy()[batch], y.double().numpy()[batch]
        residual = X @ model.weight.detach().double().numpy().T + model.bias.detach().double().numpy() - Y
        g.append(np.concatenate([(residual.T @ X / B).ravel(), residual.mean(0)]))
    U = noise_matrix(model, mse_loss, batches)
    np.testing.assert_allclose(U.numpy(), np.array(g) - np.mean(g, 0), atol=1e-5)


@pytest.mark.slow
def test_more_columns_than_one_block_holds() -> None:
    x, y = samples()
    model = fcn(16, 300, 3, 3, seed=1)
    batches = Minibatches(x, y, 1, seed=2)
    U = noise_matrix(model, cross_entropy, batches)
    assert U.numel() > 40 * 2**17
    torch.testing.assert_close(U.double(), oracle(model, batches), rtol=0, atol=1e-6)


def test_dead_units_are_exactly_zero() -> None:
    x, y = samples()
    model = fcn(16, 7, 3, 3, seed=1)
    with torch.no_grad():
        model[1].weight[4] = -1  # of positive inputs: unit 4 of the first layer never fires
    U = noise_matrix(model, cross_entropy, Minibatches(x.abs(), y, B, seed=2))
    first, second, _ = U.split([16 * 7, 7 * 7, 7 * 3], dim=1)
    assert (first.view(-1, 7, 16)[:, 4] == 0).all()
    assert (second.view(-1, 7, 7)[:, :, 4] == 0).all()
    assert (first.view(-1, 7, 16)[:, :4] != 0).any()


@DTYPES
@pytest.mark.parametrize("size", [1, 6, 20])  # 60 minibatches: a plain sum of 60 thirds is not exact
def test_a_gradient_that_is_the_same_everywhere_is_exactly_zero(dtype: torch.dtype, size: int) -> None:
    x, y = samples(dtype)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).to(dtype)  # the mean output's gradient by each bias is 1/3
    U = noise_matrix(model, lambda outputs, _: outputs.mean(), Minibatches(x, y, size, seed=2))
    assert (U[:, -3:] == 0).all()
    assert (U[:, :-3] != 0).any()


def test_parameters_that_the_loss_does_not_reach_are_zero_and_frozen_ones_absent() -> None:
    x, y = samples()
    model = fcn(16, 7, 3, 3, seed=1)
    model.register_parameter("unused", nn.Parameter(torch.ones(5)))
    model[3].weight.requires_grad_(False)
    batches = Minibatches(x, y, B, seed=2)
    U = noise_matrix(model, cross_entropy, batches)
    model[3].weight.requires_grad_(True)
    unused, W1, W2, W3 = noise_matrix(model, cross_entropy, batches).split([5, 16 * 7, 7 * 7, 7 * 3], dim=1)
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
        noise_matrix(model, cross_entropy, Minibatches(x, y, B, seed=2))
        assert all(layer.training == training for layer in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())
    assert (model[1].weight.grad == 2).all()
    assert [w.grad is None for w in model.parameters()] == [False, True, True]


def test_rows_are_in_the_order_of_the_minibatches() -> None:
    x, y = samples()
    model, batches = fcn(16, 7, 3, 3, seed=1), Minibatches(x, y, B, seed=2)
    U = noise_matrix(model, cross_entropy, batches)
    torch.testing.assert_close(noise_matrix(model, cross_entropy, list(batches)[::-1]), U.flip(0), rtol=0, atol=1e-7)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_located(value: float) -> None:
    x, y = samples()
    x = x.flatten(1)
    x[13, 5] = value
    batches = Minibatches(x, y, B, order="data")
    # The squared error of a linear model: the value spoils its own minibatch, weights and bias alike.
    with pytest.raises(FloatingPointError, match=r"17 of the 17 entries of the gradient of minibatch 2 are NaN or inf"):
        noise_matrix(nn.Linear(16, 1), lambda outputs, _: outputs.square().mean(), batches)
    # Of the mean output: only the weight of that input.
    with pytest.raises(FloatingPointError, match="1 of the 17 entries of the gradient of minibatch 2"):
        noise_matrix(nn.Linear(16, 1), lambda outputs, _: outputs.mean(), batches)


def test_large_finite_gradients_pass() -> None:
    x, y = samples()
    x = x.flatten(1)
    x[:, :8] = 1e38  # finite, as is their mean, but the sum over the entries of a gradient overflows
    U = noise_matrix(nn.Linear(16, 1), lambda outputs, _: outputs.mean(), Minibatches(x, y, 1, order="data"))
    assert U.isfinite().all()


def test_nothing_trainable_is_refused() -> None:
    x, y = samples()
    with pytest.raises(ValueError, match=r"Flatten has no trainable parameter: .*requires_grad_"):
        noise_matrix(nn.Flatten(), cross_entropy, Minibatches(x, y, B, seed=2))


def test_a_loss_without_gradient_is_refused_but_no_grad_around_it_is_not() -> None:
    x, y = samples()
    model, batches = fcn(16, 7, 3, 3, seed=1), Minibatches(x, y, B, seed=2)
    with pytest.raises(ValueError, match="depends on no trainable parameter: do not detach"):
        noise_matrix(model, lambda outputs, labels: cross_entropy(outputs.detach(), labels), batches)
    with torch.no_grad():
        U = noise_matrix(model, cross_entropy, batches)
        assert not torch.is_grad_enabled()
    assert torch.equal(U, noise_matrix(model, cross_entropy, batches))


@pytest.mark.parametrize(
    ("loss_fn", "message"),
    [
        (
            lambda outputs, y: cross_entropy(outputs, y, reduction="none"),
            r"the loss is a tensor of shape \(6,\), not one",
        ),
        (lambda outputs, y: 1.0, r"the loss is a float, not one number"),
    ],
)
def test_a_loss_that_is_not_one_number_is_refused(loss_fn: Callable, message: str) -> None:
    x, y = samples()
    with pytest.raises(ValueError, match=message):
        noise_matrix(fcn(16, 7, 3, 3, seed=1), loss_fn, Minibatches(x, y, B, seed=2))


@pytest.mark.parametrize("loss_fn", [cross_entropy, nn.CrossEntropyLoss(), linear_hinge])
@pytest.mark.parametrize("label", [3, -1])
def test_labels_out_of_range_are_located(loss_fn: Callable, label: int) -> None:
    x, y = samples()
    y[13] = label
    with pytest.raises(
        ValueError, match=rf"minibatch 2 has the label {label}, .* with 3 outputs, the classes are 0 to 2"
    ):
        noise_matrix(fcn(16, 7, 3, 3, seed=1), loss_fn, Minibatches(x, y, B, order="data"))


def test_ignored_labels_pass_and_other_errors_name_their_minibatch() -> None:
    x, y = samples()
    y[13] = -100
    noise_matrix(fcn(16, 7, 3, 3, seed=1), cross_entropy, Minibatches(x, y, B, order="data"))

    def loss_fn(outputs: Tensor, labels: Tensor) -> Tensor:
        if (labels == -100).any():
            raise RuntimeError("no")
        return outputs.mean()

    with pytest.raises(RuntimeError, match="no") as caught:
        noise_matrix(fcn(16, 7, 3, 3, seed=1), loss_fn, Minibatches(x, y, B, order="data"))
    assert caught.value.__notes__ == ["in minibatch 2"]


def test_an_unknown_mode_lists_the_known() -> None:
    x, y = samples()
    with pytest.raises(ValueError, match=r"unknown mode 'test': the modes are eval, train"):
        noise_matrix(fcn(16, 7, 3, 3, seed=1), cross_entropy, Minibatches(x, y, B, seed=2), mode="test")


def test_one_minibatch_is_refused() -> None:
    x, y = samples()
    with pytest.raises(ValueError, match=r"1 minibatch\(es\).*two or more"):
        noise_matrix(fcn(16, 7, 3, 3, seed=1), cross_entropy, [(x, y)])


def test_an_iterator_and_minibatches_of_different_sizes_are_refused() -> None:
    x, y = samples()
    model = fcn(16, 7, 3, 3, seed=1)
    with pytest.raises(ValueError, match="of type generator, can be gone through only once: give"):
        noise_matrix(model, cross_entropy, (batch for batch in Minibatches(x, y, B, seed=2)))
    loader = DataLoader(TensorDataset(x, y), batch_size=7)
    with pytest.raises(ValueError, match=r"divide the number of samples, 60: .* is 6 or 10; .*drop_last=True"):
        noise_matrix(model, cross_entropy, loader)
    with pytest.raises(ValueError, match=r"minibatch 8 has 4 samples, those before it 7: .*drop_last=True"):
        noise_matrix(model, cross_entropy, list(loader))
    loader = DataLoader(TensorDataset(x, y), batch_size=7, drop_last=True)
    wanted = noise_matrix(model, cross_entropy, Minibatches(x, y, 7, order="data", drop_last=True))
    assert torch.equal(noise_matrix(model, cross_entropy, loader), wanted)
    assert len(wanted) == 8


def partition(n: int, b: int, **options: object) -> list[list[int]]:
    """The samples of each minibatch."""
    return [batch.tolist() for batch, _ in Minibatches(torch.arange(n), torch.arange(n), b, **options)]


@pytest.mark.slow
@given(st.integers(2, 40), st.integers(1, 40), st.sampled_from(["random", "data"]), st.integers(0, 2**32))
def test_minibatches_are_a_partition(P: int, b: int, order: str, seed: int) -> None:
    batches = partition(P * b, b, order=order, seed=seed)
    assert [len(batch) for batch in batches] == [b] * P
    assert sorted(chain(*batches)) == list(range(P * b))


def test_order_of_the_samples() -> None:
    assert partition(6, 3, order="data") == [[0, 1, 2], [3, 4, 5]]
    state = torch.get_rng_state()
    first, again, other = (partition(600, 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first == again
    assert first != other
    assert list(chain(*first)) != list(range(600))


def test_drop_last_leaves_out_what_does_not_fill_a_minibatch() -> None:
    assert partition(7, 3, order="data", drop_last=True) == [[0, 1, 2], [3, 4, 5]]
    assert partition(6, 3, order="data", drop_last=True) == [[0, 1, 2], [3, 4, 5]]
    seen = list(chain(*partition(601, 3, seed=1, drop_last=True)))
    assert len(set(seen)) == len(seen) == 600
    assert any(sorted(chain(*partition(7, 3, seed=s, drop_last=True))) != list(range(6)) for s in range(9))
    with pytest.raises(ValueError, match=r"batch_size = 4 does not divide the number of samples, 7: .* 1$"):
        partition(7, 4, seed=0, drop_last=True)


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
        partition(n, b, seed=0)


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
        partition(10, 5, order="sorted", seed=0)


def test_a_random_order_needs_a_seed() -> None:
    with pytest.raises(ValueError, match=r"seed = None.*give an integer, or take order='data'"):
        partition(10, 5)


def test_inputs_and_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="8 inputs and 9 targets: give one target an input"):
        Minibatches(torch.zeros(8, 3), torch.zeros(9), 2, seed=0)
