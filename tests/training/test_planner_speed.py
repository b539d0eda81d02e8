"""Speed of a plan in closed form, tokens by practice, and constants found again from measured rows."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_work import on_gpu

from sae_course.runtime import CourseError
from sae_course.training.planner import calibrate as calibrating
from sae_course.training.planner import calibration, page, plan, speed
from sae_course.training.planner.calibrate import calibrate, compared, fit, workload
from sae_course.training.planner.calibration import OWN_FILE, Rates, own_file
from sae_course.training.planner.grid import cpu_grid, cuda_grid, words
from sae_course.training.planner.machines import Machine, machine
from sae_course.training.planner.memory import parts, peak
from sae_course.training.planner.practice import PRACTICE, tokens_by_practice
from sae_course.training.planner.speed import PASSES, Speed, seconds_of
from sae_course.training.planner.workload import CPU, GPU

WORK = replace(on_gpu(), architecture="jumprelu")
SHAPE = WORK.shape
MADE_UP = Machine("made up", "made up", None, float32=1e3, bf16=5e3, bandwidth=1e4)
FITTED = {
    "model_efficiency": 0.25,
    "sae_efficiency": 0.125,
    "bandwidth_efficiency": 0.5,
    "passes": {"jumprelu": 7},
    "model_passes": 3,
}
# A token's way through one block, and of 10 tokens 6 are trained on.
MODEL_FLOPS = (2 * 217 + 4 * 10 * 10) * 10 / 6
# Its activations: 20 streams, 8 hidden layers, 6 rows of scores of 2 heads.
MODEL_MOVED = 4 * (20 * 3 + 8 * 7 + 6 * 10 * 2) * 10 / 6
ADAM = 10 * (2 * 3 * 8 + 8 + 3 + 8) / 30
RATES = Rates(
    machine="a processor",
    date="2030-01-01",
    threads=2,
    float32=3e11,
    bf16=5e11,
    bandwidth=2e10,
    process=10**9,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    return tmp_path


def measured(gpu: str = CPU, **fitted: Any) -> dict[str, Any]:
    return {"gpu": gpu, "rates": asdict(RATES), "fitted": fitted, "rows": []}


# Closed form.


def test_seconds_of_a_token_by_hand() -> None:
    model, sae = seconds_of(WORK, MADE_UP, FITTED)
    assert model == pytest.approx(MODEL_FLOPS / (1e3 * 0.25) + 3 * MODEL_MOVED / (1e4 * 0.5))
    products = 12 * 3 * 8 / (1e3 * 0.125)
    moved = 4 * (7 * 8 + ADAM) / (1e4 * 0.5)
    assert sae == pytest.approx(products + moved)


def test_where_nothing_was_measured_efficiencies_are_assumed() -> None:
    model, sae = seconds_of(WORK, MADE_UP, {})
    assert model == pytest.approx(MODEL_FLOPS / (1e3 * 0.5) + 2 * MODEL_MOVED / (1e4 * 0.7))
    assert sae == pytest.approx(12 * 3 * 8 / (1e3 * 0.5) + 4 * (PASSES["jumprelu"] * 8 + ADAM) / (1e4 * 0.7))
    # Another architecture's passes are not this one's.
    assert seconds_of(WORK, MADE_UP, {"passes": {"topk": 1000}}) == (model, sae)


def test_what_doubles() -> None:
    model, sae = seconds_of(WORK, MADE_UP, FITTED)
    assert seconds_of(replace(WORK, n_saes=2), MADE_UP, FITTED) == pytest.approx((model, 2 * sae))
    wide = replace(WORK, d_sae=16)
    # All of it but the biases of the input.
    bias = 4 * 10 * 3 / 30 / (1e4 * 0.5)
    assert seconds_of(wide, MADE_UP, FITTED) == pytest.approx((model, 2 * sae - bias))
    large = replace(WORK, train_batch_size_tokens=60)
    assert seconds_of(large, MADE_UP, FITTED)[1] == pytest.approx(sae - 4 * ADAM / 2 / (1e4 * 0.5))
    deep = replace(WORK, layers=2)
    assert seconds_of(deep, MADE_UP, FITTED) == pytest.approx((2 * model, sae))
    # Every token of a row is trained on: less of the model's work for each.
    assert seconds_of(replace(WORK, row_tokens=10), MADE_UP, FITTED)[0] == pytest.approx(0.6 * model)


def test_what_is_cached_needs_no_model() -> None:
    _, sae = seconds_of(WORK, MADE_UP, FITTED)
    assert seconds_of(replace(WORK, use_cached_activations=True), MADE_UP, FITTED) == (0.0, sae)


def test_autocast_is_each_ones_own() -> None:
    model, sae = seconds_of(WORK, MADE_UP, FITTED)
    moved = 4 * (7 * 8 + ADAM) / (1e4 * 0.5)
    assert seconds_of(replace(WORK, autocast=True), MADE_UP, FITTED) == pytest.approx(
        (model, moved + (sae - moved) / 5)
    )
    read = 3 * MODEL_MOVED / (1e4 * 0.5)
    for half, share in (({"autocast_lm": True}, 1), ({"model_dtype": "bfloat16"}, 0.5)):
        found = seconds_of(replace(WORK, **half), MADE_UP, FITTED)
        assert found == pytest.approx(((model - read) / 5 + share * read, sae))


def test_a_gated_sae_decodes_twice() -> None:
    assert speed.sae_flops(replace(WORK, architecture="gated", n_saes=2)) == 2 * 16 * 3 * 8


def test_the_courses_own_step_reads_the_weights_for_each_chunk() -> None:
    here = replace(WORK, device=CPU, architecture="standard", n_saes=2)
    adam, parameters = 10 / 30, 2 * 3 * 8 + 8 + 3
    # Six products of which two share a matrix, for as many rows as make 2¹⁸ pre-activations.
    assert speed.moved_weights(here) == pytest.approx(2 * 4 * parameters * (adam + 3 * 8 / 2**18))
    elsewhere = replace(here, device=GPU)
    assert speed.moved_weights(elsewhere) == pytest.approx(2 * 4 * parameters * adam)
    other = replace(here, architecture="jumprelu")
    assert speed.moved_weights(other) == pytest.approx(2 * 4 * (parameters + 8) * adam)


def test_the_courses_batchtopk_encodes_twice() -> None:
    here = replace(WORK, device=CPU, architecture="batchtopk")
    assert speed.sae_flops(here) == 14 * 3 * 8
    assert speed.sae_flops(replace(here, device=GPU)) == 12 * 3 * 8, "SAELens' own step doesn't"
    assert speed.sae_flops(replace(here, device=GPU, n_saes=2)) == 2 * 14 * 3 * 8
    assert speed.sae_flops(replace(here, architecture="topk")) == 12 * 3 * 8


def test_a_whole_run_by_hand(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {name: getattr(MADE_UP, name) for name in ("float32", "bf16", "bandwidth")}
    found_out = measured("made up", **FITTED) | {"rates": asdict(RATES) | rates}
    monkeypatch.setattr(calibration, "shipped", lambda: found_out)
    work = replace(WORK, n_evaluations=5, n_eval_batches=2, n_batches_for_norm_estimate=4, n_saes=3)
    model, sae = seconds_of(work, MADE_UP, FITTED)
    # Constants go with the rates that they were fitted to, and not with a data sheet's.
    found = speed.speed(work, replace(MADE_UP, float32=9e9, bf16=9e9, bandwidth=9e9))
    # Four passes through both blocks and the unembedding, for each SAE: 5 × 2 batches of 3 × 10 tokens.
    whole = 2 * (2 * 217 + 4 * 10 * 10) + 2 * 3 * 11
    overhead = 3 * 4 * (5 * 2 * 3 * 10) * whole / (1e3 * 0.25) + 4 * 30 * model
    assert found == Speed(
        model_flops=MODEL_FLOPS,
        sae_flops=3 * 12 * 3 * 8,
        seconds=pytest.approx(model + sae),
        model_share=pytest.approx(model / (model + sae)),
        overhead=pytest.approx(overhead),
        measured="a processor, 2030-01-01",
    )
    assert found.tokens_per_second == pytest.approx(1 / (model + sae))
    assert found.hours(1000) == pytest.approx((1000 * (model + sae) + overhead) / 3600)


def test_a_gpu_that_nobody_measured_is_marked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "shipped", lambda: measured("L4", **FITTED))
    assert plan("gemma", gpu="L4").speed.measured == "a processor, 2030-01-01"
    made = plan("gemma", gpu="T4")
    assert made.speed.measured == ""
    assert "nobody has measured NVIDIA T4" in str(made)
    assert "nobody has measured" not in str(plan("gemma", gpu="L4"))


def test_published_machines_differ_by_what_they_compute() -> None:
    def fast(gpu: str) -> float:
        work = plan("gemma", gpu=gpu).work
        return 1 / sum(seconds_of(work, machine(gpu), {}))

    order = ("T4", "L4", "A100-40", "A100-80", "H100", "H200")
    assert sorted(order, key=fast) == list(order)


# Tokens by practice.


def test_published_points_are_met() -> None:
    for width, tokens in PRACTICE:
        assert tokens_by_practice(width) == pytest.approx(tokens)
    assert PRACTICE == ((2**14, 4e9), (2**16, 8e9), (2**20, 16e9))  # Gemma Scope's


def test_between_published_points_both_grow_by_factors() -> None:
    assert tokens_by_practice(2**15) == pytest.approx(4e9 * 2**0.5)
    assert tokens_by_practice(2**18) == pytest.approx(8e9 * 2**0.5)
    widths = [2**13, 18_432, 2**15, 2**16, 100_000, 2**19, 2**20, 2**21]
    tokens = [tokens_by_practice(width) for width in widths]
    assert None not in tokens
    assert tokens == sorted(tokens)  # type: ignore[type-var]


def test_far_from_published_points_nothing_is_said() -> None:
    assert tokens_by_practice(2**13) == pytest.approx(4e9 / 2**0.5)
    assert tokens_by_practice(2**21) == pytest.approx(16e9 * 2**0.25)
    assert tokens_by_practice(2**13 - 1) is None
    assert tokens_by_practice(2**21 + 1) is None


# Calibration: what was measured, on this machine or by the authors.


def kept(folder: Path, value: Any, file: str = OWN_FILE) -> None:
    (folder / file).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def test_ones_own_measurement_comes_before_the_shipped_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "shipped", measured)
    assert calibration.own() is None
    assert calibration.rates() == RATES
    mine = replace(RATES, machine="mine", float32=1.0)
    kept(home, {"measured": measured() | {"rates": asdict(mine)}})
    assert calibration.rates() == mine
    assert machine("cpu") == Machine(CPU, "mine, 2 threads", None, 1.0, 5e11, 2e10)
    assert calibration.process_bytes() == 10**9
    # One's own GPU says nothing of the processor, and nothing of another GPU.
    (home / OWN_FILE).rename(home / own_file("T4"))
    kept(home, {"measured": measured("T4") | {"rates": asdict(mine)}}, own_file("T4"))
    assert calibration.rates() == RATES
    assert calibration.rates("T4") == mine
    assert calibration.rates("L4") is None


@pytest.mark.parametrize(
    "value",
    [
        '{"half',
        "[]",
        "\x00",
        "{}",
        {"measured": {}},
        {"measured": measured() | {"rates": {"machine": "x"}}},
        *(
            {"measured": {key: value for key, value in measured().items() if key != out}}
            for out in ("gpu", "fitted")
        ),
    ],
    ids=["half", "list", "binary", "empty", "nothing-measured", "rates", "gpu", "fitted"],
)
@pytest.mark.parametrize("gpu", [CPU, "T4"])
def test_a_damaged_calibration_is_told(home: Path, value: Any, gpu: str) -> None:
    kept(home, value, own_file(gpu))
    with pytest.raises(CourseError, match=rf"calibration-{gpu}\.json can't be read as a cal.*: delete it"):
        plan("gemma", gpu="T4")


def test_what_the_course_ships_is_whole() -> None:
    found = calibration.shipped()
    assert found["gpu"] == CPU
    assert Rates(**found["rates"]).process > 0
    assert {"gpu", "rates", "fitted", "rows"} <= set(found)
    assert all(case["case"] in cpu_grid() for case in found["rows"]), "of the grid as it is"


# Fit and comparison, on rows whose constants are known.

TRUE = {
    "model_efficiency": 0.4,
    "model_passes": 1.5,
    "sae_efficiency": 0.7,
    "bandwidth_efficiency": 1.0,
    "passes": PASSES | {"standard": 21.0, "topk": 33.0, "batchtopk": 55.0, "gated": 13.0, "jumprelu": 8.0},
}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """As `calibrate` keeps them, measured at moments of which some were slow."""
    processor = Machine(CPU, "", None, RATES.float32, RATES.bf16, RATES.bandwidth)
    found = []
    for number, case in enumerate(cpu_grid()):
        work = workload(case)
        model, sae = seconds_of(work, processor, TRUE)
        slow = (1.0, 2.0, 0.5)[number % 3]
        row = {"model_seconds": model * work.row_tokens / work.context_size * slow, "sae_seconds": sae * slow}
        found.append(
            {"case": case, **row, "reference": 1e11 / slow, "ready": 1.0, "peak": peak(parts(work), CPU)}
        )
    return found


def test_constants_are_found_again(rows: list[dict[str, Any]]) -> None:
    found = fit(rows, RATES)
    assert found["usual_reference"] == 1e11
    for name in ("model_efficiency", "model_passes", "sae_efficiency", "bandwidth_efficiency"):
        assert found[name] == pytest.approx(TRUE[name], rel=1e-6), name
    assert found["passes"] == pytest.approx(TRUE["passes"], rel=1e-6)


def test_only_chosen_rows_are_fitted(rows: list[dict[str, Any]]) -> None:
    off = [row if row["case"]["fit"] else row | {"sae_seconds": 99.0, "model_seconds": 99.0} for row in rows]
    assert fit(off, RATES) == fit(rows, RATES)
    assert 0 < sum(row["case"]["fit"] for row in rows) < len(rows)


def test_a_plan_is_compared_with_rows_that_it_predicts(rows: list[dict[str, Any]]) -> None:
    # Othello's rows are cut: a measurement is of the tokens that the model reads.
    uncut = [row for row in rows if "othello" not in row["case"]["preset"]]
    failed = {"case": cpu_grid()[0], "failed": "took too long"}
    found = {"gpu": CPU, "rates": asdict(RATES), "fitted": fit(rows, RATES), "rows": [*uncut, failed]}
    table = compared(found)
    assert len(table) == len(uncut)
    for row in table:
        assert row["memory_ratio"] == 1
        assert row["time_ratio"] == pytest.approx(1, rel=1e-6), row["case"]
        assert row["predicted"] is not row["case"]["fit"]
    # A whole machine that is slower than usual is none of the plan's doing; one case that is slower is.
    slower = [
        row | {"sae_seconds": 2 * row["sae_seconds"], "model_seconds": 2 * row["model_seconds"]}
        for row in uncut
    ]
    assert all(row["time_ratio"] == pytest.approx(1) for row in compared(found | {"rows": slower}))
    one = compared(found | {"rows": [slower[0], *uncut[1:]]})
    assert one[0]["time_ratio"] == pytest.approx(0.5 * one[1]["time_ratio"])
    less = [row | {"peak": row["peak"] / 2} for row in uncut]
    assert all(row["memory_ratio"] == pytest.approx(2) for row in compared(found | {"rows": less}))


def test_rows_that_are_cut_are_compared_too(rows: list[dict[str, Any]]) -> None:
    found = {"gpu": CPU, "rates": asdict(RATES), "fitted": fit(rows, RATES), "rows": rows}
    for row in compared(found):
        assert row["time_ratio"] == pytest.approx(1, rel=0.02), row["case"]


def test_a_chunk_is_that_of_the_courses_own_step() -> None:
    from sae_course.training.batched import gradients  # noqa: PLC0415 - torch, which a plan does without

    assert gradients.CHUNK["cpu"] == speed.CHUNK


# The grid.


def test_every_case_of_the_grid_is_a_run_that_can_run() -> None:
    grid = [*cpu_grid(), *cuda_grid()]
    keys = [json.dumps(case, sort_keys=True) for case in grid]
    assert len(set(keys)) == len(keys)
    for case in grid:
        work = workload(case).checked()
        changes = case.get("changes", {})
        assert all(getattr(work, name) == value for name, value in changes.items() if name != "hook_name")
        assert all(getattr(work.shape, name) == value for name, value in case.get("shape", {}).items())
        if "hook_name" in changes:
            assert work.layers == 2
            assert work.d_in == work.shape.d_model == 1024
        assert (work.device == GPU) == ("device" in case)
        assert words(case)
    fitted = {case["architecture"] for case in cpu_grid() if case["fit"]}
    assert {case["architecture"] for case in cpu_grid()} == fitted, "each has constants of its own"


def test_words_of_a_case() -> None:
    cases = [words(case) for case in cpu_grid()]
    assert "tinystories topk, buffer 2,048" in cases
    assert "wide jumprelu, d_sae 4,096, batch 4,096" in cases
    assert len(set(cases)) == len(cases)


# The page.


def test_tables_of_the_page_have_a_line_for_each_row(rows: list[dict[str, Any]]) -> None:
    found = {"gpu": CPU, "rates": asdict(RATES), "fitted": fit(rows, RATES), "rows": rows}
    lines = page.table(compared(found)).splitlines()
    assert len(lines) == 2 + len(rows)
    assert sum("| fitted" in line for line in lines) == sum(row["case"]["fit"] for row in rows)
    traced = {"run": "x", "planned": dict.fromkeys(("fill", "step", "evaluation"), 3 * 2**30)}
    traced["traced"] = dict.fromkeys(("fill", "step", "evaluation"), 2 * 2**30)
    assert page.traced_table([traced]).splitlines()[-1].count("3.00 / 2.00 (1.50)") == 3


# Measuring.


def test_one_case_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "cpu_grid", lambda: [_small(), *cpu_grid()])
    lines: list[str] = []
    found = calibrate(only=1, folder=tmp_path, show=lines.append)
    (row,) = found["rows"]
    assert row["case"] == _small()
    assert all(row[name] > 0 for name in ("model_seconds", "sae_seconds", "reference", "ready", "peak"))
    assert 2**28 < row["ready"] < row["peak"] < 2**32
    assert 1e-9 < row["model_seconds"] + row["sae_seconds"] < 1e-1
    assert lines[0].startswith("1 of 1: tinystories standard, d_sae 64")
    rates = Rates(**found["rates"])
    assert 1e9 < rates.float32 < 1e14
    assert 1e8 < rates.bandwidth < 1e13
    assert rates.process == row["ready"]
    # It is where a plan finds it, and what was kept on the way is gone.
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    assert calibration.own() == json.loads(json.dumps(found))
    assert machine("cpu").float32 == rates.float32
    assert [path.name for path in tmp_path.iterdir()] == [OWN_FILE]
    assert compared(found)[0]["time_ratio"] == pytest.approx(1)


def _small() -> dict[str, Any]:
    return cpu_grid()[1] | {"changes": {"d_sae": 64, "n_batches_in_buffer": 32}}


@pytest.fixture
def without_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "_rates", lambda device, gpu, good: RATES)


def one_row(seconds: float = 1e-5) -> dict[str, float]:
    return {"model_seconds": seconds, "sae_seconds": seconds, "reference": 1e11, "ready": 1e8, "peak": 1e9}


@pytest.mark.usefixtures("without_rates")
def test_a_calibration_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def measure(stop_at: int) -> Callable[[dict[str, Any]], dict[str, float]]:
        def run(case: dict[str, Any]) -> dict[str, float]:
            if len(asked) == stop_at:
                raise KeyboardInterrupt
            asked.append(case)
            return one_row(len(asked) * 1e-5)

        return run

    monkeypatch.setattr(calibrating, "_measured", measure(2))
    with pytest.raises(KeyboardInterrupt):
        calibrate(only=4, folder=tmp_path, show=lambda line: None)
    assert not (tmp_path / OWN_FILE).exists()
    monkeypatch.setattr(calibrating, "_measured", measure(99))
    found = calibrate(only=4, folder=tmp_path, show=lambda line: None)
    assert asked == cpu_grid()[:4], "each once"
    assert [row["sae_seconds"] for row in found["rows"]] == pytest.approx([1e-5, 2e-5, 3e-5, 4e-5])
    assert [row["case"] for row in found["rows"]] == cpu_grid()[:4]


@pytest.mark.usefixtures("without_rates")
def test_a_case_that_fails_is_a_row_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [
        SimpleNamespace(returncode=1, stdout="", stderr="Traceback\n  line\nRuntimeError: too large\n"),
        SimpleNamespace(returncode=0, stdout=f"a warning\n{json.dumps(one_row())}\n", stderr="said"),
        SimpleNamespace(returncode=-9, stdout="", stderr=""),
        subprocess.TimeoutExpired("measure", 900),
    ]

    def run(command: list[str], **given: Any) -> Any:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(calibrating.subprocess, "run", run)
    lines: list[str] = []
    found = calibrate(only=4, folder=tmp_path, show=lines.append)
    assert [row.get("failed") for row in found["rows"]] == [
        "RuntimeError: too large",
        None,
        "killed: out of memory?",
        "took longer than 900 s",
    ]
    assert lines[0] == "1 of 4: tinystories batchtopk: RuntimeError: too large"
    assert lines[1] == "2 of 4: tinystories standard: 50,000 tokens/s, peak 0.93 GiB"
    # It counts for nothing in the comparison.
    assert [row["case"] for row in compared(found)] == [cpu_grid()[1]]


@pytest.mark.usefixtures("without_rates")
def test_where_no_case_for_the_fit_could_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {json.dumps(case): {"failed": "no room"} if case["fit"] else one_row() for case in cpu_grid()}
    monkeypatch.setattr(calibrating, "_measured", lambda case: ends[json.dumps(case)])
    with pytest.raises(CourseError, match="no room"):
        calibrate(folder=tmp_path, show=lambda line: None)


def test_a_damaged_part_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "calibration-cpu.part.json").write_text('{"half')
    with pytest.raises(CourseError, match=r"part\.json"):
        calibrate(only=1, folder=tmp_path, show=lambda line: None)


@pytest.mark.usefixtures("without_rates")
def test_where_nothing_could_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "_measured", lambda case: {"failed": "no room"})
    with pytest.raises(CourseError, match="Nothing could be measured: no room"):
        calibrate(only=2, folder=tmp_path, show=lambda line: None)
    assert not (tmp_path / OWN_FILE).exists()


def test_no_gpu_is_measured_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(CourseError, match="no CUDA here"):
        calibrate(device="cuda", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "gib", "planners"),
    [
        ("Tesla T4", 14.56, "T4"),
        ("NVIDIA L4", 22.0, "L4"),
        ("NVIDIA A100-SXM4-40GB", 39.4, "A100-40"),
        ("NVIDIA A100-SXM4-80GB", 79.2, "A100-80"),
        ("NVIDIA H100 80GB HBM3", 79.1, "H100"),
        ("NVIDIA H200", 139.8, "H200"),
        ("NVIDIA GeForce RTX 4090", 23.6, "4090"),
        ("NVIDIA B200", 178.0, "NVIDIA B200"),
    ],
)
def test_a_gpu_is_called_as_the_planner_calls_it(
    monkeypatch: pytest.MonkeyPatch, name: str, gib: float, planners: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: name)
    memory = SimpleNamespace(total_memory=int(gib * 2**30))
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda at: memory)
    assert calibrating._gpu() == planners
