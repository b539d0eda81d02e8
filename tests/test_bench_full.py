"""The benchmark for a GPU, on what this machine has: a small preset, for a step or two."""

import pytest
from click.testing import CliRunner

from sae_course.notebooks import bench_full
from sae_course.runtime import CourseError


def small(**changes: object) -> dict[str, object]:
    case = bench_full.case_of("tinystories", steps=2, device="cpu")
    few = {"training_tokens": 512, "train_batch_size_tokens": 256, "d_sae": 64, "n_batches_in_buffer": 64}
    return case | {"scale": "mini", "random": False, "changes": case["changes"] | few | changes}


@pytest.mark.parametrize("runner", bench_full.RUNNERS)
def test_a_case_is_measured(runner: str) -> None:
    found = bench_full.measured(small(), runner)
    assert found["tokens/s"] > 0
    assert 0.1 < found["GiB"] < 16


def test_the_four_presets_are_at_their_true_sizes() -> None:
    from sae_course.training.planner.measure import resized  # noqa: PLC0415
    from sae_course.training.planner.shapes import FULL  # noqa: PLC0415
    from sae_course.training.planner.workload import of_config  # noqa: PLC0415
    from sae_course.training.presets import preset  # noqa: PLC0415
    from sae_course.training.settings import change  # noqa: PLC0415

    for name in bench_full.PRESETS:
        case = bench_full.case_of(name, steps=200, device="cpu")
        cfg = change(preset(name, "full", "today"), **case["changes"])
        assert cfg.training_tokens == 200 * preset(name, "full").train_batch_size_tokens
        assert resized(of_config(cfg, on_gpu=False), case).shape == FULL[cfg.model_name]


def test_without_a_gpu_it_says_so_and_a_case_that_fails_is_named() -> None:
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        done = CliRunner().invoke(bench_full.main, [])
        assert isinstance(done.exception, CourseError)
        assert "no CUDA here" in str(done.exception)
    with pytest.raises(CourseError, match="tinystories by ours ended with"):
        bench_full._in_its_own_process(small(k=-1), "ours")
