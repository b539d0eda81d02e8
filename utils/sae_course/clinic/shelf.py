"""The recorded runs on disk: sealed runs by the part they are of, and, apart from them, the answers."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..runs import Run
from ..runtime import CourseError, read_json
from . import archive

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

ANSWERS = "answers.json"


def folder() -> Path:
    """Where the record is."""
    return Path(str(resources.files(__package__))) / "recorded"


def runs(part: str) -> dict[str, Run]:
    """The sealed runs of a part of the record, by their keys.

    Args:
        part: ``ward``, ``beyond``, ``control``, ``held out``, ``held out, beyond`` or ``wrongly treated``.

    Raises:
        CourseError: when there is no such part, or the record was changed or can't be read.
    """
    wanted = [key for key, answer in answers().items() if answer["part"] == part]
    if not wanted:
        parts = dict.fromkeys(answer["part"] for answer in answers().values())
        raise CourseError(f'The record has no part "{part}": it has {", ".join(parts)}.')
    every = _every()
    return {key: every[key] for key in wanted}


def cases(part: str) -> Iterator[tuple[str, str, Run]]:
    """The runs of a part with their answers: the key, the cause, the sealed run.

    Args:
        part: as for `runs`.

    Raises:
        CourseError: as `runs` does.
    """
    for key, run in runs(part).items():
        yield key, str(answers()[key]["cause"]), run


@cache
def answers() -> dict[str, dict[str, Any]]:
    """For each key the run's part, cause, seed, severity, architecture, and what was changed.

    Raises:
        CourseError: when the record was changed or can't be read.
    """
    return dict(read()["answers"])


@cache
def read() -> dict[str, Any]:
    """The whole file of answers; the tables must be those that it was written with.

    Raises:
        CourseError: when a file is missing or was changed.
    """
    found: dict[str, Any] = read_json(folder() / ANSWERS)
    for file, expected in found["provenance"]["sha256"].items():
        path = folder() / file
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != expected:
            raise CourseError(
                f"clinic/recorded/{file} is missing or was changed (its checksum doesn't fit): restore it "
                "with git, or record it again with sae-course clinic record."
            )
    return found


@cache
def _every() -> dict[str, Run]:
    read()  # are they whole?
    return archive.read(folder())


def configuration(name: str) -> "tuple[dict[str, tuple[Any, ...]], Config]":
    """What a run of the ward was trained with.

    Args:
        name: ``run 3``.

    Returns:
        The settings in which it differs from the healthy run, with both values; and its configuration, with
        seed 0, for this session's device.
    """
    from .patients import changed, config_of  # noqa: PLC0415

    answer = answers()[f"{name}, seed 0"]
    asked = answer["cause"], 0, answer["severity"]
    return changed(*asked), config_of(*asked)
