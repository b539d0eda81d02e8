"""Sections of a report that ask how well it reconstructs, and how often what fires."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .baselines import TRUE, TWIN
from .loss import Downstream, downstream_of
from .scores import OWN
from .setting import Section, Setting, rows_of
from .uncertainty import Estimate, bootstrap, over

LOSS_ROWS = 24
"""Rows whose loss is measured: every one costs a forward pass for each dictionary."""
LEAST_COST = 0.02
"""Nats per token that ablation must cost for a share of them to mean something."""
DENSE = 0.1
"""Share of tokens from which a latent counts as dense."""


def reconstruction_section(setting: Setting) -> Section:
    """L0, explained variance about the mean (1 − FVU), and what the model loses."""
    name = "reconstruction"
    l0, variance = {}, {}
    for whose, units in setting.subjects.items():
        l0[whose] = bootstrap((units.a != 0).sum(-1).double().mean(1), lambda rows: float(rows.mean()))
        assert units.reconstruction is not None, "every subject reconstructs"
        variance[whose] = _explained(units.x, units.reconstruction)
    ce, kl, details = _losses(setting)
    scores = rows_of(setting, name, "L0", 0, l0)
    scores += rows_of(setting, name, "explained variance", 1, variance)
    scores += rows_of(setting, name, "CE recovered", 1, ce)
    scores += rows_of(setting, name, "KL recovered", 1, kl)
    return Section(scores, details)


def _explained(x: Float[Tensor, "rows pos d_in"], out: Float[Tensor, "rows pos d_in"]) -> Estimate:
    """1 − Σ‖x − x̂‖² / Σ‖x − mean‖², rows drawn anew for the error."""
    error = (x - out).double().square().sum((1, 2))
    about = (x - x.mean((0, 1))).double().square().sum((1, 2))
    return bootstrap(
        torch.stack([error, about], dim=1), lambda some: float(1 - some[:, 0].sum() / some[:, 1].sum())
    )


def _losses(setting: Setting) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    positions = None if setting.positions == slice(None) else setting.positions
    rows = setting.rows[:LOSS_ROWS]
    known = {
        whose: units.reconstruction[:LOSS_ROWS]
        for whose, units in setting.subjects.items()
        if units.reconstruction is not None
    }
    of_model = {whose: out for whose, out in known.items() if whose != TWIN}
    found = downstream_of(setting.model, of_model, rows, setting.hook_point, positions=positions)
    if TWIN in known:
        own = {TWIN: known[TWIN]}
        found |= downstream_of(setting.twin.model, own, rows, setting.hook_point, positions=positions)
    ce = {
        whose: _share(one, one.loss_recovered, one.standard_error, len(rows)) for whose, one in found.items()
    }
    kl = {
        whose: _share(one, one.kl_recovered, one.kl_standard_error, len(rows)) for whose, one in found.items()
    }
    return ce, kl, found[OWN].as_dict()


def _share(found: Downstream, value: float, error: float, n_rows: int) -> "Estimate | str":
    """Of what ablation costs; where it costs next to nothing, a share of that says nothing."""
    cost = found.ce_ablated - found.ce_clean
    if cost < LEAST_COST:
        return f"ablating the activation costs the model only {cost:.3f} nats: there is nothing to recover"
    return Estimate(value, error, f"{n_rows} rows")


def firing_section(setting: Setting) -> Section:
    """Dead latents, and dense ones."""
    from .dense import dense_latents  # noqa: PLC0415

    dead: dict[str, Any] = {}
    dense: dict[str, Any] = {}
    for whose, units in setting.subjects.items():
        if whose == TRUE:
            continue
        fires = (units.a != 0).flatten(0, 1).double().mean(0)
        dead[whose] = Estimate(float((fires == 0).double().mean()))
        dense[whose] = over((fires[fires > 0] > DENSE).double(), "latents")
    otherwise = "labels have no say in how often they are true"
    found = dense_latents(setting.own, tokens=setting.seen, least=DENSE)
    scores = rows_of(setting, "firing", "dead", 0, dead, otherwise=otherwise)
    scores += rows_of(setting, "firing", "dense (share of live latents)", -1, dense, otherwise=otherwise)
    return Section(scores, found.as_dict())
