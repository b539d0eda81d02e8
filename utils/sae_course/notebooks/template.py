"""The generated parts that are the same in every chapter: the set-up cell and the badges."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ..runtime import CourseError

TEMPLATE = Path(__file__).with_name("setup_cell.tmpl")
COLAB = "https://colab.research.google.com"
PLACEHOLDER = "/OWNER/"


@dataclass(frozen=True)
class Address:
    """Where Colab gets the course from: ``[tool.sae-course]`` in pyproject.toml."""

    repository: str
    """``https://github.com/OWNER/sae-course``, or anything that git can clone (then without badges)."""
    release: str
    """The tag that is cloned."""

    @property
    def note(self) -> str:
        """What the builder says while the address is a placeholder; else empty."""
        if PLACEHOLDER not in self.repository:
            return ""
        return (
            f"note: the repository is still the placeholder {self.repository} ([tool.sae-course] in "
            "pyproject.toml): badges and Colab's set-up cell lead nowhere until it is set."
        )


def read_address(root: Path) -> Address:
    """The address and release in ``root``'s pyproject.toml.

    Raises:
        CourseError: when they are missing, or hold what could break out of the set-up cell's code.
    """
    try:
        settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        table = settings["tool"]["sae-course"]
        address = Address(str(table["repository"]).removesuffix("/"), str(table["release"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CourseError(
            f"pyproject.toml has no usable [tool.sae-course] with repository and release ({error!r})."
        ) from error
    for value in (address.repository, address.release):
        if not re.fullmatch(r"[\w./:@~+-]+", value) or value.startswith("-"):
            raise CourseError(f"[tool.sae-course] in pyproject.toml: {value!r} is not an address or a tag.")
    return address


def setup_cell(notebook: str, address: Address | None) -> str:
    """The code of a chapter's first cell.

    Args:
        notebook: ``chapters/01_toy_superposition``.
        address: None leaves its two placeholders, which is what a chapter's code is hashed with: off Colab
            the address is never used, so that a new one makes no execution out of date.
    """
    code = TEMPLATE.read_text(encoding="utf-8").rstrip("\n").replace("@NOTEBOOK@", notebook)
    if address is not None:
        code = code.replace("@REPOSITORY@", address.repository).replace("@RELEASE@", address.release)
    return code


def badges(name: str, address: Address) -> str:
    """The line of badges for chapter ``name``; empty for an address that Colab can't open."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?", address.repository)
    if match is None:
        return ""

    def badge(folder: str) -> str:
        link = f"{COLAB}/github/{match[1]}/blob/{address.release}/{folder}/{name}.ipynb"
        return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})"

    return f"{badge('chapters')} exercises · {badge('solutions')} solutions"
