r"""The diagnosis of alpha^: references, controls and tests that say why the joint estimate is below 2.

Let the rows of the noise matrix U be independent with one symmetric stable law, *any* dependence between coordinates.
Given Z, P x P independent standard normal numbers, a row of the Gaussian twin :math:`Z U / \sqrt P` has the law of
:math:`c_i U_1`, :math:`c_i = (\sum_k |Z_{ik}|^\alpha)^{1/\alpha} / \sqrt P`. Blocks lie inside rows, where a factor of the
whole row cancels in :math:`\ln|Y| - \ln|X|`: :math:`E[1/\hat\alpha]` is the *same* on heavy-tailed noise and on its
Gaussian twin. The joint statistic knows the correlation of coordinates and not the tails.

* :func:`~tailnoise_utils.diagnosis.assembly.diagnose`: all of the following, for one matrix;
* :func:`~tailnoise_utils.diagnosis.decomposition.decompose`: the joint estimate taken apart;
* :func:`~tailnoise_utils.diagnosis.joint.curve`: the joint estimate against K1;
* :mod:`~tailnoise_utils.diagnosis.per_coordinate`, :mod:`~tailnoise_utils.diagnosis.projections`: tests down the columns;
* :mod:`~tailnoise_utils.diagnosis.conclusion`: what the tests say together, and when they can say nothing;
* :mod:`~tailnoise_utils.diagnosis.batch_scaling`: the scale of the noise against the batch size;
* :mod:`~tailnoise_utils.diagnosis.twins`: what the noise is compared with.
"""

from .assembly import Diagnosis, diagnose
from .batch_scaling import log_scale, scaling_exponent, stable_log_scale
from .conclusion import conclude, counted, doubt, heavier, order, unresolved, verdict
from .decomposition import decompose
from .joint import TooFew, curve
from .per_coordinate import (
    Comparison,
    column_inverse,
    column_lengths,
    gaussian_norms,
    gaussian_null,
    gram,
    judge,
    norm_spread,
    stable_index,
    stable_null,
    tail_excess,
)
from .projections import anderson_darling, discoveries, excess_kurtosis, leading_projections, random_projections
from .twins import gaussian_twin, permute_within_columns, sample_columns, shuffle, stable_twin
