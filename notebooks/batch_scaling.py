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
# gradient, over random minibatches without replacement, which the term $-\frac12\ln(1 - b/n)$ takes into account. Between two
# sizes the slope $s$ implies the index $1/(1 + s)$.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils import plots, sweep

results = sweep.load("batch_scaling", profile)
runs = results.runs
seeds = ", ".join(map(str, sorted(set(runs["seed"]))))
caption = f"*Profile `{profile}`: {plots.provenance_line(results)}.*"
Markdown(
    f"Profile `{profile}`, {runs['minibatches'].iloc[0]} minibatches at each size, dropout off; seeds {seeds}; before training "
    f"and after it ({', '.join(sorted({f'{n:,}' for n in runs['iterations']}))} iterations at b = {runs['batch_size'].iloc[0]})."
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Above, the log-scale of the noise against the minibatch size; below, the index that each interval implies. Before training the index is near two from moderate sizes on; after training it begins far lower and rises slowly towards two."}}
plots.batch_scaling(results)

# %% tags=["remove-input"]
Markdown(caption + " Lines: means over the seeds, bands: their range; dotted: the slope $-1/2$ and the index 2.")

# %% [markdown]
# ## Layer by layer

# %% tags=["hide-input"] mystnb={"image": {"alt": "The implied index against the minibatch size for every layer, before and after training."}}
plots.batch_scaling_layers(results)

# %% tags=["remove-input"]
Markdown(caption)

# %% [markdown]
# ## The numbers
#
# Index implied by the interval that begins at the size given, mean over the seeds, and its standard deviation over them.

# %% tags=["hide-input"]
table = plots.implied_table(results)
table.style.format(precision=2)

# %% tags=["remove-cell"]
columns = table.xs("mean", level=2, axis=1)
middle = "50" if profile == "smoke" else "500"
glue("implied_size", middle, display=False)
glue("implied_before", float(columns.loc[middle].iloc[0]), display=False)
glue("implied_after", float(columns.loc[middle].iloc[-1]), display=False)
glue("implied_after_small", float(columns.loc["50"].iloc[-1]), display=False)

# %% [markdown]
# ## What we find, how sure
#
# * **No single index.** A stable law would give one horizontal line. Before training the implied index is near 2 from moderate
#   sizes on: at $b = 500$, where the paper measures, averages over a minibatch behave as the central limit theorem says. After
#   training it stays far lower, and from $b = 5$ on climbs, over three decades, to nearly 2: the gradients of single images are so unequal
#   (most of them tiny once an image is classified) that the limit is reached slowly.
# * **So at moderate $b$ the noise of the fitted network is clearly heavier than Gaussian**, and it is no stable law: what index
#   one reads off depends on $b$.
# * **Below 1** the implied index speaks of gradients that are exactly zero for most samples (inactive units, black pixels): the
#   typical entry of a small minibatch is then the full gradient itself, with the sign turned, and hardly depends on $b$.
# * **How sure.** Three seeds, one network and data set so far; every layer shows it. The correction for drawing without
#   replacement is exact for the standard deviation and a convention for the mean logarithm; it matters above $b = n/10$ only.
