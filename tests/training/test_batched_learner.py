"""The batched learner as a training loop sees it: resume, threads, and which configurations it takes."""

import copy
import json
from typing import Any

import pytest
import torch
from batched_cases import ARCHITECTURES, batches, configs, new_saes, scalers
from sae_lens import JumpReLUTrainingSAEConfig

from sae_course.training.batched import BatchedLearner, can_batch
from sae_course.training.batched.workers import Workers


def _learner(cfgs: dict[str, Any]) -> BatchedLearner:
    return BatchedLearner(cfgs, new_saes(cfgs), scalers(cfgs))


def _state(learner: BatchedLearner) -> dict[str, torch.Tensor]:
    tensors, numbers = learner.state()
    return {**tensors, "numbers": torch.tensor(list(json.dumps(numbers).encode()))}


def _assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert not [name for name in one if not torch.equal(one[name], other[name])]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_resumed_learner_is_the_uninterrupted_one_bit_for_bit(architecture: str) -> None:
    cfgs, data = configs(architecture), batches(20)
    learner = _learner(cfgs)
    for batch in data[:10]:
        learner.step(batch)
    tensors, numbers = copy.deepcopy(learner.state())
    for batch in data[10:]:
        learner.step(batch)

    resumed = _learner(cfgs)
    resumed.load(tensors, json.loads(json.dumps(numbers)))
    _assert_equal(_state(resumed), {**tensors, "numbers": torch.tensor(list(json.dumps(numbers).encode()))})
    for batch in data[10:]:
        resumed.step(batch)
    _assert_equal(_state(resumed), _state(learner))
    resumed.logging = learner.logging = True
    for one in (resumed, learner):
        one.window()
        one.step(data[0])
    assert resumed.log() == learner.log()
    assert learner.log_feature_sparsity().keys() == resumed.saes().keys() == cfgs.keys()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_more_threads_give_the_same_numbers(architecture: str) -> None:
    cfgs, before = configs(architecture), torch.get_num_threads()
    states = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            learner = _learner(cfgs)
            for batch in batches(5):
                learner.step(batch)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        states.append(_state(learner))
    _assert_equal(*states)


def test_a_workers_error_reaches_the_caller() -> None:
    before = torch.get_num_threads()
    done: list[int] = []

    def fail() -> None:
        raise ZeroDivisionError

    torch.set_num_threads(2)
    try:
        workers = Workers(2)
        with pytest.raises(ZeroDivisionError):
            workers.run([fail, lambda: done.append(1)])
        assert done == [1]
        assert torch.get_num_threads() == 2
        workers.close()
    finally:
        torch.set_num_threads(before)


def test_metrics_are_kept_only_of_logged_steps() -> None:
    learner = _learner(configs("standard"))
    learner.step(batches(1)[0])
    with pytest.raises(AssertionError, match="no step was made"):
        learner.log()


def test_it_takes_what_differs_in_numbers() -> None:
    for architecture in ARCHITECTURES:
        assert can_batch(configs(architecture)) == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hook_name": "blocks.0.hook_resid_post"}, "hook_name"),
        ({"train_batch_size_tokens": 32}, "train_batch_size_tokens"),
        ({"autocast": True}, "autocast"),
        ({"context_size": 64}, "context_size"),
        ({"sae": {"d_sae": 16}}, "d_sae"),
        ({"sae": {"apply_b_dec_to_input": False}}, "apply_b_dec_to_input"),
        ({"sae": {"normalize_activations": "expected_average_only_in"}}, "normalize_activations"),
        ({"sae": {"rescale_acts_by_decoder_norm": False}}, "rescale_acts_by_decoder_norm"),
    ],
)
def test_it_refuses_one_that_differs_in_more(change: dict[str, Any], word: str) -> None:
    cfgs = configs("topk")
    cfgs["run-2"] = configs("topk", **change)["run-2"]
    assert word in can_batch(cfgs)
    assert "run-2" in can_batch(cfgs)


def test_it_refuses_different_architectures() -> None:
    mixed = {**configs("topk"), "other": configs("batchtopk")["run-0"]}
    assert "batchtopk" in can_batch(mixed)


@pytest.mark.parametrize(
    ("architecture", "sae", "change", "word"),
    [
        ("standard", {"lp_norm": 0.5}, {}, "lp_norm"),
        ("standard", {"dtype": "bfloat16"}, {}, "bfloat16"),
        ("topk", {"normalize_activations": "layer_norm"}, {}, "layer_norm"),
        ("topk", {}, {"compile_sae": True}, "compile_sae"),
    ],
)
def test_it_refuses_what_only_saelens_computes(
    architecture: str, sae: dict[str, Any], change: dict[str, Any], word: str
) -> None:
    assert word in can_batch(configs(architecture, sae, **change))


def test_it_refuses_other_architectures() -> None:
    cfgs = configs("standard")
    for cfg in cfgs.values():
        cfg.sae = JumpReLUTrainingSAEConfig(d_in=12, d_sae=40)
    assert "jumprelu" in can_batch(cfgs)
