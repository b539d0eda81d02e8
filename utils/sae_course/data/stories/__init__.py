"""Children's stories from a grammar, with the truth of every token.

The words and their ids (``WORDS``, ``encode``, ``decode``), one story with its grammar (``story``), rows of
tokens to train on (``rows``), what is true of each token (``FEATURES``, ``labels``), and a Hugging Face
tokenizer (``tokenizer``).
"""

from .features import FEATURES, Feature
from .grammar import ARCS
from .labels import labels
from .rows import REGISTERS, SPLITS, Story, rows, story
from .tale import Sentence
from .tokenizer import tokenizer
from .vocabulary import BOS, EOS, PAD, UNK, WORD_IDS, WORDS, decode, encode

__all__ = [
    "ARCS",
    "BOS",
    "EOS",
    "FEATURES",
    "PAD",
    "REGISTERS",
    "SPLITS",
    "UNK",
    "WORDS",
    "WORD_IDS",
    "Feature",
    "Sentence",
    "Story",
    "decode",
    "encode",
    "labels",
    "rows",
    "story",
    "tokenizer",
]
