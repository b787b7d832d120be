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
# # What a measurement costs: a few passes over the data, and its diagnosis some more
#
# **Finding.** A measurement takes {glue:text}`cost_measure_least:.1f` to {glue:text}`cost_measure_most:.1f` times as long as a plain forward-and-backward loop over the same minibatches.
# With the diagnosis it takes {glue:text}`cost_diagnosis_least:.1f` to {glue:text}`cost_diagnosis_most:.1f` times as long.
# A measurement that streams needs {glue:text}`cost_streaming_MB:.0f` MB for the largest network here. The published procedure needs {glue:text}`cost_published_MB:.0f` MB.
#
# **Limits.** One machine, which other programs may have used at the same time: only ratios within one run count.
# Random images, initial weights. The fixed part of a diagnosis weighs less with more data.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import cost
from tailnoise_utils.study.results import store
from tailnoise_utils.study.results.reading import provenance_line

results = runner.load("cost", profile)
table = cost.cost_table(results)
caption = Markdown(f"*Profile `{profile}`: {provenance_line(results)}.*")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels with a row for each of six ways and a mark for each network. Left: the time over that of the plain loop, with a bar from the least to the most of the rounds. Right: megabytes in use at the peak."}}
cost.cost_ratios(results)

# %% tags=["remove-input"]
caption

# %% [markdown]
# A mark is the median over {glue:text}`cost_rounds:.0f` rounds, a bar goes from the least to the most. The same numbers, with the memory in MB:

# %% tags=["hide-input"]
table[["× plain loop", "MB"]].unstack("network", sort=False).style.format(precision=1, na_rep="–")

# %% tags=["remove-cell"]
ratio, memory = (table[column].unstack("network", sort=False) for column in ("× plain loop", "MB"))
for name, way in {"measure": "measure", "diagnosis": "measure with diagnosis", "matrix": "noise matrix"}.items():
    glue(f"cost_{name}_least", float(ratio.loc[way].min()), display=False)
    glue(f"cost_{name}_most", float(ratio.loc[way].max()), display=False)
largest = memory.loc["published procedure"].idxmax() if memory.notna().all(axis=None) else memory.columns[0]
for name, way in {"streaming": "measure, streaming", "published": "published procedure"}.items():
    glue(f"cost_{name}_MB", float(memory.loc[way, largest]), display=False)
glue("cost_rounds", float(results.runs["rounds"].max()), display=False)
glue("cost_threads", float(results.runs["threads"].max()), display=False)
files = store.path_of("cost", profile).parent.glob("*.parquet")
glue("cost_hours", float(sum(store.read(path).runs["seconds"].sum() for path in files)) / 3600, display=False)

# %% [markdown]
# ## How it was made
#
# In each round, every way is done once, one after another. A ratio is taken within a round. All ways get the same minibatches of random images.
# The images have the shape of MNIST, for the convolutional network that of CIFAR-10.
# There are P minibatches of b images. Threads: {glue:text}`cost_threads:.0f`.
#
# * *plain loop*: forwards and backwards over all minibatches, and nothing is kept.
# * *noise matrix*: {func}`~tailnoise_utils.noise.matrix.noise_matrix`. It takes {glue:text}`cost_matrix_least:.2f` to {glue:text}`cost_matrix_most:.2f` times as long as the plain loop.
# * *published procedure*: the paper's code, written out from its description, on images in memory. It keeps all gradients, their noise and one vector of all entries.
# * *measure*: {func}`~tailnoise_utils.measurement.one_call.measure` without the diagnosis, from the matrix or in two passes (*streaming*); *with diagnosis*: as a user has it by default.
#
# Memory is the most in use beyond what was in use before. Each way has a process of its own for it, on Linux.
#
# All stored runs of this profile took {glue:text}`cost_hours:.1f` core-hours. A training that several experiments share is counted in each of them.
