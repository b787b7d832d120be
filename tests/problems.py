"""Noise whose answer is known."""

import math

import numpy as np
import torch

from tailnoise_utils import stable

P, COLUMNS = 120, 2000
LN_Z = -(np.euler_gamma + math.log(2)) / 2  # E ln|Z|, Z standard normal


def centred(X):
    X = np.asarray(X)
    return torch.from_numpy((X - X.mean(0)).astype(np.float32))


def sas(alpha, shape, *seed):
    return stable.sample(alpha, shape, generator=np.random.default_rng(seed))


def normal(shape, *seed):
    return np.random.default_rng(seed).standard_normal(shape)


def torch_seed(seed):
    return torch.Generator().manual_seed(seed)


def latent(alpha, rank, seed, rows=P, columns=COLUMNS):
    """Every coordinate a mixture of the same few factors; at alpha = 2 Gaussian with a given covariance."""
    return centred(sas(alpha, (rows, rank), 1, seed) @ normal((rank, columns), 2, seed))


def elliptical(alpha, seed, rows=P, columns=COLUMNS, centre=True):
    """SaS rows: one random scale for a whole row of Gaussian numbers."""
    if alpha == 2:
        return centred(normal((rows, columns), 5, seed))
    v, w = np.random.default_rng([3, seed]).uniform(0, np.pi, (rows, 1)), np.random.default_rng([4, seed])
    a = alpha / 2  # Kanter's formula for the positive stable law
    A = np.sin(a * v) / np.sin(v) ** (1 / a) * (np.sin((1 - a) * v) / w.standard_exponential((rows, 1))) ** (1 / a - 1)
    X = np.sqrt(2 * A) * normal((rows, columns), 5, seed)
    return centred(X) if centre else torch.from_numpy(X).float()
