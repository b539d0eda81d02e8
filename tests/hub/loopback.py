"""A hub on 127.0.0.1: a tiny HTTP server that answers what huggingface_hub, transformers and datasets ask."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from held import Fault, Repository
from receiving import Answers, receive

__all__ = ["Fault", "LoopbackHub", "Repository"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LoopbackHub:
    """A hub in a thread of its own. ``repositories``: ``{"owner/name": …, "datasets/owner/name": …}``."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, str] = {}
        """Token and role: ``read`` or ``write``. Any other token is let through, as if there were none."""
        self.uploads: dict[str, Fault] = {}
        """What befalls a step of uploading (see ``receiving``)."""
        self.received: dict[str, bytes] = {}
        """Large files that were sent, by their SHA-256; a commit makes them visible."""
        self.requests: list[str] = []
        """As they came: ``GET /path``, and the range of the bytes that were asked for."""
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

        class Handler(Answers):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def do_POST(self) -> None:
                self._answer(body=True)

            def do_PUT(self) -> None:
                self._answer(body=True)

            def _answer(self, body: bool) -> None:
                asked_for = self.headers.get("Range")
                hub.requests.append(f"{self.command} {self.path}" + (f" {asked_for}" if asked_for else ""))
                url = urlparse(self.path)
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if token == "hf_expired":
                    said = {"X-Error-Message": "Invalid credentials in Authorization header"}
                    return self.send(401, b"{}", said, body)
                if receive(hub, self, url.path, token):
                    return None
                if (asked := hub._find(url.path)) is None:
                    return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
                repository, api, kind, rest = asked
                if refused := self._refusal(repository, api and not rest, token):
                    return self.send(refused[0], b"{}", refused[1], body)
                if api:
                    return self._api(repository, kind, rest, url.query, body)
                return self._file(repository, rest, body)

            def _refusal(
                self, repository: Repository, about: bool, token: str
            ) -> tuple[int, dict[str, str]] | None:
                """``about``: the question what repository it is, which is answered for a gated one too."""
                if repository.behaviour == "gone" or (repository.private and token not in hub.tokens):
                    return 404, {"X-Error-Code": "RepoNotFound"}
                if repository.fault.strikes("status"):
                    return repository.fault.status, repository.fault.headers
                if repository.behaviour.startswith("gated") and not about:
                    return 401 if "out" in repository.behaviour else 403, {"X-Error-Code": "GatedRepo"}
                return None

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
                    return self.json(found, body)
                if rest.startswith("paths-info/"):
                    length = int(self.headers.get("Content-Length", 0))
                    data = self.rfile.read(length).decode()
                    wanted = json.loads(data)["paths"] if data.startswith("{") else parse_qs(data)["paths"]
                    return self.json([entry for entry in entries if entry["path"] in wanted], body)
                if rest and not rest.startswith("revision/"):
                    return self.send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)
                siblings = [{"rfilename": entry["path"]} for entry in entries]
                return self.json(
                    {
                        "id": kind,
                        "sha": COMMIT,
                        "siblings": siblings,
                        "private": repository.private,
                        "gated": repository.behaviour.startswith("gated") and "manual",
                        "tags": [],
                    },
                    body,
                )

            def _file(self, repository: Repository, rest: str, body: bool) -> None:
                path = rest.removeprefix("resolve/").partition("/")[2].removeprefix("./")
                if path not in repository.files:
                    headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
                    return self.send(404, b"", headers, body)
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
                self.head(status, headers, stop - first)
                if not body:
                    return
                fault = repository.fault
                if size < 1000 or not fault.strikes("cut", "stall", "checksum"):
                    return self._contents(repository.files[path], first, stop)
                if fault.kind == "checksum":  # as it is, but for its last byte
                    self._contents(repository.files[path], first, stop - 1)
                    self.wfile.write(b"\x55")
                    return
                # At half of the file, wherever the request begins: asking again leads no further.
                self._contents(repository.files[path], first, max(first, min(stop, size // 2)))
                self.wfile.flush()
                if fault.kind == "stall":
                    self.connection.recv(1)  # until the other side has had enough

            def _contents(self, data: bytes | Path, first: int, stop: int) -> None:
                if isinstance(data, bytes):
                    self.wfile.write(data[first:stop])
                    return
                with data.open("rb") as file:
                    file.seek(first)
                    while first < stop and (part := file.read(min(2**22, stop - first))):
                        self.wfile.write(part)
                        first += len(part)

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
