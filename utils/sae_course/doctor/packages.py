"""Python and the packages: what is installed, against the ranges that the course declares."""

import platform
import re
import shlex
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from .finding import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

CHECKOUT = Path(__file__).resolve().parents[3]
SAE_VIS = "sae-vis"
TESTED_PYTHON = "3.11"
TESTED_PLATFORM = ("Linux", "x86_64")


@dataclass(frozen=True)
class Declared:
    """What the course asks for, as read from where it is written."""

    python: "SpecifierSet"
    packages: list["Requirement"]
    """Needed to run the notebooks."""
    tools: list["Requirement"]
    """Needed besides to run all of them at once, to write and to test (the extra ``dev``)."""
    source: str
    """Where it was read."""


def declared() -> Declared:
    """The ranges in the installed package's metadata, or else in the checkout's pyproject.toml.

    On Colab the package is on the path without being installed, so that only the second is there.

    Raises:
        FileNotFoundError: when there is neither.
    """
    from packaging.requirements import Requirement  # noqa: PLC0415 - `sae-course --help` stays instant
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415

    try:
        python = metadata.metadata("sae-course")["Requires-Python"] or ""
        all_ = [Requirement(text) for text in metadata.requires("sae-course") or []]
        packages = [one for one in all_ if one.marker is None or one.marker.evaluate({"extra": ""})]
        tools = [
            one
            for one in all_
            if one not in packages and one.marker and one.marker.evaluate({"extra": "dev"})
        ]
        source = "the installed package"
    except metadata.PackageNotFoundError:
        import tomllib  # noqa: PLC0415

        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python = project["requires-python"]
        packages = [Requirement(text) for text in project["dependencies"]]
        tools = [Requirement(text) for text in project["optional-dependencies"]["dev"]]
        source = "pyproject.toml"
    return Declared(SpecifierSet(python), packages, tools, source)


def how_to_install() -> str:
    """The command that repairs this environment."""
    if "google.colab" in sys.modules or Path("/content/sample_data").is_dir():
        return "python utils/install.py --colab"
    if Path(sys.prefix) == CHECKOUT / ".venv":
        return f"{shlex.quote(sys.executable)} utils/install.py --dev"
    return "python utils/install.py"


def installed_version(name: str) -> str | None:
    """A distribution's version; None when it is missing or half removed."""
    try:
        return metadata.version(name) or None
    except (metadata.PackageNotFoundError, KeyError):
        return None


def python_finding(needs: "SpecifierSet") -> Finding:
    """Whether this Python is supported, and whether it is the tested one."""
    version = platform.python_version()
    if not needs.contains(version, prereleases=True):
        advice = f"install Python {TESTED_PYTHON}, then: make PYTHON=python{TESTED_PYTHON} run"
        return Finding("fail", "Python", f"{version} (needs {_readable(needs)})", advice)
    tested = version.startswith(f"{TESTED_PYTHON}.")
    word = "tested" if tested else f"expected to work; {TESTED_PYTHON} was tested"
    return Finding("ok", "Python", f"{version} ({word})")


def platform_finding() -> Finding:
    """The operating system and processor."""
    here = (platform.system(), platform.machine())
    word = (
        "tested" if here == TESTED_PLATFORM else f"expected to work; {' '.join(TESTED_PLATFORM)} was tested"
    )
    return Finding("ok", "platform", f"{' '.join(here)} ({word})")


def package_finding(requirement: "Requirement") -> Finding:
    """One package's version against its range."""
    name, needs = requirement.name, requirement.specifier
    version = installed_version(name)
    wanted = f" (needs {_readable(needs)})" if str(needs) else ""
    if version is None:
        return Finding("fail", name, f"missing{wanted}", how_to_install())
    if not needs.contains(version, prereleases=True):
        return Finding("fail", name, f"{version}{wanted}", how_to_install())
    return Finding("ok", name, f"{version}{wanted}")


def _readable(needs: "SpecifierSet") -> str:
    """``>=6.54,<7``: the lower bound first."""
    return ",".join(sorted((str(bound) for bound in needs), reverse=True))


def sae_vis_finding() -> Finding:
    """sae-vis, which can't be declared: its own bounds contradict the stack that it runs on."""
    version, wanted = installed_version(SAE_VIS), tested_version(SAE_VIS)
    if version is None:
        return Finding("fail", SAE_VIS, "missing (it is installed last, by a script)", how_to_install())
    if wanted and version != wanted:
        return Finding(
            "fail", SAE_VIS, f"{version} (needs {wanted}: its interface changes)", how_to_install()
        )
    return Finding("ok", SAE_VIS, version)


def tested_version(name: str) -> str:
    """The version in constraints.txt; empty outside a checkout."""
    try:
        text = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(rf"^{re.escape(name)}==(\S+)", text, re.MULTILINE)
    return found.group(1) if found else ""


def tools_finding(tools: list["Requirement"]) -> Finding:
    """The tools of the extra ``dev``, in one line: a learner needs none of them in the notebook."""
    versions = {one.name: installed_version(one.name) for one in tools}
    bad = [
        one.name
        for one in tools
        if (version := versions[one.name]) is None or not one.specifier.contains(version, prereleases=True)
    ]
    if not bad:
        return Finding("ok", "tools", f"all {len(tools)} for running, writing and testing every chapter")
    text = f"missing or too old: {', '.join(bad)}"
    advice = "only needed for `sae-course run` and `build`, and the tests: python utils/install.py --dev"
    return Finding("note", "tools", text, advice)


def package_findings() -> list[Finding]:
    """Python, platform, every declared package, sae-vis and the tools."""
    try:
        what = declared()
    except ModuleNotFoundError as error:
        return [Finding("fail", "packages", f"{error.name} is missing", how_to_install())]
    except FileNotFoundError:
        text = f"the course's ranges are nowhere to be read (not installed, no pyproject.toml in {CHECKOUT})"
        return [Finding("fail", "packages", text, "run this from a checkout, or: python utils/install.py")]
    return [
        python_finding(what.python),
        platform_finding(),
        *(package_finding(one) for one in what.packages),
        sae_vis_finding(),
        tools_finding(what.tools),
    ]
