"""C3, C4, C5 and C8: alpha^ over the sizes of the networks, losses, data sets and seeds."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from ..results.reading import (
    CONFIGURATION,
    CONVENTIONS,
    SEEDS,
    absent_of,
    at_end,
    at_start,
    fixed_length,
    name_of,
    over_seeds,
    values,
)
from ..results.store import Results
from .inference import above, intraclass, least_squares, means_above
from .verdict import NOT_TESTED, Verdict, effects, holding, judge

_LOSSES = ("nll", "hinge")
_FCN = [("fcn", "mnist"), ("fcn", "cifar10")]
_CNN = [("cnn", "cifar10"), ("cnn", "cifar100")]
_FAR = 1.75  # alpha^ below it is far below 2
_LEVELS = (1.05, 1.25)  # C4: mean alpha^ on CIFAR-10
_RANGE = 0.03  # C4: of alpha^ on CIFAR-10 over all sizes
_BAND = (1.0, 1.1)  # C5: alpha^ beyond the smallest network
_AGREEMENT = 0.9  # C8: intraclass correlation


def c3(fcn: Results, cnn: Results) -> Verdict:
    """C3: In every configuration (networks, sizes, losses, data sets) alpha^ is far below 2.

    The rule: 1/alpha^ is above 1/1.75 in each configuration, before and after training (t-tests over the seeds).

    A configuration is a network (kind, width, depth), data set and loss, before training (all runs) or at the last snapshot
    (runs that trained), in each of two conventions; variances are pooled over the sizes of a kind of network, data set,
    loss and end. "Partly": one convention, loss or data set, or all but a loss that did not train at all. "Not tested":
    none of a kind of network trained on one of its two data sets.
    """
    frame = pd.concat(
        values(table, quantity).assign(when=when, convention=convention)
        for results in (fcn, cnn)
        for when, table in (("before", at_start(results)), ("after", at_end(results)))
        for convention, quantity in CONVENTIONS.items()
    )
    nothing, lost = absent_of(frame[frame["when"] == "after"], _FCN + _CNN, _LOSSES)
    if nothing:
        return Verdict("C3", NOT_TESTED, f"No trained run of {'; '.join(nothing)}.")
    pool = ["model", "dataset", "loss", "when", "convention"]
    tests = means_above(frame, [*CONFIGURATION, "when", "convention"], pool, 1 / _FAR)
    tests["alpha"] = 1 / tests["mean"]
    lines = effects(tests, {"alpha": "alpha^"}, ("convention",)) + effects(tests, {"seeds": "seeds"})
    failing = tests[~holding(tests)]
    kind = ("model", "dataset", "loss", "convention")
    names = {"alpha": "fails at alpha^", "se": "with an error over the seeds (pooled over sizes) of 1/alpha^ of"}
    return judge("C3", tests, lines + effects(failing, names, kind), ("convention", "loss", "dataset"), tuple(lost))


def c4(fcn: Results) -> Verdict:
    r"""C4: FCN on MNIST: alpha^ falls as the network grows, the more the deeper it is.

    On CIFAR-10 it is about 1.1 to 1.2 and hardly depends on size.

    The rule: MNIST: 1/alpha^ rises with log2 width at the mean depth, and the more the deeper (regression over the sizes);
    CIFAR-10: alpha^ has a mean of 1.05 to 1.25 and a range of .03 or less over the sizes.

    It is for networks that trained, at the last snapshot, for each loss, at the published K1 (data order) and at K1 = 1000
    (or the largest below it that all these networks have). MNIST: with w = log2 width and d = depth, each less its mean,

    .. math:: 1/\hat\alpha = \beta_0 + \beta_1 w + \beta_2 d + \beta_3 w d

    over the means of the sizes (width, depth), weighted by their number of seeds, the error from the residuals (sizes less
    4 degrees of freedom), so that what the plane does not fit counts as error: :math:`\beta_1 > 0` and :math:`\beta_3 > 0`
    by one-sided t-tests. CIFAR-10: alpha^ of a size is 1 / mean(1/alpha^); no test. "Partly": one data set, loss or
    convention, or all but a loss that did not train. "Not tested": on one of the data sets fewer than six sizes trained, of
    three widths, with two widths at each of two depths.
    """
    end, rows, lengths = at_end(fcn), [], []
    cells, nothing, lost = _kinds(end, _enough, _FCN)
    if nothing:
        return Verdict("C4", NOT_TESTED, f"Too few sizes trained: {'; '.join(nothing)}.")
    for dataset in ("mnist", "cifar10"):
        networks = end[(end["dataset"] == dataset) & (end["model"] == "fcn")]
        joint, length = fixed_length(networks)
        lengths.append({"dataset": dataset, "length": length})
        published, fixed = values(networks, CONVENTIONS["published"]), values(networks, joint, length)
        for loss, (convention, chosen) in product(_LOSSES, {"published K1": published, "fixed K1": fixed}.items()):
            if (dataset, loss) in cells:
                sizes = chosen[chosen["loss"] == loss].groupby(["width", "depth"])["value"]
                means = sizes.agg(["mean", "size"]).reset_index()
                common = {"dataset": dataset, "loss": loss, "convention": convention}
                rows += [common | row for row in (_plane(means) if dataset == "mnist" else _level(means))]
    tests = pd.DataFrame(rows)
    lines = effects(pd.DataFrame(lengths), {"length": "fixed K1"}, ("dataset",))
    for what, part in tests.groupby("what", sort=False):
        lines += effects(part, {"value": str(what)}, ("dataset", "convention"))
    lines += effects(_seeds(end), {"seed": "seeds"})
    return judge("C4", tests, lines, ("dataset", "loss", "convention"), tuple(lost))


def _kinds(
    end: pd.DataFrame, enough: Callable[[pd.DataFrame], bool], needed: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Return each data set and loss on which enough sizes trained; the data sets, and losses on some, that are absent."""
    kinds = end.drop_duplicates("run").groupby(["model", "dataset", "loss"]).filter(enough)
    return sorted(set(zip(kinds["dataset"], kinds["loss"], strict=True))), *absent_of(kinds, needed, _LOSSES)


def _enough(runs: pd.DataFrame) -> bool:
    """Return whether there are six sizes or more, of three widths, with two widths or more at each of two depths."""
    widths = runs.groupby("depth")["width"].nunique()
    return bool(widths.sum() >= 6 and runs["width"].nunique() >= 3 and (widths >= 2).sum() >= 2)


def _seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the number of seeds of each configuration."""
    return table.groupby(CONFIGURATION, as_index=False)["seed"].nunique()


def _plane(means: pd.DataFrame) -> list[dict]:
    """Test that the slope in log2 width at the mean depth, and its change with the depth, are positive."""
    w, d = np.log2(means["width"].to_numpy(dtype=float)), means["depth"].to_numpy(dtype=float)
    w, d = w - w.mean(), d - d.mean()
    X = np.stack([np.ones(len(w)), w, d, w * d], 1)
    slopes, errors, df = least_squares(X, means["mean"].to_numpy(), means["size"].to_numpy(dtype=float))
    p = above(slopes, errors, df, 0.0)
    names = {"slope in log2 width": 1, "interaction with depth": 3}
    return [{"what": what, "value": slopes[k], "p": p[k], "holds": False} for what, k in names.items()]


def _level(means: pd.DataFrame) -> list[dict]:
    """Return mean and range of alpha^ over the sizes, without p-values, and whether they are as claimed."""
    alpha = 1 / means["mean"]
    level, span = float(alpha.mean()), float(alpha.max() - alpha.min())
    return [
        {"what": "mean alpha^", "value": level, "p": math.nan, "holds": _LEVELS[0] <= level <= _LEVELS[1]},
        {"what": "range of alpha^", "value": span, "p": math.nan, "holds": span <= _RANGE},
    ]


def c5(cnn: Results) -> Verdict:
    """C5: CNN: very small networks have the lowest alpha^; beyond them alpha^ stays near 1.0 to 1.1.

    The rule: 1/alpha^ of the smallest network is above that of the rest (t-test over the seeds), and at all other sizes
    alpha^ is 1.0 to 1.1.

    It is for networks that trained, at the last snapshot, for each data set, loss and convention. The smallest number of
    filters against the rest: Welch's one-sided t-test over the runs; with fewer than 5 seeds, a t-test of its mean less the
    mean of the other sizes' means, variances pooled over the configurations of a convention. Beyond it alpha^ is
    1 / mean(1/alpha^); no test. "Partly": one data set, loss or convention, or all but a loss that did not train. "Not
    tested": on one of the data sets the smallest network or two larger ones did not train.
    """
    end, smallest = at_end(cnn), int(cnn.runs["width"].min())
    kinds, nothing, lost = _kinds(
        end, lambda runs: smallest in set(runs["width"]) and runs["width"].nunique() >= 3, _CNN
    )
    if nothing:
        words = f"The smallest network and two larger ones did not all train: {'; '.join(nothing)}."
        return Verdict("C5", NOT_TESTED, words)
    rows, alphas = [], []
    for convention, quantity in CONVENTIONS.items():
        runs = values(end, quantity).assign(convention=convention)
        means = over_seeds(runs, [*CONFIGURATION, "convention"], ["convention"]).reset_index()
        for dataset, loss in kinds:
            common = {"dataset": dataset, "loss": loss, "convention": convention}
            sizes, chosen = (frame[(frame["dataset"] == dataset) & (frame["loss"] == loss)] for frame in (means, runs))
            one, rest = sizes[sizes["width"] == smallest].iloc[0], sizes[sizes["width"] != smallest]
            if min(one["seeds"], rest["seeds"].min()) >= SEEDS:
                a, b = (chosen.loc[(chosen["width"] == smallest) == which, "value"] for which in (True, False))
                p = float(stats.ttest_ind(a, b, equal_var=False, alternative="greater").pvalue)
            else:
                se = np.hypot(one["se"], np.sqrt(np.square(rest["se"]).sum()) / len(rest))
                p = float(above(one["mean"] - rest["mean"].mean(), se, one["df"], 0.0))
            within = bool((1 / rest["mean"]).between(*_BAND).all())
            rows += [common | {"what": "smallest", "p": p}, common | {"what": "rest", "p": np.nan, "holds": within}]
            alphas.append(common | {"smallest": 1 / one["mean"], "seeds": one["seeds"], "p": p})
            alphas += [common | {"rest": alpha} for alpha in 1 / rest["mean"]]
    names = {"smallest": "alpha^ of the smallest", "seeds": "seeds of the smallest"}
    names |= {"p": "p that it is not the lowest", "rest": "alpha^ of the rest"}
    lines = effects(pd.DataFrame(alphas), names, ("dataset", "loss", "convention"))
    lines += effects(_seeds(end), {"seed": "seeds"})
    return judge("C5", pd.DataFrame(rows), lines, ("dataset", "loss", "convention"), tuple(lost))


def c8(fcn: Results, cnn: Results) -> Verdict:
    """C8: alpha^ varies little between seeds.

    The rule: The intraclass correlation of 1/alpha^, configurations over seeds, has a lower bound of .9 or more.

    It is for networks that trained, at the last snapshot, for each kind of network and convention: ICC(1), configurations
    (size, loss and data set) as groups and seeds as values, with a one-sided 95 % bound: nine tenths of what differs
    between runs differs between configurations. Data sets are taken together, for where alpha^ is the same at all sizes no
    spread over seeds would be small compared with that over sizes. "Partly": both kinds of networks in one convention. "Not
    tested": fewer than three configurations with two seeds, of a kind of network on one of its data sets.
    """
    end, rows = pd.concat([at_end(fcn), at_end(cnn)]), []
    for convention, quantity in CONVENTIONS.items():
        runs = values(end, quantity)
        runs = runs[runs.groupby(CONFIGURATION)["run"].transform("size") > 1]
        for model, dataset in _FCN + _CNN:
            configurations = runs[(runs["model"] == model) & (runs["dataset"] == dataset)]
            if (count := configurations.groupby(CONFIGURATION).ngroups) < 3:
                words = f"{count} trained configurations with two seeds: {name_of(model, dataset)}; 3 are needed."
                return Verdict("C8", NOT_TESTED, words)
        for model, networks in runs.groupby("model", sort=False):
            groups = [configuration["value"].to_numpy() for _, configuration in networks.groupby(CONFIGURATION)]
            icc, lower, p = intraclass(groups, _AGREEMENT)
            alpha = pd.Series([np.std(1 / group, ddof=1) for group in groups])
            row = {"model": model, "convention": convention, "p": p, "icc": icc, "lower": lower}
            sd = float(np.sqrt(np.mean([group.var(ddof=1) for group in groups])))
            rows.append(row | {"sd": sd, "median": alpha.median(), "largest": alpha.max()})
    tests = pd.DataFrame(rows)
    names = {"icc": "ICC", "lower": "lower bound", "median": "median sd of alpha^", "largest": "largest sd of alpha^"}
    lines = effects(tests, names, ("model", "convention")) + effects(_seeds(runs), {"seed": "seeds"})
    return judge("C8", tests, lines, ("convention",))
