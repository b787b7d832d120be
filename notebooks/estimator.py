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
# # The estimator reads correlation, unequal variances and zeros as heavy tails

# %% tags=["parameters", "remove-cell"]
profile = "book"

# %% tags=["remove-cell"]
from myst_nb import glue

from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.experiments.estimators import with_gaussian_twins
from tailnoise_utils.study.figures import estimators
from tailnoise_utils.study.figures.page import origin
from tailnoise_utils.study.style import svg_in_notebooks

svg_in_notebooks()

# %% tags=["remove-cell"]
profile, results = runner.choose("estimator", profile)
efficiency, forms = estimators.bias_table(results), estimators.closed_form_table(results)
glue("sd_ratio_mohammadi", float(efficiency.loc["Mohammadi 2.4 (corrected)", "sd / bound"]), display=False)
glue("sd_ratio_best", float(efficiency["sd / bound"].min()), display=False)
glue("largest_size", float(results.runs["size"].max()), display=False)
names = {"blocks": "Gaussian, blocks of 10 with correlation 0.9", "zeros": "Gaussian with a share 0.3 of exact zeros"}
for name, row in names.items():
    for convention in ("corrected", "published"):
        glue(f"alpha_{name}_{convention}", float(forms.loc[row, (convention, "measured")]), display=False)

# %% [markdown]
# ```{admonition} In short
# **Finding.** The paper's estimator recovers the index of independent stable numbers.
# On numbers without any heavy tail it can read far below 2.
#
# **Evidence.** {glue:text}`largest_size:,.0f` Gaussian numbers read {glue:text}`alpha_blocks_corrected:.2f` if groups of ten have a correlation of 0.9.
# They read {glue:text}`alpha_zeros_published:.2f` as published if 30 % are exactly zero.
#
# **Limits.** These numbers are made up.
# They show what the estimate reacts to, not what gradient noise is.
# ```
#
# The paper uses Corollary 2.4 of {cite:t}`mohammadi2015`.
# Cut $K = K_1 K_2$ numbers into $K_2$ blocks of $K_1$, sum each block, and compare the logarithms:
#
# $$\frac{1}{\hat\alpha} = \frac{1}{\log K_1}\Bigl(\frac{1}{K_2}\sum_i \log|Y_i| - \frac1K\sum_k \log|X_k|\Bigr).$$
#
# It assumes that the $X_k$ are **independent** and have **one** symmetric stable law.
#
# ## Where the assumption fails
#
# Every law in this figure has finite variance, so sums of its numbers become Gaussian.
# None is stable with an index below 2.
# Each is something that gradient noise can have: entries of unequal scale, correlated neighbours, dead units.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-unstable", "caption": "Index that each estimator reads on eight laws of finite variance (dots: means over replicates). All should read 2. Black lines: the value that the central limit theorem predicts for the block estimators."}, "image": {"alt": "Dot plot: for eight laws of finite variance, the index that each estimator gives; most dots lie between 1 and 2 although every law is in the domain of attraction of the Gaussian; short black lines, the closed forms, go through the dots of the block estimators."}}
estimators.unstable_laws(results)

# %% tags=["remove-input"]
origin(results, profile, estimators.unstable_table(results), "estimator_unstable")

# %% [markdown]
# The block estimators' answers are no accident of simulation.
# For large $K_1$ they follow from the central limit theorem, with the formulas of [](../methods/estimators.md).

# %% tags=["hide-input"]
forms.style.format(precision=3).set_caption(f"alpha^ at N = {results.runs['size'].max():,}, measured and predicted")

# %% [markdown]
# ## Stable noise reads as its Gaussian twin
#
# A *Gaussian twin* has Gaussian rows, with the covariance that the noise has over its minibatches.
# For stable noise of any index, however its coordinates depend on each other, $1/\hat\alpha$ has the same expected value on both ([](../methods/estimators.md)).
# The tail excess, tau, tells them apart.

# %% tags=["remove-cell"]
twins = with_gaussian_twins()
wide = twins.pivot_table(index=["law", "replicate"], columns="kind", values="1/alpha")
difference = (wide["noise"] - wide["twin"]).groupby("law")
glue("twin_largest", float((difference.mean() / difference.sem()).abs().max()), display=False)
inverse = wide["noise"].groupby("law").mean()
for name, law in {
    "tens": "Gaussian, correlated in tens",
    "sas": "SaS 1.5, i.i.d.",
    "latent": "SaS 1.5, latent",
}.items():
    glue(f"twin_{name}", float(1 / inverse[law]), display=False)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-twin", "caption": "What the estimator (left) and tau (right) read on noise of known law and on its Gaussian twin. Latent: mixtures of 30 stable factors. Elliptical: Gaussian rows, each times one heavy-tailed scale. Means of 60 matrices of 120 × 1,000 entries, drawn on this page (seed 0); bars: two standard errors."}, "image": {"alt": "Two panels, a row for each of five laws. Left: the mean of one over alpha-hat is the same on noise and on its Gaussian twin, near one half for independent Gaussian, latent and elliptical stable noise, near two thirds for independent stable noise and for Gaussian noise correlated in tens. Right: tau is zero on Gaussian noise and on every twin, and about 0.65 on stable noise."}}
estimators.noise_and_twin(twins)

# %% [markdown]
# $\hat\alpha$ is {glue:text}`twin_sas:.2f` on independent stable entries and {glue:text}`twin_tens:.2f` on Gaussian entries correlated in tens.
# On stable noise with latent factors it is {glue:text}`twin_latent:.2f`, although each coordinate has the index 1.5.
# The five differences between noise and twin are {glue:text}`twin_largest:.1f` standard errors at most.
#
# ## Where it holds
#
# On independent SaS samples all estimators but one recover $1/\alpha$.
# Corollary 2.2, which compares two order statistics, has a bias in small samples.
# Hill's estimator looks at the extreme tail: it is far off from about $\alpha = 1.5$ on, and at $\alpha = 2$ always.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-recovery", "caption": "Bias of 1/α̂ on independent SaS samples against the true α, for two sample sizes."}, "image": {"alt": "Two panels, sample sizes 1000 and the largest: bias of the estimated inverse index against the true alpha for eight estimators; in the small sample Hill's falls far below zero from alpha 1.5 on and Corollary 2.2 lies a little below it; in the large one only Hill's at alpha 2 is far off."}}
estimators.estimator_recovery(results)

# %% tags=["remove-input"]
origin(results, profile, efficiency, "estimator_stable")

# %% [markdown]
# The paper's estimator pays for its simplicity.
# Only the $K_2 \approx \sqrt K$ block sums count, so its spread falls like $K^{-1/4}/\log K$ and not like $K^{-1/2}$.
# At $\alpha = 1.5$ and $N = 10^4$ its standard deviation is {glue:text}`sd_ratio_mohammadi:.1f` times the Cramér–Rao bound.
# The best of the others reaches {glue:text}`sd_ratio_best:.2f` times the bound.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-efficiency", "caption": "Left: standard deviation of α̂ against the sample size. Middle: its ratio to the Cramér–Rao bound. Right: time of one estimate. Maximum likelihood has few replicates, so that a point below the bound is an accident."}, "image": {"alt": "Left: standard deviation of the estimated alpha against the sample size on two logarithmic axes; most estimators run parallel to the Cramér-Rao bound, the block estimators and Hill fall more slowly. Middle: the ratio of the standard deviation to that bound against alpha. Right: time of one estimate against the sample size."}}
estimators.estimator_efficiency(results)

# %% [markdown]
# ## Limits
#
# * Noise and twin agree for jointly stable rows; other heavy-tailed noise can differ from its twin.
# * Maximum likelihood is slow: it is shown at $\alpha = 1.5$ on small samples only.
# * Koutrouvelis' standard error is too large near $\alpha = 2$.
# * Closed forms and standard errors are tested in `tests/test_tail_index.py`; the claim that rests on this page is C2 in [](claims.ipynb).
