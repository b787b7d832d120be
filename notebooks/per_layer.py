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
# **The question.** The pooled $\hat\alpha$ is one number for all layers. Are they alike?
#
# The runs are those of [](anatomy.ipynb), taken layer by layer: the parts of $1/\hat\alpha - 1/2$ of a layer at a block length
# of its own (the root of its number of entries), and T1 beside mean and 1.96 standard
# deviations of its Gaussian surrogates. The biases of the
# convolutional network belong to their layers.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils import plots, sweep

results = sweep.load("anatomy", profile)
seeds = ", ".join(map(str, sorted(set(results.runs["seed"]))))
caption = f"*Profile `{profile}`, means over the seeds: {plots.provenance_line(results)}.*" + plots.untrained(results)
settings = list(plots.with_settings(results)["setting"].cat.categories)
fcns = [name for name in settings if name.startswith("FCN")]
cnns = [name for name in settings if name.startswith("CNN")]
Markdown(f"Profile `{profile}`: {len(settings)} settings, seeds {seeds}; three of them are drawn here.")

# %% tags=["hide-input"] mystnb={"image": {"alt": "For each layer of a fully connected network the parts of one over alpha-hat minus one half, before and after training, and T1 beside its Gaussian band."}}
wide = [name for name in fcns if "256 × 6, MNIST, cross" in name] or fcns
plots.layers(results, wide[0])

# %% tags=["remove-input"]
Markdown(f"{wide[0]}. {caption}")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for a fully connected network on another data set."}}
other = [name for name in fcns if "256 × 6, CIFAR-10, cross" in name] or fcns
plots.layers(results, other[0])

# %% tags=["remove-input"]
Markdown(f"{other[0]}. {caption}")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same for the convolutional network, where there is one in this profile."}}
last = (cnns or fcns)[0]
plots.layers(results, last)

# %% tags=["remove-input"]
Markdown(f"{last}. {caption}")

# %% [markdown]
# ## T1 of every layer
#
# Means over the seeds; `linear1` is next to the pixels in fully connected networks, `conv1` in the convolutional one.

# %% tags=["hide-input"]
table = plots.layer_table(results)
table.style.format(precision=3, na_rep="")

# %% tags=["remove-cell"]
names = table.index.get_level_values("setting").astype(str)
dense = table[names.str.startswith("FCN")]
before, after = (dense.xs(when, level="when") for when in ("before training", "after training"))
cifar = after[after.index.astype(str).str.contains("CIFAR-10")]
cifar = cifar if len(cifar) else after  # small data has none
deeper = [name for name in dense.columns if name.startswith("linear") and name != "linear1"]
for name, rows in (("before", before), ("cifar", cifar), ("after", after)):
    glue(f"first_{name}", float(rows["linear1"].max()), display=False)
    glue(f"deeper_{name}", float(rows[deeper].max(axis=None)), display=False)
glue("first_is_least", int((after["linear1"] <= after[deeper].min(axis=1)).sum()), display=False)
glue("settings", len(after), display=False)

# %% [markdown]
# ## What we find, how sure
#
# * **The layers are not alike.** In fully connected networks the first layer, next to the pixels, is the nearest to Gaussian: before
#   training its T1 is at most {glue:text}`first_before:.3f`, in the layers behind it up to {glue:text}`deeper_before:.2f`; after
#   training it is the least of all layers in {glue:text}`first_is_least` of {glue:text}`settings` settings.
# * **The first layer is most of the network.** It holds most of the coordinates, so that what is said of the whole network
#   ([](anatomy.ipynb)) is mostly said of it. On CIFAR-10, where T1 of whole networks stays small after training, it is at most
#   {glue:text}`first_cifar:.3f` in the first layer and up to {glue:text}`deeper_cifar:.2f` behind it: the noise of *those* layers is heavier than Gaussian, though
#   the networks do not fit, and an average over all coordinates hides it.
# * **The parts differ as much.** *Dependence* is large in every layer; in the deeper ones *scales* are added to it, as units differ in
#   how often they are active, and on MNIST with cross-entropy, after training, tails.
# * A layer whose units are active for few images has coordinates that are zero for most samples: their sums over a minibatch are rare
#   events, heavier than Gaussian at $b = 500$ without any law of infinite variance. This is a way in which T1 could come about; it is not measured here.
# * T1 looks at each coordinate by itself, so that its differences between layers are not made by their sizes.
# * **How sure.** Three seeds, 256 coordinates of each layer, and the settings of [](anatomy.ipynb). A layer of few entries has parts with large errors (they are stored
#   with the results).
