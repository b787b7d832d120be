"""The networks of the paper's figures at the paper's own settings: `iterations`, `fcn_size`, `cnn_size` in paper, full."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tailnoise_utils.diagnosis import gaussian_twin, sample_columns
from tailnoise_utils.diagnosis.per_coordinate import gram, norm_spread, tail_excess
from tailnoise_utils.diagnosis.twins import flip_columns, twin_inverse
from tailnoise_utils.measurement.one_call import NothingAlive, measure
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.noise.parameters import slices
from tailnoise_utils.noise.per_sample import images_per_coordinate
from tailnoise_utils.tail_index import mohammadi
from tailnoise_utils.tail_index.blocks import PUBLISHED_EPSILON
from tailnoise_utils.tail_index.logs import alive, chosen

from ..networks.snapshots import PaperTrainSpec, Snapshots
from .batch_size import BatchSizeSpec
from .spec import FIXED_K1, AlongTraining, Progress, Row
from .trainings import training

HORIZON = 65_000
EARLY = 1500  # the paper's Figure 7 has its dip before
_COORDINATES = 4096  # whose images are counted
_DRAWS = 3  # twins that are drawn, where the closed form is checked
_EVENTS = (0.0, *(2.0**k for k in range(-7, 10)))  # lower edges of the bins of events


@dataclass(frozen=True)
class PaperSpec(AlongTraining):
    """Train at the paper's settings and measure the noise of its minibatches, in data order, at every snapshot.

    The joint estimate in both conventions (at its own K1 and at 1000) with its Gaussian twin's closed form, tail excess,
    dead coordinates, norms, performance. At the start, the dip (of alpha^ up to iteration 1,500) and the end also: a random
    partition, random signs, drawn twins, and images per coordinate in bins of events.
    """

    train: PaperTrainSpec
    noise_batch_size: int  #: images in a minibatch when noise is measured
    #: keep all norms of the training minibatches and of one drawn twin (7 10^6 + 1000 the run's seed + iteration)
    norms: bool
    #: points at which alpha^ is also taken over minibatches as large as those of the training
    streamed: tuple[int, ...]

    def rows(self, progress: Progress) -> list[Row]:
        """Train, measuring as training goes on, and take the details; the row "stopped" names the last snapshot."""
        spec, snapshots = self.train, Snapshots(self.train, self.data_sha256())

        def every(point: int, model: nn.Module | None = None) -> list[Row]:
            return self._kept(point, lambda: self.measure(model or snapshots.load(point), lambda share: None, point))

        diverged = snapshots.train(lambda steps: progress(steps / spec.iterations), every)
        stop = snapshots.iterations()
        points = [point for point in sorted({*spec.snapshots, stop}) if snapshots.path(point).exists()]
        rows: list[Row] = []
        try:
            for point in points:
                rows += every(point)
        except FloatingPointError as error:
            diverged = str(error)
        points = sorted({row["iteration"] for row in rows})
        lowest = [row for row in rows if (row["quantity"], row.get("split")) == ("1/alpha (published)", "train")]
        early = [row for row in lowest if row["iteration"] <= EARLY]
        early = early if len(early) > 2 else lowest  # measured too rarely to have a dip there
        dip = max(early, key=lambda row: row["value"])["iteration"] if early else stop
        for point in sorted({points[0], dip, points[-1]} if points else ()):
            rows += self._kept(point, lambda point=point: self.details(snapshots.load(point)), "-details")
        rows.append({"quantity": "stopped", "value": float(stop), "iteration": stop})
        if diverged:
            rows.append({"quantity": "diverged", "value": float(stop)})
        return rows

    def measure(self, model: nn.Module, progress: Progress, point: int = 0) -> list[Row]:
        """Return what every snapshot has, of both splits in data order; `point` is its number of steps."""
        loss_fn, b = self._loss(), self.noise_batch_size
        rows: list[Row] = []
        for split in ("train", "test"):
            of_split = self._performance(model, split)
            U = noise_matrix(model, loss_fn, Minibatches(*self._split(split), b, order="data", drop_last=True))
            of_split += joint_rows(U, "", twin=True)
            of_split += coordinate_rows(U, slices(model, None), "")
            G = gram(U)
            of_split.append({"quantity": "norm", "value": float(G.diagonal().sqrt().mean())})
            of_split.append({"quantity": "sd of ln norm", "value": norm_spread(G)})
            if self.norms and split == "train":
                generator = np.random.default_rng(7 * 10**6 + 1000 * self.train.seed + point)
                Z = generator.standard_normal((len(G), len(G))) / np.sqrt(len(G))
                twin = np.einsum("ik,kl,il->i", Z, G.cpu().numpy(), Z)
                for name, squares in (("norm (each)", G.diagonal().cpu().numpy()), ("norm (each, twin)", twin)):
                    norms = enumerate(np.sqrt(squares).tolist())
                    of_split += [{"quantity": name, "x": float(i), "value": value} for i, value in norms]
            rows += [row | {"split": split} for row in of_split]
            del U
        if point in self.streamed:
            batches = Minibatches(*self._split("train"), self.train.batch_size, order="data")
            report = measure(model, loss_fn, batches, groups={}, diagnosis=False, method="streaming")
            for name, index in (("published", report.published), ("corrected", report.corrected)):
                value = {"value": index.inverse, "se": index.inverse_se}
                rows.append({"split": "train", "quantity": f"1/alpha ({name}, own b)", **value})
        return rows

    def details(self, model: nn.Module) -> list[Row]:
        """Return what some snapshots have: a random partition, random signs, drawn twins, images per coordinate."""
        loss_fn, seed = self._loss(), self.train.seed
        (x, y), b, parts = self._split("train"), self.noise_batch_size, slices(model, None)
        U = noise_matrix(model, loss_fn, self._batches())
        rows = joint_rows(U, "random partition: ", twin=True) + coordinate_rows(U, parts, "random partition: ")
        columns = sample_columns(U.shape[1], parts, _COORDINATES, seed=6 * 10**6 + seed)
        columns = columns[alive(U[:, columns])]
        events = images_per_coordinate(model, loss_fn, x, y, columns.to(x.device)).cpu().numpy() * b / len(x)
        tau = tail_excess(U[:, columns]).cpu().numpy()
        for scope, group in {"all": [slice(0, U.shape[1])], **parts}.items():
            within = np.isin(columns.numpy(), np.concatenate([np.r_[part] for part in group]))
            rows += [row | {"scope": scope} for row in binned(events[within], tau[within])]
        del U
        U = noise_matrix(model, loss_fn, self._batches("data"))
        generator = torch.Generator().manual_seed(5 * 10**6 + seed)
        draws = [joint_rows(gaussian_twin(U, generator), "drawn twin: ", twin=False) for _ in range(_DRAWS)]
        for same in zip(*draws, strict=True):
            values = [row["value"] for row in same]
            se = float(np.std(values, ddof=1) / np.sqrt(_DRAWS))
            rows.append({"quantity": same[0]["quantity"], "value": float(np.mean(values)), "se": se})
        rows += joint_rows(flip_columns(U, 4 * 10**6 + seed), "signs: ", twin=False)
        return [row | {"split": "train"} for row in rows]

    def _everything(self, model: nn.Module, iteration: int) -> list[Row]:
        """Return all that a run has of its first or last snapshot."""
        return self.measure(model, lambda share: None, iteration) + self.details(model)


@dataclass(frozen=True)
class PaperBatchSpec(PaperSpec):
    """Train at the paper's settings at one minibatch size b (x) and measure equally many minibatches at each."""

    minibatches: int  #: how many at a time
    half: bool

    def measure(self, model: nn.Module, progress: Progress, point: int = 0) -> list[Row]:
        """Return what every snapshot has, at the size of the minibatches of the training."""
        rows = self._performance(model, "train") + self._performance(model, "test")
        return rows + self._at(model, self.noise_batch_size)

    def details(self, model: nn.Module) -> list[Row]:
        """Return the same at half of the images."""
        return self._at(model, self.train.n_train // 2) if self.half else []

    def _at(self, model: nn.Module, b: int) -> list[Row]:
        """Return 1/alpha^ with its twin, tail excess, dead coordinates and the norm of minibatches of one size."""
        sizes = BatchSizeSpec(self.train, self.points, (b,), self.minibatches)
        [(_, U)] = sizes.matrices(model, lambda share: None)
        rows = joint_rows(U, "", twin=True) + coordinate_rows(U, slices(model, None), "")
        rows.append({"quantity": "norm", "value": float(U.double().norm(dim=1).mean())})
        return [row | {"split": "train", "x": float(b)} for row in rows]


def joint_rows(U: Float[Tensor, "P p"], prefix: str, *, twin: bool, fixed: bool = True) -> list[Row]:
    """Give the joint estimate in both conventions, at its own K1 and, if `fixed`, at 1000, and the twin's closed form."""
    live = alive(U)
    if not bool(live.any()):
        raise NothingAlive(f"nothing is alive: all {len(U)} minibatches have the same gradient")
    rows: list[Row] = []
    for convention, epsilon in (("published", PUBLISHED_EPSILON), ("corrected", 0.0)):
        V = U if epsilon or bool(live.all()) else chosen(U, live)
        index = mohammadi(V, convention="published" if epsilon else "corrected")
        estimates = {f"1/alpha ({convention})": (index.inverse, index.inverse_se, index.info["K1"])}
        if fixed and V.numel() >= 2 * FIXED_K1:
            flat = V.reshape(-1)[: V.numel() // FIXED_K1 * FIXED_K1]
            at_fixed = mohammadi(flat, FIXED_K1, convention="published") if epsilon else mohammadi(V, FIXED_K1)
            se = float("nan") if epsilon else at_fixed.inverse_se
            estimates[f"1/alpha ({convention}, K1 = 1000)"] = at_fixed.inverse, se, FIXED_K1
        for name, (value, se, _) in estimates.items():
            rows.append({"quantity": prefix + name, "value": value, "se": se})
        if twin:
            twins = twin_inverse(V, [K1 for *_, K1 in estimates.values()], epsilon=epsilon)
            for name, value in zip(estimates, twins, strict=True):
                rows.append({"quantity": f"{prefix}twin {name}", "value": value})
            rows.append({"quantity": f"{prefix}K1 ({convention})", "value": float(index.info["K1"])})
        del V
    return rows


def coordinate_rows(U: Float[Tensor, "P p"], parts: dict[str, list[slice]], prefix: str) -> list[Row]:
    """Give the mean tail excess and the dead coordinates of the network and of every layer (name to slices of a row)."""
    tau, live = tail_excess(U).cpu().numpy(), alive(U).cpu().numpy()
    rows: list[Row] = []
    for scope, group in {"all": [slice(0, U.shape[1])], **parts}.items():
        mask = np.concatenate([live[part] for part in group])
        values = np.concatenate([tau[part] for part in group])[mask]
        rows.append({"scope": scope, "quantity": f"{prefix}dead share", "value": float(1 - mask.mean())})
        if len(values):
            rows.append({"scope": scope, "quantity": f"{prefix}tail excess", "value": float(values.mean())})
    return rows


def binned(
    events: Float[np.ndarray, " c"], tau: Float[np.ndarray, " c"], edges: tuple[float, ...] = _EVENTS
) -> list[Row]:
    """Give, by bins of events (x: lower edge), how many coordinates, their mean tail excess (se too small) and rule."""
    usable = np.isfinite(events) & np.isfinite(tau)
    events, tau = events[usable], tau[usable]
    if not len(events):
        return []
    quartiles = zip((0.25, 0.5, 0.75), np.quantile(events, (0.25, 0.5, 0.75)), strict=True)
    rows: list[Row] = [{"quantity": "events (quantile)", "x": q, "value": float(value)} for q, value in quartiles]
    place = np.searchsorted(edges, events, side="right") - 1
    for k in np.unique(place):
        inside, x = place == k, float(edges[k])
        rows.append({"quantity": "coordinates by events", "x": x, "value": float(inside.sum())})
        se = float(tau[inside].std() / np.sqrt(inside.sum()))
        rows.append({"quantity": "tail excess by events", "x": x, "value": float(tau[inside].mean()), "se": se})
        rule = float((1 / (12 * events[inside])).mean())
        rows.append({"quantity": "1 / (12 events) by events", "x": x, "value": rule})
    return rows


def paper_run(
    model: str, dataset: str, width: int, depth: int, seed: int, *, dense: int = 0, last: int = HORIZON, **more: Any
) -> PaperSpec:
    """Give one run, b = 500, step 0.1 halved at thirds of 65,000 steps; measured every 100 steps to `dense`, then 1,000."""
    norms, streamed = more.pop("norms", False), more.pop("streamed", ())
    points = sorted({*range(0, dense + 1, 100), *range(0, last + 1, 1000), last})
    settings = {"width": width, "seed": seed, "iterations": last, "snapshots": tuple(points), "schedule": "halved"}
    base = training(model, dataset, "paper", depth=depth, **settings | more)
    return PaperSpec(PaperTrainSpec(**vars(base), horizon=HORIZON, look=100), 500, norms, streamed)


def _iterations(*, full: bool) -> tuple[PaperSpec, ...]:
    """Figures 7, 8 and 1: FCN 9 x 512 on MNIST and CIFAR-10, CNN of 64 filters; depths 8 and 10, and b = 100, cut short."""
    sets = ("cifar10", "mnist")
    cut = {"dense": 3000, "last": 3000}
    first = [paper_run("fcn", dataset, 512, 9, 0, dense=3000) for dataset in sets]
    first.append(paper_run("cnn", "cifar10", 64, 0, 0, dense=5000, norms=True))
    first += [paper_run("fcn", dataset, 512, depth, 0, **cut) for depth, dataset in product((8, 10), sets)]
    streamed = (0, 500, 1000, 3000)
    first += [paper_run("fcn", dataset, 512, 9, 0, batch_size=100, streamed=streamed, **cut) for dataset in sets]
    first += [paper_run("fcn", dataset, 512, 9, seed, dense=3000) for seed in (1, 2) for dataset in sets]
    # The longest again, cut short: half an hour each shows their dip.
    first.append(paper_run("fcn", "cifar10", 512, 9, 0, **cut))
    first.append(paper_run("cnn", "cifar10", 64, 0, 0, dense=5000, last=5000, norms=True))
    first.append(paper_run("fcn", "mnist", 512, 9, 0, **cut))
    return tuple(first)


def _fcn_size(*, full: bool) -> tuple[PaperSpec, ...]:
    """Figure 4: widths 32 and 128 at depths 2 to 10, 3 seeds; width 512 at depths 2, 4 and 10 once; MNIST and CIFAR-10."""
    sizes, once = list(product((32, 128), (2, 4, 6, 8, 10))), list(product((512,), (2, 4, 10)))
    if full:
        sizes, once = list(product([2**k for k in range(2, 11)], range(2, 11))), []
    return tuple(
        paper_run("fcn", dataset, width, depth, seed)
        for seed in range(3)
        for (width, depth), dataset in product(sizes + (once if seed == 0 else []), ("mnist", "cifar10"))
    )


def _cnn_size(*, full: bool) -> tuple[PaperSpec, ...]:
    """Figure 5: CNN of 2 to 32 filters on CIFAR-10 and CIFAR-100; up to 16 filters on CIFAR-10 with 3 seeds."""
    sets, filters = ("cifar10", "cifar100"), (2, 4, 8, 16, 32)
    grid = [(*which, 0) for which in product(sets, filters)]
    grid += [("cifar10", width, seed) for seed in (1, 2) for width in filters[:4]]
    if full:
        grid = [(*which, seed) for seed in range(3) for which in product(sets, [2**k for k in range(1, 10)])]
    return tuple(paper_run("cnn", dataset, width, 0, seed) for dataset, width, seed in grid)


def _batch_size(*, full: bool) -> tuple[PaperBatchSpec, ...]:
    """Figure 6: FCN of depths 2 and 4, widths 32 and 128, trained and measured at six b; 65,000 steps or 100 epochs."""
    sizes = list(product((2, 4), (32, 128), ("mnist", "cifar10"), (10, 50, 100, 500, 1000, 5000)))
    specs = []
    for depth, width, dataset, b in sizes:
        images = training("fcn", dataset, "paper", iterations=0, width=width, seed=0).n_train
        last = min(HORIZON, 100 * images // b)
        points = tuple(sorted({last * k // 10 for k in range(11)}))
        spec = paper_run("fcn", dataset, width, depth, 0, last=last, batch_size=b, snapshots=points)
        specs.append(PaperBatchSpec(**vars(spec) | {"noise_batch_size": b}, minibatches=100, half=b == 500))
    return tuple(specs)


PAPER = {"batch_size": _batch_size, "iterations": _iterations, "fcn_size": _fcn_size, "cnn_size": _cnn_size}
