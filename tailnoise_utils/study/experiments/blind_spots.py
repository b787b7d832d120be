"""What the joint estimate cannot see, and what the tests beside it can: simulations on noise whose law is known.

Each function draws its noise with a fixed seed and gives a table; :mod:`tailnoise_utils.study.figures` draws them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tailnoise_utils import diagnosis, tail_index
from tailnoise_utils.noise.matrix import centre
from tailnoise_utils.tail_index import known_laws

P = 120
_ALPHA, _TAU, _RHO = 1.5, 0.8, 0.6  # of the heavy laws; sd of ln scale; what groups of ten share
_WIDTH, _K1 = 1000, 250  # blocks lie inside rows
_PARTS_WIDTH, _PARTS_K1 = 2000, 500
_SIZE = 250_000


def _scales(width: int) -> np.ndarray:
    """Return lognormal scales in no order, the same ones always."""
    return np.exp(_TAU * np.random.default_rng([7, width]).standard_normal(width))


def _noise(law: str, width: int, generator: np.random.Generator) -> Tensor:
    """Draw noise of a law by its name in the tables, not centred."""
    name, _, coordinates = law.partition(", ")
    kind = {"latent": "latent", "elliptical": "elliptical", "correlated in tens": "grouped"}.get(
        coordinates, "independent"
    )
    rank = None if kind == "elliptical" else 30
    U = known_laws.noise_of(kind, 2.0 if name == "Gaussian" else _ALPHA, (P, width), generator, rank=rank, rho=_RHO)
    if "scales" in coordinates:
        U *= np.sort(_scales(width)) if "sorted" in coordinates else _scales(width)
    return torch.from_numpy(U).float()


def _draws(
    laws: Iterable[str], replicates: int, width: int, stream: tuple[int, int]
) -> Iterator[tuple[str, int, Tensor, np.random.Generator]]:
    """Draw some noise matrices of each law: its name, the number of the matrix, this, and the generator after it."""
    for i, law in enumerate(laws):
        for k in range(replicates):
            generator = np.random.default_rng([*stream, i, k])
            yield law, k, _noise(law, width, generator), generator


def _mean_and_se(values: list[float]) -> dict[str, float]:
    """Return a mean and its standard error."""
    return {"value": np.mean(values), "se": float(np.std(values, ddof=1)) / math.sqrt(len(values))}


def twins(replicates: int, *, seed: int = 0) -> pd.DataFrame:
    """Give joint ``1/alpha`` and ``tail excess`` by law, replicate and kind (noise, or its Gaussian twin)."""
    laws = ("Gaussian, i.i.d.", "SaS 1.5, i.i.d.", "SaS 1.5, latent", "SaS 1.5, elliptical")
    laws += ("Gaussian, unequal scales", "Gaussian, correlated in tens")
    rows = []
    for law, k, U, generator in _draws(laws, replicates, _WIDTH, (seed, 1)):
        # Each law has mixing matrices of its own, so that their results are independent.
        mixing = torch.Generator().manual_seed(int(generator.integers(2**62)))
        for kind, X in (("noise", U), ("twin", diagnosis.gaussian_twin(U, mixing))):
            inverse = tail_index.mohammadi(X, _K1).inverse
            tau = float(diagnosis.tail_excess(centre(X)).mean())
            rows.append({"law": law, "replicate": k, "kind": kind, "1/alpha": inverse, "tail excess": tau})
    return pd.DataFrame(rows)


def _excess(scales: np.ndarray, alpha: float = 2.0) -> float:
    """Return what unequal scales add to 1/alpha^ of shuffled entries."""
    return (math.log(np.mean(scales**alpha)) / alpha - np.log(scales).mean()) / math.log(_PARTS_K1)


def truths() -> dict[str, dict[str, float]]:
    """Give the parts of the gap by law, as theory has them for large K1, with what errors of estimated scales add."""
    # Where entries share their tails, mixed rows show these only as far as there are rows: for K1 well above P a block of
    # mixed entries sees their mean square, P^(2 / alpha - 1) times a stable number, in law, to about a hundredth.
    log_K1, scales = math.log(_PARTS_K1), _scales(_PARTS_WIDTH)
    off = {alpha: diagnosis.expected_scaled(P, _PARTS_K1, alpha) - 1 / alpha for alpha in (2.0, _ALPHA)}
    none = {"correlation": 0.0, "order": 0.0, "scales": 0.0, "tails": 0.0}
    error = off[_ALPHA] - off[2.0]
    heavy = none | {"scales": -error, "tails": 1 / _ALPHA - 0.5 + error}
    windows, unequal = np.sort(scales).reshape(-1, _PARTS_K1), _excess(scales)
    in_order = (np.log(np.mean(windows**2, axis=1)).mean() / 2 - np.log(scales).mean()) / log_K1
    seen = {rows: (1 / _ALPHA - 0.5) * math.log(rows) / log_K1 for rows in (P, P // 2)}
    shared = {"correlation": -seen[P], "order": 0.0, "scales": seen[P] - seen[P // 2], "tails": seen[P // 2]}
    return {
        "Gaussian, i.i.d.": none,
        "Gaussian, correlated in tens": none | {"correlation": math.log1p((known_laws.BLOCK - 1) * _RHO) / 2 / log_K1},
        "Gaussian, unequal scales": none | {"scales": unequal},
        "Gaussian, sorted scales": none | {"order": in_order - unequal, "scales": unequal},
        "SaS 1.5, i.i.d.": heavy,
        "SaS 1.5, unequal scales": heavy | {"scales": _excess(scales, _ALPHA) - error},
        "SaS 1.5, latent": shared,
        "SaS 1.5, elliptical": shared,
    }


def known_parts(replicates: int, *, seed: int = 0) -> pd.DataFrame:
    """Give mean, standard error and truth of every part (``e_0``: their sum) of noise whose parts are known."""
    known = truths()
    decompositions = defaultdict(list)
    for law, k, U, _ in _draws(known, replicates, _PARTS_WIDTH, (seed, 2)):
        decompositions[law].append(diagnosis.decompose(U, K1=_PARTS_K1, seed=k))
    return pd.DataFrame(
        {"law": law, "part": part, **_mean_and_se([getattr(one, part).value for one in several]), "truth": truth}
        for law, several in decompositions.items()
        for part, truth in {**known[law], "e_0": sum(known[law].values())}.items()
    )


def zeros(replicates: int, *, seed: int = 0) -> pd.DataFrame:
    """Give the joint 1/alpha^ of Gaussian entries, a share of them zero, by convention and factor on the loss."""
    law, K1 = known_laws.law("zeros"), math.isqrt(_SIZE)
    rows = []
    for i, share in enumerate((0.0, 0.1, 0.2, 0.3, 0.4, 0.5)):
        samples = [law.sample(share, _SIZE, np.random.default_rng([seed, 4, i, k])) for k in range(replicates)]
        for convention, factor in (("corrected", 1.0), ("published", 1.0), ("published", 1e-3)):
            values = [tail_index.mohammadi(factor * x, K1, convention=convention).inverse for x in samples]
            closed = law.block_inverse(share, K1, convention)
            if convention == "published":
                closed += share * math.log(factor) / math.log(K1)
            row = {"share": share, "convention": convention, "factor": factor}
            rows.append(row | _mean_and_se(values) | {"closed": closed})
    return pd.DataFrame(rows).rename(columns={"value": "1/alpha"})


def block_lengths(replicates: int, *, seed: int = 0) -> pd.DataFrame:
    """Give the mean joint 1/alpha^ against K1, with the coordinates listed in order and in one random order."""
    laws = ("SaS 1.5, i.i.d.", "Gaussian, i.i.d.", "Gaussian, correlated in tens", "Gaussian, sorted scales")
    rows = []
    for law, _, U, generator in _draws(laws, replicates, _PARTS_WIDTH, (seed, 5)):
        order = torch.from_numpy(generator.permutation(_PARTS_WIDTH))
        for name, X in (("listed", U), ("permuted", U[:, order])):
            curve = diagnosis.curve(X, lengths=(10, 20, 50, 100, 200, 500, 1000))
            rows += [{"law": law, "order": name, "K1": K1, "value": value} for K1, (value, _) in curve.items()]
    grouped = pd.DataFrame(rows).groupby(["law", "order", "K1"], sort=False)["value"]
    return grouped.agg(value="mean", se="sem").reset_index()
