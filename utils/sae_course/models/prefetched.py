"""Rows of published tokens that were fetched before (`sae-course prefetch`), for where there is no hub.

Of each dataset a folder in ``home()/prefetched``: Parquet files with so many rows each, in the dataset's
order, and an index, which is written anew after each of them.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError, home, read_json, write_json
from .cached import out_of_reach
from .names import Entry

if TYPE_CHECKING:
    from datasets import IterableDataset

FOLDER, INDEX, COLUMN = "prefetched", "index.json", "tokens"


@dataclass(frozen=True)
class Kept:
    """The rows of one dataset that are here."""

    repository: str
    revision: str
    """Of the repository: its commit."""
    n_ctx: int
    """Tokens that were kept of each row."""
    parts: tuple[tuple[str, int], ...] = ()
    """Each file and its rows."""
    whole: bool = False
    """Whether the dataset has no more."""
    position: dict[str, Any] | None = None
    """Of the stream behind the last row, to go on from (`datasets.IterableDataset.state_dict`)."""

    @property
    def rows(self) -> int:
        return sum(count for _, count in self.parts)

    def write(self) -> None:
        """Make this what the index says."""
        write_json(folder_of(self.repository) / INDEX, asdict(self))

    def stream(self) -> "IterableDataset":
        """The rows, in their order, in one column. Behind the last one a CourseError, unless that is all."""
        from datasets import Features, IterableDataset, List, NamedSplit, Value  # noqa: PLC0415 - a second

        ends = [] if self.whole else [""]
        parts = [str(folder_of(self.repository) / name) for name, _ in self.parts]
        message = (
            f"{self.rows:,} rows of {self.repository} were prefetched, and that was the last: there are no "
            "more without a network. Fetch more where there is one (sae-course prefetch CHAPTER --rows N), "
            "or train on fewer tokens."
        )

        def rows(parts: list[str]) -> Iterator[dict[str, Any]]:
            # It comes with `datasets`.
            import pyarrow.parquet  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

            for part in parts:
                if not part:
                    raise CourseError(message)
                for batch in pyarrow.parquet.ParquetFile(part).iter_batches(1_000, columns=[COLUMN]):
                    for row in batch.column(0).to_pylist():
                        yield {COLUMN: row}

        return IterableDataset.from_generator(
            rows,
            features=Features({COLUMN: List(Value("int64"))}),
            gen_kwargs={"parts": [*parts, *ends]},
            split=NamedSplit("train"),
        )


def folder_of(repository: str) -> Path:
    """Where the rows of a dataset are kept; it need not exist."""
    return home() / FOLDER / repository.replace("/", "--")


def kept_rows(repository: str) -> Kept | None:
    """What is here of a dataset; None if nothing is.

    Raises:
        CourseError: for an index that can't be read, or that names a file which isn't there.
    """
    path = folder_of(repository) / INDEX
    try:
        found = read_json(path)
        kept = Kept(**(found | {"parts": tuple((str(name), int(n)) for name, n in found["parts"])}))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise CourseError(f"{path} is no index of prefetched rows. {_again(path)}") from error
    for name, _ in kept.parts:
        if not (path.parent / name).exists():
            raise CourseError(f"{path.parent / name} is missing. {_again(path)}")
    return kept


def _again(path: Path) -> str:
    return f"Delete {path.parent}, and fetch the rows again: sae-course prefetch."


def stream_without_hub(wanted: Entry) -> "IterableDataset | None":
    """The prefetched rows of a model's dataset where the hub is out of reach; None where it answers, or
    where there are none."""
    assert wanted.dataset is not None
    kept = kept_rows(wanted.dataset.repository)
    return kept.stream() if kept is not None and kept.parts and _no_hub(wanted.dataset.repository) else None


def _no_hub(repository: str) -> bool:
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - it reads the environment when imported

    if constants.HF_HUB_OFFLINE:
        return True
    try:
        HfApi().repo_info(repository, repo_type="dataset", timeout=20)
    except Exception as error:  # noqa: BLE001 - whatever else it is, reading the stream will say
        return out_of_reach(error)
    return False
