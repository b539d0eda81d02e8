"""A figure of memory: a bar for each phase of a training, in parts, below what the machine has."""

from collections.abc import Mapping

import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

GIB = 2**30


def draw_memory(
    parts: Mapping[str, Mapping[str, int]], memory: int | None, title: str, *, phases: str = "phase"
) -> go.Figure:
    """Stacked bars.

    Args:
        parts: part -> phase -> bytes; phases in the order in which they appear.
        memory: what there is, in bytes; drawn as a line where it is known.
        title: the finding.
    """
    names = list(dict.fromkeys(phase for row in parts.values() for phase in row))
    fig = go.Figure()
    for number, (part, row) in enumerate(parts.items()):
        again = number // len(PALETTE)  # colours that come again are hatched
        fig.add_bar(
            x=names,
            y=[row.get(name, 0) / GIB for name in names],
            name=part,
            marker={
                "color": PALETTE[number % len(PALETTE)],
                "pattern": {"shape": "/" if again else "", "solidity": 0.4},
            },
            hovertemplate="%{y:.2f} GiB<extra>" + part + "</extra>",
        )
    if memory is not None:
        fig.add_hline(
            y=memory / GIB,
            line={"color": CONTROL, "dash": "dash"},
            annotation={"text": f"{memory / GIB:.1f} GiB", "font": {"color": CONTROL}},
        )
    fig.update_layout(barmode="stack", showlegend=True, legend={"orientation": "v", "x": 1.01, "y": 1})
    fig.update_xaxes(title_text=phases)
    fig.update_yaxes(title_text="GiB")
    set_title(fig, title, body=340, head=16)
    return fig
