"""docs/presets.md: every preset's values, and in what the two recipes differ.

Written by ``python -m sae_course.training.presets_page``.
"""

from typing import Any

from ..runtime import project_root, write_atomic
from .architectures import SPARSITY
from .describe import Differences, describe, differences
from .preset_values import PRESETS
from .presets import RECIPES, preset
from .record_presets import ELSEWHERE, table
from .shipped import TWIN, shipped_names, shipped_run

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
_IN_CHAPTER_06 = (
    'What the mini preset reaches with four architectures and `b_dec_init_method="mean"`, at positions of '
    "held-out games that SAEs are trained on; mean ± standard deviation over three seeds (chapter 06's "
    "record, `python -m sae_course.notebooks.record_othello`; JumpReLU and Matryoshka were not measured):"
)
_SHIPPED = """\
## Shipped SAEs

`shipped_run(NAME)` is a finished run of a mini preset, recipe "today": its record, and its SAE (`.sae()`).
One training each, seed 0, not chosen by its result; measured on held-out tokens, dead latents over the same.
Weights are rounded to float16, which moves no share by more than .001, and no L0 by more than .02.

| name | SAE | L0 | explained variance | loss recovered | dead | trained again by |
|---|---|---|---|---|---|---|
"""
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
        measured = _IN_CHAPTER_06 if wanted.name in ELSEWHERE else _MEASURED
        parts.append(f"{measured}\n\n{table(wanted.name)}\n")
    return "".join([*parts, _SHIPPED, *map(_card, shipped_names()), "\n", _FOOT])


def _card(name: str) -> str:
    """A shipped SAE's line."""
    run = shipped_run(name)
    found, sae = run.notes["shipped"]["measured"], run.config["sae"]
    setting = SPARSITY[sae["architecture"]]
    how = f"{sae['architecture']}, {setting} {sae[setting]:g}, {sae['d_sae']:,} latents"
    if (begin := run.notes.get("b_dec_init_method")) is not None:
        how += f", `b_dec_init_method={begin}`"
    what = f"{how}, `{run.config['hook_name']}`"
    # To ablate an activation of a random model costs nothing, and a share of nothing says nothing.
    loss = "–" if name.endswith(TWIN) else f"{100 * found['loss recovered']:.1f} %"
    return (
        f"| `{name}` | {what} | {found['L0']:.1f} | {found['explained variance']:.3f} | "
        f"{loss} | {100 * found['dead']:.1f} % over {found['tokens']:,} "
        f"tokens | `{run.notes['shipped']['command']}` |\n"
    )


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
