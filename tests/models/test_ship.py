"""Weights are shipped in the half precision that costs the logits less, and only if they are finite."""

import pytest
import torch
from trainees import GEMMA, PLAIN, stirred

from sae_course.models.plain import untrained
from sae_course.models.ship import convert, file_names
from sae_course.runtime import CourseError


@pytest.mark.parametrize("spec", [PLAIN, GEMMA])
def test_half_precision_by_what_it_costs(spec):
    state = stirred(untrained(spec, 0)).state_dict()
    tokens = torch.randint(3, spec.d_vocab, (4, spec.n_ctx), generator=torch.Generator().manual_seed(0))
    weights = convert(spec, state, tokens)
    assert weights.dtype == "float16"
    assert 0 < weights.costs["float16"] < weights.costs["bfloat16"] < 1
    assert {value.dtype for value in weights.tensors.values()} == {torch.float16}
    assert weights.tensors.keys() == file_names(spec, state).keys()
    assert not any(name.startswith(("gemma.", "lm_head")) for name in weights.tensors)

    # A weight above 65,504 overflows in float16; LayerNorm divides it out again, so the logits stay small.
    name = "gemma.model.embed_tokens.weight" if spec.gemma2 else "embed.weight"
    if spec.gemma2:
        state["gemma.lm_head.weight"] = state[name]
    state[name][3] *= 1e6
    large = convert(spec, state, tokens)
    assert large.dtype == "bfloat16"
    assert large.costs["float16"] == float("inf")

    state[name][3, 0] = float("nan")
    with pytest.raises(CourseError, match=r"not finite.*diverged"):
        convert(spec, state, tokens)
