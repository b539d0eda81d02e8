"""CircuitsVis' components on a page of ours: the one place that knows its script.

CircuitsVis 1.43 shows itself from a CDN when it reaches the network, which it tries at each display; its
bundled script is used here instead. The script writes tokens as HTML; here they are escaped before.
"""

from functools import cache
from typing import Any

from .document import changed, document, from_package

_ESCAPED = r'.replace(/&/g,"&amp;").replace(/</g,"&lt;")'
# Three places make the HTML of a token, by replacing spaces in it.
_SAFE = [
    (r'.replace(/\s/g,"&nbsp;")', _ESCAPED + r'.replace(/\s/g,"&nbsp;")', 2),
    ('.replace(" ","&nbsp;")', _ESCAPED + '.replace(" ","&nbsp;")', 1),
    ("//# sourceMappingURL=iife.js.map", "", 1),
]
_CSS = "#component { margin: 14px 10px; } #component table { border-collapse: collapse; } "


def circuitsvis_document(
    title: str, component: str, properties: dict[str, Any], legend: str, css: str = ""
) -> str:
    """The whole page of one CircuitsVis component, with its properties as plain values."""
    run = (
        'document.addEventListener("page-scripts-ready", () => CircuitsVis.render('
        f'"component", CircuitsVis.{component}, PAGE));'
    )
    return document(
        title,
        legend,
        '<div id="component"></div>',
        css=_CSS + css,
        scripts=[script(), run],
        data=properties,
    )


@cache
def script() -> str:
    """CircuitsVis' script, safe for any token.

    Raises:
        CourseError: when the installed CircuitsVis has another script.
    """
    return changed(from_package("circuitsvis", "dist/cdn/iife.js"), _SAFE, "CircuitsVis")
