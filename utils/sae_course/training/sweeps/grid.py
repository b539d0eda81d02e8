"""A grid: every combination of some settings' values, as named configurations."""

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...runtime import CourseError

if TYPE_CHECKING:
    from ..presets import Config

OF_PRESET = ("recipe", "architecture", "layer")
"""What `preset` takes beside settings: they can be in a grid, too."""

_NO_SETTINGS = {
    "preset": "presets are named by themselves, and there may be several",
    "name": "trials are called after their settings",
    "scale": "a sweep has one scale, --scale or scale=",
}


@dataclass(frozen=True)
class Trial:
    """One training of a sweep."""

    name: str
    """Of its run, and of its folder in the sweep's."""
    cfg: "Config"
    settings: dict[str, Any] = field(default_factory=dict)
    """In what it differs from the others: ``{"k": 8, "seed": 1}``."""


def grid(
    presets: str | Sequence[str],
    over: Mapping[str, Sequence[Any]] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    scale: str | None = None,
    recipe: str | None = None,
    architecture: str | None = None,
    layer: int | None = None,
    **changes: Any,
) -> list[Trial]:
    """A trial for every combination of values.

    >>> grid("tinystories", {"k": [8, 16], "lr": [1e-3, 3e-3]}, seeds=[0, 1])  # doctest: +SKIP

    Args:
        presets: one of `preset`'s names, or several.
        over: setting -> its values; ``recipe``, ``architecture`` and ``layer`` are settings here.
        seeds: each combination is trained with each of them.
        scale, recipe, architecture, layer, changes: of all trials, as for `preset`; the recipe is ``today``
            when not given.

    Raises:
        CourseError: for a setting without a value or given twice, trials that would be the same, and whatever
            `preset` raises.
    """
    for key in {*(over or {}), *changes} & set(_NO_SETTINGS):
        raise CourseError(f"{key} is no setting: {_NO_SETTINGS[key]}.")
    presets = [presets] if isinstance(presets, str) else list(presets)
    axes = dict(over or {})
    fixed = changes | {
        key: value
        for key, value in (("recipe", recipe), ("architecture", architecture), ("layer", layer))
        if value is not None
    }
    if seeds is not None:
        if "seed" in axes:
            raise CourseError("seed is in the grid, and there are seeds: give them in one of the two.")
        axes["seed"] = [_seed(value) for value in seeds]
    if len(presets) != 1:
        axes = {"preset": presets} | axes
    for key, values in axes.items():
        if key in fixed:
            raise CourseError(f"{key} varies in the sweep, and is set to {fixed[key]!r} for all: choose one.")
        _check_values(key, values)
    made = []
    for combination in itertools.product(*axes.values()):
        settings = dict(zip(axes, combination, strict=True))
        made.append(_trial(settings, presets[0], scale, fixed))
    check_distinct(made)
    return made


def _trial(settings: dict[str, Any], name: str, scale: str | None, fixed: dict[str, Any]) -> Trial:
    from ..presets import preset  # noqa: PLC0415 - SAELens takes seconds

    given = fixed | settings
    cfg = preset(
        given.pop("preset", name),
        scale,
        given.pop("recipe", "today"),
        layer=given.pop("layer", None),
        architecture=given.pop("architecture", None),
        **given,
    )
    words = "-".join(_words(key, value) for key, value in settings.items()) or name
    if len(words) > 100:  # a folder's name ends somewhere
        words = f"{words[:90]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return Trial(words, cfg, settings)


def check_distinct(trials: Sequence[Trial]) -> None:
    """Raise CourseError where two trials share a folder, or would end with the same weights."""
    from ..settings import digest  # noqa: PLC0415

    names: dict[str, Trial] = {}
    digests: dict[str, Trial] = {}
    for trial in trials:
        # A Mac's and Windows' folders don't tell capitals apart.
        if (other := names.setdefault(trial.name.lower(), trial)) is not trial:
            raise CourseError(
                f"Two trials would be called {trial.name} ({other.settings}, {trial.settings}): the values "
                "of a setting must differ in more than signs or capitals."
            )
        if (other := digests.setdefault(digest(trial.cfg), trial)) is not trial:
            raise CourseError(
                f"{other.name} and {trial.name} would train the same weights: what differs between them is "
                "not part of the training."
            )


def on_gpu(trial: Trial) -> Trial:
    """The same trial for a GPU, where this machine, which only starts it, has none."""
    from ..settings import change  # noqa: PLC0415
    from ..source import scale_of  # noqa: PLC0415

    # As `preset` would have chosen with a GPU here.
    bfloat16 = scale_of(trial.cfg) == "full" and trial.cfg.model_name == "gemma-2-2b"
    cfg = change(trial.cfg, device="cuda", autocast=True, autocast_lm=bfloat16)
    return replace(trial, cfg=cfg)


def _check_values(key: str, values: Sequence[Any]) -> None:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise CourseError(f"{key} varies over a list of values, not {values!r}.")
    if not values:
        raise CourseError(f"{key} has no value in this sweep: give it one or more.")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise CourseError(f"{key} has the value {value!r} twice.")


def _seed(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise CourseError(f"A seed is a whole number from 0, not {value!r}.")
    return value


def _words(key: str, value: Any) -> str:
    """``k8``, ``lr0.001``, ``seed1``; of what is no number ``topk`` or ``normalize_activations-none``."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:.10g}".replace("e+", "e") if number else str(value)
    if key not in ("preset", "architecture", "recipe"):
        text = f"{key}{text}" if number else f"{key}-{text}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
