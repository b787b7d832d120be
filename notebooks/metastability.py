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
# # Metastability: how noise leaves a valley
#
# **The question.** If the noise of SGD were $\alpha$-stable, what would follow? The paper answers with theory: a particle
# that Lévy noise drives out of a valley jumps, and asks how *wide* the valley is; one that Brownian noise drives climbs, and
# asks how *deep* it is. So SGD would prefer wide valleys. Does a simulation agree, in absolute numbers?
#
# As in the paper's picture of SGD, but with one coordinate and a known objective $f$ with linear tails,
#
# $$\mathrm{d}W_t = -f'(W_t)\,\mathrm{d}t + \varepsilon\,\mathrm{d}L_t, \qquad \mathrm{E}\,e^{i w L_t} = e^{-t|w|^\alpha}.$$
#
# At $\alpha = 2$ this is Brownian noise of variance $2t$, with diffusion constant $D = \varepsilon^2$. For small $\varepsilon$
# theory says, with $C_\alpha = \Gamma(\alpha)\sin(\pi\alpha/2)/\pi$:
#
# * a symmetric well of half-width $a$ and depth $H$ is left after a mean time $T = a^\alpha / (2 C_\alpha \varepsilon^\alpha)$
#   under Lévy noise, whatever $H$ is {cite:p}`imkeller2006`; under Brownian noise after
#   $\pi\, e^{H/D} / \sqrt{f''(0)|f''(a)|}$ {cite:p}`kramers1940`;
# * between minima $m_i$ that are separated by maxima $s_j$, moves from $i$ to $j$ come at the rate
#   $q_{ij} = C_\alpha \varepsilon^\alpha \bigl||s_{j-1} - m_i|^{-\alpha} - |s_j - m_i|^{-\alpha}\bigr|$ under Lévy noise, with
#   $s_0 = -\infty$ and $s_r = \infty$ {cite:p}`pavlyukevich2007`.
#
# Nothing in these formulas is fitted to the simulation. Details: [](../methods.md), *Exits from wells*.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"

# %% tags=["hide-input"]
from IPython.display import Markdown
from myst_nb import glue

from tailnoise_utils.study import claims, figures
from tailnoise_utils.study.experiments import runner

results = runner.load("metastability", profile)
origin = f"Profile `{profile}`, seed 0: {figures.provenance_line(results)}."
short = f"Profile `{profile}`, seed 0."
particles = results.runs[results.runs["vary"].notna()].groupby("alpha")["particles"].max()

# %% [markdown]
# ## Four wells
#
# Their widths and depths are crossed: well 2 is the widest and the shallowest, well 3 the narrowest and the deepest. All
# maxima are at the same height.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Left: an objective with four minima, the second wide and shallow, the third narrow and deep. Middle: a path under Lévy noise that stays close to a minimum for long and jumps between wells, sometimes over one. Right: a path under Brownian noise that fills its well and climbs to neighbouring ones, most of the time in the deep third."}}
figures.landscape_and_paths(results)

# %% tags=["remove-input"]
Markdown(
    f"*{origin} The two paths are simulated on this page with seed 0, by Euler's scheme, with the noise and time step of the "
    "runs below; dotted: the maxima. Jumps beyond the frame are cut off.*"
)

# %% [markdown]
# ## Exit times
#
# From a single symmetric well, started at its minimum. An exit is counted once a particle is *past* the maximum, at
# $1.5\,a$, from where it seldom comes back.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels of mean exit times with lines of theory through the points. Lévy noise: rising straight lines against the half-width and falling ones against the noise on logarithmic axes, steeper for larger alpha; horizontal lines against the depth. Brownian noise: exponential growth with the barrier over D, on the exact curve, which lies a little above the limit formula."}}
figures.exit_times(results)

# %% tags=["remove-input"]
Markdown(
    f"*{short} Means over {particles.iloc[0]:,.0f} particles (Brownian: {particles[2.0]:,.0f}) with 95 % intervals, most of "
    "them smaller than the markers. Where it does not vary: a = 1, H = 1, ε = 0.1 (Lévy) or D = 0.2. Lines: theory for small "
    "ε; for Brownian noise that is dotted, and solid is the exact mean, a double integral.*"
)

# %% tags=["hide-input"]
slopes = figures.slope_table(results)
slopes.style.format(precision=3).set_caption("Slopes of ln T, 95 % intervals from low to high")

# %% tags=["remove-input"]
depth = slopes.xs("H", level="varies").drop(index="Brownian", level=0)
barrier = slopes.loc[("Brownian", "ε", "H / D")]
by_depth = slopes.loc[("Brownian", "H", "H / D")]
glue("meta_depth_slope", float(depth["slope"].abs().max()), display=False)
glue("meta_barrier_slope", float(barrier["slope"]), display=False)
Markdown(
    "Weighted least squares; intervals follow from the standard errors of the exit times. Under Brownian noise the prefactor of T "
    "depends on a and H: with H varying the slope in H / D is below 1 "
    f"({by_depth['slope']:.2f}), as the exact formula has it too, and with a varying T grows as $a^2$. These two are shown, not judged."
)

# %% [markdown]
# ## Moves between the wells
#
# Long runs through the four wells, for each noise: how often does a particle go from one to another, and where does it spend
# its time?

# %% tags=["hide-input"] mystnb={"image": {"alt": "Simulated rates over theory for twelve pairs of wells and each alpha. For the smallest alpha all are near one; for larger alpha some, first of all those out of the shallow second well, lie a few percent above it. A grey band marks five percent."}}
figures.move_rates(results)

# %% tags=["remove-input"]
Markdown(
    f"*{short} Each rate is a count over a time, 95 % intervals from the spread over the particles; grey: the 5 % that claim "
    "C9 allows.*"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Bars of the share of time in each well, wells ordered by width, for each noise. Under Lévy noise the narrow, deepest well has the smallest share, about an eighth, and the wide ones about a quarter to a third; under Brownian noise the narrow, deep well has the largest, about two fifths, and the wide, shallow one the smallest. Black marks of theory lie on the bars."}}
figures.occupation(results)

# %% tags=["remove-input"]
shares = figures.occupation_table(results)
off = (shares["share"] - shares["theory"]).abs()
glue("meta_share_off", float(off.max()), display=False)
glue("meta_narrow_levy", float(shares.loc[("α = 1.5", "well 3"), "share"]), display=False)
glue("meta_wide_levy", float(shares.loc[("α = 1.5", "well 2"), "share"]), display=False)
glue("meta_narrow_brownian", float(shares.loc[("Brownian", "well 3"), "share"]), display=False)
glue("meta_wide_brownian", float(shares.loc[("Brownian", "well 2"), "share"]), display=False)
Markdown(
    f"*{short} After the first fifth of each run; 95 % intervals. Black: the stationary law of the limiting chain, for Brownian "
    "noise Gibbs' law at D = 0.2. The half-width of an outer well is the distance to its one maximum.* Largest difference from "
    f"theory: {off.max():.3f}."
)

# %% tags=["hide-input"]
shares.style.format(precision=3, formatter={"se": "{:.4f}"})

# %% [markdown]
# ## What the time step does
#
# A simulation looks at a particle once a step and misses excursions between two looks. If an exit is counted *on the maximum*,
# Brownian exits come late, by an error that falls only as $\sqrt{\mathrm{d}t}$; an edge shifted inwards by
# $0.5826\,\varepsilon\sqrt{2\,\mathrm{d}t}$ mends most of that {cite:p}`broadie1997`. Counted past the maximum, as above, there is little
# to mend. Jumps hardly care. But for Lévy noise too it matters *where* an exit is counted: some of the few particles that land
# near the maximum cross it and come back, an effect of the order of $\varepsilon$. Under Brownian noise every second one does.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Exit time over theory against the time step. Left, Brownian: counted on the maximum it is too long, by more the longer the step; with the shifted edge, and past the maximum, it is near one throughout. Right, Lévy: nearly flat in the time step; counted past the maximum near one, on the maximum two to nine percent below, most for the largest alpha."}}
figures.time_step(results)

# %% tags=["remove-input"]
runs = figures.exit_runs(results).query("vary == 'dt' and alpha == 2 and edge == 1 and dt == 0.01").set_index("shifted")
late = runs["exit time"] / runs["exit time, exact"] - 1
glue("meta_late", float(late[False]), display=False)
Markdown(
    f"*{short} Mean exit times with 95 % intervals, a = H = 1; points are moved apart a little.* At dt = 0.01 Brownian exits on the maximum are "
    f"{100 * late[False]:.0f} % late; with the shifted edge the difference is {100 * late[True]:.0f} % "
    f"(standard error {100 * (runs['se'] / runs['exit time, exact'])[True]:.1f} %)."
)

# %% [markdown]
# ## The verdict on claim C9
#
# The rule was fixed, and committed, before the runs it judges: all slopes of $\ln T$ within 0.05 of theory ($\alpha$ in
# $\ln a$, $-\alpha$ in $\ln \varepsilon$, 0 in $H$; for Brownian noise 1 in $H/D$), and every exit rate and every rate of moves
# within 5 % of theory. *Reproduced* means that all of this holds, *partly* that all of it holds for some of the noises and not for
# others. It looks at the values; their intervals need only be narrower than the tolerance. The shares of time are not judged.

# %% tags=["hide-input"]
verdict, checks = claims.c9(results), claims.c9_checks(results)
off = (checks["value"] - checks["expected"]).abs()
within, beyond = (off + checks["half"] <= 0.05).sum(), (off - checks["half"] > 0.05).sum()
glue("meta_verdict", verdict.verdict, display=False)
glue("meta_holds", verdict.numbers["holds"], display=False)
glue("meta_checks", verdict.numbers["checks"], display=False)
failed = claims.rate_ratios(results).query("kind == 'move'")["ratio"].max()
glue("meta_failed", float(failed), display=False)
Markdown(
    f"**C9: {verdict.verdict}.** {verdict.evidence} Of the 95 % intervals, {within} lie within the tolerance as a whole, {beyond} "
    f"beyond it, and {len(checks) - within - beyond} reach across."
)

# %% tags=["hide-input"]
figures.largest_deviations(results).style.format(precision=3)

# %% [markdown]
# ## Towards the limit
#
# Why are rates too large, and one by more than 5 %? The formula is a limit. After the verdict, and without changing it, the same wells were run
# again with other random numbers, at the same $\varepsilon$ and at others, and once with half the time step.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Simulated rate over theory for moves between neighbouring wells against the noise scale. The ratios come down towards one as the noise falls; at the largest noise the rates out of the wide, shallow second well are ten to twenty percent too large, at the smallest all are within about three percent. Hollow markers of half the time step lie near the filled ones."}}
more = runner.load("metastability_limit", profile)
figures.toward_the_limit(more)

# %% tags=["remove-input"]
found = figures.rates_by_noise(more).loc[("well 2", 3.0)]
halved = found.xs(found.index.levels[1].min(), level="dt").iloc[0]
found = found.xs(found.index.levels[1].max(), level="dt")
least, most, again = found.iloc[0], found.iloc[-1], found.loc[0.12]
glue("meta_least", float(least["value"]), display=False)
glue("meta_most", float(most["value"]), display=False)
Markdown(
    f"*Profile `{profile}`, seed 1: {figures.provenance_line(more)}. 95 % intervals; grey: 5 %; hollow: half the time step; points are moved apart a little.* From "
    f"well 2 to 3: {most['value']:.3f} ± {1.96 * most['se']:.3f} at ε = {most.name:g}, {again['value']:.3f} ± {1.96 * again['se']:.3f} "
    f"at ε = 0.12 ({halved['value']:.3f} ± {1.96 * halved['se']:.3f} with half the time step), {least['value']:.3f} ± "
    f"{1.96 * least['se']:.3f} at ε = {least.name:g}."
)

# %% [markdown]
# ## What the paper says, what we find, how sure
#
# * **What the paper says.** As we understand it (its PDF should be consulted): exit times under Lévy noise depend polynomially
#   on the width of a valley and not on its depth, under Brownian noise exponentially on the depth; so SGD with heavy-tailed
#   noise spends most of its time in wide valleys.
# * **What we find.** The theory it rests on describes the simulation well, in absolute times: {glue:text}`meta_holds:.0f` of
#   {glue:text}`meta_checks:.0f` checks hold. The slope in the depth is at most {glue:text}`meta_depth_slope:.3f` under Lévy
#   noise, where under Brownian noise $\ln T$ grows by {glue:text}`meta_barrier_slope:.2f` with each unit of $H/D$. The verdict of
#   the rule is *{glue:text}`meta_verdict:s`*.
# * **Where it falls short.** The formulas are limits for small $\varepsilon$. The larger $\alpha$ and the shallower the well, the more
#   is missing at the $\varepsilon$ of these runs: moves out of the wide, shallow well to its neighbours come too often, at $\alpha = 1.8$ one of
#   the two by more than the rule allows ({glue:text}`meta_failed:.3f` times the theory's rate), and exit times at that $\alpha$ do grow, slightly, with
#   the depth. The same excess comes with other random numbers and with half the time step, and it falls as the noise is made smaller: from
#   {glue:text}`meta_most:.2f` to {glue:text}`meta_least:.3f`. So it is the distance from the limit.
# * **Wide valleys.** At $\alpha = 1.5$ the narrow, deepest well holds {glue:text}`meta_narrow_levy:.0%` of the time and the wide,
#   shallowest {glue:text}`meta_wide_levy:.0%`; under Brownian noise with $D = 0.2$ it is {glue:text}`meta_narrow_brownian:.0%` and
#   {glue:text}`meta_wide_brownian:.0%`. Theory is met within {glue:text}`meta_share_off:.3f`. "Most" says too much here: widths that differ by
#   less than a factor of two give no well a majority, and an outer well, which is open to one side, counts as wider than it looks.
# * **How sure.** All numbers have standard errors from independent particles; theory, scheme and counting are tested against closed
#   forms in `tests/test_levy_sde.py`. The rate that fails is above 5 % in both of its runs, by one to three standard errors; some that
#   hold are as close to the tolerance from below. 5 % is a convention: the numbers are what counts.
# * **What this page does not show.** That gradient noise *is* of this kind. Here the noise is stable by construction, independent of
#   the position, and the coordinate is one; none of this is known of SGD, and the other pages are about the first.
