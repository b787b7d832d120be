"""Torch's random state and a model's mode and buffers: restored, or a function of a seed."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn


def private_randomness(device: torch.device | str = "cpu") -> AbstractContextManager[None]:
    """Restore torch's global random state, of the CPU and of a CUDA device in use, when the block ends."""
    return torch.random.fork_rng([device] if torch.device(device).type == "cuda" else [], device_type="cuda")


def seed_torch(seed: int, index: int, device: torch.device | str = "cpu") -> None:
    """Seed torch's global generators with a hash of two integers, such as a run's seed and its step."""
    # A hash (BLAKE2b, 63 bits), so that neighbouring steps and seeds have unrelated streams.
    digest = hashlib.blake2b(f"{seed} {index}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "little") >> 1
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
                buffer.copy_(before)
        for module, named in buffers:
            module._buffers.clear()
            module._buffers.update(named)
