"""Check of 7.6 resumed: a training that is stopped and resumed ends as one that was never stopped."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...training.small_training import SmallTraining
from ..cases import Case, changed, fresh
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial

FIRST, OTHER, AGAIN = 1, 2, 3
"""Added to the seed of the training that is stopped: new trainings have other weights, orders and draws."""
WEIGHTS = ("W_enc", "b_enc", "W_dec", "b_dec")
PARTS: dict[str, tuple[str, str]] = {
    "sae": ("the SAE's weights", "The SAE's weights are not those of the interruption (sae)."),
    "held": (
        "the parameters that the optimizer holds",
        "The optimizer holds other parameters than training.sae has, so its steps move copies. Load into the "
        "objects that are there, with load_state_dict, or copy the whole training in one deepcopy.",
    ),
    "averages": (
        "Adam's averages",
        "Adam's averages were not restored (optimizer): the first steps after the interruption are not those "
        "of a training that went on.",
    ),
    "count": (
        "Adam's own count of its steps",
        "Adam's own count of its steps was not restored (optimizer): it divides its averages as at the "
        "beginning.",
    ),
    "rate": (
        "the learning rate",
        "The learning rate was not restored: the optimizer's state_dict has it, in param_groups.",
    ),
    "schedule": (
        "the schedule",
        "The schedule was not restored (schedule): the learning rate falls as at the beginning.",
    ),
    "scheduled": (
        "the optimizer that the schedule sets",
        "The schedule sets the learning rate of another optimizer than training.optimizer. Load into the "
        "objects that are there, with load_state_dict, or copy the whole training in one deepcopy.",
    ),
    "draws": (
        "the generator",
        "The generator's state was not restored (draws): the next orders of the data, and the directions of "
        "latents that begin again, are others. get_state() gives it.",
    ),
    "order": (
        "the order of the data",
        "The order of the data was not restored (order): the rest of this pass brings other activations.",
    ),
    "position": (
        "the position in the order",
        "How far the order was read was not restored (position): the next batch is another one.",
    ),
    "since_fired": (
        "the steps since each latent fired",
        "The steps since each latent fired were not restored (since_fired): latents begin again at other "
        "moments.",
    ),
    "steps": (
        "the number of steps",
        "The number of steps was not restored (steps): the coefficient rises as at the beginning.",
    ),
    "settings": (
        "the data or the settings",
        "The data or the settings are others (x, batch, l1, total or window). A new training has the right "
        "ones.",
    ),
}
"""Part of a training -> what it is called, and what it means when a resumed one lacks it."""
Snapshot = dict[str, Any]


class _Watched(SmallTraining):
    """Tells whether its last step let latents begin again."""

    revived = False

    def _revive(self) -> None:
        self.revived = bool((self.since_fired >= self.window).any())
        super()._revive()


@dataclass(frozen=True)
class Plan:
    """Trainings that differ in their seed alone, and where one of them is stopped."""

    x: Tensor
    settings: dict[str, Any]
    seed: int
    steps: int
    """How many are made in all."""
    stops: tuple[int, ...]
    """After how many steps the state is taken."""
    end: dict[str, Tensor]
    """The weights after all steps, without an interruption."""

    def new(self, more: int = 0) -> SmallTraining:
        """A new training; with the same weights and draws as the others only for the same ``more``."""
        return SmallTraining(self.x, seed=self.seed + more, **self.settings)


def plan_of(case: Case) -> Plan:
    """A plan in which every part of the state acts on the weights after the interruptions."""
    while True:
        d_in, batch, window = _whole(case, 5, 9), _whole(case, 9, 15), _whole(case, 4, 5)
        n = _whole(case, 3, 4) * batch + _whole(case, 1, batch - 1)
        away = torch.randn(d_in, generator=case.generator)
        # All activations lie on one side, so that many directions never fire.
        x = torch.randn(n, d_in, generator=case.generator) + case.number(4.0, 5.0) * away / away.norm()
        settings: dict[str, Any] = {
            "d_sae": _whole(case, 16, 24),
            "batch": batch,
            "lr": case.number(0.01, 0.02),
            "l1": case.number(0.3, 1.0),
            "total": 4 * (window + 7),
            "window": window,
        }
        seed, steps = 10 * _whole(case, 1, 1000), 4 * window + 4
        whole = _Watched(x, seed=seed, **settings)
        if stops := _stops(whole, steps):
            return Plan(x, settings, seed, steps, stops, _weights(whole))


def _whole(case: Case, low: int, high: int) -> int:
    """A whole number, ``high`` included."""
    return int(torch.randint(low, high + 1, (), generator=case.generator))


def _stops(training: _Watched, steps: int) -> tuple[int, ...]:
    """Before latents begin again, right after a new order, and within a pass; none where there are no such.

    After each of them a new order is drawn, and latents begin again. In the first two, the coefficient is
    still rising.
    """
    revived, drawn, within = [], [], []
    for step in range(1, steps + 1):
        training.step()
        if training.revived:
            revived.append(step)
        if training.position > training.batch:
            within.append(step)
        elif step > 1:
            drawn.append(step)
    end = min(revived[-1:] + drawn[-1:]) if revived and drawn else 0
    rising = training.total // 4
    stops: list[int] = []
    for places in (
        [step - 1 for step in revived if 1 < step < rising],
        [step for step in drawn if step < rising],
        within[::-1],
    ):
        stops += [step for step in places if step < end and step not in stops][:1]
    return tuple(sorted(stops)) if len(stops) == 3 else ()


def _weights(training: Any) -> dict[str, Tensor]:
    return {name: getattr(training.sae, name).detach().clone() for name in WEIGHTS}


def _held(training: Any) -> list[Any]:
    return [parameter for group in training.optimizer.param_groups for parameter in group["params"]]


def _of_adam(training: Any, *names: str) -> list[Any]:
    """What Adam keeps for each parameter; None where it has nothing yet."""
    kept = [training.optimizer.state.get(parameter, {}) for parameter in _held(training)]
    return [fresh(state[name]) if name in state else None for state in kept for name in names]


GETTERS: dict[str, Callable[[Any], Any]] = {
    "sae": _weights,
    "held": lambda training: sorted(map(id, _held(training))) == sorted(map(id, training.sae.parameters())),
    "averages": lambda training: _of_adam(training, "exp_avg", "exp_avg_sq"),
    "count": lambda training: [
        None if count is None else float(count) for count in _of_adam(training, "step")
    ],
    "rate": lambda training: [float(group["lr"]) for group in training.optimizer.param_groups],
    "schedule": lambda training: training.schedule.last_epoch,
    "scheduled": lambda training: training.schedule.optimizer is training.optimizer,
    "draws": lambda training: training.draws.get_state(),
    "order": lambda training: training.order.clone(),
    "position": lambda training: int(training.position),
    "since_fired": lambda training: training.since_fired.clone(),
    "steps": lambda training: int(training.steps),
    "settings": lambda training: [
        training.x.clone(),
        *(float(getattr(training, name)) for name in ("batch", "l1", "total", "window")),
    ],
}
"""Part of a training -> its value, as a copy."""


def snapshot_of(training: Any) -> Snapshot:
    """All that acts on the steps to come, as copies; None for what a learner's loading left unreadable."""
    values: Snapshot = {}
    for part, getter in GETTERS.items():
        try:
            values[part] = getter(training)
        except Exception:  # noqa: BLE001 - whatever was put there
            values[part] = None
    return values


def _different(one: Snapshot, other: Snapshot) -> list[str]:
    """The parts in which two snapshots differ."""
    return [part for part in PARTS if not _same(one[part], other[part])]


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.shape == other.shape and bool((one == other).all())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _called(parts: list[str]) -> str:
    """A few of them by name."""
    names = [PARTS[part][0] for part in parts]
    return ", ".join(names if len(names) <= 5 else [*names[:4], f"and {len(names) - 4} more"])


class Trying:
    """One plan, and the learner's two functions in it."""

    def __init__(self, t: Trial, case: Case, state_of: Function, load_state: Function | None) -> None:
        self.t, self.label, self.plan = t, case.label, plan_of(case)
        self.state_of, self.load_state = state_of, load_state
        self.before: dict[int, Snapshot] = {}
        """Stop -> the training then."""
        self.lacking: dict[int, list[str]] = {}
        """Stop -> what a training lacked that was loaded at once."""
        self.states: dict[int, Any] = {}

    def describe(self, stop: int) -> None:
        """Say in the message which training it is."""
        n, d_in = self.plan.x.shape
        settings = ", ".join(
            f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.plan.settings.items()
        )
        self.t.case = (
            f"{self.label}: SmallTraining(x, {settings}), x ({n}, {d_in}), "
            f"stopped after {stop} of {self.plan.steps} steps"
        )

    def take(self, training: SmallTraining, stop: int) -> None:
        """The state of a moment; loaded at once, to know what it lacks from the beginning."""
        before = self.before[stop] = snapshot_of(training)
        state = self.states[stop] = self.t.call(self.state_of, {"training": training}, may_change=True)
        self.describe(stop)
        self.t.require(
            state is not None, "state_of returned nothing (None): is there a `return`?", kind="none"
        )
        moved = _different(snapshot_of(training), before)
        self.t.require(
            not moved,
            f"state_of changed the training whose state it takes: {_called(moved)}. It must go on as if "
            "nobody had looked.",
            kind="changed input",
        )
        self.t.require(
            self.load_state is not None,
            "the check needs both functions: check.resumed(state_of, load_state).",
            kind="not callable",
        )
        copied = _copy(state)
        loaded, start, result = self.load(stop, OTHER)
        self.lacking[stop] = _different(snapshot_of(loaded), before)
        moved = _different(snapshot_of(training), before)
        self.t.require(
            not moved,
            f"load_state changed the training from which the state was taken: {_called(moved)}.",
            kind="changed input",
            likely="load_state takes from the state and changes the training it is given, and not the other "
            "way round.",
        )
        self.require_loaded(loaded, start, result)
        hit = "" if copied is None else changed(copied, state, "state")
        self.t.require(
            not hit,
            f"load_state changed the state it was given ({hit}), from which one may want to go on again.",
            kind="changed input",
        )

    def load(self, stop: int, more: int) -> tuple[SmallTraining, Snapshot, Any]:
        """A new training with the state loaded, what it was before, and what load_state returned."""
        training = self.plan.new(more)
        start = snapshot_of(training)
        assert self.load_state is not None
        try:
            result = self.t.call(
                self.load_state, {"training": training, "state": self.states[stop]}, may_change=True
            )
        except CheckFailed as failure:
            if more != OTHER and failure.kind == "raised":
                failure.likely = (
                    "this state was loaded before, and that went well. What did the first loading, or the "
                    "steps since, do to it? (A file in memory has to be wound back: .seek(0).)"
                )
            raise
        self.describe(stop)
        return training, start, result

    def require_loaded(self, training: SmallTraining, start: Snapshot, result: Any) -> None:
        """Fail where loading did nothing to the training."""
        another = isinstance(result, SmallTraining) and result is not training
        self.t.require(
            _different(snapshot_of(training), start),
            ("load_state returned another training, and left" if another else "load_state left")
            + " the training that it was given as it was.",
            likely="load_state has to change its argument: training.steps = ..., and so on. A line "
            "`training = ...` only gives the name to another object.",
        )

    def go_on(self, stop: int, more: int) -> SmallTraining:
        """Load, make the rest of the steps, and compare the end."""
        training, start, result = self.load(stop, more)
        self.require_loaded(training, start, result)
        loaded = snapshot_of(training)
        problem = ""
        try:
            training.run(self.plan.steps - stop)
        except Exception as error:  # noqa: BLE001 - whatever was loaded
            problem = f"a step of the resumed training raised {type(error).__name__}: {str(error)[:200]}"
        problem = problem or self.off(training)
        if problem:
            raise CheckFailed(
                f"Stopped after {stop} of {self.plan.steps} steps and resumed"
                f"{'' if more == FIRST else ', for the second time from the same state'}, {problem}",
                kind="values",
                likely=self.cause(stop, more, loaded),
            )
        return training

    def off(self, training: Any) -> str:
        """How a training's end differs from the one without an interruption; empty if it doesn't."""
        weights = snapshot_of(training)["sae"]
        if weights is None:
            return "the training has no SAE with the weights W_enc, b_enc, W_dec and b_dec."
        for name in WEIGHTS:
            if not _same(weights[name], self.plan.end[name]):
                gap = (
                    f"{name} differs by up to {(weights[name] - self.plan.end[name]).abs().max():.2g}"
                    if weights[name].shape == self.plan.end[name].shape
                    else f"{name} has the shape {tuple(weights[name].shape)}"
                )
                return f"a training ends with other weights than one that was never stopped: {gap}."
        return ""

    def cause(self, stop: int, more: int, loaded: Snapshot) -> str:
        """Why: from what was different right after loading."""
        lacking = _different(loaded, self.before[stop])
        since = [part for part in lacking if part not in self.lacking[stop]]
        if since and more == FIRST:
            return (
                f"the state changed while the training went on: {_called(since)}. state_of returned what the "
                "next step changes (state_dict() makes no copies); copy.deepcopy(...) keeps the moment."
            )
        if since:
            return (
                "this state was loaded before, and the steps of the training that it was loaded into changed "
                f"it: {_called(since)}. load_state handed over the state's own objects "
                "(optimizer.load_state_dict keeps the very tensors it is given): load copies, with "
                "copy.deepcopy(...)."
            )
        if not lacking:
            return (
                "right after loading, all parts have the values of the interruption. Is one of another type, "
                "or shared?"
            )
        first, *rest = lacking
        sentence = PARTS[first][1]
        if first == "rate":
            rates = [
                ", ".join(f"{rate:.4g}" for rate in seen["rate"] or [])
                for seen in (loaded, self.before[stop])
            ]
            sentence += f" It is {rates[0] or 'none'}, and was {rates[1]}."
        return sentence + (f"\nDifferent, too: {_called(rest)}." if rest else "")


def _copy(state: Any) -> Any:
    """A copy to compare with; None where there can be none."""
    try:
        return fresh(state)
    except Exception:  # noqa: BLE001 - whatever a learner keeps a state in
        return None


@exercise("7.6", "resumed", minutes=12, hints=1)
def resumed(t: Trial, state_of: Any, load_state: Function | None = None) -> None:
    """Trainings stopped at three places, and resumed twice from each, when the first has long gone on.

    Given as two functions, or as one pair of them.
    """
    if isinstance(state_of, tuple) and len(state_of) == 2:
        state_of, load_state = state_of
    for case in t.cases(4):
        trying = Trying(t, case, state_of, load_state)
        plan = trying.plan
        with warnings.catch_warnings():
            # A schedule warns when its optimizer's step is not the one that it wrapped, as in a copy.
            warnings.simplefilter("ignore")
            stopped = plan.new()
            for stop in plan.stops:
                stopped.run(stop - stopped.steps)
                trying.take(stopped, stop)
            stopped.run(plan.steps - stopped.steps)
            _require_end(trying, stopped, "The training whose states were taken does not end as it should: ")
            for stop in plan.stops:
                first = trying.go_on(stop, FIRST)
                trying.go_on(stop, AGAIN)
                what = "After the steps of another one that was loaded from the same state, "
                _require_end(trying, first, what)
            what = "After the steps of those that were resumed from its states, "
            _require_end(trying, stopped, what)


def _require_end(trying: Trying, training: SmallTraining, what: str) -> None:
    problem = trying.off(training)
    trying.t.require(
        not problem,
        what + problem,
        kind="values",
        likely="the trainings share tensors, or other objects: copy.deepcopy(...) makes copies.",
    )
