"""A finished run is put on the hub, and the hub fails at each step of it."""

import json
from dataclasses import replace
from typing import Any

from scenes import HERE, forget, hub, replaced, scenario, with_token  # isort: skip

import huggingface_hub
import torch
from click.testing import CliRunner
from held import Fault
from sae_lens import SAE

from sae_course.models import hub_client
from sae_course.runs import Run
from sae_course.training.commands import upload as command
from sae_course.training.shipped import shipped_run
from sae_course.training.uploading import upload

OWN = "learner/saes"
SHIPPED = "attn-only-2l-layer-0"


def sent(**how: Any) -> str:
    return str(upload(shipped_run(SHIPPED), OWN, name="first", **how))


def seen() -> list[str]:
    """The files that others see."""
    return sorted(hub.repositories[OWN].files) if OWN in hub.repositories else []


def empty() -> None:
    hub.repositories.pop(OWN, None)
    hub.received.clear()
    hub.uploads.clear()


def nothing_sent() -> None:
    """What is refused here."""
    scenario("upload, no token", sent)
    with_token("hf_write")
    run = shipped_run(SHIPPED)
    for name in ("saes", "learner/sa es", "learner/saes/first"):
        scenario(f"upload to {name}", lambda name=name: upload(run, name))
    scenario("upload as ../first", lambda: upload(run, OWN, name="../first"))
    scenario("upload, unfinished", lambda: upload(replace(run, status="running"), OWN))
    broken = run.save(HERE / "broken")
    bad = broken.sae()
    with torch.no_grad():
        bad.W_dec[3, 1] = float("nan")
    bad.save_model(str(HERE / "broken" / "sae"))
    scenario("upload, not finite", lambda: upload(Run.load(HERE / "broken"), OWN))
    (HERE / "broken" / "sae" / "cfg.json").unlink()
    scenario("upload, no SAE", lambda: upload(Run.load(HERE / "broken"), OWN))
    with_token("hf_read")
    scenario("upload, reading token", sent)
    with_token("hf_expired")
    scenario("upload, expired token", sent)
    with_token("hf_write")


def served() -> None:
    """Uploaded, and loaded as anyone would."""
    empty()
    run = shipped_run(SHIPPED)
    config = run.config | {"output_path": "/home/somebody/sae", "hook_name": run.config["hook_name"]}
    scenario("upload", lambda: str(upload(replace(run, config=config), OWN, name="first")))

    def equal() -> Any:
        sae, ours = SAE.from_pretrained(OWN, "first", device="cpu"), run.sae()
        same = [bool((weights == ours.state_dict()[key]).all()) for key, weights in sae.state_dict().items()]
        files = hub.repositories[OWN].files
        record = json.loads(bytes(files["first/run.json"]))  # type: ignore[arg-type]
        return {
            "same": same,
            "files": seen(),
            "private": hub.repositories[OWN].private,
            "output_path": record["config"]["output_path"],
            "card": bytes(files["README.md"]).decode(),  # type: ignore[arg-type]
        }

    scenario("uploaded, loaded", equal)
    forget(OWN)
    with_token(None)
    scenario("uploaded, without a token", lambda: huggingface_hub.HfApi().repo_exists(OWN))
    with_token("hf_write")
    scenario("upload again", sent)

    def from_a_terminal() -> Any:
        done = CliRunner().invoke(command, [SHIPPED, "learner/open", "--public"], catch_exceptions=False)
        return {"output": done.output, "private": hub.repositories["learner/open"].private}

    scenario("upload, command", from_a_terminal)
    scenario("upload, private to public", lambda: upload(run, "learner/open", private=True))
    scenario("upload, no such run", lambda: CliRunner().invoke(command, ["x", OWN], catch_exceptions=False))


def failing() -> None:
    """Each fault by itself, what others see after it, and the next try."""
    cases = {
        "rate limited": ("batch", Fault("status", status=429, headers={"Retry-After": "50"})),
        "not allowed": ("create", Fault("status", status=403)),
        "too large": ("put", Fault("status", status=413)),
        "status 500 at a file": ("put", Fault("status")),
        "status 500 at the end": ("commit", Fault("status")),
        "conflict": ("commit", Fault("status", status=412)),
        "cut off": ("put", Fault("cut")),
        "answer lost": ("commit", Fault("answer lost")),
        "stalled": ("commit", Fault("stall")),
    }
    for name, (step, fault) in cases.items():
        empty()
        hub.uploads[step] = fault
        huggingface_hub.close_session()
        with replaced(hub_client, "SILENCE", 0.2 if fault.kind == "stall" else 60.0):
            scenario(f"upload, {name}", sent)
        huggingface_hub.close_session()
        hub.uploads.clear()
        scenario(f"upload, {name}, seen", seen)
        scenario(f"upload, {name}, the next try", sent)
        scenario(f"upload, {name}, seen then", seen)
    empty()
    hub.uploads["commit"] = Fault("status", times=2, status=429, headers={"Retry-After": "20"})
    scenario("upload, rate limited, then served", sent)
    empty()
    hub.uploads["put"] = Fault("status", times=2)
    scenario("upload, status 500, then served", sent)


def uploads() -> None:
    hub.tokens |= {"hf_write": "write", "hf_read": "read"}
    for part in (nothing_sent, served, failing):
        part()
    with_token(None)


def no_network_to_upload() -> None:
    with_token("hf_write")
    scenario("upload, no network", sent)
    with_token(None)
