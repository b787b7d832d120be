"""The symmetric alpha-stable law SaS(sigma): samples, paths, moments, density and information."""

from .density import cdf, check_alpha, fisher_information, pdf, ppf
from .law import absolute_moment, characteristic_function, cramer_rao, levy_path, log_cumulants, sample
