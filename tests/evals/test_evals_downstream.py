"""What the model loses with the SAE in it: by hand, by SAELens, and where the answer is known."""

from typing import Any

import pytest
import torch
from known import HOOK, Constant, Identity, Own, Scaled, theirs
from sae_lens.evals import get_recons_loss
from sae_lens.training.activation_scaler import ActivationScaler
from torch import Tensor

from sae_course.evals import downstream, harvest, intervene
from sae_course.evals.loss import downstream_of
from sae_course.models import load_model
from sae_course.runtime import CourseError


def test_perfect_and_worthless(model: Any, tokens: Tensor, activations: Tensor) -> None:
    perfect = downstream(model, Identity(), tokens, HOOK)
    assert perfect.loss_recovered == pytest.approx(1, abs=1e-5)
    assert perfect.kl_with_sae == pytest.approx(0, abs=1e-6)
    assert perfect.ce_clean < perfect.ce_ablated
    assert perfect.n_tokens == tokens.shape[0] * (tokens.shape[1] - 1)
    nothing = downstream(model, Constant(torch.zeros(128)), tokens, HOOK)
    assert nothing.loss_recovered == nothing.kl_recovered == 0
    mean = downstream(model, Constant(activations.mean((0, 1))), tokens, HOOK, ablation="mean")
    assert mean.loss_recovered == pytest.approx(0, abs=1e-5)
    assert mean.ce_ablated != pytest.approx(nothing.ce_ablated, rel=0.01)


@pytest.mark.parametrize("batch", [3, 16])
def test_by_hand(model: Any, tokens: Tensor, batch: int) -> None:
    sae = Own(128, 200)

    def losses(hook: Any) -> tuple[Tensor, Tensor]:
        logits = model.run_with_hooks(tokens, fwd_hooks=[(HOOK, hook)])
        log_probs = logits[:, :-1].double().log_softmax(-1)
        return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0], log_probs

    with torch.no_grad():
        clean, p = losses(lambda value, hook: value)
        with_sae, q = losses(lambda value, hook: sae.decode(sae.encode(value)))
        ablated, r = losses(lambda value, hook: 0 * value)
        result = downstream(model, sae, tokens, HOOK, batch=batch).as_dict()
    by_token = [(p.exp() * (p - other)).sum(-1) for other in (q, r)]
    kl = [float(one.mean()) for one in by_token]
    # The jackknife, one row left out at a time.
    n = len(tokens)
    left_out = []
    for row in range(n):
        keep = torch.arange(n) != row
        a, b, c = (part[keep].mean() for part in (clean, with_sae, ablated))
        left_out.append(
            (float((c - b) / (c - a)), float(1 - by_token[0][keep].mean() / by_token[1][keep].mean()))
        )
    spread = torch.tensor(left_out, dtype=torch.float64)
    error, kl_error = ((n - 1) / n * ((spread - spread.mean(0)) ** 2).sum(0)).sqrt()
    expected = {
        "n_tokens": clean.numel(),
        "ablation": "zero",
        "ce_clean": clean.mean(),
        "ce_with_sae": with_sae.mean(),
        "ce_ablated": ablated.mean(),
        "loss_recovered": (ablated.mean() - with_sae.mean()) / (ablated.mean() - clean.mean()),
        "standard_error": error,
        "kl_with_sae": kl[0],
        "kl_ablated": kl[1],
        "kl_recovered": 1 - kl[0] / kl[1],
        "kl_standard_error": kl_error,
    }
    assert result.pop("ablation") == expected.pop("ablation")
    assert result == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "hook_point"),
    [("tiny-stories-1L-21M", HOOK), ("attn-only-2l-demo", "blocks.1.attn.hook_z")],
)
def test_against_saelens(name: str, hook_point: str, tokens: Tensor) -> None:
    model = load_model(name, "mini", device="cpu", quiet=True)
    reshapes = hook_point.endswith("hook_z")
    d_in = harvest(model, tokens[:1], hook_point).shape[-1]
    sae = theirs(hook_point, d_in, reshape_activations="hook_z" if reshapes else "none")
    assert sae.hook_z_reshaping_mode == reshapes
    ours = downstream(model, sae, tokens, hook_point)
    assert sae.hook_z_reshaping_mode == reshapes
    if reshapes:
        sae.turn_off_forward_pass_hook_z_reshaping()
    metrics = get_recons_loss(sae, model, ActivationScaler(), tokens, compute_kl=True, compute_ce_loss=True)
    expected = {
        "ce_loss_without_sae": ours.ce_clean,
        "ce_loss_with_sae": ours.ce_with_sae,
        "ce_loss_with_ablation": ours.ce_ablated,
    }
    assert {key: float(metrics[key].mean()) for key in expected} == pytest.approx(expected, rel=1e-4)
    # Theirs counts the last token's prediction too, which has no next token here.
    for key, value in {"kl_div_with_sae": ours.kl_with_sae, "kl_div_with_ablation": ours.kl_ablated}.items():
        assert float(metrics[key][:, :-1].mean()) == pytest.approx(value, rel=1e-4)


def test_one_row_has_no_standard_error(model: Any, tokens: Tensor) -> None:
    result = downstream(model, Own(128, 20), tokens[:1], HOOK)
    assert result.standard_error != result.standard_error
    assert "±" not in str(result)
    assert "±" in str(downstream(model, Own(128, 20), tokens[:2], HOOK))
    assert "<th>loss recovered</th>" in result._repr_html_()


def test_what_is_known_of_the_activations_stands_for_the_sae(
    model: Any, tokens: Tensor, activations: Tensor
) -> None:
    sae, middle = Own(128, 20), slice(5, 40)
    with torch.no_grad():
        made = sae.decode(sae.encode(activations))
    assert downstream(model, made, tokens, HOOK, batch=3) == downstream(model, sae, tokens, HOOK, batch=3)
    known = downstream(model, made[:, middle], tokens, HOOK, positions=middle)
    assert known == downstream(model, sae, tokens, HOOK, positions=middle)
    with pytest.raises(CourseError, match=r"of 3 rows, and these tokens are 10"):
        downstream(model, made[:3], tokens, HOOK)
    with pytest.raises(CourseError, match=r"\[10, 35, 128\] where the activation has \[10, 48, 128\]"):
        downstream(model, made[:, middle], tokens, HOOK)


def test_several_at_once_are_as_each_by_itself(model: Any, tokens: Tensor) -> None:
    saes = {"one": Own(128, 20), "perfect": Identity()}
    together = downstream_of(model, saes, tokens, HOOK)
    assert together == {name: downstream(model, sae, tokens, HOOK) for name, sae in saes.items()}


def test_errors(model: Any, tokens: Tensor) -> None:
    with pytest.raises(CourseError, match='no ablation "median"'):
        downstream(model, Identity(), tokens, HOOK, ablation="median")  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="2 to"):
        downstream(model, Identity(), tokens[:, :1], HOOK)
    with pytest.raises(CourseError, match="no hook point"):
        downstream(model, Identity(), tokens, "blocks.7.hook_mlp_out")


def test_no_edit_changes_nothing(model: Any, tokens: Tensor) -> None:
    sae = Own(128, 30)
    clean = model(tokens).detach()
    torch.testing.assert_close(intervene(model, sae, tokens, HOOK), clean, rtol=1e-4, atol=1e-4)
    same = intervene(model, sae, tokens, HOOK, lambda a: a)
    torch.testing.assert_close(same, clean, rtol=1e-4, atol=1e-4)
    assert not same.requires_grad
    alone = intervene(model, sae, tokens, HOOK, keep_error=False)
    hook = (HOOK, lambda value, hook: sae.decode(sae.encode(value)))
    torch.testing.assert_close(alone, model.run_with_hooks(tokens, fwd_hooks=[hook]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_an_edit_moves_the_activation_along_the_latent_s_direction(
    model: Any, tokens: Tensor, factor: float
) -> None:
    sae = Own(128, 30)
    latent = 4

    def edit(a: Tensor) -> Tensor:
        a[..., latent] *= factor  # in place: the activations before must not change with it
        return a

    def by_hand(value: Tensor, hook: Any) -> Tensor:
        a = sae.encode(value)[..., latent, None]
        return value + (factor - 1) * a * sae.W_dec[latent]

    found = intervene(model, sae, tokens, HOOK, edit)
    expected = model.run_with_hooks(tokens, fwd_hooks=[(HOOK, by_hand)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found - model(tokens)).abs().max() > 0.01


def test_an_edit_in_place_leaves_the_input_alone(model: Any, tokens: Tensor) -> None:
    sae = Scaled(0.9)  # its latent activations are its input itself
    found = intervene(model, sae, tokens, HOOK, lambda a: a.mul_(2))
    expected = model.run_with_hooks(tokens, fwd_hooks=[(HOOK, lambda value, hook: 1.9 * value)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_an_edit_sees_rows_and_positions(model: Any, tokens: Tensor) -> None:
    sae = Own(128, 30)
    seen = []

    def edit(a: Tensor) -> Tensor:
        seen.append(a.shape)
        a[:, -1] = 0
        return a

    found = intervene(model, sae, tokens, HOOK, edit)
    assert seen == [(*tokens.shape, 30)]
    torch.testing.assert_close(found[:, :-1], model(tokens)[:, :-1].detach(), rtol=1e-4, atol=1e-4)


def test_an_edit_that_forgets_to_return(model: Any, tokens: Tensor) -> None:
    with pytest.raises(CourseError, match="edit gave back NoneType"):
        intervene(model, Own(128, 30), tokens, HOOK, lambda a: None)  # type: ignore[arg-type, return-value]


def test_positions_that_an_sae_never_saw_are_left_as_they_are(model: Any, tokens: Tensor) -> None:
    """Spliced and ablated at some positions only: by a hook that does no more, and where the rest is NaN."""
    sae, seen = Own(128, 200), slice(3, -4)

    def loss(change: Any) -> float:
        def hook(value: Tensor, hook: Any) -> Tensor:
            value = value.clone()
            value[:, seen] = change(value[:, seen])
            return value

        with torch.no_grad():
            logits = model.run_with_hooks(tokens, fwd_hooks=[(HOOK, hook)])
            return float(
                torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
            )

    found = downstream(model, sae, tokens, HOOK, positions=seen)
    assert found.ce_with_sae == pytest.approx(loss(lambda x: sae.decode(sae.encode(x))), abs=1e-4)
    assert found.ce_ablated == pytest.approx(loss(lambda x: 0 * x), abs=1e-4)
    assert found.ce_ablated != pytest.approx(downstream(model, sae, tokens, HOOK).ce_ablated, abs=1e-3)
    assert downstream(model, sae, tokens, HOOK, positions=slice(None)) == downstream(model, sae, tokens, HOOK)
