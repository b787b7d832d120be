"""The diagnosis of one noise matrix: whole and sampled, its groups and its units."""

import math
import sys

import numpy as np
import pytest
import torch
from problems import COLUMNS, P, centred, latent, normal, sas

from tailnoise_utils import diagnosis, stable
from tailnoise_utils.diagnosis.assembly import _units

GROUPS = {"first": [slice(0, 1500), slice(1990, 2000)], "last": [slice(1500, 1990)]}


def assert_same_parts(parts, others):
    """But for the roundings of centring and scaling."""
    numbers, wanted = ([row["value"] for row in one.rows()] for one in (parts, others))
    assert numbers == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_anatomy_of_heavy_tailed_noise():
    U = centred(sas(1.5, (P, COLUMNS), 29))
    U[:, ::10] = 0
    result = diagnosis.diagnose(U, groups=GROUPS, seed=1)
    again = diagnosis.diagnose(U, groups=GROUPS, seed=1)
    assert result.rows() == again.rows()
    assert result.dead_share == pytest.approx(0.1)
    assert result.segments == ((0, COLUMNS),)
    assert set(result.decomposition) == {"all", "first", "last"}
    assert_same_parts(result.decomposition["all"], diagnosis.decompose(U, seed=1))
    assert result.decomposition["last"].p == 441
    assert_same_parts(result.decomposition["last"], diagnosis.decompose(U[:, 1500:1990], seed=1))
    nulls = [result.tests[scope, "tail excess", None].null for scope in result.decomposition]
    assert len(set(nulls)) == 3
    for scope in result.decomposition:
        assert result.tests[scope, "tail excess", None].p == 0.01
        assert result.tests[scope, "sd of ln norm", None].p == 0.01
        assert result.tests[scope, "1/alpha (per coordinate)", 30].value == pytest.approx(2 / 3, abs=0.1)
    assert result.tests["all", "1/alpha (per coordinate)", 30].null == pytest.approx(0.5, abs=0.02)
    assert result.control[30].value == pytest.approx(2 / 3, abs=0.05)
    assert result.not_normal["all", "coordinates"] > 0.5
    assert result.not_normal["last", "coordinates"] > 0.5
    alone = diagnosis.tail_excess(U[:, torch.arange(COLUMNS) % 10 != 0]).mean()
    assert result.tests["all", "tail excess", None].value == pytest.approx(
        float(alone), rel=1e-6
    )  # all columns are within the limit
    rows = result.rows()
    assert all({"quantity", "value"} <= set(row) <= {"quantity", "value", "scope", "x", "se"} for row in rows)
    keys = [(row.get("scope"), row["quantity"], row.get("x")) for row in rows]
    assert len(keys) == len(set(keys))
    assert "1/alpha (per coordinate), K1 = 30" in repr(result)


def test_noise_is_centred_before_it_is_looked_at():
    U = centred(normal((30, 300), 8)).double()
    plain, shifted = (diagnosis.diagnose(U + mean, draws=19) for mean in (0.0, 5.0))
    for key, test in plain.tests.items():
        assert shifted.tests[key].value == pytest.approx(test.value, rel=1e-6)
        assert shifted.tests[key].p == test.p
    assert shifted.decomposition["all"].e_0 == pytest.approx(plain.decomposition["all"].e_0)


@pytest.mark.slow
def test_anatomy_of_gaussian_noise_finds_nothing():
    result = diagnosis.diagnose(latent(2.0, 8, 5), groups=GROUPS, draws=39, seed=2)
    assert min(test.p for test in result.tests.values()) > 0.025
    assert max(result.not_normal.values()) < 0.1
    assert abs(result.decomposition["all"].tails.value) < 0.03


@pytest.mark.slow
def test_units_are_tested_by_projections_of_their_own_weights():
    U = normal((P, 4000), 40)
    U[:, :1000] *= stable.sample(1.2, (P, 1), generator=np.random.default_rng(41))
    U[:, 1990:1999] = 0  # leaves the last unit one live column
    units = [slice(at, at + 10) for at in range(0, 2000, 10)]
    result = diagnosis.diagnose(centred(U), units=units, groups={"rest": [slice(2000, 4000)]}, draws=19)
    assert result.not_normal["all", "units"] == pytest.approx(100 / 199, abs=0.03)
    assert ("rest", "units") not in result.not_normal
    assert ("all", "units") not in diagnosis.diagnose(centred(U), draws=19).not_normal


def test_only_units_that_are_looked_at_whole_take_part():
    units = [slice(at, at + 10) for at in range(0, 2000, 10)]
    columns = diagnosis.sample_columns(4000, {"first": [slice(0, 2000)]}, 1000, seed=0)
    mask = torch.ones(1000, dtype=torch.bool)
    mask[30:38] = False
    live, looked_at = columns[mask], set(columns.tolist())
    placed = [live[place].tolist() for place in _units(units, columns, mask, 0)]
    complete = [range(unit.start, unit.stop) for unit in units if looked_at >= set(range(unit.start, unit.stop))]
    expected = [[at for at in unit if at in set(live.tolist())] for unit in complete]
    assert 45 < len(placed) < 50
    assert sorted(placed) == [part for part in expected if len(part) > 1]


@pytest.mark.slow
def test_anatomy_of_a_sample_of_the_coordinates():
    U = centred(normal((P, COLUMNS), 30))
    groups = {"dead": [slice(0, 100)], "alive": [slice(100, COLUMNS)]}
    U[:, :100] = 0
    result = diagnosis.diagnose(U, groups=groups, draws=19, max_entries=P * 500)
    assert sum(stop - start for start, stop in result.segments) == 500
    assert result.dead_share == pytest.approx(0.05)
    assert result.decomposition["all"].p == 475
    assert math.isqrt(P * 475) == result.decomposition["all"].K1  # a quarter of a row would be less
    wide = diagnosis.diagnose(centred(normal((20, 20_000), 43)), draws=19, max_entries=20 * 10_000)
    assert wide.decomposition["all"].p == 10_000
    assert math.isqrt(20 * 20_000) == wide.decomposition["all"].K1  # that of the whole network
    assert set(result.problems) == {"dead"}
    assert "none:" in repr(result)
    assert "500 of them looked at" in repr(result)


@pytest.mark.slow
@pytest.mark.parametrize(("looked_at", "K1"), [(4000, 200), (2000, 200), (1200, 150), (600, 77)])
def test_the_block_length_is_that_of_the_live_entries_of_the_whole_network(looked_at, K1):
    """Of 20 x 2000 entries it is 200; of fewer that are looked at, no more than a quarter of a row, or the root of all."""
    U = centred(normal((20, 4000), 44))
    U[:, ::2] = 0
    parts = diagnosis.diagnose(U, draws=19, max_entries=20 * looked_at).decomposition["all"]
    assert (parts.p, parts.K1) == (looked_at // 2, K1)


@pytest.mark.slow
def test_all_groups_together_have_half_of_the_entries():
    U = centred(sas(1.5, (20, 4000), 45))
    groups = {"a": [slice(0, 2000)], "b": [slice(2000, 3500)], "c": [slice(3500, 4000)]}
    parts = diagnosis.diagnose(U, groups=groups, draws=19, seed=3, max_entries=20 * 4000).decomposition
    assert {name: parts[name].p for name in groups} == {"a": 666, "b": 666, "c": 500}  # 2000 columns by three
    for name, start, p in (("a", 0, 2000), ("b", 2000, 1500)):
        columns = start + diagnosis.sample_columns(p, None, 666, seed=3)
        assert_same_parts(parts[name], diagnosis.decompose(U[:, columns], seed=3))


@pytest.mark.slow
def test_a_group_is_judged_by_its_own_columns():
    U = torch.cat([centred(normal((P, 700), 60)), centred(sas(1.5, (P, 800), 61))], 1)
    groups = {"plain": [slice(0, 200)], "rest": [slice(200, 700)], "heavy": [slice(700, 1500)]}
    result = diagnosis.diagnose(U, groups=groups, seed=3)
    for name in ("plain", "rest"):
        assert result.tests[name, "tail excess", None].p > 0.01
        assert result.tests[name, "sd of ln norm", None].p > 0.01
        assert result.not_normal[name, "coordinates"] < 0.05
    assert abs(result.tests["plain", "tail excess", None].value) < 0.02
    tau = diagnosis.tail_excess(U[:, :200])  # 256 columns at most: all of these
    assert result.tests["plain", "tail excess", None].value == pytest.approx(float(tau.mean()), rel=1e-6)
    assert result.tests["plain", "sd of ln norm", None].value == pytest.approx(
        diagnosis.norm_spread(diagnosis.gram(U[:, :200])), rel=1e-6
    )
    for name in ("tail excess", "sd of ln norm"):
        assert result.tests["heavy", name, None].p == 0.01
    assert result.tests["heavy", "tail excess", None].value > 0.3
    assert result.not_normal["heavy", "coordinates"] > 0.5
    assert result.tests["heavy", "kurtosis (random projections)", None].value > 1
    assert abs(result.tests["plain", "kurtosis (random projections)", None].value) < 0.3


@pytest.mark.slow
def test_projections_have_the_null_of_gaussian_noise_and_the_control_that_of_stable_noise():
    U = torch.from_numpy(np.asarray(sas(1.5, (P, 1), 62) * normal((P, 900), 63))).float()
    result = diagnosis.diagnose(U - U.mean(0), seed=4)
    for kind, n in (("random", P), ("leading", P // 2)):
        test = result.tests["all", f"kurtosis ({kind} projections)", None]
        assert test.p == 0.01
        assert test.null_sd > 0
        assert test.null == pytest.approx(-6 / (n + 1), abs=4 * test.null_sd / 99**0.5 + 0.01)
    result = diagnosis.diagnose(centred(sas(1.5, (24, 900), 64)), seed=5, draws=19)  # tau of so few rows is 0.3
    assert list(result.control) == [2, 3, 5, 10]
    assert [one.value for one in result.control.values()] == pytest.approx([2 / 3] * 4, abs=0.06)


@pytest.mark.slow
def test_samples_of_columns_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr(
        sys.modules["tailnoise_utils.diagnosis.assembly"], "COLUMNS", 200
    )  # the name is a function, too
    U = torch.cat([centred(normal((P, 700), 65)), centred(sas(1.5, (P, 700), 66))], 1)
    result = diagnosis.diagnose(U, groups={"both": [slice(0, 1400)], "plain": [slice(0, 700)]}, draws=19, seed=6)
    heavy = float(diagnosis.tail_excess(U[:, 700:]).mean())
    for scope in ("all", "both"):  # 200 and 256 columns: from both halves, not from the first alone
        assert result.tests[scope, "tail excess", None].value == pytest.approx(heavy / 2, abs=heavy / 6)
    assert abs(result.tests["plain", "tail excess", None].value) < heavy / 20


@pytest.mark.slow
def test_units_are_projected_onto_random_directions():
    signs = np.tile([1.0, -1.0], 1500)
    U = normal((P, 3000), 68) + np.repeat(sas(1.2, (P, 300), 67), 10, axis=1) * signs
    units = [slice(at, at + 10) for at in range(0, 3000, 10)]
    result = diagnosis.diagnose(centred(U), units=units, draws=19, seed=7)
    assert result.not_normal["all", "units"] > 0.8  # the plain sum of a unit's columns is Gaussian


@pytest.mark.slow
def test_norms_of_a_group_have_the_null_of_its_own_number_of_columns(monkeypatch):
    asked = []

    def recorded(G, p, shape, rng):
        asked.append((len(G), p))
        return diagnosis.gaussian_norms(G, p, shape, rng)

    monkeypatch.setattr("tailnoise_utils.diagnosis.tests.gaussian_norms", recorded)
    diagnosis.diagnose(centred(normal((P, 500), 69)), groups={"few": [slice(0, 4)]}, draws=19)
    assert asked == [(P, 500), (P, 4)]


@pytest.mark.slow
def test_kurtoses_of_projections_have_their_own_null():
    """Over many Gaussian matrices the null mean and deviation are those of the statistic itself."""
    quantities = ("kurtosis (random projections)", "kurtosis (leading projections)")
    tests = [diagnosis.diagnose(centred(normal((40, 30), 100 + k)), draws=19, seed=k).tests for k in range(40)]
    for quantity in quantities:
        values, null_sd = zip(
            *((test.value, test.null_sd) for test in (one["all", quantity, None] for one in tests)), strict=True
        )
        assert 0.7 < np.std(values) / np.mean(null_sd) < 1.4
