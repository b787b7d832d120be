"""The networks whose gradient noise is measured."""

import math
from itertools import pairwise

import torch
from torch import nn

__all__ = ["fcn"]


def fcn(inputs: int, width: int, depth: int, classes: int, *, seed: int) -> nn.Sequential:
    r"""Make the fully connected ReLU network without biases of the paper (arXiv:1901.06053).

    .. math:: f(x) = W_d\, \mathrm{relu}(W_{d-1} \cdots \mathrm{relu}(W_1 x)), \qquad d = \text{depth}

    An image is flattened first. There are ``inputs * width + (depth - 2) * width**2 + width * classes`` parameters, in
    the order :math:`W_1, \ldots, W_d`, each matrix outputs x inputs and row-major. They start as torch's ``nn.Linear``
    does by default, uniform on :math:`\pm 1 / \sqrt{\text{fan in}}`, drawn on the CPU from a generator of their own:
    the seed alone decides them, and the global random state is not touched.

    Args:
        inputs: number of values per sample (784 for MNIST).
        width: units in each hidden layer.
        depth: number of weight matrices, at least 2.
        classes: number of outputs.
        seed: of the initial weights, as ``torch.manual_seed(seed)`` before building the layers would give them.

    Returns:
        The network, on the CPU, in training mode.

    Raises:
        ValueError: if a size is below its least value.

    Examples:
        >>> model = fcn(784, 128, 3, 10, seed=0)
        >>> [tuple(w.shape) for w in model.parameters()]
        [(128, 784), (128, 128), (10, 128)]
    """
    if depth < 2:
        raise ValueError(f"depth = {depth}: a fully connected network has 2 weight matrices or more")
    for name, value in (("inputs", inputs), ("width", width), ("classes", classes)):
        if value < 1:
            raise ValueError(f"{name} = {value}: take 1 or more")
    sizes = [inputs, *[width] * (depth - 1), classes]
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes):
        linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=False)
        nn.init.kaiming_uniform_(linear.weight, a=math.sqrt(5), generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
