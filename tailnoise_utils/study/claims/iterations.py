"""C7: alpha^ along training."""

import numpy as np
import pandas as pd
from scipy import stats

from ..results.reading import CONFIGURATION, CONVENTIONS, SEEDS
from ..results.store import Results
from .inference import LEVEL, above, fisher, least_squares
from .verdict import NOT_TESTED, Verdict, effects, judge

_SNAPSHOTS = 12
_MEDIAN = 3  # snapshots of the running median
_WINDOW = (-1, 0, 1)  # steps near the minimum: into it, out of it, and the next
_POINTS = 3  # snapshots that a slope of the accuracy needs
_P_VALUES = {"p_fall": "early fall", "p_jump": "jump near the minimum", "p_accuracy": "accuracy rising faster after it"}


def phases(results: Results) -> pd.DataFrame:
    r"""Find where alpha^ is smallest along each run that trained, and test what happens there.

    With snapshots 0..n, :math:`\alpha_k` at snapshot k, and m the first smallest of the running median of three (of two at
    the ends), three p-values:

    * `p_fall`: alpha^ at m is below that before training: z of :math:`1/\alpha_m - 1/\alpha_0` over both jackknife errors,
      one-sided, times n because m is the best of n (Bonferroni). It is 1 if m is 0, or after half of the training.
    * `p_jump`: the largest :math:`|\alpha_{k+1} - \alpha_k|` among the step into m, the step out of it and the next
      (k = m - 1, m, m + 1) is larger than elsewhere: the share of the n circular shifts of this window, no shift among
      them, that have one as large. It cannot be below 3 / n where all three steps exist.
    * `p_accuracy`: the training accuracy rises after m, and faster than before: t-tests of the slope from m on, and of that
      less the slope up to m, in ln(1 + iteration); the larger of both. It is 1 with fewer than three snapshots on one
      side.

    Two of them reject too often. A window around an extreme is not exchangeable with its shifts, nor are steps between
    snapshots that are unequally far apart: the jump, combined over nine runs of some 40 snapshots, is found in 10 to 30 %
    where 5 % are meant. The slopes take residuals as independent: with an autocorrelation of .8 it is nearly half.
    The result has a row a run of 12 snapshots or more and convention: at (iteration of m), alpha (there), first (before
    training), last (at the end), and the three p-values.
    """
    table = results.table()
    table = table[(table["scope"] == "all") & (table["split"] == "train") & (table["status"] == "complete")]
    rows = []
    for names, run in table.groupby([*CONFIGURATION, "seed"]):
        accuracy = run[run["quantity"] == "accuracy"].set_index("iteration")["value"]
        for convention, quantity in CONVENTIONS.items():
            path = run[run["quantity"] == quantity].sort_values("iteration")
            if len(path) < _SNAPSHOTS:
                continue
            iterations = path["iteration"].to_numpy(dtype=float)
            inverse, se = path["value"].to_numpy(), path["se"].to_numpy()
            m = int(path["value"].rolling(_MEDIAN, center=True, min_periods=2).median().to_numpy().argmax())
            early = m > 0 and iterations[m] <= iterations[-1] / 2
            z = (inverse[m] - inverse[0]) / np.hypot(se[m], se[0])
            p_fall = min(1.0, (len(path) - 1) * float(stats.norm.sf(z))) if early else 1.0
            p_jump = _jump(np.abs(np.diff(1 / inverse)), m)
            p_accuracy = _rise(np.log1p(iterations), accuracy.loc[path["iteration"]].to_numpy(), m)
            rows.append((*names, convention, iterations[m], *1 / inverse[[m, 0, -1]], p_fall, p_jump, p_accuracy))
    columns = [*CONFIGURATION, "seed", "convention", "at", "alpha", "first", "last", *_P_VALUES]
    return pd.DataFrame(rows, columns=columns)


def _jump(steps: np.ndarray, m: int) -> float:
    """Return the share of circular shifts whose window has a step as large as the one around the minimum."""
    window = [m + k for k in _WINDOW if 0 <= m + k < len(steps)]
    largest = np.array([np.roll(steps, -shift)[window].max() for shift in range(len(steps))])
    return float((largest >= largest[0]).mean())


def _rise(x: np.ndarray, accuracy: np.ndarray, m: int) -> float:
    """Return the p-value that the accuracy does not rise after snapshot m, or no faster than before it."""
    slopes = []
    for part in (slice(None, m + 1), slice(m, None)):
        if len(x[part]) < _POINTS:
            return 1.0
        X = np.stack([np.ones(len(x[part])), x[part]], 1)
        (_, slope), (_, se), df = least_squares(X, accuracy[part])
        slopes.append((slope, se, df))
    (before, se_before, df_before), (after, se_after, df_after) = slopes
    faster = above(after - before, np.hypot(se_before, se_after), df_before + df_after, 0.0)
    return float(max(faster, above(after, se_after, df_after, 0.0)))


def c7(results: Results) -> Verdict:
    """C7: Training has two phases: alpha^ falls first, and a jump of the process comes near its minimum.

    The accuracy rises after the minimum.

    The rule: alpha^ falls to a minimum in the first half of training, one of the three steps at it is larger than elsewhere
    (circular shifts), and the accuracy rises faster after it than before (combined over the seeds by Fisher's method: in
    some seed).

    In each configuration and convention the three p-values of :func:`tailnoise_utils.study.claims.phases` are combined over
    the seeds; that of the jump over the runs of all configurations with fewer than 5 seeds, for in few runs with few
    snapshots it could not become small. The largest of the three counts: all must hold. "Partly": one convention, data set
    or loss. "Not tested": no FCN or no convolutional network that trained, with 12 snapshots or more.

    Three configurations with fewer snapshots and shorter trainings had been measured when the rule was written. Its tests
    do not keep their level, so that "reproduced" would mean little; "not reproduced" stands.
    """
    runs = phases(results)
    if set(runs["model"]) < {"fcn", "cnn"}:
        measured = ", ".join(sorted(set(runs["model"]))) or "none"
        words = f"Networks that trained, with 12 snapshots or more: {measured}; fcn and cnn are needed."
        return Verdict("C7", NOT_TESTED, words)
    configurations = runs.groupby([*CONFIGURATION, "convention"])
    tests = configurations.agg(seeds=("seed", "nunique"), **{name: (name, fisher) for name in _P_VALUES}).reset_index()
    few = runs[configurations["seed"].transform("nunique") < SEEDS]
    joint = few.groupby("convention")["p_jump"].agg(fisher)
    tests["p_jump"] = tests["p_jump"].where(tests["seeds"] >= SEEDS, tests["convention"].map(joint))
    tests["p"] = tests[list(_P_VALUES)].max(axis=1)
    lines = effects(tests[list(_P_VALUES)] <= LEVEL, {name: f"{words} (p <= .05)" for name, words in _P_VALUES.items()})
    lines += effects(runs, {"at": "minimum at iteration"}) + effects(tests, {"seeds": "seeds"})
    return judge("C7", tests, lines, ("convention", "dataset", "loss"))
