"""What the paper's figures show, as numbers, and the table that sets ours beside them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..results.reading import PUBLISHED, TWIN

_ONE_SEED = 0.05  # how far apart two values may be where one seed says nothing of their spread
_ITERATIONS = ",.0f"  # format of iterations: those may differ by a tenth

# A line of a comparison: what it is, the paper's value or range (None: not known), ours (one a seed), the format.
Line = tuple[str, float | tuple[float, float] | None, Iterable[float], str]
PALE = "#F0C9AE"  # what is the paper's: its own curves, the ranges that it claims


def figure7() -> pd.DataFrame:
    """Return the curves of Figure 7, read off a public slide deck (J. Lee, 6 November 2020): alpha^ to .01, steps 2 %."""
    return pd.read_csv(Path(__file__).with_name("figure7.csv"))


def agrees(paper: float | tuple[float, float], ours: list[float], tolerance: float = _ONE_SEED) -> bool:
    """Tell whether the paper's value is within two sd of our seeds' mean (one seed: a tolerance), or ours in its range."""
    mean = float(np.mean(ours))
    if isinstance(paper, tuple):
        return paper[0] <= mean <= paper[1]
    return abs(paper - mean) <= (2 * float(np.std(ours, ddof=1)) if len(ours) > 1 else tolerance)


def comparison(lines: Iterable[Line]) -> pd.DataFrame:
    """Return the paper's values, ours (mean ± sd over the seeds) and whether they agree, a line each, as words."""
    table = {}
    for name, paper, values, form in lines:
        ours = [float(value) for value in values if not np.isnan(value)]
        spread = f" ± {np.std(ours, ddof=1):{form}}" if len(ours) > 1 else ""
        words = ["–", f"{np.mean(ours):{form}}{spread}" if ours else "not run", ""]
        if paper is not None:
            ends = [value for value in (paper if isinstance(paper, tuple) else (paper,)) if value > -np.inf]
            words[0] = ("below " if paper == (-np.inf, *ends) else "") + " to ".join(f"{end:{form}}" for end in ends)
            if ours:
                tolerance = 0.1 * float(np.mean(ours)) if form == _ITERATIONS else _ONE_SEED
                words[2] = "yes" if agrees(paper, ours, tolerance) else "no"
        table[name] = words
    return pd.DataFrame.from_dict(table, orient="index", columns=["paper", "ours", "agrees"])


def beside_twin(table: pd.DataFrame) -> str:
    """Say how far 1/alpha^, as published, of noise and Gaussian twin are apart, over the networks that left chance."""
    left = table[table["left"]].fillna({"x": 0}).set_index(["run", "split", "x"])
    noise, twin = (left.loc[left["quantity"] == name, "value"] for name in (PUBLISHED, TWIN))
    gap = (noise - twin).abs().dropna()
    if gap.empty:
        return "The Gaussian twin was not measured in these runs."
    return rf"$1/\hat\alpha$ of noise and Gaussian twin differ by {gap.median():.3f} (median), {gap.max():.3f} at most."
