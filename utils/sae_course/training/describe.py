"""Configurations for reading: one in groups with what follows from it, and what differs between several."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from ..runs import configs
from ..runtime import CourseError
from .settings import name_of

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

GROUPS = {
    "model and data": (
        "model_name",
        "hook_name",
        "hook_head_index",
        "dataset_path",
        "context_size",
        "seqpos_slice",
        "prepend_bos",
        "seed",
    ),
    "SAE": (),  # all of its own settings
    "optimiser": (
        "training_tokens",
        "train_batch_size_tokens",
        "lr",
        "lr_scheduler_name",
        "lr_warm_up_steps",
        "lr_decay_steps",
        "lr_end",
        "adam_beta1",
        "adam_beta2",
        "autocast",
        "device",
        "dtype",
    ),
    "activations": (
        "n_batches_in_buffer",
        "store_batch_size_prompts",
        "activations_mixing_fraction",
        "n_batches_for_norm_estimate",
        "exclude_special_tokens",
        "autocast_lm",
        "act_store_device",
    ),
    "evaluation and recording": (
        "logger.wandb_log_frequency",
        "logger.eval_every_n_wandb_logs",
        "n_eval_batches",
        "eval_batch_size_prompts",
        "feature_sampling_window",
        "dead_feature_window",
        "logger.log_to_wandb",
    ),
}
"""The settings that matter, in the order in which they are printed."""

# Shown only where they are something else than this.
_USUAL = {
    "hook_head_index": None,
    "seqpos_slice": [None],
    "exclude_special_tokens": False,
    "logger.log_to_wandb": False,
    "sae.dtype": "float32",
    "sae.reshape_activations": "none",
    "dtype": "float32",
}
_NOT_THE_SAES = ("sae.device", "sae.metadata", "sae.architecture")


@dataclass(frozen=True)
class Description:
    """A configuration in groups. Shows itself as text and, in a notebook, as a table."""

    name: str
    groups: dict[str, dict[str, str]]
    """By group: each setting's name and value, and derived figures under names with spaces."""

    def __str__(self) -> str:
        width = max(len(name) for rows in self.groups.values() for name in rows)
        lines = [self.name]
        for group, rows in self.groups.items():
            lines += ["", group, *(f"  {name:{width}}  {value}" for name, value in rows.items())]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = ' style="text-align:left"'
        body = ""
        for group, rows in self.groups.items():
            body += f'<tr><th colspan="2"{left}>{escape(group)}</th></tr>'
            body += "".join(
                f"<tr><td{left}>{escape(name)}</td><td{left}>{escape(value)}</td></tr>"
                for name, value in rows.items()
            )
        return f"<h4>{escape(self.name)}</h4><table><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Differences:
    """The settings in which configurations differ. Shows itself as a table."""

    names: tuple[str, ...]
    """Of the configurations, in order."""
    rows: dict[str, tuple[Any, ...]]
    """Dotted name of a setting, and each configuration's value (``–`` where it has no such setting)."""

    def shown(self) -> dict[str, tuple[str, ...]]:
        """The rows as they are printed."""
        return {name: tuple(map(_shown, values)) for name, values in self.rows.items()}

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return "no difference"
        table = [("", *self.names), *((name, *values) for name, values in self.shown().items())]
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self.rows:
            return "<p>no difference</p>"
        left = ' style="text-align:left"'
        head = "".join(f"<th{left}>{escape(name)}</th>" for name in ("", *self.names))
        body = "".join(
            "<tr>" + "".join(f"<td{left}>{escape(cell)}</td>" for cell in (name, *values)) + "</tr>"
            for name, values in self.shown().items()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def describe(cfg: "Config") -> Description:
    """A configuration in groups, with what follows from it: steps, tokens per latent, the buffer."""
    return Description(name_of(cfg), {group: dict(_rows(cfg, group)) for group in GROUPS})


def differences(*cfgs: "Config", names: tuple[str, ...] | None = None) -> Differences:
    """The settings in which configurations differ; names, paths and recording are left out.

    Args:
        names: what to call them, when not by `name_of`.

    Raises:
        CourseError: for less than two configurations, or another number of names.
    """
    if len(cfgs) < 2:
        raise CourseError(f"differences compares two configurations or more, not {len(cfgs)}.")
    if names is not None and len(names) != len(cfgs):
        raise CourseError(f"{len(names)} names were given for {len(cfgs)} configurations.")
    return Differences(names or tuple(name_of(cfg) for cfg in cfgs), configs.differences(*cfgs))


def _rows(cfg: "Config", group: str) -> Iterator[tuple[str, str]]:
    flat = configs.flatten(cfg)
    names = GROUPS[group]
    if group == "SAE":
        yield "architecture", cfg.sae.architecture()
        names = tuple(name for name in flat if name.startswith("sae.") and not name.startswith(_NOT_THE_SAES))
    for name in names:
        unused = name == "lr_end" and cfg.lr_scheduler_name == "constant"
        if not unused and (name not in _USUAL or flat[name] != _USUAL[name]):
            yield name.rpartition(".")[2], _shown(flat[name])
    yield from _derived(cfg, group)


def _derived(cfg: "Config", group: str) -> Iterator[tuple[str, str]]:
    """Figures that follow from the settings of a group, as SAELens will use them."""
    steps = max(1, cfg.training_tokens // cfg.train_batch_size_tokens)
    per_sequence = len(range(cfg.context_size)[slice(*cfg.seqpos_slice)])
    if group == "model and data" and per_sequence != cfg.context_size:
        yield "tokens per sequence", f"{per_sequence} of {cfg.context_size}"
    if group == "SAE":
        yield "latents per dimension", f"{cfg.sae.d_sae / cfg.sae.d_in:.3g}"
        yield "tokens per latent", f"{cfg.training_tokens / cfg.sae.d_sae:,.0f}"
    if group == "optimiser":
        yield "steps", f"{steps:,}"
        yield (
            "warm-up and decay",
            (f"{cfg.lr_warm_up_steps / steps:.0%} and {cfg.lr_decay_steps / steps:.0%} of the steps"),
        )
    if group == "activations":
        tokens = cfg.n_batches_in_buffer * per_sequence
        size = tokens * cfg.sae.d_in * (2 if cfg.dtype in ("float16", "bfloat16") else 4)
        batches = tokens / cfg.train_batch_size_tokens
        yield "buffer", f"{tokens:,} tokens, {batches:.3g} batches, {_bytes(size)}"
    if group == "evaluation and recording":
        logger = cfg.logger
        prompts = cfg.eval_batch_size_prompts or cfg.store_batch_size_prompts
        every = logger.wandb_log_frequency * logger.eval_every_n_wandb_logs
        yield "recorded steps", f"{steps // logger.wandb_log_frequency:,}"
        yield (
            "evaluations",
            (f"{steps // every:,}, each of {prompts * cfg.n_eval_batches * cfg.context_size:,} tokens"),
        )
        yield "density histograms", f"{steps // cfg.feature_sampling_window:,}"


def _bytes(size: float) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)
