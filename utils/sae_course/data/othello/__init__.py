"""Othello: a game whose every position is known, so that a model's picture of the board can be checked.

Rules for any number of boards at once (``rules``), random legal games (``games``), the published model's
vocabulary (``vocabulary``), boards from tokens (``board``) and the truth of every token (``labels``).
"""

from .board import Boards, boards, show
from .games import Games, full_games, games
from .labels import BOARD, FEATURES, GROUPS, labels
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
    "BOARD",
    "FEATURES",
    "GROUPS",
    "NAMES",
    "N_CTX",
    "N_TOKENS",
    "PASS",
    "PLAYABLE",
    "SQUARES",
    "Boards",
    "Games",
    "boards",
    "decode",
    "encode",
    "flips",
    "full_games",
    "games",
    "labels",
    "legal_moves",
    "legal_tokens",
    "perft",
    "show",
    "square_name",
    "square_of",
    "start",
    "to_squares",
    "to_tokens",
]
