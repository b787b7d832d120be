"""C2: the estimator on samples whose index is known."""

from ..results.store import Results
from .verdict import Verdict, cell, judge

_SIZE, _BIAS = 10**4, 0.02  # smallest sample; of 1/alpha^
_ESTIMATORS = {"mohammadi (published)": "published", "mohammadi": "corrected"}


def c2(results: Results) -> Verdict:
    """C2: The estimator recovers alpha on synthetic SaS data.

    The rule: the bias of 1/alpha^ is within .02 for each index and size of 10,000 or more.
    """
    table = results.table().query("law == 'sas' and size >= @_SIZE and quantity == '1/alpha'")
    biases = table.assign(bias=table["value"] - 1 / table["parameter"]).groupby("scope", sort=False)["bias"]
    cells = [
        cell(_ESTIMATORS[str(scope)], bias, bias.abs().le(_BIAS).all())
        for scope, bias in biases
        if scope in _ESTIMATORS
    ]
    return judge(c2, cells, "bias of 1/alpha^", "none", (-_BIAS, _BIAS))
