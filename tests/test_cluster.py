"""How workers are got, and what is said where there are none."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster
from test_sweep import GRID, until

from tailnoise_utils.study.experiments import cluster

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers from 1 up"),
        ({"workers": 2, "address": "tcp://127.0.0.1:1"}, "give one of them"),
        ({"address": "tcp://node1"}, "'tcp://node1': give it with its port"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message), cluster.connect(**options):
        pass


def test_a_scheduler_that_goes_or_is_absent_is_said():
    soon = dask.config.set({"distributed.comm.timeouts.connect": 0.5})
    with soon, LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL) as local:
        address = local.scheduler_address

        def close():
            until(lambda: local.scheduler.tasks, "a run")
            local.close()

        with ThreadPoolExecutor() as other, cluster.connect(address=address) as client:
            other.submit(close)
            with pytest.raises(ConnectionError, match="the Dask scheduler is gone; with a new one"):
                list(cluster.outcomes(client, GRID, lambda share: None))
        with (
            pytest.raises(ConnectionError, match=f"no Dask scheduler at {address} .*: start one with"),
            cluster.connect(address=address),
        ):
            pass


def test_what_runs_experiments_needs_no_dask():
    code = (
        "import sys; sys.modules['dask'] = sys.modules['distributed'] = None\n"
        "from tailnoise_utils import __main__\n"
        "from tailnoise_utils.study.experiments import cluster, runner\n"
        "with cluster.connect() as client: assert client is None\n"
        "with cluster.connect(workers=2): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.stderr.endswith("ImportError: several processes need Dask: pip install 'dask[distributed]'\n")
