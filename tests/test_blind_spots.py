"""Noise matrices have the laws they claim; the page of blind spots says what its tables say."""

import math

import numpy as np
import pytest

from tailnoise_utils.study.experiments import blind_spots
from tailnoise_utils.study.figures import blind_spots as figures
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

    monkeypatch.setattr(blind_spots.diagnosis, "gaussian_twin", twin)
    blind_spots.twins(3)
    assert len(set(drawn)) == len(drawn) == 18


def test_the_joint_estimate_is_blind_and_tau_is_not():
    table = blind_spots.twins(24)
    wide = table.pivot_table(index=["law", "replicate"], columns="kind", values="1/alpha")
    gap = (wide["noise"] - wide["twin"]).groupby("law").agg(["mean", "sem"])
    assert (gap["mean"].abs() < 4 * gap["sem"]).all()
    means = table.groupby(["law", "kind"])["tail excess"].mean()
    assert (means.xs("noise", level="kind").filter(like="SaS") > 0.3).all()
    assert (means.xs("twin", level="kind").abs() < 0.02).all()
    figure = figures.noise_and_twin(table)
    drawn = figure.axes[0].get_lines()[0].get_xdata(orig=False)
    laws = list(dict.fromkeys(table["law"]))
    np.testing.assert_allclose(drawn, wide.groupby("law")["noise"].mean()[laws])


def test_parts_are_the_truth():
    table = blind_spots.known_parts(16)
    texts = figures.parts_table(table)
    assert list(texts) == ["correlation", "order", "scales", "tails"]
    first = table.query("law == 'SaS 1.5, i.i.d.' and part == 'tails'").iloc[0]
    assert (
        texts.loc[first["law"], "tails"].replace("\N{NO-BREAK SPACE}", " ")
        == f"{first['value']:.3f} ± {first['se']:.3f} ({first['truth']:.3f})"
    )
    assert ((table["value"] - table["truth"]).abs() < 4 * table["se"] + 0.015).all()
    bars = figures.known_parts(table).axes[0].containers
    correlation = table[table["part"] == "correlation"]
    np.testing.assert_allclose([bar.get_width() for bar in bars[0]], correlation["value"])


def test_zeros_and_block_lengths_are_drawn():
    table = blind_spots.zeros(3)
    assert ((table["1/alpha"] - table["closed"]).abs() < 0.02).all()
    lines = figures.zero_shares(table).axes[0].get_lines()
    corrected = table[table["convention"] == "corrected"]
    np.testing.assert_allclose(lines[1].get_ydata(), 1 / corrected["1/alpha"])
    lengths = blind_spots.block_lengths(2)
    tens = lengths.query("law == 'Gaussian, correlated in tens' and order == 'listed'").set_index("K1")["value"]
    assert tens[10] == pytest.approx(0.5 + math.log1p(9 * 0.6) / 2 / math.log(10), abs=0.01)
    assert len(figures.block_length_and_order(lengths).axes) == 2
