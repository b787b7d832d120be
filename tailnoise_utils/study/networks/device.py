"""Where the runs of experiments are computed: on the CPU, or on the GPU that ``TAILNOISE_DEVICE`` names."""

import os
from pathlib import Path

import torch

from . import data

__all__ = ["device", "kept_in", "name"]


def device() -> torch.device:
    """The device that ``TAILNOISE_DEVICE`` names where a run is computed, such as ``cuda`` or ``cuda:1``; else the CPU.

    On a GPU convolutions are computed in float32 (not TF32, which cuDNN takes by default and whose rounding noise would be
    measured as gradient noise), by deterministic algorithms as far as cuDNN has them.

    Returns:
        The device.

    Raises:
        ValueError: a name that torch does not know, a device that is neither, or one that is not there.
    """
    named = os.environ.get("TAILNOISE_DEVICE") or "cpu"
    try:
        found = torch.device(named)
    except RuntimeError as error:
        raise ValueError(f"TAILNOISE_DEVICE = {named!r} is no device: set it to cpu, cuda or cuda:1, say") from error
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"TAILNOISE_DEVICE = {named!r}: runs are computed on cpu or cuda")
    if found.type == "cuda":
        if (there := torch.cuda.device_count()) <= (found.index or 0):
            raise ValueError(
                f"TAILNOISE_DEVICE = {named!r}, but torch sees {there} GPUs here: unset it, or name another"
            )
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return found


def kept_in(kind: str) -> Path:
    """Folder of the cache for what runs leave: a GPU rounds differently from a CPU, and has its own.

    Args:
        kind: of what is kept.

    Returns:
        The folder, there or not.
    """
    where = device().type
    return data.cache_folder() / (kind if where == "cpu" else f"{kind}-{where}")


def name(of: torch.device) -> str:
    """What the device is called in the table of runs."""
    return torch.cuda.get_device_name(of) if of.type == "cuda" else of.type
