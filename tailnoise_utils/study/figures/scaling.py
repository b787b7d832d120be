"""Figures and a table of the experiment ``batch_scaling``."""

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tailnoise_utils.diagnosis import implied_alpha, stable_log_scale

from ..results.reading import AFTER, BEFORE, ends, with_settings
from ..results.store import Results
from ..style import COLOURS, MARKERS, STYLE, WIDTH
from .panels import by_kind, numbers, sizes

_STABLE = 1.5  # index of the law that is drawn for comparison
_STYLES = {BEFORE: "--", AFTER: "-"}


def _scales(rows: pd.DataFrame) -> pd.DataFrame:
    """The log-scale: one row a size, one column a run."""
    return rows.pivot(index="x", columns="run", values="value")


def _slopes(rows: pd.DataFrame) -> pd.DataFrame:
    """The slope of every interval of sizes: one row its beginning, one column a run."""
    scales = _scales(rows)
    widths = np.diff(np.log(scales.index.to_numpy()))
    return (scales.diff().iloc[1:] / widths[:, None]).set_axis(scales.index[:-1])


def _middles(b: np.ndarray) -> np.ndarray:
    """The geometric middle of every interval."""
    return np.sqrt(b[:-1] * b[1:])


def _index(slopes: pd.DataFrame | pd.Series | float) -> pd.DataFrame | pd.Series | float:
    """What index slopes imply; runs are averaged as slopes, whose errors are even."""
    return 1 / (1 + slopes)


def _lines(
    axes: plt.Axes,
    rows: pd.DataFrame,
    number: dict[str, int],
    values: Callable[[pd.DataFrame], tuple[np.ndarray, pd.Series, pd.DataFrame | None]],
) -> None:
    """A line a network, dashed before and solid after training, with the range over the runs where there is one."""
    for when, at in ends(rows):
        for name, of in sizes(at):
            i, (x, middle, runs) = number[name], values(of)
            label = name if when == AFTER else None
            style = {"marker": MARKERS[i], "color": COLOURS[i], "markersize": 3.5, "label": label}
            axes.plot(x, middle, _STYLES[when], **style)
            if runs is not None:
                axes.fill_between(x, runs.min(axis=1), runs.max(axis=1), color=COLOURS[i], alpha=0.2, linewidth=0)


def _of(results: Results) -> pd.DataFrame:
    """The log-scales with their settings."""
    table = with_settings(results)
    return table[table["quantity"] == "log-scale"]


def log_scales(results: Results) -> Figure:
    """The log-scale of the noise against the minibatch size; means over the seeds.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        A panel for each kind of network, data set and loss.
    """
    table = _of(results)
    number = numbers(table)

    def values(of: pd.DataFrame) -> tuple[np.ndarray, pd.Series, None]:
        mean = _scales(of).mean(axis=1)
        return mean.index.to_numpy(), mean - mean.iloc[0], None

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        _lines(axes, rows, number, values)
        b, n = np.sort(rows["x"].unique()), int(rows["n_train"].iloc[0])
        axes.plot(b, -np.log(b) / 2, ":", color="#555555", linewidth=1, label="slope $-1/2$")
        stable = stable_log_scale(b, n, _STABLE)
        axes.plot(b, stable - stable[0], "k-.", linewidth=1, label=rf"stable law, $\alpha = {_STABLE}$")
        axes.set(xscale="log", xlabel="minibatch size $b$ (samples)")

    with mpl.rc_context(STYLE):
        figure = by_kind(table[table["scope"] == "all"], draw)
        figure.supylabel("$L(b) - L(1)$ (nats)")
    plt.close(figure)
    return figure


def batch_scaling(results: Results) -> Figure:
    """The index implied, against the minibatch size; line and band are those of the mean slope and of all seeds.

    Args:
        results: of the experiment ``batch_scaling``.

    Returns:
        A panel for each kind of network, data set and loss.
    """
    table = _of(results)
    number = numbers(table)

    def values(of: pd.DataFrame) -> tuple[np.ndarray, pd.Series, pd.DataFrame]:
        slopes = _slopes(of)
        return _middles(_scales(of).index.to_numpy()), _index(slopes.mean(axis=1)), _index(slopes)

    def draw(axes: plt.Axes, rows: pd.DataFrame) -> None:
        _lines(axes, rows, number, values)
        b = np.sort(rows["x"].unique())
        stable = implied_alpha(b, stable_log_scale(b, int(rows["n_train"].iloc[0]), _STABLE))
        axes.plot(_middles(b), stable, "k-.", linewidth=1, label=rf"stable law, $\alpha = {_STABLE}$")
        axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
        axes.set(xscale="log", xlabel="minibatch size $b$ (samples)", ylim=(0, 3))

    with mpl.rc_context(STYLE):
        figure = by_kind(table[table["scope"] == "all"], draw)
        figure.supylabel(r"implied $\alpha$")
    plt.close(figure)
    return figure


def batch_scaling_layers(results: Results, settings: list[str]) -> Figure:
    """The index implied, against the minibatch size, layer by layer; means over the seeds.

    Args:
        results: of the experiment ``batch_scaling``.
        settings: as :func:`with_settings` names them.

    Returns:
        A row of panels each for before and after training, a column a setting.
    """
    table = _of(results)
    table = table[table["scope"] != "all"]
    with mpl.rc_context(STYLE):
        size = (WIDTH if len(settings) > 2 else 0.3 + 3.6 * len(settings), 6.6)
        figure, panels = plt.subplots(2, len(settings), figsize=size, sharex=True, sharey=True, squeeze=False)
        for column, name in zip(panels.T, settings, strict=True):
            for axes, (when, of) in zip(column, ends(table[table["setting"] == name]), strict=True):
                for i, (layer, one) in enumerate(of.groupby("scope", sort=False)):
                    style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)], "markersize": 3.5}
                    b = _scales(one).index.to_numpy()
                    axes.plot(_middles(b), _index(_slopes(one).mean(axis=1)), label=layer, **style)
                axes.axhline(2, color="#555555", linestyle=":", linewidth=1)
                axes.set(xscale="log", ylim=(0, 3))
                above = name.replace(", ", ",\n", 1) + "\n" if axes is column[0] else ""
                axes.set_title(f"{above}{when}", fontsize=10)
            column[-1].set_xlabel("minibatch size $b$ (samples)")
            column[-1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2)
        figure.supylabel(r"implied $\alpha$")
    plt.close(figure)
    return figure


def implied_table(results: Results, sizes: tuple[int, ...] = (10, 100, 1000)) -> pd.DataFrame:
    """The index implied by the intervals that begin at some sizes.

    Args:
        results: of the experiment ``batch_scaling``.
        sizes: where the intervals begin, in samples; of small data, which does not have them all, 5, 10 and 50.

    Returns:
        A row a setting, before and after training; for each size the index of the mean slope over the seeds, and the
        standard deviation of the slope over them.
    """
    table = _of(results)
    rows = {}
    for when, at in ends(table[table["scope"] == "all"]):
        for setting, of in at.groupby("setting", observed=True):
            slopes = _slopes(of)
            for b in sizes if set(sizes) <= set(slopes.index) else (5, 10, 50):
                row = rows.setdefault((setting, when), {})
                row |= {
                    (f"{b:,}", "index"): _index(slopes.loc[b].mean()),
                    (f"{b:,}", "sd of slope"): slopes.loc[b].std(),
                }
    found = pd.DataFrame(rows).T
    order = list(table["setting"].cat.categories)
    return found.sort_index(level=0, key=lambda names: names.map(order.index), sort_remaining=False, kind="stable")
