"""The data sets: what is in them, what names them, and what is said when they cannot be had."""

import errno
import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tailnoise_utils.study.networks import data

Arrays = dict[str, np.ndarray]
REAL = Path(os.environ.get("TAILNOISE_DATA") or "/absent")
IN_FILES = ("mnist", "cifar10", "cifar100")
unpickled: list[str] = []


class Trap:
    """An object that leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple:
        return unpickled.append, ("trap",)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data at hand, an empty cache."""
    monkeypatch.delenv("TAILNOISE_DATA", raising=False)
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))


def small(*shape: int, last: int = 9) -> Arrays:
    """Prepared arrays of 6 + 4 images."""
    pixels = np.random.default_rng(0)
    return {
        "x_train": pixels.integers(0, 256, (6, *shape), dtype=np.uint8),
        "y_train": np.array([3, 1, 4, 1, 5, last], np.uint8),
        "x_test": pixels.integers(0, 256, (4, *shape), dtype=np.uint8),
        "y_test": np.array([2, 6, 5, 0], np.uint8),
    }


@pytest.fixture
def arrays() -> Arrays:
    """A small stand-in for MNIST."""
    return small(1, 28, 28)


@pytest.fixture
def fetched(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were downloaded; whatever is asked for, the small MNIST comes."""
    names = []

    def fetch(name: str, folder: Path) -> Arrays:
        (folder / "raw").write_bytes(b"raw")
        names.append(name)
        return arrays

    monkeypatch.setattr(data, "_fetch", fetch)
    return names


def in_cache() -> list[str]:
    """Names of the files and folders in the cache, but for the locks."""
    return sorted(p.name for p in data.cache_folder().rglob("*") if p.name != "data" and p.suffix != ".lock")


@pytest.fixture
def file(arrays: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mnist.npz with those images, in the folder that TAILNOISE_DATA names."""
    monkeypatch.setenv("TAILNOISE_DATA", str(tmp_path))
    np.savez(tmp_path / "mnist.npz", **arrays)
    return tmp_path / "mnist.npz"


def pixels(x: torch.Tensor, mean: float, sd: float) -> np.ndarray:
    """The grey values 0..255 behind normalised images."""
    values = (x.double().numpy() * sd + mean) * 255
    np.testing.assert_allclose(values, values.round(), atol=1e-3)
    return values.round().astype(np.uint8)


def test_digits_are_scikit_learns_with_their_labels() -> None:
    digits = data.load("digits")
    assert (digits.name, digits.classes) == ("digits", 10)
    assert digits.x_train.shape == (1500, 1, 8, 8)
    assert digits.x_test.shape == (297, 1, 8, 8)
    assert digits.x_train.dtype == torch.float32
    assert digits.y_train.dtype == torch.int64
    rows = np.concatenate([pixels(x, 0.3054, 0.3758).reshape(-1, 64) for x in (digits.x_train, digits.x_test)])
    rows = np.column_stack([rows, torch.cat([digits.y_train, digits.y_test]).numpy()])
    bunch = load_digits()
    wanted = np.column_stack([np.floor(bunch.data * 255 / 16 + 0.5), bunch.target]).astype(np.int64)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, wanted.tolist()))


def test_digits_are_the_same_everywhere() -> None:
    assert data.load("digits").digest == "ea96f259fec3bd58c22e05bd30c5be760a517b2b87f0954a63f06c4d89a099ba"


def test_digits_are_shuffled() -> None:
    counts = torch.bincount(data.load("digits").y_test, minlength=10)
    assert counts.min() >= 20
    assert counts.max() <= 40


def test_digits_constants_are_those_of_the_training_images() -> None:
    x = data.load("digits").x_train.double() * 0.3758 + 0.3054  # back to 0..1
    assert x.mean().item() == pytest.approx(0.3054, abs=5e-5)
    assert x.std(correction=0).item() == pytest.approx(0.3758, abs=5e-5)


@pytest.mark.slow
def test_digits32_are_the_digits_enlarged() -> None:
    digits, large = data.load("digits"), data.load("digits32")
    assert (large.name, large.classes) == ("digits32", 10)
    for split in ("train", "test"):
        small, x = getattr(digits, f"x_{split}"), getattr(large, f"x_{split}")
        assert torch.equal(getattr(large, f"y_{split}"), getattr(digits, f"y_{split}"))
        assert x.shape == (len(small), 3, 32, 32)
        assert torch.equal(x, x[:, :1].expand_as(x))
        grey = torch.from_numpy(pixels(small, 0.3054, 0.3758)).double()
        wanted = torch.nn.functional.interpolate(grey, scale_factor=4, mode="bilinear", align_corners=False)
        np.testing.assert_array_equal(pixels(x[:, :1], 0.3055, 0.3235), np.floor(wanted.numpy() + 0.5))


def test_digits32_are_the_same_everywhere() -> None:
    assert data.load("digits32").digest == "47ab1ae85f093663d50ce154549d12a8484d62cd6189c6eee22663fdbc6af747"


def test_digits32_constants_are_those_of_the_training_images() -> None:
    x = data.load("digits32").x_train.double() * 0.3235 + 0.3055  # back to 0..1
    assert x.mean().item() == pytest.approx(0.3055, abs=5e-5)
    assert x.std(correction=0).item() == pytest.approx(0.3235, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "mean", "sd", "classes"),
    [
        ("cifar10", (0.491, 0.482, 0.447), (0.247, 0.243, 0.262), 10),
        ("cifar100", (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761), 100),
    ],
)
def test_cifar_is_normalised_per_channel(
    name: str, mean: tuple, sd: tuple, classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILNOISE_DATA", str(tmp_path))
    arrays = small(3, 32, 32, last=classes - 1)
    np.savez(tmp_path / f"{name}.npz", **arrays)
    images = data.load(name)
    assert images.classes == classes
    assert images.y_train.tolist() == arrays["y_train"].tolist()
    for split, x in (("train", images.x_train), ("test", images.x_test)):
        wanted = (arrays[f"x_{split}"] / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(sd, (3, 1, 1))
        np.testing.assert_allclose(x.numpy(), wanted, rtol=1e-5, atol=1e-6)
    arrays["y_test"][0] = classes
    np.savez(tmp_path / f"{name}.npz", **arrays)
    with pytest.raises(ValueError, match=f"y_test holds the label {classes}, above the last class {classes - 1}"):
        data.load(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_FILES)
def test_the_real_images_fit_their_constants(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (REAL / f"{name}.npz").is_file():
        pytest.skip(f"needs {name}.npz in TAILNOISE_DATA, as .ci/run has it")
    monkeypatch.setenv("TAILNOISE_DATA", str(REAL))
    images = data.load(name, n_train=20_000, n_test=9_500)
    assert len(images.x_train) == 20_000
    assert images.y_train.bincount().min() > 0.8 * 20_000 / images.classes
    torch.testing.assert_close(images.x_train.mean((0, 2, 3)), torch.zeros(images.x_train.shape[1]), atol=0.02, rtol=0)
    torch.testing.assert_close(images.x_train.std((0, 2, 3)), torch.ones(images.x_train.shape[1]), atol=0.02, rtol=0)


def test_mnist_is_read_and_normalised(file: Path, arrays: Arrays) -> None:
    mnist = data.load("mnist")
    assert (mnist.name, mnist.classes) == ("mnist", 10)
    for split, x, y in (("train", mnist.x_train, mnist.y_train), ("test", mnist.x_test, mnist.y_test)):
        wanted = (arrays[f"x_{split}"] / 255 - 0.1307) / 0.3081
        np.testing.assert_allclose(x.numpy(), wanted, rtol=1e-5, atol=1e-6)
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert y.tolist() == arrays[f"y_{split}"].tolist()


def test_a_subset_is_the_first_images(file: Path) -> None:
    full, part = data.load("mnist"), data.load("mnist", n_train=4, n_test=1)
    assert torch.equal(part.x_train, full.x_train[:4])
    assert torch.equal(part.y_train, full.y_train[:4])
    assert torch.equal(part.x_test, full.x_test[:1])
    assert torch.equal(part.y_test, full.y_test[:1])


def test_sha256_is_that_of_dtype_shape_and_bytes_of_what_is_used(file: Path, arrays: Arrays) -> None:
    digests = data.load("mnist", n_train=3).sha256
    used = arrays | {"x_train": arrays["x_train"][:3], "y_train": arrays["y_train"][:3]}
    assert digests == {
        key: hashlib.sha256(f"uint8{a.shape}".encode() + a.tobytes()).hexdigest() for key, a in used.items()
    }


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_digest_changes_with_every_array(file: Path, arrays: Arrays, key: str) -> None:
    before = data.load("mnist").digest
    assert before == data.load("mnist").digest
    arrays[key].flat[0] ^= 1
    np.savez(file, **arrays)
    assert data.load("mnist").digest != before


def test_digest_does_not_depend_on_the_memory_order(file: Path, arrays: Arrays) -> None:
    before = data.load("mnist")
    np.savez(file, **arrays | {"x_train": np.asfortranarray(arrays["x_train"])})
    after = data.load("mnist")
    assert after.digest == before.digest
    assert torch.equal(after.x_train, before.x_train)


def test_unknown_data_set_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'cifar'.*digits, digits32, mnist, cifar10, cifar100"):
        data.load("cifar")


@pytest.mark.slow
def test_every_listed_data_set_loads(file: Path) -> None:
    for name in ("cifar10", "cifar100"):
        np.savez(file.with_name(f"{name}.npz"), **small(3, 32, 32))
    for name in data.DATASETS:
        assert data.load(name, n_train=2, n_test=1).name == name


@pytest.mark.parametrize("count", [0, -1, 1501])
def test_n_train_outside_names_the_limit(count: int) -> None:
    with pytest.raises(ValueError, match=rf"n_train = {count}, .*1500 train images.*1 to 1500, or None"):
        data.load("digits", n_train=count)


@pytest.mark.parametrize("count", [0, 298])
def test_n_test_outside_names_the_limit(count: int) -> None:
    with pytest.raises(ValueError, match=rf"n_test = {count}, .*297 test images"):
        data.load("digits", n_test=count)


@pytest.mark.parametrize("folder", ["empty", "absent"])
@pytest.mark.parametrize(("name", "shape"), [("mnist", "1 x 28 x 28"), ("cifar10", "3 x 32 x 32")])
def test_data_absent_where_the_user_said_come_with_the_ways_to_get_them(
    name: str, shape: str, folder: str, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "cache" / "data").mkdir(parents=True)
    np.savez(tmp_path / "cache" / "data" / f"{name}.npz", **small(*map(int, shape.split(" x "))))
    monkeypatch.setenv("TAILNOISE_DATA", str(tmp_path / folder))
    with pytest.raises(data.DataNotFound) as caught:
        data.load(name)
    ways = (str(tmp_path / folder / f"{name}.npz"), "network", "TAILNOISE_DATA", "x_train", shape, "'Reproduce'")
    for way in (*ways, "'digits'", "'smoke'", "uint8"):
        assert way in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    assert fetched == []


def test_an_empty_variable_is_not_the_present_folder(
    file: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    file.write_bytes(b"not the data")
    monkeypatch.setenv("TAILNOISE_DATA", "")
    data.load("mnist")
    assert fetched == ["mnist"]


def test_what_is_downloaded_is_kept_and_the_raw_files_are_not(fetched: list[str], arrays: Arrays) -> None:
    first, second = data.load("mnist"), data.load("mnist", n_train=2)
    assert fetched == ["mnist"]
    assert in_cache() == ["mnist.npz"]
    assert torch.equal(second.x_train, first.x_train[:2])
    with np.load(data.cache_folder() / "data" / "mnist.npz") as file:
        for key, array in arrays.items():
            np.testing.assert_array_equal(file[key], array)


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TAILNOISE_CACHE", "~/here")
    assert data.cache_folder() == tmp_path / "here"
    for variable in (None, ""):
        monkeypatch.delenv("TAILNOISE_CACHE") if variable is None else monkeypatch.setenv("TAILNOISE_CACHE", variable)
        assert data.cache_folder().is_absolute()
        assert "tailnoise" in data.cache_folder().parts


def test_a_second_process_waits_and_downloads_nothing(
    arrays: Arrays, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, started, go = data._fetch, threading.Event(), threading.Event()

    def slow(name: str, folder: Path) -> Arrays:
        started.set()
        assert go.wait(60)
        return fetch(name, folder)

    monkeypatch.setattr(data, "_fetch", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(data.load, "mnist")
        assert started.wait(60)
        second = pool.submit(data.load, "mnist")
        time.sleep(0.2)
        assert not second.done()
        go.set()
        assert second.result().digest == first.result().digest
    assert fetched == ["mnist"]
    assert in_cache() == ["mnist.npz"]


def test_what_a_killed_download_left_is_removed(fetched: list[str]) -> None:
    part = data.cache_folder() / "data" / ".mnist.part"
    (part / "MNIST").mkdir(parents=True)
    data.load("mnist")
    assert in_cache() == ["mnist.npz"]


@pytest.mark.parametrize("problem", [ConnectionError("no route"), ImportError("no torchvision")])
def test_a_failed_download_comes_with_the_ways_and_leaves_nothing(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(name: str, folder: Path) -> Arrays:
        (folder / "raw").write_bytes(b"half")
        raise problem

    monkeypatch.setattr(data, "_fetch", fetch)
    with pytest.raises(
        data.DataNotFound, match=rf"'cifar100': {problem}\..*TAILNOISE_DATA.*3 x 32 x 32.*'digits'"
    ) as caught:
        data.load("cifar100")
    assert caught.value.__cause__ is problem
    assert in_cache() == []


def test_an_unfit_download_is_not_kept(fetched: list[str], arrays: Arrays) -> None:
    arrays["y_train"][0] = 10
    with pytest.raises(
        ValueError, match=r"download of mnist: y_train holds the label 10, above .* 9: .*TAILNOISE_DATA"
    ):
        data.load("mnist")
    assert in_cache() == []


def test_a_full_disk_leaves_nothing(fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    folder = data.cache_folder() / "data"
    with pytest.raises(OSError, match=rf"cannot write {folder / 'mnist.npz'}: No space left.*TAILNOISE_CACHE"):
        data.load("mnist")
    assert in_cache() == []


def test_a_cache_that_cannot_be_written_is_named(fetched: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(
        OSError, match=rf"cannot write {tmp_path / 'cache' / 'data' / 'mnist.npz'}: .*TAILNOISE_CACHE"
    ) as caught:
        data.load("mnist")
    assert not isinstance(caught.value, data.DataNotFound)
    assert fetched == []


def test_a_damaged_file_in_the_cache_says_to_delete_it() -> None:
    (data.cache_folder() / "data").mkdir(parents=True)
    (data.cache_folder() / "data" / "mnist.npz").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"mnist\.npz is damaged .*: delete it to download it again"):
        data.load("mnist")


@pytest.mark.parametrize("content", [b"", b"not a zip archive", "half", "bit", "npy"])
def test_a_damaged_file_is_named(file: Path, arrays: Arrays, content: bytes | str) -> None:
    good = file.read_bytes()
    if content == "half":
        file.write_bytes(good[: len(good) // 2])
    elif content == "bit":
        start = good.index(arrays["x_train"].tobytes())
        file.write_bytes(good[:start] + bytes([good[start] ^ 1]) + good[start + 1 :])
    elif content == "npy":
        with file.open("wb") as stream:
            np.save(stream, arrays["x_train"])
    else:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz is damaged or no \.npz file .*'Reproduce'"):
        data.load("mnist")


def test_pickled_objects_are_not_loaded(file: Path, arrays: Arrays) -> None:
    np.savez(file, **arrays | {"y_test": np.array([Trap()] * 4, dtype=object)})
    with pytest.raises(ValueError, match=r"mnist\.npz is damaged"):
        data.load("mnist")
    assert unpickled == []


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_a_missing_array_is_named(file: Path, arrays: Arrays, key: str) -> None:
    del arrays[key]
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=rf"no array '{key}' \(needed: x_train, y_train, x_test, y_test\)"):
        data.load("mnist")


@pytest.mark.parametrize(
    ("key", "change", "problem"),
    [
        (
            "x_train",
            lambda a: a.astype(np.float32),
            r"x_train is float32 of shape \(6, 1, 28, 28\), not uint8 of shape N x 1 x 28",
        ),
        ("x_test", lambda a: a[:, 0], r"x_test is uint8 of shape \(4, 28, 28\), not uint8 of shape N x 1 x 28 x 28"),
        ("x_train", lambda a: a[:, :, :8, :8], r"x_train is uint8 of shape \(6, 1, 8, 8\)"),
        ("x_test", lambda a: a[:0], r"x_test is uint8 of shape \(0, 1, 28, 28\)"),
        ("y_train", lambda a: a.astype(np.int64), r"y_train is int64 of shape \(6,\), not uint8 of shape N:"),
        ("y_test", lambda a: a[:, None], r"y_test is uint8 of shape \(4, 1\)"),
        ("y_test", lambda a: a[0], r"y_test is uint8 of shape \(\)"),
        ("y_train", lambda a: a[:5], r"6 images in x_train, 5 labels in y_train"),
        ("x_test", lambda a: a[:3], r"3 images in x_test, 4 labels in y_test"),
        ("y_test", lambda a: a + np.uint8(8), r"y_test holds the label 14, above the last class 9"),
    ],
)
def test_a_malformed_array_is_described(file: Path, arrays: Arrays, key: str, change, problem: str) -> None:
    arrays[key] = change(arrays[key])
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=rf"mnist\.npz: {problem}.*'Reproduce'"):
        data.load("mnist")
