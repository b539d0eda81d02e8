"""The hub, and what can go wrong with it: each in words that say what to do."""

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..runtime import CourseError
from .names import Entry

# Larger files than this are hashed only after a failure: reading 10 GB would double the time to load them.
CHECKED_ALWAYS = 2**30


@dataclass(frozen=True)
class Source:
    """A repository on the hub."""

    entry: Entry
    kind: Literal["model", "dataset"]

    @property
    def repository(self) -> str:
        if self.kind == "model" or self.entry.dataset is None:
            return self.entry.repository
        return self.entry.dataset.repository

    @property
    def folder(self) -> Path:
        """Where huggingface_hub keeps its files."""
        from huggingface_hub import constants  # noqa: PLC0415 - it reads the environment when imported

        return Path(constants.HF_HUB_CACHE) / f"{self.kind}s--{self.repository.replace('/', '--')}"


@contextlib.contextmanager
def fetching(source: Source) -> Iterator[None]:
    """Around everything that may read from the hub: no pickle runs, and each failure has its own message.

    TransformerLens reads the published ``.pth`` files with ``weights_only=False``; PyTorch lets the
    environment overrule that, and here it does.

    Raises:
        CourseError: for no network, a gated model, a full disk, a damaged or refused file, too little memory.
            Any other error passes unchanged.
    """
    try:
        with _weights_only():
            yield
    except CourseError:
        raise
    except Exception as error:
        message = explain(error, source)
        if message is None and (damaged := remove_damaged(source)):
            message = _was_damaged(source, damaged)
        if message is None:
            raise
        raise CourseError(message) from error
    if damaged := remove_damaged(source, CHECKED_ALWAYS):
        raise CourseError(_was_damaged(source, damaged))


def ask(source: Source) -> None:
    """Ask the hub about a repository of which the cache has nothing yet; to be called inside `fetching`.

    Without a network this fails at once; `transformers` and `datasets` try for half a minute.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415

    if not (source.folder / "snapshots").exists():
        HfApi().repo_info(source.repository, repo_type=source.kind, timeout=20)


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


class _Signs:
    """What an error and its causes show. The libraries wrap one another's errors, so the whole chain counts.

    Errors are known by their names: the classes move between versions of huggingface_hub (requests, httpx,
    httpx2). What is not in the cache either hides the hub's answer, so the innermost status counts.
    """

    def __init__(self, error: BaseException) -> None:
        chain = list(_causes(error))
        self.names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
        self.words = " ".join(str(cause) for cause in chain)
        responses = [getattr(cause, "response", None) for cause in chain]
        self.status = next((r.status_code for r in reversed(responses) if r is not None), None)
        self.errnos = {getattr(cause, "errno", None) for cause in chain}

    def any(self, *names: str) -> bool:
        return not self.names.isdisjoint(names)

    def say(self, *words: str) -> bool:
        return any(word in self.words for word in words)


def explain(error: BaseException, source: Source) -> str | None:
    """What happened and what to do, or None if it is nothing that the hub brings about."""
    signs = _Signs(error)
    for fits, message in _MESSAGES:
        if fits(signs, source):
            return message(signs, source)
    return None


def remove_damaged(source: Source, limit: float = float("inf")) -> list[str]:
    """Delete the cached files of a repository whose contents do not have the hash that names them.

    The hub names a large file by its SHA-256 and a small one by its git hash. Without this, a file that was
    damaged on disk would be found in the cache, and fail, every time.

    Args:
        limit: the size in bytes from which files are left unread.

    Returns:
        The first 12 characters of each deleted file's hash.
    """
    removed = []
    for blob in sorted((source.folder / "blobs").glob("*")):
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name) or blob.stat().st_size > limit:
            continue
        large = len(blob.name) == 64
        with blob.open("rb") as file:
            digest = hashlib.sha256() if large else hashlib.sha1(b"blob %d\0" % blob.stat().st_size)
            while chunk := file.read(2**20):
                digest.update(chunk)
        if digest.hexdigest() != blob.name:
            blob.unlink()
            removed.append(blob.name[:12])
    return removed


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


_MINI = 'or go on with scale="mini", which needs no network.'


def _offline(_: _Signs, source: Source) -> str:
    return (
        f"{source.repository} can't be had from this machine's cache alone, and HF_HUB_OFFLINE keeps the "
        f"course from the network: unset it and restart, {_MINI}"
    )


def _no_network(_: _Signs, source: Source) -> str:
    from huggingface_hub import constants  # noqa: PLC0415

    return (
        f"{source.repository} can't be fetched: {constants.ENDPOINT} doesn't answer. Check the connection "
        f"and the proxy, {_MINI}"
    )


def _gated(_: _Signs, source: Source) -> str:
    from huggingface_hub import get_token  # noqa: PLC0415

    page = source.entry.licence or f"https://huggingface.co/{source.repository}"
    token = "the token that was found has no access" if get_token() else "no HF_TOKEN was found"
    return (
        f"{source.repository} is for those who accepted its licence ({token}): accept it at {page}, make a "
        "token with read access at https://huggingface.co/settings/tokens, set it as HF_TOKEN and restart, "
        f"{_MINI}"
    )


def _gone(_: _Signs, source: Source) -> str:
    return (
        f"The {source.kind} {source.repository}, or a file of it, is not on the hub (any more): see whether "
        f"the course has an update, {_MINI}"
    )


def _other_status(signs: _Signs, source: Source) -> str:
    return f"The hub answered with status {signs.status} for {source.repository}: try again later, {_MINI}"


def _full_disk(_: _Signs, source: Source) -> str:
    return (
        f"The disk is full; {source.repository} was to go to {source.folder.parent}. Of the file that was "
        "being fetched nothing is left. Free some space, or set HF_HOME to a folder on a larger disk and "
        f"restart, {_MINI}"
    )


def _memory(_: _Signs, source: Source) -> str:
    return (
        f"There is too little memory for {source.repository}, which takes about "
        f"{source.entry.memory:.0f} GB to load. Take a larger machine, close other notebooks, {_MINI}"
    )


def _broken_off(_: _Signs, source: Source) -> str:
    return (
        f"The download of {source.repository} broke off before its end, several times; nothing half-written "
        f"is left. Try again, {_MINI}"
    )


def _damaged(_: _Signs, source: Source) -> str:
    if removed := remove_damaged(source):
        return _was_damaged(source, removed)
    return (
        f"A file of {source.repository} can't be read: it is damaged or cut off. Delete {source.folder} and "
        f"try again, {_MINI}"
    )


def _was_damaged(source: Source, removed: list[str]) -> str:
    what = "A file" if len(removed) == 1 else f"{len(removed)} files"
    return (
        f"{what} of {source.repository} had other contents than the checksum says ({', '.join(removed)}…) "
        "and had to be deleted. Try again: what is missing is fetched anew."
    )


def _refused(signs: _Signs, source: Source) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", signs.words)
    what = f" ({found[1]})" if found else ""
    return (
        f"The weight file of {source.repository} holds more than weights{what}: unpickling it could run "
        "somebody's code, so the course refused. If that is new, the file was tampered with: delete "
        f"{source.folder}, {_MINI}"
    )


# The first that fits. A status goes before "no network": what is not in the cache either is reported as such.
_MESSAGES: tuple[tuple[Callable[[_Signs, Source], bool], Callable[[_Signs, Source], str]], ...] = (
    (lambda s, _: s.any("OfflineModeIsEnabled") or s.say("OfflineModeIsEnabled"), _offline),
    (lambda s, to: s.any("GatedRepoError") or (bool(to.entry.licence) and s.status in (401, 403)), _gated),
    (lambda s, _: errno.ENOSPC in s.errnos or s.say("No space left"), _full_disk),
    (lambda s, _: s.any("MemoryError", "OutOfMemoryError"), _memory),
    (lambda s, _: s.any("UnpicklingError") and s.say("Unsupported"), _refused),
    (lambda s, _: s.any("RemoteProtocolError"), _broken_off),
    (
        lambda s, _: s.any("RepositoryNotFoundError", "DatasetNotFoundError") or s.status in (401, 403, 404),
        _gone,
    ),
    (lambda s, _: s.status is not None, _other_status),
    # What the readers of JSON, safetensors, zip, pickle and Parquet raise for a file that is not whole.
    (
        lambda s, _: (
            s.any(
                "BadZipFile",
                "EOFError",
                "JSONDecodeError",
                "SafetensorError",
                "UnpicklingError",
                "ArrowInvalid",
            )
            or s.say("Consistency check failed", "PytorchStreamReader")
            or errno.EINVAL in s.errnos  # PyTorch's, for a zip archive without its end
        ),
        _damaged,
    ),
    (
        lambda s, _: s.any(
            "ConnectError",
            "ConnectionError",
            "LocalEntryNotFoundError",
            "ProxyError",
            "TimeoutException",
            "TimeoutError",
        ),
        _no_network,
    ),
)
