"""The ends of the spectrum of the Hessian of a loss: sharpness, and the most negative curvature."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from tailnoise_utils.noise.parameters import trainable
from tailnoise_utils.noise.torch_state import as_found

ENDS = ("smallest eigenvalue", "largest eigenvalue")
_TOLERANCE = 0.01  # of the residual of an eigenvalue, over the largest magnitude


def extreme_eigenvalues(
    model: nn.Module, loss_fn: Callable[[Tensor, Tensor], Tensor], x: Shaped[Tensor, "n ..."], y: Int64[Tensor, " n"]
) -> dict[str, float]:
    """Compute the ends of the spectrum of the mean loss's Hessian, within 2 % of the larger magnitude."""
    parameters = trainable(model)
    with as_found(model):
        gradient = torch.autograd.grad(loss_fn(model.eval()(x), y), parameters, create_graph=True)
    g = torch.cat([part.flatten() for part in gradient])
    if not bool(g.isfinite().all()):
        raise FloatingPointError(f"the gradient of {len(x)} images holds NaN or infinity: no Hessian")
    if not bool(g.any()):
        return dict.fromkeys(ENDS, 0.0)  # a dead network; ARPACK refuses a matrix of zeros
    start = torch.randn(len(g), generator=torch.Generator().manual_seed(0)).numpy()
    settings = {"which": "LM", "v0": start, "tol": _TOLERANCE, "ncv": min(10, len(g)), "return_eigenvectors": False}

    def farthest_from(centre: float) -> float:
        def product(v: np.ndarray) -> np.ndarray:
            vector = torch.as_tensor(v.ravel()).to(g)
            parts = torch.autograd.grad(g, parameters, vector, retain_graph=True)
            return (torch.cat([part.flatten() for part in parts]) - centre * vector).cpu().numpy()

        operator = LinearOperator((len(g), len(g)), matvec=product, dtype=np.float32)
        return centre + float(eigsh(operator, 1, **settings)[0])

    one = farthest_from(0.0)
    other = farthest_from(one)  # of the other end, which may be so small that a part of itself would be too exact
    return dict(zip(ENDS, sorted((one, other)), strict=True))
