"""The buffer serves what SAELens' own would, and goes on from its state."""

import json
from typing import Any

import pytest
import torch
from sae_lens.training.mixing_buffer import mixing_buffer
from small import NAME, small

from sae_course import CourseError
from sae_course.models import load_model
from sae_course.runtime.streams import stream_seed
from sae_course.training.assemble import runner_for
from sae_course.training.buffer import Buffer
from sae_course.training.source import find

HOOKS = ["blocks.0.hook_mlp_out", "blocks.0.hook_resid_pre"]


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    return load_model(NAME, "mini", quiet=True)


def store(model: Any, **changes: Any) -> Any:
    cfgs = {hook: small(hook_name=hook, **changes) for hook in HOOKS}
    cfg = cfgs[HOOKS[0]]
    return runner_for(cfgs, find(cfg, model)).activations_store


@pytest.mark.parametrize("mix", [0.0, 0.5, 0.9])
def test_batches_are_those_of_saelens_mixing_buffer(model: Any, mix: float) -> None:
    ours = Buffer(store(model, activations_mixing_fraction=mix), HOOKS, seed=3)
    theirs_store = store(model, activations_mixing_fraction=mix)

    def activations() -> Any:
        while True:
            acts = theirs_store.get_multi_hook_activations(theirs_store.get_batch_tokens(8))
            yield torch.cat([acts[hook].flatten(0, 1) for hook in HOOKS], dim=1)

    torch.manual_seed(stream_seed("buffer", 3))
    theirs = mixing_buffer(ours.size, ours.batch_size, activations(), mix)
    for _ in range(12):
        found, wanted = next(ours), next(theirs)
        torch.testing.assert_close(torch.cat([found[hook] for hook in HOOKS], dim=1), wanted)


def test_a_batch_mixes_rows(model: Any) -> None:
    """Neighbours in a row are alike; in a mixed batch they are no more so than any two tokens."""

    def likeness(mix: float) -> float:
        batch = next(Buffer(store(model, activations_mixing_fraction=mix), HOOKS, seed=0))[HOOKS[1]]
        embedded = batch - batch.mean(0)
        return torch.nn.functional.cosine_similarity(embedded[1:], embedded[:-1]).mean().item()

    assert likeness(0.0) - likeness(0.5) > 0.03


@pytest.mark.parametrize("after", [0, 1, 4, 7])
def test_a_buffer_goes_on_from_its_state(model: Any, after: int) -> None:
    one = Buffer(store(model), HOOKS, seed=0)
    for _ in range(after):
        next(one)
    tensors, numbers = one.state()
    tensors, numbers = (
        {name: value.clone() for name, value in tensors.items()},
        json.loads(json.dumps(numbers)),
    )
    other = Buffer(store(model), HOOKS, seed=0)
    other.load(tensors, numbers)
    for _ in range(10):
        found, wanted = next(other), next(one)
        assert all(torch.equal(found[hook], wanted[hook]) for hook in HOOKS)


def test_data_that_cannot_say_where_they_are_are_read_again(model: Any) -> None:
    """A finite data set of rows, and its second time through."""
    from datasets import Dataset  # noqa: PLC0415

    tokens = torch.randint(4, 1000, (100, 32)).tolist()
    data = Dataset.from_dict({"tokens": tokens})

    def buffer() -> Buffer:
        cfg = small()
        source = find(cfg, model, data)
        return Buffer(runner_for({"a": cfg}, source).activations_store, HOOKS[:1], seed=0)

    one = buffer()
    for _ in range(9):
        next(one)
    tensors, numbers = one.state()
    other = buffer()
    other.load(tensors, numbers)
    for _ in range(12):  # past the end of the 90 rows that are not held out
        assert torch.equal(next(other)[HOOKS[0]], next(one)[HOOKS[0]])


def test_a_stream_begins_its_second_epoch_at_its_beginning_after_a_resume(model: Any) -> None:
    from datasets import Dataset  # noqa: PLC0415

    rows = torch.arange(4, 4 + 100 * 32).reshape(100, 32).remainder(1000).clamp(min=4).tolist()

    def buffer() -> Buffer:
        cfg = small()
        source = find(cfg, model)
        stream = Dataset.from_dict({"tokens": rows}).to_iterable_dataset()
        source = type(source)(source.model, stream, source.held_out)
        return Buffer(runner_for({"a": cfg}, source).activations_store, HOOKS[:1], seed=0)

    one = buffer()
    for _ in range(8):
        next(one)
    tensors, numbers = one.state()
    assert numbers["position"]["dataset"] is not None
    other = buffer()
    other.load(tensors, numbers)
    for _ in range(30):
        assert torch.equal(next(other)[HOOKS[0]], next(one)[HOOKS[0]])


@pytest.mark.parametrize("direction", ["hub first", "prefetched first"])
def test_the_same_rows_from_another_place_are_read_up_to_the_row(model: Any, direction: str) -> None:
    """A run that began on the hub's stream goes on from prefetched rows, and the other way round."""
    from datasets import Dataset, IterableDataset  # noqa: PLC0415

    rows = torch.randint(4, 1000, (400, 32), generator=torch.Generator().manual_seed(0)).tolist()

    def kept(parts: list[int]) -> Any:
        for part in parts:
            for row in rows[part : part + 40]:
                yield {"tokens": row}

    streams = [
        lambda: Dataset.from_dict({"tokens": rows}).to_iterable_dataset().skip(20),
        lambda: (
            IterableDataset.from_generator(kept, gen_kwargs={"parts": [*range(0, 400, 40)]})
            .skip(20)
            .map(lambda row: row)
        ),
    ]

    def buffer(stream: Any) -> Buffer:
        source = find(small(), model)
        source = type(source)(source.model, stream(), source.held_out)
        return Buffer(runner_for({"a": small()}, source).activations_store, HOOKS[:1], seed=0)

    first, second = streams if direction == "hub first" else streams[::-1]
    one, other = buffer(first), buffer(second)
    for _ in range(8):
        next(one)
    tensors, numbers = one.state()
    other.load(tensors, json.loads(json.dumps(numbers)))
    for _ in range(10):
        assert torch.equal(next(other)[HOOKS[0]], next(one)[HOOKS[0]])


def test_a_buffer_smaller_than_a_batch_is_refused_with_the_number_that_would_do(model: Any) -> None:
    with pytest.raises(CourseError, match=r"holds 128 tokens .* at least 8"):
        Buffer(store(model, n_batches_in_buffer=4), HOOKS, seed=0)


def test_excluded_tokens_are_in_no_batch(model: Any) -> None:
    everything = store(model)
    ids = everything.get_batch_tokens(8).flatten().unique().tolist()
    excluded = store(model, exclude_special_tokens=ids[:5])
    buffer = Buffer(excluded, HOOKS, seed=0)
    bos = everything.get_multi_hook_activations(torch.tensor([[ids[0]] * 2]))[HOOKS[1]][0, 0]
    assert not any(torch.isclose(batch, bos, atol=1e-6).all(-1).any() for batch in [next(buffer)[HOOKS[1]]])
