"""The data sets: what is in them, what names them, and what is said when they cannot be had."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tailnoise_utils import data

Arrays = dict[str, np.ndarray]
unpickled: list[str] = []


class Trap:
    """An object that leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple:
        return unpickled.append, ("trap",)


@pytest.fixture
def arrays() -> Arrays:
    """A small stand-in for MNIST: 6 + 4 images."""
    pixels = np.random.default_rng(0)
    return {
        "x_train": pixels.integers(0, 256, (6, 1, 28, 28), dtype=np.uint8),
        "y_train": np.array([3, 1, 4, 1, 5, 9], np.uint8),
        "x_test": pixels.integers(0, 256, (4, 1, 28, 28), dtype=np.uint8),
        "y_test": np.array([2, 6, 5, 0], np.uint8),
    }


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
    found = np.concatenate([pixels(x, 0.3054, 0.3758).reshape(-1, 64) for x in (digits.x_train, digits.x_test)])
    found = np.column_stack([found, torch.cat([digits.y_train, digits.y_test]).numpy()])
    bunch = load_digits()
    wanted = np.column_stack([np.floor(bunch.data * 255 / 16 + 0.5), bunch.target]).astype(np.int64)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, wanted.tolist()))


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


def test_mnist_is_read_and_normalised(file: Path, arrays: Arrays) -> None:
    mnist = data.load("mnist")
    assert (mnist.name, mnist.classes) == ("mnist", 10)
    for split, x, y in (("train", mnist.x_train, mnist.y_train), ("test", mnist.x_test, mnist.y_test)):
        wanted = (arrays[f"x_{split}"] / 255 - 0.1307) / 0.3081
        np.testing.assert_allclose(x.numpy(), wanted, rtol=1e-5, atol=1e-6)
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert y.tolist() == arrays[f"y_{split}"].tolist()


def test_a_subset_is_the_first_images(file: Path) -> None:
    whole, part = data.load("mnist"), data.load("mnist", n_train=4, n_test=1)
    assert torch.equal(part.x_train, whole.x_train[:4])
    assert torch.equal(part.y_train, whole.y_train[:4])
    assert torch.equal(part.x_test, whole.x_test[:1])
    assert torch.equal(part.y_test, whole.y_test[:1])


def test_sha256_is_that_of_dtype_shape_and_bytes_of_what_is_used(file: Path, arrays: Arrays) -> None:
    found = data.load("mnist", n_train=3).sha256
    used = arrays | {"x_train": arrays["x_train"][:3], "y_train": arrays["y_train"][:3]}
    assert found == {
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
    with pytest.raises(ValueError, match=r"'cifar'.*digits, mnist"):
        data.load("cifar")


def test_every_listed_data_set_loads(file: Path) -> None:
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


@pytest.mark.parametrize("folder", [None, "", "empty", "absent"])
def test_data_that_are_absent_come_with_the_ways_to_get_them(
    folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    if folder is None:
        monkeypatch.delenv("TAILNOISE_DATA", raising=False)
    else:
        monkeypatch.setenv("TAILNOISE_DATA", folder and str(tmp_path / folder))
    with pytest.raises(data.DataNotFound) as caught:
        data.load("mnist")
    message = str(caught.value)
    assert (str(tmp_path / folder / "mnist.npz") if folder else "TAILNOISE_DATA is not set") in message
    for way in ("TAILNOISE_DATA", "mnist.npz", "x_train", "1 x 28 x 28", "'Reproduce'", "'digits'", "`smoke`", "uint8"):
        assert way.replace("`", "'") in message
    assert isinstance(caught.value, FileNotFoundError)


def test_an_unset_folder_is_not_the_present_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("TAILNOISE_DATA", "")
    with pytest.raises(data.DataNotFound):
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
