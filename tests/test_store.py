"""Results survive a round trip, and a file that is not what it should be is refused."""

import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import Timeout

from tailnoise_utils.study.results import files, store


@dataclass(frozen=True)
class Spec:
    dataset: str = "digits"
    n_train: int = 100
    n_test: int = 10
    points: tuple[int, ...] = (0, 5)
    seed: int = 0


def example(seed=0, sha256="a" * 64):
    record = store.run_record(Spec(seed=seed), sha256, seconds=1.5)
    rows = [
        {"quantity": "loss", "value": 0.25, "iteration": 5, "split": "train"},
        {"quantity": "alpha", "value": 1.5, "se": 0.1},
    ]
    return store.to_frame(rows, record["run"]), record


def write_example(path, *examples):
    frames, records = zip(*examples, strict=True)
    store.write(path, pd.concat(frames, ignore_index=True), list(records))


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "x.parquet"
    examples = [example(0), example(1)]
    write_example(path, *examples)
    results = store.read(path)
    pd.testing.assert_frame_equal(results.rows, pd.concat([frame for frame, _ in examples], ignore_index=True))
    assert results.records() == [json.loads(json.dumps(record)) for _, record in examples]
    assert list(path.parent.iterdir()) == [path]  # nothing temporary is left behind
    row = results.table().iloc[1]
    assert (row["seed"], row["value"], row["se"], row["scope"], row["split"]) == (0, 1.5, 0.1, "all", "")
    assert math.isnan(row["x"])


def test_a_run_is_named_by_its_settings_and_its_data():
    names = {example(seed, sha)[1]["run"] for seed in (0, 1) for sha in ("a", "b")}
    assert len(names) == 4
    assert store.digest(Spec()) == store.digest(Spec())
    assert store.digest(Spec()) != store.digest(replace(Spec(), points=(0, 6)))


def test_the_digest_of_a_spec_is_the_same_on_any_machine():
    content = '{"kind":"Spec","schema":1,"spec":{"dataset":"digits","n_test":10,"n_train":100,"points":[0,5],"seed":0}}'
    import hashlib

    assert store.digest(Spec()) == hashlib.sha256(content.encode()).hexdigest()


def test_provenance_says_what_computed_and_where():
    record = example()[1]
    needed = "version commit finished python torch numpy scipy device processor cpu_capability threads platform seconds"
    assert all(str(record[name]) for name in needed.split())
    assert record["threads"] >= 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    write_example(path, example())
    before = path.read_bytes()

    def full_disk(table, file, **_):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_example(path, example(1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_else_writes_while_a_run_is_added(tmp_path, monkeypatch):
    path, written = tmp_path / "x.parquet", []

    def write(*words):
        with pytest.raises(Timeout):
            files.lock(path, timeout=0.0)
        written.append(words)

    monkeypatch.setattr(store, "write", write)
    store.append(path, *example())
    assert len(written) == 1


def test_rows_without_their_run_or_with_other_columns_are_not_written(tmp_path):
    frame, record = example()
    with pytest.raises(ValueError, match="rows of unknown runs"):
        store.write(tmp_path / "x.parquet", frame, [])
    with pytest.raises(ValueError, match="are not the schema's"):
        store.write(tmp_path / "x.parquet", frame.drop(columns="se"), [record])
    assert not list(tmp_path.iterdir())


def rewrite(path, change, seal=True):
    """Change the JSON in the file's metadata, with a checksum that fits unless told otherwise."""
    table = pq.read_table(path)
    content = json.loads(table.schema.metadata[b"tailnoise_runs"])
    change(content)
    if seal:
        content["sha256"] = store._seal(table.to_pandas(), content["runs"])
    pq.write_table(table.replace_schema_metadata({b"tailnoise_runs": json.dumps(content).encode()}), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(schema=99), "results of schema 99, this version reads schema 1"),
        (lambda content: content["runs"].pop(), "rows and runs do not belong together"),
        (lambda content: content["runs"].append(content["runs"][0]), "rows and runs do not belong together"),
        (lambda content: content["runs"][0].update(data_sha256="b" * 64), "2 different copies of"),
    ],
)
def test_content_that_does_not_belong_together_is_refused(tmp_path, change, message):
    path = tmp_path / "x.parquet"
    write_example(path, example(0), example(1))
    rewrite(path, change)
    with pytest.raises(ValueError, match=message) as error:
        store.read(path)
    assert "restore it with git, or delete it" in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("change", ["a value", "a name", "a row", "a setting", "no checksum"])
def test_what_was_changed_in_a_file_is_noticed(tmp_path, change):
    path = tmp_path / "x.parquet"
    write_example(path, example(0), example(1))
    rows, metadata = pq.read_table(path).to_pandas(), pq.read_table(path).schema.metadata
    if change == "a setting":
        rewrite(path, lambda content: content["runs"][0].update(seed=7), seal=False)
    elif change == "no checksum":
        rewrite(path, lambda content: content.pop("sha256"), seal=False)
    else:
        if change == "a value":
            rows.loc[0, "value"] = np.nextafter(rows.loc[0, "value"], 9.0)
        elif change == "a name":
            rows.loc[0, "quantity"] += "s"
        else:
            rows = rows.iloc[1:].reset_index(drop=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(metadata), path)
    with pytest.raises(ValueError, match="the checksum that it was written with; restore it with git"):
        store.read(path)


def test_every_kind_of_nan_and_infinity_survives_a_round_trip(tmp_path):
    frame, record = example()
    frame["se"] = [-np.nan, -np.inf]
    frame["x"] = np.array([0xFFF8000000000123, 0x8000000000000000], dtype=np.uint64).view(float)
    store.write(tmp_path / "x.parquet", frame, [record])
    pd.testing.assert_frame_equal(store.read(tmp_path / "x.parquet").rows, frame)


@pytest.mark.slow
def test_no_bit_can_be_flipped_unnoticed(tmp_path):
    """Every byte in turn: the file is refused in one clear way, or its content is what it was."""
    path = tmp_path / "x.parquet"
    write_example(path, example())
    intact, wanted, refused = path.read_bytes(), store.read(path), 0
    for i in range(0, len(intact), 7):
        path.write_bytes(intact[:i] + bytes([intact[i] ^ 0x10]) + intact[i + 1 :])
        problem = ""
        try:
            results = store.read(path)
        except ValueError as error:
            problem = str(error)
        if problem:
            refused += 1
            assert str(path) in problem
        else:
            assert results.rows.equals(wanted.rows)
            assert results.records() == wanted.records()
    assert refused > len(intact) / 7 / 2


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(FileNotFoundError):
        store.read(path)
    path.write_bytes(b"not a parquet file")
    with pytest.raises(ValueError, match="not a results file of this package"):
        store.read(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(ValueError, match="not a results file of this package"):
        store.read(path)
    write_example(path, example())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="not a results file of this package"):
        store.read(path)


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(tmp_path, monkeypatch):
    path, other, read_table = tmp_path / "x.parquet", tmp_path / "y.parquet", pq.read_table
    write_example(path, example(0))
    write_example(other, example(0), example(1))

    def replaced(source):
        other.replace(path)
        return read_table(source)

    monkeypatch.setattr(store.pq, "read_table", replaced)
    assert len(store.read(path).runs) == 1
    monkeypatch.undo()
    assert len(store.read(path).runs) == 2


def test_results_lie_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    assert store.path_of("iterations", "smoke") == tmp_path / "smoke" / "iterations.parquet"
    monkeypatch.delenv("TAILNOISE_RESULTS")
    assert store.path_of("iterations", "laptop").parts[-4:] == ("notebooks", "results", "laptop", "iterations.parquet")


@pytest.mark.slow
def test_a_change_anywhere_in_the_package_makes_the_commit_dirty(tmp_path):
    package = tmp_path / "tailnoise_utils"
    shutil.copytree(Path(store.__file__).parents[2], package, ignore=shutil.ignore_patterns("__pycache__"))
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    code = "from tailnoise_utils.study.results.provenance import provenance; print(provenance()['commit'])"

    def commit():
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    clean = commit()
    assert len(clean) == 40
    (package / "noise" / "matrix.py").write_text("# changed\n")
    assert commit() == f"{clean}+dirty"
