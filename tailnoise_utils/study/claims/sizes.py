"""C3, C4, C5 and C8: alpha^ over the sizes of the networks, losses, data sets and seeds."""

import math

import numpy as np
import pandas as pd

from ..results import reading
from ..results.store import Results
from .verdict import Cell, Verdict, cell, cells_of, judge

_FAR = 1.75
_LEVEL, _CNN, _FEW = (1.05, 1.25), (1.0, 1.1), 8
_SD = 0.032  # the square root of the paper's variance of .001
_ERRORS = 2.0  # standard errors
_RUNS = 5  # that a slope takes


def late_alpha(*results: Results) -> pd.DataFrame:
    """Return late `alpha`, as published, and `corrected` of training images, with the settings and fate of each run."""
    tables = []
    for table in map(reading.late_values, results):
        corrected = reading.values(table, reading.CORRECTED).set_index("run")["value"]
        rows = reading.values(table, reading.PUBLISHED)
        tables.append(rows.assign(alpha=1 / rows["value"], corrected=1 / rows["run"].map(corrected)))
    return pd.concat(tables, ignore_index=True)


def c3(fcn: Results, cnn: Results) -> Verdict:
    """C3: In every configuration (networks, sizes, losses, data sets) alpha^ is far below 2.

    The rule: every alpha^, before and late in training, is below 1.75 by two standard errors or more (1.75 was chosen when
    the values were known).
    """
    ordered = [Results(reading.in_data_order(one.rows), one.runs) for one in (fcn, cnn)]
    tables = [table for one in ordered for table in (reading.at_start(one), reading.at_end(one, trained=False))]
    rows, corrected = (
        pd.concat(reading.values(table, name) for table in tables) for name in (reading.PUBLISHED, reading.CORRECTED)
    )
    cells = []
    for names, group in rows.groupby(["model", "dataset", "loss"], sort=False):
        holds = (group["value"] - _ERRORS * group["se"].fillna(0) > 1 / _FAR).all()
        others = 1 / corrected.loc[corrected["run"].isin(group["run"]), "value"]
        cells.append(cell(reading.name_of(*names), 1 / group["value"], holds, others))
    return judge(c3, cells, "alpha^", "far below 2", (0.0, _FAR))


def c4a(fcn: Results) -> Verdict:
    """C4a: FCN on MNIST: alpha^ falls as the network grows, the more the deeper it is.

    The rule: among networks that fit, alpha^ falls with each doubling of the width, at every depth of five runs or more,
    beyond the 95 % interval of the slope (Student's t); and so does the slope from the shallowest to the deepest. K1 grows
    with the network as published; `corrected` is the slope at one K1.
    """
    from scipy import stats  # half a second of import, needed only here

    rows = late_alpha(fcn).query("dataset == 'mnist' and fits")
    table = reading.late_values(fcn).query("split == 'train'")
    joint, K1 = reading.fixed_length(table)
    chosen = (table["quantity"] == joint) & (table["x"] == K1) | (table["quantity"] == "1/alpha (corrected, K1 = 1000)")
    corrected = table[chosen].assign(alpha=1 / table["value"])  # at K1 = 1000, or the largest below that all runs have
    cells: list[Cell] = []
    for loss, of_loss in rows.groupby("loss", sort=False):
        slopes = {}
        for depth, group in of_loss.groupby("depth"):
            if group["width"].nunique() > 1 and len(group) >= _RUNS:
                line = stats.linregress(np.log2(group["width"]), group["alpha"])
                same = corrected[corrected["run"].isin(group["run"])]  # streamed noise has no other K1
                other = stats.linregress(np.log2(same["width"]), same["alpha"]).slope if len(same) > 2 else math.nan
                half = line.stderr * stats.t.ppf(0.975, len(group) - 2)
                slopes[depth] = line.slope, half
                ends = (line.slope - half, line.slope, line.slope + half)
                cells.append(
                    cell(f"{reading.LOSSES[loss]}, depth {depth}", ends, ends[-1] < 0, (other,)) | {"n": len(group)}
                )
        if len(slopes) > 1:
            (first, half), *_, (last, other_half) = slopes.values()
            falls = last - first < -np.hypot(half, other_half)
            cells.append(cell(f"{reading.LOSSES[loss]}: more so the deeper", (), falls))
    return judge(c4a, cells, "change of alpha^ with twice the width", "falls", (-np.inf, 0.0))


def c4b(fcn: Results) -> Verdict:
    """C4b: FCN on CIFAR-10: size has no clear effect, alpha^ is about 1.1 to 1.2.

    The rule: alpha^ of every size that left chance (mean over its seeds) is 1.05 to 1.25.
    """
    rows = late_alpha(fcn).query("dataset == 'cifar10' and left")
    sizes = rows.groupby(["loss", "depth", "width"])[["alpha", "corrected"]].mean().reset_index()
    depth, alpha = "depth " + sizes["depth"].astype(str), sizes["alpha"]
    cells = cells_of(sizes.assign(depth=depth, value=alpha, holds=alpha.between(*_LEVEL)), ("loss", "depth"))
    return judge(c4b, cells, "alpha^ of a size", "1.1 to 1.2", _LEVEL)


def c5(cnn: Results) -> Verdict:
    """C5: CNN: alpha^ is lowest for very small networks, and 1.0 to 1.1 once a network performs reasonably.

    The rule: with cross-entropy, networks of 8 filters or fewer have the lowest alpha^, and those that fit have 1.0 to 1.1;
    it takes a size that fits.
    """
    cells = []
    for dataset, group in late_alpha(cnn).query("loss == 'nll'").groupby("dataset"):
        large = group[group["fits"] & (group["width"] > _FEW)]
        means = group.groupby("width")["alpha"].mean()
        if len(large):
            lowest = means[means.index <= _FEW].max() < means[means.index > _FEW].min()
            sizes = large.groupby("width")["alpha"].mean()
            cells.append(cell(reading.DATA[dataset], sizes, lowest and sizes.between(*_CNN).all(), large["corrected"]))
    return judge(c5, cells, "alpha^ of a size that fits", "1.0 to 1.1", _CNN)


def c8(fcn: Results, cnn: Results) -> Verdict:
    """C8: alpha^ varies little between seeds.

    The rule: among configurations that fit, the median of the standard deviation over three seeds or more is .032 or less
    (the paper's variance is about .001), for every model, data set and loss.
    """
    by = late_alpha(fcn, cnn).query("fits").groupby(reading.CONFIGURATION)
    spreads = by[["alpha", "corrected"]].std()[by.size() >= 3].reset_index().rename(columns={"alpha": "value"})
    medians = spreads.groupby(["model", "dataset", "loss"])["value"].transform("median")
    return judge(c8, cells_of(spreads.assign(holds=medians <= _SD)), "sd of alpha^ over seeds", "about .03", (0.0, _SD))
