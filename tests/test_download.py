"""torchvision's own readers, on small files in the original formats, from a server on this machine."""

import gc
import gzip
import hashlib
import http.server
import io
import os
import pickle
import re
import socket
import subprocess
import sys
import tarfile
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tailnoise_utils.study.networks import data

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.slow,
    # Python 3.12 and 3.13, of torchvision's tarfile.extractall
    pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter extracted tar:DeprecationWarning"),
    # torchvision leaves the answers that it could not use to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
MNIST = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
NAMES = ("mnist", "cifar10", "cifar100")
TAR = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
BATCHES = {"cifar10": [f"data_batch_{i}" for i in range(1, 6)], "cifar100": ["train"]}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, in silence."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served; an empty cache; no way to the network outside."""
    monkeypatch.delenv("TAILNOISE_DATA", raising=False)
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
    with warnings.catch_warnings():  # here and now, not in a later test
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        gc.collect()


def md5(content: bytes) -> str:
    """MD5 as torchvision's tables have it."""
    return hashlib.md5(content).hexdigest()


class OldPickler(pickle.Pickler):
    """Writes arrays as NumPy did when CIFAR was made: a dtype's `align` is 0, not False."""

    def reducer_override(self, obj: object) -> object:
        """See pickle."""
        return (np.dtype, (obj.str.lstrip("|"), 0, 1)) if isinstance(obj, np.dtype) else NotImplemented


def pickled(content: dict) -> bytes:
    """A CIFAR batch's bytes."""
    stream = io.BytesIO()
    OldPickler(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def put_mnist(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Serve a small MNIST of 5 + 3 images; what was served."""
    folder, address = site
    pixels = np.random.default_rng(1)
    arrays = {
        "x_train": pixels.integers(0, 256, (5, 1, 28, 28), dtype=np.uint8),
        "y_train": np.array([5, 0, 4, 1, 9], np.uint8),
        "x_test": pixels.integers(0, 256, (3, 1, 28, 28), dtype=np.uint8),
        "y_test": np.array([7, 2, 1], np.uint8),
    }
    resources = []
    for name, array in zip(MNIST, arrays.values(), strict=True):
        sizes = (len(array), 28, 28) if array.ndim == 4 else (len(array),)
        header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        content = gzip.compress(header + array.tobytes())
        (folder / name).write_bytes(content)
        resources.append((name, md5(content)))
    reader = data._torchvision_datasets().MNIST
    monkeypatch.setattr(reader, "mirrors", [f"{address}absent/", address])
    monkeypatch.setattr(reader, "resources", resources)
    return arrays


def put_cifar(name: str, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Serve a small CIFAR, two training images a batch and three test images; what was served."""
    folder, address = site
    reader = getattr(data._torchvision_datasets(), data.KINDS[name].reader)
    pixels = np.random.default_rng(2)
    last = {"cifar10": 9, "cifar100": 99}[name]
    tables, arrays = {}, {}
    files = {reader.meta["filename"]: pickled({reader.meta["key"]: ["a", "b"]})}
    for split, batches, count in (("train", BATCHES[name], 2), ("test", [reader.test_list[0][0]], 3)):
        x = pixels.integers(0, 256, (count * len(batches), 3, 32, 32), dtype=np.uint8)
        y = pixels.integers(0, last, len(x))
        y[0] = last
        for i, batch in enumerate(batches):
            part = slice(count * i, count * (i + 1))
            labels = {"cifar10": {"labels": y[part].tolist()}, "cifar100": {"fine_labels": y[part].tolist()}}[name]
            other = {"coarse_labels": [0] * count} if name == "cifar100" else {}
            files[batch] = pickled({"data": x[part].reshape(count, -1)} | labels | other)
        arrays |= {f"x_{split}": x, f"y_{split}": y.astype(np.uint8)}
        tables[f"{split}_list"] = [[batch, md5(files[batch])] for batch in batches]
    with tarfile.open(folder / TAR[name], "w:gz") as tar:
        for file, content in files.items():
            entry = tarfile.TarInfo(f"{reader.base_folder}/{file}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    monkeypatch.setattr(reader, "url", address + TAR[name])
    monkeypatch.setattr(reader, "tgz_md5", md5((folder / TAR[name]).read_bytes()))
    monkeypatch.setattr(reader, "meta", reader.meta | {"md5": md5(files[reader.meta["filename"]])})
    for table, value in tables.items():
        monkeypatch.setattr(reader, table, value)
    return arrays


def put(name: str, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Serve one of the small data sets."""
    return put_mnist(site, monkeypatch) if name == "mnist" else put_cifar(name, site, monkeypatch)


def left() -> list[str]:
    """What is in the cache, but for the locks."""
    names = [path.name for path in data.cache_folder().rglob("*") if path.suffix != ".lock"]
    return sorted(set(names) - {"data"})


@pytest.mark.parametrize("name", NAMES)
def test_originals_are_downloaded_checked_and_read(
    name: str, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = put(name, site, monkeypatch)
    images = data.load(name)
    assert left() == [f"{name}.npz"]
    with np.load(data.cache_folder() / "data" / f"{name}.npz") as file:
        for key, array in served.items():
            assert file[key].dtype == np.uint8
            np.testing.assert_array_equal(file[key], array)
    for path in site[0].iterdir():
        path.unlink()
    assert data.load(name).digest == images.digest  # from the cache
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", NAMES)
def test_a_corrupted_original_is_refused(name: str, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    put(name, site, monkeypatch)
    path = site[0] / TAR.get(name, "t10k-labels-idx1-ubyte.gz")
    content = bytearray(path.read_bytes())
    content[4] ^= 1  # the time in gzip's header: it still unpacks
    path.write_bytes(content)
    with pytest.raises(
        data.DataNotFound, match=rf"'{name}': .* not the original \(its MD5 sum differs\).*TAILNOISE_DATA"
    ):
        data.load(name)
    assert left() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_server_without_the_file_is_a_failed_download(
    name: str, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(name, site, monkeypatch)
    for path in site[0].iterdir():
        path.unlink()
    with pytest.raises(
        data.DataNotFound, match=rf"'{name}': the download failed: .*404.*TAILNOISE_DATA.*'digits'"
    ) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert left() == []


@pytest.mark.parametrize("name", NAMES)
def test_no_network_is_a_failed_download(name: str, site: tuple[Path, str]) -> None:
    with pytest.raises(data.DataNotFound, match=rf"'{name}': the download failed: .*refused.*TAILNOISE_DATA"):
        data.load(name)  # from the true addresses, through a proxy that is not there
    assert left() == []


def test_a_server_that_falls_silent_is_given_up(site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    put_cifar("cifar10", site, monkeypatch)
    monkeypatch.setattr(data, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(data._torchvision_datasets().CIFAR10, "url", address + TAR["cifar10"])
        with pytest.raises(data.DataNotFound, match=r"the download failed: .*timed out"):
            data.load("cifar10")


def test_a_full_disk_during_the_download_is_no_matter_of_the_network(
    site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_cifar("cifar10", site, monkeypatch)

    def full(url: str, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data._torchvision_datasets().utils, "_urlretrieve", full)
    with pytest.raises(OSError, match=r"cannot write .*cifar10.*No space left.*TAILNOISE_CACHE") as caught:
        data.load("cifar10")
    assert not isinstance(caught.value, data.DataNotFound)
    assert left() == []


@pytest.mark.parametrize("kind", ["absent", "broken"])
def test_without_torchvision_the_way_out_is_named(
    kind: str, site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, module)
    if kind == "absent":
        monkeypatch.setitem(sys.modules, "torchvision", None)
    else:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('compiled for another torch')")
        monkeypatch.syspath_prepend(tmp_path)
    wanted = (
        rf"'mnist': torchvision cannot be imported .* torch {re.escape(torch.__version__)} \(pip install torchvision\)"
    )
    with pytest.raises(data.DataNotFound, match=rf"{wanted}.*TAILNOISE_DATA"):
        data.load("mnist")
    assert left() == []


def python(code: str, *folders: Path) -> str:
    """What a fresh interpreter prints, in which warnings are errors."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*folders, ROOT)))}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_torchvision_is_imported_only_when_needed() -> None:
    printed = python(
        "import sys; from tailnoise_utils.study.networks import data; print('torchvision' in sys.modules); "
        "print(data._torchvision_datasets().MNIST.__module__)"
    )
    assert printed.split() == ["False", "torchvision.datasets.mnist"]


@pytest.mark.parametrize("missing", [(), ("first",), ("first", "second")])
def test_missing_operators_are_declared(missing: tuple[str, ...], tmp_path: Path) -> None:
    """A package that registers something for operators that are not there, as torchvision does beside a CPU torch."""
    package = tmp_path / "torchvision"
    package.mkdir()
    registrations = "".join(f"torch.library.register_fake('torchvision::{name}')(print)\n" for name in missing)
    (package / "__init__.py").write_text(
        f"import torch\nfrom . import counted\n{registrations}from . import datasets\n"
    )
    (package / "counted.py").write_text("print('loaded')\n")
    (package / "datasets.py").write_text("from . import counted\n")
    printed = python(
        "import gc, torch; from tailnoise_utils.study.networks import data; "
        "print(data._torchvision_datasets().__name__); gc.collect(); "
        "import torchvision; print(len(data._declared)); "
        f"print(all(hasattr(torch.ops.torchvision, name) for name in {missing}))",
        tmp_path,
    )
    tries = len(missing) + 1
    assert printed.split() == ["loaded"] * tries + ["torchvision.datasets", str(len(missing)), "True"]
