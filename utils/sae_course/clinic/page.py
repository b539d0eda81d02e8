"""The table of causes in docs/clinic.md.

Written into it by ``python -m sae_course.clinic.page``.
"""

from ..runtime import CourseError, project_root, write_atomic
from .causes import BEYOND, CAUSES, SEVEN
from .doctor import SIGNS

FILE = "docs/clinic.md"
BEGIN, END = "<!-- causes -->\n", "<!-- end of causes -->\n"


def table() -> str:
    """Two tables in Markdown, the ward's causes and those beyond, a row each."""
    return f"The seven of the ward, run 0 to run 6:\n\n{_rows(SEVEN)}\nSeven beyond:\n\n{_rows(BEYOND)}"


def _rows(names: tuple[str, ...]) -> str:
    lines = ["| cause | what was done | what one sees | how it comes about | cure |", "|---|---|---|---|---|"]
    for cause in (CAUSES[name] for name in names):
        seen = "; ".join(sign.words for sign in SIGNS[cause.name])
        lines.append(f"| {cause.name} | {cause.was} | {seen} | {cause.how} | {cause.cure} |")
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    """The page with the table as it is now.

    Raises:
        CourseError: when the page lacks the two marks that it stands between.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CourseError(f"{FILE} needs a line {BEGIN.strip()} and, below it, {END.strip()}.")
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    place = project_root() / FILE
    write_atomic(place, renewed(place.read_text(encoding="utf-8")))
