"""The configurations that a plan is compared with measurements on."""

from typing import Any

WIDE = {"d_model": 1024, "n_layers": 2, "d_mlp": 4096, "d_head": 128, "n_heads": 8}
"""A Gemma of two layers: large enough for its SAE's matrices to count, small enough for a laptop."""
_WIDE_RUN: dict[str, Any] = {"d_in": 1024, "hook_name": "blocks.1.hook_resid_post", "n_batches_in_buffer": 64}


def cpu_grid() -> list[dict[str, Any]]:
    """Mini presets as they are, wider SAEs, larger batches and buffers, and a wider model with
    random weights.

    Those with ``fit`` are what a machine's constants are fitted on; the others are predicted.
    """
    mini = [
        _case("tinystories", "batchtopk", fit=True),
        _case("tinystories", "standard", fit=True),
        _case("tinystories", "topk", fit=True),
        _case("gemma", "batchtopk"),
        _case("gemma", "gated", fit=True),
        _case("gemma", "jumprelu", fit=True),
        _case("gemma", "standard"),
        _case("othello", "batchtopk"),
        _case("othello-resid", "standard"),
        _case("attn-only-2l", "topk"),
        _case("attn-only-2l", "jumprelu"),
    ]
    changed = [
        _case("gemma", "standard", d_sae=8192),
        _case("gemma", "batchtopk", d_sae=4096, train_batch_size_tokens=4096),
        _case("gemma", "jumprelu", d_sae=4096, train_batch_size_tokens=4096),
        _case("gemma", "gated", d_sae=8192, train_batch_size_tokens=1024),
        _case("tinystories", "topk", n_batches_in_buffer=2048),
    ]
    wide = [
        _case("gemma", "standard", fit=True, shape=WIDE, **_WIDE_RUN, d_sae=8192),
        _case("gemma", "batchtopk", fit=True, shape=WIDE, **_WIDE_RUN, d_sae=8192),
        _case("gemma", "jumprelu", fit=True, shape=WIDE, **_WIDE_RUN, d_sae=8192),
        _case("gemma", "topk", fit=True, shape=WIDE, **_WIDE_RUN, d_sae=4096),
        _case("gemma", "gated", shape=WIDE, **_WIDE_RUN, d_sae=8192, fit=True),
        _case("gemma", "batchtopk", shape=WIDE, **_WIDE_RUN, d_sae=16384),
        _case("gemma", "jumprelu", shape=WIDE, **_WIDE_RUN, d_sae=4096, train_batch_size_tokens=4096),
    ]
    return mini + changed + wide


def cuda_grid() -> list[dict[str, Any]]:
    """The full presets at their true sizes with random weights; Gemma in forms that fit smaller
    cards, too."""
    cases = [
        _case("tinystories", "batchtopk", scale="full", fit=True),
        _case("tinystories", "standard", scale="full", fit=True),
        _case("attn-only-2l", "batchtopk", scale="full"),
        _case("othello", "batchtopk", scale="full"),
        _case("othello", "jumprelu", scale="full", fit=True),
        _case("gemma", "topk", scale="full", fit=True),
        _case("gemma", "gated", scale="full", fit=True),
        _case("gemma", "batchtopk", scale="full"),
        _case("gemma", "jumprelu", scale="full"),
        _case("gemma", "batchtopk", scale="full", eval_batch_size_prompts=8),
    ]
    return [case | {"device": "cuda", "random": True} for case in cases]


def _case(
    preset: str,
    architecture: str,
    *,
    scale: str = "mini",
    fit: bool = False,
    shape: dict[str, int] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    case: dict[str, Any] = {"preset": preset, "scale": scale, "architecture": architecture, "fit": fit}
    if shape:
        case |= {"shape": shape, "random": True}
    if changes:
        case["changes"] = changes
    return case


def words(case: dict[str, Any]) -> str:
    """A case in a table."""
    parts = [f"{case['preset']} {case['architecture']}"]
    if "shape" in case:
        parts = [f"wide {case['architecture']}"]
    shown = {
        name: value for name, value in case.get("changes", {}).items() if name not in ("d_in", "hook_name")
    }
    if "shape" in case:
        shown.pop("n_batches_in_buffer", None)
    short = {
        "train_batch_size_tokens": "batch",
        "n_batches_in_buffer": "buffer",
        "eval_batch_size_prompts": "eval rows",
    }
    parts += [f"{short.get(name, name)} {value:,}" for name, value in shown.items()]
    return ", ".join(parts)
