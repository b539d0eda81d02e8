"""What a smoke run cuts: a few steps of everything, at the models' and SAEs' true widths.

``SAE_COURSE_SMOKE`` asks for it (`Session.smoke`); the presets, the chapters' settings and the streams of
published tokens obey. No chapter asks.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..models.names import MODELS, SMOKE_TOKENS

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

STEPS, BATCH, ROWS = 8, 32, 2
"""Steps of a training, tokens in its batches, rows of its buffer and of an evaluation."""


def shortened(cfg: "Config") -> "Config":
    """A preset's configuration for a smoke run: its widths and its method, and hardly any data."""
    from .settings import change  # noqa: PLC0415

    whole_rows = tuple(cfg.seqpos_slice or (None,)) != (None,)  # a game is read as a whole
    context = cfg.context_size if whole_rows else min(cfg.context_size, SMOKE_TOKENS)
    short = change(
        cfg,
        context_size=context,
        train_batch_size_tokens=BATCH,
        training_tokens=STEPS * BATCH,
        store_batch_size_prompts=ROWS,
        n_batches_in_buffer=2 * ROWS,
        n_batches_for_norm_estimate=1,
        n_eval_batches=1,
        eval_batch_size_prompts=1,
        wandb_log_frequency=1,
        eval_every_n_wandb_logs=10 * STEPS,  # at the end alone
    )
    wanted = MODELS[cfg.model_name]
    full = cfg.dataset_path == (wanted.dataset.repository if wanted.dataset else "")
    if full and wanted.smoke_layers:
        short = change(short, hook_name=nearest_hook(cfg.hook_name, wanted.smoke_layers))
    return short


def nearest_hook(hook_point: str, n_layers: int) -> str:
    """The hook point, or the same one of the last of so many layers where the model has no layer so deep."""
    return re.sub(r"blocks\.(\d+)", lambda found: f"blocks.{min(int(found[1]), n_layers - 1)}", hook_point)


def settings(smoke: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from a chapter's usual settings: in a smoke run ``smoke``, and what is asked for."""
    from ..runtime import current  # noqa: PLC0415

    return {**(smoke if current().smoke else {}), **changes}
