"""The mini models without hooks, for training: TransformerLens' mathematics at twice its speed.

Gemma 2's is `transformers`' own class. The others are here; `to_hooked` gives the weights their
TransformerLens names, and a test compares the logits.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .specs import ModelSpec

if TYPE_CHECKING:
    from transformers import Gemma2Config


class Block(nn.Module):
    """LayerNorm, attention, and (unless attention-only) LayerNorm, MLP, each added to the residual stream."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.heads, self.scale = spec.n_heads, spec.d_head**-0.5 if spec.attn_scale else 1.0
        wide = spec.n_heads * spec.d_head
        self.ln1 = nn.LayerNorm(spec.d_model)
        self.q, self.k, self.v = (nn.Linear(spec.d_model, wide) for _ in range(3))
        self.o = nn.Linear(wide, spec.d_model)
        self.mlp = not spec.attn_only
        if self.mlp:
            self.ln2 = nn.LayerNorm(spec.d_model)
            self.up = nn.Linear(spec.d_model, spec.d_mlp)
            self.down = nn.Linear(spec.d_mlp, spec.d_model)

    def forward(
        self,
        x: Float[Tensor, "batch pos d_model"],
        mask: Float[Tensor, "pos pos"],
        shortformer: Float[Tensor, "pos d_model"] | None,
    ) -> Float[Tensor, "batch pos d_model"]:
        normed = self.ln1(x)
        placed = normed if shortformer is None else normed + shortformer
        shape = (*x.shape[:2], self.heads, -1)
        q, k, v = (
            layer(h).view(shape).transpose(1, 2)
            for layer, h in ((self.q, placed), (self.k, placed), (self.v, normed))
        )
        # Written out: on a CPU, the fused attention's backward pass takes ten times as long for small heads.
        # The mask in the scores' precision: adding a float32 one would make four more passes over them.
        scores = (q * self.scale) @ k.transpose(-1, -2) + mask.to(q.dtype)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + self.o(mixed)
        if self.mlp:
            x = x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))
        return x


def sinusoids(n_ctx: int, d_model: int) -> Float[Tensor, "pos d_model"]:
    """Sines and cosines of wavelengths from 2 pi to 20,000 pi tokens (Vaswani et al. 2017, section 3.5).

    Shortformer's positions begin as these (Press et al. 2021, section 4.1): they are added to a normalised
    residual stream, beside which small random ones are faint, and a shift by one token is a rotation of them.
    """
    angles = torch.arange(n_ctx)[:, None] / 10_000 ** (torch.arange(0, d_model, 2) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class PlainTransformer(nn.Module):
    """A decoder with learned positions (added to the residual stream, or shortformer's way)."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.shortformer = spec.shortformer
        self.mask: Tensor
        self.embed = nn.Embedding(spec.d_vocab, spec.d_model)
        self.positions = nn.Parameter(torch.empty(spec.n_ctx, spec.d_model))
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.n_layers))
        self.norm = nn.LayerNorm(spec.d_model)
        self.unembed = nn.Linear(spec.d_model, spec.d_vocab)
        self.register_buffer("mask", torch.full((spec.n_ctx, spec.n_ctx), -1e4).triu(1), persistent=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.zeros_(parameter)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
        if spec.shortformer:
            with torch.no_grad():
                self.positions.copy_(sinusoids(spec.n_ctx, spec.d_model))

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        n = tokens.shape[1]
        places = self.positions[:n]
        x = self.embed(tokens)
        if not self.shortformer:
            x = x + places
        for block in self.blocks:
            x = block(x, self.mask[:n, :n], places if self.shortformer else None)
        return self.unembed(self.norm(x))


def to_hooked(state: dict[str, Tensor], spec: ModelSpec) -> dict[str, Tensor]:
    """A PlainTransformer's state dict under TransformerLens' names and shapes."""

    def heads_first(weight: Tensor) -> Tensor:
        return weight.T.unflatten(1, (spec.n_heads, spec.d_head)).transpose(0, 1).contiguous()

    out = {
        "embed.W_E": state["embed.weight"],
        "pos_embed.W_pos": state["positions"],
        "ln_final.w": state["norm.weight"],
        "ln_final.b": state["norm.bias"],
        "unembed.W_U": state["unembed.weight"].T.contiguous(),
        "unembed.b_U": state["unembed.bias"],
    }
    for layer in range(spec.n_layers):
        old, new = f"blocks.{layer}.", f"blocks.{layer}."
        out |= {new + "ln1.w": state[old + "ln1.weight"], new + "ln1.b": state[old + "ln1.bias"]}
        for letter in "qkv":
            out[f"{new}attn.W_{letter.upper()}"] = heads_first(state[f"{old}{letter}.weight"])
            out[f"{new}attn.b_{letter.upper()}"] = state[f"{old}{letter}.bias"].unflatten(
                0, (spec.n_heads, spec.d_head)
            )
        out[new + "attn.W_O"] = (
            state[old + "o.weight"].T.unflatten(0, (spec.n_heads, spec.d_head)).contiguous()
        )
        out[new + "attn.b_O"] = state[old + "o.bias"]
        if not spec.attn_only:
            out |= {new + "ln2.w": state[old + "ln2.weight"], new + "ln2.b": state[old + "ln2.bias"]}
            out |= {
                new + "mlp.W_in": state[old + "up.weight"].T.contiguous(),
                new + "mlp.b_in": state[old + "up.bias"],
                new + "mlp.W_out": state[old + "down.weight"].T.contiguous(),
                new + "mlp.b_out": state[old + "down.bias"],
            }
    return out


def gemma_config(spec: ModelSpec) -> "Gemma2Config":
    """The same architecture as a `transformers` config."""
    from transformers import Gemma2Config  # noqa: PLC0415

    config = Gemma2Config(
        vocab_size=spec.d_vocab,
        hidden_size=spec.d_model,
        intermediate_size=spec.d_mlp,
        num_hidden_layers=spec.n_layers,
        num_attention_heads=spec.n_heads,
        num_key_value_heads=spec.n_key_value_heads or spec.n_heads,
        head_dim=spec.d_head,
        query_pre_attn_scalar=spec.d_head,
        max_position_embeddings=spec.n_ctx,
        sliding_window=spec.window,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        rms_norm_eps=1e-6,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        use_cache=False,
    )
    # The fused kernels leave out the soft cap on attention scores.
    config._attn_implementation = "eager"
    return config


class GemmaTrainee(nn.Module):
    """`transformers`' Gemma 2, called like the plain one."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        from transformers import Gemma2ForCausalLM  # noqa: PLC0415

        self.gemma = Gemma2ForCausalLM(gemma_config(spec))

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        return self.gemma(tokens).logits


def untrained(spec: ModelSpec, seed: int) -> nn.Module:
    """A fresh trainee, the same from the same seed; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GemmaTrainee(spec) if spec.gemma2 else PlainTransformer(spec)
