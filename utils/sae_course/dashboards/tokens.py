"""Tokens as strings that a page can hold: visible, and never markup."""

import json
import re
import unicodedata
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformer_lens import HookedTransformer

_SHOWN = {"\n": "↵", "\t": "⇥", "\r": "␍", "": "∅"}
# What JSON leaves as it is, and a <script> or an old JavaScript parser does not: "</script>" and "<!--" end
# or open something there, and U+2028 and U+2029 were line ends.
_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def token_names(model: "HookedTransformer") -> "Callable[[int], str]":
    """A function from a token's id to the text a page shows for it.

    A model without a tokenizer is shown by its ids; Othello's tokens are its moves ("D3").
    """
    tokenizer = cast(Any, model.tokenizer)
    if tokenizer is None:
        from ..data.othello.vocabulary import NAMES, N_TOKENS  # noqa: PLC0415

        return lambda token: NAMES[token] if model.cfg.d_vocab == N_TOKENS else str(token)

    @cache
    def name(token: int) -> str:
        return visible(tokenizer.decode([token], clean_up_tokenization_spaces=False))

    return name


def visible(text: str) -> str:
    """``text`` with what can't be seen made visible: line ends, tabs, control signs, half characters.

    Spaces stay spaces: a page shows them by the box around a token.
    """
    if text in _SHOWN:
        return _SHOWN[text]
    return "".join(_SHOWN.get(sign) or (_named(sign) if _hidden(sign) else sign) for sign in text)


def _hidden(sign: str) -> bool:
    # Control, format (zero width, right to left), surrogate, private use, unassigned; line and paragraph ends.
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
