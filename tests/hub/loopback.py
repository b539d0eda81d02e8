"""A hub on 127.0.0.1: a tiny HTTP server that answers what huggingface_hub, transformers and datasets ask."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """What the hub holds under one name, and how it behaves when it is asked for it."""

    files: dict[str, bytes | Path] = field(default_factory=dict)
    """Contents, or where they lie: a large file is streamed from disk."""
    behaviour: Literal["serve", "gated", "gated, logged out", "gone", "broken", "cut off"] = "serve"
    """``cut off``: every large file ends in the middle. ``broken``: the hub answers with status 500."""
    _etags: dict[str, str] = field(default_factory=dict)
    """Of files on disk, which are hashed once."""

    def etag(self, path: str) -> str:
        """As the hub names files: a large one by its SHA-256, a small one by its git hash."""
        if path not in self._etags:
            data = self.files[path]
            if isinstance(data, Path):
                with data.open("rb") as file:
                    self._etags[path] = hashlib.file_digest(file, "sha256").hexdigest()
            elif path.endswith((".json", ".md", ".txt")):
                return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            else:
                return hashlib.sha256(data).hexdigest()
        return self._etags[path]

    def size(self, path: str) -> int:
        """In bytes."""
        data = self.files[path]
        return data.stat().st_size if isinstance(data, Path) else len(data)


class LoopbackHub:
    """A hub in a thread of its own. ``repositories``: ``{"owner/name": …, "datasets/owner/name": …}``."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening: from now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def do_POST(self) -> None:
                self._answer(body=True)

            def log_message(self, format: str, *args: object) -> None:
                hub.requests.append(format % args)

            def _answer(self, body: bool) -> None:
                url = urlparse(self.path)
                asked = hub._find(url.path)
                if asked is None:
                    return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
                repository, api, kind, rest = asked
                if repository.behaviour == "gone":
                    return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
                if repository.behaviour == "broken":
                    return self._send(500, b"{}", {}, body)
                if repository.behaviour.startswith("gated") and not (api and not rest):
                    status = 401 if "out" in repository.behaviour else 403
                    return self._send(status, b"{}", {"X-Error-Code": "GatedRepo"}, body)
                if api:
                    return self._api(repository, kind, rest, url.query, body)
                return self._file(repository, rest, body)

            def _api(self, repository: Repository, kind: str, rest: str, query: str, body: bool) -> None:
                entries = [
                    {
                        "type": "file",
                        "path": path,
                        "size": repository.size(path),
                        "oid": repository.etag(path)[:40],
                    }
                    for path in sorted(repository.files)
                ]
                if rest.startswith("tree/"):
                    folder = rest.partition("/")[2].partition("/")[2]
                    found = [e for e in entries if str(e["path"]).startswith(folder)]
                    if "recursive=true" not in query.lower():
                        start = len(folder) + 1 if folder else 0
                        deeper = {
                            str(e["path"])[:start] + str(e["path"])[start:].partition("/")[0] for e in found
                        }
                        known = {e["path"]: e for e in found}
                        made = {"type": "directory", "size": 0, "oid": "0" * 40}
                        found = [known.get(path, made | {"path": path}) for path in sorted(deeper)]
                    return self._json(found, body)
                if rest.startswith("paths-info/"):
                    length = int(self.headers.get("Content-Length", 0))
                    data = self.rfile.read(length).decode()
                    wanted = json.loads(data)["paths"] if data.startswith("{") else parse_qs(data)["paths"]
                    return self._json([entry for entry in entries if entry["path"] in wanted], body)
                if rest and not rest.startswith("revision/"):
                    return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)
                siblings = [{"rfilename": entry["path"]} for entry in entries]
                return self._json(
                    {
                        "id": kind,
                        "sha": COMMIT,
                        "siblings": siblings,
                        "private": False,
                        "gated": repository.behaviour.startswith("gated") and "manual",
                        "tags": [],
                    },
                    body,
                )

            def _file(self, repository: Repository, rest: str, body: bool) -> None:
                path = rest.removeprefix("resolve/").partition("/")[2].removeprefix("./")
                if path not in repository.files:
                    headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
                    return self._send(404, b"", headers, body)
                size = repository.size(path)
                headers = {
                    "ETag": f'"{repository.etag(path)}"',
                    "X-Repo-Commit": COMMIT,
                    "Accept-Ranges": "bytes",
                }
                status, first, stop = 200, 0, size
                if (asked := self.headers.get("Range")) and asked.startswith("bytes="):
                    begin, _, last = asked.removeprefix("bytes=").partition("-")
                    first, stop = int(begin), min(int(last) + 1 if last else size, size)
                    headers["Content-Range"] = f"bytes {first}-{stop - 1}/{size}"
                    status = 206
                cut = repository.behaviour == "cut off" and stop - first > 1000
                self._head(status, headers, stop - first)
                if body:
                    self._contents(repository.files[path], first, first + 500 if cut else stop)

            def _contents(self, data: bytes | Path, first: int, stop: int) -> None:
                if isinstance(data, bytes):
                    self.wfile.write(data[first:stop])
                    return
                with data.open("rb") as file:
                    file.seek(first)
                    while first < stop and (part := file.read(min(2**22, stop - first))):
                        self.wfile.write(part)
                        first += len(part)

            def _json(self, value: object, body: bool) -> None:
                self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"}, body)

            def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
                self._head(status, headers, len(data))
                if body:
                    self.wfile.write(data)

            def _head(self, status: int, headers: dict[str, str], length: int) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(length))
                self.send_header("Connection", "close")
                self.end_headers()

        return Handler

    def _find(self, path: str) -> tuple[Repository, bool, str, str] | None:
        """The repository that a path is about, whether it asks the API, its name, and the path's rest."""
        path = path.lstrip("/")
        api = path.startswith("api/")
        if api:
            path = path.removeprefix("api/").removeprefix("models/")
        for name, repository in self.repositories.items():
            if path == name or path.startswith(name + "/"):
                return repository, api, name, path[len(name) + 1 :]
        return None
