"""What ablating a latent does to the logits: in closed form where they are linear, else by `intervene`."""

import json
import math
from typing import Any

import pytest
import torch
from circuit_subject import POS, ROWS, VOCAB, Z1, scene, tiny_model
from known import HOOK, Identity, theirs
from torch import Tensor
from torch.testing import assert_close

from sae_course.evals import effects as module
from sae_course.evals import harvest, intervene
from sae_course.evals.effects import Effects, latent_effects
from sae_course.runtime import CourseError

LAST = "blocks.1.hook_resid_post"
TOKENS = torch.randint(VOCAB, (ROWS, POS), generator=torch.Generator().manual_seed(3))


class Fixed(torch.nn.Module):
    """Latents that do the same at every token, along given directions; a latent of 0 is dead."""

    def __init__(self, a: list[float], directions: Tensor) -> None:
        super().__init__()
        self.a, self.directions = torch.tensor(a, dtype=torch.float64), directions

    def encode(self, x: Tensor) -> Tensor:
        return self.a.expand(*x.shape[:-1], -1)

    def decode(self, a: Tensor) -> Tensor:
        return a @ self.directions


def linear_model() -> Any:
    """Its logits are the last activation's first seven numbers, 0, 0, 0, 0, and the eighth on top of each."""
    model = tiny_model(norm=None)
    W_U = torch.zeros(8, VOCAB, dtype=torch.float64)
    W_U[:7, :7] = torch.eye(7)
    W_U[7] = 1
    model.unembed.W_U.data, model.unembed.b_U.data = W_U, torch.zeros(VOCAB, dtype=torch.float64)
    return model


def unit(*which: int) -> Tensor:
    return torch.eye(8, dtype=torch.float64)[list(which)].sum(0)


def test_sparsity_kl_and_cross_entropy_where_logits_are_linear() -> None:
    model = linear_model()
    sae = Fixed([2.0, 3.0, 1.0], torch.stack([unit(2), unit(0, 1, 2, 3, 4, 5, 6), unit(1, 4, 7)]))
    found = latent_effects(model, sae, TOKENS, LAST, per_latent=ROWS, positions=slice(2, 3)).table
    # The second moves seven of eleven alike: by the median, that is four moved the other way.
    assert found["sparsity"].tolist() == pytest.approx([1 / VOCAB, 4 / VOCAB, 2 / VOCAB])
    assert found["tokens"].tolist() == [ROWS] * 3
    clean = model(TOKENS)[:, 2].detach()
    p = clean.log_softmax(-1)
    for i, row in enumerate(found.to_dict("records")):
        q = (clean - sae.a[i] * sae.directions[i] @ model.W_U).log_softmax(-1)
        assert row["kl"] == pytest.approx(float((p.exp() * (p - q)).sum(-1).mean().detach()))
        apart = (p - q).gather(1, TOKENS[:, 3, None]).abs()
        assert row["ce"] == pytest.approx(float(apart.mean().detach()))


def test_places_ahead_share_the_sparsity_and_the_means() -> None:
    """Nothing after the last layer looks back: places ahead are untouched, and count."""
    sae = Fixed([2.0], unit(2)[None])
    at, ahead = (
        latent_effects(linear_model(), sae, TOKENS, LAST, ahead=ahead, positions=slice(1, 2)).table.iloc[0]
        for ahead in (0, 2)
    )
    assert ahead["sparsity"] == pytest.approx(1 / (3 * VOCAB))
    assert ahead["kl"] == pytest.approx(at["kl"] / 3)
    assert ahead["ce"] == pytest.approx(at["ce"] / 3)


def test_a_latent_without_effect_has_no_sparsity_and_is_counted() -> None:
    """One writes what no logit reads, one shifts all logits alike: what rounding leaves would look dense."""
    nothing = torch.zeros(8, dtype=torch.float64)
    sae = Fixed([1.0, 1.0, 1.0, 0.0], torch.stack([unit(2), nothing, unit(7), unit(3)]))
    found = latent_effects(linear_model(), sae, TOKENS, LAST)
    assert found.table["latent"].tolist() == [0, 1, 2]  # not the dead one
    assert found.table["sparsity"].isna().tolist() == [False, True, True]
    assert found.without_effect == 2
    assert found.sparsity[::2] == (pytest.approx(1 / VOCAB), "1 latents")
    assert found.table["kl"].tolist()[1:] == pytest.approx([0, 0], abs=1e-12)
    assert found.kl.samples == "3 latents"
    assert found.kl.value == pytest.approx(found.table["kl"][0] / 3)
    assert found.as_dict()["latents"]["sparsity"] == [pytest.approx(1 / VOCAB), None, None]
    assert "2 moved no logit" in str(found)


def test_where_some_tokens_only_are_without_effect_the_others_make_the_sparsity() -> None:
    class Faint(Fixed):
        def encode(self, x: Tensor) -> Tensor:
            out = super().encode(x).clone()
            out[: POS // 2] = 1e-12  # tokens, for rows come flat
            return out

    sae = Faint([1.0], unit(2)[None])
    found = latent_effects(linear_model(), sae, TOKENS[:, :3], LAST, positions=slice(1))
    assert found.table["tokens"].tolist() == [ROWS]
    assert found.sparsity.value == pytest.approx(1 / VOCAB)


def test_each_latent_has_a_random_direction_of_its_own() -> None:
    twice = Fixed([2.0, 2.0], unit(2).expand(2, -1))
    found = latent_effects(linear_model(), twice, TOKENS, LAST, per_latent=ROWS, positions=slice(1, 2)).table
    assert found["kl"][0] == pytest.approx(found["kl"][1])
    assert found["control_kl"][0] != pytest.approx(found["control_kl"][1], rel=0.01)


@pytest.mark.parametrize("kind", ["own", "topk"])
@pytest.mark.parametrize("ahead", [0, 2])
@torch.no_grad()
def test_as_when_one_intervenes(kind: str, ahead: int) -> None:
    model, site, _, tokens = scene(kind, "own", mlps=True)
    place, own = 2, torch.arange(VOCAB)
    found = latent_effects(
        model,
        site.sae,
        tokens,
        site.hook_point,
        per_latent=ROWS,
        ahead=ahead,
        positions=slice(place, place + 1),
    ).table
    fires = site.sae.encode(harvest(model, tokens, site.hook_point))[:, place] != 0
    assert found["latent"].tolist() == fires.any(0).nonzero().flatten().tolist()
    assert found["tokens"].tolist() == fires.sum(0)[fires.any(0)].tolist()
    seen = slice(place, place + ahead + 1)
    clean = model(tokens)
    for row in found.to_dict("records"):
        latent = row["latent"]

        def off(a: Tensor, latent: int = latent) -> Tensor:
            a[:, place, latent] = 0
            return a

        ablated = intervene(model, site.sae, tokens, site.hook_point, off)
        kl, ce, sparsity = [], [], []
        for at in fires[:, latent].nonzero().flatten().tolist():
            p, q = (logits[at, seen].log_softmax(-1) for logits in (clean, ablated))
            kl.append(float((p.exp() * (p - q)).sum(-1).mean()))
            ce.append(
                float((p - q)[:, own].gather(1, tokens[at, place + 1 : place + ahead + 2, None]).abs().mean())
            )
            delta = (ablated - clean)[at, seen]
            delta = delta - delta.median(-1, keepdim=True).values
            sparsity.append(float(delta.abs().sum() ** 2 / delta.square().sum() / delta.numel()))
        expected = [sum(some) / len(some) for some in (kl, ce, sparsity)]
        assert [row[name] for name in ("kl", "ce", "sparsity")] == pytest.approx(expected, rel=1e-6)


@torch.no_grad()
def test_an_sae_that_normalises_each_token(model: Any, tokens: Tensor) -> None:
    sae, some = theirs(HOOK, 128, normalize_activations="layer_norm"), tokens[3:4]
    table = latent_effects(model, sae, some, HOOK, positions=slice(7, 8), n=64).table
    one = table.iloc[table["kl"].argmax()]

    def ablated(value: Tensor, hook: Any) -> Tensor:
        a = sae.encode(value)
        before = sae.decode(a)
        sae.encode(value)
        a[:, 7, int(one["latent"])] = 0
        return value + sae.decode(a) - before

    clean, after = model(some), model.run_with_hooks(some, fwd_hooks=[(HOOK, ablated)])
    p, q = (logits[0, 7].double().log_softmax(-1) for logits in (clean, after))
    assert one["kl"] == pytest.approx(float((p.exp() * (p - q)).sum()), rel=1e-3)
    assert one["kl"] > 1e-5


def test_random_directions_are_as_long_at_the_same_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    model, site, _, tokens = scene("own", "own", mlps=True)
    seen = []

    def spy(model: Any, rows: Tensor, hook_point: str, replace: Any) -> Tensor:
        x = harvest(model, rows, hook_point)
        seen.append(replace(x) - x)
        return through(model, rows, hook_point, replace)

    through = module.replaced
    monkeypatch.setattr(module, "replaced", spy)
    found = latent_effects(model, site.sae, tokens, site.hook_point, latents=[1, 4], per_latent=2, batch=99)
    clean, own, control = seen
    assert not clean.any()
    assert_close(own.norm(dim=-1), control.norm(dim=-1))
    assert (own.norm(dim=-1) > 0).sum() == found.table["tokens"].sum() == 4
    at = own.norm(dim=-1) > 0
    ours, theirs = (torch.nn.functional.normalize(some[at], dim=-1) for some in (own, control))
    # Two latents, so two directions among four tokens; of the controls as well, and other ones.
    for some in (ours, theirs):
        assert (some @ some.T > 0.999).sum() == 8
    assert (ours * theirs).sum(-1).abs().max() < 0.95
    assert found.table["control_kl"].min() > 0


def test_a_latent_s_numbers_depend_on_no_other_latent_and_no_batch() -> None:
    model, site, _, tokens = scene("own", "own", mlps=True)
    every = {"positions": None, "per_latent": 2}
    both = latent_effects(model, site.sae, tokens, site.hook_point, latents=[4, 1], **every).table
    alone = latent_effects(model, site.sae, tokens, site.hook_point, latents=[1], batch=1, **every).table
    assert both.iloc[1].tolist() == pytest.approx(alone.iloc[0].tolist(), rel=1e-9)
    other = latent_effects(model, site.sae, tokens, site.hook_point, latents=[1], seed=1, **every).table
    assert other["control_kl"][0] != pytest.approx(alone["control_kl"][0], rel=1e-3)
    drawn = [
        latent_effects(model, site.sae, tokens, site.hook_point, n=2, seed=seed).table["latent"].tolist()
        for seed in (0, 0, 1, 2, 3)
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(some) for some in drawn}) > 1
    assert len(set(drawn[0])) == 2


def test_tokens_are_drawn_where_a_latent_fires_one_of_a_row_and_each_alike() -> None:
    fires = torch.rand(40, 12, generator=torch.Generator().manual_seed(0)) < 0.3
    fires[:, 0] = fires[:4] = False
    counts = torch.zeros(40, 12)
    for seed in range(60):
        found, _ = module._draw(fires, 10, 5, seed)
        assert len(found) == len(found[:, 0].unique()) == 10
        counts[tuple(found.T)] += 1
    assert not counts[~fires].any()
    assert (counts[fires] > 0).float().mean() > 0.9
    assert len(module._draw(fires, 99, 5, 0)[0]) == int(fires.any(1).sum())


def test_only_positions_that_were_asked_for_and_rows_no_longer_than_needed(
    monkeypatch: pytest.MonkeyPatch, model: Any, tokens: Tensor
) -> None:
    lengths: list[int] = []

    def spied(through: Any) -> Any:
        return lambda model, rows, *rest, **settings: (
            lengths.append(rows.shape[1]),
            through(model, rows, *rest, **settings),
        )[1]

    for name in ("harvest", "replaced"):
        monkeypatch.setattr(module, name, spied(getattr(module, name)))
    sae = theirs(HOOK, 128)
    latent_effects(model, sae, tokens, HOOK, n=4, positions=slice(5, 9), ahead=1)
    assert max(lengths) <= 11
    lengths.clear()
    latent_effects(model, sae, tokens, HOOK, n=4, batch=1)
    assert max(lengths[1:]) <= 47
    assert min(lengths[1:]) < 10
    assert module._counts(200, module._EARLY, 0).sum() == 96
    assert module._counts(200, None, 3).nonzero().max() == 195


def test_against_the_control_latent_by_latent() -> None:
    found = latent_effects(*scene_of("own"), n=6)
    apart = found.table["kl"] - found.table["control_kl"]
    against = found.against_control("kl")
    assert against.value == pytest.approx(apart.mean())
    assert against.error == pytest.approx(apart.std() / math.sqrt(len(apart)))
    assert found.control_kl.value == pytest.approx(found.table["control_kl"].mean())
    assert found.control_sparsity.value == pytest.approx(found.table["control_sparsity"].mean())
    assert found.kl.error == pytest.approx(found.table["kl"].std() / math.sqrt(len(apart)))
    with pytest.raises(CourseError, match='"latent" has no control: take one of kl, ce, sparsity'):
        found.against_control("latent")


def scene_of(kind: str) -> tuple[Any, Any, Tensor, str]:
    one = scene(kind, "own", mlps=True)
    return one.model, one.source.sae, one.tokens, one.source.hook_point


def test_it_shows_itself() -> None:
    found = latent_effects(*scene_of("own"), n=3, per_latent=2)
    assert str(found).startswith(
        "3 latents ablated at 6 tokens, one at a time\n  share of logits touched: 0."
    )
    assert "moved no logit" not in str(found)
    assert f"KL, nats: {found.kl}, random direction {found.control_kl}" in repr(found)
    html = found._repr_html_()
    assert "<th>random directions</th>" in html
    assert f"<td>{found.control_sparsity}</td>" in html
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["d_vocab"] == VOCAB
    assert plain["latents"]["kl"] == found.table["kl"].tolist()
    assert isinstance(found, Effects)


def test_heads_are_flat() -> None:
    model, _, site, tokens = scene("own", "topk")
    assert site.hook_point == Z1
    assert latent_effects(model, site.sae, tokens, Z1, n=3).kl.value > 0


def test_errors() -> None:
    model, sae, tokens, hook_point = scene_of("own")
    with pytest.raises(CourseError, match="at least 1 and ahead at least 0; these are 0, 8, 32 and 0"):
        latent_effects(model, sae, tokens, hook_point, n=0)
    with pytest.raises(CourseError, match="8, 32 and -1"):
        latent_effects(model, sae, tokens, hook_point, n=3, ahead=-1)
    with pytest.raises(CourseError, match="latents is empty"):
        latent_effects(model, sae, tokens, hook_point, latents=[])
    with pytest.raises(CourseError, match=r"latents \[77\] fire at no token"):
        latent_effects(model, sae, tokens, hook_point, latents=[1, 77])
    with pytest.raises(CourseError, match="leaves no token of these rows of 6 that has 2 more"):
        latent_effects(model, sae, tokens, hook_point, ahead=1, positions=slice(4, 6))
    with pytest.raises(CourseError, match="rows of 6 tokens: it takes"):
        latent_effects(model, sae, tokens, hook_point, ahead=5)
    with pytest.raises(CourseError, match="no hook point"):
        latent_effects(model, sae, tokens, "blocks.7.hook_mlp_out")

    class Late(Identity):
        def encode(self, x: Tensor) -> Tensor:
            out = torch.zeros_like(x)
            out[POS - 1 :: POS] = 1
            return out

    with pytest.raises(CourseError, match="No latent fires at a token that can be looked at"):
        latent_effects(model, Late(), tokens, hook_point)
