"""The command line as a user types it."""

import hashlib
import re
import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from tailnoise_utils import __main__, __version__
from tailnoise_utils.__main__ import app
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.iterations import DiagnosisSpec
from tailnoise_utils.study.networks import data, snapshots
from tailnoise_utils.study.results import store


@pytest.fixture
def results_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    monkeypatch.setenv("TAILNOISE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def command(*words, **options):
    return subprocess.run([sys.executable, "-m", "tailnoise_utils", *words], capture_output=True, text=True, **options)


@pytest.mark.slow
@pytest.mark.xdist_group("book")  # on the worker of the book's tests, which make these results
def test_run_show_and_list(in_smoke, tmp_path):
    done = command("run", "iterations", "--profile", "smoke")
    assert done.returncode == 0, done.stderr
    assert "4.0/4 runs" in done.stderr  # the progress bar ends full
    assert done.stdout.strip() == str(store.path_of("iterations", "smoke"))
    assert "Warning" not in done.stderr

    figure = tmp_path / "drawn" / "figure.png"  # the folder is made
    numbers = figure.with_name("numbers.csv.gz")
    shown = CliRunner().invoke(app, ["show", "iterations", "--figure", str(figure), "--csv", str(numbers)])
    assert shown.exit_code == 0, shown.output
    assert "4 runs" in shown.output
    assert "loss: nll" in shown.output
    assert "training ends at" in shown.output
    of_file = hashlib.sha256(store.path_of("iterations", "smoke").read_bytes()).hexdigest()
    assert Image.open(figure).text["Title"] == f"iterations (smoke), SHA-256 of iterations.parquet: {of_file}"
    stored = store.read(store.path_of("iterations", "smoke"))
    written = pd.read_csv(numbers)
    assert written["value"].tolist() == pytest.approx(stored.rows["value"].tolist(), rel=1e-15, nan_ok=True)
    assert set(written["seed"]) == set(stored.runs["seed"])

    verified = CliRunner().invoke(app, ["verify", "iterations", "--profile", "smoke"])
    assert verified.exit_code == 0, verified.output
    assert "numbers, largest difference" in verified.output

    listed = CliRunner().invoke(app, ["list"])
    assert re.search(r"smoke: 4 runs, 4 stored \(\d core-minutes\)", listed.output)
    assert "laptop: 9 runs, 0 stored" in listed.output
    assert all(name in listed.output for name in ("iterations", "estimator"))
    assert "paper: 16 runs, 0 stored" in listed.output
    assert listed.output.endswith("\n  laptop: 220 runs, 0 stored\n")  # `training` has no other grids


def test_run_all_and_fresh(results_in, monkeypatch):
    asked = []

    monkeypatch.setattr(runner, "run", lambda name, profile, **more: asked.append((name, profile)))
    monkeypatch.setattr(runner, "forget", lambda names, profile, client: asked.append((*names, profile, "forgotten")))
    monkeypatch.setattr(runner, "find_data", lambda names, profile: None)
    assert CliRunner().invoke(app, ["run", "all", "--profile", "laptop"]).exit_code == 0
    assert asked == [(name, "laptop") for name in experiments.EXPERIMENTS]
    asked.clear()
    assert CliRunner().invoke(app, ["run", "estimator", "--fresh"]).exit_code == 0
    assert asked == [("estimator", "smoke", "forgotten"), ("estimator", "smoke")]


@pytest.mark.slow
def test_an_absent_data_set_is_found_before_any_run(results_in, monkeypatch):
    def only(dataset):
        t = snapshots.TrainSpec(dataset, 40, 10, "fcn", 4, 2, "nll", 20, 0.1, "constant", "random", 2, (2,), 0)
        return lambda profile: (DiagnosisSpec(t, 20, (2,)),)

    monkeypatch.setenv("TAILNOISE_DATA", str(results_in / "absent"))
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"first": only("digits"), "second": only("cifar100")})
    failed = CliRunner().invoke(app, ["run", "all"])
    assert isinstance(failed.exception, data.DataNotFound)
    assert "no data for 'cifar100'" in str(failed.exception)
    assert not store.path_of("first", "smoke").exists()
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"first": only("digits")})
    assert CliRunner().invoke(app, ["run", "all"]).exit_code == 0
    # What is stored needs no data any more.
    monkeypatch.setattr(DiagnosisSpec, "data_sha256", lambda self: pytest.fail("what is stored was looked for"))
    runner.find_data(["first"], "smoke")


def test_ctrl_c_says_how_to_go_on(results_in, monkeypatch):
    def run(name, profile, *, client, progress):
        progress(1.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", run)
    stopped = CliRunner().invoke(app, ["run", "iterations"])
    assert stopped.exit_code == 130
    assert "Finished runs and checkpoints are stored; the same command (without --fresh) goes on." in stopped.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["show", "--help"], ["verify", "--help"]]
)
def test_help_and_version_load_nothing_heavy(words):
    lines = (
        "import sys\nfrom tailnoise_utils.__main__ import app\ntry: app(sys.argv[1:])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", lines, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & {"torch", "scipy", "pandas", "numpy", "matplotlib", "tailnoise_utils.study"}
    if words == ["--version"]:
        assert done.stdout == f"tailnoise_utils {__version__}\n"
    elif words == ["--help"]:
        assert "Run and show the book's experiments." in done.stdout
    else:
        text = "".join(word for word in done.stdout.split() if word.isprintable())
        assert all(profile in text for profile in experiments.PROFILES)


def test_the_help_names_all_profiles():
    assert __main__.PROFILES.split(", ") == list(experiments.PROFILES)


def test_version():
    shown = CliRunner().invoke(app, ["version"])
    assert shown.exit_code == 0
    assert f"tailnoise_utils {__version__}" in shown.output
    assert "torch: " in shown.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "fcn"],
            "error: unknown experiment 'fcn'; choose one of iterations, iterations_decomposition, noise_",
        ),
        (["run", "iterations", "--profile", "huge"], "error: unknown profile 'huge'; choose one of smoke, laptop"),
        (
            ["run", "iterations", "--profile", "laptop"],
            "error: no data for 'mnist': there is no file ",
        ),
        (["show", "iterations"], "error: 4 of the 4 runs of 'iterations' in profile 'smoke' are not in"),
    ],
)
def test_an_error_is_one_clear_line(results_in, monkeypatch, words, message):
    monkeypatch.setenv("TAILNOISE_DATA", str(results_in / "absent"))
    monkeypatch.setattr(sys, "argv", ["tailnoise_utils", *words])
    with pytest.raises(SystemExit) as stopped:  # with a text: Python prints it, and exits with 1
        __main__.main()
    assert message in str(stopped.value)


@pytest.mark.slow
def test_no_traceback_is_shown(results_in):
    done = command("run", "fcn")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: unknown experiment 'fcn'; choose one of iterations, iterations_decomposition, "
    )
    assert "Traceback" not in done.stderr


def test_verify_fails_when_a_number_differs(results_in, monkeypatch):
    compared = pd.DataFrame({"quantity": ["loss", "accuracy"], "value": [1.0, 0.5], "difference": [1e-7, 3e-5]})
    monkeypatch.setattr(runner, "verify", lambda name, profile: compared)
    failed = CliRunner().invoke(app, ["verify", "iterations"])
    assert failed.exit_code == 1
    assert "accuracy" in failed.output
    assert "1.0" not in failed.output  # the loss passes
    assert CliRunner().invoke(app, ["verify", "iterations", "--tolerance", "1e-4"]).exit_code == 0
    compared.loc[0, "difference"] = float("nan")
    assert CliRunner().invoke(app, ["verify", "iterations", "--tolerance", "1e-4"]).exit_code == 1


def test_verify_all_goes_on_after_an_experiment_that_is_not_there(results_in, monkeypatch):
    fine = pd.DataFrame({"quantity": ["loss"], "value": [1.0], "difference": [0.0]})

    def verify(name, profile):
        if name == "power":
            raise runner.MissingResults("no results of power")
        return fine

    monkeypatch.setattr(runner, "verify", verify)
    done = CliRunner().invoke(app, ["verify"])
    assert done.exit_code == 1
    assert "no results of power" in done.output
    assert f"{list(experiments.EXPERIMENTS)[-1]} (laptop): 1 numbers" in done.output
