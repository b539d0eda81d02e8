"""A finished run on the hub: its SAE in SAELens' format, so that ``SAE.from_pretrained`` loads it anywhere.

All files go in one commit (`HfApi.create_commit`): they are visible together or not at all. SAELens' own
``upload_saes_to_huggingface`` makes several, and new repositories public; so may `HfApi.upload_folder`.
"""

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ..models import hub_client
from ..models.hub import PAUSES
from ..runtime import CourseError
from .upload_messages import NO_TOKEN, READ_ONLY, explain

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

    from ..runs import Run

SAE_FILES = ("cfg.json", "sae_weights.safetensors", "sparsity.safetensors")
RECORD = ("run.json", "metrics.jsonl", "histograms.jsonl")
_CARD = "README.md"
_SHOWN = ("metrics/l0", "metrics/explained_variance", "model_performance_preservation.ce_loss_score")
"""Metrics that a new repository's card says."""


@dataclass(frozen=True)
class Uploaded:
    """Where a run is on the hub."""

    repository: str
    name: str
    page: str
    private: bool

    def __str__(self) -> str:
        who = "only those with access to it" if self.private else "anyone"
        return (
            f"{self.name} is in the {'private' if self.private else 'public'} repository {self.repository} "
            f"({self.page}). It loads, for {who}, with\n"
            f'    SAE.from_pretrained("{self.repository}", "{self.name}")'
        )


def upload(run: "Run", repository: str, *, name: str | None = None, private: bool | None = None) -> Uploaded:
    """Upload a finished run: its SAE, and beside it its record (configuration, metrics, histograms).

    Absolute paths in it, which name folders of this machine, are cut to their last part. Where the repository
    holds an SAE of that name already, this is its new version; the hub keeps the old one.

    Args:
        repository: ``OWNER/NAME``; made if it isn't there.
        name: of the SAE in it, a folder; the run's own when not given.
        private: of a repository that is made, and there private unless False. One that is there stays as it
            is, and is refused if it is public and should be private.

    Raises:
        CourseError: before anything is sent, for a run that is unfinished or whose SAE can't be loaded or has
            weights that are no numbers, for a name that the hub doesn't take, and for a missing token or one
            that may only read; afterwards for whatever else can go wrong with the hub. Nothing of the run is
            visible on the hub then, and the same call goes on with what had not arrived.
    """
    name = run.name if name is None else name
    _check_names(repository, name)
    _check_run(run)
    from huggingface_hub import HfApi, constants  # noqa: PLC0415

    hub_client.begin()
    try:
        api = HfApi()
        _check_token(api, repository)
        api.create_repo(repository, private=private is not False, exist_ok=True)
        is_private = bool(api.repo_info(repository).private)
        if private and not is_private:
            raise CourseError(
                f"{repository} is public, and this run was to be private: name another repository, or change "
                f"it at {constants.ENDPOINT}/{repository}/settings."
            )
        with tempfile.TemporaryDirectory() as folder:
            files = _files(run, Path(folder), name)
            if not api.file_exists(repository, _CARD):
                files.append(_add(_CARD, _card(run, repository, name)))
            _commit(api, repository, files, f"Upload {name}")
    except CourseError:
        raise
    except Exception as error:
        message = explain(error, repository)
        if message is None:
            raise
        raise CourseError(message) from error
    return Uploaded(repository, name, f"{constants.ENDPOINT}/{repository}", is_private)


def _check_names(repository: str, name: str) -> None:
    from huggingface_hub.utils import HFValidationError, validate_repo_id  # noqa: PLC0415

    example = "a name such as my-name/my-saes"
    if repository.count("/") != 1:
        raise CourseError(f'The repository is OWNER/NAME, {example}, not "{repository}".')
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise CourseError(f'The hub takes no repository "{repository}": {example} would do.') from error
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", name, re.ASCII):
        raise CourseError(
            f'The name of an SAE on the hub has letters, digits, ".", "-" and "_", not "{name}": give it one '
            "with --name."
        )


def _check_run(run: "Run") -> None:
    if run.status != "finished":
        raise CourseError(
            f'The run "{run.name}" is not finished: the command that trains it goes on with it. Upload it '
            "then."
        )
    sae = run.sae()
    for which, weights in sae.state_dict().items():
        if not weights.isfinite().all():
            raise CourseError(
                f'The SAE of the run "{run.name}" has values in {which} that are no finite numbers: nobody '
                "could use it. sae-course clinic diagnose FOLDER says what went wrong in training."
            )


def _check_token(api: "HfApi", repository: str) -> None:
    from huggingface_hub import get_token  # noqa: PLC0415

    if get_token() is None:
        raise CourseError(NO_TOKEN.format(repository=repository))
    # A fine-grained token's rights can't be asked for in general; the first thing it may not do says so.
    if api.whoami().get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise CourseError(READ_ONLY.format(repository=repository))


def _files(run: "Run", folder: Path, name: str) -> "list[CommitOperationAdd]":
    """What is uploaded. ``folder``: an empty one, which is needed as long as they are."""
    saved = run.save(folder / "run").folder
    assert saved is not None
    found = []
    for path in [*(saved / "sae" / file for file in SAE_FILES), *(saved / file for file in RECORD)]:
        if not path.exists():  # an SAE that was never measured has no sparsity
            continue
        if path.suffix == ".json":
            value = _without_folders(json.loads(path.read_text(encoding="utf-8")))
            path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        found.append(_add(f"{name}/{path.name}", path))
    return found


def _commit(api: "HfApi", repository: str, files: "list[CommitOperationAdd]", words: str) -> None:
    """Send the files, then make them visible. huggingface_hub tries each step again, but for the last."""
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    for pause in (*PAUSES, None):
        try:
            api.create_commit(repository, files, commit_message=words)
            return
        except HfHubHTTPError as error:
            last = "/commit/" in str(error.response.request.url)
            if pause is None or error.response.status_code < 500 or not last:
                raise
        time.sleep(pause)


def _add(path: str, content: Path | str) -> "CommitOperationAdd":
    from huggingface_hub import CommitOperationAdd  # noqa: PLC0415

    return CommitOperationAdd(path, content if isinstance(content, Path) else content.encode())


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def _card(run: "Run", repository: str, name: str) -> str:
    """The page of a new repository."""
    config = run.config
    figures = "\n".join(f"| {key} | {run.final[key]:.4g} |" for key in _SHOWN if key in run.final)
    return f"""---
library_name: saelens
tags:
- sparse-autoencoder
---

# Sparse autoencoders

`{name}` reads `{config.get("hook_name", "?")}` of `{config.get("model_name", "?")}`; trained with SAELens
{run.versions.get("sae-lens", "")}. Beside its weights are the configuration and every metric of its training
(`run.json`, `metrics.jsonl`, `histograms.jsonl`).

```python
from sae_lens import SAE

sae = SAE.from_pretrained("{repository}", "{name}")
```

| at the end of training | |
|---|---|
{figures}
"""
