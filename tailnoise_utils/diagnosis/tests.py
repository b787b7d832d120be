"""The tests across the minibatches in a diagnosis, on the whole network and on every group."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from .joint import Estimate
from .per_coordinate import (
    Comparison,
    column_inverse,
    column_lengths,
    gaussian_norms,
    gaussian_null,
    gram,
    judge,
    norm_spread,
    stable_null,
    tail_excess,
)
from .projections import anderson_darling, discoveries, excess_kurtosis, leading_projections, random_projections
from .twins import STABLE

COLUMNS = 4096  # live columns of the whole network that the tests look at; twice as many take twice the time
GROUP_COLUMNS = 256  # of every group
_STABLE_DRAWS = 19
_RANDOM, _LEADING = 200, 10  # projections


def tests_of_columns(
    live: Float[Tensor, "P live"],
    gradients: Float[Tensor, "P live"],
    picks: dict[str, Int64[Tensor, " places"]],
    draws: int,
    generator: torch.Generator,
) -> tuple[dict[tuple[str, str, int | None], Comparison], dict[int, Estimate], Estimate]:
    """Test tau and the block estimate per coordinate, on samples of them; add the positive control."""
    at = torch.cat(list(picks.values())).to(live.device)
    U = live[:, at]
    sizes = [len(pick) for pick in picks.values()]
    lengths = column_lengths(len(live))

    def statistic(noise: Tensor, uncentred: Tensor | None = None) -> Tensor:
        inverse = column_inverse(noise if uncentred is None else uncentred, lengths)
        values = torch.cat([tail_excess(noise)[None], inverse])
        return torch.stack([part.nanmean(1) for part in values.split(sizes, 1)], 1).cpu()

    value = statistic(U, gradients[:, at])
    null = gaussian_null(U, statistic, draws=draws, generator=generator)
    stable = stable_null(U, statistic, alpha=STABLE, draws=_STABLE_DRAWS, generator=generator)[:, :, 0]
    names = [("tail excess", None), *(("1/alpha (per coordinate)", K1) for K1 in lengths)]
    tests = {
        (scope, quantity, x): judge(float(value[i, j]), null[:, i, j])
        for j, scope in enumerate(picks)
        for i, (quantity, x) in enumerate(names)
    }
    tail_control, *controls = (Estimate(float(values.mean()), float(values.std())) for values in stable.T)
    return tests, dict(zip(lengths, controls, strict=True)), tail_control


def tests_of_rows(
    live: Float[Tensor, "P live"],
    inner: Float64[Tensor, "P P"],
    members: dict[str, Int64[Tensor, " places"]],
    draws: int,
    generator: torch.Generator,
) -> tuple[dict[tuple[str, str, int | None], Comparison], dict[tuple[str, str], float]]:
    """Test norms and projections, for which the rows' inner products suffice; add the shares that are found not normal."""
    P = len(live)
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    tests: dict[tuple[str, str, int | None], Comparison] = {}
    shares: dict[tuple[str, str], float] = {}
    for scope, places in {"all": torch.arange(live.shape[1]), **members}.items():
        G = inner if scope == "all" else gram(live[:, places.to(live.device)]).cpu()
        random = random_projections(G, _RANDOM, generator)

        def projections(M: Tensor, G: Tensor = G, random: Tensor = random) -> dict[str, Tensor]:
            leading = leading_projections(M @ G @ M.T, _LEADING, generator)
            return {"random projections": M @ random, "leading projections": leading}

        def kurtoses(M: Tensor, projections: Callable[[Tensor], dict[str, Tensor]] = projections) -> Tensor:
            return torch.stack([excess_kurtosis(Y).mean() for Y in projections(M).values()])

        identity = torch.eye(P, dtype=torch.float64)  # twins of it are the mixing matrices themselves
        null = gaussian_null(identity, kurtoses, draws=draws, generator=generator)
        for (name, Y), values in zip(projections(identity).items(), null.T, strict=True):
            tests[scope, f"kurtosis ({name})", None] = judge(float(excess_kurtosis(Y).mean()), values)
            shares[scope, name] = not_normal(Y)
        spreads = np.log(gaussian_norms(G, len(places), (draws, P), rng)).std(1, ddof=1)
        tests[scope, "sd of ln norm", None] = judge(norm_spread(G), torch.from_numpy(spreads))
    return tests, shares


def not_normal(Y: Float[Tensor, "n series"]) -> float:
    """Compute the share of the series that are found not normal."""
    return float(discoveries(anderson_darling(Y)[1]).double().mean())
