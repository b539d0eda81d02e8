"""Settings for each chapter's training, and what was recorded with them."""

from .toy import ToyConfig, recorded_toy_runs, toy_config

__all__ = ["ToyConfig", "recorded_toy_runs", "toy_config"]
