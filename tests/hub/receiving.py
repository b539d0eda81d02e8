"""How the hub of these tests takes an upload: the steps of huggingface_hub without Xet, and their faults.

======  ==================================================================================================
whoami  whose token it is, and whether it may write
create  a repository
batch   which large files are missing
put     one of them, to the storage
commit  all files become visible, at once
======  ==================================================================================================
"""

import base64
import hashlib
from http.server import BaseHTTPRequestHandler
from json import dumps, loads
from typing import TYPE_CHECKING, Any

from held import NONE, SMALL_NAMES, Repository

if TYPE_CHECKING:
    from loopback import LoopbackHub


class Answers(BaseHTTPRequestHandler):
    """How an answer is sent."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are kept by the hub."""

    def json(self, value: object, body: bool = True) -> None:
        self.send(200, dumps(value).encode(), {"Content-Type": "application/json"}, body)

    def send(self, status: int, data: bytes, headers: dict[str, str], body: bool = True) -> None:
        self.head(status, headers, len(data))
        if body:
            self.wfile.write(data)

    def head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def body(self) -> bytes:
        """What was sent with the request, at once or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def receive(hub: "LoopbackHub", request: Answers, path: str, token: str) -> bool:
    """Answer a request that belongs to an upload. False if it does not."""
    step, name = _step(path)
    if not step:
        return False
    data, fault = request.body(), hub.uploads.get(step, NONE)
    if fault.strikes("status"):
        request.send(fault.status, b"{}", fault.headers)
    elif fault.strikes("cut"):
        pass
    elif fault.strikes("stall"):
        request.connection.recv(1)  # until the other side has had enough
    elif step != "put" and hub.tokens.get(token) is None:
        request.send(401, b"{}", {})
    elif step not in ("whoami", "put", "check") and hub.tokens[token] != "write":
        request.send(403, b"{}", {"X-Error-Message": "You don't have the rights to do this"})
    else:
        answer = _STEPS[step](hub, name, data, hub.tokens.get(token))
        if not fault.strikes("answer lost"):
            request.send(
                answer.pop("status", 200), dumps(answer).encode(), {"Content-Type": "application/json"}
            )
    return True


def _step(path: str) -> tuple[str, str]:
    """The step, and what it is about: a repository, or a large file's hash."""
    fixed = {"/api/whoami-v2": "whoami", "/api/validate-yaml": "check", "/api/repos/create": "create"}
    if path in fixed:
        return fixed[path], ""
    if path.startswith("/lfs/"):
        return "put", path.removeprefix("/lfs/")
    if path.endswith(".git/info/lfs/objects/batch"):
        return "batch", path.removeprefix("/").partition(".git/")[0]
    for step in ("preupload", "commit"):
        if path.startswith("/api/models/") and f"/{step}/" in path:
            return step, path.removeprefix("/api/models/").partition(f"/{step}/")[0]
    return "", ""


def _whoami(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    return {"type": "user", "name": "learner", "auth": {"accessToken": {"role": role}}}


def _check(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    return {"errors": [], "warnings": []}


def _create(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    asked = loads(data)
    name = f"{asked['organization']}/{asked['name']}"
    url = {"url": f"{hub.address}/{name}"}
    if name in hub.repositories:
        return url | {"status": 409}
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    hub.repositories[name] = Repository(private=private)
    return url


def _preupload(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    there = hub.repositories[name]
    return {
        "files": [
            {
                "path": file["path"],
                "uploadMode": "regular" if file["path"].endswith(SMALL_NAMES) else "lfs",
                "shouldIgnore": False,
                "oid": there.etag(file["path"]) if file["path"] in there.files else None,
            }
            for file in loads(data)["files"]
        ]
    }


def _batch(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        upload = {"upload": {"href": f"{hub.address}/lfs/{asked['oid']}"}}
        return asked | ({} if asked["oid"] in hub.received else {"actions": upload})

    return {"transfer": "basic", "objects": [answer(asked) for asked in loads(data)["objects"]]}


def _put(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    assert hashlib.sha256(data).hexdigest() == name
    hub.received[name] = data
    return {}


def _commit(hub: "LoopbackHub", name: str, data: bytes, role: str | None) -> dict[str, Any]:
    files: dict[str, bytes] = {}
    for line in map(loads, data.splitlines()):
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            files[value["path"]] = hub.received[value["oid"]]
    hub.repositories[name].files |= files
    return {"commitUrl": f"{hub.address}/{name}/commit/1", "commitOid": "1" * 40}


_STEPS = {
    "whoami": _whoami,
    "check": _check,
    "create": _create,
    "preupload": _preupload,
    "batch": _batch,
    "put": _put,
    "commit": _commit,
}
