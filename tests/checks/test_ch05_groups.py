"""The references of 5.3, 5.4 and 5.7 against other people's numbers and closed forms."""

import pytest
import torch
from scipy.stats import f_oneway

from sae_course.checks.cases import make_cases
from sae_course.checks.ch05 import groups, integrated, repeats


def cases(number, **sizes):
    return make_cases(number, torch.Generator().manual_seed(7), "cpu", sizes)


@pytest.mark.parametrize("gaps", [False, True])
def test_the_share_between_groups_is_that_of_an_analysis_of_variance(gaps):
    (case,) = cases(1, n=53)
    ids = groups._groups(case, 8, gaps=gaps)
    latents = groups._latents(case, ids)
    latents[:, 1] += case.normal("n")  # the one that its group decides has F = ∞
    share = groups._explained(latents, ids)
    for j, expected in enumerate(share.tolist()):
        F = f_oneway(*(latents[ids == i, j].double().numpy() for i in ids.unique())).statistic
        between, within = 8 - 1, 53 - 8
        assert expected == pytest.approx(F * between / (F * between + within), rel=1e-5)


def test_groups_have_gaps_single_tokens_and_uneven_sizes():
    for case in cases(5, n=53):
        ids, sizes = groups._groups(case, 8, gaps=True).unique(return_counts=True)
        assert len(ids) == 8
        assert ids[0] > 0
        assert ids[-1] > 10
        assert int(sizes.min()) == 1
        assert int(sizes.max()) > 10
        assert groups._groups(case, 8, gaps=False).unique().tolist() == list(range(8))


def test_masks_are_uneven_and_apart():
    for case in cases(5, rows=5, pos=17):
        first, second = repeats._masks(case, empty_rows=True)
        assert not (first & second).any()
        assert first.sum() > second.sum() > 0
        assert not first[1].any()
        assert not second[2].any()
        assert not first[:, 0].any()


def test_repeat_scores_of_known_latents():
    first = torch.tensor([[False, True, True, False], [False, True, False, False]])
    second = torch.tensor([[False, False, False, True], [False, False, False, False]])
    bos, other = torch.tensor([9.0, 0, 0, 0]), torch.zeros(4)
    on_second, on_first = torch.tensor([0.0, 0, 0, 2]), torch.tensor([0.0, 1, 5, 0])
    steady = torch.tensor([0.0, 1, 1, 1])
    latents = torch.stack(
        [
            torch.stack([on_second, on_first, bos, steady, on_second + steady], dim=-1),
            torch.stack([other, other, bos, steady, steady], dim=-1),
        ]
    )
    assert repeats._scores(latents, first, second).tolist() == pytest.approx([1, -1, 0, 0, 0.5])


def test_middles_are_exact_for_squares_and_ends_are_not():
    """f = xᵀMx has a straight gradient, of which the middle of each step is the mean."""
    (case,) = cases(1)
    M, a = case.normal("n n").double(), case.normal("n").double()

    def f(x):
        return x @ M.to(x.dtype) @ x

    closed = (a * ((M + M.T) @ a) / 2).float()
    for steps in (1, 4):
        torch.testing.assert_close(integrated._integrated(f, a, steps), closed, rtol=1e-5, atol=1e-5)
    ends = integrated._along(integrated._ends)(f, a, 4)
    torch.testing.assert_close(ends, closed * 5 / 4, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [integrated._attention, integrated._gate, integrated._bump])
def test_parts_sum_to_the_difference_as_steps_grow(make):
    for case in cases(3, n=5):
        f, a = make(case), case.normal("n").double()
        parts = integrated._integrated(f, a, 300)
        assert float(parts.sum()) == pytest.approx(float(f(a) - f(0 * a)), rel=1e-3, abs=1e-3)
        # The slips' own gradients are the reference's, and two good rules can be told apart.
        few = integrated._integrated(f, a, 3)
        torch.testing.assert_close(integrated._along(integrated._middles)(f, a, 3), few, rtol=1e-5, atol=1e-6)
        gap = (integrated._trapezoid(f, a, 3) - few).abs().max()
        assert gap > 1e-3 * few.abs().max()
