"""Gradient descent and SGD look on: what a step is, the ends of the Hessian's spectrum, what a drop is, what rows hold."""

from dataclasses import replace

import made_up
import numpy as np
import pandas as pd
import pytest
import torch
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from tailnoise_utils import mohammadi
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments.jump import JumpSpec, predictions
from tailnoise_utils.study.figures import jump
from tailnoise_utils.study.networks import models, snapshots
from tailnoise_utils.study.networks.curvature import extreme_eigenvalues
from tailnoise_utils.study.networks.snapshots import Snapshots
from tailnoise_utils.study.networks.train import sgd
from tailnoise_utils.study.results import store

STEPS = tuple(range(0, 13, 2))
TRAIN = made_up.tiny(batch_size=200, order="data", iterations=12, snapshots=STEPS, lr=1.0, width=16)
SPEC = JumpSpec(TRAIN, looked=100, curved=40, noise_batch_size=20, points=(0, 4, 8, 12), noisy=(0, 4))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path))
    return tmp_path


def table(rows):
    return pd.DataFrame(rows).query("scope != scope or scope == 'all'")


def test_a_step_of_all_images_is_gradient_descent():
    pictures, model, other = SPEC._images(), TRAIN.build(), TRAIN.build()
    settings = {"batch_size": 200, "order": "data", "lr": 0.5, "iterations": 3, "snapshots": (3,)}
    list(sgd(model, cross_entropy, pictures, **settings, seed=5))
    weights = list(other.parameters())
    for _ in range(3):
        gradient = torch.autograd.grad(cross_entropy(other(pictures.x_train), pictures.y_train), weights)
        for w, g in zip(weights, gradient, strict=True):
            w.data -= 0.5 * g
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(model.parameters(), weights, strict=True))


@pytest.mark.parametrize("sign", [1, -1])  # either end may be the larger
def test_ends_of_the_spectrum_are_those_of_the_explicit_hessian(sign):
    model, images = models.fcn(64, 4, 3, 10, seed=0), SPEC._images()
    x, y = images.x_train[:40], images.y_train[:40]
    list(sgd(model, cross_entropy, images, batch_size=20, lr=0.5, iterations=30, snapshots=(), seed=0))
    shapes = {name: w.shape for name, w in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def loss(flat):
        parts = zip(shapes, flat.split(sizes), strict=True)
        return sign * cross_entropy(functional_call(model, {name: w.view(shapes[name]) for name, w in parts}, x), y)

    exact = torch.linalg.eigvalsh(hessian(loss, torch.cat([w.detach().flatten() for w in model.parameters()])))
    ends = extreme_eigenvalues(model, lambda outputs, y: sign * cross_entropy(outputs, y), x, y)
    ends = tuple(ends.values())
    assert abs(exact[0] + exact[-1]) > 0.5  # so that the two are told apart
    assert ends == pytest.approx((float(exact[0]), float(exact[-1])), abs=0.01 * float(exact.abs().max()))


def test_a_network_without_a_hessian():
    model, x, y = models.fcn(64, 4, 3, 10, seed=0), torch.rand(20, 64), torch.arange(20) % 10
    model.linear1.weight.data.fill_(-1)  # of positive inputs: no unit ever fires
    assert list(extreme_eigenvalues(model, cross_entropy, x, y).values()) == [0, 0]
    model.linear1.weight.data.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="the gradient of 20 images holds NaN or infinity"):
        extreme_eigenvalues(model, cross_entropy, x, y)


def test_what_is_predicted():
    outputs = torch.tensor([[1.0, 0, 0], [0, 0, 2], [3, 0, 0], [2, 0, 0]])
    values = predictions(outputs, torch.tensor([0, 1, 0, 2]))
    expected = {"accuracy": 0.5, "predicted classes": 2, "commonest prediction": 0.75}
    assert values == pytest.approx(expected | {"output size": np.sqrt(18 / 12)})


def test_rows_of_a_run(cache):
    rows = table(SPEC.rows(lambda share: None))
    seen = rows[rows["quantity"] == "accuracy"].set_index("iteration")["value"]
    assert tuple(seen.index) == STEPS
    kept = Snapshots(TRAIN, SPEC.data_sha256())
    assert [step for step in STEPS if kept.path(step).exists()] == [0, 4, 8, 12]  # weights, at the points alone
    x, y = (part[:100] for part in SPEC._split("train"))
    for point in SPEC.points:
        model = kept.load(point)
        assert seen[point] == float((model(x).argmax(1) == y).double().mean())
        at = rows[rows["iteration"] == point].set_index(["quantity", "x"])["value"]
        assert at["loss"].item() == pytest.approx(cross_entropy(model(x), y).item())
        ends = [at[f"{end} eigenvalue", 40.0].item() for end in ("smallest", "largest")]
        assert ends == list(extreme_eigenvalues(model, cross_entropy, x[:40], y[:40]).values())
        noisy = rows[(rows["iteration"] == point) & (rows["quantity"] == "1/alpha (corrected)")]["value"].tolist()
        U = noise_matrix(model, cross_entropy, Minibatches(x, y, 20, seed=2 * 10**6 + 1))
        assert noisy == ([mohammadi(U).inverse] if point in (0, 4) else [])
    fall = seen.cummax() - seen
    at_all = rows[(rows["quantity"] == "largest eigenvalue") & (rows["x"] == 100)]
    assert fall[8] > 0.1
    assert set(at_all["iteration"]) == {0, 8, 12}
    assert set(rows["split"]) == {"train"}


def test_rows_of_the_start_are_made_again(cache):
    rows = SPEC.rows(lambda share: None)
    start = store.to_frame([row for row in rows if row["iteration"] == 0], "run")
    again = store.to_frame([row | {"iteration": 0} for row in SPEC._everything(TRAIN.build(), 0)], "run")
    left_out = start[start["quantity"].str.endswith("eigenvalue") & (start["x"] == 100)]
    assert len(left_out) == 2  # the Hessian of all images, which takes a minute
    keys = ["quantity", "scope", "x"]
    wanted = start.drop(left_out.index).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(again.sort_values(keys, ignore_index=True), wanted, check_exact=True)
    assert len(SPEC.repeated(start)) == len(wanted)
    until = [[row for row in rows if row["iteration"] <= step] for step in (8, 10)]  # as of a run that then diverged
    assert SPEC.sample(until[0]) == SPEC.sample(until[1])


def test_a_killed_run_goes_on_and_one_that_was_stored_begins_anew(cache, monkeypatch):
    whole = replace(SPEC, train=replace(TRAIN, seed=3)).rows(lambda share: None)
    spec, looks = replace(SPEC, train=replace(TRAIN, seed=3)), []
    spec.forget()
    plain = JumpSpec.look

    def killed(self, model):
        looks.append(1)
        if len(looks) == 5:  # at step 8
            raise KeyboardInterrupt
        return plain(self, model)

    monkeypatch.setattr(JumpSpec, "look", killed)
    with pytest.raises(KeyboardInterrupt):
        spec.rows(lambda share: None)
    looks += [1]
    assert spec.rows(lambda share: None) == whole
    assert len(looks) == 6 + 3  # steps 8, 10 and 12 alone
    snapshots.shutil.rmtree(spec._rows_folder())
    assert spec.rows(lambda share: None) == whole
    assert len(looks) == 9 + len(STEPS)


def series(**values):
    steps = np.arange(0, 10 * len(values["loss"]), 10)
    return {name: pd.Series(value, steps, dtype=float) for name, value in values.items()}


def test_a_drop_while_the_loss_falls_is_of_kind_a():
    drops = jump.drops(**series(loss=[2.3, 2.29, 2.28, 2.2, 1.0], accuracy=[0.1, 0.3, 0.2, 0.26, 0.9]))
    [drop] = drops.to_dict("records")
    expected = {"kind": "A", "from": 10, "to": 20, "depth": 0.1, "loss": 2.29, "change of loss": -0.01}
    assert drop == pytest.approx(expected)


def test_a_drop_while_the_loss_rises_is_of_kind_b():
    [drop] = jump.drops(**series(loss=[2.0, 1.5, 1.8, 2.6, 0.9], accuracy=[0.1, 0.4, 0.35, 0.2, 0.8])).to_dict(
        "records"
    )
    assert drop == pytest.approx({"kind": "B", "from": 10, "to": 30, "depth": 0.2, "loss": 1.5, "change of loss": 1.1})


def test_one_kind_after_the_other_is_two_drops():
    loss, accuracy = [2.3, 2.29, 2.2, 2.1, 2.5, 1.0, 0.9], [0.1, 0.34, 0.3, 0.24, 0.13, 0.9, 0.84]
    drops = jump.drops(**series(loss=loss, accuracy=accuracy))
    assert drops[["kind", "from", "to"]].to_numpy().tolist() == [["A", 10, 30], ["B", 30, 40]]
    assert drops["depth"].tolist() == pytest.approx([0.1, 0.11])


@pytest.mark.parametrize(("level", "kinds"), [(2.08, ["A"]), (2.06, [])])
def test_the_plateau_ends_a_tenth_below_the_first_loss(level, kinds):
    drops = jump.drops(**series(loss=[2.3, level, level], accuracy=[0.1, 0.4, 0.3]))
    assert drops["kind"].tolist() == kinds


def test_later_falls_while_the_loss_falls_are_wiggles():
    loss, accuracy = [2.3, 2.29, 2.28, 1.9, 1.0, 2.2, 2.1], [0.1, 0.3, 0.2, 0.9, 0.5, 0.5, 0.4]
    drops = jump.drops(**series(loss=loss, accuracy=accuracy))
    assert drops[["kind", "from", "to"]].to_numpy().tolist() == [["A", 10, 20]]  # not the deeper one, nor after a rise


def test_small_falls_and_small_rises_do_not_count():
    wiggling = [0.5, 0.46, 0.5, 0.452, 0.6]
    assert jump.drops(**series(loss=[2, 1.9, 1.8, 1.7, 1.6], accuracy=wiggling)).empty
    assert jump.drops(**series(loss=[2, 2.5, 1.8, 2.5, 1.6], accuracy=wiggling)).empty
    # The loss is up by less than it takes, so this is still the plateau.
    [drop] = jump.drops(**series(loss=[2.3, 2.3, 2.309, 2.2], accuracy=[0.3, 0.3, 0.2, 0.2])).to_dict("records")
    assert (drop["kind"], drop["from"], drop["to"]) == ("A", 0, 20)
    assert jump.drops(**series(loss=[2.3, 2.3, 2.311, 2.2], accuracy=[0.3, 0.3, 0.2, 0.2]))["kind"].tolist() == ["B"]


@pytest.fixture
def results():
    """Three arms of MNIST, and two on more images: drop A at 20 or 30 (step 10 to 20), B later."""
    loss, accuracy = [2.3, 2.29, 2.2, 1.5, 2.0, 0.5], [0.1, 0.4, 0.3, 0.7, 0.5, 0.95]
    runs, rows = [], []
    for n, b, late in ((6000, 6000, 0), (6000, 500, 0), (6000, 100, 10), (9000, 9000, 0), (9000, 500, 0)):
        run = {"run": f"{n}-{b}", "dataset": "mnist", "n_train": n, "seed": 0, "batch_size": b, "lr": 0.1}
        runs.append(run | {"curved": 50})
        for i, (value, share) in enumerate(zip(loss, accuracy, strict=True)):
            at = {"run": run["run"], "iteration": 10 * i + (late if i > 1 else 0)}
            many = {
                "loss": value + (0.02 if b == 100 and i == 1 else 0),
                "accuracy": share,
                "commonest prediction": 1 - share,
            }
            rows += [at | {"quantity": name, "value": value} for name, value in many.items()]
            if i in (0, 2, 3):
                rows.append(
                    at | {"quantity": "largest eigenvalue", "x": 50.0, "value": 25.0 - 5 * max(i - 1, 0) + b / 1e5}
                )
                rows.append(at | {"quantity": "largest eigenvalue", "x": 99.0, "value": 1000.0})
                more = {"1/alpha (published)": 0.8 + 0.1 * (i == 2), "twin 1/alpha (published)": 0.5}
                more |= {"1/alpha (corrected)": 1.0, "tail excess": 0.1 * i, "dead share": 0.2}
                rows += [at | {"quantity": name, "value": value} for name, value in more.items()]
    return made_up.results(rows, runs)


def test_tables(results):
    drops = jump.drop_table(results).set_index(["images", "arm", "kind"]).sort_index()
    assert drops.loc[(6000, "gradient descent"), "largest eigenvalue"].to_list() == [25.06, 15.06]
    assert drops.loc[(6000, "gradient descent"), "commonest"].to_list() == pytest.approx([0.7, 0.5])
    assert drops.loc[(6000, "SGD, b = 100"), "to"].to_list() == [30, 50]
    short = jump.short_table(results)
    assert [arm for _, _, arm in short.index] == ["gradient descent", "SGD, b = 500", "SGD, b = 100"] * 2
    assert short["depth"].to_list() == pytest.approx([0.1] * 3 + [0.2] * 3)
    noise = jump.noise_table(results)
    assert list(noise.index.unique("arm")) == ["gradient descent", "SGD, b = 500"]
    noise = noise.loc[("MNIST", "gradient descent")]
    assert noise.index.to_list() == [0, 20, 30]
    assert noise.loc[20].to_dict() == pytest.approx(
        {"accuracy": 0.3, "published": 1 / 0.9, "twin": 2, "corrected": 1, "dead": 0.2, "tau": 0.2}
    )


def test_numbers_of_the_text(results):
    numbers = jump.numbers(results)
    expected = {"seeds": 1, "descents": 2, "sgds": 3, "limit": 20, "apart": 10}
    expected |= {"A_descents": 2, "A_sgds": 3, "A_apart": 10, "B_descents": 2, "B_sgds": 3, "B_apart": 10}
    expected |= {"alpha_low": 1 / 0.9, "alpha_high": 1 / 0.9}
    expected |= {"A_depth_low": 0.1, "A_depth_high": 0.1, "A_largest_low": 25.001, "A_largest_high": 25.09}
    expected |= {"B_largest_low": 15.001, "B_change_low": 0.5, "A_commonest_high": 0.7, "A_change_high": -0.09}
    expected["B_change_most"] = 0.5
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)


def test_the_figure_shows_the_fewer_images_of_seed_0(results):
    accuracy, _, eigenvalues = jump.drops_along_training(results).axes
    lines = {line.get_label(): line for line in accuracy.get_lines()}
    commonest = "share of its commonest prediction"
    assert list(lines) == ["gradient descent", commonest, "SGD, b = 500", "SGD, b = 100"]
    assert lines["gradient descent"].get_ydata().tolist() == [0.1, 0.4, 0.3, 0.7, 0.5, 0.95]
    assert lines[commonest].get_ydata() == pytest.approx([0.9, 0.6, 0.7, 0.3, 0.5, 0.05])
    lines = {line.get_label(): line for line in eigenvalues.get_lines()}
    assert lines["gradient descent"].get_xydata().tolist() == [[0, 25.06], [20, 20.06], [30, 15.06]]
    assert set(lines["2 / step = 20"].get_ydata()) == {20}


def test_arms_of_the_grid_differ_in_their_steps_alone():
    specs = experiments.grid("jump", "laptop")
    assert [spec.train.seed for spec in specs] == [0] * 6 + [1] * 6 + [2] * 6 + [0] * 2
    for k in range(0, 18, 3):
        descent, *sgd = specs[k : k + 3]
        assert (descent.train.batch_size, descent.train.order) == (descent.train.n_train, "data")
        for arm, b in zip(sgd, (500, 100), strict=True):
            assert replace(arm, train=replace(arm.train, batch_size=6000, order="data")) == descent
            assert (arm.train.batch_size, arm.train.order) == (b, "random")
    assert {*range(0, 1501, 100)} < set(specs[0].points) < set(specs[0].train.snapshots)
    assert [spec.train.n_train for spec in specs[-2:]] == [60_000] * 2
    assert specs[0].train.iterations == specs[0].points[-1] == 1500
