"""Minibatch gradient noise U = g_i - mean: the matrix, the gradients it is made of, and the minibatches."""

from .matrix import noise_matrix
from .minibatches import Minibatches
