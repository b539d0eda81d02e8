"""A headless Chromium with the network cut, spoken to over its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = "no Chromium on this machine: install one (apt-get install chromium) to run the browser's tests"


def found() -> str | None:
    """A Chromium on this machine; ``SAE_COURSE_CHROMIUM`` names another."""
    return os.environ.get("SAE_COURSE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page in the browser, and everything that went wrong in it."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, suppress_origin=True, timeout=60)
        self._number = 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.contexts: dict[str, int] = {}
        """Of each frame: where its scripts run."""
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command, and its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message.get("method", ""), message.get("params", {}))

    def open(self, path: Path) -> None:
        """Load a file, and forget what was noted before."""
        self.errors, self.requests = [], []
        self.contexts.clear()
        self.call("Page.navigate", url=path.as_uri())

    def ask(self, script: str, frame: str | None = None) -> Any:
        """The value of an expression in the page, or in one of its frames."""
        where = {"contextId": self.contexts[frame]} if frame else {}
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, **where
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, frame: Callable[[], str | None] = lambda: None, seconds: float = 60) -> None:
        """Until the expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.ask(script, frame()):
                    return
            except (AssertionError, KeyError):
                pass  # the frame is not there yet, or was just replaced
            time.sleep(0.05)
        raise AssertionError(f"{script} did not come true; errors: {self.errors}")

    def inner_frame(self) -> str | None:
        """The first frame inside the page."""
        tree = self.call("Page.getFrameTree")["frameTree"]
        return next((child["frame"]["id"] for child in tree.get("childFrames", [])), None)

    def move(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path: Path) -> None:
        """A screenshot, for a person."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """Leave the page."""
        self._socket.close()

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}"[:500])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"][:200])
        elif method == "Runtime.executionContextCreated":
            context = params["context"]
            if context["auxData"].get("isDefault"):
                self.contexts[context["auxData"]["frameId"]] = context["id"]


def quiet(tab: Tab, path: Path, frame: str | None = None) -> None:
    """Nothing ran that shouldn't, nothing failed, nothing was asked of the network."""
    assert tab.ask("typeof window.pwned", frame) == "undefined"
    assert tab.ask("document.getElementById('note').hidden", frame)
    # A board's numbers are bold: that is sae_vis' own.
    made = "document.querySelectorAll('svg[onload], b:not(.highlight-header b)').length"
    assert tab.ask(f"document.images.length + {made}", frame) == 0
    assert tab.errors == []
    assert [
        url for url in tab.requests if url != path.as_uri() and not url.startswith(("data:", "blob:"))
    ] == []


@contextmanager
def started(folder: Path) -> Iterator[Tab]:
    """A browser with one tab; its profile goes into ``folder``."""
    program = found()
    assert program, MISSING
    log = folder / "chromium.log"
    command = [
        program,
        "--headless=new",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # no name has an address,
        "--proxy-server=127.0.0.1:9",  # and nobody listens where everything is sent
        "--proxy-bypass-list=<-loopback>",
        "--disable-features=IsolateSandboxedIframes,Translate",  # frames in one process: one connection
        "--no-sandbox",  # CI runs as root
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--window-size=1500,950",
        "about:blank",
    ]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        yield Tab(_address(folder / "profile" / "DevToolsActivePort", process, log))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _address(port_file: Path, process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The tab's own address."""
    import urllib.request  # noqa: PLC0415

    end = time.monotonic() + 60
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and process.poll() is None:
        try:
            port = port_file.read_text().split()[0]
            with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        except (OSError, IndexError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"Chromium did not start: {log.read_text()[-800:]}")
