"""Every name that a row of the results can have (`check` refuses others): what it means, and the specs that write it.

tau is the tail excess; joint is the estimate from all entries of the noise matrix, per coordinate that along its columns;
"(twin)" is the mean over Gaussian twins, "(p)" the p-value against them; data order takes the images as they come.
In the frame of a report "twin 1/alpha (published)" is "1/alpha (twin, published)", and "signs:" is likewise in brackets.
"""

from collections.abc import Iterable
from itertools import product
from typing import Any

_ALONG = "NoiseSpec DiagnosisSpec SplitsSpec"
_DIAGNOSIS = "DiagnosisSpec SplitsSpec"
_PAPER = "PaperSpec PaperBatchSpec ControlsSpec JumpSpec"
_INDICES = f"{_ALONG} BatchSizeSpec DeparturesSpec {_PAPER}"
_FEW = "FewImagesSpec"
_NETWORKS = f"{_INDICES} ScalingSpec NormsSpec ArmSpec {_FEW}"

# Name: (meaning, writers).
QUANTITIES: dict[str, tuple[str, str]] = {
    # What became of a run
    "diverged": ("last iteration before a training diverged", _NETWORKS),
    "stopped": ("iteration at which a training stopped", "PaperSpec PaperBatchSpec"),
    "nothing alive": ("1: all minibatches have the same gradient", _NETWORKS),
    # Networks
    "loss": ("mean loss over a split", _NETWORKS),
    "accuracy": ("share of the images of a split that are classified correctly", _NETWORKS),
    "dead share": ("share of the coordinates with the same gradient in all minibatches", f"{_INDICES} ArmSpec"),
    "1/alpha (published)": ("joint 1/alpha^ in the arithmetic of the paper's code", f"{_INDICES} CostSpec"),
    "1/alpha (corrected)": ("joint 1/alpha^ without dead coordinates, no epsilon", f"{_INDICES} NormsSpec ArmSpec"),
    "K1 (published)": ("block length of 1/alpha (published)", _INDICES),
    "K1 (corrected)": ("block length of 1/alpha (corrected)", _INDICES),
    "1/alpha (corrected, columns permuted)": ("the same after one common permutation of the columns", _ALONG),
    "K1 (corrected, columns permuted)": ("its block length", _ALONG),
    "norm quantile": ("quantile x of the norms of the noise", _ALONG),
    # The diagnosis
    "1/alpha (joint)": ("joint 1/alpha^, corrected, at K1 = x", f"{_DIAGNOSIS} DeparturesSpec"),
    "decomposition: e_0": ("gap to Gaussian, 1/alpha^ - 1/2, of the noise", _DIAGNOSIS),
    "decomposition: e_pi": ("the gap with every column shuffled by itself", _DIAGNOSIS),
    "decomposition: e_c": ("the gap with the columns in random order", _DIAGNOSIS),
    "decomposition: e_1": ("the gap with all entries shuffled", _DIAGNOSIS),
    "decomposition: correlation": ("part of the gap by the correlation of coordinates", _DIAGNOSIS),
    "decomposition: order": ("part of the gap by the order of coordinates of unlike scale", _DIAGNOSIS),
    "decomposition: scales": ("part of the gap by unequal scales", _DIAGNOSIS),
    "decomposition: tails": ("part of the gap by the tails of single coordinates", _DIAGNOSIS),
    "decomposition: tau_Y": ("tail excess of the sums over blocks of shuffled entries", _DIAGNOSIS),
    "decomposition: K1": ("block length of the decomposition", _DIAGNOSIS),
    "decomposition: p": ("live coordinates in the decomposition", _DIAGNOSIS),
    "tail excess": ("mean tau of the coordinates", f"{_DIAGNOSIS} {_PAPER} ArmSpec {_FEW}"),
    "1/alpha (per coordinate)": ("mean 1/alpha^ along the minibatches of one coordinate, K1 = x", _DIAGNOSIS),
    "1/alpha (per coordinate) (stable 1.5)": ("the same of stable twins of index 1.5", _DIAGNOSIS),
    "kurtosis (random projections)": ("mean excess kurtosis of random projections", _DIAGNOSIS),
    "kurtosis (leading projections)": ("mean excess kurtosis along the other half's leading directions", _DIAGNOSIS),
    "sd of ln norm": ("standard deviation of the logarithm of the noise's norm", f"{_DIAGNOSIS} PaperSpec"),
    "diagnosis coordinates": ("coordinates that were looked at", _DIAGNOSIS),
    "diagnosis dead share": ("share of them that are dead", _DIAGNOSIS),
    "diagnosis unresolved": ("share of the differences that may be zero up to rounding", _DIAGNOSIS),
    # Sizes of minibatches, departures, norms
    "1/alpha (corrected, K1 = 1000)": ("the corrected one at K1 = 1000", f"BatchSizeSpec {_PAPER}"),
    "log-scale": ("mean log of the noise at b = x, corrected for drawing without replacement", f"ScalingSpec {_FEW}"),
    "live share": ("share of the coordinates where the full gradient is not zero", "ScalingSpec"),
    "1/alpha (text)": ("1/alpha^ as the paper's text has it, without dead coordinates", "DeparturesSpec"),
    "1/alpha (text, epsilon)": ("the same with the code's epsilon", "DeparturesSpec"),
    "1/alpha (text, dead kept)": ("the same with dead coordinates in the blocks", "DeparturesSpec"),
    "norm": ("norm of the noise, of minibatch x or the mean", "NormsSpec PaperSpec PaperBatchSpec"),
    "norm, Gaussian (independent)": ("norm of independent Gaussian entries", "NormsSpec"),
    "norm, stable (independent)": ("norm of independent stable entries", "NormsSpec"),
    "norm, Gaussian (same covariance)": ("norm of Gaussian noise of the same covariance", "NormsSpec"),
    # Networks at the paper's settings, minibatches in data order
    "1/alpha (published, K1 = 1000)": ("as 1/alpha (published), at K1 = 1000", _PAPER),
    "1/alpha (published, own b)": ("the same of minibatches as large as in training", "PaperSpec"),
    "1/alpha (corrected, own b)": ("the same of minibatches as large as in training", "PaperSpec"),
    "norm (each)": ("norm of the noise of minibatch x", "PaperSpec"),
    "norm (each, twin)": ("the same of one drawn twin", "PaperSpec"),
    "random partition: K1 (published)": ("block length", "PaperSpec"),
    "random partition: K1 (corrected)": ("block length", "PaperSpec"),
    "random partition: dead share": ("dead share of a random partition", "PaperSpec"),
    "random partition: tail excess": ("mean tau of a random partition", "PaperSpec"),
    "events (quantile)": ("quantile x of the images per minibatch that a coordinate lives on", f"PaperSpec {_FEW}"),
    "coordinates by events": ("coordinates in the bin of events from x on", f"PaperSpec {_FEW}"),
    "tail excess by events": ("their mean tau", f"PaperSpec {_FEW}"),
    "1 / (12 events) by events": ("their mean of 1 / (12 events)", f"PaperSpec {_FEW}"),
    "tail excess of a coordinate": ("tau of one coordinate of x events", _FEW),
    "events (correlation of the halves)": ("correlation of ln(events) on two halves of the images", _FEW),
    "images by norm": ("effective number of images by the norms of their gradients", _FEW),
    "1/alpha (Hill, norms)": ("1/alpha^ of these norms by Hill's estimator", _FEW),
    # Controls
    "1/alpha (images, measured)": ("joint 1/alpha^ of what images alone decide, at K1 = x pixels", "ControlsSpec"),
    "1/alpha (images, closed form)": ("the same from their second moments", "ControlsSpec"),
    "image": ("pixel x of the first training image, normalised", "ControlsSpec"),
    # Gradient descent and SGD, on the first images
    "predicted classes": ("number of classes that are predicted at all", "JumpSpec"),
    "commonest prediction": ("share of the images for which the commonest class is predicted", "JumpSpec"),
    "output size": ("root mean square of the outputs", "JumpSpec"),
    "smallest eigenvalue": ("of the Hessian of the mean loss on x (2,000) images", "JumpSpec ArmSpec"),
    "largest eigenvalue": ("of the Hessian of the mean loss on x (2,000) images", "JumpSpec ArmSpec"),
    # Arms of a training
    "norm ratio": ("median norm of an arm's noise over that of SGD's, at the same weights", "ArmSpec"),
    # Known laws
    "1/alpha": ("mean estimate of 1/alpha", "EstimatorSpec"),
    "sd of 1/alpha": ("its standard deviation over replicates", "EstimatorSpec"),
    "reported se of 1/alpha": ("mean of the standard error that the estimator reports", "EstimatorSpec"),
    "1/alpha, closed form": ("what the block estimator's closed form says", "EstimatorSpec"),
    "alpha": ("mean estimate of alpha", "EstimatorSpec"),
    "sd of alpha": ("its standard deviation over replicates", "EstimatorSpec"),
    "rejected": ("share of the matrices that a test rejects at 5 %", "PowerSpec"),
    # Exits
    "exit time": ("mean time of the first exit from a well", "ExitSpec"),
    "exit time, limit": ("its limit for small noise", "ExitSpec"),
    "exit time, exact": ("its exact value, for Brownian noise", "ExitSpec"),
    "sd / mean": ("standard deviation of the exit times over their mean", "ExitSpec"),
    "rate": ("rate of moves from a well to the well x", "WellsSpec"),
    "rate, limit": ("its limit for small noise", "WellsSpec"),
    "occupation": ("share of the time in a well", "WellsSpec"),
    "occupation, limit": ("its limit for small noise", "WellsSpec"),
    # Cost
    "seconds": ("wall time of one call", "EstimatorSpec CostSpec"),
    "bytes": ("peak of the memory of a process", "CostSpec"),
}

for _kind in ("published", "corrected", "corrected, columns permuted"):
    for _name in (f"1/alpha ({_kind})", f"K1 ({_kind})"):
        QUANTITIES[_name.replace(")", ", data order)")] = f"{_name}, of minibatches in data order", _ALONG
for _way in ("text", "text, epsilon", "text, dead kept"):
    QUANTITIES[f"K1 ({_way})"] = f"block length of 1/alpha ({_way})", "DeparturesSpec"
for _what in ("coordinates", "units", "random projections", "leading projections"):
    QUANTITIES[f"not normal ({_what})"] = f"share of the {_what} that a test of normality rejects", _DIAGNOSIS
for _name in ("tail excess", "log-scale"):
    QUANTITIES[f"unit norms: {_name}"] = f"{_name} where the gradient of every image has norm one", _FEW
    QUANTITIES[f"cut norms: {_name}"] = f"{_name} where the gradient of every image is cut to the median norm", _FEW
# What is tested against Gaussian twins.
for _name in ("tail excess", "1/alpha (per coordinate)", "sd of ln norm", *(n for n in QUANTITIES if "kurtosis" in n)):
    QUANTITIES[f"{_name} (twin)"] = f"mean of {_name} over Gaussian twins", _DIAGNOSIS
    QUANTITIES[f"{_name} (p)"] = f"p-value of {_name} against Gaussian twins", _DIAGNOSIS
# The joint estimate of other noise than that of the minibatches in data order; the first two of a twin in closed form.
for _convention, _length in product(("published", "corrected"), ("", ", K1 = 1000")):
    _name = f"1/alpha ({_convention}{_length})"
    QUANTITIES |= {
        f"twin {_name}": (f"{_name} of the Gaussian twin", _PAPER),
        f"random partition: twin {_name}": (f"{_name} of the Gaussian twin of a random partition", "PaperSpec"),
        f"random partition: {_name}": (f"{_name} of a random partition", "PaperSpec"),
        f"drawn twin: {_name}": (f"mean {_name} of three drawn twins", "PaperSpec"),
        f"signs: {_name}": (f"{_name} with random signs of the coordinates", "PaperSpec"),
    }


def check(rows: Iterable[dict[str, Any]]) -> None:
    """Refuse rows with a name that the table does not have, with a ValueError that lists them."""
    unknown = sorted({row["quantity"] for row in rows} - QUANTITIES.keys())
    if unknown:
        raise ValueError(
            f"rows named {', '.join(map(repr, unknown))}, which no reader knows: add each to QUANTITIES in "
            "tailnoise_utils/study/results/quantities.py, with its meaning and who writes it"
        )
