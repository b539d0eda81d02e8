"""utils/install.py: what it would run in each mode, what it keeps, and what it says when it fails."""

import os
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

COLAB = {
    "torch": "2.9.0+cu126",
    "numpy": "2.0.2",
    "requests": "2.32.4",
    "ipywidgets": "7.7.1",
    "sympy": "1.13.1",
}


def pip_lines(text: str) -> list[list[str]]:
    """The pip commands that a dry run printed, from ``install`` on."""
    commands = [shlex.split(line) for line in text.splitlines() if " -m pip " in line]
    return [command[command.index("install") :] for command in commands]


def pins(text: str) -> list[set[str]]:
    """The constraints of each attempt that a dry run printed."""
    return [
        set(line.split(": ", 1)[1].split()) for line in text.splitlines() if line.startswith("# constraints")
    ]


# ---------------------------------------------------------------- modes


def test_dev_installs_torch_first_and_sae_vis_last(root: Path) -> None:
    script = [sys.executable, str(root / "utils" / "install.py"), "--dev", "--dry-run"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    torch, course, sae_vis = pip_lines(done.stdout)
    pin = re.search(r"^torch==.*$", (root / "constraints.txt").read_text(), re.MULTILINE)
    assert pin is not None
    assert pin.group() in torch
    for command in (torch, course):
        assert command[command.index("-c") + 1] == str(root / "constraints.txt")
    assert course[-2:] == ["-e", f"{root}[dev]"]
    assert sae_vis[-2:] == ["--no-deps", "sae-vis==0.3.7"]


def test_user_installs_the_package_and_keeps_a_torch_that_fits(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "installed", lambda: {"torch": "2.7.1+cu128", "numpy": "1.26.4"})
    assert install.main(["--dry-run"]) == 0
    out = capsys.readouterr().out
    course, sae_vis = pip_lines(out)
    assert course[-2:] == ["-e", str(install.ROOT)]
    assert sae_vis[-1].startswith("sae-vis==")
    (constraints,) = pins(out)
    assert "torch==2.7.1+cu128" in constraints
    # too old for the course, so it moves, and to the version that was tested
    assert f"numpy=={install.tested()['numpy']}" in constraints


def test_colab_pins_the_torch_and_numpy_that_are_there(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "installed", lambda: dict(COLAB))
    assert install.main(["--colab", "--dry-run"]) == 0
    out = capsys.readouterr().out
    lacking, sae_vis = pip_lines(out)
    assert {"torch>=2.6", "sae-lens>=6.54,<7", "frozendict"} <= set(lacking)
    assert not {"-e", str(install.ROOT)} & set(lacking), "the package itself stays on the path"
    assert "--no-deps" in sae_vis
    (constraints,) = pins(out)
    assert {"torch==2.9.0+cu126", "numpy==2.0.2", "requests==2.32.4"} <= constraints
    assert f"sae-lens=={install.tested()['sae-lens']}" in constraints, "what is absent comes as it was tested"
    assert not any(pin.startswith("sympy==") for pin in constraints), "what torch brought is pip's to decide"


@pytest.mark.parametrize("old", ["2.1.0", "2.5.1+cpu"])
def test_colab_never_moves_torch_even_when_it_is_too_old(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, old: str
) -> None:
    monkeypatch.setattr(install, "installed", lambda: {"torch": old})
    assert f"torch=={old}" in install.kept_pins(("torch",), always=True)
    assert f"torch=={old}" not in install.kept_pins(("torch",), always=False)


def test_a_conflict_is_tried_again_with_only_torch_and_numpy_kept(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "installed", lambda: dict(COLAB))
    seen: list[set[str]] = []

    def refuse_once(self: object, label: str, *arguments: str) -> None:
        if "-c" in arguments:
            seen.append(set(Path(arguments[1]).read_text().split()))
            if len(seen) == 1:
                raise install.InstallError("…", reason="conflict")

    monkeypatch.setattr(install.Runner, "install", refuse_once)
    install.install_colab(install.Runner(dry_run=True))
    assert len(seen) == 2
    assert seen[1] == {"torch==2.9.0+cu126", "numpy==2.0.2"}


def test_another_failure_is_not_tried_again(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refuse(self: object, label: str, *arguments: str) -> None:
        tries.append(label)
        raise install.InstallError("…", reason="network")

    monkeypatch.setattr(install.Runner, "install", refuse)
    with pytest.raises(install.InstallError):
        install.install_colab(install.Runner(dry_run=True))
    assert len(tries) == 1


def test_a_changed_torch_is_said(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    versions = {"torch": "2.9.0", "numpy": "2.0.2"}

    def change(self: object, label: str, *arguments: str) -> None:
        versions["torch"] = "2.13.0"

    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "installed", lambda: dict(versions))
    monkeypatch.setattr(install, "dependencies", lambda: ["torch>=2.6"])
    monkeypatch.setattr(install.Runner, "install", change)
    with pytest.raises(install.InstallError, match=r"torch 2\.9\.0 -> 2\.13\.0.*restart"):
        install.install_colab(install.Runner(dry_run=False))


def test_what_is_installed_is_read_as_pip_reads_it(install: ModuleType) -> None:
    here = install.installed()
    assert here["numpy"] == metadata.version("numpy")
    assert here["sae-lens"] == metadata.version("sae_lens")


def test_freeze_leaves_out_pip_and_local_labels(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = {
        "torch": "2.13.0+cpu",
        "pip": "26",
        "setuptools": "80",
        "wheel": "1",
        "sae-course": "0.1",
        "b": "2",
    }
    monkeypatch.setattr(install, "installed", lambda: here)
    monkeypatch.setattr(install, "CONSTRAINTS", tmp_path / "constraints.txt")
    assert install.main(["--freeze"]) == 0
    assert install.tested() == {"b": "2", "torch": "2.13.0"}
    assert [path.name for path in tmp_path.iterdir()] == ["constraints.txt"]


# ---------------------------------------------------------------- the wrong Python, and failures


@pytest.mark.parametrize(
    ("version", "fits"), [((3, 10), 0), ((3, 11), 1), ((3, 13), 1), ((3, 14), 0), ((4, 11), 0)]
)
def test_python_version(install: ModuleType, version: tuple[int, int], fits: int) -> None:
    if fits:
        install.check_python(version)
    else:
        with pytest.raises(install.InstallError, match=r"needs 3\.11 to 3\.13") as caught:
            install.check_python(version)
        assert caught.value.code == 2


def test_the_wrong_python_gets_one_line_and_status_2(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 1))
    assert install.main(["--dev", "--dry-run"]) == 2
    assert install.main(["--check-python"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2
    assert "This is Python 3.9" in captured.err


@pytest.mark.parametrize(
    ("output", "reason", "says"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk",
            "TMPDIR",
        ),
        (
            "error: externally-managed-environment\n× This environment is externally managed",
            "system",
            ".venv",
        ),
        (
            "ERROR: Could not install packages: [Errno 13] Permission denied: '/usr/lib'",
            "permission",
            "written",
        ),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'\n"
            "ERROR: Could not find a version that satisfies the requirement torch\n"
            "ERROR: No matching distribution found for torch",
            "network",
            "kept",
        ),
        (
            "ERROR: Cannot install a because these versions have conflicting dependencies.",
            "conflict",
            "fit",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", "missing", "3.11 on Linux"),
        ("ERROR: something else", "", "log"),
    ],
)
def test_a_failure_names_its_reason(install: ModuleType, output: str, reason: str, says: str) -> None:
    noise = "WARNING: Location 'file:///x/simple/torch/' is ignored: it is neither a file nor a directory.\n"
    error = install.failure(noise * 30 + output + "\n" + noise, Path("the.log"))
    assert error.reason == reason
    assert error.code == 1
    assert says in str(error).splitlines()[-2]
    assert output.splitlines()[0][:60] in str(error)
    assert "is ignored" not in str(error)
    assert str(error).endswith("All of it: the.log")


def test_no_network_for_real(install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    arguments = [
        "--target",
        str(tmp_path / "t"),
        "--index-url=http://127.0.0.1:9/simple",
        "--retries=1",
        "no-such",
    ]
    with pytest.raises(install.InstallError) as caught:
        install.Runner(dry_run=False).install("nothing", *arguments)
    assert caught.value.reason == "network"
    assert "no-such" in (tmp_path / "build" / "install.log").read_text()


def test_ctrl_c_gets_one_line_and_leaves_no_pip_behind(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    class Slow(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, command: list[str], **options: object) -> None:
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **options)  # type: ignore[call-overload]
            processes.append(self)
            self.waits = 0

        def wait(self, timeout: float | None = None) -> int:
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install.subprocess, "Popen", Slow)
    monkeypatch.setattr(install, "check_python", lambda: None)
    monkeypatch.setattr(install, "need_pip", lambda run: None)
    assert install.main(["--dev"]) == 2
    assert "Stopped. Run it again" in capsys.readouterr().err
    assert len(processes) == 1
    assert processes[0].poll() is not None


# ---------------------------------------------------------------- the environment


@pytest.fixture
def commands(install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A stand-in for `python -m venv`, which takes seconds: records the command and makes a bare folder."""
    seen: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        folder = tmp_path / ".venv" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "python").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(install.subprocess, "run", run)
    return seen


def test_an_unfinished_environment_is_made_anew(
    install: ModuleType, commands: list[list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / ".venv"
    install.make_venv(folder)
    install.make_venv(folder)  # the first one's installation never finished
    assert len(commands) == 2
    assert all("--clear" in command for command in commands)


def test_a_finished_environment_is_updated_and_a_moved_one_is_not(
    install: ModuleType, commands: list[list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / ".venv"
    python = install.make_venv(folder)
    stamp = folder / install.FINISHED
    stamp.write_text(f"{folder}\n")
    assert install.make_venv(folder) == python
    assert len(commands) == 1
    assert not stamp.exists(), "an update that is interrupted must not leave it marked as finished"
    stamp.write_text("/somewhere/else/.venv\n")
    install.make_venv(folder)
    assert len(commands) == 2


@pytest.mark.parametrize("status", [0, 1])
def test_only_a_good_end_marks_it_as_finished(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int
) -> None:
    monkeypatch.setattr(
        install, "make_venv", lambda folder: Path("/bin/true" if status == 0 else "/bin/false")
    )
    assert install.in_venv(tmp_path, ["--dev"]) == status
    assert (tmp_path / install.FINISHED).exists() == (status == 0)


def test_the_makefiles_call_goes_to_an_environment(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[Path, list[str]]] = []

    def in_venv(folder: Path, flags: list[str]) -> int:
        seen.append((folder, flags))
        return 0

    monkeypatch.setattr(install, "in_venv", in_venv)
    monkeypatch.chdir(tmp_path)
    assert install.main(["--dev", "--venv", ".venv"]) == 0
    assert seen == [(Path.cwd() / ".venv", ["--dev"])]


# ---------------------------------------------------------------- without an index


def test_what_dev_installs_is_what_is_downloaded(
    install: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "wheels"
    assert install.main(["--download", str(folder), "--dry-run"]) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    torch, course, sae_vis = [command[command.index("wheel") :] for command in commands]
    assert not folder.exists()
    for command in (torch, course, sae_vis):
        assert command[command.index("--wheel-dir") + 1] == str(folder)
        assert command[command.index("--find-links") + 1] == str(folder), "each package once"
    assert f"torch=={install.tested()['torch']}" in torch
    assert course[course.index("-c") + 1] == str(install.CONSTRAINTS)
    declared = {"torch>=2.6", "sae-lens>=6.54,<7", "jupyterlab>=4"}
    assert declared <= set(course)
    assert "setuptools>=77" in course, "the course itself is built in the room"
    assert sae_vis[-2:] == ["--no-deps", install.sae_vis()]


def test_with_wheels_no_index_is_asked(
    install: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert install.main(["--dev", "--wheels", str(tmp_path), "--dry-run"]) == 0
    commands = pip_lines(capsys.readouterr().out)
    assert len(commands) == 3
    for command in commands:
        assert "--no-index" in command
        assert command[command.index("--find-links") + 1] == str(tmp_path)
    assert install.main(["--dev", "--dry-run"]) == 0
    assert "--no-index" not in capsys.readouterr().out


def test_an_environment_is_made_from_wheels(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(install, "in_venv", lambda folder, flags: seen.append(flags) or 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    assert install.main(["--venv", ".venv", "--wheels", "wheels"]) == 2
    assert "holds no wheels" in capsys.readouterr().err
    (tmp_path / "wheels" / "a-1-py3-none-any.whl").touch()
    assert install.main(["--venv", ".venv", "--dev", "--wheels", "wheels"]) == 0
    assert seen == [["--dev", "--wheels", str(Path.cwd() / "wheels")]]
