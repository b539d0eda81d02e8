"""``sae-course clinic``: what it says of a run, of one that it can't read, and where it records."""

import csv
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sae_course.clinic.record as recording
from sae_course import cli
from sae_course.clinic import CAUSES, commands, page, shelf
from sae_course.clinic.archive import in_memory, sealed
from sae_course.clinic.measured import readings, usual
from sae_course.clinic.new import seal
from sae_course.clinic.patients import STEPS, healthy_config
from sae_course.clinic.reference import HOOK, reference
from sae_course.runs import Recorder, Run
from sae_course.runs.files import HISTOGRAMS, METRICS
from sae_course.runtime import project_root
from sae_course.training import shipped

Course = Callable[..., tuple[int, str, str]]


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Course:
    """The command line, in this process: its exit code, what it printed, what it complained of."""
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sae-course", "clinic", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        code = left.value.code
        return 0 if code is None else int(code), said.out, said.err

    return run


def ward(name: str) -> Run:
    return shelf.runs("ward")[name]


@pytest.fixture
def shipped_copy(tmp_path: Path) -> Path:
    folder = tmp_path / "tinystories"
    shutil.copytree(shipped.place("tinystories"), folder)
    return folder


def edited(folder: Path, **changes: Any) -> Path:
    """The folder, with another run.json."""
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | changes))
    return folder


# What it says


def test_chapter_03s_trained_sae_is_healthy(course: Course, shipped_copy: Path) -> None:
    """It has twice as many latents as the ward's healthy runs, and half their L0."""
    code, out, _ = course("diagnose", shipped_copy)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "tinystories, beside chapter 03's trained SAE, a TopK"
    assert lines[1].startswith("healthy: ")


@pytest.mark.parametrize("number", range(1, 7))
def test_a_sealed_patient_is_laid_beside_the_wards_healthy_run(
    number: int, course: Course, tmp_path: Path
) -> None:
    cause = list(CAUSES)[number]
    seal(ward(f"run {number}, seed 0"), "patient-a").save(tmp_path / "set" / "patient-a")
    code, out, _ = course("diagnose", tmp_path / "set" / "patient-a")
    assert code == 0
    assert out.splitlines()[0] == "patient-a, beside the clinic's healthy runs"
    assert out.splitlines()[1].startswith(f"{cause}: ")
    assert "✔" in out


def test_a_run_kept_here_is_found_by_its_name(course: Course, tmp_path: Path, shipped_copy: Path) -> None:
    shutil.move(shipped_copy, tmp_path / "home" / "runs" / "mine")
    code, out, _ = course("diagnose", "mine")
    assert code == 0
    assert out.startswith("tinystories, beside")
    again = course("diagnose", tmp_path / "home" / "runs" / "mine" / "run.json")
    assert again[1] == out, "its record stands for the folder"


def test_without_a_healthy_run_it_says_so_and_how_to_give_one(course: Course, tmp_path: Path) -> None:
    sealed(ward("run 1, seed 0"), "unknown").save(tmp_path / "unknown")
    code, out, _ = course("diagnose", tmp_path / "unknown")
    assert code == 0
    assert out.splitlines()[0] == "unknown"
    assert "Without a healthy run, signs that compare with one are left out" in out.splitlines()[-1]
    assert "--healthy" in out.splitlines()[-1]
    sealed(ward("run 0, seed 0"), "sound").save(tmp_path / "sound")
    code, out, _ = course("diagnose", tmp_path / "unknown", "--healthy", tmp_path / "sound")
    assert code == 0
    assert out.splitlines()[0] == f"unknown, beside {tmp_path / 'sound'}"
    assert out.splitlines()[1].startswith("sparsity coefficient too small: ")
    assert "Without a healthy run" not in out
    sealed(ward("run 0, seed 1"), "sound too").save(tmp_path / "too")
    both = ("--healthy", tmp_path / "sound", "--healthy", tmp_path / "too")
    code, again, _ = course("diagnose", tmp_path / "unknown", *both)
    assert code == 0
    assert again.splitlines()[0] == f"unknown, beside {tmp_path / 'sound'}, {tmp_path / 'too'}"
    assert again.splitlines()[1:] != out.splitlines()[1:], "beside their mean"


def history(run: Run, path: Path) -> None:
    """As ``run.history().to_csv`` writes it: histograms as text."""
    names = ["_step", *run.metrics.columns, *run.histogram_names]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for line in run.lines_of(METRICS):
            writer.writerow({"_step": line["step"]} | {k: v for k, v in line.items() if k != "step"})
        for line in run.lines_of(HISTOGRAMS):
            value = {"_type": "histogram", "values": line["counts"], "bins": line["edges"]}
            writer.writerow({"_step": line["step"], line["name"]: value})


def chart(path: Path, metric: str, runs: dict[str, Run]) -> Path:
    """As W&B's page exports one chart of several runs."""
    columns = {f"{name} - {metric}": run.metrics[metric].dropna() for name, run in runs.items()}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Step", *columns])
        steps = sorted({int(step) for column in columns.values() for step in column.index})
        writer.writerows([step, *(column.get(step, "") for column in columns.values())] for step in steps)
    return path


def test_a_history_from_wandb(course: Course, tmp_path: Path) -> None:
    history(ward("run 2, seed 0"), tmp_path / "wide.csv")
    history(ward("run 0, seed 0"), tmp_path / "sound.csv")
    code, out, _ = course("diagnose", tmp_path / "wide.csv", "--healthy", tmp_path / "sound.csv")
    assert code == 0
    assert out.splitlines()[1].startswith("dictionary too wide: ")


def test_charts_from_wandb_are_one_run_which_may_be_named(course: Course, tmp_path: Path) -> None:
    runs = {"ill": ward("run 1, seed 0"), "sound": ward("run 0, seed 0")}
    charts = [
        chart(tmp_path / f"{number}.csv", metric, runs)
        for number, metric in enumerate(["metrics/l0", "metrics/explained_variance", "losses/mse_loss"])
    ]
    sealed(runs["sound"], "sound").save(tmp_path / "sound")
    code, out, _ = course("diagnose", *charts, "--run", "ill", "--healthy", tmp_path / "sound")
    assert code == 0
    assert out.splitlines()[0] == f"ill, beside {tmp_path / 'sound'}"
    assert f"{runs['ill'].metrics['metrics/explained_variance'].iloc[-3:].mean():.3g}" in out
    code, _, err = course("diagnose", *charts)
    assert code == 2
    assert "holds 2 runs: ill, sound" in err


def test_of_a_run_with_too_few_metrics_it_is_not_sure_and_says_what_is_missing(
    course: Course, tmp_path: Path
) -> None:
    path = chart(tmp_path / "l0.csv", "metrics/l0", {"mine": ward("run 0, seed 1")})
    code, out, _ = course("diagnose", path)
    assert code == 0
    assert out.splitlines()[1].startswith("not sure")
    missing = next(line for line in out.splitlines() if line.startswith("It lacks "))
    assert "metrics/explained_variance" in missing
    assert "sparsity/dead_features" in missing
    assert "the histogram plots/feature_density_line_chart" in missing
    assert "metrics/l0" not in missing


@pytest.mark.parametrize(
    "metrics", [["metrics/explained_variance", "losses/mse_loss"], ["metrics/explained_variance"]]
)
def test_a_cause_is_not_named_where_most_of_its_signs_were_not_recorded(
    metrics: list[str], course: Course, tmp_path: Path
) -> None:
    """Two charts of a run whose L0 was too large: nothing in them is about dead latents or widths."""
    charts = [
        chart(tmp_path / f"{number}.csv", metric, {"ill": ward("run 1, seed 0")})
        for number, metric in enumerate(metrics)
    ]
    sealed(ward("run 0, seed 0"), "sound").save(tmp_path / "sound")
    _, out, _ = course("diagnose", *charts, "--healthy", tmp_path / "sound")
    assert out.splitlines()[1].startswith("not sure")


@pytest.mark.parametrize("name", ["othello", "attn-only-2l-layer-0", "gemma"])
def test_a_sound_run_of_another_model_is_not_called_ill(name: str, course: Course) -> None:
    _, out, _ = course("diagnose", shipped.place(name))
    assert out.splitlines()[1].startswith("not sure")
    assert "Without a healthy run" in out


def test_what_is_said_to_be_missing_is_what_the_doctor_reads() -> None:
    run = ward("run 0, seed 0")
    full = readings(run).known()
    assert not commands._missing(run)
    for name in commands.NEEDED:
        lines = [{k: v for k, v in line.items() if k != name} for line in run.lines_of(METRICS)]
        poorer = in_memory("x", {METRICS: lines, HISTOGRAMS: list(run.lines_of(HISTOGRAMS))})
        assert len(readings(poorer).known()) < len(full), f"nobody reads {name}"
        assert commands._missing(poorer) == [name]
    only = [
        {k: v for k, v in line.items() if k in ("step", *commands.NEEDED)} for line in run.lines_of(METRICS)
    ]
    enough = in_memory("x", {METRICS: only, HISTOGRAMS: list(run.lines_of(HISTOGRAMS))})
    assert set(full) - set(readings(enough).known()) <= {"penalty", "coarse", "loss_recovered"}


def test_an_unfinished_run_is_judged_by_what_is_there(course: Course, tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path / "a", name="a", config={"lr": 1.0})
    _, out, _ = course("diagnose", tmp_path / "a")
    assert out.splitlines()[1] == "not sure"
    for step in range(30):
        recorder.log(step, {"metrics/l0": 30.0, "losses/mse_loss": 1 / (step + 1)})
    with (tmp_path / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "metri')  # cut while it was written
    code, out, _ = course("diagnose", tmp_path / "a")
    assert code == 0
    assert "The run is unfinished: this is about what it has recorded so far." in out
    code, _, err = course("diagnose", tmp_path / "a", "--healthy", tmp_path / "a")
    assert code == 2
    assert "a run to compare with has to be finished" in err


# What it can't read


def truncated(folder: Path, name: str) -> Path:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    return folder


def elsewhere(folder: Path, text: str) -> Path:
    path = folder.parent / text
    path.write_text("text")
    return path


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: folder / "nothing", "There is no folder"),
        (lambda folder: folder / "nothing.csv", "There is no file"),
        (lambda folder: folder.parent, "it holds runs: tinystories"),
        (lambda folder: folder / "sae", "holds no run: there is no run.json"),
        (lambda folder: truncated(folder, "run.json"), "is cut short or not JSON"),
        (lambda folder: truncated(folder, "metrics.jsonl"), "is cut off"),
        (lambda folder: edited(folder, format=2), "update the course"),
        (lambda folder: edited(folder, name=None), "is no record of a run"),
        (lambda folder: elsewhere(folder, "a.txt"), "neither a run folder nor a file that W&B exported"),
        (lambda folder: elsewhere(folder, "a.csv"), "a.csv"),
        (lambda folder: elsewhere(folder, "a.json"), "a.json"),
    ],
)
def test_what_is_no_run_is_one_line_and_exit_code_2(
    spoil: Callable[[Path], Path], words: str, course: Course, shipped_copy: Path
) -> None:
    for arguments in (
        [spoil(shipped_copy)],
        [shipped.place("tinystories"), "--healthy", spoil(shipped_copy)],
    ):
        code, out, err = course("diagnose", *arguments)
        assert code == 2
        assert out == ""
        assert err.startswith("sae-course: ")
        assert words in err
        assert len(err.splitlines()) == 1
        if "cut" in words:
            break  # half of a half is something else


def test_one_run_at_a_time(course: Course, shipped_copy: Path) -> None:
    code, _, err = course("diagnose", shipped_copy, shipped_copy)
    assert code == 2
    assert "One run at a time" in err
    assert course("diagnose")[0] == 2


# Which healthy run


def of(architecture: str, **changes: Any) -> Run:
    """A run by its configuration; of its record, nothing is asked."""
    config = {
        "model_name": "tiny-stories-1L-21M",
        "hook_name": HOOK,
        "dataset_path": "sae-course:tiny-stories-1L-21M",
        "context_size": 256,
        "training_tokens": healthy_config().training_tokens,
        "sae": {"architecture": architecture, "k": 16},
    }
    return Run(
        name="x", folder=None, status="finished", config=config | changes, notes={}, versions={},
        started=None, seconds=None, lines={},
    )  # fmt: skip


def test_a_run_of_the_wards_own_kind_is_compared_in_everything() -> None:
    found = reference(of("jumprelu"))
    assert found is not None
    assert [run.name for run in found.runs] == [f"run 0, seed {seed}" for seed in range(5)]
    assert found.runs[0] is ward("run 0, seed 0")
    assert "not compared" not in found.words
    assert healthy_config().training_tokens == STEPS * 2048 == reference.__globals__["_TOKENS"]


def test_widths_are_compared_where_training_was_about_as_long() -> None:
    found = reference(of("jumprelu", training_tokens=2**20))
    assert found is not None
    assert "not compared: widths" in found.words
    wards = [run for key, run in shelf.runs("ward").items() if key.startswith("run 0,")]
    healthy, all_of_it = usual(found.runs), usual(wards)
    assert healthy.width is None
    assert (healthy.l0, healthy.explained_variance) == (all_of_it.l0, all_of_it.explained_variance)
    longer = reference(of("topk", training_tokens=2**20))
    assert longer is not None
    assert usual(longer.runs).width == 1024


def test_a_topk_is_laid_beside_a_topk() -> None:
    for architecture in ("topk", "batchtopk", "matryoshka_batchtopk"):
        found = reference(of(architecture, training_tokens=2**20))
        assert found is not None
        assert usual(found.runs).l0 == 16
        assert "not compared" not in found.words
    chosen = reference(of("topk", sae={"architecture": "topk", "k": 32}))
    assert chosen is not None
    assert "L0 (k is another), widths" in chosen.words
    assert usual(chosen.runs).l0 is None
    assert usual(chosen.runs).explained_variance is not None


def test_of_another_architecture_only_what_the_model_does_is_compared() -> None:
    found = reference(of("standard"))
    assert found is not None
    assert set(usual(found.runs).known()) == {"ce_without_sae", "model_knows"}


@pytest.mark.parametrize(
    "changes",
    [
        {"model_name": "othello-gpt"},
        {"hook_name": "blocks.0.hook_resid_post"},
        {"dataset_path": "apollo-research/roneneldan-TinyStories-tokenizer-gpt2"},
        {"context_size": 32},
        {"context_size": None},
        {"model_name": ["odd"], "sae": 3},
    ],
)
def test_another_model_place_or_text_has_none(changes: dict[str, Any]) -> None:
    assert reference(of("jumprelu", **changes)) is None
    assert reference(of("jumprelu", sae=None)) is not None


# The other commands, and the page


def test_record_says_where_it_is(course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[int | None] = []

    def recorded(jobs: int | None = None) -> Path:
        asked.append(jobs)
        return tmp_path / "a" / "recorded"

    monkeypatch.setattr(recording, "record", recorded)
    monkeypatch.chdir(tmp_path)
    assert course("record", "--jobs", 3)[:2] == (0, "Recorded in a/recorded.\n")
    assert course("record")[0] == 0
    assert asked == [3, None]
    assert course("record", "--jobs", 0)[0] == 2

    def stopped(jobs: int | None = None) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "record", stopped)
    code, _, err = course("record")
    assert code == 2
    assert "The same command goes on" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seed", 1, "--patients", 13), "1 to 12 patients, not 13"),
        (("--seed", 1, "--patients", 0), "1 to 12 patients, not 0"),
        (("--seed", 1, "--kinds", "no BOS, wrong dat"), 'no kind "wrong dat" here. The nearest: wrong data'),
        (("--seed", 1, "--kinds", ""), 'no kind ""'),
        (("--seed", "x"), "not a valid integer"),
        ((), "Missing option '--seed'"),
        (("--seed", 1, "--folder", "file"), "file is there already"),
        (("--seed", 1, "--folder", "file/in"), "file/in can't be written"),
        (("--seed", 1, "--answers", "clinic-1/a.json"), "name a file outside it"),
    ],
)
def test_new_refuses_before_it_trains(
    arguments: tuple[object, ...], words: str, course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sae_course.clinic.new._train", lambda *_: pytest.fail("it trained"))
    (tmp_path / "file").write_text("mine")
    code, out, err = course("new", *arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert (tmp_path / "file").read_text() == "mine"


def test_every_help_fits_a_screen(course: Course) -> None:
    for arguments in ((), ("diagnose",), ("new",), ("record",)):
        code, out, _ = course(*arguments, "--help")
        assert code == 0
        assert len(out.splitlines()) <= 24


def test_the_page_has_the_causes_as_they_are() -> None:
    written = (project_root() / page.FILE).read_text(encoding="utf-8")
    assert written == page.renewed(written), "run python -m sae_course.clinic.page"
    assert page.table() in written
    for name, cause in CAUSES.items():
        row = next(line for line in page.table().splitlines() if line.startswith(f"| {name} |"))
        assert cause.was in row
        assert cause.cure in row
        assert row.count("|") == 6, "a bar in a text would break the table"


def test_a_page_without_its_marks_is_refused() -> None:
    from sae_course import CourseError  # noqa: PLC0415 - only here

    with pytest.raises(CourseError, match=re.escape("<!-- end of causes -->")):
        page.renewed("# The clinic\n<!-- causes -->\n")
