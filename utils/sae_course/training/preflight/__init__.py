"""The pre-flight check: what could never work, found before an hour is lost.

From the configuration alone: ``names`` (model, data, hook), ``schedule`` (all that is counted in steps),
``latents`` (the SAE's own settings), ``machine`` (buffer, memory, files). With the model and a few rows
(``look``): ``hooks``, ``tokens``, ``activations``. What is found is data (``findings``).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...runtime import CourseError
from .findings import Finding, Report

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    from .look import Rows

__all__ = ["Finding", "Report", "preflight"]


def preflight(
    cfg: "LanguageModelSAERunnerConfig[Any]", model: Any = None, dataset: Any = None, *, offline: bool = False
) -> Report:
    """What is wrong with a configuration; an empty report where nothing is.

    Looks at the configuration, then at the model, a few rows of its data and one forward pass over them. At
    mini scale that is about a second, once SAELens is imported.

    Args:
        model: the one to train on, in place of ``cfg.model_name``; saves loading it.
        dataset: the tokens to train on, in place of ``cfg.dataset_path``.
        offline: at full scale, fetch nothing, and leave out what is of this machine (memory, devices): a run
            that is planned for another. What needs a model is then checked for a model that is passed, or
            whose architecture TransformerLens has built in (Gemma 2).

    Returns:
        The findings. What can't be loaded is one of them, and nothing is raised.
    """
    return Report.of(_findings(cfg, model, dataset, offline))


def _findings(cfg: Any, model: Any, dataset: Any, offline: bool) -> Iterator[Finding]:
    from ..source import find, scale_of  # noqa: PLC0415 - torch, a second
    from . import latents, machine, names, schedule  # noqa: PLC0415

    wrong = list(schedule.numbers_that_must_be_positive(cfg))
    if wrong:  # the other checks divide by them
        yield from wrong
        return
    offline = offline and scale_of(cfg) == "full"
    checks = [*schedule.CHECKS, *latents.CHECKS, *machine.CHECKS]
    for check in checks:
        yield from check(cfg)
    here = [] if offline else [finding for check in machine.HERE for finding in check(cfg)]
    yield from here
    named = [
        finding
        for check in names.CHECKS
        for finding in check(cfg)
        if not (model is not None and finding.code == "model-unknown")
        and not (dataset is not None and finding.code == "dataset-other-model")
    ]
    yield from named
    if {"model-unknown", "dataset-other-model", "device-missing"} & {one.code for one in (*named, *here)}:
        return  # there is nothing to load, or nowhere, or it doesn't fit: the rest would be consequences

    if offline:
        yield from _look(cfg, model, dataset, None)
        return
    if model is None or dataset is None:
        try:
            source = find(cfg, model, dataset)
        except CourseError as error:
            yield _not_loaded(str(error))
            if model is not None:
                yield from _look(cfg, model, None, None)
            return
        model, dataset = source.model, source.dataset
    yield from _look(cfg, model, dataset, _card_loss(cfg, model))


def _look(cfg: Any, model: Any, dataset: Any, card: float | None) -> Iterator[Finding]:
    """The checks that need the model, its data, or both; either may be missing."""
    from . import activations, hooks, look, tokens  # noqa: PLC0415 - torch, a second

    weightless = model is None
    if weightless and (model := look.skeleton(cfg.model_name)) is None:
        return
    n_ctx, d_vocab = look.context_of(model), look.vocabulary(model)
    tokenizer = getattr(model, "tokenizer", None)
    too_long = list(tokens.context(cfg, n_ctx))
    yield from too_long
    yield from () if weightless else tokens.excluded(cfg, tokenizer, d_vocab)

    rows: Rows | None = None
    if dataset is not None and not weightless and not cfg.use_cached_activations and not too_long:
        try:
            rows = look.first_rows(cfg, model, dataset)
        except CourseError as error:
            yield _not_loaded(str(error))
    readable = None
    if rows is not None:
        yield from tokens.rows_long_enough(cfg, rows)
        yield from tokens.bos(cfg, rows, tokenizer)
        if rows.tokens is not None:
            foreign = list(tokens.ids(cfg, rows.tokens, d_vocab))
            yield from foreign
            readable = None if foreign else rows.tokens

    missing = list(hooks.hook_exists(cfg, model))
    yield from missing
    if missing:
        return
    seen = look.forward(cfg, model, readable)
    shape = None if seen.activations is None else tuple(seen.activations.shape)
    misfit = list(hooks.hook_shape(cfg, shape, seen.positions))
    yield from misfit
    if readable is None or rows is None:
        return
    if seen.loss is not None:
        yield from tokens.cross_entropy(cfg, rows, seen.loss, card, d_vocab)
    if not misfit and seen.activations is not None:
        yield from activations.mean_offset(cfg, seen.activations)


def _card_loss(cfg: Any, model: Any) -> float | None:
    """The held-out loss on a mini model's card; None for a published one, and one that is built otherwise."""
    from ...models.load import mini_card  # noqa: PLC0415 - torch, a second
    from ...models.names import entry  # noqa: PLC0415
    from ..source import scale_of  # noqa: PLC0415

    if scale_of(cfg) == "full":
        return None
    try:
        card = mini_card(entry(cfg.model_name))
    except CourseError:
        return None
    built = getattr(model, "cfg", None)
    same = all(getattr(built, name, None) == getattr(card.spec, name) for name in ("n_layers", "d_vocab"))
    return card.held_out_loss if same else None


def _not_loaded(said: str) -> Finding:
    return Finding(
        "not-loaded",
        "stops",
        said,
        "There is nothing to train on.",
        "model_name and dataset_path as it says.",
    )
