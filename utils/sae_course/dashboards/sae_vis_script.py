"""sae_vis' page of a latent, from our numbers: the one place that knows its script and the data it reads.

From sae_vis 0.3.7 come the page's script and style. The numbers are ours (`numbers`), for its own
computation needs SAELens 5's configs, runs the SAE inside the model with its error term switched on and off,
seeds torch's and NumPy's global generators, doesn't see the ends of a row, fails where a latent fires rarely,
and divides the final residual stream by its variance instead of the root of it.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..data.othello.vocabulary import SQUARES
from .document import asset, changed, document, from_package, vendored

if TYPE_CHECKING:
    from .examples import Board, Example
    from .numbers import Histogram, LatentNumbers
    from .tokens import TokenNames

HEIGHT = 780
_PROBE_ROWS = 10
_GREY = "<br><span style='color:#666;font-weight:normal'>"

# A token goes into HTML at three places, and into plotly's small HTML at one; the rest is .text().
_SAFE = [
    ("<code>${tok.replace(/ /g, '&nbsp;')}</code>", "<code>${escapeHtml(tok)}</code>", 2),
    ("<code>${tok}</code>", "<code>${escapeHtml(tok)}</code>", 1),
    ("`|${tok}|<br>", "`|${escapeHtml(tok)}|<br>", 1),
    # A probe's name goes into HTML too, and, with other signs dropped, into its table's id.
    ('probeName, "&nbsp;")', 'escapeHtml(probeName), "&nbsp;")', 1),
    ("([probeName, tablesData]) =>", "([probeName, tablesData], place) =>", 1),
    ("stringToId(probeName)", "place", 2),
]
# The course's words (docs/glossary.md); and no report on timing in the console.
_WORDS = [
    ('"CORRELATED FEATURES"', '"CORRELATED LATENTS"', 1),
    ("'Feature activation'", "'Latent activation'", 1),
    ("Prob change from feature", "Probability, without to with", 1),
    ("Feature not active on prev token;<br>no predictions were affected.",
     "Not active on the token before:<br>this token's prediction was not affected.", 1),
    # The column's letter, then the row from 1, as players write a square.
    ("${String.fromCharCode(65 + d[0])}${d[1]}", "${String.fromCharCode(65 + d[1])}${d[0] + 1}", 1),
    ("console.log(", "void (", 1),
    ('"DOMContentLoaded"', '"page-scripts-ready"', 1),
]  # fmt: skip


def dashboard_document(
    title: str,
    numbers: "list[LatentNumbers]",
    first: int,
    name: "TokenNames",
    legend: str,
    *,
    othello: bool = False,
) -> str:
    """The whole page; ``name`` gives a token's text. With ``othello``, the examples are boards."""
    layout = _layout(numbers)
    page = {
        "start": str(first),
        "metadata": {
            "layout": layout,
            "othello": othello,
            "columnWidths": [None] * len(layout),
            "height": HEIGHT,
        },
        # A list, for an object's number-like keys are sorted by JavaScript.
        "latents": [[str(one.latent), latent_data(one, name)] for one in numbers],
    }
    scripts = [
        *(vendored(f"d3-{part}.min.js") for part in ("color", "interpolate", "selection")),
        plotly(),
        asset("before_sae_vis.js"),
        script(),
        asset("after_sae_vis.js"),
    ]
    kind = " class='boards'" if othello else " class='apart'" if name.apart else ""
    body = f"<div id='dropdown-container'></div>\n<div{kind}><div class='grid-container'></div></div>"
    css = from_package("sae_vis", "style.css") + asset("sae_vis.css")
    return document(title, legend, body, css=css, scripts=scripts, data=page)


def _layout(numbers: "list[LatentNumbers]") -> list[list[str]]:
    """The columns: sae_vis' default ones, and probes' tables where its Othello layout has them."""
    middle = ["actsHistogram", "logitsTable", "logitsHistogram"]
    if any(example.sources for one in numbers for example in one.strongest):  # these take more room
        return [[*middle, "featureTables"], ["seqMultiGroup"]]
    if any(one.probes for one in numbers):
        middle.append("probeLogitsTables")
    return [["featureTables"], middle, ["seqMultiGroup"]]


def plotly() -> str:
    """The installed plotly's own plotly.js."""
    return from_package("plotly", "package_data/plotly.min.js")


def script() -> str:
    """sae_vis' script, safe for any token.

    Raises:
        CourseError: when the installed sae_vis has another script.
    """
    return changed(from_package("sae_vis", "init.js"), [*_SAFE, *_WORDS], "sae_vis")


def latent_data(one: "LatentNumbers", name: "TokenNames") -> dict[str, Any]:
    """One latent as sae_vis' script reads it: the same keys as its own ``SaeVisData`` writes."""
    biggest = max([0.0, *(value for _, value in one.top[:1]), *(-value for _, value in one.bottom[:1])])
    return {
        "featureTables": _tables(one),
        "actsHistogram": _bars(one.histogram, f"ACTIVATIONS{_GREY}DENSITY = {one.density:.3%}</span>")
        if one.histogram
        else {"never": f"It never fired on these {one.tokens:,} tokens."},
        "logitsTable": {
            "negLogits": [{"symbol": name(token), "value": value} for token, value in one.bottom],
            "posLogits": [{"symbol": name(token), "value": value} for token, value in one.top],
            "maxLogits": round(biggest, 4),
        },
        "logitsHistogram": _bars(one.logits, "LOGITS"),
        "seqMultiGroup": _groups(one, name),
        **({"probeLogitsTables": _probes(one)} if one.probes else {}),
    }


def _tables(one: "LatentNumbers") -> dict[str, Any]:
    def rows(found: list[tuple[int, float, float]], last: str) -> list[dict[str, Any]]:
        return [{"index": i, "value": f"{a:+.3f}", "percentageL1": format(b, last)} for i, a, b in found]

    tables = {
        "neuronAlignment": rows(one.neurons, ".1%"),
        "correlatedNeurons": rows(one.fire_with, "+.3f"),
        "correlatedFeatures": rows(one.correlated, "+.3f"),
    }
    return {key: table for key, table in tables.items() if table}


def _probes(one: "LatentNumbers") -> dict[str, Any]:
    def rows(found: "list[tuple[int, float]]") -> list[dict[str, Any]]:
        return [{"symbol": SQUARES[square], "value": round(value, 4)} for square, value in found]

    return {
        f"PROBE '{probe.probe}', {probe.side.upper()} SPACE": {
            "negLogits": rows(probe.cosines[::-1][:_PROBE_ROWS]),
            "posLogits": rows(probe.cosines[:_PROBE_ROWS]),
            "maxLogits": round(max((abs(value) for _, value in probe.cosines), default=0.0), 4) or 1,
        }
        for probe in one.probes
    }


def _bars(histogram: "Histogram", title: str) -> dict[str, Any]:
    edges = histogram.edges
    middles = [round((a + b) / 2, 6) for a, b in pairwise(edges)]
    return {"x": middles, "y": histogram.counts, "ticks": ticks(edges[0], edges[-1]), "title": title}


def ticks(low: float, high: float) -> list[float]:
    """About five round values between the two, and 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    rough = (high - low) / 5 or 1.0
    power = 10.0 ** _floor_log10(rough)
    step = next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999) * power
    return [round(i * step, 10) for i in range(-int(-low / step + 1e-9), int(high / step + 1e-9) + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".rpartition("e")[2])


def _groups(one: "LatentNumbers", name: "TokenNames") -> list[dict[str, Any]]:
    first = "TOP ACTIVATIONS"
    if any(example.sources for example in one.strongest):
        first = "TOP ACTIVATIONS (right), and where they come from (left)"
    groups = [(f"{first}{_GREY}MAX ACT = {one.maximum:.3f}</span>", one.strongest)]
    for group in one.groups:
        title = f"INTERVAL {group.low:.3f} - {group.high:.3f}"
        title += f"{_GREY}CONTAINS {group.share:.3%} of the tokens where it fires</span>"
        groups.append((title, group.examples))
    if not one.fired:
        groups = [("TOP ACTIVATIONS", [])]
    losses = [abs(effect.loss) for example in one.examples for effect in example.effects if effect]
    losses += [abs(example.board.loss or 0) for example in one.examples if example.board]
    given = [value for example in one.examples if example.sources for value in example.sources.values]
    scale = {
        "maxAct": round(one.maximum, 4) or 1,
        "maxLoss": round(max(losses, default=0.0), 4) or 1,
        "maxDFA": round(max(given, default=0.0), 4) or 1,
        "nBoardsPerRow": 3,
    }
    return [
        {
            "seqGroupData": [
                _board(example, example.board) if example.board else _sequence(example, one, name)
                for example in examples
            ],
            "seqGroupMetadata": {"title": title, "seqGroupID": f"seq-group-{i}", **scale},
        }
        for i, (title, examples) in enumerate(groups)
    ]


def _sequence(example: "Example", one: "LatentNumbers", name: "TokenNames") -> dict[str, Any]:
    data = []
    for i, token in enumerate(example.tokens):
        pos, activation, effect = example.start + i, example.activations[i], example.effects[i]
        entry: dict[str, Any] = {
            "tok": name(token),
            "tokID": token,
            "tokPosn": f"({example.row}, {pos})",
            "tokenLogit": round(one.token_logits[token], 4),
            "isBold": pos == example.pos,
        }
        if activation > 0:
            entry["featAct"] = round(activation, 4)
        if effect is not None:
            entry |= {
                "posToks": [name(token) for token, value in effect.up],
                "posVal": [round(value, 4) for _, value in effect.up],
                "negToks": [name(token) for token, value in effect.down],
                "negVal": [round(value, 4) for _, value in effect.down],
                "lossEffect": round(effect.loss, 4),
                "logitEffect": round(effect.logit, 4),
                "origProb": round(effect.probability, 6),
                "newProb": round(effect.without, 6),
            }
        data.append(entry)
    return {"seqData": data, "dfaSeqData": _sources(example, name), "seqMetadata": {}}


def _board(example: "Example", board: "Board") -> dict[str, Any]:
    """With ``said``, which is ours: sae_vis doesn't show which board of which game it is."""
    who = f"{board.to_play} plays" if board.to_play else "over"
    return {
        "seqData": {
            "board": _eight([disc % 3 for disc in board.discs]),  # -1, white, is 2 there
            "valid": _marked(board.legal),
            "move": [-1, -1] if board.move is None else list(divmod(board.move, 8)),
            "captured": _marked(board.turned),
            "act": round(example.activations[example.pos - example.start], 6),
            "loss": None if board.loss is None else round(board.loss, 6),
        },
        "dfaSeqData": [],
        "seqMetadata": {"said": f"game {example.row}, pos {example.pos}: {who}"},
    }


def _marked(squares: list[int]) -> list[list[int]]:
    return _eight([int(square in squares) for square in range(64)])


def _eight(squares: list[int]) -> list[list[int]]:
    return [squares[start : start + 8] for start in range(0, 64, 8)]


def _sources(example: "Example", name: "TokenNames") -> list[dict[str, Any]]:
    if example.sources is None:
        return []
    start = example.sources.start
    return [
        {
            "tok": name(token),
            "tokID": token,
            "tokPosn": f"({example.row}, {start + i})",
            "dfaValue": round(value, 4),
            "isBold": start + i == example.pos,
        }
        for i, (token, value) in enumerate(zip(example.sources.tokens, example.sources.values, strict=True))
    ]
