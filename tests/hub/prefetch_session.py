"""Run in processes of their own: what `sae-course prefetch` fetches from a hub, and what works without one.

    python prefetch_session.py FOLDER            with a hub of its own, which it closes in the end
    python prefetch_session.py FOLDER offline    in a room without a network, from the bundle

Prints one JSON object, by scenario.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE, IN_THE_ROOM = Path(sys.argv[1]), sys.argv[2:] == ["offline"]
BUNDLE = HERE / "bundle"
sys.path.insert(0, str(Path(__file__).parent))
from loopback import LoopbackHub, Repository  # noqa: E402
from serve import environment  # noqa: E402

for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "SAE_COURSE_SMOKE"):
    os.environ.pop(name, None)
if IN_THE_ROOM:
    os.environ |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(BUNDLE / "hf"), "HF_HUB_OFFLINE": "1"}
    os.environ |= {"SAE_COURSE_HOME": str(BUNDLE / "home")}
else:
    hub = LoopbackHub()
    os.environ |= environment(hub, HERE / "hf") | {"SAE_COURSE_HOME": str(HERE / "home")}

import click  # noqa: E402
import published as of  # noqa: E402
import torch  # noqa: E402

from sae_course.models import load_model, token_stream  # noqa: E402
from sae_course.runtime import CourseError  # noqa: E402
from sae_course.training.othello import published_probes  # noqa: E402
from sae_course.training.published import published_sae  # noqa: E402

torch.set_num_threads(1)
time.sleep = lambda seconds: None  # the libraries wait between attempts
warnings.simplefilter("ignore")
results: dict[str, Any] = {}
MODELS = ("tiny-stories-1L-21M", "attn-only-2l-demo", "othello-gpt")


def scenario(name: str, run: Callable[[], Any]) -> None:
    """Record what ``run`` returns, what it prints, and a CourseError's message or an exit status."""
    printed, found = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        try:
            found = {"value": run()}
        except CourseError as error:
            found = {"message": str(error)}
        except SystemExit as error:
            found = {"status": error.code}
    results[name] = found | {"printed": printed.getvalue()}


def course(*arguments: str) -> Callable[[], Any]:
    from sae_course.cli import cli  # noqa: PLC0415

    return lambda: cli.main(["prefetch", *arguments], standalone_mode=False)


def rows(name: str, split: str) -> str:
    """A digest of the first rows, so many that prefetched ones are in two files."""
    found = [row["tokens"] for row in token_stream(name, "full", split=split).take(90)]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def read_everything() -> dict[str, Any]:
    """All that chapters 03, 05 and 06 load at full scale, as sums and shapes."""
    models = {name: load_model(name, "full", quiet=True) for name in MODELS}
    tokens = torch.arange(1, 20)[None]
    saes = {
        "stories": published_sae("tinystories"),
        "layer 1": published_sae("attn-only-2l", 1),
        "othello": published_sae("othello"),
    }
    return {
        "logits": {name: float(model(tokens).double().sum()) for name, model in models.items()},
        "spelled": models["attn-only-2l-demo"].to_str_tokens("a b", prepend_bos=False),
        "saes": {name: list(sae.W_dec.shape) for name, sae in saes.items()},
        "probes": [list(one.shape) for one in published_probes().values()],
        "rows": {f"{name}, {split}": rows(name, split) for name in MODELS for split in ("test", "train")},
        "test rows": sum(1 for _ in token_stream(MODELS[2], "full", split="test")),
    }


def to_the_end() -> int:
    """Every training row."""
    count = 0
    try:
        for _ in token_stream(MODELS[0], "full"):
            count += 1
    except CourseError as error:
        raise CourseError(f"after {count}: {error}") from error
    return count


def resumed() -> bool:
    """A stream goes on from its own state, behind the first file's end."""
    stream = token_stream(MODELS[0], "full")
    reading = iter(stream)
    for _ in range(60):
        next(reading)
    state, after = stream.state_dict(), next(reading)
    again = token_stream(MODELS[0], "full")
    again.load_state_dict(state)
    return next(iter(again)) == after


@contextlib.contextmanager
def interrupted(after: int) -> Iterator[None]:
    """Ctrl-C once the bar has counted so many rows."""
    import tqdm  # noqa: PLC0415

    bar = tqdm.tqdm

    class Stopped(bar):  # type: ignore[misc,valid-type]
        def update(self, n: float = 1) -> bool | None:
            if self.n + n > after:
                raise KeyboardInterrupt
            return super().update(n)

    tqdm.tqdm = Stopped
    try:
        yield
    finally:
        tqdm.tqdm = bar


def asked() -> list[str]:
    """The hub's requests for files since the last call."""
    found = [line for line in hub.requests if "/resolve/" in line]
    hub.requests.clear()
    return found


def with_a_hub() -> None:
    from sae_course.training.prefetching import fetch  # noqa: PLC0415
    from sae_course.training.prefetching import rows as row_files  # noqa: PLC0415

    tokens = of.tokens(of.SMALL.rows, of.SMALL.row, of.SMALL.stories.d_vocab)
    a_large_model = {"config.json": b'{"model_type": "gpt_neox"}', "model.safetensors": b"40 GB"}
    hub.repositories |= {
        of.STORIES: of.stories(of.SMALL.stories),
        of.ATTN: of.attention_only(of.SMALL.attention),
        of.OTHELLO: of.othello(of.SMALL.othello),
        of.NEOX_TOKENIZER: Repository(of.tokenizer_files() | a_large_model),
        of.STORY_TOKENS: tokens,
        of.TEXT_TOKENS: of.tokens(of.SMALL.rows, 1_100, of.SMALL.attention.d_vocab),
        of.GAMES: of.games(of.SMALL.rows),
        of.STORY_SAE: of.story_sae(of.SMALL),
        of.ATTN_SAE: of.attention_saes(of.SMALL),
        of.OTHELLO_SAE: of.othello_sae(of.SMALL),
        of.GEMMA: Repository({"config.json": b"{}"}, "gated"),
    }
    row_files.PART = 2_050
    scenario("gated", course("07"))
    scenario("too few rows", course("03", "--rows", "2000"))
    scenario("dry run", course("03", "--dry-run", "--rows", "2100"))
    before, fetch.shutil = fetch.shutil, SimpleNamespace(disk_usage=lambda path: SimpleNamespace(free=1000))
    scenario("disk", course("03", "--rows", "2100"))
    fetch.shutil = before
    results["fetched in vain"] = [line for line in asked() if "config.json" not in line]

    with interrupted(2_080), contextlib.suppress(click.Abort):
        course("03", "--rows", "2100")()
    results["after Ctrl-C"] = kept()
    scenario("first", course("03", "05", "06", "--rows", "2100"))
    results["kept"] = kept()
    results["files"] = sorted({line.split("/resolve/")[1].split()[0] for line in asked()})
    scenario("second", course("03", "05", "06", "--rows", "2100"))
    results["asked again"] = asked()
    scenario("whole", course("06", "--rows", "5000"))

    scenario("bundle", course("03", "05", "06", "--rows", "2100", "--bundle", str(BUNDLE), "--no-wheels"))
    results["in the bundle"] = sorted(
        str(path.relative_to(BUNDLE)) for path in BUNDLE.rglob("*") if path.is_file()
    )
    results["links"] = [str(path) for path in BUNDLE.rglob("*") if path.is_symlink()]
    results["online"] = read_everything()
    asked()
    scenario("taken", course("03", "--bundle", str(BUNDLE), "--no-wheels"))
    scenario("verified", course("--verify", str(BUNDLE)))
    damage()
    hub.close()
    scenario("no network", course("03", "--rows", "2200"))
    scenario("without a hub", read_everything)


def kept() -> list[int]:
    """Rows of the files that are kept of the stories' tokens."""
    index = (
        HERE / "home/prefetched" / of.STORY_TOKENS.removeprefix("datasets/").replace("/", "--") / "index.json"
    )
    return [count for _, count in json.loads(index.read_text())["parts"]]


def damage() -> None:
    """Copies of the bundle, one with other contents than it was made with, one whose making was stopped."""
    copy = HERE / "damaged"
    shutil.copytree(BUNDLE, copy)
    weights = next(copy.rglob("model_final.pth"))
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    next(copy.rglob("synthetic_final.pth")).unlink()
    (copy / "course.py").write_text("print()")
    (copy / "home/runs").mkdir()
    (copy / "home/runs/run.json").write_text("{}")  # of use
    scenario("damaged", course("--verify", str(copy)))
    (copy / "manifest.json").unlink()
    scenario("half made", course("--verify", str(copy)))


def main() -> None:
    if IN_THE_ROOM:
        scenario("in the room", read_everything)
        scenario("to the end", to_the_end)
        scenario("resumed", resumed)
        scenario("all games", lambda: sum(1 for _ in token_stream("othello-gpt", "full")))
        scenario("verified after use", course("--verify", str(BUNDLE)))
    else:
        with_a_hub()


if __name__ == "__main__":
    main()
    print(json.dumps(results))
