"""The HTTP client that huggingface_hub uses here: it waits when the hub asks it to: aloud, not for ever.

huggingface_hub by itself waits for as long as a "429 Too Many Requests" says, an hour five times over,
without a word, and where a caller names no timeout it waits for an answer without end.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST = 60.0
"""Seconds that one loading or uploading waits, in all, because the hub asks it to."""
SILENCE = 60.0
"""Seconds without a byte after which a request is given up, where the libraries set no limit of their own."""


class RateLimited(Exception):
    """The hub asks to wait for longer than `LONGEST`."""

    def __init__(self, asked: float) -> None:
        super().__init__(f"the hub asks to wait for {asked:.0f} s")
        self.asked = asked
        """Seconds that it asked for last."""


class _Patience:
    """How long this loading has waited. Threads that are told to wait at the same moment wait once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        self._waited, self.waits = 0.0, 0

    def wait(self, asked: float, seen: int) -> None:
        """Wait for ``asked`` seconds, unless another thread has since ``seen`` of the waits were over."""
        with self._lock:
            if self.waits != seen:
                return
            if self._waited + asked > LONGEST:
                raise RateLimited(asked)
            # Not to stdout: where the course loads a model, that is silenced.
            print(
                f"The hub has had too many requests and asks to wait for {asked:.0f} s: waiting "
                f"({LONGEST:.0f} s at most in all).",
                file=sys.stderr,
                flush=True,
            )
            time.sleep(asked)
            self._waited += asked
            self.waits += 1


_patience = _Patience()
_installed = threading.Event()


def begin() -> None:
    """A new loading or uploading begins: it may wait anew. The first one puts the client in place."""
    _patience.begin()
    if _installed.is_set():
        return
    import huggingface_hub  # noqa: PLC0415
    from huggingface_hub.utils import _http  # noqa: PLC0415

    before = getattr(_http, "_GLOBAL_CLIENT_FACTORY", None)  # a user's own, with a proxy perhaps, is kept
    if before is not None:
        huggingface_hub.set_client_factory(lambda: _patient(before()))
    _installed.set()


def _patient(client: Any) -> Any:
    if client.timeout.read is None:
        client.timeout = type(client.timeout)(SILENCE, pool=None)
    client.send = _waiting(client.send)
    return client


def _waiting(send: Callable[..., Any]) -> Callable[..., Any]:
    def patiently(request: Any, **how: Any) -> Any:
        for attempt in range(1000):
            seen = _patience.waits
            response = send(request, **how)
            if response.status_code != 429:
                return response
            asked = _asked(response.headers, attempt)
            if not _can_be_sent_again(request) and asked <= LONGEST:
                return response  # the library winds its file back and sends it again
            response.close()
            _patience.wait(asked, seen)
        raise RateLimited(asked)

    return patiently


def _can_be_sent_again(request: Any) -> bool:
    """Not so the body that is read from a file while it is sent."""
    try:
        request.content  # noqa: B018
    except Exception:  # noqa: BLE001 - of httpx or httpx2
        return False
    return True


def _asked(headers: Mapping[str, str], attempt: int) -> float:
    """Seconds: what the hub says, in either of its two ways; where it says nothing, 1, 2, 4, …"""
    from huggingface_hub.utils import parse_ratelimit_headers  # noqa: PLC0415

    said = headers.get("Retry-After", "").strip()
    limits = parse_ratelimit_headers(headers)
    if limits is not None and limits.remaining == 0:
        return max(1.0, limits.reset_in_seconds)
    if said.isdigit():
        return max(1.0, float(said))
    try:
        return max(1.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 2.0**attempt
