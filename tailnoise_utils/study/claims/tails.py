"""Is the noise heavier than Gaussian across the minibatches? O1, O2, and what stands beside each verdict."""

import numpy as np
import pandas as pd

from tailnoise_utils.diagnosis import stable_index

from ..results.reading import CONFIGURATION, FITS, at_end, at_start, span, values
from ..results.store import Results
from .batch_size import exponents
from .verdict import Verdict, cells_of, judge

_RISE = 0.02  # of a scaling exponent from small to larger minibatches; finite data give stable noise less
_CLEAR = 0.05  # tau that counts as heavier: a stable index of 1.95 (chosen when the values were known)


def configurations(*results: Results) -> pd.DataFrame:
    """Return tau of each configuration that left chance, at the last snapshot (mean over seeds), and whether it fits.

    `share` is tau / ln K1, all that such tails can add to 1/alpha^.
    """
    end = pd.concat([at_end(one) for one in results])
    last = end.groupby([*CONFIGURATION, "seed"])["iteration"].transform("max")  # not of a run that was cut short
    end = end[end["iteration"] == last]
    tau, accuracy, K1 = (
        values(end, name).set_index([*CONFIGURATION, "run"])["value"]
        for name in ("tail excess", "accuracy", "K1 (corrected)")
    )
    runs = end.drop_duplicates("run").set_index([*CONFIGURATION, "run"])
    P = runs["n_train"] // runs.get("noise_batch_size", runs["batch_size"])
    table = pd.DataFrame({"tau": tau, "share": tau / np.log(K1), "fits": accuracy.reindex(tau.index) >= FITS, "P": P})
    table = table.groupby(level=CONFIGURATION).agg({"tau": "mean", "share": "mean", "fits": "all", "P": "first"})
    return table.assign(heavier=table["tau"] > _CLEAR).reset_index()


def heavier(*results: Results) -> tuple[str, str]:
    """Say in a word whether noise is heavier than Gaussian across the minibatches, and how heavy by tau."""
    if (table := configurations(*results)).empty:
        return "not measured", ""
    words, sentences = [], []
    both = table["fits"].nunique() > 1
    for name, group in (("that fit", table[table["fits"]]), ("that do not fit", table[~table["fits"]])):
        if group.empty:
            continue
        count, low, high = int(group["heavier"].sum()), group["tau"].min(), group["tau"].max()
        word = {0: "no", len(group): "yes"}.get(count, f"in {count} of {len(group)}")
        place = (" where networks fit" if name == "that fit" else " elsewhere") * both
        words.append(f"{word}{place} (tau {span(low, high, 'z.2f')})")
        ruler = [stable_index(tau, int(P)) for tau, P in zip(group["tau"], group["P"], strict=True)]
        indices = span(max(ruler), min(ruler), ".2f")
        sentences.append(
            f"Networks {name}: heavier than Gaussian in {count} of {len(group)} configurations, tau {span(low, high)} "
            f"(a stable index of {indices} has the same tau)."
        )
    sentences.append(f"To 1/alpha^ such tails add {table['share'].max():.2f} at most; the Gaussian twin has the rest.")
    return "; ".join(words), " ".join(sentences)


def scaling(results: Results) -> tuple[str, str]:
    """Say whether the scale of the noise falls with one power of b after training, as that of stable noise would."""
    table = exponents(results).query("when == 'after training'").groupby(CONFIGURATION)[["small", "large"]].mean()
    if table.empty:
        return "not measured", ""
    (a, b), (c, d) = ((table[name].min(), table[name].max()) for name in ("small", "large"))
    rises = int((table["large"] - table["small"] > _RISE).sum())
    words = {0: "one index fits", len(table): "no single index"}
    word = words.get(rises, f"no single index in {rises} of {len(table)}")
    return word, f"Scaling exponent {a:.2f} to {b:.2f} from 10 to 100 samples, {c:.2f} to {d:.2f} to 1000."


def o1(fcn: Results) -> Verdict:
    """O1: Most of the gap 1/alpha^ - 1/2 before training is correlation between coordinates.

    The rule: before training correlation is more than half of the gap in each configuration (means over the seeds).
    """
    start = at_start(fcn)
    names = ("decomposition: correlation", "decomposition: e_0")
    correlation, gap = (values(start, name).groupby(CONFIGURATION)["value"].mean() for name in names)
    shares = (correlation / gap).rename("value").reset_index()
    cells = cells_of(shares.assign(holds=shares["value"] > 0.5))
    return judge(o1, cells, "correlation, fraction of the gap", "(ours) more than half", (0.5, 1.0))


def o2(fcn: Results) -> Verdict:
    """O2: The noise of networks that fit their data is heavier than Gaussian across minibatches.

    The rule: tau of each configuration that fits (training accuracy .95 or more) is more than .05, that of stable noise of
    index 1.95.
    """
    table = configurations(fcn).query("fits").rename(columns={"tau": "value", "heavier": "holds"})
    return judge(o2, cells_of(table), "tau", "(ours) above .05", (_CLEAR, np.inf))
