"""O1 and O2: claims of our own, which the diagnosis can judge.

They were formed on the settings of ``diagnosis`` and are judged on those of ``fcn_size``, which did not exist when the rules
were written.
"""

import pandas as pd

from ..results.reading import SETTING, absent_of, at_end, at_start, name_of, of_seeds, over_seeds, values
from ..results.store import Results
from .inference import LEVEL, above, fisher
from .verdict import NOT_TESTED, Verdict, decide

__all__ = ["o1", "o2"]

_FITTED = 0.95
_DATA = [("fcn", "mnist"), ("fcn", "cifar10")]
_LOSSES = ("nll", "hinge")


def o1(fcn: Results) -> Verdict:
    """O1: most of 1/alpha^ - 1/2 before training is dependence between coordinates.

    The rule. In every setting of ``fcn_size``, before training, the part "correlation" is more than half of e_0, which is
    1/alpha^ - 1/2: dependence - e_0 / 2 is above 0 by a one-sided t-test over the seeds (fewer than 5: variance joint over
    the sizes of a data set and loss), and so is e_0 itself. "Reproduced": all; "partly": all of one data set or loss. "Not
    tested": a data set or loss is absent.

    Args:
        fcn: of the experiment ``fcn_size``.

    Returns:
        The verdict.
    """
    start = at_start(fcn)
    dependence, whole = (values(start, f"decomposition: {name}").set_index("run") for name in ("correlation", "e_0"))
    nothing, lost = absent_of(whole, _DATA, _LOSSES)
    if nothing or lost:
        return Verdict("O1", NOT_TESTED, f"No diagnosis before training: {'; '.join(nothing + lost)}.")
    half = whole.assign(value=dependence["value"] - whole["value"] / 2)
    pool = ["model", "dataset", "loss"]
    tests = pd.concat(
        [over_seeds(of, SETTING, pool).reset_index().assign(what=w) for w, of in (("half", half), ("e_0", whole))]
    )
    tests["p"] = [above(m, se, df, 0.0) for m, se, df in zip(tests["mean"], tests["se"], tests["df"], strict=True)]
    verdict, p, where = decide(tests, ("dataset", "loss"))
    shares = dependence.assign(whole=whole["value"]).groupby(SETTING)[["value", "whole"]].mean()
    share = shares["value"] / shares["whole"]
    numbers = {"smallest share": float(share.min()), "largest share": float(share.max()), "settings": float(len(share))}
    evidence = (
        f"Holds {where}. Dependence is {share.min():.0%} to {share.max():.0%} of 1/alpha^ - 1/2 before training, more than "
        f"half in {(share > 0.5).sum()} of {len(share)} settings. {of_seeds(tests['seeds'])}."
    )
    return Verdict("O1", verdict, evidence, numbers, p)


def o2(fcn: Results) -> Verdict:
    """O2: the noise of networks that fit their data is heavier than Gaussian across minibatches.

    The rule. In every setting of ``fcn_size`` (MNIST and CIFAR-10), the p-values of tau against Gaussian twins at the
    last snapshot, of the runs with a training accuracy of .95 or more, combined over the seeds by Fisher's method.
    "Reproduced": all settings; "partly": all of one data set or loss. "Not tested": fewer than three settings with such a
    run.

    Args:
        fcn: of the experiment ``fcn_size``.

    Returns:
        The verdict.
    """
    end = at_end(fcn)
    end = end[end["dataset"].isin([dataset for _, dataset in _DATA])]
    accuracy = values(end, "accuracy").set_index("run")["value"]
    fitted = end[end["run"].isin(accuracy.index[accuracy >= _FITTED])]
    tests = values(fitted, "tail excess (p)").groupby(SETTING)["value"].agg([lambda of: fisher(of.to_numpy()), "size"])
    tests = tests.set_axis(["p", "size"], axis=1).reset_index()
    if len(tests) < 3:
        return Verdict("O2", NOT_TESTED, f"{len(tests)} settings reach a training accuracy of .95; 3 are needed.")
    verdict, p, where = decide(tests, ("dataset", "loss"))
    tau = values(fitted, "tail excess").groupby(SETTING)["value"].mean()
    numbers = {"smallest tau": float(tau.min()), "largest tau": float(tau.max()), "settings": float(len(tests))}
    kinds = sorted({name_of("", *of) for of in zip(tests["dataset"], tests["loss"], strict=True)})
    evidence = (
        f"Holds {where}. tau is {tau.min():.3f} to {tau.max():.3f} in the {len(tests)} settings that fit "
        f"({'; '.join(kinds)}); p <= .05 in {(tests['p'] <= LEVEL).sum()}. {of_seeds(tests['size'])}."
    )
    return Verdict("O2", verdict, evidence, numbers, p)
