"""From a configuration to the model and the tokens it names."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models import MODELS, entry, load_model, token_stream
from ..models.hub import Source as Repository
from ..models.hub import fetching
from ..models.load import deprecated
from ..models.names import Dataset, Entry, own_names
from ..models.streams import HELD_OUT
from ..runtime import CourseError

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig
    from transformer_lens.hook_points import HookedRootModule

OURS = "sae-course:"
"""Before a mini model's name in ``dataset_path``: the stream that goes with it (`models.token_stream`)."""


@dataclass(frozen=True)
class Source:
    """What a configuration names."""

    model: "HookedRootModule"
    dataset: Any
    """Tokens to train on: a Hugging Face dataset of rows."""
    held_out: Any
    """Tokens to evaluate on, which training does not see."""


def scale_of(cfg: "LanguageModelSAERunnerConfig[Any]") -> str:
    """``mini`` where the tokens are the course's own, ``full`` otherwise: the data decide."""
    return "mini" if cfg.dataset_path.startswith(OURS) else "full"


def find(cfg: "LanguageModelSAERunnerConfig[Any]", model: Any = None, dataset: Any = None) -> Source:
    """The model and the tokens of a configuration.

    ``sae-course:NAME`` is the mini stream of model NAME, ``sae-course:NAME/notices`` its other register; the
    repository of a published model's tokens is read as `models.token_stream` reads it; any other
    ``dataset_path`` is loaded by `datasets`, and its first 2,000 rows are held out.

    Args:
        model: to be used in place of ``cfg.model_name``, such as a random-weights twin.
        dataset: to be used in place of ``cfg.dataset_path``; its first 2,000 rows are held out, or a tenth.

    Raises:
        CourseError: for a model or data that there aren't, and whatever can go wrong with the hub.
    """
    training, held_out = _split(dataset) if dataset is not None else _tokens(cfg)
    return Source(_model(cfg) if model is None else model, training, held_out)


def _model(cfg: "LanguageModelSAERunnerConfig[Any]") -> "HookedRootModule":
    if cfg.model_name in MODELS or cfg.model_name in own_names():
        dtype = cfg.model_from_pretrained_kwargs.get("dtype", "float32")
        return load_model(cfg.model_name, scale_of(cfg), device=cfg.llm_device, dtype=dtype, quiet=True)
    if scale_of(cfg) == "mini":
        entry(cfg.model_name)  # raises, with the nearest names
    from sae_lens.load_model import load_model as load_any  # noqa: PLC0415 - seconds

    try:
        with deprecated():
            return load_any(
                cfg.model_class_name,
                cfg.model_name,
                device=cfg.llm_device,
                model_from_pretrained_kwargs=cfg.model_from_pretrained_kwargs,
                hook_names=[cfg.hook_name],
            )
    except Exception as error:
        raise CourseError(
            f'The model "{cfg.model_name}" could not be loaded ({_first_line(error)}). The course has '
            f"{', '.join(MODELS)}; any other name is one of TransformerLens'."
        ) from error


def _tokens(cfg: "LanguageModelSAERunnerConfig[Any]") -> tuple[Any, Any]:
    path = cfg.dataset_path
    if path.startswith(OURS):
        name, _, register = path.removeprefix(OURS).partition("/")
        register, n_ctx = register or "stories", _row(name, cfg.context_size)
        return (
            token_stream(name, "mini", split="train", seed=cfg.seed, register=register, n_ctx=n_ctx),
            # The same rows whatever the seed: what differs between seeds is then the training, not the test.
            token_stream(name, "mini", split="test", seed=0, register=register, n_ctx=n_ctx),
        )
    for wanted in MODELS.values():
        if wanted.dataset is not None and path == wanted.dataset.repository:
            return (
                token_stream(wanted.name, "full", split="train", seed=cfg.seed, n_ctx=cfg.context_size),
                token_stream(wanted.name, "full", split="test", seed=0, n_ctx=cfg.context_size),
            )
    if not path:
        raise CourseError(
            "The configuration names no tokens (dataset_path is empty): use sae-course:MODEL for a mini "
            "model's, a dataset on the hub, or pass a dataset."
        )
    return _split(_elsewhere(path, cfg.streaming))


def _row(name: str, wanted: int) -> int | None:
    """A row's length at mini scale; too long a one is left to SAELens and the pre-flight check to refuse."""
    from ..models.load import mini_card  # noqa: PLC0415

    return wanted if 2 <= wanted <= mini_card(entry(name)).spec.n_ctx else None


def _elsewhere(path: str, streaming: bool) -> Any:
    from datasets import load_dataset  # noqa: PLC0415 - a second

    repository = Entry(path, "text", "", repository=path, dataset=Dataset(path, 0, bos=False))
    try:
        with fetching(Repository(repository, "dataset")):
            return load_dataset(path, split="train", streaming=streaming)
    except CourseError:
        raise
    except Exception as error:
        raise CourseError(
            f'The dataset "{path}" could not be loaded ({_first_line(error)}): check dataset_path, or use '
            "sae-course:MODEL for the tokens of a mini model."
        ) from error


def _split(dataset: Any) -> tuple[Any, Any]:
    """Training and held-out rows of a dataset that has no test split of its own."""
    if hasattr(dataset, "skip") and not hasattr(dataset, "__len__"):
        return dataset.skip(HELD_OUT), dataset.take(HELD_OUT)
    if not hasattr(dataset, "select"):
        raise CourseError(
            "A dataset to train on is a Hugging Face Dataset or IterableDataset, not "
            f"{type(dataset).__name__}."
        )
    if len(dataset) < 2:
        raise CourseError(
            f"The dataset has {len(dataset)} rows: one to train on and one to evaluate on are the least."
        )
    held_out = min(HELD_OUT, max(1, len(dataset) // 10))
    return dataset.select(range(held_out, len(dataset))), dataset.select(range(held_out))


def _first_line(error: BaseException) -> str:
    words = str(error).strip().splitlines()
    return words[0] if words else type(error).__name__
