"""Results: a parquet file of rows an experiment and profile, the runs with settings and provenance in its metadata."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .files import atomic, lock
from .provenance import provenance

SCHEMA = 1
COLUMNS = {
    "run": "str",  # first 16 digits of the run's digest
    "iteration": "int64",  # steps of training done, 0 where nothing is trained
    "split": "str",  # train or test; "" for synthetic data
    "scope": "str",  # "all" for the whole network; the estimator for synthetic data
    "quantity": "str",
    "x": "float64",  # abscissa of a curve, NaN where there is none
    "value": "float64",
    "se": "float64",  # standard error of value, NaN where there is none
}
_KEY = b"tailnoise_runs"


class OtherData(ValueError):
    """A run on another copy of the data than that of the runs that are stored."""


@dataclass(frozen=True)
class Results:
    """The stored results of one experiment in one profile."""

    rows: pd.DataFrame  #: one line a number, with the columns of `COLUMNS`
    #: one line a run, with its `run` name, every setting, the data's SHA-256, versions, device, wall time
    runs: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Return the rows joined with the settings of their run."""
        return self.rows.merge(self.runs, on="run", validate="many_to_one")

    def records(self) -> list[dict[str, Any]]:
        """Return the runs as plain records, as `write` takes them."""
        return self.runs.to_dict("records")


def to_frame(rows: list[dict[str, Any]], run: str) -> pd.DataFrame:
    """Complete a run's rows, of `quantity` and `value` at least, to a table with the columns of `COLUMNS`."""
    blank = {"run": run, "iteration": 0, "split": "", "scope": "all", "x": float("nan"), "se": float("nan")}
    return pd.DataFrame([blank | row for row in rows])[list(COLUMNS)].astype(COLUMNS)


def digest(spec: Any, **more: Any) -> str:
    """Return the SHA-256 of the canonical JSON of a spec (a dataclass) and of what else names its result, such as data."""
    content = {"kind": type(spec).__name__, "spec": asdict(spec), "schema": SCHEMA, **more}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def path_of(experiment: str, profile: str) -> Path:
    """Return the results file of an experiment: below ``TAILNOISE_RESULTS``, by default ``notebooks/results``."""
    root = os.environ.get("TAILNOISE_RESULTS") or Path(__file__).parents[3] / "notebooks" / "results"
    return Path(root) / profile / f"{experiment}.parquet"


def run_record(
    spec: Any, data_sha256: str, seconds: float, status: str = "complete", device: str = "cpu"
) -> dict[str, Any]:
    """Return the record of a finished run: its names, every setting, and where its numbers came from."""
    names = {"run": digest(spec, data=data_sha256)[:16], "spec_digest": digest(spec), "data_sha256": data_sha256}
    return names | flat(asdict(spec)) | {"status": status, "seconds": seconds, "device": device} | provenance()


def write(path: Path, rows: pd.DataFrame, runs: list[dict[str, Any]]) -> None:
    """Write a results file, whole or not at all, from rows and one record a run, as `run_record` makes them."""
    if set(rows.columns) != set(COLUMNS):
        raise ValueError(f"columns {sorted(rows.columns)} are not the schema's {sorted(COLUMNS)}")
    unknown = set(rows["run"]) - {record["run"] for record in runs}
    if unknown:
        raise ValueError(f"rows of unknown runs {sorted(unknown)}: pass the records of all runs")
    table = pa.Table.from_pandas(rows[list(COLUMNS)].astype(COLUMNS), preserve_index=False)
    content = {"schema": SCHEMA, "runs": runs, "sha256": _seal(rows, runs)}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(content).encode()})
    with atomic(path) as file:
        pq.write_table(table, file, compression="zstd")


def _seal(rows: pd.DataFrame, runs: list[dict[str, Any]]) -> str:
    """Return the SHA-256 of all rows and runs: whatever is changed in a file afterwards is noticed."""
    seal = hashlib.sha256(json.dumps(runs, sort_keys=True).encode())
    for name, kind in COLUMNS.items():
        values = "\0".join(rows[name].to_numpy(object)).encode() if kind == "str" else rows[name].to_numpy(kind)
        if kind == "float64":  # a file holds one kind of NaN, arithmetic makes several
            values = np.where(np.isnan(values), np.nan, values)
        seal.update(values if kind == "str" else values.tobytes())
    return seal.hexdigest()


def flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Put the settings of an inner spec on one level with the outer ones."""
    plain: dict[str, Any] = {}
    for name, value in settings.items():
        plain |= flat(value) if isinstance(value, dict) else {name: value}
    return plain


def append(path: Path, rows: pd.DataFrame, record: dict[str, Any]) -> None:
    """Add one run to a results file that other processes may add to; a run that is stored already is left alone."""
    with lock(path):
        for stale in path.parent.glob(f".{path.name}.*.part"):
            stale.unlink()  # of a process that was killed: whoever writes holds the lock
        if not path.exists():
            write(path, rows, [record])
        elif record["run"] not in set((before := read(path)).runs["run"]):
            records = before.records()
            check_data(path, data_of(record), record["data_sha256"], records)
            write(path, pd.concat([before.rows, rows], ignore_index=True), [*records, record])


def check_data(path: Path, data: tuple[Any, ...], sha256: str, records: list[dict[str, Any]]) -> None:
    """Refuse a run (OtherData) if a stored one read the same data set and sizes from another copy of the data."""
    used = {record["data_sha256"] for record in records if data_of(record) == data}
    if other := used - {sha256}:
        raise OtherData(
            f"the runs in {path} used data with SHA-256 {other.pop()[:16]}..., the data here has {sha256[:16]}...: "
            "give the same data, or replace all of them: the same command with --fresh"
        )


def data_of(settings: dict[str, Any]) -> tuple[Any, ...]:
    """Return the settings that decide which data a run reads (None where it has none): equal ones mean equal data."""
    return tuple(settings.get(name) for name in ("dataset", "n_train", "n_test"))


def read(path: Path) -> Results:
    """Read a results file and check that its content belongs together."""
    way_out = f"restore it with git, or delete it and run the experiment again: {path}"
    try:
        table = pq.read_table(pa.BufferReader(path.read_bytes()))  # opened once: another process may replace it
        content = json.loads(table.schema.metadata[_KEY])
        rows, runs, schema = table.to_pandas(), pd.DataFrame(content["runs"]), content["schema"]
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a results file of this package ({error}); {way_out}") from error
    if schema != SCHEMA:
        raise ValueError(f"results of schema {schema}, this version reads schema {SCHEMA}; {way_out}")
    if list(rows.columns) != list(COLUMNS):
        raise ValueError(f"columns {list(rows.columns)} are not the schema's {list(COLUMNS)}; {way_out}")
    if content.get("sha256") != _seal(rows, content["runs"]):
        raise ValueError(f"the content does not have the checksum that it was written with; {way_out}")
    if set(rows["run"]) - set(runs.get("run", ())) or runs.get("run", pd.Series()).duplicated().any():
        raise ValueError(f"rows and runs do not belong together; {way_out}")
    copies: dict[tuple[Any, ...], set[str]] = {}
    for record in content["runs"]:
        copies.setdefault(data_of(record), set()).add(record["data_sha256"])
    for settings, digests in copies.items():
        if len(digests) > 1:
            raise ValueError(f"runs on {len(digests)} different copies of {settings} in one file; {way_out}")
    return Results(rows, runs)
