"""What units say of boards, against slow loops and closed forms; and nothing flatters them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.data.othello import BOARD, FEATURES, N_CTX, full_games
from sae_course.data.othello import boards as replayed
from sae_course.data.othello import labels as othello_labels
from sae_course.evals import BoardScores, board_f1, board_properties, board_scores, boards
from sae_course.evals.boards import Said, firing_levels
from sae_course.runtime import CourseError

T = TypeVar("T")


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- the definition once more, slowly: whole numbers, and a set of tokens as the bits of one


def tokens_where(said: Iterable[bool]) -> int:
    return sum(1 << token for token, yes in enumerate(said) if yes)


def fires(values: Sequence[float], highest: float, level: int) -> int:
    """Where a unit is above level / 10 of its maximum. Ten times a float32 is exact in Python's floats."""
    return tokens_where(highest > 0 and 10 * value > level * highest for value in values)


def said_of(hits: int, said: int, true: int) -> Said:
    if hits == 0:
        return Said(0, 0, 0)
    precision, recall = hits / said, hits / true
    return Said(2 / (1 / precision + 1 / recall), precision, recall)


class Slow:
    """Everything about units of two halves, [n units] each, and their truth, [n properties]."""

    def __init__(self, units: Sequence[Tensor], truth: Sequence[np.ndarray]) -> None:
        highest = [max(column) for column in units[0].T.tolist()]
        self.fires = [
            [
                [fires(column, top, level) for level in range(10)]
                for column, top in zip(half.T.tolist(), highest, strict=True)
            ]
            for half in units
        ]
        self.true = [[tokens_where(column) for column in half.T.tolist()] for half in truth]
        self.n_units, self.n_properties = units[0].shape[1], truth[0].shape[1]

    def scores(self, half: int, unit: int, level: int, prop: int) -> Said:
        fired, true = self.fires[half][unit][level], self.true[half][prop]
        return said_of((fired & true).bit_count(), fired.bit_count(), true.bit_count())

    def best(self, prop: int) -> tuple[int, int]:
        pairs = [(unit, level) for unit in range(self.n_units) for level in range(10)]
        return first_of_highest({pair: self.scores(0, *pair, prop).f1 for pair in pairs})

    def speaks(self, unit: int, level: int, prop: int) -> bool:
        fired = self.fires[0][unit][level]
        hits = (fired & self.true[0][prop]).bit_count()
        return hits >= 10 and 100 * hits >= 95 * fired.bit_count()

    def reconstruction(self, half: int, level: int, props: Sequence[int]) -> Said:
        hits = n_said = n_true = 0
        for prop in props:
            said, true = 0, self.true[half][prop]
            for unit in range(self.n_units):
                if self.speaks(unit, level, prop):
                    said |= self.fires[half][unit][level]
            hits, n_said = hits + (said & true).bit_count(), n_said + said.bit_count()
            n_true += true.bit_count()
        return said_of(hits, n_said, n_true)

    def best_level(self, props: Sequence[int]) -> int:
        return first_of_highest({level: self.reconstruction(0, level, props).f1 for level in range(10)})

    def speaking(self, level: int, props: Sequence[int]) -> tuple[int, int]:
        pairs = [(u, p) for u in range(self.n_units) for p in props if self.speaks(u, level, p)]
        return len({unit for unit, _ in pairs}), len({prop for _, prop in pairs})


def first_of_highest(values: dict[T, float]) -> T:
    """Rounding apart."""
    return next(key for key, value in values.items() if value > max(values.values()) - 1e-12)


def agree(scores: BoardScores, units: Tensor, labels: Labels, chooses: np.ndarray) -> Slow:
    """Compare everything that was found; of the labels' properties, all are scored."""
    truth = labels.only(scores.properties).values
    slow = Slow(
        (units[chooses].flatten(0, 1), units[~chooses].flatten(0, 1)),
        (truth[chooses].reshape(-1, truth.shape[-1]), truth[~chooses].reshape(-1, truth.shape[-1])),
    )
    best = [slow.best(prop) for prop in range(slow.n_properties)]
    assert list(zip(scores.unit.tolist(), scores.level.tolist(), strict=True)) == best
    measured = [slow.scores(1, *pair, prop) for prop, pair in enumerate(best)]
    found = zip(scores.f1.tolist(), scores.precision.tolist(), scores.recall.tolist(), strict=True)
    for one, expected in zip(found, measured, strict=True):
        assert one == pytest.approx(expected)
    n_boards = len(truth[~chooses].reshape(-1, truth.shape[-1]))
    rates = [true.bit_count() / n_boards for true in slow.true[1]]
    assert scores.base_rate.tolist() == pytest.approx(rates)
    assert (scores.n_boards, scores.n_units) == (n_boards, units.shape[-1])
    assert scores.row() == {f"coverage, {group}": scores.coverage(group) for group in scores.groups} | {
        f"reconstruction, {group}": said.f1 for group, said in scores.reconstruction.items()
    }
    for group, names in scores.groups.items():
        props = [scores.properties.index(name) for name in names]
        level = scores.at_level[group]
        assert level == slow.best_level(props)
        assert scores.speaking[group] == slow.speaking(level, props)
        assert scores.reconstruction[group] == pytest.approx(slow.reconstruction(1, level, props))
        assert scores.coverage(group) == pytest.approx(np.mean([measured[prop].f1 for prop in props]))
        always = [2 * rates[prop] / (1 + rates[prop]) for prop in props]
        assert scores.always(group) == pytest.approx(np.mean(always))
    return slow


NAMES = tuple("abcdef")
GROUPS = {"front": NAMES[:4], "back": NAMES[4:], "all": NAMES}


def truth_of(rows: int, pos: int, rates: Sequence[float], seed: int = 0) -> Labels:
    values = torch.rand(rows, pos, len(rates), generator=rng(seed)) < torch.tensor(rates)
    return Labels(NAMES[: len(rates)], values.numpy())


def informed(labels: Labels, n: int, seed: int) -> Tensor:
    """Whole numbers, so that many lie on a threshold; a unit knows something of a property.

    Of the last four one is silent, one is negative, one always says the same, and one is above 0 on odd
    rows only.
    """
    g = rng(seed)
    truth = torch.from_numpy(labels.values)
    about = torch.randint(truth.shape[-1], (n,), generator=g)
    strength = torch.randint(3, 12, (n,), generator=g)
    noise = 2.5 * torch.randn(*truth.shape[:2], n, generator=g)
    units = (noise + strength * truth[..., about]).round()
    units[units < 0] *= 4  # further from 0 than any maximum
    units[..., ::3] = units[..., ::3].relu()
    units[..., -4] = 0
    units[..., -3] = -units[..., 0].abs() - 1
    units[..., -2] = 7
    units[::2, :, -1] = -1
    return units


@pytest.mark.parametrize("seed", range(5))
def test_all_is_as_slow_loops_find_it(seed: int) -> None:
    labels = truth_of(30, 16, [0.4, 0.25, 0.6, 0.3, 0.5, 0.75], seed)
    units = informed(labels, 16, seed)
    slow = agree(board_scores(units, labels, GROUPS), units, labels, np.arange(30) % 2 == 0)
    # A case in which nobody speaks, or all is right, would test less.
    level = slow.best_level(range(6))
    assert level > 0
    assert slow.speaking(level, range(6))[0] > 2
    assert 0.9 < slow.reconstruction(1, level, range(6)).precision < 1


def test_all_is_as_slow_loops_find_it_on_real_boards() -> None:
    labels = othello_labels(full_games(150, seed=3, split="test").tokens[:, :N_CTX]).at(slice(20, 40))
    truth = torch.from_numpy(labels.only(BOARD["both"]).values).float()
    mix = torch.randn(188, 20, generator=rng(0)) * (torch.rand(188, 20, generator=rng(1)) < 0.03)
    units = (truth @ mix + 0.3 * torch.randn(*truth.shape[:2], 20, generator=rng(2)) - 0.5).relu()
    scores = board_scores(units, labels, choose=range(60))
    assert [len(names) for names in scores.groups.values()] == [128, 60, 188]
    assert scores.left_out == {}
    agree(scores, units, labels, np.arange(150) < 60)
    assert min(count for pair in scores.speaking.values() for count in pair) > 2


# ---- thresholds


def test_a_unit_fires_above_its_thresholds_and_not_at_them() -> None:
    for highest in range(1, 257):
        values = torch.arange(-2, highest + 3)
        found = firing_levels(values[:, None].float(), torch.tensor([float(highest)]))
        assert found.dtype == torch.uint8
        expected = [
            sum(value > 0 and 10 * value > k * highest for k in range(10)) for value in values.tolist()
        ]
        assert found[:, 0].tolist() == expected, highest
    # Half of any maximum is above level 4 and not above level 5, however the maximum rounds.
    tops = 0.5 + torch.rand(20_000, generator=rng(0))
    values = torch.stack([tops / 2, tops])
    before = values.clone()
    for given in (values, values.double()):
        assert (firing_levels(given, tops) == torch.tensor([[5], [10]])).all()
        assert given.equal(before.to(given.dtype)), "what is given stays as it was"


def test_half_of_the_maximum_is_not_above_it_in_single_or_double_precision() -> None:
    labels = truth_of(20, 20, [0.4])
    a = torch.from_numpy(labels.values).double()
    tops = 0.5 + torch.rand(500, generator=rng(0), dtype=torch.float64)
    for units in ((1 + a) * tops, (1 + a).float() * tops.float()):
        scores = board_scores(units, labels, {"a": ["a"]})
        assert (scores.at_level, scores.speaking) == ({"a": 5}, {"a": (500, 1)})


def test_how_small_or_how_far_above_the_maximum_does_not_matter() -> None:
    tops = torch.tensor([1e-44, 1e-39, 1e-30, 1.0, 1e38])
    shares = torch.tensor([[0.0], [0.55], [1.0]])
    assert firing_levels(shares[1:] * tops[1:], tops[1:]).tolist() == [[6] * 4, [10] * 4]
    assert firing_levels(torch.full((1, 5), 3e38), tops).tolist() == [[10] * 5]
    assert firing_levels(torch.full((1, 5), -3e38), tops).tolist() == [[0] * 5]


@pytest.mark.parametrize("highest", [0.0, -0.0, -3.0])
def test_a_unit_that_was_never_above_0_stays_silent(highest: float) -> None:
    values = torch.tensor([[-7.0], [-1.0], [0.0], [1.0], [1e30]])
    assert firing_levels(values, torch.tensor([highest])).tolist() == [[0]] * 5


def test_a_value_at_a_tenth_of_the_maximum_is_told_from_one_above() -> None:
    """1 without the property and 10 with it: at level 0 the unit always fires, at level 1 it is right."""
    labels = truth_of(20, 20, [0.4])
    a = torch.from_numpy(labels.values).float()
    scores = board_scores(1 + 9 * a, labels, {"a": ["a"]})
    assert (scores.level[0], scores.f1[0]) == (1, 1)
    assert scores.at_level == {"a": 1}
    assert scores.reconstruction["a"] == (1, 1, 1)
    assert board_scores(1.001 + 8.999 * a, labels, {"a": ["a"]}).level[0] == 2


# ---- dictionaries that are known beforehand


def test_the_properties_themselves_cover_and_reconstruct_everything() -> None:
    labels = truth_of(30, 16, [0.4, 0.25, 0.6, 0.3, 0.5, 0.75])
    units = torch.from_numpy(labels.values) * (0.5 + torch.rand(6, generator=rng(0)))
    scores = board_scores(units, labels, GROUPS)
    assert scores.unit.tolist() == list(range(6))
    assert (scores.level == 0).all()
    for group, names in GROUPS.items():
        assert scores.coverage(group) == 1
        assert scores.reconstruction[group] == (1, 1, 1)
        assert scores.speaking[group] == (len(names), len(names))
    assert scores.row() == {f"{what}, {g}": 1 for what in ("coverage", "reconstruction") for g in GROUPS}


def test_the_board_itself_is_covered_and_says_a_little_too_much() -> None:
    """Where A2 is taken, A1 mostly is: a unit for one square speaks for others, too, right in 95 of 100."""
    games = othello_labels(full_games(80, split="test").tokens[:, :N_CTX])
    truth = games.only(BOARD["both"]).values
    scores = board_scores(torch.from_numpy(truth) * (0.5 + torch.rand(188, generator=rng(0))), games)
    assert scores.unit.tolist() == list(range(188))
    assert {scores.coverage(group) for group in BOARD} == {1}
    assert scores.left_out == {}
    assert scores.n_boards == 40 * N_CTX
    choosing, measuring = (truth[half::2].reshape(-1, 188).astype(int) for half in (0, 1))
    hits = choosing.T @ choosing  # of the unit for the one at the property of the other
    speaks = (hits >= 10) & (100 * hits >= 95 * choosing.sum(0)[:, None])
    said = measuring @ speaks > 0
    for group, columns in (("occupied", slice(128)), ("empty", slice(128, 188)), ("both", slice(188))):
        right, n_said = (said & (measuring == 1))[:, columns].sum(), said[:, columns].sum()
        assert scores.reconstruction[group].recall == 1
        assert scores.reconstruction[group].precision == pytest.approx(right / n_said)
        assert scores.speaking[group] == (speaks[:, columns].any(1).sum(), speaks[:, columns].any(0).sum())
    assert 0.9 < scores.reconstruction["empty"].precision < 0.99


def test_a_unit_that_always_fires_has_the_floor_for_coverage_and_says_nothing() -> None:
    labels = truth_of(60, 40, [0.3, 0.6, 0.97])
    scores = board_scores(torch.full((60, 40, 1), 0.25), labels, {"ab": "ab", "c": "c", "all": "abc"})
    rate = labels.values[1::2].reshape(-1, 3).mean(0)
    assert scores.f1.tolist() == pytest.approx(2 * rate / (1 + rate))
    assert scores.precision.tolist() == pytest.approx(rate)
    assert scores.recall.tolist() == [1, 1, 1]
    for group in scores.groups:
        assert scores.coverage(group) == pytest.approx(scores.always(group))
    assert scores.reconstruction["ab"] == (0, 0, 0)
    assert scores.speaking == {"ab": (0, 0), "c": (1, 1), "all": (1, 1)}
    # c is true of more than 95 in 100 boards: to say so always is precise.
    assert scores.reconstruction["c"] == pytest.approx((scores.f1[2], rate[2], 1))
    assert scores.reconstruction["all"] == pytest.approx(
        (2 * rate[2] / (1 + rate.sum()), rate[2], rate[2] / rate.sum())
    )


@pytest.mark.parametrize(
    "units",
    [
        torch.zeros_like,
        lambda truth: truth - 1,
        lambda truth: -truth,
        lambda truth: torch.full_like(truth, -3),
        lambda truth: truth * (torch.arange(len(truth)) % 2)[:, None, None],
    ],
    ids=["zero", "up to zero", "minus", "constant and negative", "silent where units are chosen"],
)
def test_units_that_are_never_above_0_on_the_choosing_games_say_nothing(
    units: Callable[[Tensor], Tensor],
) -> None:
    labels = truth_of(30, 20, [0.3, 0.6])
    truth = torch.from_numpy(labels.values).float()
    scores = board_scores(units(truth), labels, {"ab": "ab"})
    for values in (scores.unit, scores.level, scores.f1, scores.precision, scores.recall):
        assert values.tolist() == [0, 0]
    assert scores.reconstruction["ab"] == (0, 0, 0)
    assert scores.row() == {"coverage, ab": 0, "reconstruction, ab": 0}
    assert (scores.speaking, scores.at_level) == ({"ab": (0, 0)}, {"ab": 0})
    assert scores.always("ab") > 0.5
    json.dumps(scores.as_dict(), allow_nan=False)


def test_what_speaks_by_low_values_needs_the_other_sign() -> None:
    labels = truth_of(30, 20, [0.3])
    minus = -torch.from_numpy(labels.values).float()
    assert board_scores(torch.cat([minus, -minus], -1), labels, {"a": "a"}).coverage("a") == 1


def planned(
    right: int, wrong: int, *, on: tuple[int, int] = (5, 1), true: int = 40, n: int = 100
) -> tuple[Tensor, Labels]:
    """A unit right and wrong so many times on the choosing row, and ``on`` the measuring one."""
    truth, unit = torch.zeros(2, n, 1, dtype=torch.bool), torch.zeros(2, n, 1)
    truth[:, :true] = True
    for row, (hits, misses) in enumerate([(right, wrong), on]):
        unit[row, :hits] = 1
        unit[row, true : true + misses] = 1
    return unit, Labels(("a",), truth.numpy())


@pytest.mark.parametrize(
    ("right", "wrong", "speaks"),
    [
        (10, 0, True),
        (9, 0, False),
        (11, 0, True),
        (10, 1, False),
        (18, 1, False),
        (19, 1, True),
        (20, 1, True),
        (37, 2, False),
        (38, 2, True),
        (189, 10, False),
        (190, 10, True),
        (1900, 100, True),
        (1899, 100, False),
    ],
)
def test_who_speaks_is_right_ten_times_and_95_in_a_hundred(right: int, wrong: int, speaks: bool) -> None:
    true = max(40, right)
    units, labels = planned(right, wrong, true=true, n=2 * true + wrong)
    scores = board_scores(units, labels, {"a": ["a"]})
    assert scores.speaking["a"] == ((1, 1) if speaks else (0, 0))
    # On the measuring row it is right 5 times and wrong once, whether that is precise or not.
    expected = (2 * 5 / (6 + true), 5 / 6, 5 / true)
    assert scores.reconstruction["a"] == pytest.approx(expected if speaks else (0, 0, 0))
    assert (scores.f1[0], scores.precision[0], scores.recall[0]) == pytest.approx(expected)


def test_any_speaker_is_enough_and_what_two_say_is_said_once() -> None:
    labels = truth_of(40, 30, [0.4])
    a = torch.from_numpy(labels.values).float()
    first = (torch.rand(a.shape, generator=rng(1)) < 0.6).float()
    both = torch.cat([a * first, a * (1 - first)], -1)
    scores = board_scores(torch.cat([both, both], -1), labels, {"a": ["a"]})
    assert scores.reconstruction["a"] == (1, 1, 1)
    assert scores.speaking["a"] == (4, 1)
    assert 0.5 < scores.coverage("a") < 0.9
    assert scores.unit[0] == 0, "of equal ones the first"


def test_one_unit_may_speak_for_several_properties_and_only_the_groups_own_count() -> None:
    labels = truth_of(40, 30, [0.4, 0.5, 0.3])
    values = labels.values.copy()
    values[..., 1] |= values[..., 0]  # b wherever a
    labels = Labels(labels.names, values)
    a = torch.from_numpy(values[..., :1]).float()
    scores = board_scores(a, labels, {"a": "a", "b": "b", "c": "c", "all": "cba"})
    assert scores.speaking == {"a": (1, 1), "b": (1, 1), "c": (0, 0), "all": (1, 2)}
    n_a, n_b, n_c = values[1::2].reshape(-1, 3).sum(0)
    assert scores.reconstruction["a"] == (1, 1, 1)
    assert scores.reconstruction["b"] == pytest.approx((2 * n_a / (n_a + n_b), 1, n_a / n_b))
    assert scores.reconstruction["c"] == (0, 0, 0)
    true = n_a + n_b + n_c
    assert scores.reconstruction["all"] == pytest.approx((4 * n_a / (2 * n_a + true), 1, 2 * n_a / true))


# ---- what would flatter


def test_a_unit_is_chosen_on_one_half_and_measured_on_the_other() -> None:
    """Unit 0 is perfect on the even rows and noise on the odd ones; unit 1 is good on both."""
    labels = truth_of(40, 30, [0.4])
    a = torch.from_numpy(labels.values).float()
    noise = (torch.rand(a.shape, generator=rng(1)) < 0.4).float()
    units = torch.cat([a, a * (torch.rand(a.shape, generator=rng(2)) < 0.8)], -1)
    units[1::2, :, :1] = noise[1::2]
    even = board_scores(units, labels, {"a": ["a"]})
    assert even.unit[0] == 0
    assert even.f1[0] == pytest.approx(0.4, abs=0.05)
    assert even.reconstruction["a"].precision == pytest.approx(0.64, abs=0.05)
    odd = board_scores(units, labels, {"a": ["a"]}, choose=range(1, 40, 2))
    assert odd.unit[0] == 1
    assert odd.f1[0] > 0.85
    assert odd.speaking["a"] == (1, 1)
    assert odd.reconstruction["a"].precision == 1


def test_the_best_of_many_random_units_is_not_flattered() -> None:
    labels = truth_of(40, 20, [0.1, 0.8], seed=1)
    units = torch.rand(40, 20, 1500, generator=rng(2))
    units = units * (torch.rand(40, 20, 1500, generator=rng(3)) < 0.06)
    scores = board_scores(units, labels, {"a": ["a"], "b": ["b"]})
    slow = Slow(
        (units[::2].flatten(0, 1)[:, scores.unit], units[1::2].flatten(0, 1)[:, scores.unit]),
        tuple(labels.values[which].reshape(-1, 2) for which in (slice(0, None, 2), slice(1, None, 2))),
    )
    lucky = [slow.scores(0, place, int(level), place).f1 for place, level in enumerate(scores.level)]
    assert lucky[0] > 0.25
    assert scores.f1[0] < 0.15
    # By luck some are right 10 times out of 10 for a property that is true of 8 boards in 10.
    n_lucky, _ = scores.speaking["b"]
    assert n_lucky > 20
    assert scores.reconstruction["b"].precision == pytest.approx(0.8, abs=0.05)
    assert scores.reconstruction["a"] == (0, 0, 0)


def levels_apart(values: Mapping[str, tuple[int, int]]) -> tuple[Tensor, Labels]:
    """One unit and, by row, on how many tokens it is what: "+10" is 10 on true ones, "-3" 3 on others."""
    unit, truth = torch.zeros(2, 1000, 1), torch.zeros(2, 1000, 1, dtype=torch.bool)
    for row in (0, 1):
        at = 0
        for what, counts in values.items():
            unit[row, at : at + counts[row]] = abs(int(what))
            truth[row, at : at + counts[row]] = what[0] == "+"
            at += counts[row]
    return unit, Labels(("a",), truth.numpy())


def test_the_level_is_chosen_on_the_choosing_games_only() -> None:
    """At level 0 it says more, and is precise where levels are chosen; elsewhere only level 3 is."""
    units, labels = levels_apart({"+10": (100, 100), "+3": (100, 100), "-3": (8, 400)})
    scores = board_scores(units, labels, {"a": ["a"]})
    assert (scores.at_level["a"], scores.level[0]) == (0, 0)
    assert scores.reconstruction["a"] == pytest.approx((2 * 200 / 800, 200 / 600, 1))
    assert scores.coverage("a") == pytest.approx(400 / 800)
    other = board_scores(units, labels, {"a": ["a"]}, choose=[1])
    assert (other.at_level["a"], other.level[0]) == (3, 3)
    assert other.reconstruction["a"] == pytest.approx((2 * 100 / 300, 1, 0.5))
    assert other.coverage("a") == pytest.approx(200 / 300)


def test_the_maximum_is_that_of_the_choosing_games() -> None:
    """10 on the choosing row; on the measuring row one token reaches 100, and 10 stays above every level."""
    units, labels = levels_apart({"+10": (100, 99), "+100": (0, 1), "-6": (100, 100)})
    scores = board_scores(units, labels, {"a": ["a"]})
    assert (scores.level[0], scores.at_level["a"]) == (6, 6)
    assert scores.f1[0] == 1
    assert scores.reconstruction["a"] == (1, 1, 1)


def test_each_group_has_its_own_level_and_each_property_its_own() -> None:
    first, of_a = levels_apart({"+10": (100, 100), "-6": (300, 300)})
    second, of_b = levels_apart({"+10": (100, 100), "+1": (100, 100), "-0": (300, 300)})
    # From the other end, so that what is said of b is not said of a.
    labels = Labels(("a", "b"), np.concatenate([of_a.values, of_b.values[:, ::-1]], -1))
    scores = board_scores(torch.cat([first, second.flip(1)], -1), labels, {"a": "a", "b": "b", "ab": "ab"})
    assert scores.unit.tolist() == [0, 1]
    assert scores.level.tolist() == [6, 0]
    # Together: at level 0 only b is said, 200 of 300; from level 6 on 100 of a and 100 of b.
    assert scores.at_level == {"a": 6, "b": 0, "ab": 0}
    assert scores.speaking == {"a": (1, 1), "b": (1, 1), "ab": (1, 1)}
    assert scores.reconstruction["ab"] == pytest.approx((400 / 500, 1, 200 / 300))
    assert scores.coverage("ab") == 1


# ---- what must not matter


def same(one: BoardScores, other: BoardScores) -> None:
    assert one.as_dict() == other.as_dict()
    assert one.groups == other.groups


@pytest.fixture(scope="module")
def case() -> tuple[Tensor, Labels, BoardScores]:
    labels = truth_of(30, 12, [0.4, 0.25, 0.6, 0.3, 0.5, 0.8], 1)
    units = informed(labels, 16, 1)
    return units, labels, board_scores(units, labels, GROUPS)


@pytest.mark.parametrize("at_once", [11, 240])
def test_the_size_of_the_parts(
    case: tuple[Tensor, Labels, BoardScores], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    units, labels, scores = case
    monkeypatch.setattr(boards, "_AT_ONCE", at_once)
    same(board_scores(units, labels, GROUPS), scores)


def test_a_units_scale(case: tuple[Tensor, Labels, BoardScores]) -> None:
    units, labels, scores = case
    for factor in (3, 0.125, 2.0**-70, 2.0**70):
        same(board_scores(units * factor, labels, GROUPS), scores)
    g = rng(0)
    same(board_scores(units * torch.randint(1, 1000, (16,), generator=g), labels, GROUPS), scores)
    smooth = (units + torch.rand(units.shape, generator=g)).relu()
    scale = torch.exp(3 * torch.randn(16, generator=g))
    same(board_scores(smooth * scale, labels, GROUPS), board_scores(smooth, labels, GROUPS))


def test_the_order_of_units_rows_and_groups(case: tuple[Tensor, Labels, BoardScores]) -> None:
    units, labels, scores = case
    order = torch.randperm(16, generator=rng(4))
    moved = board_scores(units[..., order], labels, GROUPS)
    assert order[moved.unit].tolist() == scores.unit.tolist()
    for other in (
        moved,
        board_scores(
            units.flip(0, 1), Labels(NAMES, labels.values[::-1, ::-1]), GROUPS, choose=range(1, 30, 2)
        ),
        board_scores(units, labels.only(reversed(NAMES)), dict(reversed(GROUPS.items()))),
    ):
        assert other.row() == pytest.approx(scores.row())
        assert other.reconstruction == {
            group: pytest.approx(said) for group, said in scores.reconstruction.items()
        }
        assert (other.at_level, other.speaking) == (scores.at_level, scores.speaking)
        table = other.table.loc[list(NAMES)]
        np.testing.assert_allclose(table.iloc[:, 1:].astype(float), scores.table.iloc[:, 1:].astype(float))


def test_how_units_and_rows_are_given(case: tuple[Tensor, Labels, BoardScores]) -> None:
    units, labels, scores = case
    before = units.clone()
    even = np.arange(0, 30, 2)
    same(board_scores(units.flatten(0, 1), labels, GROUPS), scores)
    same(board_scores(units, labels, GROUPS, choose=even), scores)
    same(board_scores(units, labels, GROUPS, choose=np.arange(30) % 2 == 0), scores)
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64):
        same(board_scores(units.to(dtype), labels, GROUPS), scores)
    same(board_scores(units.clone().requires_grad_(), labels, GROUPS), scores)
    assert units.equal(before)
    binary = board_scores(units > 0, labels, GROUPS)
    same(binary, board_scores((units > 0).float(), labels, GROUPS))
    assert (binary.level == 0).all()


# ---- what anybody says


def test_what_anybody_says_is_scored_by_board() -> None:
    tokens = full_games(8, split="test").tokens[:, :N_CTX]
    labels = othello_labels(tokens)
    truth = labels.only(BOARD["both"]).values
    flip = torch.rand(truth.shape, generator=rng(0)).numpy() < np.linspace(0, 0.4, 188)
    said = truth ^ flip
    found = board_f1(torch.from_numpy(said), labels)
    assert list(found) == ["occupied", "empty", "both"]
    for group, names in BOARD.items():
        hits = n_said = n_true = 0
        for name in names:
            place, true = BOARD["both"].index(name), labels[name]
            for game in range(8):
                for pos in range(N_CTX):
                    hits += bool(said[game, pos, place] and true[game, pos])
                    n_said += bool(said[game, pos, place])
                    n_true += bool(true[game, pos])
        assert found[group] == pytest.approx(said_of(hits, n_said, n_true))
    assert set(board_f1(torch.from_numpy(truth), labels).values()) == {Said(1, 1, 1)}
    assert set(board_f1(torch.zeros(truth.shape, dtype=torch.bool), labels).values()) == {Said(0, 0, 0)}


def test_what_is_said_stands_in_the_order_of_the_labels_names() -> None:
    """A probe's columns are its labels'; in which order the groups name them says nothing about it."""
    labels = truth_of(10, 10, [0.3, 0.5, 0.2, 0.6])
    said = torch.from_numpy(labels.values[..., [0, 2, 3]]).clone()
    said[..., 1] = ~said[..., 1]
    for groups in ({"d": "d", "c": "c", "a": "a"}, {"a": "a", "d": "d", "c": "c"}, {"c": "c", "da": "da"}):
        found = board_f1(said, labels, groups)
        assert {group: one.f1 for group, one in found.items()} == {
            group: 0 if group == "c" else 1 for group in groups
        }


def test_a_dictionary_scored_as_units_and_as_what_it_says() -> None:
    """Units that are a probe's yes: the reconstruction is what they say, where they are precise enough."""
    labels = truth_of(40, 30, [0.4, 0.5, 0.3], seed=2)
    values = torch.from_numpy(labels.values)
    said = values & (torch.rand(values.shape, generator=rng(3)) < 0.7)
    said |= torch.rand(values.shape, generator=rng(4)) < 0.01
    groups = {"ab": "ab", "all": "abc"}
    of_measuring = Labels(labels.names, labels.values[1::2])
    expected = board_f1(said[1::2], of_measuring, groups)
    assert board_scores(said.float(), labels, groups).reconstruction == {
        group: pytest.approx(one) for group, one in expected.items()
    }


# ---- how it shows itself


def test_it_shows_itself(case: tuple[Tensor, Labels, BoardScores]) -> None:
    _, labels, scores = case
    text, page = str(scores), scores._repr_html_()
    assert repr(scores) == text
    head, *lines = text.split("\n  ")
    assert head == "what 16 units say about 180 boards of other games than they were chosen on"
    assert page.startswith(head + "<table>")
    assert [line.split(":")[0] for line in lines] == list(GROUPS)
    for group, line in zip(GROUPS, lines, strict=True):
        said, (units, properties) = scores.reconstruction[group], scores.speaking[group]
        numbers = {
            "coverage": scores.coverage(group),
            "always firing": scores.always(group),
            "reconstruction": said.f1,
            "precision": said.precision,
            "recall": said.recall,
        }
        words = [f"{name} {value:.3f}" for name, value in numbers.items()]
        speak = (
            f"{units} for {properties} of {len(GROUPS[group])} properties, "
            f"above {scores.at_level[group] / 10:.1f} of their maximum"
        )
        assert line == f"{group}: " + ", ".join([*words, f"units that speak {speak}"])
        cells = "".join(f"<td>{value:.3f}</td>" for value in numbers.values())
        assert f"<tr><th>{group}</th>{cells}<td>{speak}</td></tr>" in page
        assert all(f"<th>{name}</th>" in page for name in numbers)
    table = scores.table
    assert list(table.columns) == ["unit", "level", "F1", "precision", "recall", "base rate"]
    assert table.index.tolist() == list(NAMES)
    assert table["level"].tolist() == pytest.approx((scores.level / 10).tolist())
    assert table["recall"].tolist() == scores.recall.tolist()
    assert scores.base_rate.tolist() == pytest.approx(labels.values[1::2].reshape(-1, 6).mean(0))
    assert list(scores.row()) == [f"{what}, {g}" for what in ("coverage", "reconstruction") for g in GROUPS]


def test_as_plain_values_nothing_is_missing(case: tuple[Tensor, Labels, BoardScores]) -> None:
    _, _, scores = case
    plain = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert plain["columns"] == ["unit", "level", "F1", "precision", "recall", "base rate"]
    columns = (scores.unit, scores.level / 10, scores.f1, scores.precision, scores.recall, scores.base_rate)
    assert plain["properties"] == {
        name: [values[place] for values in columns] for place, name in enumerate(NAMES)
    }
    assert [type(row[0]) for row in plain["properties"].values()] == [int] * 6, "a unit's number"
    assert plain["groups"] == {group: list(names) for group, names in GROUPS.items()}
    assert plain["coverage"] == {group: scores.coverage(group) for group in GROUPS}
    assert plain["always"] == {group: scores.always(group) for group in GROUPS}
    assert plain["reconstruction"] == {
        group: {"f1": said.f1, "precision": said.precision, "recall": said.recall}
        for group, said in scores.reconstruction.items()
    }
    assert plain["at level"] == {group: level / 10 for group, level in scores.at_level.items()}
    assert plain["speaking"] == {group: list(counts) for group, counts in scores.speaking.items()}
    assert (plain["n_units"], plain["n_boards"], plain["left out"]) == (16, 180, {})
    assert max(scores.at_level.values()) > 0


def test_properties_that_are_too_rare_are_left_out_and_named() -> None:
    labels = truth_of(40, 25, [0.4, 0.5, 0.01, 0.995])
    units = torch.from_numpy(labels.values[..., [1, 0, 2, 3]]).float()
    scores = board_scores(units, labels, {"ac": "ac", "all": "dcba"})
    assert scores.properties == ("a", "b")
    assert scores.unit.tolist() == [1, 0]
    assert scores.groups == {"ac": ("a",), "all": ("b", "a")}
    assert scores.row() == dict.fromkeys(scores.row(), 1), "what is left out is not counted as missed"
    true = [labels.values[which].reshape(-1, 4).sum(0) for which in (slice(0, None, 2), slice(1, None, 2))]
    assert scores.left_out == {"c": min(half[2] for half in true), "d": min(half[3] for half in true)}
    assert "chosen on (2 left out: true, or false, of fewer than 30 tokens in a half)" in str(scores)
    assert "2 left out" in scores._repr_html_()
    assert " of 1 properties" in str(scores)
    assert json.loads(json.dumps(scores.as_dict()))["left out"] == scores.left_out


def test_other_features_of_the_labels_are_not_scored() -> None:
    games = othello_labels(full_games(80, split="test").tokens[:, :N_CTX])
    assert games.names == FEATURES
    units = torch.rand(80, N_CTX, 3, generator=rng(0))
    groups = {"corners": ["A1 is empty", "A1 is mine"]}
    scores = board_scores(units, games, groups)
    assert scores.properties == ("A1 is mine", "A1 is empty"), "in the labels' order"
    assert scores.groups == {"corners": ("A1 is empty", "A1 is mine")}


# ---- errors


def units_of(labels: Labels) -> Tensor:
    return torch.rand(*labels.values.shape[:2], 3, generator=rng(9))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("silent", [False, True])
def test_units_must_be_finite(value: float, row: int, silent: bool) -> None:
    labels = truth_of(20, 20, [0.4])
    units = units_of(labels) * (0 if silent else 1)
    units[row, 3, 1] = value
    with pytest.raises(CourseError, match="NaN or infinite"):
        board_scores(units, labels, {"a": "a"})


def test_an_infinity_of_each_sign_is_not_lost_in_their_sum() -> None:
    labels = truth_of(20, 20, [0.4])
    units = units_of(labels)
    units[0, 0, 0], units[0, 0, 1] = torch.inf, -torch.inf
    with pytest.raises(CourseError, match="NaN or infinite"):
        board_scores(units, labels, {"a": "a"})


LABELS = truth_of(20, 20, [0.4, 0.3, 0.01])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda units: board_scores(units[:, 1:], LABELS, {"a": "a"}),
            r"The units must be of the same tokens as the labels: \[20, 20, width\].*this is \[20, 19, 3\]",
        ),
        (lambda units: board_scores(units[0], LABELS, {"a": "a"}), r"same tokens.*this is \[20, 3\]"),
        (lambda units: board_scores(units[..., 0], LABELS, {"a": "a"}), r"same tokens.*this is \[20, 20\]"),
        (lambda units: board_scores(units[..., :0], LABELS, {"a": "a"}), "There are no units"),
        (
            lambda units: board_scores(units, LABELS, {"some": "ab", "rare": "c"}),
            'No property of the group "rare" is true, and false, often enough in each half.*take more games',
        ),
        (
            lambda units: board_scores(units, LABELS, {"rare": "c"}),
            "None of the 1 features is true.*more rows",
        ),
        (lambda units: board_scores(units, LABELS, {"some": "ax"}), 'no feature "x"'),
        (lambda units: board_scores(units, LABELS), 'no feature "A1 is mine" among these 3'),
        (lambda units: board_scores(units, LABELS, {}), "There are no groups"),
        (lambda units: board_scores(units, LABELS, {"a": "a", "none": ()}), 'group "none" names no property'),
        (lambda units: board_scores(units, LABELS, {"a": "a"}, choose=range(20)), "both halves"),
        (lambda units: board_scores(units, LABELS, {"a": "a"}, choose=[20]), "rows that there aren't"),
        (lambda units: board_scores(units, LABELS, {"a": "a"}).coverage("b"), 'no group "b" here.*are a'),
        (lambda units: board_scores(units, LABELS, {"a": "a"}).always("b"), 'no group "b" here'),
        (
            lambda units: board_f1(units > 0.5, LABELS, {"ab": "ab"}),
            r"said must be .*booleans \[20, 20, 2\].*it is torch.bool \[20, 20, 3\]",
        ),
        (
            lambda units: board_f1(units, LABELS, {"abc": "abc"}),
            r"booleans.*it is torch.float32 \[20, 20, 3\]",
        ),
        (
            lambda units: board_f1((units > 0.5).flatten(0, 1), LABELS, {"abc": "abc"}),
            r"booleans \[20, 20, 3\].*it is torch.bool \[400, 3\]",
        ),
        (
            lambda units: board_f1((units > 0.5).numpy(), LABELS, {"abc": "abc"}),
            "a tensor of booleans.*ndarray",
        ),
        (lambda units: board_f1(units > 0.5, LABELS, {"abx": "abx"}), 'no feature "x"'),
        (lambda units: board_f1(units > 0.5, LABELS, {"abc": "abc", "none": ()}), 'group "none" names no'),
        (lambda units: board_f1(units > 0.5, LABELS, {}), "There are no groups"),
    ],
)
def test_errors_say_what_is_wrong(call: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises(CourseError, match=message):
        call(units_of(LABELS))


def test_a_probes_classes_become_the_boards_properties() -> None:
    """Empty, mine, theirs by square, against the engine's own labels; the centre is never empty."""
    tokens = full_games(5).tokens[:, :59].astype(np.int64)
    squares = torch.from_numpy(replayed(tokens).relative.astype(np.int64) % 3)
    said = board_properties(torch.nn.functional.one_hot(squares, 3).bool())
    wanted = othello_labels(tokens).only(BOARD["both"])
    assert torch.equal(said, torch.from_numpy(wanted.values))
    with pytest.raises(CourseError, match=r"this is \[64, 2\]"):
        board_properties(torch.zeros(64, 2))
