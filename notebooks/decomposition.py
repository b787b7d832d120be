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
# # The diagnosis of the tail index on real networks
#
# **The question.** $\hat\alpha$ of real gradient noise is far below 2. How much of that gap is correlation between
# coordinates, how much the order in which they are listed, how much unequal scales, how much heavy tails? And do tests that
# look where the joint number cannot, down the columns and across the minibatches, find heavy tails?
#
# One property of the noise after another is destroyed, and $1/\hat\alpha - 1/2$ is taken again at the same $K_1$:
#
# | part | is the change when | so that it shows |
# | --- | --- | --- |
# | correlation | rows are permuted independently in each column | what coordinates share within a minibatch |
# | order | all entries are shuffled | the order of the parameters *alone*, once the correlation is gone |
# | scales | entries are divided by their column's scale, estimated on other minibatches | coordinates of unequal size |
# | tails | (what is left) | the shape of the coordinates' laws, the heaviest most |
#
# They add up to $1/\hat\alpha - 1/2$. The parts describe; each may be negative. Their definitions are in [](../methods.md), their behaviour on noise whose law is
# known in the tests of the package. They are beside five tests *across the minibatches*, each with its distribution on 99
# Gaussian twins: random mixtures of the very rows, which have the covariance of the noise and Gaussian tails.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["remove-cell"]
import torch
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils import diagnosis, stable
from tailnoise_utils.study import experiments
from tailnoise_utils.study.experiments import runner
from tailnoise_utils.study.figures import decomposition
from tailnoise_utils.study.results.reading import provenance_line, statuses, untrained, with_configurations

# %% tags=["hide-input"]
results = runner.load("decomposition", profile)
runs = results.runs
seeds = ", ".join(map(str, sorted(set(runs["seed"]))))
caption = f"*Profile `{profile}`, seeds {seeds}.*"
at_end = untrained(results)
Markdown(
    f"Profile `{profile}`: FCN (width × number of weight matrices) and CNN (filters), trained by SGD with step size "
    f"{runs['lr'].iloc[0]:g} and b = {runs['batch_size'].iloc[0]}; {statuses(results)}. {provenance_line(results)}."
)

# %% [markdown]
# **The short answer.** Before training, *correlation* makes {glue:text}`dependence_share_before:.0%` of the distance on average over the configurations.
# Across the minibatches the noise of whole fully connected networks is then close to Gaussian: tau, zero for Gaussian noise and
# {glue:text}`tau_of_195:.2f` for a stable law of index 1.95, is {glue:text}`tau_before_fcn_low:.3f` to {glue:text}`tau_before_fcn_high:.3f`, an excess that is small, but no
# chance in {glue:text}`excess_before_fcn:.0f` of {glue:text}`count_before_fcn:.0f` configurations (p = 0.01 in every seed). That of the convolutional network is heavier from the start
# ({glue:text}`tau_before_cnn_low:.2f` to {glue:text}`tau_before_cnn_high:.2f`). After training on MNIST it is heavier in every configuration (tau {glue:text}`tau_mnist_low:.2f` to
# {glue:text}`tau_mnist_high:.2f`), and with cross-entropy the sizes of whole minibatches spread too. On CIFAR-10, which the fully connected networks of this page do not fit in this
# time, tau stays at {glue:text}`tau_fcn_cifar_low:.3f` to {glue:text}`tau_fcn_cifar_high:.3f`, no chance in {glue:text}`excess_fcn_cifar:.0f` of {glue:text}`count_fcn_cifar:.0f` configurations, while
# $\hat\alpha$ is about as low there as in the network with the heaviest noise (256 × 6 on MNIST). All that is of whole networks, most of whose
# coordinates are in few layers; the layers from the third on of deep ones have heavier noise ([](per_layer.ipynb)). No single stable
# index describes it ([](batch_scaling.ipynb)). The joint number tells none of this. What qualifies these sentences is at the end of the page.

# %% [markdown]
# ## What the gap is made of

# %% tags=["hide-input"] mystnb={"image": {"alt": "Stacked horizontal bars, one a configuration, before and after training: the parts of one over alpha-hat minus one half. Dependence is the longest part nearly everywhere in fully connected networks; tails are below a tenth before training and long after it on MNIST with cross-entropy."}}
decomposition.waterfall(results)

# %% tags=["remove-input"]
Markdown(
    caption
    + " Means over the seeds; the black mark is $1/\\hat\\alpha - 1/2$ itself; thin lines: range over the seeds of it and, below "
    "the bar's middle, of the tails; hatched: what independent stable noise would show. Few coordinates can make most of *tails* "
    "(*columns of half* in the tables): tau, in the next figure, is an average over all." + at_end
)

# %% [markdown]
# ## Across the minibatches
#
# tau compares the mean logarithm of a coordinate's entries with its standard deviation: zero on average for Gaussian columns
# of any scale and covariance, positive for heavier tails. Of independent stable entries of index 1.95, 1.9 and 1.5 in 120 rows it is about
# {glue:text}`tau_of_195:.2f`, {glue:text}`tau_of_190:.2f` and {glue:text}`tau_of_150:.2f`.

# %% tags=["hide-input"] mystnb={"image": {"alt": "tau against the iteration, one panel for each kind of network, data set and loss: in fully connected networks inside or near the Gaussian bands before training, and far above them afterwards on MNIST; near them throughout on CIFAR-10 at width 32 and depth 3; in the convolutional network far above them from the start."}}
decomposition.along_training(results)

# %% tags=["remove-input"]
Markdown(
    caption
    + " Points: seeds; bands: mean and 1.96 s.d. of each network's Gaussian twins. The axis is linear up to 0.01 in size. All runs."
)

# %% [markdown]
# A stable law would have the *same* index whatever the number of summands. The block estimate of single coordinates, on
# differences of pairs of minibatches, is flat for one, and falls to 1/2 if the variance is finite.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Mean of one over alpha-hat of single coordinates against the block length: above one half for short blocks after training and falling towards it, while stable twins stay near two thirds."}}
decomposition.column_index(results)

# %% tags=["remove-input"]
Markdown(
    caption
    + " Solid: after training; dashed: before it; the band covers mean and 1.96 s.d. of the Gaussian twins of all lines of a panel."
    + at_end
)

# %% [markdown]
# Tails that a whole minibatch shares spread the norms of the noise, beyond the spread that Gaussian noise of the same
# covariance has (bands; what the error of the measured covariance would add to them is taken out, see [](../methods.md)).

# %% tags=["hide-input"] mystnb={"image": {"alt": "Standard deviation of the logarithm of the noise norm against the iteration, beside the Gaussian band."}}
decomposition.along_training(results, "sd of ln norm", r"sd of $\ln\Vert U_i\Vert$", linthresh=None)

# %% tags=["remove-input"]
Markdown(caption + " All runs.")

# %% [markdown]
# ## $\hat\alpha$ against $K_1$
#
# For independent entries of one stable law these lines would be flat.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Joint alpha-hat against the block length, before and after training: no line is flat."}}
decomposition.against_block_length(results)

# %% tags=["remove-input"]
Markdown(caption + " Solid: after training; dashed: before it; grey: $K_1 = 1000$." + at_end)

# %% [markdown]
# ## The numbers
#
# Means over the seeds ± their standard deviation over the seeds; in brackets the largest p-value over the seeds (the smallest that 99
# twins can give is 0.01). The joint values are indices (as is that at $K_1 = 1000$); what stands after ± is then the deviation of
# $1/\hat\alpha$. The parts are parts of $1/\hat\alpha - 1/2$; *columns of half* is the share of the coordinates that make half of the mean square
# that *tails* weighs: a little below 1/2 if all are alike, next to 0 where *tails* hang on a few of them.

# %% tags=["hide-input"]
table = decomposition.decomposition_table(results)
decomposition.with_spread(table, "published", "corrected", "K1 = 1000")

# %% tags=["hide-input"]
decomposition.with_spread(table, "correlation", "order", "scales", "tails", "columns of half")

# %% [markdown]
# The tests: tau and the spread of the norms; the index per coordinate (*coordinates*) at $K_1 = 3$ and 30 (2 for Gaussian noise, up to chance).

# %% tags=["hide-input"]
decomposition.with_spread(table, "tail excess", "norms", "coordinates, 3", "coordinates, 30")

# %% [markdown]
# Mean excess kurtosis of projections onto 200 random directions, and onto the 10 directions in which the other half of the minibatches
# varies most. Gaussian noise has $-6/(P + 1)$, or $-0.05$ and (of half as many minibatches) $-0.1$.

# %% tags=["hide-input"]
decomposition.with_spread(table, "kurtosis, random", "kurtosis, leading")

# %% [markdown]
# Share that Anderson and Darling's test finds not normal, at a false discovery rate of 5 %: of single coordinates, of units (one random
# projection of the incoming weights of each neuron or filter), of random and of leading projections of the whole; and the accuracy on
# the training images.

# %% tags=["hide-input"]
kinds = ("coordinates", "units", "random", "leading")
decomposition.with_spread(table, *(f"not normal, {kind}" for kind in kinds), "accuracy")

# %% tags=["remove-cell"]
before, after = table.xs("before training", level="when"), table.xs("after training", level="when")
names = after.index.astype(str)
chosen = {"before": before, "after": after, "fitted": after[after["accuracy"] >= 0.95]}
chosen["fcn_cifar"] = after[names.str.startswith("FCN") & names.str.contains("CIFAR-10")]
cross = after[names.str.contains("MNIST, cross")]
chosen["cross"] = cross = cross if len(cross) else after
is_fcn = before.index.astype(str).str.startswith("FCN")
chosen |= {"before_fcn": before[is_fcn], "before_cnn": before[~is_fcn], "mnist": after[names.str.contains(", MNIST")]}
glue("kurtosis_cross_low", float(cross["kurtosis, random"].min()), display=False)
glue("kurtosis_cross_high", float(cross["kurtosis, random"].max()), display=False)
for kind in ("random", "units", "coordinates"):
    glue(f"{kind}_most", float(after[f"not normal, {kind}"].max()), display=False)

# %% tags=["remove-cell"]
share, left = ((rows["correlation"] / (1 / rows["corrected"] - 0.5)) for rows in (before, after))
glue("dependence_share_before", float(share.mean()), display=False)
glue("dependence_share_after", float(left.mean()), display=False)
glue("dependence_share_least", float(left.min()), display=False)
glue("configurations", len(before), display=False)
for alpha in (1.95, 1.9, 1.5):
    rows = stable.sample(alpha, (120, 20_000), generator=torch.Generator().manual_seed(0))
    glue(f"tau_of_{100 * alpha:.0f}", float(diagnosis.tail_excess(rows - rows.mean(0)).mean()), display=False)
for name, rows in chosen.items():
    rows = rows if len(rows) else after  # small data has no such configurations
    glue(f"count_{name}", len(rows), display=False)
    glue(f"excess_{name}", int((rows["tail excess, p"] <= 0.01).sum()), display=False)
    for short, quantity in (("tau", "tail excess"), ("tails", "tails"), ("accuracy", "accuracy")):
        glue(f"{short}_{name}_low", float(rows[quantity].min()), display=False)
        glue(f"{short}_{name}_high", float(rows[quantity].max()), display=False)

# %% tags=["remove-input"]
Markdown(
    f"Dependence is {share.mean():.0%} of the gap before training, on average over the configurations ({share.min():.0%} to "
    f"{share.max():.0%}), and {left.mean():.0%} after it ({left.min():.0%} to {left.max():.0%}). tau goes from "
    f"{before['tail excess'].min():.3f} to {before['tail excess'].max():.3f} before and {after['tail excess'].min():.3f} to {after['tail excess'].max():.3f} "
    f"after training; the part of tails from {before['tails'].min():.3f} to {before['tails'].max():.3f} and from "
    f"{after['tails'].min():.3f} to {after['tails'].max():.3f}."
)

# %% [markdown]
# ## At the paper's length
#
# The same settings at the 65,000 iterations of the paper (as we understand it: "constant" is our name for that profile), as far as they
# have been run: after training, means over the seeds, and in brackets p-values, as above. The index per coordinate is 2 for Gaussian noise.

# %% tags=["hide-input"]
try:
    longer, shorter = (runner.stored("decomposition", which, complete=False) for which in ("constant", "laptop"))
except runner.MissingResults:  # not here: the page's own runs stand in for both
    longer = shorter = results
long, short = (
    decomposition.decomposition_table(stored).xs("after training", level="when") for stored in (longer, shorter)
)
decomposition.with_spread(long, "corrected", "tail excess", "norms", "coordinates, 3", "coordinates, 30", "accuracy")

# %% tags=["remove-input"]
count = len(experiments.grid("decomposition", "constant"))
counts = with_configurations(longer).groupby("configuration", observed=True)["run"].nunique()
Markdown(
    (
        f"*None is stored: profile `{profile}`"
        if longer is results
        else f"*Profile `constant`: {len(longer.runs)} of {count} runs"
    )
    + f"; seeds of each configuration: {', '.join(f'{name} {count}' for name, count in counts.items())}. "
    f"{provenance_line(longer)}.*{untrained(longer)} The differences behind *tails*, *scales* and the "
    "index per coordinate of these runs were taken of centred float32 noise, in which small entries lose digits. The parts are not shown for that; a mean over coordinates is a "
    "little off."
)

# %% tags=["remove-cell"]
kinds = long.index.astype(str)
risen = long["tail excess"] > short["tail excess"].reindex(long.index)
glue("long_risen", int(risen.sum()), display=False)
glue("long_configurations", len(long), display=False)
glue("long_fallen", ", ".join(kinds[~risen]) or "none", display=False)
for key, where in {
    "mnist": kinds.str.contains("MNIST"),
    "cifar": kinds.str.startswith("FCN") & kinds.str.contains("CIFAR-10"),
    "cnn": kinds.str.startswith("CNN"),
}.items():
    rows = long[where] if where.any() else long  # small data has no such configurations
    for short, quantity in (("tau", "tail excess"), ("accuracy", "accuracy")):
        glue(f"long_{key}_{short}_low", float(rows[quantity].min()), display=False)
        glue(f"long_{key}_{short}_high", float(rows[quantity].max()), display=False)
    glue(f"long_{key}_p", float(rows[["tail excess, p", "norms, p"]].max(axis=None)), display=False)

# %% tags=["remove-cell"]
narrow = long[kinds.str.contains("32 × 6, MNIST")] if kinds.str.contains("32 × 6, MNIST").any() else long
for K1 in (3, 30):
    glue(f"long_coordinates_{K1}", float(narrow[f"coordinates, {K1}"].iloc[0]), display=False)
    glue(f"long_coordinates_{K1}_p", float(narrow[f"coordinates, {K1}, p"].iloc[0]), display=False)
glue("unresolved_most", float(table["unresolved"].max()), display=False)
last = results.table().query("scope == 'all' and loss == 'nll' and dataset != 'cifar10' and iteration == iterations")
of_half, looked_at = (
    last[last["quantity"] == f"decomposition: {name}"].set_index("run")["value"]
    for name in ("tails (columns of half)", "p")
)
glue("half_cross", float((of_half * looked_at).max()), display=False)

# %% [markdown]
# ## What the paper says, what we find, how sure
#
# * **What the paper says.** Gradient noise is symmetric $\alpha$-stable with $\alpha$ far below 2; the evidence is the joint
#   $\hat\alpha$, whose estimator assumes independent entries of one law {cite:p}`simsekli2019,mohammadi2015`. Others find noise that is Gaussian early in training and at
#   large $b$ {cite:p}`panigrahi2019`, that is close to Gaussian across minibatches while it is not across parameters {cite:p}`xie2021,xie2023`, or heavy-tailed with an
#   index of its own for each parameter {cite:p}`battash2024`. What the theory of SGD under stable noise says does not depend on the estimator
#   {cite:p}`simsekli2019heavy,nguyen2019`.
# * **What fails, and how much it matters.** Independence. In every fully connected network before training, and in most after it, the
#   largest part of the gap is *correlation*: gradients of one minibatch share inputs and errors.
#   Permuting the rows of each column, which changes no coordinate's own law, takes most of the distance away. On CIFAR-10
#   correlation is nearly all of it. In the convolutional network the order and the unequal scales of the
#   parameters matter as much.
# * **What remains, and is real.** tau is small before training in fully connected networks, though above the Gaussian band in some
#   configurations. On MNIST it grows in training in every configuration, with cross-entropy the most but at 32 × 6
#   ({glue:text}`tau_fitted_low:.2f` to {glue:text}`tau_fitted_high:.2f` where at least 95 % of the images are classified rightly), perhaps
#   because few images then carry much of the gradient, which is not measured here. With cross-entropy whole minibatches stand out too (the norms spread, in each of these configurations and seeds).
#   So there is noise that is clearly heavier than Gaussian across minibatches. The network of 32 units and depth 6 with hinge loss has it
#   without fitting as well (see the table): fit is not all that matters.
# * **And where the network does not fit.** On CIFAR-10 the fully connected networks reach a training accuracy of
#   {glue:text}`accuracy_fcn_cifar_low:.2f` to {glue:text}`accuracy_fcn_cifar_high:.2f` in this many steps, and their noise stays
#   close to Gaussian across minibatches, with a small excess that is no chance in some configurations (tau {glue:text}`tau_fcn_cifar_low:.3f` to {glue:text}`tau_fcn_cifar_high:.3f`); with cross-entropy and all but the
#   smallest network the norms spread more than Gaussian ones do, up to twice as much. Most coordinates of these networks are in the layer
#   next to the pixels; in those of depth 6 the noise of the layers from the third on is heavier, much of it before training already
#   ([](per_layer.ipynb)). All that is beside a joint
#   $\hat\alpha$ of 1.0 to 1.2. The joint number does not order configurations by their tails: it is about as low here as in the wide
#   and deep network that fits MNIST with cross-entropy, whose tau is far larger.
# * **The convolutional network** has heavier noise than a Gaussian from the start (tau of .05 and more), and heavier later, with the hinge loss too,
#   with which it does not train at all here.
# * **Longer training mostly makes it heavier, by tau.** At the paper's 65,000 iterations, with cross-entropy, tau is larger than in the shorter runs in
#   {glue:text}`long_risen` of the {glue:text}`long_configurations` configurations that were run (not in: {glue:text}`long_fallen:s`). It is
#   {glue:text}`long_mnist_tau_low:.2f` to {glue:text}`long_mnist_tau_high:.2f` on MNIST, where all but a few images are classified rightly (accuracy
#   {glue:text}`long_mnist_accuracy_low:.4f` or more), means over seeds that differ much, and {glue:text}`long_cnn_tau_low:.2f` in the convolutional network, at an accuracy of
#   {glue:text}`long_cnn_accuracy_low:.2f`. Of the fully connected networks on CIFAR-10 that were run it is still
#   {glue:text}`long_cifar_tau_low:.2f` to {glue:text}`long_cifar_tau_high:.2f`, small but no chance (p = {glue:text}`long_cifar_p:.2f` at most, of the norms too), at an accuracy of {glue:text}`long_cifar_accuracy_low:.2f` to
#   {glue:text}`long_cifar_accuracy_high:.2f`: their fit is not complete, and what it would take is not known from these.
# * **What it is not, where we can tell, and where we cannot.** A stable law has one index at all $K_1$ and at all minibatch sizes. In most configurations of the shorter runs the
#   index of single coordinates is near 2, or goes back to it as $K_1$ grows, as it does if the variance is finite. In the wide
#   networks on MNIST with cross-entropy it is below 2 after training: in the deep one far, and at all $K_1$ that 120 minibatches allow;
#   in the other beyond chance at small $K_1$ only. In the narrow ones it cannot be told from Gaussian twins in every seed. At the paper's length 32 × 3 still cannot, coordinate by coordinate, but 32 × 6 on MNIST can: the index of single coordinates
#   is {glue:text}`long_coordinates_3:.2f` at $K_1 = 3$ and {glue:text}`long_coordinates_30:.2f` at 30 (p = {glue:text}`long_coordinates_3_p:.2f` and {glue:text}`long_coordinates_30_p:.2f` at most), and does not go back to 2. One stable law of that index
#   would have a larger tau, so that one index does not describe it; coordinates of very different indices, or a few rare, large gradients, could. Whether its scale shrinks with $b$ as that of a stable law would was not measured there.
#   [](batch_scaling.ipynb) asks the same of the minibatch size.
# * **What projections add.** Tails that single coordinates have fade in a sum over many of them, by the central limit theorem; what random
#   projections find is what whole minibatches, or few strong coordinates, have. They find it on MNIST with cross-entropy after training, in
#   every seed (mean excess kurtosis {glue:text}`kurtosis_cross_low:.2f` to {glue:text}`kurtosis_cross_high:.1f`, beside $-0.05$), and in no other
#   configuration in every seed. The leading directions, of half as many minibatches and few, tell less. Of single projections of the wide and deep
#   network {glue:text}`random_most:.0%` are found not normal by themselves, a mean over seeds that differ much (see the table); of neurons (one random projection of the incoming weights of each) it
#   is {glue:text}`units_most:.0%`, of coordinates {glue:text}`coordinates_most:.0%`.
# * **How to read the bars.** For *tails* all coordinates are brought to one size, and sums are taken over them: it says what the mean square
#   over coordinates does, to which few coordinates with very heavy tails can give most, where tau is their plain average: half of it is made by *columns of half* in the table.
#   In the networks trained on MNIST with cross-entropy that is {glue:text}`half_cross:.0f` of the coordinates at most: *tails* there are of single coordinates, where tau is of all. *Scales* is then
#   what is left of the shuffled noise, in which every coordinate weighs by its size. It is negative where the coordinates with the heaviest tails are small: they
#   hardly count in the shuffled noise, and as much as any other in tails. Coordinates that are exactly zero in many minibatches are in scales, for a zero takes no
#   part in a coordinate's scale. Tails that a whole minibatch shares are booked as tails and, with the opposite sign, as correlation. The parts add up
#   exactly to $1/\hat\alpha - 1/2$ (at 120 minibatches on MNIST, 100 on CIFAR-10); of networks with more
#   than some 300,000 parameters a sample is looked at, so that their value differs a little from that of the joint number.
# * **How sure.** Three seeds (two of the convolutional network with cross-entropy at the end); all networks that fit are on MNIST, so that
#   data set and fit cannot be told apart here; what differs between configurations by less than the points of the seeds do says nothing. Few thousand
#   iterations in most of this page: networks on CIFAR-10 that fit are missing but for one seed of width 1024 in [](fcn_size.ipynb). The convolutional
#   network hardly trains in this time, with the hinge loss not at all. At the paper's length there is cross-entropy only, and not every
#   configuration and seed (the caption there has what there is). Shares "of the gap" are of a sum whose terms have both signs: correlation can be more than all of it. The tests compare with twins of the measured covariance,
#   which err on the side of the Gaussian law where coordinates are nearly independent (but for the norms, where this is corrected).
#   What size of tails each test could have missed is in [](power.ipynb). Standard errors of shuffled parts speak of the shuffle only. At most {glue:text}`unresolved_most:.1e` of the
#   differences between the gradients of two minibatches may be rounding, on average over the seeds of a configuration.
