"""Extract minibatch gradient noise and estimate its tail index.

The utils, which anyone can install:

* `measurement`: measure the gradient noise of any model in one call;
* `noise`: the noise matrix, gradients, minibatches;
* `tail_index`: estimators of the tail index, one function per cited formula;
* `diagnosis`: why the joint estimate is below 2;
* `stable`: the symmetric alpha-stable law.

`study` is the study of arXiv:1901.06053 (Simsekli, Sagun and Gurbuzbalaban, ICML 2019) that uses them.

Names are imported when they are first used: ``import tailnoise_utils`` itself loads nothing.
"""

from importlib import import_module

from ._version import __version__

_HOMES = {
    "ESTIMATORS": "tail_index",
    "Minibatches": "noise",
    "Recorder": "measurement",
    "estimate": "tail_index",
    "measure": "measurement",
    "measure_rows": "measurement",
    "mohammadi": "tail_index",
    "noise_matrix": "noise",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    """Import a name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the names of the face."""
    return sorted(__all__)
