"""A chat endpoint, against a server on 127.0.0.1: what is asked, what is made of it, what is never shown."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import torch

from sae_course.evals.endpoint import KEY, ChatEndpoint
from sae_course.evals.explaining import Examples, Excerpts, Explanation
from sae_course.evals.interpreting import autointerp
from sae_course.evals.units import Units
from sae_course.runtime import CourseError

SECRET = "sk-very-secret-123"
WORDS = ["the", " cat", " sat", "."]
EXCERPTS = Excerpts(torch.tensor([[0, 1, 2, 3], [0, 2, 1, 3]]), lambda token: WORDS[token])


def said(content: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


class Server:
    """Gives its ``replies`` in turn, the last one for ever: a text, or a status with headers and body."""

    def __init__(self) -> None:
        self.replies: list[Any] = ["[0, 0, 0, 0]"]
        self.think: Callable[[dict[str, Any]], str] | None = None
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append(body)
                server.headers.append(dict(self.headers))
                server.paths.append(self.path)
                reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
                if server.think is not None:
                    reply = server.think(body)
                status, headers, content = reply if isinstance(reply, tuple) else (200, {}, said(reply))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Server()
    yield made
    made.close()


def endpoint(server: Server, key: str | None = None, **settings: Any) -> ChatEndpoint:
    return ChatEndpoint(server.url, "small-model", key, pause=0.0, **settings)


def simulate(server: Server, key: str | None = None, **settings: Any) -> torch.Tensor:
    return endpoint(server, key, **settings).simulate(Explanation("at cats"), EXCERPTS)


def refusal(server: Server, key: str | None = None, **settings: Any) -> str:
    with pytest.raises(CourseError) as caught:
        simulate(server, key, **settings)
    return str(caught.value)


def test_an_excerpt_is_asked_for_as_a_list_and_read_as_one(server: Server) -> None:
    server.replies = ["[0, 10, 2.5, 0]", "Tokens [1, 2] are no cats:\n```json\n[0, 0, 7, 1]\n```"]
    found = simulate(server)
    assert found.tolist() == [[0, 10, 2.5, 0], [0, 0, 7, 1]]
    assert server.paths == ["/v1/chat/completions"] * 2
    asked = server.asked[1]
    assert (asked["model"], asked["temperature"]) == ("small-model", 0)
    assert [one["role"] for one in asked["messages"]] == ["system", "user"]
    question = asked["messages"][1]["content"]
    assert "at cats" in question
    assert '4 tokens:\n["the", " sat", " cat", "."]' in question
    assert server.headers[0]["Content-Type"] == "application/json"
    assert "Authorization" not in server.headers[0]


def test_examples_are_shown_with_their_strength(server: Server) -> None:
    server.replies = ["  It fires\nat cats. "]
    activation = torch.tensor([[0.0, 4.0, 0.1, 0.0], [0.0, 0.0, 2.0, 0.0]])
    found = endpoint(server).explain(Examples(EXCERPTS, activation, 1))
    assert found == Explanation("It fires at cats.")
    shown = server.asked[0]["messages"][1]["content"]
    assert shown == "Excerpt 1:\nthe cat⟦10⟧ sat⟦1⟧.\n\nExcerpt 2:\nthe sat cat⟦5⟧."


def test_of_many_examples_the_first_of_either_kind_are_shown(server: Server) -> None:
    server.replies = ["words " * 200]
    ids = torch.arange(100)[:, None]
    many = Examples(Excerpts(ids, lambda token: f"w{token}."), torch.zeros(100, 1), 20)
    found = endpoint(server).explain(many)
    shown = server.asked[0]["messages"][1]["content"].split("\n\n")
    assert [one.split("\n")[1] for one in shown] == [f"w{i}." for i in [*range(10), *range(20, 25)]]
    assert len(found.text) == 300


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ("I can't tell.", "it holds no JSON list of numbers"),
        ("[0, 1, ", "it holds no JSON list of numbers"),
        ("[0, one, 0, 0]", "it holds no JSON list of numbers"),
        ("[1, 2, 3]", "it has 3 numbers, and there are 4 tokens"),
        ("[0, 0, 0, 0, 0]", "it has 5 numbers, and there are 4 tokens"),
        ("[0, 11, 0, 0]", "11 is not a number from 0 to 10"),
        ("[0, -1, 0, 0]", "-1 is not a number"),
        ("[0, NaN, 0, 0]", "NaN is not a number"),
        ('[0, "3", 0, 0]', '"3" is not a number'),
        ("[0, true, 0, 0]", "true is not a number"),
        (None, "it holds no JSON list of numbers"),
    ],
)
def test_a_bad_reply_gets_one_more_chance_with_the_complaint(
    server: Server, bad: Any, complaint: str
) -> None:
    server.replies = [bad, "[0, 1, 2, 3]", bad, bad]
    found = simulate(server)
    assert found[0].tolist() == [0, 1, 2, 3]
    assert found[1].isnan().all()
    assert len(server.asked) == 4
    again = server.asked[1]["messages"]
    assert [one["role"] for one in again] == ["system", "user", "assistant", "user"]
    assert again[2]["content"] == (bad or "")
    assert f"can't be used: {complaint}" in again[3]["content"]
    # The next excerpt is a new conversation.
    assert len(server.asked[2]["messages"]) == 2


def test_an_explanation_that_never_comes_is_empty_and_simulates_nothing(server: Server) -> None:
    server.replies = [" \n"]
    one = endpoint(server)
    found = one.explain(Examples(EXCERPTS, torch.ones(2, 4), 2))
    assert (found.text, len(server.asked)) == ("", 2)
    assert one.simulate(found, EXCERPTS).isnan().all()
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server: Server, status: int) -> None:
    server.replies = [(status, {"Retry-After": "0"}, b"busy")] * 2 + ["[1, 1, 1, 1]"]
    assert simulate(server).tolist() == [[1] * 4] * 2
    assert len(server.asked) == 4


def test_a_server_that_stays_busy_is_left(server: Server) -> None:
    server.replies = [(429, {}, b"quota exceeded")]
    message = refusal(server, retries=2)
    assert "busy or out of order" in message
    assert 'status 429: "quota exceeded"' in message
    assert "the rules need no network" in message
    assert len(server.asked) == 3


def test_it_waits_as_long_as_it_is_asked_to_within_limits(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    server.replies = [(429, {"Retry-After": "7"}, b""), (429, {"Retry-After": "86400"}, b""), "[1, 1, 1, 1]"]
    simulate(server)
    assert waits == [7, 30]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, ["refuses the key that it was given", "status 401"]),
        (403, ["refuses the key that it was given", "small-model"]),
        (404, ['no model "small-model"', "/models"]),
        (400, ["answered with status 400"]),
        (302, ["answered with status 302"]),
    ],
)
def test_a_refusal_says_what_to_do_and_never_the_key(server: Server, status: int, words: list[str]) -> None:
    body = f"wrong key {SECRET} {'x' * 500}".encode()
    server.replies = [(status, {"Location": server.url + "/elsewhere"}, body)]
    message = refusal(server, SECRET)
    for word in [*words, '"wrong key … x']:
        assert word in message
    assert SECRET not in message
    assert len(message) < 600
    assert len(server.asked) == 1


def test_a_missing_key_is_asked_for(server: Server) -> None:
    server.replies = [(401, {}, b"who are you?")]
    assert f"a request without a key (set {KEY})" in refusal(server)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": 3}]}']
)
def test_another_kind_of_server_is_told_apart(server: Server, body: bytes) -> None:
    server.replies = [(200, {}, body)]
    assert "doesn't answer as /chat/completions does" in refusal(server)


def test_a_key_is_sent_and_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password theirs\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.replies = [f"At {SECRET}."]
    monkeypatch.setenv(KEY, f"{SECRET}\n")
    by_variable, given = endpoint(server), endpoint(server, "other")
    for one in (by_variable, given, endpoint(server, "")):
        found = one.explain(Examples(EXCERPTS, torch.ones(2, 4), 2))
        assert SECRET not in repr(one)
        assert (SECRET in found.text) == (one is not by_variable)
    sent = [headers.get("Authorization") for headers in server.headers]
    assert sent == [f"Bearer {SECRET}", "Bearer other", None]
    assert repr(by_variable) == f"ChatEndpoint(small-model at {server.url}/chat/completions, with a key)"
    assert "other" not in repr(given)
    assert "without a key" in repr(endpoint(server, ""))


@pytest.mark.parametrize("key", ["two words", "tab\tinside", "schlüssel", "line\nbreak"])
def test_a_key_that_cannot_be_one_is_refused_unseen(key: str) -> None:
    with pytest.raises(CourseError, match="holds signs that no key has") as caught:
        ChatEndpoint("http://localhost/v1", "m", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000/v1", 'localhost:8000/v1" is no address'),
        ("file:///etc/passwd", "is no address"),
        ("https://", "is no address"),
        ("http://[::1/v1", "That is no address"),
        ("https://me:pass@host/v1", "holds a name, a password or a question"),
        ("https://host/v1?api_key=abc", "holds a name, a password or a question"),
    ],
)
def test_an_address_must_be_one_without_secrets(url: str, message: str) -> None:
    with pytest.raises(CourseError, match=message) as caught:
        ChatEndpoint(url, "m")
    assert not any(secret in str(caught.value) for secret in ("pass@", "abc"))


def test_the_whole_address_may_be_given(server: Server) -> None:
    for url in (server.url + "/", server.url + "/chat/completions"):
        ChatEndpoint(url, "m").simulate(Explanation("at cats"), EXCERPTS)
    assert set(server.paths) == {"/v1/chat/completions"}


def test_a_server_that_is_not_there_is_said(server: Server) -> None:
    server.close()
    message = refusal(server)
    assert "can't be reached (ConnectionError)" in message
    assert "the rules need no network" in message


def test_a_silent_server_is_left_after_the_timeout_and_not_asked_twice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        one = ChatEndpoint(url, "m", "", timeout=0.1, pause=0.0)
        began = time.monotonic()
        with pytest.raises(CourseError, match=r"was silent for 0.1 s: give it a longer timeout"):
            one.simulate(Explanation("at cats"), EXCERPTS)
        assert time.monotonic() - began < 3
        silent.settimeout(0.05)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()


def test_a_model_that_understands_scores_one_and_failures_count_as_zero(server: Server) -> None:
    tokens = torch.randint(20, (16, 16), generator=torch.Generator().manual_seed(0))
    units = Units("SAE", torch.zeros(16, 16, 1), (tokens == 3).float()[..., None])
    failing = False

    def think(body: dict[str, Any]) -> Any:
        question = body["messages"][1]["content"]
        if question.startswith("Excerpt"):
            marked = [part.rpartition(",")[2] for part in question.split("⟦10⟧")[:-1]]
            return f"At {set(marked).pop()}"
        explanation, _, words = question.partition("\n\n16 tokens:\n")
        target = explanation.rpartition("At ")[2]
        numbers = [10 * (word.strip(",") == target) for word in json.loads(words)]
        return "no idea" if failing and sum(numbers) else json.dumps(numbers)

    server.think = think
    settings: dict[str, Any] = {
        "decode": lambda token: f",{token}",
        "top": 3,
        "rest": 3,
        "least": 3,
        "width": None,
    }
    found = autointerp(units, tokens, explainer=endpoint(server), **settings)
    (one,) = found.latents
    assert (one.explanation, one.top, one.top_and_random, one.detection) == ("At 3", 1.0, 1.0, 1.0)
    assert found.see == "top and random"
    assert len(server.asked) <= 1 + 3 + 3 + 3
    failing = True
    (one,) = autointerp(units, tokens, explainer=endpoint(server), **settings).latents
    assert (one.top, one.top_and_random) == (0.0, 0.0)
    assert one.missing >= 3
