"""The measures on a card: each against an independent count, or on a case made by hand."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from sae_course.data.stories.vocabulary import WORDS, encode
from sae_course.models.measures import heads, measure, othello, stories
from sae_course.models.measures.ngram import NGram
from sae_course.runtime import CourseError


def slow_probability(rows: list[list[int]], context: list[int], word: int, d_vocab: int) -> float:
    """Witten-Bell by its recursive definition, counting anew each time."""
    if not context:
        counts = Counter(token for row in rows for token in row)
        shorter = 1 / d_vocab
    else:
        follow: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for row in rows:
            for end in range(len(context), len(row)):
                follow[tuple(row[end - len(context) : end])][row[end]] += 1
        counts = follow[tuple(context)]
        shorter = slow_probability(rows, context[1:], word, d_vocab)
    if not counts:
        return shorter
    return (counts[word] + len(counts) * shorter) / (counts.total() + len(counts))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_ngram_is_witten_bell_by_definition(n: int) -> None:
    stream = np.random.default_rng(n)
    train, test = stream.integers(0, 4, (6, 12)), stream.integers(0, 6, (3, 9))
    fast = NGram(train, d_vocab=6, n=n).probabilities(test)
    for row in range(3):
        for pos in range(1, 9):
            context = test[row, max(0, pos - n + 1) : pos].tolist()
            slow = slow_probability(train.tolist(), context, int(test[row, pos]), 6)
            assert math.isclose(fast[row, pos - 1], slow), (row, pos)


def test_ngram_probabilities_sum_to_one() -> None:
    stream = np.random.default_rng(0)
    model = NGram(stream.integers(0, 5, (8, 20)), d_vocab=5, n=3)
    beginning = stream.integers(0, 5, 4)
    rows = np.stack([np.append(beginning, word) for word in range(5)])
    assert math.isclose(model.probabilities(rows)[:, -1].sum(), 1)


def row(text: str) -> np.ndarray:
    return np.array([[1, *encode(text)]])


def found(cases: list[stories.Case]) -> list[tuple[str, set[str]]]:
    return [(WORDS[case.answer], {WORDS[rival] for rival in case.rivals}) for case in cases]


def test_indirect_objects_are_found_in_both_orders_and_only_there() -> None:
    after = "when Mary and John went to the park , {} gave a ball to {} ."
    for giver, taker in (("John", "Mary"), ("Mary", "John")):
        cases = stories.indirect_object_cases(row(after.format(giver, taker)))
        assert found(cases) == [(taker, {giver})]
    assert not stories.indirect_object_cases(row(after.format("John", "John")))
    assert not stories.indirect_object_cases(row(after.format("Tom", "Mary")))
    assert not stories.indirect_object_cases(row("Mary and John went home . John gave a ball to Mary ."))


def test_pronouns_count_only_after_somebody_of_their_gender() -> None:
    assert not stories.pronoun_cases(row("he was happy . John was sad ."))
    assert found(stories.pronoun_cases(row("John was sad . he hugged her .")))[0] == ("he", {"she"})
    both = found(stories.pronoun_cases(row("John and Mary were sad . he hugged her .")))
    assert both == [("he", {"she"}), ("her", {"his", "him"})]


def test_successors() -> None:
    cases = found(stories.successor_cases(row("one , two , three , go !")))
    assert [answer for answer, _ in cases] == ["two", "three"]
    assert len(cases[0][1]) == 19
    assert not stories.successor_cases(row("she saw two cats , four dogs and five hens ."))
    days = found(
        stories.successor_cases(row("on monday she sang . on tuesday she ran . on friday she slept ."))
    )
    assert [answer for answer, _ in days] == ["tuesday"]


class Stub:
    """A model whose logits are a function of its tokens."""

    class cfg:
        device, n_layers, d_vocab = "cpu", 2, 50

    def __init__(self, logits) -> None:
        self.logits = logits

    def __call__(self, tokens, return_type):
        return self.logits(tokens)


def test_accuracy_reads_the_position_before_the_answer() -> None:
    tokens = np.array([[1, 5, 6, 7]])

    def after_five_comes_six(ids: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(*ids.shape, 50)
        out[..., 6] = (ids == 5).float()
        return out

    case = stories.Case(0, 2, answer=6, rivals=(7, 8))
    assert stories.accuracy(Stub(after_five_comes_six), tokens, [case]) == 100
    assert stories.accuracy(Stub(lambda ids: -after_five_comes_six(ids)), tokens, [case]) == 0
    assert stories.accuracy(Stub(lambda ids: torch.zeros(*ids.shape, 50)), tokens, [case]) == 0, (
        "a tie is no win"
    )


def test_head_scores_know_the_two_heads() -> None:
    period = 6
    tokens = heads.repeated_random(3, 50, period)
    n = tokens.shape[1]
    assert (tokens[:, 1 : period + 1] == tokens[:, period + 1 :]).all()
    before = torch.eye(n).roll(1, 0)
    before[0] = 0
    induction = torch.zeros(n, n)
    for query in range(period + 1, n):
        induction[query, query - period + 1] = 1
    induction[: period + 1, 0] = 1

    class WithCache(Stub):
        def run_with_cache(self, ids, return_type, names_filter):
            pattern = torch.stack([before, induction]).expand(len(ids), 2, n, n)
            return None, {f"blocks.{layer}.attn.hook_pattern": pattern for layer in range(2)}

    first, second = heads.head_scores(WithCache(None), tokens)
    assert first[0].tolist() == pytest.approx([1, 0], abs=0.2)
    assert first[0, 0] == 1
    assert second[0, 1] == 1
    assert second[0, 0] == 0


def test_half_losses_separate_the_halves() -> None:
    tokens = heads.repeated_random(2, 50, 6)

    def copies(ids: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(*ids.shape, 50)
        for pos in range(7, ids.shape[1]):
            out[torch.arange(len(ids)), pos, ids[torch.arange(len(ids)), pos - 5]] = 50.0
        return out

    first, second = heads.half_losses(Stub(copies), tokens)
    assert first == pytest.approx(math.log(50), rel=1e-4)
    assert second == pytest.approx(0, abs=1e-4)


def test_illegal_rate_of_a_player_who_knows_and_of_one_who_does_not() -> None:
    from sae_course.data.othello import boards  # noqa: PLC0415

    def knows(ids: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(boards(ids.numpy()).legal_tokens).float()

    assert othello.illegal_rate(Stub(knows), 20) == 0
    assert othello.illegal_rate(Stub(lambda ids: -knows(ids)), 20) == 1
    # Equal logits on the legal moves and none elsewhere is the best possible loss.
    assert othello.excess_loss(Stub(lambda ids: 40 * knows(ids)), 20) == pytest.approx(0, abs=1e-4)
    assert othello.excess_loss(Stub(lambda ids: torch.zeros(*ids.shape, 61)), 20) > 1


def test_probes_read_what_is_there_and_nothing_else() -> None:
    stream = torch.Generator().manual_seed(0)
    squares = torch.randint(0, 3, (6000, 64), generator=stream)
    written = torch.cat([(squares == value).float() for value in range(3)], dim=1)
    noise = torch.randn(6000, 192, generator=stream)
    # A scale and an offset, as residual streams have.
    x = torch.stack([5 * written + 3 + 0.1 * noise, noise])
    weight, bias = othello.train_probes(x[:, :5000], squares[:5000], epochs=100)
    read = (x[:, 5000:] @ weight + bias).unflatten(-1, (64, 3)).argmax(-1)
    right = (read == squares[5000:]).float().mean((1, 2))
    assert right[0] > 0.97
    assert 0.25 < right[1] < 0.42


def test_an_unknown_model_has_no_measures() -> None:
    with pytest.raises(CourseError, match="gemma-2-2b"):
        measure("pythia", None)
