"""What stands in a notebook for a page: HTML without scripts, readable on any background and on GitHub.

Every style is inline, so that nothing leaks into the notebook. GitHub drops styles and drawings: what matters
is in tables and bold type too.
"""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from .tokens import TokenNames, html_token

if TYPE_CHECKING:
    from .examples import Example
    from .numbers import Histogram, LatentNumbers

_LEFT = ' style="text-align:left;vertical-align:top;padding:2px 8px"'
_MONO = "font-family:Consolas,Menlo,'DejaVu Sans Mono',monospace"
_SHOWN, _LINES = 10, 10  # examples of a latent, latents in the list
_ORANGE = (255, 140, 0)

Cell = str
"""HTML, escaped by who made it."""


class Drawing(NamedTuple):
    """How a latent's examples look in a notebook."""

    one: "Callable[[Example, LatentNumbers, TokenNames], Cell]"
    """In a line of the list of latents."""
    all: "Callable[[LatentNumbers, TokenNames], list[Cell]]"
    """Below the latent in front, one after the other."""


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table; the head is text, the cells are HTML."""
    top = "".join(f"<th{_LEFT}>{escape(word)}</th>" for word in head)
    body = "".join("<tr>" + "".join(f"<td{_LEFT}>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table style="margin:4px 0"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def coloured(
    names: Sequence[str],
    strengths: Sequence[float],
    hover: Sequence[str],
    *,
    bold: int | None = None,
    apart: bool = False,
) -> Cell:
    """Tokens in a line, each on a background between white (0) and orange (1); ``hover`` on the mouse.

    ``apart`` puts a gap between them. A coloured token has black letters, readable in a light and a dark
    notebook; one at 0 has the notebook's.
    """
    parts = []
    for i, (name, strength, words) in enumerate(zip(names, strengths, hover, strict=True)):
        inner = html_token(name)
        inner = f"<b>{inner}</b>" if i == bold else inner
        title = f' title="{escape(words)}"' if words else ""
        style = ""
        if strength > 0:
            shade = ",".join(str(round(255 + (end - 255) * min(1.0, strength))) for end in _ORANGE)
            style = f' style="background:rgb({shade});color:#000"'
        parts.append(f"<span{title}{style}>{inner}</span>" if title or style else inner)
    # A place to break the line at after each token.
    between = " " if apart else "<wbr>"
    return f'<span style="{_MONO};line-height:1.6">{between.join(parts)}</span>'


def bars(histogram: "Histogram", what: str, width: int = 440, height: int = 130) -> str:
    """A histogram as a drawing, in the notebook's own colour of text."""
    counts, edges = histogram.counts, histogram.edges
    left, bottom, top = 48, 34, 8
    step, most = (width - left - 8) / len(counts), max(counts)
    drawn = "".join(
        f'<rect x="{left + i * step:.1f}" y="{height - bottom - h:.1f}" width="{step * 0.92:.1f}" '
        f'height="{h:.1f}"/>'
        for i, count in enumerate(counts)
        if (h := (height - bottom - top) * count / most) > 0
    )
    floor = height - bottom
    labels = "".join(
        f'<text x="{left + place * (width - left - 8):.0f}" y="{floor + 14}" text-anchor="{anchor}">'
        f"{edges[0] + place * (edges[-1] - edges[0]):.3g}</text>"
        for place, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(what)}" style="font:11px sans-serif;color:inherit">'
        f'<g fill="#E69F00">{drawn}</g><g fill="currentColor">{labels}'
        f'<text x="{left - 4}" y="{top + 9}" text-anchor="end">{most:,}</text>'
        f'<text x="{left - 4}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{(left + width) / 2:.0f}" y="{height - 4}" text-anchor="middle">{escape(what)}</text></g>'
        f'<path d="M{left} {floor}H{width - 8}" stroke="currentColor" fill="none"/></svg>'
    )


def dashboard(
    title: str,
    numbers: "dict[int, LatentNumbers]",
    first: int,
    name: TokenNames,
    drawing: Drawing | None = None,
) -> str:
    """A line for each latent, and the one in front in full; examples are sequences if not told otherwise."""
    drawing = drawing or Drawing(_line, _sequences)
    parts = [f"<div><b>{escape(title)}</b></div>"]
    if len(numbers) > 1:
        others = [one for one in numbers.values() if one.latent != first][: _LINES - 1]
        some = [one for one in numbers.values() if one.latent == first or one in others]
        rows = [
            (
                f"<b>{one.latent}</b>" if one.latent == first else str(one.latent),
                f"{one.density:.3%}" if one.fired else "never",
                f"{one.maximum:.3f}" if one.fired else "",
                drawing.one(one.strongest[0], one, name) if one.fired else "",
                _tokens(one.top[:5], name),
            )
            for one in some
        ]
        parts.append(table(("latent", "fires on", "at most", "strongest", "raises"), rows))
        if len(numbers) > len(some):
            parts.append(f"<div>… and {len(numbers) - len(some)} more latents on the page</div>")
    parts.append(_latent(numbers[first], name, drawing))
    return f'<div style="overflow-x:auto">{"".join(parts)}</div>'


def _latent(one: "LatentNumbers", name: TokenNames, drawing: Drawing) -> str:
    if not one.fired:
        what = f"never fired on these {one.tokens:,} tokens"
    else:
        what = f"fires on {one.density:.3%} of {one.tokens:,} tokens, at most {one.maximum:.3f}"
    parts = [f'<div style="margin-top:8px"><b>Latent {one.latent}</b> {what}</div>']
    if one.histogram is not None:
        parts.append(bars(one.histogram, "activation, where it fires (tokens)"))
    logits = [
        (_token(up[0], name), f"{up[1]:+.2f}", _token(down[0], name), f"{down[1]:+.2f}")
        for up, down in zip(one.top, one.bottom, strict=True)
    ]
    parts.append(table(("raises", "logit", "lowers", "logit"), logits))
    if one.fired:
        parts += drawing.all(one, name)
    if one.correlated:
        others = ", ".join(f"{latent} (r {r:+.2f})" for latent, r, _ in one.correlated)
        parts.append(f"<div>Fires with latent {others}</div>")
    return "".join(parts)


def _sequences(one: "LatentNumbers", name: TokenNames) -> list[Cell]:
    places = [
        (f"{at(example):.3f}", f"{example.row}, {example.pos}", _line(example, one, name))
        for example in one.strongest[:_SHOWN]
    ]
    ranges = [
        (
            f"{group.low:.2f} to {group.high:.2f}",
            f"{group.share:.1%}",
            _line(group.examples[0], one, name) if group.examples else "",
        )
        for group in one.groups
    ]
    return [
        table(("activation", "row, pos", "strongest"), places),
        table(("activation", "of its tokens", "one of them"), ranges),
    ]


def at(example: "Example") -> float:
    """The activation at the example's own token."""
    return example.activations[example.pos - example.start]


def _line(example: "Example", one: "LatentNumbers", name: TokenNames) -> Cell:
    return coloured(
        [name(token) for token in example.tokens],
        [a / one.maximum for a in example.activations],
        [f"{a:.3f}" if a > 0 else "" for a in example.activations],
        bold=example.pos - example.start,
        apart=name.apart,
    )


def _token(token: int, name: TokenNames) -> Cell:
    return f"<code>{html_token(name(token))}</code>"


def _tokens(found: Sequence[tuple[int, float]], name: TokenNames) -> Cell:
    return " ".join(_token(token, name) for token, _ in found)
