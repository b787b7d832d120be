"""What the pages carry: version, profile, definitions, modules, of MathJax no more than they load, plotly's script."""

import importlib
import pkgutil
import re
import shutil
from pathlib import Path

from docutils import nodes
from plotly.offline import get_plotlyjs
from sphinx.application import Sphinx
from sphinx.config import Config

import tailnoise_utils

# Of the 24 MB that sphinx-mathjax-offline copies: the component for TeX input, and what it and its menu load on demand.
MATHJAX = {"tex-chtml.js", "a11y", "input", "output", "sre", "ui"}


def add_notices(app: Sphinx, config: Config) -> None:
    """Put the version into the footer, and on top that the text speaks of another profile, where it does.

    Args:
        app: the Sphinx application.
        config: its configuration, changed in place.
    """
    config.html_theme_options["extra_footer"] = f"tailnoise_utils {tailnoise_utils.__version__}"
    profile = (Path(app.srcdir) / "executed" / "profile").read_text().strip()
    if profile not in ("book", "laptop"):
        config.html_theme_options["announcement"] = (
            f"Figures and numbers of this copy are of the profile {profile}; the "
            "sentences about them were written for the book's own results."
        )


def define_terms(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link the first use of each term on a page to the glossary, with its definition as the hover text.

    Args:
        app: the Sphinx application.
        doctree: the page, changed in place.
        page: its name.
    """
    glossary = Path(app.srcdir) / "glossary.md"
    if page == "glossary" or page.startswith("api") or not glossary.exists():
        return
    definitions = dict(re.findall(r"^(.+)\n: (.+)$", glossary.read_text(), flags=re.M))
    target = app.builder.get_relative_uri(page, "glossary")
    for term, definition in definitions.items():
        for text in doctree.findall(nodes.Text):
            match = re.search(rf"(?<!\w){re.escape(term)}s?(?!\w)", text, flags=re.I)
            around = {type(node) for node in _ancestors(text)}
            if match and nodes.paragraph in around and not around & {nodes.reference, nodes.math}:
                link = nodes.reference(
                    "", match[0], internal=True, refuri=target, reftitle=definition, classes=["term"]
                )
                before, after = nodes.Text(text[: match.start()]), nodes.Text(text[match.end() :])
                text.parent.replace(text, [before, link, after])
                break


def _ancestors(node: nodes.Node) -> list[nodes.Node]:
    """Return what a node lies in, from near to far."""
    return [] if node.parent is None else [node.parent, *_ancestors(node.parent)]


def list_modules(app: Sphinx, page: str, source: list[str]) -> None:
    """Put a section for each module of a package in the place of a line such as ``{modules}`package```.

    Args:
        app: the Sphinx application.
        page: the page's name.
        source: its text, changed in place.
    """

    def sections(match: re.Match[str]) -> str:
        names = [m.name for m in pkgutil.iter_modules(importlib.import_module(match[1]).__path__) if m.name[0] != "_"]
        lines = "## {1}\n\n```{{eval-rst}}\n.. automodule:: {0}.{1}\n   :members:\n```\n"
        return "\n".join(lines.format(match[1], name) for name in names)

    source[0] = re.sub(r"^\{modules\}`([\w.]+)`$", sections, source[0], flags=re.M)


def trim_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Remove the copied files of MathJax that no page loads.

    Args:
        app: the Sphinx application.
        exception: what ended the build, None after a good one.
    """
    folder = Path(app.outdir) / "_static" / "mathjax"
    if exception is None and folder.is_dir():
        unused = [path for path in folder.iterdir() if path.name not in MATHJAX]
        unused += [path for path in folder.glob("input/*") if path.name != "tex"]
        unused += [path for path in folder.glob("output/*") if path.name != "chtml"]
        for path in unused:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_plotly(app: Sphinx, exception: Exception | None) -> None:
    """Write the script that draws interactive figures, which plotly brings along.

    Args:
        app: the Sphinx application.
        exception: what ended the build, None after a good one.
    """
    if exception is None and app.builder.format == "html":
        (Path(app.outdir) / "_static" / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all five.

    Args:
        app: the Sphinx application.

    Returns:
        That pages may be read and written in parallel.
    """
    app.connect("config-inited", add_notices)
    app.connect("source-read", list_modules)
    app.connect("doctree-resolved", define_terms)
    app.connect("build-finished", trim_mathjax, priority=900)  # after the copying
    app.connect("build-finished", write_plotly, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
