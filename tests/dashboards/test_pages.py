"""What a page is: closed, safe, small in a notebook, and clear about what it can't do."""

import base64
import gzip
import hashlib
import json
import re
import stat
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import specimens
from circuitsvis.utils import render
from hypothesis import given, settings
from hypothesis import strategies as st

from sae_course import dashboards
from sae_course.dashboards import (
    Page,
    attention_patterns,
    circuitsvis_script,
    latent_dashboard,
    latent_on_text,
    othello_dashboard,
    sae_vis_script,
    token_log_probs,
)
from sae_course.dashboards.document import HERE, changed, from_package
from sae_course.dashboards.tokens import TokenNames, html_token, script_json, visible
from sae_course.runtime import CourseError

HOOK = "blocks.0.hook_mlp_out"


def dashboard() -> Page:
    return latent_dashboard(specimens.model(), specimens.sae(HOOK), specimens.tokens(), [7, 5])


def boards() -> Page:
    model, sae = specimens.model(othello=True), specimens.sae("blocks.0.mlp.hook_post")
    return othello_dashboard(model, sae, specimens.games(), [7, 5], probes=specimens.probes())


def log_probs() -> Page:
    return token_log_probs(specimens.model(), specimens.tokens()[0])


def on_text() -> Page:
    return latent_on_text(specimens.model(), specimens.sae(HOOK), specimens.tokens()[0], [7, 5])


def attention() -> Page:
    return attention_patterns(specimens.model(), specimens.tokens()[0], 0)


MAKERS = [dashboard, boards, log_probs, on_text, attention]
each_page = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)


class Reader(HTMLParser):
    """The tags, attributes and text of a page as a browser splits them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def unpacked(page: str) -> str:
    return gzip.decompress(base64.b64decode(re.search(r'id="packed">([^<]+)<', page)[1])).decode()


@each_page
def test_a_page_asks_nobody(make: Callable[[], Page], monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("CircuitsVis tried the network")

    monkeypatch.setattr(render, "internet_on", asked)
    page = make().html
    reader = Reader(page)
    assert reader.tags.count("script") == 3
    assert not [value for name, value in reader.attributes if name in ("src", "href", "srcset", "action")]
    assert ("http-equiv", "Content-Security-Policy") in reader.attributes
    policy = next(value for name, value in reader.attributes if value.startswith("default-src"))
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")
    script = unpacked(page)
    assert "https://d3js.org/d3.v" not in script
    assert "unpkg.com" not in script
    assert "http" not in page.replace("http-equiv", "")


@each_page
def test_the_same_numbers_give_the_same_page(make: Callable[[], Page]) -> None:
    assert make().html == make().html


@each_page
def test_the_notebooks_view_is_thin_and_alone(make: Callable[[], Page]) -> None:
    thin = make()._repr_html_()
    assert len(thin.encode()) < 60_000
    reader = Reader(thin)
    assert not {"script", "style", "link", "iframe", "img", "b onload"} & set(reader.tags)
    assert not [
        name for name, _ in reader.attributes if name.startswith("on") or name in ("class", "id", "src")
    ]
    assert "table" in reader.tags
    thin.encode()  # a lone surrogate would not go into a notebook


def test_a_long_row_and_many_latents_stay_thin() -> None:
    model = specimens.model()
    board = latent_dashboard(model, specimens.sae(HOOK), specimens.tokens(rows=40, pos=32), range(32))
    assert len(board._repr_html_().encode()) < 60_000
    assert "and 22 more latents" in board._repr_html_()
    row = specimens.tokens(rows=1, pos=32)[0]
    assert len(latent_on_text(model, specimens.sae(HOOK), row, range(32))._repr_html_().encode()) < 60_000
    one = latent_dashboard(model, specimens.sae(HOOK), specimens.tokens(rows=40, pos=32), 7)
    assert len(one._repr_html_().encode()) < 60_000


@each_page
def test_a_page_is_saved_whole(
    make: Callable[[], Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = make()
    assert ".save(" in page._repr_html_()
    path = page.save("pages/of mine")
    assert path == Path("pages/of mine.html")
    assert path.read_text(encoding="utf-8") == page.html
    assert stat.S_IMODE(path.stat().st_mode) & 0o044
    assert [file.name for file in path.parent.iterdir()] == ["of mine.html"]
    assert 'href="pages/of mine.html"' in page._repr_html_()


def test_a_link_never_shows_the_machines_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    page = log_probs()
    page.save(tmp_path / "secret" / "page.html")
    assert "secret" not in page._repr_html_()
    assert "page.html" in page._repr_html_()
    page.save(tmp_path / "a" / "page.html")
    assert 'href="../page.html"' in page._repr_html_()


def test_a_page_that_cant_be_saved_says_so(tmp_path: Path) -> None:
    page = log_probs()
    with pytest.raises(CourseError, match="is a folder"):
        page.save(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="can't be written"):
        page.save(tmp_path / "file" / "page.html")
    assert page.saved is None


def test_a_page_in_a_frame_is_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    page = log_probs()
    page.show()
    reader = Reader(shown[0].data)
    attributes = dict(reader.attributes)
    assert reader.tags == ["div", "iframe"]
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == page.html


def test_titles_are_text() -> None:
    board = latent_dashboard(
        specimens.model(), specimens.sae(HOOK), specimens.tokens(), 7, title=specimens.NASTY[0]
    )
    assert Reader(board.html).tags.count("script") == 3
    assert "script" not in Reader(board._repr_html_()).tags


def test_words_for_a_terminal() -> None:
    board = dashboard()
    assert "latent 7: fires on" in str(board)
    assert "\n" not in repr(board)
    json.dumps(board.as_dict(), allow_nan=False)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_a_token(text: str) -> None:
    shown = visible(text)
    assert shown
    shown.encode()
    held = script_json({"token": text})
    assert not set("<>&\u2028\u2029") & set(held)
    assert json.loads(held) == {"token": text}
    reader = Reader(f"<p>{html_token(shown)}</p>")
    assert reader.tags == ["p"]
    assert "".join(reader.text).replace("\xa0", " ") == shown.replace("\xa0", " ")


def test_what_cant_be_seen_is_named() -> None:
    assert visible("\n") == "↵"
    assert visible("a\n\tb") == "a↵⇥b"
    assert visible("") == "∅"
    assert visible(" the") == " the"
    assert visible("\u202e\x00\u2028") == "\\u202e\\u0000\\u2028"
    assert visible("\ud83d") == "\ufffd"
    assert html_token(" the  end ") == "&nbsp;the &nbsp;end&nbsp;"


def test_names_of_tokens_without_a_tokenizer() -> None:
    model = specimens.model()
    model.tokenizer = None
    names = TokenNames(model)
    assert names(17) == "17"
    assert names.apart
    model.cfg.d_vocab = 61
    assert TokenNames(model)(1) == "A1"
    assert not TokenNames(specimens.model()).apart


def test_another_version_of_a_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, a token could run again and nobody would see it."""
    with pytest.raises(CourseError, match="not the one this course knows"):
        changed("new script", [("old", "safe", 1)], "sae_vis")
    monkeypatch.setattr(sae_vis_script, "from_package", lambda *_: "new")
    with pytest.raises(CourseError, match="sae_vis"):
        sae_vis_script.script()
    monkeypatch.setattr(circuitsvis_script, "from_package", lambda *_: "new")
    circuitsvis_script.script.cache_clear()
    with pytest.raises(CourseError, match="CircuitsVis"):
        circuitsvis_script.script()


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(CourseError, match="no_such_package is not installed"):
        from_package("no_such_package", "x.js")
    with pytest.raises(CourseError, match=r"without its file nothing\.js"):
        from_package("sae_vis", "nothing.js")


def test_every_place_where_circuitsvis_writes_html_escapes() -> None:
    """Each of its dangerouslySetInnerHTML takes one of the three escaped forms."""
    script = circuitsvis_script.script()
    assert len(re.findall(r"dangerouslySetInnerHTML:\{__html:", script)) == 5
    assert script.count('.replace(/</g,"&lt;")') == 3
    assert "sourceMappingURL" not in script


def test_what_came_along_is_what_was_published() -> None:
    table = re.findall(
        r"^\| (\S+\.js) \| .* \| (\w{64}) \|$", (HERE / "vendor" / "LICENCE.md").read_text(), re.M
    )
    assert len(table) == 3
    for name, checksum in table:
        assert hashlib.sha256((HERE / "vendor" / name).read_bytes()).hexdigest() == checksum


def no_hook_point() -> Any:
    sae = specimens.sae(HOOK)
    sae.cfg.metadata.hook_name = None
    return sae


@pytest.mark.parametrize(
    ("sae", "tokens", "latents", "more", "words"),
    [
        (object, None, 7, {}, "an SAE of SAELens 6, and this is a object"),
        (no_hook_point, None, 7, {}, "doesn't say where"),
        (lambda: specimens.sae("blocks.3.hook_mlp_out"), None, 7, {}, "no hook point"),
        (lambda: specimens.sae("blocks.0.attn.hook_q"), None, 7, {}, "hook_mlp_out, attn.hook_z and mlp"),
        (lambda: specimens.sae("hook_embed"), None, 7, {}, "hook_mlp_out, attn.hook_z and mlp"),
        (lambda: specimens.sae(HOOK), None, 32, {}, "latents 0 to 31; there is no latent 32"),
        (lambda: specimens.sae(HOOK), None, [], {}, "at least one latent"),
        (lambda: specimens.sae(HOOK), None, [7], {"first": 3}, "first=3 is not among"),
        (lambda: specimens.sae(HOOK), specimens.tokens(pos=40), 7, {}, "rows of 40 tokens"),
        (lambda: specimens.sae(HOOK), specimens.tokens().float(), 7, {}, "whole numbers"),
        (lambda: specimens.sae(HOOK), specimens.tokens() + 30, 7, {}, "none of this model's"),
    ],
)
def test_what_cant_be_shown(sae: Any, tokens: Any, latents: Any, more: dict[str, Any], words: str) -> None:
    rows = specimens.tokens() if tokens is None else tokens
    with pytest.raises(CourseError, match=re.escape(words)):
        latent_dashboard(specimens.model(), sae(), rows, latents, **more)


def test_the_room_lists_what_it_offers() -> None:
    assert all(getattr(dashboards, name) for name in dashboards.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        dashboards.nothing  # noqa: B018
