"""Global random states and a model's mode and buffers: restored, or a function of a seed."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def private_randomness(device: torch.device | str = "cpu") -> Iterator[None]:
    """Restore the global random states of Python, NumPy, torch and a CUDA device in use when the block ends."""
    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 -- that of the user's code
    try:
        with torch.random.fork_rng([device] if torch.device(device).type == "cuda" else [], device_type="cuda"):
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002


def seed_generators(seed: int, index: int, device: torch.device | str = "cpu") -> None:
    """Seed these generators with a hash of two integers, such as a run's seed and its step."""
    # A hash (BLAKE2b, 63 bits), so that neighbouring steps and seeds have unrelated streams.
    digest = hashlib.blake2b(f"{seed} {index}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "little") >> 1
    random.seed(key)
    np.random.seed(key % 2**32)  # noqa: NPY002
    torch.default_generator.manual_seed(key)
    if torch.device(device).type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(key)


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Restore the mode of every submodule and all buffers, also those that were replaced, when the block ends."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    values = [(buffer, buffer.clone()) for _, named in buffers for buffer in named.values() if buffer is not None]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, before in values:
                if buffer.shape != before.shape:
                    buffer.resize_(before.shape)
                if not torch.equal(buffer, before):  # an expanded view can be neither written nor changed
                    buffer.copy_(before)
        for module, named in buffers:
            now = module._buffers.items()
            if [(name, id(buffer)) for name, buffer in now] != [(name, id(buffer)) for name, buffer in named.items()]:
                module._buffers.clear()  # not of TorchScript, which lets nobody do so
                module._buffers.update(named)
