"""A network's weights as an ``.npz`` archive, with plain values that go with them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import nn

__all__ = ["iteration_of", "load_weights", "save_weights"]


def save_weights(file: IO[bytes] | BytesIO, model: nn.Module, **more: float | int | str) -> None:
    """Write a model's weights and buffers as an ``.npz`` archive.

    Args:
        file: open for writing.
        model: the network.
        more: plain values to go with them.
    """
    state = {f"state/{name}": value.cpu().numpy() for name, value in model.state_dict().items()}
    np.savez(file, **state, **{name: np.array(value) for name, value in more.items()})


def load_weights(path: Path, model: nn.Module) -> dict[str, np.ndarray]:
    """Read what :func:`save_weights` wrote into a model.

    Args:
        path: of the archive.
        model: the network.

    Returns:
        The plain values that went with the weights.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or of another network.
    """
    with _archive(path) as file:
        model.load_state_dict({name[6:]: torch.from_numpy(file[name]) for name in file if name.startswith("state/")})
        return {name: file[name] for name in file if not name.startswith("state/")}


def iteration_of(path: Path) -> int:
    """The number of steps that went with the weights in an archive.

    Args:
        path: of the archive.

    Returns:
        The value ``iteration``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or has no such value.
    """
    with _archive(path) as file:
        return int(file["iteration"])


@contextmanager
def _archive(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Read an archive, and say of whatever goes wrong what it means."""
    try:
        with np.load(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise ValueError(f"{path} holds no weights of this network ({error}): delete it and run again") from error
