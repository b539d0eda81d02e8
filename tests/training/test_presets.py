"""Presets: every one builds, the seed course's are its numbers, and a wrong name is told."""

import subprocess
import sys
from typing import Any, NamedTuple

import pytest

import sae_course
from sae_course.models import MODELS
from sae_course.models.specs import mini_specs
from sae_course.runtime import CourseError, project_root
from sae_course.training import presets_page
from sae_course.training.architectures import CONFIGS, SPARSITY
from sae_course.training.preset_values import PRESETS
from sae_course.training.presets import RECIPES, preset
from sae_course.training.source import scale_of

SCALES = ("mini", "full")
EVERY = [(name, scale, recipe) for name in PRESETS for scale in SCALES for recipe in RECIPES]


class Seed(NamedTuple):
    """A column of the seed course's table, in its own words."""

    model: str
    hook: str
    d_in: int
    expansion: int
    dataset: str
    bos: bool
    context: int
    positions: tuple[int | None, ...]
    tokens: int
    batch: int
    lr: float
    l1: float
    warm_up: float
    buffer_batches: int
    prompts: int


OPENWEBTEXT = "apollo-research/Skylion007-openwebtext-tokenizer-EleutherAI-gpt-neox-20b"
SEED = {
    "tinystories": Seed(
        model="tiny-stories-1L-21M",
        hook="blocks.0.hook_mlp_out",
        d_in=1024,
        expansion=16,
        dataset="apollo-research/roneneldan-TinyStories-tokenizer-gpt2",
        bos=True,
        context=512,
        positions=(None,),
        tokens=30_000 * 4096,
        batch=4096,
        lr=5e-5,
        l1=4,
        warm_up=0.1,
        buffer_batches=64,
        prompts=16,
    ),
    "attn-only-2l": Seed(
        model="attn-only-2l-demo",
        hook="blocks.0.attn.hook_z",
        d_in=64 * 8,
        expansion=16,
        dataset=OPENWEBTEXT,
        bos=True,
        context=1024,
        positions=(None,),
        tokens=30_000 * 4096,
        batch=4096,
        lr=1e-4,
        l1=2,
        warm_up=0.1,
        buffer_batches=64,
        prompts=16,
    ),
    "othello": Seed(
        model="othello-gpt",
        hook="blocks.5.mlp.hook_post",
        d_in=2048,
        expansion=8,
        dataset="taufeeque/othellogpt",
        bos=False,
        context=59,
        positions=(5, -5),
        tokens=100_000_000,
        batch=2048,
        lr=2e-4,
        l1=5,
        warm_up=0.2,
        buffer_batches=32,
        prompts=16,
    ),
    "gemma": Seed(
        model="gemma-2-2b",
        hook="blocks.12.hook_resid_post",
        d_in=2304,
        expansion=8,
        dataset="chanind/openwebtext-gemma",
        bos=True,
        context=1024,
        positions=(None,),
        tokens=300_000 * 4096,
        batch=4096,
        lr=5e-5,
        l1=2,
        warm_up=0.1,
        buffer_batches=16,
        prompts=8,
    ),
}


@pytest.mark.parametrize("name", SEED)
def test_the_seed_at_full_scale_is_the_seed_courses(name: str) -> None:
    cfg, seed = preset(name, "full"), SEED[name]
    steps = seed.tokens // seed.batch
    found: dict[str, Any] = {
        "model": cfg.model_name,
        "hook": cfg.hook_name,
        "d_in": cfg.sae.d_in,
        "expansion": cfg.sae.d_sae / cfg.sae.d_in,
        "dataset": cfg.dataset_path,
        "bos": cfg.prepend_bos,
        "context": cfg.context_size,
        "positions": cfg.seqpos_slice,
        "tokens": cfg.training_tokens,
        "batch": cfg.train_batch_size_tokens,
        "lr": cfg.lr,
        "l1": cfg.sae.l1_coefficient,
        # SAELens 6 counts sequences in the buffer.
        "buffer_batches": cfg.n_batches_in_buffer / cfg.store_batch_size_prompts,
        "prompts": cfg.store_batch_size_prompts,
        "warm_up": seed.warm_up,
    }
    assert Seed(**found) == seed
    for length, share in (
        (cfg.lr_warm_up_steps, seed.warm_up),
        (cfg.sae.l1_warm_up_steps, seed.warm_up),
        (cfg.lr_decay_steps, 0.2),
    ):
        assert length == pytest.approx(share * steps, abs=0.5)
    assert (cfg.sae.architecture(), cfg.lr_scheduler_name, cfg.adam_beta1) == ("gated", "constant", 0.0)
    assert cfg.sae.apply_b_dec_to_input
    assert cfg.is_dataset_tokenized


@pytest.mark.parametrize(("name", "scale", "recipe"), EVERY)
def test_every_preset_is_sound(name: str, scale: str, recipe: str) -> None:
    cfg = preset(name, scale, recipe)
    steps = cfg.training_tokens // cfg.train_batch_size_tokens
    assert scale_of(cfg) == scale
    assert cfg.sae.architecture() == RECIPES[recipe]
    assert (cfg.sae.reshape_activations == "hook_z") == cfg.hook_name.endswith("hook_z")
    assert cfg.lr_warm_up_steps + cfg.lr_decay_steps < steps
    assert cfg.dead_feature_window < steps / 4
    assert cfg.feature_sampling_window <= steps / 10
    tokens = cfg.n_batches_in_buffer * len(range(cfg.context_size)[slice(*cfg.seqpos_slice)])
    assert tokens >= 8 * cfg.train_batch_size_tokens
    assert cfg.n_batches_in_buffer >= 8 * cfg.store_batch_size_prompts
    assert cfg.dtype == cfg.sae.dtype == "float32"
    assert not cfg.logger.log_to_wandb
    assert (cfg.checkpoint_path, cfg.output_path, cfg.n_checkpoints, cfg.verbose) == (None, None, 0, False)
    assert cfg.seed == 0
    evaluations = steps / (cfg.logger.wandb_log_frequency * cfg.logger.eval_every_n_wandb_logs)
    assert 9 <= evaluations <= 60
    if recipe == "today":
        # The running mean that starts at 0 is at its value, to a part in a thousand.
        assert (1 - cfg.sae.topk_threshold_lr) ** steps < 1e-3
        assert cfg.lr_decay_steps == pytest.approx(0.2 * steps, abs=0.5)
        assert 2048 <= cfg.train_batch_size_tokens <= 4096
        assert cfg.sae.aux_loss_coefficient > 0
        assert cfg.adam_beta1 == 0.9
        assert cfg.lr == (3e-4 if scale == "full" else cfg.lr)


@pytest.mark.parametrize("name", PRESETS)
def test_the_mini_preset_fits_its_mini_model(name: str) -> None:
    wanted = PRESETS[name]
    spec = mini_specs()[wanted.model]
    d_in = {"hook_z": spec.n_heads * spec.d_head, "hook_post": spec.d_mlp}
    for layer in range(spec.n_layers):
        cfg = preset(name, "mini", layer=layer)
        assert cfg.hook_name.startswith(f"blocks.{layer}.")
        assert cfg.sae.d_in == d_in.get(cfg.hook_name.rpartition(".")[2], spec.d_model)
    assert cfg.context_size == spec.n_ctx
    assert cfg.dataset_path == f"sae-course:{wanted.model}"
    assert 1e6 <= cfg.training_tokens <= 3e6
    # The same hook point at either scale, but for its layer.
    kinds = {preset(name, scale).hook_name.split(".", 2)[2] for scale in SCALES}
    assert len(kinds) == 1
    with pytest.raises(CourseError, match=f"layer is {spec.n_layers}"):
        preset(name, "mini", layer=spec.n_layers)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("name", PRESETS)
def test_another_architecture_is_the_same_training(name: str, scale: str, architecture: str) -> None:
    cfg = preset(name, scale, "today", architecture=architecture)
    plain = preset(name, scale, "today")
    assert cfg.sae.architecture() == architecture
    assert getattr(cfg.sae, SPARSITY[architecture]) > 0
    assert (cfg.sae.d_in, cfg.sae.d_sae) == (plain.sae.d_in, plain.sae.d_sae)
    assert cfg.sae.reshape_activations == plain.sae.reshape_activations
    assert (cfg.hook_name, cfg.training_tokens) == (plain.hook_name, plain.training_tokens)
    if architecture == "matryoshka_batchtopk":
        widths = cfg.sae.matryoshka_widths
        assert widths == sorted(set(widths))
        assert widths[-1] == cfg.sae.d_sae
    if architecture == "topk":
        assert isinstance(cfg.sae.k, int)


def test_a_model_name_is_the_presets_and_the_session_gives_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    of_model = {wanted.model: name for name, wanted in reversed(PRESETS.items())}  # a model's first
    assert of_model["othello-gpt"] == "othello"
    for model, name in of_model.items():
        assert preset(model, "full") == preset(name, "full")
        assert model in MODELS
    assert preset("gemma") == preset("gemma", "mini")
    session = sae_course.runtime.Session(scale="full", device="cuda")
    monkeypatch.setattr(sae_course.runtime.session, "_current", session)
    cfg = preset("gemma")
    assert cfg == preset("gemma", "full")
    assert cfg.device == cfg.sae.device == cfg.llm_device == "cuda"
    assert cfg.autocast
    assert cfg.autocast_lm
    assert not preset("tinystories").autocast_lm


def test_changes_go_through_change() -> None:
    cfg = preset("tinystories", "mini", "today", k=8, training_tokens=10 * 2048)
    assert (cfg.sae.k, cfg.training_tokens // cfg.train_batch_size_tokens) == (8, 10)
    assert cfg.lr_decay_steps == 2
    with pytest.raises(CourseError, match="did you mean train_batch_size_tokens"):
        preset("tinystories", "mini", train_batch_size_token=3)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"name": "tinystory"}, "did you mean tinystories"),
        ({"name": "attn"}, "did you mean attn-only-2l"),
        ({"name": "gpt2-small"}, "there are tinystories, attn-only-2l, othello, othello-resid, gemma"),
        ({"scale": "medium"}, "'mini' or 'full'"),
        ({"recipe": "tomorrow"}, "seed or today"),
        ({"layer": 2}, "has at mini scale one layer, 0; layer is 2"),
        ({"layer": -1}, "layer is -1"),
        ({"name": "gemma", "layer": True}, "layer is True"),
        ({"name": "gemma", "layer": 2.0}, "layer is 2.0"),
        ({"name": "gemma", "layer": 12}, "the layers 0 to 3; layer is 12"),
        ({"name": "gemma", "scale": "full", "layer": 26}, "the layers 0 to 25"),
        ({"architecture": "TopK"}, "there are standard, topk,"),
    ],
)
def test_what_there_is_not_is_told(how: dict[str, Any], message: str) -> None:
    with pytest.raises(CourseError, match=message):
        preset(**{"name": "tinystories", "scale": "mini"} | how)


def test_a_model_of_ones_own_is_shown_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sae_course.training.presets.own_names", lambda: ["mine"])
    with pytest.raises(CourseError, match=r'model_name="mine", dataset_path="sae-course:mine"'):
        preset("mine")
    cfg = preset("tinystories", "mini", model_name="mine", dataset_path="sae-course:mine")
    assert (cfg.model_name, scale_of(cfg)) == ("mine", "mini")


def test_the_page_is_what_the_presets_say() -> None:
    written = (project_root() / presets_page.FILE).read_text(encoding="utf-8")
    assert written == presets_page.page(), "run python -m sae_course.training.presets_page"


def test_importing_the_presets_is_instant() -> None:
    code = (
        "import sys, sae_course.training.presets, sae_course.training.describe; "
        "print({'torch', 'sae_lens', 'pandas', 'plotly', 'datasets'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
