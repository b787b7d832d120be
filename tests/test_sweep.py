"""Sweeps on workers give the rows of one process, whatever fails or is stopped on the way."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import dask
import pandas as pd
import psutil
import pytest
import torch
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context
from filelock import Timeout
from made_up import tiny

from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.iterations import NoiseSpec
from tailnoise_utils.study.experiments.spec import finish, forget_rows
from tailnoise_utils.study.networks.snapshots import Snapshots, TrainSpec
from tailnoise_utils.study.results import files, store

pytestmark = [pytest.mark.xdist_group("sweep"), pytest.mark.slow]  # one cluster for all

FCN = tiny(width=16, schedule="halved", iterations=1000, snapshots=(0, 250, 1000))
CNN = replace(FCN, dataset="digits32", model="cnn", width=4, depth=0, iterations=60, snapshots=(0, 20, 60))


def spec_of(train: TrainSpec, **changes: object) -> NoiseSpec:
    return replace(NoiseSpec(train, 20, ("random", "data"), "train"), **changes)


# The first takes longest, so that what is finished first does not come first.
GRID = tuple(map(spec_of, (FCN, replace(FCN, iterations=10, snapshots=(0, 10)), CNN, replace(FCN, seed=2))))
KEYS = [*store.COLUMNS][:6]
LIMIT = 600  # seconds after which a test gives up; none waits that long where the code is right

# A process that sweeps a grid: all that is particular to it lies in the environment and the arguments.
CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored where the tests run in the background
sys.path.insert(0, "tests")
import torch
torch.set_num_threads(1)
from test_sweep import GRID
from tailnoise_utils import __main__
from tailnoise_utils.study import experiments
experiments.EXPERIMENTS["iterations"] = lambda profile: GRID
sys.argv[1:] = ["run", "iterations", "--profile", "smoke", *sys.argv[1:]]
if __name__ == "__main__":
    __main__.main()
"""


@contextmanager
def started(folder: Path, *words: str):
    """Such a process; nothing of it survives a test that fails."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *words],
        env=os.environ | environment(folder),
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def environment(folder: Path) -> dict[str, str]:
    return {"TAILNOISE_RESULTS": str(folder / "results"), "TAILNOISE_CACHE": str(folder / "cache")}


def until(condition, what: str):
    """Wait for something that must come."""
    deadline = time.monotonic() + LIMIT
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {LIMIT} s for {what}"
        time.sleep(0.02)
    return value


def check(results: store.Results, wanted: store.Results) -> None:
    """The same rows bit for bit, none lost, none twice, in the order of the grid; made with one thread."""
    pd.testing.assert_frame_equal(results.rows, wanted.rows, check_exact=True)
    assert not results.rows.duplicated(KEYS).any()
    assert list(results.runs["spec_digest"]) == [store.digest(spec) for spec in GRID]
    assert set(results.runs["threads"]) == {1}
    same = [name for name in wanted.runs if name not in ("seconds", "finished", "commit")]
    pd.testing.assert_frame_equal(results.runs[same], wanted.runs[same])
    stored = store.read(store.path_of("iterations", "smoke"))
    assert len(stored.runs) == len(GRID)
    assert len(stored.rows) == len(wanted.rows)


def nothing_is_left(cache: Path) -> None:
    """Of what is only there until a run is stored."""
    left = [
        p for p in cache.rglob("*") if p.suffix == ".part" or p.name == "checkpoint.npz" or "rows" in p.parts[-3:-1]
    ]
    assert not [p for p in left if p.suffix != ".lock"], left


@pytest.fixture
def unbroken():
    return in_one_process()


@cache
def in_one_process() -> store.Results:
    """What one process makes of the grid, unbroken."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(Path(folder)).items():
            patch.setenv(name, value)
        patch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: GRID)
        return runner.run("iterations", "smoke")


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A cluster of two processes, forked where all is imported, with a cache that is not that of the process that asks."""
    folder = tmp_path_factory.mktemp("workers")
    with (
        pytest.MonkeyPatch.context() as patch,
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
    ):
        get_mp_context().set_forkserver_preload(["distributed", "tailnoise_utils.study.experiments.runner"])
        patch.setenv("TAILNOISE_CACHE", str(folder / "cache"))
        local = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0")
    with local:
        yield local, folder / "cache"


@pytest.fixture
def client(workers):
    local, _ = workers
    with Client(local, set_as_default=False) as client:
        runner._each("forget", GRID, client)
        yield client


@pytest.fixture
def tiny_grid(monkeypatch, tmp_path):
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: GRID)


def test_workers_make_the_rows_of_one_process(unbroken, client, workers, tiny_grid, tmp_path):
    for address in client.scheduler_info()["workers"]:  # more threads than one would change the last digits
        client.submit(torch.set_num_threads, 2, workers=[address], pure=False).result()
    shares = []
    check(runner.run("iterations", "smoke", client=client, progress=shares.append), unbroken)
    assert sum(shares) == pytest.approx(len(GRID))
    assert min(shares) >= 0
    assert len(shares) > 1 + len(GRID)  # some are of runs in the middle
    assert not (tmp_path / "cache").exists()  # nothing was computed or looked for here
    nothing_is_left(workers[1])
    with pytest.MonkeyPatch.context() as nothing:
        nothing.setattr(Client, "submit", lambda *words, **options: pytest.fail("a stored run is made again"))
        shares.clear()
        check(runner.run("iterations", "smoke", client=client, progress=shares.append), unbroken)
    assert sum(shares) == len(GRID)
    assert runner.verify("iterations", "smoke")["difference"].max() == 0  # the sample came along


def test_what_is_forgotten_is_forgotten_by_the_workers(client, workers, tiny_grid):
    runner.run("iterations", "smoke", client=client)
    assert list(workers[1].glob("snapshots/*/end.json"))
    runner.forget(["iterations"], "smoke", client=client)
    assert not list(workers[1].glob("snapshots/*/*"))
    assert not list(store.path_of("iterations", "smoke").parent.glob("[!.]*"))


def test_the_other_runs_are_stored_when_one_fails(client, tiny_grid, monkeypatch):
    bad, good = spec_of(GRID[1].train, noise_batch_size=7), GRID[1]
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: (bad, good))
    for by in (client, None):
        with pytest.raises(runner.FailedRuns, match=r"1 of the 2 runs failed, the others are stored\n") as failed:
            runner.run("iterations", "smoke", client=by)
        assert str(failed.value).endswith("\n  noise_batch_size 7")
        assert "\nValueError: " in str(failed.value)
        assert isinstance(failed.value.__cause__, ValueError)
        path = store.path_of("iterations", "smoke")
        assert list(store.read(path).runs["spec_digest"]) == [store.digest(good)]
        path.unlink()


def test_runs_on_other_data_are_not_stored_beside_the_first(client, tiny_grid, monkeypatch):
    runner.run("iterations", "smoke", client=client)
    path = store.path_of("iterations", "smoke")
    results = store.read(path)
    records = [record | {"data_sha256": "f" * 64} for record in results.records()]
    kept = records[1:]
    store.write(path, results.rows[results.rows["run"].isin({record["run"] for record in kept})], kept)
    before = path.read_bytes()
    with pytest.raises(store.OtherData, match=r"used data with SHA-256 ffff.* --fresh"):
        runner.run("iterations", "smoke", client=client)
    assert path.read_bytes() == before


def test_workers_stop_when_the_sweep_is_stopped(client, workers, tiny_grid, monkeypatch):
    long = spec_of(replace(FCN, iterations=10**7, snapshots=(0, 10**7)))
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: (long,))

    def stop(share):
        if share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run("iterations", "smoke", client=client, progress=stop)
    until(lambda: not sum(client.run(lambda dask_worker: dask_worker.state.executing_count).values()), "idle workers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILNOISE_CACHE", str(workers[1]))
        assert not (Snapshots(long.train, long.data_sha256()).folder / "end.json").exists()


@pytest.mark.parametrize("where", ["one cluster", "two processes"])
def test_two_sweeps_of_one_grid_lose_nothing(where, unbroken, request, tiny_grid, tmp_path):
    words = []
    if where == "one cluster":
        client = request.getfixturevalue("client")
        words = ["--dask", client.scheduler.addr]
    with started(tmp_path, *words) as one, started(tmp_path, *words) as other:
        for process in (one, other):
            _, errors = process.communicate()
            assert process.returncode == 0, errors
            assert "4.0/4 runs" in errors
    check(runner.stored("iterations", "smoke"), unbroken)
    nothing_is_left(tmp_path / "cache")


def test_nobody_else_measures_a_run_meanwhile(tiny_grid, monkeypatch):
    held = []
    original = NoiseSpec.measure

    def measure(self, model, progress):
        with pytest.raises(Timeout):
            files.lock(self._rows_folder(), timeout=0.0)
        held.append(self)
        return original(self, model, progress)

    monkeypatch.setattr(NoiseSpec, "measure", measure)
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: GRID[1:2])
    runner.run("iterations", "smoke")
    assert len(held) == 2


def test_rows_go_where_another_process_stores_the_run_while_this_one_holds_it(tiny_grid, monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: GRID[1:2])
    spec, path = GRID[1], store.path_of("iterations", "smoke")
    outcome = finish(spec, lambda share: None)
    original = NoiseSpec.alone

    @contextmanager
    def alone(self):
        with original(self):
            store.append(path, outcome.rows, outcome.record)
            forget_rows([outcome.record["run"]])  # the other one tries, in vain
            assert self._rows_folder().exists()
            yield

    monkeypatch.setattr(NoiseSpec, "alone", alone)
    done = []
    runner.run("iterations", "smoke", progress=done.append)
    assert sum(done) == 1
    nothing_is_left(tmp_path / "cache")


def test_ctrl_c_keeps_what_is_finished_and_stops_the_workers(unbroken, tiny_grid, tmp_path):
    path = store.path_of("iterations", "smoke")
    with started(tmp_path, "--workers", "2") as process:
        until(lambda: path.exists() or process.poll() is not None, "a stored run")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, errors = process.communicate(timeout=LIMIT)
        assert process.returncode == 130, errors
        assert errors.endswith("the same command (without --fresh) goes on.\n")
        assert "Traceback" not in errors
        until(lambda: not alive(process.pid), "the end of all processes")
    assert 1 <= len(store.read(path).runs) < len(GRID)
    check(runner.run("iterations", "smoke"), unbroken)
    nothing_is_left(tmp_path / "cache")


def alive(group: int) -> bool:
    """Whether a group has a process; one that is dead already, and waits to be noticed, is none."""
    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False
