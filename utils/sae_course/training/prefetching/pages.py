"""The tables of the pages about rented machines, from the planner and the chapters' own settings.

Written by ``python -m sae_course.training.prefetching.pages``; what stands outside the markers is left alone.
"""

import re
from collections.abc import Callable

from ...models.names import MODELS
from ...runtime import project_root, write_atomic
from ..planner import plan
from ..planner.machines import GIB
from ..planner.shapes import FULL
from ..preset_values import PRESETS
from ..published import PUBLISHED
from .reads import chapters, numbers, published_of, together
from .wanted import Rows

PAGES = ("docs/colab.md", "docs/vast.md", "docs/multi-gpu.md")
_FLOAT = 4
_SCOPE = 16_384
"""Latents of the published SAE of Gemma; the others have their preset's."""


def t4() -> str:
    """What a T4 can do."""
    head = "| preset | GPU memory, of {:.1f} GiB | the computer's, loading | tokens | time | a checkpoint |"
    machine = plan("tinystories", gpu="T4").machine
    lines = [head.format((machine.memory or 0) / GIB), "|---|---|---|---|---|---|"]
    for name in PRESETS:
        made = plan(name, gpu="T4")
        memory = f"{made.peak / GIB:.1f}" if made.fits else f"**{made.peak / GIB:.1f}: does not fit**"
        loading = max(sum(phase.values()) for phase in _phases(made.bytes_by_phase("cpu")).values())
        lines.append(
            f"| `{name}` | {memory} | {loading / GIB:.1f} GiB | {made.work.training_tokens / 1e6:,.0f} M "
            f"| {_time(made.hours)} | {made.disk['checkpoint'] / 1e9:.1f} GB |"
        )
    return "\n".join(lines)


def _phases(parts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for part, by_phase in parts.items():
        for phase, size in by_phase.items():
            found.setdefault(phase, {})[part] = size
    return found


def gpus() -> str:
    """How long each full preset takes, by GPU."""
    names = ("L4", "4090", "A100-80", "H100")
    lines = ["| preset | " + " | ".join(names) + " | a checkpoint |", "|" + "---|" * (len(names) + 2)]
    for name in PRESETS:
        plans = [plan(name, gpu=gpu) for gpu in names]
        times = " | ".join(_time(one.hours) if one.fits else "does not fit" for one in plans)
        lines.append(f"| `{name}` | {times} | {plans[0].disk['checkpoint'] / 1e9:.1f} GB |")
    return "\n".join(lines)


def disk() -> str:
    """What a chapter reads at full scale, in GB."""
    lines = ["| chapter | models | published SAEs | tokens, at most |", "|---|---|---|---|"]
    for number in sorted({one[:2] for one, reads in chapters().items() if reads}):
        reads = together(numbers((number,)))
        models = sum(_FLOAT * _stored(one.model) for one in reads)
        saes = sum(_sae(preset) for preset in published_of(number))
        tokens = sum(Rows(MODELS[one.model], one.rows).bytes for one in reads)
        rows = " and ".join(f"{one.rows:,}" for one in reads)
        lines.append(
            f"| {number} | {models / 1e9:.2f} | {saes / 1e9:.2f} | {tokens / 1e9:.2f}: {rows} rows |"
        )
    return "\n".join(lines)


def _stored(model: str) -> int:
    """Numbers in a model's files: an embedding that is the unembedding too is there once."""
    shape = FULL[model]
    return shape.parameters - (shape.d_model * shape.d_vocab if shape.tied else 0)


def _sae(preset: str) -> int:
    """Bytes of a preset's published SAEs: encoder and decoder."""
    at = PRESETS[preset].full
    latents = _SCOPE if preset == "gemma" else at.d_sae
    return len(PUBLISHED[preset].layers) * 2 * _FLOAT * at.d_in * latents


def _time(hours: float) -> str:
    return (
        f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"
    )


_TABLES: dict[str, Callable[[], str]] = {"t4": t4, "gpus": gpus, "disk": disk}


def renewed(text: str) -> str:
    """The page with its tables as they are computed now."""
    for name, table in _TABLES.items():
        found = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if found.search(text):
            text = found.sub(rf"\g<1>{table()}\n\g<2>", text)
    return text


def main() -> None:
    """Renew all pages."""
    for name in PAGES:
        path = project_root() / name
        write_atomic(path, renewed(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
