"""Measure a model along its training."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.utils import _pytree as tree

from tailnoise_utils.noise.gradient import Loss
from tailnoise_utils.noise.minibatches import check_integer
from tailnoise_utils.noise.parameters import trainable
from tailnoise_utils.noise.torch_state import private_randomness

from .one_call import NothingAlive, measure
from .report import STYLE, Report

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Recorder:
    """Measure a model at steps 0, `every`, 2 `every`, ... of its training, on the same minibatches each time.

    The training goes on as without it: weights, gradients, modes, buffers and torch's random state are left alone. It takes
    a gradient of each minibatch, and keeps tau; ``diagnosis=True`` adds the tests, and takes several times as long.

    Args:
        model: the network that is trained.
        loss_fn: as in :func:`~tailnoise_utils.measurement.one_call.measure`.
        batches: minibatches of one size, a random partition of a part of the data; gone through once, and kept. Take 16 or
            more, for tau to have a ruler.
        every: steps from one measurement to the next.
        options: of :func:`~tailnoise_utils.measurement.one_call.measure`; by default no diagnosis and no groups.

    Attributes:
        reports: the reports, by step.
        errors: why there is no report, by step: the model has diverged, or no gradient differs.

    Raises:
        TypeError: `every` is no integer.
        ValueError: `every` is below 1, or the model has nothing to train.
    """

    def __init__(self, model: nn.Module, loss_fn: Loss, batches: Iterable, *, every: int = 100, **options: Any) -> None:
        check_integer(every, "every")
        if every < 1:
            raise ValueError(f"every = {every}: give the steps from one measurement to the next, 1 or more")
        with private_randomness(trainable(model)[0].device):  # going through a DataLoader draws from it
            self._batches = [tree.tree_map(_copied, batch) for batch in batches]  # a loader may use its buffers again
        self._model, self._loss_fn, self._every, self._step = model, loss_fn, every, 0
        self._options = {"diagnosis": False, "groups": {}} | options
        self.reports: dict[int, Report] = {}
        self.errors: dict[int, str] = {}

    def step(self) -> None:
        """Count a step, and measure if it is due; call this before each step of the optimizer, and after the last."""
        if self._step % self._every == 0:
            try:
                self.reports[self._step] = measure(self._model, self._loss_fn, self._batches, **self._options)
            except (FloatingPointError, NothingAlive) as error:  # of the weights at this step: the training goes on
                self.errors[self._step] = str(error)
        self._step += 1

    def to_frame(self) -> pd.DataFrame:
        """Give a row a measurement: its step, the report's `scalars` or else NaN, and why there is none, if so (error)."""
        import pandas as pd

        rows = {step: report.scalars() for step, report in self.reports.items()}
        rows |= {step: {"error": error} for step, error in self.errors.items()}
        return pd.DataFrame([{"step": step} | rows[step] for step in sorted(rows)])

    def plot(self) -> Figure:
        """Draw alpha^ with its standard error and its Gaussian twin, tau, and the loss against the step."""
        import matplotlib as mpl
        from matplotlib import pyplot as plt

        if not self.reports:
            raise ValueError(f"there are no reports to draw, and {len(self.errors)} errors: call step() in a training")
        frame = self.to_frame().set_index("step")
        errors = {name: frame[f"{name}_se"] for name in ("corrected", "signs")}
        panels = {
            r"$\hat\alpha$ ± s.e.": ["corrected", "twin", "signs"],
            "tail excess tau": ["tau"],
            "mean loss": ["loss"],
        }
        with mpl.rc_context(STYLE | {"axes.prop_cycle": mpl.cycler(color=["#0072B2", "#009E73", "#D55E00"])}):
            figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
            for ax, (label, columns) in zip(axes, panels.items(), strict=True):
                frame[columns].plot(ax=ax, yerr=errors, fmt="o-", ms=3, ylabel=label)
        plt.close(figure)  # as in a report
        return figure


def _copied(leaf: Any) -> Any:
    """Copy a piece of a minibatch; of a tensor that is a view, only what it shows."""
    return leaf.detach().clone() if isinstance(leaf, Tensor) else copy.deepcopy(leaf)
