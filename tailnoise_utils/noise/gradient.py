"""The gradient of one minibatch, of any model and loss; the model is left unchanged."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .minibatches import check_integer, leaves, moved
from .parameters import trainable
from .torch_state import as_found, private_randomness, seed_generators

Loss = Callable[[Any, Any], Tensor]
_MODES = ("eval", "train")
_LABELLED = (functional.cross_entropy, functional.nll_loss)  # losses that divide by the labels that count
_JOINED = 2**15  # entries up to which parts of a gradient are joined
_UNEQUAL = 4  # times as many labels that count as in another minibatch
_SCALE = 3.0  # no power of two: all that a backward pass rounds is rounded otherwise


@dataclass(frozen=True)
class Gradient:
    """The gradient of the mean loss of one minibatch.

    Attributes:
        parts: one tensor for each trainable parameter, in the order of ``model.parameters()``; emptied by :meth:`pieces`.
        loss: the mean loss of the minibatch.
        samples: their number, None where the tensors of the batch do not tell.
        length: of the first tensor of the batch, None where there is none.
        labelled: number of samples that count for the accuracy (all that the loss does not ignore); None like `hits`.
        hits: number of these with the highest output at their label, None where the model's outputs are not one score for
            each class or the targets are no labels.
        weight: of all labels that count for the loss; their number if it has no weights, None where there are none.
        rounding: how far each entry moves when the gradient is taken again with other roundings; None if it was not.
    """

    parts: list[Tensor]
    loss: float
    samples: int | None
    length: int | None
    labelled: int | None
    hits: int | None
    weight: float | None = None
    rounding: Float[Tensor, " p"] | None = None

    @property
    def dtype(self) -> torch.dtype:
        """The type of the gradient as one vector, wide enough for all parts."""
        return reduce(torch.promote_types, (part.dtype for part in self.parts))

    def flat(self, out: Float[Tensor, " p"] | None = None) -> Float[Tensor, " p"]:
        """Return the gradient as one vector, in `out` if given; each part is freed as soon as it is copied."""
        if out is None:
            out = self.parts[0].new_empty(sum(part.numel() for part in self.parts), dtype=self.dtype)
        for at, piece in self.pieces():
            out[at].copy_(piece)
        return out

    def pieces(self) -> Iterator[tuple[slice, Float[Tensor, " k"]]]:
        """Yield vectors with their places, small parts joined; each part is freed before the next vector is made."""
        start = 0
        self.parts.reverse()
        while self.parts:
            few = [self.parts.pop().reshape(-1)]
            stop = start + len(few[0])
            while self.parts and stop + self.parts[-1].numel() - start <= _JOINED:
                few.append(self.parts.pop().reshape(-1))
                stop += len(few[-1])
            piece = torch.cat(few) if len(few) > 1 else few[0]
            del few
            yield slice(start, stop), piece
            del piece
            start = stop


def minibatch_gradient(
    model: nn.Module,
    loss_fn: Loss,
    batch: Any,
    *,
    mode: str = "eval",
    seed: int = 0,
    index: int = 0,
    scale: float = 1.0,
) -> Gradient:
    """Compute the gradient of the mean loss of one minibatch at the model's present weights.

    The model is left unchanged, also after an error: weights, ``.grad``, the mode of every submodule, buffers (such as
    the running statistics of batch normalisation) and the global random states of Python, NumPy and torch.

    Args:
        model: the network, on any device.
        loss_fn: mean loss of a minibatch. It is called as ``loss_fn(model(x), y)`` if `batch` is a pair (a tuple or list of
            two), else as ``loss_fn(model, batch)``, for a dictionary, say. Labels are checked for torch's losses and
            for functions with an attribute ``takes_labels`` that is true.
        batch: one minibatch; its tensors, also in mappings and data classes, are moved to the device of the model.
        mode: ``"eval"`` (dropout off, batch normalisation by its running statistics) or ``"train"``.
        seed: for all that is random in the model; dropout masks are a function of `seed` and `index`.
        index: number of the minibatch, also for messages.
        scale: a factor of the gradient.

    Returns:
        The gradient, the loss, the number of samples and of hits.

    Raises:
        ValueError: for an unknown mode, no trainable parameter, a loss that depends on none, or labels out of range.
        FloatingPointError: if the gradient or the loss holds NaN or infinity.
    """
    parameters = trainable(model)
    if mode not in _MODES:
        raise ValueError(f"unknown mode {mode!r}: the modes are {', '.join(_MODES)}")
    device = parameters[0].device
    batch = moved(batch, device)
    pair = isinstance(batch, tuple | list) and len(batch) == 2
    outputs = y = labelled = hits = None
    try:
        with as_found(model), private_randomness(device), torch.enable_grad():
            model.train(mode == "train")
            seed_generators(seed, index, device)
            if pair:
                outputs, y = model(batch[0]), batch[1]
                labelled, hits = _hits(outputs, y, loss_fn, index)
                loss = loss_fn(outputs, y)
            else:
                loss = loss_fn(model, batch)
            if not (isinstance(loss, Tensor) and loss.numel() == 1):
                kind = f"tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
                way_out = (
                    "return its .loss" if hasattr(loss, "loss") else "average it over the minibatch (reduction='mean')"
                )
                raise ValueError(f"the loss is a {kind}, not one number: {way_out}")
            if not loss.requires_grad:
                raise ValueError("the loss depends on no trainable parameter: do not detach or convert the outputs")
            factor = None if scale == 1 else torch.full_like(loss, scale)
            parts = torch.autograd.grad(loss, parameters, factor, allow_unused=True, materialize_grads=True)
            parts = [part if part.layout == torch.strided else part.to_dense() for part in parts]
    except Exception as error:
        _explain(error, loss_fn, batch, pair, outputs, y, index, parameters[0].dtype)
        raise
    # One pass and no copy where all is well; a finite gradient whose sum overflows has no bad entry.
    if bad := sum(int((~part.isfinite()).sum()) for part in parts if not part.sum().isfinite()):
        raise FloatingPointError(
            f"{bad} of the {sum(part.numel() for part in parts)} entries of the gradient of minibatch {index} are NaN or "
            "infinite: weights or data are not finite, or training has diverged (take an earlier snapshot or a smaller lr)"
        )
    if not bool(loss.isfinite()):
        raise FloatingPointError(
            f"the loss of minibatch {index} is {loss.item()}, though its gradient is finite: this is no mean over samples. "
            "Where no label of a minibatch counts (all are ignored), leave these samples out, or take larger minibatches"
        )
    samples = _samples(batch, pair)
    length = samples if samples is not None else next(iter(_lengths(batch)), None)
    return Gradient(parts, loss.item(), samples, length, labelled, hits, _weight(batch, pair, loss_fn))


def gradients(
    model: nn.Module,
    loss_fn: Loss,
    batches: Iterable[Any],
    *,
    mode: str = "eval",
    seed: int = 0,
    samples: int | Callable[[Any], int] | None = None,
    twice: int = 0,
) -> Iterator[Gradient]:
    """Compute the gradients of all minibatches, of the first `twice` with other roundings too; refuse unequal sizes."""
    if not callable(loss_fn):
        raise ValueError(
            f"the loss is of type {type(loss_fn).__name__} and cannot be called: give model, loss_fn, batches in this order"
        )
    if isinstance(loss_fn, type):
        raise ValueError(
            f"the loss is the class {loss_fn.__name__}, not an object of it: give {loss_fn.__name__}(), with the brackets"
        )
    if getattr(loss_fn, "reduction", "mean") == "sum":
        raise ValueError(
            f"{type(loss_fn).__name__} has reduction='sum', so that the gradient grows with the minibatch: take 'mean'"
        )
    first, least, most = None, math.inf, 0.0
    for index, batch in enumerate(batches):
        current = minibatch_gradient(model, loss_fn, batch, mode=mode, seed=seed, index=index)
        if samples is not None:
            size = samples(batch) if callable(samples) else samples
            check_integer(size, "samples")
            if size < 1 or (not callable(samples) and current.samples not in (None, size)):
                number = "1 or more" if size < 1 else f"{current.samples}, which minibatch {index} has"
                raise ValueError(f"samples = {size}: give {number}, or a function that counts those of a minibatch")
            current = replace(current, samples=size, length=size)
        first = current.length if index == 0 else first
        if current.length != first:
            hint = "" if current.samples else ", or say by samples= how many there are if these are other lengths"
            raise ValueError(
                f"minibatch {index} has {current.length} samples, those before it {first}: their mean gradient is then "
                f"not the full gradient; take a batch size that divides the number of samples, or drop_last=True{hint}"
            )
        if current.weight is not None:
            least, most = min(least, current.weight), max(most, current.weight)
        if most > _UNEQUAL * least:
            raise ValueError(
                f"up to minibatch {index} there are {least:g} to {most:g} labels that count, by their weights: their mean "
                "gradient is then not the full gradient; give minibatches with about as many of each class"
            )
        if index < twice:
            again = minibatch_gradient(model, loss_fn, batch, mode=mode, seed=seed, index=index, scale=_SCALE)
            pairs = zip(again.parts, current.parts, strict=True)
            current = replace(current, rounding=torch.cat([(a / _SCALE - x).abs().reshape(-1) for a, x in pairs]))
        yield current


def _lengths(batch: Any) -> list[int]:
    """Give the length of every tensor of a batch that has one."""
    return [len(leaf) for leaf in leaves(batch) if isinstance(leaf, Tensor) and leaf.ndim]


def _samples(batch: Any, pair: bool) -> int | None:
    """Count the samples: the one length of all tensors; of a pair else that of the targets; of mappings in a list these."""
    if not pair and isinstance(batch, tuple | list) and all(isinstance(one, Mapping) for one in batch):
        return len(batch)
    lengths = set(_lengths(batch))
    if pair and any(isinstance(leaf, Tensor) and not leaf.ndim for leaf in leaves(batch[1])):
        return None  # one sample, or a number for all of them
    if pair and len(lengths) > 1:
        # If the inputs have such a dimension: those of a recurrent network may begin with the time.
        shapes = {size for leaf in leaves(batch[0]) if isinstance(leaf, Tensor) for size in leaf.shape}
        targets = set(_lengths(batch[1]))
        lengths = targets & shapes if shapes and targets else targets or lengths
    return lengths.pop() if len(lengths) == 1 else None


def _weight(batch: Any, pair: bool, loss_fn: Loss) -> float | None:
    """Return by what torch's loss divides the sum over the labels: their number or weight, ignored ones left out."""
    called, settings = (loss_fn.func, loss_fn.keywords) if isinstance(loss_fn, partial) else (loss_fn, {})
    ignored, weights = (
        settings.get(name, getattr(called, name, default))
        for name, default in (("ignore_index", -100), ("weight", None))
    )
    y = batch[1] if pair else batch.get("labels") if isinstance(batch, Mapping) else None
    torchs = called in _LABELLED or isinstance(called, nn.CrossEntropyLoss | nn.NLLLoss)
    if not isinstance(y, Tensor) or y.is_floating_point() or y.is_complex() or (pair and not torchs):
        return None
    y = y[y != ignored]
    return float(len(y)) if weights is None else float(weights.to(y.device)[y].sum())


def _hits(outputs: Any, y: Any, loss_fn: Loss, index: int) -> tuple[int | None, int | None]:
    """Count the samples that have a label, and those with the highest score at it; refuse labels that are no class."""
    if not (isinstance(outputs, Tensor) and isinstance(y, Tensor) and outputs.ndim == 2 and y.ndim == 1 and len(y)):
        return None, None
    numbers = y.is_floating_point() or y.is_complex() or y.dtype == torch.bool
    if numbers or outputs.shape[1] < 2 or len(y) != len(outputs):
        return None, None
    torchs = loss_fn in _LABELLED or isinstance(loss_fn, nn.CrossEntropyLoss | nn.NLLLoss)
    counted = y != getattr(loss_fn, "ignore_index", -100) if torchs else torch.ones_like(y, dtype=torch.bool)
    if torchs or getattr(loss_fn, "takes_labels", False):
        _check_labels(y[counted], outputs, index)
    if bool((y[counted] >= outputs.shape[1]).any()):
        return None, None  # the outputs are no scores of classes
    hits = (outputs.detach().argmax(1) == y) & counted
    return int(counted.sum()), int(hits.sum())


def _explain(
    error: Exception, loss_fn: Loss, batch: Any, pair: bool, outputs: Any, y: Any, index: int, dtype: torch.dtype
) -> None:
    """Replace an error of torch's by its cause in the minibatch where that is known, else note the minibatch."""
    if isinstance(error, IndexError):  # raised by torch's losses when they are called within a loss of the user's
        _check_labels(y, outputs, index, error)
    arrays = [x for x in (batch if pair else [batch]) if isinstance(x, np.ndarray)]
    if arrays:
        raise ValueError(
            f"minibatch {index} holds a NumPy array of shape {arrays[0].shape} and type {arrays[0].dtype}, but torch takes "
            "tensors: convert with torch.as_tensor(x, dtype=torch.float32), labels with dtype=torch.int64"
        ) from error
    types = {leaf.dtype for leaf in leaves(batch[0] if pair else batch) if isinstance(leaf, Tensor)}
    if "dtype" in str(error) and outputs is None and len(types) == 1 and dtype not in types:
        raise ValueError(
            f"the inputs of minibatch {index} are of {types.pop()}, the weights of {dtype}: convert one of them, such as "
            f"x.to({dtype})"
        ) from error
    kind = type(batch).__name__
    if not pair and getattr(loss_fn, "__module__", "").startswith("torch.nn"):
        raise ValueError(
            f"minibatch {index}, of type {kind}, is no pair (x, y), so that the loss is called as "
            "loss_fn(model, batch), which a loss of torch's does not take: give pairs, or a function of the two"
        ) from error
    called = "no pair: the loss was called as loss_fn(model, batch); give pairs (x, y) for loss_fn(model(x), y)"
    error.add_note(f"in minibatch {index}" + ("" if pair else f", of type {kind}, {called}"))


def _check_labels(y: Any, outputs: Any, index: int, cause: Exception | None = None) -> None:
    """Refuse labels that are no class."""
    if not (isinstance(y, Tensor) and isinstance(outputs, Tensor) and outputs.ndim > 1) or y.is_floating_point():
        return
    classes = outputs.shape[1]
    bad = (y < 0) | (y >= classes)
    if cause:  # the loss may be one that ignores the label -100
        bad &= y != -100
    if bool(bad.any()):
        raise ValueError(
            f"minibatch {index} has the label {int(y[bad][0])}, which is no class: with {classes} outputs, the classes are "
            f"0 to {classes - 1}"
        ) from cause
