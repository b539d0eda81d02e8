"""Beneath chapter 02a's comparison, in the same worlds: methods from the shelf, chance, and the truth."""

from ...data.toy_worlds import KNOWN, family_world
from ...data.toys import Sample, ToyWorld
from ...evals.dictionaries import dictionary_scores
from ...runtime import generator
from .baselines import BASELINES, Coded, with_dictionary
from .config import VariantsConfig

TRAINING = 20_000
"""Samples that a method from the shelf learns from."""
K = (2, 4, 6, 10)
TRUTH = {"true dictionary, OMP": "OMP", "true dictionary, FISTA": "FISTA"}
ORACLE = "true dictionary, true features"
BENEATH = (*BASELINES, *TRUTH, ORACLE)


def baseline_rows(name: str, cfg: VariantsConfig) -> list[dict[str, float]]:
    """Measure a baseline as `compare.train_variant` does an SAE.

    The true dictionary is that of the first two generations, for which the SAEs have room. With its true
    features as latents there is no ``k``: what is missing is the third generation.

    Args:
        name: of `BENEATH`.
        cfg: chapter 02a's settings.

    Returns:
        For each ``k`` (``value``) and world the scores.
    """
    world = family_world(cfg.n_inst, generator("world", 0, "cpu"))
    train = world.sample(TRAINING, generator("data", 0, "cpu")).activations
    test = world.sample(8192, generator("evaluation", 0, "cpu"))
    known = world.directions[:, :KNOWN]
    rows = []
    for k in (0,) if name == ORACLE else K:
        if name == ORACLE:
            latents = test.features[..., :KNOWN]
            coded = Coded(known, latents, latents @ known)
        elif name in TRUTH:
            coded = with_dictionary(known, test.activations, k, TRUTH[name])
        else:
            coded = BASELINES[name](train, test.activations, cfg.d_sae, k, 0)
        rows += [{"value": k, "world": i, **row} for i, row in enumerate(_scores(coded, world, test))]
    return rows


def _scores(coded: Coded, world: ToyWorld, test: Sample) -> list[dict[str, float]]:
    return dictionary_scores(
        test.activations,
        coded.reconstruction,
        coded.latents,
        features=test.features,
        decoder=coded.decoder,
        directions=world.directions,
    ).rows()
