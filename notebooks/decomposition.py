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
from tailnoise_utils.study.results.reading import AFTER, BEFORE, untrained
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
# Heavy tails explain {glue:text}`tails_fitted_low:.0%` to {glue:text}`tails_fitted_high:.0%` in networks that fit MNIST with cross-entropy.
#
# **Evidence.** Means over {glue:text}`configurations:.0f` configurations of network, data set and loss; least: {glue:text}`dependence_share_least:.0%`.
#
# **Limits.** Scales and tails are told apart only where sums over a block are nearly Gaussian.
# ```
#
# One property of the noise after another is destroyed, and $1/\hat\alpha$ is taken again at the same $K_1$ ([](../methods/diagnosis.md)):
#
# * **Correlation**: the rows of each column are permuted by themselves.
#   What the coordinates of a minibatch share is gone.
# * **Order**: all entries are shuffled.
#   The order in which parameters are listed is gone.
# * **Scales**: what shuffled Gaussian noise would give if its coordinates had these standard deviations.
# * **Tails**: what is left, due to the shape of the distribution of each coordinate.
#
# The four add up to the gap $1/\hat\alpha - 1/2$.
# Tails are $(\tau - \tau_Y)/\ln K_1$, with $\tau$ the mean tail excess of the coordinates ([](per_coordinate.ipynb)) and $\tau_Y$ that of sums over a block.
# $\tau_Y$ is near 0 where these sums are nearly Gaussian.
#
# ## Every configuration

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-waterfall", "caption": "The parts of the gap 1/α̂ - 1/2 before and after training, means over three seeds. Black: the gap. Thin lines: range over seeds of the gap and, below the middle, of the tails."}, "image": {"alt": "Two panels, before and after training, a stacked bar for each configuration: correlation is nearly all of the gap of fully connected networks on CIFAR-10 and the longest part on MNIST before training; after training tails are a narrow end of the bars on MNIST, widest in the network of 256 units and depth 6 with cross-entropy, and not to be seen on CIFAR-10; in the convolutional network order and scales are as long as correlation, with opposite signs."}}
decomposition.waterfall(results)

# %% tags=["remove-input"]
origin(results, profile, decomposition.decomposition_table(results).reset_index(), "decomposition")

# %% tags=["remove-input"]
Markdown(runner.missing("decomposition", profile) + untrained(results))

# %% [markdown]
# Before training tails add {glue:text}`tails_before:.3f` at most to $1/\hat\alpha$.
# In fully connected networks on CIFAR-10 correlation makes {glue:text}`dependence_share_cifar:.0%` of the gap or more, and tails {glue:text}`tails_cifar:.1%` at most.
# On MNIST unequal scales make most of the rest, before training and after it.
# Fitted networks with heavier tails have the lower α̂ there ([](fcn_size.ipynb)), but tails are a small part of the gap.
# In the convolutional network before training, order and scales are at least as large as correlation, with opposite signs.

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
for when, name in ((BEFORE, "before"), (AFTER, "after")):
    first = table.xs(when, level="when").iloc[0]  # of the network on MNIST
    for part in ("gap", "tails"):
        glue(f"along_{part}_{name}", float(first[part]), display=False)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-parts-along", "caption": "The gap to Gaussian and its parts along training. Means over three seeds, bars: range."}, "image": {"alt": "A panel for each network against the iteration: the gap of 1/alpha-hat to 1/2 and its four parts, correlation, order, scales and tails, with bars over the seeds. Gap and correlation of fully connected networks hardly move, and tails lie near zero, a little above on MNIST at the end."}}
decomposition.parts_along_training(along)

# %% tags=["remove-input"]
origin(along, profile_along, table.reset_index(), "parts_along_training")

# %% [markdown]
# In the fully connected networks neither the gap nor its correlation part moves much.
# On MNIST tails rise from {glue:text}`along_tails_before:.3f` to {glue:text}`along_tails_after:.3f` as the network comes to fit its data.
# The gap, tails included, goes from {glue:text}`along_gap_before:.2f` to {glue:text}`along_gap_after:.2f`.
#
# ## Limits
#
# * Sums over a block of stable noise are as heavy-tailed as its entries: its *scales* and *tails* are not told apart.
# * Coordinates with heavy tails have standard deviations that differ by chance; that is in *scales*.
# * In the stored runs $\tau_Y$ was measured at one snapshot a file; elsewhere *tails* is $\tau/\ln K_1$ ([](../reproduce.md)).
# * A heavy tail that a minibatch's coordinates share raises *scales* and *tails* and lowers *correlation* as much.
# * Of large networks a sample of coordinates is taken apart, so that the gap differs a little from that of the joint estimate.
# * With parts of both signs correlation can exceed the gap.
