"""SAELens agrees with the references of chapter 03a's checks."""

import pytest
import torch
from torch import nn

from sae_course.checks.cases import Case
from sae_course.checks.ch03a import reference


def saelens(d_in, d_sae, k):
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig  # noqa: PLC0415

    config = TopKTrainingSAEConfig(
        d_in=d_in, d_sae=d_sae, k=k, aux_loss_coefficient=1.0, rescale_acts_by_decoder_norm=False
    )
    return TopKTrainingSAE(config)


@pytest.mark.parametrize("n_dead", [0, 1, 3, 5, 9, 20])
def test_the_auxiliary_loss_is_saelens(n_dead):
    case = Case(torch.Generator().manual_seed(n_dead), "cpu", {}, "")
    d_in, d_sae = 10, 23
    sae = saelens(d_in, d_sae, 4)
    decoder = case.unit(f"{d_sae} {d_in}", along=str(d_in), grad=True)
    sae.W_dec = nn.Parameter(decoder.detach().clone())
    x, out = case.normal(f"7 {d_in}"), case.normal(f"7 {d_in}", grad=True)
    pre = (case.normal(f"7 {d_sae}") - 0.3).requires_grad_()
    twin = pre.detach().clone().requires_grad_()
    dead = torch.zeros(d_sae, dtype=torch.bool)
    dead[torch.randperm(d_sae, generator=case.generator)[:n_dead]] = True

    theirs = sae.calculate_topk_aux_loss(x, out, twin, dead)
    ours = reference.auxiliary_loss(x - out, pre, decoder, dead)
    torch.testing.assert_close(ours, theirs)
    if n_dead:
        ours.backward()
        theirs.backward()
        torch.testing.assert_close(pre.grad, twin.grad)
        torch.testing.assert_close(decoder.grad, sae.W_dec.grad)
        assert out.grad is None


def test_encoding_and_decoding_are_saelens():
    case = Case(torch.Generator().manual_seed(0), "cpu", {}, "")
    ours, theirs = reference.SAE(case, 10, 23, k=4, scale=1.0), saelens(10, 23, 4)
    with torch.no_grad():
        for name in ("W_enc", "b_enc", "b_dec"):
            theirs.get_parameter(name).copy_(ours.get_parameter(name))
        theirs.W_dec.copy_(ours.unit_decoder())
    x = case.normal("7 10")
    latents = ours.encode(x)
    assert (latents > 0).sum(1).max() == 4
    torch.testing.assert_close(latents, theirs.encode(x))
    torch.testing.assert_close(ours.decode(latents), theirs.decode(theirs.encode(x)))


def test_the_references_against_slow_loops():
    case = Case(torch.Generator().manual_seed(1), "cpu", {}, "")
    pre = case.normal("5 11")
    for k in (1, 4, 11):
        slow = torch.zeros_like(pre)
        for i, row in enumerate(pre.tolist()):
            for j in sorted(range(11), key=row.__getitem__)[-k:]:
                slow[i, j] = max(row[j], 0.0)
        assert torch.equal(reference.topk(pre, k), slow)
    logits, tokens = case.normal("3 5 7"), case.integers("3 5", 0, 7)
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(reference.cross_entropy(logits, tokens), loss)


def test_the_schedule_in_a_picture():
    """Ten steps, three up and four down: by hand."""
    seen = [reference.learning_rate_factor(step, 10, 3, 4) for step in range(10)]
    assert seen == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert {reference.learning_rate_factor(step, 10, 0, 0) for step in range(10)} == {1.0}
