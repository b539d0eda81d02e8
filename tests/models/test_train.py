"""Training goes on as if it had never stopped, and refuses what it can't go on from."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainees import GEMMA, PLAIN, SPECS, reading, training

from sae_course.models.train import Progress, Trained, learning_rate, train
from sae_course.runtime import CourseError

TESTS = Path(__file__).parent


class Stopped(Exception):
    pass


def run(spec, folder, *, stop_after=None, how=Stopped, checkpoint_every=0.0, **settings) -> Trained | None:
    def watch(step: int, line: Progress | None) -> None:
        if step == stop_after:
            raise how

    read = reading(spec)
    settings = {"held_out": reading(spec, seed=1), "report_every": 4} | settings
    if stop_after is None:
        return train(spec, read, folder, checkpoint_every=checkpoint_every, **settings)
    with pytest.raises(how):
        train(spec, read, folder, checkpoint_every=checkpoint_every, on_progress=watch, **settings)
    return None


def assert_same(one: Trained, other: Trained) -> None:
    assert one.curve == other.curve
    assert one.tokens == other.tokens
    assert list(one.state) == list(other.state)
    for name, value in one.state.items():
        assert torch.equal(value, other.state[name]), name


@pytest.mark.parametrize("name", SPECS)
def test_stopped_twice_equals_never_stopped(name, tmp_path):
    spec = SPECS[name]
    whole = run(spec, tmp_path / "whole")
    run(spec, tmp_path / "parts", stop_after=5)  # the checkpoint is of step 4, where a line was written
    run(spec, tmp_path / "parts", stop_after=15)
    assert_same(run(spec, tmp_path / "parts"), whole)


@pytest.mark.parametrize("step", [1, 4, 19, 20])
def test_ctrl_c_loses_no_step(step, tmp_path):
    whole = run(PLAIN, tmp_path / "whole")
    run(PLAIN, tmp_path / "parts", stop_after=step, how=KeyboardInterrupt, checkpoint_every=1e9)
    steps = []
    on = train(
        PLAIN,
        reading(),
        tmp_path / "parts",
        held_out=reading(seed=1),
        report_every=4,
        on_progress=lambda step, line: steps.append(step),
    )
    assert steps == list(range(step + 1, 21))
    assert_same(on, whole)


def test_going_on_from_the_end_gives_the_model(tmp_path):
    whole = run(PLAIN, tmp_path)
    assert_same(run(PLAIN, tmp_path), whole)


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from pathlib import Path
from trainees import PLAIN, reading, training
from sae_course.models.train import train
def watch(step, line):
    print(step, flush=True)
train(training(PLAIN, steps=100000), reading(), Path(sys.argv[1]), checkpoint_every=0.0, on_progress=watch)
"""


def test_kill_9(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout:
            if int(line) >= 10:
                process.send_signal(signal.SIGKILL)
                break
    # The killed run's rate was still constant, so it may go on to a nearer end.
    spec = training(PLAIN, steps=200)
    seen = []
    on = train(spec, reading(), tmp_path, on_progress=lambda step, line: seen.append(step), report_every=50)
    assert 9 <= seen[0] - 1 < 100, "it went on from the checkpoint"
    assert_same(on, train(spec, reading(), tmp_path / "whole", report_every=50))
    left = [path.name for path in tmp_path.iterdir() if path.is_file() and not path.name.startswith(".")]
    assert left == ["checkpoint.safetensors"]


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAIN, d_model=32),
        replace(PLAIN, name="other"),
        training(PLAIN, lr=1e-3),
        training(PLAIN, seed=1),
        training(PLAIN, rows=5),
    ],
)
def test_another_models_checkpoint_is_refused(other, tmp_path):
    run(PLAIN, tmp_path, stop_after=5)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(CourseError, match="other settings"):
        run(other, tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_longer_training_while_the_rate_is_constant(tmp_path):
    longer = training(PLAIN, steps=40)
    run(PLAIN, tmp_path / "parts", stop_after=10)  # the rate falls from step 12 on
    assert_same(run(longer, tmp_path / "parts"), run(longer, tmp_path / "whole"))
    run(PLAIN, tmp_path / "late", stop_after=15)
    with pytest.raises(CourseError, match="other settings"):
        run(longer, tmp_path / "late")
    run(longer, tmp_path / "shorter", stop_after=15)
    with pytest.raises(CourseError, match="other settings"):
        run(PLAIN, tmp_path / "shorter")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    run(PLAIN, tmp_path, stop_after=5)
    path = tmp_path / "checkpoint.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:4], b"", b"not a checkpoint at all"):
        path.write_bytes(damaged)
        with pytest.raises(CourseError, match="Delete it to begin anew"):
            run(PLAIN, tmp_path)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    whole = run(PLAIN, tmp_path / "whole")
    run(PLAIN, tmp_path / "parts", stop_after=8)
    kept = (tmp_path / "parts" / "checkpoint.safetensors").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CourseError, match=r"No space left on device.*free disk space"):
            run(PLAIN, tmp_path / "parts")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["checkpoint.safetensors"]
    assert (tmp_path / "parts" / "checkpoint.safetensors").read_bytes() == kept
    assert_same(run(PLAIN, tmp_path / "parts"), whole)


def test_a_folder_that_cant_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="can't be written"):
        run(PLAIN, tmp_path / "file" / "folder")


def test_rate_warms_up_stays_and_falls_to_zero():
    spec = replace(PLAIN.training, steps=100, warm_up=10, decay=0.4, lr=1.0)
    rates = [learning_rate(step, spec) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert rates[10:61] == [1.0] * 51
    assert rates[60:] == pytest.approx([(100 - step) / 40 for step in range(60, 100)])
    assert learning_rate(100, spec) == 0


def test_the_rate_is_the_one_that_is_used(tmp_path):
    """A first step of rate zero leaves the weights as they were; one of rate lr moves them."""
    spec = training(PLAIN, steps=1, warm_up=0, decay=1.0, weight_decay=0.0)
    moved = run(spec, tmp_path / "moved").state
    still = run(training(spec, lr=0.0), tmp_path / "still").state
    assert (moved["embed.weight"] - still["embed.weight"]).abs().max() == pytest.approx(2e-3, rel=0.01)
    assert not torch.equal(moved["blocks.0.q.weight"], still["blocks.0.q.weight"])


def test_it_learns(tmp_path):
    """Thirty rows again and again: it knows them in the end, and not the others."""
    curve = run(training(PLAIN, steps=300), tmp_path, checkpoint_every=1e9, report_every=50).curve
    assert curve[0].loss > 3
    assert curve[-1].loss < 2.5
    assert curve[-1].held_out > 3.5
    assert [line.step for line in curve if line.held_out is not None] == [300]


def test_old_torch_is_told_so(tmp_path, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(CourseError, match=r"needs torch 2\.9"):
        run(GEMMA, tmp_path)
