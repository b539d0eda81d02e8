"""A page as one file: whole, closed to the network, and no token in it can run."""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..runtime import CourseError
from .tokens import script_json

HERE = Path(__file__).parent


def document(title: str, legend: str, body: str, *, css: str, scripts: Sequence[str], data: Any) -> str:
    """The whole HTML document.

    Three things keep it closed. The scripts are packed (gzip, base64: a third of their size) and the data
    is JSON without a ``<``, so that nothing in either ends a tag. The policy (CSP) forbids every request.
    And only scripts with the page's nonce run: what a token might bring along can't, not even an
    ``onerror``. The nonce is a hash of the page, so that the same numbers give the same page.

    Args:
        legend: one paragraph of text under the title.
        body: HTML that the scripts draw into; must be escaped.
        scripts: in their order; they find ``data`` as ``PAGE`` and wait for the event ``page-scripts-ready``.
    """
    prelude = 'const PAGE = JSON.parse(document.getElementById("data").textContent);'
    packed = _packed("\n".join((prelude, *scripts)))
    held = script_json(data)
    nonce = hashlib.sha256((packed + held + title).encode()).hexdigest()[:32]
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>
{css}
{_asset("page.css")}
</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="legend">{escape(legend)}</p>
<div id="note" hidden></div>
<noscript>This page draws itself with JavaScript, which is off here.</noscript>
{body}
<script type="application/json" id="data">{held}</script>
<script type="text/plain" id="packed">{packed}</script>
<script nonce="{nonce}">
{_asset("open.js")}
</script>
</body>
</html>
"""


def framed(page: str, height: int) -> str:
    """A page inside a notebook: alone in a frame that may run scripts and nothing else."""
    return (
        f'<div><iframe srcdoc="{escape(page)}" sandbox="allow-scripts" title="interactive page" '
        f'style="width:100%;height:{height}px;border:1px solid #ccc;background:#fff"></iframe></div>'
    )


def asset(name: str) -> str:
    """A script or style of ours."""
    return _asset(name)


@cache
def _asset(name: str) -> str:
    return (HERE / "assets" / name).read_text(encoding="utf-8")


def vendored(name: str) -> str:
    """A script that came with the course (see vendor/LICENCE.md)."""
    return (HERE / "vendor" / name).read_text(encoding="utf-8")


def from_package(package: str, file: str) -> str:
    """A text file of an installed package, without importing it.

    Raises:
        CourseError: when the package, or the file in it, is not there.
    """
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise CourseError(
            f"{package} is not installed, and its pages can't be drawn without it: run `sae-course doctor`, "
            "which says how to install it."
        )
    path = Path(places[0]) / file
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(
            f"{package} is installed without its file {file} ({error.strerror}): install it again."
        ) from error


def changed(source: str, changes: Sequence[tuple[str, str, int]], whose: str) -> str:
    """``source`` with each (old, new, how often it must be there) exchanged.

    Raises:
        CourseError: when it is not there that often: this is another version than the one we know, and what
            the change was for (that a token can't run) would be lost.
    """
    for old, new, times in changes:
        found = source.count(old)
        if found != times:
            raise CourseError(
                f"The script of {whose} is not the one this course knows ({found} times instead of {times}: "
                f"{old[:60]!r}). Install the version in constraints.txt."
            )
        source = source.replace(old, new)
    return source


@cache
def _packed(script: str) -> str:
    # mtime 0: the same page for the same data.
    return base64.b64encode(gzip.compress(script.encode(), 6, mtime=0)).decode()
