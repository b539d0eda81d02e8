"""Installs the course: the one script that the Makefile, the conda instructions and the Colab cell use.

    python utils/install.py               into this Python's environment; a torch that fits is kept
    python utils/install.py --dev         the versions that were tested, with JupyterLab and all tools
    python utils/install.py --colab       what Colab lacks; its torch and NumPy stay as they are
    python utils/install.py --venv .venv --dev      the same, into an environment that it makes first
    python utils/install.py --download DIR          into DIR: wheels of what --dev installs
    python utils/install.py --dev --wheels DIR      from those, without a network

Add --dry-run to see the commands only. It may be interrupted, and run again, at any time.

Standard library only, and it starts on Python 3.8, so that an old Python gets an answer instead of a
traceback. pip's own output goes to build/install.log.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
FINISHED = ".installed"
"""The file in a virtual environment that says its installation came to an end; the Makefile's stamp."""

SAE_VIS = "sae-vis"
"""Installed last and with --no-deps: its declared bounds contradict the stack that it runs on."""

NEVER_CHANGE = ("torch", "torchvision", "torchaudio", "triton", "numpy")
"""A running kernel may have imported them, and everything compiled beside them breaks with another one."""

RATHER_KEEP = (
    # compiled against NumPy, and chosen by Colab to fit together
    *("scipy", "scikit-learn", "pandas", "matplotlib", "pyarrow", "pillow"),
    # imported by the kernel before our first cell runs: a new version on disk asks for a restart
    *("ipykernel", "ipython", "ipywidgets", "tornado", "pyzmq", "traitlets", "jupyter-client", "psutil"),
    # pinned exactly by Colab's own package
    "requests",
)
"""Kept as well unless that leaves no solution, which a second try without these finds out."""

NOT_PINNED = ("pip", "setuptools", "wheel", "sae-course")


class InstallError(Exception):
    """What happened and what to do, for a person."""

    def __init__(self, message: str, code: int = 1, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        """The exit status."""
        self.reason = reason
        """A key of REASONS, where pip failed for one of them."""


# ---------------------------------------------------------------- what is asked for, and what is there


def python_range() -> tuple[int, int]:
    """The lowest minor version of Python 3 that works, and the first that doesn't; from pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^requires-python\s*=\s*">=3\.(\d+),\s*<3\.(\d+)"', text, re.MULTILINE)
    if found is None:
        raise InstallError('pyproject.toml has no line such as: requires-python = ">=3.11,<3.14"')
    return int(found.group(1)), int(found.group(2))


def check_python(version: tuple[int, int] | None = None) -> None:
    """Raise InstallError (exit status 2) unless this Python is one that the course supports."""
    major, minor = version or sys.version_info[:2]
    low, high = python_range()
    if major != 3 or not low <= minor < high:
        raise InstallError(
            f"This is Python {major}.{minor} ({sys.executable}); the course needs 3.{low} to 3.{high - 1}. "
            f"Run it with another one, such as: make PYTHON=python3.{low} run",
            code=2,
        )


def normalised(name: str) -> str:
    """A distribution's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def tested() -> dict[str, str]:
    """Distribution -> the version that was tested, from constraints.txt."""
    pins = {}
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        requirement = line.partition("#")[0].strip()
        if requirement:
            name, _, version = requirement.partition("==")
            pins[normalised(name.strip())] = version.strip()
    return pins


def installed() -> dict[str, str]:
    """Distribution -> version, of everything that this Python can import."""
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a half-removed package has none
            versions.setdefault(normalised(name), distribution.version)
    return versions


def dependencies(tools: bool = False) -> list[str]:
    """The requirements that pyproject.toml declares; with ``tools``, those of --dev and of the build too."""
    import tomllib  # noqa: PLC0415 - Python 3.11; check_python runs before this

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = declared["project"]
    more = [*project["optional-dependencies"]["dev"], *declared["build-system"]["requires"]] if tools else []
    return [*project["dependencies"], *more]


def release(version: str) -> tuple[int, ...]:
    """``(2, 6, 0)`` for ``2.6.0+cu124``: enough to compare with a lower bound."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in numbers.group().split(".")) if numbers else ()


def meets_lower_bound(name: str, version: str) -> bool:
    """Whether ``version`` is at least the ``>=`` bound that pyproject.toml gives for ``name``."""
    for requirement in dependencies():
        found = re.match(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9.]+)", requirement)
        if found and normalised(found.group(1)) == name:
            return release(version) >= release(found.group(2))
    return True


def kept_pins(keep: tuple[str, ...], always: bool) -> list[str]:
    """Constraints under which an environment keeps what it has and gets the rest as it was tested.

    Packages in ``keep`` stay at their installed version, unless that is older than the course can use
    (with ``always``, torch and NumPy stay even then); absent ones get the tested version; pip decides
    about all others.
    """
    here = installed()
    pins = {name: version for name, version in tested().items() if name not in here}
    for name in keep:
        stays = always and name in NEVER_CHANGE
        if name in here and (stays or meets_lower_bound(name, here[name])):
            pins[name] = here[name]
        elif name in here and name in tested():
            pins[name] = tested()[name]
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


# ---------------------------------------------------------------- running pip


class Runner:
    """Runs pip with its output in a log; with ``dry_run`` it prints the commands instead."""

    def __init__(self, dry_run: bool, python: str = sys.executable, wheels: Path | None = None) -> None:
        self.dry_run = dry_run
        self.source = ["--no-index", "--find-links", str(wheels)] if wheels else []
        """Where packages come from, where it is not the index."""
        self.pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        self.log = _log_file() if not dry_run else Path(os.devnull)

    def install(self, label: str, *arguments: str) -> None:
        """``pip install arguments``; raises InstallError with the reason and what to do."""
        self._do(
            label, "install", "--progress-bar=off", "--root-user-action=ignore", *self.source, *arguments
        )

    def wheel(self, label: str, folder: Path, *arguments: str) -> None:
        """Wheels of ``arguments`` into ``folder``, built where only a source is published; as `install`."""
        # What is there already is taken again: every package once, whichever command asks.
        there = ["--wheel-dir", str(folder), "--find-links", str(folder)]
        self._do(label, "wheel", "--progress-bar=off", *there, *arguments)

    def _do(self, label: str, *arguments: str) -> None:
        command = [*self.pip, *arguments]
        if self.dry_run:
            print(shlex.join(command))
            return
        status, output = self._run(label, command)
        if status:
            raise failure(output, self.log)

    def _run(self, label: str, command: list[str]) -> tuple[int, str]:
        """Status and output of a command, with one line on the screen that counts the seconds."""
        start = time.monotonic()
        live = sys.stdout.isatty()
        print(f"  {label} …", end="" if live else "\n", flush=True)
        with self.log.open("a+", encoding="utf-8", errors="replace") as log:
            log.write(f"\n$ {shlex.join(command)}\n")
            log.flush()
            begin = log.tell()
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
            try:
                while True:
                    try:
                        status = process.wait(timeout=0.5)
                        break
                    except subprocess.TimeoutExpired:
                        if live:
                            print(f"\r  {label} … {time.monotonic() - start:.0f} s", end="", flush=True)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
                if live:
                    print()
            log.seek(begin)
            output = log.read()
        if not status and not live:
            print(f"  {label}: {time.monotonic() - start:.0f} s", flush=True)
        return status, output


def _log_file() -> Path:
    """An empty log under build/, or in the temporary folder when the checkout is read-only."""
    try:
        (ROOT / "build").mkdir(exist_ok=True)
        log = ROOT / "build" / "install.log"
        log.write_text("", encoding="utf-8")
    except OSError:
        handle, name = tempfile.mkstemp(prefix="sae-course-install-", suffix=".log")
        os.close(handle)
        log = Path(name)
    return log


# The first pattern that pip's output holds says why it failed: a network error, for one, ends in
# "no matching distribution", which alone would blame the package.
REASONS = {
    "disk": (
        r"No space left on device|Errno 28",
        "The disk is full{free}. Make room and run it again; if only the temporary folder is small, "
        "set TMPDIR to a folder on a larger disk.",
    ),
    "system": (
        r"externally-managed-environment",
        "This Python belongs to the operating system, which forbids installing into it. "
        "Use `make` (it makes .venv), or a virtual or conda environment.",
    ),
    "permission": (
        r"Permission denied|Errno 13|Read-only file system|Errno 30",
        "The environment's folder can't be written. Use `make` (it makes .venv), or an environment of yours.",
    ),
    "network": (
        r"NameResolutionError|Temporary failure in name resolution|NewConnectionError|Max retries exceeded"
        r"|Connection refused|Connection reset|Network is unreachable|Connect ?Timeout|Read ?Timeout"
        r"|Read timed out|ProxyError|SSLError|connection broken|IncompleteRead",
        "The package index can't be reached, or the connection broke. Check the network (and the proxy, "
        "if there is one), then run it again: what was downloaded is kept.",
    ),
    "conflict": (
        r"ResolutionImpossible|conflicting dependencies",
        "The packages asked for don't fit together, or don't fit what is installed here. "
        "A fresh environment avoids that: `make`, or `conda env create -f environment.yml`.",
    ),
    "missing": (
        r"No matching distribution|Could not find a version",
        "A package has no version for this Python and platform, or the index doesn't offer it or can't be "
        "reached: see the lines above. Python 3.11 on Linux is what was tested.",
    ),
}


def failure(output: str, log: Path, lines: int = 8) -> InstallError:
    """The lines of pip's output that tell why it failed, the reason in words, and what to do."""
    said = [line for line in output.splitlines() if line.strip() and not is_noise(line)]
    shown, found = said[-lines:], ""
    advice = "Run it again; if it fails at the same place, the log says why."
    for name, (pattern, text) in REASONS.items():
        first = next((n for n, line in enumerate(said) if re.search(pattern, line, re.IGNORECASE)), None)
        if first is not None:
            free = f" ({shutil.disk_usage(ROOT).free / 2**30:.1f} GiB free beside the checkout)"
            shown, found, advice = said[first : first + lines], name, text.replace("{free}", free)
            break
    quoted = (f"    {line[:200]}" for line in shown)
    return InstallError("\n".join(["pip failed:", *quoted, advice, f"All of it: {log}"]), reason=found)


def is_noise(line: str) -> bool:
    """Warnings that say nothing about a failure."""
    return bool(re.search(r"WARNING: Location .* is ignored|^\[notice\]|Requirement already satisfied", line))


# ---------------------------------------------------------------- the modes


def sae_vis() -> str:
    """``sae-vis`` at the tested version."""
    return f"{SAE_VIS}=={tested()[SAE_VIS]}"


def install_dev(run: Runner) -> None:
    """All of the tested versions, and the tools for running, writing and testing the course."""
    # torch first and pinned: pip then takes a CPU build of this version where it finds one on disk.
    # Pulled in by another package it could be any version, and several GB of CUDA libraries.
    run.install("torch", f"torch=={tested()['torch']}", "-c", str(CONSTRAINTS))
    run.install("the course and its tools", "-c", str(CONSTRAINTS), "-e", f"{ROOT}[dev]")
    run.install(SAE_VIS, "--no-deps", sae_vis())


def download(run: Runner, folder: Path) -> None:
    """Wheels of all that `install_dev` installs, for this Python and operating system."""
    if not run.dry_run:
        folder.mkdir(parents=True, exist_ok=True)
    pinned = ["-c", str(CONSTRAINTS)]
    run.wheel("torch", folder, f"torch=={tested()['torch']}", *pinned)
    run.wheel("the course's packages and its tools", folder, *pinned, *dependencies(tools=True))
    run.wheel(SAE_VIS, folder, "--no-deps", sae_vis())


def check_wheels(folder: Path) -> None:
    """Raise InstallError (exit status 2) unless there are wheels in ``folder``."""
    if not any(folder.glob("*.whl")):
        raise InstallError(
            f"{folder} holds no wheels: name the folder that --download filled (wheels, in a bundle).", code=2
        )


def install_user(run: Runner) -> None:
    """The package into an environment that exists, without moving a torch or NumPy that fits."""
    with_pins(run, "the course", ["-e", str(ROOT)], always=False)
    run.install(SAE_VIS, "--no-deps", sae_vis())


def install_colab(run: Runner) -> None:
    """The package's dependencies into a running kernel; the package itself is on its path already."""
    before = {name: version for name, version in installed().items() if name in NEVER_CHANGE}
    with_pins(run, "what Colab lacks", dependencies(), always=True)
    run.install(SAE_VIS, "--no-deps", sae_vis())
    if run.dry_run:
        return
    after = installed()
    changed = [f"{name} {old} -> {after.get(name)}" for name, old in before.items() if after.get(name) != old]
    if changed:
        raise InstallError(
            f"The installation changed {', '.join(changed)}: restart the runtime before going on."
        )
    if before:
        print(f"  unchanged: {', '.join(f'{name} {version}' for name, version in sorted(before.items()))}")


def with_pins(run: Runner, label: str, arguments: list[str], always: bool) -> None:
    """Install ``arguments`` so that what is there stays: first keeping much, then only what must stay."""
    with tempfile.TemporaryDirectory() as folder:
        for attempt, keep in enumerate([(*NEVER_CHANGE, *RATHER_KEEP), NEVER_CHANGE]):
            pins = kept_pins(keep, always)
            if attempt:  # the tested versions of what is absent may be the ones that don't fit
                pins = [pin for pin in pins if pin.partition("==")[0] in keep]
            path = Path(folder, f"constraints-{attempt}.txt")
            path.write_text("\n".join(pins) + "\n", encoding="utf-8")
            if run.dry_run:
                print(f"# {path.name}: {' '.join(pins)}")
            try:
                run.install(label, "-c", str(path), *arguments)
                return
            except InstallError as error:
                if attempt or error.reason != "conflict":
                    raise
            print("  These versions don't fit what is installed here; trying again with fewer kept.")


def make_venv(folder: Path) -> Path:
    """A virtual environment in ``folder``, and the path of its Python.

    One whose installation finished is updated; anything else (none, interrupted, moved to another place,
    or left behind by a Python that is gone) is made anew, since half a package on disk looks installed.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / FINISHED
    whole = stamp.is_file() and python.exists() and stamp.read_text(encoding="utf-8").strip() == str(folder)
    stamp.unlink(missing_ok=True)
    if whole:
        return python
    print(f"Making {folder.name} with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return python
    # Debian's Python may come without ensurepip; its pip, if there is one, can still fill the environment.
    bare = subprocess.run(
        [*command[:4], "--without-pip", str(folder)], capture_output=True, text=True, check=False
    )
    if bare.returncode == 0:
        fill = [sys.executable, "-m", "pip", "--python", str(python), "install", "pip"]
        if subprocess.run(fill, capture_output=True, check=False).returncode == 0:
            return python
    said = (bare.stderr or bare.stdout).strip().splitlines()
    raise InstallError(
        f"A virtual environment can't be made in {folder} ({said[-1] if said else 'no ensurepip, no pip'}). "
        "On Debian or Ubuntu: apt install python3-venv; else check its permissions and the disk's room."
    )


def need_pip(run: Runner) -> None:
    """Raise InstallError unless this Python has pip, or can be given it."""
    for command in ([*run.pip, "--version"], [run.pip[0], "-m", "ensurepip"], [*run.pip, "--version"]):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0 and "pip" in command:
            return
    raise InstallError(f"{run.pip[0]} has no pip: install it (python -m ensurepip, or conda install pip).")


def freeze() -> None:
    """Write constraints.txt from the versions installed here."""
    pins = {
        name: version.partition("+")[0] for name, version in installed().items() if name not in NOT_PINNED
    }
    header = (
        "# The versions that were tested together (Python 3.11, Linux). `make` installs exactly these.\n"
        "# Made by `make constraints` from the environment in .venv; local labels such as +cpu are left\n"
        "# out, so that a GPU build of the same version fits. To move on: upgrade there, test, redo.\n"
    )
    content = header + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
    temporary = CONSTRAINTS.with_suffix(".tmp")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(CONSTRAINTS)
    print(f"{CONSTRAINTS.name}: {len(pins)} versions")


def main(arguments: list[str] | None = None) -> int:
    """Run one mode; the exit status: 0, 1 when the installation failed, 2 when it could not be tried."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dev", action="store_true", help="the tested versions, JupyterLab and all tools")
    mode.add_argument("--colab", action="store_true", help="what Colab lacks; torch and NumPy stay")
    mode.add_argument(
        "--freeze", action="store_true", help="write constraints.txt from what is installed here"
    )
    mode.add_argument("--download", type=Path, metavar="DIR", help="only fetch wheels of --dev into DIR")
    mode.add_argument("--check-python", action="store_true", help="only say whether this Python will do")
    parser.add_argument("--venv", type=Path, metavar="DIR", help="make this virtual environment first")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="install from DIR, ask no index")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    chosen = parser.parse_args(arguments)
    try:
        check_python()
        return run_mode(chosen)
    except InstallError as error:
        print(f"{'✘ ' if sys.stdout.encoding.lower().startswith('utf') else ''}{error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("\nStopped. Run it again to go on: what was downloaded is kept.", file=sys.stderr)
        return 2


def run_mode(chosen: argparse.Namespace) -> int:
    """The mode that was chosen; the exit status."""
    if chosen.check_python:
        return 0
    if chosen.freeze:
        freeze()
        return 0
    wheels = chosen.wheels.absolute() if chosen.wheels else None
    if wheels and not chosen.dry_run:
        check_wheels(wheels)
    if chosen.venv and not chosen.dry_run:
        return in_venv(
            chosen.venv.absolute(), [*["--dev"] * chosen.dev, *(["--wheels", str(wheels)] if wheels else [])]
        )
    runner = Runner(chosen.dry_run, wheels=wheels)
    if not chosen.dry_run:
        need_pip(runner)
    if chosen.download:
        download(runner, chosen.download.absolute())
    else:
        install = install_dev if chosen.dev else install_colab if chosen.colab else install_user
        install(runner)
    return 0


def in_venv(folder: Path, flags: list[str]) -> int:
    """Make the environment, run this script in it, and mark it as finished when that went well."""
    start = time.monotonic()
    python = make_venv(folder)
    process = subprocess.Popen([str(python), __file__, *flags])
    try:
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C reaches both; the inner one says what it means
        return 2
    if status == 0:
        (folder / FINISHED).write_text(f"{folder}\n", encoding="utf-8")
        print(f"Installed in {time.monotonic() - start:.0f} s.")
    return status


if __name__ == "__main__":
    sys.exit(main())
