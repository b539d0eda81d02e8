"""Executed notebooks as HTML pages that need no network for their figures, and the report over them."""

import copy
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import write_atomic
from .outputs import PLOTLY

if TYPE_CHECKING:
    from .run import Result

PLOTLY_FILE = "plotly.min.js"


def write_plotly(folder: Path) -> None:
    """Put plotly.js, which all pages share, beside them: the installed package's own copy."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - heavy

    text = get_plotlyjs()
    target = folder / PLOTLY_FILE
    if not (target.is_file() and target.stat().st_size == len(text.encode())):
        write_atomic(target, text)


def write_page(notebook: Any, title: str, path: Path) -> None:
    """Write an executed notebook as a page next to plotly.js; figures play, zoom and scrub.

    Formulae are drawn by MathJax, from the network: without one they show as TeX.
    """
    from nbconvert import HTMLExporter  # noqa: PLC0415 - takes a second

    # The template loads one script in its head, RequireJS from a CDN, which nothing here needs.
    exporter = HTMLExporter(require_js_url=PLOTLY_FILE)
    page, _ = exporter.from_notebook_node(_with_figures(notebook), resources={"metadata": {"name": title}})
    write_atomic(path, page)


def _with_figures(notebook: Any) -> Any:
    """A copy whose plotly figures are HTML, which nbconvert can show."""
    from plotly.io import to_html  # noqa: PLC0415

    shown = copy.deepcopy(notebook)
    number = 0
    for cell in shown.cells:
        for output in cell.get("outputs", []):
            if PLOTLY in output.get("data", {}):
                number += 1
                div = to_html(
                    dict(output["data"][PLOTLY]),
                    include_plotlyjs=False,
                    full_html=False,
                    validate=False,
                    auto_play=False,
                    div_id=f"figure-{number}",
                )
                output["data"] = {"text/html": div}
    return shown


def write_report(results: "list[Result]", path: Path) -> None:
    """Write the table of a run, with a link to each chapter's page."""
    rows = []
    for result in results:
        cells = [
            f'<a href="{html.escape(result.name)}.html">{html.escape(result.title)}</a>',
            f"{result.seconds:.0f}",
            f"{result.cells} of {result.total}",
            result.memory,
            html.escape(result.headline),
        ]
        if result.error:
            cells[-1] = f'<span class="error">✘ {html.escape(result.error)}</span>'
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("chapter", "seconds", "cells", "peak memory", "result"))
    write_atomic(path, _REPORT.replace("@HEAD@", head).replace("@ROWS@", "\n".join(rows)))


_REPORT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The chapters, executed</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .8rem; border-bottom: 1px solid #ccc; vertical-align: top; }
.error { color: #b3261e; }
</style>
</head>
<body>
<h1>The chapters, executed</h1>
<table>
<thead><tr>@HEAD@</tr></thead>
<tbody>
@ROWS@
</tbody>
</table>
<p>Figures are drawn by the copy of plotly.js in this folder. Formulae need MathJax from the network;
without one they show as TeX.</p>
</body>
</html>
"""
