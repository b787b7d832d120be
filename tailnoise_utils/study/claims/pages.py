"""The verdicts as tables in the README and on the first page of the book, between two marks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from .verdict import Verdict

BEGIN = "<!-- claims: what follows is made by `python -m tailnoise_utils claims --write` -->"
END = "<!-- claims: end -->"
_ROOT = Path(__file__).parents[3]
# Page to whether it has mathematics.
PAGES = {_ROOT / "README.md": False, _ROOT / "book" / "index.md": True}


def table(verdicts: Sequence[Verdict], *, formulas: bool) -> str:
    """Return the verdicts as a Markdown table, for the book with formulas, and which rest on the paper's settings."""
    rows = [["", "Claim, as we understand it", "Does the number recur?", "Heavier than Gaussian, per coordinate?"]]
    rows += [["---"] * 4] + [[v.claim, v.statement, f"**{v.recurs}**", v.tails] for v in verdicts]
    text = "\n".join("".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in rows)
    at_paper = ", ".join(v.claim for v in verdicts if v.profiles == ("paper",))
    text += f"\n\nAt the paper's settings: {at_paper or 'none'}. The others rest on smaller runs."
    return with_formulas(text) if formulas else text


def evidence(verdicts: Iterable[Verdict]) -> list[str]:
    """Return how heavy the noise is, a line for all claims about the same noise."""
    claims: dict[str, list[str]] = {}
    for v in verdicts:
        claims.setdefault(v.evidence, []).append(v.claim)
    return [f"{', '.join(names)}: {words}" for words, names in claims.items() if words]


def with_formulas(text: str) -> str:
    """Return plain words with alpha^ and K1 as formulas, for a page that has mathematics."""
    for plain, formula in {"1/alpha^": r"$1/\hat\alpha$", "alpha^": r"$\hat\alpha$", "K1": "$K_1$"}.items():
        text = text.replace(plain, formula)
    return text


def numbers(verdicts: Iterable[Verdict]) -> str:
    """Return what each verdict rests on as a Markdown table: the paper's value, ours, and where the rule fails."""
    rows = [["", "What is measured", "Paper", "Ours, as published", "Recurs?"], ["---"] * 5]
    rows += [[v.claim, v.unit or "–", v.paper or "–", v.ours, v.recurs] for v in verdicts]
    return with_formulas("\n".join("".join(f"| {cell} " for cell in row) + "|" for row in rows))


def insert(page: str, lines: str) -> str:
    """Return the text of a page with other lines between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after or END in before + after:
        raise ValueError(
            f"the page does not have these lines once, in this order: {BEGIN} and {END}; put them in again"
        )
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"


def write(verdicts: list[Verdict]) -> list[Path]:
    """Write the verdicts into the pages; return those that changed."""
    changed = []
    for path, formulas in PAGES.items():
        before = path.read_text()
        if (after := insert(before, table(verdicts, formulas=formulas))) != before:
            path.write_text(after)
            changed.append(path)
    return changed
