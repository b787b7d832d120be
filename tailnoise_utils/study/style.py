"""The look of every figure, and the line that says where its numbers came from."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from .results.store import Results

P = ParamSpec("P")

# Okabe and Ito's palette: told apart with any colour vision, and in this order also in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777", "#B8A800", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
WIDTH = 8.1  # inches, of a figure that fills the page of the book: shown in 6.4, 9 points are 7 then
STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def figure(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the style of the book, and close the figure: a notebook shows what its cell returns, once."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            drawn = draw(*args, **kwargs)
            drawn.draw_without_rendering()  # makes the ticks, which would have another style outside
        plt.close(drawn)
        return drawn

    return styled


def provenance_line(results: Results) -> str:
    """One line that says where a figure's numbers came from, for its caption.

    Args:
        results: of one experiment.

    Returns:
        Seeds or replicates, data, versions, processor, and what else some runs were computed on.
    """
    runs = results.runs
    data = ", ".join(f"{name}, SHA-256 {shas}" for name, shas in _digests(runs).items()) or "synthetic data"
    versions = ", ".join(f"{name} {'/'.join(sorted(set(runs[name])))}" for name in ("torch", "numpy"))
    machine = "/".join(sorted(set(runs["processor"])))
    machine += "".join(f", {count} on {name}" for name, count in runs["device"].value_counts().items() if name != "cpu")
    minutes = runs["seconds"].sum() / 60
    if "dataset" in runs:
        data = f"seeds {', '.join(f'{seed:.0f}' for seed in sorted(set(runs['seed'].dropna())))}; {data}"
    return f"{len(runs)} runs; {data}; {versions}; {machine}, {minutes:.1f} min of computing"


def _digests(runs: pd.DataFrame) -> dict[str, str]:
    """By data set, the beginnings of the digests: several where runs take different numbers of its images."""
    if "dataset" not in runs:
        return {}
    found: dict[str, list[str]] = {}
    pairs = runs.loc[runs["dataset"].notna(), ["dataset", "data_sha256"]].drop_duplicates().to_numpy()
    for name, sha in sorted(map(tuple, pairs)):
        found.setdefault(name, []).append(sha[:8])
    return {name: "/".join(shas) for name, shas in found.items()}
