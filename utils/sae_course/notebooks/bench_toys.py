"""What training toy SAEs as one batch of instances saves, beside one at a time, here and in SAELens."""

import statistics
import time

N_INST, STEPS, BATCH = 18, 200, 512


def ours(n_inst: int) -> float:
    """SAE-steps per second of `train_toys`: steps times instances, in chapter 02a's first world."""
    from ..data.toy_worlds import crowded_world  # noqa: PLC0415 - `--help` stays instant
    from ..runtime import generator  # noqa: PLC0415
    from ..training.toys import Standard, train_toys  # noqa: PLC0415

    world = crowded_world(n_inst, generator("bench", 0, "cpu"))
    sae = Standard(n_inst, world.d_in, world.n_features, generator("sae", 0, "cpu"), coefficient=0.1)
    start = time.perf_counter()
    train_toys(sae, world, generator("data", 0, "cpu"), steps=STEPS, batch_size=BATCH)
    return n_inst * STEPS / (time.perf_counter() - start)


def saelens() -> float:
    """Steps per second of SAELens' `train_toy_sae`, in a world of the same size and law."""
    import torch  # noqa: PLC0415
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig  # noqa: PLC0415
    from sae_lens.synthetic import ActivationGenerator, FeatureDictionary, train_toy_sae  # noqa: PLC0415

    with torch.random.fork_rng():
        torch.manual_seed(0)
        features = FeatureDictionary(num_features=64, hidden_dim=32, initializer=None)
        sae = StandardTrainingSAE(StandardTrainingSAEConfig(d_in=32, d_sae=64, l1_coefficient=0.1))
        start = time.perf_counter()
        train_toy_sae(
            sae,
            features,
            ActivationGenerator(64, 0.03, std_firing_magnitudes=0.3),
            training_samples=STEPS * BATCH,
            batch_size=BATCH,
        )
        return STEPS / (time.perf_counter() - start)


def rows() -> list[tuple[str, str]]:
    """Name and figure; the three are measured in turn, so that a slow moment of the machine hits all."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    many, one, theirs = [], [], []
    for _ in range(3):
        many.append(ours(N_INST))
        one.append(ours(1))
        theirs.append(saelens())
    gain, against = (
        statistics.median(m / o for m, o in zip(many, other, strict=True)) for other in (one, theirs)
    )
    return [
        (f"toy SAE of chapter 02a, {N_INST} at once", f"{statistics.median(many):.0f} SAE-steps/s"),
        (f"gain of {N_INST} at once over one at a time", f"{gain:.1f} ×"),
        ("gain over SAELens' train_toy_sae, one at a time", f"{against:.1f} ×"),
    ]
