"""Finding machine paths and secrets in text that is about to be published."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A path counts where it starts: "https://example.org/home/x" is an address, not a home folder.
_START = r"(?<![\w.~/-])"
_PATHS = re.compile(
    "|".join(
        [
            rf"{_START}/home/[\w.-]+[^\s\"'<>]*",
            rf"{_START}/Users/[\w.-]+[^\s\"'<>]*",
            rf"{_START}/root\b[^\s\"'<>]*",
            rf"{_START}/tmp/[^\s\"'<>]*",
            rf"{_START}/(?:private/)?var/folders/[^\s\"'<>]*",
            r"\b[A-Za-z]:\\+Users\\+[^\s\"'<>]*",
            # Without what stands before it: a greedy prefix is quadratic on a long line.
            r"\bipykernel_\d+[^\s\"'<>]*",
            r"\b(?:site|dist)-packages[/\\][^\s\"'<>]*",
        ]
    )
)
# Long enough, and with a digit, so that prose, identifiers and <|endoftext|> don't look like one.
_DIGIT = r"(?=[A-Za-z_-]*\d)"
_SECRETS = {
    "a Hugging Face token": re.compile(rf"\bhf_{_DIGIT}[A-Za-z0-9]{{16,}}"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    "an API key": re.compile(rf"(?<![\w-])sk-{_DIGIT}[A-Za-z0-9_-]{{16,}}"),
    "an AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "a Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "a Weights & Biases key": re.compile(r"(?i)(?:wandb|api[_-]?key)[^\n]{0,60}?\b[0-9a-f]{40}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a token": re.compile(
        r"(?i)(?:token|api_?key|password|secret)[\"']?\s*[=:]\s*[\"']?(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}"
    ),
}


@dataclass(frozen=True)
class Finding:
    """Something that must not be published."""

    line: int
    """Among the text's lines, from 0."""
    what: str
    """``the machine path /tmp/x``, or ``a GitHub token (ghp_…)``; a secret is not repeated."""
    path: bool


def find(text: str, *forbidden: str) -> Iterator[Finding]:
    """Machine paths and secrets in ``text``; ``forbidden`` are more such paths: the project's own folder."""
    for number, line in enumerate(text.split("\n")):
        for match in _PATHS.finditer(line):
            yield Finding(number, f"the machine path {match[0][:80]}", True)
        for folder in forbidden:
            if folder in line and not _PATHS.search(line):
                yield Finding(number, f"the machine path {folder}", True)
        for what, pattern in _SECRETS.items():
            if secret := pattern.search(line):
                yield Finding(number, f"{what} ({secret[0][:4]}…)", False)


def texts(data: Any) -> Iterator[str]:
    """The texts in an output's data, without pictures and base64 arrays: chance could spell a path there."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        if data and all(isinstance(item, str) for item in data):
            yield "".join(data) if data[0].endswith("\n") else "\n".join(data)
        else:
            for item in data:
                yield from texts(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key == "bdata" or str(key).startswith("image/"):
                continue
            yield str(key)
            yield from texts(value)
