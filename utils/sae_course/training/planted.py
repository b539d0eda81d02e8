"""The two planted fakes of chapter 08: they reconstruct well, and their latents mean nothing. Made here.

``python -m sae_course.training.planted`` makes both in two minutes and puts them into the package.

- **random decoder**: a TopK SAE of chapter 03's hook point whose decoder was never trained, only its encoder
  and biases. With eight times as many latents firing as in the shipped one, it can keep up with that one.
- **rotated axes**: half of the principal directions of chapter 06's hook point, turned at random among
  themselves, each as two latents (one for either sign). The reconstruction is the best that so many
  directions allow; every latent is a mixture of everything.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError, project_root, read_json, write_atomic, write_json
from ..runtime.streams import stream_seed
from .shipped import WEIGHTS

if TYPE_CHECKING:
    import torch
    from sae_lens import SAE

ROWS = {"random decoder": 1200, "rotated axes": 1000}
"""Of training data whose activations each is made from."""
STEPS, K = 400, 128
"""Of the random decoder's encoder, and the latents that it lets fire."""
DIRECTIONS = 256
"""Principal directions that are rotated."""
CARD = "planted.json"


def planted(name: str) -> "SAE[Any]":
    """One of the fakes, as an SAE of SAELens on the CPU.

    Raises:
        CourseError: for a name that there isn't, and for weights that were changed.
    """
    from sae_lens import SAE  # noqa: PLC0415 - seconds

    if name not in MAKERS:
        raise CourseError(f'There is no planted SAE "{name}": there are {", ".join(MAKERS)}.')
    folder = place(name)
    if hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest() != card()[name]["sha256"]:
        raise CourseError(
            f"The planted SAE {name} was changed (its checksum doesn't fit): install the course again, or "
            f"make it anew with python -m {__name__}."
        )
    return SAE.load_from_disk(folder, device="cpu").eval()


def place(name: str) -> Path:
    """The folder of a fake."""
    return _root() / name.replace(" ", "-")


def card() -> dict[str, Any]:
    """Of each: the checksum of its weights, and how it was made."""
    return read_json(_root() / CARD)


def random_decoder() -> "SAE[Any]":
    """Train encoder and biases of a TopK SAE; its decoder stays as it was drawn."""
    import torch  # noqa: PLC0415
    from sae_lens.training.activation_scaler import ActivationScaler  # noqa: PLC0415

    from .assemble import new_sae  # noqa: PLC0415
    from .one import OneSAE  # noqa: PLC0415
    from .presets import preset  # noqa: PLC0415
    from .settings import change  # noqa: PLC0415

    cfg = change(preset("tinystories", "mini", "today", architecture="topk"), k=K)
    cfg = change(cfg, device="cpu", training_tokens=STEPS * cfg.train_batch_size_tokens)
    x = _activations(cfg, ROWS["random decoder"])
    sae = new_sae(cfg)
    sae.W_dec.requires_grad_(False)
    learner = OneSAE("planted", cfg, sae, ActivationScaler())
    draws = torch.Generator().manual_seed(stream_seed("planted", 0))
    for _ in range(STEPS):
        learner.step(x[torch.randint(len(x), (cfg.train_batch_size_tokens,), generator=draws)])
    trained = learner.finish()["planted"]
    return _finished(trained.cfg.get_inference_sae_cfg_dict(), trained.state_dict(), cfg)


def rotated_axes() -> "SAE[Any]":
    """Principal directions, turned among themselves."""
    import torch  # noqa: PLC0415

    from .presets import preset  # noqa: PLC0415
    from .settings import change  # noqa: PLC0415

    cfg = change(preset("othello", "mini", "today", architecture="standard"), device="cpu")
    x = _activations(cfg, ROWS["rotated axes"])
    mean = x.mean(0)
    centred = (x - mean).double()
    axes = torch.linalg.eigh(centred.T @ centred / len(x)).eigenvectors.flip(1)[:, :DIRECTIONS]
    draws = torch.Generator().manual_seed(stream_seed("planted", 1))
    turn = torch.linalg.qr(torch.randn(DIRECTIONS, DIRECTIONS, generator=draws, dtype=torch.double)).Q
    directions = (axes @ turn).float()
    W_enc = torch.cat([directions, -directions], dim=1)
    weights = {"W_enc": W_enc, "W_dec": W_enc.T.contiguous(), "b_enc": torch.zeros(W_enc.shape[1])}
    settings = {"architecture": "standard", "d_in": len(W_enc), "d_sae": W_enc.shape[1]}
    return _finished(settings, weights | {"b_dec": mean}, cfg)


MAKERS: dict[str, Callable[[], Any]] = {"random decoder": random_decoder, "rotated axes": rotated_axes}


def _activations(cfg: Any, n_rows: int) -> "torch.Tensor":
    """Of training rows at the configuration's hook point and positions, one line for each token."""
    import torch  # noqa: PLC0415

    from ..evals import harvest  # noqa: PLC0415
    from ..models import load_model, token_stream  # noqa: PLC0415

    model = load_model(cfg.model_name, "mini", device="cpu", quiet=True)
    stream = token_stream(cfg.model_name, "mini", split="train", n_ctx=cfg.context_size)
    rows = torch.tensor([row["tokens"] for row in stream.take(n_rows)])
    return harvest(model, rows, cfg.hook_name)[:, slice(*cfg.seqpos_slice)].flatten(0, 1)


def _finished(settings: dict[str, Any], weights: "dict[str, torch.Tensor]", cfg: Any) -> "SAE[Any]":
    """An SAE of SAELens with these weights, which knows its model and hook point."""
    from sae_lens import SAE  # noqa: PLC0415

    known = {"hook_name": cfg.hook_name, "model_name": cfg.model_name, "seqpos_slice": list(cfg.seqpos_slice)}
    always = {"dtype": "float32", "device": "cpu", "normalize_activations": "none", "metadata": known}
    sae = SAE.from_dict({**settings, **always})
    sae.load_state_dict({name: weights[name] for name in sae.state_dict()})
    return sae.eval()


def main(*names: str) -> None:
    """Make those named, or both, and write them into the package."""
    import torch  # noqa: PLC0415
    from safetensors.torch import load_file, save  # noqa: PLC0415

    torch.set_num_threads(1)
    known = card() if (_root() / CARD).is_file() else {}
    for name in names or MAKERS:
        sae = MAKERS[name]()
        with tempfile.TemporaryDirectory() as folder:
            sae.save_model(folder)
            halves = {key: value.half() for key, value in load_file(Path(folder) / WEIGHTS).items()}
            place(name).mkdir(parents=True, exist_ok=True)
            write_atomic(place(name) / WEIGHTS, save(halves))
            write_json(place(name) / "cfg.json", read_json(Path(folder) / "cfg.json"))
        digest = hashlib.sha256((place(name) / WEIGHTS).read_bytes()).hexdigest()
        known[name] = {"sha256": digest, "command": f'python -m {__spec__.name} "{name}"'}
        write_json(_root() / CARD, known)
        print(f"written: {place(name).relative_to(project_root())}", flush=True)


def _root() -> Path:
    return Path(str(resources.files(__package__))) / "planted_saes"


if __name__ == "__main__":
    main(*sys.argv[1:])
