"""Figure 1 of the paper, the norms of the noise: the experiment ``noise_histogram``, and what ``iterations`` keeps."""

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib import pyplot as plt

from tailnoise_utils import stable

from ..claims.norms import LAWS, distances, scaled
from ..results.store import Results
from ..style import LOOK, figure
from .panels import facets, legend_below
from .paper import comparison

NORMS = {"norm": "gradient noise"} | LAWS
_LOOKS = dict(zip(NORMS, (LOOK["joint"], LOOK["Gaussian"], {"color": "#56B4E9"}, LOOK["stable"]), strict=True))
# The noise, and Gaussian noise of the same covariance: as `iterations` keeps them, as `noise_histogram` does.
_PAIRS = (("norm (each)", "norm (each, twin)"), ("norm", "norm, Gaussian (same covariance)"))
ENTRIES = 3  # independent Gaussian entries whose norm spreads as that of the paper's panel (b)
_STABLE = 1.1  # index of panel (c): the paper's of convolutional networks


def pools(results: Results) -> tuple[pd.Series, pd.Series]:
    """Return all norms, by iteration, of the first run that kept those of its noise and of the twins; empty if none did."""
    for names in _PAIRS:
        rows = results.rows.set_index("iteration")
        runs = rows.loc[rows["quantity"] == names[1], "run"]
        rows = rows[rows["run"].isin(runs[:1])]
        noise, twin = (rows.loc[rows["quantity"] == name, "value"] for name in names)
        if len(twin):
            break
    return noise, twin


def has_norms(results: Results) -> bool:
    """Tell whether the norm of every minibatch was kept."""
    return len(pools(results)[1]) > 0


def as_drawn(count: int, mean: float, median: float) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Draw norms of three independent Gaussian and three stable entries, scaled to a mean and a median (seed 0)."""
    generator = np.random.default_rng(0)
    gaussian = np.linalg.norm(generator.standard_normal((count, ENTRIES)), axis=1)
    heavy = np.linalg.norm(stable.sample(_STABLE, (count, ENTRIES), generator=generator), axis=1)
    return gaussian * mean / gaussian.mean(), heavy * median / np.median(heavy)


@figure
def pooled(results: Results) -> plt.Figure:
    """Draw the norms of a whole training in one histogram, as Figure 1 does, with those of its twins and of known laws."""
    noise, twin = pools(results)
    gaussian, heavy = as_drawn(len(noise), noise.mean(), float(np.median(noise)))
    drawn, panels = plt.subplots(1, 3, figsize=(6.9, 2.9), sharey=True)
    laws = f"{ENTRIES} Gaussian\nentries", f"{ENTRIES} stable\nentries, α = {_STABLE}"
    titles = ("(a) noise of a\nwhole training", *(f"({letter}) {law}" for letter, law in zip("bc", laws, strict=True)))
    for axes, values, title in zip(panels, (noise, gaussian, heavy), titles, strict=True):
        bins = np.linspace(0, values.max(), 60)
        axes.hist(values, bins=bins, color=LOOK["joint"]["color"] if values is noise else "#777777")
        if values is noise:
            look = {"histtype": "step", "color": "black", "linestyle": ":", "linewidth": 1.4}
            axes.hist(twin, bins=bins, label="its Gaussian twin", **look)
        axes.set(yscale="log", title=title)
    panels[1].set_xlabel("norm")
    panels[0].set_ylabel("number of minibatches")
    legend_below(drawn, panels, 1)
    return drawn


@figure
def one_iteration(results: Results) -> plt.Figure:
    """Draw, at the first and the last snapshot alone, the laws of the norm of the noise and of its references."""
    table = scaled(results).assign(point=lambda rows: rows["iteration"].map("{:,.0f}".format))
    table = table[table["iteration"].isin([table["iteration"].min(), table["iteration"].max()])]

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        for name, look in _LOOKS.items():
            axes.ecdf(rows.loc[rows["quantity"] == name, "scaled"], label=NORMS[name], **look | {"linewidth": 1.8})
        axes.set_xscale("log")

    layout = {"columns": ["point"], "title": "iteration {point}", "legend": 2}
    labels = {"xlabel": "norm / its median", "ylabel": "fraction of minibatches"}
    drawn, panels = facets(table.sort_values("iteration", kind="stable"), draw, height=2.6, **labels, **layout)
    panels[0, 0].set(xlim=(0.3, 10), xticks=[0.3, 1, 3, 10], xticklabels=["0.3", "1", "3", "10"])
    return drawn


def norm_table(results: Results) -> pd.DataFrame:
    """Return, by iteration, the sd of the log norm (mean over seeds), the largest over the median, and D, of each law."""
    D, rows = distances(results), scaled(results)
    rows = rows.assign(ln=np.log(rows["value"]))
    spreads = rows.groupby(["iteration", "quantity", "run"])["ln"].std().groupby(level=[0, 1]).mean().unstack()
    columns, largest = {}, rows.groupby(["iteration", "quantity"])["scaled"].max().unstack()
    for quantity, label in NORMS.items():
        columns |= {(label, "sd of ln"): spreads[quantity], (label, "largest"): largest[quantity]}
        columns |= {(label, "D"): D[quantity]} if quantity in D else {}
    return pd.DataFrame(columns)


def pool_numbers(results: Results) -> dict[str, float]:
    """Return how many norms and iterations a pool has, and sd / mean of the noise, of its twins and of the drawn laws."""
    noise, twin = pools(results)
    laws = {"noise": noise, "twin": twin, "drawn": as_drawn(100_000, 1.0, 1.0)[0]}
    spreads = {f"{name}_spread": float(of_law.std() / of_law.mean()) for name, of_law in laws.items()}
    return spreads | {"count": float(len(noise)), "points": float(noise.index.nunique())}


def beside_figure1(results: Results) -> pd.DataFrame:
    """Return what Figure 1 shows beside ours: its pool (a), and the scaled Gaussian noise (b) of mean 315 and sd 140."""
    numbers = pool_numbers(results)
    lines = [
        ("(a): norms in the pool", 320_000.0, [numbers["count"]], ",.0f"),
        ("(a): sd / mean", None, [numbers["noise_spread"]], ".2f"),
        ("(a): sd / mean, Gaussian twins", None, [numbers["twin_spread"]], ".2f"),
        ("(b): sd / mean", 140 / 315, [numbers["drawn_spread"]], ".2f"),
    ]
    return comparison(lines)
