"""What the joint estimate reads of real noise: the same noise with other signs, of flipped pixels, of inputs alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tailnoise_utils.diagnosis.twins import flip_columns
from tailnoise_utils.noise.matrix import centre, noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.noise.parameters import slices, trainable
from tailnoise_utils.noise.torch_state import as_found
from tailnoise_utils.tail_index import mohammadi

from .iterations import decomposition_trainings
from .paper import coordinate_rows, joint_rows
from .spec import Measured, Progress, Row
from .trainings import training


@dataclass(frozen=True)
class ControlsSpec(Measured):
    """Train a network and set the joint estimate of its noise beside that of the noise changed in known ways (`scope`).

    * "all": nothing; "signs": every column times a random sign, which tests independence alone;
    * "half", "top half", "channel", "checkerboard": signs of some pixels and of the weights that read them are flipped
      (:func:`pixel_signs`), so that no output or loss changes, along a training too;
    * "white noise": independent standard normal pixels; "inputs of <layer>": rows E^T A / b, A its inputs, E normal errors;
    * "<convolution>" and "<convolution>, half" and so on: the entries of the first layer alone, where it is one.
    """

    noise_batch_size: int  #: images in a minibatch when noise is measured
    points: tuple[int, ...]  #: which snapshots
    halves: int  #: random halves of the pixels
    once: ClassVar[tuple[str, ...]] = ("seconds", "diverged", "image")

    def measure(self, model: nn.Module, progress: Progress) -> list[Row]:
        """Return the rows of every control."""
        seed, loss_fn, first = self.train.seed, self._loss(), trainable(model)[0]
        x, y = self._split("train")
        rows = [row | {"scope": "all"} for row in self._performance(model, "train")]
        U = noise_matrix(model, loss_fn, self._batches())
        progress(0.3)
        rows += joint_rows(U, "", twin=True) + coordinate_rows(U, slices(model, None), "")
        layer = next(iter(slices(model, None))) if first.ndim == 4 else ""
        part = U[:, : first.numel()]  # a view
        rows += _in(layer, joint_rows(part, "", twin=True)) if layer else []
        for name, k, signs in pixel_signs(x.shape[1:], self.halves, 8 * 10**6 + seed, convolution=first.ndim == 4):
            columns = weight_signs(signs, first).to(U)
            part *= columns
            rows += _in(name, joint_rows(U, "", twin=False, fixed=k is None), k)
            rows += _in(f"{layer}, {name}", joint_rows(part, "", twin=False, fixed=k is None), k) if layer else []
            part *= columns  # back again
        rows += _in("signs", joint_rows(flip_columns(U, 4 * 10**6 + seed), "", twin=False))
        del U, part
        progress(0.3)
        generator = torch.Generator().manual_seed(9 * 10**6 + seed)
        white = torch.randn(x.shape, generator=generator).to(x)
        U = noise_matrix(model, loss_fn, self._batches(of=(white, y)))
        rows += _in("white noise", joint_rows(U, "", twin=False))
        del U
        progress(0.2)
        for name, V in input_noise(model, self._batches(), 10**7 + seed):
            rows += _in(f"inputs of {name}", joint_rows(V, "", twin=False, fixed=False))
            if name == "linear1" and first.ndim == 2:
                pixels = x[0].numel()
                measured = mohammadi(V, pixels).inverse
                values = {"1/alpha (images, measured)": measured, "1/alpha (images, closed form)": images_inverse(x)}
                rows += [{"quantity": quantity, "x": float(pixels), "value": v} for quantity, v in values.items()]
            del V
        progress(0.2)
        return [row | {"split": "train"} for row in rows]

    def rows(self, progress: Progress) -> list[Row]:
        """Return the rows of every point, and the first image as the network sees it, for a figure."""
        image = self._images().x_train[0].flatten().tolist() if self.train.seed == 0 else []
        return super().rows(progress) + [
            {"quantity": "image", "x": float(i), "value": v, "split": "train"} for i, v in enumerate(image)
        ]


def _in(scope: str, rows: list[Row], x: float | None = None) -> list[Row]:
    """Give rows the name of a control, and its number."""
    return [row | {"scope": scope} | ({} if x is None else {"x": float(x)}) for row in rows]


def pixel_signs(
    shape: tuple[int, ...], halves: int, seed: int, *, convolution: bool
) -> Iterator[tuple[str, float | None, Float[Tensor, "c h w"]]]:
    """Yield name, number and signs of the pixels of each flip; a convolution of stride 2 repeats them every two pixels."""
    c, h, w = shape
    free = (c, 2, 2) if convolution else (c, h, w)
    count = math.prod(free)

    def spread(signs: Float[Tensor, "c m n"]) -> Float[Tensor, "c h w"]:
        return signs.repeat(1, -(-h // signs.shape[1]), -(-w // signs.shape[2]))[:, :h, :w]

    for k in range(halves):
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed + 1000 * k))
        yield "half", float(k), spread(torch.ones(count).index_fill_(0, order[: count // 2], -1).view(free))
    if not convolution:
        yield "top half", None, torch.ones(c, h, w).index_fill_(1, torch.arange(h // 2), -1)
    if c > 1:
        yield "channel", None, torch.ones(c, h, w).index_fill_(0, torch.tensor([0]), -1)
    yield "checkerboard", None, spread(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(c, 1, 1))


def weight_signs(signs: Float[Tensor, "c h w"], first: Tensor) -> Float[Tensor, " n"]:
    """Give the weights of the first layer the signs of the pixels that they read: its noise changes sign there alone."""
    kernel = signs[:, : first.shape[-2], : first.shape[-1]] if first.ndim == 4 else signs
    return kernel.reshape(-1).repeat(len(first))


def input_noise(model: nn.Module, batches: Minibatches, seed: int) -> Iterator[tuple[str, Float[Tensor, "P q"]]]:
    """Yield, for each linear layer, noise that its inputs alone decide: errors are independent standard normal numbers."""
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        rows: list[Tensor] = []
        generator = torch.Generator().manual_seed(seed)

        def keep(module: nn.Linear, inputs: tuple[Tensor], rows: list = rows, generator: Any = generator) -> None:
            errors = torch.randn(len(inputs[0]), module.out_features, generator=generator).to(inputs[0])
            rows.append((errors.T @ inputs[0]).flatten() / len(errors))

        handle = layer.register_forward_pre_hook(keep)
        try:
            with torch.no_grad(), as_found(model):
                model.eval()
                for x, _ in batches:
                    model(x)
        finally:
            handle.remove()
        yield name, centre(torch.stack(rows))


def images_inverse(x: Float[Tensor, "n c h w"]) -> float:
    r"""Compute what the joint estimate reads of images alone, at K1 = m pixels, with C their second moments.

    .. math:: \frac1{\hat\alpha} = \frac{\ln \sum_{jk} C_{jk} - \frac1m \sum_j \ln C_{jj}}{2 \ln m}
    """
    pixels = x.flatten(1).double()
    total, each = pixels.sum(1).square().mean(), pixels.square().mean(0)
    return float((total.log() - each.log().mean()) / (2 * torch.tensor(float(len(each))).log()))


def controls_grid(profile: str) -> tuple[ControlsSpec, ...]:
    """Set alpha^ beside its Gaussian twin, random signs, and flipped or white inputs; 3 seeds."""
    trainings, halves = decomposition_trainings(profile), 3 if profile == "smoke" else 20
    for dataset in ("mnist", "cifar10") if profile != "smoke" else ():
        trainings.append(training("fcn", dataset, profile, iterations=0, depth=9, width=512, seed=0, snapshots=(0,)))
    return tuple(ControlsSpec(t, t.batch_size, tuple(sorted({0, t.iterations})), halves) for t in trainings)
