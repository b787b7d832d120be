"""The verdicts as tables, as a figure and on the command line; what the pages say is what is stored."""

import matplotlib as mpl
import pytest
from typer.testing import CliRunner

from tailnoise_utils.__main__ import app
from tailnoise_utils.study import claims
from tailnoise_utils.study.claims import pages
from tailnoise_utils.study.figures import claims as figures

mpl.use("agg")

VERDICTS = [
    claims.Verdict("C2", "reproduced", "Seen.", p=0.0123, tails="Not about gradient noise."),
    claims.Verdict("C3", "partly", "Seen in part.", tails="At K1 = 3 alpha^ is 2, so 1/alpha^ is a half."),
    claims.Verdict("O1", claims.NOT_TESTED, "Not measured: fcn_size.", tails="Not measured."),
]
PAGE = f"# A title\n\n{pages.BEGIN}\nold\n{pages.END}\n\nThe rest.\n"


def test_tables_by_hand():
    assert pages.table(VERDICTS, formulas=False).splitlines() == [
        "| | Claim, as we understand it | Verdict |",
        "| --- | --- | --- |",
        "| C2 | The estimator recovers alpha on synthetic SaS data. | **reproduced** |",
        "| C3 | In every configuration (networks, sizes, losses, data sets) alpha^ is far below 2. | **partly** |",
        "| O1 | Most of the gap 1/alpha^ - 1/2 before training is correlation between coordinates. "
        "| not tested at this scale |",
    ]
    lines = pages.table(VERDICTS, formulas=True).splitlines()
    assert lines[3].endswith(r"$\hat\alpha$ is far below 2. | **partly** |")
    assert lines[4].endswith(
        r"gap $1/\hat\alpha$ - 1/2 before training is correlation between coordinates. | not tested at this scale |"
    )


def test_a_verdict_as_an_entry():
    assert pages.line(VERDICTS[0]) == (
        "* **C2 reproduced** (p = 0.012). The estimator recovers alpha on synthetic SaS data. *Seen.*"
    )
    assert pages.line(claims.Verdict("C3", "partly", "1/alpha^ is 0.6.")) == (
        r"* **C3 partly**. In every configuration (networks, sizes, losses, data sets) $\hat\alpha$ is far below 2. "
        r"*$1/\hat\alpha$ is 0.6.*"
    )


def test_lines_go_between_the_marks():
    assert pages.insert(PAGE, "new") == f"# A title\n\n{pages.BEGIN}\n\nnew\n\n{pages.END}\n\nThe rest.\n"
    assert pages.insert(pages.insert(PAGE, "new"), "newer") == pages.insert(PAGE, "newer")


@pytest.mark.parametrize(
    "page", ["", pages.BEGIN, pages.END, f"{pages.END}{pages.BEGIN}", PAGE + PAGE, PAGE + pages.END]
)
def test_a_page_without_its_marks_is_refused(page):
    with pytest.raises(
        ValueError, match=r"does not have these lines once, in this order: <!-- claims: .*put them in again"
    ):
        pages.insert(page, "new")


def test_every_verdict_has_its_square():
    figure = figures.verdicts(VERDICTS)
    (axes,) = figure.axes
    places = {
        line.get_label(): tuple(line.get_xydata()[0]) for line in axes.get_lines() if line.get_label() in claims.RULES
    }
    assert places == {"C2": (0, 0), "C3": (1, 1), "O1": (3, 2)}
    assert [word.get_text().replace("\n", " ") for word in axes.get_xticklabels()] == list(claims.VERDICTS)
    assert axes.get_yticklabels()[1].get_text().startswith("C3  In every configuration")
    assert r"$\hat\alpha$ is far below 2" in axes.get_yticklabels()[1].get_text().replace("\n", " ")


def test_command(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    monkeypatch.setattr(pages, "PAGES", {page: False})
    monkeypatch.setattr(claims, "verdicts", lambda profile: VERDICTS)
    shown = CliRunner().invoke(app, ["claims"])
    assert shown.exit_code == 0, shown.output
    assert "C2 The estimator recovers alpha on synthetic SaS data.\n  reproduced (p = 0.012). Seen." in shown.output
    assert page.read_text() == PAGE
    assert str(page) in CliRunner().invoke(app, ["claims", "--write"]).output
    assert pages.table(VERDICTS, formulas=False) in page.read_text()
    assert "The pages say so already." in CliRunner().invoke(app, ["claims", "--write"]).output


def test_every_claim_has_a_statement_a_criterion_and_a_rule():
    assert list(claims.RULES) == list(claims.STATEMENTS) == list(claims.CRITERIA)
    for claim, (rule, _) in claims.RULES.items():
        assert rule.__name__ == claim.lower()
        assert rule.__doc__.startswith(f"{claim}")


@pytest.mark.slow
def test_pages_are_not_stale(monkeypatch):
    """If this fails: python -m tailnoise_utils claims --write."""
    monkeypatch.delenv("TAILNOISE_RESULTS", raising=False)
    verdicts = claims.verdicts("laptop")
    for path, formulas in pages.PAGES.items():
        text = path.read_text()
        assert pages.insert(text, pages.table(verdicts, formulas=formulas)) == text, path
