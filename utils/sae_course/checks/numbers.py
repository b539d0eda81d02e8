"""The numbers of chapters and exercises: exercise 3a.1 belongs to chapter 03a."""

import re

CHAPTER = re.compile(r"\d\d[a-z]?")
"""``01``, ``03a``: as files and modules (``ch03a``) spell it."""


def chapter_of(number: str) -> str:
    """The chapter, as files spell it, of an exercise or a chapter as people write them.

    ``01`` for ``1.3``, ``1`` and ``01``; ``03a`` for ``3a.1``, ``3A`` and ``03a``. What is no number stays as
    it is, in small letters.
    """
    head = number.strip().lower().partition(".")[0]
    digits = re.match(r"\d*", head)
    return head.zfill(len(head) + 1) if digits and len(digits[0]) == 1 else head


def order(number: str) -> list[tuple[int, str]]:
    """A key to sort by: 1.2 before 1.10, 3a.1 after 1.10 and before 3b.1."""
    parts = (re.fullmatch(r"(\d*)(.*)", part, re.DOTALL) for part in number.split("."))
    return [(int(part[1] or 0), part[2]) for part in parts if part]
