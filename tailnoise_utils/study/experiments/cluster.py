"""Runs on other processes through Dask, needed for nothing else; each has its cache and sends the finished run."""

import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import torch

from ..results import store
from .spec import Finished, Spec, finish

_TOPIC = "tailnoise-progress"
_SECONDS = 0.5  # between two reports of a worker


@contextmanager
def connect(*, workers: int | None = None, address: str | None = None) -> Iterator[Any]:
    """Give workers: processes started here, or those of the Dask scheduler at `address`; None if neither is asked for."""
    if workers is None and address is None:
        yield None
        return
    if workers is not None and (address is not None or workers < 1):
        raise ValueError(f"workers = {workers}, address = {address!r}: give one of them, workers from 1 up")
    if address is not None and not address.rpartition(":")[2].isdigit():
        raise ValueError(f"address = {address!r}: give it with its port, such as tcp://node1:8786")
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError("several processes need Dask: pip install 'dask[distributed]'") from error
    if address is not None:
        try:
            client = Client(address, set_as_default=False)
        except OSError as error:
            raise ConnectionError(
                f"no Dask scheduler at {address} ({error}): start one with `dask scheduler`, which says its address"
            ) from error
        with client:
            yield client
        return
    # Dask's memory limit would kill workers for matrices that fit; any free port, for there may be another cluster.
    options = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    options["silence_logs"] = logging.CRITICAL
    with LocalCluster(n_workers=workers, **options) as cluster, Client(cluster, set_as_default=False) as client:
        client.register_plugin(_leave_interrupts_to_the_parent())
        yield client


def _leave_interrupts_to_the_parent() -> Any:
    """Make a plugin for workers in the same terminal: Ctrl-C reaches them too, but it is the parent that stops them."""
    from distributed import WorkerPlugin

    class LeaveInterrupts(WorkerPlugin):
        """Ignore Ctrl-C. The class is pickled with its code: its module has to be imported without Dask."""

        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return LeaveInterrupts()


def outcomes(
    client: Any, specs: Iterable[Spec], progress: Callable[[float], object]
) -> Iterator[tuple[Spec, Finished | Exception]]:
    """Make runs on the workers of a Dask client, who stop when the caller does; `progress` is told how much is done."""
    runs = {f"tailnoise-{store.digest(spec)}": spec for spec in specs}
    done = dict.fromkeys(runs, 0.0)
    news: SimpleQueue[tuple[str, Any]] = SimpleQueue()  # a key with a share, or with a future that is done
    client.subscribe_topic(_TOPIC, lambda event: news.put(event[1]))
    futures = {key: client.submit(_on_worker, spec, key=key) for key, spec in runs.items()}
    try:
        for future in futures.values():
            future.add_done_callback(lambda future: news.put((future.key, future)))
        while futures:
            key, what = news.get()
            if key not in futures:
                continue  # the run is finished, or only another process asked for it
            if not isinstance(what, float):
                outcome: Finished | Exception
                try:
                    outcome = futures.pop(key).result()
                except CancelledError as error:
                    raise ConnectionError(
                        "the Dask scheduler is gone; with a new one and its workers, the same command goes on"
                    ) from error
                except Exception as error:
                    outcome = error
                what.release()  # else Dask would make the run again when its worker dies
                yield runs[key], outcome
                what = 1.0 if isinstance(outcome, Finished) else done[key]
            progress(max(what - done[key], 0.0))  # a run that begins anew reports less than it did
            done[key] = max(what, done[key])
    finally:
        if client.status == "running":
            client.unsubscribe_topic(_TOPIC)
            client.cancel(list(futures.values()))


def _on_worker(spec: Spec) -> Finished:
    """Make a run in a thread of a worker, with one thread of torch, reporting how much is done."""
    from distributed import Reschedule, get_worker

    torch.set_num_threads(1)
    worker = get_worker()
    key, done, last = worker.get_current_task(), 0.0, 0.0

    def progress(share: float) -> None:
        nonlocal done, last
        done += share
        if time.monotonic() - last < _SECONDS:
            return
        last = time.monotonic()
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise Reschedule  # nobody waits for the run any more; whoever asks again starts a new task
        worker.log_event(_TOPIC, (key, min(float(done), 1.0)))

    with spec.alone():
        return finish(spec, progress)
