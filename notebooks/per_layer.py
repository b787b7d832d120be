# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which layers carry what
#
# **The question.** The joint $\hat\alpha$ is one number for all layers. Are they alike?
#
# The runs are those of [](decomposition.ipynb), taken layer by layer: the parts of $1/\hat\alpha - 1/2$ of a layer, and tau beside mean and
# 1.96 standard deviations of its Gaussian twins. The block length of a layer is the root of the number of *its* entries that were looked
# at (of large layers a contiguous piece), so that bars of different layers are at different block lengths. The biases of the convolutional
# network belong to their layers.
#
# **The short answer.** No. In fully connected networks the layer next to the pixels is the nearest to Gaussian (before training tau, zero for
# Gaussian noise, is at most {glue:text}`first_before:.3f` there and up to {glue:text}`deeper_before:.2f` behind it), and at depth 6 the layers from the third on
# are heavier, much of it before training. Whole networks are mostly their first layer, so that one number for all hides this.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["remove-cell"]
import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import decomposition
from tailnoise_utils.study.results.reading import provenance_line, untrained, with_configurations

# %% tags=["hide-input"]
results = runner.load("decomposition", profile)
seeds = ", ".join(map(str, sorted(set(results.runs["seed"]))))
caption = f"*Profile `{profile}`, seeds {seeds}; means over the seeds. Axes differ between figures.*"
configurations = list(with_configurations(results)["configuration"].cat.categories)
fcns = [name for name in configurations if name.startswith("FCN")]
cnns = [name for name in configurations if name.startswith("CNN")]
Markdown(
    f"Profile `{profile}`: {len(configurations)} configurations, of which three are drawn here; {provenance_line(results)}."
    + untrained(results)
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "For each layer of a fully connected network the parts of one over alpha-hat minus one half, before and after training, and tau beside its Gaussian band."}}
wide = [name for name in fcns if "256 × 6, MNIST, cross" in name] or fcns
decomposition.layers(results, wide[0])

# %% tags=["remove-input"]
Markdown(f"{wide[0]}. {caption}{untrained(results, wide[0])}")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for a fully connected network on another data set."}}
other = [name for name in fcns if "256 × 6, CIFAR-10, cross" in name] or fcns
decomposition.layers(results, other[0])

# %% tags=["remove-input"]
Markdown(f"{other[0]}. {caption}{untrained(results, other[0])}")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for the convolutional network, where there is one in this profile."}}
last = (cnns or fcns)[0]
decomposition.layers(results, last)

# %% tags=["remove-input"]
Markdown(f"{last}. {caption}{untrained(results, last)}")

# %% [markdown]
# *Scales* are negative where the coordinates with the heaviest tails are small: for *tails* all are brought to one size, in the noise as it is
# they hardly count (see [](decomposition.ipynb)).
#
# ## tau of every layer
#
# Means over the seeds; in brackets the largest p-value over the seeds (the smallest that 99 twins can give is 0.01). `linear1` is next
# to the pixels in fully connected networks, `conv1` in the convolutional one.

# %% tags=["hide-input"]
dense = decomposition.layer_table(results, "fcn")
layers = [name for name in dense if "," not in name]
decomposition.with_spread(dense.drop(columns=[f"{name}, sd" for name in layers]), *layers)

# %% tags=["hide-input"]
if cnns:
    convolutional = decomposition.layer_table(results, "cnn")
    of_cnn = [name for name in convolutional if "," not in name]
    display(decomposition.with_spread(convolutional.drop(columns=[f"{name}, sd" for name in of_cnn]), *of_cnn).T)


# %% tags=["remove-cell"]
def rows_of(words: str, when: str) -> pd.DataFrame:
    """Rows of the configurations whose name holds the words; all, where there are none, as of small data."""
    rows = dense.xs(f"{when} training", level="when")
    chosen = rows[rows.index.astype(str).str.contains(words)]
    return chosen if len(chosen) else rows


later = layers[2:] or layers[1:]
for when in ("before", "after"):
    p_values = rows_of("× 6", when)[[f"{layer}, p" for layer in later]]
    glue(f"later_{when}_found", int((p_values <= 0.01).sum(axis=None)), display=False)
    if when == "after":
        glue("later_all", int(p_values.notna().sum(axis=None)), display=False)
    for key, words in (("mnist", "× 6, MNIST"), ("cross", "× 6, CIFAR-10, cross"), ("hinge", "× 6, CIFAR-10, hinge")):
        values = rows_of(words, when)[later]
        glue(f"{key}_{when}_low", float(values.min(axis=None)), display=False)
        glue(f"{key}_{when}_high", float(values.max(axis=None)), display=False)

# %% tags=["remove-cell"]
for when in ("before", "after"):
    for key, words, place in (("wide", "256 × 6, CIFAR-10, cross", 3), ("narrow", "FCN 32 × 6, CIFAR-10, cross", 4)):
        glue(f"{key}_{when}", float(rows_of(words, when)[layers[: place + 1][-1]].iloc[0]), display=False)
    glue(f"shallow_{when}", float(rows_of("× 3, CIFAR-10", when)[layers[1:]].max(axis=None)), display=False)
glue("shallow_p", float(rows_of("× 3, CIFAR-10, cross", "after")[f"{layers[1]}, p"].max()), display=False)
start, after = rows_of("FCN", "before"), rows_of("FCN", "after")
glue("first_before", float(start["linear1"].max()), display=False)
glue("deeper_before", float(start[layers[1:]].max(axis=None)), display=False)
glue("first_cifar", float(rows_of("CIFAR-10", "after")["linear1"].max()), display=False)
glue("first_is_least", int((after["linear1"] <= after[layers[1:]].min(axis=1)).sum()), display=False)
glue("configurations", len(after), display=False)

# %% tags=["remove-cell"]
front = decomposition.layer_table(results, "cnn" if cnns else "fcn").xs("before training", level="when")
glue("conv_front", float(front.iloc[:, :2].max(axis=None)), display=False)

# %% tags=["remove-cell"]
parts = decomposition.layer_table(results, "fcn", "decomposition: correlation").xs("before training", level="when")[
    layers
]
glue("dependence_low", float(parts.min(axis=None)), display=False)
glue("dependence_high", float(parts.max(axis=None)), display=False)
start = decomposition.layer_table(results, "cnn" if cnns else "fcn", "decomposition: correlation").xs(
    "before training", level="when"
)
glue("dependence_cnn", float(start["linear1"].max()), display=False)
glue("dependence_conv", float(start.filter(regex=r"^(conv|linear[23])\d?$").min(axis=None)), display=False)
scales = decomposition.layer_table(results, "fcn", "decomposition: scales").xs("before training", level="when")
scales = scales[scales.index.astype(str).str.contains("× 6")] if later != layers[1:] else scales
glue("scales_low", float(scales[layers[3:] or later].min(axis=None)), display=False)
glue("scales_high", float(scales[layers[3:] or later].max(axis=None)), display=False)

# %% [markdown]
# ## What we find, how sure
#
# * **The layers are not alike.** In fully connected networks the first layer, next to the pixels, is the nearest to Gaussian: before
#   training its tau is at most {glue:text}`first_before:.3f`, in the layers behind it up to {glue:text}`deeper_before:.2f`; after
#   training it is the least of all layers in {glue:text}`first_is_least` of {glue:text}`configurations` configurations.
# * **In the networks of depth 6 the layers from the third on are heavier, and much of that is there before training.** tau is then beyond all
#   99 twins, in every seed, in {glue:text}`later_before_found` of {glue:text}`later_all` cases (such a layer of such a configuration), and in
#   {glue:text}`later_after_found` after training. On MNIST it grows, from {glue:text}`mnist_before_low:.2f` to
#   {glue:text}`mnist_before_high:.2f` before training to {glue:text}`mnist_after_low:.2f` to {glue:text}`mnist_after_high:.2f` after it. On CIFAR-10 it
#   grows with the hinge loss (at most {glue:text}`hinge_before_high:.2f` before, {glue:text}`hinge_after_high:.2f` after); training with cross-entropy
#   *lowers* it in some layers, and raises it in others: it falls from {glue:text}`wide_before:.3f` to
#   {glue:text}`wide_after:.3f` in `linear4` of 256 × 6, from {glue:text}`narrow_before:.3f` to {glue:text}`narrow_after:.3f` in `linear5` of 32 × 6.
# * **In the networks of depth 3 on CIFAR-10 there is little of it**, before training and after it: tau of the layers behind the first is at
#   most {glue:text}`shallow_before:.3f` before and {glue:text}`shallow_after:.3f` after training. Small as it is, with
#   cross-entropy it is no chance after training: `linear2` has p = {glue:text}`shallow_p:.2f` at most over seeds and widths.
# * **In the convolutional network** `conv1` and `conv2` are near Gaussian before training (tau at most {glue:text}`conv_front:.2f`); all layers
#   behind them are heavier from the start.
# * **The parts differ too.** Before training *correlation* is {glue:text}`dependence_low:.2f` to {glue:text}`dependence_high:.2f` in the layers of fully
#   connected networks; in the convolutional one it is {glue:text}`dependence_conv:.2f` or more but in `linear1`, where it is
#   {glue:text}`dependence_cnn:.2f` at most. From the fourth layer on, at depth 6, *scales* add {glue:text}`scales_low:.2f` to
#   {glue:text}`scales_high:.2f` to it (why coordinates differ more in size there is not measured), and on MNIST with cross-entropy, after training,
#   *tails*.
# * A layer whose units are active for few images has coordinates that are zero for most samples: their sums over a minibatch are rare
#   events, heavier than Gaussian at $b = 500$ without any law of infinite variance. This is a way in which tau could come about; it is not measured here.
# * tau looks at each coordinate by itself, so that its differences between layers are not made by their sizes.
# * **How sure.** Three seeds, 256 coordinates of each layer, and the configurations of [](decomposition.ipynb); two depths, so that what depth does in between is
#   not known. Rises and falls differ in size between seeds. A layer of few entries has parts with large errors (they are stored with the results).
