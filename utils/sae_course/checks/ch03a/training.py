"""Check of 3a.8 train: where the parameters end and what the records say, for a small SAE."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...training.by_hand import HandConfig
from .. import mistakes as naming
from ..cases import Case, fresh
from ..core import exercise
from ..tensors import Rules
from ..trial import Function, Trial
from .loop import DEAD, L0, MSE, SLIPS, Result, Setup, result_of
from .reference import PARAMETERS, SAE

RULES = Rules(2e-3, 2e-3)
D_IN, D_SAE, BATCH = 10, 24, 14
AXES = dict.fromkeys((MSE, L0, DEAD), "step") | PARAMETERS
SETTINGS: tuple[dict[str, Any], ...] = (
    {"n_steps": 9, "warm_up_steps": 3, "decay_steps": 4, "dead_window": 3, "aux_coefficient": 0.6},
    {"n_steps": 8, "warm_up_steps": 0, "decay_steps": 5, "dead_window": 2, "aux_coefficient": 0.0},
    {"n_steps": 9, "warm_up_steps": 5, "decay_steps": 0, "dead_window": 4, "aux_coefficient": 1.7},
)
CLIPS = (5.0, 25.0, 60.0)
"""So that all gradients are longer, half of them, and few; below the first, single entries are not."""
SPARE = 3
"""Batches more than there are steps: a loop that goes on too long is told so."""


class Batches:
    """An iterator that counts what is taken."""

    def __init__(self, batches: list[Tensor]) -> None:
        self.batches, self.taken = batches, 0

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        if self.taken == len(self.batches):
            raise StopIteration
        self.taken += 1
        return self.batches[self.taken - 1]


def _setup(case: Case, settings: dict[str, Any], clip: float) -> Setup:
    """An SAE with latents that fire often, seldom and never, and batches of uneven size."""
    config = HandConfig(
        model="tiny",
        hook_point="blocks.0.hook_mlp_out",
        dataset="none",
        context=7,
        d_in=D_IN,
        d_sae=D_SAE,
        k=3,
        batch_size=BATCH,
        lr=0.02,
        clip=clip * case.number(0.8, 1.2),
        rows_at_once=2,
        buffer_rows=4,
        seed=0,
        device=str(case.device),
        **settings,
    )
    sae = SAE(case, D_IN, D_SAE, k=config.k, scale=case.number(1.3, 1.8))
    with torch.no_grad():
        # The decoder is not of length 1, so that it shows where it is used as it is.
        sae.b_enc.copy_(torch.linspace(-3.0, 0.5, D_SAE, device=case.device)[_shuffled(case, D_SAE)])
    sizes = torch.linspace(0.3, 2.0, config.n_steps + SPARE)[_shuffled(case, config.n_steps + SPARE)]
    batches = [case.normal(f"{BATCH} {D_IN}", scale=float(size)) for size in sizes]
    return Setup(float(sae.W_enc.detach().sum()), config, sae, batches)


def _shuffled(case: Case, n: int) -> Tensor:
    return torch.randperm(n, generator=case.generator)


def _history(t: Trial, history: Any, config: HandConfig) -> dict[str, Tensor]:
    """The records as tensors ``[step]``; fails where they are none."""
    t.require(
        history is not None,
        "train returned nothing (None): is there a `return history`?",
        kind="none",
    )
    t.require(
        isinstance(history, list | tuple),
        f"train returned a {type(history).__name__}; expected a list with a dictionary for each step.",
        kind="type",
    )
    t.require(
        len(history) == config.n_steps,
        f"the history has {len(history)} records; expected one for each of the {config.n_steps} steps "
        "(config.n_steps).",
        kind="length",
        likely="the loop goes over range(config.n_steps), and appends in every step.",
    )
    return {
        name: torch.tensor([_number(t, record, key, step) for step, record in enumerate(history)])
        for name, key in ((MSE, "mse"), (L0, "l0"), (DEAD, "dead"))
    }


def _number(t: Trial, record: Any, key: str, step: int) -> float:
    t.require(
        isinstance(record, dict),
        f"record {step} of the history is a {type(record).__name__}; expected a dictionary.",
        kind="type",
    )
    known = ", ".join(map(str, record)) or "none"
    t.require(
        key in record, f'record {step} of the history has no "{key}"; its keys: {known}.', kind="length"
    )
    value = record[key]
    t.require(
        isinstance(value, int | float | Tensor) and (not isinstance(value, Tensor) or value.numel() == 1),
        f'"{key}" in record {step} of the history is a {type(value).__name__}'
        f"{f' of shape {tuple(value.shape)}' if isinstance(value, Tensor) else ''}; expected one number.",
        kind="type",
        likely="one number over the whole batch and all latents, .item()."
        if isinstance(value, Tensor)
        else "",
    )
    return float(value)


def _where(seen: Result, wanted: Result) -> str:
    """Where to look when no slip explains the difference."""
    for name, clue in (
        (MSE, "scale ** 2 times the squared error, summed over d_in and averaged over the batch"),
        (L0, "how many latents are above 0 on a token, on average"),
        (DEAD, "how many latents had been silent for config.dead_window steps before this one"),
    ):
        off = (seen[name] - wanted[name].cpu()).abs() > 2e-3 * wanted[name].abs().max().cpu()
        if not off.any():
            continue
        step = int(off.nonzero()[0])
        if name == MSE and step:
            return f"the errors agree up to step {step - 1}, and not from step {step} on: look at the update."
        return f"the records are off from step {step} on; they should say {clue}."
    return "the records are right, and where the parameters end is not: look at the update."


@exercise("3a.8", "train", minutes=14, hints=3)
def train(t: Trial, student: Function) -> None:
    """Three trainings: with the auxiliary loss and both parts of the schedule, and without some of it."""
    for case, settings, clip in zip(t.cases(len(SETTINGS)), SETTINGS, CLIPS, strict=True):
        setup = _setup(case, settings, clip)
        config, sae, batches = setup.config, fresh(setup.sae), Batches([x.clone() for x in setup.batches])
        history = t.call(
            student, {"sae": sae, "batches": batches, "config": config}, may_change=["sae", "batches"]
        )
        seen: Result = _history(t, history, config)
        device = setup.sae.b_enc.device
        seen = {name: value.to(device) for name, value in seen.items()}
        seen |= {name: sae.get_parameter(name).detach() for name in PARAMETERS}
        changed = any(
            not torch.equal(one, two) for one, two in zip(batches.batches, setup.batches, strict=True)
        )
        t.require(not changed, "train changed the batches it was given.", kind="changed input")
        right = result_of(setup)
        mistakes = {sentence: partial(result_of, setup, slip) for slip, sentence in SLIPS.items()}
        if t.shown is not None:
            for sentence, wrong in mistakes.items():
                t.shown[sentence] = t.shown.get(sentence, False) or not naming.same(right, wrong(), RULES)
        t.close(
            seen,
            right,
            "train",
            axes=AXES,
            mistakes=mistakes,
            likely=_where(seen, right),
            rtol=RULES.rtol,
            atol=RULES.atol,
        )
