"""The benchmark's parts run and give figures; how large they are is the machine's affair."""

from sae_course.notebooks.bench import seconds_of, toy_steps_per_second


def test_figures_are_positive() -> None:
    assert toy_steps_per_second(2, steps=5) > 0
    assert seconds_of("import json") < seconds_of("import time; time.sleep(1.5)")
