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
# of its own (the root of its number of entries), and T1 beside the middle 95 % of its Gaussian surrogates. The biases of the
# convolutional network belong to their layers.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown

from tailnoise_utils import plots, sweep

results = sweep.load("anatomy", profile)
seeds = ", ".join(map(str, sorted(set(results.runs["seed"]))))
caption = f"*Profile `{profile}`, means over the seeds: {plots.provenance_line(results)}.*"
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
# ## What we find, how sure
#
# * The layers are not alike: the pooled number is an average over layers that differ in the parts and in T1.
# * T1 looks at each coordinate by itself, so that its differences between layers are not made by their sizes.
# * Three seeds, and the settings of [](anatomy.ipynb). A layer of few entries has parts with large errors (they are stored
#   with the results).
