"""The tail indices of a noise matrix, as rows."""

from jaxtyping import Float
from torch import Tensor

from tailnoise_utils import diagnosis
from tailnoise_utils.measurement.one_call import NothingAlive
from tailnoise_utils.measurement.report import index_rows
from tailnoise_utils.tail_index import mohammadi

from .spec import Row

FIXED_K1 = 1000  # at which networks and minibatches of different sizes are compared


def indices(U: Float[Tensor, "P p"]) -> list[Row]:
    """alpha^ in both conventions, and corrected at one block length whatever the size.

    Args:
        U: noise matrix.

    Returns:
        As a report has them: 1/alpha^ and K1 (published, corrected) and the dead share; "1/alpha (joint)" at x = 1000, as the
        diagnosis's curve has it, where that leaves two blocks or more.

    Raises:
        NothingAlive: all minibatches have the same gradient.
    """
    if bool(U.eq(U[0]).all()):
        raise NothingAlive(f"nothing is alive: all {len(U)} minibatches have the same gradient")
    rows, corrected = index_rows("published", mohammadi(U, convention="published")), mohammadi(U)
    dead = corrected.info["dead_share"]
    rows += [*index_rows("corrected", corrected), {"quantity": "dead share", "value": dead}]
    if corrected.info["K1"] * corrected.info["K2"] >= 2 * FIXED_K1:
        value, se = diagnosis.curve(U, lengths=(FIXED_K1,))[FIXED_K1]
        rows.append({"quantity": "1/alpha (joint)", "x": FIXED_K1, "value": value, "se": se})
    return rows
