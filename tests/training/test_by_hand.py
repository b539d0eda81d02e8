"""Chapter 03's settings by hand are those of the preset, at both scales."""

import pytest

from sae_course.training import preset
from sae_course.training.by_hand import hand_config


@pytest.mark.parametrize("scale", ["mini", "full"])
def test_every_setting_is_the_presets(scale: str) -> None:
    hand, cfg = hand_config(scale), preset("tinystories", scale, "today", architecture="topk")
    assert (hand.model, hand.hook_point, hand.dataset) == (cfg.model_name, cfg.hook_name, cfg.dataset_path)
    assert (hand.context, hand.seed, hand.device) == (cfg.context_size, cfg.seed, cfg.device)
    assert (hand.d_in, hand.d_sae, hand.k) == (cfg.sae.d_in, cfg.sae.d_sae, cfg.sae.k)
    assert (hand.tokens, hand.batch_size) == (cfg.training_tokens, cfg.train_batch_size_tokens)
    assert (hand.lr, hand.warm_up_steps, hand.decay_steps) == (
        cfg.lr,
        cfg.lr_warm_up_steps,
        cfg.lr_decay_steps,
    )
    assert (hand.rows_at_once, hand.buffer_rows) == (cfg.store_batch_size_prompts, cfg.n_batches_in_buffer)
    assert (hand.dead_window, hand.aux_coefficient) == (
        cfg.dead_feature_window,
        cfg.sae.aux_loss_coefficient,
    )


def test_changes_are_taken_and_shown() -> None:
    hand = hand_config("mini", k=7, seed=3)
    assert (hand.k, hand.seed) == (7, 3)
    assert "k                7" in str(hand)
    assert hand.capacity == hand.buffer_rows * hand.context
