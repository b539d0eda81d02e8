"""The doctor: each thing that can be wrong gets its line, its advice and the right exit status."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from sae_course.checks import progress_file
from sae_course.doctor import Finding, examine, machine, packages, places
from sae_course.doctor.commands import doctor
from sae_course.runtime import memory

UTILS = Path(__file__).resolve().parents[1] / "utils"
Versions = Callable[[dict[str, str | None]], None]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of this test's own, and no look-up of a real hub."""
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Versions:
    """Give packages another installed version, or none."""
    real = metadata.version

    def pretend(changes: dict[str, str | None]) -> None:
        def version(name: str) -> str:
            if name not in changes:
                return real(name)
            if (value := changes[name]) is None:
                raise metadata.PackageNotFoundError(name)
            return value

        monkeypatch.setattr(packages.metadata, "version", version)

    return pretend


def line(name: str, findings: list[Finding] | None = None) -> Finding:
    """The one finding about ``name``."""
    (found,) = [finding for finding in findings or examine() if finding.name == name]
    return found


# ---------------------------------------------------------------- the whole report


def test_here_the_course_can_run() -> None:
    done = CliRunner().invoke(doctor)
    assert done.exit_code == 0, done.output
    names = [text.split()[1] for text in done.output.splitlines() if text[:1] in {"✔", "!", "✘"}]
    assert {"Python", "torch", "sae-lens", "sae-vis", "device", "memory", "disk", "kernel", "hub"} <= set(
        names
    )
    assert "✘" not in done.output
    assert done.output.rstrip().endswith("The course can run here.")


def test_every_declared_package_has_its_line() -> None:
    names = {finding.name for finding in examine()}
    assert {requirement.name for requirement in packages.declared().packages} <= names


def test_json_is_the_same(versions: Versions) -> None:
    versions({"einops": None})
    done = CliRunner().invoke(doctor, ["--json"])
    assert done.exit_code == 1
    findings = [Finding(**item) for item in json.loads(done.output)]
    assert line("einops", findings).status == "fail"


def test_a_look_that_breaks_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("psutil.virtual_memory", broken)
    assert line("memory").text == "not looked at (ZeroDivisionError: by nothing)"
    monkeypatch.setitem(sys.modules, "psutil", None)
    found = line("memory")
    assert (found.status, found.text) == ("fail", "not looked at: psutil is missing")


# ---------------------------------------------------------------- Python and packages


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (None, "missing (needs >=6.54,<7)"),
        ("6.53.0", "6.53.0 (needs >=6.54,<7)"),
        ("7.0", "7.0 (needs >=6.54,<7)"),
    ],
)
def test_a_missing_or_unfit_package(versions: Versions, version: str | None, text: str) -> None:
    versions({"sae-lens": version})
    found = line("sae-lens")
    assert (found.status, found.text) == ("fail", text)
    assert "utils/install.py" in found.advice
    done = CliRunner().invoke(doctor)
    assert done.exit_code == 1
    assert f"✘ sae-lens         {text}: " in done.output
    assert "can't run here yet. The line marked ✘" in done.output


@pytest.mark.parametrize("version", [None, "0.2.15"])
def test_sae_vis_missing_or_of_another_interface(versions: Versions, version: str | None) -> None:
    versions({"sae-vis": version})
    found = line("sae-vis")
    assert found.status == "fail"
    assert "utils/install.py" in found.advice


def test_a_missing_tool_does_not_stop_a_learner(versions: Versions) -> None:
    versions({"nbgrader": None, "jupytext": "1.0"})
    found = line("tools")
    assert found.status == "note"
    assert found.text == "missing or too old: jupytext, nbgrader"
    assert CliRunner().invoke(doctor).exit_code == 0


def test_ranges_come_from_metadata_and_else_from_pyproject(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_package(name: str) -> list[str]:
        return ["einops>=99", 'pytest>=8; extra == "dev"', 'pywin32; sys_platform == "win32"']

    monkeypatch.setattr(packages.metadata, "metadata", lambda name: {"Requires-Python": ">=3.11"})
    monkeypatch.setattr(packages.metadata, "requires", of_package)
    found = packages.declared()
    assert found.packages == [Requirement("einops>=99")]
    assert [tool.name for tool in found.tools] == ["pytest"]

    def not_installed(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packages.metadata, "metadata", not_installed)
    found = packages.declared()
    assert found.source == "pyproject.toml"
    assert {"torch", "sae-lens"} <= {one.name for one in found.packages}
    assert not found.python.contains("3.10.0")


def test_the_wrong_python(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, status in {"3.10.14": "fail", "3.11.9": "ok", "3.13.1": "ok", "3.14.0": "fail"}.items():
        monkeypatch.setattr(packages.platform, "python_version", lambda version=version: version)
        found = packages.python_finding(packages.declared().python)
        assert found.status == status, version
        assert found.text.startswith(version)


# ---------------------------------------------------------------- torch and the machine


def test_a_broken_torch_is_a_line_and_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.12: cannot open shared object file')\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{UTILS}", "PYTHONIOENCODING": "utf-8"}
    code = "from sae_course.doctor.commands import doctor; doctor()"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "✘ device           torch can't be imported (OSError: libcudart.so.12" in done.stdout
    assert "✔ memory" in done.stdout, "the other lines are still there"


def torch_with(monkeypatch: pytest.MonkeyPatch, *, works: bool) -> None:
    """A torch with a GPU that computes, or doesn't."""

    def ones(*shape: int, device: str) -> object:
        if not works:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")
        product = SimpleNamespace(sum=lambda: SimpleNamespace(item=lambda: 512.0))
        return SimpleNamespace(matmul=lambda other: product)

    cuda = SimpleNamespace(
        is_available=lambda: True,
        get_device_name=lambda index: "NVIDIA Example",
        device_count=lambda: 2,
        mem_get_info=lambda index: (10 * 2**30, 16 * 2**30),
    )
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    monkeypatch.setattr(sys.modules["torch"], "cuda", cuda, raising=False)
    monkeypatch.setattr(sys.modules["torch"], "ones", ones, raising=False)


def test_a_gpu_is_named_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_with(monkeypatch, works=True)
    found = machine.device_finding()
    assert (found.status, found.text) == (
        "ok",
        "cuda, NVIDIA Example (1 of 2), 10.0 of 16.0 GiB free: full scale",
    )


def test_a_gpu_that_cannot_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_with(monkeypatch, works=False)
    found = machine.device_finding()
    assert found.status == "fail"
    assert "no kernel image" in found.text
    assert "SAE_COURSE_DEVICE=cpu" in found.advice


def test_a_gpu_that_torch_cannot_use_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: PLC0415 - not needed by the other tests

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert machine.device_finding().status == "note"


@pytest.mark.parametrize(("free", "status"), [(0.5, "fail"), (1.5, "note"), (9.0, "ok")])
def test_memory_is_judged(monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=64 * 2**30))
    monkeypatch.setattr(machine, "cgroup_room", lambda: int(free * 2**30))
    found = machine.memory_finding()
    assert found.status == status
    assert found.text.startswith(f"{free:.1f} GiB free (the limit of this container)")


def test_memory_limits_of_every_level_count(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/a/b\n")
    levels = {"a": ("3000", "1000", "500"), "a/b": ("max", "900", "0")}
    for name, (limit, usage, cache) in levels.items():
        folder = tmp_path / "v2" / name
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{usage}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cache}\n")
    assert memory.cgroup_room(tmp_path / "v2", own) == 2500
    (tmp_path / "v2" / "a/b" / "memory.max").write_text("1000\n")
    assert memory.cgroup_room(tmp_path / "v2", own) == 100


def test_memory_limits_of_version_1_and_none(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("5:cpu,cpuacct:/\n4:memory:/job\n")
    folder = tmp_path / "v1" / "memory" / "job"
    folder.mkdir(parents=True)
    (folder / "memory.usage_in_bytes").write_text("1000\n")
    (folder / "memory.stat").write_text("total_inactive_file 10\n")
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory.cgroup_room(tmp_path / "v1", own) is None
    (folder / "memory.limit_in_bytes").write_text("1500\n")
    assert memory.cgroup_room(tmp_path / "v1", own) == 510
    assert memory.cgroup_room(tmp_path / "v1", tmp_path / "nowhere") is None


@pytest.mark.parametrize(("free", "status"), [(0.01, "fail"), (1.0, "note"), (50.0, "ok")])
def test_disk_is_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, status: str) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free * 2**30))
    found = machine.disk_finding(tmp_path / "not" / "there")
    assert found.status == status
    assert found.text.endswith(str(tmp_path))


# ---------------------------------------------------------------- the hub


@contextmanager
def server(status: int, delay: float = 0.0) -> Iterator[str]:
    """An HTTP server on this machine that always answers ``status``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            time.sleep(delay)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.block_on_close = False
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nothing listens."""
    yield "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("place", "status", "says"),
    [
        (server(200), "ok", "answers"),
        (server(404), "ok", "answers"),
        (server(403), "note", "HTTP 403"),
        (server(503), "note", "HTTP 503"),
        (server(200, delay=2), "note", "timed out"),
        (nobody(), "note", "refused"),
    ],
    ids=["answers", "not found", "refused by a proxy", "out of order", "silent", "nobody there"],
)
def test_hub(
    monkeypatch: pytest.MonkeyPatch, place: AbstractContextManager[str], status: str, says: str
) -> None:
    monkeypatch.setattr(machine, "HUB_SECONDS", 0.3)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with place as endpoint:
        monkeypatch.setenv("HF_ENDPOINT", f"{endpoint}/")
        found = machine.hub_finding()
    assert found.status == status
    assert endpoint in found.text
    assert says in found.text


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "HUB_SECONDS", -0.8)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(machine, "_ask", lambda endpoint: time.sleep(30))
    start = time.monotonic()
    assert "no answer" in machine.hub_finding().text
    assert time.monotonic() - start < 5


def test_the_hub_switched_off() -> None:
    found = machine.hub_finding()
    assert (found.status, found.text) == ("note", "switched off by HF_HUB_OFFLINE")


# ---------------------------------------------------------------- folders and the kernel


def test_a_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "file" / "home"))
    found = line("your data")
    assert found.status == "fail"
    assert "SAE_COURSE_HOME" in found.advice
    done = CliRunner().invoke(doctor)
    assert done.exit_code == 1
    assert "Traceback" not in done.output


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="a superuser may write everywhere")
def test_a_read_only_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert line("your data").status == "fail"
    finally:
        tmp_path.chmod(0o700)


def test_progress() -> None:
    path = progress_file.path()
    assert places.progress_finding().text == "none recorded yet"
    progress_file.update(lambda entries: None)
    assert places.progress_finding().status == "ok"
    for broken in ('{"1.3": ', "[]", '{"exercises": 3}'):
        path.write_text(broken)
        found = places.progress_finding()
        assert found.status == "note"
        assert str(path) in found.text
        assert path.read_text() == broken, "looking changes nothing"


def kernel(monkeypatch: pytest.MonkeyPatch, program: str) -> Finding:
    """The finding about a kernel that starts ``program``."""
    spec = SimpleNamespace(argv=[program, "-m", "ipykernel_launcher"])
    monkeypatch.setattr(
        "jupyter_client.kernelspec.KernelSpecManager.get_kernel_spec", lambda self, name: spec
    )
    return places.kernel_finding()


def test_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert kernel(monkeypatch, "python").text == f"python3 ({sys.executable})"
    assert kernel(monkeypatch, sys.executable).status == "ok"
    assert kernel(monkeypatch, "/nowhere/bin/python").status == "fail"
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert kernel(monkeypatch, str(other)).status == "note"


def test_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel  # noqa: PLC0415 - only here

    def none(self: KernelSpecManager, name: str) -> None:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    found = places.kernel_finding()
    assert found.status == "fail"
    assert "utils/install.py" in found.advice
