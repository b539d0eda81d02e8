"""Pages to look at latents with, that need no network.

What a learner asks for: feature pages (``latents``), the same with the boards of Othello (``othello``), and
one row of text with a model's predictions, latents or attention on it (``texts``). What they get: a thin view
in the notebook, and a whole interactive page (``page``).

Underneath: where latents fire and what they write (``numbers``, ``examples``, ``effects``, ``sources``; for
Othello ``boards`` and ``probes``), the SAE they are of (``subject``); tokens as strings (``tokens``). The
pages' scripts are those of sae_vis (``sae_vis_script``) and CircuitsVis (``circuitsvis_script``), made safe
for any token; a page is one file (``document``). The notebook's view needs no script (``thin``,
``thin_boards``).
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily

if TYPE_CHECKING:
    from .latents import latent_dashboard
    from .othello import othello_dashboard
    from .page import Dashboard, Page
    from .texts import attention_patterns, latent_on_text, token_log_probs

# Where each name is: a file is imported when it is asked for. No file has the name of a function here: the
# import of the one would hide the other.
_PLACES = {
    "Dashboard": "page",
    "Page": "page",
    "attention_patterns": "texts",
    "latent_dashboard": "latents",
    "latent_on_text": "texts",
    "othello_dashboard": "othello",
    "token_log_probs": "texts",
}

__all__ = [
    "Dashboard",
    "Page",
    "attention_patterns",
    "latent_dashboard",
    "latent_on_text",
    "othello_dashboard",
    "token_log_probs",
]

__getattr__ = lazily(__name__, _PLACES)
