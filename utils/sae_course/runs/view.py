"""How runs show themselves: a few lines of text, a small table in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from typing import TYPE_CHECKING, Any

from .metrics import MAIN, short

if TYPE_CHECKING:
    from .run import Run

TOKENS = "details/n_training_samples"


def run_text(run: "Run") -> str:
    """Name, what was trained where, for how long, and the metrics that matter."""
    lines = [f"{run.name} · {run.status}", *facts(run)]
    return "\n  ".join(lines)


def run_html(run: "Run") -> str:
    """The same as a table of final metrics, with a caption."""
    words = "<br>".join(escape(line) for line in facts(run)[:2])
    rows = {short(name): [number(value)] for name, value in main(run).items()}
    return f"<b>{escape(run.name)}</b> · {run.status}<br>{words}" + table(["at the end"], rows)


def facts(run: "Run") -> list[str]:
    """Up to three lines: the SAE, the length, the final metrics; only what is known."""
    return [line for line in (_trained(run.config), _length(run), _metrics(run)) if line]


def main(run: "Run") -> dict[str, float]:
    """The final metrics that matter, or the first few where none of them was recorded."""
    final = run.final
    names = [name for name in MAIN if name in final] or list(final)[:4]
    return {name: final[name] for name in names}


def number(value: float) -> str:
    """``0.9132``, ``31.25``, ``1,024``, ``3e-05``; a dash for NaN."""
    if isnan(value):
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def count(tokens: float) -> str:
    """``999``, ``12.3 k``, ``1.5 million``, ``2 billion``."""
    for size, unit in ((1e9, " billion"), (1e6, " million"), (1e3, " k")):
        if tokens >= size:
            return f"{round(tokens / size, 1):g}{unit}"
    return f"{tokens:.0f}"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def table(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """An HTML table with a named row for each entry; everything is escaped."""
    top = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = "".join(
        f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for name, cells in rows.items()
    )
    return f"<table><thead><tr><th></th>{top}</tr></thead><tbody>{body}</tbody></table>"


def _trained(config: Mapping[str, Any]) -> str:
    sae = config.get("sae")
    sae = sae if isinstance(sae, Mapping) else {}
    what = f"{sae['architecture']} SAE" if "architecture" in sae else ""
    size = f"d_in {sae['d_in']}, d_sae {sae['d_sae']}" if {"d_in", "d_sae"} <= set(sae) else ""
    where = " of ".join(str(config[key]) for key in ("hook_name", "model_name") if key in config)
    rate = f"lr {config['lr']:g}" if isinstance(config.get("lr"), int | float) else ""
    return " · ".join(part for part in (what, size, where, rate) if part)


def _length(run: "Run") -> str:
    tokens = run.notes.get("tokens", run.final.get(TOKENS))
    parts = [
        f"recorded to step {run.step:,}" if run.step is not None else "nothing recorded yet",
        f"{count(tokens)} tokens" if isinstance(tokens, int | float) and not isnan(tokens) else "",
        duration(run.seconds) if run.seconds is not None else "",
    ]
    return " · ".join(part for part in parts if part)


def _metrics(run: "Run") -> str:
    return " · ".join(f"{short(name)} {number(value)}" for name, value in main(run).items())
