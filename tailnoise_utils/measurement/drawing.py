"""The figure of one measurement."""

import math

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils.study.style import COLOURS, MARKERS, STYLE

from .report import Report


def report(of: Report) -> Figure:
    """alpha^ of the whole network and of each group with its standard error, and the norms of the noise.

    Args:
        of: what was measured.

    Returns:
        Two panels side by side.
    """
    whole = [
        ("published", of.published),
        ("corrected", of.corrected),
        ("corrected, columns\nin random order", of.permuted),
    ]
    groups = [(name, group.corrected) for name, group in of.groups.items()]
    with mpl.rc_context(STYLE):
        height = max(3.2, 0.9 + 0.28 * (len(whole) + len(groups)))
        figure, (index, norms) = plt.subplots(1, 2, figsize=(10, height), width_ratios=[1.4, 1])
        for y, (_, found) in enumerate(whole + groups):
            i = 0 if y < len(whole) else 1
            if found and math.isfinite(found.alpha):
                error = found.se if math.isfinite(found.se) else None
                index.errorbar(found.alpha, y, xerr=error, fmt=MARKERS[i], color=COLOURS[i], capsize=2)
        index.set_yticks(range(len(whole) + len(groups)), [name for name, _ in whole + groups])
        index.axhline(len(whole) - 0.5, color="#999999", linewidth=0.8)
        index.axvline(2, color="#555555", linestyle=":", linewidth=1)
        index.invert_yaxis()
        index.set(
            xlabel=r"$\hat\alpha$ ± s.e. (2: i.i.d. Gaussian entries)", title="whole network; below, groups (corrected)"
        )
        norms.hist(of.norms, bins="auto", color=COLOURS[0])
        norms.set(xlabel=r"norm of the noise $\|U_i\|$", ylabel="minibatches", title=f"P = {of.P}, p = {of.p:,}")
    plt.close(figure)  # the value of a cell is what shows it, not pyplot as well
    return figure
