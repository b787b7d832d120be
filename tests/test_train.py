"""Plain SGD: each step by hand, the order of the samples, the pauses, runs that diverge."""

import copy
import math
from itertools import chain

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils.study.networks import data
from tailnoise_utils.study.networks.models import fcn
from tailnoise_utils.study.networks.train import Diverged, evaluate, sgd

SETTINGS = {"batch_size": 4, "lr": 0.1, "iterations": 10, "snapshots": (10,), "seed": 3}


def dataset(n: int = 24) -> data.Dataset:
    """Random images with random labels; the first pixel of image i is i, far too small to matter to training."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 1, 3, 3, generator=generator)
    x[:, 0, 0, 0] = torch.arange(n) * 2.0**-20
    y = torch.randint(4, (n,), generator=generator)
    return data.Dataset("digits", x_train=x, y_train=y, x_test=x[:5], y_test=y[:5], classes=4, sha256={})


def weights(model: nn.Module) -> list[Tensor]:
    """A copy of the weights."""
    return [w.detach().clone() for w in model.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two sets of weights are equal, bit for bit."""
    return all(torch.equal(w, v) for w, v in zip(first, second, strict=True))


def visited(iterations: int, seed: int = 3) -> list[list[int]]:
    """The images of each minibatch of a run."""
    seen: list[list[int]] = []
    model = fcn(9, 5, 3, 4, seed=1)
    model.register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0][:, 0, 0, 0] * 2**20).int().tolist()))
    list(sgd(model, cross_entropy, dataset(), **SETTINGS | {"iterations": iterations, "snapshots": (), "seed": seed}))
    return seen


def test_a_step_is_lr_times_the_gradient_of_the_minibatch() -> None:
    images = dataset()
    model = fcn(9, 5, 3, 4, seed=1)
    wanted = copy.deepcopy(model)
    steps = sgd(model, cross_entropy, images, **SETTINGS | {"snapshots": range(11)})
    assert next(steps) == 0
    assert same(weights(model), weights(wanted))
    for step, batch in enumerate(visited(10), start=1):
        assert next(steps) == step
        wanted.zero_grad()
        cross_entropy(wanted(images.x_train[batch]), images.y_train[batch]).backward()
        with torch.no_grad():
            for w in wanted.parameters():
                w -= 0.1 * w.grad
        torch.testing.assert_close(weights(model), weights(wanted), rtol=1e-6, atol=1e-7)
    assert list(steps) == []


def test_a_full_batch_is_plain_gradient_descent() -> None:
    images = dataset()
    model = fcn(9, 5, 2, 4, seed=1)
    W1, W2 = (w.double().numpy() for w in weights(model))
    X = images.x_train.double().numpy().reshape(-1, 9)
    hidden = (X @ W1.T).clip(min=0)
    p = np.exp(hidden @ W2.T)
    error = (p / p.sum(1, keepdims=True) - np.eye(4)[images.y_train.numpy()]) / len(X)
    list(
        sgd(model, cross_entropy, images, **SETTINGS | {"batch_size": 24, "lr": 0.5, "iterations": 1, "snapshots": ()})
    )
    trained = [w.numpy() for w in weights(model)]
    np.testing.assert_allclose(trained[1], W2 - 0.5 * error.T @ hidden, atol=1e-6)
    np.testing.assert_allclose(trained[0], W1 - 0.5 * ((error @ W2) * (hidden > 0)).T @ X, atol=1e-6)


def test_every_epoch_visits_every_image_once_in_a_new_order() -> None:
    seen = visited(iterations=18)  # 3 epochs of 6 minibatches
    assert {len(batch) for batch in seen} == {4}
    epochs = [list(chain(*seen[i : i + 6])) for i in (0, 6, 12)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, list(range(24))]}) == 4
    assert visited(iterations=18) == seen
    assert visited(iterations=18, seed=4) != seen


def test_a_run_is_decided_by_its_seed_and_leaves_the_global_state() -> None:
    state = torch.get_rng_state()
    runs = []
    for seed in (3, 3, 4):
        model = fcn(9, 5, 3, 4, seed=1)
        assert list(sgd(model, cross_entropy, dataset(), **SETTINGS | {"seed": seed})) == [10]
        assert all(w.grad is None for w in model.parameters())
        runs.append(weights(model))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_snapshot_holds_the_weights_of_a_run_that_ends_there() -> None:
    points = []
    model = fcn(9, 5, 3, 4, seed=1)
    for iteration in sgd(model, cross_entropy, dataset(), **SETTINGS | {"snapshots": [10, 0, 7, 7, 1]}):
        points.append(iteration)
        shorter = fcn(9, 5, 3, 4, seed=1)
        list(sgd(shorter, cross_entropy, dataset(), **SETTINGS | {"iterations": iteration, "snapshots": ()}))
        assert same(weights(model), weights(shorter))
    assert points == [0, 1, 7, 10]


def test_frozen_weights_stay() -> None:
    model = fcn(9, 5, 3, 4, seed=1)
    model[3].weight.requires_grad_(False)
    before = weights(model)
    list(sgd(model, cross_entropy, dataset(), **SETTINGS))
    assert [torch.equal(w, v) for w, v in zip(weights(model), before, strict=True)] == [False, True, False]


def test_digits_are_learnt() -> None:
    digits = data.load("digits")
    model = fcn(64, 32, 3, 10, seed=0)
    settings = {"batch_size": 50, "lr": 0.1, "iterations": 300, "snapshots": (0, 300), "seed": 0}
    ends = [
        evaluate(model, cross_entropy, digits.x_test, digits.y_test)
        for _ in sgd(model, cross_entropy, digits, **settings)
    ]
    assert ends[0][0] == pytest.approx(math.log(10), abs=0.1)
    assert ends[0][1] < 0.3
    assert ends[1][0] < 0.3
    assert ends[1][1] > 0.9


def test_a_run_that_diverges_says_when_and_keeps_what_came_before() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))  # with the squared error each step multiplies the weights
    steps = sgd(model, lambda f, _: f.square().mean(), dataset(), **SETTINGS | {"lr": 1e6, "snapshots": (0, 1, 10)})
    assert [next(steps), next(steps)] == [0, 1]
    with pytest.raises(
        Diverged, match=r"the loss is (nan|inf) after [2-9] iterations at lr = 1e\+06: try 100000 or less"
    ):
        next(steps)


@pytest.mark.parametrize("bad", [0, 5])
def test_divergence_counts_the_steps_taken(bad: int) -> None:
    losses = iter([1.0] * bad + [math.nan])
    with pytest.raises(Diverged, match=rf"the loss is nan after {bad} iterations"):
        list(sgd(fcn(9, 5, 3, 4, seed=1), lambda f, _: f.sum() * 0 + next(losses), dataset(), **SETTINGS))


@pytest.mark.parametrize("snapshots", [(1,), ()])
def test_weights_that_are_not_finite_are_no_result(snapshots: tuple[int, ...]) -> None:
    steps = sgd(
        nn.Sequential(nn.Flatten(), nn.Linear(9, 1)),
        lambda outputs, _: 4 * outputs.mean(),
        dataset(),
        **SETTINGS | {"lr": 3e38, "iterations": 1, "snapshots": snapshots},
    )
    with pytest.raises(Diverged, match="some weights are NaN or infinite after 1 iterations"):
        list(steps)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 5}, r"batch_size = 5 does not divide the number of samples, 24: .* 4 or 6$"),
        ({"batch_size": 48}, r"batch_size = 48 is larger than the number of samples, 24: .* 24$"),
        ({"lr": 0}, r"lr = 0: the step size must be positive and finite"),
        ({"lr": -0.1}, r"lr = -0.1: "),
        ({"lr": math.nan}, r"lr = nan: "),
        ({"lr": math.inf}, r"lr = inf: "),
        ({"iterations": -1, "snapshots": ()}, r"iterations = -1: take 0 or more"),
        ({"snapshots": (0, 1.5)}, r"snapshots \[1.5\] are no whole numbers"),
        ({"snapshots": (12, 0, -1, 11, 10)}, r"snapshots \[-1, 11, 12\] lie outside the run: .* 0 to iterations = 10"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(sgd(fcn(9, 5, 3, 4, seed=1), cross_entropy, dataset(), **SETTINGS | change))


@pytest.mark.parametrize("n", [7, 1000, 2345])
def test_evaluate_is_the_mean_over_all_samples(n: int) -> None:
    images = dataset(n)
    model = fcn(9, 5, 3, 4, seed=1)
    outputs = model(images.x_train).detach().double().numpy()
    right = outputs[np.arange(n), images.y_train.numpy()]
    losses = np.log(np.exp(outputs).sum(1)) - right
    loss, accuracy = evaluate(model, cross_entropy, images.x_train, images.y_train)
    assert loss == pytest.approx(losses.mean(), rel=1e-6)
    assert accuracy == pytest.approx((right == outputs.max(1)).mean(), abs=1e-12)
    assert 0 < accuracy < 1


def test_evaluate_is_in_eval_mode_and_leaves_no_graph_and_no_mode_behind() -> None:
    images, seen = dataset(), []
    model = fcn(9, 5, 3, 4, seed=1)
    model.register_forward_hook(lambda module, _, outputs: seen.append((outputs.requires_grad, module.training)))
    for training in (True, False):
        evaluate(model.train(training), cross_entropy, images.x_train, images.y_train)
        assert all(module.training == training for module in model.modules())
    assert seen == [(False, False), (False, False)]
    assert torch.is_grad_enabled()


def with_dropout() -> nn.Module:
    model = fcn(9, 5, 3, 4, seed=1)
    model.relu1 = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))
    return model


@pytest.mark.parametrize("order", ["random", "data"])
@pytest.mark.parametrize("start", [0, 1, 6, 7, 13])  # 6 minibatches an epoch
def test_a_run_taken_up_again_ends_bit_for_bit_where_an_unbroken_one_does(order: str, start: int) -> None:
    settings = SETTINGS | {"iterations": 20, "snapshots": (5, 20), "order": order, "schedule": "halved"}
    unbroken, broken = with_dropout(), with_dropout()
    assert list(sgd(unbroken, cross_entropy, dataset(), **settings)) == [5, 20]
    list(zip(range(1), sgd(broken, cross_entropy, dataset(), **settings | {"snapshots": (start,)}), strict=False))
    torch.manual_seed(99)
    broken.eval()  # it must put itself into training mode
    counted: list[int] = []
    resumed = sgd(broken, cross_entropy, dataset(), **settings, start=start, each=counted.append)
    assert list(resumed) == [point for point in (5, 20) if point >= start]
    assert counted == list(range(start + 1, 21))
    assert same(weights(unbroken), weights(broken))


def test_dropout_differs_from_step_to_step_and_run_to_run_and_leaves_the_global_state() -> None:
    masks: list[list[bool]] = []
    model = with_dropout()
    model.relu1[1].register_forward_hook(lambda _, inputs, output: masks.append((output == 0).flatten().tolist()))
    state = torch.get_rng_state()
    options = SETTINGS | {"lr": 1e-30, "iterations": 12, "snapshots": (3,), "order": "data"}
    for point in sgd(model, cross_entropy, dataset(), **options):
        assert point == 3
        assert torch.equal(torch.get_rng_state(), state)
    assert len(masks) == 12
    assert masks[0] != masks[6]  # the same minibatch and weights an epoch later
    first = masks.copy()
    masks.clear()
    list(sgd(model, cross_entropy, dataset(), **options | {"seed": 4}))
    assert masks[0] != first[0]


def test_data_order_is_the_same_minibatches_again_and_again() -> None:
    seen: list[list[int]] = []
    model = fcn(9, 5, 3, 4, seed=1)
    model.register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0][:, 0, 0, 0] * 2**20).int().tolist()))
    list(sgd(model, cross_entropy, dataset(), **SETTINGS | {"order": "data", "iterations": 12, "snapshots": ()}))
    assert seen == [list(range(i, i + 4)) for i in range(0, 24, 4)] * 2


@pytest.mark.parametrize(
    ("horizon", "wanted"),
    [
        (None, [1] * 4 + [0.5] * 3 + [0.25] * 3),  # of 10: iterations 0 to 3 at lr, 4 to 6 at lr / 2, 7 to 9 at lr / 4
        (10, [1] * 4 + [0.5] * 3 + [0.25] * 3),
        (15, [1] * 5 + [0.5] * 5),
        (100, [1] * 10),
    ],
)
def test_the_halved_schedule_halves_after_one_and_two_thirds_of_the_horizon(
    horizon: int | None, wanted: list[float]
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 1, bias=False))
    before, sizes = weights(model), []
    steps = sgd(
        model,
        lambda outputs, _: outputs.mean(),
        dataset(),
        **SETTINGS
        | {"batch_size": 24, "iterations": 10, "snapshots": range(11), "schedule": "halved", "horizon": horizon},
    )
    for point in steps:
        now = weights(model)
        if point:
            sizes.append(float((now[0] - before[0]).norm()))
        before = now
    np.testing.assert_allclose(np.array(sizes) / sizes[0], wanted, rtol=1e-4)  # the gradient is constant


def by_hand(model: nn.Module, images: data.Dataset, iterations: int, horizon: int, look: int) -> int:
    """Train as the paper does, written out: at most so many steps of b = 20, and none more once all images are right."""
    x, y = images.x_train, images.y_train
    shuffles, in_epoch = torch.Generator().manual_seed(3), len(x) // 20
    for t in range(iterations):
        if t % look == 0:
            with torch.no_grad():
                if bool((model.eval()(x).argmax(1) == y).all()):
                    return t
        if t % in_epoch == 0:
            order = torch.randperm(len(x), generator=shuffles)
        batch = order[t % in_epoch * 20 :][:20]
        size = 0.2
        if t >= horizon / 3:
            size = 0.1
        if t >= 2 * horizon / 3:
            size = 0.05
        model.train().zero_grad()
        cross_entropy(model(x[batch]), y[batch]).backward()
        with torch.no_grad():
            for w in model.parameters():
                w.add_(w.grad, alpha=-size)
    return iterations


FITTED = {"batch_size": 20, "lr": 0.2, "schedule": "halved", "seed": 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("iterations", "horizon", "look", "halvings"),  # before it stopped; None: it did not
    [
        (300, 300, 7, 1),
        (200, 200, 7, 2),
        (300, 3000, 7, 0),  # cut at a tenth of the horizon
        (300, 3000, 1, 0),
        (30, 300, 7, None),
        (90, 120, 7, None),
    ],
)
def test_training_stops_at_100_percent_on_the_schedule_of_the_horizon(
    iterations: int, horizon: int, look: int, halvings: int | None
) -> None:
    images = data.load("digits", n_train=100, n_test=1)
    model, wanted = fcn(64, 16, 3, 10, seed=1), fcn(64, 16, 3, 10, seed=1)
    counted: list[int] = []
    settings = FITTED | {"iterations": iterations, "horizon": horizon, "look": look, "each": counted.append}
    points = list(sgd(model, cross_entropy, images, **settings, snapshots=(0, 20, iterations)))
    stop = by_hand(wanted, images, iterations, horizon, look)
    assert points == [0, 20, stop]
    assert counted == list(range(1, stop + 1))
    assert same(weights(model), weights(wanted))
    assert (stop < iterations) == (halvings is not None)
    if halvings is not None:
        assert 3 * stop // horizon == halvings
        assert evaluate(model, cross_entropy, images.x_train, images.y_train)[1] == 1.0


@pytest.mark.slow
def test_a_run_taken_up_again_stops_where_an_unbroken_one_does() -> None:
    images = data.load("digits", n_train=100, n_test=1)
    settings = FITTED | {"horizon": 300, "look": 7}
    unbroken = fcn(64, 16, 3, 10, seed=1)
    [stop] = sgd(unbroken, cross_entropy, images, **settings, iterations=300, snapshots=(300,))
    assert stop < 300
    for start in (0, 20, 63, stop - 1, stop):
        broken = fcn(64, 16, 3, 10, seed=1)
        list(sgd(broken, cross_entropy, images, **settings, iterations=start, snapshots=()))
        resumed = sgd(broken, cross_entropy, images, **settings, iterations=300, snapshots=(300,), start=start)
        assert list(resumed) == [stop]
        assert same(weights(unbroken), weights(broken))


def test_a_network_that_fits_takes_no_step_and_pauses_once() -> None:
    images = dataset()
    images.y_train[:] = 2
    model = fcn(9, 5, 3, 4, seed=1)
    with torch.no_grad():
        for w in model.parameters():
            w.abs_()
        model.linear3.weight[[0, 1, 3]] = -1.0
    images.x_train.abs_()
    before = weights(model)
    for snapshots in ((10,), (0, 10)):
        assert list(sgd(model, cross_entropy, images, **SETTINGS | {"look": 5, "snapshots": snapshots})) == [0]
    assert same(weights(model), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": 11}, "start = 11 lies outside the run: take 0 to iterations = 10"),
        ({"start": -1}, "start = -1 lies outside the run"),
        ({"order": "sorted"}, "unknown order 'sorted': take one of random, data"),
        ({"schedule": "cosine"}, "unknown schedule 'cosine': take one of constant, halved"),
        ({"horizon": 9}, "horizon = 9, look = None: take a horizon of 10 or more, a look of 1 or more"),
        ({"look": 0}, "horizon = 10, look = 0: take a horizon of 10 or more, a look of 1 or more"),
    ],
)
def test_ways_of_training_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(sgd(fcn(9, 5, 3, 4, seed=1), cross_entropy, dataset(), **SETTINGS | change))


def test_frozen_and_unreached_parameters() -> None:
    frozen = fcn(9, 5, 3, 4, seed=1).requires_grad_(False)
    with pytest.raises(ValueError, match="Sequential has no trainable parameter"):
        next(sgd(frozen, cross_entropy, dataset(), **SETTINGS))
    spare = nn.ModuleList([fcn(9, 5, 3, 4, seed=1), nn.Linear(2, 2)])
    spare.forward = spare[0].forward
    before = weights(spare[1])
    assert list(sgd(spare, cross_entropy, dataset(), **SETTINGS)) == [10]
    assert same(weights(spare[1]), before)


def test_evaluate_needs_a_sample() -> None:
    with pytest.raises(ValueError, match="0 samples have no mean loss"):
        evaluate(fcn(9, 5, 3, 4, seed=1), cross_entropy, torch.zeros(0, 9), torch.zeros(0, dtype=torch.int64))
