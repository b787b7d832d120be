"""The networks whose gradient noise is measured, and the losses they are trained with."""

import math
from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils.noise.torch_state import private_randomness


def fcn(inputs: int, width: int, depth: int, classes: int, *, seed: int) -> nn.Sequential:
    """Make the paper's ReLU network without biases; weights start as torch's ``nn.Linear`` does, by the seed alone."""
    if depth < 2:
        raise ValueError(f"depth = {depth}: a fully connected network has 2 weight matrices or more")
    _check_sizes(inputs=inputs, width=width, classes=classes)
    sizes = [inputs, *[width] * (depth - 1), classes]
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    with private_randomness():
        torch.default_generator.manual_seed(seed)
        for i, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            layers |= {f"linear{i}": nn.Linear(fan_in, fan_out, bias=False), f"relu{i}": nn.ReLU()}
    del layers[f"relu{depth}"]  # none after the last
    return nn.Sequential(OrderedDict(layers))


def cnn(filters: int, classes: int, *, seed: int) -> nn.Sequential:
    r"""Make the convolutional network of AlexNet's kind of the paper (arXiv:1901.06053), for 3 x 32 x 32 images.

    Five convolutions of c filters leave one value a filter, s = c in all; three linear layers follow, the first two with
    :math:`h = s \lfloor 1 + \log_2 s \rfloor` outputs and dropout. All layers have biases. Initialised as :func:`fcn`.
    """
    _check_sizes(filters=filters, classes=classes)
    c, hidden = filters, filters * math.floor(1 + math.log2(filters))
    with private_randomness():
        torch.default_generator.manual_seed(seed)
        layers: dict[str, nn.Module] = {"conv1": nn.Conv2d(3, c, 4, stride=2, padding=2), "relu1": nn.ReLU()}
        layers |= {"pool1": nn.MaxPool2d(3, 2), "conv2": nn.Conv2d(c, c, 5, padding=2), "relu2": nn.ReLU()}
        layers["pool2"] = nn.MaxPool2d(3, 2)
        for i in (3, 4, 5):
            layers |= {f"conv{i}": nn.Conv2d(c, c, 3, padding=1), f"relu{i}": nn.ReLU()}
        layers |= {"pool3": nn.MaxPool2d(3, 2), "flatten": nn.Flatten()}
        layers |= {"dropout1": nn.Dropout(0.5), "linear1": nn.Linear(c, hidden), "relu6": nn.ReLU()}
        layers |= {"dropout2": nn.Dropout(0.5), "linear2": nn.Linear(hidden, hidden), "relu7": nn.ReLU()}
        layers["linear3"] = nn.Linear(hidden, classes)
    return nn.Sequential(OrderedDict(layers))


def linear_hinge(outputs: Float[Tensor, "b classes"], y: Int64[Tensor, " b"]) -> Float[Tensor, ""]:
    r"""Compute the linear hinge loss: the mean over samples and classes of :math:`\max(0, 1 - t f)`, t = +1 or -1."""
    classes = outputs.shape[1]
    if y.device.type == "cpu":  # reading from a GPU would wait for it; torch itself stops, with an assertion
        for label in (int(y.min()), int(y.max())) if len(y) else ():
            if not 0 <= label < classes:
                known = f"with {classes} outputs, the classes are 0 to {classes - 1}"
                raise ValueError(f"the label {label} is no class: {known}")
    signed = outputs.scatter(1, y[:, None], -outputs.gather(1, y[:, None]))  # -t f
    return (1 + signed).clamp_min(0).mean()


linear_hinge.takes_labels = True  # so that labels are checked, and errors name the minibatch


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"nll": cross_entropy, "hinge": linear_hinge}


def _check_sizes(**sizes: int) -> None:
    """Refuse a size below 1."""
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} = {value}: take 1 or more")
