"""The bank for 3b.1, saelens_config."""

import dataclasses

import sae_lens
from bank import Bank
from sae_lens import LanguageModelSAERunnerConfig, LoggingConfig, TopKTrainingSAEConfig

from sae_course.checks import ch03b as check
from sae_course.training import change, preset

bank = Bank(check.saelens_config)


def sae_settings(hand):
    return {
        "d_in": hand.d_in,
        "d_sae": hand.d_sae,
        "k": hand.k,
        "aux_loss_coefficient": hand.aux_coefficient,
        "normalize_activations": "expected_average_only_in",
        "device": hand.device,
    }


def settings(hand):
    return {
        "model_name": hand.model,
        "hook_name": hand.hook_point,
        "dataset_path": hand.dataset,
        "context_size": hand.context,
        "training_tokens": hand.n_steps * hand.batch_size,
        "train_batch_size_tokens": hand.batch_size,
        "lr": hand.lr,
        "lr_scheduler_name": "constant",
        "lr_warm_up_steps": hand.warm_up_steps,
        "lr_decay_steps": hand.decay_steps,
        "adam_beta1": 0.9,
        "dead_feature_window": hand.dead_window,
        "store_batch_size_prompts": hand.rows_at_once,
        "n_batches_in_buffer": hand.buffer_rows,
        "seed": hand.seed,
        "device": hand.device,
        "logger": LoggingConfig(log_to_wandb=False),
    }


@bank.right
def in_full(hand, **others):
    return LanguageModelSAERunnerConfig(
        sae=TopKTrainingSAEConfig(**sae_settings(hand)), **settings(hand), **others
    )


@bank.right
def defaults_left_out(hand, **house):
    given = settings(hand)
    del given["lr_scheduler_name"], given["adam_beta1"]  # SAELens' own are these
    given["training_tokens"] = hand.tokens
    return LanguageModelSAERunnerConfig(sae=TopKTrainingSAEConfig(**sae_settings(hand)), **(given | house))


@bank.right
def changed_afterwards(hand, **others):
    sae = TopKTrainingSAEConfig(d_in=hand.d_in, d_sae=hand.d_sae, k=hand.k)
    cfg = LanguageModelSAERunnerConfig(sae=sae, **others)
    for part, values in ((cfg, settings(hand)), (sae, sae_settings(hand))):
        for name, value in values.items():
            setattr(part, name, value)
    return cfg


@bank.right
def from_the_preset(hand, **others):
    cfg = preset("tinystories", "mini", architecture="topk")
    return change(cfg, **{**sae_settings(hand), **settings(hand), **others})


def slip(name, message, sae=None, drop=(), **wrong):
    """The right configuration with other values, functions of hand; or without some."""

    def variant(hand, **others):
        mine = settings(hand) | {key: make(hand) for key, make in wrong.items()}
        inner = sae_settings(hand) | {key: make(hand) for key, make in (sae or {}).items()}
        for key in drop:
            (inner if key.startswith("sae.") else mine).pop(key.removeprefix("sae."))
        return LanguageModelSAERunnerConfig(sae=TopKTrainingSAEConfig(**inner), **mine, **others)

    variant.__name__ = name
    bank.wrong(message)(variant)


slip(
    "swapped_widths",
    r"sae\.d_in .*\n.*this is hand\.d_sae\.",
    {"d_in": lambda h: h.d_sae, "d_sae": lambda h: h.d_in},
)
slip("d_sae_from_k", r"sae\.d_sae .*\s+Likely: this is hand\.k", {"d_sae": lambda h: h.k})
slip("expansion", r"expected \d+ \(hand\.d_sae\)", {"d_sae": lambda h: 4 * h.d_in})
slip("k_left_out", "sae.k is 100.*\n.*not given, and this is SAELens' default", drop=["sae.k"])
slip("aux_left_out", "aux_loss_coefficient is 1.0.*\n.*SAELens' default", drop=["sae.aux_loss_coefficient"])
slip("no_aux", "the auxiliary loss is switched off", {"aux_loss_coefficient": lambda h: 0.0})
slip("clip_for_aux", r"this is hand\.clip", {"aux_loss_coefficient": lambda h: h.clip})
slip("not_scaled", "scaled to a mean norm of √d_in", drop=["sae.normalize_activations"])
slip("layer_norm", "layer_norm brings every", {"normalize_activations": lambda h: "layer_norm"})
slip("whitened", "whitening mixes", {"normalize_activations": lambda h: "covariance_whitening"})
slip("sae_elsewhere", "sae.device is 'cpu'.*\n.*a device of its own", drop=["sae.device"])
slip("free_decoder", "rows would count at any", {"rescale_acts_by_decoder_norm": lambda h: False})
slip("b_dec_kept_in", "b_dec would not be", {"apply_b_dec_to_input": lambda h: False})
slip("model_left_out", "config.model_name is 'gelu-2l'.*\n.*SAELens' default", drop=["model_name"])
slip("usual_hook", r"hook_name is .*expected .*\(hand\.hook_point\)", hook_name=lambda h: "blocks.0.hook_z")
slip("no_dataset", "dataset_path is ''", drop=["dataset_path"])
slip("model_for_dataset", r"this is hand\.model", dataset_path=lambda h: h.model)
slip("usual_context", "context_size is 128.*\n.*SAELens' default", drop=["context_size"])
slip("steps_for_tokens", "counts tokens, not steps", training_tokens=lambda h: h.n_steps)
slip("context_twice", "counts tokens already", training_tokens=lambda h: h.n_steps * h.batch_size * h.context)
slip(
    "tokens_read_at_once",
    "rows_at_once is what the model reads; a step trains on batch_size tokens",
    training_tokens=lambda h: h.n_steps * h.rows_at_once * h.context,
)
slip(
    "rows_read_at_once",
    "batch_size, in tokens",
    training_tokens=lambda h: h.n_steps * h.rows_at_once,
)
slip("buffer_for_tokens", "the buffer's size", training_tokens=lambda h: h.capacity)
slip("tokens_left_out", "training_tokens is 2000000.*n_steps × batch_size", drop=["training_tokens"])
slip(
    "batch_in_rows",
    "nothing to divide by context",
    train_batch_size_tokens=lambda h: h.batch_size // h.context,
)
slip("batch_times_context", "nothing to multiply", train_batch_size_tokens=lambda h: h.batch_size * h.context)
slip(
    "model_batch",
    "what the model reads at once; the SAE trains",
    train_batch_size_tokens=lambda h: h.rows_at_once * h.context,
)
slip("lr_left_out", "config.lr is 0.0003.*\n.*SAELens' default", drop=["lr"])
slip("lr_scaled", r"config\.lr is .*\(hand\.lr\)", lr=lambda h: h.lr / 10)
slip("cosine", "no cosine", lr_scheduler_name=lambda h: "cosineannealing")
slip("no_warm_up", "lr_warm_up_steps is 0.*\n.*SAELens' default", drop=["lr_warm_up_steps"])
slip("warm_up_in_tokens", "steps, not tokens", lr_warm_up_steps=lambda h: h.warm_up_steps * h.batch_size)
slip("warm_up_share", "no share of them", lr_warm_up_steps=lambda h: h.warm_up_steps / h.n_steps)
slip("decay_in_tokens", "decay.*\n.*steps, not tokens", lr_decay_steps=lambda h: h.decay_steps * h.batch_size)
slip("decay_share", "decay.*\n.*no share of them", lr_decay_steps=lambda h: h.decay_steps / h.n_steps)
slip("decay_begins", "step at which it begins", lr_decay_steps=lambda h: h.n_steps - h.decay_steps)
slip("old_beta", "0 was SAELens' default in 2024", adam_beta1=lambda h: 0.0)
slip("window_in_tokens", "steps, not tokens", dead_feature_window=lambda h: h.dead_window * h.batch_size)
slip("usual_window", "dead_feature_window is 1000", drop=["dead_feature_window"])
slip("prompts_in_tokens", "rows .prompts.", store_batch_size_prompts=lambda h: h.rows_at_once * h.context)
slip("buffer_read_at_once", r"this is hand\.buffer_rows", store_batch_size_prompts=lambda h: h.buffer_rows)
slip("buffer_in_tokens", "this counts tokens", n_batches_in_buffer=lambda h: h.capacity)
slip("buffer_in_batches", "model batches", n_batches_in_buffer=lambda h: h.buffer_rows // h.rows_at_once)
slip("training_batches", "training batches", n_batches_in_buffer=lambda h: h.capacity // h.batch_size)
slip("own_seed", "seed is 42.*\n.*SAELens' default", drop=["seed"])
slip("own_device", r"config\.device is 'cpu'", drop=["device"])
slip("wandb", "log_to_wandb is True.*\n.*ask for an account", drop=["logger"])


@bank.wrong(r"raised TypeError.*hook_point(.|\n)*Your line")
def by_hand_names(hand, **others):
    given = settings(hand)
    return LanguageModelSAERunnerConfig(
        sae=TopKTrainingSAEConfig(**sae_settings(hand)), hook_point=given.pop("hook_name"), **given, **others
    )


@bank.wrong(r"passed on: LanguageModelSAERunnerConfig\(\.\.\., \*\*others\)")
def others_dropped(hand, **others):
    return in_full(hand)


@bank.wrong("keep the first line of the exercise")
def no_others(hand):
    return in_full(hand)


@bank.wrong("this is the SAE's part alone")
def the_saes_part(hand, **others):
    return TopKTrainingSAEConfig(**sae_settings(hand))


@bank.wrong("returned a dict; expected a LanguageModelSAERunnerConfig")
def a_dict(hand, **others):
    return settings(hand) | others


@bank.wrong("config.sae is a BatchTopKTrainingSAEConfig(.|\n)*shares its k between")
def batch_topk(hand, **others):
    sae = sae_lens.BatchTopKTrainingSAEConfig(**sae_settings(hand))
    return LanguageModelSAERunnerConfig(sae=sae, **settings(hand), **others)


@bank.wrong("has Training in its name")
def for_inference(hand, **others):
    given = sae_settings(hand)
    del given["aux_loss_coefficient"]
    return LanguageModelSAERunnerConfig(sae=sae_lens.TopKSAEConfig(**given), **settings(hand), **others)


@bank.wrong("L1 penalty; by hand the SAE was TopK")
def standard(hand, **others):
    sae = sae_lens.StandardTrainingSAEConfig(d_in=hand.d_in, d_sae=hand.d_sae)
    return LanguageModelSAERunnerConfig(sae=sae, **settings(hand), **others)


@bank.wrong("L1 penalty; by hand the SAE was TopK")
def gated(hand, **others):
    sae = sae_lens.GatedTrainingSAEConfig(d_in=hand.d_in, d_sae=hand.d_sae)
    return LanguageModelSAERunnerConfig(sae=sae, **settings(hand), **others)


@bank.wrong("learns thresholds")
def jumprelu(hand, **others):
    sae = sae_lens.JumpReLUTrainingSAEConfig(d_in=hand.d_in, d_sae=hand.d_sae)
    return LanguageModelSAERunnerConfig(sae=sae, **settings(hand), **others)


@bank.wrong("missing 1 required positional argument: 'sae'")
def no_sae(hand, **others):
    return LanguageModelSAERunnerConfig(**settings(hand), **others)


@bank.wrong("raised FrozenInstanceError")
def changes_hand(hand, **others):
    hand.k = 2 * hand.k
    return in_full(dataclasses.replace(hand), **others)


@bank.wrong(r"is there a `return`\?")
def nothing(hand, **others):
    in_full(hand, **others)
