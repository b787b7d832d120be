"""Why noise is heavier than Gaussian: how few images reach a coordinate of the gradient: `few_images`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from tailnoise_utils.diagnosis import log_scale, tail_excess
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.noise.matrix import centre, deviation
from tailnoise_utils.noise.parameters import slices
from tailnoise_utils.noise.per_sample import effective_number, per_sample_gradients, per_sample_norms
from tailnoise_utils.stable import sample
from tailnoise_utils.tail_index import hill
from tailnoise_utils.tail_index.logs import alive

from ..networks.data import PERMUTED
from .paper import binned
from .spec import Measured, Progress, Row
from .trainings import few, seeds, training

EDGES = (0.0, 0.05, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 16.0)  # lower edges of the bins of events
_PAIRS = 1000  # coordinates that are kept one by one
_CHUNK = 100  # images whose norms are taken at a time


@dataclass(frozen=True)
class FewImagesSpec(Measured):
    r"""Train a network and ask whether the tail excess of each coordinate is that of the few images which it sees.

    Of a random partition the first half of the minibatches, A, gives the events of a coordinate, the other half its tail
    excess and all else (Edgeworth: a sum of independent images has an excess kurtosis of 1 / events):

    .. math:: \mathrm{events}_j = \frac{2b}{n} \frac{(\sum_{i \in A} g_{ij}^2)^2}{\sum_{i \in A} g_{ij}^4}, \qquad
        \tau_j \approx \frac{1}{12\, \mathrm{events}_j}.

    Rows are of sampled coordinates, as many of each layer, and means over them; "unit norms" and "cut norms" are of noise
    for which the gradient of every image is first divided by its norm, or cut to the median norm of all images.
    """

    noise_batch_size: int  #: images in a minibatch when noise is measured, b
    points: tuple[int, ...]  #: which snapshots
    sizes: tuple[int, ...]  #: minibatch sizes of the log-scale, multiples of the first that divide n / 2, as b is
    coordinates: int  #: how many are sampled
    planted: float  #: index of independent SaS numbers in place of the gradients by image (9 10^6), 0 for none
    once: ClassVar[tuple[str, ...]] = (*Measured.once, "tail excess of a coordinate")

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return loss, accuracy, the images by norm; tail excess of three noises, in bins of events, and log-scales."""
        n, b, base, seed = self.train.n_train, self.noise_batch_size, self.sizes[0], self.train.seed
        columns, scopes = stratified(slices(model), self.coordinates, 6 * 10**6 + seed)
        half, rows, weights = n // b // 2, self._performance(model, "train"), {"": torch.ones(n)}
        if not self.planted:
            parts = (part for x, y in self._batches() for part in zip(x.split(_CHUNK), y.split(_CHUNK), strict=True))
            norms = torch.cat([per_sample_norms(model, self._loss(), *part) for part in parts])
            tail = hill(norms.cpu().numpy())
            rows.append({"quantity": "images by norm", "value": float(effective_number([norms[:, None]]))})
            rows.append({"quantity": "1/alpha (Hill, norms)", "value": tail.inverse, "se": tail.inverse_se})
            unit = torch.where(norms > 0, 1 / norms, 0)
            weights |= {"unit norms: ": unit, "cut norms: ": (norms.median() * unit).clamp(max=1)}
        progress(0.4)
        samples = self._samples(model, columns)
        sums: dict[str, list[Tensor]] = {name: [] for name in weights}

        def other_half() -> Iterator[Float[Tensor, "b c"]]:
            for i, g in enumerate(samples, start=half):
                for name, w in weights.items():
                    each = w[i * b : (i + 1) * b, None].to(g)
                    sums[name].append((each * g).view(-1, base, len(columns)).mean(1))
                yield g

        counts = np.stack([effective_number(some).cpu().numpy() for some in (islice(samples, half), other_half())])
        progress(0.3)
        for name, means in sums.items():
            rows += self._noise_rows(name, torch.cat(means), counts[0] / half, scopes)
        agreement = float(np.corrcoef(np.log(counts[:, np.isfinite(counts).all(axis=0)]))[0, 1])
        rows.append({"quantity": "events (correlation of the halves)", "value": agreement})
        progress(0.3)
        return [row | {"split": "train"} for row in rows]

    def _samples(self, model: nn.Module, columns: Int64[Tensor, " c"]) -> Iterator[Float[Tensor, "b c"]]:
        """Yield the gradients by image of each minibatch at some coordinates, or what is planted in their place."""
        generator = torch.Generator().manual_seed(9 * 10**6 + self.train.seed)
        for x, y in self._batches():
            if self.planted:
                yield sample(self.planted, (len(x), len(columns)), generator=generator)
            else:
                yield per_sample_gradients(model, self._loss(), x, y, columns.to(x.device))

    def _noise_rows(
        self, name: str, means: Float[Tensor, "m c"], events: Float64[np.ndarray, " c"], scopes: dict[str, slice]
    ) -> list[Row]:
        """Return the rows of one noise from the mean gradients of every `sizes[0]` images of half B."""
        base, c = self.sizes[0], means.shape[1]
        U = centre(means.view(-1, self.noise_batch_size // base, c).mean(1))
        live = alive(U)
        if not bool(live.any()):
            raise NothingAlive(f"nothing is alive: all {len(U)} minibatches have the same gradient")
        tau, rows = tail_excess(U).cpu().numpy(), []  # NaN where a coordinate is dead
        usable = np.isfinite(tau) & np.isfinite(events)
        for scope, part in scopes.items():
            values, seen = tau[part][usable[part]], events[part][usable[part]]
            of_scope = [{"quantity": f"{name}tail excess", "value": float(values.mean())}] if len(values) else []
            if not name:
                of_scope += binned(seen, values, EDGES)
            rows += [row | {"scope": scope} for row in of_scope]
        if not name and self.train.seed == 0:
            some = np.flatnonzero(usable)[:: max(1, c // _PAIRS)]
            pairs = zip(events[some].tolist(), tau[some].tolist(), strict=True)
            rows += [{"quantity": "tail excess of a coordinate", "x": x, "value": value} for x, value in pairs]
        full, n = means.double().mean(0), base * len(means)
        for size in self.sizes:
            noise = deviation(means.view(-1, size // base, c).mean(1), full)
            value, se = log_scale(noise, size, n, live=live)["all"]
            rows.append({"quantity": f"{name}log-scale", "x": float(size), "value": value, "se": se})
        return rows


def stratified(parts: dict[str, list[slice]], count: int, seed: int) -> tuple[Int64[Tensor, " c"], dict[str, slice]]:
    """Sample coordinates at random, as many of each layer if it has them; return them, increasing, and where each lies."""
    generator, chosen, scopes, start = torch.Generator().manual_seed(seed), [], {}, 0
    for name, group in parts.items():
        inside = torch.cat([torch.arange(part.start, part.stop) for part in group])
        chosen.append(inside[torch.randperm(len(inside), generator=generator)[: count // len(parts)]].sort().values)
        scopes[name] = slice(start, start := start + len(chosen[-1]))
    return torch.cat(chosen), {"all": slice(0, start), **scopes}


def compound_poisson(events: Float64[np.ndarray, " e"], P: int) -> Float64[np.ndarray, " e"]:
    """Simulate the tail excess of P minibatches where an image has a standard normal gradient or, mostly, none at all."""
    generator, values = torch.Generator().manual_seed(0), []
    for rate in 3 * events:
        Z = torch.randn(P, 4000, generator=generator)
        X = centre(torch.poisson(torch.full_like(Z, rate), generator=generator).sqrt() * Z)
        live = alive(X)
        values.append(float((tail_excess(X[:, live]) - tail_excess(centre(Z[:, live]))).mean()))
    return np.array(values)


def few_images_grid(profile: str) -> tuple[FewImagesSpec, ...]:
    """Set a coordinate's tails against the images that count in it, and planted noise; 3 seeds."""
    fcn, small = {"model": "fcn", "width": 128}, {"n_train": 6000, "batch_size": 50, "lr": 0.05}
    early = (0, 10, 20, 30, 50, 100, 1000, 4000)  # MNIST has the loss of CIFAR-10 at its end after some 20 steps
    # Settings of `training`, what differs from it, the index of what is planted.
    networks: list[tuple[dict[str, Any], dict[str, Any], float]] = [
        (fcn | {"dataset": "mnist", "iterations": 4000, "snapshots": early}, {}, 0.0),
        (fcn | {"dataset": "cifar10", "iterations": 4000}, {}, 0.0),
        (fcn | {"dataset": "cifar10", "depth": 4, "iterations": 8000}, small, 0.0),
        (fcn | {"dataset": "mnist", "depth": 4, "iterations": 12_000}, small | {"dataset": f"mnist{PERMUTED}"}, 0.0),
        (fcn | {"dataset": "mnist", "depth": 9, "width": 512, "iterations": 0}, {}, 0.0),
        ({"model": "cnn", "dataset": "cifar10", "width": 16, "iterations": 2000, "snapshots": (0, 2000)}, {}, 0.0),
        (fcn | {"dataset": "mnist", "iterations": 0}, {}, 1.8),
    ]
    if profile == "smoke":
        tiny = {"model": "fcn", "dataset": "digits", "width": 32}
        networks = [(tiny | {"iterations": 400}, {}, 0.0), (tiny | {"iterations": 0}, {}, 1.8)]
        networks.insert(1, (networks[0][0], {"dataset": f"digits{PERMUTED}"}, 0.0))
    specs = []
    for seed, (settings, changes, planted) in product(seeds(profile), networks):
        settings = {"snapshots": few(settings["iterations"])} | settings
        t = replace(training(**settings, profile=profile, seed=seed), **changes)
        sizes = tuple(b for b in (10, 50, 100, 500, 1000, 5000) if t.n_train // 2 % b == 0 and 6 * b <= t.n_train)
        specs.append(FewImagesSpec(t, t.batch_size, t.snapshots, sizes, 512 if profile == "smoke" else 4096, planted))
    return tuple(specs)
