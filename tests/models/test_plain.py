"""The trainees compute what TransformerLens computes, in each of the three architectures."""

import pytest
import torch
from trainees import SPECS, stirred

from sae_course.models.load import hooked_model
from sae_course.models.plain import PlainTransformer, untrained
from sae_course.models.ship import file_names


@pytest.mark.parametrize("name", SPECS)
def test_logits_are_those_of_transformer_lens(name):
    spec = SPECS[name]
    trainee = stirred(untrained(spec, 0)).eval()
    tokens = torch.randint(0, spec.d_vocab, (3, spec.n_ctx), generator=torch.Generator().manual_seed(1))
    hooked = hooked_model(spec, file_names(spec, trainee.state_dict()))
    with torch.no_grad():
        ours, theirs = trainee(tokens), hooked(tokens, return_type="logits")
        shorter = trainee(tokens[:, :7]), hooked(tokens[:, :7], return_type="logits")
    assert ours.std() > 0.5, "logits that hardly differ would agree with anything"
    assert (ours - theirs).abs().max() <= 1e-4
    assert (shorter[0] - shorter[1]).abs().max() <= 1e-4


@pytest.mark.parametrize("name", SPECS)
def test_every_weight_matters(name):
    """So the comparison above would see a weight that was converted wrongly."""
    spec = SPECS[name]
    trainee = stirred(untrained(spec, 0)).eval()
    tokens = torch.randint(0, spec.d_vocab, (2, spec.n_ctx), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = trainee(tokens)
        for key, parameter in trainee.named_parameters():
            kept = parameter.clone()
            parameter.zero_()
            moved = (trainee(tokens) - before).abs().max()
            parameter.copy_(kept)
            # A key's bias adds the same to all scores of a query.
            assert key.endswith(".k.bias") or moved > 1e-3, key


@pytest.mark.parametrize("name", SPECS)
def test_no_token_sees_a_later_one(name):
    spec = SPECS[name]
    trainee = stirred(untrained(spec, 0)).eval()
    tokens = torch.randint(3, spec.d_vocab, (1, spec.n_ctx), generator=torch.Generator().manual_seed(1))
    other = tokens.clone()
    other[0, 9] = (tokens[0, 9] + 1) % spec.d_vocab
    with torch.no_grad():
        moved = (trainee(tokens) - trainee(other)).abs().amax(-1)[0]
    assert (moved[:9] < 1e-5).all()
    assert (moved[9:11] > 1e-3).all()


def test_untrained_follows_its_seed_and_leaves_the_global_stream():
    spec = SPECS["plain"]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = untrained(spec, 1), untrained(spec, 1), untrained(spec, 2)
    assert torch.equal(torch.rand(3), expected)
    assert isinstance(first, PlainTransformer)
    assert torch.equal(first.embed.weight, again.embed.weight)
    assert not torch.equal(first.embed.weight, other.embed.weight)
