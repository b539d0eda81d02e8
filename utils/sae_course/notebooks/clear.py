"""A code cell as the exercise notebook shows it: nbgrader's ClearSolutions, the stub naming the exercise."""

import json
import logging

from .source import is_begin


def cleared(source: str, title: str) -> str:
    """``source`` with each solution replaced by ``raise NotImplementedError("Exercise 1.3: …")``.

    nbgrader indents the stub like the opening marker. Only code goes through it: it would put
    YOUR ANSWER HERE in place of Markdown. Nested and unclosed markers are refused before (`rules`).

    Args:
        source: the cell's code, with sound markers.
        title: ``Exercise 1.3: write the loss``.
    """
    if not any(map(is_begin, source.split("\n"))):
        return source
    import nbformat.v4  # noqa: PLC0415 - takes a second
    from nbgrader.preprocessors import ClearSolutions  # noqa: PLC0415

    stub = f"raise NotImplementedError({json.dumps(title, ensure_ascii=False)})"
    clear = ClearSolutions(enforce_metadata=False, code_stub={"python": stub})
    clear.log = logging.getLogger(__name__)
    cell, _ = clear.preprocess_cell(nbformat.v4.new_code_cell(source), {"language": "python"}, 0)
    return str(cell.source)
