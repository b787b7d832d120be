"""Workers that are killed cost no row.

`python tests/test_killed_workers.py 20` counts kills survived.
"""

import logging
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from distributed import Client, LocalCluster
from test_sweep import GRID, check, environment, in_one_process, nothing_is_left

from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.iterations import NoiseSpec
from tailnoise_utils.study.networks.snapshots import Snapshots
from tailnoise_utils.study.results import store

pytestmark = [pytest.mark.xdist_group("sweep"), pytest.mark.slow]  # the unbroken run is that of its tests


class Killer:
    """Kills workers with SIGKILL while they train; told the progress, it chooses the moments by its generator."""

    def __init__(self, local: LocalCluster, kills: int, generator: random.Random) -> None:
        self.local, self.left, self.generator = local, kills, generator

    def __call__(self, share: float) -> None:
        if not share or not self.left or self.generator.random() < 0.3:
            return
        time.sleep(self.generator.uniform(0, 0.3))
        nannies = list(self.local.workers.values())
        self.generator.shuffle(nannies)
        for nanny in nannies:
            state = self.local.scheduler.workers.get(nanny.worker_address)
            busy = [task.key for task in state.processing] if state else []
            training = [spec for spec in GRID if f"tailnoise-{store.digest(spec)}" in busy and in_the_middle(spec)]
            if training:
                os.kill(nanny.pid, signal.SIGKILL)
                self.left -= 1
                return


def in_the_middle(spec: NoiseSpec) -> bool:
    folder = Snapshots(spec.train, spec.data_sha256()).folder
    return (folder / "0.npz").exists() and not (folder / "end.json").exists()


def survive(folder: Path, kills: int, seed: int) -> None:
    """Sweeps on two workers, up to three of which are killed on the way, until `kills` have met one that trained."""
    wanted = in_one_process()
    generator, done, attempt = random.Random(seed), 0, 0
    while done < kills:
        attempt += 1
        broken = folder / f"broken{attempt}"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(broken).items():
                patch.setenv(name, value)
            patch.setitem(experiments.EXPERIMENTS, "iterations", lambda profile: GRID)
            options = {
                "threads_per_worker": 1,
                "memory_limit": 0,
                "dashboard_address": "127.0.0.1:0",
                "silence_logs": logging.CRITICAL,
            }
            with LocalCluster(n_workers=2, **options) as local, Client(local, set_as_default=False) as client:
                killer = Killer(local, min(3, kills - done), generator)
                before = killer.left
                check(runner.run("iterations", "smoke", client=client, progress=killer), wanted)
                done += before - killer.left
            nothing_is_left(broken / "cache")
        print(f"{done} kills survived", flush=True)


def test_killed_workers_cost_no_row(tmp_path):
    survive(tmp_path, kills=2, seed=1901)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as here:
        survive(Path(here), int(sys.argv[1]), seed=0)
