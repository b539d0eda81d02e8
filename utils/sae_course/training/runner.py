"""Train one SAE or several at once: recorded, resumed after any interruption, the same again from a seed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from ..runs import Run
from ..runtime import CourseError
from ..runtime.memory import keep_freed_memory
from . import folders
from .assemble import check_honoured, check_shared, runner_for
from .preflight import preflight
from .session import Session
from .settings import as_dict, name_of
from .source import find

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig as Config

CHECKPOINT_EVERY = 30.0
BDecInit = Literal["zeros", "mean"]


def train(
    cfg: "Config",
    *,
    name: str | None = None,
    folder: Path | str | None = None,
    model: Any = None,
    dataset: Any = None,
    b_dec_init_method: BDecInit = "zeros",
    check: bool = True,
    show: bool = True,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> Run:
    """Train the SAE that ``cfg`` describes, with SAELens' own trainer.

    Everything that SAELens would send to W&B is recorded in the run's folder, evaluation on held-out tokens
    and density histograms included; at the end the finished SAE is evaluated once more, as it was saved. The
    same seed gives the same weights (on a CPU with as many threads, bit for bit).

    Stopped at any moment, the same call goes on from the last checkpoint and ends, on a CPU with as many
    threads, with the same weights and record as one that was never stopped. Once it is finished, the same
    call trains anew in a folder of its own; with an explicit ``folder`` it returns the finished run.

    Args:
        cfg: SAELens' configuration, from `preset` or your own.
        name: of the run; made from the configuration when not given.
        folder: where the run is kept; ``home()/runs/NAME`` when not given.
        model, dataset: in place of those that ``cfg`` names.
        b_dec_init_method: ``zeros``, as SAELens has it; ``mean`` begins with ``b_dec`` at the mean of the
            activations (over the batches that their norm is estimated on). Where the mean is large beside
            the spread, as after a GELU, fewer latents die and more is explained.
        check: refuse what `preflight` finds can't work, and print what it finds wasteful.
        show: progress with L0, explained variance and dead latents; in a notebook, live curves.
        checkpoint_every: seconds between checkpoints.

    Raises:
        CourseError: for a configuration, model, data or folder that can't be used; a checkpoint that can't be
            written (the last one is then whole).
        KeyboardInterrupt: when it was interrupted; a checkpoint was written.
    """
    name = name or name_of(cfg)
    runs = _train(
        {name: cfg},
        name,
        folder=None if folder is None else Path(folder),
        model=model,
        dataset=dataset,
        b_dec_init_method=b_dec_init_method,
        check=check,
        show=show,
        checkpoint_every=checkpoint_every,
    )
    return runs[name]


def train_many(
    cfgs: "Mapping[str, Config] | Sequence[Config]",
    *,
    name: str | None = None,
    folder: Path | str | None = None,
    model: Any = None,
    dataset: Any = None,
    b_dec_init_method: BDecInit = "zeros",
    check: bool = True,
    show: bool = True,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> dict[str, Run]:
    """Train several SAEs on one stream of activations: the model is run once for all of them.

    They may differ in hook point, architecture, size, optimiser and seed, but not in the stream (model, data,
    context, batch, buffer). The order of the data is that of the first one's seed. Those of one
    architecture and size (Standard, TopK, BatchTopK) are trained as one batched set of parameters, which is
    several times as fast and equals training each by itself.

    Args:
        cfgs: by the names of the runs; without names, they are made from the configurations.
        name: of the group; its folder holds one for each run.
        folder, model, dataset, b_dec_init_method, check, show, checkpoint_every: as for `train`.

    Returns:
        The runs, by name.

    Raises:
        CourseError, KeyboardInterrupt: as `train` does.
    """
    named = dict(cfgs) if isinstance(cfgs, Mapping) else _named(list(cfgs))
    if not named:
        raise CourseError("There is no configuration to train.")
    first = next(iter(named.values()))
    return _train(
        named,
        name or f"{name_of(first)}-and-{len(named) - 1}-more",
        folder=None if folder is None else Path(folder),
        model=model,
        dataset=dataset,
        b_dec_init_method=b_dec_init_method,
        check=check,
        show=show,
        checkpoint_every=checkpoint_every,
        many=True,
    )


def _named(cfgs: "list[Config]") -> "dict[str, Config]":
    named = {name_of(cfg): cfg for cfg in cfgs}
    if len(named) != len(cfgs):
        return {f"{index}-{name_of(cfg)}": cfg for index, cfg in enumerate(cfgs)}
    return named


def _train(
    cfgs: "dict[str, Config]",
    name: str,
    *,
    folder: Path | None,
    model: Any,
    dataset: Any,
    b_dec_init_method: BDecInit,
    check: bool,
    show: bool,
    checkpoint_every: float,
    many: bool = False,
) -> dict[str, Run]:
    if b_dec_init_method not in get_args(BDecInit):
        raise CourseError(f'b_dec_init_method is "zeros" or "mean", not {b_dec_init_method!r}.')
    for cfg in cfgs.values():
        check_honoured(cfg)
    check_shared(cfgs)
    keep_freed_memory()
    first = next(iter(cfgs.values()))
    source = find(first, model, dataset)
    if check:
        _check(cfgs, source.model, dataset)
    runner = runner_for(cfgs, source)
    identity = {
        "configs": {run: as_dict(cfg) for run, cfg in cfgs.items()} if many else as_dict(first),
        "model": fingerprint(dict(source.model.named_parameters())),
        "held_out": fingerprint({"tokens": runner.evaluator.activations_store.tokens}),
    }
    if b_dec_init_method != "zeros":  # runs from before there was a choice are found again
        identity["b_dec_init_method"] = b_dec_init_method
    with folders.exclusive(name, folder):
        place = folders.choose(folder, name, identity)
        at = {run: place.folder / run if many else place.folder for run in cfgs}
        if place.state == "finished":
            if show:
                print(f"{name} was trained before: this is the finished run.")
            return {run: Run.load(one) for run, one in at.items()}
        session = Session(
            cfgs,
            name,
            place=place,
            at=at,
            runner=runner,
            identity=identity,
            b_dec_init_method=b_dec_init_method,
        )
        session.run(show, checkpoint_every)
    return {run: Run.load(one) for run, one in at.items()}


def fingerprint(tensors: "Mapping[str, torch.Tensor]") -> str:
    """Tells one model, or one set of tokens, from another by a sample of its numbers."""
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, len(flat) // 64)].double().cpu()
        whole.update(f"{name}{tuple(tensor.shape)}".encode() + sample.numpy().tobytes())
    return whole.hexdigest()[:16]


def _check(cfgs: "dict[str, Config]", model: Any, dataset: Any) -> None:
    """Refuse what can't work; print what is wasteful, once for all that have it."""
    told: set[str] = set()
    for run, cfg in cfgs.items():
        report = preflight(cfg, model, dataset)
        report.raise_if_stops()
        for finding in report.findings:
            if finding.severity == "wastes" and finding.code not in told:
                told.add(finding.code)
                print(f"{run}\n{finding}")
