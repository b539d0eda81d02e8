"""A training that is stopped, at any moment and in any way, ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small import NAME, small

from sae_course import CourseError
from sae_course.models import load_model
from sae_course.runs import Run
from sae_course.training import checkpoint, folders, loop
from sae_course.training.runner import train, train_many

RECORD = ("metrics.jsonl", "histograms.jsonl", "sae/sae_weights.safetensors", "sae/sparsity.safetensors")


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    return load_model(NAME, "mini", quiet=True)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Steps after which the process gets Ctrl-C; each once."""
    at: set[int] = set()
    step = loop.Loop._step

    def stepped(self: loop.Loop, batch: Any) -> None:
        step(self, batch)
        if self.steps in at:
            at.discard(self.steps)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop.Loop, "_step", stepped)
    return at


def go_on(call: Any) -> tuple[Any, int]:
    """Call until it is through; how often it was interrupted."""
    times = 0
    while True:
        try:
            return call(), times
        except KeyboardInterrupt:
            times += 1


def same(one: Path, other: Path) -> None:
    for file in RECORD:
        assert (one / file).read_bytes() == (other / file).read_bytes(), file


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork, and no kill -9")
def test_killed_at_twenty_random_moments_nothing_is_lost_and_all_is_equal(tmp_path: Path) -> None:
    """kill -9 while it starts, steps, evaluates, writes a checkpoint; the same call goes on each time.

    In a process of its own, as a run's is.
    """
    script = Path(__file__).with_name("twenty_kills.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    finished = done.stdout.split()
    assert finished[-1] == "20", "kills"
    for folder in finished[:-1]:
        same(tmp_path / "whole", tmp_path / folder)
    assert not (tmp_path / "killed" / checkpoint.FILE).exists()
    assert list((tmp_path / "killed").glob(".*")) == [], "half-written files of killed processes"


def test_what_was_killed_while_it_rewrote_a_record_is_swept(
    model: Any, tmp_path: Path, interrupted: set[int]
) -> None:
    """A kill there is rare: it hit one of many runs of the test above."""
    call = lambda: train(small(), folder=tmp_path / "cut", model=model, check=False, show=False)  # noqa: E731
    interrupted |= {9}
    with pytest.raises(KeyboardInterrupt):
        call()
    for name in ("metrics.jsonl", "histograms.jsonl", "run.json"):
        (tmp_path / "cut" / f".{name}.abcd1234").mkdir()
    call()
    assert list((tmp_path / "cut").glob(".*")) == []


def test_stopped_again_before_a_row_was_read_no_row_is_lost(
    model: Any, tmp_path: Path, interrupted: set[int]
) -> None:
    call = lambda where: train(small(), folder=tmp_path / where, model=model, check=False, show=False)  # noqa: E731
    call("whole")
    interrupted |= set(range(7, 40))
    assert go_on(lambda: call("cut"))[1] == 33
    same(tmp_path / "whole", tmp_path / "cut")


def test_killed_after_its_records_were_closed_and_before_it_was_finished(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfgs = {"a": small(steps=20), "b": small("gated", steps=20)}
    call = lambda: train_many(  # noqa: E731
        cfgs, folder=tmp_path / "cut", model=model, check=False, show=False, checkpoint_every=0.0
    )

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folders, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            call()
    assert Run.load(tmp_path / "cut" / "a").status == "finished"
    before = {run: Run.load(tmp_path / "cut" / run).final for run in cfgs}
    assert {name: run.final for name, run in call().items()} == before
    assert not (tmp_path / "cut" / checkpoint.FILE).exists()


def test_killed_while_a_new_folder_gets_its_first_file(model: Any, tmp_path: Path) -> None:
    (tmp_path / "a" / ".training.json.x8f2").mkdir(parents=True)
    (tmp_path / "a" / ".training.json.x8f2" / "training.json").write_text("{")
    train(small(steps=10), folder=tmp_path / "a", model=model, check=False, show=False)
    assert list((tmp_path / "a").glob(".*")) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no kill -9")
def test_killed_while_safetensors_writes_a_file_of_its_own_naming(tmp_path: Path) -> None:
    """safetensors 0.8 writes .tmpXXXXXX beside what it is asked for, then renames it."""
    program = (
        "import os, signal, sys, torch, safetensors.torch\n"
        "from pathlib import Path\n"
        "from sae_course.training import checkpoint\n"
        "from sae_course.runtime.writing import write_tensors\n"
        "def killed(tensors, path, metadata):\n"
        "    Path(path).with_name('.tmpAb3').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "safetensors.torch.save_file = killed\n"
        "write_tensors(Path(sys.argv[1], checkpoint.FILE), {'a': torch.ones(3)})\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert [path for path in tmp_path.rglob("*") if path.is_file()] != [], "killed too early"
    folders.begin(tmp_path, {"whose": "mine"})
    assert list(tmp_path.rglob(".*")) == []


@pytest.mark.parametrize("architecture", ["standard", "topk", "gated", "jumprelu"])
def test_interrupted_after_any_step(
    architecture: str, model: Any, tmp_path: Path, interrupted: set[int]
) -> None:
    """The first step, around an evaluation and the turn of a window, in warm-up and decay, and the last."""
    cfg = small(architecture)
    train(cfg, folder=tmp_path / "whole", model=model, check=False, show=False)
    interrupted |= {1, 4, 15, 20, 33, 55, 60}
    call = lambda: train(cfg, folder=tmp_path / "cut", model=model, check=False, show=False)  # noqa: E731
    assert go_on(call)[1] == 7
    same(tmp_path / "whole", tmp_path / "cut")


def test_many_are_interrupted_together(model: Any, tmp_path: Path, interrupted: set[int]) -> None:
    cfgs = {
        "a": small(l1_coefficient=1.0),
        "b": small(l1_coefficient=3.0),
        "c": small("gated", hook_name="blocks.0.hook_resid_pre"),
    }
    call = lambda where: train_many(  # noqa: E731
        cfgs, folder=tmp_path / where, model=model, check=False, show=False
    )
    call("whole")
    interrupted |= {3, 31}
    assert go_on(lambda: call("cut"))[1] == 2
    for name in cfgs:
        same(tmp_path / "whole" / name, tmp_path / "cut" / name)


def test_whitening_survives_an_interruption(model: Any, tmp_path: Path, interrupted: set[int]) -> None:
    cfg = small(normalize_activations="covariance_whitening")
    call = lambda where: train(cfg, folder=tmp_path / where, model=model, check=False, show=False)  # noqa: E731
    call("whole")
    interrupted.add(22)
    assert go_on(lambda: call("cut"))[1] == 1
    same(tmp_path / "whole", tmp_path / "cut")


def test_a_new_process_goes_on_after_sigterm(tmp_path: Path) -> None:
    """What a machine that is taken away sends; the folder is found again by the run's name."""
    program = (
        "import sys, torch; torch.set_num_threads(1); sys.path.insert(0, sys.argv[1]);"
        "from small import small; from sae_course.training.runner import train;"
        "run = train(small(steps=int(sys.argv[2])), name='mine', check=False, show=False); print(run.folder)"
    )
    env = os.environ | {"SAE_COURSE_HOME": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", program, str(Path(__file__).parent)]
    child = subprocess.Popen([*command, "3000"], env=env, stderr=subprocess.PIPE, text=True)
    record = tmp_path / "runs" / "mine" / "metrics.jsonl"
    while child.poll() is None and not (record.exists() and record.stat().st_size > 3000):
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    assert "KeyboardInterrupt" in child.communicate(timeout=60)[1]
    found = checkpoint.load(tmp_path / "runs" / "mine")
    assert found is not None
    assert found[1]["steps"] > 10
    # Another configuration finds its own folder and leaves that one alone.
    done = subprocess.run([*command, "12"], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1].endswith("mine-2")
    assert (tmp_path / "runs" / "mine" / checkpoint.FILE).exists()


def test_a_finished_run_is_returned_from_its_folder_and_trained_anew_without_one(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    cfg = small(steps=10)
    first = train(cfg, name="x", model=model, check=False, show=False)
    again = train(cfg, name="x", model=model, check=False, show=False)
    assert (first.folder.name, again.folder.name) == ("x", "x-2")
    capsys.readouterr()
    same_one = train(cfg, folder=first.folder, model=model, check=False)
    assert "trained before" in capsys.readouterr().out
    assert same_one.final == first.final


def test_a_folder_with_another_run_is_refused_and_left_alone(model: Any, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    train(small(steps=10), folder=folder, model=model, check=False, show=False)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for cfg, other in (
        (small(steps=12), model),
        (small(steps=10), load_model("gemma-2-2b", "mini", quiet=True)),
    ):
        with pytest.raises(CourseError, match="holds another run"):
            train(cfg, folder=folder, model=other, check=False, show=False)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(CourseError, match="other files"):
        train(small(steps=10), folder=tmp_path / "b", model=model, check=False, show=False)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_stops_with_the_last_checkpoint_whole(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: set[int]
) -> None:
    cfg = small()
    call = lambda where: train(  # noqa: E731
        cfg, folder=tmp_path / where, model=model, check=False, show=False, checkpoint_every=0.0
    )
    call("whole")
    save, saved = checkpoint.write_tensors, []

    def full(path: Path, *rest: Any) -> None:
        if len(saved) == 25:
            path = tmp_path / "full" / path.name  # a folder that is a file: nothing can be written in it
        saved.append(path)
        save(path, *rest)

    (tmp_path / "full").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_tensors", full)
        with pytest.raises(CourseError, match="can't be written"):
            call("cut")
    found = checkpoint.load(tmp_path / "cut")
    assert found is not None
    assert found[1]["steps"] == 25
    assert [path.name for path in (tmp_path / "cut").glob(".*")] == []
    call("cut")
    same(tmp_path / "whole", tmp_path / "cut")


def test_a_checkpoint_that_is_cut_or_changed_or_of_a_later_version_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, {"a": torch.arange(1000.0)}, {"steps": 3})
    path = tmp_path / checkpoint.FILE
    whole = path.read_bytes()
    for contents, words in (
        (whole[:-100], "can't be read as a checkpoint"),
        (whole[:-4] + b"\0\0\0\1", "was changed"),
        (whole.replace(b'"format":"1"', b'"format":"7"'), "later version"),
        (b"", "can't be read as a checkpoint"),
    ):
        path.write_bytes(contents)
        with pytest.raises(CourseError, match=words) as caught:
            checkpoint.load(tmp_path)
        assert "Delete" in str(caught.value)
    path.write_bytes(whole)
    tensors, numbers = checkpoint.load(tmp_path) or ({}, {})
    assert numbers == {"steps": 3}
    assert torch.equal(tensors["a"], torch.arange(1000.0))
    assert load_file(path).keys() == {"a"}


def test_two_processes_do_not_train_in_one_folder(model: Any, tmp_path: Path) -> None:
    from sae_course.training.folders import exclusive  # noqa: PLC0415

    with exclusive("b", tmp_path / "a"), pytest.raises(CourseError, match="another process"):
        train(small(steps=10), folder=tmp_path / "a", model=model, check=False, show=False)


def test_a_home_that_cannot_be_written_is_one_message(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "file"))
    with pytest.raises(CourseError, match="SAE_COURSE_HOME"):
        train(small(steps=10), model=model, check=False, show=False)
