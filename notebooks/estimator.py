# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The tail index of estimators
#
# A question, with $\alpha$ and {cite:t}`simsekli2019`.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
from myst_nb import glue

from tailnoise_utils import experiments, plots

if profile not in experiments.PROFILES:
    raise ValueError(f"unknown profile {profile!r}; choose one of {', '.join(experiments.PROFILES)}")

# %% mystnb={"figure": {"caption": "A caption with $\\alpha$. And **bold**.", "name": "fig-est"}, "image": {"alt": "A line going up"}} tags=["hide-input"]
with plt.style.context(plots.STYLE):
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])

# %% tags=["remove-cell"]
glue("est-alpha", 1.385, display=False)
glue("est-text", "word", display=False)

# %% [markdown]
# See {numref}`fig-est`: {glue:text}`est-alpha:.2f`.
