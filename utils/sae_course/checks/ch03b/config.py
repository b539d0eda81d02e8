"""Check of 3b.1: the settings of the SAE written by hand, as SAELens' configuration."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from .settings import SETTINGS, WRONG_SAE, Setting


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
        lr=round(case.number(0.002, 0.009), 5),
        warm_up_steps=near(40),
        decay_steps=near(320),
        clip=round(case.number(0.5, 0.9), 3),
        dead_window=near(180),
        aux_coefficient=round(case.number(0.1, 0.4), 3),
        rows_at_once=rows_at_once,
        buffer_rows=rows_at_once * 31,
        seed=int(case.integers("1", 3, 12)),
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
