"""Gradients of single samples at some coordinates: how many samples a coordinate of the gradient sees."""

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn
from torch.nn import functional

from .gradient import Loss
from .torch_state import as_found


def _by_layer(
    model: nn.Module, loss_fn: Loss, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"]
) -> Iterator[tuple[nn.Module, list[nn.Parameter], Float[Tensor, "n o places"], Float[Tensor, "n i places"]]]:
    """Yield each layer, its trainable parameters, the derivative of every sample's loss by its output, and its input."""
    # In a linear layer, dl_i / dW_oq = delta_io a_iq with its input a and the derivative delta of the loss by its output. A
    # convolution is the same with the patches of the input as a, summed over the places of the output.
    owned = {module: [w for w in module.parameters(recurse=False) if w.requires_grad] for module in model.modules()}
    layers = {module: weights for module, weights in owned.items() if weights}
    if other := [type(module).__name__ for module in layers if not _supported(module)]:
        raise ValueError(
            f"parameters of {', '.join(other)}: only nn.Linear and nn.Conv2d have gradients by sample here (the latter "
            "ungrouped, padded with a number of zeros)"
        )
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def keep(module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
        seen[module] = args[0].detach(), output
        return output.clone()  # what follows may change it in place

    hooks = [module.register_forward_hook(keep) for module in layers]
    try:
        with as_found(model), torch.enable_grad():
            model.eval()
            loss = loss_fn(model(x), y) * len(x)  # every sample's own loss, summed
            deltas = torch.autograd.grad(loss, [seen[module][1] for module in layers])
    finally:
        for hook in hooks:
            hook.remove()
    for (module, weights), delta in zip(layers.items(), deltas, strict=True):
        a = seen[module][0]
        if isinstance(module, nn.Conv2d):
            a = functional.unfold(a, module.kernel_size, module.dilation, module.padding, module.stride)
        else:
            a = a.reshape(len(x), -1, a.shape[-1]).transpose(1, 2)
            delta = delta.reshape(len(x), -1, delta.shape[-1]).transpose(1, 2)
        yield module, weights, delta.reshape(len(x), delta.shape[1], -1), a


def per_sample_gradients(
    model: nn.Module, loss_fn: Loss, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"], columns: Int64[Tensor, " c"]
) -> Float[Tensor, "n c"]:
    """Compute the gradient of every sample's own loss at increasing coordinates of a row, in eval mode."""
    parts, start = [], 0
    for module, weights, delta, a in _by_layer(model, loss_fn, x, y):
        for w in weights:
            size = w[0].numel()  # of the weights of one output; 1 of a bias
            at = columns[(columns >= start) & (columns < start + w.numel())] - start
            start += w.numel()
            if w is module.bias:
                parts.append(delta[:, at].sum(2))
            elif len(at) * delta.shape[2] > w.numel():  # all of it takes less than the terms of these
                parts.append((delta @ a.mT).flatten(1)[:, at])
            else:
                parts.append((delta[:, at // size] * a[:, at % size]).sum(2))
    return torch.cat(parts, 1)


def per_sample_norms(
    model: nn.Module, loss_fn: Loss, x: Float[Tensor, "n ..."], y: Int64[Tensor, " n"]
) -> Float64[Tensor, " n"]:
    """Compute the norm of the gradient of every sample's own loss, of all coordinates, in eval mode."""
    # Of sum_s delta_s a_s^T, s the places of the output: the square is sum_st (delta_s . delta_t) (a_s . a_t).
    squares = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for module, weights, delta, a in _by_layer(model, loss_fn, x, y):
        errors, inputs = (v.double().mT @ v.double() for v in (delta, a))
        for w in weights:
            squares += (errors if w is module.bias else errors * inputs).sum((1, 2))
    return squares.clamp(min=0).sqrt()


def effective_number(blocks: Iterable[Float[Tensor, "samples c"]]) -> Float64[Tensor, " c"]:
    """Compute n_eff (:func:`images_per_coordinate`) of every column of the gradients of all samples, some at a time."""
    sums = 0
    for block in blocks:
        squares = block.double().square()
        sums = sums + torch.stack([squares.sum(0), squares.square().sum(0)])
    return sums[0].square() / sums[1]


def images_per_coordinate(
    model: nn.Module,
    loss_fn: Loss,
    x: Float[Tensor, "n ..."],
    y: Int64[Tensor, " n"],
    columns: Int64[Tensor, " c"],
    *,
    chunk: int = 500,
) -> Float64[Tensor, " c"]:
    r"""Count how many samples a coordinate of the gradient effectively sees, with dropout off.

    .. math:: n_{\mathrm{eff},j} = \frac{(\sum_i g_{ij}^2)^2}{\sum_i g_{ij}^4}, \qquad
        \mathrm{events}_j = b\, n_{\mathrm{eff},j} / n

    is between 1 (one sample has all of the gradient) and n (the gradients of all samples have one size).

    Args:
        model: a network in which every trainable parameter is the weight or bias of an ``nn.Linear`` or an ungrouped
            ``nn.Conv2d`` that is used once.
        loss_fn: mean loss of several samples from the outputs and the classes.
        x: all n samples.
        y: their classes.
        columns: increasing coordinates of a row of the noise matrix.
        chunk: samples in one backward pass.

    Returns:
        n_eff of every coordinate; NaN where no sample has a gradient.

    Raises:
        ValueError: another kind of layer owns a trainable parameter.
    """
    chunks = zip(x.split(chunk), y.split(chunk), strict=True)
    return effective_number(per_sample_gradients(model, loss_fn, *some, columns) for some in chunks)


def _supported(module: nn.Module) -> bool:
    """Tell whether gradients by sample follow from the layer's input and the derivative by its output."""
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return isinstance(module, nn.Linear)
