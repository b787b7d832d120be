"""What stored results rest on: the digests of the specs of every grid, and the checksum of every stored table.

A grid may grow at its end, and an experiment may be added. `python tests/test_golden.py` writes the file anew; any other
change orphans results, so say in the commit why.
"""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq

from tailnoise_utils.study.experiments import EXPERIMENTS, grid
from tailnoise_utils.study.results import store

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).with_name("golden.json")


def digest(profile: str, name: str, count: int | None = None) -> tuple[int, str]:
    """Of the first specs of a grid, or of all: how many, and one digest over theirs."""
    digests = [store.digest(spec) for spec in grid(name, profile)[:count]]
    return len(digests), hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


_GROWING = ("controls", "few_images", "jump", "training")


def tables() -> dict[str, str]:
    """Checksums of the stored tables, except those of `paper` and others that still grow."""
    results = ROOT / "notebooks" / "results"
    return {
        str(path.relative_to(results)): json.loads(pq.read_table(path).schema.metadata[b"tailnoise_runs"])["sha256"][
            :16
        ]
        for profile in ("constant", "laptop")
        for path in sorted((results / profile).glob("*.parquet"))
        if path.stem not in _GROWING
    }


def test_no_spec_changes_unnoticed() -> None:
    for place, (count, expected) in json.loads(GOLDEN.read_text())["grids"].items():
        assert digest(*place.split("/"), count) == (count, expected), place


def test_no_stored_table_changes_unnoticed() -> None:
    known = json.loads(GOLDEN.read_text())["tables"]
    assert {place: checksum for place, checksum in tables().items() if place in known} == known


if __name__ == "__main__":
    profiles = ("laptop", "constant", "paper", "full")
    grids = {f"{profile}/{name}": digest(profile, name) for profile in profiles for name in EXPERIMENTS}
    GOLDEN.write_text(json.dumps({"grids": grids, "tables": tables()}, indent=1) + "\n")
