"""A learner's own model: the rows of its text, its default training, its files, what is measured."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt16

from ..data.text import read_text, text_rows, train_tokenizer
from ..data.tokenizers import dump
from ..data.tokenizers import read as read_tokenizer
from ..runtime import CourseError, write_atomic
from .cards import Behaviour
from .measures.ngram import NGram
from .specs import ModelSpec, mini_specs, spec_for_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Times that training goes through the text by default, and the least and the most steps. On Shakespeare the
# held-out loss falls until about the sixth time; the rest of the training is learning by heart.
TIMES, FEWEST, MOST = 6, 300, 6000


@dataclass(frozen=True)
class OwnText:
    """A text as a model reads it."""

    tokenizer: "PreTrainedTokenizerFast"
    train: UInt16[np.ndarray, "row n_ctx"]
    held_out: UInt16[np.ndarray, "row n_ctx"]

    def write(self, name: str, folder: Path) -> None:
        """``NAME.tokenizer.json`` and ``NAME.rows.safetensors``: the model can be used without its text file.

        Raises:
            CourseError: when the folder can't be written.
        """
        from safetensors.numpy import save  # noqa: PLC0415

        write_atomic(
            folder / f"{name}.rows.safetensors", save({"train": self.train, "held_out": self.held_out})
        )
        write_atomic(folder / f"{name}.tokenizer.json", dump(self.tokenizer))

    @classmethod
    def read(cls, name: str, folder: Path) -> "OwnText":
        """What `write` wrote.

        Raises:
            CourseError: when a file is missing or damaged.
        """
        from safetensors import SafetensorError  # noqa: PLC0415
        from safetensors.numpy import load  # noqa: PLC0415

        path = folder / f"{name}.rows.safetensors"
        try:
            rows = load(path.read_bytes())
            return cls(read_tokenizer(folder / f"{name}.tokenizer.json"), rows["train"], rows["held_out"])
        except (OSError, SafetensorError, KeyError) as error:
            raise CourseError(f"{path} can't be read ({error}): train {name} again.") from error

    @property
    def sha256(self) -> str:
        """Of the rows: whether a checkpoint was made with this text and this tokenizer."""
        digest = hashlib.sha256(self.train.tobytes())
        digest.update(self.held_out.tobytes())
        return digest.hexdigest()


def prepare(
    name: str, path: Path, like: str, vocab_size: int, steps: int | None = None
) -> tuple[ModelSpec, OwnText]:
    """Read and tokenise the text; the spec of the model to be trained on it.

    Raises:
        CourseError: for a name that can't be used, a text that can't be used, or an unknown model ``like``.
    """
    check_name(name)
    spec = spec_for_text(name, like, d_vocab=vocab_size, steps=steps)  # an unknown ``like`` is said first
    text = read_text(path)
    tokenizer = train_tokenizer(text, vocab_size, name)
    own = OwnText(tokenizer, *text_rows(text, tokenizer, spec.n_ctx))
    if steps is None:
        steps = int(np.clip(TIMES * len(own.train) / spec.training.rows, FEWEST, MOST))
    return spec_for_text(name, like, len(tokenizer), steps), own


def check_name(name: str) -> None:
    """Raise CourseError unless ``name`` can be the name of a learner's own model."""
    if name in mini_specs():
        raise CourseError(
            f'"{name}" is the name of one of the course\'s own models: give yours a name of its own, such as '
            f'"my-{name}" (--like {name} builds it the same way).'
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith((".tokenizer", ".rows")):
        raise CourseError(
            f'"{name}" can\'t be a model\'s name: use up to 64 letters, digits, "-", "_" and ".", beginning '
            'with a letter or digit; the endings ".tokenizer" and ".rows" are taken.'
        )


def text_behaviours(loss: float, own: OwnText, d_vocab: int) -> list[Behaviour]:
    """What can be said of a model of any text: how far its held-out loss is below that of counting.

    Args:
        loss: the model's, in nats per token after the first of a row, on all held-out rows.
    """
    sample = f"{len(own.held_out):,} held-out rows of {own.held_out.shape[1]} tokens"
    out = [
        Behaviour(
            name="held-out loss",
            value=loss,
            better="<=",
            unit="nats",
            what="cross-entropy per token on the last tenth of the text",
            sample=sample,
        )
    ]
    for n, words in ((1, "a unigram model"), (2, "a bigram model")):
        counted = NGram(own.train, d_vocab, n).loss(own.held_out)
        out.append(
            Behaviour(
                name=f"below {words}",
                value=counted - loss,
                target=0.0,
                unit="nats",
                what=f"how far the held-out loss is below that of {words} of the same text ({counted:.3f})",
                sample=sample,
            )
        )
    return out
