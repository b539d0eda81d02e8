"""Some of the features, and some of the positions, of labels: names and truth stay together."""

import numpy as np
import pytest

from sae_course import CourseError
from sae_course.data.labels import Labels

NAMES = ("a letter", "a digit", "a space", "a stop")


def labels(missing: str = "") -> Labels:
    return Labels(NAMES, np.random.default_rng(0).random((5, 7, 4)) < 0.4, missing)


def test_only_takes_features_in_the_order_given() -> None:
    whole = labels("no capitals")
    some = whole.only(name for name in ("a space", "a letter"))
    assert some.names == ("a space", "a letter")
    assert some.values.shape == (5, 7, 2)
    for name in some.names:
        np.testing.assert_array_equal(some[name], whole[name])
    assert "a digit" not in some
    assert some.missing == "no capitals"
    assert some.base_rates() == {name: whole.base_rates()[name] for name in some.names}
    assert some.only(["a letter"]).names == ("a letter",)
    assert len(whole) == 4, "the whole stays as it was"


def test_only_of_all_and_of_none() -> None:
    whole = labels()
    np.testing.assert_array_equal(whole.only(NAMES).values, whole.values)
    np.testing.assert_array_equal(whole.only(reversed(NAMES)).values, whole.values[..., ::-1])
    none = whole.only([])
    assert (none.names, none.values.shape, none.values.dtype) == ((), (5, 7, 0), bool)


def test_only_names_what_there_is_not() -> None:
    with pytest.raises(
        CourseError,
        match=r'no feature "a digt" among these 4\. Nearest: a digit.* only stories have them',
    ):
        labels("only stories have them").only(["a letter", "a digt"])
    with pytest.raises(CourseError, match='no feature "a digit" among these 1'):
        labels().only(["a letter"]).only(["a digit"])


@pytest.mark.parametrize(
    "positions", [slice(2, 5), slice(5, None), slice(-3, None), slice(1, -1), slice(None)]
)
def test_at_takes_positions_of_every_row(positions: slice) -> None:
    whole = labels("no capitals")
    some = whole.at(positions)
    places = range(7)[positions]
    assert (some.names, some.missing) == (NAMES, "no capitals")
    assert some.values.shape == (5, len(places), 4)
    for name in NAMES:
        for at, place in enumerate(places):
            assert some[name][:, at].tolist() == whole[name][:, place].tolist()


def test_only_and_at_in_either_order() -> None:
    whole, names, positions = labels(), ["a stop", "a digit"], slice(3, 6)
    one, other = whole.only(names).at(positions), whole.at(positions).only(names)
    assert one.names == other.names == ("a stop", "a digit")
    np.testing.assert_array_equal(one.values, other.values)
    with pytest.raises(CourseError, match=r"labels need a boolean array \[batch, pos, 4\].*\[5, 4\]"):
        whole.at(3)  # type: ignore[arg-type]


def test_labels_of_the_same_tokens_are_joined() -> None:
    one = Labels(("a",), np.zeros((2, 3, 1), bool), "No b.")
    other = Labels(("b", "c"), np.ones((2, 3, 2), bool), "No b.")
    both = one.joined(other)
    assert both.names == ("a", "b", "c")
    assert both["c"].all()
    assert not both["a"].any()
    assert both.missing == "No b."
    with pytest.raises(CourseError, match=r"without a name in common; .* share \['a'\]"):
        one.joined(one)
    with pytest.raises(CourseError, match="for the same tokens"):
        one.joined(Labels(("b",), np.zeros((2, 4, 1), bool)))
