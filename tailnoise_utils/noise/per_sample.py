"""Gradients of single samples at some coordinates, for how many images a coordinate of the gradient sees."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn
from torch.nn import functional

from .torch_state import as_found

__all__ = ["images_per_coordinate", "per_sample_gradients"]


def per_sample_gradients(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Float[Tensor, "n ..."],
    y: Int64[Tensor, " n"],
    columns: Int64[Tensor, " c"],
) -> Float[Tensor, "n c"]:
    r"""Compute the gradient of every sample's own loss at some coordinates, in eval mode.

    Of a linear layer, :math:`\partial \ell_i / \partial W_{oq} = \delta_{io} a_{iq}` with its input a and the derivative
    delta of the loss by its output; of a convolution the same, summed over the places of the output, a being the patches
    of the input. Nothing is computed at other coordinates.

    Args:
        model: a network of which every trainable parameter is the weight or bias of an ``nn.Linear`` or an ungrouped
            ``nn.Conv2d`` that is used once.
        loss_fn: mean loss of several samples from the outputs and the classes.
        x: inputs.
        y: classes.
        columns: coordinates, in the order of ``model.parameters()``, flattened row-major; increasing.

    Returns:
        One row a sample.

    Raises:
        ValueError: another kind of layer owns a parameter.
    """
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}
    layers = [module for module in model.modules() if next(module.parameters(recurse=False), None) is not None]
    if other := [type(m).__name__ for m in layers if not isinstance(m, nn.Linear | nn.Conv2d)]:
        raise ValueError(
            f"parameters of {', '.join(other)}: only nn.Linear and nn.Conv2d have gradients by sample here"
        )
    hooks = [m.register_forward_hook(lambda m, a, out: seen.__setitem__(m, (a[0].detach(), out))) for m in layers]
    try:
        with as_found(model), torch.enable_grad():
            model.eval()
            loss = loss_fn(model(x), y) * len(x)  # every sample's own loss, summed
            deltas = torch.autograd.grad(loss, [seen[m][1] for m in layers])
    finally:
        for hook in hooks:
            hook.remove()
    parts, start = [], 0
    for module, delta in zip(layers, deltas, strict=True):
        a = seen[module][0]
        if isinstance(module, nn.Conv2d):
            a = functional.unfold(a, module.kernel_size, module.dilation, module.padding, module.stride)
        else:
            a = a.reshape(len(x), -1, a.shape[-1]).transpose(1, 2)
            delta = delta.reshape(len(x), -1, delta.shape[-1]).transpose(1, 2)
        delta = delta.reshape(len(x), delta.shape[1], -1)  # n x outputs x places; a: n x inputs x places
        for name, w in module.named_parameters(recurse=False):
            at = columns[(columns >= start) & (columns < start + w.numel())] - start
            start += w.numel()
            d = delta[:, at // (w[0].numel() if name == "weight" else 1)]
            parts.append((d * a[:, at % w[0].numel()] if name == "weight" else d).sum(2))
    return torch.cat(parts, 1)


def images_per_coordinate(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Float[Tensor, "n ..."],
    y: Int64[Tensor, " n"],
    columns: Int64[Tensor, " c"],
    *,
    chunk: int = 500,
) -> Float64[Tensor, " c"]:
    r"""Count how many samples a coordinate of the gradient effectively sees.

    .. math:: n_{\mathrm{eff},j} = \frac{(\sum_i g_{ij}^2)^2}{\sum_i g_{ij}^4}, \qquad
        \mathrm{events}_j = b\, n_{\mathrm{eff},j} / n

    between 1 (one sample has all of the gradient) and n (all samples have gradients of one size).

    Args:
        model: as :func:`per_sample_gradients`.
        loss_fn: the same.
        x: all n samples.
        y: their classes.
        columns: coordinates, increasing.
        chunk: samples in one backward pass.

    Returns:
        n_eff of every coordinate; NaN where no sample has a gradient.
    """
    sums = torch.zeros(2, len(columns), dtype=torch.float64, device=x.device)
    for inputs, classes in zip(x.split(chunk), y.split(chunk), strict=True):
        squares = per_sample_gradients(model, loss_fn, inputs, classes, columns).double().square()
        sums += torch.stack([squares.sum(0), squares.square().sum(0)])
    return sums[0].square() / sums[1]
