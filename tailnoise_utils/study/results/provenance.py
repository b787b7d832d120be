"""Where numbers came from: the code, the versions of what computes, the machine."""

import platform
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import scipy
import torch

from tailnoise_utils._version import __version__

_PACKAGE = Path(__file__).parents[2]


def provenance() -> dict[str, str | int]:
    """Return plain values: package version and commit, versions of what computes, and the machine."""
    cpuinfo = Path("/proc/cpuinfo")  # on Linux platform does not know
    processors = re.findall(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return _code() | {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "processor": processors[0] if processors else platform.processor() or platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
    }


@cache
def _code() -> dict[str, str]:
    """Return version and commit of this package when first asked: a later edit was not what ran."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(_PACKAGE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        dirty = "+dirty" if git("status", "--porcelain", "--", ".") else ""
        return {"version": __version__, "commit": git("rev-parse", "HEAD") + dirty}
    except (OSError, subprocess.SubprocessError):
        return {"version": __version__, "commit": "unknown (not a git checkout)"}
