"""Every score of a dictionary is SAELens' own, instance by instance, or that of a slow loop."""

import itertools
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sae_lens.evals import ExplainedVarianceCalculator
from sae_lens.synthetic import evals as theirs
from torch import Tensor
from torch.testing import assert_close

from sae_course import CourseError
from sae_course.data.toys import ToyWorld, orthogonal_directions, random_directions
from sae_course.evals.dictionaries import (
    DictionaryScores,
    cosines,
    detection,
    dictionary_scores,
    paired_cosine,
)

N, BATCH, D_IN = 4, 60, 6
SHAPES = [(12, 7), (5, 9), (8, 8), (1, 3), (3, 1)]
"""Latents and features."""


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def case(d_sae: int, n_features: int, seed: int = 0) -> dict[str, Tensor]:
    """Random, and troublesome: dead latents, silent samples, a latent below 0, a decoder vector of 0."""
    draw = rng(seed)
    features = torch.randn(N, BATCH, n_features, generator=draw).relu()
    directions = random_directions(N, n_features, D_IN, draw)
    latents = (torch.randn(N, BATCH, d_sae, generator=draw) - 0.5).relu()
    if d_sae > 2:
        latents[0, :, 0] = 0
        latents[1, :, -2:] = 0
        latents[2, :, 1] *= -1
    latents[3, :, 0] = 1  # always
    features[:, 0] = features[:, 7] = 0
    decoder = torch.randn(N, d_sae, D_IN, generator=draw) * torch.rand(N, d_sae, 1, generator=draw) * 5
    decoder[1, 0] = 0
    activations = features @ directions
    reconstruction = 0.7 * activations + 0.2 * torch.randn(N, BATCH, D_IN, generator=draw)
    reconstruction[:, 5] = 0
    return {
        "activations": activations,
        "reconstruction": reconstruction,
        "latents": latents,
        "features": features,
        "decoder": decoder,
        "directions": directions,
    }


def scored(tensors: dict[str, Tensor]) -> DictionaryScores:
    return dictionary_scores(**tensors)


def slow_explained_variance(activations: Tensor, reconstruction: Tensor) -> float:
    mean = [sum(float(row[d]) for row in activations) / len(activations) for d in range(D_IN)]
    error = spread = 0.0
    for row, output in zip(activations, reconstruction, strict=True):
        for d in range(D_IN):
            error += (float(row[d]) - float(output[d])) ** 2
            spread += (float(row[d]) - mean[d]) ** 2
    return 1 - error / spread


def slow_decoder_cosines(decoder: Tensor) -> list[float]:
    found = []
    for i, one in enumerate(decoder.double()):
        for j, other in enumerate(decoder.double()):
            if i != j:
                lengths = float(one.norm() * other.norm())
                found.append(float((one * other).sum()) / lengths if lengths else 0.0)
    return found


def saelens_scores(tensors: dict[str, Tensor], i: int) -> dict[str, float]:
    """Of one instance."""
    own = {name: value[i] for name, value in tensors.items()}
    detected = theirs.compute_classification_metrics(
        own["latents"], own["features"], own["decoder"], own["directions"]
    )
    l0, dead = theirs.L0Calculator(), theirs.DeadLatentsCalculator(own["latents"].shape[1])
    shrinkage, explained = theirs.ShrinkageCalculator(), ExplainedVarianceCalculator()
    for part in (slice(0, 25), slice(25, None)):
        l0.add_batch(own["latents"][part])
        dead.add_batch(own["latents"][part])
        shrinkage.add_batch(own["reconstruction"][part], own["activations"][part])
        explained.add_batch(own["reconstruction"][part], own["activations"][part])
    return {
        "explained_variance": explained.compute(),
        "mcc": theirs.mean_correlation_coefficient(own["decoder"], own["directions"]),
        "f1": detected.f1_score,
        "precision": detected.precision,
        "recall": detected.recall,
        "l0": l0.compute(),
        "shrinkage": shrinkage.compute(),
        "dead": dead.compute() / own["latents"].shape[1],
    }


@pytest.mark.parametrize(("d_sae", "n_features"), SHAPES)
def test_every_score_is_saelens_or_a_slow_loops(d_sae: int, n_features: int) -> None:
    tensors = case(d_sae, n_features)
    scores = scored(tensors)
    rows = scores.rows()
    assert len(rows) == N
    for i, row in enumerate(rows):
        expected = saelens_scores(tensors, i)
        pairs = slow_decoder_cosines(tensors["decoder"][i])
        expected["decoder_cosine"] = sum(map(abs, pairs)) / len(pairs) if pairs else 0.0
        expected["least_decoder_cosine"] = min(pairs, default=1.0)
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
        slow = slow_explained_variance(tensors["activations"][i], tensors["reconstruction"][i])
        assert row["explained_variance"] == pytest.approx(slow, rel=1e-4)
    # Instances are their own: no two of them agree by chance, or the comparison says little.
    assert len({round(row["explained_variance"], 5) for row in rows}) == N
    if d_sae > 2:
        assert {row["dead"] > 0 for row in rows} == {True, False}


@pytest.mark.parametrize(("d_sae", "n_features"), SHAPES)
def test_each_latents_detection_by_a_slow_loop(d_sae: int, n_features: int) -> None:
    tensors = case(d_sae, n_features, seed=1)
    fires, present = tensors["latents"] != 0, tensors["features"] > 0
    cosine = cosines(tensors["decoder"], tensors["directions"])
    for i in range(N):
        for k in range(d_sae):
            best = max(range(n_features), key=lambda f: abs(float(cosine[i, k, f])))
            said, true = fires[i, :, k].tolist(), present[i, :, best].tolist()
            hits = sum(a and b for a, b in zip(said, true, strict=True))
            precision = hits / sum(said) if any(said) else 0.0
            recall = hits / sum(true) if any(true) else 0.0
            f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
            found = [float(one[i, k]) for one in detection(fires, present, cosine)]
            assert found == pytest.approx([precision, recall, f1])


def test_one_row_for_each_instance_with_every_score() -> None:
    scores = scored(case(5, 9))
    names = [field.name for field in fields(DictionaryScores)]
    for i, row in enumerate(scores.rows()):
        assert list(row) == names
        assert all(isinstance(value, float) for value in row.values())
        assert row == {name: float(getattr(scores, name)[i]) for name in names}


@pytest.mark.parametrize("orthogonal", [True, False])
def test_the_truth_scores_1(orthogonal: bool) -> None:
    """In any order and length, and with either sign where the latent's sign makes up for it."""
    make = orthogonal_directions if orthogonal else random_directions
    world = ToyWorld(
        directions=make(N, 6, 8, rng(1)),
        probability=torch.full((6,), 0.3),
        magnitude=torch.tensor([(1.0, 0.1)] * 6),
    )
    sample = world.sample(400, rng(2))
    order, length = torch.randperm(6, generator=rng(3)), 0.1 + 3 * torch.rand(6, generator=rng(4))
    decoder = world.directions[:, order] * length[:, None]
    latents = sample.features[..., order] / length
    scores = dictionary_scores(
        sample.activations,
        latents @ decoder,
        latents,
        features=sample.features,
        decoder=decoder,
        directions=world.directions,
    )
    for name in ("explained_variance", "mcc", "f1", "precision", "recall", "shrinkage"):
        assert_close(getattr(scores, name), torch.ones(N), msg=name)
    assert not scores.dead.any()
    assert_close(scores.l0, (sample.features > 0).float().sum(-1).mean(-1))
    if orthogonal:
        assert_close(scores.decoder_cosine, torch.zeros(N))
    # Half of the dictionary finds half of the features, and the dead half is no detector at all.
    latents[..., 3:] = 0
    half = dictionary_scores(
        sample.activations,
        latents @ decoder,
        latents,
        features=sample.features,
        decoder=decoder,
        directions=world.directions,
    )
    assert_close(half.f1, torch.full((N,), 0.5))
    assert_close(half.dead, torch.full((N,), 0.5))
    assert_close(half.mcc, torch.ones(N))  # which looks at decoders only
    assert (half.explained_variance < 0.9).all()


def test_silence_is_dead_and_shrunk_to_nothing() -> None:
    silent = case(5, 9) | {"latents": torch.zeros(N, BATCH, 5), "reconstruction": torch.zeros(N, BATCH, D_IN)}
    scores = scored(silent)
    for name in ("f1", "precision", "recall", "l0", "shrinkage"):
        assert not getattr(scores, name).any(), name
    assert (scores.dead == 1).all()
    assert (scores.explained_variance <= 0).all(), "the mean would do better"


def test_a_negative_pair_of_latents_is_seen() -> None:
    tensors = case(5, 9)
    tensors["decoder"][2, 4] = -3 * tensors["decoder"][2, 0]
    assert scored(tensors).least_decoder_cosine[2].item() == pytest.approx(-1)


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 3), (3, 5), (1, 4)])
def test_the_pairing_is_the_best_of_all(n: int, m: int) -> None:
    values = torch.rand(3, n, m, generator=rng(n)) * 2 - 1
    found = paired_cosine(values)
    for i, one in enumerate(values.abs()):
        table = one if n <= m else one.T
        best = max(
            sum(float(table[row, column]) for row, column in enumerate(columns)) / len(table)
            for columns in itertools.permutations(range(max(n, m)), min(n, m))
        )
        assert found[i].item() == pytest.approx(best)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), d_sae=st.integers(1, 7), n_features=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_mcc_knows_no_order_length_or_sign(data: Any, d_sae: int, n_features: int, seed: int) -> None:
    draw = rng(seed)
    decoder = torch.randn(1, d_sae, D_IN, generator=draw)
    directions = torch.randn(1, n_features, D_IN, generator=draw)
    order = data.draw(st.permutations(range(d_sae)))
    scale = torch.tensor(data.draw(st.lists(st.floats(0.01, 100), min_size=d_sae, max_size=d_sae)))
    sign = torch.tensor(data.draw(st.lists(st.sampled_from([-1, 1]), min_size=d_sae, max_size=d_sae)))
    changed = (decoder * (scale * sign)[:, None])[:, order]
    before = paired_cosine(cosines(decoder, directions))
    assert_close(paired_cosine(cosines(changed, directions)), before, rtol=1e-4, atol=1e-6)
    assert_close(paired_cosine(cosines(directions, decoder)), before, rtol=1e-4, atol=1e-6)
    assert 0 < before.item() <= 1 + 1e-6
    # What is in the dictionary already can be added at no loss, and is found.
    both = torch.cat([decoder, directions], dim=1)
    assert paired_cosine(cosines(both, directions)).item() == pytest.approx(1, abs=1e-5)


def shorter(tensors: dict[str, Tensor], name: str, axis: int) -> dict[str, Tensor]:
    return tensors | {name: tensors[name].narrow(axis, 0, 1)}


@pytest.mark.parametrize(
    "name", ["activations", "reconstruction", "latents", "features", "decoder", "directions"]
)
def test_instances_that_do_not_fit(name: str) -> None:
    with pytest.raises(CourseError, match="same number of instances"):
        scored(shorter(case(5, 9), name, 0))


@pytest.mark.parametrize("name", ["activations", "reconstruction", "latents", "features"])
def test_batches_that_do_not_fit(name: str) -> None:
    with pytest.raises(CourseError, match="same batch"):
        scored(shorter(case(5, 9), name, 1))
