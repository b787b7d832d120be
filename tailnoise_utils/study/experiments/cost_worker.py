"""What one way of doing something costs: a program of its own, so that its memory is its own.

``python -m tailnoise_utils.study.experiments.cost_worker`` reads what to measure as a line of JSON, says that it is ready, and then measures
once for every further line, printing the rows as JSON.
"""

import ctypes
import json
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailnoise_utils.tail_index import mohammadi

from ..networks import snapshots
from ..networks.snapshots import TrainSpec
from .cost_ways import IMPORTS, SAMPLERS, WAYS, Problem, Work

_SIDE = 1024  # of the square matrices whose product gives the rate


def _rate() -> float:
    """Operations a second of a float32 matrix product."""
    square, found = torch.randn(_SIDE, _SIDE), []
    for _ in range(6):
        start = time.perf_counter()
        square @ square
        found.append(time.perf_counter() - start)
    return 2 * _SIDE**3 / median(found[1:])


def _status(key: str) -> int:
    """Bytes that Linux says of this process: ``VmRSS``, in use, or ``VmHWM``, the most since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {key} in /proc/self/status")


def _in_use() -> int | None:
    """Bytes in use once what is free was given back and the peak is counted anew; None where there is no telling."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    return None


def _measured(work: Work, k: int) -> list[dict[str, Any]]:
    """Time it for the k-th time; of the first time, take the memory and the number too."""
    rates = [_rate()]
    before = _in_use() if k == 0 else None
    start = time.perf_counter()
    result = work()
    rows = [{"quantity": "seconds", "x": float(k), "value": time.perf_counter() - start}]
    if before is not None:
        rows.append({"quantity": "bytes", "value": float(_status("VmHWM") - before)})
    rates.append(_rate())
    rows.append({"quantity": "flop/s", "x": float(k), "value": float(np.mean(rates))})
    if isinstance(result, Tensor):
        result = mohammadi(result, convention="published").inverse
    if k == 0 and isinstance(result, float):
        rows.append({"quantity": "1/alpha (published)", "value": result})
    return rows


def _work(asked: dict[str, Any]) -> Work:
    """What is asked for, after it was done once on something small: libraries are loaded, code is read, pools are there."""
    way = asked["way"]
    if way in IMPORTS:
        IMPORTS[way]()
        return IMPORTS[way]
    if way in SAMPLERS:
        sampler, size = SAMPLERS[way], asked["size"]
        sampler(100, np.random.default_rng(0))
        return partial(sampler, size, np.random.default_rng(asked["seed"]))
    spec = TrainSpec(**asked["train"])
    problem = Problem(spec, snapshots.images(spec.dataset, spec.n_train, spec.n_test))
    WAYS[way](_small(problem))()
    x, y = problem.cut[0]
    weights = list(problem.model.parameters())  # of the network itself, which is built here
    torch.autograd.grad(problem.loss(problem.model(x), y), weights)
    return WAYS[way](problem)


def _small(problem: Problem) -> Problem:
    """A narrow network of the same kind, on 20 minibatches of 2 of the images."""
    spec, images = problem.spec, problem.data
    small = replace(spec, width=16, depth=min(spec.depth, 3), batch_size=2, iterations=20)
    return Problem(small, replace(images, x_train=images.x_train[:40], y_train=images.y_train[:40]))


def main(lines: Iterable[str] = sys.stdin) -> None:
    """Measure what the first line asks for, once for every further line."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lines = iter(lines)
    work = _work(json.loads(next(lines)))
    print("ready", flush=True)
    for k, _ in enumerate(lines):
        print(json.dumps(_measured(work, k)), flush=True)


if __name__ == "__main__":
    main()
