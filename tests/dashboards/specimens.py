"""Small hooked models and untrained SAEs at every kind of hook point; tokens that would like to be markup."""

import copy
from typing import Any

import sae_lens
import torch
from sae_lens import HookedSAETransformer
from sae_lens.saes.sae import SAEMetadata
from torch import Tensor
from transformer_lens import HookedTransformerConfig

from sae_course.data.othello import N_CTX, N_TOKENS, full_games
from sae_course.models.load import deprecated

NASTY = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<!--",
    "]]>",
    "\u2028",
    "\"quoted\" 'too'",
    "back\\slash\\u003c",
    "\ud800",
    "\ufffd",
    "\n",
    " leading",
    "&lt;b&gt;",
    "<b>bold</b>",
    "${window.pwned=1}",
    "`;window.pwned=1;`",
    "\u202egnp",
    "\x00",
    "",
    "<svg/onload=window.pwned=1>",
    "javascript:window.pwned=1",
)
D_VOCAB = 40


class Tokenizer:
    """Enough of a tokenizer for a page: every second token is nasty."""

    all_special_ids = (0,)
    padding_side = "right"
    bos_token_id = pad_token_id = eos_token_id = 0

    def __init__(self, names: tuple[str, ...] = NASTY) -> None:
        self.names = ["<bos>"]
        for i in range(1, D_VOCAB):
            self.names.append(names[i // 2 % len(names)] if i % 2 else f" word{i}")

    def decode(self, ids: list[int], clean_up_tokenization_spaces: bool = True) -> str:
        assert not clean_up_tokenization_spaces
        return "".join(self.names[int(token)] for token in ids)

    def get_vocab(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}


def model(
    *, layers: int = 1, norm: str = "LN", attn_only: bool = False, seed: int = 0, othello: bool = False
) -> HookedSAETransformer:
    """A model of 16 dimensions with every weight random, the norms' too."""
    torch.manual_seed(seed)
    config = HookedTransformerConfig(
        n_layers=layers,
        d_model=16,
        n_ctx=N_CTX if othello else 32,
        d_head=4,
        n_heads=4,
        d_mlp=None if attn_only else 24,
        d_vocab=N_TOKENS if othello else D_VOCAB,
        act_fn=None if attn_only else "gelu",
        normalization_type=norm,
        attn_only=attn_only,
        seed=seed,
    )
    with deprecated():
        hooked = HookedSAETransformer(config)
    with torch.no_grad():
        for parameter in hooked.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    hooked.tokenizer = None if othello else Tokenizer()
    return hooked.eval()


def sae(hook_point: str, kind: str = "standard", d_sae: int = 32, seed: int = 0, **metadata: Any) -> Any:
    """An untrained SAE of any kind for `model`; its latent 5 never fires."""
    config_of, class_of = {
        "standard": (sae_lens.StandardSAEConfig, sae_lens.StandardSAE),
        "topk": (sae_lens.TopKSAEConfig, sae_lens.TopKSAE),
        "topk by norm": (sae_lens.TopKSAEConfig, sae_lens.TopKSAE),
        "jumprelu": (sae_lens.JumpReLUSAEConfig, sae_lens.JumpReLUSAE),
        "gated": (sae_lens.GatedSAEConfig, sae_lens.GatedSAE),
        "batchtopk training": (sae_lens.BatchTopKTrainingSAEConfig, sae_lens.BatchTopKTrainingSAE),
    }[kind]
    settings: dict[str, Any] = {"k": 6} if "topk" in kind else {}
    if kind == "topk by norm":
        settings["rescale_acts_by_decoder_norm"] = True
    config = config_of(
        d_in=24 if hook_point.endswith("hook_post") else 16,
        d_sae=d_sae,
        reshape_activations="hook_z" if hook_point.endswith("hook_z") else "none",
        metadata=SAEMetadata(hook_name=hook_point, **metadata),
        **settings,
    )
    made = class_of(config)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=stream))
        for bias in ("b_enc", "b_gate", "b_mag"):
            if getattr(made, bias, None) is not None:
                getattr(made, bias)[5] = -1e3
        if kind == "jumprelu":
            made.threshold.copy_(0.2 * made.threshold.abs())
    return made


def as_sae_vis_expects(ours: HookedSAETransformer, sae: Any) -> tuple[HookedSAETransformer, Any]:
    """Both for sae_vis' own computation, of the same function.

    The model as TransformerLens gives it out: norms folded into the next weights, W_U centred over the
    vocabulary. The SAE with SAELens 5's configuration.
    """
    folded = model(layers=ours.cfg.n_layers, norm="LNPre", othello=ours.tokenizer is None)
    folded.tokenizer = None  # its processing would set one up
    folded.load_and_process_state_dict(
        copy.deepcopy(ours.state_dict()), fold_ln=True, center_writing_weights=False, fold_value_biases=False
    )
    folded.tokenizer = ours.tokenizer
    old = copy.deepcopy(sae)
    old.cfg.hook_name = sae.cfg.metadata.hook_name
    old.cfg.hook_layer, old.cfg.hook_head_index = int(old.cfg.hook_name.split(".")[1]), None
    return folded, old


def tokens(rows: int = 12, pos: int = 24, seed: int = 0) -> Tensor:
    """Random ids after a BOS."""
    stream = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, D_VOCAB, (rows, pos), generator=stream)
    ids[:, 0] = 0
    return ids


def games(rows: int = 12) -> Tensor:
    """Games of Othello as a model reads them; in the first three, somebody passes by the 45th move."""
    played = full_games(100 * rows, split="test")
    early = (played.black[:, 1:45] == played.black[:, :44]).any(1)
    order = [*early.nonzero()[0][:3], *range(rows - 3)]
    return torch.from_numpy(played.tokens[order, :N_CTX]).long()


def probes(seed: int = 0) -> dict[str, Tensor]:
    """Two kinds of probes of a board; the names differ in what no id can hold, and would be markup."""
    stream = torch.Generator().manual_seed(seed)
    return {name: torch.randn(16, 8, 8, generator=stream) for name in ("<b>mine</b>", "<b>mine</b>!")}


def keys(value: Any, path: str = "") -> set[str]:
    """Every key of nested data, by its path; all of a list's members are ``[]``."""
    if isinstance(value, dict):
        return {path}.union(*(keys(inner, f"{path}.{key}") for key, inner in value.items()))
    if isinstance(value, list):
        return {path}.union(*(keys(inner, path + "[]") for inner in value))
    return {path}
