"""How often the tests of the diagnosis find heavy tails in noise whose law is known: `power`."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from tailnoise_utils import diagnosis
from tailnoise_utils.noise.matrix import centre
from tailnoise_utils.tail_index import known_laws

from .spec import Progress, Row, Spec

_LENGTHS = (3, 30)  # block lengths, per coordinate
_TESTS: dict[str, tuple[str, str, int | None]] = {
    "tail excess": ("all", "tail excess", None),
    **{f"per coordinate, K1 = {K1}": ("all", "1/alpha (per coordinate)", K1) for K1 in _LENGTHS},
    "random projections": ("all", "kurtosis (random projections)", None),
    "leading projections": ("all", "kurtosis (leading projections)", None),
    "sd of ln norm": ("all", "sd of ln norm", None),
}
TESTS = (*_TESTS, "conclusion")
_RANDOM, _LEADING = 200, 10  # projections, as many as the diagnosis takes
_LEVEL = 0.05
_RANK = 30  # factors of latent and elliptical coordinates
_NOTHING = 1e-6  # singular value, as a share of the largest, that is rounding in float32
_CHUNK = 5 * 10**5  # entries of twins at a time: they fit a cache
_QUICK = 3 * 10**8  # entries of twins in all: a quarter of a minute


@dataclass(frozen=True)
class PowerSpec(Spec):
    r"""Draw noise matrices of one law, and count how often each test of the diagnosis rejects at the 5 % level.

    So does the conclusion of a report. Twins have their law from fewer random numbers: with :math:`U = Q S V^T` a twin
    :math:`Z U / \sqrt P` is :math:`W S V^T / \sqrt P`, and W = Z Q has P x r independent standard normal numbers.
    """

    coordinates: str  #: as ``known_laws.noise_of`` has it; latent and elliptical ones have 30 factors
    alpha: float  #: index of the stable part of the noise; 2 is Gaussian noise
    share: float  #: its weight; the rest is Gaussian noise of scale 1
    P: int
    width: int
    draws: int  #: twins of every matrix; with fewer than 99 a conclusion finds nothing
    replicates: int  #: matrices
    seed: int

    @property
    def quick(self) -> bool:
        """Tell whether it takes seconds."""
        return self.P * self.width * self.draws * self.replicates <= _QUICK

    def rows(self, progress: Progress) -> list[Row]:
        """Return, per test and of the conclusion (scope), the share of matrices rejected, with its binomial error."""
        rejected = []
        for k in range(self.replicates):
            tests = self._tests(k)
            rejected.append([*(test.p <= _LEVEL for test in tests.values()), bool(diagnosis.heavier(tests))])
            progress(1 / self.replicates)
        rates = np.mean(rejected, axis=0).tolist()
        return [
            {"scope": test, "quantity": "rejected", "value": rate, "se": math.sqrt(rate * (1 - rate) / self.replicates)}
            for test, rate in zip(TESTS, rates, strict=True)
        ]

    def noise(self, replicate: int) -> tuple[Float[Tensor, "P width"], np.random.Generator]:
        """Draw the noise matrix of a replicate, columns centred; with the generator of what else the replicate needs."""
        law = (known_laws.COORDINATES.index(self.coordinates), round(1000 * self.alpha), round(1000 * self.share))
        rng = np.random.default_rng([self.seed, self.P, self.width, *law, replicate])
        shape = (self.P, self.width)
        U = known_laws.noise_of(self.coordinates, self.alpha, shape, rng, share=self.share, rank=_RANK)
        return centre(torch.from_numpy(U)).float(), rng

    def _tests(self, replicate: int) -> dict[tuple[str, str, int | None], diagnosis.Comparison]:
        """Make every test on one matrix, named as in a diagnosis."""
        U, rng = self.noise(replicate)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        G = diagnosis.gram(U)
        random = diagnosis.random_projections(G, _RANDOM, generator)
        values = _values(U, G, random, generator)
        Q, S, _ = torch.linalg.svd(U.double(), full_matrices=False)
        r = int((S / S[0] > _NOTHING).sum())
        Q, S = Q[:, :r], S[:r]
        W = torch.randn(self.P, self.draws, r, generator=generator)
        chunks = W.sub_(W.mean(0)).split(max(1, _CHUNK // U.numel()), 1)
        null = torch.cat([_null(some, Q, S, U, random) for some in chunks], 1)
        norms = diagnosis.gaussian_norms(G, self.width, (self.draws, self.P), rng)
        spreads = torch.from_numpy(np.log(norms).std(1, ddof=1))
        judged = map(diagnosis.judge, map(float, values), [*null, spreads])
        return dict(zip(_TESTS.values(), judged, strict=True))


def _values(
    U: Float[Tensor, "P p"], G: Float64[Tensor, "P P"], random: Float64[Tensor, "P random"], generator: torch.Generator
) -> list[Tensor | float]:
    """Return the statistics of the noise itself, in the order of ``TESTS``."""
    leading = diagnosis.leading_projections(G, _LEADING, generator)
    kurtoses = [diagnosis.excess_kurtosis(Y).mean() for Y in (random, leading)]
    columns = diagnosis.column_inverse(U, _LENGTHS).mean(1)
    return [diagnosis.tail_excess(U).mean(), *columns, *kurtoses, diagnosis.norm_spread(G)]


def _null(
    W: Float[Tensor, "P draws r"],
    Q: Float64[Tensor, "P r"],
    S: Float64[Tensor, " r"],
    U: Float[Tensor, "P p"],
    random: Float64[Tensor, "P random"],
) -> Float64[Tensor, "tests draws"]:
    """Return the same of twins side by side as columns, without the norms."""
    P, draws, _ = W.shape

    def by_draw(statistic: Callable[[Tensor], Tensor], X: Tensor) -> Tensor:
        twins = W @ (Q.T @ X.double() / math.sqrt(P)).float()
        return statistic(twins.reshape(P, -1)).reshape(-1, draws, X.shape[1]).mean(2)

    def tau_and_columns(X: Tensor) -> Tensor:
        return torch.cat([diagnosis.tail_excess(X)[None], diagnosis.column_inverse(X, _LENGTHS)])

    leading = _leading_kurtosis((W * S.float()).transpose(0, 1))
    return torch.cat([by_draw(tau_and_columns, U), by_draw(diagnosis.excess_kurtosis, random), leading[None]])


def _leading_kurtosis(Y: Float[Tensor, "draws P r"]) -> Float64[Tensor, " draws"]:
    """Return the mean kurtosis of ``diagnosis.leading_projections`` of many matrices, the halves in their order."""
    draws, P, r = Y.shape  # directions are fitted in the smaller of the two spaces, of coordinates and of minibatches
    half = P // 2
    kurtoses = []
    for fitted, other in ((Y[:, :half], Y[:, half : 2 * half]), (Y[:, half : 2 * half], Y[:, :half])):
        centred = fitted - fitted.mean(1, keepdim=True)
        square = centred.mT @ centred if r <= half else centred @ centred.mT
        strong = torch.linalg.eigh(square.double())[1][..., -_LEADING:].float()
        directions = strong if r <= half else centred.mT @ strong
        along = (other @ directions).transpose(0, 1)
        kurtoses.append(diagnosis.excess_kurtosis(along.reshape(half, -1)).reshape(draws, -1).mean(1))
    return torch.stack(kurtoses).mean(0)


def power_grid(profile: str) -> tuple[PowerSpec, ...]:
    """Find the power of the diagnosis's tests on Gaussian and SaS noise, alone or in a tenth of the coordinates."""
    gaussian, kinds = (2.0, 1.0), ("independent", "latent", "elliptical")
    laws = [gaussian, *((alpha, share) for share in (1.0, 0.1) for alpha in (1.95, 1.9, 1.8, 1.7, 1.5))]
    # What more coordinates change is asked of few laws, where it could matter; 4096 are what the diagnosis looks at.
    wide = [gaussian, (1.8, 0.1), (1.5, 0.1)]
    sizes = [(120, 200, 99, 100, laws), (120, 4096, 99, 60, wide), (600, 200, 99, 40, laws)]
    if profile == "smoke":
        laws = [(alpha, share) for alpha, share in laws if alpha not in (1.7, 1.9)]
        sizes = [(120, 30, 99, 2, laws), (120, 100, 99, 2, wide)]
    return tuple(
        PowerSpec(kind, *law, P, width, draws, replicates, 0)
        for P, width, draws, replicates, chosen in sizes
        for kind in kinds
        for law in chosen
    )
