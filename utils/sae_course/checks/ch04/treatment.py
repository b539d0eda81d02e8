"""What can be said of a configuration that is to cure a run, before it is trained."""

from math import isclose, log
from typing import Any

from ...clinic import shelf
from ...runs.configs import ASIDE, differences, flatten
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from .asking import a_type, ask

SAME = ("model_name", "hook_name", "dataset_path", "context_size")
"""Settings that have to be the healthy run's, for the runs to be compared."""


def prescribed(t: Trial, student: Function, names: tuple[str, ...]) -> None:
    """Require a configuration for each run: not the old one, nor one further from the healthy run's.

    Whether it cures is for training to say.

    Args:
        student: from a run's name and its configuration to the repaired one.
        names: of the runs.

    Raises:
        CheckFailed: as `Trial.call` and `Trial.require` do.
        CourseError: when the record can't be read.
    """
    for name in names:
        t.count += 1
        wrong, cfg = shelf.configuration(name)
        before = flatten(cfg)
        mine = ask(t, student, {"name": name, "cfg": cfg}, about=f"It was called with {name}.")
        t.case = ""
        t.require(
            flatten(cfg) == before,
            f"{name}: {name_of(student)} changed the cfg that it was given, which its caller may still need.",
            kind="changed input",
            likely="change(cfg, setting=value) gives a changed copy, and cfg itself stays.",
        )
        _is_one(t, name, student, mine, type(cfg))
        _is_another(t, name, flatten(mine), before, wrong)


def _is_one(t: Trial, name: str, student: Function, mine: Any, kind: type) -> None:
    called = name_of(student)
    t.require(
        mine is not None,
        f"{called} returned nothing (None) for {name}: is there a `return` for each run?",
        kind="none",
    )
    t.require(
        isinstance(mine, kind),
        f"{called} returned {a_type(mine)} for {name}; expected a {kind.__name__}.",
        kind="type",
        likely="change(cfg, **settings) makes the configuration of these settings."
        if isinstance(mine, dict)
        else "",
    )


def _is_another(
    t: Trial, name: str, mine: dict[str, Any], before: dict[str, Any], wrong: dict[str, tuple[Any, Any]]
) -> None:
    """Changed, still comparable, and no further from the healthy run in what was wrong."""
    t.require(
        differences(before, mine, ignore=(*ASIDE, "seed")),
        f"{name}: the configuration is the one that made it ill, nothing in it was changed.",
        kind="unchanged",
        likely="change(cfg, ...) returns the changed copy; return that.",
    )
    same = before | {key: healthy for key, (_, healthy) in wrong.items()}
    for key in SAME:
        t.require(
            mine[key] == same[key],
            f"{name}: {key} is {mine[key]!r}; that of the healthy runs, with which it will be compared, is "
            f"{same[key]!r}.",
            kind="compared",
        )
    t.require(
        mine["sae.architecture"] == before["sae.architecture"],
        f"{name}: the SAE is now a {mine['sae.architecture']}; it was a {before['sae.architecture']}, and "
        "so are the healthy runs with which it will be compared.",
        kind="compared",
    )
    for key, (ill, healthy) in wrong.items():
        if _further(mine[key], ill, healthy):
            raise CheckFailed(
                f"{name}: {key} was {ill:g}, and is now {mine[key]:g}: further from the healthy run's "
                f"{healthy:g} than before.",
                kind="further",
                likely="on the other side now: that was too much."
                if (mine[key] < healthy) != (ill < healthy)
                else f"was it too {'low' if ill < healthy else 'high'} before? Then the other way.",
            )


def _further(mine: Any, ill: Any, healthy: Any) -> bool:
    """Whether a setting went from ill away from healthy: on a logarithmic scale, for these are factors."""
    values = (mine, ill, healthy)
    if not all(isinstance(value, int | float) and value > 0 for value in values):
        return False
    now, was = abs(log(mine / healthy)), abs(log(ill / healthy))
    return now > was and not isclose(now, was)
