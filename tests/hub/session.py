"""Run in a process of its own, with a hub of its own: what the real loading code makes of each answer.

Prints one JSON object: for each scenario the message of its CourseError, or what was loaded; how long it
would have waited (nothing waits here), and what it asked the hub for.
"""

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenes import HERE, behaving, forget, hub, replaced, results, scenario, with_token  # isort: skip

import numpy as np
import published as of
import torch
from faults import all_faults
from huggingface_hub import constants
from loopback import Repository
from published import (
    ATTN,
    GEMMA,
    GEMMA_SCOPE,
    OTHELLO,
    OTHELLO_SAE,
    PROBES,
    SMALL,
    STORIES,
    STORY_TOKENS,
    saved,
)
from uploads import no_network_to_upload, uploads

from sae_course.evals import harvest
from sae_course.models import hub_client, load_model, names, random_twin, streams, token_stream, truth
from sae_course.models.hub import CHECKED_ALWAYS
from sae_course.training import gemma
from sae_course.training.othello import finished_sae, published_probes

torch.set_num_threads(1)

WITNESS = HERE / "written by a pickle"


class Malicious:
    """Unpickled by anything but a weights-only reader, it writes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (WITNESS, "gotcha")


def described(model: Any) -> dict[str, Any]:
    tokens = torch.arange(1, 20)[None]
    logits = model(tokens)
    return {
        "class": type(model).__name__,
        "layers": model.cfg.n_layers,
        "training": model.training,
        "dtype": str(next(model.parameters()).dtype),
        "requires_grad": next(model.parameters()).requires_grad,
        "finite": bool(logits.isfinite().all()),
        "sum": float(logits.double().sum()),
        "has tokenizer": model.tokenizer is not None,
    }


def pytorch_itself() -> bool:
    """The same file read as TransformerLens reads it, without our guard: it must write its file."""
    torch.load(io.BytesIO(saved({"embed.W_E": Malicious()})), weights_only=False)
    written = WITNESS.exists()
    WITNESS.unlink(missing_ok=True)
    return written


def full(name: str) -> Callable[[], Any]:
    return lambda: described(load_model(name, "full"))


def everything_served() -> None:
    scenario("attention-only", full("attn-only-2l-demo"))
    scenario("othello", full("othello-gpt"))
    scenario("stories", full("tiny-stories-1L-21M"))

    def attached() -> Any:
        model, sae = load_model("othello-gpt", "full", quiet=True), finished_sae("full", device="cpu")
        acts = harvest(model, torch.arange(1, 31)[None], sae.cfg.metadata.hook_name)
        return {"architecture": sae.cfg.architecture(), "latents": list(sae.encode(acts).shape)}

    scenario("othello SAE", attached)

    def scope() -> Any:
        sae = gemma.finished_sae("full", device="cpu")
        x = torch.zeros(2, 2304)
        x[0, 0] = 1.0
        hook = sae.cfg.metadata.hook_name
        return {
            "architecture": sae.cfg.architecture(),
            "hook": hook,
            "fire": sae.encode(x).gt(0).sum(-1).tolist(),
        }

    scenario("Gemma Scope", scope)
    scenario("probes", lambda: {name: list(one.shape) for name, one in published_probes().items()})
    scenario(
        "twin", lambda: [described(random_twin("othello-gpt", "full", seed))["sum"] for seed in (0, 0, 1)]
    )

    def stream() -> Any:
        def first(**how: Any) -> list[list[int]]:
            return [row["tokens"] for row in token_stream("tiny-stories-1L-21M", "full", **how).take(3)]

        # The second token of a row is its number.
        found = {
            "train": first(),
            "test": first(split="test"),
            "mixed": first(seed=1),
            "short": first(n_ctx=7),
        }
        numbers = {name: [row[1] for row in rows] for name, rows in found.items()}
        lengths = {name: len(rows[0]) for name, rows in found.items()}
        return {"numbers": numbers, "lengths": lengths}

    scenario("stream", stream)
    scenario("stream, rows too short", lambda: token_stream("tiny-stories-1L-21M", "full", n_ctx=600))

    def spelled() -> Any:
        model = load_model("tiny-stories-1L-21M", "full", quiet=True)
        tokens = model.to_tokens('He said "yes" ')
        found = truth("tiny-stories-1L-21M", tokens, "full", tokenizer=model.tokenizer)
        inside = "".join(model.to_str_tokens(tokens[0][found["inside a quote"][0]]))
        return {"missing": found.missing, "inside": inside}

    scenario("truth", spelled)


def bad_files() -> None:
    files = hub.repositories[ATTN].files
    weights = files["model_final.pth"]
    forget(ATTN)
    files["model_final.pth"] = saved({"embed.W_E": Malicious()})
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    scenario("malicious", full("attn-only-2l-demo"))
    names = [f"TORCH_FORCE_{which}WEIGHTS_ONLY_LOAD" for which in ("", "NO_")]
    results["malicious"] |= {"written": WITNESS.exists(), "environment": [os.environ.get(n) for n in names]}
    del os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"]
    scenario("malicious, without the guard", pytorch_itself)

    of_probes = hub.repositories[OTHELLO_SAE].files
    good = of_probes[PROBES]
    for name, value in (("malicious probes", Malicious()), ("probes of something else", [1, 2])):
        forget(OTHELLO_SAE)
        of_probes[PROBES] = saved({"theirs vs mine": value})
        scenario(name, published_probes)
        results[name]["written"] = WITNESS.exists()
    of_probes[PROBES] = good

    forget(ATTN)
    files["model_final.pth"] = weights[: len(weights) // 2]
    scenario("truncated at the source", full("attn-only-2l-demo"))
    files["model_final.pth"] = weights
    forget(ATTN)
    scenario("whole again", full("attn-only-2l-demo"))

    for blob in (HERE / "hf/hub").rglob("blobs/*"):
        if blob.stat().st_size == len(weights):
            damaged = bytearray(weights)
            damaged[len(weights) // 2] ^= 1
            blob.write_bytes(damaged)
    scenario("damaged in the cache", full("attn-only-2l-demo"))
    scenario("damaged, then fetched anew", full("attn-only-2l-demo"))


def other_answers() -> None:
    forget(OTHELLO)
    with behaving(OTHELLO, "gone"):
        scenario("gone", full("othello-gpt"))
    with behaving(STORY_TOKENS, "gone"):
        scenario("dataset gone", lambda: token_stream("tiny-stories-1L-21M", "full"))
    forget(OTHELLO_SAE)
    with behaving(OTHELLO_SAE, "gone"):
        scenario("othello SAE gone", lambda: finished_sae("full", device="cpu"))
        scenario("probes gone", published_probes)
    forget(GEMMA_SCOPE)
    with behaving(GEMMA_SCOPE, "gone"):
        scenario("Gemma Scope gone", lambda: gemma.finished_sae("full", device="cpu"))
    scenario("gated", full("gemma-2-2b"))
    with_token("hf_no_access")
    scenario("gated, with a token", full("gemma-2-2b"))
    with_token(None)
    with behaving(GEMMA, "gated, logged out"):
        scenario("gated, logged out", full("gemma-2-2b"))


def this_machine() -> None:
    with replaced(torch, "load", MemoryError()):
        scenario("no memory", full("othello-gpt"))
    with replaced(torch, "load", ZeroDivisionError("a bug")):
        scenario("a bug is no hub error", full("othello-gpt"))
    names.MODELS["gemma-2-2b"] = replace(names.MODELS["gemma-2-2b"], memory=1e6)
    scenario("machine too small", full("gemma-2-2b"))


def no_network() -> None:
    for repository in (OTHELLO, STORIES):
        forget(repository)
    constants.HF_HUB_OFFLINE = True
    scenario("offline", full("othello-gpt"))
    constants.HF_HUB_OFFLINE = False
    hub.close()
    scenario("no network", full("othello-gpt"))
    no_network_to_upload()
    scenario("no network, transformers", full("tiny-stories-1L-21M"))
    scenario("no network, dataset", lambda: token_stream("othello-gpt", "full"))
    scenario(
        "defaults",
        lambda: {
            "silence": constants.HF_HUB_DOWNLOAD_TIMEOUT,
            "chunk": constants.DOWNLOAD_CHUNK_SIZE,
            "longest": hub_client.LONGEST,
            "silence elsewhere": hub_client.SILENCE,
            "checked": CHECKED_ALWAYS,
        },
    )
    scenario("no network, mini stream", lambda: len(next(iter(token_stream_mini()))["tokens"]))


def main() -> None:
    hub.repositories |= {
        ATTN: of.attention_only(SMALL.attention),
        OTHELLO: of.othello(SMALL.othello),
        OTHELLO_SAE: of.othello_sae(SMALL),
        GEMMA_SCOPE: of.gemma_scope(),
        STORIES: of.stories(SMALL.stories),
        STORY_TOKENS: of.tokens(SMALL.rows, SMALL.row, SMALL.stories.d_vocab),
        GEMMA: Repository({"config.json": b"{}"}, "gated"),
        of.NEOX_TOKENIZER: Repository(of.tokenizer_files()),
    }
    # Gemma's needs more memory than a small machine has; that is refused first, and is not the question yet.
    names.MODELS["gemma-2-2b"] = replace(names.MODELS["gemma-2-2b"], memory=0.1)
    for part in (everything_served, bad_files, other_answers, this_machine, all_faults, uploads, no_network):
        part()


def token_stream_mini() -> Any:
    """Mini streams never ask the network, not even for a look."""
    return streams._generated(lambda number: np.full((2, 5), number), 5, "train")


if __name__ == "__main__":
    main()
    print(json.dumps(results, default=str))
