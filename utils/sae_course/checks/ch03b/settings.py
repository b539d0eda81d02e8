"""What SAELens calls each setting of the SAE written by hand, and how it is mistaken: for 3b.1."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One setting of SAELens, and what it must be."""

    path: str
    """Where it stands in the configuration: ``lr``, ``sae.k``."""
    right: Callable[[Any], Any]
    """Its value for the settings by hand."""
    how: str = ""
    """The right value in words, where it is no setting by hand."""
    mistakes: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    default: str = ""
    """What it means to leave it at SAELens' default."""


SETTINGS = (
    Setting("sae.d_in", lambda hand: hand.d_in),
    Setting("sae.d_sae", lambda hand: hand.d_sae),
    Setting("sae.k", lambda hand: hand.k),
    Setting(
        "sae.aux_loss_coefficient",
        lambda hand: hand.aux_coefficient,
        mistakes={"the auxiliary loss is switched off; by hand it was part of the loss.": lambda hand: 0.0},
    ),
    Setting(
        "sae.normalize_activations",
        lambda hand: "expected_average_only_in",
        "one number for all activations, so that their mean norm is √d_in",
        {
            "layer_norm brings every activation to one length; by hand all were multiplied by one number.": (
                lambda hand: "layer_norm"
            ),
            "whitening mixes the dimensions; by hand all activations were multiplied by one number.": (
                lambda hand: "covariance_whitening"
            ),
        },
        "the activations stay as they are, and by hand they were scaled to a mean norm of √d_in",
    ),
    Setting(
        "sae.rescale_acts_by_decoder_norm",
        lambda hand: True,
        "SAELens' own",
        {"the decoder's rows would count at any length; by hand they were brought to length 1.": lambda _: 0},
    ),
    Setting(
        "sae.apply_b_dec_to_input",
        lambda hand: True,
        "SAELens' own",
        {"b_dec would not be subtracted before the encoder; by hand it was.": lambda hand: False},
    ),
    Setting("sae.device", lambda hand: hand.device, default="the SAE has a device of its own, in sae"),
    Setting("model_name", lambda hand: hand.model),
    Setting("hook_name", lambda hand: hand.hook_point),
    Setting("dataset_path", lambda hand: hand.dataset),
    Setting("context_size", lambda hand: hand.context),
    Setting(
        "training_tokens",
        lambda hand: hand.n_steps * hand.batch_size,
        "n_steps × batch_size",
        {
            "training_tokens counts tokens, not steps: each step reads batch_size of them.": lambda hand: (
                hand.n_steps
            ),
            "this is the buffer's size: what is trained on is n_steps × batch_size.": lambda hand: (
                hand.capacity
            ),
            "batch_size counts tokens already: context must not be multiplied in.": lambda hand: (
                hand.n_steps * hand.batch_size * hand.context
            ),
            "rows_at_once is what the model reads; a step trains on batch_size tokens.": lambda hand: (
                hand.n_steps * hand.rows_at_once * hand.context
            ),
            "rows_at_once is what the model reads; a step trains on batch_size, in tokens.": lambda hand: (
                hand.n_steps * hand.rows_at_once
            ),
        },
    ),
    Setting(
        "train_batch_size_tokens",
        lambda hand: hand.batch_size,
        mistakes={
            "it counts tokens, and so does batch_size: nothing to divide by context.": lambda hand: (
                hand.batch_size // hand.context
            ),
            "it counts tokens, and so does batch_size: nothing to multiply by context.": lambda hand: (
                hand.batch_size * hand.context
            ),
            "that is what the model reads at once; the SAE trains on batch_size tokens.": lambda hand: (
                hand.rows_at_once * hand.context
            ),
        },
    ),
    Setting("lr", lambda hand: hand.lr),
    Setting(
        "lr_scheduler_name",
        lambda hand: "constant",
        "level between its two slopes, which have lengths of their own",
        {
            "by hand the learning rate is level between warm-up and decay: no cosine.": lambda hand: (
                "cosineannealing"
            )
        },
    ),
    Setting(
        "lr_warm_up_steps",
        lambda hand: hand.warm_up_steps,
        mistakes={
            "it counts steps, not tokens.": lambda hand: hand.warm_up_steps * hand.batch_size,
            "it counts steps; it is no share of them.": lambda hand: hand.warm_up_steps / hand.n_steps,
        },
    ),
    Setting(
        "lr_decay_steps",
        lambda hand: hand.decay_steps,
        mistakes={
            "it counts steps, not tokens.": lambda hand: hand.decay_steps * hand.batch_size,
            "it counts steps; it is no share of them.": lambda hand: hand.decay_steps / hand.n_steps,
            "it is how many steps the fall takes, not the step at which it begins.": lambda hand: (
                hand.n_steps - hand.decay_steps
            ),
        },
    ),
    Setting(
        "adam_beta1",
        lambda hand: 0.9,
        "Adam's usual one, as torch.optim.Adam had it by hand",
        {"0 was SAELens' default in 2024; by hand Adam had its usual 0.9.": lambda hand: 0.0},
    ),
    Setting(
        "dead_feature_window",
        lambda hand: hand.dead_window,
        mistakes={"it counts steps, not tokens.": lambda hand: hand.dead_window * hand.batch_size},
    ),
    Setting(
        "store_batch_size_prompts",
        lambda hand: hand.rows_at_once,
        mistakes={"it counts rows (prompts), not tokens.": lambda hand: hand.rows_at_once * hand.context},
    ),
    Setting(
        "n_batches_in_buffer",
        lambda hand: hand.buffer_rows,
        mistakes={
            "in SAELens 6 it counts rows, whatever its name says; this counts tokens.": lambda hand: (
                hand.buffer_rows * hand.context
            ),
            "in SAELens 6 it counts rows, whatever its name says; this counts model batches.": lambda hand: (
                hand.buffer_rows // hand.rows_at_once
            ),
            "in SAELens 6 it counts rows, whatever its name says; this counts training batches.": (
                lambda hand: hand.buffer_rows * hand.context // hand.batch_size
            ),
        },
    ),
    Setting("seed", lambda hand: hand.seed),
    Setting("device", lambda hand: hand.device),
    Setting(
        "logger.log_to_wandb",
        lambda hand: False,
        "nothing is sent anywhere",
        default="Weights & Biases would ask for an account; give logger=LoggingConfig(log_to_wandb=False)",
    ),
)

WRONG_SAE = {
    "batchtopk": "BatchTopK shares its k between the tokens of a batch; by hand each token had k latents.",
    "standard": "a Standard SAE has an L1 penalty; by hand the SAE was TopK.",
    "gated": "a Gated SAE has an L1 penalty; by hand the SAE was TopK.",
    "jumprelu": "a JumpReLU SAE learns thresholds; by hand the SAE was TopK.",
}
