"""The samples cut into disjoint minibatches of one size, and what lies in a minibatch of any kind."""

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch.utils import _pytree as tree


def check_batch_size(n: int, batch_size: int, *, fewest: int = 1) -> None:
    """Refuse a batch size that does not cut n samples into `fewest` minibatches or more; name the nearest that do."""
    if n < fewest:
        raise ValueError(f"{n} samples do not make {fewest} minibatches: give {fewest} samples or more")
    check_integer(batch_size, "batch_size")
    if batch_size >= 1 and n % batch_size == 0 and n // batch_size >= fewest:
        return
    sizes = [size for size in range(1, n // fewest + 1) if n % size == 0]
    below = [size for size in sizes if size < batch_size][-1:]
    above = [size for size in sizes if size > batch_size][:1]
    nearest = " or ".join(map(str, below + above))
    if batch_size < 1:
        problem = "is below 1"
    elif batch_size > n:
        problem = f"is larger than the number of samples, {n}"
    elif n % batch_size:
        problem = f"does not divide the number of samples, {n}"
    else:
        problem = f"leaves fewer than {fewest} minibatches of {n} samples"
    raise ValueError(f"batch_size = {batch_size} {problem}: the nearest size that will do is {nearest}")


class Minibatches:
    """The samples cut into disjoint minibatches: a sized re-iterable of ``(x, y)`` pairs.

    Args:
        x: inputs of all samples.
        y: targets of all samples.
        batch_size: samples in a minibatch, ``b``; it must divide their number ``n`` and leave two minibatches or more.
        order: ``"random"``, a seeded permutation of the samples, or ``"data"``, the samples in the given order.
        seed: of the permutation. Measure with another one than that of training, whose first epoch has these minibatches.
        drop_last: leave out the last samples of that order if ``batch_size`` does not divide ``n``, instead of refusing it.

    Attributes:
        indices: of the samples, one row for each of the ``P = n / b`` minibatches; each of ``0 .. n - 1`` occurs once.

    Raises:
        TypeError: inputs or targets that are no tensor, such as NumPy arrays; a size or seed that is no integer.
        ValueError: an unknown order, a random one without a seed, inputs and targets that differ in number, or a
            ``batch_size`` that does not fit.

    Examples:
        >>> batches = Minibatches(torch.arange(6), torch.arange(6), 3, order="data")
        >>> [x.tolist() for x, y in batches]
        [[0, 1, 2], [3, 4, 5]]
    """

    def __init__(
        self,
        x: Shaped[Tensor, "n ..."],
        y: Shaped[Tensor, "targets ..."],
        batch_size: int,
        *,
        order: str = "random",
        seed: int | None = None,
        drop_last: bool = False,
    ) -> None:
        if order not in ("random", "data"):
            raise ValueError(f"unknown order {order!r} of the samples: the orders are random, data")
        _check_tensor(x, "x")
        _check_tensor(y, "y")
        if len(x) != len(y):
            raise ValueError(f"{len(x)} inputs and {len(y)} targets: give one target an input")
        n = len(x)
        check_integer(batch_size, "batch_size")
        kept = n - n % batch_size if drop_last and batch_size > 0 else n
        # Where nothing fits, the error speaks of all the samples.
        check_batch_size(kept if kept >= 2 * batch_size else n, batch_size, fewest=2)
        if order == "data":
            permutation = torch.arange(n)
        elif seed is None:
            raise ValueError("seed = None, but a random order needs one: give an integer, or take order='data'")
        else:
            check_integer(seed, "seed")
            permutation = torch.randperm(n, generator=torch.Generator().manual_seed(int(seed)))
        self.x, self.y = x, y
        self.indices: Int64[Tensor, "P b"] = permutation[:kept].view(-1, batch_size).to(x.device)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.indices:
            yield self.x.index_select(0, batch), self.y.index_select(0, batch)


def leaves(batch: Any) -> list[Any]:
    """Give all that a minibatch holds, in tuples, lists, mappings and data classes."""
    parts = [(leaf, _inside(leaf)) for leaf in tree.tree_leaves(batch)]
    return [one for leaf, inside in parts for one in ([leaf] if inside is None else leaves(inside))]


def moved(batch: Any, device: torch.device) -> Any:
    """Move a minibatch to a device, in copies: its tensors, and what has a method `to`."""

    def move(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return leaf.to(device, copy=True)  # a model may change its input in place
        if (inside := _inside(leaf)) is None:
            return copy.copy(leaf).to(device) if callable(getattr(leaf, "to", None)) else leaf
        inside = moved(inside, device)
        if isinstance(leaf, Mapping) and not isinstance(leaf, MutableMapping):
            return inside
        leaf = copy.copy(leaf)
        for name, value in inside.items():
            if isinstance(leaf, MutableMapping):
                leaf[name] = value
            else:
                object.__setattr__(leaf, name, value)  # also of a frozen data class
        return leaf

    return tree.tree_map(move, batch)


def _inside(leaf: Any) -> dict[Any, Any] | None:
    """Open a mapping or a data class, which torch's trees take for one piece; None for anything else."""
    if is_dataclass(leaf) and not isinstance(leaf, type):
        return {field.name: getattr(leaf, field.name) for field in fields(leaf)}
    return dict(leaf) if isinstance(leaf, Mapping) else None


def check_integer(value: Any, name: str) -> None:
    """Refuse what is no integer, such as 50.0."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        way_out = f"give {int(value)}" if isinstance(value, float) and value.is_integer() else "give one"
        raise TypeError(f"{name} = {value!r} is of type {type(value).__name__}, no integer: {way_out}")


def _check_tensor(values: Any, name: str) -> None:
    """Refuse what torch cannot index, NumPy arrays most of all."""
    if isinstance(values, Tensor):
        return
    kind = f"{type(values).__module__}.{type(values).__qualname__}".removeprefix("builtins.")
    raise TypeError(
        f"{name} is of type {kind}, no torch.Tensor: convert, an array with torch.from_numpy({name}); inputs to the type "
        "of the model's weights (.float()), labels of classes to integers (.long())"
    )
