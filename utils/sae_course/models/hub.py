"""The hub: what is fetched from it, each of its failures in words that say what to do (docs/hub.md).

The messages are in ``hub_messages``, the waiting when the hub asks for it in ``hub_client``, the files that
were fetched in ``hub_cache``.
"""

import contextlib
import os
import time
from collections.abc import Iterator

from ..runtime import CourseError
from . import cached, hub_client
from .hub_cache import Source, remove_damaged
from .hub_messages import explain, was_damaged

# Larger files than this are hashed only after a failure: reading 10 GB would double the time to load them.
CHECKED_ALWAYS = 2**30
PAUSES = (1, 2, 4)
"""Seconds before the hub is asked again that answers with 500 and more. The libraries do so for files."""


@contextlib.contextmanager
def fetching(source: Source) -> Iterator[None]:
    """Around everything that may read from the hub: no pickle runs, and each failure has its own message.

    TransformerLens reads the published ``.pth`` files with ``weights_only=False``; PyTorch lets the
    environment overrule that, and here it does.

    Raises:
        CourseError: for no network, a gated model, a hub that asks to wait for too long, a full disk, a
            damaged or refused file, too little memory. Any other error passes unchanged.
    """
    hub_client.begin()
    try:
        with _weights_only(), cached.listing():
            yield
    except CourseError:
        raise
    except Exception as error:
        message = explain(error, source)
        if message is None and (damaged := remove_damaged(source)):
            message = was_damaged(source, damaged)
        if message is None:
            raise
        raise CourseError(message) from error
    if damaged := remove_damaged(source, CHECKED_ALWAYS):
        raise CourseError(was_damaged(source, damaged))


@contextlib.contextmanager
def streaming(source: Source) -> Iterator[None]:
    """Around rows that are read from the hub while somebody uses them: as `fetching`, without its guards.

    Raises:
        CourseError: as `fetching` does.
    """
    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        message = explain(error, source)
        if message is None:
            raise
        raise CourseError(message) from error


def ask(source: Source) -> None:
    """Ask the hub about a repository of which the cache has nothing yet; to be called inside `fetching`.

    Without a network this fails at once; `transformers` and `datasets` try for half a minute.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    if (source.folder / "snapshots").exists():
        return
    for pause in (*PAUSES, None):
        try:
            HfApi().repo_info(source.repository, repo_type=source.kind, timeout=20)
            return
        except HfHubHTTPError as error:
            if pause is None or error.response is None or error.response.status_code < 500:
                raise
        time.sleep(pause)


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """PyTorch unpickles nothing but tensors and plain containers."""
    names = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ[names[0]] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
