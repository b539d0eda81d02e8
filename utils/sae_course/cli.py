"""``sae-course``: the course from the command line."""

import importlib
import sys

import click

from . import __version__
from .runtime.errors import CourseError

# Name, module, and the command's name in it: a module is imported when its command is asked for.
_COMMANDS = {
    "doctor": ("doctor.commands", "doctor"),
    "run": ("notebooks.commands", "run"),
    "progress": ("checks.commands", "progress"),
    "train": ("training.commands", "train"),
    "sweep": ("training.sweeps.commands", "sweep"),
    "preflight": ("training.commands", "preflight"),
    "plan": ("training.planner.commands", "plan"),
    "runs": ("runs.commands", "runs"),
    "upload": ("training.commands", "upload"),
    "prefetch": ("training.prefetching.commands", "prefetch"),
    "models": ("models.commands", "models"),
    "train-model": ("models.commands", "train_model"),
    "build": ("notebooks.commands", "build"),
    "bench": ("notebooks.bench", "bench"),
    "clinic": ("clinic.commands", "clinic"),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported only when used, so that `--help` and a typing slip are instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        return getattr(importlib.import_module(f"sae_course.{module}"), attribute)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sae-course")
def cli() -> None:
    """Train sparse autoencoders, from a toy model to Gemma-2-2B."""


def main() -> None:
    """The console script: what a person did wrong is one line and exit code 2, never a traceback."""
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except CourseError as error:
        click.echo(f"sae-course: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("sae-course: stopped; nothing half-written is left behind.", err=True)
        sys.exit(2)
