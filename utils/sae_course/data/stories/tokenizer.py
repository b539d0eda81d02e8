"""The stories' vocabulary as a Hugging Face tokenizer, for TransformerLens and whatever else takes one."""

from functools import cache
from typing import TYPE_CHECKING

from ..tokenizers import wrap
from .lexicon import NAME_GENDER, PET_NAMES
from .vocabulary import SPECIALS, UNK, WORD_IDS

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast


def tokenizer() -> "PreTrainedTokenizerFast":
    """A word-level tokenizer with the ids of ``WORDS``: ``<bos>`` before the text, ``<unk>`` for other words.

    A prompt may be typed in any case ("mary went" is "Mary went"). ``decode`` leaves no space before a full
    stop; capitals at the start of a sentence are for ``stories.decode``.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415 - importing the stories stays light

    fast = wrap(Tokenizer.from_str(_serialised()), "stories")
    fast.unk_token = SPECIALS[UNK]
    return fast


@cache
def _serialised() -> str:
    return _build().to_str()


def _build() -> "Tokenizer":
    from tokenizers import (  # noqa: PLC0415
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
    )

    word_level = Tokenizer(models.WordLevel(dict(WORD_IDS), unk_token=SPECIALS[UNK]))
    word_level.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    names = (*NAME_GENDER, *PET_NAMES)
    word_level.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(rf"(?<![^\W_]){name.lower()}(?![^\W_])"), name) for name in names),
        ]
    )
    word_level.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"[^\w\s]|_"), "isolated"),
        ]
    )
    # A space before every token, fused, then taken away again before punctuation and at the front.
    word_level.decoder = decoders.Sequence(
        [
            decoders.Replace(Regex("^"), " "),
            decoders.Fuse(),
            *(decoders.Replace(f" {mark}", mark) for mark in ".,!?:"),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return word_level
