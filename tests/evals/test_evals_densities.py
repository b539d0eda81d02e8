"""How often latents fire, counted by hand; and the histogram that drops no dead latent."""

import math

import numpy as np
import pytest
import torch
from known import HOOK, Identity, Own, theirs
from torch import Tensor

from sae_course.evals import densities, latent_activations
from sae_course.figures.densities import Density, draw_densities
from sae_course.runtime import CourseError
from sae_course.runtime.theme import CONTROL


def counted() -> Tensor:
    """Four latents over 8 tokens: always, every other, once, never."""
    x = torch.zeros(8, 4)
    x[:, 0], x[::2, 1], x[3, 2] = 2, torch.tensor([1.0, 2, 3, 4]), 5
    return x


def test_by_hand() -> None:
    found = densities(Identity(), counted())
    assert found.fire.tolist() == [1, 0.5, 0.125, 0]
    assert found.n_tokens == 8
    assert found.dead.tolist() == [False, False, False, True]
    assert found.dead_fraction == 0.25
    assert found.l0 == 1.625
    assert found.mean_activation[:3].tolist() == [2, 2.5, 5]
    assert math.isnan(found.mean_activation[3])
    assert "dead: 1 (25.0 %) never fired over 8 tokens" in str(found)
    assert found.as_dict()["mean_activation"][3] is None
    assert "never fired over 8 tokens" in found._repr_html_()


def test_an_iterator_is_read_once_and_gives_the_same(activations: Tensor) -> None:
    sae = Own(128, 40)
    whole = densities(sae, activations, chunk=33)
    parts = densities(sae, (activations[i : i + 3] for i in range(0, 10, 3)))
    assert torch.equal(whole.fire, parts.fire)
    assert whole.n_tokens == parts.n_tokens == 480
    a = sae.encode(activations).detach()
    torch.testing.assert_close(whole.fire, (a > 0).double().mean((0, 1)))
    torch.testing.assert_close(latent_activations(sae, activations, chunk=50), a)


def test_errors(activations: Tensor) -> None:
    with pytest.raises(CourseError, match="nothing was counted"):
        densities(Identity(), [])
    with pytest.raises(CourseError, match="width 64"):
        densities(theirs(HOOK, 64), activations)
    with pytest.raises(CourseError, match="width 64"):
        latent_activations(theirs(HOOK, 64), activations)


def test_the_figure_holds_every_latent() -> None:
    g = torch.Generator().manual_seed(0)
    rates = 10 ** (-3 * torch.rand(50, generator=g))
    x = (torch.rand(400, 50, generator=g) < rates).float()
    x[:, :7] = 0
    found = densities(Identity(), x)
    fig = found.figure(controls={"twin": densities(Identity(), counted())})
    bars, outline = [next(t for t in fig.data if t.type == kind) for kind in ("bar", "scatter")]
    assert bars.y[0] == pytest.approx(100 * found.dead_fraction)
    assert sum(bars.y) == pytest.approx(100, abs=0.1)
    assert bars.x[0] < min(bars.x[1:])
    assert outline.line.color == CONTROL
    assert outline.name.startswith("twin (control): 25.0 % dead over 8 tokens")
    assert "over 400 tokens" in bars.name
    assert "dead over 400 tokens" in fig.layout.title.text.replace("<br>", " ")
    assert found.figure("mine").layout.title.text == "mine"
    # The highest bar is where most latents are.
    middle = bars.x[1 + int(np.argmax(bars.y[1:]))]
    near = (found.fire[found.fire > 0].log10() - middle).abs() < 1 / 16 + 1e-9
    assert 100 * int(near.sum()) / 50 == pytest.approx(max(bars.y[1:]), abs=0.01)


def test_a_figure_of_nothing_but_dead_latents() -> None:
    fig = draw_densities([Density("latents", np.zeros(5), 100)], "all dead")
    assert fig.data[0].y[0] == 100
    assert "all dead" in densities(Identity(), torch.zeros(3, 2)).figure("all dead").layout.title.text
    assert (
        "100.0 % of latents are dead" in densities(Identity(), torch.zeros(3, 2)).figure().layout.title.text
    )


def test_always_on_latents_are_in_the_last_bin() -> None:
    fig = densities(Identity(), torch.ones(30, 2)).figure()
    assert fig.data[0].y[-1] == 100
