"""What chapter 06 measures of a dictionary, as functions, for its record: its games and settings."""

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any

from ..training.othello import MODEL, othello_config
from .recording import Row

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from ..data.labels import Labels

LOSS_GAMES = 64
"""Of the measuring games: those on which the model's loss is taken."""
_SHOWN = ("occupied", "empty", "both")


@cache
def model(kind: str = "trained") -> Any:
    """The mini model or its random-weights twin, on the CPU, so that a record can be reproduced anywhere."""
    from ..models import load_model, random_twin  # noqa: PLC0415 - seconds

    if kind == "twin":
        return random_twin(MODEL, "mini", device="cpu")
    return load_model(MODEL, "mini", device="cpu", quiet=True)


@cache
def games(seed: int) -> "tuple[Int[Tensor, 'rows pos'], Labels]":
    """The choosing games and then the measuring ones, with the truth at the SAEs' positions."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from ..data.othello import N_CTX, full_games, labels  # noqa: PLC0415

    chapter = othello_config()
    parts = [
        full_games(n, seed=seed, split=split).tokens[:, :N_CTX]
        for n, split in ((chapter.choose_games, "choose"), (chapter.measure_games, "measure"))
    ]
    tokens = np.concatenate(parts).astype(np.int64)
    return torch.from_numpy(tokens), labels(tokens).at(slice(*chapter.positions))


@cache
def activations(hook_point: str, seed: int, kind: str = "trained") -> "Float[Tensor, 'rows pos d_in']":
    """At the SAEs' positions of these games."""
    from ..evals import harvest  # noqa: PLC0415

    return harvest(model(kind), games(seed)[0], hook_point, positions=slice(*othello_config().positions))


def scored(units: "Float[Tensor, 'rows pos units']", seed: int) -> Row:
    """Coverage, reconstruction and the floor of coverage, by group."""
    from ..evals import board_scores  # noqa: PLC0415

    found = board_scores(units, games(seed)[1], choose=range(othello_config().choose_games))
    floor = {f"always firing, {group}": found.always(group) for group in _SHOWN}
    return found.row() | floor


def of_sae(sae: Any, hook_point: str, seed: int, kind: str = "trained") -> Row:
    """An SAE's scores beside what is usually asked of it, all on the measuring games."""
    from ..evals import densities, downstream, latent_activations, reconstruction  # noqa: PLC0415

    chapter = othello_config()
    x = activations(hook_point, seed, kind)
    held_out = x[chapter.choose_games :].flatten(0, 1)
    quality = reconstruction(sae, held_out)
    tokens = games(seed)[0][chapter.choose_games :][:LOSS_GAMES]
    seen = slice(*chapter.positions)
    effect = downstream(model(kind), sae, tokens, hook_point, positions=seen)
    return {
        "L0": quality.l0,
        "explained variance": quality.explained_variance,
        "loss recovered": effect.loss_recovered,
        "dead": densities(sae, held_out).dead_fraction,
    } | scored(latent_activations(sae, x), seed)


def of_probe(hook_point: str, seed: int, kind: str = "trained") -> tuple[Row, Row]:
    """A linear probe's board: read as an argmax, and its probabilities scored as units are."""
    import torch  # noqa: PLC0415

    from ..data.othello import N_CTX, boards, full_games  # noqa: PLC0415
    from ..evals import board_f1, board_properties, harvest  # noqa: PLC0415
    from ..models.measures.othello import train_probes  # noqa: PLC0415

    chapter = othello_config()
    positions = slice(*chapter.positions)
    tokens = torch.from_numpy(
        full_games(chapter.probe_games, seed=seed, split="probe").tokens[:, :N_CTX].astype("int64")
    )
    x = harvest(model(kind), tokens, hook_point, positions=positions).flatten(0, 1)
    relative = boards(tokens.numpy()).relative[:, positions].reshape(-1, 64).astype("int64")
    weight, bias = train_probes(
        x[None], torch.from_numpy(relative % 3), epochs=chapter.probe_epochs, seed=seed
    )
    logits = (activations(hook_point, seed, kind) @ weight[0] + bias[0]).unflatten(-1, (64, 3))
    said = board_properties(torch.nn.functional.one_hot(logits.argmax(-1), 3).bool())
    truth = games(seed)[1]
    measuring = dataclasses.replace(truth, values=truth.values[chapter.choose_games :])
    read = board_f1(said[chapter.choose_games :], measuring)
    row = {f"F1, {group}": one.f1 for group, one in read.items()}
    return row, scored(board_properties(logits.softmax(-1)), seed)
