"""What the page shows of the Gemma 2 stand-in: indirect objects by the order of the names, and successors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from ..data.stories import lexicon
from ..data.stories.vocabulary import WORD_IDS
from ..figures.models import Bars, draw_beside_control, draw_successors, percent
from .cards import Card
from .measures.stories import Case, held_out_rows, indirect_object_cases, successor_cases
from .page_section import Findings, Picture
from .page_stories import generations, loss_picture

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

_AT_ONCE = 25
_SERIES = {"numbers": lexicon.NUMBERS, "days": lexicon.DAYS, "ordinals": lexicon.ORDINALS}


def gemma(model: "HookedSAETransformer", twin: "HookedSAETransformer", card: Card) -> Findings:
    """Two tasks whose circuits are known from larger models."""
    rows = held_out_rows(model)
    pictures = [loss_picture(card), order_picture(model, twin, rows), successor_picture(model, rows)]
    return Findings(pictures, generations(model))


@torch.no_grad()
def before_cases(
    model: "HookedSAETransformer", rows: np.ndarray, cases: Sequence[Case]
) -> Float[np.ndarray, "case d_vocab"]:
    """The logits from which each case's answer is predicted."""
    out = np.zeros((len(cases), model.cfg.d_vocab), dtype=np.float32)
    wanted = sorted({case.row for case in cases})
    for first in range(0, len(wanted), _AT_ONCE):
        part = wanted[first : first + _AT_ONCE]
        logits = model(torch.from_numpy(rows[part]).to(model.cfg.device), return_type="logits")
        place = {row: at for at, row in enumerate(part)}
        for number, case in enumerate(cases):
            if case.row in place:
                out[number] = logits[place[case.row], case.pos - 1].float().cpu().numpy()
    return out


class _ByOrder(NamedTuple):
    """Mean logit differences for each order of the names, with their standard errors."""

    means: list[float]
    errors: list[float]


_ORDERS = ("A and B …, B gave … to A", "A and B …, A gave … to B")


def _giver_is_first(rows: np.ndarray, case: Case) -> bool:
    """Whether the sentence's first name is the giver's: then the answer is the second."""
    ids = rows[case.row, : case.pos].tolist()
    names = [token for token in ids if token in (case.answer, case.rivals[0])][-3:]
    return names[0] == case.rivals[0]


def order_picture(model: "HookedSAETransformer", twin: "HookedSAETransformer", rows: np.ndarray) -> Picture:
    """By how much the receiver beats the giver, in both orders of the names."""
    cases = indirect_object_cases(rows)
    second = np.array([_giver_is_first(rows, case) for case in cases], dtype=bool)
    bars = []
    for one in (model, twin):
        logits = before_cases(one, rows, cases)
        differences = np.array(
            [
                logits[number, case.answer] - logits[number, case.rivals[0]]
                for number, case in enumerate(cases)
            ]
        )
        groups = [differences[~second], differences[second]]
        bars.append(
            Bars(
                [round(float(group.mean()), 3) for group in groups],
                [round(float(group.std(ddof=1)) / len(group) ** 0.5, 3) for group in groups],
            )
        )
    found, control = bars
    said = " and ".join(f"{value:.1f}" for value in found.values)
    if min(found.values) > 0:
        title = f"Whoever was named first, the receiver beats the giver: by {said} in logits"
    else:
        title = f"The receiver does not beat the giver in both orders: logit differences {said}"
    title += f"; with random weights {' and '.join(f'{value:.2f}' for value in control.values)}"
    figure = draw_beside_control(
        [f"{order}<br>({count} places)" for order, count in zip(_ORDERS, _counts(second), strict=True)],
        found,
        control,
        title,
        axis="logit difference",
        control_name="random weights",
    )
    return Picture(
        "indirect-object", figure, "Logit difference of receiver and giver by the order of the names",
        f"Logit of the receiver less that of the giver before “to …”, mean over {len(cases):,} places in "
        f"{len(rows):,} held-out rows, with its standard error.",
    )  # fmt: skip


def _counts(second: np.ndarray) -> tuple[int, int]:
    return int((~second).sum()), int(second.sum())


def successor_picture(model: "HookedSAETransformer", rows: np.ndarray) -> Picture:
    """The probability of every member of a series after each of its members."""
    cases = successor_cases(rows)
    logits = before_cases(model, rows, cases).astype(np.float64)
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    panels, right = {}, []
    for name, words in _SERIES.items():
        ids = [WORD_IDS[word] for word in words]
        given = np.array([ids.index(case.answer) - 1 if case.answer in ids else -1 for case in cases])
        grid = np.full((len(ids), len(ids)), np.nan)
        for at in range(len(ids) - 1):
            if (given == at).any():
                grid[at] = p[given == at][:, ids].mean(0)
                right.append(grid[at, at + 1])
        shown = [
            at
            for at in range(len(ids))
            if not np.isnan(grid[at]).all() or (at and not np.isnan(grid[at - 1]).all())
        ]
        panels[name] = (
            [words[at].capitalize() if name == "days" else words[at] for at in shown],
            grid[np.ix_(shown, shown)],
        )
    figure = draw_successors(
        panels,
        f"What comes next: the successor has {percent(np.mean(right))} of the probability, mean over the "
        f"words "
        "given",
    )
    return Picture(
        "successors", figure, "Probabilities of each number, day and ordinal after each",
        f"Mean probabilities at {len(cases):,} places in {len(rows):,} held-out rows where a series goes on "
        "by one; all words of the vocabulary compete. Blank: the stories never go on from there.",
    )  # fmt: skip
