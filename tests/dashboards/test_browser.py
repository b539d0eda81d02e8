"""Each page opened in a real browser without a network, with tokens that would like to run."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import pytest
import specimens
from browser import Tab, quiet

from sae_course.dashboards import (
    Page,
    attention_patterns,
    latent_dashboard,
    latent_on_text,
    othello_dashboard,
    token_log_probs,
)
from sae_course.dashboards.document import framed
from sae_course.dashboards.tokens import visible

needs_browser = pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)
DEAD = 5


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser.started(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
        opened.close()


def dashboard() -> Page:
    model, sae = specimens.model(), specimens.sae("blocks.0.hook_mlp_out")
    return latent_dashboard(model, sae, specimens.tokens(), [7, DEAD, 2], title="<i>A title</i>")


def attention_dashboard() -> Page:
    model, sae = specimens.model(attn_only=True), specimens.sae("blocks.0.attn.hook_z")
    return latent_dashboard(model, sae, specimens.tokens(), [7, 2])


def neuron_dashboard() -> Page:
    model, sae = specimens.model(), specimens.sae("blocks.0.mlp.hook_post")
    return latent_dashboard(model, sae, specimens.tokens(), 7)


def boards() -> Page:
    model, sae = specimens.model(othello=True), specimens.sae("blocks.0.mlp.hook_post")
    return othello_dashboard(model, sae, specimens.games(), [7, DEAD, 2], probes=specimens.probes())


def dead_dashboard() -> Page:
    model, sae = specimens.model(), specimens.sae("blocks.0.hook_mlp_out")
    return latent_dashboard(model, sae, specimens.tokens(), DEAD)


def log_probs() -> Page:
    return token_log_probs(specimens.model(), specimens.tokens()[0])


def on_text() -> Page:
    return latent_on_text(
        specimens.model(), specimens.sae("blocks.0.hook_mlp_out"), specimens.tokens()[0], [7, DEAD]
    )


def attention() -> Page:
    return attention_patterns(specimens.model(), specimens.tokens()[0], 0)


# Of each page: what must be there when it is drawn.
PAGES: dict[Callable[[], Page], str] = {
    dashboard: "document.querySelectorAll('.seq').length > 40"
    " && document.querySelectorAll('.bars path').length > 20",
    attention_dashboard: "document.querySelectorAll('.dfa-seq-group .seq').length > 20",
    neuron_dashboard: "document.querySelectorAll('.featureTables table').length == 3",
    boards: "document.querySelectorAll('.seqMultiGroup svg').length > 30"
    " && document.querySelectorAll('.probeLogitsTables table').length == 8",
    dead_dashboard: "document.querySelectorAll('.never').length == 2",
    log_probs: "document.querySelectorAll('#component span[style]').length >= 23",
    on_text: "document.querySelectorAll('.colored-tokens > span').length == 24",
    attention: "document.querySelectorAll('canvas').length > 0",
}


@needs_browser
@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_a_saved_page_draws_itself_and_runs_no_token(
    make: Callable[[], Page], tab: Tab, tmp_path: Path
) -> None:
    path = make().save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(PAGES[make])
    quiet(tab, path)


@needs_browser
@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_a_page_draws_itself_in_a_sandboxed_frame(make: Callable[[], Page], tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{framed(make().html, 800)}")
    tab.open(path)
    tab.wait(PAGES[make], tab.inner_frame)
    quiet(tab, path, tab.inner_frame())
    assert tab.ask("typeof window.pwned") == "undefined"
    assert tab.ask("origin", tab.inner_frame()) == "null"  # it can't reach into the notebook


@needs_browser
def test_latents_are_chosen_in_the_order_asked_for_and_a_dead_one_says_so(tab: Tab, tmp_path: Path) -> None:
    path = dashboard().save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(PAGES[dashboard])
    assert tab.ask("[...document.querySelectorAll('#select-0 option')].map(o => o.value)") == ["7", "5", "2"]
    assert tab.ask("document.querySelector('h1').textContent") == "<i>A title</i>"
    choose = "s = document.querySelector('#select-0'); s.value = '{}'; s.dispatchEvent(new Event('change'))"
    tab.ask(choose.format(DEAD))
    assert "never fired on these 288 tokens" in tab.ask("document.querySelector('.never').textContent")
    assert tab.ask("document.querySelectorAll('.logitsTable tr').length") == 20
    tab.ask(choose.format(2))
    assert tab.ask("document.querySelectorAll('.seq').length") > 40
    quiet(tab, path)


@needs_browser
def test_the_mouse_over_every_token_shows_its_text_and_runs_nothing(tab: Tab, tmp_path: Path) -> None:
    """sae_vis' script puts tokens into HTML when the mouse comes."""
    path = dashboard().save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(PAGES[dashboard])
    shown = set(tab.ask("[...document.querySelectorAll('.seq .token')].map(t => t.textContent)"))
    names = {visible(name) for name in specimens.Tokenizer().names}
    assert shown <= names
    assert {visible(name) for name in specimens.NASTY[:3]} <= shown
    tab.ask(  # one of each, for every line drawn into a histogram takes its time
        "const all = [...document.querySelectorAll('.seq .hover-text')];"
        "for (const t of new Map(all.map(t => [t.textContent, t])).values())"
        "  for (const kind of ['mouseover', 'mousemove', 'mouseout']) t.dispatchEvent(new MouseEvent(kind))"
    )
    codes = tab.ask("[...document.querySelectorAll('.tooltip code')].map(t => t.textContent)")
    assert {code.replace("\xa0", " ") for code in codes} <= names
    assert len(codes) > 500
    quiet(tab, path)
    # The line in the histogram has the token's text too, in plotly's own kind of HTML.
    for name in ("<b>bold</b>", "\"quoted\" 'too'", "&lt;b&gt;"):
        found = tab.ask(
            f"(() => {{ const t = all.find(t => t.textContent === {json.dumps(name)});"
            " t.dispatchEvent(new MouseEvent('mouseover'));"
            " const text = document.getElementById('logitsHistogram-7').textContent;"
            " t.dispatchEvent(new MouseEvent('mouseout')); return text; })()"
        )
        assert f"|{name}|" in found.replace("\xa0", " ")
    # And once with a real mouse.
    where = tab.ask(
        "(() => { const t = all.find(t => t.textContent.includes('script'));"
        " const r = t.getBoundingClientRect(); return [r.x + r.width / 2, r.y + 8]; })()"
    )
    tab.move(*where)
    tab.wait("[...document.querySelectorAll('.tooltip')].some(t => getComputedStyle(t).display == 'flex')")
    inside = tab.ask(
        "[...document.querySelectorAll('.tooltip')].filter(t => getComputedStyle(t).display == 'flex')"
        ".map(t => t.getBoundingClientRect()).map(r => r.right <= innerWidth && r.bottom <= innerHeight)"
    )
    assert inside == [True]
    tab.wait("document.querySelector('.actsHistogram-7, #actsHistogram-7').textContent.includes('script')")
    quiet(tab, path)


@needs_browser
@pytest.mark.parametrize("make", [log_probs, on_text], ids=lambda make: make.__name__)
def test_the_mouse_over_circuitsvis_tokens_shows_their_text(
    make: Callable[[], Page], tab: Tab, tmp_path: Path
) -> None:
    path = make().save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(PAGES[make])
    tokens = "[...document.querySelectorAll('#component span > span[style]')]"
    shown = {text.replace("\xa0", " ") for text in tab.ask(f"{tokens}.map(t => t.textContent)")}
    assert shown <= {visible(name) for name in specimens.Tokenizer().names}
    places = tab.ask(f"{tokens}.map(t => t.getBoundingClientRect()).map(r => [r.x + r.width / 2, r.y + 8])")
    for x, y in places[:24]:
        tab.move(x, y)
    tab.wait("document.querySelectorAll('#component table tr').length > 0")
    quiet(tab, path)


@needs_browser
def test_markup_that_got_into_a_page_could_not_run_or_ask(tab: Tab, tmp_path: Path) -> None:
    """The page's policy is a second lock."""
    path = log_probs().save(tmp_path / "page.html")
    tab.open(path)
    tab.wait(PAGES[log_probs])
    tab.ask(
        "document.body.insertAdjacentHTML('beforeend', '<img src=https://example.org/x.png"
        " onerror=window.pwned=1><svg onload=window.pwned=1></svg>')"
    )
    refused = "fetch('https://example.org').then(() => 'went', () => 'refused')"
    assert tab.ask(refused) == "refused"
    tab.ask("new Promise(done => setTimeout(done, 200))")
    assert tab.ask("typeof window.pwned") == "undefined"
    assert any("Content Security Policy" in error for error in tab.errors)


@needs_browser
def test_the_thin_view_needs_no_script_and_hides_none(tab: Tab, tmp_path: Path) -> None:
    pages = [make() for make in PAGES]
    path = tmp_path / "notebook.html"
    path.write_text(
        "<!DOCTYPE html><meta charset=utf-8><body>" + "".join(page._repr_html_() for page in pages)
    )
    tab.open(path)
    tab.wait("document.readyState == 'complete' && document.querySelectorAll('table').length > 5")
    assert tab.ask("typeof window.pwned") == "undefined"
    assert tab.ask("document.querySelectorAll('script, style, img, svg[onload]').length") == 0
    assert tab.ask("document.querySelectorAll('rect').length") > 50
    assert "window.pwned=1" in tab.ask("document.body.textContent")
    assert tab.errors == []


@needs_browser
def test_this_browser_would_see_a_token_that_runs(tab: Tab, tmp_path: Path) -> None:
    """The tests above can fail: the same attacks on a page without our care."""
    path = tmp_path / "open.html"
    path.write_text(
        "<!DOCTYPE html><div id=note hidden></div><script>const token = '</script>"
        "<script>window.pwned=1</script><img src=x onerror=window.pwned=2><script src=https://example.org/d3.js>"
        "</script>"
    )
    tab.open(path)
    tab.wait("window.pwned == 2")
    with pytest.raises(AssertionError):
        quiet(tab, path)
    assert any("example.org" in url for url in tab.requests)
    assert tab.errors
