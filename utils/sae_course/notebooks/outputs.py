"""What a cell printed and drew: made small for the solution notebook, folded into the exercise notebook."""

import hashlib
import json
import re
from typing import Any

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07)")


def plain(text: Any) -> str:
    """Text without terminal colours; a notebook's list of lines is joined."""
    return _ANSI.sub("", "".join(text) if isinstance(text, list) else str(text))


def cleaned(outputs: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Outputs without progress bars, widgets and whatever changes from run to run for no reason.

    Args:
        outputs: as the kernel sent them.
        count: the cell's execution count, which its result repeats.
    """
    merged: list[dict[str, Any]] = []
    for output in outputs:
        if WIDGET in output.get("data", {}):
            continue  # a live widget has no state in a file: tqdm's bar, a slider
        kept = {key: value for key, value in output.items() if key != "transient"}
        if kept["output_type"] == "stream":
            kept["text"] = "".join(kept["text"])
            if merged and merged[-1].get("name") == kept["name"]:
                merged[-1]["text"] += kept["text"]
                continue
        elif kept["output_type"] == "execute_result":
            kept["execution_count"] = count
        merged.append(kept)
    for output in merged:
        if output["output_type"] == "stream":
            output["text"] = _settled(output["text"], keep=output["name"] == "stdout")
        elif PLOTLY in output.get("data", {}):
            _prune(output["data"][PLOTLY])
    return [output for output in merged if output["output_type"] != "stream" or output["text"].strip()]


def as_nodes(outputs: list[dict[str, Any]]) -> list[Any]:
    """Outputs as nbformat's own kind of dictionary, which writing a notebook needs."""
    import nbformat  # noqa: PLC0415 - takes a second

    return list(nbformat.from_dict(outputs))


def _settled(text: str, keep: bool) -> str:
    """Lines rewritten by carriage returns: their last state on stdout, nothing at all on stderr (bars)."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        states = [state for state in line.split("\r") if plain(state).strip()]
        if "\r" not in line:
            lines.append(line)
        elif keep and states:
            lines.append(states[-1])
    return "\n".join(lines)


def _prune(figure: dict[str, Any]) -> None:
    """Drop the template's defaults for kinds of trace that the figure doesn't hold: 20 kB in each figure."""
    traces = [
        *figure.get("data", []),
        *(t for frame in figure.get("frames", []) for t in frame.get("data", [])),
    ]
    kinds = {trace.get("type", "scatter") for trace in traces}
    template = figure.get("layout", {}).get("template", {})
    if "data" in template:
        template["data"] = {kind: value for kind, value in template["data"].items() if kind in kinds}


def digest(code_cells: list[Any]) -> str:
    """The SHA-256 of all outputs and counts, so that a hand edit shows."""
    value = [[cell.get("execution_count"), _normal(cell["outputs"])] for cell in code_cells]
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _normal(value: Any) -> Any:
    """Lists of lines joined, so that the hash doesn't depend on whether a reader has joined them."""
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            return "".join(value)
        return [_normal(item) for item in value]
    return value


def pictureless(outputs: list[dict[str, Any]]) -> bool:
    """Whether there is a plotly figure without the PNG that GitHub and the exercise notebook need."""
    return any(PLOTLY in output.get("data", {}) and "image/png" not in output["data"] for output in outputs)


def folded(outputs: list[dict[str, Any]]) -> str:
    """The expected output as Markdown in ``<details>``: text in a fenced block, figures as embedded PNGs.

    A figure goes in as a data URI because Colab doesn't draw a notebook's attachments. Standard error is
    left out. Empty when there is nothing to show.
    """
    parts: list[str] = []
    text = ""
    for output in outputs:
        data = output.get("data", {})
        if output["output_type"] == "stream":
            text += plain(output["text"]) if output["name"] == "stdout" else ""
        elif output["output_type"] == "error":
            text += f"{output['ename']}: {plain(output['evalue'])}\n"
        elif "image/png" in data:
            parts += [_fenced(text), _image(data["image/png"])]
            text = ""
        elif "text/plain" in data:
            text += plain(data["text/plain"]).rstrip("\n") + "\n"
    parts = [part for part in [*parts, _fenced(text)] if part]
    return details("Expected output", "\n\n".join(parts)) if parts else ""


def details(summary: str, markdown: str) -> str:
    """Markdown folded away under ``summary``; the blank lines make every front end read it as Markdown."""
    return f"<details>\n<summary>{summary}</summary>\n\n{markdown.strip(chr(10))}\n\n</details>"


def fence(text: str, language: str) -> str:
    """A fenced block that no run of backticks in ``text`` can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    ticks = "`" * (longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _fenced(text: str) -> str:
    """A text block; empty for blank text."""
    return fence(text.strip("\n"), "text") if text.strip() else ""


def _image(base64: Any) -> str:
    """A PNG as an ``<img>``."""
    data = "".join("".join(base64).split())
    return f'<img alt="the figure that this cell draws" src="data:image/png;base64,{data}">'
