"""Which parameters of a model are trained, and where they lie in a row of the noise matrix."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters whose gradient is taken, in the order of ``model.parameters()``; refuse a model without."""
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"the model is of type {type(model).__name__}, no torch.nn.Module: give model, loss_fn, batches in this order"
        )
    parameters = [w for w in model.parameters() if w.requires_grad and w.numel()]
    if not parameters:
        raise ValueError(
            f"{type(model).__name__} has no trainable parameter: call requires_grad_() on some; or, if it is the loss, "
            "give model, loss_fn, batches in this order"
        )
    if wrong := {w.dtype for w in parameters if w.is_complex()}:
        raise ValueError(f"a parameter of type {wrong.pop()} has no tail index: take a model of real parameters")
    if any(w.is_meta for w in parameters):
        raise ValueError(
            "the model has no weights, it is on the meta device: load them (to_empty, then load_state_dict)"
        )
    if torch.is_inference_mode_enabled():
        raise ValueError("no gradient can be taken in torch.inference_mode(): leave it, or use torch.no_grad() instead")
    return parameters


def slices(model: nn.Module, groups: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[slice]]:
    """Locate the parameters of each group in a row, in the model's order; by default of each module that owns some."""
    where, start = {}, 0
    for name, w in model.named_parameters():
        if w.requires_grad and w.numel():
            where[name] = slice(start, start + w.numel())
            start += w.numel()
    if groups is None:
        modules: dict[str, list[slice]] = {}
        for name, part in where.items():
            modules.setdefault(name.rpartition(".")[0] or type(model).__name__, []).append(part)
        return modules
    for group, names in groups.items():
        if isinstance(names, str):
            raise ValueError(f"group {group!r} is the text {names!r}, which is read letter by letter: give [{names!r}]")
        if unknown := [name for name in names if not any(_fits(one, name) for one in where)]:
            raise ValueError(
                f"group {group!r} names {', '.join(unknown)}, which fit no trainable parameter of the model; those are: "
                f"{', '.join(where)}"
            )
        if not names or len(set(names)) < len(names):
            raise ValueError(f"group {group!r} is empty or names a parameter twice: {list(names)}")
    return {
        group: [part for one, part in where.items() if any(_fits(one, name) for name in names)]
        for group, names in groups.items()
    }


def _fits(parameter: str, name: str) -> bool:
    """Tell whether a parameter has a name, or lies in the module that has it; names may be globs, wrappers do not count."""
    parameter, name = (one.replace("_orig_mod.", "").removeprefix("module.") for one in (parameter, name))
    return parameter == name or fnmatchcase(parameter, name) or fnmatchcase(parameter, f"{name}.*")


def units(model: nn.Module) -> list[slice]:
    """Locate the incoming weights of each unit in a row: of a neuron of a linear layer, a filter of a convolution."""
    incoming, start = [], 0
    for w in trainable(model):
        if w.ndim > 1:
            size = w[0].numel()
            incoming += [slice(at, at + size) for at in range(start, start + w.numel(), size)]
        start += w.numel()
    return incoming
