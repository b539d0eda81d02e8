"""Pages of one row: what they say is what the model and the SAE say."""

import json
import re

import pytest
import specimens

from sae_course.dashboards import attention_patterns, latent_on_text, token_log_probs
from sae_course.dashboards.tokens import visible
from sae_course.runtime import CourseError


def test_a_row_is_one_row() -> None:
    model, tokens = specimens.model(), specimens.tokens()
    with pytest.raises(CourseError, match=r"take tokens\[0\]"):
        token_log_probs(model, tokens)
    assert token_log_probs(model, tokens[:1]).html == token_log_probs(model, tokens[0].numpy()).html
    with pytest.raises(CourseError, match="there is no layer 1"):
        attention_patterns(model, tokens[0], 1)
    model.tokenizer = None
    with pytest.raises(CourseError, match="no tokenizer"):
        token_log_probs(model, "a text")


def test_log_probs_are_the_models() -> None:
    model, row = specimens.model(), specimens.tokens()[0]
    page = token_log_probs(model, row, top_k=3)
    data = json.loads(re.search(r'id="data">([^<]+)<', page.html)[1])
    wanted = model(row[None])[0].log_softmax(-1)
    for i, token in enumerate(row[1:].tolist()):
        line = wanted[i].tolist()
        assert data["correctTokenLogProb"][i] == pytest.approx(line[token], abs=1e-5)
        assert data["correctTokenRank"][i] == sorted(line, reverse=True).index(line[token])
        assert data["topKLogProbs"][i] == pytest.approx(sorted(line, reverse=True)[:3], abs=1e-5)
    assert data["prompt"] == [visible(specimens.Tokenizer().names[token]) for token in row.tolist()]


def test_latents_on_a_text_are_the_saes() -> None:
    model, sae, row = (
        specimens.model(attn_only=True),
        specimens.sae("blocks.0.attn.hook_z"),
        specimens.tokens()[0],
    )
    page = latent_on_text(model, sae, row, [7, 2])
    data = json.loads(re.search(r'id="data">([^<]+)<', page.html)[1])
    _, cache = model.run_with_cache(row[None])
    a = sae.encode(cache["blocks.0.attn.hook_z"])[0][:, [7, 2]]
    for found, wanted in zip(data["values"], a.tolist(), strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)
    assert data["labels"] == ["latent 7", "latent 2"]


def test_attention_is_the_models() -> None:
    model, row = specimens.model(layers=2), specimens.tokens()[0]
    data = json.loads(re.search(r'id="data">([^<]+)<', attention_patterns(model, row, 1).html)[1])
    _, cache = model.run_with_cache(row[None])
    pattern = cache["blocks.1.attn.hook_pattern"][0]
    for found, wanted in zip(data["attention"], pattern.tolist(), strict=True):
        for line, other in zip(found, wanted, strict=True):
            assert line == pytest.approx(other, abs=1e-4)
    before = sum(float(pattern[2, i, i - 1]) for i in range(1, 24)) / 23
    assert f"1.2  {float(pattern[2, 1:, 0].mean()):.1%}" in str(attention_patterns(model, row, 1))
    assert f"{before:.1%}" in str(attention_patterns(model, row, 1))
