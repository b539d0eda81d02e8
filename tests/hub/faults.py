"""The hub fails while something is fetched from it: each fault once, for ever, and the try after it."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

from scenes import cache_of, failing, forget, hub, replaced, scenario, with_token  # isort: skip

import huggingface_hub.file_download as downloads
import published as of
from huggingface_hub import constants
from loopback import Repository
from published import ATTN_SAE, OTHELLO, SMALL, TEXT_TOKENS

from sae_course.models import load_model, token_stream
from sae_course.training.published import published_sae

LIMIT = {"status": 429, "headers": {"Retry-After": "20"}}
HOUR = {"status": 429, "headers": {"ratelimit": '"api";r=0;t=3600'}}
BOTH_WAYS = (
    ("status", {"status": 500}, "status 500"),
    ("status", LIMIT, "rate limited"),
    ("cut", {}, "cut off"),
    ("stall", {}, "stalled"),
)


def load() -> Any:
    model = load_model("othello-gpt", "full")
    return float(sum(parameter.double().sum() for parameter in model.parameters()))


@contextmanager
def quick(kind: str, silence: float = 0.05) -> Iterator[None]:
    """A silence is noticed at once; what came before a fault is kept, as of a file of many megabytes."""
    with ExitStack() as stack:
        if kind == "stall":
            stack.enter_context(replaced(constants, "HF_HUB_DOWNLOAD_TIMEOUT", silence))
        stack.enter_context(replaced(constants, "DOWNLOAD_CHUNK_SIZE", 500))
        yield


def fetched() -> None:
    """A model of two files: a small one, and its weights."""
    forget(OTHELLO)
    scenario("nothing wrong", load)
    for kind, how, name in BOTH_WAYS:
        forget(OTHELLO)
        with failing(OTHELLO, kind, times=2, **how), quick(kind, silence=0.5):
            scenario(f"{name}, then served", load)
        forget(OTHELLO)
        with failing(OTHELLO, kind, **how), quick(kind):
            scenario(name, load)
        scenario(f"{name}, the next try", load)
    forget(OTHELLO)
    with failing(OTHELLO, "status", **HOUR):
        scenario("asked to wait an hour", load)
    with failing(OTHELLO, "checksum"):
        scenario("wrong checksum", load)
    scenario("wrong checksum, the next try", load)
    forget(OTHELLO)
    with_token("hf_expired")
    scenario("expired token", load)
    with_token(None)


def disk() -> None:
    """A disk that has room for the small file and not for the weights; then more."""
    forget(OTHELLO)
    with small_disk() as (kind, grow):
        scenario("full disk", load)
        grow()
        scenario("full disk, the next try", load)
    scenario("kind of full disk", lambda: kind)


@contextmanager
def small_disk() -> Iterator[tuple[str, Callable[[], object]]]:
    """A real one where this process may mount it, or else a download that stops as if there were no room."""
    place = cache_of(OTHELLO)
    place.mkdir(parents=True)

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    if mount("size=16k"):
        try:
            yield "real", lambda: mount("remount,size=8m")
        finally:
            subprocess.run(["umount", "-l", str(place)], check=False)
        return
    get = downloads.http_get

    def half(url: str, temp_file: Any, **how: Any) -> None:
        if how.get("expected_size", 0) < 16_000:
            return get(url, temp_file, **how)
        temp_file.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with ExitStack() as stack:
        stack.enter_context(replaced(downloads, "http_get", half))
        yield "imitated", stack.close


def streamed() -> None:
    """A dataset of two files: the first is read whole, and the second meets the fault."""
    parts = [of.tokens(n_rows, 24, 200).files["data/train-00000-of-00001.parquet"] for n_rows in (2010, 300)]
    names = ("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet")
    hub.repositories[TEXT_TOKENS] = Repository(
        {"README.md": b"---\n{}\n---\n"} | dict(zip(names, parts, strict=True))
    )
    whole = [row["tokens"] for row in stream().take(20)]
    for kind, how, name in BOTH_WAYS:
        with failing(TEXT_TOKENS, kind, **how), quick(kind):
            scenario(f"first row, {name}", stream)
        rows = stream()
        read = iter(rows)
        seen = [next(read)["tokens"] for _ in range(10)]
        state = rows.state_dict()
        with failing(TEXT_TOKENS, kind, **how), quick(kind, silence=0.02):
            scenario(f"rows, {name}", lambda read=read: next(read))
        again = stream()
        again.load_state_dict(state)
        scenario(
            f"rows, {name}, the next try",
            lambda again=again, seen=seen: seen + [row["tokens"] for row in islice(again, 10)] == whole,
        )


def stream() -> Any:
    return token_stream("attn-only-2l-demo", "full", n_ctx=16)


def saes() -> None:
    hub.repositories[ATTN_SAE] = of.attention_saes(SMALL)
    for kind, how, name in BOTH_WAYS:
        forget(ATTN_SAE)
        with failing(ATTN_SAE, kind, **how), quick(kind):
            scenario(f"SAE, {name}", lambda: published_sae("attn-only-2l", device="cpu").cfg.d_sae)
    scenario("SAE, the next try", lambda: published_sae("attn-only-2l", device="cpu").cfg.d_sae)


def all_faults() -> None:
    for part in (fetched, disk, streamed, saes):
        part()
