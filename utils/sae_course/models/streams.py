"""The tokens that go with a model, as an endless Hugging Face dataset."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..runtime import CourseError, current
from ..runtime.streams import stream_seed
from .batches import DRILL_EVERY, drills
from .hub import Source, ask, fetching
from .load import mini_card
from .names import SMOKE_TOKENS, Entry, choose_scale, entry, files
from .specs import ModelSpec

if TYPE_CHECKING:
    from datasets import IterableDataset

SHARDS, BLOCKS = 2**12, 8
"""Of a generated stream, and blocks of rows in each: 2 billion tokens of stories, and more of games."""
_ROWS = 256  # in a block of stories; a multiple of the stories' own blocks
HELD_OUT = 2_000
"""Rows at the beginning of a published dataset's training split that are the test split here."""
_MIXED = 1_000  # rows that a shuffled published stream holds in memory

Block = Callable[[int], np.ndarray]


def token_stream(
    name: str,
    scale: str | None = None,
    *,
    split: str = "train",
    seed: int = 0,
    register: str = "stories",
    n_ctx: int | None = None,
) -> "IterableDataset":
    """Rows of tokens of the kind that ``name`` was trained on: one column, ``tokens``, all of one length.

    What SAELens takes as ``override_dataset``: it finds the column and does no tokenising of its own. A row
    of text begins with BOS, an Othello game with its first move.

    ========  =====================================================================================
    mini      stories, made as they are read; ``attn-only-2l-demo`` reads a drill (random words,
              repeated) in every fourth row, as it did in training; 60-move games of Othello without
              their last move; a text of your own, over and over, each time in another order
    full      the published, tokenised dataset, streamed. Its first 2,000 rows are the test split.
    ========  =====================================================================================

    Row i depends on its number, the split, the seed and the register alone; ``.skip(n)`` and
    ``.state_dict()`` go on from any row.

    Args:
        split: ``train`` or ``test``; they share no row.
        seed: another gives other rows; published rows come in their order at seed 0, otherwise mixed.
        register: of the stories, ``stories`` or ``notices``: the same words, another kind of text.
        n_ctx: tokens per row; the model's context (at full scale: the published run's) when not given.

    Raises:
        CourseError: for an unknown name, scale, split or register, rows longer than the model reads, and
            whatever can go wrong with the hub (see `hub.fetching`).
    """
    wanted = entry(name)
    chosen = choose_scale(wanted, scale)
    if split not in ("train", "test"):
        raise CourseError(f'There is no split "{split}": use "train" or "test".')
    if register != "stories" and (wanted.data != "stories" or chosen == "full"):
        raise CourseError(
            f'{name} has no register "{register}" at {chosen} scale: only the mini stories have.'
        )
    if chosen == "full":
        return _published(wanted, split, seed, n_ctx)
    spec = mini_card(wanted).spec
    length = _length(spec, n_ctx)
    if wanted.data == "othello":
        block: Block = partial(_games, seed, split, length)
    elif wanted.own:
        block = partial(_shuffled, _text_rows(wanted, split, length), seed)
    else:
        block = partial(_stories, spec, (seed, split, register), length)
    return _generated(block, length, split)


def _length(spec: ModelSpec, n_ctx: int | None) -> int:
    if n_ctx is None:
        return spec.n_ctx
    if not 2 <= n_ctx <= spec.n_ctx:
        raise CourseError(f"{spec.name} reads 2 to {spec.n_ctx} tokens at once; n_ctx is {n_ctx}.")
    return n_ctx


def _generated(block: Block, n_ctx: int, split: str) -> "IterableDataset":
    """An IterableDataset of blocks in shards: to go on from a state, it makes the rows of one shard again."""
    from datasets import Features, IterableDataset, List, NamedSplit, Value  # noqa: PLC0415 - a second

    def rows(shards: list[int]) -> Iterator[dict[str, Any]]:
        for shard in shards:
            for number in range(shard * BLOCKS, (shard + 1) * BLOCKS):
                for row in block(number).tolist():
                    yield {"tokens": row}

    features = Features({"tokens": List(Value("int64"), length=n_ctx)})
    return IterableDataset.from_generator(
        rows, features=features, gen_kwargs={"shards": list(range(SHARDS))}, split=NamedSplit(split)
    )


def _stories(spec: ModelSpec, which: tuple[int, str, str], n_ctx: int, number: int) -> np.ndarray:
    from ..data.stories.rows import rows  # noqa: PLC0415

    seed, split, register = which
    tokens = rows(_ROWS, n_ctx, seed=seed, split=split, register=register, start=number * _ROWS)
    if spec.data == "stories and drills":
        stream = np.random.Generator(np.random.PCG64(stream_seed(f"stream drills/{split}/{number}", seed)))
        last = slice(DRILL_EVERY - 1, None, DRILL_EVERY)
        tokens[last] = drills(len(tokens[last]), n_ctx, spec.d_vocab, stream)
    return tokens


def _games(seed: int, split: str, n_ctx: int, number: int) -> np.ndarray:
    from ..data.othello.games import FULL_PER_BLOCK, full_games  # noqa: PLC0415

    return full_games(FULL_PER_BLOCK, seed, split, start=number * FULL_PER_BLOCK).tokens[:, :n_ctx]


def _shuffled(rows: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    stream = np.random.Generator(np.random.PCG64(stream_seed(f"text stream/{epoch}", seed)))
    return rows[stream.permutation(len(rows))]


def _text_rows(wanted: Entry, split: str, n_ctx: int) -> np.ndarray:
    from .own_text import OwnText  # noqa: PLC0415

    own = OwnText.read(wanted.name, files(wanted).weights.parent)
    return (own.train if split == "train" else own.held_out)[:, :n_ctx]


def _usual_length(wanted: Entry) -> int:
    assert wanted.dataset is not None
    whole = wanted.dataset.n_ctx
    return min(whole, SMOKE_TOKENS) if current().smoke and wanted.data != "othello" else whole


def _published(wanted: Entry, split: str, seed: int, n_ctx: int | None) -> "IterableDataset":
    from datasets import load_dataset  # noqa: PLC0415 - a second

    from .hub_rows import few_retries, hub_rows  # noqa: PLC0415
    from .prefetched import stream_without_hub  # noqa: PLC0415

    assert wanted.dataset is not None
    length = n_ctx or _usual_length(wanted)
    source = Source(wanted, "dataset")
    with fetching(source), few_retries():
        stream = stream_without_hub(wanted)
        if stream is None:
            ask(source)
            stream = load_dataset(wanted.dataset.repository, split="train", streaming=True)
        first = next(iter(stream))
    column = next((name for name in ("tokens", "input_ids") if name in first), None)
    if column is None:
        raise CourseError(
            f"{wanted.dataset.repository} was changed: it has the columns {', '.join(first)}, none of tokens."
        )
    if not 2 <= length <= len(first[column]):
        raise CourseError(
            f"The rows of {wanted.dataset.repository} have {len(first[column])} tokens; n_ctx is {length}."
        )
    stream = hub_rows(stream, source)
    stream = stream.take(HELD_OUT) if split == "test" else stream.skip(HELD_OUT)
    if seed:
        stream = stream.shuffle(seed=seed, buffer_size=_MIXED)

    def cut(row: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": row[column][:length]}

    return stream.map(cut, remove_columns=list(first))
