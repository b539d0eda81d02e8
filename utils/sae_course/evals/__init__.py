"""What an SAE is worth.

Its input (``activations``), and what counts as an SAE (``autoencoder``). How well it reconstructs
(``quality``); what the model loses with the reconstruction in the activation's place (``loss``), and what a
change of the latents does to it (``splicing``); how often latents fire (``firing``). Then, where the truth is
known: which unit tells a feature (``features``), beside principal components and random directions
(``projections``) and what a linear probe can read (``probing``), by AUROC (``ranking``) and as classifiers
(``classifying``), always measured on other rows than were picked on (``halves``); what all units together say
of a game's board (``boards``). What a latent writes towards (``lens``).

Between the latents of two SAEs (``sites``), with the model in between run again (``between``): which made
which fire, by gradients (``attribution``) and by ablation (``ablation``), as a graph (``circuits``); which
are the same (``matching``). What a label explains of a latent (``grouping``).
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily

if TYPE_CHECKING:
    from .ablation import Ablations, ablations, controls, joint_firing
    from .activations import harvest
    from .attribution import Attribution, attribution_by_token, latent_attribution
    from .autoencoder import Autoencoder
    from .between import Between
    from .boards import BoardScores, board_f1, board_properties, board_scores
    from .circuits import Circuit, circuit
    from .features import FeatureScores, feature_scores
    from .firing import Densities, densities, latent_activations
    from .grouping import explained_by
    from .lens import TopTokens, logit_lens, top_tokens
    from .loss import Downstream, downstream
    from .matching import Matches, match_latents
    from .probing import Probes, linear_probes
    from .projections import pca_directions, random_directions
    from .quality import Reconstruction, reconstruction
    from .ranking import auroc
    from .sites import Site
    from .splicing import intervene

# Where each name is: a file is imported when it is asked for. No file has the name of a function here: the
# import of the one would hide the other.
_PLACES = {
    "Ablations": "ablation",
    "Attribution": "attribution",
    "Autoencoder": "autoencoder",
    "Between": "between",
    "BoardScores": "boards",
    "Circuit": "circuits",
    "Densities": "firing",
    "Downstream": "loss",
    "FeatureScores": "features",
    "Matches": "matching",
    "Probes": "probing",
    "Reconstruction": "quality",
    "Site": "sites",
    "TopTokens": "lens",
    "ablations": "ablation",
    "attribution_by_token": "attribution",
    "auroc": "ranking",
    "board_f1": "boards",
    "board_properties": "boards",
    "board_scores": "boards",
    "circuit": "circuits",
    "controls": "ablation",
    "densities": "firing",
    "downstream": "loss",
    "explained_by": "grouping",
    "feature_scores": "features",
    "harvest": "activations",
    "intervene": "splicing",
    "joint_firing": "ablation",
    "latent_activations": "firing",
    "latent_attribution": "attribution",
    "linear_probes": "probing",
    "logit_lens": "lens",
    "match_latents": "matching",
    "pca_directions": "projections",
    "random_directions": "projections",
    "reconstruction": "quality",
    "top_tokens": "lens",
}

__all__ = [
    "Ablations",
    "Attribution",
    "Autoencoder",
    "Between",
    "BoardScores",
    "Circuit",
    "Densities",
    "Downstream",
    "FeatureScores",
    "Matches",
    "Probes",
    "Reconstruction",
    "Site",
    "TopTokens",
    "ablations",
    "attribution_by_token",
    "auroc",
    "board_f1",
    "board_properties",
    "board_scores",
    "circuit",
    "controls",
    "densities",
    "downstream",
    "explained_by",
    "feature_scores",
    "harvest",
    "intervene",
    "joint_firing",
    "latent_activations",
    "latent_attribution",
    "linear_probes",
    "logit_lens",
    "match_latents",
    "pca_directions",
    "random_directions",
    "reconstruction",
    "top_tokens",
]

__getattr__ = lazily(__name__, _PLACES)
