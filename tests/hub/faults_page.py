"""docs/hub.md's table of faults: every message in it is from a run of ``session.py``.

python tests/hub/faults_page.py     # runs the session and writes the table
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "hub.md"
BEGIN, END = "<!-- made by tests/hub/faults_page.py: begin -->", "<!-- end -->"
TABLES = {
    "Loading a model": (
        ("no network", "nothing: it is said at once"),
        ("offline", "nothing"),
        ("gone", "nothing"),
        ("gated", "nothing"),
        ("gated, with a token", "nothing"),
        ("expired token", "nothing"),
        ("rate limited", "waits as long as the hub says, aloud: {slept:.0f} s here in all"),
        ("asked to wait an hour", "nothing: that is longer than it waits"),
        ("status 500", "asks {requests} times, over {slept:.0f} s"),
        ("cut off", "goes on where it broke off, {ranges} times"),
        ("stalled", "after 10 s of silence goes on where it stopped, {ranges} times"),
        ("wrong checksum", "deletes the file"),
        ("damaged in the cache", "deletes the file"),
        ("truncated at the source", "nothing"),
        ("malicious", "runs nothing of it"),
        ("full disk", "deletes what there was of the file"),
        ("no memory", "nothing"),
    ),
    "Reading a dataset as it comes": (
        ("dataset gone", "nothing"),
        ("first row, rate limited", "waits as long as the hub says, aloud: {slept:.0f} s here in all"),
        ("first row, status 500", "asks {requests} times, over {slept:.0f} s"),
        ("first row, cut off", "asks {ranges} times, over {slept:.0f} s"),
        ("first row, stalled", "the same, and 10 s of silence before each"),
        ("rows, status 500", "in the middle of a training: asks {ranges} times, over {slept:.0f} s"),
        ("rows, cut off", "in the middle of a training: asks {ranges} times, over {slept:.0f} s"),
        ("rows, stalled", "the same, and 10 s of silence before each"),
    ),
    "Uploading a run": (
        ("upload, no token", "nothing is sent"),
        ("upload, reading token", "nothing is sent"),
        ("upload, expired token", "nothing is sent"),
        ("upload, not allowed", "nothing is sent"),
        ("upload, unfinished", "nothing is sent"),
        ("upload, not finite", "nothing is sent"),
        ("upload, private to public", "nothing is sent"),
        ("upload, no network", "nothing is sent"),
        ("upload, rate limited", "waits as long as the hub says, aloud: {slept:.0f} s here in all"),
        ("upload, too large", "nothing"),
        ("upload, status 500 at a file", "sends each file {most} times"),
        ("upload, status 500 at the end", "asks {most} times, over {slept:.0f} s"),
        ("upload, conflict", "nothing"),
        ("upload, cut off", "sends each file {most} times"),
        ("upload, answer lost", "nothing"),
        ("upload, stalled", "gives up after 60 s of silence"),
    ),
}
"""By heading: the scenario, and what is done about the fault before the message."""


def block(session: dict[str, Any]) -> str:
    """The tables."""
    parts = []
    for heading, rows in TABLES.items():
        parts += [f"### {heading}", "", "| fault | what is done | the message |", "|---|---|---|"]
        parts += [_row(name, what, session[name]) for name, what in rows] + [""]
    return "\n".join(parts)


def _row(name: str, what: str, happened: dict[str, Any]) -> str:
    requests = happened["requests"]
    numbers = {
        "slept": happened["slept"],
        "requests": len(requests),
        "ranges": sum("bytes=" in request for request in requests),
        "most": max((requests.count(one) for one in requests), default=0),
    }
    return f"| {name} | {what.format(**numbers)} | {_neutral(happened['message'])} |"


def _neutral(message: str) -> str:
    """Without what differs between two runs: this hub's address, the cache's folder, a hash."""
    message = re.sub(r"http://127\.0\.0\.1:\d+", "https://huggingface.co", message)
    message = re.sub(r"/\S*/hf/hub", "HF_HOME/hub", message)
    message = re.sub(r"\b[0-9a-f]{12}…", "0123456789ab…", message)
    return message.replace("|", "\\|")


def session(folder: Path) -> dict[str, Any]:
    """Run the scenarios."""
    script = Path(__file__).with_name("session.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def written() -> str:
    """The tables as they stand in the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    if BEGIN not in PAGE.read_text(encoding="utf-8"):
        raise SystemExit(f"{PAGE.name} has no place for the tables: it needs a line {BEGIN}")
    with tempfile.TemporaryDirectory() as folder:
        tables = block(session(Path(folder)))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables.strip()}\n\n{END}{after}", encoding="utf-8")
    print(f"written: {PAGE.name}")


if __name__ == "__main__":
    main()
