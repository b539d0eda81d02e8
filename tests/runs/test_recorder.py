"""Writing a run's record: kills, full disks, folders that hold a run already."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from recorded import DENSITY, config, contents, record

from sae_course.runs import Recorder, Run
from sae_course.runs import files as run_files
from sae_course.runtime import CourseError


def lines(folder: Path, file: str = "metrics.jsonl") -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / file).read_text().splitlines()]


def test_the_files_are_as_documented(tmp_path: Path) -> None:
    record(tmp_path / "a")
    assert sorted(contents(tmp_path / "a")) == ["histograms.jsonl", "metrics.jsonl", "run.json"]
    assert lines(tmp_path / "a")[0] == {"step": 9, "metrics/l0": 26.0, "sparsity/dead_features": 0}
    assert lines(tmp_path / "a")[-1] == {"step": 49, "model_performance_preservation.ce_loss_score": 0.9}
    assert lines(tmp_path / "a", "histograms.jsonl")[1] == {
        "step": 29, "name": DENSITY, "counts": [1, 29, 0], "edges": [-10, -6, -3, 0],
    }  # fmt: skip
    value = json.loads((tmp_path / "a" / "run.json").read_text())
    assert value["format"] == 1
    assert value["status"] == "finished"
    assert value["step"] == 49
    assert value["final"]["metrics/l0"] == 18
    assert value["files"]["metrics.jsonl"]["lines"] == 6
    assert value["notes"] == {"device": "cpu", "tokens": 51200}
    assert value["versions"]["python"]


def test_a_line_is_there_at_once(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a", steps=20, finish=False)
    assert len(lines(tmp_path / "a")) == 2
    recorder.log(29, {"x": 1})
    assert len(lines(tmp_path / "a")) == 3


def test_what_json_lacks_is_null_and_comes_back_as_nan(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path / "a", name="a", config={})
    recorder.log(0, {"x": 1.5, "y": float("nan"), "z": float("inf"), "n": 3})
    recorder.log(1, {"x": float("-inf"), "y": np.float32(0.5), "n": np.int64(4), "t": np.array(2.0)})
    assert "NaN" not in (tmp_path / "a" / "metrics.jsonl").read_text()
    assert lines(tmp_path / "a")[0] == {"step": 0, "x": 1.5, "y": None, "z": None, "n": 3}
    recorder.finish()
    run = Run.load(tmp_path / "a")
    assert math.isnan(run.final["x"])
    assert math.isnan(run.final["z"])
    assert run.final["y"] == 0.5
    assert run.final["n"] == 4
    assert run.metrics["x"].tolist()[0] == 1.5
    assert math.isnan(run.metrics["x"].tolist()[1])


@pytest.mark.parametrize("value", ["3", "loss", [1, 2], object(), np.zeros(2)])
def test_a_metric_is_a_number(tmp_path: Path, value: object) -> None:
    recorder = Recorder.create(tmp_path / "a", name="a", config={})
    with pytest.raises(CourseError, match='"x" should be a number'):
        recorder.log(0, {"x": value})
    with pytest.raises(CourseError, match='called "step"'):
        recorder.log(0, {"step": 1})
    assert lines(tmp_path / "a") == []


def test_a_histogram_has_one_more_edge_than_counts(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path / "a", name="a", config={})
    for counts, edges in (([1, 2], [0, 1]), ([1], [0, float("nan")]), ([float("inf")], [0, 1])):
        with pytest.raises(CourseError, match="one more than counts"):
            recorder.histogram(0, "h", counts, edges)
    recorder.histogram(0, "h", np.array([1, 2]), np.array([0.0, 0.5, 1.0]))
    assert lines(tmp_path / "a", "histograms.jsonl")[0]["counts"] == [1, 2]


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "a")
    record(tmp_path / "b", finish=False)
    before = contents(tmp_path)
    for name, words in (("a", 'finished run "a"'), ("b", 'unfinished run "b"')):
        with pytest.raises(CourseError, match=words):
            Recorder.create(tmp_path / name, name="c", config={})
    (tmp_path / "a" / "run.json").write_text("{")
    with pytest.raises(CourseError, match=r"run.json that can't be read"):
        Recorder.create(tmp_path / "a", name="c", config={})
    (tmp_path / "a" / "run.json").unlink()
    with pytest.raises(CourseError, match="lines without their"):
        Recorder.create(tmp_path / "a", name="c", config={})
    after = contents(tmp_path)
    assert {name: before[name] for name in after} == after


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"x")
    Recorder.create(tmp_path, name="a", config={})
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == b"x"


def test_nothing_is_added_to_a_finished_run(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a")
    before = contents(tmp_path)
    for act in (
        lambda: recorder.log(99, {"x": 1}),
        lambda: recorder.histogram(99, "h", [1], [0, 1]),
        recorder.finish,
        lambda: Recorder.resume(tmp_path / "a", 0),
    ):
        with pytest.raises(CourseError, match="is finished"):
            act()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("step", [0, 9, 10, 29, 35, 1000])
def test_resume_drops_the_step_and_what_is_later(tmp_path: Path, step: int) -> None:
    """Going on from a step gives the files of a run that was never interrupted."""
    record(tmp_path / "whole", name="a", steps=60, finish=False)
    record(tmp_path / "a", steps=60, finish=False)
    for file in ("metrics.jsonl", "histograms.jsonl"):  # killed in the middle of a line
        with (tmp_path / "a" / file).open("ab") as stream:
            stream.write(b'{"step": 69, "metrics/l')
    recorder = Recorder.resume(tmp_path / "a", step)
    kept = [line["step"] for line in lines(tmp_path / "a")]
    assert kept == [line["step"] for line in lines(tmp_path / "whole") if line["step"] < step]  # type: ignore[operator]
    assert recorder.step == (max(kept) if kept else None)  # type: ignore[type-var]
    for file in ("metrics.jsonl", "histograms.jsonl"):
        for line in lines(tmp_path / "whole", file):
            if line["step"] < step:  # type: ignore[operator]
                continue
            if file == "metrics.jsonl":
                recorder.log(line.pop("step"), line)  # type: ignore[arg-type]
            else:
                recorder.histogram(**line)  # type: ignore[arg-type]
    for file in ("metrics.jsonl", "histograms.jsonl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    recorder.finish()
    final = Run.load(tmp_path / "a").final
    assert final == Run.load(tmp_path / "whole").final


def test_resume_touches_nothing_when_a_line_is_unreadable(tmp_path: Path) -> None:
    record(tmp_path / "a", finish=False)
    with (tmp_path / "a" / "histograms.jsonl").open("ab") as stream:
        stream.write(b"oops\n")
    before = contents(tmp_path)
    with pytest.raises(CourseError, match="line 4 of 4 can't be read"):
        Recorder.resume(tmp_path / "a", 20)
    assert contents(tmp_path) == before


def test_a_nan_that_another_program_wrote(tmp_path: Path) -> None:
    record(tmp_path / "a", steps=10, finish=False)
    with (tmp_path / "a" / "metrics.jsonl").open("ab") as stream:
        stream.write(b'{"step": 19, "metrics/l0": NaN}\n')
    assert math.isnan(Run.load(tmp_path / "a").final["metrics/l0"])
    assert Recorder.resume(tmp_path / "a", 20).final["metrics/l0"] is None
    assert lines(tmp_path / "a")[-1] == {"step": 19, "metrics/l0": None}


def test_resume_where_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="There is no folder"):
        Recorder.resume(tmp_path / "a", 0)


def full(part: int):  # type: ignore[no-untyped-def]
    """``os.write`` on a disk that takes ``part`` bytes more, and then is full."""
    write = os.write

    def partly(descriptor: int, data: bytes) -> int:
        nonlocal part
        if part <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = write(descriptor, data[:part])
        part -= taken
        return taken

    return partly


@pytest.mark.parametrize("part", [0, 1, 20])
def test_a_full_disk_takes_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    recorder = record(tmp_path / "a", finish=False)
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full(part))
        with pytest.raises(
            CourseError, match=r"Step 59 .* disk is full.* Kept: all lines up to step 49\. Free"
        ):
            recorder.log(59, {"metrics/l0": 3.0})
        patch.setattr(os, "write", full(part))
        with pytest.raises(CourseError, match="disk is full"):
            recorder.histogram(59, "h", [1.0] * 30, list(range(31)))
    assert contents(tmp_path) == before
    assert recorder.final["metrics/l0"] == 18
    recorder.log(59, {"metrics/l0": 3.0})  # space was freed: it goes on
    recorder.finish()
    assert Run.load(tmp_path / "a").final["metrics/l0"] == 3


def test_a_disk_that_is_full_at_the_flush_or_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = record(tmp_path / "a", steps=20, finish=False)
    recorder.flush()
    recorder.log(29, {"metrics/l0": 3.0})
    before = contents(tmp_path)

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CourseError, match=r"disk is full.* up to step 19"):
        recorder.flush()
    monkeypatch.setattr(run_files, "sync", lambda path: None)
    monkeypatch.setattr("sae_course.runs.record.sync", lambda path: None)
    with pytest.raises(CourseError, match=r"The end of the run .* disk is full.* up to step 29"):
        recorder.finish()
    assert contents(tmp_path) == before
    assert Run.load(tmp_path / "a").status == "running"


def test_a_real_limit_on_a_files_size(tmp_path: Path) -> None:
    """The kernel itself takes a part of a line and refuses the rest."""
    code = (
        "import resource, signal, sys; from sae_course.runs import Recorder, Run\n"
        "from sae_course.runtime import CourseError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "r = Recorder.create(sys.argv[1], name='a', config={})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "n = 0\n"
        "try:\n"
        "    while True: r.log(n, {'metrics/l0': 0.5}); n += 1\n"
        "except CourseError as error: print(n, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    n = int(done.stdout.split()[0])
    assert f"Kept: all lines up to step {n - 1}" in done.stdout
    text = (tmp_path / "a" / "metrics.jsonl").read_text()
    assert text.endswith("}\n")
    assert len(text) < 1000 < len(text) + len(text.splitlines()[0]) + 3
    assert len(Run.load(tmp_path / "a").metrics) == n


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(CourseError, match="can't be written"):
            Recorder.create(folder, name="a", config={})
    assert contents(tmp_path) == {"file": b""}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="a superuser may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a", finish=False)
    for file in (tmp_path / "a").iterdir():
        file.chmod(0o400)
    (tmp_path / "a").chmod(0o500)
    try:
        with pytest.raises(CourseError, match="Permission denied"):
            recorder.log(59, {"x": 1})
        with pytest.raises(CourseError, match="can't be written"):
            Recorder.resume(tmp_path / "a", 0)
        with pytest.raises(CourseError, match="can't be written"):
            Recorder.create(tmp_path / "a" / "b", name="b", config={})
        assert Run.load(tmp_path / "a").final["metrics/l0"] == 18, "reading needs no permission to write"
    finally:
        (tmp_path / "a").chmod(0o700)


def test_a_file_system_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, for a superuser, whom permissions don't stop."""
    recorder = record(tmp_path / "a", finish=False)
    opened = os.open

    def refuse(path: object, flags: int, *rest: int, **more: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *rest, **more)  # type: ignore[arg-type]

    def refuse_folder(path: object, mode: int = 0o777) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "mkdir", refuse_folder)
    with pytest.raises(CourseError, match="Read-only file system"):
        recorder.log(59, {"x": 1})
    with pytest.raises(CourseError, match="Read-only file system"):
        recorder.flush()
    with pytest.raises(CourseError, match="Read-only file system"):
        Recorder.create(tmp_path / "b", name="b", config={})
    with pytest.raises(CourseError, match="Read-only file system"):
        Recorder.resume(tmp_path / "a", 0)
    assert Run.load(tmp_path / "a").final["metrics/l0"] == 18


def test_a_folder_that_was_deleted_while_it_trained(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a", finish=False)
    (tmp_path / "a" / "metrics.jsonl").unlink()
    with pytest.raises(CourseError, match="could not be recorded"):
        recorder.log(59, {"x": 1})
    assert not (tmp_path / "a" / "metrics.jsonl").exists(), "a new file would lack the first lines"


WRITER = """
import sys
from sae_course.runs import Recorder
r = Recorder.create(sys.argv[1], name="a", config={})
print("go", flush=True)
step = 0
while True:
    r.log(step, {f"m{i}": step / 7 + i for i in range(40)})
    r.histogram(step, "h", [step] * 64, list(range(65)))
    step += 1
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_at_any_moment(tmp_path: Path) -> None:
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.02 * attempt)
            process.send_signal(signal.SIGKILL)
        run = Run.load(folder)
        assert list(run.metrics.index) == list(range(len(run.metrics)))
        n = len(run.metrics) // 2
        recorder = Recorder.resume(folder, n)
        recorder.finish()
        assert len(Run.load(folder).metrics) == n
        assert not run.metrics.empty or Run.load(folder).histogram_names == []


def test_saelens_configuration_is_kept_as_json(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path / "a", name="a", config=config() | {"seqpos_slice": (5, -5)})
    recorder.finish()
    assert Run.load(tmp_path / "a").config["seqpos_slice"] == [5, -5]
    with pytest.raises(CourseError, match="A configuration is"):
        Recorder.create(tmp_path / "b", name="b", config=None)
    assert not (tmp_path / "b").exists()
