"""Sparse control: in closed form where logits are linear in the activation, and on the mini Gemma."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from circuit_subject import VOCAB, tiny_model, tiny_sae
from torch import Tensor
from torch.testing import assert_close

from sae_course.data.indirect_objects import IndirectObjects, indirect_objects
from sae_course.evals import edits, harvest
from sae_course.evals.control import COMPONENTS, NEURONS, RANDOM, SAE, TRUE, Control, sparse_control
from sae_course.models import load_model, random_twin
from sae_course.runtime import CourseError
from sae_course.runtime.theme import CONTROL
from sae_course.training import shipped_run

LAST = "blocks.1.hook_resid_post"
GEMMA = "blocks.2.hook_resid_post"
N, LENGTH = 120, 5


@torch.no_grad()
def tiny_task(model: Any, giver_at: int = -1) -> IndirectObjects:
    """Random prompts that differ in a token, and the two tokens whose order this changes most."""
    stream = torch.Generator().manual_seed(4)
    tokens = torch.randint(VOCAB, (N, LENGTH), generator=stream)
    swapped = tokens.clone()
    swapped[:, giver_at] = (tokens[:, giver_at] + torch.randint(1, VOCAB, (N,), generator=stream)) % VOCAB
    here, there = (model(some)[:, -1] for some in (tokens, swapped))
    ahead = torch.minimum(here[:, :, None] - here[:, None], there[:, None] - there[:, :, None])
    best = ahead.flatten(1).argmax(1)
    first = torch.rand(N, generator=stream) < 0.5
    found = (tokens, swapped, best // VOCAB, best % VOCAB, first)
    return IndirectObjects(*(one.numpy() for one in found), giver_at % LENGTH, ())


class Linear:
    """A two-layer model without norms, edited where logits are linear in the activation; D by hand."""

    def __init__(self) -> None:
        self.model = tiny_model(norm=None)
        self.task = tiny_task(self.model)
        self.x, self.y = (
            harvest(self.model, torch.from_numpy(one), LAST)[:, -1]
            for one in (self.task.tokens, self.task.swapped)
        )
        W_U, b_U = self.model.unembed.W_U.detach(), self.model.unembed.b_U.detach()
        self.slope = (W_U[:, self.task.answer] - W_U[:, self.task.other]).T
        self.base = b_U[self.task.answer] - b_U[self.task.other]

    def difference(self, x: Tensor) -> Tensor:
        """Of the prompts that measure: the odd ones."""
        return ((x * self.slope).sum(1) + self.base)[1::2].float()

    def main(self, change: Tensor, directions: Tensor, k: int) -> Tensor:
        """x with the k parts that move D most, one prompt after the other."""
        out = self.x.clone()
        for i in range(N):
            parts = change[i][:, None] * directions
            for unit in sorted(range(len(parts)), key=lambda u: -abs(float(parts[u] @ self.slope[i])))[:k]:
                out[i] += parts[unit]
        return out


@pytest.fixture(scope="module")
def linear() -> Linear:
    return Linear()


@pytest.fixture(scope="module")
def found(linear: Linear) -> Control:
    return sparse_control(linear.model, tiny_sae("topk", LAST, 8, 24), linear.task, LAST, ks=[1, 3, 6])


def test_latents_neurons_and_components_in_closed_form(linear: Linear, found: Control) -> None:
    sae = tiny_sae("topk", LAST, 8, 24)
    a, b = (sae.encode(one).detach() for one in (linear.x, linear.y))
    written = sae.W_dec.detach() / sae.W_dec.detach().norm(dim=1, keepdim=True)
    samples = torch.cat([linear.x[::2], linear.y[::2]])
    _, vectors = torch.linalg.eigh(torch.cov(samples.T))
    change = linear.y - linear.x
    sources = {
        SAE: (b - a, written),
        NEURONS: (change, torch.eye(8, dtype=change.dtype)),
        COMPONENTS: (change @ vectors, vectors.T),
    }
    assert_close(found.clean, linear.difference(linear.x))
    assert_close(found.patched, linear.difference(linear.y))
    assert_close(found.swapped, found.patched)  # nothing but the last token's activation is read
    for name, (moves, directions) in sources.items():
        for k in (1, 3, 6):
            after = linear.difference(linear.main(moves, directions, k))
            assert_close(found.edited[name][found.ks.index(k)], after, rtol=1e-4, atol=1e-4)
            success, flipped = found.at(name, k)
            share = (found.clean - after).sum() / (found.clean - found.patched).sum()
            assert success.value == pytest.approx(float(share), rel=1e-4)
            assert flipped.value == pytest.approx(float((after[found.clean > 0] < 0).double().mean()))
        assert_close(
            found.whole[name], linear.difference(linear.x + moves @ directions), rtol=1e-4, atol=1e-4
        )
    assert found.at(NEURONS).success.value == pytest.approx(1)
    assert found.at(SAE).success.value != pytest.approx(1, abs=0.05)


def test_true_features_are_made_from_the_other_prompts(linear: Linear, found: Control) -> None:
    task, x, y = linear.task, linear.x, linear.y
    samples = torch.cat([x[::2], y[::2]])

    def mean(old: np.ndarray, new: np.ndarray, value: int) -> Tensor:
        return samples[torch.from_numpy(np.concatenate([old[::2], new[::2]]) == value)].mean(0)

    pairs = [(task.answer, task.other), (task.other, task.answer), (task.answer_first, ~task.answer_first)]
    for k in (1, 3, 6):
        out = x.clone()
        for i in range(1, N, 2):
            parts = [mean(old, new, new[i]) - mean(old, new, old[i]) for old, new in pairs]
            parts.sort(key=lambda part, i=i: -abs(float(part @ linear.slope[i])))  # type: ignore[misc]
            out[i] += sum(parts[:k])
        assert_close(found.edited[TRUE][found.ks.index(k)], linear.difference(out), rtol=1e-4, atol=1e-4)
    assert (found.edited[TRUE][1] == found.edited[TRUE][2]).all()  # there are but three


def test_random_latents_are_some_that_change(linear: Linear, found: Control) -> None:
    change = torch.zeros(50, 1, 30, dtype=torch.float64)
    change[:, :, 10:14] = 2
    parts = edits.at_random(change, torch.eye(30).double(), 5, torch.Generator().manual_seed(0))
    assert (parts[:, :4].sum((1, 2)) == change[:, 0]).all()
    assert not parts[:, 4].any()
    assert len(parts[:, 0, 0].argmax(1).unique()) == 4
    sae = tiny_sae("topk", LAST, 8, 24)
    other, same = (
        sparse_control(linear.model, sae, linear.task, LAST, ks=[1, 3, 6], seed=seed) for seed in (1, 0)
    )
    assert (other.edited[RANDOM][0] != found.edited[RANDOM][0]).any()
    assert (same.edited[RANDOM] == found.edited[RANDOM]).all()
    assert (other.edited[SAE] == found.edited[SAE]).all()
    assert found.at(RANDOM, 1).success.value < found.at(SAE, 1).success.value
    assert_close(found.whole[RANDOM], found.whole[SAE])


class Lookup:
    """A latent for each activation that it knows, which fires at that one and writes it whole."""

    def __init__(self, known: Tensor) -> None:
        self.known = known

    def encode(self, x: Tensor) -> Tensor:
        return ((x[..., None, :] - self.known).abs().amax(-1) < 1e-9).to(x)

    def decode(self, a: Tensor) -> Tensor:
        return a @ self.known


class Steady(Lookup):
    """Its latents fire, and never change."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.ones(*x.shape[:-1], len(self.known), dtype=x.dtype)


def test_a_dictionary_that_knows_all_needs_two_latents_and_one_that_knows_nothing_does_nothing(
    linear: Linear,
) -> None:
    known = torch.cat([linear.x, linear.y]).unique(dim=0)
    perfect = sparse_control(linear.model, Lookup(known), linear.task, LAST, ks=[1, 2, 4])
    for k in (2, 4):
        assert perfect.at(SAE, k).success[:2] == pytest.approx((1, 0), abs=1e-5)
        assert perfect.at(SAE, k).flipped.value == 1
        assert perfect.at(RANDOM, k).success.value == pytest.approx(1)
    assert perfect.at(SAE, 1).success.value != pytest.approx(1, abs=0.05)
    nothing = sparse_control(linear.model, Steady(known), linear.task, LAST, ks=[1, 4])
    for k in (1, 4, None):
        assert nothing.at(SAE, k) == nothing.at(RANDOM, k)
        assert nothing.at(SAE, k).success[:2] == (0, 0)
        assert nothing.at(SAE, k).flipped.value == 0


def test_all_tokens_from_the_giver_on() -> None:
    """In the first layer the giver's token holds all; a latent is set at every token, and counts once."""
    model = tiny_model(norm=None)
    task, hook_point = tiny_task(model, giver_at=2), "blocks.0.hook_resid_post"
    sae = tiny_sae("own", hook_point, 8, 12)
    found = sparse_control(model, sae, task, hook_point, position="all", ks=[1, 5])
    assert found.carried == pytest.approx(1)
    assert found.at(NEURONS).success.value == pytest.approx(1)
    rows, opposite = (torch.from_numpy(one)[1::2] for one in (task.tokens, task.swapped))
    x, y = (harvest(model, one, hook_point) for one in (rows, opposite))
    answer, other = (torch.from_numpy(one)[1::2, None] for one in (task.answer, task.other))
    moves = (sae.encode(y) - sae.encode(x)).detach()
    leaf = x.clone().requires_grad_()

    def run(put: Tensor) -> Tensor:
        last = model.run_with_hooks(rows, fwd_hooks=[(hook_point, lambda value, hook: put)])[:, -1]
        return (last.gather(1, answer) - last.gather(1, other))[:, 0]

    (slope,) = torch.autograd.grad(run(leaf).sum(), leaf)
    moves[:, :2] = slope[:, :2] = 0
    effect = (moves * (slope @ sae.W_dec.T)).sum(1).abs()
    for at, k in enumerate((1, 5)):
        chosen = torch.zeros_like(effect).scatter_(1, effect.topk(k).indices, 1)
        after = run(x + (moves * chosen[:, None]) @ sae.W_dec).detach().float()
        assert_close(found.edited[SAE][at], after, rtol=1e-4, atol=1e-4)
    giver = sparse_control(model, sae, task, hook_point, position=2)
    assert sparse_control(model, sae, task, hook_point, position=-3).carried == giver.carried != 1


def made_up(clean: list[float], patched: list[float], after: list[list[float]]) -> Control:
    one, other = torch.tensor(clean), torch.tensor(patched)
    return Control((1, 4), one, other, other, {SAE: torch.tensor(after)}, {SAE: other})


def test_success_is_of_sums_and_answers_that_were_wrong_before_are_no_flips() -> None:
    control = made_up([4.0, 2.0, -1.0, 0.2], [-4.0, -2.0, -1.0, 0.0], [[0.0, -1.0, -1.0, 0.2]] * 2)
    success, flipped = control.at(SAE, 1)
    assert success.value == pytest.approx((4 + 3) / (8 + 4 + 0 + 0.2))
    assert flipped == (pytest.approx(1 / 3), pytest.approx(1 / 3), "3 prompts")
    assert success.samples == "4 prompts"
    assert success.error > 0
    assert control.accuracy == pytest.approx(6 / 8)
    assert replace(control, swapped=control.clean - 24.4).carried == pytest.approx(12.2 / 97.6)


def test_one_source_against_another_prompt_by_prompt(found: Control) -> None:
    apart = (found.edited[RANDOM][1] - found.edited[SAE][1]) / (found.clean - found.patched).mean()
    against = found.against(SAE, RANDOM, 3)
    assert against.value == pytest.approx(float(apart.mean()), rel=1e-4)
    assert against.error == pytest.approx(float(apart.std()) / math.sqrt(N / 2), rel=1e-4)
    by_hand = found.at(SAE, 3).success.value - found.at(RANDOM, 3).success.value
    assert against.value == pytest.approx(by_hand, rel=1e-4)


@pytest.fixture(scope="module")
def gemma() -> Any:
    return load_model("gemma-2-2b", "mini", device="cpu", quiet=True)


@pytest.fixture(scope="module")
def prompts(gemma: Any) -> IndirectObjects:
    return indirect_objects(gemma.tokenizer, 64)


def test_the_mini_gemma(gemma: Any, prompts: IndirectObjects) -> None:
    """The last token holds the answer after layer 2: one true feature is the answer, and of the SAE's few."""
    control = sparse_control(gemma, shipped_run("gemma").sae("cpu"), prompts, GEMMA, ks=(1, 4))
    assert control.accuracy > 0.9
    assert control.carried == pytest.approx(1, abs=0.02)
    assert control.at(TRUE, 1).success.value > 0.9
    assert control.at(TRUE, 1).flipped.value == 1
    assert control.against(SAE, RANDOM, 4).seen
    assert 0.1 < control.at(SAE, 1).success.value < control.at(SAE, 4).success.value < 0.9


def test_where_nothing_can_be_measured_it_says_why(gemma: Any, prompts: IndirectObjects) -> None:
    sae = shipped_run("gemma").sae("cpu")
    elsewhere = sparse_control(gemma, sae, prompts, GEMMA, position=prompts.giver_at)
    assert elsewhere.accuracy > 0.9
    assert "at blocks.2.hook_resid_post, token 10, moves the answer -0." in elsewhere.reason
    twin = sparse_control(random_twin("gemma-2-2b", "mini", device="cpu"), sae, prompts, GEMMA)
    assert twin.reason.startswith("the model gives ")
    assert "doesn't do the task" in twin.reason
    for control in (elsewhere, twin):
        assert not control.edited
        assert str(control) == f"not measurable on 32 prompts: {control.reason}"
        assert control._repr_html_() == str(control)
        plain = json.loads(json.dumps(control.as_dict()))
        assert (plain["sources"], plain["reason"]) == (None, control.reason)
        with pytest.raises(CourseError, match="Nothing was measured here: the "):
            control.at(SAE, 1)
        empty = control.figure()
        assert not empty.data
        assert empty.layout.title.text.replace("<br>", " ").startswith("Not measurable: ")
    flat = replace(twin, clean=torch.ones(3), swapped=torch.ones(3), patched=torch.ones(3))
    assert flat.as_dict()["carried"] is None


def test_it_shows_itself(found: Control) -> None:
    text = str(found)
    assert text.startswith("success (and answers flipped) of setting k units, over 60 prompts; the whole")
    assert "k = 1, 3, 6, all\n" in text
    first = found.at(SAE, 1)
    assert f"SAE: {first.success} ({100 * first.flipped.value:.0f} %), " in repr(found)
    html = found._repr_html_()
    assert "<th>k = all</th>" in html
    assert f"<td>{found.at(TRUE, 6).success}" in html
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["sources"][SAE]["1"]["success"] == {
        "value": first.success.value,
        "error": first.success.error,
    }
    assert list(plain["sources"]) == [SAE, TRUE, NEURONS, COMPONENTS, RANDOM]
    assert (plain["prompts"], plain["reason"]) == (60, None)
    assert plain["carried"] == found.carried
    one_right = made_up([4.0, -2.0], [-4.0, -2.5], [[0.0, -1.0]] * 2)
    assert one_right.as_dict()["sources"][SAE]["1"]["flipped"] == {"value": 0.0, "error": None}


def test_the_figure(found: Control) -> None:
    fig = found.figure()
    lines = {line.name: line for line in fig.data}
    assert list(lines) == [SAE, TRUE, NEURONS, COMPONENTS, RANDOM]
    assert list(lines[SAE].x) == [1, 3, 6]
    assert lines[SAE].y[1] == found.at(SAE, 3).success.value
    assert lines[SAE].error_y.array[2] == found.at(SAE, 6).success.error
    assert [name for name, line in lines.items() if line.marker.color == CONTROL] == [RANDOM]
    assert fig.layout.shapes[0].y0 == 1
    assert f"SAE {found.at(SAE, 1).success}" in fig.layout.title.text.replace("<br>", " ")
    assert found.figure("a finding").layout.title.text == "a finding"


def test_errors(linear: Linear, found: Control) -> None:
    model, task, sae = linear.model, linear.task, tiny_sae("own", LAST, 8, 12)

    def refused(said: str, one: IndirectObjects = task, **settings: Any) -> None:
        with pytest.raises(CourseError, match=said):
            sparse_control(model, sae, one, settings.pop("hook_point", LAST), **settings)

    refused(r"ks are numbers of latents, 1 or more; these are \[0, 2\]", ks=[0, 2])
    refused(r"these are \[\]", ks=[])
    refused(r"these are \[1.5\]", ks=[1.5])
    refused("no hook point", hook_point="blocks.9.hook_mlp_out")
    refused(
        r"prompts are \[120, 5\] and their opposites \[120, 4\]", task._replace(swapped=task.swapped[:, 1:])
    )
    refused("position is a place of these prompts of 5 tokens.*this is 5", position=5)
    refused("this is -6", position=-6)
    refused("this is 'last'", position="last")
    refused("choose names prompts that there aren't: there are 120", choose=[300])
    refused("119 of 120 prompts choose", choose=range(119))
    refused("0 of 120 prompts choose", choose=np.zeros(N, dtype=bool))
    refused(r"names with the tokens \[.*\] are in no prompt that chooses", choose=[0])
    with pytest.raises(CourseError, match='no source "twin": there are SAE, true features'):
        found.at("twin", 1)
    with pytest.raises(CourseError, match="k = 2 was not measured: 1, 3, 6 were"):
        found.at(SAE, 2)
    with pytest.raises(CourseError, match="No latent of SAE fires"):
        sparse_control(model, Lookup(torch.zeros(3, 8).double() + 99), task, LAST)


def test_the_prompts_that_choose_may_be_told(linear: Linear) -> None:
    sae = tiny_sae("own", LAST, 8, 12)
    odd = sparse_control(linear.model, sae, linear.task, LAST, choose=range(1, N, 2), ks=[1])
    mask = np.arange(N) % 2 == 1
    again = sparse_control(linear.model, sae, linear.task, LAST, choose=mask, ks=[1], batch=7)
    assert_close(odd.clean, ((linear.x * linear.slope).sum(1) + linear.base)[::2].float())
    for name in odd.edited:
        assert_close(odd.edited[name], again.edited[name], rtol=1e-4, atol=1e-5)
