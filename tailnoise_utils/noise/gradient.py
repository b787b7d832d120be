"""The gradient of one minibatch, of any model and loss, with everything left as it was found."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils import _pytree as tree

from tailnoise_utils.study.networks.models import linear_hinge

from .batch_errors import check_arrays, check_labels, check_no_pair
from .parameters import trainable
from .torch_state import as_found, private_randomness, seed_torch

__all__ = ["Gradient", "gradient", "gradients"]

Loss = Callable[[Any, Any], Tensor]
_MODES = ("eval", "train")
_JOINED = 2**15  # entries up to which parts of a gradient are joined
_NO_PAIR = (
    ", of type {}, no pair: the loss was called as loss_fn(model, batch); give pairs (x, y) for loss_fn(model(x), y)"
)


@dataclass(frozen=True)
class Gradient:
    """The gradient of the mean loss of one minibatch.

    Attributes:
        parts: one tensor a trainable parameter, in the order of ``model.parameters()``; emptied by :meth:`pieces`.
        loss: the mean loss of the minibatch.
        samples: their number, None where the batch has no tensor with samples.
        labelled: how many of them count for the accuracy: all but those that the loss ignores, None as `hits`.
        hits: how many of them have their highest output at their label, None where the model's outputs are not one score
            a class or the targets no labels.
    """

    parts: list[Tensor]
    loss: float
    samples: int | None
    labelled: int | None
    hits: int | None

    @property
    def dtype(self) -> torch.dtype:
        """Type of the whole gradient, wide enough for all its parts."""
        return reduce(torch.promote_types, (part.dtype for part in self.parts))

    def flat(self, out: Float[Tensor, " p"] | None = None) -> Float[Tensor, " p"]:
        """All parts one after another, each row-major; each is let go as soon as it is copied.

        Args:
            out: where to write them; a new tensor if None.

        Returns:
            The gradient as one vector.
        """
        if out is None:
            out = self.parts[0].new_empty(sum(part.numel() for part in self.parts), dtype=self.dtype)
        for at, piece in self.pieces():
            out[at].copy_(piece)
        return out

    def pieces(self) -> Iterator[tuple[slice, Float[Tensor, " k"]]]:
        """The parts one after another, each row-major, small ones joined; here each is let go before the next is made.

        Yields:
            Where it lies in the whole gradient, and a part, or several, as a vector.
        """
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


def gradient(
    model: nn.Module, loss_fn: Loss, batch: Any, *, mode: str = "eval", seed: int = 0, index: int = 0
) -> Gradient:
    """Gradient of the mean loss of one minibatch at the model's present weights.

    The model is left as it was found: weights, ``.grad``, the mode of every submodule, buffers (such as the running
    statistics of batch normalisation) and torch's random state, also after an error.

    Args:
        model: the network, on any device.
        loss_fn: mean loss of a minibatch. If `batch` is a pair (a tuple or list of two), it is called as
            ``loss_fn(model(x), y)``, else, for a dictionary, say, as ``loss_fn(model, batch)``.
        batch: one minibatch; its tensors are moved to the device of the model.
        mode: ``"eval"`` (dropout off, batch normalisation by its running statistics) or ``"train"``.
        seed: of what is random in the model, with `index`: dropout masks are a function of the two.
        index: number of the minibatch, also for messages.

    Returns:
        The gradient, the loss, the number of samples and of hits.

    Raises:
        ValueError: for an unknown mode, no trainable parameter, a loss that depends on none, or labels out of range.
        FloatingPointError: if the gradient holds NaN or infinity.
    """
    parameters = trainable(model)
    if mode not in _MODES:
        raise ValueError(f"unknown mode {mode!r}: the modes are {', '.join(_MODES)}")
    device = parameters[0].device
    batch = tree.tree_map_only(Tensor, lambda tensor: tensor.to(device), batch)
    pair = isinstance(batch, tuple | list) and len(batch) == 2
    try:
        with as_found(model), private_randomness(device), torch.enable_grad():
            model.train(mode == "train")
            seed_torch(seed, index, device)
            outputs = y = labelled = hits = None
            if pair:
                outputs, y = model(batch[0]), batch[1]
                labelled, hits = _hits(outputs, y, loss_fn, index)
                loss = loss_fn(outputs, y)
            else:
                loss = loss_fn(model, batch)
            if not (isinstance(loss, Tensor) and loss.numel() == 1):
                raise ValueError(
                    f"the loss is {_describe(loss)}, not one number: average it over the minibatch (reduction='mean')"
                )
            if not loss.requires_grad:
                raise ValueError("the loss depends on no trainable parameter: do not detach or convert the outputs")
            parts = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    except Exception as error:
        if isinstance(error, IndexError):  # what torch's losses raise within a loss of the user's
            check_labels(y, outputs, index, error)
        check_arrays(batch if pair else [batch], index, error)
        if not pair:
            check_no_pair(batch, loss_fn, index, error)
        error.add_note(f"in minibatch {index}" + ("" if pair else _NO_PAIR.format(type(batch).__name__)))
        raise
    if bad := sum(_not_finite(part) for part in parts):
        raise FloatingPointError(
            f"{bad} of the {sum(part.numel() for part in parts)} entries of the gradient of minibatch {index} are NaN or "
            "infinite: weights or data are not finite, or training has diverged (take an earlier snapshot or a smaller lr)"
        )
    sized = [leaf for leaf in tree.tree_leaves(batch) if isinstance(leaf, Tensor) and leaf.ndim]
    return Gradient(list(parts), loss.item(), len(sized[0]) if sized else None, labelled, hits)


def gradients(
    model: nn.Module, loss_fn: Loss, batches: Iterable[Any], *, mode: str = "eval", seed: int = 0
) -> Iterator[Gradient]:
    """Gradients of all minibatches, one after another, each as :func:`gradient` gives it.

    Args:
        model: the network.
        loss_fn: mean loss of a minibatch.
        batches: the minibatches.
        mode: ``"eval"`` or ``"train"``.
        seed: of what is random in the model.

    Yields:
        The gradient of each minibatch.

    Raises:
        ValueError: as :func:`gradient`; a loss that cannot be called, is a class where one of its objects is wanted, or
            says that it sums (an attribute ``reduction`` that is ``"sum"``, as torch's losses have it; that a function sums
            cannot be seen); minibatches of different sizes.
        FloatingPointError: as :func:`gradient`.
    """
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
    first = None
    for index, batch in enumerate(batches):
        found = gradient(model, loss_fn, batch, mode=mode, seed=seed, index=index)
        first = found.samples if index == 0 else first
        if found.samples != first:
            raise ValueError(
                f"minibatch {index} has {found.samples} samples, those before it {first}: their mean gradient is then not "
                "the full gradient; take a batch size that divides the number of samples, or drop_last=True"
            )
        yield found


def _hits(outputs: Any, y: Any, loss_fn: Loss, index: int) -> tuple[int | None, int | None]:
    """How many samples count, and have the highest score at their label; labels that are no class are refused."""
    if (
        not (isinstance(outputs, Tensor) and isinstance(y, Tensor) and outputs.ndim == 2 and y.ndim == 1 and len(y))
        or outputs.shape[1] < 2
    ):
        return None, None
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool or len(y) != len(outputs):
        return None, None
    torchs = loss_fn in (functional.cross_entropy, functional.nll_loss)
    torchs = torchs or isinstance(loss_fn, nn.CrossEntropyLoss | nn.NLLLoss)
    counted = y != getattr(loss_fn, "ignore_index", -100) if torchs else torch.ones_like(y, dtype=torch.bool)
    if torchs or loss_fn is linear_hinge:
        check_labels(y[counted], outputs, index)
    hits = (outputs.detach().argmax(1) == y) & counted
    return int(counted.sum()), int(hits.sum())


def _describe(loss: Any) -> str:
    """What a loss is instead of one number."""
    return f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"


def _not_finite(gradient: Float[Tensor, "..."]) -> int:
    """Number of entries that are NaN or infinite."""
    if gradient.sum().isfinite():  # one pass and no copy; a sum that overflows is told apart below
        return 0
    return int((~gradient.isfinite()).sum())
