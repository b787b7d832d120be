"""Every notebook: the two sides agree, its form is the agreed one, and it runs in smoke."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from conftest import ROOT, Make

from tailnoise_utils.study import experiments

pytestmark = pytest.mark.xdist_group("book")  # these share one copy of the project

TOPICS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
LINES = 15
CODE = {"parameters", "hide-input", "remove-input", "remove-cell", "show-input"}  # what the page does with it


def differences(text: nbformat.NotebookNode, notebook: nbformat.NotebookNode) -> list[str]:
    """What the two sides of a pair disagree about."""
    different = []
    if text.metadata.get("kernelspec") != notebook.metadata.get("kernelspec"):
        different.append("the kernel")
    if len(text.cells) != len(notebook.cells):
        different.append(f"the number of cells: {len(text.cells)} and {len(notebook.cells)}")
    for number, (one, other) in enumerate(zip(text.cells, notebook.cells, strict=False)):
        different += [f"cell {number}: {key}" for key in ("cell_type", "source", "metadata") if one[key] != other[key]]
    return different


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Where a notebook leaves the agreed form."""
    wrong = []
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not re.match(r"# \S", first.source):
        wrong.append("the first cell has no title")
    parameters = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(parameters) != 1 or not re.match(r'profile = "(book|laptop)"', parameters[0].source):
        wrong.append('not one cell tagged "parameters" that begins with: profile = "book"')
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        code = [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if len(code) > LINES:
            wrong.append(f"cell {number} has {len(code)} lines of code; above {LINES} they belong in the package")
        if not CODE & set(cell.metadata.get("tags", [])):
            wrong.append(f"cell {number} has none of the tags {sorted(CODE)}")
        image = cell.metadata.get("mystnb", {})
        if "figure" in image and not image.get("image", {}).get("alt", "").strip():
            wrong.append(f"cell {number} has a figure without alternative text")
    return wrong


def leftovers(notebook: nbformat.NotebookNode) -> list[int]:
    """Cells with outputs or execution counts."""
    code = [(n, cell) for n, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    return [n for n, cell in code if cell.outputs or cell.execution_count is not None]


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """What an executed notebook wrote to stderr (warnings go there) or raised."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [str(output) for output in outputs if output.get("name") == "stderr" or output.output_type == "error"]


def misplaced_figures(notebook: nbformat.NotebookNode) -> list[int]:
    """Cells that show other than one figure where one is described, or a figure that is not described."""
    misplaced = []
    for number, cell in enumerate(notebook.cells):
        images = [o for o in cell.get("outputs", ()) if {"image/png", "image/svg+xml"} & set(o.get("data", {}))]
        described = bool(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip())
        if len(images) != described:
            misplaced.append(number)
    return misplaced


def test_every_notebook_has_its_pair() -> None:
    assert TOPICS
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == TOPICS


@pytest.mark.parametrize("topic", TOPICS)
def test_pair_agrees(topic: str) -> None:
    text = jupytext.read(ROOT / "notebooks" / f"{topic}.py")
    notebook = nbformat.read(ROOT / "notebooks" / f"{topic}.ipynb", as_version=4)
    assert not differences(text, notebook), "run: make notebooks"
    assert not leftovers(notebook), "run: make notebooks"


@pytest.mark.parametrize("topic", TOPICS)
def test_form(topic: str) -> None:
    assert not faults(jupytext.read(ROOT / "notebooks" / f"{topic}.py"))


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_runs_in_smoke(topic: str, checkout: Path, make: Make) -> None:
    path = f"book/executed/{topic}.ipynb"
    done = make(path)
    assert done.returncode == 0, done.stdout + done.stderr
    notebook = nbformat.read(checkout / path, as_version=4)
    assert not complaints(notebook)
    assert not misplaced_figures(notebook)


def execute(topic: str, profile: str) -> None:
    """Execute a notebook here: a kernel takes seconds to start."""
    names: dict[str, object] = {}
    for cell in jupytext.read(ROOT / "notebooks" / f"{topic}.py").cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", ()):
            names["profile"] = profile


@pytest.mark.parametrize("topic", TOPICS)
def test_unknown_profile_names_the_valid_ones(topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILNOISE_RESULTS", str(tmp_path))
    with pytest.raises(ValueError, match="unknown profile 'nonsense'") as error:
        execute(topic, "nonsense")
    assert all(profile in str(error.value) for profile in experiments.PROFILES)


@pytest.mark.slow
def test_papermill_ends_with_the_error_of_a_notebook(tmp_path: Path) -> None:
    topic = TOPICS[0]
    source, target = tmp_path / "source.ipynb", tmp_path / "target.ipynb"
    jupytext.write(jupytext.read(ROOT / "notebooks" / f"{topic}.py"), source)
    command = [sys.executable, "-m", "papermill", source, target, "-p", "profile", "nonsense", "-k", "python3"]
    done = subprocess.run(
        [*command, "--cwd", ROOT / "notebooks"],
        env=os.environ | {"TAILNOISE_RESULTS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "ValueError: unknown profile 'nonsense'" in done.stderr
    assert all(profile in done.stderr for profile in experiments.PROFILES)


def notebook_of(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook in the agreed form, followed by cells."""
    title = nbformat.v4.new_markdown_cell("# A title")
    parameters = nbformat.v4.new_code_cell('profile = "laptop"', metadata={"tags": ["parameters"]})
    return nbformat.v4.new_notebook(cells=[title, parameters, *cells])


def code(source: str, *tags: str, **more: object) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags), **more})


def test_checks_find_faults() -> None:
    good = notebook_of(code("\n".join(["# why", ""] + ["x = 1"] * LINES), "hide-input"))
    assert not faults(good)
    assert faults(nbformat.v4.new_notebook())
    assert faults(nbformat.v4.new_notebook(cells=good.cells[1:]))
    assert faults(nbformat.v4.new_notebook(cells=[good.cells[0], *good.cells[2:]]))
    assert faults(notebook_of(code("x = 1\n" * (LINES + 1), "hide-input")))
    assert faults(notebook_of(code("x = 1")))
    assert faults(notebook_of(code("x = 1", "hide-input", mystnb={"figure": {"caption": "A"}})))
    figure = {"figure": {"caption": "A"}, "image": {"alt": "A line"}}
    assert not faults(notebook_of(code("x = 1", "hide-input", mystnb=figure)))


def test_checks_find_differences() -> None:
    one = notebook_of(code("x = 1", "hide-input"))
    assert not differences(one, one)
    assert differences(one, notebook_of())
    assert differences(one, notebook_of(code("x = 2", "hide-input")))
    assert differences(one, notebook_of(code("x = 1")))
    assert differences(one, notebook_of(nbformat.v4.new_markdown_cell("x = 1", metadata={"tags": ["hide-input"]})))


def test_checks_find_outputs() -> None:
    cell = code("1", "hide-input")
    assert not leftovers(notebook_of(cell))
    assert not complaints(notebook_of(cell))
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="UserWarning")]
    assert leftovers(notebook_of(cell)) == [2]
    assert complaints(notebook_of(cell))
    cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no")]
    assert complaints(notebook_of(cell))


def test_checks_find_misplaced_figures() -> None:
    cell = code("1", "hide-input", mystnb={"image": {"alt": "A line"}})
    image = nbformat.v4.new_output("display_data", data={"image/png": "AA=="})
    assert misplaced_figures(notebook_of(cell)) == [2]
    cell.outputs = [image]
    assert not misplaced_figures(notebook_of(cell))
    cell.outputs = [image, image]
    assert misplaced_figures(notebook_of(cell)) == [2]
    bare = code("1", "hide-input")
    bare.outputs = [image]
    assert misplaced_figures(notebook_of(bare)) == [2]
