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
# # The paper's code departs from its text, and only its zeros move the estimate far

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import departures
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.results.reading import AFTER, BEFORE, with_configurations
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("departures", profile)
table, runs = departures.departure_table(results), with_configurations(results).drop_duplicates("run")
rows = {"text": "the text", "zeros": "epsilon and dead coordinates", "kept": "dead coordinates kept"}
rows |= {"dropout": "dropout while measuring", "code": "all of the code"}
network = next(name for name in table.index.levels[0] if name.startswith("CNN"))
for short, row in rows.items():
    for when in (BEFORE, AFTER):
        glue(f"cnn_{short}_{when.split()[0]}", float(table.loc[(network, row, when), "alpha"]), display=False)

# %% tags=["remove-cell"]
moved = table["change of 1/alpha"].xs(AFTER, level="when").drop(network, level="network").abs()
glue("fcn_largest", float(moved.max()), display=False)
cnn = runs[runs["model"] == "cnn"]
glue("cnn_lost", int((cnn["status"] != "complete").sum()), display=False)
glue("cnn_all", len(cnn), display=False)
lengths = runs.groupby("configuration", observed=True)["iterations"].first()
glue("lengths", "; ".join(f"{name}: {length:,}" for name, length in lengths.items()), display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** The paper's text and its public code differ in many points, and one moves $\hat\alpha$ far.
# The code counts each exact zero as $\log\epsilon \approx -36$.
#
# **Evidence.** In the convolutional network this arithmetic turns {glue:text}`cnn_text_after:.2f` into {glue:text}`cnn_zeros_after:.2f`, on the same noise.
# In small fully connected networks no difference moves $1/\hat\alpha$ by more than {glue:text}`fcn_largest:.3f` after training.
#
# **Limits.** Three seeds, short runs: most convolutional networks do not leave chance.
# ```
#
# Each difference is made alone, starting from the text, and then those of the code together.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-departures", "caption": "α̂ under each difference from the text, sorted by the largest change of 1/α̂. Marks and bars: mean and range of three seeds, open before training and filled after it. Lines: the text, after training. Dropout while measuring and K₁ of this book are not the code's: they show what else could differ."}, "image": {"alt": "One row for each difference from the text, one axis of alpha-hat for all networks. The fully connected networks stay near their lines in all rows. The convolutional network does too, except in two rows: epsilon together with dead coordinates, and all of the code, where alpha-hat is about half as large."}}
departures.departures(results)

# %% tags=["remove-input"]
origin(results, profile, table.reset_index(), "departures")

# %% [markdown]
# **Zeros.** Neither half of their effect is large by itself.
# An $\epsilon$ alone changes nothing, because a live coordinate is hardly ever exactly zero.
# Dead coordinates that are kept, without logarithms of their own, give {glue:text}`cnn_kept_after:.2f` after training.
# Both together give {glue:text}`cnn_zeros_after:.2f`, and {glue:text}`cnn_zeros_before:.2f` instead of {glue:text}`cnn_text_before:.2f` before training.
# All of the code gives {glue:text}`cnn_code_after:.2f`.
# So a published value far below 1 is arithmetic, not tails.
# The small fully connected networks here have next to no dead coordinates; the paper's own has 9 to 22 % ([](iterations.ipynb)), and the same arithmetic.
#
# **Training and measurement.** Step size, order and $b$ change the network that is measured.
# A difference of the measurement changes the number for the same network.
# The smaller $b$ does both, and it lengthens $K_1$: the estimate moves before training already.
#
# **Dropout.** Left on while measuring, it gives {glue:text}`cnn_dropout_after:.2f` after training.
# That is other noise, of masks as well as of minibatches, and hardly a coordinate is dead in it.
#
# ## Text, code, this book
#
# The public code is `umutsimsekli/sgd_tail_index`.
# It has no licence: we read it and copied nothing.
# As published it does not start, because `main.py` imports `get_id`, which `utils.py` does not define.
# Its batch script `run.py` trains fully connected networks only.
#
# The text is [recalled], except $b$, the step size and the seeds; a dash means that we do not know.
# *Published* and *corrected* are the two conventions of [](../methods/estimators.md).
#
# | | the paper's text | its public code | this book |
# | --- | --- | --- | --- |
# | fully connected networks | depth 2 to 10, width 2 to 1024 | depth 2 to 10, width 4 to 1024 | the sizes of the code in profile `full`, some of them in `laptop` |
# | minibatch size $b$ | 500 | 100: the script never passes `--batch_size_train` | 500 |
# | loss | cross-entropy and linear hinge | cross-entropy: the script never passes `--criterion`, so runs named "linear_hinge" have it too | both |
# | step size | constant 0.1 | halved at 1/3 and 2/3 of 65,000 iterations | constant 0.1; in `paper` halved |
# | end of a run | 100 % training accuracy, or 65,000 iterations | `int(accuracy) == 100`, looked at every 100 iterations; by default 100,000 iterations | 2,000 to 10,000 iterations in `laptop`; in `paper` as the text |
# | minibatches of training | – | fixed, in data order | reshuffled every epoch |
# | minibatches for measuring | disjoint | those of training, in data order | data order (published), one random partition (corrected) |
# | dropout while measuring | – | off | off |
# | block length $K_1$ | the divisor of $K$ nearest $\sqrt K$ | the largest divisor up to $\sqrt K$, always the same number | the same (published), $\lfloor\sqrt K\rfloor$ (corrected) |
# | inside the logarithm | – | $\epsilon = 2.2\cdot10^{-16}$ is added | the same (published), nothing (corrected) |
# | dead coordinates | – | kept | kept (published), dropped (corrected) |
# | precision | – | float32 | float32 (published), sums in float64 (corrected) |
#
# Whether the script made the paper's figures cannot be known.
# Figure 7 fits it: $\hat\alpha$ and the accuracy show a step near iteration 21,667, a third of 65,000.
#
# ## Limits
#
# * Iterations: {glue:text}`lengths:s`.
#   The step size is halved within them, so each value trains for a shorter time than in the paper.
# * The convolutional networks are at the beginning of their training, and there is one size of each network.
#   {glue:text}`cnn_lost` of {glue:text}`cnn_all` runs end below twice chance; they count here with the others.
# * The data are described in [](../reproduce.md), the runs in {mod}`tailnoise_utils.study.experiments.departures`.
