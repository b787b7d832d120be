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
# # How the noise shrinks as the minibatch grows
#
# **The question.** If the gradients of single samples had a stable law of index $\alpha$, the scale of the noise would fall
# with the minibatch size $b$ as $b^{1/\alpha - 1}$, at every $b$; with a finite variance it falls, in the end, as $b^{-1/2}$.
# Which is it?
#
# This asks nothing of the coordinates: neither independence nor equal scales. The *mean logarithm* $L(b)$ of the entries tells;
# their root mean square would fall as $b^{-1/2}$ by algebra, whatever the law. The noise is taken against the full
# gradient, over random minibatches without replacement, which the term $-\frac12\ln(1 - b/n)$ takes into account.
# Minus the slope of $L$ in $\ln b$ between two sizes is the *scaling exponent*: $1/2$ for a finite variance, $1 - 1/\alpha$ for a stable law.
#
# **The short answer.** The scaling exponent rises with $b$: in no configuration is it that of one stable law. At $b = 500$, where the paper
# measures, it is near 1/2 in fully connected networks before training; after training on MNIST, and with cross-entropy most, it is still on its way there: over all configurations
# {glue:text}`exponent_after_small_low:.2f` to {glue:text}`exponent_after_small_high:.2f` at $b = 10$, {glue:text}`exponent_after_middle_low:.2f` to
# {glue:text}`exponent_after_middle_high:.2f` at 100, {glue:text}`exponent_after_large_low:.2f` to {glue:text}`exponent_after_large_high:.2f` at 1000.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import batch_size
from tailnoise_utils.study.results.reading import provenance_line, untrained, with_configurations

results = runner.load("batch_scaling", profile)
runs = results.runs
seeds = ", ".join(map(str, sorted(set(runs["seed"]))))
caption = f"*Profile `{profile}`, seeds {seeds}.*"
counts = [count for row in runs["minibatches"] for count in row]
Markdown(
    f"Profile `{profile}`, the configurations of [](decomposition.ipynb); {min(counts)} to {max(counts)} minibatches at each size, dropout off; "
    f"before training and after it ({', '.join(sorted({f'{n:,}' for n in runs['iterations']}))} iterations at "
    f"b = {runs['batch_size'].iloc[0]}). {provenance_line(results)}.{untrained(results)}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "The scaling exponent of each interval of minibatch sizes, a panel for each kind of network, data set and loss. Before training, dashed, it is near one half from moderate sizes on; after training, solid, it begins far lower, in fully connected networks below zero, and rises towards one half."}}
batch_size.batch_scaling(results)

# %% tags=["remove-input"]
Markdown(
    caption
    + " Solid: after training; dashed: before it; lines are means over the seeds, bands their range; dotted: 1/2. Values beyond the "
    "axis are in the results."
)

# %% [markdown]
# The log-scale itself. What a stable law would give about the full gradient is known in closed form ([](../methods.md)).

# %% tags=["hide-input"] mystnb={"image": {"alt": "The log-scale of the noise against the minibatch size, less its value at one sample, beside the slope minus one half and a stable law of index 1.5. After training with cross-entropy the lines stay flat or rise at first and bend down only at large sizes."}}
batch_size.log_scales(results)

# %% tags=["remove-input"]
Markdown(caption + " Solid: after training; dashed: before it; means over the seeds.")

# %% [markdown]
# ## Layer by layer

# %% tags=["hide-input"] mystnb={"image": {"alt": "The scaling exponent against the minibatch size for every layer of some networks, before and after training."}}
configurations = list(with_configurations(results)["configuration"].cat.categories)
wanted = (
    "FCN 256 × 6, MNIST, cross-entropy",
    "FCN 256 × 6, CIFAR-10, cross-entropy",
    "CNN 16, CIFAR-10, cross-entropy",
)
shown = [name for name in wanted if name in configurations] or configurations[:1]
batch_size.batch_scaling_layers(results, shown)

# %% tags=["remove-input"]
Markdown(f"{caption} Drawn: {'; '.join(shown)}; means over the seeds. Values beyond the axis are in the results.")

# %% [markdown]
# ## The numbers
#
# Scaling exponent of the interval that begins at the size given: mean and standard deviation over the seeds.

# %% tags=["hide-input"]
table = batch_size.exponent_table(results)
table.style.format(precision=2)

# %% tags=["remove-cell"]
before, after = (table.xs(when, level=1) for when in ("before training", "after training"))
small, middle, large = table.columns.get_level_values(0).unique()
for name, at in (("before", before), ("after", after)):
    for size, b in (("small", small), ("middle", middle), ("large", large)):
        glue(f"exponent_{name}_{size}_low", float(at[b, "exponent"].min()), display=False)
        glue(f"exponent_{name}_{size}_high", float(at[b, "exponent"].max()), display=False)
beyond = (
    batch_size.exponent_table(results, (1000, 2000, 5000)).xs("after training", level=1).xs("exponent", axis=1, level=1)
)
slowest = [name for name in beyond.index if "256 × 6, MNIST, cross" in name] or list(beyond.index)
glue("tenth", float(runs["n_train"].max() / 10), display=False)
for name, value in zip(("1000", "2000", "5000"), beyond.loc[slowest[0]], strict=True):
    glue(f"slowest_{name}", float(value), display=False)

# %% [markdown]
# ## What we find, how sure
#
# * **No single index.** A stable law would give one nearly horizontal line up to about $n/10$ (dash-dotted). In every configuration the exponent is larger
#   at 1000 samples than at 10. Before training it is 0.45 or more from about 200 samples on in fully connected networks: at $b = 500$, where the paper measures,
#   the scale of the whole network's noise falls nearly as the central limit theorem says, though single layers can be heavier ([](per_layer.ipynb)).
# * **After training it depends on the data set, or on whether the network fits.** On MNIST it is below 0 or about 0 at $b = 10$ (the lowest of all configurations:
#   {glue:text}`exponent_after_small_low:.2f`) and climbs over almost three decades, slowest with cross-entropy in the network of 256 × 6:
#   there the limit is not reached within $n/10$ = {glue:text}`tenth:,.0f` samples (the exponent is {glue:text}`slowest_1000:.2f` from 1000 samples on,
#   {glue:text}`slowest_2000:.2f` from 2000, {glue:text}`slowest_5000:.2f` from 5000), plausibly because the gradients of single images become very
#   unequal, which is not measured here. Training lowers the exponent at $b = 10$ on CIFAR-10 too, where
#   fully connected networks do not fit, but less; there it is 0.44 or more again from 100 to 200 samples on.
# * **So at moderate $b$ the noise of these networks on MNIST is clearly heavier than Gaussian**, and it is no stable law: what index
#   one reads off depends on $b$.
# * **Below 0** at small $b$ the exponent can come from gradients that are exactly or nearly zero for most samples (inactive
#   units, black pixels, images classified for sure): the typical entry of a small minibatch is then the full gradient itself, with the
#   sign turned, and hardly depends on $b$. How large that share is has not been measured here.
# * **How sure.** Three seeds a configuration. The layers of the three configurations drawn (fully connected 256 × 6 on MNIST and on CIFAR-10, and the
#   convolutional network, all with cross-entropy) show the same, the last layer of the convolutional one with much scatter. At the largest sizes there are ten minibatches only, and the
#   last interval is uncertain by a few hundredths. The correction for drawing without replacement is exact for the standard deviation and
#   a convention for the mean logarithm; it matters above $b = n/10$ only.
