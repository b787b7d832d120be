"""Minibatches, models and losses of other people's making: the same numbers, or an error that says what to do."""

import random
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise.gradient import minibatch_gradient
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches, leaves, moved
from tailnoise_utils.noise.torch_state import private_randomness

SIZE, ROWS = 20, 16


def network(inputs: int = 10) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 3))


def pairs() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SIZE * ROWS, 10, generator=generator)
    return list(Minibatches(x, torch.randint(3, (len(x),), generator=generator), SIZE, order="data"))


@dataclass(frozen=True)
class Pieces:
    x: Tensor
    y: Tensor
    kind: str = "pieces"


class Graph:
    """What has a method `to` and cannot be looked into."""

    __slots__ = ("x", "y")

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def to(self, device: torch.device) -> "Graph":
        self.x, self.y = self.x.to(device), self.y.to(device)
        return self


BATCHES: dict[str, tuple[Callable[[Tensor, Tensor], Any], Callable[[Any], tuple[Tensor, Tensor]]]] = {
    "dictionary": (lambda x, y: {"x": x, "y": y}, lambda batch: (batch["x"], batch["y"])),
    "UserDict": (lambda x, y: UserDict(x=x, y=y), lambda batch: (batch["x"], batch["y"])),
    "read-only": (lambda x, y: MappingProxyType({"x": x, "y": y}), lambda batch: (batch["x"], batch["y"])),
    "data class": (Pieces, lambda batch: (batch.x, batch.y)),
    "data class in UserDict in list": (
        lambda x, y: [UserDict(inner=Pieces(x, y)), "a word", None],
        lambda batch: (batch[0]["inner"].x, batch[0]["inner"].y),
    ),
}
OPAQUE = {"graph": (Graph, lambda batch: (batch.x, batch.y))}


def loss_of(opened: Callable[[Any], tuple[Tensor, Tensor]]) -> Callable[[nn.Module, Any], Tensor]:
    def loss(model: nn.Module, batch: Any) -> Tensor:
        x, y = opened(batch)
        return cross_entropy(model(x), y)

    return loss


@pytest.mark.parametrize("method", ["matrix", "streaming"])
@pytest.mark.parametrize("kind", BATCHES)
def test_batches_of_any_kind_are_counted_and_compared(kind: str, method: str) -> None:
    wrap, opened = BATCHES[kind]
    wanted = measure(network(), cross_entropy, pairs(), method=method)
    batches = [wrap(x, y) for x, y in pairs()]
    report = measure(network(), loss_of(opened), batches, method=method)
    assert (report.corrected, report.samples) == (wanted.corrected, wanted.samples) == (wanted.corrected, SIZE * ROWS)
    again = [*batches[:-1], batches[0]]
    if method == "matrix":
        assert "of the samples are in another minibatch too" in measure(network(), loss_of(opened), again).conclusion

    class Changing:
        passes = 0

        def __len__(self) -> int:
            return ROWS

        def __iter__(self) -> Any:
            self.passes += 1
            return iter(batches if self.passes == 1 else again)

    if method == "streaming":
        with pytest.raises(ValueError, match="minibatch 15 of the second pass differs"):
            measure(network(), loss_of(opened), Changing(), method=method)
    smaller = [*batches[:-1], wrap(*(part[1:] for part in pairs()[-1]))]
    with pytest.raises(ValueError, match="minibatch 15 has 19 samples, those before it 20"):
        measure(network(), loss_of(opened), smaller, method=method)


@pytest.mark.parametrize("kind", [*BATCHES, *OPAQUE])
def test_batches_are_moved_in_copies(kind: str) -> None:
    wrap, opened = (BATCHES | OPAQUE)[kind]
    batch = wrap(*pairs()[0])
    assert {part.device.type for part in opened(moved(batch, torch.device("meta")))} == {"meta"}
    assert {part.device.type for part in opened(batch)} == {"cpu"}
    assert len(leaves(batch)) == {"data class": 3, "data class in UserDict in list": 5, "graph": 1}.get(kind, 2)


def test_the_user_says_how_many_samples_there_are() -> None:
    edges = [{"x": x, "y": y, "edges": torch.zeros(2, 7)} for x, y in pairs()]
    loss = loss_of(lambda batch: (batch["x"], batch["y"]))
    assert measure(network(), loss, edges, diagnosis=False).samples is None
    assert measure(network(), loss, edges, samples=5, diagnosis=False).samples == 5 * ROWS
    assert measure(network(), loss, edges, samples=lambda batch: len(batch["y"])).samples == SIZE * ROWS
    with pytest.raises(ValueError, match=r"minibatch \d has \d+ samples, those before it \d+"):
        measure(network(), loss, edges, samples=lambda batch: int(batch["y"].sum()))
    with pytest.raises(TypeError, match=r"samples = 2.5 is of type float, no integer: give one"):
        measure(network(), loss, edges, samples=lambda batch: 2.5)
    one_unknown = [*edges[:1], *({"x": x, "y": y} for x, y in pairs()[1:])]
    for batches in (one_unknown, one_unknown[::-1]):
        assert measure(network(), loss, batches, diagnosis=False).samples is None


class Chance(nn.Module):
    """Draws from Python's and NumPy's global generators."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * (1 + random.random()) + float(np.random.standard_normal()))  # noqa: NPY002


def test_the_seed_governs_the_generators_of_python_and_numpy_too() -> None:
    numpys = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (noise_matrix(Chance(), cross_entropy, pairs(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert measure(Chance(), cross_entropy, pairs(), method="streaming").rounding == 0
    assert np.array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002
    pythons = random.getstate()  # beartype, which checks types in these tests, draws from it too
    with private_randomness():
        random.random()
    assert random.getstate() == pythons


def test_sparse_gradients_are_those_of_dense_ones() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(30, (SIZE * ROWS, 5))
    model = nn.Sequential(nn.EmbeddingBag(30, 6, sparse=True, mode="sum"), nn.Linear(6, 3))
    batches = Minibatches(tokens, tokens[:, 0] % 3, SIZE, seed=0)
    report = measure(model, cross_entropy, batches)
    model[0].sparse = False
    dense = measure(model, cross_entropy, batches)
    assert report.corrected.alpha == pytest.approx(dense.corrected.alpha, rel=1e-6)
    assert report.conclusion == dense.conclusion


class Buffers(nn.Module):
    """One is an expanded view; forward changes the size of one, the numbers of another, and replaces the last."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()
        self.register_buffer("expanded", torch.ones(1, 10).expand(5, 10))
        self.register_buffer("resized", torch.arange(3.0))
        self.register_buffer("counted", torch.zeros(1))
        self.register_buffer("replaced", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.resized.resize_(7).fill_(9.0)
        self.counted += 1
        self.replaced = self.replaced + 1
        return self.inner(x * self.expanded[0])


def test_buffers_come_back_whatever_happens_to_them() -> None:
    model = Buffers()
    before = {name: (buffer, buffer.clone()) for name, buffer in model.named_buffers()}
    report = measure(model, cross_entropy, pairs(), diagnosis=False)
    assert report.corrected == measure(network(), cross_entropy, pairs(), diagnosis=False).corrected
    for name, buffer in model.named_buffers():
        assert buffer is before[name][0]
        assert torch.equal(buffer, before[name][1]), name


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_scripted_models_have_the_numbers_of_plain_ones() -> None:
    model = nn.Sequential(network(), nn.BatchNorm1d(3))
    wanted = measure(model, cross_entropy, pairs(), mode="train", diagnosis=False)
    scripted = torch.jit.script(model)
    report = measure(scripted, cross_entropy, pairs(), mode="train", diagnosis=False)
    assert report.corrected.alpha == pytest.approx(wanted.corrected.alpha, rel=1e-4)
    assert float(dict(scripted.named_buffers())["1.num_batches_tracked"]) == 0


def test_one_weight_has_a_report() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, SIZE * ROWS, 1, generator=generator)
    report = measure(nn.Linear(1, 1, bias=False), nn.functional.mse_loss, Minibatches(x, y, SIZE, seed=0))
    assert (report.P, report.p) == (ROWS, 1)
    assert "p = 1" in report.details()


ERRORS = {
    "meta": (lambda: network().to("meta"), cross_entropy, None, r"on the meta device: load them \(to_empty"),
    "an output object": (
        network,
        lambda outputs, y: SimpleNamespace(loss=cross_entropy(outputs, y)),
        None,
        r"the loss is a SimpleNamespace, not one number: return its \.loss",
    ),
    "float64": (
        network,
        cross_entropy,
        torch.float64,
        r"minibatch 0 are of torch.float64, the weights of torch.float32",
    ),
    "integers": (
        network,
        cross_entropy,
        torch.int64,
        r"torch.int64, the weights of torch.float32: .* x.to\(torch.float32\)",
    ),
    "float32": (lambda: network().double(), cross_entropy, torch.float32, "the weights of torch.float64: convert one"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_say_what_to_do(kind: str) -> None:
    make, loss, dtype, message = ERRORS[kind]
    x, y = pairs()[0]
    with pytest.raises(ValueError, match=message):
        minibatch_gradient(make(), loss, (x.to(dtype), y))
