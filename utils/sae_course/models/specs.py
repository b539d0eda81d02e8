"""The four mini models: what each is built like and how it was trained, as data."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..runtime import CourseError

if TYPE_CHECKING:
    from transformer_lens import HookedTransformerConfig

Data = Literal["stories", "stories and drills", "othello", "text"]


@dataclass(frozen=True)
class TrainingSpec:
    """How a mini model is trained.

    Muon for the matrices between embedding and unembedding, AdamW for the rest; both warm up, stay, and
    decay linearly to zero over the last ``decay`` of the steps.
    """

    rows: int  # sequences in a step
    steps: int
    lr: float = 2e-3
    warm_up: int = 100  # steps
    decay: float = 0.4  # share of the steps
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm
    seed: int = 0


@dataclass(frozen=True)
class ModelSpec:
    """A mini model's architecture, in TransformerLens' own words, and its training."""

    name: str
    data: Data
    training: TrainingSpec
    n_layers: int
    n_ctx: int
    d_vocab: int
    d_model: int = 128
    n_heads: int = 8
    d_head: int = 16
    d_mlp: int = 512
    attn_only: bool = False
    shortformer: bool = False
    # GPT-Neo does not divide its attention scores by sqrt(d_head).
    attn_scale: bool = True
    gemma2: bool = False
    n_key_value_heads: int | None = None
    window: int | None = None

    def hooked_config(self, device: str = "cpu") -> "HookedTransformerConfig":
        """The TransformerLens config. Importing TransformerLens takes seconds, so it happens here."""
        from transformer_lens import HookedTransformerConfig  # noqa: PLC0415

        settings: dict[str, Any] = {
            "n_layers": self.n_layers,
            "d_model": self.d_model,
            "n_ctx": self.n_ctx,
            "d_head": self.d_head,
            "n_heads": self.n_heads,
            "d_mlp": None if self.attn_only else self.d_mlp,
            "d_vocab": self.d_vocab,
            "attn_only": self.attn_only,
            "act_fn": None if self.attn_only else "gelu_new",
            "normalization_type": "LN",
            "positional_embedding_type": "shortformer" if self.shortformer else "standard",
            "use_attn_scale": self.attn_scale,
            "model_name": self.name,
            "device": device,
        }
        if self.gemma2:
            settings |= {
                "act_fn": "gelu_pytorch_tanh",
                "normalization_type": "RMS",
                "final_rms": True,
                "eps": 1e-6,
                "positional_embedding_type": "rotary",
                "rotary_dim": self.d_head,
                "rotary_base": 10000.0,
                "gated_mlp": True,
                "use_normalization_before_and_after": True,
                "n_key_value_heads": self.n_key_value_heads,
                "attn_scores_soft_cap": 50.0,
                "output_logits_soft_cap": 30.0,
                "use_local_attn": True,
                "window_size": self.window,
                # As in the published model; in the other order its converted weights give other logits.
                "attn_types": ["local", "global"] * (self.n_layers // 2),
                "original_architecture": "Gemma2ForCausalLM",
            }
        return HookedTransformerConfig(**settings)


def _n_words() -> int:
    from ..data.stories.vocabulary import WORDS  # noqa: PLC0415

    return len(WORDS)


def mini_specs() -> dict[str, ModelSpec]:
    """The four, by the name of the published model that each stands in for."""
    words = _n_words()
    specs = (
        ModelSpec(
            "tiny-stories-1L-21M",
            "stories",
            TrainingSpec(rows=16, steps=3000),
            n_layers=1,
            n_ctx=256,
            d_vocab=words,
            attn_scale=False,
        ),
        ModelSpec(
            "attn-only-2l-demo",
            "stories and drills",
            TrainingSpec(rows=16, steps=2500, lr=4e-3),
            n_layers=2,
            n_ctx=256,
            d_vocab=words,
            n_heads=4,
            d_head=32,
            attn_only=True,
            shortformer=True,
        ),
        ModelSpec(
            "othello-gpt",
            "othello",
            TrainingSpec(rows=128, steps=10000, warm_up=200),
            n_layers=6,
            n_ctx=59,
            d_vocab=61,
        ),
        ModelSpec(
            "gemma-2-2b",
            "stories",
            TrainingSpec(rows=16, steps=1800),
            n_layers=4,
            n_ctx=256,
            d_vocab=words,
            n_heads=4,
            d_head=32,
            n_key_value_heads=2,
            window=32,
            gemma2=True,
        ),
    )
    return {spec.name: spec for spec in specs}


def spec_for_text(name: str, like: str, d_vocab: int, steps: int | None = None) -> ModelSpec:
    """The spec of a model called ``name``, built like the mini model ``like``, for a learner's own text."""
    specs = mini_specs()
    if like not in specs or specs[like].data == "othello":
        choices = ", ".join(key for key, spec in specs.items() if spec.data != "othello")
        raise CourseError(f'"{like}" is no model that reads text: choose one of {choices}.')
    spec = specs[like]
    training = spec.training if steps is None else replace(spec.training, steps=steps)
    return replace(spec, name=name, data="text", d_vocab=d_vocab, training=training)
