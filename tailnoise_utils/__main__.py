"""The command line: ``python -m tailnoise_utils``. Each command imports what it needs, so that ``--help`` is quick."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from tailnoise_utils._version import __version__

# For the help alone; a test compares them with those of `study.experiments`, whose import takes seconds.
PROFILES = "smoke, laptop, constant, paper, full"
_CLEAR = (ArithmeticError, ImportError, OSError, ValueError)  # errors that explain themselves
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Profile = Annotated[str, typer.Option(help=f"One of: {PROFILES}.")]
Experiment = Annotated[str, typer.Argument(help="One of those that `list` shows.")]
OneOrAll = Annotated[str, typer.Argument(help="One of those that `list` shows; or all.")]


def _print_version(wanted: bool) -> bool:
    """Print the version and stop, if that is wanted."""
    if wanted:
        typer.echo(f"tailnoise_utils {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def tailnoise(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run and show the book's experiments."""


@app.command("list")
def list_() -> None:
    """List the experiments: the runs of each profile of its own, how many are stored, and the time these took."""
    from tailnoise_utils.study import experiments
    from tailnoise_utils.study.results import store

    for name in experiments.EXPERIMENTS:
        typer.echo(f"{name}: {(experiments.EXPERIMENTS[name].__doc__ or '').strip().partition(chr(10))[0]}")
        grids: list[list[str]] = []
        for profile in experiments.PROFILES if name in experiments.PAPER else experiments.PROFILES[:3]:
            path = store.path_of(name, profile)
            if (digests := [store.digest(spec) for spec in experiments.grid(name, profile)]) in grids:
                continue
            grids.append(digests)
            seconds = store.read(path).runs.set_index("spec_digest")["seconds"] if path.exists() else {}
            done = [seconds[key] for key in digests if key in seconds]
            took = f" ({sum(done) / 60:.0f} core-minutes)" if done else ""
            typer.echo(f"  {profile}: {len(digests)} runs, {len(done)} stored{took}")


@app.command()
def run(
    experiment: OneOrAll,
    profile: Profile = "smoke",
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute every run anew, whatever is stored.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes on this machine, one thread each.")] = None,
    dask: Annotated[str | None, typer.Option(help="Scheduler of a Dask cluster, such as tcp://node1:8786.")] = None,
) -> None:
    """Run one experiment (or all of them) in a profile; runs that are stored already are not repeated."""
    from tqdm import tqdm

    from tailnoise_utils.study import experiments
    from tailnoise_utils.study.experiments import cluster, runner
    from tailnoise_utils.study.results import store

    names = list(experiments.EXPERIMENTS) if experiment == "all" else [experiment]
    try:
        if dask is None:
            runner.find_data(names, profile)
        with cluster.connect(workers=workers, address=dask) as client:
            if fresh:
                runner.forget(names, profile, client=client)
            for name in names:
                total = len(experiments.grid(name, profile))
                layout = "{l_bar}{bar}| {n:.1f}/{total_fmt} runs [{elapsed}<{remaining}]"
                with tqdm(total=total, desc=f"{name} ({profile})", bar_format=layout) as bar:

                    def advance(share: float, bar: tqdm = bar) -> None:
                        bar.update(min(share, bar.total - bar.n))  # shares add up to 1 only up to rounding

                    runner.run(name, profile, client=client, progress=advance)
                typer.echo(store.path_of(name, profile))
    except KeyboardInterrupt:
        typer.echo(
            "Stopped. Finished runs and checkpoints are stored; the same command (without --fresh) goes on.", err=True
        )
        raise typer.Exit(130) from None


@app.command()
def show(
    experiment: Experiment,
    profile: Profile = "smoke",
    figure: Annotated[Path | None, typer.Option(help="Also draw the figure into this file (.png, .svg, .pdf).")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write all rows with their runs' settings into it.")] = None,
) -> None:
    """Show what is stored of an experiment: its runs with their provenance, and a summary of its numbers."""
    from tailnoise_utils.study import figures
    from tailnoise_utils.study.experiments import runner
    from tailnoise_utils.study.results import store

    results = runner.stored(experiment, profile, complete=False)
    same = results.runs.astype(str).nunique() == 1
    path = store.path_of(experiment, profile)
    typer.echo(f"{path}\n{len(results.runs)} runs, {len(results.rows)} rows; common to all runs:")
    typer.echo("\n".join(f"  {name}: {value}" for name, value in results.runs.loc[:, same].iloc[0].items()))
    typer.echo("different:\n" + results.runs.loc[:, ~same].drop(columns="spec_digest").to_string(index=False))
    typer.echo(runner.missing(experiment, profile))
    draw, tabulate = figures.SHOWN[experiment]
    typer.echo(tabulate(results).to_string())
    for file in filter(None, (figure, csv)):
        file.parent.mkdir(parents=True, exist_ok=True)
    if csv:
        results.table().to_csv(csv, index=False)
        typer.echo(csv)
    if figure:
        figure = figure if figure.suffix else figure.with_suffix(".png")
        source = f"{experiment} ({profile}), SHA-256 of {path.name}: {hashlib.sha256(path.read_bytes()).hexdigest()}"
        draw(results).savefig(figure, dpi=150, metadata={"Title": source})
        typer.echo(figure)


@app.command()
def verify(
    experiment: OneOrAll = "all",
    profile: Profile = "laptop",
    tolerance: Annotated[float, typer.Option(help="Largest difference that passes, over the number or 0.1.")] = 1e-5,
) -> None:
    """Measure a stored snapshot of each experiment again and compare; exits with 1 if a number differs or is missing."""
    from tailnoise_utils.study import experiments
    from tailnoise_utils.study.experiments import runner

    passed = True
    for name in experiments.EXPERIMENTS if experiment == "all" else [experiment]:
        try:
            numbers = runner.verify(name, profile)
        except runner.MissingResults as error:
            if experiment != "all":
                raise
            passed = False
            typer.echo(f"{name} ({profile}): {error}")
            continue
        typer.echo(f"{name} ({profile}): {len(numbers)} numbers, largest difference {numbers['difference'].max():.1e}")
        if len(bad := numbers[~(numbers["difference"] <= tolerance)]):
            passed = False
            typer.echo(bad.to_string(index=False))
    if not passed:
        typer.echo(
            "Some numbers differ or are missing. Another kind of processor than that of the stored runs rounds "
            "differently: there --tolerance 0.1 tells rounding from mistakes."
        )
        raise typer.Exit(1)


@app.command("claims")
def claims_(
    profile: Annotated[
        str, typer.Option(help="As in a notebook; book: paper where it has runs, else laptop.")
    ] = "book",
    write: Annotated[
        bool, typer.Option("--write", help="Also put them into the README and the book's first page.")
    ] = False,
) -> None:
    """Judge every claim by what is stored, with the paper's value and ours."""
    from tailnoise_utils.study import claims
    from tailnoise_utils.study.claims import pages

    verdicts = claims.verdicts(profile)
    for v in verdicts:
        typer.echo(
            f"{v.claim} {v.statement}\n  Recurs? {v.recurs}. Paper: {v.paper or '-'}. {v.unit or 'Ours'}: {v.ours}."
        )
        typer.echo(f"  Heavier than Gaussian? {v.tails}.")
    typer.echo("\n".join(pages.evidence(verdicts)))
    if write:
        changed = pages.write(verdicts)
        typer.echo("\n".join(map(str, changed)) or "The pages say so already.")


@app.command()
def version() -> None:
    """Print the version of the package and of what it computes with."""
    from tailnoise_utils.study.results import provenance

    typer.echo(f"tailnoise_utils {__version__}")
    for name, value in provenance.provenance().items():
        if name != "finished":
            typer.echo(f"  {name}: {value}")


def main() -> None:
    """Run the command line; an error that explains itself is printed without its traceback."""
    try:
        app()
    except _CLEAR as error:
        raise SystemExit(f"error: {error}") from error
    except (LookupError, RuntimeError) as error:
        from tailnoise_utils.study.experiments.runner import FailedRuns, MissingResults

        cause = error.__cause__ if isinstance(error, FailedRuns) else error
        if isinstance(cause, (*_CLEAR, MissingResults)):
            raise SystemExit(f"error: {error}") from error
        raise


if __name__ == "__main__":
    main()
