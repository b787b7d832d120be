"""Figure and tables of the experiment ``jump``: where the accuracy drops, with noise and without."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ..results.reading import CORRECTED, DATA, PUBLISHED, TWIN
from ..results.store import Results
from ..style import figure
from .panels import facets

FALL = 0.05  # of the accuracy, which is a drop
RISE = 0.01  # nats of the loss, below which it counts as unchanged
PLATEAU = 0.9  # of the first loss: below that the plateau is over
DESCENT = "gradient descent"
_LINES = (("black", 2.2), ("#009E73", 1.3), ("#CC79A7", 1.0))  # of the arms
_PANELS = {"accuracy": "accuracy", "loss": "loss (nats)", "largest eigenvalue": "largest eigenvalue"}
_RUN = ["data", "images", "seed", "arm"]
_NOISE = {"published": PUBLISHED, "twin": TWIN, "corrected": CORRECTED}


def records(results: Results) -> pd.DataFrame:
    """Return what was seen of each run at each step, a column a quantity; the eigenvalues on the fewer images."""
    table = results.table().rename(columns={"n_train": "images", "iteration": "step"})
    table = table[(table["scope"] == "all") & (table["x"].isna() | (table["x"] == table["curved"]))]
    arm = np.where(table["batch_size"] == table["images"], DESCENT, "SGD, b = " + table["batch_size"].astype(str))
    for name, words in {"data": table["dataset"].map(DATA), "arm": pd.Series(arm)}.items():
        ordered = pd.Categorical(words, categories=list(dict.fromkeys(words)), ordered=True)  # as in the grid
        table = table.assign(**{name: ordered})
    return table.pivot_table(index=[*_RUN, "step"], columns="quantity", values="value", observed=True)


def drops(loss: pd.Series, accuracy: pd.Series) -> pd.DataFrame:
    """Find the accuracy's largest falls between turns of the loss: B where that rises, A where it falls on its plateau."""
    turns, direction, extreme = [loss.index[0]], -1, loss.index[0]
    for step, value in loss.items():
        if direction * (value - loss[extreme]) >= 0:
            extreme = step
        elif abs(value - loss[extreme]) >= RISE:
            turns.append(extreme)
            direction, extreme = -direction, step
    rows = []
    for k, (start, end) in enumerate(zip(turns, [*turns[1:], loss.index[-1]], strict=True)):
        stretch = accuracy.loc[start:end]
        if k % 2 == 0:
            stretch = stretch[loss.loc[:end].cummin().loc[start:] >= PLATEAU * loss.iloc[0]]
        fall = stretch.cummax() - stretch
        if len(fall) and fall.max() >= FALL:
            bottom = fall.idxmax()
            top = stretch.loc[:bottom].idxmax()
            rows.append(("AB"[k % 2], top, bottom, fall.max(), loss[top], loss[bottom] - loss[top]))
    return pd.DataFrame(rows, columns=["kind", "from", "to", "depth", "loss", "change of loss"])


def drop_table(results: Results) -> pd.DataFrame:
    """Return every drop of every run, with the predictions at its bottom and the largest eigenvalue until there."""
    tables = {}
    for run, record in records(results).groupby(level=_RUN, observed=True):
        record = record.droplevel(_RUN)
        table = drops(record["loss"], record["accuracy"])
        measured = record["largest eigenvalue"].dropna()
        spans = [(measured.loc[:top].index[-1], bottom) for top, bottom in zip(table["from"], table["to"], strict=True)]
        table["largest eigenvalue"] = [measured.loc[start:end].max() for start, end in spans]
        table["commonest"] = record["commonest prediction"].reindex(table["to"]).to_numpy()
        tables[run] = table
    return pd.concat(tables, names=[*_RUN, "drop"]).reset_index()


def _fewest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of seed 0 on the fewer images of each data set."""
    return table[(table["seed"] == 0) & (table["images"] == table.groupby("data")["images"].transform("min"))]


def short_table(results: Results) -> pd.DataFrame:
    """Return what the page shows of `drop_table`: the first drop of each kind."""
    table = _fewest(drop_table(results)).sort_values("kind", kind="stable")
    return table.groupby(["kind", "data", "arm"], sort=False).first().drop(columns=["images", "seed", "drop"])


def noise_table(results: Results) -> pd.DataFrame:
    """Return alpha^ of the noise at the start, where it is lowest, and at the end, for gradient descent and one SGD."""
    table = _fewest(records(results).dropna(subset=PUBLISHED).reset_index())
    table = table[table["arm"].cat.codes < 2]
    alphas = {name: 1 / table[quantity] for name, quantity in _NOISE.items()}
    table = table.rename(columns={"tail excess": "tau", "dead share": "dead"}).assign(**alphas)
    rows = []
    for _, run in table.groupby(["data", "arm"], observed=True):
        rows += [run.loc[sorted({run.index[0], run["published"].idxmin(), run.index[-1]})]]
    return pd.concat(rows).set_index(["data", "arm", "step"])[["accuracy", *_NOISE, "dead", "tau"]]


@figure
def drops_along_training(results: Results) -> plt.Figure:
    """Draw accuracy, loss and the largest eigenvalue of gradient descent and of SGD, seed 0, a column a data set."""
    table = _fewest(records(results).reset_index())
    table = table.melt(["data", "arm", "step", "commonest prediction"], list(_PANELS), "panel").dropna(subset="value")
    limit = 2 / results.runs["lr"].iloc[0]

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        panel = rows["panel"].iloc[0]
        for (arm, line), (colour, width) in zip(rows.groupby("arm", observed=True), _LINES, strict=False):
            axes.plot(line["step"], line["value"], color=colour, linewidth=width, label=arm)
            if panel == "accuracy" and arm == DESCENT:
                style = {"linewidth": 1, "label": "share of its commonest prediction"}
                axes.plot(line["step"], line["commonest prediction"], "k:", **style)
        if panel == "largest eigenvalue":
            axes.axhline(limit, color="black", linewidth=0.8, linestyle="--", label=f"2 / step = {limit:g}")
            axes.set_yscale("log")

    layout = {"rows": ["panel"], "columns": ["data"], "title": "{data}", "sharex": "col", "sharey": "row"}
    return facets(table, draw, height=2.0, legend=3, xlabel="step", ylabel=_PANELS.values(), **layout)[0]


def numbers(results: Results) -> dict[str, float]:
    """Return the numbers of the text, of the first drop of each kind in each run (`apart`: steps, SGD and descent).

    Those that end in `most` are of all drops.
    """
    loss, descends = records(results)["loss"].unstack("arm"), results.runs["batch_size"] == results.runs["n_train"]
    apart = loss.sub(loss.get(DESCENT, np.nan), axis=0).abs().max(axis=1) >= RISE
    values = {"apart": apart[apart].index.get_level_values("step").min(), "limit": 2 / results.runs["lr"].iloc[0]}
    values |= {"seeds": results.runs["seed"].nunique(), "descents": descends.sum(), "sgds": (~descends).sum()}
    lowest = 1 / records(results)[PUBLISHED].groupby(level=_RUN, observed=True).max()
    lowest = lowest[lowest.index.get_level_values("arm") == DESCENT]
    values |= {"alpha_low": lowest.min(), "alpha_high": lowest.max()}
    drops = drop_table(results)
    first = drops.groupby([*_RUN, "kind"], observed=True).first().reset_index()
    for kind in "AB":
        rows = first[first["kind"] == kind]
        descent, sgd = rows[rows["arm"] == DESCENT], rows[rows["arm"] != DESCENT]
        both = sgd.merge(descent, on=_RUN[:3], suffixes=("", " of descent"))
        values |= {f"{kind}_descents": len(descent), f"{kind}_sgds": len(sgd)}
        values[f"{kind}_apart"] = (both["to"] - both["to of descent"]).abs().max()
        for name in ("depth", "largest eigenvalue", "commonest", "change of loss"):
            values[f"{kind}_{name.split()[0]}_low"] = rows[name].min()
            values[f"{kind}_{name.split()[0]}_high"] = rows[name].max()
            values[f"{kind}_{name.split()[0]}_most"] = drops.loc[drops["kind"] == kind, name].max()
    return {name: float(value) for name, value in values.items()}
