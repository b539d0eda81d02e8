"""One call for everything: an SAE measured in every way of this room, and its baselines in the same ways.

What follows SAEBench (Karvonen et al. 2025, arXiv 2503.09532), and what doesn't: loss recovered, sparse
probing and absorption are its methods, on labels that are known instead of its data sets, with the
differences that `sparse_probing` and `absorbing` state. Its autointerp asks a language model; here rules
that can be computed are the explanations. Two of its measures are left out, targeted probe
perturbation and spurious correlation removal: both rank SAEs by what happens to a probe when latents that
were chosen by that probe are ablated, and so reward splitting one feature over many latents. Each number has
an error here, and baselines beside it.

Rows are halved at random, not by their parity: a text may have its kinds of rows in a fixed order.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..data.labels import Labels
from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .activations import harvest, token_rows
from .autoencoder import Autoencoder
from .baselines import TWIN, baseline_units
from .scores import OWN, Report, Score
from .sections import SECTIONS
from .setting import Setting
from .units import units_of

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

_LEAST_ROWS = 4


class Twin(NamedTuple):
    """The control that nothing was learned: the same architecture with random weights, and its own SAE."""

    model: "HookedTransformer"
    sae: Autoencoder


def report(
    model: "HookedTransformer",
    sae: Autoencoder,
    tokens: Int[Tensor, "rows pos"],
    hook_point: str | None = None,
    *,
    labels: Labels | None = None,
    twin: Twin | tuple[Any, Any] | None = None,
    others: "Mapping[str, Autoencoder] | None" = None,
    task: Any = None,
    hierarchy: "Mapping[str, Sequence[str]] | None" = None,
    positions: slice = slice(None),
    only: Sequence[str] | None = None,
    name: str = "",
    seed: int = 0,
) -> Report:
    """Measure an SAE, and what it has to beat, in every way there is.

    Args:
        tokens: held-out rows, at least four; half of them choose, the other half measures.
        hook_point: where the SAE sits; an SAE of SAELens knows.
        labels: what is true at the tokens' ``positions`` (`models.truth`); without, what needs it is not run.
        twin: the random-weights twin and an SAE trained on it.
        others: SAEs of the same hook point that should have the same latents: other seeds, other widths.
        task: prompts in pairs (`data.indirect_objects`), for sparse control.
        hierarchy: which labels are kinds of which; by their names ("food: fruit") when not given.
        positions: of each row, where the SAE was trained on some only (``seqpos_slice``).
        only: sections, by their names in `sections.SECTIONS`; all when not given.
        name: of the SAE in tables.
        seed: of everything that is drawn.

    Raises:
        CourseError: for an SAE that doesn't fit the model or has NaN weights or no live latent; too few rows;
            labels of other tokens; a section that there isn't.
    """
    wanted = _sections(only)
    where = hook_point or _known_place(sae)
    rows = token_rows(model, tokens, least=2)
    if len(rows) < _LEAST_ROWS:
        raise CourseError(
            f"{len(rows)} of rows: half choose and half measure, and an error needs two of either. Give at "
            f"least {_LEAST_ROWS} rows."
        )
    x = harvest(model, rows, where)[:, positions]
    _check_fits(sae, where, x.shape[-1])
    if labels is not None and labels.values.shape[:2] != x.shape[:2]:
        raise CourseError(
            f"labels are of {list(labels.values.shape[:2])} tokens, and the activations of "
            f"{list(x.shape[:2])}: both must be of the same rows and positions (labels.at(positions))."
        )
    choose = _half(len(rows), seed).to(x.device)
    own = units_of(sae, x, OWN)
    made, missing = baseline_units(
        model, rows, where, own, choose, labels=labels, positions=positions, seed=seed
    )
    subjects = {OWN: own, **made}
    if twin is None:
        missing[TWIN] = "no SAE of the random twin was given"
    else:
        subjects[TWIN] = units_of(twin[1], harvest(twin[0], rows, where)[:, positions], TWIN)
    setting = Setting(
        model=model, sae=sae, rows=rows, hook_point=where, positions=positions, subjects=subjects,
        missing=missing, labels=labels, choose=choose, twin=None if twin is None else Twin(*twin),
        others=dict(others or {}), task=task, hierarchy=hierarchy, seed=seed,
    )  # fmt: skip
    scores: list[Score] = []
    details: dict[str, Any] = {}
    for section in wanted:
        found, plain = SECTIONS[section](setting)
        scores += found
        details[section] = plain
    return Report(
        name=name or type(sae).__name__,
        hook_point=where,
        model=str(getattr(model.cfg, "model_name", "")),
        n_rows=len(rows),
        n_tokens=x.shape[0] * x.shape[1],
        scores=tuple(scores),
        details=details,
    )


def _sections(only: Sequence[str] | None) -> list[str]:
    """Which, in the report's order."""
    for section in only or ():
        if section not in SECTIONS:
            raise CourseError(f'A report has no section "{section}": it has {", ".join(SECTIONS)}.')
    return [section for section in SECTIONS if only is None or section in only]


def _known_place(sae: Autoencoder) -> str:
    known = getattr(getattr(getattr(sae, "cfg", None), "metadata", None), "hook_name", None)
    if not known:
        raise CourseError("Where does this SAE sit? Give hook_point=, such as blocks.0.hook_mlp_out.")
    return str(known)


def _check_fits(sae: Autoencoder, hook_point: str, width: int) -> None:
    d_in = getattr(getattr(sae, "cfg", None), "d_in", width)
    if d_in != width:
        raise CourseError(
            f"This SAE takes activations of width {d_in}, and {hook_point} of this model has {width}: it is "
            "of another model or hook point."
        )


def _half(n_rows: int, seed: int) -> Bool[Tensor, " rows"]:
    """Half of the rows, drawn at random."""
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(stream_seed("report", seed)))
    chosen = torch.zeros(n_rows, dtype=torch.bool)
    chosen[order[: n_rows // 2]] = True
    return chosen
