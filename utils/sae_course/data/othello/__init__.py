"""Othello: a game whose every position is known, so that a model's picture of the board can be checked.

Rules for any number of boards at once (``rules``), random legal games (``games``) and the published model's
vocabulary (``vocabulary``).
"""

from .games import Games, full_games, games
from .rules import flips, legal_moves, perft, start
from .vocabulary import (
    N_CTX,
    N_TOKENS,
    NAMES,
    PASS,
    PLAYABLE,
    SQUARES,
    decode,
    encode,
    legal_tokens,
    square_name,
    square_of,
    to_squares,
    to_tokens,
)

__all__ = [
    "NAMES",
    "N_CTX",
    "N_TOKENS",
    "PASS",
    "PLAYABLE",
    "SQUARES",
    "Games",
    "decode",
    "encode",
    "flips",
    "full_games",
    "games",
    "legal_moves",
    "legal_tokens",
    "perft",
    "square_name",
    "square_of",
    "start",
    "to_squares",
    "to_tokens",
]
