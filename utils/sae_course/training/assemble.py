"""SAELens' own runner for several SAEs, put together from the configurations of a run."""

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from sae_lens import TrainingSAE, TrainingSAEConfig
from sae_lens.multi_sae_training_runner import MultiSAETrainingRunner, MultiSAETrainingRunnerConfig
from torch import Tensor

from ..models import MODELS
from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .source import Source

if TYPE_CHECKING:
    from jaxtyping import Int
    from sae_lens import LanguageModelSAERunnerConfig as Config

# What belongs to one SAE; everything else is of the stream of activations, which all share.
OF_ONE_SAE = {
    "sae",
    "hook_name",
    "hook_head_index",
    "lr",
    "lr_end",
    "lr_scheduler_name",
    "lr_warm_up_steps",
    "lr_decay_steps",
    "n_restart_cycles",
    "adam_beta1",
    "adam_beta2",
    "dead_feature_window",
    "feature_sampling_window",
    "seed",
    "from_pretrained_path",
    "compile_sae",
    "sae_compilation_mode",
    "autocast",
    "logger",
    "checkpoint_path",
    "output_path",
}
_NOT_HERE = {
    "use_cached_activations": (False, "activations are made as they are read"),
    "prefetch_llm_batches": (False, "a buffer filled in the background could not be saved exactly"),
    "resume_from_checkpoint": (None, "a run goes on by itself from the checkpoint in its folder"),
    "n_checkpoints": (0, "checkpoints are written by the clock (checkpoint_every)"),
}


def check_honoured(cfg: "Config") -> None:
    """Refuse settings that would be ignored.

    Raises:
        CourseError: for one of SAELens' settings that training here does not have.
    """
    for name, (neutral, why) in _NOT_HERE.items():
        if (value := getattr(cfg, name)) not in (neutral, None):
            raise CourseError(f"{name}={value!r} has no effect here ({why}): set it to {neutral!r}.")


def check_shared(cfgs: "dict[str, Config]") -> None:
    """Refuse configurations that can't learn from one stream of activations.

    Raises:
        CourseError: when they differ in more than what belongs to one SAE, with the setting and its values.
    """
    (first, reference), *others = cfgs.items()
    shared = [f.name for f in dataclasses.fields(reference) if f.name not in OF_ONE_SAE]
    for name, cfg in others:
        for field in shared:
            if (one := getattr(reference, field)) != (other := getattr(cfg, field)):
                raise CourseError(
                    f"Runs that are trained together share one stream of activations, but {field} is {one!r} "
                    f"in {first} and {other!r} in {name}: make them equal, or train them one by one."
                )


def new_sae(cfg: "Config") -> TrainingSAE[Any]:
    """An untrained SAE from the run's seed, which SAELens itself doesn't apply; or the one to go on from.

    Raises:
        CourseError: when ``from_pretrained_path`` holds no SAE.
    """
    if cfg.from_pretrained_path is not None:
        try:
            return TrainingSAE.load_from_disk(cfg.from_pretrained_path, cfg.device)
        except (OSError, KeyError, ValueError) as error:
            raise CourseError(
                f"{cfg.from_pretrained_path} holds no SAE that training could go on from ({error})."
            ) from error
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed("sae", cfg.seed))
        # Through a dictionary: the run must not share its configuration object with the learner's cell.
        return TrainingSAE.from_dict(TrainingSAEConfig.from_dict(cfg.get_training_sae_cfg_dict()).to_dict())


def runner_for(cfgs: "dict[str, Config]", source: Source) -> MultiSAETrainingRunner:
    """SAELens' runner with its model, store of activations, SAEs and evaluator; it is not run.

    The evaluator reads held-out rows, the same at every evaluation; SAELens' own would read, and use up,
    rows of the training data.

    Raises:
        CourseError: for data or settings that SAELens refuses.
    """
    cfg = next(iter(cfgs.values()))
    names = {f.name for f in dataclasses.fields(MultiSAETrainingRunnerConfig)}
    given = {f.name: getattr(cfg, f.name) for f in dataclasses.fields(cfg) if f.name in names}
    given |= {
        "saes": {name: TrainingSAEConfig.from_dict(one.sae.to_dict()) for name, one in cfgs.items()},
        "hook_names": {name: one.hook_name for name, one in cfgs.items()},
        "hook_head_indices": {name: one.hook_head_index for name, one in cfgs.items()},
        "logger": dataclasses.replace(cfg.logger),
        "checkpoint_path": None,
        "output_path": None,
    }
    if cfg.model_name in MODELS:
        given["model_from_pretrained_kwargs"] = {}  # `load_model` takes the weights as they were trained
    saes = {name: new_sae(one) for name, one in cfgs.items()}
    with _quiet(), plain_errors():
        runner = MultiSAETrainingRunner(
            MultiSAETrainingRunnerConfig(**given),
            override_model=source.model,
            override_dataset=source.dataset,
            override_saes=saes,
        )
        runner._set_sae_metadata()
        runner.evaluator.activations_store = HeldOut.of(runner, source.held_out)
    return runner


class HeldOut:
    """The part of SAELens' store that its evaluation reads: here the same rows each time."""

    def __init__(self, tokens: "Int[Tensor, 'n context']", store: Any) -> None:
        self.tokens, self._next = tokens, 0
        self.context_size = store.context_size
        self.store_batch_size_prompts = store.store_batch_size_prompts
        self.exclude_special_tokens = store.exclude_special_tokens

    @classmethod
    def of(cls, runner: MultiSAETrainingRunner, dataset: Any) -> "HeldOut":
        """As many rows as one evaluation reads."""
        from sae_lens import ActivationsStore  # noqa: PLC0415

        cfg, own = runner.cfg, runner.activations_store
        store = ActivationsStore.from_config_multi_hook(
            model=runner.model,
            dataset=dataset,
            hook_names=[own.hook_name],
            hook_d_ins={own.hook_name: own.d_in},
            context_size=cfg.context_size,
            prepend_bos=cfg.prepend_bos,
            device=own.device,
            disable_concat_sequences=cfg.disable_concat_sequences,
            sequence_separator_token=cfg.sequence_separator_token,
            use_chat_formatting=cfg.use_chat_formatting,
        )
        n = cfg.n_eval_batches * (cfg.eval_batch_size_prompts or cfg.store_batch_size_prompts)
        return cls(store.get_batch_tokens(n), own)

    def begin(self) -> None:
        """From the first row, for the next evaluation."""
        self._next = 0

    def get_batch_tokens(self, n: int) -> "Int[Tensor, 'n context']":
        places = torch.arange(self._next, self._next + n) % len(self.tokens)
        self._next += n
        return self.tokens[places.to(self.tokens.device)]

    def reset_input_dataset(self) -> None:
        """SAELens calls it between its two parts; both may read the same rows."""
        self.begin()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """SAELens warns that model and data are overridden; the run's record says which they were."""
    logger = logging.getLogger("sae_lens")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="sae_lens")
            warnings.filterwarnings("ignore", category=RuntimeWarning, module="sae_lens")
            yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """What SAELens refuses, as one message.

    Raises:
        CourseError: in the place of its ValueError or NotImplementedError.
    """
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        words = " ".join(str(error).split())
        raise CourseError(f"SAELens refuses this configuration: {words}") from error
