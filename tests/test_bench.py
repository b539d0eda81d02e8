"""The benchmark's parts run and give figures; how large they are is the machine's affair."""

from sae_course.notebooks.bench import data_rows, model_rows, seconds_of, toy_steps_per_second


def test_figures_are_positive() -> None:
    assert toy_steps_per_second(2, steps=5) > 0
    assert seconds_of("import json") < seconds_of("import time; time.sleep(1.5)")


def test_data_and_models_have_their_rows() -> None:
    names = [name for name, _ in data_rows(n_rows=64, n_games=4096)]
    assert names == ["stories, without labels", "labels of stories", "random games of Othello"]
    loaded = model_rows()
    assert len(loaded) == 4
    assert all(figure.endswith(" s") for _, figure in loaded)
