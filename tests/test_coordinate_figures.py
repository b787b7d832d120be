"""tau against the fit, layer by layer, and the index of a coordinate, as stored."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from tailnoise_utils import diagnosis, stable
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import per_coordinate
from tailnoise_utils.study.figures.per_coordinate import RULER
from tailnoise_utils.study.results.store import Results
from tailnoise_utils.study.style import LOOK

pytestmark = pytest.mark.slow
mpl.use("agg")

FITTED = "FCN 256 × 6, MNIST, cross-entropy"


@pytest.fixture(scope="module")
def results():
    yield runner.load("decomposition", "laptop")
    plt.close("all")


def rows_of(results, width, depth, dataset, loss, quantity):
    """The rows of one configuration of fully connected networks and one quantity."""
    table = results.table()
    table = table[(table["model"] == "fcn") & (table["width"] == width) & (table["depth"] == depth)]
    table = table[(table["dataset"] == dataset) & (table["loss"] == loss) & (table["split"] == "train")]
    return table[table["quantity"] == quantity]


def mean_of(results, iteration, *configuration, scope="all"):
    rows = rows_of(results, *configuration)
    return rows[(rows["iteration"] == iteration) & (rows["scope"] == scope)]["value"].mean()


@pytest.mark.parametrize(("tau", "index"), RULER.items())
def test_the_ruler_is_that_of_independent_stable_entries(tau, index):
    U = stable.sample(index, (120, 20_000), generator=torch.Generator().manual_seed(0))
    assert float(diagnosis.tail_excess(U - U.mean(0)).mean()) == pytest.approx(tau, rel=0.02)


def test_a_mark_is_the_mean_of_a_configuration(results):
    axes = per_coordinate.against_accuracy(results).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    counts = {"MNIST, before training": 8, "CIFAR-10, before training": 10, "MNIST, after training": 8}
    counts |= {"CIFAR-10, after training": 10}
    assert {label: len(line.get_xdata()) for label, line in lines.items() if "training" in label[5:]} == counts | {
        "during training": 18 * 4
    }
    for label, iteration, mark, fill in (
        ("MNIST, before training", 0, "o", "white"),
        ("MNIST, after training", 4000, "o", LOOK["per coordinate"]["color"]),
    ):
        place = [mean_of(results, iteration, 256, 6, "mnist", "nll", name) for name in ("accuracy", "tail excess")]
        assert np.isclose(lines[label].get_xydata().astype(float), place).all(axis=1).any()
        assert (lines[label].get_marker(), lines[label].get_markerfacecolor()) == (mark, fill)
    assert lines["CIFAR-10, after training"].get_marker() == "s"
    assert [text.get_text() for text in axes.texts] == [
        "FCN 256 × 6, cross-entropy",
        "FCN 32 × 6, hinge",
        "CNN, cross-entropy",
        "CNN, hinge",
    ]
    for text, (width, loss) in zip(axes.texts, ((256, "nll"), (32, "hinge")), strict=False):
        at = [mean_of(results, 4000, width, 6, "mnist", loss, name) for name in ("accuracy", "tail excess")]
        assert list(text.xy) == pytest.approx(at)


def test_the_band_covers_the_twins_of_every_configuration(results):
    [band] = per_coordinate.against_accuracy(results).axes[0].patches
    table = results.table().query("quantity == 'tail excess (twin)' and scope == 'all'")
    table = table[table["iteration"].isin([0]) | (table["iteration"] == table["iterations"])]
    table = table[(table["iteration"] == 0) | (table["status"] == "complete") | (table["loss"] == "hinge")]
    means = table.groupby(["model", "dataset", "loss", "width", "depth", "iteration"])[["value", "se"]].mean()
    assert band.get_y() == pytest.approx((means["value"] - 1.96 * means["se"]).min())
    assert band.get_y() + band.get_height() == pytest.approx((means["value"] + 1.96 * means["se"]).max())


def test_the_second_axis_is_the_ruler(results):
    [ruler] = per_coordinate.against_accuracy(results).axes[0].child_axes
    labels = [label.get_text() for label in ruler.get_yticklabels()]
    assert dict(zip(labels[1:], ruler.get_yticks()[1:], strict=True)) == {str(n): tau for tau, n in RULER.items()}
    assert (labels[0], ruler.get_yticks()[0]) == ("2", 0)


def test_layers_are_means_over_seeds_from_the_pixels_on(results):
    table = per_coordinate.layer_table(results)
    assert [len(rows) for _, rows in table.groupby("when")] == [18, 18]
    for iteration, when in ((0, "before training"), (4000, "after training")):
        for layer in (1, 2, 6):
            expected = mean_of(results, iteration, 256, 6, "mnist", "nll", "tail excess", scope=f"linear{layer}")
            assert table.loc[(FITTED, when), layer] == pytest.approx(expected)
    assert table.loc[("FCN 32 × 3, MNIST, hinge", "before training")].notna().sum() == 3
    convolutional = results.table().query("model == 'cnn' and loss == 'hinge' and quantity == 'tail excess'")
    start = convolutional[convolutional["iteration"] == 0].groupby("scope")["value"].mean()
    row = table.loc[("CNN 16, CIFAR-10, hinge", "before training")]
    assert row[[1, 5, 6, 8]].tolist() == pytest.approx(start[["conv1", "conv5", "linear1", "linear3"]].tolist())


def test_layers_are_drawn_in_the_shades_of_the_ruler(results):
    figure = per_coordinate.layers(results)
    table = per_coordinate.layer_table(results)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert [axes.get_title() for axes in figure.axes] == ["before training", "after training"]
    assert figure.axes[0].yaxis_inverted()  # the first configuration on top
    for axes in figure.axes:
        [mesh] = axes.collections
        drawn = mesh.get_array()
        expected = table.xs(axes.get_title(), level="when").loc[names]
        np.testing.assert_array_equal(drawn.filled(np.nan), expected)
        shades = mesh.cmap(mesh.norm(drawn))
        for low, high in zip([-1, *RULER], [*RULER, 9], strict=True):
            chosen = (expected >= low) & (expected < high)
            assert len(np.unique(shades[chosen.to_numpy()], axis=0)) <= 1
        assert len(np.unique(shades[expected.notna().to_numpy()], axis=0)) == len(
            np.unique(np.digitize(expected.to_numpy()[expected.notna().to_numpy()], list(RULER)))
        )
    [fit] = figure.axes[1].child_axes
    accuracy = mean_of(results, 4000, 256, 6, "mnist", "hinge", "accuracy")
    assert fit.get_yticklabels()[names.index("FCN 256 × 6, MNIST, hinge")].get_text() == f"{accuracy:.2f}"


def test_the_index_of_a_kind_is_its_range_over_configurations(results):
    table = per_coordinate.index_table(results)
    row = table.loc["FCN, MNIST, cross-entropy", "after training"]
    assert row[["fit", "heavier than Gaussian"]].tolist() == ["4 of 4", "4 of 4"]
    assert table.loc[("FCN, MNIST, hinge", "before training"), "heavier than Gaussian"] == "1 of 4"
    for K1 in (3, 30):
        indices = []
        for width in (32, 256):
            for depth in (3, 6):
                rows = rows_of(results, width, depth, "mnist", "nll", "1/alpha (per coordinate)")
                rows = rows[(rows["scope"] == "all") & (rows["iteration"] == 4000) & (rows["x"] == K1)]
                indices.append(1 / rows["value"].mean())
        assert row[f"index at K1 = {K1}"] == f"{min(indices):.2f} to {max(indices):.2f}"
    assert " to " not in table.loc[("CNN, CIFAR-10, hinge", "after training"), "tail excess"]


def test_the_numbers_of_the_page(results):
    numbers = per_coordinate.numbers(results)
    fitted = [(32, 3, "nll"), (32, 3, "hinge"), (32, 6, "nll"), (256, 3, "nll"), (256, 3, "hinge"), (256, 6, "nll")]
    fitted.append((256, 6, "hinge"))
    tau = [mean_of(results, 4000, width, depth, "mnist", loss, "tail excess") for width, depth, loss in fitted]
    assert (numbers["tau_fitted_low"], numbers["tau_fitted_high"]) == pytest.approx((min(tau), max(tau)))
    assert numbers["exception"] == "FCN 32 × 6, MNIST, hinge"
    assert numbers["accuracy_exception"] == pytest.approx(mean_of(results, 4000, 32, 6, "mnist", "hinge", "accuracy"))
    sizes = [(width, depth, loss) for width in (32, 256) for depth in (3, 6) for loss in ("nll", "hinge")]
    for name, key in (("tail excess", "tau_fcn_cifar_high"), ("accuracy", "accuracy_fcn_cifar_high")):
        values = [mean_of(results, 4000, width, depth, "cifar10", loss, name) for width, depth, loss in sizes]
        assert numbers[key] == pytest.approx(max(values))
    layers = per_coordinate.layer_table(results)
    dense = layers[[name.startswith("FCN") for name, _ in layers.index]]
    assert numbers["first_before"] == dense.xs("before training", level="when")[1].max()
    assert numbers["behind_before"] == dense.xs("before training", level="when").drop(columns=1).max(axis=None)
    least = dense.xs("after training", level="when").idxmin(axis=1) == 1
    assert (numbers["first_is_least"], numbers["dense"]) == (least.sum(), 16)
    rows = results.table().query("scope == 'all' and model == 'fcn' and 0 < iteration < iterations")
    means = rows.groupby(["dataset", "loss", "width", "depth", "iteration", "quantity"])["value"].mean().unstack()
    assert numbers["tau_on_the_way"] == pytest.approx(means[means["accuracy"] < 0.95]["tail excess"].max())
    rows = results.table().query("scope == 'all' and iteration == iterations")
    rows = rows[(rows["status"] == "complete") | ((rows["model"] == "cnn") & (rows["loss"] == "hinge"))]
    keys = ["model", "dataset", "loss", "width", "depth", "quantity", "x"]
    largest = rows.fillna({"x": 0}).groupby(keys)["value"].max()
    for key, quantity, x in (
        ("below_3", "1/alpha (per coordinate) (p)", 3),
        ("below_30", "1/alpha (per coordinate) (p)", 30),
        ("norms", "sd of ln norm (p)", 0),
    ):
        assert numbers[key] == (largest.xs((quantity, x), level=("quantity", "x")) <= 0.01).sum()


def test_numbers_of_networks_that_are_not_there_are_nan(results):
    runs = results.runs[results.runs["dataset"] == "mnist"]
    numbers = per_coordinate.numbers(Results(results.rows[results.rows["run"].isin(runs["run"])], runs))
    assert np.isnan(numbers["tau_fcn_cifar_high"])
    assert np.isnan(numbers["tau_cnn_low"])
    assert numbers["configurations"] == 8
