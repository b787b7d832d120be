"""Measure the gradient noise of any network: its tail index in both conventions, with what is needed to read it."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from tailnoise_utils import diagnosis, tail_index
from tailnoise_utils.noise.gradient import Gradient, Loss
from tailnoise_utils.noise.matrix import centre, check_count, count, stack
from tailnoise_utils.noise.parameters import slices, trainable, units
from tailnoise_utils.noise.torch_state import private_randomness
from tailnoise_utils.tail_index.logs import CHUNK, alive

from .estimates import Statistics
from .passes import Bar, Progress, Work
from .report import Report

__all__ = ["NothingAlive", "measure"]

_METHODS = ("auto", "matrix", "streaming")
_STREAMED = "the noise is streamed, and they need its matrix (method='matrix', or raise `memory`)"
_REPEATED = 0.01  # share of the samples that may be in more than one minibatch


class NothingAlive(ValueError):
    """The gradient is the same in all minibatches: there is no noise to measure."""


def measure(
    model: nn.Module,
    loss_fn: Loss,
    batches: Iterable[Any],
    *,
    mode: str = "eval",
    seed: int = 0,
    groups: Mapping[str, Sequence[str]] | None = None,
    memory: float | int | None = None,
    method: str = "auto",
    diagnosis: bool = True,
    draws: int = 99,
    entries: int = 2**23,
    progress: bool | Progress = False,
) -> Report:
    r"""Tail index of the gradient noise of a model at its present weights.

    Of the noise matrix U (P minibatches x p trainable parameters, :func:`tailnoise_utils.noise.matrix.noise_matrix`) it gives
    :math:`\hat\alpha` by :func:`tailnoise_utils.tail_index.mohammadi` in both conventions and, corrected, under one common
    random permutation of the columns; the same for every group of parameters; the share of dead coordinates, the norms
    :math:`\lVert U_i \rVert`, loss and accuracy. And, because :math:`\hat\alpha` alone says little, its diagnosis
    (:func:`tailnoise_utils.diagnosis.assembly`): how much of its distance to 2 is dependence, layout, unequal scales and
    tails, and what tests across the minibatches find.

    Measure in float32. Weights in half precision get no conclusion; half precision within the model (``torch.autocast``,
    TF32) is not seen.

    A bias that batch normalisation takes away again has, in ``"train"`` mode, a gradient of rounding errors only, which
    counts as alive: build such layers without it.

    What :math:`\hat\alpha` cannot tell: dependence between coordinates, unequal scales, the order in which parameters are
    listed and dead units lower it without any heavy tail, and heavy tails that a whole minibatch shares leave it at 2. Do
    not read a value below 2 as evidence of heavy tails by itself.

    The model is left as it was found. Memory: the matrix (4 P p bytes in float32) if it fits the budget, and a copy of it
    while the published estimate is taken; else two passes over the minibatches in O(p), which give the same numbers
    (published: to rounding of float32).

    Args:
        model: the network, on any device; frozen parameters are left out.
        loss_fn: mean loss of a minibatch. For batches that are pairs it is called as ``loss_fn(model(x), y)``, for all
            others, such as dictionaries, as ``loss_fn(model, batch)``.
        batches: minibatches of one size that can be gone through again: a list, a ``DataLoader``,
            :class:`tailnoise_utils.noise.minibatches.Minibatches`. They should be a random partition of the data: disjoint, of
            samples that were shuffled first; otherwise tests can take their order for tails. Where more than a hundredth of
            the samples are in several minibatches, or neighbours are more alike than chance has it, nothing is concluded;
            minibatches that are each of one class or length, in whatever order, are not seen. Such a partition is
            ``list(DataLoader(data, b, shuffle=True, drop_last=True))``, or ``Minibatches(x, y, b, seed=1)``. A
            ``DataLoader`` that shuffles does so anew at every pass: it will do where one pass is made (the matrix), and is
            refused where two are (streaming).
        mode: ``"eval"`` (dropout off, batch normalisation by its running statistics) or ``"train"``.
        seed: of dropout masks and of the permutation of the columns.
        groups: name to names of parameters, which are read in the model's order; by default one group for every module
            that owns trainable parameters. An empty mapping for none.
        memory: budget for the matrix in bytes; by default a quarter of what is free on the device of the model, so that
            the matrix and its copy take half.
        method: ``"auto"`` (the matrix if it fits the budget), ``"matrix"`` or ``"streaming"``.
        diagnosis: whether to make it. It permutes rows within columns and needs 16 minibatches or more, so that there is none
            where the noise is streamed; the report says so.
        draws: Gaussian twins of its tests, 19 or more; 99 or more for a conclusion
            (:func:`tailnoise_utils.diagnosis.conclusion.conclude`), the last sentence of the report when it is printed.
        entries: of the matrix that it looks at; of a larger one a contiguous segment of every layer.
        progress: show a bar; or a function that is told, bit by bit, the share of the work that was done.

    Returns:
        The report.

    Raises:
        ValueError: arguments that are no model, loss or minibatches (one pair of whole arrays, say); settings that do
            not fit; a loss of torch's with ``reduction="sum"``, or its class; NumPy arrays that torch fails at;
            fewer than two minibatches or of different sizes, an iterator that can be gone through only once, data that
            differ in the second pass, labels out of range.
        NothingAlive: the gradient is the same in all minibatches.
        FloatingPointError: a gradient holds NaN or infinity; the message names the minibatch.

    Example:
        >>> from tailnoise_utils.noise.minibatches import Minibatches
        >>> x = torch.randn(600, 20, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 2)).requires_grad_(True)
        >>> report = measure(model, nn.functional.cross_entropy, Minibatches(x, y, 20, seed=0))
        >>> report.P, report.p, report.samples
        (30, 1152, 600)
    """
    if draws < 19:
        raise ValueError(
            f"draws = {draws}: p-values go in steps of 1 / (draws + 1), so take 19 or more, 99 for a result"
        )
    if method not in _METHODS:
        raise ValueError(f"unknown method {method!r}: the methods are {', '.join(_METHODS)}")
    if memory is not None and not (isinstance(memory, int | float) and memory >= 0):
        raise ValueError(f"memory = {memory!r}: give the budget as a number of bytes, such as 2e9")
    start = time.perf_counter()
    weights = trainable(model)
    device = weights[0].device
    with private_randomness(device):  # going through a DataLoader draws from it too
        P = count(batches)
    p, size = sum(w.numel() for w in weights), sum(w.numel() * w.element_size() for w in weights)
    parts = slices(model, groups)
    if method == "auto":
        method = "matrix" if P * size <= (_free(device) / 4 if memory is None else memory) else "streaming"
    with private_randomness(device), Bar(progress, P if method == "matrix" else 2 * P) as bar:
        work = Work(model, loss_fn, batches, mode, seed, bar)
        taken, problem = None, _STREAMED if diagnosis else "not asked for"
        if method == "matrix":
            matrix = stack(work.first(marked=diagnosis), P)
            if diagnosis:  # of the gradients as they are: centring costs their differences digits
                coarsest = min((w.dtype for w in weights), key=lambda dtype: torch.finfo(dtype).bits)
                taken, problem = _diagnosis(
                    matrix, parts, units(model), seed, draws, entries, work.repeated(), coarsest
                )
            live, rows, published = _of_matrix(centre(matrix))
        else:
            live, rows, published = _from_passes(work, P, p)
        if not bool(live.any()):
            raise NothingAlive("nothing is alive: every coordinate of the gradient is the same in all minibatches")
        statistics = Statistics(P, live, parts, seed)
        deque(map(statistics.add, rows), maxlen=0)  # no name holds a row while the next one is made
    published = published or statistics.published()
    corrected, permuted, found = statistics.results()
    return Report(
        P=P,
        p=p,
        samples=work.samples,
        mode=mode,
        method=method,
        seed=seed,
        published=published,
        corrected=corrected,
        permuted=permuted,
        dead_share=corrected.info["dead_share"],
        norms=np.array(statistics.norms),
        loss=float(np.mean(work.losses)),
        accuracy=work.accuracy(),
        groups=found,
        diagnosis=taken,
        no_diagnosis=problem,
        seconds=time.perf_counter() - start,
    )


def _of_matrix(
    noise: Float[Tensor, "P p"],
) -> tuple[Bool[Tensor, " p"], Iterable[Iterable[Tensor]], tail_index.TailIndex | None]:
    """Live coordinates, the rows of the matrix, the published estimate in its own arithmetic."""
    live = alive(noise)
    published = tail_index.mohammadi(noise, convention="published") if bool(live.any()) else None
    return live, ([row] for row in noise), published


def _from_passes(work: Work, P: int, p: int) -> tuple[Bool[Tensor, " p"], Iterable[Iterable[Tensor]], None]:
    """Live coordinates after a first pass; the rows in pieces as a second one makes them."""
    first = mean = live = None
    for found in work.first():  # no name holds a row, here and below: none is there while the next gradient is made
        if first is None:
            first = found.flat()
            live = torch.zeros(p, dtype=torch.bool, device=first.device)
            mean = torch.zeros(p, dtype=torch.float64, device=first.device)
            continue
        _take(found, first, mean, live)
    check_count(len(work.losses), P)
    for total, x0 in zip(mean.split(CHUNK), first.split(CHUNK), strict=True):
        total.div_(P).add_(x0)
    return live, (_centred(found, mean) for found in work.second()), None


def _take(found: Gradient, first: Float[Tensor, " p"], sums: Float64[Tensor, " p"], live: Bool[Tensor, " p"]) -> None:
    """Add a gradient, less the first one, to the sums, and note where the two differ."""
    for at, piece in found.pieces():
        for x, x0, total, mask in zip(*(t.split(CHUNK) for t in (piece, first[at], sums[at], live[at])), strict=True):
            total += x.double() - x0
            mask |= x != x0


def _centred(found: Gradient, mean: Float64[Tensor, " p"]) -> Iterator[Float[Tensor, " k"]]:
    """A gradient less the mean, in pieces; exact zeros where dead, where the mean is exactly what all are."""
    dtype = found.dtype
    for at, piece in found.pieces():
        noise = torch.empty_like(piece, dtype=dtype)  # not in place: gradients may share their memory
        for out, x, of_mean in zip(*(t.split(CHUNK) for t in (noise, piece, mean[at])), strict=True):
            out.copy_(x.double() - of_mean)
        del piece
        yield noise
        del noise


def _diagnosis(
    gradients: Float[Tensor, "P p"],
    groups: dict[str, list[slice]],
    neurons: list[slice],
    seed: int,
    draws: int,
    entries: int,
    repeated: tuple[int, int],
    coarsest: torch.dtype,
) -> tuple[diagnosis.Diagnosis | None, str]:
    """The diagnosis, or why there is none: what else goes wrong is an error."""
    settings = {"groups": groups, "units": neurons, "seed": seed, "draws": draws, "max_entries": entries}
    try:
        found = diagnosis.diagnose(gradients, centred=False, **settings)
    except diagnosis.TooFew as error:
        return None, str(error)
    again, samples = repeated
    if again > _REPEATED * samples:
        found = replace(
            found,
            doubt=f"{again / samples:.1%} of the samples are in another minibatch too, which tests can take for tails: cut "
            "the data into disjoint minibatches, once, and measure again. (If these are samples that are only alike, the "
            "conclusion is diagnosis.conclude(report.diagnosis.tests, report.diagnosis.draws).)",
        )
    return replace(found, doubt=found.doubt or diagnosis.doubt({}, coarsest)), ""


def _free(device: torch.device) -> int:
    """Bytes of memory that are free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # no Linux: half of all there is, at a guess
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
