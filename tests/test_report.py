"""What a newcomer reads: the printed report explains itself, and its last sentence says what was found and no more."""

import re
from dataclasses import replace

import pytest
import torch
from conftest import ROOT
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import diagnosis, stable
from tailnoise_utils.diagnosis import Comparison, conclude, counted
from tailnoise_utils.diagnosis.joint import Estimate
from tailnoise_utils.measurement import one_call as module
from tailnoise_utils.measurement.one_call import measure
from tailnoise_utils.noise.minibatches import Minibatches

NAMES = ("tail excess", "kurtosis (random projections)", "kurtosis (leading projections)", "sd of ln norm")


def results(p: float = 0.5, **others: float) -> dict[tuple[str, str, int | None], Comparison]:
    """Tests of the whole network and of a layer that has much smaller p-values; the columns at three K1."""
    columns = [("1/alpha (per coordinate)", K1) for K1 in (30, 2, 50)]
    keys = [("tail excess", None), *columns, *((name, None) for name in NAMES[1:])]
    tests = {}
    for name, x in keys:
        tests["all", name, x] = Comparison(1.0, 0.0, 0.1, others.get(name if x is None else f"{name}, {x}", p))
        tests["layer", name, x] = Comparison(1.0, 0.0, 0.1, 0.0001)
    return tests


def test_each_statistic_counts_once_at_its_largest_block_length_up_to_30() -> None:
    keys = {name: ("all", name, None) for name in NAMES} | {
        "1/alpha (per coordinate)": ("all", "1/alpha (per coordinate)", 30)
    }
    assert counted(results()) == keys
    del keys["tail excess"]
    assert counted(results(**{"tail excess": float("nan")})) == keys


def test_noise_beyond_all_twins_is_heavier_and_the_tests_are_named() -> None:
    text = conclude(results(**{"tail excess": 0.01, "sd of ln norm": 0.01}), 99)
    assert text == (
        "Conclusion: across the minibatches, if they are a random partition of the data, the noise of the whole network is "
        "heavier than Gaussian noise of the same covariance by tail excess (p = 0.01) and sd of ln norm (p = 0.01), of 5 "
        "tests (*), each at the level 0.05 / 5; this does not make it stable, nor say how heavy it is."
    )
    assert "by 1/alpha (per coordinate) (p = 0.01), of 5 tests" in conclude(
        results(**{"1/alpha (per coordinate), 30": 0.01}), 99
    )
    assert "is heavier than Gaussian" in conclude(results(**{"tail excess": 2 / 200}), 199)


@pytest.mark.parametrize(
    "others",
    [
        {"tail excess": 0.02},
        {"1/alpha (per coordinate), 2": 0.01, "1/alpha (per coordinate), 50": 0.01, "tail excess": 0.02},
    ],
)
def test_less_than_that_cannot_be_told_from_gaussian_noise(others: dict[str, float]) -> None:
    assert conclude(results(**others), 99) == (
        "Conclusion: across the minibatches, if they are a random partition of the data, none of 5 tests (*), each at the "
        "level 0.05 / 5, can tell the noise of the whole network from Gaussian noise of the same covariance (smallest "
        "p = 0.02, tail excess); the book's page power shows what such tests miss."
    )


def test_too_few_twins_conclude_nothing() -> None:
    assert "none, for with 98 twins no p-value can be below 0.01" in conclude(results(1 / 99), 98)
    assert "5 tests (*), each at the level 0.05 / 5, need draws = 99 or more" in conclude(results(0.05), 19)
    assert "none of 4 tests (*), each at the level 0.05 / 4" in conclude(results(**{"tail excess": float("nan")}), 79)
    assert "no test across the minibatches has a p-value" in conclude(results(float("nan")), 99)
    assert conclude(results(**{"tail excess": 0.01}), 99, "a reason.") == "Conclusion: none, for a reason."


def test_tests_that_find_something_are_listed_with_commas() -> None:
    text = conclude(results(**{"tail excess": 0.01, "sd of ln norm": 0.01, "1/alpha (per coordinate), 30": 0.01}), 99)
    assert (
        "by tail excess (p = 0.01), sd of ln norm (p = 0.01) and 1/alpha (per coordinate) (p = 0.01), of 5 tests"
        in text
    )


@pytest.mark.slow
def test_whether_scales_and_tails_are_told_apart_and_how_many_differences_are_rounding_is_printed() -> None:
    result = diagnosis.diagnose(
        torch.randn(40, 600, generator=torch.Generator().manual_seed(7)), centred=False, draws=19
    )
    for tau_Y, words in ((0.02, False), (0.03, True)):
        parts = replace(result.decomposition["all"], tau=0.2, tau_Y=Estimate(tau_Y, 0.0))
        text = repr(replace(result, decomposition={"all": parts}))
        assert ("scales and tails are not told apart" in " ".join(text.split())) == words
        assert re.search(rf"^  all .* {tau_Y:.3f} ", text, re.M)
    for share, words in ((1.9e-4, False), (2.1e-4, True)):
        text = " ".join(repr(replace(result, unresolved={"all": share})).split())
        assert ("Of the differences between minibatches 0.02% may be rounding errors" in text) == words


def test_rounding_forbids_a_conclusion() -> None:
    assert diagnosis.doubt({"all": 2e-3, "first": 0.3}, torch.float32) == diagnosis.doubt({}, torch.float64) == ""
    doubt = diagnosis.doubt({"all": 2.1e-3, "first": 0.0, "last": 0.3}, torch.float32)
    assert doubt.startswith(
        "0.2% of the differences between minibatches (30.0% in the group 'last') may be rounding errors"
    )
    assert "Leave layers behind a dead one out, with requires_grad_(False)" in doubt
    assert diagnosis.doubt({"all": 2.1e-3}, torch.float64).startswith(
        "0.2% of the differences between minibatches may be"
    )
    for dtype in (torch.float16, torch.bfloat16):
        assert f"gradients in {str(dtype)[6:]} have too few digits" in diagnosis.doubt({"all": 0.0}, dtype)


@pytest.mark.slow
def test_conclusions_of_noise_that_is_known() -> None:
    generator = torch.Generator().manual_seed(1)
    gaussian = torch.randn(40, 500, generator=generator)
    heavy = stable.sample(1.7, (40, 500), generator=generator).float()
    for U, words in ((gaussian, "none of 5 tests (*)"), (heavy, "is heavier than Gaussian noise")):
        result = diagnosis.diagnose(U - U.mean(0), draws=99)
        last = repr(result)[repr(result).index("Conclusion:") :]
        assert " ".join(last.split()) == conclude(result.tests, 99)
        assert words in conclude(result.tests, 99)
        assert "heavier" in last if U is heavy else "heavier" not in last
        starred = re.findall(r"^    (\S.*) \* ", repr(result), re.M)
        assert [name.removesuffix(", K1 = 20") for name in starred] == [
            NAMES[0],
            "1/alpha (per coordinate)",
            *NAMES[1:],
        ]


@pytest.mark.slow
def test_the_report_of_the_readme_fits_a_page_and_ends_as_the_readme_says(capsys) -> None:
    text = (ROOT / "README.md").read_text()
    [snippet] = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(snippet, {})
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60
    quoted, *_ = re.findall(r"```text\n(.*?)```", text, re.S)  # the second is the layout
    assert printed.endswith(quoted)


@pytest.mark.slow
def test_few_minibatches_come_with_a_warning() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(48, 6, generator=generator), torch.randint(3, (48,), generator=generator)
    model = nn.Linear(6, 3)
    text = repr(measure(model, cross_entropy, Minibatches(x, y, 16, seed=0)))
    assert "P = 3 minibatches are few: a standard error may be wrong by 50% or more, and\n  the tests need 16" in text
    assert "No diagnosis, and no conclusion: P = 3 rows are too few to look across them" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    for wanted in (True, False):
        enough = repr(measure(model, cross_entropy, Minibatches(x, y, 3, seed=0), diagnosis=wanted, draws=19))
        assert "are few" not in enough
        assert ("Conclusion" in enough) == wanted


def test_two_minibatches_have_no_standard_error() -> None:
    x, y = torch.randn(48, 6, generator=torch.Generator().manual_seed(0)), torch.arange(48) % 3
    text = repr(measure(nn.Linear(6, 3), cross_entropy, Minibatches(x, y, 24, seed=0)))
    assert "P = 2 minibatches are few: a standard error needs 3, and\n  the tests need 16" in text
    assert "nan" not in text
    assert re.search(r"corrected  -?\d+\.\d{3}  without the dead", text)


@pytest.mark.slow
def test_few_live_coordinates_come_with_a_warning() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(640, 4, generator=generator), torch.randint(3, (640,), generator=generator)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 120), nn.ReLU(), nn.Linear(120, 3))
    report = measure(model, cross_entropy, Minibatches(x, y, 32, seed=0), draws=19)
    assert "of which only" not in repr(report)
    with torch.no_grad():
        model[0].bias.fill_(-1e3)  # nothing of the hidden layer is left
    text = repr(measure(model, cross_entropy, Minibatches(x, y, 32, seed=0), draws=19))
    assert (
        "p = 963 coordinates,\n  of which only 3 live: few, so that one of them can decide a test;\n  dead 99.7%"
        in text
    )
    assert " ".join(text.split()).endswith("The network has only 3 live coordinates.")
    assert "99.69% of the parameters;\n  only 3 live: few, so that alpha^ says little" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.slow
def test_one_output_has_no_accuracy() -> None:
    x, y = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)), torch.zeros(64, dtype=torch.int64)
    loss = lambda outputs, y: (outputs[:, 0] - y).square().mean()  # noqa: E731
    for outputs in (1, 2):
        report = measure(nn.Linear(6, outputs), loss, Minibatches(x, y, 2, seed=0), diagnosis=False)
        assert (report.accuracy is None) == (outputs == 1)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_of_whole_numbers_has_no_conclusion(dtype: torch.dtype) -> None:
    """Black and white pictures under weights of zero: gradients are counts, and their differences are often zero."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(1500, 40, generator=generator) < 0.3).to(dtype), torch.randint(10, (1500,), generator=generator)
    model = nn.Linear(40, 10, dtype=dtype)
    for weight in model.parameters():
        nn.init.zeros_(weight)
    batches = Minibatches(x, y, 50, seed=0)
    text = " ".join(repr(measure(model, cross_entropy, batches)).split())
    share = float(re.findall(r"Conclusion: none, for (\d+\.\d)% of the differences", text)[0])
    assert 0.5 < share < 10
    with torch.no_grad():
        model.weight.normal_(generator=generator)
    assert "5 tests (*), each at the level" in " ".join(repr(measure(model, cross_entropy, batches)).split())


def test_few_are_fewer_than_a_hundred() -> None:
    for p in (99, 100):
        U = torch.randn(20, p, generator=torch.Generator().manual_seed(3))
        assert ("of which only" in repr(diagnosis.diagnose(U - U.mean(0), draws=19))) == (p < 100)


@pytest.mark.slow
def test_small_noise_beside_a_large_mean_has_a_conclusion() -> None:
    """A regression on features far from zero: its gradients agree in their first digits, and their noise is real."""
    generator = torch.Generator().manual_seed(4)
    x = 290 + 10 * torch.randn(4000, 8, generator=generator)
    y = x @ torch.randn(8, 1, generator=generator) + torch.randn(4000, 1, generator=generator)
    torch.manual_seed(0)
    text = repr(measure(nn.Linear(8, 1), nn.functional.mse_loss, Minibatches(x, y, 100, seed=0)))
    assert "5 tests (*), each at the level" in " ".join(text.split())


@pytest.mark.slow
def test_differences_of_a_measurement_are_of_gradients_before_they_are_centred() -> None:
    """A linear loss, whose gradients are the inputs: most are tiny, and one minibatch of each has a large one."""
    generator = torch.Generator().manual_seed(5)
    g = 2e-10 * torch.randn(60, 200, generator=generator, dtype=torch.float64)
    g[torch.randint(60, (200,), generator=generator), torch.arange(200)] = 1.0
    batches = [(row[None], torch.zeros(1)) for row in g.float()]
    report = measure(nn.Linear(200, 1, bias=False), lambda outputs, _: outputs.mean(), batches, seed=3, draws=19)
    exact = float(diagnosis.column_inverse(g, [2]).mean())
    assert report.diagnosis.tests["all", "1/alpha (per coordinate)", 2].value == pytest.approx(exact, rel=1e-3)
    centred = (g - g.mean(0)).float()
    assert float(diagnosis.column_inverse(centred, [2]).nanmean()) != pytest.approx(exact, rel=0.01)


def test_groups_keep_their_order_where_one_is_dead() -> None:
    U = torch.randn(20, 300, generator=torch.Generator().manual_seed(2))
    U[:, 100:200] = 0
    groups = {name: [slice(at, at + 100)] for name, at in (("a", 0), ("b", 100), ("c", 200))}
    lines = repr(diagnosis.diagnose(U - U.mean(0), groups=groups, draws=19)).splitlines()
    scopes = [line.split()[0] for line in lines if re.match(r"  [abc] ", line)]
    assert scopes == ["a", "b", "c"]
    assert any(line.startswith("  b     none: ") for line in lines)


def rare(outputs: Tensor, y: Tensor) -> Tensor:
    """A loss that reaches the parameters in the minibatch of sample 0 only."""
    return outputs.sum() * (y == 0).any()


@pytest.mark.slow
def test_only_too_little_noise_is_a_reason_for_no_diagnosis(monkeypatch) -> None:
    x, y = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)), torch.arange(64)
    model, batches = nn.Linear(6, 3), Minibatches(x, y, 2, seed=0)
    assert (
        "limit = 1 is below the 2 pieces"
        in measure(model, lambda o, _: o.square().mean(), batches, entries=32).no_diagnosis
    )

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(module, "diagnose", broken)
    with pytest.raises(ValueError, match="a mistake of ours"):
        measure(model, rare, batches)
