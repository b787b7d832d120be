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
# # What it costs
#
# **The question.** The paper's experiments are said to have taken three weeks on eight GPUs, and its code keeps all minibatch gradients about three times. How close is a
# measurement to the arithmetic that it cannot do without, how much memory does it need, and what would the paper's whole grid take?
#
# **In short**, on one core: the noise matrix of an FCN of width 256 and depth 4 takes {glue:text}`cost_middle_noise_matrix_operations:.2f` times its counted operations. A measurement takes {glue:text}`cost_middle_measure_matrix:.1f` times as long as the matrix; with the anatomy, as a user has it by
# default, {glue:text}`cost_middle_measure,_with_anatomy_matrix:.1f` times, and then the published procedure, which gives one number, takes {glue:text}`cost_middle_measure,_with_anatomy_published:.2f` times as long as that. It keeps {glue:text}`cost_middle_published_procedure_MB:.0f` MB where a measurement that streams keeps {glue:text}`cost_middle_measure,_streaming_MB:.0f`. {glue:text}`cost_met` of
# {glue:text}`cost_asked` bounds that were set beforehand are met.
#
# One measurement, each of its parts, a training epoch and other ways to the same numbers are timed, each in a process of its own with one thread, once it has done the same for something small. One is at work at a time; all are timed once, then all
# a second and a third time (but for a way that has taken 20 seconds), so that a ratio is of times that are near each other: ratios are taken within a round, and what is shown is their median. A time is set against
# the operations of the gradients, forwards and backwards (none for the images' own), as torch counts them, at the rate of a float32 matrix product ($1024 \times 1024$), which each process takes before and
# after: the median over the ways of the round; of what takes all gradients twice, *streaming*, they count twice. Memory is the most that the first time had in use beyond what was there before it. The weights are the initial ones; minibatches in data order.
#
# * *bare loop*: forwards and backwards over minibatches that are cut beforehand, nothing kept; *training*: an epoch of SGD, {func}`~tailnoise_utils.study.networks.train.train`.
# * *noise matrix*: {func}`~tailnoise_utils.noise.matrix.noise_matrix`. *alpha^*, *anatomy* (of the whole network, and *by layer* with layers and units as a measurement has it): what is made of it, with the matrix there.
#   *measure*: the whole measurement without the anatomy, {func}`~tailnoise_utils.measurement.one_call.measure`, by the matrix or in two passes that keep no matrix (*streaming*); *with anatomy*: as a user has it by default.
# * *published procedure*: what the paper's code does, written out from its description: images converted and normalised one by one, in data order, all gradients kept in a list, their noise in another, and
#   all of it in one vector; then its estimator, whose logarithms take two more. *Images in memory*: the same without the conversion.
# * *vmap over minibatches*: the gradients of ten minibatches at a time by `torch.func.vmap`. *gradient of each sample*: those of single images by `vmap`, 256 MiB of them at a time, averaged over each minibatch.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study import figures
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.cost_spec import PARALLEL, SEEDS, WAYS

results = runner.load("cost", profile)
rows = results.rows
load = rows.loc[rows["quantity"] == "load", "value"].max()
rate = float(rows.loc[rows["quantity"] == "flop/s", "value"].median())
glue("cost_gflops", rate / 1e9, display=False)
caption = f"*Profile `{profile}`: {figures.provenance_line(results)}. One thread at {rate / 1e9:.0f} Gflop/s (median); largest load of the machine in the minute before a round {load:.1f}, the process itself counted.*"

# %% [markdown]
# ## The numbers

# %% tags=["hide-input"]
table = figures.cost_table(results)
times = table.drop(columns=["MB", "× 4p bytes", "1/alpha (published)"])
times.style.format(precision=2, na_rep="–").format("{:.4f}", subset=["seconds", "spread"], na_rep="–")

# %% [markdown]
# Times are medians, the *spread* is the largest less the smallest; a ratio is a median of ratios, not a ratio of medians, and good to a tenth or two. Memory of the first time, in MB and in vectors of
# $p$ numbers in float32 (4p bytes), and the published $1/\hat\alpha$ of all ways that give it or the noise matrix:

# %% tags=["hide-input"]
other = table[["MB", "× 4p bytes", "1/alpha (published)"]]
other.style.format(precision=1).format("{:.4f}", subset=["1/alpha (published)"], na_rep="–")

# %% tags=["remove-input"]
Markdown(caption)

# %% tags=["remove-cell"]
names = dict.fromkeys(("small", "middle", "cnn"), table.index[0][0])
if profile != "smoke":
    names = dict(zip(names, table.index.unique("network"), strict=True))
chosen = {
    "operations": "× operations",
    "matrix": "× noise matrix",
    "published": "published procedure ×",
    "MB": "MB",
}
flat = table.reset_index().set_index(["network", "way"])
for name, network in names.items():
    own = flat.loc[network].reindex(WAYS)
    for way, row in own.iterrows():
        for short, column in chosen.items():
            glue(f"cost_{name}_{way}_{short}".replace(" ", "_"), float(row[column]), display=False)

# %% tags=["remove-cell"]
middle, cnn = (flat.loc[names[of]].reindex(WAYS) for of in ("middle", "cnn"))
for name, of in {"middle": middle, "cnn": cnn}.items():
    glue(f"cost_vmap_{name}", float(of.loc["vmap over minibatches", "× bare loop"]), display=False)
    ratio = of["seconds"]["published procedure, images in memory"] / of["seconds"]["measure"]
    glue(f"cost_memory_{name}", float(ratio), display=False)
found = table["1/alpha (published)"].groupby(level="network")
glue("cost_apart", f"{((found.max() - found.min()) / found.mean()).max():.0e}", display=False)

# %% [markdown]
# **On one core**, the noise matrix of an FCN of width 256 and depth 4 takes {glue:text}`cost_middle_noise_matrix_operations:.2f` times its counted operations, where a bare loop takes
# {glue:text}`cost_middle_bare_loop_operations:.2f`; that of the convolutional network {glue:text}`cost_cnn_noise_matrix_operations:.2f`, the bare loop {glue:text}`cost_cnn_bare_loop_operations:.2f`. Small networks are further from the limit
# ({glue:text}`cost_small_noise_matrix_operations:.2f` and {glue:text}`cost_small_bare_loop_operations:.2f` for 100 × 3).
#
# **A measurement** takes {glue:text}`cost_middle_measure_matrix:.1f` times as long as the matrix, {glue:text}`cost_middle_measure,_with_anatomy_matrix:.1f` times with the anatomy (256 × 4): it estimates the whole network in three ways and every layer in two, each with its
# standard error, and tests what the number cannot tell. The published procedure, which gives one number, takes {glue:text}`cost_middle_measure_published:.1f` times as long as the measurement without the anatomy, and
# {glue:text}`cost_middle_measure,_with_anatomy_published:.2f` times as long as with it; for 100 × 3 {glue:text}`cost_small_measure_published:.1f` and {glue:text}`cost_small_measure,_with_anatomy_published:.2f`. Much of that is the conversion of images: with images in memory it takes
# {glue:text}`cost_memory_middle:.2f` times as long as the measurement without the anatomy (256 × 4; {glue:text}`cost_memory_cnn:.2f` for the convolutional network). Its memory is {glue:text}`cost_middle_published_procedure_MB:.0f` MB for 256 × 4, that of a measurement {glue:text}`cost_middle_measure_MB:.0f`, streaming {glue:text}`cost_middle_measure,_streaming_MB:.0f`.
#
# **Other ways.** All that give the number give the same one, to {glue:text}`cost_apart:s` of it. `vmap` over minibatches takes {glue:text}`cost_vmap_middle:.1f` times as long as a bare loop for 256 × 4 and {glue:text}`cost_vmap_cnn:.1f` times for the convolutional network; gradients
# of single samples take {glue:text}`cost_middle_gradient_of_each_sample_matrix:.0f` times as long as the matrix (256 × 4).

# %% [markdown]
# ## What was asked, and what is met
#
# The bounds were set before anything was measured; {glue:text}`cost_met` of {glue:text}`cost_asked` are met. Where the bare loop itself is above a bound, no way through torch's products meets it on this machine. Two more
# are not in the table: simulating exits in `smoke` (60 s on 2 cores; what `metastability` takes is on the page "Reproduce"), and the paper's grid of FCNs on one GPU (4 h), for which there was none. The published procedure takes {glue:text}`cost_small_published_procedure_operations:.1f` times the counted operations of the gradients for
# 100 × 3 and {glue:text}`cost_middle_published_procedure_operations:.1f` times for 256 × 4: a measurement that did nothing else than these could not be further ahead of it. A ratio is the median over the rounds, beside the least and the most; where these lie on both sides of the bound it is too close to say
# (of one round that cannot be seen). Of several networks the one with the worst median is shown. Two ways of a round can be a minute and a half apart, and the machine's speed drifts by a tenth or two meanwhile: that a noise matrix seems faster than the bare loop that it contains shows how far a ratio can be trusted. Maximum likelihood comes from the page on [the estimator](estimator.ipynb).

# %% tags=["hide-input"]
if profile == "smoke":
    found = Markdown("They are about networks that `smoke` does not have.")
else:
    found = figures.cost_targets(results, runner.load("estimator", profile))
met = [] if profile == "smoke" else list(found["met"])
glue("cost_met", met.count("yes"), display=False)
glue("cost_asked", len(met), display=False)
found if profile == "smoke" else found.style.format(precision=2)

# %% [markdown]
# ## How time and memory grow
#
# Against the number of parameters (FCN, $P = 20$), of minibatches (FCN of width 100 and depth 3, $b = 500$), and of images at one $P$. What keeps the noise grows with $P\,p$; streaming
# keeps a few vectors of length $p$, whatever $P$ is.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of three panels on logarithmic axes, seconds above and megabytes below, against the parameters, the minibatches and the images: a line for each of seven ways, and a dotted one that grows in proportion."}}
figures.cost_growth(results)

# %% tags=["remove-input"]
Markdown(caption)

# %% [markdown]
# ## Seeds together
#
# An epoch of three seeds of an FCN on MNIST, one after another ({func}`~tailnoise_utils.study.networks.train.train`) and with their parameters stacked, one batched product for all ({func}`~tailnoise_utils.study.networks.stacked.train_stacked`,
# `run --together`; seeds and losses of a setting). Milliseconds are those of a step of one network; *least* and *most* are of in turn over stacked.

# %% tags=["hide-input"]
together = figures.together_table(results, SEEDS)
for name in ("min", "max"):
    glue(f"cost_stacked_{name}", float(getattr(together["in turn / stacked"], name)()), display=False)
together.style.format(precision=2)

# %% [markdown]
# Stacking is for a GPU, where a step is recorded once as a CUDA graph and then replayed, and where neither has been run; on this core it makes training {glue:text}`cost_stacked_min:.2f` to {glue:text}`cost_stacked_max:.2f` times as fast, slower where networks are small.
#
# ## Threads or processes
#
# An epoch of two FCNs on MNIST on two cores (which may be two threads of one core of the machine below): one after another with two threads, or at the same time with one thread each, as the processes of `run --workers 2` have it.
# Milliseconds are those of a step of one network.

# %% tags=["hide-input"]
parallel = figures.together_table(results, PARALLEL)
for name in ("min", "max"):
    glue(f"cost_parallel_{name}", float(getattr(parallel["two threads / two processes"], name)()), display=False)
parallel[[name for name in parallel if not name.endswith(("operations", "MB"))]].style.format(precision=2)

# %% [markdown]
# Two processes train {glue:text}`cost_parallel_min:.2f` to {glue:text}`cost_parallel_max:.2f` times as fast as two threads: one thread a process it is, in this project.
#
# ## Stable samples
#
# A million symmetric $\alpha$-stable numbers ($\alpha = 1.5$): ours ({func}`tailnoise_utils.stable.law.sample`), the formula of {cite:t}`chambers1976` as it is printed, in NumPy, and SciPy's `levy_stable.rvs`.

# %% tags=["hide-input"]
figures.sampler_table(results).style.format(precision=3, na_rep="–")

# %% [markdown]
# ## The paper's grid
#
# Counted operations of the profile `paper` ([](paper-profile)), and the hours that they take: on two cores at the rate measured here; *scaled*, where training and measuring take as much longer than their
# operations as training and a measurement with the anatomy do in the network of the nearest width above (of convolutional ones there is only that of 64 filters); and at 50 Tflop/s, an assumption for float32 products on one GPU of the kind H200. Full float32 precision is what networks are
# trained and measured with (TF32 is off). The scale of the convolutional networks is known to a tenth or so. Of a GPU there is no estimate, for there was none to measure: small networks will take much longer there than their operations.

# %% tags=["hide-input"]
operations = figures.paper_operations({"2 cores": 2 * rate, "GPU": 50e12}, results)
hours = [name for name in operations if name.startswith("hours")]
for name, column in zip(("cpu", "gpu", "scaled"), hours, strict=True):
    glue(f"paper_hours_{name}", float(operations.loc["all", column]), display=False)
glue("paper_share_cnn", float(operations.loc["cnn_size", hours[0]] / operations.loc["all", hours[0]]), display=False)
operations.style.format("{:.2e}", subset=["training", "measuring"]).format(precision=1, subset=hours)

# %% [markdown]
# All of it is {glue:text}`paper_hours_cpu:.0f` hours of products on two cores, {glue:text}`paper_hours_scaled:.0f` scaled, and {glue:text}`paper_hours_gpu:.0f` of products on such a GPU; {glue:text}`paper_share_cnn:.0%` of them are for `cnn_size`, convolutional networks of up to 512 filters.
#
# ## What profiling changed
#
# Ratios of new to old time were taken while changing it, FCN 256 × 4 where nothing else is said; they are not among the stored results.
#
# * Convolutions of channels-last weights: .8 of the time on the CPU. No gradient for the images.
# * One logarithm for the product of four or five entries, where float64 holds it: the estimate of a matrix .7.
# * No row is put in the order of the permuted columns: each entry is added to the sum of the block that it falls into. That spares a vector; it takes .5 of the time of gathering the row for 1024 × 10, and 1.8 of it for 256 × 4, whose row stays in the cache.
# * Logarithms are taken once for all estimates of a row; with the line above and the next, the measurement without anatomy .9.
# * Live columns by NumPy's `compress`, a quarter of the time of torch's mask; no copy of them all, for pages of fresh memory take longer than what is computed on them: the clean estimate of the matrix .5. Whether all is zero is known at the first other number: the published one .7.
# * Images of stacked networks by `index_select`, not by advanced indexing: a stacked step .8 for 16 × 2, .95 for 64 × 6.
# * Streaming keeps no gradient while the next one is made, and its permutation in 32 bits: .6 of the memory (1024 × 4 and 1024 × 10). It takes gradients parameter by parameter, and so holds one vector less in each pass: for 1024 × 10 4.6 vectors above the activations, 5.6 before; for
#   1024 × 4 6.0 and 6.2, for there most of what it gives back stays in the holes of the heap.
# * What is left of the noise matrix of 256 × 4, by torch's profiler: .79 products, .07 writing them into the matrix and taking the mean off, .05 gathering images.
# * The mean is taken off in blocks that stay in the processor's cache; all entries are shuffled in two passes that do; the anatomy looks at $2^{23}$ entries at most. (What each gave was not kept.)
