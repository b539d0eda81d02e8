"""``sae-course doctor``: click's side of it."""

import json
import sys
from dataclasses import asdict

import click

COLOURS = {"ok": "green", "note": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as a JSON list.")
def doctor(as_json: bool) -> None:
    """Say what matters on this machine, and what to do about it; exit status 1 when the course can't run."""
    from .examine import examine  # noqa: PLC0415 - `--help` stays instant

    findings = examine()
    failed = sum(finding.status == "fail" for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    else:
        for finding in findings:
            line = str(finding)
            click.echo(click.style(line[0], fg=COLOURS[finding.status]) + line[1:])
        click.echo(f"\n{_verdict(failed)}")
    sys.exit(1 if failed else 0)


def _verdict(failed: int) -> str:
    if not failed:
        return "The course can run here."
    lines = "The line" if failed == 1 else f"The {failed} lines"
    return f"The course can't run here yet. {lines} marked ✘ {'says' if failed == 1 else 'say'} what to do."
