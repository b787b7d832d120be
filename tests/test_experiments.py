"""Specs become the rows they promise; a grid runs once, resumes, and its results are refused when they do not fit."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tailnoise_utils import data, experiments, noise, store, sweep, synthetic, tail_index
from tailnoise_utils.models import fcn
from tailnoise_utils.train import evaluate, train

TINY = experiments.IterationsSpec(
    dataset="digits",
    n_train=200,
    n_test=50,
    width=8,
    depth=3,
    batch_size=20,
    lr=0.1,
    iterations=6,
    snapshots=(0, 3, 6),
    seed=1,
)


@pytest.fixture
def results_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def tiny_grid(monkeypatch, results_in):
    """A grid of two short runs under the name of a real experiment."""
    specs = (TINY, replace(TINY, seed=2))
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: specs)
    return specs


def value(rows, iteration, quantity, split="train"):
    [row] = [r for r in rows if (r["iteration"], r["quantity"], r["split"]) == (iteration, quantity, split)]
    return row["value"]


def test_iterations_measures_what_it_says():
    rows = TINY.rows(lambda share: None)
    images = data.load("digits", n_train=200, n_test=50)
    model = fcn(64, 8, 3, 10, seed=1)
    for _ in train(model, cross_entropy, images, batch_size=20, lr=0.1, iterations=6, snapshots=(6,), seed=10**6 + 1):
        pass
    x, y = images.x_train, images.y_train
    assert (value(rows, 6, "loss"), value(rows, 6, "accuracy")) == evaluate(model, cross_entropy, x, y)
    assert value(rows, 6, "loss", "test") == evaluate(model, cross_entropy, images.x_test, images.y_test)[0]
    U = noise.noise_matrix(model, cross_entropy, x, y, torch.arange(200).view(10, 20))  # data order
    published = tail_index.mohammadi(U, convention="published")
    assert value(rows, 6, "1/alpha (published)") == published.inverse
    assert value(rows, 6, "K1 (published)") == published.info["K1"] == 80  # of K = 6560 = 80 x 82
    U = noise.noise_matrix(model, cross_entropy, x, y, noise.minibatches(200, 20, seed=2 * 10**6 + 1))
    clean = tail_index.mohammadi(U)
    assert value(rows, 6, "1/alpha (clean)") == clean.inverse
    assert value(rows, 6, "dead share") == clean.info["dead_share"]
    [row] = [r for r in rows if (r["iteration"], r["quantity"]) == (6, "1/alpha (clean)")]
    assert row["se"] == clean.inverse_se
    assert value(rows, 6, "K1 (clean)") == clean.info["K1"]
    columns = torch.randperm(U.shape[1], generator=torch.Generator().manual_seed(3 * 10**6 + 1))
    assert value(rows, 6, "1/alpha (clean, columns permuted)") == tail_index.mohammadi(U[:, columns]).inverse
    assert sorted({row["iteration"] for row in rows}) == [0, 3, 6]
    assert value(rows, 0, "loss") != value(rows, 6, "loss")


def test_iterations_is_deterministic_and_depends_on_the_seed():
    first, again, other = (replace(TINY, seed=s).rows(lambda share: None) for s in (1, 1, 2))
    assert [row["value"] for row in first] == [row["value"] for row in again]
    assert value(first, 6, "loss") != value(other, 6, "loss")


def test_estimator_rows_are_means_over_replicates():
    spec = experiments.EstimatorSpec("sas", 1.5, 400, 5, ("mohammadi", "mohammadi (published)", "log_moment"), seed=3)
    rows = {(row["scope"], row["quantity"]): row for row in spec.rows(lambda share: None)}
    generator = np.random.default_rng([3, 400, 1500])
    samples = [synthetic.law("sas").sample(1.5, 400, generator) for _ in range(5)]
    found = np.array([tail_index.log_moment(sample).inverse for sample in samples])
    row = rows["log_moment", "1/alpha"]
    assert row["value"] == pytest.approx(found.mean(), rel=1e-14)
    assert row["se"] == pytest.approx(found.std(ddof=1) / 5**0.5, rel=1e-12)
    assert rows["log_moment", "sd of 1/alpha"]["value"] == pytest.approx(found.std(ddof=1), rel=1e-12)
    published = np.mean([tail_index.mohammadi(s, convention="published").inverse for s in samples])
    assert rows["mohammadi (published)", "1/alpha"]["value"] == pytest.approx(published, rel=1e-14)
    assert rows["mohammadi", "1/alpha, closed form"]["value"] == pytest.approx(1 / 1.5)
    assert ("log_moment", "1/alpha, closed form") not in rows
    assert 0 < rows["log_moment", "seconds"]["value"] < 0.5
    assert rows["log_moment", "alpha"]["value"] == pytest.approx(np.mean(1 / found), rel=1e-14)


def test_a_run_is_stored_at_once_and_not_repeated(tiny_grid, monkeypatch):
    done = []
    original = experiments.IterationsSpec.rows

    def rows(self, progress):
        if len(done) == 1 and self.seed == 2 and not monkeypatched["healthy"]:
            raise KeyboardInterrupt
        done.append(self.seed)
        return original(self, progress)

    monkeypatched = {"healthy": False}
    monkeypatch.setattr(experiments.IterationsSpec, "rows", rows)
    with pytest.raises(KeyboardInterrupt):
        sweep.run("iterations", "smoke")
    assert list(store.read(store.path_of("iterations", "smoke")).runs["seed"]) == [1]
    monkeypatched["healthy"] = True
    shares = []
    results = sweep.run("iterations", "smoke", progress=shares.append)
    assert done == [1, 2]  # the first run was not repeated
    assert sorted(results.runs["seed"]) == [1, 2]
    assert sum(shares) == pytest.approx(2)
    sweep.run("iterations", "smoke")
    assert done == [1, 2]
    sweep.run("iterations", "smoke", fresh=True)
    assert done == [1, 2, 1, 2]


def test_what_is_resumed_equals_what_ran_in_one_go(tiny_grid, results_in, monkeypatch):
    whole = sweep.run("iterations", "smoke").rows
    monkeypatch.setenv("TAILNOISE_RESULTS", str(results_in / "again"))
    with monkeypatch.context() as first_only:
        first_only.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: tiny_grid[:1])
        sweep.run("iterations", "smoke")
    assert sweep.run("iterations", "smoke").rows.equals(whole)


def test_load_computes_in_smoke_and_refuses_elsewhere(tiny_grid):
    with pytest.raises(sweep.MissingResults, match=r"2 of the 2 runs .* run iterations --profile laptop"):
        sweep.load("iterations", "laptop")
    assert len(sweep.load("iterations", "smoke").runs) == 2


def test_load_gives_only_the_present_grid(tiny_grid, monkeypatch):
    sweep.run("iterations", "laptop")
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: tiny_grid[1:])
    results = sweep.load("iterations", "laptop")
    assert list(results.runs["seed"]) == [2]
    assert set(results.rows["run"]) == set(results.runs["run"])
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: (*tiny_grid, replace(TINY, seed=3)))
    with pytest.raises(sweep.MissingResults, match="1 of the 3 runs"):
        sweep.load("iterations", "laptop")


def test_two_processes_lose_nothing(tiny_grid, monkeypatch):
    original = experiments.IterationsSpec.rows

    def rows(self, progress):
        # While our first run is computed, another process finishes the second one.
        if self.seed == 1:
            record = store.run_record(tiny_grid[1], tiny_grid[1].data_sha256(), 0.0)
            found = original(tiny_grid[1], progress)
            store.append(store.path_of("iterations", "smoke"), store.to_frame(found, record["run"]), record)
        return original(self, progress)

    monkeypatch.setattr(experiments.IterationsSpec, "rows", rows)
    results = sweep.run("iterations", "smoke")
    assert sorted(results.runs["seed"]) == [1, 2]
    assert not results.rows.duplicated(["run", "iteration", "split", "quantity"]).any()


def test_subsets_of_other_sizes_lie_in_one_file(monkeypatch, results_in):
    specs = (TINY, replace(TINY, n_train=400), replace(TINY, n_train=400, seed=2))
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: specs)
    assert sweep.run("iterations", "laptop").runs["data_sha256"].nunique() == 2


def test_other_data_is_not_mixed_in(tiny_grid, monkeypatch):
    with monkeypatch.context() as first_only:
        first_only.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: tiny_grid[:1])
        sweep.run("iterations", "laptop")
    monkeypatch.setattr(experiments.IterationsSpec, "data_sha256", lambda self: "f" * 64)
    with pytest.raises(ValueError, match=r"the data here has ffff.*--fresh"):
        sweep.run("iterations", "laptop")
    assert list(store.read(store.path_of("iterations", "laptop")).runs["seed"]) == [1]


@pytest.mark.parametrize("function", [experiments.grid, sweep.run, sweep.load])
def test_unknown_names_list_the_valid_ones(function):
    with pytest.raises(ValueError, match="unknown experiment 'fcn'; choose one of iterations, estimator"):
        function("fcn", "smoke")
    with pytest.raises(ValueError, match="unknown profile 'huge'; choose one of smoke, laptop"):
        function("iterations", "huge")


@pytest.mark.parametrize("profile", experiments.PROFILES)
@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_grids_are_sound(name, profile):
    specs = experiments.grid(name, profile)
    assert len({store.digest(spec) for spec in specs}) == len(specs)
    for spec in specs:
        if isinstance(spec, experiments.EstimatorSpec):
            synthetic.law(spec.law)
        else:
            noise.check_batch_size(spec.n_train, spec.batch_size, fewest=2)
            assert len(specs) == 3  # seeds


def test_absent_data_says_how_to_get_it_and_keeps_nothing_half_done(results_in, monkeypatch):
    monkeypatch.setenv("TAILNOISE_DATA", str(results_in / "absent"))
    experiments._images.cache_clear()
    with pytest.raises(data.DataNotFound, match="TAILNOISE_DATA"):
        sweep.run("iterations", "laptop")
    assert not list(results_in.rglob("*"))
    kept = store.path_of("iterations", "laptop")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"results")
    with pytest.raises(data.DataNotFound):
        sweep.run("iterations", "laptop", fresh=True)
    assert kept.read_bytes() == b"results"


def test_unknown_law_lists_the_valid_ones():
    with pytest.raises(ValueError, match="unknown law 'levy'; choose one of sas, student"):
        synthetic.law("levy")


@pytest.mark.skipif("TAILNOISE_DATA" not in os.environ, reason="needs MNIST in TAILNOISE_DATA, as .ci/run has it")
def test_the_committed_mnist_results_can_be_had_again():
    """The first snapshot of a committed run, measured again from the data to rounding."""
    spec = experiments.grid("iterations", "laptop")[1]
    stored = sweep.load("iterations", "laptop")
    run = stored.runs.set_index("seed").loc[spec.seed]
    assert run["data_sha256"] == spec.data_sha256()
    rows = stored.rows[(stored.rows["run"] == run["run"]) & (stored.rows["iteration"] == 0)]
    again = replace(spec, iterations=0, snapshots=(0,)).rows(lambda share: None)
    assert len(again) == len(rows)
    for row in again:
        [before] = rows.loc[(rows["quantity"] == row["quantity"]) & (rows["split"] == row["split"]), "value"]
        assert row["value"] == pytest.approx(before, rel=1e-5), row["quantity"]
