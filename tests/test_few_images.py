"""Tail excess against the images that a coordinate sees: what the rows hold, on noise that obeys the rule or does not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from made_up import tiny
from torch.nn.functional import cross_entropy

from tailnoise_utils import stable
from tailnoise_utils.diagnosis import log_scale, tail_excess
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.noise.gradient import minibatch_gradient
from tailnoise_utils.noise.matrix import centre
from tailnoise_utils.noise.parameters import slices
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments.few_images import EDGES, FewImagesSpec, compound_poisson, stratified
from tailnoise_utils.study.figures import batch_size, few_images
from tailnoise_utils.study.networks import data
from tailnoise_utils.study.networks.train import evaluate
from tailnoise_utils.study.results import store
from tailnoise_utils.tail_index import hill

SPEC = FewImagesSpec(tiny(iterations=0, snapshots=(0,), seed=0), 20, (0,), (5, 20, 50), 60, 0.0)
TAU, RULE = "tail excess by events", "1 / (12 events) by events"


def frame(spec, samples=None, monkeypatch=None):
    """The rows of a snapshot; of other gradients by image if they are given."""
    if samples is not None:
        monkeypatch.setattr(FewImagesSpec, "_samples", lambda self, model, columns: iter(samples.split(20)))
    return store.to_frame(spec.measure(spec.train.build(), lambda share: None), "")


def value(rows, quantity, x=np.nan, scope="all"):
    rows = rows[(rows["quantity"] == quantity) & (rows["scope"] == scope)]
    return rows.loc[rows["x"].isna() if np.isnan(x) else rows["x"] == x, "value"].item()


@pytest.fixture(scope="module")
def naive():
    """Gradients one by one in the order of the partition, at the sampled coordinates, and all of their norms."""
    model = SPEC.train.build()
    batches = [(x, y) for xs, ys in SPEC._batches() for x, y in zip(xs.split(1), ys.split(1), strict=True)]
    G = torch.stack([minibatch_gradient(model, cross_entropy, batch).flat() for batch in batches]).double()
    columns, scopes = stratified(slices(model), 60, 6 * 10**6)
    return G[:, columns], G.norm(dim=1), scopes


def test_events_are_of_one_half_and_the_tail_excess_is_of_the_other(naive):
    (g, _, scopes), rows = naive, frame(SPEC)
    a, b = g[:100], g[100:]
    events = a.square().sum(0) ** 2 / (a**4).sum(0) * 20 / 100
    again = b.square().sum(0) ** 2 / (b**4).sum(0)
    U = centre(b.view(5, 20, -1).mean(1))
    usable = ((U != 0).any(0) & events.isfinite()).numpy()
    tau, events = tail_excess(U).numpy(), events.numpy()
    for scope, part in scopes.items():
        mean = tau[part][usable[part]].mean()
        assert value(rows, "tail excess", scope=scope) == pytest.approx(mean, abs=1e-4)
    inside = usable & (events >= EDGES[3]) & (events < EDGES[4])
    assert value(rows, TAU, EDGES[3]) == pytest.approx(tau[inside].mean(), abs=1e-4)
    assert value(rows, RULE, EDGES[3]) == pytest.approx((1 / (12 * events[inside])).mean(), rel=1e-4)
    assert value(rows, "coordinates by events", EDGES[3]) == inside.sum()
    both = np.isfinite(events) & np.isfinite(again.numpy())
    agree = np.corrcoef(np.log(events[both]), np.log(again.numpy()[both]))[0, 1]
    assert value(rows, "events (correlation of the halves)") == pytest.approx(agree, abs=1e-4)
    pairs = rows[rows["quantity"] == "tail excess of a coordinate"]
    np.testing.assert_allclose(pairs[["x", "value"]], np.stack([events, tau], 1)[usable], rtol=1e-3, atol=1e-4)
    se = rows.loc[(rows["quantity"] == TAU) & (rows["x"] == EDGES[3]) & (rows["scope"] == "all"), "se"].item()
    assert se == pytest.approx(tau[inside].std() / np.sqrt(inside.sum()), rel=1e-3)
    assert value(rows, "accuracy") == evaluate(SPEC.train.build(), cross_entropy, *SPEC._split("train"))[1]


def test_noise_of_unit_and_of_cut_norms_is_that_of_weighted_images(naive):
    (g, norms, _), rows = naive, frame(SPEC)
    seen = (g[:100] != 0).any(0)
    assert value(rows, "images by norm") == pytest.approx(float(norms.square().sum() ** 2 / (norms**4).sum()), rel=1e-4)
    assert value(rows, "1/alpha (Hill, norms)") == pytest.approx(hill(norms.numpy()).inverse, rel=1e-4)
    median = norms.sort().values[99]
    assert (norms == 0).any()  # an image that reaches no unit has no gradient to divide
    weights = {"": torch.ones(200), "unit norms: ": 1 / norms, "cut norms: ": (median / norms).clamp(max=1)}
    for name, w in weights.items():
        means = (g * w.where(norms > 0, 0)[:, None])[100:].float()
        U = centre(means.view(5, 20, -1).mean(1))
        live = (U != 0).any(0)
        assert value(rows, f"{name}tail excess") == pytest.approx(float(tail_excess(U)[live & seen].mean()), abs=2e-4)
        for b in (5, 50):
            noise = means.view(100 // b, b, -1).mean(1) - means.mean(0)
            expected = log_scale(noise, b, 100, live=live)["all"].value
            assert value(rows, f"{name}log-scale", b) == pytest.approx(expected, abs=2e-3)


WIDE = replace(SPEC, train=replace(SPEC.train, n_train=1400, width=32), coordinates=3000)
MANY = 1000 + 1000 + 320  # coordinates of its three layers


def test_sparse_images_lie_on_the_compound_poisson_curve_and_on_the_rule(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    share = torch.logspace(-1.3, 0, MANY)[torch.randperm(MANY, generator=generator)]  # of images that have a gradient
    g = torch.randn(1400, MANY, generator=generator) * (torch.rand(1400, MANY, generator=generator) < share)
    rows = frame(WIDE, g, monkeypatch)
    x = np.array([0.6, 1.0, 2.0])
    tau, rule = (np.array([value(rows, name, at) for at in x]) for name in (TAU, RULE))
    np.testing.assert_allclose(tau, compound_poisson(1 / (12 * rule), 35), atol=0.03)
    np.testing.assert_allclose(tau[1:], rule[1:], atol=0.015)
    assert tau[0] > 1.5 * rule[0]
    assert value(rows, "events (correlation of the halves)") > 0.9


def test_the_curve_tends_to_the_rule_and_to_nothing():
    events = np.array([3.0, 10.0, 1000.0])
    np.testing.assert_allclose(compound_poisson(events, 60), 1 / (12 * events), rtol=0.12, atol=2e-3)


def test_planted_stable_noise_leaves_the_curve():
    rows = frame(replace(WIDE, planted=1.8))
    x = [0.1, 0.3, 0.6, 1.0, 2.0]
    tau, rule = (np.array([value(rows, name, at) for at in x]) for name in (TAU, RULE))
    U = centre(torch.from_numpy(stable.sample(1.8, (35, 4000), generator=np.random.default_rng(0))))
    np.testing.assert_allclose(tau, float(tail_excess(U).mean()), atol=0.04)  # the same in all bins
    assert rule[0] / rule[-1] > 10
    assert abs(value(rows, "events (correlation of the halves)")) < 0.1
    assert not {"images by norm", "unit norms: tail excess"} & set(rows["quantity"])


def test_coordinates_are_sampled_in_every_layer():
    parts = {"a": [slice(0, 500), slice(500, 510)], "b": [slice(510, 520)], "c": [slice(520, 2000)]}
    columns, scopes = stratified(parts, 90, 1)
    assert {name: len(columns[part]) for name, part in scopes.items()} == {"all": 70, "a": 30, "b": 10, "c": 30}
    assert (columns.diff() > 0).all()
    for name, part in scopes.items():
        low, high = (parts[name][0].start, parts[name][-1].stop) if name in parts else (0, 2000)
        assert ((columns[part] >= low) & (columns[part] < high)).all()
    assert not torch.equal(columns, stratified(parts, 90, 2)[0])
    assert (columns[scopes["c"]].diff() > 1).any()


def test_permuted_labels_are_the_same_for_all_seeds_and_another_data_set():
    plain, permuted = (data.load(name, n_train=200, n_test=50) for name in ("digits", f"digits{data.PERMUTED}"))
    assert torch.equal(plain.x_train, permuted.x_train)
    assert torch.equal(plain.y_test, permuted.y_test)
    assert torch.equal(plain.y_train.bincount(), permuted.y_train.bincount())
    assert (plain.y_train == permuted.y_train).double().mean() < 0.3
    assert plain.digest != permuted.digest
    specs = [replace(SPEC, train=replace(SPEC.train, dataset=permuted.name, seed=seed)) for seed in (0, 1)]
    assert specs[0].data_sha256() == specs[1].data_sha256() == permuted.digest
    assert torch.equal(specs[0]._split("train")[1], permuted.y_train)
    with pytest.raises(ValueError, match="unknown data set 'x, permuted labels'"):
        data.load(f"x{data.PERMUTED}")


def test_a_network_without_noise_says_so(monkeypatch):
    with pytest.raises(NothingAlive):
        frame(SPEC, torch.zeros(200, 60), monkeypatch)


def test_a_snapshot_is_verified_without_its_single_coordinates(monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setitem(experiments.EXPERIMENTS, "few_images", lambda profile: (SPEC,))
    from tailnoise_utils.study.experiments import runner

    runner.run("few_images", "smoke")
    compared = runner.verify("few_images", "smoke")
    assert (compared["difference"] == 0).all()
    assert "tail excess of a coordinate" not in set(compared["quantity"])


@pytest.fixture
def results():
    """Two seeds of a network and of planted noise: before training tau is the rule, after it twice that."""
    frames, records = [], []
    for seed in (0, 1):
        for planted, points in ((0.0, (0, 4)), (1.8, (0,))):
            train = replace(SPEC.train, seed=seed, iterations=points[-1], snapshots=points)
            spec = replace(SPEC, train=train, points=points, planted=planted)
            rows = []
            for point in points:
                for x, rule in ((0.3, 0.2), (1.0, 0.06), (4.0, 0.015)):
                    tau = 0.17 if planted else rule * (1 + point / 4) * (1.1 if seed else 0.9)
                    values = {"coordinates by events": 10.0 / x, RULE: rule, TAU: tau}
                    rows += [{"iteration": point, "quantity": k, "x": x, "value": v} for k, v in values.items()]
                values = {"tail excess": 0.1 + point, "loss": 2.0 - point / 4, "accuracy": 0.1 + point / 5}
                values |= {"events (correlation of the halves)": 0.0 if planted else 0.9 - point / 8}
                if not planted:
                    values |= {"images by norm": 150.0 - point, "1/alpha (Hill, norms)": 0.3}
                    values |= {f"{noise} norms: tail excess": 0.05 + point for noise in ("unit", "cut")}
                rows += [{"iteration": point, "quantity": k, "value": v} for k, v in values.items()]
                scales = {"": 0.5} if planted else {"": 0.2 + point / 40, "unit norms: ": 0.4, "cut norms: ": 0.5}
                rows += [
                    {"iteration": point, "quantity": f"{noise}log-scale", "x": b, "value": -exponent * np.log(b)}
                    for noise, exponent in scales.items()
                    for b in (10.0, 50.0)
                ]
            record = store.run_record(spec, "0" * 64, 1.0)
            frames.append(store.to_frame(rows, record["run"]))
            records.append(record)
    return store.Results(pd.concat(frames, ignore_index=True), pd.DataFrame(records))


def test_tables_and_figure(results):
    table = few_images.event_table(results).reset_index()
    network, planted = "FCN 8 × 3, digits (200)", "planted stable, index 1.8"
    assert list(dict.fromkeys(table["name"])) == [network, planted]
    assert sorted(set(table["x"])) == [0.3, 1.0]  # the last bin has too few coordinates
    first = table.iloc[0]
    assert [float(v) for v in first[[TAU, "low", "high", "runs"]]] == pytest.approx([0.2, 0.18, 0.22, 2])
    [axes] = few_images.against_events(results).axes
    marks = {bars.get_label(): bars.lines[0] for bars in axes.containers if not bars.get_label().startswith("_")}
    events = 1 / (12 * np.array([0.2, 0.06]))
    np.testing.assert_allclose(marks[network].get_xydata(), np.stack([events, [0.4, 0.12]], 1))
    assert marks[network].get_markerfacecolor() != "white"
    assert marks[planted].get_marker() == "*"
    before = next(bars.lines[0] for bars in axes.containers if bars.get_label().startswith("_"))
    assert before.get_markerfacecolor() == "white"
    np.testing.assert_allclose(before.get_xydata()[:, 1], [0.2, 0.06])
    [rule] = [line for line in axes.get_lines() if line.get_label() == "1 / (12 events)"]
    np.testing.assert_allclose(rule.get_xdata() * rule.get_ydata(), 1 / 12)
    short = few_images.short_table(results)
    assert short.shape == (3, 7)
    assert short.loc[(network, 4), ["exponent", "unit norms: exponent"]].to_list() == pytest.approx([0.3, 0.4])
    assert np.isnan(short.loc[(planted, 0), "images by norm"])


def test_numbers_of_the_text(results, monkeypatch):
    numbers = few_images.numbers(results)
    expected = {"configurations": 1, "seeds": 2, "start_min": 1, "start_max": 1, "after_min": 2, "after_max": 2}
    expected |= {"stable_min": 0.17, "stable_max": 0.17, "stable_rule_min": 0.06, "stable_rule_max": 0.2}
    expected |= {"agree_min": 0.4, "agree_max": 0.9, "stable_agree_min": 0.0}
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)
    assert np.isnan(numbers["mnist_end_tau"])
    mnist = {"dataset": "mnist", "width": 128, "n_train": 60_000}
    more = results.runs.assign(**mnist, run=results.runs["run"] + "m")
    cifar = more.assign(dataset="cifar10", run=results.runs["run"] + "c")
    rows = [results.rows.assign(run=results.rows["run"] + letter) for letter in "mc"]
    rows[1] = rows[1][rows[1]["iteration"] == 0]  # a loss of 2 at its end
    numbers = few_images.numbers(store.Results(pd.concat(rows), pd.concat([more, cifar])))
    expected = {"mnist_start_tau": 0.1, "mnist_end_tau": 4.1, "mnist_end_unit": 4.05, "mnist_end_images": 146}
    expected |= {"cifar_end_loss": 2, "equal_loss": 2, "equal_tau": 0.1, "mnist_end_hill": 0.3}
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)


def test_exponents_of_a_figure_are_minus_the_slopes():
    runs = pd.DataFrame([
        {"run": f"{dataset}{seed}", "model": "fcn", "dataset": dataset, "loss": "nll", "width": 8, "depth": 3,
         "seed": seed, "n_train": 60_000, "status": "complete"}
        for dataset in ("mnist", "cifar10") for seed in (0, 1)
    ])  # fmt: skip
    rows = pd.DataFrame([
        {"run": run, "iteration": t, "split": "train", "scope": "all", "quantity": "log-scale", "x": b, "se": 0.0,
         "value": -(0.2 + t / 10 + int(run[-1]) / 10) * np.log(b)}
        for run in runs["run"] for t in (0, 1) for b in (10.0, 100.0, 1000.0)
    ])  # fmt: skip
    [axes] = batch_size.batch_scaling(store.Results(rows, runs)).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(lines["MNIST, before training"].get_ydata(), [0.25, 0.25])
    np.testing.assert_allclose(lines["CIFAR-10, after training"].get_ydata(), [0.35, 0.35])
    np.testing.assert_allclose(lines["CIFAR-10, after training"].get_xdata(), np.sqrt([1e3, 1e5]))


def test_the_grid_has_seed_0_of_all_first():
    specs = experiments.grid("few_images", "laptop")
    assert [spec.train.seed for spec in specs] == [0] * 7 + [1] * 7 + [2] * 7
    assert specs == experiments.grid("few_images", "paper")
    for spec in specs:
        half = spec.train.n_train // 2
        assert half % spec.noise_batch_size == 0
        assert all(half % size == 0 and size % spec.sizes[0] == 0 for size in (*spec.sizes, spec.noise_batch_size))
