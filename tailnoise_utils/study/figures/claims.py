"""A figure of the verdicts."""

import textwrap

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..claims import VERDICTS, Verdict
from ..style import COLOURS, STYLE

# Blue for what holds, orange for what does not, grey where nothing can be said.
_COLOURS = dict(zip(VERDICTS, (COLOURS[0], COLOURS[4], COLOURS[1], "#999999"), strict=True))


def verdicts(found: list[Verdict]) -> Figure:
    """What became of every claim.

    Args:
        found: of :func:`tailnoise_utils.study.claims.verdicts`.

    Returns:
        A row a claim, a column a verdict; the paper's claims above ours.
    """
    rows = range(len(found))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(10, 1.0 + 0.55 * len(found)))
        for y, v in zip(rows, found, strict=True):
            axes.plot(VERDICTS.index(v.verdict), y, "s", markersize=15, color=_COLOURS[v.verdict], label=v.claim)
        words = [textwrap.fill(f"{v.claim}  {v.statement}", 75, break_on_hyphens=False) for v in found]
        words = [word.replace("alpha^", r"$\hat\alpha$") for word in words]
        axes.set_yticks(rows, words, fontsize=8, linespacing=1.1)
        axes.set_xticks(range(len(VERDICTS)), [textwrap.fill(word, 15) for word in VERDICTS])
        axes.xaxis.tick_top()
        axes.set(xlim=(-0.5, len(VERDICTS) - 0.5), ylim=(len(found) - 0.5, -0.5))
        axes.tick_params(length=0)
        axes.grid(axis="y", linewidth=0.4)
        ours = sum(v.claim.startswith("C") for v in found)
        axes.axhline(ours - 0.5, color="#555555", linewidth=0.8)
    plt.close(figure)
    return figure
