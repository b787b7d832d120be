"""Seconds and memory of one measurement. Run by hand; no test: `TAILNOISE_DATA=... python tests/benchmark.py`.

Each line comes from a process of its own with one thread: the operations of all gradients as torch counts them (products
and convolutions, forwards and backwards; no gradient for the images), the rate of a float32 matrix product of 1024 x 1024
in the same process, and medians of three. Memory is the highest resident size beyond that before the measurement, when
data and model are there already.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from tailnoise_utils import controls, data, models, tail_index
from tailnoise_utils.gradient import gradient, gradients
from tailnoise_utils.measure import measure
from tailnoise_utils.minibatches import Minibatches
from tailnoise_utils.noise import noise_matrix, stack
from tailnoise_utils.parameters import slices, units

SETTINGS = {
    "FCN 256 x 4, MNIST": lambda: (models.fcn(784, 256, 4, 10, seed=0), data.load("mnist")),
    "CNN 64, CIFAR-10": lambda: (models.cnn(64, 10, seed=0), data.load("cifar10", n_test=9500)),
}


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Median of the wall time."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return median(found)


def resident() -> int:
    """Bytes of memory in use by this process."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def one(setting: str, part: str) -> None:
    """Measure and print one line."""
    torch.set_num_threads(1)
    model, pictures = SETTINGS[setting]()
    batches = Minibatches(pictures.x_train, pictures.y_train, 500, seed=1)
    P, p = len(batches), sum(w.numel() for w in model.parameters())
    first = next(iter(batches))
    gradient(model, cross_entropy, first)  # libraries are loaded
    if part == "speed":
        with FlopCounterMode(display=False) as counted:
            gradient(model, cross_entropy, first)
        square = torch.randn(1024, 1024)
        rate = 2 * 1024**3 / seconds(lambda: square @ square, 20)
        limit = P * counted.get_total_flops() / rate
        parameters = list(model.parameters())

        def bare() -> None:
            for x, y in batches:
                torch.autograd.grad(cross_entropy(model(x), y), parameters)

        loop = seconds(bare, 1 if "CNN" in setting else 3)
        matrix = seconds(lambda: noise_matrix(model, cross_entropy, batches), 1 if "CNN" in setting else 3)
        noise = noise_matrix(model, cross_entropy, batches)
        raw = stack(gradients(model, cross_entropy, batches), P)  # the anatomy is of gradients before they are centred
        clean = seconds(lambda: tail_index.mohammadi(noise))
        published = seconds(lambda: tail_index.mohammadi(noise, convention="published"))
        print(
            f"{setting}: P = {P}, p = {p:,}; {P * counted.get_total_flops() / 1e9:.0f} Gflop at {rate / 1e9:.0f} Gflop/s"
        )
        print(
            f"  operations {limit:.2f} s; bare loop {loop:.2f} s; matrix {matrix:.2f} s = {matrix / limit:.2f} x operations"
        )
        print(
            f"  = {matrix / loop:.2f} x bare loop; alpha^ clean {clean:.2f} s, published {published:.2f} s", flush=True
        )
        whole = seconds(lambda: controls.anatomy(raw, centred=False))
        layers = {"groups": slices(model), "units": units(model)}
        by_layer = seconds(lambda: controls.anatomy(raw, centred=False, **layers))
        print(
            f"  anatomy (2^23 entries) {whole:.2f} s = {whole / matrix:.2f} x matrix; "
            f"with layers and units {by_layer:.2f} s = {by_layer / matrix:.2f} x matrix",
            flush=True,
        )
        return
    before = resident()
    start = time.perf_counter()
    report = measure(model, cross_entropy, batches, method=part)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(
        f"  measure, {part}: {took:.1f} s, {peak / 1e6:.0f} MB = {peak / (4 * p):.1f} x 4p bytes; {report.clean}",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(*sys.argv[1:])
    else:
        for name in SETTINGS:
            for what in ("speed", "matrix", "streaming"):
                subprocess.run([sys.executable, __file__, name, what], check=True)
