"""What a check's author writes with: parts of a result, copies, random cases, gradients, statistics."""

import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from toy_check import energy, fails

from sae_course.checks.cases import Case, fresh
from sae_course.checks.core import exercise
from sae_course.checks.gradients import finite_differences


class Pair(NamedTuple):
    loss: torch.Tensor
    l0: float


def pair_check():
    @exercise("9.2", "pair", minutes=1)
    def check(t, student):
        for case in t.cases(2, d_in=2):
            x = case.normal("batch inst d_in")
            t.against(student, {"x": x}, lambda x: Pair(x.mean(-1), 2.0), axes={"loss": "batch inst"})

    return check


@pytest.mark.parametrize(
    ("variant", "pattern"),
    [
        (lambda x: (x.mean(-1), 2.0), "a tuple of 2; expected a NamedTuple with the fields loss, l0"),
        (lambda x: Pair(x.mean(-1).T, 2.0), "field loss (.|\n)*axes batch and inst are in the wrong order"),
        (lambda x: Pair(x.mean(-1).mean(0), 2.0), "field loss (.|\n)*axis batch is missing"),
        (lambda x: Pair(x.mean(-1), 3.0), "field l0 of .* gives 3; expected 2"),
        (lambda x: Pair(x.mean(-1), None), r"field l0 of .* returned nothing"),
    ],
)
def test_parts_of_a_result(variant, pattern):
    assert re.search(pattern, str(fails(pair_check(), variant)))


def test_numbers_may_be_tensors_and_the_other_way_round_not():
    check = pair_check()
    check.run(lambda x: Pair(x.mean(-1), torch.tensor(2.0)))
    check.run(lambda x: Pair(x.mean(-1), np.float32(2.0)))

    @exercise("9.3", "total", minutes=1)
    def total(t, student):
        for case in t.cases(2):
            t.against(student, {"x": case.normal("batch")}, torch.sum)

    assert "leave out .item()" in str(fails(total, lambda x: x.sum().item()))


def test_changed_lists_dicts_modules_and_shared_memory():
    @exercise("9.4", "changes", minutes=1)
    def check(t, student):
        case = next(t.cases(1))
        sae = case.fill(torch.nn.Linear(3, 5))
        t.against(
            student,
            {"sae": sae, "rows": [1, case.normal("d_in")], "table": {"k": 1}},
            lambda sae, rows, table: sae.weight.clone(),
            own_memory=True,
        )

    check.run(lambda sae, rows, table: sae.weight * 1)
    assert fails(check, lambda sae, rows, table: sae.weight).kind == "alias"
    for change, what in [
        (lambda sae, rows, table: torch.nn.init.zeros_(sae.bias), "sae.bias"),
        (lambda sae, rows, table: rows.append(2), "rows (its length)"),
        (lambda sae, rows, table: rows[1].zero_(), "rows[1]"),
        (lambda sae, rows, table: table.update(k=2), "table['k']"),
    ]:
        assert f"changed its input {what}" in str(fails(check, change))


def test_statistics_and_parameters():
    @exercise("9.6", "coin", minutes=1)
    def check(t, student):
        tosses = t.call(student, {"n": 4000})
        t.rate(int((tosses > 0).sum()), 4000, 0.3, "the share of heads")
        t.mean(tosses, 0.3, 0.3**0.5, "a toss")

    check.run(lambda n: (torch.rand(n) < 0.3).float())
    failure = fails(check, lambda n: (torch.rand(n) < 0.4).float())
    assert failure.kind == "chance"
    assert "once in 1,000,000 times" in str(failure)

    @exercise("9.7", "sae", minutes=1)
    def holds(t, student):
        t.parameters(t.call(student, {}), {"W_enc": ("d_in d_sae", (3, 7))})

    class Sae(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.W_enc = torch.randn(7, 3)

    assert "no trainable parameter" in str(fails(holds, Sae))


def test_cases_have_no_zeros_and_sizes_that_differ():
    case = Case(torch.Generator().manual_seed(0), "cpu", {"inst": 2}, "")
    x = case.normal("batch inst d_in")
    assert case.normal("d_in d_sae").shape[0] == x.shape[2]
    assert len(set(case.sizes.values())) == 4
    assert case.sizes["inst"] == 2
    assert float(x.abs().min()) >= 0.1
    linear = case.fill(torch.nn.Linear(3, 50))
    assert float(linear.bias.detach().abs().min()) >= 0.1
    assert torch.allclose(case.unit("d_sae d_in", along="d_in").norm(dim=1), torch.ones(case.size("d_sae")))
    assert {bool(v) for v in case.mask("2", p=1.0)} == {True, False}


def test_copies_keep_what_belongs_together():
    layer = torch.nn.Linear(2, 2)
    stream = torch.Generator().manual_seed(3)
    middle = layer(torch.ones(1, 2))
    made = fresh({"sae": layer, "optimizer": torch.optim.Adam(layer.parameters()), "g": stream, "x": middle})
    assert made["optimizer"].param_groups[0]["params"][0] is made["sae"].weight
    assert made["sae"].weight is not layer.weight
    assert torch.equal(torch.rand(3, generator=made["g"]), torch.rand(3, generator=stream))
    assert made["x"].is_leaf


def test_finite_differences_agree_with_autograd():
    x = torch.linspace(0.3, 2, 6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    (exact,) = torch.autograd.grad(x.sin().prod(), x)
    assert torch.allclose(finite_differences(lambda y: y.sin().prod(), x), exact, atol=1e-8)


def test_a_backward_of_the_learners_own_is_guarded_too():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x**2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.saved

    failure = fails(energy, lambda x, W: Square.apply(x @ W).mean(-1))
    assert failure.kind == "raised"
    assert "in backward: return gradient * ctx.saved" in str(failure)
