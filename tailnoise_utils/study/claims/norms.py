"""C1: the law of the norm of the noise."""

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used

from ..results.reading import last_snapshot
from ..results.store import Results
from .verdict import Verdict, cell, judge

LAWS = {
    "norm, Gaussian (same covariance)": "Gaussian, same covariance",
    "norm, Gaussian (independent)": "Gaussian, independent entries",
    "norm, stable (independent)": "stable, independent entries",
}
_NEAR = 0.1  # distance up to which a law looks like another: a tenth of the norms is elsewhere


def scaled(results: Results, *, pooled: bool = False) -> pd.DataFrame:
    """Return norms over the median of law, seed and, if not `pooled`, iteration; at the end of runs that left chance."""
    rows = results.rows[results.rows["quantity"].isin(["norm", *LAWS])]
    medians = rows.groupby(["run", "quantity"] + ["iteration"] * (not pooled))["value"].transform("median")
    rows = rows.assign(scaled=rows["value"] / medians, status=rows["run"].map(results.runs.set_index("run")["status"]))
    some = (rows["status"] == "complete").any()
    return rows.drop(last_snapshot(rows).query("status != 'complete'").index) if some else rows


def distances(results: Results, *, pooled: bool = False) -> pd.DataFrame:
    r"""Return :math:`D = \sup |F - G|` (Kolmogorov, Smirnov) of each law to the noise of all seeds, a row an iteration.

    Norms that are `pooled` over the training, as in the paper's Figure 1, have one row.
    """
    lines = {}
    for name, rows in scaled(results, pooled=pooled).groupby((lambda row: "pooled") if pooled else "iteration"):
        norms = {law: of_law["scaled"] for law, of_law in rows.groupby("quantity")}
        lines[name] = {law: scipy.stats.ks_2samp(norms["norm"], norms[law]).statistic for law in LAWS}
    return pd.DataFrame.from_dict(lines, orient="index", columns=list(LAWS))


def c1(results: Results) -> Verdict:
    """C1: The norm of the gradient noise is distributed like that of stable noise, not like that of Gaussian noise.

    The rule: at each snapshot, and pooled over all of them, D, the distance of Kolmogorov and Smirnov between norms over
    their medians, is more than .1 to Gaussian vectors of independent entries ("not Gaussian"), and at most .1 to stable
    ones and least to them of all, Gaussian vectors of the same covariance among them ("stable").
    """
    cells = []
    for words, pooled in (("", False), (", pooled", True)):
        D = distances(results, pooled=pooled)
        covariance, gaussian, stable = (D[law] for law in LAWS)
        least = stable.le(_NEAR) & stable.le(np.minimum(covariance, gaussian))
        if len(D):
            cells.append(cell(f"not Gaussian{words}", gaussian, gaussian.gt(_NEAR).all()))
            cells.append(cell(f"stable{words}", stable, least.all()))
    return judge(c1, cells, "D to that law", "like stable, unlike Gaussian noise", None)


def same_covariance(results: Results) -> tuple[str, str]:
    """Say how far the norms are from those of Gaussian vectors of the same covariance."""
    D = distances(results).iloc[:, 0]
    word = "little beyond its covariance" if D.max() <= _NEAR else "more than its covariance"
    return word, f"D to Gaussian vectors of the same covariance is {D.min():.2f} to {D.max():.2f}."
