# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Measure your own model
#
# ```{admonition} In short
# `measure` takes a model, a loss and minibatches, and prints ten lines: $\hat\alpha$, what it is for Gaussian noise of the same covariance, the tail excess, and a conclusion.
# It sees no other seed, partition or iteration than the ones you give.
# ```
#
# The minibatches have to be one random partition of the data, drawn once.
# {class}`tailnoise_utils.noise.minibatches.Minibatches` makes one of tensors, and so does `list(DataLoader(data, b, shuffle=True, drop_last=True))`.
# A live `DataLoader` that shuffles changes between passes; one that does not keeps the order of the data.
#
# The example has batch normalisation and dropout, on scikit-learn's digits.

# %% tags=["parameters", "remove-cell"]
profile = "laptop"  # nothing is loaded: this page is the same in every profile
batch_size = 50
seed = 0

# %% tags=["remove-cell"]
from tailnoise_utils.study.experiments import check_profile

check_profile(profile)

# %% tags=["hide-input"]
import torch
from torch import nn

from tailnoise_utils.study.networks import data, train

digits = data.load("digits")
with torch.random.fork_rng():
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48, bias=False), nn.BatchNorm1d(48), nn.GELU(), nn.Dropout(0.2), nn.Linear(48, 10)
    )
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
steps = train.sgd(
    model, loss_fn, digits, batch_size=batch_size, lr=0.1, iterations=300, snapshots=(300,), seed=seed + 10**6
)
print(f"trained for {next(steps)} iterations")

# %% [markdown]
# ## The report

# %% tags=["show-input"]
from tailnoise_utils import Minibatches, measure

batches = Minibatches(digits.x_train, digits.y_train, batch_size, seed=seed)
report = measure(model, loss_fn, batches)
report

# %% [markdown]
# The model is left as it was: weights, gradients, modes, buffers, random state.
#
# * `joint alpha^` is the corrected estimate, the paper's arithmetic in brackets.
# * `its Gaussian twin` is the same number of Gaussian noise of the same covariance, in closed form.
#   Where the two agree, $\hat\alpha$ holds nothing beyond second moments, and says nothing of tails.
# * `random signs` gives every coordinate a sign of its own, which removes correlation and no tail.
# * `tail excess tau` looks across the minibatches; in brackets the index of stable noise of the same tau.
# * Tests make the conclusion. As data: `report.heavier` (True, False, None) and `report.scalars()`.
#
# `report.to_frame()` is a table of all numbers (the first twelve of them below), `report.plot()` a figure.
# `report.to_json()` is read by `Report.from_json`.
# `report.details()` prints every layer, the parts of the gap, and the tests.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels: the tail index of the whole network in three ways, of its Gaussian twin, with random signs, and of each layer with standard errors, beside the dotted line at 2; and a histogram of the norms of the noise."}}
report.plot()

# %% tags=["hide-input"]
frame = report.to_frame()
network = frame[frame["scope"] == "all"].drop(columns="scope")
network.head(12).style.format(precision=4, na_rep="").hide(axis="index")

# %% tags=["hide-input"]
print(report.details())

# %% [markdown]
# ## Dropout on, batch statistics
#
# `mode="train"` measures with dropout on and batch normalisation by the statistics of each minibatch, as SGD meets them.
# The masks are a function of the seed. A few pixels of the digits never change. In front of batch normalisation their weights then have the
# gradient zero, and rounding errors for it in float32. The report counts them and concludes nothing: they lower $\hat\alpha$.

# %% tags=["hide-input"]
measure(model, loss_fn, batches, mode="train", groups={})

# %% [markdown]
# ## Batches of another form
#
# A batch that is no pair is handed to the loss whole, together with the model. Where P × p numbers do not fit the memory
# (`memory=`, by default a quarter of what is free), the data is gone through twice instead. Joint estimates, twin, signs and tau are the same.
# The tests need the matrix: there is no p, and no conclusion.

# %% tags=["hide-input"]
dictionaries = [{"pixels": x, "labels": y} for x, y in batches]
other = measure(
    model,
    lambda model, batch: loss_fn(model(batch["pixels"]), batch["labels"]),
    dictionaries,
    method="streaming",
    groups={},
)
print(f"matrix: {report.corrected}, two passes: {other.corrected}")

# %% [markdown]
# ## Updates instead of gradients
#
# `measure_rows` takes rows of your own: updates of an optimizer, gradients of samples, steps of a trajectory.
# Here each minibatch makes one step from the same weights and the same state, in float64 and with steps so small that the weights stay.
# Momentum adds a constant to every gradient, and changes no estimate. Adam divides each coordinate by its typical size.

# %% tags=["show-input"]
from copy import deepcopy

from tailnoise_utils import measure_rows


def stepped(x: torch.Tensor, y: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    optimizer.zero_grad()
    loss_fn(network(x.double()), y).backward()
    optimizer.step()
    return nn.utils.parameters_to_vector(network.parameters()).detach()


for name, kind, options in (("gradients", "SGD", {}), ("momentum", "SGD", {"momentum": 0.9}), ("Adam", "Adam", {})):
    network = deepcopy(model).double().eval()
    optimizer = getattr(torch.optim, kind)(network.parameters(), lr=1e-7, **options)
    for batch in batches:  # for the state
        stepped(*batch, network, optimizer)
    rows = torch.stack([stepped(*batch, *deepcopy((network, optimizer))) for batch in batches])
    print(f"{name:10} {measure_rows(rows, diagnosis=False).corrected}")

# %% [markdown]
# ## Along training
#
# A `Recorder` measures the same minibatches every so many steps, and leaves the training as it would be without.
# By default it makes no tests, and keeps tau. Its cost is one more gradient for each of its minibatches.

# %% tags=["show-input"] mystnb={"image": {"alt": "Three panels against the step of a training: the tail index of the noise, of its Gaussian twin and with random signs; the tail excess tau; and the loss."}}
from tailnoise_utils import Recorder

network = deepcopy(model).train()
optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
recorder = Recorder(network, loss_fn, batches, every=14)
for _ in range(3):
    for x, y in batches:
        recorder.step()
        optimizer.zero_grad()
        loss_fn(network(x), y).backward()
        optimizer.step()
recorder.step()
recorder.plot()

# %% [markdown]
# `recorder.to_frame()` has a row for each measurement, `recorder.reports` the reports by step.
# The recipes below are not executed here: tests run them with stand-ins, and they ran once with Lightning 2.6, transformers 5.24 and TensorBoard 2.21.
# A last `recorder.step()` after the training measures its end. With Lightning, as `Trainer(callbacks=[Record()])`:
#
# ```python
# import lightning
#
#
# class Record(lightning.Callback):
#     def on_train_batch_start(self, *_):
#         recorder.step()
# ```
#
# With Hugging Face's `Trainer`, whose models return a loss: `Recorder(model, lambda model, batch: model(**batch).loss, batches)`, and `Trainer(..., callbacks=[Record()])`:
#
# ```python
# import transformers
#
#
# class Record(transformers.TrainerCallback):
#     def on_step_begin(self, *_, **__):
#         recorder.step()
# ```
#
# For TensorBoard:
#
# ```python
# from torch.utils.tensorboard import SummaryWriter
#
# with SummaryWriter() as writer:
#     for step, report in recorder.reports.items():
#         for name, value in report.scalars().items():
#             writer.add_scalar(f"noise/{name}", value, step)
# ```

# %% [markdown]
# ## How to read it
#
# * `corrected` and `published` differ where there are dead coordinates, or hardly at all.
# * `permuted` is the same noise with the parameters listed in another order. What moves there is no tail.
# * A value below 2 is no evidence of heavy tails by itself: dependent coordinates, unequal scales and dead units lower it too
#   ([](../methods/diagnosis.md)); and heavy tails that all coordinates of a minibatch share leave it at 2.
# * The conclusion is what five tests across the minibatches found, those with a star in the details: tau, the index per coordinate,
#   the kurtosis along random and along leading directions, the spread of the norms. One of them has to be beyond all 99
#   Gaussian twins ($p \le 0.05/5$) for the noise to be called heavier than Gaussian. If none is, the noise may still not
#   be Gaussian: [](power.ipynb) shows what such tests find, and what they miss.
# * Nothing is concluded where minibatches are no random partition, or where gradients are rounding errors of zero.
# * Fewer than 16 minibatches are too few for these tests, and standard errors are then rough.
# * The standard errors speak of the minibatches drawn, not of another seed or partition. Measure several.
