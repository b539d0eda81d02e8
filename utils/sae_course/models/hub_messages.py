"""What went wrong with the hub, from the error that a library raised, and what to do about it."""

import errno
import re
from collections.abc import Callable, Iterator

from .hub_cache import Source, remove_damaged
from .hub_client import LONGEST, RateLimited


class Signs:
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
        # hf_xet, which fetches and sends most large files, says all of it in the words of a RuntimeError.
        self.xet = self.say("CAS Client Error", "File reconstruction error")
        if self.xet and (found := re.search(r"HTTP status \w+ error \((\d{3})", self.words)):
            self.status = int(found[1])
        self.errnos = {getattr(cause, "errno", None) for cause in chain}
        self.asked = next((cause.asked for cause in chain if isinstance(cause, RateLimited)), None)
        """Seconds that the hub asks to wait for, where that is too long."""
        self.requests = [asked for cause in chain if (asked := _request(cause))]
        """Method and address of those that were not answered: ``GET http://…``."""

    def any(self, *names: str) -> bool:
        return not self.names.isdisjoint(names)

    def say(self, *words: str) -> bool:
        return any(word in self.words for word in words)

    @property
    def full_disk(self) -> bool:
        full = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
        return not full.isdisjoint(self.errnos) or self.say("No space left", "quota exceeded")

    @property
    def cut(self) -> bool:
        """The connection, in the middle of an answer or of what was being sent."""
        broken = self.any("RemoteProtocolError", "ReadError", "WriteError", "ConnectionResetError")
        return broken or (self.xet and self.status is None and not self.unreachable)

    @property
    def rate_limited(self) -> bool:
        return self.asked is not None or self.status == 429

    @property
    def silent(self) -> bool:
        """A request was begun and then nothing came any more."""
        return self.any("ReadTimeout", "WriteTimeout")

    @property
    def unreachable(self) -> bool:
        return (self.xet and self.say("error sending request")) or self.any(
            "ConnectError",
            "ConnectionError",
            "LocalEntryNotFoundError",
            "ProxyError",
            "TimeoutException",
            "TimeoutError",
        )

    @property
    def wrong_token(self) -> bool:
        """The hub refuses it for every repository, even a public one."""
        return self.status == 401 and self.say("Invalid credentials", "Invalid user token")


def explain(error: BaseException, source: Source) -> str | None:
    """What happened and what to do, or None if it is nothing that the hub brings about."""
    signs = Signs(error)
    for fits, message in _MESSAGES:
        if fits(signs, source):
            return message(signs, source)
    return None


def duration(seconds: float) -> str:
    """``90 s``, ``2 minutes``, ``1 hour``: never less than it is."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    unit, name = (3600, "hour") if seconds >= 3600 else (60, "minute")
    count = -(-seconds // unit)
    return f"{count:.0f} {name}{'s' * (count > 1)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _request(error: BaseException) -> str | None:
    try:
        request = error.request  # type: ignore[attr-defined]
        return f"{request.method} {request.url}"
    except (AttributeError, RuntimeError):  # httpx raises the second where there was none
        return None


_MINI = 'or go on with scale="mini", which needs no network.'
TOKENS = "https://huggingface.co/settings/tokens"
"""The page on which a token is made."""


def _kept(source: Source) -> str:
    """What the next try begins with. Of a file that broke off, huggingface_hub keeps nothing."""
    if source.kind == "dataset":
        return "A training that read from it goes on from its last checkpoint with the same command"
    return (
        "Nothing half-written is left; files that had arrived whole are kept, and the next try goes on with "
        "those that are missing"
    )


def _offline(_: Signs, source: Source) -> str:
    return (
        f"{source.repository} can't be had from this machine's cache alone, and HF_HUB_OFFLINE keeps the "
        f"course from the network: unset it and restart, {_MINI}"
    )


def _no_network(_: Signs, source: Source) -> str:
    from huggingface_hub import constants  # noqa: PLC0415

    return (
        f"{source.repository} can't be fetched: {constants.ENDPOINT} doesn't answer. Check the connection "
        f"and the proxy, {_MINI}"
    )


def patience(signs: Signs) -> tuple[str, str]:
    """How long the hub asks to wait for, and when to try again."""
    if signs.asked is None:
        return "", "a few minutes"
    asked = duration(signs.asked)
    return f" for {asked}", asked


def _rate_limited(signs: Signs, source: Source) -> str:
    asked, later = patience(signs)
    return (
        f"The hub has had too many requests from here (status 429) and asks to wait{asked} before "
        f"{source.repository}; the course waits {LONGEST:.0f} s in all. {_kept(source)}. Try again in "
        f"{later}, set HF_TOKEN to a token from {TOKENS}, with which more is allowed, {_MINI}"
    )


def _gated(_: Signs, source: Source) -> str:
    from huggingface_hub import get_token  # noqa: PLC0415

    page = source.entry.licence or f"https://huggingface.co/{source.repository}"
    token = "the token that was found has no access" if get_token() else "no HF_TOKEN was found"
    return (
        f"{source.repository} is for those who accepted its licence ({token}): accept it at {page}, make a "
        f"token with read access at {TOKENS}, set it as HF_TOKEN and restart, {_MINI}"
    )


def _wrong_token(_: Signs, source: Source) -> str:
    return (
        f"The hub doesn't know the token that was found, and with it refuses even what is public, such as "
        f"{source.repository}: it has expired, was revoked, or was not copied whole. Unset HF_TOKEN (or hf "
        f"auth logout), or make a new one at {TOKENS}, and restart, {_MINI}"
    )


def _gone(_: Signs, source: Source) -> str:
    return (
        f"The {source.kind} {source.repository}, or a file of it, is not on the hub (any more): see whether "
        f"the course has an update, {_MINI}"
    )


def _other_status(signs: Signs, source: Source) -> str:
    again = ", and again when it was asked again" if (signs.status or 0) >= 500 else ""
    return (
        f"The hub answered with status {signs.status} for {source.repository}{again}. {_kept(source)}. "
        f"Try again later, {_MINI}"
    )


def _full_disk(_: Signs, source: Source) -> str:
    return (
        f"The disk is full; {source.repository} was to go to {source.folder.parent}. {_kept(source)}. "
        f"Free some space, or set HF_HOME to a folder on a larger disk and restart, {_MINI}"
    )


def _memory(_: Signs, source: Source) -> str:
    return (
        f"There is too little memory for {source.repository}, which takes about "
        f"{source.entry.memory:.0f} GB to load. Take a larger machine, close other notebooks, {_MINI}"
    )


def _broken_off(_: Signs, source: Source) -> str:
    return (
        f"The download of {source.repository} broke off before its end. {_kept(source)}. Try again, {_MINI}"
    )


def _stalled(_: Signs, source: Source) -> str:
    return (
        f"The hub stopped sending {source.repository} before its end, and the connection stayed silent. "
        f"{_kept(source)}. Try again, {_MINI}"
    )


def _damaged(_: Signs, source: Source) -> str:
    if removed := remove_damaged(source):
        return was_damaged(source, removed)
    return (
        f"A file of {source.repository} can't be read: it is damaged or cut off. Delete {source.folder} and "
        f"try again, {_MINI}"
    )


def was_damaged(source: Source, removed: list[str]) -> str:
    """About files that `remove_damaged` removed."""
    what = "A file" if len(removed) == 1 else f"{len(removed)} files"
    return (
        f"{what} of {source.repository} had other contents than the checksum says ({', '.join(removed)}…) "
        "and had to be deleted. Try again: what is missing is fetched anew. If it happens again, something "
        f"between the hub and this machine changes what it sends: try another network, {_MINI}"
    )


def _refused(signs: Signs, source: Source) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", signs.words)
    what = f" ({found[1]})" if found else ""
    return (
        f"The weight file of {source.repository} holds more than weights{what}: unpickling it could run "
        "somebody's code, so the course refused. If that is new, the file was tampered with: delete "
        f"{source.folder}, {_MINI}"
    )


def _unreadable(signs: Signs) -> bool:
    """What the readers of JSON, safetensors, zip, pickle and Parquet raise for a file that is not whole."""
    return (
        signs.any(
            "BadZipFile", "EOFError", "JSONDecodeError", "SafetensorError", "UnpicklingError", "ArrowInvalid"
        )
        or signs.say("Consistency check failed", "PytorchStreamReader")
        or errno.EINVAL in signs.errnos  # PyTorch's, for a zip archive without its end
    )


def _in_a_file(signs: Signs) -> bool:
    """Whether what went silent was a file, and not a question about one."""
    return any(asked.startswith("GET") and "/api/" not in asked for asked in signs.requests)


# The first that fits. A status goes before "no network": what is not in the cache either is reported as such.
_MESSAGES: tuple[tuple[Callable[[Signs, Source], bool], Callable[[Signs, Source], str]], ...] = (
    (lambda s, _: s.any("OfflineModeIsEnabled") or s.say("OfflineModeIsEnabled"), _offline),
    (lambda s, _: s.rate_limited, _rate_limited),
    (lambda s, _: s.wrong_token, _wrong_token),
    (lambda s, to: s.any("GatedRepoError") or (bool(to.entry.licence) and s.status in (401, 403)), _gated),
    (lambda s, _: s.full_disk, _full_disk),
    (lambda s, _: s.any("MemoryError", "OutOfMemoryError"), _memory),
    (lambda s, _: s.any("UnpicklingError") and s.say("Unsupported"), _refused),
    (lambda s, _: s.cut, _broken_off),
    (lambda s, _: s.silent and _in_a_file(s), _stalled),
    (
        lambda s, _: s.any("RepositoryNotFoundError", "DatasetNotFoundError") or s.status in (401, 403, 404),
        _gone,
    ),
    (lambda s, _: s.status is not None, _other_status),
    (lambda s, _: _unreadable(s), _damaged),
    (lambda s, _: s.unreachable, _no_network),
)
