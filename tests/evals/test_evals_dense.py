"""Dense latents: each kind that was planted is told, and chance, the dead and the mean explain nothing."""

import json
from math import isnan, nan

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.evals.dense import KINDS, DenseLatents, dense_latents
from sae_course.evals.units import Units
from sae_course.runtime import CourseError

ROWS, POS, D_IN = 20, 30, 32
N = ROWS * POS
BIG, ELSEWHERE = 5, torch.eye(D_IN)[20:]
"""Axes of x with a large variance, and directions along which it varies as little as along any other."""


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(seed: int) -> Tensor:
    """An activation at every token, of which nobody knows anything."""
    return 1 + torch.rand(ROWS, POS, generator=rng(seed))


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(10, (ROWS, POS), generator=rng(0))


@pytest.fixture
def x() -> Tensor:
    scale = torch.ones(D_IN)
    scale[:BIG] = 10 * torch.arange(BIG + 1, 1, -1)
    return torch.randn(ROWS, POS, D_IN, generator=rng(1)) * scale


def position() -> Tensor:
    return torch.arange(1.0, POS + 1).repeat(ROWS, 1)


def made(x: Tensor, a: list[Tensor], directions: Tensor | None = None) -> Units:
    """Units with a reconstruction, where they have directions; in ELSEWHERE where none are given."""
    directions = ELSEWHERE[: len(a)] if directions is None else directions
    both = torch.stack(a, dim=-1)
    return Units("SAE", x, both, directions, both @ directions)


def test_each_kind_is_told(x: Tensor, tokens: Tensor) -> None:
    a = [position(), 1.0 + tokens, 100 - x.norm(dim=-1) / 10, *(noise(seed) for seed in range(4))]
    directions = ELSEWHERE[:7].clone()
    directions[3] = -2 * torch.eye(D_IN)[0]
    directions[5] = -3 * directions[4]
    found = dense_latents(made(x, a, directions), tokens=tokens)
    assert [one.latent for one in found.latents] == list(range(7))
    assert found.kind == (*KINDS[:4], KINDS[4], KINDS[4], KINDS[5])
    assert found.kinds == dict.fromkeys(KINDS, 1) | {"half of a pair": 2}
    first, second, third, fourth, fifth, sixth, last = found.latents
    assert (first.position, second.token, third.norm) == pytest.approx((1, 1, -1))
    assert fourth.principal > 0.95
    assert (fifth.partner, fifth.cosine) == (5, pytest.approx(-1))
    assert (sixth.partner, sixth.cosine) == (4, pytest.approx(-1))
    assert last.density == 1
    assert max(last.position, last.token, abs(last.norm)) < 0.2
    assert (found.share, found.n_live, found.n_tokens) == (1.0, 7, N)


def test_the_first_kind_that_fits_is_taken(x: Tensor) -> None:
    directions = torch.eye(D_IN)[[0, 20, 21]].clone()
    directions[2] = -directions[1]
    size = x.norm(dim=-1)
    by_position = torch.arange(POS).repeat(ROWS, 1)
    found = dense_latents(made(x, [position(), size, noise(3)], directions), tokens=by_position)
    assert found.kind == ("position", "norm", "half of a pair")
    assert found.latents[0].token == pytest.approx(1)
    along = dense_latents(made(x, [noise(3), noise(4)], torch.eye(D_IN)[[0, 0]] * torch.tensor([[1], [-1]])),
                          tokens=by_position)  # fmt: skip
    assert along.kind == ("principal direction",) * 2
    assert along.latents[0].cosine == pytest.approx(-1)


def test_many_tokens_explain_much_of_anything_by_chance(x: Tensor) -> None:
    many = torch.randperm(N, generator=rng(2)).clamp(max=359).reshape(ROWS, POS)
    # Each activation at a token that is seen once explains itself.
    found = dense_latents(made(x, [noise(seed) for seed in range(12)]), tokens=many)
    assert found.token_chance == pytest.approx(359 / (N - 1))
    shares = [one.token for one in found.latents]
    assert min(shares) > 0.5
    assert np.mean(shares) == pytest.approx(found.token_chance, abs=0.03)
    assert found.position_chance == pytest.approx(29 / (N - 1))
    assert np.mean([one.position for one in found.latents]) == pytest.approx(found.position_chance, abs=0.02)
    assert set(found.kind) == {"not explained"}


@pytest.mark.parametrize(("part", "kind"), [(0.6, "token"), (0.4, "not explained")])
def test_half_of_what_is_beyond_chance_must_be_explained(x: Tensor, part: float, kind: str) -> None:
    tokens = torch.arange(N).reshape(ROWS, POS) % 300  # each twice, so chance is nearly a half
    between = torch.randn(300, generator=rng(5)).repeat(2)
    within = torch.randn(300, generator=rng(6))
    within = torch.cat([within, -within])
    a = 10 + (part**0.5 * between / between.std() + (1 - part) ** 0.5 * within / within.std() / 2**0.5)
    found = dense_latents(made(x, [a.reshape(ROWS, POS)]), tokens=tokens)
    chance = 299 / (N - 1)
    beyond = (found.latents[0].token - chance) / (1 - chance)
    assert (beyond > 0.5) == (kind == "token")
    assert found.latents[0].token > 0.55
    assert found.kind == (kind,)


def test_where_every_token_is_another_none_explains(x: Tensor) -> None:
    tokens = torch.randperm(N, generator=rng(4)).reshape(ROWS, POS)
    found = dense_latents(made(x, [noise(seed) for seed in range(12)]), tokens=tokens)
    assert found.token_chance == 1
    assert [one.token for one in found.latents] == pytest.approx([1] * 12)
    assert set(found.kind) == {"not explained"}


def test_the_position_is_the_place_in_the_row(x: Tensor, tokens: Tensor) -> None:
    by_row = 1 + torch.arange(float(ROWS))[:, None].expand(ROWS, POS)
    found = dense_latents(made(x, [by_row]), tokens=tokens)
    assert found.latents[0].position == pytest.approx(0)


def test_a_latent_that_never_varies_is_explained_by_nothing(x: Tensor, tokens: Tensor) -> None:
    found = dense_latents(made(x, [torch.full((ROWS, POS), 0.1)]), tokens=tokens).latents[0]
    assert (found.position, found.token, found.norm) == (0, 0, 0)
    assert found.kind == "not explained"
    same_length = x / x.norm(dim=-1, keepdim=True)
    assert dense_latents(made(same_length, [noise(1)]), tokens=tokens).latents[0].norm == 0


def test_principal_directions_are_of_what_varies_and_only_the_first_five(x: Tensor, tokens: Tensor) -> None:
    x[..., 31] = 1000  # a mean without variance
    x[..., 10] *= 4  # the sixth direction
    directions = torch.eye(D_IN)[[4, 31, 10]]
    found = dense_latents(made(x, [noise(seed) for seed in range(3)], directions), tokens=tokens)
    assert found.kind == ("principal direction", "not explained", "not explained")


def test_the_largest_cosine_with_either_sign_is_that_of_the_principal_direction(tokens: Tensor) -> None:
    x = torch.zeros(ROWS, POS, D_IN)
    x.view(N, D_IN)[: 2 * BIG, :BIG] = torch.cat([torch.eye(BIG), -torch.eye(BIG)]) * torch.arange(1, BIG + 1)
    directions = torch.zeros(2, D_IN)
    directions[:, [0, 20]] = torch.tensor([[0.8, -0.6], [-0.6, 0.8]])
    found = dense_latents(made(x, [noise(1), noise(2)], directions), tokens=tokens)
    assert [one.principal for one in found.latents] == pytest.approx([0.8, 0.6])
    assert found.kind == ("principal direction", "half of a pair")


@pytest.mark.parametrize(("cosine", "kind"), [(-0.91, "half of a pair"), (-0.89, "not explained")])
def test_a_pair_is_nearly_opposite(x: Tensor, tokens: Tensor, cosine: float, kind: str) -> None:
    directions = ELSEWHERE[:3].clone()
    directions[1] = cosine * ELSEWHERE[0] + (1 - cosine**2) ** 0.5 * ELSEWHERE[5]
    found = dense_latents(made(x, [noise(1), noise(2), noise(3)], 5 * directions), tokens=tokens)
    assert found.kind == (kind, kind, "not explained")
    assert (found.latents[0].partner, found.latents[0].cosine) == (1, pytest.approx(cosine))


def test_a_dead_latent_is_nobodys_antipode_and_a_rare_one_is(x: Tensor, tokens: Tensor) -> None:
    dead, rare = torch.zeros(ROWS, POS), torch.zeros(ROWS, POS)
    rare[0, 0] = 1
    directions = torch.stack([-ELSEWHERE[0], ELSEWHERE[0], ELSEWHERE[1], -ELSEWHERE[1]])
    found = dense_latents(made(x, [dead, noise(1), noise(2), rare], directions), tokens=tokens)
    first, second = found.latents
    assert (first.latent, first.cosine, first.kind) == (1, pytest.approx(0, abs=1e-6), "not explained")
    assert first.partner != 0
    assert (second.latent, second.partner, second.kind) == (2, 3, "half of a pair")
    assert (found.n_live, found.share) == (3, 2 / 3)


def test_nobody_is_its_own_antipode(x: Tensor, tokens: Tensor) -> None:
    twins = dense_latents(made(x, [noise(1), noise(2)], ELSEWHERE[[0, 0]]), tokens=tokens)
    assert [(one.partner, one.cosine) for one in twins.latents] == [
        (1, pytest.approx(1)),
        (0, pytest.approx(1)),
    ]
    assert twins.kind == ("not explained",) * 2
    alone = dense_latents(made(x, [noise(1)]), tokens=tokens)
    assert alone.latents[0].partner == -1
    assert isnan(alone.latents[0].cosine)
    assert alone.kind == ("not explained",)
    assert "antipode –" in str(alone)


def test_dense_is_more_than_the_share_and_the_densest_come_first(x: Tensor, tokens: Tensor) -> None:
    def firing(n: int) -> Tensor:
        return -(torch.arange(N) < n).float().reshape(ROWS, POS)  # a unit with a sign fires too

    found = dense_latents(made(x, [firing(n) for n in (60, 61, 300, 61, 0)]), tokens=tokens)
    assert [one.latent for one in found.latents] == [2, 1, 3]
    assert [one.density for one in found.latents] == pytest.approx([0.5, 61 / N, 61 / N])
    assert found.share == 3 / 4
    assert [
        one.latent for one in dense_latents(made(x, [firing(60)]), tokens=tokens, least=0.09).latents
    ] == [0]


def test_the_variance_that_dense_latents_write_is_about_the_mean(x: Tensor, tokens: Tensor) -> None:
    half, other = (1.0 * (torch.arange(N) % n < n // 2).reshape(ROWS, POS) for n in (2, 4))
    rare = 3.0 * (torch.arange(N) % 100 == 0).reshape(ROWS, POS)
    always = torch.full((ROWS, POS), 50.0)
    found = dense_latents(made(x, [always, 2 * half, other, rare]), tokens=tokens)
    assert len(found.latents) == 3
    # Variances: 0, 4/4, 1/4 and 9 · .01 · .99, in directions at right angles.
    assert found.variance == pytest.approx(1.25 / (1.25 + 0.0891), rel=1e-5)


def test_what_others_take_back_makes_it_more_than_all(x: Tensor, tokens: Tensor) -> None:
    a = 10.0 * (torch.arange(N) % 100 == 0).reshape(ROWS, POS)
    units = made(x, [1 + a, a / 2], torch.stack([ELSEWHERE[0], -ELSEWHERE[0]]))
    assert dense_latents(units, tokens=tokens).variance == pytest.approx(4)


def test_without_directions_there_is_no_geometry(x: Tensor, tokens: Tensor) -> None:
    found = dense_latents(Units("SAE", x, torch.stack([position(), noise(1)], -1)), tokens=tokens)
    assert found.kind == ("position", "not explained")
    assert all(isnan(one.principal) and isnan(one.cosine) and one.partner == -1 for one in found.latents)
    assert isnan(found.variance)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["variance"] is None
    assert (plain["latents"][0]["principal"], plain["latents"][0]["cosine"]) == (None, None)
    assert "together has – of the reconstruction's variance" in str(found)
    no_output = Units("SAE", x, noise(1)[..., None], ELSEWHERE[:1])
    assert isnan(dense_latents(no_output, tokens=tokens).variance)
    constant = made(x, [torch.ones(ROWS, POS)])
    assert isnan(dense_latents(constant, tokens=tokens).variance)


@pytest.mark.parametrize("directions", [True, False])
def test_no_dense_latent_is_good_news(x: Tensor, tokens: Tensor, directions: bool) -> None:
    rare = (torch.arange(N) % 50 == 0).float().reshape(ROWS, POS, 1).repeat(1, 1, 3)
    rare[..., 2] = 0
    units = Units("SAE", x, rare, ELSEWHERE[:3] if directions else None, x)
    found = dense_latents(units, tokens=tokens)
    assert (found.latents, found.kind, found.share) == ((), (), 0)
    assert str(found) == "SAE: none of 2 live latents fires on more than 10 % of 600 tokens"
    assert found._repr_html_() == str(found)
    assert len(found.table) == 0
    assert next(iter(found.table)) == "density"
    assert found.variance == 0 if directions else isnan(found.variance)
    json.dumps(found.as_dict(), allow_nan=False)


def test_of_no_live_latent_there_is_no_share(x: Tensor, tokens: Tensor) -> None:
    found = dense_latents(Units("SAE", x, torch.zeros(ROWS, POS, 2), ELSEWHERE[:2]), tokens=tokens)
    assert isnan(found.share)
    assert found.as_dict()["share"] is None


@pytest.fixture
def found(x: Tensor, tokens: Tensor) -> DenseLatents:
    return dense_latents(
        made(x, [position(), noise(1)], ELSEWHERE[:2] * torch.tensor([[1], [2]])), tokens=tokens
    )


def test_it_shows_itself(found: DenseLatents, x: Tensor, tokens: Tensor) -> None:
    words = str(found)
    assert words.startswith(
        "SAE: 2 of 2 live latents (100 %) fire on more than 10 % of 600 tokens: 1 position, 1"
    )
    assert "by chance, η² is 0.048 for position and 0.015 for token" in words
    assert "latent 0: density 1.00, η² position 1.00," in words
    assert repr(found) == words
    assert "<th>antipode</th>" in found._repr_html_()
    many = dense_latents(made(x, [noise(seed) for seed in range(14)], torch.eye(D_IN)[:14]), tokens=tokens)
    assert "; the 12 densest are shown" in str(many)
    assert "latent 11:" in str(many)
    assert "latent 12:" not in str(many)


def test_its_table_has_a_row_for_each(found: DenseLatents) -> None:
    table = found.table
    assert table.index.tolist() == [0, 1]
    assert list(table) == ["density", "position", "token", "norm", "principal", "partner", "cosine", "kind"]
    assert table["kind"].tolist() == ["position", "not explained"]


def test_as_plain_values(found: DenseLatents) -> None:
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (plain["live"], plain["share"], plain["n_tokens"], plain["least"]) == (2, 1, N, 0.1)
    assert plain["kinds"]["position"] == 1
    assert plain["latents"][0]["kind"] == "position"
    assert plain["position chance"] == found.position_chance


def test_tokens_of_another_shape_are_told(x: Tensor, tokens: Tensor) -> None:
    with pytest.raises(
        CourseError, match=r"tokens of SAE must be \[20, 30\], as its units are; these are \[20, 29\]"
    ):
        dense_latents(made(x, [noise(1)]), tokens=tokens[:, 1:])


@pytest.mark.parametrize("least", [-0.1, 1.0, 10.0, nan])
def test_the_share_is_a_share(x: Tensor, tokens: Tensor, least: float) -> None:
    with pytest.raises(CourseError, match=f"from 0 to below 1; it is {least}"):
        dense_latents(made(x, [noise(1)]), tokens=tokens, least=least)


def test_one_token_is_not_enough() -> None:
    units = Units("SAE", torch.ones(1, 1, D_IN), torch.ones(1, 1, 1))
    with pytest.raises(CourseError, match="of the same tokens"):
        dense_latents(units, tokens=torch.zeros(1, 1, dtype=torch.long))
