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
# # Stable laws: what heavy tails look like
#
# **The question.** The paper models the noise of a minibatch gradient by a symmetric alpha-stable law. What do such laws
# look like, and how do they differ from a Gaussian one?
#
# A random variable $X$ is symmetric alpha-stable, $X \sim S\alpha S(\sigma)$, if its characteristic function is
#
# $$\mathrm{E}\,e^{i w X} = e^{-|\sigma w|^\alpha}, \qquad 0 < \alpha \le 2.$$
#
# In this parametrisation $\alpha = 2$ is the Gaussian $N(0, 2\sigma^2)$ (mind the 2) and $\alpha = 1$ is the Cauchy law.
# For $\alpha < 2$ the tails are power laws, $P(|X| > x) \propto x^{-\alpha}$, so that moments of order $\alpha$ and above
# are infinite: no variance, and for $\alpha \le 1$ no mean.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"
seed = 0

# %% tags=["hide-input"]
import numpy as np
from IPython.display import Markdown

from tailnoise_utils import stable
from tailnoise_utils.study import experiments
from tailnoise_utils.study.figures import laws

steps = {"smoke": 1000, "laptop": 10_000}[experiments.check_profile(profile)]
alphas = (2.0, 1.8, 1.5, 1.0)

# %% [markdown]
# ## Densities
#
# Near zero the laws look much alike, down to $\alpha = 1.5$ almost the same. The difference is in the tails, and a
# logarithmic axis shows it: a Gaussian falls like a parabola there, a stable law with $\alpha < 2$ like a straight line on
# two logarithmic axes.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels of symmetric stable densities for alpha 2, 1.8, 1.5 and 1: near zero they nearly coincide, on a log scale the Gaussian falls off as a parabola while the others level out, and on two log scales their tails are straight lines."}}
laws.densities(alphas)
# %% tags=["remove-input"]
beyond = {alpha: 2 * float(stable.cdf(-10.0, alpha)) for alpha in alphas}
Markdown(
    f"*Densities of SaS(1), computed by Fourier inversion; nothing random. Profile `{profile}`.* The chance of a value "
    "beyond 10 scale units: " + ", ".join(f"{p:.2g} (α = {alpha:g})" for alpha, p in beyond.items()) + "."
)

# %% [markdown]
# ## Paths
#
# Add up independent stable increments and take the limit of small steps: the result is the alpha-stable Lévy motion
# $L^\alpha_t$, with $L_t - L_s \sim S\alpha S\bigl((t - s)^{1/\alpha}\bigr)$. Brownian motion ($\alpha = 2$) is continuous.
# For $\alpha < 2$ the path jumps; how far varies much from path to path, and on the whole the more the smaller $\alpha$ is.
# This is the driving noise of the paper's model of SGD, $\mathrm{d}w = -\nabla f(w)\,\mathrm{d}t + \eta^{(\alpha-1)/\alpha}\sigma\,\mathrm{d}L^\alpha_t$.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four sample paths on the unit interval: Brownian motion wanders without jumps; the paths for alpha 1.8, 1.5 and 1 jump, with the three largest steps drawn in black; the vertical scales differ."}}
times = np.linspace(0, 1, steps + 1)
curves = {a: stable.levy_path(a, times, generator=np.random.default_rng([seed, int(10 * a)]))[0] for a in alphas}
laws.paths(times, curves)
# %% tags=["remove-input"]
many = {a: stable.levy_path(a, times, paths=100, generator=np.random.default_rng([seed, 1])) for a in alphas}
ratio = {a: np.median([np.ptp(np.diff(path)) / np.ptp(path) for path in of]) for a, of in many.items()}
Markdown(
    f"*One path each, {steps:,} steps, seed {seed}; the three largest steps in black, scales differ. Profile `{profile}`.* "
    "Over 100 paths, the median of (largest upward plus largest downward step) over the range of the path: "
    + ", ".join(f"{r:.2f} (α = {a:g})" for a, r in ratio.items())
    + "."
)

# %% [markdown]
# ## What to take along
#
# * *What the paper says.* Gradient noise is of this kind, with $\alpha$ well below 2, and therefore SGD jumps.
# * *What this page shows.* Only what the words mean. Two facts matter later: the laws differ in the **tail**, not in the
#   centre, so that evidence for a stable law has to come from large values; and sums of independent stable variables are
#   stable with the same $\alpha$ at **every** number of terms, so that averaging over larger minibatches would not make
#   such noise Gaussian.
# * *How sure.* Densities agree with closed forms, with scipy and with power series, and samples with the characteristic
#   function (`tests/test_stable.py`).
