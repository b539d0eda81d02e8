"""Every toy SAE is SAELens' own of the same weights, instance by instance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sae_lens
import torch
from sae_lens.saes import jumprelu_sae
from sae_lens.saes.sae import TrainStepInput
from torch import Tensor
from torch.testing import assert_close

from sae_course import CourseError
from sae_course.training.toys import BatchTopK, Gated, JumpReLUSAE, Matryoshka, Standard, TopK, ToySAE
from sae_course.training.toys.jump import JumpReLU, Step

N, D_IN, D_SAE, BATCH = 3, 8, 14, 9
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # float32, added up in another order; the numbers are of size 1


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Case:
    """A variant, and its counterpart at SAELens."""

    kind: Callable[..., ToySAE]
    theirs: str
    """SAELens' name for it."""
    coefficient: str
    """SAELens' name for the setting that may have several values."""
    more: dict[str, Any] = field(default_factory=dict)
    more_theirs: dict[str, Any] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """Our name for it."""
        return "k" if self.coefficient == "k" else "coefficient"

    def mine(self, value: Any, n_inst: int = N, d_sae: int = D_SAE) -> ToySAE:
        """With random weights, of every length."""
        sae = self.kind(n_inst, D_IN, d_sae, rng(), **{self.setting: value}, **self.more)
        draw = rng(1)
        with torch.no_grad():
            for name, parameter in sae.named_parameters():
                size = torch.randn(parameter.shape, generator=draw)
                parameter.copy_(0.3 * size if parameter.ndim == 2 else 0.5 * size)
                if name == "W_dec":
                    parameter.mul_(0.3 + 2 * torch.rand(n_inst, d_sae, 1, generator=draw))
        return sae

    def fresh_saelens(self, value: float, d_sae: int = D_SAE, d_in: int = D_IN) -> Any:
        kind, config = (getattr(sae_lens, f"{self.theirs}TrainingSAE{end}") for end in ("", "Config"))
        return kind(config(d_in=d_in, d_sae=d_sae, **{self.coefficient: value}, **self.more_theirs))

    def saelens(self, value: float, mine: ToySAE, instance: int) -> Any:
        """An instance as SAELens' own."""
        sae = self.fresh_saelens(value, *mine.W_dec.shape[1:])
        own = dict(mine.named_parameters())
        assert own.keys() == dict(sae.named_parameters()).keys()
        with torch.no_grad():
            for name, parameter in sae.named_parameters():
                parameter.copy_(own[name][instance])
            if "topk_threshold" in sae.state_dict():
                sae.topk_threshold.copy_(mine.threshold[instance])
        return sae


WIDTHS = [2, 5, D_SAE]
RATE, RATE_THEIRS = {"threshold_rate": 0.2}, {"topk_threshold_lr": 0.2}
CASES = {
    "standard": Case(Standard, "Standard", "l1_coefficient"),
    "gated": Case(Gated, "Gated", "l1_coefficient"),
    "jumprelu": Case(
        JumpReLUSAE, "JumpReLU", "l0_coefficient", {"bandwidth": 0.5}, {"jumprelu_bandwidth": 0.5}
    ),
    "topk": Case(TopK, "TopK", "k"),
    "batchtopk": Case(BatchTopK, "BatchTopK", "k", RATE, RATE_THEIRS),
    "matryoshka": Case(
        Matryoshka,
        "MatryoshkaBatchTopK",
        "k",
        RATE | {"widths": WIDTHS},
        RATE_THEIRS | {"matryoshka_widths": WIDTHS},
    ),
}
BATCHED = ["batchtopk", "matryoshka"]
# The middle k cuts off some of a sample's positive latents; the last is more than are positive.
VALUES: dict[str, list[Any]] = {"coefficient": [0.1, 0.7, 2.0], "k": [1, 3, 12]}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def activations(seed: int = 2, n_inst: int = N) -> Tensor:
    return 1.5 * torch.randn(n_inst, BATCH, D_IN, generator=rng(seed))


def dead_latents(n_dead: list[int], d_sae: int = D_SAE) -> Tensor:
    """So many, of each instance, at random."""
    order = torch.rand(len(n_dead), d_sae, generator=rng(3)).argsort(-1)
    return order < torch.tensor(n_dead)[:, None]


def assert_equal_to_saelens(case: Case, mine: ToySAE, value: Any, h: Tensor, dead: Tensor) -> None:
    """Latents, reconstruction, loss and every gradient."""
    others = [case.saelens(value, mine, i) for i in range(len(h))]
    result = mine.training_pass(h, dead)
    mine.zero_grad()
    result.loss.sum().backward()
    coefficients = {case.coefficient.removesuffix("_coefficient"): value}
    for i, other in enumerate(others):
        step = other.training_forward_pass(TrainStepInput(h[i], coefficients, dead[i], 5, False))
        step.loss.backward()
        assert_close(result.latents[i], step.feature_acts, **CLOSE)
        assert_close(result.reconstruction[i], step.sae_out, **CLOSE)
        assert_close(result.loss[i], step.loss, **CLOSE)
        for name, parameter in other.named_parameters():
            gradient = mine.get_parameter(name).grad[i]
            assert gradient.any(), f"the case is too easy: {name} has no gradient"
            assert_close(gradient, parameter.grad, **CLOSE, msg=lambda m, n=name: f"{n}: {m}")
        if hasattr(other, "topk_threshold"):
            assert_close(mine.threshold[i], other.topk_threshold)


@pytest.mark.parametrize(("n_dead", "place"), [([0, 0, 0], 1), ([0, 2, 11], 1), ([14, 4, 5], 2)])
def test_a_training_pass_is_saelens(case: Case, n_dead: list[int], place: int) -> None:
    value = VALUES[case.setting][place]
    mine = case.mine(value)
    fires = mine.training_pass(activations(), dead_latents(n_dead)).latents > 0
    assert fires.any(1).any(-1).all()
    assert not fires.all(1).all(-1).any()
    assert_equal_to_saelens(case, mine, value, activations(), dead_latents(n_dead))


def test_fewer_latents_than_the_auxiliary_loss_may_use() -> None:
    narrow = CASES["topk"].mine(1, n_inst=2, d_sae=3)
    dead = dead_latents([2, 3], d_sae=3)
    assert_equal_to_saelens(CASES["topk"], narrow, 1, activations(n_inst=2), dead)


@pytest.mark.parametrize("name", BATCHED)
def test_the_threshold_is_saelens_after_several_passes(name: str) -> None:
    case = CASES[name]
    mine = case.mine(3)
    others = [case.saelens(3, mine, i) for i in range(N)]
    for step in range(5):
        h = activations(seed=10 + step)
        if step == 3:  # an instance in which nothing is positive: its threshold stays
            still = mine.threshold[1].item()
            for biases in (mine.b_enc.data[1], others[1].b_enc.data):
                biases.fill_(-100)
        mine.training_pass(h, dead_latents([0, 2, 9]))
        for i, other in enumerate(others):
            other.training_forward_pass(
                TrainStepInput(h[i], {}, dead_latents([0, 2, 9])[i], step, is_logging_step=False)
            )
            assert_close(mine.threshold[i], other.topk_threshold, rtol=1e-6, atol=0)
    assert mine.threshold[1].item() == still
    assert mine.threshold.min() > 0
    assert not mine.threshold.requires_grad


def test_an_encoding_is_that_of_the_saved_sae(case: Case, tmp_path: Path) -> None:
    value = VALUES[case.setting][1]
    mine = case.mine(value)
    for seed in range(4):  # moves the threshold where there is one, and projects JumpReLU's
        mine.training_pass(activations(seed), dead_latents([0, 0, 0]))
    h = activations(seed=20)
    with torch.no_grad():
        latents, output = mine.encode(h), mine(h)
    assert_close(output, mine.decode(latents))
    assert 0.02 < (latents > 0).float().mean() < 0.9
    for i in range(N):
        case.saelens(value, mine, i).save_inference_model(tmp_path / str(i))
        saved = sae_lens.SAE.load_from_disk(tmp_path / str(i))
        with torch.no_grad():
            assert_close(output[i], saved(h[i]), **CLOSE)
            assert_close(latents[i], saved.encode(h[i]), **CLOSE)
    if case.setting == "k" and case.kind is not TopK:
        assert isinstance(saved, sae_lens.JumpReLUSAE)
        counts = (latents > 0).sum(-1)
        assert counts.min() < counts.max(), "a threshold doesn't count"


def test_several_values_are_separate_saes(case: Case) -> None:
    values = VALUES[case.setting]
    together = case.mine(values, n_inst=6)
    h, dead = activations(n_inst=6), dead_latents([0, 2, 9, 14, 0, 3])
    result = together.training_pass(h, dead)
    result.loss.sum().backward()
    for place, value in enumerate(values):
        own = slice(2 * place, 2 * place + 2)
        alone = case.mine(value, n_inst=2)
        with torch.no_grad():
            for name, parameter in alone.named_parameters():
                parameter.copy_(together.get_parameter(name)[own])
        apart = alone.training_pass(h[own], dead[own])
        apart.loss.sum().backward()
        for mine, theirs in zip(result, apart, strict=True):
            assert_close(mine[own], theirs, **CLOSE)
        for name, parameter in alone.named_parameters():
            assert_close(together.get_parameter(name).grad[own], parameter.grad, **CLOSE)
        assert_close(together.encode(h)[own], alone.encode(h[own]), **CLOSE)
    losses = [case.mine(value, n_inst=6).training_pass(h, dead).loss for value in values]
    assert not torch.allclose(losses[0], losses[1]), "the case is too easy"


# Threshold 1/2, bandwidth 1/4: near is from 3/8 to 5/8.
PRE = [1 / 4, 7 / 16, 9 / 16, 2.0]
UPSTREAM = [1.0, 3.0, 5.0, 7.0]


def test_gradients_of_the_jump_by_hand() -> None:
    pre = torch.tensor([[[one] for one in PRE]], requires_grad=True)
    threshold = torch.tensor([[[1 / 2]]], requires_grad=True)
    jumped: Any = JumpReLU.apply(pre, threshold, 1 / 4)
    assert jumped.flatten().tolist() == [0, 0, 9 / 16, 2]
    jumped.backward(torch.tensor(UPSTREAM).view(1, 4, 1))
    assert pre.grad is not None
    assert threshold.grad is not None
    assert pre.grad.flatten().tolist() == [0, 0, 5, 7]
    assert threshold.grad.item() == -(1 / 2) / (1 / 4) * (3 + 5)


def test_gradients_of_the_step_by_hand() -> None:
    pre = torch.tensor([[[one] for one in PRE]], requires_grad=True)
    threshold = torch.tensor([[[1 / 2]]], requires_grad=True)
    stepped: Any = Step.apply(pre, threshold, 1 / 4)
    assert stepped.flatten().tolist() == [0, 0, 1, 1]
    stepped.backward(torch.tensor(UPSTREAM).view(1, 4, 1))
    assert pre.grad is None
    assert threshold.grad is not None
    assert threshold.grad.item() == -1 / (1 / 4) * (3 + 5)


@pytest.mark.parametrize(("mine", "theirs"), [(JumpReLU, jumprelu_sae.JumpReLU), (Step, jumprelu_sae.Step)])
def test_thresholds_are_each_instances_own(mine: Any, theirs: Any) -> None:
    pre = torch.randn(N, 200, 5, generator=rng(0), requires_grad=True)
    threshold = torch.rand(N, 1, 5, generator=rng(1)).requires_grad_()
    upstream = torch.randn(N, 200, 5, generator=rng(2))
    got = mine.apply(pre, threshold, 0.4)
    got.backward(upstream)
    assert threshold.grad is not None
    assert threshold.grad.shape == threshold.shape
    for i in range(N):
        alone = [pre[i].detach().requires_grad_(), threshold[i, 0].detach().requires_grad_()]
        expected = theirs.apply(*alone, 0.4, False)
        expected.backward(upstream[i])
        assert_close(got[i], expected)
        assert_close(threshold.grad[i, 0], alone[1].grad)
        assert (pre.grad is None) == (alone[0].grad is None)
        if pre.grad is not None:
            assert_close(pre.grad[i], alone[0].grad)


def test_a_fresh_sae_starts_as_saelens_does(case: Case) -> None:
    sae = case.kind(N, D_IN, D_SAE, rng(), **{case.setting: 2}, **case.more)
    assert_close(sae.W_dec.norm(dim=-1), torch.full((N, D_SAE), 0.1))
    assert torch.equal(sae.W_enc, sae.W_dec.transpose(1, 2))
    assert not torch.equal(sae.W_dec[0], sae.W_dec[1])
    for name, parameter in case.fresh_saelens(2).named_parameters():
        if not name.startswith("W_"):
            assert torch.equal(sae.get_parameter(name)[0], parameter), name
    again = case.kind(N, D_IN, D_SAE, rng(), **{case.setting: 2}, **case.more)
    assert torch.equal(sae.W_dec, again.W_dec)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Standard(4, 5, 6, rng(), coefficient=[1, 2, 3]), "3 values of a setting .* 4 instances"),
        (lambda: Gated(4, 5, 6, rng(), coefficient=[]), "0 values of a setting .* 4 instances"),
        (lambda: TopK(4, 5, 6, rng(), k=[1, 2, 3]), "3 values of a setting .* 4 instances"),
        (lambda: TopK(2, 5, 6, rng(), k=7), r"d_sae = 6: \[7\]"),
        (lambda: BatchTopK(2, 5, 6, rng(), k=[3, 0]), r"d_sae = 6: \[3, 0\]"),
        (lambda: Matryoshka(2, 5, 6, rng(), k=2, widths=[2, 5]), r"d_sae = 6: \[2, 5\]"),
        (lambda: Matryoshka(2, 5, 6, rng(), k=2, widths=[3, 3, 6]), r"d_sae = 6: \[3, 3, 6\]"),
        (lambda: Matryoshka(2, 5, 6, rng(), k=2, widths=[0, 6]), r"d_sae = 6: \[0, 6\]"),
        (lambda: Matryoshka(2, 5, 6, rng(), k=2, widths=[]), r"d_sae = 6: \[\]"),
    ],
)
def test_settings_that_cannot_be(make: Callable[[], ToySAE], message: str) -> None:
    with pytest.raises(CourseError, match=message):
        make()
