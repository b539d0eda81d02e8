"""The sizes of a model, from which its memory and its work follow; known before anything is downloaded."""

from dataclasses import dataclass
from typing import Any

from ...models.names import MODELS
from ...models.specs import ModelSpec, mini_specs
from ...runtime import CourseError


@dataclass(frozen=True)
class ModelShape:
    """A transformer's sizes, in TransformerLens' layout (no weight is shared between layers or with the
    unembedding, every product has a bias)."""

    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_mlp: int
    """0 in a model of attention alone."""
    d_vocab: int
    n_ctx: int
    """Positions that it can read."""
    n_key_value_heads: int | None = None
    gated: bool = False
    norms: int = 2
    """In a block: 4 where there is one before and one after attention and MLP."""
    norm_weights: int = 2
    """Vectors of a norm: weight and bias, or a weight alone (RMS)."""
    positions: bool = True
    """Whether positions are learned."""
    shortformer: bool = False
    soft_cap: bool = False
    """Of the logits."""
    tied: bool = False
    """Whether the published weights hold embedding and unembedding once."""

    @property
    def block(self) -> int:
        """Parameters of a block."""
        heads, kv = self.n_heads, self.n_key_value_heads or self.n_heads
        attention = (2 * heads + 2 * kv) * self.d_model * self.d_head
        attention += (heads + 2 * kv) * self.d_head + self.d_model
        mlp = 0
        if self.d_mlp:
            mlp = (3 if self.gated else 2) * self.d_model * self.d_mlp + self.d_mlp + self.d_model
        norms = (self.norms if self.d_mlp else 1) * self.norm_weights * self.d_model
        return attention + mlp + norms

    @property
    def parameters(self) -> int:
        """All, as TransformerLens holds them: embedding and unembedding apart."""
        embeddings = self.d_model * (2 * self.d_vocab + self.positions * self.n_ctx)
        return self.n_layers * self.block + embeddings + self.d_vocab + self.norm_weights * self.d_model

    def flops(self, layers: int, context: int) -> int:
        """Forward, for one token, through so many blocks: 2 for each parameter, and attention's scores and
        averages, which TransformerLens computes for every pair of positions."""
        return layers * (2 * self.block + 4 * context * self.n_heads * self.d_head)


def of_spec(spec: ModelSpec) -> ModelShape:
    """The shape of a mini model."""
    return ModelShape(
        n_layers=spec.n_layers,
        d_model=spec.d_model,
        n_heads=spec.n_heads,
        d_head=spec.d_head,
        d_mlp=0 if spec.attn_only else spec.d_mlp,
        d_vocab=spec.d_vocab,
        n_ctx=spec.n_ctx,
        n_key_value_heads=spec.n_key_value_heads,
        gated=spec.gemma2,
        norms=4 if spec.gemma2 else 2,
        norm_weights=1 if spec.gemma2 else 2,
        positions=not spec.gemma2,
        shortformer=spec.shortformer,
        soft_cap=spec.gemma2,
    )


def of_model(cfg: Any) -> ModelShape:
    """The shape of a model that is loaded, from its TransformerLens configuration."""
    rms = str(cfg.normalization_type).startswith("RMS")
    return ModelShape(
        n_layers=cfg.n_layers,
        d_model=cfg.d_model,
        n_heads=cfg.n_heads,
        d_head=cfg.d_head,
        d_mlp=0 if cfg.attn_only else cfg.d_mlp,
        d_vocab=cfg.d_vocab,
        n_ctx=cfg.n_ctx,
        n_key_value_heads=cfg.n_key_value_heads,
        gated=bool(cfg.gated_mlp),
        norms=4 if getattr(cfg, "use_normalization_before_and_after", False) else 2,
        norm_weights=1 if rms else 2,
        positions=cfg.positional_embedding_type in ("standard", "shortformer"),
        shortformer=cfg.positional_embedding_type == "shortformer",
        soft_cap=cfg.output_logits_soft_cap > 0,
    )


FULL = {
    "tiny-stories-1L-21M": ModelShape(1, 1024, 16, 64, 4096, 50257, 2048, tied=True),
    "attn-only-2l-demo": ModelShape(2, 512, 8, 64, 0, 48262, 1024, shortformer=True),
    "othello-gpt": ModelShape(8, 512, 8, 64, 2048, 61, 59),
    "gemma-2-2b": ModelShape(
        26, 2304, 8, 256, 9216, 256_000, 8192, 4, gated=True, norms=4, norm_weights=1, positions=False,
        soft_cap=True, tied=True,
    ),
}  # fmt: skip
"""The published models', from their configurations on the hub."""


def shape_of(model: str, scale: str) -> ModelShape:
    """The shape of one of the course's models.

    Raises:
        CourseError: for another model.
    """
    if model in FULL:
        return FULL[model] if scale == "full" else of_spec(mini_specs()[model])
    raise CourseError(
        f'The planner knows the sizes of {", ".join(MODELS)}, not those of "{model}": load it and give it as '
        "plan(cfg, model=model)."
    )
