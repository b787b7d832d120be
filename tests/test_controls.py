"""Controls on real noise: what a sign flip leaves alone, what it changes, and what the rows hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from made_up import tiny, whole_columns
from torch import nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import mohammadi
from tailnoise_utils.diagnosis import stable_index
from tailnoise_utils.diagnosis.twins import flip_columns
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments.controls import (
    ControlsSpec,
    images_inverse,
    input_noise,
    pixel_signs,
    weight_signs,
)
from tailnoise_utils.study.figures import controls
from tailnoise_utils.study.networks import data, models
from tailnoise_utils.study.results import store

SPEC = ControlsSpec(tiny(iterations=0, snapshots=(0,), seed=0), 20, (0,), 2)


def biased(kind):
    """A network with biases and its images: fully connected, or with a convolution of stride 2 in front."""
    torch.manual_seed(0)
    if kind == "fcn":
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)), data.load("digits")
    return models.cnn(4, 10, seed=0).eval(), data.load("digits32", n_train=200)


def flips(kind, shape):
    return pixel_signs(shape, 2, 5, convolution=kind == "cnn")


@pytest.mark.parametrize("kind", ["fcn", "cnn"])
def test_a_flip_of_pixels_and_their_weights_changes_no_loss_and_no_step(kind):
    model, images = biased(kind)
    x, y = images.x_train[:100], images.y_train[:100]
    state = {name: w.clone() for name, w in model.state_dict().items()}

    def losses(x, signs=None):
        model.load_state_dict(state)
        first = next(model.parameters())
        if signs is not None:
            first.data.mul_(weight_signs(signs, first).view_as(first))
        values = [model(x).detach()]
        for step in range(20):
            batch = slice(step % 5 * 20, step % 5 * 20 + 20)
            loss = cross_entropy(model(x[batch]), y[batch])
            for w, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
                w.data.sub_(g, alpha=0.1)
            values.append(loss.detach())
        return values

    plain = losses(x)
    for name, _, signs in flips(kind, images.x_train.shape[1:]):
        for value, expected in zip(losses(x * signs, signs), plain, strict=True):
            assert torch.equal(value, expected), name


@pytest.mark.parametrize("kind", ["fcn", "cnn"])
def test_the_noise_of_flipped_images_is_the_noise_with_other_signs(kind):
    model, images = biased(kind)
    x, y, first = images.x_train[:100], images.y_train[:100], next(model.parameters())
    U = noise_matrix(model, cross_entropy, Minibatches(x, y, 20, seed=0))
    for _, _, signs in flips(kind, x.shape[1:]):
        columns = weight_signs(signs, first)
        first.data.mul_(columns.view_as(first))
        flipped = noise_matrix(model, cross_entropy, Minibatches(x * signs, y, 20, seed=0))
        first.data.mul_(columns.view_as(first))
        assert torch.equal(flipped[:, : first.numel()], U[:, : first.numel()] * columns)
        assert torch.equal(flipped[:, first.numel() :], U[:, first.numel() :])


def test_pixels_that_are_flipped():
    table = {(name, k): signs for name, k, signs in pixel_signs((3, 6, 4), 2, 0, convolution=False)}
    assert [(signs == -1).sum().item() for signs in table.values()] == [36, 36, 36, 24, 36]
    assert not torch.equal(table["half", 0.0], table["half", 1.0])
    assert (table["top half", None][:, :3] == -1).all()
    assert (table["channel", None][0] == -1).all()
    assert torch.equal(table["checkerboard", None][1], torch.tensor([[1.0, -1, 1, -1], [-1, 1, -1, 1]]).repeat(3, 1))
    coarse = {(name, k): signs for name, k, signs in pixel_signs((3, 6, 4), 2, 0, convolution=True)}
    assert list(coarse) == [("half", 0.0), ("half", 1.0), ("channel", None), ("checkerboard", None)]
    for signs in coarse.values():
        assert torch.equal(signs[:, 2:], signs[:, :-2])
        assert torch.equal(signs[..., 2:], signs[..., :-2])
    assert [name for name, *_ in pixel_signs((1, 8, 8), 0, 0, convolution=False)] == ["top half", "checkerboard"]


def test_noise_of_inputs_has_their_second_moments():
    layer = nn.Sequential(nn.Flatten(), nn.Linear(3, 20_000, bias=False))
    x = torch.randn(8, 1, 1, 3, generator=torch.Generator().manual_seed(0))
    [(name, V)] = input_noise(layer, Minibatches(x, torch.zeros(8), 4, order="data"), 0)
    A = x.view(2, 4, 3)
    expected = (A.transpose(1, 2) @ A).sum(0) / 4**2 / 4  # of (G_1 - G_2) / 2
    entries = V[0].view(20_000, 3)
    assert name == "1"
    np.testing.assert_allclose(entries.T @ entries / 20_000, expected, atol=0.03 * float(expected.max()))


def test_the_closed_form_of_the_images_is_what_is_measured():
    images = data.load("digits")
    model = models.fcn(64, 200, 2, 10, seed=0)
    V = next(V for name, V in input_noise(model, Minibatches(images.x_train, images.y_train, 50, seed=0), 1))
    assert mohammadi(V, 64).inverse == pytest.approx(images_inverse(images.x_train), abs=0.01)
    white = torch.randn(20_000, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert images_inverse(white) == pytest.approx(0.5, abs=0.005)  # independent pixels


@whole_columns
def test_rows_of_a_snapshot():
    model = SPEC.train.build()
    frame = store.to_frame(SPEC.measure(model, lambda share: None), "")
    batches = SPEC._batches()
    U = noise_matrix(model, cross_entropy, batches)
    index = frame[frame["quantity"] == "1/alpha (corrected)"].set_index(["scope", "x"])["value"].sort_index()

    def row(scope, x=np.nan):
        rows = frame[(frame["quantity"] == "1/alpha (corrected)") & (frame["scope"] == scope)]
        return rows.loc[rows["x"].isna() if np.isnan(x) else rows["x"] == x, "value"].item()

    assert len(index) == 1 + 2 + 2 + 1 + 1 + 3  # noise, halves, top half and checkerboard, signs, white, three layers
    assert row("all") == mohammadi(U).inverse
    first = next(model.parameters())
    for name, k, signs in pixel_signs((1, 8, 8), 2, 8 * 10**6, convolution=False):
        V = U.clone()
        V[:, : first.numel()] *= weight_signs(signs, first)
        assert row(name, np.nan if k is None else k) == mohammadi(V).inverse
    assert row("signs") == mohammadi(flip_columns(U.clone(), 4 * 10**6)).inverse  # each flip was taken back
    x, y = SPEC._split("train")
    white = torch.randn(x.shape, generator=torch.Generator().manual_seed(9 * 10**6))
    assert (
        row("white noise")
        == mohammadi(noise_matrix(model, cross_entropy, Minibatches(white, y, 20, seed=2 * 10**6))).inverse
    )
    inputs = dict(input_noise(model, batches, 10**7))
    for name, V in inputs.items():
        assert row(f"inputs of {name}") == mohammadi(V).inverse
    measured = frame.loc[frame["quantity"] == "1/alpha (images, measured)", ["x", "value"]].to_numpy().tolist()
    assert measured == [[64, mohammadi(inputs["linear1"], 64).inverse]]
    assert {"twin 1/alpha (corrected)", "tail excess", "dead share", "accuracy"} <= set(frame["quantity"])
    assert set(frame["split"]) == {"train"}


def test_the_first_layer_alone_where_it_is_a_convolution():
    train = tiny(dataset="digits32", model="cnn", width=4, depth=0, iterations=0, snapshots=(0,))
    spec, model = replace(SPEC, train=train), train.build()
    frame = pd.DataFrame(spec.measure(model, lambda share: None))
    U = noise_matrix(model, cross_entropy, spec._batches())[:, : next(model.parameters()).numel()]
    alone = frame[(frame["scope"] == "conv1") & (frame["quantity"] == "1/alpha (corrected)")]
    assert alone["value"].tolist() == [mohammadi(U).inverse]
    assert {"conv1", "conv1, half", "conv1, channel", "conv1, checkerboard"} <= set(frame["scope"])
    assert "top half" not in set(frame["scope"])
    assert "inputs of linear1" in set(frame["scope"])


@whole_columns
def test_the_first_image_is_kept_once(monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path))
    rows = pd.DataFrame(SPEC.rows(lambda share: None)).query("quantity == 'image'")
    np.testing.assert_array_equal(rows["value"], SPEC._images().x_train[0].flatten())
    other = replace(SPEC, train=replace(SPEC.train, seed=1))
    assert "image" not in {row["quantity"] for row in other.rows(lambda share: None)}


@pytest.fixture
def results():
    """Two seeds of one network, before and after training: alpha^ is 1.25 (1 after), of the halves 2 to 2.5."""
    frames, records = [], []
    for seed in (0, 1):
        spec = replace(SPEC, train=replace(SPEC.train, seed=seed, iterations=4, snapshots=(0, 4)), points=(0, 4))
        spec = replace(spec, noise_batch_size=5)
        record = store.run_record(spec, "0" * 64, 1.0)
        rows = [{"quantity": "image", "x": float(i), "value": i / 64 - 0.5} for i in range(64)]
        for point, noise in ((0, 0.8), (4, 1.0)):
            values = [("all", np.nan, noise), ("signs", np.nan, 0.55), ("checkerboard", np.nan, 0.2)]
            values += [("half", float(k), 0.4 + 0.1 * k) for k in (0, 1)]
            values += [("white noise", np.nan, 0.52), ("inputs of linear1", np.nan, 0.7)]
            rows += [
                {"iteration": point, "scope": scope, "quantity": name, "x": x, "value": value * factor + 0.01 * seed}
                for scope, x, value in values
                for name, factor in {"1/alpha (corrected)": 1.0, "1/alpha (published)": 1.25}.items()
            ]
            for name, value in (("closed form", 0.6), ("measured", 0.61)):
                rows.append({"iteration": point, "quantity": f"1/alpha (images, {name})", "value": value})
            more = {"twin 1/alpha (corrected)": noise + 0.05, "tail excess": 0.1 + 0.2 * seed, "accuracy": 0.9}
            rows += [{"iteration": point, "quantity": name, "value": value} for name, value in more.items()]
        frames.append(store.to_frame(rows, record["run"]))
        records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


def test_table_and_figures(results):
    table = controls.control_table(results)
    assert list(table.index.get_level_values("when")) == ["before training", "after training"]
    before = table.iloc[0]
    expected = {"noise": 1 / 0.805, "twin": 1 / 0.85, "signs": 1 / 0.555, "half": 1 / 0.455, "checkerboard": 1 / 0.205}
    expected |= {"low": 1 / 0.51, "high": 1 / 0.4, "tau": 0.2, "accuracy": 0.9}
    expected["as_stable"] = stable_index(0.2, results.runs["n_train"].iloc[0].item() // 5)
    assert before[list(expected)].to_dict() == pytest.approx(expected)
    lines = {line.get_label(): line for line in controls.dumbbells(results).axes[1].get_lines()}
    assert lines[r"joint $\hat\alpha$"].get_xdata() == pytest.approx([1 / 1.005])
    assert lines["of its Gaussian twin"].get_xdata() == pytest.approx([1 / 1.05])
    bars = {line.get_label(): line.get_segments()[0] for line in controls.dumbbells(results).axes[0].collections}
    [left, right] = bars["random halves of the pixels flipped"]
    assert sorted([left[0], right[0]]) == pytest.approx([1 / 0.51, 1 / 0.4])
    panels = controls.flipped_images(results).axes
    assert [axes.get_xlabel()[-4:] for axes in panels] == ["1.00", "2.00", "4.00"]  # published
    seen, flipped = (np.asarray(axes.get_images()[0].get_array()) - 0.5 for axes in (panels[0], panels[2]))
    np.testing.assert_allclose(np.abs(seen), np.abs(flipped))
    assert (seen != flipped).sum() == 32 - (seen[1::2, 0::2] == 0).sum() - (seen[0::2, 1::2] == 0).sum()


def test_numbers_of_the_text(results):
    numbers = controls.numbers(results)
    expected = {"count": 1, "noise": 1 / 0.805, "half": 1 / 0.455, "seeds": 2, "form": 0.6, "images": 0.61}
    expected |= {"white_low": 1 / 0.525, "white_high": 1 / 0.525, "inputs_low": 1 / 0.705, "inputs_high": 1 / 0.705}
    expected["twin_gap"] = 1 / 0.805 - 1 / 0.85
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)
    assert numbers["data"] == "digits"
    table = controls.short_table(results)
    assert table["half flipped"].item() == pytest.approx(1 / 0.455)
    assert table["tail excess"].item() == pytest.approx(0.2)


def test_the_grid_has_seed_0_of_all_first():
    specs = experiments.grid("controls", "laptop")
    assert [spec.train.seed for spec in specs] == [0] * 18 + [1] * 18 + [2] * 18 + [0, 0]
    assert [(spec.train.depth, spec.points) for spec in specs[-2:]] == [(9, (0,))] * 2  # Figure 7's, untrained
