"""Pages of an Othello model's latents: the boards where they fire, the probes that they read and write."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..data.othello.board import boards
from ..data.othello.vocabulary import N_CTX, N_TOKENS
from ..evals.activations import token_rows
from ..runtime import CourseError
from . import thin, thin_boards
from .boards import add_boards
from .examples import Choice
from .latents import in_front, straight_way, summary
from .numbers import latent_numbers, read
from .page import Dashboard
from .probes import ProbeMap, add_probes, checked_probes
from .sae_vis_script import dashboard_document
from .subject import Subject
from .tokens import TokenNames

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int
    from sae_lens import SAE
    from torch import Tensor
    from transformer_lens import HookedTransformer

# As many as in sae_vis' Othello layout; of each game, what was played up to the board.
_CHOICE = Choice(strongest=24, parts=5, per_part=6, before=N_CTX, after=0)


def othello_dashboard(
    model: "HookedTransformer",
    sae: "SAE[Any]",
    tokens: "Int[Tensor, 'rows pos'] | Int[np.ndarray, 'rows pos']",
    latents: int | Iterable[int],
    *,
    probes: ProbeMap | None = None,
    first: int | None = None,
    title: str = "",
) -> Dashboard:
    """A page for each of some latents of an Othello model, over some games: sae_vis' Othello layout.

    As `latent_dashboard` has it: the histograms, the moves whose logits the latent raises and lowers, the
    latents and neurons that fire with it. In place of text, boards: those where it is strongest (of a game,
    none within ten moves of another), and six from each fifth of its range. A board is the one after the
    token, as the engine replays the game, passes resolved; with it the moves that are legal next, and what
    the latent changed in the loss against a uniform choice among them (`Board`).

    With ``probes``, a table for each: the cosine of what the latent reads (input) and writes (output) with
    the probe's direction for each square. For an SAE inside a layer, the encoder direction goes back through
    W_in and the norm before it, and the decoder direction on through W_out.

    Args:
        tokens: games from their first move on, such as ``full_games(50, split="test").tokens[:, :59]``.
        latents: one, or several; their order is the page's.
        probes: by name, directions of the residual stream, [d_model, 8, 8] or [d_model, 64], A1 first, then
            B1; zeros for a square without a probe.
        first: the latent that is open at the start, and in the notebook; the first one if not given.
        title: of the page; says the hook point if not given.

    Raises:
        CourseError: for a model that doesn't play Othello; tokens that aren't legal games; probes of another
            shape; and all that `latent_dashboard` refuses.
    """
    _check_othello(model)
    subject = Subject.of(model, sae)
    chosen = subject.chosen(latents)
    front = in_front(first, chosen)
    rows = token_rows(model, tokens, least=2)
    truth = boards(rows.cpu().numpy())
    directions = checked_probes(model, probes)
    reading = read(subject, rows, chosen)
    numbers = latent_numbers(subject, rows, chosen, reading, _CHOICE)
    add_boards(subject, rows, truth, reading, numbers)
    add_probes(subject, directions, numbers)
    heading = title or f"Latents at {subject.hook_point}, on boards"
    name = TokenNames(model)
    by_latent = {one.latent: one for one in numbers}
    legend = _legend(subject, numbers)
    return Dashboard(
        title=heading,
        text=summary(heading, numbers, name),
        thin=thin.dashboard(heading, by_latent, front, name, thin_boards.BOARDS),
        draw=lambda: dashboard_document(heading, numbers, front, name, legend, othello=True),
        latents=by_latent,
        first=front,
    )


def _check_othello(model: "HookedTransformer") -> None:
    if model.cfg.d_vocab != N_TOKENS or model.tokenizer is not None:
        raise CourseError(
            f"This page shows boards, and this model's {model.cfg.d_vocab:,} tokens are not Othello's: there "
            f'are {N_TOKENS}. Take load_model("othello-gpt"), or latent_dashboard for a model of text.'
        )


def _legend(subject: Subject, numbers: list[Any]) -> str:
    probes = (
        " Probes: the cosine of each square's probe with the direction the latent reads (input) and writes "
        "(output)."
        if numbers[0].probes
        else ""
    )
    return (
        f"{numbers[0].tokens:,} boards. Each is the one after a token where the latent fires: dark green, "
        "the last move; light green, the discs it turned; dark grey, what may be played next. Loss: the "
        f"latent's effect on the loss against a uniform choice among these{straight_way(subject)}: blue "
        "where it helped, red where it harmed. Logits: what the latent's direction, at length 1, adds before "
        "the final norm divides." + probes
    )
