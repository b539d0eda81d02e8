"""A model's random-weights twin: the control that what was found is not there before any training."""

from typing import TYPE_CHECKING

import torch

from ..runtime import current
from ..runtime.streams import stream_seed
from .hub import Source, fetching
from .load import deprecated, hooked_model, mini_card, mini_tokenizer, published_config
from .names import choose_scale, entry
from .plain import untrained
from .ship import file_names

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer


def random_twin(
    name: str, scale: str | None = None, seed: int = 0, *, device: str | None = None
) -> "HookedSAETransformer":
    """The architecture of ``name`` with weights that were never trained; the same seed gives the same twin.

    At mini scale it is a fresh draw of the trainee's own initialisation (`plain.untrained`), from a random
    stream that training does not use: what the model was like before its first step, not its weights
    shuffled. At full scale it is TransformerLens' initialisation of the published architecture: how the
    published models themselves began is not to be had.

    Args:
        name, scale, device: as for `load_model`.
        seed: of the weights. The global random state is left as it was.

    Raises:
        CourseError: as `load_model` does; at full scale architecture and tokenizer come from the hub.
    """
    wanted = entry(name)
    device = device or current().device
    if choose_scale(wanted, scale) == "mini":
        spec = mini_card(wanted).spec
        state = untrained(spec, stream_seed("twin", seed)).state_dict()
        return hooked_model(spec, file_names(spec, state), device, mini_tokenizer(wanted))
    cfg = published_config(wanted, device)
    cfg.init_weights = True
    with deprecated():
        from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds
    with fetching(Source(wanted, "model")), deprecated(), torch.random.fork_rng():
        torch.manual_seed(stream_seed("twin", seed))
        return HookedSAETransformer(cfg).eval()
