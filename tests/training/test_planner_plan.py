"""A plan as a person reads it: text, tables, figure, JSON, and the command line."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sae_course import cli
from sae_course.models import MODELS
from sae_course.runtime import CourseError, current
from sae_course.training.planner import Plan, calibration, plan
from sae_course.training.planner.commands import count
from sae_course.training.planner.machines import GIB, machine
from sae_course.training.planner.memory import PHASES, devices, parts, peak, sum_of
from sae_course.training.planner.plan import _big, _gib, _time, make
from sae_course.training.planner.speed import speed
from sae_course.training.planner.workload import CPU, GPU, SECOND
from sae_course.training.presets import preset

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_measured_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))


def gemma(gpu: str = "T4", **given: Any) -> Plan:
    """With as many rows in an evaluation as SAELens takes by default."""
    return plan("gemma", gpu=gpu, **({"eval_batch_size_prompts": 8} | given))


# What is asked for.


def test_a_plan_is_of_what_was_asked_for() -> None:
    made = gemma(tokens=1e9, saes=3, recipe="seed", layer=20, d_sae=4096, scale="full")
    assert made.name == "3 × gemma (full, gated)"
    work = made.work
    assert (work.training_tokens, work.n_saes, work.layers, work.d_sae) == (10**9, 3, 21, 4096)
    assert made.parts == tuple(parts(work))
    assert made.speed == speed(work, made.machine)
    assert gemma(architecture="jumprelu").name == "gemma (full, jumprelu)"
    assert plan("gemma-2-2b", gpu="T4").work == plan("gemma", gpu="T4").work, "by its model's name, too"


def test_the_scale_is_full_on_a_gpu_and_the_sessions_on_a_cpu() -> None:
    assert gemma().work.scale == "full"
    assert plan("gemma").work.scale == current().scale == "mini"
    assert plan("gemma", scale="full").work.scale == "full"
    assert gemma(scale="mini").work.scale == "mini"
    with pytest.raises(CourseError, match="no scale 'huge': use 'mini' or 'full'"):
        gemma(scale="huge")


def test_a_configuration_has_its_own_scale_architecture_and_layer() -> None:
    cfg = preset("gemma", "full", "today", device="cpu")
    made = plan(cfg, gpu="T4", tokens=1e9, saes=2, n_batches_in_buffer=64)
    assert made.name == "2 × gemma-2-2b (batchtopk)"
    assert made.work == plan("gemma", gpu="T4", tokens=1e9, saes=2, n_batches_in_buffer=64).work
    for given in ({"scale": "full"}, {"architecture": "topk"}, {"layer": 0}):
        with pytest.raises(CourseError, match=f"{next(iter(given))} is for a preset's name"):
            plan(cfg, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("price", [-0.01, float("nan"), float("inf")])
def test_a_price_that_is_none(price: float) -> None:
    with pytest.raises(CourseError, match="a number of at least 0"):
        gemma(price=price)
    assert gemma(price=0).cost == 0


# Numbers.


def test_hours_cost_and_disk() -> None:
    made = gemma(price=0.5, tokens=1e9, saes=2)
    work = made.work
    assert made.hours == made.speed.hours(10**9)
    assert made.cost == pytest.approx(made.hours * 0.5)
    assert gemma().cost is None
    sae = 4 * (2 * 2304 * 18_432 + 18_432 + 2304) * 2
    assert made.disk == {
        # Weights, both of Adam's averages, and the buffer.
        "checkpoint": 3 * sae + 4 * 128 * 1024 * 2304,
        "finished SAE": sae,
        "cached activations": 4 * 2304 * 10**9,
    }
    assert made.tokens_by_practice == pytest.approx(4.24e9, rel=0.01)
    assert work.n_saes == 2


def test_the_peak_is_on_the_gpu_that_is_fullest() -> None:
    apart = gemma("H200", llm_device="cuda:1")
    assert apart.fullest == SECOND
    assert apart.peak == peak(list(apart.parts), SECOND) > peak(list(apart.parts), GPU)
    aside = gemma("H200", act_store_device="cpu", n_batches_in_buffer=65_536)
    assert aside.peak == peak(list(aside.parts), GPU) < peak(list(aside.parts), CPU)
    assert plan("gemma").peak == peak(list(plan("gemma").parts), CPU)


def test_what_does_not_fit_is_larger_than_what_there_is() -> None:
    made = gemma("A100-40", llm_device="cuda:1")
    assert not made.fits
    needed, there = re.findall(r"does not fit: ([\d.]+) of ([\d.]+) GiB", str(made))[0]
    assert float(needed) > float(there)


def test_a_plan_fits_up_to_the_last_byte() -> None:
    made = gemma("H200")
    full = replace(made, machine=replace(made.machine, memory=made.peak))
    assert full.fits
    assert not replace(full, machine=replace(full.machine, memory=made.peak - 1)).fits
    assert plan("gemma").fits, "what a CPU has, the planner does not know"


# Text and tables.


def test_a_plan_that_does_not_fit_says_so_and_what_to_change() -> None:
    lines = str(gemma(price=0.35)).splitlines()
    assert lines[0] == "gemma (full, batchtopk) on NVIDIA T4, 16 GB"
    assert "✘ does not fit: 53.7 of 14.6 GiB." in lines
    at = lines.index("It fits with")
    assert lines[at + 1].startswith("  eval_batch_size_prompts = 1  saves 33.94 GiB; costs ")
    made = gemma(price=0.35)
    assert f"cost{'':18}{made.cost:,.2f} at 0.35 an hour" in lines
    assert not [line for line in lines if line.startswith("As it is")]
    assert "cost " not in str(gemma())


def test_a_plan_that_fits_says_so() -> None:
    text = str(gemma("H100"))
    assert "✔ fits: 53.7 of 79.1 GiB." in text
    assert "saves" not in text
    assert "Peak 0." in str(plan("gemma"))


def test_where_the_sae_itself_is_changed_a_larger_gpu_is_named() -> None:
    wide = gemma(d_sae=2**18)
    assert "d_sae" in [one.setting for one in wide.changes]
    named = re.search(r"As it is, it fits (NVIDIA [^,]+), (\d+) GB", str(wide))
    assert named
    assert wide.peak <= float(named[2]) * GIB
    assert all(gpu.memory < wide.peak for gpu in (machine("T4"), machine("L4")) if gpu.memory)


def test_the_tables_in_the_text_are_the_parts() -> None:
    made = gemma(act_store_device="cpu")
    text = str(made)
    assert text.index("GiB on the GPU") < text.index("GiB on the computer")
    sums = re.findall(r"^together +(.*)$", text, re.MULTILINE)
    assert len(sums) == len(devices(list(made.parts))) == 2
    for device, line in zip((GPU, CPU), sums, strict=True):
        shown = [one for phase in PHASES if (one := sum_of(list(made.parts), device, phase))]
        assert line.split() == [f"{size / GIB:.2f}" for size in shown]


def test_a_table_has_every_part_and_its_sums() -> None:
    made = gemma(act_store_device="cpu")
    for device in (GPU, CPU):
        table = made.table(device)
        assert list(table.columns) == [phase for phase in PHASES if sum_of(list(made.parts), device, phase)]
        for phase in table.columns:
            assert table.loc["together", phase] == pytest.approx(
                sum_of(list(made.parts), device, phase) / GIB
            )
            assert table[phase].drop("together").sum() == pytest.approx(table.loc["together", phase])
        names = {part.name for part in made.parts if part.device == device}
        assert set(table.index) == names | {"together"}
    assert made.table().equals(made.table(GPU))


def test_lines_that_are_not_for_every_plan() -> None:
    text = str(gemma())
    assert "accept it at https://huggingface.co/google/gemma-2-2b, then: hf auth login" in text
    assert "licence" not in str(plan("gemma")), "the mini model is the course's own"
    assert "licence" not in str(plan("tinystories", gpu="T4"))
    assert "in the SAE\n" in text
    assert "in 3 SAEs\n" in str(gemma(saes=3))
    assert "4.24 G for 18,432 latents (Gemma Scope: 4 billion" in text
    assert "nothing is published for 4,096 latents" in str(gemma(d_sae=4096))
    assert "1 G in 244,140 steps of 4,096" in str(gemma(tokens=1e9))


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (10 / 3600, "10 s"),
        (59 / 3600, "59 s"),
        (1 / 60, "1 min"),
        (1.5, "90 min"),
        (2, "2 h"),
        (71, "71 h"),
        (72, "72 h, 3.0 days"),
        (240, "240 h, 10.0 days"),
    ],
)
def test_times(hours: float, text: str) -> None:
    assert _time(hours) == text


def test_sizes() -> None:
    assert [_gib(size * GIB) for size in (0, 0.004, 0.006, 1.234, 100)] == [
        "",
        "<0.01",
        "0.01",
        "1.23",
        "100.00",
    ]
    assert [_big(n) for n in (5, 1500, 1.24e6, 1e9, 9.2e12)] == ["5 ", "1.5 k", "1.24 M", "1 G", "9.2 T"]


def test_a_page_is_escaped_and_complete() -> None:
    made = make("<i>mine</i> & yours", gemma(act_store_device="cpu").work, machine("T4"), 1.0)
    html = made._repr_html_()
    assert "&lt;i&gt;mine&lt;/i&gt; &amp; yours" in html
    assert "<i>" not in html
    assert html.count("<table") == 3
    for name, value in made._numbers():
        assert f"<td>{name}</td>" in html
        assert value.replace("&", "&amp;").replace("'", "&#x27;") in html
    assert "does not fit" in html
    assert "GiB on the computer" in html


def test_a_plan_is_the_same_after_json() -> None:
    for made in (gemma(price=0.5, d_sae=65_536), plan("tinystories"), gemma("H200")):
        found = made.as_dict()
        assert json.loads(json.dumps(found, allow_nan=False)) == found
    found = gemma(price=0.5, tokens=1e9).as_dict()
    made = gemma(price=0.5, tokens=1e9)
    assert (found["run"], found["gpu"], found["fits"], found["fits_changed"]) == (
        made.name,
        "T4",
        False,
        True,
    )
    assert (found["peak_bytes"], found["memory_bytes"]) == (made.peak, made.machine.memory)
    assert (found["tokens"], found["hours"], found["cost"]) == (10**9, made.hours, made.cost)
    assert found["tokens_per_second"] == made.speed.tokens_per_second
    assert sum(part["bytes"] for part in found["parts"]) == sum(part.bytes for part in made.parts)
    assert [change["setting"] for change in found["changes"]] == [one.setting for one in made.changes]
    assert found["disk_bytes"] == made.disk
    assert found["measured"] == ""


@pytest.mark.parametrize("changes", [{}, {"llm_device": "cuda:1"}], ids=["one", "two"])
def test_the_bars_of_a_figure_sum_to_the_peak_below_its_line(changes: dict[str, Any]) -> None:
    made = gemma(**changes)
    fig = made.figure()
    sums = {}
    for at, phase in enumerate(fig.data[0].x):
        sums[phase] = sum(bar.y[at] for bar in fig.data)
        assert sums[phase] == pytest.approx(sum_of(list(made.parts), made.fullest, phase) / GIB)
    assert max(sums.values()) == pytest.approx(made.peak / GIB)
    (line,) = fig.layout.shapes
    assert line.y0 == made.machine.memory / GIB
    title = fig.layout.title.text.replace("<br>", " ")
    assert f"evaluation takes most, {made.peak / GIB:.1f} GiB of 14.6" in title
    assert not plan("gemma").figure().layout.shapes


# The command line.


def course(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """In this process, as the console script does it: the exit code."""
    monkeypatch.setattr(sys, "argv", ["sae-course", "plan", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_a_plan_needs_no_torch_and_says_by_its_code_whether_it_fits(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from sae_course.cli import main\n"
        "sys.argv = ['sae-course', *sys.argv[1:]]\n"
        "try:\n    main()\n"
        "finally:\n"
        "    heavy = 'torch sae_lens transformer_lens transformers datasets pandas plotly'.split()\n"
        "    print('imported:', [name for name in heavy if name in sys.modules])\n"
    )
    for gpu, rc in (("T4", 2), ("H100", 0)):
        done = subprocess.run(
            [sys.executable, "-c", code, "plan", "gemma", "--gpu", gpu, "--tokens", "1e9"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "utils")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == rc, done.stderr
        assert "tokens                1 G in 244,140 steps" in done.stdout
        assert done.stdout.splitlines()[-1] == "imported: []"
        assert done.stderr == ""
        assert "https://huggingface.co/google/gemma-2-2b" in done.stdout


def test_what_is_typed_is_what_is_planned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = "gemma --gpu T4 --tokens 1e9 --price 0.5 --saes 2 --scale full --recipe seed --architecture topk"
    more = "--layer 3 --set d_sae=4096 --set autocast=false --set act_store_device=cpu"
    assert course(monkeypatch, *typed.split(), *more.split(), "--json") == 2
    made = plan(
        "gemma",
        gpu="T4",
        tokens=10**9,
        price=0.5,
        saes=2,
        scale="full",
        recipe="seed",
        architecture="topk",
        layer=3,
        d_sae=4096,
        autocast=False,
        act_store_device="cpu",
    )
    assert json.loads(capsys.readouterr().out) == made.as_dict()
    assert course(monkeypatch, "tinystories") == 0
    assert capsys.readouterr().out == str(plan("tinystories")) + "\n"


def test_a_message_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    message = "CUDA out of memory. Tried to allocate 7.81 GiB."
    rows = ("--set", "eval_batch_size_prompts=8")
    assert course(monkeypatch, "gemma", "--gpu", "T4", *rows, "--oom", message) == 0
    assert capsys.readouterr().out.startswith(
        "The allocation that failed has the size of the logits of 8 rows"
    )


BAD = [
    ([], "Name a preset: sae-course plan gemma"),
    (["gemma", "--gpu", "B200"], 'knows no GPU "B200"'),
    (["gema"], "did you mean gemma"),
    *(
        (["gemma", "--tokens", text], "--tokens is a whole number above 0")
        for text in ("-5", "0", "nan", "1.5")
    ),
    *((["gemma", "--tokens", text], f'not "{text}"') for text in ("inf", "many", "1e-3", "")),
    (["gemma", "--tokens", "100"], "100 tokens are less than one batch of 2,048"),
    (["gemma", "--set", "n_batches_in_buffer=1"], "Use n_batches_in_buffer = 8 or more"),
    (["gemma", "--set", "context_size=10000"], "gemma-2-2b reads 256 tokens at mini scale"),
    (["gemma", "--set", "lr=1e-3"], 'does not depend on "lr"'),
    (["gemma", "--set", "d_sae"], "--set takes NAME=VALUE"),
    (["gemma", "--set", "d_sae=wide"], "d_sae is a whole number, not 'wide'"),
    (["gemma", "--set", "d_sae=0"], "d_sae is at least 1, not 0"),
    (["gemma", "--architecture", "relu"], 'no architecture "relu"'),
    (["gemma", "--recipe", "old"], 'no recipe "old"'),
    (["gemma", "--layer", "4"], "layers 0 to 3 at mini scale, not 4"),
    (["gemma", "--layer", "first"], "--layer"),
    (["gemma", "--scale", "huge"], "no scale 'huge'"),
    (["gemma", "--price", "-1"], "price of an hour is a number of at least 0, not -1"),
    (["gemma", "--price", "nan"], "price of an hour"),
    (["gemma", "--price", "free"], "--price"),
    (["gemma", "--saes", "0"], "n_saes is at least 1, not 0"),
    (["gemma", "--gpu", "T4", "--oom", "killed"], "no allocation is named"),
    (["gemma", "--oom", "Tried to allocate 2.00 GiB"], 'name it, such as gpu="T4"'),
    (["gemma", "--set", "d_sae=1e999"], "d_sae is a whole number, not inf"),
    (["--calibrate", "--gpu", "T4"], "--calibrate measures the machine at hand"),
    (["gemma", "--set", "model_dtype=floatt32"], "float32, bfloat16 or float16"),
    *(
        (["gemma", "--gpu", "T4", "--set", text], text.split("=")[0])
        for text in ("act_store_device=disk", "n_eval_batches=-3")
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda value: " ".join(value) if type(value) is list else ""
)
def test_what_cannot_be_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    # No preset of another model, and no traceback: `course` lets no other exception through.
    assert course(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    said = [line for line in err.splitlines() if line and not line.startswith(("Usage:", "Try "))]
    assert len(said) == 1, err
    assert message in said[0]


def test_a_damaged_calibration_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / calibration.OWN_FILE).write_text('{"half')
    assert course(monkeypatch, "gemma", "--gpu", "T4") == 2
    assert "can't be read as a calibration" in capsys.readouterr().err


def test_numbers_of_tokens() -> None:
    assert [count(text) for text in ("1e9", "500_000", "1,000,000", "2.5e3", "7")] == [
        10**9,
        500_000,
        10**6,
        2500,
        7,
    ]
    assert type(count("1e9")) is int


def test_every_model_has_a_plan_on_every_machine() -> None:
    for name in MODELS:
        for gpu in ("cpu", "T4", "L4", "4090", "A100-40", "A100-80", "H100", "H200"):
            made = plan(name, gpu=gpu)
            assert made.hours > 0
            assert str(made)
