"""Arguments that are not what is asked for: the error names what was given, what is expected and the way out."""

from collections.abc import Iterator
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches

GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(60, 16, generator=GENERATOR), torch.randint(3, (60,), generator=GENERATOR)
BATCHES = Minibatches(X, Y, 6, seed=0)
MODEL = nn.Linear(16, 3)
ARRAYS = [(x.numpy(), y.numpy()) for x, y in BATCHES]
WANTED = r"give minibatches of one size, as a list of pairs \(x, y\), a DataLoader or Minibatches\("
IN_ORDER = "give model, loss_fn, batches in this order"


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Types are checked in tests only: here users are to be met by what the package says."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("measured", [measure, noise_matrix])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (MODEL, cross_entropy, (X, Y)),
            rf"of type tuple, is a pair of whole arrays of shapes \(60, 16\) and \(60,\): {WANTED}",
        ),
        (
            (MODEL, cross_entropy, [X.numpy(), Y.numpy()]),
            rf"of type list, is a pair of whole arrays of shapes .*: {WANTED}",
        ),
        ((MODEL, cross_entropy, "abc"), f"batches, of type str, holds no minibatches: {WANTED}"),
        ((MODEL, cross_entropy, 5), f"batches, of type int, holds no minibatches: {WANTED}"),
        ((MODEL, cross_entropy, None), f"batches, of type NoneType, holds no minibatches: {WANTED}"),
        ((MODEL, cross_entropy, {"x": X, "y": Y}), f"batches, of type dict, holds no minibatches: {WANTED}"),
        (
            (MODEL, cross_entropy, TensorDataset(X, Y)),
            f"of type TensorDataset, holds samples, not minibatches: {WANTED}",
        ),
        ((MODEL, BATCHES, cross_entropy), f"batches, of type function, holds no minibatches: {WANTED}"),
        ((cross_entropy, MODEL, BATCHES), f"the model is of type function, no torch.nn.Module: {IN_ORDER}"),
        ((nn.CrossEntropyLoss(), MODEL, BATCHES), f"CrossEntropyLoss has no trainable parameter: .*{IN_ORDER}"),
        ((MODEL, "cross_entropy", BATCHES), f"the loss is of type str and cannot be called: {IN_ORDER}"),
        ((MODEL, nn.CrossEntropyLoss(reduction="sum"), BATCHES), "CrossEntropyLoss has reduction='sum'.*: take 'mean'"),
        (
            (MODEL, nn.CrossEntropyLoss, BATCHES),
            r"the loss is the class CrossEntropyLoss, not an object of it: give CrossEntropyLoss\(\)",
        ),
        (
            (MODEL, nn.CrossEntropyLoss(reduction="none"), BATCHES),
            r"a tensor of shape \(6,\), not one number: average it over the minibatch \(reduction='mean'\)",
        ),
        (
            (MODEL, cross_entropy, ARRAYS),
            r"minibatch 0 holds a NumPy array of shape \(6, 16\) and type float32.*as_tensor",
        ),
        ((MODEL, cross_entropy, [(x, y.numpy()) for x, y in BATCHES]), r"NumPy array of shape \(6,\) and type int64"),
        ((MODEL, cross_entropy, X.numpy()), r"minibatch 0 holds a NumPy array of shape \(16,\) and type float32"),
    ],
)
def test_wrong_arguments(measured: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measured(*arguments)


@pytest.mark.parametrize(
    ("batches", "kind"),
    [([1, 2, 3], "int"), (["a", "b"], "str"), (X, "Tensor"), ([{"x": x} for x, _ in BATCHES], "dict")],
)
def test_batches_that_are_no_pairs_say_how_the_loss_was_called(batches: Any, kind: str) -> None:
    with pytest.raises(ValueError, match=f"minibatch 0, of type {kind}, is no pair .* loss of torch's does not take"):
        measure(MODEL, cross_entropy, batches)
    with pytest.raises(TypeError) as caught:
        measure(MODEL, lambda outputs, y: cross_entropy(outputs, y), batches)
    assert caught.value.__notes__ == [
        f"in minibatch 0, of type {kind}, no pair: the loss was called as loss_fn(model, batch); give pairs (x, y) for "
        "loss_fn(model(x), y)"
    ]


class Stream(IterableDataset):
    """A data set that is one of minibatches."""

    def __iter__(self) -> Iterator[Any]:
        return iter(BATCHES)


def loss_of(model: nn.Module, batch: dict[str, Any]) -> Tensor:
    """Of a dictionary that holds an array for other ends."""
    return cross_entropy(model(batch["x"]), batch["y"])


def test_what_works_is_not_refused() -> None:
    wanted = noise_matrix(MODEL, cross_entropy, BATCHES)
    dictionaries = [{"x": x, "y": y, "number": np.arange(6)} for x, y in BATCHES]
    assert torch.equal(noise_matrix(MODEL, loss_of, dictionaries), wanted)
    assert torch.equal(noise_matrix(MODEL, cross_entropy, Stream()), wanted)
    assert torch.equal(
        noise_matrix(MODEL, cross_entropy, list(BATCHES)[:2]), noise_matrix(MODEL, loss_of, dictionaries[:2])
    )
    assert (
        noise_matrix(MODEL, nn.CrossEntropyLoss(), DataLoader(TensorDataset(X, Y), batch_size=6)).shape == wanted.shape
    )
    takes_arrays = lambda outputs, y: cross_entropy(outputs, torch.from_numpy(y))  # noqa: E731
    arrays = [(x, y.numpy()) for x, y in BATCHES]
    assert torch.equal(noise_matrix(MODEL, takes_arrays, arrays), wanted)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X.numpy(), Y, r"x is of type numpy\.ndarray, no torch\.Tensor: convert, .* torch\.from_numpy\(x\)"),
        (X, Y.numpy(), r"y is of type numpy\.ndarray, .* torch\.from_numpy\(y\); .*\(\.long\(\)\)"),
        (X.tolist(), Y, "x is of type list, no torch"),
        (X, None, "y is of type NoneType"),
    ],
)
def test_minibatches_are_cut_out_of_tensors(x: Any, y: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Minibatches(x, y, 6, seed=0)


def test_a_shuffling_loader_is_a_random_partition_if_it_is_gone_through_once() -> None:
    loader = DataLoader(TensorDataset(X, Y), batch_size=6, shuffle=True)
    once = list(loader)
    assert sorted(x[0].item() for pixels, _ in once for x in pixels) == sorted(X[:, 0].tolist())
    matrix, streamed = (
        measure(MODEL, cross_entropy, once, method=method, diagnosis=False).corrected
        for method in ("matrix", "streaming")
    )
    assert matrix.alpha == pytest.approx(streamed.alpha, rel=1e-6)
    assert measure(MODEL, cross_entropy, loader, method="matrix", diagnosis=False).P == 10
    with pytest.raises(ValueError, match=r"second pass differs.*without shuffling"):
        measure(MODEL, cross_entropy, loader, method="streaming", diagnosis=False)


def test_sizes_and_seeds_are_integers() -> None:
    with pytest.raises(TypeError, match=r"batch_size = 50\.0 is of type float, no integer: give 50$"):
        Minibatches(X, Y, 50.0, seed=0)
    with pytest.raises(TypeError, match=r"batch_size = '6' is of type str, no integer: give one"):
        Minibatches(X, Y, "6", seed=0)
    with pytest.raises(TypeError, match=r"seed = 0\.5 is of type float, no integer: give one"):
        Minibatches(X, Y, 6, seed=0.5)
    assert len(Minibatches(X, Y, np.int64(6), seed=np.int64(3))) == 10
    for name in ("seed", "draws", "entries"):
        with pytest.raises(TypeError, match=f"{name} = 10000000.0 is of type float, no integer: give 10000000$"):
            measure(MODEL, cross_entropy, BATCHES, **{name: 1e7})
