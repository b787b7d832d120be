"""Extract minibatch gradient noise and estimate its tail index.

The package behind the book that reproduces arXiv:1901.06053 (Simsekli, Sagun and Gurbuzbalaban, ICML 2019):

* :mod:`tailnoise_utils.stable`: the symmetric alpha-stable law,
* :mod:`tailnoise_utils.tail_index`: estimators of its index, one function per cited formula,
* :mod:`tailnoise_utils.measure`: measure the gradient noise of any model in one call; its parts are
  :mod:`~tailnoise_utils.minibatches`, :mod:`~tailnoise_utils.gradient`, :mod:`~tailnoise_utils.noise`,
* :mod:`tailnoise_utils.controls`: why alpha^ is below 2: its parts, surrogates, tests across the minibatches,
* :mod:`tailnoise_utils.data`, :mod:`~tailnoise_utils.models`, :mod:`~tailnoise_utils.train`,
  :mod:`~tailnoise_utils.snapshots`: the paper's data sets and networks, trained by plain SGD,
* :mod:`tailnoise_utils.landscape`, :mod:`~tailnoise_utils.levy_sde`, :mod:`~tailnoise_utils.metastability`: exits from
  wells under Levy and Brownian noise, simulated and in theory,
* :mod:`tailnoise_utils.claims`: the rules that turn stored rows into verdicts on the paper's claims,
* :mod:`tailnoise_utils.specs`, :mod:`~tailnoise_utils.experiments`, :mod:`~tailnoise_utils.runs`,
  :mod:`~tailnoise_utils.sweep`, :mod:`~tailnoise_utils.cluster`, :mod:`~tailnoise_utils.store`: what the book runs, in this
  process or on workers, and its rows with provenance,
* :mod:`tailnoise_utils.plots`: the style and drawings of the figures.

Modules are imported where they are needed: ``import tailnoise_utils`` itself loads none of them.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
