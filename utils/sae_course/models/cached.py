"""Without a hub: what its absence looks like, and the list of a repository's files from the cache."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .hub_messages import Signs


def out_of_reach(error: BaseException) -> bool:
    """Whether this error, or one behind it, says that the hub is not there; not that it refused."""
    signs = Signs(error)
    return signs.status is None and (signs.any("OfflineModeIsEnabled") or signs.unreachable)


@contextlib.contextmanager
def listing() -> Iterator[None]:
    """Where the hub is out of reach, the files of a model's repository are those that the cache has.

    TransformerLens asks which files there are before it reads the one that it wants, even if it is cached.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - it reads the environment when imported

    asks = HfApi.list_repo_files

    def list_repo_files(self: HfApi, repo_id: str, **options: Any) -> list[str]:
        try:
            return asks(self, repo_id, **options)
        except Exception as error:
            if not out_of_reach(error) or not (found := cached_files(repo_id)):
                raise
            return found

    HfApi.list_repo_files = list_repo_files  # type: ignore[method-assign]
    try:
        yield
    finally:
        HfApi.list_repo_files = asks  # type: ignore[method-assign]


def cached_files(repository: str) -> list[str]:
    """The files of a model's repository that are in the cache, in the version that was fetched last."""
    from huggingface_hub import constants  # noqa: PLC0415

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    try:
        snapshot = folder / "snapshots" / (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return []
    return sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())
