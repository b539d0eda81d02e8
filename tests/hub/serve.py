"""Run a command against a hub on this machine that serves everything the course reads, at its true size.

    python tests/hub/serve.py COMMAND...

Weights are random. The hub's large files, and the command's cache of them (HF_HOME), lie in a temporary
folder that is gone afterwards. GPT-2's own tokenizer is served where ``../shared/data`` has it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

import published as of  # noqa: E402
from loopback import LoopbackHub, Repository  # noqa: E402


def everything(folder: Path, sizes: of.Sizes = of.TRUE) -> dict[str, Repository]:
    """Models, tokens and SAEs under their published names. ``folder``: for large files."""
    shared = ROOT.parent / "shared" / "data"
    stories = of.stories(sizes.stories, shared)
    gpt2 = b'"id":50256' in bytes(stories.files["tokenizer.json"])  # or else a stand-in, whose BOS is 0
    return {
        of.STORIES: stories,
        of.ATTN: of.attention_only(sizes.attention),
        of.OTHELLO: of.othello(sizes.othello),
        of.GEMMA: of.gemma(sizes.gemma, folder / "gemma"),
        of.NEOX_TOKENIZER: Repository(of.tokenizer_files(None, sizes.attention.d_vocab)),
        of.STORY_TOKENS: of.tokens(
            sizes.rows, min(sizes.row, 520), sizes.stories.d_vocab, bos=50256 if gpt2 else 0
        ),
        of.TEXT_TOKENS: of.tokens(sizes.rows, sizes.row, sizes.attention.d_vocab),
        of.GEMMA_TOKENS: of.tokens(sizes.rows, sizes.row, 1_000, "tokens"),
        of.GAMES: of.games(sizes.rows),
        of.STORY_SAE: of.story_sae(sizes),
        of.ATTN_SAE: of.attention_saes(sizes),
        of.OTHELLO_SAE: of.othello_sae(sizes),
        of.GEMMA_SCOPE: of.gemma_scope(),
    }


def environment(hub: LoopbackHub, home: Path) -> dict[str, str]:
    """In which every library asks this hub, keeps what it fetches in ``home``, and knows no token."""
    kept = {key: value for key, value in os.environ.items() if key not in ("HF_TOKEN", "HF_HUB_OFFLINE")}
    return kept | {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }


def main(command: list[str]) -> int:
    """The command's exit status."""
    with tempfile.TemporaryDirectory(prefix="sae-course-hub-") as name:
        hub = LoopbackHub()
        hub.repositories |= everything(Path(name))
        done = subprocess.run(command, env=environment(hub, Path(name) / "hf"), check=False)
        hub.close()
        return done.returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python tests/hub/serve.py COMMAND...")
    sys.exit(main(sys.argv[1:]))
