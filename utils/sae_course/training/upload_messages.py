"""What went wrong with an upload, and what to do about it."""

from collections.abc import Callable

from ..models.hub_client import LONGEST
from ..models.hub_messages import TOKENS, Signs, patience

_MAKE = f"make one with write access at {TOKENS}, set it as HF_TOKEN (or run hf auth login), and start again."
NO_TOKEN = "To upload to {repository} the hub wants a token, and none was found: " + _MAKE
READ_ONLY = "The token that was found may only read, and so can't upload to {repository}: " + _MAKE


def explain(error: BaseException, repository: str) -> str | None:
    """What happened and what to do, or None if it is nothing that the hub brings about."""
    signs = Signs(error)
    for fits, message in _MESSAGES:
        if fits(signs):
            return message(signs, repository)
    return None


_AGAIN = "the same command goes on, and files that arrived are not sent again."


def _nothing(signs: Signs) -> str:
    """What others see now. The last step's answer can be lost after it was done."""
    if signs.status is None and any("/commit/" in asked for asked in signs.requests):
        return "Whether the last step, which makes all files visible at once, was done is not known"
    return "Nothing of the run is visible on the hub"


def _offline(_: Signs, repository: str) -> str:
    return (
        f"HF_HUB_OFFLINE keeps the course from the network, and so from {repository}: unset it and restart."
    )


def _rate_limited(signs: Signs, repository: str) -> str:
    asked, later = patience(signs)
    return (
        f"The hub has had too many requests (status 429) and asks to wait{asked} before the upload to "
        f"{repository} goes on; the course waits {LONGEST:.0f} s in all. {_nothing(signs)}. "
        f"In {later}, {_AGAIN}"
    )


def _wrong_token(_: Signs, repository: str) -> str:
    return (
        f"The hub doesn't know the token that was found (for {repository}): it has expired, was revoked, or "
        f"was not copied whole; {_MAKE}"
    )


def _not_allowed(signs: Signs, repository: str) -> str:
    return (
        f"The token that was found may not write to {repository} (status {signs.status}): see that its owner "
        f"is you or an organisation that you may write to; where it is, {_MAKE}"
    )


def _gone(_: Signs, repository: str) -> str:
    return (
        f"{repository} is not on the hub, or the token that was found can't see it: see that its name is "
        "right."
    )


def _too_large(signs: Signs, repository: str) -> str:
    return (
        f"The hub refused the upload to {repository} because of its size (status {signs.status}): too "
        f"large a file, or no room left for private files. {_nothing(signs)}. Upload a smaller SAE, make "
        "room at https://huggingface.co/settings/billing, or use --public."
    )


def _conflict(signs: Signs, repository: str) -> str:
    return (
        f"Something else is changing {repository} at this moment (status {signs.status}). {_nothing(signs)}. "
        f"In a minute, {_AGAIN}"
    )


def _other_status(signs: Signs, repository: str) -> str:
    again = ", and again when it was asked again" if (signs.status or 0) >= 500 else ""
    return (
        f"The hub answered with status {signs.status} to the upload to {repository}{again}. "
        f"{_nothing(signs)}. Try later: {_AGAIN}"
    )


def _broken_off(signs: Signs, repository: str) -> str:
    return (
        f"The connection broke off during the upload to {repository}. {_nothing(signs)}. Try again: {_AGAIN}"
    )


def _stalled(signs: Signs, repository: str) -> str:
    return f"The hub went silent during the upload to {repository}. {_nothing(signs)}. Try again: {_AGAIN}"


def _no_network(_: Signs, repository: str) -> str:
    from huggingface_hub import constants  # noqa: PLC0415

    return (
        f"{constants.ENDPOINT} doesn't answer, so nothing can be uploaded to {repository}. Check the "
        "connection and the proxy, then give the same command again."
    )


def _full_disk(_: Signs, repository: str) -> str:
    return (
        f"The disk is full: what goes to {repository} is put together in the folder for temporary files "
        "first. Nothing was sent. Free some space, or set TMPDIR to a folder on a larger disk."
    )


# The first that fits.
_MESSAGES: tuple[tuple[Callable[[Signs], bool], Callable[[Signs, str], str]], ...] = (
    (lambda s: s.any("OfflineModeIsEnabled"), _offline),
    (lambda s: s.rate_limited, _rate_limited),
    (lambda s: s.wrong_token or s.status == 401, _wrong_token),
    (lambda s: s.status == 403, _not_allowed),
    (lambda s: s.status == 404, _gone),
    (lambda s: s.status in (402, 413, 507), _too_large),
    (lambda s: s.status in (409, 412), _conflict),
    (lambda s: s.status is not None, _other_status),
    (lambda s: s.full_disk, _full_disk),
    (lambda s: s.cut, _broken_off),
    (lambda s: s.silent, _stalled),
    (lambda s: s.unreachable, _no_network),
)
