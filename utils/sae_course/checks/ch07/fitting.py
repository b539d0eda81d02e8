"""Check of 7.5 fitted: a configuration that fits a T4, for the same SAE, trained on the same tokens."""

import dataclasses
import re
from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

from ...runs.configs import ABSENT, ASIDE, flatten
from ...runtime import CourseError
from ...training import change, preset
from ...training.planner import Plan, plan
from ...training.preflight.amounts import buffer_tokens
from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

GIB = 2**30
MIXED = 4
"""Model batches that the buffer must hold."""
HALF = ("bfloat16", "float16", "bf16", "fp16")
"""What TransformerLens calls the number formats of two bytes."""
KWARGS = "model_from_pretrained_kwargs"
COUNTS = ("eval_batch_size_prompts", "n_eval_batches", "store_batch_size_prompts", "n_batches_in_buffer")
PLACES = ("device", "sae.device", "llm_device", "act_store_device")
LIMITED = {"gpu": "GPU", "second gpu": "second GPU"}
"""The planner's devices whose memory is limited."""

FREE = (
    *ASIDE,
    *COUNTS,
    *PLACES,
    KWARGS,
    "autocast",
    "autocast_lm",
    "compile_llm",
    "llm_compilation_mode",
    "compile_sae",
    "sae_compilation_mode",
    "prefetch_llm_batches",
    "feature_sampling_window",
    "dead_feature_threshold",
    "streaming",
    "dataset_trust_remote_code",
    "sae_lens_version",
    "sae_lens_training_version",
)
"""Settings that leave the SAE and its tokens alone. Some have rules of their own, below."""

_SCHEDULE = "the learning rate would be another at some of the steps."
_AVERAGES = "the optimizer would average over other steps, and take the same memory."
# In this order they are looked at: a change of the tokens or of the batch takes lengths in steps with it.
WHY = {
    "model_name": "the SAE would learn from another model.",
    "hook_name": "the SAE would learn from another place in the model.",
    "sae.architecture": "it is another kind of SAE, with another loss.",
    "sae.d_in": "it is the width of the activations, which the model decides.",
    "sae.d_sae": "an SAE with another number of latents finds other latents.",
    "sae.k": "another number of latents would be active.",
    "sae.l1_coefficient": "the SAE would be sparse to another degree.",
    "sae.l0_coefficient": "the SAE would be sparse to another degree.",
    "dtype": "the SAE and its buffer would have other numbers. The format of the model's is "
    f'{KWARGS}={{"dtype": ...}}.',
    "sae.dtype": "the SAE itself would have other numbers. The format of the model's is "
    f'{KWARGS}={{"dtype": ...}}.',
    "dataset_path": "the SAE would learn from other texts.",
    "context_size": "the model would see another stretch of text before each token.",
    "seqpos_slice": "the SAE would learn from other positions of each text.",
    "training_tokens": "the SAE would be trained on another number of tokens.",
    "train_batch_size_tokens": "each step would be the mean over another number of tokens, and "
    "there would be another number of steps.",
    "lr": "the steps would be of another size, and take the same memory.",
    "lr_scheduler_name": _SCHEDULE,
    "lr_warm_up_steps": _SCHEDULE,
    "lr_decay_steps": _SCHEDULE,
    "lr_end": _SCHEDULE,
    "n_restart_cycles": _SCHEDULE,
    "adam_beta1": _AVERAGES,
    "adam_beta2": _AVERAGES,
    "seed": "the SAE would begin with other weights.",
    "activations_mixing_fraction": "the batches would be mixed differently.",
    "use_cached_activations": "the activations would have to be on a disk already, terabytes of them.",
    "from_pretrained_path": "the SAE would begin with other weights.",
    "n_batches_for_norm_estimate": "the factor that scales the activations would be another.",
    "dead_feature_window": "other latents would count as dead.",
}
OTHERS = "it is not one of the settings that leave the SAE and its tokens alone."
THE_SAES = "it is a setting of the SAE itself."
OWN = ("sae.architecture", "hook_name", "seed", "lr")
"""Settings in which the cases differ: who gets several of them wrong did not start from cfg."""

ADVICE = 'print(plan(fitted(cfg), gpu="T4")) shows every part, and what is advised.'
FROM_CFG = (
    "the function does not start from the cfg that it is given. Change only what takes memory, "
    "change(cfg, ...), and all else stays as it was."
)
A_COPY = "change(cfg, ...) leaves cfg alone and returns a copy: return that."
ROWS = "n_batches_in_buffer counts rows of text in SAELens 6, whatever its name says."
SHARED = (
    f"copy.copy and dataclasses.replace share sae, logger and {KWARGS} with cfg: "
    "change(cfg, ...) and copy.deepcopy(cfg) do not."
)
RAISED = {
    r"must be a mapping, not tuple": "plan(...).changes is a tuple; of each, .setting is a name and .value "
    "its value: change(cfg, **{one.setting: one.value}).",
    r"change\(\) takes 1 positional argument": "settings go in by name: change(cfg, n_eval_batches=4), or "
    "change(cfg, **settings) from a dictionary.",
    r"There is no setting (model_|llm_|torch_)dtype": f"the model's number format is in {KWARGS}="
    '{"dtype": ...}.',
    r"FrozenInstanceError": "a plan and its parts only tell; the configuration is what can be changed.",
}
"""What a learner's exception suggests, by what it says."""


@exercise("7.5", "fitted", minutes=12, hints=1)
def fitted(t: Trial, student: Function) -> None:
    """Fits a T4, with nothing changed that changes the SAE or its tokens."""
    for case in t.cases(4):
        cfg, words = _given(case, t.count)
        before = flatten(cfg)
        result = _called(t, student, cfg, f"{case.label}: {words}")
        changed_in_place = _differing(before, flatten(cfg))
        _is_configuration(t, student, result, changed_in_place)
        t.require(
            not changed_in_place,
            f"{name_of(student)} changed the given cfg itself ({', '.join(changed_in_place)}), which its "
            "caller may still need.",
            kind="changed input",
            likely=A_COPY if result is cfg else SHARED,
        )
        after = _flat(t, result)
        t.require(
            _differing(before, after),
            f"{name_of(student)} returned cfg as it was, and that does not fit.",
            kind="unchanged",
            likely=A_COPY if t.count == 1 else "a condition in the function leaves this configuration out.",
        )
        _same_training(t, student, before, after)
        _readable_counts(t, result)
        _places(t, student, result)
        _same_model(t, cfg, result)
        made = _planned(t, result)
        _mixed(t, result)
        _fits(t, result, made)


def _given(case: Case, number: int) -> tuple["Config", str]:
    """The configuration of a case, and what the message calls it; none of them fits a T4."""
    layer = 12
    recipe, architecture = (
        ("today", "batchtopk"),
        ("seed", "gated"),
        ("seed", "gated"),
        ("today", "jumprelu"),
    )[number - 1]
    own: dict[str, Any] = {}
    if number > 2:
        layer = (3, 5, 9, 15, 18, 21, 24)[int(case.integers("1", 0, 7))]
        own = {"seed": int(case.integers("1", 1, 100)), "lr": round(case.number(1e-4, 9e-4), 6)}
    cfg = preset("gemma", "full", recipe, architecture=architecture, layer=layer, smoke=False, **own)
    words = "".join(f", {name} = {value}" for name, value in own.items())
    # As `full_run` has it: on a machine with a GPU, with as many rows in an evaluation as SAELens takes by
    # default. A configuration can be made and planned without a GPU.
    rows = {"eval_batch_size_prompts": cfg.store_batch_size_prompts, "n_eval_batches": 8}
    places = {"device": "cuda", "llm_device": "cuda", "act_store_device": "cuda"}
    cfg = change(cfg, **rows, **places, autocast=True, autocast_lm=True)
    return cfg, f'cfg is the full preset "gemma", {architecture}, layer {layer}{words}'


def _called(t: Trial, student: Function, cfg: "Config", words: str) -> Any:
    try:
        return t.call(student, {"cfg": cfg})
    except CheckFailed as failure:
        if failure.kind == "raised":
            hints = (words for said, words in RAISED.items() if re.search(said, failure.problem))
            failure.likely = next(hints, failure.likely)
        raise
    finally:
        t.case = words


def _is_configuration(t: Trial, student: Function, result: Any, changed_in_place: list[str]) -> None:
    from sae_lens import LanguageModelSAERunnerConfig  # noqa: PLC0415 - seconds; the notebook has it already

    name = name_of(student)
    t.require(
        result is not None,
        f"{name} returned nothing (None): is there a `return`?",
        kind="none",
        likely=A_COPY if changed_in_place else "",
    )
    is_class = isinstance(result, type)
    returned = f"the class {result.__name__}" if is_class else f"a {type(result).__name__}"
    t.require(
        isinstance(result, LanguageModelSAERunnerConfig),
        f"{name} returned {returned}; expected a configuration of SAELens, as cfg is one.",
        kind="type",
        likely=_not_a_configuration(result),
    )
    t.require(
        hasattr(result.sae, "architecture") and not isinstance(result.sae, type),
        f"In the configuration, sae is {result.sae!r}; expected the configuration of an SAE, as in cfg.",
        kind="type",
    )


def _not_a_configuration(result: Any) -> str:
    """What was returned in place of one."""
    items = list(result) if isinstance(result, list | tuple) else [result]
    changes = bool(items) and all(hasattr(one, "setting") for one in items)
    known = {
        "": isinstance(result, type),
        "a plan only tells what to change; change(cfg, ...) makes the configuration.": isinstance(
            result, Plan
        ),
        "that is what the planner computes with; change(cfg, ...) makes the configuration.": hasattr(
            result, "model_dtype"
        ),
        "these are what to change; change(cfg, **{one.setting: one.value}) does it, for each.": changes,
        "from a dictionary of settings, change(cfg, **settings) makes the configuration.": isinstance(
            result, dict
        ),
        "whether it fits is the check's to see; return the configuration.": isinstance(result, bool),
        "this is the SAE's part alone.": hasattr(result, "d_sae"),
    }
    return next((words for words, applies in known.items() if applies), "")


def _flat(t: Trial, result: "Config") -> dict[str, Any]:
    try:
        return flatten(result)
    except Exception as error:
        t.require(False, f"This configuration cannot be read: {type(error).__name__}: {error}", kind="type")
        raise


def _differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The settings that differ, by their dotted names, what comes first in WHY first."""
    names = [*WHY, *(name for name in before | after if name not in WHY)]
    return [name for name in names if _plain(before.get(name, ABSENT)) != _plain(after.get(name, ABSENT))]


def _plain(value: Any) -> Any:
    """A dtype's name without torch's."""
    return value.removeprefix("torch.") if isinstance(value, str) else value


def _below(name: str, above: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in above)


def _same_training(t: Trial, student: Function, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Nothing changed but what is free; the message names the setting."""
    wrong = [name for name in _differing(before, after) if not _below(name, FREE)]
    if not wrong:
        return
    name = wrong[0]
    old, new = (_shown(values.get(name, ABSENT)) for values in (before, after))
    why = WHY.get(name, THE_SAES if name.startswith("sae.") else OTHERS)
    # A function that passed one case may have its values written into it.
    foreign = sum(one in wrong for one in OWN) > 1 or (t.count > 1 and name in OWN)
    rest = "" if foreign or len(wrong) == 1 else f" Changed with it: {', '.join(wrong[1:6])}."
    t.require(
        False,
        f"{name_of(student)} changed {name} from {old} to {new}. This is another training: {why}{rest}",
        kind="another training",
        likely=FROM_CFG if foreign else "",
    )


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _readable_counts(t: Trial, result: "Config") -> None:
    """What was assigned to an attribute has gone past every check of types."""
    for name in COUNTS:
        value = getattr(result, name)
        if value is None and name == "eval_batch_size_prompts":  # then it is store_batch_size_prompts
            continue
        t.require(
            isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1,
            f"{name} is {value!r}; expected a whole number, 1 or more.",
            kind="values",
            likely="a / b is never a whole number in Python; a // b is." if isinstance(value, float) else "",
        )


def _places(t: Trial, student: Function, result: "Config") -> None:
    """The SAE on the GPU; model and buffer anywhere."""
    where = {
        name: str(result.sae.device if name == "sae.device" else getattr(result, name)) for name in PLACES
    }
    for name in ("device", "sae.device"):
        t.require(
            where[name] != "cpu",
            f"{name} is 'cpu': the SAE would be trained on the processor, and this was to be a training on "
            "the GPU. The model and the buffer may lie elsewhere (llm_device, act_store_device).",
            kind="another training",
            likely="a preset of this computer has its device; change(cfg, ...) keeps that of cfg."
            if result.device == result.llm_device == result.act_store_device
            else "",
        )
    for name, value in where.items():
        t.require(
            re.fullmatch(r"cpu|cuda(:\d+)?", value),
            f"{name} is {value!r}; expected a device such as 'cuda', 'cuda:1' or 'cpu'.",
            kind="values",
            likely="SAELens replaces this when a configuration is made, and no later."
            if value in ("with_model", "None")
            else "",
        )
    on = [where[name].replace("cuda:0", "cuda") for name in ("device", "sae.device")]
    t.require(
        on[0] == on[1],
        f"device is {where['device']!r} and sae.device is {where['sae.device']!r}: {name_of(student)} moved "
        "one without the other.",
        kind="values",
        likely="change(cfg, device=...) changes both.",
    )


def _same_model(t: Trial, cfg: "Config", result: "Config") -> None:
    """The model is loaded as it was, in a number format of 4 bytes or 2."""
    given = result.model_from_pretrained_kwargs
    t.require(
        isinstance(given, dict),
        f"{KWARGS} is {given!r}; expected a dictionary, such as {{'dtype': ...}}.",
        kind="type",
    )
    t.require(
        "torch_dtype" not in given,
        f"{KWARGS} has 'torch_dtype', which the plan doesn't know.",
        kind="values",
        likely="that is what transformers calls it; TransformerLens, which loads the model, calls it dtype.",
    )
    dtype = str(given.get("dtype", "float32"))
    known = dtype.removeprefix("torch.") if not isinstance(given.get("dtype"), str) else dtype
    t.require(
        known in (*HALF, "float32", "fp32"),
        f"{KWARGS} has dtype = {given.get('dtype')!r}; expected one that TransformerLens can load the model "
        "in, such as 'bfloat16' or torch.bfloat16.",
        kind="values",
    )
    was = cfg.model_from_pretrained_kwargs
    # SAELens writes center_writing_weights=False there, which is what it does without it, too.
    wrong = [
        name for name in was | given if name != "dtype" and was.get(name, False) != given.get(name, False)
    ]
    t.require(
        not wrong,
        f"{KWARGS} has {', '.join(f'{name} = {given.get(name)!r}' for name in wrong)}: the model would be "
        "loaded in another way, and only its dtype is known to leave the training as it was.",
        kind="another training",
    )


def _planned(t: Trial, result: "Config") -> Plan:
    try:
        return plan(result, gpu="T4")
    except CourseError as error:
        t.require(
            False,
            f'plan(..., gpu="T4") refuses this configuration. {error}',
            kind="refused",
            likely=ROWS if "n_batches_in_buffer" in str(error) else "",
        )
        raise


def _mixed(t: Trial, result: "Config") -> None:
    """The buffer holds enough of the text."""
    rows, at_once = result.n_batches_in_buffer, result.store_batch_size_prompts
    held, batch = buffer_tokens(result), result.train_batch_size_tokens
    t.require(
        rows >= MIXED * at_once,
        f"The buffer holds {rows:,} rows (n_batches_in_buffer) and the model reads {at_once:,} at once "
        f"(store_batch_size_prompts): {rows / at_once:.3g} model batches, and it takes at least "
        f"{MIXED} to mix.",
        kind="unmixed",
        likely=ROWS,
    )
    t.require(
        held > batch,
        f"The buffer holds {held:,} tokens ({rows:,} rows, n_batches_in_buffer), and that is one training "
        "batch and no more: there is nothing to mix it with.",
        kind="unmixed",
    )


def _fits(t: Trial, result: "Config", made: Plan) -> None:
    if made.fits:
        return
    has = made.machine.memory or 0
    sums = {(device, phase): sum(row.values()) for device, phase, row in _phases(made)}
    (device, phase), needed = max(sums.items(), key=lambda item: item[1])
    row = next(row for one, two, row in _phases(made) if (one, two) == (device, phase))
    largest = sorted(row.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {size / GIB:.1f}" for name, size in largest[:3])
    t.require(
        False,
        f"It does not fit: {needed / GIB:.1f} GiB are needed on the {LIMITED[device]}, and a "
        f"{made.machine.name} has {has / GIB:.1f}. Most is needed in this phase: {phase}. The largest parts "
        f"there, in GiB: {shares}.",
        kind="does not fit",
        likely=_misspelt(result) or ADVICE,
    )


def _phases(made: Plan) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Device, phase, and the bytes of each part then and there."""
    for device in LIMITED:
        by_part = made.bytes_by_phase(device)
        for phase in dict.fromkeys(phase for row in by_part.values() for phase in row):
            yield device, phase, {name: row.get(phase, 0) for name, row in by_part.items()}


def _misspelt(result: "Config") -> str:
    """An attribute that SAELens' configuration does not have, and so never reads."""
    fields = {field.name for field in dataclasses.fields(result)} | {"tokens_per_buffer"}
    unknown = [name for name in vars(result) if name not in fields]
    if not unknown:
        return ""
    return (
        f"{unknown[0]} is no setting of SAELens: assigning to it has no effect. change(cfg, ...) would have "
        "refused it."
    )
