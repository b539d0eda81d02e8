"""Automatic interpretability: a latent is as interpretable as its explanation predicts it.

An explainer reads examples of a latent and says when it fires; a simulator reads that alone and predicts the
activation at each token of other excerpts (`explaining`); how well it does is scored in three ways
(`predicting`). Examples come from one half of the rows, scores from the other (Bills et al. 2023, "Language
models can explain neurons in language models").

**Top** flatters: where a latent fires most it fires for its clearest reason. What else it fires for, and
where the reason is there and it stays silent, is not among the top excerpts. `AutoInterp.flattery` says by
how much; and an explainer that sees the top alone (``see="top"``), as a person with a dashboard would, finds
reasons that only look like one.

An activation below 0 is taken for silence: of units of either sign the upper side is explained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..data.labels import Labels
from ..runs.view import table
from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .explaining import Decode, Explainer, See, Simulator, cut, examples_of, excerpts_of
from .halves import LEAST, Rows
from .predicting import Explained, predicted
from .rules import Rules
from .uncertainty import Difference, Estimate, difference, over
from .units import Units

if TYPE_CHECKING:
    import pandas as pd

WAYS = ("top", "top and random", "detection")
_SEEN = {
    "all": "all rows of one half",
    "top and random": "top and random excerpts of one half",
    "top": "the top excerpts of one half",
}
_SHOWN = 8
"""Explanations, where the result shows itself."""


@dataclass(frozen=True, repr=False)
class AutoInterp:
    """How well explanations predict some latents. Shows itself as means, and a few explanations."""

    name: str
    """Of the units."""
    latents: tuple[Explained, ...] = field(repr=False)
    left_out: int
    """Live ones that fire too rarely to be drawn."""
    least: int
    """Tokens on which a latent fires in either half, or it is left out."""
    see: See
    """What the explainer was shown."""
    width: int
    """Tokens in an excerpt."""

    @property
    def top(self) -> Estimate:
        """Mean over the latents, as the next two."""
        return self._over("top")

    @property
    def top_and_random(self) -> Estimate:
        """The score to quote."""
        return self._over("top_and_random")

    @property
    def detection(self) -> Estimate:
        """F1, not a correlation."""
        return self._over("detection")

    @property
    def flattery(self) -> Difference:
        """How far the score on top excerpts is above that on top and random ones, latent by latent.

        Raises:
            CourseError: for fewer than two latents.
        """
        return difference(self._column("top"), self._column("top_and_random"))

    @property
    def constant(self) -> int:
        """Latents whose simulation never varied."""
        return sum(one.constant for one in self.latents)

    @property
    def missing(self) -> int:
        """Excerpts of which the simulator could make nothing."""
        return sum(one.missing for one in self.latents)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per latent, the best first; the columns are the fields of `Explained`."""
        import pandas as pd  # noqa: PLC0415 - half a second

        frame = pd.DataFrame(self.latents, columns=list(Explained._fields)).set_index("latent")
        return frame.sort_values("top_and_random", ascending=False, kind="stable")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "see": self.see,
            "width": self.width,
            "least": self.least,
            "left out": self.left_out,
            "latents": [one._asdict() for one in self.latents],
        }

    def __str__(self) -> str:
        lines = [f"{way}: {cell}" for way, cell in self._means().items()]
        shown = [f"{name} ({', '.join(scores)}): {text}" for name, (text, *scores) in self._best().items()]
        return "\n  ".join([*self._head(), *lines, *shown])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        means = table(["mean over latents"], {way: [cell] for way, cell in self._means().items()})
        return "<br>".join(map(escape, self._head())) + means + table(["explanation", *WAYS], self._best())

    def _head(self) -> list[str]:
        lines = (
            f"{len(self.latents)} latents of {self.name}, explained from {_SEEN[self.see]}, tried on others",
            self.left_out and f"{self.left_out} left out: firing on fewer than {self.least} tokens in a half",
            self.constant and f"{self.constant} explanations predict the same everywhere, and count as 0",
            self.missing and f"no simulation of {self.missing} excerpts: the scores with them count as 0",
        )
        return [line for line in lines if line]

    def _means(self) -> dict[str, str]:
        found = {"top": self.top, "top and random": self.top_and_random, "detection (F1)": self.detection}
        means = {way: str(estimate) for way, estimate in found.items()}
        return means | ({"top flatters by": str(self.flattery)} if len(self.latents) > 1 else {})

    def _best(self) -> dict[str, list[str]]:
        best = sorted(self.latents, key=lambda one: -one.top_and_random)[:_SHOWN]
        return {
            f"latent {one.latent}": [
                one.explanation or "(no explanation)",
                *(f"{score:.2f}" for score in (one.top, one.top_and_random, one.detection)),
            ]
            for one in best
        }

    def _column(self, name: str) -> list[float]:
        return [getattr(one, name) for one in self.latents]

    def _over(self, name: str) -> Estimate:
        return over(self._column(name), "latents")


@torch.no_grad()
def autointerp(
    units: Units,
    tokens: Int[Tensor, "rows pos"],
    *,
    decode: Decode,
    labels: Labels | None = None,
    explainer: Explainer | None = None,
    simulator: Simulator | None = None,
    latents: Sequence[int] | None = None,
    n: int = 32,
    top: int = 10,
    rest: int = 10,
    detect: int | None = None,
    see: See | None = None,
    width: int | None = 64,
    least: int = LEAST,
    choose: Rows | None = None,
    seed: int = 0,
) -> AutoInterp:
    """Explain latents on one half of the rows, and try the explanations on the other.

    A number says little without the same call for other units: a random dictionary has explanations too.

    Args:
        tokens: those that the units are of.
        decode: a token's text: a tokenizer, or a function of the id.
        labels: the truth of the same tokens, for explanations that speak of it.
        explainer, simulator: `Rules` when not given; an explainer that can simulate then does.
        latents: these; otherwise ``n`` drawn from those that fire on ``least`` tokens in both halves.
        top, rest: excerpts with the largest activations, and others at random, for the explainer and for the
            scores.
        detect: excerpts at random for detection. When not given, the whole measuring half where the rules
            simulate, and ``rest`` where each excerpt may cost something.
        see: what the explainer gets of the choosing half: "all" (the rules, unless told otherwise), "top and
            random" excerpts (other explainers), or the "top" alone.
        width: tokens in an excerpt, about: rows are cut; None for whole rows.
        choose: the rows that explain, by number or as a mask; even rows when not given.

    Raises:
        CourseError: when these are not of the same tokens, no latent fires often enough, one of ``latents``
            doesn't, or a half has fewer excerpts than are asked for.
    """
    if tokens.shape != units.a.shape[:2]:
        raise CourseError(
            f"{units.name} is of {list(units.a.shape[:2])} tokens, [rows, pos], and these are "
            f"{list(tokens.shape)}: pass the tokens that it was made from."
        )
    explainer, simulator = _roles(explainer, simulator)
    if see is None:
        see = "all" if isinstance(explainer, Rules) else "top and random"
    choosing = _choosing(len(tokens), choose)
    often, left_out = _often(units.a > 0, choosing, least)
    chosen = _drawn(often, n, seed) if latents is None else _given(often, latents, least)
    a = cut(units.a[..., chosen].clamp(min=0).float(), width).cpu()
    text = excerpts_of(tokens.cpu(), decode, labels, width)
    half = choosing.repeat_interleave(len(text) // len(choosing))
    learn, measure = half.nonzero().flatten(), (~half).nonzero().flatten()
    if detect is None:
        detect = len(measure) if isinstance(simulator, Rules) else rest
    sizes = (top, rest, detect)
    _check_sizes(len(learn), len(measure), see, sizes)
    known, new = text[learn], text[measure]
    explained = []
    for place, latent in enumerate(chosen):
        stream = torch.Generator().manual_seed(stream_seed(f"autointerp of latent {latent}", seed))
        explanation = explainer.explain(examples_of(known, a[learn, :, place], see, (top, rest), stream))
        tried = predicted(explanation, simulator, new, a[measure, :, place], sizes=sizes, stream=stream)
        explained.append(Explained(latent, explanation.text, *tried))
    return AutoInterp(units.name, tuple(explained), left_out, least, see, text.ids.shape[1])


def _roles(explainer: Explainer | None, simulator: Simulator | None) -> tuple[Explainer, Simulator]:
    explaining = Rules() if explainer is None else explainer
    if simulator is not None:
        return explaining, simulator
    if not isinstance(explaining, Simulator):
        raise CourseError(
            f"{explaining!r} explains, and can't simulate: pass the simulator that its explanations are for."
        )
    return explaining, explaining


def _choosing(n_rows: int, choose: Rows | None) -> Bool[Tensor, " rows"]:
    rows = np.zeros(n_rows, dtype=bool)
    try:
        rows[np.arange(0, n_rows, 2) if choose is None else np.asarray(choose)] = True
    except IndexError as error:
        raise CourseError(f"choose names rows that there aren't: there are {n_rows} ({error}).") from error
    if rows.all() or not rows.any():
        raise CourseError(
            f"{int(rows.sum())} of {n_rows} rows choose: both halves, explaining and trying, need some."
        )
    return torch.from_numpy(rows)


def _often(
    fires: Bool[Tensor, "rows pos units"], choosing: Bool[Tensor, " rows"], least: int
) -> tuple[Bool[Tensor, " units"], int]:
    """Which units fire often enough in both halves, and how many fire at all and don't."""
    if least < 1:
        raise CourseError(f"least is a number of tokens, 1 or more; not {least}.")
    by_row = fires.sum(1).cpu()
    often = torch.minimum(by_row[choosing].sum(0), by_row[~choosing].sum(0)) >= least
    if not often.any():
        raise CourseError(
            f"No latent fires on {least} tokens in both halves of these {len(fires)} rows, so no explanation "
            "can be tried: take more rows, or a smaller least."
        )
    return often, int((by_row.any(0) & ~often).sum())


def _drawn(often: Bool[Tensor, " units"], n: int, seed: int) -> list[int]:
    if n < 1:
        raise CourseError(f"n is a number of latents, 1 or more; not {n}.")
    able = often.nonzero().flatten()
    stream = torch.Generator().manual_seed(stream_seed("autointerp's latents", seed))
    return able[torch.randperm(len(able), generator=stream)[:n]].sort().values.tolist()


def _given(often: Bool[Tensor, " units"], latents: Sequence[int], least: int) -> list[int]:
    found = [int(one) for one in latents]
    wrong = [one for one in found if not (0 <= one < len(often) and often[one])]
    if wrong or not found:
        raise CourseError(
            f"Of the latents that were asked for, {wrong or 'none at all'} can't be explained: there are "
            f"{len(often)}, and each must fire on {least} tokens in both halves. Leave them out, take more "
            "rows, or a smaller least."
        )
    return found


def _check_sizes(n_choosing: int, n_measuring: int, see: See, sizes: tuple[int, int, int]) -> None:
    top, rest, _ = sizes
    if min(sizes) < 1:
        raise CourseError(f"top, rest and detect are numbers of excerpts, 1 or more; not {sizes}.")
    shown = top + (rest if see == "top and random" else 0)
    if n_choosing < shown or n_measuring < top + rest:
        raise CourseError(
            f"The rows make {n_choosing} excerpts to explain from and {n_measuring} to try explanations on; "
            f"{shown} and {top + rest} are asked for: take more rows, or a smaller top, rest or width."
        )
