"""Meaning by strength: precisions that were planted come out, and luck, ties and silence flatter nobody."""

import json
from collections.abc import Sequence
from math import isnan

import numpy as np
import pytest
import torch

from sae_course.data.labels import Labels
from sae_course.evals.steady import Consistency, consistency
from sae_course.evals.units import Units
from sae_course.runtime import CourseError

ROWS, POS = 40, 60
HALF = ROWS * POS // 2
FIRES, EXTRA = 80, 40
"""Tokens of a half at which a planted latent fires, and at which its feature is true though it is silent."""

RISING, SURE, NEVER = (0.25, 0.5, 0.75, 1.0), (1.0,) * 4, (0.0,) * 4
Planted = tuple[Sequence[float], Sequence[float]]


def half(number: int, precision: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """One latent and its feature: by bin, the first tokens are true."""
    a, truth = np.zeros(HALF), np.zeros(HALF, dtype=bool)
    first, size = FIRES * number, FIRES // len(precision)
    a[first : first + FIRES] = 1 + np.arange(FIRES)
    for place, share in enumerate(precision):
        truth[first + size * place :][: round(size * share)] = True
    truth[HALF - EXTRA :] = True
    return a, truth


def world(*planted: Planted, order: int | None = None) -> tuple[Units, Labels]:
    """A latent and a feature for each, with the precisions by bin in the choosing and the measuring rows."""
    a, truth = np.zeros((ROWS, POS, len(planted))), np.zeros((ROWS, POS, len(planted)), dtype=bool)
    rng = np.random.default_rng(order)
    for parity in (0, 1):
        shuffled = np.arange(HALF) if order is None else rng.permutation(HALF)
        for number, halves in enumerate(planted):
            fires, true = half(number, halves[parity])
            a[parity::2, :, number] = fires[shuffled].reshape(-1, POS)
            truth[parity::2, :, number] = true[shuffled].reshape(-1, POS)
    return units(torch.from_numpy(a)), labels(truth)


def units(a: torch.Tensor) -> Units:
    return Units("SAE", torch.zeros(*a.shape[:2], 2), a.float())


def labels(truth: np.ndarray) -> Labels:
    return Labels(tuple(f"f{number}" for number in range(truth.shape[-1])), truth)


def scattered(rate: float, n: int, seed: int) -> torch.Tensor:
    """Units that fire at random, and at random strengths."""
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(ROWS, POS, n, generator=rng) * (torch.rand(ROWS, POS, n, generator=rng) < rate)


@pytest.mark.parametrize("order", [None, 3])
def test_planted_precisions_come_out_whatever_the_order_of_the_tokens(order: int | None) -> None:
    found = consistency(*world((RISING, RISING), (SURE, SURE), order=order))
    np.testing.assert_allclose(found.precision, [RISING, SURE])
    base = np.array([50 + EXTRA, FIRES + EXTRA]) / HALF
    np.testing.assert_allclose(found.base_rate, base)
    assert found.named.all()
    share = [(0.25 - base[0]) / (1 - base[0]), 1.0]
    np.testing.assert_allclose(found.kept_by_latent, share)
    assert found.kept.value == pytest.approx(np.mean(share))
    assert found.kept.error == pytest.approx(np.std(share, ddof=1) / 2**0.5)
    assert found.kept.samples == "2 named latents"
    assert (found.lowest, found.highest) == pytest.approx((0.625, 1.0))
    assert (found.n_tokens, found.least, found.n_rarer) == (HALF, 30, 0)


def test_what_is_measured_is_the_half_that_did_not_choose() -> None:
    found = consistency(*world((SURE, RISING)))
    np.testing.assert_allclose(found.precision, [RISING])
    swapped = consistency(*world((RISING, SURE)), choose=range(1, ROWS, 2))
    np.testing.assert_allclose(swapped.precision, [RISING])
    np.testing.assert_allclose(swapped.base_rate, found.base_rate)


def test_a_latent_whose_meaning_was_luck_keeps_none_of_it_and_is_not_left_out() -> None:
    for measured in ((1.0, 0.0, 0.0, 0.0), NEVER):
        found = consistency(*world((SURE, measured), (SURE, SURE)))
        assert found.named.all()
        np.testing.assert_array_equal(found.kept_by_latent, [0, 1])
        assert found.kept.value == 0.5


def test_the_feature_is_chosen_before_it_is_measured() -> None:
    planted, truth = world((SURE, NEVER), (NEVER, SURE))
    found = consistency(units(planted.a.sum(-1, keepdim=True)), truth)
    assert found.feature == ("f0",)
    np.testing.assert_array_equal(found.precision, [NEVER])


def test_a_latent_that_has_no_meaning_where_it_is_chosen_cannot_keep_or_lose_one() -> None:
    found = consistency(*world(((1.0, 1.0, 1.0, 0.25), SURE), (SURE, RISING)))
    assert found.named.tolist() == [False, True]
    assert isnan(found.kept_by_latent[0])
    assert found.kept.samples == "1 named latents"
    assert found.lowest == 0.25
    np.testing.assert_array_equal(found.median, RISING)


@pytest.mark.parametrize("lowest", [0.0, 1.0])
def test_a_share_is_never_below_0_or_above_1(lowest: float) -> None:
    found = consistency(*world((SURE, (lowest, 0.5, 0.5, 0.5))))
    assert found.kept.value == lowest


def test_half_of_the_way_from_the_base_rate_is_needed_for_a_name() -> None:
    base = (60 + 10 + EXTRA) / HALF
    enough = (1 + base) / 2  # .546: 11 of the 20 tokens in the highest bin
    assert 10 / 20 < enough < 11 / 20
    ten, eleven = ((1.0, 1.0, 1.0, hits / 20) for hits in (10, 11))
    assert consistency(*world((ten, SURE), (eleven, SURE))).named.tolist() == [False, True]


def test_a_feature_that_is_nearly_always_true_is_no_meaning() -> None:
    truth = torch.rand(ROWS, POS, 1, generator=torch.Generator().manual_seed(0)) < 0.7
    dense = consistency(units(scattered(0.6, 20, seed=1)), labels(truth.numpy()))
    assert dense.precision.mean() > 0.65
    assert not dense.named.any()
    # Beside it, a latent's own feature is its name, though it is true less often where the latent fires.
    own, own_labels = world(((0.5, 0.75, 0.75, 0.75), RISING))
    often = np.ones((ROWS, POS, 1), dtype=bool)
    often[:, -2:] = False
    both = consistency(own, Labels(("nearly always",), often).joined(own_labels))
    assert not both.left_out
    assert both.feature == ("f0",)
    assert both.named.all()


def test_the_luck_of_many_features_names_no_latent_that_fires_rarely() -> None:
    truth = torch.rand(ROWS, POS, 90, generator=torch.Generator().manual_seed(2)) < 0.4
    found = consistency(units(scattered(0.03, 300, seed=3)), labels(truth.numpy()))
    assert len(found.latent) > 200
    assert found.named.mean() < 0.02


@pytest.mark.parametrize(("features", "named"), [(5, True), (20, False)])
def test_seven_of_eight_tokens_are_a_name_among_few_features_only(features: int, named: bool) -> None:
    a, truth = np.zeros((2, HALF)), np.zeros((2, HALF, features), dtype=bool)
    a[:, :32] = 1 + np.arange(32)
    truth[:, :31, 0] = truth[:, -329:, 0] = True  # base rate .3: 7 or 8 of 8 with a chance of .0013
    truth[:, 100:400, 1:] = True
    found = consistency(units(torch.from_numpy(a).reshape(2, HALF, 1)), labels(truth))
    assert found.base_rate == 0.3
    assert found.precision[0, -1] == 7 / 8
    assert found.named.tolist() == [named]


def test_bins_are_equal_in_number_and_equal_activations_are_shared_out() -> None:
    a, truth = np.zeros((2, HALF)), np.zeros((2, HALF, 2), dtype=bool)
    a[:, :82] = np.arange(82) + 1
    truth[:, 61:82, 0] = True  # of 82 tokens, bins have 21, 20, 21, 20
    truth[:, -EXTRA:, 0] = truth[:, :41, 1] = True
    tokens = torch.from_numpy(a).reshape(2, HALF, 1)
    found = consistency(units(tokens), labels(truth[..., :1]))
    np.testing.assert_allclose(found.precision, [[0, 0, 1 / 21, 1]])
    same = consistency(units((tokens != 0).float()), labels(truth[..., 1:]))
    np.testing.assert_allclose(same.precision, [[1, 1, 0, 0]])
    fewer = tokens * (tokens <= 41)
    beside = consistency(units(torch.cat([tokens, fewer], dim=-1)), labels(truth[..., 1:]))
    np.testing.assert_allclose(beside.precision, [[1, 1, 0, 0], [1, 1, 1, 1]])
    three = consistency(units(tokens), labels(truth[..., 1:]), bins=3)
    np.testing.assert_allclose(three.precision, [[1, 13 / 27, 0]])


def test_a_unit_with_a_sign_is_as_strong_as_it_is_far_from_zero() -> None:
    plain, truth = world((RISING, RISING))
    found = consistency(units(-plain.a), truth)
    np.testing.assert_allclose(found.precision, [RISING])


def test_dead_and_rare_latents_are_no_part_of_it() -> None:
    planted, truth = world((SURE, SURE), (NEVER, NEVER))
    a = torch.zeros(ROWS, POS, 6)
    a[..., 2] = planted.a[..., 0]
    a[0, :30, 3] = a[1, :30, 3] = 1
    a[0, :30, 4] = a[1, :29, 4] = 1
    a[0, :29, 5] = a[1, :30, 5] = 1
    found = consistency(units(a), truth)
    assert found.latent.tolist() == [2, 3]
    assert found.n_rarer == 2
    assert "2 live latents left out: they fire on fewer than 30 tokens in a half" in str(found)
    more = consistency(units(a), truth, least=29)
    assert more.latent.tolist() == [2, 3, 4, 5]
    assert "live latents left out" not in str(more)


def test_a_feature_that_is_too_rare_is_told() -> None:
    planted, truth = world((SURE, SURE))
    rare = np.zeros((ROWS, POS, 1), dtype=bool)
    found = consistency(planted, truth.joined(Labels(("rare",), rare)))
    assert found.left_out == {"rare": 0}
    assert "1 left out: true, or false, of fewer than 30 tokens" in str(found)


def test_where_none_is_named_there_is_nothing_to_lose_and_it_is_said() -> None:
    found = consistency(*world((NEVER, SURE), (NEVER, SURE)))
    assert not found.named.any()
    assert isnan(found.kept.value)
    assert found.kept.samples == "0 named latents"
    assert isnan(found.lowest)
    assert isnan(found.highest)
    assert "so there is no meaning to lose" in str(found)
    assert "<table>" not in found._repr_html_()
    assert not found.figure().data
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (plain["kept"], plain["kept error"], plain["lowest"]) == (None, None, None)


@pytest.fixture
def mixed() -> Consistency:
    return consistency(*world((RISING, RISING), (SURE, SURE), (SURE, (0.5, 0.5, 1.0, 1.0)), (NEVER, NEVER)))


def test_it_shows_itself(mixed: Consistency) -> None:
    words = str(mixed)
    assert words.startswith("SAE: 3 of 4 latents named after a feature, on other rows than the 1,200 tokens")
    assert "keeps 0.548 ± 0.2 of its meaning: median precision 0.50, and 1.00 where" in words
    assert "median precision, by bin: 0.50, 0.50, 1.00, 1.00" in words
    assert "lower quartile, by bin: 0.38, 0.50, 0.88, 1.00" in words
    assert repr(mixed) == words
    html = mixed._repr_html_()
    assert "<th>bin 4</th>" in html
    assert "upper quartile" in html


def test_its_table_has_a_row_for_each_latent(mixed: Consistency) -> None:
    table = mixed.table
    bins = ["bin 1", "bin 2", "bin 3", "bin 4"]
    assert list(table) == ["feature", "named", "base rate", *bins, "kept"]
    assert table.index.tolist() == [0, 1, 2, 3]
    assert table.loc[0, bins].tolist() == list(RISING)
    assert table["feature"].tolist()[:3] == ["f0", "f1", "f2"]
    assert table["kept"].isna().tolist() == [False, False, False, True]


def test_as_plain_values(mixed: Consistency) -> None:
    plain = json.loads(json.dumps(mixed.as_dict(), allow_nan=False))
    assert plain["latents"] == [0, 1, 2, 3]
    assert plain["named"] == [True, True, True, False]
    assert plain["precision"][0] == list(RISING)
    assert plain["kept"] == mixed.kept.value
    assert plain["kept error"] == mixed.kept.error
    assert (plain["lowest"], plain["highest"], plain["rarer"]) == (0.5, 1.0, 0)


def test_its_figure_is_of_the_named(mixed: Consistency) -> None:
    base, median = mixed.figure().data
    assert list(median.y) == [0.5, 0.5, 1.0, 1.0]
    np.testing.assert_allclose(median.error_y.arrayminus, [0.125, 0, 0.125, 0])
    np.testing.assert_allclose(median.error_y.array, [0.25, 0.25, 0, 0])
    np.testing.assert_allclose(base.y, [np.median(mixed.base_rate[:3])] * 4)
    assert "3 named latents" in median.name
    assert "a named latent keeps 0.548" in mixed.figure().layout.title.text
    assert mixed.figure("the finding").layout.title.text == "the finding"
    assert mixed.figure().layout.xaxis.ticktext == ("1 (weakest)", "2", "3", "4 (strongest)")


@pytest.mark.parametrize("bins", [1, 31])
def test_each_bin_needs_a_token(bins: int) -> None:
    with pytest.raises(CourseError, match=f"so that each has a token; they are {bins}, and least is 30"):
        consistency(*world((SURE, SURE)), bins=bins)


def test_where_no_latent_fires_often_in_both_halves_there_is_nothing_to_measure() -> None:
    planted, truth = world((SURE, SURE))
    a = planted.a.clone()
    a[1::2] = 0
    with pytest.raises(CourseError, match=r"No latent of SAE fires on 30 tokens in each half \(1,200 and"):
        consistency(units(a), truth)


def test_units_of_other_tokens_are_told() -> None:
    planted, truth = world((SURE, SURE))
    with pytest.raises(CourseError, match="The units of SAE must be of the same tokens as the labels"):
        consistency(units(planted.a[:, 1:]), truth)
