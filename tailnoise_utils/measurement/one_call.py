"""Measure the gradient noise of any network: its tail index in both conventions, and what is needed to read it."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tailnoise_utils.diagnosis import Diagnosis, TooFew, diagnose, doubt
from tailnoise_utils.diagnosis.conclusion import UNRESOLVED
from tailnoise_utils.diagnosis.per_coordinate import check_draws
from tailnoise_utils.noise.gradient import Loss, gradients
from tailnoise_utils.noise.matrix import centre, count, mean_and_live, noise_pieces, stack
from tailnoise_utils.noise.minibatches import check_integer
from tailnoise_utils.noise.parameters import slices, trainable, units
from tailnoise_utils.noise.torch_state import private_randomness
from tailnoise_utils.tail_index.blocks import estimate, split
from tailnoise_utils.tail_index.logs import alive
from tailnoise_utils.tail_index.result import Sample, as_numbers, check_finite

from .estimates import Estimates
from .passes import Passes, Progress, marks, repeated, steps_told
from .report import Report

_METHODS = ("auto", "matrix", "streaming")
_STREAMED = (
    "the noise is streamed, and tests across the minibatches need its matrix: method='matrix', or raise `memory`."
)
_NOT_ASKED = "no diagnosis was asked for (diagnosis=True)."
_ANOTHER = 0.5  # share of coordinates that other roundings change: above it the gradient is another one each time
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
    samples: int | Callable[[Any], int] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    memory: float | int | None = None,
    method: str = "auto",
    diagnosis: bool = True,
    draws: int = 99,
    entries: int = 2**23,
    progress: bool | Progress = False,
) -> Report:
    r"""Measure the tail index of the gradient noise of a model at its present weights.

    Of the noise matrix (:func:`tailnoise_utils.noise.matrix.noise_matrix`) the report holds :math:`\hat\alpha` by
    :func:`tailnoise_utils.tail_index.mohammadi` in both conventions and, corrected, under one common random permutation
    of the coordinates; what the same is on its Gaussian twin, in closed form, and with random signs; tau; the same for
    every group of parameters; the share of dead coordinates, norms, loss and accuracy. The diagnosis
    (:mod:`tailnoise_utils.diagnosis`) says how much of the gap to 2 is correlation, order, scales and tails, and what tests
    across the minibatches find. Printed, the report has ten lines; ``report.details()`` has all.

    A value below 2 alone is no evidence of heavy tails. Correlation between coordinates, unequal scales, the order of the
    parameters and dead units lower :math:`\hat\alpha` too, and heavy tails that a whole minibatch shares leave it at 2.

    Measure in float32. Weights in half precision get no conclusion; half precision within the model (``torch.autocast``,
    TF32) is not noticed. A bias before batch normalisation has, in ``"train"`` mode, a gradient of rounding errors. Such
    coordinates are found by taking two minibatches again, with a gradient of three times the loss: the report gives their
    share, and concludes nothing above 0.2 %. They stay in the estimates: leave them out with ``requires_grad_(False)``.

    The model is left unchanged. Memory: the matrix (4 P p bytes in float32) and a copy, if the matrix fits the budget; else
    O(p) in two passes over the minibatches, with the same numbers (published: to rounding of float32) but no diagnosis: its
    tests need the matrix.

    Args:
        model: the network, on any device; frozen parameters are left out.
        loss_fn: mean loss of a minibatch. For batches that are pairs it is called as ``loss_fn(model(x), y)``, for all
            others, such as dictionaries, as ``loss_fn(model, batch)``.
        batches: minibatches of one size that can be gone through again: a list, a ``DataLoader``,
            :class:`tailnoise_utils.noise.minibatches.Minibatches`. Give a random partition of the data, such as
            ``Minibatches(x, y, b, seed=1)`` or ``list(DataLoader(data, b, shuffle=True, drop_last=True))``, else tests can
            take their order for tails. Nothing is concluded where more than a hundredth of the samples are in several
            minibatches, or neighbours are more alike than by chance; minibatches of one class or length each are not
            noticed. Streaming takes two passes, and refuses a ``DataLoader`` that shuffles anew at each.
        mode: ``"eval"`` (dropout off, batch normalisation by its running statistics) or ``"train"``.
        seed: of dropout masks, of all else that is random in Python, NumPy or torch, and of the permutation of the
            coordinates.
        samples: how many samples a minibatch has, or a function that counts those of one, where its tensors do not tell
            (graphs, packed sequences): all must have as many.
        groups: name to names of parameters or modules, or globs such as ``"*.bias"``, in any order; ``_orig_mod.`` and a
            first ``module.`` do not count. By default a group for every module that owns parameters; ``{}``: none. What
            is concluded of the network does not depend on them.
        memory: budget for the matrix in bytes; by default a quarter of what is free on the device of the model.
        method: ``"auto"`` (the matrix if it fits the budget), ``"matrix"`` or ``"streaming"``.
        diagnosis: whether to make it; it needs the matrix and 16 minibatches or more, else the report says why not.
        draws: Gaussian twins of its tests, 19 or more; 99 or more for a conclusion, the report's last sentence.
        entries: of the matrix that it looks at; of a larger one a contiguous segment of every layer.
        progress: show a bar; or a function that is told, bit by bit, the share of the work that was done.

    Returns:
        The report.

    Raises:
        TypeError: a number that has to be an integer, such as `entries`, is none.
        ValueError: as :func:`~tailnoise_utils.noise.matrix.noise_matrix`; settings that do not fit; data that differ in
            the second pass.
        NothingAlive: the gradient is the same in all minibatches.
        FloatingPointError: a gradient or a loss holds NaN or infinity; the message names the minibatch.

    Example:
        >>> from tailnoise_utils.noise.minibatches import Minibatches
        >>> x = torch.randn(600, 20, generator=torch.Generator().manual_seed(0))
        >>> y = (x[:, 0] > 0).long()
        >>> model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 2)).requires_grad_(True)
        >>> report = measure(model, nn.functional.cross_entropy, Minibatches(x, y, 20, seed=0))
        >>> report.P, report.p, report.samples
        (30, 1152, 600)
    """
    for name, value in (("seed", seed), ("draws", draws), ("entries", entries)):
        check_integer(value, name)
    check_draws(draws)
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
    with private_randomness(device), steps_told(progress, P if method == "matrix" else 2 * P) as step:
        passes = Passes(partial(gradients, model, loss_fn, mode=mode, seed=seed, samples=samples), batches, step)
        explained, problem = None, _STREAMED if diagnosis else _NOT_ASKED
        if method == "matrix":
            matrix = stack(passes.first(marked=diagnosis), P)
            if diagnosis:  # of the gradients before they are centred, which costs their differences digits
                coarsest = min((w.dtype for w in weights), key=lambda dtype: torch.finfo(dtype).bits)
                settings = {"seed": seed, "draws": draws, "max_entries": entries}
                settings |= {"groups": parts, "layers": slices(model), "units": units(model)}
                explained, problem = _diagnosis(matrix, repeated(passes.marks), coarsest, **settings)
            U = centre(matrix)
            estimates = _of_rows(P, alive(U), ([row] for row in U), parts, seed)
            published = estimate(split(U, None, "published"))  # in its own arithmetic
        else:
            mean, live = mean_and_live(passes.first(), P)
            rows = (noise_pieces(gradient, mean) for gradient in passes.second())
            estimates = _of_rows(P, live, rows, parts, seed)
            published = estimates.published()
    lost = estimates.lost(passes.rounding)
    rounding = float(lost.sum() / estimates.live.sum())
    if explained and not explained.doubt and rounding > UNRESOLVED:
        explained = replace(explained, doubt=_lost(model, lost, rounding))
    return Report(
        P=P,
        p=p,
        samples=passes.samples,
        mode=mode,
        method=method,
        seed=seed,
        published=published,
        rounding=rounding,
        loss=float(np.mean(passes.losses)),
        accuracy=passes.accuracy(),
        diagnosis=explained,
        no_diagnosis=problem,
        seconds=time.perf_counter() - start,
        **estimates.results(),
    )


def measure_rows(
    V: Sample,
    layers: Mapping[str, slice | int] | None = None,
    *,
    seed: int = 0,
    diagnosis: bool = True,
    draws: int = 99,
    entries: int = 2**23,
) -> Report:
    r"""Measure the noise of rows of one's own: updates of an optimizer, gradients of samples, steps of a trajectory.

    Of gradients of minibatches it has the numbers of :func:`measure`. The mean of the rows is subtracted, in a copy. Loss,
    accuracy and rounding errors are unknown: NaN or None. Nothing is concluded of steps whose neighbours are alike.

    Args:
        V: shape (P, p), one row a minibatch, a sample or a step.
        layers: name to a slice of a row, or to the number of columns after those of the layer before.
        seed: of the permutation of the columns and of the tests.
        diagnosis: as in :func:`measure`.
        draws: as in :func:`measure`.
        entries: as in :func:`measure`.

    Returns:
        The report, of mode ``"rows"``.

    Raises:
        TypeError: a number that has to be an integer, such as `entries`, is none.
        ValueError: V is no matrix of two rows or more, holds NaN or infinity; a layer that does not fit; too few draws.
        NothingAlive: all rows are the same.
    """
    for name, value in (("seed", seed), ("draws", draws), ("entries", entries)):
        check_integer(value, name)
    check_draws(draws)
    start, matrix = time.perf_counter(), as_numbers(V)
    if matrix.ndim != 2 or len(matrix) < 2 or not matrix.shape[1]:
        raise ValueError(f"V has the shape {tuple(matrix.shape)}: give two rows or more, such as torch.stack(rows)")
    check_finite(matrix, "V")
    P, p = matrix.shape
    parts, at = {}, 0
    for name, columns in (layers or {}).items():
        part = columns if isinstance(columns, slice) else slice(at, at + columns)
        at = p if part.stop is None else part.stop
        parts[name] = [slice(part.start or 0, at)]
        if part.step not in (None, 1) or not 0 <= parts[name][0].start < at <= p:
            raise ValueError(f"layer {name!r}: {part} is no slice of p = {p} columns: give start < stop <= {p}")
    explained, problem = None, _NOT_ASKED
    if diagnosis:
        settings = {"groups": parts, "seed": seed, "draws": draws, "max_entries": entries}
        rows = repeated([marks(row) for row in matrix[:, None]])
        explained, problem = _diagnosis(matrix, rows, matrix.dtype, **settings)
    U = centre(matrix.clone())
    estimates = _of_rows(P, alive(U), ([row] for row in U), parts, seed)
    numbers = {"published": estimate(split(U, None, "published")), **estimates.results()}
    numbers |= {"diagnosis": explained, "no_diagnosis": problem, "seconds": time.perf_counter() - start}
    return Report(P=P, p=p, mode="rows", method="matrix", seed=seed, **numbers)


def _of_rows(
    P: int, live: Bool[Tensor, " p"], rows: Iterable[Iterable[Tensor]], parts: dict[str, list[slice]], seed: int
) -> Estimates:
    """Take the estimates of P rows of noise, each in pieces."""
    if not bool(live.any()):
        raise NothingAlive("nothing is alive: every coordinate of the gradient is the same in all minibatches")
    estimates = Estimates(P, live, parts, seed)
    deque(map(estimates.add, rows), maxlen=0)  # keep no reference to a row while the next one is made: memory
    return estimates


def _lost(model: nn.Module, lost: Bool[Tensor, " p"], share: float) -> str:
    """Say which parameters have a gradient of rounding errors, or that it is another one each time."""
    if share > _ANOTHER:
        return (
            f"{share:.0%} of the live coordinates have another gradient when a minibatch is taken again: random numbers "
            "outside torch, an input that the model changes in place, or a loss that ignores its incoming gradient."
        )
    parts = slices(model, {name: [name] for name, w in model.named_parameters() if w.requires_grad and w.numel()})
    shares = {name: float(lost[part].double().mean()) for name, [part] in parts.items()}
    worst = max(shares, key=lambda name: shares[name])
    return (
        f"{share:.1%} of the live coordinates ({shares[worst]:.0%} of {worst}) are rounding errors of zero: other "
        "roundings change them. Before normalisation a bias is so, that of keys in attention, and what reads an input that "
        "never changes. Leave these out, parameters with requires_grad_(False)."
    )


def _diagnosis(
    gradients: Float[Tensor, "P p"], repeated: tuple[int, int], coarsest: torch.dtype, **settings: Any
) -> tuple[Diagnosis | None, str]:
    """Make the diagnosis, or say that there is too little noise for one; any other problem is an error."""
    try:
        result = diagnose(gradients, centred=False, **settings)
    except TooFew as error:
        return None, f"{error}."
    again, samples = repeated
    if again > _REPEATED * samples:
        result = replace(
            result,
            doubt=f"{again / samples:.1%} of the samples are in another minibatch too, or rows there twice, which "
            "tests can take for tails: cut the data into disjoint minibatches, once. (Only alike? Then ask "
            "diagnosis.conclude(report.diagnosis.tests, report.diagnosis.draws).)",
        )
    return replace(result, doubt=result.doubt or doubt({}, coarsest)), ""


def _free(device: torch.device) -> int:
    """Read how many bytes of memory are free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # no Linux: half of all there is, at a guess
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
