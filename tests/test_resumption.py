"""Runs that are killed go on and end as unbroken ones do; a full disk or a read-only folder costs nothing that was done.

`python tests/test_resumption.py 50` counts kills survived.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tailnoise_utils.study.results import store

pytestmark = [pytest.mark.xdist_group("resumption"), pytest.mark.slow]  # one unbroken run for all

CHILD = """
import sys, torch
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.iterations import NoiseSpec
from tailnoise_utils.study.networks import snapshots
torch.set_num_threads(1)
snapshots.CHECKPOINT_SECONDS = 0.01
fcn = dict(dataset="digits", model="fcn", width=16, depth=3, loss="nll", batch_size=20, iterations=900)
cnn = dict(dataset="digits32", model="cnn", width=4, depth=0, loss="hinge", batch_size=20, iterations=60)
trainings = [
    snapshots.TrainSpec(n_train=200, n_test=50, lr=0.1, schedule="halved", order="random", seed=1,
                        snapshots=(0, s["iterations"] // 3, s["iterations"]), **s)
    for s in (fcn, cnn)
]
specs = tuple(NoiseSpec(t, 20, ("random", "data"), "train") for t in trainings)
experiments.EXPERIMENTS["iterations"] = lambda profile: specs
steps, sgd = [], snapshots.sgd
def counted(*words, each, **options):
    return sgd(*words, each=lambda step: (steps.append(step), each(step)), **options)
snapshots.sgd = counted
print("started", flush=True)
runner.run("iterations", "smoke")
print(len(steps), flush=True)
"""
STEPS = {"fcn": 900, "cnn": 60}
SNAPSHOTS = {0, 300, 900, 920, 960}  # steps on disk if there were no checkpoints between the snapshots


def start(folder: Path) -> subprocess.Popen[str]:
    """A process that makes the results; it has begun when this returns."""
    environment = os.environ | {"TAILNOISE_RESULTS": str(folder / "results"), "TAILNOISE_CACHE": str(folder / "cache")}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env=environment,
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "started\n", process.stderr.read()
    return process


def finish(folder: Path) -> int:
    """Let it run to its end; how many training steps that took."""
    process = start(folder)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return int(output)


def on_disk(folder: Path) -> int:
    """Training steps that need not be taken again: those behind the newest weights of each run."""
    steps = 0
    for run in (folder / "cache" / "snapshots").glob("*"):
        weights = [np.load(path) for path in run.glob("[!.]*.npz")]
        steps += max((int(file["iteration"]) for file in weights), default=0)
    return steps


def kill_after(folder: Path, seconds: float) -> bool:
    """SIGKILL it some time after it has got further than it was; whether that met it alive."""
    before = on_disk(folder)
    process = start(folder)
    while process.poll() is None and on_disk(folder) == before < sum(STEPS.values()):
        time.sleep(0.005)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def result(folder: Path) -> pd.DataFrame:
    """All rows, in a fixed order."""
    rows = store.read(folder / "results" / "smoke" / "iterations.parquet").rows
    return rows.sort_values([*store.COLUMNS][:6]).reset_index(drop=True)


def survive(folder: Path, kills: int, seed: int, wanted: pd.DataFrame) -> None:
    """Kill runs at random moments until `kills` have met one alive; each time it has to end as the unbroken one."""
    generator, done, attempt, between = random.Random(seed), 0, 0, 0
    while done < kills:
        attempt += 1
        broken = folder / f"broken{attempt}"
        for _ in range(min(3, kills - done)):  # several kills on the way of one run
            done += kill_after(broken, generator.uniform(0.0, 0.5))
            between += on_disk(broken) not in SNAPSHOTS
        kept = on_disk(broken)
        assert finish(broken) == sum(STEPS.values()) - kept  # no step that is on disk is taken again
        pd.testing.assert_frame_equal(result(broken), wanted, check_exact=True)
        assert not result(broken).duplicated([*store.COLUMNS][:6]).any()
        left = [p.name for p in broken.rglob("*") if p.suffix == ".part" or p.name == "checkpoint.npz"]
        assert not left, left
        print(f"{done} kills survived", flush=True)
    assert between  # some went on from a checkpoint


def unbroken(folder: Path) -> pd.DataFrame:
    """The rows of runs that nobody kills."""
    assert finish(folder) == sum(STEPS.values())
    return result(folder)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return unbroken(tmp_path_factory.mktemp("whole"))


def test_killed_runs_end_bit_for_bit_as_unbroken_ones(expected: pd.DataFrame, tmp_path: Path) -> None:
    survive(tmp_path, kills=2, seed=1901, wanted=expected)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 300 kB."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", mounted], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small file system needs root: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", "--lazy", mounted], check=True)


def test_a_full_disk_is_survived_with_a_clear_error(small_disk: Path, expected: pd.DataFrame) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(240_000))
    process = start(small_disk)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "OSError: [Errno 28] cannot write" in errors
    assert "No space left on device" in errors
    assert (
        "make room or name another folder (TAILNOISE_RESULTS, TAILNOISE_CACHE); then the same command goes on" in errors
    )
    assert not list(small_disk.rglob(".*.part"))
    kept = list(small_disk.rglob("*.npz"))
    assert kept  # what was done before is still there
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    finish(small_disk)
    pd.testing.assert_frame_equal(result(small_disk), expected, check_exact=True)


def test_a_read_only_file_system_gives_a_clear_error(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    process = start(small_disk)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "OSError: [Errno 30] cannot write" in errors
    assert "name another folder (TAILNOISE_RESULTS, TAILNOISE_CACHE)" in errors


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as here:
        survive(Path(here), kills=int(sys.argv[1]), seed=0, wanted=unbroken(Path(here) / "whole"))
