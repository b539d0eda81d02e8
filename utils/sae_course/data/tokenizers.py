"""Tokenizer objects that work everywhere a published one does, made here and read from a file: no hub."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import CourseError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<bos>", "<eos>")
"""Ids 0, 1 and 2 in every tokenizer of the course."""


def wrap(tokenizer: "Tokenizer", name: str) -> "PreTrainedTokenizerFast":
    """``tokenizer`` as `transformers` and TransformerLens take it: BOS before the text, padding on the right.

    Its first three tokens are `SPECIAL`. TransformerLens asks the hub for a version that prepends BOS unless
    ``add_bos_token`` says that this one does, and needs a ``name_or_path``.
    """
    from tokenizers.processors import TemplateProcessing  # noqa: PLC0415 - the data rooms' import stays light
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    pad, bos, eos = SPECIAL
    found = [tokenizer.token_to_id(token) for token in SPECIAL]
    if found != [0, 1, 2]:
        raise CourseError(f"The tokenizer of {name} has {SPECIAL} at {found}; they should be 0, 1 and 2.")
    # transformers 5 sets the same for add_bos_token; transformers 4 does not.
    tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        name_or_path=name,
        add_bos_token=True,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def dump(tokenizer: "PreTrainedTokenizerFast") -> str:
    """The contents of a ``NAME.tokenizer.json`` file: without the padding and truncation of its last call."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - the data rooms' import stays light

    alone = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    alone.no_padding()
    alone.no_truncation()
    return alone.to_str()


def read(path: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer in a ``NAME.tokenizer.json`` file.

    Raises:
        CourseError: when the file is missing, truncated or no tokenizer.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CourseError(
            f"{path} is missing: the model's text can't be read without it. Train the model again."
        ) from error
    # The tokenizers library raises plain Exception for whatever it can't read.
    except Exception as error:
        raise CourseError(f"{path} can't be read as a tokenizer ({error}). Train the model again.") from error
    return wrap(tokenizer, path.name.removesuffix(".tokenizer.json"))
