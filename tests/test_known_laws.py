"""Noise matrices have the laws they claim; the joint estimate is the same on them and on their twins, and tau is not."""

import math

import numpy as np
import pandas as pd
import pytest

from tailnoise_utils.study.experiments import estimators
from tailnoise_utils.study.figures.estimators import noise_and_twin
from tailnoise_utils.tail_index import known_laws

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("alpha", [1.5, 1.9, 2.0])
@pytest.mark.parametrize("coordinates", ["independent", "elliptical", "grouped"])
def test_every_coordinate_is_stable(coordinates, alpha):
    U = known_laws.noise_of(coordinates, alpha, (20_000, 20), np.random.default_rng(1), rank=None)
    for w in (0.3, 1.0):
        assert np.cos(w * U).mean() == pytest.approx(math.exp(-(w**alpha)), abs=0.01)


def test_latent_coordinates_are_stable_given_their_loadings():
    U = known_laws.noise_of("latent", 1.5, (40_000, 3), np.random.default_rng(2), rank=5)
    loadings = np.random.default_rng(2).standard_normal((5, 3))
    scales = np.mean(np.abs(loadings) ** 1.5, axis=0) ** (1 / 1.5)
    np.testing.assert_allclose(np.cos(U).mean(0), np.exp(-(scales**1.5)), atol=0.015)


def test_groups_have_the_correlation_and_shares_the_weights():
    U = known_laws.noise_of("grouped", 2.0, (20_000, 25), np.random.default_rng(3), rho=0.4)
    R = np.corrcoef(U.T)
    assert R[0, 9] == pytest.approx(0.4, abs=0.03)
    assert R[24, 20] == pytest.approx(0.4, abs=0.03)
    assert R[9, 10] == pytest.approx(0, abs=0.03)
    mixed = known_laws.noise_of("independent", 1.5, (2000, 100), np.random.default_rng(4), share=0.1)
    expected = math.exp(-(0.1**1.5) - 0.9**2)
    assert np.cos(mixed).mean() == pytest.approx(expected, abs=0.01)


def test_positive_stable_has_its_laplace_transform():
    for index in (0.6, 0.95, 1.0):
        x = known_laws.positive_stable(index, 100_000, np.random.default_rng(5))
        for t in (0.5, 2.0):
            assert np.exp(-t * x).mean() == pytest.approx(math.exp(-(t**index)), abs=0.01)


def test_wrong_matrices_are_refused():
    with pytest.raises(ValueError, match="unknown coordinates 'copula'; choose one of independent, latent"):
        known_laws.noise_of("copula", 1.5, (4, 4), np.random.default_rng())
    with pytest.raises(ValueError, match="give a rank"):
        known_laws.noise_of("latent", 1.5, (4, 4), np.random.default_rng(), rank=None)


def test_twins_of_each_law_are_drawn_anew(monkeypatch):
    """One mixing matrix for all laws would make their differences depend on each other."""
    drawn = []

    def twin(U, generator):
        drawn.append(generator.initial_seed())
        return U

    monkeypatch.setattr(estimators.diagnosis, "gaussian_twin", twin)
    estimators.with_gaussian_twins(3)
    assert len(set(drawn)) == len(drawn) == 15


def test_the_joint_estimate_is_blind_and_tau_is_not():
    table = estimators.with_gaussian_twins(24)
    wide = table.pivot_table(index=["law", "replicate"], columns="kind", values="1/alpha")
    gap = (wide["noise"] - wide["twin"]).groupby("law").agg(["mean", "sem"])
    assert (gap["mean"].abs() < 4 * gap["sem"]).all()
    expected = pd.Series(0.5, gap.index)
    expected["SaS 1.5, i.i.d."] = 1 / 1.5
    expected["Gaussian, correlated in tens"] += math.log1p(9 * 0.6) / 2 / math.log(250)
    noise = wide["noise"].groupby("law").agg(["mean", "sem"])
    assert ((noise["mean"] - expected).abs() < 4 * noise["sem"]).all()
    assert noise["sem"].max() < 0.01
    means = table.groupby(["law", "kind"])["tail excess"].mean()
    assert (means.xs("noise", level="kind").filter(like="SaS") > 0.3).all()
    assert (means.xs("twin", level="kind").abs() < 0.02).all()
    drawn = noise_and_twin(table).axes[0].get_lines()[0].get_xdata(orig=False)
    np.testing.assert_allclose(drawn, noise["mean"][list(dict.fromkeys(table["law"]))])
