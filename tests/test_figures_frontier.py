"""The figure of what sparsity costs."""

import numpy as np

from sae_course.figures.frontier import draw_frontier
from sae_course.runtime.theme import CONTROL


def test_points_are_joined_in_the_order_of_their_l0_and_controls_are_grey() -> None:
    fig = draw_frontier(
        {
            "TopK": (np.array([8.0, 4.0, 16.0]), np.array([0.9, 0.8, 0.95])),
            "random": (np.array([4.0]), np.array([0.1])),
        },
        "the finding",
        controls=["random"],
    )
    first, second = fig.data
    assert (list(first.x), list(first.y)) == ([4.0, 8.0, 16.0], [0.8, 0.9, 0.95])
    assert first.line.color != CONTROL
    assert second.marker.color == CONTROL
    assert "the finding" in fig.layout.title.text
    assert "L0" in fig.layout.xaxis.title.text
