"""Does the distribution of the noise matter for training? SGD, and full gradients with noise made up: `training`."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import scipy  # its parts load when they are first used
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import stable
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.parameters import slices, trainable
from tailnoise_utils.tail_index import mohammadi
from tailnoise_utils.tail_index.logs import log_sums

from ..networks.curvature import extreme_eigenvalues
from ..networks.train import Diverged
from ..networks.weights import load_weights, save_weights
from .paper import coordinate_rows
from .spec import AlongTraining, Progress, Row
from .trainings import training

REFRESH = 100  # steps after which an arm measures again what it copies of SGD's noise
_CHUNK = 1000  # images in one backward pass
_SEEN = 2000  # training images of the Hessian
_DRAWS = 99  # of independent stable noise, for the median of its norm
_NORMS = 15  # steps of an arm whose noise has its norm taken at a point

# Index of the images' random weights; None: of the joint fit.
COUPLED = {"gaussian": 2.0, "stable weights": None, "stable weights 1.7": 1.7}
INDEPENDENT = ("independent gaussian", "independent stable", "clipped stable", "joint fit", "layer fits")
ARMS = ("epochs", "batches", "gaussian", "gradient", *INDEPENDENT, "stable weights", "stable weights 1.7")


@dataclass(frozen=True)
class ArmSpec(AlongTraining):
    r"""Train a network by :math:`w \leftarrow w - \eta (\nabla f + u)`, cross-entropy, dropout off, with u as `arm` says.

    * "epochs", "batches": SGD's noise, the images permuted anew for each epoch, or each minibatch drawn by itself;
    * "gaussian", "gradient": Gaussian noise of their mean and covariance (:func:`image_weights` of normal z); none;
    * "independent gaussian": each coordinate with the standard deviation that it has over SGD's minibatches;
    * "independent stable": as that, stable of the joint estimate alpha^, with the median norm of SGD's noise;
    * "clipped stable": as that, no entry beyond the coordinate's largest one over SGD's minibatches;
    * "joint fit", "layer fits": stable entries of one index and scale (the paper's equation), or of one for every layer;
    * "stable weights", "stable weights 1.7": as "gaussian", z stable of scale :math:`1/\sqrt2` and index alpha^, or 1.7.

    What is copied of SGD's noise is measured every 100 steps. Random numbers depend on the run's seed and the step alone.
    """

    arm: str  #: one of `ARMS`

    @property
    def noise_batch_size(self) -> int:
        """Return the size of minibatches whose noise is measured, as in training."""
        return self.train.batch_size

    def rows(self, progress: Progress) -> list[Row]:
        """Train from point to point and measure at each; a killed run goes on from the last point."""
        rows: list[Row] = []
        try:
            for start, point in pairwise((0, *self.points)):
                rows += self._kept(point, lambda start=start, point=point: self._reach(start, point))
                progress((point - start) / self.train.iterations)
        except (Diverged, FloatingPointError):
            rows.append({"quantity": "diverged", "value": float(rows[-1]["iteration"]) if rows else 0.0})
        return rows

    def _reach(self, start: int, point: int) -> list[Row]:
        """Go on from the weights kept at one point to the next, keep those, and measure."""
        model, folder = self.train.build(), self._rows_folder()
        if start:
            load_weights(folder / f"{start}.npz", model)
        self.steps(model, start, point)
        save_weights(folder / f"{point}.npz", model)
        return self.measure(model, lambda share: None)

    def steps(self, model: nn.Module, start: int, stop: int) -> None:
        """Take the steps from number `start` to `stop`, in place."""
        arm, seed, parameters = self._arm(model), 12 * 10**6 + self.train.seed, trainable(model)
        for step in range(start, stop):
            if arm.copies and (step - start) % REFRESH == 0:
                arm.look(noise_matrix(model, cross_entropy, self._batches()))
            direction = arm.direction(step, np.random.default_rng([seed, step]))
            if not bool(direction.isfinite().all()):
                raise Diverged(f"a step is NaN or infinite after {step} iterations")
            with torch.no_grad():
                for w, part in zip(parameters, direction.split([w.numel() for w in parameters]), strict=True):
                    w.sub_(part.view_as(w), alpha=self.train.lr)

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return loss and accuracy, curvature, SGD's noise at these weights, and how large the arm's is next to it."""
        arm, (x, y), seed = self._arm(model), self._split("train"), 13 * 10**6 + self.train.seed
        U = noise_matrix(model, cross_entropy, self._batches())
        rows = coordinate_rows(U, {}, "")
        if bool(U.any()):
            index = mohammadi(U)
            rows.append({"quantity": "1/alpha (corrected)", "value": index.inverse, "se": index.inverse_se})
            arm.look(U)
            full = weighted_gradient(model, x, y, torch.full_like(y, 1 / len(y), dtype=x.dtype))
            noise = [arm.direction(k, np.random.default_rng([seed, k])) - full for k in range(_NORMS)]
            ratio = torch.stack(noise).norm(dim=1).median() / U.norm(dim=1).median()
            rows.append({"quantity": "norm ratio", "value": float(ratio)})
        ends = extreme_eigenvalues(model, cross_entropy, x[:_SEEN], y[:_SEEN])
        rows += [{"quantity": name, "value": value} for name, value in ends.items()]
        rows = [row | {"split": "train"} for row in rows]
        return rows + self._performance(model, "train") + self._performance(model, "test")

    def _arm(self, model: nn.Module) -> "Arm":
        return Arm(self.arm, model.eval(), *self._split("train"), self.train.batch_size, self.train.seed)

    def sample(self, rows: list[Row]) -> None:
        """Need no weights: `again` trains."""

    def again(self, path: Path) -> list[Row]:
        """Make the run again up to its second point."""
        model, rows = self.train.build(), []
        for start, point in pairwise((0, *self.points[:2])):
            self.steps(model, start, point)
            rows += [row | {"iteration": point} for row in self.measure(model, lambda share: None)]
        return rows


class Arm:
    """The direction of a step of one arm, at the present weights of a network."""

    def __init__(self, name: str, model: nn.Module, x: Tensor, y: Tensor, b: int, seed: int) -> None:
        self._name, self._model, self._x, self._y, self._b, self._seed = name, model, x, y, b, seed
        self.copies = name in (*INDEPENDENT, "stable weights")
        self._alpha = COUPLED.get(name)
        self._noise: IndependentNoise | None = None

    def look(self, U: Float[Tensor, "P p"]) -> None:
        """Take from SGD's noise at these weights what the arm copies of it."""
        if self._name in INDEPENDENT:
            generator = np.random.default_rng(15 * 10**6 + self._seed)
            self._noise = independent_noise(self._name, U, slices(self._model), generator)
        elif self.copies:
            self._alpha, _ = stable_fit(U)

    def direction(self, step: int, generator: np.random.Generator) -> Float[Tensor, " p"]:
        """Return the gradient with the noise of a step."""
        n, b, x, y = len(self._x), self._b, self._x, self._y
        if self._name in ("epochs", "batches"):
            if self._name == "batches":
                drawn = generator.choice(n, b, replace=False)
            else:
                epoch, k = divmod(step, n // b)
                permutation = np.random.default_rng([14 * 10**6 + self._seed, epoch]).permutation(n)
                drawn = permutation[k * b : (k + 1) * b]
            batch = torch.from_numpy(drawn).to(y)
            x, y, weights = x.index_select(0, batch), y.index_select(0, batch), torch.full((b,), 1 / b)
        elif self._alpha is not None:  # at alpha = 2 z is standard normal
            z = stable.sample(self._alpha, n, sigma=0.5**0.5, generator=generator)
            weights = image_weights(torch.from_numpy(z), b)
        else:
            weights = torch.full((n,), 1 / n)
        gradient = weighted_gradient(self._model, x, y, weights.to(x))
        return gradient if self._noise is None else gradient + self._noise.draw(generator)


def image_weights(z: Float64[Tensor, " n"], b: int) -> Float64[Tensor, " n"]:
    r"""Give images the weights :math:`(1 + c (z_i - \bar z)) / n`, :math:`c = n \sqrt{(1/b - 1/n) / (n - 1)}`.

    With standard normal z the full gradient has the mean and the covariance of that of b images without replacement.
    """
    n = len(z)
    return (1 + n * math.sqrt((1 / b - 1 / n) / (n - 1)) * (z - z.mean())) / n


def weighted_gradient(model: nn.Module, x: Tensor, y: Tensor, weights: Float[Tensor, " n"]) -> Float[Tensor, " p"]:
    """Compute the gradient of the weighted sum of the images' cross-entropies, as one vector."""
    parameters = trainable(model)
    total = x.new_zeros(sum(w.numel() for w in parameters))
    for inputs, classes, part in zip(x.split(_CHUNK), y.split(_CHUNK), weights.split(_CHUNK), strict=True):
        loss = cross_entropy(model(inputs), classes, reduction="none") @ part
        total += torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, parameters)])
    return total


def stable_fit(U: Float[Tensor, "P p"]) -> tuple[float, float]:
    """Fit a stable distribution as the paper does: alpha^ of all entries, 2 at most, and the scale of their mean ln|U|."""
    total, count = torch.stack([log_sums(row) for row in U]).sum(0).tolist()
    if not count:
        return 2.0, 0.0
    alpha = 1 / max(mohammadi(U).inverse, 0.5)
    return alpha, math.exp(total / count - stable.log_cumulants(alpha)[0])


@dataclass(frozen=True)
class IndependentNoise:
    """Independent stable entries, cut at a bound."""

    parts: tuple[tuple[float, int], ...]  #: index and size of consecutive parts
    scale: Float[Tensor, " p"]
    bound: Float[Tensor, " p"] | None = None

    def draw(self, generator: np.random.Generator) -> Float[Tensor, " p"]:
        """Draw the noise of a step."""
        entries = np.concatenate([stable.sample(alpha, size, generator=generator) for alpha, size in self.parts])
        noise = torch.from_numpy(entries).to(self.scale) * self.scale
        return noise if self.bound is None else noise.clamp(-self.bound, self.bound)


def independent_noise(
    name: str, U: Float[Tensor, "P p"], layers: dict[str, list[slice]], generator: np.random.Generator
) -> IndependentNoise:
    """Take index, scales and bounds of an arm's noise from SGD's noise U, as :class:`ArmSpec` says."""
    P, p = U.shape
    sd, norm = U.norm(dim=0) / math.sqrt(P), float(U.norm(dim=1).median())
    if name == "independent gaussian" or not norm:
        return IndependentNoise(((2.0, p),), sd * 0.5**0.5)
    groups = layers.values() if name == "layer fits" else [[slice(0, p)]]
    places = [slice(group[0].start, group[-1].stop) for group in groups]
    fits = [(*stable_fit(U[:, place]), place.stop - place.start) for place in places]
    parts = tuple((alpha, size) for alpha, _, size in fits)
    if name in ("joint fit", "layer fits"):
        return IndependentNoise(parts, torch.cat([sd.new_full((size,), sigma) for _, sigma, size in fits]))
    unit = IndependentNoise(parts, sd)
    if name == "independent stable":
        norms = [float(unit.draw(generator).norm()) for _ in range(_DRAWS)]
        return replace(unit, scale=sd * (norm / float(np.median(norms))))
    bound, entries = torch.maximum(U.amax(0), -U.amin(0)), unit.draw(generator)

    def excess(log_factor: float) -> float:
        return float((entries * math.exp(log_factor)).clamp(-bound, bound).norm()) - norm

    low = math.log(norm / float(entries.norm()))  # where nothing were cut
    return IndependentNoise(parts, sd * math.exp(scipy.optimize.brentq(excess, low - 1, low + 50)), bound)


def training_grid(profile: str) -> tuple[ArmSpec, ...]:
    """Compare the arms: FCN on MNIST and CIFAR-10 at three step sizes, seed 0 first; a small CNN at the end."""
    points, long = (0, 100, 500, 1000, 2000), (0, 100, 1000, 2000, 4000)
    networks = [("fcn", name, 128, 10_000, points, {0.1: 5, 0.03: 2, 0.3: 2}) for name in ("mnist", "cifar10")]
    networks.append(("cnn", "cifar10", 8, 4000, long, {0.3: 2}))
    if profile == "smoke":
        networks = [("fcn", "digits", 16, 1000, (0, 10, 30), {0.1: 2})]
    specs = []
    for model, dataset, width, n_train, snapshots, seeds in networks:
        for (lr, count), arm in product(seeds.items(), ARMS):
            settings = {"width": width, "iterations": snapshots[-1], "snapshots": snapshots, "batch_size": 50, "lr": lr}
            trainings = [training(model, dataset, profile, seed=seed, **settings) for seed in range(count)]
            specs += [ArmSpec(replace(train, n_train=n_train), arm) for train in trainings]
    return tuple(sorted(specs, key=lambda spec: (spec.train.model == "cnn", spec.train.seed, ARMS.index(spec.arm))))
