"""Configurations as plain values: for a JSON file, under dotted names, and what differs between several."""

import math
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from ..runtime import CourseError

# Where a run writes and what it is called: two runs of the same training differ in these.
ASIDE = (
    "logger",
    "output_path",
    "checkpoint_path",
    "resume_from_checkpoint",
    "cached_activations_path",
    "n_checkpoints",
    "save_final_checkpoint",
    "verbose",
    "hook_eval",
    "sae.metadata",  # repeats the model, the hook and the data that the configuration names itself
)


class Absent(Enum):
    """Stands for the value of a setting that a configuration does not have: TopK has no l1_coefficient."""

    ABSENT = "–"

    def __str__(self) -> str:
        return self.value

    __repr__ = __str__


ABSENT = Absent.ABSENT


def plain(config: Any) -> dict[str, Any]:
    """A configuration as dictionaries, lists, text, numbers, true, false and None: what JSON can hold.

    A tuple becomes a list; what is neither (a dtype, a device) and a number that JSON lacks (infinity), text.

    Args:
        config: a dictionary, or an object that has `to_dict` as SAELens' configurations have.

    Raises:
        CourseError: when it is neither.
    """
    value = config.to_dict() if hasattr(config, "to_dict") and not isinstance(config, type) else config
    if not isinstance(value, Mapping):
        raise CourseError(
            "A configuration is one of SAELens' configuration objects or a dictionary; this is "
            f"{'the class ' + config.__name__ if isinstance(config, type) else type(config).__name__}."
        )
    return {str(key): _plain(item) for key, item in value.items()}


def flatten(config: Any) -> dict[str, Any]:
    """Every setting under its dotted name: ``{"lr": 3e-4, "sae.k": 16, …}``.

    Lists are values, not levels; an empty dictionary is a value too.

    Args:
        config: as `plain` takes it.

    Raises:
        CourseError: when it is no configuration.
    """
    flat: dict[str, Any] = {}

    def add(value: dict[str, Any], above: str) -> None:
        for key, item in value.items():
            if isinstance(item, dict) and item:
                add(item, f"{above}{key}.")
            else:
                flat[above + key] = item

    add(plain(config), "")
    return flat


def differences(*configs: Any, ignore: Collection[str] = ASIDE) -> dict[str, tuple[Any, ...]]:
    """The settings in which configurations differ, and each one's value, in order.

    >>> differences({"lr": 1, "sae": {"k": 8}}, {"lr": 1, "sae": {"k": 16}})
    {'sae.k': (8, 16)}

    Args:
        configs: as `plain` takes them.
        ignore: dotted names that are left out, with all that is below them.

    Returns:
        Dotted name, and as many values as there are configurations; ``ABSENT`` where one lacks the setting.

    Raises:
        CourseError: when one of them is no configuration.
    """
    flats = [flatten(config) for config in configs]
    names = dict.fromkeys(name for flat in flats for name in flat)
    found = {}
    for name in names:
        if any(name == above or name.startswith(f"{above}.") for above in ignore):
            continue
        values = tuple(flat.get(name, ABSENT) for flat in flats)
        if any(value != values[0] for value in values[1:]):
            found[name] = values
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    elif hasattr(value, "tolist"):  # an array or a tensor, of any number of axes
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    # A path, a dtype, a device.
    return value if value is None or isinstance(value, bool | int | str) else str(value)
