"""Where the runs of experiments are computed: on the CPU, or on the GPU that ``TAILNOISE_DEVICE`` names."""

import os
from pathlib import Path

import torch

from . import data


def chosen_device() -> torch.device:
    """Return the device that ``TAILNOISE_DEVICE`` names where a run is computed, such as ``cuda:1``; else the CPU."""
    name = os.environ.get("TAILNOISE_DEVICE") or "cpu"
    try:
        chosen = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"TAILNOISE_DEVICE = {name!r} is no device: set it to cpu, cuda or cuda:1, say") from error
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"TAILNOISE_DEVICE = {name!r}: runs are computed on cpu or cuda")
    if chosen.type == "cuda":
        if (count := torch.cuda.device_count()) <= (chosen.index or 0):
            raise ValueError(
                f"TAILNOISE_DEVICE = {name!r}, but torch sees {count} GPUs here: unset it, or name another"
            )
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return chosen


def kept_in(kind: str) -> Path:
    """Return the cache's folder for one kind of files; a GPU, which rounds differently from a CPU, has its own."""
    where = chosen_device().type
    return data.cache_folder() / (kind if where == "cpu" else f"{kind}-{where}")


def name(used: torch.device) -> str:
    """Return what a device is called in the table of runs."""
    return torch.cuda.get_device_name(used) if used.type == "cuda" else used.type
