"""The built book: nothing loaded from elsewhere, no broken link, no figure without alternative text."""

import importlib.util
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jupytext
import pytest
from conftest import ROOT, Make

from tailnoise_utils.study import experiments

pytestmark = [pytest.mark.xdist_group("book"), pytest.mark.slow]

URL_IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")
URL_IN_SCRIPT = re.compile(r"""["'`](?:https?:)?//[\w.-]+\.\w[^"'`\s]*""")
NOT_LOADED = {"canonical", "license", "author", "next", "prev"}  # kinds of <link> that no browser fetches


class Page(HTMLParser):
    """What a page refers to: `assets` it loads, `links` it offers, `ids` to link to, `images` with their alt text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.assets: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.images: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.ids |= {attributes[name] for name in ("id", "name") if name in attributes}
        self.assets += URL_IN_STYLE.findall(attributes.get("style", ""))
        self.assets += [part.split()[0] for part in attributes.get("srcset", "").split(",") if part.strip()]
        self.assets += [attributes[name] for name in ("src", "data", "poster", "xlink:href") if name in attributes]
        if tag in {"a", "area"}:
            self.links.append(attributes.get("href", "#"))
        elif "href" in attributes and not NOT_LOADED & set(attributes.get("rel", "").split()):
            self.assets.append(attributes["href"])
        if tag == "img":
            self.images.append((attributes.get("src", ""), attributes.get("alt", "")))

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.assets += URL_IN_STYLE.findall(data)
        elif self._inside == "script":
            self.assets += [match[1:] for match in URL_IN_SCRIPT.findall(data)]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def remote(url: str) -> bool:
    """Whether fetching the address leaves the book."""
    return bool(urlsplit(url).netloc)


def remote_assets(text: str, kind: str) -> list[str]:
    """Addresses outside the book that a page (`.html`) or a style sheet (`.css`) loads."""
    assets = URL_IN_STYLE.findall(text) if kind == ".css" else Page(text).assets
    return [url for url in assets if remote(url)]


def broken_links(folder: Path) -> list[str]:
    """Links and assets inside the book that lead nowhere, anchors included."""
    paths = [path for path in folder.rglob("*.html") if "_static" not in path.relative_to(folder).parts]
    pages = {path.resolve(): Page(path.read_text()) for path in paths}
    broken = []
    for path, page in pages.items():
        for url in page.links + page.assets:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            lost = not target.is_file() or not target.is_relative_to(folder.resolve())
            if lost or (anchor and target in pages and anchor not in pages[target].ids):
                broken.append(f"{path.name}: {url}")
    return broken


def images_without_text(text: str) -> list[str]:
    """Images of a page whose alternative text is absent, empty, or only the file's name."""
    return [src for src, alt in Page(text).images if not alt.strip() or alt.strip() == src]


def test_pages(book: Path) -> None:
    topics = [f"executed/{path.stem}" for path in (Path(__file__).parents[1] / "notebooks").glob("*.py")]
    for name in ["index", "methods", "reproduce", "api", "references", *topics]:
        assert (book / f"{name}.html").is_file()
        # A page that no menu leads to is lost.
        assert name == "index" or f'href="{name}.html"' in (book / "index.html").read_text()


def test_pages_are_light_and_have_an_icon(book: Path) -> None:
    for path in [*book.glob("*.html"), *book.glob("executed/*.html")]:
        page = Page(path.read_text())
        figures = [(path.parent / src).resolve() for src, _ in page.images if not src.startswith("data:")]
        assert path.stat().st_size + sum(figure.stat().st_size for figure in figures) < 3e6, path.name
        assert any(url.endswith("favicon.svg") for url in page.links + page.assets), path.name


def test_terms_are_defined_where_they_are_first_used(book: Path) -> None:
    page = (book / "executed" / "decomposition.html").read_text()
    links = re.findall(r'<a class="term[^"]*" href="\.\./glossary\.html" title="([^"]*)">([^<]*)', page)
    defined = re.findall(r"^(.+)\n: (.+)$", (ROOT / "book" / "glossary.md").read_text(), flags=re.M)
    assert {(title, word.lower()) for title, word in links} <= {
        (b, a.lower() + s) for a, b in defined for s in ("", "s")
    }
    assert "α̂" in [word for _, word in links]
    assert len(links) == len(set(links)) > 2


@pytest.mark.parametrize("folder", ["results", "networks", "exits", "experiments", "figures"])
def test_every_module_of_the_study_has_a_place_on_a_page(folder: str, book: Path) -> None:
    page = Page((book / "api" / f"{folder}.html").read_text())
    modules = [path.stem for path in (ROOT / "tailnoise_utils" / "study" / folder).glob("[!_]*.py")]
    assert {f"module-tailnoise_utils.study.{folder}.{name}" for name in modules} <= page.ids


def test_no_attribute_is_described_with_a_colon() -> None:
    """Sphinx would read what stands before it as a type, and miss a reference."""
    sources = [path.read_text() for path in (ROOT / "tailnoise_utils").rglob("*.py")]
    assert not [line for source in sources for line in source.splitlines() if re.search(r"#: .*: ", line)]


@pytest.mark.parametrize("page", ["README.md", "book/reproduce.md"])
def test_commands_and_imports_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    for name in re.findall(r"tailnoise_utils (?:run|show|verify) (\w+)", text):
        assert name in {*experiments.EXPERIMENTS, "all"}, name
    for module, names in re.findall(r"from (tailnoise_utils[\w.]*) import ([\w, ]+)", text):
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}"), name


def test_nothing_is_loaded_from_elsewhere(book: Path) -> None:
    paths = [path for path in book.rglob("*") if path.suffix in {".html", ".css"}]
    assert paths
    assets = {str(path.relative_to(book)): remote_assets(path.read_text(), path.suffix) for path in paths}
    assert not {name: urls for name, urls in assets.items() if urls}


def test_no_link_is_broken(book: Path) -> None:
    assert not broken_links(book)


def test_figures_have_alternative_text(book: Path) -> None:
    missing = {path.name: images_without_text(path.read_text()) for path in book.rglob("*.html")}
    assert not {name: images for name, images in missing.items() if images}
    assert any(Page(path.read_text()).images for path in book.glob("executed/*.html"))


def test_no_progress_bar_and_no_widget(book: Path) -> None:
    pages = [path.read_text() for path in book.glob("executed/*.html")]
    assert pages
    assert not any("jupyter-widgets" in page or "it/s]" in page for page in pages)


def test_mathjax_is_trimmed(book: Path) -> None:
    folder = book / "_static" / "mathjax"
    assert (folder / "tex-chtml.js").is_file()
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 10e6


def test_footer_names_the_version(book: Path) -> None:
    from tailnoise_utils import __version__

    assert f"tailnoise_utils {__version__}" in (book / "index.html").read_text()


def test_pages_of_another_profile_say_so(book: Path) -> None:
    """The text speaks of laptop; the copy that is tested is one of smoke."""
    pages = [path.read_text() for path in [book / "index.html", *book.glob("executed/*.html")]]
    assert len(pages) > 10
    assert all("numbers of this copy are of the profile smoke; the sentences" in page for page in pages)


def test_a_second_make_does_nothing(book: Path, checkout: Path, make: Make) -> None:
    before = {path: path.stat().st_mtime_ns for path in (checkout / "book").rglob("*")}
    assert make("book").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (checkout / "book").rglob("*")} == before


def test_unknown_profile(make: Make) -> None:
    done = make("book", profile="nonsense")
    assert done.returncode != 0
    assert "unknown PROFILE 'nonsense'; choose one of: book smoke laptop" in done.stderr


@pytest.mark.parametrize(("text", "built"), [("A page.", True), ("{ref}`a-label-that-is-nowhere`", False)])
def test_a_broken_reference_fails_the_build(text: str, built: bool, checkout: Path, make: Make, tmp_path: Path) -> None:
    """Of a book of one page, with the settings of ours."""
    ignored = shutil.ignore_patterns("_build", "executed", "*.md", "results", "*.py", "*.ipynb")
    for name in ("book", "notebooks", "tailnoise_utils"):
        shutil.copytree(checkout / name, tmp_path / name, ignore=ignored)
    shutil.copytree(checkout / "book" / "_ext", tmp_path / "book" / "_ext", dirs_exist_ok=True)
    shutil.copy2(checkout / "Makefile", tmp_path)
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "book" / "executed").mkdir()
    (tmp_path / "book" / "executed" / "profile").write_text("smoke\n")
    (tmp_path / "book" / "index.md").write_text(f"# A book\n\n{text}\n")
    done = make("book", cwd=tmp_path)
    assert (done.returncode == 0) == built, done.stdout + done.stderr
    assert ("a-label-that-is-nowhere" in done.stdout + done.stderr) != built
    assert (tmp_path / "book" / "_build" / "html" / "index.html").exists() == built  # else the next make builds again


def test_another_profile_is_executed_anew(make: Make, tmp_path: Path) -> None:
    """Of a notebook that prints its profile."""
    shutil.copy2(ROOT / "Makefile", tmp_path)
    (tmp_path / "notebooks").mkdir()
    kernel = "# ---\n# jupyter:\n#   kernelspec: {name: python3, language: python, display_name: Python 3}\n# ---\n\n"
    cells = '# %% tags=["parameters"]\nprofile = "book"\n\n# %%\nprint(profile, "run")\n'
    (tmp_path / "notebooks" / "a.py").write_text(kernel + cells)
    for profile in ("smoke", "laptop"):
        done = make("book/executed/a.ipynb", profile=profile, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{profile} run" in (tmp_path / "book" / "executed" / "a.ipynb").read_text()


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<script async="async" src="//cdn.example/x.js"></script>',
        '<script>const url = "https://cdn.example/x.js"; load(url)</script>',
        '<script type="module">import x from "https://cdn.example/x.js"</script>',
        '<link rel="stylesheet" href="https://cdn.example/x.css">',
        '<link rel="preload" as="font" href="https://cdn.example/x.woff2">',
        '<img alt="x" src="https://cdn.example/x.png">',
        '<img alt="x" src="x.png" srcset="x.png 1x, https://cdn.example/x.png 2x">',
        '<p style="background: url(https://cdn.example/x.png)">x</p>',
        "<style>@import 'https://cdn.example/x.css';</style>",
        '<object data="http://cdn.example/x.svg"></object>',
        '<iframe src="https://video.example/x"></iframe>',
        '<svg><image xlink:href="https://cdn.example/x.png"/></svg>',
    ],
)
def test_the_check_finds_remote_assets(page: str) -> None:
    assert remote_assets(page, ".html")


def test_the_check_allows_links_and_local_assets() -> None:
    page = """<link rel="stylesheet" href="_static/x.css"><link rel="canonical" href="https://book.example/">
    <a href="https://arxiv.org/abs/1901.06053">a link</a><script src="x.js?v=1"></script><img alt="a" src="x.png">
    <script>const page = "a//b"; // a comment
    </script><p>https://not.loaded.example</p><img alt="b" src="data:image/png;base64,AAAA">"""
    assert not remote_assets(page, ".html")


@pytest.mark.parametrize("rule", ["@import 'https://cdn.example/x.css';", "a { src: url(//cdn.example/x.woff2) }"])
def test_the_check_finds_remote_assets_of_styles(rule: str) -> None:
    assert remote_assets(rule, ".css")
    assert not remote_assets("a { src: url(../fonts/x.woff2) } b { src: url('data:image/svg+xml;utf8,x') }", ".css")


def test_the_check_finds_broken_links(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<p id="here">x</p>')
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="#top">y</a><p id="top">z</p>')
    assert not broken_links(tmp_path)
    for bad in ("c.html", "b.html#there", "#bottom", "../outside.html", "b"):
        (tmp_path / "a.html").write_text(f'<a href="{bad}">x</a>')
        assert broken_links(tmp_path), bad
    (tmp_path / "a.html").write_text('<img alt="x" src="_images/lost.png">')
    assert broken_links(tmp_path)
    shutil.rmtree(tmp_path / "_images", ignore_errors=True)


@pytest.mark.parametrize("image", ['<img src="x.png">', '<img src="x.png" alt=" ">', '<img alt="x.png" src="x.png">'])
def test_the_check_finds_images_without_text(image: str) -> None:
    assert images_without_text(image)
    assert not images_without_text('<img src="x.png" alt="A falling line">')


AVOIDED = ("but for", "beside", "no chance", "classified rightly", "in this time", "of which", "as it is")
AVOIDED += ("comes from", "goes with")


def words(text: str) -> list[list[str]]:
    """The sentences of a page, without code, tables, formulas and directives, as words."""
    text = re.sub(r"```(?!\{admonition)[^\n]*\n.*?```|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|\{[a-z:]+\}`[^`]*`", "X", text, flags=re.S)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "#", ":", "![", "```"))]
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1 X", "\n".join(lines))
    paragraphs = re.split(r"\s*\n\s*[*-] |\n\s*\n", text)
    return [sentence.split() for p in paragraphs for sentence in re.split(r"(?<=[.!?:])\s+", " ".join(p.split()))]


def prose(path: Path) -> str:
    """The text of a page, or of a notebook's cells of text."""
    if path.suffix == ".md":
        return path.read_text()
    return "\n\n".join(cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown")


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", ROOT / "book/index.md", *sorted(ROOT.glob("notebooks/*.py"))],
    ids=lambda path: path.stem,
)
def test_one_claim_a_sentence(path: Path) -> None:
    sentences = words(prose(path))
    assert not [" ".join(sentence) for sentence in sentences if len(sentence) > 35]
    assert sum(map(len, sentences)) <= 18 * len(sentences)
    assert not [word for word in AVOIDED if re.search(rf"\b{word}\b", prose(path))]


def test_sentences_are_taken_apart() -> None:
    text = "# A title.\n\nOne [two](x.md) $a. b$: three.\nFour {glue:text}`x:.2f` five! Six\n\n| a | table. |\n* item one\n"
    assert [" ".join(sentence) for sentence in words(text) if sentence] == [
        "One two X X:",
        "three.",
        "Four X five!",
        "Six",
        "item one",
    ]
