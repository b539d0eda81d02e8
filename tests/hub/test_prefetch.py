"""`sae-course prefetch`: what it fetches, that chapters then run without a hub, and the bundle."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sae_course.models.streams import HELD_OUT
from sae_course.runtime import CourseError
from sae_course.training.prefetching import bundle, manifest, pages, reads
from sae_course.training.prefetching.fetch import check_disk
from sae_course.training.preset_values import PRESETS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefetch")


def process(folder: Path, *how: str) -> dict[str, Any]:
    """The scenarios of ``prefetch_session.py``."""
    script = str(Path(__file__).with_name("prefetch_session.py"))
    done = subprocess.run(
        [sys.executable, script, str(folder), *how],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def fetched(folder: Path) -> dict[str, Any]:
    return process(folder)


@pytest.fixture(scope="module")
def room(fetched: dict[str, Any], folder: Path) -> dict[str, Any]:
    """In another process, without a hub, from the bundle."""
    return process(folder, "offline")


# ---------------------------------------------------------------- before anything is fetched


def test_the_table_says_what_there_is_to_fetch(fetched: dict[str, Any]) -> None:
    said = fetched["dry run"]["printed"]
    for part in ("roneneldan/TinyStories-1Layer-21M", "arena-demos-tinystories", "2,100 rows", "free"):
        assert part in said
    assert "to fetch" in said
    for line in fetched["second"]["printed"].splitlines()[:-3]:
        assert line.endswith(" here"), line


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gated", ["licence", "no HF_TOKEN", "https://huggingface.co/google/gemma-2-2b"]),
        ("disk", ["disk is too small", "are to go to", "are free", "HF_HOME", "SAE_COURSE_HOME"]),
        ("too few rows", ["--rows is 2,000", "test split"]),
        ("no network", ["doesn't answer", "Check the connection"]),
        ("taken", ["is there already", "--verify"]),
        ("half made", ["no whole bundle", "manifest.json"]),
    ],
)
def test_each_refusal_is_one_line(fetched: dict[str, Any], name: str, words: list[str]) -> None:
    message = fetched[name]["message"]
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


def test_what_is_refused_has_fetched_nothing(fetched: dict[str, Any]) -> None:
    assert fetched["fetched in vain"] == []


# ---------------------------------------------------------------- fetching


def test_only_the_files_that_are_read_are_fetched(fetched: dict[str, Any]) -> None:
    fetched = {path.partition("/")[2] for path in fetched["files"]}
    assert {"model_final.pth", "synthetic_final.pth", "pytorch_model.bin", "linear_probes.pt"} <= fetched
    assert {"tokenizer.json", "blocks.1.attn.hook_z-v2/sae_weights.safetensors"} <= fetched
    assert not [path for path in fetched if "checkpoints" in path], "of the attention-only model, the last"
    assert "model.safetensors" not in fetched, "of the tokenizer's repository, no weights"


def test_interrupted_it_goes_on_and_done_it_asks_for_nothing(fetched: dict[str, Any]) -> None:
    assert fetched["after Ctrl-C"] == [2050], "the file that was whole"
    assert fetched["kept"] == [2050, 50], "2,080 had been counted: the row after the file is fetched again"
    assert fetched["asked again"] == []


# ---------------------------------------------------------------- without a hub


def test_without_a_network_all_is_read_from_what_was_fetched(fetched: dict[str, Any]) -> None:
    assert fetched["without a hub"]["value"] == fetched["online"]


def test_in_the_room_all_is_read_from_the_bundle(fetched: dict[str, Any], room: dict[str, Any]) -> None:
    assert room["in the room"]["value"] == fetched["online"]
    assert fetched["online"]["test rows"] == HELD_OUT


def test_behind_the_last_row_there_is_a_message(room: dict[str, Any]) -> None:
    message = room["to the end"]["message"]
    assert message.startswith("after 100: 2,100 rows of apollo-research/")
    assert "without a network" in message
    assert "--rows N" in message
    assert room["all games"]["value"] == 300, "of a dataset that is here as a whole, the end is the end"


def test_a_stream_goes_on_from_its_state(room: dict[str, Any]) -> None:
    assert room["resumed"]["value"] is True


# ---------------------------------------------------------------- the bundle


def test_a_bundle_holds_plain_files_and_how_to_use_them(fetched: dict[str, Any], folder: Path) -> None:
    inside = fetched["in the bundle"]
    assert {"README.txt", "course.zip", "manifest.json"} <= set(inside)
    assert {path.split("/")[0] for path in inside if "/" in path} == {"hf", "home"}
    assert fetched["links"] == []
    assert not (folder / "bundle.part").exists()
    readme = (folder / "bundle" / "README.txt").read_text()
    for part in (
        'HF_HOME="$PWD/hf" HF_HUB_OFFLINE=1 SAE_COURSE_HOME="$PWD/home"',
        "course.zip",
        "--verify .",
    ):
        assert part in readme
    assert str(folder) not in readme + (folder / "bundle" / "manifest.json").read_text()


def test_what_was_changed_is_named(fetched: dict[str, Any], room: dict[str, Any]) -> None:
    assert "as it was made" in fetched["verified"]["printed"]
    assert "as it was made" in room["verified after use"]["printed"]
    *lines, last = fetched["damaged"]["printed"].splitlines()
    assert fetched["damaged"]["status"] == 1
    kinds = [(line.partition(":")[0], line.rpartition("/")[2]) for line in lines]
    assert kinds == [
        ("missing", "synthetic_final.pth"),
        ("changed", "model_final.pth"),
        ("extra", "extra: course.py"),
    ]
    assert last.startswith("3 files")


def test_a_bundle_that_failed_has_no_manifest_and_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sae_course.training.prefetching.wanted import Wanted  # noqa: PLC0415

    nothing, target = Wanted((), ()), tmp_path / "bundle"
    monkeypatch.setattr(bundle, "_course", lambda path, show: path.write_bytes(b"the course"))

    def no_pip(*command: Any, **how: Any) -> subprocess.CompletedProcess[bytes]:
        (tmp_path / "bundle.part" / "wheels").mkdir(exist_ok=True)
        (tmp_path / "bundle.part" / "wheels" / "a.whl").write_bytes(b"")
        return subprocess.CompletedProcess(command, int(fails))

    fails = True
    monkeypatch.setattr(bundle.subprocess, "run", no_pip)
    with pytest.raises(CourseError, match="wheels could not be fetched"):
        bundle.make(target, nothing, ["03a"], wheels=True)
    assert not target.exists()
    with pytest.raises(CourseError, match="no whole bundle"):
        manifest.faults(tmp_path / "bundle.part")
    fails = False
    bundle.make(target, nothing, ["03a"], wheels=True)
    assert manifest.faults(target) == []
    assert "--wheels wheels" in (target / "README.txt").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_course_is_carried_where_there_is_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile  # noqa: PLC0415

    root = tmp_path / "course"
    for name in ("pyproject.toml", "utils/a.py", ".venv/lib/b.py", "build/c.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    monkeypatch.setattr(bundle, "project_root", lambda: root)
    monkeypatch.setenv("PATH", str(tmp_path))
    bundle._course(tmp_path / "course.zip", print)
    names = zipfile.ZipFile(tmp_path / "course.zip").namelist()
    assert sorted(names) == ["sae-course/pyproject.toml", "sae-course/utils/a.py"]


# ---------------------------------------------------------------- what the chapters read


def test_every_chapter_says_what_it_reads() -> None:
    there = {path.name.partition("_")[0] for path in (ROOT / "solutions").glob("*.py")}
    assert set(reads.chapters()) == there


@pytest.mark.parametrize("number", ["03b", "05", "06", "07"])
def test_the_rows_last_for_what_a_chapter_trains_on(number: str) -> None:
    at = {
        "03b": (PRESETS["tinystories"].full, 1, 512),
        "05": (PRESETS["attn-only-2l"].full, 8, 1024),
        "06": (PRESETS["othello-resid"].full, 3, 49),
    }
    (first, *_) = reads.chapters()[number]
    if number in at:
        full, parts, positions = at[number]
        needed = HELD_OUT + full.tokens / parts / positions + full.buffer
        assert needed < first.rows < 1.3 * needed + 4_000


def test_chapters_by_any_of_their_names() -> None:
    assert reads.numbers(("3", "06_othello_boards")) == ["03a", "03b", "06"]
    assert reads.numbers(("03a",)) == ["03a"]
    assert reads.numbers(()) == list(reads.chapters())
    for wrong in ("99", "03c", "three", ""):
        with pytest.raises(CourseError, match="There is no chapter"):
            reads.numbers((wrong,))
    stories = reads.together(["03b", "05"])[0]
    assert stories == reads.chapters()["03b"][0], "the larger number of rows counts"


def test_two_folders_on_one_disk_share_it(tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    free = shutil.disk_usage(tmp_path).free
    check_disk({tmp_path / "a": free // 2, tmp_path / "b" / "c": 0})
    with pytest.raises(CourseError, match="too small"):
        check_disk({tmp_path / "a": free, tmp_path / "b" / "c": free})


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_pages_figures_are_what_is_computed(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == pages.renewed(text), "run python -m sae_course.training.prefetching.pages"


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_pages_name_commands_and_files_that_there_are(name: str) -> None:
    from sae_course.cli import _COMMANDS  # noqa: PLC0415

    text = (ROOT / name).read_text(encoding="utf-8")
    commands = re.findall(r"(?:^|`|; then )sae-course ([a-z-]+)", text, re.MULTILINE)
    assert len(commands) > 3
    assert set(commands) <= set(_COMMANDS)
    for link in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / "docs" / link).exists(), link
