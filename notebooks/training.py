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
# # Gaussian noise of the same covariance trains a network as well as SGD's own noise

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import arms
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("training", profile)
for name, value in arms.numbers(results).items():
    glue(f"training_{name}", value, display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** That SGD's noise is not Gaussian makes no difference to training that we can see.
#
# **Evidence.** On MNIST SGD is {glue:text}`training_law_mnist:.2f` ± {glue:text}`training_law_mnist_half:.2f` points of test accuracy from Gaussian noise of its covariance (95 %).
# Yet its noise is not Gaussian: the tail excess at the end is {glue:text}`training_law_mnist_tau:.2f`; a stable index of 1.5 has 0.64.
#
# **Limits.** 10,000 images, step 0.1. Seeds: {glue:text}`training_law_mnist_seeds:.0f` of 5 on MNIST, {glue:text}`training_law_cifar10_seeds:.0f` of 5 on CIFAR-10; of the arms with other noise {glue:text}`training_coupled_seeds:.0f` or more.
# ```
#
# Each arm takes the full gradient with another noise, from the same initial weights, with the same step and number of steps.
# On MNIST Gaussian noise of SGD's covariance changes the test accuracy of gradient descent by {glue:text}`training_help_mnist:.2f` ± {glue:text}`training_help_mnist_half:.2f` points.
# On CIFAR-10 arms of one seed are points apart, so that few seeds tell nothing.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-arms", "caption": "Test accuracy at the end less that of the arm with Gaussian noise of SGD's covariance, in points, paired by seed (bars: 95 % intervals; the axis is linear between -1 and 1). Orange: stable noise. A row of panels for each step size. At the right: the median norm of the arm's noise over that of SGD's at the same weights, median over the points of the training. †: runs diverged, which count as chance."}, "image": {"alt": "A dot for each of eleven kinds of noise, a panel for each network. Whatever shares SGD's covariance lies near zero; noise with independent coordinates lies near gradient descent without noise; noise of the joint fit lies further left the larger it is."}}
arms.arms(results)

# %% tags=["remove-input"]
origin(results, profile, arms.differences(results), "training")

# %% tags=["remove-input"]
Markdown(runner.missing("training", profile))

# %% [markdown]
# * **SGD** draws minibatches by epochs, or each by itself from all images. Noise within an epoch is negatively correlated: its minibatches add up to the full gradient.
# * **Gaussian, SGD's covariance** gives every image a random weight: $\frac1n \sum_i (1 + c z_i) \nabla \ell_i$, with $z$ standard normal less its mean.
#   With $c = n \sqrt{(1/b - 1/n)/(n - 1)}$ its mean and covariance are those of a minibatch drawn without replacement, exactly.
#   Its median norm is {glue:text}`training_help_norm_high:.2f` times SGD's.
# * **Independent noise** is Gaussian with each coordinate's standard deviation, or stable with these as scales, at SGD's median norm.
#   Such noise changes the accuracy of gradient descent by {glue:text}`training_independent_range` points, as much as seeds do.
#   Clipped means that no entry is beyond the coordinate's largest one over SGD's minibatches.
# * **The joint fit** is the paper's stochastic differential equation as written: a step is $-\eta (\nabla f + \hat\sigma S)$ with independent stable $S$ of index $\hat\alpha$.
#   Its norm is {glue:text}`training_fit_norm_low:.1f` to {glue:text}`training_fit_norm_high:.0f` times that of SGD's noise (with one scale, or one a layer).
#   Its accuracy differs from the Gaussian arm's by {glue:text}`training_fit_range` points; by layer it diverges, which counts as chance.
# * **Stable weights** put stable $z$ of scale $1/\sqrt2$ in the place of the normal ones, so that the noise is jointly stable.
#   That changes the accuracy by {glue:text}`training_coupled_range` points, with norms of {glue:text}`training_coupled_norm_low:.0f` to {glue:text}`training_coupled_norm_high:.0f` times SGD's.

# %% [markdown]
# ## The numbers
#
# Means over the seeds at the end of training, at step 0.1.
# Differences between arms are in the CSV, paired by seed; sharpness is the largest eigenvalue of the Hessian on 2,000 training images.

# %% tags=["remove-input"]
arms.short_table(results).style.format(precision=3)

# %% [markdown]
# ## Limits
#
# * What an arm copies of SGD's noise (standard deviations, largest entries, index, scales) is measured anew every 100 steps, over one partition of the images.
# * Gaussian arms agree with SGD's in the mean square of the norm, the stable ones in its median: a stable entry has no variance.
# * Dropout is off in the convolutional network, which learns little in 4,000 steps of 0.3 on 4,000 images.
# * Equal accuracy here says nothing of other networks, of momentum, or of longer trainings.
