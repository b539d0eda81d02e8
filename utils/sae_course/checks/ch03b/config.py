"""Check of 3b.1: the settings of the SAE written by hand, as SAELens' configuration."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial


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
            "batch_size counts tokens already: context must not be multiplied in.": lambda hand: (
                hand.n_steps * hand.batch_size * hand.context
            ),
            "rows_at_once is what the model reads at once; a step trains on batch_size tokens.": lambda hand: (
                hand.n_steps * hand.rows_at_once * hand.context
            ),
            "rows_at_once is what the model reads at once; a step trains on batch_size "
            "tokens, not rows.": lambda hand: hand.n_steps * hand.rows_at_once,
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


@exercise("3b.1", "saelens_config", minutes=8, hints=2)
def saelens_config(t: Trial, student: Function) -> None:
    """Every setting by hand under SAELens' name and in its unit, and all others passed on."""
    from sae_lens import LanguageModelSAERunnerConfig  # noqa: PLC0415 - seconds; the notebook has it already

    for case in t.cases(4):
        hand, others = _hand(case), _others(case)
        cfg = t.call(student, {"hand": hand}, keywords=others)
        t.require(
            cfg is not None, "saelens_config returned nothing (None): is there a `return`?", kind="none"
        )
        t.require(
            isinstance(cfg, LanguageModelSAERunnerConfig),
            f"saelens_config returned a {type(cfg).__name__}; expected a LanguageModelSAERunnerConfig.",
            kind="type",
            likely="this is the SAE's part alone; it goes into the other as sae=..."
            if hasattr(cfg, "d_sae")
            else "",
        )
        _is_topk(t, cfg.sae)
        for setting in SETTINGS:
            _judge(t, cfg, setting, hand)
        for name, value in others.items():
            t.require(
                getattr(cfg, name) == value,
                f"config.{name} is {getattr(cfg, name)!r}; the check called saelens_config(hand, "
                f"{name}={value!r}, ...).",
                kind="values",
                likely="what comes in as **others has to be passed on: LanguageModelSAERunnerConfig(..., "
                "**others).",
            )


def _is_topk(t: Trial, sae: Any) -> None:
    kind = sae.__name__ if isinstance(sae, type) else type(sae).__name__
    name = sae.architecture() if hasattr(sae, "architecture") else ""
    t.require(
        name == "topk" and hasattr(sae, "aux_loss_coefficient") and not isinstance(sae, type),
        f"config.sae is {'the class' if isinstance(sae, type) else 'a'} {kind}; expected a "
        "TopKTrainingSAEConfig.",
        kind="type",
        likely="that is the configuration of a trained SAE; one in training has Training in its name."
        if name == "topk" and not isinstance(sae, type)
        else WRONG_SAE.get(name, ""),
    )


def _judge(t: Trial, cfg: Any, setting: Setting, hand: Any) -> None:
    seen, wanted = _at(cfg, setting.path), setting.right(hand)
    if _same(seen, wanted):
        return
    how = setting.how or next(f"hand.{name}" for name, value in _named(hand) if _same(value, wanted))
    likely = next((words for words, wrong in setting.mistakes.items() if _same(seen, wrong(hand))), "")
    if not likely and _same(seen, _default(cfg, setting.path)):
        why = setting.default and f": {setting.default}"
        likely = f"it was not given, and this is SAELens' default{why}."
    if not likely:
        likely = next((f"this is hand.{name}." for name, value in _named(hand) if _same(seen, value)), "")
    t.require(
        False,
        f"config.{setting.path} is {seen!r}; expected {wanted!r} ({how}).",
        kind="values",
        likely=likely,
    )


def _named(hand: Any) -> Iterator[tuple[str, Any]]:
    return ((one.name, getattr(hand, one.name)) for one in dataclasses.fields(hand))


def _at(cfg: Any, path: str) -> Any:
    for part in path.split("."):
        cfg = getattr(cfg, part, None)
    return cfg


def _default(cfg: Any, path: str) -> Any:
    *above, name = path.split(".")
    parts = dataclasses.fields(_at(cfg, above[0]) if above else cfg)
    return next((one.default for one in parts if one.name == name), None)


def _same(seen: Any, wanted: Any) -> bool:
    numbers = [isinstance(value, int | float) for value in (seen, wanted)]
    if all(numbers):
        return math.isclose(seen, wanted, rel_tol=1e-6)
    return type(seen) is type(wanted) and bool(seen == wanted)


def _hand(case: Case) -> Any:
    """Settings by hand: random, no two numbers alike, and none of them SAELens' default."""
    from ...training.by_hand import HandConfig  # noqa: PLC0415 - where the chapter has it from

    def pick(*values: Any) -> Any:
        return values[int(case.integers("1", 0, len(values)))]

    def near(value: int) -> int:
        return value + int(case.integers("1", 0, value // 8))

    rows_at_once = near(16)
    return HandConfig(
        model=pick("tiny-stories-1L-21M", "attn-only-2l-demo", "gemma-2-2b"),
        hook_point=f"blocks.{pick(1, 2, 3)}.{pick('hook_mlp_out', 'hook_resid_pre', 'hook_resid_post')}",
        dataset=pick("sae-course:stories", "sae-course:games", "someone/stories-tokenized"),
        context=near(240),
        d_in=near(64),
        d_sae=near(768),
        k=near(25),
        n_steps=near(1200),
        batch_size=near(2200),
        lr=case.number(0.002, 0.009),
        warm_up_steps=near(40),
        decay_steps=near(320),
        clip=case.number(0.5, 0.9),
        dead_window=near(180),
        aux_coefficient=case.number(0.1, 0.4),
        rows_at_once=rows_at_once,
        buffer_rows=rows_at_once * 31,
        seed=near(8) - 6,
        device=pick("cuda", "cuda:1", "mps"),
    )


def _others(case: Case) -> dict[str, Any]:
    """Some of what the notebook passes on."""
    return {
        "verbose": False,
        "checkpoint_path": None,
        "output_path": None,
        "n_eval_batches": int(case.integers("1", 2, 9)),
        "feature_sampling_window": int(case.integers("1", 51, 99)),
        "n_batches_for_norm_estimate": int(case.integers("1", 11, 49)),
    }
