"""C2: the estimator on samples whose index is known."""

from ..results.store import Results
from .verdict import Verdict, cells_of, judge

_SIZE, _BIAS = 10**4, 0.02  # smallest sample; of 1/alpha^
_ESTIMATORS = {"mohammadi (published)": "published", "mohammadi": "corrected"}


def c2(results: Results) -> Verdict:
    """C2: The estimator recovers alpha on synthetic SaS data.

    The rule: the bias of 1/alpha^ is within .02 for each index and size of 10,000 or more.
    """
    table = results.table().query("law == 'sas' and size >= @_SIZE and quantity == '1/alpha'")
    bias = table["value"] - 1 / table["parameter"]
    table = table.assign(estimator=table["scope"].map(_ESTIMATORS), value=bias, holds=bias.abs().le(_BIAS))
    return judge(c2, cells_of(table, ["estimator"]), "bias of 1/alpha^", "none", (-_BIAS, _BIAS))
