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
# # Blind spots: what the joint estimate cannot see
#
# **The question.** The paper reads all entries of a noise matrix as one sample. What can $\hat\alpha$ of such a matrix say
# about heavy tails, what can it not, and how well do the tests work that the [next page](decomposition.ipynb) puts beside it?
#
# Everything here is synthetic: the truth is known. A matrix has $P$ rows (minibatches; 120 unless it says otherwise), which are
# independent and have one law; what differs is the law, and how the coordinates of a row depend on each other:
#
# * *i.i.d.*: all entries are independent;
# * *latent*: each coordinate is a mixture of the same 30 independent factors;
# * *elliptical*: Gaussian coordinates times one random scale, heavy-tailed, that a whole row shares;
# * *correlated in tens*: neighbours share a component, in groups of ten (correlation 0.6);
# * *unequal scales*: each column has its own scale, log-normal; in no order, or *sorted*.
#
# **The short answer.** Joint, $\hat\alpha$ does not tell tails from other things: it is {glue:text}`spots_tens:.2f` on Gaussian noise correlated in tens, and on stable noise, however
# heavy its tails, it has the same mean as on Gaussian noise made from it (the twin $Z U / \sqrt P$; of noise that is heavy-tailed but not stable that is not said). tau, one of the tests across the minibatches, finds noise that is stable as a whole at a rate of
# {glue:text}`spots_tau_pure:.2f` or more even at the index 1.95; a small stable part beside Gaussian noise no test finds surely.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"
seed = 0

# %% tags=["hide-input"]
import functools
import math

from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import blind_spots, runner
from tailnoise_utils.study.figures import blind_spots as figures
from tailnoise_utils.study.figures import power
from tailnoise_utils.study.results.reading import provenance_line

count = {"smoke": 12, "laptop": 60}[experiments.check_profile(profile)]
caption = f"*Profile `{profile}`, seed {seed}, {count} replicates; synthetic data, computed on this page.*"

# %% [markdown]
# ## Noise and its Gaussian twin
#
# A Gaussian twin $\tilde U = Z U / \sqrt P$ mixes the rows of the noise with independent standard normal weights. Given
# $U$ its rows are exactly Gaussian: there is no heavy tail across the minibatches in it. Yet if the rows of $U$ are stable,
# each row of $\tilde U$ has the law of a row of $U$ times a number that a block and its entries share, so that
# $\log|Y| - \log|X|$ has the same mean on both (proof in [](../methods.md), *What the joint statistic cannot see*).

# %% tags=["hide-input"] mystnb={"image": {"alt": "Dot plot for six laws. Left: the mean of one over alpha-hat of noise and of its Gaussian twin agree for each law, near two thirds for independent stable entries and for correlated Gaussian ones, near one half for Gaussian, latent and elliptical ones. Right: tau is about 0.6 on the three stable laws and zero on all twins and Gaussian laws."}}
joint = blind_spots.twins(3 * count, seed=seed)
figures.noise_and_twin(joint)

# %% tags=["remove-input"]
Markdown(
    f"*Profile `{profile}`, seed {seed}, {3 * count} replicates of 120 × 1000 entries, $K_1 = 250$; synthetic data, computed "
    "on this page. Bars: 95 % intervals of the mean.*"
)

# %% tags=["hide-input"]
wide = joint.pivot_table(index=["law", "replicate"], columns="kind", values="1/alpha", sort=False)
gap = (wide["noise"] - wide["twin"]).groupby("law", sort=False).agg(["mean", "sem"])
means = joint.pivot_table(index="law", columns="kind", values=["1/alpha", "tail excess"], sort=False)
means["difference of 1/alpha", "mean"], means["difference of 1/alpha", "se"] = gap["mean"], gap["sem"]
largest = (gap["mean"] / gap["sem"]).abs().max()
chance = 1 - math.erf(largest / 2**0.5) ** len(gap)
means.style.format(precision=3)

# %% tags=["remove-input"]
at = means["1/alpha", "noise"]
for name, law in {
    "tens": "Gaussian, correlated in tens",
    "sas": "SaS 1.5, i.i.d.",
    "latent": "SaS 1.5, latent",
}.items():
    glue(f"spots_{name}", float(1 / at[law]), display=False)
Markdown(
    f"The largest of the {len(gap)} differences is {largest:.1f} standard errors; if all were zero, one at least as large would "
    f"be there with a probability of {chance:.2f}. The estimate does not sort the laws by their "
    f"tails: it is near $1/1.5$ for i.i.d. SaS entries ({at['SaS 1.5, i.i.d.']:.3f}) as for Gaussian entries that are "
    f"correlated in tens ({at['Gaussian, correlated in tens']:.3f}), and near $1/2$ for SaS noise with latent factors "
    f"({at['SaS 1.5, latent']:.3f}) or one scale a row ({at['SaS 1.5, elliptical']:.3f}). tau does."
)

# %% [markdown]
# ## The four parts
#
# The diagnosis destroys one property of the noise after another ([](../methods.md)). Where the truth is known, the parts are
# what they should be: a stable law with independent coordinates has a tail part of $1/\alpha - 1/2$, here $1/6$; groups of
# ten give $\ln(1 + 9\rho) / (2 \ln K_1)$ of correlation; unequal scales $(\ln \mathrm{E}[s^\alpha]/\alpha - \mathrm{E}\ln s)/\ln K_1$; sorting
# them hides them again, as a negative order. Tails that factors or whole rows share show as tails *and*, with the opposite
# sign, as correlation: the whole is zero. They show only as far as $P$ rows go, as about
# $(1/\alpha - 1/2) \ln(P/2) / \ln K_1$, which is less than $1/6$ once $K_1$ is above $P$.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Stacked horizontal bars for eight laws, measured parts above hatched parts of theory, which agree: correlation for correlated Gaussian noise, scales for unequal ones, scales and negative layout for sorted ones, tails for stable noise, tails and an equally long negative dependence for latent and elliptical stable noise."}}
known = blind_spots.known_parts(count, seed=seed)
figures.known_parts(known)

# %% tags=["remove-input"]
exact = known[~known["law"].str.contains("latent|elliptical")]
shared = known[known["law"].str.contains("latent|elliptical")]
glue("spots_parts_off", float((exact["value"] - exact["truth"]).abs().max()), display=False)
Markdown(
    caption
    + " 120 × 2000 entries, not centred, $K_1 = 500$; the black mark is $1/\\hat\\alpha - 1/2$, their sum. Largest "
    f"difference from theory: {(exact['value'] - exact['truth']).abs().max():.3f} (standard errors up to {exact['se'].max():.3f}); for latent and elliptical noise, where theory is approximate, "
    f"{(shared['value'] - shared['truth']).abs().max():.3f} (up to {shared['se'].max():.3f})."
)

# %% [markdown]
# In numbers: mean ± standard error, and in brackets what theory has.

# %% tags=["hide-input"]
figures.parts_table(known)

# %% [markdown]
# ## The power of the tests
#
# Each test of the diagnosis compares the noise with Gaussian twins and rejects at the 5 % level: tau, the index per
# coordinate at $K_1 = 3$ and 30, the mean kurtosis of projections (random ones; leading ones, fitted on the other half of the
# minibatches), the spread of the logarithm of the norm. The last column, *conclusion*, is what a report says of all of them: five of these tests
# count in it (not the index per coordinate at $K_1 = 3$), each at $p \le 0.01$, so that it should be wrong of Gaussian noise in about 5 %, too. Gaussian noise should be rejected in about 5 %. SaS noise should
# be found; it is alone, or makes up a tenth of the sum with Gaussian noise of scale 1. Coordinates are independent, latent or
# elliptical (the last two with 30 factors). Above each table: kind of coordinates, minibatches × columns.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Shaded tables of rejection rates in per cent, a column of tables for each kind of coordinates, a row for each size of the matrix; in each a line a law and a column a test. Cells of pure stable noise are dark for tau, for both kinds of projections and for the norms, from the index 1.95 or 1.9 on; those of the index per coordinate only from 1.8 or 1.5 on. Cells of a tenth of stable noise are light but for small indices, and lighter where coordinates depend on each other. Gaussian noise: about 5 per cent or less."}}
results = runner.load("power", profile)
power.power_of_tests(results)

# %% tags=["remove-input"]
runs, rates, words = results.runs, power.power_table(results), functools.partial(power.power_words, results)
error = power.power_table(results, "se").max(axis=None)
counts = runs.groupby(["P", "width"])["replicates"].first().items()
Markdown(
    f"*Profile `{profile}`, seed {runs['seed'].max()}; {provenance_line(results)}. Matrices of each law: "
    + ", ".join(f"{n} of {P} × {width:,}" for (P, width), n in counts)
    + f"; {runs['draws'].max()} twins beside each. Binomial standard error of a number: at most {100 * error:.0f}.*"
)

# %% tags=["remove-input"]
weights = runs[runs["alpha"] == 2].set_index(rates.query("alpha == 2").index)["replicates"]
size = 100 * rates.query("alpha == 2").mul(weights / weights.sum(), axis=0).sum()
single, random, norm = size.drop("conclusion"), "random projections", "sd of ln norm"
Markdown(f"""
In per cent of the matrices, for independent / latent / elliptical coordinates, $P = {runs["P"].min()}$ and {runs["width"].min()}
columns (in brackets: $P = 600$, which `smoke` leaves out):

* **Size.** Of all {weights.sum()} Gaussian matrices a test rejects {single.mean():.1f} % on average, from {single.min():.1f} ({single.idxmin()}) to
  {single.max():.1f} ({single.idxmax()}), with a standard error of {(475 / weights.sum()) ** 0.5:.1f} if 5 is right; a conclusion calls {size["conclusion"]:.1f} % heavier. Twins are drawn from the covariance that was
  measured, and spread more than noise of the true one: where these differ, tests err on the side of the Gaussian law.
* **Noise that is stable as a whole**, of index 1.95, is found by tau in {words("tail excess", 1.95)}, by random projections in
  {words(random, 1.95)}.
* **A tenth of it beside Gaussian noise**, of index 1.5, is found by tau in {words("tail excess", 1.5, 0.1)}, by random projections in
  {words(random, 1.5, 0.1)}, by the norms in {words(norm, 1.5, 0.1)}; of index 1.8 by tau in {words("tail excess", 1.8, 0.1)}.
""")

# %% tags=["remove-input"]
Markdown(f"""
* **The index per coordinate** at $K_1 = 30$ finds stable noise of index 1.95 in {words("per coordinate, K1 = 30", 1.95)}, of 1.5 in
  {words("per coordinate, K1 = 30", 1.5)}. It is there because it tells a stable law from another heavy one, which tau does not.
* **The norms** find noise of index 1.95 in {words(norm, 1.95)}, of index 1.5 in {words(norm, 1.5)}. Heavy tails leave a
  covariance with few strong directions, those of the largest rows, and the norms of Gaussian noise with few directions
  spread, too.
* **More columns**, {runs["width"].max():,}, with $P = {runs["P"].min()}$: tau finds a tenth of index 1.8 in {words("tail excess", 1.8, 0.1, wide=True)}, of
  index 1.5 in {words("tail excess", 1.5, 0.1, wide=True)}. They help most where coordinates have tails of their own; one scale a row
  is one number a minibatch, however many columns show it. (With {runs["width"].min()} columns: the bullet on a tenth.)
* **The conclusion of a report** finds noise of index 1.95 in {words("conclusion", 1.95)}, a tenth of index 1.5 in
  {words("conclusion", 1.5, 0.1)}, of index 1.8 in {words("conclusion", 1.8, 0.1)}.
""")

# %% [markdown]
# **What a test that finds nothing could have found:** the largest of these indices that it finds at least 80 % of the time.
# Smaller ones that it misses all the same stand in brackets; *none*: not even 1.5. *Coordinates*: the index per coordinate at $K_1 = 3$
# and 30; *random* and *leading*: projections; *norms*: their spread; *conclusion*: of a report. First noise that is stable as a whole:

# %% tags=["hide-input"]
names = ["tail excess", "coordinates, 3", "coordinates, 30", "random", "leading", "norms", "conclusion"]
limits = power.power_limits(results).set_axis(names, axis=1)
limits.loc["SaS"]

# %% [markdown]
# A tenth of it beside Gaussian noise:

# %% tags=["hide-input"]
limits.drop("SaS", level="noise").droplevel("noise")

# %% tags=["remove-cell"]
few = rates.drop(columns="conclusion").query("P == P.min() and alpha < 2")
pure, tenth = (few.query("share == @share") for share in (1.0, 0.1))
of_factors = "share < 1 and coordinates != 'independent'"
glue("spots_tau_size", float(size["tail excess"] / 100), display=False)
glue("spots_tau_pure", float(pure["tail excess"].min()), display=False)
glue("spots_tau_mixed", float(tenth.query(of_factors)["tail excess"].max()), display=False)
glue("spots_any_mixed", float(tenth.query(of_factors).max(axis=None)), display=False)
glue("spots_many_mixed", float(rates.query(of_factors)["tail excess"].max()), display=False)
glue("spots_coordinates_195", float(pure.xs(1.95, level="alpha")["per coordinate, K1 = 30"].max()), display=False)

# %% [markdown]
# ## Zeros and $\epsilon$
#
# In the published convention an exact zero counts as $\log\epsilon = -36$. Zeros then lower $\hat\alpha$ of Gaussian entries
# far below 1, and by an amount that depends on the scale of the loss.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Alpha-hat of Gaussian entries against the share of exact zeros: it stays at two and a little above in the corrected convention, and falls steeply below one in the published one, a little less so when the loss is multiplied by 0.001. Dots lie on the lines of the closed form."}}
zeros = blind_spots.zeros(max(count // 4, 3), seed=seed)
figures.zero_shares(zeros)

# %% tags=["remove-input"]
off = (zeros["1/alpha"] - zeros["closed"]).abs().max()
tenth = zeros[(zeros["share"] == 0.1) & (zeros["convention"] == "published")].set_index("factor")["1/alpha"]
glue("spots_tenth", float(1 / tenth[1.0]), display=False)
Markdown(
    f"*Profile `{profile}`, seed {seed}, {max(count // 4, 3)} replicates of 250,000 entries, $K_1 = 500$.* Largest "
    f"difference of $1/\\hat\\alpha$ from the closed form: {off:.4f}. With a tenth of zeros $\\hat\\alpha$ is "
    f"{1 / tenth[1.0]:.2f}, and {1 / tenth[1e-3]:.2f} once the loss is multiplied by 0.001."
)

# %% [markdown]
# ## Block length and order of the parameters
#
# For independent stable entries $\hat\alpha$ is the same at every $K_1$ and in every order of the coordinates. For anything
# else both matter, and neither has a natural value: $K_1$ grows with the network, the order is that of a list in a program.

# %% tags=["hide-input"] mystnb={"image": {"alt": "One over alpha-hat against the block length in two panels. Independent entries give flat lines in both. Gaussian noise correlated in tens falls from 0.9 towards 0.64 as listed, and rises from one half in a random order; Gaussian noise with sorted scales is near one half as listed and falls from 0.73 in a random order."}}
lengths = blind_spots.block_lengths(max(count // 4, 3), seed=seed)
figures.block_length_and_order(lengths)

# %% tags=["remove-input"]
ends = 1 / lengths.set_index(["law", "order", "K1"])["value"].unstack()[[10, 1000]]
tens, ordered = ends.loc["Gaussian, correlated in tens"], ends.loc["Gaussian, sorted scales"]
glue("spots_tens_low", float(tens[10]["listed"]), display=False)
glue("spots_tens_high", float(tens[10]["permuted"]), display=False)
Markdown(
    f"*Profile `{profile}`, seed {seed}, {max(count // 4, 3)} replicates of 120 × 2000 entries; 95 % intervals.* From "
    f"$K_1 = 10$ to 1000, $\\hat\\alpha$ of Gaussian noise correlated in tens goes from {tens[10]['listed']:.2f} to "
    f"{tens[1000]['listed']:.2f} as listed, from {tens[10]['permuted']:.2f} to {tens[1000]['permuted']:.2f} in a random order; "
    f"with sorted scales from {ordered[10]['listed']:.2f} to {ordered[1000]['listed']:.2f}, and from "
    f"{ordered[10]['permuted']:.2f} to {ordered[1000]['permuted']:.2f}."
)

# %% [markdown]
# ## What this means, how sure
#
# * **A joint $\hat\alpha$ is no evidence about tails, in either direction.** It is {glue:text}`spots_tens:.2f` on Gaussian
#   noise correlated in tens, {glue:text}`spots_sas:.2f` on i.i.d. SaS noise, {glue:text}`spots_latent:.2f` on SaS noise of
#   index 1.5 with latent factors. That it is the same on noise and on its twin says nothing about the noise.
# * **The parts say where the gap of these laws comes from.** They agree with theory within {glue:text}`spots_parts_off:.3f` where
#   theory is exact. Of mixed laws the heaviest coordinates make most of the tails ([](../methods.md)). A tail part beside an equally long negative correlation means tails that coordinates share.
# * **tau finds tails, if all of the noise has them.** With 120 minibatches it finds pure SaS noise, of index 1.95 too, at rates
#   of {glue:text}`spots_tau_pure:.2f` and more, and rejects Gaussian noise at a rate of {glue:text}`spots_tau_size:.3f`.
# * **A test that finds nothing speaks against noise that is stable as a whole, not against a part that is.** Beside nine tenths of Gaussian
#   noise, SaS noise down to the index 1.5 with dependent coordinates is found by tau at a rate of {glue:text}`spots_tau_mixed:.2f`
#   at best with 120 minibatches (by the best single test: {glue:text}`spots_any_mixed:.2f`), with more of them at
#   {glue:text}`spots_many_mixed:.2f`. The tables of limits above say for each test what it could have found. The index
#   per coordinate at $K_1 = 30$ is the weakest: {glue:text}`spots_coordinates_195:.2f` at best against the index 1.95.
# * **Exact zeros must be left out.** A tenth of them makes $\hat\alpha$ {glue:text}`spots_tenth:.2f` in the published convention.
# * **How sure.** The equality of the means is proved for stable rows, and the closed forms for large $K_1$; simulation agrees.
#   The rates of power are for these sizes and laws; read them to a tenth. The columns are fewer than a network has, which
#   matters where they are independent. Which of these laws gradient noise resembles is no question of this page.
