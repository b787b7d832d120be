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
# # The scale of the noise falls with b as no stable law's does

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import batch_size
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.results.reading import untrained
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("batch_scaling", profile)
table = batch_size.exponent_table(results)
small, middle, large = table.columns.get_level_values(0).unique()
for when in ("before", "after"):
    exponents = table.xs(f"{when} training", level=1)
    for size, b in (("small", small), ("middle", middle), ("large", large)):
        glue(f"exponent_{when}_{size}_low", float(exponents[b, "exponent"].min()), display=False)
        glue(f"exponent_{when}_{size}_high", float(exponents[b, "exponent"].max()), display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** The scaling exponent of the noise rises with the minibatch size, in every configuration.
# One stable law would have one exponent.
#
# **Evidence.** After training it is {glue:text}`exponent_after_small_low:.2f` to {glue:text}`exponent_after_small_high:.2f` at $b = 10$ and {glue:text}`exponent_after_large_low:.2f` to {glue:text}`exponent_after_large_high:.2f` at $b = 1000$.
# A finite variance gives 1/2 in the end.
#
# **Limits.** Short trainings, three seeds; on CIFAR-10 fully connected networks do not fit.
# ```
#
# Let $L(b)$ be the mean of $\ln|g_{ij} - \nabla f_j|$ over coordinates and minibatches of $b$ images, corrected for drawing without replacement.
# Minus its slope in $\ln b$ is the *scaling exponent*.
# At large $b$ it is $1/2$ if single images have gradients of finite variance; for a stable law of index $\alpha$ it is $1 - 1/\alpha$ at every $b$.
# This asks nothing of the coordinates: neither independence nor equal scales.
#
# ## The exponent

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-exponent", "caption": "Scaling exponent between neighbouring sizes. Dashed: before training; solid: after it. Means over three seeds, bands: range. Dotted: 1/2; dash-dotted: a stable law of index 1.5."}, "image": {"alt": "The scaling exponent of each interval of minibatch sizes, a panel for each kind of network, data set and loss. Before training, dashed, it is near one half from moderate sizes on; after training, solid, it begins far lower, in fully connected networks below zero, and rises towards one half."}}
batch_size.batch_scaling(results)

# %% tags=["remove-input"]
origin(results, profile, table, "scaling_exponents")

# %% [markdown]
# Before training the exponent is {glue:text}`exponent_before_middle_low:.2f` to {glue:text}`exponent_before_middle_high:.2f` at $b = 100$: close to 1/2 at the paper's $b = 500$.
# After training it depends on the data set, or on whether the network fits.
# On MNIST it is about 0 or below at $b = 10$ and climbs over almost three decades.
# On CIFAR-10, which is not fitted, training lowers it less.
#
# Below 0, most images have a gradient of nearly zero in a coordinate.
# The typical entry of a small minibatch is then minus the full gradient, and hardly depends on $b$.
#
# ## The scale itself

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-log-scale", "caption": "The log-scale L(b) less its value at one image. Dashed: before training; solid: after it. The stable law's line is exact for finitely many images."}, "image": {"alt": "The log-scale of the noise against the minibatch size, less its value at one sample, beside the slope minus one half and a stable law of index 1.5. After training with cross-entropy the lines stay flat or rise at first and bend down only at large sizes."}}
batch_size.log_scales(results)

# %% tags=["remove-input"]
Markdown(untrained(results))

# %% [markdown]
# ## Limits
#
# * The exponent is that of whole networks; single layers can be heavier.
# * Ten minibatches remain at the largest sizes, and the last interval is uncertain by a few hundredths.
# * The correction for drawing without replacement is exact for the standard deviation and a convention for the mean logarithm; it matters above $b = n/10$.
# * Claim O3 in [](claims.ipynb) rests on this page.
