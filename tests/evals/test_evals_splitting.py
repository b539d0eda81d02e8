"""Latents that tell a feature together: as many as there are, none by luck, none where nothing is told."""

import itertools
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals.main_latents import MainLatents, in_words, main_latents, single_f1, skill
from sae_course.evals.splits import families, neighbours, splitting
from sae_course.evals.units import Units
from sae_course.runtime import CourseError

ROWS, POS = 40, 50


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def labels() -> Labels:
    rates = torch.tensor([0.3, 0.15, 0.1, 0.005])
    values = torch.rand(ROWS, POS, 4, generator=rng(0)) < rates
    return Labels(("animal", "animal: pet", "colour", "rare"), values.numpy())


def shared_out(true: Tensor, n: int, seed: int) -> Tensor:
    """A feature's tokens among n latents, each its own."""
    owner = torch.randint(n, true.shape, generator=rng(seed))
    return torch.stack([true & (owner == one) for one in range(n)], dim=-1).float()


def sae(labels: Labels, numbers: tuple[int, int, int], name: str = "SAE") -> Units:
    """So many latents for each of the first three features, some that never fire, and some of noise."""
    parts = [
        shared_out(torch.from_numpy(labels.values[..., i]), n, seed=i + n) for i, n in enumerate(numbers) if n
    ]
    noise = (torch.rand(ROWS, POS, 6, generator=rng(9)) < 0.02).float()
    a = torch.cat([torch.zeros(ROWS, POS, 2), *parts, noise], dim=-1)
    return Units(name, torch.zeros(ROWS, POS, 3), a)


def halves_of(values: Tensor) -> tuple[Tensor, Tensor]:
    return values[::2].flatten(0, 1), values[1::2].flatten(0, 1)


def test_the_number_of_latents_is_that_of_the_parts(labels: Labels) -> None:
    found = splitting([sae(labels, (1, 1, 2), "narrow"), sae(labels, (4, 2, 3), "wide")], labels)
    assert found.features == labels.names[:3]
    assert found.number("narrow").tolist() == [1, 1, 2]
    assert found.number("wide").tolist() == [4, 2, 3]
    assert found.f1("wide") == pytest.approx(1)
    assert found.mean("wide").value == 3
    gap = found.against("wide", "narrow")
    assert (gap.value, gap.error) == pytest.approx((5 / 3, np.std([3, 1, 1], ddof=1) / 3**0.5))
    assert found.latents["wide"][0].latents != (0, 1)
    assert sorted(found.latents["wide"][0].latents) == [2, 3, 4, 5]
    assert found.live == {"narrow": 10, "wide": 15}


def test_features_that_are_not_told_have_no_number(labels: Labels) -> None:
    """Each has a best latent; counted as one, it would make a bad SAE look whole."""
    found = splitting({"some": sae(labels, (3, 0, 1)), "none": sae(labels, (0, 0, 0))}, labels)
    np.testing.assert_array_equal(found.number("some"), [3, np.nan, 1])
    assert found.told("some") == pytest.approx(2 / 3)
    assert (found.mean("some").value, found.mean("some").samples) == (2, "2 features")
    assert found.told("none") == 0
    assert found.mean("none").samples == "0 features"
    assert found.f1("none").max() < 0.25
    assert "0 %" in str(found)
    with pytest.raises(CourseError, match="pairs of numbers"):
        found.against("some", "none")


def test_latents_that_fire_everywhere_tell_nothing(labels: Labels) -> None:
    """ "Always" has F1 .46 for animals."""
    a = torch.ones(ROWS, POS, 4)
    (one, *_) = splitting([Units("dense", torch.zeros(ROWS, POS, 3), a)], labels).latents["dense"]
    assert one.f1 > 0.4
    assert one.skill == pytest.approx(0)
    assert not one.told
    assert skill(1.0, 0.3) == 1
    assert skill(2 * 0.5 / 1.5, 0.5) == 0


def test_luck_on_the_choosing_rows_is_no_splitting() -> None:
    """Of a thousand latents some cover, by chance, a few of a feature's tokens that its latent misses."""
    true = torch.zeros(ROWS, POS, dtype=torch.bool)
    true[:, :2] = True
    own = (true & (torch.rand(ROWS, POS, generator=rng(1)) < 0.5)).float()
    noise = (torch.rand(ROWS, POS, 1500, generator=rng(2)) < 0.001).float()
    mine = Units("mine", torch.zeros(ROWS, POS, 3), torch.cat([noise, own[..., None]], -1))
    found = splitting([mine], Labels(("x",), true[..., None].numpy()), jump=0.01)
    (main,) = found.latents["mine"]
    assert len(main.latents) > 1, "there was luck to be had"
    assert found.number("mine").tolist() == [1]
    assert main.f1_choosing[-1] > main.f1_by_step[-1]
    assert found.f1("mine")[0] == main.f1_by_step[-1]


@pytest.mark.parametrize("seed", range(4))
def test_growth_is_that_of_a_slow_search(seed: int) -> None:
    draw = rng(seed)
    fires = torch.rand(300, 12, generator=draw) < 0.15
    truth = torch.rand(300, 5, generator=draw) < torch.linspace(0.1, 0.4, 5)
    for i in range(5):  # something to find
        fires[:, 2 * i] = truth[:, i] & (torch.rand(300, generator=draw) < 0.5)
    other = torch.rand(200, 12, generator=draw) < 0.2
    other_truth = torch.rand(200, 5, generator=draw) < 0.3
    allowed = torch.rand(5, 12, generator=draw) < 0.6
    for mask in (None, allowed):
        found = main_latents(
            fires * -2.0, other * 3.0, (truth, other_truth), jump=0.01, most=4, allowed=mask
        )  # fmt: skip
        for i, one in enumerate(found):
            free = [j for j in range(12) if mask is None or mask[i, j]]
            wanted: list[int] = []
            while len(wanted) < 4:
                scores = {j: f1_any(fires, [*wanted, j], truth[:, i]) for j in free if j not in wanted}
                best = max(scores, key=lambda j: scores[j])
                if wanted and scores[best] < f1_any(fires, wanted, truth[:, i]) + 0.01:
                    break
                wanted.append(best)
            assert one.latents == tuple(wanted)
            steps = range(1, len(wanted) + 1)
            assert one.f1_choosing == pytest.approx([f1_any(fires, wanted[:k], truth[:, i]) for k in steps])
            after = [f1_any(other, wanted[:k], other_truth[:, i]) for k in steps]
            assert one.f1_by_step == pytest.approx(after)
            assert one.skill == pytest.approx(skill(one.f1_choosing[-1], float(truth[:, i].double().mean())))
    assert len({len(one.latents) for one in found}) > 1, "some grow on while others have ended"


def f1_any(fires: Tensor, latents: list[int], true: Tensor) -> float:
    said = fires[:, latents].any(1)
    return float(2 * (said & true).sum() / (said.sum() + true.sum()))


def test_single_f1_is_that_of_each_latent_alone(labels: Labels) -> None:
    fires, truth = torch.rand(60, 3, generator=rng(1)) < 0.3, torch.rand(60, 2, generator=rng(2)) < 0.4
    found = single_f1(fires.float(), truth)
    for i, j in itertools.product(range(2), range(3)):
        assert float(found[i, j]) == pytest.approx(f1_any(fires, [j], truth[:, i]))


def test_a_jump_is_confirmed_on_the_measuring_rows_as_far_as_it_goes() -> None:
    one = MainLatents((5, 6, 7, 8), (0.4, 0.5, 0.6, 0.7), (0.4, 0.5, 0.51, 0.7), 0.5)
    assert [one.confirmed(jump) for jump in (0.05, 0.005, 0.2)] == [2, 4, 1]
    nothing = MainLatents((), (), (), -0.1)
    assert (nothing.f1, nothing.confirmed(), nothing.told) == (0, 0, False)
    assert [in_words(range(n)) for n in (2, 5)] == ["0, 1", "0, 1, 2, 3 …"]


def test_a_feature_at_whose_tokens_nothing_fires_has_no_latents(labels: Labels) -> None:
    """The first of a row of zeros would be latent 0."""
    a = torch.zeros(ROWS, POS, 3)
    a[..., 1] = torch.from_numpy(~labels.values[..., 0]).float()
    only = labels.only(["animal"])
    (one,) = splitting([Units("u", torch.zeros(ROWS, POS, 3), a)], only).latents["u"]
    assert one.latents == ()
    assert one.f1 == 0


def test_other_rows_may_choose_and_other_settings_hold(labels: Labels) -> None:
    mine = sae(labels, (4, 2, 3))
    assert splitting([mine], labels, most=2).number("SAE").tolist() == [2, 2, 2]
    uneven = torch.from_numpy(labels.values[..., 0]) & (torch.rand(ROWS, POS, generator=rng(5)) < 0.9)
    rest = torch.from_numpy(labels.values[..., 0]) & ~uneven
    two = Units("two", torch.zeros(ROWS, POS, 3), torch.stack([uneven, rest], dim=-1).float())
    for jump, n in ((0.01, 2), (0.2, 1)):
        assert splitting([two], labels, jump=jump).number("two")[0] == n
    # The jump that chose them is the one that confirms them.
    two.a[1::2, :, 1] *= torch.rand(ROWS // 2, POS, generator=rng(6)) < 0.3
    for jump, n in ((0.005, 2), (0.03, 1)):
        assert splitting([two], labels, jump=jump).number("two")[0] == n
    mine.a[: ROWS // 2, :, 2:6] = 0
    late = splitting([mine], labels, choose=range(ROWS // 2, ROWS)).latents["SAE"][0]
    assert sorted(late.latents) == [2, 3, 4, 5]
    assert late.f1 == 0


def test_it_shows_itself(labels: Labels) -> None:
    found = splitting([sae(labels, (1, 1, 2), "narrow"), sae(labels, (4, 0, 3), "wide")], labels)
    assert "narrow: live latents 10, features told 100 %, latents per told feature 1.33 ± 0.3" in str(found)
    assert "1 left out" in str(found)
    assert "<th>wide</th><td>13</td><td>67 %</td>" in found._repr_html_()
    assert found.table.loc["colour", ("wide", "latents")] == 3
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["saes"]["wide"]["number"] == [4, None, 3]
    assert plain["saes"]["narrow"]["f1"] == pytest.approx([1, 1, 1])


def test_a_family_is_a_feature_with_its_children_as_far_as_they_are_told(labels: Labels) -> None:
    found = splitting({"u": sae(labels, (2, 1, 1)), "v": sae(labels, (2, 0, 1))}, labels)
    kin = found.family("u", "animal")
    assert set(kin) == {2, 3, 4}
    assert (kin[2], kin[4]) == ("animal", "animal: pet")
    assert set(found.family("v", "animal")) == {2, 3}
    assert set(found.family("u", "colour")) == {5}
    bad = splitting([sae(labels, (2, 1, 0))], labels)
    assert bad.latents["SAE"][2].latents, "the best one for colours, which doesn't tell them"
    assert bad.family("SAE", "colour") == {}
    other = Labels(("col", *labels.names), labels.values[..., [0, 0, 1, 2, 3]])
    assert set(splitting([sae(labels, (2, 1, 1))], other).family("SAE", "col")) == {2, 3}


def test_neighbours_are_the_largest_cosines() -> None:
    d = torch.randn(9, 4, generator=rng(1)) * torch.rand(9, 1, generator=rng(2))
    d[5] = -3 * d[0]
    d[6] = 0
    found = neighbours(d, 0, 20)
    cosine = torch.cosine_similarity(d, d[[0]], dim=1)
    order = [j for j in cosine.argsort(descending=True).tolist() if j != 0]
    assert found.latents.tolist() == order
    torch.testing.assert_close(found.cosine, cosine[order])
    assert found.latents[-1] == 5
    assert len(neighbours(d, 3, 2).latents) == 2


def test_a_tree_joins_what_points_the_same_way() -> None:
    """Two pairs, at cosine .8 each and at right angles to the other pair; of any length."""
    d = torch.tensor([[1, 0, 0, 0], [0, 0, 2, 0], [0.8, 0.6, 0, 0], [0, 0, 0.8, 0.6], [9, 9, 9, 9.0]])
    tree = families(d, {2: "pet", 0: "animal", 1: "red", 3: "blue"})
    assert tree.latents == (2, 0, 1, 3)
    assert tree.names == ("2 pet", "0 animal", "1 red", "3 blue")
    assert tree.linkage[:, 2] == pytest.approx([0.2, 0.2, 1])
    assert tree.linkage[-1, 3] == 4
    assert {frozenset(tree.order[:2]), frozenset(tree.order[2:])} == {frozenset({0, 1}), frozenset({2, 3})}
    angles = torch.tensor([0, 30, 100, 100.0]).deg2rad()
    three = families(torch.stack([angles.cos(), angles.sin()], dim=1), [0, 1, 3])
    far = (1 - np.cos(np.deg2rad(100)) + 1 - np.cos(np.deg2rad(70))) / 2
    assert three.linkage[:, 2] == pytest.approx([1 - np.cos(np.deg2rad(30)), far], abs=1e-6)
    assert three.names == ("0", "1", "3")


def test_a_tree_has_a_limit_and_says_what_it_left_out() -> None:
    d = torch.randn(30, 6, generator=rng(3))
    tree = families(d, most=10)
    assert (len(tree.latents), tree.left_out, sorted(tree.order)) == (10, 20, list(range(10)))
    assert families(d).left_out == 0
    d[4] = 0
    assert families(d, [4, 5, 6]).linkage[-1, 2] <= 2


def test_errors(labels: Labels) -> None:
    mine = sae(labels, (1, 1, 1))
    with pytest.raises(CourseError, match="these are 2 with 1 names"):
        splitting([mine, mine], labels)
    with pytest.raises(CourseError, match="these are 0 with 0 names"):
        splitting([], labels)
    short = Units("short", mine.x[1:], mine.a[1:])
    with pytest.raises(CourseError, match="The units of short must be of the same tokens"):
        splitting([short], labels)
    found = splitting([mine], labels)
    with pytest.raises(CourseError, match="no SAE"):
        found.mean("other")
    with pytest.raises(CourseError, match='no feature "rare" among these 3'):
        found.family("SAE", "rare")
    d = torch.eye(4)
    for latent in (4, -1):
        with pytest.raises(CourseError, match=f"no latent {latent}: there are 4"):
            neighbours(d, latent)
        with pytest.raises(CourseError, match=f"no latent {latent}: there are 4"):
            families(d, [0, latent])
    for latents in ([2], [], [1, 1]):
        with pytest.raises(CourseError, match="at least 2 latents, each of them once"):
            families(d, latents)
