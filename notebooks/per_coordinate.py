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
# # Networks of depth 3 and 6: coordinate by coordinate, the noise is nearly Gaussian until they fit

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import per_coordinate
from tailnoise_utils.study.figures.decomposition import decomposition_table
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.results.reading import untrained
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("decomposition", profile)
for name, value in per_coordinate.numbers(results).items():
    glue(name, value, display=False)
for tau, index in per_coordinate.RULER.items():
    glue(f"ruler_{100 * index:.0f}", tau, display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** Taken coordinate by coordinate, the noise of fully connected networks of depth 3 and 6 is nearly Gaussian until they fit, and heavier then.
#
# **Evidence.** The tail excess, 0 for Gaussian noise, is at most {glue:text}`tau_before_high:.2f` before training.
# It is {glue:text}`tau_fitted_low:.2f` to {glue:text}`tau_fitted_high:.2f` in networks that fit.
#
# **Limits.** Only MNIST is fitted here; at the paper's settings networks that fit CIFAR-10 are heavier too ([](fcn_size.ipynb)).
# Deep layers, the convolutional network and the paper's of depth 9 are heavier from the start ([](iterations.ipynb)).
# ```
#
# $\hat\alpha$ takes all entries of the noise as one sample.
# Here each coordinate $j$ is a sample: its entries $U_{ij}$ in the minibatches $i = 1, \dots, P$.
# Its tail excess compares their logarithms with those of Gaussian numbers of the same variance $s_j^2$:
#
# $$\tau_j = c_P - \frac1P \sum_i \ln\frac{|U_{ij}|}{s_j}, \qquad c_P \text{ such that Gaussian noise has } \mathrm{E}\,\tau_j = 0.$$
#
# $\tau$ is the mean over the coordinates of a network or layer.
# As a ruler: independent stable entries of index 1.95 have $\tau$ = {glue:text}`ruler_195:.2f`, of index 1.9 {glue:text}`ruler_190:.2f`, of index 1.8 {glue:text}`ruler_180:.2f`, and of index 1.5 {glue:text}`ruler_150:.2f`.
# The ruler measures size only; no single stable law describes this noise ([](few_images.ipynb)).
#
# ## When a network fits

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-tau-fit", "caption": "Tail excess against training accuracy, a mark per configuration (means over three seeds). Small dots: the same networks after 100 and 1000 iterations. Band: 1.96 standard deviations of the Gaussian twins, the widest of all configurations. Right axis: the ruler."}, "image": {"alt": "Tail excess against training accuracy: before training and for fully connected networks on CIFAR-10 marks lie in or near the Gaussian band; convolutional networks lie at 0.06 to 0.09; near a training accuracy of 1 marks rise to between 0.05 and 0.56."}}
per_coordinate.against_accuracy(results)

# %% tags=["remove-input"]
origin(results, profile, decomposition_table(results).reset_index(), "per_coordinate")

# %% tags=["remove-input"]
Markdown(runner.missing("decomposition", profile) + untrained(results))

# %% [markdown]
# A configuration *fits* if its training accuracy is .95 or more.
#
# * On CIFAR-10 no fully connected network fits (accuracy {glue:text}`accuracy_fcn_cifar_high:.2f` at most), and $\tau$ is {glue:text}`tau_fcn_cifar_high:.2f` at most.
# * One network is heavy without a fit: {glue:text}`exception:s` has $\tau$ = {glue:text}`tau_exception_high:.2f` at an accuracy of {glue:text}`accuracy_exception:.2f`.
# * On the way, before they fit, networks of depth 6 reach {glue:text}`tau_on_the_way:.2f`.
# * The convolutional network has {glue:text}`tau_cnn_low:.2f` to {glue:text}`tau_cnn_high:.2f`, before training as after it.

# %% tags=["remove-cell"]
try:
    longer = runner.stored("decomposition", "constant", complete=False)
except runner.MissingResults:  # not here: the page's runs stand in for them
    longer = results
for name, value in per_coordinate.numbers(longer).items():
    glue(f"long_{name}", value, display=False)

# %% [markdown]
# After 65,000 iterations two networks of width 32 on CIFAR-10 still do not fit (accuracy {glue:text}`long_accuracy_fcn_cifar_high:.2f` at most).
# Their $\tau$ is {glue:text}`long_tau_fcn_cifar_high:.2f` at most, and that on fitted MNIST goes up to {glue:text}`long_tau_fitted_high:.2f`.
#
# ## Layer by layer

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-tau-layers", "caption": "Tail excess of each layer, in the shades of the ruler, with the training accuracy at the end. Layer 1 reads the pixels; the convolutional network has five convolutions, then three linear layers."}, "image": {"alt": "Two panels, before and after training, a row for each configuration and a square for each layer. Before training the first two layers are pale everywhere and the later layers of networks of depth 6 and of the convolutional network darker. After training most layers of networks that fit MNIST are dark, darkest those of 256 units, depth 6, cross-entropy; networks of depth 3 on CIFAR-10 stay pale."}}
per_coordinate.layers(results)

# %% tags=["remove-input"]
origin(results, profile, per_coordinate.layer_table(results).reset_index(), "layers")

# %% [markdown]
# In fully connected networks the layer next to the pixels is the nearest to Gaussian.
# Before training its $\tau$ is {glue:text}`first_before:.2f` at most, and up to {glue:text}`behind_before:.2f` in the layers behind it.
# After training it has the least $\tau$ of all layers in {glue:text}`first_is_least:.0f` of {glue:text}`dense:.0f` configurations.
# At depth 6 the layers from the third on are heavier than the first before training already.
#
# ## The index of one coordinate
#
# A stable law has the same index at every block length $K_1$.
# If the variance is finite, the index returns to 2 as $K_1$ grows.
# Here the block estimator is applied to single coordinates, on differences of pairs of minibatches:

# %% tags=["remove-input"]
per_coordinate.index_table(results).style.set_caption(
    "Ranges over the configurations of a kind. Heavier than Gaussian: τ above all 99 Gaussian twins, in every seed."
)

# %% [markdown]
# After training the index is below that of all twins, in every seed, in {glue:text}`below_3:.0f` of {glue:text}`configurations:.0f` configurations at $K_1 = 3$.
# At $K_1 = 30$ it is so in {glue:text}`below_30:.0f`.
#
# ## What τ does not see
#
# $\tau$ takes each coordinate alone, and cannot tell whether they are heavy together.
# A factor that all coordinates of a minibatch share spreads the norms $\Vert U_i\Vert$.
# After training the norms spread more than those of all twins, in every seed, in {glue:text}`norms:.0f` of {glue:text}`configurations:.0f` configurations.
#
# ## Limits
#
# * Only MNIST is fitted here; fit and data set are told apart on [](few_images.ipynb).
# * $\tau$ is a plain average: layers with many coordinates decide that of a network.
# * The ruler is that of 120 minibatches; on CIFAR-10 there are 100, and its values a little lower.
# * Three seeds: differences between configurations smaller than those between seeds (in the CSV) say nothing.
# * What size of tails the tests could have missed is on [](power.ipynb).
