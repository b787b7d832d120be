"""Run the grid of an experiment, or load its stored results."""

import time
from collections.abc import Callable

import pandas as pd

from . import store
from .experiments import Spec, grid

__all__ = ["MissingResults", "command", "load", "run"]


class MissingResults(LookupError):
    """Results that are not stored; the message holds the command that makes them."""


def run(
    experiment: str, profile: str, *, fresh: bool = False, progress: Callable[[float], object] = lambda share: None
) -> store.Results:
    """Make what is missing of an experiment's results, each run stored as soon as it ends.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.
        fresh: start from nothing, whatever is stored.
        progress: told after each piece of work how many runs' worth it was (at the end: as many as the grid has).

    Returns:
        The results of the present grid.

    Raises:
        ValueError: an unknown experiment or profile, or stored runs on another copy of the data.
        DataNotFound: the data set is not there; the message says how to get it.
    """
    specs, path = grid(experiment, profile), store.path_of(experiment, profile)
    stored = store.read(path) if path.exists() and not fresh else None
    rows = [stored.rows] if stored else []
    runs = stored.records() if stored else []
    known = {record["spec_digest"]: record["data_sha256"] for record in runs}
    for spec in specs:
        name = store.digest(spec)
        if name in known:
            progress(1)
            continue
        sha256 = spec.data_sha256()
        if other := set(known.values()) - {sha256}:
            raise ValueError(
                f"the runs in {path} used data with SHA-256 {other.pop()[:16]}..., the data here has {sha256[:16]}...: "
                f"give the same data, or replace all of them: {command(experiment, profile)} --fresh"
            )
        start = time.perf_counter()
        found = spec.rows(progress)
        runs.append(store.run_record(spec, sha256, time.perf_counter() - start))
        rows.append(store.to_frame(found, runs[-1]["run"]))
        store.write(path, pd.concat(rows, ignore_index=True), runs)
        known[name] = sha256
    return _select(store.read(path), specs)


def load(experiment: str, profile: str) -> store.Results:
    """The stored results of exactly the present grid; in ``smoke`` what is missing is computed on the spot.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Returns:
        Rows and runs.

    Raises:
        MissingResults: runs of the grid are not stored (not in ``smoke``); the message holds the command to make them.
        ValueError: an unknown experiment or profile, or a file that is not what it should be.
    """
    if profile == "smoke":
        return run(experiment, profile)
    specs, path = grid(experiment, profile), store.path_of(experiment, profile)
    results = store.read(path) if path.exists() else None
    known = set(results.runs["spec_digest"]) if results else set()
    if missing := sum(store.digest(spec) not in known for spec in specs):
        raise MissingResults(
            f"{missing} of the {len(specs)} runs of {experiment!r} in profile {profile!r} are not in {path}; "
            f"make them with: {command(experiment, profile)}"
        )
    return _select(results, specs)


def command(experiment: str, profile: str) -> str:
    """The command that makes the results of an experiment in a profile."""
    return f"python -m tailnoise_utils run {experiment} --profile {profile}"


def _select(results: store.Results, specs: tuple[Spec, ...]) -> store.Results:
    """Only the runs of these specs: results of an older grid may lie in the same file."""
    runs = results.runs[results.runs["spec_digest"].isin({store.digest(spec) for spec in specs})]
    return store.Results(results.rows[results.rows["run"].isin(set(runs["run"]))], runs)
