"""SAELens agrees with the references of chapter 02a's checks."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from sae_course.checks.cases import Case
from sae_course.checks.ch02a import auxiliary, inputs, reference, straight_through

SIZES = {"inst": 3, "batch": 11, "d_in": 8, "d_sae": 13}


@pytest.fixture
def case():
    return Case(torch.Generator().manual_seed(0), "cpu", SIZES, "")


def test_a_check_does_not_wait_for_saelens():
    code = (
        "import sys; from sae_course.checks import ch02a; print([m for m in sys.modules if 'sae_lens' in m])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def saelens(name: str, d_in: int, d_sae: int, weights: dict[str, Tensor], **settings: Any) -> Any:
    """SAELens' training class of an architecture, one instance, with these weights."""
    import sae_lens  # noqa: PLC0415

    cfg = getattr(sae_lens, f"{name}TrainingSAEConfig")(d_in=d_in, d_sae=d_sae, **settings)
    sae = getattr(sae_lens, f"{name}TrainingSAE")(cfg)
    with torch.no_grad():
        for key, value in weights.items():
            sae.get_parameter(key).copy_(value)
    return sae


def step_input(h: Tensor, dead: Tensor | None = None) -> Any:
    from sae_lens.saes.sae import TrainStepInput  # noqa: PLC0415

    return TrainStepInput(h, {"l1": 1.0}, dead, 0, is_logging_step=False)


def assert_same_gradients(
    ours: Tensor, theirs: list[Tensor], pairs: list[tuple[Tensor, list[Tensor]]]
) -> None:
    """Of the sums of both, by each of our tensors and, instance by instance, of theirs."""
    mine = torch.autograd.grad(ours.sum(), [one for one, _ in pairs])
    for i, loss in enumerate(theirs):
        others = torch.autograd.grad(loss, [several[i] for _, several in pairs])
        for gradient, other in zip(mine, others, strict=True):
            assert gradient[i].any(), "the case is too easy"
            assert_close(gradient[i], other, rtol=1e-4, atol=1e-5)


def test_the_penalty_is_saelens(case):
    latents, W_dec = case.uniform("inst batch d_sae", grad=True), inputs.decoder(case, grad=True)
    ours = reference.l1_penalty(latents, W_dec)
    saes = [saelens("Standard", 8, 13, {"W_dec": W}, l1_coefficient=1.0) for W in W_dec]
    own = [one.detach().requires_grad_() for one in latents]
    theirs = [
        sae.calculate_aux_loss(step_input(torch.zeros(11, 8)), a, a, a)["l1_loss"]
        for sae, a in zip(saes, own, strict=True)
    ]
    assert_close(ours, torch.stack(theirs))
    assert_same_gradients(ours, theirs, [(latents, own), (W_dec, [sae.W_dec for sae in saes])])


@pytest.fixture
def gated(case):
    """Our tensors, and SAELens' gated SAEs of the same weights."""
    names = {"W_enc": "inst d_in d_sae", "b_gate": "inst d_sae", "b_mag": "inst d_sae", "r_mag": "inst d_sae"}
    mine = {name: case.normal(axes, scale=0.4, grad=True) for name, axes in names.items()}
    mine |= {"W_dec": inputs.decoder(case, grad=True), "b_dec": case.normal("inst d_in", grad=True)}
    saes = [
        saelens("Gated", 8, 13, {name: value[i] for name, value in mine.items()}, l1_coefficient=1.0)
        for i in range(3)
    ]
    return mine, saes, case.normal("inst batch d_in")


def test_the_gated_encoder_is_saelens(gated):
    mine, saes, h = gated
    encoder = [mine[name] for name in ("W_enc", "b_gate", "b_mag", "r_mag")]
    gate, latents = reference.gated_latents(h - mine["b_dec"][:, None], *encoder)
    theirs = [sae.encode_with_hidden_pre(one)[0] for sae, one in zip(saes, h, strict=True)]
    assert_close(latents, torch.stack(theirs))
    for i, sae in enumerate(saes):
        assert_close(gate[i], (h[i] - sae.b_dec) @ sae.W_enc + sae.b_gate)
    pairs = [(mine[name], [sae.get_parameter(name) for sae in saes]) for name in ("W_enc", "b_mag", "r_mag")]
    assert_same_gradients(latents, [one.sum() for one in theirs], pairs)


def test_the_gated_loss_is_saelens(gated):
    mine, saes, h = gated
    encoder = [mine[name] for name in ("W_enc", "b_gate", "b_mag", "r_mag")]
    gate, latents = reference.gated_latents(h - mine["b_dec"][:, None], *encoder)
    output = latents @ mine["W_dec"] + mine["b_dec"][:, None]
    ours = reference.gated_loss(h, output, gate, mine["W_dec"], mine["b_dec"], 1.0)
    theirs = [sae.training_forward_pass(step_input(one)).loss for sae, one in zip(saes, h, strict=True)]
    assert_close(ours, torch.stack(theirs))
    assert_same_gradients(ours, theirs, [(mine[n], [sae.get_parameter(n) for sae in saes]) for n in mine])


def test_the_threshold_gradients_are_saelens(case):
    from sae_lens.saes.jumprelu_sae import JumpReLU, Step  # noqa: PLC0415

    given = straight_through._inputs(case)
    found = reference.threshold_gradients(**given)
    assert 0.1 < (found[0] != 0).float().mean() < 0.9
    for function, ours in zip((Step, JumpReLU), found, strict=True):
        for i in range(3):
            for b in range(11):  # SAELens adds up over the batch: one sample at a time
                theta = given["threshold"][i, 0].clone().requires_grad_()
                function.apply(given["pre"][i, b : b + 1], theta, given["bandwidth"], False).sum().backward()
                assert_close(ours[i, b], theta.grad)


@pytest.mark.parametrize("k", [1, 4, 13])
def test_what_is_kept_is_saelens(case, k):
    from sae_lens.saes.batchtopk_sae import BatchTopK  # noqa: PLC0415
    from sae_lens.saes.topk_sae import TopK  # noqa: PLC0415

    pre = inputs.uneven(case)
    assert_close(reference.topk(pre, k), TopK(k)(pre), rtol=0, atol=0)
    assert_close(
        reference.batch_topk(pre, k), torch.stack([BatchTopK(k)(one) for one in pre]), rtol=0, atol=0
    )


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_the_auxiliary_loss_is_saelens(number):
    case = Case(torch.Generator().manual_seed(number), "cpu", SIZES | {"inst": 7, "d_sae": 23}, "")
    dead = auxiliary._dead(case, number, 8)
    residual, W_dec = case.normal("inst batch d_in"), inputs.decoder(case, grad=True)
    pre = (case.normal("inst batch d_sae") - 0.3).requires_grad_()
    ours = reference.auxk_loss(residual, pre, dead, W_dec)
    mine = torch.autograd.grad(ours.sum(), [pre, W_dec])
    for i in range(7):
        sae = saelens("TopK", 8, 23, {"W_dec": W_dec[i]}, k=3, aux_loss_coefficient=1.0)
        own = pre[i].detach().requires_grad_()
        theirs = sae.calculate_topk_aux_loss(residual[i], torch.zeros(11, 8), own, dead[i])
        assert_close(ours[i], theirs)
        if dead[i].any():
            others = torch.autograd.grad(theirs, [own, sae.W_dec])
            for gradient, other in zip(mine, others, strict=True):
                assert_close(gradient[i], other, rtol=1e-4, atol=1e-5)
        else:
            assert ours[i] == 0
            assert not mine[0][i].any()


def test_the_threshold_of_use_is_saelens(case):
    latents = inputs.uneven(case).relu() * case.mask("inst batch d_sae", 0.3)
    latents[1] = 0
    threshold = case.uniform("inst", 0.01, 1.5)
    ours = reference.update_threshold(threshold, latents, 0.2)
    for i in range(3):
        sae = saelens("BatchTopK", 8, 13, {}, k=3, topk_threshold_lr=0.2)
        sae.topk_threshold.fill_(threshold[i])
        sae.update_topk_threshold(latents[i])
        assert_close(ours[i], sae.topk_threshold.float())
    assert ours[1] == threshold[1]


def test_the_matryoshka_loss_is_saelens(case):
    widths = [2, 5, 13]
    names = {"W_enc": "inst d_in d_sae", "b_enc": "inst d_sae", "b_dec": "inst d_in"}
    weights = {name: case.normal(axes, scale=0.5) for name, axes in names.items()}
    weights["W_dec"] = reference.unit(inputs.decoder(case))
    h = case.normal("inst batch d_in")
    for i in range(3):
        own = {name: value[i] for name, value in weights.items()}
        sae = saelens("MatryoshkaBatchTopK", 8, 13, own, k=4, matryoshka_widths=widths)
        step = sae.training_forward_pass(step_input(h[i], torch.zeros(13, dtype=torch.bool)))
        theirs = step.losses["mse_loss"] + sum(
            step.losses[f"inner_mse_loss_{width}"] for width in widths[:-1]
        )
        one = h[i][None], step.feature_acts[None], own["W_dec"][None], own["b_dec"][None]
        assert_close(reference.matryoshka_loss(*one, widths)[0], theirs)


def test_f1_is_saelens(case):
    from sae_lens.synthetic.evals import compute_classification_metrics  # noqa: PLC0415

    case.sizes |= {"features": 17, "batch": 29}
    decoder, directions = case.normal("inst d_sae d_in"), case.normal("inst features d_in")
    cosine = torch.nn.functional.cosine_similarity(decoder[:, :, None], directions[:, None], dim=-1)
    fires, present = case.mask("inst batch d_sae", 0.4), case.mask("inst batch features", 0.3)
    fires[:, :, 0] = False
    present[0, :, cosine[0, 1].abs().argmax()] = False
    ours = reference.detector_f1(fires, present, cosine)
    for i in range(3):
        for k in range(13):
            one = fires[i, :, [k]].float(), present[i].float(), decoder[i, [k]], directions[i]
            assert ours[i, k].item() == pytest.approx(compute_classification_metrics(*one).f1_score, rel=1e-5)
    assert not ours[:, 0].any()
