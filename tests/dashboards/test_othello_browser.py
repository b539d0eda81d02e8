"""The page with boards in a real browser: what is drawn is what the engine has."""

from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
import specimens
from browser import Tab, quiet

from sae_course.dashboards import Dashboard, othello_dashboard
from sae_course.data.othello import SQUARES

pytestmark = pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)
DEAD = 5
DRAWN = "document.querySelectorAll('.seqMultiGroup svg').length > 30"
# Of a board: the colour of each square; what stands on it: a name, or the colour of a disc.
SQUARE = "[...svg.querySelectorAll('rect')].map(r => r.getAttribute('fill'))"
ON_IT = (
    "[...svg.querySelectorAll('g > g')].map(g => g.querySelector('circle')?.getAttribute('fill') ?? "
    "g.textContent)"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser.started(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def board() -> Dashboard:
    model, sae = specimens.model(layers=2, othello=True), specimens.sae("blocks.1.hook_resid_post")
    return othello_dashboard(model, sae, specimens.games(), [7, DEAD, 2], probes=specimens.probes())


def test_each_board_is_drawn_as_it_stands(board: Dashboard, tab: Tab, tmp_path: Path) -> None:
    path = board.save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(DRAWN)
    found = tab.ask(
        f"[...document.querySelectorAll('.seqMultiGroup svg')].map(svg => [{SQUARE}, {ON_IT}, "
        "svg.previousElementSibling.querySelector('.said').textContent])"
    )
    examples = board.latents[7].examples
    assert len(found) == len(examples)
    for (colours, standing, said), example in zip(found, examples, strict=True):
        position = example.board
        discs = {1: "black", -1: "white"}
        assert standing == [discs.get(disc, SQUARES[i]) for i, disc in enumerate(position.discs)]
        assert [i for i, colour in enumerate(colours) if colour == "mediumseagreen"] == [position.move]
        assert [i for i, colour in enumerate(colours) if colour == "yellowgreen"] == position.turned
        assert [i for i, colour in enumerate(colours) if colour == "#777"] == position.legal
        assert said == f"game {example.row}, pos {example.pos}: {position.to_play} plays"
    quiet(tab, path)


def test_each_probe_has_its_tables(board: Dashboard, tab: Tab, tmp_path: Path) -> None:
    """Two whose names an id can't tell apart, too."""
    path = board.save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(DRAWN)
    titles = tab.ask(
        "[...document.querySelectorAll('.probeLogitsTables .negative h4')].map(t => t.textContent)"
    )
    wanted = [f"PROBE '{probe.probe}', {probe.side.upper()} SPACE" for probe in board.latents[7].probes]
    assert [title.replace("\xa0", " ") for title in titles] == wanted
    rows = tab.ask(
        "[...document.querySelectorAll('.probeLogitsTables .positive table')].map(t => "
        "[...t.querySelectorAll('tr')].map(r => r.textContent))"
    )
    assert rows == [
        [f"{SQUARES[square]}{value:.2f}" for square, value in probe.cosines[:10]]
        for probe in board.latents[7].probes
    ]
    quiet(tab, path)


def test_other_latents_are_drawn_when_chosen_and_a_dead_one_says_so(
    board: Dashboard, tab: Tab, tmp_path: Path
) -> None:
    path = board.save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(DRAWN)
    choose = "s = document.querySelector('#select-0'); s.value = '{}'; s.dispatchEvent(new Event('change'))"
    tab.ask(choose.format(DEAD))
    assert "never fired" in tab.ask("document.querySelector('.never').textContent")
    assert tab.ask("document.querySelectorAll('.seqMultiGroup svg').length") == 0
    assert tab.ask("document.querySelectorAll('.probeLogitsTables tr').length") == 80
    tab.ask(choose.format(2))
    assert tab.ask("document.querySelectorAll('.said').length") == len(board.latents[2].examples)
    quiet(tab, path)


@pytest.mark.parametrize(("width", "columns"), [(1500, 3), (1280, 2)])
def test_three_boards_are_in_sight(
    board: Dashboard, tab: Tab, tmp_path: Path, width: int, columns: int
) -> None:
    path = board.save(tmp_path / "page.html")
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    try:
        tab.open(path)
        tab.wait(DRAWN)
        assert tab.ask("document.querySelectorAll('.grid-column').length") == columns
        right = tab.ask(
            "[...document.querySelectorAll('.seqMultiGroup svg')].map(s => s.getBoundingClientRect().right)"
        )
        assert max(right) < width
        assert tab.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        inner = "document.querySelector('.grid-container')"
        assert tab.ask(f"{inner}.scrollWidth <= {inner}.clientWidth")
    finally:
        tab.call("Emulation.clearDeviceMetricsOverride")
