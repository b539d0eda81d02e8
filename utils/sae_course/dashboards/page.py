"""What a learner holds: a page that shows itself thinly in a notebook, and whole in a file or a frame."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError, write_atomic
from .document import framed

if TYPE_CHECKING:
    from .numbers import LatentNumbers


@dataclass(eq=False, repr=False)
class Page:
    """An interactive page, and what stands for it in a notebook.

    As a cell's last line it shows a thin view: tables and coloured text without any script, some kB, which
    GitHub, JupyterLab, VS Code and Colab all show. The whole page is one file that needs no network: `save`
    writes it, `show` puts it into the notebook.
    """

    title: str
    text: str
    """What ``print`` shows."""
    thin: str
    """HTML without scripts."""
    draw: Callable[[], str]
    """Makes the whole document."""
    saved: Path | None = field(default=None, init=False)
    """Where it was last written."""

    @cached_property
    def html(self) -> str:
        """The whole document."""
        return self.draw()

    def save(self, path: str | Path) -> Path:
        """Write the whole page, and return where.

        Raises:
            CourseError: when ``path`` is a folder, or can't be written.
        """
        path = Path(path).expanduser()
        if path.is_dir():
            raise CourseError(
                f'{path} is a folder: give the page a file name, such as "{path / "page.html"}".'
            )
        if not path.suffix:
            path = path.with_suffix(".html")
        try:
            write_atomic(path, self.html)
        except CourseError as error:
            raise CourseError(f"The page can't be written to {path} ({error.__cause__ or error}).") from error
        self.saved = path
        return path

    def show(self, height: int = 860) -> None:
        """The whole interactive page in the notebook, alone in a frame.

        It becomes part of the notebook's file, about 2 MB for a page of latents (the plotting library is in
        it): clear the cell's output before you share the notebook, or `save` the page beside it instead.
        """
        from IPython.display import HTML, display  # noqa: PLC0415 - where there is no notebook, neither is it

        display(HTML(framed(self.html, height)))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()}: {self.title}>"

    def _repr_html_(self) -> str:
        return self.thin + f'<div style="margin-top:8px">{self._where()}</div>'

    def _where(self) -> str:
        if self.saved is None:
            return (
                'The interactive page: <code>.save("page.html")</code> writes it, <code>.show()</code> '
                "puts it here."
            )
        place = _relative(self.saved)
        if place is None:
            return f"The interactive page was saved as {escape(self.saved.name)}."
        return f'The interactive page: <a href="{escape(place)}" target="_blank">{escape(place)}</a>'


@dataclass(eq=False, repr=False)
class Dashboard(Page):
    """A page for each of some latents, and the numbers on it."""

    latents: "dict[int, LatentNumbers]"
    """By latent, in the order asked for."""
    first: int
    """The latent that is open when the page is."""

    def as_dict(self) -> dict[str, Any]:
        """The numbers as plain values."""
        return {
            "title": self.title,
            "first": self.first,
            "latents": [one.as_dict() for one in self.latents.values()],
        }


def _relative(path: Path) -> str | None:
    """``path`` from the working folder, for a link; None where it lies elsewhere: paths are the machine's."""
    try:
        place = Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive of a Windows machine
        return None
    return None if place.startswith("../..") else place
