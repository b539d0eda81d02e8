"""Loading a run: whole, growing, damaged, or none."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from recorded import DENSITY, contents, record

from sae_course.runs import Run, list_runs
from sae_course.runtime import CourseError


def test_a_finished_run(tmp_path: Path) -> None:
    record(tmp_path / "a")
    run = Run.load(tmp_path / "a")
    assert (run.name, run.status, run.seconds, run.step) == ("a", "finished", 12.5, 49)
    assert run.config["sae"]["k"] == 16
    assert run.notes["tokens"] == 51200
    assert run.metrics.index.name == "step"
    assert list(run.metrics.index) == [9, 19, 29, 39, 49], "two lines of one step are one row"
    assert run.metrics.loc[49].to_dict() == run.final
    assert math.isnan(run.metrics.loc[39, "model_performance_preservation.ce_loss_score"])
    assert run.histogram_names == [DENSITY]
    steps, counts, edges = run.histogram()
    assert steps == [9, 29, 49]
    assert counts[1].tolist() == [1, 29, 0]
    assert edges[0].tolist() == [-10, -6, -3, 0]
    assert run.histogram("feature_density_line_chart").steps == steps


def test_a_run_as_far_as_it_got(tmp_path: Path) -> None:
    record(tmp_path / "a", finish=False)
    path = tmp_path / "a" / "metrics.jsonl"
    whole = path.read_bytes()
    expected = Run.load(tmp_path / "a").metrics
    for cut in range(1, len(whole.splitlines()[-1]) + 2):
        path.write_bytes(whole[:-cut])
        run = Run.load(tmp_path / "a")
        assert run.status == "running"
        assert run.metrics.equals(expected[["metrics/l0", "sparsity/dead_features"]])
        assert run.final == {"metrics/l0": 18, "sparsity/dead_features": 1}
    path.write_bytes(b"")
    assert Run.load(tmp_path / "a").metrics.empty
    assert Run.load(tmp_path / "a").final == {}
    assert Run.load(tmp_path / "a").step is None
    path.unlink()
    assert Run.load(tmp_path / "a").metrics.empty


def test_later_lines_of_a_step_win(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a", steps=10, finish=False)
    recorder.log(9, {"metrics/l0": 7})
    recorder.log(5, {"metrics/l0": 6})
    run = Run.load(tmp_path / "a")
    assert list(run.metrics["metrics/l0"].items()) == [(5, 6), (9, 7)]
    assert run.step == recorder.step == 9


def test_histograms_of_several_names(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a", finish=False)
    recorder.histogram(59, "weights/W_dec_norms", [5], [0, 2])
    recorder.histogram(57, "weights/W_dec_norms", [4], [0, 1])
    run = Run.load(tmp_path / "a")
    assert run.histogram_names == [DENSITY, "weights/W_dec_norms"]
    assert run.histogram("W_dec_norms").steps == [57, 59]
    assert [counts.tolist() for counts in run.histogram("W_dec_norms").counts] == [[4], [5]]
    assert run.histogram().steps == [9, 29, 49]


def test_no_run(tmp_path: Path) -> None:
    record(tmp_path / "runs" / "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for place, words in (
        ("nowhere", "There is no folder"),
        ("empty", r"holds no run: there is no run\.json"),
        ("file", "is a file"),
        ("runs", r"it holds runs: a\. Load one of those"),
    ):
        with pytest.raises(CourseError, match=words):
            Run.load(tmp_path / place)


def damaged(folder: Path, file: str, data: bytes, words: str) -> None:
    """Loading raises the message and changes nothing."""
    path = folder / file
    whole = path.read_bytes()
    path.write_bytes(data)
    before = contents(folder)
    with pytest.raises(CourseError, match=words):
        _ = Run.load(folder).metrics, Run.load(folder).histogram_names
    assert contents(folder) == before
    path.write_bytes(whole)


def test_a_damaged_record(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    record(folder)
    whole = (folder / "run.json").read_bytes()
    value = json.loads(whole)
    for size in (0, 1, len(whole) // 2, len(whole) - 3):
        damaged(folder, "run.json", whole[:size], "run.json is cut short or not JSON")
    damaged(folder, "run.json", b"\xff\xfe\x00", "run.json is cut short or not JSON")
    for wrong in (b"[]", b"3", b"{}", b'{"format": "1"}'):
        damaged(folder, "run.json", wrong, 'it has no "format"')
    newer = json.dumps(value | {"format": 2}).encode()
    damaged(folder, "run.json", newer, "format 2 and this course knows up to 1: update the course")
    for key, bad in (("name", None), ("config", []), ("final", 3), ("notes", None), ("files", "x")):
        damaged(folder, "run.json", json.dumps(value | {key: bad}).encode(), f'"{key}" should be')
        del (without := dict(value))[key]
        damaged(folder, "run.json", json.dumps(without).encode(), f'"{key}" should be')
    damaged(folder, "run.json", json.dumps(value | {"status": "done"}).encode(), '"status" should be')


@pytest.mark.parametrize("file", ["metrics.jsonl", "histograms.jsonl"])
def test_damaged_lines_of_a_finished_run(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "a"
    record(folder)
    whole = (folder / file).read_bytes()
    n = whole.count(b"\n")
    damaged(folder, file, b"", f"{file} is cut off: 0 of {n} lines")
    damaged(folder, file, whole[:-1], f"{file} is cut off: {n - 1} of {n} lines")
    damaged(folder, file, b"".join(whole.splitlines(True)[:2]), f"is cut off: 2 of {n} lines")
    damaged(folder, file, whole.replace(b"9", b"8", 1), "was changed after the run had finished")
    damaged(folder, file, whole + b"{}\n", "was changed after the run had finished")
    (folder / file).unlink()
    with pytest.raises(CourseError, match=f"is missing; it should have {n} lines"):
        Run.load(folder)
    (folder / file).write_bytes(b"".join(whole.splitlines(True)[:2]) + b'{"st')
    rest = Run.load(folder, check=False)
    assert rest.final["metrics/l0"] == 18, "what run.json says"
    assert len(rest.metrics) == (2 if file == "metrics.jsonl" else 5)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"oops", "no JSON object"),
        (b"[1]", "no JSON object"),
        (b"", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b'{"x": 1}', 'no whole number as "step"'),
        (b'{"step": 1.5}', 'no whole number as "step"'),
        (b'{"step": 3, "x": "y"}', "x is not a number"),
        (b'{"step": 3, "x": {"y": 1}}', "x is not a number"),
    ],
)
def test_an_unreadable_line_in_the_middle(tmp_path: Path, line: bytes, why: str) -> None:
    record(tmp_path / "a", finish=False)
    whole = (tmp_path / "a" / "metrics.jsonl").read_bytes().splitlines(True)
    data = b"".join([*whole[:2], line + b"\n", *whole[2:]])
    damaged(tmp_path / "a", "metrics.jsonl", data, rf"line 3 of 7 can't be read \(.*{why}")


def test_a_histograms_line_that_does_not_fit(tmp_path: Path) -> None:
    record(tmp_path / "a", finish=False)
    data = (tmp_path / "a" / "histograms.jsonl").read_bytes().replace(b"-10, ", b"", 1)
    damaged(tmp_path / "a", "histograms.jsonl", data, "line 1 of 3 .* one more")


def test_names_that_are_not_there(tmp_path: Path) -> None:
    record(tmp_path / "a")
    run = Run.load(tmp_path / "a")
    with pytest.raises(CourseError, match=r"no metric \"metrics/l1\" here. The nearest: metrics/l0"):
        run.show("metrics/l1")
    with pytest.raises(CourseError, match=f"no histogram .* There are: {DENSITY}"):
        run.histogram("zzz")


def test_it_shows_itself(tmp_path: Path) -> None:
    record(tmp_path / "a", name="<b>&topk")
    run = Run.load(tmp_path / "a")
    assert str(run).splitlines() == [
        "<b>&topk · finished",
        "  topk SAE · d_in 128, d_sae 1024 · blocks.0.hook_mlp_out of tiny-stories-1L-21M · lr 0.0003",
        "  recorded to step 49 · 51.2 k tokens · 12 s",
        "  l0 18 · dead_features 1 · ce_loss_score 0.9",
    ]
    html = run._repr_html_()
    assert "&lt;b&gt;&amp;topk" in html
    assert "<b>&topk" not in html
    assert "<td>18</td>" in html
    record(tmp_path / "b", finish=False, steps=5)
    assert "nothing recorded yet" in str(Run.load(tmp_path / "b"))
    assert Run.load(tmp_path / "b")._repr_html_()


def test_its_curves(tmp_path: Path) -> None:
    record(tmp_path / "a")
    fig = Run.load(tmp_path / "a").show()
    assert len(fig.data) == 3
    assert list(fig.data[0].x) == [9, 19, 29, 39, 49]
    assert list(fig.data[2].x) == [49], "no point where nothing was measured"
    assert "metrics/l0 18" in fig.layout.title.text.replace("<br>", " ")
    assert len(Run.load(tmp_path / "a").show("l0").data) == 1
    record(tmp_path / "b", finish=False, steps=5)
    with pytest.raises(CourseError, match="no metric yet"):
        Run.load(tmp_path / "b").show()


def test_saving_elsewhere(tmp_path: Path) -> None:
    for name, finish in (("a", True), ("b", False)):
        record(tmp_path / name, finish=finish)
        (tmp_path / name / "sae").mkdir()
        (tmp_path / name / "sae" / "cfg.json").write_text("{}")
        run = Run.load(tmp_path / name)
        copy = run.save(tmp_path / "copies" / name)
        assert contents(tmp_path / "copies" / name) == contents(tmp_path / name)
        assert copy.metrics.equals(run.metrics)
        with pytest.raises(CourseError, match="already holds"):
            run.save(tmp_path / name)


def test_the_runs_in_a_folder(tmp_path: Path) -> None:
    record(tmp_path / "b")
    record(tmp_path / "a", finish=False)
    record(tmp_path / "broken")
    (tmp_path / "other").mkdir()
    (tmp_path / "broken" / "metrics.jsonl").write_bytes(b"")
    runs = list_runs(tmp_path)
    assert [run.name for run in runs] == ["a", "b"]
    assert runs["b"].status == runs[1].status == "finished"
    assert "is cut off: 0 of 6 lines" in runs.unreadable[0]
    assert "a · running" in str(runs)
    assert "is cut off" in runs._repr_html_()
    with pytest.raises(CourseError, match="There are: a, b"):
        _ = runs["c"]
    assert str(list_runs(tmp_path / "other")) == "no runs"
    with pytest.raises(CourseError, match="does not exist"):
        list_runs(tmp_path / "nowhere")


def test_the_sae(tmp_path: Path) -> None:
    record(tmp_path / "a")
    record(tmp_path / "b", finish=False)
    with pytest.raises(CourseError, match=r'The run "b" has no trained SAE: .* when the run is finished'):
        Run.load(tmp_path / "b").sae()
    import torch  # noqa: PLC0415
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig  # noqa: PLC0415 - seconds

    trained = StandardTrainingSAE(StandardTrainingSAEConfig(d_in=4, d_sae=8))
    trained.save_inference_model(tmp_path / "a" / "sae")
    sae = Run.load(tmp_path / "a").sae()
    assert type(sae).__name__ == "StandardSAE"
    assert torch.equal(sae.W_dec, trained.W_dec)
    weights = tmp_path / "a" / "sae" / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CourseError, match=r'The SAE of the run "a" .* can.t be loaded'):
        Run.load(tmp_path / "a").sae()


def test_thousands_of_lines(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a", finish=False)
    names = [f"metrics/m{i}" for i in range(20)]
    for step in range(100, 3100):
        recorder.log(step, dict.fromkeys(names, step / 3))
    recorder.finish()
    assert np.allclose(Run.load(tmp_path / "a").metrics["metrics/m7"].iloc[-1], 3099 / 3)
