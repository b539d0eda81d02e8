"""The causes: their explanations name only what the trainer has, and each is trained by a recipe."""

import dataclasses
import re

import pytest

from sae_course.clinic import CAUSES, SEVEN
from sae_course.clinic.causes import HEALTHY
from sae_course.clinic.patients import RECIPES, config_of, healthy_config
from sae_course.training import differences
from sae_course.training.architectures import CONFIGS, config_class

ABSENT = ("resampl", "ghost", "neuron", "anthropic")
"""What SAELens' trainer doesn't have, and explanations of bad runs like to appeal to."""


def settings() -> set[str]:
    """Every setting of the trainer and of an SAE in training."""
    from sae_lens import LanguageModelSAERunnerConfig  # noqa: PLC0415 - seconds

    classes = [LanguageModelSAERunnerConfig, *(config_class(name) for name in CONFIGS)]
    return {field.name for one in classes for field in dataclasses.fields(one)}


@pytest.mark.parametrize("name", CAUSES)
def test_an_explanation_names_only_mechanisms_that_the_trainer_has(name: str) -> None:
    cause = CAUSES[name]
    words = f"{cause.was} {cause.how} {cause.cure}"
    named = set(re.findall(r"\b[a-z]+\d?(?:_[a-z0-9]+)+\b", words)) - {"b_dec"}
    assert named <= settings()
    assert not any(word in words.lower() for word in ABSENT)


@pytest.mark.parametrize("name", CAUSES)
def test_what_is_said_to_have_been_done_is_what_differs(name: str) -> None:
    """A setting that is changed stands in the explanation or the cure, and something is changed at all."""
    recipe = RECIPES[name]
    cfg = config_of(name, 0, 1.0)
    changed = differences(cfg, healthy_config(recipe.architecture)).rows
    if name == HEALTHY:
        assert config_of(HEALTHY, 0).lr == healthy_config().lr
        return
    assert changed or recipe.model or recipe.dataset or recipe.afterwards
    words = f"{CAUSES[name].how} {CAUSES[name].cure}"
    if name in SEVEN and name != "wrong data":
        own = {setting.removeprefix("sae.") for setting in changed} - {"lr_end", "lr_warm_up_steps"}
        assert all(setting in words for setting in own)


@pytest.mark.parametrize("name", [name for name in CAUSES if name != HEALTHY])
def test_severity_makes_it_worse_and_never_nothing(name: str) -> None:
    """At every severity something differs, and more severe means further from the healthy value."""
    healthy = healthy_config(RECIPES[name].architecture)
    far = []
    for severity in (0.0, 0.5, 1.0):
        rows = differences(config_of(name, 0, severity), healthy).rows
        numbers = {
            setting: (mine, usual)
            for setting, (mine, usual) in rows.items()
            if all(isinstance(value, float | int) and value for value in (mine, usual))
        }
        far.append({setting: abs(mine / usual - 1) for setting, (mine, usual) in numbers.items()})
    for setting in far[0]:
        if setting.removeprefix("sae.") in {"lr", "d_sae", "l0_coefficient", "topk_threshold_lr"}:
            assert 0 < far[0][setting] < far[1][setting] < far[2][setting]
