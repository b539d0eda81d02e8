"""Named random streams: data and model never share one, whatever the seed."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def stream_seed(name: str, seed: int) -> int:
    """A 63-bit seed for the stream ``name`` of run ``seed``; different names give unrelated seeds."""
    digest = hashlib.sha256(f"{name}/{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(name: str, seed: int | None = None, device: str | None = None) -> "torch.Generator":
    """A torch generator for one purpose.

    ``generator("data")`` and ``generator("sae")`` are independent even at the same ``seed``. Two streams
    that are *not* independent can fake a recovery: an SAE initialised from the stream that made the
    features starts as the answer (chapter 01 shows it).

    Args:
        name: what the stream is for, such as ``"data"``.
        seed: the run's seed; the session's when not given.
        device: the session's when not given.
    """
    import torch  # noqa: PLC0415 - the package's import stays instant

    from .session import current  # noqa: PLC0415

    session = current()
    stream = torch.Generator(device=device or session.device)
    stream.manual_seed(stream_seed(name, session.seed if seed is None else seed))
    return stream
