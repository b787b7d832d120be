"""Every name in the results is in the table of names, with the specs that write it; no other row is stored."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_paper import PAPER

from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.estimators import EstimatorSpec
from tailnoise_utils.study.experiments.spec import finish
from tailnoise_utils.study.results import store
from tailnoise_utils.study.results.quantities import QUANTITIES, check

STORED = sorted((Path(__file__).parents[1] / "notebooks/results").glob("*/*.parquet"))
SELDOM = {"diverged", "nothing alive", "stopped"}  # of a run, and not of a snapshot


def writers(name):
    return QUANTITIES[name][1].split()


def test_every_name_has_a_meaning_and_writers():
    kinds = {type(spec).__name__ for name in experiments.EXPERIMENTS for spec in experiments.grid(name, "smoke")}
    for name, (meaning, _) in QUANTITIES.items():
        assert meaning
        assert set(writers(name)) <= kinds | {"PaperSpec", "PaperBatchSpec"}, name


@pytest.mark.slow
@pytest.mark.xdist_group("book")  # on the worker of the book's tests, which make these results
def test_stored_and_new_rows_have_names_of_the_table_and_no_other_has_a_place_there(in_smoke):
    names = set()
    for experiment in experiments.EXPERIMENTS:
        runner.load(experiment, "smoke")
    for path in [*STORED, *(store.path_of(experiment, "smoke") for experiment in experiments.EXPERIMENTS)]:
        results, profile = store.read(path), path.parent.name
        kinds = {store.digest(spec): type(spec).__name__ for spec in experiments.grid(path.stem, profile)}
        kind_of_run = results.runs.set_index("run")["spec_digest"].map(kinds)
        pairs = results.rows[["quantity"]].assign(kind=results.rows["run"].map(kind_of_run)).drop_duplicates()
        for quantity, kind in pairs.itertuples(index=False):  # of a run that the grid no longer has: no kind
            assert kind in writers(quantity) or kind not in kinds.values(), (path, quantity)
            names.add(quantity)
    model, spec = PAPER.train.build(), replace(PAPER, norms=True, streamed=(0,))
    for row in spec.measure(model, lambda share: None) + spec.details(model):
        assert "PaperSpec" in writers(row["quantity"]), row["quantity"]
        names.add(row["quantity"])
    assert names | SELDOM == set(QUANTITIES)


def test_another_name_is_refused_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path))
    check([{"quantity": "loss", "value": 1.0}])
    with pytest.raises(ValueError, match=r"rows named 'los', which .*: add each to QUANTITIES in .*/quantities.py"):
        check([{"quantity": "loss", "value": 1.0}, {"quantity": "los", "value": 1.0}])
    spec = EstimatorSpec("sas", 1.5, 400, 2, ("log_moment",), seed=3)
    monkeypatch.setattr(EstimatorSpec, "rows", lambda self, progress: [{"quantity": "los", "value": 1.0}])
    with pytest.raises(ValueError, match="rows named 'los'"):
        finish(spec, lambda share: None)
    monkeypatch.setattr(type(PAPER), "measure", lambda self, *given: [{"quantity": "los", "value": 1.0}])
    with pytest.raises(ValueError, match="rows named 'los'"):  # at the first snapshot, not after hours
        PAPER.rows(lambda share: None)


def test_a_failed_name_stores_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    spec = EstimatorSpec("sas", 1.5, 400, 2, ("log_moment",), seed=3)
    monkeypatch.setitem(experiments.EXPERIMENTS, "estimator", lambda profile: (spec,))
    monkeypatch.setattr(EstimatorSpec, "rows", lambda self, progress: [{"quantity": "los", "value": 1.0}])
    with pytest.raises(runner.FailedRuns, match="rows named 'los'"):
        runner.run("estimator", "smoke")
    assert not list(tmp_path.rglob("*.parquet"))
