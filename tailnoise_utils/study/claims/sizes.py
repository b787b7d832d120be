"""C3, C4, C5 and C8: alpha^ over the sizes of the networks, losses, data sets and seeds."""

import math
from itertools import product

import numpy as np
import pandas as pd

from ..results.reading import (
    CONVENTIONS,
    SEEDS,
    SETTING,
    absent_of,
    at_end,
    at_start,
    fixed_length,
    name_of,
    of_seeds,
    over_seeds,
    values,
)
from ..results.store import Results
from .inference import LEVEL, above, benjamini_hochberg, intraclass, least_squares
from .verdict import NOT_TESTED, Verdict, decide

__all__ = ["c3", "c4", "c5", "c8"]

_LOSSES = ("nll", "hinge")
_FCN = [("fcn", "mnist"), ("fcn", "cifar10")]
_CNN = [("cnn", "cifar10"), ("cnn", "cifar100")]
_FAR = 1.75  # alpha^ below it is far below 2
_LEVELS = (1.05, 1.25)  # C4: mean alpha^ on CIFAR-10
_RANGE = 0.03  # C4: of alpha^ on CIFAR-10 over all sizes
_BAND = (1.0, 1.1)  # C5: alpha^ beyond the smallest network
_AGREEMENT = 0.9  # C8: intraclass correlation


def _span(found: pd.Series) -> str:
    """Smallest and largest alpha^ of values of 1/alpha^."""
    return f"{1 / found.max():.2f} to {1 / found.min():.2f}"


def c3(fcn: Results, cnn: Results) -> Verdict:
    """C3: in every setting alpha^ is far below 2.

    The rule. A setting is a network (kind, width, depth), data set and loss, before training (all runs) or at the last
    snapshot (runs that trained), in each of two conventions. It holds if 1/alpha^ is above 1/1.75, by a one-sided t-test
    over the seeds; with fewer than 5 seeds the variance is joint over the sizes of a kind of network, data set, loss and
    end. "Reproduced": all settings; "partly": all of one convention, loss or data set, or all that could be tested where a
    loss did not train at all. "Not tested": none of a kind of network trained on one of its two data sets.

    Args:
        fcn: of the experiment ``fcn_size``.
        cnn: of the experiment ``cnn_size``.

    Returns:
        The verdict.
    """
    parts = []
    for results in (fcn, cnn):
        for when, table in (("before", at_start(results)), ("after", at_end(results))):
            for convention, quantity in CONVENTIONS.items():
                parts.append(values(table, quantity).assign(when=when, convention=convention))
    frame = pd.concat(parts)
    nothing, lost = absent_of(frame[frame["when"] == "after"], _FCN + _CNN, _LOSSES)
    if nothing:
        return Verdict("C3", NOT_TESTED, f"No trained run of {'; '.join(nothing)}.")
    pool = ["model", "dataset", "loss", "when", "convention"]
    tests = over_seeds(frame, [*SETTING, "when", "convention"], pool).reset_index()
    tests["p"] = [
        above(of.mean_, of.se, of.df, 1 / _FAR) for of in tests.rename(columns={"mean": "mean_"}).itertuples()
    ]
    verdict, p, where = decide(tests, ("convention", "loss", "dataset"), tuple(lost))
    spans = {convention: _span(of["mean"]) for convention, of in tests.groupby("convention", sort=False)}
    numbers = {"settings": float(len(tests)), "largest alpha^": float(1 / tests["mean"].min())}
    evidence = (
        f"Holds {where}. alpha^ over {len(tests) // 2} settings, before and after training: "
        + "; ".join(f"{span} ({convention})" for convention, span in spans.items())
        + f". {_failing(tests)}{of_seeds(tests['seeds'])}."
    )
    return Verdict("C3", verdict, evidence, numbers, p)


def _failing(tests: pd.DataFrame) -> str:
    """Which settings do not hold though their mean is far below 2, and what the test says of them: a sentence, or none."""
    fails = tests[benjamini_hochberg(tests["p"].to_numpy()) > LEVEL]
    if fails.empty:
        return ""
    near = fails[fails["mean"] > 1 / _FAR]
    kinds = sorted({f"{name_of(of.model, of.dataset, of.loss)}, {of.convention}" for of in fails.itertuples()})
    words = f"It does not hold in {len(fails)} of {len(tests)} settings and conventions ({'; '.join(kinds)})"
    if len(near) == len(fails):
        words += (
            f", though alpha^ is {_span(fails['mean'])} there, below {_FAR:g}: the error over the seeds, joint over the "
            f"sizes, is up to {fails['se'].max():.2f} of 1/alpha^"
        )
    return words + ". "


def c4(fcn: Results) -> Verdict:
    r"""C4: FCN on MNIST: alpha^ falls with size, the more the deeper; on CIFAR-10 it is 1.1 to 1.2 at all sizes.

    The rule, for networks that trained, at the last snapshot, for each loss, at the published K1 (data order) and at
    K1 = 1000 (or the largest below it that all these networks have). MNIST: with w = log2 width and d = depth, each less
    its mean over the cells,

    .. math:: 1/\hat\alpha = \beta_0 + \beta_1 w + \beta_2 d + \beta_3 w d

    over the means of the cells (width, depth), weighted by their number of seeds, the error from the residuals (cells
    less 4 degrees of freedom): the cells are the units, so that what the plane does not fit counts as error.
    :math:`\beta_1 > 0` (alpha^ falls as the network grows) and :math:`\beta_3 > 0` (the more the deeper it is), by
    one-sided t-tests. CIFAR-10: over the cells alpha^ = 1 / mean(1/alpha^) has the mean 1.05 to 1.25, and largest less
    smallest are .03 or less; no test.

    "Reproduced": all of it; "partly": all of one data set, loss or convention, or all that could be tested where one loss
    did not train. "Not tested": on one of the data sets fewer than six sizes trained, of three widths, with two widths at
    each of two depths.

    Args:
        fcn: of the experiment ``fcn_size``.

    Returns:
        The verdict.
    """
    end, rows, numbers = at_end(fcn), [], {}
    cells = end.drop_duplicates("run").groupby(["model", "dataset", "loss"]).filter(_enough)
    nothing, lost = absent_of(cells, _FCN, _LOSSES)
    if nothing:
        return Verdict("C4", NOT_TESTED, f"Too few sizes trained: {'; '.join(nothing)}.")
    there = set(zip(cells["dataset"], cells["loss"], strict=True))
    for (_, dataset), loss in product(_FCN, _LOSSES):
        of = end[(end["dataset"] == dataset) & (end["model"] == "fcn")]
        joint, length = fixed_length(of)
        numbers[f"fixed K1, {dataset}"] = length
        of = of[of["loss"] == loss]
        conventions = {
            "published K1": values(of, CONVENTIONS["published"]),
            "fixed K1": values(of, joint, length),
        }
        for convention, chosen in conventions.items() if (dataset, loss) in there else ():
            means = chosen.groupby(["width", "depth"])["value"].agg(["mean", "size"]).reset_index()
            for what, value, p, holds in _plane(means) if dataset == "mnist" else _level(means):
                common = {"dataset": dataset, "loss": loss, "convention": convention}
                rows.append(common | {"what": what, "value": value, "p": p, "holds": holds})
                numbers[f"{what}, {dataset}, {loss}, {convention}"] = value
    tests = pd.DataFrame(rows)
    verdict, p, where = decide(tests, ("dataset", "loss", "convention"), tuple(lost))
    words = [
        f"{what} {of['value'].min():.4f} to {of['value'].max():.4f} ({name_of('', dataset)}, {convention})"
        for (dataset, convention, what), of in tests.groupby(["dataset", "convention", "what"], sort=False)
    ]
    evidence = (
        f"Holds {where}. Slopes of 1/alpha^ on MNIST, alpha^ on CIFAR-10, smallest and largest over the losses: "
        f"{'; '.join(words)}. {of_seeds(_seeds(end))}."
    )
    return Verdict("C4", verdict, evidence, numbers, p)


def _enough(of: pd.DataFrame) -> bool:
    """Whether there are six sizes or more, of three widths, with two widths or more at each of two depths."""
    widths = of.groupby("depth")["width"].nunique()
    return bool(widths.sum() >= 6 and of["width"].nunique() >= 3 and (widths >= 2).sum() >= 2)


def _seeds(table: pd.DataFrame) -> pd.Series:
    """The number of seeds of each setting."""
    return table.groupby(SETTING)["seed"].nunique()


def _plane(means: pd.DataFrame) -> list[tuple[str, float, float, bool]]:
    """Slope in log2 width at the mean depth, and its change with the depth; p-values that they are not positive."""
    w = np.log2(means["width"].to_numpy(dtype=float))
    d = means["depth"].to_numpy(dtype=float)
    w, d = w - w.mean(), d - d.mean()
    X = np.stack([np.ones(len(w)), w, d, w * d], 1)
    slopes, errors, df = least_squares(X, means["mean"].to_numpy(), means["size"].to_numpy(dtype=float))
    names = {"slope in log2 width": 1, "interaction with depth": 3}
    return [(what, float(slopes[k]), above(slopes[k], errors[k], df, 0.0), False) for what, k in names.items()]


def _level(means: pd.DataFrame) -> list[tuple[str, float, float, bool]]:
    """Mean and range of alpha^ over the sizes, without p-values, and whether they are as claimed."""
    alpha = 1 / means["mean"]
    level, span = float(alpha.mean()), float(alpha.max() - alpha.min())
    return [
        ("mean alpha^", level, math.nan, _LEVELS[0] <= level <= _LEVELS[1]),
        ("range of alpha^", span, math.nan, span <= _RANGE),
    ]


def c5(cnn: Results) -> Verdict:
    """C5: the smallest convolutional networks have the lowest alpha^, the others 1.0 to 1.1.

    The rule, for networks that trained, at the last snapshot, for each data set, loss and convention. The smallest number
    of filters against the rest: 1/alpha^ is larger, by Welch's one-sided t-test over the runs; with fewer than 5 seeds, by
    a t-test of its mean less the mean of the other sizes' means, with the variance over seeds joint over the settings of
    that convention. Beyond it: at every size alpha^ = 1 / mean(1/alpha^) is within 1.0 to 1.1; no test.

    "Reproduced": all of it; "partly": all of one data set, loss or convention, or all that could be tested where one loss
    did not train. "Not tested": on one of the data sets the smallest network or two larger ones did not train.

    Args:
        cnn: of the experiment ``cnn_size``.

    Returns:
        The verdict.
    """
    end, smallest = at_end(cnn), int(cnn.runs["width"].min())
    kinds = end.drop_duplicates("run").groupby(["model", "dataset", "loss"])
    kinds = kinds.filter(lambda of: smallest in set(of["width"]) and of["width"].nunique() >= 3)
    nothing, lost = absent_of(kinds, _CNN, _LOSSES)
    if nothing:
        return Verdict(
            "C5", NOT_TESTED, f"The smallest network and two larger ones did not all train: {'; '.join(nothing)}."
        )
    rows, words, numbers = [], [], {}
    for convention, quantity in CONVENTIONS.items():
        runs = values(end, quantity).assign(convention=convention)
        means = over_seeds(runs, [*SETTING, "convention"], ["convention"]).reset_index()
        for (dataset, loss), _ in kinds.groupby(["dataset", "loss"]):
            common = {"dataset": dataset, "loss": loss, "convention": convention}
            of = means[(means["dataset"] == dataset) & (means["loss"] == loss)]
            one, rest = of[of["width"] == smallest].iloc[0], of[of["width"] != smallest]
            own = runs[(runs["dataset"] == dataset) & (runs["loss"] == loss)]
            p = _smaller_against_rest(one, rest, own, smallest)
            within = (1 / rest["mean"]).between(*_BAND).all()
            rows += [common | {"p": p}, common | {"p": np.nan, "holds": bool(within)}]
            label = f"{name_of('', dataset, loss)}, {convention}"
            numbers[f"alpha^ of the smallest, {label}"] = float(1 / one["mean"])
            words.append(
                f"{label}: {1 / one['mean']:.2f} ({of_seeds(one[['seeds']])}; lower than the rest on average: p = {p:.2g}) "
                f"against {_span(rest['mean'])} ({'' if within else 'not '}all within 1.0 to 1.1)"
            )
    verdict, p, where = decide(pd.DataFrame(rows), ("dataset", "loss", "convention"), tuple(lost))
    evidence = (
        f"Holds {where}. alpha^ with {smallest} filters and with more: {'; '.join(words)}. {of_seeds(_seeds(end))}."
    )
    return Verdict("C5", verdict, evidence, numbers, p)


def _smaller_against_rest(one: pd.Series, rest: pd.DataFrame, runs: pd.DataFrame, smallest: int) -> float:
    """The p-value that 1/alpha^ of the smallest network is not larger than that of the rest."""
    if min(one["seeds"], rest["seeds"].min()) >= SEEDS:
        a, b = (runs.loc[(runs["width"] == smallest) == which, "value"] for which in (True, False))
        squares = [a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)]
        df = sum(squares) ** 2 / (squares[0] ** 2 / (len(a) - 1) + squares[1] ** 2 / (len(b) - 1))
        return above(a.mean() - b.mean(), sum(squares) ** 0.5, df, 0.0)
    se = np.hypot(one["se"], np.sqrt(np.square(rest["se"]).sum()) / len(rest))
    return above(one["mean"] - rest["mean"].mean(), se, one["df"], 0.0)


def c8(fcn: Results, cnn: Results) -> Verdict:
    """C8: alpha^ varies little between seeds.

    The rule, for networks that trained, at the last snapshot. For each kind of network and convention the intraclass
    correlation ICC(1) of 1/alpha^, settings (size, loss and data set) as groups and seeds as values, has a one-sided 95 %
    lower bound of .9 or more: nine tenths of what differs between runs differs between settings. Data sets are taken
    together, for where alpha^ is the same at all sizes no spread over seeds would be small beside that over sizes; the
    spread itself is in the evidence. "Reproduced": for all; "partly": for both kinds of networks in one convention. "Not
    tested": fewer than three settings with two seeds, of a kind of network on one of its data sets.

    Args:
        fcn: of the experiment ``fcn_size``.
        cnn: of the experiment ``cnn_size``.

    Returns:
        The verdict.
    """
    end, rows, numbers = pd.concat([at_end(fcn), at_end(cnn)]), [], {}
    for convention, quantity in CONVENTIONS.items():
        runs = values(end, quantity)
        runs = runs[runs.groupby(SETTING)["run"].transform("size") > 1]
        for model, dataset in _FCN + _CNN:
            of = runs[(runs["model"] == model) & (runs["dataset"] == dataset)]
            if (count := of.groupby(SETTING).ngroups) < 3:
                words = f"{count} trained settings with two seeds: {name_of(model, dataset)}; 3 are needed."
                return Verdict("C8", NOT_TESTED, words)
        for model, of in runs.groupby("model", sort=False):
            groups = [part["value"].to_numpy() for _, part in of.groupby(SETTING)]
            icc, lower, p = intraclass(groups, _AGREEMENT)
            spread = float(np.sqrt(np.mean([group.var(ddof=1) for group in groups])))
            name = f"{name_of(str(model), '')}, {convention}"
            sds = (1 / of.set_index(SETTING)["value"]).groupby(level=SETTING).std(ddof=1)
            common = {"convention": convention, "p": p, "name": name, "icc": icc, "lower": lower}
            rows.append(common | {"median": sds.median(), "largest": sds.max()})
            numbers |= {f"ICC, {name}": icc, f"lower bound, {name}": lower, f"sd over seeds, {name}": spread}
    tests = pd.DataFrame(rows)
    verdict, p, where = decide(tests, ("convention",))
    words = [
        f"{of.name}: {of.icc:.3f} ({of.lower:.3f}), sd {of.median:.3f} ({of.largest:.3f})"
        for of in tests.itertuples(index=False)
    ]
    evidence = (
        f"Holds {where}. Intraclass correlation of 1/alpha^ (lower bound), and standard deviation of alpha^ over seeds, "
        f"median over the settings (largest): {'; '.join(words)}. {of_seeds(_seeds(runs))}."
    )
    return Verdict("C8", verdict, evidence, numbers, p)
