"""The toys' training loop: instances don't see each other, and its schedules are what they are said to be."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from sae_course import CourseError
from sae_course.data.toys import Sample, ToyWorld, orthogonal_directions, random_directions
from sae_course.evals.dictionaries import dictionary_scores
from sae_course.training.toys import (
    BatchTopK,
    Gated,
    JumpReLUSAE,
    Matryoshka,
    Pass,
    Standard,
    TopK,
    ToySAE,
    train_toys,
)

D_IN, D_SAE = 6, 10


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def world(directions: Tensor, probability: float = 0.2) -> ToyWorld:
    n_features = directions.shape[1]
    return ToyWorld(
        directions=directions,
        probability=torch.full((n_features,), probability),
        magnitude=torch.tensor([(1.0, 0.2)] * n_features),
    )


def worlds(n_inst: int) -> ToyWorld:
    return world(random_directions(n_inst, 8, D_IN, rng(7)))


class Given:
    """Worlds whose activations are given: a batch of every world for each step."""

    def __init__(self, batches: list[Tensor]) -> None:
        self.batches = iter(batches)
        self.n_inst = len(batches[0])

    def sample(self, batch_size: int, generator: torch.Generator) -> Sample:
        activations = next(self.batches)
        assert activations.shape[1] == batch_size
        return Sample(activations, torch.zeros(0))


class Probe(ToySAE):
    """Keeps what it is given, fires as it is told to, and minimises the sum of its decoder.

    That has a constant gradient: Adam moves each number down by just the learning rate.
    """

    def __init__(self, n_inst: int = 1, d_sae: int = 2, latents: Tensor | None = None) -> None:
        super().__init__(n_inst, D_IN, d_sae, rng())
        self.latents = latents
        self.start = self.W_dec.detach().clone()
        self.given: list[Tensor] = []
        self.dead: list[Tensor] = []

    def training_pass(self, h: Tensor, dead: Tensor) -> Pass:
        latents = torch.zeros(1) if self.latents is None else self.latents[len(self.given)]
        self.given.append(h)
        self.dead.append(dead)
        return Pass(latents.expand(*h.shape[:2], dead.shape[-1]), h, self.W_dec.sum((1, 2)))

    def moved(self, snapshot: Tensor) -> float:
        """How far a copy of the decoder has come, the same for every number in it."""
        distance = self.start - snapshot
        assert_close(distance, distance.mean().expand_as(distance), rtol=0, atol=1e-6)
        return float(distance.mean())


Make = Callable[[int, int, int], ToySAE]
VARIANTS: dict[str, Make] = {
    "standard": lambda *sizes: Standard(*sizes, rng(), coefficient=0.1),
    "gated": lambda *sizes: Gated(*sizes, rng(), coefficient=0.1),
    "jumprelu": lambda *sizes: JumpReLUSAE(*sizes, rng(), coefficient=0.05),
    "topk": lambda *sizes: TopK(*sizes, rng(), k=2),
    "batchtopk": lambda *sizes: BatchTopK(*sizes, rng(), k=2, threshold_rate=0.1),
    "matryoshka": lambda *sizes: Matryoshka(*sizes, rng(), k=2, widths=[3, sizes[-1]], threshold_rate=0.1),
}


@pytest.fixture(params=VARIANTS)
def make(request: pytest.FixtureRequest) -> Make:
    return VARIANTS[request.param]


def test_an_instance_among_many_is_the_same_instance_alone(make: Make) -> None:
    source, draw = worlds(4), rng(1)
    batches = [source.sample(32, draw).activations for _ in range(30)]
    settings: dict[str, Any] = {"steps": 30, "batch_size": 32, "dead_window": 3, "lr": 1e-2}
    together = make(4, D_IN, D_SAE)
    start = {name: value.clone() for name, value in together.state_dict().items()}
    train_toys(together, Given(batches), rng(), **settings)
    for i in range(4):
        alone = make(1, D_IN, D_SAE)
        alone.load_state_dict({name: value[i : i + 1] for name, value in start.items()})
        train_toys(alone, Given([batch[i : i + 1] for batch in batches]), rng(), **settings)
        for name, value in alone.state_dict().items():
            # Adam makes as much of a rounding error as of anything else where the gradient vanishes
            assert_close(together.state_dict()[name][i], value[0], rtol=1e-3, atol=2e-4)
        assert (alone.W_dec - start["W_dec"][i]).abs().max() > 0.05


def test_every_variant_learns(make: Make) -> None:
    """The features, and to explain what they make, on worlds that are easy."""
    easy = world(orthogonal_directions(3, 6, D_IN, rng(3)), probability=0.15)
    sae = make(3, D_IN, D_SAE)
    sample = easy.sample(2000, rng(4))

    def scores() -> Any:
        with torch.no_grad():
            latents = sae.encode(sample.activations)
            return dictionary_scores(
                sample.activations,
                sae.decode(latents),
                latents,
                features=sample.features,
                decoder=sae.W_dec,
                directions=easy.directions,
            )

    before = scores()
    train_toys(sae, easy, rng(5), steps=300, batch_size=128, lr=1e-2, dead_window=50)
    after = scores()
    assert after.mcc.mean() > 0.9
    assert (after.mcc > before.mcc + 0.08).all()
    assert after.explained_variance.min() > 0.9


def test_repeated_worlds_give_several_settings_the_same_data() -> None:
    probe = Probe(n_inst=6)
    train_toys(probe, worlds(2), rng(), steps=3, batch_size=4)
    for h in probe.given:
        assert h.shape == (6, 4, D_IN)
        for i in range(6):
            assert torch.equal(h[i], h[i % 2])
        assert not torch.equal(h[0], h[1])
    assert not torch.equal(probe.given[0], probe.given[1])


def test_each_coefficient_is_trained_on_every_world() -> None:
    """Instance 0 and 2 have the same world: of two coefficients, the larger leaves fewer latents."""
    sae = Standard(4, D_IN, D_SAE, rng(), coefficient=[0.02, 0.8])
    train_toys(sae, worlds(2), rng(), steps=150, batch_size=128)
    h = worlds(2).sample(500, rng(1)).activations.repeat(2, 1, 1)
    l0 = (sae.encode(h) > 0).float().sum(-1).mean(-1)
    assert (l0[2:] < 0.8 * l0[:2]).all()


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        (0.5, [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]),
        (1.0, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
        (0.0, [1] * 10),
    ],
)
def test_the_learning_rate_falls_to_0_over_the_last_steps(decay: float, expected: list[float]) -> None:
    """By the steps' lengths; after the last of them it would be 0."""
    probe = Probe()
    kept = train_toys(probe, worlds(1), rng(), steps=10, batch_size=2, lr=0.01, decay=decay, snapshots=10)
    places = [0.0, *(probe.moved(decoder) for decoder in kept)]
    lengths = [(after - before) / 0.01 for before, after in pairwise(places)]
    assert lengths == pytest.approx(expected, abs=1e-4)


def test_a_latent_is_dead_after_so_many_silent_steps() -> None:
    steps, batch = 10, 3
    latents = torch.zeros(steps, 2, batch, 3)
    latents[:, 0, :, 0] = 1  # always
    latents[4, 0, 2, 2] = 0.5  # in step 5, on one sample
    latents[0, 1, 0, 1] = 2  # the other instance: in step 1
    latents[:, 1, :, 2] = -1  # nothing that counts
    probe = Probe(n_inst=2, d_sae=3, latents=latents)
    train_toys(probe, worlds(2), rng(), steps=steps, batch_size=batch, dead_window=3)
    dead = torch.stack(probe.dead)  # [steps inst d_sae]
    since = {(step, i, k) for step, i, k in ((int(s) + 1, int(i), int(k)) for s, i, k in torch.nonzero(dead))}
    never_fired = set(range(4, 11))
    assert since == (
        {(step, 0, 1) for step in never_fired}
        | {(step, 0, 2) for step in (4, 5, 9, 10)}
        | {(step, 1, 0) for step in never_fired}
        | {(step, 1, 1) for step in range(5, 11)}
        | {(step, 1, 2) for step in never_fired}
    )


def test_snapshots_are_copies_evenly_over_the_steps() -> None:
    probe = Probe()
    kept = train_toys(probe, worlds(1), rng(), steps=12, batch_size=2, lr=0.01, decay=0, snapshots=4)
    assert [probe.moved(decoder) / 0.01 for decoder in kept] == pytest.approx([3, 6, 9, 12], abs=1e-3)
    assert not any(decoder.requires_grad for decoder in kept)
    assert train_toys(Probe(), worlds(1), rng(), steps=3, batch_size=2) == []


@pytest.mark.parametrize("snapshots", [1, 3, 7, 10])
def test_as_many_snapshots_as_asked_for_and_the_last_is_the_trained_decoder(snapshots: int) -> None:
    sae = VARIANTS["topk"](2, D_IN, D_SAE)
    kept = train_toys(sae, worlds(2), rng(), steps=10, batch_size=8, snapshots=snapshots)
    assert len(kept) == snapshots
    assert torch.equal(kept[-1], sae.W_dec)
    assert all(not torch.equal(one, other) for one, other in pairwise(kept))


def test_more_snapshots_than_steps() -> None:
    with pytest.raises(CourseError, match="5 snapshots of 4 steps"):
        train_toys(Probe(), worlds(1), rng(), steps=4, batch_size=2, snapshots=5)


def test_worlds_that_do_not_divide_the_instances() -> None:
    with pytest.raises(CourseError, match="3 SAEs can't be spread evenly over 2 worlds"):
        train_toys(Probe(n_inst=3), worlds(2), rng(), steps=1)
    with pytest.raises(CourseError, match="2 SAEs can't be spread evenly over 4 worlds"):
        train_toys(Probe(n_inst=2), worlds(4), rng(), steps=1)


def test_the_same_seeds_give_the_same_weights(make: Make) -> None:
    trained = []
    for data_seed, noise in ((1, 0), (1, 5), (2, 0)):
        with torch.random.fork_rng():
            torch.manual_seed(noise)  # must not matter
            sae = make(2, D_IN, D_SAE)
            train_toys(sae, worlds(2), rng(data_seed), steps=20, batch_size=16, dead_window=5)
            trained.append(sae.state_dict())
    first, again, other = trained
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["W_dec"], other["W_dec"])


def test_a_frozen_decoder_stays(make: Make) -> None:
    sae = make(2, D_IN, D_SAE)
    sae.W_dec.requires_grad_(False)
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    kept = train_toys(sae, worlds(2), rng(), steps=10, batch_size=16, snapshots=2)
    assert all(torch.equal(decoder, before["W_dec"]) for decoder in [*kept, sae.W_dec])
    assert not torch.equal(sae.W_enc, before["W_enc"])
