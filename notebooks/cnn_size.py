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
# # Figure 5: α̂ of small convolutional networks is low because they have dead coordinates

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import sizes
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.figures.paper import beside_twin
from tailnoise_utils.study.results.reading import late_values
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("cnn_size", profile)
if profile == "paper" and (others := runner.choose("iterations", "book"))[0] == "paper":
    results = sizes.with_cnn(results, others[1])
table, runs = sizes.late_table(results), results.runs
left = table.query("loss == 'nll' and split == 'train' and left")
for name in ("published", "corrected"):
    alpha = 1 / left[f"1/alpha ({name})"]
    glue(f"cnn_{name}_low", float(alpha.min()), display=False)
    glue(f"cnn_{name}_high", float(alpha.max()), display=False)
glue("cnn_dead_low", float(left["dead share"].min()), display=False)
glue("cnn_dead_high", float(left["dead share"].max()), display=False)
glue("cnn_steps", int(runs["iterations"].max()), display=False)

# %% tags=["remove-cell"]
lost, hinge = runs["status"] != "complete", runs["loss"] == "hinge"
words = (
    f" With the hinge loss {sum(hinge & lost)} of {sum(hinge)} never did; they are not drawn." if hinge.any() else ""
)
words = f"With cross-entropy {sum(lost & ~hinge)} of {sum(~hinge)} networks never left chance.{words}"

# %% [markdown]
# ```{admonition} In short
# **Finding.** Networks of 4 and 8 filters have the lowest published α̂, as the smallest have in the paper.
# Without their dead coordinates the trend is gone.
#
# **Evidence.** As published α̂ is {glue:text}`cnn_published_low:.2f` to {glue:text}`cnn_published_high:.2f`.
# Without dead coordinates it is {glue:text}`cnn_corrected_low:.2f` to {glue:text}`cnn_corrected_high:.2f`.
#
# **Limits.** Networks this small hardly learn.
# The paper's have up to 512 filters, and its text is [recalled].
# ```
#
# The paper varies the number of filters of a convolutional network of AlexNet's kind on CIFAR-10 and CIFAR-100.
# It draws $\hat\alpha$ and the accuracy, late in training, on training and test images.
# Ours are trained with $b = 500$, a step of 0.1 and dropout for up to {glue:text}`cnn_steps:,` iterations, the paper's for up to 65,000.
# Dropout is off while the noise is measured.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-5", "caption": "α̂, accuracy and the fraction of dead coordinates late in training against the number of filters, cross-entropy. Means over seeds, bars: range. Pale: the range that the paper claims once a network performs reasonably. Thin: α̂ without dead coordinates. Dotted, where it was measured: the Gaussian twin. Hollow: training accuracy below 0.95; crosses: single networks below twice chance, or diverged."}, "image": {"alt": "Two columns, CIFAR-10 and CIFAR-100, against the number of filters. Above, alpha-hat of training and test images is lowest at 4 and 8 filters and rises beyond, on CIFAR-100 from 0.4; without dead coordinates it is flat, near the paper's pale range of 1.0 to 1.1. In the middle the accuracy rises. Below, the fraction of dead coordinates falls."}}
sizes.against_filters(results)

# %% tags=["remove-input"]
origin(results, profile, table, "against_filters")

# %% tags=["remove-input"]
Markdown(f"{runner.missing('cnn_size', profile)} {beside_twin(late_values(results))} {words}")

# %% [markdown]
# Between {glue:text}`cnn_dead_low:.1%` and {glue:text}`cnn_dead_high:.0%` of the coordinates are dead: their gradient is the same in all minibatches.
# Each gives an exact zero, which enters the published estimate as $\log\epsilon \approx -36$.
# So the published $\hat\alpha$ rises as dead coordinates become few.
# How much zeros alone lower it is on [](estimator.ipynb).
#
# The test images make fewer minibatches and a shorter block length $K_1$, which alone moves the published $\hat\alpha$.
#
# ## The paper and ours
#
# *Agrees*: ours (mean ± standard deviation over the seeds) lies within the paper's range.
# For training less test images: their difference is within two standard deviations of 0, with one seed within 0.05.
# The table has all networks, the figure's lines those that left chance.
# "Extremely low", the paper's word for 2, 4 and 8 filters, is read as below 1.

# %% tags=["remove-input"]
sizes.beside_figure5(results)

# %% [markdown]
# ## Limits
#
# * The paper's range is for networks that perform reasonably; small networks do not.
# * CIFAR-100 is a copy whose halves were drawn anew ([](../reproduce.md)).
# * The verdicts on C5, and on C3 and C8, which fully connected networks decide too, are on [](claims.ipynb).
