"""Along training: the training goes on as without a recorder, and its numbers are those of measure."""

import math
import re
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import jupytext
import pytest
import torch
from conftest import ROOT
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from tailnoise_utils import Minibatches, Recorder, measure

PAGE = jupytext.read(ROOT / "notebooks" / "your_model.py")
RECIPES = re.findall(
    r"```python\n(.*?)```", "\n".join(cell.source for cell in PAGE.cells if cell.cell_type == "markdown"), re.S
)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.3), nn.Linear(9, 2))


def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(320, 20, generator=torch.Generator().manual_seed(1))
    return x, (x[:, 0] > 0).long()


def trained(model: nn.Module, recorder: Recorder | None, steps: int = 7) -> None:
    """Dropout, batch statistics, accumulated gradients and a loader that shuffles."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = iter(DataLoader(TensorDataset(*pairs()), 20, shuffle=True))
    for _ in range(steps):
        x, y = next(loader)
        cross_entropy(model(x), y).backward()
        if recorder:
            recorder.step()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_training_goes_on_as_without_a_recorder(mode: str) -> None:
    plain = network()
    trained(plain, None)
    after = torch.rand(1)
    recorded = network()
    probes = DataLoader(TensorDataset(*pairs()), 20, shuffle=True)  # drawn once, and kept
    recorder = Recorder(recorded, cross_entropy, probes, every=3, mode=mode)
    trained(recorded, recorder)
    assert torch.equal(torch.rand(1), after)
    assert list(recorder.reports) == [0, 3, 6]
    for name, value in plain.state_dict().items():
        assert torch.equal(value, recorded.state_dict()[name]), name
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), recorded.parameters(), strict=True))
    assert all(module.training for module in recorded.modules())


@pytest.mark.slow
def test_the_numbers_are_those_of_measure_at_these_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 9), nn.ReLU(), nn.Linear(9, 2))
    batches = Minibatches(*pairs(), 20, seed=0)
    before = measure(model, cross_entropy, batches)
    recorder = Recorder(model, cross_entropy, (pair for pair in batches), every=4)
    trained(model, recorder, 4)
    recorder.step()
    after = measure(model, cross_entropy, batches)
    frame = recorder.to_frame()
    assert frame["step"].tolist() == [0, 4]
    assert frame.columns.tolist() == ["step", *before.scalars()]
    for name in ("corrected", "twin", "signs", "tau", "loss", "accuracy", "dead_share", "norm"):
        wanted = [before.scalars()[name], after.scalars()[name]]
        assert frame[name].tolist() == pytest.approx(wanted, rel=1e-5)
    assert before.scalars()["tau"] != after.scalars()["tau"]
    cheap = recorder.reports[4]
    assert (cheap.diagnosis, cheap.groups) == (None, {})
    axes = recorder.plot().axes
    legends = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in axes]
    assert legends == [["corrected", "twin", "signs"], ["tau"], ["loss"]]
    assert {ax.get_xlabel() for ax in axes} == {"step"}
    assert [ax.get_ylabel() for ax in axes][1:] == ["tail excess tau", "mean loss"]
    assert axes[1].lines[0].get_ydata().tolist() == frame["tau"].tolist()
    asked = Recorder(model, cross_entropy, batches, every=1, diagnosis=True, draws=19, groups=None)
    asked.step()
    assert asked.reports[0].diagnosis.draws == 19
    assert list(asked.reports[0].groups) == ["0", "2"]


def test_a_model_that_diverges_and_one_without_noise_go_on_training() -> None:
    model = nn.Linear(20, 2)
    recorder = Recorder(model, cross_entropy, Minibatches(*pairs(), 20, seed=0), every=1)
    with pytest.raises(ValueError, match="no reports to draw, and 0 errors"):
        recorder.plot()
    before = [w.detach().clone() for w in model.parameters()]
    for factor in (1.0, math.nan, 0.0):
        with torch.no_grad():
            for w, value in zip(model.parameters(), before, strict=True):
                w.copy_(factor * value)
        recorder.step()
    frame = recorder.to_frame().set_index("step")
    assert frame["corrected"].isna().tolist() == frame["error"].notna().tolist() == [False, True, False]
    assert "minibatch 0" in frame["error"][1]
    assert (list(recorder.reports), list(recorder.errors)) == ([0, 2], [1])
    assert len(recorder.plot().axes) == 3
    same = Recorder(model, cross_entropy, [pairs()] * 16)
    same.step()
    assert "nothing is alive" in same.to_frame()["error"][0]


def test_a_loader_that_uses_its_buffers_again_is_copied() -> None:
    x, y = pairs()
    model, buffers = network().eval(), (x[:20].clone(), y[:20].clone())

    class Loader:
        __len__ = staticmethod(lambda: 16)

        def __iter__(self) -> Iterator[dict[str, Tensor]]:
            for at in range(0, 320, 20):
                for buffer, values in zip(buffers, (x, y), strict=True):
                    buffer.copy_(values[at : at + 20])
                yield dict(zip("xy", buffers, strict=True))

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        return cross_entropy(model(batch["x"]), batch["y"])

    recorder = Recorder(model, loss, Loader())
    recorder.step()
    assert recorder.reports[0] == measure(model, loss, Loader(), diagnosis=False, groups={})


@pytest.mark.parametrize(
    ("every", "error", "message"), [(0, ValueError, "every = 0: give the steps"), (2.5, TypeError, "every")]
)
def test_every_is_a_number_of_steps(every: float, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Recorder(network(), cross_entropy, [], every=every)


def test_a_model_that_cannot_be_measured_says_so_before_the_training() -> None:
    with pytest.raises(ValueError, match="has no trainable parameter"):
        Recorder(nn.ReLU(), cross_entropy, Minibatches(*pairs(), 20, seed=0))


class Steps:
    """In place of a recorder: counts its steps."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> None:
        self.steps += 1


@pytest.mark.parametrize(("library", "base"), [("lightning", "Callback"), ("transformers", "TrainerCallback")])
def test_callbacks_of_the_page_record_each_step(library: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in that calls them as the library does."""
    stand_in = ModuleType(library)
    setattr(stand_in, base, object)
    monkeypatch.setitem(sys.modules, library, stand_in)
    [recipe] = [recipe for recipe in RECIPES if f"import {library}\n" in recipe]
    names = {"recorder": Steps()}
    exec(recipe, names)
    callback = names["Record"]()
    for index in range(3):
        if library == "lightning":
            callback.on_train_batch_start("trainer", "module", "batch", index)
        else:
            callback.on_step_begin("args", "state", "control", model=None, optimizer=None)
    assert names["recorder"].steps == 3


def test_the_recipe_for_tensorboard_writes_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    class SummaryWriter:
        add_scalar = staticmethod(lambda *row: written.append(row))
        __enter__ = __exit__ = lambda self, *_: self

    stand_in = ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    [recipe] = [recipe for recipe in RECIPES if "SummaryWriter" in recipe]
    reports = {step: SimpleNamespace(scalars=lambda step=step: {"tau": step / 100}) for step in (0, 50)}
    exec(recipe, {"recorder": SimpleNamespace(reports=reports)})
    assert written == [("noise/tau", 0.0, 0), ("noise/tau", 0.5, 50)]


def test_recipes_are_short() -> None:
    assert len(RECIPES) == 3
    loop = next(cell.source for cell in PAGE.cells if "recorder.plot()" in cell.source)
    for recipe in (loop, *RECIPES):
        assert len([line for line in recipe.splitlines() if line]) <= 12
