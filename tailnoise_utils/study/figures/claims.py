"""A figure of the verdicts."""

import textwrap

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..claims import VERDICTS, Verdict
from ..style import COLOURS, WIDTH, figure

# Blue for what holds, orange for what does not, grey where nothing can be said.
_COLOURS = dict(zip(VERDICTS, (COLOURS[0], COLOURS[4], COLOURS[1], "#999999"), strict=True))


@figure
def verdicts(judged: list[Verdict]) -> Figure:
    """Draw what became of every claim: a row a claim, the paper's above ours, and a column a verdict."""
    rows = range(len(judged))
    drawn, axes = plt.subplots(figsize=(WIDTH, 1.0 + 0.62 * len(judged)))
    for y, v in zip(rows, judged, strict=True):
        axes.plot(VERDICTS.index(v.verdict), y, "s", markersize=15, color=_COLOURS[v.verdict], label=v.claim)
    words = [textwrap.fill(f"{v.claim}  {v.statement}", 52, break_on_hyphens=False) for v in judged]
    axes.set_yticks(rows, [word.replace("alpha^", r"$\hat\alpha$") for word in words], linespacing=1.1)
    axes.set_xticks(range(len(VERDICTS)), [textwrap.fill(word, 12) for word in VERDICTS])
    axes.xaxis.tick_top()
    axes.set(xlim=(-0.5, len(VERDICTS) - 0.5), ylim=(len(judged) - 0.5, -0.5))
    axes.tick_params(length=0)
    axes.grid(axis="y", linewidth=0.4)
    paper = sum(v.claim.startswith("C") for v in judged)
    axes.axhline(paper - 0.5, color="#555555", linewidth=0.8)
    return drawn
