"""What a newcomer reads: the printed report explains itself, and its last sentence says what was found and no more."""

import json
import math
import re
from dataclasses import replace
from functools import partial

import pytest
import torch
from conftest import ROOT
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tailnoise_utils import diagnosis, stable
from tailnoise_utils.diagnosis import Comparison, conclude, counted, verdict
from tailnoise_utils.diagnosis.joint import Estimate
from tailnoise_utils.diagnosis.twins import flip_columns, twin_inverse
from tailnoise_utils.measurement import estimates
from tailnoise_utils.measurement import one_call as module
from tailnoise_utils.measurement.one_call import measure, measure_rows
from tailnoise_utils.measurement.report import Report
from tailnoise_utils.noise.matrix import noise_matrix
from tailnoise_utils.noise.minibatches import Minibatches
from tailnoise_utils.tail_index import mohammadi
from tailnoise_utils.tail_index.blocks import PUBLISHED_EPSILON

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
        "heavier than Gaussian noise of the same covariance by tail excess and sd of ln norm (p = 0.01), of 5 tests, each "
        "at the level 0.05 / 5, if the minibatches are a random partition. This does not make it stable."
    )
    assert "by tail excess and sd of ln norm (p <= 0.01), of" in conclude(
        results(**{"tail excess": 0.01, "sd of ln norm": 0.005}), 199
    )
    assert "by 1/alpha (per coordinate) (p = 0.01), of 5 tests" in conclude(
        results(**{"1/alpha (per coordinate), 30": 0.01}), 99
    )
    assert "heavier than Gaussian" in conclude(results(**{"tail excess": 2 / 200}), 199)
    assert verdict(results(**{"tail excess": 0.01}), 99) is True


@pytest.mark.parametrize(
    "others",
    [
        {"tail excess": 0.02},
        {"1/alpha (per coordinate), 2": 0.01, "1/alpha (per coordinate), 50": 0.01, "tail excess": 0.02},
    ],
)
def test_less_than_that_cannot_be_told_from_gaussian_noise(others: dict[str, float]) -> None:
    assert conclude(results(**others), 99) == (
        "not told from Gaussian noise of the same covariance by 5 tests, each at the level 0.05 / 5, if the minibatches "
        "are a random partition (smallest p = 0.02, tail excess). This does not make it Gaussian."
    )
    assert verdict(results(**others), 99) is False


def test_too_few_twins_conclude_nothing() -> None:
    assert "none, for with 98 twins no p-value can be below 0.01" in conclude(results(1 / 99), 98)
    assert "5 tests, each at the level 0.05 / 5, need draws = 99 or more" in conclude(results(0.05), 19)
    assert "by 4 tests, each at the level 0.05 / 4" in conclude(results(**{"tail excess": float("nan")}), 79)
    assert "no test across the minibatches has a p-value" in conclude(results(float("nan")), 99)
    assert conclude(results(**{"tail excess": 0.01}), 99, "a reason.") == "none, for a reason."
    doubts = [(results(0.05), 19, ""), (results(float("nan")), 99, ""), (results(0.01), 99, "a reason.")]
    assert [verdict(*one) for one in doubts] == [None] * 3


def test_tests_that_find_something_are_listed_with_commas() -> None:
    text = conclude(results(**{"tail excess": 0.01, "sd of ln norm": 0.01, "1/alpha (per coordinate), 30": 0.01}), 99)
    assert "by tail excess, sd of ln norm and 1/alpha (per coordinate) (p = 0.01), of 5 tests" in text


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
    for U, words in ((gaussian, "not told from Gaussian noise"), (heavy, "heavier than Gaussian noise")):
        result = diagnosis.diagnose(U - U.mean(0), draws=99)
        last = repr(result)[repr(result).index("Conclusion:") :]
        assert (
            " ".join(last.split()) == f"Conclusion: {result.conclusion}" == f"Conclusion: {conclude(result.tests, 99)}"
        )
        assert result.heavier is (U is heavy)
        assert words in conclude(result.tests, 99)
        assert "heavier" in last if U is heavy else "heavier" not in last
        starred = re.findall(r"^    (\S.*) \* ", repr(result), re.M)
        assert [name.removesuffix(", K1 = 20") for name in starred] == [
            NAMES[0],
            "1/alpha (per coordinate)",
            *NAMES[1:],
        ]


@pytest.mark.slow
def test_the_report_of_the_readme_is_what_the_code_prints(capsys) -> None:
    text = (ROOT / "README.md").read_text()
    [snippet] = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(snippet, {})
    printed = capsys.readouterr().out
    quoted, *_ = re.findall(r"```text\n(.*?)```", text, re.S)  # the second is the layout
    assert printed == quoted


@pytest.mark.slow
def test_few_minibatches_come_with_a_warning() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(48, 6, generator=generator), torch.randint(3, (48,), generator=generator)
    model = nn.Linear(6, 3)
    report = measure(model, cross_entropy, Minibatches(x, y, 16, seed=0))
    text = report.details()
    assert "P = 3 minibatches are few: a standard error may be wrong by 50% or more, and\n  the tests need 16" in text
    assert "No diagnosis. Conclusion: none, for P = 3 minibatches are too few to look across them" in " ".join(
        text.split()
    )
    assert max(map(len, text.splitlines())) <= 80
    assert report.conclusion.endswith("for 16 or more. A standard error may be wrong by 50% or more.")
    assert report.heavier is None
    for wanted in (True, False):
        enough = measure(model, cross_entropy, Minibatches(x, y, 3, seed=0), diagnosis=wanted, draws=19)
        assert "are few" not in enough.details()
        assert ("no diagnosis was asked for" in enough.conclusion) != wanted


def test_two_minibatches_have_no_standard_error() -> None:
    x, y = torch.randn(48, 6, generator=torch.Generator().manual_seed(0)), torch.arange(48) % 3
    report = measure(nn.Linear(6, 3), cross_entropy, Minibatches(x, y, 24, seed=0))
    assert "nan" not in repr(report)
    text = report.details()
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
    assert "of which only" not in report.details()
    with torch.no_grad():
        model[0].bias.fill_(-1e3)  # nothing of the hidden layer is left
    report = measure(model, cross_entropy, Minibatches(x, y, 32, seed=0), draws=19)
    assert "99.69% of p dead (3 live: few)" in repr(report)
    text = report.details()
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
    report = measure(model, cross_entropy, batches)
    share = float(re.findall(r"^none, for (\d+\.\d)% of the differences", report.conclusion)[0])
    assert report.heavier is None
    assert 0.5 < share < 10
    with torch.no_grad():
        model.weight.normal_(generator=generator)
    assert "5 tests, each at the level" in measure(model, cross_entropy, batches).conclusion


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
    report = measure(nn.Linear(8, 1), nn.functional.mse_loss, Minibatches(x, y, 100, seed=0))
    assert "5 tests, each at the level" in report.conclusion


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


def test_a_layer_called_all_is_not_the_whole_network() -> None:
    """In a model, in the user's groups and layers: tests and conclusion are those without it, and each row occurs once."""

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.all = nn.Linear(20, 2)
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.all(x) * self.scale

    torch.manual_seed(0)
    model, batches = Head(), Minibatches(*small(), 20, seed=0)
    V = torch.randn(30, 100, generator=torch.Generator().manual_seed(0))
    for calls in (
        [partial(measure, model, cross_entropy, batches, groups=groups) for groups in ({}, None)],
        [partial(measure, model, cross_entropy, batches, groups=groups) for groups in ({}, {"all": ["scale"]})],
        [partial(measure_rows, V, layers) for layers in ({"a": 30, "b": 70}, {"all": 30, "b": 70})],
    ):
        plain, named = (call() for call in calls)
        assert "all (layer)" in named.groups
        keys = [key for key in plain.diagnosis.tests if key[0] == "all"]
        assert keys
        for key in keys:
            assert named.diagnosis.tests[key].value == pytest.approx(plain.diagnosis.tests[key].value, rel=1e-5)
            assert named.diagnosis.tests[key].p == plain.diagnosis.tests[key].p
        assert (named.conclusion, named.tau_p) == (plain.conclusion, plain.tau_p)
        rows = [(row.get("scope", "all"), row["quantity"], row.get("x")) for row in named.rows()]
        assert len(set(rows)) == len(rows)


def test_rows_that_are_there_twice_conclude_nothing() -> None:
    A = torch.randn(30, 60, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    twice = measure_rows(torch.cat([A, A])[order])
    assert twice.heavier is None
    assert twice.conclusion.startswith(
        "none, for 50.0% of the samples are in another minibatch too, or rows there twice"
    )
    assert measure_rows(torch.randn(60, 60, generator=torch.Generator().manual_seed(2))).heavier is False


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float32, 1e25), (torch.float32, 1e-30), (torch.float64, 1e30)])
def test_rows_of_any_scale_have_the_same_diagnosis(dtype: torch.dtype, scale: float) -> None:
    V = torch.randn(30, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain, scaled = (measure_rows((factor * V).to(dtype), draws=19) for factor in (1.0, scale))
    for key, test in plain.diagnosis.tests.items():
        assert scaled.diagnosis.tests[key].value == pytest.approx(test.value, rel=1e-4, abs=1e-4)
        assert scaled.diagnosis.tests[key].p == test.p


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


def small(p: int = 20, n: int = 600) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, p, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] + x[:, 1].square() > 1).long()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"diagnosis": False}, {"method": "streaming"}, {"draws": 19}, {"mode": "train"}]
)
def test_a_report_has_ten_lines_and_says_what_it_has(options: dict) -> None:
    torch.manual_seed(0)
    report = measure(nn.Linear(20, 50), cross_entropy, Minibatches(*small(), 20, seed=0), **options)
    lines = repr(report).splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for index, published, name in (
        (report.corrected, report.published, "joint alpha^"),
        (report.twin, report.twin_published, "its Gaussian twin"),
        (report.signs, report.signs_published, "random signs"),
    ):
        se = "" if index is report.twin else f" +- {index.se:.3f}"
        assert f"{name} {index.alpha:.3f}{se} (published {published.alpha:.3f})" in text
    assert f"tail excess tau {report.tau:.3f}, {'p = ' if report.diagnosis else 'no p'}" in text
    assert f"(as stable {diagnosis.stable_index(report.tau, report.P):.2f})" in text
    assert text.endswith(f"Conclusion: {report.conclusion}")
    concludes = options in ({}, {"mode": "train"})
    assert (report.heavier is not None) == (not report.conclusion.startswith("none, for ")) == concludes


@pytest.mark.slow
def test_long_conclusions_leave_ten_lines() -> None:
    torch.manual_seed(0)
    report = measure(nn.Linear(20, 50), cross_entropy, Minibatches(*small(), 20, seed=0))
    every = [("1/alpha (per coordinate)", 15), *((name, None) for name in NAMES)]
    heavy = {("all", name, x): Comparison(1.0, 0.0, 0.1, 0.01) for name, x in every}
    doubts = [
        diagnosis.doubt({"all": 0.5, "a.layer.with.a.long.name.weight": 0.9}, torch.float32),
        diagnosis.doubt({}, torch.bfloat16),
        diagnosis.conclusion.order_doubt(0.001),
        module._lost(nn.Linear(20, 50), torch.ones(1050, dtype=torch.bool), 0.5),
        "",
    ]
    for doubt in doubts:
        explained = replace(report.diagnosis, tests=report.diagnosis.tests | heavy, doubt=doubt)
        one = replace(
            report, diagnosis=explained, p=29_000_000, P=1_200, samples=153_600, rounding=0.5, meaningless="a"
        )
        assert len(repr(one).splitlines()) <= 10, repr(one)
        assert max(map(len, repr(one).splitlines())) <= 80
        assert one.heavier is (None if doubt else True)


@pytest.mark.slow
def test_scalars_are_the_numbers_of_the_report() -> None:
    torch.manual_seed(0)
    batches = Minibatches(*small(), 20, seed=0)
    report = measure(nn.Linear(20, 50), cross_entropy, batches, draws=99)
    values = report.scalars()
    assert all(isinstance(value, float) for value in values.values())
    assert values["twin"] == report.twin.alpha
    assert (values["signs_published"], values["signs_published_se"]) == (
        report.signs_published.alpha,
        report.signs_published.se,
    )
    assert values["tau_p"] == report.diagnosis.tests["all", "tail excess", None].p
    assert values["heavier"] == float(report.heavier)
    frame = report.to_frame().set_index("quantity")["value"]
    assert frame["alpha (twin, published)"] == report.twin_published.alpha
    streamed = measure(nn.Linear(20, 50), cross_entropy, batches, method="streaming").scalars()
    assert streamed.keys() == values.keys()
    assert [name for name, value in streamed.items() if value != value] == ["tau_p", "heavier"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["matrix", "streaming"])
@pytest.mark.parametrize("chunk", [2**17, 7])
def test_twin_signs_and_tau_are_those_of_the_matrix(method: str, chunk: int, monkeypatch) -> None:
    monkeypatch.setattr(estimates, "CHUNK", chunk)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 3))
    with torch.no_grad():
        model[0].bias[:5] = -1e3  # dead units
    batches = Minibatches(*small(), 20, seed=0)
    report = measure(model, cross_entropy, batches, method=method, diagnosis=False, seed=3)
    U = noise_matrix(model, cross_entropy, batches)
    live = U[:, (U != 0).any(0)]
    assert live.shape[1] < U.shape[1]
    for V, twin, signs, convention in (
        (live, report.twin, report.signs, "corrected"),
        (U, report.twin_published, report.signs_published, "published"),
    ):
        epsilon = PUBLISHED_EPSILON if convention == "published" else 0.0
        index = mohammadi(V, convention=convention)
        [expected] = twin_inverse(V, [index.info["K1"]], epsilon=epsilon)
        assert twin.inverse == pytest.approx(expected, rel=1e-6)
        assert twin.info["K1"] == index.info["K1"]
        flipped = flip_columns(U.clone(), 4)
        flipped = flipped if V is U else flipped[:, (U != 0).any(0)]
        assert signs.inverse == pytest.approx(mohammadi(flipped, convention=convention).inverse, rel=1e-5)
    assert report.tau == pytest.approx(float(diagnosis.tail_excess(live).mean()), abs=1e-5)


@pytest.mark.parametrize(("P", "alpha"), [(120, 1.5), (120, 1.8), (30, 1.5), (16, 1.7)])
def test_the_ruler_reads_independent_stable_noise(P: int, alpha: float) -> None:
    """Its closed form against columns that are drawn and centred."""
    U = stable.sample(alpha, (P, 400_000 // P), generator=torch.Generator().manual_seed(P))
    assert diagnosis.stable_index(float(diagnosis.tail_excess(U - U.mean(0)).mean()), P) == pytest.approx(
        alpha, abs=0.03
    )
    assert diagnosis.stable_index(-0.1, P) == 2
    assert diagnosis.stable_index(99.0, P) == pytest.approx(1)
    assert diagnosis.stable_index(0.1, 15) != diagnosis.stable_index(0.1, 15)  # not a number


@pytest.mark.slow
def test_what_is_shown_does_not_change_what_is_concluded() -> None:
    """The sample of coordinates and the twins of the tests are those of the layers of the model, whatever the groups."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 60), nn.ReLU(), nn.Linear(60, 60), nn.ReLU(), nn.Linear(60, 2))
    batches = Minibatches(*small(), 20, seed=0)
    asked = [None, {}, {"last": ["4.weight"]}, {"all of it": [name for name, _ in model.named_parameters()]}]
    reports = [measure(model, cross_entropy, batches, groups=groups, entries=30 * 1500) for groups in asked]
    tests = [{key: one for key, one in r.diagnosis.tests.items() if key[0] == "all"} for r in reports]
    assert tests[0]
    for other, report in zip(tests[1:], reports[1:], strict=True):
        assert report.diagnosis.segments == reports[0].diagnosis.segments
        assert report.diagnosis.decomposition["all"] == reports[0].diagnosis.decomposition["all"]
        assert report.conclusion == reports[0].conclusion
        for key, test in tests[0].items():
            assert (other[key].value, other[key].p) == (pytest.approx(test.value, rel=1e-5), pytest.approx(test.p))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_rounding_errors_of_zero_are_found(method: str) -> None:
    """A bias before batch normalisation has no gradient, and 1e-9 for it in float32."""
    batches, size = Minibatches(*small(), 20, seed=0), 48 * 21 + 2 * 48 + 2 * 48 + 2
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 48), nn.BatchNorm1d(48), nn.GELU(), nn.Linear(48, 2))
    report = measure(model, cross_entropy, batches, method=method, mode="train")
    assert report.rounding == pytest.approx(48 / size, rel=0.05)
    assert f"of p dead, {report.rounding:.1%} rounding\n" in repr(report)
    assert report.heavier is None
    if method == "matrix":
        assert "100% of 0.bias) are rounding errors of zero" in report.conclusion
    model[0].bias.requires_grad_(False)
    for one, mode in ((model, "train"), (nn.Sequential(nn.Linear(20, 9), nn.Sigmoid(), nn.Linear(9, 2)), "eval")):
        report = measure(one, cross_entropy, batches, method=method, mode=mode)
        assert report.rounding == 0
        assert "rounding" not in repr(report)
    assert (
        measure(model, lambda *pair: 1e-12 * cross_entropy(*pair), batches, method=method).rounding == 0
    )  # small only


def test_a_coordinate_is_lost_where_roundings_are_three_hundredths_of_its_noise_or_more() -> None:
    U = torch.randn(30, 200, generator=torch.Generator().manual_seed(0))
    kept = estimates.Estimates(30, torch.ones(200, dtype=torch.bool), {}, 0)
    for row in U:
        kept.add([row])
    shares = torch.tensor([1e-5, 1e-3, 0.02, 0.04, 0.5]).repeat(40)
    assert kept.lost(shares * U.square().mean(0).sqrt()).tolist() == (shares > 0.03).tolist()
    kept.live[3] = False
    assert int(kept.lost(shares * U.square().mean(0).sqrt()).sum()) == 79


@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_sums_that_cancel_make_an_estimate_meaningless(method: str) -> None:
    """Of two classes, the gradients of one are those of the other, negative: a row of the noise adds up to zero."""
    x, y = small(18, 640)
    torch.manual_seed(0)
    model = nn.Linear(18, 2, bias=False)  # p = 36 = P: blocks of K1 = 36 are rows
    batches = Minibatches(x[:360], y[:360], 10, seed=0)
    report = measure(model, cross_entropy, batches, method=method, diagnosis=False)
    assert report.corrected.info["K1"] == report.P == report.p == 36
    assert "corrected: meaningless: 100% of its sums over K1 = 36 entries" in report.meaningless
    assert "MEANINGLESS" in repr(report)
    assert all(math.isnan(report.scalars()[name]) for name in ("corrected", "corrected_se", "published"))
    flagged = report.to_frame().query("quantity == 'meaningless'")
    assert flagged["scope"].tolist() == ["all", "Linear"]
    assert report.groups["Linear"].meaningless == report.meaningless
    assert " ".join(report.details().split()).count(report.meaningless) == 2
    U = noise_matrix(model, cross_entropy, batches)
    with pytest.warns(UserWarning, match="100% of the sums over K1 = 36 entries are rounding errors of zero"):
        mohammadi(U)
    assert mohammadi(U, 20).alpha > 0
    fine = measure(model, cross_entropy, Minibatches(x, y, 10, seed=0), method=method, diagnosis=False)
    assert fine.meaningless == fine.groups["Linear"].meaningless == ""
    assert "MEANINGLESS" not in repr(fine)


@pytest.mark.parametrize("method", ["matrix", "streaming"])
def test_a_minibatch_without_labels_that_count_is_refused(method: str) -> None:
    """Its loss is NaN and its gradient zero: no error of torch's."""
    x, y = small()
    y[40:60] = -100
    with pytest.raises(
        FloatingPointError, match=r"the loss of minibatch 2 is nan, though its gradient is finite.* ignored"
    ):
        measure(nn.Linear(20, 2), cross_entropy, Minibatches(x, y, 20, order="data"), method=method)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"draws": 19}, {"method": "streaming"}, {"diagnosis": False, "groups": {"type": ["bias"], "items": ["weight"]}}],
)
def test_a_report_goes_to_json_and_back(options: dict) -> None:
    torch.manual_seed(0)
    model, batches = nn.Linear(20, 2), Minibatches(*small(), 20, seed=0)
    report = measure(model, cross_entropy, batches, **options)
    text = report.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    back = Report.from_json(text)
    assert back == report
    assert (repr(back), back.details(), back.to_json()) == (repr(report), report.details(), text)
    assert back.to_frame().equals(report.to_frame())
    assert back.norms.dtype == report.norms.dtype
    assert type(back.accuracy) is type(report.accuracy)
    assert back.seconds == report.seconds
    if report.diagnosis:
        assert back.diagnosis == report.diagnosis
        assert back.diagnosis.segments == report.diagnosis.segments


def test_reports_are_equal_if_their_numbers_are() -> None:
    V = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    one, same = (measure_rows(V, {"a": 10}, draws=19) for _ in range(2))
    assert one.seconds != same.seconds
    assert one.diagnosis.seconds != same.diagnosis.seconds
    assert math.isnan(one.loss)
    assert one == same
    group = one.groups["a"]
    for change in (
        {"tau": one.tau + 1e-15},
        {"norms": one.norms[::-1]},
        {"loss": 0.0},
        {"corrected": replace(one.corrected, info={})},
        {"groups": {"b": group}},
        {"groups": {"a": replace(group, corrected=None)}},
        {"diagnosis": replace(one.diagnosis, draws=20)},
        {"diagnosis": None},
    ):
        assert one != replace(one, **change)
    assert one != one.to_json()
    assert one != None  # noqa: E711


@pytest.mark.parametrize(
    "text", ["{}", "3", "[]", '{"type": "Group"}', '{"type": "Report", "P": 3}', "{", '{"type": "eval"}']
)
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"this is no report of this version|Expecting property name"):
        Report.from_json(text)
