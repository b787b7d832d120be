"""Where the incoming weights of units lie in a row."""

import torch
from torch import nn

from tailnoise_utils.noise.parameters import trainable, units


def test_units_are_rows_of_matrices_and_whole_filters():
    model = nn.Sequential(nn.Conv2d(2, 3, (4, 5)), nn.BatchNorm2d(3), nn.Linear(7, 2), nn.Linear(2, 6, bias=False))
    row = torch.cat([w.detach().flatten() for w in model.parameters()])
    expected = [unit.flatten() for layer in (model[0], model[2], model[3]) for unit in layer.weight.detach()]
    pieces = [row[unit] for unit in units(model)]  # 3 filters of 2 x 4 x 5, 2 and 6 neurons; no bias, no scale
    assert [len(unit) for unit in pieces] == [40] * 3 + [7] * 2 + [2] * 6
    assert all(torch.equal(a, b) for a, b in zip(pieces, expected, strict=True))


def test_units_count_once_and_only_where_they_are_trained():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 5))
    model[2].weight = model[1].weight
    model[0].weight.requires_grad_(False)
    model[1].bias.requires_grad_(False)
    row = torch.cat([w.detach().flatten() for w in trainable(model)])
    expected = [unit for layer in (model[1], model[3]) for unit in layer.weight.detach()]
    pieces = [row[unit] for unit in units(model)]
    assert all(torch.equal(a, b) for a, b in zip(pieces, expected, strict=True))
    assert units(model)[0] == slice(3, 6)  # after the bias of the layer whose weights are frozen
    model[3].weight.requires_grad_(False)
    model[1].weight.requires_grad_(False)
    assert units(model) == []
