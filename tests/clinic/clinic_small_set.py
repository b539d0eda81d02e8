"""The command line with patients of a few steps: test_clinic_new starts it, and its processes import it."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from small import small

from sae_course.clinic import patients
from sae_course.training import change


def small_healthy(architecture: str = "jumprelu", **changes: Any) -> Any:
    """24 steps, with rows as long as the clinic's: one recipe takes their first token away."""
    own = {"pre_act_loss_coefficient": 3e-3, "l0_coefficient": 0.4} if architecture == "jumprelu" else {}
    cfg = small(architecture, steps=24, context_size=256, lr=3e-3, **own)
    return change(cfg, **changes) if changes else cfg


patients.healthy_config = small_healthy

if __name__ == "__main__":
    from sae_course.cli import main

    main()
