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
# # Most of the gap to Gaussian is correlation between coordinates

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import decomposition
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.results.reading import AFTER, untrained
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
asked = profile
profile, results = runner.choose("decomposition", asked)
for name, value in decomposition.numbers(results).items():
    glue(name, value, display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** α̂ is below 2 mostly because coordinates are correlated.
# Correlation explains {glue:text}`dependence_share_before:.0%` of the gap $1/\hat\alpha - 1/2$ before training and {glue:text}`dependence_share_after:.0%` after it.
#
# **Evidence.** Means over {glue:text}`configurations:.0f` configurations of network, data set and loss.
# The least of all is {glue:text}`dependence_share_least:.0%`.
#
# **Limits.** The parts have both signs.
# Where few coordinates have very heavy tails, *tails* and *scales* nearly cancel.
# ```
#
# One property of the noise after another is destroyed, and $1/\hat\alpha$ is taken again at the same $K_1$ ([](../methods.md)):
#
# * **Correlation**: the rows of each column are permuted by themselves.
#   What the coordinates of a minibatch share is gone.
# * **Order**: all entries are shuffled.
#   The order in which parameters are listed is gone.
# * **Scales**: every entry is divided by the scale of its column, estimated on other minibatches.
#   Unequal sizes are gone.
# * **Tails**: what is left, the shape of the distribution of each coordinate.
#
# The four add up to the gap $1/\hat\alpha - 1/2$.
#
# ## Every configuration

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-waterfall", "caption": "The parts of the gap 1/α̂ - 1/2 before and after training, means over three seeds. Black: the gap. Thin lines: range over seeds of the gap and, below the middle, of the tails. Last row: independent stable noise of index 1.5, whose gap is all tails."}, "image": {"alt": "Two panels, before and after training, a stacked bar for each configuration: correlation is nearly all of the gap of fully connected networks on CIFAR-10 and the longest part on MNIST before training; after training on MNIST with cross-entropy tails grow to the right and scales to the left; in the convolutional network order and scales are as long as correlation, with opposite signs."}}
decomposition.waterfall(results)

# %% tags=["remove-input"]
origin(results, profile, decomposition.decomposition_table(results).reset_index(), "decomposition")

# %% tags=["remove-input"]
Markdown(runner.missing("decomposition", profile) + untrained(results))

# %% [markdown]
# Independent stable noise has no correlation; its gap is tails alone.
# Of real noise before training tails are {glue:text}`tails_before:.3f` at most.
# In fully connected networks on CIFAR-10 correlation makes {glue:text}`dependence_share_cifar:.0%` of the gap or more.
# On MNIST unequal scales make most of the rest before training.
# In the convolutional network order and scales are then at least as large as correlation, with opposite signs.

# %% tags=["remove-input"]
formats = {"correlation / gap": "{:.0%}", "fit": "{}"}
table = decomposition.kind_table(results)
table.style.format({name: formats.get(name, "{:z.2f}") for name in table}).set_caption(
    "Means over the configurations of a kind. Fit: how many reach a training accuracy of .95."
)

# %% [markdown]
# ## Along training
#
# Three networks, followed from the first step on.

# %% tags=["remove-cell"]
profile_along, along = runner.choose("iterations_decomposition", asked)
table = decomposition.decomposition_table(along)
first = table.xs(AFTER, level="when").iloc[0]  # of the network on MNIST
for part in ("tails", "scales"):
    glue(f"along_{part}", float(first[part]), display=False)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-parts-along", "caption": "The gap to Gaussian and its parts along training. Means over three seeds, bars: range."}, "image": {"alt": "A panel for each network against the iteration: the gap of 1/alpha-hat to 1/2 and its four parts, correlation, order, scales and tails, with bars over the seeds. Gap and correlation of fully connected networks hardly move; on MNIST tails rise and scales fall by as much."}}
decomposition.parts_along_training(along)

# %% tags=["remove-input"]
origin(along, profile_along, table.reset_index(), "parts_along_training")

# %% [markdown]
# In the fully connected networks neither the gap nor its correlation part moves much.
# On MNIST tails rise to {glue:text}`along_tails:.2f` and scales fall to {glue:text}`along_scales:.2f`, so that their sum stays.
# The network fits its data by then, and the joint estimate does not show it.
#
# ## Limits
#
# * *Tails* brings all coordinates to one size and sums over them.
#   On MNIST with cross-entropy {glue:text}`columns_of_half:.3%` of the coordinates or fewer make half of it after training.
#   Read the sum of *tails* and *scales* there; [](per_coordinate.ipynb) has the plain average over coordinates.
# * A heavy tail that a minibatch's coordinates share raises *tails* and lowers *correlation* by the same amount.
# * Of large networks a sample of coordinates is taken apart, so that the gap differs a little from that of the joint estimate.
# * With parts of both signs correlation can exceed the gap.
