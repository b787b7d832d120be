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
# # Figure 1: norms pooled over a training spread far, and so do those of its Gaussian twin

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import norms
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
asked = profile
sources = (runner.choose(name, asked) for name in ("iterations", "noise_histogram"))
pool_profile, pool = next(source for source in sources if norms.has_norms(source[1]))
profile, results = runner.choose("noise_histogram", asked)
table = norms.norm_table(results)
words = {
    "noise": "gradient noise",
    "covariance": "Gaussian, same covariance",
    "gaussian": "Gaussian, independent entries",
    "stable": "stable, independent entries",
}

# %% tags=["remove-cell"]
for name, law in words.items():
    glue(f"spread_{name}_last", float(table[law, "sd of ln"].iloc[-1]), display=False)
    glue(f"largest_{name}_last", float(table[law, "largest"].iloc[-1]), display=False)
    if name != "noise":
        glue(f"distance_{name}", float(table[law, "D"].iloc[-1]), display=False)
for name, value in norms.pool_numbers(pool).items():
    glue(f"norms_{name}", value, display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** Norms pooled over a training mix scales, and spread far; so do those of Gaussian noise of the same covariance.
# One iteration alone spreads little more than that Gaussian noise.
#
# **Evidence.** Its distance $D$ to that Gaussian law is {glue:text}`distance_covariance:.2f` at the end.
# To independent stable entries it is {glue:text}`distance_stable:.2f`, to independent Gaussian ones {glue:text}`distance_gaussian:.2f`.
#
# **Limits.** The pool here has {glue:text}`norms_points:.0f` iterations, the paper's hundreds.
# ```
#
# The paper's Figure 1 shows norms of the noise of a convolutional network on CIFAR-10, next to scaled Gaussian and stable noise.
# Panel (a) there holds some 320,000 norms, nearly all in the first bin.
# One measurement gives $n/b$ of them, so they are presumably pooled over a training.
#
# ## Norms pooled

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-1", "caption": "(a) Norms of the noise of all minibatches at the measured iterations of one training, in one histogram, with logarithmic counts. Dotted: every iteration's noise replaced by Gaussian noise of the same covariance. (b), (c) Norms of three independent Gaussian, three independent stable entries, scaled to (a)."}, "image": {"alt": "Three histograms with logarithmic counts: the norms of the noise over a whole training spread far, and those of its Gaussian twin, dotted, spread as far; the norms of three Gaussian entries form one hump; those of three stable entries reach far beyond."}}
norms.pooled(pool)

# %% tags=["remove-input"]
origin(pool, pool_profile)

# %% [markdown]
# The pool holds {glue:text}`norms_count:,.0f` norms of {glue:text}`norms_points:.0f` iterations.
# Its standard deviation over its mean is {glue:text}`norms_noise_spread:.2f`, that of the twins' pool {glue:text}`norms_twin_spread:.2f`.
# Any pool of unlike scales spreads so, whatever the law of an iteration.
#
# The paper's panel (b), scaled Gaussian noise, has mean 315 and standard deviation 140, a ratio of 0.44.
# Norms of $p$ independent equal Gaussian entries have a ratio of $1/\sqrt{2p}$, far below 0.01 for a network.
# Three entries give {glue:text}`norms_drawn_spread:.2f`: panel (b) here draws them.
# We do not know which dimension the paper's (c) has.

# %% tags=["remove-input"]
norms.beside_figure1(pool)

# %% [markdown]
# *Agrees*: within 0.05, counts within a tenth.
#
# ## One iteration alone

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-1-alone", "caption": "Distribution of the norm at the first and the last snapshot, each law over its own median. Three seeds."}, "image": {"alt": "Two panels of cumulative distributions on a logarithmic axis, before and after training: gradient noise and Gaussian noise of the same covariance lie on each other; independent Gaussian entries form a step at one; independent stable entries spread over orders of magnitude."}}
norms.one_iteration(results)

# %% tags=["remove-input"]
origin(results, profile, table, "norms")

# %% [markdown]
# A vector of many entries has a sharp norm only if its entries are nearly independent, and gradients are not.
# The law to compare with is Gaussian noise of the same covariance.
# At the end the noise spreads more: the standard deviation of $\ln \lVert U_i \rVert$ is {glue:text}`spread_noise_last:.3f`, that of the Gaussian law {glue:text}`spread_covariance_last:.3f`.
# The largest of the norms is {glue:text}`largest_noise_last:.2f` medians, that of the Gaussian law {glue:text}`largest_covariance_last:.2f`.
# $D$ hardly sees such a tail.
#
# ## Limits
#
# * One architecture, one data set, short trainings: a network that fits its images could have norms that spread more.
# * The covariance is estimated from as many minibatches as there are; its unequal eigenvalues are corrected ([](../methods/diagnosis.md)), its sampling error is not.
# * Whether the norms spread more than chance is tested in [](per_coordinate.ipynb); claim C1 is judged in [](claims.ipynb).
