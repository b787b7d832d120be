"""How claims and figures read stored rows: the ends of a training, conventions, names for readers, means over seeds."""

import numpy as np
import pandas as pd

from .store import Results

CONFIGURATION = ["model", "dataset", "loss", "width", "depth"]
FITS = 0.95  # training accuracy from which on a network fits its data
_LATE = 10_000  # iterations over which late values are averaged
FIXED_K1 = 1000  # the fixed K1, where the noise is large enough for it

# The joint estimate as the paper publishes it, without dead coordinates and epsilon, and of the Gaussian twin.
PUBLISHED, CORRECTED, TWIN = "1/alpha (published)", "1/alpha (corrected)", "twin 1/alpha (published)"

DATA = {
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "digits",
    "digits32": "digits (32 x 32 x 3)",
    "mnist, permuted labels": "permuted MNIST",
    "digits, permuted labels": "permuted digits",
}
LOSSES = {"nll": "cross-entropy", "hinge": "hinge"}
BEFORE, AFTER = "before training", "after training"
WORDS = {"fcn": "FCN", "cnn": "CNN", "before": BEFORE, "after": AFTER} | DATA | LOSSES


def last_snapshot(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the last snapshot of their run."""
    return table[table["iteration"] == table.groupby("run")["iteration"].transform("max")]


def at_start(results: Results) -> pd.DataFrame:
    """Return the rows of whole networks before training, with the settings of their run."""
    rows = results.rows[(results.rows["scope"] == "all") & (results.rows["iteration"] == 0)]
    return rows.merge(results.runs, on="run", validate="many_to_one")


def at_end(results: Results, *, trained: bool = True) -> pd.DataFrame:
    """Return the rows of whole networks at the last snapshot, with the settings of their run."""
    rows = last_snapshot(results.rows[results.rows["scope"] == "all"])  # before a merge of many columns
    runs = results.runs[results.runs["status"] == "complete"] if trained else results.runs
    return rows.merge(runs, on="run", validate="many_to_one")


def in_data_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the indices in data order, where a run has them, under the plain names of the random ones."""
    name = table["quantity"].str.replace(", data order)", ")", regex=False)
    ordered = name != table["quantity"]
    keys = pd.MultiIndex.from_arrays([table["run"], table["split"], name])
    return table.assign(quantity=name)[ordered | ~keys.isin(keys[ordered])]


def late(results: Results) -> pd.DataFrame:
    """Return means of whole networks over the last 10,000 iterations, of a run shorter than 20,000 over its second half."""
    table = results.rows[results.rows["scope"] == "all"]
    last = table.groupby("run")["iteration"].transform("max")
    table = table[table["iteration"] > np.where(last < 2 * _LATE, last / 2, last - _LATE)]
    means = table.groupby(["run", "split", "quantity", "x"], dropna=False, sort=False)["value"].mean().reset_index()
    return means.merge(results.runs, on="run", validate="many_to_one")


def late_values(results: Results) -> pd.DataFrame:
    """Return late values in data order (`late` at the paper's settings, else of the last snapshot) and what became of runs.

    A network `left` chance if its training accuracy at the end is twice chance or more, and `fits` if it is .95 or more.
    """
    ordered = Results(in_data_order(results.rows[results.rows["scope"] == "all"]), results.runs)
    end = at_end(ordered, trained=False)
    table = late(ordered) if "horizon" in results.runs else end
    accuracy, left = values(end, "accuracy").set_index("run")["value"], table["status"] == "complete"
    return table.assign(left=left, fits=left & (table["run"].map(accuracy) >= FITS))


def with_configurations(results: Results) -> pd.DataFrame:
    """Return the rows with their run and a column `configuration`, such as "FCN 256 × 3, MNIST, hinge", in their order."""
    table = results.table()

    def name(run: pd.Series) -> str:
        size = f"{run['width']} × {run['depth']}" if run["depth"] else f"{run['width']}"
        return f"{run['model'].upper()} {size}, {DATA[run['dataset']]}, {LOSSES[run['loss']]}"

    names = results.runs.set_index("run").apply(name, axis=1)
    configuration = pd.Categorical(table["run"].map(names), categories=list(dict.fromkeys(names)), ordered=True)
    return table.assign(configuration=configuration)


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows before training (`when`), of all runs, then those at the last snapshot, of the runs that trained."""
    end = last_snapshot(table)
    trained = end["status"] == "complete"
    some = trained.groupby(end["configuration"], observed=True).transform("any")
    return pd.concat([table[table["iteration"] == 0].assign(when=BEFORE), end[trained | ~some].assign(when=AFTER)])


def untrained(results: Results) -> str:
    """Say which runs did not leave chance, in sentences for a caption; "" if all did."""
    runs = with_configurations(results).drop_duplicates("run")
    lost = runs["status"].ne("complete").groupby(runs["configuration"], observed=True).agg(["sum", "size"])
    lost, sentences = lost[lost["sum"] > 0], ""
    for words, some in (
        ("Left out after training, for they did not leave chance", lost[lost["sum"] < lost["size"]]),
        ("Of these configurations no run left chance, and all are shown", lost[lost["sum"] == lost["size"]]),
    ):
        names = "; ".join(f"{name} ({count} of {total})" for name, count, total in some.itertuples())
        sentences += f" {words}: {names}." if names else ""
    return sentences


def values(table: pd.DataFrame, quantity: str, x: float | None = None, split: str = "train") -> pd.DataFrame:
    """Return the rows of one quantity that hold a number, at one abscissa (by default: rows without any)."""
    at_x = table["x"].isna() if x is None else table["x"] == x
    return table[(table["quantity"] == quantity) & (table["split"] == split) & at_x & table["value"].notna()]


def fixed_length(table: pd.DataFrame) -> tuple[str, float]:
    """Choose quantity and K1 to compare networks: 1000, or the largest below that all runs have; NaN if there is none."""
    quantity = "1/alpha (joint)"  # a run whose noise was not held in memory has no such rows, and is not asked
    joint = table[(table["quantity"] == quantity) & (table["x"] <= FIXED_K1)]
    counts = joint.groupby("x")["run"].nunique()
    common = counts[counts == joint["run"].nunique()]
    return quantity, float(common.index.max()) if len(common) else float("nan")


def name_of(*parts: str) -> str:
    """Return a readable name of a kind of configurations, such as "FCN, MNIST, cross-entropy"."""
    return ", ".join(WORDS.get(part, part) for part in parts)


def span(low: float, high: float, form: str = "") -> str:
    """Return a range in words (by default with three significant digits), of equal ends as one number."""
    words = [f"{end:{form}}" if form else f"{end:.0f}" if abs(end) >= 1000 else f"{end:.3g}" for end in (low, high)]
    return " to ".join(dict.fromkeys(words))


def provenance_line(results: Results) -> str:
    """Say in one line, for a caption, where numbers came from: seeds or runs, data, versions, machines, time."""
    runs = results.runs
    data = "synthetic data"
    if "dataset" in runs:
        pairs = runs.loc[runs["dataset"].notna(), ["dataset", "data_sha256"]].drop_duplicates()
        # Several digests of one data set, where runs take different numbers of its images.
        digests = pairs["data_sha256"].sort_values().str[:8].groupby(pairs["dataset"]).agg("/".join)
        data = ", ".join(f"{name}, SHA-256 {shas}" for name, shas in digests.items()) or data
        data = f"seeds {', '.join(f'{seed:.0f}' for seed in sorted(set(runs['seed'].dropna())))}; {data}"
    versions = ", ".join(f"{name} {'/'.join(sorted(set(runs[name])))}" for name in ("torch", "numpy"))
    machine = "/".join(sorted(set(runs["processor"])))
    machine += "".join(f", {count} on {name}" for name, count in runs["device"].value_counts().items() if name != "cpu")
    return f"{len(runs)} runs; {data}; {versions}; {machine}, {runs['seconds'].sum() / 60:.1f} min of computing"
