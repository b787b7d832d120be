"""Migrate stored results to the glossary's names: quantities, the class DiagnosisSpec, names of experiments.

python migrate.py RESULTS: rewrites every table, prints old and new digests; values stay bit for bit.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tailnoise_utils.study.experiments import grid
from tailnoise_utils.study.results import store

root = Path(sys.argv[1])
EXPERIMENT = {"anatomy": "decomposition", "iterations_anatomy": "iterations_decomposition"}
EXACT = {"T1": "tail excess", "T1 (Gaussian)": "tail excess (twin)", "T1 (p)": "tail excess (p)"}


def quantity(q):
    q = EXACT.get(q, q)
    q = re.sub(r"\(clean", "(corrected", q)
    q = q.replace("1/alpha (columns)", "1/alpha (per coordinate)").replace("1/alpha (pooled)", "1/alpha (joint)")
    q = re.sub(r"^anatomy ", "diagnosis ", q)
    q = re.sub(r"^part dependence$", "decomposition: correlation", q)
    q = re.sub(r"^part layout$", "decomposition: order", q)
    q = re.sub(r"^part ", "decomposition: ", q)
    q = re.sub(r"^(1/alpha \(per coordinate\)|kurtosis \([a-z ]+\)|sd of ln norm) \(Gaussian\)$", r"\1 (twin)", q)
    return q


SCOPE = {
    "T1": "tail excess",
    "columns, K1 = 3": "per coordinate, K1 = 3",
    "columns, K1 = 30": "per coordinate, K1 = 30",
}
import dataclasses


def digest_of(kind, spec, **more):
    content = {"kind": kind, "spec": spec, "schema": store.SCHEMA, **more}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


log = []
for path in sorted(root.glob("*/*.parquet")):
    profile, name = path.parent.name, path.stem
    new = EXPERIMENT.get(name, name)
    results = store.read(path)
    rows = results.rows.copy()
    records = results.records()
    before = rows["value"].to_numpy().copy(), rows["se"].to_numpy().copy()
    rows["quantity"] = rows["quantity"].map(quantity)
    if name == "power":
        rows["scope"] = rows["scope"].map(lambda s: SCOPE.get(s, s))
    specs = [s for s in grid(new, profile)]
    # old digest -> new: by the spec with the old class name
    table = {}
    for s in specs:
        kind = type(s).__name__
        old = {"DiagnosisSpec": "AnatomySpec"}.get(kind, kind)
        d = dataclasses.asdict(s)
        table[digest_of(old, d)] = (s, old, d)
    names = {}
    for r in records:
        hit = table.get(r["spec_digest"])
        if hit is None:
            continue
        s, old, d = hit
        run, spec_digest = store.digest(s, data=r["data_sha256"])[:16], store.digest(s)
        if spec_digest != r["spec_digest"]:
            log.append((f"{profile}/{name}", r["run"], run))
            names[r["run"]] = run
            r["run"], r["spec_digest"] = run, spec_digest
    rows["run"] = rows["run"].map(lambda n: names.get(n, n))
    target = path.with_name(f"{new}.parquet")
    # nan-valued settings come back from pandas as nan: keep the stored JSON
    raw = json.loads(pq.read_table(path).schema.metadata[b"tailnoise_runs"])["runs"]
    for a, b in zip(raw, records, strict=True):
        a["run"], a["spec_digest"] = b["run"], b["spec_digest"]
    store.write(target, rows, raw)
    again = store.read(target)
    assert all(
        np.array_equal(x, y, equal_nan=True)
        for x, y in zip(before, (again.rows["value"], again.rows["se"]), strict=True)
    ), path
    sample = path.with_suffix(".snapshot.npz")
    if sample.exists():
        with np.load(sample) as f:
            content = {k: f[k] for k in f}
        olds = {digest_of(o, d): store.digest(s) for s, o, d in table.values()}
        content["spec_digest"] = np.array(olds.get(str(content["spec_digest"]), str(content["spec_digest"])))
        out = target.with_suffix(".snapshot.npz")
        with out.open("wb") as g:
            np.savez(g, **content)
        if out != sample:
            sample.unlink()
    if target != path:
        path.unlink()
    print(path, len(rows), "rows", len(names), "runs renamed")
Path(sys.argv[2]).write_text("experiment,old run,new run\n" + "".join(",".join(x) + "\n" for x in log))
