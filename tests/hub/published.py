"""What the hub serves: the published names, layouts and formats, with random weights.

At two sizes: `SMALL`, a few kB for each model, and `TRUE`, the published models' own sizes (Gemma's with
fewer layers), whose large files lie on disk.
"""

import io
import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from loopback import Repository
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from sae_course.training.planner.shapes import FULL, ModelShape

ATTN = "NeelNanda/Attn-Only-2L512W-Shortformer-6B-big-lr"
OTHELLO = "Baidicoot/Othello-GPT-Transformer-Lens"
STORIES = "roneneldan/TinyStories-1Layer-21M"
GEMMA = "google/gemma-2-2b"
STORY_TOKENS = "datasets/apollo-research/roneneldan-TinyStories-tokenizer-gpt2"
TEXT_TOKENS = "datasets/apollo-research/Skylion007-openwebtext-tokenizer-EleutherAI-gpt-neox-20b"
GAMES = "datasets/taufeeque/othellogpt"
GEMMA_TOKENS = "datasets/chanind/openwebtext-gemma"
NEOX_TOKENIZER = "EleutherAI/gpt-neox-20b"
STORY_SAE = "callummcdougall/arena-demos-tinystories"
ATTN_SAE = "callummcdougall/arena-demos-attn2l"
OTHELLO_SAE = "callummcdougall/arena-demos-othellogpt"
GEMMA_SCOPE = "google/gemma-scope-2b-pt-res"
PROBES = "linear_probes.pt"


@dataclass(frozen=True)
class Sizes:
    """How large what is served is."""

    stories: ModelShape
    attention: ModelShape
    othello: ModelShape
    gemma: ModelShape
    expansions: tuple[int, int, int]
    """Latents over the width that is read, of the published SAEs of stories, attention and Othello."""
    rows: int
    """In each dataset."""
    row: int
    """Tokens in a row of text."""


SMALL = Sizes(
    stories=ModelShape(1, 32, 2, 16, 128, 257, 512),
    attention=ModelShape(2, 16, 2, 8, 0, 257, 32),
    othello=ModelShape(2, 16, 2, 8, 64, 61, 59),
    gemma=FULL["gemma-2-2b"],
    expansions=(2, 2, 2),
    rows=2_300,
    row=520,
)
TRUE = Sizes(
    stories=FULL["tiny-stories-1L-21M"],
    attention=FULL["attn-only-2l-demo"],
    othello=FULL["othello-gpt"],
    gemma=replace(FULL["gemma-2-2b"], n_layers=3),
    expansions=(16, 16, 8),
    rows=3_000,
    row=1_024,
)


def saved(value: Any) -> bytes:
    """A PyTorch file: a pickle."""
    buffer = io.BytesIO()
    torch.save(value, buffer, pickle_module=pickle)
    return buffer.getvalue()


@contextmanager
def drawn(seed: int = 0) -> Iterator[torch.Generator]:
    """Random numbers of one repository's own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- tokenizers


def tokenizer_files(shared: Path | None = None, n_tokens: int = 0) -> dict[str, bytes | Path]:
    """A byte-level tokenizer as transformers saves a fast one.

    Args:
        shared: a folder with GPT-2's published vocabulary and merges, which are used if it is there.
        n_tokens: filled up to so many with tokens that no text has: a model with a larger vocabulary than
            the tokenizer spells could name tokens that can't be read.
    """
    end = "<|endoftext|>"
    vocabulary, merges = (shared / "gpt2_vocab.json", shared / "gpt2_merges.txt") if shared else (None, None)
    if vocabulary is not None and merges is not None and vocabulary.exists():
        model = models.BPE.from_file(str(vocabulary), str(merges))
    else:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        model = models.BPE({token: index for index, token in enumerate([end, *alphabet])}, [])
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([end])
    missing = n_tokens - tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"<unused {number}>" for number in range(missing)])
    special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)
    settings = special | {"tokenizer_class": "PreTrainedTokenizerFast"}
    return {
        "tokenizer.json": tokenizer.to_str().encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
    }


# ---------------------------------------------------------------- models


def attention_only(shape: ModelShape) -> Repository:
    """TransformerLens' own format: a config, and its state dict as a ``.pth``."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig  # noqa: PLC0415

    config = {
        "n_layers": shape.n_layers,
        "d_model": shape.d_model,
        "n_ctx": shape.n_ctx,
        "d_head": shape.d_head,
        "n_heads": shape.n_heads,
        "d_vocab": shape.d_vocab,
    }
    cfg = HookedTransformerConfig(
        **config, attn_only=True, positional_embedding_type="shortformer", normalization_type="LN", seed=1
    )
    with drawn():
        state = HookedTransformer(cfg).state_dict()
    config |= {
        "d_mlp": 4 * shape.d_model,
        "act_fn": "solu_ln",
        "attn_only": True,
        "normalization": "LN",
        "shortformer_pos": True,
        "tokenizer_name": NEOX_TOKENIZER,
    }
    return Repository(
        {
            "config.json": json.dumps(config).encode(),
            "checkpoints/tokens_1.pth": b"",
            "model_final.pth": saved(state),
        }
    )


def othello(shape: ModelShape) -> Repository:
    """minGPT's names, as the published file has them."""
    width, n_layers = shape.d_model, shape.n_layers
    with drawn() as draws:

        def normal(*size: int) -> Tensor:
            return torch.randn(*size, generator=draws) * 0.1

        def linear(name: str, out: int, into: int) -> dict[str, Tensor]:
            return {f"{name}.weight": normal(out, into), f"{name}.bias": normal(out)}

        state = {"tok_emb.weight": 10 * normal(61, width), "pos_emb": 10 * normal(1, 59, width)}
        for layer in range(n_layers):
            block = f"blocks.{layer}"
            for norm in ("ln1", "ln2"):
                state |= {f"{block}.{norm}.weight": torch.ones(width)}
                state |= {f"{block}.{norm}.bias": torch.zeros(width)}
            for part in ("query", "key", "value", "proj"):
                state |= linear(f"{block}.attn.{part}", width, width)
            state |= linear(f"{block}.mlp.0", 4 * width, width) | linear(f"{block}.mlp.2", width, 4 * width)
        state |= {"ln_f.weight": torch.ones(width), "ln_f.bias": torch.zeros(width)}
        state |= {"head.weight": normal(61, width)}
    config = {
        "architecture": "mingpt",
        "n_layers": n_layers,
        "d_model": width,
        "d_mlp": 4 * width,
        "d_head": shape.d_head,
        "n_heads": shape.n_heads,
        "n_ctx": 59,
        "d_vocab": 61,
        "act_fn": "gelu",
        "attn_only": False,
        "normalization": "LN",
    }
    return Repository({"config.json": json.dumps(config).encode(), "synthetic_final.pth": saved(state)})


def stories(shape: ModelShape, shared: Path | None = None) -> Repository:
    """A GPT-Neo in the old format, with ``pytorch_model.bin``, which is what is published."""
    from transformers import GPTNeoConfig, GPTNeoForCausalLM  # noqa: PLC0415

    config = GPTNeoConfig(
        vocab_size=shape.d_vocab,
        hidden_size=shape.d_model,
        num_layers=shape.n_layers,
        num_heads=shape.n_heads,
        max_position_embeddings=shape.n_ctx,
        attention_types=[[["global"], shape.n_layers]],
        intermediate_size=shape.d_mlp,
    )
    config.architectures = ["GPTNeoForCausalLM"]
    with drawn():
        state = GPTNeoForCausalLM(config).state_dict()
    return Repository(
        {"config.json": config.to_json_string().encode(), "pytorch_model.bin": saved(state)}
        | tokenizer_files(shared, shape.d_vocab)
    )


def gemma(shape: ModelShape, folder: Path) -> Repository:
    """Gemma 2 in transformers' format: a config, an index, and shards of safetensors, in bfloat16."""
    width, head, kv = shape.d_model, shape.d_head, shape.n_key_value_heads or shape.n_heads
    config = {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "vocab_size": shape.d_vocab,
        "hidden_size": width,
        "intermediate_size": shape.d_mlp,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "num_key_value_heads": kv,
        "head_dim": head,
        "max_position_embeddings": shape.n_ctx,
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "query_pre_attn_scalar": head,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "sliding_window": 4096,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    }
    sizes = {"model.embed_tokens.weight": (shape.d_vocab, width), "model.norm.weight": (width,)}
    for layer in range(shape.n_layers):
        block = f"model.layers.{layer}"
        sizes |= {
            f"{block}.self_attn.q_proj.weight": (shape.n_heads * head, width),
            f"{block}.self_attn.k_proj.weight": (kv * head, width),
            f"{block}.self_attn.v_proj.weight": (kv * head, width),
            f"{block}.self_attn.o_proj.weight": (width, shape.n_heads * head),
            f"{block}.mlp.gate_proj.weight": (shape.d_mlp, width),
            f"{block}.mlp.up_proj.weight": (shape.d_mlp, width),
            f"{block}.mlp.down_proj.weight": (width, shape.d_mlp),
        }
        for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            sizes[f"{block}.{norm}_layernorm.weight"] = (width,)
    # Random numbers cost more than all the rest, so one row of blocks is drawn and repeated.
    with drawn() as draws:
        some = (torch.randn(2**20, generator=draws) * 0.02).bfloat16()

    def weights(size: tuple[int, ...]) -> Tensor:
        n = int(np.prod(size))
        return (
            some.repeat(-(-n // len(some)))[:n].reshape(size)
            if len(size) > 1
            else torch.zeros(size).bfloat16()
        )

    shards: dict[str, list[str]] = {
        "model-00001-of-00002.safetensors": ["model.embed_tokens.weight"],
        "model-00002-of-00002.safetensors": [name for name in sizes if name != "model.embed_tokens.weight"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    index = {name: shard for shard, names in shards.items() for name in names}
    files: dict[str, bytes | Path] = {
        "config.json": json.dumps(config).encode(),
        "model.safetensors.index.json": json.dumps({"metadata": {}, "weight_map": index}).encode(),
    }
    for shard, names in shards.items():
        save_file({name: weights(sizes[name]) for name in names}, folder / shard, metadata={"format": "pt"})
        files[shard] = folder / shard
    return Repository(files | tokenizer_files(None, 1_000))


# ---------------------------------------------------------------- SAEs


def gated_sae(d_in: int, expansion: int, hook: str, model: str, rms: float, **more: Any) -> dict[str, bytes]:
    """A Gated SAE as SAELens 6 saves them: the files of its folder. About one latent in fifty fires.

    Args:
        rms: root mean square of what it reads: of the random models at their true sizes, measured.
    """
    from safetensors.torch import save  # noqa: PLC0415

    d_sae = d_in * expansion
    with drawn() as draws:
        W_dec = torch.randn(d_sae, d_in, generator=draws)
        W_dec /= W_dec.norm(dim=1, keepdim=True)
    weights = {
        "W_enc": W_dec.T.contiguous(),
        "W_dec": W_dec,
        "b_dec": torch.zeros(d_in),
        # Along a random direction an activation is as long as in any of its dimensions.
        "b_gate": torch.full((d_sae,), -2.0 * rms),
        "b_mag": torch.zeros(d_sae),
        "r_mag": torch.zeros(d_sae),
    }
    config = {
        "architecture": "gated",
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "hook_z" if "hook_z" in hook else "none",
        "metadata": {"sae_lens_version": "6.54.12", "model_name": model, "hook_name": hook, **more},
    }
    return {"cfg.json": json.dumps(config).encode(), "sae_weights.safetensors": save(weights)}


def story_sae(sizes: Sizes) -> Repository:
    """Named by its hook point."""
    hook = "blocks.0.hook_mlp_out"
    saved_as = gated_sae(sizes.stories.d_model, sizes.expansions[0], hook, "tiny-stories-1L-21M", rms=0.5)
    return Repository({f"{hook}/{name}": data for name, data in saved_as.items()})


def attention_saes(sizes: Sizes) -> Repository:
    """One for each layer."""
    files: dict[str, bytes | Path] = {}
    width = sizes.attention.n_heads * sizes.attention.d_head
    for layer, rms in enumerate((0.25, 0.6)):
        hook = f"blocks.{layer}.attn.hook_z"
        for name, data in gated_sae(width, sizes.expansions[1], hook, "attn-only-2l-demo", rms).items():
            files[f"{hook}-v2/{name}"] = data
    return Repository(files)


def othello_sae(sizes: Sizes) -> Repository:
    """With linear probes beside it, as a pickle of tensors."""
    hook, shape = f"blocks.{min(5, sizes.othello.n_layers - 1)}.mlp.hook_post", sizes.othello
    files = gated_sae(shape.d_mlp, sizes.expansions[2], hook, "othello-gpt", rms=1.6, seqpos_slice=[5, -5])
    served: dict[str, bytes | Path] = {
        f"blocks.5.mlp.hook_post-v1/{name}": data for name, data in files.items()
    }
    with drawn():
        return Repository(served | {PROBES: saved({"theirs vs mine": torch.randn(shape.d_model, 8, 8)})})


def gemma_scope() -> Repository:
    """A Gemma Scope SAE at its true sizes and in its format, nearly all zeros: compressed it is small."""
    W_enc = np.zeros((2304, 16384), dtype=np.float32)
    W_enc[0, :8] = 1.0
    arrays = {
        "W_enc": W_enc,
        "W_dec": W_enc.T.copy(),
        "b_enc": np.zeros(16384, dtype=np.float32),
        "b_dec": np.zeros(2304, dtype=np.float32),
        "threshold": np.full(16384, 0.5, dtype=np.float32),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return Repository({"layer_12/width_16k/average_l0_82/params.npz": buffer.getvalue()})


# ---------------------------------------------------------------- tokens


def tokens(n_rows: int, length: int, d_vocab: int, column: str = "input_ids", bos: int = 0) -> Repository:
    """Rows of random tokens in a parquet shard: BOS, the row's number, and others.

    Half of them are letters and signs, a few of which are frequent, as in text: labels of published text are
    true somewhere.
    """
    draws = np.random.default_rng(0)
    rows = draws.integers(1, d_vocab, (n_rows, length))
    n_signs = min(256, d_vocab - 1)
    chances = 1 / np.arange(1, n_signs + 1)
    signs = draws.choice(np.arange(1, n_signs + 1), rows.shape, p=chances / chances.sum())
    rows = np.where(draws.random(rows.shape) < 0.5, signs, rows)
    rows[:, 0] = bos
    rows[:, 1] = np.arange(n_rows) % min(257, d_vocab)
    return _rows(rows, column)


def games(n_rows: int) -> Repository:
    """Othello games, as OthelloGPT reads them: 59 moves of 60."""
    from sae_course.data.othello.games import full_games  # noqa: PLC0415

    return _rows(full_games(n_rows, seed=0, split="train").tokens, "tokens")


def _rows(rows: np.ndarray, column: str) -> Repository:
    buffer = io.BytesIO()
    pq.write_table(pa.table({column: list(rows.astype(np.int32))}), buffer)
    return Repository(
        {"README.md": b"---\n{}\n---\n", "data/train-00000-of-00001.parquet": buffer.getvalue()}
    )
