"""Run the grid of an experiment, or load its stored results."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ..results import files, store
from . import cluster, grid
from .paper import PAPER
from .spec import Finished, Spec, finish, forget_rows

_SMALL = 0.1  # what `verify` takes for the size of smaller numbers


class MissingResults(LookupError):
    """Results that are not stored; the message holds the command that makes them."""


class FailedRuns(RuntimeError):
    """Some runs ended with an error; the others are stored. The cause is the first of the errors."""


def forget(experiments: list[str], profile: str, *, client: Any = None) -> None:
    """Delete what is stored of experiments, with the weights that the cache keeps for them, to start from nothing."""
    specs = list(dict.fromkeys(spec for experiment in experiments for spec in grid(experiment, profile)))
    if client is not None:
        client.wait_for_workers(1)
    _each("data_sha256", specs, client)
    for path in [store.path_of(experiment, profile) for experiment in experiments]:
        path.unlink(missing_ok=True)
        sample_of(path).unlink(missing_ok=True)
    _each("forget", specs, client)


def _each(method: str, specs: Iterable[Spec], client: Any = None) -> None:
    """Call a method of each spec, in this process or on every worker."""
    if client is not None:
        client.run(_each, method, specs)
    else:
        for spec in specs:
            getattr(spec, method)()


def find_data(names: Iterable[str], profile: str) -> None:
    """Read every data set that runs still to be made need, so that an absent one is found before hours of others."""
    left = [spec for name in names for spec in _left(grid(name, profile), _records(store.path_of(name, profile)))]
    for spec in {store.data_of(store.flat(asdict(spec))): spec for spec in left}.values():
        spec.data_sha256()


def _records(path: Path) -> list[dict[str, Any]]:
    """Return the records of all runs in a results file, none if there is no such file."""
    return store.read(path).records() if path.exists() else []


def _left(specs: Iterable[Spec], records: list[dict[str, Any]]) -> list[Spec]:
    """Return the specs whose runs are not among the records."""
    done = {record["spec_digest"] for record in records}
    return [spec for spec in specs if store.digest(spec) not in done]


def run(
    experiment: str, profile: str, *, client: Any = None, progress: Callable[[float], object] = lambda share: None
) -> store.Results:
    """Make what is missing of an experiment's results, each run stored as soon as it ends; an OSError ends all of it."""
    specs, path = grid(experiment, profile), store.path_of(experiment, profile)
    records = _records(path)
    forget_rows(record["run"] for record in records)  # of a process that was killed before it could
    left = _left(specs, records)
    progress(float(len(specs) - len(left)))
    failed: dict[Spec, Exception] = {}
    outcomes = _here(left, path, progress) if client is None else cluster.outcomes(client, left, progress)
    with closing(outcomes):
        for spec, outcome in outcomes:
            if isinstance(outcome, Exception):
                failed[spec] = outcome
                continue
            # Before the run is stored, for a killed process would not come back to it.
            if outcome.sample and not sample_of(path).exists():
                with files.atomic(sample_of(path)) as file:
                    file.write(outcome.sample)
            store.append(path, outcome.rows, outcome.record)
            forget_rows([outcome.record["run"]])
    if failed:
        raise FailedRuns(_report(specs, failed)) from next(iter(failed.values()))
    results = stored(experiment, profile)
    if left and client is not None:  # workers may have other caches than this process
        client.run(forget_rows, list(results.runs["run"]), on_error="ignore")
    return results


def _here(
    specs: list[Spec], path: Path, progress: Callable[[float], object]
) -> Iterator[tuple[Spec, Finished | Exception]]:
    """Make runs in this process, except those that another process has stored by their turn."""
    for spec in specs:
        sha256 = spec.data_sha256()
        outcome: Finished | Exception
        with spec.alone():
            records = _records(path)
            stored_by_another = [record["run"] for record in records if record["spec_digest"] == store.digest(spec)]
            if not stored_by_another:
                store.check_data(path, store.data_of(store.flat(asdict(spec))), sha256, records)
                try:
                    outcome = finish(spec, progress)
                except OSError:
                    raise  # the next run would not fare better
                except Exception as error:
                    outcome = error
        if stored_by_another:
            forget_rows(stored_by_another)  # the other process could not, if this one held them just then
            progress(1.0)
        else:
            yield spec, outcome


def _report(specs: tuple[Spec, ...], failed: dict[Spec, Exception]) -> str:
    """Tell which runs failed, by the settings in which the grid's runs differ, and why; equal reasons together."""
    settings = {spec: store.flat(asdict(spec)) for spec in specs}
    differ = [name for name in settings[specs[0]] if len({repr(one.get(name)) for one in settings.values()}) > 1]
    runs: dict[str, list[str]] = {}
    for spec, error in failed.items():
        name = ", ".join(f"{name} {settings[spec][name]}" for name in differ if name in settings[spec])
        runs.setdefault(f"{type(error).__name__}: {error}", []).append(f"  {name or spec}")
    reasons = [line for reason, names in runs.items() for line in (reason, *names)]
    return "\n".join([f"{len(failed)} of the {len(specs)} runs failed, the others are stored", *reasons])


def load(experiment: str, profile: str) -> store.Results:
    """Load the results of exactly the present grid, for a notebook; in ``smoke`` what is missing is computed now."""
    try:
        return stored(experiment, profile)
    except MissingResults:
        if profile == "smoke":
            return run(experiment, profile)
        raise


def choose(experiment: str, profile: str) -> tuple[str, store.Results]:
    """Return the profile that a page shows and its results; "book" is the finished runs of `paper`, else of `laptop`."""
    if profile != "book":
        return profile, load(experiment, profile)
    try:
        return "paper", stored(experiment, "paper", complete=False)
    except MissingResults:
        return "laptop", stored(experiment, "laptop", complete=False)


def stored(experiment: str, profile: str, *, complete: bool = True) -> store.Results:
    """Read the results of exactly the present grid, in its order; MissingResults if one (not `complete`: each) lacks."""
    path, wanted = store.path_of(experiment, profile), [store.digest(spec) for spec in grid(experiment, profile)]
    results = store.read(path) if path.exists() else None
    finished = set(results.runs["spec_digest"] if results else ())
    present = [digest for digest in wanted if digest in finished]
    if not present or (complete and len(present) < len(wanted)):
        raise MissingResults(
            f"{len(wanted) - len(present)} of the {len(wanted)} runs of {experiment!r} in profile {profile!r} are not in "
            f"{path}; make them with: {command(experiment, profile)}"
        )
    runs = results.runs.set_index("spec_digest", drop=False).loc[present].reset_index(drop=True)
    place = results.rows["run"].map({run: i for i, run in enumerate(runs["run"])}).dropna().sort_values(kind="stable")
    return store.Results(results.rows.loc[place.index].reset_index(drop=True), runs)


def missing(experiment: str, profile: str) -> str:
    """Return a sentence on the runs of a grid that are not stored, and on those at the paper's settings if none is."""
    words = []
    for name in (profile, "paper") if profile == "laptop" and experiment in PAPER else (profile,):
        left = len(_left(specs := grid(experiment, name), _records(store.path_of(experiment, name))))
        if left and (name == profile or left == len(specs)):
            words.append(f"{left} of the {len(specs)} runs of `{name}` are not made yet.")
    return " ".join(words)


def command(experiment: str, profile: str) -> str:
    """Return the command that makes the results of an experiment in a profile."""
    return f"python -m tailnoise_utils run {experiment} --profile {profile}"


def sample_of(path: Path) -> Path:
    """Return where the weights of one snapshot lie beside a results file, for `verify`; at most 1 MB."""
    return path.with_suffix(".snapshot.npz")


def verify(experiment: str, profile: str) -> pd.DataFrame:
    """Measure a snapshot again, or the quickest run; the `difference` is over the value, or 0.1 where that is larger."""
    results = stored(experiment, profile, complete=False)
    order = [name for name in ("status", "seconds") if name in results.runs]  # complete ones before diverged
    quickest = list(results.runs.sort_values(order)["spec_digest"])
    specs = [spec for spec in grid(experiment, profile) if store.digest(spec) in quickest]
    specs.sort(key=lambda spec: quickest.index(store.digest(spec)))
    sample = sample_of(store.path_of(experiment, profile))
    spec, again = next(((spec, rows) for spec in specs if (rows := spec.again(sample))), (None, None))
    if again is None:
        raise MissingResults(f"no snapshot is stored in {sample}; make it with: {command(experiment, profile)} --fresh")
    run = results.runs.set_index("spec_digest").loc[store.digest(spec)]
    if run["data_sha256"] != (here := spec.data_sha256()):
        raise ValueError(
            f"the run used data with SHA-256 {run['data_sha256'][:16]}..., the data here has {here[:16]}...: give the same"
        )
    rows = spec.repeated(store.to_frame(again, run["run"]))
    keys = ["run", "iteration", "split", "scope", "quantity", "x"]
    kept = spec.repeated(results.rows[results.rows["run"] == run["run"]])
    kept = kept[kept["iteration"].isin(rows["iteration"])]
    both = kept.merge(rows, on=keys, suffixes=("", " again"))
    if not len(both) == len(rows) == len(kept):
        raise ValueError(
            f"{len(rows)} numbers were measured again, {len(kept)} are stored, {len(both)} of them the same ones: the code "
            f"has changed since; run anew: {command(experiment, profile)} --fresh"
        )
    scale = both["value"].abs().clip(lower=_SMALL)
    both["difference"] = (both["value again"] - both["value"]).abs() / scale
    same = both["value"].eq(both["value again"]) | both["value"].isna() & both["value again"].isna()
    both.loc[same, "difference"] = 0.0  # also nothing there, or infinity, then as now
    return both[[*keys[1:], "value", "value again", "difference"]]
