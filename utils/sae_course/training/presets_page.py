"""docs/presets.md: every preset's values, and in what the two recipes differ.

Written by ``python -m sae_course.training.presets_page``.
"""

from typing import Any

from ..runtime import project_root, write_atomic
from .describe import Differences, describe, differences
from .preset_values import PRESETS
from .presets import RECIPES, preset
from .record_presets import table

FILE = "docs/presets.md"
SCALES = ("mini", "full")

_HEAD = """\
# The presets

`preset(NAME, scale, recipe)` is a complete configuration for SAELens 6, an SAE and its training on a
language model. The recipe "seed" has the seed course's values, at full scale exactly those; "today" has
what is recommended now, and where nothing else is recommended, the seed's. Mini scale trains the course's own
small models in about a minute on a laptop: the same hook points, other sizes and learning rates.

```python
from sae_course.training import change, describe, differences, preset

cfg = preset("tinystories", "mini", "today")
print(describe(cfg))
cfg = change(cfg, k=32, lr=1e-3)
print(differences(preset("tinystories", "mini", "today"), cfg))
```

`layer=` gives another layer's hook point, `architecture=` another SAE with a coefficient for about the same
L0. All lengths are in steps of the optimiser, but for those in tokens.

"""
_MEASURED = (
    'What the mini preset reaches with each architecture (Gated is the recipe "seed", BatchTopK '
    '"today"), on held-out tokens (of each seed its own; since then all seeds are given the same), the SAE '
    "as it was saved; mean ± standard deviation over three seeds "
    "(`python -m sae_course.training.record_presets`):"
)
_FOOT = "Written by `python -m sae_course.training.presets_page`.\n"


def page() -> str:
    """The page. Its values are those on a CPU: with a GPU, autocast is on at full scale."""
    parts = [_HEAD]
    for wanted in PRESETS.values():
        cfgs = {(scale, recipe): preset(wanted.name, scale, recipe) for scale in SCALES for recipe in RECIPES}
        parts.append(f'## {wanted.name}\n\n`{wanted.model}`, with the recipe "seed":\n\n')
        parts.append(_values([cfgs[scale, "seed"] for scale in SCALES]))
        for scale in SCALES:
            found = differences(*(cfgs[scale, recipe] for recipe in RECIPES), names=tuple(RECIPES))
            parts.append(f'What "today" changes at {scale} scale:\n\n{_table(found)}\n')
        parts.append(f"{_MEASURED}\n\n{table(wanted.name)}\n")
    return "".join(parts) + _FOOT


def _values(cfgs: list[Any]) -> str:
    """A table of everything that `describe` prints, a column for each configuration."""
    lines = [f"| | {' | '.join(SCALES)} |", f"|---|{'---|' * len(SCALES)}"]
    described = [describe(cfg).groups for cfg in cfgs]
    for group in described[0]:
        lines.append(f"| **{group}** |{' |' * len(SCALES)}")
        names = dict.fromkeys(name for groups in described for name in groups[group])
        for name in names:
            values = (groups[group].get(name, "") for groups in described)
            lines.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n\n"


def _table(found: Differences) -> str:
    lines = [f"| | {' | '.join(found.names)} |", f"|---|{'---|' * len(found.names)}"]
    lines += [f"| {name} | {' | '.join(values)} |" for name, values in found.shown().items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_atomic(project_root() / FILE, page())
