"""Measure a model along its training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torch import nn

from tailnoise_utils.noise.gradient import Loss
from tailnoise_utils.noise.minibatches import check_integer
from tailnoise_utils.noise.parameters import trainable
from tailnoise_utils.noise.torch_state import private_randomness

from .one_call import measure
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

    Raises:
        TypeError: `every` is no integer.
        ValueError: `every` is below 1, or the model has nothing to train.
    """

    def __init__(self, model: nn.Module, loss_fn: Loss, batches: Iterable, *, every: int = 100, **options: Any) -> None:
        check_integer(every, "every")
        if every < 1:
            raise ValueError(f"every = {every}: give the steps from one measurement to the next, 1 or more")
        with private_randomness(trainable(model)[0].device):  # going through a DataLoader draws from it
            self._batches = list(batches)
        self._model, self._loss_fn, self._every, self._step = model, loss_fn, every, 0
        self._options = {"diagnosis": False, "groups": {}} | options
        self.reports: dict[int, Report] = {}

    def step(self) -> None:
        """Count a step, and measure if it is due; call this before each step of the optimizer, and after the last."""
        if self._step % self._every == 0:
            self.reports[self._step] = measure(self._model, self._loss_fn, self._batches, **self._options)
        self._step += 1

    def to_frame(self) -> pd.DataFrame:
        """Give a row a measurement: its step, and the :meth:`~tailnoise_utils.measurement.report.Report.scalars`."""
        import pandas as pd

        return pd.DataFrame([{"step": step} | report.scalars() for step, report in self.reports.items()])

    def plot(self) -> Figure:
        """Draw alpha^ with its standard error and its Gaussian twin, tau, and the loss against the step."""
        import matplotlib as mpl
        from matplotlib import pyplot as plt

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
