"""The data sets, as tensors ready for training, with the fingerprint of the images used.

``digits`` are those of scikit-learn, ``digits32`` these, enlarged to 32 x 32 pixels in three channels. The others are read
from ``<name>.npz`` in the folder that ``TAILNOISE_DATA`` names, and only there; without it from ``data`` in `cache_folder`,
where torchvision downloads them. With `PERMUTED` after its name a data set has its training labels in a random order.
"""

import hashlib
import http.client
import importlib.util
import os
import re
import shutil
import socket
import ssl
import sys
import urllib.error
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import platformdirs
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.library import Library
from torch.nn.functional import interpolate

from ..results import files

_Arrays = dict[str, np.ndarray]
_KEYS = ("x_train", "y_train", "x_test", "y_test")
PERMUTED = ", permuted labels"  # after the name of a data set: its training labels say nothing of the images
_SECONDS = 60  # without a sign of life from the server
_NETWORK = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
_declared: list[Library] = []  # kept, because what a Library declares goes with it


class DataNotFound(FileNotFoundError):
    """A data set is neither where it was looked for nor to be had by download; the message lists the ways to get it."""


@dataclass(frozen=True)
class _Kind:
    """What is fixed about a data set: shape of an image, classes, normalisation per channel, torchvision's reader."""

    shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    reader: str = ""


# The digits' mean and sd are those of the 1500 training images; the others' are the usual ones.
KINDS = {
    "digits": _Kind((1, 8, 8), 10, mean=(0.3054,), sd=(0.3758,)),
    "digits32": _Kind((3, 32, 32), 10, mean=(0.3055,) * 3, sd=(0.3235,) * 3),
    "mnist": _Kind((1, 28, 28), 10, mean=(0.1307,), sd=(0.3081,), reader="MNIST"),
    "cifar10": _Kind((3, 32, 32), 10, mean=(0.491, 0.482, 0.447), sd=(0.247, 0.243, 0.262), reader="CIFAR10"),
    "cifar100": _Kind((3, 32, 32), 100, mean=(0.5071, 0.4867, 0.4408), sd=(0.2675, 0.2565, 0.2761), reader="CIFAR100"),
}
DATASETS = tuple(KINDS)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images of one data set, or of its first images."""

    name: str  #: one of `DATASETS`, or with `PERMUTED`
    x_train: Float32[Tensor, "train channels height width"]  #: normalised training images
    y_train: Int64[Tensor, " train"]  #: their classes, 0 to ``classes - 1``
    x_test: Float32[Tensor, "test channels height width"]  #: normalised test images
    y_test: Int64[Tensor, " test"]  #: their classes
    classes: int  #: number of classes
    sha256: dict[str, str]  #: SHA-256 of each uint8 array used, by name, of its dtype, shape and bytes (row-major)

    @property
    def digest(self) -> str:
        """One SHA-256 over the four of `sha256`, which names the data that a result was measured on."""
        return hashlib.sha256("\n".join(f"{key} {self.sha256[key]}" for key in _KEYS).encode()).hexdigest()


def cache_folder() -> Path:
    """Return the folder for what can be had again, such as weights and downloads: ``TAILNOISE_CACHE`` or the platform's."""
    return Path(os.environ.get("TAILNOISE_CACHE") or platformdirs.user_cache_dir("tailnoise")).expanduser()


def load(name: str, *, n_train: int | None = None, n_test: int | None = None) -> Dataset:
    """Load a data set, or the first images of each of its halves, in the files' order (digits: of one shuffle)."""
    plain = name.removesuffix(PERMUTED)
    if plain not in KINDS:
        raise ValueError(f"unknown data set {name!r}: the data sets are {', '.join(DATASETS)}")
    kind = KINDS[plain]
    arrays = _prepared(plain, kind) if kind.reader else _digits(kind.shape)
    for split, count in (("train", n_train), ("test", n_test)):
        available = len(arrays[f"x_{split}"])
        if count is not None and not 1 <= count <= available:
            has = f"{name} has {available} {split} images"
            raise ValueError(f"n_{split} = {count}, but {has}: take 1 to {available}, or None for all")
        for key in (f"x_{split}", f"y_{split}"):
            arrays[key] = np.ascontiguousarray(arrays[key][:count])
    if plain != name:  # one order, whatever the seed of a run: the data of all runs are the same
        arrays["y_train"] = np.random.RandomState(1906).permutation(arrays["y_train"])
    mean, sd = (torch.tensor(value)[:, None, None] for value in (kind.mean, kind.sd))
    tensors = {key: torch.from_numpy(arrays[key].astype(np.float32)) for key in ("x_train", "x_test")}
    images = {key: x.div_(255).sub_(mean).div_(sd) for key, x in tensors.items()}
    labels = {key: torch.from_numpy(arrays[key].astype(np.int64)) for key in ("y_train", "y_test")}
    sha256 = {k: hashlib.sha256(f"{a.dtype}{a.shape}".encode() + a.tobytes()).hexdigest() for k, a in arrays.items()}
    return Dataset(name=name, **images, **labels, classes=kind.classes, sha256=sha256)


def _digits(shape: tuple[int, int, int]) -> _Arrays:
    """Prepare scikit-learn's digits: values 0..16 become round(255 v / 16), 1500 + 297 images after one shuffle."""
    # Its file, for importing scikit-learn takes most of a second: a row has 64 pixels and the label.
    folder = Path(importlib.util.find_spec("sklearn").origin).with_name("datasets") / "data"
    rows = np.loadtxt(folder / "digits.csv.gz", np.int64, delimiter=",")
    images = ((rows[:, :-1] * 255 + 8) // 16).reshape(-1, 1, 8, 8)
    if shape != (1, 8, 8):  # bilinearly, rounded half up: exact in float64, for weights are multiples of 1/64
        images = np.floor(interpolate(torch.from_numpy(images).double(), scale_factor=4, mode="bilinear").numpy() + 0.5)
        images = np.repeat(images, shape[0], axis=1)
    images, labels = images.astype(np.uint8), rows[:, -1].astype(np.uint8)
    # RandomState, because NumPy promises (NEP 19) that its stream never changes: the split is part of the results.
    train, test = np.split(np.random.RandomState(1901).permutation(len(images)), [1500])
    return {"x_train": images[train], "y_train": labels[train], "x_test": images[test], "y_test": labels[test]}


def _prepared(name: str, kind: _Kind) -> _Arrays:
    """Read the prepared arrays of a data set that lies in a file, downloaded if need be."""
    given = os.environ.get("TAILNOISE_DATA")
    path = (Path(given).expanduser() if given else cache_folder() / "data") / f"{name}.npz"
    if not path.is_file():
        if given:
            raise _not_found(
                path, kind, f"there is no file {path}, and nothing is downloaded while TAILNOISE_DATA is set"
            )
        _download(path, kind)
    remedy = "make the file again as the book's page 'Reproduce' shows" if given else "delete it to download it again"
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {key: np.asarray(file[key]) for key in _KEYS if key in file}
    except Exception as error:  # a damaged file raises almost anything, down to the tokenizer's errors
        raise ValueError(f"{path} is damaged or no .npz file ({type(error).__name__}: {error}): {remedy}") from error
    _check(arrays, kind, str(path), remedy)
    return arrays


def _not_found(path: Path, kind: _Kind, problem: object) -> DataNotFound:
    """Return the error of data that cannot be had, with the ways to get them."""
    return DataNotFound(
        f"no data for {path.stem!r}: {problem}. The ways to get them: with a network and without TAILNOISE_DATA, "
        f"{path.stem} is downloaded when first used. Or set TAILNOISE_DATA to a folder that holds {path.name}, with the "
        f"uint8 arrays x_train and x_test (N x {' x '.join(map(str, kind.shape))}), y_train and y_test (N): the book's "
        "page 'Reproduce' shows how to make it, or copy it from the cache of a machine with a network. Or take the data "
        "set 'digits' (the profile 'smoke'), which needs no file."
    )


def _download(path: Path, kind: _Kind) -> None:
    """Write a prepared file from the downloaded originals, whole or not at all; a second process waits for the first."""
    part = path.with_name(f".{path.stem}.part")
    with files.lock(path):
        if path.is_file():
            return
        shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed
        try:
            part.mkdir()
            arrays = _fetch(path.stem, part)
            _check(arrays, kind, f"the download of {path.stem}", "set TAILNOISE_DATA to a folder with a sound copy")
            with files.atomic(path) as file:
                np.savez(file, **arrays)
        except (ImportError, ConnectionError) as error:
            raise _not_found(path, kind, error) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _fetch(name: str, folder: Path) -> _Arrays:
    """Let torchvision download the originals of a data set into a folder, check their MD5 sums and read them."""
    reader, arrays = getattr(_torchvision_datasets(), KINDS[name].reader), {}
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)  # torchvision sets none, and would wait forever
    try:
        for split in ("train", "test"):
            half = reader(folder, train=split == "train", download=True)
            images = np.asarray(half.data)  # N x 28 x 28, or N x 32 x 32 x 3
            images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
            arrays |= {f"x_{split}": np.ascontiguousarray(images), f"y_{split}": np.asarray(half.targets, np.uint8)}
    except (RuntimeError, *_NETWORK) as error:
        corrupted = isinstance(error, RuntimeError) and "corrupted" in str(error)  # torchvision's own words
        problem = "is not the original (its MD5 sum differs)" if corrupted else "failed"
        raise ConnectionError(f"the download {problem}: {_one_line(error)}") from error
    except OSError as error:
        raise files.unwritable(folder, error) from error
    finally:
        socket.setdefaulttimeout(before)
    return arrays


def _torchvision_datasets() -> ModuleType:
    """Import `torchvision.datasets`: here only, and only when something is downloaded."""
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
    """Return type and message of an error, without line breaks."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _check(arrays: _Arrays, kind: _Kind, where: str, remedy: str) -> None:
    """Refuse arrays that are not those of such a data set."""
    for key in _KEYS:
        if key not in arrays:
            raise ValueError(f"{where} has no array {key!r} (needed: {', '.join(_KEYS)}): {remedy}")
        array, wanted = arrays[key], kind.shape if key.startswith("x") else ()
        if array.dtype != np.uint8 or array.ndim == 0 or len(array) == 0 or array.shape[1:] != wanted:
            shape = " x ".join(map(str, ("N", *wanted)))
            found = f"{array.dtype} of shape {array.shape}"
            raise ValueError(f"{where}: {key} is {found}, not uint8 of shape {shape}: {remedy}")
    for split in ("train", "test"):
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if len(images) != len(labels):
            raise ValueError(f"{where}: {len(images)} images in x_{split}, {len(labels)} labels in y_{split}: {remedy}")
        if labels.max() >= kind.classes:
            last = f"above the last class {kind.classes - 1}"
            raise ValueError(f"{where}: y_{split} holds the label {labels.max()}, {last}: {remedy}")
