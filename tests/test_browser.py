"""The built book in a browser: maths, figures, requests, errors.

The pages are served with a content security policy that allows the book alone, and with a probe that writes what it saw
into the page: what Chromium blocks is what a page would have loaded from elsewhere.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.xdist_group("book"), pytest.mark.slow]

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROBE = """<head><script>
const blocked = [], complaints = [];
addEventListener("error", (event) => event.message && complaints.push(event.message));
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
console.error = console.warn = (...words) => complaints.push(words.join(" "));
document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.blockedURI));
addEventListener("load", async () => {
  if (window.MathJax) await MathJax.startup.promise;
  const images = [...document.querySelectorAll(".bd-article img, body:not(:has(.bd-article)) img")];
  images.forEach((image) => (image.loading = "eager"));
  await Promise.allSettled(images.map((image) => image.decode()));
  await new Promise((resolve) => setTimeout(resolve, 500)); // events of the policy come late
  const interactive = []; // what an interactive figure shows, at first and after the last entry of each menu was chosen
  const plot = document.querySelector(".js-plotly-plot");
  const note = () => plot && interactive.push({
    shown: plot.data.filter((trace) => trace.visible).map((trace) => trace.meta),
    lines: [...plot.querySelectorAll(".scatterlayer path.js-line, .scatterlayer path.point")]
      .map((path) => path.getAttribute("d") + path.getAttribute("transform")).join(";"),
  });
  const click = async (element) => {
    element.dispatchEvent(new MouseEvent("click", {bubbles: true}));
    await new Promise((resolve) => setTimeout(resolve, 500));
  };
  note();
  for (let i = 0; plot && i < plot.layout.updatemenus.length; i++) {
    await click(plot.querySelectorAll(".updatemenu-header")[i]);
    await click([...plot.querySelectorAll(".updatemenu-dropdown-button")].at(-1));
    note();
  }
  const outside = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.documentElement.dataset.probe = JSON.stringify({
    maths: document.querySelectorAll("mjx-container").length,
    unset: document.querySelectorAll(".math").length - document.querySelectorAll(".math mjx-container").length,
    errors: document.querySelectorAll("mjx-merror, [data-mjx-error]").length,
    images: images.length,
    lost: images.filter((image) => !image.naturalWidth).map((image) => image.src),
    // A point is 4/3 px: below 3/4 of its size text of 10 points has less than 10 px.
    shrunk: images.filter((image) => image.src.endsWith("svg") && image.clientWidth < 0.75 * image.naturalWidth).map(
      (image) => image.src),
    cut: [...document.querySelectorAll("table")].filter((table) => table.scrollWidth > table.clientWidth).length,
    outside: outside,
    interactive: interactive,
    buttons: [...document.querySelectorAll(".modebar-btn")].map((button) => button.dataset.title),
    notices: document.querySelectorAll("[id$=-missing]").length,
    remote: blocked,
    complaints: complaints,
  });
});</script>"""


TOUR = """<body><script>
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const outside = (root) => root.scrollWidth - root.clientWidth;
(async () => {
  const seen = {};
  for (const page of PAGES) {
    const frame = Object.assign(document.createElement("iframe"), {src: page, width: 1280, height: 1024});
    document.body.append(frame);
    const root = () => frame.contentDocument.documentElement;
    // The browser's clock runs ahead of it where it is busy, as with decoding an image.
    for (let i = 0; i < 6000 && !(frame.contentDocument && root().dataset.probe); i++) await wait(100);
    const probe = root().dataset.probe;
    frame.width = 390;
    await wait(300);
    seen[page] = probe && {...JSON.parse(probe), narrow: outside(root())};
    frame.remove();
  }
  document.documentElement.dataset.tour = JSON.stringify(seen);
})();
</script>"""


class Server(SimpleHTTPRequestHandler):
    """Serves a folder, adding policy and probe to its pages and recording what is not there."""

    def __init__(self, *args: Any, tour: str, failed: list[str], **kwargs: Any) -> None:
        self.tour, self.failed = tour, failed
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if self.path == "/tour":
            self.answer(self.tour)
        elif path.suffix == ".html" and path.is_file():
            self.answer(path.read_text().replace("<head>", PROBE, 1))
        else:
            if not path.is_file() and path.name != "favicon.ico":  # which browsers ask for by themselves
                self.failed.append(self.path)
            super().do_GET()

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: Any) -> None:
        pass


def visit(folder: Path, pages: list[str], profile: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Open pages of a folder one after the other: what the probe found on each, and the requests that failed."""
    failed: list[str] = []
    handler = partial(Server, directory=str(folder), tour=TOUR.replace("PAGES", json.dumps(pages)), failed=failed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
        *("--disable-default-apps", "--window-size=1400,1100"),
        f"--user-data-dir={profile}",
        "--virtual-time-budget=3000000",
        "--dump-dom",
        f"http://127.0.0.1:{server.server_port}/tour",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    finally:
        server.shutdown()
        server.server_close()
    tour = re.search(r'data-tour="([^"]*)"', done.stdout)
    assert tour, f"the pages did not finish loading:\n{done.stderr}"
    facts = json.loads(unescape(tour[1]))
    assert list(facts) == pages
    assert not [page for page in pages if not facts[page]], "pages that did not finish loading"
    return facts, failed


@pytest.fixture(autouse=True)
def browser() -> None:
    """Without a browser these tests cannot be made; in CI that is an error."""
    if CHROMIUM is None and os.environ.get("CI") != "true":
        pytest.skip("no Chromium here: install chromium to look at the book in a browser")
    assert CHROMIUM, "CI needs Chromium; .ci/run installs it"


@pytest.fixture(scope="session")
def tour(book: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Every page of the book, opened once."""
    names = sorted(str(path.relative_to(book)) for path in book.rglob("*.html"))
    names = [name for name in names if not name.startswith(("_modules", "_static"))]
    return visit(book, names, tmp_path_factory.mktemp("chromium"))


@pytest.fixture
def facts(tour: tuple[dict[str, dict[str, Any]], list[str]]) -> dict[str, dict[str, Any]]:
    """What was found on each page."""
    return tour[0]


def faults(facts: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Pages on which a fault was found."""
    return {page: seen[name] for page, seen in facts.items() if seen[name]}


def test_maths_is_set(facts: dict[str, dict[str, Any]]) -> None:
    assert not faults(facts, "unset")
    assert not faults(facts, "errors")
    for name in ("index.html", "methods.html", "api/tail_index.html", "executed/iterations.html"):
        assert facts[name]["maths"], name


def test_figures_are_shown(facts: dict[str, dict[str, Any]]) -> None:
    assert not faults(facts, "lost")
    assert facts["executed/iterations.html"]["images"]


def test_text_of_figures_is_large_enough_and_no_table_is_cut(facts: dict[str, dict[str, Any]], book: Path) -> None:
    """At 1280 px."""
    assert not faults(facts, "shrunk")
    assert not faults(facts, "cut")
    texts = {path.name: text_sizes(path.read_text()) for path in book.glob("_images/*.svg")}
    assert texts
    assert not {name: min(sizes) for name, sizes in texts.items() if min(sizes) < 10}


def text_sizes(svg: str) -> list[float]:
    """The sizes in points of the texts of a figure, which matplotlib draws as outlines of size 100, scaled."""
    return [100 * float(scale) for scale in re.findall(r'<g [^>]*transform="translate[^"]* scale\(([\d.]+) -', svg)]


def test_interactive_figures_are_drawn_and_follow_their_menus(facts: dict[str, dict[str, Any]]) -> None:
    # The small data of smoke is one set for FCNs: there the last menu, of conventions, changes what is drawn.
    name, menu = "executed/fcn_size.html", 3
    steps = facts[name]["interactive"]
    assert all(step["shown"] and step["lines"] for step in steps)
    assert steps[menu]["shown"] != steps[menu + 1]["shown"]
    assert steps[menu]["lines"] != steps[menu + 1]["lines"]
    assert not facts[name]["notices"]


def test_nothing_is_asked_of_anybody_else(facts: dict[str, dict[str, Any]]) -> None:
    assert not faults(facts, "remote")


def test_no_request_fails_and_no_script_complains(tour: tuple[dict[str, dict[str, Any]], list[str]]) -> None:
    facts, failed = tour
    assert not failed
    assert not faults(facts, "complaints")


@pytest.mark.parametrize("width", ["outside", "narrow"])
def test_no_page_is_wider_than_the_window(facts: dict[str, dict[str, Any]], width: str) -> None:
    """At 1280 and at 390 px."""
    assert not {page: seen[width] for page, seen in facts.items() if seen[width] > 0}


def test_the_visit_finds_faults(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text("<head></head><p>nothing</p>")
    (tmp_path / "bad.html").write_text(
        '<head></head><img src="lost.png"><img src="http://cdn.example/x.png"><script src="https://cdn.example/x.js"></script>'
        '<span class="math">\\(x\\)</span><div style="width: 5000px">x</div><script>nowhere()</script>'
        '<table style="display: block; width: 50px; overflow: auto"><td>unbreakable</td></table>'
        '<img width="70" src="wide.svg">'
    )
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="9"/>'
    (tmp_path / "wide.svg").write_text(svg)
    (tmp_path / "wide.html").write_text('<head></head><div style="width: 500px">x</div>')
    seen, failed = visit(tmp_path, ["good.html", "bad.html", "wide.html"], tmp_path / "profile")
    good, bad, wide = seen.values()
    assert (good["remote"], good["complaints"], good["lost"]) == ([], [], [])
    assert max(good["outside"], good["narrow"], wide["outside"]) <= 0
    assert set(bad["remote"]) == {"http://cdn.example/x.png", "https://cdn.example/x.js"}
    assert failed == ["/lost.png"]
    assert len(bad["lost"]) == 2
    assert bad["unset"] == bad["cut"] == len(bad["shrunk"]) == 1
    assert not good["cut"]
    assert min(bad["outside"], wide["narrow"]) > 0
    assert any("nowhere is not defined" in line for line in bad["complaints"])
