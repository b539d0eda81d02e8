"""Setting up, whole-file writing, and named random streams."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from sae_course import CourseError, setup
from sae_course.runtime import current, generator, home, read_json, write_atomic, write_json
from sae_course.runtime.streams import stream_seed

HEAVY = {
    "torch",
    "numpy",
    "plotly",
    "scipy",
    "sklearn",
    "pandas",
    "rich",
    "click",
    "sae_lens",
    "transformer_lens",
}


def modules_after(code: str) -> set[str]:
    """Top-level modules that are loaded in a new Python after ``code``."""
    program = f"{code}\nimport sys; print('\\n' + ' '.join({{name.split('.')[0] for name in sys.modules}}))"
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    return set(out.splitlines()[-1].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import sae_course") & HEAVY


def test_setup_adds_torch_and_plotly_and_nothing_else_heavy() -> None:
    loaded = modules_after("import sae_course; sae_course.setup()")
    assert {"torch", "plotly"} <= loaded
    assert not loaded & {
        "scipy",
        "pandas",
        "matplotlib",
        "sae_lens",
        "transformer_lens",
        "transformers",
        "datasets",
    }


def test_setup_says_in_one_line_what_it_chose(capsys: pytest.CaptureFixture[str]) -> None:
    session = setup("chapters/01_toy_superposition", scale="mini", device="cpu", seed=3)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    for part in ("chapter 01", "scale mini (asked for)", "device cpu", "seed 3"):
        assert part in line
    assert session is current()
    assert (session.chapter, session.is_solution) == ("01", False)
    assert setup("solutions/01_toy_superposition").is_solution


def test_setup_seeds_torch() -> None:
    setup(seed=5)
    first = torch.rand(3)
    setup(seed=5)
    assert torch.equal(first, torch.rand(3))
    setup(seed=6)
    assert not torch.equal(first, torch.rand(3))


def test_scale_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAE_COURSE_SCALE", "full")
    assert setup(device="cpu").scale == "full"
    assert setup(scale="mini").scale == "mini"


@pytest.mark.parametrize("wrong", [{"scale": "huge"}, {"device": "abacus"}])
def test_a_choice_that_does_not_exist_is_one_message(wrong: dict[str, str]) -> None:
    with pytest.raises(CourseError, match=next(iter(wrong.values()))) as caught:
        setup(**wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_drive_folder_is_mounted_on_colab_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = []
    colab = type(sys)("google.colab")
    colab.drive = type("drive", (), {"mount": staticmethod(mounted.append)})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google", type(sys)("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setenv("SAE_COURSE_HOME", os.environ["SAE_COURSE_HOME"])
    before = home()
    setup(keep_on_drive=False)
    assert (mounted, home()) == ([], before)
    setup(keep_on_drive=True)
    assert mounted == ["/content/drive"]
    assert home() == Path("/content/drive/MyDrive/sae-course")


def test_streams_of_different_names_are_independent() -> None:
    def draws(name: str, seed: int) -> torch.Tensor:
        return torch.randn(10_000, generator=generator(name, seed, device="cpu"))

    assert torch.equal(draws("data", 0), draws("data", 0))
    others = [draws("sae", 0), draws("data", 1)]
    for other in others:
        # The correlation of independent draws has standard deviation 1/100: |r| > .06 once in 5e8 times.
        assert abs(torch.corrcoef(torch.stack([draws("data", 0), other]))[0, 1]) < 0.06
    assert len({stream_seed(n, s) for n in ("a", "b", "a/1") for s in range(50)}) == 150


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file.json"
    write_json(path, {"a": "é"})
    assert json.loads(path.read_text(encoding="utf-8")) == read_json(path) == {"a": "é"}

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(CourseError, match="No space left"):
        write_atomic(path, "half")
    assert read_json(path) == {"a": "é"}
    assert [p.name for p in path.parent.iterdir()] == ["file.json"], "a temporary file was left behind"


def test_an_unwritable_folder_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CourseError, match="can't be written"):
        write_atomic(tmp_path / "file" / "x.json", "1")


def test_writers_at_once_leave_one_of_their_contents(tmp_path: Path) -> None:
    path = tmp_path / "x"
    contents = [letter * 200_000 for letter in "abcd"]
    threads = [threading.Thread(target=write_atomic, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in contents


def test_freed_memory_is_kept_where_the_c_library_can_be_told() -> None:
    """Page faults of a loop that makes and frees 16 MB, before and after; in a process of its own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("glibc's malloc")
    program = (
        "import resource, torch; from sae_course.runtime.memory import keep_freed_memory\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(20): torch.ones(2**22), torch.ones(2**22), torch.ones(2**22)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "before = faults(); kept = keep_freed_memory(); faults(); print(kept, before, faults())"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    kept, before, after = out.split()
    if kept == "False":
        pytest.skip("this C library has no mallopt")
    assert int(after) < int(before) / 5


@pytest.mark.parametrize(("set_before", "then"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_told_otherwise(set_before: str | None, then: str) -> None:
    """In a new process, and before torch, which OpenMP starts with; a person's own setting stays."""
    program = "import sys, os, sae_course; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": set_before} if set_before else {}
    out = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    ).stdout
    assert out.split() == [then, "False"]
