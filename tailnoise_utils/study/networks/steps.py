"""What the steps of SGD have in common, of one network or of several: settings, step sizes, minibatches."""

import math
from collections.abc import Collection, Iterator

import torch
from jaxtyping import Int64
from torch import Tensor

from tailnoise_utils.noise.minibatches import check_batch_size

SCHEDULES = ("constant", "halved")
ORDERS = ("random", "data")
ADVICE = "at lr = {:g}: try {:g} or less"  # the step size, and a tenth of it


def check(
    n: int,
    batch_size: int,
    lr: float | int,
    iterations: int,
    snapshots: Collection[int],
    schedule: str,
    order: str,
    start: int,
) -> None:
    """Refuse settings that do not fit, n being the number of training images."""
    check_batch_size(n, batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr = {lr}: the step size must be positive and finite, such as 0.1")
    if iterations < 0:
        raise ValueError(f"iterations = {iterations}: take 0 or more")
    outside = sorted(point for point in snapshots if not 0 <= point <= iterations)
    if fractions := [point for point in snapshots if point != int(point)]:
        raise ValueError(f"snapshots {fractions} are no whole numbers of iterations: give integers")
    if outside:
        raise ValueError(f"snapshots {outside} lie outside the run: take points from 0 to iterations = {iterations}")
    if not 0 <= start <= iterations:
        raise ValueError(f"start = {start} lies outside the run: take 0 to iterations = {iterations}")
    for name, value, known in (("schedule", schedule, SCHEDULES), ("order", order, ORDERS)):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}: take one of {', '.join(known)}")


def step_size(lr: float | int, schedule: str, iteration: int, iterations: int) -> float | int:
    """The step size of a step, after its halvings."""
    return lr if schedule == "constant" else lr / 2 ** (3 * iteration // iterations)


def drawn(n: int, batch_size: int, seed: int | None, start: int, device: torch.device) -> Iterator[Int64[Tensor, " b"]]:
    """Give minibatches without end from step `start` on, each epoch a new permutation of the samples (None: data order).

    Permutations are drawn on the CPU: the same everywhere.

    Yields:
        Indices of the samples of one minibatch.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    epoch, first = divmod(start, n // batch_size)
    for _ in range(epoch if generator else 0):
        torch.randperm(n, generator=generator)
    while True:
        samples = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        yield from samples.view(-1, batch_size)[first:].to(device)
        first = 0
