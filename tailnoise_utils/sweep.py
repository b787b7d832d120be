"""Run the grid of an experiment, or load its stored results."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from . import store
from .experiments import grid

__all__ = ["MissingResults", "command", "forget", "load", "run", "sample_of", "stored", "verify"]


class MissingResults(LookupError):
    """Results that are not stored; the message holds the command that makes them."""


def forget(experiments: list[str], profile: str) -> None:
    """Delete what is stored of experiments, with the weights that the cache keeps for them, to start from nothing.

    Args:
        experiments: keys of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Raises:
        ValueError: an unknown experiment or profile.
        DataNotFound: a data set is not there, so that nothing could take the place of the results; nothing is deleted.
    """
    specs = {experiment: grid(experiment, profile) for experiment in experiments}
    for spec in dict.fromkeys(spec for of in specs.values() for spec in of):
        spec.data_sha256()
    for experiment, of in specs.items():
        path = store.path_of(experiment, profile)
        path.unlink(missing_ok=True)
        sample_of(path).unlink(missing_ok=True)
        for spec in of:
            spec.forget()


def run(experiment: str, profile: str, *, progress: Callable[[float], object] = lambda share: None) -> store.Results:
    """Make what is missing of an experiment's results, each run stored as soon as it ends.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.
        progress: told after each piece of work how many runs' worth it was (at the end: as many as the grid has).

    Returns:
        The results of the present grid.

    Raises:
        ValueError: an unknown experiment or profile, or stored runs on another copy of the data.
        DataNotFound: the data set is not there; the message says how to get it.
    """
    specs, path = grid(experiment, profile), store.path_of(experiment, profile)
    for spec in specs:
        records = store.read(path).records() if path.exists() else []
        if store.digest(spec) in {record["spec_digest"] for record in records}:
            progress(1)
            continue
        sha256 = spec.data_sha256()
        used = {
            record["data_sha256"]
            for record in records
            if store.data_of(record) == store.data_of(store.flat(asdict(spec)))
        }
        if other := used - {sha256}:
            raise ValueError(
                f"the runs in {path} used data with SHA-256 {other.pop()[:16]}..., the data here has {sha256[:16]}...: "
                f"give the same data, or replace all of them: {command(experiment, profile)} --fresh"
            )
        start = time.perf_counter()
        rows = spec.rows(progress)
        seconds = spec.seconds() or time.perf_counter() - start
        record = store.run_record(spec, sha256, seconds, spec.status(rows))
        spec.keep(rows, sample_of(path))  # first: killed after the next line, nobody would come back to it
        store.append(path, store.to_frame(rows, record["run"]), record)
        spec.forget_rows()
    return stored(experiment, profile)


def load(experiment: str, profile: str) -> store.Results:
    """The results of exactly the present grid, for a notebook: in ``smoke`` what is missing is computed on the spot.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Returns:
        Rows and runs.

    Raises:
        MissingResults: runs of the grid are not stored (not in ``smoke``); the message holds the command to make them.
        ValueError: an unknown experiment or profile, or a file that is not what it should be.
    """
    try:
        return stored(experiment, profile)
    except MissingResults:
        if profile == "smoke":
            return run(experiment, profile)
        raise


def stored(experiment: str, profile: str) -> store.Results:
    """The stored results of exactly the present grid; nothing is computed.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Returns:
        Rows and runs, the latter in the order of the grid; without those of an older grid that may lie in the same file.

    Raises:
        MissingResults: runs of the grid are not stored; the message holds the command to make them.
        ValueError: an unknown experiment or profile, or a file that is not what it should be.
    """
    specs, path = grid(experiment, profile), store.path_of(experiment, profile)
    wanted = [store.digest(spec) for spec in specs]
    results = store.read(path) if path.exists() else None
    if missing := set(wanted) - set(results.runs["spec_digest"] if results else ()):
        raise MissingResults(
            f"{len(missing)} of the {len(specs)} runs of {experiment!r} in profile {profile!r} are not in {path}; "
            f"make them with: {command(experiment, profile)}"
        )
    runs = results.runs.set_index("spec_digest", drop=False).loc[wanted].reset_index(drop=True)
    return store.Results(results.rows[results.rows["run"].isin(set(runs["run"]))], runs)


def command(experiment: str, profile: str) -> str:
    """The command that makes the results of an experiment in a profile."""
    return f"python -m tailnoise_utils run {experiment} --profile {profile}"


def sample_of(path: Path) -> Path:
    """Where the weights of one snapshot lie beside a results file, for `verify`; at most 1 MB."""
    return path.with_suffix(".snapshot.npz")


def verify(experiment: str, profile: str) -> pd.DataFrame:
    """Measure a stored snapshot of an experiment again, or, where nothing is trained, its smallest run.

    Args:
        experiment: a key of ``EXPERIMENTS``.
        profile: one of ``PROFILES``.

    Returns:
        The numbers that can be had again: scope, quantity, x, value as stored, again, and their relative difference.

    Raises:
        MissingResults: nothing is stored.
        DataNotFound: the data set is not there.
        ValueError: an unknown name, the data differ from those of the run, or stored and new rows are not the same ones.
    """
    specs, results = grid(experiment, profile), stored(experiment, profile)
    sample = sample_of(store.path_of(experiment, profile))
    runs = results.runs.set_index("spec_digest")
    again = None
    for spec in specs:
        if again := spec.again(sample):
            break
    if again is None:
        raise MissingResults(f"no snapshot is stored in {sample}; make it with: {command(experiment, profile)} --fresh")
    run = runs.loc[store.digest(spec)]
    if run["data_sha256"] != (here := spec.data_sha256()):
        raise ValueError(
            f"the run used data with SHA-256 {run['data_sha256'][:16]}..., the data here has {here[:16]}...: give the same"
        )
    rows = store.to_frame(again, run["run"])
    rows = rows[rows["quantity"] != "seconds"]
    keys = ["run", "iteration", "split", "scope", "quantity", "x"]
    both = results.rows.merge(rows, on=keys, suffixes=("", " again"))
    if len(both) != len(rows):
        raise ValueError(
            f"{len(rows)} numbers were measured again, {len(both)} of them are stored: the code has changed since; run "
            f"anew: {command(experiment, profile)} --fresh"
        )
    scale = both["value"].abs().clip(lower=1e-12)
    both["difference"] = (both["value again"] - both["value"]).abs() / scale
    return both[[*keys[1:], "value", "value again", "difference"]]
