"""A circuit of latents as data: who feeds whom, by how much, and whether the ablation agrees."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError
from .ablation import Ablations
from .attribution import Attribution

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Node:
    """A latent in a circuit."""

    layer: str
    """Its hook point."""
    latent: int
    label: str
    """What it is called in the picture; its number when nobody gave it a name."""


@dataclass(frozen=True)
class Edge:
    """That a source latent makes a target latent fire."""

    source: int
    """Numbers of latents: the source's and the target's."""
    target: int
    attributed: float
    """Share of the target's activation, by gradients."""
    drop: float
    """Share of the target's activation that is lost without the source, on the pair's own tokens."""
    tokens: int
    """Those tokens."""


@dataclass(frozen=True, repr=False)
class Circuit:
    """Latents of two layers and the edges between them. Shows itself as text, or as a picture (`figure`)."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def figure(self, title: str | None = None) -> "go.Figure":
        """Sources on the left, targets on the right; a line is as wide as the drop that it stands for.

        Args:
            title: the finding; the number of edges when not given.
        """
        from ..figures.circuits import draw_circuit  # noqa: PLC0415 - plotly

        source, target = dict.fromkeys(node.layer for node in self.nodes)
        sides = [[node for node in self.nodes if node.layer == layer] for layer in (source, target)]
        places = [{node.latent: at for at, node in enumerate(side)} for side in sides]
        return draw_circuit(
            [[node.label for node in side] for side in sides],
            (source, target),
            [(places[0][edge.source], places[1][edge.target], edge.drop) for edge in self.edges],
            title or f"{len(self.edges)} edges that the ablation confirms",
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "nodes": [asdict(node) for node in self.nodes],
            "edges": [asdict(edge) for edge in self.edges],
        }

    def __str__(self) -> str:
        label = {(node.layer, node.latent): node.label for node in self.nodes}
        source, target = dict.fromkeys(node.layer for node in self.nodes)
        lines = [f"{source} → {target}, {len(self.edges)} edges"]
        for edge in self.edges:
            lines.append(
                f"{label[source, edge.source]} → {label[target, edge.target]}: −{edge.drop:.0%} without it, "
                f"over {edge.tokens} tokens"
            )
        return "\n  ".join(lines)

    __repr__ = __str__


def circuit(
    attributed: Attribution,
    ablated: Ablations,
    *,
    labels: "tuple[Mapping[int, str], Mapping[int, str]] | None" = None,
    least_drop: float = 0.5,
    least_tokens: int = 1,
) -> Circuit:
    """The pairs whose ablation confirms what the attribution proposed, largest drop first.

    Args:
        ablated: of pairs of the attribution's latents.
        labels: names for source latents and for target latents; their numbers where there are none.
        least_drop: what an edge's target must lose without the source.
        least_tokens: tokens on which that must have been measured.

    Raises:
        CourseError: when no pair is left.
    """
    table = ablated.table
    kept = table[(table["drop"] >= least_drop) & (table["tokens"] >= least_tokens)]
    if not len(kept):
        drop = table["drop"][table["tokens"] >= least_tokens].dropna()
        most = f"the most is {drop.max():.0%}" if len(drop) else "none fires together on so many"
        raise CourseError(
            f"No pair loses {least_drop:.0%} over {least_tokens} tokens or more ({most}): there is no "
            "circuit to draw."
        )
    share = attributed.share
    edges = tuple(
        Edge(
            int(row.source),
            int(row.target),
            float(share[row.source, row.target]),
            float(row.drop),
            int(row.tokens),
        )
        for row in kept.sort_values("drop", ascending=False, kind="stable").itertuples()
    )
    given = labels or ({}, {})
    nodes = [
        Node(layer, latent, names.get(latent, str(latent)))
        for layer, latents, names in (
            (attributed.source, dict.fromkeys(edge.source for edge in edges), given[0]),
            (attributed.target, dict.fromkeys(edge.target for edge in edges), given[1]),
        )
        for latent in latents
    ]
    return Circuit(tuple(nodes), edges)
