"""Shared by all tests: types are checked at run time, and one copy of the project in which `make` may work."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("tailnoise_utils", "beartype.beartype")  # before anything imports the package
os.environ["OMP_NUM_THREADS"] = "1"  # of torch, without importing it where there are only workers to start
settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing of the code
settings.load_profile("any machine")

ROOT = Path(__file__).parents[1]
Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the tests' own: they neither use nor fill the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILNOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the results of smoke lie: whichever of xdist's workers needs some first makes them, for all."""
    root = tmp_path_factory.getbasetemp()
    return (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "smoke"


@pytest.fixture
def in_smoke(smoke: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use these results."""
    monkeypatch.setenv("TAILNOISE_RESULTS", str(smoke / "results"))
    monkeypatch.setenv("TAILNOISE_CACHE", str(smoke / "cache"))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the book is made from, without results: a test disturbs nobody's book and no committed result."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("book", "notebooks", "tailnoise_utils"):
        ignored = shutil.ignore_patterns("_build", "executed", "smoke", "__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, copy)
    return copy


@pytest.fixture(scope="session")
def make(checkout: Path, smoke: Path) -> Make:
    """`make` in that copy, with the interpreter's own environment, in smoke unless told otherwise."""
    environment = os.environ | {
        "TAILNOISE_RESULTS": str(smoke / "results"),
        "TAILNOISE_CACHE": str(smoke / "cache"),
        "OMP_NUM_THREADS": "1",
        "MAKEFLAGS": "",
        "MAKELEVEL": "0",
    }

    def run(*words: str, profile: str = "smoke", cwd: Path = checkout) -> subprocess.CompletedProcess[str]:
        command = ["make", *words, f"PROFILE={profile}", f"BIN={sys.prefix}/bin"]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)

    return run


@pytest.fixture(scope="session")
def book(checkout: Path, make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built book's pages, from notebooks executed in smoke."""
    done = make("book")
    assert done.returncode == 0, done.stdout + done.stderr
    html = checkout / "book" / "_build" / "html"
    assert str(html / "index.html") in done.stdout.splitlines()[-1]
    return shutil.copytree(html, tmp_path_factory.mktemp("book") / "html")
