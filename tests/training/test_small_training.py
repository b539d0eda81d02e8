"""Chapter 07's small training: repeatable, learning, and in need of every part of its state."""

import copy

import pytest
import torch

from sae_course.checks.cases import make_cases
from sae_course.checks.ch07 import resuming
from sae_course.training.small_training import SmallTraining

WEIGHTS = ("W_enc", "b_enc", "W_dec", "b_dec")
PARTS = ("sae", "optimizer", "schedule", "draws", "order", "position", "since_fired", "steps")
STOP, STEPS = 9, 40
SETTINGS = {"d_sae": 24, "batch": 12, "lr": 0.01, "l1": 0.5, "total": 60, "window": 6}


@pytest.fixture(autouse=True)
def one_thread():
    """A second one is slower, for tensors as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def x():
    """All on one side, so that many directions never fire; no whole number of batches."""
    draws = torch.Generator().manual_seed(3)
    away = torch.randn(8, generator=draws)
    return torch.randn(53, 8, generator=draws) + 8 * away / away.norm()


def weights(training):
    return {name: getattr(training.sae, name).detach().clone() for name in WEIGHTS}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in WEIGHTS)


def resumed(x, without=()):
    """The weights at the end of a training that was resumed without some parts of its state."""
    stopped = SmallTraining(x, seed=1, **SETTINGS)
    stopped.run(STOP)
    held = copy.deepcopy(stopped)
    training = SmallTraining(x, seed=2, **SETTINGS)
    for part in {"sae", "optimizer", "schedule"} - set(without):
        getattr(training, part).load_state_dict(getattr(held, part).state_dict())
    if "draws" not in without:
        training.draws.set_state(held.draws.get_state())
    for part in {"order", "position", "since_fired", "steps"} - set(without):
        setattr(training, part, getattr(held, part))
    training.run(STEPS - STOP)
    return weights(training)


@pytest.fixture(scope="module")
def whole(x):
    training = SmallTraining(x, seed=1, **SETTINGS)
    training.run(STEPS)
    return weights(training)


def test_a_seed_decides_everything(x, whole):
    again, other = (SmallTraining(x, seed=seed, **SETTINGS) for seed in (1, 2))
    torch.manual_seed(99)
    again.run(STEPS)
    other.run(STEPS)
    assert same(weights(again), whole)
    assert not same(weights(other), whole)


def test_it_learns(x):
    """From the full coefficient on, the loss falls; and the error falls to less than that of the mean."""
    training = SmallTraining(x, seed=1, **SETTINGS | {"total": 400, "window": 50})
    training.run(100)
    early = sum(training.step() for _ in range(20)) / 20
    training.run(260)
    late = sum(training.step() for _ in range(20)) / 20
    assert late < 0.9 * early
    error = (training.sae(x)[1] - x).square().sum(dim=1).mean()
    assert error < (x - x.mean(dim=0)).square().sum(dim=1).mean()


def test_the_state_is_enough(x, whole):
    assert same(resumed(x), whole)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_state_matters(x, whole, part):
    assert not same(resumed(x, without=(part,)), whole)


def test_silent_latents_begin_again(x):
    """After a window, in directions of length 1, with no bias, and counted from 0."""
    training = SmallTraining(x, seed=1, **SETTINGS)
    training.run(SETTINGS["window"] - 1)
    silent = training.since_fired == SETTINGS["window"] - 1
    assert silent.any()
    assert not silent.all()
    before = weights(training)
    training.step()
    begun = silent & (training.since_fired == 0)
    assert begun.any()
    after = weights(training)
    fresh = (after["W_dec"] == after["W_enc"].T).all(dim=1)
    assert torch.equal(fresh, begun)
    assert torch.allclose(after["W_dec"][begun].norm(dim=1), torch.tensor(1.0))
    assert not after["b_enc"][begun].any()
    assert not (after["W_dec"][begun] == before["W_dec"][begun]).any()


def test_each_pass_reads_an_order_of_its_own(x):
    """Whole batches, none of an activation twice; then another order."""
    training = SmallTraining(x, seed=1, **SETTINGS)
    passes = []
    for _ in range(3):
        places = []
        for _ in range(len(x) // SETTINGS["batch"]):
            training.step()
            places += training.order[training.position - SETTINGS["batch"] : training.position].tolist()
        assert len(set(places)) == len(places) == 48
        passes.append(places)
    assert passes[0] != passes[1] != passes[2]


def test_the_coefficient_and_the_rate_change(x):
    training = SmallTraining(x, seed=1, **SETTINGS)
    training.run(SETTINGS["total"])
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * SETTINGS["lr"])
    plain, heavy = (SmallTraining(x, seed=1, **SETTINGS | {"l1": l1}) for l1 in (0.0, 60.0))
    # Of the full coefficient, a fifteenth at the first step.
    extra = heavy.step() - plain.step()
    start = SmallTraining(x, seed=1, **SETTINGS)
    with torch.no_grad():
        acts = start.sae(x[start.order[: SETTINGS["batch"]]])[0]
        sparsity = float((acts * start.sae.W_dec.norm(dim=1)).sum(dim=1).mean())
    assert extra == pytest.approx(60 / 15 * sparsity, rel=1e-3)


def test_too_few_activations_are_refused():
    with pytest.raises(ValueError, match="a batch is 64 activations, and there are 63"):
        SmallTraining(torch.randn(63, 4))
    SmallTraining(torch.randn(64, 4)).run(2)


@pytest.mark.parametrize("seed", range(6))
def test_the_plans_of_the_check(seed):
    """Each stops in three places; what its interruptions are about comes after them, too."""
    for case in make_cases(3, torch.Generator().manual_seed(seed), "cpu", {}):
        plan = resuming.plan_of(case)
        assert len(set(plan.stops)) == 3
        training = resuming._Watched(plan.x, seed=plan.seed, **plan.settings)
        revived, position = [False], [0]
        for _ in range(plan.steps):
            training.step()
            revived.append(training.revived)
            position.append(training.position)
        batch, last = plan.settings["batch"], plan.stops[-1]
        assert any(revived[stop + 1] for stop in plan.stops)
        assert any(position[stop] == batch for stop in plan.stops)
        assert any(position[stop] > batch for stop in plan.stops)
        assert any(revived[last + 1 :])
        assert batch in position[last + 1 :]
        assert plan.stops[1] < plan.settings["total"] / 4
        assert same(weights(training), plan.end)
