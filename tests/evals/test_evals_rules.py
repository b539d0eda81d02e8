"""Rules as explanations: what was planted is found and said, chance is not, and a rule says what it means."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals.explaining import Examples, Excerpts, Explanation
from sae_course.evals.rules import NOTHING, PRICE, Rule, RuleExplanation, Rules, best_rule
from sae_course.runtime import CourseError

N, WIDTH, VOCABULARY = 40, 25, 30


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def excerpts() -> Excerpts:
    ids = torch.randint(VOCABULARY, (N, WIDTH), generator=rng(0))
    rates = torch.tensor([0.2, 0.3, 0.4, 0.2, 0.2, 0.2])
    truth = (torch.rand(N, WIDTH, 6, generator=rng(1)) < rates).numpy()
    names = ("quote", "plural", "past", "verb", "name", "url")
    return Excerpts(ids, lambda token: f" w{token}", Labels(names, truth))


def examples(excerpts: Excerpts, activation: Tensor) -> Examples:
    return Examples(excerpts, activation.float(), 10)


def previous(excerpts: Excerpts) -> Tensor:
    return torch.nn.functional.pad(excerpts.ids[:, :-1], (1, 0), value=-1)


def is_one_of(ids: Tensor, *tokens: int) -> Tensor:
    return torch.isin(ids, torch.tensor(tokens))


def test_a_set_of_tokens_is_found_and_said(excerpts: Excerpts) -> None:
    found = Rules().explain(examples(excerpts, 2.0 * is_one_of(excerpts.ids, 3, 7, 12)))
    assert found.rule is not None
    assert sorted(found.rule.tokens) == [3, 7, 12]
    assert (found.rule.place, found.rule.label, found.mean) == ("token", "", 2.0)
    assert found.text.startswith('token is one of " w')
    assert {'" w3"', '" w7"', '" w12"'} == set(found.text.removeprefix("token is one of ").split(", "))


def test_the_token_before_is_found_and_the_first_of_an_excerpt_has_none(excerpts: Excerpts) -> None:
    after = previous(excerpts) == 5
    found = Rules().explain(examples(excerpts, after))
    assert found.text == 'after " w5"'
    assert found.rule is not None
    assert torch.equal(found.rule.true_of(excerpts), after)
    # The last token of one excerpt doesn't stand before the first of the next.
    torch.testing.assert_close(Rules().simulate(found, excerpts), after.float())
    two = Excerpts(torch.tensor([[1, 5], [2, 5]]), str)
    assert not found.rule.true_of(two).any()
    assert Rule((4, 5), "before").text(two) == 'after one of "4", "5"'


def test_a_context_across_the_border_of_two_excerpts_is_not_counted() -> None:
    # Token 1 ends every excerpt; each next one begins with a firing token that nothing stands before.
    ids = torch.tensor([[2, 3, 3, 1]]).repeat(30, 1)
    activation = torch.zeros(30, 4)
    activation[:, 0] = 1
    rule = best_rule(Examples(Excerpts(ids, str), activation, 10))
    assert rule is not None
    assert (rule.tokens, rule.place) == ((2,), "token")
    mixed = torch.tensor([[1, 2, 3, 1], [3, 3, 2, 1]]).repeat(15, 1)
    before = torch.tensor([[0.0, 1, 0, 0], [0, 0, 0, 0]]).repeat(15, 1)
    rule = best_rule(Examples(Excerpts(mixed, str), before, 10))
    assert rule == Rule((1,), "before")


def test_a_known_feature_is_found(excerpts: Excerpts) -> None:
    assert excerpts.labels is not None
    truth = torch.from_numpy(excerpts.labels["plural"])
    found = Rules().explain(examples(excerpts, 3.0 * truth))
    assert found == RuleExplanation("true: plural", Rule(label="plural"), 3.0)
    torch.testing.assert_close(Rules().simulate(found, excerpts), 3.0 * truth)


def test_a_feature_with_a_token_and_one_without(excerpts: Excerpts) -> None:
    assert excerpts.labels is not None
    truth = torch.from_numpy(excerpts.labels["past"])
    some = is_one_of(excerpts.ids, 1, 2)
    both = Rules().explain(examples(excerpts, truth & some))
    but = Rules().explain(examples(excerpts, truth & ~some))
    assert both.text in (
        'true: past, and token is one of " w1", " w2"',
        'true: past, and token is one of " w2", " w1"',
    )
    assert but.text.startswith("true: past, and token is none of ")
    for found, true in ((both, truth & some), (but, truth & ~some)):
        assert found.rule is not None
        assert torch.equal(found.rule.true_of(excerpts), true)
        torch.testing.assert_close(Rules().simulate(found, excerpts), true.float())
    single = Rules().explain(examples(excerpts, truth & (excerpts.ids != 4)))
    assert single.text == 'true: past, and token is not " w4"'


def test_without_labels_there_are_rules_on_tokens_only(excerpts: Excerpts) -> None:
    assert excerpts.labels is not None
    truth = torch.from_numpy(excerpts.labels["plural"])
    bare = Excerpts(excerpts.ids, excerpts.name)
    rule = best_rule(examples(bare, truth))
    assert rule is None or not rule.label


def test_of_two_rules_that_say_the_same_the_simpler_is_taken(excerpts: Excerpts) -> None:
    fires = excerpts.ids == 6
    twin = Labels(("a w6",), fires.numpy()[..., None])
    assert best_rule(examples(Excerpts(excerpts.ids, str, twin), fires)) == Rule((6,))


def test_the_correlation_from_two_sums_is_pearsons(excerpts: Excerpts) -> None:
    assert excerpts.labels is not None
    activation = torch.rand(N, WIDTH, generator=rng(2)) * (torch.rand(N, WIDTH, generator=rng(3)) < 0.3)
    activation += is_one_of(excerpts.ids, 9) * 0.5 + torch.from_numpy(excerpts.labels["past"]) * 0.2
    values = activation.flatten().numpy()
    masks = {Rule((token,)): excerpts.ids == token for token in range(VOCABULARY)}
    masks |= {Rule((token,), "before"): previous(excerpts) == token for token in range(VOCABULARY)}
    masks |= {Rule(label=name): torch.from_numpy(excerpts.labels[name]) for name in excerpts.labels.names}
    worth = {rule: np.corrcoef(mask.flatten().numpy(), values)[0, 1] for rule, mask in masks.items()}
    best = max(worth, key=lambda rule: worth[rule])
    found = best_rule(examples(excerpts, activation))
    assert found is not None
    true = found.true_of(excerpts).flatten().numpy()
    assert np.corrcoef(true, values)[0, 1] >= worth[best] + PRICE * (
        len(found.tokens) + bool(found.label) - 1
    )
    assert (found.tokens[:1], found.label) == (best.tokens, best.label)


def test_how_strongly_it_fires_decides_and_not_how_often(excerpts: Excerpts) -> None:
    # Weakly at most tokens, strongly at one: "always" would have the best F1 for "fires".
    weak = 0.1 * (torch.rand(N, WIDTH, generator=rng(4)) < 0.9)
    found = Rules().explain(examples(excerpts, weak + 5.0 * (excerpts.ids == 8)))
    assert found.text == 'token is " w8"'


def test_a_token_that_follows_by_chance_is_not_worth_its_price(excerpts: Excerpts) -> None:
    # A token that occurs once, where it fires: with it the rule goes better with the activation, a little.
    ids = excerpts.ids.clone()
    ids[3, 7] = 99
    activation = 5.0 * (ids == 8) + 3.5 * (ids == 99)
    assert best_rule(Examples(Excerpts(ids, str), activation, 10)) == Rule((8,))


def test_a_rule_has_no_more_than_eight_tokens(excerpts: Excerpts) -> None:
    rule = best_rule(examples(excerpts, is_one_of(excerpts.ids, *range(12))))
    assert rule is not None
    assert len(rule.tokens) == len(set(rule.tokens)) == 8
    assert set(rule.tokens) <= set(range(12))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_an_activation_that_never_varies_has_no_rule(excerpts: Excerpts, value: float) -> None:
    found = Rules().explain(examples(excerpts, torch.full((N, WIDTH), value)))
    assert found == RuleExplanation(NOTHING)
    assert torch.equal(Rules().simulate(found, excerpts), torch.zeros(N, WIDTH))


def test_where_nothing_goes_with_it_there_is_no_rule() -> None:
    # Two tokens by turns, and firing at every other pair: neither the token nor the one before says when.
    ids = torch.tensor([[0, 1] * 8]).repeat(10, 1)
    activation = torch.tensor([[1.0, 1, 0, 0] * 4]).repeat(10, 1)
    assert best_rule(Examples(Excerpts(ids, str), activation, 5)) is None


@pytest.mark.filterwarnings("error")
def test_what_is_true_everywhere_is_no_rule() -> None:
    same = Excerpts(torch.zeros(10, 8, dtype=torch.long), str, Labels(("always",), np.ones((10, 8, 1), bool)))
    activation = torch.rand(10, 8, generator=rng(6))
    activation[:, 0] = 0.5
    rule = best_rule(Examples(same, activation, 5))
    assert rule is None or rule == Rule((0,), "before")
    lower = best_rule(Examples(same, activation + 9.0 * (torch.arange(8) == 0), 5))
    assert lower is None


def test_signs_that_cannot_be_seen_are_written_out() -> None:
    shown = Excerpts(torch.zeros(1, 1, dtype=torch.long), lambda _: '\n"')
    assert Rule((0,)).text(shown) == 'token is "\\n\\""'


def test_the_explanation_of_somebody_else_cannot_be_simulated(excerpts: Excerpts) -> None:
    with pytest.raises(CourseError, match='text: "fires on dogs"'):
        Rules().simulate(Explanation("fires on dogs"), excerpts)


def test_a_rule_on_a_feature_needs_labels(excerpts: Excerpts) -> None:
    with pytest.raises(CourseError, match='feature "past", and these excerpts have no labels'):
        Rule(label="past").true_of(Excerpts(excerpts.ids, str))
