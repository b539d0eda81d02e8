"""Tokens as strings that a page can hold: visible, and never markup."""

import json
import re
import unicodedata
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

_SHOWN = {"\n": "↵", "\t": "⇥", "\r": "␍", "": "∅"}
# What JSON leaves as it is, and a <script> or an old JavaScript parser does not: "</script>" and "<!--" end
# or open something there, and U+2028 and U+2029 were line ends.
_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class TokenNames:
    """The text a page shows for a token's id.

    Othello's tokens are its moves ("D3"); another model without a tokenizer is shown by its ids.
    """

    def __init__(self, model: "HookedTransformer") -> None:
        self._tokenizer = cast(Any, model.tokenizer)
        self._d_vocab = model.cfg.d_vocab
        self._known: dict[int, str] = {}

    def __call__(self, token: int) -> str:
        if token not in self._known:
            self._known[token] = self._name(token)
        return self._known[token]

    @cached_property
    def apart(self) -> bool:
        """Whether tokens need a gap between them: they hold no spaces of their own, as words and moves do."""
        if self._tokenizer is None:
            return True
        # Ġ and ▁ are how vocabularies write a space.
        return not any(sign in piece for piece in self._tokenizer.get_vocab() for sign in (" ", "Ġ", "▁"))

    def _name(self, token: int) -> str:
        if self._tokenizer is not None:
            return visible(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))
        from ..data.othello.vocabulary import N_TOKENS, NAMES  # noqa: PLC0415

        return NAMES[token] if self._d_vocab == N_TOKENS else str(token)


def visible(text: str) -> str:
    """``text`` with what can't be seen made visible: line ends, tabs, control signs, half characters.

    Spaces stay spaces: a page shows them by the box around a token.
    """
    if text in _SHOWN:
        return _SHOWN[text]
    return "".join(_SHOWN.get(sign) or (_named(sign) if _hidden(sign) else sign) for sign in text)


def _hidden(sign: str) -> bool:
    # Control, format (zero width, right to left), surrogate, private use, unassigned; ends of lines.
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _named(sign: str) -> str:
    # A lone surrogate can't be written to a file at all.
    return "\ufffd" if unicodedata.category(sign) == "Cs" else f"\\u{ord(sign):04x}"


def script_json(value: Any) -> str:
    """``value`` as JSON that is safe between ``<script>`` tags, whatever strings are in it.

    Raises:
        ValueError: for a number that is NaN or infinite: JSON has none.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_IN_SCRIPT)


def html_token(text: str) -> str:
    """``text`` for HTML: escaped, and each space kept at its place."""
    return re.sub(r"^ | $|(?<= ) ", "&nbsp;", escape(text))
