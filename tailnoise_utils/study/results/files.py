"""Files and folders that several processes use: written whole or not at all, locked where more than one step is needed."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout


def lock(path: Path, timeout: float = -1) -> AbstractContextManager:
    """Lock a file or folder against other processes until ``with`` ends; wait so many seconds for it, or (-1) for ever."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_name(f".{path.name}.lock")).acquire(timeout)  # a process that is killed lets go of it
    except Timeout:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: to a temporary name in its folder, flushed to disk, then renamed."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> OSError:
    """Return the error of a file that cannot be written, of the same number, with the way out."""
    way_out = "make room or name another folder (TAILNOISE_RESULTS, TAILNOISE_CACHE); then the same command goes on"
    return OSError(error.errno, f"cannot write {path}: {error.strerror or error}; {way_out}")
