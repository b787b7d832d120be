"""C6 and O3: what changes with the minibatch size."""

import numpy as np
import pandas as pd

from ..results import reading
from ..results.store import Results
from .verdict import Verdict, cells_of, judge

_CONVENTIONS = [reading.PUBLISHED, reading.CORRECTED]
_RISE = 0.1
_INTERVALS = ((10, 100), (100, 1000))
_LARGE = 10  # a minibatch is small if the data are so many times as large


def rises(results: Results) -> pd.DataFrame:
    """Return by how much alpha^ rises from the smallest b to n / 10, of one network and of networks trained at each b."""
    table = reading.late_values(results).query("quantity in @_CONVENTIONS and split == 'train' and left")
    table = table.fillna({"x": table["batch_size"]}).query(f"x <= n_train / {_LARGE}")
    keys, rows = ["dataset", "depth", "width", "seed"], []
    readings = {"one network": table.groupby([*keys, "run"])}
    readings["trained at each b"] = table[table["x"] == table["batch_size"]].groupby(keys)
    for how, groups in readings.items():
        for names, group in groups:
            alpha = 1 / group.pivot(index="x", columns="quantity", values="value").reindex(columns=_CONVENTIONS)
            if len(alpha) > 2:
                rows.append((names[0], f"depth {names[1]}", how, *(alpha.iloc[-1] - alpha.iloc[0])))
    return pd.DataFrame(rows, columns=["dataset", "depth", "reading", "value", "corrected"])


def c6(results: Results) -> Verdict:
    """C6: Larger minibatches do not bring alpha^ towards 2.

    The rule: from the smallest minibatches to those of a tenth of the data alpha^ rises by .1 or less (chosen when the
    values were known), in one network measured at several sizes b and in networks trained at each b; at half of the data
    both minibatches of a partition have the same noise but for its sign.
    """
    table = rises(results)
    cells = cells_of(table.assign(holds=table["value"] <= _RISE), ("dataset", "depth", "reading"))
    return judge(c6, cells, "rise of alpha^ with b", "no rise", (-np.inf, _RISE))


def exponents(results: Results) -> pd.DataFrame:
    """Compute scaling exponents from 10 to 100 samples and from 100 to 1000, and `value`, by how much they rise."""
    rows = []
    for when, table in ((reading.BEFORE, reading.at_start(results)), (reading.AFTER, reading.at_end(results))):
        scales = table[(table["quantity"] == "log-scale") & (table["n_train"] >= _LARGE * _INTERVALS[-1][1])]
        for names, run in scales.groupby([*reading.CONFIGURATION, "seed"]):
            L = run.set_index("x")["value"]
            if {b for pair in _INTERVALS for b in pair} <= set(L.index):
                small, large = ((L[low] - L[high]) / np.log(high / low) for low, high in _INTERVALS)
                rows.append((*names, when, small, large, large - small))
    return pd.DataFrame(rows, columns=[*reading.CONFIGURATION, "seed", "when", "small", "large", "value"])


def o3(results: Results) -> Verdict:
    """O3: The noise has no single stable index: its scaling exponent rises with the minibatch size.

    The rule: the scale of the noise falls more steeply from 100 to 1000 samples than from 10 to 100 in every network; under
    a stable law both slopes are nearly equal.
    """
    table = exponents(results)
    cells = cells_of(table.assign(holds=table["value"] > 0), ("dataset", "loss", "when"))
    return judge(o3, cells, "rise of the scaling exponent", "0 if stable", None)
