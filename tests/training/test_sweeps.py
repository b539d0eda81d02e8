"""A sweep: what a grid is, what is trained of it, what a kill loses, what is refused and in which words."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from click.testing import CliRunner

from sae_course import CourseError
from sae_course.runs import Recorder
from sae_course.runtime import home
from sae_course.training import Sweep, checkpoint, folders, grid, sweep
from sae_course.training.settings import as_dict
from sae_course.training.sweeps import attempts, book, drivers, on_ray, trial
from sae_course.training.sweeps.attempts import Job, Outcome
from sae_course.training.sweeps.commands import sweep as command

STEPS = 500
SMALL = {
    "d_sae": 64,
    "training_tokens": STEPS * 256,
    "train_batch_size_tokens": 256,
    "n_batches_in_buffer": 32,
    "n_batches_for_norm_estimate": 3,
    "n_eval_batches": 1,
    "eval_batch_size_prompts": 4,
    "topk_threshold_lr": 0.1,
}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def of(over: dict[str, Any], **given: Any) -> list[Any]:
    return grid("tinystories", over, scale="mini", **(SMALL | given))


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have attempts end as they are told to, without a process; the names of those that were made."""
    made: list[str] = []

    def pretend(**outcomes: list[str]) -> list[str]:
        def attempt(job: Job) -> Outcome:
            made.append(job.name)
            status = outcomes.get(job.name, ["finished"])
            now = status.pop(0) if len(status) > 1 else status[0]
            if now == "finished":
                finish(Path(job.home) / "runs" / job.sweep / job.name)
            return Outcome(now, f"was {now}")  # type: ignore[arg-type]

        monkeypatch.setattr(drivers, "attempt", attempt)
        return made

    return pretend


def finish(folder: Path, mse: float = 1.0) -> None:
    """A finished run, as a trial leaves it."""
    recorder = Recorder.create(folder, name=folder.name, config={})
    recorder.log(0, {"losses/mse_loss": mse, "metrics/l0": 8.0})
    recorder.finish({}, 1.0)
    folders.finish(folder)


def refused(*arguments: str) -> str:
    """What the command says of bad input; nothing may have been written."""
    result = CliRunner().invoke(command, ["tinystories", "--scale", "mini", *arguments])
    assert isinstance(result.exception, CourseError), result.output
    assert not (home() / "runs").exists() or not list((home() / "runs").glob("*/*"))
    return str(result.exception)


# ------------------------------------------------------------------------------------------- the grid


def test_a_grid_has_every_combination_each_with_each_seed_and_a_name_that_stays() -> None:
    trials = of({"k": [8, 16], "lr": [1e-3, 3e30]}, seeds=[0, 3])
    assert [one.name for one in trials] == [
        f"k{k}-lr{lr}-seed{seed}" for k in (8, 16) for lr in ("0.001", "3e30") for seed in (0, 3)
    ]
    last = trials[-1]
    assert (last.cfg.sae.k, last.cfg.lr, last.cfg.seed, last.cfg.sae.d_sae) == (16, 3e30, 3, 64)
    assert last.settings == {"k": 16, "lr": 3e30, "seed": 3}
    assert [one.name for one in of({"k": (8.0,), "lr": [0.001]}, seeds=[0])] == [trials[0].name]


def test_what_preset_takes_can_vary_too_and_so_can_the_preset() -> None:
    trials = grid(["tinystories", "othello"], {"architecture": ["topk", "batchtopk"], "k": [4]}, scale="mini")
    assert [one.name for one in trials] == [
        f"{name}-{architecture}-k4"
        for name in ("tinystories", "othello")
        for architecture in ("topk", "batchtopk")
    ]
    assert [one.cfg.sae.architecture() for one in trials] == ["topk", "batchtopk"] * 2
    assert len({one.cfg.model_name for one in trials}) == 2


@pytest.mark.parametrize(
    ("over", "given", "words"),
    [
        ({"k": []}, {}, "k has no value"),
        ({"k": [8, 8]}, {}, "k has the value 8 twice"),
        ({"k": [8]}, {"k": 16}, "k varies in the sweep, and is set to 16"),
        ({"architecture": ["topk"]}, {"architecture": "gated"}, "architecture varies"),
        ({"seed": [1]}, {"seeds": [2]}, "seed is in the grid"),
        ({"k": [8]}, {"seeds": [-1]}, "whole number from 0, not -1"),
        ({"kk": [8]}, {}, "There is no setting kk"),
        ({"k": ["eight"]}, {}, "k is a number, not 'eight'"),
        ({"verbose": [True, False]}, {}, "would train the same weights"),
        ({"dataset_path": ["a/b", "a-b"]}, {}, "Two trials would be called dataset_path-a-b"),
        ({"scale": ["mini"]}, {}, "scale is no setting"),
        ({"k": [8]}, {"name": "x"}, "name is no setting"),
    ],
)
def test_a_grid_that_makes_no_sense(over: dict[str, Any], given: dict[str, Any], words: str) -> None:
    with pytest.raises(CourseError, match=words):
        of(over, **given)


def test_a_trial_for_a_gpu_is_as_the_preset_would_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from sae_course.training import presets  # noqa: PLC0415
    from sae_course.training.sweeps.grid import on_gpu  # noqa: PLC0415

    for name, scale in (("tinystories", "mini"), ("tinystories", "full"), ("gemma", "full")):
        here = grid(name, {"lr": [1e-3]}, scale=scale)[0]
        with monkeypatch.context() as patch:
            patch.setattr(presets, "current", lambda: type("Session", (), {"device": "cuda", "smoke": False}))
            there = grid(name, {"lr": [1e-3]}, scale=scale)[0]
        assert as_dict(on_gpu(here).cfg) == as_dict(there.cfg)


# ------------------------------------------------------------------------------- trials, as processes


def test_a_trial_left_alone_ends_with_a_checkpoint_and_goes_on_from_it(
    own_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two processes: one whose parent goes in mid-trial, and the same again."""
    trials = of({"context_size": [32]}, seeds=[1])
    good = trials[0]
    folder = own_home / "runs" / "mine"
    order = {
        "name": good.name,
        "config": as_dict(good.cfg),
        "folder": str(folder / good.name),
        "lock": str(own_home / "one.lock"),
        "checkpoint_every": 3600.0,
    }
    book.enter(folder, trials)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "sae_course.training.sweeps.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    record = folder / good.name / "metrics.jsonl"
    while process.poll() is None and not (record.exists() and record.stat().st_size):
        time.sleep(0.02)
    process.stdin.close()
    answer = json.loads(process.stdout.read() or "null")
    assert process.wait(60) == 0
    assert answer == {"status": "killed", "message": "it was asked to stop"}
    checkpointed = checkpoint.load(folder / good.name)
    assert checkpointed is not None
    assert 0 < checkpointed[1]["steps"] < STEPS, "it wrote a checkpoint when it was left alone"

    record.write_bytes(record.read_bytes().replace(b"{", b'{"marked": 1, ', 1))
    told: list[str] = []
    made = sweep(trials, name="mine", tell=told.append)
    assert (made.failed, made.missing) == ({}, [])
    assert [run.folder for run in made.runs] == [folder / good.name]
    first = made.runs[0].metrics
    assert first["marked"].notna().sum() == 1, "it went on, and didn't begin again"
    assert first["details/n_training_samples"].max() == STEPS * 256
    table = made.table
    assert table.loc[good.name, ["status", "context_size", "seed"]].tolist() == ["finished", 32, 1]
    assert table.loc[good.name, "metrics/l0"] == made.runs[0].final["metrics/l0"]
    assert any("✔" in line and good.name in line for line in told)
    assert capfd.readouterr().out == "", "a trial's words are in its log"


def test_what_can_t_be_trained_is_said_by_the_trial(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = of({"context_size": [4096]})[0].cfg
    order = {"name": "a", "config": as_dict(cfg), "checkpoint_every": 30.0}
    order |= {"folder": str(own_home / "a"), "lock": str(own_home / "a.lock")}
    answer = trial._carry_out(order)
    assert answer["status"] == "failed"
    assert "n_ctx" in answer["message"]
    monkeypatch.setattr(trial, "_train", lambda order: np.histogram([math.nan]))
    assert trial._carry_out(order)["message"].startswith("it diverged (a smaller lr?): ValueError: ")
    monkeypatch.setattr(trial, "PATIENCE", 0.1)
    with filelock.FileLock(order["lock"], is_singleton=False):
        assert "another process trains it" in trial._carry_out(order)["message"]


def test_a_second_call_trains_what_is_missing_and_the_table_is_there(
    pretended: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    made = pretended(k8=["failed"])
    arguments = ["tinystories", "--scale", "mini", "--grid", "k=4,8", "--name", "mine"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1, result.output
    assert made == ["k4", "k8"]
    assert "✘ k8: was failed" in result.output
    assert "1 of 2 trials finished" in result.output
    made.clear()
    pretended()
    result = CliRunner().invoke(command, [*arguments[:4], "k=4,8,16", *arguments[5:]])
    assert result.exit_code == 0, result.output
    assert made == ["k8", "k16"]
    assert "3 trials, 1 finished before" in result.output
    again = Sweep.load("mine")
    assert list(again.table["k"]) == [4, 8, 16]
    assert (again.missing, again.failed) == ([], {})
    made.clear()
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert made == []


def test_a_killed_trial_is_tried_again_but_not_for_ever(pretended: Callable[..., list[str]]) -> None:
    trials = of({"k": [4, 8]})
    made = pretended(k4=["killed", "killed", "finished"], k8=["killed"])
    told: list[str] = []
    result = sweep(trials, name="mine", retries=2, tell=told.append)
    assert sorted(made) == ["k4"] * 3 + ["k8"] * 3
    assert result.failed == {"k8": "was killed, 3 times"}
    assert result.missing == ["k8"]
    assert sum("tried again" in line for line in told) == 4


def test_a_run_whose_loss_is_no_number_has_failed(own_home: Path) -> None:
    trials = of({"k": [4, 8]})
    book.enter(own_home / "runs" / "mine", trials)
    finish(own_home / "runs" / "mine" / "k4")
    finish(own_home / "runs" / "mine" / "k8", float("nan"))
    made = sweep(trials, name="mine", tell=lambda line: None)
    assert list(made.failed) == ["k8"]
    assert "diverged" in made.failed["k8"]
    assert list(made.table["status"]) == ["finished", "failed"]


def test_a_run_from_a_disk_that_is_not_shared_is_sent_back_whole(
    own_home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node sees no book of this sweep, or one of another sweep with its name."""
    trials = of({"k": [4]})
    job = Job("mine", book.enter(own_home / "runs" / "mine", trials), "k4", {}, str(own_home), 30.0)
    node = tmp_path_factory.mktemp("node")
    monkeypatch.setenv("SAE_COURSE_HOME", str(node))
    places = []

    def run(job: Job, here: Path) -> Outcome:
        places.append(here)
        finish(here / "runs" / "mine" / "k4")
        (here / "runs" / "mine" / "k4" / "sae").mkdir()
        (here / "runs" / "mine" / "k4" / "sae" / "cfg.json").write_text("{}")
        return Outcome("finished")

    monkeypatch.setattr(attempts, "_run", run)
    elsewhere = Job(job.sweep, "another", *(getattr(job, key) for key in ("name", "config", "home")), 30.0)
    outcome = attempts.attempt(elsewhere)
    assert places == [node]
    assert outcome.files is not None
    assert "sae/cfg.json" in outcome.files
    made = own_home / "runs" / "mine" / "k4"
    (made / "half").mkdir(parents=True)
    drivers._receive(made, outcome.files)
    assert sorted(path.name for path in made.rglob("*") if path.is_file()) == sorted(
        path.name for path in (node / "runs" / "mine" / "k4").rglob("*") if path.is_file()
    )
    assert book.is_finished(made)
    with pytest.raises(CourseError, match="outside its folder"):
        drivers._receive(made, {"../../escaped": b""})

    monkeypatch.setattr(attempts, "_run", lambda job, here: places.append(here) or Outcome("finished"))
    assert attempts.attempt(job).files is None
    assert places[-1] == own_home, "where the book is the sweep's own, it is trained there"


# -------------------------------------------------------------------------------- what is refused


def test_two_drivers_of_one_sweep(own_home: Path, pretended: Callable[..., list[str]]) -> None:
    from sae_course.runtime import locking  # noqa: PLC0415

    made = pretended()
    with (
        locking.exclusive(own_home / "runs" / ".mine.lock", "The sweep mine"),
        pytest.raises(CourseError, match="The sweep mine is being trained by another process"),
    ):
        sweep(of({"k": [4]}), name="mine")
    assert made == []


def test_a_name_that_is_taken_by_other_settings_or_files(
    own_home: Path, pretended: Callable[..., list[str]]
) -> None:
    made = pretended()
    sweep(of({"k": [4]}), name="mine", tell=lambda line: None)
    made.clear()
    sweep(of({"k": [8]}), name="mine", tell=lambda line: None)
    shutil.rmtree(own_home / "runs" / "mine" / "k8")
    with pytest.raises(
        CourseError, match=r"mine has k4 already.*training_tokens was 128000, is now 512.*name"
    ):
        sweep(of({"k": [4]}, training_tokens=512), name="mine")
    sweep(of({"k": [8]}, lr=0.5), name="mine", tell=lambda line: None)  # it wasn't begun: it may change
    made.clear()
    finish(own_home / "runs" / "run")
    with pytest.raises(CourseError, match="holds a run, and no sweep"):
        sweep(of({"k": [4]}), name="run")
    for name in ("../up", "", "a/b", ".hidden"):
        with pytest.raises(CourseError, match="can't be a name"):
            sweep(of({"k": [4]}), name=name)
    (own_home / "runs" / "mine" / book.FILE).write_text('{"format": 2, "id": "x", "trials": {}}')
    with pytest.raises(CourseError, match="later version"):
        sweep(of({"k": [4]}), name="mine")
    assert made == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "A sweep varies something"),
        (["--grid", "k"], "--grid takes NAME=VALUE"),
        (["--grid", "k="], "empty value"),
        (["--grid", "k=8,,16"], "empty value"),
        (["--grid", "k=8", "--grid", "k=16"], "--grid has k twice"),
        (["--grid", "k=8", "--set", "k=8"], "k varies in the sweep"),
        (["--grid", "k=8", "--set", "lr=1", "--set", "lr=2"], "lr is set twice"),
        (
            ["--seeds", "0", "--architecture", "topk", "--set", "architecture=gated"],
            "architecture is set twice",
        ),
        (["--seeds", "0", "--set", "scale=full"], "scale is no setting for --set"),
        (["--seeds", "0,x"], "--seeds takes whole numbers"),
        (["--seeds", "0", "--workers", "-1"], "workers is 0"),
        (["--seeds", "0", "--workers", "2", "--address", "a:1"], "not both"),
        (["--seeds", "0", "--gpus-per-trial", "1"], "are for Ray"),
        (["--seeds", "0", "--workers", "1", "--gpus-per-trial", "1.5"], "share of one GPU"),
        (["--seeds", "0", "--workers", "1", "--cpus-per-trial", "0"], "cpus_per_trial is 1"),
        (["--seeds", "0", "--retries", "-1"], "retries is 0"),
        (["--seeds", "0", "--address", "nowhere"], "An address is HOST:PORT"),
    ],
)
def test_bad_options_are_refused_before_anything_is_trained(arguments: list[str], words: str) -> None:
    assert words in refused(*arguments)


def test_values_are_read_as_those_of_set() -> None:
    from sae_course.training.sweeps.commands import _axes  # noqa: PLC0415

    read = _axes(("k=8, 16", "lr=1e-3", "matryoshka_widths=(1,2),[3, 4]", "a='x,y',none,true"))
    assert read == {
        "k": [8, 16],
        "lr": [1e-3],
        "matryoshka_widths": [(1, 2), [3, 4]],
        "a": ["x,y", None, True],
    }


def test_a_dry_run_shows_the_trials_and_writes_nothing(own_home: Path) -> None:
    result = CliRunner().invoke(
        command,
        [
            "tinystories",
            "--scale",
            "mini",
            "--grid",
            "k=8,16",
            "--seeds",
            "0,1,2",
            "--set",
            "d_sae=64",
            "--dry-run",
        ],
    )
    assert result.exit_code == 0, result.output
    for words in ("k16-seed2", "batchtopk", "6 trials. Nothing was trained", "sweep-tinystories-k-seed"):
        assert words in result.output
    assert list(own_home.iterdir()) == []


def test_ray_is_imported_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys, sae_course.training.sweeps.commands, sae_course.training as t; t.grid; "
        "t.sweep; assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'sae-course[sweep]'" in refused("--seeds", "0", "--workers", "2")


def test_an_address_where_nothing_is_or_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(on_ray, "CHECK", 0.1)
        with pytest.raises(CourseError, match=f"127.0.0.1:{port} can't be joined .*no answer in 0.1 s"):
            on_ray._check_answers(f"127.0.0.1:{port}")
    with pytest.raises(CourseError, match=f"Nothing answers at 127.0.0.1:{port}"):
        sweep(of({"k": [4]}), name="mine", address=f"127.0.0.1:{port}")
    assert not list((home() / "runs").glob("mine/k4"))


def test_ray_s_words_in_ours() -> None:
    assert "RAY_AUTH_TOKEN_PATH" in on_ray._refused("a:1", "x\nray.exceptions.AuthenticationError: …")
    assert "sae-course[sweep]" in on_ray._refused(
        "ray://a:1", "Ray Client requires pip package `ray[client]`."
    )
    assert "client's port" in on_ray._refused("ray://a:1", "ray client connection timeout")


# -------------------------------------------------------------------------------------------- kills


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no kill -9")
def test_ten_of_ten_trials_end_when_workers_are_killed(own_home: Path) -> None:
    pytest.importorskip("ray")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("sweep_kills.py"))],
        check=False,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["kills"]) == 6, found
    assert {kind for _, kind in found["kills"]} == {"worker", "trial", "both"}
    assert (found["finished"], found["failed"], found["missing"]) == (10, {}, []), found
    assert sum("tried again" in line for line in found["said"]) == 6, found["said"]
    assert max(found["outlived"]) < 15, "a trial whose worker is gone ends, too"
    assert found["different"] == [], "a killed trial ends with the record of one that was not"
    assert found["left"] == []
    assert found["hidden"] == []
