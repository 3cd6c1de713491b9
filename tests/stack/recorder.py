"""A proxy that keeps every secret which passes through it, and can answer in its peer's place."""

import base64
import http.client
import http.server
import json
import threading
import urllib.parse

_SECRET = {
    "access_token",
    "refresh_token",
    "id_token",
    "password",
    "client_secret",
    "s3.access-key-id",
    "s3.secret-access-key",
    "s3.session-token",
}
_OF_ONE_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class Recorder:
    """Stands before the server at `target`. A context manager that ends it.

    `secrets` has every secret that was sent or answered, under the name of its field. With
    `answer`, a status and a body, all requests get that.
    """

    def __init__(self, target: str):
        self._target = urllib.parse.urlsplit(target)
        self.secrets: dict[str, set[str]] = {}
        self.answer: tuple[int, bytes] | None = None
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder._keep_request(self.headers, body)
                if recorder.answer is None:
                    status, headers, answer = recorder._ask(
                        self.command, self.path, self.headers, body
                    )
                else:
                    (status, answer), headers = recorder.answer, [("Content-Type", "text/html")]
                recorder._keep(answer)
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in _OF_ONE_HOP:
                        self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_HEAD = do_POST = do_DELETE = _pass_on

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def uri(self) -> str:
        """The address to give instead of that of the target."""
        return f"http://127.0.0.1:{self._server.server_port}{self._target.path}"

    def _ask(self, method, path, headers, body):
        connection = http.client.HTTPConnection(self._target.netloc, timeout=60)
        kept = {n: value for n, value in headers.items() if n.lower() not in _OF_ONE_HOP}
        connection.request(method, path, body or None, kept)
        answer = connection.getresponse()
        try:
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _keep_request(self, headers, body):
        scheme, _, value = (headers.get("Authorization") or "").partition(" ")
        if scheme == "Bearer":
            self._add("access_token", value)
        for name, value in urllib.parse.parse_qsl(body.decode(errors="replace")):
            if name in _SECRET:
                self._add(name, value)

    def _keep(self, body):
        try:
            pending = [json.loads(body)]
        except ValueError:
            return
        while pending:
            part = pending.pop()
            if isinstance(part, dict):
                for name, value in part.items():
                    if name in _SECRET and isinstance(value, str):
                        self._add(name, value)
                pending += part.values()
            elif isinstance(part, list):
                pending += part

    def _add(self, name, value):
        self.secrets.setdefault(name, set()).add(value)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def basic(user: str, password: str) -> str:
    """What stands for a login in the header of HTTP, without its padding."""
    return base64.b64encode(f"{user}:{password}".encode()).decode().rstrip("=")
