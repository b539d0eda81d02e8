"""Sparse control: how few latents must be set to make a model give another answer.

Of a prompt and its opposite (`data.indirect_objects`), x and x' are the activations at one place, and D is
the logit of the prompt's answer less that of the opposite's. Putting x' in the place of x moves D to D'.
Putting in only k latents' part of that change, the SAE's error kept,

    x + Σ (a'_i − a_i) d_i   over the k latents i with the largest |(a'_i − a_i) d_i · ∂D/∂x|,

moves it to D_k. The success is Σ (D − D_k) / Σ (D − D') over prompts: of sums, no mean of quotients, so that
a prompt which the whole activation hardly moves has no say in it. After Makelov, Lange and Nanda 2024,
"Towards Principled Evaluations of Sparse Autoencoders for Interpretability and Control" (arXiv 2405.08366).
They too edit few latents of each prompt towards a counterfactual one, and compare with features that
supervision made. Here a first-order rule says which latents: it looks at the prompt's own gradient and at no
edited run.

The same k and rule hold for all that it is compared with: the true features (who gets, who gives, which of
the two is named first), made from mean activations of the prompts that choose; principal components of those
prompts, which know the task too; coordinates of the activation; and random latents among those that change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..runs.view import table
from ..runtime import CourseError
from ..runtime.streams import stream_seed
from . import edits
from .activations import check_hook_point, harvest, token_rows
from .autoencoder import Autoencoder
from .between import directions
from .edits import Asked, Parts, Position
from .halves import Rows
from .uncertainty import Difference, Estimate, bootstrap, difference, over
from .units import units_of

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from transformer_lens import HookedTransformer

    from ..data.indirect_objects import IndirectObjects

KS = (1, 2, 4, 8, 16)
SAE, RANDOM, TRUE, NEURONS, COMPONENTS = "SAE", "random latents", "true features", "neurons", "components"
_RIGHT = 0.75
"""Of prompts and opposites, the share that the model must answer rightly to be said to do the task."""
_CARRIED = 0.1
"""Of what the opposite prompt moves D by, the least that its activation alone must."""


class Point(NamedTuple):
    """What k units of one source do."""

    success: Estimate
    """0 is nothing, 1 as much as the whole activation does; it may be more."""
    flipped: Estimate
    """Of the prompts that the model answers rightly, the share where the other answer wins."""


@dataclass(frozen=True, repr=False)
class Control:
    """Logit differences of the measured prompts, as they are and after edits of ever more units."""

    ks: tuple[int, ...]
    clean: Float[Tensor, " n"] = field(repr=False)
    """D: the answer's logit less the opposite's. On the CPU, as all here."""
    swapped: Float[Tensor, " n"] = field(repr=False)
    """The same of the opposite prompt, whose answer it is that counts against."""
    patched: Float[Tensor, " n"] = field(repr=False)
    """D', with the opposite prompt's activation in place."""
    edited: Mapping[str, Float[Tensor, "ks n"]] = field(repr=False)
    """D_k of each source; empty where `reason` says why."""
    whole: Mapping[str, Float[Tensor, " n"]] = field(repr=False)
    """With all units of each source set: below D' by what the source doesn't hold."""
    reason: str = ""
    """Why nothing could be measured; empty where it could."""

    @property
    def accuracy(self) -> float:
        """Of the prompts and their opposites, the share whose own answer has the higher logit."""
        return float(torch.cat([self.clean > 0, self.swapped < 0]).double().mean())

    @property
    def carried(self) -> float:
        """Of what the opposite prompt moves D by, the share that its activation at this place moves it."""
        return float((self.clean - self.patched).sum() / (self.clean - self.swapped).sum())

    def at(self, source: str, k: int | None = None) -> Point:
        """What k units of a source do; None is all that it has.

        Raises:
            CourseError: for a source or a k that there isn't, or when nothing could be measured.
        """
        return self._point(self._run(source, k))

    def against(self, one: str, other: str, k: int) -> Difference:
        """The success of one source less that of another, prompt by prompt.

        Raises:
            CourseError: as for `at`.
        """
        unit = (self.clean - self.patched).mean()
        return difference(*((self.clean - self._run(source, k)) / unit for source in (one, other)))

    def figure(self, title: str | None = None) -> "go.Figure":
        """Success by number of units; random latents are grey.

        Args:
            title: the finding; the SAE's and the true features' success at the first k when not given. Where
                nothing could be measured, the reason, above an empty picture.
        """
        from ..figures.control import draw_control  # noqa: PLC0415 - plotly

        if self.reason:
            return draw_control(self.ks, {}, f"Not measurable: {self.reason}", controls=[])
        first = self.ks[0]
        said = ", ".join(f"{name} {self.at(name, first).success}" for name in (SAE, TRUE, RANDOM))
        series = {name: [self.at(name, k).success[:2] for k in self.ks] for name in self.edited}
        return draw_control(
            self.ks, series, title or f"Success of setting k = {first}: {said}", controls=[RANDOM]
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for an error that there isn't, and for what wasn't measured."""

        def plain(number: Estimate) -> dict[str, float | None]:
            return {"value": number.value, "error": None if isnan(number.error) else number.error}

        sources = {
            name: {
                "all" if k is None else str(k): {
                    what: plain(number) for what, number in self.at(name, k)._asdict().items()
                }
                for k in (*self.ks, None)
            }
            for name in self.edited
        }
        return {
            "prompts": len(self.clean),
            "accuracy": self.accuracy,
            "carried": None if isnan(self.carried) else self.carried,
            "reason": self.reason or None,
            "sources": sources or None,
        }

    def __str__(self) -> str:
        lines = [f"{name}: {', '.join(cells)}" for name, cells in self._rows().items()]
        ks = ", ".join(map(str, self.ks))
        return "\n  ".join([self._head(), *([f"k = {ks}, all"] if lines else []), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.reason:
            return self._head()
        return self._head() + table([f"k = {k}" for k in (*self.ks, "all")], self._rows())

    def _head(self) -> str:
        if self.reason:
            return f"not measurable on {len(self.clean)} prompts: {self.reason}"
        flips = self._point(self.patched).flipped
        return (
            f"success (and answers flipped) of setting k units, over {len(self.clean)} prompts; the whole "
            f"activation flips {100 * flips.value:.0f} %"
        )

    def _rows(self) -> dict[str, list[str]]:
        points = {name: [self.at(name, k) for k in (*self.ks, None)] for name in self.edited}
        return {
            name: [f"{one.success} ({100 * one.flipped.value:.0f} %)" for one in found]
            for name, found in points.items()
        }

    def _run(self, source: str, k: int | None) -> Float[Tensor, " n"]:
        if self.reason:
            raise CourseError(f"Nothing was measured here: {self.reason}.")
        if source not in self.edited:
            raise CourseError(f'There is no source "{source}": there are {", ".join(self.edited)}.')
        if k is not None and k not in self.ks:
            raise CourseError(f"k = {k} was not measured: {', '.join(map(str, self.ks))} were.")
        return self.whole[source] if k is None else self.edited[source][self.ks.index(k)]

    def _point(self, after: Float[Tensor, " n"]) -> Point:
        moved = torch.stack([self.clean - after, self.clean - self.patched], dim=1)
        success = bootstrap(moved, lambda some: float(some[:, 0].sum() / some[:, 1].sum()), what="prompts")
        return Point(success, over((after < 0)[self.clean > 0].double(), "prompts"))


def sparse_control(
    model: "HookedTransformer",
    sae: Autoencoder,
    task: "IndirectObjects",
    hook_point: str,
    *,
    ks: Sequence[int] = KS,
    position: Position = -1,
    choose: Rows | None = None,
    seed: int = 0,
    batch: int = 32,
) -> Control:
    """Set k latents to what they are in the opposite prompt, for several k, and see whose answer it becomes.

    Args:
        task: such as `data.indirect_objects.indirect_objects` makes.
        ks: numbers of latents.
        position: the token that is edited: the last, before the answer, where later layers have brought the
            name. Where it is still with the giver, ``task.giver_at``, or "all" for every token from there on:
            a latent is then set at all of them, and counts once.
        choose: prompts that true features and components are made from, by number or as a mask; even ones
            when not given. Every success is measured on the others.
        seed: of the random latents.
        batch: prompts at once.

    Raises:
        CourseError: for a hook point, prompts or an SAE that don't go with the model; for ks, a position or
            prompts that there aren't; and for names that the prompts that choose don't have.
    """
    check_hook_point(model, hook_point)
    if not ks or any(int(k) != k or k < 1 for k in ks):
        raise CourseError(f"ks are numbers of latents, 1 or more; these are {list(ks)}.")
    rows, opposite = (token_rows(model, one) for one in (task.tokens, task.swapped))
    if rows.shape != opposite.shape:
        raise CourseError(f"The prompts are {list(rows.shape)} and their opposites {list(opposite.shape)}.")
    answer, other = (token_rows(model, np.asarray(one)[:, None]) for one in (task.answer, task.other))
    choosing = _choosing(choose, len(rows)).to(rows.device)
    places = edits.edited_places(position, task.giver_at, rows.shape[1])
    x, y = (harvest(model, one, hook_point, batch=batch, positions=places) for one in (rows, opposite))
    asked = Asked(model, rows, answer, other, hook_point, places).some(~choosing)
    change = (y - x)[~choosing]
    nothing = torch.zeros_like(change)
    clean, patched = edits.edited(asked, torch.stack([nothing, change]), batch=batch)
    (there,) = edits.edited(asked._replace(rows=opposite[~choosing]), nothing[None], batch=batch)
    found = Control(tuple(int(k) for k in ks), clean, there, patched, {}, {})
    reason = _reason(found, hook_point, places)
    if reason:
        return replace(found, reason=reason)
    a, b = (units_of(sae, one).a for one in (x, y))
    moves = (b - a)[~choosing].to(change)
    writes = directions(sae, a.shape[-1], x)
    samples = torch.cat([x[choosing], y[choosing]])
    main, axes = edits.components(samples), torch.eye(x.shape[-1]).to(x)
    slope, most = edits.gradient(asked, batch=batch), max(found.ks)
    stream = torch.Generator().manual_seed(stream_seed("sparse control", seed))
    true = edits.swapped(samples, *edits.features(task, choosing), slope)
    along = change @ main.T
    sources: dict[str, tuple[Parts, Float[Tensor, "n places d_in"]]] = {
        SAE: (edits.ranked(moves, writes, slope, most), moves @ writes),
        TRUE: (true, true.sum(1)),
        NEURONS: (edits.ranked(change, axes, slope, most), change),
        COMPONENTS: (edits.ranked(along, main, slope, most), along @ main),
        RANDOM: (edits.at_random(moves, writes, most, stream), moves @ writes),
    }
    runs = {
        name: edits.edited(asked, torch.stack([*edits.sums(parts, found.ks), whole]), batch=batch)
        for name, (parts, whole) in sources.items()
    }
    return replace(
        found,
        edited={name: after[:-1] for name, after in runs.items()},
        whole={name: after[-1] for name, after in runs.items()},
    )


def _choosing(choose: Rows | None, n: int) -> Bool[Tensor, " n"]:
    mask = np.zeros(n, dtype=bool)
    try:
        mask[np.arange(0, n, 2) if choose is None else np.asarray(choose)] = True
    except IndexError as error:
        raise CourseError(f"choose names prompts that there aren't: there are {n} ({error}).") from error
    if not mask.any() or (~mask).sum() < 2:
        raise CourseError(
            f"{int(mask.sum())} of {n} prompts choose: it takes at least one, and two others to measure on."
        )
    return torch.from_numpy(mask)


def _reason(found: Control, hook_point: str, places: Sequence[int]) -> str:
    """Why success would mean nothing here; empty where it means something."""
    if found.accuracy < _RIGHT:
        return (
            f"the model gives {100 * found.accuracy:.0f} % of the prompts their own answer, and chance "
            "would 50 %. It doesn't do the task, so that there is no answer to control"
        )
    if not found.carried >= _CARRIED:
        where = f"token {places[0]}" if len(places) == 1 else f"tokens {places[0]} to {places[-1]}"
        return (
            f"the opposite prompt's activation at {hook_point}, {where}, moves the answer "
            f"{100 * found.carried:.1f} % of the way. It isn't read from there: take a later layer, or the "
            "giver's token"
        )
    return ""
