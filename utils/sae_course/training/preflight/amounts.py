"""What a configuration amounts to: steps, tokens in a row, tokens in the buffer."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = "LanguageModelSAERunnerConfig[Any]"


def steps(cfg: "Config") -> int:
    """Full batches in the run, as SAELens' schedules count them (``total_training_steps``)."""
    return int(cfg.training_tokens // cfg.train_batch_size_tokens)


def row_tokens(cfg: "Config") -> int:
    """Tokens of a row that are trained on: the context, cut by ``seqpos_slice``."""
    return len(range(cfg.context_size)[slice(*cfg.seqpos_slice)])


def buffer_tokens(cfg: "Config") -> int:
    """Tokens in the activation buffer, as ``ActivationsStore.get_data_loader`` counts them.

    ``n_batches_in_buffer`` counts rows there: ``store_batch_size_prompts`` does not enter.
    """
    return int(cfg.n_batches_in_buffer * row_tokens(cfg))


def architecture(cfg: "Config") -> str:
    """SAELens' name of the SAE's architecture."""
    return str(cfg.sae.architecture())


def has_aux_loss(cfg: "Config") -> bool:
    """Whether dead latents are revived: by AuxK, or by JumpReLU's pre-activation loss."""
    return bool(
        getattr(cfg.sae, "aux_loss_coefficient", 0) or getattr(cfg.sae, "pre_act_loss_coefficient", 0)
    )


def learned_threshold(cfg: "Config") -> bool:
    """Whether the finished SAE's threshold is a running mean: BatchTopK and Matryoshka."""
    return hasattr(cfg.sae, "topk_threshold_lr")
