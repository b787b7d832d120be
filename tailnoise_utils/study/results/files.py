"""Files and folders that several processes use: written whole or not at all, locked where more than one step is needed."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

__all__ = ["atomic", "lock", "unwritable"]


def lock(path: Path, timeout: float = -1) -> AbstractContextManager:
    """Hold the lock of a file or folder against other processes, to be left by ``with``; a killed process lets go of it.

    Args:
        path: of what is locked; its folder is made if absent.
        timeout: seconds to wait for a process that holds it; -1 waits for ever.

    Returns:
        The lock, acquired.

    Raises:
        filelock.Timeout: another process holds it.
        OSError: there is no place for the lock; the message names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_name(f".{path.name}.lock")).acquire(timeout)
    except Timeout:
        raise
    except OSError as error:
        problem = unwritable(path, error)
        raise problem from error


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: to a temporary name beside it, flushed to disk, then renamed.

    Args:
        path: of the file; its folder is made if absent, an older file replaced.

    Yields:
        The file to write to.

    Raises:
        OSError: it cannot be written, for a full disk, say; the message names the file, what was there before is
            untouched and nothing half-written is left.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        problem = unwritable(path, error)
        raise problem from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> OSError:
    """The error of a file that cannot be written, with the way out.

    Args:
        path: of the file.
        error: what the system says.

    Returns:
        An error of the same number.
    """
    way_out = "make room or name another folder (TAILNOISE_RESULTS, TAILNOISE_CACHE); then the same command goes on"
    return OSError(error.errno, f"cannot write {path}: {error.strerror or error}; {way_out}")
