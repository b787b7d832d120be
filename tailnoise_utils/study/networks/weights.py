"""A network's weights as an ``.npz`` archive, with plain values that go with them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..results import files

_PREFIX = "state/"


def archive(model: nn.Module, **more: float | int | str) -> bytes:
    """Return a model's weights and buffers as an ``.npz`` archive, with more plain values."""
    file = BytesIO()
    state = {_PREFIX + name: value.cpu().numpy() for name, value in model.state_dict().items()}
    np.savez(file, **state, **{name: np.array(value) for name, value in more.items()})
    return file.getvalue()


def save_weights(path: Path, model: nn.Module, **more: float | int | str) -> None:
    """Write an :func:`archive`, whole or not at all."""
    with files.atomic(path) as file:
        file.write(archive(model, **more))


def load_weights(path: Path, model: nn.Module) -> dict[str, np.ndarray]:
    """Read what :func:`save_weights` wrote into a model, and return the plain values that went with the weights."""
    with _archive(path) as file:
        names = [name for name in file if name.startswith(_PREFIX)]
        model.load_state_dict({name.removeprefix(_PREFIX): torch.from_numpy(file[name]) for name in names})
        return {name: file[name] for name in file if name not in names}


def iteration_of(path: Path) -> int:
    """Read the number of steps (the value ``iteration``) that went with the weights in an archive."""
    with _archive(path) as file:
        return int(file["iteration"])


@contextmanager
def _archive(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Open an archive; of whatever is wrong with it (ValueError), say what it means."""
    try:
        with np.load(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive raises almost anything
        raise ValueError(f"{path} holds no weights of this network ({error}): delete it and run again") from error
