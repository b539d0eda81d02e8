"""Own text: any UTF-8 file, a tokenizer trained on it, and rows of tokens for training and for testing."""

from .reading import read_text
from .rows import split, text_rows
from .tokenizer import train_tokenizer

__all__ = ["read_text", "split", "text_rows", "train_tokenizer"]
