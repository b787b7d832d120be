"""Minibatches of any size, drawn from reshuffled data, and their mean gradients."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tailnoise_utils.noise.gradient import gradient

from ..networks import data, models
from ..networks.snapshots import TrainSpec

_CHUNK = 1000  # images in one backward pass: larger minibatches are averaged, so that memory does not grow with b


def draw(n: int, b: int, count: int, seed: int) -> Iterator[Int64[Tensor, " b"]]:
    """Minibatches from random partitions of the data, of each all but the last: the noise of all of them adds up to zero.

    Args:
        n: samples in the data.
        b: samples in a minibatch, up to n / 2.
        count: how many minibatches.
        seed: of the run; partitions come from NumPy's generator of [5, seed, b, number of the partition].

    Yields:
        The samples of each.
    """
    drawn, partition = 0, 0
    while drawn < count:
        order = np.random.default_rng([5, seed, b, partition]).permutation(n)
        for start in range(0, min(n // b - 1, count - drawn) * b, b):
            yield torch.from_numpy(order[start : start + b])
        drawn, partition = drawn + n // b - 1, partition + 1


def mean_gradient(
    model: nn.Module, of: TrainSpec, pictures: data.Dataset, chosen: Int64[Tensor, " b"]
) -> Float[Tensor, " p"]:
    """Gradient of the mean loss of some training images, dropout off.

    Args:
        model: the network.
        of: its training.
        pictures: the data.
        chosen: which images.

    Returns:
        The gradient; of more images than fit one backward pass, the mean of several in float64.
    """
    loss_fn, total = models.LOSSES[of.loss], None
    for part in chosen.to(pictures.x_train.device).split(_CHUNK):
        batch = pictures.x_train.index_select(0, part), pictures.y_train.index_select(0, part)
        g = gradient(model, loss_fn, batch).flat()
        if len(part) == len(chosen):
            return g
        g = g.double().mul_(len(part) / len(chosen))
        total = g if total is None else total.add_(g)
    return total
