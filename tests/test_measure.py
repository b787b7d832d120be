"""One measurement: the same numbers from the matrix and from two passes, any model, nothing left changed."""

import copy
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import tailnoise_utils
from tailnoise_utils import tail_index
from tailnoise_utils.measurement import estimates
from tailnoise_utils.measurement import one_call as module
from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise import gradient as module_of_gradient
from tailnoise_utils.noise import matrix as module_of_matrix
from tailnoise_utils.noise.gradient import Gradient
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.noise.parameters import slices
from tailnoise_utils.study.networks.models import fcn
from tailnoise_utils.tail_index import streaming
from tailnoise_utils.tail_index.streaming import PermutedRowBlocks, RowBlocks


def samples(n: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 16, generator=generator), torch.randint(3, (n,), generator=generator)


def everything() -> nn.Module:
    """Dropout, batch normalisation, a frozen layer, a dead unit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = nn.Sequential(
            nn.Linear(16, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.4), nn.Linear(9, 9), nn.ReLU()
        )
        model.append(nn.Linear(9, 3))
    model[4].weight.requires_grad_(False)
    with torch.no_grad():
        model[4].bias[2] = -1e3
    return model


def assert_same(one: Any, other: Any, rel: float) -> None:
    """Two estimates agree, standard errors and what was counted included."""
    assert other.inverse == pytest.approx(one.inverse, rel=rel)
    assert other.inverse_se == pytest.approx(one.inverse_se, rel=1e3 * rel, nan_ok=True)
    assert other.info == one.info


@pytest.mark.parametrize("convention", tail_index.CONVENTIONS)
@pytest.mark.parametrize(
    ("P", "p", "K1"), [(7, 11, None), (7, 11, 11), (30, 8, None), (30, 8, 20), (5, 400, None), (3, 4, 6), (12, 35, 70)]
)
def test_rows_one_by_one_are_the_matrix(P: int, p: int, K1: int | None, convention: str, monkeypatch) -> None:
    U = torch.randn(P, p, generator=torch.Generator().manual_seed(P)) ** 3
    U[1, 2] = U[0, :2] = 0
    if convention == "published" and K1 and (P * p) % K1:
        pytest.fail("choose K1 among the divisors")
    expected = tail_index.mohammadi(U, K1, convention=convention)
    for chunk in (2**20, 5):
        monkeypatch.setattr(streaming, "CHUNK", chunk)
        rows = RowBlocks(P, p, K1, convention=convention)
        for piece in (piece for row in U for piece in row.split([2, 0, p - 2, 0])):
            rows.add(piece)
        result = rows.result()
        rel = 1e-12 if convention == "corrected" else 1e-6
        assert result.inverse == pytest.approx(expected.inverse, rel=rel)
        assert result.inverse_se == pytest.approx(expected.inverse_se, rel=1e-9, nan_ok=True)
        assert result.info == {key: value for key, value in expected.info.items() if key != "dead_share"}


@pytest.mark.parametrize(
    ("P", "p", "K1"),
    [
        (7, 11, None),
        (7, 11, 11),
        (30, 8, None),
        (30, 8, 20),
        (5, 400, None),
        (3, 4, 6),
        (12, 35, 70),
        (40, 3, 50),
        (6, 9, 2),
    ],
)
def test_columns_are_permuted_without_putting_a_row_in_order(P: int, p: int, K1: int | None, monkeypatch) -> None:
    generator = torch.Generator().manual_seed(P)
    U = torch.randn(P, p, generator=generator) ** 3
    U[1, 2] = U[0, :2] = 0
    columns = torch.randperm(p, generator=generator)
    expected = tail_index.mohammadi(U[:, columns], K1)
    for chunk in (2**20, 5):
        monkeypatch.setattr(streaming, "CHUNK", chunk)
        rows = PermutedRowBlocks(P, p, columns.argsort(), K1)
        for piece in (piece for row in U for piece in row.split([2, 0, p - 2, 0])):
            rows.add(piece)
        result = rows.result()
        assert result.inverse == pytest.approx(expected.inverse, rel=1e-12)
        assert result.inverse_se == pytest.approx(expected.inverse_se, rel=1e-9, nan_ok=True)
        assert result.info == {key: value for key, value in expected.info.items() if key != "dead_share"}


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="an order of 4 columns for rows of 5 entries"):
        PermutedRowBlocks(2, 5, torch.arange(4))
    rows = RowBlocks(2, 5)
    rows.add(torch.ones(4))
    with pytest.raises(
        ValueError, match="a piece of 2 entries does not fit: 0 of 2 rows have been seen, and 4 of the 5"
    ):
        rows.add(torch.ones(2))
    rows.add(torch.ones(1))
    with pytest.raises(ValueError, match="1 of 2 rows have been seen"):
        rows.result()
    rows.add(torch.zeros(5))
    with pytest.raises(ValueError, match="a piece of 1 entries does not fit: 2 of 2 rows"):
        rows.add(torch.ones(1))
    zeros = RowBlocks(2, 5)
    for _ in range(2):
        zeros.add(torch.zeros(5))
    with pytest.raises(ValueError, match="nothing is alive: all 2 x 5 entries"):
        zeros.result()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("size", [2, 6, 20])  # P = 30, 10, 3: below and above the number of live columns
def test_streaming_is_the_matrix(mode: str, size: int) -> None:
    batches = Minibatches(*samples(), size, seed=1)
    reports = {m: measure(everything(), cross_entropy, batches, mode=mode, method=m) for m in ("matrix", "streaming")}
    one, other = reports["matrix"], reports["streaming"]
    assert (one.method, other.method) == ("matrix", "streaming")
    assert_same(one.corrected, other.corrected, 1e-6)
    assert_same(one.permuted, other.permuted, 1e-6)
    assert other.published.inverse == pytest.approx(one.published.inverse, rel=1e-6)
    assert other.published.inverse_se == pytest.approx(one.published.inverse_se, rel=1e-3)
    np.testing.assert_allclose(other.norms, one.norms, rtol=1e-6)
    assert (one.loss, one.accuracy, one.dead_share) == (other.loss, other.accuracy, other.dead_share)
    assert 0 < one.dead_share < 0.5
    assert list(one.groups) == list(other.groups) == ["0", "1", "4", "6"]
    for name, group in one.groups.items():
        twin = other.groups[name]
        assert (group.p, group.dead_share, group.problem) == (twin.p, twin.dead_share, twin.problem)
        for a, b in ((group.corrected, twin.corrected), (group.published, twin.published)):
            assert (a is None) == (b is None)
            if a is not None:
                assert_same(a, b, 2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_dead_coordinates_are_left_out_whatever_the_floats(method: str, dtype: torch.dtype) -> None:
    x = torch.randn(600, 20, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[:, :5] = 0
    batches, model = Minibatches(x, (x[:, 6] > 0).long(), 20, seed=0), fcn(20, 50, 2, 2, seed=1).to(dtype)
    report = measure(model, lambda out, y: cross_entropy(out.float(), y), batches, method=method, diagnosis=False)
    U = noise_matrix(model, lambda out, y: cross_entropy(out.float(), y), batches)
    live = U[:, (U != 0).any(0)]
    assert report.dead_share == 1 - live.shape[1] / U.shape[1] > 0.2
    assert report.corrected.inverse == pytest.approx(tail_index.mohammadi(live.double()).inverse, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_rows_in_pieces_are_the_rows(method: str, monkeypatch) -> None:
    batches = Minibatches(*samples(), 4, seed=1)
    expected = measure(everything(), cross_entropy, batches, method=method)
    assert expected.dead_share > 0
    for one in (module_of_matrix, estimates):
        monkeypatch.setattr(one, "CHUNK", 7)
    pieces = measure(everything(), cross_entropy, batches, method=method)
    assert_same(expected.corrected, pieces.corrected, 1e-12)
    assert_same(expected.permuted, pieces.permuted, 1e-12)
    assert_same(expected.published, pieces.published, 1e-12)
    for name, group in expected.groups.items():
        assert_same(group.corrected, pieces.groups[name].corrected, 1e-12)


@pytest.mark.slow
def test_each_number_is_that_of_the_matrix() -> None:
    x, y = samples()
    batches, model = Minibatches(x, y, 4, seed=1), everything()
    report = measure(model, cross_entropy, batches, mode="train", seed=7)
    U = noise_matrix(model, cross_entropy, batches, mode="train", seed=7)
    assert (report.P, report.p, report.samples, report.mode, report.seed) == (15, U.shape[1], 60, "train", 7)
    assert report.published == tail_index.mohammadi(U, convention="published")
    corrected = tail_index.mohammadi(U)
    assert report.corrected.inverse == pytest.approx(corrected.inverse, rel=1e-12)
    assert report.corrected.info == corrected.info
    live = U[:, (U != 0).any(0)]
    order = torch.randperm(live.shape[1], generator=torch.Generator().manual_seed(7), dtype=torch.int32)
    assert report.permuted.inverse == pytest.approx(tail_index.mohammadi(live[:, order.long()]).inverse, rel=1e-12)
    assert report.permuted.inverse != report.corrected.inverse
    np.testing.assert_allclose(report.norms, U.double().norm(dim=1), rtol=1e-12)
    last = tail_index.mohammadi(U[:, -30:])
    assert report.groups["6"].corrected.inverse == pytest.approx(last.inverse, rel=1e-12)
    assert report.groups["6"].p == 30
    assert report.groups["6"].dead_share == last.info["dead_share"] > 0
    published = tail_index.mohammadi(U[:, -30:], convention="published")
    assert report.groups["6"].published.inverse == pytest.approx(published.inverse, rel=1e-5)
    eval_report = measure(model, cross_entropy, batches)
    with torch.no_grad():
        outputs = copy.deepcopy(model).eval()(x)
    assert eval_report.loss == pytest.approx(cross_entropy(outputs, y).item(), rel=1e-6)
    assert eval_report.accuracy == pytest.approx((outputs.argmax(1) == y).float().mean().item())


def state(model: nn.Module) -> list[Any]:
    """All that a measurement must leave alone."""
    return [
        [(name, value.clone()) for name, value in model.state_dict().items()],
        [None if w.grad is None else w.grad.clone() for w in model.parameters()],
        [m.training for m in model.modules()],
        [w.requires_grad for w in model.parameters()],
        torch.get_rng_state(),
        torch.is_grad_enabled(),
    ]


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return one == other


@pytest.mark.slow
@pytest.mark.parametrize("method", ["matrix", "streaming"])
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_found(method: str, mode: str, fails: bool) -> None:
    model = everything().train()
    model[3].eval()  # a mode that is not the same everywhere
    model[0].weight.grad = torch.ones(9, 16)
    x, y = samples()
    if fails:
        x[13] = math.nan
    before = state(model)
    if fails:
        with pytest.raises(FloatingPointError, match="of the gradient of minibatch 2 are NaN or infinite"):
            measure(model, cross_entropy, Minibatches(x, y, 6, order="data"), mode=mode, method=method)
    else:
        measure(model, cross_entropy, Minibatches(x, y, 6, seed=0), mode=mode, method=method)
    assert equal(before, state(model))


@pytest.mark.slow
def test_any_kind_of_batches() -> None:
    x, y = samples()
    model = everything()
    wanted = measure(model, cross_entropy, Minibatches(x, y, 6, order="data"))
    loader = DataLoader(TensorDataset(x, y), batch_size=6)
    dicts = [{"inputs": a, "meta": {"labels": b}, "name": "t"} for a, b in Minibatches(x, y, 6, order="data")]

    def loss_of(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        return cross_entropy(model(batch["inputs"]), batch["meta"]["labels"])

    for method in ("matrix", "streaming"):
        same = measure(model, cross_entropy, loader, method=method)
        assert (same.corrected.inverse, same.accuracy) == (
            pytest.approx(wanted.corrected.inverse, rel=1e-6),
            wanted.accuracy,
        )
        same = measure(model, loss_of, dicts, method=method)
        assert same.corrected.inverse == pytest.approx(wanted.corrected.inverse, rel=1e-6)
        assert (same.accuracy, same.samples) == (None, 60)
        assert "accuracy" not in {row["quantity"] for row in same.rows()}
        assert "accuracy" not in repr(same)


class Unsized:
    """Batches without a length, in an order that may change from pass to pass."""

    def __init__(self, shuffle: bool = False) -> None:
        self.x, self.y = samples()
        self.shuffle, self.passes = shuffle, 0

    def __iter__(self):
        self.passes += 1
        return iter(Minibatches(self.x, self.y, 6, seed=self.passes if self.shuffle else 0))


@pytest.mark.slow
def test_batches_without_a_length() -> None:
    model = everything()
    wanted = measure(model, cross_entropy, Minibatches(*samples(), 6, seed=0))
    for method in ("matrix", "streaming"):
        assert measure(model, cross_entropy, Unsized(), method=method).corrected.inverse == pytest.approx(
            wanted.corrected.inverse, rel=1e-6
        )


@pytest.mark.slow
def test_other_data_in_the_second_pass_is_refused() -> None:
    model = everything()
    measure(model, cross_entropy, Unsized(shuffle=True), method="matrix")  # one pass: any partition will do
    message = r"minibatch 0 of the second pass differs from that of the first: .*(raise `memory`|method='matrix')"
    with pytest.raises(ValueError, match=message):
        measure(model, cross_entropy, Unsized(shuffle=True), method="streaming")

    class Shrinking(Unsized):
        def __iter__(self):
            self.passes += 1
            return iter(list(Minibatches(self.x, self.y, 6, seed=0))[: 10 if self.passes < 3 else 9])

    with pytest.raises(ValueError, match="the second pass has 9 minibatches, the first had 10"):
        measure(model, cross_entropy, Shrinking(), method="streaming")
    for method in ("matrix", "streaming"):
        batches = Shrinking()
        batches.passes = 1  # already when it is counted
        with pytest.raises(ValueError, match="10 minibatches were counted, but going through them gave 9"):
            measure(model, cross_entropy, batches, method=method)
    x, y = samples()

    class Relabelled(Unsized):
        def __iter__(self):
            self.passes += 1
            return iter(Minibatches(x, y if self.passes < 3 else y.roll(1), 6, order="data"))

    with pytest.raises(ValueError, match="minibatch 0 of the second pass differs"):
        measure(model, cross_entropy, Relabelled(), method="streaming")


@pytest.mark.slow
def test_the_budget_decides_the_method(monkeypatch) -> None:
    x, y = samples()
    batches, model = Minibatches(x, y, 6, seed=0), fcn(16, 7, 3, 3, seed=1)
    size = 10 * sum(w.numel() for w in model.parameters()) * 4
    assert measure(model, cross_entropy, batches, memory=size).method == "matrix"
    assert measure(model, cross_entropy, batches, memory=size - 1).method == "streaming"
    monkeypatch.setattr(module, "_free", lambda device: 4 * size)
    assert measure(model, cross_entropy, batches).method == "matrix"
    monkeypatch.setattr(module, "_free", lambda device: 4 * size - 4)
    assert measure(model, cross_entropy, batches).method == "streaming"


def test_the_free_memory_is_that_of_this_machine() -> None:
    assert 2**24 < module._free(torch.device("cpu")) < 2**50


@pytest.mark.slow
@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_progress_adds_up(method: str, capsys) -> None:
    shares: list[float] = []
    batches = Minibatches(*samples(), 6, seed=0)
    measure(everything(), cross_entropy, batches, method=method, progress=shares.append)
    assert len(shares) == {"matrix": 10, "streaming": 20}[method]
    assert sum(shares) == pytest.approx(1)
    assert not capsys.readouterr().err
    measure(everything(), cross_entropy, batches, method=method, progress=True)
    assert f"{len(shares)}/{len(shares)}" in capsys.readouterr().err


@pytest.mark.slow
def test_groups() -> None:
    model = fcn(16, 7, 3, 3, seed=1)
    batches = Minibatches(*samples(), 6, seed=0)
    U = noise_matrix(model, cross_entropy, batches)
    # They may share parameters, and are read in the order of the model, whatever is named first.
    asked = {"ends": ["linear3.weight", "linear1.weight"], "last": ["linear3.weight"]}
    columns = {"ends": torch.cat([U[:, : 16 * 7], U[:, -21:]], dim=1), "last": U[:, -21:]}
    for method in ("matrix", "streaming"):
        groups = measure(model, cross_entropy, batches, groups=asked, method=method).groups
        assert list(groups) == ["ends", "last"]
        for name, entries in columns.items():
            rel = 1e-12 if method == "matrix" else 1e-6
            assert groups[name].corrected.inverse == pytest.approx(tail_index.mohammadi(entries).inverse, rel=rel)
            published = tail_index.mohammadi(entries, convention="published")
            assert groups[name].published.inverse == pytest.approx(published.inverse, rel=1e-5)
    assert not measure(model, cross_entropy, batches, groups={}).groups
    with pytest.raises(ValueError, match=r"group 'a' names linear9\.weight, .* those are: linear1\.weight, linear2"):
        measure(model, cross_entropy, batches, groups={"a": ["linear9.weight"]})
    for names in ([], ["linear1.weight"] * 2):
        with pytest.raises(ValueError, match="group 'a' is empty or names a parameter twice"):
            measure(model, cross_entropy, batches, groups={"a": names})
    with pytest.raises(ValueError, match=r"group 'a' is the text '1', which is read letter by letter: give \['1'\]"):
        measure(model, cross_entropy, batches, groups={"a": "1"})


@pytest.mark.parametrize("wrapper", ["plain", "compiled", "parallel", "both"])
def test_groups_are_named_by_module_or_glob_whatever_wraps_the_model(wrapper: str) -> None:
    class Wrapped(nn.Module):
        def __init__(self, model: nn.Module, name: str) -> None:
            super().__init__()
            self.add_module(name, model)

    model = nn.Sequential(
        nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)), nn.Linear(3, 2), nn.ParameterDict({"a[0]": torch.ones(5)})
    )
    for name in {"compiled": ["_orig_mod"], "parallel": ["module"], "both": ["_orig_mod", "module"]}.get(wrapper, []):
        model = Wrapped(model, name)
    sizes = [12, 3, 9, 3, 6, 2, 5]
    ends = np.cumsum(sizes)
    for names, wanted in (
        (["0"], [0, 1, 2, 3]),
        (["0.1"], [2, 3]),
        (["*.bias"], [1, 3, 5]),
        (["0.?.weight", "1"], [0, 2, 4, 5]),
        (["0", "0.0.weight"], [0, 1, 2, 3]),
        (["_orig_mod.1.bias"], [5]),
        (["module.1.bias"], [5]),
        (["2.a[0]"], [6]),
        (["*"], list(range(7))),
    ):
        expected = [slice(int(ends[i] - sizes[i]), int(ends[i])) for i in wanted]
        assert slices(model, {"a": names}) == {"a": expected}, names
    for name in ("00", "0.", "weight", "1.bia", "[01].bias.*"):
        with pytest.raises(ValueError, match="which fit no trainable parameter of the model"):
            slices(model, {"a": ["0", name]})


def test_tied_parameters_count_once_and_a_bare_parameter_belongs_to_the_model() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.scale = nn.Linear(16, 16), nn.Linear(16, 16), nn.Parameter(torch.ones(3))
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).tanh())[:, :3] * self.scale

    report = measure(Tied(), cross_entropy, Minibatches(*samples(), 6, seed=0))
    assert {name: group.p for name, group in report.groups.items()} == {"Tied": 3, "a": 16 * 17, "b": 16}
    assert report.p == 16 * 17 + 16 + 3


def test_gradients_that_share_their_memory_are_each_centred_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.u, self.v = (nn.Parameter(torch.zeros(16, 3)) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return x @ (self.u + self.v)

    batches = Minibatches(*samples(), 6, seed=0)
    one, other = (measure(Twice(), cross_entropy, batches, method=m, diagnosis=False) for m in ("matrix", "streaming"))
    np.testing.assert_allclose(other.norms, one.norms, rtol=1e-6)
    assert_same(one.corrected, other.corrected, 1e-6)


def test_a_parameter_without_numbers_has_no_noise() -> None:
    class Empty(nn.Linear):
        def __init__(self) -> None:
            super().__init__(16, 3)
            self.nothing = nn.Parameter(torch.zeros(0, 5))

    batches = Minibatches(*samples(), 6, seed=0)
    for method in ("matrix", "streaming"):
        report = measure(Empty(), cross_entropy, batches, method=method)
        assert (report.p, report.groups["Empty"].p) == (51, 51)


@pytest.mark.parametrize("joined", [0, 30, 10**6])
def test_small_gradients_are_joined_large_ones_come_alone(joined: int, monkeypatch) -> None:
    monkeypatch.setattr(module_of_gradient, "_JOINED", joined)
    sizes = [40, 10, 12, 9, 50, 3]
    parts = [torch.arange(size, dtype=torch.float64 if size == 12 else torch.float32).view(1, -1) for size in sizes]
    flat = torch.cat([part.flatten() for part in parts])
    pieces = list(Gradient(list(parts), 0.0, None, None, None, None).pieces())
    expected = {0: sizes, 30: [40, 22, 9, 50, 3], 10**6: [124]}[joined]
    assert [len(piece) for _, piece in pieces] == expected
    assert all(torch.equal(flat[at], piece.double()) for at, piece in pieces)
    assert sum(at.stop - at.start for at, _ in pieces) == 124


def test_a_group_without_an_estimate_says_why_and_does_not_stop_the_others() -> None:
    model = nn.Sequential(nn.Linear(16, 9), nn.ReLU(), nn.Linear(9, 3), nn.Linear(3, 1), nn.Linear(1, 3))
    with torch.no_grad():
        model[0].bias.fill_(-1e3)  # all dead
    report = measure(model, cross_entropy, Minibatches(*samples(), 6, seed=0))
    assert report.groups["0"].corrected is None
    assert "nothing is alive" in report.groups["0"].problem
    assert report.groups["0"].dead_share == 1
    assert report.groups["4"].corrected is not None
    assert "none (nothing is alive" in report.details()
    assert {row["scope"] for row in report.rows() if "scope" in row} == {"0", "2", "3", "4"}
    report.plot()


@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_nothing_alive_is_refused(method: str) -> None:
    model = nn.Linear(16, 3)

    def loss_fn(outputs: Tensor, _: Tensor) -> Tensor:
        return outputs.sum() * 0 + model.bias.sum()

    with pytest.raises(ValueError, match="nothing is alive: every coordinate of the gradient is the same"):
        measure(model, loss_fn, Minibatches(*samples(), 6, seed=0), method=method)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "fast"}, "unknown method 'fast': the methods are auto, matrix, streaming"),
        ({"mode": "test"}, "unknown mode 'test': the modes are eval, train"),
    ],
)
def test_unknown_options_list_the_known(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(everything(), cross_entropy, Minibatches(*samples(), 6, seed=0), **options)


def test_what_cannot_be_measured_is_refused() -> None:
    x, y = samples()
    with pytest.raises(ValueError, match="Flatten has no trainable parameter"):
        measure(nn.Flatten(), cross_entropy, Minibatches(x, y, 6, seed=0))
    with pytest.raises(ValueError, match="of type generator, can be gone through only once: give minibatches"):
        measure(everything(), cross_entropy, (b for b in Minibatches(x, y, 6, seed=0)))
    with pytest.raises(ValueError, match=r"1 minibatch\(es\)"):
        measure(everything(), cross_entropy, [(x, y)])


@pytest.mark.slow
def test_the_report_reads_well() -> None:
    report = measure(everything(), cross_entropy, Minibatches(*samples(), 4, seed=1))
    text = report.details()
    assert (
        f"Gradient noise in eval mode: p = {report.p:,} parameters,\n  P = 15 minibatches of 4 samples (60 in all)\n"
        in text
    )
    assert f"corrected  {report.corrected.alpha:.3f} +- {report.corrected.se:.3f}  without the dead" in text
    assert (
        f"published  {report.published.alpha:.3f} +- {report.published.se:.3f}  in the arithmetic of the paper" in text
    )
    assert (
        f"permuted   {report.permuted.alpha:.3f} +- {report.permuted.se:.3f}  corrected, with the parameters in" in text
    )
    assert f"{report.dead_share:.2%} of the parameters" in text
    assert "no evidence of heavy tails" in text
    assert max(map(len, text.splitlines())) <= 80
    frame = report.to_frame()
    network = frame[frame["scope"] == "all"].set_index("quantity")
    assert network.loc["alpha (corrected)", "value"] == report.corrected.alpha
    assert network.loc["alpha (corrected)", "se"] == report.corrected.se
    assert network.loc["1/alpha (published)", "value"] == report.published.inverse
    quantiles = network.loc["norm quantile"].set_index("x")["value"]
    assert (quantiles[0.0], quantiles[1.0]) == (report.norms.min(), report.norms.max())
    assert quantiles[0.5] == pytest.approx(np.median(report.norms))
    layer = frame[(frame["scope"] == "6") & (frame["quantity"] == "alpha (corrected)")]
    assert layer["value"].item() == report.groups["6"].corrected.alpha
    axes = report.plot().axes
    assert [label.get_text() for label in axes[0].get_yticklabels()][-4:] == ["0", "1", "4", "6"]
    assert sum(patch.get_height() for patch in axes[1].patches) == 15


def test_callable_type_of_loss_is_free() -> None:
    loss: Callable = nn.MSELoss()
    x, _ = samples()
    report = measure(nn.Linear(16, 2), loss, Minibatches(x, x[:, :2].tanh(), 6, seed=0))
    assert report.accuracy is None
    assert report.corrected.alpha > 0


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loader_leaves_the_random_state_too(shuffle: bool) -> None:
    loader = DataLoader(TensorDataset(*samples()), batch_size=4, shuffle=shuffle)
    before = torch.get_rng_state()
    measure(everything(), cross_entropy, loader, diagnosis=False, method="matrix")
    noise_matrix(everything(), cross_entropy, loader)
    assert torch.equal(torch.get_rng_state(), before)


class Replaces(nn.Module):
    """Counts in a buffer that it replaces, as a moving average written by hand does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 3)
        self.register_buffer("seen", torch.zeros(3))
        self.register_buffer("late", None)

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.linear(x)
        self.seen = self.late = self.seen + outputs.detach().mean(0)
        return outputs


def test_buffers_that_are_replaced_come_back() -> None:
    model = Replaces()
    seen = model.seen
    measure(model, cross_entropy, Minibatches(*samples(), 4, seed=0), mode="train", diagnosis=False)
    assert model.seen is seen
    assert model.late is None
    assert not seen.any()


def test_samples_that_the_loss_ignores_do_not_count_for_the_accuracy() -> None:
    x, y = samples()
    model = everything().eval()
    with torch.no_grad():
        y[:40] = model(x[:40]).argmax(1)
        hits = model(x).argmax(1) == y
    ignored = y.clone()
    ignored[::2] = -100
    report = measure(model, cross_entropy, Minibatches(x, ignored, 10, seed=0), diagnosis=False)
    assert report.accuracy == pytest.approx(hits[1::2].double().mean().item())
    loss_fn, x, y = nn.CrossEntropyLoss(ignore_index=1), x[:40], y[:40]  # all right, also those of the ignored class
    assert (y == 1).any()
    assert measure(model, loss_fn, Minibatches(x, y, 20, seed=0), diagnosis=False).accuracy == 1


def test_mixed_types_are_widened() -> None:
    model = nn.Sequential(nn.Linear(16, 9), nn.Linear(9, 3).double())
    model[0].register_forward_hook(lambda module, inputs, output: output.double())
    noise = noise_matrix(model, cross_entropy, Minibatches(*samples(), 4, seed=0))
    assert noise.dtype == torch.float64
    report = measure(model, cross_entropy, Minibatches(*samples(), 4, seed=0), method="streaming")
    assert report.corrected.inverse == pytest.approx(tail_index.mohammadi(noise).inverse, rel=1e-9)


def test_labels_out_of_range_are_located_in_a_loss_of_the_users_too() -> None:
    x, y = samples()
    y[17] = 3
    with pytest.raises(ValueError, match=r"minibatch 4 has the label 3, .* classes are 0 to 2"):
        measure(nn.Linear(16, 3), lambda o, t: 2 * cross_entropy(o, t), Minibatches(x, y, 4, order="data"))


def test_what_has_no_gradient_of_real_numbers_is_refused() -> None:
    batches = Minibatches(*samples(), 4, seed=0)
    with pytest.raises(ValueError, match=r"a parameter of type torch.complex64 has no tail index"):
        measure(nn.Linear(16, 3, dtype=torch.complex64), cross_entropy, batches)
    with torch.inference_mode(), pytest.raises(ValueError, match=r"leave it, or use torch.no_grad\(\)"):
        measure(nn.Linear(16, 3), cross_entropy, batches)
    with pytest.raises(ValueError, match="memory = -1: give the budget as a number of bytes"):
        measure(nn.Linear(16, 3), cross_entropy, batches, memory=-1)


@pytest.mark.slow
def test_the_diagnosis_comes_with_the_report_unless_it_cannot() -> None:
    x, y = samples(160)
    batches = Minibatches(x, y, 4, seed=0)
    report = measure(everything(), cross_entropy, batches, draws=19)
    assert list(report.diagnosis.decomposition) == ["all", "0", "1", "4", "6"]
    assert report.diagnosis.draws == 19
    assert ("all", "units") in report.diagnosis.not_normal
    part = measure(everything(), cross_entropy, batches, draws=19, entries=report.P * 100).diagnosis
    assert 90 < sum(stop - start for start, stop in part.segments) <= 100 < report.p
    assert "Diagnosis of alpha^: P = 40 minibatches" in report.details()
    assert {"decomposition: tails", "tail excess (p)"} <= set(report.to_frame()["quantity"])
    for options, reason in (
        ({"diagnosis": False}, "no diagnosis was asked for"),
        ({"method": "streaming"}, r"the noise is streamed, and tests across the minibatches need its matrix"),
    ):
        without = measure(everything(), cross_entropy, batches, **options)
        assert without.diagnosis is None
        assert reason in without.no_diagnosis
        assert without.no_diagnosis in " ".join(repr(without).split())
        assert "tail excess" not in set(without.to_frame()["quantity"])
        assert without.corrected.inverse == pytest.approx(report.corrected.inverse, rel=1e-6)
    few = measure(everything(), cross_entropy, Minibatches(x, y, 16, seed=0))
    assert "P = 10 minibatches are too few" in few.no_diagnosis
    with pytest.raises(ValueError, match="draws = 3: p-values go in steps"):
        measure(everything(), cross_entropy, batches, draws=3)


@pytest.mark.slow
def test_measuring_loads_what_it_needs_alone() -> None:
    lines = (
        "import sys, torch; old = set(sys.modules); import tailnoise_utils.measurement.one_call; "
        "print(*set(sys.modules) - old)"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "tailnoise_utils.diagnosis" in loaded
    assert not loaded & {"matplotlib", "pandas", "scipy", "dask", "distributed", "torchvision", "plotly"}


@pytest.mark.slow
def test_the_face_is_lazy_and_gives_callables() -> None:
    lines = (
        "import sys, tailnoise_utils; print(*sys.modules); "
        "from tailnoise_utils import measure, noise_matrix, Minibatches, mohammadi, ESTIMATORS; "
        "from tailnoise_utils import noise, measurement, stable; "
        "assert {*tailnoise_utils.__all__} == {*dir(tailnoise_utils)}; "
        "print(*(callable(one) for one in (measure, noise_matrix, Minibatches, mohammadi, *ESTIMATORS.values())))"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert not {"torch", "numpy", "tailnoise_utils.noise", "tailnoise_utils.tail_index"} & {*first.split()}
    assert set(second.split()) == {"True"}
    with pytest.raises(AttributeError, match="module 'tailnoise_utils' has no attribute 'measured'"):
        _ = tailnoise_utils.measured


@pytest.mark.parametrize(
    "form",
    ["pair", "list of inputs", "edges first", "tokens", "dictionary", "scales", "one sample", "number for all", "list"],
)
def test_samples_are_counted_where_the_batches_tell(form: str) -> None:
    """20 minibatches of 3 samples; a first tensor need not be one of samples."""
    x, y = samples()
    table = torch.zeros(2, 7, dtype=torch.int64)  # such as the edges of a graph
    made = {
        "pair": lambda x, y: (x, y),
        "list of inputs": lambda x, y: ([x, x.flip(0)], y),
        "edges first": lambda x, y: ({"edges": table, "x": x}, y),
        "tokens": lambda x, y: (x, y.repeat_interleave(2)),
        "dictionary": lambda x, y: {"x": x, "y": y},
        "scales": lambda x, y: {"edges": table, "x": x, "y": y},
        "one sample": lambda x, y: (x[0], y[0]),
        "number for all": lambda x, y: (x, torch.tensor(0.5)),
        "list": lambda x, y: [{"x": one, "y": label} for one, label in zip(x, y, strict=True)],
    }[form]
    model = nn.Linear(16, 3)

    def inputs(batch: Any) -> Tensor:
        while not isinstance(batch, Tensor):
            batch = batch["x"] if isinstance(batch, dict) else batch[0]
        return batch

    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = model

        def forward(self, x: Any) -> Tensor:
            return self.linear(inputs(x))

    def loss(outputs: Any, _: Any) -> Tensor:
        outputs = outputs if isinstance(outputs, Tensor) else outputs(_)
        return outputs.square().mean()

    batches = [made(*pair) for pair in Minibatches(x, y, 3, seed=0)]
    report = measure(Takes(), loss, batches, diagnosis=False)
    # Of flattened targets nobody knows whether the inputs begin with the samples or with the time.
    assert report.samples == (None if form in ("scales", "tokens", "one sample", "number for all") else 60)
    assert ("of 3 samples" in repr(report)) == (report.samples is not None)


def test_of_a_gradient_that_is_another_one_each_time_nothing_is_concluded() -> None:
    class Noisy(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x * torch.from_numpy(np.random.default_rng().random(x.shape)).to(x))

    report = measure(Noisy(16, 3), cross_entropy, Minibatches(*samples(), 3, seed=0))
    assert report.heavier is None
    assert "have another gradient when a minibatch is taken again: random numbers outside torch" in report.conclusion


def test_labels_that_count_are_about_as_many_in_each_minibatch() -> None:
    """Up to four times as many, of all minibatches so far; by the loss's weights."""
    generator = torch.Generator().manual_seed(0)

    def measured(counts: Sequence[int], loss_fn: Any = cross_entropy, ignored: int = -100, form: str = "pair") -> None:
        batches = []
        for count in counts:
            x, y = torch.randn(40, 16, generator=generator), torch.arange(40) % 2
            y[count:] = ignored
            batches.append({"x": x, "labels": y} if form == "dictionary" else (x, y))
            if form == "sequences":  # outputs (5, 3, 8), labels (5, 8)
                batches[-1] = x.view(5, 8, 16), y.view(5, 8)
        noise_matrix(model, loss_fn, batches)

    heavy = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 1.0, 0.01]))
    ways = {
        "pair": (cross_entropy, -100),
        "partial": (partial(cross_entropy, ignore_index=2), 2),
        "weights": (heavy, 2),
        "sequences": (cross_entropy, -100),
        "dictionary": (lambda model, batch: cross_entropy(model(batch["x"]), batch["labels"]), -100),
    }
    model_of_sequences = nn.Sequential(nn.Linear(16, 3), nn.Flatten(2), Transposed())
    for form, (loss_fn, ignored) in ways.items():
        model = model_of_sequences if form == "sequences" else nn.Linear(16, 3)
        measured([20, 19, 5, 19], loss_fn, ignored, form)
        with pytest.raises(ValueError, match=r"up to minibatch 3 there are 5\S* to 2[12]\S* labels that count"):
            measured([19, 5, 18, 22 if form == "weights" else 21], loss_fn, ignored, form)


class Transposed(nn.Module):
    """Puts the classes second, as cross_entropy takes them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)


@pytest.mark.parametrize(
    ("size", "message"), [(0, "1 or more"), (-5, "1 or more"), (7, "give 3, which minibatch 0 has")]
)
def test_a_number_of_samples_that_cannot_be_is_refused(size: int, message: str) -> None:
    with pytest.raises(ValueError, match=rf"samples = {size}: .*{message}"):
        measure(nn.Linear(16, 3), cross_entropy, Minibatches(*samples(), 3, seed=0), samples=size)


def test_scores_that_are_none_of_classes_have_no_accuracy() -> None:
    x, y = samples()
    report = measure(nn.Linear(16, 3), lambda z, y: (z * y[:, None]).mean(), Minibatches(x, y + 50, 3, seed=0))
    assert report.accuracy is None


def test_a_model_may_change_its_input() -> None:
    class Doubling(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.mul_(2))

    batches = list(Minibatches(*samples(), 3, seed=0))
    before = [x.clone() for x, _ in batches]
    first, again = (noise_matrix(Doubling(16, 3), cross_entropy, batches) for _ in range(2))
    assert all(torch.equal(x, kept) for (x, _), kept in zip(batches, before, strict=True))
    assert first.shape == again.shape


def test_inputs_that_begin_with_the_time_are_counted_by_their_targets() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(20, 7, 20, 4, generator=generator), torch.randint(2, (20, 20), generator=generator)
    last = nn.Sequential(nn.Linear(4, 2))
    batches = [(one[: 5 + i % 3], labels) for i, (one, labels) in enumerate(zip(x, y, strict=True))]
    report = measure(last, lambda outputs, labels: cross_entropy(outputs.mean(0), labels), batches)
    assert report.samples == 400
