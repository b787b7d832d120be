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
# # Noise is heavier than Gaussian where few images reach a coordinate

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import batch_size, few_images
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.results.reading import untrained
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
asked = profile
profile, results = runner.choose("few_images", asked)
for name, value in few_images.numbers(results).items():
    glue(f"few_{name}", value, display=False)

# %% tags=["remove-cell"]
scaling_profile, scaling = runner.choose("batch_scaling", asked)
table = batch_size.exponent_table(scaling)
sizes = dict(zip(("small", "middle", "large"), table.columns.get_level_values(0).unique(), strict=True))
for when in ("before", "after"):
    exponents = table.xs(f"{when} training", level=1)
    for size, b in sizes.items():
        glue(f"exponent_{when}_{size}_low", float(exponents[b, "exponent"].min()), display=False)
        glue(f"exponent_{when}_{size}_high", float(exponents[b, "exponent"].max()), display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** A coordinate is heavier than Gaussian where few images of a minibatch have a gradient in it.
# Counts on half of the images give the order of magnitude of the tail excess $\tau$ on the other half.
# Of planted stable noise of one index they predict nothing.
#
# **Evidence.** Where 0.3 to 4 images of a minibatch count, $\tau$ (the mean of a network's coordinates there) is {glue:text}`few_start_min:.2f` to {glue:text}`few_start_max:.2f` times 1/(12 images) before training, {glue:text}`few_after_min:.2f` to {glue:text}`few_after_max:.2f` times after it.
#
# **Limits.** Short trainings. Seeds: {glue:text}`few_seeds:.0f`.
# Once the paper's own network has fitted, nearly all of its coordinates have fewer events than the rule is good for.
# ```
#
# Let $g_{ij}$ be the gradient of image $i$ in coordinate $j$.
# A coordinate sees $n_{\mathrm{eff},j} = (\sum_i g_{ij}^2)^2 / \sum_i g_{ij}^4$ of the $n$ images, and $b\, n_{\mathrm{eff},j} / n$ of a minibatch: its *events*.
# A sum of $b$ independent images has the excess kurtosis 1/events $- 3/b$, and the second term is small where events are few.
# Edgeworth's expansion then gives, with no constant fitted,
#
# $$\tau_j \approx \frac{1}{12\, \mathrm{events}_j}.$$
#
# ## Half of the images predict the other half

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-events", "caption": "Left: tail excess on half of the images against events on the other half, before training (open) and at its end (filled); circles MNIST, squares CIFAR-10; bars: range over seeds, where there are several; values below 0.001 are not drawn. Line: the rule. Dashed: images that have either a normal gradient in a coordinate or none. Stars: stable numbers in place of the gradients. Right: scaling exponent of fully connected networks with cross-entropy, means over sizes and seeds; bands: range."}, "image": {"alt": "Two panels. Left, on logarithmic axes, marks of all networks before training fall near or below the line 1 over 12 events over two decades; marks of networks that fit fall less steeply at few events; black stars of planted stable noise form a horizontal line near 0.17. Right, the scaling exponent against the minibatch size: before training it reaches one half near b = 100, after training on MNIST only near 10,000; a stable law of index 1.5 would stay near one third."}}
few_images.against_events(results, scaling)

# %% tags=["remove-input"]
origin(results, profile, few_images.event_table(results).reset_index(), "few_images")

# %% tags=["remove-input"]
origin(scaling, scaling_profile, table, "scaling_exponents")

# %% tags=["remove-input"]
Markdown(runner.missing("few_images", profile) + untrained(scaling))

# %% [markdown]
# A random half of the images gives the events.
# The other half alone gives $\tau$, so no image is used twice in the left panel.
#
# * **Networks.** The events of the halves agree: their logarithms correlate by {glue:text}`few_agree_min:.2f` to {glue:text}`few_agree_max:.2f`.
#   Where a few hard images decide, a half has few of them, the counts agree less, and $\tau$ falls less steeply than the rule.
# * **Planted stable noise.** Independent stable numbers of index 1.8 stand in for the gradients.
#   The events of one half say nothing of the other: they correlate by {glue:text}`few_stable_agree_min:.2f`.
#   $\tau$ is {glue:text}`few_stable_min:.2f` to {glue:text}`few_stable_max:.2f` in every bin, where the rule has {glue:text}`few_stable_rule_min:.2f` to {glue:text}`few_stable_rule_max:.1f`.
# * **All or nothing.** Below one event the rule is an expansion out of its range.
#   A compound Poisson sum, whose images have a normal gradient or none, is heavier there than the rule says.
#
# ## Fit or data set?
#
# * **Fit.** A network that fits 6,000 images of CIFAR-10 (accuracy {glue:text}`few_small_end_accuracy:.2f`) goes from $\tau$ = {glue:text}`few_small_start_tau:.2f` to {glue:text}`few_small_end_tau:.2f`.
#   With all images it does not fit (accuracy {glue:text}`few_cifar_end_accuracy:.2f`), and $\tau$ is {glue:text}`few_cifar_end_tau:.3f` at the end.
# * **Labels.** With permuted labels MNIST (6,000 images) goes from {glue:text}`few_permuted_start_tau:.2f` to {glue:text}`few_permuted_end_tau:.2f` (accuracy {glue:text}`few_permuted_end_accuracy:.2f`).
# * **Equal loss.** MNIST at a loss of {glue:text}`few_equal_loss:.2f`, about that of CIFAR-10 at its end ({glue:text}`few_cifar_end_loss:.2f`), has $\tau$ = {glue:text}`few_equal_tau:.3f`.
#   At the end of its own training it has {glue:text}`few_mnist_end_tau:.2f`.
#
# ## Hard images, or rarely active units
#
# By the norms of their gradients {glue:text}`few_mnist_start_images:,.0f` of 60,000 MNIST images count before training, and {glue:text}`few_mnist_end_images:,.0f` at its end.
# Hill's $1/\hat\alpha$ of these norms is {glue:text}`few_mnist_end_hill:.2f` then.
# Before training all images count, and few events mean units that are rarely active.
#
# *Unit norms* divides the gradient of each image by its norm before averaging, and *cut norms* cuts it to the median norm.
# Both are another noise than that of SGD: unit norms weigh easy images up.
# On fitted MNIST $\tau$ goes from {glue:text}`few_mnist_end_tau:.2f` to {glue:text}`few_mnist_end_unit:.3f` (unit) and {glue:text}`few_mnist_end_cut:.3f` (cut).

# %% tags=["remove-input"]
few_images.short_table(results).style.format(precision=2, thousands=",", na_rep="–").set_caption(
    "Tail excess, and scaling exponent from b = 10 to 50, of the noise and of two other noises; images by norm."
)

# %% [markdown]
# ## The scale falls with b as no stable law's does
#
# Let $L(b)$ be the mean of $\ln|g_{ij} - \nabla f_j|$ over coordinates and minibatches of $b$ images, corrected for drawing without replacement.
# Minus its slope in $\ln b$ is the *scaling exponent*.
# At large $b$ it is 1/2 if single images have gradients of finite variance.
# For a stable law of index $\alpha$ it is $1 - 1/\alpha$ at every $b$, whatever the dependence between coordinates.
#
# * Before training the exponent is {glue:text}`exponent_before_middle_low:.2f` to {glue:text}`exponent_before_middle_high:.2f` at $b = 100$, over all configurations, both losses and the convolutional network.
# * After training it is {glue:text}`exponent_after_small_low:.2f` to {glue:text}`exponent_after_small_high:.2f` at $b = 10$ and {glue:text}`exponent_after_large_low:.2f` to {glue:text}`exponent_after_large_high:.2f` at $b = 1000$.
# * An exponent below 0: most images have almost no gradient in a coordinate.
#   The typical entry of a small minibatch is then minus the full gradient, whatever $b$ is.
#
# Few events explain both panels: events grow with $b$, so a slow central limit ends at a Gaussian law.
# That agrees with noise that is Gaussian early in training at large $b$ {cite:p}`panigrahi2019` and close to Gaussian across minibatches {cite:p}`xie2021,xie2023`.
# It also agrees with tails that differ between parameters {cite:p}`battash2024`, since events do.
#
# ## Limits
#
# * Means are over sampled coordinates, as many of each layer, and not over all of a network.
# * Coordinates of a network depend on each other: only the range over seeds says how far a mean is certain.
# * Events and the rule take the images of a minibatch for independent draws from many. A half has few hard images where only few exist.
# * Norms of images can have a power law's tail without their number growing: with these $n$ images every variance is finite.
# * Ten minibatches remain at the largest sizes of the right panel. Its correction for drawing without replacement matters above $b = n/10$.
# * Claim O3 in [](claims.ipynb) rests on the exponents.
