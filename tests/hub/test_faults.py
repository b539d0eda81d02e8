"""A hub that fails, for a while or for ever: a bounded retry or a message, and the next try."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import faults_page
import pytest

from sae_course.models import MODELS, hub_client, hub_messages
from sae_course.models.hub import Source
from sae_course.training import upload_messages

KEPT = "files that had arrived whole are kept"
MINI = 'go on with scale="mini"'
FAULTS = {
    "status 500": ["status 500", "and again when it was asked again", "Try again later"],
    "rate limited": ["status 429", "asks to wait for 20 s", "Try again in 20 s", "HF_TOKEN"],
    "cut off": ["broke off before its end"],
    "stalled": ["stopped sending", "stayed silent"],
}


def message(session: dict[str, Any], name: str) -> str:
    assert "message" in session[name], session[name]
    assert "\n" not in session[name]["message"]
    assert session[name]["half written"] == []
    return session[name]["message"]


def value(session: dict[str, Any], name: str) -> Any:
    assert "value" in session[name], session[name]
    assert session[name]["half written"] == []
    return session[name]["value"]


def files(session: dict[str, Any], name: str) -> list[str]:
    """The files whose contents were asked for, with the range."""
    gets = (line for line in session[name]["requests"] if line.startswith("GET") and "/resolve/" in line)
    return [line.rpartition("/resolve/")[2].partition("/")[2] for line in gets]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_lasts_has_its_message(session: dict[str, Any], fault: str) -> None:
    for name, more in ((fault, KEPT), (f"SAE, {fault}", "train your own"), (f"first row, {fault}", MINI)):
        said = message(session, name)
        assert [words for words in [*FAULTS[fault], more, MINI] if words not in said] == [], name


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_is_waited_for(session: dict[str, Any], fault: str) -> None:
    assert value(session, f"{fault}, then served") == value(session, "nothing wrong")
    assert 0 < session[f"{fault}, then served"]["slept"] <= 60


@pytest.mark.parametrize("fault", [*FAULTS, "wrong checksum", "full disk"])
def test_the_next_try_succeeds(session: dict[str, Any], fault: str) -> None:
    assert value(session, f"{fault}, the next try") == value(session, "nothing wrong")


@pytest.mark.parametrize("fault", ["cut off", "stalled"])
def test_a_download_goes_on_where_it_stopped(session: dict[str, Any], fault: str) -> None:
    asked = files(session, f"{fault}, then served")
    assert asked[0] == "config.json"
    whole, *later = asked[1:]
    assert whole == "synthetic_final.pth"
    assert len(later) == 2
    for one in later:
        assert one.startswith("synthetic_final.pth bytes=")
        assert int(one.partition("=")[2].strip("-")) > 10_000


@pytest.mark.parametrize("fault", ["cut off", "stalled", "wrong checksum", "full disk"])
def test_the_next_try_asks_for_what_is_missing_only(session: dict[str, Any], fault: str) -> None:
    assert "config.json" in files(session, "nothing wrong")
    assert files(session, f"{fault}, the next try") == ["synthetic_final.pth"]


def test_waiting_is_bounded_and_said(session: dict[str, Any]) -> None:
    assert session["rate limited, then served"]["slept"] == 40
    said = "The hub has had too many requests and asks to wait for 20 s: waiting (60 s at most in all)."
    assert session["rate limited, then served"]["errors"].count(said) == 2
    assert session["rate limited"]["slept"] == 60
    assert session["asked to wait an hour"]["slept"] == 0
    assert "asks to wait for 1 hour" in message(session, "asked to wait an hour")


def test_retries_are_bounded(session: dict[str, Any]) -> None:
    assert session["status 500"]["slept"] <= 10
    for fault in ("cut off", "stalled"):
        assert len(files(session, fault)) <= 8
        assert session[f"first row, {fault}"]["slept"] <= 60
        assert 300 <= session[f"rows, {fault}"]["slept"] <= 600  # nobody watches a training


def test_a_file_with_a_wrong_checksum_is_not_kept(session: dict[str, Any]) -> None:
    said = message(session, "wrong checksum")
    assert "other contents than the checksum says" in said
    assert "deleted" in said


def test_a_disk_fills(session: dict[str, Any]) -> None:
    said = message(session, "full disk")
    assert [words for words in ("disk is full", "HF_HOME", KEPT, MINI) if words not in said] == []


def test_a_token_that_expired_is_told_from_one_without_access(session: dict[str, Any]) -> None:
    assert "doesn't know the token" in message(session, "expired token")


@pytest.mark.parametrize("fault", FAULTS)
def test_rows_fail_with_a_message_and_go_on_from_where_they_were(session: dict[str, Any], fault: str) -> None:
    said = message(session, f"rows, {fault}")
    assert [words for words in [*FAULTS[fault], "from its last checkpoint"] if words not in said] == []
    assert value(session, f"rows, {fault}, the next try") is True


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 1),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=9;t=55', "Retry-After": "3"}, 3),
        ({"Retry-After": "soon"}, 8),
        ({}, 8),
    ],
)
def test_what_the_hub_asks_for_is_read(headers: dict[str, str], seconds: float) -> None:
    assert hub_client._asked(headers, attempt=3) == seconds


CAS = "Task error: File reconstruction error: CAS Client Error: "


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            "Request error: HTTP status server error (500 Internal Server Error), domain: http://x",
            "status 500",
        ),
        ("Request error: HTTP status client error (429 Too Many Requests), domain: http://x", "few minutes"),
        ("Request middleware error: error sending request for url (http://x)", "doesn't answer"),
        ("something that ended", "broke off"),
    ],
)
def test_xet_ends_in_the_same_messages(raised: str, words: str) -> None:
    # Its errors as hf_xet 1.8 raised them, against a hub with Xet that failed so.
    source = Source(MODELS["othello-gpt"], "model")
    assert words in str(hub_messages.explain(RuntimeError(CAS + raised), source))
    assert words in str(upload_messages.explain(RuntimeError(CAS + raised), "me/saes"))
    assert hub_messages.explain(RuntimeError("Task error: a bug"), source) is None


def test_a_date_to_wait_for_is_read() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=100))
    assert 90 < hub_client._asked({"Retry-After": then}, attempt=0) <= 100


def test_the_page_shows_the_messages_of_this_run(session: dict[str, Any]) -> None:
    assert faults_page.written() == faults_page.block(session).strip(), "run python tests/hub/faults_page.py"


def test_the_page_says_the_limits_that_hold(session: dict[str, Any]) -> None:
    limits, text = value(session, "defaults"), faults_page.PAGE.read_text(encoding="utf-8")
    assert f"last\n{limits['chunk'] // 2**20} MB" in text
    assert f"stops at {limits['longest']:.0f} s in all" in text
    assert f"given up after {limits['silence elsewhere']:.0f} s at the latest" in text
    assert f"up to {limits['checked'] // 2**30} GiB" in text
    assert f"after {limits['silence']} s of silence goes on" in text
