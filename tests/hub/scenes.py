"""What the scenarios of ``session`` share: a hub, a cache of its own, and keeping what happened.

The libraries read HF_ENDPOINT and HF_HOME when they are imported: this is imported before them.
"""

import hashlib
import io
import os
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

HERE = Path(sys.argv[1])
sys.path.insert(0, str(Path(__file__).parent))
from held import NONE, Fault  # noqa: E402
from loopback import LoopbackHub  # noqa: E402

hub = LoopbackHub()
os.environ |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(HERE / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
for unwanted in ("HF_TOKEN", "HF_HUB_OFFLINE"):
    os.environ.pop(unwanted, None)

from sae_course.runtime import CourseError  # noqa: E402

slept: list[float] = []
time.sleep = slept.append  # the libraries wait between attempts; here each attempt ends the same
results: dict[str, Any] = {}


def scenario(name: str, run: Callable[[], Any]) -> None:
    """Record what ``run`` returns, or its CourseError; any other error is recorded with its traceback."""
    printed, errors = io.StringIO(), io.StringIO()
    slept.clear()
    hub.requests.clear()
    try:
        with (
            redirect_stdout(printed),
            redirect_stderr(errors),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            results[name] = {"value": run()}
    except CourseError as error:
        results[name] = {"message": str(error)}
    except Exception:  # noqa: BLE001 - what it was is the result
        results[name] = {"traceback": traceback.format_exc()}
    results[name] |= {
        "printed": printed.getvalue(),
        "errors": errors.getvalue(),
        "deprecations": [str(w.message) for w in warned if "HookedTransformer" in str(w.message)],
        "slept": sum(slept),
        "requests": list(hub.requests),
        "half written": half_written(),
    }


def half_written() -> list[str]:
    """Files of the cache that are not whole: temporary ones, and those that their name (a hash) belies."""
    found = [path.name for path in HERE.rglob("*.incomplete")]
    for blob in HERE.glob("hf/hub/*/blobs/*"):
        data = blob.read_bytes()
        whole = (
            hashlib.sha256(data) if len(blob.name) == 64 else hashlib.sha1(b"blob %d\0" % len(data) + data)
        )
        found += [blob.name] if whole.hexdigest() != blob.name else []
    return found


def cache_of(repository: str) -> Path:
    """The folder of one repository in huggingface_hub's cache."""
    kind = "" if repository.startswith("datasets/") else "models/"
    return HERE / "hf" / "hub" / (kind + repository).replace("/", "--")


def forget(repository: str) -> None:
    """Empty the cache of one repository."""
    shutil.rmtree(cache_of(repository), ignore_errors=True)


@contextmanager
def behaving(repository: str, behaviour: Any) -> Iterator[None]:
    """The repository is gone, or gated."""
    before = hub.repositories[repository].behaviour
    hub.repositories[repository].behaviour = behaviour
    try:
        yield
    finally:
        hub.repositories[repository].behaviour = before


@contextmanager
def failing(repository: str, kind: Any, **how: Any) -> Iterator[None]:
    """Requests for the repository meet a `Fault`."""
    hub.repositories[repository].fault = Fault(kind, **how)
    try:
        yield
    finally:
        hub.repositories[repository].fault = NONE


@contextmanager
def replaced(owner: Any, name: str, new: Any) -> Iterator[None]:
    """``owner.name`` is another value; an error is raised by a function in its place."""

    def raising(*args: Any, **kwargs: Any) -> Any:
        raise new

    before = getattr(owner, name)
    setattr(owner, name, raising if isinstance(new, BaseException) else new)
    try:
        yield
    finally:
        setattr(owner, name, before)


def with_token(token: str | None) -> None:
    """The token that the libraries find from now on."""
    os.environ.pop("HF_TOKEN", None)
    if token is not None:
        os.environ["HF_TOKEN"] = token
