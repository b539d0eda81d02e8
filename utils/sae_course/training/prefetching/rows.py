"""The first rows of a published dataset, kept as Parquet files."""

from typing import Any

from ...models.hub import ask, fetching
from ...models.prefetched import COLUMN, Kept, folder_of
from ...runtime import CourseError
from ...runtime.writing import replacing
from .wanted import Rows

PART = 10_000
"""Rows of a file: so many at most are fetched twice where it was interrupted."""


def fetch_rows(wanted: Rows) -> Kept:
    """Fetch the rows that are missing, in the dataset's order, file by file; shows a bar.

    Interrupted, it goes on behind the last file, in the same version of the dataset.

    Raises:
        CourseError: whatever can go wrong with the hub (see `models.hub.fetching`) or the disk, and for a
            dataset without a column of tokens.
    """
    from datasets import load_dataset  # noqa: PLC0415 - a second
    from tqdm import tqdm  # noqa: PLC0415

    source = wanted.source
    assert wanted.entry.dataset is not None
    with fetching(source):
        kept = wanted.kept or _begin(wanted)
        if kept.whole or kept.rows >= wanted.rows:
            return kept
        ask(source)
        stream = load_dataset(source.repository, split="train", streaming=True, revision=kept.revision)
        if kept.position is not None:
            stream.load_state_dict(kept.position)
        held: list[list[int]] = []
        with tqdm(total=wanted.rows, initial=kept.rows, unit="row", unit_scale=True) as bar:
            for row in stream:
                column = next((name for name in ("tokens", "input_ids") if name in row), None)
                if column is None:
                    raise CourseError(
                        f"{source.repository} was changed: it has the columns {', '.join(row)}, none of "
                        "tokens."
                    )
                held.append(row[column][: kept.n_ctx])
                bar.update()
                if len(held) == PART or kept.rows + len(held) == wanted.rows:
                    kept, held = _add(kept, held, wanted, stream.state_dict()), []
                    if kept.rows >= wanted.rows:
                        return kept
    return _add(kept, held, wanted, None)


def _begin(wanted: Rows) -> Kept:
    from huggingface_hub import HfApi  # noqa: PLC0415 - it reads the environment when imported

    assert wanted.entry.dataset is not None
    info = HfApi().dataset_info(wanted.source.repository, timeout=20)
    return Kept(wanted.source.repository, str(info.sha), wanted.entry.dataset.n_ctx)


def _add(kept: Kept, rows: list[list[int]], wanted: Rows, position: dict[str, Any] | None) -> Kept:
    """One file more, and then the index. ``position`` None: the dataset has no more."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415
    import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    parts = kept.parts
    width = {1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32()}[wanted.width]
    if rows:
        name = f"rows-{kept.rows:08}.parquet"
        try:
            table = pa.table({COLUMN: pa.array(rows, type=pa.list_(width))})
        except (pa.ArrowInvalid, OverflowError) as error:
            raise CourseError(
                f"{kept.repository} has tokens that {wanted.entry.name} doesn't know ({error}): see whether "
                "the course has an update."
            ) from error
        with replacing(folder_of(kept.repository) / name) as path:
            pq.write_table(table, path, compression="zstd")
        parts = (*parts, (name, len(rows)))
    added = Kept(kept.repository, kept.revision, kept.n_ctx, parts, position is None, position)
    added.write()
    return added
