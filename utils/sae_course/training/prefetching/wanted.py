"""The files and rows that are to be fetched, and what of them is here."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.cached import cached_files
from ...models.hub import ask, fetching
from ...models.hub_cache import Source
from ...models.names import MODELS, Entry
from ...models.prefetched import Kept, kept_rows
from ...runtime import CourseError
from .. import othello
from ..planner.shapes import FULL
from ..published import PUBLISHED, Published, source_of
from .reads import Reads, published_of, together

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_TOKENIZER = {
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "chat_template.jinja"),
}
"""What transformers reads to make a tokenizer, where it is there."""
_WEIGHTS = (
    r"model\.safetensors",
    r"model\.safetensors\.index\.json|model-\d+-of-\d+\.safetensors",
    r"pytorch_model\.bin",
    r"pytorch_model\.bin\.index\.json|pytorch_model-\d+-of-\d+\.bin",
)
"""In the order in which transformers looks for them: the first form that is there is what it reads."""


@dataclass(frozen=True)
class Files:
    """Files of one repository, in one version."""

    what: str
    """``model``, ``tokenizer`` or ``SAE``."""
    source: Source
    revision: str
    sizes: dict[str, int]
    """In bytes, by path."""

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())

    @property
    def missing(self) -> dict[str, int]:
        """Those that the cache lacks in this version."""
        head = self.source.folder / "refs" / "main"
        here: set[str] = set()
        if head.is_file() and head.read_text(encoding="utf-8").strip() == self.revision:
            here = set(cached_files(self.source.repository))
        return {path: size for path, size in self.sizes.items() if path not in here}


@dataclass(frozen=True)
class Rows:
    """The first rows of a dataset."""

    entry: Entry
    rows: int

    @property
    def source(self) -> Source:
        return Source(self.entry, "dataset")

    @property
    def width(self) -> int:
        """Bytes of a token."""
        return next(size for size in (1, 2, 4) if FULL[self.entry.name].d_vocab <= 256**size)

    @property
    def bytes(self) -> int:
        """At most: Parquet packs them."""
        return self.rows * self._tokens * self.width

    @property
    def _tokens(self) -> int:
        assert self.entry.dataset is not None
        return self.entry.dataset.n_ctx

    @property
    def kept(self) -> Kept | None:
        return kept_rows(self.source.repository)

    @property
    def missing_bytes(self) -> int:
        kept = self.kept
        if kept is None:
            return self.bytes
        return 0 if kept.whole else max(0, self.rows - kept.rows) * self._tokens * self.width


@dataclass(frozen=True)
class Wanted:
    """All of what some chapters read."""

    files: tuple[Files, ...]
    rows: tuple[Rows, ...]

    def __bool__(self) -> bool:
        return bool(self.files or self.rows)

    @property
    def missing_files(self) -> int:
        """Bytes that the cache lacks."""
        return sum(sum(one.missing.values()) for one in self.files)

    @property
    def missing_rows(self) -> int:
        """Bytes of rows that aren't here, at most."""
        return sum(one.missing_bytes for one in self.rows)

    def __str__(self) -> str:
        """A table: what, from where, how large, how much of it is here."""
        from tabulate import tabulate  # noqa: PLC0415

        lines: list[list[Any]] = []
        for one in self.files:
            missing = one.missing
            state = "here" if not missing else amount(sum(missing.values())) + " to fetch"
            lines.append(
                [one.what, one.source.repository, f"{len(one.sizes)} files", amount(one.bytes), state]
            )
        for rows in self.rows:
            kept = rows.kept
            there = 0 if kept is None else kept.rows
            enough = there >= rows.rows or (kept is not None and kept.whole)
            state = "here" if enough else f"{rows.rows - there:,} to fetch"
            how_many = f"{rows.rows:,} rows"
            lines.append(["tokens", rows.source.repository, how_many, f"≤ {amount(rows.bytes)}", state])
        align = ("left", "left", "right", "right", "left")
        return tabulate(lines, tablefmt="plain", disable_numparse=True, colalign=align)


def amount(size: float) -> str:
    """``0.25 GB``, ``1.2 MB``, ``40 kB``."""
    if size >= 1e8:
        return f"{size / 1e9:.2f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def wanted(chosen: list[str], rows: int | None = None) -> Wanted:
    """What these chapters read, as the hub has it now. Small configurations are fetched for that.

    Args:
        rows: of each dataset, in place of the chapters' own numbers.

    Raises:
        CourseError: whatever can go wrong with the hub (see `models.hub.fetching`), a licence that was not
            accepted included; and as `reads.together` does.
    """
    files: list[Files] = []
    reads = together(chosen, rows)
    for one in reads:
        files += _of_model(one)
    for preset in dict.fromkeys(name for number in chosen for name in published_of(number)):
        files.append(_of_sae(preset))
    return Wanted(tuple(files), tuple(Rows(MODELS[one.model], one.rows) for one in reads))


def _of_model(one: Reads) -> list[Files]:
    entry = MODELS[one.model]
    source = Source(entry, "model")
    revision, there = _listed(source)
    names = [file.path for file in there]
    own = next((name for name in names if name.endswith("final.pth")), None)
    if own is None:
        form = next((form for form in _WEIGHTS if any(re.fullmatch(form, name) for name in names)), None)
        if form is None:
            raise CourseError(f"{entry.repository} has no weights that the course can read.")
        chosen = (
            {name for name in names if re.fullmatch(form, name)} | _TOKENIZER | {"generation_config.json"}
        )
        return [_chosen("model", source, revision, there, chosen)]
    # TransformerLens' own format: it takes the first file that ends so, and nothing of the checkpoints.
    found = [_chosen("model", source, revision, there, {"config.json", own})]
    if name := _config(source).get("tokenizer_name"):
        tokenizer = Source(Entry(name, "text", "a tokenizer", name), "model")
        found.append(_chosen("tokenizer", tokenizer, *_listed(tokenizer), _TOKENIZER))
    return found


def _of_sae(preset: str) -> Files:
    """The SAEs of a preset's layers, and the probes that lie beside Othello's."""
    source, published = source_of(preset), PUBLISHED[preset]
    revision, there = _listed(source)
    paths = [file.path for file in there]
    folders = tuple(f"{_folder(published, layer, paths)}/" for layer in published.layers)
    chosen = {path for path in paths if path.startswith(folders)}
    if preset == othello.PRESETS_OF["MLP"]:
        chosen.add(othello.PROBES)
    return _chosen("SAE", source, revision, there, chosen)


def _folder(published: Published, layer: int, paths: list[str]) -> str:
    """Of an SAE in its repository: as `published_sae` finds it."""
    name = published.name.format(layer=layer)
    if published.release:
        from sae_lens.loading.pretrained_saes_directory import (  # noqa: PLC0415 - seconds
            get_repo_id_and_folder_name,
        )

        return str(get_repo_id_and_folder_name(published.release, name)[1])
    folders = {path.rpartition("/")[0] for path in paths}
    hook = name.partition("-v")[0]
    others = sorted(one for one in folders if one == hook or one.startswith(f"{hook}-v"))
    return name if name in folders or not others else others[-1]


def _chosen(what: str, source: Source, revision: str, there: "list[RepoFile]", chosen: set[str]) -> Files:
    return Files(what, source, revision, {one.path: one.size for one in there if one.path in chosen})


def _listed(source: Source) -> "tuple[str, list[RepoFile]]":
    """A repository's commit and files; for one behind a licence, after a look at whether it may be read."""
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url  # noqa: PLC0415
    from huggingface_hub.hf_api import RepoFile  # noqa: PLC0415

    with fetching(source):
        ask(source)
        info = HfApi().model_info(source.repository, timeout=20)
        tree = HfApi().list_repo_tree(source.repository, recursive=True)
        files = [one for one in tree if isinstance(one, RepoFile)]
        if source.entry.licence:
            get_hf_file_metadata(hf_hub_url(source.repository, "config.json"))
    return str(info.sha), files


def _config(source: Source) -> dict[str, Any]:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache  # noqa: PLC0415

    with fetching(source):
        here = try_to_load_from_cache(source.repository, "config.json")
        path = here if isinstance(here, str) else hf_hub_download(source.repository, "config.json")
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
