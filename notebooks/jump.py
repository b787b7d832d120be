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
# # On 6,000 images the accuracy of Figure 7's network drops without any noise too

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import jump
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("jump", profile)
for name, value in jump.numbers(results).items():
    glue(f"jump_{name}", value, display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** Gradient descent takes every image in every step, so no minibatch noise is in it.
# Its accuracy drops, and $\hat\alpha$ dips along its path, as in SGD.
#
# **Evidence.** With the loss still near its first value, the accuracy drops in {glue:text}`jump_A_descents:.0f` of {glue:text}`jump_descents:.0f` runs of gradient descent and {glue:text}`jump_A_sgds:.0f` of {glue:text}`jump_sgds:.0f` of SGD.
#
# **Limits.** Seeds: {glue:text}`jump_seeds:.0f`; 6,000 training images.
# That noise is not needed does not show that it is light.
# ```
#
# The paper takes the drop of the accuracy in its Figure 7 for a jump of SGD from one basin to another [recalled].
# Heavy-tailed noise would cause such jumps.
# Here the same network starts from the same weights, without noise and with SGD's.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-jump", "caption": "The network of Figure 7 (FCN 512 × 9, step 0.1, seed 0) by gradient descent (thick) and by SGD from the same weights, on the same 6,000 training images. Dotted: the share of these images for which gradient descent predicts its commonest class. Dashed: 2 / step, above which single steps can raise the loss. Accuracy and loss are of the same images, every 10 steps."}, "image": {"alt": "Three rows of panels along training: accuracy, loss, largest eigenvalue of the Hessian. The line of gradient descent and those of SGD lie on each other while the loss stays on its plateau. Accuracy rises and falls again there, while the eigenvalue is far below the dashed line. Once the loss falls the eigenvalue reaches that line, and loss and accuracy move up and down."}}
jump.drops_along_training(results)

# %% tags=["remove-input"]
origin(results, profile, jump.records(results).filter(regex="acc|loss|classes|common|eigen").reset_index(), "jump")

# %% tags=["remove-input"]
Markdown(runner.missing("jump", profile))

# %% [markdown]
# ## Two kinds of drops
#
# **A, predictions collapse.** The accuracy falls while the loss does not rise and is within 10 % of its first value.
# The outputs are still small, and the few directions in which they grow first decide which one is largest.
# So the network predicts few classes: at the bottom of the drop the commonest one takes {glue:text}`jump_A_commonest_low:.2f` of the images or more.
# The Hessian's largest eigenvalue is at most {glue:text}`jump_A_largest_high:.2f` until the first of them, and 2 / step is {glue:text}`jump_limit:.0f`.
# The loss does not rise, so no barrier is passed.
# Where both were run, its bottoms in SGD and in gradient descent are {glue:text}`jump_A_apart:.0f` steps apart at most.
#
# **B, instability.** The loss rises within a few steps, at first by {glue:text}`jump_B_change_low:.2f` to {glue:text}`jump_B_change_high:.2f`, later by up to {glue:text}`jump_B_change_most:.1f`.
# Such a drop is in {glue:text}`jump_B_descents:.0f` of {glue:text}`jump_descents:.0f` runs of gradient descent and in {glue:text}`jump_B_sgds:.0f` of {glue:text}`jump_sgds:.0f` of SGD.
# Where it was measured before the bottom, the largest eigenvalue is {glue:text}`jump_B_largest_low:.1f` or more, near {glue:text}`jump_limit:.0f` or above it.
# A step that is too long for the curvature can do this, with noise or without.
#
# The losses of SGD and gradient descent first differ by 0.01 at step {glue:text}`jump_apart:.0f`.

# %% tags=["remove-input"]
jump.short_table(results).style.format(precision=2)

# %% tags=["remove-input"]
origin(results, profile, jump.drop_table(results), "drops")

# %% [markdown]
# The first drop of each kind, seed 0; those of all seeds are in the CSV.
# *depth*: by how much the accuracy falls; *commonest*: the share of the commonest prediction at the bottom.
#
# ## The noise meanwhile
#
# The noise of minibatches of 100 images at the weights of both paths, with its Gaussian twin.
# Gradient descent never feels this noise, and yet α̂ dips to {glue:text}`jump_alpha_low:.2f` to {glue:text}`jump_alpha_high:.2f` along its path.
# The paper's lowest values, in SGD on all images with $b = 500$, are 0.72 and 0.86.
# On CIFAR-10 the lowest α̂ comes later than the bottom of the accuracy, and α̂ stays low.

# %% tags=["remove-input"]
jump.noise_table(results).style.format(precision=2)

# %% [markdown]
# At the start, where α̂ is lowest, and at the end.
# *published* and *twin* are in the paper's arithmetic, *corrected* leaves dead coordinates out, *dead* is their share, and *tau* is the tail excess.
#
# ## How it was made
#
# A training with one minibatch of all images is gradient descent.
# The rule of a drop: the record of every tenth step is cut where the loss turns by 0.01 or more.
# Within each stretch, the largest fall of the accuracy from an earlier maximum counts if it is 5 points or more.
# It is of kind B where the loss rises.
# It is of kind A where the loss falls and is still within 10 % of its first value.
# Later falls without a rise are wiggles and do not count.
# This rule was made after the first runs were seen.
#
# The eigenvalues come out of Lanczos iterations on products with the Hessian, on the first 2,000 images.
# Its residual bounds their error by 2 % of the larger one.
# At start, dip and end they are in the rows for all 6,000 images too.
#
# ## Limits
#
# * The paper trains on all images. One pair of runs does so on MNIST and is in the CSV, once it is made.
# * Recorded is every tenth step, so single steps that raise the loss within ten are not seen.
# * The Hessian is measured every 20 steps from 600 to 1,200 and every 100 elsewhere.
# * Neither drop needs noise. Whether noise changes where training ends is another question.
# * The runs are described in {mod}`tailnoise_utils.study.experiments.jump`.
