"""Errors as the textbook has them, the smallest difference that could be seen, and units that are checked."""

from math import isnan, nan, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from known import HOOK, Constant, Identity, Own, theirs
from torch import Tensor

from sae_course.evals.uncertainty import Difference, Estimate, bootstrap, detectable, difference, over
from sae_course.evals.units import Units, units_of
from sae_course.runtime import CourseError


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_the_error_of_a_mean_is_s_over_the_root_of_n(kind: Any) -> None:
    found = over(kind([1.0, 2.0, 3.0, 6.0]), "seeds")
    assert found.value == 3
    assert found.error == pytest.approx(sqrt(14 / 3) / 2)
    assert found.samples == "4 seeds"


def test_a_number_that_there_is_not_counts_as_no_sample() -> None:
    assert over([1.0, nan, 3.0], "features") == Estimate(2.0, pytest.approx(1.0), "2 features")


def test_of_one_sample_or_none_there_is_no_error() -> None:
    one, none = over([0.5]), over([nan], "latents")
    assert (one.value, one.samples) == (0.5, "1 samples")
    assert isnan(one.error)
    assert isnan(none.value)
    assert isnan(none.error)
    assert none.samples == "0 latents"


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_an_infinite_number_is_not_hidden() -> None:
    assert not np.isfinite(over([1.0, float("inf")]).value)


def test_estimates_are_shown_with_what_is_known_of_them() -> None:
    assert str(Estimate(0.12345, 0.0123, "3 seeds")) == "0.123 ± 0.01"
    assert str(Estimate(0.12345)) == "0.123"
    assert str(Estimate(nan, 0.1)) == "–"


def test_the_bootstrap_of_a_mean_has_nearly_the_error_of_the_textbook() -> None:
    rows = normal(400) * 3 + 1
    found = bootstrap(rows, lambda some: float(some.mean()), resamples=2000)
    assert found.value == pytest.approx(float(rows.mean()))
    assert found.error == pytest.approx(over(rows).error, rel=0.07)
    assert found.samples == "400 rows"


def test_neighbours_in_a_row_are_no_samples_of_their_own() -> None:
    rows = normal(100, 1, seed=1).repeat(1, 50)  # 50 times the same
    by_row = bootstrap(rows, lambda some: float(some.mean()), resamples=500)
    by_token = bootstrap(rows.flatten(), lambda some: float(some.mean()), resamples=500)
    assert by_row.error == pytest.approx(over(rows[:, 0]).error, rel=0.15)
    assert by_row.error > 5 * by_token.error


def test_the_bootstrap_is_the_same_again_and_another_with_another_seed() -> None:
    rows = normal(30)
    before = torch.random.get_rng_state()
    first, again, other = (bootstrap(rows, torch.mean, seed=seed, what="features") for seed in (1, 1, 2))
    assert first == again
    assert first.error != other.error
    assert first.value == other.value
    assert first.samples == "30 features"
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_drawing_in_which_there_is_nothing_to_measure_is_left_out() -> None:
    rows = torch.tensor([1.0, nan, nan])
    found = bootstrap(rows, lambda some: float(some[some.isfinite()].mean()))
    assert (found.value, found.error) == (1.0, 0.0)
    never = bootstrap(torch.zeros(3), lambda some: float(some.mean() / 0))
    assert isnan(never.error)


def test_one_sample_cannot_be_drawn_anew() -> None:
    with pytest.raises(CourseError, match="1 of features: an error can't be estimated from one sample"):
        bootstrap(torch.zeros(1, 40), lambda some: float(some.mean()), what="features")


def test_pairs_that_are_hard_together_differ_less_than_their_means_do() -> None:
    hard = normal(200) * 10
    one, other = hard + 0.5 + 0.1 * normal(200, seed=1), hard + 0.1 * normal(200, seed=2)
    found = difference(one, other)
    apart = (one - other).double()
    assert found.value == pytest.approx(float(apart.mean()))
    assert found.error == pytest.approx(float(apart.std() / 200**0.5))
    unpaired = sqrt(over(one).error ** 2 + over(other).error ** 2)
    assert found.error < unpaired / 20
    assert found.seen
    assert not Difference(found.value, unpaired, detectable(unpaired)).seen


def test_a_pair_without_one_of_the_numbers_is_left_out() -> None:
    found = difference([1.0, nan, 5.0, 4.0], [0.0, 1.0, 2.0, nan])
    assert found == Difference(2.0, pytest.approx(1.0), pytest.approx(2.8, abs=0.01))


def test_the_sign_of_a_difference_is_that_of_the_first() -> None:
    assert difference([0.0, 0.0], [1.0, 2.0]).value == -1.5
    assert difference([0.0, 0.0], [1.0, 2.0]).seen


def test_what_can_be_detected_is_28_errors() -> None:
    assert detectable(1.0) == pytest.approx(2.80, abs=0.005)
    # Four of five measurements of a difference that large are more than 1.96 errors from 0.
    measured = normal(200_000) + detectable(1.0)
    assert float((measured > 1.959964).double().mean()) == pytest.approx(0.8, abs=0.005)


def test_a_difference_says_whether_it_was_seen_and_what_could_be() -> None:
    assert str(Difference(0.5, 0.1, 0.28)) == "+0.5 ± 0.1: a difference; detectable here: 0.28 or more"
    unseen = Difference(-0.19, 0.1, 0.28)
    assert str(unseen).startswith("-0.19 ± 0.1: no difference that could be told")
    assert not unseen.seen
    assert Difference(-0.2, 0.1, 0.28).seen


def test_differences_need_the_same_samples_and_two_of_them() -> None:
    with pytest.raises(CourseError, match="of the same samples, and there are 2 and 3 of them"):
        difference([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(CourseError, match="1 pairs of numbers are no basis for an error"):
        difference([1.0, nan], [1.0, 2.0])


def test_the_units_of_an_sae_are_what_it_computes() -> None:
    own = Own(8, 24).train()
    x = normal(3, 5, 8)
    found = units_of(own, x, "mine", chunk=4)
    with torch.no_grad():
        a = own.encode(x)
        torch.testing.assert_close(found.a, a)
        torch.testing.assert_close(found.reconstruction, own.decode(a))
    assert found.name == "mine"
    assert found.directions is not None
    torch.testing.assert_close(found.directions, own.W_dec.detach())
    assert not found.directions.requires_grad
    assert own.training
    assert found.live.tolist() == (a != 0).any(0).any(0).nonzero().flatten().tolist()


@pytest.mark.parametrize("normalise", ["none", "layer_norm"])
def test_an_sae_of_theirs_in_chunks_is_the_same_as_at_once(normalise: str) -> None:
    sae = theirs(HOOK, d_in=8, d_sae=24, normalize_activations=normalise)
    x = 3 * normal(4, 6, 8) + 1
    found = units_of(sae, x, chunk=5)  # each chunk's norms are kept from its encoding to its decoding
    with torch.no_grad():
        torch.testing.assert_close(found.a, sae.encode(x))
        torch.testing.assert_close(found.reconstruction, sae(x))
    assert found.name == "SAE"
    assert tuple(found.a.shape) == (4, 6, 24)


def test_of_a_plain_object_without_a_decoder_there_are_no_directions() -> None:
    x = normal(2, 3, 4)
    found = units_of(Identity(), x)
    assert found.directions is None
    assert torch.equal(found.a, x)
    assert found.live.tolist() == [0, 1, 2, 3]


def test_one_token_is_enough_for_units() -> None:
    found = units_of(Own(8, 24), normal(1, 1, 8))
    assert tuple(found.a.shape) == (1, 1, 24)
    assert found.live.tolist() == found.a[0, 0].nonzero().flatten().tolist()


def test_a_unit_that_is_negative_is_live_and_a_silent_one_is_not() -> None:
    a = torch.tensor([[[0.0, -1.0, 0.0]], [[0.0, 0.0, 2.0]]])
    assert Units("some", torch.zeros(2, 1, 4), a).live.tolist() == [1, 2]


@pytest.mark.parametrize("x", [torch.zeros(3, 8), torch.zeros(0, 4, 8)])
def test_activations_are_rows_of_tokens(x: Tensor) -> None:
    with pytest.raises(CourseError, match="at least one token; not "):
        units_of(Own(8, 24), x)


def test_activations_of_another_width_are_told() -> None:
    with pytest.raises(CourseError, match="trained on activations of width 8 and these have 6"):
        units_of(theirs(HOOK, d_in=8), normal(2, 3, 6))


def test_weights_that_are_nan_are_named_with_what_to_do() -> None:
    own = Own(8, 24)
    own.b_enc.data[3] = nan
    own.W_dec.data[0, 0] = float("inf")
    with pytest.raises(
        CourseError, match=r"mine has weights that are NaN or infinite \(W_dec, b_enc\): its train"
    ):
        units_of(own, normal(2, 3, 8), "mine")


def test_activations_that_are_nan_are_not_blamed_on_the_sae() -> None:
    x = normal(2, 3, 8)
    x[0, 1, 2:4] = nan
    with pytest.raises(
        CourseError, match="2 of the activations that mine is for are NaN or infinite: that is"
    ):
        units_of(Own(8, 24), x, "mine")


def test_an_sae_of_which_no_latent_fires_is_told_from_a_bad_one() -> None:
    with pytest.raises(CourseError, match=r"No latent of SAE fires on any of these 6 tokens.* hook point\?"):
        units_of(Constant(torch.zeros(4)), normal(2, 3, 4))


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("a", torch.zeros(2, 4, 5), r"a of some must be \[2, 3, 5\]; it is \[2, 4, 5\]"),
        ("directions", torch.zeros(5, 6), r"directions of some must be \[5, 4\]; it is \[5, 6\]"),
        ("directions", torch.zeros(4, 4), r"directions of some must be \[5, 4\]; it is \[4, 4\]"),
        ("reconstruction", torch.zeros(2, 3, 5), r"reconstruction of some must be \[2, 3, 4\]; it is"),
        (
            "a",
            torch.full((2, 3, 5), nan),
            "some: 30 of the a are NaN or infinite.* load an earlier checkpoint",
        ),
        ("reconstruction", torch.full((2, 3, 4), float("inf")), "some: 24 of the reconstruction are NaN"),
    ],
)
def test_parts_that_do_not_fit_are_told(part: str, value: Tensor, message: str) -> None:
    fine = {"a": torch.ones(2, 3, 5), "directions": torch.ones(5, 4), "reconstruction": torch.ones(2, 3, 4)}
    Units("some", torch.zeros(2, 3, 4), **fine)
    with pytest.raises(CourseError, match=message):
        Units("some", torch.zeros(2, 3, 4), **{**fine, part: value})
