"""Every chapter on the published models' shapes and formats, a few steps of everything, on this machine.

The models, tokens and SAEs come from a hub on loopback (``tests/hub``), with random weights: it is tested
that the real loading code, the chapters' code and the memory go together. Run by ``make test-full``.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = [path.stem for path in sorted((ROOT / "solutions").glob("*.py"))]
MEMORY = 15.0
"""GB that a chapter may take: what a machine of 16 leaves."""

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """With a hub at its true size in it."""
    sys.path.insert(0, str(ROOT / "tests" / "hub"))
    import serve  # noqa: PLC0415 - it needs the path
    from loopback import LoopbackHub  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="sae-course-hub-") as name:
        hub = LoopbackHub()
        hub.repositories |= serve.everything(Path(name))
        yield serve.environment(hub, Path(name) / "hf")
        hub.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_at_full_scale(chapter: str, environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sae_course", "run", chapter, "--scale", "full", "--smoke"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    executed = json.loads((tmp_path / "executed" / f"{chapter}.ipynb").read_text())
    code = [cell for cell in executed["cells"] if cell["cell_type"] == "code"]
    printed = "".join("".join(out.get("text", "")) for cell in code for out in cell["outputs"])
    assert "scale full" in printed
    assert "A smoke run" in printed
    if any("measure_published" in "".join(cell["source"]) for cell in code):
        measured = "".join(code[-1]["outputs"][-1]["data"]["text/plain"])
        assert "loss recovered" in measured
        assert "layer" in measured
    gigabytes = float(done.stdout.split(" GB")[0].split()[-1])
    assert gigabytes < MEMORY, done.stdout
