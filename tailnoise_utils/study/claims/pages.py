"""The verdicts as tables in the README and on the first page of the book, between two marks."""

from collections.abc import Iterable
from pathlib import Path

from .verdict import NOT_TESTED, Verdict

__all__ = ["BEGIN", "END", "PAGES", "insert", "line", "table", "with_formulas", "write"]

BEGIN = "<!-- claims: what follows is made by `python -m tailnoise_utils claims --write` -->"
END = "<!-- claims: end -->"
_ROOT = Path(__file__).parents[3]
# Page to whether it has room for the second column, and mathematics.
PAGES = {_ROOT / "README.md": False, _ROOT / "book" / "index.md": True}
_MARKS = {"reproduced": "**reproduced**", "partly": "**partly**", "not reproduced": "**not reproduced**"}


def table(verdicts: Iterable[Verdict], *, book: bool) -> str:
    r"""The verdicts in Markdown.

    Args:
        verdicts: of :func:`tailnoise_utils.study.claims.verdicts`.
        book: with the column on tails, and alpha^ as :math:`\hat\alpha`; else in plain words.

    Returns:
        The lines of a table, C the paper's claims, O our own.
    """
    header = ["", "Claim, as we understand it", "Verdict"] + ["Heavy tails, or something else?"] * book
    rows = [header, ["---"] * len(header)]
    for v in verdicts:
        verdict = _MARKS.get(v.verdict, v.verdict)
        rows.append([v.claim, v.statement, verdict] + [v.tails if v.verdict != NOT_TESTED else ""] * book)
    text = "\n".join("".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in rows)
    return with_formulas(text) if book else text


def with_formulas(text: str) -> str:
    r"""Plain words for a page that has mathematics.

    Args:
        text: with alpha^ and K1 in it.

    Returns:
        The same with :math:`\hat\alpha` and :math:`K_1`.
    """
    for plain, formula in {"1/alpha^": r"$1/\hat\alpha$", "alpha^": r"$\hat\alpha$", "K1": "$K_1$"}.items():
        text = text.replace(plain, formula)
    return text


def line(verdict: Verdict) -> str:
    """A verdict as an entry of a list on a page of the book.

    Args:
        verdict: on one claim.

    Returns:
        The claim, what became of it, and why.
    """
    p = "" if verdict.p is None else f" (p = {verdict.p:.2g})"
    words = f"{with_formulas(verdict.statement)} *{with_formulas(verdict.evidence)}*"
    return f"* **{verdict.claim} {verdict.verdict}**{p}. {words}"


def insert(page: str, lines: str) -> str:
    """A page with other lines between its marks.

    Args:
        page: its text.
        lines: what is to be there.

    Returns:
        The text.

    Raises:
        ValueError: the page does not have both marks once, in their order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after or END in before + after:
        raise ValueError(
            f"the page does not have these lines once, in this order: {BEGIN} and {END}; put them in again"
        )
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"


def write(verdicts: list[Verdict]) -> list[Path]:
    """Write the verdicts into the pages.

    Args:
        verdicts: of :func:`tailnoise_utils.study.claims.verdicts`.

    Returns:
        The pages that changed.
    """
    changed = []
    for path, book in PAGES.items():
        before = path.read_text()
        if (after := insert(before, table(verdicts, book=book))) != before:
            path.write_text(after)
            changed.append(path)
    return changed
