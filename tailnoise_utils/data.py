r"""The data sets, as tensors ready for training, with the fingerprint of the images used.

Images start as *prepared arrays*: uint8, ``(N, channels, height, width)``, with uint8 labels ``(N,)``. Each is divided
by 255 and normalised per channel, :math:`(x / 255 - \text{mean}) / \text{sd}`, in float32.

* ``digits``: the 1797 images of 8 x 8 pixels that come with scikit-learn; nothing to download.
* ``mnist``: 60,000 + 10,000 images of 28 x 28 pixels, read from ``mnist.npz`` in the folder named by the environment
  variable ``TAILNOISE_DATA``.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

__all__ = ["DATASETS", "DataNotFound", "Dataset", "load"]

DATASETS = ("digits", "mnist")
_KEYS = ("x_train", "y_train", "x_test", "y_test")


class DataNotFound(FileNotFoundError):
    """The file of a data set is not where it was looked for; the message lists the ways to get it."""


@dataclass(frozen=True)
class _Kind:
    """What is fixed about a data set: the shape of an image, the classes, the normalisation per channel."""

    shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]


# The digits' mean and sd are those of its 1500 training images; MNIST's are the usual ones.
_KINDS = {
    "digits": _Kind(shape=(1, 8, 8), classes=10, mean=(0.3054,), sd=(0.3758,)),
    "mnist": _Kind(shape=(1, 28, 28), classes=10, mean=(0.1307,), sd=(0.3081,)),
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images of one data set, or of its first images.

    Attributes:
        name: one of `DATASETS`.
        x_train: normalised training images.
        y_train: their classes, 0 to ``classes - 1``.
        x_test: normalised test images.
        y_test: their classes.
        classes: number of classes.
        sha256: SHA-256 of each uint8 array used, by name: of its dtype, shape and bytes (row-major).
    """

    name: str
    x_train: Float32[Tensor, "train channels height width"]
    y_train: Int64[Tensor, " train"]
    x_test: Float32[Tensor, "test channels height width"]
    y_test: Int64[Tensor, " test"]
    classes: int
    sha256: dict[str, str]

    @property
    def digest(self) -> str:
        """One SHA-256 over the four of `sha256`: the name of the data a result was measured on."""
        return hashlib.sha256("\n".join(f"{key} {self.sha256[key]}" for key in _KEYS).encode()).hexdigest()


def load(name: str, *, n_train: int | None = None, n_test: int | None = None) -> Dataset:
    """Load a data set, or the first images of each of its halves.

    The order is fixed: the file's for ``mnist``, that of one shuffle for ``digits`` (1500 training, 297 test images).
    A subset is the first ``n_train`` and ``n_test`` images in that order, so a smaller one is part of a larger one.

    Args:
        name: one of `DATASETS`.
        n_train: number of training images; None for all.
        n_test: number of test images; None for all.

    Returns:
        The images, their classes and the SHA-256 of what was used.

    Raises:
        DataNotFound: if the file of the data set is not there.
        ValueError: for an unknown name, a number of images below 1 or above what there is, or a malformed file.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: the data sets are {', '.join(DATASETS)}")
    kind = _KINDS[name]
    if name == "digits":
        arrays = _digits()
    else:
        folder = os.environ.get("TAILNOISE_DATA")
        path = Path(folder or "").expanduser() / f"{name}.npz"
        if not folder or not path.is_file():
            problem = f"there is no file {path}" if folder else "the environment variable TAILNOISE_DATA is not set"
            raise DataNotFound(f"no data for {name!r}: {problem}. {_ways(path, kind)}")
        arrays = _read(path, kind)
    for split, count in (("train", n_train), ("test", n_test)):
        there = len(arrays[f"x_{split}"])
        if count is not None and not 1 <= count <= there:
            raise ValueError(
                f"n_{split} = {count}, but {name} has {there} {split} images: take 1 to {there}, or None for all"
            )
        for key in (f"x_{split}", f"y_{split}"):
            arrays[key] = np.ascontiguousarray(arrays[key][:count])
    return Dataset(
        name=name,
        x_train=_normalise(arrays["x_train"], kind),
        y_train=torch.from_numpy(arrays["y_train"].astype(np.int64)),
        x_test=_normalise(arrays["x_test"], kind),
        y_test=torch.from_numpy(arrays["y_test"].astype(np.int64)),
        classes=kind.classes,
        sha256={key: _sha256(arrays[key]) for key in _KEYS},
    )


def _digits() -> dict[str, np.ndarray]:
    """Prepared arrays of scikit-learn's digits: values 0..16 become round(255 v / 16), 1500 + 297 after one shuffle."""
    from sklearn.datasets import load_digits  # here, because importing scikit-learn takes longer than all the rest

    bunch = load_digits()
    images = ((bunch.images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.uint8)
    # RandomState, because NumPy promises (NEP 19) that its stream never changes: the split is part of the results.
    train, test = np.split(np.random.RandomState(1901).permutation(len(images)), [1500])
    return {"x_train": images[train], "y_train": labels[train], "x_test": images[test], "y_test": labels[test]}


def _ways(path: Path, kind: _Kind) -> str:
    """The ways to get the data, for an error message."""
    return (
        f"Either set TAILNOISE_DATA to a folder that holds {path.name}, with the uint8 arrays x_train and x_test "
        f"(N x {' x '.join(map(str, kind.shape))}), y_train and y_test (N): the book's page 'Reproduce' shows how to "
        "make it from the original files. Or take the data set 'digits' (the profile 'smoke'), which needs no file."
    )


def _read(path: Path, kind: _Kind) -> dict[str, np.ndarray]:
    """The four arrays of a prepared file, checked; pickled objects are refused."""
    remedy = "make the file again as the book's page 'Reproduce' shows"
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {key: np.asarray(file[key]) for key in _KEYS if key in file}
    except Exception as error:  # a damaged file raises almost anything, down to the tokenizer's errors
        raise ValueError(f"{path} is damaged or no .npz file ({type(error).__name__}: {error}): {remedy}") from error
    for key in _KEYS:
        if key not in arrays:
            raise ValueError(f"{path} has no array {key!r} (needed: {', '.join(_KEYS)}): {remedy}")
        array, wanted = arrays[key], kind.shape if key.startswith("x") else ()
        if array.dtype != np.uint8 or array.ndim == 0 or len(array) == 0 or array.shape[1:] != wanted:
            shape = " x ".join(map(str, ("N", *wanted)))
            raise ValueError(
                f"{path}: {key} is {array.dtype} of shape {array.shape}, not uint8 of shape {shape}: {remedy}"
            )
    for split in ("train", "test"):
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if len(images) != len(labels):
            raise ValueError(f"{path}: {len(images)} images in x_{split}, {len(labels)} labels in y_{split}: {remedy}")
        if labels.max() >= kind.classes:
            raise ValueError(
                f"{path}: y_{split} holds the label {labels.max()}, above the last class {kind.classes - 1}: {remedy}"
            )
    return arrays


def _normalise(images: UInt8[np.ndarray, "n c h w"], kind: _Kind) -> Float32[Tensor, "n c h w"]:
    """Images over 255, less the mean and over the sd of their channel, in place after one conversion to float32."""
    x = images.astype(np.float32)
    x /= 255
    x -= np.array(kind.mean, np.float32)[:, None, None]
    x /= np.array(kind.sd, np.float32)[:, None, None]
    return torch.from_numpy(x)


def _sha256(array: np.ndarray) -> str:
    """SHA-256 of an array's dtype, shape and row-major bytes."""
    digest = hashlib.sha256(f"{array.dtype.name}{array.shape}".encode())
    digest.update(array)
    return digest.hexdigest()
