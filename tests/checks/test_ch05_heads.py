"""The references of 5.1, 5.2 and 5.9 against tokens, closed forms and gradients."""

import torch

from sae_course.checks.cases import make_cases
from sae_course.checks.ch05 import direct, heads, shares


def cases(number, **sizes):
    return make_cases(number, torch.Generator().manual_seed(7), "cpu", sizes)


def test_scores_are_1_for_the_heads_that_the_tokens_define():
    """Heads made by looking at tokens: what stands before; what follows the same word's last occurrence."""
    for period in (3, 5, 8):
        words = 1 + torch.randperm(50, generator=torch.Generator().manual_seed(period))[:period]
        tokens = [0, *words.tolist(), *words.tolist()]
        pattern = torch.zeros(1, 2, len(tokens), len(tokens))
        for q, token in enumerate(tokens):
            pattern[0, 0, q, max(q - 1, 0)] = 1
            seen = [s for s in range(q) if tokens[s] == token]
            pattern[0, 1, q, seen[-1] + 1 if seen else 0] = 1
        # The second head looks at BOS from the first list; from place 1 that is the place before.
        assert heads._previous(pattern, period).tolist() == [1, pattern.new_tensor(1 / (2 * period)).item()]
        assert heads._induction(pattern, period).tolist() == [0, 1]


def test_scores_are_those_of_a_slow_loop():
    for case in cases(3, head=5):
        inputs = heads._inputs(case, rows=3, period=6, causal=True)
        pattern = inputs["pattern"].double()
        torch.testing.assert_close(pattern.sum(-1), torch.ones(3, 5, 13).double())
        for h in range(5):
            pairs = [(q, q - 1) for q in range(1, 13)], [(6 + k, 1 + k) for k in range(1, 7)]
            expected = [
                sum(float(pattern[r, h, q, s]) for r in range(3) for q, s in some) / (3 * len(some))
                for some in pairs
            ]
            found = heads._previous(**inputs)[h], heads._induction(**inputs)[h]
            torch.testing.assert_close(torch.stack(found), torch.tensor(expected))


def test_shares_sum_to_1_and_are_known_for_constant_parts():
    for case in cases(3, d_sae=11):
        found = shares._shares(**shares._inputs(case, n_heads=5, d_head=3))
        torch.testing.assert_close(found.sum(1), torch.ones(11))
    row = torch.tensor([[1.0, -1, 2, 2, -3, 3]])  # squared lengths 2, 8 and 18
    torch.testing.assert_close(shares._shares(row, 3), torch.tensor([[1 / 14, 4 / 14, 9 / 14]]))


def test_terms_sum_to_the_pre_activation_and_are_gradients():
    for case in cases(3):
        case.sizes |= {"head": 5, "d_head": 3, "from": 7}
        inputs = direct._inputs(case)
        pattern = inputs["pattern"].requires_grad_()
        z = (pattern[..., None] * inputs["values"].transpose(0, 1)).sum(dim=1)
        pre_activation = z.flatten() @ inputs["direction"]
        (gradient,) = torch.autograd.grad(pre_activation, pattern)
        terms = direct._direct(**inputs)
        torch.testing.assert_close(terms.sum(), pre_activation)
        torch.testing.assert_close(terms, pattern * gradient)
