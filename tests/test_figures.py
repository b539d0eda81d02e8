"""Figures: what they hold, not how they look."""

import numpy as np
import torch

from sae_course.figures import animate_latents, draw_geometry, draw_history, draw_recovery
from sae_course.runs import History


def a_history(steps: int = 100, every: int = 25) -> History:
    history = History(every=every)
    for step in range(steps):
        history.add(step, torch.randn(4, 5, 2), mse=torch.rand(4) / (step + 1), live=torch.ones(4))
    return history


def test_a_history_keeps_what_is_due() -> None:
    history = a_history()
    assert history.steps == [0, 25, 50, 75]
    assert [decoder.shape for decoder in history.decoders] == [(4, 5, 2)] * 4
    assert {name: len(values) for name, values in history.metrics.items()} == {"mse": 4, "live": 4}


def test_a_history_is_a_copy() -> None:
    history, decoder = History(every=1), torch.ones(1, 1, 2)
    history.add(0, decoder)
    decoder += 1
    assert history.decoders[0].max() == 1


def test_the_animation_plays_and_scrubs() -> None:
    fig = animate_latents(torch.randn(4, 2, 5), a_history(), "t", n=3)
    assert [frame.name for frame in fig.frames] == ["0", "25", "50", "75"]
    assert len(fig.layout.sliders[0].steps) == 4
    assert [button.method for button in fig.layout.updatemenus[0].buttons] == ["animate", "animate"]
    assert all(len(frame.data) == 3 and list(frame.traces) == [3, 4, 5] for frame in fig.frames)
    lengths = np.hypot(*(np.array(getattr(fig.frames[0].data[0], axis)[1::3], float) for axis in "xy"))
    assert np.allclose(lengths, 1, atol=2e-3), "latents are drawn at unit length"


def test_the_geometry_has_a_panel_for_every_instance_of_every_group() -> None:
    fig = draw_geometry({"a": torch.randn(4, 2, 5), "b": torch.randn(4, 2, 5)}, "t", n=3)
    assert len(fig.data) == 6


def test_curves_show_every_instance_and_their_mean() -> None:
    history = a_history()
    fig = draw_history(history, "t")
    assert len(fig.data) == 2 * (4 + 1)
    assert np.allclose(fig.data[4].y, np.round(np.stack(history.metrics["mse"]).mean(1), 4))


def test_controls_are_grey() -> None:
    fig = draw_recovery({"none": [1, 2], "control": [0, 0]}, 16, "t", controls=["control"])
    colours = fig.data[0].marker.color
    assert colours[0] != colours[1] == "#999999"
    assert list(fig.data[1].x) == [1, 2, 0, 0]
