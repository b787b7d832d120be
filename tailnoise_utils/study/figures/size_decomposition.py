"""Why alpha^ is what it is, against the size of the network: the experiments ``fcn_size`` and ``cnn_size``."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..results.reading import DATA, LOSSES
from ..results.store import Results
from ..style import STYLE
from .panels import PARTS
from .sizes import line, log_width

CORRECTED, tau = "1/alpha (corrected)", "tail excess"
_LABELS = {CORRECTED: r"$\hat\alpha$, corrected", tau: "tail excess"} | {
    f"decomposition: {part}": part for part in PARTS
}


def _quantities(results: Results) -> pd.DataFrame:
    """alpha^, tau and the parts of whole networks at the last snapshot."""
    table = results.table()
    last = table["iteration"] == table.groupby("run")["iteration"].transform("max")
    chosen = last & (table["scope"] == "all") & (table["split"] == "train")
    return table[chosen & table["quantity"].isin([*_LABELS, "tail excess (twin)"])]


def decomposition_against_width(results: Results) -> Figure:
    """alpha^, tau and the parts of 1/alpha^ - 1/2 after training, against the width; means and ranges over the seeds.

    Args:
        results: of networks of several sizes.

    Returns:
        A column for each data set and loss, a row for each quantity, a line a depth (of FCNs). The band of tau is what
        Gaussian twins give, all depths together; open marks are of runs that did not train.
    """
    table = _quantities(results)
    kinds, depths = list(dict.fromkeys(zip(table["dataset"], table["loss"], strict=True))), sorted(set(table["depth"]))
    with mpl.rc_context(STYLE):
        size = (max(2.5 * len(kinds), 5.0), 1.65 * len(_LABELS) + 0.8)
        figure, panels = plt.subplots(len(_LABELS), len(kinds), figsize=size, sharex=True, sharey="row", squeeze=False)
        for column, (dataset, loss) in zip(panels.T, kinds, strict=True):
            of = table[(table["dataset"] == dataset) & (table["loss"] == loss)]
            for axes, name in zip(column, _LABELS, strict=True):
                for depth, one in of[of["quantity"] == name].groupby("depth"):
                    line(
                        axes, one, depths.index(depth), f"depth {depth}" if depth else "CNN", inverse=name == CORRECTED
                    )
                log_width(axes, table, "")
            null = of[of["quantity"] == "tail excess (twin)"]
            for sign, label in ((1, "Gaussian noise"), (-1, None)):
                edge = (
                    (null["value"] + sign * 1.96 * null["se"]).groupby(null["width"]).agg("max" if sign > 0 else "min")
                )
                column[1].fill_between(edge.index, 0, edge, color="#777777", alpha=0.3, linewidth=0, label=label)
            column[0].set_title(f"{DATA[dataset]}, {LOSSES[loss]}", fontsize=10)
            column[-1].set_xlabel("width (units)" if any(depths) else "filters")
        for axes, label in zip(panels[:, 0], _LABELS.values(), strict=True):
            axes.set_ylabel(label)
        panels[1, 0].set_yscale("symlog", linthresh=0.1)
        figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    plt.close(figure)
    return figure


def decomposition_by_size(results: Results) -> pd.DataFrame:
    """What the figure shows, means over the runs that trained.

    Args:
        results: of networks of several sizes.

    Returns:
        A line a data set, loss, depth (0 for CNNs) and width of which a run trained: alpha^ (corrected, of the mean of
        1/alpha^), tau and the parts, and the mean of tau over the Gaussian twins.
    """
    table = _quantities(results)
    table = table[table["status"] == "complete"]
    found = table.pivot_table(
        index=["dataset", "loss", "depth", "width"], columns="quantity", values="value", aggfunc="mean"
    )
    found[CORRECTED] = 1 / found[CORRECTED]
    names = {CORRECTED: "alpha^ (corrected)"} | {f"decomposition: {part}": part for part in PARTS}
    return found.rename(columns=names)[["alpha^ (corrected)", tau, "tail excess (twin)", *PARTS]].rename_axis(
        columns=None
    )
