"""docs/models.md: what each mini model was measured to do, and pictures of how.

Written by ``python -m sae_course.models.page``, or with a model's name for that model's part alone. A
command for authors: it needs a Chrome, for the pictures, and takes minutes.
"""

import hashlib
import io
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import CourseError, project_root, write_atomic
from .card_view import size
from .cards import SHIPPED, Card
from .page_section import Findings, section

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from sae_lens import HookedSAETransformer

FILE = "docs/models.md"
PICTURES = "docs/models"
WIDTH, SCALE, COLOURS = 760, 1.6, 256  # of a picture: pixels, their density, and the size of its palette
NAMES = ("tiny-stories-1L-21M", "attn-only-2l-demo", "othello-gpt", "gemma-2-2b")

_HEAD = """\
# The mini models

Small transformers that stand in for published ones where there is no network and no GPU: `load_model(NAME)`
at mini scale loads them. All measures are on data held out from training; "random weights" is the same
measure on the model's twin that was never trained, the control. `sae-course models` prints the cards, and
`sae-course models NAME --measure` measures one again.

"""
_FOOT = "\nWritten by `python -m sae_course.models.page`.\n"
_SECTION = re.compile(r"<!-- model (\S+) card=([0-9a-f]{64}) -->\n.*?<!-- /model \1 -->\n", re.DOTALL)

Render = Callable[[Sequence["go.Figure"]], list[bytes]]


def look_into(model: "HookedSAETransformer", twin: "HookedSAETransformer", card: Card) -> Findings:
    """What the page shows of a model beside its card.

    Args:
        twin: the same architecture with random weights.
        card: its name says which of the four it is, or is built like.

    Raises:
        CourseError: for a model that is none of the four.
    """
    from .page_attention import attention_only  # noqa: PLC0415 - torch
    from .page_gemma import gemma  # noqa: PLC0415
    from .page_othello import othello  # noqa: PLC0415
    from .page_stories import tiny_stories  # noqa: PLC0415

    parts = dict(zip(NAMES, (tiny_stories, attention_only, othello, gemma), strict=True))
    if card.name not in parts:
        raise CourseError(f'The page has no part for "{card.name}"; it has for {", ".join(NAMES)}.')
    return parts[card.name](model, twin, card)


def write_section(root: Path, name: str, findings: Findings, render: Render, shipped: Path = SHIPPED) -> None:
    """Renew a model's pictures, and then its part of the page.

    Args:
        root: of the checkout.
        render: figures as PNG.
        shipped: the folder of the cards; the SHA-256 of this model's is noted on the page.
    """
    card = Card.read(shipped / f"{name}.json")
    images = render([picture.figure for picture in findings.pictures])
    folder = root / PICTURES
    kept = {folder / f"{card.name}-{picture.name}.png" for picture in findings.pictures}
    for picture, image in zip(findings.pictures, images, strict=True):
        write_atomic(folder / f"{card.name}-{picture.name}.png", image)
    for path in set(folder.glob(f"{card.name}-*.png")) - kept:
        path.unlink()
    lines = section(card, findings, Path(PICTURES).name)
    parts = sections(root)
    marked = [
        f"<!-- model {card.name} card={card_digest(name, shipped)} -->",
        *lines,
        f"<!-- /model {card.name} -->",
    ]
    parts[card.name] = "\n".join(marked) + "\n"
    write_atomic(root / FILE, whole_page(parts, shipped))


def sections(root: Path) -> dict[str, str]:
    """The parts of the page as it is, by model."""
    path = root / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {match[1]: match[0] for match in _SECTION.finditer(text)}


def whole_page(parts: dict[str, str], folder: Path = SHIPPED) -> str:
    """The page from its parts, with the table of all models that have one.

    Args:
        folder: of the cards.
    """
    cards = [Card.read(folder / f"{name}.json") for name in NAMES if name in parts]
    lines = ["| model | parameters | weights | held-out loss | targets |", "|---|---|---|---|---|"]
    lines += [
        f"| [{card.name}](#{card.name.lower()}) | {card.parameters:,} | {size(card.weights_bytes)} | "
        f"{card.held_out_loss:.3f} nats | {_targets(card)} |"
        for card in cards
    ]
    total = size(sum(card.weights_bytes for card in cards))
    lines += ["", f"All weights together: {total}.", ""]
    return _HEAD + "\n".join(lines) + "\n" + "\n".join(parts[card.name] for card in cards) + _FOOT


def _targets(card: Card) -> str:
    asked = [one for one in card.behaviours if one.reached is not None]
    missed = [one.name for one in asked if not one.reached]
    text = f"{len(asked) - len(missed)} of {len(asked)} reached"
    return f"{text}; **missed:** {', '.join(missed)}" if missed else text


def card_digest(name: str, folder: Path = SHIPPED) -> str:
    """SHA-256 of a shipped card's file."""
    return hashlib.sha256((folder / f"{name}.json").read_bytes()).hexdigest()


def stale(root: Path, folder: Path = SHIPPED) -> list[str]:
    """The shipped models whose part of the page is missing, or was written from another card."""
    noted = {name: match[2] for name, part in sections(root).items() if (match := _SECTION.match(part))}
    shipped = [path.stem for path in sorted(folder.glob("*.json"))]
    return [name for name in shipped if noted.get(name) != card_digest(name, folder)]


def png(figures: Sequence["go.Figure"]) -> list[bytes]:
    """The figures as PNG, by one Chrome for all of them.

    Raises:
        CourseError: when kaleido or Chrome is missing.
    """
    import plotly.io as pio  # noqa: PLC0415

    from ..runtime.theme import apply  # noqa: PLC0415

    apply(on_colab=False)
    for figure in figures:
        figure.update_layout(template=pio.templates.default)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.png" for number in range(len(figures))]
        try:
            pio.write_images(
                fig=list(figures),
                file=files,
                width=WIDTH,
                height=[figure.layout.height for figure in figures],
                scale=SCALE,
            )
        except (ImportError, RuntimeError, ValueError) as error:
            raise CourseError(
                f"The pictures can't be drawn ({error}): they need kaleido (pip install -e '.[dev]') and a "
                "Chrome (apt install chromium). Learners and tests need neither."
            ) from error
        return [_small(file.read_bytes()) for file in files]


def _small(image: bytes) -> bytes:
    """The same PNG with a palette: a third of the bytes, and nothing that an eye sees missing."""
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib

    out = io.BytesIO()
    with Image.open(io.BytesIO(image)) as whole:
        whole.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main(names: Sequence[str]) -> None:
    """Write the parts of ``names``, or of every shipped model, into this checkout."""
    from .load import load_model, mini_card  # noqa: PLC0415
    from .names import entry  # noqa: PLC0415
    from .twins import random_twin  # noqa: PLC0415

    shipped = [name for name in NAMES if (SHIPPED / f"{name}.json").exists()]
    if unknown := [name for name in names if name not in shipped]:
        raise CourseError(f"{', '.join(unknown)}: no such model is shipped; there are {', '.join(shipped)}.")
    for name in names or shipped:
        model, twin = load_model(name, "mini"), random_twin(name, "mini")
        findings = look_into(model, twin, mini_card(entry(name)))
        write_section(project_root(), name, findings, png)
        print(f"{name}: {len(findings.pictures)} pictures, {FILE}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CourseError as error:
        sys.exit(str(error))
