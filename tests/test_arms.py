"""Arms of a training: their noise against what it is made from, resumption, curvature, paired differences."""

import math
from dataclasses import replace
from itertools import combinations

import made_up
import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from torch.nn.functional import cross_entropy

from tailnoise_utils import mohammadi, stable
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.parameters import slices
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import arms
from tailnoise_utils.study.experiments.arms import Arm, ArmSpec, image_weights, independent_noise, stable_fit
from tailnoise_utils.study.figures import arms as drawn
from tailnoise_utils.study.networks.curvature import extreme_eigenvalues
from tailnoise_utils.study.networks.train import Diverged

SPEC = ArmSpec(made_up.tiny(seed=3), "batches")


def arm(name, spec=SPEC):
    """An arm at the initial weights of 200 digits, b = 20, with the noise there."""
    model = spec.train.build().eval()
    U = noise_matrix(model, cross_entropy, spec._batches())
    x, y = spec._split("train")
    full = torch.cat([g.flatten() for g in torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))])
    return Arm(name, model, x, y, 20, spec.train.seed), U, full


def generator(seed=0):
    return np.random.default_rng(seed)


def test_weights_of_normal_numbers_give_the_covariance_of_a_minibatch_without_replacement():
    n, b = 7, 3
    g = torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    means = torch.stack([g[list(batch)].mean(0) for batch in combinations(range(n), b)])
    zero = image_weights(torch.zeros(n, dtype=torch.float64), b)
    torch.testing.assert_close(zero @ g, means.mean(0))
    # The gradient is linear in z: its covariance is the sum over the z_k of what each adds.
    each = torch.stack([(image_weights(z, b) - zero) @ g for z in torch.eye(n, dtype=torch.float64)])
    torch.testing.assert_close(each.T @ each, (means - means.mean(0)).T @ (means - means.mean(0)) / len(means))


@pytest.mark.parametrize("name", ["batches", "gaussian"])
def test_noise_of_minibatches_and_of_the_gaussian_arm_have_one_size(name):
    one, _, full = arm(name)
    x, y = SPEC._split("train")
    each = torch.stack(
        [
            torch.cat(
                [
                    g.flatten()
                    for g in torch.autograd.grad(cross_entropy(one._model(a[None]), c[None]), one._model.parameters())
                ]
            )
            for a, c in zip(x, y, strict=True)
        ]
    )
    expected = (1 / 20 - 1 / 200) * (each - full).square().sum() / 199  # trace of the covariance
    draws = torch.stack([one.direction(k, generator(k)) - full for k in range(400)])
    assert draws.square().sum(1).mean().item() == pytest.approx(expected.item(), rel=0.05)
    assert draws.mean(0).square().sum() < 4 * expected / 400


def test_an_epoch_takes_every_image_once_and_another_one_in_another_order(monkeypatch):
    monkeypatch.setattr(arms, "_CHUNK", 7)
    one, _, full = arm("epochs")
    steps = torch.stack([one.direction(step, generator()) for step in range(20)])
    torch.testing.assert_close(steps[:10].mean(0), full)
    torch.testing.assert_close(steps[10:].mean(0), full)
    assert not torch.allclose(steps[0], steps[10])
    torch.testing.assert_close(arm("gradient")[0].direction(0, generator()), full)
    other = Arm("epochs", one._model, *SPEC._split("train"), 20, 4)
    assert not torch.allclose(steps[0], other.direction(0, generator()))


def test_weights_of_the_images_have_the_index_of_the_fit_or_their_own():
    one, U, _ = arm("stable weights")
    alpha, _ = stable_fit(U)
    x, y = SPEC._split("train")
    for name, index in (("stable weights", alpha), ("stable weights 1.7", 1.7)):
        other = Arm(name, one._model, x, y, 20, 3)
        other.look(U)
        z = torch.from_numpy(stable.sample(index, 200, sigma=0.5**0.5, generator=generator(5)))
        weights = image_weights(z, 20).float()
        loss = (weights * cross_entropy(one._model(x), y, reduction="none")).sum()
        expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(one._model.parameters()))])
        torch.testing.assert_close(other.direction(0, generator(5)), expected, rtol=1e-4, atol=1e-6)


def test_the_fit_finds_the_stable_distribution():
    U = torch.from_numpy(stable.sample(1.4, (40, 5000), sigma=0.3, generator=generator()))
    alpha, sigma = stable_fit(U.float())
    assert alpha == pytest.approx(1.4, abs=0.02)
    assert sigma == pytest.approx(0.3, rel=0.02)
    alpha, sigma = stable_fit(torch.randn(40, 5000, generator=torch.Generator().manual_seed(1)))
    assert alpha == pytest.approx(2, abs=0.03)
    assert sigma == pytest.approx(0.5**0.5, rel=0.02)
    anticorrelated = torch.tensor([1.0, -1.0]).repeat(30, 200) * torch.rand(30, 400)
    with pytest.warns(UserWarning, match="means of the columns are not zero"):
        fits = stable_fit(anticorrelated)[0], mohammadi(anticorrelated).alpha
    assert fits[0] == 2 < fits[1]
    assert stable_fit(torch.zeros(4, 9)) == (2.0, 0.0)


def planted():
    """Noise of two layers of other index and scale, with columns of unequal scale in each."""
    scales = np.exp(np.linspace(-1, 1, 600))
    first = stable.sample(1.3, (200, 600), sigma=0.1, generator=generator(1)) * scales
    second = stable.sample(1.8, (200, 400), sigma=2.0, generator=generator(2))
    return torch.from_numpy(np.hstack([first, second])).float(), {
        "a": [slice(0, 500), slice(500, 600)],
        "b": [slice(600, 1000)],
    }


def test_independent_noise_has_scales_sizes_and_bounds_of_what_it_copies():
    U, layers = planted()
    U = U.clamp(-20, 20)
    sd, size = U.double().square().mean(0).sqrt().float(), U.norm(dim=1).median()
    noise = {name: independent_noise(name, U, layers, generator(3)) for name in arms.INDEPENDENT}
    draws = {name: torch.stack([law.draw(generator(k)) for k in range(400)]) for name, law in noise.items()}
    torch.testing.assert_close(draws["independent gaussian"].std(0), sd, rtol=0.2, atol=0)
    torch.testing.assert_close(noise["independent gaussian"].scale, sd / 2**0.5, rtol=1e-4, atol=0)
    alpha, sigma = stable_fit(U)
    for name in ("independent stable", "clipped stable"):
        assert noise[name].parts == ((alpha, 1000),)
        torch.testing.assert_close(noise[name].scale / sd, (noise[name].scale / sd)[:1].expand(1000))
        assert draws[name].norm(dim=1).median().item() == pytest.approx(size.item(), rel=0.15)
    largest = U.abs().amax(0)
    torch.testing.assert_close(noise["clipped stable"].bound, largest)
    assert (draws["clipped stable"].abs() <= largest).all()
    assert (draws["clipped stable"].abs().amax(0) == largest).any()
    assert (draws["independent stable"].abs().amax(0) > largest).any()
    assert noise["joint fit"].parts == ((alpha, 1000),)
    torch.testing.assert_close(noise["joint fit"].scale, torch.full((1000,), sigma))
    fits = [stable_fit(U[:, :600]), stable_fit(U[:, 600:])]
    assert noise["layer fits"].parts == ((fits[0][0], 600), (fits[1][0], 400))
    torch.testing.assert_close(noise["layer fits"].scale[[0, 599, 600]], torch.tensor([fits[0][1]] * 2 + [fits[1][1]]))
    # Entries are those of the index: half of |S| is below the median.
    S = draws["layer fits"][:, 600:] / fits[1][1]
    assert S.abs().median().item() == pytest.approx(float(stable.ppf(0.75, fits[1][0])), rel=0.02)
    for name in arms.INDEPENDENT:
        assert not independent_noise(name, torch.zeros(4, 1000), layers, generator()).draw(generator()).any()


def test_steps_go_down_the_direction_and_copy_the_noise_anew(monkeypatch):
    monkeypatch.setattr(arms, "REFRESH", 2)
    spec = replace(SPEC, arm="joint fit")
    model = spec.train.build()
    spec.steps(model, 0, 3)
    expected = spec.train.build().eval()
    one = Arm("joint fit", expected, *spec._split("train"), 20, 3)
    for step in range(3):
        if step in (0, 2):
            one._noise = independent_noise(
                "joint fit", noise_matrix(expected, cross_entropy, spec._batches()), slices(expected), generator()
            )
        direction = one.direction(step, generator([12 * 10**6 + 3, step]))
        with torch.no_grad():
            start = 0
            for w in expected.parameters():
                w -= spec.train.lr * direction[start : start + w.numel()].view_as(w)
                start += w.numel()
    for w, v in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(w, v)


@pytest.mark.parametrize("name", ["epochs", "clipped stable"])
def test_a_killed_run_goes_on_from_the_last_point_and_verify_makes_the_first_points(name, monkeypatch, tmp_path):
    spec = replace(SPEC, arm=name)
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "unbroken"))
    shares = []
    unbroken = spec.rows(shares.append)
    assert sum(shares) == pytest.approx(1)
    assert spec.seconds() > 0
    model = spec.train.build()
    for start, stop in ((0, 3), (3, 6)):
        spec.steps(model, start, stop)
    assert spec._performance(model, "test") == [
        {key: row[key] for key in ("split", "quantity", "value")} for row in unbroken[-2:]
    ]
    assert spec.again(tmp_path) == [row for row in unbroken if row["iteration"] in (0, 3)]
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "killed"))
    measure, left = ArmSpec.measure, iter([True, True])

    def killed(self, model, progress):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return measure(self, model, progress)

    monkeypatch.setattr(ArmSpec, "measure", killed)
    with pytest.raises(KeyboardInterrupt):
        spec.rows(lambda share: None)
    starts, steps = [], ArmSpec.steps
    monkeypatch.setattr(ArmSpec, "measure", measure)
    monkeypatch.setattr(ArmSpec, "steps", lambda self, model, *ends: starts.append(ends) or steps(self, model, *ends))
    assert spec.rows(lambda share: None) == unbroken
    assert starts == [(3, 6)]


def test_a_run_that_diverges_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path))
    spec = replace(SPEC, train=replace(SPEC.train, lr=1e30))
    rows = spec.rows(lambda share: None)
    assert rows[-1] == {"quantity": "diverged", "value": 0.0}
    assert spec.status(rows) == "diverged"
    with pytest.raises(Diverged, match="after 1 iterations"):
        spec.steps(spec.train.build(), 0, 3)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("batches", 0.8, 1.25), ("gradient", 0, 0), ("independent gaussian", 0.95, 1.05)]
)
def test_rows_of_a_point(name, low, high):
    spec = replace(SPEC, arm=name)
    model = spec.train.build()
    rows = {(row["quantity"], row["split"]): row["value"] for row in spec.measure(model, lambda share: None)}
    _, U, _ = arm(name)
    x, y = spec._split("train")
    assert low <= rows["norm ratio", "train"] <= high
    assert rows["1/alpha (corrected)", "train"] == mohammadi(U).inverse
    ends = tuple(extreme_eigenvalues(model, cross_entropy, x, y).values())
    assert (rows["smallest eigenvalue", "train"], rows["largest eigenvalue", "train"]) == pytest.approx(ends)
    assert {("accuracy", "test"), ("loss", "train"), ("tail excess", "train"), ("dead share", "train")} <= set(rows)


def test_a_dead_network_has_no_noise_and_no_curvature():
    model = SPEC.train.build()
    for w in model.parameters():
        w.data.zero_()
    rows = {row["quantity"]: row["value"] for row in SPEC.measure(model, lambda share: None)}
    assert "norm ratio" not in rows
    assert rows["largest eigenvalue"] == 0
    spec = replace(SPEC, arm="layer fits")
    spec.steps(model, 0, 2)
    assert not any(bool(w.any()) for w in model.parameters())


def results():
    """Four arms of one network at two steps: five and two seeds; one run diverged."""
    rows, runs = [], []
    gains = {"gaussian": 0.0, "gradient": -0.01, "joint fit": -0.03, "layer fits": -0.03}
    for lr, seeds in ((0.1, 5), (0.3, 2)):
        for seed in range(seeds):
            for name, gain in gains.items():
                lost = (lr, seed, name) == (0.3, 1, "joint fit")
                run = {
                    "run": f"{lr}{seed}{name}",
                    "model": "fcn",
                    "dataset": "mnist",
                    "lr": lr,
                    "seed": seed,
                    "arm": name,
                }
                runs.append(run | {"status": "diverged" if lost else "complete"})
                accuracy = 0.9 + 0.01 * seed + gain * (1 + 0.1 * seed)  # the seed's own level cancels
                for point, value in ((0, 0.1), (50, 0.2), (100, accuracy)):
                    base = {"run": run["run"], "iteration": point}
                    rows.append(base | {"quantity": "accuracy", "split": "test", "value": value})
                    rows.append(
                        base
                        | {"quantity": "norm ratio", "value": 1.0 + (point / 50) ** 3 + seed + (name == "layer fits")}
                    )
                    rows += [
                        base | {"quantity": q, "value": v}
                        for q, v in (("loss", 0.2), ("largest eigenvalue", 20.0), ("tail excess", 0.1))
                    ]
                if lost:
                    rows.append({"run": run["run"], "quantity": "diverged", "value": 100.0})
    return made_up.results(rows, runs)


def test_differences_are_paired_and_a_lost_run_counts_as_chance():
    table = drawn.differences(results()).set_index(["lr", "arm"])
    line = table.loc[(0.1, "gradient")]
    paired = -1.0 - 0.1 * np.arange(5)
    assert line["mean"] == pytest.approx(paired.mean())
    half = scipy_stats.t.ppf(0.975, 4) * paired.std(ddof=1) / math.sqrt(5)
    assert (line["low"], line["high"]) == pytest.approx((paired.mean() - half, paired.mean() + half))
    assert line["norm ratio"] == pytest.approx(2 + 2)  # the median over the points, the mean over the seeds
    assert line[["accuracy", "loss", "largest eigenvalue", "tail excess"]].tolist() == pytest.approx(
        [0.908, 0.2, 20, 0.1]
    )
    lost = table.loc[(0.3, "joint fit")]
    assert lost["mean"] == pytest.approx(100 * (-0.03 + 0.1 - 0.91) / 2)
    assert lost["diverged"] == 1
    two = table.loc[(0.3, "gradient")]
    assert two["high"] - two["mean"] == pytest.approx(scipy_stats.t.ppf(0.975, 1) * 0.1 / 2)
    other = drawn.differences(results(), "gradient").set_index(["lr", "arm"])
    assert other.loc[(0.1, "gaussian"), "mean"] == pytest.approx(-paired.mean())


def test_figure_table_and_numbers():
    axes = drawn.arms(results()).axes
    assert [a.get_title() for a in axes] == ["FCN, MNIST\nstep 0.1", "FCN, MNIST\nstep 0.3"]
    joint = next(line for line in axes[0].get_lines() if line.get_color() == "#D55E00" and line.get_marker() == "o")
    assert joint.get_xydata()[0] == pytest.approx([-3.6, arms.ARMS.index("joint fit")])
    assert [text.get_text() for text in axes[0].texts] == ["4.00", "4.00", "4.00", "5.00"]
    assert [text.get_text() for text in axes[1].texts] == ["2.50", "2.50", "2.50†", "3.50"]
    table = drawn.short_table(results())
    shown = [drawn.LABELS[name] for name in ("gaussian", "gradient", "joint fit", "layer fits")]
    assert list(table.index) == [("FCN, MNIST", arm) for arm in shown]
    assert table["sharpness"].tolist() == [20] * 4
    numbers = drawn.numbers(results())
    assert numbers["help_low"] == numbers["help_high"] == pytest.approx(1.2)
    assert numbers["fit_low"] == pytest.approx(-3.6)
    assert (numbers["fit_seeds"], numbers["fit_lost"], numbers["fit_range"]) == (5, 0, "-3.60")
    assert (numbers["fit_norm_low"], numbers["fit_norm_high"]) == pytest.approx((4, 5))
    assert numbers["help_mnist"] == pytest.approx(1.2)
    means = drawn.differences(results(), "gradient").set_index(["lr", "arm"]).loc[(0.1, "gaussian")]
    assert numbers["help_mnist_half"] == pytest.approx(means["high"] - means["mean"])
    assert numbers["networks"] == "FCN, MNIST"
    missing = ("law_low", "law_mnist", "help_cifar10", "help_cifar10_half")
    assert all(math.isnan(numbers[name]) for name in missing)  # no such runs yet
    assert set(drawn.LABELS) == set(arms.ARMS)


def test_the_grid_has_seed_0_first_and_the_cheap_arms_first():
    specs = experiments.grid("training", "laptop")
    fcn = [spec for spec in specs if spec.train.model == "fcn"]
    assert specs[: len(fcn)] == tuple(fcn)
    assert [spec.train.seed for spec in fcn] == [0] * 66 + [1] * 66 + [2] * 22 + [3] * 22 + [4] * 22
    assert [spec.arm for spec in fcn[:24:6]] == ["epochs", "batches", "gaussian", "gradient"]
    assert {spec.train.n_train for spec in fcn} == {10_000}
