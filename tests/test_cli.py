"""The command line as a person meets it: one clear line and exit code 2, never a traceback."""

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from sae_course.cli import main
from sae_course.notebooks import files

ROOT = Path(__file__).parents[1]


def course(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sae_course", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "utils"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def here(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in this process: what SAELens takes seconds to be imported for is refused many times."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment),
        patch.object(sys, "argv", ["sae-course", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    code = ended.value.code
    status = code if isinstance(code, int) else 0 if code is None else 1
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def assert_one_line(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 2, result
    assert "Traceback" not in result.stdout + result.stderr
    for part in parts:
        assert part in result.stderr
    said = [line for line in result.stderr.splitlines() if not line.startswith(("Usage:", "Try ")) and line]
    assert len(said) == 1, said


def test_help_lists_every_command() -> None:
    result = course("--help")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) <= 24, "one screen"
    for name in ("doctor", "run", "progress", "train", "preflight", "runs", "build", "bench"):
        assert name in result.stdout


def test_an_unknown_command_or_option() -> None:
    assert_one_line(course("fly"), "No such command 'fly'")
    assert_one_line(course("run", "--fast"), "--fast")


@pytest.mark.parametrize("command", ["run", "build"])
def test_an_unknown_chapter(command: str) -> None:
    assert_one_line(course(command, "99"), "no chapter '99'", "01 (toy_superposition)")


def test_a_scale_that_there_is_not() -> None:
    assert_one_line(here("run", "01", "--scale", "huge"), "no scale 'huge'", "mini or full")


def test_a_chapter_with_parts_is_both_of_them() -> None:
    assert [path.stem[:3] for path in files.sources(ROOT, ("3", "01"))] == ["01_", "03a", "03b"]
    assert [path.stem[:3] for path in files.sources(ROOT, ("03b",))] == ["03b"]


def test_the_course_finds_itself_from_any_folder(tmp_path: Path) -> None:
    result = course("build", "--check", "01", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_malformed_source(tmp_path: Path) -> None:
    (tmp_path / "solutions").mkdir()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (tmp_path / "solutions" / "01_x.py").write_text(
        "# %% [markdown]\n# # Chapter 01: x\n\n# %%\n### END SOLUTION\n"
    )
    result = course("run", "01", cwd=tmp_path)
    assert_one_line(result, "solutions/01_x.py:5")


def test_a_broken_progress_file_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text('{"half')
    assert_one_line(course("progress", SAE_COURSE_HOME=str(tmp_path)), "progress.broken-")
    kept = list(tmp_path.glob("progress.broken-*.json"))
    assert [path.read_text() for path in kept] == ['{"half']
    assert course("progress", SAE_COURSE_HOME=str(tmp_path)).returncode == 0


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_one_line(course("run", "01", "--output", str(tmp_path / "file" / "build")), "can't be written")


def test_ctrl_c_in_the_middle_of_a_run(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sae_course", "run", "01", "--output", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "utils")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "plotly.min.js").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2.5)  # into the notebook, or at least into its kernel's start
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, out + err
    assert "Traceback" not in out + err
    assert "stopped" in err
    assert not (tmp_path / "report.html").exists()
    assert not list(tmp_path.glob(".*")), "a half-written file was left behind"


def test_a_run_from_the_command_line_is_checked_trained_listed_compared_and_drawn(tmp_path: Path) -> None:
    """What a person on a rented machine types, in order."""
    home = {"SAE_COURSE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    assert "No run is kept" in course("runs", **home).stdout
    tiny = ("--set", "training_tokens=16384", "--set", "d_sae=64", "--set", "topk_threshold_lr=0.5")
    for name, more in (("a", ()), ("b", ("--set", "k=4"))):
        done = course("train", "tinystories", *tiny, *more, "--name", name, **home)
        assert done.returncode == 0, done.stderr
        assert f"{name} · finished" in done.stdout
    listed = course("runs", **home).stdout
    assert "finished" in listed
    assert "ce_loss_score" in listed
    page = tmp_path / "page.html"
    compared = course("runs", "a", "b", "--page", str(page), **home)
    assert "sae.k" in compared.stdout
    html = page.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in html
    assert 'src="http' not in html
    assert_one_line(course("runs", "c", **home), "no folder c")


def test_a_broken_configuration_is_refused_before_anything_is_loaded_or_written(tmp_path: Path) -> None:
    home = {"SAE_COURSE_HOME": str(tmp_path)}
    looked = here("preflight", "tinystories", "--set", "hook_name=blocks.0.hook_mlp_put", **home)
    assert looked.returncode == 2
    assert "blocks.0.hook_mlp_out" in looked.stdout
    sound = here("preflight", "othello", "--recipe", "seed", **home)
    assert sound.returncode == 0, sound.stdout
    trained = here("train", "tinystories", "--set", "training_tokens=100", **home)
    assert trained.returncode == 2
    assert "Traceback" not in trained.stderr
    assert not list(tmp_path.glob("runs/*/run.json"))


def test_slips_in_a_configuration_are_one_line() -> None:
    assert_one_line(here("train", "tinystory"), "tinystories")
    assert_one_line(here("train", "tinystories", "--set", "lr"), "NAME=VALUE")
    assert_one_line(here("train", "tinystories", "--set", "train_batch=1"), "train_batch_size_tokens")
    assert_one_line(here("preflight", "gemma", "--layer", "9"), "layer")
