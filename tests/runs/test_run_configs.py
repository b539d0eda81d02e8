"""Configurations as plain values, under dotted names, compared."""

import json
from pathlib import Path

import numpy as np
import pytest

from sae_course.runs.configs import ABSENT, differences, flatten, plain
from sae_course.runtime import CourseError

CONFIG = {
    "lr": 3e-4,
    "seqpos_slice": (None,),
    "dataset_path": "sae-course:othello-gpt",
    "sae": {"architecture": "topk", "k": 16, "metadata": {"hook_name": "a"}},
    "logger": {"run_name": "a"},
    "output_path": "here",
    "model_kwargs": {},
}


def changed(**sae: object) -> dict[str, object]:
    return CONFIG | {"sae": CONFIG["sae"] | sae}  # type: ignore[operator]


def test_names_are_dotted_and_lists_are_values() -> None:
    flat = flatten(CONFIG)
    assert flat["sae.k"] == 16
    assert flat["seqpos_slice"] == [None]
    assert flat["model_kwargs"] == {}
    assert "sae" not in flat


def test_only_what_differs_is_there() -> None:
    assert differences(CONFIG, changed(k=8)) == {"sae.k": (16, 8)}
    assert differences(CONFIG, CONFIG, changed(k=8)) == {"sae.k": (16, 16, 8)}
    assert differences(CONFIG, CONFIG) == {}
    assert differences(CONFIG) == differences() == {}


def test_a_setting_that_one_lacks() -> None:
    assert differences(CONFIG, changed(l1_coefficient=None)) == {"sae.l1_coefficient": (ABSENT, None)}
    assert str(ABSENT) == repr(ABSENT) == "–"


def test_names_and_places_of_writing_are_left_out_and_the_data_are_not() -> None:
    other = changed(metadata={"hook_name": "b"}) | {
        "logger": {"run_name": "b"}, "output_path": None, "dataset_path": "else", "logger_x": 1,
    }  # fmt: skip
    assert set(differences(CONFIG, other)) == {"dataset_path", "logger_x"}
    assert set(differences(CONFIG, other, ignore=())) == {
        "dataset_path", "logger_x", "logger.run_name", "output_path", "sae.metadata.hook_name",
    }  # fmt: skip


def test_a_configuration_equals_itself_read_back_from_json() -> None:
    value = CONFIG | {
        "path": Path("a") / "b", "ids": {3, 1}, "x": np.float32(0.5), "grid": np.arange(3), "y": float("inf"),
        "nan": float("nan"), "dtype": np.dtype("float32"), 7: True,
    }  # fmt: skip
    back = json.loads(json.dumps(plain(value), allow_nan=False))
    assert differences(value, back) == {}
    assert back["x"] == 0.5
    assert back["grid"] == [0, 1, 2]
    assert back["ids"] == [1, 3]
    assert back["7"] is True


def test_saelens_own() -> None:
    from sae_lens import (  # noqa: PLC0415 - seconds, and only here
        LanguageModelSAERunnerConfig,
        LoggingConfig,
        StandardTrainingSAEConfig,
        TopKTrainingSAEConfig,
    )

    def config(sae: object, **settings: object) -> object:
        return LanguageModelSAERunnerConfig(
            sae=sae, logger=LoggingConfig(log_to_wandb=False), checkpoint_path=None, verbose=False, **settings
        )

    topk = config(TopKTrainingSAEConfig(d_in=4, d_sae=8, k=2))
    standard = config(StandardTrainingSAEConfig(d_in=4, d_sae=8, l1_coefficient=1), lr=1e-3)
    found = differences(topk, standard)
    assert found["sae.architecture"] == ("topk", "standard")
    assert found["sae.k"] == (2, ABSENT)
    assert found["lr"] == (3e-4, 1e-3)
    assert differences(topk, json.loads(json.dumps(plain(topk), allow_nan=False))) == {}


@pytest.mark.parametrize("wrong", [None, "topk", 3, [1], dict])
def test_no_configuration(wrong: object) -> None:
    with pytest.raises(CourseError, match="A configuration is"):
        flatten(wrong)
