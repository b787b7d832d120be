"""The originals of MNIST, CIFAR-10 and CIFAR-100, downloaded and read by torchvision, as prepared arrays.

torchvision is imported here only, and only when something is downloaded.
"""

import http.client
import importlib
import re
import socket
import ssl
import sys
import urllib.error
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch.library import Library

__all__ = ["READERS", "fetch"]

READERS = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}  # torchvision's classes
_SECONDS = 60  # without a sign of life from the server
_NETWORK = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
_declared: list[Library] = []  # kept, because what a Library declares goes with it


def fetch(name: str, folder: Path) -> dict[str, np.ndarray]:
    """Download a data set, check its MD5 sums and read it.

    Args:
        name: one of `READERS`.
        folder: where the raw files go; they are not needed any more afterwards.

    Returns:
        The uint8 arrays ``x_train`` and ``x_test`` (N, channels, height, width), ``y_train`` and ``y_test`` (N), in the
        order of the files.

    Raises:
        ImportError: there is no torchvision that can be imported.
        ConnectionError: the download failed, or what came is not the original (its MD5 sum differs).
        OSError: the folder cannot be written.
    """
    reader = getattr(_datasets(), READERS[name])
    arrays = {}
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)  # torchvision sets none, and would wait forever
    try:
        for split in ("train", "test"):
            half = reader(folder, train=split == "train", download=True)
            images = np.asarray(half.data)  # N x 28 x 28, or N x 32 x 32 x 3
            images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
            arrays[f"x_{split}"] = np.ascontiguousarray(images)
            arrays[f"y_{split}"] = np.array([int(label) for label in half.targets], np.uint8)
    except RuntimeError as error:  # torchvision's own
        problem = "what was downloaded is not the original (its MD5 sum differs)" if "corrupted" in str(error) else ""
        raise ConnectionError(f"{problem or 'the download failed'}: {_one_line(error)}") from error
    except _NETWORK as error:
        raise ConnectionError(f"the download failed: {_one_line(error)}") from error
    finally:
        socket.setdefaulttimeout(before)
    return arrays


def _datasets() -> ModuleType:
    """The module `torchvision.datasets`."""
    # Beside a CPU build of torch, the ordinary wheel of torchvision cannot load its compiled operators and fails with
    # "operator torchvision::nms does not exist" while it registers what belongs to them. Reading files needs none of
    # them: each one missed is declared, without an implementation, and the import tried again.
    while True:
        try:
            return importlib.import_module("torchvision.datasets")
        except (ImportError, RuntimeError) as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise ImportError(
                    f"torchvision cannot be imported ({_one_line(error)}): install the version that belongs to torch "
                    f"{torch.__version__} (pip install torchvision)"
                ) from error
        for module in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
            del sys.modules[module]  # half imported
        _declared.append(Library("torchvision", "FRAGMENT"))
        _declared[-1].define(f"{missing[1]}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def _one_line(error: Exception) -> str:
    """Type and message of an error, without line breaks."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
