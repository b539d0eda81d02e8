"""A room imports only the rooms above its line in the design; types for annotations aside."""

import ast
from pathlib import Path

import pytest

import sae_course

PACKAGE = Path(sae_course.__file__).parent
ROOMS = (
    "runtime",
    "figures",
    "data",
    "models",
    "runs",
    "evals",
    "dashboards",
    "training",
    "clinic",
    "checks",
    "notebooks",
)


def imports(path: Path) -> set[str]:
    """The rooms that a file imports when it is run, wherever in it the import stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            names = [alias.name for alias in node.names] if module == (PACKAGE.name,) else []
            paths = [module, *((*module, name) for name in names)]
        elif isinstance(node, ast.Import):
            paths = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        found |= {parts[1] for parts in paths if parts[:1] == (PACKAGE.name,) and len(parts) > 1}
    return found & set(ROOMS)


def rooms() -> list[str]:
    return [path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]


def test_every_room_has_its_line() -> None:
    # The doctor stands beside the command line: it may look at everything.
    assert set(rooms()) - {"doctor"} <= set(ROOMS)


@pytest.mark.parametrize("room", [room for room in rooms() if room in ROOMS])
def test_a_room_imports_only_what_is_above_it(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = {
        str(path.relative_to(PACKAGE)): sorted(imports(path) - allowed)
        for path in (PACKAGE / room).rglob("*.py")
        if imports(path) - allowed
    }
    assert not wrong


def test_the_reader_of_imports_sees_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_rooms.PACKAGE", tmp_path / "sae_course")
    file = tmp_path / "sae_course" / "data" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from ..models import a\nfrom .. import runs\nimport sae_course.checks.core\n"
        "def f():\n    from sae_course.training.toy import b\n"
        "if TYPE_CHECKING:\n    from ..clinic import c\nfrom .stories import d\n"
    )
    assert imports(file) == {"models", "runs", "checks", "training", "data"}
