"""What is read at step i depends on i alone; soft targets are the average of hard ones."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from trainees import PLAIN, rows, training

from sae_course.models.batches import DRILL_EVERY, DRILLS_FIRST, Batch, batches, drills
from sae_course.models.specs import mini_specs
from sae_course.runtime import CourseError


def test_a_distribution_has_the_gradient_of_the_hard_losses_on_average():
    stream = torch.Generator().manual_seed(0)
    legal = torch.rand(2, 5, 7, generator=stream) < 0.5
    legal[..., 0] = True
    legal[1, 4] = False  # a game that is over: nothing is asked
    chances = legal / legal.sum(-1, keepdim=True).clamp(min=1)
    logits = torch.randn(2, 5, 7, generator=stream, requires_grad=True)
    Batch(torch.zeros(2, 5, dtype=torch.long), chances).loss(logits).backward()
    soft = logits.grad.clone()

    logits.grad = None
    asked = [(b, p) for b in range(2) for p in range(5) if legal[b, p].any()]
    for b, p in asked:
        for move in legal[b, p].nonzero().flatten():
            # Each legal move with its probability, as if it had been drawn that often.
            hard = F.cross_entropy(logits[b, p][None], move[None])
            (hard * chances[b, p, move] / len(asked)).backward()
    assert torch.allclose(soft, logits.grad, atol=1e-6)
    assert soft[1, 4].abs().max() == 0


def test_hard_loss_is_of_the_next_token():
    tokens = torch.tensor([[1, 3, 2]])
    logits = torch.zeros(1, 3, 5)
    logits[0, 0, 3] = logits[0, 1, 2] = 50.0
    assert Batch(tokens).loss(logits) < 1e-6
    logits[0, 2] = torch.randn(5)  # after the last token nothing is asked
    assert Batch(tokens).loss(logits) < 1e-6


@pytest.mark.parametrize("name", ["tiny-stories-1L-21M", "attn-only-2l-demo", "othello-gpt"])
def test_a_batch_is_a_function_of_its_step(name):
    spec = training(mini_specs()[name], rows=8)
    one, other = batches(spec), batches(spec)
    other(0)
    for step in (3, 1):
        assert torch.equal(one(step).tokens, other(step).tokens)
    assert not torch.equal(one(0).tokens, one(1).tokens)
    assert not torch.equal(one(0).tokens, batches(spec, "test")(0).tokens)
    assert not torch.equal(one(0).tokens, batches(spec, seed=1)(0).tokens)
    assert one(0).tokens.shape == (8, spec.n_ctx)
    assert int(one(0).tokens.max()) < spec.d_vocab


def test_consecutive_steps_read_consecutive_rows():
    spec = mini_specs()["tiny-stories-1L-21M"]
    small, large = batches(training(spec, rows=4)), batches(training(spec, rows=8))
    assert torch.equal(torch.cat([small(2).tokens, small(3).tokens]), large(1).tokens)


def test_the_targets_of_a_game_are_its_legal_moves():
    spec = training(mini_specs()["othello-gpt"], rows=16)
    batch = batches(spec)(0)
    assert batch.distribution.shape == (16, 59, 61)
    sums = batch.distribution.sum(-1)
    assert ((sums - 1).abs() < 1e-5).logical_or(sums == 0).all()
    # The move that was played is among those that were legal.
    played = batch.distribution[:, :-1].gather(-1, batch.tokens[:, 1:, None])[..., 0]
    assert (played[sums[:, :-1] > 0] > 0).float().mean() > 0.99


def test_othello_blocks_must_hold_whole_steps():
    with pytest.raises(CourseError, match="reads 7 games"):
        batches(training(mini_specs()["othello-gpt"], rows=7))


def period_of(row: np.ndarray) -> int:
    """The number of words after which a row repeats; 0 where it does not."""
    periods = range(8, len(row) // 2 + 1)
    return next((p for p in periods if (row[1 + p :] == row[1:-p]).all()), 0)


def test_drills_come_first_and_then_in_every_fourth_row():
    spec = training(mini_specs()["attn-only-2l-demo"], rows=16)
    read = batches(spec)
    for step in (0, DRILLS_FIRST - 1):
        assert all(0 < period_of(row) <= 32 for row in read(step).tokens.numpy())
    tokens = read(DRILLS_FIRST).tokens.numpy()
    repeats = np.array([period_of(row) > 0 for row in tokens])
    assert repeats.sum() == 16 // DRILL_EVERY
    # Others at each step, and others held out, where the mixture is there from the beginning.
    for other in (read(DRILLS_FIRST + 1), batches(spec, "test")(0)):
        assert [period_of(row) > 0 for row in other.tokens.numpy()] == repeats.tolist()
        assert not (other.tokens.numpy()[repeats] == tokens[repeats]).all(axis=1).any()


def test_drills_repeat_and_begin_with_bos():
    made = drills(20, 32, 50, np.random.default_rng(0))
    assert (made[:, 0] == 1).all()
    assert made[:, 1:].min() >= 4
    for row in made:
        assert any((row[1 + p :] == row[1:-p]).all() for p in range(8, 17))


def test_own_text_is_read_whole_each_time_and_in_another_order():
    own = rows(PLAIN, n_rows=12)
    read = batches(PLAIN, rows=own)  # 4 rows a step: 3 steps are one time through
    times = [np.concatenate([read(step).tokens.numpy() for step in range(i, i + 3)]) for i in (0, 3)]
    for time in times:
        assert sorted(map(tuple, time)) == sorted(map(tuple, own.astype(np.int64)))
    assert not (times[0] == times[1]).all()
    # And a step that straddles two times through has its share of both.
    odd = batches(training(PLAIN, rows=5), rows=own)
    together = np.concatenate([odd(step).tokens.numpy() for step in range(12)])
    assert all((together == row).all(1).sum() == 5 for row in own)


def test_own_text_without_its_text():
    with pytest.raises(CourseError, match="--text FILE"):
        batches(PLAIN)
