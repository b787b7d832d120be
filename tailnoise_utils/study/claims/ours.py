"""O1 and O2: claims of our own, which the diagnosis can judge.

They were formed on the configurations of ``decomposition`` and are judged on those of ``fcn_size``, which did not exist
when the rules were written.
"""

import pandas as pd

from ..results.reading import CONFIGURATION, FITS, absent_of, at_end, at_start, values
from ..results.store import Results
from .inference import fisher, means_above
from .verdict import NOT_TESTED, Verdict, effects, judge

_DATA = [("fcn", "mnist"), ("fcn", "cifar10")]
_LOSSES = ("nll", "hinge")


def o1(fcn: Results) -> Verdict:
    """O1: Most of the gap 1/alpha^ - 1/2 before training is correlation between coordinates.

    The rule: Before training the part 'correlation' is more than half of 1/alpha^ - 1/2 in each configuration (t-tests over
    the seeds).

    With e_0 = 1/alpha^ - 1/2, both correlation - e_0 / 2 and e_0 itself are above 0; variances are pooled over the sizes of
    a data set and loss. "Partly": one data set or loss. "Not tested": a data set or loss is absent.
    """
    start = at_start(fcn)
    correlation, e_0 = (values(start, f"decomposition: {name}").set_index("run") for name in ("correlation", "e_0"))
    nothing, lost = absent_of(e_0, _DATA, _LOSSES)
    if nothing or lost:
        return Verdict("O1", NOT_TESTED, f"No diagnosis before training: {'; '.join(nothing + lost)}.")
    more_than_half = e_0.assign(value=correlation["value"] - e_0["value"] / 2)
    frame = pd.concat([more_than_half.assign(what="half"), e_0.assign(what="e_0")])
    tests = means_above(frame, [*CONFIGURATION, "what"], ["model", "dataset", "loss", "what"], 0.0)
    means = correlation.assign(e_0=e_0["value"]).groupby(CONFIGURATION)[["value", "e_0"]].mean()
    shares = pd.DataFrame({"share": means["value"] / means["e_0"]})
    shares["above"] = shares["share"] > 0.5
    lines = effects(shares, {"share": "share of correlation in the gap", "above": "above one half"})
    return judge("O1", tests, lines + effects(tests, {"seeds": "seeds"}), ("dataset", "loss"))


def o2(fcn: Results) -> Verdict:
    """O2: The noise of networks that fit their data is heavier than Gaussian across minibatches.

    A network fits if its training accuracy is .95 or more.

    The rule: tau of each configuration that fits is larger than that of Gaussian twins (combined over the seeds by Fisher's
    method).

    It is for MNIST and CIFAR-10, at the last snapshot. "Partly": one data set or loss. "Not tested": fewer than three
    configurations with a run that fits.
    """
    end = at_end(fcn)
    end = end[end["dataset"].isin([dataset for _, dataset in _DATA])]
    accuracy = values(end, "accuracy").set_index("run")["value"]
    fitted = end[end["run"].isin(accuracy.index[accuracy >= FITS])]
    tests = values(fitted, "tail excess (p)").groupby(CONFIGURATION)["value"].agg(p=fisher, seeds="size").reset_index()
    if len(tests) < 3:
        return Verdict("O2", NOT_TESTED, f"{len(tests)} configurations reach a training accuracy of .95; 3 are needed.")
    tau = values(fitted, "tail excess").groupby(CONFIGURATION, as_index=False)["value"].mean()
    lines = effects(tau, {"value": "tau"}, ("dataset", "loss")) + effects(tests, {"seeds": "seeds"})
    return judge("O2", tests, lines, ("dataset", "loss"))
