"""What an SAE is worth.

Its input (``activations``), and what counts as an SAE (``autoencoder``). How well it reconstructs
(``quality``); what the model loses with the reconstruction in the activation's place (``loss``), and what a
change of the latents does to it (``splicing``); how often latents fire (``firing``). Then, where the truth is
known: which unit tells a feature (``features``), beside principal components and random directions
(``projections``) and what a linear probe can read (``probing``), by AUROC (``ranking``) and as classifiers
(``classifying``), always measured on other rows than were picked on (``halves``); what all units together say
of a game's board (``boards``). What a latent writes towards (``lens``).

What single numbers miss: what a few units tell together (``sparse_probing``), parents that are absorbed by
their kinds (``absorbing``, ``main_latents``), features that split (``splits``), latents that fire weakly
(``steady``) or nearly always (``dense``), explanations that must predict (``interpreting``; ``explaining``,
``predicting``, ``rules``, ``endpoint``), what a latent does to the output (``effects``), and an answer
swapped by a few of them (``control``, ``edits``). Everything at once, of an SAE and of its ``baselines``:
``reporting``, with the sections that measure (``setting``, ``sections``) and the report itself (``scores``).
All of it takes any dictionary's ``units``; every number has its error (``uncertainty``).

Between the latents of two SAEs (``sites``), with the model in between run again (``between``): which made
which fire, by gradients (``attribution``) and by ablation (``ablation``), as a graph (``circuits``); which
are the same (``matching``). What a label explains of a latent (``grouping``).
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily

if TYPE_CHECKING:
    from .ablation import Ablations, ablations, controls, joint_firing
    from .absorbed import Absorption
    from .absorbing import absorption, hierarchy_of
    from .activations import harvest
    from .attribution import Attribution, attribution_by_token, latent_attribution
    from .autoencoder import Autoencoder
    from .baselines import baseline_units
    from .between import Between
    from .boards import BoardScores, board_f1, board_properties, board_scores
    from .circuits import Circuit, circuit
    from .control import Control, sparse_control
    from .dense import DenseLatents, dense_latents
    from .effects import Effects, latent_effects
    from .endpoint import ChatEndpoint
    from .features import FeatureScores, feature_scores
    from .firing import Densities, densities, latent_activations
    from .grouping import explained_by
    from .interpreting import AutoInterp, autointerp
    from .lens import TopTokens, logit_lens, top_tokens
    from .loss import Downstream, downstream
    from .matching import Matches, match_latents
    from .probing import Probes, linear_probes
    from .projections import pca_directions, random_directions
    from .quality import Reconstruction, reconstruction
    from .ranking import auroc
    from .reporting import report
    from .scores import Report
    from .sites import Site
    from .sparse_probing import SparseProbes, sparse_probes
    from .splicing import intervene
    from .splits import Splitting, splitting
    from .steady import Consistency, consistency
    from .uncertainty import Difference, Estimate, bootstrap, difference
    from .units import Units, units_of

# Where each name is: a file is imported when it is asked for. No file has the name of a function here: the
# import of the one would hide the other.
_PLACES = {
    "Ablations": "ablation",
    "Absorption": "absorbed",
    "Attribution": "attribution",
    "AutoInterp": "interpreting",
    "Autoencoder": "autoencoder",
    "Between": "between",
    "BoardScores": "boards",
    "ChatEndpoint": "endpoint",
    "Circuit": "circuits",
    "Consistency": "steady",
    "Control": "control",
    "DenseLatents": "dense",
    "Densities": "firing",
    "Difference": "uncertainty",
    "Downstream": "loss",
    "Effects": "effects",
    "Estimate": "uncertainty",
    "FeatureScores": "features",
    "Matches": "matching",
    "Probes": "probing",
    "Reconstruction": "quality",
    "Report": "scores",
    "Site": "sites",
    "SparseProbes": "sparse_probing",
    "Splitting": "splits",
    "TopTokens": "lens",
    "Units": "units",
    "ablations": "ablation",
    "absorption": "absorbing",
    "attribution_by_token": "attribution",
    "auroc": "ranking",
    "autointerp": "interpreting",
    "baseline_units": "baselines",
    "board_f1": "boards",
    "board_properties": "boards",
    "board_scores": "boards",
    "bootstrap": "uncertainty",
    "circuit": "circuits",
    "consistency": "steady",
    "controls": "ablation",
    "dense_latents": "dense",
    "densities": "firing",
    "difference": "uncertainty",
    "downstream": "loss",
    "explained_by": "grouping",
    "feature_scores": "features",
    "harvest": "activations",
    "hierarchy_of": "absorbing",
    "intervene": "splicing",
    "joint_firing": "ablation",
    "latent_activations": "firing",
    "latent_attribution": "attribution",
    "latent_effects": "effects",
    "linear_probes": "probing",
    "logit_lens": "lens",
    "match_latents": "matching",
    "pca_directions": "projections",
    "random_directions": "projections",
    "reconstruction": "quality",
    "report": "reporting",
    "sparse_control": "control",
    "sparse_probes": "sparse_probing",
    "splitting": "splits",
    "top_tokens": "lens",
    "units_of": "units",
}

__all__ = [
    "Ablations",
    "Absorption",
    "Attribution",
    "AutoInterp",
    "Autoencoder",
    "Between",
    "BoardScores",
    "ChatEndpoint",
    "Circuit",
    "Consistency",
    "Control",
    "DenseLatents",
    "Densities",
    "Difference",
    "Downstream",
    "Effects",
    "Estimate",
    "FeatureScores",
    "Matches",
    "Probes",
    "Reconstruction",
    "Report",
    "Site",
    "SparseProbes",
    "Splitting",
    "TopTokens",
    "Units",
    "ablations",
    "absorption",
    "attribution_by_token",
    "auroc",
    "autointerp",
    "baseline_units",
    "board_f1",
    "board_properties",
    "board_scores",
    "bootstrap",
    "circuit",
    "consistency",
    "controls",
    "dense_latents",
    "densities",
    "difference",
    "downstream",
    "explained_by",
    "feature_scores",
    "harvest",
    "hierarchy_of",
    "intervene",
    "joint_firing",
    "latent_activations",
    "latent_attribution",
    "latent_effects",
    "linear_probes",
    "logit_lens",
    "match_latents",
    "pca_directions",
    "random_directions",
    "reconstruction",
    "report",
    "sparse_control",
    "sparse_probes",
    "splitting",
    "top_tokens",
    "units_of",
]

__getattr__ = lazily(__name__, _PLACES)
