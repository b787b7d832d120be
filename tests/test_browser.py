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
from dataclasses import dataclass
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
    outside: outside,
    interactive: interactive,
    buttons: [...document.querySelectorAll(".modebar-btn")].map((button) => button.dataset.title),
    notices: document.querySelectorAll("[id$=-missing]").length,
    remote: blocked,
    complaints: complaints,
  });
});</script>"""


@dataclass
class Visit:
    """What happened on a page: what the probe found, and requests that failed."""

    facts: dict[str, Any]
    failed: list[str]


class Server(SimpleHTTPRequestHandler):
    """Serves a folder, adding policy and probe to its pages and recording what is not there."""

    def __init__(self, *args: Any, failed: list[str], **kwargs: Any) -> None:
        self.failed = failed
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix == ".html" and path.is_file():
            page = path.read_text().replace("<head>", PROBE, 1).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
        else:
            if not path.is_file() and path.name != "favicon.ico":  # which browsers ask for by themselves
                self.failed.append(self.path)
            super().do_GET()

    def log_message(self, *args: Any) -> None:
        pass


def visit(folder: Path, page: str, profile: Path) -> Visit:
    """Open one page of a folder."""
    failed: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(folder), failed=failed))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
        *("--disable-default-apps", "--window-size=1280,1024"),
        f"--user-data-dir={profile}",
        "--virtual-time-budget=60000",
        "--dump-dom",
        f"http://127.0.0.1:{server.server_port}/{page}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    finally:
        server.shutdown()
        server.server_close()
    probe = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert probe, f"{page} did not finish loading:\n{done.stderr}"
    return Visit(json.loads(unescape(probe[1])), failed)


@pytest.fixture(autouse=True)
def browser() -> None:
    """Without a browser these tests cannot be made; in CI that is an error."""
    if CHROMIUM is None and os.environ.get("CI") != "true":
        pytest.skip("no Chromium here: install chromium to look at the book in a browser")
    assert CHROMIUM, "CI needs Chromium; .ci/run installs it"


@pytest.fixture(scope="session")
def visits(book: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Visit]:
    """Every page of the book, opened once."""
    names = sorted(str(path.relative_to(book)) for path in book.rglob("*.html"))
    names = [name for name in names if not name.startswith(("_modules", "_static"))]
    profile = tmp_path_factory.mktemp("chromium")
    return {name: visit(book, name, profile) for name in names}


def test_maths_is_set(visits: dict[str, Visit]) -> None:
    assert not {name: visit.facts for name, visit in visits.items() if visit.facts["unset"] or visit.facts["errors"]}
    for name in ("index.html", "methods.html", "api/tail_index.html", "executed/iterations.html"):
        assert visits[name].facts["maths"], name


def test_figures_are_shown(visits: dict[str, Visit]) -> None:
    assert not {name: visit.facts["lost"] for name, visit in visits.items() if visit.facts["lost"]}
    assert visits["executed/iterations.html"].facts["images"]


def test_interactive_figures_are_drawn_and_follow_their_menus(visits: dict[str, Visit]) -> None:
    # The small data of smoke is one set for FCNs: there the last menu, of conventions, changes what is drawn.
    for name, menu in (("executed/iterations.html", 0), ("executed/fcn_size.html", 3)):
        steps = visits[name].facts["interactive"]
        assert all(step["shown"] and step["lines"] for step in steps), name
        assert steps[menu]["shown"] != steps[menu + 1]["shown"], name
        assert steps[menu]["lines"] != steps[menu + 1]["lines"], name
        assert not visits[name].facts["notices"], name


def test_nothing_is_asked_of_anybody_else(visits: dict[str, Visit]) -> None:
    assert not {name: visit.facts["remote"] for name, visit in visits.items() if visit.facts["remote"]}


def test_no_request_fails_and_no_script_complains(visits: dict[str, Visit]) -> None:
    assert not {name: visit.failed for name, visit in visits.items() if visit.failed}
    assert not {name: visit.facts["complaints"] for name, visit in visits.items() if visit.facts["complaints"]}


def test_no_page_is_wider_than_the_window(visits: dict[str, Visit]) -> None:
    assert not {name: visit.facts["outside"] for name, visit in visits.items() if visit.facts["outside"] > 0}


def test_the_visit_finds_faults(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text("<head></head><p>nothing</p>")
    (tmp_path / "bad.html").write_text(
        '<head></head><img src="lost.png"><img src="http://cdn.example/x.png"><script src="https://cdn.example/x.js"></script>'
        '<span class="math">\\(x\\)</span><div style="width: 5000px">x</div><script>nowhere()</script>'
    )
    good = visit(tmp_path, "good.html", tmp_path / "profile")
    assert (good.facts["remote"], good.facts["complaints"], good.failed) == ([], [], [])
    assert not good.facts["lost"]
    assert good.facts["outside"] <= 0
    bad = visit(tmp_path, "bad.html", tmp_path / "profile")
    assert set(bad.facts["remote"]) == {"http://cdn.example/x.png", "https://cdn.example/x.js"}
    assert bad.failed == ["/lost.png"]
    assert len(bad.facts["lost"]) == 2
    assert bad.facts["unset"] == 1
    assert bad.facts["outside"] > 0
    assert any("nowhere is not defined" in line for line in bad.facts["complaints"])
