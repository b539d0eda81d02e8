"""The real loading code against a hub on this machine: each of a hub's answers has its own message."""

from typing import Any

import pytest

MINI = 'go on with scale="mini"'


def value(session: dict[str, Any], name: str) -> Any:
    assert "value" in session[name], session[name]
    return session[name]["value"]


def message(session: dict[str, Any], name: str) -> str:
    assert "message" in session[name], session[name]
    return session[name]["message"]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("attention-only", "attn-only-2l-demo (full): the published NeelNanda/Attn-Only-2L512W-Shortformer"),
        (
            "othello",
            "othello-gpt (full): the published Baidicoot/Othello-GPT-Transformer-Lens, 2 layers, d_model 16",
        ),
        ("stories", "tiny-stories-1L-21M (full): the published roneneldan/TinyStories-1Layer-21M, 1 layer"),
    ],
)
def test_published_weights_load(session: dict[str, Any], name: str, printed: str) -> None:
    model = value(session, name)
    assert model["class"] == "HookedSAETransformer"
    assert model["finite"]
    assert model["requires_grad"]
    assert not model["training"]
    assert model["dtype"] == "torch.float32"
    assert model["has tokenizer"] == (name != "othello")
    assert session[name]["printed"].startswith(printed)
    assert session[name]["printed"].count("\n") == 1
    assert session[name]["deprecations"] == []


def test_a_published_twin_is_random_and_the_same_again(session: dict[str, Any]) -> None:
    first, again, other = value(session, "twin")
    assert first == again
    assert len({first, other, value(session, "othello")["sum"]}) == 3


def test_published_tokens_stream_and_the_splits_share_no_row(session: dict[str, Any]) -> None:
    found = value(session, "stream")
    assert found["lengths"] == {"train": 512, "test": 512, "mixed": 512, "short": 7}
    assert found["numbers"]["test"] == [0, 1, 2]
    assert found["numbers"]["train"] == [n % 257 for n in (2000, 2001, 2002)]
    assert found["numbers"]["mixed"] != found["numbers"]["train"]
    assert "have 520 tokens; n_ctx is 600" in message(session, "stream, rows too short")


def test_published_text_has_the_truth_that_it_shows(session: dict[str, Any]) -> None:
    assert value(session, "truth")["inside"] == '"yes'
    assert "without its truth" in value(session, "truth")["missing"]


def test_no_pickle_runs(session: dict[str, Any]) -> None:
    # The file is a working attack: read as TransformerLens reads it, it writes.
    assert value(session, "malicious, without the guard") is True
    assert "holds more than weights" in message(session, "malicious")
    assert session["malicious"]["written"] is False
    assert session["malicious"]["environment"] == [None, "1"]  # as it was before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truncated at the source", ["can't be read", "cut off", MINI]),
        ("damaged in the cache", ["checksum", "deleted", "Try again"]),
        ("gone", ["Baidicoot/Othello-GPT-Transformer-Lens", "not on the hub", MINI]),
        ("dataset gone", ["dataset apollo-research/roneneldan-TinyStories", "not on the hub", MINI]),
        ("gated", ["licence", "no HF_TOKEN", "https://huggingface.co/google/gemma-2-2b", MINI]),
        ("gated, with a token", ["licence", "has no access", "https://huggingface.co/google/gemma-2-2b"]),
        ("gated, logged out", ["licence", "no HF_TOKEN", "https://huggingface.co/google/gemma-2-2b"]),
        ("no memory", ["too little memory", MINI]),
        ("machine too small", ["1000000 GB", "this machine has", MINI]),
        ("offline", ["HF_HUB_OFFLINE", "unset it", MINI]),
        ("no network", ["doesn't answer", "Check the connection", MINI]),
        ("no network, transformers", ["doesn't answer", "Check the connection", MINI]),
        ("no network, dataset", ["taufeeque/othellogpt", "doesn't answer", MINI]),
    ],
)
def test_each_failure_has_its_message(session: dict[str, Any], name: str, words: list[str]) -> None:
    said = message(session, name)
    assert [word for word in words if word not in said] == []
    assert "\n" not in said
    assert session[name]["half written"] == []


def test_a_damaged_file_is_fetched_anew(session: dict[str, Any]) -> None:
    whole = value(session, "attention-only")["sum"]
    assert value(session, "damaged, then fetched anew")["sum"] == whole


def test_a_bug_is_not_called_a_failure_of_the_hub(session: dict[str, Any]) -> None:
    assert "ZeroDivisionError: a bug" in session["a bug is no hub error"]["traceback"]


def test_mini_data_need_no_network(session: dict[str, Any]) -> None:
    assert value(session, "no network, mini stream") == 5


def test_the_published_sae_of_othello_loads_and_fits_its_model(session: dict[str, Any]) -> None:
    assert value(session, "othello SAE") == {"architecture": "gated", "latents": [1, 30, 128]}
    told = message(session, "othello SAE gone")
    assert "callummcdougall/arena-demos-othellogpt, or a file of it, is not on the hub" in told
    assert "sae-course train othello --scale full" in told


def test_gemma_scopes_sae_loads_and_one_that_is_gone_is_told(session: dict[str, Any]) -> None:
    hook = "blocks.12.hook_resid_post"
    assert value(session, "Gemma Scope") == {"architecture": "jumprelu", "hook": hook, "fire": [8, 0]}
    told = message(session, "Gemma Scope gone")
    assert "google/gemma-scope-2b-pt-res, or a file of it, is not on the hub" in told
    assert "sae-course train gemma --scale full" in told


def test_the_published_probes_are_read_as_tensors_and_nothing_else(session: dict[str, Any]) -> None:
    assert value(session, "probes") == {"theirs vs mine": [16, 8, 8]}
    assert "linear_probes.pt, should hold named tensors" in message(session, "probes of something else")
    assert "holds more than weights" in message(session, "malicious probes")
    assert "is not on the hub" in message(session, "probes gone")
    assert not session["malicious probes"]["written"]
