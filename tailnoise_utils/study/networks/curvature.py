"""The ends of the spectrum of the Hessian of a loss: sharpness, and the most negative curvature."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
from torch import Tensor, nn

from tailnoise_utils.noise.parameters import trainable
from tailnoise_utils.noise.torch_state import as_found


def extreme_eigenvalues(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Float[Tensor, "n ..."],
    y: Int64[Tensor, " n"],
    *,
    tolerance: float = 1e-2,
) -> tuple[float, float]:
    """Find the smallest and the largest eigenvalue of the loss's Hessian by Lanczos, dropout off; NaN if that fails."""
    parameters = trainable(model)
    p = sum(w.numel() for w in parameters)
    with as_found(model), torch.enable_grad():
        model.eval()
        loss = loss_fn(model(x), y)
        gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)])

    def product(v: Float[np.ndarray, "..."]) -> Float64[np.ndarray, " p"]:
        along = torch.from_numpy(v.reshape(-1)).to(gradient)
        hv = torch.autograd.grad(gradient @ along, parameters, retain_graph=True, materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in hv]).double().cpu().numpy()

    start = np.random.default_rng(0).standard_normal(p)
    if not product(start).any():  # a dead network, where Lanczos does not begin
        return 0.0, 0.0
    hessian = LinearOperator((p, p), matvec=product, dtype=np.float64)
    try:
        ends = eigsh(hessian, k=2, which="BE", v0=start, tol=tolerance, return_eigenvectors=False)
    except ArpackError:
        return math.nan, math.nan
    return float(ends.min()), float(ends.max())
