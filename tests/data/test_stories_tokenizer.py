"""The Hugging Face tokenizer says what ``encode`` says, and works in TransformerLens without a network."""

import pytest
import torch
from sae_lens import HookedSAETransformer
from transformer_lens import HookedTransformerConfig

from sae_course.data.stories.rows import rows, story
from sae_course.data.stories.tokenizer import tokenizer
from sae_course.data.stories.vocabulary import BOS, EOS, PAD, UNK, WORDS, decode, encode

PROMPT = 'Mary asked Tom, "Where is the ball?"'


@pytest.fixture(scope="module")
def model() -> HookedSAETransformer:
    cfg = HookedTransformerConfig(
        n_layers=1,
        d_model=16,
        n_ctx=48,
        d_head=8,
        n_heads=2,
        act_fn="gelu",
        d_vocab=len(WORDS),
        device="cpu",
        seed=0,
    )
    return HookedSAETransformer(cfg, tokenizer=tokenizer())


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the tokenizer reached for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)


def test_ids_are_the_vocabulary() -> None:
    fast = tokenizer()
    assert len(fast) == len(WORDS)
    assert fast.convert_ids_to_tokens(list(range(len(WORDS)))) == list(WORDS)
    assert (fast.pad_token_id, fast.bos_token_id, fast.eos_token_id, fast.unk_token_id) == (
        PAD,
        BOS,
        EOS,
        UNK,
    )


@pytest.mark.parametrize("register", ["stories", "notices"])
def test_it_agrees_with_encode(register: str) -> None:
    fast = tokenizer()
    for index in range(200):
        told = story(index, register=register)
        assert fast.encode(told.text) == [BOS, *told.tokens]
        assert fast.encode(told.text.upper(), add_special_tokens=False) == told.tokens
        assert fast.encode(fast.decode(told.tokens), add_special_tokens=False) == told.tokens


def test_a_row_with_its_marks() -> None:
    fast = tokenizer()
    for row in rows(20, 256).tolist():
        assert fast.encode(decode(row), add_special_tokens=False) == row
        assert fast.encode(fast.decode(row), add_special_tokens=False) == row


@pytest.mark.parametrize(
    "text", ["Mary met a dragon.", "tom_said,what?!", "  i   am\n\nsad .", "Zoë: 3 cats’ café", ""]
)
def test_odd_text_as_encode_reads_it(text: str) -> None:
    assert tokenizer().encode(text) == [BOS, *encode(text)]


def test_decode_attaches_punctuation() -> None:
    fast = tokenizer()
    assert fast.decode(encode("Mary, Tom and i: yes! no?")) == "Mary, Tom and i: yes! no?"
    assert fast.decode([BOS, *encode("hello ."), EOS], skip_special_tokens=True) == "hello."


def test_to_tokens_and_back_in_transformer_lens(model: HookedSAETransformer) -> None:
    ids = encode(PROMPT)
    assert model.to_tokens(PROMPT).tolist() == [[BOS, *ids]]
    assert model.to_tokens(PROMPT, prepend_bos=False).tolist() == [ids]
    assert model.to_str_tokens(PROMPT) == ["<bos>", *(WORDS[i] for i in ids)]
    assert encode(model.to_string(torch.tensor(ids))) == ids
    assert model.to_single_token("Mary") == ids[0]
    batch = model.to_tokens([PROMPT, "i am sad"])
    assert batch.shape == (2, len(ids) + 1)
    assert batch[1].tolist() == [BOS, *encode("i am sad"), *[PAD] * (len(ids) - 3)]


def test_generate(model: HookedSAETransformer) -> None:
    text = model.generate(
        "Once there was", max_new_tokens=6, do_sample=False, stop_at_eos=False, verbose=False
    )
    again = model.generate(
        model.to_tokens("Once there was"), max_new_tokens=6, do_sample=False, stop_at_eos=False, verbose=False
    )
    assert text.startswith("once there was")
    assert again[0, 0] == BOS
    assert encode(text) == [token for token in again[0].tolist() if token != BOS]
