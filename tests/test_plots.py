"""Figures show what they say; what the README shows is what is stored."""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from tailnoise_utils import stable
from tailnoise_utils.study import claims, figures
from tailnoise_utils.study.claims import exits as theory
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import (
    arms,
    batch_size,
    controls,
    decomposition,
    estimators,
    exits,
    iterations,
    jump,
    laws,
    norms,
    per_coordinate,
)
from tailnoise_utils.study.figures.panels import PARTS
from tailnoise_utils.study.results import store
from tailnoise_utils.study.results.reading import provenance_line, untrained

ROOT = Path(__file__).parents[1]
mpl.use("agg")


@pytest.fixture(autouse=True)
def committed_results(monkeypatch):
    monkeypatch.delenv("TAILNOISE_RESULTS", raising=False)
    yield
    plt.close("all")


def lines_of(axes):
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def test_captions_name_the_devices_that_are_no_cpu():
    results = runner.load("iterations", "laptop")
    processor = results.runs["processor"].iloc[0]
    assert f"; {processor}, {results.runs['seconds'].sum() / 60:.1f} min" in provenance_line(results)
    devices = ["cpu"] * (len(results.runs) - 2) + ["A GPU"] * 2
    mixed = replace(results, runs=results.runs.assign(device=devices))
    assert f"; {processor}, 2 on A GPU, " in provenance_line(mixed)


@pytest.mark.slow
def test_norms_are_drawn_and_tabled_as_stored():
    results = runner.load("noise_histogram", "laptop")
    table = results.table()
    at = table.query("iteration == 10_000 and quantity == 'norm'")
    trained = at[at["status"] == "complete"]
    spreads = trained.groupby("seed")["value"].agg(lambda values: np.log(values).std(ddof=1))
    shown = norms.norm_table(results)
    assert shown.loc[10_000, ("gradient noise", "sd of ln")] == pytest.approx(spreads.mean(), rel=1e-12)
    assert shown.loc[10_000, ("Gaussian, independent entries", "sd of ln")] < 0.02
    laws = table.query("iteration == 10_000").groupby("quantity")
    scaled = [
        (rows["value"] / rows.groupby("run")["value"].transform("median")).to_numpy()
        for rows in (laws.get_group("norm"), laws.get_group("norm, stable (independent)"))
    ]
    distance = max(abs((scaled[0] <= x).mean() - (scaled[1] <= x).mean()) for x in np.concatenate(scaled))
    assert shown.loc[10_000, ("stable, independent entries", "D")] == pytest.approx(distance)
    assert shown.loc[10_000, ("gradient noise", "largest")] == pytest.approx(scaled[0].max())
    drawn = norms.one_iteration(results).axes[-1].get_lines()[0].get_xydata()  # the noise, at the end
    np.testing.assert_allclose(drawn[1:, 0], np.sort(scaled[0]))


def test_a_pool_has_every_norm_of_one_run_at_all_its_iterations():
    results = runner.load("noise_histogram", "laptop")
    first = results.rows[results.rows["run"] == results.rows["run"].iloc[0]]
    noise, twin = norms.pools(results)
    np.testing.assert_array_equal(np.sort(noise), np.sort(first.loc[first["quantity"] == "norm", "value"]))
    law = first["quantity"] == "norm, Gaussian (same covariance)"
    np.testing.assert_array_equal(np.sort(twin), np.sort(first.loc[law, "value"]))
    bars = norms.pooled(results).axes[0].patches[:-1]  # the last is the outline of the twins
    assert sum(bar.get_height() for bar in bars) == len(noise)
    numbers = norms.pool_numbers(results)
    assert (numbers["count"], numbers["points"]) == (len(noise), 4)
    assert numbers["twin_spread"] == pytest.approx(twin.std(ddof=1) / twin.mean())
    assert numbers["drawn_spread"] == pytest.approx(0.42, abs=0.005)  # chi with 3 degrees of freedom


def test_means_of_norms_are_no_pool():
    results = runner.load("noise_histogram", "laptop")
    assert norms.has_norms(results)
    means = replace(
        results, rows=results.rows[results.rows["quantity"] == "norm"]
    )  # as every run at the paper's settings has
    assert not norms.has_norms(means)
    other = means.rows.assign(run="another")
    both = replace(results, rows=pd.concat([other, results.rows], ignore_index=True))
    np.testing.assert_array_equal(norms.pools(both)[0], norms.pools(results)[0])


def test_three_gaussian_entries_spread_as_the_papers_panel():
    gaussian, heavy = norms.as_drawn(100_000, 315.0, 250.0)
    assert (gaussian.mean(), np.median(heavy)) == pytest.approx((315, 250))
    assert 133 - 3 < gaussian.std() < 133 + 3  # chi with 3 degrees of freedom: .42 of the mean; the paper's panel: 140
    assert heavy.max() > 100 * gaussian.max()


def test_bias_table_agrees_with_the_rows():
    results = runner.load("estimator", "laptop")
    table = estimators.bias_table(results, alpha=1.5, size=10_000)
    rows = results.table().query("law == 'sas' and parameter == 1.5 and size == 10_000 and scope == 'log_moment'")
    value = rows.set_index("quantity")["value"]
    row = table.loc["log-moment"]
    assert row["bias of alpha^"] == value["alpha"] - 1.5
    assert row["sd / bound"] == pytest.approx(value["sd of alpha"] * 100 / stable.cramer_rao(1.5))
    assert row["time (ms)"] == 1000 * value["seconds"]
    assert not table.isna().any(axis=None)


def test_recovery_bars_are_two_standard_errors():
    results = runner.load("estimator", "laptop")
    panel = estimators.estimator_recovery(results).axes[1]
    bars = {container.get_label(): container for container in panel.containers}["log-moment"]
    rows = results.table().query(
        "law == 'sas' and size == 1_000_000 and scope == 'log_moment' and quantity == '1/alpha'"
    )
    rows = rows.sort_values("parameter")
    value, se, alpha = rows[["value", "se", "parameter"]].to_numpy(dtype=float).T
    lengths = [float(high - low) for (_, low), (_, high) in bars[2][0].get_segments()]
    np.testing.assert_allclose(lengths, 4 * se)
    np.testing.assert_allclose(bars[0].get_ydata().astype(float), value - 1 / alpha)


def test_the_bound_falls_with_the_root_of_the_size():
    spread = estimators.estimator_efficiency(runner.load("estimator", "laptop")).axes[0]
    sizes, bound = lines_of(spread)["Cramér-Rao bound"].T
    np.testing.assert_allclose(bound, stable.cramer_rao(1.5) / np.sqrt(sizes))


def test_closed_forms_are_beside_the_measured_values():
    table = estimators.closed_form_table(runner.load("estimator", "laptop"))
    assert len(table) == 8
    for convention in ("corrected", "published"):
        np.testing.assert_allclose(table[convention, "measured"], table[convention, "closed form"], rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw", [estimators.estimator_recovery, estimators.estimator_efficiency, estimators.unstable_laws]
)
def test_every_panel_has_labels_and_something_in_it(draw):
    figure = draw(runner.load("estimator", "laptop"))
    figure.canvas.draw()
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_lines()


def test_a_run_that_did_not_train_has_no_part_in_the_last_row_of_norms():
    results = runner.load("noise_histogram", "laptop")
    results = replace(results, runs=results.runs.assign(status=["complete", "complete", "not trained"]))
    table, good = results.table(), results.runs["status"] == "complete"
    drawn = table[(table["quantity"] == "norm") & table["seed"].isin(results.runs.loc[good, "seed"])]
    wanted = drawn.groupby(["iteration", "seed"])["value"].agg(lambda v: np.log(v).std()).groupby("iteration").mean()
    spread = norms.norm_table(results)["gradient noise", "sd of ln"]
    assert spread.iloc[-1] == pytest.approx(wanted.iloc[-1])
    assert spread.iloc[0] != pytest.approx(wanted.iloc[0])  # before training all runs count
    none = replace(results, runs=results.runs.assign(status="not trained"))
    assert norms.norm_table(none).index[-1] == spread.index[-1]


@pytest.mark.slow
def test_the_readme_shows_what_is_stored(tmp_path):
    results = runner.stored("iterations", "paper", complete=False)
    flips = runner.stored("controls", "laptop", complete=False)
    drawn = {"iterations": iterations.along_training(results), "flips": controls.flipped_images(flips)}
    drawn["dumbbells"] = controls.dumbbells(flips)
    for name, figure in drawn.items():
        figure.savefig(tmp_path / "now.png", dpi=150)
        now, committed = (plt.imread(path) for path in (tmp_path / "now.png", ROOT / f"book/_static/{name}.png"))
        assert now.shape == committed.shape
        assert np.mean(np.abs(now - committed) > 0.1) < 0.002, (
            "stale: python -m tailnoise_utils show iterations --profile paper --figure book/_static/iterations.png; "
            "show controls --profile laptop --figure book/_static/flips.png; dumbbells.png is controls.dumbbells"
        )
    text = (ROOT / "README.md").read_text()
    dip = iterations.against_twin(results)
    start = (
        1
        / results.table()
        .query("dataset == 'mnist' and iteration == 0 and quantity == '1/alpha (corrected)'")["value"]
        .iloc[0]
    )
    assert f"without them alpha^ falls from {start:.2f} to {dip['mnist_corrected']:.2f}" in text
    deep = controls.control_table(flips).filter(like="512 × 9", axis=0)[["noise", "half"]]
    for data, moves in zip(("MNIST", "CIFAR-10"), deep.to_numpy(), strict=True):
        assert "from {:.2f} to {:.2f} ({})".format(*moves, data) in text
    assert f"dips to {dip['mnist_dip']:.2f} near iteration {dip['mnist_at']:.0f}" in text
    assert f"its *twin*, dips to {dip['mnist_twin']:.2f}" in text
    values = iterations.beside_figure7(results).xs("agrees", axis=1, level=1)
    yes = values.eq("yes").sum()
    assert (
        f"Of {len(values)} values of the figure {yes['CIFAR-10']} agree on CIFAR-10 and {yes['MNIST']} on MNIST" in text
    )
    assert (
        "random signs take {:.0%} of it on CIFAR-10 and {:.0%} on MNIST".format(
            dip["cifar10_signs_end"], dip["mnist_signs_end"]
        ).replace("%", " %")
        in text
    )
    names = (f"{data}_tau_{when}" for data in ("mnist", "cifar10") for when in ("start", "end"))
    words = (
        "tau goes from {:.2f} to {:.2f} on MNIST and from {:.2f} to {:.2f} on CIFAR-10, as in stable noise of index "
    )
    words = words.format(*(dip[name] for name in names))
    words += f"{dip['mnist_as_stable']:.2f} and {dip['cifar10_as_stable']:.2f}. On test images that index is "
    assert words + f"{dip['mnist_as_stable_test']:.2f} and {dip['cifar10_as_stable_test']:.2f}." in text
    arm = arms.numbers(runner.stored("training", "laptop", complete=False))
    words = (
        "SGD is {law_mnist:.2f} +- {law_mnist_half:.2f} points of test accuracy from Gaussian noise of its covariance, "
    )
    words += "and no noise at all costs {help_mnist:.2f} (one network on MNIST, 5 seeds)"
    assert words.format(**arm) in text
    assert arm["law_mnist_seeds"] == 5
    descent = jump.numbers(runner.stored("jump", "laptop", complete=False))
    assert f"alpha^ dips to {descent['alpha_low']:.2f} on its path ({descent['alpha_high']:.2f} on CIFAR-10" in text
    before, half, checkerboard = (axes.get_xlabel()[-4:] for axes in drawn["flips"].axes)
    assert f"alpha^ goes from {before} to {half}, in a checkerboard to {checkerboard}" in text
    forms = estimators.closed_form_table(runner.load("estimator", "laptop"))
    gaussian = forms.loc["Gaussian, blocks of 10 with correlation 0.9", ("corrected", "measured")]
    assert f"give the estimator {gaussian:.2f}" in text
    parts = decomposition.decomposition_table(runner.load("decomposition", "laptop"))
    fraction = (parts["correlation"] / parts["gap"]).groupby(level="when")
    before, after = fraction.mean()[["before training", "after training"]]
    count = parts.index.get_level_values(0).nunique()
    words = f"{before:.0%} of the gap 1/alpha^ - 1/2 before training and {after:.0%} after it (means over {count} "
    words += f"configurations, the least {fraction.min().min():.0%})"
    assert words.replace("%", " %") in " ".join(text.split())


def test_no_page_has_a_blank_left_to_fill():
    for path in (ROOT / "README.md", *(ROOT / "book").glob("*.md")):
        assert "TIME_" not in path.read_text(), path


@pytest.mark.slow
def test_the_waterfall_adds_up_to_the_estimate():
    results = runner.load("decomposition", "laptop")
    table = results.table().query("scope == 'all' and split == 'train'")
    panels = decomposition.waterfall(results).axes
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    for axes, last in zip(panels, (False, True), strict=True):
        at = table["iteration"] == (table.groupby("run")["iteration"].transform("max") if last else 0)
        values = table[at & (table["model"] == "fcn") & (table["dataset"] == "mnist") & (table["loss"] == "nll")]
        values = values[(values["width"] == 256) & (values["depth"] == 6)].groupby("quantity")["value"].mean()
        y = names.index("FCN 256 × 6, MNIST, cross-entropy")
        bars = [p for p in axes.patches if round(p.get_y() + p.get_height() / 2) == y]
        assert sum(bar.get_width() for bar in bars) == pytest.approx(values["decomposition: e_0"], abs=1e-9)
        assert bars[0].get_width() == pytest.approx(values["decomposition: correlation"])
        assert axes.get_lines()[0].get_xdata()[y] == pytest.approx(values["decomposition: e_0"])
        bounds = sorted(edge for bar in bars for edge in (bar.get_x(), bar.get_x() + bar.get_width()))
        assert (bounds[0], bounds[-1]) == pytest.approx(
            tuple(sum(bar.get_width() for bar in bars if sign * bar.get_width() > 0) for sign in (-1, 1))
        )
    assert len(names) == 18


@pytest.mark.slow
def test_runs_that_did_not_train_are_left_out_at_the_end_and_named():
    results = runner.load("decomposition", "laptop")
    runs = results.runs
    lost = runs[(runs["model"] == "cnn") & (runs["loss"] == "nll")].index[0]
    status = ["not trained" if i == lost else "complete" for i in runs.index]
    changed = replace(results, runs=runs.assign(status=status))
    kept = changed.table().query("model == 'cnn' and loss == 'nll' and scope == 'all' and quantity == 'tail excess'")
    end = kept[(kept["iteration"] == 3000) & (kept["run"] != runs.loc[lost, "run"])]
    table = decomposition.decomposition_table(changed).loc["CNN 16, CIFAR-10, cross-entropy"]
    assert table.loc["after training", "tail excess"] == pytest.approx(end["value"].mean())
    assert table.loc["before training", "tail excess"] == pytest.approx(kept[kept["iteration"] == 0]["value"].mean())
    assert "CNN 16, CIFAR-10, cross-entropy (1 of 3)" in untrained(changed)
    assert "no run left chance" not in untrained(changed)
    assert untrained(replace(results, runs=runs.assign(status="complete"))) == ""
    assert "no run left chance, and all are shown: FCN 32" in untrained(
        replace(results, runs=runs.assign(status="not trained"))
    )
    none = replace(results, runs=runs.assign(status="not trained"))
    assert len(decomposition.decomposition_table(none)) == len(table) * 18


def test_p_values_of_a_configuration_are_the_largest_over_its_seeds():
    configuration = {"model": "fcn", "width": 8, "depth": 3, "dataset": "digits", "loss": "nll", "status": "complete"}
    runs = pd.DataFrame([configuration | {"run": f"r{seed}"} for seed in range(3)])
    values = {
        ("tail excess", 0): (0.1, 0.2, 0.6),
        ("tail excess (p)", 0): (0.02, 0.5, 0.01),
        ("tail excess (p)", 9): (0.04, 0.01, 0.03),
        ("sd of ln norm (p)", 0): (0.01, 0.02, 0.7),
        ("sd of ln norm (p)", 9): (0.3, 0.2, 0.1),
    }
    rows = [
        store.to_frame([{"iteration": at, "split": "train", "quantity": name, "value": by_seed[seed]}], f"r{seed}")
        for (name, at), by_seed in values.items()
        for seed in range(3)
    ]
    table = decomposition.decomposition_table(store.Results(pd.concat(rows), runs)).droplevel(0)
    assert table["tail excess, p"].to_dict() == {"before training": 0.5, "after training": 0.04}
    assert table["norms, p"].to_dict() == {"before training": 0.7, "after training": 0.3}
    assert table.loc["before training", "tail excess"] == pytest.approx(0.3)


@pytest.mark.slow
def test_tables_of_the_decomposition_have_spread_and_p_values():
    results = runner.load("decomposition", "laptop")
    rows = results.table().query(
        "scope == 'all' and split == 'train' and iteration == 4000 and dataset == 'mnist' and loss == 'hinge' "
        "and width == 32 and depth == 6"
    )
    values = {name: group["value"] for name, group in rows.groupby("quantity")}
    table = decomposition.decomposition_table(results).loc["FCN 32 × 6, MNIST, hinge", "after training"]
    assert table["tail excess, sd"] == pytest.approx(values["tail excess"].std())
    assert table["kurtosis, random, p"] == values["kurtosis (random projections) (p)"].max()
    assert table["not normal, units"] == pytest.approx(values["not normal (units)"].mean())
    assert table["corrected"] == pytest.approx(1 / values["1/alpha (corrected)"].mean())
    assert table["gap"] == pytest.approx(values["decomposition: e_0"].mean())
    assert table["correlation / gap"] == pytest.approx(values["decomposition: correlation"].mean() / table["gap"])


@pytest.mark.slow
def test_parts_of_a_kind_are_means_over_its_configurations():
    results = runner.load("decomposition", "laptop")
    lines = decomposition.decomposition_table(results)
    table = decomposition.kind_table(results)
    assert len(table) == 12
    assert list(table.index[:3]) == [
        ("FCN, MNIST, cross-entropy", "before training"),
        ("FCN, MNIST, cross-entropy", "after training"),
        ("FCN, MNIST, hinge", "before training"),
    ]
    sizes = [f"FCN {size}, MNIST, hinge" for size in ("32 × 3", "32 × 6", "256 × 3", "256 × 6")]
    hinge = lines.xs("after training", level="when").loc[sizes]
    row = table.loc["FCN, MNIST, hinge", "after training"]
    assert row["scales"] == pytest.approx(hinge["scales"].mean())
    assert row["correlation / gap"] == pytest.approx((hinge["correlation"] / hinge["gap"]).mean())
    assert row["fit"] == "3 of 4"
    np.testing.assert_allclose(table[list(PARTS)].sum(axis=1), table["gap"], atol=1e-9)


@pytest.mark.slow
def test_the_numbers_of_the_page_on_the_decomposition():
    results = runner.load("decomposition", "laptop")
    numbers, lines = decomposition.numbers(results), decomposition.decomposition_table(results)
    fraction = lines["correlation"] / lines["gap"]
    before, after = (fraction.xs(when, level="when") for when in ("before training", "after training"))
    dense = fraction[[name.startswith("FCN") and "CIFAR-10" in name for name, _ in fraction.index]]
    assert numbers["configurations"] == len(before) == 18
    assert numbers["dependence_share_before"] == pytest.approx(before.mean())
    assert numbers["dependence_share_after"] == pytest.approx(after.mean())
    assert numbers["dependence_share_least"] == min(before.min(), after.min())
    assert numbers["dependence_share_cifar"] == dense.min()
    assert numbers["tails_before"] == lines["tails"].iloc[::2].max()
    tails = lines["tails"] / lines["gap"]
    assert numbers["tails_cifar"] == tails[fraction.index.isin(dense.index)].max()
    sizes = ("32 × 3", "32 × 6", "256 × 3", "256 × 6")
    fitted = tails[[(f"FCN {size}, MNIST, cross-entropy", "after training") for size in sizes]]
    assert (numbers["tails_fitted_low"], numbers["tails_fitted_high"]) == (fitted.min(), fitted.max())
    without = replace(results, runs=results.runs[results.runs["dataset"] == "cifar10"])
    rows = without.rows[without.rows["run"].isin(without.runs["run"])]
    assert np.isnan(decomposition.numbers(replace(without, rows=rows))["tails_fitted_low"])


@pytest.mark.slow
def test_parts_along_training_are_means_over_seeds():
    results = runner.load("iterations_decomposition", "laptop")
    axes = decomposition.parts_along_training(results).axes[0]
    assert axes.get_title() == "FCN, MNIST, cross-entropy"
    rows = results.table().query("scope == 'all' and split == 'train' and dataset == 'mnist'")
    for label, name in (("gap", "e_0"), ("correlation", "correlation"), ("tails", "tails")):
        means = rows[rows["quantity"] == f"decomposition: {name}"].groupby("iteration")["value"].mean()
        np.testing.assert_allclose(points_of(axes, label), means.reset_index().to_numpy())


@pytest.mark.slow
def test_scaling_exponents_are_slopes_of_the_stored_scales():
    results = runner.load("batch_scaling", "laptop")
    rows = results.table().query(
        "scope == 'all' and quantity == 'log-scale' and iteration == 4000 and dataset == 'mnist' and loss == 'nll' "
        "and width == 256 and depth == 3"
    )
    scales = rows.pivot(index="x", columns="run", values="value")
    slopes = (scales.loc[200] - scales.loc[100]) / np.log(2)
    table = batch_size.exponent_table(results).loc["FCN 256 × 3, MNIST, cross-entropy"]
    assert table.loc["after training", ("100", "exponent")] == pytest.approx(-slopes.mean())
    assert table.loc["after training", ("100", "sd")] == pytest.approx(slopes.std())
    scales = results.table().query(
        "scope == 'all' and quantity == 'log-scale' and iteration == 4000 and dataset == 'mnist' and loss == 'nll'"
    )
    scales = scales.pivot(index="x", columns="run", values="value")
    slopes = (scales.loc[200] - scales.loc[100]) / np.log(2)
    x, y = lines_of(batch_size.batch_scaling(results).axes[0])["MNIST, after training"].T
    np.testing.assert_allclose(x, np.sqrt(scales.index[:-1] * scales.index[1:]))
    assert y[np.argmin(np.abs(x - np.sqrt(100 * 200)))] == pytest.approx(-slopes.mean())


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["decomposition", "batch_scaling", "metastability", "metastability_limit"])
def test_nothing_is_drawn_on_the_edge_of_a_figure(experiment, tmp_path):
    figures.SHOWN[experiment][0](runner.load(experiment, "laptop")).savefig(tmp_path / "figure.png")
    pixels = plt.imread(tmp_path / "figure.png")[..., :3]
    assert pixels.min() < 0.1
    for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
        assert edge.min() > 0.9


def points_of(axes, label):
    return next(c for c in axes.containers if c.get_label() == label).lines[0].get_xydata()


@pytest.mark.slow
def test_exit_times_are_drawn_as_stored_beside_their_theory():
    results = runner.load("metastability", "laptop")
    panels = exits.exit_times(results).axes
    table = results.table()
    for panel, vary in zip(panels, ("half_width", "eps", "height"), strict=False):
        stored = table[(table["vary"] == vary) & (table["alpha"] == 1.8)].sort_values(vary)
        expected = stored[stored["quantity"] == "exit time"][[vary, "value"]].to_numpy()
        np.testing.assert_allclose(points_of(panel, "α = 1.8"), expected)
        limit = stored[stored["quantity"] == "exit time, limit"]["value"].to_numpy()
        lines = [line.get_ydata() for line in panel.get_lines()]
        assert any(len(line) == 5 and np.allclose(line, limit) for line in lines)
    for vary, label in (("eps", "ε varies (H = 1)"), ("height", "H varies (D = 0.2)")):
        stored = table[(table["vary"] == vary) & (table["alpha"] == 2)].sort_values("value")
        times = stored[stored["quantity"] == "exit time"]
        barrier = times["height"] / times["eps"] ** 2
        np.testing.assert_allclose(points_of(panels[3], label), np.stack([barrier, times["value"]], 1))
        for quantity in ("exit time, exact", "exit time, limit"):
            law = stored[stored["quantity"] == quantity]["value"]
            lines = [line.get_ydata() for line in panels[3].get_lines() if len(line.get_ydata()) == 40]
            assert any(line[[0, -1]] == pytest.approx([law.min(), law.max()]) for line in lines)


def test_exit_times_are_drawn_over_their_theory_at_each_time_step():
    results = runner.load("metastability", "laptop")
    runs = theory.exit_runs(results).query("vary == 'dt'").sort_values("dt")
    brownian, levy = exits.time_step(results).axes
    stored = runs[(runs["alpha"] == 2) & (runs["edge"] == 1) & runs["shifted"].astype(bool)]
    drawn = points_of(brownian, "on it, edge shifted")
    np.testing.assert_allclose(drawn[:, 1], stored["exit time"] / stored["exit time, exact"])
    for edge, label in ((1, "on the maximum"), (1.5, "past the maximum")):
        stored = runs[(runs["alpha"] == 1.5) & (runs["edge"] == edge)]
        drawn = points_of(levy, f"α = 1.5, {label}")
        np.testing.assert_allclose(drawn, np.stack([stored["dt"], stored["exit time"] / stored["exit time, limit"]], 1))


def test_shares_of_time_are_tabled_and_drawn_beside_their_theory():
    results = runner.load("metastability", "laptop")
    table = exits.occupation_table(results)
    np.testing.assert_allclose(table["share"].groupby("noise").sum(), 1)
    np.testing.assert_allclose(table["theory"].groupby("noise").sum(), 1)
    assert (table["share"] - table["theory"]).abs().max() < 0.01
    assert table.loc[("α = 1.5", "well 2"), ["half-width", "depth"]].tolist() == [1.2, 0.6]
    levy, brownian = (table.loc[noise] for noise in ("α = 1.5", "Brownian"))
    assert levy["share"].idxmin() == brownian["share"].idxmax() == "well 3"
    panels = exits.occupation(results).axes
    assert [panel.get_title() for panel in panels] == ["α = 1.2", "α = 1.5", "α = 1.8", "Brownian"]
    order = ["well 3", "well 4", "well 1", "well 2"]  # by width
    assert [bar.get_height() for bar in panels[3].patches] == brownian["share"][order].tolist()
    np.testing.assert_array_equal(lines_of(panels[1])["theory"][:, 1], levy["theory"][order])


@pytest.mark.slow
def test_the_committed_verdict_on_exits_is_what_the_page_says():
    results = runner.load("metastability", "laptop")
    checks = theory.checks(results)
    assert len(checks) == 122
    [failed] = checks[checks["off"].abs() > 0.05].itertuples()  # the move from well 2 to 3, without extrapolation
    assert (failed.alpha, failed.kind, round(failed.off, 3)) == (1.8, "move rates", 0.060)
    assert claims.c9(results, runner.load("metastability_limit", "laptop")).recurs == "holds"


def test_slopes_are_tabled_with_their_intervals():
    results = runner.load("metastability", "laptop")
    slopes = theory.exit_slopes(results).query("alpha == 1.8 and series == 'eps'").iloc[0]
    row = exits.slope_table(results).loc[("α = 1.8", "ε", "ln ε")]
    assert row["slope"] == slopes["slope"]
    assert [row["low"], row["high"]] == pytest.approx(
        [slopes["slope"] - 1.96 * slopes["se"], 2 * row["slope"] - row["low"]]
    )
    assert not exits.slope_table(results).loc[("Brownian", "H", "H / D"), "judged"]


def test_moves_are_drawn_over_their_theory():
    results = runner.load("metastability", "laptop")
    panel = exits.move_rates(results).axes[0]
    ratios = theory.rate_ratios(results).query("alpha == 1.8 and kind == 'move'").reset_index()
    names = [label.get_text() for label in panel.get_xticklabels()]
    drawn = points_of(panel, "α = 1.8")
    np.testing.assert_allclose(drawn[:, 1], ratios["ratio"])
    place = ratios.index[ratios["what"] == "well 2 to 3"][0]
    assert names[round(drawn[place, 0])] == "2→3"


@pytest.mark.slow
@pytest.mark.parametrize("draw", [exits.exit_times, exits.move_rates, exits.occupation, exits.time_step])
def test_figures_of_exits_are_labelled(draw):
    figure = draw(runner.load("metastability", "laptop"))
    assert all(axes.get_xlabel() for axes in figure.axes)
    assert figure.axes[0].get_ylabel()


def test_the_rate_that_failed_comes_down_with_the_noise():
    results = runner.load("metastability_limit", "laptop")
    rates = exits.rates_by_noise(results)
    failed = rates.loc[("well 2", 3.0)].xs(0.02, level="dt")
    assert list(failed.index) == [0.06, 0.085, 0.12, 0.2]
    assert failed["value"].is_monotonic_increasing
    rows = results.table().query("scope == 'well 2' and x == 3 and eps == 0.12 and dt == 0.02").set_index("quantity")
    assert failed.loc[0.12, "value"] == pytest.approx(rows.loc["rate", "value"] / rows.loc["rate, limit", "value"])
    assert failed.loc[0.12, "se"] == pytest.approx(rows.loc["rate", "se"] / rows.loc["rate, limit", "value"])
    panel = exits.toward_the_limit(results).axes[0]
    np.testing.assert_allclose(points_of(panel, "2→3")[:, 1], failed["value"])
    hollow = [c.lines[0] for c in panel.containers if c.lines[0].get_markerfacecolor() == "white"]
    halved = rates.xs((0.12, 0.01), level=["eps", "dt"])["value"]
    assert [line.get_ydata().item() for line in hollow][2] == halved.loc[("well 2", 3.0)]


@pytest.mark.slow
def test_the_landscape_is_drawn_with_its_wells_and_paths():
    left, levy, brownian = exits.landscape_and_paths(runner.load("metastability", "laptop")).axes
    value, w = left.get_lines()[0].get_xydata().T
    assert w[np.argmin(value)] == pytest.approx(3.1, abs=0.02)
    assert {text.get_text(): text.xy[1] for text in left.texts} == {"1": -1.0, "2": 1.2, "3": 3.1, "4": 4.7}
    steps = [np.abs(np.diff(panel.get_lines()[0].get_ydata())) for panel in (levy, brownian)]
    assert steps[0].max() > 1 > steps[1].max()  # the former jumps


def test_the_schematic_objective_has_a_deep_narrow_and_a_shallow_wide_well():
    [axes] = exits.schematic().axes
    w, value = axes.get_lines()[0].get_xydata().T
    lowest = [i for i in range(1, len(w) - 1) if value[i] < min(value[i - 1], value[i + 1])]
    arrows = [(text.xy, text.xyann) for text in axes.texts if text.arrow_patch]
    widths = [start[0] - end[0] for end, start in arrows[::2]]
    depths = [start[1] - end[1] for end, start in arrows[1::2]]
    assert [-value[i] for i in lowest] == pytest.approx(depths, abs=1e-3)
    assert list(w[lowest]) == pytest.approx(widths, abs=0.02)
    assert abs(widths[0]) < abs(widths[1])
    assert depths[0] > depths[1]
    words = [text.get_text() for text in axes.texts if "\n" in text.get_text()]
    assert words == ["narrow and deep:\nBrownian noise stays", "wide and shallow:\nLévy noise stays"]


def test_stable_laws_are_drawn_with_their_tails_and_jumps():
    centre, tail, *paths = laws.densities_and_paths().axes
    names = ["α = 1.2", "α = 1.5", "α = 1.8", "Brownian"]
    assert [panel.get_title() for panel in paths] == [text.get_text() for text in tail.texts] == names
    for alpha, law, end, panel in zip((1.2, 1.5, 1.8, 2.0), centre.get_lines(), tail.get_lines(), paths, strict=True):
        for line in (law, end):
            np.testing.assert_allclose(line.get_ydata(), stable.pdf(line.get_xdata(), alpha))
        path, *jumps = panel.get_lines()
        assert len({line.get_color() for line in (law, end, path)}) == 1
        assert len(jumps) == (3 if alpha < 2 else 0)
        steps = np.sort(np.abs(np.diff(path.get_ydata())))[-3:]
        assert [abs(np.diff(jump.get_ydata())).item() for jump in jumps] in ([], pytest.approx(steps))
        assert panel.get_ylim()[0] <= path.get_ydata().min()
    x, y = np.log(tail.get_lines()[0].get_xydata()[-2:]).T
    assert np.diff(y) / np.diff(x) == pytest.approx(-2.2, abs=0.05)


@pytest.mark.slow
def test_legends_lie_outside_the_panels():
    names = ("decomposition", "iterations_decomposition", "batch_scaling")
    results = {name: runner.load(name, "laptop") for name in names}
    drawn = [
        decomposition.parts_along_training(results["iterations_decomposition"]),
        *(
            draw(results["decomposition"])
            for draw in (decomposition.waterfall, per_coordinate.against_accuracy, per_coordinate.layers)
        ),
        batch_size.batch_scaling(results["batch_scaling"]),
    ]
    for figure in drawn:
        figure.draw_without_rendering()  # a closed figure's canvas draws nothing, and lays nothing out
        legends = [*figure.legends, *filter(None, (axes.get_legend() for axes in figure.axes))]
        assert legends
        boxes = [axes.patch.get_window_extent() for axes in figure.axes]
        assert not any(legend.get_window_extent().overlaps(box) for legend in legends for box in boxes)


def test_figure_1_beside_ours(monkeypatch):
    spreads = {"count": 350_000.0, "noise_spread": 0.5, "twin_spread": 0.51, "drawn_spread": 0.5}
    monkeypatch.setattr(norms, "pool_numbers", lambda results: spreads)
    table = norms.beside_figure1(store.Results(pd.DataFrame(), pd.DataFrame()))
    assert table["agrees"].tolist() == ["yes", "", "", "no"]
    assert table["paper"].tolist() == ["320,000", "–", "–", "0.44"]


def test_the_largest_deviation_from_the_theory(monkeypatch):
    off = [(1.5, "exit rates", -0.06), (1.8, "exit rates", 0.02), (2.0, "exit rates", 0.04), (2.0, "exit rates", 0.01)]
    monkeypatch.setattr(exits, "checks", lambda results: pd.DataFrame(off, columns=["alpha", "kind", "off"]))
    table = exits.beside_theory(store.Results(pd.DataFrame(), pd.DataFrame()))
    assert table["ours"].to_dict() == {"Brownian noise: exit rates": "0.040", "Lévy noise: exit rates": "-0.060"}
    assert table["agrees"].tolist() == ["yes", "no"]
