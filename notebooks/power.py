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
# # The tests find noise that is stable throughout, and often miss a stable tenth

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import power
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("power", profile)
for name, value in power.numbers(results).items():
    glue(f"power_{name}", value, display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** The tests find stable noise of index 1.95 or less.
# A stable tenth, the rest Gaussian, they often miss.
#
# **Evidence.** {glue:text}`power_matrices:,.0f` matrices of known law.
# With 120 minibatches a report finds each stable law in {glue:text}`power_pure:.0%` or more, a stable tenth with dependent coordinates in {glue:text}`power_tenth:.0%` or less.
#
# **Limits.** Most matrices have 200 columns, networks far more.
# Standard errors reach {glue:text}`power_se:.2f`.
# ```
#
# Each test compares the noise with Gaussian twins, at the 5 % level ([](../methods/diagnosis.md)).
# The *conclusion* is what a report says of all five tests together.
# Noise is stable, or the sum of a tenth of stable noise and nine tenths of Gaussian noise.
# Its coordinates are *independent*, mixtures of 30 factors (*latent*), or share one random scale a row (*elliptical*).
#
# ## How often each test finds heavy tails

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-power", "caption": "Matrices, in per cent, in which a test finds heavy tails: Gaussian noise, stable noise (SaS) by its index, and a tenth of it. Columns of panels: how coordinates depend on each other. P: minibatches. Each cell counts 100 matrices (P = 120) or 40 (P = 600)."}, "image": {"alt": "Six shaded tables of rejection rates, a line for each law, a column for each test. Gaussian noise: 10 per cent or less. Stable noise: above 80 for every test from the index 1.9 down, except the index per coordinate. A tenth of stable noise: mostly below 60 with 120 minibatches, more with 600 or where coordinates are independent."}}
power.power_of_tests(results)

# %% tags=["remove-input"]
origin(results, profile, power.power_table(results), "power")

# %% [markdown]
# Of {glue:text}`power_gaussian:.0f` Gaussian matrices single tests reject {glue:text}`power_level_low:.0%` to {glue:text}`power_level_high:.0%`, the conclusion {glue:text}`power_level_conclusion:.0%`.
# The index per coordinate is the weakest test: it finds stable noise of index 1.95 in {glue:text}`power_index:.0%` at most with 120 minibatches.
# More columns help where coordinates are independent: with {glue:text}`power_columns:,.0f` tau finds a tenth of index 1.8 in {glue:text}`power_wide:.0%` instead of {glue:text}`power_narrow:.0%`.
# With dependent coordinates it finds {glue:text}`power_wide_dependent:.0%` at most.
#
# ## What a test that finds nothing could have found
#
# The largest index that a test finds, with every smaller one, in 80 % of the matrices or more.
# *None*: not even 1.5.

# %% tags=["remove-input"]
power.power_limits(results)
