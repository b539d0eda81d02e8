"""A finished run goes to the hub, whole or not at all, and SAELens loads it from there."""

from typing import Any

import pytest
from test_faults import message, value

FILES = [
    "README.md",
    "first/cfg.json",
    "first/histograms.jsonl",
    "first/metrics.jsonl",
    "first/run.json",
    "first/sae_weights.safetensors",
    "first/sparsity.safetensors",
]


def test_what_was_uploaded_loads_with_saelens(session: dict[str, Any]) -> None:
    assert 'SAE.from_pretrained("learner/saes", "first")' in value(session, "upload")
    loaded = value(session, "uploaded, loaded")
    assert loaded["same"] == [True] * 4
    assert loaded["files"] == FILES
    assert "library_name: saelens" in loaded["card"]
    assert "| metrics/l0 | 8 |" in loaded["card"]


def test_a_new_repository_is_private(session: dict[str, Any]) -> None:
    assert value(session, "uploaded, loaded")["private"] is True
    assert value(session, "uploaded, without a token") is False


def test_folders_of_this_machine_stay_here(session: dict[str, Any]) -> None:
    assert value(session, "uploaded, loaded")["output_path"] == "sae"  # was /home/somebody/sae


def test_the_command_uploads(session: dict[str, Any]) -> None:
    done = value(session, "upload, command")
    assert "is in the public repository learner/open" in done["output"]
    assert done["private"] is False
    assert "sae-course runs" in message(session, "upload, no such run")


def test_uploading_again_sends_nothing_twice(session: dict[str, Any]) -> None:
    value(session, "upload again")
    assert not [line for line in session["upload again"]["requests"] if line.startswith("PUT")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("upload, no token", ["none was found", "https://huggingface.co/settings/tokens", "HF_TOKEN"]),
        ("upload, reading token", ["may only read", "write access"]),
        ("upload, expired token", ["doesn't know the token", "HF_TOKEN"]),
        ("upload, not allowed", ["may not write to learner/saes"]),
        ("upload to saes", ["OWNER/NAME", '"saes"']),
        ("upload to learner/sa es", ['"learner/sa es"']),
        ("upload to learner/saes/first", ['"learner/saes/first"']),
        ("upload as ../first", ['"../first"', "--name"]),
        ("upload, unfinished", ["not finished"]),
        ("upload, not finite", ["W_dec", "no finite numbers"]),
        ("upload, no SAE", ["can't be loaded"]),
        ("upload, private to public", ["learner/open is public", "settings"]),
        ("upload, no network", ["doesn't answer"]),
    ],
)
def test_what_is_refused_before_anything_is_sent(
    session: dict[str, Any], name: str, words: list[str]
) -> None:
    said = message(session, name)
    assert [word for word in words if word not in said] == []
    assert not [line for line in session[name]["requests"] if line.startswith("PUT") or "/commit/" in line]


NOTHING = "Nothing of the run is visible"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("rate limited", ["asks to wait for 50 s", NOTHING, "the same command goes on"]),
        ("too large", ["status 413", NOTHING]),
        ("status 500 at a file", ["status 500", NOTHING, "the same command goes on"]),
        ("status 500 at the end", ["status 500", NOTHING, "the same command goes on"]),
        ("conflict", ["status 412", NOTHING]),
        ("cut off", ["broke off", NOTHING, "the same command goes on"]),
        ("answer lost", ["broke off", "is not known", "the same command goes on"]),
        ("stalled", ["went silent", "is not known", "the same command goes on"]),
    ],
)
def test_a_fault_on_the_way(session: dict[str, Any], fault: str, words: list[str]) -> None:
    said = message(session, f"upload, {fault}")
    assert [word for word in words if word not in said] == []
    # The last step was done where only its answer was lost; otherwise nothing can be seen.
    assert value(session, f"upload, {fault}, seen") == (FILES if fault == "answer lost" else [])
    value(session, f"upload, {fault}, the next try")
    assert value(session, f"upload, {fault}, seen then") == FILES


@pytest.mark.parametrize("fault", ["status 500 at the end", "conflict", "answer lost", "stalled"])
def test_what_arrived_is_not_sent_again(session: dict[str, Any], fault: str) -> None:
    sent = session[f"upload, {fault}"]["requests"]
    assert sum(line.startswith("PUT") for line in sent) == 4
    assert not [
        line for line in session[f"upload, {fault}, the next try"]["requests"] if line.startswith("PUT")
    ]


def test_a_fault_that_passes_is_waited_for(session: dict[str, Any]) -> None:
    value(session, "upload, rate limited, then served")
    assert session["upload, rate limited, then served"]["slept"] == 40
    value(session, "upload, status 500, then served")
