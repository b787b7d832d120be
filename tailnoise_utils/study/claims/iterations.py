"""C7: alpha^ along training."""

import numpy as np
import pandas as pd
from scipy import stats

from ..results.reading import CONVENTIONS, SEEDS, SETTING, of_seeds
from ..results.store import Results
from .inference import LEVEL, above, fisher, least_squares
from .verdict import NOT_TESTED, Verdict, decide

__all__ = ["c7", "phases"]

_SNAPSHOTS = 12
_MEDIAN = 3  # snapshots of the running median
_WINDOW = (-1, 0, 1)  # steps near the minimum: into it, out of it, and the next
_POINTS = 3  # snapshots that a slope of the accuracy needs


def phases(results: Results) -> pd.DataFrame:
    r"""Where alpha^ is smallest along each run that trained, and what happens there.

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

    Two of them find too much. A window around an extreme is not exchangeable with its shifts, and snapshots that are not
    equally far apart do not have steps of one law: on independent alpha^ or random walks in ln(1 + t) the jump, combined
    over nine runs of some 40 snapshots, is found in 10 to 30 % where 5 % are meant. The slopes take the residuals of a
    curve of accuracies as independent: with an autocorrelation of .8 "rises faster" is found in nearly half.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        A row a run of 12 snapshots or more, and convention: the setting, seed, convention, at (iteration of m), alpha
        (there), first (before training), last (at the end), and the three p-values.
    """
    table = results.table()
    table = table[(table["scope"] == "all") & (table["split"] == "train") & (table["status"] == "complete")]
    rows = []
    for of, run in table.groupby([*SETTING, "seed"]):
        accuracy = run[run["quantity"] == "accuracy"].set_index("iteration")["value"]
        for convention, quantity in CONVENTIONS.items():
            found = run[run["quantity"] == quantity].sort_values("iteration")
            if len(found) < _SNAPSHOTS:
                continue
            iterations = found["iteration"].to_numpy(dtype=float)
            inverse, se = found["value"].to_numpy(), found["se"].to_numpy()
            m = int(found["value"].rolling(_MEDIAN, center=True, min_periods=2).median().to_numpy().argmax())
            early = m > 0 and iterations[m] <= iterations[-1] / 2
            z = (inverse[m] - inverse[0]) / np.hypot(se[m], se[0])
            p_fall = min(1.0, (len(found) - 1) * float(stats.norm.sf(z))) if early else 1.0
            p_jump = _jump(np.abs(np.diff(1 / inverse)), m)
            p_accuracy = _rise(np.log1p(iterations), accuracy.loc[found["iteration"]].to_numpy(), m)
            alphas = 1 / inverse[[m, 0, -1]]
            rows.append((*of, convention, iterations[m], *alphas, p_fall, p_jump, p_accuracy))
    names = ["seed", "convention", "at", "alpha", "first", "last", "p_fall", "p_jump", "p_accuracy"]
    return pd.DataFrame(rows, columns=[*SETTING, *names])


def _jump(steps: np.ndarray, m: int) -> float:
    """The share of circular shifts whose window has a step as large as the one around the minimum."""
    window = [m + k for k in _WINDOW if 0 <= m + k < len(steps)]
    largest = np.array([np.roll(steps, -shift)[window].max() for shift in range(len(steps))])
    return float((largest >= largest[0]).mean())


def _rise(x: np.ndarray, accuracy: np.ndarray, m: int) -> float:
    """The p-value that the accuracy does not rise after snapshot m, or no faster than before it."""
    slopes = []
    for part in (slice(None, m + 1), slice(m, None)):
        if len(x[part]) < _POINTS:
            return 1.0
        X = np.stack([np.ones(len(x[part])), x[part]], 1)
        (_, slope), (_, se), df = least_squares(X, accuracy[part])
        slopes.append((slope, se, df))
    (before, se_before, df_before), (after, se_after, df_after) = slopes
    faster = above(after - before, float(np.hypot(se_before, se_after)), df_before + df_after, 0.0)
    return max(faster, above(after, se_after, df_after, 0.0))


def _combined(p: pd.Series) -> float:
    """Fisher's combination; a p-value of 0 is one below what floats hold."""
    return fisher(p.clip(lower=1e-300).to_numpy())


def c7(results: Results) -> Verdict:
    """C7: alpha^ falls first, a jump comes near its minimum, the accuracy rises after it.

    The rule. In each setting and convention the three p-values of :func:`tailnoise_utils.study.claims.phases` are combined
    over the seeds by Fisher's method, which asks whether it holds in some seed; that of the jump over the runs of all
    settings with fewer than 5 seeds, for in few runs with few snapshots it could not become small. The largest of the three
    counts: all must hold. "Reproduced": all settings, both conventions; "partly": all of one convention, data set or loss.
    "Not tested": no FCN or no convolutional network that trained, with 12 snapshots or more.

    Three settings of three seeds, with fewer snapshots and shorter trainings than now, had been measured and drawn when the
    rule was written. Its tests do not keep their level
    (see :func:`tailnoise_utils.study.claims.phases`), so that "reproduced" would mean little; "not reproduced" stands.

    Args:
        results: of the experiment ``iterations``.

    Returns:
        The verdict.
    """
    found = phases(results)
    if set(found["model"]) < {"fcn", "cnn"}:
        there = ", ".join(sorted(set(found["model"]))) or "none"
        return Verdict(
            "C7", NOT_TESTED, f"Networks that trained, with 12 snapshots or more: {there}; fcn and cnn are needed."
        )
    names = ["p_fall", "p_jump", "p_accuracy"]
    keys = [*SETTING, "convention"]
    tests = found.groupby(keys)[names].agg(_combined).reset_index()
    seeds = found.groupby(keys)["seed"].nunique().reset_index(drop=True)
    few = found.groupby(keys)["seed"].transform("nunique") < SEEDS
    joint = found[few].groupby("convention")["p_jump"].agg(_combined)
    tests["p_jump"] = tests["p_jump"].where(seeds >= SEEDS, tests["convention"].map(joint))
    tests["p"] = tests[names].max(axis=1)
    verdict, p, where = decide(tests, ("convention", "dataset", "loss"))
    kept = {name: int((tests[name] <= LEVEL).sum()) for name in names}
    numbers = {f"settings with {name} <= .05": float(count) for name, count in kept.items()} | {
        "settings": float(len(tests))
    }
    evidence = (
        f"Holds {where}. Of {len(tests)} settings and conventions, p <= .05: early fall {kept['p_fall']}, jump near the "
        f"minimum {kept['p_jump']}, accuracy rising faster after it {kept['p_accuracy']} (Fisher's method: in some seed at "
        f"least); minimum at iterations "
        f"{found['at'].min():.0f} to {found['at'].max():.0f}. {of_seeds(seeds)}."
    )
    return Verdict("C7", verdict, evidence, numbers, p)
