"""One run: from its settings to what is stored of it, wherever it is computed."""

import time
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..results import store
from .spec import Progress
from .specs import Spec

__all__ = ["Finished", "finish"]


@dataclass(frozen=True)
class Finished:
    """A finished run, whole, so that it can be stored on another machine than the one that computed it.

    Attributes:
        rows: with the columns of ``store.COLUMNS``.
        record: settings and provenance, of the process that computed.
        sample: the content of a small file with one snapshot's weights, None if there is none.
    """

    rows: pd.DataFrame
    record: dict[str, Any]
    sample: bytes | None


def finish(spec: Spec, progress: Progress) -> Finished:
    """Make a run, or what is missing of it in the cache. Its rows stay there: delete them once they are stored.

    Args:
        spec: its settings.
        progress: told the share of the run that was done since it was last told.

    Returns:
        The run.
    """
    sha256 = spec.data_sha256()
    start = time.perf_counter()
    rows = spec.rows(progress)
    seconds = spec.seconds() or time.perf_counter() - start
    record = store.run_record(spec, sha256, seconds, spec.status(rows), spec.device())
    return Finished(store.to_frame(rows, record["run"]), record, spec.sample(rows))
