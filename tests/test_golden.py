"""What stored results rest on: the digest of every spec that has rows, and the checksum of every stored table.

`python tests/test_golden.py` writes the file anew; a change here orphans results, so say in the commit why.
"""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq

from tailnoise_utils.study.experiments import EXPERIMENTS, grid
from tailnoise_utils.study.results import store

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).with_name("golden.json")


def present() -> dict[str, dict[str, str]]:
    """Digests of the grids of real data, one a grid, and checksums of the tables."""
    grids = {
        f"{profile}/{name}": hashlib.sha256("".join(map(store.digest, grid(name, profile))).encode()).hexdigest()[:16]
        for profile in ("laptop", "constant", "paper", "full")
        for name in EXPERIMENTS
    }
    tables = {
        str(path.relative_to(ROOT / "notebooks" / "results")): json.loads(
            pq.read_table(path).schema.metadata[b"tailnoise_runs"]
        )["sha256"][:16]
        for path in sorted((ROOT / "notebooks" / "results").glob("*/*.parquet"))
        if path.parent.name in ("laptop", "constant")  # those of `paper` still grow
    }
    return {"grids": grids, "tables": tables}


def test_no_spec_and_no_stored_table_changes_unnoticed() -> None:
    assert present() == json.loads(GOLDEN.read_text())


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(present(), indent=1) + "\n")
