"""What an SAE is worth.

Its input (``activations``), and what counts as an SAE (``autoencoder``). How well it reconstructs
(``quality``); what the model loses with the reconstruction in the activation's place (``loss``), and what a
change of the latents does to it (``splicing``); how often latents fire (``firing``). Then, where the truth is
known: which unit tells a feature (``features``), beside principal components (``projections``) and what a
linear probe can read (``probing``), by AUROC (``ranking``) and as classifiers (``classifying``), always
measured on other rows than were picked on (``halves``). What a latent writes towards (``lens``).
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily

if TYPE_CHECKING:
    from .activations import harvest
    from .autoencoder import Autoencoder
    from .features import FeatureScores, feature_scores
    from .firing import Densities, densities, latent_activations
    from .lens import TopTokens, logit_lens, top_tokens
    from .loss import Downstream, downstream
    from .probing import Probes, linear_probes
    from .projections import pca_directions
    from .quality import Reconstruction, reconstruction
    from .ranking import auroc
    from .splicing import intervene

# Where each name is: a file is imported when it is asked for. No file has the name of a function here: the
# import of the one would hide the other.
_PLACES = {
    "Autoencoder": "autoencoder",
    "Densities": "firing",
    "Downstream": "loss",
    "FeatureScores": "features",
    "Probes": "probing",
    "Reconstruction": "quality",
    "TopTokens": "lens",
    "auroc": "ranking",
    "densities": "firing",
    "downstream": "loss",
    "feature_scores": "features",
    "harvest": "activations",
    "intervene": "splicing",
    "latent_activations": "firing",
    "linear_probes": "probing",
    "logit_lens": "lens",
    "pca_directions": "projections",
    "reconstruction": "quality",
    "top_tokens": "lens",
}

__all__ = [
    "Autoencoder",
    "Densities",
    "Downstream",
    "FeatureScores",
    "Probes",
    "Reconstruction",
    "TopTokens",
    "auroc",
    "densities",
    "downstream",
    "feature_scores",
    "harvest",
    "intervene",
    "latent_activations",
    "linear_probes",
    "logit_lens",
    "pca_directions",
    "reconstruction",
    "top_tokens",
]

__getattr__ = lazily(__name__, _PLACES)
