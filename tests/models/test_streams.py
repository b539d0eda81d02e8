"""Token streams: the rows they promise, from any place on, in the shape that SAELens reads."""

import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import NAMES, own_model, shipped, tiny_spec

from sae_course.data.othello.board import boards
from sae_course.data.stories.rows import rows
from sae_course.models import cards, load_model, streams, token_stream
from sae_course.runtime import CourseError

TEXT_NAMES = ("tiny-stories-1L-21M", "gemma-2-2b")


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny stand-ins and a model of one's own."""
    monkeypatch.setattr(cards, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "home"))
    for name in NAMES:
        shipped(tiny_spec(name), cards.SHIPPED)


def first(n: int, name: str, **how: Any) -> np.ndarray:
    return np.array([row["tokens"] for row in islice(token_stream(name, "mini", **how), n)])


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_stories_are_the_rows_of_the_stories(name: str) -> None:
    # 300 rows: over the end of a block.
    assert (first(300, name, seed=3) == rows(300, 32, seed=3)).all()
    assert (first(9, name, split="test") == rows(9, 32, split="test")).all()
    assert (first(9, name, register="notices") == rows(9, 32, register="notices")).all()
    assert (first(9, name, n_ctx=20) == rows(9, 20)).all()


def test_every_fourth_row_of_the_attention_only_model_is_a_drill() -> None:
    found, told = first(300, "attn-only-2l-demo"), rows(300, 32)
    is_drill = np.arange(300) % 4 == 3
    assert (found[~is_drill] == told[~is_drill]).all()
    for row in found[is_drill]:
        assert row[0] == 1
        assert any((row[period + 1 :] == row[1:-period]).all() for period in range(8, 17))
    assert len(np.unique(found[is_drill], axis=0)) == is_drill.sum()


def test_games_are_whole_and_legal() -> None:
    found = first(600, "othello-gpt")  # about six of 600 games end before their sixtieth move
    assert found.shape == (600, 59)
    assert found.min() >= 1
    assert not boards(found).over.any()  # the sixtieth move is still to come; an illegal game would raise
    assert (first(20, "othello-gpt", n_ctx=30) == found[:20, :30]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_is_made_again_by_its_arguments_alone(name: str) -> None:
    once = first(20, name, seed=1)
    assert (once == first(20, name, seed=1)).all()
    for other in (first(20, name, seed=2), first(20, name, seed=1, split="test")):
        assert not {row.tobytes() for row in once} & {row.tobytes() for row in other}


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_goes_on_from_any_row(name: str) -> None:
    stream = token_stream(name, "mini")
    whole = [row["tokens"] for row in islice(stream, 320)]
    assert [row["tokens"] for row in islice(stream.skip(300), 20)] == whole[300:]
    reader = iter(stream)
    for _ in range(300):
        next(reader)
    state = stream.state_dict()
    later = token_stream(name, "mini")
    later.load_state_dict(state)
    assert [row["tokens"] for row in islice(later, 20)] == whole[300:]


def test_going_on_makes_only_the_rows_of_one_shard_again() -> None:
    made = []

    def block(number: int) -> np.ndarray:
        made.append(number)
        return np.full((4, 3), number)

    stream = streams._generated(block, 3, "train")
    shard = 4 * streams.BLOCKS  # rows
    for _ in islice(stream, 10 * shard + 5):
        pass
    state = stream.state_dict()
    made.clear()
    later = streams._generated(block, 3, "train")
    later.load_state_dict(state)
    start = 10 * streams.BLOCKS
    assert [row["tokens"][0] for row in islice(later, 4)] == [start + 1] * 3 + [start + 2]
    assert made == [start, start + 1, start + 2]


def test_own_text_is_read_over_and_over_in_a_new_order() -> None:
    own = own_model("mine", cards.own_models())
    epochs = first(15, "mine").reshape(3, 5, 32)
    for epoch in epochs:
        assert sorted(map(tuple, epoch)) == sorted(map(tuple, own.train))
    assert len({epoch.tobytes() for epoch in epochs}) > 1
    assert sorted(map(tuple, first(2, "mine", split="test"))) == sorted(map(tuple, own.held_out))
    assert first(2, "mine", n_ctx=9).shape == (2, 9)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: token_stream("tiny-stories-1L-21M", "mini", split="validation"), 'no split "validation"'),
        (lambda: first(1, "tiny-stories-1L-21M", register="poems"), 'no register "poems"'),
        (lambda: token_stream("othello-gpt", "mini", register="notices"), "only the mini stories have"),
        (lambda: token_stream("gemma-2-2b", "full", register="notices"), "at full scale"),
        (lambda: token_stream("gemma-2-2b", "mini", n_ctx=33), "reads 2 to 32 tokens at once; n_ctx is 33"),
        (lambda: token_stream("gemma-2-2b", "mini", n_ctx=1), "reads 2 to 32"),
        (lambda: token_stream("gemma-2b", "mini"), "did you mean gemma-2-2b"),
    ],
)
def test_what_is_not_there_is_said(ask: Callable[[], object], words: str) -> None:
    with pytest.raises(CourseError, match=words):
        ask()


@pytest.mark.parametrize(
    ("name", "hook", "seqpos"),
    [
        ("tiny-stories-1L-21M", "blocks.0.hook_mlp_out", (None,)),
        ("attn-only-2l-demo", "blocks.1.hook_attn_out", (None,)),
        ("othello-gpt", "blocks.1.hook_resid_post", (5, -5)),
    ],
)
def test_saelens_trains_on_it(name: str, hook: str, seqpos: tuple[int | None, ...], tmp_path: Path) -> None:
    from sae_lens import LanguageModelSAERunnerConfig as Config  # noqa: PLC0415 - seconds
    from sae_lens import LanguageModelSAETrainingRunner as Runner  # noqa: PLC0415
    from sae_lens import LoggingConfig, StandardTrainingSAEConfig  # noqa: PLC0415

    model = load_model(name, "mini", quiet=True)
    n_ctx = model.cfg.n_ctx
    config = Config(
        sae=StandardTrainingSAEConfig(d_in=32, d_sae=64),
        model_name=name,
        hook_name=hook,
        context_size=n_ctx,
        seqpos_slice=seqpos,
        prepend_bos=name != "othello-gpt",
        training_tokens=20 * 64,
        train_batch_size_tokens=64,
        store_batch_size_prompts=4,
        n_batches_in_buffer=4,
        n_checkpoints=0,
        device="cpu",
        logger=LoggingConfig(log_to_wandb=False),
        output_path=str(tmp_path / "output"),
        checkpoint_path=str(tmp_path / "checkpoints"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # "not tokenized", "context size", …
        warnings.simplefilter("error", RuntimeWarning)
        runner = Runner(config, override_model=model, override_dataset=token_stream(name, "mini"))
        store = runner.activations_store
        assert store.is_dataset_tokenized
        assert store.tokens_column == "tokens"
        batch = store.get_batch_tokens(3)
        sae = runner.run()
    assert (batch.numpy() == first(3, name)).all()
    assert sae.W_dec.isfinite().all()
